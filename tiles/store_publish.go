package tiles

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/registry"
)

// ErrPublish is a table that cannot be published, in words for its owner.
var ErrPublish = errors.New("tiles: cannot be published")

// PublishOptions say how a table becomes a layer. Zero values are found out.
type PublishOptions struct {
	ID         string // default: made of the table's name
	Title      string // default: the table's comment, else its name
	TitleEN    string // default: Title
	Theme      string // default "exposure"
	GeomColumn string // needed when there are several
	LabelField string // default: name, 名称, title
	LevelField string
	KindField  string
	Ladder     string
	OrderBy    string
	Symbol     string // default by geometry
	MinZoom    int    // default 5
	MaxZoom    int    // default 16
	Visibility string // default internal
}

// Published is what [Publish] did, with what its owner should know.
type Published struct {
	Layer    string
	Geometry string
	SRID     int
	Rows     int64
	Fields   []string
	FID      bool
	Feed     bool // changes are reported by a trigger; otherwise seen after a while
	Notes    []string
}

type relationColumn struct {
	name, typname, fulltype, comment string
	primary                          bool
	srid                             int
	geomType                         string
}

// Publish makes any PostGIS table or view a layer. conn belongs to somebody who
// may change the catalogue and, for the feed, owns the table.
func Publish(ctx context.Context, conn *pgx.Conn, table string, o PublishOptions) (*Published, error) {
	schema, name, err := splitTable(table)
	if err != nil {
		return nil, err
	}
	p, err := loadParts()
	if err != nil {
		return nil, err
	}
	var out *Published
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		pub := &publisher{parts: p, tx: tx, schema: schema, name: name, o: o, out: &Published{}}
		if err := pub.run(ctx); err != nil {
			return err
		}
		out = pub.out
		return nil
	})
	return out, err
}

type publisher struct {
	parts
	tx           pgx.Tx
	schema, name string
	o            PublishOptions
	out          *Published
	oid          int64
	kind         string // pg_class.relkind
	columns      []relationColumn
	geom         relationColumn
	idColumn     string
	fidColumn    string
}

func cannot(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrPublish}, args...)...)
}

func (p *publisher) note(format string, args ...any) {
	p.out.Notes = append(p.out.Notes, fmt.Sprintf(format, args...))
}

func (p *publisher) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{p.relation, p.geometry, p.key, p.defaults, p.readable, p.feed, p.add} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// closedSchemas hold people's data, evidence, and what is not accepted yet. They are
// refused by name, so that the answer is the same whatever is in them.
func closedSchemas() []string {
	return []string{"auth", "audit", "restricted", "decision", "staging", "information_schema"}
}

func (p *publisher) relation(ctx context.Context) error {
	if slices.Contains(closedSchemas(), p.schema) || strings.HasPrefix(p.schema, "pg_") {
		return cannot("模式 %s 不得发布 · nothing of schema %s is ever published", p.schema, p.schema)
	}
	var comment string
	err := p.tx.QueryRow(ctx, p.Get("relation"), p.schema, p.name).Scan(&p.oid, &p.kind, &comment)
	if errors.Is(err, pgx.ErrNoRows) {
		return cannot("没有表 · there is no table or view %s.%s", p.schema, p.name)
	}
	if err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	var closed string
	switch err := p.tx.QueryRow(ctx, p.Get("closed_source"), p.oid, closedSchemas()).Scan(&closed); {
	case err == nil:
		return cannot("%s.%s 含有不得发布的 %s · %s.%s shows %s, which is never published", p.schema, p.name, closed, p.schema, p.name, closed)
	case !errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("tiles: publish: %w", err)
	}
	if p.o.Title == "" {
		p.o.Title = comment
	}
	rows, err := p.tx.Query(ctx, p.Get("relation_columns"), p.oid)
	if err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	p.columns, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (c relationColumn, err error) {
		return c, r.Scan(&c.name, &c.typname, &c.fulltype, &c.comment, &c.primary, &c.srid, &c.geomType)
	})
	if err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	return nil
}

