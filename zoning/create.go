package zoning

import (
	"errors"
	"fmt"
	"slices"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// Start is what a new plan begins with.
type Start string

// The starts.
const (
	StartWhole     Start = "whole"     // one ungraded zone over the area
	StartTownships Start = "townships" // one zone per township
	StartVillages  Start = "villages"  // one zone per village
	StartEmpty     Start = "empty"
)

// The ranks of administrative units a plan starts from.
const (
	rankTownship = 4
	rankVillage  = 5
)

// NewPlan is a series to be, and its first version.
type NewPlan struct {
	Hazard, Kind, Title, Area string
	Exhaustive                bool
	Unit, Ladder              string // "": free; the usual ladder of the kind
	Start                     Start  // "": whole where exhaustive, else empty
	Responsible, Note         string
}

// check says what is wrong with the input, and fills in what was left open.
func (s *Service) checkNew(n *NewPlan) (geo.Scope, error) {
	var f faults
	if list, ok := s.catalogue.Now().CodeLists["hazard"]; ok {
		if _, ok := list.Item(n.Hazard); !ok && n.Hazard != "multi" {
			f.add("hazard", "unknown", "没有这种灾种", "there is no such hazard")
		}
	}
	if n.Kind != Risk && n.Kind != Prevention {
		f.add("kind", "unknown", "应为 risk(风险区划)或 prevention(防治区划)", "it is risk or prevention")
	}
	if n.Start == "" {
		n.Start = StartEmpty
		if n.Exhaustive {
			n.Start = StartWhole
		}
	}
	switch n.Start {
	case StartWhole, StartTownships, StartVillages, StartEmpty:
	default:
		f.add("start", "unknown", "应为 whole、townships、villages 或 empty", "it is whole, townships, villages or empty")
	}
	scope, err := geo.ParseScope(n.Area)
	if err != nil {
		f.add("area", "unknown", "不是行政区划代码", "not an administrative code")
	}
	p := Plan{Title: n.Title, Note: n.Note, Responsible: n.Responsible, Ladder: n.Ladder, Unit: n.Unit, Kind: n.Kind}
	if p.Unit == "" {
		p.Unit = map[Start]string{StartTownships: UnitTownship, StartVillages: UnitVillage}[n.Start]
	}
	bad := new(auth.Invalid)
	if errors.As(s.checkWords(&p), &bad) {
		f = append(f, bad.Items...)
	}
	n.Title, n.Note, n.Responsible, n.Ladder, n.Unit = p.Title, p.Note, p.Responsible, p.Ladder, p.Unit
	return scope, f.err()
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// beginning is what a plan starts with.
type beginning struct {
	area    coverage.Shape
	dataset *string // of the demo county
	zones   []Zone
	mended  int // places where the units did not fit together
}

// visibilityOf is that of a layer; one the catalogue does not know is the most closed.
func (s *Service) visibilityOf(layer string) string {
	if l, ok := s.catalogue.Now().Layer(layer); ok {
		return l.Visibility
	}
	return "sensitive"
}

// Gaps and overlaps up to this size or width are inaccuracy of borders.
const (
	unitGapM2    = 10_000
	unitGapWidth = 20
)

// fit makes a coverage of units that nearly are one, without slivers: what a cell leaves
// beyond a border, or two borders between them, goes to the longest neighbour. A unit that
// is nothing else goes wholly.
func (s *Service) fit(c *coverage.Coverage) (more []Zone, mended int, err error) {
	if more, mended, err = s.close(c); err != nil || !c.Exhaustive {
		return more, mended, err
	}
	for _, v := range c.Slivers() {
		if len(v.Proposals) == 0 {
			continue // an islet of the area itself
		}
		// Refused, it stays: the plan says so where it is looked at.
		if _, err := c.Apply(v.Proposals[0][0], nil, func() coverage.ID { return coverage.ID(s.newID()) }); err == nil {
			mended++
		}
	}
	more = slices.DeleteFunc(more, func(z Zone) bool { return len(c.Zones[coverage.ID(z.Zone)]) == 0 })
	return more, mended, nil
}

// close makes a coverage of units: it closes gaps and overlaps.
func (s *Service) close(c *coverage.Coverage) (more []Zone, mended int, err error) {
	if len(c.Check()) == 0 {
		return nil, 0, nil
	}
	report, err := coverage.Heal(c, nil, coverage.HealLimits{AreaM2: unitGapM2, WidthM: unitGapWidth})
	if err != nil {
		return nil, 0, err
	}
	// What lay outside the area was cut off; what nobody has, or several claim, is a zone.
	var open [2]int
	for _, v := range report.Violations {
		if (v.Code != coverage.Gap && v.Code != coverage.Overlap) || len(v.Where) == 0 || v.Kept != "" {
			continue
		}
		z := Zone{Zone: s.newID()}
		if v.Code == coverage.Gap {
			open[0]++
			z.Name = fmt.Sprintf("未划归-%d", open[0])
		} else {
			open[1]++
			z.Name = fmt.Sprintf("重叠待定-%d", open[1])
		}
		more = append(more, z)
		c.Zones[coverage.ID(z.Zone)] = v.Where
	}
	if left := c.Check(); len(left) > 0 {
		return nil, 0, &ViolationsError{Violations: left}
	}
	return more, len(report.Healed), nil
}
