package api

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"onemap/incidents/papers"
	"onemap/incidents/response"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

type paperChange struct {
	Figure string    `json:"figure"`
	Title  string    `json:"title"`
	Unit   string    `json:"unit"`
	Then   *float64  `json:"then"`
	Now    *float64  `json:"now"`
	AsOf   time.Time `json:"as_of"`
}

type paperAnswer struct {
	ID         string          `json:"id"`
	ETag       int64           `json:"etag"`
	Kind       string          `json:"kind"`
	KindTitle  string          `json:"kind_title"`
	Number     *string         `json:"number"`
	Title      string          `json:"title"`
	Area       string          `json:"area"`
	AreaTitle  *string         `json:"area_title"`
	Incident   *string         `json:"incident"`
	Response   *string         `json:"response"`
	Addressee  *string         `json:"addressee"`
	From       *time.Time      `json:"from"`
	To         *time.Time      `json:"to"`
	Exercise   bool            `json:"exercise"`
	State      string          `json:"state"`
	StateTitle string          `json:"state_title"`
	Blocks     []papers.Block  `json:"blocks"`
	Figures    []papers.Figure `json:"figures"`
	FrozenAt   *time.Time      `json:"frozen_at"`
	SHA256     *string         `json:"sha256"`

	DraftedBy       string     `json:"drafted_by"`
	CreatedAt       time.Time  `json:"created_at"`
	ReviewedBy      *string    `json:"reviewed_by"`
	ReviewedAt      *time.Time `json:"reviewed_at"`
	ReportedBy      *string    `json:"reported_by"`
	ReportedAt      *time.Time `json:"reported_at"`
	Consulted       *string    `json:"consulted"`
	ConsultedOnDuty *bool      `json:"consulted_on_duty"`
	SignDueAt       *time.Time `json:"sign_due_at"`
	SignOverdue     bool       `json:"sign_overdue"`
	SignedBy        *string    `json:"signed_by"`
	SignedAt        *time.Time `json:"signed_at"`
	Late            bool       `json:"late"`
	Note            *string    `json:"note"`
	// Mine says that the asker worded it, so another reviews and signs it.
	Mine bool `json:"mine"`
	// ChangedSince is what is otherwise now than when it left. Null: it cannot be said.
	ChangedSince []paperChange `json:"changed_since"`
	UpdatedAt    time.Time     `json:"updated_at"`
	UpdatedBy    string        `json:"updated_by"`
}

func (s *Server) paperLine(p papers.Paper, actor string, areas *areaTitles, lang registry.Lang) paperAnswer {
	snap := s.opts.Catalogue.Now()
	return paperAnswer{
		ID: p.ID, ETag: p.Version, Kind: p.Kind, KindTitle: codeTitle(snap, "paper_kind", p.Kind, lang), Number: optional(p.Number), Title: p.Title, Area: p.Area, AreaTitle: areas.of(p.Area),
		Incident: optional(p.Incident), Response: optional(p.Response), Addressee: optional(p.Addressee), From: p.From, To: p.To, Exercise: p.Exercise, State: p.State, StateTitle: codeTitle(snap, "paper_state", p.State, lang),
		Blocks: filled(p.Blocks), Figures: filled(p.Figures), FrozenAt: p.FrozenAt, SHA256: optional(p.SHA256), DraftedBy: p.Name, CreatedAt: p.CreatedAt, ReviewedBy: optional(p.ReviewedBy), ReviewedAt: p.ReviewedAt,
		ReportedBy: optional(p.ReportedBy), ReportedAt: p.ReportedAt, Consulted: optional(p.Consulted), ConsultedOnDuty: p.ConsultedOnDuty, SignDueAt: p.SignDue, SignOverdue: p.Overdue(areas.now),
		SignedBy: optional(p.SignedBy), SignedAt: p.SignedAt, Late: p.Late, Note: optional(p.Note), Mine: slices.Contains(p.Editors, actor), UpdatedAt: p.UpdatedAt, UpdatedBy: p.UpdatedBy,
	}
}

