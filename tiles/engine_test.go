package tiles

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/maptile"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
)

func tileAt(lon, lat float64, z int) maptile.Tile {
	return maptile.At(orb.Point{lon, lat}, maptile.Zoom(z))
}

func TestQueriesAreNamedOnce(t *testing.T) {
	if _, err := loadParts(); err != nil {
		t.Fatal(err)
	}
}

func TestEngineRefuses(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.exec(`create table outside (id int primary key, geom geometry(Point, 4490))`)
	w.publish("public.outside", PublishOptions{})
	cases := map[string]struct {
		change func(*Request)
		kind   error
		code   string
	}{
		"unknown layer":     {func(r *Request) { r.Layers = []string{"pg_user"} }, ErrUnknownLayer, "unknown_layer"},
		"no layer":          {func(r *Request) { r.Layers = nil }, ErrUnknownLayer, "unknown_layer"},
		"zoom":              {func(r *Request) { r.Z = 23 }, ErrRange, "tile_out_of_range"},
		"negative":          {func(r *Request) { r.X = -1 }, ErrRange, "tile_out_of_range"},
		"y":                 {func(r *Request) { r.Y = 1 << 12 }, ErrRange, "tile_out_of_range"},
		"property":          {func(r *Request) { r.Properties = []string{"password_hash"} }, ErrParameter, "unknown_property"},
		"filter column":     {func(r *Request) { r.Filter = `"pg_sleep" = 9` }, ErrParameter, "unknown_property"},
		"filter not listed": {func(r *Request) { r.Filter = `"monitor" = 'x'` }, ErrParameter, "unknown_property"},
		"filter type":       {func(r *Request) { r.Filter = `"threatened_persons" = 'one'` }, ErrParameter, "bad_filter"},
		"filter like":       {func(r *Request) { r.Filter = `"threatened_persons" LIKE '1%'` }, ErrParameter, "bad_filter"},
		"filter date":       {func(r *Request) { r.Filter = `"found_at" > 'yesterday'` }, ErrParameter, "bad_filter"},
		"filter unreadable": {func(r *Request) { r.Filter = `level = ` }, ErrParameter, "bad_filter"},
		"plan":              {func(r *Request) { r.Plan = "0190a0a0-0000-7000-8000-000000000000" }, ErrParameter, "no_plans"},
		"history":           {func(r *Request) { r.Layers = []string{"outside"}; r.AsOf = &now }, ErrParameter, "no_history"},
	}
	for name, c := range cases {
		req := at(110.5, 30.5, 12, "hazards")
		c.change(&req)
		_, err := w.engine.Tile(context.Background(), req)
		var e *Error
		if !errors.Is(err, c.kind) || !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if n := w.engine.Stats().Entries; n != 0 {
		t.Errorf("%d errors were cached", n)
	}
}

// publish makes a table a layer and lets the catalogue know.
func (w *world) publish(table string, o PublishOptions) *Published {
	w.t.Helper()
	p, err := Publish(context.Background(), w.sql, table, o)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.reg.Reload(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestFilters(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazards (name, hazard, level, threatened_persons, found_at, field_verified_at, exercise, geom) values
		('坡甲', 'landslide', 1, 30, '2026-01-05', '2026-02-01T00:00:00Z', false, 'SRID=4490;POINT(110.5 30.5)'),
		('坡乙''%_\', 'landslide', 2, null, '2026-03-05', null, true, 'SRID=4490;POINT(110.501 30.5)'),
		('沟丙', 'debris_flow', 3, 7, null, null, false, 'SRID=4490;POINT(110.502 30.5)')`)
	for filter, want := range map[string]string{
		`level = 1`:                              "1",
		`level <> 1`:                             "2 3",
		`level <= 2.5`:                           "1 2",
		`level in (1, 3)`:                        "1 3",
		`level not in (1, 3)`:                    "2",
		`level between 2 and 3`:                  "2 3",
		`level > 9999999999999`:                  "",
		`hazard = 'landslide' and not level = 1`: "2",
		`hazard = 'debris_flow' or level = 1`:    "1 3",
		`threatened_persons is null`:             "2",
		`threatened_persons is not null`:         "1 3",
		`threatened_persons > 10`:                "1",
		`not threatened_persons > 10`:            "3",
		`name like '坡%'`:                         "1 2",
		`name like '_丙'`:                         "3",
		`name = '坡乙''%_\'`:                       "2",
		`name like '%\'`:                         "2",
		`name like '%\%%'`:                       "2",
		`name = ''' or 1=1 --'`:                  "",
		`exercise = true`:                        "2",
		`found_at >= date('2026-02-01')`:         "2",
		`found_at < '2026-02-01'`:                "1",
		`field_verified_at > timestamp('2026-01-31T23:00:00Z')`:       "1",
		`"level" = 1 AND ("name" LIKE '%甲' OR "hazard" IN ('x','y'))`: "1",
	} {
		f, err := parseFilter(filter)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		req := at(110.5, 30.5, 12, "hazards")
		req.Filter = f.String()
		var got []string
		for _, l := range decodeTile(t, w.tile(req)) {
			for _, f := range l.features {
				got = append(got, fmt.Sprint(f.id))
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s shows %q, want %q", filter, s, want)
		}
	}
}

func TestHitNeedsNoDatabase(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazards (name, geom) values ('a', 'SRID=4490;POINT(110.5 30.5)')`)
	full, empty, shallow := at(110.5, 30.5, 12, "hazards"), at(100, 20, 12, "hazards"), at(110.5, 30.5, 3, "hazards")
	first := w.tile(full)
	if !w.tile(empty).Empty || !w.tile(shallow).Empty || first.Empty {
		t.Fatal("the wrong tiles are empty")
	}
	w.db.Close()
	for _, req := range []Request{full, empty, shallow} {
		if _, err := w.engine.Tile(context.Background(), req); err != nil {
			t.Errorf("%d/%d/%d: %v", req.Z, req.X, req.Y, err)
		}
	}
	again := w.tile(full)
	if again.ETag != first.ETag || &again.Body[0] != &first.Body[0] {
		t.Error("the hit is another tile")
	}
	if s := w.engine.Stats(); s.Hits != 4 || s.Misses != 3 || s.Entries != 3 {
		t.Errorf("%+v", s)
	}
}

func TestETagIsOfTheContent(t *testing.T) {
	w := newWorld(t)
	w.follow()
	w.exec(`insert into hazards (name, geom) values ('a', 'SRID=4490;POINT(110.5 30.5)')`)
	w.settle()
	req := at(110.5, 30.5, 12, "hazards")
	a := w.tile(req).ETag
	w.exec(`update hazards set name = 'b'`)
	w.settle()
	b := w.tile(req).ETag
	w.exec(`update hazards set name = 'a'`)
	w.settle()
	if c := w.tile(req).ETag; a == b || a != c {
		t.Errorf("%s %s %s", a, b, c)
	}
}

// locked holds a table so that a render has to wait in the database.
func (w *world) locked(table string) (release func()) {
	w.t.Helper()
	conn := pgtest.Connect(w.t, w.dsn.Admin)
	tx, err := conn.Begin(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := tx.Exec(context.Background(), "lock table "+pgx.Identifier{table}.Sanitize()+" in access exclusive mode"); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(context.Background()); err != nil {
			w.t.Error(err)
		}
	}
}

// running counts the application's queries under way in this database.
func (w *world) running() (n int) {
	w.t.Helper()
	err := w.sql.QueryRow(context.Background(), `select count(*) from pg_stat_activity
		where datname = current_database() and usename = 'onemap_app' and application_name = 'onemap query' and state = 'active'`).Scan(&n)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// eventually waits for a state that must come; the test's own timeout ends it.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestOneRenderForManyAskers(t *testing.T) {
	w := newWorld(t, func(_ *Options, d *db.Options) { d.QueryConns = 8 })
	w.exec(`insert into hazards (name, geom) values ('a', 'SRID=4490;POINT(110.5 30.5)')`)
	release := w.locked("hazards")
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range 20 {
		wg.Go(func() {
			tile, err := w.engine.Tile(context.Background(), at(110.5, 30.5, 12, "hazards"))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			got[tile.ETag]++
		})
	}
	eventually(t, "all have boarded", func() bool { return w.engine.Stats().Shared == 19 })
	if n := w.running(); n > 1 {
		t.Errorf("%d queries for one tile", n)
	}
	release()
	wg.Wait()
	if s := w.engine.Stats(); s.Renders != 1 || len(got) != 1 {
		t.Errorf("%d renders, %d different answers", s.Renders, len(got))
	}
}

func TestLeavingStopsTheQuery(t *testing.T) {
	w := newWorld(t, func(_ *Options, d *db.Options) { d.QueryConns = 1; d.QueryTimeout = 10 * time.Minute })
	w.exec(`create view slow as select 1 as id, ST_SetSRID(ST_MakePoint(110.5, 30.5), 4490)::geometry(Point, 4490) as geom, pg_sleep(300)::text as s`)
	w.exec(`grant select on slow to onemap_app`)
	w.exec(`insert into layer (layer, title_zh, title_en, theme, geometry, own, table_name, geom_column) values ('slow', 's', 's', 'exposure', 'point', false, 'slow', 'geom')`)
	w.exec(`insert into layer_field (layer, name, type, title_zh, title_en, in_tile) values ('slow', 's', 'text', 's', 's', true)`)
	if err := w.reg.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	pid := func() (pid int) {
		if err := w.sql.QueryRow(context.Background(), `select coalesce(max(pid), 0) from pg_stat_activity where datname = current_database() and application_name = 'onemap query'`).Scan(&pid); err != nil {
			t.Fatal(err)
		}
		return pid
	}
	// Only the sleep itself counts: what the engine asks beforehand is over in a moment.
	sleeping := func() (n int) {
		if err := w.sql.QueryRow(context.Background(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	ctx1, leave1 := context.WithCancel(context.Background())
	ctx2, leave2 := context.WithCancel(context.Background())
	errs := make(chan error, 2)
	for _, ctx := range []context.Context{ctx1, ctx2} {
		go func() {
			_, err := w.engine.Tile(ctx, at(110.5, 30.5, 12, "slow"))
			errs <- err
		}()
	}
	eventually(t, "the query runs for both", func() bool { return sleeping() == 1 && w.engine.Stats().Shared == 1 })
	before := pid()
	leave1()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("the first to leave got %v", err)
	}
	if sleeping() != 1 {
		t.Error("the query stopped although somebody waits")
	}
	leave2()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("the second to leave got %v", err)
	}
	eventually(t, "the query is gone", func() bool { return sleeping() == 0 })
	eventually(t, "the flight is gone", func() bool { return w.engine.Stats().Flights == 0 })
	// The connection lives on. The pool may have opened another beside it meanwhile.
	w.tile(at(110.5, 30.5, 12, "hazards"))
	var lives bool
	if err := w.sql.QueryRow(context.Background(), `select exists (select from pg_stat_activity where pid = $1)`, before).Scan(&lives); err != nil {
		t.Fatal(err)
	}
	if !lives {
		t.Errorf("the cancel cost a reconnect: backend %d is gone", before)
	}
	if s := w.engine.Stats(); s.Entries != 1 || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

func TestNewcomerIsNotSunkWithTheLeaver(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazards (name, geom) values ('a', 'SRID=4490;POINT(110.5 30.5)')`)
	release := w.locked("hazards")
	ctx, leave := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() {
		_, err := w.engine.Tile(ctx, at(110.5, 30.5, 12, "hazards"))
		gone <- err
	}()
	eventually(t, "the query waits", func() bool { return w.running() == 1 })
	leave()
	<-gone
	came := make(chan error, 1)
	go func() {
		_, err := w.engine.Tile(context.Background(), at(110.5, 30.5, 12, "hazards"))
		came <- err
	}()
	eventually(t, "the newcomer flies", func() bool { return w.engine.Stats().Misses == 2 })
	release()
	if err := <-came; err != nil {
		t.Errorf("the newcomer got %v", err)
	}
}

func TestBusyIsPassedUp(t *testing.T) {
	w := newWorld(t, func(_ *Options, d *db.Options) { d.QueryConns = 1; d.AcquireWait = time.Second })
	release := w.locked("hazards")
	first := make(chan error, 1)
	go func() {
		_, err := w.engine.Tile(context.Background(), at(110.5, 30.5, 12, "hazards"))
		first <- err
	}()
	eventually(t, "the only connection is taken", func() bool { return w.running() == 1 })
	_, err := w.engine.Tile(context.Background(), at(110.5, 30.5, 13, "hazards"))
	if !errors.Is(err, db.ErrBusy) {
		t.Errorf("got %v", err)
	}
	release()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if s := w.engine.Stats(); s.Entries != 1 {
		t.Errorf("the refusal was cached: %+v", s)
	}
}

func TestFailedLayerFailsTheTileAndIsNotCached(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazards (name, geom) values ('a', 'SRID=4490;POINT(110.5 30.5)')`)
	w.exec(`create table gone (id int primary key, name text, geom geometry(Point, 4490))`)
	w.publish("public.gone", PublishOptions{})
	w.exec(`alter table gone rename to gone_away`)
	req := at(110.5, 30.5, 12, "gone", "hazards")
	for range 2 {
		if tile, err := w.engine.Tile(context.Background(), req); err == nil {
			t.Fatalf("a tile without its layer: %+v", tile)
		}
	}
	if s := w.engine.Stats(); s.Entries != 0 || s.Failures != 2 {
		t.Errorf("%+v", s)
	}
	w.exec(`alter table gone_away rename to gone`)
	if w.tile(req).Empty {
		t.Error("the tile does not recover")
	}
}

func TestStatementTimeout(t *testing.T) {
	w := newWorld(t, func(_ *Options, d *db.Options) { d.QueryTimeout = 100 * time.Millisecond })
	release := w.locked("hazards")
	defer release()
	_, err := w.engine.Tile(context.Background(), at(110.5, 30.5, 12, "hazards"))
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, db.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if s := w.engine.Stats(); s.Entries != 0 || s.Failures != 1 {
		t.Errorf("%+v", s)
	}
}

// TestChangeDuringRender is the race of style.md: render, purge, late set.
func TestChangeDuringRender(t *testing.T) {
	for name, c := range map[string]struct {
		lon    float64
		layer  string
		stored int
	}{
		"in the tile":      {110.5, "hazards", 0},
		"elsewhere":        {100.5, "hazards", 1},
		"of another layer": {110.5, "zones", 1},
		"of the catalogue": {0, feed.CatalogueChanged, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.exec(`insert into hazards (name, geom) values ('a', 'SRID=4490;POINT(110.5 30.5)')`)
			release := w.locked("hazards")
			done := make(chan *Tile, 1)
			go func() {
				tile, err := w.engine.Tile(context.Background(), at(110.5, 30.5, 12, "hazards"))
				if err != nil {
					t.Error(err)
				}
				done <- tile
			}()
			eventually(t, "the query waits", func() bool { return w.running() == 1 })
			p := orb.Bound{Min: orb.Point{c.lon, 30.5}, Max: orb.Point{c.lon, 30.5}}
			if c.layer == feed.CatalogueChanged {
				w.exec(`update layer set title_zh = 'x' where layer = 'hazards'`)
				if err := w.sql.QueryRow(context.Background(), `select 1`).Scan(new(int)); err != nil {
					t.Fatal(err)
				}
				if err := w.reg.Reload(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			w.engine.Invalidate(context.Background(), feed.Batch{
				Changes:  []feed.Change{{Layer: c.layer, Op: feed.Insert, Rows: 1, NewBBox: &p}},
				Position: feed.Position{Xid: 1 << 40, Seq: 7},
			})
			release()
			if tile := <-done; tile == nil || tile.Empty {
				t.Error("who waited gets nothing")
			}
			if n := w.engine.Stats().Entries; n != c.stored {
				t.Errorf("%d stored, want %d", n, c.stored)
			}
		})
	}
}

func TestCacheIsBoundedInBytes(t *testing.T) {
	w := newWorld(t, func(o *Options, _ *db.Options) { o.MaxBytes = 20_000 })
	w.exec(`insert into hazards (name, geom) select 'h' || i, ST_SetSRID(ST_MakePoint(110 + i * 0.05, 30.5), 4490) from generate_series(0, 99) i`)
	for i := range 100 {
		w.tile(at(110+float64(i)*0.05, 30.5, 13, "hazards"))
	}
	s := w.engine.Stats()
	if s.Bytes > 20_000 || s.Evicted == 0 || s.Entries == 0 {
		t.Errorf("%+v", s)
	}
	// What was used last is still there.
	w.tile(at(110+99*0.05, 30.5, 13, "hazards"))
	if got := w.engine.Stats().Hits; got != 1 {
		t.Errorf("%d hits", got)
	}
	n := 0
	for _, m := range w.engine.cache.byTile {
		for _, es := range m {
			n += len(es)
		}
	}
	if n != s.Entries || w.engine.cache.order.Len() != n {
		t.Errorf("the indexes differ: %d by tile, %d by key, %d in order", n, s.Entries, w.engine.cache.order.Len())
	}
}

func TestScopeDecidesWhatIsSeen(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into hazards (name, admin_code, geom) values
		('a', '990101', 'SRID=4490;POINT(110.5 30.5)'), ('b', '990102', 'SRID=4490;POINT(110.501 30.5)'), ('all', null, 'SRID=4490;POINT(110.502 30.5)')`)
	scope := func(codes ...string) geo.Scopes {
		s, err := geo.ParseScopes(codes...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		scope geo.Scopes
		want  string
	}{
		{geo.Scopes{geo.Everywhere()}, "1 2 3"}, {scope("990101"), "1 3"}, {scope("990102"), "2 3"}, {scope("9901"), "1 2 3"},
		{scope("990101001"), "1 3"}, {scope("88"), "3"}, {scope("990101", "990102"), "1 2 3"},
	} {
		for range 2 { // fresh, then from the cache
			req := at(110.5, 30.5, 12, "hazards")
			req.Reach = db.NewReach(db.Areas{Internal: c.scope})
			var got []string
			for _, l := range decodeTile(t, w.tile(req)) {
				for _, f := range l.features {
					got = append(got, fmt.Sprint(f.id))
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%v sees %q, want %q", c.scope, s, c.want)
			}
		}
	}
	// Who reads no area does not know the layer.
	req := at(110.5, 30.5, 12, "hazards")
	req.Reach = db.NewReach(db.Areas{Public: geo.Scopes{geo.Everywhere()}})
	_, err := w.engine.Tile(t.Context(), req)
	req.Layers = []string{"no_such_layer"}
	_, none := w.engine.Tile(t.Context(), req)
	if !errors.Is(err, ErrUnknownLayer) || strings.ReplaceAll(err.Error(), "hazards", "no_such_layer") != none.Error() {
		t.Errorf("an unseen layer is %v, an absent one %v", err, none)
	}
}
