package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/db"
)

const (
	atOnce    = 2                      // jobs that run together on a node
	perPerson = 10                     // open jobs of one person on a node
	tick      = 500 * time.Millisecond // progress is written at most this often
	beatEvery = 2                      // ticks
	sweepTime = 10 * time.Second
	deadAfter = 30 * time.Second // without a heartbeat
	keepDays  = 30
	maxResult = 1 << 20
)

var (
	errInterrupted = errors.New("jobs: the process ends")
	errCancelled   = errors.New("jobs: cancelled")
)

// Options of a runner.
type Options struct {
	DB     *db.DB
	Logger *slog.Logger
	Now    func() time.Time
	// Explain puts an error of a domain into words; false where it does not know it. The
	// errors of internal/auth are known here.
	Explain func(error) (Error, bool)
}

// Runner starts jobs and runs them on this node.
type Runner struct {
	pool    *db.Pool
	queries db.Queries
	log     *slog.Logger
	now     func() time.Time
	explain func(error) (Error, bool)
	node    string
	wake    chan struct{}

	mu      sync.Mutex
	queue   map[string][]*task // waiting, by account
	turns   []string           // accounts with somebody waiting, the next first
	running map[string]*task
	closed  bool
	working sync.WaitGroup
}

type task struct {
	id, account, kind string
	fn                Func
	ctx               context.Context
	stop              context.CancelCauseFunc

	mu          sync.Mutex
	done, total int
	what        string
	dirty       bool
}

// Open makes a runner. Jobs wait until [Runner.Run] runs.
func Open(o Options) (*Runner, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil {
		return nil, errors.New("jobs: a database is needed")
	}
	r := &Runner{pool: o.DB.Intake, queries: q, log: o.Logger, now: o.Now, explain: o.Explain,
		wake: make(chan struct{}, 1), queue: map[string][]*task{}, running: map[string]*task{}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.now == nil {
		r.now = time.Now
	}
	r.node = newID(r.now())
	return r, nil
}

// Start puts work in the queue of this node and answers at once. Only a person starts
// jobs; one with too many open is told so ([auth.Conflict] too_many_jobs).
func (r *Runner) Start(ctx context.Context, by auth.By, kind string, titleZH, titleEN string, object string, fn Func) (Job, error) {
	if by.Identity == nil || !by.SignedIn() || by.Account == "" {
		return Job{}, auth.ErrForbidden
	}
	t := &task{id: newID(r.now()), account: by.Account, kind: kind, fn: fn}
	t.ctx, t.stop = context.WithCancelCause(context.Background())
	if err := r.room(by.Account); err != nil {
		return Job{}, err
	}
	// The row is the asker's, written by the program.
	if _, err := r.execAs(ctx, by.Actor(), "add", t.id, kind, titleZH, titleEN, object, by.Account, by.Name, r.node); err != nil {
		return Job{}, err
	}
	r.mu.Lock()
	if len(r.queue[t.account]) == 0 {
		r.turns = append(r.turns, t.account)
	}
	r.queue[t.account] = append(r.queue[t.account], t)
	closed := r.closed
	r.mu.Unlock()
	if closed {
		r.end(t, Failed, nil, errInterrupted)
		return Job{}, db.ErrUnavailable
	}
	r.nudge()
	return r.Get(ctx, by.Identity, t.id)
}

// room says whether somebody may have one job more.
func (r *Runner) room(account string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.queue[account])
	for _, t := range r.running {
		if t.account == account {
			n++
		}
	}
	if n >= perPerson {
		return &auth.Conflict{Code: "too_many_jobs", ZH: "未完成的任务过多，请等待或取消一些", EN: "too many jobs are open: wait, or cancel some"}
	}
	return nil
}

func (r *Runner) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run runs jobs until the context ends; those that are not over then fail, interrupted.
func (r *Runner) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	swept := time.Time{}
	for n := 0; ; n++ {
		if now := r.now(); now.Sub(swept) >= sweepTime || now.Before(swept) {
			swept = now
			r.sweep(ctx)
		}
		r.dispatch(ctx)
		select {
		case <-ctx.Done():
			r.close()
			return nil
		case <-r.wake:
		case <-ticker.C:
			r.report(ctx, n%beatEvery == 0)
		}
	}
}

