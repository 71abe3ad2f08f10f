package resources

import (
	"context"
	"errors"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// Stores are the warehouses the asker reads, with what lies in them.
func (s *Service) Stores(ctx context.Context, who *auth.Identity, warehouse, code string) (list []Store, position string, err error) {
	if warehouse != "" && !records.IsID(warehouse) {
		return nil, "", auth.ErrNotFound
	}
	scope, err := area(code)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&position); err != nil {
			return err
		}
		list, err = s.stores(ctx, tx, warehouse, scope)
		return err
	})
	if err == nil && warehouse != "" && len(list) == 0 {
		err = auth.ErrNotFound
	}
	return list, position, wrap("stores", err)
}

func (s *Service) stores(ctx context.Context, tx pgx.Tx, warehouse string, scope any) ([]Store, error) {
	rows, err := tx.Query(ctx, s.queries.Get("stores"), orNil(warehouse), scope)
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w Store, err error) {
		var at geo.Shape
		err = row.Scan(&w.ID, &w.Name, &w.Grade, &w.Area, &at)
		if p, ok := at.Geometry.(orb.Point); ok {
			w.At = &p
		}
		return w, err
	})
	if err != nil {
		return nil, err
	}
	ids, place := make([]string, len(list)), map[string]int{}
	for i, w := range list {
		ids[i], place[w.ID] = w.ID, i
	}
	if rows, err = tx.Query(ctx, s.queries.Get("stock"), ids); err != nil {
		return nil, err
	}
	now := s.now()
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (x Stock, err error) {
		if err = row.Scan(&x.Warehouse, &x.Item, &x.Unit, &x.Qty, &x.RotateOn, &x.UpdatedAt); err != nil {
			return x, err
		}
		w := &list[place[x.Warehouse]]
		x.WarehouseName, x.RotateDue = w.Name, x.RotateOn != nil && !x.RotateOn.After(now)
		w.Stock = append(w.Stock, x)
		return x, nil
	})
	return list, err
}

// Ledger is what came in and went out of a store, the newest first.
func (s *Service) Ledger(ctx context.Context, who *auth.Identity, warehouse string, limit int) ([]Line, error) {
	if _, _, err := s.Stores(ctx, who, warehouse, ""); err != nil || warehouse == "" {
		return nil, errors.Join(err, when(warehouse == "", auth.ErrNotFound))
	}
	var list []Line
	err := s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get("moves"), []any{warehouse, bounded(limit, 200, 1000)}, func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Line, err error) {
			err = row.Scan(&l.OpID, &l.Warehouse, &l.Item, &l.Unit, &l.Reason, &l.Dispatch, &l.By, &l.Qty, &l.After, &l.At)
			return l, err
		})
		return err
	})
	return list, wrap("ledger", err)
}

func when(yes bool, err error) error {
	if yes {
		return err
	}
	return nil
}

// MoveStock brings goods in or takes them out. Sent twice it is counted once; what is not
// there does not go out.
func (s *Service) MoveStock(ctx context.Context, by auth.By, m Move) (Moved, error) {
	m.OpID, m.Warehouse = strings.ToLower(m.OpID), strings.ToLower(m.Warehouse)
	var f faults
	if !records.IsID(m.OpID) {
		f.add("op_id", "bad_id", "应为 UUID", "it is a UUID")
	}
	m.Item, m.Unit, m.Reason = f.text("item", m.Item, 1, 100), f.text("unit", m.Unit, 1, 20), f.text("reason", m.Reason, 2, 500)
	if math.IsNaN(m.Qty) || math.Abs(m.Qty) < 0.001 || math.Abs(m.Qty) > 1e9 {
		f.add("qty", "out_of_range", "请填写数量，入库为正、出库为负", "give the amount: positive in, negative out")
	}
	if err := f.err(); err != nil {
		return Moved{}, err
	}
	if !records.IsID(m.Warehouse) {
		return Moved{}, auth.ErrNotFound
	}
	if m.Exercise {
		return Moved{}, &auth.Conflict{Code: "exercise_changes_nothing", ZH: "演练不改变真实库存，不登记出入库；请用演练调度", EN: "an exercise moves nothing out of a real store: send goods by a dispatch of the exercise"}
	}
	var out Moved
	var scope geo.Scope
	err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		var kind, name string
		var at geo.Shape
		var exercise bool
		err := tx.QueryRow(ctx, s.queries.Get("source"), "warehouse", m.Warehouse).Scan(&kind, &name, &scope, &at, &exercise)
		if none(err) {
			return auth.ErrNotFound
		}
		return err
	})
	if err != nil {
		return out, wrap("move", err)
	}
	g, err := s.grant(by.Identity, scope, auth.WorkDesk)
	if err != nil {
		return out, err
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if out, err = s.move(ctx, tx, by, m); err != nil || out.Duplicate {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "stock.move", Object: "warehouses/" + m.Warehouse, Area: g.Area, Outcome: audit.Done, Reason: audit.Clip(m.Reason),
			After: map[string]any{"item": m.Item, "unit": m.Unit, "qty": m.Qty, "after": out.After}})
	})
	return out, wrap("move", err)
}

// move writes one line of the ledger and the stock it leaves.
func (s *Service) move(ctx context.Context, tx pgx.Tx, by auth.By, m Move) (Moved, error) {
	// The row of the stock is held from here on: the same move sent twice at once waits.
	if _, err := tx.Exec(ctx, s.queries.Get("stock_begin"), m.Warehouse, m.Item, m.Unit, account(by), by.Name); err != nil {
		return Moved{}, err
	}
	var has float64
	if err := tx.QueryRow(ctx, s.queries.Get("stock_change"), m.Warehouse, m.Item, m.Unit, 0.0, m.RotateOn).Scan(&has); err != nil {
		return Moved{}, err
	}
	var warehouse, item, unit string
	var qty, after float64
	switch err := tx.QueryRow(ctx, s.queries.Get("move_find"), m.OpID).Scan(&warehouse, &item, &unit, &qty, &after); {
	case err == nil && warehouse == m.Warehouse && item == m.Item && unit == m.Unit && math.Abs(qty-m.Qty) < 0.0005:
		return Moved{OpID: m.OpID, After: after, Duplicate: true}, nil
	case err == nil:
		return Moved{}, &auth.Conflict{Code: "id_taken", ZH: "编号已用于另一笔出入库", EN: "the id was used for another move"}
	case !none(err):
		return Moved{}, err
	}
	err := tx.QueryRow(ctx, s.queries.Get("stock_change"), m.Warehouse, m.Item, m.Unit, m.Qty, m.RotateOn).Scan(&after)
	if none(err) {
		return Moved{}, &Short{Item: m.Item, Unit: m.Unit, Has: has}
	}
	if err != nil {
		return Moved{}, err
	}
	_, err = tx.Exec(ctx, s.queries.Get("move_add"), m.OpID, m.Warehouse, m.Item, m.Unit, m.Qty, after, m.Reason, orNil(m.Dispatch), account(by), by.Name)
	return Moved{OpID: m.OpID, After: after}, err
}
