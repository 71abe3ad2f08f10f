package census

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/gdal"
	"onemap/internal/geo"
)

// ErrBusy means another run of the same data set is under way.
var ErrBusy = errors.New("census: the data set is being imported by another run")

// The sizes of a chunk: it starts small, and grows and shrinks with the time it
// takes.
const (
	firstChunk = 1_000
	maxChunk   = 5_000
	slowChunk  = 500 * time.Millisecond
	fastChunk  = 200 * time.Millisecond
)

// batch is what one COPY brings to staging.
const (
	batchRows     = 2_000
	batchVertices = 200_000
)

// maxRuleWarnings is how many remarks of one rule are written down one by one; the
// rest is counted.
const maxRuleWarnings = 1_000

// Options configure an Importer.
type Options struct {
	GDAL    *gdal.Runner // nil: formats that need GDAL are refused with a clear word
	TempDir string
	Logger  *slog.Logger
}

// Importer brings data in.
type Importer struct {
	store  *store
	opener *opener
	log    *slog.Logger
}

// NewImporter makes one on the bulk pool.
func NewImporter(pool *db.Pool, opt Options) (*Importer, error) {
	s, err := newStore(pool)
	if err != nil {
		return nil, err
	}
	log := opt.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Importer{store: s, opener: &opener{gdal: opt.GDAL, temp: opt.TempDir}, log: log}, nil
}

// run is one import under way.
type run struct {
	im      *Importer
	opt     LoadOptions
	id      [16]byte
	dataset [16]byte
	cat     *catalogue
	stager  *stager
	area    *region
	units   map[string]*region // shapes of units rows say they lie in, loaded once
	report  Report
	seq     int64
	stored  map[RuleCount]int64
	begun   time.Time
}

// item is what the producer hands over: a row, or issues, or both.
type item struct {
	row    *staged
	read   int64
	issues []Issue
	file   string
	notes  *FileNotes
}

// Load brings features in that come as Go values. Layers may follow one another in
// any order; a chunk holds one layer.
func (im *Importer) Load(ctx context.Context, ds Dataset, features iter.Seq2[Feature, error], opt LoadOptions) (Report, error) {
	cat, err := im.store.catalogue(ctx)
	if err != nil {
		return Report{}, err
	}
	produce := func(r *run, emit func(item) bool) error {
		n := int64(0)
		for f, err := range features {
			if err != nil {
				return err
			}
			n++
			if f.Row == 0 {
				f.Row = n
			}
			if f.File == "" {
				f.File = ds.Name
			}
			if !emit(r.test(&f)) {
				return nil
			}
		}
		return nil
	}
	return im.load(ctx, ds, cat, opt, produce)
}

// test judges and stages one feature.
func (r *run) test(f *Feature) item {
	it := item{read: 1, file: f.File}
	layer, err := r.cat.layer(f.Layer)
	if err != nil {
		it.issues = []Issue{{File: f.File, Row: f.Row, Rule: RuleConstraint, Kind: Rejected, Path: "layer", Message: err.Error()}}
		return it
	}
	if i := judge(f, layer, r.area, r.cat.limits); i != nil {
		it.issues = []Issue{*i}
		return it
	}
	row, i := r.stager.stage(f)
	if i != nil {
		it.issues = []Issue{*i}
		return it
	}
	it.row, it.issues = row, f.remarks
	return it
}

// statedTolerance is how far outside its stated unit a point may lie without a
// remark, in metres.
const statedTolerance = 200.0

// compare remarks where a point lies elsewhere than its row says.
func (r *run) compare(ctx context.Context, f *Feature) error {
	p, ok := f.Geometry.(orb.Point)
	if f.stated == "" || !ok || f.srid != 0 {
		return nil
	}
	unit, known := r.units[f.stated]
	if !known {
		var err error
		if unit, err = r.im.store.region(ctx, f.stated); err != nil {
			return err
		}
		r.units[f.stated] = unit
	}
	if unit == nil {
		return nil
	}
	if d := unit.distance(p); d > statedTolerance {
		f.remarks = append(f.remarks, Issue{File: f.File, Row: f.Row, Rule: RuleAdminMismatch, Kind: Warning, At: &p,
			Message: fmt.Sprintf("位置在所填行政区划 %s 以外 %.1f km (lies outside the unit it names)", f.stated, d/1000)})
	}
	return nil
}

