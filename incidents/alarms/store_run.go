package alarms

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/geo"
)

// tellAll brings what holds to its alarms, and marks of the kinds what is over. Another
// node that does the same meanwhile does it alone.
func (s *Service) tellAll(ctx context.Context, kinds []string, list []bundle) error {
	return s.db.Bulk.Tx(ctx, db.System("alarms"), func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, s.queries.Get("worker_lock"), workLook).Scan(&mine); err != nil || !mine {
			return err
		}
		keys := make([]string, 0, len(list))
		var out Raised
		for _, b := range list {
			keys = append(keys, b.c.Key)
			if err := s.tell(ctx, tx, b, &out); err != nil {
				return fmt.Errorf("%s: %w", b.c.Key, err)
			}
		}
		_, err := tx.Exec(ctx, s.queries.Get("clear"), kinds, keys, s.now())
		return err
	})
}

// Fold brings counts over to the rows the screens hear of.
func (s *Service) Fold(ctx context.Context) error {
	return s.db.Bulk.Tx(ctx, db.System("alarms"), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.queries.Get("fold"), s.now(), s.rules().FoldS)
		return err
	})
}

// Escalate lets what nobody took in time go a step up, and tells how many those were.
func (s *Service) Escalate(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.Bulk.Tx(ctx, db.System("alarms"), func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.queries.Get("escalate"), s.now(), s.rules().EscalateMost)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// own is what this package looks at itself: 险情 nobody took, and warnings in force.
func (s *Service) own(ctx context.Context) ([]Condition, error) {
	var out []Condition
	wait := s.takeAfter()
	err := s.db.Bulk.Tx(ctx, db.System("alarms"), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("unattended"), s.now(), wait.Seconds())
		if err != nil {
			return err
		}
		var code, name, first string
		var n, trapped int
		var since, last time.Time
		var g geo.Shape
		if _, err := pgx.ForEachRow(rows, []any{&code, &name, &n, &since, &last, &first, &g, &trapped}, func() error {
			c := Condition{Kind: "unattended", Key: "unattended:" + code, Area: code, Level: 2, At: last, RefKind: "incident_reports", RefID: first, Geometry: g.Geometry,
				Title: fmt.Sprintf("%s险情 %d 件无人接手", name, n), Detail: "最早 " + since.In(s.catalogue.Now().Location()).Format("01-02 15:04")}
			if trapped > 0 {
				c.Level = 1
				c.Detail += fmt.Sprintf("，报称被困 %d 人", trapped)
			}
			out = append(out, c)
			g = geo.Shape{}
			return nil
		}); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, s.queries.Get("alerts"), s.now()); err != nil {
			return err
		}
		var id, title string
		var level int
		var at time.Time
		var exercise bool
		var scope geo.Scope
		_, err = pgx.ForEachRow(rows, []any{&id, &title, &level, &code, &at, &g, &exercise, &scope}, func() error {
			if len([]rune(title)) > 200 {
				title = string([]rune(title)[:199]) + "…"
			}
			if title == "" {
				title = "预警生效"
			}
			out = append(out, Condition{Kind: "alert", Key: "alert:" + id, Area: code, Scope: scope, Title: title, Level: level, At: at, RefKind: "alerts", RefID: id, Geometry: g.Geometry, Exercise: exercise})
			g = geo.Shape{}
			return nil
		})
		return err
	})
	return out, wrap("look", err)
}
