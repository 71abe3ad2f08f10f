package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"onemap/internal/auth"
)

// liveReport is what a burst found: what was acknowledged, what reached every screen, and
// how long that took.
type liveReport struct {
	Screens      int `json:"screens"`
	Reports      int `json:"reports"`
	Acknowledged int `json:"acknowledged"`
	Rows         int `json:"rows"`
	Lost         int `json:"lost"` // acknowledged and not in the database
	// Verdicts are what the phones were told. What waits for the desk is kept, has no row
	// yet and is on no screen of reports.
	Verdicts    map[string]int `json:"verdicts"`
	Waiting     int            `json:"waiting"`     // for the desk
	Undelivered int            `json:"undelivered"` // screen and report pairs that never met
	Delivered   int            `json:"delivered"`
	Reconnects  int            `json:"reconnects"`
	Resets      int            `json:"resets"`
	Seconds     float64        `json:"seconds"`
	PerSecond   float64        `json:"reports_per_second"`
	Events      int64          `json:"events"`
	MB          float64        `json:"mb_received"`
	Sync        spread         `json:"sync"`
	Sent        spread         `json:"delivery_from_sending"`         // from the phone's request to the screen
	Committed   spread         `json:"delivery_from_acknowledgement"` // from the answer to the phone
	Failures    []string       `json:"failures,omitempty"`
}

type liveFlags struct {
	*flags
	screens, reports, devices, seconds int
	beside                             float64
	keep, json                         bool
}

// benchLive has screens listen while two hours of reports come in two minutes: thin at
// first, then all at once, then thin again, as they do.
func benchLive(ctx context.Context, env environment, args []string) error {
	f := &liveFlags{flags: newFlags(env, "bench live")}
	f.IntVar(&f.screens, "screens", 200, "同时打开的屏幕数 · screens that listen")
	f.IntVar(&f.reports, "reports", 1300, "上报条数 · reports")
	f.IntVar(&f.devices, "devices", 60, "上报的手机数 · phones they come from")
	f.IntVar(&f.seconds, "seconds", 120, "压缩到的秒数 · seconds they come in")
	f.Float64Var(&f.beside, "beside", 0, "上报点离手机的米数;落到网格外的转值班台 · metres a report lies beside its phone; outside its grid it waits for the desk")
	f.BoolVar(&f.keep, "keep", false, "保留数据目录 · keep the data directory")
	f.BoolVar(&f.json, "json", false, "输出 JSON · print JSON")
	if rest, err := f.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	if f.screens < 1 || f.screens > 1500 || f.reports < 1 || f.devices < 1 || f.devices > 500 || f.seconds < 1 {
		return usagef("--screens 1..1500,--devices 1..500,--reports、--seconds ≥ 1")
	}
	r, err := f.run(ctx)
	if err != nil {
		return err
	}
	if f.json {
		err = json.NewEncoder(env.stdout).Encode(r)
	} else {
		r.print(env.stdout)
	}
	if err == nil && (r.Lost > 0 || r.Undelivered > 0 || r.Acknowledged < r.Reports) {
		err = errors.New("bench: 有上报丢失或未到屏幕 · reports were lost or did not reach every screen")
	}
	return err
}

func (r *liveReport) print(w io.Writer) {
	fmt.Fprintf(w, "%d 屏 · screens, %d 条 · reports in %.0f s (%.1f/s): 确认 acknowledged %d · 丢失 lost %d · 库中 rows %d · 待值班台 for the desk %d %v\n", r.Screens, r.Reports, r.Seconds, r.PerSecond, r.Acknowledged, r.Lost, r.Rows, r.Waiting, r.Verdicts)
	fmt.Fprintf(w, "到屏 delivered %d · 未到 undelivered %d · 重连 reconnects %d · 重置 resets %d · 事件 events %d · %.1f MB\n", r.Delivered, r.Undelivered, r.Reconnects, r.Resets, r.Events, r.MB)
	for _, s := range []struct {
		name string
		spread
	}{{"sync", r.Sync}, {"发出→屏幕 sent", r.Sent}, {"确认→屏幕 acknowledged", r.Committed}} {
		fmt.Fprintf(w, "  %-24s %7d   p50 %8.1f ms   p99 %8.1f ms   max %8.1f ms\n", s.name, s.Count, s.P50, s.P99, s.Max)
	}
	for _, f := range r.Failures {
		fmt.Fprintln(w, "  !", f)
	}
}

// burst is one run.
type burst struct {
	load   *load
	report *liveReport
	beside float64 // metres

	mu    sync.Mutex
	sent  map[string]time.Time
	acked map[string]time.Time

	open, events, bytes, reconnects, resets atomic.Int64
}

