package sync_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
	"onemap/internal/sync"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := sync.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Writer(t, pgtest.Database(t).App)); err != nil {
		t.Fatal(err)
	}
}

func TestAMarkArrivesOnce(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	op := f.mark("滑坡")
	r := f.one(w, op)
	f.want(r, sync.Applied, "")
	if r.Version != 1 || r.ID != op["id"] || r.OpID != op["op_id"] || r.Position == "" {
		t.Errorf("result %+v", r)
	}
	again := f.one(w, op)
	f.want(again, sync.Duplicate, "")
	if again.Was != sync.Applied || again.Version != 1 {
		t.Errorf("repeated: %+v", again)
	}
	// The order of members is no content.
	if n := f.count(`select count(*) from hazards where id = $1`, op["id"]); n != 1 {
		t.Errorf("%d rows", n)
	}
	other := with(op, m{"fields": m{"name": m{"value": "别的"}}})
	f.want(f.one(w, other), sync.Rejected, "op_id_taken")
	stranger := f.person(2, auth.GridWorker, gridB)
	f.want(f.one(stranger, op), sync.Rejected, "op_id_taken")
	far := f.person(3, auth.GridWorker, gridFar)
	f.want(f.one(far, op), sync.Rejected, "op_id_taken")
	f.want(f.one(far, other), sync.Rejected, "op_id_taken")
	// What came under a name that was taken is kept under another, once.
	f.want(f.one(far, other), sync.Rejected, "op_id_taken")
	if n := f.count(`select count(*) from sync_op where op_id = $1`, op["op_id"]); n != 1 {
		t.Errorf("%d operations of that name", n)
	}
	if n := f.count(`select count(*) from sync_op where status = 'rejected'`); n != 4 {
		t.Errorf("%d strangers kept, want 4", n)
	}
	if n := f.count(`select count(*) from audit.entry where action = 'sync.send'`); n == 0 {
		t.Error("no row of audit")
	}
	// What the phone of a colleague in another grid sees is not his to change.
	theirs := with(f.mark("改"), m{"id": op["id"], "base_version": 1, "fields": m{"name": m{"base": "滑坡", "value": "改名"}}, "geometry": nil})
	f.want(f.one(stranger, theirs), sync.Quarantined, "outside_area")
	// To a stranger the id of a foreign record is as good as none.
	unseen := with(f.mark("改"), m{"id": op["id"], "base_version": 1, "fields": m{"name": m{"base": "滑坡", "value": "改名"}}, "geometry": nil})
	none := with(unseen, m{"op_id": f.id(), "id": f.id()})
	a, b := f.one(far, unseen), f.one(far, none)
	if a.Status != b.Status || a.Problem.Code != b.Problem.Code {
		t.Errorf("a foreign record: %+v, none: %+v", a.Problem, b.Problem)
	}
	f.want(a, sync.Quarantined, "record_absent")
	// To make one with a foreign id is refused, and harms nothing.
	mine := with(f.mark("占用"), m{"id": op["id"], "geometry": at(112.05, 30.05)})
	f.want(f.one(f.person(4, auth.GridWorker, gridFar), mine), sync.Rejected, "id_taken")
	if name := f.text(`select name from hazards where id = $1`, op["id"]); name != "滑坡" {
		t.Errorf("name %s", name)
	}
}

