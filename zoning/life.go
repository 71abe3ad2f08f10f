package zoning

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
)

var errUnfinished = errors.New("zoning: not built yet")

// Transition is a step of the life cycle.
type Transition struct {
	To            State
	Note          string
	DocumentNo    string     // of publishing
	EffectiveFrom *time.Time // of publishing: the date; of repealing: until when it held, nil is now
}

// Event is a step that was done. A step from a state to the same one says that the
// zones were made by a program (an import, a computation) on the person's word.
type Event struct {
	Seq               int64
	From, To          State // From is "" where the version was made
	Note              string
	Account, By, Name string
	At                time.Time
}

// May names what the asker may do with the plan now.
func (s *Service) May(who *auth.Identity, p Plan) []string { return nil }

// Transition brings a version, as it was at version, to another state.
func (s *Service) Transition(ctx context.Context, by auth.By, id string, version int64, t Transition) (Plan, error) {
	return Plan{}, errUnfinished
}

// Events are the steps of a version, oldest first.
func (s *Service) Events(ctx context.Context, who *auth.Identity, id string) ([]Event, error) {
	return nil, errUnfinished
}

// event writes a step down, in the transaction that does it. Import and compute write
// one from the state to the same state: who let zones be made has drawn the plan.
func (s *Service) event(ctx context.Context, tx pgx.Tx, by auth.By, plan string, from, to State, note string) error {
	return errUnfinished
}
