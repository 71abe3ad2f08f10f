package tiles

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/db"
	"onemap/internal/registry"
)

//go:embed queries/*.sql
var files embed.FS

// parts are the named pieces of SQL.
type parts struct{ db.Queries }

func loadParts() (parts, error) {
	q, err := db.LoadQueries(files, "queries")
	if err != nil {
		return parts{}, fmt.Errorf("tiles: %w", err)
	}
	return parts{q}, nil
}

// fill puts values into a part's braces. Values are identifiers made by
// [ident], bind parameters, or other parts; never text of a request.
func (p parts) fill(name string, pairs ...string) string {
	var out strings.Builder
	text := p.Get(name)
	out.Grow(2*len(text) + 128)
	for {
		open := strings.IndexByte(text, '{')
		if open < 0 {
			out.WriteString(text)
			return out.String()
		}
		end := open + strings.IndexByte(text[open:], '}')
		out.WriteString(text[:open])
		word := text[open+1 : end]
		for i := 0; ; i += 2 {
			if i == len(pairs) {
				panic("tiles: nothing to put for {" + word + "} of " + name) // every test of the part meets it
			}
			if pairs[i] == word {
				out.WriteString(pairs[i+1])
				break
			}
		}
		text = text[end+1:]
	}
}

func ident(names ...string) string { return pgx.Identifier(names).Sanitize() }

// facts is what the catalogue does not say about a foreign table.
type facts struct {
	feed  bool // a trigger reports its changes
	valid bool // a check keeps invalid shapes out
}

// question is one tile's statement being written.
type question struct {
	parts
	req    Request
	now    time.Time
	limit  int
	args   []any
	shared map[string]string // parameters several places use, by name
}