func TestMergeOnTheTable(t *testing.T) {
	f := newField(t)
	a, b := f.person(1, auth.GridWorker, gridA), f.person(2, auth.GridWorker, gridA)
	op := f.mark("滑坡")
	f.want(f.one(a, op), sync.Applied, "")
	id := op["id"]
	edit := func(base int, fields m) m {
		return with(f.mark(""), m{"id": id, "base_version": base, "fields": fields, "geometry": nil})
	}
	// Disjoint fields merge.
	f.want(f.one(a, edit(1, m{"measure": m{"base": nil, "value": "拉网"}})), sync.Applied, "")
	r := f.one(b, edit(1, m{"address": m{"base": nil, "value": "村口"}}))
	f.want(r, sync.Merged, "")
	// The same edit is none.
	r = f.one(b, edit(1, m{"measure": m{"base": nil, "value": "拉网"}}))
	f.want(r, sync.Merged, "")
	// The same field, otherwise: both are kept, and what does not collide is written.
	r = f.one(b, edit(1, m{"measure": m{"base": nil, "value": "清坡"}, "threatened_persons": m{"base": nil, "value": 12}}))
	f.want(r, sync.Conflict, "")
	if c, ok := r.Conflict["measure"]; !ok || string(c.Mine) != `"清坡"` || string(c.Theirs) != `"拉网"` || len(r.Conflict) != 1 || c.TheirsBy != "person1" && c.TheirsBy != "person2" {
		t.Errorf("conflict %+v", r.Conflict)
	}
	if got := f.text(`select measure || threatened_persons from hazards where id = $1`, id); got != "拉网12" {
		t.Errorf("row %s", got)
	}
	if n := f.count(`select count(*) from sync_case where sort = 'conflict' and state = 'open'`); n != 1 {
		t.Errorf("%d conflicts", n)
	}
	// Geometry is a field of its own.
	version := f.count(`select version from hazards where id = $1`, id)
	moved := with(edit(1, m{}), m{"geometry": m{"base": at(110.05, 30.05), "value": at(110.06, 30.05)}})
	f.want(f.one(a, moved), sync.Merged, "")
	moved = with(edit(1, m{}), m{"geometry": m{"base": at(110.05, 30.05), "value": at(110.07, 30.05)}})
	r = f.one(b, moved)
	f.want(r, sync.Conflict, "")
	if r.Shapes == nil || !strings.Contains(string(r.Shapes.Theirs), "110.06") || !strings.Contains(string(r.Shapes.Mine), "110.07") {
		t.Errorf("shapes %+v", r.Shapes)
	}
	// Delete against edit goes to the desk; so does an edit of what was deleted.
	f.want(f.one(a, with(edit(version, m{}), m{"op": "delete"})), sync.Conflict, "")
	now := f.count(`select version from hazards where id = $1`, id)
	f.want(f.one(a, with(edit(now, m{}), m{"op": "delete"})), sync.Applied, "")
	if n := f.count(`select count(*) from hazards where id = $1`, id); n != 0 {
		t.Error("not deleted")
	}
	f.want(f.one(b, with(edit(now, m{}), m{"op": "delete"})), sync.Applied, "")
	r = f.one(b, edit(now, m{"measure": m{"base": "拉网", "value": "加固"}}))
	f.want(r, sync.Conflict, "")
	if string(r.Conflict["deleted"].Theirs) != "true" {
		t.Errorf("conflict %+v", r.Conflict)
	}
}

