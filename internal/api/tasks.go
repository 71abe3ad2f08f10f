package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/census/field"
	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Tasks are what the office sends people to do.
type Tasks interface {
	Tasks(ctx context.Context, who *auth.Identity, q field.TaskQuery) (field.TaskPage, error)
	TasksIn(ctx context.Context, in geo.Scopes, ids []string) (map[string]field.Task, error)
	Task(ctx context.Context, who *auth.Identity, id string) (field.Task, error)
	Send(ctx context.Context, by auth.By, n field.NewTask) (field.Task, error)
	Patch(ctx context.Context, by auth.By, id string, version int64, p field.TaskPatch) (field.Task, error)
	StepTask(ctx context.Context, by auth.By, id string, version int64, step field.TaskStep) (field.Task, error)
	Assignees(ctx context.Context, who *auth.Identity, area, q string) ([]field.Assignee, error)
}

type taskAnswer struct {
	ID           string          `json:"id"`
	ETag         int64           `json:"etag"`
	Title        string          `json:"title"`
	Kind         string          `json:"kind"`
	ObjectKind   *string         `json:"object_kind"`
	Object       *string         `json:"object"`
	State        string          `json:"state"`
	DueAt        *time.Time      `json:"due_at"`
	Overdue      bool            `json:"overdue"`
	Note         *string         `json:"note"`
	Result       *string         `json:"result"`
	Reason       *string         `json:"reason"`
	Photos       []string        `json:"photos"`
	Place        *string         `json:"place"`
	Geometry     json.RawMessage `json:"geometry"`
	Grid         *string         `json:"grid"`
	Area         *string         `json:"area"`
	AreaTitle    *string         `json:"area_title"`
	Assignee     *whoAnswer      `json:"assignee"`
	AcceptedAt   *time.Time      `json:"accepted_at"`
	DoneAt       *time.Time      `json:"done_at"`
	HandedBackAt *time.Time      `json:"handed_back_at"`
	By           whoAnswer       `json:"by"`
	CreatedAt    time.Time       `json:"created_at"`
	UpdatedAt    time.Time       `json:"updated_at"`
	Mine         bool            `json:"mine"`
}

func taskLine(t field.Task, areas *areaTitles) taskAnswer {
	a := taskAnswer{
		ID: t.ID, ETag: t.Version, Title: t.Title, Kind: t.Kind, ObjectKind: optional(t.ObjectKind), Object: optional(t.Object), State: t.State, DueAt: t.DueAt, Overdue: t.Overdue(areas.now),
		Note: optional(t.Note), Result: optional(t.Result), Reason: optional(t.Reason), Photos: filled(t.Photos), Place: optional(t.Place), Geometry: geometryJSON(t.Geometry), Grid: optional(t.Grid),
		Area: optional(codeOf(t.Scope)), AreaTitle: areas.of(codeOf(t.Scope)), AcceptedAt: t.AcceptedAt, DoneAt: t.DoneAt, HandedBackAt: t.HandedBackAt,
		By: whoAnswer{optional(t.Account), t.SentBy}, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, Mine: t.Mine,
	}
	if t.Assignee != "" {
		a.Assignee = &whoAnswer{&t.Assignee, t.AssigneeName}
	}
	return a
}

func (s *Server) getTasks(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := field.TaskQuery{State: req.Query.Value("state"), Kind: req.Query.Value("kind"), Object: req.Query.Value("object"), Area: req.Query.Value("area"), Limit: min(limit, 500), Cursor: cursor}
	if q.State != "" && !slices.Contains(field.TaskStates(), q.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if q.Mine, err = said(req.Query, "mine"); err != nil {
		return nil, err
	}
	if q.Overdue, err = said(req.Query, "overdue"); err != nil {
		return nil, err
	}
	page, err := s.opts.Work.Tasks(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]taskAnswer, 0, len(page.Tasks))
	for _, t := range page.Tasks {
		out = append(out, taskLine(t, areas))
	}
	return private(map[string]any{"tasks": out, "next": optional(page.Next), "position": page.Position})
}

type assigneeAnswer struct {
	Account   string  `json:"account"`
	Username  string  `json:"username"`
	Name      string  `json:"name"`
	Role      string  `json:"role"`
	Area      *string `json:"area"`
	AreaTitle *string `json:"area_title"`
}

