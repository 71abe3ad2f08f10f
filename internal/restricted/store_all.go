package restricted

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/db"
)

// All are the people of an area in clear: for 兜底包, which must work when nothing else does.
type All struct {
	Contacts   []Entry
	Households []Household
}

// RevealAll shows everybody of an area at once: who answers for what, and who must be
// moved. It is one look, one entry of the audit with the reason and the counts, committed
// before anything is read. claims are as of [Store.Reveal].
func (s *Store) RevealAll(ctx context.Context, claims db.Claims, doer audit.Doer, area, reason string) (All, error) {
	reason, err := sayable(reason)
	if err != nil {
		return All{}, err
	}
	if area != "" && !codeText.MatchString(area) {
		return All{}, ErrInvalid
	}
	if doer.Actor == "" {
		doer.Actor = claims.Actor
	}
	var permit string
	err = s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.queries.Get("ask_all"), area, audit.Clip(reason), doer.Request, doer.Account, doer.Actor, doer.Role, doer.Grant, doer.Kind, doer.Session, doer.Peer).Scan(&permit)
	})
	if err != nil {
		return All{}, fmt.Errorf("restricted: ask for all: %w", err)
	}
	var out All
	err = s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("contacts_in_clear"), permit, area)
		if err != nil {
			return err
		}
		if out.Contacts, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
			var from, to *time.Time
			err = row.Scan(&e.ID, &e.Kind, &e.Area, &e.Layer, &e.Feature, &e.Role, &e.Unit, &e.Post, &e.Person, &e.DeputyPost, &e.Deputy, &from, &to, &e.Fields)
			if from != nil {
				e.From = *from
			}
			if to != nil {
				e.To = *to
			}
			return e, err
		}); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, s.queries.Get("households_in_clear"), permit, area); err != nil {
			return err
		}
		out.Households, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Household, err error) {
			err = row.Scan(&h.ID, &h.Area, &h.Head, &h.Address, &h.Persons, &h.Elderly, &h.Children, &h.Disabled, &h.Phone, &h.Move)
			return h, err
		})
		return err
	})
	if err != nil {
		return All{}, fmt.Errorf("restricted: reveal all: %w", err)
	}
	return out, nil
}
