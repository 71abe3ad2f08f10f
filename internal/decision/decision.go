package decision

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5" //nolint:depguard // what an order does is done in its transaction

	"onemap/internal/auth"
	"onemap/internal/geo"
)

var (
	// ErrFourEyes means the maker cannot decide his own. 403.
	ErrFourEyes = errors.New("decision: another person has to do this")
	// ErrNotAvailable means nothing in this program carries the action out. 422.
	ErrNotAvailable = errors.New("decision: the action is not available")
	// ErrCursor means a cursor that [Ledger.List] did not give.
	ErrCursor = errors.New("decision: not a cursor")
)

// State of a decision.
type State string

// The states.
const (
	Proposed      State = "proposed"
	Approved      State = "approved"
	Refused       State = "refused"
	Withdrawn     State = "withdrawn"
	Pending       State = "pending_countersign" // 待补签
	Countersigned State = "countersigned"
)

// Known says whether it is one.
func (s State) Known() bool {
	switch s {
	case Proposed, Approved, Refused, Withdrawn, Pending, Countersigned:
		return true
	}
	return false
}

// Consulted is the 带班领导 somebody asked before he sent an order alone. Confirmed says
// that the roster had a leader of that name on duty for the area; OnDuty whom it had.
type Consulted struct {
	Name      string   `json:"name"`
	Post      string   `json:"post,omitempty"`
	Confirmed bool     `json:"confirmed"`
	OnDuty    []string `json:"on_duty,omitempty"`
}

// Decision is a line of the ledger.
type Decision struct {
	ID, Action, Object, Area string
	State                    State
	MadeBy, MadeName, Role   string // account, user name, role it was made in
	Grant                    string
	MadeAt                   time.Time
	Text, Reason             string
	Detail                   json.RawMessage // what the effect needs
	Consulted                *Consulted
	DecidedBy, DecidedName   string
	DecidedRole              string
	DecidedAt                time.Time // zero while open
	Note                     string
	Version                  int64
	Overdue                  bool // an order not countersigned in time
}

// Proposal asks for something another person has to decide.
type Proposal struct {
	Action, Object, Area, Text, Reason string
	Detail                             any
}

// Order is an emergency order of one person.
type Order struct {
	Action, Area, Text, Reason string
	Object                     string    // what it is about; an area says enough
	Consulted                  Consulted // Name and Post count
	// Apply is what it does, in the transaction of the order; nil is the effect of its action.
	Apply func(ctx context.Context, tx pgx.Tx, d Decision) error
}

// Query says which decisions. Zero fields ask nothing.
type Query struct {
	State   State
	Action  string
	Overdue bool
	Limit   int // default 50, at most 200
	Cursor  string
}

// Page is some decisions, newest first.
type Page struct {
	Decisions []Decision
	Next      string
}

var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`) //nolint:gochecknoglobals // compiled once

const minReason = 4

// faults collects what is wrong with an input.
type faults []auth.Fault

func (f *faults) add(path, code, zh, en string) {
	*f = append(*f, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
}

func (f *faults) text(path, s string, least, most int) string {
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n < least || n > most || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		if least == 0 {
			f.add(path, "length", "过长或含有无效字符", "too long, or not text")
		} else {
			f.add(path, "length", "请填写，且不要过长", "it is needed, and not too long")
		}
	}
	return s
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}

// scope reads an area; "" is everywhere.
func (f *faults) scope(area string) geo.Scope {
	if area == "" {
		return geo.Everywhere()
	}
	s, err := geo.ParseScope(area)
	if err != nil {
		f.add("area", "unknown", "不是行政区划代码", "not an administrative code")
	}
	return s
}
