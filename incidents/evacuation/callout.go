package evacuation

import (
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// The kinds of a call-out, which are the emergency orders of the ledger.
const (
	CallOut     = "call_out"
	EvacuateNow = "evacuate_now"
)

// Whether somebody else has to put his name under it.
const (
	NotNeeded     = "none"
	Pending       = "pending"
	Countersigned = "done"
	NotApproved   = "refused"
)

// Callout is one call-out.
type Callout struct {
	ID, Kind, Title, Reason string
	Alert, Incident         string
	Areas                   []string
	Level                   *int
	Exercise                bool
	State                   string // active, ended
	Decision, Consulted     string
	Countersign             string
	StartedAt               time.Time
	EndedAt                 *time.Time
	EndedBy, EndReason      string
	EndNote                 string
	Geometry                orb.Geometry
	Scope                   geo.Scope
	Account, Actor, Name    string
	Villages, Targets       int
	Reached, AllClear       int // AllClear: told that it is over
	Version                 int64
	UpdatedAt               time.Time
	FeedPosition            string
}

// New is a call-out to be made. One of Alert, Incident, Geometry and Areas says where.
type New struct {
	ID, Kind, Title, Reason string
	Alert, Incident         string
	Geometry                orb.Geometry
	Areas                   []string
	Exercise                bool
	Consulted, Post         string // 带班领导 who was asked, where one person orders it alone
}

// Target is somebody on the call list.
type Target struct {
	ID, Callout, Village, VillageName string
	Phase, Role                       string
	Place                             int
	Level                             *int
	Name, Post, Contact, Phone        string
	Grid, Household                   string
	Persons, Elderly                  *int
	Deputy, DeputyPost                string
	DeputyContact, DeputyPhone        string
	Escalation                        int
	Parent, Root                      string
	State                             string
	OpenedAt, DueAt                   time.Time
	AnsweredAt, PassedOnAt            *time.Time
	Scope                             geo.Scope
	Version                           int64
	Calls                             []Call
	FeedPosition                      string
}

// Late says that nobody answered in time.
func (t Target) Late(now time.Time) bool {
	return t.Phase == "call" && (t.State == Waiting && now.After(t.DueAt) || t.State == Escalated)
}

// Call is one call that was made.
type Call struct {
	ID, Target, Outcome, Channel, Note string
	At, ReceivedAt                     time.Time
	Account, Name                      string
}

// Filter says which call-outs.
type Filter struct {
	ID, Alert, Incident string
	Active              bool
	Exercise            string // "" or false: real ones, true: exercises, all
	Limit               int    // default 100, at most 500
	// Geometry keeps, on the board, the villages that have ground in it.
	Geometry orb.Geometry
}

// TargetFilter says which targets of a call-out.
type TargetFilter struct {
	State, Village, Phase string
	Open                  bool // only who is still to be called
}

// MayOrder says whether somebody may order a call-out by himself there: he who may
// countersign needs nobody's second name.
func alone(who *auth.Identity, area geo.Scope, now time.Time) bool {
	if who == nil {
		return false
	}
	for _, g := range who.Grants {
		if g.Valid(now) && g.Role.May(auth.SendOrders) && g.Role.May(auth.Countersign) && g.Scope().Contains(area) {
			return true
		}
	}
	return false
}

// Desk are the areas whose calls and boards somebody may see: those of his desk, and of
// who decides there.
func Desk(who *auth.Identity, now time.Time) geo.Scopes {
	var out geo.Scopes
	if !who.SignedIn() || who.Account == "" {
		return nil
	}
	for _, g := range who.Grants {
		if g.Valid(now) && g.Role.May(auth.WorkDesk) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}

// Screen are the areas whose figures a screen on the wall shows: those whose internal
// layers its token reads. A wall stands where visitors do, so it is told how many and in
// which villages, and of no person, number, household or word that somebody wrote.
func Screen(who *auth.Identity) geo.Scopes {
	if !who.SignedIn() || who.Kind != auth.Wall {
		return nil
	}
	return who.Reach.Of(db.Internal)
}

// onScreen is what of a call-out a wall shows.
func (c Callout) onScreen() Callout {
	return Callout{
		ID: c.ID, Kind: c.Kind, Level: c.Level, Exercise: c.Exercise, State: c.State, Countersign: c.Countersign, StartedAt: c.StartedAt, EndedAt: c.EndedAt,
		Villages: c.Villages, Targets: c.Targets, Reached: c.Reached, AllClear: c.AllClear, Version: c.Version, UpdatedAt: c.UpdatedAt,
	}
}
