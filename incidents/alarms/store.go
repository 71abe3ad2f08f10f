package alarms

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

func itoa(n int) string { return strconv.Itoa(n) }

// bundle is a signal that came n times, on its way into the table.
type bundle struct {
	c      Condition
	n      int64
	scope  geo.Scope
	claims db.Claims
}

// local is the time of day where the office is.
func (s *Service) local(t time.Time) string {
	return t.In(s.catalogue.Now().Location()).Format("15:04:05")
}

// raiseAll counts each bundle in a transaction of its own: a long delivery holds no row
// for long.
func (s *Service) raiseAll(ctx context.Context, list []bundle, out *Raised) error {
	for _, b := range list {
		err := s.db.Intake.Tx(ctx, b.claims, func(tx pgx.Tx) error { return s.raise(ctx, tx, b, out) })
		if err != nil {
			return err
		}
	}
	return nil
}

// raise counts a signal with the alarm that stands, or begins one.
func (s *Service) raise(ctx context.Context, tx pgx.Tx, b bundle, out *Raised) error {
	now, r := s.now(), s.rules()
	c := b.c
	var id string
	err := tx.QueryRow(ctx, s.queries.Get("quiet_hit"), b.scope, c.Kind, c.Level, now, b.n, s.local(now)).Scan(&id)
	if err == nil {
		out.Quiet++
		return nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	// Begun, closed and counted by others meanwhile: a second look finds how it stands.
	for range 5 {
		var g any
		if c.Geometry != nil {
			g = geo.Shape{Geometry: c.Geometry}
		}
		err = tx.QueryRow(ctx, s.queries.Get("recent"), c.Key, b.scope, now, r.WindowS, c.Level).Scan(&id)
		switch {
		case err == nil:
			var standing, title, detail, ref string
			var level int
			var cleared bool
			if err := tx.QueryRow(ctx, s.queries.Get("standing"), c.Key, b.scope).Scan(&standing, &level, &title, &detail, &ref, &cleared); errors.Is(err, pgx.ErrNoRows) {
				out.Quiet++
				_, err = tx.Exec(ctx, s.queries.Get("count"), id, b.n, c.At)
				return err
			} else if err != nil {
				return err
			}
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		err = tx.QueryRow(ctx, s.queries.Get("begin"), c.Kind, c.Key, c.Area, b.scope, c.Title, c.Detail, c.Level, b.n, c.At, c.RefKind, c.RefID, g, c.Exercise, now, r.patience(c.Level)).Scan(&id)
		if err == nil {
			out.Alarms++
			_, err = tx.Exec(ctx, s.queries.Get("begin_count"), id, b.n, c.At)
			return err
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var title, detail, ref string
		var level int
		var cleared bool
		err = tx.QueryRow(ctx, s.queries.Get("standing"), c.Key, b.scope).Scan(&id, &level, &title, &detail, &ref, &cleared)
		if errors.Is(err, pgx.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, s.queries.Get("count"), id, b.n, c.At)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			continue
		}
		out.Counted++
		if c.Level < level {
			_, err = tx.Exec(ctx, s.queries.Get("worse"), id, c.Level, c.Title, c.Detail, now, r.patience(c.Level))
		}
		return err
	}
	return fmt.Errorf("alarm %s is begun and closed faster than it can be counted", c.Key)
}

// tell brings a condition that holds to its alarm: counted when it moved on, said anew
// when it is told otherwise.
func (s *Service) tell(ctx context.Context, tx pgx.Tx, b bundle, out *Raised) error {
	var id, title, detail, ref string
	var level int
	var cleared bool
	err := tx.QueryRow(ctx, s.queries.Get("standing"), b.c.Key, b.scope).Scan(&id, &level, &title, &detail, &ref, &cleared)
	if errors.Is(err, pgx.ErrNoRows) {
		return s.raise(ctx, tx, b, out)
	}
	if err != nil {
		return err
	}
	var last time.Time
	if err := tx.QueryRow(ctx, s.queries.Get("counted_at"), id).Scan(&last); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if b.c.At.Truncate(time.Microsecond).After(last) {
		if _, err := tx.Exec(ctx, s.queries.Get("count"), id, b.n, b.c.At); err != nil {
			return err
		}
		out.Counted++
	}
	if b.c.Level < level {
		_, err = tx.Exec(ctx, s.queries.Get("worse"), id, b.c.Level, b.c.Title, b.c.Detail, s.now(), s.rules().patience(b.c.Level))
		return err
	}
	if title != b.c.Title || detail != b.c.Detail || level != b.c.Level || cleared {
		var g any
		if b.c.Geometry != nil {
			g = geo.Shape{Geometry: b.c.Geometry}
		}
		_, err = tx.Exec(ctx, s.queries.Get("retell"), id, b.c.Title, b.c.Detail, b.c.RefKind, b.c.RefID, g, b.c.Level)
	}
	return err
}

func scanAlarm(row pgx.CollectableRow) (Alarm, error) {
	var a Alarm
	var g geo.Shape
	err := row.Scan(&a.ID, &a.Kind, &a.Key, &a.Area, &a.Title, &a.Detail, &a.State, &a.Level, &a.Count, &a.Suppressed, &a.FirstAt, &a.LastAt,
		&a.RefKind, &a.RefID, &g, &a.Exercise, &a.AckedAt, &a.AssignedAt, &a.ClosedAt, &a.ClearedAt, &a.AckedAccount, &a.AckedBy, &a.AssignedBy,
		&a.Assignee, &a.AssigneeName, &a.ClosedBy, &a.Note, &a.EscalateAt, &a.Escalation, &a.Scope, &a.Version, &a.UpdatedAt)
	a.Geometry = g.Geometry
	return a, err
}

// filter are the parameters of the query alarms.
type filter struct {
	areas       geo.Scopes
	ids         []string
	state, kind string
	area        *geo.Scope
	exercise    string
	after       *string
	afterState  int
	afterLevel  int16
	afterFirst  string
	limit       int
}

func (f filter) args() []any {
	var area any
	if f.area != nil {
		area = *f.area
	}
	var first any
	if f.afterFirst != "" {
		first = f.afterFirst
	}
	return []any{f.areas.String(), f.ids, f.state, f.kind, area, f.exercise, f.after, f.afterState, f.afterLevel, first, f.limit}
}

// Alarms are those of the asker's desk.
func (s *Service) Alarms(ctx context.Context, who *auth.Identity, q Query) (Page, error) {
	out := Page{ByLevel: map[int]int{}}
	now := s.now()
	f := filter{areas: Areas(who, now), state: q.State, kind: q.Kind, exercise: q.Exercise, limit: 100}
	if len(f.areas) == 0 {
		return out, auth.ErrForbidden
	}
	if f.exercise == "" {
		f.exercise = "false"
	}
	if q.Limit > 0 {
		f.limit = min(q.Limit, 500)
	}
	if q.Area != "" {
		area, err := geo.ParseScope(q.Area)
		if err != nil {
			return out, &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "not_a_code", ZH: "应为行政区划代码", EN: "it is an administrative code"}}}
		}
		f.area = &area
	}
	if q.Cursor != "" && !f.read(q.Cursor) {
		return out, &auth.Invalid{Items: []auth.Fault{{Path: "cursor", Code: "invalid", ZH: "不是此查询的游标", EN: "it is not a cursor of this query"}}}
	}
	limit := f.limit
	f.limit++
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("totals"), f.areas.String())
		if err != nil {
			return err
		}
		var level, n int
		var suppressed int64
		if _, err := pgx.ForEachRow(rows, []any{&level, &n, &suppressed}, func() error {
			out.ByLevel[level] = n
			out.Open += n
			out.Suppressed += suppressed
			return nil
		}); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, s.queries.Get("quiets"), f.areas.String(), now); err != nil {
			return err
		}
		if out.Quiet, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r QuietRule, err error) {
			err = row.Scan(&r.ID, &r.Kind, &r.Area, &r.Reason, &r.By, &r.Least, &r.DailyFrom, &r.DailyTo, &r.Until, &r.CreatedAt, &r.Suppressed, &r.Scope)
			return r, err
		}); err != nil {
			return err
		}
		for _, r := range out.Quiet {
			out.Suppressed += r.Suppressed
		}
		if rows, err = tx.Query(ctx, s.queries.Get("alarms"), f.args()...); err != nil {
			return err
		}
		out.Alarms, err = pgx.CollectRows(rows, scanAlarm)
		return err
	})
	if len(out.Alarms) > limit {
		out.Alarms = out.Alarms[:limit]
		out.Next = cursor(out.Alarms[limit-1])
	}
	return out, wrap("list", err)
}

