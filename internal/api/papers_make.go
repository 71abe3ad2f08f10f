package api

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"onemap/incidents"
	"onemap/incidents/contingency"
	"onemap/incidents/papers"
	"onemap/incidents/response"
	"onemap/internal/auth"
	"onemap/internal/registry"
	"onemap/internal/report"
)

// paperReader reads the figures of a paper: those of its area, the same whoever asks for
// it. Whoever reads the paper reads what is sensitive there himself.
func paperReader(area string, now time.Time) *auth.Identity {
	const nobody = "00000000-0000-0000-0000-000000000000"
	g := auth.Grant{ID: nobody, Account: nobody, Role: auth.Commander, Area: area, From: now.Add(-time.Minute)}
	id := &auth.Identity{Kind: auth.Session, Account: nobody, Username: "papers", Name: "papers", Grants: []auth.Grant{g}}
	id.Reach = auth.ReachOf(id.Grants, now, 0)
	return id
}

// figuresOf are the figures of a paper as they are now. known is false where what it is
// about is not to be seen any more: then nothing is compared.
func (s *Server) figuresOf(ctx context.Context, req *Request, p papers.Paper) (figures []papers.Figure, known bool, err error) {
	m, err := s.material(ctx, req, p)
	if err != nil {
		return nil, false, err
	}
	m.Figures = append(m.Figures, p.Estimates...)
	known = (p.Incident == "" || m.Incident != nil) && (p.Response == "" || m.Response != nil)
	return m.Figures, known, nil
}

// material gathers what a paper tells of, from those who know.
func (s *Server) material(ctx context.Context, req *Request, p papers.Paper) (papers.Material, error) {
	snap, now := s.opts.Catalogue.Now(), req.Received
	zone := snap.Location()
	m := papers.Material{Zone: zone, Now: now, Area: p.Area, Exercise: p.Exercise}
	if title := s.areaTitles(ctx, req).of(p.Area); title != nil {
		m.Area = *title
	}
	if p.Area == "" {
		m.Area = snap.Home().Title
	}
	if p.Kind == papers.Handover {
		if p.From == nil || p.To == nil {
			return m, nil
		}
		b, err := s.opts.Papers.Brief(ctx, req.Who, p.Area, *p.From, *p.To, p.Exercise)
		if err != nil {
			return m, err
		}
		m.Brief, m.Figures = &b, b.Counts.Figures(*p.From, *p.To, now, zone)
		return m, nil
	}
	who := paperReader(p.Area, now)
	if p.Incident != "" {
		i, err := s.opts.Incidents.Incident(ctx, who, p.Incident)
		if err != nil && !unseen(err) {
			return m, err
		}
		if err == nil {
			m.Incident = s.incidentFacts(i)
			m.Figures = append(m.Figures, incidentFigureList(i)...)
		}
	}
	if p.Response != "" {
		if err := s.responseMaterial(ctx, who, p.Response, &m); err != nil {
			return m, err
		}
	}
	return m, s.movedFigures(ctx, who, p, &m)
}

func (s *Server) incidentFacts(i incidents.Incident) *papers.IncidentFacts {
	snap := s.opts.Catalogue.Now()
	f := &papers.IncidentFacts{
		Title: i.Title, Number: i.Number, Kind: codeTitle(snap, "incident_kind", i.Kind, registry.Chinese), Place: i.Place, Description: i.Description,
		Source: codeTitle(snap, "incident_source", i.Source, registry.Chinese), OccurredAt: i.OccurredAt, KnownAt: i.KnownAt,
	}
	if i.Level >= 1 && i.Level <= 4 {
		f.Level = []string{"特别重大", "重大", "较大", "一般"}[i.Level-1]
	}
	return f
}

func figureValue[T int | float64](v *T) *float64 {
	if v == nil {
		return nil
	}
	f := float64(*v)
	return &f
}

