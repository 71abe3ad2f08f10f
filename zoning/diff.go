package zoning

import (
	"context"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
)

// Diff is what differs between two versions. Against is the one before. Areas are square
// metres on the ellipsoid; people are by areal weighting of the population layer. Nothing
// is rounded, so parts add up to the totals; paper rounds.
type Diff struct {
	Plan, Against Plan
	Added         []DiffZone // a zone may be moved, relevelled and renamed at once
	Removed       []DiffZone
	Moved         []DiffZone
	Relevelled    []DiffZone
	Renamed       []DiffZone
	Unchanged     int
	Totals        DiffTotals
	People        bool // the asker reads the population layer; else every population is nil
}

// DiffZone is one zone on both sides; what is absent is 0, nil or "".
type DiffZone struct {
	Zone                              string
	Name, NameBefore                  string
	LevelBefore, LevelAfter           int
	AreaBeforeM2, AreaAfterM2         float64
	GainedM2, LostM2                  float64
	PopulationBefore, PopulationAfter *float64
	Gained, Lost                      orb.Geometry // nil: none
	Bounds                            orb.Bound
}

// DiffTotals are the sums.
type DiffTotals struct {
	ByLevel                           []LevelTotal // by level; 0 is not graded
	ZonesBefore, ZonesAfter           int
	AreaBeforeM2, AreaAfterM2         float64
	PopulationBefore, PopulationAfter *float64
	// ChangedAreaM2 is where the level differs between the versions, the area that joined
	// or left included.
	ChangedAreaM2 float64
	// UnknownCells are rows of the population layer in the area whose number is not known.
	UnknownCells int
}

// LevelTotal is the sums of one level.
type LevelTotal struct {
	Level                             int
	ZonesBefore, ZonesAfter           int
	AreaBeforeM2, AreaAfterM2         float64
	PopulationBefore, PopulationAfter *float64
}

// Diff compares a version with another of its series, or of the same area; "" is the
// version before it.
func (s *Service) Diff(ctx context.Context, who *auth.Identity, id, against string) (Diff, error) {
	return Diff{}, errUnfinished
}
