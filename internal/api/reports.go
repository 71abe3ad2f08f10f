package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/gdal"
	"onemap/internal/registry"
	"onemap/internal/report"
	"onemap/zoning"
)

// maxSheets bounds how many sheets and packages are drawn at once: an A0 costs more
// memory than a thousand tiles.
const maxSheets = 2

// drawing takes a place among those who have paper made.
func (s *Server) drawing() (done func(), err error) {
	select {
	case s.sheets <- struct{}{}:
		return func() { <-s.sheets }, nil
	default:
		s.metrics.shed.Add(1)
		return nil, problem(CodeOverloaded)
	}
}

// exported records what leaves the house, before it leaves.
func (s *Server) exported(ctx context.Context, req *Request, p zoning.Plan, action string, after map[string]any) error {
	e := audit.Entry{Action: action, Object: "plans/" + p.ID, Area: p.Area, Outcome: audit.Done, After: after}
	e.Doer = s.by(req).Doer(auth.Grant{})
	return s.opts.Audit.Note(ctx, req.Who.Reading(), e)
}

// offered is a download with a name people read: plain for old browsers, exact for others.
func offered(kind, name string, body []byte) *Response {
	plain := strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || strings.ContainsRune(`"\/;%`, c) {
			return '_'
		}
		return c
	}, name)
	resp := &Response{Type: kind, Body: body, Cache: privateNoStore}
	resp.Set("Content-Disposition", `attachment; filename="`+plain+`"; filename*=UTF-8''`+url.PathEscape(name))
	return resp
}

type sheetShow struct {
	Grid    *bool `json:"grid"`
	Labels  *bool `json:"labels"`
	Texture *bool `json:"texture"`
}

type sheetBody struct {
	Plan        string    `json:"plan"`
	Size        string    `json:"size"`
	Orientation string    `json:"orientation"` // landscape, portrait
	Title       string    `json:"title"`
	Subtitle    string    `json:"subtitle"`
	Against     string    `json:"against"`
	Lang        string    `json:"lang"`
	Show        sheetShow `json:"show"`
	DPI         int       `json:"dpi"` // of a PNG
}

func (s *Server) postMapPDF(ctx context.Context, req *Request) (*Response, error) {
	return s.mapSheet(ctx, req, "pdf", "application/pdf")
}

func (s *Server) postMapPNG(ctx context.Context, req *Request) (*Response, error) {
	return s.mapSheet(ctx, req, "png", "image/png")
}

