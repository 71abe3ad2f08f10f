package api_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/valyala/fasthttp/fasthttputil"

	"onemap/census/dangers"
	"onemap/census/field"
	"onemap/census/resources"
	"onemap/incidents"
	"onemap/incidents/alarms"
	"onemap/incidents/alerts"
	"onemap/incidents/contingency"
	"onemap/incidents/evacuation"
	"onemap/incidents/papers"
	"onemap/incidents/response"
	"onemap/incidents/sensing"
	"onemap/internal/api"
	"onemap/internal/api/health"
	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/blobs"
	"onemap/internal/catalogue"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/internal/fallback"
	"onemap/internal/features"
	"onemap/internal/feed"
	"onemap/internal/gdal"
	"onemap/internal/impact"
	"onemap/internal/jobs"
	"onemap/internal/packs"
	"onemap/internal/pgtest"
	"onemap/internal/poll"
	"onemap/internal/registry"
	"onemap/internal/restricted"
	fieldsync "onemap/internal/sync"
	"onemap/internal/wmts"
	"onemap/shelters"
	"onemap/shelters/roadgraph"
	"onemap/static"
	"onemap/tiles"
	"onemap/tiles/basemap"
	"onemap/zoning"
)

// env is a whole server over a real database, as cmd wires it.
type env struct {
	t       testing.TB
	dsn     pgtest.DSNs
	db      *db.DB
	reg     *registry.Registry
	feed    *feed.Reader
	auth    *auth.Service
	audit   *audit.Log
	jobs    *jobs.Runner
	sync    *fieldsync.Service
	sensing *sensing.Service
	alarms  *alarms.Service
	roads   *roadgraph.Service
	server  *api.Server
	opts    api.Options
	mem     *fasthttputil.InmemoryListener
	client  *http.Client
	logs    *logs
	conn    *pgx.Conn // as the program itself would write
	cookie  string    // of the session the clients send, "" for none
}

// logs keeps what the server logged.
type logs struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// loopback is the address the clients in memory pretend to call from.
func loopback() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

// start serves a house that is set up; the clients are a duty officer's of everywhere,
// who sees every layer.
func start(t testing.TB, change ...func(*api.Options)) *env {
	t.Helper()
	return startDB(t, db.Options{}, change...)
}

func startDB(t testing.TB, pools db.Options, change ...func(*api.Options)) *env {
	t.Helper()
	e := startEmpty(t, pools, change...)
	e.person(auth.NewAccount{Username: "guan", Name: "管理员", Unit: "990100"}, auth.Admin, "")
	e.cookie = e.activate(e.person(auth.NewAccount{Username: "zhang", Name: "张值班", Unit: "990100"}, auth.DutyOfficer, ""))
	return e
}

// cli is the operator at the command line.
func cli() auth.By { return auth.By{CLI: true, Request: "test"} }

const password = "Onemap-Test-2026"

// person adds an account with a first grant, as the command line does.
func (e *env) person(n auth.NewAccount, role auth.Role, area string) auth.Activation {
	e.t.Helper()
	_, link, err := e.auth.AddUser(e.t.Context(), cli(), n, auth.NewGrant{Role: role, Area: area, Reason: "测试授权"})
	if err != nil {
		e.t.Fatalf("add %s: %v", n.Username, err)
	}
	return link
}

