package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"onemap/internal/auth"
	"onemap/internal/blobs"
)

// intakeReport is what a load run found: what the devices were told, what the database and
// the disk hold, and how long it took.
type intakeReport struct {
	Devices      int            `json:"devices"`
	Each         int            `json:"reports_each"`
	Acknowledged int            `json:"acknowledged"`
	Lost         int            `json:"lost"`
	Doubled      int            `json:"doubled"`
	Rows         int            `json:"rows"`
	Verdicts     map[string]int `json:"verdicts"`
	Operations   map[string]int `json:"operations"` // as the log has them
	Repeated     int            `json:"repeated"`   // deliveries sent twice on purpose
	Photos       int            `json:"photos_acknowledged"`
	PhotosLost   int            `json:"photos_lost"`
	PhotoMB      float64        `json:"photo_mb"`
	Retries      int            `json:"retries"`
	Seconds      float64        `json:"seconds"`
	PerSecond    float64        `json:"reports_per_second"`
	Sync         spread         `json:"sync"`
	Blob         spread         `json:"blob"`
	Tile         spread         `json:"tile"`
	Failures     []string       `json:"failures,omitempty"`
}

// spread is how long requests of one kind took. Tries that were refused for load are
// counted in Retries, not here.
type spread struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// times collects durations of many goroutines.
type times struct {
	mu  sync.Mutex
	all []time.Duration
}

func (t *times) add(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, d)
}

func (t *times) spread() spread {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) == 0 {
		return spread{}
	}
	slices.Sort(t.all)
	at := func(share float64) float64 {
		return float64(t.all[min(len(t.all)-1, int(share*float64(len(t.all))))].Microseconds()) / 1000
	}
	return spread{Count: len(t.all), P50: at(0.5), P99: at(0.99), Max: at(1)}
}

type intakeFlags struct {
	*flags
	devices, each, batch, photoKB, tiles int
	keep, json                           bool
}

// benchIntake lets many phones deliver at once to a server that is started for it, on a
// cluster of its own with the demo county, and counts afterwards.
func benchIntake(ctx context.Context, env environment, args []string) error {
	f := &intakeFlags{flags: newFlags(env, "bench intake")}
	f.IntVar(&f.devices, "devices", 200, "同时上报的设备数 · devices that deliver at once")
	f.IntVar(&f.each, "reports", 50, "每台的上报条数,每条一张照片 · reports of each, with one photo each")
	f.IntVar(&f.batch, "batch", 10, "一次同步的条数 · reports in one delivery")
	f.IntVar(&f.photoKB, "photo-kb", 60, "照片大小 KB · size of a photo")
	f.IntVar(&f.tiles, "tiles", 4, "同时读瓦片的地图数,0 为无 · maps that read tiles meanwhile")
	f.BoolVar(&f.keep, "keep", false, "保留数据目录 · keep the data directory")
	f.BoolVar(&f.json, "json", false, "输出 JSON · print JSON")
	if rest, err := f.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	if f.devices < 1 || f.each < 1 || f.batch < 1 || f.batch > 1000 || f.photoKB < 2 || f.photoKB > blobs.MaxBytes>>10 || f.tiles < 0 {
		return usagef("--devices、--reports ≥ 1,--batch 1..1000,--photo-kb 2..20480,--tiles ≥ 0")
	}
	report, err := f.run(ctx)
	if err != nil {
		return err
	}
	if f.json {
		err = json.NewEncoder(env.stdout).Encode(report)
	} else {
		report.print(env.stdout)
	}
	if want := report.Devices * report.Each; err == nil && (report.Lost > 0 || report.Doubled > 0 || report.PhotosLost > 0 || report.Operations["waiting"] > 0 || report.Acknowledged < want || report.Photos < want) {
		err = errors.New("bench: 有上报丢失、重复或未被确认 · reports were lost, doubled or not acknowledged")
	}
	return err
}

