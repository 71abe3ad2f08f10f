package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/jobs"
	"onemap/internal/pgtest"
)

type house struct {
	pgtest.DSNs
	db *db.DB
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{DSNs: pgtest.Database(t)}
	d, err := db.Open(t.Context(), db.Options{DSN: h.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	h.db = d
	return h
}

// runner makes a node. stop ends it and waits.
func (h *house) runner(t *testing.T, o jobs.Options) (r *jobs.Runner, stop func()) {
	t.Helper()
	o.DB = h.db
	r, err := jobs.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-over
	}
	t.Cleanup(stop)
	return r, stop
}

func person(n int, name string, roles ...auth.Role) auth.By {
	id := &auth.Identity{Kind: auth.Session, Account: fmt.Sprintf("01900000-0000-7000-8000-%012d", n), Username: name, Name: strings.ToUpper(name), ID: "s"}
	for i, r := range roles {
		id.Grants = append(id.Grants, auth.Grant{ID: fmt.Sprintf("g%d", i), Account: id.Account, Role: r, From: time.Now().Add(-time.Hour)})
	}
	id.Reach = auth.ReachOf(id.Grants, time.Now(), 1)
	return auth.By{Identity: id}
}

// wait asks until the job is as wanted; the test's own deadline is the limit.
func wait(t *testing.T, r *jobs.Runner, who auth.By, id string, ok func(jobs.Job) bool) jobs.Job {
	t.Helper()
	for {
		j, err := r.Get(t.Context(), who.Identity, id)
		if err != nil {
			t.Fatal(err)
		}
		if ok(j) {
			return j
		}
		if j.State.Ended() {
			t.Fatalf("the job is over: %+v (error %+v)", j, j.Error)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func is(s jobs.State) func(jobs.Job) bool { return func(j jobs.Job) bool { return j.State == s } }

func start(t *testing.T, r *jobs.Runner, by auth.By, fn jobs.Func) jobs.Job {
	t.Helper()
	j, err := r.Start(t.Context(), by, "plan.compute", "计算区划", "Compute a plan", "plans/x", fn)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// hold works until it is told to go or to stop.
func hold(begun chan<- string, name string, goOn <-chan struct{}) jobs.Func {
	return func(ctx context.Context, step func(int, int, string)) (any, error) {
		step(1, 4, name)
		begun <- name
		select {
		case <-goOn:
			return name, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := jobs.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

func TestAJobIsDoneAndSeenByItsOwner(t *testing.T) {
	h := open(t)
	r, _ := h.runner(t, jobs.Options{})
	other, _ := h.runner(t, jobs.Options{})
	planner, stranger, admin := person(1, "planner", auth.Planner), person(2, "other", auth.Planner), person(3, "admin", auth.Admin)
	begun, goOn := make(chan string, 1), make(chan struct{})
	j := start(t, r, planner, hold(begun, "village 1", goOn))
	if j.State != jobs.Queued && j.State != jobs.Running || j.Title.ZH != "计算区划" || j.By != "planner" || j.Name != "PLANNER" {
		t.Errorf("%+v", j)
	}
	<-begun
	// Progress reaches the row, and every node.
	got := wait(t, other, planner, j.ID, func(j jobs.Job) bool { return j.Total == 4 })
	if got.State != jobs.Running || got.Progress != 0.25 || got.What != "village 1" || got.StartedAt.IsZero() {
		t.Errorf("%+v", got)
	}
	close(goOn)
	got = wait(t, r, planner, j.ID, is(jobs.Done))
	if string(got.Result) != `"village 1"` || got.Progress != 1 || got.FinishedAt.IsZero() || got.Error != nil {
		t.Errorf("%+v %s", got, got.Result)
	}
	for _, who := range []auth.By{stranger, person(4, "auditor", auth.Auditor), {Identity: &auth.Identity{Kind: auth.Anonymous}}, {}} {
		if _, err := r.Get(t.Context(), who.Identity, j.ID); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("%+v sees it: %v", who.Identity, err)
		}
	}
	if list, err := r.List(t.Context(), stranger.Identity, jobs.Query{}); err != nil || len(list) != 0 {
		t.Errorf("a stranger's list: %v %v", list, err)
	}
	if _, err := r.List(t.Context(), stranger.Identity, jobs.Query{All: true}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a stranger lists all: %v", err)
	}
	if list, err := r.List(t.Context(), admin.Identity, jobs.Query{All: true, Kind: "plan.compute", State: jobs.Done}); err != nil || len(list) != 1 || list[0].ID != j.ID {
		t.Errorf("the administrator: %v %v", list, err)
	}
	if err := r.Cancel(t.Context(), stranger, j.ID); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("a stranger cancels: %v", err)
	}
	if c := new(auth.Conflict); !errors.As(r.Cancel(t.Context(), planner, j.ID), &c) || c.Code != "ended" {
		t.Errorf("cancel what is over: %+v", c)
	}
	if _, err := r.Start(t.Context(), auth.By{Identity: &auth.Identity{Kind: auth.Token, Name: "t"}}, "plan.compute", "a", "b", "", nil); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a token starts a job: %v", err)
	}
}

// TestTheFloorHidesOthersJobs: without the predicate of a query row security still keeps
// a job to its owner, and nobody but the program writes one.
func TestTheFloorHidesOthersJobs(t *testing.T) {
	h := open(t)
	r, _ := h.runner(t, jobs.Options{})
	j := start(t, r, person(1, "planner", auth.Planner), func(context.Context, func(int, int, string)) (any, error) { return 1, nil })
	wait(t, r, person(1, "planner", auth.Planner), j.ID, is(jobs.Done))
	for name, want := range map[string]int{"planner": 1, "other": 0} {
		conn := pgtest.Connect(t, h.App)
		var n int
		if err := conn.QueryRow(t.Context(), `select set_config('app.actor', $1, false), set_config('app.role', 'signed_in', false)`, name).Scan(new(string), new(string)); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRow(t.Context(), `select count(*) from job`).Scan(&n); err != nil || n != want {
			t.Errorf("%s sees %d: %v", name, n, err)
		}
		if tag, err := conn.Exec(t.Context(), `update job set what = 'x'`); err == nil && tag.RowsAffected() > 0 {
			t.Errorf("%s writes", name)
		}
	}
	conn := pgtest.Connect(t, h.App)
	if _, err := conn.Exec(t.Context(), `select count(*) from job`); err == nil {
		t.Error("without claims there is an answer")
	}
}

func TestAJobIsCancelledOnWhateverNodeItRuns(t *testing.T) {
	h := open(t)
	here, _ := h.runner(t, jobs.Options{})
	there, _ := h.runner(t, jobs.Options{})
	planner := person(1, "planner", auth.Planner)
	for name, by := range map[string]*jobs.Runner{"here": here, "there": there} {
		begun := make(chan string, 1)
		j := start(t, here, planner, hold(begun, name, nil))
		<-begun
		if err := by.Cancel(t.Context(), planner, j.ID); err != nil {
			t.Fatal(err)
		}
		if got := wait(t, here, planner, j.ID, is(jobs.Cancelled)); got.Error != nil || got.Result != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// Also one that waits: two run, the third is cancelled before its turn.
	begun, goOn := make(chan string, 3), make(chan struct{})
	a, b := start(t, here, planner, hold(begun, "a", goOn)), start(t, here, planner, hold(begun, "b", goOn))
	<-begun
	<-begun
	var ran atomic.Bool
	c := start(t, here, planner, func(context.Context, func(int, int, string)) (any, error) { ran.Store(true); return nil, nil })
	if err := there.Cancel(t.Context(), planner, c.ID); err != nil {
		t.Fatal(err)
	}
	wait(t, here, planner, c.ID, is(jobs.Cancelled))
	close(goOn)
	wait(t, here, planner, a.ID, is(jobs.Done))
	wait(t, here, planner, b.ID, is(jobs.Done))
	if ran.Load() {
		t.Error("a cancelled job ran")
	}
}

func TestFailuresAreWordsAndHarmNothing(t *testing.T) {
	h := open(t)
	own := errors.New("own")
	r, _ := h.runner(t, jobs.Options{Explain: func(err error) (jobs.Error, bool) {
		return jobs.Error{Code: "own", ZH: "自己的"}, errors.Is(err, own)
	}})
	planner := person(1, "planner", auth.Planner)
	for name, c := range map[string]struct {
		fn   func() (any, error)
		code string
		path string
	}{
		"panic": {func() (any, error) { panic("boom") }, "panic", ""},
		"invalid": {func() (any, error) {
			return nil, &auth.Invalid{Items: []auth.Fault{{Path: "/weights", Code: "inconsistent", ZH: "矛盾"}}}
		}, "inconsistent", "/weights"},
		"conflict":    {func() (any, error) { return nil, &auth.Conflict{Code: "not_editable"} }, "not_editable", ""},
		"own":         {func() (any, error) { return nil, fmt.Errorf("wrapped: %w", own) }, "own", ""},
		"anything":    {func() (any, error) { return nil, errors.New("secret of the inside") }, "failed", ""},
		"no JSON":     {func() (any, error) { return make(chan int), nil }, "failed", ""},
		"much result": {func() (any, error) { return strings.Repeat("x", 2<<20), nil }, "failed", ""},
	} {
		j := start(t, r, planner, func(context.Context, func(int, int, string)) (any, error) { return c.fn() })
		got := wait(t, r, planner, j.ID, is(jobs.Failed))
		if got.Error == nil || got.Error.Code != c.code || got.Error.Path != c.path || strings.Contains(got.Error.EN, "secret") {
			t.Errorf("%s: %+v", name, got.Error)
		}
	}
	j := start(t, r, planner, func(context.Context, func(int, int, string)) (any, error) { return "alive", nil })
	wait(t, r, planner, j.ID, is(jobs.Done))
}

// TestJobsOfADeadProcessAreFailed: a node that ends says so itself; one that dies is
// noticed by another.
func TestJobsOfADeadProcessAreFailed(t *testing.T) {
	h := open(t)
	planner := person(1, "planner", auth.Planner)
	r, stop := h.runner(t, jobs.Options{})
	begun := make(chan string, 2)
	a, b := start(t, r, planner, hold(begun, "a", nil)), start(t, r, planner, hold(begun, "b", nil))
	<-begun
	<-begun
	waiting := start(t, r, planner, hold(begun, "c", nil))
	stop()
	for _, j := range []jobs.Job{a, b, waiting} {
		if got := wait(t, r, planner, j.ID, is(jobs.Failed)); got.Error.Code != "interrupted" {
			t.Errorf("%+v", got.Error)
		}
	}
	// A process that is simply gone leaves its row behind.
	dead, err := jobs.Open(jobs.Options{DB: h.db})
	if err != nil {
		t.Fatal(err)
	}
	left := start(t, dead, planner, hold(begun, "d", nil)) // nobody ever runs it
	admin := pgtest.Connect(t, h.Admin)
	if _, err := admin.Exec(t.Context(), `update job set heartbeat = now() - interval '2 minutes', created_at = created_at where id = $1`, left.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := dead.Get(t.Context(), planner.Identity, left.ID); err != nil || got.State != jobs.Failed || got.Error == nil || got.Error.Code != "interrupted" {
		t.Errorf("of a process that is gone: %+v, %v", got, err)
	}
	old := time.Now().Add(-31 * 24 * time.Hour)
	for _, sql := range []string{`alter table job disable trigger over`,
		`update job set created_at = '` + old.Format(time.RFC3339) + `', finished_at = '` + old.Format(time.RFC3339) + `' where id = '` + a.ID + `'`,
		`alter table job enable trigger over`} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	next, _ := h.runner(t, jobs.Options{})
	if got := wait(t, next, planner, left.ID, is(jobs.Failed)); got.Error.Code != "interrupted" {
		t.Errorf("%+v", got.Error)
	}
	for { // and what is older than a month goes
		if _, err := next.Get(t.Context(), planner.Identity, a.ID); errors.Is(err, auth.ErrNotFound) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := next.Get(t.Context(), planner.Identity, b.ID); err != nil {
		t.Errorf("a young job is gone: %v", err)
	}
}

// TestTurns: one person's many jobs do not keep another's one waiting, and no more than
// two run at once.
func TestTurns(t *testing.T) {
	h := open(t)
	r, _ := h.runner(t, jobs.Options{})
	many, one := person(1, "many", auth.Planner), person(2, "one", auth.Planner)
	begun, goOn := make(chan string, 20), make(chan struct{})
	var now, most atomic.Int32
	watched := func(name string) jobs.Func {
		fn := hold(begun, name, goOn)
		return func(ctx context.Context, step func(int, int, string)) (any, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			return fn(ctx, step)
		}
	}
	var ids []jobs.Job
	for i := range 10 {
		ids = append(ids, start(t, r, many, watched(fmt.Sprint("many", i))))
	}
	if _, err := r.Start(t.Context(), many, "plan.compute", "a", "b", "", watched("x")); !errors.As(err, new(*auth.Conflict)) {
		t.Errorf("an eleventh: %v", err)
	}
	<-begun
	<-begun
	last := start(t, r, one, watched("one"))
	goOn <- struct{}{}
	if name := <-begun; name != "one" {
		t.Errorf("the next is %s", name)
	}
	close(goOn)
	wait(t, r, one, last.ID, is(jobs.Done))
	for _, j := range ids {
		wait(t, r, many, j.ID, is(jobs.Done))
	}
	if most.Load() != 2 {
		t.Errorf("%d ran at once", most.Load())
	}
}
