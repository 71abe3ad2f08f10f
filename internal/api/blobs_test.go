package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/blobs"
)

// put sends a piece of a photo.
func (e *env) put(name string, all []byte, from, to int, headers ...string) reply {
	e.t.Helper()
	h := append([]string{"Content-Type", "image/jpeg", "Sec-Fetch-Site", "same-origin", "Upload-Offset", strconv.Itoa(from), "Upload-Length", strconv.Itoa(len(all))}, headers...)
	return e.send("PUT", "/api/blobs/"+name, bytes.NewReader(all[from:to]), h...)
}

func (e *env) wantState(r reply, status int, offset int, complete bool) {
	e.t.Helper()
	var st struct {
		SHA256   string
		Offset   int
		Complete bool
	}
	if r.StatusCode != status || json.Unmarshal(r.body, &st) != nil || st.Offset != offset || st.Complete != complete || r.Header.Get("Upload-Offset") != strconv.Itoa(offset) {
		e.t.Errorf("%d %s, want %d at %d, complete %v", r.StatusCode, r.body, status, offset, complete)
	}
}

// A photo travels in pieces over a bad line, is given to who may see it, and to nobody else.
func TestPhotoOverHTTP(t *testing.T) {
	e := start(t)
	e.county()
	body, name := picture(90, 300, "QZTAIL")
	half := len(body) / 2
	if r := e.do("HEAD", "/api/blobs/"+name); r.StatusCode != 404 {
		t.Errorf("before: %d", r.StatusCode)
	}
	e.wantState(e.put(name, body, 0, half), 200, half, false)
	if r := e.do("HEAD", "/api/blobs/"+name); r.StatusCode != 200 || r.Header.Get("Upload-Offset") != strconv.Itoa(half) || r.Header.Get("Upload-Length") != "" {
		t.Errorf("half: %d %v", r.StatusCode, r.Header)
	}
	e.wantProblem(e.get("/api/blobs/"+name), 404, "not_found")
	r := e.put(name, body, 0, half)
	e.wantProblem(r, 409, "wrong_offset")
	if r.Header.Get("Upload-Offset") != strconv.Itoa(half) {
		t.Errorf("the right offset is not said: %v", r.Header)
	}
	r = e.post("/api/blobs/missing", `{"sha256":["`+name+`","`+noPhoto+`"]}`)
	if want := fmt.Sprintf(`{"missing":[{"sha256":%q,"offset":%d,"complete":false},{"sha256":%q,"offset":0,"complete":false}]}`, name, half, noPhoto); r.StatusCode != 200 || string(r.body) != want {
		t.Errorf("missing: %d %s", r.StatusCode, r.body)
	}
	e.wantState(e.put(name, body, half, len(body)), 201, len(body), true)
	e.wantState(e.put(name, body, 0, half), 201, len(body), true) // repeated
	if r = e.post("/api/blobs/missing", `{"sha256":["`+name+`"]}`); string(r.body) != `{"missing":[]}` {
		t.Errorf("missing: %s", r.body)
	}

	r = e.get("/api/blobs/" + name)
	h := r.Header
	if r.StatusCode != 200 || !bytes.Equal(r.body, body) || h.Get("Content-Type") != "image/jpeg" || h.Get("ETag") != `"`+name+`"` ||
		!strings.HasPrefix(h.Get("Cache-Control"), "private") || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") ||
		!strings.HasPrefix(h.Get("Content-Disposition"), "inline") || !strings.Contains(strings.Join(h.Values("Vary"), ","), "Cookie") || h.Get("Content-Encoding") != "" {
		t.Errorf("%d, %d bytes, %v", r.StatusCode, len(r.body), h)
	}
	if r = e.get("/api/blobs/"+name, "If-None-Match", `"`+name+`"`); r.StatusCode != 304 || len(r.body) != 0 {
		t.Errorf("again: %d", r.StatusCode)
	}
	r = e.get("/api/blobs/" + name + "?size=320")
	if _, err := jpeg.Decode(bytes.NewReader(r.body)); r.StatusCode != 200 || err != nil || bytes.Contains(r.body, []byte("QZTAIL")) || r.Header.Get("ETag") == `"`+name+`"` {
		t.Errorf("small: %d, %v", r.StatusCode, err)
	}
	e.wantProblem(e.get("/api/blobs/"+name+"?size=5000"), 400, "invalid_parameter")
	for _, c := range []struct {
		header, value string
		status        int
		from, to      int
	}{
		{"bytes=0-9", "", 206, 0, 10}, {"bytes=10-", "", 206, 10, len(body)}, {"bytes=-5", "", 206, len(body) - 5, len(body)}, {"bytes=5-99999999", "", 206, 5, len(body)},
		{"bytes=10-", `"` + name + `"`, 206, 10, len(body)}, {"bytes=10-", `"other"`, 200, 0, len(body)}, {"bytes=0-1,3-4", "", 200, 0, len(body)},
		{"bytes=9-3", "", 200, 0, len(body)}, {"lines=1-2", "", 200, 0, len(body)}, {"bytes=99999999-", "", 416, 0, 0}, {"bytes=-0", "", 416, 0, 0}, {"bytes=+1-2", "", 200, 0, len(body)},
	} {
		hs := []string{"Range", c.header}
		if c.value != "" {
			hs = append(hs, "If-Range", c.value)
		}
		r := e.get("/api/blobs/"+name, hs...)
		if r.StatusCode != c.status || !bytes.Equal(r.body, body[c.from:c.to]) {
			t.Errorf("%s %s: %d, %d bytes", c.header, c.value, r.StatusCode, len(r.body))
		}
		if want := fmt.Sprintf("bytes %d-%d/%d", c.from, c.to-1, len(body)); c.status == 206 && r.Header.Get("Content-Range") != want {
			t.Errorf("%s: Content-Range %q, want %q", c.header, r.Header.Get("Content-Range"), want)
		}
	}

	// A colleague of the township sees it by the record; when his grant ends, no more.
	var id string
	if err := e.conn.QueryRow(t.Context(), `select id::text from hazards where code = 'DZ0001'`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	w := &world{env: e}
	by := w.identity(e.cookie)
	_, link, err := e.auth.AddUser(t.Context(), cli(), auth.NewAccount{Username: "liwang", Name: "李网格", Unit: "990100"}, auth.NewGrant{Role: auth.GridWorker, Area: "990100001", Reason: "测试授权"})
	if err != nil {
		t.Fatal(err)
	}
	colleague := session(e.activate(link))
	e.wantProblem(e.get("/api/blobs/"+name, colleague...), 404, "not_found")
	e.refer(by, name, "hazards", id)
	if r := e.get("/api/blobs/"+name, colleague...); r.StatusCode != 200 || !bytes.Equal(r.body, body) {
		t.Errorf("the colleague: %d", r.StatusCode)
	}
	// Many read while the right is taken away: each gets the whole photo or none of it.
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				r := e.get("/api/blobs/"+name, colleague...)
				if !(r.StatusCode == 200 && bytes.Equal(r.body, body)) && r.StatusCode != 404 && r.StatusCode != 401 && r.StatusCode != 403 {
					t.Errorf("while the right goes: %d, %d bytes", r.StatusCode, len(r.body))
				}
			}
		})
	}
	grants, err := e.auth.Grants(t.Context(), cli(), auth.GrantQuery{Account: w.identity(strings.TrimPrefix(colleague[1], "onemap=")).Account})
	if err != nil || len(grants.Grants) != 1 {
		t.Fatal(grants, err)
	}
	if err := e.auth.RevokeGrant(t.Context(), cli(), grants.Grants[0].ID, "测试"); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	e.settle()
	for _, headers := range [][]string{colleague, append([]string{"If-None-Match", `"` + name + `"`}, colleague...), append([]string{"Range", "bytes=0-1"}, colleague...)} {
		e.wantProblem(e.get("/api/blobs/"+name, headers...), 404, "not_found")
	}
}

