package incidents

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"onemap/internal/registry"
)

// levelPrefix begins the names of the rule sets that grade incidents: of a class by its
// name, of single kinds by any other.
const levelPrefix = "incident_level_"

// LevelRule grades by figures: each criterion has the bounds of levels 1 to 4, "以上" is
// inclusive, any one of them suffices and the worst counts. A criterion may be a sum.
type LevelRule struct {
	Rule     string
	Version  int
	Standard string
	Verified bool
	Kinds    []string
	Criteria map[string][]float64
}

// Reason is why a level is proposed: what a criterion says.
type Reason struct {
	Criterion string  `json:"criterion"`
	Value     float64 `json:"value"`
	Level     int     `json:"level"`
}

// ParseLevelRule reads a rule set that grades.
func ParseLevelRule(name string, body []byte) (LevelRule, error) {
	var b struct {
		Combine  string               `json:"combine"`
		Lower    string               `json:"lower_bound"`
		Kinds    []string             `json:"kinds"`
		Criteria map[string][]float64 `json:"criteria"`
	}
	r := LevelRule{Rule: name}
	if err := json.Unmarshal(body, &b); err != nil {
		return r, fmt.Errorf("incidents: rule set %s: %w", name, err)
	}
	if b.Combine != "worst" || b.Lower != "inclusive" || len(b.Criteria) == 0 {
		return r, fmt.Errorf("incidents: rule set %s: the worst of inclusive criteria is what is understood", name)
	}
	for c, bounds := range b.Criteria {
		for part := range strings.SplitSeq(c, "+") {
			if !slices.Contains(figureNames(), part) {
				return r, fmt.Errorf("incidents: rule set %s: no figure %.40q", name, part)
			}
		}
		if len(bounds) != 4 {
			return r, fmt.Errorf("incidents: rule set %s: criterion %s has %d bounds", name, c, len(bounds))
		}
		for i := range 3 {
			if bounds[i] < bounds[i+1] {
				return r, fmt.Errorf("incidents: rule set %s: criterion %s does not go down", name, c)
			}
		}
	}
	r.Kinds, r.Criteria = b.Kinds, b.Criteria
	return r, nil
}

// levelRuleOf is the rule for a kind: one that names it, else that of its class.
func levelRuleOf(snap *registry.Snapshot, class, kind string) (LevelRule, bool, error) {
	parse := func(rs registry.RuleSet) (LevelRule, error) {
		r, err := ParseLevelRule(rs.Rule, rs.Body)
		r.Version, r.Standard, r.Verified = rs.Version, rs.Standard, rs.Verified
		return r, err
	}
	var names []string
	for name := range snap.Rules {
		if strings.HasPrefix(name, levelPrefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		r, err := parse(snap.Rules[name])
		if err != nil {
			return r, false, err
		}
		if slices.Contains(r.Kinds, kind) {
			return r, true, nil
		}
	}
	rs, ok := snap.Rules[levelPrefix+class]
	if !ok || class == "" {
		return LevelRule{}, false, nil
	}
	r, err := parse(rs)
	return r, err == nil, err
}

// Propose is the level the figures give, 0 where nothing they say is known, with every
// criterion that could be asked, the worst first.
func (r LevelRule) Propose(f Figures) (int, []Reason) {
	var out []Reason
	for c, bounds := range r.Criteria {
		sum, known := 0.0, false
		for part := range strings.SplitSeq(c, "+") {
			if v, ok := f.value(part); ok {
				sum += v
				known = true
			}
		}
		if !known {
			continue
		}
		for i, b := range bounds {
			if sum >= b {
				out = append(out, Reason{c, sum, i + 1})
				break
			}
		}
	}
	slices.SortFunc(out, func(a, b Reason) int {
		if a.Level != b.Level {
			return a.Level - b.Level
		}
		return strings.Compare(a.Criterion, b.Criterion)
	})
	if len(out) == 0 {
		return 0, nil
	}
	return out[0].Level, out
}
