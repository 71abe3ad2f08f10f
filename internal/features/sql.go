package features

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/registry"
)

// statement collects parameters and fills a named query's braces.
type statement struct{ args []any }

// arg adds a parameter and returns its placeholder with a cast, so that the type
// never depends on what PostgreSQL guesses.
func (s *statement) arg(v any, cast string) string {
	s.args = append(s.args, v)
	return "$" + strconv.Itoa(len(s.args)) + "::" + cast
}

// fill replaces {name} in a named query. A brace without a value is a programming
// error every call would meet; the test that prepares all statements finds it.
func fill(sql string, parts map[string]string) string {
	var out strings.Builder
	out.Grow(len(sql) + 512)
	for {
		open := strings.IndexByte(sql, '{')
		if open < 0 {
			out.WriteString(sql)
			return out.String()
		}
		end := strings.IndexByte(sql[open:], '}')
		name := sql[open+1 : open+end]
		v, ok := parts[name]
		if !ok {
			panic("features: no value for {" + name + "}")
		}
		out.WriteString(sql[:open])
		out.WriteString(v)
		sql = sql[open+end+1:]
	}
}

// table is a layer as SQL fragments. All names are quoted.
type table struct {
	layer  *registry.Layer
	source string // the relation, as it is now or as it was known at as_of
	key    string // order and cursor: unique, stable
	keyFit string // cast of a cursor's text
	fid    string
	id     string
	title  string
	level  string
	fields string
	geom   string // the raw column
	place  bool   // the question names a place, and its index is the right one
	shape  string // lon/lat
}

func column(name string) string { return "t." + quote(name) }

// geographic says whether a reference system's numbers are lon/lat as ours are.
func geographic(srid int) bool { return srid == 4490 || srid == 4326 }

// describe turns a catalogue entry into fragments. fields nil means all published.
func (s *statement) describe(l *registry.Layer, only []registry.Field, at Times) (table, error) {
	if at.AsOf != nil && !l.Own {
		return table{}, fmt.Errorf("%w: layer %s", ErrNoHistory, l.ID)
	}
	t := table{layer: l, source: quote(l.Schema, l.Table), fid: "null::bigint", id: "null::text", title: "null::text", level: "null::int"}
	switch {
	case l.FIDColumn != "":
		t.key, t.keyFit = column(l.FIDColumn), "bigint"
		t.fid = column(l.FIDColumn) + "::bigint"
	case l.IDColumn != "":
		t.key, t.keyFit = "("+column(l.IDColumn)+`::text collate "C")`, "text"
	default:
		// Without any id the row's place is all there is; it is stable while nobody writes.
		t.key, t.keyFit = "t.ctid", "text::tid"
	}
	switch {
	case l.IDColumn != "":
		t.id = column(l.IDColumn) + "::text"
	case l.FIDColumn != "":
		t.id = column(l.FIDColumn) + "::text"
	default:
		t.id = "t.ctid::text"
	}
	if l.LabelField != "" {
		t.title = column(l.LabelField) + "::text"
	}
	if l.LevelField != "" {
		t.level = column(l.LevelField) + "::int"
	}
	whole := only == nil
	if whole {
		only = l.Fields
	}
	names := make([]string, 0, len(only)+2)
	for _, f := range only {
		if f.Export {
			names = append(names, column(f.Name))
		}
	}
	if whole && l.Own {
		// A layer may hold several data sets; whoever asks about a row wants its own.
		names = append(names,
			"(select coalesce(d.source_dept, d.title) from dataset d where d.id = t.dataset) as data_source",
			"(select d.source_date from dataset d where d.id = t.dataset) as data_date")
	}
	t.fields = strings.Join(names, ", ")
	t.geom = column(l.GeomColumn)
	t.shape = t.geom
	if !geographic(l.SRID) {
		t.shape = "st_transform(" + t.geom + ", 4490)"
	} else if l.SRID != 4490 {
		t.shape = "st_setsrid(" + t.geom + ", 4490)"
	}
	if at.AsOf != nil {
		known := s.arg(*at.AsOf, "timestamptz")
		hist := quote(l.Schema, l.Table+"_history")
		cols := s.historyColumns(l)
		t.source = "(select " + cols + " from " + t.source + " where recorded_at <= " + known +
			" union all select " + cols + " from " + hist + " where recorded_at <= " + known + " and sys_to > " + known + ")"
	}
	return t, nil
}

