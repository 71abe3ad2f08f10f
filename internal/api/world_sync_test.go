package api_test

import (
	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// What waits at the desks, one of each sort in both counties.
const (
	ownConflict, otherConflict       = "01a1ffb1-d369-7ca3-86f4-0000000000e1", "01a1ffb1-d369-7ca3-86f4-0000000000e2"
	ownQuarantined, otherQuarantined = "01a1ffb1-d369-7ca3-86f4-0000000000f1", "01a1ffb1-d369-7ca3-86f4-0000000000f2"
)

// cases puts a conflict and a quarantined operation on the desks of both counties.
func (w *world) cases() {
	conn := pgtest.Connect(w.t, w.dsn.Admin)
	admin := func(sql string, args ...any) {
		_, err := conn.Exec(w.t.Context(), sql, args...)
		w.must(err)
	}
	sender := w.person(auth.NewAccount{Username: "qzsender", Name: "发送", Unit: ownArea}, auth.GridWorker, ownGrid).Account
	for i, c := range []struct{ area, grid, conflict, quarantined, item, tag string }{
		{ownArea, ownGrid, ownConflict, ownQuarantined, w.ownItem, "1x"}, {otherArea, otherGrid, otherConflict, otherQuarantined, w.otherItem, "2x"},
	} {
		for k, id := range []string{c.conflict, c.quarantined} {
			sort, status, kind := "conflict", "conflict", "hazards"
			if k == 1 {
				sort, status, kind = "quarantine", "quarantined", "ufos"
			}
			op := []string{"01a1ffb1-d369-7ca3-86f4-00000000a0", "01a1ffb1-d369-7ca3-86f4-00000000b0"}[k] + []string{"e1", "e2"}[i]
			body := `{"op_id":"` + op + `","kind":"` + kind + `","id":"` + c.item + `","fields":{"name":{"value":"QZCASE` + c.tag + `"}}}`
			admin(`insert into sync_op (op_id, hash, account, actor, name, device, kind, object, op, body, status, first, answer, scope, received_at, settled_at)
				values ($1, sha256($2::text::bytea), $3, 'qzsender', '发送', 'phone', $4, $5, 'put', $2, $6, $6, '{}', code_scope($7), now(), now())`, op, body, sender, kind, c.item, status, c.grid)
			admin(`insert into sync_case (id, op_id, actor, sort, scope, code, reason, fields, due_at)
				values ($1, $2, 'qzsender', $3, code_scope($4), 'edited_by_both', '{"zh":"别人也改过","en":"x"}', $5, now())`, id, op, sort, c.grid, `{"name":{"base":null,"mine":"QZCASE`+c.tag+`","theirs":"x"}}`)
		}
		county := c.area
		w.add("QZCASE"+c.tag, "what a desk of "+county+" is asked", func(a who) bool { return a.desks(county) })
	}
}

// syncLines are the rows of the matrix for deliveries, changes and the desks.
func (w *world) syncLines() map[string]line {
	with := func(c [3]call, body string) [3]call {
		for i := range c {
			c[i].body = body
		}
		return c
	}
	area := func(path string) [3]call { return paths(path+ownArea, path+otherArea, path+noArea) }
	const c, q = "/api/desk/conflicts", "/api/desk/quarantine"
	conflict := func(suffix string) [3]call {
		return paths(c+"/"+ownConflict+suffix, c+"/"+otherConflict+suffix, c+"/"+noID+suffix)
	}
	quarantined := func(suffix string) [3]call {
		return paths(q+"/"+ownQuarantined+suffix, q+"/"+otherQuarantined+suffix, q+"/"+noID+suffix)
	}
	return map[string]line{
		"sync":         {calls: with(always("/api/sync"), `{"device":"matrix","ops":[]}`)},
		"sync_changes": {calls: area("/api/sync/changes?area=")},
		"kinds":        {calls: always("/api/kinds")}, "kind": {calls: paths("/api/kinds/hazards", "/api/kinds/dangers", "/api/kinds/nothing"), want: statuses(200, 200, 404)},

		"desk_conflicts":   {calls: area(c + "?area=")},
		"desk_conflict":    {calls: conflict(""), want: reaching(200), alike: true},
		"desk_resolve":     {calls: with(conflict("/resolve"), `{"fields":{}}`), want: reaching(422), alike: true},
		"desk_quarantine":  {calls: area(q + "?area=")},
		"desk_quarantined": {calls: quarantined(""), want: reaching(200), alike: true},
		"desk_accept":      {calls: with(quarantined("/accept"), `{}`), want: reaching(422), alike: true},
		"desk_return":      {calls: with(quarantined("/return"), `{"note":""}`), want: oneOf(422), alike: true},
	}
}
