package api_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/internal/api"
	"onemap/internal/api/localca"
	"onemap/internal/feed"
)

// sse is one event as a browser would dispatch it. ID is the last event id after it.
type sse struct {
	Name, ID, Data string
}

// stream is a client of /api/live.
type stream struct {
	t      testing.TB
	resp   *http.Response
	cancel context.CancelFunc

	arrived chan struct{} // signalled at each event

	mu     sync.Mutex
	events []sse
	lastID string
	retry  string
	closed bool
}

func (e *env) listen(client *http.Client, base, topics, since string, headers ...string) *stream {
	e.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	target := base + "/api/live?topics=" + topics
	if since != "" {
		target += "&since=" + since
	}
	req, err := http.NewRequestWithContext(ctx, "GET", target, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		body, _ := io.ReadAll(resp.Body)
		e.t.Fatalf("live: %d %v %s", resp.StatusCode, resp.Header, body)
	}
	s := &stream{t: e.t, resp: resp, cancel: cancel, arrived: make(chan struct{}, 1)}
	go s.read()
	e.t.Cleanup(s.close)
	return s
}

// unlimited is the client in memory without the time limit of a whole answer.
func (e *env) unlimited() *http.Client { return &http.Client{Transport: e.client.Transport} }

func (s *stream) close() {
	s.cancel()
	s.resp.Body.Close()
}

func (s *stream) read() {
	r := bufio.NewReader(s.resp.Body)
	var name, data, id string
	hasID := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			s.mu.Lock()
			s.closed = true
			s.mu.Unlock()
			return
		}
		line = strings.TrimRight(line, "\r\n")
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			s.mu.Lock()
			if hasID {
				s.lastID = id
			}
			if data != "" {
				s.events = append(s.events, sse{name, s.lastID, data})
			}
			s.mu.Unlock()
			select {
			case s.arrived <- struct{}{}:
			default:
			}
			name, data, hasID = "", "", false
		case key == "event":
			name = value
		case key == "data":
			data += value
		case key == "id":
			id, hasID = value, true
		case key == "retry":
			s.mu.Lock()
			s.retry = value
			s.mu.Unlock()
		}
	}
}

func (s *stream) snapshot() []sse {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sse(nil), s.events...)
}

func (s *stream) of(name string) []sse {
	var out []sse
	for _, e := range s.snapshot() {
		if e.Name == name {
			out = append(out, e)
		}
	}
	return out
}

// wait returns at the next event.
func (s *stream) wait() { <-s.arrived }

func (s *stream) count(name string) int { return len(s.of(name)) }

func (s *stream) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastID
}

func (s *stream) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

type change struct {
	Position, Op, ID string
	FID              int64
	Rows             int
	Properties       map[string]any
	Geometry         map[string]any
}

func (s *stream) changes(topic string) []change {
	s.t.Helper()
	var out []change
	for _, e := range s.of(topic) {
		var c change
		if err := json.Unmarshal([]byte(e.Data), &c); err != nil {
			s.t.Fatalf("%s: %v", e.Data, err)
		}
		out = append(out, c)
	}
	return out
}

func (e *env) incident(name string) {
	e.t.Helper()
	e.exec(`insert into incidents (name, kind, level, occurred_at, geom) values ($1, 'flood', 2, now(), st_setsrid(st_makepoint(119.25, 34.15), 4490))`, name)
}

