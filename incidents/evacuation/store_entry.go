package evacuation

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func scanEntry(row pgx.CollectableRow) (e Entry, err error) {
	err = row.Scan(&e.ID, &e.Callout, &e.Village, &e.Mode, &e.ToMove, &e.Moved, &e.Refused, &e.Returned, &e.Missing, &e.Shelter, &e.ShelterName, &e.Persons,
		&e.Road, &e.Power, &e.Network, &e.At, &e.ReceivedAt, &e.Channel, &e.Note, &e.Account, &e.Actor, &e.Name)
	return e, err
}

// Entries are what was reported of a call-out's villages, the oldest first.
func (s *Service) Entries(ctx context.Context, who *auth.Identity, callout, village string) ([]Entry, error) {
	if _, err := s.Callout(ctx, who, callout); err != nil {
		return nil, err
	}
	var out []Entry
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		const most = 5000
		out, err = all(ctx, tx, scanEntry, s.queries.Get("entries"), []string{callout}, Desk(who, s.now()).String(), village, most)
		return err
	})
	return out, wrap("entries", err)
}

// fault says what does not hold of an entry: a path with a code, and words for both.
func (e *Entry) fault(now time.Time) *auth.Fault {
	var ok bool
	if e.Mode == "" {
		e.Mode = Add
	}
	if e.Note, ok = words(e.Note, 0, 2000); !ok {
		return &auth.Fault{Path: "note", Code: "length", ZH: "备注过长或含有无效字符", EN: "the note is too long, or not text"}
	}
	if e.ShelterName, ok = words(e.ShelterName, 0, 200); !ok {
		return &auth.Fault{Path: "shelter_name", Code: "length", ZH: "地点名称过长", EN: "the name of the place is too long"}
	}
	if e.Mode != Add && e.Mode != Total {
		return &auth.Fault{Path: "mode", Code: "unknown", ZH: "应为 add（新增）或 total（累计）", EN: "it is add or total"}
	}
	said := e.Note != "" || e.Road != nil || e.Power != nil || e.Network != nil
	numbers := []struct {
		name string
		n    *int
	}{{"to_move", e.ToMove}, {"moved", e.Moved}, {"refused", e.Refused}, {"returned", e.Returned}, {"unknown", e.Missing}, {"persons", e.Persons}}
	for _, x := range numbers {
		if x.n == nil {
			continue
		}
		said = true
		const most = 1_000_000
		if *x.n > most || *x.n < -most || e.Mode == Total && *x.n < 0 {
			return &auth.Fault{Path: x.name, Code: "out_of_range", ZH: "人数超出范围（累计数不能为负）", EN: "the number is out of range; a total is not negative"}
		}
	}
	switch {
	case !said:
		return &auth.Fault{Path: "moved", Code: "empty", ZH: "请至少填写一项", EN: "it says nothing"}
	case e.Shelter != "" && !records.IsID(e.Shelter):
		return &auth.Fault{Path: "shelter", Code: "not_an_id", ZH: "不是避难场所编号", EN: "it is not the id of a shelter"}
	case e.Persons != nil && e.Shelter == "" && e.ShelterName == "":
		return &auth.Fault{Path: "shelter", Code: "required", ZH: "请选择安置点", EN: "say which shelter"}
	case e.At.After(now.Add(ahead)):
		return &auth.Fault{Path: "at", Code: "future", ZH: "时间在将来", EN: "it is in the future"}
	}
	return nil
}

