package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/registry"
	"onemap/tiles"
)

// Options of a run.
type Options struct {
	Server Server
	Set    string // folder of dataset.sql and tiles.txt
	Limit  int    // of the tile list; 0: all
	Say    func(format string, args ...any)
}

// Path is what one way of making tiles cost.
type Path struct {
	Name      string  `json:"name"`
	Tiles     int     `json:"tiles"`
	CPUms     float64 `json:"cpu_ms_per_tile"` // this process and its backend
	ServerMs  float64 `json:"cpu_ms_server"`
	BackendMs float64 `json:"cpu_ms_postgres"`
	P50ms     float64 `json:"p50_ms"`
	P99ms     float64 `json:"p99_ms"`
	RawKB     float64 `json:"kb_raw"`
	SentKB    float64 `json:"kb_sent"`
}

// Zoom compares the two renderers at one zoom.
type Zoom struct {
	Z       int     `json:"z"`
	Tiles   int     `json:"tiles"`
	OursMs  float64 `json:"cpu_ms_ours"`
	RivalMs float64 `json:"cpu_ms_st_asmvt"`
}

// Report is a run's result. The ratios are ours to the rival's.
type Report struct {
	Tiles             int      `json:"tiles"`
	Paths             []Path   `json:"paths"`
	Zooms             []Zoom   `json:"zooms"`
	CPURatioSTAsMVT   float64  `json:"cpu_ratio_st_asmvt"`
	CPURatioTegola    *float64 `json:"cpu_ratio_tegola"`
	CPURatioTegolaWhy string   `json:"cpu_ratio_tegola_reason"`
}

type tile struct{ z, x, y int }

// layersAt are the data set's layers of a zoom.
func layersAt(z int) []string {
	switch {
	case z <= 10:
		return []string{"hazards_major", "roads_major", "zones"}
	case z <= 12:
		return []string{"hazards", "roads", "zones"}
	}
	return []string{"buildings", "hazards", "roads", "zones"}
}

func readTiles(path string, limit int) ([]tile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer f.Close()
	var out []tile
	for s := bufio.NewScanner(f); s.Scan() && (limit <= 0 || len(out) < limit); {
		part := strings.Split(s.Text(), "/")
		if len(part) != 3 {
			return nil, fmt.Errorf("bench: %s: %q is no tile", path, s.Text())
		}
		var n [3]int
		for i, p := range part {
			if n[i], err = strconv.Atoi(p); err != nil {
				return nil, fmt.Errorf("bench: %s: %w", path, err)
			}
		}
		out = append(out, tile{n[0], n[1], n[2]})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("bench: %s has no tiles", path)
	}
	return out, nil
}

// rig is both paths over one database.
type rig struct {
	db      *db.DB
	pid     int
	cold    *tiles.Engine
	warm    *tiles.Engine
	rival   *rival
	columns map[string][]string
}

func (r *rig) close() {
	r.db.Close()
	r.rival.pool.Close()
}

