package zoning

import (
	"context"
	"embed"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/zoning/calc"
)

//go:embed queries/measures/*.sql
var measureFiles embed.FS

// measureQueries returns the statements whose tables the catalogue names; the schema test
// prepares them filled in.
func measureQueries() (db.Queries, error) { return db.LoadQueries(measureFiles, "queries/measures") }

// measured are the units as a statement takes them ($1), and what sums are divided by.
type measured struct {
	shapes []geo.Shape
	km2    []float64
	bound  orb.Bound
	people []float64 // residents, missing where not known; nil before they were counted
}

// gauge measures units for somebody, in one transaction: what it answers is of one moment.
type gauge struct {
	*Service

	tx       pgx.Tx
	measures db.Queries
	snap     *registry.Snapshot
	who      *auth.Identity
	m        *measured
}

// fragment is a measure as SQL: conditions over one layer under the asker's rights. All
// names are quoted, all values are parameters.
type fragment struct {
	args  []any
	parts map[string]string
}

func (q *fragment) arg(v any, cast string) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args)) + "::" + cast
}

func quoted(parts ...string) string { return pgx.Identifier(parts).Sanitize() }

// fill replaces {name} in a statement. A brace without a value is a programming error
// every call would meet; the test that prepares all statements finds it.
func (q *fragment) fill(sql string) string {
	var out strings.Builder
	for {
		open := strings.IndexByte(sql, '{')
		if open < 0 {
			return out.String() + sql
		}
		end := open + strings.IndexByte(sql[open:], '}')
		v, ok := q.parts[sql[open+1:end]]
		if !ok {
			panic("zoning: no value for " + sql[open:end+1])
		}
		out.WriteString(sql[:open] + v)
		sql = sql[end+1:]
	}
}

// over begins a measure of a layer: $1 is what the statement is about.
func (s *gauge) over(l *registry.Layer, first any) *fragment {
	q := &fragment{args: []any{first}}
	col := func(name string) string { return "t." + quoted(name) }
	g := col(l.GeomColumn)
	q.parts = map[string]string{
		"source": quoted(l.Schema, l.Table), "geom": g, "key": col(l.FIDColumn), "value": "null::float8", "of": "null::float8", "weight": "null::float8", "match": "true", "areal": "false",
		"point": "case when geometrytype(" + g + ") = 'POINT' then " + g + " else st_pointonsurface(" + g + ") end",
		"kind":  "''", "level": "0",
	}
	rows := db.Rows{Visibility: l.Visibility, Scope: col(l.ScopeColumn), Dataset: col("dataset"), Place: true}
	w := s.who.Reach.Conditions(rows, q.arg)
	w = append(w, "not t.exercise") // 演练 rows are no facts
	if l.ShownField != "" {
		w = append(w, col(l.ShownField))
	}
	if l.TimeKind == registry.Interval && l.TimeFrom != "" {
		now := q.arg(s.now(), "timestamptz")
		w = append(w, "("+col(l.TimeFrom)+" is null or "+col(l.TimeFrom)+" <= "+now+")")
		if l.TimeTo != "" {
			w = append(w, "("+col(l.TimeTo)+" is null or "+col(l.TimeTo)+" > "+now+")")
		}
	}
	q.parts["where"] = strings.Join(w, " and ")
	return q
}

// conditions are those of an indicator, as SQL. A row without the field does not meet "in"
// and meets "not in".
func (q *fragment) conditions(list []condition) string {
	w := []string{"true"}
	for _, c := range list {
		col := "t." + quoted(c.Field) + "::text"
		if c.In != nil {
			w = append(w, "coalesce("+col+" = any ("+q.arg(c.In, "text[]")+"), false)")
		}
		if c.NotIn != nil {
			w = append(w, "not coalesce("+col+" = any ("+q.arg(c.NotIn, "text[]")+"), false)")
		}
	}
	return strings.Join(w, " and ")
}

func (q *fragment) and(w string) { q.parts["where"] += " and " + w }