func (f *liveFlags) run(ctx context.Context) (*liveReport, error) {
	if err := os.MkdirAll(f.Data, 0o711); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	dir, err := os.MkdirTemp(f.Data, "live-")
	if err == nil {
		err = os.Chmod(dir, 0o711) // the cluster's own user passes through
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if !f.keep {
		defer os.RemoveAll(dir)
	}
	in := &intakeFlags{flags: f.flags, devices: f.devices, each: 1, batch: 1, photoKB: 2}
	in.say("起动服务器 · starting a server in %s", dir)
	url, stop, err := startIntake(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer stop()
	own := *f.flags
	own.Data, own.DatabaseURL, own.AdminURL, own.LogLevel = dir, "", "", "error"
	p, err := openPeople(ctx, &own)
	if err != nil {
		return nil, err
	}
	defer p.db.close(p.log)
	l := &load{url: url, client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: f.devices}}, flags: in, report: &intakeReport{Verdicts: map[string]int{}}}
	if err := l.prepare(ctx, p); err != nil {
		return nil, err
	}
	cookies, err := f.officers(ctx, p)
	if err != nil {
		return nil, err
	}
	b := &burst{beside: f.beside, load: l, report: &liveReport{Screens: f.screens, Reports: f.reports}, sent: map[string]time.Time{}, acked: map[string]time.Time{}}
	return b.report, b.run(ctx, f, p, cookies, dir)
}

// eachOfficer is how many screens one person has open: below the server's own bound.
const eachOfficer = 20

// officers are people at the duty desk, who hear of reports.
func (f *liveFlags) officers(ctx context.Context, p *people) ([]string, error) {
	local := auth.By{Identity: p.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1"), Request: "bench"}
	var out []string
	for i := range (f.screens + eachOfficer - 1) / eachOfficer {
		_, link, err := p.AddUser(ctx, p.by, auth.NewAccount{Username: fmt.Sprintf("screen%03d", i), Name: fmt.Sprintf("值班%d", i), Unit: "990100"}, auth.NewGrant{Role: auth.DutyOfficer, Area: "990100", Reason: "bench"})
		if err != nil {
			return nil, fmt.Errorf("bench: officer %d: %w", i, err)
		}
		opened, err := p.Activate(ctx, local, link.Token, "Bench-2026-"+rand.Text())
		if err != nil {
			return nil, fmt.Errorf("bench: officer %d: %w", i, err)
		}
		out = append(out, opened.Cookie)
	}
	return out, nil
}

func (b *burst) run(ctx context.Context, f *liveFlags, p *people, cookies []string, dir string) error {
	listening, stop := context.WithCancel(ctx)
	defer stop()
	seen := make([]map[string]time.Time, f.screens)
	var screens sync.WaitGroup
	for i := range f.screens {
		seen[i] = make(map[string]time.Time, f.reports)
		screens.Go(func() {
			b.listen(listening, cookies[i/eachOfficer], seen[i])
		})
	}
	for until := time.Now().Add(2 * time.Minute); b.open.Load() < int64(f.screens); {
		if time.Now().After(until) || ctx.Err() != nil {
			b.mu.Lock()
			defer b.mu.Unlock()
			return errors.Join(fmt.Errorf("bench: %d of %d screens are open %v", b.open.Load(), f.screens, b.report.Failures), ctx.Err())
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.load.flags.say("%d 屏已打开,%d 条上报在 %d s 内到来 · screens listen, reports come", f.screens, f.reports, f.seconds)
	started := time.Now()
	b.send(ctx, f, started)
	r := b.report
	r.Seconds = time.Since(started).Seconds()
	b.load.flags.say("核对 · counting")
	time.Sleep(5 * time.Second) // the last ones on their way
	stop()
	screens.Wait()
	for _, id := range b.load.waiting {
		delete(b.acked, id) // kept, and no report yet
	}
	var sent, acked times
	for _, s := range seen {
		for id, at := range b.acked {
			got, ok := s[id]
			if !ok {
				r.Undelivered++
				continue
			}
			r.Delivered++
			sent.add(got.Sub(b.sent[id]))
			acked.add(max(0, got.Sub(at)))
		}
	}
	if err := b.load.count(ctx, p.db, filepath.Join(dir, "blobs")); err != nil {
		return err
	}
	r.Acknowledged, r.Rows, r.Lost, r.Verdicts = len(b.acked)+len(b.load.waiting), b.load.report.Rows, b.load.report.Lost, b.load.report.Verdicts
	r.Waiting = len(b.load.waiting)
	r.Reconnects, r.Resets, r.Events = int(b.reconnects.Load()), int(b.resets.Load()), b.events.Load()
	r.MB = float64(b.bytes.Load()) / (1 << 20)
	r.PerSecond = float64(r.Acknowledged) / r.Seconds
	r.Sync, r.Sent, r.Committed = b.load.sync.spread(), sent.spread(), acked.spread()
	return ctx.Err()
}

// moment is when the n-th of so many comes, as a share of the whole time: half of them in
// its middle fifth.
func moment(n, of int) float64 {
	x := (float64(n) + 0.5) / float64(of) // quantile
	const share, width = 0.5, 0.2
	switch side := (1 - share) / 2; {
	case x < side:
		return x / side * (0.5 - width/2)
	case x > 1-side:
		return 1 - (1-x)/side*(0.5-width/2)
	default:
		return 0.5 - width/2 + (x-side)/share*width
	}
}

// send lets the phones report. Each phone sends one report after another.
func (b *burst) send(ctx context.Context, f *liveFlags, started time.Time) {
	var phones sync.WaitGroup
	for i, p := range b.load.phones {
		phones.Go(func() {
			for n := i; n < f.reports; n += len(b.load.phones) {
				at := started.Add(time.Duration(moment(n, f.reports) * float64(f.seconds) * float64(time.Second)))
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Until(at)):
				}
				if err := b.one(ctx, p, n); err != nil {
					b.fail(err.Error())
				}
			}
		})
	}
	phones.Wait()
}

// fail keeps the first things that went wrong.
func (b *burst) fail(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.report.Failures) < 10 {
		b.report.Failures = append(b.report.Failures, what)
	}
}

