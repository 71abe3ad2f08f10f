package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

// Incidents are 突发事件 as the command room sees them.
type Incidents interface {
	Incidents(ctx context.Context, who *auth.Identity, q incidents.IncidentQuery) (incidents.IncidentPage, error)
	Incident(ctx context.Context, who *auth.Identity, id string) (incidents.Incident, error)
	Receive(ctx context.Context, by auth.By, n incidents.NewIncident) (incidents.Incident, bool, error)
	Update(ctx context.Context, by auth.By, id string, version int64, p incidents.IncidentPatch) (incidents.Incident, error)
	Transition(ctx context.Context, by auth.By, id string, version int64, step incidents.Step) (incidents.Incident, error)
	ConfirmLevel(ctx context.Context, by auth.By, id string, version int64, level int, reason string) (incidents.Incident, error)
	Place(ctx context.Context, by auth.By, id string, g orb.Geometry, words string, fix bool) (incidents.Incident, error)
	MarkClock(ctx context.Context, by auth.By, id, name string, m incidents.ClockMark) (incidents.Incident, error)
	Entries(ctx context.Context, who *auth.Identity, id string) ([]incidents.Entry, error)
	Send(ctx context.Context, by auth.By, id string, n incidents.NewEntry) (incidents.Entry, incidents.Incident, bool, error)
	AmendRefused(ctx context.Context, by auth.By, id, entry string) error
	Timeline(ctx context.Context, who *auth.Identity, id string) ([]incidents.Event, error)
	EventsIn(ctx context.Context, areas geo.Scopes, ids []string) (map[string]incidents.Event, error)
	Note(ctx context.Context, by auth.By, id string, at *time.Time, text string) (incidents.Incident, error)
	Sketches(ctx context.Context, who *auth.Identity, id string) ([]incidents.Sketch, error)
	Draw(ctx context.Context, by auth.By, incident string, n incidents.NewSketch) (incidents.Sketch, bool, error)
	Redraw(ctx context.Context, by auth.By, incident, id string, version int64, p incidents.SketchPatch) (incidents.Sketch, error)
	Erase(ctx context.Context, by auth.By, incident, id string, version int64) error
	Merge(ctx context.Context, by auth.By, id, into, reason string) (incidents.Incident, error)
	Unmerge(ctx context.Context, by auth.By, id, reason string) (incidents.Incident, error)
	Duplicates(ctx context.Context, who *auth.Identity, q incidents.DuplicateQuery) ([]incidents.Likeness, error)
	FromReport(ctx context.Context, by auth.By, report, id string, exercise bool) (incidents.Incident, bool, error)
	KPI(ctx context.Context, who *auth.Identity, from, to time.Time, area string) (incidents.KPI, error)
}

type incidentFigures struct {
	Deaths    *int     `json:"deaths"`
	Missing   *int     `json:"missing"`
	Injured   *int     `json:"injured"`
	Affected  *int     `json:"affected"`
	Evacuated *int     `json:"evacuated"`
	LossWan   *float64 `json:"loss_wan"`
	Magnitude *float64 `json:"magnitude"`
}

func (f *incidentFigures) figures() incidents.Figures {
	if f == nil {
		return incidents.Figures{}
	}
	return incidents.Figures(*f)
}

type incidentClock struct {
	Name      string     `json:"name"`
	Title     string     `json:"title"`
	StartsAt  time.Time  `json:"starts_at"`
	DueAt     time.Time  `json:"due_at"`
	DoneAt    *time.Time `json:"done_at"`
	Late      bool       `json:"late"`
	Chosen    bool       `json:"chosen"`
	Marked    bool       `json:"marked"` // ends when somebody says so
	FromLevel *string    `json:"from_level"`
	ToLevel   *string    `json:"to_level"`
	Note      *string    `json:"note"`
}

