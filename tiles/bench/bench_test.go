package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"onemap/internal/cluster"
	"onemap/internal/pgtest"
)

// small is a data set of the real one's form, small enough for a test.
const small = `\set ON_ERROR_STOP 1
\timing on
create table hazards as select i as id, 'flood' kind, (1 + i % 9)::int2 severity, 0.5::float8 score, i population, now() observed, true active, 'H' || i as name,
  ST_SetSRID(ST_MakePoint(110 + random(), 30 + random()), 4490)::geometry(Point,4490) geom from generate_series(1, 500) i;
create table buildings as select i as id, 3::int2 floors, 'school' use, ST_MakeEnvelope(110 + i * 0.001, 30, 110 + i * 0.001 + 0.0005, 30.0005, 4490)::geometry(Polygon,4490) geom from generate_series(1, 200) i;
create table zones as select i as id, 'Z' || i code, 'A' as level, ST_MakeEnvelope(110 + i * 0.1, 30, 110.1 + i * 0.1, 31, 4490)::geometry(Polygon,4490) geom from generate_series(0, 9) i;
create table roads as select i as id, (1 + i % 5)::int2 class, 'R' || i as name, ST_SetSRID(ST_MakeLine(ST_MakePoint(110, 30 + i * 0.01), ST_MakePoint(111, 30 + i * 0.01)), 4490)::geometry(LineString,4490) geom from generate_series(1, 50) i;
alter table hazards add geom3857 geometry(Point,3857); update hazards set geom3857 = ST_Transform(geom, 3857);
alter table buildings add geom3857 geometry(Polygon,3857); update buildings set geom3857 = ST_Transform(geom, 3857);
alter table zones add geom3857 geometry(Polygon,3857); update zones set geom3857 = ST_Transform(geom, 3857);
alter table roads add geom3857 geometry(LineString,3857); update roads set geom3857 = ST_Transform(geom, 3857);
create table hazards_major as select * from hazards where severity >= 9;
create table roads_major as select * from roads where class <= 2;
`

func TestRun(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"dataset.sql": small, "tiles.txt": "6/51/26\n10/825/420\n11/1650/841\n13/6601/3365\n15/26404/13460\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := pgtest.Server(t)
	server := Server{
		DSN:    func(db string) string { return in.DSN(db, cluster.Superuser) },
		AppDSN: func(db string) string { return in.DSN(db, cluster.AppRole) },
	}
	var said []string
	o := Options{Server: server, Set: dir, Say: func(format string, _ ...any) { said = append(said, format) }}
	for run := range 2 {
		said = nil
		r, err := Run(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if built := strings.Contains(strings.Join(said, " "), "data set"); built != (run == 0) {
			t.Errorf("run %d: built %v", run, built)
		}
		ours, rival := r.Paths[0], r.Paths[1]
		if r.Tiles != 5 || ours.Tiles != 5 || rival.Tiles != 5 || ours.CPUms <= 0 || rival.CPUms <= 0 || ours.RawKB <= 0 || rival.RawKB <= 0 {
			t.Errorf("%+v", r)
		}
		// The same content: the same to a few percent in size, for coordinates differ by rounding.
		if d := ours.RawKB / rival.RawKB; d < 0.8 || d > 1.1 {
			t.Errorf("ours %f KB, rival %f KB: not the same tiles", ours.RawKB, rival.RawKB)
		}
		var keys map[string]any
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &keys); err != nil {
			t.Fatal(err)
		}
		if v, ok := keys["cpu_ratio_st_asmvt"].(float64); !ok || v <= 0 {
			t.Errorf("%s", b)
		}
		if v, ok := keys["cpu_ratio_tegola"]; !ok || v != nil || keys["cpu_ratio_tegola_reason"] == "" {
			t.Errorf("%s", b)
		}
		var out bytes.Buffer
		r.Print(&out)
		if !strings.Contains(out.String(), "raw ST_AsMVT") {
			t.Error(out.String())
		}
	}
}

func TestRunSaysWhatIsMissing(t *testing.T) {
	if _, err := Run(context.Background(), Options{Set: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "tiles.txt") {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tiles.txt"), []byte("1/2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), Options{Set: dir}); err == nil {
		t.Error("a list of no tiles is taken")
	}
}
