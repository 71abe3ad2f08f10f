package jobs

import (
	"context"
	"encoding/json"
	"time"

	"onemap/internal/auth"
	"onemap/internal/registry"
)

// State is where a job stands.
type State string

// The states.
const (
	Queued    State = "queued"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Ended says whether nothing more happens to it.
func (s State) Ended() bool { return s == Done || s == Failed || s == Cancelled }

// Error is why a job failed, in words for its owner. Path names the part of the input.
type Error struct {
	Code string `json:"code"`
	Path string `json:"path,omitempty"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

// Job is a line of the list.
type Job struct {
	ID       string
	Kind     string // plan.compute, plan.import, …
	Title    registry.Title
	Object   string // what it works on: plans/<id>
	State    State
	Progress float64 // 0..1; 0 while the whole is not known
	Done     int
	Total    int
	What     string // being done now
	Result   json.RawMessage
	Error    *Error

	By, Name  string // who started it: user name, name
	CreatedAt time.Time
	// Zero until then.
	StartedAt, FinishedAt time.Time
}

// Func is the work of a job. It says how far it is and obeys its context. What it returns
// becomes the result, as JSON.
type Func func(ctx context.Context, step func(done, total int, what string)) (any, error)

// Query says which jobs. Zero fields ask nothing.
type Query struct {
	State  State
	Kind   string
	Object string
	All    bool // everybody's; only for who manages the system
	Limit  int  // default 50, at most 200
}

// Starter is what a package needs that starts jobs.
type Starter interface {
	Start(ctx context.Context, by auth.By, kind string, titleZH, titleEN string, object string, fn Func) (Job, error)
}