func TestQuarantine(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	long := strings.Repeat("长", 300_000)
	ring := func(n int) m {
		var pts [][]float64
		for i := range n {
			pts = append(pts, []float64{110.01 + 0.05*float64(i%97)/97, 30.01 + 0.05*float64((i*i)%101)/101})
		}
		pts = append(pts, pts[0])
		return m{"type": "Polygon", "coordinates": []any{pts}}
	}
	for name, c := range map[string]struct {
		change m
		status sync.Status
		code   string
	}{
		"another kind":           {m{"kind": "ufos"}, sync.Quarantined, "unknown_kind"},
		"no such field":          {m{"fields": m{"name": m{"value": "x"}, "approved": m{"value": true}}}, sync.Quarantined, "unknown_field"},
		"mass assignment":        {m{"role": "admin"}, sync.Quarantined, "unknown_member"},
		"wrong type":             {m{"fields": m{"name": m{"value": 7}}}, sync.Quarantined, "bad_value"},
		"out of range":           {m{"fields": m{"name": m{"value": "x"}, "level": m{"value": 9}}}, sync.Quarantined, "out_of_range"},
		"half a level":           {m{"fields": m{"name": m{"value": "x"}, "level": m{"value": 1.5}}}, sync.Quarantined, "bad_value"},
		"long note":              {m{"fields": m{"name": m{"value": "x"}, "measure": m{"value": long}}}, sync.Quarantined, "too_long"},
		"NUL":                    {m{"fields": m{"name": m{"value": "a\x00b"}}}, sync.Quarantined, "bad_value"},
		"no name":                {m{"fields": m{}}, sync.Quarantined, "required"},
		"bare field":             {m{"fields": m{"name": "x"}}, sync.Quarantined, "bad_field"},
		"the neighbour's":        {m{"geometry": at(110.15, 30.05)}, sync.Quarantined, "outside_area"},
		"another county":         {m{"geometry": at(112.05, 30.05)}, sync.Quarantined, "outside_area"},
		"the sea":                {m{"geometry": at(0, 0)}, sync.Quarantined, "outside_area"},
		"bowtie":                 {m{"geometry": m{"type": "Polygon", "coordinates": []any{[][]float64{{110.01, 30.01}, {110.02, 30.02}, {110.02, 30.01}, {110.01, 30.02}, {110.01, 30.01}}}}}, sync.Quarantined, "self_intersection"},
		"random polygon":         {m{"geometry": ring(3000)}, sync.Quarantined, "self_intersection"},
		"too many":               {m{"geometry": ring(12000)}, sync.Quarantined, "too_many_vertices"},
		"empty":                  {m{"geometry": m{"type": "Point", "coordinates": []float64{}}}, sync.Quarantined, "empty_coordinates"},
		"beyond the earth":       {m{"geometry": at(540, 91)}, sync.Quarantined, "out_of_range"},
		"shape of another kind":  {m{"geometry": m{"type": "MultiPoint", "coordinates": [][]float64{{110.05, 30.05}}}}, sync.Quarantined, "wrong_geometry"},
		"1970":                   {m{"captured_at": "1970-01-01T00:00:00Z"}, sync.Quarantined, "clock_early"},
		"2100":                   {m{"captured_at": "2100-01-01T00:00:00Z"}, sync.Quarantined, "clock_late"},
		"no time":                {m{"captured_at": "yesterday"}, sync.Quarantined, "bad_time"},
		"no clock at all":        {m{"captured_at": nil}, sync.Applied, ""},
		"another datum":          {m{"src_crs": "EPSG:3857"}, sync.Quarantined, "unknown_crs"},
		"odd operation":          {m{"op": "explode"}, sync.Quarantined, "unknown_op"},
		"an edit of nothing":     {m{"base_version": 3}, sync.Quarantined, "record_absent"},
		"no id":                  {m{"id": nil}, sync.Rejected, "bad_id"},
		"no op id":               {m{"op_id": "7"}, sync.Rejected, "bad_op_id"},
		"the nil id":             {m{"op_id": "00000000-0000-0000-0000-000000000000"}, sync.Rejected, "bad_op_id"},
		"not a photo":            {m{"blobs": []string{"../../etc/passwd"}}, sync.Quarantined, "bad_blobs"},
		"uppercase ids are fine": {m{"id": strings.ToUpper("0192f0c3-abcd-7000-8000-00000000abcd")}, sync.Applied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			op := with(f.mark("甲"), c.change)
			before, after := f.mark("前"), f.mark("后")
			out := f.send(w, "phone", before, op, after)
			f := &field{t: t}
			f.want(out[0], sync.Applied, "")
			f.want(out[1], c.status, c.code)
			f.want(out[2], sync.Applied, "")
		})
		// Kept whatever it was, and said the same when it comes again.
		if n := f.count(`select count(*) from sync_op where status = 'quarantined' and not exists (select from sync_case c where c.op_id = sync_op.op_id)`); n != 0 {
			t.Errorf("%s: %d quarantined operations nobody is asked about", name, n)
		}
	}
	if n := f.count(`select count(*) from sync_case where not (scope <@ code_scope($1))`, gridA); n != 0 {
		t.Errorf("%d cases are somebody else's business", n)
	}
}

func TestWhatIsNoOperation(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	body := fmt.Sprintf(`{"device":"p","ops":[5,"x",null,[],{},{"op_id":"%s","op_id":"%s"},%s]}`, f.id(), f.id(), strings.Repeat("[", 100)+strings.Repeat("]", 100))
	b, err := sync.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out, err := f.s.Send(t.Context(), w, b)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range out {
			if r.Status != sync.Rejected && r.Status != sync.Quarantined && r.Status != sync.Duplicate || r.Problem == nil {
				t.Errorf("%d: %+v", i, r)
			}
		}
	}
	if n := f.count(`select count(*) from sync_op`); n != 7 {
		t.Errorf("%d kept, want 7: each once", n)
	}
}

