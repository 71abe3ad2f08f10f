package zoning

import (
	"time"
)

// The verdicts on a zone.
const (
	Accepted = "accepted"
	SentBack = "returned"
)

// reasonMin is how many characters a reason has at least.
const reasonMin = 2

// Review is the last word on a zone.
type Review struct {
	Zone, ZoneName  string
	Verdict, Reason string
	ZoneVersion     int64
	Current         bool // the zone is as it was looked at
	Account         string
	By, Name        string
	At              time.Time
}

// Verdict is what somebody finds of a zone; returned needs a reason.
type Verdict struct{ Verdict, Reason string }