type incidentAnswer struct {
	ID              string             `json:"id"`
	ETag            int64              `json:"etag"`
	FID             int64              `json:"fid"`
	Number          string             `json:"number"`
	Title           string             `json:"title"`
	Kind            string             `json:"kind"`
	Type            string             `json:"type"` // the kind, by its other name
	KindTitle       string             `json:"kind_title"`
	TypeCode        *string            `json:"type_code"`
	TypeTitle       *string            `json:"type_title"`
	Class           *string            `json:"class"`
	ClassTitle      *string            `json:"class_title"`
	Level           *int               `json:"level"`
	LevelTitle      *string            `json:"level_title"`
	LevelProposed   *int               `json:"level_proposed"`
	LevelReason     []incidents.Reason `json:"level_reason"`
	LevelBy         *string            `json:"level_by"`
	LevelAt         *time.Time         `json:"level_at"`
	LevelNote       *string            `json:"level_note"`
	State           string             `json:"state"`
	StateTitle      string             `json:"state_title"`
	Next            []string           `json:"may_follow"`
	Exercise        bool               `json:"exercise"`
	OccurredAt      *time.Time         `json:"occurred_at"`
	KnownAt         *time.Time         `json:"known_at"`
	VerifiedAt      *time.Time         `json:"verified_at"`
	RespondingAt    *time.Time         `json:"responding_at"`
	ClosedAt        *time.Time         `json:"closed_at"`
	ArchivedAt      *time.Time         `json:"archived_at"`
	Place           *string            `json:"place"`
	Description     *string            `json:"description"`
	Source          *string            `json:"source"`
	SourceTitle     *string            `json:"source_title"`
	Reporter        *string            `json:"reporter"`
	ReporterContact *string            `json:"reporter_contact"`
	ReporterPhone   *string            `json:"reporter_phone_masked"`
	PersonsReported *int               `json:"persons_reported"`
	Figures         incidentFigures    `json:"figures"`
	FiguresAt       *time.Time         `json:"figures_at"`
	Area            *string            `json:"area"`
	AreaTitle       *string            `json:"area_title"`
	Geometry        json.RawMessage    `json:"geometry"`
	Positioned      bool               `json:"positioned"`
	Clocks          []incidentClock    `json:"clocks"`
	Late            bool               `json:"late"`
	MergedInto      *string            `json:"merged_into"`
	Absorbed        int                `json:"absorbed"`
	SourceReport    *string            `json:"source_report"`
	Reports         int                `json:"reports"`
	Sketches        int                `json:"sketches"`
	UpdatedAt       time.Time          `json:"updated_at"`
	UpdatedBy       string             `json:"updated_by"`
	Demo            bool               `json:"demo"`
}

func level(n int) *int {
	if n < 1 {
		return nil
	}
	return &n
}

func (s *Server) incidentLine(i incidents.Incident, areas *areaTitles, lang registry.Lang) incidentAnswer {
	snap := s.opts.Catalogue.Now()
	a := incidentAnswer{
		ID: i.ID, ETag: i.Version, FID: i.FID, Number: i.Number, Title: i.Title, Kind: i.Kind, Type: i.Kind, KindTitle: codeTitle(snap, "incident_kind", i.Kind, lang),
		TypeCode: optional(i.TypeCode), Class: optional(i.Class), ClassTitle: optional(codeTitle(snap, "incident_class", i.Class, lang)),
		Level: level(i.Level), LevelProposed: level(i.LevelProposed), LevelReason: filled(i.LevelReason), LevelBy: optional(i.LevelBy), LevelAt: i.LevelAt, LevelNote: optional(i.LevelNote),
		State: i.State, StateTitle: codeTitle(snap, "incident_state", i.State, lang), Next: filled(incidents.Following(i.State)), Exercise: i.Exercise,
		OccurredAt: i.OccurredAt, KnownAt: i.KnownAt, VerifiedAt: i.VerifiedAt, RespondingAt: i.RespondingAt, ClosedAt: i.ClosedAt, ArchivedAt: i.ArchivedAt,
		Place: optional(i.Place), Description: optional(i.Description), Source: optional(i.Source), SourceTitle: optional(codeTitle(snap, "incident_source", i.Source, lang)),
		Reporter: optional(i.Reporter), ReporterContact: optional(i.Contact), ReporterPhone: optional(i.PhoneMasked), PersonsReported: i.PersonsReported,
		Figures: incidentFigures(i.Figures), FiguresAt: i.FiguresAt, Area: optional(codeOf(i.Scope)), AreaTitle: areas.of(codeOf(i.Scope)),
		Geometry: geometryJSON(i.Geometry), Positioned: i.Geometry != nil, Clocks: []incidentClock{}, Late: i.Late(), MergedInto: optional(i.MergedInto), Absorbed: i.Absorbed,
		SourceReport: optional(i.SourceReport), Reports: i.Entries, Sketches: i.Sketches, UpdatedAt: i.UpdatedAt, UpdatedBy: i.UpdatedBy, Demo: i.Demo,
	}
	if i.Level > 0 {
		a.LevelTitle = optional(levelName(snap, "warning_4", i.Level, lang))
	}
	if t := codeTitle(snap, "incident_type", i.TypeCode, lang); t != i.TypeCode {
		a.TypeTitle = optional(t)
	}
	for _, c := range i.Clocks {
		a.Clocks = append(a.Clocks, incidentClock{
			c.Name, text(c.TitleZH, c.TitleEN).In(lang), c.StartsAt, c.DueAt, c.DoneAt, c.Late, c.Chosen, c.Mark, optional(c.FromLevel), optional(c.ToLevel), optional(c.Note),
		})
	}
	return a
}

