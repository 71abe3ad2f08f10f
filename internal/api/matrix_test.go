package api_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/internal/api"
	"onemap/internal/auth"
	"onemap/internal/db"
)

// target is whose thing is asked for.
type target int

const (
	own target = iota
	other
	absent
)

func (t target) String() string { return [...]string{"own", "other", "absent"}[t] }

// call is one way to ask a route.
type call struct{ path, body string }

// line is a route's row of the matrix: what is asked for each target, and which
// statuses are right for an asker whom the table lets call the route. A nil want is
// 200 for every target.
type line struct {
	calls  [3]call
	method string // "" is the route's
	want   func(a who, t target) []int
	// alike: what belongs to the other county is answered exactly as what is absent.
	alike bool
	last  bool // ends the session: asked after everything else
}

func paths(own, other, absent string) [3]call { return [3]call{{own, ""}, {other, ""}, {absent, ""}} }
func always(path string) [3]call              { return paths(path, path, path) }

func statuses(own, other, absent int) func(who, target) []int {
	return func(_ who, t target) []int { return []int{[]int{own, other, absent}[t]} }
}

func oneOf(codes ...int) func(who, target) []int { return func(who, target) []int { return codes } }

// browser is for what a person does at a desk: a phone is sent away.
func browser(codes ...int) func(who, target) []int {
	return func(a who, _ target) []int {
		if a.kind == auth.Device {
			return []int{403}
		}
		return codes
	}
}

// reaching is 404 for the other county, unless the asker's area is everywhere.
func reaching(codes ...int) func(who, target) []int {
	return func(a who, t target) []int {
		if t == own || t == other && a.area == "" {
			return codes
		}
		return []int{404}
	}
}

