package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/api"
	"onemap/internal/auth"
	"onemap/internal/db"
)

// nobody leaves the environment's session out.
func nobody(headers ...string) []string { return append([]string{"As", "nobody"}, headers...) }

func cookieOf(t testing.TB, r reply) string {
	t.Helper()
	for _, c := range r.Cookies() {
		if c.Name == "onemap" && c.Value != "" {
			if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("cookie %+v", c)
			}
			return c.Value
		}
	}
	t.Fatalf("%d without a session: %s", r.StatusCode, r.body)
	return ""
}

// TestSetupHappensOnce: twenty at once, one wins; the demonstration ends with it.
func TestSetupHappensOnce(t *testing.T) {
	e := startEmpty(t, db.Options{})
	e.county()
	var list struct {
		Layers []struct {
			ID    string
			Count int
		}
	}
	e.json("/api/layers", &list)
	for _, l := range list.Layers {
		if l.Count != 0 {
			t.Errorf("before set-up %d rows of %s that are no demonstration are counted", l.Count, l.ID)
		}
	}
	if r := e.get("/ogc/collections/hazards/items"); strings.Contains(string(r.body), "清河滑坡") {
		t.Error("before set-up rows that are no demonstration are shown")
	}
	for _, rt := range e.server.Routes() {
		if rt.Access == api.AccessOpen || rt.Access == api.AccessPublic || rt.Access == api.AccessSetup || rt.Access == api.AccessMachine {
			continue
		}
		path := regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(rt.Pattern, noID)
		if r := e.do(rt.Method, path, "Sec-Fetch-Site", "same-origin"); r.StatusCode != 401 {
			t.Errorf("before set-up %s %s: %d", rt.Method, path, r.StatusCode)
		}
	}
	body := func(token string, i int) string {
		return fmt.Sprintf(`{"token":%q,"admin":{"username":"guan%d","name":"管理","password":%q},"security_admin":{"username":"anquan%d","name":"安全"},"auditor":{"username":"shenji%d","name":"审计"}}`, token, i, password, i, i)
	}
	e.wantProblem(e.post("/api/setup", body("forged", 0)), 403, "setup_link")
	token, expires, err := e.auth.SetupLink(t.Context())
	if err != nil || time.Until(expires) > 30*time.Minute {
		t.Fatal(expires, err)
	}
	e.wantProblem(e.post("/api/setup", body(token, 0), "Sec-Fetch-Site", "cross-site"), 403, "cross_site")
	var won atomic.Int32
	var cookie atomic.Value
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			r := e.post("/api/setup", body(token, i))
			switch r.StatusCode {
			case 201:
				won.Add(1)
				cookie.Store(cookieOf(t, r))
				var a struct{ Activations []struct{ Link string } }
				if err := json.Unmarshal(r.body, &a); err != nil || len(a.Activations) != 2 || !strings.Contains(a.Activations[0].Link, "/activate#") {
					t.Errorf("activations: %s", r.body)
				}
			case 409, 403, 503:
			default:
				t.Errorf("set-up: %d %s", r.StatusCode, r.body)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d set-ups won", won.Load())
	}
	e.wantProblem(e.post("/api/setup", body(token, 50)), 409, "setup_done")
	var me struct {
		SignedIn      bool `json:"signed_in"`
		SetupRequired bool `json:"setup_required"`
		Demo          bool
		Permissions   []string
	}
	e.json("/api/me", &me, session(cookie.Load().(string))...)
	if !me.SignedIn || me.SetupRequired || me.Demo || !slices.Contains(me.Permissions, "manage_accounts") {
		t.Errorf("the administrator: %+v", me)
	}
	e.json("/api/me", &me)
	if me.SignedIn || me.Demo {
		t.Errorf("anonymous: %+v", me)
	}
	// No layer is public: there is nothing here for somebody without a name.
	for _, path := range []string{"/api/layers", "/ogc/collections", "/tiles/style.json", "/api/search?q=x", "/api/identify?lon=119&lat=34", "/tiles/hazards/12/3404/1634.mvt"} {
		e.wantProblem(e.get(path), 401, "not_signed_in")
	}
	e.wantProblem(e.get("/tiles/nowhere/12/3404/1634.mvt"), 401, "not_signed_in")
}

