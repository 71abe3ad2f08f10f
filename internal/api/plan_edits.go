package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/zoning"
	"onemap/zoning/coverage"
)

// PlanEdits are the steps of drawing.
type PlanEdits interface {
	Edit(ctx context.Context, by auth.By, r zoning.EditRequest) (zoning.EditResult, error)
	Edits(ctx context.Context, who *auth.Identity, plan string, since int64, limit int) ([]zoning.EditLine, error)
	Validate(ctx context.Context, who *auth.Identity, plan string) (zoning.Validation, error)
	Snap(ctx context.Context, who *auth.Identity, plan string, box orb.Bound) (zoning.SnapSet, error)
	PutZone(ctx context.Context, by auth.By, plan, zone string, version int64, z zoning.ZonePut) (zoning.EditResult, error)
	PatchZone(ctx context.Context, by auth.By, plan, zone string, version int64, z zoning.ZonePut) (zoning.EditResult, error)
	DeleteZone(ctx context.Context, by auth.By, plan, zone string, version int64) (zoning.EditResult, error)
}

type editBody struct {
	EditID string                       `json:"edit_id"`
	Ops    []map[string]json.RawMessage `json:"ops"`
	Base   map[string]json.RawMessage   `json:"base"`
}

type editAnswer struct {
	EditID   string          `json:"edit_id"`
	Seq      int64           `json:"seq"`
	Title    string          `json:"title"`
	Zones    json.RawMessage `json:"zones"`
	Removed  []string        `json:"removed"`
	Area     json.RawMessage `json:"area,omitempty"` // where nodes were added to the boundary
	Position string          `json:"position"`
	Repeated bool            `json:"repeated"`
}

// readBase reads the versions the client knows.
func readBase(req *Request, base map[string]json.RawMessage) (map[string]int64, *Error) {
	if len(base) > maxZoneList {
		return nil, fault(req, "base", "too_many", fmt.Sprintf("至多 %d 个区划单元", maxZoneList), fmt.Sprintf("it has at most %d zones", maxZoneList))
	}
	out := make(map[string]int64, len(base))
	for _, id := range slices.Sorted(maps.Keys(base)) {
		var version int64
		switch {
		case !uuidText(id):
			return nil, fault(req, "base."+short(id), "bad_id", "应为编号 (UUID)", "it is an id (UUID)")
		case json.Unmarshal(base[id], &version) != nil || version < 0:
			return nil, fault(req, "base."+id, "bad_version", "应为版本号", "it is a version")
		}
		out[strings.ToLower(id)] = version
	}
	return out, nil
}

func (s *Server) postPlanEdit(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	var b editBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if !uuidText(b.EditID) {
		return nil, fault(req, "edit_id", "bad_id", "应为编号 (UUID)", "it is an id (UUID)")
	}
	steps, bad := readSteps(req.Lang, b.Ops)
	if bad != nil {
		return nil, bad
	}
	base, bad := readBase(req, b.Base)
	if bad != nil {
		return nil, bad
	}
	r, err := s.opts.Zoning.Edit(ctx, s.by(req), zoning.EditRequest{Plan: p.ID, EditID: strings.ToLower(b.EditID), Steps: steps, Base: base})
	if err != nil {
		return nil, err
	}
	return editResponse(req, r)
}

func editResponse(req *Request, r zoning.EditResult) (*Response, error) {
	a := editAnswer{
		EditID: r.EditID, Seq: r.Seq, Title: text(r.TitleZH, r.TitleEN).In(req.Lang), Removed: append([]string{}, r.Removed...),
		Position: r.Position, Repeated: r.Repeated,
	}
	var err error
	if a.Zones, err = zoneFeatures(r.Zones); err != nil {
		return nil, err
	}
	if len(r.Area) > 0 {
		a.Area = shapeJSON(r.Area)
	}
	resp, err := private(a)
	if err == nil {
		resp.compress = true
		resp.Set("Onemap-Seq", r.Position)
	}
	return resp, err
}

