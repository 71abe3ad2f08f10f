package field

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func scanTask(row pgx.CollectableRow) (Task, error) {
	var t Task
	var g geo.Shape
	err := row.Scan(&t.ID, &t.Title, &t.Kind, &t.ObjectKind, &t.Object, &t.State, &t.DueAt, &t.Note, &t.Result, &t.Reason, &t.Photos,
		&t.Place, &g, &t.Grid, &t.Scope, &t.GridScope, &t.Assignee, &t.AssigneeName, &t.AcceptedAt, &t.DoneAt, &t.HandedBackAt,
		&t.Account, &t.SentBy, &t.Version, &t.CreatedAt, &t.UpdatedAt)
	t.Geometry = g.Geometry
	return t, err
}

// taskArgs are the parameters of the query tasks.
func (s *Service) taskArgs(who *auth.Identity, ids []string, q TaskQuery, area *geo.Scope, limit int) []any {
	var within any
	if area != nil {
		within = *area
	}
	return []any{Desk(who, s.now()).String(), who.Actor(), own(who, s.now()).String(), ids, q.State, q.Kind, q.Mine, null(q.Object), within, q.Overdue, s.now(), null(q.Cursor), limit}
}

// Tasks are those of the asker's desk, those he sent and those that are his to do.
func (s *Service) Tasks(ctx context.Context, who *auth.Identity, q TaskQuery) (TaskPage, error) {
	var out TaskPage
	if !person(who) {
		return out, auth.ErrForbidden
	}
	var bad faults
	var area *geo.Scope
	if q.Area != "" {
		a, err := geo.ParseScope(q.Area)
		if err != nil {
			bad.add("area", "not_a_code", "应为行政区划代码", "it is an administrative code")
		}
		area = &a
	}
	if q.Object != "" && !records.IsID(q.Object) {
		bad.add("object", "not_an_id", "应为编号", "it is an id")
	}
	if q.Cursor != "" && !records.IsID(q.Cursor) {
		bad.add("cursor", "invalid", "不是此查询的游标", "it is not a cursor of this query")
	}
	if err := bad.err(); err != nil {
		return out, err
	}
	limit := 100
	if q.Limit > 0 {
		limit = min(q.Limit, 500)
	}
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("tasks"), s.taskArgs(who, nil, q, area, limit+1)...)
		if err != nil {
			return err
		}
		out.Tasks, err = pgx.CollectRows(rows, scanTask)
		return err
	})
	for i := range out.Tasks {
		out.Tasks[i].Mine = s.mine(who, out.Tasks[i])
	}
	if len(out.Tasks) > limit {
		out.Tasks = out.Tasks[:limit]
		out.Next = out.Tasks[limit-1].ID
	}
	return out, wrap("tasks", err)
}

// TasksIn are those of the tasks that lie in the areas, for the streams.
func (s *Service) TasksIn(ctx context.Context, in geo.Scopes, ids []string) (map[string]Task, error) {
	out := map[string]Task{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: in, Sensitive: in})}
	args := []any{in.String(), "", "{}", ids, "", "", false, nil, nil, false, s.now(), nil, len(ids)}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("tasks"), args, func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanTask)
		for _, t := range list {
			out[t.ID] = t
		}
		return err
	})
	return out, wrap("tasks", err)
}

// Task is one of them.
func (s *Service) Task(ctx context.Context, who *auth.Identity, id string) (Task, error) {
	if !person(who) || !records.IsID(id) {
		return Task{}, auth.ErrNotFound
	}
	var t Task
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		t, err = s.task(ctx, tx, who, id)
		return err
	})
	return t, wrap("task", err)
}

// Readable says whether somebody may read a task and its photos.
func (s *Service) Readable(ctx context.Context, who *auth.Identity, id string) (bool, error) {
	_, err := s.Task(ctx, who, id)
	if errors.Is(err, auth.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *Service) task(ctx context.Context, tx pgx.Tx, who *auth.Identity, id string) (Task, error) {
	rows, err := tx.Query(ctx, s.queries.Get("tasks"), s.taskArgs(who, []string{id}, TaskQuery{}, nil, 1)...)
	if err != nil {
		return Task{}, err
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanTask)
	if errors.Is(err, pgx.ErrNoRows) {
		return Task{}, auth.ErrNotFound
	}
	t.Mine = s.mine(who, t)
	return t, err
}

// Assignees are the people a task may be sent to: their grants lie in the asker's areas.
func (s *Service) Assignees(ctx context.Context, who *auth.Identity, area, q string) ([]Assignee, error) {
	in := Desk(who, s.now())
	if len(in) == 0 {
		return nil, auth.ErrForbidden
	}
	var within any
	if area != "" {
		a, err := geo.ParseScope(area)
		if err != nil {
			return nil, &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "not_a_code", ZH: "应为行政区划代码", EN: "it is an administrative code"}}}
		}
		within = a
	}
	if q = strings.TrimSpace(q); q != "" {
		q = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q) + "%"
	}
	return s.assignees(ctx, who, in, within, nil, q, 200)
}

