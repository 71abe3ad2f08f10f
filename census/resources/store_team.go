package resources

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func (s *Service) scanTeam(row pgx.CollectableRow) (Team, error) {
	var t Team
	var at geo.Shape
	err := row.Scan(&t.ID, &t.Name, &t.Kind, &t.State, &t.Specialities, &t.Unit, &t.Area, &t.Scope, &t.Members, &t.ReadyMin, &at, &t.PositionAt, &t.Dispatch, &t.DispatchState, &t.Drill, &t.DrillState, &t.Exercise, &t.Version)
	if p, ok := at.Geometry.(orb.Point); ok {
		t.At = &p
	}
	t.Stale = true
	if t.PositionAt != nil {
		age := max(s.now().Sub(*t.PositionAt), 0)
		n := int(age.Seconds())
		t.AgeS, t.Stale = &n, age > s.Rules().TeamStale
	}
	return t, err
}

// area is the parameter of an area, nil for everywhere.
func area(code string) (any, error) {
	if code == "" {
		return nil, nil
	}
	scope, err := geo.ParseScope(code)
	if err != nil {
		return nil, &auth.Invalid{Items: []auth.Fault{{Path: "area", Code: "not_a_code", ZH: "应为行政区划代码", EN: "it is an administrative code"}}}
	}
	return scope, nil
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func account(by auth.By) *string {
	if by.Identity == nil || by.Account == "" {
		return nil
	}
	return &by.Account
}

func bounded(n, usual, most int) int {
	if n <= 0 {
		n = usual
	}
	return min(n, most)
}

// Teams are those the asker reads.
func (s *Service) Teams(ctx context.Context, who *auth.Identity, q TeamQuery) (list []Team, position string, err error) {
	scope, err := area(q.Area)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&position); err != nil {
			return err
		}
		list, err = s.teams(ctx, tx, q.IDs, scope, q.State, q.Kind, bounded(q.Limit, 500, 2000))
		return err
	})
	return list, position, wrap("teams", err)
}

func (s *Service) teams(ctx context.Context, tx pgx.Tx, args ...any) ([]Team, error) {
	rows, err := tx.Query(ctx, s.queries.Get("teams"), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, s.scanTeam)
}

func (s *Service) team(ctx context.Context, tx pgx.Tx, id string) (Team, error) {
	list, err := s.teams(ctx, tx, []string{id}, nil, "", "", 1)
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Team{}, err
	}
	return list[0], nil
}

// Move takes the position of a team. The newest moves it; one that comes late, or a second
// time, is kept in its track and moves nothing.
func (s *Service) Move(ctx context.Context, by auth.By, id string, p Position) (Team, error) {
	now := s.now()
	var f faults
	if p.At[0] < -180 || p.At[0] > 180 || p.At[1] < -90 || p.At[1] > 90 || math.IsNaN(p.At[0]) || math.IsNaN(p.At[1]) {
		f.add("lon", "out_of_range", "经纬度超出范围；如将经纬度写反，请对调", "outside ±180/±90; are longitude and latitude swapped?")
	}
	if p.Time.IsZero() {
		p.Time = now
	}
	if p.Time.After(now.Add(10 * time.Minute)) {
		f.add("at", "future", "时间在未来", "this time is in the future")
	}
	if p.Time.Before(now.Add(-7 * 24 * time.Hour)) {
		f.add("at", "too_old", "七天以前的位置不再接收", "older than seven days")
	}
	if p.State != "" && !s.code("team_state", p.State) {
		f.add("state", "unknown", "没有此状态", "there is no such state")
	}
	if p.AccuracyM != nil && (*p.AccuracyM < 0 || *p.AccuracyM > 1e6 || math.IsNaN(*p.AccuracyM)) {
		f.add("accuracy_m", "out_of_range", "精度不可信", "this accuracy cannot be")
	}
	if err := f.err(); err != nil {
		return Team{}, err
	}
	list, g, err := s.ours(ctx, by, id)
	if err != nil {
		return Team{}, err
	}
	// A program that only sends reads nothing; inside its grant it may touch what it moves.
	claims := by.Writing(g)
	claims.Reach = db.NewReach(db.Areas{Internal: claims.Write, Sensitive: claims.Write})
	var out Team
	err = s.db.Intake.Tx(ctx, claims, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("team_lock"), id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("track_add"), id, p.Time, geo.Shape{Geometry: p.At}, p.AccuracyM, p.State); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("team_move"), id, geo.Shape{Geometry: p.At}, p.Time, p.State); err != nil {
			return err
		}
		if out, err = s.team(ctx, tx, id); err != nil {
			return err
		}
		// Where somebody is goes to the track; that his state was changed goes to the audit.
		if p.State != "" && p.State != list.State {
			if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "team.state", Object: "teams/" + id, Area: g.Area, Outcome: audit.Done,
				Before: map[string]any{"state": list.State}, After: map[string]any{"state": p.State}}); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
	})
	return out, wrap("position", err)
}

// ours is the team and the grant its position is written under; to whom neither shows it,
// it is absent.
func (s *Service) ours(ctx context.Context, by auth.By, id string) (t Team, g auth.Grant, err error) {
	if !records.IsID(id) {
		return t, g, auth.ErrNotFound
	}
	err = s.db.Intake.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
		t, err = s.team(ctx, tx, id)
		return err
	})
	if err != nil {
		return t, g, err
	}
	if g, err = s.grant(by.Identity, t.Scope, auth.WriteFeatures, auth.IngestObservations); err != nil {
		if hidden := s.known(ctx, by, id); hidden != nil {
			return t, g, hidden
		}
	}
	return t, g, err
}

// known says whether the asker sees a team.
func (s *Service) known(ctx context.Context, by auth.By, id string) error {
	if !records.IsID(id) {
		return auth.ErrNotFound
	}
	list, _, err := s.Teams(ctx, by.Identity, TeamQuery{IDs: []string{id}})
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	return err
}

// TrackPoint is where a team was.
type TrackPoint struct {
	Time      time.Time
	At        orb.Point
	AccuracyM *float64
	State     string
}

// Track is where a team was since a time, the newest first.
func (s *Service) Track(ctx context.Context, by auth.By, id string, since time.Time, limit int) ([]TrackPoint, error) {
	if err := s.known(ctx, by, id); err != nil {
		return nil, err
	}
	var list []TrackPoint
	err := s.db.Intake.Ask(ctx, by.Reading(), s.queries.Get("track"), []any{id, since, bounded(limit, 500, 5000)}, func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p TrackPoint, err error) {
			var at geo.Shape
			err = row.Scan(&p.Time, &at, &p.AccuracyM, &p.State)
			p.At, _ = at.Geometry.(orb.Point)
			return p, err
		})
		return err
	})
	return list, wrap("track", err)
}

// none says whether there was no row.
func none(err error) bool { return errors.Is(err, pgx.ErrNoRows) }
