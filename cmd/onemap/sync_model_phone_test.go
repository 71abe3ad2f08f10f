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
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"onemap/internal/auth"
)

// modelOp is an operation. What it says never changes once it is made.
type modelOp struct {
	body                     map[string]any
	id, kind, object, device string
	seq                      int // 0: 险情
	blobs                    []string
	field, token             string // a value nobody else ever writes
}

type modelRecord struct {
	Kind     string                     `json:"kind"`
	ID       string                     `json:"id"`
	Op       string                     `json:"op"`
	Version  int64                      `json:"version"`
	State    string                     `json:"state"`
	Fields   map[string]json.RawMessage `json:"fields"`
	Geometry json.RawMessage            `json:"geometry"`
}

// modelPhone is what a phone keeps. It is one goroutine's at a time.
type modelPhone struct {
	w            *modelWorld
	n, made      int
	rng          *rand.Rand
	user, device string
	cookie       string
	enrolled     bool
	seq          int
	outbox       []*modelOp // not acknowledged, in order
	done         []*modelOp
	told         map[string]string // of an operation: the last word
	since        string
	records      map[string]modelRecord
	clockOff     time.Duration
	imports      []*modelOp // from another phone; under the lock of the world
	photos       []string   // to send
	whole        map[string]bool
}

func newModelPhone(w *modelWorld, n int, seed uint64) *modelPhone {
	return &modelPhone{
		w: w, n: n, rng: rand.New(rand.NewPCG(seed, uint64(n)+1)), user: fmt.Sprint("worker", n), device: fmt.Sprintf("model-phone-%d", n), enrolled: n%3 == 2,
		told: map[string]string{}, records: map[string]modelRecord{}, whole: map[string]bool{},
	}
}

func (p *modelPhone) id() string {
	p.made++
	return fmt.Sprintf("0192f0c9-%04x-7000-8000-%012x", p.n, p.made)
}

type modelAnswer struct {
	status int // 0: none came
	body   []byte
	header http.Header
}

