package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/valyala/fasthttp"

	"onemap/internal/api"
	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/cluster"
	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/registry"
	"onemap/tiles"
	"onemap/tiles/bench"
)

// benchCommand measures. It works on a cluster of its own under the data
// directory, so that nothing of an installation is touched.
func benchCommand(ctx context.Context, env environment, args []string) error {
	if len(args) == 0 {
		return usagef("tiles | hits | intake | live")
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "tiles":
		return benchTiles(ctx, env, rest)
	case "hits":
		return benchHits(ctx, env, rest)
	case "intake":
		return benchIntake(ctx, env, rest)
	case "live":
		return benchLive(ctx, env, rest)
	case "hits-client": // the other end of hits, a process of its own
		return benchClient(ctx, env, rest)
	default:
		return usagef("%q? tiles | hits | intake | live", verb)
	}
}

type benchFlags struct {
	*flags
	set   string
	dsn   string
	limit int
	json  bool
}

func newBenchFlags(env environment, name string) *benchFlags {
	f := &benchFlags{flags: newFlags(env, "bench "+name)}
	f.StringVar(&f.set, "set", filepath.Join("..", "shared", "bench"), "基准数据目录 · folder of dataset.sql and tiles.txt")
	f.StringVar(&f.dsn, "dsn", "", "在此 PostgreSQL 上测(本机,超级用户)· measure on this server of this machine, as its superuser")
	f.IntVar(&f.limit, "limit", 0, "只测前 N 张瓦片 · only the first N tiles")
	f.BoolVar(&f.json, "json", false, "输出 JSON · print JSON")
	return f
}

// server gives the PostgreSQL to measure on: --dsn, or a cluster of our own.
func (f *benchFlags) server(ctx context.Context, log *slog.Logger) (bench.Server, func(), error) {
	if f.dsn != "" {
		cfg, err := pgx.ParseConfig(f.dsn)
		if err != nil {
			return bench.Server{}, nil, usagef("--dsn: %w", err)
		}
		q := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
		dsn := func(database string) string {
			return fmt.Sprintf("host=%s port=%d user=%s password=%s dbname=%s", q(cfg.Host), cfg.Port, q(cfg.User), q(cfg.Password), q(database))
		}
		return bench.Server{DSN: dsn, AppDSN: dsn}, func() {}, nil
	}
	c, _, err := cluster.Join(ctx, cluster.Options{
		DataDir: filepath.Join(f.Data, "bench"), XDGRuntimeDir: f.env.getenv("XDG_RUNTIME_DIR"), Logger: log,
		// The data set is read, not kept: what it was made of is beside it.
		Settings: map[string]string{"shared_buffers": "512MB", "synchronous_commit": "off", "max_wal_size": "2GB"},
	})
	if err != nil {
		return bench.Server{}, nil, err
	}
	stop := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			log.Error("cluster stop", "err", err)
		}
	}
	as := func(role string) func(string) string {
		return func(database string) string { return c.DSN(database, role) }
	}
	return bench.Server{DSN: as(cluster.Superuser), AppDSN: as(cluster.AppRole)}, stop, nil
}

func (f *benchFlags) say(format string, args ...any) { fmt.Fprintf(f.env.stderr, format+"\n", args...) }

func benchTiles(ctx context.Context, env environment, args []string) error {
	f := newBenchFlags(env, "tiles")
	if rest, err := f.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	log, err := f.logger()
	if err != nil {
		return err
	}
	server, stop, err := f.server(ctx, log)
	if err != nil {
		return err
	}
	defer stop()
	report, err := bench.Run(ctx, bench.Options{Server: server, Set: f.set, Limit: f.limit, Say: f.say})
	if err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(env.stdout).Encode(report)
	}
	report.Print(env.stdout)
	return nil
}

// hitsReport compares a cached tile through the whole server with a bare handler
// that returns the same bytes. RatioBare is the share of the bare handler's
// requests per CPU second that the server reaches.
type hitsReport struct {
	TileBytes    int     `json:"tile_bytes"`
	Requests     int     `json:"requests"`
	BareMicros   float64 `json:"cpu_us_bare"`
	OursMicros   float64 `json:"cpu_us_hit"`
	Micros304    float64 `json:"cpu_us_304"`
	RatioBare    float64 `json:"ratio_bare"`
	RatioBare304 float64 `json:"ratio_bare_304"`
}

