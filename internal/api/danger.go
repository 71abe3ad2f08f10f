package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"onemap/census/dangers"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

// Dangers are hidden dangers and the measures against them.
type Dangers interface {
	Dangers(ctx context.Context, who *auth.Identity, q dangers.Query) (dangers.Page, error)
	Danger(ctx context.Context, who *auth.Identity, id string) (dangers.Danger, error)
	Detail(ctx context.Context, who *auth.Identity, id string) (dangers.Detail, error)
	Actions(ctx context.Context, who *auth.Identity, id string) ([]dangers.Action, error)
	May(who *auth.Identity, d dangers.Danger) []string
	Rules() (dangers.Rules, error)
	Create(ctx context.Context, by auth.By, n dangers.NewDanger) (dangers.Danger, bool, error)
	Update(ctx context.Context, by auth.By, id string, version int64, p dangers.Patch) (dangers.Danger, error)
	Remove(ctx context.Context, by auth.By, id string, version int64) error
	Transition(ctx context.Context, by auth.By, id string, version int64, t dangers.Transition) (dangers.Danger, error)
	Reopen(ctx context.Context, by auth.By, id, newID, note string) (dangers.Danger, error)
	List(ctx context.Context, by auth.By, id string, version int64, listed bool, note string) (dangers.Danger, error)
	Extend(ctx context.Context, by auth.By, id, extension string, due time.Time, reason string) (dangers.Danger, error)
	DecideExtension(ctx context.Context, by auth.By, id, extension string, approve bool, note string) (dangers.Danger, error)
	Summary(ctx context.Context, who *auth.Identity, q dangers.SummaryQuery) (dangers.Summary, error)
	Reminders(ctx context.Context, who *auth.Identity, days int, unit string) ([]dangers.Reminder, int, error)
	HazardCard(ctx context.Context, who *auth.Identity, id string) (dangers.Card, error)
	DangerCard(ctx context.Context, who *auth.Identity, id string) (dangers.Card, error)
	Measures(ctx context.Context, who *auth.Identity, q dangers.MeasureQuery) (dangers.MeasurePage, error)
	Measure(ctx context.Context, who *auth.Identity, id string) (dangers.Measure, error)
	CreateMeasure(ctx context.Context, by auth.By, m dangers.Measure) (dangers.Measure, error)
	UpdateMeasure(ctx context.Context, by auth.By, id string, version int64, p dangers.MeasurePatch) (dangers.Measure, error)
	Link(ctx context.Context, by auth.By, measure, danger string, linked bool) error
	Pairs(ctx context.Context, who *auth.Identity) (ofDanger, ofMeasure map[string][]string, err error)
}

type dangerPlan struct {
	Responsibility string `json:"responsibility"`
	Measures       string `json:"measures"`
	Funds          string `json:"funds"`
	Deadline       string `json:"deadline"`
	Contingency    string `json:"contingency"`
}

type dangerAnswer struct {
	ID              string            `json:"id"`
	ETag            int64             `json:"etag"`
	Number          *string           `json:"number"`
	Name            string            `json:"name"`
	Kind            string            `json:"kind"`
	KindTitle       string            `json:"kind_title"`
	Level           *int              `json:"level"`
	LevelTitle      *string           `json:"level_title"`
	State           string            `json:"state"`
	StateTitle      string            `json:"state_title"`
	Source          *string           `json:"source"`
	SourceTitle     *string           `json:"source_title"`
	Description     *string           `json:"description"`
	GradeBasis      *string           `json:"grade_basis"`
	InterimMeasure  *string           `json:"interim_measure"`
	ResponsibleUnit *string           `json:"responsible_unit"`
	Department      *string           `json:"competent_dept"`
	Rectifier       *string           `json:"rectifier"`
	FirstReviewer   *string           `json:"first_reviewer"`
	Reviewer        *string           `json:"reviewer"`
	Listed          bool              `json:"listed"`
	ListedAt        *time.Time        `json:"listed_at"`
	UnlistedAt      *time.Time        `json:"unlisted_at"`
	FoundAt         *time.Time        `json:"found_at"`
	DueAt           *time.Time        `json:"due_at"`
	FirstDueAt      *time.Time        `json:"first_due_at"`
	RectifiedAt     *time.Time        `json:"rectified_at"`
	ClosedAt        *time.Time        `json:"closed_at"`
	Overdue         bool              `json:"overdue"`
	FixedOnSpot     bool              `json:"fixed_on_spot"`
	SecondReview    bool              `json:"second_review"`
	Subject         *string           `json:"subject"`
	SubjectLayer    *string           `json:"subject_layer"`
	Reopens         *string           `json:"reopens"`
	Plan            *dangerPlan       `json:"plan"`
	Area            planArea          `json:"area"`
	Geometry        *geojson.Geometry `json:"geometry"`
	CreatedAt       time.Time         `json:"created_at"`
	UpdatedAt       time.Time         `json:"updated_at"`
	UpdatedBy       string            `json:"updated_by"`
	Mine            bool              `json:"mine"`
	Assigned        bool              `json:"assigned"`
	Demo            bool              `json:"demo"`
	May             []string          `json:"may"`
}

