package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
)

// endless is a body that goes on until n bytes were taken.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left, 64<<10)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return int(n), nil
}

// TestUploads: a file goes to the disk as it comes, is refused by what it announces or by
// what it turns out to be, and leaves nothing behind.
func TestUploads(t *testing.T) {
	e := start(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	e.county()
	planner := e.desk("gui.hua", "规划员", auth.Planner, ownArea)
	viewer := e.desk("cha.kan", "查看人", auth.Viewer, ownArea)
	send := func(d desk, body io.Reader, headers ...string) reply {
		t.Helper()
		return e.send("POST", "/api/plan-imports?name=a.zip", body, append(append(session(d.cookie), "Sec-Fetch-Site", "same-origin", "Content-Type", "application/zip"), headers...)...)
	}
	// 20 MB in chunks of unknown number, which is no archive.
	if r := send(planner, &endless{left: 20 << 20}); r.StatusCode != 422 {
		t.Errorf("20 MB that are no archive: %d %.300s", r.StatusCode, r.body)
	}
	cookie := strings.TrimPrefix(session(planner.cookie)[1], "onemap=")
	for _, c := range []struct {
		what, cookie string
		status       int
	}{{"300 MB announced", cookie, 413}, {"300 MB of nobody", "", 401}, {"300 MB of a reader", viewer.cookie, 403}} {
		head := "POST /api/plan-imports HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/zip\r\nContent-Length: 314572800\r\n"
		if c.cookie != "" {
			head += "Cookie: onemap=" + c.cookie + "\r\n"
		}
		if resp, _ := e.raw(head + "\r\n"); resp.StatusCode != c.status || !resp.Close {
			t.Errorf("%s: %d, connection closed %v", c.what, resp.StatusCode, resp.Close)
		}
	}
	// Who may not is told so without his file being read.
	head := fmt.Sprintf("POST /api/plan-imports HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/zip\r\nCookie: onemap=%s\r\nContent-Length: 100000000\r\n\r\n%s", viewer.cookie, strings.Repeat("x", 16<<10))
	if resp, _ := e.raw(head); resp.StatusCode != 403 || !resp.Close {
		t.Errorf("a reader's file: %d, connection closed %v", resp.StatusCode, resp.Close)
	}
	// Half a file is none.
	if r := planner.ask("GET", "/healthz", ""); r.StatusCode != 200 {
		t.Errorf("after all that: %d", r.StatusCode)
	}
	left, err := filepath.Glob(filepath.Join(dir, "onemap-upload-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

// Who sends what is too large reads why, however slow his line: the connection is not cut
// while he sends.
func TestRefusedWhileSending(t *testing.T) {
	e := startTCP(t)
	e.county()
	worker := e.desk("wang.ge", "网格员", auth.GridWorker, ownArea)
	const size = 10 << 20
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(c, "POST /api/sync HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nCookie: onemap=%s\r\nContent-Length: %d\r\n\r\n",
		strings.TrimPrefix(session(worker.cookie)[1], "onemap="), size)
	if err != nil {
		t.Fatal(err)
	}
	part := []byte(strings.Repeat("x", size/16))
	for i := range 16 {
		if _, err := c.Write(part); err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 413 || !resp.Close {
		t.Errorf("%d, connection closed %v", resp.StatusCode, resp.Close)
	}
}
