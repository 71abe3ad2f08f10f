package sync

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

func testDictionary() Dictionary {
	return Dictionary{Kind: "k", Geometry: []string{"Point"}, Fields: []Field{
		{Name: "a", Type: "text"}, {Name: "n", Type: "number"}, {Name: "t", Type: "datetime"}, {Name: "b", Type: "boolean"}, {Name: "i", Type: "id"},
	}}
}

func TestMergeRules(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	const none = "-"
	for _, c := range []struct {
		name              string
		field             string
		now, base, value  string // none: not given
		baseVersion       int64
		do                string
		written, conflict bool
	}{
		{"untouched by others", "a", `"x"`, `"x"`, `"y"`, 0, Put, true, false},
		{"the same edit twice", "a", `"y"`, `"x"`, `"y"`, 0, Put, false, false},
		{"both changed it", "a", `"z"`, `"x"`, `"y"`, 0, Put, false, true},
		{"both changed it, the version matches", "a", `"z"`, `"x"`, `"y"`, 3, Put, false, true},
		{"from nothing", "a", none, `null`, `"y"`, 0, Put, true, false},
		{"from nothing, absent and empty are one", "a", `""`, `null`, `"y"`, 0, Put, true, false},
		{"cleared", "a", `"x"`, `"x"`, `null`, 0, Put, true, false},
		{"cleared by both", "a", none, `"x"`, `null`, 0, Put, false, false},
		{"cleared against edited", "a", `"z"`, `"x"`, `null`, 0, Put, false, true},
		{"no base, the version stands", "a", `"x"`, none, `"y"`, 3, Put, true, false},
		{"no base, the version moved", "a", `"x"`, none, `"y"`, 2, Put, false, true},
		{"no base, the version moved, the value stands", "a", `"y"`, none, `"y"`, 2, Put, false, false},
		{"neither base nor version", "a", `"x"`, none, `"y"`, 0, Put, false, true},
		{"neither, and nothing to say", "a", `"y"`, none, `"y"`, 0, Put, false, false},
		{"a step adds what it has no base for", "a", `"x"`, none, `"y"`, 0, Transit, true, false},
		{"a step with an old version does not", "a", `"x"`, none, `"y"`, 2, Transit, false, true},
		{"1 is 1.0", "n", `1`, `1.0`, `2`, 0, Put, true, false},
		{"1e2 is 100", "n", `100`, `5`, `1e2`, 0, Put, false, false},
		{"large numbers keep their last digit", "n", `9007199254740993`, `1`, `9007199254740992`, 0, Put, false, true},
		{"one moment in two zones", "t", `"2026-07-01T08:00:00+08:00"`, `"2026-07-01T00:00:00Z"`, `"2026-07-02T00:00:00Z"`, 0, Put, true, false},
		{"false is not nothing", "b", `false`, `null`, `true`, 0, Put, false, true},
		{"ids in either spelling", "i", `"0192F0C1-0000-7000-8000-000000000001"`, `"0192f0c1-0000-7000-8000-000000000001"`, `null`, 0, Put, true, false},
		{"a number is not its text", "a", `"1"`, `1`, `"2"`, 0, Put, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec := Record{Version: 3, Fields: map[string]json.RawMessage{}}
			if c.now != none {
				rec.Fields[c.field] = raw(c.now)
			}
			e := Edit{Value: raw(c.value)}
			if c.base != none {
				e.Base, e.HasBase = raw(c.base), true
			}
			m := merge(testDictionary(), rec, &Op{Do: c.do, BaseVersion: c.baseVersion, Fields: map[string]Edit{c.field: e}, Datum: geo.CGCS2000})
			_, written := m.write[c.field]
			_, conflict := m.conflict[c.field]
			if written != c.written || conflict != c.conflict {
				t.Errorf("written %v, conflict %v; want %v, %v", written, conflict, c.written, c.conflict)
			}
		})
	}
}

