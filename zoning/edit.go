package zoning

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
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

// errChanged means the plan became another while an edit was computed: it is done again.
var errChanged = errors.New("zoning: the plan changed meanwhile")

// Edit does one step of drawing, whole or not at all. A repeated edit_id answers what
// was done. [StaleError] when zones it would change are no longer as Base says,
// [ViolationsError] when the coverage does not allow it.
func (s *Service) Edit(ctx context.Context, by auth.By, r EditRequest) (EditResult, error) {
	out, err := s.edit(ctx, by, r, false)
	return out, wrap("edit", err)
}

// drafting is a request on its way through its transaction.
type drafting struct {
	r     EditRequest
	ops   string         // as they are written down
	lone  bool           // see [Service.edit]
	noder coverage.Noder // nil: the coverage nodes by itself
}

// outcome is what an edit comes to, before it is written.
type outcome struct {
	before  map[string]*editZone    // of what changes and was there
	after   map[string]*Zone        // of what changes and will be there
	exact   map[string]orb.Geometry // shapes of after that come back to the last bit; the rest is made of Shape
	moved   map[string]bool         // shapes that change
	border  orb.Geometry            // of the plan, where it changes
	zh, en  string
	undoes  string
	made    json.RawMessage // how the plan came to be, where that changes: {"method", "unit"}
	account *string
}

// touched is how many zones change.
func (o *outcome) touched() int {
	n := len(o.after)
	for id := range o.before {
		if o.after[id] == nil {
			n++
		}
	}
	return n
}

// account is the id of the person.
func account(by auth.By) *string {
	if by.Identity == nil || by.Account == "" {
		return nil
	}
	return &by.Account
}

// few keeps an entry of the audit small.
func few(ids []string) []string {
	if len(ids) > 50 {
		return ids[:50]
	}
	return ids
}
