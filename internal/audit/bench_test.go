package audit_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/pgtest"
)

// work is a small write as the program makes them, with or without its entry.
func work(ctx context.Context, conn *pgx.Conn, recorded bool) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select set_config('app.actor', 'bench', true), set_config('app.role', 'system', true), set_config('app.public', '{(,)}', true),
			set_config('app.read', '{(,)}', true), set_config('app.sensitive', '{(,)}', true), set_config('app.write', '{(,)}', true), set_config('app.demo', 'off', true)`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into hazards (name, admin_code) values ('x', '990100101')`); err != nil || !recorded {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: doer(), Action: "hazard.create", Object: "hazards/x", Area: "990100101", Reason: "登记", After: map[string]any{"name": "x"}})
	})
}

func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name     string
		recorded bool
		sealing  bool
	}{{"plain", false, false}, {"recorded", true, false}, {"recorded_while_sealing", true, true}} {
		b.Run(c.name+"/one", func(b *testing.B) {
			h := open(b)
			conn := pgtest.Connect(b, h.App)
			for b.Loop() {
				if err := work(b.Context(), conn, c.recorded); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/eight", func(b *testing.B) {
			h := open(b)
			var conns []*pgx.Conn
			for range 8 {
				conns = append(conns, pgtest.Connect(b, h.App))
			}
			if c.sealing {
				h.seal(b)
				ctx, cancel := context.WithCancel(b.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					for ctx.Err() == nil {
						_, _ = h.log.Seal(ctx)
					}
				}()
				defer func() { cancel(); <-done }()
			}
			b.SetParallelism(4) // times the processors
			var next atomic.Int32
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				conn := conns[int(next.Add(1)-1)%len(conns)]
				for pb.Next() {
					if err := work(context.Background(), conn, c.recorded); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkSealAndVerify goes over 100,000 entries.
func BenchmarkSealAndVerify(b *testing.B) {
	h := open(b)
	h.seal(b)
	conn := pgtest.Connect(b, h.Admin)
	if _, err := conn.Exec(b.Context(), `select count(audit.record('r-' || n, '', 'wang', 'duty_officer', 'g1', 'session', 's1', '10.1.2.3', 'hazard.update', 'hazards/' || n, '990100101', '核对台账', 'done',
		jsonb_build_object('name', 'a', 'level', n % 4), jsonb_build_object('name', 'b', 'level', n % 3))) from generate_series(1, 100000) n`); err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		for range b.N {
			if n, err := h.log.Seal(b.Context()); err != nil || n != 100000 && n != 0 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		app := pgtest.Connect(b, h.App)
		for b.Loop() {
			if r, err := audit.Verify(b.Context(), app); err != nil || r.Broken != nil || r.Entries != 100000 {
				b.Fatalf("%+v %v", r, err)
			}
		}
	})
	b.Run("search_rare_actor", func(b *testing.B) {
		for b.Loop() {
			if p, err := h.log.Search(b.Context(), audit.Reading("sun", everywhere()), audit.Query{Actor: "nobody"}); err != nil || len(p.Rows) != 0 {
				b.Fatal(err)
			}
		}
	})
	b.Run("search_newest", func(b *testing.B) {
		for b.Loop() {
			if p, err := h.log.Search(b.Context(), audit.Reading("sun", everywhere()), audit.Query{}); err != nil || len(p.Rows) != 50 {
				b.Fatal(err)
			}
		}
	})
}