func (r *intakeReport) print(w io.Writer) {
	fmt.Fprintf(w, "%d 台 × %d 条 · devices x reports: 确认 acknowledged %d · 丢失 lost %d · 重复 doubled %d · 库中 rows %d %v\n",
		r.Devices, r.Each, r.Acknowledged, r.Lost, r.Doubled, r.Rows, r.Verdicts)
	fmt.Fprintf(w, "照片 photos %d (%.0f MB) · 丢失 lost %d · 重试 retries %d · 重复投递 repeated deliveries %d\n", r.Photos, r.PhotoMB, r.PhotosLost, r.Retries, r.Repeated)
	fmt.Fprintf(w, "%.1f s · %.0f reports/s\n", r.Seconds, r.PerSecond)
	for _, s := range []struct {
		name string
		spread
	}{{"sync", r.Sync}, {"blob", r.Blob}, {"tile", r.Tile}} {
		fmt.Fprintf(w, "  %-5s %6d   p50 %8.1f ms   p99 %8.1f ms   max %8.1f ms\n", s.name, s.Count, s.P50, s.P99, s.Max)
	}
	for _, f := range r.Failures {
		fmt.Fprintln(w, "  !", f)
	}
}

func (f *intakeFlags) say(format string, args ...any) {
	fmt.Fprintf(f.env.stderr, format+"\n", args...)
}

func (f *intakeFlags) run(ctx context.Context) (*intakeReport, error) {
	if err := os.MkdirAll(f.Data, 0o711); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	dir, err := os.MkdirTemp(f.Data, "intake-")
	if err == nil {
		err = os.Chmod(dir, 0o711) // the cluster's own user passes through
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if !f.keep {
		defer os.RemoveAll(dir)
	}
	f.say("起动服务器 · starting a server in %s", dir)
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
	l := &load{url: url, client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: f.devices + f.tiles}}, flags: f, report: &intakeReport{Devices: f.devices, Each: f.each, Verdicts: map[string]int{}}}
	if err := l.prepare(ctx, p); err != nil {
		return nil, err
	}
	f.say("%d 台设备同时上报 · devices deliver at once", f.devices)
	l.run(ctx)
	f.say("核对 · counting")
	if err := l.count(ctx, p.db, filepath.Join(dir, "blobs")); err != nil {
		return nil, err
	}
	return l.report, ctx.Err()
}