// activate chooses the password and opens a session.
func (e *env) activate(link auth.Activation) (cookie string) {
	e.t.Helper()
	o, err := e.auth.Activate(e.t.Context(), auth.By{Identity: e.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1"), Request: "test"}, link.Token, password)
	if err != nil {
		e.t.Fatalf("activate %s: %v", link.Username, err)
	}
	return o.Cookie
}

// asker sends the session of the environment with every request that brings no
// credential of its own. The header As: nobody leaves it out.
type asker struct {
	http.RoundTripper
	e *env
}

func (a asker) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("As") == "nobody" || a.e.cookie == "" || req.Header.Get("Cookie") != "" || req.Header.Get("Authorization") != "" {
		req.Header.Del("As")
		return a.RoundTripper.RoundTrip(req)
	}
	name := "onemap"
	if req.URL.Scheme == "https" {
		name = "__Host-onemap"
	}
	req = req.Clone(req.Context())
	req.Header.Set("Cookie", name+"="+a.e.cookie)
	return a.RoundTripper.RoundTrip(req)
}

// startEmpty serves a house without accounts.
func startEmpty(t testing.TB, pools db.Options, change ...func(*api.Options)) *env {
	t.Helper()
	return startAll(t, pools, nil, change...)
}

// startClock is startEmpty where signing in goes by another clock.
func startClock(t testing.TB, clock func() time.Time) *env {
	t.Helper()
	return startAll(t, db.Options{}, clock)
}

func startAll(t testing.TB, pools db.Options, clock func() time.Time, change ...func(*api.Options)) *env {
	t.Helper()
	e := &env{t: t, dsn: pgtest.Database(t), logs: &logs{}}
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pools.DSN = e.dsn.App
	e.db, err = db.Open(t.Context(), pools)
	must(err)
	t.Cleanup(e.db.Close)
	e.reg, err = registry.Open(t.Context(), e.db.Query)
	must(err)
	logger := slog.New(slog.NewTextHandler(e.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e.feed, err = feed.Open(t.Context(), e.db, feed.Options{Logger: logger})
	must(err)
	engine, err := tiles.New(tiles.Options{DB: e.db, Registry: e.reg, Feed: e.feed, Logger: logger})
	must(err)
	store, err := features.Open(e.db)
	must(err)
	checker, err := health.Open(e.db)
	must(err)
	site, err := static.Load()
	must(err)
	ground, err := basemap.Open()
	must(err)
	e.auth, err = auth.Open(t.Context(), auth.Options{DB: e.db, Catalogue: e.reg, Logger: logger, Now: clock})
	must(err)
	e.audit, err = audit.Open(audit.Options{DB: e.db, Logger: logger})
	must(err)
	editor, err := catalogue.Open(e.db)
	must(err)
	contacts, err := restricted.Open(e.db)
	must(err)
	var ledger *decision.Ledger
	callUp, err := evacuation.Open(evacuation.Options{DB: e.db, Catalogue: e.reg, Logger: logger, Now: clock, Order: func(ctx context.Context, by auth.By, o decision.Order) (decision.Decision, error) {
		return ledger.Emergency(ctx, by, o)
	}})
	must(err)
	effects := editor.Effects()
	maps.Copy(effects, callUp.Effects())
	ledger, err = decision.Open(decision.Options{DB: e.db, Effects: effects})
	must(err)
	plans, err := zoning.Open(zoning.Options{DB: e.db, Catalogue: e.reg, Logger: logger, Now: clock})
	must(err)
	e.jobs, err = jobs.Open(jobs.Options{DB: e.db, Logger: logger, Explain: api.ExplainJob})
	must(err)
	tools, err := gdal.New(gdal.Options{})
	if err != nil {
		tools = nil // the tests that need it say so
	}
	work, err := field.Open(field.Options{DB: e.db, Catalogue: e.reg, Contacts: contacts, Logger: logger, Now: clock})
	must(err)
	reports, err := incidents.Open(incidents.Options{DB: e.db, Catalogue: e.reg, Logger: logger, Now: clock})
	must(err)
	var dangerLoop *dangers.Service
	photos, err := blobs.Open(blobs.Options{DB: e.db, Dir: t.TempDir(), Catalogue: e.reg, Kinds: map[string]blobs.Source{"tasks": {Readable: work.Readable}, "incident_reports": {Readable: reports.Readable},
		"dangers": {Table: "dangers", Visibility: db.Internal, Also: func(ctx context.Context, who *auth.Identity, id string) (bool, error) {
			return dangerLoop.Readable(ctx, who, id)
		}}}, MinFree: 1, Logger: logger})
	must(err)
	offline, err := packs.New(packs.Options{DB: e.db, Tiles: engine, Catalogue: e.reg, Dir: t.TempDir(), Logger: logger})
	must(err)
	dangerLoop, err = dangers.Open(dangers.Options{DB: e.db, Catalogue: e.reg, Blobs: photos, Logger: logger, Now: clock})
	must(err)
	kinds := append(work.Kinds(), dangerLoop.Kind(), reports.Kind(), callUp.Kind())
	e.sync, err = fieldsync.New(fieldsync.Options{DB: e.db, Feed: e.feed, Catalogue: e.reg, Kinds: kinds, Downs: append(work.Downs(), callUp.Down()), Blobs: photos, Logger: logger, Now: clock})
	must(err)
	relief, err := shelters.Open(shelters.Options{DB: e.db, Catalogue: e.reg, Logger: logger, Now: clock})
	must(err)
	forces, err := resources.Open(resources.Options{DB: e.db, Catalogue: e.reg, Logger: logger, Now: clock})
	must(err)
	packages, err := fallback.Open(fallback.Options{DB: e.db, Catalogue: e.reg, Contacts: contacts, KeyFile: t.TempDir() + "/fallback.key", Dir: t.TempDir(), Logger: logger, Now: clock})
	must(err)
	gauges, err := sensing.Open(sensing.Options{DB: e.db, Catalogue: e.reg, Poll: poll.New(e.reg, logger), Logger: logger, Now: clock})
	must(err)
	bells, err := alarms.Open(alarms.Options{DB: e.db, Catalogue: e.reg, Logger: logger, Now: clock})
	must(err)
	e.sensing, e.alarms = gauges, bells
	warnings, err := alerts.Open(alerts.Options{DB: e.db, Catalogue: e.reg, Dir: t.TempDir(), Logger: logger, Now: clock})
	must(err)
	orders, err := response.Open(response.Options{DB: e.db, Catalogue: e.reg, Now: clock})
	must(err)
	clauses, err := contingency.Open(contingency.Options{DB: e.db, Catalogue: e.reg, Now: clock})
	must(err)
	writing, err := papers.Open(papers.Options{DB: e.db, Catalogue: e.reg, Now: clock})
	must(err)
	roads, err := roadgraph.Open(roadgraph.Options{DB: e.db, Catalogue: e.reg, Logger: logger})
	must(err)
	inside, err := impact.Open(impact.Options{DB: e.db, Catalogue: e.reg, Roads: roads, Logger: logger, Waiting: 64, Patience: 15 * time.Second})
	must(err)
	e.roads = roads
	e.opts = api.Options{
		Impact: inside, Ways: roads,
		Responses: orders, Contingency: clauses, Papers: writing,
		Alerts:  warnings,
		Sensing: gauges, Alarms: bells,
		Evacuation: callUp,
		Shelters:   relief, Resources: forces, Fallback: packages,
		Sync:    e.sync,
		Dangers: dangerLoop, Blobs: photos, Packs: offline, Work: work, Reports: reports, Incidents: reports,
		GDAL:   tools,
		Zoning: plans, Jobs: e.jobs,
		DB: e.db, Auth: e.auth, Audit: e.audit, Editor: editor, Contacts: contacts, Decisions: ledger, Catalogue: e.reg, Feed: e.feed, Tiles: engine, Features: store, Site: site, Basemap: ground, Basemaps: wmts.New(wmts.Options{Catalogue: e.reg}), Health: checker,
		Version: "test", Logger: logger,
	}
	for _, c := range change {
		c(&e.opts)
	}
	e.server, err = api.New(e.opts)
	must(err)
	e.feed.OnBatch("registry", func(ctx context.Context, b feed.Batch) {
		for _, c := range b.Changes {
			if c.Layer == feed.CatalogueChanged || c.Layer == feed.RegistryChanged {
				_ = e.reg.Reload(ctx)
				return
			}
		}
	})
	e.feed.OnBatch("auth", e.auth.Changed)
	e.feed.OnBatch("tiles", engine.Invalidate)
	e.feed.OnBatch("packs", offline.Changed)
	e.feed.OnBatch("roads", roads.Changed)
	e.feed.OnBatch("live", e.server.Deliver)

	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = e.feed.Run(ctx) })
	wg.Go(func() { _ = e.auth.Run(ctx) })
	wg.Go(func() { _ = e.jobs.Run(ctx) })
	wg.Go(func() { _ = offline.Run(ctx) })
	wg.Go(func() { _ = roads.Run(ctx) })
	e.mem = fasthttputil.NewInmemoryListener()
	wg.Go(func() { _ = e.server.Serve(ctx, e.mem) })
	e.client = &http.Client{
		Transport: asker{&http.Transport{
			DialContext:        func(context.Context, string, string) (net.Conn, error) { return e.mem.DialWithLocalAddr(loopback()) },
			DisableCompression: true,
		}, e},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       20 * time.Second,
	}
	t.Cleanup(func() {
		e.client.CloseIdleConnections()
		stop, done := context.WithTimeout(context.Background(), 5*time.Second)
		defer done()
		_ = e.server.Shutdown(stop)
		cancel()
		wg.Wait()
	})
	e.conn = pgtest.Writer(t, e.dsn.App)
	return e
}

// reply is a response with its body read.
type reply struct {
	*http.Response
	body []byte
}

func (e *env) do(method, target string, headers ...string) reply {
	e.t.Helper()
	return e.send(method, target, nil, headers...)
}

// post sends a JSON body as a page of ours does.
func (e *env) post(target, body string, headers ...string) reply {
	e.t.Helper()
	return e.send("POST", target, strings.NewReader(body), append([]string{"Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"}, headers...)...)
}

func (e *env) send(method, target string, content io.Reader, headers ...string) reply {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, "http://localhost"+target, content)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if strings.EqualFold(headers[i], "Host") {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := e.client.Do(req)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, target, err)
	}
	e.validate(req, resp, body)
	return reply{resp, body}
}

