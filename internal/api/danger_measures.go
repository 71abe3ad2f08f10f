package api

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"onemap/census/dangers"
	"onemap/internal/auth"
)

type measureDoc struct {
	ID         string       `json:"id"`
	ETag       int64        `json:"etag"`
	Number     *string      `json:"number"`
	Title      string       `json:"title"`
	Kind       string       `json:"kind"`
	KindTitle  string       `json:"kind_title"`
	Content    string       `json:"content"`
	Basis      string       `json:"basis"`
	Unit       string       `json:"unit"`
	Person     string       `json:"person"`
	State      string       `json:"state"`
	StateTitle string       `json:"state_title"`
	DueOn      *string      `json:"due_on"`
	DoneOn     *string      `json:"done_on"`
	Note       string       `json:"note"`
	Area       planArea     `json:"area"`
	Count      int          `json:"danger_count"`
	Dangers    []dangerLink `json:"dangers,omitempty"`
	CreatedAt  time.Time    `json:"created_at"`
	CreatedBy  string       `json:"created_by"`
	UpdatedAt  time.Time    `json:"updated_at"`
	UpdatedBy  string       `json:"updated_by"`
	Demo       bool         `json:"demo"`
	May        []string     `json:"may"`
}

func (s *Server) measureLine(req *Request, m dangers.Measure, areas *areaTitles) measureDoc {
	snap := s.opts.Catalogue.Now()
	a := measureDoc{
		ID: m.ID, ETag: m.Version, Number: optional(m.Number), Title: m.Title, Kind: m.Kind, KindTitle: codeTitle(snap, "measure_kind", m.Kind, req.Lang), Content: m.Content, Basis: m.Basis,
		Unit: m.Unit, Person: m.Person, State: m.State, StateTitle: codeTitle(snap, "measure_state", m.State, req.Lang), DueOn: day(m.DueOn), DoneOn: day(m.DoneOn), Note: m.Note,
		Area: planArea{m.Area, areas.of(m.Area)}, Count: m.Dangers, CreatedAt: m.CreatedAt, CreatedBy: m.CreatedBy, UpdatedAt: m.UpdatedAt, UpdatedBy: m.UpdatedBy, Demo: m.Demo, May: []string{},
	}
	if _, ok := req.Who.Grant(auth.HandleDangers, m.Scope, req.Received); ok {
		a.May = []string{"edit", "link"}
	}
	return a
}

func (s *Server) measureQuery(req *Request) (dangers.MeasureQuery, error) {
	q := dangers.MeasureQuery{State: req.Query.Value("state"), Kind: req.Query.Value("kind"), Unit: req.Query.Value("unit"), Area: req.Query.Value("area"), Danger: strings.ToLower(req.Query.Value("danger")), Text: req.Query.Value("q")}
	if q.State != "" && !slices.Contains(dangers.MeasureStates(), q.State) {
		return q, invalid("state", "没有此状态", "there is no such state")
	}
	return q, nil
}

func (s *Server) getMeasures(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q, err := s.measureQuery(req)
	if err != nil {
		return nil, err
	}
	q.Limit, q.Cursor = limit, cursor
	page, err := s.opts.Dangers.Measures(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]measureDoc, 0, len(page.Measures))
	for _, m := range page.Measures {
		out = append(out, s.measureLine(req, m, areas))
	}
	return private(map[string]any{"measures": out, "next": optional(page.Next)})
}

func (s *Server) seenMeasure(ctx context.Context, req *Request) (dangers.Measure, error) {
	id, bad := req.id()
	if bad != nil {
		return dangers.Measure{}, hidden(req)
	}
	m, err := s.opts.Dangers.Measure(ctx, req.Who, strings.ToLower(id))
	if errors.Is(err, auth.ErrNotFound) {
		return dangers.Measure{}, hidden(req)
	}
	return m, err
}

func (s *Server) measureResponse(ctx context.Context, req *Request, m dangers.Measure) (*Response, error) {
	a := s.measureLine(req, m, s.areaTitles(ctx, req))
	a.Dangers = linkLines(m.Linked)
	return versioned(a, m.Version)
}

func (s *Server) getMeasure(ctx context.Context, req *Request) (*Response, error) {
	m, err := s.seenMeasure(ctx, req)
	if err != nil {
		return nil, err
	}
	return s.measureResponse(ctx, req, m)
}