// codeTitle is what a code is called, "" where it is none.
func codeTitle(snap *registry.Snapshot, list, code string, lang registry.Lang) string {
	if code == "" {
		return ""
	}
	if l, ok := snap.CodeLists[list]; ok {
		if it, ok := l.Item(code); ok {
			return it.Title.In(lang)
		}
	}
	return code
}

func (s *Server) dangerLine(req *Request, d dangers.Danger, areas *areaTitles) dangerAnswer {
	snap := s.opts.Catalogue.Now()
	a := dangerAnswer{
		ID: d.ID, ETag: d.Version, Number: optional(d.Number), Name: d.Name, Kind: d.Kind, KindTitle: codeTitle(snap, "danger_kind", d.Kind, req.Lang),
		State: string(d.State), StateTitle: codeTitle(snap, "danger_state", string(d.State), req.Lang),
		Source: optional(d.Source), SourceTitle: optional(codeTitle(snap, "danger_source", d.Source, req.Lang)), Description: optional(d.Description), GradeBasis: optional(d.GradeBasis),
		InterimMeasure: optional(d.InterimMeasure), ResponsibleUnit: optional(d.ResponsibleUnit), Department: optional(d.Department), Rectifier: optional(d.Rectifier),
		FirstReviewer: optional(d.FirstReviewer), Reviewer: optional(d.Reviewer), Listed: d.Listed, ListedAt: d.ListedAt, UnlistedAt: d.UnlistedAt,
		FoundAt: d.FoundAt, DueAt: d.DueAt, FirstDueAt: d.FirstDueAt, RectifiedAt: d.RectifiedAt, ClosedAt: d.ClosedAt, Overdue: d.Overdue,
		FixedOnSpot: d.FixedOnSpot, SecondReview: d.SecondReview, Subject: optional(d.Subject), SubjectLayer: optional(d.SubjectLayer), Reopens: optional(d.Reopens),
		Area: planArea{d.Area(), areas.of(d.Area())}, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, UpdatedBy: d.UpdatedBy,
		Mine: d.ReportedAccount != "" && d.ReportedAccount == req.Who.Account, Assigned: d.Assigned, Demo: d.Demo, May: s.opts.Dangers.May(req.Who, d),
	}
	if d.Level > 0 {
		level := d.Level
		a.Level, a.LevelTitle = &level, optional(levelName(snap, "danger_2", d.Level, req.Lang))
	}
	if d.Plan != (dangers.Plan{}) {
		p := dangerPlan(d.Plan)
		a.Plan = &p
	}
	if d.Geometry != nil {
		a.Geometry = geojson.NewGeometry(d.Geometry)
	}
	return a
}

// dangerProblem gives the errors of dangers their documents, nil for any other error.
func dangerProblem(_ registry.Lang, err error) *Error {
	var state *dangers.StateError
	if !errors.As(err, &state) {
		return nil
	}
	if state.Code == string(CodeFourEyes) {
		return wrap(CodeFourEyes, err, text(state.ZH, state.EN))
	}
	e := wrap(CodeConflict, err, text(state.ZH, state.EN))
	e.As = Code(state.Code)
	return e
}

// seenDanger is the danger of the path as the asker may see it. Whoever may not know of it
// learns nothing from what else is wrong with his request.
func (s *Server) seenDanger(ctx context.Context, req *Request) (dangers.Danger, error) {
	id, bad := req.id()
	if bad != nil {
		return dangers.Danger{}, hidden(req)
	}
	d, err := s.opts.Dangers.Danger(ctx, req.Who, strings.ToLower(id))
	if errors.Is(err, auth.ErrNotFound) {
		return dangers.Danger{}, hidden(req)
	}
	return d, err
}

func (s *Server) changingDanger(ctx context.Context, req *Request) (dangers.Danger, int64, error) {
	d, err := s.seenDanger(ctx, req)
	if err != nil {
		return d, 0, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return d, 0, bad
	}
	return d, version, nil
}

