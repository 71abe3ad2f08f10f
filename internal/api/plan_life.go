package api

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/registry"
	"onemap/zoning"
)

// PlanLife is the life cycle of a version: steps, opinions, verdicts, comparisons.
type PlanLife interface {
	Transition(ctx context.Context, by auth.By, id string, version int64, t zoning.Transition) (zoning.Plan, error)
	Events(ctx context.Context, who *auth.Identity, id string) ([]zoning.Event, error)
	Comments(ctx context.Context, who *auth.Identity, plan string) ([]zoning.Comment, error)
	Comment(ctx context.Context, by auth.By, n zoning.NewComment) (zoning.Comment, error)
	Answer(ctx context.Context, by auth.By, plan, id string, version int64, a zoning.Answer) (zoning.Comment, error)
	Reviews(ctx context.Context, who *auth.Identity, plan string) ([]zoning.Review, error)
	Review(ctx context.Context, by auth.By, plan, zone string, v zoning.Verdict) (zoning.Review, error)
	ReviewAll(ctx context.Context, by auth.By, plan string) (int, error)
	Diff(ctx context.Context, who *auth.Identity, id, against string) (zoning.Diff, error)
	Joins(ctx context.Context, who *auth.Identity, id string) (zoning.Joins, error)
	Figures(ctx context.Context, who *auth.Identity, id, zone string) (zoning.Figures, error)
}

type planTransitionBody struct {
	To            string  `json:"to"`
	Note          string  `json:"note"`
	DocumentNo    string  `json:"document_no"`
	EffectiveFrom *string `json:"effective_from"`
}

func (s *Server) postPlanTransition(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	var b planTransitionBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	t := zoning.Transition{To: zoning.State(b.To), Note: b.Note, DocumentNo: b.DocumentNo}
	if b.EffectiveFrom != nil && *b.EffectiveFrom != "" {
		from, err := time.Parse(time.DateOnly, *b.EffectiveFrom)
		if err != nil || from.Year() < 1900 || from.Year() > 2200 {
			return nil, fault(req, "effective_from", "bad_date", "应为日期 (年-月-日)", "it is a date (year-month-day)")
		}
		t.EffectiveFrom = &from
	}
	p, err = s.opts.Zoning.Transition(ctx, s.by(req), p.ID, version, t)
	if err != nil {
		return nil, err
	}
	return s.planResponse(ctx, req, p)
}

type planEvent struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Name *string   `json:"name"`
	From *string   `json:"from"`
	To   string    `json:"to"`
	Note *string   `json:"note"`
}

func (s *Server) getPlanEvents(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Zoning.Events(ctx, req.Who, p.ID)
	if err != nil {
		return nil, err
	}
	out := make([]planEvent, 0, len(list))
	for _, e := range list {
		out = append(out, planEvent{e.At, e.By, optional(e.Name), optional(string(e.From)), string(e.To), optional(e.Note)})
	}
	return private(map[string]any{"events": out})
}

type commentAnswer struct {
	ID         string     `json:"id"`
	Round      string     `json:"round"`
	Zone       *string    `json:"zone"`
	ZoneName   *string    `json:"zone_name"`
	At         []float64  `json:"at"`
	Unit       *string    `json:"unit"`
	Body       string     `json:"body"`
	Answer     *string    `json:"answer"`
	Reason     *string    `json:"reason"`
	AnsweredBy *string    `json:"answered_by"`
	AnsweredAt *time.Time `json:"answered_at"`
	By         string     `json:"by"`
	Name       *string    `json:"name"`
	Mine       bool       `json:"mine"`
	CreatedAt  time.Time  `json:"created_at"`
	Version    int64      `json:"version"`
}

