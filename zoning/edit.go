package zoning

import (
	"context"
	"encoding/json"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
)

// EditLine is one step of drawing as the list of steps shows it.
type EditLine struct {
	EditID           string
	Seq              int64
	TitleZH, TitleEN string
	Zones            []string // changed or made, as the step left them
	Removed          []string
	Ops              json.RawMessage // as they were sent, in the words of the HTTP contract
	Account          string
	By, Name         string
	At               time.Time
	Undoes           string // the edit this one takes back
	UndoneBy         string // the edit that took this one back; "" while it stands
	Bounds           *orb.Bound
}

// Edit does one step of drawing, whole or not at all. A repeated edit_id answers what
// was done. [StaleError] when zones it would change are no longer as Base says,
// [ViolationsError] when the coverage does not allow it.
func (s *Service) Edit(ctx context.Context, by auth.By, r EditRequest) (EditResult, error) {
	return EditResult{}, errUnfinished
}

// Edits are the steps done on a plan after since, oldest first.
func (s *Service) Edits(ctx context.Context, who *auth.Identity, plan string, since int64, limit int) ([]EditLine, error) {
	return nil, errUnfinished
}
