package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/incidents/cap"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func scanAlert(row pgx.CollectableRow) (Alert, error) {
	var a Alert
	var g geo.Shape
	var codes, notes []byte
	err := row.Scan(&a.ID, &a.FID, &a.Identifier, &a.Event, &a.EventCode, &a.Hazard, &a.Level, &a.Status, &a.MsgType, &a.Sender, &a.SenderName,
		&a.SentAt, &a.Effective, &a.Expires, &a.Received, &a.End, &a.Headline, &a.Description, &a.Instruction,
		&a.State, &a.Chain, &a.Source, &a.AreaDesc, &a.Urgency, &a.Certainty,
		&a.Refs, &codes, &g, &a.Exercise, &a.Scope, &notes, &a.Version, &a.Targets, &a.Reached, &a.Acknowledged)
	if err != nil {
		return a, err
	}
	a.Geometry = g.Geometry
	return a, errors.Join(json.Unmarshal(codes, &a.Geocodes), json.Unmarshal(notes, &a.Notes))
}

type filter struct {
	ids      []string
	state    string
	level    int
	area     *geo.Scope
	exercise *bool
	chain    *string
	areas    geo.Scopes
	now      time.Time
	after    *time.Time
	afterID  *string
	limit    int
}

func (f filter) args() []any {
	var area, areas any
	if f.area != nil {
		area = *f.area
	}
	if f.areas != nil {
		areas = f.areas.String()
	}
	return []any{f.ids, f.state, f.level, area, f.exercise, f.chain, areas, f.now, f.after, f.afterID, f.limit}
}

// Alerts are those the asker reads, the latest first.
func (s *Service) Alerts(ctx context.Context, who *auth.Identity, q Query) (Page, error) {
	out := Page{ByLevel: map[int]int{}}
	f := filter{state: q.State, level: q.Level, now: s.now(), limit: 100}
	if q.Limit > 0 {
		f.limit = min(q.Limit, 500)
	}
	switch q.Exercise {
	case "all":
	case "true", "false", "":
		v := q.Exercise == "true"
		f.exercise = &v
	default:
		return out, fault("exercise", "unknown", "应为 true、false 或 all", "it is true, false or all")
	}
	if q.Area != "" {
		area, err := geo.ParseScope(q.Area)
		if err != nil {
			return out, fault("area", "not_a_code", "应为行政区划代码", "it is an administrative code")
		}
		f.area = &area
	}
	if q.Chain != "" {
		if !records.IsID(q.Chain) {
			return out, fault("chain", "not_an_id", "应为预警链编号", "it is the id of a chain")
		}
		f.chain = &q.Chain
	}
	if q.Cursor != "" {
		micros, id, ok := strings.Cut(q.Cursor, ".")
		n, err := strconv.ParseInt(micros, 10, 64)
		if !ok || err != nil || !records.IsID(id) || n < -1<<53 || n > 1<<53 {
			return out, fault("cursor", "invalid", "不是此查询的游标", "it is not a cursor of this query")
		}
		at := time.UnixMicro(n)
		f.after, f.afterID = &at, &id
	}
	limit := f.limit
	f.limit++
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("alerts"), f.args()...)
		if err != nil {
			return err
		}
		if out.Alerts, err = pgx.CollectRows(rows, scanAlert); err != nil {
			return err
		}
		var area any
		if f.area != nil {
			area = *f.area
		}
		if rows, err = tx.Query(ctx, s.queries.Get("live"), f.now, area); err != nil {
			return err
		}
		var level, n int
		_, err = pgx.ForEachRow(rows, []any{&level, &n}, func() error {
			out.Active += n
			out.ByLevel[level] = n
			return nil
		})
		return err
	})
	if len(out.Alerts) > limit {
		out.Alerts = out.Alerts[:limit]
		last := out.Alerts[limit-1]
		at := last.SentAt
		if at == nil {
			at = &time.Time{}
		}
		out.Next = strconv.FormatInt(at.UnixMicro(), 10) + "." + last.ID
	}
	return out, wrap("list", err)
}

func (s *Service) one(ctx context.Context, tx pgx.Tx, id string) (Alert, error) {
	rows, err := tx.Query(ctx, s.queries.Get("alerts"), filter{ids: []string{id}, now: s.now(), limit: 1}.args()...)
	if err != nil {
		return Alert{}, err
	}
	list, err := pgx.CollectRows(rows, scanAlert)
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Alert{}, err
	}
	return list[0], nil
}

// Alert is one the asker reads.
func (s *Service) Alert(ctx context.Context, who *auth.Identity, id string) (a Alert, err error) {
	if !records.IsID(id) {
		return a, auth.ErrNotFound
	}
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		a, err = s.one(ctx, tx, id)
		return err
	})
	return a, wrap("alert", err)
}

// Messages are those of an alert's chain, as they came.
func (s *Service) Messages(ctx context.Context, who *auth.Identity, chain string) (out []Message, err error) {
	err = s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get("messages"), []any{chain}, func(rows pgx.Rows) error {
		out, err = pgx.CollectRows(rows, scanMessage)
		return err
	})
	return out, wrap("messages", err)
}

