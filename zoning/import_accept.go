package zoning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/zoning/coverage"
)

// Import makes a plan of what ReadImport kept, a draft with all zones noded and healed: the
// first version of a series, or the next one where the mapping names the version before. step is told how far it is. The person must have confirmed by
// eye that the levels run the right way.
func (s *Service) Import(ctx context.Context, by auth.By, id string, m ImportMapping, step func(done, total int, what string)) (ImportReport, error) {
	if step == nil {
		step = func(int, int, string) {}
	}
	if !person(by.Identity) || !by.May(auth.EditPlans, s.now()) {
		return ImportReport{}, auth.ErrForbidden
	}
	name, read, rows, shapes, err := s.keptImport(ctx, by, id)
	if err != nil {
		return ImportReport{}, wrap("import", err)
	}
	to, err := s.toImport(ctx, by, name, m, read, rows)
	if err != nil {
		return ImportReport{}, wrap("import", err)
	}
	step(1, 4, "zones")
	start, err := s.startOf(ctx, by, to.n, to.scope)
	if err != nil {
		return ImportReport{}, wrap("import", err)
	}
	report := ImportReport{Read: len(rows)}
	zones, err := s.importZones(m, rows, shapes, &report)
	if err != nil {
		return ImportReport{}, err
	}
	if to.parent != nil {
		old, err := s.zonesOf(ctx, by, to.parent.ID)
		if err != nil {
			return ImportReport{}, wrap("import", err)
		}
		keepIDs(zones, old)
	}
	step(2, 4, "heal")
	if zones, err = healImport(zones, &start, to.n.Exhaustive, &report); err != nil {
		return ImportReport{}, err
	}
	if err := ctx.Err(); err != nil {
		return ImportReport{}, err
	}
	step(3, 4, "write")
	if err := s.addImported(ctx, by, imported{importTarget: to, id: id, name: name, read: read, start: start, zones: zones, mapping: m}, &report); err != nil {
		return ImportReport{}, wrap("import", refusal(report.Plan, err))
	}
	step(4, 4, "joins")
	// The plan is there: what cannot be compared now can be asked again.
	if report.Joins, err = s.Joins(ctx, by.Identity, report.Plan.ID); err != nil {
		s.log.WarnContext(ctx, "joins of an imported plan", "plan", report.Plan.ID, "error", err)
		report.Notices = append(report.Notices, Notice{"no_joins", "接边检查未完成，可在方案中重新检查", "the check against neighbours was not finished: ask for it again"})
	}
	return report, nil
}

// importTarget is the plan a mapping asks for.
type importTarget struct {
	n      NewPlan
	scope  geo.Scope
	grant  auth.Grant
	parent *Plan // the version it follows; nil: it begins a series
}

func (s *Service) toImport(ctx context.Context, by auth.By, file string, m ImportMapping, read importRead, rows []importRow) (to importTarget, err error) {
	to.n = NewPlan{Hazard: m.Hazard, Kind: m.Kind, Title: m.Title, Area: m.Area, Exhaustive: m.Exhaustive != nil && *m.Exhaustive, Ladder: m.Ladder, Start: StartEmpty, Responsible: m.Responsible, Note: m.Note}
	if to.n.Note == "" {
		to.n.Note = "由文件导入:" + file
	}
	if m.Parent != "" {
		seen, err := s.known(ctx, by, m.Parent)
		if err != nil {
			return to, err
		}
		if _, err := s.permitted(by, auth.EditPlans, seen); err != nil {
			return to, err
		}
		switch seen.State {
		case Published, Superseded, Withdrawn:
		default:
			return to, openVersion()
		}
		if m.Exhaustive == nil {
			to.n.Exhaustive = seen.Exhaustive
		}
		if err := to.n.follow(seen); err != nil {
			return to, err
		}
		to.parent = &seen
	}
	if to.scope, err = s.checkImport(&to.n, m, read, rows); err != nil {
		return to, err
	}
	ok := false
	if to.grant, ok = by.Grant(auth.EditPlans, to.scope, s.now()); !ok {
		return to, auth.ErrForbidden
	}
	if to.parent != nil {
		return to, s.noOpenVersion(ctx, by, to.parent.Series)
	}
	return to, s.newSeries(ctx, by, to.n)
}

