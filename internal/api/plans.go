package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/registry"
	"onemap/zoning"
	"onemap/zoning/coverage"
)

// Plans are the zoning plans and their zones, as they are read and made.
type Plans interface {
	Plans(ctx context.Context, who *auth.Identity, q zoning.PlanQuery) (zoning.PlanPage, error)
	Plan(ctx context.Context, who *auth.Identity, id string) (zoning.Plan, error)
	May(who *auth.Identity, p zoning.Plan) []string
	Create(ctx context.Context, by auth.By, n zoning.NewPlan) (zoning.Plan, error)
	NewVersion(ctx context.Context, by auth.By, id, note string) (zoning.Plan, error)
	Update(ctx context.Context, by auth.By, id string, version int64, p zoning.PlanPatch) (zoning.Plan, error)
	Remove(ctx context.Context, by auth.By, id string, version int64) error
	Zones(ctx context.Context, who *auth.Identity, id string, box *orb.Bound) (zoning.ZoneSet, error)
	Zone(ctx context.Context, who *auth.Identity, id, zone string) (zoning.Zone, error)
}

// Zoning is everything the routes of plans ask.
type Zoning interface {
	Plans
	PlanEdits
	PlanLife
	PlanCompute
	PlanImports
}

type planArea struct {
	Code  string  `json:"code"`
	Title *string `json:"title"`
}

type planCounts struct {
	Zones        int `json:"zones"`
	Ungraded     int `json:"ungraded"`
	Comments     int `json:"comments"`
	OpenComments int `json:"open_comments"`
	Accepted     int `json:"accepted"`
	Returned     int `json:"returned"`
}

type planAnswer struct {
	ID            string          `json:"id"`
	Series        string          `json:"series"`
	Version       int             `json:"version"` // number in the series
	ETag          int64           `json:"etag"`    // for If-Match
	Parent        *string         `json:"parent"`
	Hazard        string          `json:"hazard"`
	HazardTitle   string          `json:"hazard_title"`
	Kind          string          `json:"kind"`
	KindTitle     string          `json:"kind_title"`
	Title         string          `json:"title"`
	Area          planArea        `json:"area"`
	Bounds        []float64       `json:"bounds"`
	Exhaustive    bool            `json:"exhaustive"`
	Unit          string          `json:"unit"`
	Ladder        string          `json:"ladder"`
	State         string          `json:"state"`
	StateTitle    string          `json:"state_title"`
	InForce       bool            `json:"in_force"`
	DocumentNo    *string         `json:"document_no"`
	Responsible   *string         `json:"responsible"`
	Note          *string         `json:"note"`
	EffectiveFrom *string         `json:"effective_from"`
	EffectiveTo   *string         `json:"effective_to"`
	Method        json.RawMessage `json:"method"`
	Computed      bool            `json:"computed"` // method holds a computation
	Counts        planCounts      `json:"counts"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by"`
	UpdatedAt     time.Time       `json:"updated_at"`
	SubmittedAt   *time.Time      `json:"submitted_at"`
	SubmittedBy   *string         `json:"submitted_by"`
	ApprovedAt    *time.Time      `json:"approved_at"`
	ApprovedBy    *string         `json:"approved_by"`
	PublishedAt   *time.Time      `json:"published_at"`
	PublishedBy   *string         `json:"published_by"`
	WithdrawnAt   *time.Time      `json:"withdrawn_at"`
	WithdrawnBy   *string         `json:"withdrawn_by"`
	Demo          bool            `json:"demo"`
	May           []string        `json:"may"`
}