// load runs the whole way: stage everything, then move it in chunks.
func (im *Importer) load(ctx context.Context, ds Dataset, cat *catalogue, opt LoadOptions, produce func(*run, func(item) bool) error) (Report, error) {
	if opt.Mode == "" {
		opt.Mode = Upsert
	}
	if opt.Actor == "" {
		opt.Actor = "import"
	}
	if opt.Source == "" {
		opt.Source = ds.Name
	}
	if err := checkClassification(ds.Classification); err != nil {
		return Report{}, err
	}
	r := &run{im: im, opt: opt, id: newID(time.Now()), cat: cat, report: newReport(), stored: map[RuleCount]int64{}, units: map[string]*region{}, begun: time.Now()}
	r.report.Import, r.report.Dataset, r.report.Source, r.report.CRS, r.report.Encoding = r.id, ds.Name, opt.Source, opt.CRS, opt.Encoding
	var err error
	if r.dataset, err = im.store.ensureDataset(ctx, ds, opt.Actor); err != nil {
		return r.report, err
	}
	scopes := opt.scopes
	if scopes == nil {
		if scopes, err = im.store.scopeIndex(ctx); err != nil {
			return r.report, err
		}
	}
	r.stager = newStager(cat, scopes)
	if r.area = opt.area; r.area == nil && opt.Area != "" {
		if r.area, err = im.store.region(ctx, opt.Area); err != nil {
			return r.report, err
		}
	}
	err = im.store.pool.Hold(ctx, func(conn session) error {
		var locked bool
		if err := conn.QueryRow(ctx, im.store.fixed.Get("dataset_lock"), ds.Name).Scan(&locked); err != nil {
			return fmt.Errorf("census: lock: %w", err)
		}
		if !locked {
			return fmt.Errorf("%w: %s", ErrBusy, ds.Name)
		}
		defer func() {
			_, _ = conn.Exec(context.WithoutCancel(ctx), im.store.fixed.Get("dataset_unlock"), ds.Name)
		}()
		return r.all(ctx, conn, produce)
	})
	r.report.Elapsed = time.Since(r.begun)
	return r.report, err
}

func (r *run) all(ctx context.Context, conn session, produce func(*run, func(item) bool) error) (err error) {
	s := r.im.store
	if _, err := s.exec(ctx, r.opt.Actor, "import_abandon", r.dataset, r.id); err != nil {
		return err
	}
	if _, err := s.exec(ctx, r.opt.Actor, "import_begin", r.id, r.dataset, string(r.opt.Mode), r.opt.Source, r.opt.SourceSHA256, r.opt.RulesSHA256,
		r.opt.CRS, r.opt.Encoding, r.opt.Actor); err != nil {
		return err
	}
	defer func() {
		// Whatever happened is written down, also when the context is over.
		ctx := context.WithoutCancel(ctx)
		if ferr := r.finish(ctx, err); err == nil {
			err = ferr
		}
		for {
			n, cerr := s.exec(ctx, r.opt.Actor, "staging_clear", r.id, r.dataset)
			if cerr != nil || n == 0 {
				break
			}
		}
	}()
	if err := r.stageAll(ctx, conn, produce); err != nil {
		return err
	}
	if _, err := s.exec(ctx, r.opt.Actor, "import_state", r.id, "accepting"); err != nil {
		return err
	}
	for _, layer := range slices.Sorted(maps.Keys(r.stager.ords)) {
		if err := r.acceptLayer(ctx, conn, layer); err != nil {
			return err
		}
	}
	if r.opt.Mode == Replace {
		return r.deleteVanished(ctx, conn)
	}
	return nil
}

