package features

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/registry"
)

// IdentifyQuery asks what is at a place.
type IdentifyQuery struct {
	Layers  []*registry.Layer
	Point   orb.Point
	RadiusM float64
	Limit   int // in all
	Times   Times
}

// Hit is a feature near the place.
type Hit struct {
	Layer *registry.Layer
	Feature
	DistanceM float64
}

const (
	metresPerDegree = 111_320.0
	// maxShown is the number of vertices a shape is shown with whole; above it the
	// answer carries a simplified one. The exact shape is the item's.
	maxShown = 600
)

// Identify answers the features within the radius in one round trip, the most
// severe first, then the nearest.
func (s *Store) Identify(ctx context.Context, who Asker, q IdentifyQuery) ([]Hit, error) {
	if len(q.Layers) == 0 {
		return nil, nil
	}
	var st statement
	point := "st_setsrid(st_makepoint(" + st.arg(q.Point[0], "float8") + ", " + st.arg(q.Point[1], "float8") + "), 4490)"
	radius, limit := st.arg(q.RadiusM, "float8"), st.arg(q.Limit, "int")
	boxes := around(q.Point, q.RadiusM)
	parts := make([]string, 0, len(q.Layers))
	for i, l := range q.Layers {
		if !l.SeenBy(who.Reach) {
			continue
		}
		t, err := st.describe(l, nil, q.Times)
		if err != nil {
			return nil, err
		}
		t.place = true
		where := append(st.base(t, who.Reach, q.Times), st.touches(t, boxes))
		parts = append(parts, fill(s.queries.Get("identify_layer"), map[string]string{
			"index": strconv.Itoa(i), "fid": t.fid, "id": t.id, "title": t.title, "level": t.level,
			"fields": t.fields, "shape": t.shape, "source": t.source, "where": conjunction(where),
			"point": point, "radius": radius, "limit": limit, "max_points": strconv.Itoa(maxShown),
			"tolerance": "greatest(st_xmax(g.shape) - st_xmin(g.shape), st_ymax(g.shape) - st_ymin(g.shape)) / 1500",
		}))
	}
	if len(parts) == 0 {
		return nil, nil
	}
	var hits []Hit
	err := s.each(ctx, who, strings.Join(parts, "\nunion all\n"), st.args, func(scan func(...any) error) error {
		var h Hit
		var layer int
		var fid *int64
		var id, title *string
		var level *int
		if err := scan(&layer, &fid, &id, &title, &level, &h.Properties, &h.Geometry, &h.DistanceM); err != nil {
			return err
		}
		h.Layer, h.FID, h.ID, h.Title, h.Level = q.Layers[layer], deref(fid), deref(id), deref(title), deref(level)
		hits = append(hits, h)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("features: identify: %w", err)
	}
	order := map[*registry.Layer]int{}
	for i, l := range q.Layers {
		order[l] = i
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(severity(a.Level), severity(b.Level)), cmp.Compare(a.DistanceM, b.DistanceM), cmp.Compare(order[a.Layer], order[b.Layer]), cmp.Compare(a.FID, b.FID))
	})
	if len(hits) > q.Limit {
		hits = hits[:q.Limit]
	}
	return hits, nil
}

// severity orders levels, 1 the worst, no level last.
func severity(level int) int {
	if level == 0 {
		return math.MaxInt
	}
	return level
}

// touches is the index condition only; the distance decides.
func (st *statement) touches(t table, boxes []orb.Bound) string {
	any := make([]string, 0, len(boxes))
	for _, b := range boxes {
		env := "st_makeenvelope(" + st.arg(b.Min[0], "float8") + ", " + st.arg(b.Min[1], "float8") + ", " +
			st.arg(b.Max[0], "float8") + ", " + st.arg(b.Max[1], "float8") + ", 4490)"
		if t.layer.SRID != 4490 {
			if geographic(t.layer.SRID) {
				env = "st_setsrid(" + env + ", " + strconv.Itoa(t.layer.SRID) + ")"
			} else {
				env = "st_transform(" + env + ", " + strconv.Itoa(t.layer.SRID) + ")"
			}
		}
		any = append(any, t.geom+" && "+env)
	}
	return "(" + strings.Join(any, " or ") + ")"
}

// around is the box of a circle on the globe, two boxes where it crosses the
// antimeridian. It is a little too large, never too small.
func around(p orb.Point, radius float64) []orb.Bound {
	dLat := radius/metresPerDegree*1.01 + 1e-7
	lo, hi := math.Max(p[1]-dLat, -90), math.Min(p[1]+dLat, 90)
	cos := math.Min(math.Cos(lo*math.Pi/180), math.Cos(hi*math.Pi/180))
	if lo <= -89.9 || hi >= 89.9 || cos <= 0 || dLat/cos >= 180 {
		return []orb.Bound{{Min: orb.Point{-180, lo}, Max: orb.Point{180, hi}}}
	}
	dLon := dLat / cos
	west, east := p[0]-dLon, p[0]+dLon
	switch {
	case west < -180:
		return []orb.Bound{
			{Min: orb.Point{-180, lo}, Max: orb.Point{east, hi}},
			{Min: orb.Point{west + 360, lo}, Max: orb.Point{180, hi}},
		}
	case east > 180:
		return []orb.Bound{
			{Min: orb.Point{west, lo}, Max: orb.Point{180, hi}},
			{Min: orb.Point{-180, lo}, Max: orb.Point{east - 360, hi}},
		}
	}
	return []orb.Bound{{Min: orb.Point{west, lo}, Max: orb.Point{east, hi}}}
}
