package roadgraph

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// Road is a road of the layer as the graph needs it.
type Road struct {
	ID     int64
	Class  string
	Oneway bool // along its line, for vehicles
	WalkOK bool
	KMH    int  // 0: by class
	Over   bool // a bridge or tunnel: what ends beside it does not join it
	Scope  geo.Scope
	Demo   bool
	Shape  orb.Geometry // lines
}

// Speeds say how fast somebody moves (rule set road_speeds).
type Speeds struct {
	WalkMPS     float64            `json:"walk_mps"`
	WalkSlowMPS float64            `json:"walk_slow_mps"` // elderly people
	DriveKMH    map[string]float64 `json:"drive_kmh"`     // by class of road; 0 is closed to vehicles
	OtherKMH    float64            `json:"other_kmh"`
	NoWalk      []string           `json:"no_walk"` // classes closed to people on foot
	SnapM       float64            `json:"snap_m"`
	JoinM       float64            `json:"join_m"` // an end so near another road joins it
}

// DefaultSpeeds hold where no rule set does (domain: 1.0-1.2 m/s, elderly 0.8).
func DefaultSpeeds() Speeds {
	return Speeds{WalkMPS: 1.1, WalkSlowMPS: 0.8, OtherKMH: 25, SnapM: 500, JoinM: 1.5, NoWalk: []string{"expressway"}, DriveKMH: map[string]float64{
		"expressway": 80, "national": 50, "provincial": 45, "county": 40, "township": 30, "village": 20, "trunk": 45, "secondary": 35, "street": 25, "lane": 12, "path": 0,
	}}
}

// cm is a place to the centimetre: what meets there is one node.
type cm struct{ x, y int32 }

func key(p orb.Point) cm {
	return cm{int32(math.Round(p[0] * 1e7)), int32(math.Round(p[1] * 1e7))}
}

func (k cm) id() int64 { return int64(k.x)<<32 | int64(uint32(k.y)) }

// FromRoads makes a graph of roads. Roads meet where they share a position, and where an
// end lies on another road that is no bridge or tunnel. Roads that only cross do not meet:
// one of them is above.
func FromRoads(roads []Road, speeds Speeds) *Graph {
	type line struct {
		road int
		pts  []orb.Point
	}
	var lines []line
	uses := map[cm]int{}
	for i, r := range roads {
		for _, l := range linesOf(r.Shape) {
			pts := make([]orb.Point, 0, len(l))
			for _, p := range l {
				if n := len(pts); n == 0 || key(pts[n-1]) != key(p) {
					pts = append(pts, p)
				}
			}
			if len(pts) < 2 {
				continue
			}
			lines = append(lines, line{i, pts})
			for _, p := range pts {
				uses[key(p)]++
			}
			uses[key(pts[0])]++
			uses[key(pts[len(pts)-1])]++
		}
	}
	// Ends that touch nothing may lie on a road between two of its positions.
	whole := make([]Edge, len(lines))
	for i, l := range lines {
		whole[i] = Edge{Line: l.pts}
	}
	raw := View{g: &Graph{edges: whole, grid: newGrid(whole)}}
	type cut struct {
		share float64
		at    orb.Point
	}
	cuts := map[segment][]cut{}
	for i, l := range lines {
		for _, end := range []orb.Point{l.pts[0], l.pts[len(l.pts)-1]} {
			if uses[key(end)] > 2 {
				continue
			}
			best, found, share := speeds.JoinM, segment{edge: -1}, 0.0
			raw.near(end, speeds.JoinM, func(s segment, _ orb.Point, t, dist float64) {
				if int(s.edge) != i && !roads[lines[s.edge].road].Over && dist <= best {
					best, found, share = dist, s, t
				}
			}, func() float64 { return math.Inf(1) })
			if found.edge >= 0 {
				cuts[found] = append(cuts[found], cut{share, end})
				uses[key(end)]++
			}
		}
	}
	var edges []Edge
	for i, l := range lines {
		r := roads[l.road]
		start := 0
		pts := make([]orb.Point, 0, len(l.pts))
		for k, p := range l.pts {
			pts = append(pts, p)
			here := cuts[segment{int32(i), int32(k)}]
			for len(here) > 0 {
				next := 0
				for j := range here {
					if here[j].share < here[next].share {
						next = j
					}
				}
				pts = append(pts, here[next].at)
				here = append(here[:next:next], here[next+1:]...)
			}
		}
		for k := 1; k < len(pts); k++ {
			if k < len(pts)-1 && uses[key(pts[k])] < 2 {
				continue
			}
			edges = append(edges, speeds.edge(r, pts[start:k+1:k+1]))
			start = k
		}
	}
	return Build(edges)
}

func linesOf(g orb.Geometry) []orb.LineString {
	switch g := g.(type) {
	case orb.LineString:
		return []orb.LineString{g}
	case orb.MultiLineString:
		return g
	case orb.Collection:
		var out []orb.LineString
		for _, m := range g {
			out = append(out, linesOf(m)...)
		}
		return out
	}
	return nil
}

// edge gives a piece of a road its costs, in seconds.
func (s Speeds) edge(r Road, line []orb.Point) Edge {
	e := Edge{ID: r.ID, From: key(line[0]).id(), To: key(line[len(line)-1]).id(), Line: line, LengthM: lengthOf(line), Scope: r.Scope, Demo: r.Demo}
	walk := Closed
	if r.WalkOK && s.WalkMPS > 0 {
		walk = e.LengthM / s.WalkMPS
	}
	for _, c := range s.NoWalk {
		if c == r.Class {
			walk = Closed
		}
	}
	e.Cost[Walk] = [2]float64{walk, walk}
	kmh := float64(r.KMH)
	if byClass, ok := s.DriveKMH[r.Class]; ok {
		if byClass <= 0 {
			kmh = 0
		} else if kmh <= 0 {
			kmh = byClass
		}
	} else if kmh <= 0 {
		kmh = s.OtherKMH
	}
	drive := Closed
	if kmh > 0 {
		drive = e.LengthM / (kmh / 3.6)
	}
	e.Cost[Drive] = [2]float64{drive, drive}
	if r.Oneway {
		e.Cost[Drive][1] = Closed
	}
	return e
}
