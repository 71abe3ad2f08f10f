package shelters

import (
	"fmt"
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// The states of a shelter.
const (
	Closed   = "closed"
	Standby  = "standby" // 待启用
	Opened   = "open"
	Full     = "full"
	Disabled = "disabled" // 停用
)

// States are all of them.
func States() []string { return []string{Closed, Standby, Opened, Full, Disabled} }

// Shelter is one as the command centre sees it.
type Shelter struct {
	ID, Name, State, Area, Class, Address string
	Scope                                 geo.Scope
	Capacity, Occupancy                   *int
	Reserved                              int
	ConfirmedAt                           *time.Time
	Stale                                 bool // what it says is older than the rules allow
	Exercise                              bool
	At                                    *orb.Point
	Version                               int64
	RecordedAt                            time.Time
	RecordedBy                            string
	FeedPosition                          string
	Drill                                 *Drill // where exercises are asked for
}

// Drill is what exercises come to at a shelter. They begin with it open and empty, whatever
// it really is, and count in nothing of it.
type Drill struct {
	Occupancy, Reserved int
	Free                *int // nil where nobody knows how many it holds
}

func (s Shelter) drill(there, promised int) *Drill {
	d := &Drill{Occupancy: there, Reserved: promised}
	if s.Capacity != nil {
		n := max(*s.Capacity-there-promised, 0)
		d.Free = &n
	}
	if s.State == Disabled {
		d.Free = new(int)
	}
	return d
}

// Free is how many more find room; nil where nobody knows how many it holds. What is not
// open has none. Reservations that ran out are counted no more once they are swept.
func (s Shelter) Free() *int {
	if s.State != Opened && s.State != Full && s.State != Standby {
		zero := 0
		return &zero
	}
	if s.Capacity == nil {
		return nil
	}
	n := *s.Capacity - s.Reserved
	if s.Occupancy != nil {
		n -= *s.Occupancy
	}
	n = max(n, 0)
	return &n
}

// stale says whether an "open" or "full" is too old to be believed.
func (s Shelter) stale(r Rules, now time.Time) bool {
	limit := r.OpenStale
	switch s.State {
	case Opened:
	case Full:
		limit = r.FullStale
	default:
		return false
	}
	return s.ConfirmedAt == nil || now.Sub(*s.ConfirmedAt) > limit
}

// Query says which shelters.
type Query struct {
	Area  string
	BBox  *orb.Bound
	State string
	IDs   []string
	Limit int  // default 500, at most 2,000
	Drill bool // with what exercises come to
}

// Patch changes a shelter. StillCurrent confirms what stands without changing it.
type Patch struct {
	State        *string
	Occupancy    *int
	StillCurrent bool
	Note         string
	Exercise     bool // refused: an exercise changes nothing that is real
}

func (p *Patch) check() error {
	var f faults
	if p.State != nil && !slices.Contains(States(), *p.State) {
		f.add("state", "unknown", "没有此状态", "there is no such state")
	}
	if p.Occupancy != nil && (*p.Occupancy < 0 || *p.Occupancy > 1_000_000) {
		f.add("occupancy", "out_of_range", "人数不可信", "this number of people cannot be")
	}
	if p.State == nil && p.Occupancy == nil && !p.StillCurrent {
		f.add("state", "required", "请给出状态或人数，或确认现状无变化", "give a state or a number, or say that it is still current")
	}
	p.Note = f.text("note", p.Note, 0, 500)
	return f.err()
}

// Reservation is a promise of places.
type Reservation struct {
	ID, Shelter, Party, State string
	N, Arrived                int
	Until, CreatedAt          time.Time
	EndedAt                   *time.Time
	By, EndedBy               string
	Account                   string
	Scope                     geo.Scope
	Exercise                  bool
}

// NewReservation is one to be made. Until is the rule's time from now where it is zero.
type NewReservation struct {
	ID, Shelter, Party string
	N                  int
	Until              time.Time
	Exercise           bool
}

// CheckIn is who came and who left.
type CheckIn struct {
	OpID, Shelter, Party, Reservation string
	In, Out                           int
	At                                time.Time
	Exercise                          bool
}

// Checked is what a check-in came to.
type Checked struct {
	OpID      string
	After     int // people there then
	Duplicate bool
	Over      bool // more are there than it holds
	NotOpen   bool // it is not open, and people are there
	Shelter   Shelter
}

// Entry is a line of the list of who came and left.
type Entry struct {
	OpID, Party, Reservation, By string
	In, Out, After               int
	At, RecordedAt               time.Time
	Exercise                     bool
}

// NoRoom is the refusal of a reservation: how many places are free.
type NoRoom struct{ Free int }

func (n *NoRoom) Error() string { return fmt.Sprintf("shelters: no room: %d free", n.Free) }
