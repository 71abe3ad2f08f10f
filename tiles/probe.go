package tiles

import (
	"time"

	"onemap/internal/db"
	"onemap/internal/registry"
)

// Probe is the statement of a real tile, deep in the pyramid, of one layer every
// installation has. Its plan tells whether tiles are still found by the spatial index
// under the rights of a reach: ask for it with those claims.
func Probe(reach db.Reach) (sql string, args []any, err error) {
	p, err := loadParts()
	if err != nil {
		return "", nil, err
	}
	l := &registry.Layer{
		ID: "hazards", Own: true, Schema: "public", Table: "hazards", IDColumn: "id", FIDColumn: "fid", GeomColumn: "geom", SRID: 4490, ScopeColumn: "scope",
		Geometry: registry.Mixed, LevelField: "level", TimeKind: registry.Interval, TimeFrom: "valid_from", TimeTo: "valid_to", Symbol: "triangle", Visibility: db.Internal,
	}
	req := Request{Layers: []string{l.ID}, Z: 14, X: 13619, Y: 6536, Reach: reach}
	return p.statement(req, time.Now().UTC(), 20_000, []part{{layer: l}})
}