// lines are the parameters of every route. A route without a line fails.
func (w *world) lines() map[string]line {
	hidden := func(a who) []int {
		if a.kind == auth.Anonymous {
			return []int{401}
		}
		return []int{404}
	}
	// layered is the answer for a thing in a layer: absent layers and rows are the same.
	layered := func(visibility string, row int) func(who, target) []int {
		return func(a who, t target) []int {
			switch {
			case !a.seesLayer(visibility):
				return hidden(a)
			case t == own && (a.sees(visibility, ownArea)), t == other && a.sees(visibility, otherArea):
				return []int{200}
			}
			return []int{row}
		}
	}
	area := func(body string) [3]call {
		var out [3]call
		for i, code := range []string{ownArea, otherArea, noArea} {
			out[i] = call{"", strings.ReplaceAll(body, "AREA", code)}
		}
		return out
	}
	at := func(path string, c [3]call) [3]call {
		for i := range c {
			c[i].path = path
		}
		return c
	}
	with := func(c [3]call, body string) [3]call {
		for i := range c {
			c[i].body = body
		}
		return c
	}
	accounts := func(suffix string) [3]call {
		return paths("/api/users/"+w.spare.ID+suffix, "/api/users/"+w.other.ID+suffix, "/api/users/"+noID+suffix)
	}
	unique := 0
	user := func(code string) string {
		unique++
		return fmt.Sprintf(`{"username":"new.user%d","name":"新人","unit":%q}`, unique, code)
	}
	byArea := func(path string) [3]call {
		return paths(path+"?object=QZ", path+"?actor=qzactor2&q=QZ", path+"?q=nothing-like-it")
	}
	all := map[string]line{
		"health": {calls: always("/healthz")}, "ready": {calls: always("/readyz")}, "metrics": {calls: always("/metrics")},
		"site": {calls: always("/")}, "openapi": {calls: always("/api/openapi.json")}, "ogc_api": {calls: always("/ogc/api")},
		"ogc_landing": {calls: always("/ogc")}, "ogc_conformance": {calls: always("/ogc/conformance")}, "code_lists": {calls: always("/api/code-lists")},
		"basemaps": {calls: always("/api/basemaps")}, "wmts": {calls: always("/wmts/none/3/6/3"), want: oneOf(404)},
		"basemap": {calls: always("/basemap/3/6/3.mvt"), want: oneOf(200, 204)}, "about": {calls: always("/api/about")},

		"layers": {calls: always("/api/layers")}, "style": {calls: always("/tiles/style.json")}, "ogc_collections": {calls: always("/ogc/collections")},
		"tile": {calls: paths("/tiles/hazards/12/3404/1634.mvt", "/tiles/hazards/12/3416/1634.mvt", "/tiles/nowhere/12/3404/1634.mvt"), want: func(a who, t target) []int {
			if t == absent || !a.seesLayer(db.Internal) {
				return hidden(a)
			}
			if county := []string{ownArea, otherArea}[t]; a.sees(db.Internal, county) {
				return []int{200}
			}
			return []int{204}
		}},
		"tilejson": {calls: paths("/tiles/hazards.json", "/tiles/hazard_areas.json", "/tiles/nowhere.json"), want: func(a who, t target) []int {
			if t == own && a.seesLayer(db.Internal) || t == other && a.seesLayer(db.Sensitive) {
				return []int{200}
			}
			return hidden(a)
		}},
		"identify": {calls: paths("/api/identify?lon=119.25&lat=34.15&radius_m=2000", "/api/identify?lon=120.25&lat=34.15&radius_m=2000", "/api/identify?lon=0&lat=0&radius_m=2000")},
		"search":   {calls: paths("/api/search?q=QZINTERNAL1&limit=100", "/api/search?q=QZ&limit=100", "/api/search?q=nothing-like-it")},
		"live": {calls: paths("/api/live?topics=tiles,hazards", "/api/live?topics=hazard_areas", "/api/live?topics=nowhere"), method: "HEAD", want: func(a who, t target) []int {
			if t == own && a.seesLayer(db.Internal) || t == other && a.seesLayer(db.Sensitive) {
				return []int{200}
			}
			return []int{400, 401, 404}
		}},
		"ogc_collection": {calls: paths("/ogc/collections/hazards", "/ogc/collections/hazard_areas", "/ogc/collections/nowhere"), want: func(a who, t target) []int {
			if t == own && a.seesLayer(db.Internal) || t == other && a.seesLayer(db.Sensitive) {
				return []int{200}
			}
			return hidden(a)
		}},
		"ogc_items": {calls: paths("/ogc/collections/hazards/items?limit=1000", "/ogc/collections/hazard_areas/items?limit=1000", "/ogc/collections/nowhere/items?limit=1000"), want: func(a who, t target) []int {
			if t == own && a.seesLayer(db.Internal) || t == other && a.seesLayer(db.Sensitive) {
				return []int{200}
			}
			return hidden(a)
		}},
		"ogc_item": {calls: paths("/ogc/collections/hazards/items/"+w.ownItem, "/ogc/collections/hazards/items/"+w.otherItem, "/ogc/collections/hazards/items/"+noID), want: layered(db.Internal, 404), alike: true},

		"me": {calls: always("/api/me")}, "setup_state": {calls: always("/api/setup")}, "roles": {calls: always("/api/roles")},
		"setup": {calls: with(always("/api/setup"), `{"token":"x","admin":{"username":"a.b.c","name":"x","password":"`+password+`"},"security_admin":{"username":"d.e.f","name":"x"},"auditor":{"username":"g.h.i","name":"x"}}`), want: oneOf(409)},
		"sign_in": {calls: [3]call{{"/api/session", `{"activation":"x","password":"` + password + `"}`}, {"/api/session", `{"enrolment":"x","device":{"id":"` + noID + `","name":"x"}}`}, {"/api/session", `{"token":"om_x"}`}},
			want: oneOf(401)},
		"sign_out": {calls: always("/api/session"), last: true, want: func(_ who, t target) []int {
			if t == own {
				return []int{204}
			}
			return []int{401} // over at once
		}},
		"sessions": {calls: paths("/api/sessions", "/api/sessions?account="+w.other.ID, "/api/sessions?account="+noID), alike: true, want: func(a who, t target) []int {
			if t == own {
				return []int{200}
			}
			if a.may(auth.ManageAccounts) && a.area == "" {
				return []int{200, 404}
			}
			return []int{403, 404}
		}},
		"session_end": {calls: paths("/api/sessions/"+w.spareSession, "/api/sessions/"+w.otherSession, "/api/sessions/"+noID), alike: true, want: func(a who, t target) []int {
			if t == own && a.may(auth.ManageAccounts) {
				return []int{204}
			}
			return []int{404}
		}},
		"password":              {calls: with(always("/api/me/password"), `{"current":"wrong","new":"short"}`), want: oneOf(401, 403, 422)},
		"second_factor_begin":   {calls: always("/api/me/second-factor"), want: browser(200)},
		"second_factor_confirm": {calls: with(always("/api/me/second-factor"), `{"code":"000000"}`), want: browser(401, 409, 422, 429)},
		"second_factor_drop":    {calls: with(always("/api/me/second-factor"), `{"password":"wrong","code":"000000"}`), want: browser(401, 409, 422, 429)},

		"users":          {calls: paths("/api/users", "/api/users?q=qzuser", "/api/users?q=nothing-like-it")},
		"users_template": {calls: always("/api/users/template.xlsx")},
		"users_import":   {calls: with(always("/api/users/import?dry_run=true"), "PK\x03\x04 this is no workbook"), want: oneOf(400, 415, 422)},
		"user_create": {calls: [3]call{{"/api/users", user(ownArea)}, {"/api/users", user(otherArea)}, {"/api/users", user(noArea)}}, alike: true, want: func(_ who, t target) []int {
			if t == own {
				return []int{201, 409} // the second asker finds the name taken
			}
			return []int{403}
		}},
		"user":            {calls: accounts(""), want: reaching(200), alike: true},
		"user_update":     {calls: with(accounts(""), `{"department":"x"}`), want: statuses(428, 404, 404), alike: true},
		"user_activation": {calls: accounts("/activation"), want: statuses(201, 404, 404), alike: true},
		"user_second_factor_reset": {calls: accounts("/second-factor"), want: func(_ who, t target) []int {
			if t == own {
				return []int{204, 409}
			}
			return []int{404}
		}, alike: true},
		"grants": {calls: paths("/api/grants?account="+w.spare.ID, "/api/grants?account="+w.other.ID, "/api/grants?account="+noID), alike: true},
		"grant_create": {calls: [3]call{
			{"/api/grants", `{"account":"` + w.spare.ID + `","role":"unit","area":"` + ownArea + `","reason":"矩阵测试"}`},
			{"/api/grants", `{"account":"` + w.other.ID + `","role":"unit","area":"` + ownArea + `","reason":"矩阵测试"}`},
			{"/api/grants", `{"account":"` + noID + `","role":"unit","area":"` + ownArea + `","reason":"矩阵测试"}`},
		}, alike: true, want: func(_ who, t target) []int {
			if t == own {
				return []int{201, 409}
			}
			return []int{404, 403, 422}
		}},
		"grant_revoke": {calls: paths("/api/grants/"+w.spareGrant, "/api/grants/"+w.otherGrant, "/api/grants/"+noID), want: statuses(204, 404, 404), alike: true},
		"tokens":       {calls: always("/api/tokens")},
		"token_create": {calls: at("/api/tokens", area(`{"name":"矩阵","role":"viewer","scopes":["read"],"area":"AREA"}`)), want: func(a who, t target) []int {
			if t == own || a.area == "" {
				return []int{201}
			}
			return []int{403}
		}, alike: true},
		"token_revoke": {calls: paths("/api/tokens/"+w.spareToken, "/api/tokens/"+w.otherToken, "/api/tokens/"+noID), want: func(a who, t target) []int {
			if t == own && a.may(auth.ManageTokens) {
				return []int{204}
			}
			return []int{404} // makers end their own
		}, alike: true},
		"enrolment_create": {calls: [3]call{{"/api/enrolments", `{"account":"` + w.spare.ID + `"}`}, {"/api/enrolments", `{"account":"` + w.other.ID + `"}`}, {"/api/enrolments", `{"account":"` + noID + `"}`}},
			want: reaching(201, 403, 409), alike: true},

		"audit": {calls: byArea("/api/audit")}, "audit_csv": {calls: byArea("/api/audit.csv")}, "audit_xlsx": {calls: byArea("/api/audit.xlsx")},
		"audit_verify": {calls: always("/api/audit/verify")},
		"rule_sets":    {calls: always("/api/rule-sets")},
		"rule_set_add": {calls: [3]call{
			{"/api/rule-sets/rainstorm_warning/versions", `{"body":{"a":1},"reason":"矩阵测试","standard":"测试"}`},
			{"/api/rule-sets/nothing/versions", `{"body":{"a":1},"reason":"矩阵测试"}`}, {"/api/rule-sets/nothing/versions", `{"body":{"a":1},"reason":"矩阵测试"}`},
		}, want: func(a who, t target) []int {
			if a.area != "" {
				return []int{403} // rules hold everywhere
			}
			return []int{[]int{201, 404, 404}[t]}
		}, alike: true},
		"rule_set_verify": {calls: with(paths("/api/rule-sets/rainstorm_warning/versions/1/verify", "/api/rule-sets/rainstorm_warning/versions/999/verify", "/api/rule-sets/nothing/versions/1/verify"), `{"note":"对照标准核实"}`),
			want: func(a who, t target) []int {
				switch {
				case a.area != "":
					return []int{403}
				case t == own:
					return []int{200, 409}
				}
				return []int{404}
			}},
		"settings":       {calls: always("/api/settings")},
		"setting_update": {calls: with(paths("/api/settings/watermark", "/api/settings/nothing2", "/api/settings/nothing"), `{"value":"x","reason":"矩阵测试"}`), want: oneOf(428), alike: true},
		"catalogue":      {calls: always("/api/catalogue")},
		"layer":          {calls: paths("/api/layers/hazards", "/api/layers/hazard_areas", "/api/layers/nowhere"), want: statuses(200, 200, 404)},
		"layer_update":   {calls: with(paths("/api/layers/hazards", "/api/layers/nowhere2", "/api/layers/nowhere"), `{"title":"x"}`), want: statuses(428, 404, 404), alike: true},
		"decisions":      {calls: paths("/api/decisions", "/api/decisions?state=pending_countersign", "/api/decisions?action=nothing")},
		"decision_create": {calls: at("/api/decisions", area(`{"action":"call_out","area":"AREA","text":"叫应","consulted":{"name":"李带班"},"reason":"矩阵测试"}`)),
			want: func(a who, t target) []int {
				if t == own || a.area == "" {
					return []int{201}
				}
				return []int{403}
			}, alike: true},
		"decision_transition": {calls: with(paths("/api/decisions/"+w.ownDecision+"/transitions", "/api/decisions/"+w.otherDecision+"/transitions", "/api/decisions/"+noID+"/transitions"), `{"to":"countersigned"}`),
			want: func(a who, t target) []int {
				if t == absent || t == other && a.area != "" {
					return []int{404}
				}
				return []int{404, 428} // 428 to who may know of it
			}, alike: true},
		"contacts": {calls: paths("/api/contacts?area="+ownArea, "/api/contacts?area="+otherArea, "/api/contacts?area="+noArea)},
		"contact_reveal": {calls: with(paths("/api/contacts/"+w.ownContact+"/reveal", "/api/contacts/"+w.otherContact+"/reveal", "/api/contacts/"+noID+"/reveal"), `{"reason":"矩阵测试理由"}`), want: func(a who, t target) []int {
			if t == own || t == other && a.area == "" {
				return []int{200}
			}
			return []int{404}
		}, alike: true},
	}
	for _, more := range []map[string]line{w.planLines(), w.dangerLines(), w.fieldLines(), w.blobLines(), w.syncLines(), w.reliefLines(), w.sensingLines(), w.incidentLines(), w.responseLines(), w.alertLines(), w.evacuationLines(), w.impactLines()} {
		for name, l := range more {
			if _, twice := all[name]; twice {
				w.t.Fatalf("route %s has two lines", name)
			}
			all[name] = l
		}
	}
	return all
}

