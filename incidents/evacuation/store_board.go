package evacuation

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func scanCallout(row pgx.CollectableRow) (c Callout, err error) {
	var order string
	var g geo.Shape
	err = row.Scan(&c.ID, &c.Kind, &c.Title, &c.Reason, &c.Alert, &c.Incident, &c.Areas, &c.Level, &c.Exercise, &c.State, &c.Decision, &c.Consulted, &order, &c.StartedAt, &c.EndedAt,
		&c.EndedBy, &c.EndReason, &c.EndNote, &g, &c.Scope, &c.Account, &c.Actor, &c.Name, &c.Villages, &c.Targets, &c.Reached, &c.AllClear, &c.Version, &c.UpdatedAt)
	c.Geometry = g.Geometry
	switch decision.State(order) {
	case decision.Pending:
		c.Countersign = Pending
	case decision.Countersigned:
		c.Countersign = Countersigned
	case decision.Refused:
		c.Countersign = NotApproved
	default:
		c.Countersign = NotNeeded
		if c.Decision != "" {
			c.Countersign = Pending // it lies in an area the asker does not read
		}
	}
	return c, err
}

func (s *Service) callouts(ctx context.Context, tx pgx.Tx, areas geo.Scopes, f Filter, ids []string) ([]Callout, error) {
	limit := 100
	if f.Limit > 0 {
		limit = min(f.Limit, 500)
	}
	var exercise *bool
	if f.Exercise != "all" {
		is := f.Exercise == "true"
		exercise = &is
	}
	if f.ID != "" {
		ids, exercise = []string{f.ID}, nil
	}
	return all(ctx, tx, scanCallout, s.queries.Get("callouts"), areas.String(), ids, null(f.Alert), null(f.Incident), f.Active, exercise, limit)
}

// sees are the areas somebody sees and under which claims, and whether only their figures:
// those of a wall are counted from rows the wall itself may not read.
func (s *Service) sees(who *auth.Identity, now time.Time) (areas geo.Scopes, claims db.Claims, figures bool, err error) {
	if areas = Desk(who, now); len(areas) > 0 {
		return areas, who.Reading(), false, nil
	}
	if areas = Screen(who); len(areas) > 0 {
		return areas, stream(areas), true, nil
	}
	return nil, claims, false, auth.ErrForbidden
}

// Callouts are those of the asker's areas, the newest first, and up to where of the change
// feed they stand. A wall is given their figures.
func (s *Service) Callouts(ctx context.Context, who *auth.Identity, f Filter) (out []Callout, position string, err error) {
	areas, claims, figures, err := s.sees(who, s.now())
	if err != nil {
		return nil, "", err
	}
	for _, id := range []string{f.ID, f.Alert, f.Incident} {
		if id != "" && !records.IsID(id) {
			return nil, "", auth.ErrNotFound
		}
	}
	err = s.db.Intake.Tx(ctx, claims, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&position); err != nil {
			return err
		}
		out, err = s.callouts(ctx, tx, areas, f, nil)
		return err
	})
	if figures {
		for i, c := range out {
			out[i] = c.onScreen()
		}
	}
	return out, position, wrap("list", err)
}

// Callout is one of them.
func (s *Service) Callout(ctx context.Context, who *auth.Identity, id string) (Callout, error) {
	if !records.IsID(id) {
		if len(Desk(who, s.now())) == 0 {
			return Callout{}, auth.ErrForbidden
		}
		return Callout{}, auth.ErrNotFound
	}
	list, _, err := s.Callouts(ctx, who, Filter{ID: id})
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Callout{}, err
	}
	return list[0], nil
}

// Board is who has moved.
type Board struct {
	Callouts []Callout
	Villages []Village
	Totals   Totals
	Rules    Rules
	Position string
	At       time.Time
}

// Board shows the villages of a call-out, of an alert's or an incident's, or of all that
// are active; of several the newest that has a village counts for it. A wall is given the
// figures and the names of the villages.
func (s *Service) Board(ctx context.Context, who *auth.Identity, f Filter) (Board, error) {
	out := Board{Rules: s.rules(), At: s.now()}
	areas, claims, figures, err := s.sees(who, out.At)
	if err != nil {
		return out, err
	}
	for _, id := range []string{f.ID, f.Alert, f.Incident} {
		if id != "" && !records.IsID(id) {
			return out, auth.ErrNotFound
		}
	}
	if f.ID == "" && f.Alert == "" && f.Incident == "" {
		f.Active = true
	}
	err = s.db.Intake.Tx(ctx, claims, func(tx pgx.Tx) (err error) {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		if out.Callouts, err = s.callouts(ctx, tx, areas, f, nil); err != nil {
			return err
		}
		if f.ID != "" && len(out.Callouts) == 0 {
			return auth.ErrNotFound
		}
		out.Villages, err = s.villages(ctx, tx, areas, out.Callouts, f.Geometry, out.Rules, out.At)
		return err
	})
	if f.Geometry != nil {
		out.Callouts = slices.DeleteFunc(out.Callouts, func(c Callout) bool {
			return !slices.ContainsFunc(out.Villages, func(v Village) bool { return v.Callout == c.ID })
		})
	}
	out.Totals = Sum(out.Villages)
	if figures {
		for i, c := range out.Callouts {
			out.Callouts[i] = c.onScreen()
		}
		for i, v := range out.Villages {
			out.Villages[i] = v.onScreen()
		}
	}
	return out, wrap("board", err)
}