type editLine struct {
	EditID   string          `json:"edit_id"`
	Seq      int64           `json:"seq"`
	Title    string          `json:"title"`
	Zones    []string        `json:"zones"`
	Removed  []string        `json:"removed"`
	Ops      json.RawMessage `json:"ops"`
	By       string          `json:"by"`
	Name     *string         `json:"name"`
	Mine     bool            `json:"mine"`
	At       time.Time       `json:"at"`
	Undoes   *string         `json:"undoes"`
	UndoneBy *string         `json:"undone_by"`
	Bounds   []float64       `json:"bounds"`
}

func (s *Server) getPlanEdits(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	since, limit := 0, defaultLimit
	if _, given := req.Query.Get("since"); given {
		if since, err = wholeNumber(req.Query, "since", 0, 1<<53); err != nil {
			return nil, err
		}
	}
	if _, given := req.Query.Get("limit"); given {
		if limit, err = wholeNumber(req.Query, "limit", 1, 1000); err != nil {
			return nil, err
		}
	}
	list, err := s.opts.Zoning.Edits(ctx, req.Who, p.ID, int64(since), limit)
	if err != nil {
		return nil, err
	}
	out := make([]editLine, 0, len(list))
	for _, e := range list {
		out = append(out, editLine{
			EditID: e.EditID, Seq: e.Seq, Title: text(e.TitleZH, e.TitleEN).In(req.Lang), Zones: append([]string{}, e.Zones...), Removed: append([]string{}, e.Removed...),
			Ops: raw(e.Ops, "[]"), By: e.By, Name: optional(e.Name), Mine: e.Account != "" && e.Account == req.Who.Account, At: e.At,
			Undoes: optional(e.Undoes), UndoneBy: optional(e.UndoneBy), Bounds: bounds(e.Bounds),
		})
	}
	var next *int64
	if len(list) == limit {
		next = &list[len(list)-1].Seq
	}
	resp, err := private(map[string]any{"edits": out, "next": next})
	if err == nil {
		resp.compress = true
	}
	return resp, err
}

func (s *Server) postPlanValidate(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	v, err := s.opts.Zoning.Validate(ctx, req.Who, p.ID)
	if err != nil {
		return nil, err
	}
	list := make([]violationAnswer, 0, min(len(v.Violations), maxViolations))
	for _, x := range v.Violations[:min(len(v.Violations), maxViolations)] {
		list = append(list, violationLine(req.Lang, x))
	}
	return private(map[string]any{"violations": list, "found": len(v.Violations), "zones": v.Zones, "vertices": v.Vertices, "ok": v.OK()})
}

func (s *Server) getPlanSnap(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	box, err := oneBox(req, true)
	if err != nil {
		return nil, err
	}
	set, err := s.opts.Zoning.Snap(ctx, req.Who, p.ID, *box)
	if err != nil {
		return nil, err
	}
	b := []byte(`{"type":"FeatureCollection","features":[`)
	for i, l := range set.Lines {
		if i > 0 {
			b = append(b, ',')
		}
		props, err := json.Marshal(map[string]any{"layer": l.Layer, "name": optional(l.Name)})
		if err != nil {
			return nil, fmt.Errorf("encode snap line: %w", err)
		}
		b = append(b, `{"type":"Feature","geometry":`...)
		b = append(append(append(b, lineJSON(l.Line)...), `,"properties":`...), props...)
		b = append(b, '}')
	}
	b = fmt.Appendf(b, `],"truncated":%t}`, set.Truncated)
	return &Response{Type: typeGeoJSON, Body: b, Cache: privateNoStore, compress: true}, nil
}

// zoneBody is a zone as a client would have it.
type zoneBody struct {
	Code           *string         `json:"code"`
	Name           *string         `json:"name"`
	Level          *int            `json:"level"`
	Reason         *string         `json:"reason"`
	Countermeasure *string         `json:"countermeasure"`
	Responsible    *string         `json:"responsible"`
	Geometry       json.RawMessage `json:"geometry"`
}