// ask is a request of a phone, with the cookie it has now.
func (w *modelWorld) ask(ctx context.Context, cookie, device, method, path string, body []byte, headers ...string) modelAnswer {
	req, err := http.NewRequestWithContext(ctx, method, w.url()+path, bytes.NewReader(body))
	w.must(err)
	if body == nil {
		req.Body, req.ContentLength = nil, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Onemap-Device", device)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if cookie != "" {
		req.Header.Set("Cookie", "onemap="+cookie)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return modelAnswer{}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return modelAnswer{}
	}
	if resp.StatusCode >= 500 && resp.StatusCode != 503 {
		w.t.Errorf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	return modelAnswer{resp.StatusCode, answer, resp.Header}
}

func (p *modelPhone) ask(ctx context.Context, method, path string, body []byte, headers ...string) modelAnswer {
	return p.w.ask(ctx, p.cookie, p.device, method, path, body, headers...)
}

// signIn tries for a while; the program may be away.
func (p *modelPhone) signIn() bool {
	for range 20 {
		in := map[string]any{"username": p.user, "password": modelPassword}
		if p.enrolled {
			code, _, err := p.w.auth.CreateEnrolment(context.Background(), auth.By{CLI: true, Request: "test", Peer: netip.MustParseAddr("127.0.0.1")}, p.w.accounts[p.user])
			if err != nil {
				time.Sleep(50 * time.Millisecond)
				continue
			}
			in = map[string]any{"enrolment": code, "device": map[string]any{"id": p.device, "name": "手机"}}
		}
		a := p.w.ask(context.Background(), "", p.device, "POST", "/api/session", asJSON(in))
		if a.status == 200 || a.status == 201 {
			for _, c := range (&http.Response{Header: a.header}).Cookies() {
				if c.Name == "onemap" {
					p.cookie = c.Value
				}
			}
			return true
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.w.count1("cannot sign in")
	return false
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func (p *modelPhone) step() {
	if p.cookie == "" && !p.signIn() {
		return
	}
	switch dice := p.rng.IntN(100); {
	case dice < 48:
		p.mark()
	case dice < 70:
		p.deliver(false)
	case dice < 80:
		p.fetch()
	case dice < 92:
		p.sendPhoto(true)
	case dice < 94:
		p.clockOff = time.Duration(p.rng.IntN(120)-90) * time.Hour
		if p.rng.IntN(3) > 0 {
			p.clockOff = time.Duration(p.rng.IntN(40)-20) * time.Minute
		}
	case dice < 96:
		p.w.exec(`update auth.session set ended_at = clock_timestamp(), ended_why = 'revoked' where account = (select id from auth.account where username = $1) and ended_at is null`, p.user)
		p.w.count1("session ended")
	case dice < 98:
		p.w.reassign(p.user, p.rng.IntN(70))
	default:
		p.export()
	}
}

func val(v any) map[string]any { return map[string]any{"value": v} }

// known are the records of a kind the phone has, in an order of their own.
func (p *modelPhone) known(kind string) (out []modelRecord) {
	for _, r := range p.records {
		if r.Kind == kind {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b modelRecord) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (p *modelPhone) any(kind string) (modelRecord, bool) {
	list := p.known(kind)
	if len(list) == 0 {
		return modelRecord{}, false
	}
	return list[p.rng.IntN(len(list))], true
}

func (p *modelPhone) place() map[string]any {
	b := modelGrids[p.w.gridOf(p.user)]
	return map[string]any{"type": "Point", "coordinates": []float64{b[0] + 0.02 + 0.06*p.rng.Float64(), b[1] + 0.02 + 0.06*p.rng.Float64()}}
}

// mark makes an operation; edits, deletions and steps start from what the phone knows.
func (p *modelPhone) mark() {
	w := p.w
	o := &modelOp{id: p.id(), device: p.device, kind: "hazards"}
	body := map[string]any{
		"op_id": o.id, "captured_at": time.Now().Add(p.clockOff).Format(time.RFC3339Nano), "accuracy_m": 5 + p.rng.IntN(30),
		"src_crs": []string{"WGS84", "GCJ02", "CGCS2000"}[p.rng.IntN(3)],
	}
	o.body, o.token = body, "词"+o.id
	switch dice := p.rng.IntN(100); {
	case dice < 55:
		p.hazard(o)
	case dice < 70:
		p.danger(o)
	case dice < 80:
		p.report(o)
	case dice < 87:
		o.kind, o.field = "patrols", "note"
		body["id"], body["fields"] = p.id(), map[string]any{"kind": val("patrol"), "result": val("normal"), "note": val(o.token)}
		body["geometry"] = p.place()
	case dice < 91:
		o.kind, o.field = "shelter_checks", "note"
		body["id"], body["fields"] = p.id(), map[string]any{"shelter": val(w.shelter[w.gridOf(p.user)]), "result": val("ok"), "note": val(o.token)}
	case dice < 96:
		p.task(o)
	default:
		n, ok := p.any("notices")
		if !ok {
			p.hazard(o)
			break
		}
		o.kind, o.token = "acks", ""
		body["id"], body["fields"] = p.id(), map[string]any{"notice": val(n.ID), "read_at": val(time.Now().Format(time.RFC3339))}
	}
	body["kind"], o.object = o.kind, body["id"].(string)
	if p.rng.IntN(4) == 0 {
		o.blobs = p.take(1 + p.rng.IntN(2))
		body["blobs"] = o.blobs
	}
	urgent := false
	if f, ok := body["fields"].(map[string]any)["urgency"].(map[string]any); ok {
		urgent = f["value"] == "urgent"
	}
	if !urgent { // 险情 has no number: it must not wait for one before it
		p.seq++
		o.seq = p.seq
		body["device_seq"] = o.seq
	}
	p.outbox = append(p.outbox, o)
	w.mu.Lock()
	w.ops[o.id] = o
	w.mu.Unlock()
}

func (p *modelPhone) hazard(o *modelOp) {
	body := o.body
	body["fields"] = map[string]any{}
	known, ok := p.any("hazards")
	if mine, found := p.unsent(); found && p.rng.IntN(3) == 0 {
		known, ok = mine, true
	}
	switch dice := p.rng.IntN(100); {
	case dice < 40 || !ok:
		o.field = "name"
		body["id"] = p.id()
		body["fields"] = map[string]any{"name": val(o.token), "hazard": val("landslide"), "level": val(1 + p.rng.IntN(4))}
		body["geometry"] = p.place()
		switch p.rng.IntN(14) {
		case 0:
			body["geometry"] = map[string]any{"type": "Point", "coordinates": []float64{113.5, 33.5}}
		case 1:
			body["captured_at"] = "1970-01-01T00:00:00Z"
		case 2:
			body["fields"].(map[string]any)["level"] = val("most")
		case 3:
			body["geometry"] = map[string]any{"type": "Polygon", "coordinates": [][][]float64{{{110.01, 30.01}, {110.02, 30.02}, {110.02, 30.01}, {110.01, 30.02}, {110.01, 30.01}}}}
		case 4:
			body["captured_at"] = "2100-01-01T00:00:00Z"
		case 5:
			body["surprise"] = 1
		}
	case dice < 85:
		body["id"] = known.ID
		if known.Version > 0 {
			body["base_version"] = known.Version
		}
		name := []string{"name", "measure", "address", "description", "threatened_persons"}[p.rng.IntN(5)]
		var v any = o.token
		switch {
		case name == "threatened_persons":
			v, o.token = p.rng.IntN(9), ""
		case p.rng.IntN(3) == 0:
			v, o.token = fmt.Sprint(name, p.rng.IntN(4)), "" // what two may write alike
		default:
			o.field = name
		}
		body["fields"] = map[string]any{name: map[string]any{"base": known.Fields[name], "value": v}}
		if p.rng.IntN(5) == 0 && known.Version > 0 {
			body["geometry"], body["src_crs"] = map[string]any{"base": known.Geometry, "value": p.place()}, "CGCS2000"
		}
	default:
		o.token = ""
		body["id"], body["op"] = known.ID, "delete"
		if known.Version > 0 {
			body["base_version"] = known.Version
		}
	}
}

// unsent is a hazard the phone made and nobody has taken yet, as he sees it: with what he
// changed since.
func (p *modelPhone) unsent() (modelRecord, bool) {
	var out modelRecord
	for _, o := range p.outbox {
		if o.kind != "hazards" || o.device != p.device || out.ID != "" && o.object != out.ID {
			continue
		}
		if out.ID == "" && (o.body["op"] != nil || o.body["geometry"] == nil || o.body["base_version"] != nil || o.body["fields"].(map[string]any)["hazard"] == nil) {
			continue
		}
		if o.body["op"] != nil {
			return modelRecord{}, false // he took it back
		}
		if out.ID == "" {
			out = modelRecord{Kind: o.kind, ID: o.object, Fields: map[string]json.RawMessage{}}
		}
		for name, f := range o.body["fields"].(map[string]any) {
			out.Fields[name] = asJSON(f.(map[string]any)["value"])
		}
	}
	return out, out.ID != ""
}

func (p *modelPhone) danger(o *modelOp) {
	o.kind, o.field = "dangers", "description"
	body := o.body
	known, ok := p.any("dangers")
	switch dice := p.rng.IntN(100); {
	case dice < 50 || !ok:
		body["id"], body["geometry"] = p.id(), p.place()
		body["fields"] = map[string]any{"kind": val("fire"), "description": val(o.token)}
	case dice < 75:
		body["id"], body["base_version"] = known.ID, known.Version
		body["fields"] = map[string]any{"description": map[string]any{"base": known.Fields["description"], "value": o.token}}
	case dice < 85:
		o.token = ""
		body["id"], body["op"], body["base_version"], body["fields"] = known.ID, "delete", known.Version, map[string]any{}
	default:
		o.token = ""
		body["id"], body["op"], body["to"], body["note"] = known.ID, "transition", []string{"reviewing", "closed", "verified", "nowhere"}[p.rng.IntN(4)], "已处理"
		body["fields"], body["blobs"] = map[string]any{}, nil
		o.blobs = p.take(1)
		body["blobs"] = o.blobs
	}
}

func (p *modelPhone) report(o *modelOp) {
	o.kind, o.field = "incident_reports", "description"
	body := o.body
	if known, ok := p.any("incident_reports"); ok && p.rng.IntN(3) == 0 {
		body["id"], body["base_version"] = known.ID, known.Version
		body["fields"] = map[string]any{"description": map[string]any{"base": known.Fields["description"], "value": o.token}}
		return
	}
	body["id"], body["geometry"] = p.id(), p.place()
	urgency := []string{"urgent", "damage"}[p.rng.IntN(2)]
	body["fields"] = map[string]any{"kind": val("other"), "urgency": val(urgency), "description": val(o.token), "grid": val(p.w.gridOf(p.user))}
	if urgency == "urgent" {
		switch p.rng.IntN(4) {
		case 0:
			body["captured_at"] = "1970-01-01T00:00:00Z"
		case 1:
			delete(body, "geometry")
		case 2:
			body["geometry"] = map[string]any{"type": "Point", "coordinates": []float64{113.5, 33.5}}
		}
	}
}

func (p *modelPhone) task(o *modelOp) {
	known, ok := p.any("tasks")
	if !ok {
		p.hazard(o)
		return
	}
	o.kind, o.field = "tasks", "result"
	o.body["id"], o.body["op"], o.body["fields"] = known.ID, "transition", map[string]any{}
	switch p.rng.IntN(4) {
	case 0, 1:
		o.token = ""
		o.body["to"] = "accepted"
	case 2:
		o.body["to"], o.body["fields"] = "done", map[string]any{"result": val(o.token)}
	default:
		o.token = ""
		o.body["to"], o.body["note"] = "handed_back", "去不了"
	}
}

// export copies the outbox to another phone of the same person, word for word: both may
// send it.
func (p *modelPhone) export() {
	if p.n > 1 {
		return
	}
	w := p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range p.outbox {
		w.phones[1-p.n].imports = append(w.phones[1-p.n].imports, o)
		w.tally["exported"]++
	}
}

// receive takes up what another phone exported to this one.
func (p *modelPhone) receive() {
	p.w.mu.Lock()
	list := p.imports
	p.imports = nil
	p.w.mu.Unlock()
	for _, o := range list {
		if _, told := p.told[o.id]; !told && !slices.Contains(p.outbox, o) {
			p.outbox = append(p.outbox, o)
		}
		for _, sha := range o.blobs {
			if !slices.Contains(p.photos, sha) {
				p.photos = append(p.photos, sha)
			}
		}
	}
}

// deliver sends some of the outbox: perhaps out of order, perhaps with what was sent
// before, perhaps twice at the same moment, perhaps without living to see the answer.
func (p *modelPhone) deliver(all bool) {
	p.receive()
	var some []*modelOp
	for _, o := range p.outbox {
		// One delivery is of one device; what another phone made goes under its name.
		if (all || p.rng.IntN(4) > 0) && (len(some) == 0 || o.device == some[0].device) {
			some = append(some, o)
		}
	}
	if len(p.done) > 0 && p.rng.IntN(3) == 0 {
		if o := p.done[p.rng.IntN(len(p.done))]; len(some) == 0 || o.device == some[0].device {
			some = append(some, o)
		}
	}
	if len(some) == 0 {
		return
	}
	p.rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	ops := make([]any, len(some))
	for i, o := range some {
		ops[i] = o.body
	}
	body := asJSON(map[string]any{"device": some[0].device, "ops": ops})
	ctx := context.Background()
	if !all && p.rng.IntN(6) == 0 {
		// The phone dies, or its connection does, somewhere on the way.
		short, cancel := context.WithTimeout(ctx, time.Duration(p.rng.IntN(60))*time.Millisecond)
		defer cancel()
		ctx = short
	}
	answers := make([]modelAnswer, 1)
	if p.rng.IntN(6) == 0 {
		answers = make([]modelAnswer, 2) // a page that was opened twice
		p.w.count1("sent at the same moment")
	}
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = p.ask(ctx, "POST", "/api/sync", body) })
	}
	wg.Wait()
	for _, a := range answers {
		p.answered(some, a)
	}
}

func (p *modelPhone) answered(some []*modelOp, a modelAnswer) {
	w := p.w
	switch a.status {
	case 0:
		w.count1("no answer")
		time.Sleep(5 * time.Millisecond)
		return
	case 401:
		w.count1("signed out")
		p.cookie = ""
		p.signIn()
		return
	case 200:
	default:
		w.count1(strconv.Itoa(a.status))
		return
	}
	var out struct {
		Results []struct {
			OpID    string `json:"op_id"`
			Status  string `json:"status"`
			Verdict string `json:"verdict"`
		} `json:"results"`
	}
	w.must(json.Unmarshal(a.body, &out))
	w.safe()
	if len(out.Results) != len(some) {
		w.fail("%d verdicts on %d operations", len(out.Results), len(some))
	}
	for i, r := range out.Results {
		o := some[i]
		if r.OpID != o.id {
			w.fail("verdict %d is on %s, sent was %s", i, r.OpID, o.id)
		}
		w.count1(r.Status)
		word := r.Status
		if word == "duplicate" {
			word = r.Verdict
		}
		switch word {
		case "applied", "merged", "conflict", "quarantined", "rejected", "waiting", "returned":
			p.hears(o.id, word)
			if k := slices.Index(p.outbox, o); k >= 0 {
				p.outbox = slices.Delete(p.outbox, k, k+1)
				p.done = append(p.done, o)
			}
		case "retry":
		default:
			w.fail("unknown verdict %q", word)
		}
	}
}

// hears notes what a phone is told of an operation. Only what waits, for an earlier one or
// for a person, becomes something else.
func (p *modelPhone) hears(op, word string) {
	before := p.told[op]
	became := map[string]string{"": "*", "waiting": "*", "conflict": "merged", "quarantined": "applied returned"}[before]
	if before != word && became != "*" && !strings.Contains(became, word) {
		if word == "waiting" {
			return // said at the same moment, heard later
		}
		if before == "merged" && word == "conflict" || before != "merged" && word == "quarantined" {
			return // the same
		}
		p.w.t.Errorf("%s was told that %s is %s, and later that it is %s", p.device, op, before, word)
	}
	p.told[op] = word
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
			Receipts    []struct {
				OpID   string `json:"op_id"`
				Status string `json:"status"`
			}
		}
		switch a := p.ask(context.Background(), "GET", path, nil); a.status {
		case 200:
			p.w.must(json.Unmarshal(a.body, &out))
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
			p.w.count1("reset")
		}
		for _, c := range out.Changes {
			if c.Op == "delete" {
				delete(p.records, c.Kind+"/"+c.ID)
			} else {
				p.records[c.Kind+"/"+c.ID] = c
			}
		}
		for _, r := range out.Receipts {
			word := r.Status
			switch word {
			case "resolved":
				word = "merged"
			case "accepted":
				word = "applied"
			}
			p.w.count1("receipt " + r.Status)
			if _, mine := p.told[r.OpID]; mine {
				p.hears(r.OpID, word)
			}
		}
		p.since = out.Position
		if !out.More {
			return true
		}
	}
}

// finish sends everything there is.
func (p *modelPhone) finish() {
	for try := 0; ; try++ {
		p.receive()
		if len(p.outbox) == 0 {
			break
		}
		if try > 50 {
			p.w.fail("%s still has %d operations nobody took: %v\n%s", p.device, len(p.outbox), p.outbox[0].body, p.w.server.log)
		}
		if p.cookie == "" {
			p.signIn()
		}
		p.deliver(true)
	}
	for try := 0; len(p.photos) > 0; try++ {
		if try > 500 {
			p.w.fail("%s still has %d photos nobody took", p.device, len(p.photos))
		}
		p.sendPhoto(false)
	}
}