// incidentFigureList are the figures of an incident as they were reported.
func incidentFigureList(i incidents.Incident) []papers.Figure {
	at := i.UpdatedAt
	if i.FiguresAt != nil {
		at = *i.FiguresAt
	}
	source := i.Title
	if i.Number != "" {
		source += "（" + i.Number + "）"
	}
	one := func(key, title string, v *float64, unit string) papers.Figure {
		return papers.Figure{Key: key, Title: title, Value: v, Unit: unit, Method: "逐级上报，取最近一次报告的数；未报的为无数据", AsOf: at.UTC().Truncate(time.Second), Source: source, Kind: papers.KindReported}
	}
	f, out := i.Figures, []papers.Figure{}
	if f.Magnitude != nil { // of an earthquake only
		out = append(out, one("magnitude", "震级", f.Magnitude, "级"))
	}
	return append(out,
		one("deaths", "死亡", figureValue(f.Deaths), "人"), one("missing", "失联", figureValue(f.Missing), "人"), one("injured", "受伤", figureValue(f.Injured), "人"),
		one("affected", "受灾", figureValue(f.Affected), "人"), one("evacuated", "紧急转移", figureValue(f.Evacuated), "人"), one("loss_wan", "直接经济损失", figureValue(f.LossWan), "万元"),
	)
}

// romanLevel is how an office writes the level of a response; the database keeps it 1 to 4.
func romanLevel(n int) string { return []string{"Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ"}[min(max(n, 1), 4)-1] }

// responseMaterial adds what was ordered and how far its tasks are.
func (s *Server) responseMaterial(ctx context.Context, who *auth.Identity, id string, m *papers.Material) error {
	r, err := s.opts.Responses.Response(ctx, who, id)
	if unseen(err) {
		return nil
	}
	if err != nil {
		return err
	}
	m.Response = &papers.ResponseFacts{
		Title: r.Title, Level: romanLevel(r.Level), State: r.State, SignedBy: r.SignedBy, DocumentNumber: r.DocumentNumber, Lead: r.Lead, Condition: r.Condition, StartedAt: r.StartedAt,
	}
	for _, h := range r.History {
		m.Response.Orders = append(m.Response.Orders, papers.OrderFact{Act: h.Act, Level: romanLevel(h.Level), SignedBy: h.SignedBy, DocumentNumber: h.DocumentNumber, At: h.At})
	}
	list, _, err := s.opts.Contingency.Tasks(ctx, who, contingency.TaskQuery{Response: id, Limit: 1000})
	if err != nil {
		return err
	}
	at, done, late := m.Now.UTC().Truncate(time.Second), 0, 0
	for _, t := range list {
		l := papers.TaskLine{Action: t.Action, Unit: t.Unit, State: t.State, Late: t.Late(m.Now)}
		if t.ClosedAt != nil {
			l.State = contingency.Closed
		}
		if m.Tasks = append(m.Tasks, l); l.Late {
			late++
		}
		if t.State == contingency.Done {
			done++
		}
	}
	if r.State == response.Drafted {
		return nil
	}
	for _, f := range []struct {
		key, title string
		n          int
	}{{"tasks_total", "响应任务", len(list)}, {"tasks_done", "已完成任务", done}, {"tasks_late", "超时任务", late}} {
		m.Figures = append(m.Figures, papers.Figure{Key: f.key, Title: f.title, Value: figureValue(&f.n), Unit: "项", Method: "预案条款生成的任务，按单位回报计", AsOf: at, Source: r.Title, Kind: papers.KindReported})
	}
	return nil
}

