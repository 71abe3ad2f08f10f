package api

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/impact"
	"onemap/internal/registry"
	"onemap/internal/report"
)

// impactPaper is the paper of an answer: the same figures in the same words as the text
// to copy and the screen.
func (s *Server) impactPaper(a *impact.Answer, req *Request, title string) report.Paper {
	snap := s.opts.Catalogue.Now()
	loc := snap.Location()
	w := impactWriter{snap, registry.Chinese}
	at := a.At.In(loc).Format("2006-01-02 15:04")
	p := report.Paper{Title: "影响估算", At: req.Received.In(loc), By: req.Actor, Exercise: a.Target.Exercise, Mark: "估算 非上报数"}
	snap.Setting("watermark", &p.Watermark)
	if a.Target.Title != "" {
		p.Title = a.Target.Title + " 影响估算"
	}
	if title != "" {
		p.Title = title
	}
	p.Head = append(p.Head, [2]string{"范围", targetWords(a.Target)}, [2]string{"截至", at})
	if a.AsOf != nil {
		p.Head = append(p.Head, [2]string{"按当时所知", a.AsOf.In(loc).Format("2006-01-02 15:04:05")})
	}
	add := func(heading string, lines ...string) {
		var kept []string
		for _, l := range lines {
			if l != "" {
				kept = append(kept, l)
			}
		}
		if len(kept) > 0 {
			p.Blocks = append(p.Blocks, report.PaperBlock{Heading: heading, Text: strings.Join(kept, "\n")})
		}
	}
	if q := a.People; q != nil {
		add("一、人口", peopleWords(a)...)
		p.Figures = append(p.Figures, report.PaperFigure{Title: "涉及人口", Value: fmt.Sprintf("%d 人", q.Total), Kind: "估算", AsOf: at, Method: basisWords(q.Method, q.Basis, registry.Chinese), Source: sourceNames(a)})
	}
	var units []string
	for _, u := range a.Admin {
		name := or(u.Title, "未能落到村(社区)的部分")
		whole := "部分"
		if u.Whole {
			whole = "全部"
		}
		if u.Code == "" {
			units = append(units, fmt.Sprintf("%s %d 人", name, u.People))
		} else {
			units = append(units, fmt.Sprintf("%s %d 人（%s，占面积 %.0f%%）", name, u.People, whole, 100*u.Share))
		}
	}
	add("二、涉及村（社区）", listed(units, 60))
	add("三、房屋与重点对象", w.objectWords(a)...)
	add("四、道路与生命线", w.networkWords(a)...)
	add("五、避难场所", w.shelterWords(a)...)
	add("六、就近力量", w.nearWords(a)...)
	var persons []string
	for _, r := range a.Persons {
		persons = append(persons, strings.TrimSpace(strings.Join(nonEmptyWords(r.Area, r.Unit, r.Post, r.Name, r.Phone), " ")))
	}
	add("七、责任人", listed(persons, 60))
	var others []string
	for _, n := range a.Neighbours {
		others = append(others, n.Title)
	}
	add("八、24 小时内邻近事件", listed(others, 20))
	p.Notes = append(p.Notes, impactStatement(a, registry.Chinese), "合计由未取整的和四舍五入；分项按最大余数法凑整，余数相同者依编码由小到大。")
	return p
}

func targetWords(t impact.Target) string {
	area := fmt.Sprintf("%.2f 平方千米", t.AreaM2/1e6)
	switch t.Basis {
	case "buffer":
		return fmt.Sprintf("缓冲 %.0f 米，%s", t.BufferM, area)
	case "rings", "rings_by_kind":
		var r []string
		for _, x := range t.Rings {
			r = append(r, fmt.Sprintf("%.0f", x.RadiusM))
		}
		by := ""
		if t.Basis == "rings_by_kind" {
			by = "（按事件类型）"
		}
		return "影响圈 " + strings.Join(r, "/") + " 米" + by + "，" + area
	case "affected_area":
		return "标绘的影响范围，" + area
	}
	return area
}