// TestForgedCredentials: what is not valid is never taken for nobody.
func TestForgedCredentials(t *testing.T) {
	e := start(t)
	read := func(scope, network string) (auth.TokenInfo, string) {
		t.Helper()
		info, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "程序" + scope, Role: auth.Viewer, Area: ownArea, Scopes: []string{scope}, Network: network})
		if err != nil {
			t.Fatal(err)
		}
		return info, secret
	}
	info, good := read("read", "")
	const path = "/api/roles"
	if r := e.get(path, "Authorization", "Bearer "+good); r.StatusCode != 200 {
		t.Fatalf("a good token: %d %s", r.StatusCode, r.body)
	}
	for name, headers := range map[string][]string{
		"nothing":                     nobody(),
		"forged token":                {"Authorization", "Bearer om_" + strings.Repeat("A", 43)},
		"cut token":                   {"Authorization", "Bearer " + good[:len(good)-1]},
		"longer token":                {"Authorization", "Bearer " + good + "A"},
		"a JWT that signs nothing":    {"Authorization", "Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ."},
		"empty bearer":                {"Authorization", "Bearer "},
		"basic":                       {"Authorization", "Basic Z3VhbjpwYXNz"},
		"forged cookie":               {"Cookie", "onemap=" + strings.Repeat("A", 43)},
		"token as cookie":             {"Cookie", "onemap=" + good},
		"cookie as token":             {"Authorization", "Bearer " + e.cookie},
		"cookie twice":                {"Cookie", "onemap=" + e.cookie + "; onemap=" + e.cookie},
		"bad bearer with good cookie": {"Authorization", "Bearer om_x", "Cookie", "onemap=" + e.cookie},
		"cookie of the TLS name":      {"Cookie", "__Host-onemap=" + e.cookie},
	} {
		r := e.get(path, headers...)
		if r.StatusCode != 401 || !strings.Contains(string(r.body), "not_signed_in") {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
		}
	}
	// In a URL a token is a parameter nobody knows.
	e.wantProblem(e.get("/api/layers?access_token="+good, nobody()...), 400, "unknown_parameter")
	e.wantProblem(e.get(path+"?token="+good, nobody()...), 401, "not_signed_in")
	if l := e.logs.String(); strings.Contains(l, good) || strings.Contains(l, e.cookie) || strings.Contains(l, password) {
		t.Error("a secret is in the log")
	}
	// Revoked at once; an expired one too.
	if err := e.auth.RevokeToken(t.Context(), cli(), info.ID); err != nil {
		t.Fatal(err)
	}
	e.wantProblem(e.get(path, "Authorization", "Bearer "+good), 401, "not_signed_in")
	_, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "短命", Role: auth.Viewer, Area: ownArea, Scopes: []string{"read"}, Expires: time.Now().Add(2 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	if r := e.get(path, "Authorization", "Bearer "+secret); r.StatusCode != 200 {
		t.Errorf("a token that has not expired: %d", r.StatusCode)
	}
	waitFor(t, "the token expired", func() bool { return e.get(path, "Authorization", "Bearer "+secret).StatusCode == 401 })
	// A wall's token opens a screen from its network only.
	_, near := read("wall", "127.0.0.0/8")
	_, far := read("wall", "10.0.0.0/8")
	if r := e.post("/api/session", `{"token":"`+near+`"}`, nobody()...); r.StatusCode != 200 {
		t.Errorf("a wall from its network: %d %s", r.StatusCode, r.body)
	}
	for _, claim := range []string{"", "10.0.0.9"} {
		headers := nobody()
		if claim != "" {
			headers = nobody("X-Forwarded-For", claim)
		}
		e.wantProblem(e.post("/api/session", `{"token":"`+far+`"}`, headers...), 401, "sign_in_failed")
	}
}

