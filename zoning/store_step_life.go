package zoning

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
)

// Transition brings a version, as it was at version, to another state.
func (s *Service) Transition(ctx context.Context, by auth.By, id string, version int64, t Transition) (Plan, error) {
	seen, err := s.known(ctx, by, id)
	if err != nil {
		return Plan{}, err
	}
	st, ok := stepOf(seen.State, t.To)
	if !ok {
		// Who may do nothing with plans is not told what could follow.
		if _, err := s.permitted(by, auth.EditPlans, seen); err != nil {
			if _, err := s.permitted(by, auth.ReviewPlans, seen); err != nil {
				return Plan{}, err
			}
		}
		return Plan{}, cannotFollow(seen.State)
	}
	g, err := s.permitted(by, st.Need, seen)
	if err != nil {
		return Plan{}, err
	}
	if seen.Version != version {
		return Plan{}, auth.ErrStaleVersion
	}
	if st.Other && slices.Contains(seen.Draws, by.Account) {
		return Plan{}, fourEyes(seen.State)
	}
	if err := s.checkStep(&t, st, seen); err != nil {
		return Plan{}, err
	}
	if err := conditions(st, seen, t); err != nil {
		return Plan{}, err
	}
	w := &taking{Service: s, by: by, grant: g, step: st, t: t, seen: seen}
	if err := w.look(ctx); err != nil {
		return Plan{}, wrap(st.Action+" "+id, err)
	}
	var out Plan
	err = s.db.Bulk.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		out, err = w.do(ctx, tx)
		return err
	})
	return out, wrap(st.Action+" "+id, refusal(seen, err))
}

// Events are the steps of a version, oldest first.
func (s *Service) Events(ctx context.Context, who *auth.Identity, id string) ([]Event, error) {
	if _, err := s.Plan(ctx, who, id); err != nil {
		return nil, err
	}
	out := []Event{}
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("events"), []any{id}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Event, err error) {
			return e, row.Scan(&e.Seq, &e.From, &e.To, &e.Note, &e.Account, &e.By, &e.Name, &e.At)
		})
		return err
	})
	return out, wrap("events", err)
}

// event writes a step down, in the transaction that does it. Import and compute write
// one from the state to the same state: who let zones be made has drawn the plan.
func (s *Service) event(ctx context.Context, tx pgx.Tx, by auth.By, plan string, from, to State, note string) error {
	name := ""
	if by.Identity != nil {
		name = by.Name
	}
	_, err := tx.Exec(ctx, s.queries.Get("event_add"), plan, from, to, note, by.Account, name)
	return err
}