func nonEmptyWords(parts ...string) (out []string) {
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// listed joins what fits and says how many there are in all.
func listed(list []string, most int) string { return listedOf(list, most, len(list)) }

func listedOf(list []string, most, total int) string {
	if len(list) == 0 {
		return ""
	}
	shown := list[:min(most, len(list))]
	if len(shown) == total {
		return strings.Join(shown, "；") + "。"
	}
	return strings.Join(shown, "；") + fmt.Sprintf("；等 %d 项。", total)
}

// sourceNames are the data sets the people come from.
func sourceNames(a *impact.Answer) string {
	var names []string
	for _, d := range a.Datasets {
		if d.People {
			names = append(names, d.Title)
		}
	}
	if len(names) > 2 {
		return names[0] + fmt.Sprintf(" 等 %d 项", len(names))
	}
	return strings.Join(names, "、")
}

func peopleWords(a *impact.Answer) []string {
	p := a.People
	lines := []string{fmt.Sprintf("约 %d 人（估算，范围 %d–%d 人）。", p.Total, p.Low, p.High)}
	names := map[string]string{"children": "15 岁以下", "adults": "15 至 59 岁", "elderly": "60 岁以上", "unknown": "年龄不详"}
	var parts []string
	for _, g := range p.Groups {
		parts = append(parts, fmt.Sprintf("%s %d 人", names[g.Name], g.Count))
	}
	if len(parts) > 1 {
		lines = append(lines, "其中 "+strings.Join(parts, "、")+"。")
	}
	parts = nil
	for _, m := range p.ByMethod {
		unit := "人"
		if m.Basis == "households" {
			unit = "户"
		}
		parts = append(parts, fmt.Sprintf("%s %d %s", basisWords(m.Method, m.Basis, registry.Chinese), m.Count, unit))
	}
	if len(parts) > 0 {
		lines = append(lines, "按口径："+strings.Join(parts, "；")+"。")
	}
	if n := a.Vulnerable["total"]; n > 0 {
		// What the data does not say is left out: it is not 0.
		var kinds []string
		for _, k := range [][2]string{{"elderly_alone", "独居老人"}, {"disabled", "残疾人"}, {"bedridden", "失能卧床"}, {"children_left", "留守儿童"}, {"pregnant", "孕产妇"}, {"low_income", "低收入"}} {
			if v, known := a.Vulnerable[k[0]]; known {
				kinds = append(kinds, fmt.Sprintf("%s %d", k[1], v))
			}
		}
		lines = append(lines, fmt.Sprintf("重点人群约 %d 人%s。", n, prefixed("：", strings.Join(kinds, "、"))))
	}
	for i, r := range a.Target.Rings {
		from := 0.0
		if i > 0 {
			from = a.Target.Rings[i-1].RadiusM
		}
		lines = append(lines, fmt.Sprintf("%.0f–%.0f 米圈内约 %d 人。", from, r.RadiusM, r.People))
	}
	return lines
}

func (w impactWriter) counted(section, name string, k *impact.Kinds) string {
	if k == nil {
		return ""
	}
	if k.Total == 0 {
		return name + " 0 处。"
	}
	var parts []string
	for _, x := range k.By {
		parts = append(parts, fmt.Sprintf("%s %d", w.title(section, x.Code), x.Count))
	}
	return fmt.Sprintf("%s %d 处：%s。", name, k.Total, strings.Join(parts, "、"))
}

func (w impactWriter) objectWords(a *impact.Answer) []string {
	var lines []string
	if b := a.Buildings; b != nil {
		line := fmt.Sprintf("房屋 %d 栋，建筑面积 %.1f 万平方米", b.Count, b.FloorM2/1e4)
		if b.Danger > 0 {
			line += fmt.Sprintf("，其中 C、D 级危房 %d 栋", b.Danger)
		}
		lines = append(lines, line+"。")
	}
	lines = append(lines, w.counted("facilities", "重要设施", a.Facilities), w.counted("key_places", "重点场所", a.KeyPlaces), w.counted("enterprises", "企业", a.Enterprise), w.counted("hazard_sources", "重大危险源", a.Sources))
	if a.Sources != nil && len(a.Sources.Items) > 0 {
		var names []string
		for _, it := range a.Sources.Items {
			names = append(names, fmt.Sprintf("%s（%s）", it.Title, or(w.title("hazard_sources", it.Kind), "未定级")))
		}
		lines = append(lines, "危险源："+listedOf(names, 15, a.Sources.Total))
	}
	return append(lines, w.counted("hazards", "致灾隐患点", a.Hazards), w.counted("waterworks", "水利工程", a.Waterworks))
}

func (w impactWriter) networkWords(a *impact.Answer) []string {
	var lines []string
	if a.RoadsSeen {
		var parts []string
		sum := 0.0
		for _, l := range a.Roads {
			sum += l.Metres
			parts = append(parts, fmt.Sprintf("%s %.1f", w.title("roads", l.Class), l.Metres/1000))
		}
		lines = append(lines, fmt.Sprintf("道路 %.1f 千米%s。", sum/1000, prefixed("：", strings.Join(parts, "、"))))
	}
	if len(a.Lifelines) > 0 {
		var parts []string
		for _, l := range a.Lifelines {
			parts = append(parts, fmt.Sprintf("%s %.1f 千米、节点 %d 处", w.title("lifelines", l.Class), l.Metres/1000, l.Points))
		}
		lines = append(lines, "生命线："+strings.Join(parts, "；")+"。")
	}
	if a.BlocksSeen {
		var parts []string
		for _, b := range a.Blocks {
			where := fmt.Sprintf("距 %.0f 米", b.DistanceM)
			if b.Inside {
				where = "范围内"
			}
			parts = append(parts, fmt.Sprintf("%s（%s）", or(b.Title, "未命名路段"), where))
		}
		if len(parts) == 0 {
			parts = []string{"无记录"}
		}
		lines = append(lines, "道路阻断："+listed(parts, 20))
	}
	return lines
}

func prefixed(p, s string) string {
	if s == "" {
		return ""
	}
	return p + s
}

func (w impactWriter) shelterWords(a *impact.Answer) []string {
	if a.Shelters == nil {
		return nil
	}
	s := a.Shelters
	var in, out []string
	for _, it := range s.Inside.Items {
		in = append(in, it.Title)
	}
	for _, r := range s.Outside {
		free := "余量不详"
		if r.Free != nil {
			free = fmt.Sprintf("余 %d 个", *r.Free)
		}
		by := fmt.Sprintf("步行 %.0f 米约 %.0f 分钟", r.NetworkM, math.Ceil(r.Minutes))
		if r.By != "road" {
			by = fmt.Sprintf("直线 %.0f 米（路网不通或不详）", r.DistanceM)
		}
		out = append(out, fmt.Sprintf("%s（%s，%s）", r.Title, free, by))
	}
	lines := []string{fmt.Sprintf("范围内 %d 处不可用，容量 %.0f 人%s", s.Inside.Total, s.Inside.Amount, or(prefixed("：", listedOf(in, 20, s.Inside.Total)), "。"))}
	if len(out) == 0 {
		return append(lines, "范围外没有可用的避难场所。")
	}
	return append(lines, "范围外最近且有余量："+listed(out, 10))
}

func (w impactWriter) nearWords(a *impact.Answer) []string {
	var lines []string
	for _, x := range []struct {
		name string
		near *impact.Near
	}{{"队伍", a.Teams}, {"物资库", a.Warehouses}} {
		if x.near == nil {
			continue
		}
		var parts []string
		for _, r := range x.near.Items {
			by := fmt.Sprintf("车程约 %.0f 分钟", math.Ceil(r.Minutes))
			if r.By != "road" {
				by = fmt.Sprintf("直线 %.1f 千米", r.DistanceM/1000)
			}
			parts = append(parts, fmt.Sprintf("%s（%s）", r.Title, by))
		}
		lines = append(lines, x.name+"："+or(listed(parts, 10), "没有。"))
	}
	return lines
}

// impactText is the answer as text to copy.
func (s *Server) impactText(a *impact.Answer, req *Request) string {
	return report.PaperText(s.impactPaper(a, req, ""))
}

// impactOnPaper asks and prints, and records what leaves the house.
func (s *Server) impactOnPaper(ctx context.Context, req *Request, format string) (report.Paper, error) {
	var b impactBody
	if err := readJSON(req, &b); err != nil {
		return report.Paper{}, err
	}
	if len([]rune(b.Title)) > 100 {
		return report.Paper{}, fault(req, "title", "too_long", "至多 100 个字", "it has at most 100 characters")
	}
	size := report.Size(or(b.Map, string(report.A4)))
	if size != report.A4 && size != report.A3 && size != "none" {
		return report.Paper{}, fault(req, "map", "unknown", "应为 A4、A3 或 none", "it is A4, A3 or none")
	}
	a, _, err := s.askImpact(ctx, req, &b)
	if err != nil {
		return report.Paper{}, err
	}
	object := "impact"
	if a.Target.ID != "" {
		object = a.Target.Kind + "s/" + a.Target.ID
	}
	total := 0
	if a.People != nil {
		total = a.People.Total
	}
	e := audit.Entry{Action: "impact.paper", Object: object, Outcome: audit.Done, After: map[string]any{"format": format, "area_m2": math.Round(a.Target.AreaM2), "people": total}}
	e.Doer = s.by(req).Doer(auth.Grant{})
	if err := s.opts.Audit.Note(ctx, req.Who.Reading(), e); err != nil {
		return report.Paper{}, err
	}
	p := s.impactPaper(a, req, b.Title)
	if format != "pdf" || size == "none" {
		return p, nil
	}
	sheet, err := s.impactSheet(ctx, req, a, p, size)
	if err != nil {
		return report.Paper{}, err
	}
	p.Maps = append(p.Maps, sheet)
	return p, nil
}

// impactSheet is the map of the area: what is inside, ring by ring where there are rings,
// with the estimate of each, and where people can go, on the ground as the asker sees it.
func (s *Server) impactSheet(ctx context.Context, req *Request, a *impact.Answer, p report.Paper, size report.Size) (report.Sheet, error) {
	snap := s.opts.Catalogue.Now()
	at := a.At.In(snap.Location())
	sheet := report.Sheet{
		Title: p.Title, Subtitle: "影响范围图（估算，非上报数）", Size: size, Lang: "zh", Area: a.Target.Shape, LevelTitle: "影响范围（人数为估算）", MadeAt: p.At, AsOf: at.Format("2006-01-02 15:04"),
		Basis: "人数为估算，不是上报数；面积按 CGCS2000 椭球面计算", Source: sourceNames(a), Watermark: p.Watermark,
	}
	if a.Target.Exercise {
		sheet.Draft = "演练"
	}
	if snap.Setting("map_approval", &sheet.MapNumber); sheet.MapNumber == "" {
		sheet.Mark = "内部资料"
	}
	people := func(n int) *int64 {
		if a.People == nil {
			return nil
		}
		v := int64(n)
		return &v
	}
	add := func(level int, name, colour string, texture report.Texture, areaM2 float64, n *int64, shape orb.MultiPolygon) error {
		l := report.Level{Level: level, Name: name, Texture: texture, Count: 1, AreaM2: areaM2, People: n}
		var err error
		l.Colour, err = report.ParseColour(colour, "")
		if a.Target.AreaM2 > 0 {
			l.Share = areaM2 / a.Target.AreaM2
		}
		sheet.Levels = append(sheet.Levels, l)
		sheet.Zones = append(sheet.Zones, report.Zone{ID: strconv.Itoa(level), Name: name, Level: level, Shape: shape})
		return err
	}
	var err error
	if len(a.Target.Rings) == 0 {
		total := 0
		if a.People != nil {
			total = a.People.Total
		}
		err = add(1, "影响范围", "#D9544D", report.Diagonal, a.Target.AreaM2, people(total), a.Target.Shape)
	}
	colours, textures := []string{"#C0392B", "#E67E22", "#F1C40F", "#5DADE2", "#76D7C4", "#BDC3C7"}, []report.Texture{report.Cross, report.Diagonal, report.Dots, report.Plain, report.Plain, report.Plain}
	inner := 0.0
	for i, r := range a.Target.Rings {
		if err == nil {
			err = add(i+1, fmt.Sprintf("%.0f 米内", r.RadiusM), colours[min(i, len(colours)-1)], textures[min(i, len(textures)-1)], r.AreaM2-inner, people(r.People), r.Band)
		}
		inner = r.AreaM2
	}
	if err != nil {
		return sheet, err
	}
	if err := s.ground(ctx, req, snap, &sheet); err != nil {
		return sheet, err
	}
	if a.Shelters != nil {
		for _, r := range a.Shelters.Outside[:min(len(a.Shelters.Outside), 10)] {
			if r.At != nil {
				sheet.Places = append(sheet.Places, report.Place{Class: report.PlaceVillage, Name: "避难：" + r.Title, At: *r.At})
			}
		}
	}
	return sheet, nil
}

func (s *Server) postImpactPDF(ctx context.Context, req *Request) (*Response, error) {
	done, err := s.drawing()
	if err != nil {
		return nil, err
	}
	defer done()
	p, err := s.impactOnPaper(ctx, req, "pdf")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := report.PaperPDF(ctx, &out, p); err != nil {
		return nil, err
	}
	return offered("application/pdf", p.Title+".pdf", out.Bytes()), nil
}

func (s *Server) postImpactDOCX(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.impactOnPaper(ctx, req, "docx")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := report.PaperDOCX(&out, p); err != nil {
		return nil, err
	}
	return offered("application/vnd.openxmlformats-officedocument.wordprocessingml.document", p.Title+".docx", out.Bytes()), nil
}

func (s *Server) postImpactText(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.impactOnPaper(ctx, req, "txt")
	if err != nil {
		return nil, err
	}
	return &Response{Type: "text/plain; charset=utf-8", Body: []byte(report.PaperText(p)), Cache: privateNoStore}, nil
}
