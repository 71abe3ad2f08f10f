package zoning

import (
	"math"
	"time"

	"github.com/paulmach/orb"
)

// Comment is an opinion on a plan (意见), and what became of it.
type Comment struct {
	ID, Plan       string
	Round          string // drafting, consultation, expert_review, review
	Zone, ZoneName string
	At             *orb.Point
	Unit           string // whose opinion: office, expert
	Body           string
	Answer         string // "", adopted, partly, not_adopted
	Reason         string
	AnsweredBy     string
	AnsweredAt     *time.Time
	By, Name       string
	Account        string
	CreatedAt      time.Time
	Version        int64
}

// NewComment is an opinion: on a zone, on a place, or on the whole.
type NewComment struct {
	Plan, Zone string
	At         *orb.Point
	Unit, Body string
}

// nearTo says whether a place lies in a box or within ten kilometres of it.
func nearTo(b orb.Bound, p orb.Point) bool {
	const lat = 10 / 111.2
	lon := lat / max(0.1, math.Cos(b.Center()[1]*math.Pi/180))
	return p[0] >= b.Min[0]-lon && p[0] <= b.Max[0]+lon && p[1] >= b.Min[1]-lat && p[1] <= b.Max[1]+lat
}

// The answers.
const (
	Adopted    = "adopted"
	Partly     = "partly"
	NotAdopted = "not_adopted"
)

// Answer says what became of an opinion; all but adopted need the reason.
type Answer struct{ Answer, Reason string }

// maxComments bounds the opinions on one version.
const maxComments = 5000

// roundOf is the round an opinion belongs to that is said in a state; "" where nothing
// is asked any more.
func roundOf(s State) string {
	switch s {
	case Draft, Returned:
		return "drafting"
	case Consultation:
		return "consultation"
	case ExpertReview:
		return "expert_review"
	case Submitted, InReview:
		return "review"
	}
	return ""
}

// answerable says whether opinions may be answered: until the version is decided.
func answerable(s State) bool { return roundOf(s) != "" }
