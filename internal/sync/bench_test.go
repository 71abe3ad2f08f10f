package sync_test

import (
	"context"
	"encoding/json"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/sync"
)

func (f *field) batch(n int, name string) sync.Batch {
	ops := make([]any, n)
	for i := range ops {
		ops[i] = f.mark(name)
	}
	body, _ := json.Marshal(m{"device": "bench", "ops": ops})
	b, err := sync.Decode(body)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// BenchmarkOneMark is a delivery of one new mark: what a person waits for.
func BenchmarkOneMark(b *testing.B) {
	f := newField(b)
	w := f.person(1, auth.GridWorker, gridA)
	for b.Loop() {
		if _, err := f.s.Send(context.Background(), w, f.batch(1, "点")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFiftyMarks is what a phone brings after a day: the time of one of them.
func BenchmarkFiftyMarks(b *testing.B) {
	f := newField(b)
	w := f.person(1, auth.GridWorker, gridA)
	for b.Loop() {
		if _, err := f.s.Send(context.Background(), w, f.batch(50, "点")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*50), "µs/op-of-50")
}

// BenchmarkRepeated is a delivery of fifty that are here already.
func BenchmarkRepeated(b *testing.B) {
	f := newField(b)
	w := f.person(1, auth.GridWorker, gridA)
	batch := f.batch(50, "点")
	if _, err := f.s.Send(context.Background(), w, batch); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := f.s.Send(context.Background(), w, batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNothingNew is what every open phone asks again and again.
func BenchmarkNothingNew(b *testing.B) {
	f := newField(b)
	w := f.person(1, auth.GridWorker, gridA)
	if _, err := f.s.Send(context.Background(), w, f.batch(50, "点")); err != nil {
		b.Fatal(err)
	}
	f.settle()
	c, err := f.s.Changes(context.Background(), w, sync.ChangesQuery{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if c, err = f.s.Changes(context.Background(), w, sync.ChangesQuery{Since: c.Position}); err != nil || len(c.Changes) > 0 {
			b.Fatal(err, len(c.Changes))
		}
	}
}

func BenchmarkParse(b *testing.B) {
	raw, _ := json.Marshal(m{"op_id": "0192f0c1-0000-7000-8000-000000000001", "kind": "hazards", "id": "0192f0c1-0000-7000-8000-000000000002", "device_seq": 1, "captured_at": "2026-07-01T08:00:00+08:00",
		"fields": m{"name": m{"value": "滑坡"}, "level": m{"value": 2}, "measure": m{"base": nil, "value": "拉网"}}, "geometry": at(110.05, 30.05), "src_crs": "GCJ02", "accuracy_m": 8.5})
	b.ReportAllocs()
	for b.Loop() {
		if o := sync.Parse("me", 0, raw); o.Fault != nil {
			b.Fatal(o.Fault)
		}
	}
}
