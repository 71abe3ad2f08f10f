package shelters

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// scan reads one shelter as it is at a time.
func (s *Service) scan(row pgx.CollectableRow) (Shelter, error) {
	var h Shelter
	var at geo.Shape
	var there, promised *int
	err := row.Scan(&h.ID, &h.Name, &h.State, &h.Area, &h.Class, &h.Address, &h.Scope, &h.Capacity, &h.Occupancy, &h.Reserved, &h.ConfirmedAt, &h.Exercise, &at, &h.Version, &h.RecordedAt, &h.RecordedBy, &there, &promised)
	if there != nil && promised != nil {
		h.Drill = h.drill(*there, *promised)
	}
	if p, ok := at.Geometry.(orb.Point); ok {
		h.At = &p
	}
	h.Stale = h.stale(s.Rules(), s.now())
	return h, err
}

// Status are the shelters the asker reads, the open ones first; position is where the
// feed stood.
func (s *Service) Status(ctx context.Context, who *auth.Identity, q Query) (list []Shelter, position string, err error) {
	var area any
	if q.Area != "" {
		scope, err := geo.ParseScope(q.Area)
		if err != nil {
			return nil, "", &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "not_a_code", ZH: "应为行政区划代码", EN: "it is an administrative code"}}}
		}
		area = scope
	}
	var box []float64
	if q.BBox != nil {
		box = []float64{q.BBox.Min[0], q.BBox.Min[1], q.BBox.Max[0], q.BBox.Max[1]}
	}
	if q.Limit <= 0 {
		q.Limit = 500
	}
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&position); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("shelters"), q.IDs, area, box, q.State, min(q.Limit, 2000), q.Drill, s.now())
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, s.scan)
		return err
	})
	return list, position, wrap("status", err)
}

// Shelter is one of them.
func (s *Service) Shelter(ctx context.Context, who *auth.Identity, id string) (Shelter, error) {
	if !records.IsID(id) {
		return Shelter{}, auth.ErrNotFound
	}
	list, _, err := s.Status(ctx, who, Query{IDs: []string{id}})
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Shelter{}, err
	}
	return list[0], nil
}

// one is a shelter with what exercises come to there.
func (s *Service) one(ctx context.Context, tx pgx.Tx, id string) (Shelter, error) {
	rows, err := tx.Query(ctx, s.queries.Get("shelters"), []string{id}, nil, nil, "", 1, true, s.now())
	if err != nil {
		return Shelter{}, err
	}
	h, err := pgx.CollectExactlyOneRow(rows, s.scan)
	if errors.Is(err, pgx.ErrNoRows) {
		err = auth.ErrNotFound
	}
	return h, err
}

// hold locks the shelter and lets promises that ran out go.
func (s *Service) hold(ctx context.Context, tx pgx.Tx, id string) (Shelter, error) {
	if _, err := tx.Exec(ctx, s.queries.Get("lock"), id); err != nil {
		return Shelter{}, err
	}
	tag, err := tx.Exec(ctx, s.queries.Get("expire"), id, s.now())
	if err != nil {
		return Shelter{}, err
	}
	if tag.RowsAffected() > 0 {
		if err := s.count(ctx, tx, id); err != nil {
			return Shelter{}, err
		}
	}
	return s.one(ctx, tx, id)
}

// count sets what is promised to what the reservations say; it never drifts from them.
func (s *Service) count(ctx context.Context, tx pgx.Tx, id string) error {
	var n int
	if err := tx.QueryRow(ctx, s.queries.Get("promised"), id).Scan(&n); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, s.queries.Get("set_reserved"), id, n)
	return err
}

// under finds the shelter as the asker sees it and the grant he may change it under.
func (s *Service) under(ctx context.Context, by auth.By, id string, any ...auth.Permission) (Shelter, auth.Grant, error) {
	h, err := s.Shelter(ctx, by.Identity, id)
	if err != nil {
		return h, auth.Grant{}, err
	}
	g, err := s.grant(by.Identity, h.Scope, any...)
	return h, g, err
}