func TestMergeOfShapes(t *testing.T) {
	here, there, elsewhere := orb.Point{110, 30}, orb.Point{110.1, 30}, orb.Point{110.2, 30}
	for _, c := range []struct {
		name             string
		now, base, value orb.Geometry
		hasBase          bool
		version          int64
		moved, conflict  bool
	}{
		{"moved", here, here, there, true, 0, true, false},
		{"moved by a hair less than a tenth of a millimetre", orb.Point{110 + 5e-10, 30}, here, there, true, 0, true, false},
		{"moved by both", elsewhere, here, there, true, 0, false, true},
		{"moved by both to one place", there, here, there, true, 0, false, false},
		{"placed where none was", nil, nil, there, true, 0, true, false},
		{"no base, the version stands", here, nil, there, false, 3, true, false},
		{"no base, no version", here, nil, there, false, 0, false, true},
		{"of another kind", orb.LineString{here, there}, here, there, true, 0, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := merge(testDictionary(), Record{Version: 3, Geometry: c.now}, &Op{Do: Put, BaseVersion: c.version, Shape: c.value, ShapeOf: c.base, HasShape: true, HasBase: c.hasBase, Datum: geo.CGCS2000})
			if (m.shape != nil) != c.moved || m.shapes != c.conflict {
				t.Errorf("moved %v, conflict %v; want %v, %v", m.shape != nil, m.shapes, c.moved, c.conflict)
			}
		})
	}
}

// TestMergeCommutes: edits of different fields from one base end the same in any order,
// and edits of one field leave exactly one of both, with the other kept.
func TestMergeCommutes(t *testing.T) {
	d := testDictionary()
	edit := func(field, value string) *Op {
		return &Op{Do: Put, Datum: geo.CGCS2000, Fields: map[string]Edit{field: {Base: json.RawMessage("null"), HasBase: true, Value: json.RawMessage(value)}}}
	}
	ops := []*Op{edit("a", `"x"`), edit("n", `7`), edit("b", `true`), edit("a", `"y"`)}
	perms := [][]int{}
	var permute func(done, left []int)
	permute = func(done, left []int) {
		if len(left) == 0 {
			perms = append(perms, slices.Clone(done))
		}
		for i := range left {
			permute(append(slices.Clone(done), left[i]), append(slices.Clone(left[:i]), left[i+1:]...))
		}
	}
	permute(nil, []int{0, 1, 2, 3})
	for _, p := range perms {
		rec, kept := Record{Version: 1, Fields: map[string]json.RawMessage{}}, []string{}
		for _, i := range p {
			m := merge(d, rec, ops[i])
			for name, v := range m.write {
				rec.Fields[name] = v
				rec.Version++
			}
			for _, c := range m.conflict {
				kept = append(kept, string(c.Mine), string(c.Theirs))
			}
		}
		slices.Sort(kept)
		if string(rec.Fields["n"]) != "7" || string(rec.Fields["b"]) != "true" || fmt.Sprint(kept) != `["x" "y"]` {
			t.Errorf("order %v: %s, kept %v", p, rec.Fields, kept)
		}
	}
}

func TestDecodeFrame(t *testing.T) {
	for body, ok := range map[string]bool{
		`{"device":"p","ops":[]}`:                         true,
		`{"ops":[{}],"device":"p"}`:                       true,
		`{"device":"p","ops":[],"role":"admin"}`:          false,
		`{"device":"p","device":"q","ops":[]}`:            false,
		`{"device":"p","ops":[],"ops":[]}`:                false,
		`{"device":"","ops":[]}`:                          false,
		`{"device":7,"ops":[]}`:                           false,
		`{"device":"p"}`:                                  false,
		`{"ops":[]}`:                                      false,
		`{"device":"p","ops":{}}`:                         false,
		`{"device":"p","ops":[]} x`:                       false,
		`[]`:                                              false,
		``:                                                false,
		`{"device":"p","ops":[` + "\xff" + `]}`:           false,
		`{"Device":"p","ops":[]}`:                         false,
		`{"device":"a` + "\u0001" + `","ops":[]}`:         false,
		`{"device":"p","ops":[NaN]}`:                      false,
		`{"device":"p","ops":[` + commas(MaxOps) + `]}`:   true,
		`{"device":"p","ops":[` + commas(MaxOps+1) + `]}`: false,
		`{"device":"p","ops":` + strings.Repeat("[", 200_000) + `}`:      false,
		`{"device":"p","ops":["` + strings.Repeat("x", MaxBytes) + `"]}`: false,
	} {
		if _, err := Decode([]byte(body)); (err == nil) != ok {
			t.Errorf("%.60s: %v", body, err)
		}
	}
}

