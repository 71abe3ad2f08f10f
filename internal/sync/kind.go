package sync

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5" //nolint:depguard // a kind is handed the transaction of its operation
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Kind is one kind of record that devices send: what it consists of, and how the domain
// that owns its table writes it. The engine decides what is written (duplicates, merging,
// conflicts, quarantine); a kind decides whether it may be, and does it.
//
// All methods run in the transaction of one operation, under the claims of the person
// who sent it. An error that is a *Refusal is a verdict; every other one ends the
// operation as not received, and the device sends it again.
type Kind interface {
	Dictionary() Dictionary
	// Load gives the record as it is, locked against others; ErrAbsent when there is none
	// that the asker may see.
	Load(ctx context.Context, tx pgx.Tx, by auth.By, id string) (Record, error)
	// Insert makes the record. The id is the device's own; a foreign one is a Refusal.
	Insert(ctx context.Context, tx pgx.Tx, by auth.By, w Write) (Record, error)
	// Update changes the fields named in the write and nothing else.
	Update(ctx context.Context, tx pgx.Tx, by auth.By, w Write) (Record, error)
	Delete(ctx context.Context, tx pgx.Tx, by auth.By, w Write) error
	// Transition moves the record to another state, by the rights of that step.
	Transition(ctx context.Context, tx pgx.Tx, by auth.By, to string, w Write) (Record, error)
}

// Down is a kind whose records are sent to devices, by GET /api/sync/changes. The name of
// the kind is the name of its table, for so the change feed calls it.
//
// Both methods ask under the rights of who asks (his identity's claims) and give only
// what he may see; what a device is to have beyond that (his own tasks, not his
// neighbour's) the kind decides.
type Down interface {
	Dictionary() Dictionary
	// Changed gives those of the records that he sees now, in any order. What is left out
	// he is told to forget, if it was his to see.
	Changed(ctx context.Context, who auth.By, ids []string) ([]Record, error)
	// All gives the records inside an area, by id, after the id of the page before.
	All(ctx context.Context, who auth.By, area geo.Scope, after string, limit int) ([]Record, error)
}

// Former is a Down that shows less than the areas of its rows say (tasks: one's own). It
// tells which of the records, not his to see now, he could see once; the others' names
// are nobody's business. Its All is asked once, without an area.
type Former interface {
	Former(ctx context.Context, who auth.By, ids []string) ([]string, error)
}

// Echo is a Down whose records say something of the asker himself that lies in another
// table (when he read a notice). What he adds there sends him the record anew, on all his
// phones.
type Echo interface {
	Echoes() (table string)
	Echoed(ctx context.Context, who auth.By, rows []string) (ids []string, err error)
}

// Urgent is a Kind some of whose records cannot wait (险情): those are taken before
// everything else, whatever place, clock or numbering they come with.
type Urgent interface {
	Urgent(fields map[string]json.RawMessage) bool
}

// Dictionary says what a kind consists of; the forms of the phone are made from it.
type Dictionary struct {
	Kind        string       `json:"kind"`
	Title       Words        `json:"title"`
	Geometry    []string     `json:"geometry"` // GeoJSON types it may have; none: it has no place
	Fields      []Field      `json:"fields"`
	Transitions []Transition `json:"transitions,omitempty"`
	Deletable   bool         `json:"deletable"`
	// Near is the distance within which a mark of the same kind may be the same thing, m.
	Near float64 `json:"near_m,omitempty"`
}

// Field is one field of a form.
type Field struct {
	Name      string   `json:"name"`
	Title     Words    `json:"title"`
	Type      string   `json:"type"` // text, number, integer, boolean, datetime, code, id
	Codes     string   `json:"code_list,omitempty"`
	Unit      string   `json:"unit,omitempty"`
	Required  bool     `json:"required,omitempty"`
	ReadOnly  bool     `json:"read_only,omitempty"`
	MaxLength int      `json:"max_length,omitempty"`
	Templates []Words  `json:"templates,omitempty"`
	Min       *float64 `json:"min,omitempty"`
	Max       *float64 `json:"max,omitempty"`
}

// Words is a text in both languages.
type Words struct {
	Zh string `json:"zh"`
	En string `json:"en"`
}

// Transition is a step between two states and what it needs.
type Transition struct {
	From  string   `json:"from"`
	To    string   `json:"to"`
	Title Words    `json:"title"`
	Needs []string `json:"needs,omitempty"` // fields, or "note", "evidence"
}

// Record is a record as it stands. A field that is null is absent or null in Fields.
type Record struct {
	ID       string
	Version  int64
	State    string
	Fields   map[string]json.RawMessage
	Geometry orb.Geometry // EPSG:4490, lon/lat; nil without a place
	Scope    geo.Scope
	By       string // who wrote this version
	At       time.Time
}

// Write is what the engine hands to a kind: only what changes.
type Write struct {
	ID       string
	OpID     string
	Grant    auth.Grant // the one the change is done under
	Fields   map[string]json.RawMessage
	Geometry orb.Geometry // nil: not changed
	Note     string
	Place    geo.Scope // the smallest grid or unit around the geometry as it was sent; zero without one
	// Captured is how the position was found: where the device was, how exactly, in which datum.
	Captured Capture
}

// Capture is what the device knew when the operation was made.
type Capture struct {
	At        time.Time // the device's clock
	Received  time.Time // ours
	Device    string
	Datum     geo.CRS      // what the raw positions were given in
	Raw       orb.Geometry // the geometry as it was sent, nil without
	Accuracy  float64      // m; 0: unknown
	Position  *orb.Point   // where the device was, EPSG:4490; nil: unknown
	Evidence  []string     // SHA-256 of its photos
	Effective time.Time    // At, brought into the bounds of what can be true
}

// Refusal is a kind's word against an operation.
type Refusal struct {
	// Verdict is Quarantined (kept for a person to place) or Rejected (kept in the log,
	// the sender has to change it).
	Verdict Status
	Code    string // stable, English, snake_case
	Words   Words
	Path    string // JSON pointer into the operation
}

func (r *Refusal) Error() string { return "sync: " + string(r.Verdict) + ": " + r.Code }

// Status is the verdict on one operation.
type Status string

// The verdicts.
const (
	Applied     Status = "applied"
	Duplicate   Status = "duplicate"
	Merged      Status = "merged"
	Conflict    Status = "conflict"
	Quarantined Status = "quarantined"
	Rejected    Status = "rejected"
	Waiting     Status = "waiting" // kept; an earlier operation of the device is not here yet
	// Returned is what the desk made of a quarantined one: the sender has to change it.
	Returned Status = "returned"
)
