package tiles

import (
	"errors"
	"iter"
	"strconv"
	"strings"
	"testing"
	"time"

	"onemap/internal/db"
	"onemap/internal/geo"
)

func params(pairs ...string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := 0; i < len(pairs); i += 2 {
			if !yield(pairs[i], pairs[i+1]) {
				return
			}
		}
	}
}

func TestParsePathRefuses(t *testing.T) {
	long := strings.Repeat("a", maxParameter+1)
	cases := []struct {
		name            string
		layers, z, x, y string
		query           []string
		kind            error
		code            string
	}{
		{"negative zoom", "hazards", "-1", "0", "0", nil, ErrRange, "bad_tile_number"},
		{"deep zoom", "hazards", "31", "0", "0", nil, ErrRange, "tile_out_of_range"},
		{"deeper zoom", "hazards", "99", "0", "0", nil, ErrRange, "tile_out_of_range"},
		{"x out", "hazards", "3", "8", "0", nil, ErrRange, "tile_out_of_range"},
		{"y out", "hazards", "0", "0", "1", nil, ErrRange, "tile_out_of_range"},
		{"negative y", "hazards", "3", "0", "-1", nil, ErrRange, "bad_tile_number"},
		{"fraction", "hazards", "1.5", "0", "0", nil, ErrRange, "bad_tile_number"},
		{"hex", "hazards", "0x1", "0", "0", nil, ErrRange, "bad_tile_number"},
		{"plus", "hazards", "+1", "0", "0", nil, ErrRange, "bad_tile_number"},
		{"leading zero", "hazards", "01", "0", "0", nil, ErrRange, "bad_tile_number"},
		{"twenty digits", "hazards", "3", "18446744073709551616", "0", nil, ErrRange, "bad_tile_number"},
		{"empty", "hazards", "", "0", "0", nil, ErrRange, "bad_tile_number"},
		{"full-width digit", "hazards", "３", "0", "0", nil, ErrRange, "bad_tile_number"},
		{"NUL", "hazards\x00", "3", "0", "0", nil, ErrUnknownLayer, "unknown_layer"},
		{"drop", "hazards;drop table x", "3", "0", "0", nil, ErrUnknownLayer, "unknown_layer"},
		{"no layer", "", "3", "0", "0", nil, ErrUnknownLayer, "unknown_layer"},
		{"empty layer", "hazards,", "3", "0", "0", nil, ErrUnknownLayer, "unknown_layer"},
		{"style is reserved", "style", "3", "0", "0", nil, ErrUnknownLayer, "unknown_layer"},
		{"upper case", "Hazards", "3", "0", "0", nil, ErrUnknownLayer, "unknown_layer"},
		{"unsorted", "zones,hazards", "3", "0", "0", nil, ErrParameter, "layers_not_sorted"},
		{"twice", "zones,zones", "3", "0", "0", nil, ErrParameter, "layers_not_sorted"},
		{"too many layers", manyLayers(33), "3", "0", "0", nil, ErrParameter, "too_many_layers"},
		{"unknown parameter", "hazards", "3", "0", "0", []string{"token", "x"}, ErrParameter, "unknown_parameter"},
		{"repeated", "hazards", "3", "0", "0", []string{"plan", "0190a0a0-0000-7000-8000-000000000000", "plan", "x"}, ErrParameter, "repeated_parameter"},
		{"NUL value", "hazards", "3", "0", "0", []string{"filter", "name = '\x00'"}, ErrParameter, "bad_text"},
		{"broken UTF-8", "hazards", "3", "0", "0", []string{"filter", "name = '\xff'"}, ErrParameter, "bad_text"},
		{"empty value", "hazards", "3", "0", "0", []string{"filter", ""}, ErrParameter, "bad_text"},
		{"long value", "hazards", "3", "0", "0", []string{"filter", long}, ErrParameter, "bad_text"},
		{"time without offset", "hazards", "3", "0", "0", []string{"datetime", "2026-07-01T08:00:00"}, ErrParameter, "bad_time"},
		{"interval", "hazards", "3", "0", "0", []string{"datetime", "2026-07-01T08:00:00Z/.."}, ErrParameter, "bad_time"},
		{"as_of word", "hazards", "3", "0", "0", []string{"as_of", "now"}, ErrParameter, "bad_time"},
		{"plan word", "hazards", "3", "0", "0", []string{"plan", "1 or 1=1"}, ErrParameter, "bad_plan"},
		{"properties twice", "hazards", "3", "0", "0", []string{"properties", "a,a"}, ErrParameter, "bad_properties"},
		{"filter", "hazards", "3", "0", "0", []string{"filter", "level ="}, ErrParameter, "bad_filter"},
	}
	for _, c := range cases {
		_, err := ParsePath(c.layers, c.z, c.x, c.y, params(c.query...))
		var e *Error
		if !errors.Is(err, c.kind) || !errors.As(err, &e) || e.Code != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
}

func manyLayers(n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = "l" + strconv.Itoa(100+i)
	}
	return strings.Join(ids, ",")
}