func commas(n int) string { return strings.TrimSuffix(strings.Repeat("{},", n), ",") }

func TestHashKnowsContentOnly(t *testing.T) {
	h := func(s string) [32]byte { return Parse("me", 0, json.RawMessage(s)).Hash }
	if h(`{"a":1,"b":{"c":"x","d":2}}`) != h(`{ "b": {"d":2,"c":"\u0078"}, "a":1 }`) {
		t.Error("the order and spelling of members changed the hash")
	}
	if h(`{"a":1}`) == h(`{"a":1.5}`) || h(`{"a":[1,2]}`) == h(`{"a":[2,1]}`) || h(`{"a":9007199254740993}`) == h(`{"a":9007199254740992}`) {
		t.Error("different contents have one hash")
	}
}

// FuzzDecode: whatever comes, it is refused as a frame or every operation of it has an id,
// a hash and either sense or a fault; the second reading of what was read says the same.
func FuzzDecode(f *testing.F) {
	op := `{"op_id":"0192f0c1-0000-7000-8000-000000000001","op":"put","kind":"hazards","id":"0192f0c1-0000-7000-8000-000000000002","device_seq":1,"base_version":2,` +
		`"fields":{"name":{"base":null,"value":"滑坡"}},"geometry":{"base":{"type":"Point","coordinates":[110,30]},"value":{"type":"Point","coordinates":[110.1,30]}},` +
		`"to":"done","note":"x","blobs":["` + strings.Repeat("ab", 32) + `"],"captured_at":"2026-07-01T08:00:00+08:00","src_crs":"GCJ02","accuracy_m":8.5,"device_position":[110,30]}`
	for _, s := range []string{
		`{"device":"p","ops":[` + op + `]}`, `{"device":"p","ops":[` + op + `,` + op + `]}`, `{"device":"p","ops":[1,null,[],{},"x"]}`,
		`{"device":"p","ops":[{"op_id":"a","op_id":"b"}]}`, `{"device":"p","ops":[{"geometry":{"value":null}}]}`, `{"device":"p","ops":[{"fields":{"a":{"value":{"value":1}}}}]}`,
		`{"device":"p","ops":[{"device_seq":-1,"base_version":1e99,"accuracy_m":"x","device_position":[1]}]}`, `{"device":"p","ops":[{"captured_at":"0000-00-00T00:00:00Z","src_crs":"EPSG:1"}]}`,
		`{"device":"p","ops":[{"fields":{"n":{"base":1e-999999999,"value":1e-999999998}}}]}`,
		`{"device":"p","ops":[{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}]}`, `{"device":"p","ops":[{"fields":{"a":{"value":"\u0000"}}}]}`,
	} {
		f.Add([]byte(s))
	}
	d := testDictionary()
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := Decode(body)
		if err != nil {
			return
		}
		if len(b.Ops) > MaxOps || b.Device == "" {
			t.Fatalf("%d operations of %q", len(b.Ops), b.Device)
		}
		for i, raw := range b.Ops {
			o := Parse("me", i, raw)
			if _, ok := ParseID(o.ID); !ok || o.Hash == [32]byte{} {
				t.Fatalf("operation without a name: %+v", o)
			}
			if again := Parse("me", i, o.Raw); again.ID != o.ID || again.Hash != o.Hash || (again.Fault == nil) != (o.Fault == nil) {
				t.Fatalf("read twice it is another: %s", raw)
			}
			if o.Fault == nil && (o.Object == "" || o.Given == "") {
				t.Fatalf("no fault and no id: %s", raw)
			}
			if o.Fault != nil && (o.Fault.Code == "" || o.Fault.Words.Zh == "") {
				t.Fatalf("a fault without words: %s", raw)
			}
			if o.Shape != nil {
				if _, ok := geo.InEnvelope(o.Shape); !ok && o.Fault == nil {
					t.Fatalf("a shape beyond the earth: %s", raw)
				}
			}
			for name, e := range o.Fields {
				if fd, ok := d.field(name); ok {
					fd.check(e.Value, nil)
				}
			}
			merge(d, Record{Version: 1, Fields: map[string]json.RawMessage{"a": json.RawMessage(`"x"`)}}, o)
		}
	})
}
