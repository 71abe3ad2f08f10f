package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// raw sends bytes as they are and reads one answer.
func (e *env) raw(request string) (*http.Response, string) {
	e.t.Helper()
	c, err := e.mem.DialWithLocalAddr(loopback())
	if err != nil {
		e.t.Fatal(err)
	}
	defer c.Close()
	// The server may answer and close before it read everything.
	go func() { _, _ = io.WriteString(c, request) }()
	_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		e.t.Fatalf("%.60q: %v", request, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

// TestHostileRequests sends what two programs in a row could read differently, and
// what is no request at all. After each the server still answers.
func TestHostileRequests(t *testing.T) {
	e := start(t)
	const host = "Host: localhost\r\n"
	huge := strings.Repeat("a", 70<<10)
	many := strings.Builder{}
	for i := range 1000 {
		fmt.Fprintf(&many, "X-%d: 1\r\n", i)
	}
	hundred := strings.Builder{}
	for i := range 120 {
		fmt.Fprintf(&hundred, "X-%d: 1\r\n", i)
	}
	for _, c := range []struct {
		name    string
		request string
		want    []int
	}{
		{"two content lengths", "GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", []int{400}},
		{"content length and chunked", "GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
		{"chunked and content length", "POST /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", []int{400}},
		{"chunk extension with a bare line feed", "GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n1;a\nX\r\n0\r\n\r\n", []int{400}},
		{"negative length", "GET /healthz HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", []int{400}},
		{"chunked in HTTP/1.0", "GET /healthz HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
		{"a folded header", "GET /healthz HTTP/1.1\r\n" + host + "X-A: 1\r\n 2\r\n\r\n", []int{400}},
		{"a header folded with a tab", "GET /healthz HTTP/1.1\r\n" + host + "X-A: 1\r\n\tX-B: 2\r\n\r\n", []int{400}},
		{"a first header that is folded", "GET /healthz HTTP/1.1\r\n X-A: 1\r\n" + host + "\r\n", []int{400}},
		{"space before the colon", "GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n", []int{400}},
		{"no host", "GET /api/about HTTP/1.1\r\n\r\n", []int{400, 503}},
		{"two hosts", "GET /api/about HTTP/1.1\r\n" + host + "Host: evil.example\r\n\r\n", []int{400, 503}},
		{"absolute form", "GET http://localhost/api/about HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"authority form", "CONNECT localhost:80 HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"asterisk form", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"header of 70 kB", "GET /healthz HTTP/1.1\r\n" + host + "X-Big: " + huge + "\r\n\r\n", []int{431}},
		{"a thousand headers", "GET /healthz HTTP/1.1\r\n" + host + many.String() + "\r\n", []int{431}},
		{"a hundred headers", "GET /healthz HTTP/1.1\r\n" + host + hundred.String() + "\r\n", []int{431}},
		{"address of 70 kB", "GET /" + huge + " HTTP/1.1\r\n" + host + "\r\n", []int{414, 431}},
		{"address of 13 kB", "GET /api/search?q=" + huge[:13<<10] + " HTTP/1.1\r\n" + host + "\r\n", []int{414}},
		{"a body on GET", "GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 2\r\n\r\nab", []int{400}},
		{"a body above the limit", "POST /healthz HTTP/1.1\r\n" + host + "Content-Length: 100000\r\n\r\n" + strings.Repeat("b", 100000), []int{413}},
		{"method FOO", "FOO /api/about HTTP/1.1\r\n" + host + "\r\n", []int{405}},
		{"double slash", "GET //admin HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"double slash inside", "GET /api//about HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"escaped slash and dots", "GET /a/..%2fapi/about HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"dots", "GET /a/../api/about HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"escaped dots", "GET /a/%2e%2e/api/about HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"a dot", "GET /api/./about HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"backslash", "GET /api\\about HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"escaped backslash", "GET /api%5cabout HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"NUL in the path", "GET /ogc/collections/a%00b HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"broken UTF-8 in the path", "GET /ogc/collections/%ff%fe HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"broken escape", "GET /ogc/collections/%zz HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"overlong dot", "GET /%c0%ae%c0%ae/etc/passwd HTTP/1.1\r\n" + host + "\r\n", []int{400}},
		{"trailing slash is another path", "GET /api/about/ HTTP/1.1\r\n" + host + "\r\n", []int{404}},
		{"upper case is another path", "GET /API/about HTTP/1.1\r\n" + host + "\r\n", []int{404}},
		{"not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
		{"CR in a header", "GET /healthz HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", []int{200, 400}},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := e.raw(c.request)
			ok := false
			for _, w := range c.want {
				ok = ok || resp.StatusCode == w
			}
			if !ok {
				t.Errorf("answered %d, want %v: %.200s", resp.StatusCode, c.want, body)
			}
			if resp.StatusCode >= 400 && !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
				t.Errorf("%d is no problem document: %.100s", resp.StatusCode, body)
			}
			if strings.Contains(body, "aaaaaaaa") {
				t.Error("the answer quotes the request")
			}
			if r := e.get("/healthz"); r.StatusCode != 200 {
				t.Errorf("afterwards /healthz answers %d", r.StatusCode)
			}
		})
	}
	if l := e.logs.String(); strings.Contains(l, "aaaaaaaa") || strings.Contains(l, "evil.example") {
		t.Errorf("the log quotes requests: %.300s", l)
	}
}

// TestSmuggledRequestIsNotAnswered proves that what follows a request whose framing
// is in doubt is never read as a request of its own.
func TestSmuggledRequestIsNotAnswered(t *testing.T) {
	e := start(t)
	c, err := e.mem.DialWithLocalAddr(loopback())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
	go func() {
		_, _ = io.WriteString(c, "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /api/about HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}()
	all, _ := io.ReadAll(c)
	if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 {
		t.Errorf("%d answers to one doubtful request: %.400s", n, all)
	}
}

// TestSlowlorisIsClosed opens sockets that never finish their request.
func TestSlowlorisIsClosed(t *testing.T) {
	e := startTCP(t, shortReads)
	var conns []net.Conn
	for range 40 {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	if r := e.get("/healthz"); r.StatusCode != 200 {
		t.Errorf("with slow clients open /healthz answers %d", r.StatusCode)
	}
	for i, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatalf("socket %d was not closed: %v", i, err)
		}
		if !strings.Contains(string(b), " 408 ") {
			t.Errorf("socket %d was told %.60q", i, b)
		}
	}
}
