package census

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"onemap/internal/db"
	"onemap/internal/geo"
)

// The importer passes these on without knowing whose they are: the driver is
// known to this file alone.
type (
	session    = *pgx.Conn
	resultRows = pgx.Rows
)

var errNoRows = pgx.ErrNoRows

//go:embed queries
var queryFiles embed.FS

// chunkTimeout ends a statement of a chunk that would hold the feed back; the
// chunk is then halved.
const chunkTimeout = "5s"

// repairTimeout bounds the repair of one shape.
const repairTimeout = "2s"

// store is all SQL of this package.
type store struct {
	pool  *db.Pool
	fixed db.Queries
	layer db.Queries // templates, see layerSQL
}

func newStore(pool *db.Pool) (*store, error) {
	fixed, err := db.LoadQueries(queryFiles, "queries")
	if err != nil {
		return nil, fmt.Errorf("census: %w", err)
	}
	layer, err := db.LoadQueries(queryFiles, "queries/layer")
	if err != nil {
		return nil, fmt.Errorf("census: %w", err)
	}
	return &store{pool: pool, fixed: fixed, layer: layer}, nil
}

// layerSQL fills a template for a layer. Every name comes from the catalogue and
// is quoted; defaults are expressions of the schema itself.
func (s *store) layerSQL(name string, l *layerInfo, columns []string, from string) string {
	var list, values, assign strings.Builder
	for _, c := range columns {
		col := l.columns[c]
		id := pgx.Identifier{c}.Sanitize()
		value := from + "." + id
		if !col.null && col.fallback != "" && from == "f" {
			value = "coalesce(" + value + ", " + col.fallback + ")"
		}
		list.WriteString(", " + id)
		values.WriteString(", " + value)
		assign.WriteString(", " + id + " = " + value)
	}
	return strings.NewReplacer(
		"{table}", pgx.Identifier{l.schema, l.table}.Sanitize(),
		"{history}", pgx.Identifier{l.schema, l.table + "_history"}.Sanitize(),
		"{columns}", list.String(), "{values}", values.String(), "{assign}", assign.String(),
	).Replace(s.layer.Get(name))
}

// allColumns lists what may be written, but for the id.
func (l *layerInfo) allColumns() []string {
	out := make([]string, 0, len(l.order))
	for _, c := range l.order {
		if c != "id" {
			out = append(out, c)
		}
	}
	return out
}

// busyPatience is how long an import waits for a connection: unlike a request it
// has nobody to answer 503.
const busyPatience = time.Minute

// tx runs fn in a transaction of the program itself.
func (s *store) tx(ctx context.Context, actor string, fn func(pgx.Tx) error) error {
	for deadline := time.Now().Add(busyPatience); ; {
		err := s.pool.Tx(ctx, db.System(actor), fn)
		if !errors.Is(err, db.ErrBusy) || time.Now().After(deadline) {
			return err
		}
	}
}

