package zoning

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
)

// Diff is what differs between two versions. Against is the one before. Areas are square
// metres on the ellipsoid; people are by areal weighting of the population layer as it
// is now, on both sides. Nothing is rounded, so parts add up to the totals; paper rounds.
type Diff struct {
	Plan, Against Plan
	Added         []DiffZone
	Removed       []DiffZone
	Moved         []DiffZone // a zone may be moved, relevelled and renamed at once
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
	// ChangedAreaM2 is where the level differs between the versions, ground that joined or
	// left included.
	ChangedAreaM2 float64
	// UnknownCells are rows of the population layer in either whose number is not known:
	// they are not counted.
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
	var d Diff
	var err error
	if d.Plan, err = s.Plan(ctx, who, id); err != nil {
		return Diff{}, err
	}
	if against == "" {
		against = d.Plan.Parent
	}
	if against == "" {
		return Diff{}, &auth.Invalid{Items: []auth.Fault{{Path: "against", Code: "no_parent", ZH: "这是第一个版本，请指定比较的版本", EN: "this is the first version: name the one to compare with"}}}
	}
	if d.Against, err = s.Plan(ctx, who, against); err != nil {
		return Diff{}, err
	}
	if d.Plan.Series != d.Against.Series && d.Plan.Area != d.Against.Area {
		return Diff{}, &auth.Invalid{Items: []auth.Fault{{Path: "against", Code: "other_area", ZH: "只能比较同一系列或同一区域的方案", EN: "plans of one series or of one area are compared"}}}
	}
	err = s.compare(ctx, who, &d)
	return d, wrap("diff", err)
}

// diffRow is a zone on both sides, as the database compares it.
type diffRow struct {
	DiffZone

	before, after, same bool
}

// sort puts the zones into the lists and adds up.
func (d *Diff) sort(rows []diffRow, overlayChanged, overlay float64) {
	d.Added, d.Removed, d.Moved, d.Relevelled, d.Renamed = []DiffZone{}, []DiffZone{}, []DiffZone{}, []DiffZone{}, []DiffZone{}
	t := &d.Totals
	levels := map[int]*LevelTotal{}
	at := func(level int) *LevelTotal {
		if levels[level] == nil {
			levels[level] = &LevelTotal{Level: level}
		}
		return levels[level]
	}
	add := func(sum **float64, n *float64) {
		if d.People && *sum == nil {
			*sum = new(float64)
		}
		if n != nil {
			**sum += *n
		}
	}
	// Ground in zones whose border changed, on each side; what of it both cover is overlay.
	var openBefore, openAfter float64
	for _, r := range rows {
		switch {
		case !r.before:
			d.Added = append(d.Added, r.DiffZone)
		case !r.after:
			d.Removed = append(d.Removed, r.DiffZone)
		default:
			// A node that a neighbour's cut put on the border moves nothing.
			moved, relevelled, renamed := r.Gained != nil || r.Lost != nil, r.LevelBefore != r.LevelAfter, r.Name != r.NameBefore
			if moved {
				d.Moved = append(d.Moved, r.DiffZone)
			}
			if relevelled {
				d.Relevelled = append(d.Relevelled, r.DiffZone)
				if r.same {
					t.ChangedAreaM2 += r.AreaAfterM2
				}
			}
			if renamed {
				d.Renamed = append(d.Renamed, r.DiffZone)
			}
			if !moved && !relevelled && !renamed {
				d.Unchanged++
			}
		}
		if r.before {
			l := at(r.LevelBefore)
			l.ZonesBefore++
			t.ZonesBefore++
			l.AreaBeforeM2 += r.AreaBeforeM2
			t.AreaBeforeM2 += r.AreaBeforeM2
			add(&l.PopulationBefore, r.PopulationBefore)
			add(&t.PopulationBefore, r.PopulationBefore)
			if !r.same {
				openBefore += r.AreaBeforeM2
			}
		}
		if r.after {
			l := at(r.LevelAfter)
			l.ZonesAfter++
			t.ZonesAfter++
			l.AreaAfterM2 += r.AreaAfterM2
			t.AreaAfterM2 += r.AreaAfterM2
			add(&l.PopulationAfter, r.PopulationAfter)
			add(&t.PopulationAfter, r.PopulationAfter)
			if !r.same {
				openAfter += r.AreaAfterM2
			}
		}
	}
	t.ChangedAreaM2 += overlayChanged + math.Max(0, openBefore-overlay) + math.Max(0, openAfter-overlay)
	for _, level := range slices.Sorted(maps.Keys(levels)) {
		t.ByLevel = append(t.ByLevel, *levels[level])
	}
}
