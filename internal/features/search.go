package features

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
	"onemap/internal/registry"
)

// SearchQuery is a text to be found in names, aliases, codes and numbers.
type SearchQuery struct {
	Text    string
	Layers  []*registry.Layer // in order of preference
	Aliases []registry.Alias
	Limit   int
	Times   Times
	within  *geo.Scope // only there
}

// Found is one feature whose name or code fits.
type Found struct {
	Layer   *registry.Layer
	FID     int64
	ID      string
	Title   string
	Code    string
	Admin   string     // the unit it lies in
	Tier    int        // 0 exact, 1 prefix, 2 contains
	Bounds  *orb.Bound // nil where it is not placed
	ByAlias string     // the other name that was found
}

// adminLayer holds the units; they come first in a tier, because a place name most
// often means the place.
const adminLayer = "admin"

// Search answers the best fits: exact before prefix before containing, units first,
// short names before long ones. Only layers of ours are searched: they have indexes
// on name and code.
func (s *Store) Search(ctx context.Context, who Asker, q SearchQuery) ([]Found, error) {
	q.Text = strings.TrimSpace(q.Text)
	if q.Text == "" {
		return nil, nil
	}
	aliases := map[string]registry.Alias{}
	aliasTier := map[string]int{}
	for _, a := range q.Aliases {
		if tier, ok := tierOf(a.Alias, q.Text); ok {
			if before, seen := aliasTier[a.AdminCode]; !seen || tier < before {
				aliases[a.AdminCode], aliasTier[a.AdminCode] = a, tier
			}
		}
	}
	codes := make([]string, 0, len(aliases))
	for c := range aliases {
		codes = append(codes, c)
	}
	slices.Sort(codes)

	var layers []*registry.Layer
	for _, l := range q.Layers {
		if l.Own && l.SeenBy(who.Reach) {
			layers = append(layers, l)
		}
	}
	if len(layers) == 0 {
		return nil, nil
	}
	// What begins with the text is found by the indexes at once. Only where that is
	// not enough is looked inside names.
	found, err := s.searchBy(ctx, who, q, layers, codes, beginning)
	if err == nil && len(found) < q.Limit {
		found, err = s.searchBy(ctx, who, q, layers, codes, anywhere)
	}
	if err == nil && len(found) == q.Limit && found[0].Tier > 0 {
		// So many begin with it that one that is exactly it may have been cut off.
		var exact []Found
		if exact, err = s.searchBy(ctx, who, q, layers, codes, whole); err == nil {
			found = append(exact, found...)
		}
	}
	if err == nil && len(found) == 0 {
		return s.searchPath(ctx, who, q)
	}
	if err != nil {
		return nil, fmt.Errorf("features: search: %w", err)
	}
	for i, f := range found {
		if a, ok := aliases[f.Code]; ok && f.Layer.ID == adminLayer && aliasTier[f.Code] < f.Tier {
			found[i].Tier, found[i].ByAlias = aliasTier[f.Code], a.Alias
		}
	}
	rank := func(f Found) int {
		if f.Layer.ID == adminLayer {
			return -1
		}
		return slices.Index(layers, f.Layer)
	}
	slices.SortStableFunc(found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(a.Tier, b.Tier), cmp.Compare(rank(a), rank(b)),
			cmp.Compare(utf8.RuneCountInString(a.Title), utf8.RuneCountInString(b.Title)), cmp.Compare(a.FID, b.FID))
	})
	seen := map[[2]int64]bool{}
	found = slices.DeleteFunc(found, func(f Found) bool {
		key := [2]int64{int64(slices.Index(layers, f.Layer)), f.FID}
		twice := seen[key]
		seen[key] = true
		return twice
	})
	if len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return found, nil
}