// getAssignees are the people a task may be sent to.
func (s *Server) getAssignees(ctx context.Context, req *Request) (*Response, error) {
	people, err := s.opts.Work.Assignees(ctx, req.Who, req.Query.Value("area"), clip(req.Query.Value("q"), 100))
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]assigneeAnswer, 0, len(people))
	for _, p := range people {
		out = append(out, assigneeAnswer{p.Account, p.Username, p.Name, string(p.Role), optional(p.Area), areas.of(p.Area)})
	}
	return private(map[string]any{"assignees": out})
}

func (s *Server) taskResponse(ctx context.Context, req *Request, t field.Task) (*Response, error) {
	resp, err := versioned(taskLine(t, s.areaTitles(ctx, req)), t.Version)
	if err == nil && t.FeedPosition != "" {
		resp.Set("Onemap-Seq", t.FeedPosition)
	}
	return resp, err
}

func (s *Server) getTask(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	t, err := s.opts.Work.Task(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return s.taskResponse(ctx, req, t)
}

type newTaskBody struct {
	Title      string          `json:"title"`
	Kind       string          `json:"kind"`
	ObjectKind string          `json:"object_kind"`
	Object     string          `json:"object"`
	Note       string          `json:"note"`
	Place      string          `json:"place"`
	Assignee   string          `json:"assignee"`
	Grid       string          `json:"grid"`
	DueAt      *time.Time      `json:"due_at"`
	At         json.RawMessage `json:"at"`
}

func (s *Server) postTask(ctx context.Context, req *Request) (*Response, error) {
	var b newTaskBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := field.NewTask{
		Title: b.Title, Kind: b.Kind, ObjectKind: b.ObjectKind, Object: strings.ToLower(b.Object), Note: b.Note, Place: b.Place,
		Assignee: strings.ToLower(b.Assignee), Grid: b.Grid, DueAt: b.DueAt,
	}
	if len(b.At) > 0 && string(b.At) != "null" {
		var at []float64
		if json.Unmarshal(b.At, &at) != nil || len(at) != 2 {
			return nil, fault(req, "at", "not_a_position", "应为 [经度, 纬度]", "it is [longitude, latitude]")
		}
		n.At = &orb.Point{at[0], at[1]}
	}
	t, err := s.opts.Work.Send(ctx, s.by(req), n)
	if err != nil {
		return nil, err
	}
	resp, err := s.taskResponse(ctx, req, t)
	if err == nil {
		resp.Status = 201
		resp.Set("Location", "/api/tasks/"+t.ID)
	}
	return resp, err
}

type taskPatchBody struct {
	Title    *string         `json:"title"`
	Note     *string         `json:"note"`
	Assignee *string         `json:"assignee"`
	Grid     *string         `json:"grid"`
	DueAt    json.RawMessage `json:"due_at"`
}

func (s *Server) patchTask(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	// Whoever may not know of it learns nothing from what else is wrong.
	if _, err := s.opts.Work.Task(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	var b taskPatchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	p := field.TaskPatch{Title: b.Title, Note: b.Note, Assignee: b.Assignee, Grid: b.Grid}
	if len(b.DueAt) > 0 {
		var due *time.Time
		if err := json.Unmarshal(b.DueAt, &due); err != nil {
			return nil, fault(req, "due_at", "bad_time", "应为带时区的时间", "it is a time with its zone")
		}
		p.DueAt = &due
	}
	t, err := s.opts.Work.Patch(ctx, s.by(req), strings.ToLower(id), version, p)
	if err != nil {
		return nil, err
	}
	return s.taskResponse(ctx, req, t)
}

type taskStepBody struct {
	To     string   `json:"to"`
	Result string   `json:"result"`
	Note   string   `json:"note"`
	Photos []string `json:"photos"`
}

func (s *Server) postTaskStep(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if _, err := s.opts.Work.Task(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	var b taskStepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	if len(b.Photos) > 9 || slices.ContainsFunc(b.Photos, func(p string) bool { return !hexHash(p) }) {
		return nil, fault(req, "photos", "not_a_hash", "应为照片的 SHA-256，至多 9 张", "SHA-256 of photos, at most nine")
	}
	t, err := s.opts.Work.StepTask(ctx, s.by(req), strings.ToLower(id), version, field.TaskStep{To: b.To, Result: b.Result, Note: b.Note, Photos: b.Photos})
	if err != nil {
		return nil, err
	}
	return s.taskResponse(ctx, req, t)
}

// hexHash says whether a text is a SHA-256.
func hexHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
