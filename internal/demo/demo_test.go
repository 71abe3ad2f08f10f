package demo

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"
)

var testNow = time.Date(2026, 6, 20, 13, 0, 0, 0, time.UTC)

var shared = sync.OnceValue(func() *County { return Generate(Options{Seed: 1, Now: testNow}) })

func digest(c *County) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for f := range c.Features() {
		fmt.Fprintln(h, f.Layer, f.Key, f.Code, f.Geometry)
		if err := enc.Encode(f.Fields); err != nil {
			panic(err)
		}
	}
	for _, x := range []any{c.Plans, c.Responsibilities, c.Duties, c.Aliases, c.Field, c.Bound} {
		if err := enc.Encode(x); err != nil {
			panic(err)
		}
	}
	for _, e := range Play(c) {
		fmt.Fprintln(h, e.At, e.Feature.Layer, e.Feature.Key, e.Feature.Geometry)
		if err := enc.Encode(e.Feature.Fields); err != nil {
			panic(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestEqualSeedsGiveEqualCounties(t *testing.T) {
	a := digest(shared())
	if b := digest(Generate(Options{Seed: 1, Now: testNow})); a != b {
		t.Errorf("two counties of one seed differ: %s, %s", a, b)
	}
	if testing.Short() {
		return
	}
	if b := digest(Generate(Options{Seed: 2, Now: testNow})); a == b {
		t.Error("another seed gives the same county")
	}
}

// A county told from a later hour is the same place: only what ages differs.
func TestLaterHourKeepsThePlace(t *testing.T) {
	if testing.Short() {
		t.Skip("generates another county; not in -short")
	}
	later := Generate(Options{Seed: 1, Now: testNow.Add(30 * time.Hour)})
	timed := map[string]bool{}
	for f := range later.Timed() {
		timed[f.Layer+"/"+f.Key] = true
	}
	id := map[string]Feature{}
	for f := range shared().Features() {
		id[f.Layer+"/"+f.Key] = f
	}
	n := 0
	for f := range later.Features() {
		k := f.Layer + "/" + f.Key
		a := id[k]
		if a.Fields["id"] != f.Fields["id"] || !orb.Equal(a.Geometry, f.Geometry) {
			t.Fatalf("%s: id or place differ", k)
		}
		if f.Layer == "alerts" && fmt.Sprint(a.Fields["expires"]) == fmt.Sprint(f.Fields["expires"]) {
			t.Errorf("%s did not move on", k)
		}
		n++
	}
	if n != len(id) || len(timed) == 0 {
		t.Errorf("%d records, then %d", len(id), n)
	}
}

// Any seed must give a whole county, not only the one that is shown.
func TestOtherSeedsAreSound(t *testing.T) {
	if testing.Short() {
		t.Skip("generates further counties; not in -short")
	}
	for _, seed := range []int64{3, -7} {
		c := Generate(Options{Seed: seed, Now: testNow})
		checkCoverage(t, c)
		checkLayers(t, c)
		checkRoads(t, c)
		if n := c.w.a.county.people; n < 200000 || n > 420000 {
			t.Errorf("seed %d: %d people", seed, n)
		}
	}
}

var layers = strings.Fields(`admin grids population vulnerable buildings facilities key_places roads road_blocks lifelines rivers
	waterworks hazards hazard_areas dangers enterprises hazard_sources safety_contours zones shelters shelter_service_areas
	teams warehouses sensors warning_terminals alerts incidents incident_sketches`)

func checkLayers(t *testing.T, c *County) {
	t.Helper()
	n := map[string]int{}
	for f := range c.Features() {
		n[f.Layer]++
	}
	for _, l := range layers {
		if n[l] == 0 {
			t.Errorf("layer %s is empty", l)
		}
		delete(n, l)
	}
	for l := range n {
		t.Errorf("layer %s is not one of the product's", l)
	}
}

func TestEveryLayerIsFilled(t *testing.T) { checkLayers(t, shared()) }

func TestSizeOfTheCounty(t *testing.T) {
	c := shared()
	n := map[string]int{}
	for f := range c.Features() {
		n[f.Layer]++
	}
	for _, want := range []struct {
		what     string
		got      int
		from, to int
	}{
		{"people", c.w.a.county.people, 280000, 320000}, {"townships", len(c.w.a.towns), 14, 18}, {"villages", len(c.w.a.villages), 250, 300},
		{"buildings", n["buildings"], 60000, 100000}, {"grids", n["grids"], 800, 2500},
	} {
		if want.got < want.from || want.got > want.to {
			t.Errorf("%s: %d, want %d to %d", want.what, want.got, want.from, want.to)
		}
	}
}

func TestKeysIdsAndCodes(t *testing.T) {
	keys, ids := map[string]bool{}, map[string]bool{}
	for f := range shared().Features() {
		k, id := f.Layer+"/"+f.Key, f.Fields["id"].(string)
		if keys[k] || ids[id] {
			t.Fatalf("%s or %s is used twice", k, id)
		}
		keys[k], ids[id] = true, true
		if len(id) != 36 || id[14] != '7' {
			t.Errorf("%s: id %s is not version 7", k, id)
		}
		if !strings.HasPrefix(f.Code, countyCode) {
			t.Errorf("%s: code %q", k, f.Code)
		}
		switch len(f.Code) {
		case 6, 9, 12, 15:
		default:
			t.Errorf("%s: code %q has no known length", k, f.Code)
		}
		if b := f.Geometry.Bound(); b.IsEmpty() {
			t.Errorf("%s: no place", k)
		}
	}
}

func TestNames(t *testing.T) {
	c := shared()
	for _, town := range c.w.a.towns {
		seen := map[string]bool{}
		for _, v := range town.children {
			if seen[v.name] {
				t.Errorf("%s has two villages %s", town.name, v.name)
			}
			seen[v.name] = true
		}
	}
	for f := range c.Features() {
		if f.Layer != "admin" {
			continue
		}
		for _, r := range f.Fields["name_en"].(string) {
			if r > 127 {
				t.Errorf("%v: English name %v", f.Fields["name"], f.Fields["name_en"])
				break
			}
		}
	}
}

func eachRing(g orb.Geometry, f func(orb.Ring)) {
	switch v := g.(type) {
	case orb.Polygon:
		for _, r := range v {
			f(r)
		}
	case orb.MultiPolygon:
		for _, p := range v {
			eachRing(p, f)
		}
	}
}

type edge struct{ a, b orb.Point }

// cover sums directed edges: what units share cancels, what is left is the rim.
func cover(geoms []orb.Geometry) map[edge]int {
	m := map[edge]int{}
	for _, g := range geoms {
		eachRing(g, func(r orb.Ring) {
			for i := 1; i < len(r); i++ {
				e, back := edge{r[i-1], r[i]}, edge{r[i], r[i-1]}
				if m[back] > 0 {
					if m[back]--; m[back] == 0 {
						delete(m, back)
					}
					continue
				}
				m[e]++
			}
		})
	}
	return m
}

func checkCoverage(t *testing.T, c *County) {
	t.Helper()
	by := map[string][]orb.Geometry{}
	children := map[string][]orb.Geometry{}
	shape := map[string]orb.Geometry{}
	for f := range c.Features() {
		switch f.Layer {
		case "admin":
			code := f.Fields["code"].(string)
			shape[code] = f.Geometry
			by[fmt.Sprint("rank", f.Fields["rank"])] = append(by[fmt.Sprint("rank", f.Fields["rank"])], f.Geometry)
			if p, ok := f.Fields["parent_code"].(string); ok {
				children[p] = append(children[p], f.Geometry)
			}
		case "grids":
			by["grids"] = append(by["grids"], f.Geometry)
			v := f.Fields["village_code"].(string)
			children[v] = append(children[v], f.Geometry)
		case "zones":
			k := "zones " + f.Fields["plan"].(string)
			by[k] = append(by[k], f.Geometry)
		}
	}
	for code, list := range children {
		rim := cover(append(list, reversed(shape[code])))
		if len(rim) != 0 {
			t.Errorf("%s is not exactly its parts: %d edges are left", code, len(rim))
		}
	}
	whole := reversed(shape[countyCode])
	for k, list := range by {
		if k == "rank3" {
			continue
		}
		if rim := cover(append(append([]orb.Geometry(nil), list...), whole)); len(rim) != 0 {
			t.Errorf("%s do not tile the county: %d edges are left", k, len(rim))
		}
	}
	if len(by) != 7 {
		t.Errorf("coverages checked: %d", len(by))
	}
}

func reversed(g orb.Geometry) orb.Geometry {
	c := orb.Clone(g)
	eachRing(c, func(r orb.Ring) { r.Reverse() })
	return c
}

func TestUnitsTileTheCountyExactly(t *testing.T) { checkCoverage(t, shared()) }

// The check above must be able to fail.
func TestCoverageCheckSeesAGap(t *testing.T) {
	sq := orb.Polygon{{{0, 0}, {2, 0}, {2, 1}, {0, 1}, {0, 0}}}
	a := orb.Polygon{{{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}}}
	b := orb.Polygon{{{1, 0}, {2, 0}, {2, 1}, {1, 1.0000001}, {1, 0}}}
	if len(cover([]orb.Geometry{a, b, reversed(sq)})) == 0 {
		t.Error("a gap went unseen")
	}
}

func TestPolygonsAreSimple(t *testing.T) {
	for f := range shared().Features() {
		switch v := f.Geometry.(type) {
		case orb.Polygon:
			checkPolygon(t, f, v)
		case orb.MultiPolygon:
			for _, p := range v {
				checkPolygon(t, f, p)
			}
		case orb.LineString:
			if len(v) < 2 || len(v) == 2 && v[0] == v[1] {
				t.Errorf("%s %s: a line of one point", f.Layer, f.Key)
			}
		}
	}
}

func checkPolygon(t *testing.T, f Feature, p orb.Polygon) {
	t.Helper()
	var seg [][2]pt
	n := 0
	for k, r := range p {
		if len(r) < 4 || r[0] != r[len(r)-1] {
			t.Errorf("%s %s: ring %d is not closed", f.Layer, f.Key, k)
			return
		}
		used := map[orb.Point]bool{}
		l := make([]pt, 0, len(r))
		for i, q := range r {
			if i+1 < len(r) {
				if used[q] {
					t.Errorf("%s %s: ring %d touches itself", f.Layer, f.Key, k)
				}
				used[q] = true
			}
			// Scaled so that the rounding of degrees is exact in the test.
			l = append(l, pt{math.Round((q[0] - 111) * 1e9), math.Round((q[1] - 31) * 1e9)})
		}
		for i := 1; i < len(l); i++ {
			seg = append(seg, [2]pt{l[i-1], l[i]})
		}
		n += len(r)
	}
	if anyCrossing(seg) {
		t.Errorf("%s %s %v: the outline crosses itself", f.Layer, f.Key, f.Fields["name"])
	}
	if n > 200000 {
		t.Errorf("%s %s: %d vertices", f.Layer, f.Key, n)
	}
}

func checkRoads(t *testing.T, c *County) {
	t.Helper()
	id := map[orb.Point]int{}
	var parent []int
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for f := range c.Features() {
		if f.Layer != "roads" {
			continue
		}
		first := -1
		for _, p := range f.Geometry.(orb.LineString) {
			k, ok := id[p]
			if !ok {
				k = len(parent)
				parent = append(parent, k)
				id[p] = k
			}
			if first < 0 {
				first = k
			}
			parent[find(k)] = find(first)
		}
	}
	parts := map[int]int{}
	for i := range parent {
		parts[find(i)]++
	}
	if len(parts) != 1 {
		t.Errorf("the road network falls into %d parts", len(parts))
	}
}

func TestRoadsAreOneNetwork(t *testing.T) { checkRoads(t, shared()) }

func TestPeopleAddUp(t *testing.T) {
	sum := map[string]int{}
	grid, village := map[string]int{}, map[string]int{}
	for f := range shared().Features() {
		switch f.Layer {
		case "admin":
			sum[fmt.Sprint("rank", f.Fields["rank"])] += f.Fields["population"].(int)
			if f.Fields["rank"] == 5 {
				village[f.Fields["code"].(string)] = f.Fields["population"].(int)
			}
		case "grids":
			sum["grids"] += f.Fields["population"].(int)
			grid[f.Fields["code"].(string)] = f.Fields["population"].(int)
		case "population":
			sum["cells"] += f.Fields["population"].(int)
			if f.Fields["male"].(int)+f.Fields["female"].(int) != f.Fields["population"].(int) {
				t.Errorf("cell %v: men and women are not the people", f.Fields["code"])
			}
		case "buildings":
			sum["buildings"] += f.Fields["persons"].(int)
			grid[f.Code] -= f.Fields["persons"].(int)
			village[f.Code[:12]] -= f.Fields["persons"].(int)
		}
	}
	for k, n := range sum {
		if n != sum["rank3"] {
			t.Errorf("%s holds %d people, the county %d", k, n, sum["rank3"])
		}
	}
	for k, n := range grid {
		if n != 0 {
			t.Errorf("grid %s: %d people more than in its buildings", k, n)
		}
	}
	for k, n := range village {
		if n != 0 {
			t.Errorf("village %s: %d people more than in its buildings", k, n)
		}
	}
}

func TestThingsLieWhereTheyWouldBe(t *testing.T) {
	c := shared()
	g := c.w
	for f := range c.Features() {
		p := local(f.Geometry.Bound().Center())
		switch f.Layer {
		case "hazards":
			if h := f.Fields["hazard"]; (h == "landslide" || h == "collapse") && g.t.slope.at(p) < 0.2 {
				t.Errorf("%v lies on a slope of %.2f", f.Fields["name"], g.t.slope.at(p))
			}
		case "sensors":
			if f.Fields["kind"] == "river_level" && g.w.dist.at(p) > 300 {
				t.Errorf("%v stands %.0f m from the river", f.Fields["name"], g.w.dist.at(p))
			}
		case "buildings", "shelters":
			if g.w.pool.near(p) > 0 {
				t.Errorf("%s %s lies in a reservoir", f.Layer, f.Key)
			}
			if wd := width(g.w.size.near(p) * 1e6); wd > 30 && g.w.dist.at(p) < wd/2-10 {
				t.Errorf("%s %s lies in a river", f.Layer, f.Key)
			}
		}
	}
}

func TestHazardSourcesFollowTheStandard(t *testing.T) {
	n := 0
	for f := range shared().Features() {
		if f.Layer != "hazard_sources" {
			continue
		}
		var s, b float64
		for _, x := range f.Fields["items"].([]any) {
			m := x.(map[string]any)
			s += m["q_t"].(float64) / m["critical_t"].(float64)
			b += m["beta"].(float64) * m["q_t"].(float64) / m["critical_t"].(float64)
		}
		r := b * alpha(f.Fields["exposed_persons"].(int))
		if math.Abs(s-f.Fields["s"].(float64)) > 1e-5 || math.Abs(r-f.Fields["r"].(float64)) > 1e-5 {
			t.Errorf("%v: S %v R %v, computed %v %v", f.Fields["name"], f.Fields["s"], f.Fields["r"], s, r)
		}
		lvl, major := sourceLevel(s, r)
		got, has := f.Fields["level"].(int)
		if has != major || major && got != lvl {
			t.Errorf("%v: level %v, want %d %v", f.Fields["name"], f.Fields["level"], lvl, major)
		}
		if major {
			n++
		}
	}
	if n < 8 {
		t.Errorf("only %d major hazard sources", n)
	}
}

// Cases from the standard's text and the arithmetic done by hand.
func TestSourceLevel(t *testing.T) {
	for _, c := range []struct {
		s, r  float64
		level int
		major bool
	}{{0.98, 1.96, 0, false}, {1, 1.5, 4, true}, {6, 28.799999999999997, 3, true}, {3, 90, 2, true}, {50, 400, 1, true}, {2.5, 10, 3, true}, {4, 99.999, 2, true}, {4, 100, 1, true}} {
		if l, m := sourceLevel(c.s, c.r); l != c.level || m != c.major {
			t.Errorf("S %v R %v: %d %v, want %d %v", c.s, c.r, l, m, c.level, c.major)
		}
	}
	for n, a := range map[int]float64{0: 0.5, 1: 1, 29: 1, 30: 1.2, 49: 1.2, 50: 1.5, 99: 1.5, 100: 2} {
		if alpha(n) != a {
			t.Errorf("alpha(%d) = %v, want %v", n, alpha(n), a)
		}
	}
}

func TestPlayIsAnExerciseAndPutsEverythingBack(t *testing.T) {
	c := shared()
	base := map[string]Feature{}
	for f := range c.Features() {
		base[f.Layer+"/"+f.Key] = f
	}
	last := map[string]Event{}
	at := time.Duration(-1)
	seen := map[string]bool{}
	for _, e := range Play(c) {
		if e.At < at || e.At > PlayLength {
			t.Fatalf("event at %v after %v", e.At, at)
		}
		at = e.At
		k := e.Feature.Layer + "/" + e.Feature.Key
		seen[e.Feature.Layer] = true
		if e.Feature.Fields["exercise"] != true && base[k].Fields == nil {
			t.Errorf("%s is not marked as an exercise", k)
		}
		last[k] = e
	}
	for k, e := range last {
		f := e.Resolve(testNow).Fields
		if b, ok := base[k]; ok {
			if f["exercise"] != false || fmt.Sprint(f["state"]) != fmt.Sprint(b.Fields["state"]) || e.Feature.Geometry != nil && orb.Equal(e.Feature.Geometry, b.Geometry) == false {
				t.Errorf("%s is not put back: %v", k, f)
			}
			continue
		}
		switch e.Feature.Layer {
		case "incidents":
			if f["state"] != "closed" {
				t.Errorf("%s ends as %v", k, f["state"])
			}
		case "incident_sketches":
			if f["valid_to"] == nil {
				t.Errorf("%s stays on the map", k)
			}
		}
		for name, v := range f {
			if _, ok := v.(Offset); ok {
				t.Errorf("%s: %s was not resolved", k, name)
			}
		}
	}
	for l := range strings.FieldsSeq("alerts incidents incident_sketches road_blocks sensors shelters teams") {
		if !seen[l] {
			t.Errorf("nothing happens in %s", l)
		}
	}
}