func (s *Service) assignees(ctx context.Context, who *auth.Identity, in geo.Scopes, within any, account *string, q string, limit int) ([]Assignee, error) {
	var out []Assignee
	err := s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get("assignees"), []any{in.String(), s.now(), within, account, q, limit}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Assignee, err error) {
			err = row.Scan(&a.Account, &a.Username, &a.Name, &a.Area, &a.Scope, &a.Role)
			return a, err
		})
		return err
	})
	return out, wrap("assignees", err)
}

// addressee finds who a task is sent to: one person, or a grid. Both lie in the sender's
// areas.
func (s *Service) addressee(ctx context.Context, by auth.By, account, grid string, bad *faults) (to Assignee, scope geo.Scope, err error) {
	in := Desk(by.Identity, s.now())
	if grid != "" {
		var ok bool
		if scope, ok = within(in, grid); !ok {
			bad.add("grid", "unknown", "没有这个网格，或不在您的责任区内", "there is no such grid in your area")
			return to, geo.Scope{}, nil
		}
	}
	if account != "" {
		var list []Assignee
		if records.IsID(account) {
			if list, err = s.assignees(ctx, by.Identity, in, nil, &account, "", 20); err != nil {
				return to, scope, err
			}
		}
		if len(list) == 0 {
			bad.add("assignee", "unknown", "没有这个人，或不在您的责任区内", "there is no such person in your area")
			return to, scope, nil
		}
		to = list[0]
	}
	if grid == "" && account == "" {
		bad.add("assignee", "required", "请指定人员或网格", "name a person or a grid")
	}
	return to, scope, nil
}

// within is the scope of a code that lies in some areas.
func within(in geo.Scopes, code string) (geo.Scope, bool) {
	scope, err := geo.ParseScope(code)
	return scope, err == nil && in.Contains(scope)
}

// Send makes a task.
func (s *Service) Send(ctx context.Context, by auth.By, n NewTask) (Task, error) {
	if len(Desk(by.Identity, s.now())) == 0 {
		return Task{}, auth.ErrForbidden
	}
	var bad faults
	n.Title = bad.text("title", n.Title, 1, 200)
	n.Note = bad.text("note", n.Note, 0, 2000)
	n.Place = bad.text("place", n.Place, 0, 500)
	if !s.codes("task_kind", n.Kind) {
		bad.add("kind", "unknown", "没有这种任务", "there is no such kind of task")
	}
	if n.DueAt != nil && (n.DueAt.Before(s.now()) || n.DueAt.After(s.now().AddDate(2, 0, 0))) {
		bad.add("due_at", "out_of_range", "期限应在今后两年之内", "the deadline lies in the two years to come")
	}
	if (n.Object == "") != (n.ObjectKind == "") || n.Object != "" && !records.IsID(n.Object) {
		bad.add("object", "not_an_id", "对象应有类型和编号", "an object has a kind and an id")
	}
	to, gridScope, err := s.addressee(ctx, by, n.Assignee, n.Grid, &bad)
	if err != nil {
		return Task{}, err
	}
	if err := bad.err(); err != nil {
		return Task{}, err
	}
	var out Task
	scope, shape := geo.Scope{}, geo.Shape{}
	if err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		scope, shape, err = s.whereabouts(ctx, tx, &n)
		return err
	}); err != nil {
		return Task{}, wrap("send", err)
	}
	elsewhere := func() error {
		bad.add("at", "outside_area", "地点不在您的值守区域，或与所派网格不在一处", "the place is not in the area of your desk, or not where the grid is")
		return bad.err()
	}
	if scope.IsNull() && n.At != nil {
		return Task{}, elsewhere() // in no unit at all
	}
	if scope.IsNull() {
		if scope = gridScope; scope.IsNull() {
			scope = to.Scope
		}
	}
	scopes := []geo.Scope{scope}
	if !gridScope.IsNull() {
		scopes = append(scopes, gridScope)
	}
	g, ok := under(by.Identity, auth.WorkDesk, s.now(), scopes...)
	if !ok && n.At != nil {
		return Task{}, elsewhere()
	}
	if !ok {
		return Task{}, auth.ErrForbidden
	}
	id := s.newID()
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.queries.Get("task_insert"), id, n.Title, n.Kind, null(n.ObjectKind), null(n.Object), n.DueAt, null(n.Note), null(n.Place), shape, null(n.Grid), scope,
			null(to.Account), null(to.Username), null(to.Name), by.Account, by.Actor(), by.Name)
		if err != nil {
			return err
		}
		if out, err = s.task(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		return s.recordTask(ctx, tx, by, g, "task.send", &out, "", nil)
	})
	return out, wrap("send", err)
}