// geometry finds the column, its system and what is in it.
func (p *publisher) geometry(ctx context.Context) error {
	var found []relationColumn
	for _, c := range p.columns {
		if c.typname == "geometry" && (p.o.GeomColumn == "" || p.o.GeomColumn == c.name) {
			found = append(found, c)
		}
	}
	switch {
	case len(found) == 0:
		return cannot("没有几何列 · no geometry column in %s.%s", p.schema, p.name)
	case len(found) > 1:
		return cannot("有多个几何列,请指明 · several geometry columns, name one: %s, %s", found[0].name, found[1].name)
	}
	p.geom = found[0]
	var srids, srid int
	var points, lines, areas bool
	var empty, bad int64
	if err := p.tx.QueryRow(ctx, p.fill("shapes_found", "geom", ident(p.geom.name), "table", ident(p.schema, p.name))).Scan(
		&p.out.Rows, &srids, &srid, &points, &lines, &areas, &empty, &bad); err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	if srids > 1 {
		return cannot("几何列混有多个坐标系 · several coordinate systems in %s", p.geom.name)
	}
	if p.geom.srid > 0 {
		srid = p.geom.srid
	}
	var known bool
	if err := p.tx.QueryRow(ctx, p.Get("known_crs"), srid).Scan(&known); err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	if !known {
		return cannot("坐标系未知(SRID %d) · the coordinate system is not known (SRID %d)", srid, srid)
	}
	p.out.SRID = srid
	if bad > 0 {
		p.note("%d 个面无效或过大,不会显示 · %d shapes are invalid or too large and will not be shown", bad, bad)
	}
	if empty > 0 {
		p.note("%d 个空几何 · %d empty shapes", empty, empty)
	}
	declared := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(p.geom.geomType), "M"), "Z")
	switch {
	case declared == "POINT" || declared == "MULTIPOINT" || points && !lines && !areas && declared == "GEOMETRY":
		p.out.Geometry = registry.Point
	case declared == "LINESTRING" || declared == "MULTILINESTRING" || lines && !points && !areas && declared == "GEOMETRY":
		p.out.Geometry = registry.Line
	case declared == "POLYGON" || declared == "MULTIPOLYGON" || areas && !points && !lines && declared == "GEOMETRY":
		p.out.Geometry = registry.Polygon
	default:
		p.out.Geometry = registry.Mixed
	}
	if p.kind != "v" {
		var indexed bool
		if err := p.tx.QueryRow(ctx, p.Get("has_spatial_index"), p.oid, p.geom.name).Scan(&indexed); err != nil {
			return fmt.Errorf("tiles: publish: %w", err)
		}
		if !indexed {
			p.note("没有空间索引,瓦片会慢 · no spatial index, tiles will be slow: create index on %s using gist (%s)", ident(p.schema, p.name), ident(p.geom.name))
		}
	}
	return nil
}

// key takes a primary key of one column as the id, and as the MVT id when it is a
// whole number a browser can hold.
func (p *publisher) key(ctx context.Context) error {
	i := slices.IndexFunc(p.columns, func(c relationColumn) bool { return c.primary })
	if i < 0 {
		p.note("没有单列主键,要素没有稳定编号 · no single-column primary key: features have no stable id")
		return nil
	}
	c := p.columns[i]
	p.idColumn = c.name
	if c.typname != "int2" && c.typname != "int4" && c.typname != "int8" {
		p.note("主键不是整数,瓦片要素没有编号 · the primary key is no integer: tile features have no id")
		return nil
	}
	var fits, unique bool
	if err := p.tx.QueryRow(ctx, p.fill("fid_range", "fid", ident(c.name), "table", ident(p.schema, p.name))).Scan(&fits, &unique); err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	if fits && unique {
		p.fidColumn, p.out.FID = c.name, true
	} else {
		p.note("主键有负值或过大,瓦片要素没有编号 · keys are negative or too large: tile features have no id")
	}
	return nil
}

var notIDChars = regexp.MustCompile(`[^a-z0-9_]+`) //nolint:gochecknoglobals // a constant