// Change sets the state or how many are there, or confirms both as they are. The version
// is the one that was looked at.
func (s *Service) Change(ctx context.Context, by auth.By, id string, version int64, p Patch) (Shelter, error) {
	if err := p.check(); err != nil {
		return Shelter{}, err
	}
	if p.Exercise {
		return Shelter{}, &auth.Conflict{Code: "exercise_changes_nothing", ZH: "演练不改变真实场所的状态和人数；演练按场所已开放、无人在住起算，请直接登记预留、入住和离开", EN: "an exercise changes neither the state nor the numbers of a real shelter: it begins with it open and empty; book and check in"}
	}
	_, g, err := s.under(ctx, by, id, auth.WorkDesk)
	if err != nil {
		return Shelter{}, err
	}
	var out Shelter
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("lock"), id); err != nil {
			return err
		}
		before, err := s.one(ctx, tx, id)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, s.queries.Get("patch"), id, version, p.State, p.Occupancy, s.now())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return auth.ErrStaleVersion
		}
		if out, err = s.one(ctx, tx, id); err != nil {
			return err
		}
		action := "shelter.change"
		if p.State == nil && p.Occupancy == nil {
			action = "shelter.confirm"
		}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: action, Object: "shelters/" + id, Area: g.Area, Outcome: audit.Done, Reason: audit.Clip(p.Note),
			Before: state(before), After: state(out)}); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
	})
	return out, wrap("change", err)
}

func state(h Shelter) map[string]any {
	return map[string]any{"state": h.State, "occupancy": h.Occupancy, "reserved": h.Reserved, "version": h.Version}
}

func scanReservation(row pgx.CollectableRow) (r Reservation, err error) {
	err = row.Scan(&r.ID, &r.Shelter, &r.Party, &r.State, &r.N, &r.Arrived, &r.Until, &r.CreatedAt, &r.EndedAt, &r.By, &r.EndedBy, &r.Account, &r.Scope, &r.Exercise)
	return r, err
}

// reservation is one of them, ErrNotFound where there is none to be seen.
func (s *Service) reservation(ctx context.Context, tx pgx.Tx, id string) (Reservation, error) {
	rows, err := tx.Query(ctx, s.queries.Get("reservations"), id, nil, false, 1, nil)
	if err != nil {
		return Reservation{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanReservation)
	if errors.Is(err, pgx.ErrNoRows) {
		err = auth.ErrNotFound
	}
	return r, err
}

// Reservations of a shelter, the newest first; only those that hold where open is asked,
// those of exercises only where they are (nil: both).
func (s *Service) Reservations(ctx context.Context, who *auth.Identity, shelter string, open bool, exercise *bool) ([]Reservation, error) {
	if _, err := s.Shelter(ctx, who, shelter); err != nil {
		return nil, err
	}
	var list []Reservation
	err := s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get("reservations"), []any{nil, shelter, open, 500, exercise}, func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, scanReservation)
		return err
	})
	return list, wrap("reservations", err)
}