// shown is a line as the asker's screen may show it: the wall shows no level nobody has
// confirmed.
func (a incidentAnswer) shown(req *Request) incidentAnswer {
	if req.Who.Kind == auth.Wall {
		a.LevelProposed, a.LevelReason = nil, []incidents.Reason{}
	}
	return a
}

// incidentProblem gives the errors of incidents their documents, nil for any other error.
func incidentProblem(lang registry.Lang, err error) *Error {
	var swapped *incidents.SwappedError
	if !errors.As(err, &swapped) {
		return nil
	}
	e := wrap(CodeInvalid, err)
	where := swapped.Unit
	if where == "" {
		where = text("本区域", "the area").In(lang)
	}
	e.Items = []Item{{
		Path: "geometry", Code: "looks_swapped",
		Message: text("坐标疑似经纬度颠倒：按所给次序不在您的区域内，对调后位于“"+where+"”。确认后加 ?fix=swap 重发",
			"longitude and latitude look exchanged: as written the place is not in your area, the other way round it lies in "+where+"; send it again with ?fix=swap").In(lang),
		Geometry: geometryJSON(swapped.Fixed),
	}}
	return e
}

// looseShape reads a geometry that may be written latitude first: whether its numbers can
// be is asked where the area is known.
func looseShape(req *Request, shape json.RawMessage, datum string) (orb.Geometry, error) {
	if len(shape) == 0 || string(shape) == "null" {
		return nil, nil //nolint:nilnil // none was given
	}
	crs, _, err := geo.ParseCRS(or(datum, "CGCS2000"))
	if err != nil || crs == geo.AutoCRS {
		return nil, fault(req, "src_crs", "bad_value", "应为 WGS84、CGCS2000、GCJ02 或 BD09", "it is WGS84, CGCS2000, GCJ02 or BD09")
	}
	limits := geo.EditLimits()
	limits.Projected = true
	g, err := geo.ParseGeoJSON(shape, limits)
	if err != nil {
		if f, ok := errors.AsType[*geo.Fault](err); ok {
			return nil, fault(req, "geometry", f.Code, "几何有误:"+f.Detail, "the geometry is wrong: "+f.Detail)
		}
		return nil, fault(req, "geometry", "bad_geometry", "不是有效的 GeoJSON 几何", "it is not a GeoJSON geometry")
	}
	if bad := geo.Check(g); bad != nil {
		return g, nil //nolint:nilerr // written the other way round it may be a place
	}
	out, ok := geo.ToCGCS2000(g, crs)
	if !ok {
		return nil, fault(req, "src_crs", "bad_value", "应为 WGS84、CGCS2000、GCJ02 或 BD09", "it is WGS84, CGCS2000, GCJ02 or BD09")
	}
	return out, nil
}

// fixing says whether whoever sends a place agreed to have it turned round.
func fixing(req *Request) (bool, error) {
	switch v, given := req.Query.Get("fix"); {
	case !given:
		return false, nil
	case v == "swap":
		return true, nil
	}
	return false, invalid("fix", "只有 swap", "it is swap")
}