func benchHits(ctx context.Context, env environment, args []string) error {
	f := newBenchFlags(env, "hits")
	requests := f.Int("requests", 100_000, "每种的请求数 · requests of each kind")
	if rest, err := f.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	log, err := f.logger()
	if err != nil {
		return err
	}
	pg, stop, err := f.server(ctx, log)
	if err != nil {
		return err
	}
	defer stop()
	name, err := bench.Prepare(ctx, pg, f.set, f.say)
	if err != nil {
		return err
	}
	d, err := db.Open(ctx, db.Options{DSN: pg.AppDSN(name)})
	if err != nil {
		return err
	}
	defer d.Close()
	scratch, err := os.MkdirTemp("", "onemap-bench-")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(scratch)
	run := &hitsRun{env: env, requests: *requests, log: slog.New(slog.DiscardHandler), scratch: scratch}
	report, err := run.measure(ctx, d)
	if err != nil {
		return err
	}
	if f.json {
		return json.NewEncoder(env.stdout).Encode(report)
	}
	fmt.Fprintf(env.stdout, "%d 字节 · bytes a tile, %d requests of each kind, CPU of the serving process\n", report.TileBytes, report.Requests)
	fmt.Fprintf(env.stdout, "  bare fasthttp handler  %7.2f µs\n  cached tile            %7.2f µs   %.1f %% of bare\n  304                    %7.2f µs\n",
		report.BareMicros, report.OursMicros, 100*report.RatioBare, report.Micros304)
	return nil
}

type hitsRun struct {
	env      environment
	requests int
	log      *slog.Logger
	scratch  string // for what a server keeps beside its database
	cookie   string // of the session our server is asked in
}

func (h *hitsRun) measure(ctx context.Context, d *db.DB) (*hitsReport, error) {
	server, err := h.server(ctx, d)
	if err != nil {
		return nil, err
	}
	ours, stopOurs, err := listen(func(ln net.Listener) error { return server.Serve(ctx, ln) })
	if err != nil {
		return nil, err
	}
	defer stopOurs()
	// A tile of about 20 KB packed, as the published figures use.
	const path = "/tiles/bench_hazards,bench_roads,bench_zones/13/6633/3332.mvt"
	body, etag, err := fetch(ctx, ours+path, h.cookie)
	if err != nil {
		return nil, err
	}
	bareServer := &fasthttp.Server{Handler: func(c *fasthttp.RequestCtx) {
		c.Response.Header.SetContentType("application/vnd.mapbox-vector-tile")
		c.Response.SetBodyRaw(body)
	}, NoDefaultServerHeader: true}
	bare, stopBare, err := listen(bareServer.Serve)
	if err != nil {
		return nil, err
	}
	defer stopBare()

	r := &hitsReport{TileBytes: len(body), Requests: h.requests}
	// In turns, so that a noisy machine disturbs all alike; the first turn warms up.
	const turns = 5
	for turn := range turns + 1 {
		for _, m := range []struct {
			into *float64
			url  string
			etag string
		}{{&r.BareMicros, bare + path, ""}, {&r.OursMicros, ours + path, ""}, {&r.Micros304, ours + path, etag}} {
			cpu, err := h.load(ctx, m.url, m.etag, h.requests/turns)
			if err != nil {
				return nil, err
			}
			if turn > 0 {
				*m.into += float64(cpu.Microseconds()) / float64(h.requests/turns*turns)
			}
		}
	}
	r.RatioBare, r.RatioBare304 = r.BareMicros/r.OursMicros, r.BareMicros/r.Micros304
	return r, nil
}

