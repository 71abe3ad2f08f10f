package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/valyala/fasthttp"
)

// BenchmarkCachedTile asks for one cached tile again and again over one connection;
// BenchmarkBare does the same with a handler that only writes the same bytes. Their
// quotient is what the server's own work costs.
func BenchmarkCachedTile(b *testing.B) {
	e := startTCP(b)
	e.county()
	hammer(b, e.addr, "/tiles/hazard_areas,hazards/12/3404/1634.mvt", e.credential())
}

func (e *env) credential() string { return "Cookie: onemap=" + e.cookie }

// BenchmarkCachedTileAnonymous is the same without a credential, of public layers.
func BenchmarkCachedTileAnonymous(b *testing.B) {
	e := startTCP(b)
	e.county()
	admin := e.admin()
	admin(`select layer_set_visibility('hazards', 'public'), layer_set_visibility('hazard_areas', 'public')`)
	const path = "/tiles/hazard_areas,hazards/12/3404/1634.mvt"
	waitFor(b, "the layers are public", func() bool { return e.get(path, nobody()...).StatusCode == 200 })
	hammer(b, e.addr, path)
}

// BenchmarkSignIn is a password over HTTP: mostly argon2id, on purpose.
func BenchmarkSignIn(b *testing.B) {
	e := start(b)
	for b.Loop() {
		if r := e.post("/api/session", `{"username":"zhang","password":"`+password+`"}`, nobody()...); r.StatusCode != 200 {
			b.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
}

// BenchmarkMe is an answer about oneself: what knowing who asks costs beside HTTP.
func BenchmarkMe(b *testing.B) {
	e := startTCP(b)
	hammer(b, e.addr, "/api/me", e.credential())
}

func BenchmarkCachedTileNotModified(b *testing.B) {
	e := startTCP(b)
	e.county()
	const path = "/tiles/hazard_areas,hazards/12/3404/1634.mvt"
	hammer(b, e.addr, path, "If-None-Match: "+e.get(path).Header.Get("ETag"), e.credential())
}

func BenchmarkBare(b *testing.B) {
	e := startTCP(b)
	e.county()
	tile := e.get("/tiles/hazard_areas,hazards/12/3404/1634.mvt", "Accept-Encoding", "gzip")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/vnd.mapbox-vector-tile")
		ctx.Response.Header.Set("Content-Encoding", "gzip")
		ctx.Response.Header.Set("ETag", tile.Header.Get("ETag"))
		ctx.Response.SetBodyRaw(tile.body)
	}}
	go func() { _ = srv.Serve(ln) }()
	b.Cleanup(func() { _ = ln.Close() })
	hammer(b, ln.Addr().String(), "/tiles/hazard_areas,hazards/12/3404/1634.mvt")
}

// hammer sends pipelines of requests, so that the server and not the round trip is
// measured.
func hammer(b *testing.B, addr, path string, headers ...string) {
	b.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	request := "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nUser-Agent: bench\r\nAccept: */*\r\n"
	for _, h := range headers {
		request += h + "\r\n"
	}
	request += "\r\n"
	r := bufio.NewReaderSize(c, 64<<10)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := io.WriteString(c, request); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 && resp.StatusCode != 304 {
			b.Fatal(resp.StatusCode, err)
		}
	}
}

// BenchmarkCommitToStream is the time from the return of a commit to the event at an
// open stream, among 200 streams. The writer does not wake the reader: this is the
// worst case, a foreign process that does not notify.
func BenchmarkCommitToStream(b *testing.B) {
	for _, wake := range []bool{false, true} {
		b.Run(fmt.Sprintf("wake=%v", wake), func(b *testing.B) {
			e := startTCP(b, manyStreams)
			var last *stream
			for range 200 {
				last = e.listen(e.http, e.url, "tiles", "")
			}
			waitFor(b, "joined", func() bool { return len(last.of("lag")) > 0 })
			seen := 0
			for b.Loop() {
				e.incident("x")
				if wake {
					e.feed.Wake()
				}
				seen++
				for last.count("tiles") < seen {
					last.wait()
				}
			}
		})
	}
}
