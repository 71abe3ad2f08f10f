package resources

import (
	"context"
	"crypto/md5" //nolint:gosec // a name made of a name, no secret
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

const maxItems = 50

func (s *Service) scanDispatch(row pgx.CollectableRow) (Dispatch, error) {
	var d Dispatch
	var g geo.Shape
	var items []byte
	err := row.Scan(&d.ID, &d.Team, &d.Warehouse, &d.Source, &d.Incident, &d.Task, &d.Place, &d.State, &d.Note, &items, &d.Exercise, &d.SentAt, &d.DueAt, &d.AcknowledgedAt, &d.DepartedAt, &d.ArrivedAt, &d.EndedAt,
		&d.AcknowledgedBy, &d.By, &d.Account, &g, &d.Scope, &d.Version, &d.UpdatedAt)
	if err == nil {
		err = json.Unmarshal(items, &d.Items)
	}
	d.Geometry = g.Geometry
	d.Late = d.State == Sent && s.now().After(d.DueAt) || d.AcknowledgedAt != nil && d.AcknowledgedAt.After(d.DueAt)
	return d, err
}

// Dispatches are those the asker reads, the newest first.
func (s *Service) Dispatches(ctx context.Context, who *auth.Identity, q DispatchQuery) (list []Dispatch, position string, err error) {
	scope, err := area(q.Area)
	if err != nil {
		return nil, "", err
	}
	var f faults
	for path, id := range map[string]string{"incident": q.Incident, "team": q.Team, "warehouse": q.Warehouse} {
		if id != "" && !records.IsID(id) {
			f.add(path, "bad_id", "应为 UUID", "it is a UUID")
		}
	}
	if err := f.err(); err != nil {
		return nil, "", err
	}
	var exercise any = q.Exercise == "true"
	if q.Exercise == "all" {
		exercise = nil
	}
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&position); err != nil {
			return err
		}
		list, err = s.dispatches(ctx, tx, nil, orNil(q.Incident), orNil(q.Team), orNil(q.Warehouse), scope, q.Active, exercise, nil, bounded(q.Limit, 200, 1000))
		return err
	})
	return list, position, wrap("dispatches", err)
}

func (s *Service) dispatches(ctx context.Context, tx pgx.Tx, args ...any) ([]Dispatch, error) {
	rows, err := tx.Query(ctx, s.queries.Get("dispatches"), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, s.scanDispatch)
}

func (s *Service) dispatch(ctx context.Context, tx pgx.Tx, id string) (Dispatch, error) {
	list, err := s.dispatches(ctx, tx, []string{id}, nil, nil, nil, nil, false, nil, nil, 1)
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Dispatch{}, err
	}
	return list[0], nil
}

// DispatchesIn are those of the dispatches that lie in the areas, for the streams.
func (s *Service) DispatchesIn(ctx context.Context, areas geo.Scopes, ids []string) (map[string]Dispatch, error) {
	out := map[string]Dispatch{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("dispatches"), []any{ids, nil, nil, nil, nil, false, nil, areas.String(), len(ids)}, func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, s.scanDispatch)
		for _, d := range list {
			out[d.ID] = d
		}
		return err
	})
	return out, wrap("stream", err)
}

func (n *NewDispatch) check() error {
	var f faults
	if !records.IsID(n.ID) {
		f.add("id", "bad_id", "应为 UUID", "it is a UUID")
	}
	if (n.Team == "") == (n.Warehouse == "") {
		f.add("team", "one_of", "请指定队伍或储备库之一", "name a team or a warehouse, one of them")
	}
	for path, id := range map[string]string{"team": n.Team, "warehouse": n.Warehouse, "incident": n.Incident} {
		if id != "" && !records.IsID(id) {
			f.add(path, "bad_id", "应为 UUID", "it is a UUID")
		}
	}
	n.Task = f.text("task", n.Task, 1, 500)
	n.Place = f.text("to", n.Place, 0, 500)
	if n.Incident == "" && n.Place == "" && n.To == nil {
		f.add("to", "required", "请给出事件、地点或位置", "an incident, a place or a position is needed")
	}
	if n.Warehouse != "" && len(n.Items) == 0 {
		f.add("items", "required", "请列出要调的物资", "say what is to be sent")
	}
	if n.Team != "" && len(n.Items) > 0 {
		f.add("items", "not_here", "物资从储备库调出", "goods are sent from a warehouse")
	}
	if len(n.Items) > maxItems {
		f.add("items", "too_many", "一次至多 50 种", "50 kinds at most")
	}
	for i := range n.Items {
		n.Items[i].check(&f, fmt.Sprintf("items/%d", i))
	}
	return f.err()
}

func (it *Item) check(f *faults, path string) {
	it.Item, it.Unit = f.text(path+"/item", it.Item, 1, 100), f.text(path+"/unit", it.Unit, 1, 20)
	if math.IsNaN(it.Qty) || it.Qty < 0.001 || it.Qty > 1e9 {
		f.add(path+"/qty", "out_of_range", "数量应大于 0", "the amount is above zero")
	}
}

