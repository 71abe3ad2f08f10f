package api

import (
	"context"
	"strings"
	"time"

	"onemap/incidents"
	"onemap/internal/registry"
)

type upwardAnswer struct {
	ID         string          `json:"id"`
	Incident   string          `json:"incident"`
	Seq        int             `json:"seq"`
	Kind       string          `json:"kind"`
	KindTitle  string          `json:"kind_title"`
	Channel    string          `json:"channel"`
	Content    string          `json:"content"`
	Figures    incidentFigures `json:"figures"`
	ToLevel    string          `json:"to_level"`
	ToTitle    string          `json:"to_title"`
	SentAt     time.Time       `json:"sent_at"`
	RecordedAt time.Time       `json:"recorded_at"`
	// Backdated was written down more than ten minutes after it is said to have been sent.
	Backdated bool    `json:"backdated"`
	Late      bool    `json:"late"`
	Corrects  *string `json:"corrects"`
	SHA256    string  `json:"sha256"`
	By        string  `json:"by"`
}

func (s *Server) upwardLine(e incidents.Entry, lang registry.Lang) upwardAnswer {
	snap := s.opts.Catalogue.Now()
	return upwardAnswer{
		ID: e.ID, Incident: e.Incident, Seq: e.Seq, Kind: e.Kind, KindTitle: codeTitle(snap, "entry_kind", e.Kind, lang), Channel: e.Channel, Content: e.Content, Figures: incidentFigures(e.Figures),
		ToLevel: e.ToLevel, ToTitle: codeTitle(snap, "command_level", e.ToLevel, lang), SentAt: e.SentAt, RecordedAt: e.RecordedAt, Backdated: e.Backdated(), Late: e.Late,
		Corrects: optional(e.Corrects), SHA256: e.SHA256, By: or(e.Name, e.Actor),
	}
}

func (s *Server) getIncidentReports(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Incidents.Entries(ctx, req.Who, i.ID)
	if err != nil {
		return nil, err
	}
	out := make([]upwardAnswer, 0, len(list))
	for _, e := range list {
		out = append(out, s.upwardLine(e, req.Lang))
	}
	return private(map[string]any{"reports": out})
}

type upwardBody struct {
	ID       string           `json:"id"`
	Kind     string           `json:"kind"`
	Channel  string           `json:"channel"`
	Content  string           `json:"content"`
	Figures  *incidentFigures `json:"figures"`
	ToLevel  string           `json:"to_level"`
	SentAt   *time.Time       `json:"sent_at"`
	Corrects string           `json:"corrects"`
}

// sentAnswer is a report that was sent, and the incident as it is now.
type sentAnswer struct {
	upwardAnswer

	IncidentNow incidentAnswer `json:"incident_now"`
}

func (s *Server) postIncidentReport(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	var b upwardBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := incidents.NewEntry{ID: b.ID, Kind: b.Kind, Channel: b.Channel, ToLevel: b.ToLevel, Content: b.Content, SentAt: b.SentAt, Corrects: b.Corrects}
	if b.Figures != nil {
		f := b.Figures.figures()
		n.Figures = &f
	}
	e, i, made, err := s.opts.Incidents.Send(ctx, s.by(req), i.ID, n)
	if err != nil {
		return nil, err
	}
	resp, err := private(sentAnswer{s.upwardLine(e, req.Lang), s.incidentLine(i, s.areaTitles(ctx, req), req.Lang)})
	if err != nil {
		return nil, err
	}
	if made {
		resp.Status = 201
		resp.Set("Location", "/api/incidents/"+i.ID+"/reports")
	}
	if i.FeedPosition != "" {
		resp.Set("Onemap-Seq", i.FeedPosition)
	}
	return resp, nil
}

// patchIncidentReport tells whoever wants to change a report that was sent what to do.
func (s *Server) patchIncidentReport(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	return nil, s.opts.Incidents.AmendRefused(ctx, s.by(req), i.ID, req.Param(1))
}

// getFirstText is the first report as text, to copy.
func (s *Server) getFirstText(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	area, unit := "", ""
	if t := areas.of(codeOf(i.Scope)); t != nil {
		area = *t
	}
	if req.Who.SignedIn() && req.Who.Unit != "" {
		if t := areas.of(req.Who.Unit); t != nil {
			unit = *t
		}
	}
	resp := document200("text/plain; charset=utf-8", []byte(incidents.FirstText(i, s.opts.Catalogue.Now(), area, unit, req.Received)))
	resp.Cache, resp.ETag = privateNoStore, ""
	return resp, nil
}