// TestAPoisonedOperation: one among a thousand fails in the kind, in the database, and by
// panicking; its neighbours are there.
func TestAPoisonedOperation(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	ops := make([]any, 1000)
	for i := range ops {
		ops[i] = f.mark(fmt.Sprint("点", i))
	}
	f.kind.spoil = func(w sync.Write) error {
		switch string(w.Fields["name"]) {
		case `"点300"`:
			panic("poison")
		case `"点500"`:
			return errors.New("strange")
		case `"点700"`:
			return &sync.Refusal{Verdict: sync.Rejected, Code: "no", Words: sync.Words{Zh: "不", En: "No."}}
		}
		return nil
	}
	start := time.Now()
	out := f.send(w, "phone", ops...)
	t.Logf("1,000 operations in %v: %v each", time.Since(start).Round(time.Millisecond), (time.Since(start) / 1000).Round(time.Microsecond))
	for i, r := range out {
		switch i {
		case 300, 500:
			f.want(r, sync.Quarantined, "internal_error")
		case 700:
			f.want(r, sync.Rejected, "no")
		default:
			if r.Status != sync.Applied {
				t.Fatalf("%d: %+v", i, r)
			}
		}
	}
	if n := f.count(`select count(*) from hazards`); n != 997 {
		t.Errorf("%d rows, want 997: nothing of the poisoned stays", n)
	}
	start = time.Now()
	for _, r := range f.send(w, "phone", ops...) {
		if r.Status != sync.Duplicate {
			t.Fatalf("again: %+v", r)
		}
	}
	t.Logf("the same again in %v", time.Since(start).Round(time.Millisecond))
}

func TestAGapIsWaitedFor(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	op := make([]m, 6)
	for i := range op {
		op[i] = with(f.mark(fmt.Sprint("序", i+1)), m{"device_seq": i + 1})
	}
	f.want(f.one(w, op[0]), sync.Applied, "")
	f.want(f.one(w, op[2]), sync.Waiting, "")
	f.want(f.one(w, op[3]), sync.Waiting, "")
	f.want(f.one(w, op[2]), sync.Waiting, "")
	if n := f.count(`select count(*) from hazards`); n != 1 {
		t.Errorf("%d rows before the gap is closed", n)
	}
	f.want(f.one(w, op[1]), sync.Applied, "")
	if n := f.count(`select count(*) from hazards`); n != 4 {
		t.Errorf("%d rows after the gap was closed", n)
	}
	r := f.one(w, op[3])
	f.want(r, sync.Duplicate, "")
	if r.Was != sync.Applied {
		t.Errorf("what waited is %s", r.Was)
	}
	if n := f.count(`select count(*) from sync_receipt where status = 'applied'`); n != 2 {
		t.Errorf("%d receipts for what waited", n)
	}
	// Five days are enough.
	f.want(f.one(w, op[5]), sync.Waiting, "")
	if n, err := f.s.Sweep(t.Context()); err != nil || n != 0 {
		t.Errorf("swept %d, %v", n, err)
	}
	f.now = time.Now().Add(5*24*time.Hour + time.Minute)
	if n, err := f.s.Sweep(t.Context()); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	if n := f.count(`select count(*) from sync_op where 'gap' = any (marks) and status = 'applied'`); n != 1 {
		t.Errorf("%d marked", n)
	}
	// The late one still arrives.
	f.now = time.Time{}
	f.want(f.one(w, op[4]), sync.Applied, "")
	next := with(f.mark("七"), m{"device_seq": 7})
	f.want(f.one(w, next), sync.Applied, "")
	// What was left lying when its turn came (the program died between the two) is not lost,
	// and there was no gap.
	left := with(f.mark("九"), m{"device_seq": 9})
	f.want(f.one(w, left), sync.Waiting, "")
	f.exec(`update sync_device set applied = 8`)
	if n, err := f.s.Sweep(t.Context()); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	if n := f.count(`select count(*) from sync_op where op_id = $1 and status = 'applied' and marks = '{}'`, left["op_id"]); n != 1 {
		t.Error("it still waits, or is marked")
	}
	again := with(f.mark("十一"), m{"device_seq": 11})
	f.want(f.one(w, again), sync.Waiting, "")
	f.exec(`update sync_device set applied = 10`)
	f.want(f.one(w, again), sync.Applied, "")
	// In one delivery their order is the device's.
	w2 := f.person(2, auth.GridWorker, gridA)
	for i := range op {
		op[i] = with(op[i], m{"op_id": f.id(), "id": f.id()})
	}
	for _, r := range f.send(w2, "phone", op[3], op[5], op[0], op[4], op[2], op[1]) {
		f.want(r, sync.Applied, "")
	}
	// A number spent on an id that is taken is no gap.
	f.want(f.one(w2, with(f.mark("占"), m{"op_id": op[0]["op_id"], "device_seq": 7})), sync.Rejected, "op_id_taken")
	f.want(f.one(w2, with(f.mark("八"), m{"device_seq": 8})), sync.Applied, "")
	// 险情 waits for nothing, whatever place and clock it has.
	f.kind.urgent = true
	red := with(f.mark("险情"), m{"device_seq": 40, "captured_at": "1970-01-01T00:00:00Z"})
	f.want(f.one(w2, red), sync.Applied, "")
}

