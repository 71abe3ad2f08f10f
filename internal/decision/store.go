package decision

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Effect is what an action does. Check says whether the proposal makes sense now, with
// an [auth.Invalid], [auth.Conflict] or [auth.ErrNotFound]; it is asked when it is
// proposed and again when it is decided. Apply does it, in the transaction of the
// decision, and returns what the audit shows as before and after.
type Effect struct {
	Check func(ctx context.Context, tx pgx.Tx, d Decision) error
	Apply func(ctx context.Context, tx pgx.Tx, d Decision) (before, after any, err error)
}

// Options of a ledger.
type Options struct {
	DB      *db.DB
	Effects map[string]Effect // by action
	Now     func() time.Time
}

// Ledger keeps the decisions. It uses the intake pool: an order does not wait behind
// tiles or imports.
type Ledger struct {
	pool    *db.Pool
	queries db.Queries
	effects map[string]Effect
	now     func() time.Time
}

// Open makes the ledger with its own effect, [Declassify], and those of others.
func Open(o Options) (*Ledger, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	l := &Ledger{pool: o.DB.Intake, queries: q, effects: map[string]Effect{}, now: o.Now}
	if l.now == nil {
		l.now = time.Now
	}
	l.effects[Declassify] = Effect{Check: l.checkDeclassify, Apply: l.applyDeclassify}
	for name, e := range o.Effects {
		if _, ok := Find(name); !ok {
			return nil, fmt.Errorf("decision: effect of an unknown action %q", name)
		}
		l.effects[name] = e
	}
	return l, nil
}

// Available says whether an action can be proposed here.
func (l *Ledger) Available(action string) bool {
	a, ok := Find(action)
	_, has := l.effects[action]
	return ok && !a.Emergency && has
}

// Propose puts something before another person.
func (l *Ledger) Propose(ctx context.Context, by auth.By, p Proposal) (Decision, error) {
	a, ok := Find(p.Action)
	if !ok || !l.Available(p.Action) {
		return Decision{}, ErrNotAvailable
	}
	var f faults
	scope := f.scope(p.Area)
	p.Object, p.Text, p.Reason = f.text("object", p.Object, 0, 300), f.text("text", p.Text, 0, 4000), f.text("reason", p.Reason, minReason, 2000)
	detail, err := json.Marshal(p.Detail)
	if err != nil {
		return Decision{}, fmt.Errorf("decision: detail: %w", err)
	}
	if string(detail) == "null" {
		detail = []byte("{}")
	}
	grant, may := l.grant(by, []auth.Permission{a.Propose}, scope)
	if !may {
		return Decision{}, auth.ErrForbidden
	}
	if err := f.err(); err != nil {
		return Decision{}, err
	}
	d := Decision{Action: a.Name, Object: p.Object, Area: p.Area, State: Proposed, Text: p.Text, Reason: p.Reason, Detail: detail}
	return l.add(ctx, by, grant, d, "decision.propose", nil)
}

// Emergency sends an order at once, on one person's word. It names whom he consulted,
// who is not himself; the roster confirms or does not, and holds nothing up.
func (l *Ledger) Emergency(ctx context.Context, by auth.By, o Order) (Decision, error) {
	a, ok := Find(o.Action)
	if !ok || !a.Emergency {
		return Decision{}, ErrNotAvailable
	}
	var f faults
	scope := f.scope(o.Area)
	o.Text, o.Reason = f.text("text", o.Text, 1, 4000), f.text("reason", o.Reason, minReason, 2000)
	c := Consulted{Name: f.text("consulted.name", o.Consulted.Name, 1, 100), Post: f.text("consulted.post", o.Consulted.Post, 0, 100)}
	if by.Identity != nil && named([]string{by.Name, by.Username}, c.Name) {
		f.add("consulted.name", "self", "请示的带班领导不能是本人", "the person consulted is somebody else")
	}
	grant, may := l.grant(by, []auth.Permission{a.Propose}, scope)
	if !may {
		return Decision{}, auth.ErrForbidden
	}
	if err := f.err(); err != nil {
		return Decision{}, err
	}
	d := Decision{Action: a.Name, Object: o.Object, Area: o.Area, State: Pending, Text: o.Text, Reason: o.Reason, Detail: []byte("{}"), Consulted: &c}
	apply := o.Apply
	if e := l.effects[a.Name]; apply == nil && e.Apply != nil {
		apply = func(ctx context.Context, tx pgx.Tx, d Decision) error { _, _, err := e.Apply(ctx, tx, d); return err }
	}
	return l.add(ctx, by, grant, d, "decision.emergency", apply)
}

// grant is the one grant under which somebody acts. Only a person makes or decides
// anything here: a token has no second pair of eyes.
func (l *Ledger) grant(by auth.By, any []auth.Permission, area geo.Scope) (auth.Grant, bool) {
	if by.Identity == nil || by.Account == "" {
		return auth.Grant{}, false
	}
	for _, p := range any {
		if g, ok := by.Grant(p, area, l.now()); ok {
			return g, true
		}
	}
	return auth.Grant{}, false
}

// add writes a decision down and, of an order, does at once what it says: an order and its
// effect are there together or not at all.
func (l *Ledger) add(ctx context.Context, by auth.By, grant auth.Grant, d Decision, action string, apply func(context.Context, pgx.Tx, Decision) error) (Decision, error) {
	err := l.pool.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error {
		d.MadeBy = by.Account
		if d.State == Proposed {
			if err := l.effects[d.Action].check(ctx, tx, d); err != nil {
				return err
			}
		}
		if d.Consulted != nil {
			var err error
			if d.Consulted.OnDuty, err = l.onDuty(ctx, tx, d.Area); err != nil {
				return err
			}
			d.Consulted.Confirmed = named(d.Consulted.OnDuty, d.Consulted.Name)
		}
		var id string
		if err := tx.QueryRow(ctx, l.queries.Get("add"), d.Action, d.Object, d.Area, d.State, by.Account, by.Actor(), grant.ID, grant.Role,
			d.Text, d.Reason, d.Detail, d.Consulted).Scan(&id); err != nil {
			return err
		}
		var err error
		if d, err = l.get(ctx, tx, id); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(grant), Action: action, Object: "decisions/" + id, Area: d.Area, Reason: d.Reason, After: d.record()}); err != nil || apply == nil {
			return err
		}
		return apply(ctx, tx, d)
	})
	if err != nil {
		return Decision{}, fmt.Errorf("decision: %s: %w", d.Action, err)
	}
	return d, nil
}

// named compares names as people write them: neither blanks between the characters nor
// capitals count, and no name is nobody's.
func named(names []string, name string) bool {
	plain := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), "")) }
	for _, n := range names {
		if p := plain(n); p != "" && p == plain(name) {
			return true
		}
	}
	return false
}

func (e Effect) check(ctx context.Context, tx pgx.Tx, d Decision) error {
	if e.Check == nil {
		return nil
	}
	return e.Check(ctx, tx, d)
}

func (l *Ledger) onDuty(ctx context.Context, tx pgx.Tx, area string) ([]string, error) {
	scope := geo.Everywhere()
	if area != "" {
		var err error
		if scope, err = geo.ParseScope(area); err != nil {
			return nil, err
		}
	}
	rows, err := tx.Query(ctx, l.queries.Get("on_duty"), scope)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// record is what the audit shows of a decision.
func (d Decision) record() map[string]any {
	m := map[string]any{"action": d.Action, "object": d.Object, "state": d.State, "detail": d.Detail, "text": d.Text}
	if d.Consulted != nil {
		m["consulted"] = d.Consulted
	}
	return m
}
