package api

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"onemap/incidents"
	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Reports are 险情 and 灾情 at the duty desk.
type Reports interface {
	Reports(ctx context.Context, who *auth.Identity, q incidents.Query) (incidents.Page, error)
	Open(ctx context.Context, by auth.By, id string) (incidents.Report, error)
	Step(ctx context.Context, by auth.By, id string, version *int64, step incidents.Step) (incidents.Report, error)
	ByIDs(ctx context.Context, areas geo.Scopes, ids []string) (map[string]incidents.Report, error)
}

// whoAnswer is a person beside a record.
type whoAnswer struct {
	Account *string `json:"account"`
	Name    string  `json:"name"`
}

type reportAnswer struct {
	ID          string          `json:"id"`
	ETag        int64           `json:"etag"`
	Kind        string          `json:"kind"`
	Urgency     string          `json:"urgency"`
	State       string          `json:"state"`
	Grid        *string         `json:"grid"`
	Place       *string         `json:"place"`
	Description *string         `json:"description"`
	Trapped     *int            `json:"trapped"`
	Deaths      *int            `json:"deaths"`
	Missing     *int            `json:"missing"`
	Injured     *int            `json:"injured"`
	Affected    *int            `json:"affected"`
	Houses      *int            `json:"houses"`
	LossWan     *float64        `json:"loss_wan"`
	Geometry    json.RawMessage `json:"geometry"`
	Position    []float64       `json:"device_position"`
	AccuracyM   *float64        `json:"accuracy_m"`
	Doubts      []string        `json:"doubts"`
	Area        *string         `json:"area"`
	AreaTitle   *string         `json:"area_title"`
	CapturedAt  time.Time       `json:"captured_at"`
	ReceivedAt  time.Time       `json:"received_at"`
	Photos      []string        `json:"photos"`
	By          whoAnswer       `json:"by"`
	SeenBy      *string         `json:"seen_by"`
	SeenAt      *time.Time      `json:"seen_at"`
	TakenBy     *string         `json:"taken_by"`
	TakenAt     *time.Time      `json:"taken_at"`
	EndedBy     *string         `json:"ended_by"`
	EndedAt     *time.Time      `json:"ended_at"`
	Note        *string         `json:"note"`
	Alarm       bool            `json:"alarm"`
	// UnattendedS is how long nobody took it, once that is too long.
	UnattendedS *int      `json:"unattended_s"`
	UpdatedAt   time.Time `json:"updated_at"`
}

func reportLine(r incidents.Report, areas *areaTitles) reportAnswer {
	a := reportAnswer{
		ID: r.ID, ETag: r.Version, Kind: r.Kind, Urgency: r.Urgency, State: r.State, Grid: optional(r.Grid), Place: optional(r.Place), Description: optional(r.Description),
		Trapped: r.Trapped, Deaths: r.Deaths, Missing: r.Missing, Injured: r.Injured, Affected: r.Affected, Houses: r.Houses, LossWan: r.LossWan,
		Geometry: geometryJSON(r.Geometry), Position: positionOrNil(r.Position), AccuracyM: r.AccuracyM, Doubts: filled(r.Doubts), Area: optional(codeOf(r.Scope)),
		CapturedAt: r.CapturedAt, ReceivedAt: r.ReceivedAt, Photos: filled(r.Photos), By: whoAnswer{optional(r.Account), r.Name},
		SeenBy: optional(r.SeenBy), SeenAt: r.SeenAt, TakenBy: optional(r.TakenBy), TakenAt: r.TakenAt, EndedBy: optional(r.EndedBy), EndedAt: r.EndedAt, Note: optional(r.Note),
		Alarm: r.Alarm(), UpdatedAt: r.UpdatedAt, AreaTitle: areas.of(codeOf(r.Scope)),
	}
	if waited := r.Unattended(areas.now); waited > 0 {
		n := int(waited.Seconds())
		a.UnattendedS = &n
	}
	return a
}

// filled is never null in an answer.
func filled[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// codeOf is the administrative code a scope stands for, "" for everywhere and what is
// none.
func codeOf(s geo.Scope) string {
	const digits = 15
	family := s.Lo / 1_000_000_000_000_000
	for _, n := range []int{2, 4, 6, 9, 12, 15, 5, 8, 11} {
		width := int64(math.Pow10(digits - n))
		if s.Hi-s.Lo+1 != width || family < 1 {
			continue
		}
		text := []byte(strings.Repeat("0", n))
		code := (s.Lo - family*1_000_000_000_000_000) / width
		for i := n - 1; i >= 0 && code > 0; i-- {
			text[i] = byte('0' + code%10)
			code /= 10
		}
		if again, err := geo.ParseScope(string(text)); err == nil && again == s {
			return string(text)
		}
	}
	return ""
}

func (s *Server) getReports(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := incidents.Query{State: req.Query.Value("state"), Urgency: req.Query.Value("urgency"), Area: req.Query.Value("area"), Limit: min(limit, 500), Cursor: cursor}
	if q.State != "" && !slices.Contains(incidents.States(), q.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if q.Urgency != "" && q.Urgency != incidents.Urgent && q.Urgency != incidents.Damage {
		return nil, invalid("urgency", "应为 urgent 或 damage", "it is urgent or damage")
	}
	if v, given := req.Query.Get("since"); given {
		at, ok := instant(v)
		if !ok {
			return nil, invalid("since", "应为带时区的时间", "it is a time with its zone")
		}
		q.Since = at
	}
	if q.Alarm, err = said(req.Query, "alarm"); err != nil {
		return nil, err
	}
	page, err := s.opts.Reports.Reports(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]reportAnswer, 0, len(page.Reports))
	for _, r := range page.Reports {
		out = append(out, reportLine(r, areas))
	}
	return private(map[string]any{"reports": out, "alarms": page.Alarms, "take_after_s": int(page.TakeAfter.Seconds()), "next": optional(page.Next), "position": page.Position})
}

// said reads true or false; false where it is not given.
func said(q Query, name string) (bool, error) {
	switch v, given := q.Get(name); {
	case !given || v == "false":
		return false, nil
	case v == "true":
		return true, nil
	}
	return false, invalid(name, "应为 true 或 false", "it is true or false")
}

func (s *Server) reportResponse(ctx context.Context, req *Request, r incidents.Report) (*Response, error) {
	resp, err := versioned(reportLine(r, s.areaTitles(ctx, req)), r.Version)
	if err == nil && r.FeedPosition != "" {
		resp.Set("Onemap-Seq", r.FeedPosition)
	}
	return resp, err
}

// getReport opens a report at the desk, by which it has been seen.
func (s *Server) getReport(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	r, err := s.opts.Reports.Open(ctx, s.by(req), strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return s.reportResponse(ctx, req, r)
}

type stepBody struct {
	To   string `json:"to"`
	Note string `json:"note"`
}

// postReportStep changes the state. Seeing and taking go without If-Match: they happen
// once, whoever comes second is told, and 险情 does not wait for a page to be read again.
func (s *Server) postReportStep(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b stepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	var version *int64
	if req.ifMatch != "" || b.To != incidents.Seen && b.To != incidents.Taken {
		v, err := ifMatch(req)
		if err != nil {
			return nil, err
		}
		version = &v
	}
	r, err := s.opts.Reports.Step(ctx, s.by(req), strings.ToLower(id), version, incidents.Step{To: b.To, Note: b.Note})
	if err != nil {
		return nil, err
	}
	return s.reportResponse(ctx, req, r)
}
