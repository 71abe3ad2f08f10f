package field

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func scanRoute(row pgx.CollectableRow) (r Route, err error) {
	var g geo.Shape
	err = row.Scan(&r.ID, &r.Title, &r.Area, &r.Shelter, &r.ShelterName, &r.Assembly, &r.Persons, &r.Note, &r.ApprovedBy, &r.ApprovedAt, &r.ValidFrom, &r.ValidTo, &g, &r.Version,
		&r.State, &r.Account, &r.ProposedBy, &r.ProposedAt, &r.WithdrawnBy, &r.Reason, &r.WithdrawnAt)
	r.Geometry = g.Geometry
	return r, err
}

func (s *Service) today() string {
	return s.now().In(s.catalogue.Now().Location()).Format(time.DateOnly)
}

// waysOf are the areas in which somebody draws or approves ways out.
func (s *Service) waysOf(who *auth.Identity) geo.Scopes {
	return append(areas(who, auth.WorkDesk, s.now()), areas(who, auth.ApproveWays, s.now())...).Normal()
}

// Routes are the approved ways out of an area, as far as the asker reads it. What is
// proposed or withdrawn is for those who draw and approve them.
func (s *Service) Routes(ctx context.Context, who *auth.Identity, area, state string) ([]Route, error) {
	if !who.SignedIn() {
		return nil, auth.ErrForbidden
	}
	in := who.Reach.Of(db.Internal)
	if state == "" {
		state = WayApproved
	}
	if state != WayApproved {
		if in = s.waysOf(who); len(in) == 0 {
			return nil, auth.ErrForbidden
		}
	}
	var within any
	if area != "" {
		a, err := geo.ParseScope(area)
		if err != nil {
			return nil, &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "not_a_code", ZH: "应为行政区划代码或网格编码", EN: "it is an administrative code or the code of a grid"}}}
		}
		within = a
	}
	var out []Route
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("routes"), []any{in.String(), within, s.today(), state, nil}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanRoute)
		return err
	})
	return out, wrap("routes", err)
}

func (s *Service) route(ctx context.Context, tx pgx.Tx, in geo.Scopes, id string) (Route, error) {
	rows, err := tx.Query(ctx, s.queries.Get("routes"), in.String(), nil, s.today(), "", id)
	if err != nil {
		return Route{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRoute)
	if errors.Is(err, pgx.ErrNoRows) {
		return Route{}, auth.ErrNotFound
	}
	return r, err
}

// Propose draws a way out. Nobody sees it on a phone before another person approved it.
func (s *Service) Propose(ctx context.Context, by auth.By, n NewRoute) (Route, error) {
	if len(Desk(by.Identity, s.now())) == 0 {
		return Route{}, auth.ErrForbidden
	}
	var bad faults
	n.Title, n.ShelterName = bad.text("title", n.Title, 1, 200), bad.text("shelter_name", n.ShelterName, 0, 200)
	n.Assembly, n.Note = bad.text("assembly", n.Assembly, 0, 200), bad.text("note", n.Note, 0, 2000)
	scope, err := geo.ParseScope(n.Area)
	if err != nil || n.Area == "" {
		bad.add("area", "not_a_code", "应为行政区划代码或网格编码", "it is an administrative code or the code of a grid")
	}
	if n.Shelter != "" && !records.IsID(n.Shelter) {
		bad.add("shelter", "unknown", "没有这个避难场所", "there is no such shelter")
	}
	if n.Shelter == "" && n.ShelterName == "" {
		bad.add("shelter_name", "required", "请写明转移到哪里", "say where it leads")
	}
	if n.Persons != nil && (*n.Persons < 0 || *n.Persons > 10_000_000) {
		bad.add("persons", "out_of_range", "人数超出范围", "the number of persons is out of range")
	}
	if n.ValidFrom != nil && n.ValidTo != nil && n.ValidTo.Before(*n.ValidFrom) {
		bad.add("valid_to", "out_of_range", "起止日期相反", "the dates are the wrong way round")
	}
	line, isLine := n.Geometry.(orb.LineString)
	switch {
	case !isLine || len(line) < 2:
		bad.add("geometry", "wrong_geometry", "转移路线是一条线", "a way out is a line")
	default:
		if f := geo.Check(line); f != nil {
			bad.add("geometry", f.Code, "图形无效", "the shape is not valid")
		}
	}
	if err := bad.err(); err != nil {
		return Route{}, err
	}
	g, ok := under(by.Identity, auth.WorkDesk, s.now(), scope)
	if !ok {
		return Route{}, auth.ErrForbidden
	}
	var out Route
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if n.Shelter != "" {
			var name string
			err := tx.QueryRow(ctx, s.queries.Get("route_shelter"), n.Shelter).Scan(&name)
			if errors.Is(err, pgx.ErrNoRows) {
				return &auth.Invalid{Items: []auth.Fault{{Path: "shelter", Code: "unknown", ZH: "没有这个避难场所", EN: "there is no such shelter"}}}
			}
			if err != nil {
				return err
			}
			if n.ShelterName == "" {
				n.ShelterName = name
			}
		}
		id := s.newID()
		if _, err := tx.Exec(ctx, s.queries.Get("route_insert"), id, n.Title, n.Area, null(n.Shelter), n.ShelterName, n.Assembly, n.Persons, n.Note, n.ValidFrom, n.ValidTo,
			geo.Shape{Geometry: line}, by.Account, by.Name); err != nil {
			return err
		}
		var err error
		if out, err = s.route(ctx, tx, geo.Scopes{g.Scope()}, id); err != nil {
			return err
		}
		return s.recordRoute(ctx, tx, by, g, "way.propose", &out)
	})
	return out, wrap("propose a way out", err)
}

