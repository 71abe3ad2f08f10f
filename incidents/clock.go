package incidents

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"onemap/internal/registry"
)

// ClockRule is one deadline of the rule set incident_clocks.
type ClockRule struct {
	Name    string `json:"name"`
	TitleZH string `json:"title_zh"`
	TitleEN string `json:"title_en"`
	// Start is occurred_at, known_at, closed_at, responding_at or phone_report: when the
	// first report by telephone was made.
	Start   string `json:"start"`
	Minutes int    `json:"minutes"`
	Days    int    `json:"days"` // to the end of the n-th day
	// MaxLevel lets it run for this level and worse; LevelUnknown also while no level is
	// known: until somebody has confirmed that it is less, the duty to report is assumed.
	MaxLevel     int      `json:"max_level"`
	LevelUnknown bool     `json:"level_unknown"`
	Kinds        []string `json:"kinds"`
	NotKinds     []string `json:"not_kinds"`
	FromLevel    string   `json:"from_level"`
	ToLevel      string   `json:"to_level"`
	Done         struct {
		Kinds   []string `json:"kinds"` // of reports, any where empty
		Channel string   `json:"channel"`
		Mark    bool     `json:"mark"` // somebody says so
	} `json:"done"`
}

// ClockRules are all of them.
type ClockRules struct {
	Version  int
	Standard string
	Verified bool
	Clocks   []ClockRule
}

var clockName = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)

// ranks are the levels of command from below.
func ranks() []string { return []string{"township", "county", "city", "province", "state"} }

