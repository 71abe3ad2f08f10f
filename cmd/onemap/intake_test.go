package main

import (
	"slices"
	"testing"
	"time"

	"onemap/internal/db"
	"onemap/internal/pgtest"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := db.LoadQueries(queryFiles, "queries")
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Writer(t, pgtest.Database(t).Admin)); err != nil {
		t.Error(err)
	}
}

func TestSpread(t *testing.T) {
	var c times
	if got := c.spread(); got != (spread{}) {
		t.Errorf("of nothing: %+v", got)
	}
	for i := range 200 {
		c.add(time.Duration(200-i) * time.Millisecond)
	}
	if got := c.spread(); got != (spread{Count: 200, P50: 101, P99: 199, Max: 200}) {
		t.Errorf("%+v", got)
	}
}

// Every photo of a run is another file, of the size that was asked for.
func TestPhotosOfARun(t *testing.T) {
	l := &load{flags: &intakeFlags{photoKB: 8}}
	var names []string
	for n := range 3 {
		for i := range 3 {
			body := (&phone{load: l, n: n}).photo(i)
			if len(body) < 8<<10 || len(body) > 9<<10 || body[0] != 0xff || body[1] != 0xd8 {
				t.Errorf("%d bytes", len(body))
			}
			names = append(names, hashOf(body))
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 9 {
		t.Error("two photos are one")
	}
	if a, b := newID(), newID(); a == b || len(a) != 36 || a[14] != '7' {
		t.Errorf("ids %s %s", a, b)
	}
}

// A phone takes for acknowledged what has a verdict, once, and nothing that is to be sent
// again.
func TestVerdictsOfARun(t *testing.T) {
	l := &load{report: &intakeReport{Verdicts: map[string]int{}}}
	p := &phone{load: l}
	ids := map[string]string{"a": "A", "b": "B", "c": "C", "d": "D"}
	if left := p.judged([]verdict{{OpID: "a", Status: "applied"}, {OpID: "b", Status: "retry"}, {OpID: "c", Status: "rejected"}, {OpID: "d", Status: "waiting"}}, ids); left != 1 {
		t.Errorf("%d are left", left)
	}
	if left := p.judged([]verdict{{OpID: "a", Status: "duplicate", Was: "applied"}, {OpID: "b", Status: "duplicate", Was: "applied"}, {OpID: "c", Status: "duplicate", Was: "rejected"}, {OpID: "d", Status: "duplicate", Was: "applied"}}, ids); left != 0 {
		t.Errorf("%d are left", left)
	}
	slices.Sort(l.acknowledged)
	if !slices.Equal(l.acknowledged, []string{"A", "B", "D"}) || l.report.Verdicts["applied"] != 2 {
		t.Errorf("acknowledged %v, %v", l.acknowledged, l.report.Verdicts)
	}
}