// weights is a level's weight as SQL.
func (q *fragment) weights(level string, weights map[string]float64) string {
	var levels []string
	var values []float64
	for l := 1; l <= 9; l++ {
		if w, ok := weights[strconv.Itoa(l)]; ok {
			levels, values = append(levels, strconv.Itoa(l)), append(values, w)
		}
	}
	return "(" + q.arg(values, "float8[]") + ")[array_position(" + q.arg(levels, "text[]") + ", t." + quoted(level) + "::text)]"
}

const areal = "st_dimension(%s) = 2"

// statement is the measure of an indicator and the question where its numbers come from.
func (s *gauge) statement(d *indicator) (name string, q *fragment, input *fragment) {
	q = s.over(d.layer, s.m.shapes)
	g := q.parts["geom"]
	value := "0"
	switch d.Measure {
	case measureArea, measureLevels:
		name = "areas"
		if d.Measure == measureLevels {
			q.parts["level"] = "t." + quoted(d.layer.LevelField) + "::int"
			value = "t." + quoted(d.layer.LevelField)
		}
	case measureLength, measureLines:
		name = "lengths"
	default:
		name = "features"
		if d.Measure == measureWeighted {
			q.parts["weight"] = q.weights(d.layer.LevelField, d.levelWeights(s.snap))
			value = "t." + quoted(d.layer.LevelField)
		}
		if d.Field != "" {
			q.parts["value"] = "t." + quoted(d.Field) + "::float8"
			q.parts["areal"] = fmt.Sprintf(areal, g)
			value = "t." + quoted(d.Field)
		}
		if d.Of != "" {
			q.parts["of"] = "t." + quoted(d.Of) + "::float8"
		}
	}
	if d.Measure == measureShare {
		q.parts["match"] = q.conditions(d.Where)
	} else {
		q.and(q.conditions(d.Where))
	}
	b := s.m.bound
	input = s.over(d.layer, []float64{b.Min[0], b.Min[1], b.Max[0], b.Max[1]})
	input.parts["box"] = "st_makeenvelope(($1::float8[])[1], ($1::float8[])[2], ($1::float8[])[3], ($1::float8[])[4], 4490)"
	input.parts["value"] = value
	if d.Measure != measureShare {
		input.and(input.conditions(d.Where))
	}
	return name, q, input
}

// measure asks for one indicator: a value by unit, missing where it is not known, and
// where the numbers come from.
func (s *gauge) measure(ctx context.Context, d *indicator) ([]float64, ComputeInput, error) {
	name, q, input := s.statement(d)
	in := ComputeInput{ID: d.ID, Layer: d.layer.ID}
	out := make([]float64, len(s.m.shapes))
	var shapes int64
	err := s.tx.QueryRow(ctx, input.fill(s.measures.Get("input")), input.args...).Scan(&in.Rows, &in.WithoutValue, &shapes, &in.Datasets, &in.Date)
	if err != nil {
		return nil, in, fmt.Errorf("%s: %w", d.ID, err)
	}
	if in.Rows == 0 && !d.zeroWithout() {
		for i := range out {
			out[i] = calc.Missing()
		}
		return out, in, nil
	}
	rows, err := s.tx.Query(ctx, q.fill(s.measures.Get(name)), q.args...)
	if err != nil {
		return nil, in, fmt.Errorf("%s: %w", d.ID, err)
	}
	switch name {
	case "features":
		// Of a layer of statistics by area, a unit that none of them touches has no figure;
		// of things (shelters, teams) it has none of them, which is 0.
		statistics := d.layer.Symbol == "density" || d.layer.Theme == "admin"
		err = d.features(rows, out, s.m, statistics && 2*shapes > in.Rows)
	case "areas":
		err = d.areas(rows, out, s.m, d.levelWeights(s.snap))
	case "lengths":
		err = d.lengths(rows, out, s.m)
	}
	if err != nil {
		return nil, in, fmt.Errorf("%s: %w", d.ID, err)
	}
	return out, in, nil
}

// zeroWithout says that a layer without a single row there is an answer: no open serious
// danger is none, while no population is not known.
func (d *indicator) zeroWithout() bool {
	return d.layer.ID == "dangers" && (d.Measure == measureCount || d.Measure == measureDensity || d.Measure == measureWeighted)
}

