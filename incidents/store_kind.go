package incidents

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
	"onemap/internal/sync"
)

// Load gives a report, locked where the asker may write it.
func (k *Kind) Load(ctx context.Context, tx pgx.Tx, _ auth.By, id string) (sync.Record, error) {
	return records.Locked(ctx, tx, k.queries.Get("lock"), k.queries.Get("record"), id)
}

// Insert stores a report. 险情 is stored whatever it says; what is odd about it is noted.
func (k *Kind) Insert(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	urgent := k.Urgent(w.Fields)
	var doubts []string
	fields, geometry := w.Fields, w.Geometry
	if urgent {
		var odd bool
		if fields, odd = k.lenient(w.Fields); odd {
			doubts = doubt(doubts, "fields")
		}
		if geometry = sound(w.Geometry); geometry == nil && (w.Geometry != nil || w.Captured.Raw != nil) {
			doubts = doubt(doubts, "bad_geometry")
		}
	} else {
		if _, err := k.strict(w.Fields); err != nil {
			return sync.Record{}, err
		}
		if err := records.Complete(k.Dictionary(), w.Fields); err != nil {
			return sync.Record{}, err
		}
	}
	var position orb.Geometry
	if w.Captured.Position != nil {
		position = sound(*w.Captured.Position)
	}
	if geometry == nil {
		geometry = position // where the phone was is the best guess
	}
	if geometry == nil {
		doubts = doubt(doubts, "no_place")
	}
	at := w.Captured.Effective
	if at.IsZero() {
		at = w.Captured.Received
	}
	if at.IsZero() {
		at = k.now()
	}
	if d := w.Captured.At.Sub(at); !w.Captured.At.IsZero() && (d > time.Minute || d < -time.Minute) {
		doubts = doubt(doubts, "clock")
	}
	scope, home, err := k.places(ctx, tx, by, w, geometry)
	if err != nil {
		return sync.Record{}, err
	}
	if !scope.Overlaps(home) {
		if !urgent {
			return sync.Record{}, records.Outside()
		}
		doubts = doubt(doubts, "outside_area")
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return sync.Record{}, err
	}
	received := w.Captured.Received
	if received.IsZero() {
		received = k.now()
	}
	if doubts == nil {
		doubts = []string{}
	}
	var account *string
	if by.Identity != nil && by.Account != "" {
		account = &by.Account
	}
	name := ""
	if by.Identity != nil {
		name = by.Name
	}
	_, err = records.Attempt(ctx, tx, k.queries.Get("insert"), w.ID, body, geo.Shape{Geometry: geometry}, geo.Shape{Geometry: position}, accuracy(w.Captured.Accuracy), doubts,
		scope, home, at, received, w.Captured.Device, photos(w), account, by.Actor(), name)
	if err != nil {
		return sync.Record{}, err
	}
	return records.One(ctx, tx, k.queries.Get("record"), w.ID)
}

func photos(w sync.Write) []string {
	if w.Captured.Evidence == nil {
		return []string{}
	}
	return w.Captured.Evidence
}

// places finds where a report lies and where its sender belongs. What has no place lies
// in the grid it names, else where its sender belongs.
func (k *Kind) places(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write, g orb.Geometry) (scope, home geo.Scope, err error) {
	home = homeOf(by, w.Grant)
	if g != nil {
		if err := tx.QueryRow(ctx, k.queries.Get("place"), geo.Shape{Geometry: g}).Scan(&scope); err != nil {
			return scope, home, err
		}
	} else if s, err := geo.ParseScope(records.Text(w.Fields["grid"])); err == nil {
		scope = s
	}
	switch {
	case scope.IsNull() && home.IsNull():
		scope, home = geo.Everywhere(), geo.Everywhere()
	case scope.IsNull():
		scope = home
	case home.IsNull():
		home = scope
	}
	return scope, home, nil
}

