package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Choice is what becomes of one field: the sender's value, what stands, or a third that
// the two make together.
type Choice struct {
	Mine, Theirs bool
	Value        json.RawMessage
}

// Decision is what a person at the desk makes of a case. Version is of the record he
// looked at; 0 does not compare.
type Decision struct {
	Fields  map[string]Choice
	Shape   *ShapeChoice
	Note    string
	Version int64
}

// ShapeChoice is what becomes of the place.
type ShapeChoice struct {
	Mine, Theirs bool
	Value        orb.Geometry // EPSG:4490
}

// deciding is one decision being carried out.
type deciding struct {
	*Service

	by    auth.By
	c     Case
	grant auth.Grant
	d     Decision
	tx    pgx.Tx
}

// decide runs what a decision does in one transaction, with its audit row and the
// receipt to the sender.
func (s *Service) decide(ctx context.Context, by auth.By, sort, id string, d Decision, action string, do func(context.Context, *deciding) (Record, error)) (Case, error) {
	all, _, err := s.desks(by)
	if err != nil {
		return Case{}, err
	}
	d.Note = strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(d.Note, "\uFFFD"), "\x00", ""))
	if utf8.RuneCountInString(d.Note) > maxNote {
		return Case{}, invalid("too_long", "/note", Words{"说明至多 2000 字", "The note has 2,000 characters at most."})
	}
	c, err := s.find(ctx, by, sort, id, all)
	if err != nil {
		return c, err
	}
	if c.Done {
		return c, ErrDecided
	}
	g, claims, err := s.deskGrant(by, c)
	if err != nil {
		return c, err
	}
	w := &deciding{Service: s, by: by, c: c, grant: g, d: d}
	err = s.opts.DB.Intake.Tx(ctx, claims, func(tx pgx.Tx) error {
		w.tx = tx
		var state string
		if err := tx.QueryRow(ctx, s.queries.Get("lock_case"), c.ID).Scan(&state); err != nil {
			return err
		}
		if state != "open" {
			return ErrDecided
		}
		rec, err := do(ctx, w)
		if err != nil {
			return err
		}
		return w.finish(ctx, action, rec)
	})
	if err != nil {
		return c, w.refusal(err)
	}
	if wake, ok := s.opts.Feed.(interface{ Wake() }); ok {
		wake.Wake()
	}
	return s.find(ctx, by, sort, id, all)
}

// refusal is what the desk is told when a kind or the database does not take it.
func (w *deciding) refusal(err error) error {
	if ref, ok := errors.AsType[*Refusal](err); ok {
		return &InvalidError{[]Problem{{Code: ref.Code, Words: ref.Words, Path: ref.Path}}}
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		d := delivery{Service: w.Service, by: w.by}
		if ref := d.meaning(context.Background(), err); ref != nil && pg.Code != "57014" {
			return &InvalidError{[]Problem{{Code: ref.Code, Words: ref.Words, Path: ref.Path}}}
		}
	}
	return err
}

func (w *deciding) finish(ctx context.Context, action string, rec Record) error {
	outcome, became, told := "resolved", Merged, "resolved"
	switch action {
	case "accept":
		outcome, became, told = "accepted", Applied, "accepted"
	case "return":
		outcome, became, told = "returned", Returned, "returned"
	}
	choices, err := json.Marshal(w.choices())
	if err != nil {
		return fmt.Errorf("sync: choices: %w", err)
	}
	now := w.opts.Now()
	var b pgx.Batch
	b.Queue(w.queries.Get("decide"), w.c.ID, outcome, json.RawMessage(choices), null(w.d.Note), w.by.Name)
	b.Queue(w.queries.Get("op_became"), w.c.OpID, string(became), nullInt(rec.Version))
	b.Queue(w.queries.Get("tell"), w.c.OpID, told, w.by.Name, now, null(w.d.Note), null(w.d.Note))
	if err := w.tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	return audit.Record(ctx, w.tx, audit.Entry{Doer: w.by.Doer(w.grant), Action: "desk." + action, Object: "sync_case/" + w.c.ID, Area: w.grant.Area, Reason: w.d.Note,
		After: map[string]any{"op": w.c.OpID, "kind": w.c.Kind, "record": w.c.Object, "version": rec.Version, "choices": json.RawMessage(choices)}})
}

func (w *deciding) choices() map[string]any {
	out := map[string]any{}
	for name, c := range w.d.Fields {
		switch {
		case c.Mine:
			out[name] = "mine"
		case c.Theirs:
			out[name] = "theirs"
		default:
			out[name] = map[string]any{"value": c.Value}
		}
	}
	if s := w.d.Shape; s != nil {
		switch {
		case s.Mine:
			out["geometry"] = "mine"
		case s.Theirs:
			out["geometry"] = "theirs"
		default:
			out["geometry"] = map[string]any{"value": geoJSON(s.Value)}
		}
	}
	return out
}

// Resolve chooses between what two people made of a record, field by field.
func (s *Service) Resolve(ctx context.Context, by auth.By, id string, d Decision) (Case, error) {
	return s.decide(ctx, by, Conflicts, id, d, "resolve", func(ctx context.Context, w *deciding) (Record, error) { return w.resolve(ctx) })
}