// follow takes from the version before what was left out, and refuses another hazard, kind
// or area: that would be another series.
func (n *NewPlan) follow(p Plan) error {
	var f faults
	for _, x := range []struct {
		path      string
		into      *string
		was       string
		mayDiffer bool
	}{{"hazard", &n.Hazard, p.Hazard, false}, {"kind", &n.Kind, p.Kind, false}, {"area", &n.Area, p.Area, false},
		{"title", &n.Title, p.Title, true}, {"ladder", &n.Ladder, p.Ladder, true}, {"responsible", &n.Responsible, p.Responsible, true}} {
		if *x.into == "" {
			*x.into = x.was
		}
		if *x.into != x.was && !x.mayDiffer {
			f.add(x.path, "other_series", "与所续版本的不同：同一系列的灾种、类别和区域不变", "not that of the version it follows: a series is of one hazard, kind and area")
		}
	}
	return f.err()
}

// keepIDs gives zones the ids they had in an earlier version, so that the two can be
// compared: a zone is the one of the same code or, where codes do not tell, of the same
// name, if there is one such zone on both sides.
func keepIDs(zones, old []Zone) {
	known := map[string]bool{} // ids that are given away
	done := make([]bool, len(zones))
	for _, word := range []func(*Zone) string{func(z *Zone) string { return z.Code }, func(z *Zone) string { return z.Name }} {
		was, is := map[string][]string{}, map[string][]int{}
		for i := range old {
			if w := word(&old[i]); w != "" && !known[old[i].Zone] {
				was[w] = append(was[w], old[i].Zone)
			}
		}
		for i := range zones {
			if w := word(&zones[i]); w != "" && !done[i] {
				is[w] = append(is[w], i)
			}
		}
		for w, at := range is {
			if len(at) == 1 && len(was[w]) == 1 {
				zones[at[0]].Zone, done[at[0]], known[was[w][0]] = was[w][0], true, true
			}
		}
	}
}

// checkImport says what is wrong with a mapping, all of it at once.
func (s *Service) checkImport(n *NewPlan, m ImportMapping, read importRead, rows []importRow) (geo.Scope, error) {
	var f faults
	scope, err := s.checkNew(n)
	if err != nil {
		bad, ok := errors.AsType[*auth.Invalid](err)
		if !ok {
			return scope, err
		}
		f = append(f, bad.Items...)
	}
	for _, x := range []struct{ path, field string }{
		{"level_field", m.LevelField}, {"name_field", m.NameField}, {"code_field", m.CodeField},
		{"countermeasure_field", m.CountermeasureField}, {"responsible_field", m.ResponsibleField}, {"reason_field", m.ReasonField},
	} {
		if x.field != "" && !slices.Contains(read.Fields, x.field) {
			f.add("mapping/"+x.path, "unknown", "文件中没有这个字段", "the file has no such field")
		}
	}
	if m.LevelField != "" {
		if !m.DirectionConfirmed {
			f.add("direction_confirmed", "direction_unconfirmed", "请先看图确认等级的方向(1 级为最高)", "confirm by eye first that the levels run the right way (1 is the worst)")
		}
		ladder := s.catalogue.Now().CodeLists[n.Ladder]
		if ladder != nil {
			for _, v := range slices.Sorted(maps.Keys(m.Levels)) {
				l := m.Levels[v]
				if l != 0 && !slices.ContainsFunc(ladder.Items, func(it registry.CodeItem) bool { return it.Level == l }) {
					f.add("mapping/levels/"+v, "no_such_level", fmt.Sprintf("等级方案没有第 %d 级", l), fmt.Sprintf("the ladder has no level %d", l))
				}
			}
		}
		missing := map[string]bool{}
		for _, r := range rows {
			if v := r.value(m.LevelField); r.Shape != nil && v != "" {
				if _, ok := m.Levels[v]; !ok {
					missing[v] = true
				}
			}
		}
		for i, v := range slices.Sorted(maps.Keys(missing)) {
			if i == 20 {
				break
			}
			f.add("mapping/levels", "unmapped", fmt.Sprintf("值 %q 没有对应的等级", clipText(v, 40)), fmt.Sprintf("the value %q has no level", clipText(v, 40)))
		}
	}
	return scope, f.err()
}

