package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/jobs"
	"onemap/zoning"
	"onemap/zoning/calc"
	"onemap/zoning/coverage"
)

// Jobs is the work that outlasts a request.
type Jobs interface {
	jobs.Starter
	Get(ctx context.Context, who *auth.Identity, id string) (jobs.Job, error)
	List(ctx context.Context, who *auth.Identity, q jobs.Query) ([]jobs.Job, error)
	Cancel(ctx context.Context, by auth.By, id string) error
}

type jobError struct {
	Code    string `json:"code"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

type jobAnswer struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	Title      string          `json:"title"`
	Object     *string         `json:"object"`
	State      string          `json:"state"`
	Progress   float64         `json:"progress"`
	Done       int             `json:"done"`
	Total      int             `json:"total"`
	What       *string         `json:"what"`
	Result     json.RawMessage `json:"result"`
	Error      *jobError       `json:"error"`
	By         string          `json:"by"`
	Name       *string         `json:"name"`
	CreatedAt  time.Time       `json:"created_at"`
	StartedAt  *time.Time      `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at"`
	Cancel     *string         `json:"cancel"` // DELETE here, while it can be
}

func jobLine(j jobs.Job, req *Request) jobAnswer {
	a := jobAnswer{
		ID: j.ID, Kind: j.Kind, Title: j.Title.In(req.Lang), Object: optional(j.Object), State: string(j.State), Progress: j.Progress, Done: j.Done, Total: j.Total,
		What: optional(j.What), Result: jsonOrNull(j.Result), By: j.By, Name: optional(j.Name), CreatedAt: j.CreatedAt, StartedAt: timeOrNil(j.StartedAt), FinishedAt: timeOrNil(j.FinishedAt),
	}
	if j.Error != nil {
		a.Error = &jobError{j.Error.Code, j.Error.Path, text(j.Error.ZH, j.Error.EN).In(req.Lang)}
	}
	if !j.State.Ended() {
		a.Cancel = optional("/api/jobs/" + j.ID)
	}
	return a
}

// oversees says who sees other people's work: titles name plans of any area, so it takes
// the system's management everywhere.
func oversees(req *Request) bool {
	_, ok := req.Who.Grant(auth.ManageSystem, geo.Everywhere(), req.Received)
	return ok
}

// seenJob is the job of the path: one's own, or anybody's for who oversees them.
func (s *Server) seenJob(ctx context.Context, req *Request) (jobs.Job, error) {
	id, bad := req.id()
	if bad != nil {
		return jobs.Job{}, bad
	}
	j, err := s.opts.Jobs.Get(ctx, req.Who, strings.ToLower(id))
	if err == nil && j.By != req.Who.Username && !oversees(req) {
		return jobs.Job{}, problem(CodeNotFound)
	}
	return j, err
}

func (s *Server) getJob(ctx context.Context, req *Request) (*Response, error) {
	j, err := s.seenJob(ctx, req)
	if err != nil {
		return nil, err
	}
	return private(jobLine(j, req))
}

func (s *Server) getJobs(ctx context.Context, req *Request) (*Response, error) {
	q := jobs.Query{State: jobs.State(req.Query.Value("state")), Kind: req.Query.Value("kind"), Object: req.Query.Value("object"), Limit: 50}
	if q.State != "" && !slices.Contains([]jobs.State{jobs.Queued, jobs.Running, jobs.Done, jobs.Failed, jobs.Cancelled}, q.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if v, given := req.Query.Get("all"); given {
		if v != "true" && v != "false" {
			return nil, invalid("all", "应为 true 或 false", "it is true or false")
		}
		if q.All = v == "true"; q.All && !oversees(req) {
			return nil, problem(CodeForbidden)
		}
	}
	if _, given := req.Query.Get("limit"); given {
		n, err := wholeNumber(req.Query, "limit", 1, 200)
		if err != nil {
			return nil, err
		}
		q.Limit = n
	}
	list, err := s.opts.Jobs.List(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	out := make([]jobAnswer, 0, len(list))
	for _, j := range list {
		out = append(out, jobLine(j, req))
	}
	return private(map[string]any{"jobs": out})
}

func (s *Server) deleteJob(ctx context.Context, req *Request) (*Response, error) {
	j, err := s.seenJob(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Jobs.Cancel(ctx, s.by(req), j.ID); err != nil {
		return nil, err
	}
	return noContent(), nil
}

// accepted answers 202 with the job that does it.
func accepted(j jobs.Job, req *Request) (*Response, error) {
	resp, err := private(jobLine(j, req))
	if err == nil {
		resp.Status = 202
		resp.Set("Location", "/api/jobs/"+j.ID)
	}
	return resp, err
}

// ExplainJob puts the errors of plans into the words a job fails with; false for errors
// it does not know.
func ExplainJob(err error) (jobs.Error, bool) {
	var state *zoning.StateError
	var cov *coverage.Error
	var impossible *zoning.ViolationsError
	var bad *calc.Error
	switch {
	case errors.As(err, &state):
		return jobs.Error{Code: state.Code, ZH: state.ZH, EN: state.EN}, true
	case errors.As(err, &bad):
		return jobs.Error{Code: bad.Code, Path: bad.Path, ZH: bad.ZH, EN: bad.EN}, true
	case errors.As(err, &impossible) && len(impossible.Violations) > 0:
		return violationJob(impossible.Violations[0]), true
	case errors.As(err, &cov) && len(cov.Violations) > 0:
		return violationJob(cov.Violations[0]), true
	}
	return jobs.Error{}, false
}

func violationJob(v coverage.Violation) jobs.Error {
	w := violationWords(v.Code)
	return jobs.Error{Code: string(v.Code), ZH: w.ZH, EN: w.EN}
}
