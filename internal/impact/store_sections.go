package impact

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/geo"
)

// candidates are the features outside the area whose ways are measured after the
// transaction.
type candidates struct {
	shelters, teams, warehouses []Reach
}

func (k *question) run(ctx context.Context) error {
	if err := k.claims(ctx); err != nil {
		return err
	}
	if err := k.target(ctx); err != nil {
		return err
	}
	p := &parts{k: k}
	people := k.peopleParts(p)
	k.countParts(p)
	k.nearParts(p)
	if err := k.round(ctx, p); err != nil {
		return err
	}
	if err := people.finish(ctx); err != nil {
		return err
	}
	after := &parts{k: k}
	vulnerable := k.vulnerablePart(after)
	k.responsiblePart(after)
	if err := k.round(ctx, after); err != nil {
		return err
	}
	vulnerable()
	return k.last(ctx)
}

// g is the area as a parameter of a statement.
func (k *question) area(st *features.Statement) string {
	return st.Arg(geo.Shape{Geometry: k.g}, "geometry")
}

// kinds counts a layer by kind and reads the rows that matter most.
func (k *question) kinds(p *parts, layer, key, amount, level, extra, order string) *Kinds {
	out := &Kinds{By: []Kind{}, Items: []Item{}}
	ok := p.add("counts", layer, k.q.Times, func(st *features.Statement, f map[string]string) {
		f["g"], f["key"], f["amount"] = k.area(st), key, amount
	}, func(rows pgx.Rows) error {
		var one Kind
		var sets []string
		if err := rows.Scan(&one.Code, &one.Count, &one.Amount, &sets); err != nil {
			return err
		}
		k.met(sets)
		out.Total += one.Count
		out.Amount += one.Amount
		out.By = append(out.By, one)
		return nil
	})
	if !ok {
		return nil
	}
	p.add("items", layer, k.q.Times, func(st *features.Statement, f map[string]string) {
		f["g"], f["key"], f["level"], f["extra"], f["order"], f["limit"] = k.area(st), key, level, extra, order, strconv.Itoa(maxItems)
	}, func(rows pgx.Rows) error {
		it, err := scanItem(rows, layer, nil)
		if err == nil {
			out.Items = append(out.Items, it)
		}
		return err
	})
	return out
}

func scanItem(rows pgx.Rows, layer string, distance *float64) (Item, error) {
	it := Item{Layer: layer}
	var more *string
	var x, y *float64
	into := []any{&it.FID, &it.ID, &it.Title, &it.Kind, &it.Level, &more, &x, &y}
	if distance != nil {
		into = append(into, distance)
	}
	if err := rows.Scan(into...); err != nil {
		return it, err
	}
	if x != nil && y != nil {
		it.At = &orb.Point{*x, *y}
	}
	if more != nil {
		it.More = json.RawMessage(*more)
	}
	if distance != nil {
		it.DistanceM = math.Round(*distance)
	}
	return it, nil
}

const shelterMore = "json_build_object('capacity', t.capacity, 'occupancy', t.occupancy, 'reserved', t.reserved, 'state', t.state, 'confirmed_at', t.confirmed_at)"

