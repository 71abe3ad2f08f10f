package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// The model test of what devices send: phones that mark, edit, delete, take steps, send
// photos in pieces, lose their connection, send twice, at the same moment and out of
// order, hand their outbox to another phone, have wrong clocks, lose their sign-in and
// their grid, and an office that decides meanwhile, all at once against the real program,
// which is killed meanwhile. The phones believe what they are told, as the page does: what
// was acknowledged leaves the outbox. At the end every acknowledged operation is in the
// log once and did what the log says once, what was kept for a person is at a desk, every
// phone has what the server has, and every photo is whole.
//
// ONEMAP_SEED gives the same plans again; who comes first is the machine's.

const modelPassword = "Onemap-Test-2026"

// modelSize is how much is tried: little in go test; with ONEMAP_SOAK=1 much, and on a
// cluster of the program's own, which dies with it.
type modelSize struct {
	phones, rounds, steps, kills int
	own                          bool
}

func modelOf(t *testing.T) modelSize {
	s := modelSize{phones: 5, rounds: 10, steps: 7, kills: 2}
	if os.Getenv("ONEMAP_SOAK") == "1" {
		s = modelSize{phones: 60, rounds: 60, steps: 8, kills: 12, own: true}
	}
	for name, into := range map[string]*int{"PHONES": &s.phones, "ROUNDS": &s.rounds, "KILLS": &s.kills} {
		if v := os.Getenv("ONEMAP_MODEL_" + name); v != "" {
			n, err := strconv.Atoi(v)
			if err != nil {
				t.Fatal(err)
			}
			*into = n
		}
	}
	return s
}

type modelWorld struct {
	t       *testing.T
	data    string
	args    []string // of the program
	dsn     string   // superuser
	auth    *auth.Service
	phones  []*modelPhone
	office  *modelOffice
	client  *http.Client
	shelter map[string]string // of a grid
	doomed  atomic.Bool       // the program dies when somebody is told that his is safe
	dead    chan struct{}     // it did

	mu       sync.Mutex
	admin    *pgx.Conn
	server   *server
	grants   map[string]string // user: grid he holds, "" none
	accounts map[string]string
	ops      map[string]*modelOp // all that were made
	photos   map[string][]byte   // all that were taken
	tally    map[string]int
	broken   bool
}

// The grids: two of one township, one of another.
var modelGrids = map[string][4]float64{
	"990100101001001": {110.0, 30.0, 110.1, 30.1},
	"990100101001002": {110.1, 30.0, 110.2, 30.1},
	"990100102001001": {110.5, 30.0, 110.6, 30.1},
}

func modelGrid(n int) string {
	return []string{"990100101001001", "990100101001002", "990100101001001", "990100101001002", "990100102001001"}[n%5]
}

// fail ends whoever calls it, the test's own goroutine or a phone's.
func (w *modelWorld) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf(format, args...)
	w.mu.Lock()
	w.broken = true
	w.mu.Unlock()
	runtime.Goexit()
}

func (w *modelWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.fail("%v", err)
	}
}

func (w *modelWorld) count1(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally[what]++
}

// safe says that somebody was just told that what he sent is safe: the moment to die.
func (w *modelWorld) safe() {
	if w.doomed.CompareAndSwap(true, false) {
		w.mu.Lock()
		_ = w.server.cmd.Process.Kill()
		w.mu.Unlock()
		close(w.dead)
	}
}

func (w *modelWorld) url() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.server.url
}

// sql asks as superuser; the database may be away while its program is killed.
func (w *modelWorld) sql(fn func(*pgx.Conn) error) {
	w.t.Helper()
	w.mu.Lock()
	err := w.sqlLocked(fn)
	w.mu.Unlock()
	w.must(err)
}

func (w *modelWorld) sqlLocked(fn func(*pgx.Conn) error) error {
	all := `'{[1000000000000000,3000000000000000)}'`
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		ctx := context.Background()
		var err error
		if w.admin == nil || w.admin.IsClosed() {
			if w.admin, err = pgx.Connect(ctx, w.dsn); err == nil {
				_, err = w.admin.Exec(ctx, `select set_config('app.actor','system',false), set_config('app.role','system',false), set_config('app.public',`+all+`,false), set_config('app.read',`+all+`,false),
					set_config('app.sensitive',`+all+`,false), set_config('app.write',`+all+`,false), set_config('app.demo','off',false)`)
			}
		}
		if err == nil {
			err = fn(w.admin)
		}
		if err == nil || w.admin != nil && !w.admin.IsClosed() || time.Now().After(deadline) {
			return err
		}
	}
}

