package zoning

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"onemap/internal/report"
	"onemap/zoning/calc"
)

// TestTheRulesOfComputing: every rule set names who must verify it and nobody has; the
// matrix fits its ladders, the package is one the paper renderer reads.
func TestTheRulesOfComputing(t *testing.T) {
	w := newTable(t)
	snap := w.s.catalogue.Now()
	for _, rule := range []string{ruleIndicators, rulePrevention, "capability_weights", "zoning_classes", "delivery_package"} {
		var responsible string
		w.scan(&responsible, `select coalesce(responsible, '') from rule_set where rule = $1`, rule)
		if r, ok := snap.Rules[rule]; !ok || r.Verified || r.Version != 1 || r.Title.ZH == "" || r.Title.EN == "" || responsible == "" {
			t.Errorf("%s: %+v, answerable: %q", rule, r, responsible)
		}
	}
	var p preventionTable
	if err := json.Unmarshal(snap.Rules[rulePrevention].Body, &p); err != nil {
		t.Fatal(err)
	}
	if len(p.Matrix) != len(snap.CodeLists[p.RiskLadder].Items) || len(p.Matrix[0]) != len(snap.CodeLists[p.CapabilityLadder].Items) {
		t.Errorf("%+v", p)
	}
	for r, row := range p.Matrix {
		for c, v := range row {
			// More risk or less capability is never a milder class.
			if v < 1 || v > 3 || r > 0 && v < p.Matrix[r-1][c] || c > 0 && v > row[c-1] {
				t.Errorf("risk %d, capability %d: %d", r+1, c+1, v)
			}
		}
	}
	for _, c := range []struct{ class, dangers, want int }{{3, 0, 3}, {3, 1, 2}, {3, 3, 1}, {1, 1, 1}, {0, 5, 0}} {
		if got := p.lowered(c.class, c.dangers); got != c.want {
			t.Errorf("class %d with %d serious dangers: %d, want %d", c.class, c.dangers, got, c.want)
		}
	}
	// Where a spec names no classification, the rule does: by the hazard where the ladder is its own.
	for _, c := range []struct {
		hazard, ladder string
		want           calc.Method
	}{{"flood", "flood_4", calc.Thresholds}, {"flood", "risk_5", calc.Jenks}, {"landslide", "geology_4", calc.Jenks}} {
		got, err := w.s.checked(w.by.Identity, Plan{Kind: Risk, Hazard: c.hazard, Ladder: c.ladder}, ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{{Source: "population_density"}}})
		if err != nil || got.spec.Classify.Method != c.want {
			t.Errorf("%s by %s: %v", c.hazard, c.ladder, err)
		}
	}
	if _, err := report.ReadTemplate(snap.Rules["delivery_package"].Body); err != nil {
		t.Error(err)
	}
}

// TestTheNewLaddersCanBeToldApart: neighbours differ enough to the eye on both
// backgrounds, no colour is near a warning's, and what is prescribed in print is there.
func TestTheNewLaddersCanBeToldApart(t *testing.T) {
	w := newTable(t)
	lists := w.s.catalogue.Now().CodeLists
	var warning [][3]float64
	for _, it := range lists["warning_4"].Items {
		warning = append(warning, lab(it.Color), lab(it.ColorDark))
	}
	for id, n := range map[string]int{"geology_4": 4, "flood_4": 4, "gdp_risk_5": 5, "population_risk_5": 5, "capability_5": 5} {
		c := lists[id]
		if c == nil || !c.Ladder || len(c.Items) != n || c.Verified {
			t.Errorf("%s: %+v", id, c)
			continue
		}
		for i, it := range c.Items {
			if it.Level != i+1 || it.Title.ZH == "" || it.Title.EN == "" {
				t.Errorf("%s: %+v", id, it)
			}
			for _, dark := range []bool{false, true} {
				pick := func(k int) [3]float64 {
					if dark {
						return lab(c.Items[k].ColorDark)
					}
					return lab(c.Items[k].Color)
				}
				if i > 0 && apart(pick(i-1), pick(i)) < 12 {
					t.Errorf("%s: levels %d and %d are too near (dark %v): ΔE %.1f", id, i, i+1, dark, apart(pick(i-1), pick(i)))
				}
				for _, v := range warning {
					if e := apart(pick(i), v); e < 15 {
						t.Errorf("%s level %d (dark %v) is near a warning's colour: ΔE %.1f", id, i+1, dark, e)
					}
				}
			}
		}
	}
	for id, want := range map[string]string{"gdp_risk_5": "cmyk(15,100,85,0)", "population_risk_5": "cmyk(0,100,100,25)", "geology_4": "", "hazard_4": "cmyk(100,70,40,0)"} {
		if got := lists[id].Items[0].PrintColor; got != want {
			t.Errorf("%s: print colour %q, want %q", id, got, want)
		}
	}
}

// lab is a colour as the eye has it (CIE L*a*b*, D65).
func lab(hex string) [3]float64 {
	var r, g, b int
	if _, err := fmt.Sscanf(hex, "#%02x%02x%02x", &r, &g, &b); err != nil {
		return [3]float64{}
	}
	lin := func(v int) float64 {
		c := float64(v) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	x, y, z := lin(r), lin(g), lin(b)
	f := func(t float64) float64 {
		if t > 216./24389 {
			return math.Cbrt(t)
		}
		return (24389./27*t + 16) / 116
	}
	fx := f((0.4124564*x + 0.3575761*y + 0.1804375*z) / 0.95047)
	fy := f(0.2126729*x + 0.7151522*y + 0.0721750*z)
	fz := f((0.0193339*x + 0.1191920*y + 0.9503041*z) / 1.08883)
	return [3]float64{116*fy - 16, 500 * (fx - fy), 200 * (fy - fz)}
}

func apart(a, b [3]float64) float64 {
	return math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}
