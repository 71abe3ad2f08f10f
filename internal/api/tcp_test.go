package api_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"onemap/internal/api"
	"onemap/internal/api/localca"
	"onemap/internal/db"
)

// tcpEnv serves the same server on a real socket too.
type tcpEnv struct {
	*env
	addr string
	url  string
	http *http.Client
}

func shortReads(o *api.Options) { o.ReadTimeout = 500 * time.Millisecond }

// manyStreams lets one session have as many as there are.
func manyStreams(o *api.Options) { o.StreamsEach = 2000 }

func shortPatience(o *api.Options) { o.Patience = 200 * time.Millisecond }

func startTCP(t testing.TB, change ...func(*api.Options)) *tcpEnv {
	t.Helper()
	return startTCPDB(t, db.Options{}, change...)
}

func startTCPDB(t testing.TB, pools db.Options, change ...func(*api.Options)) *tcpEnv {
	t.Helper()
	e := startDB(t, pools, change...)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = e.server.Serve(context.Background(), ln) }()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	scheme := "http"
	if e.opts.TLS != nil {
		scheme = "https"
	}
	return &tcpEnv{env: e, addr: ln.Addr().String(), url: scheme + "://" + ln.Addr().String(), http: &http.Client{Transport: asker{&http.Transport{}, e}}}
}

// slowLayer publishes a table whose every read takes a minute.
func (e *env) slowLayer() {
	e.t.Helper()
	admin := e.admin()
	admin(`create view slow as select 1::bigint as fid, 'slow'::text as name, st_setsrid(st_makepoint(119.25, 34.15), 4490) as geom from pg_sleep(60)`)
	admin(`grant select on slow to onemap_app`)
	admin(`insert into layer (layer, title_zh, title_en, theme, geometry, own, table_name, fid_column, label_field) values ('slow', '慢', 'Slow', 'admin', 'point', false, 'slow', 'fid', 'name')`)
	admin(`insert into layer_field (layer, name, type, title_zh, title_en, in_tile) values ('slow', 'name', 'text', '名称', 'Name', true)`)
	if err := e.reg.Reload(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
}

// sleeping counts the queries that wait in the database.
func (e *env) sleeping() int {
	e.t.Helper()
	var n int
	if err := e.conn.QueryRow(e.t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`).Scan(&n); err != nil {
		e.t.Fatal(err)
	}
	return n
}

// TestLeavingClientsStopTheirQueries opens real sockets, asks something slow, and
// hangs up. The query would take a minute; it must be gone long before.
func TestLeavingClientsStopTheirQueries(t *testing.T) {
	ca, err := localca.Open(localca.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.CertificatePEM())
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			e := startTCPDB(t, db.Options{QueryTimeout: time.Minute}, func(o *api.Options) {
				if secure {
					o.TLS = ca.TLSConfig()
				}
			})
			e.slowLayer()
			dial := func() net.Conn {
				c, err := net.Dial("tcp", e.addr)
				if err == nil && secure {
					tc := tls.Client(c, &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12})
					c, err = tc, tc.Handshake()
				}
				if err != nil {
					t.Fatal(err)
				}
				return c
			}
			cookie := "onemap"
			if secure {
				cookie = "__Host-onemap"
			}
			for _, path := range []string{"/ogc/collections/slow/items", "/tiles/slow/12/3404/1634.mvt", "/api/identify?lon=119.25&lat=34.15&layers=slow"} {
				c := dial()
				if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nCookie: "+cookie+"="+e.cookie+"\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				waitFor(t, path+" asks the database", func() bool { return e.sleeping() == 1 })
				_ = c.Close()
				waitFor(t, path+" is cancelled", func() bool { return e.sleeping() == 0 })
			}
			// A pipelined request behind the slow one must not hide the hang-up.
			c := dial()
			if _, err := io.WriteString(c, "GET /ogc/collections/slow/items HTTP/1.1\r\nHost: localhost\r\nCookie: "+cookie+"="+e.cookie+"\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "the first asks", func() bool { return e.sleeping() == 1 })
			if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
			waitFor(t, "with a request behind it, it is cancelled", func() bool { return e.sleeping() == 0 })
			if st := e.db.Query.Stat(); st.NewConnsCount() > int64(st.MaxConns())+1 {
				t.Errorf("cancelling cost %d connections", st.NewConnsCount())
			}
		})
	}
}

// TestWatchedConnectionsLiveOn asks waiting questions again and again over one
// connection: the watch must hand the socket back each time.
func TestWatchedConnectionsLiveOn(t *testing.T) {
	e := startTCP(t)
	e.county()
	c, err := net.Dial("tcp", e.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for i := range 300 {
		if _, err := io.WriteString(c, "GET /api/search?q=%E6%B8%85%E6%B2%B3 HTTP/1.1\r\nHost: localhost\r\nCookie: onemap="+e.cookie+"\r\n\r\n"); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			t.Fatalf("request %d: %d, %v", i, resp.StatusCode, err)
		}
	}
}