func readZone(req *Request) (zoning.ZonePut, *Error) {
	var b zoneBody
	if err := readJSON(req, &b); err != nil {
		return zoning.ZonePut{}, err
	}
	z := zoning.ZonePut{Attributes: zoning.Attributes{Code: b.Code, Name: b.Name, Reason: b.Reason, Countermeasure: b.Countermeasure, Responsible: b.Responsible, Level: b.Level}}
	if b.Level != nil && *b.Level < 1 {
		return z, fault(req, "level", "bad_level", "应为等级的序号，从 1 起", "it is the number of a level, 1 first")
	}
	if len(b.Geometry) > 0 && string(b.Geometry) != "null" {
		r := &opReader{lang: req.Lang}
		z.Shape = r.shape("geometry", b.Geometry)
		if len(r.items) > 0 {
			e := problem(CodeInvalid)
			e.Items = r.items
			return z, e
		}
	}
	return z, nil
}

// changingZone is the plan and the zone of the path.
func (s *Server) changingZone(ctx context.Context, req *Request) (plan, zone string, err error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return "", "", err
	}
	zone, err = req.zoneID()
	return p.ID, zone, err
}

// putPlanZone makes a zone, or replaces it with If-Match.
func (s *Server) putPlanZone(ctx context.Context, req *Request) (*Response, error) {
	plan, zone, err := s.changingZone(ctx, req)
	if err != nil {
		return nil, err
	}
	version := int64(0)
	if req.ifMatch != "" {
		v, bad := ifMatch(req)
		if bad != nil {
			return nil, bad
		}
		version = v
	}
	z, bad := readZone(req)
	if bad != nil {
		return nil, bad
	}
	r, err := s.opts.Zoning.PutZone(ctx, s.by(req), plan, zone, version, z)
	if err != nil {
		return nil, err
	}
	resp, err := s.changedZone(ctx, req, plan, zone, r)
	if err == nil && version == 0 && !r.Repeated {
		resp.Status = 201
	}
	return resp, err
}

func (s *Server) patchPlanZone(ctx context.Context, req *Request) (*Response, error) {
	plan, zone, err := s.changingZone(ctx, req)
	if err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	z, bad := readZone(req)
	if bad != nil {
		return nil, bad
	}
	r, err := s.opts.Zoning.PatchZone(ctx, s.by(req), plan, zone, version, z)
	if err != nil {
		return nil, err
	}
	return s.changedZone(ctx, req, plan, zone, r)
}

func (s *Server) deletePlanZone(ctx context.Context, req *Request) (*Response, error) {
	plan, zone, err := s.changingZone(ctx, req)
	if err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	r, err := s.opts.Zoning.DeleteZone(ctx, s.by(req), plan, zone, version)
	if err != nil {
		return nil, err
	}
	resp := noContent()
	resp.Set("Onemap-Seq", r.Position)
	return resp, nil
}

// changedZone answers the zone as the change left it.
func (s *Server) changedZone(ctx context.Context, req *Request, plan, zone string, r zoning.EditResult) (*Response, error) {
	i := slices.IndexFunc(r.Zones, func(z zoning.Zone) bool { return z.Zone == zone })
	var z zoning.Zone
	if i >= 0 {
		z = r.Zones[i]
	} else {
		var err error // nothing changed: it is as it was
		if z, err = s.opts.Zoning.Zone(ctx, req.Who, plan, zone); err != nil {
			return nil, err
		}
	}
	resp, err := zoneResponse(z)
	if err == nil && r.Position != "" {
		resp.Set("Onemap-Seq", r.Position)
	}
	return resp, err
}

// extraViolationWords are the faults of a whole plan beside its topology.
func extraViolationWords(c coverage.Code) (Text, bool) {
	switch c {
	case zoning.Ungraded:
		return text("区划单元没有等级", "the zone has no level"), true
	case zoning.SwallowsZones:
		return text("所画图形会整个吞掉其他区划单元，请确认", "the shape would swallow other zones whole: confirm that they go"), true
	case zoning.UnknownLevel:
		return text("该等级不在本方案的等级方案中", "the plan's ladder has no such level"), true
	case zoning.ReasonRequired:
		return text("等级与计算结果不同，须写明理由", "the level differs from the computed one; give a reason"), true
	}
	return Text{}, false
}
