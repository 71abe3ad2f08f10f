package zoning

import (
	"context"
	"time"

	"onemap/internal/auth"
)

// The verdicts on a zone.
const (
	Accepted  = "accepted"
	SentBack  = "returned"
	reasonMin = 2
)

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

// Reviews are the verdicts on the zones of a version.
func (s *Service) Reviews(ctx context.Context, who *auth.Identity, plan string) ([]Review, error) {
	return nil, errUnfinished
}

// Review says what somebody finds of one zone.
func (s *Service) Review(ctx context.Context, by auth.By, plan, zone string, v Verdict) (Review, error) {
	return Review{}, errUnfinished
}

// ReviewAll accepts every zone without a verdict on its present version; it answers how
// many.
func (s *Service) ReviewAll(ctx context.Context, by auth.By, plan string) (int, error) {
	return 0, errUnfinished
}
