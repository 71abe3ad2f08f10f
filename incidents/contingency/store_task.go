package contingency

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func scanTask(row pgx.CollectableRow) (t Task, err error) {
	err = row.Scan(&t.ID, &t.Response, &t.Incident, &t.Clause, &t.Plan, &t.Seq, &t.Level, &t.Action, &t.Unit, &t.Text, &t.Area, &t.Minutes, &t.Exercise,
		&t.State, &t.SentAt, &t.DueAt, &t.AcknowledgedAt, &t.DoneAt, &t.RefusedAt, &t.AcknowledgedBy, &t.DoneBy, &t.Note, &t.LoggedBy, &t.ClosedAt, &t.ClosedWhy, &t.Version, &t.UpdatedAt)
	return t, err
}

type taskFilter struct {
	areas              geo.Scopes
	ids                []string
	response, incident string
	state              string
	late               bool
	exercise           *bool
	limit              int
}

func (s *Service) taskArgs(f taskFilter) []any {
	return []any{f.areas.String(), f.ids, null(f.response), null(f.incident), f.state, f.late, s.now(), f.exercise, f.limit}
}

// Tasks are those of the areas the asker reads: what waits first, the most pressing first.
// position is where the feed stood.
func (s *Service) Tasks(ctx context.Context, who *auth.Identity, q TaskQuery) (out []Task, position string, err error) {
	f := taskFilter{areas: who.Reach.Of(db.Internal), response: q.Response, incident: q.Incident, state: q.State, late: q.Late, limit: 500}
	if q.Limit > 0 {
		f.limit = min(q.Limit, 1000)
	}
	var bad faults
	for path, id := range map[string]string{"response": q.Response, "incident": q.Incident} {
		if id != "" && !records.IsID(id) {
			bad.add(path, "unknown", "没有此记录", "there is no such record")
		}
	}
	switch q.Exercise {
	case "":
		if q.Response == "" && q.Incident == "" {
			f.exercise = new(bool)
		}
	case "true", "false":
		is := q.Exercise == "true"
		f.exercise = &is
	case "all":
	default:
		bad.add("exercise", "unknown", "应为 true、false 或 all", "it is true, false or all")
	}
	if err := bad.err(); err != nil {
		return nil, "", err
	}
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&position); err != nil {
			return err
		}
		out, err = s.list(ctx, tx, f)
		return err
	})
	return out, position, wrap("tasks", err)
}

func (s *Service) list(ctx context.Context, tx pgx.Tx, f taskFilter) ([]Task, error) {
	rows, err := tx.Query(ctx, s.queries.Get("tasks"), s.taskArgs(f)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanTask)
}

// TasksIn are those of the tasks that lie in the areas, for the streams.
func (s *Service) TasksIn(ctx context.Context, areas geo.Scopes, ids []string) (map[string]Task, error) {
	out := map[string]Task{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("tasks"), s.taskArgs(taskFilter{areas: areas, ids: ids, limit: len(ids)}), func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanTask)
		for _, t := range list {
			out[t.ID] = t
		}
		return err
	})
	return out, wrap("stream", err)
}

// Task is one.
func (s *Service) Task(ctx context.Context, who *auth.Identity, id string) (Task, error) {
	if !records.IsID(id) {
		return Task{}, auth.ErrNotFound
	}
	var t Task
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		t, err = s.task(ctx, tx, who, id)
		return err
	})
	return t, wrap("task", err)
}

func (s *Service) task(ctx context.Context, tx pgx.Tx, who *auth.Identity, id string) (Task, error) {
	list, err := s.list(ctx, tx, taskFilter{areas: who.Reach.Of(db.Internal), ids: []string{id}, limit: 1})
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Task{}, err
	}
	return list[0], nil
}

// Send makes tasks of the clauses that apply: one for whom it is to do, however many plans
// ask the same of him. What was sent already is not sent again, so the same order may be given
// twice, and after a level was raised again.
func (s *Service) Send(ctx context.Context, by auth.By, o Order) (sent int, err error) {
	now := s.now()
	if !holds(by.Identity, auth.CommandPost, now) {
		return 0, auth.ErrForbidden
	}
	var bad faults
	if o.Response == "" && o.Incident == "" || o.Response != "" && !records.IsID(o.Response) || o.Incident != "" && !records.IsID(o.Incident) {
		bad.add("response", "required", "请指明响应或事件", "name a response or an incident")
	}
	for _, id := range o.Clauses {
		if !records.IsID(id) {
			bad.add("clauses", "unknown", "没有此条款", "there is no such clause")
			break
		}
	}
	if err := bad.err(); err != nil {
		return 0, err
	}
	o.Case.Area = o.Area
	scope, err := s.sound(o.Case)
	if err != nil {
		return 0, err
	}
	g, ok := by.Grant(auth.CommandPost, scope, now)
	if !ok {
		return 0, auth.ErrForbidden
	}
	if o.At.IsZero() {
		o.At = now
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		sole, err := s.sole(ctx, tx, o)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("match"), by.Reach.Of(db.Internal).String(), scope, s.hazards(o.Case), o.Case.Level, o.Clauses)
		if err != nil {
			return err
		}
		clauses, err := pgx.CollectRows(rows, scanMatch)
		if err != nil {
			return err
		}
		for i, c := range clauses {
			area := o.Area
			// A township's plan is carried out in its township.
			if inner, err := geo.ParseScope(c.Area); err == nil && scope.Contains(inner) {
				area = c.Area
			}
			if !sole.take(c, area) {
				continue
			}
			tag, err := tx.Exec(ctx, s.queries.Get("task_insert"), null(o.Response), null(o.Incident), c.ID, c.PlanTitle, i+1, c.Action, c.Unit, c.Text, nullInt(c.Level), c.Minutes, area, o.Exercise, o.At, by.Account, by.Name)
			if err != nil {
				return err
			}
			sent += int(tag.RowsAffected())
		}
		if sent == 0 {
			return nil
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "response_task.send", Object: "response_tasks/" + o.Response + o.Incident, Area: o.Area, Outcome: audit.Done,
			After: map[string]any{"tasks": sent, "level": o.Case.Level, "exercise": o.Exercise}})
	})
	return sent, wrap("send", err)
}