// server is the server as serve wires it, and somebody signed in who asks it: a hit pays
// for finding out who it is.
func (h *hitsRun) server(ctx context.Context, d *db.DB) (*api.Server, error) {
	f := newServeFlags(h.env)
	f.Data = h.scratch
	a := &app{env: h.env, flags: f, log: h.log, started: time.Now(), db: &database{DB: d}}
	var err error
	if a.registry, err = registry.Open(ctx, d.Intake); err != nil {
		return nil, err
	}
	if a.reader, err = feed.Open(ctx, d, feed.Options{Logger: h.log}); err != nil {
		return nil, err
	}
	if a.auth, err = auth.Open(ctx, auth.Options{DB: d, Catalogue: a.registry, Logger: h.log}); err != nil {
		return nil, err
	}
	if a.audit, err = audit.Open(audit.Options{DB: d, Logger: h.log}); err != nil {
		return nil, err
	}
	if a.engine, err = tiles.New(tiles.Options{DB: d, Registry: a.registry, Feed: a.reader, Logger: h.log}); err != nil {
		return nil, err
	}
	if a.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer a.listener.Close() // it only gives the address links would have
	if err := a.openServer(); err != nil {
		return nil, err
	}
	by := auth.By{CLI: true, Agent: "bench", Request: "bench"}
	// The data set stays from run to run, and so do the people of the runs before.
	_, link, err := a.auth.AddUser(ctx, by, auth.NewAccount{Username: "bench" + strconv.FormatInt(time.Now().UnixNano(), 36), Name: "基准"}, auth.NewGrant{Role: auth.Commander, Reason: "基准测试"})
	if err != nil {
		return nil, err
	}
	opened, err := a.auth.Activate(ctx, auth.By{Identity: a.auth.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1"), Request: "bench"}, link.Token, "Bench-"+strconv.FormatInt(time.Now().UnixNano(), 36)+"!x")
	if err != nil {
		return nil, err
	}
	h.cookie = opened.Cookie
	return a.server, nil
}

func listen(serve func(net.Listener) error) (url string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("bench: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = serve(ln) // ends with an error when the listener closes
	}()
	return "http://" + ln.Addr().String(), func() { _ = ln.Close() }, nil
}

func fetch(ctx context.Context, url, cookie string) (body []byte, etag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, "", fmt.Errorf("bench: %w", err)
	}
	req.Header.Set("Accept-Encoding", "gzip") // set by hand, the body stays packed
	req.Header.Set("Cookie", "onemap="+cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("bench: %w", err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("bench: %s answers %s (%w)", url, resp.Status, err)
	}
	return body, resp.Header.Get("ETag"), nil
}

// load lets a process of its own send n requests and gives the CPU this process
// spent on them.
func (h *hitsRun) load(ctx context.Context, url, etag string, n int) (time.Duration, error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	cmd := exec.CommandContext(ctx, exe, "bench", "hits-client", url, strconv.Itoa(n), etag)
	cmd.Stderr = h.env.stderr
	cmd.Env = append(os.Environ(), benchCookie+"="+h.cookie) // not among the arguments, which everybody on the machine reads
	before, err := selfCPU()
	if err != nil {
		return 0, err
	}
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("bench: client: %w", err)
	}
	after, err := selfCPU()
	return after - before, err
}

func selfCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// benchCookie hands the session to the other end.
const benchCookie = "ONEMAP_BENCH_SESSION"

// benchClient sends requests over a few connections kept open, with as little
// work of its own as possible.
func benchClient(_ context.Context, env environment, args []string) error {
	if len(args) != 3 {
		return usagef("hits-client URL N ETAG")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return usagef("hits-client: %w", err)
	}
	host, path, _ := strings.Cut(strings.TrimPrefix(args[0], "http://"), "/")
	head := "GET /" + path + " HTTP/1.1\r\nHost: " + host + "\r\nAccept-Encoding: gzip\r\nCookie: onemap=" + env.getenv(benchCookie) + "\r\n"
	want := " 200 "
	if args[2] != "" {
		head += "If-None-Match: " + args[2] + "\r\n"
		want = " 304 "
	}
	const conns = 4
	errs := make([]error, conns)
	var wg sync.WaitGroup
	for i := range conns {
		wg.Go(func() { errs[i] = sendMany(host, []byte(head+"\r\n"), want, n/conns) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func sendMany(host string, request []byte, want string, n int) error {
	c, err := net.Dial("tcp", host)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 64<<10)
	for range n {
		if _, err := c.Write(request); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		length := 0
		for first := true; ; first = false {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return fmt.Errorf("bench: %w", err)
			}
			if first && !bytes.Contains(line, []byte(want)) {
				return fmt.Errorf("bench: %s answers %q", host, line)
			}
			if len(line) <= 2 {
				break
			}
			if v, ok := bytes.CutPrefix(bytes.ToLower(line), []byte("content-length:")); ok {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
					return fmt.Errorf("bench: %w", err)
				}
			}
		}
		if want == " 200 " {
			if _, err := r.Discard(length); err != nil {
				return fmt.Errorf("bench: %w", err)
			}
		}
	}
	return nil
}
