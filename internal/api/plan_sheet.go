package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/features"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/internal/report"
	"onemap/zoning"
	"onemap/zoning/coverage"
)

// levelSum is what the zones of one level come to, summed from the numbers the screen
// shows for each of them.
type levelSum struct {
	count   int
	areaM2  float64
	people  int64
	counted bool // some zone says how many people
}

func sumLevels(zones []zoning.Zone) (byLevel map[int]*levelSum, total levelSum) {
	byLevel = map[int]*levelSum{}
	for _, z := range zones {
		l := byLevel[z.Level]
		if l == nil {
			l = &levelSum{}
			byLevel[z.Level] = l
		}
		for _, s := range []*levelSum{l, &total} {
			s.count++
			s.areaM2 += zoneAreaM2(z)
			if z.Population != nil {
				s.people, s.counted = s.people+int64(*z.Population), true
			}
		}
	}
	return byLevel, total
}

func zoneAreaM2(z zoning.Zone) float64 {
	if z.AreaKm2 != nil {
		return *z.AreaKm2 * 1e6
	}
	return coverage.AreaM2(z.Shape)
}

func (l *levelSum) line(level int, name string, whole float64) report.Level {
	out := report.Level{Level: level, Name: name, Count: l.count, AreaM2: l.areaM2}
	if whole > 0 {
		out.Share = l.areaM2 / whole
	}
	if l.counted {
		out.People = &l.people
	}
	return out
}

// legend are the steps of the ladder with the figures of the plan, and their total.
func legend(snap *registry.Snapshot, p zoning.Plan, zones []zoning.Zone, lang registry.Lang) ([]report.Level, *report.Level, error) {
	byLevel, total := sumLevels(zones)
	var out []report.Level
	if list, ok := snap.CodeLists[p.Ladder]; ok {
		for _, it := range list.Items {
			sum := byLevel[it.Level]
			if sum == nil {
				sum = &levelSum{}
			}
			l := sum.line(it.Level, it.Title.In(lang), total.areaM2)
			l.Mark, l.Texture = it.Mark.In(lang), report.Texture(it.Texture)
			var err error
			if l.Colour, err = report.ParseColour(it.Color, it.PrintColor); err != nil {
				return nil, nil, fmt.Errorf("ladder %s, level %d: %w", p.Ladder, it.Level, err)
			}
			out = append(out, l)
		}
	}
	if none := byLevel[0]; none != nil {
		l := none.line(0, text("未定级", "Not graded").In(lang), total.areaM2)
		l.Texture = report.Plain
		l.Colour, _ = report.ParseColour("#CFCFCF", "")
		out = append(out, l)
	}
	// What is printed is what adds up: each level to the hectare of its second decimal, the
	// total the sum of those.
	total.areaM2 = 0
	for i := range out {
		out[i].AreaM2 = math.Round(out[i].AreaM2/1e4) * 1e4
		total.areaM2 += out[i].AreaM2
	}
	sum := total.line(0, text("合计", "Total").In(lang), total.areaM2)
	return out, &sum, nil
}

