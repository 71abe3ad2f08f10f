package zoning

import (
	"context"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// SnapLine is a line to snap to, exact: its vertices are those of the source, on the grid.
type SnapLine struct {
	Layer string // admin, rivers, roads, zones
	Name  string
	Line  []coverage.Point
}

// SnapSet is what there is to snap to in a box.
type SnapSet struct {
	Lines     []SnapLine
	Truncated bool // there is more: ask for a smaller box
}

// Snap gives the lines of administrative borders, rivers, roads and of the zones in force
// around the plan that touch the box, under what the asker may read.
func (s *Service) Snap(ctx context.Context, who *auth.Identity, plan string, box orb.Bound) (SnapSet, error) {
	return SnapSet{}, errUnfinished
}