// Reserve promises places: all of them or none. Made again under the same id it is the
// one that was made.
func (s *Service) Reserve(ctx context.Context, by auth.By, n NewReservation) (r Reservation, h Shelter, created bool, err error) {
	now := s.now()
	var f faults
	if !records.IsID(n.ID) {
		f.add("id", "bad_id", "应为 UUID", "it is a UUID")
	}
	if n.N < 1 || n.N > 100_000 {
		f.add("n", "out_of_range", "人数应为 1 到 100000", "it is 1 to 100000 people")
	}
	n.Party = f.text("group", n.Party, 1, 200)
	if n.Until.IsZero() {
		n.Until = now.Add(s.Rules().Reservation)
	}
	if n.Until.Before(now) || n.Until.After(now.Add(30*24*time.Hour)) {
		f.add("until", "out_of_range", "应在此后 30 天之内", "it is within 30 days from now")
	}
	if err := f.err(); err != nil {
		return r, h, false, err
	}
	h, g, err := s.under(ctx, by, n.Shelter, auth.WorkDesk)
	if err != nil {
		return r, h, false, err
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		var err error
		if h, err = s.hold(ctx, tx, n.Shelter); err != nil {
			return err
		}
		switch known, err := s.reservation(ctx, tx, n.ID); {
		case err == nil:
			if known.Shelter != n.Shelter || known.N != n.N || known.Party != n.Party || known.Exercise != n.Exercise {
				return &auth.Conflict{Code: "id_taken", ZH: "编号已用于另一次预留", EN: "the id was used for another reservation"}
			}
			r = known
			return nil
		case !errors.Is(err, auth.ErrNotFound):
			return err
		}
		if h.State != Opened && (!n.Exercise || h.State == Disabled) {
			return &auth.Conflict{Code: "shelter_not_open", ZH: "该场所未开放，请先核实并开放，或选择其他场所", EN: "the shelter is not open: confirm and open it first, or choose another"}
		}
		free := h.Free()
		if n.Exercise {
			free = h.Drill.Free
		}
		if free == nil {
			return &auth.Conflict{Code: "capacity_unknown", ZH: "不知道该场所能容纳多少人，不能预留", EN: "nobody knows how many this shelter holds: nothing can be promised"}
		}
		if *free < n.N {
			return &NoRoom{Free: *free}
		}
		if _, err := tx.Exec(ctx, s.queries.Get("reservation_add"), n.ID, n.Shelter, n.N, n.Party, n.Until, account(by), by.Name, n.Exercise); err != nil {
			return err
		}
		if err := s.count(ctx, tx, n.Shelter); err != nil {
			return err
		}
		created = true
		if r, err = s.reservation(ctx, tx, n.ID); err != nil {
			return err
		}
		if h, err = s.one(ctx, tx, n.Shelter); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "shelter.reserve", Object: "shelters/" + n.Shelter, Area: g.Area, Outcome: audit.Done,
			After: map[string]any{"reservation": n.ID, "n": n.N, "group": n.Party, "reserved": h.Reserved, "exercise": n.Exercise}}); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&h.FeedPosition)
	})
	if err != nil {
		return Reservation{}, h, false, wrap("reserve", refusal(err))
	}
	return r, h, created, nil
}

// refusal puts what the database refused into words.
func refusal(err error) error {
	pg := new(pgconn.PgError)
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "OM027":
		return &NoRoom{}
	case "23505":
		return &auth.Conflict{Code: "id_taken", ZH: "编号已被使用", EN: "the id is in use"}
	}
	return err
}

func account(by auth.By) *string {
	if by.Identity == nil || by.Account == "" {
		return nil
	}
	return &by.Account
}

// Release gives the places of a reservation back. Released twice is released.
func (s *Service) Release(ctx context.Context, by auth.By, shelter, id string) (Shelter, error) {
	if !records.IsID(id) {
		return Shelter{}, auth.ErrNotFound
	}
	h, g, err := s.under(ctx, by, shelter, auth.WorkDesk)
	if err != nil {
		return h, err
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := s.hold(ctx, tx, shelter); err != nil {
			return err
		}
		r, err := s.reservation(ctx, tx, id)
		if err != nil || r.Shelter != shelter {
			return errors.Join(err, when(err == nil, auth.ErrNotFound))
		}
		if r.State == "held" {
			if _, err := tx.Exec(ctx, s.queries.Get("reservation_end"), id, "released", s.now(), by.Name); err != nil {
				return err
			}
			if err := s.count(ctx, tx, shelter); err != nil {
				return err
			}
			if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "shelter.release", Object: "shelters/" + shelter, Area: g.Area, Outcome: audit.Done,
				Before: map[string]any{"reservation": id, "n": r.N, "arrived": r.Arrived}}); err != nil {
				return err
			}
		}
		if h, err = s.one(ctx, tx, shelter); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&h.FeedPosition)
	})
	return h, wrap("release", err)
}