func (d *indicator) features(rows pgx.Rows, out []float64, m *measured, shapes bool) error {
	none := calc.Missing()
	switch d.Measure {
	case measureCount, measureDensity, measureWeighted:
		none = 0
	case measureSum, measurePerArea, measurePerHead:
		if !shapes {
			none = 0
		}
	}
	for i := range out {
		out[i] = none
	}
	var i int
	var n, matched, values int64
	var sum, weight, sumBoth, of, moment, size float64
	_, err := pgx.ForEachRow(rows, []any{&i, &n, &matched, &values, &sum, &weight, &sumBoth, &of, &moment, &size}, func() error {
		v := calc.Missing()
		switch d.Measure {
		case measureCount, measureDensity:
			v = float64(n)
		case measureWeighted:
			v = weight
		case measureShare:
			v = 100 * float64(matched) / float64(n)
		case measureSum, measurePerArea, measurePerHead:
			if values > 0 {
				v = sum
			}
		case measureMean:
			if size > 0 {
				v = moment / size
			}
		case measureRatio:
			if of > 0 {
				v = d.factor() * sumBoth / of
			}
		}
		out[i-1] = v
		return nil
	})
	for i := range out {
		switch d.Measure {
		case measureDensity, measureWeighted, measurePerArea:
			out[i] /= m.km2[i]
		case measurePerHead:
			// Nobody lives there: there is nothing to divide by.
			if p := m.people[i]; math.IsNaN(p) || p <= 0 {
				out[i] = calc.Missing()
			} else {
				out[i] *= d.factor() / p
			}
		}
	}
	return err
}

func (d *indicator) areas(rows pgx.Rows, out []float64, m *measured, weights map[string]float64) error {
	covered := make([]float64, len(out)) // by the levels before
	var i, level int
	var kind string
	var m2 float64
	_, err := pgx.ForEachRow(rows, []any{&i, &kind, &level, &m2}, func() error {
		share := min(1, m2/1e6/m.km2[i-1])
		w := 1.0
		if d.Measure == measureLevels {
			w = weights[strconv.Itoa(level)]
		}
		out[i-1] += 100 * w * max(0, share-covered[i-1])
		covered[i-1] = max(covered[i-1], share)
		return nil
	})
	return err
}

func (d *indicator) lengths(rows pgx.Rows, out []float64, m *measured) error {
	var i int
	var metres float64
	_, err := pgx.ForEachRow(rows, []any{&i, &metres}, func() error {
		out[i-1] = metres / 1000
		return nil
	})
	if d.Measure == measureLines {
		for i := range out {
			out[i] /= m.km2[i]
		}
	}
	return err
}

// hazardCover is the share of each unit that a hazard of a level, or a worse one, covers:
// by unit, hazard, level.
func (s *gauge) hazardCover(ctx context.Context, l *registry.Layer, o *OverlaySpec) ([]map[string]map[int]float64, error) {
	q := s.over(l, s.m.shapes)
	q.parts["kind"], q.parts["level"] = `t."hazard"`, `t."level"::int`
	slugs := make([]string, 0, len(o.Hazards))
	for _, h := range o.Hazards {
		slugs = append(slugs, h.Hazard)
	}
	q.and(`t."hazard" = any (` + q.arg(slugs, "text[]") + ")")
	if l.ID == "zones" {
		q.and(`t."kind" = 'risk'`)
	}
	out := make([]map[string]map[int]float64, len(s.m.shapes))
	rows, err := s.tx.Query(ctx, q.fill(s.measures.Get("areas")), q.args...)
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	var i, level int
	var kind string
	var m2 float64
	_, err = pgx.ForEachRow(rows, []any{&i, &kind, &level, &m2}, func() error {
		if out[i-1] == nil {
			out[i-1] = map[string]map[int]float64{}
		}
		if out[i-1][kind] == nil {
			out[i-1][kind] = map[int]float64{}
		}
		out[i-1][kind][level] = min(1, m2/1e6/s.m.km2[i-1])
		return nil
	})
	return out, err
}
