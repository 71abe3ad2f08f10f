package migrations

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// The tests that need a database are in schema_test.go (package migrations_test);
// here is what needs the unexported apply.

func TestFilesRunWithoutAGap(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no migrations embedded")
	}
	for _, m := range all {
		if len(m.SHA256) != 64 || m.SQL == "" {
			t.Errorf("%04d_%s is empty or unhashed", m.Version, m.Name)
		}
	}
}

// ApplyPrefix applies the first n migrations, for the prefix test.
func ApplyPrefix(ctx context.Context, conn *pgx.Conn, n int) error {
	all, err := All()
	if err != nil {
		return err
	}
	return apply(ctx, conn, all[:n])
}

// ApplyChanged applies the embedded list with the SQL of one migration replaced,
// as a binary with an edited file would.
func ApplyChanged(ctx context.Context, conn *pgx.Conn, version int, sql string) error {
	all, err := All()
	if err != nil {
		return err
	}
	all[version-1].SQL = sql
	all[version-1].SHA256 = strings.Repeat("0", 64)
	return apply(ctx, conn, all)
}

// ApplyWith applies the embedded list and one more.
func ApplyWith(ctx context.Context, conn *pgx.Conn, sql string) error {
	all, err := All()
	if err != nil {
		return err
	}
	return apply(ctx, conn, append(all, Migration{Version: len(all) + 1, Name: "extra", SQL: sql, SHA256: strings.Repeat("1", 64)}))
}
