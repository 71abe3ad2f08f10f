package wmts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/registry"
)

// world is a WMTS of the office: every pixel says its latitude in red, green and blue.
type world struct {
	*httptest.Server
	asked atomic.Int64
	down  atomic.Bool
}

func colourOf(lat float64) color.NRGBA {
	v := uint32(math.Round((lat + 90) / 180 * (1<<24 - 1)))
	return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
}

func newWorld(t *testing.T) *world {
	w := &world{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		q := r.URL.Query()
		z, _ := strconv.Atoi(q.Get("TILEMATRIX"))
		row, _ := strconv.Atoi(q.Get("TILEROW"))
		switch {
		case w.down.Load() || q.Get("tk") != "secret":
			http.Error(rw, "no", http.StatusForbidden)
			return
		case r.URL.Path == "/moved":
			http.Redirect(rw, r, "/img_c/wmts?"+r.URL.RawQuery, http.StatusFound)
			return
		case r.URL.Path == "/text":
			_, _ = rw.Write([]byte("<html>sign in first</html>"))
			return
		}
		img := image.NewNRGBA(image.Rect(0, 0, tileSize, tileSize))
		per := 360 / math.Exp2(float64(z)) / tileSize
		for y := range tileSize {
			c := colourOf(90 - (float64(row*tileSize+y)+0.5)*per)
			for x := range tileSize {
				img.SetNRGBA(x, y, c)
			}
		}
		_ = png.Encode(rw, img)
	}))
	t.Cleanup(w.Close)
	return w
}

func (w *world) proxy(t *testing.T, sources ...map[string]any) *Proxy {
	t.Helper()
	raw, err := json.Marshal(sources)
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Catalogue: snapshot{raw}})
}

type snapshot struct{ raw []byte }

func (s snapshot) Now() *registry.Snapshot {
	return &registry.Snapshot{Settings: map[string]json.RawMessage{SettingKey: s.raw}}
}

func (w *world) source(path, grid string) map[string]any {
	return map[string]any{"id": "img", "title": "影像", "grid": grid, "min_zoom": 1, "max_zoom": 18, "url": w.URL + path + "?TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk=secret"}
}

// The numbers of a point's tile in both grids, as 天地图 counts them.
func TestRowsOfTheDegreeGrid(t *testing.T) {
	for _, c := range []struct{ z, y, row int }{{10, 388, 142}, {14, 6208, 2279}, {18, 99330, 36476}} {
		first, last, at := rows(c.z, c.y)
		if c.row < first || c.row > last {
			t.Errorf("zoom %d: rows %d to %d, want %d among them", c.z, first, last, c.row)
		}
		// 39.9075° N lies in this tile: its row must be where the degrees say.
		v := (90 - 39.9075) / (360 / math.Exp2(float64(c.z))) * tileSize
		n := 0
		for i := range at {
			if math.Abs(at[i]+float64(first)*tileSize-v) <= 0.5 {
				n++
			}
		}
		if n == 0 {
			t.Errorf("zoom %d: no pixel row at 39.9075°", c.z)
		}
	}
}

func TestDegreesAreWarpedToMercator(t *testing.T) {
	w := newWorld(t)
	p := w.proxy(t, w.source("/img_c/wmts", GridC))
	for _, c := range []struct{ z, x, y int }{{1, 1, 0}, {3, 6, 3}, {10, 843, 388}, {14, 13489, 6208}, {1, 0, 1}} {
		got, err := p.Tile(t.Context(), "img", c.z, c.x, c.y)
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(got.Body))
		if err != nil {
			t.Fatal(err)
		}
		perPixel := 360 / math.Exp2(float64(c.z)) / tileSize
		for i := range tileSize {
			v := (float64(c.y) + (float64(i)+0.5)/tileSize) / math.Exp2(float64(c.z))
			want := math.Atan(math.Sinh(math.Pi*(1-2*v))) * 180 / math.Pi
			px := color.NRGBAModel.Convert(img.At(128, i)).(color.NRGBA)
			lat := float64(uint32(px.R)<<16|uint32(px.G)<<8|uint32(px.B))/(1<<24-1)*180 - 90
			// Mixing two colours of three bytes is exact only in the byte that differs, so
			// rows where a higher byte turns over are left out.
			a, b := colourOf(want-perPixel), colourOf(want+perPixel)
			if a.R != b.R || a.G != b.G {
				continue
			}
			if math.Abs(lat-want) > perPixel {
				t.Fatalf("%v row %d: latitude %.6f, want %.6f within a pixel of %.6f", c, i, lat, want, perPixel)
			}
		}
	}
}