func scanMessage(row pgx.CollectableRow) (m Message, err error) {
	err = row.Scan(&m.ID, &m.Alert, &m.Identifier, &m.Sender, &m.MsgType, &m.SentAt, &m.ReceivedAt, &m.Name)
	return m, err
}

// CAP is an alert as CAP 1.2: its latest message, or the one named; of what was imported
// one is made.
func (s *Service) CAP(ctx context.Context, who *auth.Identity, id, identifier string) ([]byte, error) {
	a, err := s.Alert(ctx, who, id)
	if err != nil {
		return nil, err
	}
	var body []byte
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.queries.Get("message_json"), id, identifier).Scan(&body)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		if identifier != "" {
			return nil, auth.ErrNotFound
		}
		return cap.Encode(FromAlert(a)), nil
	}
	if err != nil {
		return nil, wrap("cap", err)
	}
	var m cap.Message
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, wrap("cap", err)
	}
	return cap.Encode(&m), nil
}

// Targets are who is in the area and who has heard of the latest message, or of the one
// named. sensitive says where counts of the restricted list are the asker's to see.
func (s *Service) Targets(ctx context.Context, who *auth.Identity, id, identifier string) (out Targets, err error) {
	if !records.IsID(id) {
		return out, auth.ErrNotFound
	}
	sensitive := who.Reach.Of(db.Sensitive)
	err = s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if out.Alert, err = s.one(ctx, tx, id); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("latest_message"), id, identifier)
		if err != nil {
			return err
		}
		out.Message, err = pgx.CollectExactlyOneRow(rows, scanMessage)
		var message *string
		switch {
		case err == nil:
			message = &out.Message.ID
		case !errors.Is(err, pgx.ErrNoRows) || identifier != "":
			if errors.Is(err, pgx.ErrNoRows) {
				return auth.ErrNotFound
			}
			return err
		}
		if rows, err = tx.Query(ctx, s.queries.Get("target_rows"), id, message); err != nil {
			return err
		}
		if out.Villages, err = pgx.CollectRows(rows, scanVillage); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, s.queries.Get("removed_rows"), id); err != nil {
			return err
		}
		if out.Removed, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Village, err error) {
			err = row.Scan(&v.Code, &v.Name)
			return v, err
		}); err != nil {
			return err
		}
		return s.grids(ctx, tx, id, out.Villages)
	})
	if err != nil {
		return out, wrap("targets", err)
	}
	for i := range out.Villages {
		v := &out.Villages[i]
		if v.listed != nil && sensitive.Overlaps(v.scope) {
			v.Listed = &Listed{value(v.listed), value(v.persons), value(v.weak), value(v.m)}
		}
	}
	out.KPI = kpi(out.Villages, out.Message.ReceivedAt, rulesOf(s.catalogue.Now()).Goal)
	return out, nil
}

func value(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func scanVillage(row pgx.CollectableRow) (Village, error) {
	var v Village
	var place geo.Shape
	err := row.Scan(&v.Code, &v.Name, &v.Town, &v.Share, &v.Whole, &v.Added, &v.Population, &v.Households, &v.listed, &v.persons, &v.weak, &v.m, &v.scope,
		&v.State, &v.Channel, &v.By, &v.At, &v.FirstReach, &v.AckedAt, &place)
	if p, ok := place.Geometry.(orb.Point); ok {
		v.Position = &p
	}
	if v.State == "" {
		v.State = "waiting"
	}
	return v, err
}

// grids puts those in the area to their villages.
func (s *Service) grids(ctx context.Context, tx pgx.Tx, id string, villages []Village) error {
	rows, err := tx.Query(ctx, s.queries.Get("grids"), id)
	if err != nil {
		return err
	}
	byVillage := map[string][]Grid{}
	var g Grid
	var village string
	if _, err := pgx.ForEachRow(rows, []any{&g.Code, &g.Name, &g.Worker, &village}, func() error {
		byVillage[village] = append(byVillage[village], g)
		return nil
	}); err != nil {
		return err
	}
	for i := range villages {
		for code, list := range byVillage {
			if strings.HasPrefix(code, villages[i].Code) {
				villages[i].Grids = append(villages[i].Grids, list...)
			}
		}
		slices.SortFunc(villages[i].Grids, func(a, b Grid) int { return strings.Compare(a.Code, b.Code) })
	}
	return nil
}

// kpi is how far a message has got. The goal is reached when that share of the targets
// has acknowledged; minutes count from when the message came in.
func kpi(list []Village, from time.Time, goal float64) KPI {
	k := KPI{Targets: len(list), Goal: goal}
	var acks []time.Time
	for _, v := range list {
		k.Persons += value(v.Population)
		if v.FirstReach != nil || v.AckedAt != nil {
			k.Reached++
		}
		if v.AckedAt != nil {
			k.Acknowledged++
			k.PersonsAcknowledged += value(v.Population)
			acks = append(acks, *v.AckedAt)
		}
	}
	if k.Targets == 0 {
		return k
	}
	k.Coverage = float64(k.Acknowledged) / float64(k.Targets)
	needed := int(math.Ceil(goal*float64(k.Targets) - 1e-9))
	if len(acks) >= needed && needed > 0 {
		slices.SortFunc(acks, time.Time.Compare)
		m := max(0, acks[needed-1].Sub(from).Minutes())
		k.MinutesTo90 = &m
	}
	return k
}
