package papers_test

import (
	"strings"
	"testing"

	"onemap/incidents/papers"
	"onemap/internal/auth"
)

// TestADrillTakesNoNumber: the papers of exercises are counted apart.
func TestADrillTakesNoNumber(t *testing.T) {
	h := open(t)
	officer, second, approver := h.as("officer", auth.DutyOfficer, countyA), h.as("second", auth.DutyOfficer, countyA), h.as("approver", auth.Approver, countyA)
	sign := func(drill bool) string {
		t.Helper()
		p, err := h.s.Create(t.Context(), officer, h.newID(), papers.New{Kind: papers.Flash, Title: "快报", Area: countyA, Addressee: "市应急局", Exercise: drill,
			Blocks: []papers.Block{{Key: "facts", Title: "一、基本情况", Text: "死亡 {deaths}。"}}})
		if err != nil {
			t.Fatal(err)
		}
		if p, err = h.s.Step(t.Context(), second, p.ID, p.Version, papers.Step{To: papers.Reviewed}); err != nil {
			t.Fatal(err)
		}
		if p, err = h.s.Step(t.Context(), approver, p.ID, p.Version, papers.Step{To: papers.Signed, Figures: figures(1)}); err != nil {
			t.Fatal(err)
		}
		return p.Number
	}
	before, drill, after := sign(false), sign(true), sign(false)
	if !strings.HasPrefix(drill, "YL-KB-990100-") || !strings.HasSuffix(before, "-001") || !strings.HasSuffix(after, "-002") {
		t.Errorf("%s, the exercise %s, %s", before, drill, after)
	}
}