func TestLiveEvents(t *testing.T) {
	e := start(t)
	s := e.listen(e.unlimited(), "http://localhost", "tiles,incidents", "")
	waitFor(t, "the first lag event", func() bool { return len(s.of("lag")) > 0 })
	if s.retry == "" || s.last() == "" {
		t.Errorf("retry %q, id %q", s.retry, s.last())
	}
	var lag struct {
		Position, Feed string
		LagMs          int64 `json:"lag_ms"`
	}
	if err := json.Unmarshal([]byte(s.of("lag")[0].Data), &lag); err != nil || lag.Feed == "" || lag.Position != s.of("lag")[0].ID {
		t.Errorf("lag event %+v (%v)", s.of("lag")[0], err)
	}
	e.incident("山洪")
	waitFor(t, "the insert", func() bool { return len(s.changes("incidents")) == 1 && len(s.of("tiles")) == 1 })
	c := s.changes("incidents")[0]
	if c.Op != "insert" || c.FID == 0 || len(c.ID) != 36 || c.Properties["name"] != "山洪" || c.Geometry["type"] != "Point" {
		t.Errorf("event %+v", c)
	}
	if _, err := feed.ParsePosition(c.Position); err != nil {
		t.Errorf("position %q", c.Position)
	}
	var dirty struct {
		Layer   string
		Boxes   [][4]uint32
		MaxZoom int `json:"max_zoom"`
	}
	if err := json.Unmarshal([]byte(s.of("tiles")[0].Data), &dirty); err != nil || dirty.Layer != "incidents" || len(dirty.Boxes) != 1 || dirty.MaxZoom != 16 {
		t.Fatalf("tiles event %s", s.of("tiles")[0].Data)
	}
	// 119.25, 34.15 lies in tile 13619, 6536 of zoom 14.
	if b := dirty.Boxes[0]; b[0] > 13619 || b[2] < 13619 || b[1] > 6536 || b[3] < 6536 || b[2]-b[0] > 2 {
		t.Errorf("dirty box %v", b)
	}
	e.exec(`update incidents set level = 1, geom = st_setsrid(st_makepoint(119.5, 34.3), 4490) where name = '山洪'`)
	e.exec(`delete from incidents where name = '山洪'`)
	waitFor(t, "update and delete", func() bool { return len(s.changes("incidents")) == 3 })
	all := s.changes("incidents")
	if all[2].Op != "delete" || all[2].Properties != nil || all[2].ID != c.ID {
		t.Errorf("delete event %+v", all[2])
	}
	// A row of a layer nobody asked for moves the tiles only.
	e.exec(`insert into shelters (name, geom) values ('体育馆', st_setsrid(st_makepoint(119.25, 34.15), 4490))`)
	waitFor(t, "shelter tiles", func() bool {
		for _, ev := range s.of("tiles") {
			if strings.Contains(ev.Data, `"shelters"`) {
				return true
			}
		}
		return false
	})
	if len(s.of("shelters")) != 0 {
		t.Error("an event of a topic not asked for")
	}
	e.exec(`update setting set value = '"试"' where key = 'watermark'`)
	e.exec(`update layer set symbol = 'square' where layer = 'incidents'`)
	waitFor(t, "the catalogue event", func() bool { return len(s.of("catalogue")) > 0 })
}

// TestBulkIsOneEvent imports many rows: one event with boxes, not thousands.
func TestBulkIsOneEvent(t *testing.T) {
	e := start(t)
	s := e.listen(e.unlimited(), "http://localhost", "tiles,hazards", "")
	waitFor(t, "joined", func() bool { return len(s.of("lag")) > 0 })
	e.exec(`insert into hazards (name, geom) select 'b' || i, st_setsrid(st_makepoint(110 + i / 100.0, 30 + i % 50 / 10.0), 4490) from generate_series(1, 3000) i`)
	waitFor(t, "the bulk event", func() bool { return len(s.changes("hazards")) > 0 })
	if c := s.changes("hazards"); len(c) != 1 || c[0].Op != "bulk" || c[0].Rows != 3000 || c[0].FID != 0 {
		t.Errorf("bulk %+v", c)
	}
}

// TestManyRowsHaveFewBoxes bounds what one delivery carries.
func TestManyRowsHaveFewBoxes(t *testing.T) {
	e := start(t)
	s := e.listen(e.unlimited(), "http://localhost", "tiles", "")
	waitFor(t, "joined", func() bool { return len(s.of("lag")) > 0 })
	e.exec(`insert into hazards (name, geom) select 'b' || i, st_setsrid(st_makepoint(100 + i / 50.0, 20 + (i * 37) % 100 / 5.0), 4490) from generate_series(1, 900) i`)
	waitFor(t, "tiles", func() bool { return len(s.of("tiles")) > 0 })
	for _, ev := range s.of("tiles") {
		var d struct{ Boxes [][4]uint32 }
		if err := json.Unmarshal([]byte(ev.Data), &d); err != nil || len(d.Boxes) == 0 || len(d.Boxes) > 64 {
			t.Errorf("%d boxes (%v)", len(d.Boxes), err)
		}
	}
}

