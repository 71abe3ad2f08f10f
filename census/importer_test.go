package census

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/gdal"
	"onemap/internal/pgtest"
)

// house is a database and an importer on it.
type house struct {
	*Importer
	conn *pgx.Conn // as superuser, for looking
}

func newHouse(t testing.TB) *house {
	t.Helper()
	dsn := pgtest.Database(t)
	ctx := context.Background()
	d, err := db.Open(ctx, db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	runner, err := gdal.New(gdal.Options{TempDir: t.TempDir()})
	if err != nil && !errors.Is(err, gdal.ErrMissing) {
		t.Fatal(err)
	}
	im, err := NewImporter(d.Bulk, Options{GDAL: runner, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return &house{im, pgtest.Connect(t, dsn.Admin)}
}

// one reads a single value.
func one[T any](t testing.TB, h *house, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := h.conn.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestQueriesFitTheSchema(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	if err := h.store.fixed.Prepare(ctx, h.conn); err != nil {
		t.Error(err)
	}
	cat, err := h.store.catalogue(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(cat.layers) != 28 {
		t.Errorf("%d layers", len(cat.layers))
	}
	for id, l := range cat.layers {
		for name := range h.store.layer {
			from := "f"
			if len(name) > 6 && name[:6] == "revert" {
				from = "h"
			}
			if _, err := h.conn.Prepare(ctx, "", h.store.layerSQL(name, l, l.allColumns(), from)); err != nil {
				t.Errorf("%s for %s: %v", name, id, err)
			}
		}
	}
}
