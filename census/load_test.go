package census

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/paulmach/orb"
)

func seqOf(fs ...Feature) iter.Seq2[Feature, error] {
	return func(yield func(Feature, error) bool) {
		for _, f := range fs {
			f.Fields = cloneMap(f.Fields) // a run may add to it
			if !yield(f, nil) {
				return
			}
		}
	}
}

func cloneMap(m map[string]any) map[string]any { return mergeMaps(m, nil) }

func shelter(key string, capacity int) Feature {
	return Feature{Layer: "shelters", Key: key, Code: "990100", Geometry: orb.Point{119.25, 34.15},
		Fields: map[string]any{"name": "避难场所" + key, "class": "short", "capacity": capacity, "来源说明": "台账"}}
}

func (h *house) load(t *testing.T, opt LoadOptions, fs ...Feature) Report {
	t.Helper()
	r, err := h.Load(context.Background(), Dataset{Name: "test"}, seqOf(fs...), opt)
	for try := 0; isTimeout(err) && try < 5; try++ {
		// The cancel request of the run before may reach its connection late.
		r, err = h.Load(context.Background(), Dataset{Name: "test"}, seqOf(fs...), opt)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !r.Counts.Balanced() {
		t.Errorf("read is not accepted + rejected + quarantined: %+v", r.Counts)
	}
	if n := one[int64](t, h, `select count(*) from staging.import_row`); n != 0 {
		t.Errorf("%d rows were left in staging", n)
	}
	return r
}

func wantCounts(t *testing.T, r Report, want Counts) {
	t.Helper()
	if r.Counts != want {
		t.Errorf("%+v, want %+v; issues %v", r.Counts, want, r.Issues)
	}
}

func TestLoadIsRepeatable(t *testing.T) {
	h := newHouse(t)
	a, b, c := shelter("a", 100), shelter("b", 200), shelter("c", 300)
	wantCounts(t, h.load(t, LoadOptions{}, a, b, c), Counts{Read: 3, Accepted: 3, Inserted: 3})
	if got := one[string](t, h, `select attrs->>'来源说明' || '/' || scope::text || '/' || capacity from shelters where source_key = 'a'`); got != "台账/[1990100000000000,1990101000000000)/100" {
		t.Error(got)
	}
	before := one[int64](t, h, `select count(*) from change_log`)
	wantCounts(t, h.load(t, LoadOptions{}, a, b, c), Counts{Read: 3, Accepted: 3, Unchanged: 3})
	if after := one[int64](t, h, `select count(*) from change_log`); after != before {
		t.Errorf("an import that changed nothing left %d rows in the feed", after-before)
	}
	// Even what people changed or deleted since is left alone by the same file.
	if _, err := h.conn.Exec(context.Background(), `update shelters set capacity = 111 where source_key = 'a'; delete from shelters where source_key = 'c'`); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, h.load(t, LoadOptions{}, a, b, c), Counts{Read: 3, Accepted: 3, Unchanged: 3})
	if n := one[int](t, h, `select capacity from shelters where source_key = 'a'`); n != 111 {
		t.Errorf("the edit was overwritten by an unchanged file: %d", n)
	}
	if n := one[int64](t, h, `select count(*) from shelters`); n != 2 {
		t.Errorf("%d rows", n)
	}
}

func TestUpdateReplaceAndFieldVerified(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	a, b, c, d := shelter("a", 100), shelter("b", 200), shelter("c", 300), shelter("d", 400)
	h.load(t, LoadOptions{}, a, b, c, d)
	if _, err := h.conn.Exec(ctx, `update shelters set field_verified_at = now() where source_key in ('a', 'd')`); err != nil {
		t.Fatal(err)
	}
	a2, b2 := shelter("a", 101), shelter("b", 201)
	bad := shelter("c", 300)
	bad.Code = "12" + "3" // no code has three digits: quarantined, not vanished
	r := h.load(t, LoadOptions{Mode: Replace}, a2, b2, bad)
	wantCounts(t, r, Counts{Read: 3, Accepted: 1, Quarantined: 2, Updated: 1})
	if got := one[string](t, h, `select string_agg(source_key || capacity, ' ' order by source_key) from shelters`); got != "a100 b201 c300 d400" {
		t.Errorf("after a replace without accepted differences: %s", got)
	}
	rules := map[string]Kind{}
	for _, i := range r.Issues {
		rules[i.Rule+"/"+i.Key] = i.Kind
	}
	if rules["field_verified/a"] != Quarantined || rules["field_verified/d"] != Warning || rules["admin_code/c"] != Quarantined {
		t.Errorf("%v", rules)
	}
	r = h.load(t, LoadOptions{Mode: Replace, Accept: true}, a2, b2)
	wantCounts(t, r, Counts{Read: 2, Accepted: 2, Updated: 1, Unchanged: 1, Deleted: 2})
	if got := one[string](t, h, `select string_agg(source_key || capacity, ' ' order by source_key) from shelters`); got != "a101 b201" {
		t.Errorf("after the differences were accepted: %s", got)
	}
}