// entry computes from the table of rights whether an asker may call a route at all: 0
// or the status of the refusal. It shares nothing with the program but the tables.
func entry(a who, r *api.Route) int {
	nobody := a.kind == auth.Anonymous || a.kind == auth.Demo
	refused := 403
	if nobody {
		refused = 401
	}
	ok := false
	switch r.Access {
	case api.AccessOpen, api.AccessSetup:
		ok = true
	case api.AccessPublic:
		ok = nobody || a.signedIn() && a.reads()
	case api.AccessSignedIn:
		ok = a.signedIn() && a.reads() && (a.kind != auth.Wall || !api.Unsafe(r.Method))
	case api.AccessPerson:
		ok = a.signedIn() && a.person()
	case api.AccessSelf:
		ok = a.person()
	case api.AccessSession:
		ok = a.person() || a.kind == auth.Wall
	case api.AccessMay, api.AccessMachine:
		// A program with the scope report puts rows down under its role; it manages nothing.
		reports := a.kind == auth.Token && slices.Contains(a.scopes, "report") && a.role.May(auth.WriteFeatures) && slices.Contains(r.Needs, auth.WriteFeatures)
		delivers := a.kind == auth.Token && slices.Contains(a.scopes, "ingest") && a.role.May(auth.IngestObservations) && slices.Contains(r.Needs, auth.IngestObservations)
		ok = reports || delivers || slices.ContainsFunc(r.Needs, a.may)
	}
	if ok {
		return 0
	}
	return refused
}

