package incidents

import (
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// The states of a report.
const (
	Received  = "received"
	Seen      = "seen"
	Taken     = "taken"
	Dismissed = "dismissed" // 已排除
	Closed    = "closed"    // 已办结
)

// What a report is.
const (
	Urgent = "urgent" // 险情
	Damage = "damage" // 灾情
)

// States are all of them, in order.
func States() []string { return []string{Received, Seen, Taken, Dismissed, Closed} }

// Report is one report as the duty desk sees it.
type Report struct {
	ID, Kind, Urgency, State                                  string
	Grid, Description, Place                                  string
	Trapped, Deaths, Missing, Injured, Affected, Houses       *int
	LossWan                                                   *float64
	Geometry                                                  orb.Geometry // nil: nobody knows where
	Position                                                  *orb.Point   // where the phone was
	AccuracyM                                                 *float64
	Doubts                                                    []string // no_place, bad_geometry, outside_area, clock, kind
	Scope, Home                                               geo.Scope
	CapturedAt, ReceivedAt                                    time.Time
	Photos                                                    []string
	Account, Actor, Name                                      string // who sent it
	SeenAt, TakenAt, EndedAt                                  *time.Time
	SeenAccount, SeenBy, TakenAccount, TakenBy, EndedBy, Note string
	Version                                                   int64
	UpdatedAt                                                 time.Time
	FeedPosition                                              string // of the change that answered it; "" where it was only read
	takeAfter                                                 time.Duration
}

// Alarm says whether somebody has to take it.
func (r Report) Alarm() bool { return r.Urgency == Urgent && r.TakenAt == nil && r.EndedAt == nil }

// Unattended is for how long nobody took it; 0 while that is not too long yet.
func (r Report) Unattended(now time.Time) time.Duration {
	waited := now.Sub(r.ReceivedAt)
	if !r.Alarm() || waited < r.takeAfter {
		return 0
	}
	return waited
}

// Query says which reports. Areas are those of the asker's desk.
type Query struct {
	State, Urgency, Area string
	Since                time.Time
	Alarm                bool // only what waits to be taken
	Limit                int  // default 100, at most 500
	Cursor               string
}

// Page is a page of reports, the newest first.
type Page struct {
	Reports  []Report
	Next     string
	Alarms   int // in all the asker's areas
	Position string
	// TakeAfter is the rule: how long a report of 险情 may wait.
	TakeAfter time.Duration
}

// Step is a change of state.
type Step struct{ To, Note string }

// Desk are the areas somebody has a duty desk for.
func Desk(who *auth.Identity, now time.Time) geo.Scopes {
	var out geo.Scopes
	if !person(who) {
		return nil
	}
	for _, g := range who.Grants {
		if g.Valid(now) && g.Role.May(auth.WorkDesk) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}

// desk is the grant under which somebody works on a report: the smallest that touches it.
func desk(who *auth.Identity, r Report, now time.Time) (best auth.Grant, found bool) {
	for _, g := range who.Grants {
		s := g.Scope()
		if !g.Valid(now) || !g.Role.May(auth.WorkDesk) || !s.Overlaps(r.Scope) && !s.Overlaps(r.Home) {
			continue
		}
		if b := best.Scope(); !found || s.Hi-s.Lo < b.Hi-b.Lo {
			best, found = g, true
		}
	}
	return best, found
}

// person says whether somebody acts who can be told from others.
func person(who *auth.Identity) bool { return who.SignedIn() && who.Account != "" }

// doubt adds what is odd about a report, once.
func doubt(list []string, what string) []string {
	if slices.Contains(list, what) {
		return list
	}
	return append(list, what)
}
