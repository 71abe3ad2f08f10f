package tiles

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

func (p parts) foreignFacts(ctx context.Context, pool *db.Pool) (map[string]facts, error) {
	all := map[string]facts{}
	err := pool.Hold(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, p.Get("foreign_facts"))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var f facts
			if err := rows.Scan(&id, &f.feed, &f.valid); err != nil {
				return err
			}
			all[id] = f
		}
		return rows.Err()
	})
	return all, err
}

// count takes a layer's figures as the reach sees them now.
func (p parts) count(ctx context.Context, pool *db.Pool, l *registry.Layer, reach db.Reach, now time.Time) (figure, error) {
	req := Request{Reach: reach}
	q := &question{parts: p, req: req, now: now, shared: map[string]string{}}
	where := q.shown(l)
	if live, _ := q.live(l); live != "true" {
		where = append(where, live)
	}
	table := ident(l.Schema, l.Table)
	dataset := "null::uuid"
	if l.Own {
		dataset = "t.dataset"
		if _, has := l.Field("exercise"); has {
			where = append(where, "not t.exercise") // what is played counts nowhere
		}
	}
	sql := p.fill("figures", "geom", ident(l.GeomColumn), "srid", strconv.Itoa(l.SRID), "table", table,
		"where", and(where), "dataset", dataset)
	var f figure
	var b [4]*float64
	err := pool.Ask(ctx, claims(req), sql, q.args, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&f.count, &b[0], &b[1], &b[2], &b[3], &f.source); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return figure{}, err
	}
	if b[0] != nil {
		f.bounds = &orb.Bound{Min: orb.Point{*b[0], *b[1]}, Max: orb.Point{*b[2], *b[3]}}
	}
	return f, nil
}

// newShapes are the present shapes of features; those gone are missing.
func (p parts) newShapes(ctx context.Context, pool *db.Pool, l *registry.Layer, ids [][16]byte) ([]orb.Geometry, error) {
	return p.shapes(ctx, pool, "new_shapes", l, ids)
}

// oldShapes are the versions that the feed rows at these positions ended.
func (p parts) oldShapes(ctx context.Context, pool *db.Pool, l *registry.Layer, ids [][16]byte, xids []string, seqs []int64) ([]orb.Geometry, error) {
	return p.shapes(ctx, pool, "old_shapes", l, ids, xids, seqs)
}

func (p parts) shapes(ctx context.Context, pool *db.Pool, name string, l *registry.Layer, args ...any) ([]orb.Geometry, error) {
	out := []orb.Geometry{} // not nil: nothing there is an answer too
	sql := p.fill(name, "geom", ident(l.GeomColumn), "id", ident(l.IDColumn),
		"table", ident(l.Schema, l.Table), "history", ident(l.Schema, l.Table+"_history"))
	system := db.System("tiles")
	err := pool.Ask(ctx, system, sql, args, func(rows pgx.Rows) error {
		for rows.Next() {
			var s geo.Shape
			if err := rows.Scan(&s); err != nil {
				return err
			}
			out = append(out, s.Geometry)
		}
		return rows.Err()
	})
	return out, err
}