// TestMatrix is route × asker × (own, other, absent), over HTTP on a real database.
func TestMatrix(t *testing.T) {
	w := build(t)
	lines := w.lines()
	routes := slices.Clone(w.server.Routes())
	slices.SortStableFunc(routes, func(a, b *api.Route) int {
		order := map[bool]int{true: 1}
		return order[lines[a.Name].last] - order[lines[b.Name].last]
	})
	asked, refused, hiddenAlike := 0, 0, 0
	// The other county's officer asks first: what he brought into shared caches must
	// not come out for anybody else.
	for _, path := range []string{"/tiles/hazards/12/3404/1634.mvt", "/tiles/hazards/12/3416/1634.mvt", "/tiles/hazards,shelters/8/212/102.mvt", "/api/layers", "/ogc/collections/hazards/items?limit=1000", "/api/search?q=QZ&limit=100"} {
		if r := w.as(w.foreign, "GET", path, ""); r.StatusCode != 200 && r.StatusCode != 204 {
			t.Fatalf("%s for %s: %d %s", path, w.foreign.name, r.StatusCode, r.body)
		}
	}
	for _, rt := range routes {
		l, ok := lines[rt.Name]
		if !ok {
			t.Errorf("route %s %s (%s) has no line in the matrix", rt.Method, rt.Pattern, rt.Name)
			continue
		}
		method := rt.Method
		if l.method != "" {
			method = l.method
		}
		for _, a := range w.askers {
			var got [3]reply
			for i, c := range l.calls {
				headers := []string{}
				if rt.Body == api.BodyXLSX {
					headers = append(headers, "Content-Type", string(api.BodyXLSX))
				}
				body := c.body
				if rt.Name == "user_create" {
					body = strings.ReplaceAll(body, "new.user", "u"+strings.NewReplacer(" ", "", "_", "").Replace(a.name))
				}
				got[i] = w.as(a, method, c.path, body, headers...)
				asked++
				want := []int{200}
				if code := entry(a, rt); code != 0 {
					want = []int{code}
					refused++
				} else if l.want != nil {
					want = l.want(a, target(i))
				}
				if l.last && a.kind == auth.Session && i > 0 {
					want = []int{401}
				}
				if !slices.Contains(want, got[i].StatusCode) {
					t.Errorf("%s %s (%s) as %s: %d, want %v: %.300s", method, c.path, target(i), a.name, got[i].StatusCode, want, got[i].body)
				}
				for _, leak := range w.leaks(a, got[i]) {
					t.Errorf("%s %s (%s) as %s shows %s: %.300s", method, c.path, target(i), a.name, leak, got[i].body)
				}
			}
			// What may not be known of is answered as what is not there.
			if l.alike && a.area != "" && got[other].StatusCode >= 400 && a.signedIn() {
				hiddenAlike++
				if !same(got[other], got[absent]) {
					t.Errorf("%s (%s) as %s: other and absent differ: %d %.200s / %d %.200s", rt.Pattern, rt.Name, a.name,
						got[other].StatusCode, got[other].body, got[absent].StatusCode, got[absent].body)
				}
			}
			if code := entry(a, rt); code != 0 && (!same(got[own], got[absent]) || !same(got[other], got[absent])) && !l.last {
				t.Errorf("%s as %s: refusals differ with what was asked for", rt.Pattern, a.name)
			}
		}
	}
	t.Logf("matrix: %d routes x %d askers x 3 targets = %d requests, %d marks; %d refused at the door, %d pairs of other and absent compared",
		len(routes), len(w.askers), asked, len(w.marks), refused, hiddenAlike)
}

