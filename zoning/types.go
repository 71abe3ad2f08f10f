package zoning

import (
	"encoding/json"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// State is where a version of a plan stands.
type State string

// The states, in their usual order.
const (
	Draft        State = "draft"
	Consultation State = "consultation"  // 征求意见: read and commented on, not edited
	ExpertReview State = "expert_review" // 专家评审
	Submitted    State = "submitted"
	InReview     State = "in_review"
	Returned     State = "returned" // to be edited again, with reasons per zone
	Approved     State = "approved"
	Published    State = "published"
	Superseded   State = "superseded"
	Withdrawn    State = "withdrawn" // 撤回 before publishing, 废止 after
)

// The kinds of a plan.
const (
	Risk       = "risk"       // 风险区划
	Prevention = "prevention" // 防治区划
)

// The units a plan is made of.
const (
	UnitFree     = "free"
	UnitVillage  = "village"
	UnitTownship = "township"
	UnitKm       = "cell_1km"
	UnitSeconds  = "cell_30s" // 30 by 30 arc seconds
)

// Plan is one version of a series.
type Plan struct {
	ID          string
	Series      string
	VersionNo   int
	Parent      string // "" for the first
	Hazard      string // slug, or multi
	Kind        string
	Title       string
	Area        string // administrative code
	Scope       geo.Scope
	Bounds      *orb.Bound
	Exhaustive  bool
	Unit        string
	Ladder      string // code list of the levels, never ""
	State       State
	Method      json.RawMessage // how it was computed: parameters, inputs, versions of rules
	DocumentNo  string
	Responsible string // 编制单位
	Note        string

	EffectiveFrom, EffectiveTo *time.Time // dates
	InForce                    bool       // today

	Version                   int64 // for If-Match
	CreatedAt, UpdatedAt      time.Time
	CreatedBy                 string
	SubmittedAt, ApprovedAt   *time.Time
	SubmittedBy, ApprovedBy   string
	PublishedAt, WithdrawnAt  *time.Time
	PublishedBy, WithdrawnBy  string
	Zones, Ungraded           int // rows, rows without a level
	Comments, OpenComments    int
	Accepted, ReturnedZones   int // of the review
	SubmittedAccount, Creator string
	// Draws are the accounts who edited this version: they neither approve nor publish.
	Draws []string
	Demo  bool
	// Position in the feed of the change that answered it; "" where it was only read.
	Position string

	openVersion bool // some version of the series is being worked on
}

// Editable says whether the version may be drawn on.
func (p *Plan) Editable() bool { return p.State == Draft || p.State == Returned }

// Computed says whether the zones came of a computation; of a plan drawn by hand or brought
// in by a file the method holds at most how its figures were counted and what was read.
func (p *Plan) Computed() bool { return hasMethod(p.Method) }

// Zone is one zone of a version.
type Zone struct {
	ID             string // of the row (and its history)
	Plan           string
	Zone           string // stays through the versions of a series
	FID            int64
	Version        int64
	Code, Name     string
	Level          int // 0: not graded yet
	Reason         string
	Countermeasure string // 防治对策
	Responsible    string
	Population     *int
	AreaKm2        *float64
	Attrs          json.RawMessage // indicators, index, computed_level, figures
	Shape          coverage.Shape
}

// Attributes are what a zone says beside its shape; nil leaves as it is.
type Attributes struct {
	Code, Name, Reason, Countermeasure, Responsible *string
	Level                                           *int
}

// Step is one operation of an edit: on the coverage, on attributes, or taking an earlier
// edit back.
type Step struct {
	Op coverage.Op
	// Relevel and SetAttributes name Op.Zones; Restore names an edit.
	Relevel       bool
	SetAttributes bool
	Set           Attributes
	Restore       string // edit_id to take back
}

// EditRequest is one step of drawing, done whole or not at all.
type EditRequest struct {
	Plan   string
	EditID string // UUID made by the client; a repeated one answers what was done
	Steps  []Step
	Base   map[string]int64 // version of every zone the client knows to be touched, neighbours included
}

// EditResult is what an edit did.
type EditResult struct {
	EditID           string
	Seq              int64
	TitleZH, TitleEN string
	Zones            []Zone // as they are now, whole
	Removed          []string
	Area             coverage.Shape // where nodes were added to the boundary
	Position         string         // feed position of the commit
	Repeated         bool
}

// StaleError means zones were changed by somebody else meanwhile: both are shown.
type StaleError struct {
	Theirs  []Zone
	Missing []string // of Theirs: what the edit changes too and its base did not list
	Gone    []string // of the base: zones that are no more
}

func (e *StaleError) Error() string { return "zoning: zones were changed meanwhile" }

// ViolationsError means an edit or a transition is impossible while these stand.
type ViolationsError struct{ Violations []coverage.Violation }

func (e *ViolationsError) Error() string { return "zoning: the coverage does not allow this" }

// StateError means the state of the plan does not allow it.
type StateError struct {
	State  State
	Code   string // use_edits, not_editable, cannot_follow, four_eyes, comments_open, ungraded, not_accepted, …
	ZH, EN string
}

func (e *StateError) Error() string { return "zoning: " + e.Code }
