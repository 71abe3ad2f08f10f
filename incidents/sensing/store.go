package sensing

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/geo"
)

type known struct {
	id, kind string
	scope    geo.Scope
}

// resolve finds the stations a delivery names, of those its sender may write.
func (s *Service) resolve(ctx context.Context, claims db.Claims, list []Observation) (map[string][]known, error) {
	names := map[string]bool{}
	var ids, codes []string
	for _, o := range list {
		if n := o.Station; n != "" && len(n) <= 200 && !names[n] && !strings.ContainsRune(n, 0) {
			names[n] = true
			if uuidForm.MatchString(n) {
				ids = append(ids, n)
			} else {
				codes = append(codes, n)
			}
		}
	}
	out := map[string][]known{}
	err := s.db.Intake.Ask(ctx, claims, s.queries.Get("resolve"), []any{ids, codes, claims.Write.String()}, func(rows pgx.Rows) error {
		var name string
		var k known
		_, err := pgx.ForEachRow(rows, []any{&name, &k.id, &k.kind, &k.scope}, func() error {
			out[name] = append(out[name], k)
			return nil
		})
		return err
	})
	return out, err
}

// months4 makes the partitions rows need. Each is asked for once in the life of a process.
func (s *Service) months4(ctx context.Context, rows []row) error {
	need := map[string]time.Time{}
	s.mu.Lock()
	for _, r := range rows {
		if m := r.at.Format("200601"); !s.months[m] {
			need[m] = r.at
		}
	}
	s.mu.Unlock()
	for m, at := range need {
		if err := s.month(ctx, at); err != nil {
			return err
		}
		s.mu.Lock()
		s.months[m] = true
		s.mu.Unlock()
	}
	return nil
}

func (s *Service) month(ctx context.Context, at time.Time) error {
	return s.db.Intake.Tx(ctx, db.System("sensing"), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.queries.Get("month"), at)
		return err
	})
}

// insert writes rows and moves the newest of each station forward. It tells how many were
// new, how many were there with the same value, and which say otherwise.
func (s *Service) insert(ctx context.Context, claims db.Claims, source string, rows []row) (accepted, duplicate int, differ []int, err error) {
	// In one order everywhere: two deliveries of the same stations wait and do not lock.
	slices.SortFunc(rows, func(a, b row) int {
		if c := strings.Compare(a.station, b.station); c != 0 {
			return c
		}
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return strings.Compare(a.measure, b.measure)
	})
	n := len(rows)
	index, stations, measures := make([]int32, n), make([]string, n), make([]string, n)
	at, values, quality, scopes := make([]time.Time, n), make([]float64, n), make([]*string, n), make([]geo.Scope, n)
	for i, r := range rows {
		index[i], stations[i], measures[i], at[i], values[i], quality[i], scopes[i] = int32(r.index), r.station, r.measure, r.at, r.value, r.quality, r.scope
	}
	err = s.db.Intake.Tx(ctx, claims, func(tx pgx.Tx) error {
		accepted, duplicate, differ = 0, 0, nil
		fresh := map[int32]bool{}
		list, err := tx.Query(ctx, s.queries.Get("insert"), index, stations, measures, at, values, quality, scopes, source)
		if err != nil {
			return err
		}
		var i int32
		if _, err := pgx.ForEachRow(list, []any{&i}, func() error { fresh[i] = true; return nil }); err != nil {
			return err
		}
		accepted = len(fresh)
		if accepted < n {
			// What stands there already, now that the other delivery is done.
			list, err := tx.Query(ctx, s.queries.Get("standing"), index, stations, measures, at, values)
			if err != nil {
				return err
			}
			var same bool
			if _, err := pgx.ForEachRow(list, []any{&i, &same}, func() error {
				switch {
				case fresh[i]:
				case same:
					duplicate++
				default:
					differ = append(differ, int(i))
				}
				return nil
			}); err != nil {
				return err
			}
		}
		if accepted == 0 {
			return nil
		}
		_, err = tx.Exec(ctx, s.queries.Get("newest"), stations, measures, at, values, scopes, source)
		return err
	})
	return accepted, duplicate, differ, err
}

// scanStation reads a line of the query stations.
func scanStation(row pgx.CollectableRow) (*Station, error) {
	st := &Station{}
	var g geo.Shape
	var villages []byte
	var fresh *int
	r := &st.rain
	dest := []any{&st.ID, &st.Code, &st.Name, &st.Kind, &st.Unit, &st.Measure, &st.Object, &st.Operator, &fresh,
		&st.Levels.Colors[0], &st.Levels.Colors[1], &st.Levels.Colors[2], &st.Levels.Colors[3], &g, &st.Scope, &st.Exercise, &st.At, &st.Last, &st.Before,
		&st.Levels.Warning, &st.Levels.Guarantee, &st.Levels.FloodLimit, &villages, &st.Levels.Version, &st.Levels.Source}
	var sums, own []*float64
	if err := row.Scan(append(dest, &sums, &own, &r.heard, &r.words, &r.before)...); err != nil {
		return nil, err
	}
	copy(r.sum[:], sums)
	copy(r.own[:], own)
	if fresh != nil {
		st.FreshS = *fresh
	}
	if p, ok := g.Geometry.(orb.Point); ok {
		st.Point = &p
	}
	if len(villages) > 0 {
		if err := json.Unmarshal(villages, &st.Villages); err != nil {
			return nil, err
		}
	}
	return st, nil
}

// read answers for stations as they are at a time, unsorted.
func (s *Service) read(ctx context.Context, pool *db.Pool, claims db.Claims, q Query, at time.Time) ([]*Station, error) {
	var list []*Station
	var area any
	if q.Area != nil {
		area = *q.Area
	}
	var bbox []float64
	if q.BBox != nil {
		bbox = []float64{q.BBox.Min[0], q.BBox.Min[1], q.BBox.Max[0], q.BBox.Max[1]}
	}
	err := pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("stations"), at, q.Kinds, bbox, q.IDs, area, q.limit())
		if err != nil {
			return err
		}
		if list, err = pgx.CollectRows(rows, scanStation); err != nil {
			return err
		}
		codes := []string{}
		var around geo.Scopes
		for _, st := range list {
			around = append(around, st.Scope)
			for _, v := range st.Villages {
				codes = append(codes, v.Code)
			}
		}
		if len(list) == 0 {
			return nil
		}
		var units []unit
		rows, err = tx.Query(ctx, s.queries.Get("units"), around.Normal().String(), codes)
		if err != nil {
			return err
		}
		if units, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (u unit, err error) {
			err = row.Scan(&u.code, &u.name, &u.persons, &u.rank, &u.scope)
			return u, err
		}); err != nil {
			return err
		}
		settle(list, units)
		return nil
	})
	if err != nil {
		return nil, err
	}
	rules := s.Rules()
	for _, st := range list {
		st.judge(rules, at)
	}
	return list, nil
}
