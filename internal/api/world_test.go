package api_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/internal/pgtest"
)

// The two counties of the matrix. Everybody who asks belongs to the first.
const (
	ownArea   = "990100"
	otherArea = "990200"
	noArea    = "990999"
	noID      = "01a1ffb1-d369-7ca3-86f4-1eda4871e9a6"
)

// who is one asker of the matrix.
type who struct {
	name    string
	role    auth.Role // "" without one
	kind    auth.Kind
	area    string
	scopes  []string
	limited bool
	headers []string
}

func (a who) signedIn() bool { return a.kind != auth.Anonymous && a.kind != auth.Demo && !a.limited }
func (a who) person() bool   { return a.kind == auth.Session || a.kind == auth.Device }
func (a who) reads() bool    { return a.kind != auth.Token || slices.Contains(a.scopes, "read") }

// may reads the table of rights. No token manages anything.
func (a who) may(p auth.Permission) bool {
	if a.kind == auth.Token { // it acts only through what its scopes name
		return a.role.May(p) && (p == auth.WriteFeatures && slices.Contains(a.scopes, "report") || p == auth.IngestObservations && slices.Contains(a.scopes, "ingest"))
	}
	return a.signedIn() && a.person() && a.role.May(p)
}

// sees computes from the table of rights, not from the program's reach, whether the
// asker may see rows of a layer with this visibility in a county.
func (a who) sees(visibility, county string) bool {
	if a.kind == auth.Demo {
		return false // none of these rows is of a demo data set
	}
	if visibility == db.Public {
		return !a.limited && (a.reads() || !a.signedIn())
	}
	info, ok := a.role.Info()
	if !ok || !a.signedIn() || !a.reads() || a.area != "" && a.area != county {
		return false
	}
	return info.Reads == db.Sensitive || info.Reads == db.Internal && visibility == db.Internal
}

// seesLayer says whether a layer exists for the asker at all.
func (a who) seesLayer(visibility string) bool {
	if a.kind == auth.Demo {
		return true
	}
	return a.sees(visibility, a.area) || a.area == "" && a.sees(visibility, ownArea)
}

// mark is a text that stands in one row of one county and nowhere else. seen says who
// may ever read it, whatever he asks.
type mark struct {
	text string
	what string
	seen func(who) bool
}

// world is a house with two counties in which everything is marked.
type world struct {
	*env
	askers []who
	danger dangerMarks
	marks  []mark

	foreign                      who // a duty officer of the other county
	wide                         who // one of everywhere
	spare, other                 auth.AccountInfo
	spareGrant, otherGrant       string
	spareToken, otherToken       string
	spareSession, otherSession   string
	ownDecision, otherDecision   string
	ownContact, otherContact     string
	ownPlan, otherPlan           string // drafts
	ownZone, otherZone           string
	ownJob, otherJob             string
	ownPhoto, otherPhoto         string // names
	ownItem, otherItem           string // hazards
	ownSensitive, otherSensitive string // hazard_areas
	from                         string // position before the rows
	before                       time.Time
	rows                         map[string][2]int // rows per layer: own, other
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) identity(cookie string) auth.By {
	w.t.Helper()
	id, err := w.auth.Identify(w.t.Context(), auth.Credential{Cookie: cookie, Peer: netip.MustParseAddr("127.0.0.1")})
	w.must(err)
	return auth.By{Identity: id, Peer: netip.MustParseAddr("127.0.0.1"), Request: "test"}
}

func session(cookie string) []string { return []string{"Cookie", "onemap=" + cookie} }

func (w *world) add(text, what string, seen func(who) bool) {
	w.marks = append(w.marks, mark{text, what, seen})
}

// build makes accounts of every role, tokens of every scope, a wall, a phone, and
// marked rows of everything in both counties.
func build(t testing.TB) *world {
	t.Helper()
	w := &world{env: startEmpty(t, db.Options{}), rows: map[string][2]int{}}
	admin := w.admin()
	admin(`select layer_set_visibility('shelters', 'public')`)
	admin(`select layer_set_visibility('hazard_areas', 'sensitive')`)
	w.geography()
	w.people()
	w.everythingElse()
	w.plans()
	w.dangers()
	w.fieldWork()
	w.relief()
	w.gauges()
	w.incidents()
	w.responses()
	w.alerts()
	w.evacuation()
	w.cases()
	w.photos()
	w.settle()
	w.must(w.reg.Reload(t.Context()))
	return w
}