func newRig(ctx context.Context, dsn string) (*rig, error) {
	d, err := openOne(ctx, dsn)
	if err != nil {
		return nil, err
	}
	r := &rig{db: d, columns: map[string][]string{}}
	reg, err := registry.Open(ctx, d.Intake)
	if err != nil {
		d.Close()
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if r.cold, err = tiles.New(tiles.Options{DB: d, Registry: reg, MaxBytes: -1, MaxFeatures: 10_000_000, Logger: log}); err != nil {
		d.Close()
		return nil, err
	}
	reader, err := feed.Open(ctx, d, feed.Options{Logger: log})
	if err == nil {
		r.warm, err = tiles.New(tiles.Options{DB: d, Registry: reg, Feed: reader, MaxBytes: 2 << 30, MaxFeatures: 10_000_000, Logger: log})
	}
	if err == nil {
		r.rival, err = newRival(ctx, dsn)
	}
	if err == nil {
		r.pid, err = backend(ctx, d.Query, r.rival.q)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	for _, t := range tables {
		l, ok := reg.Now().Layer("bench_" + t.name)
		if !ok {
			r.close()
			return nil, fmt.Errorf("bench: layer bench_%s is not in the catalogue", t.name)
		}
		for _, f := range l.TileFields(tiles.MaxZoom) {
			r.columns[t.name] = append(r.columns[t.name], f.Name)
		}
	}
	return r, nil
}

func request(t tile) tiles.Request {
	ids := layersAt(t.z)
	for i, id := range ids {
		ids[i] = "bench_" + id
	}
	return tiles.Request{Layers: ids, Z: t.z, X: t.x, Y: t.y, Reach: db.Everything()}
}

// meter sums what one path costs.
type meter struct {
	path            Path
	times           []time.Duration
	server, backend time.Duration
	raw, sent       int64
	byZoom          map[int]*zoomCost
}

type zoomCost struct {
	tiles int
	cpu   time.Duration
}

func (m *meter) run(pid int, list []tile, one func(tile) (raw, sent int, err error)) error {
	if m.byZoom == nil {
		m.byZoom = map[int]*zoomCost{}
	}
	for _, t := range list {
		cpu, pg, err := cpuNow(pid)
		if err != nil {
			return err
		}
		start := time.Now()
		raw, sent, err := one(t)
		if err != nil {
			return fmt.Errorf("bench: %s %d/%d/%d: %w", m.path.Name, t.z, t.x, t.y, err)
		}
		m.times = append(m.times, time.Since(start))
		cpu2, pg2, err := cpuNow(pid)
		if err != nil {
			return err
		}
		m.raw += int64(raw)
		m.sent += int64(sent)
		m.server += cpu2 - cpu
		m.backend += pg2 - pg
		z := m.byZoom[t.z]
		if z == nil {
			z = &zoomCost{}
			m.byZoom[t.z] = z
		}
		z.tiles++
		z.cpu += cpu2 - cpu + pg2 - pg
	}
	return nil
}

// runMany measures what is too short to be measured one by one.
func (m *meter) runMany(pid int, list []tile, one func(tile) (raw, sent int, err error)) error {
	cpu, pg, err := cpuNow(pid)
	if err != nil {
		return err
	}
	for _, t := range list {
		start := time.Now()
		raw, sent, err := one(t)
		if err != nil {
			return fmt.Errorf("bench: %s %d/%d/%d: %w", m.path.Name, t.z, t.x, t.y, err)
		}
		m.times = append(m.times, time.Since(start))
		m.raw += int64(raw)
		m.sent += int64(sent)
	}
	cpu2, pg2, err := cpuNow(pid)
	m.server += cpu2 - cpu
	m.backend += pg2 - pg
	return err
}

func (m *meter) result() Path {
	p := m.path
	p.Tiles = len(m.times)
	slices.Sort(m.times)
	n := float64(len(m.times))
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	p.ServerMs, p.BackendMs = ms(m.server)/n, ms(m.backend)/n
	p.CPUms = p.ServerMs + p.BackendMs
	p.P50ms, p.P99ms = ms(m.times[len(m.times)/2]), ms(m.times[len(m.times)*99/100])
	p.RawKB, p.SentKB = float64(m.raw)/n/1024, float64(m.sent)/n/1024
	return p
}

// Run builds what is missing and measures. The paths take turns block by block, and
// in coming first, so that a noisy machine and cold pages disturb them alike.
func Run(ctx context.Context, o Options) (*Report, error) {
	list, err := readTiles(filepath.Join(o.Set, "tiles.txt"), o.Limit)
	if err != nil {
		return nil, err
	}
	name, err := Prepare(ctx, o.Server, o.Set, o.Say)
	if err != nil {
		return nil, err
	}
	r, err := newRig(ctx, o.Server.AppDSN(name))
	if err != nil {
		return nil, err
	}
	defer r.close()

	ours := &meter{path: Path{Name: "onemap, cold, gzip"}}
	raw := &meter{path: Path{Name: "raw ST_AsMVT on 3857"}}
	hit := &meter{path: Path{Name: "onemap, cached"}}
	cold := func(t tile) (int, int, error) {
		b, err := r.cold.Tile(ctx, request(t))
		if err != nil {
			return 0, 0, err
		}
		return b.RawSize, len(b.Body), nil
	}
	warm := func(t tile) (int, int, error) {
		b, err := r.warm.Tile(ctx, request(t))
		if err != nil {
			return 0, 0, err
		}
		return b.RawSize, len(b.Body), nil
	}
	rival := func(t tile) (int, int, error) {
		n, err := r.rival.tile(ctx, t, r.columns)
		return n, n, err
	}
	o.Say("warming up")
	discard := &meter{}
	for _, t := range list[:min(len(list), 40)] {
		for _, f := range []func(tile) (int, int, error){cold, rival} {
			if err := discard.run(r.pid, []tile{t}, f); err != nil {
				return nil, err
			}
		}
	}
	const block = 20
	for i := 0; i < len(list); i += block {
		part := list[i:min(i+block, len(list))]
		first := func() error { return ours.run(r.pid, part, cold) }
		second := func() error { return raw.run(r.rival.pid, part, rival) }
		if i/block%2 == 1 { // who comes first reads the pages for both
			first, second = second, first
		}
		if err := errors.Join(first(), second()); err != nil {
			return nil, err
		}
		if i/block%10 == 9 {
			o.Say("%d of %d tiles", i+len(part), len(list))
		}
	}
	// Hits: a part of the list is enough, asked for often.
	some := list[:min(len(list), 200)]
	for _, t := range some {
		if _, _, err := warm(t); err != nil {
			return nil, err
		}
	}
	for range 100 {
		if err := hit.runMany(r.pid, some, warm); err != nil {
			return nil, err
		}
	}
	rep := &Report{Tiles: len(list), Paths: []Path{ours.result(), raw.result(), hit.result()},
		CPURatioTegolaWhy: "tegola v0.21.2 could not be downloaded when this was built (the module proxy refuses it)"}
	for _, z := range slices.Sorted(maps.Keys(ours.byZoom)) {
		o, v := ours.byZoom[z], raw.byZoom[z]
		rep.Zooms = append(rep.Zooms, Zoom{z, o.tiles, float64(o.cpu) / 1e6 / float64(o.tiles), float64(v.cpu) / 1e6 / float64(v.tiles)})
	}
	rep.CPURatioSTAsMVT = rep.Paths[0].CPUms / rep.Paths[1].CPUms
	return rep, nil
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%-22s %6s %10s %9s %9s %9s %9s %9s %9s\n", "", "tiles", "CPU ms", "server", "postgres", "p50 ms", "p99 ms", "KB raw", "KB sent")
	for _, p := range r.Paths {
		fmt.Fprintf(w, "%-22s %6d %10.3f %9.3f %9.3f %9.3f %9.3f %9.1f %9.1f\n", p.Name, p.Tiles, p.CPUms, p.ServerMs, p.BackendMs, p.P50ms, p.P99ms, p.RawKB, p.SentKB)
	}
	for _, z := range r.Zooms {
		fmt.Fprintf(w, "  z%-2d %5d tiles: ours %8.2f ms, raw ST_AsMVT %8.2f ms, ratio %.2f\n", z.Z, z.Tiles, z.OursMs, z.RivalMs, z.OursMs/z.RivalMs)
	}
	fmt.Fprintf(w, "CPU, ours to raw ST_AsMVT: %.2f\n", r.CPURatioSTAsMVT)
}

// cpuNow is the CPU this process and a backend have used so far.
func cpuNow(pid int) (self, backend time.Duration, err error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, 0, fmt.Errorf("bench: %w", err)
	}
	self = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	// schedstat counts nanoseconds, stat only hundredths of a second.
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("bench: the backend must run on this machine: %w", err)
	}
	ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("bench: /proc/%d/schedstat: %w", pid, err)
	}
	return self, time.Duration(ns), nil
}
