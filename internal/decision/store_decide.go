package decision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
)

// Transition brings an open decision, as it was at version, to its end: approved or
// refused by another person, countersigned or refused by another, withdrawn by the
// maker. Whoever may not even see it gets [auth.ErrNotFound].
func (l *Ledger) Transition(ctx context.Context, by auth.By, id string, version int64, to State, note string) (Decision, error) {
	if !uuidText.MatchString(id) {
		return Decision{}, auth.ErrNotFound
	}
	if by.Identity == nil || by.Account == "" {
		return Decision{}, auth.ErrForbidden
	}
	var f faults
	if to != Approved && to != Refused && to != Countersigned && to != Withdrawn {
		f.add("to", "unknown", "应为 approved、refused、countersigned 或 withdrawn", "it is approved, refused, countersigned or withdrawn")
	}
	least := 0
	if to == Refused {
		least = minReason
	}
	note = f.text("note", note, least, 2000)
	if err := f.err(); err != nil {
		return Decision{}, err
	}
	// Read first, under what the person may read: which grant he acts under depends on
	// the area.
	seen, err := l.Get(ctx, by.Reading(), id)
	if err != nil {
		return Decision{}, err
	}
	grant, err := l.mayDecide(by, seen, to)
	if err != nil {
		return Decision{}, err
	}
	var out Decision
	err = l.pool.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error {
		out, err = l.decide(ctx, tx, by, grant, id, version, to, note)
		return err
	})
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.ConstraintName == "decision_four_eyes" {
		return Decision{}, ErrFourEyes
	}
	if err != nil {
		return Decision{}, fmt.Errorf("decision: %s %s: %w", to, id, err)
	}
	return out, nil
}

// mayDecide is the grant for a transition.
func (l *Ledger) mayDecide(by auth.By, d Decision, to State) (auth.Grant, error) {
	a, ok := Find(d.Action)
	if !ok {
		return auth.Grant{}, ErrNotAvailable
	}
	var f faults
	scope := f.scope(d.Area)
	if to == Withdrawn {
		if d.MadeBy != by.Account {
			return auth.Grant{}, auth.ErrForbidden
		}
		// He may always take back what he proposed, also when the role has ended.
		g, _ := l.grant(by, []auth.Permission{a.Propose}, scope)
		return g, nil
	}
	g, may := l.grant(by, a.Decide, scope)
	if !may {
		return auth.Grant{}, auth.ErrForbidden
	}
	if d.MadeBy == by.Account {
		return auth.Grant{}, ErrFourEyes
	}
	return g, nil
}

func (l *Ledger) decide(ctx context.Context, tx pgx.Tx, by auth.By, grant auth.Grant, id string, version int64, to State, note string) (Decision, error) {
	if _, err := tx.Exec(ctx, l.queries.Get("lock"), id); err != nil {
		return Decision{}, err
	}
	d, err := l.get(ctx, tx, id)
	if err != nil {
		return Decision{}, err
	}
	if d.Version != version {
		return Decision{}, auth.ErrStaleVersion
	}
	if !fits(d.State, to) {
		return Decision{}, &auth.Conflict{Code: "decided", ZH: "当前状态不允许此操作", EN: "its state does not allow this"}
	}
	entry := audit.Entry{Doer: by.Doer(grant), Action: "decision." + string(to), Object: "decisions/" + id, Area: d.Area, Reason: note, Before: d.record()}
	before, after := any(nil), any(nil)
	if to == Approved {
		effect, ok := l.effects[d.Action]
		if !ok || effect.Apply == nil {
			return Decision{}, ErrNotAvailable
		}
		if err := effect.check(ctx, tx, d); err != nil {
			return Decision{}, err
		}
		if before, after, err = effect.Apply(ctx, tx, d); err != nil {
			return Decision{}, err
		}
	}
	if _, err := tx.Exec(ctx, l.queries.Get("decide"), id, to, by.Account, by.Actor(), grant.Role, note); err != nil {
		return Decision{}, err
	}
	if d, err = l.get(ctx, tx, id); err != nil {
		return Decision{}, err
	}
	shown := d.record()
	if before != nil || after != nil {
		shown["effect"] = map[string]any{"before": before, "after": after}
	}
	entry.After = shown
	return d, audit.Record(ctx, tx, entry)
}