func (w *world) geography() {
	w.exec(`insert into dataset (name, title) values ('matrix', '矩阵')`)
	w.exec(`insert into admin (dataset, source_key, code, admin_code, name, rank, geom)
		select d.id, v.code, v.code, v.code, v.name, 3, st_setsrid(st_makeenvelope(v.x0, 34.0, v.x1, 34.4), 4490)
		from dataset d, (values ('990100', '甲县', 119.0, 119.6), ('990200', 'QZADMIN2', 120.0, 120.6)) v(code, name, x0, x1)`)
	// The name of a unit stands beside grants over it; its row is of an internal layer.
	w.add("QZADMIN2", "the outline of the other county", func(a who) bool { return a.sees(db.Internal, otherArea) })
	w.from = w.feed.State().Position.String()
	w.settle()
	w.from = w.feed.State().Position.String()
	for i, county := range []struct {
		code, tag string
		x         float64
	}{{ownArea, "1", 119.25}, {otherArea, "2", 120.25}} {
		n := 3 + i*4
		for _, l := range []struct{ layer, mark, visibility, sql string }{
			{"shelters", "QZPUBLIC", db.Public, `insert into shelters (code, name, class, capacity, geom) select $1 || i, $1 || i || '避难', 'long', 10, st_setsrid(st_makepoint($2, 34.15), 4490) from generate_series(1, $3) i`},
			{"hazards", "QZINTERNAL", db.Internal, `insert into hazards (code, name, hazard, level, geom) select $1 || 'old' || i, $1 || 'old' || i || '滑坡', 'landslide', 1, st_setsrid(st_makepoint($2, 34.15), 4490) from generate_series(1, $3) i`},
			{"hazard_areas", "QZSENSITIVE", db.Sensitive, `insert into hazard_areas (name, hazard, level, geom) select $1 || i || '影响区', 'landslide', 1, st_setsrid(st_makeenvelope($2 - 0.01, 34.14, $2 + 0.01, 34.16), 4490) from generate_series(1, $3) i`},
		} {
			text := l.mark + county.tag + "x"
			w.exec(l.sql, text, county.x, n)
			code, visibility := county.code, l.visibility
			w.add(text, l.layer+" of "+code, func(a who) bool { return a.sees(visibility, code) })
			counts := w.rows[l.layer]
			counts[i] = n
			w.rows[l.layer] = counts
		}
	}
	w.settle()
	w.before = time.Now()
	time.Sleep(5 * time.Millisecond)
	// History: the rows had other names before, which nobody new may learn of.
	w.exec(`update hazards set name = replace(name, 'old', 'now')`)
	for tag, into := range map[string]*[2]string{"1": {}, "2": {}} {
		w.must(w.conn.QueryRow(w.t.Context(), `select id::text from hazards where code = $1`, "QZINTERNAL"+tag+"xold1").Scan(&into[0]))
		w.must(w.conn.QueryRow(w.t.Context(), `select id::text from hazard_areas where name = $1`, "QZSENSITIVE"+tag+"x1影响区").Scan(&into[1]))
		if tag == "1" {
			w.ownItem, w.ownSensitive = into[0], into[1]
		} else {
			w.otherItem, w.otherSensitive = into[0], into[1]
		}
	}
}