func cursor(a Alarm) string {
	ring := "1"
	if a.State == Ringing {
		ring = "0"
	}
	return ring + "." + itoa(a.Level) + "." + strconv.FormatInt(a.FirstAt.UnixMicro(), 10) + "." + a.ID
}

func (f *filter) read(c string) bool {
	p := strings.SplitN(c, ".", 4)
	if len(p) != 4 || p[0] != "0" && p[0] != "1" || len(p[1]) != 1 || p[1] < "1" || p[1] > "4" {
		return false
	}
	n, err := strconv.ParseInt(p[2], 10, 64)
	if err != nil || n <= 0 || n > 1<<53 || len(p[3]) != 36 {
		return false
	}
	f.afterState, f.afterLevel = int(p[0][0]-'0'), int16(p[1][0]-'0')
	f.afterFirst, f.after = fmt.Sprintf("-%d.%06d", n/1_000_000, n%1_000_000), &p[3]
	return true
}

// ByIDs are those of the alarms that lie in the areas, for the streams.
func (s *Service) ByIDs(ctx context.Context, areas geo.Scopes, ids []string) ([]Alarm, error) {
	var out []Alarm
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("alarms"), filter{areas: areas, ids: ids, state: "all", exercise: "all", limit: len(ids)}.args(), func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanAlarm)
		return err
	})
	return out, wrap("stream", err)
}

