package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/census/resources"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// Resources are what command sends: teams, goods; and the roads they cannot take.
type Resources interface {
	Teams(ctx context.Context, who *auth.Identity, q resources.TeamQuery) ([]resources.Team, string, error)
	Move(ctx context.Context, by auth.By, id string, p resources.Position) (resources.Team, error)
	Track(ctx context.Context, by auth.By, id string, since time.Time, limit int) ([]resources.TrackPoint, error)
	Dispatches(ctx context.Context, who *auth.Identity, q resources.DispatchQuery) ([]resources.Dispatch, string, error)
	DispatchesIn(ctx context.Context, areas geo.Scopes, ids []string) (map[string]resources.Dispatch, error)
	Dispatch(ctx context.Context, by auth.By, n resources.NewDispatch) (resources.Dispatch, bool, error)
	Step(ctx context.Context, by auth.By, id, to, note string) (resources.Dispatch, error)
	Stores(ctx context.Context, who *auth.Identity, warehouse, area string) ([]resources.Store, string, error)
	Ledger(ctx context.Context, who *auth.Identity, warehouse string, limit int) ([]resources.Line, error)
	MoveStock(ctx context.Context, by auth.By, m resources.Move) (resources.Moved, error)
	Blocks(ctx context.Context, who *auth.Identity, q resources.BlockQuery) ([]resources.Block, resources.KPI, string, error)
	PutBlock(ctx context.Context, by auth.By, id string, version *int64, p resources.PutBlock) (resources.Block, bool, error)
	ChangeBlock(ctx context.Context, by auth.By, id string, version int64, p resources.PutBlock) (resources.Block, error)
	Rules() resources.Rules
}

// lacking gives what a store has not the document of a conflict that says how much it has.
func lacking(err error) error {
	short, ok := errors.AsType[*resources.Short](err)
	if !ok {
		return err
	}
	e := wrap(CodeConflict, err, text(short.Item+" 库存不足，请减少数量或换一个储备库", "there is not enough of "+short.Item+": take less, or another store"))
	e.As, e.Theirs = "stock_short", json.RawMessage(jsonText(map[string]any{"item": short.Item, "unit": short.Unit, "has": short.Has}))
	return e
}

type teamAnswer struct {
	ID            string     `json:"id"`
	ETag          int64      `json:"etag"`
	Name          string     `json:"name"`
	Kind          *string    `json:"kind"`
	KindTitle     string     `json:"kind_title"`
	State         *string    `json:"state"`
	StateTitle    string     `json:"state_title"`
	Members       *int       `json:"members"`
	ReadyMin      *float64   `json:"ready_min"`
	Specialities  *string    `json:"specialities"`
	Unit          *string    `json:"unit"`
	Area          *string    `json:"area"`
	AreaTitle     *string    `json:"area_title"`
	Position      []float64  `json:"position"`
	PositionAt    *time.Time `json:"position_at"`
	AgeS          *int       `json:"age_s"`
	Stale         bool       `json:"stale"`
	Dispatch      *string    `json:"dispatch"`
	DispatchState *string    `json:"dispatch_state"`
	Drill         *string    `json:"exercise_dispatch"` // what it plays: it may be sent all the same
	DrillState    *string    `json:"exercise_state"`
	May           bool       `json:"may"` // the asker may send it
}

func (s *Server) teamLine(req *Request, t resources.Team, areas *areaTitles) teamAnswer {
	snap := s.opts.Catalogue.Now()
	code := t.Area
	if code == "" {
		code = codeOf(t.Scope)
	}
	a := teamAnswer{
		ID: t.ID, ETag: t.Version, Name: t.Name, Kind: optional(t.Kind), KindTitle: codeTitle(snap, "team_kind", t.Kind, req.Lang), State: optional(t.State), StateTitle: codeTitle(snap, "team_state", t.State, req.Lang),
		Members: t.Members, ReadyMin: t.ReadyMin, Specialities: optional(t.Specialities), Unit: optional(t.Unit), Area: optional(code), AreaTitle: areas.of(code), Position: positionOrNil(t.At), PositionAt: t.PositionAt,
		AgeS: t.AgeS, Stale: t.Stale, Dispatch: optional(t.Dispatch), DispatchState: optional(t.DispatchState),
		Drill: optional(t.Drill), DrillState: optional(t.DrillState),
	}
	_, a.May = req.Who.Grant(auth.CommandPost, t.Scope, req.Received)
	return a
}