func (b *burst) one(ctx context.Context, p *phone, n int) error {
	op, id := newID(), newID()
	p.seq++
	urgency := "damage"
	if n%10 == 0 {
		urgency = "urgent"
	}
	// At the phone unless asked otherwise: a little beside it may lie outside its area, and
	// then wait for the desk.
	turn, metres := float64(n), b.beside/111_000
	lon, lat := p.at.lon+metres*math.Sin(turn), p.at.lat+metres*math.Cos(turn)
	body, err := json.Marshal(map[string]any{"device": p.device, "ops": []any{map[string]any{
		"op_id": op, "op": "put", "kind": "incident_reports", "id": id, "device_seq": p.seq,
		"fields": map[string]any{
			"kind": map[string]any{"value": []string{"flood", "landslide", "road_cut", "building_collapse", "other"}[n%5]}, "urgency": map[string]any{"value": urgency}, "grid": map[string]any{"value": p.at.code},
			"description": map[string]any{"value": fmt.Sprintf("第 %d 条:道路积水,车辆无法通行", n)}, "affected": map[string]any{"value": n % 40},
		},
		"geometry":    map[string]any{"type": "Point", "coordinates": []float64{lon, lat}},
		"captured_at": time.Now().Format(time.RFC3339Nano),
		"src_crs":     "CGCS2000", "accuracy_m": 8,
		"device_position": map[string]any{"type": "Point", "coordinates": []float64{p.at.lon, p.at.lat}},
	}}})
	if err != nil {
		return err
	}
	b.mu.Lock()
	b.sent[id] = time.Now()
	b.mu.Unlock()
	if err := p.sync(ctx, body, map[string]string{op: id}); err != nil {
		return err
	}
	b.mu.Lock()
	b.acked[id] = time.Now()
	b.mu.Unlock()
	return nil
}

// listen is one screen: it reads its stream to the end, and goes on where it stopped.
func (b *burst) listen(ctx context.Context, cookie string, seen map[string]time.Time) {
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	last, first := "", true
	for ctx.Err() == nil {
		if !first {
			b.reconnects.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.load.url+"/api/live?topics=incident_reports,alarms", http.NoBody)
		if err != nil {
			return
		}
		req.Header.Set("Cookie", "onemap="+cookie)
		req.Header.Set("Accept", "text/event-stream")
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		resp, err := client.Do(req)
		if err != nil {
			first = false
			continue
		}
		if resp.StatusCode == http.StatusOK {
			if first {
				b.open.Add(1)
			}
			last = b.read(resp.Body, seen, last)
		} else {
			said, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
			b.fail(fmt.Sprintf("screen: %d %s", resp.StatusCode, said))
		}
		first = false
		_ = resp.Body.Close()
	}
}

func (b *burst) read(body io.Reader, seen map[string]time.Time, last string) string {
	in := bufio.NewReaderSize(body, 64<<10)
	name := ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return last
		}
		b.bytes.Add(int64(len(line)))
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "":
			name = ""
		case strings.HasPrefix(line, "event: "):
			name = line[7:]
			b.events.Add(1)
			if name == "reset" {
				b.resets.Add(1)
			}
		case strings.HasPrefix(line, "id: "):
			last = line[4:]
		case strings.HasPrefix(line, "data: ") && name == "incident_reports":
			var e struct {
				ID string `json:"id"`
			}
			if json.Unmarshal([]byte(line[6:]), &e) == nil && e.ID != "" {
				if _, twice := seen[e.ID]; !twice {
					seen[e.ID] = time.Now()
				}
			}
		}
	}
}