// countParts are the layers that are only counted.
func (k *question) countParts(p *parts) {
	a := k.a
	a.Facilities = k.kinds(p, "facilities", "t.kind", "coalesce(t.persons_peak, t.beds, t.capacity)", "null", "json_build_object('beds', t.beds, 'persons_peak', t.persons_peak, 'capacity', t.capacity, 'address', t.address)",
		"array_position(array['hospital', 'nursing_home', 'kindergarten', 'school', 'welfare'], t.kind) nulls last, coalesce(t.persons_peak, t.beds, t.capacity) desc nulls last, t.fid")
	a.KeyPlaces = k.kinds(p, "key_places", "t.kind", "t.persons_peak", "t.level", "json_build_object('persons_peak', t.persons_peak, 'address', t.address)", "t.level nulls last, t.persons_peak desc nulls last, t.fid")
	a.Enterprise = k.kinds(p, "enterprises", "case when t.hazchem then 'hazchem' else 'other' end", "t.employees", "t.level", "json_build_object('hazchem', t.hazchem, 'employees', t.employees, 'industry', t.industry, 'state', t.state)",
		"t.hazchem desc, t.level nulls last, t.employees desc nulls last, t.fid")
	a.Sources = k.kinds(p, "hazard_sources", "t.level", "t.exposed_persons", "t.level", "json_build_object('enterprise', t.enterprise_name, 'r', t.r, 'principal', t.principal)", "t.level nulls last, t.r desc nulls last, t.fid")
	a.Hazards = k.kinds(p, "hazards", "t.hazard", "t.threatened_persons", "t.level", "json_build_object('threatened_persons', t.threatened_persons, 'state', t.state, 'monitor', t.monitor)", "t.level nulls last, t.threatened_persons desc nulls last, t.fid")
	a.Waterworks = k.kinds(p, "waterworks", "t.kind", "0", "null", "json_build_object('condition', t.condition, 'river', t.river)", "t.fid")
	k.buildings(p)
	k.lines(p, "roads", "t.class", &a.Roads, &a.RoadsSeen)
	k.lines(p, "lifelines", "t.kind", &a.Lifelines, &a.LinesSeen)
	k.blocks(p)
	k.neighbours(p)
	if in := k.kinds(p, "shelters", "t.class", "t.capacity", "null", shelterMore, "t.capacity desc nulls last, t.fid"); in != nil {
		a.Shelters = &Shelters{Inside: in}
		k.inside = in
	}
}

func (k *question) buildings(p *parts) {
	b := &Buildings{ByUse: []Kind{}}
	if p.add("buildings", "buildings", k.q.Times, func(st *features.Statement, f map[string]string) { f["g"] = k.area(st) }, func(rows pgx.Rows) error {
		var one Kind
		var known, danger int
		var floor float64
		var sets []string
		if err := rows.Scan(&one.Code, &one.Count, &one.Amount, &known, &floor, &danger, &sets); err != nil {
			return err
		}
		k.met(sets)
		b.Count += one.Count
		b.Persons += one.Amount
		b.Known += known
		b.FloorM2 += floor
		b.Danger += danger
		b.ByUse = append(b.ByUse, one)
		return nil
	}) {
		k.a.Buildings = b
	}
}

func (k *question) lines(p *parts, layer, key string, into *[]Length, seen *bool) {
	*seen = p.add("lines", layer, k.q.Times, func(st *features.Statement, f map[string]string) { f["g"], f["key"] = k.area(st), key }, func(rows pgx.Rows) error {
		var l Length
		var sets []string
		if err := rows.Scan(&l.Class, &l.Lines, &l.Metres, &l.Points, &sets); err != nil {
			return err
		}
		k.met(sets)
		*into = append(*into, l)
		return nil
	})
}

func (k *question) blocks(p *parts) {
	k.a.BlocksSeen = p.add("blocks", "road_blocks", k.q.Times, func(st *features.Statement, f map[string]string) { f["g"] = k.area(st) }, func(rows pgx.Rows) error {
		var b Block
		var shape geo.Shape
		var d float64
		b.Layer = "road_blocks"
		if err := rows.Scan(&b.FID, &b.ID, &b.Title, &b.Kind, &b.State, &b.BlockedAt, &b.ExpectedAt, &b.Inside, &d, &shape); err != nil {
			return err
		}
		b.shape, b.DistanceM = shape.Geometry, math.Round(d)
		if shape.Geometry != nil {
			c := shape.Geometry.Bound().Center()
			b.At = &c
		}
		k.closed = append(k.closed, b)
		if b.Inside || d <= k.rules.BlockM {
			k.a.Blocks = append(k.a.Blocks, b)
		}
		return nil
	})
}

// noID stands where no incident is asked about.
const noID = "00000000-0000-0000-0000-000000000000"

