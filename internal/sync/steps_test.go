package sync_test

import (
	"errors"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/sync"
)

// A step that was taken already is no step: said twice it is one, and another word on it
// goes to a person; it is not dropped with a verdict that says it was applied.
func TestAStepTakenTwice(t *testing.T) {
	f := newField(t)
	a, b := f.person(1, auth.GridWorker, gridA), f.person(2, auth.GridWorker, gridA)
	mark := f.mark("甲")
	f.want(f.one(a, mark), sync.Applied, "")
	step := func(more m) m {
		return with(with(f.mark(""), m{"id": mark["id"], "op": "transition", "to": "removed", "fields": m{}, "geometry": nil}), more)
	}
	f.want(f.one(a, step(m{"note": "已清除"})), sync.Applied, "")
	f.want(f.one(b, step(m{})), sync.Merged, "")
	r := f.one(b, step(m{"fields": m{"measure": m{"value": "我清的"}}}))
	if r.Status != sync.Conflict || string(r.Conflict["measure"].Mine) != `"我清的"` {
		t.Errorf("another word on it: %+v", r)
	}
	if n := f.count(`select count(*) from sync_case where op_id = $1`, r.OpID); n != 1 {
		t.Errorf("%d cases", n)
	}
}

// A deletion is accepted where the record is gone already, and refused where this desk only
// does not see it: it must not count as done while the record stands.
func TestAcceptingADeletion(t *testing.T) {
	f := newField(t)
	a, b, far := f.person(1, auth.GridWorker, gridA), f.person(2, auth.GridWorker, gridA), f.person(3, auth.GridWorker, gridFar)
	desk := f.person(5, auth.DutyOfficer, town)
	here, there := f.mark("这里"), with(f.mark("远处"), m{"geometry": at(112.05, 30.05)})
	f.want(f.one(a, here), sync.Applied, "")
	f.want(f.one(far, there), sync.Applied, "")
	remove := func(id any, captured any) m {
		return with(with(f.mark(""), m{"id": id, "op": "delete", "base_version": 1, "fields": m{}, "geometry": nil}), m{"captured_at": captured})
	}
	f.want(f.one(b, remove(here["id"], "1970-01-01T00:00:00Z")), sync.Quarantined, "clock_early")
	f.want(f.one(a, remove(here["id"], "2026-07-01T00:00:00Z")), sync.Applied, "")
	f.want(f.one(b, remove(there["id"], "2026-07-01T00:00:00Z")), sync.Quarantined, "record_absent")
	for _, c := range f.cases(desk, sync.DeskQuery{Sort: sync.Quarantine}) {
		_, err := f.s.Accept(t.Context(), desk, c.ID, sync.Decision{Note: "删"})
		if c.Object == here["id"] {
			if err != nil {
				t.Errorf("what is gone already: %v", err)
			}
			continue
		}
		var bad *sync.InvalidError
		if !errors.As(err, &bad) || bad.Problems[0].Code != "record_absent" {
			t.Errorf("what this desk does not see: %v", err)
		}
	}
	if n := f.count(`select count(*) from sync_case where state = 'open'`); n != 1 {
		t.Errorf("%d cases are open", n)
	}
	if n := f.count(`select count(*) from hazards where id = $1`, there["id"]); n != 1 {
		t.Errorf("the record in the distance is there %d times", n)
	}
}