// paperSheet is a paper as it is printed: what is frozen as it was, a draft as it stands.
func (s *Server) paperSheet(ctx context.Context, req *Request, p papers.Paper) (report.Paper, error) {
	snap := s.opts.Catalogue.Now()
	zone, figures := snap.Location(), p.Figures
	stamp := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.In(zone).Format("2006-01-02 15:04")
	}
	now, known, err := s.figuresOf(ctx, req, p)
	if err != nil {
		return report.Paper{}, err
	}
	if !p.Frozen() {
		figures = now
	}
	out := report.Paper{Office: s.office(ctx, req, p.Area), Title: p.Title, Number: p.Number, Exercise: p.Exercise, At: req.Received.In(zone), By: takenBy(req)}
	switch p.State {
	case papers.Draft, papers.Reviewed:
		out.Mark = "草稿 未签发"
	case papers.Reported:
		out.Mark = "先报待签"
	}
	if p.Addressee != "" {
		out.Head = append(out.Head, [2]string{"主送", p.Addressee})
	}
	if p.From != nil && p.To != nil {
		out.Head = append(out.Head, [2]string{"时段", stamp(p.From) + " 至 " + stamp(p.To)})
	}
	for _, b := range p.Blocks {
		out.Blocks = append(out.Blocks, report.PaperBlock{Heading: b.Title, Text: papers.Filled(b.Text, figures)})
	}
	estimates := false
	for _, f := range figures {
		kind := "上报"
		if f.Kind == papers.KindEstimate {
			kind, estimates = "估算", true
		}
		out.Figures = append(out.Figures, report.PaperFigure{Title: f.Title, Value: f.Shown(), Kind: kind, AsOf: f.AsOf.In(zone).Format("01-02 15:04"), Method: f.Method, Source: f.Source})
	}
	sign := func(what, who string, at *time.Time) {
		if who != "" {
			out.Signatures = append(out.Signatures, [2]string{what, who + " " + stamp(at)})
		}
	}
	sign("起草", p.Name, &p.CreatedAt)
	sign("审核", p.ReviewedBy, p.ReviewedAt)
	sign("先报", p.ReportedBy, p.ReportedAt)
	if p.Consulted != "" {
		duty := "（不在值班表上）"
		if p.ConsultedOnDuty != nil && *p.ConsultedOnDuty {
			duty = "（值班表上带班）"
		}
		out.Signatures = append(out.Signatures, [2]string{"请示", p.Consulted + duty})
	}
	signed := "签发"
	if p.ReportedAt != nil {
		signed = "补签"
		if p.Late {
			signed = "补签（逾期）"
		}
	}
	sign(signed, p.SignedBy, p.SignedAt)
	if p.Frozen() {
		out.Notes = append(out.Notes, "数据于 "+stamp(p.FrozenAt)+" 固定。校验 SHA-256 "+p.SHA256)
		if known && p.Kind != papers.Handover {
			for _, c := range papers.ChangedSince(p.Figures, now) {
				out.Notes = append(out.Notes, fmt.Sprintf("签发后有变化：%s 由 %s 变为 %s（截至 %s）。", c.Title, shown(c.Then, c.Unit), shown(c.Now, c.Unit), c.AsOf.In(zone).Format("01-02 15:04")))
			}
		}
	}
	if estimates {
		out.Notes = append(out.Notes, "“估算”由系统按口径推算，不是上报数。")
	}
	var mark string
	if snap.Setting("watermark", &mark) {
		out.Watermark = mark
	}
	return out, nil
}

func shown(v *float64, unit string) string {
	return papers.Figure{Value: v, Unit: unit}.Shown()
}

// office is who a paper is of: the county that is mapped, or the area.
func (s *Server) office(ctx context.Context, req *Request, area string) string {
	name := s.opts.Catalogue.Now().Home().Title
	if title := s.areaTitles(ctx, req).of(area); title != nil {
		name = *title
	}
	return name + "应急指挥部"
}

// printPaper writes a paper in one of its forms.
func printPaper(ctx context.Context, out *bytes.Buffer, p report.Paper, kind string) (media string, err error) {
	switch kind {
	case "pdf":
		return "application/pdf", report.PaperPDF(ctx, out, p)
	case "docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document", report.PaperDOCX(out, p)
	}
	out.WriteString(report.PaperText(p))
	return "text/plain; charset=utf-8", nil
}
