package alerts

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"onemap/incidents/cap"
	"onemap/internal/registry"
)

// rules is the rule set alert_sources.
type rules struct {
	Sources []source `json:"sources"`
	Events  []event  `json:"events"`
	Goal    float64  `json:"coverage_target"`
}

type source struct {
	ID       string    `json:"id"`
	Issuer   string    `json:"issuer"`
	Senders  []string  `json:"senders"`
	Readings []reading `json:"readings"`
}

// reading takes a level out of a field: the one group of the pattern, by the table.
type reading struct {
	Field   string         `json:"field"`
	Pattern string         `json:"pattern"`
	Levels  map[string]int `json:"levels"`
}

type event struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	Hazard string `json:"hazard"`
}

func rulesOf(snap *registry.Snapshot) rules {
	var r rules
	if set, ok := snap.Rules["alert_sources"]; !ok || json.Unmarshal(set.Body, &r) != nil {
		r = rules{}
	}
	if r.Goal <= 0 || r.Goal > 1 {
		r.Goal = 0.9
	}
	return r
}

// of is the source somebody names, else the one whose senders the sender belongs to, else
// the default.
func (r rules) of(named, sender string) (source, bool) {
	var standard source
	for _, s := range r.Sources {
		if named != "" && s.ID == named {
			return s, true
		}
		if s.ID == "default" {
			standard = s
		}
		for _, domain := range s.Senders {
			if named == "" && (sender == domain || strings.HasSuffix(sender, "."+domain) || strings.HasSuffix(sender, "@"+domain)) {
				return s, true
			}
		}
	}
	if standard.ID == "" {
		standard.ID = "default"
	}
	return standard, named == "" || named == standard.ID
}

// fields are the texts a reading may look at.
func fields(i *cap.Info, name string) []string {
	switch {
	case name == "severity":
		return []string{i.Severity}
	case name == "headline":
		return []string{i.Headline}
	case name == "event":
		return []string{i.Event}
	case name == "event_code":
		out := make([]string, 0, len(i.EventCodes))
		for _, p := range i.EventCodes {
			out = append(out, p.Value)
		}
		return out
	case strings.HasPrefix(name, "parameter:"):
		var out []string
		for _, p := range i.Parameters {
			if p.Name == strings.TrimPrefix(name, "parameter:") {
				out = append(out, p.Value)
			}
		}
		return out
	}
	return nil
}

func (r reading) level(i *cap.Info) int {
	re, err := regexp.Compile(r.Pattern)
	if err != nil {
		return 0
	}
	for _, text := range fields(i, r.Field) {
		m := re.FindStringSubmatch(text)
		if len(m) == 0 {
			continue
		}
		if n := r.Levels[m[len(m)-1]]; n >= 1 && n <= 4 {
			return n
		}
	}
	return 0
}

// level is what a source's message says: its own readings first, those of the default
// after. disagree tells that a word for the colour and the severity say different things.
func (r rules) level(s source, i *cap.Info) (level int, disagree bool) {
	all := s.Readings
	if s.ID != "default" {
		standard, _ := r.of("default", "")
		all = append(slices.Clip(all), standard.Readings...)
	}
	for _, one := range all {
		n := one.level(i)
		switch {
		case n == 0:
		case level == 0:
			level = n
		case n != level:
			return level, true
		}
	}
	return level, false
}

// event is the national code and the hazard of a message: by its codes first, then by
// the longest name that stands in the event's.
func (r rules) event(i *cap.Info) (code, hazard string) {
	for _, p := range i.EventCodes {
		for _, e := range r.Events {
			if e.Code != "" && (p.Value == e.Code || strings.HasPrefix(e.Code, "p") && strings.HasPrefix(p.Value, e.Code)) {
				return national(p.Value, e, r.Events), e.Hazard
			}
		}
	}
	var best event
	for _, e := range r.Events {
		if e.Name != "" && strings.Contains(i.Event, e.Name) && len(e.Name) > len(best.Name) {
			best = e
		}
	}
	if len(i.EventCodes) > 0 {
		return i.EventCodes[0].Value, best.Hazard
	}
	return best.Code, best.Hazard
}

// national is the code of the standard where the source uses another one for the same.
func national(value string, e event, all []event) string {
	if !strings.HasPrefix(e.Code, "p") {
		return value
	}
	for _, o := range all {
		if o.Name == e.Name && !strings.HasPrefix(o.Code, "p") && o.Code != "" {
			return o.Code
		}
	}
	return value
}

func color(level *int) string {
	if level == nil || *level < 1 || *level > 4 {
		return ""
	}
	return [...]string{"red", "orange", "yellow", "blue"}[*level-1]
}

// Color is the name of the colour of a level, "" for none.
func (a Alert) Color() string { return color(a.Level) }

// severity is the word of CAP for a level.
func severity(level int) string {
	if level < 1 || level > 4 {
		return "Unknown"
	}
	return [...]string{"Extreme", "Severe", "Moderate", "Minor"}[level-1]
}