func (s *Service) alarm(ctx context.Context, tx pgx.Tx, who *auth.Identity, id string) (Alarm, error) {
	rows, err := tx.Query(ctx, s.queries.Get("alarms"), filter{areas: Areas(who, s.now()), ids: []string{id}, state: "all", exercise: "all", limit: 1}.args()...)
	if err != nil {
		return Alarm{}, err
	}
	a, err := pgx.CollectExactlyOneRow(rows, scanAlarm)
	if errors.Is(err, pgx.ErrNoRows) {
		err = auth.ErrNotFound
	}
	return a, err
}

func (s *Service) find(ctx context.Context, by auth.By, id string) (Alarm, error) {
	if len(Areas(by.Identity, s.now())) == 0 {
		return Alarm{}, auth.ErrForbidden
	}
	var a Alarm
	err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
		a, err = s.alarm(ctx, tx, by.Identity, id)
		return err
	})
	return a, err
}

func (s *Service) act(ctx context.Context, by auth.By, g auth.Grant, id string, step Step) (Alarm, error) {
	var out Alarm
	err := s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("lock"), id); err != nil {
			return err
		}
		before, err := s.alarm(ctx, tx, by.Identity, id)
		if err != nil {
			return err
		}
		now := s.now()
		args := []any{id, now, by.Account, by.Name, step.Note}
		var sql string
		switch step.To {
		case Acknowledged:
			if before.State == Acknowledged && before.AckedAccount == by.Account {
				out = before // said twice
				return nil
			}
			if before.State != Ringing {
				return &auth.Conflict{Code: "already_acknowledged", ZH: who(before) + " 已处理", EN: who(before) + " has it already"}
			}
			sql = "acknowledge"
		case Assigned:
			if before.State == Closed {
				return &auth.Conflict{Code: "already_closed", ZH: before.ClosedBy + " 已关闭", EN: before.ClosedBy + " has closed it"}
			}
			if step.Version != nil && *step.Version != before.Version {
				return auth.ErrStaleVersion
			}
			var name string
			err := tx.QueryRow(ctx, s.queries.Get("person"), step.Account, before.Scope, now).Scan(&name)
			if errors.Is(err, pgx.ErrNoRows) {
				return &auth.Invalid{Items: []auth.Fault{{Path: "/account", Code: "unknown", ZH: "该区域没有此承办人", EN: "nobody of that account works there"}}}
			}
			if err != nil {
				return err
			}
			sql, args = "assign", append(args, step.Account, name, s.rules().AssignedS)
		case Closed:
			if before.State == Closed {
				return &auth.Conflict{Code: "already_closed", ZH: before.ClosedBy + " 已关闭", EN: before.ClosedBy + " has closed it"}
			}
			sql, args = "close", append(args, *step.Version)
		default:
			return &auth.Invalid{Items: []auth.Fault{{Path: "/to", Code: "unknown", ZH: "没有此状态", EN: "there is no such state"}}}
		}
		tag, err := tx.Exec(ctx, s.queries.Get(sql), args...)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return auth.ErrStaleVersion
		}
		if out, err = s.alarm(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "alarm." + step.To, Object: "alarms/" + id, Area: g.Area, Reason: audit.Clip(step.Note),
			Before: map[string]any{"state": before.State, "version": before.Version}, After: map[string]any{"state": out.State, "version": out.Version, "assignee": out.AssigneeName}}); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
	})
	return out, err
}

