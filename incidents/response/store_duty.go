package response

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// Shift is a line of the duty roster.
type Shift struct {
	ID, Area, Role, Unit, Post, Person string
	Starts, Ends                       time.Time
	Own                                bool // written here, and not brought in with a data set
}

// Sitting is who sat at a desk.
type Sitting struct {
	ID, Area   string
	Since      time.Time
	Until      *time.Time
	RelievedBy string
	Account    string
	Name       string
}

// Duty is who is on duty now, and the roster and the chair over a time.
type Duty struct {
	Leaders, Officers, Others []Shift // now
	AtDesk                    *Sitting
	Shifts                    []Shift
	Sittings                  []Sitting
	Desk                      bool // the asker may sit down
}

// DutyQuery says whose duty and when. Without an area: of the widest unit the asker reads.
type DutyQuery struct {
	Area     string
	From, To time.Time // zero: only now
}

// Duty answers who is on duty and who sits at the desk now.
func (s *Service) Duty(ctx context.Context, who *auth.Identity, q DutyQuery) (Duty, error) {
	now := s.now()
	var out Duty
	var bad faults
	var area any
	var near *geo.Scope
	if q.Area != "" {
		a := bad.area(q.Area)
		area, near = a, &a
	}
	from, to := q.From, q.To
	if from.IsZero() {
		from = now
	}
	if to.IsZero() {
		to = from.Add(time.Microsecond)
	}
	if !to.After(from) || to.Sub(from) > 93*24*time.Hour {
		bad.add("to", "out_of_range", "起止时间相反或超过三个月", "the times are the wrong way round, or more than three months apart")
	}
	if err := bad.err(); err != nil {
		return out, err
	}
	areas := who.Reach.Of(db.Internal)
	var present []Shift
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		var err error
		if present, err = s.shifts(ctx, tx, areas, now, now.Add(time.Microsecond), area); err != nil {
			return err
		}
		if !q.From.IsZero() || !q.To.IsZero() {
			if out.Shifts, err = s.shifts(ctx, tx, areas, from, to, area); err != nil {
				return err
			}
			if out.Sittings, err = s.sittings(ctx, tx, areas, from, to, false); err != nil {
				return err
			}
		}
		sitting, err := s.sittings(ctx, tx, areas, now.Add(-time.Microsecond), now.Add(time.Hour), true)
		if i := slices.IndexFunc(sitting, func(x Sitting) bool {
			return near == nil || x.Area == "" || mustScope(x.Area).Contains(*near)
		}); err == nil && i >= 0 {
			out.AtDesk = &sitting[i]
		}
		return err
	})
	if err != nil {
		return out, wrap("duty", err)
	}
	// The list begins with the widest unit: the county's duty, not that of its townships.
	for _, d := range present {
		if near == nil && d.Area != present[0].Area || near != nil && !mustScope(d.Area).Contains(*near) {
			continue
		}
		switch d.Role {
		case "leader":
			out.Leaders = append(out.Leaders, d)
		case "officer":
			out.Officers = append(out.Officers, d)
		default:
			out.Others = append(out.Others, d)
		}
	}
	out.Desk = len(areasOf(who, now, auth.WorkDesk)) > 0
	return out, nil
}

func (s *Service) shifts(ctx context.Context, tx pgx.Tx, areas geo.Scopes, from, to time.Time, area any) ([]Shift, error) {
	rows, err := tx.Query(ctx, s.queries.Get("roster"), areas.String(), from, to, area)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d Shift, err error) {
		err = row.Scan(&d.ID, &d.Area, &d.Role, &d.Unit, &d.Post, &d.Person, &d.Starts, &d.Ends, &d.Own)
		return d, err
	})
}

func (s *Service) sittings(ctx context.Context, tx pgx.Tx, areas geo.Scopes, from, to time.Time, open bool) ([]Sitting, error) {
	rows, err := tx.Query(ctx, s.queries.Get("sittings"), areas.String(), from, to, open)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (x Sitting, err error) {
		err = row.Scan(&x.ID, &x.Area, &x.Since, &x.Until, &x.RelievedBy, &x.Account, &x.Name)
		return x, err
	})
}

// seat is the grant under which somebody sits at the desk of an area: without an area, of
// the widest he has a desk for.
func (s *Service) seat(by auth.By, area string) (auth.Grant, error) {
	now := s.now()
	if len(areasOf(by.Identity, now, auth.WorkDesk)) == 0 {
		return auth.Grant{}, auth.ErrForbidden
	}
	if area != "" {
		var bad faults
		scope := bad.area(area)
		if err := bad.err(); err != nil {
			return auth.Grant{}, err
		}
		g, ok := by.Grant(auth.WorkDesk, scope, now)
		if !ok {
			return g, auth.ErrForbidden
		}
		g.Area = area
		return g, nil
	}
	var best auth.Grant
	for _, g := range by.Grants {
		a, b := g.Scope(), best.Scope()
		if g.Valid(now) && g.Role.May(auth.WorkDesk) && (best.ID == "" || a.Hi-a.Lo > b.Hi-b.Lo) {
			best = g
		}
	}
	return best, nil
}