// getPapers are 快报, 专报 and handovers, with how many still have to be signed.
func (s *Server) getPapers(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	v := req.Query.Value
	q := papers.Query{Kind: v("kind"), State: v("state"), Incident: strings.ToLower(v("incident")), Response: strings.ToLower(v("response")), Area: v("area"), Exercise: v("exercise"), Limit: limit, Cursor: cursor}
	if q.Unsigned, err = said(req.Query, "unsigned"); err != nil {
		return nil, err
	}
	page, err := s.opts.Papers.Papers(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]paperAnswer, 0, len(page.Papers))
	for _, p := range page.Papers {
		out = append(out, s.paperLine(p, req.Who.Actor(), areas, req.Lang))
	}
	return private(map[string]any{"papers": out, "next": optional(page.Next), "unsigned": page.Unsigned, "overdue": page.Overdue, "position": page.Position})
}

// seenPaper is the paper of the path as the asker may see it.
func (s *Server) seenPaper(ctx context.Context, req *Request) (papers.Paper, error) {
	id, bad := req.id()
	if bad != nil {
		return papers.Paper{}, bad
	}
	return s.opts.Papers.Paper(ctx, req.Who, strings.ToLower(id))
}

func (s *Server) paperResponse(ctx context.Context, req *Request, p papers.Paper) (*Response, error) {
	line := s.paperLine(p, req.Who.Actor(), s.areaTitles(ctx, req), req.Lang)
	now, known, err := s.figuresOf(ctx, req, p)
	switch {
	case err != nil:
		return nil, err
	case !p.Frozen():
		line.Figures = filled(now) // as they stand: signing keeps them
	case known && p.Kind != papers.Handover:
		line.ChangedSince = []paperChange{}
		for _, c := range papers.ChangedSince(p.Figures, now) {
			line.ChangedSince = append(line.ChangedSince, paperChange{c.Key, c.Title, c.Unit, c.Then, c.Now, c.AsOf})
		}
	}
	resp, err := versioned(line, p.Version)
	if err == nil && p.FeedPosition != "" {
		resp.Set("Onemap-Seq", p.FeedPosition)
	}
	return resp, err
}

func (s *Server) getPaper(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPaper(ctx, req)
	if err != nil {
		return nil, err
	}
	return s.paperResponse(ctx, req, p)
}

type paperBody struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	Title     string          `json:"title"`
	Area      string          `json:"area"`
	Incident  string          `json:"incident"`
	Response  string          `json:"response"`
	Addressee string          `json:"addressee"`
	From      *time.Time      `json:"from"`
	To        *time.Time      `json:"to"`
	Exercise  bool            `json:"exercise"`
	Blocks    *[]papers.Block `json:"blocks"`
}

// postPaper drafts a paper. What is known goes into it; what nobody knows is left to be
// written.
func (s *Server) postPaper(ctx context.Context, req *Request) (*Response, error) {
	var b paperBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := papers.New{Kind: b.Kind, Title: b.Title, Area: b.Area, Incident: strings.ToLower(b.Incident), Response: strings.ToLower(b.Response), Addressee: b.Addressee, From: b.From, To: b.To, Exercise: b.Exercise}
	if n.Kind == papers.Handover {
		if n.To == nil {
			n.To = &req.Received
		}
		if n.From == nil {
			from := n.To.Add(-12 * time.Hour)
			n.From = &from
		}
	}
	if err := s.subject(ctx, req, &n); err != nil {
		return nil, err
	}
	m, err := s.material(ctx, req, papers.Paper{Kind: n.Kind, Area: n.Area, Incident: n.Incident, Response: n.Response, From: n.From, To: n.To, Exercise: n.Exercise})
	if err != nil {
		return nil, err
	}
	title, blocks := papers.Compose(n.Kind, m)
	if n.Title == "" {
		n.Title = title
	}
	if n.Blocks = blocks; b.Blocks != nil {
		n.Blocks = *b.Blocks
	}
	p, err := s.opts.Papers.Create(ctx, s.by(req), strings.ToLower(b.ID), n)
	if err != nil {
		return nil, err
	}
	resp, err := s.paperResponse(ctx, req, p)
	if err == nil {
		resp.Status = 201
		resp.Set("Location", "/api/papers/"+p.ID)
	}
	return resp, err
}

