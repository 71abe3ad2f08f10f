package zoning

import (
	"context"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
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

// Comments are the opinions on a version, oldest first: the 意见采纳情况表.
func (s *Service) Comments(ctx context.Context, who *auth.Identity, plan string) ([]Comment, error) {
	return nil, errUnfinished
}

// Comment says something about a version the asker may see.
func (s *Service) Comment(ctx context.Context, by auth.By, n NewComment) (Comment, error) {
	return Comment{}, errUnfinished
}

// Answer says what became of an opinion, as it was at version.
func (s *Service) Answer(ctx context.Context, by auth.By, plan, id string, version int64, a Answer) (Comment, error) {
	return Comment{}, errUnfinished
}
