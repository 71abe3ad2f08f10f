package zoning

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// planFilter are the parameters of the query plans.
type planFilter struct {
	id, series               *string
	state, hazard, kind      string
	area                     *geo.Scope
	text                     string
	after                    *time.Time
	afterID                  *string
	reads, internal, drawing geo.Scopes
	letIn                    bool // who asks was let in before
	limit                    int
}

// askers fills in what the asker may see.
func (s *Service) asking(who *auth.Identity, f planFilter) planFilter {
	f.reads = who.Reach.Of(s.visibility())
	if person(who) {
		f.internal = who.Reach.Of(db.Internal)
		for _, g := range who.Grants {
			if g.Valid(s.now()) && (g.Role.May(auth.EditPlans) || g.Role.May(auth.ReviewPlans)) {
				f.drawing = append(f.drawing, g.Scope())
			}
		}
		f.drawing = f.drawing.Normal()
	}
	return f
}

// visibility is that of the layer zones: a plan is read like the zones it is made of.
func (s *Service) visibility() string {
	if l, ok := s.catalogue.Now().Layer("zones"); ok {
		return l.Visibility
	}
	return db.Sensitive
}

func (s *Service) planArgs(f planFilter) []any {
	var area any
	if f.area != nil {
		area = *f.area
	}
	return []any{f.id, f.series, f.state, f.hazard, f.kind, area, f.text, f.after, f.afterID, f.reads.String(), f.internal.String(), f.drawing.String(), f.letIn, f.limit, s.today()}
}

func scanPlan(row pgx.CollectableRow) (Plan, error) {
	var p Plan
	var w, so, e, n *float64
	var from, to *time.Time
	err := row.Scan(&p.ID, &p.Series, &p.VersionNo, &p.Parent, &p.Hazard, &p.Kind, &p.Title, &p.Area, &p.Scope, &p.Exhaustive, &p.Unit, &p.Ladder, &p.State, &p.Method,
		&p.DocumentNo, &p.Responsible, &p.Note, &from, &to, &p.InForce, &p.Version, &p.CreatedAt, &p.UpdatedAt, &p.CreatedBy, &p.Creator,
		&p.SubmittedAt, &p.SubmittedBy, &p.SubmittedAccount, &p.ApprovedAt, &p.ApprovedBy, &p.PublishedAt, &p.PublishedBy, &p.WithdrawnAt, &p.WithdrawnBy,
		&p.Demo, &p.Draws, &p.openVersion, &p.Zones, &p.Ungraded, &p.Accepted, &p.ReturnedZones, &p.Comments, &p.OpenComments, &w, &so, &e, &n)
	if err != nil {
		return Plan{}, err
	}
	if p.Ladder == "" {
		p.Ladder = usualLadder(p.Kind)
	}
	p.EffectiveFrom, p.EffectiveTo = from, to
	if w != nil && so != nil && e != nil && n != nil {
		p.Bounds = &orb.Bound{Min: orb.Point{*w, *so}, Max: orb.Point{*e, *n}}
	}
	return p, nil
}

// plan reads one version under the claims of the transaction, whoever asks. lock holds
// it until the end: every change of a plan or its zones takes it first, so that the
// state it saw is the state it changes.
func (s *Service) plan(ctx context.Context, tx pgx.Tx, id string, lock bool) (Plan, error) {
	if lock {
		if _, err := tx.Exec(ctx, s.queries.Get("plan_lock"), id); err != nil {
			return Plan{}, err
		}
	}
	rows, err := tx.Query(ctx, s.queries.Get("plans"), s.planArgs(planFilter{id: &id, letIn: true, limit: 1})...)
	if err != nil {
		return Plan{}, err
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPlan)
	if errors.Is(err, pgx.ErrNoRows) {
		return Plan{}, auth.ErrNotFound
	}
	return p, err
}

