package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// The model test of what devices send: phones that mark, edit, delete, lose their
// connection, send twice and out of order, have wrong clocks, lose their sign-in and
// their grid, against the real program, which is killed meanwhile. At the end every
// acknowledged operation is in the log once, what was kept for a person is at a desk, and
// every phone has what the server has.

const modelPassword = "Onemap-Test-2026"

// modelRounds is how long it goes on: short in go test, long with ONEMAP_SOAK=1.
func modelRounds() (devices, rounds, kills int) {
	if os.Getenv("ONEMAP_SOAK") == "1" {
		return 12, 4000, 25
	}
	return 5, 150, 2
}

type modelOp struct {
	body   map[string]any
	id     string
	object string
	seq    int
	acked  string // the last verdict, "" for none
}

type modelPhone struct {
	w        *modelWorld
	user     string
	device   string
	cookie   string
	seq      int
	outbox   []*modelOp // not acknowledged, in order
	done     []*modelOp
	since    string
	records  map[string]modelRecord
	clockOff time.Duration
}

type modelRecord struct {
	Kind     string                     `json:"kind"`
	ID       string                     `json:"id"`
	Op       string                     `json:"op"`
	Version  int64                      `json:"version"`
	Fields   map[string]json.RawMessage `json:"fields"`
	Geometry json.RawMessage            `json:"geometry"`
}

type modelWorld struct {
	t      *testing.T
	rng    *rand.Rand
	dsn    pgtest.DSNs
	data   string
	auth   *auth.Service
	admin  *pgx.Conn
	server *server
	phones []*modelPhone
	grants map[string]string // user -> grid he holds
	n      int
	tally  map[string]int
}

var modelGrids = map[string][4]float64{
	"990100101001001": {110.0, 30.0, 110.1, 30.1},
	"990100101001002": {110.1, 30.0, 110.2, 30.1},
}

