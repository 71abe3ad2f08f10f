package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/db"
)

// as opens a stream under another session.
func (e *env) as(cookie, topics, since string, headers ...string) *stream {
	e.t.Helper()
	return e.listen(e.unlimited(), "http://localhost", topics, since, append(headers, "Cookie", "onemap="+cookie)...)
}

func joined(t *testing.T, s *stream) *stream {
	t.Helper()
	waitFor(t, "joined", func() bool { return len(s.of("lag")) > 0 })
	return s
}

// hazard puts a named hazard into a township.
func (e *env) hazard(name, code string) {
	e.t.Helper()
	e.exec(`insert into hazards (name, admin_code, geom) values ($1, $2, st_setsrid(st_makepoint(119.25, 34.15), 4490))`, name, code)
}

// story is what a stream told of a topic: op and name.
func (s *stream) story(topic string) string {
	s.t.Helper()
	var out []string
	for _, c := range s.changes(topic) {
		name, _ := c.Properties["name"].(string)
		out = append(out, strings.TrimSuffix(c.Op+" "+name, " "))
	}
	return strings.Join(out, ", ")
}

func TestStreamsShowOnlyOnesOwnAlsoInReplay(t *testing.T) {
	e := start(t)
	one := e.activate(e.person(auth.NewAccount{Username: "jia", Name: "一", Unit: "990100001"}, auth.Viewer, "990100001"))
	two := e.activate(e.person(auth.NewAccount{Username: "yiyi", Name: "二", Unit: "990100002"}, auth.Viewer, "990100002"))
	a, b := joined(t, e.as(one, "hazards,tiles", "")), joined(t, e.as(two, "hazards,tiles", ""))
	from := a.last()
	e.hazard("甲", "990100001")
	e.hazard("乙", "990100002")
	e.exec(`update hazards set level = 1 where name = '乙'`)
	e.exec(`update hazards set admin_code = '990100002' where name = '甲'`)
	e.exec(`update hazards set admin_code = '990100001' where name = '乙'`)
	e.exec(`delete from hazards`)
	e.hazard("尾", "990100") // of the whole county: both see it, so both have seen all before
	both := func(s *stream) bool { return strings.HasSuffix(s.story("hazards"), "尾") }
	waitFor(t, "the end", func() bool { return both(a) && both(b) })
	// Rows are told as they are now: what is gone again by the time it is told is not
	// told at all, or as gone. Nobody hears the other's name or number.
	for name, s := range map[string]*stream{"one": a, "two": b} {
		for _, ch := range s.changes("hazards") {
			n, _ := ch.Properties["name"].(string)
			if (name == "one" && n == "乙" && ch.Op == "update") || (name == "two" && n == "甲" && ch.Op == "update") {
				t.Errorf("%s was told of the other's change: %+v", name, ch)
			}
		}
	}
	// Replay of the same, from before: both rows are gone, and each hears at most that
	// his own are.
	for name, cookie := range map[string]string{"one": one, "two": two} {
		r := joined(t, e.as(cookie, "hazards", from))
		for _, ch := range r.changes("hazards") {
			if n, _ := ch.Properties["name"].(string); n != "" && n != "尾" {
				t.Errorf("the replay of %s shows %q, which is gone", name, n)
			}
		}
		if !both(r) {
			t.Errorf("the replay of %s: %s", name, r.story("hazards"))
		}
	}
	// A row that never was his is not in his replay at all.
	mark := joined(t, e.as(one, "hazards", "")).last()
	e.hazard("丙", "990100002")
	e.exec(`update hazards set level = 2 where name = '丙'`)
	e.exec(`delete from hazards where name = '丙'`)
	e.hazard("丁", "990100001")
	e.settle()
	if got := joined(t, e.as(one, "hazards", mark)).story("hazards"); got != "insert 丁" {
		t.Errorf("replay: %q", got)
	}
}