func TestSourcesAreAskedOnceAndOnlyForImages(t *testing.T) {
	w := newWorld(t)
	p := w.proxy(t, w.source("/vec_w/wmts", GridW))
	for range 3 {
		if _, err := p.Tile(t.Context(), "img", 5, 26, 12); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	// An old tile is better than none.
	p.opts.Now = func() time.Time { return time.Now().Add(30 * 24 * time.Hour) }
	w.down.Store(true)
	if got, err := p.Tile(t.Context(), "img", 5, 26, 12); err != nil || got == nil {
		t.Errorf("while the source is down: %v", err)
	}
	if _, err := p.Tile(t.Context(), "img", 5, 26, 13); !errors.Is(err, ErrUpstream) {
		t.Errorf("a tile never seen: %v", err)
	} else if strings.Contains(err.Error(), "secret") {
		t.Errorf("the key is in the error: %v", err)
	}
	w.down.Store(false)
	for _, path := range []string{"/moved", "/text"} {
		if _, err := w.proxy(t, w.source(path, GridW)).Tile(t.Context(), "img", 5, 26, 12); !errors.Is(err, ErrUpstream) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, c := range [][3]int{{0, 0, 0}, {19, 0, 0}, {5, 32, 0}, {5, -1, 0}} {
		if _, err := p.Tile(t.Context(), "img", c[0], c[1], c[2]); !errors.Is(err, ErrNoSource) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if _, err := p.Tile(t.Context(), "other", 5, 1, 1); !errors.Is(err, ErrNoSource) {
		t.Errorf("another source: %v", err)
	}
	dead := httptest.NewServer(nil)
	dead.Close()
	gone := w.source("/x", GridW)
	gone["url"] = dead.URL + "/?TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&tk=secret"
	if _, err := w.proxy(t, gone).Tile(t.Context(), "img", 5, 26, 12); !errors.Is(err, ErrUpstream) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a dead host: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Tile(ctx, "img", 6, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
}

func TestTilesKeptAreBounded(t *testing.T) {
	w := newWorld(t)
	p := w.proxy(t, w.source("/vec_w/wmts", GridW))
	p.opts.MaxBytes = 20_000
	for x := range 32 {
		if _, err := p.Tile(t.Context(), "img", 5, x, 12); err != nil {
			t.Fatal(err)
		}
	}
	var sum int64
	for e := p.order.Front(); e != nil; e = e.Next() {
		sum += size(e.Value.(*entry).key, e.Value.(*entry).tile)
	}
	if sum != p.bytes || sum > p.opts.MaxBytes || len(p.kept) == 0 || len(p.kept) != p.order.Len() {
		t.Errorf("%d tiles of %d bytes, counted %d, limit %d", len(p.kept), sum, p.bytes, p.opts.MaxBytes)
	}
}

func TestParseSources(t *testing.T) {
	const good = `{"id":"vec","title":"矢量","url":"http://10.1.2.3/vec_w/wmts?tk=k&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}","grid":"w","min_zoom":0,"max_zoom":18}`
	if all, err := ParseSources([]byte("[" + good + "]")); err != nil || len(all) != 1 {
		t.Fatalf("%v %v", all, err)
	}
	for _, bad := range []string{
		`{}`, `[{}]`, `[` + good + `,` + good + `]`, `[` + good + `] x`, strings.Replace(`[`+good+`]`, `"w"`, `"x"`, 1), strings.Replace(`[`+good+`]`, "http://", "file://", 1),
		strings.Replace(`[`+good+`]`, "10.1.2.3", "user:pass@10.1.2.3", 1), strings.Replace(`[`+good+`]`, "10.1.2.3", "{z}.example", 1), strings.Replace(`[`+good+`]`, "{x}", "7", 1),
		strings.Replace(`[`+good+`]`, `"max_zoom":18`, `"max_zoom":30`, 1), strings.Replace(`[`+good+`]`, `"vec"`, `"../vec"`, 1), strings.Replace(`[`+good+`]`, `"grid"`, `"key":1,"grid"`, 1),
	} {
		var f *Fault
		if _, err := ParseSources([]byte(bad)); !errors.As(err, &f) || f.ZH == "" || f.EN == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzParseSources(f *testing.F) {
	f.Add([]byte(`[{"id":"vec","title":"矢量","url":"http://h/{z}/{x}/{y}","grid":"c","min_zoom":1,"max_zoom":18}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		all, err := ParseSources(raw)
		for _, s := range all {
			if u, err := s.address(7, 3, 2); err != nil || u.Host == "" || strings.ContainsAny(u.Host, "{}") {
				t.Errorf("%q: %v", s.URL, err)
			}
		}
		var fault *Fault
		if err != nil && !errors.As(err, &fault) {
			t.Errorf("%v", err)
		}
	})
}
