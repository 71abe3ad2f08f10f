package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/internal/api"
	"onemap/internal/features"
	"onemap/internal/registry"
)

// keeper keeps what handlers were given, as a cache or a log would.
type keeper struct {
	api.Questions
	mu   sync.Mutex
	kept []string
}

func (k *keeper) Search(_ context.Context, _ features.Asker, q features.SearchQuery) ([]features.Found, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, q.Text)
	return nil, nil
}

// TestNothingKeptIsOverwritten: fasthttp reuses a request's memory for the next one
// on the connection; what handlers keep must stay.
func TestNothingKeptIsOverwritten(t *testing.T) {
	k := &keeper{}
	e := startTCP(t, func(o *api.Options) { k.Questions = o.Features; o.Features = k })
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	var want []string
	for i := range 50 {
		text := fmt.Sprintf("value%02d", i)
		want = append(want, text)
		if _, err := io.WriteString(c, "GET /api/search?q="+text+" HTTP/1.1\r\nHost: localhost\r\n"+e.credential()+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
	}
	if got := strings.Join(k.kept, " "); got != strings.Join(want, " ") {
		t.Errorf("kept %s", got)
	}
}

// TestStreamsOutliveTheWriteTimeout: it is set per response and would cut a stream.
func TestStreamsOutliveTheWriteTimeout(t *testing.T) {
	e := startTCP(t, func(o *api.Options) {
		o.WriteTimeout, o.ReadTimeout, o.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	})
	s := e.listen(e.http, e.url, "tiles", "")
	waitFor(t, "joined", func() bool { return len(s.of("lag")) > 0 })
	time.Sleep(time.Second)
	e.incident("late")
	waitFor(t, "an event after all timeouts passed", func() bool { return len(s.of("tiles")) > 0 })
}

// TestShutdownFinishesRequestsUnderWay and refuses new ones.
func TestShutdownFinishesRequestsUnderWay(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	e := startTCP(t, func(o *api.Options) {
		o.Features = faulty{o.Features, func(context.Context) ([]features.Found, error) {
			close(entered)
			<-leave
			return nil, nil
		}}
	})
	result := make(chan int, 1)
	go func() {
		resp, err := e.http.Get(e.url + "/api/search?q=x")
		if err != nil {
			result <- 0
			return
		}
		resp.Body.Close()
		result <- resp.StatusCode
	}()
	<-entered
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		ended <- e.server.Shutdown(ctx)
	}()
	waitFor(t, "no new connections", func() bool {
		c, err := net.Dial("tcp", e.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	close(leave)
	if code := <-result; code != 200 {
		t.Errorf("the request under way ended with %d", code)
	}
	if err := <-ended; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

// TestShutdownCancelsWhatDoesNotEnd when its time is up.
func TestShutdownCancelsWhatDoesNotEnd(t *testing.T) {
	entered, cancelled := make(chan struct{}), make(chan struct{})
	e := startTCP(t, func(o *api.Options) {
		o.Features = faulty{o.Features, func(ctx context.Context) ([]features.Found, error) {
			close(entered)
			<-ctx.Done()
			close(cancelled)
			return nil, ctx.Err()
		}}
	})
	go func() { _, _ = e.http.Get(e.url + "/api/search?q=x") }()
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := e.server.Shutdown(ctx); err == nil {
		t.Error("shutdown does not say that it had to cut a request off")
	}
	<-cancelled
}

// brittle panics when live events ask for their rows.
type brittle struct {
	api.Questions
	mu     sync.Mutex
	broken bool
}

func (b *brittle) ByIDs(ctx context.Context, who features.Asker, l *registry.Layer, ids [][16]byte) (map[int64]features.Feature, error) {
	b.mu.Lock()
	broken := b.broken
	b.mu.Unlock()
	if broken {
		panic("encodeGeometry: empty ring")
	}
	return b.Questions.ByIDs(ctx, who, l, ids)
}

// TestPanicInDeliveryLosesNothing: the streams end, the process does not, and who
// comes back gets what it missed.
func TestPanicInDeliveryLosesNothing(t *testing.T) {
	b := &brittle{}
	e := startTCP(t, func(o *api.Options) { b.Questions = o.Features; o.Features = b })
	s := e.listen(e.http, e.url, "incidents", "")
	waitFor(t, "joined", func() bool { return len(s.of("lag")) > 0 })
	b.mu.Lock()
	b.broken = true
	b.mu.Unlock()
	e.incident("hard")
	waitFor(t, "the stream ends", s.over)
	b.mu.Lock()
	b.broken = false
	b.mu.Unlock()
	again := e.listen(e.http, e.url, "incidents", s.last())
	waitFor(t, "the event comes after all", func() bool { return len(again.changes("incidents")) == 1 })
}

// TestFormsAreNotParsed: a form is a body like any other, and no path takes one.
func TestFormsAreNotParsed(t *testing.T) {
	e := start(t)
	resp, body := e.raw("POST /api/layers HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n--b--\r\n\r\n")
	if resp.StatusCode != 405 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestDeadDatabaseIsSaid: without a database questions are 503, never 500, and the
// server goes on.
func TestDeadDatabaseIsSaid(t *testing.T) {
	e := start(t)
	e.county()
	admin := e.admin()
	admin(`revoke connect on database ` + e.dsn.Name + ` from public`)
	admin(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'onemap_app' and datname = current_database()`)
	waitFor(t, "questions are refused", func() bool { return e.get("/ogc/collections/hazards/items").StatusCode != 200 })
	for range 3 {
		r := e.get("/ogc/collections/hazards/items")
		e.wantProblem(r, 503, "unavailable")
	}
	if r := e.get("/healthz"); r.StatusCode != 200 {
		t.Errorf("healthz %d", r.StatusCode)
	}
	if r := e.get("/readyz"); r.StatusCode != 503 {
		t.Errorf("readyz %d", r.StatusCode)
	}
	admin(`grant connect on database ` + e.dsn.Name + ` to public`)
	waitFor(t, "it heals", func() bool { return e.get("/ogc/collections/hazards/items").StatusCode == 200 })
	waitFor(t, "it is ready", func() bool { return e.get("/readyz").StatusCode == 200 })
}