// TestRightsEndStreams gives and takes rights while streams are open.
func TestRightsEndStreams(t *testing.T) {
	e := start(t)
	link := e.person(auth.NewAccount{Username: "jia", Name: "一", Unit: "990100001"}, auth.Viewer, "990100001")
	one := e.activate(link)
	officer := joined(t, e.listen(e.unlimited(), "http://localhost", "hazards", ""))
	s := joined(t, e.as(one, "hazards", ""))
	e.hazard("甲", "990100001")
	e.hazard("乙", "990100002")
	waitFor(t, "his own", func() bool { return s.story("hazards") == "insert 甲" })
	ended := func(s *stream) {
		t.Helper()
		waitFor(t, "the rights event and the end", func() bool { return s.over() && len(s.of("rights")) == 1 })
		if all := s.snapshot(); all[len(all)-1].Name != "rights" || all[len(all)-1].Data != "{}" {
			t.Errorf("after the rights event: %+v", all)
		}
	}
	var account string
	if err := e.conn.QueryRow(t.Context(), `select id::text from auth.account where username = 'jia'`).Scan(&account); err != nil {
		t.Fatal(err)
	}
	g, err := e.auth.GrantRole(t.Context(), cli(), auth.NewGrant{Account: account, Role: auth.Viewer, Area: "990100002", Reason: "支援"})
	if err != nil {
		t.Fatal(err)
	}
	ended(s)
	// Under the wider rights the replay shows the other township's row, which is there.
	s = joined(t, e.as(one, "hazards", s.last()))
	e.exec(`update hazards set level = 3`)
	waitFor(t, "both", func() bool { return strings.HasSuffix(s.story("hazards"), "update 甲, update 乙") })
	between := s.last()
	if err := e.auth.RevokeGrant(t.Context(), cli(), g.ID, "结束支援"); err != nil {
		t.Fatal(err)
	}
	ended(s)
	e.exec(`update hazards set level = 4`)
	e.settle()
	// With an old position of the time he had more rights: the present ones hold.
	if got := joined(t, e.as(one, "hazards", "", "Last-Event-ID", between)).story("hazards"); got != "update 甲" {
		t.Errorf("replay under the present rights: %q", got)
	}
	if officer.over() || len(officer.of("rights")) > 0 {
		t.Error("the officer's stream ended, whose rights did not change")
	}
	// A layer that becomes sensitive: everybody's reach is another; who may not see it
	// does not know its topic any more, the officer sees it as before.
	s = joined(t, e.as(one, "hazards,tiles", ""))
	past := s.last()
	e.exec(`select layer_set_visibility('hazards', 'sensitive')`)
	ended(s)
	ended(officer)
	e.settle()
	waitFor(t, "the topic to be gone", func() bool {
		return e.get("/api/live?topics=hazards", "Cookie", "onemap="+one).StatusCode == http.StatusBadRequest
	})
	e.wantProblem(e.get("/api/live?topics=hazards", "Cookie", "onemap="+one), 400, "invalid_parameter")
	e.hazard("丙", "990100001")
	e.settle()
	quiet := joined(t, e.as(one, "tiles", past))
	for _, ev := range quiet.snapshot() {
		if strings.Contains(ev.Data, "hazards") {
			t.Errorf("the layer is in the replay: %+v", ev)
		}
	}
	officer = joined(t, e.listen(e.unlimited(), "http://localhost", "hazards", past))
	if got := officer.story("hazards"); got != "insert 丙" {
		t.Errorf("the officer's replay: %q", got)
	}
}

// TestRightsOfABlindFeed revokes while the feed stands still: another transaction
// holds its horizon.
func TestRightsOfABlindFeed(t *testing.T) {
	e := start(t)
	one := e.activate(e.person(auth.NewAccount{Username: "jia", Name: "一", Unit: "990100001"}, auth.Viewer, "990100001"))
	s := joined(t, e.as(one, "hazards", ""))
	holder, err := e.conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback(t.Context()) }()
	if _, err := holder.Exec(t.Context(), `select pg_current_xact_id()`); err != nil {
		t.Fatal(err)
	}
	admin := e.admin()
	admin(`update auth.account set state = 'disabled' where username = 'jia'`)
	waitFor(t, "the stream to end", func() bool { return s.over() && len(s.of("rights")) == 1 })
}