// Update adds to a report. What is 险情 stays 险情: a slip of the thumb must not silence it.
func (k *Kind) Update(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	now, err := records.One(ctx, tx, k.queries.Get("record"), w.ID)
	if err != nil {
		return sync.Record{}, err
	}
	urgent := k.Urgent(now.Fields)
	if v, given := w.Fields["urgency"]; urgent && given && records.Text(v) != Urgent {
		return sync.Record{}, records.Reject("stays_urgent", "/fields/urgency", "险情不能改为灾情，请由值班员排除", "urgent danger does not become damage; the duty desk dismisses it")
	}
	fields, err := k.strict(w.Fields)
	if err != nil {
		if !urgent {
			return sync.Record{}, err
		}
		given := fieldNames(w.Fields)
		fields, _ = k.lenient(w.Fields)
		for name := range fields {
			if !slices.Contains(given, name) {
				delete(fields, name)
			}
		}
	}
	var scope any
	geometry := w.Geometry
	if urgent {
		geometry = sound(geometry)
	}
	if geometry != nil {
		at, home, err := k.places(ctx, tx, by, w, geometry)
		if err != nil {
			return sync.Record{}, err
		}
		if !urgent && !at.Overlaps(home) {
			return sync.Record{}, records.Outside()
		}
		scope = at
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return sync.Record{}, err
	}
	n, err := records.Attempt(ctx, tx, k.queries.Get("update"), w.ID, body, geo.Shape{Geometry: geometry}, scope, photos(w))
	if err != nil {
		return sync.Record{}, err
	}
	if n == 0 {
		return sync.Record{}, records.Outside()
	}
	return records.One(ctx, tx, k.queries.Get("record"), w.ID)
}

func fieldNames(fields map[string]json.RawMessage) []string {
	out := make([]string, 0, len(fields))
	for name := range fields {
		out = append(out, name)
	}
	return out
}

// Delete is no device's to do: a report is dismissed at the desk.
func (k *Kind) Delete(context.Context, pgx.Tx, auth.By, sync.Write) error {
	return records.Reject("not_deletable", "/op", "报告不能删除，请联系值班员排除", "a report is not deleted; the duty desk dismisses it")
}

// Transition is the desk's, not a device's.
func (k *Kind) Transition(context.Context, pgx.Tx, auth.By, string, sync.Write) (sync.Record, error) {
	return sync.Record{}, records.Reject("no_transition", "/to", "此步骤由值班室办理", "the duty desk takes this step")
}

// Changed gives those of the reports that are the asker's own.
func (k *Kind) Changed(ctx context.Context, who auth.By, ids []string) ([]sync.Record, error) {
	return k.own(ctx, who, ids, "", len(ids))
}

// All gives the asker's own reports of the last month. They are his wherever they lie.
func (k *Kind) All(ctx context.Context, who auth.By, _ geo.Scope, after string, limit int) ([]sync.Record, error) {
	return k.own(ctx, who, nil, after, limit)
}

func (k *Kind) own(ctx context.Context, who auth.By, ids []string, after string, limit int) ([]sync.Record, error) {
	if !person(who.Identity) {
		return nil, nil
	}
	var from *string
	if after != "" {
		from = &after
	}
	var out []sync.Record
	err := k.db.Intake.Ask(ctx, who.Reading(), k.queries.Get("records_own"), []any{who.Actor(), ids, from, limit}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, records.Scan)
		return err
	})
	return out, wrap("own reports", err)
}

// Former gives the asker's own: nobody's report becomes another's.
func (k *Kind) Former(ctx context.Context, who auth.By, ids []string) ([]string, error) {
	if !person(who.Identity) {
		return nil, nil
	}
	var out []string
	err := k.db.Intake.Ask(ctx, db.System("onemap"), k.queries.Get("own"), []any{who.Actor(), ids}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return out, wrap("own reports", err)
}

var (
	_ sync.Kind   = (*Kind)(nil)
	_ sync.Down   = (*Kind)(nil)
	_ sync.Former = (*Kind)(nil)
)