func (s *Server) dangerResponse(ctx context.Context, req *Request, d dangers.Danger) (*Response, error) {
	resp, err := versioned(s.dangerLine(req, d, s.areaTitles(ctx, req)), d.Version)
	if err == nil && d.Position != "" {
		resp.Set("Onemap-Seq", d.Position)
	}
	return resp, err
}

// trueFalse reads an optional yes or no.
func trueFalse(req *Request, name string) (*bool, error) {
	v, given := req.Query.Get(name)
	if !given {
		return nil, nil //nolint:nilnil // not asked
	}
	if v != "true" && v != "false" {
		return nil, invalid(name, "应为 true 或 false", "it is true or false")
	}
	b := v == "true"
	return &b, nil
}

func (s *Server) dangerQuery(req *Request) (dangers.Query, error) {
	q := dangers.Query{Unit: req.Query.Value("unit"), Area: req.Query.Value("area"), Kind: req.Query.Value("kind"), Text: req.Query.Value("q")}
	if v, given := req.Query.Get("state"); given {
		for st := range strings.SplitSeq(v, ",") {
			if !slices.Contains(dangers.States(), dangers.State(st)) {
				return q, invalid("state", "没有此状态", "there is no such state")
			}
			q.States = append(q.States, dangers.State(st))
		}
	}
	if _, given := req.Query.Get("level"); given {
		n, err := wholeNumber(req.Query, "level", 1, 2)
		if err != nil {
			return q, err
		}
		q.Level = n
	}
	var err error
	if q.Overdue, err = trueFalse(req, "overdue"); err != nil {
		return q, err
	}
	if q.Listed, err = trueFalse(req, "listed"); err != nil {
		return q, err
	}
	mine, err := trueFalse(req, "mine")
	if err != nil {
		return q, err
	}
	q.Mine = mine != nil && *mine
	q.Box, err = oneBox(req, false)
	return q, err
}

func (s *Server) getDangers(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q, err := s.dangerQuery(req)
	if err != nil {
		return nil, err
	}
	q.Limit, q.Cursor = limit, cursor
	page, err := s.opts.Dangers.Dangers(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]dangerAnswer, 0, len(page.Dangers))
	for _, d := range page.Dangers {
		out = append(out, s.dangerLine(req, d, areas))
	}
	return private(map[string]any{"dangers": out, "next": optional(page.Next)})
}

type dangerAction struct {
	Seq        int64          `json:"seq"`
	Action     string         `json:"action"`
	Title      string         `json:"title"`
	From       *string        `json:"from"`
	To         string         `json:"to"`
	Note       string         `json:"note"`
	Evidence   []string       `json:"evidence"`
	Fields     map[string]any `json:"fields"`
	By         string         `json:"by"`
	Name       *string        `json:"name"`
	Role       *string        `json:"role"`
	CapturedAt *time.Time     `json:"captured_at"`
	At         time.Time      `json:"at"`
}

// actionTitle is what an action is called.
func actionTitle(action string, lang registry.Lang) string {
	for _, st := range dangers.LifeSteps() {
		if st.Action == action {
			return st.Title.In(lang)
		}
	}
	words := map[string]Text{
		"fixed": text("立行立改", "Fixed on the spot"), "created": text("建立草稿", "Draft begun"), "reported": text("上报", "Reported"), "reopened": text("重新立项", "Reopened"), "edited": text("修改", "Edited"),
		"listed": text("挂牌督办", "Listed"), "unlisted": text("批准摘牌", "Taken off the list"), "extension_asked": text("申请延期", "Extension asked for"),
		"extended": text("批准延期", "Extension approved"), "extension_refused": text("不同意延期", "Extension refused"),
	}
	if w, ok := words[action]; ok {
		return w.In(lang)
	}
	return action
}

func actionLines(list []dangers.Action, lang registry.Lang) []dangerAction {
	out := make([]dangerAction, 0, len(list))
	for _, a := range list {
		out = append(out, dangerAction{a.Seq, a.Action, actionTitle(a.Action, lang), optional(string(a.From)), string(a.To), a.Note, a.Evidence, a.Fields, a.By, optional(a.Name), optional(a.Role), a.CapturedAt, a.At})
	}
	return out
}

