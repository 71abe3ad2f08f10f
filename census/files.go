package census

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"onemap/internal/geo"
)

// FileOptions say what is known about files beyond what they say themselves.
type FileOptions struct {
	Layer    string
	CRS      string
	Encoding string
	Sublayer string // layer or sheet inside the file
	Root     string // of a manifest's files, instead of the one it names
	Accept   bool
	Actor    string
	Progress func(file string, p Progress)
}

// IsManifest reports whether a path is a manifest by its name.
func IsManifest(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return true
	}
	return false
}

// ImportFile brings one file into one layer. Fields are matched by name,
// title and the usual synonyms; a file in which nothing is recognised is refused.
func (im *Importer) ImportFile(ctx context.Context, path string, opt FileOptions) (Report, error) {
	base := filepath.Base(path)
	name := strings.TrimSuffix(base, filepath.Ext(base))
	layer := opt.Layer
	if layer == "" {
		layer = strings.ToLower(name)
	}
	cat, err := im.store.catalogue(ctx)
	if err != nil {
		return Report{}, err
	}
	if _, err := cat.layer(layer); err != nil {
		return Report{}, fmt.Errorf("%w; 请用 --layer 指定 (name it with --layer)", err)
	}
	m := &Manifest{Dataset: "file", Title: base}
	e := &Entry{Name: name, Path: base, Layer: layer, CRS: opt.CRS, Encoding: opt.Encoding, Sublayer: opt.Sublayer, Mode: Upsert}
	if m.Files, err = im.guess(ctx, path, e, cat); err != nil {
		return Report{}, err
	}
	around := &surroundings{cat: cat}
	if layer != "admin" { // new units may lie anywhere
		if around.area, err = im.store.homeRegion(ctx); err != nil {
			return Report{}, err
		}
	}
	return im.entry(ctx, m, &m.Files[0], []string{path}, opt, around)
}

// open opens a file, and refuses one whose coordinate system PostGIS cannot convert.
func (im *Importer) open(ctx context.Context, s source) (*table, error) {
	t, err := im.opener.open(ctx, s)
	if err != nil {
		return nil, err
	}
	if known, err := im.store.knowsSRID(ctx, t.srid); err != nil || !known {
		t.close()
		if given, _, _ := geo.ParseCRS(s.crs); err == nil && given != geo.AutoCRS {
			err = fmt.Errorf("census: 没有坐标系 %s (there is no such coordinate system)", given)
		} else if err == nil {
			err = unknownCRS(t.file, t.crs)
		}
		return nil, err
	}
	return t, nil
}

// surroundings is what many entries of a package look at.
type surroundings struct {
	cat    *catalogue
	admin  *adminIndex // nil: not read yet, or no longer true
	scopes *scopeIndex
	area   *region // of a file nobody described
}

func (s *surroundings) read(ctx context.Context, store *store) (err error) {
	if s.admin == nil {
		if s.admin, err = store.adminIndex(ctx); err != nil {
			return err
		}
		s.scopes, err = store.scopeIndex(ctx)
	}
	return err
}

// guess completes an entry for a single file: a column named like a key becomes
// the key, columns named like coordinates the place.
func (im *Importer) guess(ctx context.Context, path string, e *Entry, cat *catalogue) ([]Entry, error) {
	t, err := im.open(ctx, source{path: path, encoding: e.Encoding, crs: e.CRS, sublayer: e.Sublayer})
	if err != nil {
		return nil, err
	}
	defer t.close()
	layer := cat.layers[e.Layer]
	if !t.shapes {
		e.Geometry = coordinateColumns(t.fields)
	}
	for f, col := range layer.assign(t.fields, true) {
		if col == "code" {
			e.Key = KeyFields{f}
		}
	}
	if err := layer.recognised(t, e); err != nil {
		return nil, err
	}
	e.loose = true
	return []Entry{*e}, nil
}

// ImportManifest brings a whole package in, entry by entry, in the manifest's order.
// An entry that fails does not stop the others; the first failure is returned at the
// end.
func (im *Importer) ImportManifest(ctx context.Context, path string, opt FileOptions) ([]Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("census: %w", err)
	}
	m, err := ParseManifest(text)
	if err != nil {
		return nil, err
	}
	cat, err := im.store.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	around := &surroundings{cat: cat}
	root := m.ResolveRoot(path, opt.Root)
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("census: 数据目录不存在 (no such data folder): %s", root)
	}
	var reports []Report
	var first error
	for i := range m.Files {
		e := &m.Files[i]
		if opt.Layer != "" && opt.Layer != e.Layer {
			continue
		}
		r, err := func() (Report, error) {
			files, err := e.files(root)
			if err != nil {
				return Report{Dataset: m.dataset(e).Name}, err
			}
			return im.entry(ctx, m, e, files, opt, around)
		}()
		reports = append(reports, r)
		if ctx.Err() != nil {
			return reports, ctx.Err()
		}
		if err != nil && first == nil {
			first = fmt.Errorf("%s: %w", e.Name, err)
		}
	}
	if m.Home != nil && first == nil {
		if err := im.store.setHome(ctx, *m.Home, actorOr(opt.Actor)); err != nil {
			return reports, err
		}
	}
	return reports, first
}