// whereabouts finds where a task is to be done: the place given, else that of its object.
func (s *Service) whereabouts(ctx context.Context, tx pgx.Tx, n *NewTask) (scope geo.Scope, shape geo.Shape, err error) {
	if n.Object != "" {
		var name string
		err := tx.QueryRow(ctx, s.queries.Get("task_object"), n.ObjectKind, n.Object).Scan(&scope, &shape, &name)
		if errors.Is(err, pgx.ErrNoRows) {
			return scope, shape, &auth.Invalid{Items: []auth.Fault{{Path: "object", Code: "unknown", ZH: "没有这个对象", EN: "there is no such object"}}}
		}
		if err != nil {
			return scope, shape, err
		}
		if n.Place == "" {
			n.Place = name
		}
	}
	if n.At != nil {
		if geo.Check(*n.At) != nil {
			return scope, shape, &auth.Invalid{Items: []auth.Fault{{Path: "at", Code: "out_of_range", ZH: "位置不在经纬度范围内", EN: "the position is not on Earth"}}}
		}
		shape = geo.Shape{Geometry: *n.At}
		if scope.IsNull() {
			err = tx.QueryRow(ctx, s.queries.Get("place"), shape).Scan(&scope)
		}
	}
	return scope, shape, err
}

// recordTask writes the audit and notes the place in the feed, at the end of a change.
func (s *Service) recordTask(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action string, t *Task, reason string, before *Task) error {
	look := func(t *Task) any {
		if t == nil {
			return nil
		}
		return map[string]any{"state": t.State, "assignee": t.Assignee, "grid": t.Grid, "title": t.Title, "due_at": t.DueAt, "version": t.Version}
	}
	err := audit.Record(ctx, tx, audit.Entry{
		Doer: by.Doer(g), Action: action, Object: "tasks/" + t.ID, Area: g.Area, Outcome: audit.Done, Reason: audit.Clip(reason), Before: look(before), After: look(t),
	})
	if err != nil {
		return err
	}
	return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&t.FeedPosition)
}

// changing finds a task the office changes, and the grant it does so under.
func (s *Service) changing(ctx context.Context, by auth.By, id string) (Task, auth.Grant, error) {
	t, err := s.Task(ctx, by.Identity, id)
	if err != nil {
		return t, auth.Grant{}, err
	}
	g, ok := under(by.Identity, auth.WorkDesk, s.now(), t.Scope, t.GridScope)
	if !ok {
		return t, g, auth.ErrForbidden
	}
	return t, g, nil
}

// Patch changes a task, as it was at version. Another assignee or grid sends it anew.
func (s *Service) Patch(ctx context.Context, by auth.By, id string, version int64, p TaskPatch) (Task, error) {
	t, g, err := s.changing(ctx, by, id)
	if err != nil {
		return t, err
	}
	var bad faults
	if p.Title != nil {
		*p.Title = bad.text("title", *p.Title, 1, 200)
	}
	if p.Note != nil {
		*p.Note = bad.text("note", *p.Note, 0, 2000)
	}
	var to Assignee
	var gridScope geo.Scope
	moved := p.Assignee != nil || p.Grid != nil
	account, grid := "", t.Grid
	if p.Assignee != nil {
		account = *p.Assignee
	}
	if p.Grid != nil {
		grid = *p.Grid
	}
	if moved {
		if to, gridScope, err = s.addressee(ctx, by, account, grid, &bad); err != nil {
			return t, err
		}
		if !gridScope.IsNull() && !g.Scope().Contains(gridScope) {
			bad.add("grid", "unknown", "没有这个网格，或不在您的责任区内", "there is no such grid in your area")
		}
	}
	if err := bad.err(); err != nil {
		return t, err
	}
	var out Task
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("tasks_lock"), id); err != nil {
			return err
		}
		before, err := s.task(ctx, tx, by.Identity, id)
		if err != nil {
			return err
		}
		if before.Version != version {
			return auth.ErrStaleVersion
		}
		if before.State == Done || before.State == Withdrawn {
			return taskClash("task_over", "任务已结束", "the task is over")
		}
		if p.Title != nil || p.Note != nil || p.DueAt != nil {
			var due any
			if p.DueAt != nil {
				due = *p.DueAt
			}
			if _, err := tx.Exec(ctx, s.queries.Get("task_patch"), id, version, p.Title, p.Note, p.DueAt != nil, due); err != nil {
				return err
			}
			version++
		}
		action := "task.change"
		if moved {
			action = "task.reassign"
			tag, err := tx.Exec(ctx, s.queries.Get("task_reassign"), id, version, null(to.Account), null(to.Username), null(to.Name), null(grid))
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				return auth.ErrStaleVersion
			}
		}
		if out, err = s.task(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		return s.recordTask(ctx, tx, by, g, action, &out, "", &before)
	})
	return out, wrap("patch", err)
}

