package field

import (
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
)

// Unit is a grid or an administrative unit as a phone shows it.
type Unit struct {
	Code, Name string
	Bound      *orb.Bound
	Geometry   orb.Geometry
}

// Phone is a number to ring.
type Phone struct{ Name, Phone string }

// Home is what a phone shows when it wakes.
type Home struct {
	Role           auth.Role
	Grid, Township *Unit
	DutyPhones     []Phone
	Rules          Rules
	Now            time.Time
}

// Route is an approved way out (转移路线), as it was drawn.
type Route struct {
	ID, Title, Area, Shelter, ShelterName, Assembly string
	Persons                                         *int
	Note, ApprovedBy                                string
	ApprovedAt                                      *time.Time // a date
	ValidFrom, ValidTo                              *time.Time
	Geometry                                        orb.Geometry
	Version                                         int64
	State                                           string // proposed, approved, withdrawn
	Account, ProposedBy                             string
	ProposedAt                                      time.Time
	WithdrawnBy, Reason                             string
	WithdrawnAt                                     *time.Time
	FeedPosition                                    string
}

// The states of a way out.
const (
	WayProposed  = "proposed"
	WayApproved  = "approved"
	WayWithdrawn = "withdrawn"
)

// NewRoute is a way out as a desk draws it.
type NewRoute struct {
	Title, Area, Shelter, ShelterName, Assembly, Note string
	Persons                                           *int
	ValidFrom, ValidTo                                *time.Time // dates
	Geometry                                          orb.Geometry
}

// PatrolQuery says of which units and days. Days are those of the office's time zone.
type PatrolQuery struct {
	Area     string
	From, To time.Time // dates
}

// PatrolUnit is one unit and what was patrolled in it, day by day.
type PatrolUnit struct {
	Code, Name string
	Days       []PatrolDay
}

// PatrolDay counts one day: of the grids there are, those with a patrol or a zero report,
// and the patrols and zero reports themselves.
type PatrolDay struct {
	Day                                          time.Time
	Grids, Reported, Patrols, ZeroReports, Found int
}

// maxPatrolDays bounds a summary.
const maxPatrolDays = 92

// place is the grant a phone belongs to: the worker's smallest, else the smallest of all.
func place(who *auth.Identity, now time.Time) (best auth.Grant, found bool) {
	for _, g := range who.Grants {
		if !g.Valid(now) {
			continue
		}
		worker, was := g.Role == auth.GridWorker, best.Role == auth.GridWorker
		s, b := g.Scope(), best.Scope()
		if !found || worker && !was || worker == was && s.Hi-s.Lo < b.Hi-b.Lo {
			best, found = g, true
		}
	}
	return best, found
}

// townshipOf is the code of the township around an area; "" above townships.
func townshipOf(code string) string {
	switch len(code) {
	case 15, 12, 9:
		return code[:9]
	case 11, 8:
		return code[:8]
	}
	return ""
}