// searchPath reads a text as people say where something is: the township and the village in
// one word ("青山镇李家村"), the county before them. What it begins with says where the rest
// is looked for.
func (s *Store) searchPath(ctx context.Context, who Asker, q SearchQuery) ([]Found, error) {
	i := slices.IndexFunc(q.Layers, func(l *registry.Layer) bool { return l.ID == adminLayer && l.Own && l.SeenBy(who.Reach) })
	if i < 0 || utf8.RuneCountInString(q.Text) < 3 {
		return nil, nil
	}
	type head struct {
		code   string
		length int
	}
	var heads []head
	var st statement
	t, err := st.describe(q.Layers[i], []registry.Field{}, q.Times)
	if err != nil {
		return nil, fmt.Errorf("features: search: %w", err)
	}
	where := st.base(t, who.Reach, q.Times)
	if q.within != nil {
		where = append(where, column(t.layer.ScopeColumn)+" <@ "+st.arg(*q.within, "int8range"))
	}
	sql := fill(s.queries.Get("search_heads"), map[string]string{"source": t.source, "q": st.arg(q.Text, "text"), "where": conjunction(where)})
	err = s.each(ctx, who, sql, st.args, func(scan func(...any) error) error {
		var h head
		err := scan(&h.code, &h.length)
		heads = append(heads, h)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("features: search: %w", err)
	}
	for _, a := range q.Aliases {
		if n := utf8.RuneCountInString(a.Alias); n >= 2 && n < utf8.RuneCountInString(q.Text) && strings.HasPrefix(q.Text, a.Alias) {
			heads = append(heads, head{a.AdminCode, n})
		}
	}
	slices.SortStableFunc(heads, func(a, b head) int { return cmp.Compare(b.length, a.length) })
	for _, h := range heads {
		scope, err := geo.ParseScope(h.code)
		if err != nil || q.within != nil && (!q.within.Contains(scope) || *q.within == scope) {
			continue
		}
		rest := q
		rest.Text, rest.within = strings.TrimLeft(string([]rune(q.Text)[h.length:]), " ·,，、　"), &scope
		if found, err := s.Search(ctx, who, rest); err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

// reach is where in a name the text may stand.
type reach int

const (
	beginning reach = iota
	anywhere
	whole
)

// searchCap is how many fits of one layer are ranked. Beyond it the text is too
// short to mean anything in particular, and any of them will do.
const searchCap = 300

func (s *Store) searchBy(ctx context.Context, who Asker, q SearchQuery, layers []*registry.Layer, aliasCodes []string, where reach) ([]Found, error) {
	var st statement
	text := st.arg(q.Text, "text")
	like := text
	switch pattern := likeEscaper().Replace(q.Text) + "%"; where {
	case beginning:
		like = st.arg(pattern, "text")
	case anywhere:
		like = st.arg("%"+pattern, "text")
	case whole:
	}
	// ILIKE folds case row by row; text without case need not pay for it.
	op := " like "
	if strings.ToLower(q.Text) != strings.ToUpper(q.Text) {
		op = " ilike "
	}
	match := "t.name" + op + like
	switch {
	case where == whole:
		match = "t.name = " + text + " or t.code = " + text
	case isCode(q.Text):
		match += " or (t.code >= " + text + " and t.code < " + st.arg(q.Text+string(utf8.MaxRune), "text") + ")"
	}
	limit := st.arg(searchCap, "int")
	parts := make([]string, 0, len(layers))
	for i, l := range layers {
		t, err := st.describe(l, []registry.Field{}, q.Times)
		if err != nil {
			return nil, err
		}
		m, unit, scope := match, "t.admin_code", "null::int8range"
		if l.ScopeColumn != "" {
			scope = column(l.ScopeColumn)
		}
		rows := st.base(t, who.Reach, q.Times)
		if q.within != nil {
			rows = append(rows, scope+" <@ "+st.arg(*q.within, "int8range"))
		}
		if _, ok := l.Field("parent_code"); ok {
			unit = "t.parent_code" // a unit lies in its parent
		}
		if l.ID == adminLayer && len(aliasCodes) > 0 {
			m += " or t.code = any(" + st.arg(aliasCodes, "text[]") + ")"
		}
		parts = append(parts, fill(s.queries.Get("search_layer"), map[string]string{
			"index": strconv.Itoa(i), "fid": t.fid, "id": t.id, "shape": t.shape, "source": t.source,
			"unit": unit, "scope": scope, "where": conjunction(rows), "match": m, "cap": limit,
		}))
	}
	admin, byAlias := slices.IndexFunc(layers, func(l *registry.Layer) bool { return l.ID == adminLayer }), "false"
	if admin >= 0 && len(aliasCodes) > 0 {
		byAlias = "u.layer = " + strconv.Itoa(admin) + " and u.code = any(" + st.arg(aliasCodes, "text[]") + ")"
	}
	sql := fill(s.queries.Get("search"), map[string]string{
		"by_alias": byAlias, "admin": strconv.Itoa(admin),
		"layers": strings.Join(parts, "\nunion all\n"), "q": text, "limit": st.arg(q.Limit, "int"),
	})
	var found []Found
	err := s.each(ctx, who, sql, st.args, func(scan func(...any) error) error {
		var f Found
		var layer int
		var fid *int64
		var id, title, code, admin *string
		var x0, y0, x1, y1 *float64
		if err := scan(&layer, &fid, &id, &title, &code, &admin, &f.Tier, &x0, &y0, &x1, &y1); err != nil {
			return err
		}
		f.Layer, f.FID, f.ID, f.Title, f.Code, f.Admin = layers[layer], deref(fid), deref(id), deref(title), deref(code), deref(admin)
		if x0 != nil && y0 != nil && x1 != nil && y1 != nil {
			f.Bounds = &orb.Bound{Min: orb.Point{*x0, *y0}, Max: orb.Point{*x1, *y1}}
		}
		found = append(found, f)
		return nil
	})
	return found, err
}

// tierOf says how well a name fits.
func tierOf(name, text string) (int, bool) {
	name, text = strings.ToLower(name), strings.ToLower(text)
	switch {
	case name == text:
		return 0, true
	case strings.HasPrefix(name, text):
		return 1, true
	case strings.Contains(name, text):
		return 2, true
	}
	return 0, false
}

func likeEscaper() *strings.Replacer { return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`) }

// isCode says whether a text may begin a code or a number: those have no spaces and
// at least one digit.
func isCode(s string) bool {
	return strings.IndexFunc(s, unicode.IsDigit) >= 0 && strings.IndexFunc(s, unicode.IsSpace) < 0
}

// Coordinate reads a text as a place. swapped tells that the numbers were taken as
// latitude, longitude, because only so they lie on the globe or in the home area.
func Coordinate(text string, home orb.Bound) (p orb.Point, swapped, ok bool) {
	p, err := geo.ParseLonLat(text)
	if err != nil {
		return p, false, false
	}
	if home != (orb.Bound{}) && geo.LooksSwapped(p, home) {
		return orb.Point{p[1], p[0]}, true, true
	}
	first := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '，' || unicode.IsSpace(r) })
	if len(first) == 2 {
		if lat, err := strconv.ParseFloat(first[0], 64); err == nil && lat == p[1] && lat != p[0] {
			swapped = true
		}
	}
	return p, swapped, true
}
