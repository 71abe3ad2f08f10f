package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents/alarms"
	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Alarms are what rings in the command room.
type Alarms interface {
	Alarms(ctx context.Context, who *auth.Identity, q alarms.Query) (alarms.Page, error)
	Raise(ctx context.Context, by auth.By, list []alarms.Signal) (alarms.Raised, error)
	Act(ctx context.Context, by auth.By, id string, step alarms.Step) (alarms.Alarm, error)
	Quieten(ctx context.Context, by auth.By, q alarms.QuietRule) (alarms.QuietRule, error)
	Unquieten(ctx context.Context, by auth.By, id string) error
	ByIDs(ctx context.Context, areas geo.Scopes, ids []string) ([]alarms.Alarm, error)
}

// limitAlarms leaves room for 10,000 of them.
const limitAlarms = 4 << 20

type alarmRef struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

type alarmAnswer struct {
	ID          string          `json:"id"`
	ETag        int64           `json:"etag"`
	Kind        string          `json:"kind"`
	Key         string          `json:"key"`
	Title       string          `json:"title"`
	Detail      *string         `json:"detail"`
	Level       int             `json:"level"`
	Area        *string         `json:"area"`
	AreaTitle   *string         `json:"area_title"`
	Count       int64           `json:"count"`
	Suppressed  int64           `json:"suppressed"`
	FirstAt     time.Time       `json:"first_at"`
	LastAt      time.Time       `json:"last_at"`
	State       string          `json:"state"`
	Rings       bool            `json:"rings"`
	By          *string         `json:"by"` // who acknowledged it
	AckedAt     *time.Time      `json:"acked_at"`
	Assignee    *string         `json:"assignee"`
	AssigneeBy  *string         `json:"assigned_by"`
	AssignedAt  *time.Time      `json:"assigned_at"`
	ClosedBy    *string         `json:"closed_by"`
	ClosedAt    *time.Time      `json:"closed_at"`
	ClearedAt   *time.Time      `json:"cleared_at"`
	Note        *string         `json:"note"`
	EscalateAt  *time.Time      `json:"escalate_at"`
	Escalation  int             `json:"escalation"`
	EscalatedTo *string         `json:"escalated_to"`
	Exercise    bool            `json:"exercise"`
	Ref         *alarmRef       `json:"ref"`
	Geometry    json.RawMessage `json:"geometry"`
	UpdatedAt   time.Time       `json:"updated_at"`
}

// stepsUp are whom an alarm goes to that nobody took.
func stepsUp() []string { return []string{"", "leader", "commander"} }

func alarmLine(a alarms.Alarm, areas *areaTitles) alarmAnswer {
	if a.Area == "" {
		a.Area = codeOf(a.Scope)
	}
	out := alarmAnswer{
		ID: a.ID, ETag: a.Version, Kind: a.Kind, Key: a.Key, Title: a.Title, Detail: optional(a.Detail), Level: a.Level, Area: optional(a.Area), AreaTitle: areas.of(a.Area), Count: a.Count, Suppressed: a.Suppressed,
		FirstAt: a.FirstAt, LastAt: a.LastAt, State: a.State, Rings: a.Rings(), By: optional(a.AckedBy), AckedAt: a.AckedAt, Assignee: optional(a.AssigneeName), AssigneeBy: optional(a.AssignedBy), AssignedAt: a.AssignedAt,
		ClosedBy: optional(a.ClosedBy), ClosedAt: a.ClosedAt, ClearedAt: a.ClearedAt, Note: optional(a.Note), EscalateAt: a.EscalateAt, Escalation: a.Escalation,
		EscalatedTo: optional(stepsUp()[min(a.Escalation, 2)]), Exercise: a.Exercise, Geometry: geometryJSON(a.Geometry), UpdatedAt: a.UpdatedAt,
	}
	if a.RefKind != "" {
		out.Ref = &alarmRef{a.RefKind, a.RefID}
	}
	return out
}

type quietAnswer struct {
	ID         string    `json:"id"`
	Kind       *string   `json:"kind"`
	Area       *string   `json:"area"`
	AreaTitle  *string   `json:"area_title"`
	Least      int       `json:"least"`
	DailyFrom  *string   `json:"daily_from"`
	DailyTo    *string   `json:"daily_to"`
	Until      time.Time `json:"until"`
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	Suppressed int64     `json:"suppressed"`
	CreatedAt  time.Time `json:"created_at"`
}

func quietLine(q alarms.QuietRule, areas *areaTitles) quietAnswer {
	return quietAnswer{q.ID, optional(q.Kind), optional(q.Area), areas.of(q.Area), q.Least, optional(q.DailyFrom), optional(q.DailyTo), q.Until, q.Reason, q.By, q.Suppressed, q.CreatedAt}
}