func (e *env) get(target string, headers ...string) reply {
	e.t.Helper()
	return e.do("GET", target, headers...)
}

// json decodes a reply that must be 200.
func (e *env) json(target string, into any, headers ...string) reply {
	e.t.Helper()
	r := e.get(target, headers...)
	if r.StatusCode != 200 {
		e.t.Fatalf("GET %s: %d %s", target, r.StatusCode, r.body)
	}
	if err := json.Unmarshal(r.body, into); err != nil {
		e.t.Fatalf("GET %s: %v in %s", target, err, r.body)
	}
	return r
}

// wantProblem checks the document, and that it tells nothing of the inside.
func (e *env) wantProblem(r reply, status int, code string) {
	e.t.Helper()
	var d struct {
		Type, Title, Code, Detail, Instance string
		Status                              int
	}
	if r.StatusCode != status {
		e.t.Errorf("%s: status %d, want %d: %s", r.Request.URL, r.StatusCode, status, r.body)
		return
	}
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/problem+json") {
		e.t.Errorf("%s: content type %q", r.Request.URL, ct)
	}
	if err := json.Unmarshal(r.body, &d); err != nil {
		e.t.Errorf("%s: %v in %s", r.Request.URL, err, r.body)
		return
	}
	if d.Code != code || d.Status != status || d.Title == "" || d.Detail == "" || d.Instance == "" || d.Type == "" {
		e.t.Errorf("%s: problem %s, want code %s", r.Request.URL, r.body, code)
	}
	for _, leak := range []string{"SELECT", "select ", "goroutine", ".go:", "pgx", "SQLSTATE", "ERROR:"} {
		if strings.Contains(string(r.body), leak) {
			e.t.Errorf("%s: the problem shows %q: %s", r.Request.URL, leak, r.body)
		}
	}
}

