package api

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"onemap/internal/registry"
	"onemap/zoning/coverage"
)

const (
	zoneA = "01a1ffb1-d369-7ca3-86f4-1eda4871e9a6"
	zoneB = "01a1ffb1-d369-7ca3-86f4-1eda4871e9a7"
)

func decodeOps(t testing.TB, body string) ([]Item, int) {
	t.Helper()
	var ops []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &ops); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	steps, bad := readSteps(registry.English, ops)
	if bad != nil {
		return bad.Items, 0
	}
	return nil, len(steps)
}

// TestOpsSayWhereTheyAreWrong: every finding carries the path of what is wrong.
func TestOpsSayWhereTheyAreWrong(t *testing.T) {
	square := `{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1],[0,0]]]}`
	ok := `{"op":"relevel","zones":["` + zoneA + `"],"level":2}`
	for _, c := range []struct{ ops, path, code string }{
		{`[]`, "ops", "required"},
		{`[null]`, "ops[0].op", "required"},
		{`[{}]`, "ops[0].op", "required"},
		{`[{"op":7}]`, "ops[0].op", "required"},
		{`[{"op":"explode_all"}]`, "ops[0].op", "unknown_op"},
		{`[` + ok + `,{"op":"split","zone":"` + zoneA + `"}]`, "ops[1].line", "required"},
		{`[{"op":"split","zone":"` + zoneA + `","line":[[1,2]]}]`, "ops[0].line", "line_too_short"},
		{`[` + ok + `,` + ok + `,` + ok + `,{"op":"split","zone":"` + zoneA + `","line":[[1,2],[1,3],[1,"x"]]}]`, "ops[3].line[2]", "bad_position"},
		{`[{"op":"split","zone":"` + zoneA + `","line":[[1,2],[1,null]]}]`, "ops[0].line[1]", "bad_position"},
		{`[{"op":"split","zone":"` + zoneA + `","line":[[1,2],[181,3]]}]`, "ops[0].line[1]", "out_of_range"},
		{`[{"op":"split","zone":"x","line":[[1,2],[2,3]]}]`, "ops[0].zone", "bad_id"},
		{`[{"op":"split","zone":"` + zoneA + `","line":[[1,2],[2,3]],"speed":1}]`, "ops[0].speed", "unknown_member"},
		{`[{"op":"merge","zones":["` + zoneA + `"]}]`, "ops[0].zones", "bad_count"},
		{`[{"op":"merge","zones":["` + zoneA + `","` + zoneA + `"]}]`, "ops[0].zones[1]", "repeated"},
		{`[{"op":"merge","zones":"` + zoneA + `"}]`, "ops[0].zones", "bad_type"},
		{`[{"op":"reshape","zone":"` + zoneA + `"}]`, "ops[0]", "geometry_or_line"},
		{`[{"op":"reshape","zone":"` + zoneA + `","line":[[1,2],[2,3]],"geometry":` + square + `}]`, "ops[0]", "geometry_or_line"},
		{`[{"op":"add","geometry":` + square + `}]`, "ops[0].mode", "required"},
		{`[{"op":"add","geometry":` + square + `,"mode":"paint"}]`, "ops[0].mode", "bad_value"},
		{`[{"op":"add","geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1]]]},"mode":"clip"}]`, "ops[0].geometry.coordinates[0]", "ring_not_closed"},
		{`[{"op":"add","geometry":null,"mode":"clip"}]`, "ops[0].geometry", "null_geometry"},
		{`[{"op":"move_edge","edge":[[0,0]],"to":[[0,0],[1,1]]}]`, "ops[0].edge", "bad_edge"},
		{`[{"op":"move_vertex","from":[0,0],"to":[0]}]`, "ops[0].to", "bad_position"},
		{`[{"op":"relevel","zones":["` + zoneA + `"],"level":"2"}]`, "ops[0].level", "bad_level"},
		{`[{"op":"relevel","zones":["` + zoneA + `"],"level":2.5}]`, "ops[0].level", "bad_level"},
		{`[{"op":"relevel","zones":[],"level":2}]`, "ops[0].zones", "bad_count"},
		{`[{"op":"set_attributes","zones":["` + zoneA + `"],"set":{}}]`, "ops[0].set", "required"},
		{`[{"op":"set_attributes","zones":["` + zoneA + `"],"set":{"level":3}}]`, "ops[0].set.level", "unknown_member"},
		{`[{"op":"set_attributes","zones":["` + zoneA + `"],"set":{"name":null}}]`, "ops[0].set.name", "bad_type"},
		{`[{"op":"set_attributes","zones":["` + zoneA + `"],"set":{"name":"` + strings.Repeat("长", 201) + `"}}]`, "ops[0].set.name", "too_long"},
		{`[{"op":"restore","edit":"no"}]`, "ops[0].edit", "bad_id"},
	} {
		items, _ := decodeOps(t, c.ops)
		if len(items) == 0 || items[0].Path != c.path || items[0].Code != c.code || items[0].Message == "" {
			t.Errorf("%s: %+v, want %s at %s", c.ops, items, c.code, c.path)
		}
	}
	many := "[" + strings.TrimSuffix(strings.Repeat(`{"op":"nothing"},`, 500), ",") + "]"
	if items, _ := decodeOps(t, many); len(items) != maxFaults {
		t.Errorf("%d findings for 500 faults, want %d", len(items), maxFaults)
	}
	long := `[{"op":"split","zone":"` + zoneA + `","line":[` + strings.TrimSuffix(strings.Repeat("[1,2],", maxOpVertices+1), ",") + `]}]`
	if items, _ := decodeOps(t, long); len(items) == 0 || items[0].Code != string(coverage.TooManyVertices) {
		t.Errorf("too many vertices: %+v", items)
	}
}