func when(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// Check writes down who came and who left. People who are there are counted, whether
// there is room for them or not; what no count allows is that more leave than are there.
func (s *Service) Check(ctx context.Context, by auth.By, c CheckIn) (out Checked, err error) {
	now := s.now()
	c.OpID, c.Reservation = strings.ToLower(c.OpID), strings.ToLower(c.Reservation)
	var f faults
	if !records.IsID(c.OpID) {
		f.add("op_id", "bad_id", "应为 UUID", "it is a UUID")
	}
	if c.In < 0 || c.Out < 0 || c.In > 100_000 || c.Out > 100_000 || c.In+c.Out == 0 {
		f.add("in", "out_of_range", "请填写入住或离开的人数", "say how many came or left")
	}
	c.Party = f.text("group", c.Party, 0, 200)
	if c.Reservation != "" && !records.IsID(c.Reservation) {
		f.add("reservation", "bad_id", "应为 UUID", "it is a UUID")
	}
	if c.At.IsZero() {
		c.At = now
	}
	if c.At.After(now.Add(10*time.Minute)) || c.At.Before(now.Add(-30*24*time.Hour)) {
		f.add("at", "out_of_range", "时间不可信", "this time cannot be")
	}
	if err := f.err(); err != nil {
		return out, err
	}
	h, g, err := s.under(ctx, by, c.Shelter, auth.WorkDesk, auth.WriteFeatures)
	if err != nil {
		return out, err
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if h, err = s.hold(ctx, tx, c.Shelter); err != nil {
			return err
		}
		done, err := s.known(ctx, tx, by, c)
		if err != nil || done != nil {
			if done != nil {
				out = *done
				out.Shelter = h
			}
			return err
		}
		there := 0
		if c.Exercise {
			there = h.Drill.Occupancy
		} else if h.Occupancy != nil {
			there = *h.Occupancy
		}
		after := there + c.In - c.Out
		if after < 0 {
			return &auth.Conflict{Code: "more_left_than_there", ZH: "离开的人数多于在住人数，请先核对在住人数", EN: "more would leave than are there: correct the number of people there first"}
		}
		if err := s.arrive(ctx, tx, by, c); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("checkin_add"), c.OpID, c.Shelter, orNil(c.Reservation), c.In, c.Out, c.Party, c.At, after, account(by), by.Name, c.Exercise); err != nil {
			return err
		}
		if !c.Exercise {
			if err := s.settle(ctx, tx, h, there, after, earlier(c.At, now)); err != nil {
				return err
			}
		}
		if h, err = s.one(ctx, tx, c.Shelter); err != nil {
			return err
		}
		out = Checked{OpID: c.OpID, After: after, Shelter: h}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "shelter.check_in", Object: "shelters/" + c.Shelter, Area: g.Area, Outcome: audit.Done,
			Before: map[string]any{"occupancy": there}, After: map[string]any{"in": c.In, "out": c.Out, "occupancy": after, "group": c.Party, "exercise": c.Exercise}}); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.Shelter.FeedPosition)
	})
	if err != nil {
		return Checked{}, wrap("check in", refusal(err))
	}
	h = out.Shelter
	if c.Exercise {
		out.Over = h.Capacity != nil && h.Drill.Occupancy > *h.Capacity
		return out, nil
	}
	out.Over = h.Capacity != nil && h.Occupancy != nil && *h.Occupancy > *h.Capacity
	out.NotOpen = h.State != Opened && h.State != Full
	return out, nil
}