// value is a field of the row as text.
func (r *importRow) value(field string) string {
	if field == "" {
		return ""
	}
	var m map[string]any
	if json.Unmarshal(r.Props, &m) != nil {
		return ""
	}
	return valueText(m[field])
}

// importZones makes zones of the usable rows; what is not mapped stays in attrs.
func (s *Service) importZones(m ImportMapping, rows []importRow, shapes []coverage.Shape, report *ImportReport) ([]Zone, error) {
	var zones []Zone
	mapped := []string{m.NameField, m.CodeField, m.CountermeasureField, m.ResponsibleField, m.ReasonField}
	for i, r := range rows {
		if r.Fault != nil {
			report.Faults = append(report.Faults, *r.Fault)
		}
		if len(shapes[i]) == 0 {
			continue
		}
		var props map[string]any
		if err := json.Unmarshal(r.Props, &props); err != nil {
			return nil, fmt.Errorf("zoning: import row %d: %w", r.Row, err)
		}
		text := func(field string, most int) string {
			if field == "" {
				return ""
			}
			return clipText(valueText(props[field]), most)
		}
		z := Zone{
			Zone: s.newID(), Shape: shapes[i], Name: text(m.NameField, 100), Code: text(m.CodeField, 60),
			Countermeasure: text(m.CountermeasureField, 4000), Responsible: text(m.ResponsibleField, 100), Reason: text(m.ReasonField, 2000),
		}
		if m.LevelField != "" {
			z.Level = m.Levels[valueText(props[m.LevelField])]
		}
		for _, k := range mapped {
			delete(props, k)
		}
		attrs, err := json.Marshal(map[string]any{"source": props, "source_row": r.Row})
		if err != nil {
			return nil, fmt.Errorf("zoning: import row %d: %w", r.Row, err)
		}
		z.Attrs = attrs
		zones = append(zones, z)
	}
	return zones, nil
}

// healImport nodes and heals the zones in the area, and says what it did.
func healImport(zones []Zone, start *beginning, exhaustive bool, report *ImportReport) ([]Zone, error) {
	c := &coverage.Coverage{Zones: map[coverage.ID]coverage.Shape{}, Area: start.area, Exhaustive: exhaustive}
	names := map[string]string{}
	for _, z := range zones {
		c.Zones[coverage.ID(z.Zone)] = z.Shape
		names[z.Zone] = z.Name
	}
	report.suspect(zones, start.area)
	healed, err := coverage.Heal(c, nil, coverage.HealLimits{})
	if e, ok := errors.AsType[*coverage.Error](err); ok {
		return nil, &ViolationsError{Violations: e.Violations}
	}
	if err != nil {
		return nil, fmt.Errorf("zoning: import: %w", err)
	}
	report.Healed, report.Violations = healed.Healed, healed.Violations
	var out []Zone
	for _, z := range zones {
		shape, ok := c.Zones[coverage.ID(z.Zone)]
		if g := healed.Zones[coverage.ID(z.Zone)]; g != (coverage.GainLoss{}) || !ok {
			report.Changed = append(report.Changed, ZoneChange{Zone: z.Zone, Name: names[z.Zone], GainedM2: g.GainedM2, LostM2: g.LostM2, CutM2: g.CutM2, Removed: !ok})
		}
		if !ok {
			continue
		}
		z.Shape = shape
		out = append(out, z)
	}
	if len(out) == 0 {
		return nil, &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "outside_area", ZH: "文件中的面都不在该行政区内", EN: "none of the shapes lies in the area"}}}
	}
	if exhaustive {
		start.area = c.Area
	}
	report.Zones = len(out)
	return out, nil
}

