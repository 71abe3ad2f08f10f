package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents/alerts"
	"onemap/incidents/cap"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

// Alerts are warnings: taken in, told whom they concern, passed on.
type Alerts interface {
	Take(ctx context.Context, by auth.By, in alerts.In) (alerts.Alert, bool, error)
	Alerts(ctx context.Context, who *auth.Identity, q alerts.Query) (alerts.Page, error)
	Alert(ctx context.Context, who *auth.Identity, id string) (alerts.Alert, error)
	Messages(ctx context.Context, who *auth.Identity, chain string) ([]alerts.Message, error)
	CAP(ctx context.Context, who *auth.Identity, id, identifier string) ([]byte, error)
	Targets(ctx context.Context, who *auth.Identity, id, identifier string) (alerts.Targets, error)
	Receive(ctx context.Context, by auth.By, id string, r alerts.Receipt) error
	Forward(ctx context.Context, by auth.By, id string, channels []string) ([]alerts.Outbound, error)
	Outbound(ctx context.Context, who *auth.Identity, id string) ([]alerts.Outbound, error)
	Identifier(ctx context.Context, source string, at time.Time) (string, error)
	References(ctx context.Context, by auth.By, ids []string) ([]cap.Reference, error)
	ReceiptsIn(ctx context.Context, areas geo.Scopes, ids []string) (map[string]alerts.Told, error)
}

