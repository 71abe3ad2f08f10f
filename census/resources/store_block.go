package resources

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

const reopened = "reopened"

func (s *Service) scanBlock(row pgx.CollectableRow) (Block, error) {
	var b Block
	var g geo.Shape
	err := row.Scan(&b.ID, &b.Name, &b.Cause, &b.Road, &b.State, &b.Detour, &b.Area, &g, &b.Scope, &b.BlockedAt, &b.ExpectedAt, &b.ReopenedAt, &b.Trunk, &b.Exercise, &b.Version, &b.RecordedAt, &b.RecordedBy)
	b.Geometry = g.Geometry
	if b.Trunk && b.BlockedAt != nil {
		due := b.BlockedAt.Add(s.Rules().Trunk)
		b.DueAt = &due
		if b.ReopenedAt != nil {
			b.Late = b.ReopenedAt.After(due)
		} else {
			b.Late = b.State != reopened && s.now().After(due)
		}
	}
	return b, err
}

// Blocks are those the asker reads, what is blocked first, with the figure of the year.
func (s *Service) Blocks(ctx context.Context, who *auth.Identity, q BlockQuery) (list []Block, kpi KPI, position string, err error) {
	rules := s.Rules()
	kpi.Target = rules.Trunk.Hours()
	scope, err := area(q.Area)
	if err != nil {
		return nil, kpi, "", err
	}
	var all []Block
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&position); err != nil {
			return err
		}
		all, err = s.blocks(ctx, tx, q.IDs, scope, 5000)
		return err
	})
	if err != nil {
		return nil, kpi, "", wrap("blocks", err)
	}
	hours := 0.0
	for _, b := range all {
		if !b.Trunk || b.BlockedAt == nil {
			continue
		}
		if b.Late {
			kpi.Late++
		}
		if b.ReopenedAt == nil {
			kpi.Open++
			continue
		}
		kpi.Count++
		hours += b.ReopenedAt.Sub(*b.BlockedAt).Hours()
	}
	if kpi.Count > 0 {
		mean := math.Round(hours/float64(kpi.Count)*100) / 100
		kpi.MeanHours = &mean
	}
	for _, b := range all {
		if (!q.Active || b.State != reopened) && len(list) < bounded(q.Limit, 500, 2000) {
			list = append(list, b)
		}
	}
	return list, kpi, position, nil
}

func (s *Service) blocks(ctx context.Context, tx pgx.Tx, ids []string, scope any, limit int) ([]Block, error) {
	rules := s.Rules()
	rows, err := tx.Query(ctx, s.queries.Get("blocks"), ids, scope, false, s.now().AddDate(-1, 0, 0), rules.TrunkClasses, rules.WithinM, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, s.scanBlock)
}

func (s *Service) block(ctx context.Context, tx pgx.Tx, id string) (Block, error) {
	list, err := s.blocks(ctx, tx, []string{id}, nil, 1)
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Block{}, err
	}
	return list[0], nil
}

// apply lays what is given over what is there and says what does not go together.
func (s *Service) apply(b *Block, p PutBlock) error {
	now := s.now()
	var f faults
	for path, x := range map[string]struct {
		from *string
		to   *string
		most int
	}{"name": {p.Name, &b.Name, 200}, "road": {p.Road, &b.Road, 100}, "detour": {p.Detour, &b.Detour, 500}, "cause": {p.Cause, &b.Cause, 64}, "state": {p.State, &b.State, 32}} {
		if x.from != nil {
			*x.to = f.text(path, *x.from, 0, x.most)
		}
	}
	if b.Cause != "" && !s.code("block_cause", b.Cause) {
		f.add("cause", "unknown", "没有此原因", "there is no such cause")
	}
	if b.State == "" {
		b.State = "blocked"
	}
	if !s.code("block_state", b.State) {
		f.add("state", "unknown", "没有此状态", "there is no such state")
	}
	if p.Geometry != nil {
		b.Geometry = p.Geometry
	}
	switch b.Geometry.(type) {
	case orb.Point, orb.LineString, orb.MultiPoint, orb.MultiLineString:
	default:
		f.add("geometry", "bad_geometry", "请在道路上标出点或线", "mark a point or a line on the road")
	}
	if p.BlockedAt != nil {
		b.BlockedAt = p.BlockedAt
	}
	if b.BlockedAt == nil {
		b.BlockedAt = &now
	}
	if p.ExpectedAt != nil {
		b.ExpectedAt = p.ExpectedAt
	}
	if b.State == reopened {
		if p.ReopenedAt != nil {
			b.ReopenedAt = p.ReopenedAt
		}
		if b.ReopenedAt == nil {
			b.ReopenedAt = &now
		}
	} else {
		if p.ReopenedAt != nil {
			f.add("reopened_at", "not_reopened", "状态不是已抢通", "the state is not reopened")
		}
		b.ReopenedAt = nil // closed again: the clock runs from when it was blocked
	}
	soon := now.Add(10 * time.Minute)
	if b.BlockedAt.After(soon) || b.BlockedAt.Year() < 2000 {
		f.add("blocked_at", "out_of_range", "中断时间不可信", "this time cannot be")
	}
	if b.ReopenedAt != nil && (b.ReopenedAt.After(soon) || b.ReopenedAt.Before(*b.BlockedAt)) {
		f.add("reopened_at", "out_of_range", "抢通时间应在中断之后、现在以前", "it is after the block and not in the future")
	}
	return f.err()
}

