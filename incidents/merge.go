package incidents

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/registry"
)

// Likeness is an incident that may be the same as another.
type Likeness struct {
	Incident     Incident
	DistanceM    *float64 // nil: one of them is not on the map
	MinutesApart float64  // negative: it was known before
}

// DuplicateQuery says what is compared: a kind, a time, and a place on the map or in words.
type DuplicateQuery struct {
	Kind, Place string
	At          time.Time
	Where       *orb.Point
	Exercise    bool
	Except      string
}

// duplicateRule is the rule set incident_duplicates.
type duplicateRule struct {
	RadiusM float64 `json:"radius_m"`
	Hours   int     `json:"hours"`
}

func duplicateRuleOf(snap *registry.Snapshot) (duplicateRule, error) {
	r := duplicateRule{RadiusM: 500, Hours: 6}
	rs, ok := snap.Rules["incident_duplicates"]
	if !ok {
		return r, nil
	}
	if err := json.Unmarshal(rs.Body, &r); err != nil {
		return r, fmt.Errorf("incidents: rule set incident_duplicates: %w", err)
	}
	if r.RadiusM <= 0 || r.RadiusM > 100_000 || r.Hours < 1 || r.Hours > 240 {
		return r, fmt.Errorf("incidents: rule set incident_duplicates: %g m, %d hours", r.RadiusM, r.Hours)
	}
	return r, nil
}
