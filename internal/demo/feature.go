package demo

import (
	"iter"
	"math"
	"time"

	"github.com/paulmach/orb"
)

// Feature is one record on its way into a layer. Fields carry the layer's
// columns by name; "id" is the feature's UUID. Code is the administrative unit
// the record belongs to, the smallest that contains it whole.
type Feature struct {
	Layer    string
	Key      string
	Code     string
	Geometry orb.Geometry
	Fields   map[string]any
}

// Options decide everything. Now is the hour the county's records are told
// from: alerts are in force, today's incidents are today's.
type Options struct {
	Seed int64
	Now  time.Time
}

// Plan is a zoning plan; the zones name it by its id.
// A version that was superseded says until when it held; the next names it as Parent.
type Plan struct {
	ID, Series, Parent, Hazard, Kind, Title string
	Version                                 int
	AdminCode, DocumentNo, Responsible      string
	EffectiveFrom, EffectiveTo              time.Time
	Method                                  map[string]any
	Area                                    orb.Geometry // what the zones cover, with their nodes
}

// Responsibility says who answers for an object (Layer and Feature) or an area.
// Phones are numbers nobody can have.
type Responsibility struct {
	Key, Kind, Layer, Feature, AdminCode, Unit, Post, Person string
	DeputyPost, Deputy, Phone, DeputyPhone                   string
}

// Duty is one shift of the duty roster.
type Duty struct {
	Key, AdminCode, Role, Unit, Post, Person, Phone string
	Starts, Ends                                    time.Time
}

// DangerAction is a step somebody took with a hidden danger.
type DangerAction struct {
	Danger, Action, From, To, Note, Name, Role string
	At                                         time.Time
}

// Measure is a line of the 制度措施清单, with the dangers it is against.
type Measure struct {
	ID, Key, Number, AdminCode, Title, Kind, Content, Basis, Unit, Person, State string
	Due, Done                                                                    time.Time // zero: none
	Dangers                                                                      []string
}

// Alias is another name of an administrative unit.
type Alias struct{ AdminCode, Alias, Kind string }

// County is a generated county.
type County struct {
	Options          Options
	Plans            []Plan
	Responsibilities []Responsibility
	Duties           []Duty
	Aliases          []Alias
	Field            FieldWork
	Command          CommandWork
	DangerActions    []DangerAction
	DangerNumbers    map[int]int // the last number given out, by year
	Measures         []Measure
	Centre           orb.Point
	Bound            orb.Bound
	features         []Feature
	w                *world
}

// Features yields all records, administrative units first.
func (c *County) Features() iter.Seq[Feature] {
	return func(yield func(Feature) bool) {
		for _, f := range c.features {
			if !yield(f) {
				return
			}
		}
	}
}

// Timed yields the records that grow old: warnings, incidents, readings. A county
// of the same seed and a later hour has them under the same keys and ids.
func (c *County) Timed() iter.Seq[Feature] {
	return func(yield func(Feature) bool) {
		for _, f := range c.features {
			switch f.Layer {
			case "alerts", "incidents", "incident_sketches", "road_blocks", "dangers", "sensors", "shelters", "teams", "warning_terminals":
				if !yield(f) {
					return
				}
			}
		}
	}
}

// Len is the number of features.
func (c *County) Len() int { return len(c.features) }

// The domain's south-western corner and the degrees per metre. The place is an
// inland hill country like many; the county is not there.
const (
	originLon = 111.62
	originLat = 31.30
	perLat    = 1 / 110900.0
)

var perLon = 1 / (111320 * math.Cos((originLat+0.27)*math.Pi/180))

func round(v, unit float64) float64 { return math.Round(v*unit) / unit }

// lonLat gives degrees with seven decimals.
func lonLat(p pt) orb.Point {
	return orb.Point{round(originLon+p.x*perLon, 1e7), round(originLat+p.y*perLat, 1e7)}
}

// fineLonLat gives eight decimals, for borders that several layers share.
func fineLonLat(p pt) orb.Point {
	return orb.Point{round(originLon+p.x*perLon, 1e8), round(originLat+p.y*perLat, 1e8)}
}

func local(o orb.Point) pt { return pt{(o[0] - originLon) / perLon, (o[1] - originLat) / perLat} }

func closedRing(r []pt, to func(pt) orb.Point) orb.Ring {
	out := make(orb.Ring, 0, len(r)+1)
	for _, p := range r {
		q := to(p)
		if len(out) == 0 || out[len(out)-1] != q {
			out = append(out, q)
		}
	}
	if len(out) > 0 && out[0] != out[len(out)-1] {
		out = append(out, out[0])
	}
	return out
}

func toPolygon(p polygon, to func(pt) orb.Point) orb.Polygon {
	out := make(orb.Polygon, len(p))
	for i, r := range p {
		out[i] = closedRing(r, to)
	}
	return out
}

func toMulti(ps []polygon, to func(pt) orb.Point) orb.Geometry {
	if len(ps) == 1 {
		return toPolygon(ps[0], to)
	}
	out := make(orb.MultiPolygon, len(ps))
	for i, p := range ps {
		out[i] = toPolygon(p, to)
	}
	return out
}

func toLine(l []pt) orb.LineString {
	out := make(orb.LineString, 0, len(l))
	for _, p := range l {
		q := lonLat(p)
		if len(out) == 0 || out[len(out)-1] != q {
			out = append(out, q)
		}
	}
	return out
}

// cellOf names the 30 second cell of a place, in integers so that a place on a
// line falls to one side only.
func cellOf(p pt) (col, row int64) {
	o := lonLat(p)
	lon, lat := int64(math.Round(o[0]*1e7)), int64(math.Round(o[1]*1e7))
	return (lon + 1800000000) * 120 / 1e7, (900000000 - lat) * 120 / 1e7
}
