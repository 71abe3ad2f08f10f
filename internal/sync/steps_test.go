package sync_test

import (
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