// TestMatrixOfTheMap asks in every way the map can be asked, counts included.
func TestMatrixOfTheMap(t *testing.T) {
	w := build(t)
	now := url.QueryEscape(time.Now().UTC().Format(time.RFC3339Nano))
	then := url.QueryEscape(w.before.UTC().Format(time.RFC3339Nano))
	var questions []string
	for _, layer := range []string{"hazards", "hazard_areas", "shelters", "hazards,shelters", "hazard_areas,hazards,shelters", "admin"} {
		for _, tile := range []string{"12/3404/1634", "12/3416/1634", "14/13619/6537", "14/13664/6537", "8/212/102", "5/26/12", "0/0/0"} {
			for _, q := range []string{"", "?as_of=" + now, "?as_of=" + then, "?datetime=" + now, "?properties=name", "?filter=" + url.QueryEscape("name like 'QZ%'")} {
				questions = append(questions, "/tiles/"+layer+"/"+tile+".mvt"+q)
			}
		}
		if !strings.Contains(layer, ",") {
			for _, q := range []string{"?limit=1000", "?limit=1000&as_of=" + now, "?limit=1000&as_of=" + then, "?limit=2", "?bbox=120,34,121,35", "?limit=1000&datetime=" + now} {
				questions = append(questions, "/ogc/collections/"+layer+"/items"+q)
			}
			questions = append(questions, "/ogc/collections/"+layer, "/tiles/"+layer+".json")
		}
	}
	for _, q := range []string{"?lon=120.25&lat=34.15&radius_m=5000", "?lon=120.25&lat=34.15&radius_m=5000&as_of=" + then, "?lon=120.25&lat=34.15&layers=hazards", "?lon=119.25&lat=34.15&radius_m=5000"} {
		questions = append(questions, "/api/identify"+q)
	}
	for _, q := range []string{"QZ", "QZINTERNAL2xold1", "QZSENSITIVE2", "QZADMIN2", "990200"} {
		questions = append(questions, "/api/search?limit=100&q="+q)
	}
	questions = append(questions, "/ogc/collections/hazards/items/"+w.otherItem, "/ogc/collections/hazards/items/"+w.otherItem+"?as_of="+then, "/ogc/collections/hazard_areas/items/"+w.otherSensitive, "/ogc/collections/hazard_areas/items/"+w.ownSensitive)
	asked, shown := 0, map[string]bool{}
	// Foreign first, everywhere first, then everybody, then again from warm caches.
	for _, round := range [][]who{{w.foreign, w.wide}, w.askers, w.askers} {
		for _, a := range round {
			for _, q := range questions {
				r := w.as(a, "GET", q, "")
				asked++
				if r.StatusCode >= 500 || r.StatusCode == 400 && !strings.Contains(q, "filter=") {
					t.Errorf("%s as %s: %d %.200s", q, a.name, r.StatusCode, r.body)
				}
				for _, leak := range w.leaks(a, r) {
					t.Errorf("%s as %s shows %s", q, a.name, leak)
				}
				for _, m := range w.marks {
					if strings.Contains(string(r.body), m.text) {
						shown[a.name+" "+m.text] = true
					}
				}
			}
		}
	}
	// The other half: nobody is refused what is his.
	for _, a := range w.askers {
		for _, m := range w.marks[1:7] {
			if m.seen(a) != shown[a.name+" "+m.text] {
				t.Errorf("%s may see %s: %v, was shown it: %v", a.name, m.text, m.seen(a), shown[a.name+" "+m.text])
			}
		}
		w.counts(a)
	}
	t.Logf("map: %d questions x %d askers, twice, foreign first = %d requests", len(questions), len(w.askers), asked)
}