// stageAll lets the producer run beside the COPY.
func (r *run) stageAll(ctx context.Context, conn session, produce func(*run, func(item) bool) error) error {
	type batch struct {
		rows   []*staged
		issues []Issue
		read   map[string]int64
		notes  []FileNotes
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan batch, 2)
	failed := make(chan error, 1)
	go func() {
		defer close(batches)
		b := batch{read: map[string]int64{}}
		vertices := 0
		flush := func() bool {
			select {
			case batches <- b:
			case <-ctx.Done():
				return false
			}
			b, vertices = batch{read: map[string]int64{}}, 0
			return true
		}
		err := produce(r, func(it item) bool {
			b.read[it.file] += it.read
			b.issues = append(b.issues, it.issues...)
			if it.notes != nil {
				b.notes = append(b.notes, *it.notes)
			}
			if it.row != nil {
				b.rows = append(b.rows, it.row)
				vertices += geo.VertexCount(it.row.geom)
			}
			if len(b.rows) >= batchRows || len(b.issues) >= 2*batchRows || vertices >= batchVertices {
				return flush()
			}
			return ctx.Err() == nil
		})
		if err == nil {
			flush()
		}
		failed <- err
	}()
	defer func() { // an error here must not leave the producer running
		cancel()
		for range batches { //nolint:revive // drained until closed
		}
	}()
	total := int64(0)
	for b := range batches {
		if len(b.rows) > 0 {
			if err := r.im.store.copyStaged(ctx, conn, r.id, b.rows); err != nil {
				return err
			}
		}
		for file, n := range b.read {
			r.report.file(file).Read += n
			r.report.Counts.Read += n
			total += n
		}
		r.report.Notes = append(r.report.Notes, b.notes...)
		if err := r.issues(ctx, conn, b.issues); err != nil {
			return err
		}
		r.progress("read", "", total)
	}
	if err := <-failed; err != nil {
		return err
	}
	return ctx.Err()
}

func (r *run) progress(stage, layer string, rows int64) {
	if r.opt.Progress != nil {
		r.opt.Progress(Progress{Stage: stage, Layer: layer, Rows: rows})
	}
}

// issues counts them and writes them down.
func (r *run) issues(ctx context.Context, to batcher, issues []Issue) error {
	keep := issues[:0:0]
	for _, i := range issues {
		if r.count(i) {
			keep = append(keep, i)
		}
	}
	if err := r.im.store.addIssues(ctx, to, r, keep); err != nil {
		return err
	}
	r.seq += int64(len(keep))
	return nil
}

// count adds an issue to the figures and tells whether it is to be written down by
// itself.
func (r *run) count(i Issue) bool {
	r.report.note(i)
	switch i.Kind {
	case Rejected:
		r.report.Counts.Rejected++
		r.report.file(i.File).Rejected++
	case Quarantined:
		r.report.Counts.Quarantined++
		r.report.file(i.File).Quarantined++
	default:
		k := RuleCount{Rule: i.Rule, Kind: i.Kind}
		r.stored[k]++
		return r.stored[k] <= maxRuleWarnings
	}
	return true
}

func (r *run) acceptLayer(ctx context.Context, conn session, layer string) error {
	l, err := r.cat.layer(layer)
	if err != nil {
		return err
	}
	r.report.Layers = append(r.report.Layers, layer)
	total := r.stager.ords[layer]
	if err := r.prepareShapes(ctx, conn, layer, total); err != nil {
		return err
	}
	columns := r.stager.columnsOf(layer)
	sql := map[string]string{}
	for _, name := range []string{"protected", "update", "insert", "restricted", "originals"} {
		sql[name] = r.im.store.layerSQL(name, l, columns, "f")
	}
	size := min(int64(firstChunk), r.cat.limits.chunk)
	for lo := int64(1); lo <= total; {
		hi := min(lo+size-1, total)
		begun := time.Now()
		if err := r.acceptRange(ctx, l, sql, lo, hi); err != nil {
			return err
		}
		switch took := time.Since(begun); {
		case took > slowChunk:
			size = max(min(50, size), size/2)
		case took < fastChunk:
			size = min(r.cat.limits.chunk, size*2)
		}
		lo = hi + 1
		r.progress("accept", layer, hi)
	}
	return nil
}

// acceptRange moves rows lo..hi. Where one of them breaks a rule only the schema
// knows, the range is halved until the row stands alone.
func (r *run) acceptRange(ctx context.Context, l *layerInfo, sql map[string]string, lo, hi int64) error {
	out, err := r.im.store.chunk(ctx, r, l, sql, lo, hi)
	switch {
	case err == nil:
		r.seq += int64(len(out.protected))
		for _, i := range out.protected {
			r.count(i)
		}
		accepted := int64(0)
		for file, n := range out.files {
			accepted += n
			r.report.file(file).Accepted += n
		}
		for file, n := range out.unplaced {
			r.report.Counts.Unplaced += n
			r.report.file(file).Unplaced += n
		}
		c := &r.report.Counts
		c.Accepted += accepted
		c.Inserted += out.inserted
		c.Updated += out.updated
		c.Unchanged += accepted - out.inserted - out.updated
		return nil
	case ctx.Err() != nil || !(isDataError(err) || isTimeout(err)):
		return fmt.Errorf("census: rows %d to %d of %s: %w", lo, hi, l.id, err)
	case lo < hi:
		mid := lo + (hi-lo)/2
		if err := r.acceptRange(ctx, l, sql, lo, mid); err != nil {
			return err
		}
		return r.acceptRange(ctx, l, sql, mid+1, hi)
	}
	rule, message := constraintWords(err)
	return r.quarantineStaged(ctx, l.id, lo, rule, message)
}