// planSheet puts a plan on paper: the zones as they are, the ground around them as the
// asker may see it.
func (s *Server) planSheet(ctx context.Context, req *Request, p zoning.Plan, set zoning.ZoneSet, lang registry.Lang) (report.Sheet, error) {
	snap := s.opts.Catalogue.Now()
	now := req.Received.In(snap.Location())
	sheet := report.Sheet{
		Title: p.Title, Size: report.A3, Lang: string(lang), Area: set.Area.Geometry(), LevelTitle: ladderTitle(snap, p.Ladder, lang),
		Office: p.Responsible, DocumentNo: p.DocumentNo, Version: fmt.Sprintf(text("第 %d 版", "version %d").In(lang), p.VersionNo), Print: true, MadeAt: now,
		AsOf: p.UpdatedAt.In(snap.Location()).Format(time.DateOnly), Source: p.Responsible,
		Basis: text("面积按 CGCS2000 椭球面计算；人口为区划单元属性值", "Areas on the CGCS2000 ellipsoid; people as stated with each zone").In(lang),
	}
	sheet.Subtitle = fmt.Sprintf("%s · %s", hazardTitle(snap, p.Hazard, lang), planKindWords(p.Kind).In(lang))
	snap.Setting("map_approval", &sheet.MapNumber)
	if sheet.MapNumber == "" {
		sheet.Mark = text("内部资料", "Internal").In(lang)
	}
	if p.PublishedAt == nil {
		sheet.Draft = draftStamp(p.State, lang)
		sheet.Watermark = fmt.Sprintf("%s %s", takenBy(req), now.Format("2006-01-02 15:04"))
	}
	person := func(name string, at *time.Time, zh, en string) {
		a := report.Approval{Role: text(zh, en).In(lang), Name: name}
		if at != nil {
			a.Date = at.In(snap.Location())
		}
		sheet.Approvals = append(sheet.Approvals, a)
	}
	person(p.SubmittedBy, p.SubmittedAt, "编制", "Drawn by")
	checked, err := s.checkedBy(ctx, req, p, lang)
	if err != nil {
		return sheet, err
	}
	person(checked, nil, "审核", "Checked by")
	person(p.ApprovedBy, p.ApprovedAt, "审定", "Approved by")
	if sheet.Levels, sheet.Total, err = legend(snap, p, set.Zones, lang); err != nil {
		return sheet, err
	}
	for _, z := range set.Zones {
		sheet.Zones = append(sheet.Zones, report.Zone{ID: z.Zone, Name: z.Name, Code: z.Code, Level: z.Level, Shape: z.Shape.Geometry()})
	}
	return sheet, s.ground(ctx, req, snap, &sheet)
}

