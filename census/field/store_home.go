package field

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/restricted"
)

// Home is what the asker's phone shows: his grid and township, whom to ring, the rules.
func (s *Service) Home(ctx context.Context, by auth.By) (Home, error) {
	out := Home{Rules: s.rules(), Now: s.now()}
	if !person(by.Identity) {
		return out, auth.ErrForbidden
	}
	g, ok := place(by.Identity, s.now())
	if !ok {
		return out, nil
	}
	out.Role = g.Role
	var err error
	if g.Role == auth.GridWorker && g.Area != "" {
		if out.Grid, err = s.unit(ctx, by.Identity, g.Area); err != nil {
			return out, err
		}
	}
	if code := townshipOf(g.Area); code != "" {
		if out.Township, err = s.unit(ctx, by.Identity, code); err != nil {
			return out, err
		}
		if out.Township != nil {
			out.Township.Geometry = nil
		}
	}
	if g.Area == "" {
		return out, nil
	}
	desk, err := s.contacts.DutyDesk(ctx, by.Writing(g), by.Doer(g), g.Area, s.now())
	if err != nil {
		return out, wrap("duty phones", err)
	}
	for _, d := range desk {
		out.DutyPhones = append(out.DutyPhones, Phone{d.Name, d.Phone})
	}
	return out, nil
}

func (s *Service) unit(ctx context.Context, who *auth.Identity, code string) (*Unit, error) {
	u := Unit{Code: code, Name: code}
	err := s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get("unit"), []any{code}, func(rows pgx.Rows) error {
		var g geo.Shape
		var w, so, e, n *float64
		_, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, row.Scan(&u.Name, &g, &w, &so, &e, &n)
		})
		if err == nil && w != nil && so != nil && e != nil && n != nil {
			u.Bound = &orb.Bound{Min: orb.Point{*w, *so}, Max: orb.Point{*e, *n}}
		}
		u.Geometry = g.Geometry
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil // the grant is for a unit this server has no outline of
	}
	return &u, wrap("unit", err)
}

// Households opens the asker's own 包户 list: the households of his grids that must move.
// Who opened it and why is in the audit before anything is read.
func (s *Service) Households(ctx context.Context, by auth.By, reason string) ([]restricted.Household, error) {
	if !person(by.Identity) {
		return nil, auth.ErrForbidden
	}
	var out []restricted.Household
	found := false
	for _, g := range by.Grants {
		if !g.Valid(s.now()) || g.Role != auth.GridWorker || g.Area == "" {
			continue
		}
		found = true
		list, err := s.contacts.Households(ctx, by.Writing(g), by.Doer(g), g.Area, reason)
		if errors.Is(err, restricted.ErrReason) {
			return nil, &auth.Invalid{Items: []auth.Fault{{Path: "reason", Code: "length", ZH: "请写明理由(至少 4 字)", EN: "say why, in at least 4 characters"}}}
		}
		if err != nil {
			return nil, wrap("households", err)
		}
		out = append(out, list...)
	}
	if !found {
		return nil, auth.ErrForbidden
	}
	return out, nil
}

// Routes are the approved ways out of an area, as far as the asker reads it.
func (s *Service) Routes(ctx context.Context, who *auth.Identity, area string) ([]Route, error) {
	if !who.SignedIn() {
		return nil, auth.ErrForbidden
	}
	var within any
	if area != "" {
		a, err := geo.ParseScope(area)
		if err != nil {
			return nil, &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "not_a_code", ZH: "应为行政区划代码或网格编码", EN: "it is an administrative code or the code of a grid"}}}
		}
		within = a
	}
	today := s.now().In(s.catalogue.Now().Location()).Format(time.DateOnly)
	var out []Route
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("routes"), []any{who.Reach.Of(db.Internal).String(), within, today}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Route, err error) {
			var g geo.Shape
			err = row.Scan(&r.ID, &r.Title, &r.Area, &r.Shelter, &r.ShelterName, &r.Assembly, &r.Persons, &r.Note, &r.ApprovedBy, &r.ApprovedAt, &r.ValidFrom, &r.ValidTo, &g, &r.Version)
			r.Geometry = g.Geometry
			return r, err
		})
		return err
	})
	return out, wrap("routes", err)
}

// Patrols counts patrols and zero reports per unit and day.
func (s *Service) Patrols(ctx context.Context, who *auth.Identity, q PatrolQuery) (string, []PatrolUnit, error) {
	in := Desk(who, s.now())
	if len(in) == 0 {
		return "", nil, auth.ErrForbidden
	}
	var bad faults
	if q.To.Before(q.From) || q.To.Sub(q.From) > maxPatrolDays*24*time.Hour {
		bad.add("to", "out_of_range", "起止日期相反或超过 92 天", "the dates are the wrong way round or over 92 days apart")
	}
	if q.Area == "" {
		q.Area = s.usual(who)
	}
	area := geo.Everywhere()
	if q.Area != "" {
		var err error
		if area, err = geo.ParseScope(q.Area); err != nil {
			bad.add("area", "not_a_code", "应为行政区划代码", "it is an administrative code")
		}
	}
	if err := bad.err(); err != nil {
		return q.Area, nil, err
	}
	if !in.Contains(area) {
		return q.Area, nil, auth.ErrForbidden
	}
	var out []PatrolUnit
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("patrol_units"), area)
		if err != nil {
			return err
		}
		var codes []string
		place := map[string]int{}
		var code, name string
		if _, err := pgx.ForEachRow(rows, []any{&code, &name}, func() error {
			place[code] = len(out)
			codes, out = append(codes, code), append(out, PatrolUnit{Code: code, Name: name})
			return nil
		}); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, s.queries.Get("patrol_counts"), codes, q.From.Format(time.DateOnly), q.To.Format(time.DateOnly), s.catalogue.Now().Location().String(), in.String())
		if err != nil {
			return err
		}
		var d PatrolDay
		_, err = pgx.ForEachRow(rows, []any{&code, &d.Day, &d.Grids, &d.Reported, &d.Patrols, &d.ZeroReports, &d.Found}, func() error {
			u := &out[place[code]]
			u.Days = append(u.Days, d)
			return nil
		})
		return err
	})
	return q.Area, out, wrap("patrols", err)
}

// usual is the area a summary is of when none is named: that of the desk, and of one for
// everywhere the server's own.
func (s *Service) usual(who *auth.Identity) string {
	best, found := auth.Grant{}, false
	for _, g := range who.Grants {
		if !g.Valid(s.now()) || !g.Role.May(auth.WorkDesk) {
			continue
		}
		if b, x := best.Scope(), g.Scope(); !found || x.Hi-x.Lo > b.Hi-b.Lo {
			best, found = g, true
		}
	}
	if best.Area == "" {
		return s.catalogue.Now().Home().Code
	}
	return best.Area
}