func (s *Server) getTeams(ctx context.Context, req *Request) (*Response, error) {
	list, position, err := s.opts.Resources.Teams(ctx, req.Who, resources.TeamQuery{Area: req.Query.Value("area"), State: req.Query.Value("state"), Kind: req.Query.Value("kind")})
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]teamAnswer, 0, len(list))
	for _, t := range list {
		out = append(out, s.teamLine(req, t, areas))
	}
	return private(map[string]any{"teams": out, "position": position, "rules": map[string]int{"stale_s": int(s.opts.Resources.Rules().TeamStale.Seconds())}})
}

type teamPositionBody struct {
	Lon       *float64   `json:"lon"`
	Lat       *float64   `json:"lat"`
	At        *time.Time `json:"at"`
	State     string     `json:"state"`
	AccuracyM *float64   `json:"accuracy_m"`
	SrcCRS    string     `json:"src_crs"`
}

func (s *Server) postTeamPosition(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b teamPositionBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if b.Lon == nil || b.Lat == nil {
		return nil, fault(req, "lon", "required", "请给出经纬度", "longitude and latitude are needed")
	}
	at := orb.Point{*b.Lon, *b.Lat}
	if crs, _, err := geo.ParseCRS(or(b.SrcCRS, "CGCS2000")); err != nil || crs == geo.AutoCRS {
		return nil, fault(req, "src_crs", "bad_value", "应为 WGS84、CGCS2000、GCJ02 或 BD09", "it is WGS84, CGCS2000, GCJ02 or BD09")
	} else if geo.Check(at) == nil {
		moved, known := geo.ToCGCS2000(at, crs)
		point, isPoint := moved.(orb.Point)
		if !known || !isPoint {
			return nil, fault(req, "src_crs", "bad_value", "应为 WGS84、CGCS2000、GCJ02 或 BD09", "it is WGS84, CGCS2000, GCJ02 or BD09")
		}
		at = point
	}
	p := resources.Position{At: at, State: b.State, AccuracyM: b.AccuracyM}
	if b.At != nil {
		p.Time = *b.At
	}
	t, err := s.opts.Resources.Move(ctx, s.by(req), strings.ToLower(id), p)
	if err != nil {
		return nil, err
	}
	// Who only sends reads nothing: the answer says where it stands now, not what else it is.
	resp, err := versioned(teamPositionAnswer{t.ID, t.Version, optional(t.State), positionOrNil(t.At), t.PositionAt}, t.Version)
	if err == nil {
		resp.Set("Onemap-Seq", t.FeedPosition)
	}
	return resp, err
}

type teamPositionAnswer struct {
	ID         string     `json:"id"`
	ETag       int64      `json:"etag"`
	State      *string    `json:"state"`
	Position   []float64  `json:"position"`
	PositionAt *time.Time `json:"position_at"`
}

func (s *Server) getTeamTrack(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	since := req.Received.Add(-12 * time.Hour)
	if v, given := req.Query.Get("since"); given {
		at, ok := instant(v)
		if !ok {
			return nil, invalid("since", "应为带时区的时间", "it is a time with its zone")
		}
		since = at
	}
	list, err := s.opts.Resources.Track(ctx, s.by(req), strings.ToLower(id), since, 2000)
	if err != nil {
		return nil, err
	}
	type point struct {
		At        time.Time `json:"at"`
		Position  []float64 `json:"position"`
		AccuracyM *float64  `json:"accuracy_m"`
		State     *string   `json:"state"`
	}
	out := make([]point, 0, len(list))
	for _, p := range list {
		out = append(out, point{p.Time, []float64{p.At[0], p.At[1]}, p.AccuracyM, optional(p.State)})
	}
	return private(map[string]any{"track": out})
}

