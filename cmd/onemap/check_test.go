package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/pgtest"
)

// TestCheckAudit goes along a sound audit, one that was changed, and one that was made
// anew against a head noted before.
func TestCheckAudit(t *testing.T) {
	d := pgtest.Database(t)
	owner := pgtest.Connect(t, d.Admin)
	fill := func() {
		t.Helper()
		for range 3 {
			err := pgx.BeginFunc(t.Context(), owner, func(tx pgx.Tx) error {
				return audit.Record(t.Context(), tx, audit.Entry{Doer: audit.Doer{Actor: "wang"}, Action: "a.b", Reason: "登记"})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := owner.Exec(t.Context(), `select audit.seal_next()`); err != nil {
			t.Fatal(err)
		}
	}
	check := func(code int, want string, more ...string) string {
		t.Helper()
		var out bytes.Buffer
		env := environment{stdout: &out, stderr: &out, getenv: func(string) string { return "" }}
		if got := run(context.Background(), env, append([]string{"check", "audit", "--database-url", d.App}, more...)); got != code || !strings.Contains(out.String(), want) {
			t.Errorf("exit %d, want %d with %q:\n%s", got, code, want, out.String())
		}
		return out.String()
	}
	exec := func(sql string) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	check(exitDone, "entries 0, 封印 seals 0")
	fill()
	fill()
	said := check(exitDone, "entries 6, 封印 seals 2, 待封 unsealed 0")
	_, head, _ := strings.Cut(strings.TrimSpace(said), "elsewhere: ")
	if !strings.HasPrefix(head, "2:") {
		t.Fatalf("no head in %q", said)
	}
	check(exitDone, "✓", "--head", head)
	check(exitUsage, "NO:HASH", "--head", "2:xyz")
	check(exitUsage, "unexpected", "more")

	exec(`alter table audit.entry disable trigger only_added; alter table audit.seal disable trigger only_added; alter table audit.head disable trigger kept`)
	exec(`update audit.entry set reason = '改过' where seq = 5`)
	check(exitFailed, "封印 seal 2 · 记录 entry 5: 记录被改动")
	exec(`update audit.entry e set hash = audit.entry_hash(e) where seq = 5;
		update audit.seal s set digest = (select sha256(string_agg(hash, ''::bytea order by seq)) from audit.entry where seq > 3) where no = 2;
		update audit.seal s set hash = audit.seal_hash(s) where no = 2; update audit.head set hash = (select hash from audit.seal where no = 2)`)
	check(exitDone, "✓")
	check(exitFailed, "封印 seal 2: 与留存的封印不符", "--head", head)
	exec(`delete from audit.entry where seq > 3; delete from audit.seal where no = 2; update audit.head set no = 1, hash = (select hash from audit.seal where no = 1)`)
	check(exitFailed, "封印 seal 2: 末尾封印被删除", "--head", head)
}
