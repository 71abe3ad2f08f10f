package incidents

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Figures are what an incident cost, and how strong the earth shook where it was an
// earthquake. A nil one is not known, which is never nought.
type Figures struct {
	Deaths, Missing, Injured, Affected, Evacuated *int
	LossWan, Magnitude                            *float64
}

// earthquake is the kind of incident that has a magnitude.
const earthquake = "earthquake"

// figureNames in the order they are told.
func figureNames() []string {
	return []string{"magnitude", "deaths", "missing", "injured", "affected", "evacuated", "loss_wan"}
}

func (f *Figures) counts() map[string]**int {
	return map[string]**int{"deaths": &f.Deaths, "missing": &f.Missing, "injured": &f.Injured, "affected": &f.Affected, "evacuated": &f.Evacuated}
}

// measures are those that are not counted but measured.
func (f *Figures) measures() map[string]**float64 {
	return map[string]**float64{"loss_wan": &f.LossWan, "magnitude": &f.Magnitude}
}

// value is a figure by its name.
func (f Figures) value(name string) (float64, bool) {
	if m, ok := f.measures()[name]; ok {
		if *m == nil {
			return 0, false
		}
		return **m, true
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
	measured := f.measures()
	for name, v := range n.measures() {
		if *v != nil {
			*measured[name] = *v
		}
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

// maxMagnitude is above any earthquake there was.
const maxMagnitude = 10

// check looks at the figures of an incident of a kind: only an earthquake has a magnitude.
func (f Figures) check(faults *faults, kind string) {
	if m := f.Magnitude; m != nil {
		switch {
		case kind != earthquake:
			faults.add("figures/magnitude", "not_for_kind", "只有地震事件才有震级；请改事件种类，或去掉震级", "only an earthquake has a magnitude: change the kind of the incident, or leave it out")
		case math.IsNaN(*m) || *m < 0 || *m > maxMagnitude:
			faults.add("figures/magnitude", "out_of_range", "震级应在 0 到 10 之间，如 5.2", "a magnitude lies between 0 and 10, such as 5.2")
		}
		f.Magnitude = nil
	}
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
	for name, into := range f.measures() {
		if v, ok := m[name]; ok {
			*into = &v
		}
	}
	return f, nil
}
