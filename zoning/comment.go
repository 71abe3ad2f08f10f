package zoning

import (
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