// who has an alarm.
func who(a Alarm) string {
	switch {
	case a.State == Closed:
		return a.ClosedBy
	case a.AssigneeName != "":
		return a.AssigneeName
	}
	return a.AckedBy
}

func (s *Service) quieten(ctx context.Context, by auth.By, g auth.Grant, q QuietRule) (QuietRule, error) {
	q.By = by.Name
	err := s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("quiet_add"), q.Kind, q.Area, q.Scope, q.Least, q.DailyFrom, q.DailyTo, q.Until, q.Reason, by.Account, by.Name).Scan(&q.ID, &q.CreatedAt); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "alarm.quiet", Object: "alarm_quiet/" + q.ID, Area: q.Area, Reason: q.Reason,
			After: map[string]any{"kind": q.Kind, "least": q.Least, "until": q.Until, "daily_from": q.DailyFrom, "daily_to": q.DailyTo}})
	})
	return q, err
}

func (s *Service) unquieten(ctx context.Context, by auth.By, id string) error {
	now := s.now()
	var q QuietRule
	look := func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, s.queries.Get("quiet_find"), id, now).Scan(&q.Kind, &q.Area, &q.Reason, &q.Scope, &q.Suppressed)
		if errors.Is(err, pgx.ErrNoRows) {
			return auth.ErrNotFound
		}
		return err
	}
	// Seen with what he reads; ended under the grant that covers it.
	claims := by.Reading()
	claims.Write = Areas(by.Identity, now)
	if err := s.db.Intake.Tx(ctx, claims, look); err != nil {
		return err
	}
	g, ok := by.Grant(auth.WorkDesk, q.Scope, now)
	if !ok {
		return auth.ErrForbidden
	}
	return s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if err := look(tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("quiet_end"), id, now); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "alarm.quiet_end", Object: "alarm_quiet/" + id, Area: q.Area, Before: map[string]any{"kind": q.Kind, "suppressed": q.Suppressed}})
	})
}