// origin is what the plan keeps of how it came to be: which file, how it was read, what
// its fields mean, what was mended.
type origin struct {
	File         string            `json:"file"`
	SHA256       string            `json:"sha256"`
	Format       string            `json:"format"`
	Layer        string            `json:"layer,omitempty"`
	Encoding     string            `json:"encoding"`
	EncodingBy   string            `json:"encoding_by,omitempty"`
	CRS          string            `json:"crs"`
	Features     int               `json:"features"`
	Zones        int               `json:"zones"`
	Fields       map[string]string `json:"fields"` // what of a zone, from which field
	Levels       map[string]int    `json:"levels,omitempty"`
	Healed       map[string]int    `json:"healed"` // how many, by kind
	ChangedZones int               `json:"changed_zones"`
	GainedM2     float64           `json:"gained_m2"`
	LostM2       float64           `json:"lost_m2"`
	CutM2        float64           `json:"cut_m2"`            // of what was lost, outside the area
	Removed      int               `json:"removed,omitempty"` // zones of which nothing was left
	Violations   int               `json:"violations"`        // left to be solved by hand
	Faults       int               `json:"faults"`            // rows mended or left out
	By           string            `json:"by"`
	Name         string            `json:"name"`
	At           time.Time         `json:"at"`
}

func (in *imported) origin(by auth.By, now time.Time, r *ImportReport) origin {
	m := in.mapping
	o := origin{
		File: in.name, SHA256: in.read.SHA256, Format: in.read.Format, Layer: in.read.Layer, Encoding: in.read.Encoding, EncodingBy: in.read.EncodingBy, CRS: in.read.CRS,
		Features: r.Read, Zones: len(in.zones), Levels: m.Levels, Fields: map[string]string{}, Healed: map[string]int{},
		ChangedZones: len(r.Changed), Violations: len(r.Violations), Faults: len(r.Faults), By: by.Actor(), Name: by.Name, At: now.UTC().Truncate(time.Second),
	}
	for what, field := range map[string]string{"level": m.LevelField, "name": m.NameField, "code": m.CodeField, "countermeasure": m.CountermeasureField, "responsible": m.ResponsibleField, "reason": m.ReasonField} {
		if field != "" {
			o.Fields[what] = field
		}
	}
	for _, h := range r.Healed {
		o.Healed[string(h.Kind)]++
	}
	for _, c := range r.Changed {
		o.GainedM2, o.LostM2, o.CutM2 = o.GainedM2+c.GainedM2, o.LostM2+c.LostM2, o.CutM2+c.CutM2
		if c.Removed {
			o.Removed++
		}
	}
	return o
}

// suspect tells when the shapes fit the area better after undoing a shift of map
// services: an offset of some 500 m, which no healing may close.
func (r *ImportReport) suspect(zones []Zone, area coverage.Shape) {
	border := geo.NewArea(area.Geometry())
	all, out, shifted := 0, 0, 0
	for _, z := range zones {
		for _, p := range z.Shape {
			for i, q := range p[0] {
				if i%7 != 0 {
					continue
				}
				all++
				at := q.LonLat()
				if border.Side(at) < 0 {
					out++
				}
				if border.Side(coverage.At(geo.GCJToWGS(at)).LonLat()) < 0 {
					shifted++
				}
			}
		}
	}
	if all > 0 && out*50 > all && shifted*2 < out {
		r.Notices = append(r.Notices, Notice{"gcj02_suspected", "图形像是 GCJ-02 坐标(纠偏后更合辖区边界)，请核对后以 crs=GCJ02 重新上传", "the shapes look like GCJ-02 (they fit the area better unshifted): look, and upload again with crs=GCJ02"})
	}
	if all > 0 && out == all {
		at := zones[0].Shape[0][0][0].LonLat()
		lo, hi := coverage.Bound(area)
		if geo.LooksSwapped(at, orb.Bound{Min: lo.LonLat(), Max: hi.LonLat()}) {
			r.Notices = append(r.Notices, Notice{"swapped", "经纬度可能颠倒", "longitude and latitude may be exchanged"})
		}
	}
}