func (k *question) neighbours(p *parts) {
	id := noID
	if k.q.Incident != "" {
		id = k.q.Incident
	}
	k.a.NeighSeen = p.add("neighbours", "incidents", k.known, func(st *features.Statement, f map[string]string) {
		f["g"], f["reach"], f["reach_deg"], f["id"] = k.area(st), st.Arg(k.rules.NeighbourM, "float8"), st.Arg(k.rules.NeighbourM/50_000, "float8"), st.Arg(id, "uuid")
		f["exercise"] = st.Arg(k.a.Target.Exercise, "bool")
		f["since"], f["until"] = st.Arg(k.at.Add(-time.Duration(k.rules.NeighbourH*float64(time.Hour))), "timestamptz"), st.Arg(k.at, "timestamptz")
	}, func(rows pgx.Rows) error {
		var d float64
		it, err := scanItem(rows, "incidents", &d)
		if err == nil {
			k.a.Neighbours = append(k.a.Neighbours, it)
		}
		return err
	})
}

// nearParts read who and what is outside and near, by straight line.
func (k *question) nearParts(p *parts) {
	near := func(layer, key, extra string, limit int, into *[]Reach, kept func(st *features.Statement) string) bool {
		return p.add("near", layer, k.q.Times, func(st *features.Statement, f map[string]string) {
			f["g"], f["key"], f["level"], f["extra"], f["limit"], f["kept"] = k.area(st), key, "null", extra, strconv.Itoa(limit), kept(st)
		}, func(rows pgx.Rows) error {
			var d float64
			it, err := scanItem(rows, layer, &d)
			if err == nil {
				*into = append(*into, Reach{Item: it, By: "straight"})
			}
			return err
		})
	}
	near("shelters", "t.class", shelterMore, nearFirst, &k.out.shelters, func(st *features.Statement) string {
		return "coalesce(t.class, '') <> all (" + st.Arg(k.rules.NoClasses, "text[]") + ") and coalesce(t.state, '') <> all (" + st.Arg(k.rules.NoStates, "text[]") + ")" +
			" and (t.capacity is null or t.capacity > coalesce(t.occupancy, 0) + coalesce(t.reserved, 0))"
	})
	all := func(*features.Statement) string { return "true" }
	if near("teams", "t.kind", "json_build_object('members', t.members, 'state', t.state, 'ready_min', t.ready_min, 'position_at', t.position_at)", 60, &k.out.teams, all) {
		k.a.Teams = &Near{Items: []Reach{}}
	}
	if near("warehouses", "t.grade", "json_build_object('persons_supported', t.persons_supported, 'stock', t.stock)", 60, &k.out.warehouses, all) {
		k.a.Warehouses = &Near{Items: []Reach{}}
	}
}

// scopes are the areas of the smallest units touched.
func (k *question) scopes() geo.Scopes {
	out := geo.Scopes{}
	for _, u := range k.a.Admin {
		out = append(out, geo.Scope{Lo: u.lo, Hi: u.hi})
	}
	return out.Normal()
}

func (k *question) vulnerablePart(p *parts) (finish func()) {
	scopes := k.scopes()
	names := []string{"total", "elderly_alone", "disabled", "low_income", "children_left", "bedridden", "pregnant"}
	sums := make([]float64, len(names))
	met := make([]bool, len(names))
	k.a.VulnSeen = p.add("vulnerable", "vulnerable", k.q.Times, func(st *features.Statement, f map[string]string) {
		f["g"], f["scopes"] = k.area(st), st.Arg(scopes, "int8multirange")
	}, func(rows pgx.Rows) error {
		var lo, hi int64
		var total float64
		var v [6]*float64
		var w *float64
		if err := rows.Scan(&lo, &hi, &total, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &w); err != nil {
			return err
		}
		share := 0.0
		if w != nil {
			share = *w
		} else {
			for _, u := range k.a.Admin {
				if u.lo == lo && u.hi == hi {
					share = u.Share
				}
			}
		}
		sums[0] += total * share
		met[0] = true
		for i, n := range v {
			if n != nil {
				sums[i+1] += *n * share
				met[i+1] = true
			}
		}
		return nil
	})
	return func() {
		if !k.a.VulnSeen {
			return
		}
		k.a.Vulnerable = map[string]int{}
		for i, n := range names {
			if met[i] {
				k.a.Vulnerable[n] = int(math.Round(sums[i]))
			}
		}
	}
}

