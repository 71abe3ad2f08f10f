package zoning

import (
	"context"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/zoning/coverage"
)

// counter passes a connection to the server on and counts round trips: how often the
// program speaks after the server did.
func counter(b *testing.B, dsn string) (string, *atomic.Int64) {
	b.Helper()
	dir := pgtest.Server(b).SocketDir()
	own := b.TempDir()
	l, err := net.Listen("unix", filepath.Join(own, ".s.PGSQL.5432"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	trips := &atomic.Int64{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL.5432"))
			if err != nil {
				c.Close()
				return
			}
			var answered atomic.Bool
			pass := func(to, from net.Conn, seen func()) {
				defer to.Close()
				defer from.Close()
				buf := make([]byte, 1<<16)
				for {
					n, err := from.Read(buf)
					if n > 0 {
						seen()
						if _, err := to.Write(buf[:n]); err != nil {
							return
						}
					}
					if err != nil {
						return
					}
				}
			}
			answered.Store(true)
			go pass(s, c, func() {
				if answered.Swap(false) {
					trips.Add(1)
				}
			})
			go pass(c, s, func() { answered.Store(true) })
		}
	}()
	return strings.Replace(dsn, dir, own, 1), trips
}

// BenchmarkEdit is one commit in a plan of 2,025 zones and 121,500 vertices: the whole way
// from the request to what was committed. What brings the plan back is not counted.
func BenchmarkEdit(b *testing.B) {
	dsn := pgtest.Database(b)
	app, trips := counter(b, dsn.App)
	w := newTableOn(b, dsn, db.Options{DSN: app})
	const n, k = 45, 14
	area, zones := checkers(n, k, rand.New(rand.NewPCG(5, 6)))
	plan := w.plan(true, area, zones)
	w.exec(`analyze zones`)
	w.exec(`analyze plan`)
	base := w.base(plan)
	total := 0
	for _, s := range zones {
		total += vertices(s)
	}
	b.Logf("%d zones, %d vertices", len(zones), total)
	send := func(by Step) EditResult {
		e, err := w.s.Edit(context.Background(), w.by, EditRequest{Plan: plan, EditID: newID(time.Now()), Base: base, Steps: []Step{by}})
		if err != nil {
			b.Fatal(explain(err))
		}
		for _, z := range e.Zones {
			base[z.Zone] = z.Version
		}
		for _, z := range e.Removed {
			delete(base, z)
		}
		return e
	}
	a, c := square(n, 20, 20), square(n, 21, 20)
	lo, hi := coverage.Bound(zones[a])
	corner := zones[a][0][0][0]
	for _, op := range []struct {
		name string
		op   coverage.Op
	}{
		{"move_vertex", coverage.Op{Kind: coverage.MoveVertex, From: corner, To: coverage.Point{X: corner.X + 3000, Y: corner.Y + 2000}}},
		{"split", coverage.Op{Kind: coverage.Split, Zone: a, Line: []coverage.Point{{X: lo.X - 10, Y: (lo.Y + hi.Y) / 2}, {X: hi.X + 10, Y: (lo.Y+hi.Y)/2 + 777}}}},
		{"merge", coverage.Op{Kind: coverage.Merge, Zones: []coverage.ID{a, c}}},
		{"relevel", coverage.Op{}},
	} {
		b.Run(op.name, func(b *testing.B) {
			b.ReportAllocs()
			st := Step{Op: op.op}
			if op.op.Kind == "" {
				st = Step{Relevel: true, Op: coverage.Op{Zones: []coverage.ID{a}}, Set: Attributes{Level: new(w.zones(plan)[string(a)].Level%5 + 1)}}
			}
			first := trips.Load()
			var between int64
			for b.Loop() {
				e := send(st)
				b.StopTimer()
				before := trips.Load()
				send(Step{Restore: e.EditID})
				between += trips.Load() - before
				b.StartTimer()
			}
			b.ReportMetric(float64(trips.Load()-first-between)/float64(b.N), "trips/op")
		})
	}
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if v, err := w.s.Validate(context.Background(), w.by.Identity, plan); err != nil || len(v.Violations) > 0 {
				b.Fatal(v.Violations, err)
			}
		}
	})
}