// counts compares every number with what the table of rights lets the asker count.
func (w *world) counts(a who) {
	w.t.Helper()
	if !a.reads() || a.limited {
		return
	}
	var list struct {
		Layers []struct {
			ID, Visibility string
			Count          int
			Bounds         []float64
		}
	}
	r := w.as(a, "GET", "/api/layers", "")
	if err := json.Unmarshal(r.body, &list); err != nil {
		w.t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, l := range list.Layers {
		listed[l.ID] = true
		if !a.seesLayer(l.Visibility) {
			w.t.Errorf("%s is shown the layer %s", a.name, l.ID)
		}
		n, marked := w.rows[l.ID]
		if !marked {
			continue
		}
		want := 0
		if a.sees(l.Visibility, ownArea) {
			want += n[0]
		}
		if a.sees(l.Visibility, otherArea) {
			want += n[1]
		} else if len(l.Bounds) == 4 && l.Bounds[2] > 119.9 {
			w.t.Errorf("the bounds of %s tell %s of the other county: %v", l.ID, a.name, l.Bounds)
		}
		if l.Count != want {
			w.t.Errorf("%s counts %d %s, may count %d", a.name, l.Count, l.ID, want)
		}
		var items struct{ NumberMatched, NumberReturned int }
		if err := json.Unmarshal(w.as(a, "GET", "/ogc/collections/"+l.ID+"/items?limit=1", "").body, &items); err != nil {
			w.t.Fatal(err)
		}
		if items.NumberMatched != 0 && items.NumberMatched != want {
			w.t.Errorf("%s: %d of %s match, may know of %d", a.name, items.NumberMatched, l.ID, want)
		}
	}
	for id, visibility := range map[string]string{"shelters": db.Public, "hazards": db.Internal, "hazard_areas": db.Sensitive} {
		style := string(w.as(a, "GET", "/tiles/style.json", "").body)
		collections := string(w.as(a, "GET", "/ogc/collections", "").body)
		if want := a.seesLayer(visibility); listed[id] != want || strings.Contains(collections, `"id":"`+id+`"`) != want || strings.Contains(style, "/"+id+"/") && !want {
			w.t.Errorf("%s: layer %s is listed %v, may see it %v", a.name, id, listed[id], want)
		}
	}
}

// TestMatrixOfTheStream: replay from before the rows, and what happens while it is open.
func TestMatrixOfTheStream(t *testing.T) {
	w := build(t)
	events := 0
	for _, a := range append([]who{w.foreign}, w.askers...) {
		var topics []string
		for layer, visibility := range map[string]string{"hazards": db.Internal, "hazard_areas": db.Sensitive, "shelters": db.Public} {
			if a.seesLayer(visibility) {
				topics = append(topics, layer)
			}
		}
		if len(topics) == 0 || !a.reads() || a.limited {
			continue
		}
		slices.Sort(topics)
		s := w.listen(w.unlimited(), "http://localhost", strings.Join(append(topics, "tiles"), ","), w.from, a.headers...)
		waitFor(t, "the replay for "+a.name, func() bool { return s.count("lag") > 0 })
		tag := fmt.Sprintf("QZLIVE%d", events)
		for i, x := range []float64{119.26, 120.26} {
			w.exec(`insert into hazards (code, name, hazard, level, geom) values ($1, $1, 'landslide', 1, st_setsrid(st_makepoint($2, 34.15), 4490))`, fmt.Sprintf("%s-%d", tag, i), x)
			w.exec(`insert into shelters (code, name, class, capacity, geom) values ($1, $1, 'long', 1, st_setsrid(st_makepoint($2, 34.15), 4490))`, fmt.Sprintf("%sS-%d", tag, i), x)
		}
		// The shelter of the other county came last and everybody sees it.
		waitFor(t, "the live rows for "+a.name, func() bool { return strings.Contains(s.text(), tag+"S-1") || !slices.Contains(topics, "shelters") })
		got := s.text()
		events += len(s.snapshot())
		for _, m := range w.marks {
			if strings.Contains(got, m.text) && !m.seen(a) {
				t.Errorf("the stream of %s shows %s (%s)", a.name, m.text, m.what)
			}
		}
		for i, county := range []string{ownArea, otherArea} {
			if saw, may := strings.Contains(got, fmt.Sprintf("%s-%d", tag, i)), a.sees(db.Internal, county); saw != may {
				t.Errorf("%s may see a new row of %s: %v, was sent it: %v", a.name, county, may, saw)
			}
		}
		for _, e := range s.of("tiles") {
			var c struct {
				Layer string
				Boxes [][4]int
			}
			if err := json.Unmarshal([]byte(e.Data), &c); err != nil {
				t.Fatal(err)
			}
			for _, b := range c.Boxes {
				// 120.2° lies at x 13661 of zoom 14.
				if c.Layer == "hazards" && b[2] > 13655 && b[0] > 13600 && !a.sees(db.Internal, otherArea) {
					t.Errorf("%s is told where in the other county something changed: %s", a.name, e.Data)
				}
			}
		}
		s.close()
	}
	t.Logf("streams: %d askers, %d events", len(w.askers)+1, events)
}

// text is everything that was sent.
func (s *stream) text() string {
	var b strings.Builder
	for _, e := range s.snapshot() {
		b.WriteString(e.Name + " " + e.Data + "\n")
	}
	return b.String()
}
