package sync_test

import (
	"encoding/json"
	"errors"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/sync"
)

func (f *field) cases(who auth.By, q sync.DeskQuery) []sync.Case {
	f.t.Helper()
	list, _, err := f.s.Desk(f.t.Context(), who, q)
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

func value(v any) sync.Choice {
	raw, _ := json.Marshal(v)
	return sync.Choice{Value: raw}
}

func TestTownshipFirst(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	town1 := f.person(5, auth.DutyOfficer, town)
	county1 := f.person(6, auth.DutyOfficer, county)
	other := f.person(7, auth.DutyOfficer, "990200")
	f.want(f.one(w, with(f.mark("界外"), m{"geometry": at(110.15, 30.05)})), sync.Quarantined, "outside_area")
	q := sync.DeskQuery{Sort: sync.Quarantine}
	if a, b, c := f.cases(town1, q), f.cases(county1, q), f.cases(other, q); len(a) != 1 || len(b) != 0 || len(c) != 0 {
		t.Fatalf("at once the township has %d, the county %d, another county %d", len(a), len(b), len(c))
	}
	one := f.cases(town1, q)[0]
	if one.Kind != "hazards" || one.Title != "致灾点:界外" || one.Who != "person1" || one.Name != "某1" || one.Accuracy != 8.5 || one.Position == nil || one.County || one.Shapes == nil || !strings.Contains(string(one.Shapes.Mine), "110.15") || one.Captured == nil {
		t.Errorf("case %+v", one)
	}
	if _, err := f.s.Return(t.Context(), county1, one.ID, "先退"); !errors.Is(err, sync.ErrTownshipFirst) {
		t.Errorf("the county at once: %v", err)
	}
	if _, err := f.s.Case(t.Context(), other, sync.Quarantine, one.ID); !errors.Is(err, sync.ErrAbsent) {
		t.Errorf("another county looks: %v", err)
	}
	if _, err := f.s.Return(t.Context(), other, one.ID, "不该"); !errors.Is(err, sync.ErrAbsent) {
		t.Errorf("another county returns: %v", err)
	}
	for _, nobody := range []auth.By{w, f.person(8, auth.Viewer, county), f.person(9, auth.Planner, county)} {
		if _, _, err := f.s.Desk(t.Context(), nobody, q); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%s at the desk: %v", nobody.Grants[0].Role, err)
		}
	}
	f.now = time.Now().Add(4*time.Hour + time.Minute)
	if a, b := f.cases(town1, q), f.cases(county1, q); len(a) != 1 || len(b) != 1 || !b[0].County {
		t.Errorf("after the hours the township has %d, the county %d", len(a), len(b))
	}
	if _, err := f.s.Return(t.Context(), county1, one.ID, " "); !errors.As(err, new(*sync.InvalidError)) {
		t.Errorf("without a reason: %v", err)
	}
	c, err := f.s.Return(t.Context(), county1, one.ID, "请到现场重新定位")
	if err != nil || !c.Done || c.Outcome != "returned" || c.DecidedName != "某6" || c.DecisionNote != "请到现场重新定位" {
		t.Errorf("returned: %+v, %v", c, err)
	}
	if _, err := f.s.Return(t.Context(), county1, one.ID, "再退"); !errors.Is(err, sync.ErrDecided) {
		t.Errorf("twice: %v", err)
	}
	f.now = time.Time{}
	f.settle()
	p := f.phone(w)
	p.sync(100)
	r := p.receipts[one.OpID]
	if r.Status != sync.Returned || r.Reason.Zh != "请到现场重新定位" || r.SeenBy != "某6" || r.SeenAt.IsZero() {
		t.Errorf("receipt %+v", r)
	}
	// To nobody else.
	p = f.phone(f.person(2, auth.GridWorker, gridA))
	p.sync(100)
	if len(p.receipts) != 0 {
		t.Errorf("a colleague gets %d receipts", len(p.receipts))
	}
	if n := f.count(`select count(*) from audit.entry where action = 'desk.return' and object = 'sync_case/' || $1`, one.ID); n != 1 {
		t.Errorf("%d rows of audit", n)
	}
	if list := f.cases(county1, sync.DeskQuery{Sort: sync.Quarantine, Done: true}); len(list) != 1 {
		t.Errorf("%d decided", len(list))
	}
}

// TestCountyWhereNoTownshipWatches: nobody waits for a desk that is not there.
func TestCountyWhereNoTownshipWatches(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	c := f.person(6, auth.DutyOfficer, county)
	f.want(f.one(w, with(f.mark("界外"), m{"geometry": at(110.15, 30.05)})), sync.Quarantined, "outside_area")
	if list := f.cases(c, sync.DeskQuery{Sort: sync.Quarantine}); len(list) != 1 || !list[0].County {
		t.Errorf("the county has %d", len(list))
	}
}