func TestBadPhotos(t *testing.T) {
	e := start(t)
	body, name := picture(91, 64, "")
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	bomb := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xc3\x50\x00\x00\xc3\x50\x08\x02\x00\x00\x00")
	page := []byte("<!DOCTYPE html><script>alert(document.cookie)</script>")
	svg := []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`)
	for _, c := range []struct {
		what   string
		r      reply
		status int
		code   string
	}{
		{"wrong hash", e.put(noPhoto, body, 0, len(body)), 422, "wrong_hash"},
		{"a bomb", e.put(sum(bomb), bomb, 0, len(bomb)), 422, "too_many_pixels"},
		{"HTML", e.put(sum(page), page, 0, len(page)), 422, "not_an_image"},
		{"SVG", e.put(sum(svg), svg, 0, len(svg)), 422, "not_an_image"},
		{"21 MB", e.put(name, body, 0, 10, "Upload-Length", strconv.Itoa(21<<20)), 413, "too_large"},
		{"a piece of 5 MB", e.put(name, make([]byte, 5<<20), 0, 5<<20), 413, "too_large"},
		{"no length", e.put(name, body, 0, 10, "Upload-Length", ""), 422, "wrong_length"},
		{"a length that is none", e.put(name, body, 0, 10, "Upload-Length", "-5"), 400, "invalid_parameter"},
		{"an offset that is none", e.put(name, body, 0, 10, "Upload-Offset", "0x10"), 400, "invalid_parameter"},
		{"a number without end", e.put(name, body, 0, 10, "Upload-Offset", strings.Repeat("9", 40)), 400, "invalid_parameter"},
		{"shorter than the piece", e.put(name, body, 0, 10, "Upload-Length", "5"), 422, "wrong_length"},
		{"JSON", e.put(name, body, 0, 10, "Content-Type", "application/json"), 415, "unsupported_type"},
		{"a form", e.put(name, body, 0, 10, "Content-Type", "multipart/form-data; boundary=x"), 415, "unsupported_type"},
		{"packed", e.put(name, body, 0, 10, "Content-Encoding", "gzip"), 415, "unsupported_type"},
		{"capital letters", e.put(strings.ToUpper(name), body, 0, 10), 422, "bad_hash_name"},
		{"a name that is none", e.put("x", body, 0, 10), 422, "bad_hash_name"},
		{"nobody", e.put(name, body, 0, 10, "As", "nobody"), 401, "not_signed_in"},
		{"from another site", e.put(name, body, 0, 10, "Sec-Fetch-Site", "cross-site"), 403, "cross_site"},
		{"no such names", e.post("/api/blobs/missing", `{"sha256":["x"]}`), 422, "bad_hash_name"},
		{"too many names", e.post("/api/blobs/missing", `{"sha256":["`+strings.Repeat(name+`","`, 1000)+`x"]}`), 422, "invalid"},
	} {
		if c.r.StatusCode != c.status || !strings.Contains(string(c.r.body), `"code":"`+c.code+`"`) {
			t.Errorf("%s: %d %s, want %d %s", c.what, c.r.StatusCode, c.r.body, c.status, c.code)
		}
	}
	if r := e.do("HEAD", "/api/blobs/"+name); r.StatusCode != 404 {
		t.Errorf("something of it is here: %d %v", r.StatusCode, r.Header)
	}
	if r := e.put(name, body, 0, len(body)); r.StatusCode != 201 {
		t.Errorf("afterwards a good one: %d %s", r.StatusCode, r.body)
	}
}

// What arrived of a piece before the line broke is kept: on a line that never carries a
// whole piece the photo arrives all the same.
func TestLineBreaksInAPiece(t *testing.T) {
	e := start(t)
	body, name := picture(92, 2000, "")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = e.server.Serve(t.Context(), ln) }()
	at := func() int {
		n, _ := strconv.Atoi(e.do("HEAD", "/api/blobs/"+name).Header.Get("Upload-Offset"))
		return n
	}
	breaks := 0
	for at() < len(body) {
		from := at()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "PUT /api/blobs/%s HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\nCookie: onemap=%s\r\nContent-Type: image/jpeg\r\nUpload-Offset: %d\r\nUpload-Length: %d\r\nContent-Length: %d\r\n\r\n",
			name, e.cookie, from, len(body), min(len(body)-from, blobs.MaxPiece))
		end := min(from+25_000, len(body))
		if _, err := conn.Write(body[from:end]); err != nil {
			t.Fatal(err)
		}
		if end == len(body) {
			if r, err := io.ReadAll(io.LimitReader(conn, 12)); err != nil || string(r) != "HTTP/1.1 201" {
				t.Errorf("the last piece: %q, %v", r, err)
			}
		}
		conn.Close()
		breaks++
		waitFor(t, "what came is kept", func() bool { return at() > from })
		if breaks > 200 {
			t.Fatal("it does not end")
		}
	}
	if r := e.get("/api/blobs/" + name); r.StatusCode != 200 || !bytes.Equal(r.body, body) || breaks < 5 {
		t.Errorf("%d, %d of %d bytes after %d broken lines", r.StatusCode, len(r.body), len(body), breaks)
	}
}

// A pack is told before it is downloaded, goes on where a download broke off, and is gone
// with the right to it.
func TestPackOverHTTP(t *testing.T) {
	e := start(t)
	e.county()
	e.exec(`insert into admin (dataset, source_key, code, admin_code, name, rank, parent_code, geom)
		select id, 'v', '990100001001', '990100001001', '清河村', 5, '990100001', st_setsrid(st_makeenvelope(119.22, 34.14, 119.24, 34.16), 4490) from dataset where name = 'test'`)
	e.settle()
	var list struct{ Packs []map[string]any }
	e.json("/api/packs", &list)
	if len(list.Packs) != 2 || list.Packs[0]["area"] != "990100001" || list.Packs[0]["ready"] != false {
		t.Errorf("packs: %v", list.Packs)
	}
	e.wantProblem(e.get("/api/packs/990100"), 422, "area_too_large")
	const url = "/api/packs/990100001001"
	e.wantProblem(e.get(url, "As", "nobody"), 401, "not_signed_in")
	e.wantProblem(e.get("/api/packs/990100009001"), 404, "not_found")
	r := e.get(url + "/tiles.pmtiles")
	e.wantProblem(r, 503, "pack_making")
	if r.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to come back")
	}
	var info struct {
		Bytes, Tiles int
		ETag         string
		Ready        bool
		MadeAt       time.Time `json:"made_at"`
	}
	waitFor(t, "the pack is made", func() bool {
		r := e.get(url)
		if r.StatusCode != 200 && r.StatusCode != 202 || json.Unmarshal(r.body, &info) != nil || info.Tiles == 0 || info.Bytes == 0 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		return r.StatusCode == 200 && info.Ready
	})
	whole := e.get(url + "/tiles.pmtiles")
	if whole.StatusCode != 200 || len(whole.body) != info.Bytes || whole.Header.Get("ETag") != info.ETag || !bytes.HasPrefix(whole.body, []byte("PMTiles\x03")) || whole.Header.Get("Content-Type") != "application/vnd.pmtiles" || whole.Header.Get("Accept-Ranges") != "bytes" {
		t.Fatalf("%d, %d of %d bytes, %v", whole.StatusCode, len(whole.body), info.Bytes, whole.Header)
	}
	rest := e.get(url+"/tiles.pmtiles", "Range", fmt.Sprintf("bytes=%d-", info.Bytes/2), "If-Range", info.ETag)
	if rest.StatusCode != 206 || !bytes.Equal(rest.body, whole.body[info.Bytes/2:]) {
		t.Errorf("the rest: %d, %d bytes", rest.StatusCode, len(rest.body))
	}
	if r := e.get(url+"/tiles.pmtiles", "If-None-Match", info.ETag); r.StatusCode != 304 {
		t.Errorf("the same: %d", r.StatusCode)
	}
	if r := e.do("HEAD", url+"/tiles.pmtiles"); r.StatusCode != 200 || r.ContentLength != int64(info.Bytes) {
		t.Errorf("HEAD: %d, %d bytes", r.StatusCode, r.ContentLength)
	}
	// The right goes, and the pack with it.
	w := &world{env: e}
	by := w.identity(e.cookie)
	if err := e.auth.RevokeGrant(t.Context(), cli(), by.Grants[0].ID, "测试"); err != nil {
		t.Fatal(err)
	}
	e.settle()
	for _, path := range []string{url, url + "/tiles.pmtiles"} {
		e.wantProblem(e.get(path, "If-Range", info.ETag, "Range", "bytes=0-9", "If-None-Match", info.ETag), 404, "not_found")
	}
}
