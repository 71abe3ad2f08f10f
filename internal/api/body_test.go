package api

import (
	"encoding/json"
	"strings"
	"testing"
)

type sample struct {
	Name  string          `json:"name"`
	Inner []sampleInner   `json:"inner"`
	Free  json.RawMessage `json:"free"`
	Many  map[string]int  `json:"many"`
	Maybe *bool           `json:"maybe"`
}

type sampleInner struct {
	N int `json:"n"`
}

// TestStrictJSON is what a lenient decoder lets pass.
func TestStrictJSON(t *testing.T) {
	deep := func(n int) string { return `{"free":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	for _, c := range []struct {
		name, body string
		ok         bool
	}{
		{"good", `{"name":"王家山","inner":[{"n":1},{"n":2}],"free":{"any":[1,{"x":null}]},"maybe":true}`, true},
		{"white space around", " \n{\"name\":\"a\"}\n ", true},
		{"nothing", ``, false},
		{"blank", "  \n", false},
		{"no JSON", `name=a`, false},
		{"cut off", `{"name":"a"`, false},
		{"two values", `{"name":"a"}{"name":"b"}`, false},
		{"text behind", `{"name":"a"} x`, false},
		{"comma behind", `{"name":"a",}`, false},
		{"unknown member", `{"name":"a","role":"admin"}`, false},
		{"unknown member inside", `{"inner":[{"n":1,"role":"admin"}]}`, false},
		{"duplicate", `{"name":"a","name":"b"}`, false},
		{"duplicate by escape", `{"name":"a","\u006eame":"b"}`, false},
		{"duplicate inside", `{"inner":[{"n":1,"n":2}]}`, false},
		{"duplicate in free JSON", `{"free":{"a":1,"a":2}}`, false},
		{"other case", `{"Name":"a"}`, false},
		{"other case beside", `{"name":"a","NAME":"b"}`, false},
		{"long s", "{\"maybe\":true,\"in\u017fide\":1}", false},
		{"Kelvin sign", "{\"\u212aind\":1}", false},
		{"wrong type", `{"name":1}`, false},
		{"wrong shape", `{"inner":{"n":1}}`, false},
		{"array at the top", `[{"name":"a"}]`, false},
		{"null at the top", `null`, true},
		{"number too large", `{"inner":[{"n":1e999}]}`, false},
		{"fraction for a whole number", `{"inner":[{"n":1.5}]}`, false},
		{"NaN", `{"inner":[{"n":NaN}]}`, false},
		{"broken UTF-8", "{\"name\":\"\xff\"}", false},
		{"lone surrogate", `{"name":"\ud800"}`, false}, {"low surrogate first", `{"name":"\udc00\ud800"}`, false}, {"surrogate and text", `{"name":"\ud83dx"}`, false},
		{"a pair", `{"name":"\ud83d\ude00"}`, true}, {"an escaped backslash", `{"name":"\\ud800"}`, true},
		{"NUL", `{"name":"a\u0000b"}`, false},
		{"NUL in a name", `{"a\u0000":1}`, false},
		{"thirty deep", deep(30), true},
		{"thirty-three deep", deep(33), false},
		{"a hundred thousand deep", deep(100_000), false},
		{"byte order mark", "\ufeff{}", false},
	} {
		var v sample
		err := readJSON(&Request{body: []byte(c.body)}, &v)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v, want accepted %v", c.name, err, c.ok)
		}
		if err != nil && (err.Code != CodeInvalidBody || err.response("en", "x").Status != 400) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	var v sample
	if err := readJSON(&Request{body: []byte(`{"name":"清河","inner":[{"n":7}],"free":{"B":[1]},"maybe":false}`)}, &v); err != nil ||
		v.Name != "清河" || len(v.Inner) != 1 || v.Inner[0].N != 7 || string(v.Free) != `{"B":[1]}` || v.Maybe == nil || *v.Maybe {
		t.Errorf("%+v, %v", v, err)
	}
}

// FuzzJSON: whatever is accepted means the same to the standard decoder.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"name":"a"}`, `{"inner":[{"n":1}]}`, `{"free":{"a":[]}}`, `[`, `{"name":"a","name":"b"}`, `{"many":{"a":1}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var strict, lenient sample
		if err := readJSON(&Request{body: body}, &strict); err != nil {
			return
		}
		if err := json.Unmarshal(body, &lenient); err != nil {
			t.Fatalf("%q is accepted and the standard decoder says %v", body, err)
		}
		if strict.Name != lenient.Name || len(strict.Inner) != len(lenient.Inner) {
			t.Fatalf("%q is read in two ways", body)
		}
	})
}
