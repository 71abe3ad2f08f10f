package auth

import (
	"context"
	"testing"
)

// WeakHash is a password hashed with less than today's cost.
func WeakHash(t testing.TB, password string) string {
	t.Helper()
	out, err := newHasher(params{time: 1, memory: 64, threads: 1}).hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Flush writes when sessions were last seen and says of how many.
func Flush(s *Service, ctx context.Context) (int, error) {
	n := 0
	for _, one := range s.sessions.all() {
		if one.seen.Load()-one.flushed.Load() > int64(seenEvery) {
			n++
		}
	}
	return n, s.flush(ctx)
}