// TestResumeLosesAndDoublesNothing writes without pause while clients come, go, and
// resume from the last id they saw. Every row must arrive exactly once.
func TestResumeLosesAndDoublesNothing(t *testing.T) {
	e := startTCP(t)
	const rows = 400
	first := e.listen(e.http, e.url, "incidents,tiles", "")
	waitFor(t, "joined", func() bool { return len(first.of("lag")) > 0 })
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rows {
			e.incident(fmt.Sprintf("r%d", i))
		}
	}()
	seen := map[string]int{}
	tileSeen := 0
	take := func(s *stream) {
		for _, c := range s.changes("incidents") {
			n, _ := c.Properties["name"].(string)
			seen[n]++
		}
		tileSeen += len(s.of("tiles"))
	}
	s, resumed := first, 0
	for len(seen) < rows {
		want := len(s.changes("incidents")) + 23
		finished := false
		waitFor(t, "more events", func() bool {
			select {
			case <-done:
				finished = true
			default:
			}
			n := len(s.changes("incidents"))
			return n >= want || finished && len(seen)+n >= rows
		})
		// Cut in the middle of whatever is under way; what arrives later is not counted,
		// because a browser that lost its connection does not see it either.
		s.mu.Lock()
		id := s.lastID
		s.mu.Unlock()
		snapshot := s.snapshot()
		s.close()
		cut := &stream{t: t}
		for _, ev := range snapshot {
			cut.events = append(cut.events, ev)
			if ev.Name == "incidents" {
				id = ev.ID
			}
			if ev.Name == "lag" {
				id = ev.ID
			}
		}
		take(cut)
		resumed++
		if resumed%2 == 0 {
			s = e.listen(e.http, e.url, "incidents,tiles", id)
		} else {
			s = e.listen(e.http, e.url, "incidents,tiles", "1.1", "Last-Event-ID", id)
		}
		if resumed > rows {
			t.Fatal("never finished")
		}
	}
	<-done
	for i := range rows {
		if n := seen[fmt.Sprintf("r%d", i)]; n != 1 {
			t.Errorf("r%d arrived %d times", i, n)
		}
	}
	if tileSeen == 0 {
		t.Error("no tiles event")
	}
	t.Logf("%d rows over %d connections, each exactly once", rows, resumed+1)
}

// TestReset is for positions nobody can continue from.
func TestReset(t *testing.T) {
	e := start(t, shortPatience)
	for _, c := range []struct{ since, lastID string }{{"99999999.1", ""}, {"", "not a position"}, {"1.1", "99999999.1"}} {
		var h []string
		if c.lastID != "" {
			h = []string{"Last-Event-ID", c.lastID}
		}
		s := e.listen(e.unlimited(), "http://localhost", "tiles", c.since, h...)
		waitFor(t, fmt.Sprintf("reset for %+v", c), func() bool { return len(s.of("reset")) == 1 && len(s.of("lag")) > 0 })
		e.incident("after reset")
		waitFor(t, "and it goes on", func() bool { return len(s.of("tiles")) > 0 })
	}
}

// TestLiveOverTLS is the same over an encrypted connection.
func TestLiveOverTLS(t *testing.T) {
	ca, err := localca.Open(localca.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e := startTCP(t, func(o *api.Options) { o.TLS, o.Authority = ca.TLSConfig(), ca })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.CertificatePEM())
	client := &http.Client{Transport: asker{&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, e.env}}
	s := e.listen(client, e.url, "tiles,incidents", "")
	waitFor(t, "joined", func() bool { return len(s.of("lag")) > 0 })
	for i := range 20 {
		e.incident(fmt.Sprint("tls", i))
	}
	waitFor(t, "the events", func() bool { return len(s.changes("incidents")) == 20 })
	streams := func() string {
		for line := range strings.SplitSeq(tlsGet(t, client, e.url+"/metrics"), "\n") {
			if strings.HasPrefix(line, "onemap_live_streams ") {
				return line
			}
		}
		return ""
	}
	if got := streams(); got != "onemap_live_streams 1" {
		t.Errorf("%q", got)
	}
	s.close()
	waitFor(t, "the server sees it leave", func() bool { return streams() == "onemap_live_streams 0" })

	page := tlsGet(t, client, e.url+"/ca")
	if !strings.Contains(page, ca.Fingerprint()) || !strings.Contains(page, "/ca/onemap-ca.crt") {
		t.Errorf("/ca: %.300s", page)
	}
	if crt := tlsGet(t, client, e.url+"/ca/onemap-ca.crt"); crt != string(ca.CertificatePEM()) {
		t.Errorf("the certificate offered is not the root: %.100s", crt)
	}
}

func tlsGet(t *testing.T, client *http.Client, target string) string {
	t.Helper()
	resp, err := client.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d %v", target, resp.StatusCode, err)
	}
	return string(b)
}

// TestSlowReaderIsDroppedAndOthersAreNot opens a stream whose reader stopped.
func TestSlowReaderIsDroppedAndOthersAreNot(t *testing.T) {
	e := startTCP(t, func(o *api.Options) { o.StreamBytes = 32 << 10; o.Heartbeat = 50 * time.Millisecond })
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET /api/live?topics=hazards HTTP/1.1\r\nHost: localhost\r\nCookie: onemap="+e.cookie+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	good := e.listen(e.http, e.url, "hazards", "")
	waitFor(t, "both joined", func() bool { return strings.Contains(string(e.get("/metrics").body), "onemap_live_streams 2") })
	text := strings.Repeat("长", 2000)
	n := 0
	waitFor(t, "the slow one is let go", func() bool {
		// In one statement: on a busy machine the socket's buffers take long to fill row by row.
		e.exec(`insert into hazards (name, address, geom) select 's' || i, $2, st_setsrid(st_makepoint(119.25, 34.15), 4490) from generate_series($1::int, $1::int + 19) i order by i`, n, text)
		n += 20
		return strings.Contains(string(e.get("/metrics").body), "onemap_live_dropped_total 1")
	})
	waitFor(t, "the good one has everything", func() bool { return len(good.changes("hazards")) == n })
	for i, ch := range good.changes("hazards") {
		if ch.Properties["name"] != fmt.Sprint("s", i) {
			t.Fatalf("event %d is %v", i, ch.Properties["name"])
		}
	}
}