func (e *env) exec(sql string, args ...any) {
	e.t.Helper()
	if _, err := e.conn.Exec(e.t.Context(), sql, args...); err != nil {
		e.t.Fatalf("%s: %v", sql, err)
	}
}

// settle waits until this node delivered everything committed so far.
func (e *env) settle() {
	e.t.Helper()
	var xid uint64
	if err := e.conn.QueryRow(e.t.Context(), `select pg_current_xact_id()`).Scan(&xid); err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(e.t.Context(), 20*time.Second)
	defer cancel()
	if err := e.feed.WaitFor(ctx, feed.Position{Xid: xid}); err != nil {
		e.t.Fatalf("the feed did not settle: %v", err)
	}
}

// county puts a few rows of several layers around 119.25, 34.15.
func (e *env) county() {
	e.t.Helper()
	e.exec(`insert into dataset (name, title, source_dept, source_date) values ('test', '测试数据', '应急管理局', '2026-05-01')`)
	e.exec(`insert into admin (dataset, source_key, code, admin_code, name, rank, parent_code, geom)
		select d.id, v.code, v.code, v.code, v.name, v.rank, case when v.rank = 4 then '990100' end, st_setsrid(st_makeenvelope(v.x0, v.y0, v.x1, v.y1), 4490)
		from dataset d, (values ('990100', '示例县', 3, 119.0, 34.0, 119.6, 34.4), ('990100001', '清河镇', 4, 119.0, 34.0, 119.3, 34.4), ('990100002', '王家山乡', 4, 119.3, 34.0, 119.6, 34.4)) v(code, name, rank, x0, y0, x1, y1)
		where d.name = 'test'`)
	e.exec(`insert into admin_alias (admin_code, alias, kind) values ('990100001', '老清河', 'former_name')`)
	e.exec(`insert into hazards (dataset, source_key, code, name, hazard, level, threatened_persons, geom)
		select d.id, 'h' || i, 'DZ' || lpad(i::text, 4, '0'), '清河滑坡' || i, case when i % 2 = 0 then 'landslide' else 'collapse' end, 1 + i % 4, i * 10,
		st_setsrid(st_makepoint(119.225 + i * 0.001, 34.15), 4490) from generate_series(1, 30) i, dataset d where d.name = 'test'`)
	e.exec(`insert into shelters (code, name, class, capacity, geom) values
		('BN001', '清河中学', 'long', 800, st_setsrid(st_makepoint(119.25, 34.15), 4490)),
		('BN002', '清河镇中心小学', 'short', 300, null)`)
	e.exec(`insert into hazard_areas (name, hazard, level, geom) values
		('清河滑坡影响区', 'landslide', 1, st_setsrid(st_makeenvelope(119.24, 34.14, 119.26, 34.16), 4490))`)
	e.exec(`insert into incidents (code, name, kind, level, occurred_at, geom) values
		('SJ1', '王家山山洪', 'flood', 2, '2026-06-01 08:00+08', st_setsrid(st_makepoint(119.4, 34.2), 4490)),
		('SJ2', '清河内涝', 'waterlogging', 3, '2026-07-01 08:00+08', st_setsrid(st_makepoint(119.25, 34.15), 4490))`)
	e.exec(`insert into zones (name, kind, level, published, geom) values
		('草稿区', 'risk', 1, false, st_setsrid(st_makeenvelope(119.24, 34.14, 119.26, 34.16), 4490))`)
	e.settle()
}

// admin runs statements as superuser.
func (e *env) admin() func(sql string) {
	conn := pgtest.Connect(e.t, e.dsn.Admin)
	return func(sql string) {
		e.t.Helper()
		if _, err := conn.Exec(e.t.Context(), sql); err != nil {
			e.t.Fatalf("%s: %v", sql, err)
		}
	}
}

// waitFor polls for what another goroutine brings about.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}