// Dispatch sends a team or goods. Sent again under the same id it is the one that was
// sent; a team that is out already is not sent a second time. What a team plays in an
// exercise ends when it is sent in earnest, and none that is out plays.
func (s *Service) Dispatch(ctx context.Context, by auth.By, n NewDispatch) (d Dispatch, created bool, err error) {
	if err := n.check(); err != nil {
		return d, false, err
	}
	kind, id := "team", n.Team
	if n.Warehouse != "" {
		kind, id = "warehouse", n.Warehouse
	}
	var name string
	var scope geo.Scope
	var exercise bool
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		var at geo.Shape
		err := tx.QueryRow(ctx, s.queries.Get("source"), kind, id).Scan(&kind, &name, &scope, &at, &exercise)
		if none(err) {
			return &auth.Invalid{Items: []auth.Fault{{Path: kind, Code: "unknown", ZH: "没有此队伍或储备库，或您看不到它", EN: "there is none, or none you may see"}}}
		}
		if err != nil || n.Incident == "" {
			return err
		}
		var place, state string
		var target geo.Shape
		var drill bool
		err = tx.QueryRow(ctx, s.queries.Get("incident"), n.Incident).Scan(&place, &target, &drill, &state)
		switch {
		case none(err):
			return &auth.Invalid{Items: []auth.Fault{{Path: "incident", Code: "unknown", ZH: "没有此事件，或您看不到它", EN: "there is no such incident, or none you may see"}}}
		case err != nil:
			return err
		}
		n.Exercise = n.Exercise || drill // what goes to a drill is a drill
		if n.To == nil {
			n.To = target.Geometry
		}
		if n.Place == "" {
			n.Place = place
		}
		return nil
	})
	if err != nil {
		return d, false, wrap("dispatch", err)
	}
	g, err := s.grant(by.Identity, scope, auth.CommandPost)
	if err != nil {
		return d, false, err
	}
	items, err := json.Marshal(append([]Item{}, n.Items...))
	if err != nil {
		return d, false, wrap("dispatch", err)
	}
	now := s.now()
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		switch known, err := s.dispatch(ctx, tx, n.ID); {
		case err == nil:
			if known.Team != n.Team || known.Warehouse != n.Warehouse || known.Task != n.Task || known.Incident != n.Incident || !slices.Equal(known.Items, n.Items) {
				return &auth.Conflict{Code: "id_taken", ZH: "编号已用于另一次调度", EN: "the id was used for another dispatch"}
			}
			d = known
			return nil
		case !errors.Is(err, auth.ErrNotFound):
			return err
		}
		for _, it := range n.Items {
			if err := s.enough(ctx, tx, n.Warehouse, it); err != nil {
				return err
			}
		}
		n.Exercise = n.Exercise || exercise
		if err := s.drills(ctx, tx, by.Doer(g), n, name, now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("dispatch_add"), n.ID, orNil(n.Team), orNil(n.Warehouse), name, orNil(n.Incident), n.Task, n.Place, items, n.Exercise, now, now.Add(s.Rules().Acknowledge),
			geo.Shape{Geometry: n.To}, scope, account(by), by.Name); err != nil {
			return err
		}
		created = true
		if d, err = s.dispatch(ctx, tx, n.ID); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "dispatch.send", Object: "dispatches/" + n.ID, Area: g.Area, Outcome: audit.Done, Reason: audit.Clip(n.Task),
			After: map[string]any{"source": name, "incident": n.Incident, "items": n.Items, "exercise": d.Exercise}}); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&d.FeedPosition)
	})
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "23505" {
		if pg.ConstraintName == "dispatches_team" || pg.ConstraintName == "dispatches_team_exercise" {
			return d, false, busy(name)
		}
		return d, false, &auth.Conflict{Code: "id_taken", ZH: "编号已被使用", EN: "the id is in use"}
	}
	if err != nil {
		return Dispatch{}, false, wrap("dispatch", err)
	}
	return d, created, nil
}

// drills keeps what is played and what is meant apart for a team that is to be sent.
func (s *Service) drills(ctx context.Context, tx pgx.Tx, doer audit.Doer, n NewDispatch, name string, now time.Time) error {
	if n.Team == "" {
		return nil
	}
	if n.Exercise {
		var out bool
		if err := tx.QueryRow(ctx, s.queries.Get("dispatch_real"), n.Team).Scan(&out); err != nil || !out {
			return err
		}
		return busy(name)
	}
	rows, err := tx.Query(ctx, s.queries.Get("drill_end"), n.Team, now, "队伍转入真实任务，演练调度结束")
	if err != nil {
		return err
	}
	over, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x struct{ id, state string }, err error) {
		err = row.Scan(&x.id, &x.state)
		return x, err
	})
	for _, x := range over {
		if err == nil {
			err = audit.Record(ctx, tx, audit.Entry{Doer: doer, Action: "dispatch." + x.state, Object: "dispatches/" + x.id, Outcome: audit.Done, Reason: audit.Clip(n.Task), After: map[string]any{"state": x.state, "exercise": true, "for": n.ID}})
		}
	}
	return err
}

