package api_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"onemap/internal/auth"
)

// TestAWallShowsFiguresAndNobody: the screen of a command room counts who was called and
// who moved, village by village, at once; no name, number, household or word that somebody
// wrote reaches it, and it is not complete while one is silent.
func TestAWallShowsFiguresAndNobody(t *testing.T) {
	e := start(t)
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.name, v.rank, st_setsrid(st_makeenvelope(v.x, 34.0, v.x + v.w, 34.0 + v.w), 4490)
		from (values ('990100', '甲县', 3, 119.0, 0.6), ('990100101', '甲镇', 4, 119.0, 0.3), ('990100101001', '东村', 5, 119.0, 0.1), ('990200', '乙县', 3, 120.0, 0.6)) v(code, name, rank, x, w)`,
		`insert into grids (code, admin_code, name, worker, geom) values ('` + ownGrid + `', '990100101001', '第一网格', '王网格', st_setsrid(st_makeenvelope(119, 34, 119.1, 34.1), 4490))`,
		`insert into hazards (name, admin_code, level, threatened_persons, geom) values ('滑坡', '990100101001', 1, 12, st_setsrid(st_makepoint(119.05, 34.05), 4490))`,
		`insert into responsibility (id, kind, admin_code, scope, post, person, deputy_post, deputy) values ('01900000-0000-7000-8000-000000000001', 'administrative', '990100101001', code_scope('990100101001'), '村主任', '赵某甲', '副主任', '钱某乙')`,
		`insert into restricted.contact (responsibility, phone, deputy_phone) values ('01900000-0000-7000-8000-000000000001', '13812345678', '13987654321')`,
		`insert into restricted.household (id, head, persons, elderly, must_move, admin_code, scope) values ('01900000-0000-7000-8000-0000000000f1', '孙某丙', 5, 2, true, '990100101001', code_scope('990100101001'))`,
	} {
		e.exec(sql)
	}
	officer, viewer := e.desk("duty.officer", "周某丁", auth.DutyOfficer, ownArea), e.desk("only.looks", "吴某戊", auth.Viewer, ownArea)
	screen := func(area string) []string {
		_, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "大屏" + area, Role: auth.Viewer, Area: area, Scopes: []string{"wall"}, Network: "127.0.0.0/8"})
		if err != nil {
			t.Fatal(err)
		}
		o, err := e.auth.OpenWall(t.Context(), auth.By{Identity: e.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1")}, secret)
		if err != nil {
			t.Fatal(err)
		}
		return session(o.Cookie)
	}
	wall, foreign := screen(ownArea), screen(otherArea)
	e.settle()
	const topics = "callouts,call_targets,calls,evacuation_entries"
	near, far := e.listen(e.unlimited(), "http://localhost", topics, "", wall...), e.listen(e.unlimited(), "http://localhost", topics, "", foreign...)

	id, secrets := newID(), []string{"赵某甲", "钱某乙", "孙某丙", "周某丁", "王网格", "郑某己", "13812345678", "138****", "139****", "秘密标题", "秘密理由", "秘密备注", "01900000-0000-7000-8000-0000000000f1", "households", "shelters", `"geometry":{`, `"by"`}
	clean := func(what, text string) {
		t.Helper()
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s tells the wall of %q: %s", what, s, text)
			}
		}
	}
	ok := func(r reply, code int) reply {
		t.Helper()
		if r.StatusCode != code {
			t.Fatalf("%d, want %d: %s", r.StatusCode, code, r.body)
		}
		return r
	}
	type figures struct {
		Callouts []struct{ Targets, Reached, Villages int }
		Villages []struct {
			Name           string
			ToMove         *int `json:"to_move"`
			Moved, Percent int
			Complete       bool
			Calls          struct{ Targets, Reached, Silent int }
		}
		Totals struct {
			Percent int
			Calls   struct{ Targets, Reached, Silent int }
		}
		Complete bool
	}
	board := func() (f figures) {
		t.Helper()
		r := ok(e.get("/api/evacuation", wall...), 200)
		clean("the board", string(r.body))
		if err := json.Unmarshal(r.body, &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	ok(officer.ask("PUT", "/api/callouts/"+id, `{"title":"秘密标题","reason":"秘密理由，四字以上","areas":["990100101001"],"consulted":{"name":"郑某己","post":"副局长"}}`), 201)
	var list struct{ Targets []struct{ ID, Name string } }
	if err := json.Unmarshal(ok(officer.ask("GET", "/api/callouts/"+id+"/targets", ""), 200).body, &list); err != nil || len(list.Targets) < 2 {
		t.Fatalf("%+v %v", list, err)
	}
	f := board()
	if len(f.Villages) != 1 || f.Villages[0].Name != "东村" || f.Villages[0].ToMove == nil || len(f.Callouts) != 1 || f.Callouts[0].Targets != len(list.Targets) || f.Totals.Calls.Silent != len(list.Targets) || f.Complete {
		t.Fatalf("%+v", f)
	}
	ok(officer.ask("POST", "/api/evacuation/"+id+"/villages/"+ownVillage, fmt.Sprintf(`{"op_id":%q,"mode":"total","moved":%d,"shelter_name":"孙某丙家","persons":3,"note":"秘密备注","channel":"phone"}`, newID(), *f.Villages[0].ToMove)), 200)
	for i, x := range list.Targets {
		if f = board(); f.Complete || f.Villages[0].Percent == 100 || f.Totals.Percent == 100 || f.Totals.Calls.Silent != len(list.Targets)-i {
			t.Errorf("everybody has moved, and %d are silent: %+v", len(list.Targets)-i, f)
		}
		ok(officer.ask("POST", "/api/calls", fmt.Sprintf(`{"op_id":%q,"target":%q,"outcome":"answered","note":"秘密备注"}`, newID(), x.ID)), 201)
	}
	if f = board(); !f.Complete || f.Totals.Percent != 100 || f.Totals.Calls.Reached != len(list.Targets) {
		t.Errorf("all have answered and moved: %+v", f)
	}
	r := ok(e.get("/api/callouts?active=true", wall...), 200)
	clean("the list", string(r.body))
	if err := json.Unmarshal(r.body, &f); err != nil || len(f.Callouts) != 1 || f.Callouts[0].Reached != len(list.Targets) {
		t.Errorf("%v %s", err, r.body)
	}

	// The line rings the wall for each of it, and says no more than where.
	waitFor(t, "the wall hears of it", func() bool {
		return len(near.told("callouts")) > 0 && len(near.told("calls")) >= len(list.Targets) && len(near.told("evacuation_entries")) > 0 && len(near.told("call_targets")) >= len(list.Targets)
	})
	clean("the line", near.text())
	for _, topic := range strings.Split(topics, ",") {
		if n := len(far.told(topic)); n != 0 {
			t.Errorf("the wall of another county hears of %d %s", n, topic)
		}
	}
	// Another county's wall knows of none; a person without a desk is no screen; a screen changes nothing and reads no list of people.
	ok(e.get("/api/evacuation?callout="+id, foreign...), 404)
	f = figures{}
	if err := json.Unmarshal(ok(e.get("/api/evacuation", foreign...), 200).body, &f); err != nil || len(f.Villages)+len(f.Callouts) != 0 {
		t.Errorf("%v %+v", err, f)
	}
	ok(viewer.ask("GET", "/api/evacuation", ""), 403)
	ok(viewer.ask("GET", "/api/callouts", ""), 403)
	for _, path := range []string{"/api/callouts/" + id, "/api/callouts/" + id + "/targets", "/api/evacuation/" + id + "/entries"} {
		ok(e.get(path, wall...), 403)
	}
}
