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