func (s *Server) mapSheet(ctx context.Context, req *Request, format, kind string) (*Response, error) {
	var b sheetBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if bad := b.check(req, format); bad != nil {
		return nil, bad
	}
	if !uuidText(b.Plan) {
		return nil, hidden(req)
	}
	p, err := s.opts.Zoning.Plan(ctx, req.Who, strings.ToLower(b.Plan))
	if err != nil {
		return nil, err
	}
	lang := req.Lang
	if b.Lang != "" {
		lang = language(b.Lang)
	}
	done, err := s.drawing()
	if err != nil {
		return nil, err
	}
	defer done()
	set, err := s.opts.Zoning.Zones(ctx, req.Who, p.ID, nil)
	if err != nil {
		return nil, err
	}
	sheet, err := s.planSheet(ctx, req, p, set, lang)
	if err != nil {
		return nil, err
	}
	b.apply(&sheet)
	if b.Against != "" {
		if err := s.sheetChanges(ctx, req, &sheet, p, b.Against, lang); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	var drawn report.Drawn
	if format == "pdf" {
		drawn, err = report.PDF(ctx, &out, sheet)
	} else {
		drawn, err = report.PNG(ctx, &out, sheet, or(b.DPI, 150))
	}
	if err != nil {
		return nil, fmt.Errorf("draw plan %s: %w", p.ID, err)
	}
	err = s.exported(ctx, req, p, "plan.map", map[string]any{"format": format, "size": string(sheet.Size), "zones": len(set.Zones), "scale": drawn.Scale, "draft": sheet.Draft})
	if err != nil {
		return nil, err
	}
	return offered(kind, fileName(sheet.Title, p, sheet.Draft)+"."+format, out.Bytes()), nil
}

func (b *sheetBody) check(req *Request, format string) *Error {
	switch report.Size(b.Size) {
	case "", report.A4, report.A3:
	case report.A2, report.A1, report.A0:
		if format == "png" {
			return fault(req, "size", "too_large", "图片最大为 A3，更大的图幅请用 PDF", "a picture is at most A3; take PDF for larger sheets")
		}
	default:
		return fault(req, "size", "bad_value", "应为 A4、A3、A2、A1 或 A0", "it is A4, A3, A2, A1 or A0")
	}
	switch {
	case b.Orientation != "" && b.Orientation != "landscape" && b.Orientation != "portrait":
		return fault(req, "orientation", "bad_value", "应为 landscape 或 portrait", "it is landscape or portrait")
	case len([]rune(b.Title)) > 100:
		return fault(req, "title", "too_long", "至多 100 个字", "it has at most 100 characters")
	case len([]rune(b.Subtitle)) > 100:
		return fault(req, "subtitle", "too_long", "至多 100 个字", "it has at most 100 characters")
	case b.Lang != "" && b.Lang != "zh" && b.Lang != "en":
		return fault(req, "lang", "bad_value", "应为 zh 或 en", "it is zh or en")
	case b.DPI != 0 && (b.DPI < 36 || b.DPI > 300):
		return fault(req, "dpi", "bad_value", "应为 36 到 300", "it is 36 to 300")
	case b.Against != "" && !uuidText(b.Against):
		return problem(CodeNotFound)
	}
	return nil
}

func (b *sheetBody) apply(sheet *report.Sheet) {
	if b.Size != "" {
		sheet.Size = report.Size(b.Size)
	}
	sheet.Portrait = b.Orientation == "portrait"
	if b.Title != "" {
		sheet.Title = b.Title
	}
	if b.Subtitle != "" {
		sheet.Subtitle = b.Subtitle
	}
	off := func(v *bool) bool { return v != nil && !*v }
	sheet.NoGrid, sheet.NoLabel, sheet.NoPaint = off(b.Show.Grid), off(b.Show.Labels), off(b.Show.Texture)
}

// sheetChanges draws where another version differs.
func (s *Server) sheetChanges(ctx context.Context, req *Request, sheet *report.Sheet, p zoning.Plan, against string, lang registry.Lang) error {
	d, err := s.opts.Zoning.Diff(ctx, req.Who, p.ID, strings.ToLower(against))
	if err != nil {
		return err
	}
	sheet.Against = fmt.Sprintf(text("第 %d 版", "version %d").In(lang), d.Against.VersionNo)
	add := func(kind string, g orb.Geometry) {
		if polygons := polygonsOf(g); len(polygons) > 0 {
			sheet.Changes = append(sheet.Changes, report.Change{Kind: kind, Shape: polygons})
		}
	}
	for _, list := range [][]zoning.DiffZone{d.Added, d.Moved} {
		for _, z := range list {
			add(report.ChangeGained, z.Gained)
		}
	}
	for _, z := range d.Removed {
		add(report.ChangeLost, z.Lost)
	}
	shapes := map[string]orb.MultiPolygon{}
	for _, z := range sheet.Zones {
		shapes[z.ID] = z.Shape
	}
	for _, z := range d.Relevelled {
		add(report.ChangeLevel, shapes[z.Zone])
	}
	return nil
}

// fileName is what people find again: title, version, and what a draft is.
func fileName(title string, p zoning.Plan, draft string) string {
	name := fmt.Sprintf("%s_v%d", title, p.VersionNo)
	if draft != "" {
		name += "_" + draft
	}
	return strings.Map(func(c rune) rune {
		if c < 0x20 || strings.ContainsRune(`/\:*?"<>|`, c) {
			return '_'
		}
		return c
	}, name)
}

func exportFields() []report.Field {
	return []report.Field{
		{Name: "zone", Title: "单元编号", Kind: report.Text}, {Name: "code", Title: "代码", Kind: report.Text}, {Name: "name", Title: "名称", Kind: report.Text},
		{Name: "level", Title: "等级", Kind: report.Integer}, {Name: "level_name", Title: "等级名称", Kind: report.Text},
		{Name: "area_km2", Title: "面积", Unit: "km²", Kind: report.Number}, {Name: "population", Title: "人口", Unit: "人", Kind: report.Integer},
		{Name: "reason", Title: "划定理由", Kind: report.Text}, {Name: "countermeasure", Title: "防治对策", Kind: report.Text}, {Name: "responsible", Title: "责任单位", Kind: report.Text},
		{Name: "area_code", Title: "行政区划代码", Kind: report.Text},
	}
}

// planFeatures are the zones as other systems read them, with the numbers the screen
// shows.
func (s *Server) planFeatures(req *Request, p zoning.Plan, set zoning.ZoneSet) report.Features {
	snap := s.opts.Catalogue.Now()
	now := req.Received.In(snap.Location())
	out := report.Features{
		Name: "zones", Title: p.Title, Fields: exportFields(), Made: report.Made{By: takenBy(req), At: now},
		Head: [][2]string{
			{"方案", p.Title}, {"版本", fmt.Sprintf("第 %d 版", p.VersionNo)}, {"状态", planStateWords(p.State).ZH}, {"批准文号", p.DocumentNo},
			{"编制单位", p.Responsible}, {"截至", p.UpdatedAt.In(snap.Location()).Format(time.DateOnly)}, {"坐标系", "CGCS2000 (EPSG:4490)"},
		},
	}
	if p.PublishedAt == nil {
		out.Head = append(out.Head, [2]string{"注意", draftStamp(p.State, registry.Chinese) + ",未发布"})
	}
	for _, z := range set.Zones {
		var level any
		if z.Level > 0 {
			level = z.Level
		}
		out.Items = append(out.Items, report.Feature{ID: z.Zone, Shape: z.Shape.Geometry(), Values: []any{
			z.Zone, z.Code, z.Name, level, levelName(snap, p.Ladder, z.Level, registry.Chinese), z.AreaKm2, z.Population, z.Reason, z.Countermeasure, z.Responsible, p.Area,
		}})
	}
	return out
}

// getPlanExport takes the zones away as a file of another system, or everything as a
// delivery package.
func (s *Server) getPlanExport(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	format := or(req.Query.Value("format"), string(report.GeoJSON))
	encoding := report.Encoding(or(req.Query.Value("encoding"), string(report.UTF8)))
	switch report.Format(format) {
	case report.GeoJSON, report.GeoPackage, report.Shapefile, report.KML, report.CSVFile, report.XLSXFile, "package":
	default:
		return nil, invalid("format", "应为 geojson、gpkg、shp、csv、xlsx、kml 或 package", "it is geojson, gpkg, shp, csv, xlsx, kml or package")
	}
	if encoding != report.UTF8 && encoding != report.GBK {
		return nil, invalid("encoding", "应为 utf-8 或 gbk", "it is utf-8 or gbk")
	}
	done, err := s.drawing()
	if err != nil {
		return nil, err
	}
	defer done()
	set, err := s.opts.Zoning.Zones(ctx, req.Who, p.ID, nil)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "onemap-export-")
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file, err := s.planFile(ctx, req, dir, p, set, format, encoding)
	switch {
	case errors.Is(err, gdal.ErrMissing):
		return nil, fault(req, "format", "not_installed", "服务器没有安装 GDAL,不能导出此格式", "GDAL is not installed on the server; this format cannot be made")
	case err != nil:
		return nil, fmt.Errorf("export plan %s: %w", p.ID, err)
	}
	body, err := os.ReadFile(file.Path)
	if err != nil {
		return nil, fmt.Errorf("export plan %s: %w", p.ID, err)
	}
	draft := ""
	if p.PublishedAt == nil {
		draft = draftStamp(p.State, registry.Chinese)
	}
	err = s.exported(ctx, req, p, "plan.export", map[string]any{"format": format, "encoding": string(encoding), "zones": len(set.Zones), "bytes": len(body), "draft": draft, "lost": len(file.Lost)})
	if err != nil {
		return nil, err
	}
	ending := file.Name[strings.LastIndexByte(file.Name, '.')+1:]
	resp := offered(file.MediaType, fileName(p.Title, p, draft)+"."+ending, body)
	if n := len(file.Lost); n > 0 {
		resp.Set("Onemap-Lost", fmt.Sprint(n)) // texts the encoding cannot hold
	}
	return resp, nil
}

