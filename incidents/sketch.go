package incidents

import (
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// Sketch is a shape the command post draws for an incident, valid from one time to another.
type Sketch struct {
	ID, Incident, Kind, Name, Note string
	FID, Version                   int64
	Geometry                       orb.Geometry
	ValidFrom, ValidTo             *time.Time
	UpdatedAt                      time.Time
	UpdatedBy                      string
	Scope                          geo.Scope
	FeedPosition                   string
}

// Valid says whether it holds at a moment.
func (k Sketch) Valid(t time.Time) bool {
	return (k.ValidFrom == nil || !k.ValidFrom.After(t)) && (k.ValidTo == nil || k.ValidTo.After(t))
}

// NewSketch is what is drawn.
type NewSketch struct {
	ID, Kind, Name, Note string
	Geometry             orb.Geometry
	ValidFrom, ValidTo   *time.Time
	FixSwap              bool
}

// SketchPatch changes what is drawn.
type SketchPatch struct {
	Kind, Name, Note   *string
	Geometry           orb.Geometry
	ValidFrom, ValidTo *time.Time
	Open               bool // valid until further notice again
	FixSwap            bool
}

// dimension is what a kind of sketch is: an area, a way or a point; -1 for any.
func dimension(kind string) int {
	switch kind {
	case "affected_area", "cordon":
		return 2
	case "evacuation_route", "access_route":
		return 1
	}
	return -1
}

func (s *Service) checkSketch(k *Sketch) error {
	var f faults
	s.code(&f, "kind", "sketch_kind", k.Kind)
	k.Name = f.text("name", k.Name, 0, 200)
	k.Note = f.text("note", k.Note, 0, 2000)
	if k.Geometry == nil {
		f.add("geometry", "required", "请画出形状", "a shape is needed")
	} else if d := dimension(k.Kind); d >= 0 && k.Geometry.Dimensions() != d {
		f.add("geometry", "wrong_type", map[int]string{2: "影响范围、警戒区应为面", 1: "路线应为线"}[d], map[int]string{2: "it is an area", 1: "it is a line"}[d])
	}
	for path, t := range map[string]*time.Time{"valid_from": k.ValidFrom, "valid_to": k.ValidTo} {
		if t != nil && (t.Year() < 2000 || t.Year() > 2200) {
			f.add(path, "out_of_range", "时间不可信", "the time cannot be")
		}
	}
	if k.ValidFrom == nil {
		now := s.now().UTC().Truncate(time.Microsecond)
		k.ValidFrom = &now
	}
	if k.ValidTo != nil && !k.ValidTo.After(*k.ValidFrom) {
		f.add("valid_to", "before_start", "须晚于生效时间", "it ends after it begins")
	}
	if k.Name == "" {
		if l, ok := s.catalogue.Now().CodeLists["sketch_kind"]; ok {
			if it, ok := l.Item(k.Kind); ok {
				k.Name = it.Title.ZH
			}
		}
	}
	return f.err()
}