func fits(from, to State) bool {
	switch to {
	case Approved, Withdrawn:
		return from == Proposed
	case Refused:
		return from == Proposed || from == Pending
	case Countersigned:
		return from == Pending
	}
	return false
}

// Get reads one decision under the asker's claims.
func (l *Ledger) Get(ctx context.Context, claims db.Claims, id string) (d Decision, err error) {
	if !uuidText.MatchString(id) {
		return Decision{}, auth.ErrNotFound
	}
	err = l.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		d, err = l.get(ctx, tx, id)
		return err
	})
	if err != nil {
		return Decision{}, fmt.Errorf("decision: get: %w", err)
	}
	return d, nil
}

func (l *Ledger) hours(ctx context.Context, tx pgx.Tx) (n int, err error) {
	err = tx.QueryRow(ctx, l.queries.Get("hours")).Scan(&n)
	return n, err
}

func (l *Ledger) get(ctx context.Context, tx pgx.Tx, id string) (Decision, error) {
	hours, err := l.hours(ctx, tx)
	if err != nil {
		return Decision{}, err
	}
	rows, err := tx.Query(ctx, l.queries.Get("get"), id, hours)
	if err != nil {
		return Decision{}, err
	}
	d, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return Decision{}, auth.ErrNotFound
	}
	return d, err
}

func scan(row pgx.CollectableRow) (d Decision, err error) {
	var at *time.Time
	err = row.Scan(&d.ID, &d.Action, &d.Object, &d.Area, &d.State, &d.MadeBy, &d.MadeName, &d.Role, &d.Grant, &d.MadeAt, &d.Text, &d.Reason, &d.Detail, &d.Consulted,
		&d.DecidedBy, &d.DecidedName, &d.DecidedRole, &at, &d.Note, &d.Version, &d.Overdue)
	if at != nil {
		d.DecidedAt = *at
	}
	return d, err
}

// List shows decisions of the areas the asker reads, newest first.
func (l *Ledger) List(ctx context.Context, claims db.Claims, q Query) (Page, error) {
	var after *string
	if q.Cursor != "" {
		if !uuidText.MatchString(q.Cursor) {
			return Page{}, ErrCursor
		}
		after = &q.Cursor
	}
	limit := 50
	if q.Limit > 0 {
		limit = min(q.Limit, 200)
	}
	var p Page
	err := l.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		hours, err := l.hours(ctx, tx)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, l.queries.Get("list"), hours, q.State, q.Action, q.Overdue, after, limit+1)
		if err != nil {
			return err
		}
		p.Decisions, err = pgx.CollectRows(rows, scan)
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("decision: list: %w", err)
	}
	if len(p.Decisions) > limit {
		p.Decisions = p.Decisions[:limit]
		p.Next = p.Decisions[limit-1].ID
	}
	return p, nil
}

// Lowering the protection of a layer -------------------------------------------------

type declassification struct {
	Visibility string `json:"visibility"`
}

func (d Decision) layer() (id, visibility string) {
	id, _ = strings.CutPrefix(d.Object, "layers/")
	var want declassification
	_ = json.Unmarshal(d.Detail, &want) // anything else names no visibility
	return id, want.Visibility
}

func (l *Ledger) checkDeclassify(ctx context.Context, tx pgx.Tx, d Decision) error {
	id, want := d.layer()
	var now string
	err := tx.QueryRow(ctx, l.queries.Get("layer"), id).Scan(&now)
	var f faults
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return auth.ErrNotFound
	case err != nil:
		return err
	case d.Area != "":
		f.add("area", "not_everywhere", "图层保护级别不分区域", "the protection of a layer has no area")
	case db.Protection(want) == 0:
		f.add("detail.visibility", "unknown", "应为 public 或 internal", "it is public or internal")
	case db.Protection(want) >= db.Protection(now):
		return &auth.Conflict{Code: "not_lower", ZH: "图层现有保护级别不高于所提级别", EN: "the layer is not protected more than that"}
	}
	return f.err()
}

func (l *Ledger) applyDeclassify(ctx context.Context, tx pgx.Tx, d Decision) (before, after any, err error) {
	id, want := d.layer()
	var was string
	if err := tx.QueryRow(ctx, l.queries.Get("layer"), id).Scan(&was); err != nil {
		return nil, nil, err
	}
	if _, err := tx.Exec(ctx, l.queries.Get("layer_set_visibility"), id, want); err != nil {
		return nil, nil, err
	}
	return declassification{was}, declassification{want}, nil
}