// TestSystemRowsOfTheFeedReachNobody: rights, decisions and settings are no layers.
func TestSystemRowsOfTheFeedReachNobody(t *testing.T) {
	e := start(t)
	s := joined(t, e.listen(e.unlimited(), "http://localhost", "hazards,tiles", ""))
	admin := e.admin()
	admin(`insert into change_log (layer, op, row_count, actor) values ('$decision', 'B', 0, 'x'), ('$auth', 'B', 0, 'x'), ('$registry', 'B', 0, 'x'), ('restricted', 'B', 3, 'x')`)
	admin(`insert into change_log (layer, id, fid, op, new_scope, new_bbox, actor) values ('$decision', uuid_v7(), 7, 'I', int8multirange(every_scope()), '{119,34,120,35}', 'x'), ('no_layer', uuid_v7(), 7, 'I', int8multirange(every_scope()), '{119,34,120,35}', 'x')`)
	e.hazard("后", "990100001")
	waitFor(t, "what came after", func() bool { return s.story("hazards") == "insert 后" })
	for _, ev := range s.snapshot() {
		if ev.Name != "lag" && ev.Name != "hazards" && (ev.Name != "tiles" || !strings.Contains(ev.Data, `"hazards"`)) {
			t.Errorf("%+v", ev)
		}
	}
	for _, topic := range []string{"$auth", "$decision", "auth", "restricted", "no_layer"} {
		e.wantProblem(e.get("/api/live?topics="+topic), 400, "invalid_parameter")
	}
}

// TestDemoStreamsTellOnlyOfTheDemo runs before there are accounts.
func TestDemoStreamsTellOnlyOfTheDemo(t *testing.T) {
	e := startEmpty(t, db.Options{})
	e.exec(`insert into dataset (name, title, demo) values ('demo', '演示', true), ('real', '真实', false)`)
	e.exec(`insert into admin (dataset, source_key, code, admin_code, name, rank, geom)
		select id, '990100', '990100', '990100', '示例县', 3, st_makeenvelope(119, 34, 120, 35, 4490) from dataset where name = 'demo'`)
	e.settle()
	s := joined(t, e.listen(e.unlimited(), "http://localhost", "hazards,tiles", ""))
	from := s.last()
	put := func(name, dataset, code string) {
		e.exec(`insert into hazards (dataset, source_key, name, admin_code, geom) select id, $1, $1, $3, st_setsrid(st_makepoint(119.25, 34.15), 4490) from dataset where name = $2`, name, dataset, code)
	}
	put("演示点", "demo", "990100001")
	put("真实点", "real", "990100001") // inside the demo county, not of the demo
	put("外地点", "real", "320100001")
	put("外地演示", "demo", "320100001")
	e.exec(`insert into hazards (name, geom) values ('无主', st_setsrid(st_makepoint(10, 10), 4490))`)
	e.exec(`update hazards set level = 1 where name in ('真实点', '外地点', '无主')`)
	e.exec(`insert into teams (name, admin_code, geom) values ('外队', '320100001', st_setsrid(st_makepoint(110, 30), 4490))`)
	put("演示尾", "demo", "990100001")
	const want = "insert 演示点, insert 演示尾"
	waitFor(t, "the last", func() bool { return strings.HasSuffix(s.story("hazards"), "演示尾") })
	if got := s.story("hazards"); got != want {
		t.Errorf("live: %q", got)
	}
	e.settle()
	again := joined(t, e.listen(e.unlimited(), "http://localhost", "hazards,tiles", from))
	if got := again.story("hazards"); got != want {
		t.Errorf("replay: %q", got)
	}
	for _, ev := range append(s.of("tiles"), again.of("tiles")...) {
		var d struct{ Layer string }
		if err := json.Unmarshal([]byte(ev.Data), &d); err != nil || d.Layer != "hazards" && d.Layer != "admin" {
			t.Errorf("dirty tiles of %q (%v)", d.Layer, err)
		}
	}
	// The first account ends the demo, and its streams.
	e.person(auth.NewAccount{Username: "guan", Name: "管理员", Unit: "990100"}, auth.Admin, "")
	waitFor(t, "the demo to end", func() bool { return s.over() && len(s.of("rights")) == 1 })
	waitFor(t, "no stream for nobody", func() bool { return e.get("/api/live?topics=hazards").StatusCode != 200 })
}