func (q *question) arg(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

func (q *question) share(name, cast string, v any) string {
	if s, ok := q.shared[name]; ok {
		return s
	}
	s := q.arg(v) + "::" + cast
	q.shared[name] = s
	return s
}

// part is one layer of a question.
type part struct {
	layer  *registry.Layer
	facts  facts
	ranked bool   // more rows than the limit were found: the worst first
	clip   *bound // foreign projections: where its data is
}

type bound struct{ w, s, e, n float64 }

// statement writes the SQL for a tile. A request that does not fit the catalogue
// is refused here.
func (p parts) statement(req Request, now time.Time, limit int, layers []part) (string, []any, error) {
	q := &question{parts: p, req: req, now: now, limit: limit, shared: map[string]string{}}
	var f *filter
	if req.Filter != "" {
		var err error
		if f, err = parseCanonical(req.Filter); err != nil {
			return "", nil, err
		}
	}
	all := make([]string, len(layers))
	for i, l := range layers {
		s, err := q.layer(i, l, f)
		if err != nil {
			return "", nil, err
		}
		all[i] = s
	}
	return strings.Join(all, "\nunion all\n"), q.args, nil
}

func (q *question) layer(ordinal int, l part, f *filter) (string, error) {
	where, err := q.where(l, f)
	if err != nil {
		return "", err
	}
	columns, props := q.columns(l)
	extra := ""
	if q.sizes(l.layer) {
		// Without OFFSET 0 the planner would write the box out four times, and a
		// large shape would be fetched four times.
		extra = " " + q.fill("box_once", "geom", ident(l.layer.GeomColumn))
	}
	if q.generalised(l.layer) {
		extra += " " + q.fill("generalised", "shapes", ident(l.layer.Schema, l.layer.ShapesTable), "id", ident(l.layer.IDColumn), "z", q.share("z", "integer", q.req.Z))
	}
	rows := []string{"extra", extra, "columns", columns, "table", ident(l.layer.Schema, l.layer.Table), "where", where}
	source := ""
	if q.req.AsOf != nil {
		source = q.fill("source_as_of", append(rows,
			"history", ident(l.layer.Schema, l.layer.Table+"_history"), "as_of", q.share("as_of", "timestamptz", *q.req.AsOf))...)
	} else {
		source = q.fill("source", rows...)
	}
	kind, total, join := "rows_any", q.Get("no_total"), ""
	limit := q.limit + 1
	if l.ranked {
		kind, total, limit = "rows_ranked", q.Get("total"), q.limit
		join = " " + q.fill("total_join", "source", source)
	}
	fid := ""
	if l.layer.FIDColumn != "" {
		fid = ", '_fid'"
	}
	return q.fill("layer",
		"ordinal", strconv.Itoa(ordinal), "name", q.arg(l.layer.ID)+"::text", "fid_name", fid, "total", total,
		"geometry", q.geometry(l), "properties", props,
		"rows", q.fill(kind, "source", source, "limit", q.share("limit"+strconv.Itoa(limit), "bigint", limit)), "join", join), nil
}

// columns are those of a row r, and what becomes of them in the feature.
func (q *question) columns(l part) (columns, props string) {
	var c, p strings.Builder
	col := func(expr, name string) { fmt.Fprintf(&c, ", %s as %s", expr, name) }
	geom := ident(l.layer.GeomColumn)
	switch {
	case q.generalised(l.layer):
		c.WriteString("coalesce(s1.geom, t." + geom + ") as g, s1.geom is not null as simple")
	case l.layer.Own || l.facts.valid || !mayBeArea(l.layer):
		c.WriteString("t." + geom + " as g")
	default:
		c.WriteString(q.fill("sane_geometry", "geom", geom) + " as g")
	}
	live, next := q.live(l.layer)
	col(live, "live")
	col(next, "next")
	worst := "false"
	if l.layer.LevelField != "" && mayBeArea(l.layer) {
		worst = "coalesce(t." + ident(l.layer.LevelField) + " <= 2, false)"
	}
	if mayBeArea(l.layer) && standsForAPoint(l.layer.Symbol) {
		worst = "true"
	}
	small, tiny := "false", "false"
	if q.sizes(l.layer) {
		area := ""
		if l.layer.Geometry == registry.Mixed {
			area = "ST_Dimension(t." + geom + ") = 2 and "
		}
		narrower := func(units float64) string {
			return q.fill("narrower", "size", q.share("size"+strconv.Itoa(int(units)), "float8", units*unitDegrees(q.req.Z)))
		}
		small = area + "not " + worst + " and " + narrower(smallUnits)
		if worst != "false" {
			tiny = area + worst + " and " + narrower(tinyUnits)
		}
	}
	col(small, "small")
	col(tiny, "tiny")
	if l.ranked {
		rank := func(field, name string) {
			if field == "" {
				col("null::integer", name)
			} else {
				col("t."+ident(field), name)
			}
		}
		rank(l.layer.LevelField, "rank1")
		rank(l.layer.OrderBy, "rank2")
	}
	switch {
	case l.layer.FIDColumn != "":
		col("t."+ident(l.layer.FIDColumn), "fid")
		p.WriteString(", r.fid::bigint as _fid")
	case l.ranked:
		col("null::bigint", "fid")
	}
	for i, f := range q.fields(l.layer) {
		name := "p" + strconv.Itoa(i)
		col(property(f), name)
		fmt.Fprintf(&p, ", r.%s as %s", name, ident(f.Name))
	}
	return c.String(), p.String()
}

// fields are the tile's properties: the catalogue's for the zoom, or those of
// them that were asked for.
func (q *question) fields(l *registry.Layer) []registry.Field {
	all := l.TileFields(q.req.Z)
	if q.req.Properties == nil {
		return all
	}
	out := all[:0:0]
	for _, f := range all {
		for _, want := range q.req.Properties {
			if want == f.Name {
				out = append(out, f)
			}
		}
	}
	return out
}

// property is a column as an MVT value: text, number or boolean.
func property(f registry.Field) string {
	c := "t." + ident(f.Name)
	switch f.Type {
	case registry.Number:
		return c + "::float8"
	case registry.DateTime:
		return "to_char(" + c + ` at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
	case registry.Text, registry.Date, registry.UUID, registry.JSON:
		return c + "::text"
	}
	return c
}

// sizes says whether areas may be too small to see at this zoom. Deeper, half a
// pixel is a few metres, and looking costs more than drawing.
func (q *question) sizes(l *registry.Layer) bool {
	return mayBeArea(l) && isLonLat(l.SRID) && q.req.Z <= 12
}

// standsForAPoint says whether a layer is drawn as symbols: a shelter's site is under
// half a pixel in the view of the county, and the shelter must still be there.
// The others are drawn as fills and lines, where nothing is lost with a speck.
func standsForAPoint(symbol string) bool {
	switch symbol {
	case "fill", "contour", "density", "building", "water", "boundary", "grid", "sketch", "line", "road", "lifeline", "block":
		return false
	}
	return true
}

// generalised says whether the layer keeps shapes made for this zoom.
func (q *question) generalised(l *registry.Layer) bool {
	return l.ShapesTable != "" && l.Geometry == registry.Polygon && isLonLat(l.SRID)
}

func mayBeArea(l *registry.Layer) bool {
	return l.Geometry == registry.Polygon || l.Geometry == registry.Mixed
}

// geometry is a row's shape in the tile. What moves vertices depends on nothing
// but the vertex and the zoom where areas are concerned: neighbours stay
// neighbours. Lines are thinned instead, their ends stay.
func (q *question) geometry(l part) string {
	z := q.req.Z
	grid := coarseness(l.layer, z)
	flat := isLonLat(l.layer.SRID) && isFlat(z, q.req.Y)
	suffix, cell := "_other", "cell_metres"
	if isLonLat(l.layer.SRID) {
		suffix, cell = "_lonlat", "cell_degrees"
	}
	if flat {
		suffix = "_flat"
	}
	shape := func(kind string) string {
		value := ""
		switch {
		case kind == "point":
		case cell == "cell_degrees":
			value = q.share("cell"+strconv.Itoa(int(grid)), "float8", grid*unitDegrees(z))
		default:
			value = q.share("metres"+strconv.Itoa(int(grid)), "float8", grid*unitMetres(z))
		}
		return q.fill(kind+suffix, cell, value)
	}
	var g string
	switch l.layer.Geometry {
	case registry.Point:
		g = shape("point")
	case registry.Line:
		g = shape("line")
	case registry.Polygon:
		g = shape("area")
		if q.generalised(l.layer) {
			g = "case when r.simple then " + shape("point") + " else " + g + " end"
		}
	default:
		g = q.fill("by_dimension", "area", shape("area"), "line", shape("line"), "point", shape("point"))
	}
	var bounds string
	if flat {
		b := tileBound(z, q.req.X, q.req.Y, 0)
		bounds = q.fill("bounds_flat", "w", q.share("tile_w", "float8", b.Min[0]), "s", q.share("tile_s", "float8", b.Min[1]),
			"e", q.share("tile_e", "float8", b.Max[0]), "n", q.share("tile_n", "float8", b.Max[1]), "srid", strconv.Itoa(l.layer.SRID))
	} else {
		bounds = q.fill("bounds_mercator", "z", q.share("z", "integer", z), "x", q.share("x", "integer", q.req.X), "y", q.share("y", "integer", q.req.Y))
	}
	tile := func(g string) string {
		return q.fill("tile_geometry", "g", g, "bounds", bounds, "buffer", strconv.Itoa(buffer))
	}
	s := tile(g)
	if (l.layer.LevelField != "" || standsForAPoint(l.layer.Symbol)) && q.sizes(l.layer) {
		box := ""
		if flat {
			box = q.fill("worst_box_flat", "half_box_degrees", q.share("box_degrees", "float8", 4*unitDegrees(z)))
		} else {
			box = q.fill("worst_box", "half_box_metres", q.share("box", "float8", 4*unitMetres(z)))
		}
		s = "coalesce(" + s + ", case when r.tiny then " + tile(box) + " end)"
	}
	return "case when r.live and not r.small then " + s + " end"
}

// live says whether a row is shown now, and when that changes. An explicit
// datetime is decided in where; then nothing changes with time.
func (q *question) live(l *registry.Layer) (live, next string) {
	if q.req.DateTime != nil || q.req.AsOf != nil || l.TimeKind != registry.Interval || q.wholePlan() {
		return "true", "null::timestamptz"
	}
	now := q.share("now", "timestamptz", q.now)
	live, from, to := "true", "null::timestamptz", "null::timestamptz"
	if l.TimeFrom != "" {
		from = "t." + ident(l.TimeFrom) + "::timestamptz"
		live = "(" + from + " is null or " + from + " <= " + now + ")"
	}
	if l.TimeTo != "" {
		to = "t." + ident(l.TimeTo) + "::timestamptz"
	}
	return live, "case when " + live + " then " + to + " else " + from + " end"
}

// at is the valid time asked of a layer: as_of without datetime shows the picture of
// that moment, and pictures show what happened at instants whenever it did.
func (q *question) at(l *registry.Layer) *time.Time {
	if q.req.DateTime != nil || l.TimeKind != registry.Interval {
		return q.req.DateTime
	}
	return q.req.AsOf
}

func (q *question) where(l part, f *filter) (string, error) {
	w := append([]string{"t." + ident(l.layer.GeomColumn) + " && " + q.envelope(l)}, q.shown(l.layer)...)
	if q.req.Plan != "" {
		if _, ok := l.layer.Field("plan"); !ok {
			return "", refuse(ErrParameter, "no_plans", "plan", "layer %s has no plans", l.layer.ID)
		}
		id, series := strings.CutPrefix(q.req.Plan, "series:")
		if series {
			// What is shown and valid at the time asked for is the version then in force.
			w = append(w, "t.plan in (select s.id from plan s where s.series = "+q.share("series", "uuid", id)+")")
		} else {
			w = append(w, "t.plan = "+q.share("plan", "uuid", id))
		}
	}
	if f != nil {
		s, err := q.filter(l.layer, f.root)
		if err != nil {
			return "", err
		}
		w = append(w, s)
	}
	return and(w), nil
}

func and(w []string) string {
	if len(w) == 0 {
		return "true"
	}
	return strings.Join(w, " and ")
}

// shown is what of a layer this asker sees at the time asked for.
func (q *question) shown(l *registry.Layer) []string {
	w := q.visible(l)
	if l.TimeKind == registry.Timeless || q.wholePlan() {
		return w
	}
	from, to := "", ""
	if l.TimeFrom != "" {
		from = "t." + ident(l.TimeFrom)
	}
	if l.TimeTo != "" {
		to = "t." + ident(l.TimeTo)
	}
	if at := q.at(l); at != nil {
		t := q.share("at", "timestamptz", *at)
		if from != "" {
			w = append(w, "("+from+" is null or "+from+" <= "+t+")")
		}
		if to != "" {
			w = append(w, "("+to+" is null or "+to+" > "+t+")")
		}
	} else if l.TimeKind == registry.Interval && to != "" {
		// What begins later is read too: it says until when this picture is right.
		w = append(w, "("+to+" is null or "+to+" > "+q.share("now", "timestamptz", q.now)+")")
	}
	return w
}

// wholePlan says whether one version of a plan is asked for: all of it, whenever it was,
// is or will be in force.
func (q *question) wholePlan() bool {
	return q.req.Plan != "" && !strings.HasPrefix(q.req.Plan, "series:") && q.req.DateTime == nil
}

// placeZoom is where a tile (with its buffer) is some 10 km wide.
const placeZoom = 11

// visible is who may see a row, as a plan the planner can use; row security is
// the floor under it.
func (q *question) visible(l *registry.Layer) []string {
	// From the zoom on at which a tile is smaller than a township's neighbourhood, the
	// index of shapes is right whoever asks; above, the planner knows better.
	rows := db.Rows{Visibility: l.Visibility, Place: q.req.Z >= placeZoom}
	if l.ScopeColumn != "" {
		rows.Scope = "t." + ident(l.ScopeColumn)
	}
	if l.Own {
		rows.Dataset = "t.dataset"
	}
	n := 0
	w := q.req.Reach.Conditions(rows, func(v any, cast string) string {
		n++
		return q.share("areas_"+l.Visibility+strconv.Itoa(n), cast, v)
	})
	if l.ShownField != "" && !(q.req.Drafts && q.req.Plan != "") {
		w = append(w, "t."+ident(l.ShownField))
	}
	return w
}

// envelope is the tile with its buffer in the layer's own coordinates: the column
// is never transformed, so its index is used.
func (q *question) envelope(l part) string {
	b := tileBound(q.req.Z, q.req.X, q.req.Y, float64(buffer)/extent)
	switch {
	case isLonLat(l.layer.SRID):
		return fmt.Sprintf("ST_MakeEnvelope(%s, %s, %s, %s, %d)",
			q.share("w", "float8", b.Min[0]), q.share("s", "float8", b.Min[1]),
			q.share("e", "float8", b.Max[0]), q.share("n", "float8", b.Max[1]), l.layer.SRID)
	case l.layer.SRID == 3857:
		return fmt.Sprintf("ST_TileEnvelope(%s, %s, %s, margin => %s)", q.share("z", "integer", q.req.Z),
			q.share("x", "integer", q.req.X), q.share("y", "integer", q.req.Y), strconv.FormatFloat(float64(buffer)/extent, 'g', -1, 64))
	}
	// Far from its home a projection fails or folds over, so the tile is first cut
	// to where the layer's data is.
	c := bound{max(b.Min[0], l.clip.w), max(b.Min[1], l.clip.s), min(b.Max[0], l.clip.e), min(b.Max[1], l.clip.n)}
	if c.w > c.e || c.s > c.n {
		return "ST_MakeEnvelope(0, 0, -1, -1, " + strconv.Itoa(l.layer.SRID) + ") and false"
	}
	size := max(c.e-c.w, c.n-c.s, 1e-9)
	return q.fill("envelope_other", "w", q.arg(c.w)+"::float8", "s", q.arg(c.s)+"::float8", "e", q.arg(c.e)+"::float8", "n", q.arg(c.n)+"::float8",
		"step", q.arg(size/16)+"::float8", "srid", strconv.Itoa(l.layer.SRID), "margin", q.arg(size*marginPerDegree(l.layer.SRID))+"::float8")
}

// marginPerDegree covers the sag of the envelope's edges between its points, a
// thousandth of its size: in metres for projections, in degrees otherwise.
func marginPerDegree(srid int) float64 {
	if srid >= 4000 && srid < 4490 { // geographic systems of EPSG
		return 0.001
	}
	return 111
}

// answer is one layer of a tile as it came back.
type answer struct {
	ordinal   int
	mvt       []byte
	n, small  int64
	next      *time.Time
	total     *int64
	totalNext *time.Time
}

// ask runs the statement. The claims and it are one round trip.
func ask(ctx context.Context, pool *db.Pool, req Request, sql string, args []any) ([]answer, error) {
	var out []answer
	err := pool.Ask(ctx, claims(req), sql, args, func(rows pgx.Rows) error {
		for rows.Next() {
			var a answer
			if err := rows.Scan(&a.ordinal, &a.mvt, &a.n, &a.small, &a.next, &a.total, &a.totalNext); err != nil {
				return err
			}
			out = append(out, a)
		}
		return rows.Err()
	})
	return out, err
}

func claims(req Request) db.Claims {
	return db.Claims{Actor: "tiles", Role: req.Reach.Class(), Reach: req.Reach}
}

// badValue turns PostgreSQL's refusal of a value (a number too large for the
// column's type) into the asker's fault.
func badValue(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == "22003" || pg.Code == "22P02" || pg.Code == "22007" || pg.Code == "22008") {
		return refuse(ErrParameter, "bad_value", "filter", "a value does not fit its property")
	}
	return err
}