func commentLine(c zoning.Comment, req *Request) commentAnswer {
	return commentAnswer{
		ID: c.ID, Round: c.Round, Zone: optional(c.Zone), ZoneName: optional(c.ZoneName), At: positionOrNil(c.At), Unit: optional(c.Unit), Body: c.Body,
		Answer: optional(c.Answer), Reason: optional(c.Reason), AnsweredBy: optional(c.AnsweredBy), AnsweredAt: c.AnsweredAt,
		By: c.By, Name: optional(c.Name), Mine: c.Account != "" && c.Account == req.Who.Account, CreatedAt: c.CreatedAt, Version: c.Version,
	}
}

func (s *Server) getPlanComments(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Zoning.Comments(ctx, req.Who, p.ID)
	if err != nil {
		return nil, err
	}
	out := make([]commentAnswer, 0, len(list))
	for _, c := range list {
		out = append(out, commentLine(c, req))
	}
	return private(map[string]any{"comments": out})
}

type newCommentBody struct {
	Body string          `json:"body"`
	Unit string          `json:"unit"`
	Zone string          `json:"zone"`
	At   json.RawMessage `json:"at"`
}

func (s *Server) postPlanComment(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	var b newCommentBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := zoning.NewComment{Plan: p.ID, Zone: strings.ToLower(b.Zone), Unit: b.Unit, Body: b.Body}
	if b.Zone != "" && !uuidText(b.Zone) {
		return nil, fault(req, "zone", "bad_id", "应为编号 (UUID)", "it is an id (UUID)")
	}
	if len(b.At) > 0 && string(b.At) != "null" {
		r := &opReader{lang: req.Lang}
		at := r.point("at", b.At).LonLat()
		if len(r.items) > 0 {
			e := problem(CodeInvalid)
			e.Items = r.items
			return nil, e
		}
		n.At = &at
	}
	c, err := s.opts.Zoning.Comment(ctx, s.by(req), n)
	if err != nil {
		return nil, err
	}
	resp, err := created(commentLine(c, req))
	if err == nil {
		resp.ETag = versionTag(c.Version)
	}
	return resp, err
}

type commentPatchBody struct {
	Answer string `json:"answer"`
	Reason string `json:"reason"`
}

func (s *Server) patchPlanComment(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	id, err := req.zoneID() // the comment's: a UUID too
	if err != nil {
		return nil, err
	}
	var b commentPatchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	c, err := s.opts.Zoning.Answer(ctx, s.by(req), p.ID, id, version, zoning.Answer{Answer: b.Answer, Reason: b.Reason})
	if err != nil {
		return nil, err
	}
	return versioned(commentLine(c, req), c.Version)
}

type reviewAnswer struct {
	Zone        string    `json:"zone"`
	ZoneName    *string   `json:"zone_name"`
	Verdict     string    `json:"verdict"`
	Reason      *string   `json:"reason"`
	ZoneVersion int64     `json:"zone_version"`
	Current     bool      `json:"current"` // the zone is as it was looked at
	By          string    `json:"by"`
	Name        *string   `json:"name"`
	At          time.Time `json:"at"`
}

func reviewLine(r zoning.Review) reviewAnswer {
	return reviewAnswer{r.Zone, optional(r.ZoneName), r.Verdict, optional(r.Reason), r.ZoneVersion, r.Current, r.By, optional(r.Name), r.At}
}

func (s *Server) getPlanReviews(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	return s.planReviews(ctx, req, p.ID, nil)
}

func (s *Server) planReviews(ctx context.Context, req *Request, plan string, more map[string]any) (*Response, error) {
	list, err := s.opts.Zoning.Reviews(ctx, req.Who, plan)
	if err != nil {
		return nil, err
	}
	out := make([]reviewAnswer, 0, len(list))
	for _, r := range list {
		out = append(out, reviewLine(r))
	}
	a := map[string]any{"reviews": out}
	maps.Copy(a, more)
	return private(a)
}

type reviewBody struct {
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
}