func (w *deciding) resolve(ctx context.Context) (Record, error) {
	k, ok := w.kinds[w.c.Kind]
	if !ok {
		return Record{}, invalid("unknown_kind", "", Words{"不认识这一类记录", "There is no such kind of record."})
	}
	var faults []Problem
	for name := range w.c.Fields {
		if _, ok := w.d.Fields[name]; !ok {
			faults = append(faults, Problem{Code: "choice_missing", Words: Words{"请选择 " + name, "Choose for " + name + "."}, Path: "/fields/" + name})
		}
	}
	for name := range w.d.Fields {
		if _, ok := w.c.Fields[name]; !ok {
			faults = append(faults, Problem{Code: "no_conflict", Words: Words{name + " 没有冲突", "There is no conflict about " + name + "."}, Path: "/fields/" + name})
		}
	}
	if (w.c.Shapes != nil) != (w.d.Shape != nil) {
		faults = append(faults, Problem{Code: "choice_missing", Words: Words{"请选择位置", "Choose the place."}, Path: "/geometry"})
	}
	if len(faults) > 0 {
		slices.SortFunc(faults, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
		return Record{}, &InvalidError{faults}
	}
	rec, err := k.Load(ctx, w.tx, w.by, w.c.Object)
	absent := errors.Is(err, ErrAbsent)
	if err != nil && !absent {
		return rec, err
	}
	if w.d.Version > 0 && w.d.Version != rec.Version {
		return rec, ErrMoved
	}
	if c, ok := w.d.Fields[deletedKey]; ok {
		return w.whether(ctx, k, rec, absent, c)
	}
	if absent {
		return rec, ErrMoved
	}
	values := map[string]json.RawMessage{}
	for name, c := range w.d.Fields {
		switch {
		case c.Mine:
			values[name] = w.c.Fields[name].Mine
		case !c.Theirs:
			values[name] = c.Value
		}
	}
	var shape orb.Geometry
	if s := w.d.Shape; s != nil {
		switch {
		case s.Mine:
			shape = w.c.op.Shape
		case !s.Theirs:
			shape = s.Value
		}
	}
	if err := w.check(k.Dictionary(), values, shape); err != nil {
		return rec, err
	}
	return w.update(ctx, k, rec, values, shape)
}

// update writes what differs from what stands.
func (w *deciding) update(ctx context.Context, k Kind, rec Record, values map[string]json.RawMessage, shape orb.Geometry) (Record, error) {
	d := k.Dictionary()
	for name, v := range values {
		if f, _ := d.field(name); f.equal(v, rec.Fields[name]) {
			delete(values, name)
		}
	}
	if sameShape(shape, rec.Geometry) {
		shape = nil
	}
	if len(values) == 0 && shape == nil {
		return rec, nil
	}
	out, err := k.Update(ctx, w.tx, w.by, w.write(ctx, values, shape))
	return out, err
}

// whether settles a deletion against an edit.
func (w *deciding) whether(ctx context.Context, k Kind, rec Record, absent bool, c Choice) (Record, error) {
	deletes := w.c.Do == Delete
	switch {
	case !c.Mine && !c.Theirs:
		return rec, invalid("choice_missing", "/fields/deleted", Words{"请选择保留或删除", "Choose whether it stays."})
	case c.Theirs:
		return rec, nil
	case deletes && absent:
		return rec, w.gone(ctx)
	case deletes:
		return Record{}, k.Delete(ctx, w.tx, w.by, w.write(ctx, nil, nil))
	}
	// It comes back as he has it.
	values := w.sent()
	if err := w.check(k.Dictionary(), values, w.c.op.Shape); err != nil {
		return rec, err
	}
	if !absent {
		return w.update(ctx, k, rec, values, w.c.op.Shape)
	}
	return k.Insert(ctx, w.tx, w.by, w.write(ctx, values, w.c.op.Shape))
}

func (w *deciding) sent() map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	for name, e := range w.c.op.Fields {
		values[name] = e.Value
	}
	return values
}

// Accept places what was kept: as it was sent, with what the desk corrects.
func (s *Service) Accept(ctx context.Context, by auth.By, id string, d Decision) (Case, error) {
	return s.decide(ctx, by, Quarantine, id, d, "accept", func(ctx context.Context, w *deciding) (Record, error) { return w.accept(ctx) })
}

