package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/zoning"
	"onemap/zoning/coverage"
)

// Bounds of one edit. The body is at most limitEdits bytes; these keep what is inside
// from being more work than its size says.
const (
	limitEdits    = 4 << 20
	maxOps        = 1000
	maxOpVertices = 200_000
	maxZoneList   = 5000
	maxFaults     = 20 // more say nothing new
)

// opMembers are what each operation takes: the first list must be there, the second may.
func opMembers() map[string][2][]string {
	return map[string][2][]string{
		string(coverage.Add):          {{"geometry", "mode"}, {"zone", "level", "name", "confirm_removed"}},
		string(coverage.AddPart):      {{"zone", "geometry", "mode"}, {"confirm_removed"}},
		string(coverage.Reshape):      {{"zone"}, {"geometry", "line", "confirm_removed"}},
		string(coverage.Split):        {{"zone", "line"}, {"new"}},
		string(coverage.Merge):        {{"zones"}, nil},
		string(coverage.Explode):      {{"zone"}, {"new"}},
		string(coverage.CutHole):      {{"zone", "geometry"}, {"new"}},
		string(coverage.FillHole):     {{"zone", "at"}, nil},
		string(coverage.MoveVertex):   {{"from", "to"}, nil},
		string(coverage.MoveEdge):     {{"edge", "to"}, nil},
		string(coverage.InsertVertex): {{"edge", "at"}, nil},
		string(coverage.RemoveVertex): {{"at"}, nil},
		string(coverage.Delete):       {{"zone"}, {"to"}},
		string(coverage.AssignGap):    {{"at", "zone"}, nil},
		opRelevel:                     {{"zones", "level"}, {"reason"}},
		opSetAttributes:               {{"zones", "set"}, nil},
		opRestore:                     {{"edit"}, nil},
	}
}

// The operations that are not the coverage's.
const (
	opRelevel       = "relevel"
	opSetAttributes = "set_attributes"
	opRestore       = "restore"
)

// opReader decodes operations and collects what is wrong with them, each finding with
// its path: ops[3].line[2].
type opReader struct {
	lang     registry.Lang
	items    []Item
	members  map[string][2][]string
	vertices int
}

func (r *opReader) fault(path, code, zh, en string) {
	if len(r.items) < maxFaults {
		r.items = append(r.items, Item{Path: path, Code: code, Message: text(zh, en).In(r.lang)})
	}
}

// readSteps decodes the operations of an edit. Every fault is told at once.
func readSteps(lang registry.Lang, ops []map[string]json.RawMessage) ([]zoning.Step, *Error) {
	r := &opReader{lang: lang, members: opMembers()}
	switch {
	case len(ops) == 0:
		r.fault("ops", "required", "一次编辑至少有一个操作", "an edit has at least one operation")
	case len(ops) > maxOps:
		r.fault("ops", "too_many", fmt.Sprintf("一次编辑至多 %d 个操作", maxOps), fmt.Sprintf("an edit has at most %d operations", maxOps))
		ops = nil
	}
	steps := make([]zoning.Step, 0, len(ops))
	for i, m := range ops {
		steps = append(steps, r.step(fmt.Sprintf("ops[%d]", i), m))
	}
	if len(r.items) > 0 {
		e := problem(CodeInvalid)
		e.Items = r.items
		return nil, e
	}
	return steps, nil
}