func (s *Server) planLine(req *Request, p zoning.Plan, areas *areaTitles) planAnswer {
	a := planAnswer{
		ID: p.ID, Series: p.Series, Version: p.VersionNo, ETag: p.Version, Parent: optional(p.Parent),
		Hazard: p.Hazard, HazardTitle: hazardTitle(s.opts.Catalogue.Now(), p.Hazard, req.Lang), Kind: p.Kind, KindTitle: planKindWords(p.Kind).In(req.Lang),
		Title: p.Title, Area: planArea{p.Area, areas.of(p.Area)}, Bounds: bounds(p.Bounds), Exhaustive: p.Exhaustive, Unit: p.Unit, Ladder: p.Ladder,
		State: string(p.State), StateTitle: planStateWords(p.State).In(req.Lang), InForce: p.InForce,
		DocumentNo: optional(p.DocumentNo), Responsible: optional(p.Responsible), Note: optional(p.Note),
		EffectiveFrom: day(p.EffectiveFrom), EffectiveTo: day(p.EffectiveTo), Method: raw(p.Method, "{}"), Computed: p.Computed(),
		Counts:    planCounts{p.Zones, p.Ungraded, p.Comments, p.OpenComments, p.Accepted, p.ReturnedZones},
		CreatedAt: p.CreatedAt, CreatedBy: p.CreatedBy, UpdatedAt: p.UpdatedAt, SubmittedAt: p.SubmittedAt, SubmittedBy: optional(p.SubmittedBy),
		ApprovedAt: p.ApprovedAt, ApprovedBy: optional(p.ApprovedBy), PublishedAt: p.PublishedAt, PublishedBy: optional(p.PublishedBy),
		WithdrawnAt: p.WithdrawnAt, WithdrawnBy: optional(p.WithdrawnBy), Demo: p.Demo, May: s.opts.Zoning.May(req.Who, p),
	}
	if a.May == nil {
		a.May = []string{}
	}
	return a
}

func day(t *time.Time) *string {
	if t == nil {
		return nil
	}
	v := t.Format(time.DateOnly)
	return &v
}

func hazardTitle(snap *registry.Snapshot, slug string, lang registry.Lang) string {
	if slug == "multi" {
		return text("综合", "Multi-hazard").In(lang)
	}
	if list, ok := snap.CodeLists["hazard"]; ok {
		if it, ok := list.Item(slug); ok {
			return it.Title.In(lang)
		}
	}
	return slug
}

func planKindWords(kind string) Text {
	if kind == zoning.Prevention {
		return text("防治区划", "Prevention zoning")
	}
	return text("风险区划", "Risk zoning")
}

func planStateWords(st zoning.State) Text {
	switch st {
	case zoning.Draft:
		return text("编制中", "Draft")
	case zoning.Consultation:
		return text("征求意见", "Consultation")
	case zoning.ExpertReview:
		return text("专家评审", "Expert review")
	case zoning.Submitted:
		return text("已报审", "Submitted")
	case zoning.InReview:
		return text("审查中", "In review")
	case zoning.Returned:
		return text("已退回", "Returned")
	case zoning.Approved:
		return text("已审定", "Approved")
	case zoning.Published:
		return text("已发布", "Published")
	case zoning.Superseded:
		return text("已被替代", "Superseded")
	case zoning.Withdrawn:
		return text("已撤回或废止", "Withdrawn")
	}
	return text(string(st), string(st))
}

// zoningProblem gives the errors of plans their documents, nil for any other error.
func zoningProblem(lang registry.Lang, err error) *Error {
	var state *zoning.StateError
	var stale *zoning.StaleError
	switch {
	case errors.As(err, &state):
		if state.Code == string(CodeFourEyes) {
			return wrap(CodeFourEyes, err, text(state.ZH, state.EN))
		}
		e := wrap(CodeConflict, err, text(state.ZH, state.EN))
		e.As = Code(state.Code)
		return e
	case errors.As(err, &stale):
		e := wrap(CodeConflict, err, text("区划单元已被他人修改，请对照两方的图形后再改。", "Zones were changed by somebody else meanwhile; compare both and try again."))
		e.As = CodeStale
		theirs, err := zoneFeatures(stale.Theirs)
		if err != nil {
			return wrap(CodeInternal, err)
		}
		e.Theirs = theirs
		return e
	}
	return violationProblem(lang, err)
}

// seenPlan is the plan of the path as the asker may see it. Whoever may not know of it
// learns nothing from what else is wrong with his request.
func (s *Server) seenPlan(ctx context.Context, req *Request) (zoning.Plan, error) {
	id, bad := req.id()
	if bad != nil {
		return zoning.Plan{}, hidden(req)
	}
	p, err := s.opts.Zoning.Plan(ctx, req.Who, strings.ToLower(id))
	if errors.Is(err, auth.ErrNotFound) {
		return zoning.Plan{}, hidden(req)
	}
	return p, err
}