func busy(name string) error {
	return &auth.Conflict{Code: "team_busy", ZH: name + "已有未结束的调度，请先结束或撤销", EN: "the team is out already: end or cancel that dispatch first"}
}

func (s *Service) enough(ctx context.Context, tx pgx.Tx, warehouse string, it Item) error {
	var has float64
	err := tx.QueryRow(ctx, s.queries.Get("stock_has"), warehouse, it.Item, it.Unit).Scan(&has)
	if none(err) {
		err = nil
	}
	if err == nil && has < it.Qty {
		return &Short{Item: it.Item, Unit: it.Unit, Has: has}
	}
	return err
}

// follows says from which states a step leads where.
func follows(from, to string) bool {
	return slices.Contains(map[string][]string{
		Acknowledged: {Sent}, Departed: {Acknowledged}, Arrived: {Departed}, Returned: {Departed, Arrived}, Cancelled: {Sent, Acknowledged, Departed},
	}[to], from)
}

// Step takes a dispatch on: the team (or who writes for it) acknowledges, departs, arrives
// and returns; the command post cancels. Taken twice it is taken.
func (s *Service) Step(ctx context.Context, by auth.By, id, to, note string) (Dispatch, error) {
	var f faults
	if !slices.Contains(States()[1:], to) {
		f.add("to", "unknown", "没有此状态", "there is no such state")
	}
	if by.Identity == nil || by.Account == "" {
		return Dispatch{}, auth.ErrForbidden // somebody with a name answers for a team
	}
	least := 0
	if to == Cancelled {
		least = 2
	}
	note = f.text("note", note, least, 2000)
	if err := f.err(); err != nil {
		return Dispatch{}, err
	}
	if !records.IsID(id) {
		return Dispatch{}, auth.ErrNotFound
	}
	var d Dispatch
	err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
		d, err = s.dispatch(ctx, tx, id)
		return err
	})
	if err != nil {
		return Dispatch{}, wrap("step", err)
	}
	may := []auth.Permission{auth.CommandPost, auth.WriteFeatures}
	if to == Cancelled {
		may = may[:1]
	}
	g, err := s.grant(by.Identity, d.Scope, may...)
	if err != nil {
		return Dispatch{}, err
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("dispatch_lock"), id); err != nil {
			return err
		}
		if d, err = s.dispatch(ctx, tx, id); err != nil || d.State == to {
			return err
		}
		before := d.State
		if !follows(d.State, to) {
			return &auth.Conflict{Code: "cannot_follow", ZH: "调度的状态不允许此操作", EN: "the state of the dispatch does not allow this"}
		}
		now := s.now()
		if _, err := tx.Exec(ctx, s.queries.Get("dispatch_step"), id, to, note, now, by.Name); err != nil {
			return err
		}
		if err := s.effects(ctx, tx, by, d, to); err != nil {
			return err
		}
		if d, err = s.dispatch(ctx, tx, id); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "dispatch." + to, Object: "dispatches/" + id, Area: g.Area, Outcome: audit.Done, Reason: audit.Clip(note),
			Before: map[string]any{"state": before}, After: map[string]any{"state": to}}); err != nil {
			return err
		}
		return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&d.FeedPosition)
	})
	return d, wrap("step", err)
}

// effects are what a step changes beside the dispatch: the state of the team, the stock of
// the store, which goes out when it departs and comes back when that is called off. What is
// played in an exercise changes neither.
func (s *Service) effects(ctx context.Context, tx pgx.Tx, by auth.By, d Dispatch, to string) error {
	if d.Exercise {
		return nil
	}
	if d.Team != "" {
		state := map[string]string{Departed: "dispatched", Arrived: "on_site", Returned: "standby", Cancelled: "standby"}[to]
		if state == "" {
			return nil
		}
		_, err := tx.Exec(ctx, s.queries.Get("team_state"), d.Team, state)
		return err
	}
	sign := 0.0
	switch {
	case to == Departed:
		sign = -1
	case to == Cancelled && d.State == Departed:
		sign = 1
	}
	for i, it := range d.Items {
		if sign == 0 {
			break
		}
		m := Move{OpID: derived(fmt.Sprintf("%s/%d/%s", d.ID, i, to)), Warehouse: d.Warehouse, Item: it.Item, Unit: it.Unit, Qty: sign * it.Qty, Reason: "调度：" + d.Task, Dispatch: d.ID}
		if _, err := s.move(ctx, tx, by, m); err != nil {
			return err
		}
	}
	return nil
}

// derived is an id that is the same whenever it is made of the same name.
func derived(name string) string {
	h := md5.Sum([]byte(name)) //nolint:gosec // as above
	h[6], h[8] = h[6]&0x0f|0x30, h[8]&0x3f|0x80
	t := hex.EncodeToString(h[:])
	return t[:8] + "-" + t[8:12] + "-" + t[12:16] + "-" + t[16:20] + "-" + t[20:]
}