type dispatchAnswer struct {
	ID             string           `json:"id"`
	ETag           int64            `json:"etag"`
	Team           *string          `json:"team"`
	Warehouse      *string          `json:"warehouse"`
	Source         string           `json:"source"`
	Incident       *string          `json:"incident"`
	Task           string           `json:"task"`
	Place          *string          `json:"place"`
	Geometry       json.RawMessage  `json:"geometry"`
	Items          []resources.Item `json:"items"`
	State          string           `json:"state"`
	Late           bool             `json:"late"` // not acknowledged in time
	Exercise       bool             `json:"exercise"`
	SentAt         time.Time        `json:"sent_at"`
	DueAt          time.Time        `json:"due_at"`
	AcknowledgedAt *time.Time       `json:"acknowledged_at"`
	AcknowledgedBy *string          `json:"acknowledged_by"`
	DepartedAt     *time.Time       `json:"departed_at"`
	ArrivedAt      *time.Time       `json:"arrived_at"`
	EndedAt        *time.Time       `json:"ended_at"`
	Note           *string          `json:"note"`
	By             string           `json:"by"`
	UpdatedAt      time.Time        `json:"updated_at"`
}

func dispatchLine(d resources.Dispatch) dispatchAnswer {
	return dispatchAnswer{
		ID: d.ID, ETag: d.Version, Team: optional(d.Team), Warehouse: optional(d.Warehouse), Source: d.Source, Incident: optional(d.Incident), Task: d.Task, Place: optional(d.Place), Geometry: geometryJSON(d.Geometry), Items: filled(d.Items),
		State: d.State, Late: d.Late, Exercise: d.Exercise, SentAt: d.SentAt, DueAt: d.DueAt, AcknowledgedAt: d.AcknowledgedAt, AcknowledgedBy: optional(d.AcknowledgedBy), DepartedAt: d.DepartedAt, ArrivedAt: d.ArrivedAt, EndedAt: d.EndedAt,
		Note: optional(d.Note), By: d.By, UpdatedAt: d.UpdatedAt,
	}
}

// dispatchEars are whose dispatches somebody is told of: those of the areas he reads.
func dispatchEars(who *auth.Identity, _ time.Time) geo.Scopes {
	if !who.SignedIn() {
		return nil
	}
	return who.Reach.Of(db.Internal)
}

