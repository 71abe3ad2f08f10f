package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

// attempt is one operation in one transaction.
type attempt struct {
	delivery

	o       *Op
	refused *Refusal // what an attempt before found; nothing is tried again

	tx      pgx.Tx
	grant   auth.Grant
	scope   geo.Scope // whose business it is
	applied int64     // the device's numbering without a gap
	place   geo.Scope // the smallest unit around the shape
	marks   []string
	values  map[string]json.RawMessage
	waited  bool   // it is in the log, waiting, and has its turn
	red     bool   // it is 险情, or adds to it
	name    string // what the record is called as it stands
}

// run costs, for a new record: the begin, one batch of claims and questions, the kind's
// load and insert, one batch of writing down, the commit: six round trips.
func (t *attempt) run(ctx context.Context) (r Result, ready string, err error) {
	grants := t.grants()
	t.grant, t.red = t.anyGrant(), t.urgent(t.o)
	if t.scope = t.grant.Scope(); t.grant.ID == "" {
		t.scope = geo.Scope{}
	}
	err = t.begin(ctx, func() error {
		k, found, err := t.ask(ctx)
		if err != nil {
			return err
		}
		if found && k.status == Waiting && t.o.Seq <= t.applied+1 {
			// What it waited for came, and whoever was to go on with it did not live to.
			t.waited = true
		}
		if found && (!t.waited || k.status != Waiting) {
			r = t.Service.again(t.o, k)
			return nil
		}
		var out outcome
		var ref *Refusal
		if t.refused == nil || t.scope.IsNull() { // else it is known whose business it is
			ref = t.before(ctx, grants)
		}
		if ref != nil && t.refused == nil && t.addsToUrgent(ctx) {
			t.red = true
			ref = t.before(ctx, grants)
		}
		switch {
		case t.refused != nil:
			if out = refusedAs(t.refused); t.red && out.status == Rejected && out.code == "id_taken" {
				out.status = Quarantined // a person hears of it
			}
		case ref != nil:
			out = refusedAs(ref)
		case !t.waited && !t.late && t.o.Seq > t.applied+1 && !t.red:
			out = outcome{status: Waiting}
		default:
			if out, err = t.apply(ctx); err != nil {
				return err
			}
		}
		r, ready, err = t.record(ctx, out)
		return err
	})
	return r, ready, err
}

// begin opens the transaction; its claims travel with the first questions.
func (t *attempt) begin(ctx context.Context, fn func() error) error {
	return t.opts.DB.Intake.Hold(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			t.tx = tx
			return fn()
		})
	})
}

// ask takes the device's turn and asks, in one round trip, what is known.
func (t *attempt) ask(ctx context.Context) (k known, found bool, err error) {
	var b pgx.Batch
	t.by.Writing(t.grant).Queue(&b)
	b.Queue(t.queries.Get("turn"), t.by.Account, t.device)
	var hash []byte
	b.Queue(t.queries.Get("known"), t.o.ID, t.by.Account).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&hash, &k.status, &k.answer, &k.version, &k.object, &k.kind)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		found = err == nil
		return err
	})
	if t.o.Seq > 0 {
		b.Queue(t.queries.Get("begun"), t.by.Account, t.device, t.lowest).QueryRow(func(row pgx.Row) error { return row.Scan(&t.applied) })
	}
	if t.o.Shape != nil && t.o.Fault == nil {
		b.Queue(t.queries.Get("place"), geo.Shape{Geometry: t.o.Shape}).QueryRow(func(row pgx.Row) error { return row.Scan(&t.place) })
	}
	if err := t.tx.SendBatch(ctx, &b).Close(); err != nil {
		return k, false, fmt.Errorf("sync: ask: %w", err)
	}
	if found && string(hash) != string(t.o.Hash[:]) {
		return k, false, &Refusal{Verdict: Rejected, Code: "op_id_taken"}
	}
	return k, found, nil
}