func (s *Service) recordRoute(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action string, r *Route) error {
	err := audit.Record(ctx, tx, audit.Entry{
		Doer: by.Doer(g), Action: action, Object: "evacuation_routes/" + r.ID, Area: r.Area, Outcome: audit.Done, Reason: audit.Clip(r.Reason),
		After: map[string]any{"state": r.State, "title": r.Title, "area": r.Area, "proposed_by": r.ProposedBy, "version": r.Version},
	})
	if err != nil {
		return err
	}
	return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&r.FeedPosition)
}

// Way is one way out, in any state, for those who draw and approve them.
func (s *Service) Way(ctx context.Context, who *auth.Identity, id string) (Route, error) {
	in := s.waysOf(who)
	if len(in) == 0 {
		return Route{}, auth.ErrForbidden
	}
	if !records.IsID(id) {
		return Route{}, auth.ErrNotFound
	}
	var r Route
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		r, err = s.route(ctx, tx, in, id)
		return err
	})
	return r, wrap("way out", err)
}

// StepRoute approves a way out, by another person than who drew it, or withdraws one.
func (s *Service) StepRoute(ctx context.Context, by auth.By, id string, version int64, to, note string) (Route, error) {
	r, err := s.Way(ctx, by.Identity, id)
	if err != nil {
		return r, err
	}
	scope, err := geo.ParseScope(r.Area)
	if err != nil {
		return r, wrap("way out", err)
	}
	g, ok := under(by.Identity, auth.ApproveWays, s.now(), scope)
	if !ok && to == WayWithdrawn {
		g, ok = under(by.Identity, auth.WorkDesk, s.now(), scope)
	}
	var bad faults
	switch {
	case !ok:
		return r, auth.ErrForbidden
	case to != WayApproved && to != WayWithdrawn:
		bad.add("to", "unknown", "只能批准或撤销", "it is approved or withdrawn")
	case to == WayWithdrawn:
		note = bad.text("note", note, 2, 2000)
	case r.Account != "" && r.Account == by.Account:
		return r, &auth.Conflict{Code: "four_eyes", ZH: "提出人不能批准自己画的路线", EN: "who drew it does not approve it"}
	}
	if err := bad.err(); err != nil {
		return r, err
	}
	var out Route
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		sql, args := "route_approve", []any{id, version, by.Name, s.today(), by.Account}
		if to == WayWithdrawn {
			sql, args = "route_withdraw", []any{id, version, s.now(), by.Name, note}
		}
		tag, err := tx.Exec(ctx, s.queries.Get(sql), args...)
		if err != nil {
			return err
		}
		if out, err = s.route(ctx, tx, s.waysOf(by.Identity), id); err != nil {
			return err
		}
		switch {
		case tag.RowsAffected() > 0:
		case out.Version != version:
			return auth.ErrStaleVersion
		default:
			return taskClash("cannot_follow", "当前状态不能这样做", "this cannot follow its state")
		}
		return s.recordRoute(ctx, tx, by, g, "way."+map[string]string{WayApproved: "approve", WayWithdrawn: "withdraw"}[to], &out)
	})
	return out, wrap("step of a way out", err)
}
