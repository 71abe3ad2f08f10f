package field

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
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

// maxHouseholds bounds one list.
const maxHouseholds = 5000

// SetHouseholds brings in the list of the households of an area that must move, in place
// of the one before. Nobody reads it but the workers of the grids, each his own.
func (s *Service) SetHouseholds(ctx context.Context, by auth.By, area, reason string, list []restricted.Household) (int, error) {
	if len(Desk(by.Identity, s.now())) == 0 {
		return 0, auth.ErrForbidden
	}
	scope, err := geo.ParseScope(area)
	if err != nil {
		return 0, auth.ErrNotFound
	}
	var bad faults
	reason = bad.text("reason", reason, 4, 2000)
	if len(list) > maxHouseholds {
		bad.add("households", "too_many", "一次至多 5000 户", "at most 5,000 households at once")
	}
	for i := range list {
		if len(bad) > 20 {
			break
		}
		h, path := &list[i], fmt.Sprintf("households[%d].", i)
		if h.Area == "" {
			h.Area = area
		}
		if at, err := geo.ParseScope(h.Area); err != nil || !scope.Contains(at) {
			bad.add(path+"area", "outside", "不在此区域内", "it is not inside the area")
		}
		h.Head, h.Address = bad.text(path+"head", h.Head, 1, 100), bad.text(path+"address", h.Address, 0, 500)
		h.Phone, h.Move = bad.text(path+"phone", h.Phone, 0, 40), bad.text(path+"move", h.Move, 0, 1000)
		if h.Phone != "" && strings.Trim(h.Phone, "0123456789+-() ") != "" {
			bad.add(path+"phone", "not_a_phone", "不是电话号码", "it is no telephone number")
		}
		for name, n := range map[string]int{"persons": h.Persons, "elderly": h.Elderly, "children": h.Children, "disabled": h.Disabled} {
			if n < 0 || n > 1000 {
				bad.add(path+name, "out_of_range", "人数超出范围", "the number is out of range")
			}
		}
	}
	if err := bad.err(); err != nil {
		return 0, err
	}
	g, ok := under(by.Identity, auth.WorkDesk, s.now(), scope)
	if !ok {
		return 0, auth.ErrForbidden
	}
	n, err := s.contacts.SetHouseholds(ctx, by.Writing(g), by.Doer(g), area, reason, list)
	return n, wrap("households", err)
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