// rows reads as the program itself: the units a row is placed by are guarded too.
func (s *store) rows(ctx context.Context, name string, args []any, each func(pgx.Rows) error) error {
	err := s.pool.Ask(ctx, db.System("census"), s.fixed.Get(name), args, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := each(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("census: %s: %w", name, err)
	}
	return nil
}

func (s *store) catalogue(ctx context.Context) (*catalogue, error) {
	c := &catalogue{layers: map[string]*layerInfo{}, codes: map[string]*codeList{}}
	err := s.rows(ctx, "catalogue_layers", nil, func(r pgx.Rows) error {
		l := &layerInfo{columns: map[string]column{}}
		if err := r.Scan(&l.id, &l.geometry, &l.schema, &l.table); err != nil {
			return err
		}
		c.layers[l.id] = l
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.rows(ctx, "catalogue_columns", nil, func(r pgx.Rows) error {
		var layer string
		var col column
		if err := r.Scan(&layer, &col.name, &col.udt, &col.null, &col.fallback, &col.kind, &col.list, &col.unit, &col.zh, &col.en); err != nil {
			return err
		}
		l := c.layers[layer]
		l.columns[col.name] = col
		l.order = append(l.order, col.name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.rows(ctx, "catalogue_codes", nil, func(r pgx.Rows) error {
		var list, code, zh, en string
		if err := r.Scan(&list, &code, &zh, &en); err != nil {
			return err
		}
		l := c.codes[list]
		if l == nil {
			l = &codeList{codes: map[string]bool{}, titles: map[string]string{}}
			c.codes[list] = l
		}
		l.codes[code] = true
		for _, t := range []string{zh, en} {
			t = strings.ToLower(t)
			if _, taken := l.titles[t]; !taken {
				l.titles[t] = code
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.limits, err = s.limits(ctx)
	return c, err
}

// limits reads the newest rule set; what it says is bounded by what is safe.
func (s *store) limits(ctx context.Context) (limits, error) {
	l := safeLimits()
	var body struct {
		Vertices  int   `json:"max_vertices"`
		Crossings int   `json:"max_crossings"`
		Chunk     int64 `json:"chunk_rows"`
	}
	err := s.pool.QueryRow(ctx, s.fixed.Get("import_limits")).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return l, nil
	}
	if err != nil {
		return l, fmt.Errorf("census: import_limits: %w", err)
	}
	if body.Vertices > 0 {
		l.vertices = min(l.vertices, body.Vertices)
	}
	if body.Crossings > 0 {
		l.crossings = min(l.crossings, body.Crossings)
	}
	if body.Chunk > 0 {
		l.chunk = min(l.chunk, body.Chunk)
	}
	return l, nil
}

func (s *store) adminIndex(ctx context.Context) (*adminIndex, error) {
	aliases := map[string][]string{}
	err := s.rows(ctx, "admin_aliases", nil, func(r pgx.Rows) error {
		var code, alias string
		if err := r.Scan(&code, &alias); err != nil {
			return err
		}
		aliases[code] = append(aliases[code], alias)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var units []adminUnit
	err = s.rows(ctx, "admin_units", nil, func(r pgx.Rows) error {
		var u adminUnit
		var name pgtype.Text
		if err := r.Scan(&u.code, &name, &u.parent, &u.rank); err != nil {
			return err
		}
		u.name = name.String
		units = append(units, u)
		return nil
	})
	return newAdminIndex(units, aliases), err
}

func (s *store) ensureDataset(ctx context.Context, d Dataset, actor string) (id [16]byte, err error) {
	class := d.Classification
	if class == "" {
		class = "internal"
	}
	if d.Title == "" {
		d.Title = d.Name
	}
	var date *time.Time
	if !d.SourceDate.IsZero() {
		date = &d.SourceDate
	}
	var demo bool
	err = s.tx(ctx, actor, func(tx pgx.Tx) error {
		// Looked at first: a write, even one that changes nothing, makes every node
		// read its catalogue again.
		err := tx.QueryRow(ctx, s.fixed.Get("dataset_same"), d.Name, d.Title, d.SourceDept, date, class).Scan(&id, &demo)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return tx.QueryRow(ctx, s.fixed.Get("dataset_ensure"), d.Name, d.Title, d.SourceDept, date, class, d.Demo, actor).Scan(&id, &demo)
	})
	if err != nil {
		return id, fmt.Errorf("census: data set %s: %w", d.Name, err)
	}
	if demo != d.Demo {
		return id, fmt.Errorf("census: data set %s: demo and real data never share a data set", d.Name)
	}
	return id, nil
}

// setHome makes an area the one the map opens on; looked at first, like a data set.
func (s *store) setHome(ctx context.Context, h Home, actor string) error {
	value := map[string]string{"code": h.Code, "title": h.Title}
	var same bool
	if err := s.pool.QueryRow(ctx, s.fixed.Get("home_same"), value).Scan(&same); err != nil || same {
		return err
	}
	_, err := s.exec(ctx, actor, "home_set", value)
	return err
}

// exec runs one fixed statement in a transaction of its own.
func (s *store) exec(ctx context.Context, actor, name string, args ...any) (int64, error) {
	var n int64
	err := s.tx(ctx, actor, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.fixed.Get(name), args...)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return n, fmt.Errorf("census: %s: %w", name, err)
	}
	return n, nil
}

// copyStaged puts rows into staging.
func (s *store) copyStaged(ctx context.Context, conn *pgx.Conn, id [16]byte, rows []*staged) error {
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"staging", "import_row"},
		[]string{"import", "layer", "ord", "file", "row_no", "id", "source_key", "digest", "fields", "attrs", "restricted", "scope", "original", "srid", "repair", "geom"},
		pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			r := rows[i]
			var srid *int
			if r.srid != 0 {
				srid = &r.srid
			}
			var restricted any
			if r.restricted != nil {
				restricted = json.RawMessage(r.restricted)
			}
			return []any{id, r.layer, r.ord, r.file, r.row, r.id, r.key, r.digest, json.RawMessage(r.fields), json.RawMessage(r.attrs),
				restricted, r.scope, geo.Shape{Geometry: r.original}, srid, r.repair, geo.Shape{Geometry: r.geom}}, nil
		}))
	if err != nil {
		return fmt.Errorf("census: staging: %w", err)
	}
	return nil
}

// batcher is a connection, or a transaction on one.
type batcher interface {
	SendBatch(context.Context, *pgx.Batch) pgx.BatchResults
}

// addIssues writes issues down, numbered from the run's own count. They bring their
// claims along: the table is guarded, and the connection of the staging has none.
func (s *store) addIssues(ctx context.Context, to batcher, r *run, issues []Issue) error {
	if len(issues) == 0 {
		return nil
	}
	n := len(issues)
	file, row, rule, kind, message := make([]string, n), make([]int64, n), make([]string, n), make([]string, n), make([]string, n)
	key, path, original := make([]*string, n), make([]*string, n), make([]*string, n)
	lon, lat := make([]*float64, n), make([]*float64, n)
	for k, i := range issues {
		file[k], row[k], rule[k], kind[k], message[k] = text(i.File), i.Row, i.Rule, string(i.Kind), text(i.Message)
		key[k], path[k] = nullText(i.Key), nullText(i.Path)
		if i.At != nil {
			lon[k], lat[k] = &i.At[0], &i.At[1]
		}
		if i.Kind != Warning && i.Original != nil {
			raw, err := json.Marshal(clean(i.Original))
			if err != nil {
				if raw, err = json.Marshal(map[string]string{"unreadable": err.Error()}); err != nil {
					return fmt.Errorf("census: issues: %w", err)
				}
			}
			body := string(raw)
			original[k] = &body
		}
	}
	var b pgx.Batch
	db.System(r.opt.Actor).Queue(&b)
	b.Queue(s.fixed.Get("issues_add"), r.id, r.seq, file, row, key, rule, kind, path, message, lon, lat, original)
	if err := to.SendBatch(ctx, &b).Close(); err != nil {
		return fmt.Errorf("census: issues: %w", err)
	}
	return nil
}

func text(s string) string {
	s, _ = clean(s).(string)
	return s
}

func nullText(s string) *string {
	if s == "" {
		return nil
	}
	s = text(s)
	return &s
}

// outcome is what a chunk did.
type outcome struct {
	files             map[string]int64 // accepted rows by file
	unplaced          map[string]int64
	inserted, updated int64
	protected         []Issue
}

// chunk moves rows lo..hi of a layer from staging to its table, in one
// transaction, and writes what it did down in the same.
func (s *store) chunk(ctx context.Context, r *run, l *layerInfo, sql map[string]string, lo, hi int64) (outcome, error) {
	out := outcome{files: map[string]int64{}, unplaced: map[string]int64{}}
	err := s.tx(ctx, r.opt.Actor, func(tx pgx.Tx) error {
		if err := chunkSettings(ctx, tx, chunkTimeout); err != nil {
			return err
		}
		args := []any{r.id, r.dataset, l.id, lo, hi}
		if !r.opt.Accept {
			rows, err := tx.Query(ctx, sql["protected"], planned(args...)...)
			if err != nil {
				return err
			}
			if out.protected, err = collectTaken(rows, RuleFieldVerified, "该记录已现场核实,未覆盖;确认差异后以 --accept 导入 (verified in the field, not overwritten)"); err != nil {
				return err
			}
			if err := s.addIssues(ctx, tx, r, out.protected); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, sql["update"], planned(args...)...)
		if err != nil {
			return err
		}
		out.updated = tag.RowsAffected()
		if tag, err = tx.Exec(ctx, sql["insert"], planned(args...)...); err != nil {
			return err
		}
		out.inserted = tag.RowsAffected()
		if out.inserted+out.updated > 0 {
			crs := r.opt.CRS
			if crs == "" {
				crs = string(geo.CGCS2000)
			}
			if _, err = tx.Exec(ctx, sql["restricted"], planned(args...)...); err != nil {
				return err
			}
			if _, err = tx.Exec(ctx, sql["originals"], planned(append(args, crs)...)...); err != nil {
				return err
			}
			if _, err = tx.Exec(ctx, s.fixed.Get("keys_write"), planned(args...)...); err != nil {
				return err
			}
		}
		for name, into := range map[string]map[string]int64{"staging_files": out.files, "staging_unplaced": out.unplaced} {
			rows, err := tx.Query(ctx, s.fixed.Get(name), planned(r.id, l.id, lo, hi)...)
			if err != nil {
				return err
			}
			var file string
			var n int64
			if _, err := pgx.ForEachRow(rows, []any{&file, &n}, func() error { into[file] = n; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// chunkSettings marks the transaction as bulk, so that it leaves one row per layer
// in the feed, and bounds its statements. The pools plan every statement anew; here
// that would replan each foreign key's check for each row, half of all time, so the
// usual mode is restored and only our own statements are planned with their values.
func chunkSettings(ctx context.Context, tx pgx.Tx, timeout string) error {
	_, err := tx.Exec(ctx, `select set_config('app.bulk', 'on', true), set_config('statement_timeout', $1, true), set_config('plan_cache_mode', 'auto', true)`, timeout)
	return err
}

// planned makes a statement be planned for the values it is given.
func planned(args ...any) []any {
	return append([]any{pgx.QueryExecModeDescribeExec}, args...)
}

// collectTaken reads rows taken out of staging and makes issues of them.
func collectTaken(rows pgx.Rows, rule, message string) ([]Issue, error) {
	defer rows.Close()
	var out []Issue
	for rows.Next() {
		i := Issue{Rule: rule, Kind: Quarantined, Message: message}
		var fields, attrs map[string]any
		if err := rows.Scan(&i.File, &i.Row, &i.Key, &fields, &attrs); err != nil {
			return nil, err
		}
		i.Original = mergeMaps(attrs, fields)
		out = append(out, i)
	}
	return out, rows.Err()
}

func mergeMaps(a, b map[string]any) map[string]any {
	out := make(map[string]any, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// take removes one row from staging and gives it as an issue.
func (s *store) take(ctx context.Context, r *run, layer string, ord int64, rule, message string) (Issue, error) {
	i := Issue{Rule: rule, Kind: Quarantined, Message: message}
	err := s.tx(ctx, r.opt.Actor, func(tx pgx.Tx) error {
		var fields, attrs map[string]any
		var g geo.Shape
		if err := tx.QueryRow(ctx, s.fixed.Get("staging_take"), r.id, layer, ord).Scan(&i.File, &i.Row, &i.Key, &fields, &attrs, &g); err != nil {
			return err
		}
		i.Original = mergeMaps(attrs, fields)
		if g.Geometry != nil && geo.VertexCount(g) <= 10_000 {
			i.Original["geometry"] = coordinates(g.Geometry)
		}
		return s.addIssues(ctx, tx, r, []Issue{i})
	})
	if err != nil {
		return i, fmt.Errorf("census: quarantine: %w", err)
	}
	return i, nil
}

// vanish deletes a chunk of rows the package no longer has.
func (s *store) vanish(ctx context.Context, r *run, l *layerInfo, limit int) (int64, error) {
	var n int64
	err := s.tx(ctx, r.opt.Actor, func(tx pgx.Tx) error {
		if err := chunkSettings(ctx, tx, "30s"); err != nil {
			return err
		}
		if err := compareLists(ctx, tx); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, s.layerSQL("vanished", l, nil, "f"), pgx.QueryExecModeDescribeExec, r.id, r.dataset, l.id, limit, r.opt.Accept)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return n, fmt.Errorf("census: delete what the package no longer has: %w", err)
	}
	return n, nil
}

// vanishedVerified lists rows the package no longer has that were confirmed in the
// field.
func (s *store) vanishedVerified(ctx context.Context, r *run, l *layerInfo) ([]Issue, error) {
	var out []Issue
	err := s.tx(ctx, r.opt.Actor, func(tx pgx.Tx) error {
		if err := compareLists(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.layerSQL("vanished_verified", l, nil, "f"), pgx.QueryExecModeDescribeExec, r.id, r.dataset, l.id, 10_000)
		if err != nil {
			return err
		}
		var key string
		var name *string
		_, err = pgx.ForEachRow(rows, []any{&key, &name}, func() error {
			i := Issue{Key: key, Rule: RuleFieldVerified, Kind: Warning, Message: "新包中没有,但已现场核实,未删除 (missing from the package, verified in the field, kept)"}
			if name != nil {
				i.Message += ": " + clip(*name, 60)
			}
			out = append(out, i)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("census: %w", err)
	}
	return out, nil
}

// compareLists makes the planner hash lists instead of walking one for each row of
// the other: it has no statistics of a run under way and takes staging for empty.
func compareLists(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `select set_config('enable_nestloop', 'off', true)`)
	return err
}

// pgCode is the SQLSTATE of an error, or "".
func pgCode(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}
	return ""
}

func isTimeout(err error) bool { return pgCode(err) == "57014" }

// isDataError tells errors that lie in a row's values: classes 22 and 23, and
// errors PostGIS raises.
func isDataError(err error) bool {
	c := pgCode(err)
	return strings.HasPrefix(c, "22") || strings.HasPrefix(c, "23") || c == "XX000" || c == "P0001"
}

// constraintWords says which rule of the schema a row broke, without its values.
func constraintWords(err error) (rule, message string) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return RuleConstraint, "无法入库 (cannot be stored)"
	}
	switch {
	case pg.Code == "57014":
		return geo.CodeTooComplex, "图形过于复杂,处理超时 (too complex, ran out of time)"
	case strings.Contains(pg.ConstraintName, "geom") || strings.Contains(pg.Message, "geom_ok"):
		return RuleInvalid, "几何无效或类型不符 (invalid geometry, or of the wrong kind): " + pg.ConstraintName
	case pg.ColumnName != "":
		return RuleConstraint, fmt.Sprintf("字段 %s 不符合要求 (field not acceptable)", pg.ColumnName)
	case pg.ConstraintName != "":
		return RuleConstraint, fmt.Sprintf("不符合约束 %s (breaks a constraint)", pg.ConstraintName)
	}
	return RuleConstraint, "值不可接受 (value not acceptable), SQLSTATE " + pg.Code
}