func (r *run) quarantineStaged(ctx context.Context, layer string, ord int64, rule, message string) error {
	i, err := r.im.store.take(ctx, r, layer, ord, rule, message)
	if errors.Is(err, errNoRows) {
		return nil // taken out before, for another reason
	}
	if err != nil {
		return err
	}
	r.seq++
	r.count(i)
	return nil
}

// prepareShapes converts what PostGIS must convert and repairs what may be
// repaired.
func (r *run) prepareShapes(ctx context.Context, conn session, layer string, total int64) error {
	if r.stager.projected[layer] {
		for lo := int64(1); lo <= total; lo += 1_000 {
			issues, err := r.im.store.transform(ctx, r, layer, lo, lo+999)
			if err != nil {
				return err
			}
			r.seq += int64(len(issues))
			for _, i := range issues {
				r.count(i)
			}
		}
	}
	ords, err := r.im.store.toRepair(ctx, r, layer)
	if err != nil {
		return err
	}
	for _, ord := range ords {
		i, ok, before, after, err := r.im.store.repairOne(ctx, r, layer, ord)
		if err != nil {
			return fmt.Errorf("census: repair: %w", err)
		}
		change := 1.0
		if m := max(before, after); m > 0 {
			change = (after - before) / m
		}
		switch {
		case !ok:
			err = r.quarantineStaged(ctx, layer, ord, RuleInvalid, "无法修复 (cannot be repaired)")
		case change > maxAreaChange || change < -maxAreaChange:
			err = r.quarantineStaged(ctx, layer, ord, RuleRepairChanges,
				fmt.Sprintf("修复会使面积变化 %+.1f%%,须人工确认 (repair would change the area)", change*100))
		default:
			i.Rule, i.Kind = RuleRepaired, Warning
			i.Message = fmt.Sprintf("已按结构法修复,面积变化 %+.4f%%,原图形保留 (repaired, original kept)", change*100)
			err = r.issues(ctx, conn, []Issue{i})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteVanished removes rows the new package no longer has. Rows that stand in
// quarantine this time have not vanished, and rows confirmed in the field stay.
func (r *run) deleteVanished(ctx context.Context, conn session) error {
	for _, layer := range r.report.Layers {
		l, err := r.cat.layer(layer)
		if err != nil {
			return err
		}
		if !r.opt.Accept {
			kept, err := r.im.store.vanishedVerified(ctx, r, l)
			if err != nil {
				return err
			}
			for i := range kept {
				kept[i].File = r.opt.Source
			}
			if err := r.issues(ctx, conn, kept); err != nil {
				return err
			}
		}
		for {
			n, err := r.im.store.vanish(ctx, r, l, maxChunk)
			if err != nil {
				return err
			}
			r.report.Counts.Deleted += n
			if n == 0 {
				break
			}
			r.progress("delete", layer, r.report.Counts.Deleted)
		}
	}
	return nil
}

func (r *run) finish(ctx context.Context, failure error) error {
	state, message := "accepted", ""
	if failure != nil {
		state, message = "failed", clip(failure.Error(), 500)
	}
	files := map[string]any{}
	for name, c := range r.report.Files {
		files[name] = map[string]int64{"read": c.Read, "accepted": c.Accepted, "rejected": c.Rejected, "quarantined": c.Quarantined, "unplaced": c.Unplaced}
	}
	var rules []map[string]any
	for _, rc := range r.report.RuleCounts() {
		rules = append(rules, map[string]any{"rule": rc.Rule, "kind": string(rc.Kind), "count": rc.Count})
	}
	c := r.report.Counts
	_, err := r.im.store.exec(ctx, r.opt.Actor, "import_finish", r.id, state, append([]string{}, r.report.Layers...), c.Read, c.Accepted, c.Rejected, c.Quarantined,
		c.Inserted, c.Updated, c.Unchanged, c.Deleted, c.Unplaced, map[string]any{"files": files, "rules": rules}, message, r.report.CRS, r.report.Encoding)
	return err
}