// changing is seenPlan with the version a change was made from.
func (s *Server) changing(ctx context.Context, req *Request) (zoning.Plan, int64, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return p, 0, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return p, 0, bad
	}
	return p, version, nil
}

func (s *Server) planResponse(ctx context.Context, req *Request, p zoning.Plan) (*Response, error) {
	resp, err := versioned(s.planLine(req, p, s.areaTitles(ctx, req)), p.Version)
	if err == nil && p.Position != "" {
		resp.Set("Onemap-Seq", p.Position)
	}
	return resp, err
}

func (s *Server) planCreated(ctx context.Context, req *Request, p zoning.Plan) (*Response, error) {
	resp, err := s.planResponse(ctx, req, p)
	if err == nil {
		resp.Status = 201
		resp.Set("Location", "/api/plans/"+p.ID)
	}
	return resp, err
}

func (s *Server) getPlans(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := zoning.PlanQuery{
		Series: req.Query.Value("series"), State: zoning.State(req.Query.Value("state")), Hazard: req.Query.Value("hazard"), Kind: req.Query.Value("kind"),
		Area: req.Query.Value("area"), Text: req.Query.Value("q"), Limit: min(limit, 1000), Cursor: cursor,
	}
	if q.Series != "" && !uuidText(q.Series) {
		return nil, invalid("series", "应为编号", "it is an id")
	}
	if q.State != "" && !slices.Contains(planStates(), q.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if q.Kind != "" && q.Kind != zoning.Risk && q.Kind != zoning.Prevention {
		return nil, invalid("kind", "应为 risk 或 prevention", "it is risk or prevention")
	}
	page, err := s.opts.Zoning.Plans(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	if len(page.Plans) == 0 && req.Who.Kind == auth.Anonymous {
		return nil, problem(CodeNotSignedIn)
	}
	areas := s.areaTitles(ctx, req)
	out := make([]planAnswer, 0, len(page.Plans))
	for _, p := range page.Plans {
		out = append(out, s.planLine(req, p, areas))
	}
	return private(map[string]any{"plans": out, "next": optional(page.Next)})
}

func planStates() []zoning.State {
	return []zoning.State{zoning.Draft, zoning.Consultation, zoning.ExpertReview, zoning.Submitted, zoning.InReview, zoning.Returned, zoning.Approved, zoning.Published, zoning.Superseded, zoning.Withdrawn}
}

func (s *Server) getPlan(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	return s.planResponse(ctx, req, p)
}

type newPlanBody struct {
	Hazard      string `json:"hazard"`
	Kind        string `json:"kind"`
	Title       string `json:"title"`
	Area        string `json:"area"`
	Exhaustive  bool   `json:"exhaustive"`
	Unit        string `json:"unit"`
	Ladder      string `json:"ladder"`
	Start       string `json:"start"`
	Responsible string `json:"responsible"`
	Note        string `json:"note"`
}

func (s *Server) postPlan(ctx context.Context, req *Request) (*Response, error) {
	var b newPlanBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	p, err := s.opts.Zoning.Create(ctx, s.by(req), zoning.NewPlan{
		Hazard: b.Hazard, Kind: b.Kind, Title: b.Title, Area: b.Area, Exhaustive: b.Exhaustive, Unit: b.Unit, Ladder: b.Ladder,
		Start: zoning.Start(b.Start), Responsible: b.Responsible, Note: b.Note,
	})
	if err != nil {
		return nil, err
	}
	return s.planCreated(ctx, req, p)
}

func (s *Server) postPlanVersion(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	var b noteBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	next, err := s.opts.Zoning.NewVersion(ctx, s.by(req), p.ID, b.Note)
	if err != nil {
		return nil, err
	}
	return s.planCreated(ctx, req, next)
}

type planPatchBody struct {
	Title       *string `json:"title"`
	Note        *string `json:"note"`
	Responsible *string `json:"responsible"`
	Ladder      *string `json:"ladder"`
	Unit        *string `json:"unit"`
}

func (s *Server) patchPlan(ctx context.Context, req *Request) (*Response, error) {
	p, version, err := s.changing(ctx, req)
	if err != nil {
		return nil, err
	}
	var b planPatchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(req.body, &given) == nil {
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if string(given[name]) == "null" {
				return nil, fault(req, name, "required", "不能为 null;清空请用空文字", "it cannot be null; an empty text empties it")
			}
		}
	}
	p, err = s.opts.Zoning.Update(ctx, s.by(req), p.ID, version, zoning.PlanPatch(b))
	if err != nil {
		return nil, err
	}
	return s.planResponse(ctx, req, p)
}

func (s *Server) deletePlan(ctx context.Context, req *Request) (*Response, error) {
	p, version, err := s.changing(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Zoning.Remove(ctx, s.by(req), p.ID, version); err != nil {
		return nil, err
	}
	return noContent(), nil
}

// oneBox reads bbox as one rectangle that does not cross the antimeridian.
func oneBox(req *Request, required bool) (*orb.Bound, error) {
	boxes, err := readBox(req.Query)
	switch {
	case err != nil:
		return nil, err
	case len(boxes) == 0 && required:
		return nil, problem(CodeMissingParameter, "bbox")
	case len(boxes) == 0:
		return nil, nil //nolint:nilnil // no box is a question too: everything
	case len(boxes) > 1:
		return nil, invalid("bbox", "不能跨越 180° 经线", "it cannot cross the antimeridian")
	}
	return &boxes[0], nil
}

// getPlanZones answers the zones exactly: what is drawn from here can be sent back in an
// edit to the last bit.
func (s *Server) getPlanZones(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	box, err := oneBox(req, false)
	if err != nil {
		return nil, err
	}
	set, err := s.opts.Zoning.Zones(ctx, req.Who, p.ID, box)
	if err != nil {
		return nil, err
	}
	return zonesResponse(set)
}

// zonesResponse is written in one go: the largest plan (120,000 vertices) is some 3 MB,
// which is allocated once.
func zonesResponse(set zoning.ZoneSet) (*Response, error) {
	size := 1 << 10
	for _, z := range set.Zones {
		size += 512 + len(z.Attrs) + vertices(z.Shape)*26
	}
	size += vertices(set.Area) * 26
	b := append(make([]byte, 0, size), `{"type":"FeatureCollection","plan":`...)
	b = append(b, '"')
	b = append(append(b, set.Plan.ID...), '"')
	b = append(b, fmt.Sprintf(`,"version":%d,"etag":%d,"features":[`, set.Plan.VersionNo, set.Plan.Version)...)
	var err error
	for i, z := range set.Zones {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendZone(b, z); err != nil {
			return nil, err
		}
	}
	b = append(b, `],"area":`...)
	b = appendShape(b, set.Area)
	h := fnv.New64a()
	h.Write(b)
	b = append(b, fmt.Sprintf(`,"position":%q}`, set.Position)...)
	resp := &Response{Type: typeGeoJSON, Body: b, Cache: revalidate, ETag: fmt.Sprintf(`W/"%x"`, h.Sum64()), compress: true}
	resp.Set("Onemap-Seq", set.Position)
	return resp, nil
}

func vertices(s coverage.Shape) int {
	n := 0
	for _, p := range s {
		for _, ring := range p {
			n += len(ring) + 1
		}
	}
	return n
}

// zoneID is the second placeholder of a path: a zone's id.
func (r *Request) zoneID() (string, error) {
	if v := r.Param(1); uuidText(v) {
		return strings.ToLower(v), nil
	}
	return "", problem(CodeNotFound)
}

func (s *Server) getPlanZone(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	id, err := req.zoneID()
	if err != nil {
		return nil, err
	}
	z, err := s.opts.Zoning.Zone(ctx, req.Who, p.ID, id)
	if err != nil {
		return nil, err
	}
	return zoneResponse(z)
}

func zoneResponse(z zoning.Zone) (*Response, error) {
	b, err := appendZone(nil, z)
	if err != nil {
		return nil, err
	}
	return &Response{Type: typeGeoJSON, Body: b, Cache: privateNoStore, ETag: versionTag(z.Version)}, nil
}