func (s *Server) getDispatches(ctx context.Context, req *Request) (*Response, error) {
	q := resources.DispatchQuery{Incident: strings.ToLower(req.Query.Value("incident")), Team: strings.ToLower(req.Query.Value("team")), Warehouse: strings.ToLower(req.Query.Value("warehouse")), Area: req.Query.Value("area"), Exercise: req.Query.Value("exercise")}
	if !slices.Contains([]string{"", "false", "true", "all"}, q.Exercise) {
		return nil, invalid("exercise", "应为 true、false 或 all", "it is true, false or all")
	}
	var err error
	if q.Active, err = said(req.Query, "active"); err != nil {
		return nil, err
	}
	list, position, err := s.opts.Resources.Dispatches(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	out := make([]dispatchAnswer, 0, len(list))
	for _, d := range list {
		out = append(out, dispatchLine(d))
	}
	return private(map[string]any{"dispatches": out, "position": position})
}

type dispatchBody struct {
	Team      string          `json:"team"`
	Warehouse string          `json:"warehouse"`
	Incident  string          `json:"incident"`
	To        json.RawMessage `json:"to"` // GeoJSON, or words
	Task      string          `json:"task"`
	Items     []itemBody      `json:"items"`
	Exercise  bool            `json:"exercise"`
}

type itemBody struct {
	Item string  `json:"item"`
	Unit string  `json:"unit"`
	Qty  float64 `json:"qty"`
}

func (s *Server) putDispatch(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b dispatchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := resources.NewDispatch{ID: strings.ToLower(id), Team: strings.ToLower(b.Team), Warehouse: strings.ToLower(b.Warehouse), Incident: strings.ToLower(b.Incident), Task: b.Task, Exercise: b.Exercise}
	for _, it := range b.Items {
		n.Items = append(n.Items, resources.Item(it))
	}
	switch to := bytes.TrimSpace(b.To); {
	case len(to) == 0, string(to) == "null":
	case to[0] == '"':
		if err := json.Unmarshal(to, &n.Place); err != nil {
			return nil, fault(req, "to", "not_text", "应为地点或 GeoJSON", "it is a place or GeoJSON")
		}
	default:
		g, err := geo.ParseGeoJSON(to, geo.EditLimits())
		if err != nil {
			return nil, fault(req, "to", "bad_geometry", "应为地点或 GeoJSON", "it is a place or GeoJSON")
		}
		n.To = g
	}
	d, created, err := s.opts.Resources.Dispatch(ctx, s.by(req), n)
	if err != nil {
		return nil, lacking(err)
	}
	resp, err := versioned(dispatchLine(d), d.Version)
	if err == nil && created {
		resp.Status = 201
		resp.Set("Onemap-Seq", d.FeedPosition)
	}
	return resp, err
}

func (s *Server) postDispatchStep(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b stepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	d, err := s.opts.Resources.Step(ctx, s.by(req), strings.ToLower(id), b.To, b.Note)
	if err != nil {
		return nil, lacking(err)
	}
	resp, err := versioned(dispatchLine(d), d.Version)
	if err == nil && d.FeedPosition != "" {
		resp.Set("Onemap-Seq", d.FeedPosition)
	}
	return resp, err
}

type stockAnswer struct {
	Item      string    `json:"item"`
	Unit      string    `json:"unit"`
	Qty       float64   `json:"qty"`
	RotateOn  *string   `json:"rotate_on"`
	RotateDue bool      `json:"rotate_due"`
	UpdatedAt time.Time `json:"updated_at"`
}

type storeAnswer struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Grade      *string       `json:"grade"`
	GradeTitle string        `json:"grade_title"`
	Area       *string       `json:"area"`
	AreaTitle  *string       `json:"area_title"`
	Position   []float64     `json:"position"`
	Stock      []stockAnswer `json:"stock"`
}

func (s *Server) getStock(ctx context.Context, req *Request) (*Response, error) {
	list, position, err := s.opts.Resources.Stores(ctx, req.Who, strings.ToLower(req.Query.Value("warehouse")), req.Query.Value("area"))
	if err != nil {
		return nil, err
	}
	areas, snap := s.areaTitles(ctx, req), s.opts.Catalogue.Now()
	out := make([]storeAnswer, 0, len(list))
	for _, w := range list {
		a := storeAnswer{ID: w.ID, Name: w.Name, Grade: optional(w.Grade), GradeTitle: codeTitle(snap, "warehouse_grade", w.Grade, req.Lang), Area: optional(w.Area), AreaTitle: areas.of(w.Area), Position: positionOrNil(w.At), Stock: []stockAnswer{}}
		for _, x := range w.Stock {
			a.Stock = append(a.Stock, stockAnswer{x.Item, x.Unit, x.Qty, day(x.RotateOn), x.RotateDue, x.UpdatedAt})
		}
		out = append(out, a)
	}
	return private(map[string]any{"warehouses": out, "position": position})
}

func (s *Server) getStockMoves(ctx context.Context, req *Request) (*Response, error) {
	limit, _, err := paging(req)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Resources.Ledger(ctx, req.Who, strings.ToLower(req.Query.Value("warehouse")), limit)
	if err != nil {
		return nil, err
	}
	type line struct {
		OpID     string    `json:"op_id"`
		Item     string    `json:"item"`
		Unit     string    `json:"unit"`
		Qty      float64   `json:"qty"`
		After    float64   `json:"after"`
		Reason   string    `json:"reason"`
		Dispatch *string   `json:"dispatch"`
		At       time.Time `json:"at"`
		By       string    `json:"by"`
	}
	out := make([]line, 0, len(list))
	for _, l := range list {
		out = append(out, line{l.OpID, l.Item, l.Unit, l.Qty, l.After, l.Reason, optional(l.Dispatch), l.At, l.By})
	}
	return private(map[string]any{"moves": out})
}