func TestRightsThatMoved(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	// The grid was given to another: he holds grid B now.
	f.exec(`update auth.role_grant set revoked_at = now() - interval '1 hour' where account = $1`, w.Account)
	moved := f.person(1, auth.GridWorker, gridB)
	moved.Identity.Grants = nil
	f.exec(`insert into auth.role_grant (account, role, area, reason) values ($1, 'grid_worker', $2, '调整')`, w.Account, gridB)
	moved.Identity.Grants = []auth.Grant{{ID: f.text(`select id::text from auth.role_grant where account = $1 and area = $2`, w.Account, gridB), Account: w.Account, Role: auth.GridWorker, Area: gridB}}
	old := with(f.mark("旧网格"), m{"captured_at": time.Now().Add(-2 * time.Hour).Format(time.RFC3339)})
	f.want(f.one(moved, old), sync.Quarantined, "reassigned")
	fresh := f.mark("旧网格")
	f.want(f.one(moved, fresh), sync.Quarantined, "outside_area")
	// Nothing is his any more.
	moved.Identity.Grants = nil
	f.want(f.one(moved, with(f.mark("旧网格"), m{"captured_at": time.Now().Add(-2 * time.Hour).Format(time.RFC3339)})), sync.Quarantined, "grant_gone")
	// A clock that cannot be believed does not make him a stranger.
	f.want(f.one(moved, with(f.mark("旧网格"), m{"captured_at": "1970-01-01T00:00:00Z"})), sync.Quarantined, "grant_gone")
	// It never was.
	v := f.person(9, auth.Viewer, county)
	f.want(f.one(v, f.mark("看看")), sync.Rejected, "forbidden")
	if n := f.count(`select count(*) from hazards`); n != 0 {
		t.Errorf("%d rows", n)
	}
	if _, err := f.trySend(auth.By{Identity: &auth.Identity{Kind: auth.Anonymous}}, "p", f.mark("x")); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("nobody: %v", err)
	}
}

func TestDatumIsTurnedOnce(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	op := with(f.mark("高德"), m{"src_crs": "GCJ02"})
	f.want(f.one(w, op), sync.Applied, "")
	var lon, lat float64
	if err := f.admin.QueryRow(t.Context(), `select st_x(geom), st_y(geom) from hazards where id = $1`, op["id"]).Scan(&lon, &lat); err != nil {
		t.Fatal(err)
	}
	if lon == 110.05 || lon < 110.04 || lon > 110.06 {
		t.Errorf("stored at %f %f", lon, lat)
	}
	if body := f.text(`select body from sync_op where op_id = $1`, op["op_id"]); !strings.Contains(body, "110.05,30.05") || !strings.Contains(body, "GCJ02") {
		t.Errorf("raw %s", body)
	}
	// An edit of the place is compared in ours.
	edit := with(f.mark(""), m{"id": op["id"], "fields": m{}, "src_crs": "GCJ02", "geometry": m{"base": at(lon, lat), "value": at(110.06, 30.05)}})
	f.want(f.one(w, edit), sync.Applied, "")
}

func TestTheLogOnlyGrows(t *testing.T) {
	f := newField(t)
	w := f.person(1, auth.GridWorker, gridA)
	f.want(f.one(w, f.mark("甲")), sync.Applied, "")
	for _, sql := range []string{`update sync_op set body = '{}'`, `delete from sync_op`, `truncate sync_op cascade`, `update sync_op set status = 'rejected'`} {
		if _, err := f.admin.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s went through", sql)
		}
	}
}
