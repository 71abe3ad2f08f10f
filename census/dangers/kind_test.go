package dangers

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/sync"
)

// engine is one operation as the engine would run it, committed unless it is refused.
func (o *office) engine(by auth.By, fn func(tx pgx.Tx) (sync.Record, error)) (r sync.Record, verdict string) {
	o.t.Helper()
	var refusal *sync.Refusal
	err := o.db.Intake.Tx(context.Background(), by.Writing(by.Grants[0]), func(tx pgx.Tx) (err error) {
		r, err = fn(tx)
		if errors.As(err, &refusal) {
			// The engine goes on in the same transaction: its log is written in it.
			var one int
			return tx.QueryRow(context.Background(), `select 1`).Scan(&one)
		}
		return err
	})
	switch {
	case refusal != nil:
		return r, string(refusal.Verdict) + " " + refusal.Code
	case errors.Is(err, sync.ErrAbsent):
		return r, "absent"
	case err != nil:
		o.t.Fatal(err)
	}
	return r, "applied"
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func TestKind(t *testing.T) {
	o := newOffice(t)
	ctx := t.Context()
	k := o.s.Kind()
	w := func(id string, fields map[string]json.RawMessage, g orb.Geometry, evidence ...string) sync.Write {
		return sync.Write{ID: id, OpID: o.id(), Grant: o.worker.Grants[0], Fields: fields, Geometry: g, Captured: sync.Capture{Effective: start, Evidence: evidence}}
	}
	in, out := orb.Point{119.05, 34.2}, orb.Point{119.45, 34.2}
	fire := map[string]json.RawMessage{"kind": raw("fire"), "description": raw("通道堵塞")}
	insert := func(x sync.Write) (sync.Record, string) {
		return o.engine(o.worker, func(tx pgx.Tx) (sync.Record, error) { return k.Insert(ctx, tx, o.worker, x) })
	}
	for _, c := range []struct {
		what, want string
		write      sync.Write
	}{
		{"no kind", "quarantined required", w(o.id(), map[string]json.RawMessage{"description": raw("x")}, in)},
		{"a kind that is none", "quarantined unknown_code", w(o.id(), map[string]json.RawMessage{"kind": raw("volcano")}, in)},
		{"a field that is none", "quarantined unknown_field", w(o.id(), map[string]json.RawMessage{"kind": raw("fire"), "state": raw("closed")}, in)},
		{"the level, which the office gives", "quarantined read_only", w(o.id(), map[string]json.RawMessage{"kind": raw("fire"), "level": raw("1")}, in)},
		{"outside his grid", "quarantined outside_area", w(o.id(), fire, out)},
		{"at an object that is none", "quarantined no_such_subject", w(o.id(), map[string]json.RawMessage{"kind": raw("fire"), "subject": raw(o.id())}, in)},
	} {
		if _, got := insert(c.write); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	id := o.id()
	r, got := insert(w(id, fire, in))
	if got != "applied" || r.State != "reported" || r.ID != id || string(r.Fields["kind"]) != `"fire"` || r.Scope.IsNull() {
		t.Fatalf("%s: %+v", got, r)
	}
	if _, got := insert(w(id, fire, in)); got != "rejected id_taken" {
		t.Errorf("the same id: %s", got)
	}
	spot, got := insert(w(o.id(), map[string]json.RawMessage{"kind": raw("fire"), "fixed_on_spot": raw(true)}, in, picture))
	if got != "applied" || spot.State != "reviewing" {
		t.Errorf("fixed on the spot with a picture: %s, %s", got, spot.State)
	}

	update := func(by auth.By, id string, fields map[string]json.RawMessage) (sync.Record, string) {
		x := w(id, fields, nil)
		x.Grant = by.Grants[0]
		return o.engine(by, func(tx pgx.Tx) (sync.Record, error) { return k.Update(ctx, tx, by, x) })
	}
	if r, got = update(o.worker, id, map[string]json.RawMessage{"description": raw("改过")}); got != "applied" || string(r.Fields["description"]) != `"改过"` || r.Version != 2 {
		t.Errorf("his own report: %s, %+v", got, r)
	}
	step := func(by auth.By, id, to, note string, fields map[string]json.RawMessage) (sync.Record, string) {
		x := w(id, fields, nil)
		x.Grant, x.Note = by.Grants[0], note
		return o.engine(by, func(tx pgx.Tx) (sync.Record, error) { return k.Transition(ctx, tx, by, to, x) })
	}
	for _, c := range []struct {
		what, want string
		by         auth.By
		id, to     string
	}{
		{"closed out of order", "quarantined cannot_follow", o.duty, id, "closed"},
		{"a state that is none", "rejected no_such_state", o.duty, id, "finished"},
		{"a worker verifies", "quarantined not_allowed", o.worker, id, "verified"},
		{"who fixed it closes it", "rejected four_eyes", o.worker, spot.ID, "closed"},
		{"nothing there", "absent", o.duty, o.id(), "verified"},
	} {
		if _, got := step(c.by, c.id, c.to, "x", nil); got != c.want && !(c.want == "rejected four_eyes" && got == "quarantined not_allowed") {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	if r, got = step(o.duty, id, "verified", "", nil); got != "applied" || string(r.Fields["number"]) != `"YH-990100-2026-0001"` {
		t.Errorf("verified: %s, %+v", got, r)
	}
	if _, got := update(o.worker, id, map[string]json.RawMessage{"description": raw("晚了")}); got != "quarantined taken_up" {
		t.Errorf("edited after it was taken up: %s", got)
	}
	remove := func(by auth.By, id string) string {
		_, got := o.engine(by, func(tx pgx.Tx) (sync.Record, error) {
			return sync.Record{}, k.Delete(ctx, tx, by, sync.Write{ID: id, Grant: by.Grants[0]})
		})
		return got
	}
	if got := remove(o.worker, id); got != "rejected taken_up" {
		t.Errorf("withdrawn after it was taken up: %s", got)
	}
	other, _ := insert(w(o.id(), fire, in))
	if got := remove(o.duty, other.ID); got != "quarantined not_allowed" {
		t.Errorf("another's report withdrawn: %s", got)
	}
	if got := remove(o.worker, other.ID); got != "applied" {
		t.Errorf("his own withdrawn: %s", got)
	}

	// Down: what he sees, by id, page by page; nothing of the other county.
	foreign, _, err := o.s.Create(ctx, o.foreign, NewDanger{ID: o.id(), Kind: "fire", Area: "990200"})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := k.Changed(ctx, o.worker, []string{id, foreign.ID, other.ID, "no id"}); err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("changed: %d, %v", len(list), err)
	}
	all := map[string]bool{}
	for after := ""; ; {
		list, err := k.All(ctx, o.worker, geo.Scope{}, after, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		after = list[0].ID
		all[after] = true
	}
	if len(all) != 2 || !all[id] || !all[spot.ID] {
		t.Errorf("all: %v", all)
	}
}