type spot struct{ callout, village string }

func (s *Service) villages(ctx context.Context, tx pgx.Tx, areas geo.Scopes, callouts []Callout, where orb.Geometry, rules Rules, now time.Time) ([]Village, error) {
	if len(callouts) == 0 {
		return nil, nil
	}
	newest := map[string]int{}
	ids := make([]string, 0, len(callouts))
	for i, c := range callouts {
		newest[c.ID] = i
		ids = append(ids, c.ID)
	}
	type base struct {
		Village
		toMove *int
	}
	list, err := all(ctx, tx, func(row pgx.CollectableRow) (v base, err error) {
		err = row.Scan(&v.Callout, &v.Code, &v.Name, &v.Place, &v.Level, &v.Households, &v.Whole, &v.toMove, &v.Source, &v.AddedAt, &v.LeftAt)
		return v, err
	}, s.queries.Get("villages"), ids, areas.String(), geo.Shape{Geometry: where})
	if err != nil {
		return nil, err
	}
	reached := map[spot]Reached{}
	var at spot
	var c Reached
	rows, err := tx.Query(ctx, s.queries.Get("chains"), ids, areas.String(), now)
	if err != nil {
		return nil, err
	}
	if _, err := pgx.ForEachRow(rows, []any{&at.callout, &at.village, &c.Targets, &c.Reached, &c.Repeated, &c.Refused, &c.Waiting, &c.Late}, func() error { reached[at] = c; return nil }); err != nil {
		return nil, err
	}
	heard := map[spot]time.Time{}
	var last time.Time
	if rows, err = tx.Query(ctx, s.queries.Get("heard"), ids, areas.String()); err != nil {
		return nil, err
	}
	if _, err := pgx.ForEachRow(rows, []any{&at.callout, &at.village, &last}, func() error { heard[at] = last; return nil }); err != nil {
		return nil, err
	}
	entries, err := all(ctx, tx, scanEntry, s.queries.Get("entries"), ids, areas.String(), "", nil)
	if err != nil {
		return nil, err
	}
	told := map[spot][]Entry{}
	for _, e := range entries {
		at := spot{e.Callout, e.Village}
		told[at] = append(told[at], e)
	}
	slices.SortStableFunc(list, func(a, b base) int {
		if d := newest[a.Callout] - newest[b.Callout]; d != 0 {
			return d
		}
		return a.Place - b.Place
	})
	seen := map[string]bool{}
	out := make([]Village, 0, len(list))
	for _, b := range list {
		v := b.Village
		if seen[v.Code] {
			continue
		}
		seen[v.Code] = true
		at := spot{v.Callout, v.Code}
		fold(&v, b.toMove, told[at])
		if t, ok := heard[at]; ok {
			v.Contact.heard(t)
		}
		v.Calls = reached[at]
		of := callouts[newest[v.Callout]]
		v.close(of.StartedAt, now, time.Duration(rules.LostAfter)*time.Second, of.State == "ended")
		out = append(out, v)
	}
	return out, nil
}

func stream(areas geo.Scopes) db.Claims {
	return db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
}

// CalloutsIn are those of the call-outs that lie in the areas, for the streams.
func (s *Service) CalloutsIn(ctx context.Context, areas geo.Scopes, ids []string) ([]Callout, error) {
	var out []Callout
	err := s.db.Query.Tx(ctx, stream(areas), func(tx pgx.Tx) (err error) {
		out, err = s.callouts(ctx, tx, areas, Filter{Exercise: "all", Limit: len(ids)}, ids)
		return err
	})
	return out, wrap("stream", err)
}

// TargetsIn are those of the targets that lie in the areas.
func (s *Service) TargetsIn(ctx context.Context, areas geo.Scopes, ids []string) ([]Target, error) {
	var out []Target
	err := s.db.Query.Tx(ctx, stream(areas), func(tx pgx.Tx) (err error) {
		out, err = s.targets(ctx, tx, areas, ids, "", TargetFilter{})
		return err
	})
	return out, wrap("stream", err)
}

// CallsIn are those of the calls that lie in the areas.
func (s *Service) CallsIn(ctx context.Context, areas geo.Scopes, ids []string) ([]Call, error) {
	var out []Call
	err := s.db.Query.Tx(ctx, stream(areas), func(tx pgx.Tx) (err error) {
		out, err = all(ctx, tx, scanCall, s.queries.Get("calls_by_id"), areas.String(), ids)
		return err
	})
	return out, wrap("stream", err)
}

// EntriesIn are those of the entries that lie in the areas.
func (s *Service) EntriesIn(ctx context.Context, areas geo.Scopes, ids []string) ([]Entry, error) {
	var out []Entry
	err := s.db.Query.Tx(ctx, stream(areas), func(tx pgx.Tx) (err error) {
		out, err = all(ctx, tx, scanEntry, s.queries.Get("entries_by_id"), ids, areas.String())
		return err
	})
	return out, wrap("stream", err)
}