func (p *publisher) defaults(ctx context.Context) error {
	o := &p.o
	if o.ID == "" {
		o.ID = strings.Trim(notIDChars.ReplaceAllString(strings.ToLower(p.name), "_"), "_")
	}
	// The trigger function's name must fit into 63 bytes.
	if !IsLayerID(o.ID) || len(o.ID) > 50 {
		return cannot("图层标识应为小写字母、数字、下划线,以字母开头,至多 50 个字符 · a layer id is lower case letters, digits and _, starts with a letter, has at most 50 characters: %q", o.ID)
	}
	p.out.Layer = o.ID
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&o.Title, p.name)
	set(&o.TitleEN, o.Title)
	set(&o.Theme, "exposure")
	set(&o.Visibility, "internal")
	set(&o.Symbol, map[string]string{registry.Point: "circle", registry.Line: "road", registry.Polygon: "fill", registry.Mixed: "circle"}[p.out.Geometry])
	if o.MinZoom == 0 {
		o.MinZoom = 5
	}
	if o.MaxZoom == 0 {
		o.MaxZoom = 16
	}
	has := func(name string) bool {
		return slices.ContainsFunc(p.columns, func(c relationColumn) bool { return c.name == name })
	}
	for _, name := range []string{"name", "名称", "title"} {
		if o.LabelField == "" && has(name) {
			o.LabelField = name
		}
	}
	for _, name := range []string{o.LabelField, o.LevelField, o.KindField, o.OrderBy} {
		if name != "" && !has(name) {
			return cannot("没有列 · there is no column %s", name)
		}
	}
	// Levels are compared and the order is sorted by in every tile.
	for _, name := range []string{o.LevelField, o.OrderBy} {
		i := slices.IndexFunc(p.columns, func(c relationColumn) bool { return c.name == name })
		if i < 0 {
			continue
		}
		if t, ok := fieldType(p.columns[i]); !ok || t != registry.Integer && t != registry.Number {
			return cannot("列 %s 不是数值 · column %s is no number", name, name)
		}
	}
	var known bool
	if err := p.tx.QueryRow(ctx, p.Get("known_theme"), o.Theme).Scan(&known); err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	if !known {
		return cannot("没有专题 · there is no theme %s", o.Theme)
	}
	return nil
}

// readable lets the server's role read the table.
func (p *publisher) readable(ctx context.Context) error {
	for _, sql := range []string{p.fill("grant_schema", "schema", ident(p.schema)), p.fill("grant_table", "table", ident(p.schema, p.name))} {
		if err := p.try(ctx, sql); err != nil && !isDenied(err) {
			return fmt.Errorf("tiles: publish: %w", err)
		}
	}
	var may bool
	if err := p.tx.QueryRow(ctx, p.Get("may_read"), p.schema, p.oid).Scan(&may); err != nil {
		return fmt.Errorf("tiles: publish: %w", err)
	}
	if !may {
		return cannot("服务角色不能读此表,请其属主授权 · the server's role may not read it; its owner must run: grant usage on schema %s to onemap_app; grant select on %s to onemap_app",
			ident(p.schema), ident(p.schema, p.name))
	}
	return nil
}

// try runs a statement that may be refused without losing the transaction.
func (p *publisher) try(ctx context.Context, sql string) error {
	return pgx.BeginFunc(ctx, p.tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql)
		return err
	})
}

func isDenied(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42501" || pg.Code == "42809" || pg.Code == "0A000" || pg.Code == "42P17")
}

func feedFunction(layer string) string { return "onemap_feed_" + layer }

// feed installs the trigger that reports changes, where that is possible.
func (p *publisher) feed(ctx context.Context) error {
	if p.kind != "r" && p.kind != "p" {
		p.note("视图没有变更通知,每隔一段时间刷新 · a view reports no changes; its tiles are refreshed after a while")
		return nil
	}
	single, fid := "1000", "null::bigint"
	if p.fidColumn != "" {
		fid = ident(p.fidColumn) + "::bigint"
	} else {
		single = "0"
	}
	pairs := []string{"function", ident(feedFunction(p.o.ID)), "layer", p.o.ID, "geom", ident(p.geom.name), "fid", fid, "single", single, "table", ident(p.schema, p.name)}
	for _, name := range []string{"feed_function", "feed_insert", "feed_update", "feed_delete", "feed_truncate"} {
		err := p.try(ctx, p.fill(name, pairs...))
		if isDenied(err) {
			p.note("无权建触发器,改为定时刷新 · no right to add a trigger; tiles are refreshed after a while")
			return nil
		}
		if err != nil {
			return fmt.Errorf("tiles: publish: %s: %w", name, err)
		}
	}
	p.out.Feed = true
	return nil
}