type incidentEvent struct {
	ID         string         `json:"id"`
	Incident   string         `json:"incident"`
	At         time.Time      `json:"at"`
	RecordedAt time.Time      `json:"recorded_at"`
	Kind       string         `json:"kind"`
	Title      string         `json:"title"`
	Detail     *string        `json:"detail"`
	Fields     map[string]any `json:"fields"`
	By         string         `json:"by"`
	Ref        *string        `json:"ref"`
}

// incidentEventTitle is what a line of the timeline is called.
func (s *Server) incidentEventTitle(e incidents.Event, lang registry.Lang) string {
	snap := s.opts.Catalogue.Now()
	named := func(list, key string) string {
		code, _ := e.Fields[key].(string)
		return codeTitle(snap, list, code, lang)
	}
	levelWord := func(key string) string {
		n, _ := e.Fields[key].(float64)
		return levelName(snap, "warning_4", int(n), lang)
	}
	number, _ := e.Fields["number"].(string)
	key := "title_zh"
	if lang == registry.English {
		key = "title_en"
	}
	clock, _ := e.Fields[key].(string)
	words := map[string]Text{
		"received": text("接报 ", "Received "), "edited": text("修改", "Edited"), "figures": text("更新数据", "Figures"), "note": text("记事", "Note"),
		"placed": text("上图定位", "Placed on the map"), "moved": text("调整位置", "Moved"), "state": text("转为", "Now "), "level": text("定级 ", "Level confirmed: "),
		"level_proposed": text("系统建议级别 ", "Level proposed: "), "report": text("报送", "Reported: "), "clock_late": text("迟报 ", "Late: "), "clock_done": text("完成 ", "Done: "),
		"clock_started": text("调整起算 ", "Start moved: "), "merged": text("并入 ", "Merged into "), "absorbed": text("并入了 ", "Took in "), "unmerged": text("撤销合并", "Merge undone"),
		"released": text("撤销并入 ", "Let go "), "sketch_drawn": text("标绘 ", "Drawn: "), "sketch_changed": text("修改标绘 ", "Redrawn: "), "sketch_erased": text("删除标绘 ", "Erased: "),
	}
	w, ok := words[e.Kind]
	if !ok {
		return e.Kind
	}
	after := ""
	switch e.Kind {
	case "received", "merged", "absorbed", "released":
		after = number
	case "state":
		after = named("incident_state", "to")
	case "level":
		after = levelWord("to")
	case "level_proposed":
		after = levelWord("level")
	case "report":
		after = named("entry_kind", "kind")
		if lang != registry.English {
			after = " " + after
		}
	case "clock_late", "clock_done", "clock_started":
		after = clock
	case "sketch_drawn", "sketch_changed", "sketch_erased":
		after = named("sketch_kind", "kind")
	}
	return strings.TrimSpace(w.In(lang) + after)
}

func (s *Server) incidentEventLine(e incidents.Event, lang registry.Lang) incidentEvent {
	return incidentEvent{
		ID: e.ID, Incident: e.Incident, At: e.At, RecordedAt: e.RecordedAt, Kind: e.Kind, Title: s.incidentEventTitle(e, lang), Detail: optional(e.Detail), Fields: e.Fields,
		By: or(e.Name, e.Actor), Ref: optional(e.Ref),
	}
}

func (s *Server) getIncidentTimeline(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Incidents.Timeline(ctx, req.Who, i.ID)
	if err != nil {
		return nil, err
	}
	out := make([]incidentEvent, 0, len(list))
	for _, e := range list {
		out = append(out, s.incidentEventLine(e, req.Lang))
	}
	return private(map[string]any{"entries": out})
}

type timelineBody struct {
	At   *time.Time `json:"at"`
	Text string     `json:"text"`
}

func (s *Server) postIncidentTimeline(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	var b timelineBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if i, err = s.opts.Incidents.Note(ctx, s.by(req), i.ID, b.At, b.Text); err != nil {
		return nil, err
	}
	resp, err := s.getIncidentTimeline(ctx, req)
	if err == nil {
		resp.Status = 201
		if i.FeedPosition != "" {
			resp.Set("Onemap-Seq", i.FeedPosition)
		}
	}
	return resp, err
}