func scanZone(plan string) func(pgx.CollectableRow) (Zone, error) {
	return func(row pgx.CollectableRow) (Zone, error) {
		z := Zone{Plan: plan}
		var g geo.Shape
		err := row.Scan(&z.ID, &z.Zone, &z.FID, &z.Version, &z.Code, &z.Name, &z.Level, &z.Reason, &z.Countermeasure, &z.Responsible, &z.Population, &z.AreaKm2, &z.Attrs, &g)
		if err != nil || g.IsNull() {
			return z, err
		}
		if z.Shape, err = coverage.FromGeometry(g.Geometry); err != nil {
			return z, fmt.Errorf("zone %s: %w", z.Zone, err)
		}
		return z, nil
	}
}

func zoneArgs(plan string, box *orb.Bound, only []string) []any {
	args := []any{plan, only, nil, nil, nil, nil}
	if box != nil {
		args[2], args[3], args[4], args[5] = box.Min[0], box.Min[1], box.Max[0], box.Max[1]
	}
	return args
}

// zones reads the zones of a version in a transaction: all, those that touch the box, or
// the named ones.
func (s *Service) zones(ctx context.Context, tx pgx.Tx, plan string, box *orb.Bound, only []string) ([]Zone, error) {
	rows, err := tx.Query(ctx, s.queries.Get("plan_zones"), zoneArgs(plan, box, only)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanZone(plan))
}

// area reads the boundary of a version, empty where it has none.
func (s *Service) area(ctx context.Context, tx pgx.Tx, plan string) (coverage.Shape, error) {
	var g geo.Shape
	if err := tx.QueryRow(ctx, s.queries.Get("plan_area"), plan).Scan(&g); err != nil || g.IsNull() {
		return nil, err
	}
	return coverage.FromGeometry(g.Geometry)
}

// position is the place in the feed of what this transaction wrote.
func (s *Service) position(ctx context.Context, tx pgx.Tx) (at string, err error) {
	err = tx.QueryRow(ctx, s.queries.Get("plan_position")).Scan(&at)
	return at, err
}

// refusal says in the words of the package what the database refused.
func refusal(p Plan, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch {
	case pg.Code == "OM001":
		return notEditable(p.State)
	case pg.Code == "OM002":
		return cannotFollow(p.State)
	case pg.Code == "OM003" || pg.ConstraintName == "plan_four_eyes" || pg.ConstraintName == "plan_publisher":
		return fourEyes(p.State)
	case pg.ConstraintName == "plan_open_version" || pg.ConstraintName == "plan_series_version_no_key":
		return openVersion()
	case pg.ConstraintName == "plan_one_series":
		return seriesExists("", "")
	case pg.ConstraintName == "plan_one_in_force" || pg.ConstraintName == "plan_in_force":
		return &auth.Conflict{Code: "in_force", ZH: "同一系列在该日期已有现行版本", EN: "another version of the series is in force on that day"}
	case pg.Code == "42501":
		return auth.ErrForbidden
	case pg.Code == "55P03":
		return db.ErrBusy
	}
	return err
}

// seriesExists refuses a second series of the same hazard, kind and area; newest is the
// version to be continued. Both are "" where only the database knows.
func seriesExists(series, newest string) error {
	c := &auth.Conflict{Code: "series_exists", ZH: "该灾种、类别和区域已有区划系列，请编制其下一版本", EN: "there is a series of this hazard, kind and area: make its next version"}
	if series != "" {
		c.ZH += fmt.Sprintf("(系列 %s，最新版本 %s)", series, newest)
		c.EN += fmt.Sprintf(" (series %s, newest plan %s)", series, newest)
	}
	return c
}

// newSeries says whether a plan may begin a series. The database holds the same; this
// says it before work is done, and names the one there is.
func (s *Service) newSeries(ctx context.Context, by auth.By, n NewPlan) error {
	var series, newest string
	err := s.db.Query.Ask(ctx, by.Reading(), s.queries.Get("plan_series"), []any{n.Hazard, n.Kind, n.Area}, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&series, &newest); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err == nil && series != "" {
		err = seriesExists(series, newest)
	}
	return err
}

func openVersion() error {
	return &auth.Conflict{Code: "open_version", ZH: "本系列已有编制中的版本", EN: "a version of this series is being worked on already"}
}
