package zoning

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

func scanComment(row pgx.CollectableRow) (Comment, error) {
	var c Comment
	var at geo.Shape
	err := row.Scan(&c.ID, &c.Plan, &c.Round, &c.Zone, &c.ZoneName, &at, &c.Unit, &c.Body, &c.Answer, &c.Reason, &c.AnsweredBy, &c.AnsweredAt, &c.By, &c.Name, &c.Account, &c.CreatedAt, &c.Version)
	if p, ok := at.Geometry.(orb.Point); ok {
		c.At = &p
	}
	return c, err
}

// Comments are the opinions on a version, oldest first: the 意见采纳情况表.
func (s *Service) Comments(ctx context.Context, who *auth.Identity, plan string) ([]Comment, error) {
	if _, err := s.Plan(ctx, who, plan); err != nil {
		return nil, err
	}
	out := []Comment{}
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("comments"), []any{plan, nil}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanComment)
		return err
	})
	return out, wrap("comments", err)
}

func (s *Service) comment(ctx context.Context, tx pgx.Tx, plan, id string) (Comment, error) {
	rows, err := tx.Query(ctx, s.queries.Get("comments"), plan, id)
	if err != nil {
		return Comment{}, err
	}
	c, err := pgx.CollectExactlyOneRow(rows, scanComment)
	if errors.Is(err, pgx.ErrNoRows) {
		return Comment{}, auth.ErrNotFound
	}
	return c, err
}

// Comment says something about a version the asker may see.
func (s *Service) Comment(ctx context.Context, by auth.By, n NewComment) (Comment, error) {
	p, err := s.known(ctx, by, n.Plan)
	if err != nil {
		return Comment{}, err
	}
	if !person(by.Identity) {
		return Comment{}, auth.ErrForbidden
	}
	round := roundOf(p.State)
	if round == "" {
		return Comment{}, &StateError{State: p.State, Code: "cannot_follow", ZH: "当前状态不再征集意见", EN: "nothing is asked about it in this state"}
	}
	var f faults
	n.Body = f.text("body", n.Body, 1, 4000)
	n.Unit = f.text("unit", n.Unit, 0, 100)
	if n.Zone != "" && !uuidText.MatchString(n.Zone) {
		f.add("zone", "unknown", "没有这个区划单元", "there is no such zone")
	}
	var at geo.Shape
	if n.At != nil {
		if lon, lat := n.At[0], n.At[1]; !(lon >= -180 && lon <= 180 && lat >= -90 && lat <= 90) {
			f.add("at", "out_of_range", "位置不在经纬度范围内", "the position is not on Earth")
		}
		if b := p.Bounds; b != nil && !nearTo(*b, *n.At) {
			f.add("at", "outside_area", "位置离本方案的区域超过 10 公里", "the position is more than 10 km from the area of the plan")
		}
		at.Geometry = *n.At
	}
	if err := f.err(); err != nil {
		return Comment{}, err
	}
	var out Comment
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		var count int
		if err := tx.QueryRow(ctx, s.queries.Get("comment_count"), p.ID).Scan(&count); err != nil {
			return err
		}
		if count >= maxComments {
			return &auth.Conflict{Code: "too_many", ZH: "意见过多", EN: "there are too many opinions"}
		}
		if n.Zone != "" {
			zones, err := s.zones(ctx, tx, p.ID, nil, []string{n.Zone})
			if err != nil {
				return err
			}
			if len(zones) == 0 {
				return &auth.Invalid{Items: []auth.Fault{{Path: "zone", Code: "unknown", ZH: "没有这个区划单元", EN: "there is no such zone"}}}
			}
		}
		var id string
		if err := tx.QueryRow(ctx, s.queries.Get("comment_add"), p.ID, round, null(n.Zone), at, n.Unit, n.Body, by.Account, by.Name).Scan(&id); err != nil {
			return err
		}
		if out, err = s.comment(ctx, tx, p.ID, id); err != nil {
			return err
		}
		return s.record(ctx, tx, by, auth.Grant{}, "plan.comment", p, "", nil, map[string]any{"comment": id, "zone": n.Zone, "round": round})
	})
	return out, wrap("comment", refusal(p, err))
}

// Answer says what became of an opinion, as it was at version.
func (s *Service) Answer(ctx context.Context, by auth.By, plan, id string, version int64, a Answer) (Comment, error) {
	p, err := s.known(ctx, by, plan)
	if err != nil {
		return Comment{}, err
	}
	g, err := s.permitted(by, auth.EditPlans, p)
	if err != nil {
		return Comment{}, err
	}
	if !uuidText.MatchString(id) {
		return Comment{}, auth.ErrNotFound
	}
	if !answerable(p.State) {
		return Comment{}, notEditable(p.State)
	}
	var f faults
	if !slices.Contains([]string{Adopted, Partly, NotAdopted}, a.Answer) {
		f.add("answer", "unknown", "应为 adopted、partly 或 not_adopted", "it is adopted, partly or not_adopted")
	}
	least := reasonMin
	if a.Answer == Adopted {
		least = 0
	}
	a.Reason = f.text("reason", a.Reason, least, 2000)
	if err := f.err(); err != nil {
		return Comment{}, err
	}
	var out Comment
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		now, err := s.plan(ctx, tx, plan, true)
		if err != nil {
			return err
		}
		if !answerable(now.State) {
			return notEditable(now.State)
		}
		var at int64
		err = tx.QueryRow(ctx, s.queries.Get("comment_lock"), id, plan).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			return auth.ErrNotFound
		}
		if err != nil {
			return err
		}
		if at != version {
			return auth.ErrStaleVersion
		}
		before, err := s.comment(ctx, tx, plan, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("comment_answer"), id, a.Answer, a.Reason, by.Actor(), by.Account); err != nil {
			return err
		}
		if out, err = s.comment(ctx, tx, plan, id); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, "plan.answer", p, a.Reason, map[string]any{"comment": id, "answer": before.Answer, "reason": before.Reason}, map[string]any{"comment": id, "answer": out.Answer, "reason": out.Reason})
	})
	return out, wrap("answer", refusal(p, err))
}
