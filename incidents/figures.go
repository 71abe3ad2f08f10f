package incidents

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Figures are what an incident cost. A nil one is not known, which is never nought.
type Figures struct {
	Deaths, Missing, Injured, Affected, Evacuated *int
	LossWan                                       *float64
}

// figureNames in the order they are told.
func figureNames() []string {
	return []string{"deaths", "missing", "injured", "affected", "evacuated", "loss_wan"}
}

func (f *Figures) counts() map[string]**int {
	return map[string]**int{"deaths": &f.Deaths, "missing": &f.Missing, "injured": &f.Injured, "affected": &f.Affected, "evacuated": &f.Evacuated}
}

// value is a figure by its name.
func (f Figures) value(name string) (float64, bool) {
	if name == "loss_wan" {
		if f.LossWan == nil {
			return 0, false
		}
		return *f.LossWan, true
	}
	c, ok := f.counts()[name]
	if !ok || *c == nil {
		return 0, false
	}
	return float64(**c), true
}

// Empty says whether nothing is known.
func (f Figures) Empty() bool {
	return !slices.ContainsFunc(figureNames(), func(n string) bool { _, ok := f.value(n); return ok })
}

// over are the figures with those of n where it has them.
func (f Figures) over(n Figures) Figures {
	into, from := f.counts(), n.counts()
	for name, v := range from {
		if *v != nil {
			*into[name] = *v
		}
	}
	if n.LossWan != nil {
		f.LossWan = n.LossWan
	}
	return f
}

// maps are the known figures by name, for what is stored as JSON.
func (f Figures) maps() map[string]float64 {
	out := map[string]float64{}
	for _, n := range figureNames() {
		if v, ok := f.value(n); ok {
			out[n] = v
		}
	}
	return out
}

// maxPersons is what the database's integer holds with room to spare.
const maxPersons = 100_000_000

func (f Figures) check(faults *faults) {
	for _, n := range figureNames() {
		v, ok := f.value(n)
		if ok && (math.IsNaN(v) || v < 0 || v > maxPersons) {
			faults.add("figures/"+n, "out_of_range", "须为不小于 0 的合理数字", "a number that can be, 0 or more")
		}
	}
}

// readFigures reads what figures of an entry were stored as.
func readFigures(b []byte) (Figures, error) {
	var m map[string]float64
	var f Figures
	if len(b) == 0 {
		return f, nil
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return f, fmt.Errorf("incidents: figures: %w", err)
	}
	for name, into := range f.counts() {
		if v, ok := m[name]; ok {
			n := int(v)
			*into = &n
		}
	}
	if v, ok := m["loss_wan"]; ok {
		f.LossWan = &v
	}
	return f, nil
}
