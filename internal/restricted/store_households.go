package restricted

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/db"
)

// Household is one a grid worker answers for, in clear.
type Household struct {
	ID, Area, Head, Address              string
	Persons, Elderly, Children, Disabled int
	Phone, Move                          string
}

// maxHouseholds bounds a list: no worker answers for more.
const maxHouseholds = 1000

// Households opens the list of the households of an area that must move. claims are those
// of the one grant whose area it is. As with [Store.Reveal] the audit, with the reason, is
// committed first.
func (s *Store) Households(ctx context.Context, claims db.Claims, doer audit.Doer, area, reason string) ([]Household, error) {
	reason, err := sayable(reason)
	if err != nil {
		return nil, err
	}
	if !codeText.MatchString(area) {
		return nil, ErrInvalid
	}
	var permit *string
	err = s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.queries.Get("ask_households"), area, audit.Clip(reason), doer.Request, doer.Account, doer.Actor, doer.Role, doer.Grant, doer.Kind, doer.Session, doer.Peer).Scan(&permit)
	})
	if err != nil {
		return nil, fmt.Errorf("restricted: ask for households: %w", err)
	}
	if permit == nil {
		return nil, ErrNotFound
	}
	var out []Household
	err = s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("households"), *permit, maxHouseholds)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Household, err error) {
			err = row.Scan(&h.ID, &h.Area, &h.Head, &h.Address, &h.Persons, &h.Elderly, &h.Children, &h.Disabled, &h.Phone, &h.Move)
			return h, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("restricted: households: %w", err)
	}
	return out, nil
}

// SetHouseholds replaces the list of an area that must move, brought in by the office, and
// says how many it took the place of. The audit says how many and why, and nothing of them.
// What came with a data set stays: it goes with its data set.
func (s *Store) SetHouseholds(ctx context.Context, claims db.Claims, doer audit.Doer, area, reason string, list []Household) (replaced int, err error) {
	if reason, err = sayable(reason); err != nil {
		return 0, err
	}
	if !codeText.MatchString(area) {
		return 0, ErrInvalid
	}
	cols := struct {
		area, head, address, phone, move     []string
		persons, elderly, children, disabled []int
	}{}
	for _, h := range list {
		cols.area, cols.head, cols.address = append(cols.area, h.Area), append(cols.head, h.Head), append(cols.address, h.Address)
		cols.phone, cols.move = append(cols.phone, h.Phone), append(cols.move, h.Move)
		cols.persons, cols.elderly = append(cols.persons, h.Persons), append(cols.elderly, h.Elderly)
		cols.children, cols.disabled = append(cols.children, h.Children), append(cols.disabled, h.Disabled)
	}
	err = s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.queries.Get("households_clear"), area)
		if err != nil {
			return err
		}
		replaced = int(tag.RowsAffected())
		if _, err := tx.Exec(ctx, s.queries.Get("households_add"), cols.area, cols.head, cols.address, cols.persons, cols.elderly, cols.children, cols.disabled, cols.phone, cols.move); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: doer, Action: "restricted.households_set", Object: "households/" + area, Area: area, Reason: audit.Clip(reason),
			Before: map[string]int{"households": replaced}, After: map[string]int{"households": len(list)}})
	})
	if err != nil {
		return 0, fmt.Errorf("restricted: set households: %w", err)
	}
	return replaced, nil
}

// DeskPhone is the number of a duty desk.
type DeskPhone struct{ Name, Phone string }

// DutyDesk is whom a worker of an area rings: the desks on duty at a moment around it, the
// nearest first. The numbers are made to be rung, so no reason is asked; that somebody
// looked is recorded.
func (s *Store) DutyDesk(ctx context.Context, claims db.Claims, doer audit.Doer, area string, at time.Time) ([]DeskPhone, error) {
	if !codeText.MatchString(area) {
		return nil, ErrInvalid
	}
	var out []DeskPhone
	err := s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("duty_desk"), area, at)
		if err != nil {
			return err
		}
		if out, err = pgx.CollectRows(rows, pgx.RowToStructByPos[DeskPhone]); err != nil || len(out) == 0 {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: doer, Action: "restricted.duty_desk", Object: "contacts", Area: area, After: map[string]int{"shown": len(out)}})
	})
	if err != nil {
		return nil, fmt.Errorf("restricted: duty desk: %w", err)
	}
	return out, nil
}
