package census

import (
	"context"
	"strings"
	"testing"
)

// A single file is tested against the area of the house, as a package is against
// the area it names.
func TestSingleFileLiesInTheHomeArea(t *testing.T) {
	h := newHouse(t)
	ctx := context.Background()
	const rows = "编号,名称,经度,纬度\n1,在内,119.25,34.15\n2,未填,0,0\n3,写反,34.15,119.25\n4,在外,100,30\n"
	opt := FileOptions{Layer: "facilities"}
	r := h.file(t, write(t, "a.csv", rows), opt)
	wantCounts(t, r, Counts{Read: 4, Accepted: 2, Quarantined: 2, Inserted: 2}) // no area is known yet
	hasRule(t, r, Quarantined, RuleNullIsland, 1)
	r = h.file(t, write(t, "zero.geojson", `{"type":"Feature","properties":{"code":"z"},"geometry":{"type":"Point","coordinates":[0,0]}}`), opt)
	hasRule(t, r, Quarantined, RuleNullIsland, 1)
	// The boundaries themselves may lie anywhere.
	unit := func(code, box string) string {
		return `{"type":"Feature","properties":{"code":"` + code + `","name":"县` + code + `","rank":3},"geometry":{"type":"Polygon","coordinates":[` + box + `]}}`
	}
	near, far := "[[119,34],[119.5,34],[119.5,34.5],[119,34.5],[119,34]]", "[[99.5,29.5],[100.5,29.5],[100.5,30.5],[99.5,30.5],[99.5,29.5]]"
	wantCounts(t, h.file(t, write(t, "u.geojson", unit("990100", near)), FileOptions{Layer: "admin"}), Counts{Read: 1, Accepted: 1, Inserted: 1})
	r = h.file(t, write(t, "b.csv", rows), opt)
	wantCounts(t, r, Counts{Read: 4, Accepted: 1, Quarantined: 3, Inserted: 1})
	hasRule(t, r, Quarantined, RuleOutside, 1)
	hasRule(t, r, Quarantined, RuleSwapped, 1)
	wantCounts(t, h.file(t, write(t, "v.geojson", unit("990200", far)), FileOptions{Layer: "admin"}), Counts{Read: 1, Accepted: 1, Inserted: 1})
	wantCounts(t, h.file(t, write(t, "c.csv", rows), opt), Counts{Read: 4, Accepted: 2, Quarantined: 2, Inserted: 2}) // two units, none chosen
	if _, err := h.conn.Exec(ctx, `update setting set value = '{"code": "990100", "title": "x"}' where key = 'home'`); err != nil {
		t.Fatal(err)
	}
	r = h.file(t, write(t, "d.csv", "编号,名称,经度,纬度\n1,在内,119.25,34.15\n4,在外,100,30\n5,也写反,34.2,119.2\n"), opt)
	wantCounts(t, r, Counts{Read: 3, Accepted: 1, Quarantined: 2, Inserted: 1})
	hasRule(t, r, Quarantined, RuleOutside, 1)
	// The demo county is nobody's area.
	if _, err := h.conn.Exec(ctx, `update dataset set demo = true where id in (select dataset from admin)`); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, h.file(t, write(t, "demo.csv", "编号,名称,经度,纬度\n1,在外,100,30\n"), opt), Counts{Read: 1, Accepted: 1, Inserted: 1})
	if _, err := h.conn.Exec(ctx, `update dataset set demo = false`); err != nil {
		t.Fatal(err)
	}
	// Both numbers could be latitudes, but only turned round do they lie at home.
	if _, err := h.conn.Exec(ctx, `delete from admin`); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, h.file(t, write(t, "w.geojson", unit("990100", "[[76,39],[77,39],[77,40],[76,40],[76,39]]")), FileOptions{Layer: "admin"}), Counts{Read: 1, Accepted: 1, Inserted: 1})
	r = h.file(t, write(t, "e.csv", "编号,名称,经度,纬度\n1,写反,39.5,76.5\n"), opt)
	hasRule(t, r, Quarantined, RuleSwapped, 1)
	for _, i := range r.Issues {
		if i.Rule == RuleSwapped && !strings.Contains(i.Message, "经纬度疑似写反") {
			t.Error(i.Message)
		}
	}
}
