package contingency

import "time"

// The states of a task.
const (
	Waiting      = "waiting"
	Acknowledged = "acknowledged"
	Done         = "done"
	Refused      = "refused"
)

// States are all of them, in order.
func States() []string { return []string{Waiting, Acknowledged, Done, Refused} }

// Closed is asked for like a state: what was not done when its response ended. The task keeps
// the state it was in.
const Closed = "closed"

// Task is a clause somebody has to carry out now.
type Task struct {
	ID, Response, Incident, Clause string
	Plan                           string // title of the plan
	Seq, Level                     int
	Action, Unit, Text, Area       string
	Minutes                        *int
	Exercise                       bool
	State                          string
	SentAt                         time.Time
	DueAt, AcknowledgedAt, DoneAt  *time.Time
	RefusedAt                      *time.Time
	AcknowledgedBy, DoneBy         string
	Note, LoggedBy                 string
	ClosedAt                       *time.Time // nobody waits for it any more
	ClosedWhy                      string     // response_ended or incident_closed
	Version                        int64
	UpdatedAt                      time.Time
	FeedPosition                   string
}

// Late says whether it was not done in its minutes: that stays so once it was done after.
func (t Task) Late(now time.Time) bool {
	if t.DueAt == nil || t.State == Refused {
		return false
	}
	if t.DoneAt != nil {
		return t.DoneAt.After(*t.DueAt)
	}
	if t.ClosedAt != nil {
		return t.ClosedAt.After(*t.DueAt)
	}
	return now.After(*t.DueAt)
}

// TaskQuery says which tasks.
type TaskQuery struct {
	Response, Incident, State string
	Late                      bool
	Exercise                  string // "true", "false" or "all"; of a response or incident: all
	Limit                     int    // default 500, at most 1000
}

// Order is what tasks are made for.
type Order struct {
	Response, Incident string // at least one
	Area               string
	Exercise           bool
	At                 time.Time // their minutes run from here
	Clauses            []string  // nil: all that apply to the case
	Case               Case
}

// Step is an answer to a task. By is who of the unit gave it.
type Step struct{ To, Note, By string }