func TestRevert(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	first := h.load(t, LoadOptions{}, shelter("a", 100), shelter("b", 200), shelter("c", 300), shelter("e", 500))
	second := h.load(t, LoadOptions{Mode: Replace}, shelter("a", 101), shelter("b", 201), shelter("d", 400))
	wantCounts(t, second, Counts{Read: 3, Accepted: 3, Inserted: 1, Updated: 2, Deleted: 2})
	if _, err := h.conn.Exec(ctx, `update shelters set name = 'changed' where source_key = 'b'`); err != nil {
		t.Fatal(err)
	}
	out, err := h.Revert(ctx, second.ID(), "")
	if err != nil {
		t.Fatal(err)
	}
	if out.Removed != 1 || out.Restored != 1 || out.Returned != 2 || len(out.Kept) != 1 || out.Kept[0].Key != "b" || out.Kept[0].Name != "changed" {
		t.Errorf("%+v", out)
	}
	if got := one[string](t, h, `select string_agg(source_key || capacity, ' ' order by source_key) from shelters`); got != "a100 b201 c300 e500" {
		t.Error(got)
	}
	if _, err := h.Revert(ctx, second.ID(), ""); err == nil {
		t.Error("a run was reverted twice")
	}
	// The keys are those of the first run again: its file changes nothing but b.
	again := h.load(t, LoadOptions{}, shelter("a", 100), shelter("c", 300), shelter("e", 500))
	wantCounts(t, again, Counts{Read: 3, Accepted: 3, Unchanged: 3})
	if out, err = h.Revert(ctx, first.ID(), ""); err != nil || out.Removed != 0 || len(out.Kept) != 4 {
		// a, c and e have newer versions through the later runs, b was edited.
		t.Errorf("%+v %v", out, err)
	}
	for _, id := range []string{"", "x", "00000000-0000-7000-8000-000000000000"} {
		if _, err := h.Revert(ctx, id, ""); err == nil {
			t.Errorf("%q reverted", id)
		}
	}
}

// A row only the schema can judge is found among thousands, and its neighbours go
// in; every chunk leaves one row in the feed.
func TestBadRowsDoNotHoldGoodOnes(t *testing.T) {
	h := newHouse(t)
	var fs []Feature
	for i := range 3000 {
		f := Feature{Layer: "buildings", Key: fmt.Sprint(i), Code: "990100", Geometry: orb.Point{119 + float64(i)*1e-4, 34}, Fields: map[string]any{"floors": 5}}
		switch i {
		case 7:
			f.Fields["floors"] = 999 // the table allows 200
		case 1500:
			f.Geometry = orb.LineString{{119, 34}, {120, 35}} // no line is a building
		case 2999:
			f.Fields["persons"] = -1
		}
		fs = append(fs, f)
	}
	r := h.load(t, LoadOptions{}, fs...)
	wantCounts(t, r, Counts{Read: 3000, Accepted: 2997, Quarantined: 3, Inserted: 2997})
	var rows []int64
	for _, i := range r.Issues {
		rows = append(rows, i.Row)
		if i.Original == nil || strings.Contains(i.Message, "999") {
			t.Errorf("issue %+v", i)
		}
	}
	slices.Sort(rows)
	if !slices.Equal(rows, []int64{8, 1501, 3000}) {
		t.Errorf("rows %v", rows)
	}
	if n := one[int64](t, h, `select count(*) from change_log where layer = 'buildings' and op <> 'B'`); n != 0 {
		t.Errorf("%d single rows in the feed", n)
	}
	if n := one[int64](t, h, `select coalesce(sum(row_count), 0) from change_log where layer = 'buildings'`); n != 2997 {
		t.Errorf("the feed speaks of %d rows", n)
	}
	if n := one[int64](t, h, `select count(*) from import_issue where kind = 'quarantined'`); n != 3 {
		t.Errorf("%d issues written down", n)
	}
}

func TestDoubles(t *testing.T) {
	h := newHouse(t)
	a, same, other := shelter("a", 1), shelter("a", 1), shelter("a", 2)
	r := h.load(t, LoadOptions{}, a, same, other)
	wantCounts(t, r, Counts{Read: 3, Accepted: 1, Rejected: 1, Quarantined: 1, Inserted: 1})
	x := shelter("", 5)
	r = h.load(t, LoadOptions{}, x, x, x)
	wantCounts(t, r, Counts{Read: 3, Accepted: 3, Inserted: 3})
	if n := r.Rules[RuleCount{Rule: RuleDuplicateRow, Kind: Warning}]; n != 2 {
		t.Errorf("%d doubles flagged", n)
	}
	wantCounts(t, h.load(t, LoadOptions{}, x, x, x), Counts{Read: 3, Accepted: 3, Unchanged: 3})
}