// sole is what is asked of whom already.
type sole map[string]bool

// sole holds the order until the transaction ends, and knows what was sent for it.
func (s *Service) sole(ctx context.Context, tx pgx.Tx, o Order) (sole, error) {
	of := o.Response
	if of == "" {
		of = o.Incident
	}
	if _, err := tx.Exec(ctx, s.queries.Get("order_lock"), of); err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, s.queries.Get("tasks_sent"), of)
	if err != nil {
		return nil, err
	}
	out := sole{}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (x struct{}, err error) {
		var action, unit, area string
		err = row.Scan(&action, &unit, &area)
		out[duty(action, unit, area)] = true
		return x, err
	})
	return out, err
}

// take says whether nobody asked this of him yet. Of what plans ask alike the shortest time
// stands: clauses come in that order.
func (s sole) take(c Match, area string) bool {
	k := duty(c.Action, c.Unit, area)
	taken := s[k]
	s[k] = true
	return !taken
}

// duty is what tells tasks apart: what, and who does it. Some names are of somebody else in
// each area ("各村", "属地乡镇人民政府").
func duty(action, unit, area string) string {
	for _, word := range []string{"各", "属地", "所在", "本", "乡镇", "镇", "乡", "街道", "村", "社区"} {
		if strings.HasPrefix(unit, word) {
			return action + "|" + unit + "|" + area
		}
	}
	return action + "|" + unit
}

// Step writes an answer down. An acknowledgement or a completion needs no version: it
// happens once, and what comes second finds it there.
func (s *Service) Step(ctx context.Context, by auth.By, id string, version *int64, step Step) (Task, error) {
	t, err := s.Task(ctx, by.Identity, id)
	if err != nil {
		return t, err
	}
	now := s.now()
	scope, err := geo.ParseScope(t.Area)
	if err != nil {
		return t, wrap("step", err)
	}
	g, ok := by.Grant(auth.CommandPost, scope, now)
	if !ok {
		g, ok = by.Grant(auth.WorkDesk, scope, now)
	}
	if !ok || by.Account == "" {
		return t, auth.ErrForbidden
	}
	var bad faults
	sql, least := "", 0
	switch step.To {
	case Acknowledged:
		sql = "acknowledge"
	case Done:
		sql = "done"
	case Refused:
		sql, least = "refuse", 2
	default:
		bad.add("to", "unknown", "应为已确认、已完成或无法执行", "it is acknowledged, done or refused")
	}
	step.Note, step.By = bad.text("note", step.Note, least, 2000), bad.text("by", step.By, 0, 100)
	if err := bad.err(); err != nil {
		return t, err
	}
	if step.By == "" {
		step.By = by.Name
	}
	var out Task
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("lock_task"), id); err != nil {
			return err
		}
		before, err := s.task(ctx, tx, by.Identity, id)
		if err != nil {
			return err
		}
		if before.State == step.To && step.To != Refused {
			out = before // said twice
			return nil
		}
		if before.ClosedAt != nil && step.To != Done {
			return clash("response_ended", "响应已终止、事件已办结，任务随之关闭；已完成的可以补记", "it was closed with its response: what was done all the same may still be noted")
		}
		if before.State == Done || before.State == Refused && step.To != Acknowledged {
			return clash("cannot_follow", "当前状态不能这样做", "this cannot follow its state")
		}
		tag, err := tx.Exec(ctx, s.queries.Get(sql), id, version, now.Truncate(time.Microsecond), step.By, step.Note, by.Name)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return auth.ErrStaleVersion
		}
		if out, err = s.task(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		err = audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "response_task." + step.To, Object: "response_tasks/" + id, Area: t.Area, Outcome: audit.Done, Reason: audit.Clip(step.Note),
			Before: map[string]any{"state": before.State, "version": before.Version}, After: map[string]any{"state": out.State, "by": step.By, "version": out.Version}})
		if err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
	})
	return out, wrap("step", err)
}