func TestParsePathReads(t *testing.T) {
	r, err := ParsePath("hazards,zones", "14", "13209", "6669", params(
		"filter", "level<=2 and (hazard='flood' or hazard = 'landslide')", "datetime", "2026-07-01T08:00:00.1234567+08:00",
		"as_of", "2026-06-01T00:00:00Z", "properties", "name,level", "plan", "series:0190a0a0-0000-7000-8000-000000000000"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Z != 14 || r.X != 13209 || r.Y != 6669 || len(r.Layers) != 2 || r.Properties[0] != "level" {
		t.Errorf("%+v", r)
	}
	if want := `"level" <= 2 AND ("hazard" = 'flood' OR "hazard" = 'landslide')`; r.Filter != want {
		t.Errorf("filter %s", r.Filter)
	}
	if got := r.DateTime.Format(time.RFC3339Nano); got != "2026-07-01T00:00:00.123456Z" {
		t.Errorf("datetime %s", got)
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, s := range []string{
		"", " ", "name", "name =", "= 1", "name = name", "name = pg_sleep(9)", "pg_sleep(9) = 1", "name like", "name like 5",
		"name in ()", "name in (1,'a')", "name in (1", "level between 1", "level between 1 and", "level is", "level is not 3",
		"level = 1e999", "level = .", "level = --1", "level = 1;", "level = 'x", `"level = 1`, "level = 1 or", "and level = 1",
		"not", "(level = 1", "level = 1)", "level == 1", "level != 1", "level = NULL", "d = DATE('2026-13-01')", "d = DATE(5)",
		"d = TIMESTAMP('2026-01-01')", `"" = 1`, "name like '%a%b%c%d%'", "name like '" + strings.Repeat("x", 101) + "'",
		strings.Repeat("(", 10000) + "a = 1" + strings.Repeat(")", 10000),
		strings.Repeat("(", 30) + "a = 1" + strings.Repeat(")", 30),
		strings.Repeat("not ", 30) + "a = 1",
		"a = 1" + strings.Repeat(" or a = 1", 10000),
		"a = 1" + strings.Repeat(" or a = 1", 200),
		"a in (" + strings.TrimSuffix(strings.Repeat("1,", 201), ",") + ")",
		"true = 1", "a = 1 b = 2",
	} {
		if f, err := parseFilter(s); err == nil {
			t.Errorf("%.60q was read as %s", s, f)
		} else if !errors.Is(err, ErrParameter) {
			t.Errorf("%.60q: %v", s, err)
		}
	}
}

func TestFilterCanonicalFormReadsBack(t *testing.T) {
	for in, want := range map[string]string{
		"a=1":                         `"a" = 1`,
		"a = +1":                      `"a" = 1`,
		"a = 1.50":                    `"a" = 1.5`,
		"A<>'it''s'":                  `"A" <> 'it''s'`,
		"not a is null":               `NOT ("a" IS NULL)`,
		"a is not null":               `NOT ("a" IS NULL)`,
		"a not in (1, 2)":             `NOT ("a" IN (1,2))`,
		"a not like 'x%'":             `NOT ("a" LIKE 'x%')`,
		"a between -1 and 2e3":        `"a" BETWEEN -1 AND 2000`,
		"(a = 1 or b = 2) and c=true": `("a" = 1 OR "b" = 2) AND "c" = TRUE`,
		`"名称" like '坡%'`:              `"名称" LIKE '坡%'`,
		"t > timestamp('2026-01-01T08:00:00+08:00')": `"t" > TIMESTAMP('2026-01-01T00:00:00Z')`,
		"d = date('2026-01-01')":                     `"d" = DATE('2026-01-01')`,
	} {
		f, err := parseFilter(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if f.String() != want {
			t.Errorf("%s became %s, want %s", in, f, want)
		}
		if g, err := parseFilter(f.String()); err != nil || g.String() != want {
			t.Errorf("%s does not read back: %v", want, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("hazards", "3", "1", "1", "filter", "level <= 2")
	f.Add("hazards,zones", "0", "0", "0", "datetime", "2026-01-01T00:00:00Z")
	f.Add("a", "22", "4194303", "4194303", "plan", "series:0190a0a0-0000-7000-8000-000000000000")
	f.Add("style", "1e3", "0x1", "-1", "properties", "a,,b")
	f.Fuzz(func(t *testing.T, layers, z, x, y, name, value string) {
		r, err := ParsePath(layers, z, x, y, params(name, value))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Code == "" || e.Kind == nil {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if strings.Join(r.Layers, ",") != layers || strconv.Itoa(r.Z) != z || strconv.Itoa(r.X) != x || strconv.Itoa(r.Y) != y {
			t.Fatalf("not canonical: %q %q %q %q", layers, z, x, y)
		}
		if r.X >= 1<<r.Z || r.Y >= 1<<r.Z || r.Z > MaxZoom {
			t.Fatalf("out of range: %+v", r)
		}
		makeKey(&r)
	})
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"a = 1", "a in ('x','y') and not b is null", "(a between 1 and 2) or c like '%x'", `"a b" <> DATE('2026-01-01')`, "a = 'it''s'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseFilter(s)
		if err != nil {
			return
		}
		again, err := parseCanonical(p.String())
		if err != nil {
			t.Fatalf("%q: the canonical form %q is refused: %v", s, p, err)
		}
		if again.String() != p.String() {
			t.Fatalf("%q: %q is not stable: %q", s, p, again)
		}
	})
}

func TestKeysDiffer(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Microsecond)
	all := geo.Scopes{geo.Everywhere()}
	narrow := geo.Scopes{{Lo: all[0].Lo, Hi: all[0].Hi - 1}}
	base := Request{Layers: []string{"a", "b"}, Z: 3, X: 1, Y: 2, Reach: everywhere}
	change := []func(*Request){
		func(r *Request) {}, func(r *Request) { r.Layers = []string{"a"} }, func(r *Request) { r.Z = 4 }, func(r *Request) { r.X = 2 }, func(r *Request) { r.Y = 3 },
		func(r *Request) { r.Reach = db.Reach{} }, func(r *Request) { r.Reach = db.NewReach(db.Areas{Internal: narrow}) },
		func(r *Request) { r.Reach = db.NewReach(db.Areas{Internal: all}) }, func(r *Request) { r.Reach = db.NewReach(db.Areas{Public: all}) }, func(r *Request) { r.Reach = db.NewReach(db.Areas{Sensitive: all}) },
		func(r *Request) { r.Reach = db.NewReach(db.Areas{Internal: all, Demo: true}) }, func(r *Request) { r.Reach = db.NewReach(db.Areas{Internal: all, Class: "viewer"}) },
		func(r *Request) { r.Reach = db.NewReach(db.Areas{Internal: all, Epoch: 1}) }, func(r *Request) { r.Drafts = true }, func(r *Request) { r.Filter = `"a" = 1` }, func(r *Request) { r.Plan = `"a" = 1` },
		func(r *Request) { r.DateTime = &now }, func(r *Request) { r.DateTime = &later }, func(r *Request) { r.AsOf = &now },
		func(r *Request) { r.Properties = []string{} }, func(r *Request) { r.Properties = []string{"a"} }, func(r *Request) { r.Properties = []string{"a", "b"} },
	}
	seen := map[key]int{}
	for i, c := range change {
		r := base
		c(&r)
		k := makeKey(&r)
		if j, ok := seen[k]; ok {
			t.Errorf("requests %d and %d share a key", i, j)
		}
		seen[k] = i
	}
}