// ParseClockRules reads the rule set.
func ParseClockRules(body []byte) (ClockRules, error) {
	var b struct {
		Clocks []ClockRule `json:"clocks"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return ClockRules{}, fmt.Errorf("incidents: rule set incident_clocks: %w", err)
	}
	seen := map[string]bool{}
	for _, c := range b.Clocks {
		starts := []string{"occurred_at", "known_at", "closed_at", "responding_at", "phone_report"}
		switch {
		case !clockName.MatchString(c.Name) || seen[c.Name]:
			return ClockRules{}, fmt.Errorf("incidents: rule set incident_clocks: name %.40q", c.Name)
		case !slices.Contains(starts, c.Start):
			return ClockRules{}, fmt.Errorf("incidents: rule set incident_clocks: %s begins at %.40q", c.Name, c.Start)
		case c.Minutes < 0 || c.Days < 0 || (c.Minutes > 0) == (c.Days > 0) || c.Minutes > 60*24*366 || c.Days > 3660:
			return ClockRules{}, fmt.Errorf("incidents: rule set incident_clocks: %s has minutes or days", c.Name)
		case c.MaxLevel < 0 || c.MaxLevel > 4:
			return ClockRules{}, fmt.Errorf("incidents: rule set incident_clocks: %s is for level %d", c.Name, c.MaxLevel)
		case !slices.Contains(ranks(), c.FromLevel) || !slices.Contains(ranks(), c.ToLevel):
			return ClockRules{}, fmt.Errorf("incidents: rule set incident_clocks: %s goes from %.20q to %.20q", c.Name, c.FromLevel, c.ToLevel)
		}
		seen[c.Name] = true
	}
	return ClockRules{Clocks: b.Clocks}, nil
}

func clockRulesOf(snap *registry.Snapshot) (ClockRules, error) {
	rs, ok := snap.Rules["incident_clocks"]
	if !ok {
		return ClockRules{}, nil
	}
	r, err := ParseClockRules(rs.Body)
	r.Version, r.Standard, r.Verified = rs.Version, rs.Standard, rs.Verified
	return r, err
}

// Clock is a deadline of an incident: running, done in time, or late. What has ended was
// written down then and is not computed anew.
type Clock struct {
	Name, TitleZH, TitleEN string
	StartsAt, DueAt        time.Time
	DoneAt                 *time.Time
	Late, Chosen           bool
	FromLevel, ToLevel     string
	Note                   string
	Mark                   bool // ends when somebody says so
	kept                   bool
}

// sent is a report upwards, as a clock sees it.
type sent struct {
	Kind    string    `json:"kind"`
	Channel string    `json:"channel"`
	ToLevel string    `json:"to_level"`
	At      time.Time `json:"at"`
}

// kept is a row of incident_clock.
type kept struct {
	Name     string     `json:"name"`
	StartsAt time.Time  `json:"starts_at"`
	DueAt    time.Time  `json:"due_at"`
	DoneAt   *time.Time `json:"done_at"`
	Late     *bool      `json:"late"`
	Chosen   bool       `json:"chosen"`
	Note     *string    `json:"note"`
}

// facts are what the clocks of an incident depend on.
type facts struct {
	Kind, State            string
	Level                  int // confirmed, else proposed, else 0
	OccurredAt, KnownAt    *time.Time
	ClosedAt, RespondingAt *time.Time
	ArchivedAt             *time.Time
	Sent                   []sent
	Kept                   []kept
}

func (c ClockRule) applies(f facts) bool {
	if len(c.Kinds) > 0 && !slices.Contains(c.Kinds, f.Kind) || slices.Contains(c.NotKinds, f.Kind) {
		return false
	}
	if c.MaxLevel == 0 {
		return true
	}
	return f.Level > 0 && f.Level <= c.MaxLevel || f.Level == 0 && c.LevelUnknown
}

func (c ClockRule) start(f facts) *time.Time {
	switch c.Start {
	case "occurred_at":
		if f.OccurredAt == nil {
			return f.KnownAt // when it happened is not known yet
		}
		return f.OccurredAt
	case "known_at":
		return f.KnownAt
	case "closed_at":
		return f.ClosedAt
	case "responding_at":
		return f.RespondingAt
	}
	return earliest(f.Sent, func(s sent) bool { return s.Channel == "phone" })
}

func earliest(list []sent, fits func(sent) bool) *time.Time {
	var out *time.Time
	for _, s := range list {
		if fits(s) && (out == nil || s.At.Before(*out)) {
			at := s.At
			out = &at
		}
	}
	return out
}

// done is when reports ended the clock.
func (c ClockRule) done(f facts) *time.Time {
	if c.Done.Mark {
		return nil
	}
	return earliest(f.Sent, func(s sent) bool {
		return (len(c.Done.Kinds) == 0 || slices.Contains(c.Done.Kinds, s.Kind)) && (c.Done.Channel == "" || c.Done.Channel == s.Channel) &&
			slices.Index(ranks(), s.ToLevel) >= slices.Index(ranks(), c.ToLevel)
	})
}

// due is the end of a clock that begins at start.
func (c ClockRule) due(start time.Time, zone *time.Location) time.Time {
	if c.Days > 0 {
		y, m, d := start.In(zone).Date()
		return time.Date(y, m, d+c.Days+1, 0, 0, 0, 0, zone).Add(-time.Second).UTC()
	}
	return start.Add(time.Duration(c.Minutes) * time.Minute)
}

// clocks are the deadlines of an incident at a moment.
func clocks(rules ClockRules, f facts, zone *time.Location, now time.Time) []Clock {
	if f.ArchivedAt != nil {
		now = *f.ArchivedAt // as it was put away
	}
	var out []Clock
	for _, c := range rules.Clocks {
		one := Clock{Name: c.Name, TitleZH: c.TitleZH, TitleEN: c.TitleEN, FromLevel: c.FromLevel, ToLevel: c.ToLevel, Mark: c.Done.Mark}
		i := slices.IndexFunc(f.Kept, func(k kept) bool { return k.Name == c.Name })
		var start *time.Time
		if i >= 0 {
			k := f.Kept[i]
			if k.Note != nil {
				one.Note = *k.Note
			}
			if k.DoneAt != nil {
				one.StartsAt, one.DueAt, one.DoneAt, one.Late, one.Chosen, one.kept = k.StartsAt, k.DueAt, k.DoneAt, k.Late != nil && *k.Late, k.Chosen, true
				out = append(out, one)
				continue
			}
			start, one.Chosen = &k.StartsAt, k.Chosen
		}
		if !c.applies(f) || f.State == Merged {
			continue
		}
		if start == nil {
			start = c.start(f)
		}
		if start == nil {
			continue
		}
		one.StartsAt, one.DueAt, one.DoneAt = *start, c.due(*start, zone), c.done(f)
		switch {
		case one.DoneAt == nil:
			one.Late = now.After(one.DueAt)
		default:
			one.Late = one.DoneAt.After(one.DueAt)
		}
		out = append(out, one)
	}
	for _, k := range f.Kept { // of a rule that is gone
		if k.DoneAt != nil && !slices.ContainsFunc(rules.Clocks, func(c ClockRule) bool { return c.Name == k.Name }) {
			out = append(out, Clock{Name: k.Name, TitleZH: k.Name, TitleEN: k.Name, StartsAt: k.StartsAt, DueAt: k.DueAt, DoneAt: k.DoneAt, Late: k.Late != nil && *k.Late, Chosen: k.Chosen, kept: true})
		}
	}
	return out
}
