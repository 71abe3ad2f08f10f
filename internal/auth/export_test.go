package auth

import "testing"

// WeakHash is a password hashed with less than today's cost.
func WeakHash(t testing.TB, password string) string {
	t.Helper()
	out, err := newHasher(params{time: 1, memory: 64, threads: 1}).hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