// subject completes what a paper is about from what it names, as far as the asker sees it.
func (s *Server) subject(ctx context.Context, req *Request, n *papers.New) error {
	if n.Response != "" {
		r, err := s.opts.Responses.Response(ctx, req.Who, n.Response)
		if unseen(err) {
			return fault(req, "response", "unknown", "没有此响应", "there is no such response")
		}
		if err != nil {
			return err
		}
		n.Exercise = n.Exercise || r.Exercise
		if n.Area == "" {
			n.Area = r.Area
		}
		if n.Incident == "" {
			n.Incident = r.Incident
		}
	}
	if n.Incident != "" {
		i, err := s.opts.Incidents.Incident(ctx, req.Who, n.Incident)
		if unseen(err) {
			return fault(req, "incident", "unknown", "没有此事件", "there is no such incident")
		}
		if err != nil {
			return err
		}
		n.Exercise = n.Exercise || i.Exercise
		if n.Area == "" {
			n.Area = codeOf(i.Scope)
		}
	}
	if n.Area == "" {
		// The desk's own area, the widest he commands.
		for _, g := range req.Who.Grants {
			if len(n.Area) == 0 || len(g.Area) < len(n.Area) {
				n.Area = g.Area
			}
		}
	}
	return nil
}

type paperPatchBody struct {
	Title     *string         `json:"title"`
	Addressee *string         `json:"addressee"`
	Blocks    *[]papers.Block `json:"blocks"`
}

func (s *Server) patchPaper(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPaper(ctx, req)
	if err != nil {
		return nil, err
	}
	var b paperPatchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	p, err = s.opts.Papers.Patch(ctx, s.by(req), p.ID, version, papers.Patch{Title: b.Title, Addressee: b.Addressee, Blocks: b.Blocks})
	if err != nil {
		return nil, err
	}
	return s.paperResponse(ctx, req, p)
}

type paperStepBody struct {
	To        string `json:"to"`
	Note      string `json:"note"`
	Consulted string `json:"consulted"`
}

// postPaperStep reviews, signs, returns, or reports first what cannot wait for its
// signature. Signing and reporting keep the figures as they are now.
func (s *Server) postPaperStep(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPaper(ctx, req)
	if err != nil {
		return nil, err
	}
	var b paperStepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	step := papers.Step{To: b.To, Note: b.Note, Consulted: b.Consulted}
	if (b.To == papers.Signed || b.To == papers.Reported) && !p.Frozen() {
		if step.Figures, _, err = s.figuresOf(ctx, req, p); err != nil {
			return nil, err
		}
		duty, err := s.opts.Responses.Duty(ctx, req.Who, response.DutyQuery{Area: p.Area})
		if err != nil {
			return nil, err
		}
		for _, d := range duty.Leaders {
			step.OnDuty = append(step.OnDuty, d.Person)
		}
	}
	p, err = s.opts.Papers.Step(ctx, s.by(req), p.ID, version, step)
	if err != nil {
		return nil, err
	}
	return s.paperResponse(ctx, req, p)
}

// getPaperAs prints a paper: PDF, DOCX or text to copy. A draft says that it is one.
func (s *Server) getPaperAs(kind string) HandlerFunc {
	return func(ctx context.Context, req *Request) (*Response, error) {
		p, err := s.seenPaper(ctx, req)
		if err != nil {
			return nil, err
		}
		return s.printed(ctx, req, p, kind, "papers/"+p.ID)
	}
}

// printed is a paper on paper; that somebody took it is written down.
func (s *Server) printed(ctx context.Context, req *Request, p papers.Paper, kind, object string) (*Response, error) {
	sheet, err := s.paperSheet(ctx, req, p)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	media, err := printPaper(ctx, &out, sheet, kind)
	if err != nil {
		return nil, err
	}
	if err := s.taken(ctx, req, "paper.print", object, p.Area, map[string]any{"as": kind, "state": p.State, "bytes": out.Len()}); err != nil {
		return nil, err
	}
	name := p.Number
	if name == "" {
		name = "draft"
	}
	return offered(media, name+"_"+p.Title+"."+kind, out.Bytes()), nil
}

func mayAt(req *Request, p auth.Permission, area geo.Scope) bool {
	_, ok := req.Who.Grant(p, area, req.Received)
	return ok
}

type briefEntry struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Title   string    `json:"title"`
	Detail  *string   `json:"detail"`
	By      *string   `json:"by"`
	RefKind string    `json:"ref_kind"`
	Ref     string    `json:"ref"`
}

