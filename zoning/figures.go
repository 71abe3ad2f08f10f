package zoning

import (
	"encoding/json"
	"time"

	"github.com/paulmach/orb"

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
	Groups []FigureGroup // buildings, enterprises, hazard_sources, hazards, dangers, shelters

	Indicators json.RawMessage // of the zone: {name: value}; nil none
	Index      *float64
	Computed   int             // level the computation gave, 0 none
	Method     json.RawMessage // of the plan
	Rules      []RuleVersion

	DrawnBy     []Actor
	ReviewedBy  *Actor
	Verdict     string
	ApprovedBy  *Actor
	PublishedBy *Actor
	At          time.Time // when this was counted
}

// PeopleFigure is people and households by areal weighting.
type PeopleFigure struct {
	People       float64  // not rounded
	Households   *float64 // nil: no row says
	Cells        int      // rows of the population layer in the zone
	UnknownCells int      // of them without a number: not counted, never taken as 0
	UnknownM2    float64  // area of the zone in them
	CoveredM2    float64  // area of the zone in any row: less than the zone's means that the layer has holes
	Basis        Basis
}

// Basis says what a figure is: 口径, 截至, 来源.
type Basis struct {
	Definition registry.Title
	AsOf       *time.Time // of the newest data set counted, or of the newest row; nil: none
	Sources    []string   // titles of the data sets, at most 5
}

// FigureGroup is what of one layer lies in the zone.
type FigureGroup struct {
	Key      string // of the layer
	Layer    string
	Title    registry.Title
	Total    int
	Sum      *float64 // of SumTitle, of the rows that say; nil: none does
	SumTitle registry.Title
	ByLevel  []LevelCount // nil where the layer has no levels
	Ladder   string
	List     []FigureItem // at most [FigureItems], the worst first
	Basis    Basis
}

// LevelCount is how many of a level; level 0 is not graded.
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

// FigureItems is how many things to fly to a group lists.
const FigureItems = 20

// RuleVersion is a version of a rule set that a computation used.
type RuleVersion struct {
	RuleRef

	Title registry.Title
}

// Actor is a person who did something, and when.
type Actor struct {
	By, Name string
	At       time.Time
}

// figureLayer is a line of what is counted in a zone.
type figureLayer struct {
	layer           string
	sum, definition registry.Title
	levels          bool
}

// figureLayers are in the order of the parameters of the query figure_groups.
func figureLayers() []figureLayer {
	t := func(zh, en string) registry.Title { return registry.Title{ZH: zh, EN: en} }
	inside, touching := t("中心点位于区划单元内的对象", "objects whose middle lies in the zone"), t("与区划单元相交的对象", "objects that touch the zone")
	return []figureLayer{
		{"buildings", t("登记居住人数", "Registered residents"), inside, false},
		{"enterprises", t("从业人数", "Employees"), inside, true},
		{"hazard_sources", registry.Title{}, touching, true},
		{"hazards", t("威胁人数", "Persons threatened"), touching, true},
		{"dangers", registry.Title{}, t("与区划单元相交、未销号的隐患", "open hidden dangers that touch the zone"), true},
		{"shelters", t("可容纳人数", "Capacity"), inside, false},
	}
}

// rulesOf are the rule sets a computation noted in its method, wherever it did.
func (s *Service) rulesOf(method json.RawMessage) []RuleVersion {
	var m any
	out := []RuleVersion{}
	sets := s.catalogue.Now().Rules
	if json.Unmarshal(method, &m) != nil {
		return out
	}
	seen := map[RuleRef]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			name, ok := v["rule"].(string)
			version, ok2 := v["version"].(float64)
			verified, _ := v["verified"].(bool)
			if r := (RuleRef{Rule: name, Version: int(version), Verified: verified}); ok && ok2 && !seen[r] {
				seen[r] = true
				out = append(out, RuleVersion{RuleRef: r, Title: sets[name].Title})
			}
			for _, w := range v {
				walk(w)
			}
		case []any:
			for _, w := range v {
				walk(w)
			}
		}
	}
	walk(m)
	return out
}
