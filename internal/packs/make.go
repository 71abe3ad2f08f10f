package packs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"onemap/internal/db"
	"onemap/internal/registry"
	"onemap/tiles"
)

// passes: a pack in which rows left the reach while it was made is made again; the tiles
// that did not change come from the engine's memory then.
const passes = 5

// work makes one pack, when it is its turn.
func (s *Service) work(k key, w *work, reach db.Reach) {
	ctx, cancel := context.WithTimeout(s.base, makeTime)
	defer cancel()
	var made *pack
	err := func() (err error) {
		defer func() {
			if v := recover(); v != nil {
				s.opts.Logger.Error("packs: panic", "err", fmt.Sprint(v), "stack", string(debug.Stack()))
				err = errors.New("packs: internal fault")
			}
		}()
		select {
		case s.making <- struct{}{}:
			defer func() { <-s.making }()
		case <-ctx.Done():
			return ctx.Err()
		}
		for range passes {
			s.mu.Lock()
			w.left = false
			w.info.Done = 0
			s.mu.Unlock()
			if made, err = s.make(ctx, w, reach); err != nil {
				return err
			}
			s.mu.Lock()
			if !w.left {
				s.keep(k, made)
				s.mu.Unlock()
				return nil
			}
			s.mu.Unlock()
			_ = made.file.Close()
		}
		return ErrBusy // rows leave faster than it can be made
	}()
	s.mu.Lock()
	delete(s.works, k)
	w.err = err
	close(w.done)
	s.mu.Unlock()
	if err != nil && s.base.Err() == nil {
		s.opts.Logger.Warn("packs: not made", "area", k.area, "err", err)
	}
}

// keep puts a pack in its place and makes room; the lock is held.
func (s *Service) keep(k key, p *pack) {
	s.drop(k)
	s.packs[k] = p
	s.bytes += p.info.Bytes
	s.average += (float64(p.info.Bytes)/float64(max(p.info.Tiles, 1)) - s.average) / 4
	for s.bytes > s.opts.MaxBytes && len(s.packs) > 1 {
		var oldest key
		found := false
		for o, q := range s.packs {
			if o != k && (!found || q.used.Before(s.packs[oldest].used)) {
				oldest, found = o, true
			}
		}
		s.drop(oldest)
	}
}

// spot is one tile.
type spot struct {
	id      uint64
	z, x, y int
}

// spots are the tiles of the picture along the curve.
func (p *picture) spots() []spot {
	var out []spot
	for z := MinZoom; z <= MaxZoom; z++ {
		x0, y0, x1, y1 := tileRange(p.bound, z)
		for x := x0; x <= x1; x++ {
			for y := y0; y <= y1; y++ {
				out = append(out, spot{tileID(z, x, y), z, x, y})
			}
		}
	}
	slices.SortFunc(out, func(a, b spot) int { return cmp.Compare(a.id, b.id) })
	return out
}

// nameless makes a file that is gone when it is closed, also by the end of the process.
func (s *Service) nameless() (*os.File, error) {
	f, err := os.CreateTemp(s.opts.Dir, "pack-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (s *Service) make(ctx context.Context, w *work, reach db.Reach) (_ *pack, err error) {
	p := &pack{picture: w.picture, info: w.info, used: s.opts.Now()}
	p.info.MadeAt = s.opts.Now()
	p.expires = p.info.MadeAt.Add(madeFor)
	data, err := s.nameless()
	if err != nil {
		return nil, fmt.Errorf("packs: %w", err)
	}
	defer data.Close()
	out := newWriter(data)
	for i, at := range w.spots() {
		if len(w.layers) == 0 {
			break
		}
		t, err := s.tile(ctx, tiles.Request{Layers: w.layers, Z: at.z, X: at.x, Y: at.y, Reach: reach})
		if err != nil {
			return nil, fmt.Errorf("packs: %d/%d/%d: %w", at.z, at.x, at.y, err)
		}
		if i == 0 {
			p.info.Position = t.Position
		}
		if !t.Expires.IsZero() && t.Expires.Before(p.expires) {
			p.expires = t.Expires
		}
		if !t.Empty {
			if err := out.add(at.id, t.Body); err != nil {
				return nil, fmt.Errorf("packs: %w", err)
			}
		}
		s.mu.Lock()
		w.info.Done = i + 1
		s.mu.Unlock()
	}
	if p.file, err = s.nameless(); err != nil {
		return nil, fmt.Errorf("packs: %w", err)
	}
	size, sum, err := out.finish(p.file, s.metadata(w), MinZoom, MaxZoom, w.bound)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("packs: %w", err), p.file.Close())
	}
	p.info.Ready, p.info.Bytes, p.info.ETag, p.info.Done = true, size, `"`+sum[:32]+`"`, p.info.Tiles
	return p, nil
}

// tile asks again where the database has too much to do: nobody waits for a pack.
func (s *Service) tile(ctx context.Context, r tiles.Request) (*tiles.Tile, error) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		t, err := s.opts.Tiles.Tile(ctx, r)
		if err == nil || !errors.Is(err, db.ErrBusy) && !errors.Is(err, db.ErrUnavailable) {
			return t, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// metadata is the JSON of the archive: what its layers are called and consist of.
func (s *Service) metadata(w *work) []byte {
	type layer struct {
		ID          string            `json:"id"`
		Description string            `json:"description"`
		MinZoom     int               `json:"minzoom"`
		MaxZoom     int               `json:"maxzoom"`
		Fields      map[string]string `json:"fields"`
	}
	snap := s.opts.Catalogue.Now()
	layers := []layer{}
	for _, id := range w.layers {
		l, ok := snap.Layer(id)
		if !ok {
			continue
		}
		v := layer{ID: id, Description: l.Title.In(registry.Chinese), MinZoom: max(l.MinZoom, MinZoom), MaxZoom: MaxZoom, Fields: map[string]string{}}
		for _, f := range l.TileFields(MaxZoom) {
			v.Fields[f.Name] = map[registry.FieldType]string{registry.Integer: "Number", registry.Number: "Number", registry.Boolean: "Boolean"}[f.Type]
			if v.Fields[f.Name] == "" {
				v.Fields[f.Name] = "String"
			}
		}
		layers = append(layers, v)
	}
	b, err := json.Marshal(map[string]any{"name": w.info.Name, "description": w.info.Area, "type": "overlay", "generator": "onemap", "vector_layers": layers})
	if err != nil {
		return []byte("{}") // texts and numbers only
	}
	return b
}
