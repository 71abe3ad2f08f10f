package zoning

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// What one step of drawing may be. More is not a step of a person, and would hold the
// plan longer than a second.
const (
	maxSteps    = 200
	maxVertices = 10_000 // drawn by hand, in all operations of a step together
	maxTouched  = 500    // zones changed by one step
)

// stepFaults collects what is wrong with a request, by path.
type stepFaults struct{ items []auth.Fault }

func (f *stepFaults) add(path, code, zh, en string) {
	if len(f.items) < 50 {
		f.items = append(f.items, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
	}
}

func (f *stepFaults) err() error {
	if len(f.items) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f.items}
}

// normal checks a request as far as it can be read without the plan, and brings its ids
// and texts to their one spelling. The steps are copied: the caller's stay as they are.
func (r EditRequest) normal(ladder int) (EditRequest, error) {
	var f stepFaults
	id, ok := canonical(r.EditID)
	if !ok {
		f.add("edit_id", "not_a_uuid", "edit_id 应为 UUID", "edit_id is a UUID")
	}
	r.EditID = id
	switch {
	case len(r.Steps) == 0:
		f.add("ops", "empty", "没有操作", "there is no operation")
	case len(r.Steps) > maxSteps:
		f.add("ops", "too_many", fmt.Sprintf("一步最多 %d 个操作", maxSteps), fmt.Sprintf("a step has at most %d operations", maxSteps))
	}
	if err := f.err(); err != nil {
		return r, err
	}
	base := make(map[string]int64, len(r.Base))
	for z, v := range r.Base {
		if c, ok := canonical(z); ok {
			base[c] = v
		} else {
			f.add("base", "not_a_uuid", "base 的键应为单元 ID", "the keys of base are ids of zones")
		}
	}
	r.Base = base
	r.Steps = slices.Clone(r.Steps)
	drawn := 0
	for i := range r.Steps {
		r.Steps[i].normal(fmt.Sprintf("ops[%d]", i), ladder, &f)
		if r.Steps[i].Restore != "" && len(r.Steps) > 1 {
			f.add(fmt.Sprintf("ops[%d]", i), "alone", "撤销须单独成一步", "taking an edit back is a step by itself")
		}
		drawn += vertices(r.Steps[i].Op.Shape) + len(r.Steps[i].Op.Line)
		if drawn > maxVertices {
			return r, &ViolationsError{Violations: []coverage.Violation{{Code: coverage.TooManyVertices, At: first(r.Steps[i].Op)}}}
		}
	}
	return r, f.err()
}

func (s *Step) normal(path string, ladder int, f *stepFaults) {
	kinds := 0
	for _, is := range []bool{s.Op.Kind != "", s.Relevel, s.SetAttributes, s.Restore != ""} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		f.add(path+".op", "unknown", "未知的操作", "the operation is not known")
		return
	}
	id := func(path, v string) string {
		c, ok := canonical(v)
		if !ok {
			f.add(path, "not_a_uuid", "应为 UUID", "it is a UUID")
		}
		return c
	}
	if s.Restore != "" {
		s.Restore = id(path+".edit", s.Restore)
		return
	}
	op := &s.Op
	if op.Zone != "" {
		op.Zone = coverage.ID(id(path+".zone", string(op.Zone)))
	}
	if op.Target != "" {
		op.Target = coverage.ID(id(path+".to", string(op.Target)))
	}
	ids := func(path string, in []coverage.ID) []coverage.ID {
		out := slices.Clone(in)
		for i := range out {
			out[i] = coverage.ID(id(fmt.Sprintf("%s[%d]", path, i), string(out[i])))
			if out[i] != "" && slices.Contains(out[:i], out[i]) {
				f.add(fmt.Sprintf("%s[%d]", path, i), "twice", "同一单元出现两次", "the same zone twice")
			}
		}
		return out
	}
	if len(op.Zones) > maxTouched || len(op.New) > maxTouched {
		f.add(path+".zones", "too_many", fmt.Sprintf("一步最多改动 %d 个单元", maxTouched), fmt.Sprintf("a step changes at most %d zones", maxTouched))
		return
	}
	op.Zones, op.New = ids(path+".zones", op.Zones), ids(path+".new", op.New)
	op.Confirmed = ids(path+".confirm_removed", op.Confirmed)
	s.members(path, f)
	s.places(path, f)
	s.Set = s.Set.normal(path, ladder, f)
}