type moveBody struct {
	OpID      string  `json:"op_id"`
	Warehouse string  `json:"warehouse"`
	Item      string  `json:"item"`
	Unit      string  `json:"unit"`
	Qty       float64 `json:"qty"`
	Reason    string  `json:"reason"`
	RotateOn  *string `json:"rotate_on"`
	Exercise  bool    `json:"exercise"` // refused, with what to do instead
}

func (s *Server) postStockMove(ctx context.Context, req *Request) (*Response, error) {
	var b moveBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	m := resources.Move{OpID: b.OpID, Warehouse: b.Warehouse, Item: b.Item, Unit: b.Unit, Qty: b.Qty, Reason: b.Reason, Exercise: b.Exercise}
	if b.RotateOn != nil {
		at, err := time.Parse(time.DateOnly, *b.RotateOn)
		if err != nil || at.Year() < 2000 || at.Year() > 2200 {
			return nil, fault(req, "rotate_on", "bad_date", "应为日期 (年-月-日)", "it is a date (year-month-day)")
		}
		m.RotateOn = &at
	}
	done, err := s.opts.Resources.MoveStock(ctx, s.by(req), m)
	if err != nil {
		return nil, lacking(err)
	}
	resp, err := private(map[string]any{"op_id": done.OpID, "after": done.After, "duplicate": done.Duplicate})
	if err == nil && !done.Duplicate {
		resp.Status = 201
	}
	return resp, err
}

type blockAnswer struct {
	ID         string          `json:"id"`
	ETag       int64           `json:"etag"`
	Name       *string         `json:"name"`
	Cause      *string         `json:"cause"`
	CauseTitle string          `json:"cause_title"`
	Road       *string         `json:"road"`
	State      string          `json:"state"`
	StateTitle string          `json:"state_title"`
	Detour     *string         `json:"detour"`
	Area       *string         `json:"area"`
	AreaTitle  *string         `json:"area_title"`
	Geometry   json.RawMessage `json:"geometry"`
	BlockedAt  *time.Time      `json:"blocked_at"`
	ExpectedAt *time.Time      `json:"expected_at"`
	ReopenedAt *time.Time      `json:"reopened_at"`
	Trunk      bool            `json:"trunk"`
	Clock      *blockClock     `json:"clock"` // of a trunk road
	Exercise   bool            `json:"exercise"`
	UpdatedAt  time.Time       `json:"updated_at"`
	UpdatedBy  string          `json:"updated_by"`
}

type blockClock struct {
	StartsAt time.Time  `json:"starts_at"`
	DueAt    time.Time  `json:"due_at"`
	DoneAt   *time.Time `json:"done_at"`
	Late     bool       `json:"late"`
}

func (s *Server) blockLine(req *Request, b resources.Block, areas *areaTitles) blockAnswer {
	snap := s.opts.Catalogue.Now()
	code := b.Area
	if code == "" {
		code = codeOf(b.Scope)
	}
	a := blockAnswer{
		ID: b.ID, ETag: b.Version, Name: optional(b.Name), Cause: optional(b.Cause), CauseTitle: codeTitle(snap, "block_cause", b.Cause, req.Lang), Road: optional(b.Road), State: b.State, StateTitle: codeTitle(snap, "block_state", b.State, req.Lang),
		Detour: optional(b.Detour), Area: optional(code), AreaTitle: areas.of(code), Geometry: geometryJSON(b.Geometry), BlockedAt: b.BlockedAt, ExpectedAt: b.ExpectedAt, ReopenedAt: b.ReopenedAt,
		Trunk: b.Trunk, Exercise: b.Exercise, UpdatedAt: b.RecordedAt, UpdatedBy: b.RecordedBy,
	}
	if b.DueAt != nil && b.BlockedAt != nil {
		a.Clock = &blockClock{*b.BlockedAt, *b.DueAt, b.ReopenedAt, b.Late}
	}
	return a
}