func TestDeskAccepts(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	d := f.person(5, auth.DutyOfficer, town)
	take := func(op m, decision sync.Decision) (sync.Case, error) {
		t.Helper()
		r := f.one(w, op)
		if r.Status != sync.Quarantined {
			t.Fatalf("%+v", r)
		}
		id := f.text(`select id::text from sync_case where op_id = $1`, op["op_id"])
		return f.s.Accept(t.Context(), d, id, decision)
	}
	// As it was sent.
	op := with(f.mark("界外"), m{"geometry": at(110.15, 30.05)})
	c, err := take(op, sync.Decision{Note: "属实"})
	if err != nil || c.Outcome != "accepted" || c.Status != sync.Applied {
		t.Fatalf("%+v, %v", c, err)
	}
	if n := f.count(`select count(*) from hazards where id = $1 and recorded_by = 'person5'`, op["id"]); n != 1 {
		t.Error("the mark is not there")
	}
	f.want(f.one(w, op), sync.Duplicate, "")
	// Corrected: a value, a place, a field no form has.
	op = with(f.mark("改"), m{"fields": m{"name": m{"value": "改"}, "level": m{"value": 9}, "approved": m{"value": true}}, "geometry": at(0, 0)})
	if _, err := take(op, sync.Decision{}); !errors.As(err, new(*sync.InvalidError)) {
		t.Errorf("as it is: %v", err)
	}
	id := f.text(`select id::text from sync_case where op_id = $1`, op["op_id"])
	if _, err := f.s.Accept(t.Context(), d, id, sync.Decision{Fields: map[string]sync.Choice{"level": value(2)}}); err == nil {
		t.Error("a place nobody is responsible for was accepted")
	}
	if n := f.count(`select count(*) from hazards where id = $1`, op["id"]); n != 0 {
		t.Error("a refused acceptance left something")
	}
	if _, err := f.s.Accept(t.Context(), d, id, sync.Decision{Fields: map[string]sync.Choice{"level": value(2)}, Shape: &sync.ShapeChoice{Value: orb.Point{110.05, 30.06}}}); err != nil {
		t.Errorf("corrected: %v", err)
	}
	if got := f.text(`select name || level || st_y(geom) from hazards where id = $1`, op["id"]); got != "改230.06" {
		t.Errorf("row %s", got)
	}
	// What cannot be understood can only be returned.
	if _, err := take(with(f.mark("x"), m{"kind": "ufos"}), sync.Decision{}); !errors.As(err, new(*sync.InvalidError)) {
		t.Errorf("an unknown kind: %v", err)
	}
	// What was reported on top of it waits beside it, and comes after it.
	first := with(f.mark("早"), m{"captured_at": "1970-01-01T00:00:00Z"})
	f.want(f.one(w, first), sync.Quarantined, "clock_early")
	next := with(f.mark(""), m{"id": first["id"], "fields": m{"measure": m{"base": nil, "value": "巡查"}}, "geometry": nil})
	f.want(f.one(w, next), sync.Quarantined, "follows_quarantined")
	for _, o := range []m{first, next} {
		if _, err := f.s.Accept(t.Context(), d, f.text(`select id::text from sync_case where op_id = $1`, o["op_id"]), sync.Decision{}); err != nil {
			t.Errorf("accept: %v", err)
		}
	}
	if got := f.text(`select name || measure from hazards where id = $1`, first["id"]); got != "早巡查" {
		t.Errorf("row %s", got)
	}
	f.settle()
	p := f.phone(w)
	p.sync(100)
	if r := p.receipts[first["op_id"].(string)]; r.Status != "accepted" || r.SeenBy != "某5" {
		t.Errorf("receipt %+v", r)
	}
}

