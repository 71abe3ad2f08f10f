package response

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// The states of a response.
const (
	Drafted = "drafted"
	Active  = "active"
	Ended   = "ended"
)

// The acts.
const (
	Start  = "start"
	Adjust = "adjust"
	End    = "end"
)

// The profiles: 平时 and 战时.
const (
	Peace = "peace"
	War   = "war"
)

// Response is one response.
type Response struct {
	ID, Title, Kind, State, Area   string
	Level                          int
	Incident, Alert, Contingency   string
	Condition, Lead                string
	SignedBy, DocumentNumber       string
	StartedAt, AdjustedAt, EndedAt *time.Time
	Exercise                       bool
	History                        []Act
	Tasks                          TaskCount
	LastReport                     *time.Time // when something was last reported under it
	Account, Name                  string
	Version                        int64
	UpdatedAt                      time.Time
	UpdatedBy                      string
	FeedPosition                   string // of the change that answered it; "" where it was only read
}

// Act is an order: 启动, 调整 or 终止.
type Act struct {
	Act            string
	At, RecordedAt time.Time
	Level          int
	FromLevel      *int
	Condition      string
	SignedBy       string
	DocumentNumber string
	Note           string
	By             string
}

// TaskCount is how far the tasks of a response are.
type TaskCount struct{ Total, Acknowledged, Done, Late int }

// Draft is what a response is made of before it starts.
type Draft struct {
	Title, Kind, Area            string
	Level                        int
	Incident, Alert, Contingency string
	Condition, Lead              string
	Exercise                     bool
}

// Order is an act somebody signed and the desk writes down.
type Order struct {
	Act            string
	Level          int // 0: as it is
	SignedBy       string
	DocumentNumber string
	Condition      string
	Note           string
	At             time.Time // zero: now
}

// Query says which responses.
type Query struct {
	Active   *bool
	Area     string
	Exercise string // "true", "false" or "all"; false by default
	Incident string
	Limit    int // default 100, at most 500
}

// Page is some responses: active ones first, the worst and the newest first.
type Page struct {
	Responses []Response
	Profile   Profile
	Position  string
}

// Profile is 平时 or 战时 with what it means: layers, how often a page asks, and how often
// is reported at the worst level that is active.
type Profile struct {
	Name        string
	Level       int // the worst active; 0 in peace
	Exercise    bool
	RefreshS    int
	Layers      []string
	ReportEvery int // minutes; 0 where nothing is due
}

// rules is the rule set response_profile.
type rules struct {
	From   int            `json:"war_from_level"`
	Peace  mode           `json:"peace"`
	War    mode           `json:"war"`
	Report map[string]int `json:"report_every_min"`
}

type mode struct {
	Refresh int      `json:"refresh_s"`
	Layers  []string `json:"layers"`
}

func readRules(body json.RawMessage) rules {
	r := rules{From: 4, Peace: mode{Refresh: 60}, War: mode{Refresh: 10}}
	if len(body) > 0 && json.Unmarshal(body, &r) != nil {
		return rules{From: 4, Peace: mode{Refresh: 60}, War: mode{Refresh: 10}}
	}
	return r
}

// every is how often is reported at a level, in minutes; 0 where the rules do not say.
func (r rules) every(level int) int { return r.Report[string(rune('0'+level))] }

// profile computes 平时 or 战时 of the responses that are active: an exercise is none of
// them, and is said.
func (r rules) profile(active []Response) Profile {
	p := Profile{Name: Peace, RefreshS: r.Peace.Refresh, Layers: r.Peace.Layers}
	for _, a := range active {
		switch {
		case a.State != Active:
		case a.Exercise:
			p.Exercise = true
		case p.Level == 0 || a.Level < p.Level:
			p.Level = a.Level
		}
	}
	if p.Level > 0 && p.Level <= r.From {
		p.Name, p.RefreshS, p.Layers = War, r.War.Refresh, r.War.Layers
	}
	if p.Level > 0 {
		p.ReportEvery = r.every(p.Level)
	}
	return p
}

// NextReport is when the next report under a response is due, nil where nothing is.
func (r Response) NextReport(every int) *time.Time {
	if r.State != Active || every == 0 || r.StartedAt == nil {
		return nil
	}
	from := *r.StartedAt
	if r.LastReport != nil && r.LastReport.After(from) {
		from = *r.LastReport
	}
	due := from.Add(time.Duration(every) * time.Minute)
	return &due
}

// faults collects what is wrong with an input.
type faults []auth.Fault

func (f *faults) add(path, code, zh, en string) {
	*f = append(*f, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
}

func (f *faults) text(path, s string, least, most int) string {
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n < least || n > most || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		if least == 0 {
			f.add(path, "length", "过长或含有无效字符", "too long, or not text")
		} else {
			f.add(path, "length", "请填写，且不要过长", "it is needed, and not too long")
		}
	}
	return s
}

// area reads the code a record is for.
func (f *faults) area(code string) geo.Scope {
	s, err := geo.ParseScope(code)
	if err != nil || code == "" {
		f.add("area", "not_a_code", "应为行政区划代码", "it is an administrative code")
	}
	return s
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}

// areasOf are the areas somebody has a permission in, himself.
func areasOf(who *auth.Identity, now time.Time, p ...auth.Permission) geo.Scopes {
	var out geo.Scopes
	if who == nil || !who.SignedIn() || who.Account == "" {
		return nil
	}
	for _, g := range who.Grants {
		if g.Valid(now) && slices.ContainsFunc(p, g.Role.May) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}