func (w *deciding) accept(ctx context.Context) (Record, error) {
	o := w.c.op
	k, ok := w.kinds[w.c.Kind]
	if !ok || o.Object == "" {
		return Record{}, invalid("not_acceptable", "", Words{"无法读懂，只能退回", "It cannot be understood; return it."})
	}
	values := w.sent()
	for name, c := range w.d.Fields {
		switch {
		case c.Theirs:
			delete(values, name)
		case !c.Mine:
			values[name] = c.Value
		}
	}
	shape := o.Shape
	if s := w.d.Shape; s != nil && !s.Mine {
		shape = s.Value
	}
	if shape == nil && o.HasShape && (w.d.Shape == nil || !w.d.Shape.Theirs) {
		return Record{}, invalid("geometry_missing", "/geometry", Words{"请在图上给出位置", "Give its place on the map."})
	}
	d := k.Dictionary()
	for name, v := range values {
		if _, known := d.field(name); !known || isNull(v) && w.d.Fields[name].Value != nil {
			delete(values, name) // what no form has is kept in the log and nowhere else
		}
	}
	if err := w.check(d, values, shape); err != nil {
		return Record{}, err
	}
	rec, err := k.Load(ctx, w.tx, w.by, w.c.Object)
	absent := errors.Is(err, ErrAbsent)
	if err != nil && !absent {
		return rec, err
	}
	if w.d.Version > 0 && w.d.Version != rec.Version {
		return rec, ErrMoved
	}
	switch {
	case o.Do == Delete && absent:
		return rec, w.gone(ctx)
	case o.Do == Delete:
		return Record{}, k.Delete(ctx, w.tx, w.by, w.write(ctx, nil, nil))
	case o.Do == Transit && absent:
		return rec, invalid("record_absent", "", Words{"记录不存在", "The record is not there."})
	case o.Do == Transit:
		rec, err = k.Transition(ctx, w.tx, w.by, o.To, w.write(ctx, values, shape))
	case !absent:
		rec, err = w.update(ctx, k, rec, values, shape)
	default:
		for _, f := range d.Fields {
			if f.Required && empty(values[f.Name]) {
				return rec, invalid("required", "/fields/"+f.Name, Words{f.Title.Zh + "没有填写", f.Title.En + " is missing."})
			}
		}
		rec, err = k.Insert(ctx, w.tx, w.by, w.write(ctx, values, shape))
	}
	if err != nil || w.opts.Blobs == nil || len(o.Blobs) == 0 {
		return rec, err
	}
	scope := rec.Scope
	if scope.IsNull() {
		scope = w.c.Scope
	}
	return rec, w.opts.Blobs.Refer(ctx, w.tx, w.by, o.Blobs, w.c.Kind, w.c.Object, w.c.OpID, scope)
}

// gone says that a record is not there because it was deleted. One this desk does not see
// is not: to take that for done would leave it standing.
func (w *deciding) gone(ctx context.Context) error {
	var deleted bool
	if err := w.tx.QueryRow(ctx, w.queries.Get("was_deleted"), w.c.Kind, w.c.Object).Scan(&deleted); err != nil {
		return err
	}
	if deleted {
		return nil
	}
	return invalid("record_absent", "", Words{"记录不存在，或不在本辖区，不能在此删除", "The record is not there, or not in the area of this desk; it cannot be deleted here."})
}

// check holds a decision against the dictionary.
func (w *deciding) check(d Dictionary, values map[string]json.RawMessage, shape orb.Geometry) error {
	lists := w.opts.Catalogue.Now().CodeLists
	for name, v := range values {
		f, ok := d.field(name)
		if !ok {
			return invalid("unknown_field", "/fields/"+name, Words{"没有字段 " + name, "There is no field " + name + "."})
		}
		if r := f.check(v, lists); r != nil {
			return r
		}
	}
	if shape == nil {
		return nil
	}
	if !slices.Contains(d.Geometry, shape.GeoJSONType()) {
		return invalid("wrong_geometry", "/geometry", Words{"这一类记录没有这种图形", "This kind of record has no such shape."})
	}
	if f := geo.Check(shape); f != nil {
		return invalid(f.Code, "/geometry"+pointer(f.Path), Words{"图形无效", "The shape is not valid: " + f.Code + "."})
	}
	return nil
}

// write is what the kind is given: what the sender captured, under the desk's grant.
func (w *deciding) write(ctx context.Context, values map[string]json.RawMessage, shape orb.Geometry) Write {
	o := w.c.op
	out := Write{ID: w.c.Object, OpID: w.c.OpID, Grant: w.grant, Fields: values, Geometry: shape, Note: o.Note, Captured: Capture{
		At: o.Captured, Received: w.c.Received, Device: w.c.Device, Datum: o.Datum, Raw: o.RawShape, Accuracy: o.Accuracy, Position: o.Position, Evidence: o.Blobs,
		Effective: bounded(o.Captured, w.c.Received),
	}}
	if shape != nil {
		// A place that cannot be told is told by the row itself.
		_ = w.tx.QueryRow(ctx, w.queries.Get("place"), geo.Shape{Geometry: shape}).Scan(&out.Place)
	}
	return out
}

// bounded brings a device's time into what can be true.
func bounded(captured, received time.Time) time.Time {
	if captured.IsZero() || captured.Year() < 2020 || captured.After(received) {
		return received
	}
	return captured
}

// Return gives it back to its sender with the reason: he has to change it.
func (s *Service) Return(ctx context.Context, by auth.By, id, note string) (Case, error) {
	if strings.TrimSpace(note) == "" {
		return Case{}, invalid("note_required", "/note", Words{"请写明退回的理由", "Say why it is returned."})
	}
	return s.decide(ctx, by, Quarantine, id, Decision{Note: note}, "return", func(context.Context, *deciding) (Record, error) { return Record{}, nil })
}