func (s *Server) getAlarms(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := alarms.Query{State: req.Query.Value("state"), Kind: req.Query.Value("kind"), Area: req.Query.Value("area"), Exercise: req.Query.Value("exercise"), Limit: min(limit, 500), Cursor: cursor}
	if !slices.Contains([]string{"", "all", alarms.Ringing, alarms.Acknowledged, alarms.Assigned, alarms.Closed}, q.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if !slices.Contains([]string{"", "true", "false", "all"}, q.Exercise) {
		return nil, invalid("exercise", "应为 true、false 或 all", "it is true, false or all")
	}
	page, err := s.opts.Alarms.Alarms(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	list := make([]alarmAnswer, len(page.Alarms))
	for i, a := range page.Alarms {
		list[i] = alarmLine(a, areas)
	}
	quiet := make([]quietAnswer, len(page.Quiet))
	for i, r := range page.Quiet {
		quiet[i] = quietLine(r, areas)
	}
	levels := map[string]int{"1": page.ByLevel[1], "2": page.ByLevel[2], "3": page.ByLevel[3], "4": page.ByLevel[4]}
	return private(map[string]any{"alarms": list, "next": optional(page.Next), "position": page.Position, "quiet": quiet, "open": page.Open, "by_level": levels, "suppressed_total": page.Suppressed})
}

type signalBody struct {
	Kind     string    `json:"kind"`
	Key      string    `json:"key"`
	Title    string    `json:"title"`
	Detail   string    `json:"detail"`
	Level    int       `json:"level"`
	Area     string    `json:"area"`
	At       string    `json:"at"`
	Position []float64 `json:"position"`
	Exercise bool      `json:"exercise"`
}

// postAlarms takes signals of devices and other systems. The same again is counted.
func (s *Server) postAlarms(ctx context.Context, req *Request) (*Response, error) {
	var b struct {
		Alarms []signalBody `json:"alarms"`
	}
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	list := make([]alarms.Signal, len(b.Alarms))
	for i, g := range b.Alarms {
		list[i] = alarms.Signal{Kind: g.Kind, Key: g.Key, Title: g.Title, Detail: g.Detail, Level: g.Level, Area: g.Area, Exercise: g.Exercise}
		if g.At != "" {
			at, ok := instant(g.At)
			if !ok {
				return nil, invalid("at", "应为带时区的时间", "it is a time with its zone")
			}
			list[i].At = at
		}
		if g.Position != nil {
			if len(g.Position) != 2 {
				return nil, invalid("position", "应为 [经度, 纬度]", "it is [longitude, latitude]")
			}
			list[i].Point = &orb.Point{g.Position[0], g.Position[1]}
		}
	}
	out, err := s.opts.Alarms.Raise(ctx, s.by(req), list)
	if err != nil {
		return nil, err
	}
	return private(map[string]any{"accepted": out.Accepted, "alarms": out.Alarms, "counted": out.Counted, "quiet": out.Quiet})
}

type alarmStepBody struct {
	Note    string `json:"note"`
	Account string `json:"account"`
}

// alarmStep acknowledges, assigns or closes. Only closing asks for If-Match: an alarm is
// acknowledged at once, and whoever comes second is told who was first.
func (s *Server) alarmStep(to string) HandlerFunc {
	return func(ctx context.Context, req *Request) (*Response, error) {
		id, bad := req.id()
		if bad != nil {
			return nil, bad
		}
		var b alarmStepBody
		if err := readJSON(req, &b); err != nil {
			return nil, err
		}
		step := alarms.Step{To: to, Note: b.Note, Account: strings.ToLower(b.Account)}
		if to == alarms.Closed || to == alarms.Assigned && req.ifMatch != "" {
			v, err := ifMatch(req)
			if err != nil {
				return nil, err
			}
			step.Version = &v
		}
		a, err := s.opts.Alarms.Act(ctx, s.by(req), strings.ToLower(id), step)
		if err != nil {
			return nil, err
		}
		resp, err := versioned(alarmLine(a, s.areaTitles(ctx, req)), a.Version)
		if err == nil && a.FeedPosition != "" {
			resp.Set("Onemap-Seq", a.FeedPosition)
		}
		return resp, err
	}
}

type quietBody struct {
	Kind      string `json:"kind"`
	Area      string `json:"area"`
	Least     int    `json:"least"`
	DailyFrom string `json:"daily_from"`
	DailyTo   string `json:"daily_to"`
	Minutes   int    `json:"minutes"`
	Until     string `json:"until"`
	Reason    string `json:"reason"`
}

// postQuiet keeps the less severe from ringing for a time.
func (s *Server) postQuiet(ctx context.Context, req *Request) (*Response, error) {
	var b quietBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	q := alarms.QuietRule{Kind: b.Kind, Area: b.Area, Least: b.Least, DailyFrom: b.DailyFrom, DailyTo: b.DailyTo, Reason: b.Reason}
	switch at, ok := instant(b.Until); {
	case ok && b.Minutes == 0:
		q.Until = at
	case b.Until == "" && b.Minutes > 0 && b.Minutes <= 30*24*60:
		q.Until = req.Received.Add(time.Duration(b.Minutes) * time.Minute)
	default:
		return nil, invalid("until", "写 minutes(分钟)或 until(带时区的时间)之一", "give minutes, or until as a time with its zone")
	}
	q, err := s.opts.Alarms.Quieten(ctx, s.by(req), q)
	if err != nil {
		return nil, err
	}
	return created(quietLine(q, s.areaTitles(ctx, req)))
}

func (s *Server) deleteQuiet(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if err := s.opts.Alarms.Unquieten(ctx, s.by(req), strings.ToLower(id)); err != nil {
		return nil, err
	}
	return noContent(), nil
}