type measureBody struct {
	ID      string  `json:"id"`
	Title   *string `json:"title"`
	Kind    *string `json:"kind"`
	Content *string `json:"content"`
	Basis   *string `json:"basis"`
	Unit    *string `json:"unit"`
	Person  *string `json:"person"`
	State   *string `json:"state"`
	DueOn   *string `json:"due_on"`
	DoneOn  *string `json:"done_on"`
	Note    *string `json:"note"`
	Area    string  `json:"area"`
}

// dates reads the days of a measure; "" is none.
func (b measureBody) dates(req *Request) (due, done *time.Time, err error) {
	read := func(path string, v *string) (*time.Time, error) {
		if v == nil {
			return nil, nil //nolint:nilnil // not given
		}
		if *v == "" {
			return &time.Time{}, nil
		}
		t, err := time.Parse(time.DateOnly, *v)
		if err != nil {
			return nil, fault(req, path, "bad_value", "应为 YYYY-MM-DD", "it is YYYY-MM-DD")
		}
		return &t, nil
	}
	if due, err = read("due_on", b.DueOn); err == nil {
		done, err = read("done_on", b.DoneOn)
	}
	return due, done, err
}

func (s *Server) postMeasure(ctx context.Context, req *Request) (*Response, error) {
	var b measureBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	due, done, err := b.dates(req)
	if err != nil {
		return nil, err
	}
	set := func(t *time.Time) *time.Time {
		if t == nil || t.IsZero() {
			return nil
		}
		return t
	}
	m, err := s.opts.Dangers.CreateMeasure(ctx, s.by(req), dangers.Measure{
		ID: strings.ToLower(b.ID), Title: orZero(b.Title), Kind: orZero(b.Kind), Content: orZero(b.Content), Basis: orZero(b.Basis), Unit: orZero(b.Unit), Person: orZero(b.Person), State: orZero(b.State),
		DueOn: set(due), DoneOn: set(done), Note: orZero(b.Note), Area: b.Area,
	})
	if err != nil {
		return nil, err
	}
	resp, err := s.measureResponse(ctx, req, m)
	if err == nil {
		resp.Status = 201
		resp.Set("Location", "/api/measures/"+m.ID)
	}
	return resp, err
}

func (s *Server) patchMeasure(ctx context.Context, req *Request) (*Response, error) {
	m, err := s.seenMeasure(ctx, req)
	if err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	var b measureBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if b.ID != "" || b.Area != "" {
		return nil, fault(req, "area", "not_changed", "编号和区域不能改", "id and area do not change")
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(req.body, &given) == nil {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if string(given[name]) == "null" {
				return nil, fault(req, name, "required", "不能为 null;清空请用空文字", "it cannot be null; an empty text empties it")
			}
		}
	}
	due, done, err := b.dates(req)
	if err != nil {
		return nil, err
	}
	m, err = s.opts.Dangers.UpdateMeasure(ctx, s.by(req), m.ID, version, dangers.MeasurePatch{
		Title: b.Title, Kind: b.Kind, Content: b.Content, Basis: b.Basis, Unit: b.Unit, Person: b.Person, State: b.State, Note: b.Note, DueOn: due, DoneOn: done,
	})
	if err != nil {
		return nil, err
	}
	return s.measureResponse(ctx, req, m)
}

// link joins or parts the two of the path. Both have to be seen; which of them is not is
// nobody's business.
func (s *Server) link(ctx context.Context, req *Request, linked bool) (*Response, error) {
	m, err := s.seenMeasure(ctx, req)
	if err != nil {
		return nil, err
	}
	danger := req.Param(1)
	if !uuidText(danger) {
		return nil, problem(CodeNotFound)
	}
	if err := s.opts.Dangers.Link(ctx, s.by(req), m.ID, strings.ToLower(danger), linked); err != nil {
		return nil, err
	}
	return noContent(), nil
}

func (s *Server) putMeasureLink(ctx context.Context, req *Request) (*Response, error) {
	return s.link(ctx, req, true)
}

func (s *Server) deleteMeasureLink(ctx context.Context, req *Request) (*Response, error) {
	return s.link(ctx, req, false)
}
