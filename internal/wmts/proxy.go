package wmts

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"onemap/internal/registry"
)

var (
	// ErrNoSource means there is no base map of that id, or none at that place.
	ErrNoSource = errors.New("wmts: no such base map")
	// ErrUpstream means the source did not answer, or not with an image.
	ErrUpstream = errors.New("wmts: the base map's server did not answer")
)

// Tile is an image of 256 by 256 pixels in the Mercator grid.
type Tile struct {
	Body []byte
	Type string // image/png, image/jpeg or image/webp
	ETag string
}

// Options make a [Proxy].
type Options struct {
	Catalogue interface{ Now() *registry.Snapshot }
	Logger    *slog.Logger
	MaxBytes  int64            // of tiles kept, default 64 MiB
	Fresh     time.Duration    // how long a tile is kept without asking again, default 7 days
	Now       func() time.Time // the clock; tests set it
}

// Proxy asks the sources and keeps what they answered. It is safe for use by many.
type Proxy struct {
	opts   Options
	client *http.Client
	flight singleflight.Group
	gate   chan struct{} // requests going out at once

	mu    sync.Mutex // guards what follows
	bytes int64
	kept  map[string]*list.Element
	order *list.List // of *entry, front: used last
}

type entry struct {
	key  string
	tile *Tile
	at   time.Time
}

// New makes a proxy.
func New(o Options) *Proxy {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Fresh <= 0 {
		o.Fresh = 7 * 24 * time.Hour
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Proxy{
		opts: o, gate: make(chan struct{}, 16), kept: map[string]*list.Element{}, order: list.New(),
		client: &http.Client{
			Timeout: 10 * time.Second,
			// Where a source sends us elsewhere is not in the setting.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Sources are the base maps there are now.
func (p *Proxy) Sources() []Source {
	raw, ok := p.opts.Catalogue.Now().Settings[SettingKey]
	if !ok {
		return nil
	}
	all, err := ParseSources(raw)
	if err != nil {
		p.opts.Logger.Error("basemaps setting", "err", err)
	}
	return all
}

// Tile gives a tile of the Mercator grid. Where the source is silent, what it answered
// last is better than nothing.
func (p *Proxy) Tile(ctx context.Context, id string, z, x, y int) (*Tile, error) {
	var src *Source
	for _, s := range p.Sources() {
		if s.ID == id {
			src = &s
		}
	}
	if src == nil || z < src.MinZoom || z > src.MaxZoom || x < 0 || y < 0 || x >= 1<<z || y >= 1<<z {
		return nil, ErrNoSource
	}
	// The address is part of the key: a changed setting shows at once.
	key := src.Grid + " " + src.URL + " " + strconv.Itoa(z) + "/" + strconv.Itoa(x) + "/" + strconv.Itoa(y)
	old, at := p.get(key)
	if old != nil && p.opts.Now().Sub(at) < p.opts.Fresh {
		return old, nil
	}
	ch := p.flight.DoChan(key, func() (any, error) {
		// Whoever asked first may leave; the others still wait.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		t, err := p.make(ctx, src, z, x, y)
		if err == nil {
			p.put(key, t)
		}
		return t, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-ch:
		if r.Err == nil {
			return r.Val.(*Tile), nil
		}
		if old != nil {
			return old, nil
		}
		if !errors.Is(r.Err, ErrNoSource) {
			p.opts.Logger.Warn("base map", "source", src.ID, "z", z, "x", x, "y", y, "err", r.Err)
		}
		return nil, r.Err
	}
}

func (p *Proxy) make(ctx context.Context, src *Source, z, x, y int) (*Tile, error) {
	if src.Grid == GridW {
		body, kind, err := p.fetch(ctx, src, z, x, y)
		if err != nil {
			return nil, err
		}
		return tile(body, kind), nil
	}
	first, last, at := rows(z, y)
	stack := make([]image.Image, last-first+1)
	kinds := make([]string, len(stack))
	all, ctx := errgroup.WithContext(ctx)
	for i := range stack {
		all.Go(func() error {
			body, kind, err := p.fetch(ctx, src, z, x, first+i)
			if errors.Is(err, ErrNoSource) {
				return nil
			}
			if err != nil {
				return err
			}
			kinds[i] = kind
			img, _, err := image.Decode(bytes.NewReader(body))
			if err != nil {
				return fmt.Errorf("%w: %w", ErrUpstream, err)
			}
			if img.Bounds().Dx() != tileSize || img.Bounds().Dy() != tileSize {
				return fmt.Errorf("%w: a tile of %v pixels", ErrUpstream, img.Bounds().Size())
			}
			stack[i] = img
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	kind := ""
	for i, img := range stack {
		if img == nil {
			kind = "image/png" // what is missing stays empty
		} else if kind == "" {
			kind = kinds[i]
		}
	}
	drawn := warp(stack, at)
	var out bytes.Buffer
	var err error
	if kind == "image/jpeg" {
		err = jpeg.Encode(&out, drawn, &jpeg.Options{Quality: 88})
	} else {
		kind = "image/png"
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, drawn)
	}
	if err != nil {
		return nil, fmt.Errorf("wmts: encode: %w", err)
	}
	return tile(out.Bytes(), kind), nil
}

const maxBody = 2 << 20

// fetch asks for a tile of the source's own grid. ErrNoSource means it has none there.
func (p *Proxy) fetch(ctx context.Context, src *Source, z, x, y int) ([]byte, string, error) {
	select {
	case p.gate <- struct{}{}:
		defer func() { <-p.gate }()
	case <-ctx.Done():
		return nil, "", fmt.Errorf("%w: %w", ErrUpstream, ctx.Err())
	}
	u, err := src.address(z, x, y)
	if err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("User-Agent", "onemap")
	resp, err := p.client.Do(req)
	if err != nil {
		// The address, with its key, is in the error of net/http: the cause alone goes on.
		if u := errors.Unwrap(err); u != nil {
			err = u
		}
		return nil, "", fmt.Errorf("%w: %w", ErrUpstream, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusNoContent:
		return nil, "", ErrNoSource
	case resp.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("%w: %s", ErrUpstream, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrUpstream, err)
	}
	kind := http.DetectContentType(body)
	if len(body) > maxBody || kind != "image/png" && kind != "image/jpeg" && kind != "image/webp" {
		return nil, "", fmt.Errorf("%w: no image: %s", ErrUpstream, kind)
	}
	return body, kind, nil
}

func tile(body []byte, kind string) *Tile {
	sum := sha256.Sum256(body)
	return &Tile{Body: body, Type: kind, ETag: `"` + hex.EncodeToString(sum[:12]) + `"`}
}

func (p *Proxy) get(key string) (*Tile, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.kept[key]
	if !ok {
		return nil, time.Time{}
	}
	p.order.MoveToFront(e)
	return e.Value.(*entry).tile, e.Value.(*entry).at
}

func (p *Proxy) put(key string, t *Tile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, ok := p.kept[key]; ok {
		p.drop(e)
	}
	p.kept[key] = p.order.PushFront(&entry{key, t, p.opts.Now()})
	p.bytes += size(key, t)
	for p.bytes > p.opts.MaxBytes {
		p.drop(p.order.Back())
	}
}

func (p *Proxy) drop(e *list.Element) {
	en := e.Value.(*entry)
	p.order.Remove(e)
	delete(p.kept, en.key)
	p.bytes -= size(en.key, en.tile)
}

func size(key string, t *Tile) int64 { return int64(len(key)+len(t.Body)) + 256 }