func actorOr(a string) string {
	if a == "" {
		return "import"
	}
	return a
}

// entry brings the files of one entry in as one run.
func (im *Importer) entry(ctx context.Context, m *Manifest, e *Entry, files []string, opt FileOptions, around *surroundings) (Report, error) {
	cat := around.cat
	layer, err := cat.layer(e.Layer)
	if err != nil {
		return Report{Dataset: m.dataset(e).Name}, err
	}
	loc, err := m.location()
	if err != nil {
		return Report{}, err
	}
	crs := e.CRS
	if opt.CRS != "" && opt.CRS != "auto" {
		crs = opt.CRS
	}
	encoding := e.Encoding
	if opt.Encoding != "" && opt.Encoding != "auto" {
		encoding = opt.Encoding
	}
	_, srid, err := geo.ParseCRS(crs)
	if err != nil {
		return Report{Dataset: m.dataset(e).Name}, err
	}
	if known, err := im.store.knowsSRID(ctx, srid); err != nil {
		return Report{Dataset: m.dataset(e).Name}, err
	} else if !known {
		return Report{Dataset: m.dataset(e).Name}, fmt.Errorf("census: 没有坐标系 EPSG:%d (there is no such coordinate system)", srid)
	}
	if err := around.read(ctx, im.store); err != nil {
		return Report{}, err
	}
	admin := around.admin
	if e.Layer == "admin" {
		defer func() { around.admin = nil }()
	}
	load := LoadOptions{scopes: around.scopes, area: around.area, Mode: e.Mode, Accept: opt.Accept, Actor: opt.Actor, RulesSHA256: e.digest(), Area: m.area(e)}
	var names []string
	sum := sha256.New()
	for _, f := range files {
		names = append(names, fileName(files, f))
		if err := hashFile(sum, f); err != nil {
			return Report{Dataset: m.dataset(e).Name}, err
		}
	}
	load.Source, load.SourceSHA256 = clip(strings.Join(names, ", "), 400), sum.Sum(nil)
	if opt.Progress != nil {
		load.Progress = func(p Progress) { opt.Progress(e.Name, p) }
	}
	// Open the first file before a run is written down: a wrong name is no run.
	src := func(i int) source {
		return source{path: files[i], name: names[i], encoding: encoding, crs: crs, sublayer: e.Sublayer, wanted: e.wanted(), noShapes: e.Geometry.None}
	}
	first, err := im.open(ctx, src(0))
	if err != nil {
		return Report{Dataset: m.dataset(e).Name}, err
	}
	load.CRS, load.Encoding = first.crs, first.encoding
	first.close()
	entry := *e
	entry.CRS = crs
	produce := func(r *run, emit func(item) bool) error {
		for i := range files {
			t, err := im.open(ctx, src(i))
			if err != nil {
				return err
			}
			more, err := r.file(ctx, &entry, t, layer, admin, loc, emit)
			t.close()
			if err != nil || !more {
				return err
			}
		}
		return nil
	}
	return im.load(ctx, m.dataset(e), cat, load, produce)
}

// file maps and tests every record of an opened file.
func (r *run) file(ctx context.Context, e *Entry, t *table, layer *layerInfo, admin *adminIndex, loc *time.Location, emit func(item) bool) (more bool, err error) {
	mp, err := newMapper(e, t, layer, r.cat, admin, loc)
	if err != nil {
		return false, err
	}
	if r.area != nil {
		mp.area = &r.area.bound
	}
	notes := mp.notes(t)
	if !emit(item{file: t.file, issues: t.remarks, notes: &notes}) {
		return false, nil
	}
	for rec, err := range t.records {
		if err != nil {
			return false, err
		}
		f, i := mp.feature(t, rec)
		if i != nil {
			if !emit(item{read: 1, file: t.file, issues: []Issue{*i}}) {
				return false, nil
			}
			continue
		}
		if err := r.compare(ctx, &f); err != nil {
			return false, err
		}
		if !emit(r.test(&f)) {
			return false, nil
		}
	}
	return true, nil
}

// fileName is what people call a file: its name, with the folder where several of
// one name take part.
func fileName(all []string, path string) string {
	base := filepath.Base(path)
	for _, o := range all {
		if o != path && filepath.Base(o) == base {
			return filepath.Base(filepath.Dir(path)) + "/" + base
		}
	}
	return base
}

func hashFile(w io.Writer, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	if info.IsDir() { // a geodatabase: its parts in order
		entries, err := os.ReadDir(path)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFile, err)
		}
		for _, e := range entries {
			if e.Type().IsRegular() {
				if err := hashFile(w, filepath.Join(path, e.Name())); err != nil {
					return err
				}
			}
		}
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return nil
}
