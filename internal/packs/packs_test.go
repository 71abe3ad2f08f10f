package packs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/tiles"
)

const (
	own      = "990100001"
	foreign  = "990100002"
	village  = "990100001001"
	gridCode = "990100001001001"
)

// house is a county of two townships with a marked hazard in each, a real tile engine and
// a feed.
type house struct {
	t    *testing.T
	db   *db.DB
	reg  *registry.Registry
	feed *feed.Reader
	s    *Service
	w    *pgx.Conn
	now  time.Time
	mu   sync.Mutex
}

func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	if _, err := h.w.Exec(h.t.Context(), sql, args...); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

func (h *house) settle() {
	h.t.Helper()
	var xid uint64
	if err := h.w.QueryRow(h.t.Context(), `select pg_current_xact_id()`).Scan(&xid); err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	if err := h.feed.WaitFor(ctx, feed.Position{Xid: xid}); err != nil {
		h.t.Fatal(err)
	}
}

func open(t *testing.T, change ...func(*Options)) *house {
	t.Helper()
	dsn := pgtest.Database(t)
	h := &house{t: t, now: time.Now()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	h.db, err = db.Open(t.Context(), db.Options{DSN: dsn.App})
	must(err)
	t.Cleanup(h.db.Close)
	h.w = pgtest.Writer(t, dsn.App)
	h.exec(`insert into dataset (name, title) values ('test', '测试')`)
	h.exec(`insert into admin (dataset, source_key, code, admin_code, name, rank, parent_code, geom)
		select d.id, v.code, v.code, v.code, v.name, v.rank, left(v.code, 6), st_setsrid(st_makeenvelope(v.x0, 34.0, v.x1, 34.02), 4490)
		from dataset d, (values ('990100', '示例县', 3, 119.0, 121.0), ('990100001', '清河镇', 4, 119.0, 119.02), ('990100002', '王家山乡', 4, 119.02, 119.04), ('990100001001', '一村', 5, 119.0, 119.01)) v(code, name, rank, x0, x1)`)
	h.exec(`insert into grids (code, admin_code, name, geom) values ($1, '990100001001', '一网格', st_setsrid(st_makeenvelope(119.0, 34.0, 119.005, 34.01), 4490))`, gridCode)
	h.exec(`insert into hazards (code, name, hazard, level, admin_code, geom) values ('H1', 'QZOWNx', 'landslide', 1, $1, st_setsrid(st_makepoint(119.015, 34.01), 4490)), ('H2', 'QZFOREIGNx', 'landslide', 1, $2, st_setsrid(st_makepoint(119.0205, 34.01), 4490))`, own, foreign)
	h.reg, err = registry.Open(t.Context(), h.db.Query)
	must(err)
	h.feed, err = feed.Open(t.Context(), h.db, feed.Options{})
	must(err)
	engine, err := tiles.New(tiles.Options{DB: h.db, Registry: h.reg, Feed: h.feed})
	must(err)
	o := Options{DB: h.db, Tiles: engine, Catalogue: h.reg, Dir: t.TempDir(), Now: func() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now }}
	for _, c := range change {
		c(&o)
	}
	h.s, err = New(o)
	must(err)
	h.feed.OnBatch("tiles", engine.Invalidate)
	h.feed.OnBatch("packs", h.s.Changed)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = h.feed.Run(ctx) })
	wg.Go(func() { _ = h.s.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return h
}

func person(role auth.Role, area string) *auth.Identity {
	g := auth.Grant{ID: "01900000-0000-7000-8000-000000000101", Role: role, Area: area, From: time.Now().Add(-time.Hour)}
	return &auth.Identity{Kind: auth.Session, Account: "01900000-0000-7000-8000-000000000201", Username: "somebody", Grants: []auth.Grant{g}, Reach: auth.ReachOf([]auth.Grant{g}, time.Now(), 1)}
}

// made waits for the pack of an area.
func (h *house) made(who *auth.Identity, area string) Info {
	h.t.Helper()
	for range 100 {
		i, err := h.s.Manifest(h.t.Context(), who, area, 5*time.Second)
		if err != nil {
			h.t.Fatal(err)
		}
		if i.Ready {
			return i
		}
	}
	h.t.Fatal("never made")
	return Info{}
}

// read downloads a pack and gives all its tiles, unpacked, in one.
func (h *house) read(who *auth.Identity, area string) (*archive, []byte) {
	h.t.Helper()
	f, err := h.s.Open(h.t.Context(), who, area)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	whole, err := io.ReadAll(io.NewSectionReader(f, 0, f.Bytes))
	if err != nil || int64(len(whole)) != f.Bytes {
		h.t.Fatalf("%d of %d bytes, %v", len(whole), f.Bytes, err)
	}
	a, err := openArchive(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		h.t.Fatal(err)
	}
	var all []byte
	if err := a.walk(func(l line) {
		b, err := a.section(a.dataAt+l.offset, l.length)
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, b...)
	}); err != nil {
		h.t.Fatal(err)
	}
	return a, all
}

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Writer(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

// A pack holds what the tile engine answers its asker, and nothing of a neighbour he does
// not read, though the neighbour's row lies in the box.
func TestPackIsWhatTheAskerSees(t *testing.T) {
	h := open(t)
	worker, officer := person(auth.GridWorker, village), person(auth.DutyOfficer, "990100")
	before, err := h.s.List(t.Context(), worker)
	if err != nil || len(before) != 2 || before[0].Area != village || before[1].Area != own || before[0].Ready || before[0].Tiles == 0 || before[0].Bytes == 0 {
		t.Fatalf("list: %+v, %v", before, err)
	}
	info := h.made(worker, own)
	if info.Tiles != before[1].Tiles || info.Name != "清河镇" || info.ETag == "" || len(info.Layers) < 5 {
		t.Errorf("made: %+v, listed %+v", info, before[1])
	}
	a, all := h.read(worker, own)
	if a.minZoom != 8 || a.maxZoom != 16 || !bytes.Contains(all, []byte("QZOWNx")) || bytes.Contains(all, []byte("QZFOREIGNx")) {
		t.Errorf("the worker's pack: own %v, foreign %v", bytes.Contains(all, []byte("QZOWNx")), bytes.Contains(all, []byte("QZFOREIGNx")))
	}
	for _, at := range [][3]int{{8, 212, 102}, {12, 3401, 1636}, {16, 54434, 26178}} {
		tile, err := h.s.opts.Tiles.Tile(t.Context(), tiles.Request{Layers: info.Layers, Z: at[0], X: at[1], Y: at[2], Reach: worker.Reach})
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.tile(at[0], at[1], at[2])
		if err != nil || tile.Empty != (got == nil) || !tile.Empty && len(got) != tile.RawSize {
			t.Errorf("%v: %d bytes, the engine has %d, %v", at, len(got), tile.RawSize, err)
		}
	}
	h.made(officer, own)
	if _, all := h.read(officer, own); !bytes.Contains(all, []byte("QZOWNx")) || !bytes.Contains(all, []byte("QZFOREIGNx")) {
		t.Error("the officer's pack lacks what he sees")
	}
	if again := h.made(worker, own); again.ETag != info.ETag || !again.MadeAt.Equal(info.MadeAt) {
		t.Error("it was made anew without need")
	}
}

func TestAreasOfOthers(t *testing.T) {
	h := open(t, func(o *Options) { o.MaxTiles = 400 })
	worker, unit := person(auth.GridWorker, gridCode), person(auth.Unit, own)
	for who, codes := range map[*auth.Identity][]string{
		worker: {foreign, "990100", "990100001002", "", "x", "9901000010010019", "990999001"}, unit: {foreign, "990100"},
		{Kind: auth.Anonymous, Reach: auth.PublicReach(1)}: {own}, {Kind: auth.Demo, Reach: auth.DemoReach(1)}: {own},
	} {
		for _, code := range codes {
			if _, err := h.s.Manifest(t.Context(), who, code, 0); !errors.Is(err, ErrAbsent) {
				t.Errorf("%s asks for %q: %v", who.Kind, code, err)
			}
			if _, err := h.s.Open(t.Context(), who, code); !errors.Is(err, ErrAbsent) {
				t.Errorf("%s opens %q: %v", who.Kind, code, err)
			}
		}
	}
	list, err := h.s.List(t.Context(), worker)
	if err != nil || len(list) != 2 || list[0].Area != gridCode || list[1].Area != own {
		t.Errorf("a grid worker's: %+v, %v", list, err)
	}
	officer := person(auth.DutyOfficer, "990100")
	if list, err = h.s.List(t.Context(), officer); err != nil || len(list) != 2 || list[0].Area != own {
		t.Errorf("a county officer's: %+v, %v", list, err)
	}
	if _, err := h.s.Manifest(t.Context(), officer, "990100", 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("the county: %v", err)
	}
}

// What leaves the reach is in no pack that is given afterwards; what is edited or added
// may be missing for ten minutes.
func TestChanges(t *testing.T) {
	h := open(t)
	worker := person(auth.GridWorker, own)
	first := h.made(worker, own)
	pass := func(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.now = h.now.Add(d) }

	h.exec(`insert into hazards (code, name, hazard, level, admin_code, geom) values ('H3', 'QZNEWx', 'landslide', 1, $1, st_setsrid(st_makepoint(119.016, 34.01), 4490))`, own)
	h.settle()
	if got := h.made(worker, own); got.ETag != first.ETag {
		t.Error("an addition threw the pack away at once")
	}
	pass(11 * time.Minute)
	second := h.made(worker, own)
	if _, all := h.read(worker, own); second.ETag == first.ETag || !bytes.Contains(all, []byte("QZNEWx")) {
		t.Error("after ten minutes the addition is missing")
	}
	// A change elsewhere, or of a layer that is not in it, does nothing.
	h.exec(`update hazards set name = 'QZOTHERx' where code = 'H2'`)
	h.exec(`insert into incidents (code, name, kind, level, occurred_at, geom) values ('S', 'x', 'flood', 1, now(), st_setsrid(st_makepoint(119.01, 34.01), 4490))`)
	h.settle()
	pass(11 * time.Minute)
	if got := h.made(worker, own); got.ETag != second.ETag || !got.MadeAt.Equal(second.MadeAt) {
		t.Error("a change he does not see threw the pack away")
	}
	for _, sql := range []string{
		`update hazards set admin_code = '990100002', scope = code_scope('990100002') where code = 'H3'`,
		`delete from hazards where code = 'H1'`,
	} {
		f, err := h.s.Open(t.Context(), worker, own) // a download under way goes on with what it began with
		if err != nil {
			t.Fatal(err)
		}
		h.exec(sql)
		h.settle()
		if _, err := h.s.Open(t.Context(), worker, own); !errors.Is(err, ErrMaking) {
			t.Errorf("%s: the old pack is still given: %v", sql, err)
		}
		if _, err := f.ReadAt(make([]byte, 10), 0); err != nil {
			t.Errorf("%s: a held file: %v", sql, err)
		}
		f.Close()
		h.made(worker, own)
	}
	if _, all := h.read(worker, own); bytes.Contains(all, []byte("QZNEWx")) || bytes.Contains(all, []byte("QZOWNx")) {
		t.Error("what left is still there")
	}
	pass(25 * time.Hour)
	if _, err := h.s.Open(t.Context(), worker, own); !errors.Is(err, ErrMaking) {
		t.Errorf("a pack of yesterday: %v", err)
	}
}

// Other rights, another pack: nothing made under more is found under less.
func TestRightsChange(t *testing.T) {
	h := open(t)
	officer := person(auth.DutyOfficer, "990100")
	h.made(officer, own)
	less := person(auth.Unit, own)
	less.Account = officer.Account
	if _, err := h.s.Open(t.Context(), less, own); !errors.Is(err, ErrAbsent) && !errors.Is(err, ErrMaking) {
		t.Errorf("with other rights: %v", err)
	}
	worker := person(auth.GridWorker, own)
	h.made(worker, own)
	if _, all := h.read(worker, own); strings.Contains(string(all), "QZFOREIGNx") {
		t.Error("a pack of more rights was given")
	}
	gone := person(auth.GridWorker, own)
	gone.Grants[0].To = time.Now().Add(-time.Minute)
	if _, err := h.s.Open(t.Context(), gone, own); !errors.Is(err, ErrAbsent) {
		t.Errorf("after the grant ended: %v", err)
	}
}

// slowTiles lets a test act while a pack is made.
type slowTiles struct {
	Tiles
	at func(z, x, y int)
}

func (s *slowTiles) Tile(ctx context.Context, r tiles.Request) (*tiles.Tile, error) {
	t, err := s.Tiles.Tile(ctx, r)
	s.at(r.Z, r.X, r.Y)
	return t, err
}

// A row that leaves while the pack is made is not in it.
func TestLeavesWhileMade(t *testing.T) {
	var h *house
	var once sync.Once
	slow := &slowTiles{at: func(z, _, _ int) {
		if z == MaxZoom {
			once.Do(func() {
				h.exec(`delete from hazards where code = 'H1'`)
				h.settle()
			})
		}
	}}
	h = open(t, func(o *Options) { slow.Tiles = o.Tiles; o.Tiles = slow })
	worker := person(auth.GridWorker, own)
	h.made(worker, own)
	if _, all := h.read(worker, own); bytes.Contains(all, []byte("QZOWNx")) {
		t.Error("it is in the pack")
	}
}

// Packs are kept within a size; the one used longest ago goes first.
func TestEviction(t *testing.T) {
	h := open(t, func(o *Options) { o.MaxBytes = 1 })
	worker := person(auth.GridWorker, gridCode)
	h.made(worker, gridCode)
	h.made(worker, own)
	if _, err := h.s.Open(t.Context(), worker, gridCode); !errors.Is(err, ErrMaking) {
		t.Errorf("the first pack: %v", err)
	}
	h.made(worker, gridCode)
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	if len(h.s.packs) != 1 {
		t.Errorf("%d packs are kept", len(h.s.packs))
	}
}
