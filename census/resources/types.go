package resources

import (
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// Team is a team as the command centre sees it.
type Team struct {
	ID, Name, Kind, State, Specialities, Unit, Area string
	Scope                                           geo.Scope
	Members                                         *int
	ReadyMin                                        *float64
	At                                              *orb.Point
	PositionAt                                      *time.Time
	AgeS                                            *int // of the position
	Stale                                           bool
	Dispatch                                        string // the open one, in earnest
	DispatchState                                   string
	Drill, DrillState                               string // the open one of an exercise
	Exercise                                        bool
	Version                                         int64
	FeedPosition                                    string
}

// Position is where a team says it is.
type Position struct {
	At        orb.Point
	Time      time.Time
	State     string // "" leaves the team's
	AccuracyM *float64
}

// TeamQuery says which teams.
type TeamQuery struct {
	Area, State, Kind string
	IDs               []string
	Limit             int
}

// The states of a dispatch.
const (
	Sent         = "sent"
	Acknowledged = "acknowledged"
	Departed     = "departed"
	Arrived      = "arrived"
	Returned     = "returned"
	Cancelled    = "cancelled"
)

// States are all of them, in order.
func States() []string { return []string{Sent, Acknowledged, Departed, Arrived, Returned, Cancelled} }

// Item is an amount of something.
type Item struct {
	Item string  `json:"item"`
	Unit string  `json:"unit"`
	Qty  float64 `json:"qty"`
}

// Dispatch is a team or goods sent somewhere.
type Dispatch struct {
	ID, Team, Warehouse, Source, Incident, Task, Place, State, Note string
	Items                                                           []Item
	Exercise                                                        bool
	SentAt, DueAt                                                   time.Time
	AcknowledgedAt, DepartedAt, ArrivedAt, EndedAt                  *time.Time
	AcknowledgedBy, By, Account                                     string
	Geometry                                                        orb.Geometry
	Scope                                                           geo.Scope
	Version                                                         int64
	UpdatedAt                                                       time.Time
	Late                                                            bool // it should have been acknowledged by now
	FeedPosition                                                    string
}

// NewDispatch is one to be sent: of a team, or of a store with items.
type NewDispatch struct {
	ID, Team, Warehouse, Incident, Task, Place string
	Items                                      []Item
	To                                         orb.Geometry
	Exercise                                   bool
}

// DispatchQuery says which dispatches; those of exercises only where they are asked for.
type DispatchQuery struct {
	Incident, Team, Warehouse, Area string
	Active                          bool
	Exercise                        string // "", true, all
	Limit                           int
}

// Stock is what lies in a store.
type Stock struct {
	Warehouse, WarehouseName, Item, Unit string
	Qty                                  float64
	RotateOn                             *time.Time
	RotateDue                            bool
	UpdatedAt                            time.Time
}

// Move is goods coming in (positive) or going out.
type Move struct {
	OpID, Warehouse, Item, Unit, Reason, Dispatch string
	Qty                                           float64
	RotateOn                                      *time.Time
	Exercise                                      bool // refused: an exercise moves nothing
}

// Moved is what a move came to.
type Moved struct {
	OpID      string
	After     float64
	Duplicate bool
}

// Line is a line of the ledger.
type Line struct {
	OpID, Warehouse, Item, Unit, Reason, Dispatch, By string
	Qty, After                                        float64
	At                                                time.Time
}

// Store is a warehouse with what lies in it.
type Store struct {
	ID, Name, Grade, Area string
	At                    *orb.Point
	Stock                 []Stock
}

// Short is the refusal of a move: how much there is.
type Short struct {
	Item, Unit string
	Has        float64
}

func (s *Short) Error() string { return "resources: not enough of " + s.Item }

// Block is a road block with its clock.
type Block struct {
	ID, Name, Cause, Road, State, Detour, Area string
	Geometry                                   orb.Geometry
	Scope                                      geo.Scope
	BlockedAt, ExpectedAt, ReopenedAt          *time.Time
	Trunk                                      bool
	DueAt                                      *time.Time // of a trunk road
	Late                                       bool       // open again too late, or not yet and its time is over
	Exercise                                   bool
	Version                                    int64
	RecordedAt                                 time.Time
	RecordedBy                                 string
	FeedPosition                               string
}

// PutBlock is a block to be made or changed; nil leaves what is there.
type PutBlock struct {
	Name, Cause, Road, State, Detour  *string
	BlockedAt, ExpectedAt, ReopenedAt *time.Time
	Geometry                          orb.Geometry
	Exercise                          bool
}

// KPI is how fast trunk roads were opened again in a year.
type KPI struct {
	Count     int
	MeanHours *float64
	Target    float64
	Late      int
	Open      int // not open again yet
}

// BlockQuery says which blocks.
type BlockQuery struct {
	Area   string
	Active bool
	IDs    []string
	Limit  int
}