func (w *modelWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *modelWorld) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.admin.Exec(context.Background(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

func (w *modelWorld) count(sql string, args ...any) (n int) {
	w.t.Helper()
	if err := w.admin.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (w *modelWorld) id() string {
	w.n++
	return fmt.Sprintf("0192f0c9-0000-7000-8000-%012x", w.n)
}

func newModelWorld(t *testing.T, seed uint64, devices int) *modelWorld {
	t.Helper()
	w := &modelWorld{t: t, rng: rand.New(rand.NewPCG(seed, 1)), dsn: pgtest.Database(t), data: dataDir(t), grants: map[string]string{}, tally: map[string]int{}}
	w.admin = pgtest.Connect(t, w.dsn.Admin)
	all := `'{[1000000000000000,3000000000000000)}'`
	w.exec(`select set_config('app.actor','system',false), set_config('app.role','system',false), set_config('app.public',` + all + `,false), set_config('app.read',` + all + `,false),
		set_config('app.sensitive',` + all + `,false), set_config('app.write',` + all + `,false), set_config('app.demo','off',false)`)
	w.exec(`insert into admin (name, code, admin_code, rank, geom) values ('县', '990100', '990100', 3, st_multi(st_makeenvelope(110, 30, 111, 31, 4490))), ('乡', '990100101', '990100101', 4, st_multi(st_makeenvelope(110, 30, 110.5, 31, 4490)))`)
	for code, b := range modelGrids {
		w.exec(`insert into grids (name, code, admin_code, geom) values ($1, $1, $1, st_multi(st_makeenvelope($2, $3, $4, $5, 4490)))`, code, b[0], b[1], b[2], b[3])
	}
	d, err := db.Open(context.Background(), db.Options{DSN: w.dsn.App})
	w.must(err)
	t.Cleanup(d.Close)
	reg, err := registry.Open(context.Background(), d.Query)
	w.must(err)
	w.auth, err = auth.Open(context.Background(), auth.Options{DB: d, Catalogue: reg})
	w.must(err)
	cli := auth.By{CLI: true, Request: "test"}
	add := func(user string, role auth.Role, area string) {
		_, link, err := w.auth.AddUser(context.Background(), cli, auth.NewAccount{Username: user, Name: user, Unit: "990100"}, auth.NewGrant{Role: role, Area: area, Reason: "测试"})
		w.must(err)
		_, err = w.auth.Activate(context.Background(), auth.By{Identity: w.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1"), Request: "test"}, link.Token, modelPassword)
		w.must(err)
	}
	add("guan", auth.Admin, "")
	for i := range devices {
		p := &modelPhone{w: w, user: fmt.Sprint("worker", i), device: fmt.Sprint("phone-", i), records: map[string]modelRecord{}}
		if i == 1 {
			p.user = "worker0" // two phones of one person
		} else {
			grid := []string{"990100101001001", "990100101001002"}[i%2]
			add(p.user, auth.GridWorker, grid)
			w.grants[p.user] = grid
		}
		w.phones = append(w.phones, p)
	}
	w.start()
	return w
}

func (w *modelWorld) start() {
	w.server = startServer(w.t, w.data, "--database-url", w.dsn.App, "--admin-url", w.dsn.Admin)
}

// kill is kill -9 of the program, and a new one.
func (w *modelWorld) kill() {
	_ = w.server.cmd.Process.Kill() // perhaps it is dead already
	<-w.server.done
	w.start()
	w.tally["kill -9"]++
}

// ask is a request of a phone; status 0 means no answer came.
func (p *modelPhone) ask(ctx context.Context, method, path string, body any, into any) int {
	raw, err := json.Marshal(body)
	p.w.must(err)
	req, err := http.NewRequestWithContext(ctx, method, p.w.server.url+path, bytes.NewReader(raw))
	p.w.must(err)
	if body == nil {
		req.Body, req.ContentLength = nil, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if p.cookie != "" {
		req.Header.Set("Cookie", "onemap="+p.cookie)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	for _, c := range resp.Cookies() {
		if c.Name == "onemap" {
			p.cookie = c.Value
		}
	}
	if resp.StatusCode < 300 && into != nil {
		p.w.must(json.Unmarshal(answer, into))
	}
	if resp.StatusCode >= 500 && resp.StatusCode != 503 {
		p.w.t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	return resp.StatusCode
}

// signIn tries for a while; the program may be away.
func (p *modelPhone) signIn() bool {
	for range 20 {
		st := p.ask(context.Background(), "POST", "/api/session", map[string]any{"username": p.user, "password": modelPassword}, nil)
		if st == 200 || st == 201 {
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.w.tally["cannot sign in"]++
	return false
}

// mark makes something; edits and deletions start from what the phone knows.
func (p *modelPhone) mark() {
	w := p.w
	op := map[string]any{"op_id": w.id(), "kind": "hazards", "captured_at": time.Now().Add(p.clockOff).Format(time.RFC3339), "src_crs": []string{"WGS84", "GCJ02", "CGCS2000"}[w.rng.IntN(3)], "accuracy_m": 5 + w.rng.IntN(30)}
	b := modelGrids[w.grants[p.user]]
	at := map[string]any{"type": "Point", "coordinates": []float64{b[0] + 0.02 + 0.06*w.rng.Float64(), b[1] + 0.02 + 0.06*w.rng.Float64()}}
	var known []modelRecord
	for _, r := range p.records {
		if r.Kind == "hazards" {
			known = append(known, r)
		}
	}
	// The order of a map is not the seed's.
	least := func() modelRecord {
		k := w.rng.IntN(len(known))
		ids := make([]string, len(known))
		byID := map[string]modelRecord{}
		for i, r := range known {
			ids[i], byID[r.ID] = r.ID, r
		}
		sortStrings(ids)
		return byID[ids[k]]
	}
	switch dice := w.rng.IntN(100); {
	case dice < 40 || len(known) == 0:
		op["id"] = w.id()
		op["fields"] = map[string]any{"name": val(fmt.Sprint("点", w.n)), "hazard": val("landslide"), "level": val(1 + w.rng.IntN(4))}
		op["geometry"] = at
		switch w.rng.IntN(12) {
		case 0:
			op["geometry"] = map[string]any{"type": "Point", "coordinates": []float64{113.5, 33.5}}
		case 1:
			op["captured_at"] = "1970-01-01T00:00:00Z"
		case 2:
			op["fields"].(map[string]any)["level"] = val("most")
		case 3:
			op["geometry"] = map[string]any{"type": "Polygon", "coordinates": [][][]float64{{{110.01, 30.01}, {110.02, 30.02}, {110.02, 30.01}, {110.01, 30.02}, {110.01, 30.01}}}}
		}
	case dice < 85:
		r := least()
		op["id"], op["base_version"] = r.ID, r.Version
		name := []string{"name", "measure", "address", "threatened_persons"}[w.rng.IntN(4)]
		var v any = fmt.Sprint(name, w.rng.IntN(6))
		if name == "threatened_persons" {
			v = w.rng.IntN(50)
		}
		op["fields"] = map[string]any{name: map[string]any{"base": r.Fields[name], "value": v}}
		if w.rng.IntN(5) == 0 {
			op["geometry"], op["src_crs"] = map[string]any{"base": r.Geometry, "value": at}, "CGCS2000"
		}
	default:
		r := least()
		op["id"], op["op"], op["base_version"] = r.ID, "delete", r.Version
	}
	p.seq++
	op["device_seq"] = p.seq
	p.outbox = append(p.outbox, &modelOp{body: op, id: op["op_id"].(string), object: op["id"].(string), seq: p.seq})
}

func sortStrings(s []string) {
	for i := 1; i < len(s); i++ {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

func val(v any) map[string]any { return map[string]any{"value": v} }

// deliver sends some of the outbox: perhaps out of order, perhaps with what was sent
// before, perhaps without living to see the answer.
func (p *modelPhone) deliver(all bool) {
	w := p.w
	var some []*modelOp
	for _, o := range p.outbox {
		if all || w.rng.IntN(4) > 0 {
			some = append(some, o)
		}
	}
	if len(p.done) > 0 && w.rng.IntN(3) == 0 {
		some = append(some, p.done[w.rng.IntN(len(p.done))])
	}
	if len(some) == 0 {
		return
	}
	w.rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	ops := make([]any, len(some))
	for i, o := range some {
		ops[i] = o.body
	}
	ctx := context.Background()
	if !all && w.rng.IntN(6) == 0 {
		// The phone dies, or its connection does, somewhere on the way.
		short, cancel := context.WithTimeout(ctx, time.Duration(w.rng.IntN(60))*time.Millisecond)
		defer cancel()
		ctx = short
	}
	var out struct {
		Results []struct {
			OpID    string `json:"op_id"`
			Status  string `json:"status"`
			Verdict string `json:"verdict"`
		} `json:"results"`
	}
	switch st := p.ask(ctx, "POST", "/api/sync", map[string]any{"device": p.device, "ops": ops}, &out); st {
	case 0:
		w.tally["no answer"]++
		return
	case 401:
		w.tally["signed out"]++
		p.cookie = ""
		p.signIn()
		return
	case 200:
	default:
		w.tally[strconv.Itoa(st)]++
		return
	}
	if len(out.Results) != len(some) {
		w.t.Fatalf("%d verdicts on %d operations", len(out.Results), len(some))
	}
	for i, r := range out.Results {
		o := some[i]
		if r.OpID != o.id {
			w.t.Fatalf("verdict %d is on %s, sent was %s", i, r.OpID, o.id)
		}
		w.tally[r.Status]++
		switch r.Status {
		case "applied", "merged", "conflict", "quarantined", "rejected", "duplicate":
			if o.acked == "" {
				o.acked = r.Status
				p.done = append(p.done, o)
				for k, x := range p.outbox {
					if x == o {
						p.outbox = append(p.outbox[:k:k], p.outbox[k+1:]...)
						break
					}
				}
			}
		case "waiting", "retry":
		default:
			w.t.Fatalf("unknown verdict %q", r.Status)
		}
	}
}

// fetch brings the phone up to date; false when the server did not answer.
func (p *modelPhone) fetch() bool {
	for {
		path := "/api/sync/changes?limit=20"
		if p.since != "" {
			path += "&since=" + strings.ReplaceAll(p.since, "~", "%7E")
		}
		var out struct {
			Position    string
			More, Reset bool
			Changes     []modelRecord
		}
		switch st := p.ask(context.Background(), "GET", path, nil, &out); st {
		case 200:
		case 401:
			p.cookie = ""
			if !p.signIn() {
				return false
			}
			continue
		default:
			return false
		}
		if out.Reset {
			clear(p.records)
			p.w.tally["reset"]++
		}
		for _, c := range out.Changes {
			if c.Op == "delete" {
				delete(p.records, c.Kind+"/"+c.ID)
			} else {
				p.records[c.Kind+"/"+c.ID] = c
			}
		}
		p.since = out.Position
		if !out.More {
			return true
		}
	}
}

// reassign gives a worker the other grid.
func (w *modelWorld) reassign(user string) {
	other := "990100101001001"
	if w.grants[user] == other {
		other = "990100101001002"
	}
	w.exec(`update auth.role_grant set revoked_at = clock_timestamp() where account = (select id from auth.account where username = $1) and revoked_at is null`, user)
	w.exec(`insert into auth.role_grant (account, role, area, reason) select id, 'grid_worker', $2, '调整' from auth.account where username = $1`, user, other)
	w.grants[user] = other
	w.tally["reassigned"]++
}

func (w *modelWorld) step() {
	p := w.phones[w.rng.IntN(len(w.phones))]
	switch dice := w.rng.IntN(100); {
	case dice < 50:
		p.mark()
	case dice < 75:
		p.deliver(false)
	case dice < 92:
		p.fetch()
	case dice < 95:
		p.clockOff = time.Duration(w.rng.IntN(100)-60) * time.Hour
	case dice < 98:
		w.exec(`update auth.session set ended_at = clock_timestamp(), ended_why = 'revoked' where account = (select id from auth.account where username = $1) and ended_at is null`, p.user)
	default:
		w.reassign(p.user)
	}
}

func TestDevicesAgainstTheServer(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("ONEMAP_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ONEMAP_SEED=%d", seed)
	devices, rounds, kills := modelRounds()
	w := newModelWorld(t, seed, devices)
	for _, p := range w.phones {
		p.signIn()
	}
	for i := range rounds {
		if kills > 0 && i%(rounds/(kills+1)) == rounds/(kills+1)-1 && w.tally["kill -9"] < kills {
			// While a phone is sending.
			p := w.phones[w.rng.IntN(len(w.phones))]
			for range 5 {
				p.mark()
			}
			sent := make(chan struct{})
			pause := time.Duration(w.rng.IntN(80)) * time.Millisecond
			go func() { defer close(sent); time.Sleep(pause); _ = w.server.cmd.Process.Kill() }()
			p.deliver(false)
			<-sent
			w.kill()
		}
		w.step()
	}
	w.converge()
	w.check()
	t.Logf("%d operations of %d phones: %v", w.n, len(w.phones), w.tally)
}

// converge lets every phone send what it has and fetch what there is.
func (w *modelWorld) converge() {
	for _, p := range w.phones {
		for try := 0; len(p.outbox) > 0; try++ {
			if try > 20 {
				w.t.Fatalf("%s still has %d operations nobody took: %v\n%v\n%s", p.device, len(p.outbox), p.outbox[0].body, w.tally, w.server.log)
			}
			p.deliver(true)
		}
	}
	want := w.count(`select coalesce(max(seq), 0) from change_log`)
	for _, p := range w.phones {
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if p.fetch() && feedSeq(p.since) >= want {
				break
			}
			if time.Now().After(deadline) {
				w.t.Fatalf("%s stands at %s, the feed at %d", p.device, p.since, want)
			}
		}
	}
}

func feedSeq(position string) int {
	_, rest, _ := strings.Cut(position, ".")
	digits, _, _ := strings.Cut(rest, "@")
	n, _ := strconv.Atoi(digits)
	return n
}

// check is what must hold at the end.
func (w *modelWorld) check() {
	t := w.t
	made := 0
	for _, p := range w.phones {
		made += len(p.done)
		for _, o := range p.done {
			if n := w.count(`select count(*) from sync_op where op_id = $1 and device = $2 and status <> 'waiting'`, o.id, p.device); n != 1 {
				t.Errorf("operation %s (%s) is %d times in the log", o.id, o.acked, n)
			}
		}
	}
	if n := w.count(`select count(*) from sync_op`); n != made {
		t.Errorf("%d operations in the log, the phones made %d", n, made)
	}
	if n := w.count(`select count(*) from sync_op o where status in ('quarantined', 'conflict') and (select count(*) from sync_case c where c.op_id = o.op_id) <> 1`); n != 0 {
		t.Errorf("%d operations wait for a person and are on no desk", n)
	}
	// What was applied is there, or was deleted by an operation that was applied.
	if n := w.count(`select count(*) from sync_op o where op = 'put' and status in ('applied', 'merged') and not exists (select from hazards h where h.id = o.object)
		and not exists (select from sync_op d where d.object = o.object and d.op = 'delete' and d.status = 'applied')`); n != 0 {
		t.Errorf("%d applied operations without a record", n)
	}
	if n := w.count(`select count(*) from hazards h where not exists (select from sync_op o where o.object = h.id and o.status = 'applied')`); n != 0 {
		t.Errorf("%d records nobody made", n)
	}
	if n := w.count(`select count(*) from sync_op where status = 'quarantined' and answer->'problem'->>'code' in ('internal_error', 'cannot_be_stored')`); n != 0 {
		t.Errorf("%d operations ended in an error of ours", n)
	}
	rows, err := w.admin.Query(context.Background(), `select o.kind || ' ' || o.op || ' ' || o.status || ' ' || coalesce(o.answer->'problem'->>'code', ''), count(*) from sync_op o group by 1 order by 2 desc`)
	w.must(err)
	sorts := 0
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var what string
		var n int
		sorts++
		err := row.Scan(&what, &n)
		t.Logf("%6d %s", n, what)
		return what, err
	})
	w.must(err)
	if w.tally["applied"]+w.tally["merged"] == 0 || w.tally["quarantined"] == 0 || w.tally["duplicate"] == 0 || sorts < 4 {
		t.Errorf("the model tried too little: %v", w.tally)
	}
	for _, p := range w.phones {
		fresh := &modelPhone{w: w, user: p.user, device: p.device, cookie: p.cookie, records: map[string]modelRecord{}}
		if !fresh.fetch() {
			t.Fatal("no answer")
		}
		if len(fresh.records) != len(p.records) {
			t.Errorf("%s has %d records, a new download %d", p.device, len(p.records), len(fresh.records))
		}
		for key, r := range fresh.records {
			mine, ok := p.records[key]
			a, _ := json.Marshal(r.Fields)
			b, _ := json.Marshal(mine.Fields)
			if !ok || mine.Version != r.Version || !bytes.Equal(a, b) || !bytes.Equal(mine.Geometry, r.Geometry) {
				t.Errorf("%s: record %s is %+v, on the server %+v", p.device, key, mine, r)
			}
		}
	}
	if hazards := w.count(`select count(*) from hazards`); len(w.phones[0].records) < hazards {
		t.Errorf("the phone has %d records, the table %d: all are of one township", len(w.phones[0].records), hazards)
	}
}