func (s *Server) putPlanReview(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	zone, err := req.zoneID()
	if err != nil {
		return nil, err
	}
	var b reviewBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	r, err := s.opts.Zoning.Review(ctx, s.by(req), p.ID, zone, zoning.Verdict{Verdict: b.Verdict, Reason: b.Reason})
	if err != nil {
		return nil, err
	}
	return private(reviewLine(r))
}

type reviewsBody struct {
	AcceptRest bool `json:"accept_rest"`
}

func (s *Server) postPlanReviews(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	var b reviewsBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if !b.AcceptRest {
		return nil, fault(req, "accept_rest", "required", "应为 true", "it is true")
	}
	n, err := s.opts.Zoning.ReviewAll(ctx, s.by(req), p.ID)
	if err != nil {
		return nil, err
	}
	return s.planReviews(ctx, req, p.ID, map[string]any{"accepted": n})
}

type diffZone struct {
	Zone             string          `json:"zone"`
	Name             *string         `json:"name"`
	NameBefore       *string         `json:"name_before"`
	LevelBefore      *int            `json:"level_before"`
	LevelAfter       *int            `json:"level_after"`
	AreaBeforeM2     float64         `json:"area_before_m2"`
	AreaAfterM2      float64         `json:"area_after_m2"`
	GainedM2         float64         `json:"gained_m2"`
	LostM2           float64         `json:"lost_m2"`
	PopulationBefore *float64        `json:"population_before"`
	PopulationAfter  *float64        `json:"population_after"`
	GeometryGained   json.RawMessage `json:"geometry_gained"`
	GeometryLost     json.RawMessage `json:"geometry_lost"`
	Bounds           []float64       `json:"bounds"`
}

type diffLevel struct {
	Level            *int     `json:"level"`
	ZonesBefore      int      `json:"zones_before"`
	ZonesAfter       int      `json:"zones_after"`
	AreaBeforeM2     float64  `json:"area_before_m2"`
	AreaAfterM2      float64  `json:"area_after_m2"`
	PopulationBefore *float64 `json:"population_before"`
	PopulationAfter  *float64 `json:"population_after"`
}

type diffTotals struct {
	ByLevel          []diffLevel `json:"by_level"`
	ZonesBefore      int         `json:"zones_before"`
	ZonesAfter       int         `json:"zones_after"`
	AreaBeforeM2     float64     `json:"area_before_m2"`
	AreaAfterM2      float64     `json:"area_after_m2"`
	PopulationBefore *float64    `json:"population_before"`
	PopulationAfter  *float64    `json:"population_after"`
	ChangedAreaM2    float64     `json:"changed_area_m2"`
	UnknownCells     int         `json:"unknown_cells"`
}

type diffAnswer struct {
	Plan       planAnswer `json:"plan"`
	Against    planAnswer `json:"against"`
	Added      []diffZone `json:"added"`
	Removed    []diffZone `json:"removed"`
	Moved      []diffZone `json:"moved"`
	Relevelled []diffZone `json:"relevelled"`
	Renamed    []diffZone `json:"renamed"`
	Unchanged  int        `json:"unchanged"`
	People     bool       `json:"people"` // the asker reads the population layer
	Totals     diffTotals `json:"totals"`
}

// geometryJSON writes a shape of a question: null where there is none.
func geometryJSON(g orb.Geometry) json.RawMessage {
	if g == nil {
		return json.RawMessage("null")
	}
	b, err := json.Marshal(map[string]any{"type": g.GeoJSONType(), "coordinates": g})
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}

func diffLines(list []zoning.DiffZone) []diffZone {
	out := make([]diffZone, 0, len(list))
	for _, z := range list {
		out = append(out, diffZone{
			Zone: z.Zone, Name: optional(z.Name), NameBefore: optional(z.NameBefore), LevelBefore: positive(z.LevelBefore), LevelAfter: positive(z.LevelAfter),
			AreaBeforeM2: z.AreaBeforeM2, AreaAfterM2: z.AreaAfterM2, GainedM2: z.GainedM2, LostM2: z.LostM2, PopulationBefore: z.PopulationBefore, PopulationAfter: z.PopulationAfter,
			GeometryGained: geometryJSON(z.Gained), GeometryLost: geometryJSON(z.Lost), Bounds: bounds(&z.Bounds),
		})
	}
	return out
}