// historyColumns are what a question reads of a row, now or in history.
func (s *statement) historyColumns(l *registry.Layer) string {
	seen := map[string]bool{}
	var out []string
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			out = append(out, quote(name))
		}
	}
	for _, n := range []string{l.IDColumn, l.FIDColumn, l.GeomColumn, l.ScopeColumn, l.TimeFrom, l.TimeTo, l.ShownField, l.LabelField, l.LevelField} {
		add(n)
	}
	for _, f := range l.Fields {
		add(f.Name)
	}
	add("dataset")
	return strings.Join(out, ", ")
}

// base are the conditions of every question: what the asker may see, what is shown,
// what is valid at the time asked for.
func (s *statement) base(t table, reach db.Reach, at Times) []string {
	l := t.layer
	rows := db.Rows{Visibility: l.Visibility, Place: t.place}
	if l.ScopeColumn != "" {
		rows.Scope = column(l.ScopeColumn)
	}
	if l.Own {
		rows.Dataset = column("dataset")
	}
	w := reach.Conditions(rows, s.arg)
	if l.ShownField != "" {
		w = append(w, column(l.ShownField))
	}
	if c := s.valid(l, at); c != "" {
		w = append(w, c)
	}
	return w
}

// of narrows a question to the rows of a plan. One version is whole: all of it, whenever
// it was, is or will be in force; a series is what was in force at the time asked for.
// Rows that are not shown yet are for who was let see them.
func (s *statement) of(t table, reach db.Reach, at Times, v Version) []string {
	if v.Plan == "" {
		return s.base(t, reach, at)
	}
	if !v.Series && !at.Asked {
		at.From, at.To = nil, nil
	}
	l := *t.layer
	if v.Drafts && !v.Series {
		l.ShownField = ""
	}
	t.layer = &l
	w := s.base(t, reach, at)
	if v.Series {
		return append(w, "t.plan in (select s.id from plan s where s.series = "+s.arg(v.Plan, "uuid")+")")
	}
	return append(w, "t.plan = "+s.arg(v.Plan, "uuid"))
}

// valid is the condition on valid time. Interval layers show what holds at the asked
// time, now unless asked; layers of instants are filtered only when asked.
func (s *statement) valid(l *registry.Layer, at Times) string {
	if l.TimeKind == registry.Timeless || l.TimeFrom == "" {
		return ""
	}
	if l.TimeKind == registry.Instant && !at.Asked {
		return ""
	}
	from, to := column(l.TimeFrom), ""
	if l.TimeTo != "" {
		to = column(l.TimeTo)
	}
	var w []string
	if at.To != nil {
		w = append(w, "("+from+" is null or "+from+" <= "+s.arg(*at.To, "timestamptz")+")")
	}
	if at.From != nil {
		p := s.arg(*at.From, "timestamptz")
		switch {
		case to != "":
			// Half open: what ended at an instant does not hold at it.
			w = append(w, "("+to+" is null or "+to+" > "+p+")")
		case l.TimeKind == registry.Instant:
			w = append(w, "("+from+" is null or "+from+" >= "+p+")")
		}
	}
	return strings.Join(w, " and ")
}

// box is the condition that a shape meets one of the boxes.
func (s *statement) box(t table, boxes []orb.Bound) string {
	var any []string
	for _, b := range boxes {
		if b.Min[0] <= -180 && b.Max[0] >= 180 && b.Min[1] <= -90 && b.Max[1] >= 90 {
			return ""
		}
		env := "st_makeenvelope(" + s.arg(b.Min[0], "float8") + ", " + s.arg(b.Min[1], "float8") + ", " +
			s.arg(b.Max[0], "float8") + ", " + s.arg(b.Max[1], "float8") + ", 4490)"
		any = append(any, s.meets(t, env))
	}
	if len(any) == 0 {
		return ""
	}
	return "(" + strings.Join(any, " or ") + ")"
}

func (s *statement) meets(t table, env string) string {
	switch {
	case t.layer.SRID == 4490:
	case geographic(t.layer.SRID):
		env = "st_setsrid(" + env + ", " + strconv.Itoa(t.layer.SRID) + ")"
	default:
		env = "st_transform(" + env + ", " + strconv.Itoa(t.layer.SRID) + ")"
	}
	return "(" + t.geom + " && " + env + " and st_intersects(" + t.geom + ", " + env + "))"
}

func conjunction(w []string) string {
	out := make([]string, 0, len(w))
	for _, c := range w {
		if c != "" {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return "true"
	}
	return strings.Join(out, " and ")
}