// StepTask takes a step: who does it accepts, does or hands back; the office withdraws.
func (s *Service) StepTask(ctx context.Context, by auth.By, id string, version int64, step TaskStep) (Task, error) {
	t, err := s.Task(ctx, by.Identity, id)
	if err != nil {
		return t, err
	}
	g, ok := s.doing(by, t)
	if step.To == Withdrawn {
		g, ok = under(by.Identity, auth.WorkDesk, s.now(), t.Scope, t.GridScope)
	}
	if !ok {
		return t, auth.ErrForbidden
	}
	var out Task
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		out, err = s.step(ctx, tx, by, g, id, &version, step)
		return err
	})
	return out, wrap("step", err)
}

// doing is the grant somebody does a task under: any of his that reaches it, else any.
func (s *Service) doing(by auth.By, t Task) (auth.Grant, bool) {
	if !s.mine(by.Identity, t) {
		return auth.Grant{}, false
	}
	if g, ok := under(by.Identity, auth.WriteFeatures, s.now(), t.GridScope); ok {
		return g, true
	}
	for _, g := range by.Grants {
		if g.Valid(s.now()) {
			return g, true
		}
	}
	return auth.Grant{}, false
}

// step is StepTask in a transaction, for the office's pages and for phones.
func (s *Service) step(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, id string, version *int64, step TaskStep) (Task, error) {
	var bad faults
	step.Result = bad.text("result", step.Result, 0, 4000)
	step.Note = bad.text("note", step.Note, 0, 2000)
	if _, err := tx.Exec(ctx, s.queries.Get("tasks_lock"), id); err != nil {
		return Task{}, err
	}
	before, err := s.task(ctx, tx, by.Identity, id)
	switch {
	case err != nil:
		return before, err
	case step.To != Withdrawn && !before.Mine:
		if step.To == Accepted && before.Assignee != "" {
			return before, taskClash("already_accepted", before.AssigneeName+" 已接受", before.AssigneeName+" has accepted it")
		}
		return before, auth.ErrForbidden
	case before.State == step.To:
		return before, nil // said twice
	case version != nil && *version != before.Version:
		return before, auth.ErrStaleVersion
	}
	if err := follows(before, step.To); err != nil {
		return before, err
	}
	if step.Photos == nil {
		step.Photos = []string{}
	}
	var sql string
	var args []any
	reason := step.Note
	switch step.To {
	case Accepted:
		sql, args = "task_accept", []any{id, by.Account, by.Actor(), by.Name, s.now()}
	case Done:
		if step.Result == "" {
			step.Result = before.Result
		}
		if step.Result == "" {
			bad.add("result", "required", "请填写完成情况", "say what was done")
		}
		sql, args = "task_done", []any{id, s.now(), step.Result, step.Photos}
	case HandedBack:
		if reason == "" {
			bad.add("note", "required", "请写明退回原因", "say why you hand it back")
		}
		sql, args = "task_hand_back", []any{id, s.now(), reason}
	case Withdrawn:
		sql, args = "task_withdraw", []any{id, reason}
	}
	if err := bad.err(); err != nil {
		return before, err
	}
	tag, err := tx.Exec(ctx, s.queries.Get(sql), args...)
	if err != nil {
		return before, err
	}
	if tag.RowsAffected() == 0 {
		return before, auth.ErrForbidden // the floor held it
	}
	out, err := s.task(ctx, tx, by.Identity, id)
	if err != nil {
		return out, err
	}
	return out, s.recordTask(ctx, tx, by, g, "task."+step.To, &out, reason, &before)
}

// hasState says whether there is such a state.
func hasState(state string) bool { return slices.Contains(TaskStates(), state) }
