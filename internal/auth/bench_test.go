package auth_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"onemap/internal/auth"
)

// BenchmarkIdentify is what every request pays.
func BenchmarkIdentify(b *testing.B) {
	h := open(b)
	h.person("bench", auth.DutyOfficer, county, county)
	o, _ := h.in("bench")
	_, text, err := h.node.CreateToken(b.Context(), cli, auth.NewToken{Name: "x", Role: auth.Viewer, Scopes: []string{"read"}})
	if err != nil {
		b.Fatal(err)
	}
	for name, c := range map[string]auth.Credential{"session": {Cookie: o.Cookie, Peer: office}, "token": {Bearer: text, Peer: office}, "anonymous": {}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.node.Identify(context.Background(), c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSignIn is a password, with its transactions.
func BenchmarkSignIn(b *testing.B) {
	h := open(b)
	h.person("bench", auth.DutyOfficer, county, county)
	for b.Loop() {
		h.in("bench")
	}
}

// BenchmarkSignInRefused compares a known name with an unknown one, by turns: whoever
// measures must learn nothing.
func BenchmarkSignInRefused(b *testing.B) {
	h := open(b)
	h.person("bench", auth.DutyOfficer, county, county)
	names := []string{"bench", "nobody"}
	took := map[string][]time.Duration{}
	for i := 0; b.Loop(); i++ {
		h.clock.pass(time.Hour) // the failures before are forgotten
		name := names[i%2]
		began := time.Now()
		if _, err := h.node.SignIn(context.Background(), h.by(nil), auth.SignInRequest{Username: name, Password: "Wrong-Password-1"}); !errors.Is(err, auth.ErrSignIn) {
			b.Fatal(err)
		}
		took[name] = append(took[name], time.Since(began))
	}
	for _, name := range names {
		slices.Sort(took[name])
		if n := len(took[name]); n > 0 {
			b.ReportMetric(float64(took[name][n/2].Microseconds()), name+"-p50-µs")
		}
	}
}

// BenchmarkReload is what a change of rights costs every node, with a thousand accounts
// of two grants each.
func BenchmarkReload(b *testing.B) {
	h := open(b)
	h.exec(`insert into auth.account (username, name, unit, state) select 'user' || i, '人' || i, '990100', 'active' from generate_series(1, 1000) i`)
	for _, role := range []string{"viewer", "grid_worker"} {
		h.exec(`insert into auth.role_grant (account, role, area, reason) select id, '` + role + `', '990100101', 'x' from auth.account`)
	}
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		h.exec(`update auth.account set name = $1 where username = 'user1'`, fmt.Sprint("人", i))
		b.StartTimer()
		h.settle(h.node)
	}
}