func (s *Server) planFile(ctx context.Context, req *Request, dir string, p zoning.Plan, set zoning.ZoneSet, format string, encoding report.Encoding) (report.File, error) {
	f := s.planFeatures(req, p, set)
	if format != "package" {
		if encoding == report.GBK && (format == string(report.CSVFile)) {
			encoding = report.GB18030
		}
		return report.Export(ctx, s.opts.GDAL, dir, f, report.ExportOptions{Format: report.Format(format), Encoding: encoding})
	}
	snap := s.opts.Catalogue.Now()
	rule, ok := snap.Rules["delivery_package"]
	if !ok {
		return report.File{}, errors.New("there is no rule set delivery_package")
	}
	template, err := report.ReadTemplate(rule.Body)
	if err != nil {
		return report.File{}, err
	}
	sheet, err := s.planSheet(ctx, req, p, set, registry.Chinese)
	if err != nil {
		return report.File{}, err
	}
	comments, err := s.commentTable(ctx, req, p)
	if err != nil {
		return report.File{}, err
	}
	area := ""
	if title := s.areaTitles(ctx, req).of(p.Area); title != nil {
		area = *title
	}
	return report.Package(ctx, s.opts.GDAL, dir, template, report.PackageInput{
		Words: map[string]string{
			"area_code": p.Area, "area": area, "hazard": p.Hazard, "hazard_title": hazardTitle(snap, p.Hazard, registry.Chinese), "kind": p.Kind, "kind_title": planKindWords(p.Kind).ZH,
			"title": p.Title, "version": fmt.Sprint(p.VersionNo), "date": f.Made.At.Format("20060102"),
		},
		Features: f, Sheet: &sheet, Tables: map[string]report.Table{"comments": comments}, Made: f.Made,
	})
}

