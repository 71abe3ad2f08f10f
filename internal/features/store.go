package features

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/registry"
)

//go:embed queries/*.sql
var files embed.FS

var (
	// ErrNoHistory means as_of was asked of a layer that keeps no history.
	ErrNoHistory = errors.New("features: the layer keeps no history")
	// ErrCursor means a cursor that does not fit the layer.
	ErrCursor = errors.New("features: not a cursor of this layer")
)

// Store asks the database.
type Store struct {
	pool    *db.Pool
	queries db.Queries
}

// Open prepares the store over the query pool.
func Open(d *db.DB) (*Store, error) {
	q, err := db.LoadQueries(files, "queries")
	if err != nil {
		return nil, err
	}
	return &Store{pool: d.Query, queries: q}, nil
}

// Asker is on whose behalf a question is asked.
type Asker struct {
	Name  string
	Role  string
	Reach db.Reach
}

func (a Asker) claims() db.Claims { return db.Claims{Actor: a.Name, Role: a.Role, Reach: a.Reach} }

// Times are valid time and record time of a question. An instant has From == To.
type Times struct {
	Asked    bool // datetime was given
	From, To *time.Time
	AsOf     *time.Time
}

// At is valid time at one instant.
func At(t time.Time) Times { return Times{From: &t, To: &t} }

// Feature is one row as GeoJSON pieces.
type Feature struct {
	Key        string
	FID        int64
	ID         string
	Title      string
	Level      int    // 0 where the row has none
	Properties []byte // JSON object
	Geometry   []byte // GeoJSON geometry, nil where the row is not placed
}

// Condition is a field that must have a value.
type Condition struct {
	Field registry.Field
	Value any // string, int64, float64, bool or time.Time, as the field's type wants
}

// ItemsQuery is a page of a layer.
type ItemsQuery struct {
	Layer *registry.Layer
	Boxes []orb.Bound // any of them; two where a box crosses the antimeridian
	Times Times
	Equal []Condition
	Of    Version
	Limit int
	After string // key of the last feature of the page before
}

// Version narrows a layer that has plans to one version, or to what a series had in
// force. Whether the asker may see rows that are not shown yet (Drafts) is the caller's to
// find out, before.
type Version struct {
	Plan   string // id of a plan, or of a series; "" is neither
	Series bool
	Drafts bool
}

// Page is an answer to it.
type Page struct {
	Features []Feature
	More     bool
	Matched  int // -1 where counting would have cost too much
}

// pageBytes bounds a page whatever its limit says: ten thousand large areas would be
// gigabytes. The page ends early and its next link goes on.
const pageBytes = 24 << 20

// countLimit bounds how far numberMatched is counted.
const countLimit = 10_000

// Items reads one page, ordered by a key that never changes: new rows come last, a
// deleted row shifts nothing.
func (s *Store) Items(ctx context.Context, who Asker, q ItemsQuery) (Page, error) {
	var st statement
	t, err := st.describe(q.Layer, nil, q.Times)
	if err != nil {
		return Page{}, err
	}
	box := st.box(t, q.Boxes)
	t.place = box != ""
	where := append(st.of(t, who.Reach, q.Times, q.Of), box)
	for _, c := range q.Equal {
		cond, err := st.equal(c)
		if err != nil {
			return Page{}, err
		}
		where = append(where, cond)
	}
	where = append(where, real(q.Layer, q.Equal))
	after := "true"
	if q.After != "" {
		if !cursorFits(q.After, t.keyFit) {
			return Page{}, ErrCursor
		}
		after = t.key + " > " + st.arg(q.After, "text::"+t.keyFit)
	}
	sql := fill(s.queries.Get("items"), map[string]string{
		"source": t.source, "key": t.key, "fid": t.fid, "id": t.id, "title": t.title, "level": t.level,
		"fields": t.fields, "shape": t.shape, "where": conjunction(where), "after": after, "order": t.key,
		"limit": st.arg(q.Limit+1, "int"), "count_limit": st.arg(countLimit+1, "int"),
	})
	page, size := Page{}, 0
	err = s.pool.Ask(ctx, who.claims(), sql, st.args, func(rows pgx.Rows) error {
		for rows.Next() {
			f, has, err := scanFeature(rows, &page.Matched)
			if err != nil {
				return err
			}
			if !has {
				continue
			}
			if size += len(f.Properties) + len(f.Geometry); size > pageBytes && len(page.Features) > 0 {
				page.More = true
				return nil
			}
			page.Features = append(page.Features, f)
		}
		return rows.Err()
	})
	if err != nil {
		return Page{}, fmt.Errorf("features: items of %s: %w", q.Layer.ID, err)
	}
	if page.Matched > countLimit {
		page.Matched = -1
	}
	if len(page.Features) > q.Limit {
		page.Features, page.More = page.Features[:q.Limit], true
	}
	return page, nil
}

