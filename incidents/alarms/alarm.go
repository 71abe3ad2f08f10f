package alarms

import (
	"context"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// The states of an alarm.
const (
	Ringing      = "open"
	Acknowledged = "acknowledged"
	Assigned     = "assigned"
	Closed       = "closed"
)

// Alarm is a row of the list.
type Alarm struct {
	ID, Kind, Key, Area, Title, Detail, State string
	Level                                     int
	Count, Suppressed                         int64
	FirstAt, LastAt                           time.Time
	RefKind, RefID                            string
	Geometry                                  orb.Geometry
	Exercise                                  bool
	AckedAt, AssignedAt, ClosedAt, ClearedAt  *time.Time
	AckedAccount, AckedBy, AssignedBy         string
	Assignee, AssigneeName, ClosedBy, Note    string
	EscalateAt                                *time.Time
	Escalation                                int
	Scope                                     geo.Scope
	Version                                   int64
	UpdatedAt                                 time.Time
	FeedPosition                              string // of the change that answered it
}

// Rings says whether somebody still has to take notice.
func (a Alarm) Rings() bool { return a.State == Ringing }

// Query says which alarms.
type Query struct {
	State    string // "" is what is not closed; all, open, acknowledged, assigned, closed
	Kind     string
	Area     string
	Exercise string // "" false: real ones; true; all
	Limit    int
	Cursor   string
}

// Page are alarms: what rings first, then the more severe, then the newer.
type Page struct {
	Alarms     []Alarm
	Next       string
	Position   string
	Quiet      []QuietRule
	Open       int // of all the asker's areas
	ByLevel    map[int]int
	Suppressed int64 // signals that did not ring: repeated ones, and those of quiet rules
}

// QuietRule keeps the less severe from ringing for a time.
type QuietRule struct {
	ID, Kind, Area, Reason, By string
	Least                      int
	DailyFrom, DailyTo         string // 22:00
	Until, CreatedAt           time.Time
	Suppressed                 int64
	Scope                      geo.Scope
}

// Signal is what somebody outside says has happened: a device, another system.
type Signal struct {
	Kind, Key, Area, Title, Detail string
	Level                          int
	At                             time.Time
	Point                          *orb.Point
	Exercise                       bool
}

// MaxSignals is how many one delivery may hold.
const MaxSignals = 10_000

// Raised is what became of signals.
type Raised struct {
	Accepted int // all of them, however they were counted
	Alarms   int // rows that began
	Counted  int // that were one with an alarm that stood
	Quiet    int // kept quiet by a rule, or closed a moment ago
}

func (g *Signal) check(now time.Time, path string) []auth.Fault {
	var bad []auth.Fault
	add := func(field, code, zh, en string) {
		bad = append(bad, auth.Fault{Path: path + field, Code: code, ZH: zh, EN: en})
	}
	line := func(v string, most int) bool {
		return len([]rune(v)) <= most && !strings.ContainsAny(v, "\x00\r\n\t")
	}
	g.Title, g.Key = strings.TrimSpace(g.Title), strings.TrimSpace(g.Key)
	if g.Kind != "device" && g.Kind != "other" {
		add("kind", "unknown", "类型为 device 或 other", "the kind is device or other")
	}
	if g.Title == "" || !line(g.Title, 200) {
		add("title", "length", "标题为一行，1–200 字", "the title is one line of 1 to 200 characters")
	}
	if g.Key == "" || !line(g.Key, 120) {
		add("key", "length", "须有归并键，1–120 字", "the key they are grouped by has 1 to 120 characters")
	}
	if len([]rune(g.Detail)) > 2000 || strings.ContainsRune(g.Detail, 0) {
		add("detail", "length", "说明不超过 2000 字", "at most 2000 characters")
	}
	if g.Level < 1 || g.Level > 4 {
		add("level", "out_of_range", "级别为 1(红)至 4(蓝)", "the level is 1 (red) to 4 (blue)")
	}
	if _, err := geo.ParseScope(g.Area); err != nil {
		add("area", "not_a_code", "应为行政区划代码", "it is an administrative code")
	}
	if g.Point != nil && geo.Check(*g.Point) != nil {
		add("at", "bad_geometry", "坐标不对", "there is no such place")
	}
	if g.At.IsZero() {
		g.At = now
	}
	if g.At.After(now.Add(10 * time.Minute)) {
		add("at", "future", "时间在将来", "it is of the future")
	}
	return bad
}

// Raise takes signals. The same again is counted, not shown again; what is acknowledged
// with an answer is in the database.
func (s *Service) Raise(ctx context.Context, by auth.By, list []Signal) (Raised, error) {
	now := s.now()
	if len(list) == 0 || len(list) > MaxSignals {
		return Raised{}, &auth.Invalid{Items: []auth.Fault{{Path: "/alarms", Code: "length", ZH: "一次 1–10000 条", EN: "1 to 10000 in one delivery"}}}
	}
	type group struct{ kind, key, area string }
	at := map[group]int{}
	var order []bundle
	var bad []auth.Fault
	for i := range list {
		g := &list[i]
		if bad = append(bad, g.check(now, "/alarms/"+itoa(i)+"/")...); len(bad) > 20 {
			break
		}
		k := group{g.Kind, g.Key, g.Area}
		n, seen := at[k]
		if !seen {
			n = len(order)
			at[k] = n
			order = append(order, bundle{c: Condition{Kind: g.Kind, Key: g.Kind + ":" + g.Key, Area: g.Area, Title: g.Title, Detail: g.Detail, Level: g.Level, At: g.At, Exercise: g.Exercise}})
			if g.Point != nil {
				order[n].c.Geometry = *g.Point
			}
		}
		b := &order[n]
		b.n++
		b.c.Level = min(b.c.Level, g.Level)
		if g.At.After(b.c.At) {
			b.c.At = g.At
		}
	}
	if len(bad) > 0 {
		return Raised{}, &auth.Invalid{Items: bad}
	}
	for i := range order {
		scope, err := geo.ParseScope(order[i].c.Area)
		if err != nil {
			return Raised{}, wrap("area", err)
		}
		g, ok := by.Grant(auth.IngestObservations, scope, now)
		if !ok {
			return Raised{}, auth.ErrForbidden
		}
		order[i].scope, order[i].claims = scope, by.Writing(g)
	}
	out := Raised{Accepted: len(list)}
	err := s.raiseAll(ctx, order, &out)
	return out, wrap("raise", err)
}

// Step is what a person does with an alarm.
type Step struct {
	To      string // Acknowledged, Assigned, Closed
	Note    string
	Account string // whom it is assigned to
	Version *int64
}

// Act acknowledges, assigns or closes. Acknowledging goes without a version: it happens
// once, and whoever comes second is told who was first.
func (s *Service) Act(ctx context.Context, by auth.By, id string, step Step) (Alarm, error) {
	now := s.now()
	if by.Identity == nil || by.Account == "" || by.Kind == auth.Wall {
		return Alarm{}, auth.ErrForbidden
	}
	if !records.IsID(id) {
		return Alarm{}, auth.ErrNotFound
	}
	step.Note = strings.TrimSpace(step.Note)
	n := len([]rune(step.Note))
	if n > 2000 || strings.ContainsRune(step.Note, 0) || step.To == Closed && n < 2 {
		return Alarm{}, &auth.Invalid{Items: []auth.Fault{{Path: "/note", Code: "length", ZH: "请写明处理情况(2–2000 字)", EN: "say what was done, in 2 to 2000 characters"}}}
	}
	if step.To == Assigned && !records.IsID(step.Account) {
		return Alarm{}, &auth.Invalid{Items: []auth.Fault{{Path: "/account", Code: "unknown", ZH: "请选择承办人", EN: "say who does it"}}}
	}
	if step.To == Closed && step.Version == nil {
		return Alarm{}, auth.ErrStaleVersion
	}
	a, err := s.find(ctx, by, id)
	if err != nil {
		return a, wrap("act", err)
	}
	var g auth.Grant
	found := false
	for _, one := range by.Grants {
		sc := one.Scope()
		if !one.Valid(now) || !one.Role.May(auth.WorkDesk) && !one.Role.May(auth.CommandPost) || !sc.Overlaps(a.Scope) {
			continue
		}
		if b := g.Scope(); !found || sc.Hi-sc.Lo < b.Hi-b.Lo {
			g, found = one, true
		}
	}
	if !found {
		return a, auth.ErrForbidden
	}
	a, err = s.act(ctx, by, g, id, step)
	return a, wrap("act", err)
}

// Quieten keeps signals from ringing for a time.
func (s *Service) Quieten(ctx context.Context, by auth.By, q QuietRule) (QuietRule, error) {
	now := s.now()
	var bad []auth.Fault
	add := func(path, code, zh, en string) { bad = append(bad, auth.Fault{Path: path, Code: code, ZH: zh, EN: en}) }
	if q.Least == 0 {
		q.Least = 3
	}
	if q.Least < 2 || q.Least > 4 {
		add("/least", "out_of_range", "只能静默橙色(2)及以下，红色从不静默", "2 (orange) to 4; red is never kept quiet")
	}
	if _, ok := s.catalogue.Now().CodeLists["alarm_kind"].Item(q.Kind); q.Kind != "" && !ok {
		add("/kind", "unknown", "没有此类型", "there is no such kind")
	}
	if q.Reason = strings.TrimSpace(q.Reason); len([]rune(q.Reason)) < 2 || len([]rune(q.Reason)) > 500 {
		add("/reason", "length", "请写明原因(2–500 字)", "say why, in 2 to 500 characters")
	}
	if !q.Until.After(now) || q.Until.After(now.AddDate(0, 0, 30)) {
		add("/until", "out_of_range", "止于三十天以内", "it ends within thirty days")
	}
	clock := func(v string) bool { _, err := time.Parse("15:04", v); return err == nil }
	if (q.DailyFrom == "") != (q.DailyTo == "") || q.DailyFrom != "" && (!clock(q.DailyFrom) || !clock(q.DailyTo)) {
		add("/daily_from", "not_of_its_kind", "每日时段如 22:00 至 06:00", "hours of the day as 22:00 to 06:00")
	}
	var err error
	if q.Scope, err = geo.ParseScope(q.Area); err != nil {
		add("/area", "not_a_code", "应为行政区划代码", "it is an administrative code")
	}
	if len(bad) > 0 {
		return q, &auth.Invalid{Items: bad}
	}
	g, ok := by.Grant(auth.WorkDesk, q.Scope, now)
	if !ok || by.Account == "" {
		return q, auth.ErrForbidden
	}
	q, err = s.quieten(ctx, by, g, q)
	return q, wrap("quiet", err)
}

// Unquieten ends a rule before its time.
func (s *Service) Unquieten(ctx context.Context, by auth.By, id string) error {
	if by.Identity == nil || by.Account == "" {
		return auth.ErrForbidden
	}
	if !records.IsID(id) {
		return auth.ErrNotFound
	}
	return wrap("quiet", s.unquieten(ctx, by, id))
}