// outcome is what became of an operation.
type outcome struct {
	status   Status
	version  int64
	conflict map[string]Difference
	shapes   *Shapes
	problem  *Problem
	code     string // of the case
}

func refusedAs(r *Refusal) outcome {
	return outcome{status: r.Verdict, code: r.Code, problem: &Problem{Code: r.Code, Words: r.Words, Path: r.Path}}
}

func (t *attempt) quarantine(code string, w Words, path string) *Refusal {
	return &Refusal{Verdict: Quarantined, Code: code, Words: w, Path: path}
}

// before looks at everything that needs no record: who he is, what he sent, when. It
// settles under which grant, and whose business it is.
func (t *attempt) before(ctx context.Context, grants []auth.Grant) *Refusal {
	if len(grants) == 0 {
		// 险情 of somebody whose grid was given away meanwhile is heard; who never held one is no sender.
		if r := t.formerly(ctx, geo.Scope{}); !t.red || r.Verdict != Quarantined {
			return r
		}
	}
	if f := t.o.Fault; f != nil {
		if !t.red || f.Verdict != Quarantined || t.o.Object == "" {
			return f
		}
		t.mark("fault")
	}
	k, ok := t.kinds[t.o.Kind]
	if !ok {
		return t.quarantine("unknown_kind", Words{"不认识这一类记录", "There is no such kind of record."}, "/kind")
	}
	d := k.Dictionary()
	if r := t.fields(d); r != nil {
		return r
	}
	if r := t.shape(d); r != nil && !t.red {
		return r
	}
	if r := t.clock(); r != nil && !t.red {
		return r
	}
	if t.place.IsNull() || t.red {
		return nil
	}
	for _, g := range grants {
		if g.Scope().Contains(t.place) {
			t.grant, t.scope = g, t.place
			return nil
		}
	}
	return t.formerly(ctx, t.place)
}

// formerly tells what was his when he made it from what never was.
func (t *attempt) formerly(ctx context.Context, place geo.Scope) *Refusal {
	at := t.effective()
	var area *string
	var arg any
	if !place.IsNull() {
		arg = place
	}
	if err := t.tx.QueryRow(ctx, t.queries.Get("held"), t.by.Account, writingRoles(), arg, at, t.scope.IsNull()).Scan(&area); err != nil {
		return t.quarantine("outside_area", outsideWords, "/geometry")
	}
	switch {
	case area != nil && t.scope.IsNull():
		t.scope = auth.Grant{Area: *area}.Scope()
		return t.quarantine("grant_gone", Words{"您的授权已结束，已保留待核实", "You do not hold the area any more. It is kept for the office to look at."}, "")
	case area != nil:
		return t.quarantine("reassigned", Words{"网格已调整，采集时仍由您负责，已保留待核实", "The grid was given to another; it was yours when this was made. It is kept for the office to look at."}, "/geometry")
	case t.scope.IsNull():
		return &Refusal{Verdict: Rejected, Code: "forbidden", Words: Words{"您没有填报的权限", "You may not report."}}
	}
	return t.quarantine("outside_area", outsideWords, "/geometry")
}

// fields takes the values that fit the dictionary. One that does not is a refusal, but of
// 险情 a mark: what waits on a desk rings nowhere. The kind takes of it what it can, and
// the log keeps what was sent.
func (t *attempt) fields(d Dictionary) *Refusal {
	lists := t.opts.Catalogue.Now().CodeLists
	t.values = map[string]json.RawMessage{}
	names := make([]string, 0, len(t.o.Fields))
	for name := range t.o.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if r := t.field(d, name, lists); r != nil && !t.red {
			return r
		} else if r != nil {
			t.mark("field")
		}
		t.values[name] = t.o.Fields[name].Value
	}
	return nil
}

