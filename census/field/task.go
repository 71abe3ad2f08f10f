package field

import (
	"slices"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// The states of a task.
const (
	Sent       = "sent"
	Accepted   = "accepted"
	Done       = "done"
	HandedBack = "handed_back"
	Withdrawn  = "withdrawn" // by the office
)

// TaskStates are all of them.
func TaskStates() []string { return []string{Sent, Accepted, Done, HandedBack, Withdrawn} }

// Task is a task as the office and who does it see it.
type Task struct {
	ID, Title, Kind, ObjectKind, Object, State string
	DueAt                                      *time.Time
	Note, Result, Reason                       string
	Photos                                     []string
	Place                                      string
	Geometry                                   orb.Geometry
	Grid                                       string // the grid it was sent to
	Scope, GridScope                           geo.Scope
	Assignee, AssigneeName                     string // who does it; "" while nobody of the grid has accepted
	AcceptedAt, DoneAt, HandedBackAt           *time.Time
	Account, SentBy                            string
	Version                                    int64
	CreatedAt, UpdatedAt                       time.Time
	Mine                                       bool // the asker's to do
	FeedPosition                               string
}

// Overdue says whether it should have been done by now.
func (t Task) Overdue(now time.Time) bool {
	open := t.State == Sent || t.State == Accepted || t.State == HandedBack
	return open && t.DueAt != nil && t.DueAt.Before(now)
}

// TaskQuery says which tasks.
type TaskQuery struct {
	State, Kind, Object, Area string
	Mine, Overdue             bool
	Limit                     int
	Cursor                    string
}

// TaskPage is a page of tasks, the newest first.
type TaskPage struct {
	Tasks    []Task
	Next     string
	Position string
}

// NewTask is a task to be sent: to a person, or to a grid.
type NewTask struct {
	Title, Kind, ObjectKind, Object, Note, Place string
	Assignee, Grid                               string
	DueAt                                        *time.Time
	At                                           *orb.Point
}

// TaskPatch changes what is not nil. A new assignee or grid sends the task anew.
type TaskPatch struct {
	Title, Note, Assignee, Grid *string
	DueAt                       **time.Time
}

// TaskStep is a change of state.
type TaskStep struct {
	To, Result, Note string
	Photos           []string
}

// Assignee is somebody a task may be sent to.
type Assignee struct {
	Account, Username, Name, Area string
	Scope                         geo.Scope
	Role                          auth.Role
}

// mine says whether a task is the asker's to do.
func (s *Service) mine(who *auth.Identity, t Task) bool {
	if !person(who) {
		return false
	}
	return t.Assignee == who.Account || t.Assignee == "" && own(who, s.now()).Overlaps(t.GridScope)
}

func taskClash(code, zh, en string) error { return &auth.Conflict{Code: code, ZH: zh, EN: en} }

// follows refuses a step that cannot be taken from a state.
func follows(t Task, to string) error {
	ok := map[string][]string{Accepted: {Sent}, Done: {Accepted}, HandedBack: {Sent, Accepted}, Withdrawn: {Sent, Accepted, HandedBack}}
	from, known := ok[to]
	if !known {
		return &auth.Invalid{Items: []auth.Fault{{Path: "to", Code: "unknown", ZH: "没有此状态", EN: "there is no such state"}}}
	}
	if slices.Contains(from, t.State) {
		return nil
	}
	if to == Accepted && t.State == Accepted {
		return taskClash("already_accepted", t.AssigneeName+" 已接受", t.AssigneeName+" has accepted it")
	}
	return taskClash("cannot_follow", "任务的状态不允许此操作", "the state of the task does not allow this")
}
