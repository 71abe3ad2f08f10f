package zoning

import (
	"context"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
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
	Neighbours int // plans it was compared with
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

// Joins compares a version with the plans in force of the same hazard and kind whose
// area touches its own.
func (s *Service) Joins(ctx context.Context, who *auth.Identity, id string) (Joins, error) {
	return Joins{}, errUnfinished
}