func (t *attempt) field(d Dictionary, name string, lists map[string]*registry.CodeList) *Refusal {
	f, ok := d.field(name)
	path := "/fields/" + clip(name, 60)
	switch {
	case !ok:
		return t.quarantine("unknown_field", Words{"没有字段 " + clip(name, 60), "There is no field " + clip(name, 60) + "."}, path)
	case f.ReadOnly:
		return t.quarantine("read_only", Words{f.Title.Zh + "不能修改", f.Title.En + " cannot be changed."}, path)
	}
	return f.check(t.o.Fields[name].Value, lists)
}

func (t *attempt) shape(d Dictionary) *Refusal {
	if t.o.Shape == nil {
		return nil
	}
	if !slices.Contains(d.Geometry, t.o.Shape.GeoJSONType()) {
		return t.quarantine("wrong_geometry", Words{"这一类记录没有这种图形", "This kind of record has no such shape."}, "/geometry")
	}
	return nil
}

// effective is the device's time, brought into what can be true.
func (t *attempt) effective() time.Time { return bounded(t.o.Captured, t.received) }

func (t *attempt) clock() *Refusal {
	c := t.o.Captured
	switch {
	case c.IsZero():
		t.mark("no_clock")
	case c.Year() < 2020:
		t.mark("clock")
		return t.quarantine("clock_early", Words{"手机时间早于 2020 年", "The phone's clock is before 2020."}, "/captured_at")
	case c.After(t.received.Add(clockMost)):
		t.mark("clock")
		return t.quarantine("clock_late", Words{"手机时间比现在晚一天以上", "The phone's clock is more than a day ahead."}, "/captured_at")
	case c.After(t.received.Add(5 * time.Minute)):
		t.mark("clock")
	}
	return nil
}

func (t *attempt) mark(m string) {
	if !slices.Contains(t.marks, m) {
		t.marks = append(t.marks, m)
	}
}

func (t *attempt) write(fields map[string]json.RawMessage) Write {
	return Write{
		ID: t.o.Object, OpID: t.o.ID, Grant: t.grant, Fields: fields, Note: t.o.Note, Place: t.place,
		Captured: Capture{
			At: t.o.Captured, Received: t.received, Device: t.device, Datum: t.o.Datum, Raw: t.o.RawShape,
			Accuracy: t.o.Accuracy, Position: t.o.Position, Evidence: t.o.Blobs, Effective: t.effective(),
		},
	}
}

// under makes the transaction act under a grant: the one that reaches the record.
func (t *attempt) under(ctx context.Context, place geo.Scope, placed bool) *Refusal {
	best := -1
	grants := t.grants()
	for i, g := range grants {
		if g.Scope().Contains(place) {
			best = i
			break
		}
	}
	if best < 0 && placed && !t.red {
		t.scope = t.anyGrant().Scope()
		return t.formerly(ctx, place)
	}
	switch {
	case best >= 0:
		t.grant = grants[best]
	case len(grants) > 0:
		t.grant = grants[0]
	}
	if err := t.claim(ctx); err != nil {
		return &Refusal{Verdict: Retry, Code: err.Error()}
	}
	return nil
}

func (t *attempt) claim(ctx context.Context) error {
	c := t.by.Writing(t.grant)
	if c.Role == string(t.anyGrant().Role) && t.grant.ID == t.anyGrant().ID {
		return nil // as it began
	}
	return db.Reclaim(ctx, t.tx, c)
}