func TestRemove(t *testing.T) {
	h := newHouse(t)
	h.load(t, LoadOptions{}, shelter("a", 1), shelter("b", 2))
	n, err := h.Remove(context.Background(), "test", "")
	if err != nil || n["shelters"] != 2 {
		t.Fatal(n, err)
	}
	for _, table := range []string{"shelters", "import", "import_key", "import_change", "import_issue", "dataset"} {
		if n := one[int64](t, h, `select count(*) from `+table); n != 0 {
			t.Errorf("%d rows left in %s", n, table)
		}
	}
}

func TestLoadStopsCleanly(t *testing.T) {
	h := newHouse(t)
	broken := func(yield func(Feature, error) bool) {
		for i := range 5000 {
			if !yield(shelter(fmt.Sprint(i), i), nil) {
				return
			}
		}
		yield(Feature{}, fmt.Errorf("the source broke off"))
	}
	r, err := h.Load(context.Background(), Dataset{Name: "test"}, broken, LoadOptions{Mode: Replace})
	if err == nil || r.Counts.Accepted != 0 {
		t.Errorf("%v %+v", err, r.Counts)
	}
	if n := one[int64](t, h, `select (select count(*) from shelters) + (select count(*) from staging.import_row)`); n != 0 {
		t.Errorf("%d rows of a source that broke off", n)
	}
	if s := one[string](t, h, `select state || message from import`); !strings.HasPrefix(s, "failed") {
		t.Error(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	stopping := func(yield func(Feature, error) bool) {
		for {
			if n++; n == 3000 {
				cancel()
			}
			if !yield(shelter(fmt.Sprint(n), n), nil) {
				return
			}
		}
	}
	if _, err := h.Load(ctx, Dataset{Name: "test"}, stopping, LoadOptions{}); err == nil {
		t.Error("a cancelled run succeeded")
	}
	// The lock is free again.
	wantCounts(t, h.load(t, LoadOptions{}, shelter("a", 1)), Counts{Read: 1, Accepted: 1, Inserted: 1})
	if _, err := h.Load(context.Background(), Dataset{Name: "x", Classification: "秘密"}, seqOf(), LoadOptions{}); err == nil {
		t.Error("secret data was accepted")
	}
}

// A run that dies between two chunks is simply run again: nothing is lost, nothing
// doubled, and what the dead run did can still be told from the rest.
func TestInterruptedRunGoesOn(t *testing.T) {
	h := newHouse(t)
	var fs []Feature
	for i := range 6000 {
		fs = append(fs, shelter(fmt.Sprint(i), i))
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err := h.Load(ctx, Dataset{Name: "test"}, seqOf(fs...), LoadOptions{Progress: func(p Progress) {
		if p.Stage == "accept" {
			cancel() // after the first chunk
		}
	}})
	if err == nil {
		t.Fatal("the run was not interrupted")
	}
	done := one[int64](t, h, `select count(*) from shelters`)
	if done == 0 || done >= 6000 {
		t.Fatalf("%d rows moved: nothing was interrupted", done)
	}
	r := h.load(t, LoadOptions{}, fs...)
	wantCounts(t, r, Counts{Read: 6000, Accepted: 6000, Inserted: 6000 - done, Unchanged: done})
	if n := one[int64](t, h, `select max(row_count) from change_log where layer = 'shelters'`); n > 5000 {
		t.Errorf("a chunk of %d rows", n)
	}
}

func TestTwoRunsOfOneDatasetExcludeEachOther(t *testing.T) {
	h := newHouse(t)
	var inner error
	outer := func(yield func(Feature, error) bool) {
		_, inner = h.Load(context.Background(), Dataset{Name: "test"}, seqOf(shelter("b", 1)), LoadOptions{})
		yield(shelter("a", 1), nil)
	}
	if _, err := h.Load(context.Background(), Dataset{Name: "test"}, outer, LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(inner, ErrBusy) {
		t.Errorf("%v", inner)
	}
}

// The limits are a rule set: the bureau may lower them, never raise them beyond
// what is safe.
func TestLimitsAreRules(t *testing.T) {
	h := newHouse(t)
	if _, err := h.conn.Exec(context.Background(), `insert into rule_set (rule, version, title_zh, title_en, body)
		values ('import_limits', 9, 'x', 'x', '{"max_vertices": 4, "max_crossings": 999999, "chunk_rows": 2}')`); err != nil {
		t.Fatal(err)
	}
	cat, err := h.store.catalogue(context.Background())
	if err != nil || cat.limits != (limits{vertices: 4, crossings: 2000, chunk: 2}) {
		t.Fatalf("%+v %v", cat.limits, err)
	}
	big := shelter("big", 1)
	big.Geometry = orb.LineString{{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}
	r := h.load(t, LoadOptions{}, shelter("a", 1), shelter("b", 1), shelter("c", 1), big)
	wantCounts(t, r, Counts{Read: 4, Accepted: 3, Quarantined: 1, Inserted: 3})
	if n := one[int64](t, h, `select max(row_count) from change_log where layer = 'shelters'`); n != 2 {
		t.Errorf("chunks of %d rows", n)
	}
}
