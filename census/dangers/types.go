package dangers

import (
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

// State is where a danger stands.
type State string

// The states, in their usual order.
const (
	Draft           State = "draft"
	Reported        State = "reported"
	Verified        State = "verified"
	Rejected        State = "rejected"
	Graded          State = "graded"
	PendingApproval State = "pending_approval" // serious ones: the plan waits for approval
	Rectifying      State = "rectifying"
	Reviewing       State = "reviewing"
	Closed          State = "closed" // 销号
)

// States are all of them.
func States() []State {
	return []State{Draft, Reported, Verified, Rejected, Graded, PendingApproval, Rectifying, Reviewing, Closed}
}

// The levels.
const (
	Serious  = 1 // 重大
	Ordinary = 2 // 一般
)

// Plan is the 五落实 of a serious danger.
type Plan struct{ Responsibility, Measures, Funds, Deadline, Contingency string }

// Whole says whether all five are there.
func (p Plan) Whole() bool {
	return p.Responsibility != "" && p.Measures != "" && p.Funds != "" && p.Deadline != "" && p.Contingency != ""
}

// Danger is one hidden danger.
type Danger struct {
	ID              string
	Version         int64
	Number          string // given when it is accepted
	Name            string
	Kind            string
	Level           int // 0: not graded
	State           State
	Source          string
	Description     string
	GradeBasis      string
	InterimMeasure  string
	ResponsibleUnit string
	Rectifier       string
	FirstReviewer   string
	Reviewer        string
	Listed          bool // 挂牌督办

	ListedAt, UnlistedAt, FoundAt, DueAt, FirstDueAt, RectifiedAt, ClosedAt *time.Time

	FixedOnSpot  bool
	SecondReview bool // two persons review it
	Subject      string
	SubjectLayer string
	Reopens      string // the record this one continues
	Plan         Plan
	AdminCode    string
	Scope        geo.Scope
	Geometry     orb.Geometry
	Department   string

	CreatedAt, UpdatedAt time.Time
	UpdatedBy            string
	Overdue              bool // derived
	Assigned             bool // to the asker's unit
	Demo                 bool

	ReportedAccount, GradedAccount, PlanAccount, ApprovedAccount           string
	RectifierAccount, FirstReviewerAccount, ReviewerAccount, ListedAccount string

	// Position in the feed of the change that answered it; "" where it was only read.
	Position string
}

// Area is the administrative code the danger belongs to.
func (d *Danger) Area() string {
	if d.AdminCode != "" {
		return d.AdminCode
	}
	return codeOf(d.Scope)
}

// Action is something that was done to a danger. They are only added.
type Action struct {
	Seq        int64
	Action     string
	From, To   State
	Note       string
	Evidence   []string // SHA-256
	Fields     map[string]any
	Account    string
	By, Name   string
	Role       string
	CapturedAt *time.Time
	At         time.Time
}

// Extension is another deadline, asked for and decided.
type Extension struct {
	ID                           string
	OldDueAt, NewDueAt           time.Time
	Reason, AskedBy, AskedName   string
	AskedAt                      time.Time
	Decision, Note               string
	DecidedBy, DecidedName       string
	DecidedAt                    *time.Time
	AskedAccount, DecidedAccount string
}

// Link names a record linked to another.
type Link struct {
	ID, Number, Name string
	State            string
	At               time.Time
}

// Detail is a danger with everything that hangs on it.
type Detail struct {
	Danger
	Actions    []Action
	Extensions []Extension
	Measures   []Link
	Before     []Link // the records it continues
	After      []Link // the records that continue it
}

// NewDanger is a report to be.
type NewDanger struct {
	ID             string // made by the client
	Draft          bool
	Kind, Name     string
	Description    string
	Source         string
	InterimMeasure string
	FoundAt        time.Time
	FixedOnSpot    bool
	Subject        string
	Area           string // administrative code; "": by the geometry
	Geometry       orb.Geometry
	Evidence       []string
}

// Patch names what changes; nil leaves as it is.
type Patch struct {
	Name, Kind, Description, Source, Subject *string
	FoundAt                                  *time.Time
	FixedOnSpot                              *bool
	Geometry                                 orb.Geometry
	InterimMeasure                           *string
	Level                                    *int
	GradeBasis, ResponsibleUnit              *string
	DueAt                                    *time.Time
	Plan                                     *Plan
}

// Transition is a step to be taken.
type Transition struct {
	To              State
	Note            string
	Level           int
	GradeBasis      string
	ResponsibleUnit string
	InterimMeasure  string
	DueAt           *time.Time // nil: by the rule
	Rectifier       string     // who did it; "": who says so
	Plan            *Plan
	Evidence        []string
	Unlisted        bool // of an approval: not put on the list
	CapturedAt      time.Time
	OpID            string
}

// StateError means the state of the danger does not allow it.
type StateError struct {
	State  State
	Code   string
	ZH, EN string
}

func (e *StateError) Error() string { return "dangers: " + e.Code }

// Step is a line of the table of the life cycle.
type Step struct {
	Action string // what [Service.May], the actions and the audit call it
	From   []State
	To     State
	Needs  []auth.Permission // one of them
	// Other means another person than whoever put it right (reviews), or graded it and
	// made its plan (approval).
	Other    bool
	Note     bool // must say why
	Evidence bool // must show it
	Title    registry.Title
}