// close ends everything of this node.
func (r *Runner) close() {
	r.mu.Lock()
	r.closed = true
	for _, t := range r.running {
		t.stop(errInterrupted)
	}
	r.queue, r.turns = map[string][]*task{}, nil
	r.mu.Unlock()
	over := make(chan struct{})
	go func() {
		r.working.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		r.log.Warn("jobs: a job does not stop")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := r.exec(ctx, "end_node", r.node, r.words(errInterrupted)); err != nil {
		// The others will see that the heartbeat is missing.
		r.log.Warn("jobs: interrupted jobs were not marked", "error", err)
	}
}

// dispatch starts what may start: by turns of people, so that one with ten jobs and one
// with one both move.
func (r *Runner) dispatch(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.running) < atOnce && len(r.turns) > 0 {
		i := 0
		for j, account := range r.turns { // who has none running goes first
			if !r.busy(account) {
				i = j
				break
			}
		}
		account := r.turns[i]
		r.turns = append(r.turns[:i:i], r.turns[i+1:]...)
		t := r.queue[account][0]
		if r.queue[account] = r.queue[account][1:]; len(r.queue[account]) > 0 {
			r.turns = append(r.turns, account)
		} else {
			delete(r.queue, account)
		}
		r.running[t.id] = t
		r.working.Go(func() { r.work(ctx, t) })
	}
}

func (r *Runner) busy(account string) bool {
	for _, t := range r.running {
		if t.account == account {
			return true
		}
	}
	return false
}

// work does one job and writes how it ended.
func (r *Runner) work(ctx context.Context, t *task) {
	defer func() {
		t.stop(nil)
		r.mu.Lock()
		delete(r.running, t.id)
		r.mu.Unlock()
		r.nudge()
	}()
	begun, err := r.exec(ctx, "begin", t.id)
	if err != nil {
		r.end(t, Failed, nil, err)
		return
	}
	if begun == 0 { // cancelled while it waited, or taken for dead
		r.end(t, Cancelled, nil, errCancelled)
		return
	}
	result, err := r.call(t)
	switch {
	case err == nil:
		// Also where somebody asked to cancel: it is done.
		body, err := json.Marshal(result)
		if err == nil && len(body) > maxResult {
			err = fmt.Errorf("jobs: a result of %d bytes", len(body))
		}
		if err != nil {
			r.end(t, Failed, nil, err)
			return
		}
		r.end(t, Done, body, nil)
	case errors.Is(context.Cause(t.ctx), errInterrupted):
		r.end(t, Failed, nil, errInterrupted)
	case errors.Is(context.Cause(t.ctx), errCancelled):
		r.end(t, Cancelled, nil, errCancelled)
	default:
		r.end(t, Failed, nil, err)
	}
}

type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("jobs: panic: %v", p.value) }

func (r *Runner) call(t *task) (result any, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.log.Error("jobs: panic", "job", t.id, "kind", t.kind, "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			result, err = nil, &panicked{v}
		}
	}()
	return t.fn(t.ctx, t.step)
}

// step keeps the latest; the next tick writes it.
func (t *task) step(done, total int, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done, t.total, t.what, t.dirty = max(0, done), max(0, total), clip(what), true
}

func clip(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	for utf8.RuneCountInString(s) > 200 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// end writes how a job ended, and tries again where the database is away for a moment:
// nobody else knows it.
func (r *Runner) end(t *task, state State, result json.RawMessage, why error) {
	r.flush(context.Background(), t)
	var e *Error
	if state == Failed {
		e = r.words(why)
		if e.Code == "failed" || e.Code == "panic" {
			r.log.Error("jobs: a job failed", "job", t.id, "kind", t.kind, "error", why)
		}
	}
	for pause := 200 * time.Millisecond; ; pause *= 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		n, err := r.exec(ctx, "end", t.id, string(state), result, e)
		cancel()
		if err == nil {
			if n == 0 {
				r.log.Warn("jobs: a job was over already", "job", t.id, "kind", t.kind)
			}
			return
		}
		if pause > 10*time.Second {
			r.log.Error("jobs: how a job ended was not written", "job", t.id, "kind", t.kind, "state", string(state), "error", err)
			return
		}
		time.Sleep(pause)
	}
}