func TestDeskResolves(t *testing.T) {
	f := newField(t)
	a, b, d := f.person(1, auth.GridWorker, gridA), f.person(2, auth.GridWorker, gridA), f.person(5, auth.DutyOfficer, town)
	op := f.mark("滑坡")
	f.want(f.one(a, op), sync.Applied, "")
	edit := func(base int, fields m, more m) m {
		return with(with(f.mark(""), m{"id": op["id"], "base_version": base, "fields": fields, "geometry": nil}), more)
	}
	f.want(f.one(a, edit(1, m{"measure": m{"base": nil, "value": "拉网"}, "address": m{"base": nil, "value": "甲"}, "threatened_persons": m{"base": nil, "value": 3}}, m{"geometry": m{"base": at(110.05, 30.05), "value": at(110.06, 30.05)}})), sync.Applied, "")
	clash := edit(1, m{"measure": m{"base": nil, "value": "清坡"}, "address": m{"base": nil, "value": "乙"}, "threatened_persons": m{"base": nil, "value": 5}}, m{"geometry": m{"base": at(110.05, 30.05), "value": at(110.07, 30.05)}})
	f.want(f.one(b, clash), sync.Conflict, "")
	list := f.cases(d, sync.DeskQuery{Sort: sync.Conflicts})
	if len(list) != 1 {
		t.Fatalf("%d conflicts", len(list))
	}
	// The change does not say whose it is: the record does.
	if list[0].Title != "致灾点:滑坡" {
		t.Errorf("listed as %q", list[0].Title)
	}
	c, err := f.s.Case(t.Context(), d, sync.Conflicts, list[0].ID)
	if err != nil || c.Title != "致灾点:滑坡" || c.Version != 2 || len(c.Fields) != 3 || c.Shapes == nil || !strings.Contains(string(c.Shapes.Theirs), "110.06") || string(c.Fields["measure"].Theirs) != `"拉网"` || c.Fields["measure"].TheirsBy != "某1" {
		t.Fatalf("%+v, %v", c, err)
	}
	bad := func(decision sync.Decision) {
		t.Helper()
		if _, err := f.s.Resolve(t.Context(), d, c.ID, decision); !errors.As(err, new(*sync.InvalidError)) {
			t.Errorf("%+v: %v", decision, err)
		}
	}
	all := map[string]sync.Choice{"measure": {Mine: true}, "address": {Theirs: true}, "threatened_persons": value(8)}
	bad(sync.Decision{})
	bad(sync.Decision{Fields: all})
	bad(sync.Decision{Fields: map[string]sync.Choice{"measure": {Mine: true}, "address": {Theirs: true}, "threatened_persons": value("viele")}, Shape: &sync.ShapeChoice{Mine: true}})
	bad(sync.Decision{Fields: map[string]sync.Choice{"measure": {Mine: true}, "address": {Theirs: true}, "threatened_persons": value(8), "name": {Mine: true}}, Shape: &sync.ShapeChoice{Mine: true}})
	if _, err := f.s.Resolve(t.Context(), d, c.ID, sync.Decision{Fields: all, Shape: &sync.ShapeChoice{Mine: true}, Version: 1}); !errors.Is(err, sync.ErrMoved) {
		t.Errorf("an old version: %v", err)
	}
	// Two at the desk at once: one decides.
	d2 := f.person(6, auth.DutyOfficer, town)
	var wg gosync.WaitGroup
	var errs [2]error
	for i, who := range []auth.By{d, d2} {
		wg.Go(func() {
			_, errs[i] = f.s.Resolve(t.Context(), who, c.ID, sync.Decision{Fields: all, Shape: &sync.ShapeChoice{Mine: true}, Version: 2, Note: "现场核实"})
		})
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[0], errs[1]), sync.ErrDecided) && !errors.Is(errors.Join(errs[0], errs[1]), sync.ErrMoved) {
		t.Errorf("two at once: %v", errs)
	}
	if got := f.text(`select measure || address || threatened_persons || st_x(geom) || version from hazards where id = $1`, op["id"]); got != "清坡甲8110.073" {
		t.Errorf("row %s", got)
	}
	if n := f.count(`select count(*) from hazards_history where id = $1`, op["id"]); n != 2 {
		t.Errorf("%d rows of history", n)
	}
	// A deletion against an edit, both ways.
	f.want(f.one(a, edit(2, m{}, m{"op": "delete"})), sync.Conflict, "")
	one := f.cases(d, sync.DeskQuery{Sort: sync.Conflicts})[0]
	if _, err := f.s.Resolve(t.Context(), d, one.ID, sync.Decision{Fields: map[string]sync.Choice{"deleted": {Mine: true}}}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if n := f.count(`select count(*) from hazards where id = $1`, op["id"]); n != 0 {
		t.Error("still there")
	}
	back := edit(3, m{"name": m{"base": "滑坡", "value": "还在"}}, m{"geometry": m{"base": at(110.07, 30.05), "value": at(110.08, 30.05)}})
	f.want(f.one(b, back), sync.Conflict, "")
	one = f.cases(d, sync.DeskQuery{Sort: sync.Conflicts})[0]
	if one.Code != "edited_what_was_deleted" {
		t.Errorf("case %+v", one)
	}
	if _, err := f.s.Resolve(t.Context(), d, one.ID, sync.Decision{Fields: map[string]sync.Choice{"deleted": {Mine: true}}}); err != nil {
		t.Errorf("bring back: %v", err)
	}
	if got := f.text(`select name from hazards where id = $1`, op["id"]); got != "还在" {
		t.Errorf("row %s", got)
	}
}
