package impact

import (
	"encoding/json"
	"time"

	"github.com/paulmach/orb"
)

// Answer is what was found. A nil section belongs to a layer the asker does not see.
type Answer struct {
	Target     Target
	People     *People
	Buildings  *Buildings
	Admin      []Unit // villages, or the smallest units there are
	AdminSeen  bool
	Covered    float64 // how much of the area lies in units that are the asker's to count
	Facilities *Kinds
	KeyPlaces  *Kinds
	Enterprise *Kinds
	Sources    *Kinds // hazard sources, by level
	Hazards    *Kinds
	Waterworks *Kinds
	Dangers    *Kinds
	Roads      []Length
	RoadsSeen  bool
	Lifelines  []Length
	LinesSeen  bool
	Shelters   *Shelters
	Teams      *Near
	Warehouses *Near
	Blocks     []Block
	BlocksSeen bool
	Neighbours []Item
	NeighSeen  bool
	Vulnerable map[string]int
	VulnSeen   bool
	Persons    []Person // who answers for it
	PersonSeen bool
	Datasets   []Dataset
	Rules      []RuleUsed
	Network    Network
	At         time.Time
	AsOf       *time.Time
}

// Target is what was asked about.
type Target struct {
	Kind     string // geometry, incident, alert
	ID       string
	FID      int64
	Title    string
	What     string // kind of the incident, hazard of the alert
	Level    int
	Exercise bool
	Happened *time.Time
	Basis    string // geometry, buffer, rings, rings_by_kind, affected_area
	BufferM  float64
	AreaM2   float64
	Shape    orb.MultiPolygon
	Rings    []Ring
}

// Ring is a circle around the place and what lies between it and the one before.
type Ring struct {
	RadiusM float64
	AreaM2  float64 // of the whole circle
	Shape   orb.MultiPolygon
	Band    orb.MultiPolygon
	People  int // in the band; the bands add up to the total
}

// People are an estimate of who is inside.
type People struct {
	Total     int
	Exact     float64 // before rounding
	Method    string  // areal, building
	Basis     string  // resident, registered
	Low, High int
	Groups    []Group // ages; they add up to the total
	ByMethod  []Method
	Units     int // cells or units touched
	Unknown   int // of them without a number
	Centre    *orb.Point
	Words     []string // 口径 as the data says it
}

// Group is a part of the people.
type Group struct {
	Name  string // children, adults, elderly, unknown
	Count int
}

// Method is one way of counting.
type Method struct {
	Method string // areal, building, statistics
	Basis  string // resident, registered, night, day, households
	Count  int
	Exact  float64
}

// Buildings are those whose middle is inside.
type Buildings struct {
	Count   int
	Persons float64
	Known   int // of them with a number of persons
	FloorM2 float64
	Danger  int // grade C and D
	ByUse   []Kind
}

// Kind is how many there are of one kind.
type Kind struct {
	Code   string
	Count  int
	Amount float64 // beds, people at the peak, people threatened: what the layer counts
}

// Kinds are counts by kind and the rows that matter most.
type Kinds struct {
	Total  int
	Amount float64
	By     []Kind
	Items  []Item
}

// Item is one feature, to fly to.
type Item struct {
	Layer     string
	FID       int64
	ID        string
	Title     string
	Kind      string
	Level     int
	At        *orb.Point
	DistanceM float64 // straight; 0 inside
	More      json.RawMessage
}

// Length is metres of lines, and how many points, of one class.
type Length struct {
	Class  string
	Metres float64
	Lines  int
	Points int
}

// Unit is an administrative unit that is touched.
type Unit struct {
	Code, Title string
	Rank        int
	Share       float64 // of its area
	Whole       bool
	People      int // the parts add up to the total

	lo, hi int64
	exact  float64
}

// Shelters are those inside, unusable, and the nearest outside.
type Shelters struct {
	Inside     *Kinds
	InsideFree int // places lost inside
	Outside    []Reach
	Considered int
}

// Near are the nearest of a layer by road.
type Near struct{ Items []Reach }

// Reach is a feature and how far it is.
type Reach struct {
	Item
	By        string // road, straight
	NetworkM  float64
	Minutes   float64
	Slow      float64 // minutes of elderly people
	FromMidM  float64 // on foot from the middle of the people; 0 where it is not known
	Capacity  *int
	Occupancy *int
	Reserved  int
	Free      *int
	State     string
}

// Block is a road that is closed.
type Block struct {
	Item
	State      string
	Inside     bool
	BlockedAt  *time.Time
	ExpectedAt *time.Time

	shape orb.Geometry
}

// Person answers for an area or a feature.
type Person struct {
	Role, Layer, Feature, Area string
	Unit, Post, Name, Deputy   string
	Contact                    string
	Phone, DeputyPhone         string // masked

	id string
}

// Dataset is a source.
type Dataset struct {
	Title, Dept string
	Date        *time.Time
	People      bool // the number of people comes from it
}

// RuleUsed is a rule set the answer rests on.
type RuleUsed struct {
	Rule     string
	Version  int
	Verified bool
}

// Network is the state of the road graph the distances rest on.
type Network struct {
	Used   bool
	Edges  int
	Closed int
}