// checkedBy names who accepted the zones of a plan, whoever did most first: three at most,
// for a line of the block. Nobody leaves room for a signature.
func (s *Server) checkedBy(ctx context.Context, req *Request, p zoning.Plan, lang registry.Lang) (string, error) {
	reviews, err := s.opts.Zoning.Reviews(ctx, req.Who, p.ID)
	if err != nil {
		return "", err
	}
	counts := map[string]int{}
	var names []string
	for _, r := range reviews {
		name := r.Name
		if name == "" || r.Verdict != zoning.Accepted || !r.Current {
			continue
		}
		if counts[name] == 0 {
			names = append(names, name)
		}
		counts[name]++
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	more := ""
	if len(names) > 3 {
		names, more = names[:3], text("等", " et al.").In(lang)
	}
	return strings.Join(names, text("、", ", ").In(lang)) + more, nil
}

// takenBy names who takes paper or a file away.
func takenBy(req *Request) string {
	if req.Who.Name != "" {
		return req.Who.Name
	}
	return req.Who.Actor()
}

func draftStamp(st zoning.State, lang registry.Lang) string {
	switch st {
	case zoning.Consultation:
		return text("征求意见稿", "FOR CONSULTATION").In(lang)
	case zoning.Submitted, zoning.InReview, zoning.ExpertReview:
		return text("送审稿", "FOR REVIEW").In(lang)
	case zoning.Approved:
		return text("报批稿", "APPROVED, NOT PUBLISHED").In(lang)
	case zoning.Withdrawn:
		return text("已撤回", "WITHDRAWN").In(lang)
	}
	return text("草稿", "DRAFT").In(lang)
}

func ladderTitle(snap *registry.Snapshot, ladder string, lang registry.Lang) string {
	if list, ok := snap.CodeLists[ladder]; ok {
		return list.Title.In(lang)
	}
	return ""
}

// groundRows bounds what of one layer a sheet shows.
const groundRows = 3000

// ground draws what lies around: administrative borders and names, water, roads.
func (s *Server) ground(ctx context.Context, req *Request, snap *registry.Snapshot, sheet *report.Sheet) error {
	var area orb.Bound
	switch {
	case len(sheet.Area) > 0:
		area = sheet.Area.Bound()
	case len(sheet.Zones) > 0:
		area = sheet.Zones[0].Shape.Bound()
		for _, z := range sheet.Zones[1:] {
			area = area.Union(z.Shape.Bound())
		}
	default:
		return nil
	}
	grow := max(area.Max[0]-area.Min[0], area.Max[1]-area.Min[1]) * 0.15
	box := orb.Bound{Min: orb.Point{area.Min[0] - grow, area.Min[1] - grow}, Max: orb.Point{area.Max[0] + grow, area.Max[1] + grow}}
	for _, id := range []string{"admin", "rivers", "roads"} {
		l, ok := snap.Layer(id)
		if !ok || !l.SeenBy(req.Reach) {
			continue
		}
		page, err := s.opts.Features.Items(ctx, s.asker(req), features.ItemsQuery{Layer: l, Boxes: []orb.Bound{box}, Times: features.At(req.Received), Limit: groundRows})
		if err != nil {
			return err
		}
		for _, f := range page.Features {
			if len(f.Geometry) == 0 {
				continue
			}
			g, err := geo.ParseGeoJSON(f.Geometry, geo.ImportLimits())
			if err != nil {
				continue // a shape our own reader refuses is left out of the picture
			}
			var props map[string]any
			if json.Unmarshal(f.Properties, &props) != nil {
				continue
			}
			onGround(sheet, id, f.Title, g, props, area)
		}
	}
	return nil
}

func onGround(sheet *report.Sheet, layer, name string, g orb.Geometry, props map[string]any, area orb.Bound) {
	switch layer {
	case "admin":
		class, place := adminClass(props)
		if class == "" {
			return
		}
		polygons := polygonsOf(g)
		sheet.Lines = append(sheet.Lines, report.Line{Class: class, Line: outlines(polygons)})
		if place != "" && len(polygons) > 0 {
			at, _ := centre(polygons)
			sheet.Places = append(sheet.Places, report.Place{Class: place, Name: name, At: at})
			if !area.Contains(at) {
				sheet.Neighbours = append(sheet.Neighbours, report.Neighbour{Name: name, Shape: polygons})
			}
		}
	case "rivers":
		if polygons := polygonsOf(g); len(polygons) > 0 {
			sheet.Water = append(sheet.Water, report.Water{Name: name, Shape: polygons})
			return
		}
		sheet.Lines = append(sheet.Lines, report.Line{Class: report.LineRiver, Name: name, Line: linesOf(g)})
	case "roads":
		class := ""
		switch fmt.Sprint(props["class"]) {
		case "expressway":
			class = report.LineHighway
		case "national", "provincial", "trunk", "county":
			class = report.LineRoad
		}
		if lines := linesOf(g); class != "" && len(lines) > 0 {
			sheet.Lines = append(sheet.Lines, report.Line{Class: class, Name: name, Line: lines})
		}
	}
}

func adminClass(props map[string]any) (line, place string) {
	rank, _ := strconv.Atoi(fmt.Sprint(props["rank"]))
	switch rank {
	case 1, 2, 3:
		return report.LineCounty, report.PlaceCounty
	case 4:
		return report.LineTownship, report.PlaceTownship
	case 5:
		return report.LineVillage, ""
	}
	return "", ""
}

func polygonsOf(g orb.Geometry) orb.MultiPolygon {
	switch g := g.(type) {
	case orb.Polygon:
		return orb.MultiPolygon{g}
	case orb.MultiPolygon:
		return g
	}
	return nil
}

func linesOf(g orb.Geometry) orb.MultiLineString {
	switch g := g.(type) {
	case orb.LineString:
		return orb.MultiLineString{g}
	case orb.MultiLineString:
		return g
	}
	return nil
}

func outlines(m orb.MultiPolygon) orb.MultiLineString {
	var out orb.MultiLineString
	for _, p := range m {
		for _, r := range p {
			out = append(out, orb.LineString(r))
		}
	}
	return out
}

// centre is the middle of the largest outline: where a name is tied to.
func centre(m orb.MultiPolygon) (orb.Point, float64) {
	var at orb.Point
	best := -1.0
	for _, p := range m {
		if len(p) == 0 || len(p[0]) < 3 {
			continue
		}
		var a, x, y float64
		o := p[0][0]
		for i := range len(p[0]) - 1 {
			u, v := p[0][i], p[0][i+1]
			c := (u[0]-o[0])*(v[1]-o[1]) - (v[0]-o[0])*(u[1]-o[1])
			a, x, y = a+c, x+c*(u[0]+v[0]-2*o[0]), y+c*(u[1]+v[1]-2*o[1])
		}
		if size := math.Abs(a); size > best && a != 0 {
			best, at = size, orb.Point{o[0] + x/(3*a), o[1] + y/(3*a)}
		}
	}
	return at, best
}
