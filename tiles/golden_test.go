package tiles

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden tiles")

// TestGoldenTiles keeps the decoded text of a few tiles: whatever changes in them
// is seen as a readable difference. go test ./tiles -run Golden -update
func TestGoldenTiles(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazards (name, hazard, level, threatened_persons, geom) values
		('北坡', 'landslide', 1, 120, 'SRID=4490;POINT(113.2 30.2)'), ('南沟', 'debris_flow', 3, 8, 'SRID=4490;MULTIPOINT(113.21 30.19,113.215 30.192)'),
		('远山', 'collapse', null, null, 'SRID=4490;POINT(113.9 30.9)')`)
	w.exec(`insert into roads (name, class, oneway, geom) values
		('省道', 'provincial', false, 'SRID=4490;LINESTRING(113.1 30.18,113.15 30.2,113.1501 30.2001,113.2 30.19,113.3 30.22)'),
		('环路', 'village', true, 'SRID=4490;MULTILINESTRING((113.2 30.2,113.201 30.2),(113.202 30.2,113.203 30.201))')`)
	w.exec(`insert into zones (name, kind, hazard, level, published, geom) values
		('甲', 'risk', 'landslide', 1, true, 'SRID=4490;POLYGON((113.19 30.19,113.21 30.19,113.212 30.2,113.21 30.21,113.19 30.21,113.19 30.19),(113.2 30.199,113.201 30.2,113.2 30.201,113.199 30.2,113.2 30.199))'),
		('乙', 'risk', 'landslide', 4, true, 'SRID=4490;MULTIPOLYGON(((113.21 30.19,113.23 30.19,113.23 30.21,113.21 30.21,113.212 30.2,113.21 30.19)),((113.24 30.19,113.25 30.19,113.245 30.2,113.24 30.19)))')`)
	w.exec(`insert into buildings (name, use, floors, structure, geom) values ('楼', 'school', 5, 'concrete', 'SRID=4490;POLYGON((113.2 30.2,113.2006 30.2,113.2006 30.2003,113.2 30.2003,113.2 30.2))')`)
	for _, z := range []int{6, 8, 10, 11, 13, 14, 16, 18} {
		req := at(113.2, 30.2, z, "buildings", "hazards", "roads", "zones")
		tile := w.tile(req)
		got := fmt.Sprintf("%d/%d/%d dropped=%q\n%s\n", req.Z, req.X, req.Y, tile.Dropped, tileText(decodeTile(t, tile)))
		file := filepath.Join("testdata", fmt.Sprintf("z%02d.txt", z))
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("z%d differs\ngot:\n%swant:\n%s", z, got, want)
		}
	}
}