func (s *Server) getPlanDiff(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	against := req.Query.Value("against")
	if against != "" && !uuidText(against) {
		return nil, problem(CodeNotFound)
	}
	d, err := s.opts.Zoning.Diff(ctx, req.Who, p.ID, strings.ToLower(against))
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	a := diffAnswer{
		Plan: s.planLine(req, d.Plan, areas), Against: s.planLine(req, d.Against, areas), Added: diffLines(d.Added), Removed: diffLines(d.Removed),
		Moved: diffLines(d.Moved), Relevelled: diffLines(d.Relevelled), Renamed: diffLines(d.Renamed), Unchanged: d.Unchanged, People: d.People,
		Totals: diffTotals{
			ByLevel: []diffLevel{}, ZonesBefore: d.Totals.ZonesBefore, ZonesAfter: d.Totals.ZonesAfter, AreaBeforeM2: d.Totals.AreaBeforeM2, AreaAfterM2: d.Totals.AreaAfterM2,
			PopulationBefore: d.Totals.PopulationBefore, PopulationAfter: d.Totals.PopulationAfter, ChangedAreaM2: d.Totals.ChangedAreaM2, UnknownCells: d.Totals.UnknownCells,
		},
	}
	for _, l := range d.Totals.ByLevel {
		a.Totals.ByLevel = append(a.Totals.ByLevel, diffLevel{positive(l.Level), l.ZonesBefore, l.ZonesAfter, l.AreaBeforeM2, l.AreaAfterM2, l.PopulationBefore, l.PopulationAfter})
	}
	resp, err := private(a)
	if err == nil {
		resp.compress = true
	}
	return resp, err
}

type joinFault struct {
	Kind           string          `json:"kind"`
	Zone           string          `json:"zone"`
	ZoneName       *string         `json:"zone_name"`
	Level          *int            `json:"level"`
	NeighbourPlan  string          `json:"neighbour_plan"`
	NeighbourTitle *string         `json:"neighbour_title"`
	NeighbourZone  *string         `json:"neighbour_zone"`
	NeighbourName  *string         `json:"neighbour_name"`
	NeighbourLevel *int            `json:"neighbour_level"`
	Message        string          `json:"message"`
	Geometry       json.RawMessage `json:"geometry"`
	LengthM        float64         `json:"length_m"`
	AreaM2         float64         `json:"area_m2"`
}

func joinsAnswer(j zoning.Joins, lang registry.Lang) map[string]any {
	out := make([]joinFault, 0, len(j.Faults))
	for _, f := range j.Faults {
		out = append(out, joinFault{
			f.Kind, f.Zone, optional(f.ZoneName), positive(f.Level), f.NeighbourPlan, optional(f.NeighbourTitle), optional(f.NeighbourZone), optional(f.NeighbourName),
			positive(f.NeighbourLevel), f.Message.In(lang), geometryJSON(f.Geometry), f.LengthM, f.AreaM2,
		})
	}
	return map[string]any{"faults": out, "neighbours": j.Neighbours}
}

func (s *Server) getPlanJoins(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	j, err := s.opts.Zoning.Joins(ctx, req.Who, p.ID)
	if err != nil {
		return nil, err
	}
	resp, err := private(joinsAnswer(j, req.Lang))
	if err == nil {
		resp.compress = true
	}
	return resp, err
}

// levelName says what a level is called on a ladder.
func levelName(snap *registry.Snapshot, ladder string, level int, lang registry.Lang) string {
	list, ok := snap.CodeLists[ladder]
	if !ok || level == 0 {
		return ""
	}
	it, ok := list.Item(strconv.Itoa(level))
	if !ok {
		return ""
	}
	return it.Title.In(lang)
}
