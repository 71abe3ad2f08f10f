package zoning

import (
	"encoding/json"

	"onemap/zoning/coverage"
)

// What a whole plan may lack beside its topology.
const (
	Ungraded       coverage.Code = "ungraded"        // a zone without a level
	UnknownLevel   coverage.Code = "unknown_level"   // a level the plan's ladder has not
	ReasonRequired coverage.Code = "reason_required" // a level other than the computed one, without a reason
)

// SwallowsZones says that a drawn shape would take all the ground of other zones, which
// nobody confirmed.
const SwallowsZones coverage.Code = "swallows_zones"

// Validation is everything that stands against a plan, and what was looked at.
type Validation struct {
	Violations      []coverage.Violation
	Zones, Vertices int
}

// OK says that nothing stands against the plan.
func (v Validation) OK() bool { return len(v.Violations) == 0 }

func whole(p editPlan, zones []Zone) *coverage.Coverage {
	c := &coverage.Coverage{Zones: make(map[coverage.ID]coverage.Shape, len(zones)), Area: p.Border, Exhaustive: p.Exhaustive}
	for i := range zones {
		c.Zones[coverage.ID(zones[i].Zone)] = zones[i].Shape
	}
	return c
}

// faulty lists what stands against the shapes of a whole plan. A sliver is no fault while
// one draws, and nothing a plan is published with. One that lies beside no zone is an islet
// of the area itself where the plan has to cover that: nobody could mend it.
func faulty(c *coverage.Coverage) []coverage.Violation {
	out := c.Check()
	for _, v := range c.Slivers() {
		if len(v.Proposals) > 0 {
			out = append(out, v)
		} else if !c.Exhaustive {
			v.Proposals = [][]coverage.Op{{{Kind: coverage.CutHole, Zone: v.Zones[0], Shape: v.Where}}}
			if len(c.Zones[v.Zones[0]]) == 1 {
				v.Proposals = [][]coverage.Op{{{Kind: coverage.Delete, Zone: v.Zones[0]}}}
			}
			out = append(out, v)
		}
	}
	return out
}

// lacks is a fault of a zone that is not one of its shape, at a place in it.
func (z *Zone) lacks(code coverage.Code) coverage.Violation {
	v := coverage.Violation{Code: code, Zones: []coverage.ID{coverage.ID(z.Zone)}}
	if len(z.Shape) > 0 {
		v.At = first(coverage.Op{Shape: z.Shape})
	}
	return v
}

// regraded says whether the level is another than the computation gave.
func (z *Zone) regraded() bool {
	var a struct {
		Computed int `json:"computed_level"`
	}
	return json.Unmarshal(z.Attrs, &a) == nil && a.Computed != 0 && a.Computed != z.Level
}
