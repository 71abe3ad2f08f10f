package zoning

import (
	"context"
	"encoding/json"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/registry"
)

// Figures is what a zone means. What the asker may not see is absent, not 0.
type Figures struct {
	Plan   Plan
	Zone   Zone
	AreaM2 float64 // geodesic
	Share  float64 // of the plan's zones, by area
	Bounds orb.Bound
	People *PeopleFigure // nil: the layer is not his to see
	Groups []FigureGroup // households, buildings, enterprises, hazard_sources, hazards, dangers, shelters

	Indicators json.RawMessage // of the zone: {name: value}; nil none
	Index      *float64
	Computed   int             // level the computation gave, 0 none
	Method     json.RawMessage // of the plan
	Rules      []RuleVersion

	DrawnBy     []Actor
	ReviewedBy  *Actor
	ApprovedBy  *Actor
	PublishedBy *Actor
	At          time.Time // when this was counted
}

// PeopleFigure is people by areal weighting.
type PeopleFigure struct {
	People       float64 // not rounded
	Cells        int     // rows of the population layer that touch the zone
	UnknownCells int     // of them without a number: not counted, never taken as 0
	UnknownM2    float64 // area of the zone in them
	CoveredM2    float64 // area of the zone in any row: less than the zone's means that the layer has holes
	Basis        Basis
}

// Basis says what a figure is: 口径, 截至, 来源.
type Basis struct {
	Definition registry.Title
	AsOf       *time.Time // of the newest row counted; nil: none
	Sources    []string   // titles of the data sets, at most 5
}

// FigureGroup is what of one layer lies in the zone.
type FigureGroup struct {
	Key      string // households, buildings, …
	Layer    string
	Title    registry.Title
	Total    int
	Sum      *float64 // households: households; shelters: capacity; buildings: persons where known
	SumTitle registry.Title
	ByLevel  []LevelCount // 0: not graded; nil where the layer has no levels
	Ladder   string
	List     []FigureItem // at most 20, the worst first
	Basis    Basis
}

// LevelCount is how many of a level.
type LevelCount struct{ Level, Count int }

// FigureItem is something to fly to.
type FigureItem struct {
	ID    string
	FID   int64
	Layer string
	Name  string
	Level int
	At    orb.Point
}

// RuleVersion is a rule set a computation used.
type RuleVersion struct {
	Rule    string
	Version int
	Title   registry.Title
}

// Actor is a person who did something, and when.
type Actor struct {
	By, Name string
	At       time.Time
}

// Figures counts what lies in a zone, under what the asker may read.
func (s *Service) Figures(ctx context.Context, who *auth.Identity, id, zone string) (Figures, error) {
	return Figures{}, errUnfinished
}