// settle makes the shelter say who is really there, and what is promised still.
func (s *Service) settle(ctx context.Context, tx pgx.Tx, h Shelter, there, after int, at time.Time) error {
	var promised int
	if err := tx.QueryRow(ctx, s.queries.Get("promised"), h.ID).Scan(&promised); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, s.queries.Get("people"), h.ID, after, promised, h.turns(there, after), at)
	return err
}

// turns is the state after people came or went: what they fill is full, and what was full
// of them is open again. Any other state is a person's to change.
func (s Shelter) turns(before, after int) string {
	switch {
	case s.Capacity == nil:
	case s.State == Opened && after >= *s.Capacity:
		return Full
	case s.State == Full && before >= *s.Capacity && after < *s.Capacity:
		return Opened
	}
	return s.State
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// known is what the same check-in came to before.
func (s *Service) known(ctx context.Context, tx pgx.Tx, by auth.By, c CheckIn) (*Checked, error) {
	var shelter, acc, actor string
	var in, out, after int
	var exercise bool
	err := tx.QueryRow(ctx, s.queries.Get("checkin_find"), c.OpID).Scan(&shelter, &in, &out, &after, &acc, &actor, &exercise)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case shelter != c.Shelter || in != c.In || out != c.Out || exercise != c.Exercise || actor != by.Actor():
		return nil, &auth.Conflict{Code: "id_taken", ZH: "编号已用于另一次登记", EN: "the id was used for another check-in"}
	}
	return &Checked{OpID: c.OpID, After: after, Duplicate: true}, nil
}

// arrive takes who came off the reservation they came on, which is of an exercise as they are.
func (s *Service) arrive(ctx context.Context, tx pgx.Tx, by auth.By, c CheckIn) error {
	if c.Reservation == "" || c.In == 0 {
		return nil
	}
	r, err := s.reservation(ctx, tx, c.Reservation)
	if errors.Is(err, auth.ErrNotFound) || err == nil && (r.Shelter != c.Shelter || r.Exercise != c.Exercise) {
		return &auth.Invalid{Items: []auth.Fault{{Path: "reservation", Code: "unknown", ZH: "该场所没有此预留", EN: "the shelter has no such reservation"}}}
	}
	if err != nil || r.State != "held" {
		return err // one that ended holds no places; the people are there all the same
	}
	_, err = tx.Exec(ctx, s.queries.Get("reservation_arrive"), c.Reservation, c.In, s.now(), by.Name)
	return err
}

// CheckIns of a shelter, the newest first; those of exercises only where they are asked for
// (nil: both).
func (s *Service) CheckIns(ctx context.Context, who *auth.Identity, shelter string, limit int, exercise *bool) ([]Entry, error) {
	if _, err := s.Shelter(ctx, who, shelter); err != nil {
		return nil, err
	}
	var list []Entry
	err := s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get("checkins"), []any{shelter, min(max(limit, 1), 500), exercise}, func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
			err = row.Scan(&e.OpID, &e.Party, &e.Reservation, &e.By, &e.In, &e.Out, &e.After, &e.At, &e.RecordedAt, &e.Exercise)
			return e, err
		})
		return err
	})
	return list, wrap("check-ins", err)
}

// Sweep lets promises go that ran out, so that free places are right where nobody asks.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	var ids []string
	claims := db.System("onemap")
	err := s.db.Intake.Ask(ctx, claims, s.queries.Get("overdue"), []any{s.now()}, func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	for _, id := range ids {
		if err != nil {
			break
		}
		err = s.db.Intake.Tx(ctx, claims, func(tx pgx.Tx) error {
			_, err := s.hold(ctx, tx, id)
			if errors.Is(err, auth.ErrNotFound) {
				return nil // the shelter is gone; its promises have ended
			}
			return err
		})
	}
	return len(ids), wrap("sweep", err)
}

// Run sweeps every half minute until the context ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("shelters: reservations were not swept", "err", err)
			}
		}
	}
}