type alertNote struct {
	Code    string `json:"code"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

type alertReceipts struct {
	Targets      int     `json:"targets"`
	Reached      int     `json:"reached"`
	Acknowledged int     `json:"acknowledged"`
	Coverage     float64 `json:"coverage"`
}

type alertAnswer struct {
	ID          string          `json:"id"`
	ETag        int64           `json:"etag"`
	FID         int64           `json:"fid"`
	Identifier  *string         `json:"identifier"`
	National    bool            `json:"national_identifier"`
	Event       *string         `json:"event"`
	EventCode   *string         `json:"event_code"`
	Hazard      *string         `json:"hazard"`
	Level       *int            `json:"level"`
	Color       *string         `json:"color"`
	Status      *string         `json:"status"`
	MsgType     *string         `json:"msg_type"`
	Sender      *string         `json:"sender"`
	SenderName  *string         `json:"sender_name"` // whom people know it by; the sender is an address
	SentAt      *time.Time      `json:"sent_at"`
	Effective   *time.Time      `json:"effective"`
	Expires     *time.Time      `json:"expires"`
	ReceivedAt  *time.Time      `json:"received_at"`
	EndedAt     *time.Time      `json:"ended_at"`
	Headline    *string         `json:"headline"`
	Description *string         `json:"description"`
	Instruction *string         `json:"instruction"`
	Urgency     *string         `json:"urgency"`
	Certainty   *string         `json:"certainty"`
	State       string          `json:"state"`
	Chain       string          `json:"chain"`
	References  []string        `json:"references"`
	AreaDesc    *string         `json:"area_desc"`
	Geocodes    []cap.Pair      `json:"geocodes"`
	Geometry    json.RawMessage `json:"geometry"`
	Area        *string         `json:"area"`
	AreaTitle   *string         `json:"area_title"`
	Exercise    bool            `json:"exercise"`
	Receipts    alertReceipts   `json:"receipts"`
	Source      *string         `json:"source"`
	Notes       []alertNote     `json:"notes"`
}

func alertLine(a alerts.Alert, areas *areaTitles, lang registry.Lang) alertAnswer {
	_, bad := cap.ParseIdentifier(a.Identifier)
	out := alertAnswer{
		ID: a.ID, ETag: a.Version, FID: a.FID, Identifier: optional(a.Identifier), National: bad == nil, Event: optional(a.Event), EventCode: optional(a.EventCode), Hazard: optional(a.Hazard),
		Level: a.Level, Color: optional(a.Color()), Status: optional(a.Status), MsgType: optional(a.MsgType), Sender: optional(a.Sender), SenderName: optional(a.SenderName), SentAt: a.SentAt, Effective: a.Effective, Expires: a.Expires,
		ReceivedAt: a.Received, EndedAt: a.End, Headline: optional(a.Headline), Description: optional(a.Description), Instruction: optional(a.Instruction), Urgency: optional(a.Urgency), Certainty: optional(a.Certainty),
		State: a.State, Chain: a.Chain, References: filled(a.Refs), AreaDesc: optional(a.AreaDesc), Geocodes: filled(a.Geocodes), Geometry: geometryJSON(a.Geometry),
		Area: optional(codeOf(a.Scope)), AreaTitle: areas.of(codeOf(a.Scope)), Exercise: a.Exercise, Source: optional(a.Source), Notes: []alertNote{},
		Receipts: alertReceipts{Targets: a.Targets, Reached: a.Reached, Acknowledged: a.Acknowledged},
	}
	if a.Targets > 0 {
		out.Receipts.Coverage = float64(a.Acknowledged) / float64(a.Targets)
	}
	for _, n := range a.Notes {
		out.Notes = append(out.Notes, alertNote{n.Code, n.Path, text(n.ZH, n.EN).In(lang)})
	}
	return out
}

// notPublic is said wherever somebody might take passing on for issuing.
func notPublic() Text {
	return text("本系统只接收、转发和叫应预警，不向公众发布；公众发布由预警信息发布中心负责。", "This system takes warnings in, passes them on and calls people out; it does not release them to the public: that is the 预警信息发布中心's.")
}

func (s *Server) getAlerts(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := alerts.Query{State: req.Query.Value("state"), Area: req.Query.Value("area"), Exercise: req.Query.Value("exercise"), Chain: req.Query.Value("chain"), Limit: limit, Cursor: cursor}
	if q.State != "" && !slices.Contains(alerts.States(), q.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if _, given := req.Query.Get("level"); given {
		if q.Level, err = wholeNumber(req.Query, "level", 1, 4); err != nil {
			return nil, err
		}
	}
	page, err := s.opts.Alerts.Alerts(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]alertAnswer, 0, len(page.Alerts))
	for _, a := range page.Alerts {
		out = append(out, alertLine(a, areas, req.Lang))
	}
	byLevel := map[string]int{}
	for l, n := range page.ByLevel {
		byLevel[fmt.Sprint(l)] = n
	}
	return private(map[string]any{"alerts": out, "counts": map[string]any{"active": page.Active, "by_level": byLevel}, "next": optional(page.Next), "position": page.Position, "statement": notPublic().In(req.Lang)})
}

type alertMessageAnswer struct {
	ID         string    `json:"id"`
	Alert      string    `json:"alert"`
	Identifier string    `json:"identifier"`
	Sender     string    `json:"sender"`
	MsgType    string    `json:"msg_type"`
	SentAt     time.Time `json:"sent_at"`
	ReceivedAt time.Time `json:"received_at"`
	By         string    `json:"by"`
}

func alertMessage(m alerts.Message) alertMessageAnswer {
	return alertMessageAnswer{m.ID, m.Alert, m.Identifier, m.Sender, m.MsgType, m.SentAt, m.ReceivedAt, m.Name}
}

type alertDetail struct {
	alertAnswer
	Messages  []alertMessageAnswer `json:"messages"`
	Statement string               `json:"statement"`
}

func (s *Server) alertResponse(ctx context.Context, req *Request, a alerts.Alert) (*Response, error) {
	list, err := s.opts.Alerts.Messages(ctx, req.Who, a.Chain)
	if err != nil {
		return nil, err
	}
	out := alertDetail{alertLine(a, s.areaTitles(ctx, req), req.Lang), []alertMessageAnswer{}, notPublic().In(req.Lang)}
	for _, m := range list {
		out.Messages = append(out.Messages, alertMessage(m))
	}
	return versioned(out, a.Version)
}

func (s *Server) getAlert(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	a, err := s.opts.Alerts.Alert(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return s.alertResponse(ctx, req, a)
}

// getAlertXML answers CAP 1.2.
func (s *Server) getAlertXML(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	body, err := s.opts.Alerts.CAP(ctx, req.Who, strings.ToLower(id), req.Query.Value("message"))
	if err != nil {
		return nil, err
	}
	return &Response{Type: "application/cap+xml; charset=utf-8", Body: body, Cache: privateNoStore}, nil
}

// alertBody is a warning somebody writes down: by telephone, from paper.
type alertBody struct {
	Identifier  string          `json:"identifier"`
	Sender      string          `json:"sender"`
	SenderName  string          `json:"sender_name"` // the sender, or this office, where it is empty
	Source      string          `json:"source"`
	MsgType     string          `json:"msg_type"`
	References  []string        `json:"references"`
	Event       string          `json:"event"`
	EventCode   string          `json:"event_code"`
	Level       int             `json:"level"`
	SentAt      *time.Time      `json:"sent_at"`
	Effective   *time.Time      `json:"effective"`
	Expires     *time.Time      `json:"expires"`
	Headline    string          `json:"headline"`
	Description string          `json:"description"`
	Instruction string          `json:"instruction"`
	AreaDesc    string          `json:"area_desc"`
	Geocodes    []cap.Pair      `json:"geocodes"`
	Geometry    json.RawMessage `json:"geometry"`
	Exercise    bool            `json:"exercise"`
}

type alertTaken struct {
	ID         string `json:"id"`
	Identifier string `json:"identifier"`
	State      string `json:"state"`
	Statement  string `json:"statement"`
}

// postAlert takes a warning in: CAP, or JSON.
func (s *Server) postAlert(ctx context.Context, req *Request) (*Response, error) {
	var in alerts.In
	var err error
	if strings.HasPrefix(req.contentType, string(BodyJSON)) {
		in, err = s.alertIn(ctx, req)
	} else {
		in, err = alerts.Read(req.body)
	}
	if err != nil {
		return nil, err
	}
	if v := req.Query.Value("source"); v != "" {
		in.Source = v
	}
	for fix := range strings.SplitSeq(req.Query.Value("fix"), ",") {
		switch fix {
		case "":
		case "swap":
			in.Swap = true
		case "close":
			in.Close = true
		case "none":
			in.Keep = true
		default:
			return nil, invalid("fix", "应为 swap(对调经纬度)、close(闭合多边形)或 none(照原样)", "it is swap, close or none")
		}
	}
	a, made, err := s.opts.Alerts.Take(ctx, s.by(req), in)
	if err != nil {
		return nil, err
	}
	if a.State == "cancelled" {
		// It was taken whatever comes of this; what is missed here is ended by the next sweep.
		if _, err := s.opts.Evacuation.EndCancelled(ctx); err != nil {
			s.opts.Logger.ErrorContext(ctx, "call-outs of a cancelled warning were not ended", "alert", a.ID, "err", err)
		}
	}
	var resp *Response
	if req.Who.Kind == auth.Token && !slices.Contains(req.Who.Scopes, "read") {
		// A program that only delivers is told that it was taken, and no more.
		resp, err = private(alertTaken{a.ID, a.Identifier, a.State, notPublic().In(req.Lang)})
	} else {
		resp, err = s.alertResponse(ctx, req, a)
	}
	if err != nil {
		return nil, err
	}
	if made {
		resp.Status = 201
		resp.Set("Location", "/api/alerts/"+a.ID)
	}
	if a.FeedPosition != "" {
		resp.Set("Onemap-Seq", a.FeedPosition)
	}
	return resp, nil
}

// alertIn makes a message of what somebody wrote down.
func (s *Server) alertIn(ctx context.Context, req *Request) (alerts.In, error) {
	var b alertBody
	if bad := readJSON(req, &b); bad != nil {
		return alerts.In{}, bad
	}
	if b.Level < 0 || b.Level > 4 {
		return alerts.In{}, fault(req, "level", "out_of_range", "级别应为 1(红)到 4(蓝)", "the level is 1 (red) to 4 (blue)")
	}
	stamp := func(t *time.Time, or time.Time) time.Time {
		if t == nil {
			return or
		}
		return t.Truncate(time.Second)
	}
	zone := s.opts.Catalogue.Now().Location()
	now := req.Received.In(zone).Truncate(time.Second)
	m := &cap.Message{Identifier: b.Identifier, Sender: b.Sender, Sent: stamp(b.SentAt, now), Status: cap.Actual, MsgType: b.MsgType, Scope: "Public"}
	if m.MsgType == "" {
		m.MsgType = cap.Alert
	}
	if !slices.Contains([]string{cap.Alert, cap.Update, cap.Cancel}, m.MsgType) {
		return alerts.In{}, fault(req, "msg_type", "unknown", "应为 Alert、Update 或 Cancel", "it is Alert, Update or Cancel")
	}
	if b.Exercise {
		m.Status = cap.Exercise
	}
	var err error
	if m.Identifier == "" {
		if m.Identifier, err = s.opts.Alerts.Identifier(ctx, b.Source, m.Sent); err != nil {
			return alerts.In{}, err
		}
	}
	if m.Sender == "" {
		m.Sender = "onemap"
	}
	if len(b.References) > 100 {
		return alerts.In{}, fault(req, "references", "count", "引用不超过 100 条", "at most 100 references")
	}
	if len(b.References) > 0 {
		if m.References, err = s.opts.Alerts.References(ctx, s.by(req), b.References); err != nil {
			return alerts.In{}, err
		}
	}
	info := cap.Info{Language: "zh-CN", Categories: []string{"Other"}, Event: b.Event, Urgency: "Unknown", Certainty: "Unknown", Severity: [...]string{"Unknown", "Extreme", "Severe", "Moderate", "Minor"}[b.Level],
		SenderName: cmp.Or(strings.TrimSpace(b.SenderName), strings.TrimSpace(b.Sender), s.office(ctx, req, "")), Headline: b.Headline, Description: b.Description, Instruction: b.Instruction, Effective: stamp(b.Effective, time.Time{}), Expires: stamp(b.Expires, time.Time{})}
	if b.EventCode != "" {
		info.EventCodes = []cap.Pair{{Name: "GB/T 35561", Value: b.EventCode}}
	}
	area := cap.Area{Desc: b.AreaDesc, Geocodes: b.Geocodes}
	if area.Desc == "" {
		area.Desc = b.Headline
	}
	in := alerts.In{Message: m, Source: b.Source, Original: req.body}
	if len(b.Geometry) > 0 && string(b.Geometry) != "null" {
		limits := geo.EditLimits()
		limits.Projected = true // numbers the wrong way round are told with the repair
		g, err := geo.ParseGeoJSON(b.Geometry, limits)
		if err != nil {
			return in, fault(req, "geometry", "invalid", "区域应为 GeoJSON 多边形", "the area is a GeoJSON polygon")
		}
		holes := false
		switch g := g.(type) {
		case orb.Polygon:
			area.Polygons, holes = []orb.Ring{g[0]}, len(g) > 1
		case orb.MultiPolygon:
			for _, p := range g {
				area.Polygons, holes = append(area.Polygons, p[0]), holes || len(p) > 1
			}
		default:
			return in, fault(req, "geometry", "invalid", "区域应为 GeoJSON 多边形", "the area is a GeoJSON polygon")
		}
		if holes {
			in.Found = append(in.Found, cap.Finding{Code: "holes_dropped", Path: "geometry", ZH: "CAP 的区域没有洞，已按外轮廓接收", EN: "an area of CAP has no holes: the outline was taken"})
		}
	}
	info.Areas = []cap.Area{area}
	if m.MsgType != cap.Cancel {
		m.Infos = []cap.Info{info}
	}
	return in, nil
}

// alertProblem is a message that was not taken: everything found, and what to do.
func alertProblem(lang registry.Lang, err error) *Error {
	r, ok := errors.AsType[*alerts.Refused](err)
	if !ok {
		return nil
	}
	e := wrap(CodeInvalid, err)
	if slices.ContainsFunc(r.Findings, func(f cap.Finding) bool { return f.Code == cap.CodeNotXML }) {
		e = wrap(CodeInvalidBody, err, text("不是格式良好的 XML", "it is not well-formed XML")) // nothing of it could be read
	}
	for _, f := range r.Findings {
		if !f.Fatal {
			continue
		}
		message := text(f.ZH, f.EN).In(lang)
		if r.Close && f.Code == cap.CodeOpenRing {
			message += text("。可加 ?fix=close 由系统闭合", ": repeat with ?fix=close to have it closed").In(lang)
		}
		e.Items = append(e.Items, Item{Path: f.Path, Code: f.Code, Message: message})
	}
	if w := r.Swap; w != nil {
		side := func(b orb.Bound, on bool, units int) swapSide {
			return swapSide{[]float64{b.Min[1], b.Max[1]}, []float64{b.Min[0], b.Max[0]}, on, units}
		}
		evidence, err := json.Marshal(swapProposal{
			Fix: "swap", AsGiven: side(w.Given, w.GivenOnEarth, w.Units), Swapped: side(w.Swapped, true, w.SwappedUnits), Area: optional(w.Area), AreaTitle: optional(w.AreaTitle),
			Geometry: geometryJSON(w.GeometryIfSwaped),
			Message:  text("照原样读取不在本地，对调经纬度后落在本地。确认后以 ?fix=swap 重新提交", "As given it lies nowhere near; with latitude and longitude exchanged it does. Repeat with ?fix=swap").In(lang),
		})
		if err != nil {
			return wrap(CodeInternal, err)
		}
		e.Swap = evidence
	}
	return e
}

// swapProposal is the evidence that latitude and longitude were exchanged.
type swapProposal struct {
	Fix       string          `json:"fix"`
	AsGiven   swapSide        `json:"as_given"`
	Swapped   swapSide        `json:"swapped"`
	Area      *string         `json:"area"`
	AreaTitle *string         `json:"area_title"`
	Geometry  json.RawMessage `json:"geometry"`
	Message   string          `json:"message"`
}

// swapSide is what an area is, read one way round.
type swapSide struct {
	Lat          []float64 `json:"lat"`
	Lon          []float64 `json:"lon"`
	OnEarth      bool      `json:"on_earth"`
	UnitsTouched int       `json:"units_touched"`
}