// seenIncident is the incident of the path as the asker may see it. Whoever may not know of
// it learns nothing from what else is wrong with his request.
func (s *Server) seenIncident(ctx context.Context, req *Request) (incidents.Incident, error) {
	id, bad := req.id()
	if bad != nil {
		return incidents.Incident{}, hidden(req)
	}
	i, err := s.opts.Incidents.Incident(ctx, req.Who, strings.ToLower(id))
	if errors.Is(err, auth.ErrNotFound) {
		return incidents.Incident{}, hidden(req)
	}
	return i, err
}

func (s *Server) changingIncident(ctx context.Context, req *Request) (incidents.Incident, int64, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return i, 0, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return i, 0, bad
	}
	return i, version, nil
}

func (s *Server) incidentResponse(ctx context.Context, req *Request, i incidents.Incident) (*Response, error) {
	resp, err := versioned(s.incidentLine(i, s.areaTitles(ctx, req), req.Lang).shown(req), i.Version)
	if err == nil && i.FeedPosition != "" {
		resp.Set("Onemap-Seq", i.FeedPosition)
	}
	return resp, err
}

// exerciseOf reads which of drills and facts are asked for; facts where nothing is said.
func exerciseOf(req *Request) (*bool, error) {
	no, yes := false, true
	switch v, given := req.Query.Get("exercise"); {
	case !given || v == "false":
		return &no, nil
	case v == "true":
		return &yes, nil
	case v == "all":
		return nil, nil //nolint:nilnil // both
	}
	return nil, invalid("exercise", "应为 true、false 或 all", "it is true, false or all")
}

func (s *Server) getIncidents(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := incidents.IncidentQuery{Kind: req.Query.Value("kind"), Area: req.Query.Value("area"), Text: req.Query.Value("q"), Limit: min(limit, 500), Cursor: cursor}
	if v, given := req.Query.Get("state"); given {
		for st := range strings.SplitSeq(v, ",") {
			if !slices.Contains(incidents.LifeStates(), st) {
				return nil, invalid("state", "没有此状态", "there is no such state")
			}
			q.States = append(q.States, st)
		}
	}
	if _, given := req.Query.Get("level"); given {
		if q.Level, err = wholeNumber(req.Query, "level", 1, 4); err != nil {
			return nil, err
		}
	}
	if q.Exercise, err = exerciseOf(req); err != nil {
		return nil, err
	}
	if q.Open, err = said(req.Query, "open"); err != nil {
		return nil, err
	}
	if v, given := req.Query.Get("since"); given {
		at, ok := instant(v)
		if !ok {
			return nil, invalid("since", "应为带时区的时间", "it is a time with its zone")
		}
		q.Since = at
	}
	page, err := s.opts.Incidents.Incidents(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]incidentAnswer, 0, len(page.Incidents))
	for _, i := range page.Incidents {
		out = append(out, s.incidentLine(i, areas, req.Lang).shown(req))
	}
	c := page.Counts
	by := map[string]int{"1": c.ByLevel[1], "2": c.ByLevel[2], "3": c.ByLevel[3], "4": c.ByLevel[4], "none": c.Unleveled}
	return private(map[string]any{
		"incidents": out, "next": optional(page.Next), "position": page.Position,
		"counts": map[string]any{"open": c.Open, "by_level": by, "late": c.Late},
	})
}

func (s *Server) getIncident(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	return s.incidentResponse(ctx, req, i)
}

// incidentBody is what a call says, or what of it changes.
type incidentBody struct {
	Title           *string          `json:"title"`
	Kind            *string          `json:"kind"`
	Type            *string          `json:"type"` // the kind, by its other name
	Class           *string          `json:"class"`
	TypeCode        *string          `json:"type_code"`
	Exercise        *bool            `json:"exercise"`
	OccurredAt      *time.Time       `json:"occurred_at"`
	KnownAt         *time.Time       `json:"known_at"`
	Place           *string          `json:"place"`
	Description     *string          `json:"description"`
	Source          *string          `json:"source"`
	Reporter        *string          `json:"reporter"`
	ReporterPhone   *string          `json:"reporter_phone"`
	PersonsReported *int             `json:"persons_reported"`
	Figures         *incidentFigures `json:"figures"`
	Level           *int             `json:"level"`
	Area            string           `json:"area"`
	Geometry        json.RawMessage  `json:"geometry"`
	SrcCRS          string           `json:"src_crs"`
}