// TestSigningInIsOurs: a planted cookie is not adopted, other sites cannot sign
// anybody in or out, and what a form would add is refused.
func TestSigningInIsOurs(t *testing.T) {
	e := start(t)
	good := `{"username":"zhang","password":"` + password + `"}`
	planted := strings.Repeat("B", 43)
	r := e.post("/api/session", good, "Cookie", "onemap="+planted)
	if c := cookieOf(t, r); c == planted || c == e.cookie {
		t.Error("the session was not made anew")
	}
	for name, headers := range map[string][]string{
		"another site":                  {"Sec-Fetch-Site", "cross-site"},
		"a neighbour":                   {"Sec-Fetch-Site", "same-site"},
		"another origin":                {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
		"our name by another protocol":  {"Sec-Fetch-Site", "", "Origin", "https://localhost"},
		"no origin":                     {"Sec-Fetch-Site", ""},
		"null":                          {"Sec-Fetch-Site", "", "Origin", "null"},
		"another site, our own origin":  {"Sec-Fetch-Site", "cross-site", "Origin", "http://localhost"},
		"a header that is none of them": {"Sec-Fetch-Site", "maybe"},
	} {
		for _, c := range []struct{ method, path, body string }{
			{"POST", "/api/session", good}, {"DELETE", "/api/session", ""}, {"POST", "/api/me/password", `{"current":"a","new":"b"}`}, {"POST", "/api/me/second-factor", ""},
		} {
			all := append([]string{"Content-Type", "application/json"}, headers...)
			if headers[1] == "" {
				all = append([]string{"Content-Type", "application/json"}, headers[2:]...)
			}
			r := e.send(c.method, c.path, strings.NewReader(c.body), all...)
			if r.StatusCode != 403 || !strings.Contains(string(r.body), "cross_site") {
				t.Errorf("%s %s from %s: %d %s", c.method, c.path, name, r.StatusCode, r.body)
			}
		}
	}
	if r := e.send("POST", "/api/session", strings.NewReader(good), "Content-Type", "application/json", "Origin", "http://localhost"); r.StatusCode != 200 {
		t.Errorf("our own origin: %d %s", r.StatusCode, r.body)
	}
	for _, c := range []struct {
		name, body, kind string
		status           int
		code             string
	}{
		{"a role slipped in", `{"username":"zhang","password":"x","role":"admin"}`, "", 400, "invalid_body"},
		{"a name twice", `{"username":"zhang","username":"guan","password":"x"}`, "", 400, "invalid_body"},
		{"a name in capitals", `{"Username":"zhang","password":"x"}`, "", 400, "invalid_body"},
		{"two ways at once", `{"username":"zhang","password":"x","token":"om_x"}`, "", 400, "invalid_body"},
		{"nothing", `{}`, "", 400, "invalid_body"},
		{"no JSON", `username=zhang`, "", 400, "invalid_body"},
		{"empty", "", "", 400, "invalid_body"},
		{"deep", `{"username":` + strings.Repeat("[", 60_000) + "}", "", 400, "invalid_body"},
		{"a form", good, "application/x-www-form-urlencoded", 415, "unsupported_type"},
		{"plain text", good, "text/plain", 415, "unsupported_type"},
		{"another alphabet", good, "application/json; charset=gbk", 415, "unsupported_type"},
		{"too much", `{"username":"` + strings.Repeat("a", 70<<10) + `"}`, "", 413, "too_large"},
		{"wrong", `{"username":"zhang","password":"x"}`, "", 401, "sign_in_failed"},
		{"unknown", `{"username":"nobody.here","password":"x"}`, "", 401, "sign_in_failed"},
	} {
		kind := "application/json"
		if c.kind != "" {
			kind = c.kind
		}
		r := e.post("/api/session", c.body, nobody("Content-Type", kind)...)
		if r.StatusCode != c.status || !strings.Contains(string(r.body), `"`+c.code+`"`) {
			t.Errorf("%s: %d %.200s", c.name, r.StatusCode, r.body)
		}
	}
	a, b := e.post("/api/session", `{"username":"zhang","password":"x"}`, nobody()...), e.post("/api/session", `{"username":"no.such","password":"x"}`, nobody()...)
	if !same(a, b) {
		t.Errorf("a known and an unknown name differ: %s %s", a.body, b.body)
	}
	if l := e.logs.String(); strings.Contains(l, "could not be recorded") {
		t.Errorf("refusals of strangers are not written down: %s", l[strings.Index(l, "could not be recorded"):][:200])
	}
	for _, origin := range []string{"https://evil.example", "null", "http://localhost"} {
		r := e.get("/api/me", "Origin", origin)
		for k := range r.Header {
			if strings.HasPrefix(k, "Access-Control-") {
				t.Errorf("%s is told %s", origin, k)
			}
		}
	}
}

// TestSessionsEndAtOnce: a new password, a disabled account, an ended session.
func TestSessionsEndAtOnce(t *testing.T) {
	e := start(t)
	admin := e.activate(e.person(auth.NewAccount{Username: "guan.two", Name: "管理二", Unit: ownArea}, auth.Admin, ""))
	first := cookieOf(t, e.post("/api/session", `{"username":"zhang","password":"`+password+`"}`, nobody()...))
	alive := func(cookie string) int { return e.get("/api/roles", session(cookie)...).StatusCode }
	if alive(first) != 200 || alive(e.cookie) != 200 {
		t.Fatal("not signed in")
	}
	const next = "Another-Test-2027"
	if r := e.post("/api/me/password", `{"current":"`+password+`","new":"`+next+`"}`, session(first)...); r.StatusCode != 204 {
		t.Fatalf("password: %d %s", r.StatusCode, r.body)
	}
	if alive(e.cookie) != 401 {
		t.Error("a session outlives the password it began with")
	}
	e.wantProblem(e.post("/api/session", `{"username":"zhang","password":"`+password+`"}`, nobody()...), 401, "sign_in_failed")
	second := cookieOf(t, e.post("/api/session", `{"username":"zhang","password":"`+next+`"}`, nobody()...))
	var list struct {
		Sessions []struct {
			ID      string
			Current bool
		}
	}
	e.json("/api/sessions", &list, session(second)...)
	third := cookieOf(t, e.post("/api/session", `{"username":"zhang","password":"`+next+`"}`, nobody()...))
	for _, s := range list.Sessions {
		if s.Current {
			if r := e.do("DELETE", "/api/sessions/"+s.ID, append(session(third), "Sec-Fetch-Site", "same-origin")...); r.StatusCode != 204 {
				t.Errorf("end a session: %d %s", r.StatusCode, r.body)
			}
		}
	}
	if alive(second) != 401 || alive(third) != 200 {
		t.Errorf("the ended session answers %d, the other %d", alive(second), alive(third))
	}
	var users struct {
		Users []struct {
			ID, Username string
			Version      int
		}
	}
	e.json("/api/users?q=zhang", &users, session(admin)...)
	path := "/api/users/" + users.Users[0].ID
	patch := func(body string, headers ...string) reply {
		return e.send("PATCH", path, strings.NewReader(body), append(append(session(admin), "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"), headers...)...)
	}
	e.wantProblem(patch(`{"state":"disabled"}`), 428, "precondition_required")
	e.wantProblem(patch(`{"state":"disabled"}`, "If-Match", `"999"`), 412, "stale")
	e.wantProblem(patch(`{"state":"disabled"}`, "If-Match", `*`), 412, "stale")
	for _, slip := range []string{`{"role":"admin"}`, `{"area":""}`, `{"id":"` + noID + `"}`, `{"version":1}`, `{"grants":[]}`, `{"username":"x"}`} {
		e.wantProblem(patch(slip, "If-Match", `"1"`), 400, "invalid_body")
	}
	tag := e.get(path, session(admin)...).Header.Get("ETag")
	r := patch(`{"state":"disabled"}`, "If-Match", tag)
	if r.StatusCode != 200 || r.Header.Get("ETag") == tag {
		t.Fatalf("disable: %d %s %s", r.StatusCode, r.Header.Get("ETag"), r.body)
	}
	if alive(third) != 401 {
		t.Error("a disabled account's session lives on")
	}
	e.wantProblem(patch(`{"state":"active"}`, "If-Match", tag), 412, "stale")
	e.wantProblem(e.post("/api/session", `{"username":"zhang","password":"`+next+`"}`, nobody()...), 401, "sign_in_failed")
}

// TestNobodyGrantsBeyondHimself: a county's administrators stay in their county.
func TestNobodyGrantsBeyondHimself(t *testing.T) {
	e := start(t)
	security := session(e.activate(e.person(auth.NewAccount{Username: "anquan.one", Name: "安全", Unit: ownArea}, auth.SecurityAdmin, ownArea)))
	whole := session(e.activate(e.person(auth.NewAccount{Username: "anquan.all", Name: "全域安全", Unit: ownArea}, auth.SecurityAdmin, "")))
	info, link, err := e.auth.AddUser(t.Context(), cli(), auth.NewAccount{Username: "xin", Name: "新人", Unit: ownArea}, auth.NewGrant{Role: auth.Viewer, Area: ownArea, Reason: "测试授权"})
	if err != nil {
		t.Fatal(err)
	}
	fresh, _, err := e.auth.AddUser(t.Context(), cli(), auth.NewAccount{Username: "wei.kai", Name: "未激活", Unit: ownArea}, auth.NewGrant{Role: auth.Viewer, Area: ownArea, Reason: "测试授权"})
	if err != nil {
		t.Fatal(err)
	}
	e.activate(link)
	var me struct{ ID string }
	e.json("/api/me", &me, whole...)
	grant := func(as []string, account, role, area string) int {
		return e.post("/api/grants", fmt.Sprintf(`{"account":%q,"role":%q,"area":%q,"reason":"测试越权"}`, account, role, area), as...).StatusCode
	}
	for name, got := range map[string][2]int{
		"the other county":           {grant(security, info.ID, "viewer", otherArea), 403},
		"the city above":             {grant(security, info.ID, "viewer", "9901"), 403},
		"everywhere":                 {grant(security, info.ID, "viewer", ""), 403},
		"an administrator":           {grant(security, info.ID, "admin", ownArea), 403},
		"himself":                    {grant(whole, me.ID, "commander", ownArea), 409},
		"two of the three":           {grant(whole, me.ID, "auditor", ""), 409},
		"a role that is none":        {grant(whole, info.ID, "god", ownArea), 422},
		"inside":                     {grant(security, info.ID, "planner", ownArea), 201},
		"a township inside":          {grant(security, info.ID, "grid_worker", "990100001"), 201},
		"an administrator, by whole": {grant(whole, info.ID, "admin", ""), 201},
		"an account nobody opened":   {grant(whole, fresh.ID, "auditor", ""), 409},
	} {
		if got[0] != got[1] {
			t.Errorf("granting %s: %d, want %d", name, got[0], got[1])
		}
	}
	token := func(as []string, body string) int { return e.post("/api/tokens", body, as...).StatusCode }
	for name, got := range map[string]int{
		"beyond the area":   token(security, `{"name":"x","role":"viewer","scopes":["read"],"area":"990200"}`),
		"everywhere":        token(security, `{"name":"x","role":"viewer","scopes":["read"],"area":""}`),
		"an administrator":  token(whole, `{"name":"x","role":"admin","scopes":["read"],"area":""}`),
		"more than himself": token(whole, `{"name":"x","role":"commander","scopes":["read","report"],"area":""}`),
		"a scope unknown":   token(whole, `{"name":"x","role":"viewer","scopes":["root"],"area":""}`),
		"a wall anywhere":   token(whole, `{"name":"x","role":"viewer","scopes":["wall"],"area":""}`),
	} {
		if got != 403 && got != 422 {
			t.Errorf("a token %s: %d", name, got)
		}
	}
}

// TestTwoPeople: rule sets, layers, and an order that goes at once.
func TestTwoPeople(t *testing.T) {
	e := start(t)
	both := e.person(auth.NewAccount{Username: "er.ren", Name: "二职", Unit: ownArea}, auth.DataEngineer, "")
	if _, err := e.auth.GrantRole(t.Context(), cli(), auth.NewGrant{Account: both.Account, Role: auth.Approver, Reason: "测试授权"}); err != nil {
		t.Fatal(err)
	}
	maker := session(e.activate(both))
	approver := session(e.activate(e.person(auth.NewAccount{Username: "shen.pi", Name: "审批", Unit: ownArea}, auth.Approver, "")))
	security := session(e.activate(e.person(auth.NewAccount{Username: "an.quan", Name: "安全", Unit: ownArea}, auth.SecurityAdmin, "")))

	r := e.post("/api/rule-sets/rainstorm_warning/versions", `{"body":{"x":{"y":[1]}},"standard":"测试 1-2026","reason":"测试新版本"}`, maker...)
	var rule struct{ Version int }
	if err := json.Unmarshal(r.body, &rule); err != nil || r.StatusCode != 201 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	verify := fmt.Sprintf("/api/rule-sets/rainstorm_warning/versions/%d/verify", rule.Version)
	e.wantProblem(e.post(verify, `{"note":"对照标准核实"}`, maker...), 403, "four_eyes")
	if r := e.post(verify, `{"note":"对照标准核实"}`, approver...); r.StatusCode != 200 {
		t.Errorf("verify: %d %s", r.StatusCode, r.body)
	}
	e.wantProblem(e.post(verify, `{"note":"对照标准核实"}`, approver...), 409, "already_verified")

	change := func(as []string, tag, body string) reply {
		return e.send("PATCH", "/api/layers/hazards", strings.NewReader(body), append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin", "If-Match", tag}, as...)...)
	}
	tag := e.get("/api/layers/hazards", security...).Header.Get("ETag")
	r = change(security, tag, `{"visibility":"public","reason":"公开隐患点"}`)
	var proposed struct {
		Decision struct {
			ID      string
			Version int
			State   string
		}
	}
	if err := json.Unmarshal(r.body, &proposed); err != nil || r.StatusCode != 202 || proposed.Decision.State != "proposed" {
		t.Fatalf("lowering the protection: %d %s", r.StatusCode, r.body)
	}
	e.wantProblem(e.get("/ogc/collections/hazards", nobody()...), 401, "not_signed_in")
	decide := func(as []string, to string) reply {
		return e.post("/api/decisions/"+proposed.Decision.ID+"/transitions", `{"to":"`+to+`"}`, append([]string{"If-Match", fmt.Sprintf(`"%d"`, proposed.Decision.Version)}, as...)...)
	}
	e.wantProblem(decide(security, "approved"), 403, "four_eyes")
	if r := decide(approver, "approved"); r.StatusCode != 200 {
		t.Fatalf("approve: %d %s", r.StatusCode, r.body)
	}
	waitFor(t, "the layer is public", func() bool { return e.get("/ogc/collections/hazards", nobody()...).StatusCode == 200 })
	tag = e.get("/api/layers/hazards", security...).Header.Get("ETag")
	if r := change(security, tag, `{"visibility":"sensitive","reason":"收紧保护"}`); r.StatusCode != 200 {
		t.Fatalf("raising the protection: %d %s", r.StatusCode, r.body)
	}
	waitFor(t, "the layer is hidden", func() bool { return e.get("/ogc/collections/hazards", nobody()...).StatusCode == 401 })

	order := e.post("/api/decisions", `{"action":"evacuate_now","area":"990100","text":"清河镇立即转移","consulted":{"name":"王带班","post":"副县长"},"reason":"溃口在即"}`)
	var sent struct {
		ID, State string
		Version   int
	}
	if err := json.Unmarshal(order.body, &sent); err != nil || order.StatusCode != 201 || sent.State != "pending_countersign" {
		t.Fatalf("an order: %d %s", order.StatusCode, order.body)
	}
	e.wantProblem(e.post("/api/decisions", `{"action":"evacuate_now","area":"990100","text":"x","consulted":{"name":""},"reason":"溃口在即"}`), 422, "invalid")
	e.wantProblem(e.post("/api/decisions", `{"action":"alert.public","area":"990100","text":"x","consulted":{"name":"王"},"reason":"溃口在即"}`), 422, "not_available")
	match := []string{"If-Match", fmt.Sprintf(`"%d"`, sent.Version)}
	if r := e.post("/api/decisions/"+sent.ID+"/transitions", `{"to":"countersigned"}`, match...); r.StatusCode != 403 {
		t.Errorf("one's own countersignature: %d %s", r.StatusCode, r.body)
	}
	if r := e.post("/api/decisions/"+sent.ID+"/transitions", `{"to":"countersigned"}`, append(match, approver...)...); r.StatusCode != 200 {
		t.Errorf("countersign: %d %s", r.StatusCode, r.body)
	}
}

// TestRefusalsAreWrittenDown, and cannot fill the disk.
func TestRefusalsAreWrittenDown(t *testing.T) {
	e := start(t)
	for range 60 {
		e.wantProblem(e.get("/api/users/template.xlsx"), 403, "forbidden")
	}
	auditor := session(e.activate(e.person(auth.NewAccount{Username: "shen.ji", Name: "审计", Unit: ownArea}, auth.Auditor, "")))
	var a struct {
		Entries []struct{ Actor, Action, Object, Outcome, Reason string }
	}
	e.json("/api/audit?action=access.refuse&outcome=refused&limit=200", &a, auditor...)
	if n := len(a.Entries); n < 20 || n > 40 { // the minute may turn once
		t.Errorf("%d of 60 refusals are written down, want 20 for a minute", n)
	}
	if x := a.Entries[0]; x.Actor != "zhang" || x.Object != "GET /api/users/template.xlsx" {
		t.Errorf("%+v", x)
	}
	r := e.get("/api/audit.csv?action=access", auditor...)
	if r.StatusCode != 200 || !strings.Contains(string(r.body), "审计 (shen.ji)") || !strings.HasPrefix(r.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("export: %d %v %.200s", r.StatusCode, r.Header, r.body)
	}
	e.json("/api/audit?action=audit.export", &a, auditor...)
	if len(a.Entries) != 1 {
		t.Errorf("the export is written down %d times", len(a.Entries))
	}
	if r := e.post("/api/audit/verify", "", append([]string{"Content-Type", ""}, auditor...)...); r.StatusCode != 200 || !strings.Contains(string(r.body), `"ok":true`) {
		t.Errorf("verify: %d %s", r.StatusCode, r.body)
	}
}

// TestAHundredWrongPasswords slow the guesser down and do not lock the owner out.
func TestAHundredWrongPasswords(t *testing.T) {
	var ahead atomic.Int64
	e := startClock(t, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	e.activate(e.person(auth.NewAccount{Username: "zhang", Name: "张值班", Unit: ownArea}, auth.DutyOfficer, ""))
	e.person(auth.NewAccount{Username: "guan", Name: "管理员", Unit: ownArea}, auth.Admin, "")
	statuses := map[int]int{}
	for i := range 100 {
		r := e.post("/api/session", fmt.Sprintf(`{"username":"zhang","password":"wrong-%d"}`, i), nobody()...)
		statuses[r.StatusCode]++
		if r.StatusCode == 429 && r.Header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	if statuses[401]+statuses[429] != 100 || statuses[429] < 80 {
		t.Errorf("answers %v", statuses)
	}
	good := `{"username":"zhang","password":"` + password + `"}`
	e.wantProblem(e.post("/api/session", good, nobody()...), 429, "throttled")
	ahead.Store(int64(16 * time.Minute))
	if r := e.post("/api/session", good, nobody()...); r.StatusCode != 200 {
		t.Errorf("the right password after the wait: %d %s", r.StatusCode, r.body)
	}
	t.Logf("answers to 100 wrong passwords: %v", statuses)
}

// TestTrustedProxy: what the proxy says holds, what anybody else says does not.
func TestTrustedProxy(t *testing.T) {
	e := start(t, func(o *api.Options) { o.TrustedProxy = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} })
	r := e.post("/api/session", `{"username":"zhang","password":"`+password+`"}`, nobody("X-Forwarded-For", "6.6.6.6, 9.9.9.9", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "map.example")...)
	if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Set-Cookie"), "__Host-onemap=") || r.Header.Get("Strict-Transport-Security") == "" {
		t.Fatalf("%d %v %s", r.StatusCode, r.Header, r.body)
	}
	var list struct {
		Sessions []struct {
			Current bool
			Peer    string
		}
	}
	value, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Set-Cookie"), "__Host-onemap="), ";")
	e.json("/api/sessions", &list, "Cookie", "__Host-onemap="+value, "X-Forwarded-Proto", "https", "X-Forwarded-For", "9.9.9.9")
	for _, s := range list.Sessions {
		if s.Current && s.Peer != "9.9.9.9" {
			t.Errorf("the session came from %s", s.Peer)
		}
	}
	if r := e.get("/metrics", nobody()...); r.StatusCode != 401 {
		t.Errorf("the proxy's machine is taken for this machine: %d", r.StatusCode)
	}
	var l struct{ Links []struct{ Href string } }
	e.json("/ogc", &l, "X-Forwarded-Proto", "https", "X-Forwarded-Host", "map.example", "Cookie", "__Host-onemap="+value)
	if !strings.HasPrefix(l.Links[0].Href, "https://map.example/") {
		t.Errorf("links go to %s", l.Links[0].Href)
	}
}

// TestAnswersAreSealed: headers on every answer, and nothing of a person in a cache.
func TestAnswersAreSealed(t *testing.T) {
	e := start(t)
	for path, public := range map[string]bool{"/": true, "/basemap/0/0/0.mvt": true, "/api/me": false, "/api/layers": false, "/tiles/hazards/3/6/3.mvt": false, "/ogc/collections/hazards/items": false, "/api/users": false, "/nope": false, "/api/roles": false} {
		r := e.get(path)
		h := r.Header
		cache := h.Get("Cache-Control")
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %v", path, h)
		}
		if !strings.Contains(path, ".mvt") && (!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("Referrer-Policy") == "" ||
			!strings.Contains(h.Get("Permissions-Policy"), "geolocation=(self)") || h.Get("Cross-Origin-Opener-Policy") == "") {
			t.Errorf("%s: %v", path, h)
		}
		if !public && !strings.Contains(cache, "no-store") && cache != "private, no-cache" {
			t.Errorf("%s may be kept by a cache: %q", path, cache)
		}
		if !public && r.StatusCode < 400 && !strings.Contains(strings.Join(h.Values("Vary"), ","), "Cookie") {
			t.Errorf("%s does not vary by who asks: %v", path, h.Values("Vary"))
		}
	}
	big := func(n int, headers ...string) reply {
		return e.send("POST", "/api/users/import", strings.NewReader(strings.Repeat("x", n)), append([]string{"Content-Type", string(api.BodyXLSX), "Sec-Fetch-Site", "same-origin"}, headers...)...)
	}
	admin := session(e.activate(e.person(auth.NewAccount{Username: "guan.er", Name: "管理二", Unit: ownArea}, auth.Admin, "")))
	if r := big(3<<20, admin...); r.StatusCode != 422 && r.StatusCode != 400 {
		t.Errorf("a sheet of 3 MB: %d %.200s", r.StatusCode, r.body)
	}
	if r := big(3<<20, nobody()...); r.StatusCode != 413 {
		t.Errorf("3 MB of nobody: %d", r.StatusCode)
	}
	resp, _ := e.raw("POST /api/users/import HTTP/1.1\r\nHost: localhost\r\nCookie: onemap=" + strings.TrimPrefix(admin[1], "onemap=") + "\r\nContent-Type: " + string(api.BodyXLSX) + "\r\nContent-Length: 6000000\r\n\r\n")
	if resp.StatusCode != 413 {
		t.Errorf("6 MB are announced: %d", resp.StatusCode)
	}
}