// words is what the owner reads. What is nobody's fault but the program's says no more
// than that: the log has the rest.
func (r *Runner) words(err error) *Error {
	if r.explain != nil {
		if e, ok := r.explain(err); ok {
			return &e
		}
	}
	var invalid *auth.Invalid
	var conflict *auth.Conflict
	var crash *panicked
	switch {
	case errors.Is(err, errInterrupted):
		return &Error{Code: "interrupted", ZH: "程序在任务完成前停止，请重新发起", EN: "the program stopped before the job was done: start it again"}
	case errors.As(err, &invalid) && len(invalid.Items) > 0:
		f := invalid.Items[0]
		return &Error{Code: f.Code, Path: f.Path, ZH: f.ZH, EN: f.EN}
	case errors.As(err, &conflict):
		return &Error{Code: conflict.Code, ZH: conflict.ZH, EN: conflict.EN}
	case errors.Is(err, auth.ErrForbidden):
		return &Error{Code: "forbidden", ZH: "没有权限", EN: "not allowed"}
	case errors.Is(err, auth.ErrNotFound):
		return &Error{Code: "not_found", ZH: "对象不存在或不可见", EN: "it does not exist, or cannot be seen"}
	case errors.Is(err, auth.ErrStaleVersion):
		return &Error{Code: "stale", ZH: "对象已被他人修改，请重新发起", EN: "somebody else changed it meanwhile: start again"}
	case errors.Is(err, db.ErrBusy), errors.Is(err, db.ErrUnavailable), errors.Is(err, auth.ErrBusy):
		return &Error{Code: "busy", ZH: "数据库繁忙或不可用，请稍后重试", EN: "the database is busy or away: try again later"}
	case errors.As(err, &crash):
		return &Error{Code: "panic", ZH: "任务因程序错误中止，已记录", EN: "the job stopped by a fault of the program; it is in the log"}
	}
	return &Error{Code: "failed", ZH: "任务失败，原因已记录", EN: "the job failed; the reason is in the log"}
}

// open are the tasks of this node that are not over.
func (r *Runner) open() (running, waiting []*task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.running {
		running = append(running, t)
	}
	for _, q := range r.queue {
		waiting = append(waiting, q...)
	}
	return running, waiting
}

// report writes progress, and on every other tick says that this node lives and hears
// who is to be cancelled.
func (r *Runner) report(ctx context.Context, beat bool) {
	running, waiting := r.open()
	if len(running)+len(waiting) == 0 {
		return
	}
	for _, t := range running {
		r.flush(ctx, t)
	}
	if !beat {
		return
	}
	cancelled, err := r.beat(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn("jobs: heartbeat", "error", err)
		}
		return
	}
	for _, t := range running {
		ask, open := cancelled[t.id]
		if ask {
			t.stop(errCancelled)
		} else if !open && r.isRunning(t) {
			t.stop(errInterrupted) // the others took this node for dead
		}
	}
	for _, t := range waiting {
		if ask, open := cancelled[t.id]; (ask || !open) && r.unqueue(t) {
			r.end(t, Cancelled, nil, errCancelled)
		}
	}
}

func (r *Runner) isRunning(t *task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[t.id] == t
}

// unqueue takes a waiting task out; false where it is running by now.
func (r *Runner) unqueue(t *task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queue[t.account]
	for i, w := range q {
		if w != t {
			continue
		}
		if q = append(q[:i:i], q[i+1:]...); len(q) > 0 {
			r.queue[t.account] = q
			return true
		}
		delete(r.queue, t.account)
		for j, a := range r.turns {
			if a == t.account {
				r.turns = append(r.turns[:j:j], r.turns[j+1:]...)
				break
			}
		}
		return true
	}
	return false
}

// flush writes the progress of a task where it moved.
func (r *Runner) flush(ctx context.Context, t *task) {
	t.mu.Lock()
	done, total, what, dirty := t.done, t.total, t.what, t.dirty
	t.dirty = false
	t.mu.Unlock()
	if !dirty {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := r.exec(ctx, "progress", t.id, done, total, what); err != nil && ctx.Err() == nil {
		r.log.Warn("jobs: progress", "error", err)
	}
}

// sweep fails the jobs of processes that died and forgets the old ones.
func (r *Runner) sweep(ctx context.Context) {
	n, err := r.exec(ctx, "sweep", deadAfter.Seconds(), r.words(errInterrupted))
	if err == nil && n > 0 {
		r.log.Warn("jobs: jobs of a process that is gone were failed", "jobs", n)
	}
	if err == nil {
		_, err = r.exec(ctx, "purge", keepDays)
	}
	if err != nil && ctx.Err() == nil {
		r.log.Warn("jobs: sweep", "error", err)
	}
}