// TestOpsComeBack: an operation written by opJSON is read back the same, every kind.
func TestOpsComeBack(t *testing.T) {
	p := func(x, y int64) coverage.Point { return coverage.Point{X: x, Y: y} }
	ring := coverage.Ring{p(11900000001, 3400000002), p(11910000003, 3400000004), p(11910000005, 3410000006)}
	shape := coverage.Shape{{ring}}
	line := []coverage.Point{p(1, -1), p(-12345678901, 8999999999)}
	edge := [2]coverage.Point{line[0], line[1]}
	for _, o := range []coverage.Op{
		{Kind: coverage.Add, Zone: zoneA, Shape: shape, Carve: true}, {Kind: coverage.AddPart, Zone: zoneA, Shape: shape}, {Kind: coverage.Reshape, Zone: zoneA, Line: line},
		{Kind: coverage.Reshape, Zone: zoneA, Shape: shape}, {Kind: coverage.Split, Zone: zoneA, Line: line, New: []coverage.ID{zoneB}}, {Kind: coverage.Merge, Zones: []coverage.ID{zoneA, zoneB}},
		{Kind: coverage.Explode, Zone: zoneA}, {Kind: coverage.CutHole, Zone: zoneA, Shape: shape}, {Kind: coverage.FillHole, Zone: zoneA, At: line[0]},
		{Kind: coverage.MoveVertex, From: line[0], To: line[1]}, {Kind: coverage.MoveEdge, Edge: edge, EdgeTo: [2]coverage.Point{line[1], line[0]}}, {Kind: coverage.InsertVertex, Edge: edge, At: line[0]},
		{Kind: coverage.RemoveVertex, At: line[1]}, {Kind: coverage.Delete, Zone: zoneA, Target: zoneB}, {Kind: coverage.AssignGap, At: line[0], Zone: zoneA},
	} {
		text := opJSON(o)
		var m map[string]json.RawMessage
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		steps, bad := readSteps(registry.Chinese, []map[string]json.RawMessage{m})
		if bad != nil {
			t.Errorf("%s: %+v", text, bad.Items)
			continue
		}
		if got := string(opJSON(steps[0].Op)); got != string(text) {
			t.Errorf("%s comes back as %s", text, got)
		}
	}
}

