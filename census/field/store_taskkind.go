package field

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
	"onemap/internal/sync"
)

// taskKind are tasks on the phone of who does them.
type taskKind struct{ *Service }

func (k *taskKind) Dictionary() sync.Dictionary { return taskDictionary() }

func (k *taskKind) Load(ctx context.Context, tx pgx.Tx, _ auth.By, id string) (sync.Record, error) {
	return k.load(ctx, tx, "tasks", id)
}

func (k *taskKind) Insert(context.Context, pgx.Tx, auth.By, sync.Write) (sync.Record, error) {
	return sync.Record{}, records.Reject("tasks_are_sent", "/id", "任务由办公室派发", "tasks are sent by the office")
}

// Update keeps what was found while the task is being done.
func (k *taskKind) Update(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	if _, err := k.checked(k.Dictionary(), w); err != nil {
		return sync.Record{}, err
	}
	t, err := k.task(ctx, tx, by.Identity, w.ID)
	if err != nil || !t.Mine {
		return sync.Record{}, notHis(err)
	}
	if err := one(records.Attempt(ctx, tx, k.queries.Get("task_result"), w.ID, null(records.Text(w.Fields["result"])), photos(w))); err != nil {
		return sync.Record{}, records.Reject("task_over", "/id", "任务已结束", "the task is over")
	}
	return records.One(ctx, tx, k.queries.Get("tasks_get"), w.ID)
}

func photos(w sync.Write) []string {
	if w.Captured.Evidence == nil {
		return []string{}
	}
	return w.Captured.Evidence
}

func (k *taskKind) Delete(context.Context, pgx.Tx, auth.By, sync.Write) error {
	return kept("任务不能删除，可以退回", "a task is not deleted; hand it back")
}

// Transition accepts, does or hands back. What somebody else has accepted, or was sent to
// somebody else meanwhile, never can hold; what came before its turn may.
func (k *taskKind) Transition(ctx context.Context, tx pgx.Tx, by auth.By, to string, w sync.Write) (sync.Record, error) {
	if to == Withdrawn || !hasState(to) || to == Sent {
		return sync.Record{}, records.Reject("no_transition", "/to", "没有此步骤", "there is no such step")
	}
	if _, err := k.checked(k.Dictionary(), w); err != nil {
		return sync.Record{}, err
	}
	_, err := k.step(ctx, tx, by, w.Grant, w.ID, nil, TaskStep{To: to, Result: records.Text(w.Fields["result"]), Note: w.Note, Photos: photos(w)})
	var clash *auth.Conflict
	var bad *auth.Invalid
	switch {
	case err == nil:
		return records.One(ctx, tx, k.queries.Get("tasks_get"), w.ID)
	case errors.As(err, &bad):
		f := bad.Items[0]
		return sync.Record{}, records.Reject(f.Code, "/fields/"+f.Path, f.ZH, f.EN)
	case errors.As(err, &clash) && clash.Code == "cannot_follow" && to == Done:
		return k.early(ctx, tx, by, w.ID, clash)
	case errors.As(err, &clash):
		return sync.Record{}, records.Reject(clash.Code, "/to", clash.ZH, clash.EN)
	}
	return sync.Record{}, notHis(err)
}

// early: done before it was accepted is a step that may still have its turn, unless the
// task is over.
func (k *taskKind) early(ctx context.Context, tx pgx.Tx, by auth.By, id string, clash *auth.Conflict) (sync.Record, error) {
	t, err := k.task(ctx, tx, by.Identity, id)
	if err != nil {
		return sync.Record{}, notHis(err)
	}
	if t.State == Sent {
		return sync.Record{}, records.Quarantine("out_of_order", "/to", "任务还没有接受", "the task was not accepted yet")
	}
	return sync.Record{}, records.Reject(clash.Code, "/to", clash.ZH, clash.EN)
}

// notHis is the word against a step on a task that is another's.
func notHis(err error) error {
	if err == nil || errors.Is(err, auth.ErrForbidden) || errors.Is(err, auth.ErrNotFound) {
		return records.Reject("reassigned", "/id", "任务不是派给您的，或已改派", "the task is not yours, or went to somebody else")
	}
	return err
}

func (k *taskKind) Changed(ctx context.Context, who auth.By, ids []string) ([]sync.Record, error) {
	return k.down(ctx, who, "tasks_own", who.Actor(), own(who.Identity, k.now()).String(), ids, nil, len(ids))
}

// All gives the asker's own tasks, wherever they lie.
func (k *taskKind) All(ctx context.Context, who auth.By, _ geo.Scope, after string, limit int) ([]sync.Record, error) {
	return k.down(ctx, who, "tasks_own", who.Actor(), own(who.Identity, k.now()).String(), nil, null(after), limit)
}

// Former gives the tasks that were his, or his grid's.
func (k *taskKind) Former(ctx context.Context, who auth.By, ids []string) ([]string, error) {
	return k.former(ctx, "tasks_former", who.Actor(), own(who.Identity, k.now()).String(), ids)
}

// former asks as the program itself: the rows are not the asker's to see any more. Only
// ids leave here.
func (s *Service) former(ctx context.Context, query string, args ...any) ([]string, error) {
	var out []string
	err := s.db.Intake.Ask(ctx, db.System("onemap"), s.queries.Get(query), args, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return out, wrap(query, err)
}

var (
	_ sync.Down   = (*taskKind)(nil)
	_ sync.Former = (*taskKind)(nil)
)
