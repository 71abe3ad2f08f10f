package audit_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"onemap/internal/audit"
	"onemap/internal/geo"
)

func everywhere() geo.Scopes { return geo.Scopes{geo.Everywhere()} }

func TestSearchFiltersAndTurnsPages(t *testing.T) {
	h := open(t)
	for i := range 25 {
		e := audit.Entry{Doer: doer(), Action: "auth.sign_in", Object: "accounts/1", Area: "990100"}
		if i%5 == 0 {
			e.Action, e.Object, e.Outcome, e.Reason = "layer.visibility", "layers/hazards", audit.Refused, "核对台账 Reason"
			e.Actor, e.Area, e.After = "li", "990200", map[string]string{"visibility": "public"}
		}
		h.record(t, e)
	}
	h.seal(t)
	h.record(t, audit.Entry{Doer: doer(), Action: "authority.x", Object: "layers2"})
	claims := audit.Reading("sun", everywhere())
	var seen []int64
	for q := (audit.Query{Limit: 10}); ; {
		p, err := h.log.Search(t.Context(), claims, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Rows {
			seen = append(seen, r.Seq)
			if r.Sealed != (r.Seq <= 25) {
				t.Errorf("entry %d sealed: %v", r.Seq, r.Sealed)
			}
		}
		if p.Head.No != 1 || p.Head.Entries != 25 {
			t.Errorf("head %+v", p.Head)
		}
		if q.Cursor = p.Next; q.Cursor == "" {
			break
		}
	}
	if len(seen) != 26 || seen[0] != 26 || seen[25] != 1 {
		t.Errorf("pages gave %v", seen)
	}
	county, _ := geo.ParseScopes("990200")
	for _, c := range []struct {
		name string
		q    audit.Query
		area geo.Scopes
		want int
	}{
		{"actor", audit.Query{Actor: "li"}, nil, 5}, {"action", audit.Query{Action: "auth"}, nil, 20}, {"exact action", audit.Query{Action: "layer.visibility"}, nil, 5},
		{"object", audit.Query{Object: "layers"}, nil, 5}, {"outcome", audit.Query{Outcome: audit.Refused}, nil, 5}, {"text", audit.Query{Text: "REASON"}, nil, 5},
		{"text in after", audit.Query{Text: `"public"`}, nil, 5}, {"nobody", audit.Query{Actor: "li'; drop table audit.entry --"}, nil, 0}, {"pattern", audit.Query{Action: "%"}, nil, 0},
		{"future", audit.Query{From: time.Now().Add(time.Hour)}, nil, 0}, {"until now", audit.Query{To: time.Now().Add(time.Hour)}, nil, 26},
		{"county", audit.Query{}, county, 5}, {"nowhere", audit.Query{}, geo.Scopes{}, 0},
	} {
		if c.area == nil {
			c.area = everywhere()
		}
		if p, err := h.log.Search(t.Context(), audit.Reading("sun", c.area), c.q); err != nil || len(p.Rows) != c.want {
			t.Errorf("%s: %d rows, %v; want %d", c.name, len(p.Rows), err, c.want)
		}
	}
	for _, bad := range []string{"-1", "0", "zzzzzzzzzzzzzzzzzz", "A", "01", " 1"} {
		if _, err := h.log.Search(t.Context(), claims, audit.Query{Cursor: bad}); !errors.Is(err, audit.ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

func TestExportsSayWhoTookThem(t *testing.T) {
	h := open(t)
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b", Object: "=cmd|' /C calc'!A0", Reason: "他说,\"好\"\n第二行", After: map[string]string{"k": "@SUM(1)"}})
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b", Object: "＝1+1"})
	h.seal(t)
	c := audit.Copy{By: "孙审计 (sun) & Co", At: time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC), Zone: time.FixedZone("CST", 8*3600), Filter: "action=a.b"}
	claims := audit.Reading("sun", everywhere())
	var text bytes.Buffer
	if n, cut, err := h.log.Export(t.Context(), claims, audit.Query{}, audit.CSV, c, &text); n != 2 || cut || err != nil {
		t.Fatal(n, cut, err)
	}
	if !strings.HasPrefix(text.String(), "\uFEFF") {
		t.Error("no mark for UTF-8")
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text.String(), "\uFEFF")))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) != 7 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if rows[1][1] != c.By || rows[2][1] != "2026-11-21 23:00:00 +08:00" || rows[3][1] != "action=a.b" || !strings.Contains(rows[0][1], "孙审计") {
		t.Errorf("head %q", rows[:4])
	}
	for _, row := range rows[5:] {
		if !strings.HasPrefix(row[11], "'") || !strings.Contains(row[20], "孙审计") {
			t.Errorf("row %q", row)
		}
	}

	var book bytes.Buffer
	if n, _, err := h.log.Export(t.Context(), claims, audit.Query{}, audit.XLSX, c, &book); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	f, err := excelize.OpenReader(&book)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	name := f.GetSheetName(0)
	got, err := f.GetRows(name)
	if err != nil || len(got) != 7 || got[6][11] != "=cmd|' /C calc'!A0" || !strings.Contains(got[0][0], "孙审计") {
		t.Errorf("rows %q %v", got, err)
	}
	if formula, err := f.GetCellFormula(name, "L7"); err != nil || formula != "" {
		t.Errorf("a formula %q %v", formula, err)
	}
	hf, err := f.GetHeaderFooter(name)
	if err != nil || hf == nil || !strings.Contains(hf.OddHeader, "孙审计") || !strings.Contains(hf.OddFooter, "&&") {
		t.Errorf("header and footer %+v %v", hf, err)
	}
	if _, _, err := h.log.Export(t.Context(), claims, audit.Query{}, "pdf", c, &book); err == nil {
		t.Error("an unknown format was written")
	}
}

func FuzzSafeCell(f *testing.F) {
	for _, s := range []string{"", "=1", " =1", "\t=1", "＝1", "a=1", "\u3000@x", "-2+3", "好", "\ufeff=1", "%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := audit.SafeCell(s)
		if !strings.HasSuffix(got, s) || len(got) > len(s)+1 {
			t.Errorf("%q became %q", s, got)
		}
		if trimmed := strings.TrimSpace(strings.Trim(got, "\ufeff\u200b")); trimmed != "" && strings.ContainsAny(fmt.Sprintf("%.1s", trimmed), "=+-@") {
			t.Errorf("%q is still a formula", got)
		}
	})
}