type dangerExtension struct {
	ID        string     `json:"id"`
	OldDueAt  time.Time  `json:"old_due_at"`
	NewDueAt  time.Time  `json:"new_due_at"`
	Reason    string     `json:"reason"`
	AskedBy   string     `json:"asked_by"`
	AskedName *string    `json:"asked_name"`
	AskedAt   time.Time  `json:"asked_at"`
	Decision  *string    `json:"decision"`
	Note      *string    `json:"note"`
	DecidedBy *string    `json:"decided_by"`
	Decider   *string    `json:"decided_name"`
	DecidedAt *time.Time `json:"decided_at"`
	Mine      bool       `json:"mine"`
}

type dangerLink struct {
	ID     string    `json:"id"`
	Number *string   `json:"number"`
	Name   string    `json:"name"`
	State  string    `json:"state"`
	At     time.Time `json:"at"`
}

func linkLines(list []dangers.Link) []dangerLink {
	out := make([]dangerLink, 0, len(list))
	for _, l := range list {
		out = append(out, dangerLink{l.ID, optional(l.Number), l.Name, l.State, l.At})
	}
	return out
}

// dangerDetail is a danger with what hangs on it.
type dangerDetail struct {
	dangerAnswer

	Photos     []string          `json:"photos"`
	Actions    []dangerAction    `json:"actions"`
	Extensions []dangerExtension `json:"extensions"`
	Measures   []dangerLink      `json:"measures"`
	Before     []dangerLink      `json:"before"`
	After      []dangerLink      `json:"after"`
}

func (s *Server) getDanger(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, hidden(req)
	}
	d, err := s.opts.Dangers.Detail(ctx, req.Who, strings.ToLower(id))
	if errors.Is(err, auth.ErrNotFound) {
		return nil, hidden(req)
	}
	if err != nil {
		return nil, err
	}
	out := dangerDetail{
		dangerAnswer: s.dangerLine(req, d.Danger, s.areaTitles(ctx, req)), Photos: []string{}, Actions: actionLines(d.Actions, req.Lang), Extensions: []dangerExtension{},
		Measures: linkLines(d.Measures), Before: linkLines(d.Before), After: linkLines(d.After),
	}
	for _, a := range d.Actions {
		for _, h := range a.Evidence {
			if !slices.Contains(out.Photos, h) {
				out.Photos = append(out.Photos, h)
			}
		}
	}
	for _, e := range d.Extensions {
		out.Extensions = append(out.Extensions, dangerExtension{
			e.ID, e.OldDueAt, e.NewDueAt, e.Reason, e.AskedBy, optional(e.AskedName), e.AskedAt, optional(e.Decision), optional(e.Note), optional(e.DecidedBy), optional(e.DecidedName), e.DecidedAt,
			e.AskedAccount != "" && e.AskedAccount == req.Who.Account,
		})
	}
	return versioned(out, d.Version)
}

func (s *Server) getDangerActions(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, hidden(req)
	}
	list, err := s.opts.Dangers.Actions(ctx, req.Who, strings.ToLower(id))
	if errors.Is(err, auth.ErrNotFound) {
		return nil, hidden(req)
	}
	if err != nil {
		return nil, err
	}
	return private(map[string]any{"actions": actionLines(list, req.Lang)})
}

// place reads a geometry of a body, in whatever datum it was taken.
func place(req *Request, shape json.RawMessage, datum string) (orb.Geometry, error) {
	if len(shape) == 0 || string(shape) == "null" {
		return nil, nil //nolint:nilnil // none was given
	}
	crs, _, err := geo.ParseCRS(or(datum, "CGCS2000"))
	if err != nil || crs == geo.AutoCRS {
		return nil, fault(req, "src_crs", "bad_value", "应为 WGS84、CGCS2000、GCJ02 或 BD09", "it is WGS84, CGCS2000, GCJ02 or BD09")
	}
	g, err := geo.ParseGeoJSON(shape, geo.EditLimits())
	if err != nil {
		if f, ok := errors.AsType[*geo.Fault](err); ok {
			return nil, fault(req, "geometry", f.Code, "几何有误:"+f.Detail, "the geometry is wrong: "+f.Detail)
		}
		return nil, fault(req, "geometry", "bad_geometry", "不是有效的 GeoJSON 几何", "it is not a GeoJSON geometry")
	}
	if f := geo.Check(g); f != nil {
		return nil, fault(req, "geometry", f.Code, "几何有误:"+f.Detail, "the geometry is wrong: "+f.Detail)
	}
	out, ok := geo.ToCGCS2000(g, crs)
	if !ok {
		return nil, fault(req, "src_crs", "bad_value", "应为 WGS84、CGCS2000、GCJ02 或 BD09", "it is WGS84, CGCS2000, GCJ02 or BD09")
	}
	return out, nil
}