func (b *incidentBody) kind() *string {
	if b.Kind == nil {
		return b.Type
	}
	return b.Kind
}

// putIncident receives an incident under the client's id, or with If-Match changes it.
func (s *Server) putIncident(ctx context.Context, req *Request) (*Response, error) {
	if req.ifMatch != "" {
		return s.changeIncident(ctx, req, true)
	}
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	fix, err := fixing(req)
	if err != nil {
		return nil, err
	}
	var b incidentBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	shape, err := looseShape(req, b.Geometry, b.SrcCRS)
	if err != nil {
		return nil, err
	}
	i, made, err := s.opts.Incidents.Receive(ctx, s.by(req), incidents.NewIncident{
		ID: strings.ToLower(id), Title: orZero(b.Title), Kind: orZero(b.kind()), Class: orZero(b.Class), TypeCode: orZero(b.TypeCode), Exercise: orZero(b.Exercise), OccurredAt: b.OccurredAt, KnownAt: b.KnownAt,
		Place: orZero(b.Place), Description: orZero(b.Description), Source: orZero(b.Source), Reporter: orZero(b.Reporter), Phone: orZero(b.ReporterPhone), PersonsReported: b.PersonsReported,
		Figures: b.Figures.figures(), Level: orZero(b.Level), Area: b.Area, Geometry: shape, FixSwap: fix,
	})
	if err != nil {
		return nil, err
	}
	return s.madeIncident(ctx, req, i, made)
}

func (s *Server) madeIncident(ctx context.Context, req *Request, i incidents.Incident, made bool) (*Response, error) {
	resp, err := s.incidentResponse(ctx, req, i)
	if err == nil && made {
		resp.Status = 201
		resp.Set("Location", "/api/incidents/"+i.ID)
	}
	return resp, err
}

func (s *Server) patchIncident(ctx context.Context, req *Request) (*Response, error) {
	return s.changeIncident(ctx, req, false)
}

// changeIncident changes what is given; a whole one takes the place of what was said.
func (s *Server) changeIncident(ctx context.Context, req *Request, whole bool) (*Response, error) {
	i, version, err := s.changingIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	fix, err := fixing(req)
	if err != nil {
		return nil, err
	}
	var b incidentBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	switch {
	case b.Exercise != nil && *b.Exercise != i.Exercise:
		return nil, fault(req, "exercise", "not_changed", "演练与实战不能互换", "whether it is an exercise does not change")
	case b.Area != "" && b.Area != codeOf(i.Scope):
		return nil, fault(req, "area", "use_geometry", "辖区由位置决定，请改 geometry", "the area follows from the place: change the geometry")
	}
	shape, err := looseShape(req, b.Geometry, b.SrcCRS)
	if err != nil {
		return nil, err
	}
	p := incidents.IncidentPatch{
		Title: b.Title, Kind: b.kind(), Class: b.Class, TypeCode: b.TypeCode, Place: b.Place, Description: b.Description, Source: b.Source, Reporter: b.Reporter, Phone: b.ReporterPhone,
		OccurredAt: b.OccurredAt, KnownAt: b.KnownAt, PersonsReported: b.PersonsReported, Level: b.Level, Geometry: shape, FixSwap: fix, Whole: whole,
	}
	if whole {
		none := ""
		p.Description, p.TypeCode = or(b.Description, &none), or(b.TypeCode, &none)
		if i.Geometry != nil || shape != nil { // without either nobody would know where it is
			p.Place = or(b.Place, &none)
		}
	}
	if b.Figures != nil || whole {
		f := b.Figures.figures()
		p.Figures = &f
	}
	if i, err = s.opts.Incidents.Update(ctx, s.by(req), i.ID, version, p); err != nil {
		return nil, err
	}
	return s.incidentResponse(ctx, req, i)
}