// real leaves exercises out of a list and its count, unless they are what is asked for.
func real(l *registry.Layer, asked []Condition) string {
	if _, has := l.Field("exercise"); !l.Own || !has || slices.ContainsFunc(asked, func(c Condition) bool { return c.Field.Name == "exercise" }) {
		return ""
	}
	return "not " + column("exercise")
}

func cursorFits(text, cast string) bool {
	digits := func(s string) bool { return s != "" && len(s) < 19 && strings.Trim(s, "0123456789") == "" }
	switch cast {
	case "bigint":
		return digits(text)
	case "text::tid":
		a, b, ok := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(text, "("), ")"), ",")
		return ok && len(a) < 11 && len(b) < 6 && digits(a) && digits(b)
	}
	return true
}

// equal compares with the field's own type, so that an index on it serves.
func (st *statement) equal(c Condition) (string, error) {
	col := column(c.Field.Name)
	switch v := c.Value.(type) {
	case string:
		if c.Field.Type == registry.UUID {
			return col + " = " + st.arg(v, "uuid"), nil
		}
		return col + "::text = " + st.arg(v, "text"), nil
	case int64:
		return col + " = " + st.arg(v, "int8"), nil
	case float64:
		return col + " = " + st.arg(v, "float8"), nil
	case bool:
		return col + " = " + st.arg(v, "bool"), nil
	case time.Time:
		if c.Field.Type == registry.Date {
			return col + " = " + st.arg(v.Format(time.DateOnly), "text::date"), nil
		}
		return col + " = " + st.arg(v, "timestamptz"), nil
	}
	return "", fmt.Errorf("features: field %s cannot be compared", c.Field.Name)
}

