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
	var st statement
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

	text, limit := st.arg(q.Text, "text"), st.arg(q.Limit, "int")
	like := st.arg("%"+likeEscaper().Replace(q.Text)+"%", "text")
	var codeRange string
	if isCode(q.Text) {
		codeRange = "(t.code >= " + text + " and t.code < " + st.arg(q.Text+string(utf8.MaxRune), "text") + ")"
	}
	// ILIKE folds case row by row; text without case need not pay for it.
	op := " like "
	if strings.ToLower(q.Text) != strings.ToUpper(q.Text) {
		op = " ilike "
	}
	var parts []string
	var layers []*registry.Layer
	for _, l := range q.Layers {
		if !l.Own {
			continue
		}
		t, err := st.describe(l, []registry.Field{}, q.Times)
		if err != nil {
			return nil, err
		}
		match := "t.name" + op + like
		if codeRange != "" {
			match += " or " + codeRange
		}
		if l.ID == adminLayer && len(codes) > 0 {
			match += " or t.code = any(" + st.arg(codes, "text[]") + ")"
		}
		parts = append(parts, fill(s.queries.Get("search_layer"), map[string]string{
			"index": strconv.Itoa(len(layers)), "fid": t.fid, "id": t.id, "shape": t.shape, "source": t.source,
			"where": conjunction(st.base(t, who.Scope, q.Times)), "match": "(" + match + ")", "q": text, "limit": limit,
		}))
		layers = append(layers, l)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	var found []Found
	err := s.each(ctx, who, strings.Join(parts, "\nunion all\n"), st.args, func(scan func(...any) error) error {
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
		if a, ok := aliases[f.Code]; ok && f.Layer.ID == adminLayer && aliasTier[f.Code] < f.Tier {
			f.Tier, f.ByAlias = aliasTier[f.Code], a.Alias
		}
		found = append(found, f)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("features: search: %w", err)
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
	if len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return found, nil
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
