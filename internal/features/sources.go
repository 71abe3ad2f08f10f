package features

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
	"onemap/internal/registry"
)

// Source is what the list of layers says about where rows come from.
type Source struct {
	Unplaced int64  // rows known but not placed on the map (未定位)
	Source   string // departments or data sets, joined
}

// Sources answers it for all layers of ours in one round trip.
func (s *Store) Sources(ctx context.Context, who Asker, layers []*registry.Layer, at Times) (map[string]Source, error) {
	var st statement
	var parts []string
	var asked []*registry.Layer
	for _, l := range layers {
		if !l.Own || !l.SeenBy(who.Reach) {
			continue
		}
		t, err := st.describe(l, []registry.Field{}, at)
		if err != nil {
			return nil, err
		}
		parts = append(parts, fill(s.queries.Get("layer_sources"), map[string]string{
			"index": strconv.Itoa(len(asked)), "source": t.source, "geom": t.geom, "where": conjunction(append(st.base(t, who.Reach, at), real(l, nil))),
		}))
		asked = append(asked, l)
	}
	out := map[string]Source{}
	if len(parts) == 0 {
		return out, nil
	}
	err := s.each(ctx, who, strings.Join(parts, "\nunion all\n"), st.args, func(scan func(...any) error) error {
		var i int
		var src Source
		var name *string
		if err := scan(&i, &src.Unplaced, &name); err != nil {
			return err
		}
		src.Source = deref(name)
		out[asked[i].ID] = src
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("features: sources: %w", err)
	}
	return out, nil
}

// Unit finds an administrative unit by its code.
func (s *Store) Unit(ctx context.Context, who Asker, admin *registry.Layer, code string, at Times) (title string, bounds *orb.Bound, found bool, err error) {
	var st statement
	t, err := st.describe(admin, []registry.Field{}, at)
	if err != nil {
		return "", nil, false, err
	}
	sql := fill(s.queries.Get("unit"), map[string]string{
		"source": t.source, "code": st.arg(code, "text"), "where": conjunction(st.base(t, who.Reach, at)),
	})
	err = s.each(ctx, who, sql, st.args, func(scan func(...any) error) error {
		var x0, y0, x1, y1 *float64
		if err := scan(&title, &x0, &y0, &x1, &y1); err != nil {
			return err
		}
		if x0 != nil {
			bounds = &orb.Bound{Min: orb.Point{*x0, *y0}, Max: orb.Point{*x1, *y1}}
		}
		found = true
		return nil
	})
	if err != nil {
		return "", nil, false, fmt.Errorf("features: unit: %w", err)
	}
	return title, bounds, found, nil
}

// DemoArea is the area of the units of demo data sets, as the asker reads them.
func (s *Store) DemoArea(ctx context.Context, who Asker) (area geo.Scopes, err error) {
	err = s.each(ctx, who, s.queries.Get("demo_area"), nil, func(scan func(...any) error) error { return scan(&area) })
	if err != nil {
		return nil, fmt.Errorf("features: demo area: %w", err)
	}
	return area.Normal(), nil
}