// apply does what the operation says, as far as it can be done.
func (t *attempt) apply(ctx context.Context) (outcome, error) {
	k := t.kinds[t.o.Kind]
	d := k.Dictionary()
	placed := len(d.Geometry) > 0
	if t.grant.ID != t.anyGrant().ID {
		if err := t.claim(ctx); err != nil {
			return outcome{}, err
		}
	}
	rec, err := guard(d.Kind, func() (Record, error) { return k.Load(ctx, t.tx, t.by, t.o.Object) })
	if errors.Is(err, ErrAbsent) {
		return t.absent(ctx, k, d)
	}
	if err != nil {
		return outcome{}, err
	}
	t.red, t.name = t.red || t.adds(k, rec), called(rec.Fields)
	if !rec.Scope.IsNull() {
		if ref := t.under(ctx, rec.Scope, placed); ref != nil {
			if ref.Verdict == Retry {
				return outcome{}, errors.New(ref.Code)
			}
			return refusedAs(ref), nil
		}
		t.scope = rec.Scope
	}
	switch t.o.Do {
	case Delete:
		return t.remove(ctx, k, d, rec)
	case Transit:
		return t.move(ctx, k, d, rec)
	}
	m := merge(d, rec, t.known(d))
	out := t.told(m, rec)
	if !m.changes() {
		if !m.conflicts() && t.o.BaseVersion > 0 && t.o.BaseVersion != rec.Version {
			out.status = Merged
		}
		return out, t.photos(ctx, rec.Scope)
	}
	w := t.write(m.write)
	w.Geometry = m.shape
	now, err := guard(d.Kind, func() (Record, error) { return k.Update(ctx, t.tx, t.by, w) })
	if err != nil {
		return outcome{}, err
	}
	if out.status == Applied && t.o.BaseVersion > 0 && t.o.BaseVersion != rec.Version {
		out.status = Merged
	}
	out.version = now.Version
	t.settleScope(now.Scope)
	return out, t.photos(ctx, now.Scope)
}

func (t *attempt) settleScope(s geo.Scope) {
	if !s.IsNull() {
		t.scope = s
	}
}

// told turns a merge into an outcome.
func (t *attempt) told(m merged, rec Record) outcome {
	out := outcome{status: Applied, version: rec.Version}
	if !m.conflicts() {
		return out
	}
	out.status, out.code, out.conflict = Conflict, "edited_by_both", m.conflict
	if m.shapes {
		out.shapes = &Shapes{Base: geoJSON(t.o.ShapeOf), Mine: geoJSON(t.o.Shape), Theirs: geoJSON(rec.Geometry)}
	}
	return out
}

func (t *attempt) photos(ctx context.Context, scope geo.Scope) error {
	if t.opts.Blobs == nil || len(t.o.Blobs) == 0 {
		return nil
	}
	if scope.IsNull() {
		scope = t.scope
	}
	return t.opts.Blobs.Refer(ctx, t.tx, t.by, t.o.Blobs, t.o.Kind, t.o.Object, t.o.ID, scope)
}

// absent is an operation on a record that is not there, or not his to see.
func (t *attempt) absent(ctx context.Context, k Kind, d Dictionary) (outcome, error) {
	edits := t.o.BaseVersion > 0 || t.o.Do != Put || t.o.HasBase && t.o.ShapeOf != nil
	for _, e := range t.o.Fields {
		edits = edits || e.HasBase && !empty(e.Base)
	}
	urgent := t.urgent(t.o)
	if edits && !urgent {
		return t.missing(ctx)
	}
	var follows bool
	if err := t.tx.QueryRow(ctx, t.queries.Get("follows"), t.o.Object, t.by.Account, t.o.Kind, t.o.ID).Scan(&follows); err != nil {
		return outcome{}, err
	}
	if follows && !urgent {
		return refusedAs(t.follows()), nil
	}
	for _, f := range d.Fields {
		if f.Required && empty(t.values[f.Name]) && !urgent {
			return refusedAs(t.quarantine("required", Words{f.Title.Zh + "没有填写", f.Title.En + " is missing."}, "/fields/"+f.Name)), nil
		}
	}
	w := t.write(t.values)
	w.Geometry = t.o.Shape
	rec, err := guard(d.Kind, func() (Record, error) { return k.Insert(ctx, t.tx, t.by, w) })
	if err != nil {
		return outcome{}, err
	}
	t.settleScope(rec.Scope)
	return outcome{status: Applied, version: rec.Version}, t.photos(ctx, rec.Scope)
}

func (t *attempt) follows() *Refusal {
	return t.quarantine("follows_quarantined", Words{"这条记录的前一次填报还在核实", "What was reported of this record before is still being looked at."}, "/id")
}