// Report writes down what the desk hears of a village. Sent again it changes nothing. The
// village as it is now comes back.
func (s *Service) Report(ctx context.Context, by auth.By, e Entry) (Village, Entry, error) {
	now := s.now()
	var v Village
	c, err := s.Callout(ctx, by.Identity, e.Callout)
	if err != nil {
		return v, e, err
	}
	scope, err := geo.ParseScope(e.Village)
	if err != nil {
		return v, e, auth.ErrNotFound
	}
	grant, ok := grantFor(by.Identity, auth.WorkDesk, scope, now)
	if !ok {
		return v, e, auth.ErrNotFound
	}
	if e.At.IsZero() {
		e.At = now
	}
	if e.Channel == "" {
		e.Channel = "desk"
	}
	if !records.IsID(e.ID) {
		return v, e, invalid("op_id", "not_an_id", "应为 UUID，重发时不变", "it is a UUID, the same when sent again")
	}
	if !slices.Contains([]string{"phone", "app", "radio", "in_person", "desk"}, e.Channel) {
		return v, e, invalid("channel", "unknown", "应为 phone、app、radio、in_person 或 desk", "it is phone, app, radio, in_person or desk")
	}
	if f := e.fault(now); f != nil {
		return v, e, &auth.Invalid{Items: []auth.Fault{*f}}
	}
	e.Account, e.Actor, e.Name, e.ReceivedAt = by.Account, by.Actor(), by.Name, now
	err = s.db.Intake.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error {
		var name string
		err := tx.QueryRow(ctx, s.queries.Get("village"), e.Callout, e.Village).Scan(&name)
		if errors.Is(err, pgx.ErrNoRows) {
			return auth.ErrNotFound
		}
		if err != nil {
			return err
		}
		if known, err := s.shelter(ctx, tx, e.Shelter); err != nil || !known {
			if err == nil {
				err = invalid("shelter", "unknown", "没有这个避难场所", "there is no such shelter")
			}
			return err
		}
		n, err := s.put(ctx, tx, e, geo.Shape{}, scope, "")
		if err != nil {
			return err
		}
		if n == 0 {
			var callout, village, actor string
			err := tx.QueryRow(ctx, s.queries.Get("entry"), e.ID).Scan(&callout, &village, &actor)
			if errors.Is(err, pgx.ErrNoRows) || err == nil && (callout != e.Callout || village != e.Village || actor != e.Actor) {
				return clash("op_id_used", "操作编号已用于另一条记录", "the op_id belongs to another entry")
			}
			if err != nil {
				return err
			}
		} else if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(grant), Action: "evacuation.entry", Object: "callouts/" + e.Callout, Area: e.Village, Outcome: audit.Done, Reason: audit.Clip(e.Note),
			After: map[string]any{"entry": e.ID, "mode": e.Mode, "moved": e.Moved, "to_move": e.ToMove, "refused": e.Refused, "returned": e.Returned, "unknown": e.Missing}}); err != nil {
			return err
		}
		kept, err := all(ctx, tx, scanEntry, s.queries.Get("entries_by_id"), []string{e.ID}, Desk(by.Identity, now).String())
		if err != nil {
			return err
		}
		if len(kept) == 1 {
			e = kept[0]
		}
		list, err := s.villages(ctx, tx, Desk(by.Identity, now), []Callout{c}, nil, s.rules(), now)
		if i := slices.IndexFunc(list, func(v Village) bool { return v.Code == e.Village }); err == nil && i >= 0 {
			v = list[i]
		}
		return err
	})
	return v, e, wrap("entry", err)
}

// shelter says whether there is such a shelter; no shelter is one.
func (s *Service) shelter(ctx context.Context, tx pgx.Tx, id string) (known bool, err error) {
	if id == "" {
		return true, nil
	}
	err = tx.QueryRow(ctx, s.queries.Get("shelter"), id).Scan(&known)
	return known, err
}

func (s *Service) put(ctx context.Context, tx pgx.Tx, e Entry, at geo.Shape, scope geo.Scope, device string) (int64, error) {
	tag, err := tx.Exec(ctx, s.queries.Get("insert_entry"), e.args(at, scope, device)...)
	return tag.RowsAffected(), err
}

func (e *Entry) args(at geo.Shape, scope geo.Scope, device string) []any {
	return []any{e.ID, e.Callout, e.Village, e.Mode, e.ToMove, e.Moved, e.Refused, e.Returned, e.Missing, null(e.Shelter), null(e.ShelterName), e.Persons,
		e.Road, e.Power, e.Network, e.At, e.Channel, null(e.Note), null(device), e.ReceivedAt, at, scope, null(e.Account), e.Actor, e.Name}
}
