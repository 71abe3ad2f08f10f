package feed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/pgtest"
)

func open(t *testing.T) (pgtest.DSNs, *db.DB) {
	t.Helper()
	dsn := pgtest.Database(t)
	d, err := db.Open(t.Context(), db.Options{DSN: dsn.App, IntakeConns: 12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return dsn, d
}

// run starts a reader and collects what it delivers.
func run(t *testing.T, d *db.DB) (*feed.Reader, *collector) {
	t.Helper()
	r, err := feed.Open(t.Context(), d, feed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	r.OnBatch("collect", c.add)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return r, c
}

type collector struct {
	mu      sync.Mutex
	changes []feed.Change
	early   []string // rows delivered although their transaction could not be finished
}

func (c *collector) add(_ context.Context, b feed.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range b.Changes {
		if ch.Position.Xid >= b.Horizon && b.Horizon != 0 && b.Position.Xid != b.Horizon {
			c.early = append(c.early, ch.Position.String())
		}
	}
	c.changes = append(c.changes, b.Changes...)
}

func (c *collector) snapshot() []feed.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]feed.Change(nil), c.changes...)
}

func TestEveryStatementFitsTheSchema(t *testing.T) {
	dsn := pgtest.Database(t)
	q, err := feed.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Writer(t, dsn.App)); err != nil {
		t.Fatal(err)
	}
}