func (r *opReader) step(path string, m map[string]json.RawMessage) zoning.Step {
	var kind string
	if m == nil || json.Unmarshal(m["op"], &kind) != nil {
		r.fault(path+".op", "required", "缺少操作名", "the name of the operation is missing")
		return zoning.Step{}
	}
	known, ok := r.members[kind]
	if !ok {
		r.fault(path+".op", "unknown_op", "没有操作 "+short(kind), "there is no operation "+short(kind))
		return zoning.Step{}
	}
	for _, name := range known[0] {
		if _, given := m[name]; !given {
			r.fault(path+"."+name, "required", "操作 "+kind+" 需要此项", kind+" needs this")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if name != "op" && !slices.Contains(known[0], name) && !slices.Contains(known[1], name) {
			r.fault(path+"."+short(name), "unknown_member", "操作 "+kind+" 没有此项", kind+" does not take this")
		}
	}
	switch kind {
	case opRelevel, opSetAttributes, opRestore:
		return r.attributes(path, kind, m)
	}
	return zoning.Step{Op: r.op(path, coverage.Kind(kind), m), Set: r.born(path, coverage.Kind(kind), m)}
}

// born are the attributes a new zone is drawn with.
func (r *opReader) born(path string, kind coverage.Kind, m map[string]json.RawMessage) zoning.Attributes {
	var a zoning.Attributes
	if kind != coverage.Add {
		return a
	}
	if raw, given := m["level"]; given {
		a.Level = r.level(path+".level", raw)
	}
	if raw, given := m["name"]; given {
		a.Name = r.words(path+".name", raw, 200)
	}
	return a
}

func (r *opReader) attributes(path, kind string, m map[string]json.RawMessage) zoning.Step {
	var s zoning.Step
	if kind == opRestore {
		s.Restore = string(r.id(path+".edit", m["edit"]))
		return s
	}
	s.Op.Zones = r.ids(path+".zones", m["zones"], 1)
	if kind == opRelevel {
		s.Relevel = true
		if s.Set.Level = r.level(path+".level", m["level"]); s.Set.Level == nil {
			s.Set.Level = new(0) // null: not graded
		}
		if raw, given := m["reason"]; given {
			s.Set.Reason = r.words(path+".reason", raw, 2000)
		}
		return s
	}
	s.SetAttributes = true
	var set map[string]json.RawMessage
	if m["set"] == nil {
		return s
	}
	if json.Unmarshal(m["set"], &set) != nil || set == nil {
		r.fault(path+".set", "bad_type", "应为对象", "it is an object")
		return s
	}
	if len(set) == 0 {
		r.fault(path+".set", "required", "没有要修改的内容", "there is nothing to set")
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		at, raw := path+".set."+short(name), set[name]
		switch name {
		case "name":
			s.Set.Name = r.words(at, raw, 200)
		case "code":
			s.Set.Code = r.words(at, raw, 100)
		case "reason":
			s.Set.Reason = r.words(at, raw, 2000)
		case "countermeasure":
			s.Set.Countermeasure = r.words(at, raw, 4000)
		case "responsible":
			s.Set.Responsible = r.words(at, raw, 200)
		default:
			r.fault(at, "unknown_member", "区划单元没有此项，等级用 relevel 修改", "a zone has no such attribute; its level is changed with relevel")
		}
	}
	return s
}

func (r *opReader) op(path string, kind coverage.Kind, m map[string]json.RawMessage) coverage.Op {
	o := coverage.Op{Kind: kind}
	if raw, given := m["zone"]; given {
		o.Zone = r.id(path+".zone", raw)
	}
	if raw, given := m["zones"]; given {
		o.Zones = r.ids(path+".zones", raw, 2)
	}
	if raw, given := m["new"]; given {
		o.New = r.ids(path+".new", raw, 0)
	}
	if raw, given := m["confirm_removed"]; given {
		o.Confirmed = r.ids(path+".confirm_removed", raw, 0)
	}
	if raw, given := m["geometry"]; given {
		o.Shape = r.shape(path+".geometry", raw)
	}
	if raw, given := m["line"]; given {
		o.Line = r.line(path+".line", raw)
	}
	if kind == coverage.Reshape {
		_, shape := m["geometry"]
		if _, line := m["line"]; shape == line {
			r.fault(path, "geometry_or_line", "须给出 geometry 或 line 之一", "it takes one of geometry and line")
		}
	}
	if raw, given := m["mode"]; given {
		var mode string
		if json.Unmarshal(raw, &mode) != nil || mode != "carve" && mode != "clip" {
			r.fault(path+".mode", "bad_value", "应为 carve 或 clip", "it is carve or clip")
		}
		o.Carve = mode == "carve"
	}
	if raw, given := m["at"]; given {
		o.At = r.point(path+".at", raw)
	}
	if raw, given := m["from"]; given {
		o.From = r.point(path+".from", raw)
	}
	if raw, given := m["edge"]; given {
		o.Edge = r.edge(path+".edge", raw)
	}
	if raw, given := m["to"]; given {
		switch kind {
		case coverage.MoveEdge:
			o.EdgeTo = r.edge(path+".to", raw)
		case coverage.Delete:
			o.Target = r.id(path+".to", raw)
		default:
			o.To = r.point(path+".to", raw)
		}
	}
	return o
}

func (r *opReader) id(path string, raw json.RawMessage) coverage.ID {
	var v string
	if raw == nil {
		return "" // told as missing
	}
	if json.Unmarshal(raw, &v) != nil || !uuidText(v) {
		r.fault(path, "bad_id", "应为编号 (UUID)", "it is an id (UUID)")
		return ""
	}
	return coverage.ID(strings.ToLower(v))
}

func (r *opReader) ids(path string, raw json.RawMessage, least int) []coverage.ID {
	if raw == nil {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		r.fault(path, "bad_type", "应为编号的列表", "it is a list of ids")
		return nil
	}
	if len(list) < least || len(list) > maxZoneList {
		r.fault(path, "bad_count", fmt.Sprintf("应有 %d 到 %d 个编号", least, maxZoneList), fmt.Sprintf("it has %d to %d ids", least, maxZoneList))
		return nil
	}
	out := make([]coverage.ID, 0, len(list))
	seen := make(map[coverage.ID]bool, len(list))
	for i, v := range list {
		id := r.id(fmt.Sprintf("%s[%d]", path, i), v)
		if id != "" && seen[id] {
			r.fault(fmt.Sprintf("%s[%d]", path, i), "repeated", "编号重复", "the id is there twice")
		}
		seen[id] = true
		out = append(out, id)
	}
	return out
}

// level is the number of a level; null, like one that is absent, is nil: not graded.
func (r *opReader) level(path string, raw json.RawMessage) *int {
	var n json.Number
	if raw == nil || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil
	}
	if json.Unmarshal(raw, &n) == nil {
		if v, err := n.Int64(); err == nil && v >= 1 && v <= 99 && raw[0] != '"' {
			level := int(v)
			return &level
		}
	}
	r.fault(path, "bad_level", "应为等级的序号，从 1 起；null 为未定级", "it is the number of a level, 1 first, or null for none")
	return nil
}

