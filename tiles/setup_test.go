package tiles

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// world is a migrated database with everything a node has around the engine.
type world struct {
	t      testing.TB
	dsn    pgtest.DSNs
	sql    *pgx.Conn // superuser: row changes as importers make them
	db     *db.DB
	reg    *registry.Registry
	feed   *feed.Reader
	engine *Engine
}

var everywhere = db.Everything()

func newWorld(t testing.TB, change ...func(*Options, *db.Options)) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w := &world{t: t, dsn: pgtest.Database(t)}
	w.sql = pgtest.Connect(t, w.dsn.Admin)
	opts := Options{Logger: slog.New(slog.DiscardHandler)}
	dbOpts := db.Options{DSN: w.dsn.App}
	for _, c := range change {
		c(&opts, &dbOpts)
	}
	var err error
	if w.db, err = db.Open(ctx, dbOpts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	if w.reg, err = registry.Open(ctx, w.db.Intake); err != nil {
		t.Fatal(err)
	}
	if w.feed, err = feed.Open(ctx, w.db, feed.Options{Poll: 20 * time.Millisecond, Logger: opts.Logger}); err != nil {
		t.Fatal(err)
	}
	opts.DB, opts.Registry, opts.Feed = w.db, w.reg, w.feed
	if w.engine, err = New(opts); err != nil {
		t.Fatal(err)
	}
	return w
}

// follow runs the feed into the registry and the engine, as the server does.
func (w *world) follow() {
	w.t.Helper()
	w.feed.OnBatch("registry", func(ctx context.Context, b feed.Batch) {
		for _, c := range b.Changes {
			if strings.HasPrefix(c.Layer, "$") {
				if err := w.reg.Reload(ctx); err != nil && ctx.Err() == nil {
					w.t.Error(err)
				}
				return
			}
		}
	})
	w.feed.OnBatch("tiles", w.engine.Invalidate)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.feed.Run(ctx)
	}()
	w.t.Cleanup(func() { cancel(); <-done })
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.sql.Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatalf("%v\n%s", err, sql)
	}
}

// settle waits until the engine has seen everything committed so far.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var xid uint64
	if err := w.sql.QueryRow(ctx, `select coalesce(max(xid::text::bigint), 0) from change_log`).Scan(&xid); err != nil {
		w.t.Fatal(err)
	}
	if err := w.feed.WaitFor(ctx, feed.Position{Xid: xid}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tile(req Request) *Tile {
	w.t.Helper()
	t, err := w.engine.Tile(context.Background(), req)
	if err != nil {
		w.t.Fatalf("%v %d/%d/%d: %v", req.Layers, req.Z, req.X, req.Y, err)
	}
	return t
}

func (w *world) text(req Request) string {
	w.t.Helper()
	return tileText(decodeTile(w.t, w.tile(req)))
}

// at asks for the tile of a place, for somebody who may see everything.
func at(lon, lat float64, z int, layers ...string) Request {
	t := tileAt(lon, lat, z)
	return Request{Layers: layers, Z: z, X: int(t.X), Y: int(t.Y), Reach: everywhere}
}
