package impact

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
	"onemap/shelters/roadgraph"
)

// ways measures how far shelters, teams and stores are by the roads: on foot out of the
// area, by vehicle into it. What no road reaches keeps its straight distance, and says so.
func (k *question) ways(ctx context.Context) error {
	a := k.a
	if a.Shelters != nil {
		for _, it := range a.Shelters.Inside.Items {
			var s shelterMoreJSON
			if json.Unmarshal(it.More, &s) == nil && s.Capacity != nil {
				a.Shelters.InsideFree += max(0, *s.Capacity-s.taken())
			}
		}
		a.Shelters.Considered = len(k.out.shelters)
		for i := range k.out.shelters {
			r := &k.out.shelters[i]
			var s shelterMoreJSON
			if err := json.Unmarshal(r.More, &s); err != nil {
				return err
			}
			r.Capacity, r.Occupancy, r.State = s.Capacity, s.Occupancy, s.State
			if s.Reserved != nil {
				r.Reserved = *s.Reserved
			}
			if s.Capacity != nil {
				free := max(0, *s.Capacity-s.taken())
				r.Free = &free
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	g, speeds, err := k.graph()
	if err != nil {
		return err
	}
	if g != nil {
		k.measure(g, speeds)
	} else {
		speeds = roadgraph.DefaultSpeeds()
		for i := range k.out.shelters {
			k.out.shelters[i].straight(speeds.WalkMPS * 3.6)
		}
		for _, list := range [][]Reach{k.out.teams, k.out.warehouses} {
			for i := range list {
				list[i].straight(speeds.OtherKMH)
			}
		}
	}
	pick := func(list []Reach) []Reach {
		slices.SortStableFunc(list, func(x, y Reach) int {
			return cmp.Or(cmp.Compare(byRoad(y), byRoad(x)), cmp.Compare(x.Minutes, y.Minutes), cmp.Compare(x.DistanceM, y.DistanceM), cmp.Compare(x.FID, y.FID))
		})
		return list[:min(len(list), k.rules.Nearest)]
	}
	if a.Shelters != nil {
		a.Shelters.Outside = pick(k.out.shelters)
	}
	if a.Teams != nil {
		a.Teams.Items = pick(k.out.teams)
	}
	if a.Warehouses != nil {
		a.Warehouses.Items = pick(k.out.warehouses)
	}
	return nil
}

// byRoad puts first what a road reaches.
func byRoad(r Reach) int {
	if r.By == "road" {
		return 1
	}
	return 0
}

type shelterMoreJSON struct {
	Capacity  *int   `json:"capacity"`
	Occupancy *int   `json:"occupancy"`
	Reserved  *int   `json:"reserved"`
	State     string `json:"state"`
}

func (s shelterMoreJSON) taken() int {
	n := 0
	for _, v := range []*int{s.Occupancy, s.Reserved} {
		if v != nil {
			n += *v
		}
	}
	return n
}

// graph is the network as far as the asker sees roads; nil where there is none for him.
func (k *question) graph() (*roadgraph.View, roadgraph.Speeds, error) {
	l := k.layer("roads")
	if k.s.opts.Roads == nil || l == nil {
		return nil, roadgraph.Speeds{}, nil
	}
	g, speeds, err := k.s.opts.Roads.Graph()
	if errors.Is(err, roadgraph.ErrLoading) {
		return nil, speeds, nil
	}
	if err != nil {
		return nil, speeds, err
	}
	v := g.For(k.who.Reach.Of(l.Visibility), k.who.Reach.Demo())
	var blocks []orb.Geometry
	for _, b := range k.closed {
		if b.State != "one_lane" {
			blocks = append(blocks, b.shape)
		}
	}
	v = v.WithBlocks(blocks...)
	k.a.Network = Network{Used: true, Edges: g.Edges(), Closed: v.ClosedEdges()}
	return &v, speeds, nil
}

func (k *question) measure(v *roadgraph.View, speeds roadgraph.Speeds) {
	inside := v.Inside(geo.NewArea(k.a.Target.Shape))
	mid := k.a.Target.Shape.Bound().Center()
	if k.a.People != nil && k.a.People.Centre != nil {
		mid = *k.a.People.Centre
	}
	sources := func(p roadgraph.Profile, arriving bool) []roadgraph.Source {
		out := inside.Sources(p, arriving)
		if inside.Empty() { // an area between the roads begins at the nearest
			if s, ok := v.Nearest(mid, p, speeds.SnapM); ok {
				out = v.Leaving(s, p, arriving)
			}
		}
		return out
	}
	foot := v.Within(roadgraph.Search{Profile: roadgraph.Walk, Sources: sources(roadgraph.Walk, false), Limit: k.rules.WalkMin * 60})
	var fromMid *roadgraph.Reached
	if s, ok := v.Nearest(mid, roadgraph.Walk, speeds.SnapM); ok {
		fromMid = v.Within(roadgraph.Search{Profile: roadgraph.Walk, Sources: v.Leaving(s, roadgraph.Walk, false), Limit: k.rules.WalkMin * 60})
	}
	slow := 1.0
	if speeds.WalkSlowMPS > 0 {
		slow = speeds.WalkMPS / speeds.WalkSlowMPS
	}
	for i := range k.out.shelters {
		r := &k.out.shelters[i]
		s, ok := v.Nearest(*r.At, roadgraph.Walk, speeds.SnapM)
		if !ok {
			r.straight(speeds.WalkMPS * 3.6)
			continue
		}
		c, ok := inside.CostAt(foot, s, roadgraph.Walk)
		if !ok {
			r.straight(speeds.WalkMPS * 3.6)
			continue
		}
		seconds := c + s.DistanceM/speeds.WalkMPS
		r.By, r.NetworkM, r.Minutes, r.Slow = "road", math.Round(seconds*speeds.WalkMPS), minutes(seconds), minutes(seconds*slow)
		if fromMid != nil {
			if c, ok := v.CostAt(fromMid, s, roadgraph.Walk); ok {
				r.FromMidM = math.Round(c*speeds.WalkMPS + s.DistanceM)
			}
		}
	}
	drive := v.Within(roadgraph.Search{Profile: roadgraph.Drive, Sources: sources(roadgraph.Drive, true), Toward: true, Limit: k.rules.DriveMin * 60})
	for _, list := range [][]Reach{k.out.teams, k.out.warehouses} {
		for i := range list {
			r := &list[i]
			s, ok := v.Nearest(*r.At, roadgraph.Drive, speeds.SnapM)
			if !ok {
				r.straight(speeds.OtherKMH)
				continue
			}
			c, ok := inside.CostAt(drive, s, roadgraph.Drive)
			if !ok {
				r.straight(speeds.OtherKMH)
				continue
			}
			r.By, r.Minutes = "road", minutes(c+s.DistanceM/(speeds.OtherKMH/3.6))
		}
	}
}

// straight is what is left where no road leads: as the crow flies, and a half more.
func (r *Reach) straight(kmh float64) {
	if kmh > 0 {
		r.Minutes = minutes(1.5 * r.DistanceM / (kmh / 3.6))
	}
}

func minutes(seconds float64) float64 { return math.Round(seconds/6) / 10 }