type briefMatter struct {
	Title  string     `json:"title"`
	Detail *string    `json:"detail"`
	DueAt  *time.Time `json:"due_at"`
}

// getHandover is the 交接班 brief of a period from the log: figures, what is open, and what
// happened; as text to copy too.
func (s *Server) getHandover(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.period(ctx, req)
	if err != nil {
		return nil, err
	}
	m, err := s.material(ctx, req, p)
	if err != nil {
		return nil, err
	}
	p.Title, p.Blocks = papers.Compose(p.Kind, m)
	log, open := make([]briefEntry, 0, len(m.Brief.Log)), make([]briefMatter, 0, len(m.Brief.Open))
	for _, e := range m.Brief.Log {
		log = append(log, briefEntry{e.At, e.Kind, e.Title, optional(e.Detail), optional(e.By), e.RefKind, e.Ref})
	}
	for _, o := range m.Brief.Open {
		open = append(open, briefMatter{o.Title, optional(o.Detail), o.Due})
	}
	var text strings.Builder
	text.WriteString(p.Title + "\n")
	for _, b := range p.Blocks {
		text.WriteString("\n" + b.Title + "\n" + papers.Filled(b.Text, m.Figures) + "\n")
	}
	return private(map[string]any{"from": p.From.UTC(), "to": p.To.UTC(), "area": optional(p.Area), "title": p.Title, "figures": filled(m.Figures), "blocks": p.Blocks, "open": open, "log": log, "text": text.String()})
}

// period is what the log of a desk is asked for: from when to when, where, and whether of
// an exercise.
func (s *Server) period(ctx context.Context, req *Request) (papers.Paper, error) {
	p := papers.Paper{Kind: papers.Handover, Area: req.Query.Value("area"), To: &req.Received}
	for name, to := range map[string]**time.Time{"from": &p.From, "to": &p.To} {
		v, given := req.Query.Get(name)
		if !given {
			continue
		}
		at, ok := instant(v)
		if !ok {
			return p, invalid(name, "应为带时区的时间", "it is a time with its zone")
		}
		*to = &at
	}
	var err error
	if p.Exercise, err = said(req.Query, "exercise"); err != nil {
		return p, err
	}
	return s.shift(ctx, req, p)
}

// shift completes a period: the last twelve hours, and the desk's own area, unless
// somebody says otherwise.
func (s *Server) shift(ctx context.Context, req *Request, p papers.Paper) (papers.Paper, error) {
	if p.From == nil {
		from := p.To.Add(-12 * time.Hour)
		p.From = &from
	}
	if p.Area == "" {
		n := papers.New{Kind: papers.Handover}
		if err := s.subject(ctx, req, &n); err != nil {
			return p, err
		}
		p.Area = n.Area
	}
	// The log of a desk is told to those who sit at it.
	if scope, err := geo.ParseScope(p.Area); p.Area != "" && (err != nil || !mayAt(req, auth.WorkDesk, scope)) {
		return p, problem(CodeForbidden)
	}
	return p, nil
}

type handoverBody struct {
	From     *time.Time `json:"from"`
	To       *time.Time `json:"to"`
	Area     string     `json:"area"`
	Exercise bool       `json:"exercise"`
}

// postHandoverAs prints the brief of a shift as it is now, without a paper being drafted.
func (s *Server) postHandoverAs(kind string) HandlerFunc {
	return func(ctx context.Context, req *Request) (*Response, error) {
		var b handoverBody
		if err := readJSON(req, &b); err != nil {
			return nil, err
		}
		p := papers.Paper{Kind: papers.Handover, State: papers.Draft, From: b.From, To: b.To, Area: b.Area, Exercise: b.Exercise, CreatedAt: req.Received, Name: takenBy(req)}
		if p.To == nil {
			p.To = &req.Received
		}
		p, err := s.shift(ctx, req, p)
		if err != nil {
			return nil, err
		}
		m, err := s.material(ctx, req, p)
		if err != nil {
			return nil, err
		}
		p.Title, p.Blocks = papers.Compose(p.Kind, m)
		return s.printed(ctx, req, p, kind, "briefs/handover")
	}
}