func (r *opReader) words(path string, raw json.RawMessage, most int) *string {
	var v string
	if json.Unmarshal(raw, &v) != nil || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		r.fault(path, "bad_type", "应为文字", "it is a text")
		return nil
	}
	if v = strings.TrimSpace(v); len([]rune(v)) > most {
		r.fault(path, "too_long", fmt.Sprintf("至多 %d 个字", most), fmt.Sprintf("it has at most %d characters", most))
		return nil
	}
	return &v
}

// point reads one position and puts it on the grid.
func (r *opReader) point(path string, raw json.RawMessage) coverage.Point {
	if raw == nil {
		return coverage.Point{}
	}
	var n []*float64
	if json.Unmarshal(raw, &n) != nil || len(n) < 2 || len(n) > 3 || n[0] == nil || n[1] == nil {
		r.fault(path, "bad_position", "应为 [经度, 纬度]", "it is [longitude, latitude]")
		return coverage.Point{}
	}
	if math.Abs(*n[0]) > 180 || math.Abs(*n[1]) > 90 {
		r.fault(path, "out_of_range", "不在地球上：经度 ±180、纬度 ±90", "it is not on Earth: longitude ±180, latitude ±90")
		return coverage.Point{}
	}
	return coverage.At([2]float64{*n[0], *n[1]})
}

func (r *opReader) edge(path string, raw json.RawMessage) [2]coverage.Point {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) != 2 {
		r.fault(path, "bad_edge", "应为两个位置", "it is two positions")
		return [2]coverage.Point{}
	}
	return [2]coverage.Point{r.point(path+"[0]", list[0]), r.point(path+"[1]", list[1])}
}

func (r *opReader) line(path string, raw json.RawMessage) []coverage.Point {
	if out := r.fastLine(raw); out != nil {
		return out
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		r.fault(path, "bad_type", "应为位置的列表", "it is a list of positions")
		return nil
	}
	if len(list) < 2 {
		r.fault(path, "line_too_short", "线至少有两个位置", "a line has at least two positions")
		return nil
	}
	if !r.room(path, len(list)) {
		return nil
	}
	out := make([]coverage.Point, 0, len(list))
	for i, v := range list {
		before := len(r.items)
		out = append(out, r.point(fmt.Sprintf("%s[%d]", path, i), v))
		if len(r.items) > before && len(r.items) >= maxFaults {
			return nil
		}
	}
	return out
}

// fastLine reads a line in which nothing is wrong; where something is, line says what.
func (r *opReader) fastLine(raw json.RawMessage) []coverage.Point {
	text := append(append([]byte(`{"type":"LineString","coordinates":`), raw...), '}')
	g, err := geo.ParseGeoJSON(text, geo.Limits{Vertices: max(1, maxOpVertices-r.vertices), Bytes: limitEdits + 64, Depth: 1, Parts: 1})
	l, ok := g.(orb.LineString)
	if err != nil || !ok {
		return nil
	}
	r.vertices += len(l)
	out := make([]coverage.Point, len(l))
	for i, p := range l {
		out[i] = coverage.At(p)
	}
	return out
}

// room counts vertices over the whole edit.
func (r *opReader) room(path string, n int) bool {
	if r.vertices += n; r.vertices > maxOpVertices {
		r.fault(path, string(coverage.TooManyVertices), fmt.Sprintf("一次编辑至多 %d 个节点", maxOpVertices), fmt.Sprintf("an edit has at most %d vertices", maxOpVertices))
		return false
	}
	return true
}

func (r *opReader) shape(path string, raw json.RawMessage) coverage.Shape {
	g, err := geo.ParseGeoJSON(raw, geo.Limits{Vertices: max(1, maxOpVertices-r.vertices), Bytes: limitEdits, Depth: 1, Parts: 5000})
	if err == nil {
		var shape coverage.Shape
		if shape, err = coverage.FromGeometry(g); err == nil {
			for _, p := range shape {
				for _, ring := range p {
					r.vertices += len(ring)
				}
			}
			return shape
		}
	}
	var fault *geo.Fault
	var cov *coverage.Error
	switch {
	case errors.As(err, &cov):
		for _, v := range cov.Violations {
			if len(r.items) < maxFaults {
				r.items = append(r.items, violationItem(r.lang, path, v))
			}
		}
	case errors.As(err, &fault):
		at := path
		if fault.Path != "" {
			at += "." + fault.Path
		}
		r.fault(at, fault.Code, "几何有误:"+fault.Detail, "the geometry is wrong: "+fault.Detail)
	default:
		r.fault(path, "bad_geometry", "应为多边形", "it is a Polygon or MultiPolygon")
	}
	return nil
}