func (s *Server) getBlocks(ctx context.Context, req *Request) (*Response, error) {
	active, err := said(req.Query, "active")
	if err != nil {
		return nil, err
	}
	list, kpi, position, err := s.opts.Resources.Blocks(ctx, req.Who, resources.BlockQuery{Area: req.Query.Value("area"), Active: active})
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]blockAnswer, 0, len(list))
	for _, b := range list {
		out = append(out, s.blockLine(req, b, areas))
	}
	return private(map[string]any{"road_blocks": out, "position": position,
		"kpi": map[string]any{"target_h": kpi.Target, "reopened": kpi.Count, "mean_h": kpi.MeanHours, "late": kpi.Late, "open": kpi.Open}})
}

type blockBody struct {
	Name       *string         `json:"name"`
	Cause      *string         `json:"cause"`
	Road       *string         `json:"road"`
	State      *string         `json:"state"`
	Detour     *string         `json:"detour"`
	BlockedAt  *time.Time      `json:"blocked_at"`
	ExpectedAt *time.Time      `json:"expected_at"`
	ReopenedAt *time.Time      `json:"reopened_at"`
	Geometry   json.RawMessage `json:"geometry"`
	Exercise   bool            `json:"exercise"`
}

// changeBlock makes a block (PUT) or changes what is given (PATCH).
func (s *Server) changeBlock(whole bool) HandlerFunc {
	return func(ctx context.Context, req *Request) (*Response, error) {
		id, bad := req.id()
		if bad != nil {
			return nil, bad
		}
		id = strings.ToLower(id)
		var b blockBody
		if err := readJSON(req, &b); err != nil {
			return nil, err
		}
		p := resources.PutBlock{Name: b.Name, Cause: b.Cause, Road: b.Road, State: b.State, Detour: b.Detour, BlockedAt: b.BlockedAt, ExpectedAt: b.ExpectedAt, ReopenedAt: b.ReopenedAt, Exercise: b.Exercise}
		if g := bytes.TrimSpace(b.Geometry); len(g) > 0 && string(g) != "null" {
			shape, err := geo.ParseGeoJSON(g, geo.EditLimits())
			if err != nil {
				return nil, fault(req, "geometry", "bad_geometry", "应为 GeoJSON 点或线", "it is a point or a line in GeoJSON")
			}
			p.Geometry = shape
		}
		if !whole {
			// What is not his to see is absent, whatever version he names.
			if list, _, _, err := s.opts.Resources.Blocks(ctx, req.Who, resources.BlockQuery{IDs: []string{id}}); err != nil || len(list) == 0 {
				return nil, errors.Join(err, absent(err == nil))
			}
		}
		var version *int64
		if !whole || req.ifMatch != "" {
			v, err := ifMatch(req)
			if err != nil {
				return nil, err
			}
			version = &v
		}
		var out resources.Block
		var created bool
		var err error
		if whole {
			out, created, err = s.opts.Resources.PutBlock(ctx, s.by(req), id, version, p)
		} else {
			out, err = s.opts.Resources.ChangeBlock(ctx, s.by(req), id, *version, p)
		}
		if err != nil {
			return nil, err
		}
		resp, err := versioned(s.blockLine(req, out, s.areaTitles(ctx, req)), out.Version)
		if err == nil {
			if created {
				resp.Status = 201
			}
			if out.FeedPosition != "" {
				resp.Set("Onemap-Seq", out.FeedPosition)
			}
		}
		return resp, err
	}
}

// absent is a problem, or none.
func absent(yes bool) error {
	if yes {
		return problem(CodeNotFound)
	}
	return nil
}