// commentTable is the 意见采纳情况表.
func (s *Server) commentTable(ctx context.Context, req *Request, p zoning.Plan) (report.Table, error) {
	list, err := s.opts.Zoning.Comments(ctx, req.Who, p.ID)
	if err != nil {
		return report.Table{}, err
	}
	zone := s.opts.Catalogue.Now().Location()
	t := report.Table{
		Name: "意见采纳情况表", Title: p.Title + " 意见采纳情况表", By: takenBy(req), At: req.Received.In(zone),
		Head: [][2]string{{"版本", fmt.Sprintf("第 %d 版", p.VersionNo)}, {"状态", planStateWords(p.State).ZH}, {"截至", req.Received.In(zone).Format("2006-01-02 15:04")}},
		Columns: []report.Column{
			{Title: "序号", Kind: report.Integer}, {Title: "环节"}, {Title: "区划单元"}, {Title: "位置"}, {Title: "提出单位或人员"}, {Title: "意见", Width: 50},
			{Title: "采纳情况"}, {Title: "理由", Width: 40}, {Title: "答复人"}, {Title: "提出时间", Kind: report.Moment}, {Title: "答复时间", Kind: report.Moment},
		},
	}
	answers := map[string]int{}
	for i, c := range list {
		at := ""
		if c.At != nil {
			at = fmt.Sprintf("%.6f, %.6f", c.At[0], c.At[1])
		}
		from := c.Unit
		if from == "" {
			from = or(c.Name, c.By)
		}
		var answered any
		if c.AnsweredAt != nil {
			answered = c.AnsweredAt.In(zone)
		}
		answers[c.Answer]++
		t.Rows = append(t.Rows, []any{i + 1, roundWord(c.Round), c.ZoneName, at, from, c.Body, answerWord(c.Answer), c.Reason, c.AnsweredBy, c.CreatedAt.In(zone), answered})
	}
	t.Foot = []string{fmt.Sprintf("共 %d 条意见：采纳 %d，部分采纳 %d，未采纳 %d，未答复 %d", len(list), answers[zoning.Adopted], answers[zoning.Partly], answers[zoning.NotAdopted], answers[""])}
	return t, nil
}

func roundWord(round string) string {
	switch round {
	case "drafting":
		return "编制"
	case "consultation":
		return "征求意见"
	case "expert_review":
		return "专家评审"
	case "review":
		return "审查"
	}
	return round
}

func answerWord(answer string) string {
	switch answer {
	case zoning.Adopted:
		return "采纳"
	case zoning.Partly:
		return "部分采纳"
	case zoning.NotAdopted:
		return "未采纳"
	}
	return "未答复"
}

func (s *Server) getPlanCommentsXLSX(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	t, err := s.commentTable(ctx, req, p)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := report.XLSX(&out, t); err != nil {
		return nil, fmt.Errorf("comments of plan %s: %w", p.ID, err)
	}
	if err := s.exported(ctx, req, p, "plan.export", map[string]any{"format": "comments.xlsx", "comments": len(t.Rows)}); err != nil {
		return nil, err
	}
	return offered(string(BodyXLSX), fileName(t.Title, p, "")+".xlsx", out.Bytes()), nil
}