// responsiblePart reads who answers for the units touched and for what was found.
func (k *question) responsiblePart(p *parts) {
	if p.err != nil || !k.who.Reach.Sees(db.Internal) {
		return
	}
	k.a.PersonSeen = true
	features0 := []string{}
	for _, l := range []*Kinds{k.a.Hazards, k.a.Sources, k.a.Waterworks, k.inside} {
		if l != nil {
			for _, it := range l.Items {
				features0 = append(features0, it.ID)
			}
		}
	}
	var st features.Statement
	f := map[string]string{"scopes": st.Arg(k.scopes(), "int8multirange"), "features": st.Arg(features0, "uuid[]"), "day": st.Arg(k.at, "timestamptz") + "::date"}
	where := k.who.Reach.Conditions(db.Rows{Visibility: db.Internal, Scope: "r.scope", Dataset: "r.dataset", Place: true}, st.Arg)
	f["where"] = "true"
	for _, w := range where {
		f["where"] += " and " + w
	}
	p.list = append(p.list, part{"responsible", features.Fill(k.s.queries.Get("responsible"), f), st.Args(), func(rows pgx.Rows) error {
		var r Person
		if err := rows.Scan(&r.id, &r.Role, &r.Layer, &r.Feature, &r.Area, &r.Unit, &r.Post, &r.Name, &r.Deputy); err != nil {
			return err
		}
		k.a.Persons = append(k.a.Persons, r)
		return nil
	}})
}

// last reads what depends on all before: masked numbers and the names of the sources.
func (k *question) last(ctx context.Context) error {
	p := &parts{k: k}
	if k.q.Phones && len(k.a.Persons) > 0 {
		ids := make([]string, len(k.a.Persons))
		for i, r := range k.a.Persons {
			ids[i] = r.id
		}
		var st features.Statement
		sql := features.Fill(k.s.queries.Get("phones"), map[string]string{"ids": st.Arg(ids, "uuid[]")})
		p.list = append(p.list, part{"phones", sql, st.Args(), func(rows pgx.Rows) error {
			var id, contact, phone, deputy string
			if err := rows.Scan(&id, &contact, &phone, &deputy); err != nil {
				return err
			}
			for i := range k.a.Persons {
				if r := &k.a.Persons[i]; r.id == id {
					r.Contact, r.Phone, r.DeputyPhone = contact, phone, deputy
				}
			}
			return nil
		}})
	}
	if len(k.sets) > 0 {
		ids := make([]string, 0, len(k.sets))
		for id := range k.sets {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		var st features.Statement
		sql := features.Fill(k.s.queries.Get("sources"), map[string]string{"ids": st.Arg(ids, "uuid[]")})
		p.list = append(p.list, part{"sources", sql, st.Args(), func(rows pgx.Rows) error {
			var id string
			var d Dataset
			if err := rows.Scan(&id, &d.Title, &d.Dept, &d.Date); err != nil {
				return err
			}
			d.People = k.peopleSets[id]
			k.a.Datasets = append(k.a.Datasets, d)
			return nil
		}})
	}
	return k.round(ctx, p)
}

func bandsWKB(rings []Ring) ([][]byte, error) {
	out := make([][]byte, len(rings))
	for i, r := range rings {
		b, err := wkb.Marshal(r.Band)
		if err != nil {
			return nil, fmt.Errorf("impact: ring: %w", err)
		}
		out[i] = b
	}
	return out, nil
}