// PutBlock makes a block, or with its version replaces it. Made again as it was it is the
// one that was made.
func (s *Service) PutBlock(ctx context.Context, by auth.By, id string, version *int64, p PutBlock) (out Block, created bool, err error) {
	id = strings.ToLower(id)
	if !records.IsID(id) {
		return out, false, auth.ErrNotFound
	}
	var before Block
	var place geo.Scope
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		if before, err = s.block(ctx, tx, id); err == nil || !errors.Is(err, auth.ErrNotFound) {
			return err
		}
		if p.Geometry == nil {
			return nil
		}
		return tx.QueryRow(ctx, s.queries.Get("block_place"), geo.Shape{Geometry: p.Geometry}).Scan(&place)
	})
	if err != nil {
		return out, false, wrap("block", err)
	}
	if before.ID != "" {
		if version == nil {
			same := before
			if s.apply(&same, p) == nil && same.State == before.State && same.Road == before.Road && orb.Equal(same.Geometry, before.Geometry) {
				return before, false, nil
			}
			return out, false, &auth.Conflict{Code: "id_taken", ZH: "已有此阻断，修改请带版本", EN: "there is such a block: change it with its version"}
		}
		out, err = s.ChangeBlock(ctx, by, id, *version, p)
		return out, false, err
	}
	b := Block{ID: id, Exercise: p.Exercise}
	if err := s.apply(&b, p); err != nil {
		return out, false, err
	}
	g, err := s.grant(by.Identity, place, auth.WorkDesk)
	if err != nil {
		return out, false, err
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("block_add"), id, b.Name, b.Cause, b.Road, b.State, b.Detour, b.BlockedAt, b.ExpectedAt, b.ReopenedAt, geo.Shape{Geometry: b.Geometry}, b.Exercise); err != nil {
			return err
		}
		return s.blockDone(ctx, tx, by, g, "road_block.add", nil, id, &out)
	})
	return out, err == nil, wrap("block", blockRefusal(err))
}

// ChangeBlock changes what is given; reopening sets the time and stops the clock.
func (s *Service) ChangeBlock(ctx context.Context, by auth.By, id string, version int64, p PutBlock) (out Block, err error) {
	if !records.IsID(id) {
		return out, auth.ErrNotFound
	}
	var b Block
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		b, err = s.block(ctx, tx, id)
		return err
	})
	if err != nil {
		return out, wrap("block", err)
	}
	g, err := s.grant(by.Identity, b.Scope, auth.WorkDesk)
	if err != nil {
		return out, err
	}
	if b.Version != version {
		return out, auth.ErrStaleVersion
	}
	before := b
	if err := s.apply(&b, p); err != nil {
		return out, err
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.queries.Get("block_change"), id, version, b.Name, b.Cause, b.Road, b.State, b.Detour, b.BlockedAt, b.ExpectedAt, b.ReopenedAt, geo.Shape{Geometry: b.Geometry})
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return auth.ErrStaleVersion
		}
		return s.blockDone(ctx, tx, by, g, "road_block.change", &before, id, &out)
	})
	return out, wrap("block", blockRefusal(err))
}

func (s *Service) blockDone(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action string, before *Block, id string, out *Block) (err error) {
	if *out, err = s.block(ctx, tx, id); err != nil {
		return err
	}
	e := audit.Entry{Doer: by.Doer(g), Action: action, Object: "road_blocks/" + id, Area: g.Area, Outcome: audit.Done,
		After: map[string]any{"state": out.State, "road": out.Road, "blocked_at": out.BlockedAt, "reopened_at": out.ReopenedAt}}
	if before != nil {
		e.Before = map[string]any{"state": before.State, "road": before.Road, "blocked_at": before.BlockedAt, "reopened_at": before.ReopenedAt}
	}
	if err := audit.Record(ctx, tx, e); err != nil {
		return err
	}
	return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.FeedPosition)
}

// blockRefusal puts what the database refused into words.
func blockRefusal(err error) error {
	pg := new(pgconn.PgError)
	switch {
	case !errors.As(err, &pg):
		return err
	case pg.Code == "23505":
		return &auth.Conflict{Code: "id_taken", ZH: "编号已被使用", EN: "the id is in use"}
	case pg.Code == "42501":
		return auth.ErrForbidden
	}
	return err
}
