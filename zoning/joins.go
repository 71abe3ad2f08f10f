package zoning

import (
	"fmt"

	"github.com/paulmach/orb"

	"onemap/internal/registry"
)

// The faults along the border with a neighbouring plan.
const (
	JoinGap     = "gap"     // ground between the plans that neither covers
	JoinOverlap = "overlap" // ground both cover
	JoinLevel   = "level"   // the level changes across the border
	JoinOffset  = "offset"  // the border is the same within a metre, its vertices are not
)

// Joins is the 接边检查: how a plan fits the plans in force around it.
type Joins struct {
	Faults     []JoinFault
	Neighbours int  // plans it was compared with
	Truncated  bool // there are more faults than are listed
}

// JoinFault is one fault, drawn and measured.
type JoinFault struct {
	Kind                          string
	Zone, ZoneName                string
	Level                         int
	NeighbourPlan, NeighbourTitle string
	NeighbourZone, NeighbourName  string
	NeighbourLevel                int
	Message                       registry.Title
	Geometry                      orb.Geometry
	LengthM, AreaM2               float64
}

// How far apart zones of two plans are still neighbours, in degrees (about 25 m), how
// long an open gap must run along both, in metres, and how many faults are listed.
const (
	joinReach  = 2.3e-4
	joinAlongM = 25
	joinFaults = 2000
)

func (f *JoinFault) message(vertices int) registry.Title {
	name := func(n string) string {
		if n == "" {
			return "(未命名)"
		}
		return n
	}
	pair := fmt.Sprintf("「%s」与邻区「%s」", name(f.ZoneName), name(f.NeighbourName))
	both := fmt.Sprintf("%s and the neighbour's %s", name(f.ZoneName), name(f.NeighbourName))
	switch f.Kind {
	case JoinGap:
		return registry.Title{ZH: fmt.Sprintf("%s之间有缝隙 %.1f 平方米", pair, f.AreaM2), EN: fmt.Sprintf("%.1f m² between %s", f.AreaM2, both)}
	case JoinOverlap:
		return registry.Title{ZH: fmt.Sprintf("%s重叠 %.1f 平方米", pair, f.AreaM2), EN: fmt.Sprintf("%s overlap by %.1f m²", both, f.AreaM2)}
	case JoinLevel:
		return registry.Title{ZH: fmt.Sprintf("%s等级不一致(%d 与 %d)，共用边界 %.0f 米", pair, f.Level, f.NeighbourLevel, f.LengthM), EN: fmt.Sprintf("%s differ in level (%d and %d) along %.0f m", both, f.Level, f.NeighbourLevel, f.LengthM)}
	}
	return registry.Title{ZH: fmt.Sprintf("%s的共用边界有 %d 个节点错位", pair, vertices), EN: fmt.Sprintf("%d vertices of the border of %s do not lie on each other", vertices, both)}
}