func (w *modelWorld) exec(sql string, args ...any) {
	w.t.Helper()
	w.sql(func(c *pgx.Conn) error {
		if _, err := c.Exec(context.Background(), sql, args...); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		return nil
	})
}

func (w *modelWorld) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.sql(func(c *pgx.Conn) error { return c.QueryRow(context.Background(), sql, args...).Scan(&n) })
	return n
}

// lines gives what a question answers, one text a row.
func (w *modelWorld) lines(sql string, args ...any) (out []string) {
	w.t.Helper()
	w.sql(func(c *pgx.Conn) error {
		rows, err := c.Query(context.Background(), sql, args...)
		if err == nil {
			out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	return out
}

func newModelWorld(t *testing.T, seed uint64, size modelSize) *modelWorld {
	t.Helper()
	w := &modelWorld{
		t: t, data: dataDir(t), grants: map[string]string{}, accounts: map[string]string{}, ops: map[string]*modelOp{}, photos: map[string][]byte{}, tally: map[string]int{}, shelter: map[string]string{},
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: size.phones + 8}},
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	var pool *db.DB
	if size.own {
		w.start()
		f := newFlags(environment{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }}, "model")
		f.Data = w.data
		d, err := openOffline(ctx, f, slog.New(slog.DiscardHandler))
		must(err)
		t.Cleanup(func() { d.close(slog.New(slog.DiscardHandler)) })
		w.dsn, pool = d.adminDSN, d.DB
	} else {
		dsn := pgtest.Database(t)
		w.dsn, w.args = dsn.Admin, []string{"--database-url", dsn.App, "--admin-url", dsn.Admin}
		var err error
		pool, err = db.Open(ctx, db.Options{DSN: dsn.App})
		must(err)
		t.Cleanup(pool.Close)
	}
	t.Cleanup(func() {
		if w.admin != nil {
			_ = w.admin.Close(ctx)
		}
	})
	w.exec(`insert into admin (name, code, admin_code, rank, geom) values ('县', '990100', '990100', 3, st_multi(st_makeenvelope(110, 30, 111, 31, 4490))),
		('乡', '990100101', '990100101', 4, st_multi(st_makeenvelope(110, 30, 110.5, 31, 4490))), ('镇', '990100102', '990100102', 4, st_multi(st_makeenvelope(110.5, 30, 111, 31, 4490)))`)
	for code, b := range modelGrids {
		w.exec(`insert into grids (name, code, admin_code, geom) values ($1, $1, $1, st_multi(st_makeenvelope($2, $3, $4, $5, 4490)))`, code, b[0], b[1], b[2], b[3])
		w.exec(`insert into shelters (name, code, admin_code, geom) values ('所', 'S' || $1, $1, st_setsrid(st_makepoint($2, $3), 4490))`, code, b[0]+0.05, b[1]+0.05)
		w.shelter[code] = w.lines(`select id::text from shelters where code = 'S' || $1`, code)[0]
	}
	reg, err := registry.Open(ctx, pool.Query)
	must(err)
	w.auth, err = auth.Open(ctx, auth.Options{DB: pool, Catalogue: reg})
	must(err)
	cli := auth.By{CLI: true, Request: "test"}
	add := func(user string, role auth.Role, area string) {
		a, link, err := w.auth.AddUser(ctx, cli, auth.NewAccount{Username: user, Name: user, Unit: "990100"}, auth.NewGrant{Role: role, Area: area, Reason: "测试"})
		must(err)
		_, err = w.auth.Activate(ctx, auth.By{Identity: w.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1"), Request: "test"}, link.Token, modelPassword)
		must(err)
		w.accounts[user] = a.ID
	}
	add("guan", auth.Admin, "")
	for i := range size.phones {
		p := newModelPhone(w, i, seed)
		if i == 1 {
			p.user = "worker0" // two phones of one person
		} else {
			add(p.user, auth.GridWorker, modelGrid(i))
			w.grants[p.user] = modelGrid(i)
		}
		w.phones = append(w.phones, p)
	}
	add("zhiban", auth.DutyOfficer, "990100101")
	add("xian", auth.DutyOfficer, "990100")
	w.office = newModelOffice(w, seed, size.phones)
	if !size.own {
		w.start()
	}
	return w
}

func (w *modelWorld) start() {
	s := startServer(w.t, w.data, w.args...)
	w.mu.Lock()
	w.server = s
	w.mu.Unlock()
}

// kill is kill -9 of the program, and a new one.
func (w *modelWorld) kill() {
	_ = w.server.cmd.Process.Kill() // perhaps it is dead already
	<-w.server.done
	w.start()
	w.count1("kill -9")
}

// reassign gives a worker another grid, or none for a while.
func (w *modelWorld) reassign(user string, n int) {
	grid := modelGrid(n)
	if n%12 == 0 {
		grid = ""
	}
	w.mu.Lock()
	err := w.sqlLocked(func(c *pgx.Conn) error {
		return pgx.BeginFunc(context.Background(), c, func(tx pgx.Tx) error {
			if _, err := tx.Exec(context.Background(), `update auth.role_grant set revoked_at = clock_timestamp() where account = (select id from auth.account where username = $1) and revoked_at is null`, user); err != nil || grid == "" {
				return err
			}
			_, err := tx.Exec(context.Background(), `insert into auth.role_grant (account, role, area, reason) select id, 'grid_worker', $2, '调整' from auth.account where username = $1`, user, grid)
			return err
		})
	})
	w.grants[user] = grid
	w.tally["reassigned"]++
	w.mu.Unlock()
	w.must(err)
}

func (w *modelWorld) gridOf(user string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if g := w.grants[user]; g != "" {
		return g
	}
	return "990100101001001"
}

// round lets everybody act at once; with killed the program dies somewhere meanwhile.
func (w *modelWorld) round(rng *rand.Rand, steps int, killed bool) {
	var all sync.WaitGroup
	for _, p := range w.phones {
		all.Go(func() {
			for range steps {
				p.step()
			}
		})
	}
	all.Go(func() {
		for range 3 + len(w.phones)/3 {
			w.office.step()
		}
	})
	if killed {
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		if rng.IntN(3) > 0 { // when somebody has just been told that his is safe
			w.dead = make(chan struct{})
			w.doomed.Store(true)
			select {
			case <-w.dead:
			case <-time.After(2 * time.Second):
				w.doomed.Store(false)
			}
		}
		w.kill()
	}
	all.Wait()
	if w.broken {
		w.t.FailNow()
	}
}

func TestDevicesAgainstTheServer(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ONEMAP_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ONEMAP_SEED=%d", seed)
	size := modelOf(t)
	w := newModelWorld(t, seed, size)
	rng := rand.New(rand.NewPCG(seed, 0))
	started := time.Now()
	for i := range size.rounds {
		w.round(rng, size.steps, size.kills > 0 && i*size.kills/size.rounds != (i+1)*size.kills/size.rounds)
	}
	acted := time.Since(started)
	w.converge()
	converged := time.Since(started)
	w.check()
	t.Logf("%d operations, %d photos of %d phones in %v, at rest %v later: %v", len(w.ops), len(w.photos), len(w.phones), acted.Round(time.Millisecond), (converged - acted).Round(time.Millisecond), w.tally)
}

// converge lets every phone send what it has and fetch what there is.
func (w *modelWorld) converge() {
	var all sync.WaitGroup
	for _, p := range w.phones {
		all.Go(p.finish)
	}
	all.Wait()
	if w.broken {
		w.t.FailNow()
	}
	// What waited for an earlier operation has it now; what was left lying by a program that
	// was killed is taken up within a minute.
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		left := w.lines(`select o.op_id || ' ' || o.device || ' #' || o.device_seq || ' of ' || coalesce(d.applied, 0) from sync_op o left join sync_device d using (account, device) where o.status = 'waiting'`)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d operations wait for ever: %v", len(left), left[:min(len(left), 10)])
		}
	}
	var want feed.Position // numbers are given before the transactions they belong to are in order
	if last := w.lines(`select xid::text || '.' || seq from change_log order by xid desc, seq desc limit 1`); len(last) > 0 {
		var err error
		want, err = feed.ParsePosition(last[0])
		w.must(err)
	}
	for _, p := range w.phones {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if p.fetch() {
				at, _, _ := strings.Cut(p.since, "@")
				pos, err := feed.ParsePosition(at)
				w.must(err)
				if !pos.Less(want) {
					break
				}
			}
			if time.Now().After(deadline) {
				w.t.Fatalf("%s stands at %s, the feed at %s", p.device, p.since, want)
			}
		}
	}
}

func decodeJSON(raw []byte) map[string]any {
	var m map[string]any
	_ = json.Unmarshal(raw, &m)
	return m
}