// missing is an edit of what is not there: deleted meanwhile, or out of his sight.
func (t *attempt) missing(ctx context.Context) (outcome, error) {
	var deleted, follows bool
	var b pgx.Batch
	b.Queue(t.queries.Get("was_deleted"), t.o.Kind, t.o.Object).QueryRow(func(row pgx.Row) error { return row.Scan(&deleted) })
	b.Queue(t.queries.Get("follows"), t.o.Object, t.by.Account, t.o.Kind, t.o.ID).QueryRow(func(row pgx.Row) error { return row.Scan(&follows) })
	if err := t.tx.SendBatch(ctx, &b).Close(); err != nil {
		return outcome{}, err
	}
	switch {
	case deleted && t.o.Do == Delete:
		return outcome{status: Applied}, t.photos(ctx, t.scope) // both wanted it
	case deleted && t.o.Do == Put:
		out := outcome{status: Conflict, code: "edited_what_was_deleted", conflict: map[string]Difference{
			deletedKey: {Base: json.RawMessage("false"), Mine: json.RawMessage("false"), Theirs: json.RawMessage("true")},
		}}
		return out, nil
	case follows:
		return refusedAs(t.follows()), nil
	}
	return refusedAs(t.quarantine("record_absent", Words{"记录不存在，或已不在您的范围内", "The record is not there, or not in your area any more."}, "/id")), nil
}

func (t *attempt) remove(ctx context.Context, k Kind, d Dictionary, rec Record) (outcome, error) {
	if !d.Deletable {
		return refusedAs(&Refusal{Verdict: Rejected, Code: "not_deletable", Words: Words{"这一类记录不能删除", "Records of this kind are not deleted."}}), nil
	}
	if t.o.BaseVersion != rec.Version {
		at := rec.At
		return outcome{status: Conflict, version: rec.Version, code: "deleted_what_was_edited", conflict: map[string]Difference{
			deletedKey: {Base: json.RawMessage("false"), Mine: json.RawMessage("true"), Theirs: json.RawMessage("false"), TheirsBy: rec.By, TheirsAt: &at},
		}}, nil
	}
	if _, err := guard(d.Kind, func() (struct{}, error) { return struct{}{}, k.Delete(ctx, t.tx, t.by, t.write(nil)) }); err != nil {
		return outcome{}, err
	}
	return outcome{status: Applied}, t.photos(ctx, rec.Scope)
}

// move is a step to another state. What it adds is merged like an edit; a step that was
// taken already is no conflict.
func (t *attempt) move(ctx context.Context, k Kind, d Dictionary, rec Record) (outcome, error) {
	known := len(d.Transitions) == 0 || slices.ContainsFunc(d.Transitions, func(x Transition) bool { return x.To == t.o.To })
	if t.o.To == "" || !known {
		return refusedAs(&Refusal{Verdict: Rejected, Code: "unknown_transition", Words: Words{"没有这一步", "There is no such step."}, Path: "/to"}), nil
	}
	m := merge(d, rec, t.o)
	taken := rec.State == t.o.To && !slices.ContainsFunc(d.Transitions, func(x Transition) bool { return x.From == rec.State && x.To == t.o.To })
	if taken {
		m.hold(rec, t.o) // his word on it is another than the one it was taken with
	}
	out := t.told(m, rec)
	if rec.State == t.o.To && !m.changes() {
		if out.status == Applied {
			out.status = Merged
		}
		return out, t.photos(ctx, rec.Scope)
	}
	w := t.write(m.write)
	w.Geometry = m.shape
	now, err := guard(d.Kind, func() (Record, error) { return k.Transition(ctx, t.tx, t.by, t.o.To, w) })
	if err != nil {
		return outcome{}, err
	}
	out.version = now.Version
	t.settleScope(now.Scope)
	return out, t.photos(ctx, now.Scope)
}