// TestNoRowIsSkippedDoubledOrEarly runs writers whose transactions are short,
// long, aborted and interleaved, and compares what was delivered with what was
// committed. The writers' choices are seeded; the interleaving is the machine's, and
// the model must hold for every one of them.
func TestNoRowIsSkippedDoubledOrEarly(t *testing.T) {
	_, d := open(t)
	r, got := run(t, d)
	const writers, rounds = 10, 40

	type commit struct {
		name string
		xid  uint64
	}
	var mu sync.Mutex
	var committed []commit
	visible := map[uint64]bool{} // xids whose commit returned

	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(42, uint64(w)))
			for i := range rounds {
				name := fmt.Sprintf("w%d-%d", w, i)
				long, abort := rng.IntN(10) == 0, rng.IntN(5) == 0
				rows := 1 + rng.IntN(4)
				pause := time.Duration(rng.IntN(4)) * time.Millisecond
				if long {
					pause = time.Duration(60+rng.IntN(120)) * time.Millisecond
				}
				var xid uint64
				err := d.Intake.Tx(t.Context(), db.System("feed test"), func(tx pgx.Tx) error {
					for k := range rows {
						if _, err := tx.Exec(t.Context(), `insert into hazards (name, geom) values ($1, st_setsrid(st_makepoint($2, 30), 4490))`,
							fmt.Sprintf("%s/%d", name, k), 110+rng.Float64()); err != nil {
							return err
						}
						time.Sleep(pause)
					}
					if err := tx.QueryRow(t.Context(), `select pg_current_xact_id()`).Scan(&xid); err != nil {
						return err
					}
					if abort {
						return errAbort
					}
					return nil
				})
				switch {
				case err == nil:
					mu.Lock()
					for k := range rows {
						committed = append(committed, commit{fmt.Sprintf("%s/%d", name, k), xid})
					}
					visible[xid] = true
					mu.Unlock()
					if rng.IntN(3) == 0 {
						r.Wake()
					}
				case !abort:
					t.Errorf("write %s: %v", name, err)
				}
			}
		})
	}
	wg.Wait()

	// The position of the last commit is reached when the horizon passes it.
	var last uint64
	for _, c := range committed {
		last = max(last, c.xid)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := r.WaitFor(ctx, feed.Position{Xid: last, Seq: 1 << 62}); err != nil {
		t.Fatalf("the feed did not reach the last commit: %v (state %+v)", err, r.State())
	}

	names := map[int64]string{}
	err := d.Query.Ask(t.Context(), db.System("feed test"), `select fid, name from hazards`, nil, func(rows pgx.Rows) error {
		var fid int64
		var name string
		_, err := pgx.ForEachRow(rows, []any{&fid, &name}, func() error { names[fid] = name; return nil })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	var before feed.Position
	for _, c := range got.snapshot() {
		if c.Layer != "hazards" {
			continue
		}
		if !before.Less(c.Position) {
			t.Errorf("position %s came after %s", c.Position, before)
		}
		before = c.Position
		if !visible[c.Position.Xid] {
			t.Errorf("row of xid %d delivered, but that transaction never committed", c.Position.Xid)
		}
		seen[names[c.FID]]++
	}
	for _, c := range committed {
		if n := seen[c.name]; n != 1 {
			t.Errorf("%s was delivered %d times", c.name, n)
		}
	}
	if len(got.early) > 0 {
		t.Errorf("delivered before the horizon passed them: %v", got.early)
	}
	t.Logf("%d rows of %d transactions committed by %d writers, each delivered once, in order", len(committed), len(visible), writers)
}

var errAbort = errors.New("the model aborts this one")

// TestSequenceOrderWouldSkip shows why the cursor is the pair: the row with the
// smaller seq commits last, and still arrives.
func TestSequenceOrderWouldSkip(t *testing.T) {
	dsn, d := open(t)
	r, got := run(t, d)
	early, late := pgtest.Writer(t, dsn.App), pgtest.Writer(t, dsn.App)

	tx, err := early.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	insert(t, tx, "first seq, last commit")
	insert(t, late, "second seq, first commit")
	time.Sleep(600 * time.Millisecond) // more than two polls
	for _, c := range got.snapshot() {
		if c.Layer == "hazards" {
			t.Fatalf("%s delivered while an older transaction was open", c.Position)
		}
	}
	if st := r.State(); st.HorizonAge <= 0 {
		// The holder is measured once a second.
		time.Sleep(1100 * time.Millisecond)
	}
	if st := r.State(); st.HorizonAge < 500*time.Millisecond || st.HolderPID != int(early.PgConn().PID()) {
		t.Errorf("horizon age %v held by %d, want the open transaction of backend %d", st.HorizonAge, st.HolderPID, early.PgConn().PID())
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitChanges(t, got, 2)
	c := got.snapshot()
	if c[0].Position.Seq > c[1].Position.Seq || c[0].Position.Xid > c[1].Position.Xid {
		t.Errorf("order %s, %s is not (xid, seq)", c[0].Position, c[1].Position)
	}
}

// TestBulkStatementIsOneRow keeps a big import from flooding the feed.
func TestBulkStatementIsOneRow(t *testing.T) {
	dsn, d := open(t)
	_, got := run(t, d)
	conn := pgtest.Writer(t, dsn.App)
	for _, sql := range []string{
		`begin`, `set local app.bulk = 'on'`,
		`insert into hazards (name, geom) select 'b' || i, st_setsrid(st_makepoint(110 + i / 100.0, 30), 4490) from generate_series(1, 50) i`,
		`commit`,
		`insert into hazards (name, geom) select 'c' || i, st_setsrid(st_makepoint(112, 31), 4490) from generate_series(1, 1500) i`,
		`insert into hazards (name, geom) values ('single', st_setsrid(st_makepoint(113, 31), 4490))`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	waitChanges(t, got, 3)
	c := got.snapshot()
	if c[0].Op != feed.Bulk || c[0].Rows != 50 || c[0].NewBBox == nil || c[0].NewBBox.Max[0] != 110.5 {
		t.Errorf("flagged statement: %+v", c[0])
	}
	if c[1].Op != feed.Bulk || c[1].Rows != 1500 {
		t.Errorf("large statement: %+v", c[1])
	}
	if c[2].Op != feed.Insert || c[2].FID == 0 || len(c[2].NewScope) != 1 {
		t.Errorf("single row: %+v", c[2])
	}
}

// TestReplayContinuesWithoutGapOrDouble resumes from every position.
func TestReplayContinuesWithoutGapOrDouble(t *testing.T) {
	dsn, d := open(t)
	r, got := run(t, d)
	conn := pgtest.Writer(t, dsn.App)
	for i := range 20 {
		insert(t, conn, fmt.Sprint("r", i))
	}
	waitChanges(t, got, 20)
	all := got.snapshot()
	for i, c := range all {
		rest, err := r.Since(t.Context(), c.Position, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) != len(all)-i-1 {
			t.Fatalf("after %s: %d changes, want %d", c.Position, len(rest), len(all)-i-1)
		}
		for k := range rest {
			if rest[k].Position != all[i+1+k].Position {
				t.Fatalf("after %s: %s, want %s", c.Position, rest[k].Position, all[i+1+k].Position)
			}
		}
	}
	future := feed.Position{Xid: all[len(all)-1].Position.Xid + 1_000_000, Seq: 1}
	if _, err := r.Since(t.Context(), future, 1); !errors.Is(err, feed.ErrReset) {
		t.Errorf("a position of the future: %v, want ErrReset", err)
	}
}

// TestPartitionsAreMadeAndDropped ages a partition past its keep and resumes from
// before it: that must be a reset, not a silent gap.
func TestPartitionsAreMadeAndDropped(t *testing.T) {
	dsn, d := open(t)
	admin := pgtest.Connect(t, dsn.Admin)
	for _, sql := range []string{
		`create table change_log_20200101 partition of change_log for values from ('2020-01-01 00:00:00+00') to ('2020-01-02 00:00:00+00')`,
		`insert into change_log (at, layer, op, actor) values ('2020-01-01 12:00:00+00', 'hazards', 'B', 'past')`,
		`insert into change_log (at, layer, op, actor) values ('2020-03-01 12:00:00+00', 'hazards', 'B', 'past, in the default partition')`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var old feed.Position
	if err := admin.QueryRow(t.Context(), `select xid, seq from change_log where at < '2020-02-01'`).Scan(&old.Xid, &old.Seq); err != nil {
		t.Fatal(err)
	}
	r, got := run(t, d) // Open maintains
	insert(t, admin, "today")
	waitChanges(t, got, 1)
	var left, ahead int
	if err := admin.QueryRow(t.Context(), `select (select count(*) from change_log where at < '2021-01-01'),
		(select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'change_log'::regclass and c.relname > 'change_log_' || to_char(current_date, 'YYYYMMDD'))`).Scan(&left, &ahead); err != nil {
		t.Fatal(err)
	}
	if left != 0 || ahead < 7 {
		t.Errorf("%d old rows left, %d partitions ahead", left, ahead)
	}
	if _, err := r.Since(t.Context(), old, 10); !errors.Is(err, feed.ErrReset) {
		t.Errorf("resuming from a dropped day: %v, want ErrReset", err)
	}
}

// TestForeignProcessesWake measures that a NOTIFY after the commit arrives; the
// poll is set far away so that only the wake-up can be the reason.
func TestForeignProcessesWake(t *testing.T) {
	dsn, d := open(t)
	r, err := feed.Open(t.Context(), d, feed.Options{Poll: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{}
	r.OnBatch("collect", c.add)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = r.Run(ctx) }()
	waitListening(t, dsn)
	conn := pgtest.Writer(t, dsn.App)
	insert(t, conn, "from another process")
	if err := feed.Notify(t.Context(), d.Bulk); err != nil {
		t.Fatal(err)
	}
	waitChanges(t, c, 1)
}

// TestReaderSurvivesItsConnection kills the reader's backends; nothing is lost.
func TestReaderSurvivesItsConnection(t *testing.T) {
	dsn, d := open(t)
	_, got := run(t, d)
	conn, admin := pgtest.Writer(t, dsn.App), pgtest.Connect(t, dsn.Admin)
	insert(t, conn, "before")
	waitChanges(t, got, 1)
	if _, err := admin.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'onemap feed%' and datname = current_database()`); err != nil {
		t.Fatal(err)
	}
	insert(t, conn, "while it was gone")
	insert(t, conn, "after")
	waitChanges(t, got, 3)
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"0.0", "12.34", "-1.2", "1.", ".1", "01.1", "18446744073709551615.9223372036854775807", "18446744073709551616.1", "1.2.3", "１.2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := feed.ParsePosition(s)
		if err == nil && p.String() != s {
			t.Errorf("%q reads as %s", s, p)
		}
	})
}

type execer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func insert(t *testing.T, e execer, name string) {
	t.Helper()
	var fid int64
	if err := e.QueryRow(t.Context(), `insert into hazards (name, geom) values ($1, st_setsrid(st_makepoint(110, 30), 4490)) returning fid`, name).Scan(&fid); err != nil {
		t.Fatal(err)
	}
}

func waitChanges(t *testing.T, c *collector, n int) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for time.Now().Before(deadline) {
		if len(c.snapshot()) >= n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d changes arrived, want %d", len(c.snapshot()), n)
}

func waitListening(t *testing.T, dsn pgtest.DSNs) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn.Admin)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	deadline := time.Now().Add(15 * time.Second)
	for time.Now().Before(deadline) {
		var n int
		if err := pool.QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and query = 'listen onemap_feed'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			time.Sleep(50 * time.Millisecond)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the reader never listened")
}