// Sit takes the chair of a desk: whoever sat there is relieved. To sit down twice is to
// sit there since the first time.
func (s *Service) Sit(ctx context.Context, by auth.By, area string) error {
	return wrap("sit", s.chair(ctx, by, area, true))
}

// Leave gives the chair up; nobody else's.
func (s *Service) Leave(ctx context.Context, by auth.By, area string) error {
	return wrap("leave", s.chair(ctx, by, area, false))
}

func (s *Service) chair(ctx context.Context, by auth.By, area string, sit bool) error {
	g, err := s.seat(by, area)
	if err != nil {
		return err
	}
	now, at := s.now(), g.Area
	return s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("sit_lock"), at); err != nil {
			return err
		}
		var present *Sitting
		list, err := s.sittings(ctx, tx, geo.Scopes{geo.Everywhere()}, now.Add(-time.Microsecond), now.Add(time.Hour), true)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(list, func(x Sitting) bool { return x.Area == at }); i >= 0 {
			present = &list[i]
		}
		mine := present != nil && present.Account == by.Account
		switch {
		case sit && mine:
			return nil // he sits there
		case !sit && present == nil:
			return clash("nobody_sits", "值班台现在没有人", "nobody sits at the desk")
		case !sit && !mine:
			return clash("not_yours", fmt.Sprintf("坐在值班台的是 %s", present.Name), present.Name+" sits at the desk")
		}
		before := map[string]any{}
		if present != nil {
			before["name"], before["since"] = present.Name, present.Since
			relieved := ""
			if sit {
				relieved = by.Name
			}
			if _, err := tx.Exec(ctx, s.queries.Get("stand"), at, now, relieved); err != nil {
				return err
			}
		}
		action := "duty.leave"
		if sit {
			action = "duty.sit"
			if _, err := tx.Exec(ctx, s.queries.Get("sit"), at, now, by.Account, by.Name); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: action, Object: "duty/" + at, Area: at, Outcome: audit.Done, Before: before, After: map[string]any{"name": by.Name}})
	})
}

// SetRoster writes the shifts of an area that begin in a time, in the place of those that
// were written there before. What came with a data set stays.
func (s *Service) SetRoster(ctx context.Context, by auth.By, area string, from, to time.Time, shifts []Shift) error {
	if len(areasOf(by.Identity, s.now(), auth.WorkDesk)) == 0 {
		return auth.ErrForbidden
	}
	var bad faults
	scope := bad.area(area)
	if !to.After(from) || to.Sub(from) > 93*24*time.Hour {
		bad.add("to", "out_of_range", "起止时间相反或超过三个月", "the times are the wrong way round, or more than three months apart")
	}
	if len(shifts) > 1000 {
		bad.add("shifts", "too_many", "一次至多 1000 班", "at most 1000 shifts at once")
	}
	for i := range shifts {
		d, at := &shifts[i], fmt.Sprintf("shifts/%d/", i)
		d.Unit, d.Post, d.Person = bad.text(at+"unit", d.Unit, 1, 200), bad.text(at+"post", d.Post, 0, 100), bad.text(at+"person", d.Person, 1, 100)
		if !slices.Contains([]string{"leader", "officer", "driver", "technician"}, d.Role) {
			bad.add(at+"role", "unknown", "应为带班领导、值班员、驾驶员或技术员", "it is leader, officer, driver or technician")
		}
		if d.Starts.Before(from) || !d.Starts.Before(to) || !d.Ends.After(d.Starts) || d.Ends.Sub(d.Starts) > 31*24*time.Hour {
			bad.add(at+"starts_at", "out_of_range", "班次应在起止时间之内，且止晚于起", "a shift begins inside the time and ends after it began")
		}
		if len(bad) > 50 {
			break
		}
	}
	if err := bad.err(); err != nil {
		return err
	}
	g, ok := by.Grant(auth.WorkDesk, scope, s.now())
	if !ok {
		return auth.ErrForbidden
	}
	err := s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("sit_lock"), "roster "+area); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, s.queries.Get("roster_clear"), area, from, to)
		if err != nil {
			return err
		}
		var b pgx.Batch
		for _, d := range shifts {
			b.Queue(s.queries.Get("roster_add"), area, d.Role, d.Unit, d.Post, d.Person, d.Starts, d.Ends)
		}
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "duty.roster", Object: "duty_roster/" + area, Area: area, Outcome: audit.Done,
			Before: map[string]any{"shifts": tag.RowsAffected()}, After: map[string]any{"shifts": len(shifts), "from": from, "to": to}})
	})
	return wrap("roster", err)
}