// startIntake runs the real server as a process of its own.
func startIntake(ctx context.Context, dir string) (url string, stop func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("bench: %w", err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	exe, err := os.Executable()
	if err != nil {
		return "", nil, fmt.Errorf("bench: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		return "", nil, fmt.Errorf("bench: %w", err)
	}
	cmd := exec.Command(exe, "serve", "--data", dir, "--listen", addr, "--with-demo")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("bench: %w", err)
	}
	var how error
	ended := make(chan struct{})
	go func() { how = cmd.Wait(); close(ended) }()
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = cmd.Process.Kill()
			<-ended
		}
		_ = log.Close()
	}
	for {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return "http://" + addr, stop, nil
			}
		}
		select {
		case <-ended:
			stop()
			said, _ := os.ReadFile(log.Name())
			return "", nil, fmt.Errorf("bench: the server ended (%w): %s", how, said)
		case <-ctx.Done():
			stop()
			return "", nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// load is one run.
type load struct {
	url    string
	client *http.Client // every phone keeps its connection
	flags  *intakeFlags
	phones []*phone
	reader string // token of the maps
	places []place
	report *intakeReport

	mu               sync.Mutex
	acknowledged     []string
	waiting          []string // of them: for the desk
	photos           []string
	sync, blob, tile times
}

// place is a grid and a point in it.
type place struct {
	code     string
	lon, lat float64
}

// prepare makes a person with a phone for every device, each in a grid of the demo county.
func (l *load) prepare(ctx context.Context, p *people) error {
	var err error
	if l.places, err = intakePlaces(ctx, p.db); err != nil {
		return err
	}
	if len(l.places) == 0 {
		return errors.New("bench: the demo county has no grids")
	}
	_, secret, err := p.CreateToken(ctx, p.by, auth.NewToken{Name: "bench", Role: auth.DutyOfficer, Scopes: []string{"read"}})
	if err != nil {
		return fmt.Errorf("bench: token: %w", err)
	}
	l.reader = secret
	local := auth.By{Identity: p.Anonymous(), Peer: netip.MustParseAddr("127.0.0.1"), Request: "bench"}
	for i := range l.flags.devices {
		at := l.places[i%len(l.places)]
		who, _, err := p.AddUser(ctx, p.by, auth.NewAccount{Username: fmt.Sprintf("bench%04d", i), Name: fmt.Sprintf("网格员%d", i), Unit: at.code[:6]},
			auth.NewGrant{Role: auth.GridWorker, Area: at.code, Reason: "bench"})
		if err != nil {
			return fmt.Errorf("bench: person %d: %w", i, err)
		}
		code, _, err := p.CreateEnrolment(ctx, p.by, who.ID)
		if err != nil {
			return fmt.Errorf("bench: enrolment %d: %w", i, err)
		}
		device := fmt.Sprintf("bench-%04d-phone", i)
		opened, err := p.Enrol(ctx, local, code, device, "bench")
		if err != nil {
			return fmt.Errorf("bench: phone %d: %w", i, err)
		}
		l.phones = append(l.phones, &phone{load: l, n: i, at: at, device: device, cookie: opened.Cookie})
	}
	return nil
}

// run lets all phones go at the same moment, with maps being read meanwhile.
func (l *load) run(ctx context.Context) {
	var phones, maps sync.WaitGroup
	reading, stop := context.WithCancel(ctx)
	for i := range l.flags.tiles {
		maps.Go(func() { l.readTiles(reading, uint64(i)) })
	}
	started := time.Now()
	for _, p := range l.phones {
		phones.Go(func() {
			if err := p.deliver(ctx); err != nil {
				l.mu.Lock()
				defer l.mu.Unlock()
				if len(l.report.Failures) < 10 {
					l.report.Failures = append(l.report.Failures, fmt.Sprintf("%s: %v", p.device, err))
				}
			}
		})
	}
	phones.Wait()
	l.report.Seconds = time.Since(started).Seconds()
	stop()
	maps.Wait()
	r := l.report
	r.Acknowledged, r.Photos = len(l.acknowledged), len(l.photos)
	r.PhotoMB = float64(r.Photos*l.flags.photoKB) / 1024
	r.PerSecond = float64(r.Acknowledged) / r.Seconds
	r.Sync, r.Blob, r.Tile = l.sync.spread(), l.blob.spread(), l.tile.spread()
}

// count asks the database and the disk, which know nothing of what the phones were told.
func (l *load) count(ctx context.Context, d *database, dir string) error {
	names := make([][]byte, len(l.photos))
	for i, n := range l.photos {
		b, err := hex.DecodeString(n)
		if err != nil {
			return err
		}
		names[i] = b
	}
	var c intakeCount
	var err error
	for patience := time.Now().Add(2 * time.Minute); ; {
		if c, err = intakeCounts(ctx, d, "bench-%", l.acknowledged, names); err != nil {
			return err
		}
		// What lost its turn when the database was busy is taken up within a minute.
		if c.operations["waiting"] == 0 || time.Now().After(patience) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	r := l.report
	r.Rows, r.Doubled, r.Lost, r.PhotosLost, r.Operations = c.rows, c.doubled, len(l.acknowledged)-c.found, len(l.photos)-c.photos, c.operations
	for _, name := range l.photos {
		body, err := os.ReadFile(filepath.Join(dir, name[:2], name[2:]))
		if err != nil || hashOf(body) != name {
			r.PhotosLost++
		}
	}
	return nil
}

// again counts what was sent once more for load.
func (l *load) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Retries++
}

// verdict counts what a phone was told.
func (l *load) verdict(status string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Verdicts[status]++
}