// TestDegreesAreExact: the decimal of a grid coordinate is the shortest one of its
// float64 and reads back to the same grid step.
func TestDegreesAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	check := func(k int64) {
		got := string(appendDegrees(nil, k))
		if want := strconv.FormatFloat(float64(k)/coverage.Scale, 'f', -1, 64); got != want && !(k == 0 && got == "0") {
			t.Fatalf("%d: %s, want %s", k, got, want)
		}
		f, err := strconv.ParseFloat(got, 64)
		if err != nil || int64(math.Round(f*coverage.Scale)) != k || f != float64(k)/coverage.Scale {
			t.Fatalf("%d: %s does not read back", k, got)
		}
	}
	for _, k := range []int64{0, 1, -1, 10, 1e8, -1e8, 18000000000, -18000000000, 17999999999, 100000001, 99999999} {
		check(k)
	}
	for range 200_000 {
		check(r.Int64N(36_000_000_001) - 18_000_000_000)
	}
}

func FuzzOps(f *testing.F) {
	for _, s := range []string{
		`[{"op":"split","zone":"` + zoneA + `","line":[[1,2],[2,3]]}]`, `[{"op":"move_edge","edge":[[0,0],[1,1]],"to":[[0,0],[1,1]]}]`,
		`[{"op":"add","mode":"carve","geometry":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]]}}]`, `[{"op":"set_attributes","zones":["` + zoneA + `"],"set":{"name":"x"}}]`,
		`[{"op":"restore","edit":"` + zoneA + `"}]`, `[{}]`, `[null]`, `[{"op":"add","mode":"clip","geometry":{"type":"MultiPolygon","coordinates":[]}}]`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var ops []map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &ops) != nil {
			return
		}
		steps, bad := readSteps(registry.Chinese, ops)
		if (bad == nil) != (len(steps) > 0) {
			t.Fatalf("%q: %d steps and %v", body, len(steps), bad)
		}
		if bad != nil {
			if len(bad.Items) == 0 || len(bad.Items) > maxFaults+maxViolations {
				t.Fatalf("%q: %d findings", body, len(bad.Items))
			}
			return
		}
		for i, s := range steps {
			o := s.Op
			for _, p := range append(append([]coverage.Point{o.At, o.From, o.To, o.Edge[0], o.Edge[1], o.EdgeTo[0], o.EdgeTo[1]}, o.Line...), corners(o.Shape)...) {
				if p.X < -180e8 || p.X > 180e8 || p.Y < -90e8 || p.Y > 90e8 {
					t.Fatalf("%q: step %d has %v", body, i, p)
				}
			}
			if o.Kind == "" && !s.Relevel && !s.SetAttributes && s.Restore == "" {
				t.Fatalf("%q: step %d does nothing", body, i)
			}
		}
	})
}

func corners(s coverage.Shape) []coverage.Point {
	var out []coverage.Point
	for _, p := range s {
		for _, r := range p {
			out = append(out, r...)
		}
	}
	return out
}

// BenchmarkOps decodes the largest edit there is.
func BenchmarkOps(b *testing.B) {
	var line strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&line, "[119.%08d,34.%08d],", i, i)
	}
	body := []byte(`[{"op":"split","zone":"` + zoneA + `","line":[` + strings.TrimSuffix(line.String(), ",") + `]}]`)
	for b.Loop() {
		var ops []map[string]json.RawMessage
		if err := json.Unmarshal(body, &ops); err != nil {
			b.Fatal(err)
		}
		if _, bad := readSteps(registry.Chinese, ops); bad != nil {
			b.Fatal(bad)
		}
	}
}