func (p *publisher) add(ctx context.Context) error {
	o := p.o
	_, err := p.tx.Exec(ctx, p.Get("add_layer"), o.ID, o.Title, o.TitleEN, o.Theme, p.out.Geometry, p.schema, p.name, p.idColumn, p.fidColumn,
		p.geom.name, p.out.SRID, "", o.LabelField, o.LevelField, o.KindField, o.Ladder, o.OrderBy, o.Symbol, o.MinZoom, o.MaxZoom, o.Visibility)
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "23505":
		return cannot("已有图层 · there is a layer %s already", o.ID)
	case errors.As(err, &pg) && (pg.Code == "23503" || pg.Code == "23514"):
		return cannot("参数不合目录的规则 · an option does not fit the catalogue (%s)", pg.ConstraintName)
	case err != nil:
		return fmt.Errorf("tiles: publish: %w", err)
	}
	for i, c := range p.columns {
		t, ok := fieldType(c)
		switch {
		case c.typname == "geometry" || c.name == p.fidColumn:
			continue
		case !ok || len(c.name) > 63 || c.name == "_geom" || c.name == "_fid":
			p.note("列 %s(%s)不发布 · column %s (%s) is not published", c.name, c.fulltype, c.name, c.fulltype)
			continue
		}
		title := c.comment
		if title == "" {
			title = c.name
		}
		scalar := t != registry.JSON
		if _, err := p.tx.Exec(ctx, p.Get("add_field"), o.ID, c.name, string(t), title, c.name, scalar, scalar, i); err != nil {
			return fmt.Errorf("tiles: publish: field %s: %w", c.name, err)
		}
		p.out.Fields = append(p.out.Fields, c.name)
	}
	return nil
}

func fieldType(c relationColumn) (registry.FieldType, bool) {
	switch c.typname {
	case "text", "varchar", "bpchar", "name", "citext":
		return registry.Text, true
	case "int2", "int4", "int8":
		return registry.Integer, true
	case "float4", "float8", "numeric":
		return registry.Number, true
	case "bool":
		return registry.Boolean, true
	case "date":
		return registry.Date, true
	case "timestamptz", "timestamp":
		return registry.DateTime, true
	case "uuid":
		return registry.UUID, true
	case "json", "jsonb":
		return registry.JSON, true
	}
	return "", false
}

// Unpublish takes a published table out of the catalogue again and removes its
// trigger. Layers of the product itself are refused.
func Unpublish(ctx context.Context, conn *pgx.Conn, layer string) error {
	p, err := loadParts()
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var schema, table string
		var own bool
		err := tx.QueryRow(ctx, p.Get("published"), layer).Scan(&schema, &table, &own)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return fmt.Errorf("%w: %s", ErrUnknownLayer, strconv.Quote(layer))
		case err != nil:
			return fmt.Errorf("tiles: unpublish: %w", err)
		case own:
			return cannot("%s 是系统自带图层 · is a layer of the product and stays", layer)
		}
		if _, err := tx.Exec(ctx, p.Get("remove_layer"), layer); err != nil {
			var pg *pgconn.PgError
			if errors.As(err, &pg) && pg.Code == "23503" {
				return cannot("图层 %s 仍被引用 · layer %s is still referred to", layer, layer)
			}
			return fmt.Errorf("tiles: unpublish: %w", err)
		}
		for _, name := range []string{"feed_drop_triggers", "feed_drop_function"} {
			if _, err := tx.Exec(ctx, p.fill(name, "function", ident(feedFunction(layer)))); err != nil {
				return fmt.Errorf("tiles: unpublish: %w", err)
			}
		}
		return nil
	})
}

// splitTable reads schema.table; a name with other characters is quoted as in SQL.
func splitTable(s string) (schema, table string, err error) {
	var parts []string
	for rest := s; ; {
		var part string
		if strings.HasPrefix(rest, `"`) {
			text, n, ok := quoted(rest, '"')
			if !ok {
				return "", "", cannot("名称引号不配对 · a quote is never closed: %s", clip(s))
			}
			part, rest = text, rest[n:]
		} else {
			i := strings.IndexByte(rest, '.')
			if i < 0 {
				i = len(rest)
			}
			part, rest = rest[:i], rest[i:]
		}
		if part == "" || !plainText(part) {
			return "", "", cannot("应为 SCHEMA.TABLE · expected SCHEMA.TABLE, got %q", clip(s))
		}
		parts = append(parts, part)
		if rest == "" {
			break
		}
		if rest[0] != '.' {
			return "", "", cannot("应为 SCHEMA.TABLE · expected SCHEMA.TABLE, got %q", clip(s))
		}
		rest = rest[1:]
	}
	switch len(parts) {
	case 1:
		return "public", parts[0], nil
	case 2:
		return parts[0], parts[1], nil
	}
	return "", "", cannot("应为 SCHEMA.TABLE · expected SCHEMA.TABLE, got %q", clip(s))
}
