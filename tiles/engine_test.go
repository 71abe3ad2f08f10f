package tiles

import (
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/maptile"
)

func tileAt(lon, lat float64, z int) maptile.Tile {
	return maptile.At(orb.Point{lon, lat}, maptile.Zoom(z))
}

func TestTileShowsEveryKindOfLayer(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazards (name, hazard, level, threatened_persons, geom) values ('坡A', 'landslide', 2, 30, 'SRID=4490;POINT(110.5 30.5)')`)
	w.exec(`insert into roads (name, class, geom) values ('路', 'county', 'SRID=4490;LINESTRING(110.49 30.5,110.5 30.501,110.52 30.5)')`)
	w.exec(`insert into zones (name, kind, hazard, level, published, geom) values ('区', 'risk', 'landslide', 1, true, ST_MakeEnvelope(110.49,30.49,110.51,30.51,4490))`)
	t.Log(w.text(at(110.5, 30.5, 12, "hazards", "roads", "zones")))
}