func (w *world) people() {
	t := w.t
	account := func(username, name, unit string, role auth.Role, area string) (auth.AccountInfo, auth.Activation) {
		t.Helper()
		info, link, err := w.auth.AddUser(t.Context(), cli(), auth.NewAccount{Username: username, Name: name, Unit: unit, Department: name}, auth.NewGrant{Role: role, Area: area, Reason: name + "授权"})
		w.must(err)
		return info, link
	}
	w.askers = append(w.askers, who{name: "anonymous", kind: auth.Anonymous, headers: []string{"As", "nobody"}})
	for _, r := range auth.Roles() {
		_, link := account(strings.ReplaceAll(string(r.Role), "_", ".")+".one", "甲"+r.Title.ZH, ownArea, r.Role, ownArea)
		w.askers = append(w.askers, who{name: string(r.Role), role: r.Role, kind: auth.Session, area: ownArea, headers: session(w.activate(link))})
	}
	_, link := account("wide.officer", "全域值班", ownArea, auth.DutyOfficer, "")
	w.wide = who{name: "duty_officer of everywhere", role: auth.DutyOfficer, kind: auth.Session, headers: session(w.activate(link))}
	w.askers = append(w.askers, w.wide)
	_, link = account("expired.officer", "甲过期", ownArea, auth.DutyOfficer, ownArea)
	w.askers = append(w.askers, who{name: "limited session", role: auth.DutyOfficer, kind: auth.Session, area: ownArea, limited: true, headers: session(w.activate(link))})

	// The other county's people, whom nobody of the first may know of.
	o, link := account("qzuser2", "QZUSER2x", otherArea, auth.Viewer, otherArea)
	w.other = o
	w.otherGrant = o.Grants[0].ID
	inOther := func(perms ...auth.Permission) func(who) bool {
		return func(a who) bool { return a.area == "" && slices.ContainsFunc(perms, a.may) }
	}
	people := inOther(auth.ManageAccounts, auth.ManageGrants, auth.EnrolDevices)
	w.add("QZUSER2x", "a person of the other county", people)
	w.add("qzuser2", "a user name of the other county", people)
	w.add(o.ID, "an account of the other county", people)
	opened, err := w.auth.Activate(t.Context(), auth.By{Identity: w.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1"), Agent: "QZAGENT2x"}, link.Token, password)
	w.must(err)
	w.add("QZAGENT2x", "a session of the other county", inOther(auth.ManageAccounts))
	w.otherSession = opened.Identity.ID
	_, link = account("qzofficer2", "QZOFFICER2x", otherArea, auth.DutyOfficer, otherArea)
	w.foreign = who{name: "duty_officer of the other county", role: auth.DutyOfficer, kind: auth.Session, area: otherArea, headers: session(w.activate(link))}
	w.add("QZOFFICER2x", "an officer of the other county", func(a who) bool { return a.area == "" && a.signedIn() && a.person() })

	// Somebody of the first county to do things to.
	s, link := account("spare.one", "甲备用", ownArea, auth.Viewer, ownArea)
	w.spare = s
	w.spareGrant = s.Grants[0].ID
	w.spareSession = w.identity(w.activate(link)).ID

	token := func(name string, role auth.Role, area, network string, scopes ...string) (auth.TokenInfo, string) {
		t.Helper()
		info, secret, err := w.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: name, Role: role, Area: area, Scopes: scopes, Network: network})
		w.must(err)
		return info, secret
	}
	for _, scope := range []string{"read", "report", "ingest"} {
		_, secret := token("甲程序"+scope, auth.DutyOfficer, ownArea, "", scope)
		w.askers = append(w.askers, who{name: "token " + scope, role: auth.DutyOfficer, kind: auth.Token, area: ownArea, scopes: []string{scope}, headers: []string{"Authorization", "Bearer " + secret}})
	}
	_, wall := token("甲大屏", auth.Viewer, ownArea, "127.0.0.0/8", "wall")
	screen, err := w.auth.OpenWall(t.Context(), auth.By{Identity: w.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1")}, wall)
	w.must(err)
	w.askers = append(w.askers, who{name: "wall", role: auth.Viewer, kind: auth.Wall, area: ownArea, headers: session(screen.Cookie)})

	worker, _ := account("phone.one", "甲网格员二", ownArea, auth.GridWorker, ownArea)
	code, _, err := w.auth.CreateEnrolment(t.Context(), cli(), worker.ID)
	w.must(err)
	const phoneID = "01a1ffb1-d369-7ca3-86f4-000000000001"
	phone, err := w.auth.Enrol(t.Context(), auth.By{Identity: w.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1")}, code, phoneID, "甲手机")
	w.must(err)
	w.askers = append(w.askers, who{name: "device", role: auth.GridWorker, kind: auth.Device, area: ownArea, headers: append(session(phone.Cookie), "Onemap-Device", phoneID)})

	own, _ := token("甲备用令牌", auth.Viewer, ownArea, "", "read")
	foreign, _ := token("QZTOKEN2x", auth.Viewer, otherArea, "", "read")
	w.spareToken, w.otherToken = own.ID, foreign.ID
	w.add("QZTOKEN2x", "a token of the other county", inOther(auth.ManageTokens))

	// The limited session: its password expired.
	admin := pgtest.Connect(t, w.dsn.Admin)
	_, err = admin.Exec(t.Context(), `update auth.credential c set changed_at = now() - interval '400 days' from auth.account a where a.id = c.account and a.username = 'expired.officer'`)
	w.must(err)
	waitFor(t, "the password expired", func() bool {
		cookie := strings.TrimPrefix(w.named("limited session").headers[1], "onemap=")
		id, err := w.auth.Identify(t.Context(), auth.Credential{Cookie: cookie, Peer: netip.MustParseAddr("127.0.0.1")})
		return err == nil && id.Limited != ""
	})
}

func (w *world) named(name string) who {
	i := slices.IndexFunc(w.askers, func(a who) bool { return a.name == name })
	if i < 0 {
		w.t.Fatalf("nobody is called %s", name)
	}
	return w.askers[i]
}

func (w *world) everythingElse() {
	t := w.t
	for i, c := range []struct{ area, id, contact string }{{ownArea, "1", "0b"}, {otherArea, "2", "0c"}} {
		responsibility, contact := "01900000-0000-7000-8000-0000000000"+c.contact, "01900000-0000-7000-8000-0000000001"+c.contact
		w.exec(`insert into responsibility (id, kind, admin_code, scope, unit, person) values ($1, 'patrol', $2, code_scope($2), '镇', $3)`, responsibility, c.area, "QZCONTACT"+c.id+"x")
		w.exec(`insert into restricted.contact (id, responsibility, phone) values ($1, $2, $3)`, contact, responsibility, "1380000999"+c.id)
		if i == 0 {
			w.ownContact = contact
		} else {
			w.otherContact = contact
		}
	}
	w.add("QZCONTACT2x", "a contact of the other county", func(a who) bool { return a.sees(db.Internal, otherArea) })
	w.add("13800009992", "a telephone of the other county", func(a who) bool { return a.may(auth.Reveal) && a.area == "" })

	order := func(a who, area, text string) string {
		by := w.identity(strings.TrimPrefix(a.headers[1], "onemap="))
		d, err := w.opts.Decisions.Emergency(t.Context(), by, decision.Order{Action: decision.CallOut, Area: area, Text: text, Reason: text + "理由", Consulted: decision.Consulted{Name: "带班领导"}})
		w.must(err)
		return d.ID
	}
	w.ownDecision = order(w.named("duty_officer"), ownArea, "甲县叫应")
	w.otherDecision = order(w.foreign, otherArea, "QZORDER2x")
	w.add("QZORDER2x", "an order of the other county", func(a who) bool { return (a.area == "" || a.area == otherArea) && a.signedIn() && a.person() })

	err := w.db.Intake.Tx(t.Context(), db.System("test"), func(tx pgx.Tx) error {
		return audit.Record(t.Context(), tx, audit.Entry{Doer: audit.Doer{Actor: "qzactor2", Kind: "session"}, Action: "test.mark", Object: "QZAUDIT2x", Area: otherArea, Reason: "QZAUDIT2x", Outcome: audit.Done})
	})
	w.must(err)
	w.add("QZAUDIT2x", "an entry of the other county's audit", func(a who) bool { return a.may(auth.ReadAudit) && a.area == "" })
}

// leaks names what an answer shows that its asker may not see.
func (w *world) leaks(a who, r reply) []string {
	body := string(r.body)
	for _, v := range r.Header {
		body += "\n" + strings.Join(v, "\n")
	}
	if r.Request != nil && r.Request.URL != nil {
		// What the asker said himself is no news.
		body = strings.ReplaceAll(body, r.Request.URL.Path, "")
	}
	var out []string
	for _, m := range w.marks {
		if strings.Contains(body, m.text) && !m.seen(a) {
			out = append(out, fmt.Sprintf("%s (%s)", m.text, m.what))
		}
	}
	return out
}

// as asks for somebody.
func (w *world) as(a who, method, target, body string, headers ...string) reply {
	w.t.Helper()
	all := append([]string{"Host", "map.example", "Sec-Fetch-Site", "same-origin"}, a.headers...)
	all = append(all, headers...)
	if body == "" {
		return w.send(method, target, nil, all...)
	}
	return w.send(method, target, strings.NewReader(body), append([]string{"Content-Type", "application/json"}, all...)...)
}

// same compares two refusals: nothing but the number of the request may differ.
func same(a, b reply) bool {
	strip := func(r reply) string {
		s := string(r.body)
		if i := strings.Index(s, `"instance":"`); i >= 0 {
			if j := strings.IndexByte(s[i+12:], '"'); j >= 0 {
				s = s[:i] + s[i+12+j:]
			}
		}
		return s
	}
	drop := func(h http.Header) string {
		h = h.Clone()
		h.Del("Date")
		h.Del("Content-Length")
		h.Del("Onemap-Seq")
		var names []string
		for k, v := range h {
			names = append(names, k+"="+strings.Join(v, ","))
		}
		slices.Sort(names)
		return strings.Join(names, "\n")
	}
	return a.StatusCode == b.StatusCode && strip(a) == strip(b) && drop(a.Header) == drop(b.Header)
}
