package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"onemap/internal/pgtest"
)

// TestLayerCommands publishes a table, sees it in the list and takes it back.
func TestLayerCommands(t *testing.T) {
	d := pgtest.Database(t)
	conn := pgtest.Connect(t, d.Admin)
	for _, sql := range []string{
		`create schema gis`,
		`create table gis.wells (gid serial primary key, name text, geom geometry(Point, 4547))`,
		`insert into gis.wells (name, geom) select 'w' || i, ST_SetSRID(ST_MakePoint(500000 + i * 100, 3400000), 4547) from generate_series(1, 50) i`,
		`comment on table gis.wells is '机井'`,
	} {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	both := []string{"--database-url", d.App, "--admin-url", d.Admin}
	for _, c := range []struct {
		args []string
		code int
		want []string // in what it prints
	}{
		{[]string{"layer"}, exitUsage, []string{"publish SCHEMA.TABLE"}},
		{[]string{"layer", "paint"}, exitUsage, []string{"paint"}},
		{append([]string{"layer", "publish"}, both...), exitUsage, []string{"SCHEMA.TABLE"}},
		{append([]string{"layer", "publish", "gis.absent"}, both...), exitFailed, []string{"gis.absent"}},
		{[]string{"layer", "publish", "gis.wells", "--database-url", d.App}, exitUsage, []string{"--admin-url"}},
		{append([]string{"layer", "publish", "gis.wells", "--theme", "hazards"}, both...), exitDone, []string{"wells", "EPSG:4547", "50", "create index"}},
		{append([]string{"layer", "publish", "--theme", "hazards", "gis.wells"}, both...), exitFailed, []string{"already"}},
		{append([]string{"layer", "list"}, both...), exitDone, []string{"wells", "机井", "gis.wells", "hazards", "zones"}},
		{append([]string{"layer", "unpublish", "zones"}, both...), exitFailed, []string{"zones"}},
		{append([]string{"layer", "unpublish", "wells"}, both...), exitDone, []string{"wells"}},
		{append([]string{"layer", "unpublish", "wells"}, both...), exitFailed, []string{"wells"}},
	} {
		var out bytes.Buffer
		env := environment{stdout: &out, stderr: &out, getenv: func(string) string { return "" }}
		code := run(context.Background(), env, c.args)
		if code != c.code {
			t.Errorf("%q ends with %d, want %d\n%s", c.args, code, c.code, out.String())
		}
		for _, w := range c.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%q does not say %q:\n%s", c.args, w, out.String())
			}
		}
	}
	var n int
	if err := conn.QueryRow(context.Background(), `select count(*) from gis.wells`).Scan(&n); err != nil || n != 50 {
		t.Errorf("%d rows left, %v", n, err)
	}
}

func TestBenchCommandUsage(t *testing.T) {
	for _, args := range [][]string{{"bench"}, {"bench", "fast"}, {"bench", "tiles", "extra"}, {"bench", "tiles", "--dsn", "host='"}, {"bench", "hits-client", "x"}} {
		var out bytes.Buffer
		env := environment{stdout: &out, stderr: &out, getenv: func(string) string { return "" }}
		if code := run(context.Background(), env, args); code != exitUsage {
			t.Errorf("%q ends with %d\n%s", args, code, out.String())
		}
	}
}