// scanFeature reads a row of items; has is false for the row that only counts.
func scanFeature(rows pgx.Rows, matched *int) (f Feature, has bool, err error) {
	var key, id, title *string
	var fid *int64
	var level *int
	into := []any{&key, &fid, &id, &title, &level, &f.Properties, &f.Geometry}
	if matched != nil {
		into = append([]any{matched}, into...)
	}
	if err := rows.Scan(into...); err != nil {
		return f, false, err
	}
	if key == nil {
		return f, false, nil
	}
	f.Key, f.ID, f.Title = *key, deref(id), deref(title)
	f.FID, f.Level = deref(fid), deref(level)
	return f, true, nil
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// Item reads one feature by its id or, where the layer has one, by the number its
// tiles carry. found is false where it is absent or not visible.
func (s *Store) Item(ctx context.Context, who Asker, l *registry.Layer, id string, at Times) (f Feature, found bool, err error) {
	return s.ItemOf(ctx, who, l, id, at, Version{})
}

// ItemOf is Item inside a plan.
func (s *Store) ItemOf(ctx context.Context, who Asker, l *registry.Layer, id string, at Times, v Version) (f Feature, found bool, err error) {
	var st statement
	t, err := st.describe(l, nil, at)
	if err != nil {
		return f, false, err
	}
	t.place = true
	where := st.of(t, who.Reach, at, v)
	byID := ""
	switch {
	case l.FIDColumn != "" && cursorFits(id, "bigint"):
		byID = column(l.FIDColumn) + " = " + st.arg(id, "text::bigint")
	case l.Own && isUUID(id):
		byID = column(l.IDColumn) + " = " + st.arg(id, "uuid")
	case !l.Own && l.IDColumn != "":
		byID = column(l.IDColumn) + "::text = " + st.arg(id, "text")
	case !l.Own && l.FIDColumn == "" && cursorFits(id, "text::tid"):
		byID = "t.ctid = " + st.arg(id, "text::tid")
	default:
		return f, false, nil
	}
	sql := fill(s.queries.Get("item"), map[string]string{
		"source": t.source, "key": t.key, "fid": t.fid, "id": t.id, "title": t.title, "level": t.level,
		"fields": t.fields, "shape": t.shape, "where": conjunction(append(where, byID)),
	})
	err = s.pool.Ask(ctx, who.claims(), sql, st.args, func(rows pgx.Rows) error {
		for rows.Next() {
			var err error
			if f, found, err = scanFeature(rows, nil); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return f, false, fmt.Errorf("features: item of %s: %w", l.ID, err)
	}
	return f, found, nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
		default:
			return false
		}
	}
	return true
}

// ByIDs reads the present state of some features of a layer of ours, as the asker
// may see them, whatever their valid time: the bodies of live events.
func (s *Store) ByIDs(ctx context.Context, who Asker, l *registry.Layer, ids [][16]byte) (map[int64]Feature, error) {
	var st statement
	t, err := st.describe(l, nil, Times{})
	if err != nil {
		return nil, err
	}
	t.place = true
	where := append(st.base(t, who.Reach, Times{}), column(l.IDColumn)+" = any("+st.arg(ids, "uuid[]")+")")
	sql := fill(s.queries.Get("by_ids"), map[string]string{
		"source": t.source, "key": t.key, "fid": t.fid, "id": t.id, "title": t.title, "level": t.level,
		"fields": t.fields, "shape": t.shape, "where": conjunction(where),
	})
	out := map[int64]Feature{}
	err = s.pool.Ask(ctx, who.claims(), sql, st.args, func(rows pgx.Rows) error {
		for rows.Next() {
			f, _, err := scanFeature(rows, nil)
			if err != nil {
				return err
			}
			out[f.FID] = f
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("features: rows of %s: %w", l.ID, err)
	}
	return out, nil
}

// WereShown answers which of the changes with these feed numbers are of a row that was
// shown right before it: history keeps that row under the number of the change that
// ended it. The layer is one of ours with a field that hides drafts.
func (s *Store) WereShown(ctx context.Context, who Asker, l *registry.Layer, ids [][16]byte, seqs []int64) (map[int64]bool, error) {
	var st statement
	t, err := st.describe(l, []registry.Field{}, Times{})
	if err != nil {
		return nil, err
	}
	where := append(st.base(t, who.Reach, Times{}), column(l.IDColumn)+" = any("+st.arg(ids, "uuid[]")+")")
	sql := fill(s.queries.Get("were_shown"), map[string]string{
		"history": quote(l.Schema, l.Table+"_history"), "where": conjunction(where), "seqs": st.arg(seqs, "bigint[]"),
	})
	out := map[int64]bool{}
	err = s.each(ctx, who, sql, st.args, func(scan func(...any) error) error {
		var seq int64
		if err := scan(&seq); err != nil {
			return err
		}
		out[seq] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("features: what was shown of %s: %w", l.ID, err)
	}
	return out, nil
}

func quote(names ...string) string { return pgx.Identifier(slices.Clone(names)).Sanitize() }

// each runs a question under the asker's claims and calls fn once per row with the
// row's scanner, so that the other files need not know the driver.
func (s *Store) each(ctx context.Context, who Asker, sql string, args []any, fn func(scan func(...any) error) error) error {
	return s.pool.Ask(ctx, who.claims(), sql, args, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := fn(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