// members says what is missing of an operation.
func (s *Step) members(path string, f *stepFaults) {
	op := &s.Op
	zone, shape, line := op.Zone != "", len(op.Shape) > 0, len(op.Line) > 1
	need := func(name string, there bool) {
		if !there {
			f.add(path+"."+name, "missing", "缺少 "+name, name+" is missing")
		}
	}
	switch {
	case s.Relevel:
		need("zones", len(op.Zones) > 0)
		need("level", s.Set.Level != nil)
	case s.SetAttributes:
		need("zones", len(op.Zones) > 0)
		if s.Set.Level != nil {
			f.add(path+".set.level", "use_relevel", "改等级请用 relevel", "levels change by relevel")
		}
		need("set", s.Set != (Attributes{}))
	default:
		switch op.Kind {
		case coverage.Add:
			need("geometry", shape)
		case coverage.AddPart, coverage.CutHole:
			need("zone", zone)
			need("geometry", shape)
		case coverage.Reshape:
			need("zone", zone)
			if shape == line {
				f.add(path+".geometry", "missing", "geometry 与 line 二选一", "it has either geometry or line")
			}
		case coverage.Split:
			need("zone", zone)
			need("line", line)
		case coverage.Merge:
			need("zones", len(op.Zones) > 1)
		case coverage.Explode, coverage.Delete, coverage.FillHole, coverage.AssignGap:
			need("zone", zone)
		case coverage.MoveVertex, coverage.MoveEdge, coverage.InsertVertex, coverage.RemoveVertex:
		default:
			f.add(path+".op", "unknown", "未知的操作", "the operation is not known")
		}
	}
}

// places says which positions are not on Earth.
func (s *Step) places(path string, f *stepFaults) {
	op := &s.Op
	all := slices.Concat(op.Line, []coverage.Point{op.At, op.From, op.To}, op.Edge[:], op.EdgeTo[:])
	bad := slices.ContainsFunc(all, off)
	for _, p := range op.Shape {
		for _, r := range p {
			bad = bad || slices.ContainsFunc(r, off)
		}
	}
	if bad {
		f.add(path+".geometry", "out_of_range", "坐标超出经度 ±180、纬度 ±90", "a position is beyond longitude ±180 or latitude ±90")
	}
}

func off(p coverage.Point) bool {
	return p.X < -180*coverage.Scale || p.X > 180*coverage.Scale || p.Y < -90*coverage.Scale || p.Y > 90*coverage.Scale
}

func vertices(s coverage.Shape) int {
	n := 0
	for _, p := range s {
		for _, r := range p {
			n += len(r)
		}
	}
	return n
}

// normal trims the texts and says which are too long.
func (a Attributes) normal(path string, ladder int, f *stepFaults) Attributes {
	text := func(name string, v *string, most int) *string {
		if v == nil {
			return nil
		}
		t := strings.TrimSpace(*v)
		if utf8.RuneCountInString(t) > most || !utf8.ValidString(t) || strings.ContainsRune(t, 0) {
			f.add(path+"."+name, "length", fmt.Sprintf("不超过 %d 字", most), fmt.Sprintf("at most %d characters", most))
		}
		return &t
	}
	a.Code, a.Name, a.Responsible = text("code", a.Code, 60), text("name", a.Name, 200), text("responsible", a.Responsible, 200)
	a.Reason, a.Countermeasure = text("reason", a.Reason, 2000), text("countermeasure", a.Countermeasure, 4000)
	if a.Level != nil && (*a.Level < 0 || *a.Level > ladder) {
		f.add(path+".level", "unknown_level", fmt.Sprintf("等级为 1 至 %d", ladder), fmt.Sprintf("levels are 1 to %d", ladder))
	}
	return a
}

// first is a place of an operation, to fly to.
func first(op coverage.Op) coverage.Point {
	for _, p := range op.Shape {
		for _, r := range p {
			if len(r) > 0 {
				return r[0]
			}
		}
	}
	switch {
	case len(op.Line) > 0:
		return op.Line[0]
	case op.From != (coverage.Point{}):
		return op.From
	case op.Edge[0] != (coverage.Point{}):
		return op.Edge[0]
	}
	return op.At
}