// TestShutdownEndsStreams closes with fifty streams open and an idle connection.
func TestShutdownEndsStreams(t *testing.T) {
	e := startTCP(t, manyStreams)
	idle, err := net.Dial("tcp", e.addr) // as browsers do in advance
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	var streams []*stream
	for range 50 {
		streams = append(streams, e.listen(e.http, e.url, "tiles,incidents", ""))
	}
	for _, s := range streams {
		waitFor(t, "joined", func() bool { return len(s.of("lag")) > 0 })
	}
	e.incident("last words")
	waitFor(t, "delivered", func() bool { return len(streams[49].changes("incidents")) == 1 })
	// The budget is far above what it takes and far below what waiting for the
	// streams would take: they live for an hour.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.server.Shutdown(ctx); err != nil {
		t.Errorf("shutdown used its whole budget: %v", err)
	}
	for i, s := range streams {
		waitFor(t, fmt.Sprintf("stream %d ended", i), s.over)
		if len(s.changes("incidents")) != 1 {
			t.Errorf("stream %d lost its last event", i)
		}
	}
	if _, err := net.Dial("tcp", e.addr); err == nil {
		t.Error("the server still accepts connections")
	}
}

// TestStreamsEndByThemselves lets the life of a stream pass.
func TestStreamsEndByThemselves(t *testing.T) {
	e := startTCP(t, func(o *api.Options) { o.StreamLife = 300 * time.Millisecond })
	s := e.listen(e.http, e.url, "tiles", "")
	waitFor(t, "its life to end", s.over)
}

func TestStreamsAreBounded(t *testing.T) {
	e := startTCP(t, func(o *api.Options) { o.Streams = 2 })
	a := e.listen(e.http, e.url, "tiles", "")
	e.listen(e.http, e.url, "tiles", "")
	e.wantProblem(e.get("/api/live?topics=tiles"), 503, "overloaded")
	a.close()
	waitFor(t, "a place becomes free", func() bool { return strings.Contains(string(e.get("/metrics").body), "onemap_live_streams 1") })
	s := e.listen(e.http, e.url, "tiles", "")
	waitFor(t, "the next one joins", func() bool { return len(s.of("lag")) > 0 })
}

// TestEveryEventCanBeResumedFrom commits to several layers at once and resumes from
// the position inside each event: nothing of what came after it may be missing.
func TestEveryEventCanBeResumedFrom(t *testing.T) {
	e := start(t)
	s := e.listen(e.unlimited(), "http://localhost", "tiles,shelters", "")
	waitFor(t, "joined", func() bool { return len(s.of("lag")) > 0 })
	e.exec(`with a as (insert into hazards (name, geom) values ('h', st_setsrid(st_makepoint(119.25, 34.15), 4490))),
		b as (insert into teams (name, geom) values ('t', st_setsrid(st_makepoint(119.25, 34.15), 4490)))
		insert into shelters (name, geom) values ('s1', st_setsrid(st_makepoint(119.25, 34.15), 4490)), ('s2', st_setsrid(st_makepoint(119.25, 34.15), 4490))`)
	waitFor(t, "all of it", func() bool { return len(s.of("tiles")) == 3 && len(s.of("shelters")) == 2 })
	events := s.snapshot()
	for i, ev := range events {
		if ev.Name == "lag" {
			continue
		}
		var p struct{ Position string }
		if err := json.Unmarshal([]byte(ev.Data), &p); err != nil {
			t.Fatal(err)
		}
		for name, from := range map[string]string{"position": p.Position, "id": ev.ID} {
			again := e.listen(e.unlimited(), "http://localhost", "tiles,shelters", from)
			waitFor(t, "resumed", func() bool { return len(again.of("lag")) > 0 })
			got := map[string]bool{}
			for _, g := range again.snapshot() {
				got[g.Name+key(g)] = true
			}
			for _, later := range events[i+1:] {
				if later.Name != "lag" && !got[later.Name+key(later)] {
					t.Errorf("resumed from the %s of event %d (%s), %s %s is missing", name, i, ev.Name, later.Name, key(later))
				}
			}
			again.close()
		}
	}
}

// key is what an event is about.
func key(e sse) string {
	var d struct{ Layer, ID string }
	_ = json.Unmarshal([]byte(e.Data), &d)
	return d.Layer + d.ID
}
