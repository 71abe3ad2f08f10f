package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"onemap/internal/auth"
	"onemap/internal/jobs"
	"onemap/internal/registry"
	"onemap/zoning"
	"onemap/zoning/coverage"
)

// PlanImports bring in a zoning that exists.
type PlanImports interface {
	ReadImport(ctx context.Context, by auth.By, f zoning.ImportFile) (zoning.ImportPreview, error)
	CheckImport(ctx context.Context, by auth.By, id string, m zoning.ImportMapping) error
	OneAcceptance(ctx context.Context, by auth.By, id string, begin func(context.Context) error) error
	Import(ctx context.Context, by auth.By, id string, m zoning.ImportMapping, step func(done, total int, what string)) (zoning.ImportReport, error)
}

type importSuggestion struct {
	LevelField          *string        `json:"level_field"`
	NameField           *string        `json:"name_field"`
	CodeField           *string        `json:"code_field"`
	CountermeasureField *string        `json:"countermeasure_field"`
	ResponsibleField    *string        `json:"responsible_field"`
	Ladder              *string        `json:"ladder"`
	Levels              map[string]int `json:"levels"`
	Direction           *string        `json:"direction"` // 1_is_worst, 1_is_least, named
	DirectionReason     *string        `json:"direction_reason"`
}

type importFault struct {
	Row        int       `json:"row"`
	Code       string    `json:"code"`
	Message    string    `json:"message"`
	At         []float64 `json:"at"`
	AreaBefore *float64  `json:"area_before_m2"`
	AreaM2     *float64  `json:"area_m2"`
}

type notice struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type importAnswer struct {
	Import     string               `json:"import"`
	Name       string               `json:"name"`
	Format     string               `json:"format"`
	Encoding   *string              `json:"encoding"`
	EncodingBy *string              `json:"encoding_by"`
	CRS        *string              `json:"crs"`
	Layer      *string              `json:"layer"`
	Layers     []string             `json:"layers"`
	Features   int                  `json:"features"`
	Usable     int                  `json:"usable"`
	Fields     []zoning.ImportField `json:"fields"`
	Suggestion importSuggestion     `json:"suggestion"`
	Bounds     []float64            `json:"bounds"`
	Outside    int                  `json:"outside"`
	Faults     []importFault        `json:"faults"`
	MoreFaults int                  `json:"more_faults"`
	Notices    []notice             `json:"notices"`
	Preview    json.RawMessage      `json:"preview"`
	ExpiresAt  time.Time            `json:"expires_at"`
}

func importFaults(list []zoning.ImportFault, lang registry.Lang) []importFault {
	out := make([]importFault, 0, len(list))
	for _, f := range list {
		a := importFault{Row: f.Row, Code: f.Code, Message: text(f.ZH, f.EN).In(lang), At: positionOrNil(f.At)}
		if f.AreaBefore != 0 || f.AreaM2 != 0 {
			a.AreaBefore, a.AreaM2 = &f.AreaBefore, &f.AreaM2
		}
		out = append(out, a)
	}
	return out
}

func notices(list []zoning.Notice, lang registry.Lang) []notice {
	out := make([]notice, 0, len(list))
	for _, n := range list {
		out = append(out, notice{n.Code, text(n.ZH, n.EN).In(lang)})
	}
	return out
}

// postPlanImport reads a file and answers what it holds; nothing is made of it yet.
func (s *Server) postPlanImport(ctx context.Context, req *Request) (*Response, error) {
	if req.upload == "" || req.uploaded == 0 {
		return nil, invalidBody("文件为空", "the file is empty")
	}
	f := zoning.ImportFile{
		Name: req.Query.Value("name"), Path: req.upload, Encoding: req.Query.Value("encoding"), CRS: req.Query.Value("crs"), Layer: req.Query.Value("layer"),
		LevelField: req.Query.Value("level_field"),
	}
	for name, v := range map[string]string{"name": f.Name, "encoding": f.Encoding, "crs": f.CRS, "layer": f.Layer, "level_field": f.LevelField} {
		if len(v) > 200 {
			return nil, invalid(name, "过长", "it is too long")
		}
	}
	p, err := s.opts.Zoning.ReadImport(ctx, s.by(req), f)
	if err != nil {
		return nil, err
	}
	g := p.Suggestion
	a := importAnswer{
		Import: p.ID, Name: p.Name, Format: p.Format, Encoding: optional(p.Encoding), EncodingBy: optional(p.EncodingBy), CRS: optional(p.CRS), Layer: optional(p.Layer),
		Layers: append([]string{}, p.Layers...), Features: p.Features, Usable: p.Usable, Fields: append([]zoning.ImportField{}, p.Fields...),
		Suggestion: importSuggestion{
			LevelField: optional(g.LevelField), NameField: optional(g.NameField), CodeField: optional(g.CodeField), CountermeasureField: optional(g.Countermeasure),
			ResponsibleField: optional(g.Responsible), Ladder: optional(g.Ladder), Levels: g.Levels, Direction: optional(g.Direction),
			DirectionReason: optional(text(g.DirectionReason, g.DirectionReasonE).In(req.Lang)),
		},
		Bounds: bounds(p.Bounds), Outside: p.Outside, Faults: importFaults(p.Faults, req.Lang), MoreFaults: p.MoreFaults, Notices: notices(p.Notices, req.Lang), ExpiresAt: p.ExpiresAt,
	}
	if a.Suggestion.Levels == nil {
		a.Suggestion.Levels = map[string]int{}
	}
	features := make([]map[string]any, 0, len(p.Preview))
	for _, x := range p.Preview {
		features = append(features, map[string]any{
			"type": "Feature", "id": x.Row, "geometry": geometryJSON(x.Geometry),
			"properties": map[string]any{"row": x.Row, "value": optional(x.Value), "name": optional(x.Name), "level": positive(x.Level), "area_m2": x.AreaM2},
		})
	}
	if a.Preview, err = json.Marshal(map[string]any{"type": "FeatureCollection", "features": features}); err != nil {
		return nil, fmt.Errorf("encode preview: %w", err)
	}
	resp, err := created(a)
	if err == nil {
		resp.compress = true
	}
	return resp, err
}

type importMapping struct {
	LevelField          string         `json:"level_field"`
	Levels              map[string]int `json:"levels"`
	NameField           string         `json:"name_field"`
	CodeField           string         `json:"code_field"`
	CountermeasureField string         `json:"countermeasure_field"`
	ResponsibleField    string         `json:"responsible_field"`
	ReasonField         string         `json:"reason_field"`
}

type importAcceptBody struct {
	Parent             string        `json:"parent"`
	Title              string        `json:"title"`
	Hazard             string        `json:"hazard"`
	Kind               string        `json:"kind"`
	Area               string        `json:"area"`
	Exhaustive         *bool         `json:"exhaustive"`
	Ladder             string        `json:"ladder"`
	Responsible        string        `json:"responsible"`
	Note               string        `json:"note"`
	Mapping            importMapping `json:"mapping"`
	DirectionConfirmed bool          `json:"direction_confirmed"`
}

// postPlanImportAccept makes a plan of what was read, as a job.
func (s *Server) postPlanImportAccept(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b importAcceptBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	m := zoning.ImportMapping{
		Parent: strings.ToLower(b.Parent), Title: b.Title, Hazard: b.Hazard, Kind: b.Kind, Area: b.Area, Exhaustive: b.Exhaustive, Ladder: b.Ladder, Responsible: b.Responsible, Note: b.Note,
		LevelField: b.Mapping.LevelField, NameField: b.Mapping.NameField, CodeField: b.Mapping.CodeField, CountermeasureField: b.Mapping.CountermeasureField,
		ResponsibleField: b.Mapping.ResponsibleField, ReasonField: b.Mapping.ReasonField, Levels: b.Mapping.Levels, DirectionConfirmed: b.DirectionConfirmed,
	}
	by, lang, id := s.by(req), req.Lang, strings.ToLower(id)
	// Two words on one upload are one plan: the second learns of the first, on another node
	// too. Here they queue up, so that those who wait for the database hold one connection.
	s.accepting.Lock()
	defer s.accepting.Unlock()
	var job jobs.Job
	err := s.opts.Zoning.OneAcceptance(ctx, by, id, func(ctx context.Context) (err error) {
		if err := s.acceptedBefore(ctx, req, id); err != nil {
			return err
		}
		if err := s.opts.Zoning.CheckImport(ctx, by, id, m); err != nil {
			return err
		}
		job, err = s.opts.Jobs.Start(ctx, by, "plan.import", "导入 "+clip(m.Title, 100), "Import "+clip(m.Title, 100), "plan-imports/"+id,
			func(ctx context.Context, step func(done, total int, what string)) (any, error) {
				r, err := s.opts.Zoning.Import(ctx, by, id, m, step)
				if err != nil {
					return nil, err
				}
				return importResult(r, lang), nil
			})
		return err
	})
	if err != nil {
		return nil, err
	}
	return accepted(job, req)
}

// acceptedBefore refuses an upload a job is making, or made, a plan of.
func (s *Server) acceptedBefore(ctx context.Context, req *Request, id string) error {
	list, err := s.opts.Jobs.List(ctx, req.Who, jobs.Query{Kind: "plan.import", Object: "plan-imports/" + id})
	if errors.Is(err, auth.ErrForbidden) {
		return nil // of no account: he has no upload either
	}
	if err != nil {
		return err
	}
	for _, j := range list {
		if j.State == jobs.Done || !j.State.Ended() {
			return &auth.Conflict{Code: "already_accepted", ZH: "该文件已确认导入，见任务 " + j.ID, EN: "the file was accepted already: job " + j.ID}
		}
	}
	return nil
}

type healedAnswer struct {
	Kind    string          `json:"kind"` // gap, sliver, overlap, outside_area
	AreaM2  float64         `json:"area_m2"`
	WidthM  float64         `json:"width_m"`
	At      json.RawMessage `json:"at"`
	Where   json.RawMessage `json:"where"`
	Zones   []string        `json:"zones"`
	GivenTo *string         `json:"given_to"`
}

type changedZone struct {
	Zone     string  `json:"zone"`
	Name     *string `json:"name"`
	GainedM2 float64 `json:"gained_m2"`
	LostM2   float64 `json:"lost_m2"`
	CutM2    float64 `json:"cut_m2"`  // of it, outside the area
	Removed  bool    `json:"removed"` // nothing was left
}

type importResultAnswer struct {
	Plan       string            `json:"plan"`
	Read       int               `json:"read"`
	Zones      int               `json:"zones"`
	Healed     []healedAnswer    `json:"healed"` // at most 500 of healed_n
	HealedN    int               `json:"healed_n"`
	Changed    []changedZone     `json:"changed"`
	Violations []violationAnswer `json:"violations"`
	Found      int               `json:"found"` // violations in all
	Faults     []importFault     `json:"faults"`
	Notices    []notice          `json:"notices"`
	Joins      map[string]any    `json:"joins"`
}

func importResult(r zoning.ImportReport, lang registry.Lang) importResultAnswer {
	a := importResultAnswer{
		Plan: r.Plan.ID, Read: r.Read, Zones: r.Zones, Healed: []healedAnswer{}, HealedN: len(r.Healed), Changed: []changedZone{}, Violations: []violationAnswer{},
		Found: len(r.Violations), Faults: importFaults(r.Faults, lang), Notices: notices(r.Notices, lang), Joins: joinsAnswer(r.Joins, lang),
	}
	for _, h := range r.Healed[:min(len(r.Healed), maxViolations)] {
		line := healedAnswer{Kind: string(h.Kind), AreaM2: h.AreaM2, WidthM: h.WidthM, At: appendPoint(nil, h.At), Where: shapeJSON(h.Where), Zones: ids(h.Zones), GivenTo: optional(string(h.GivenTo))}
		a.Healed = append(a.Healed, line)
	}
	for _, c := range r.Changed {
		a.Changed = append(a.Changed, changedZone{c.Zone, optional(c.Name), c.GainedM2, c.LostM2, c.CutM2, c.Removed})
	}
	for _, v := range r.Violations[:min(len(r.Violations), maxViolations)] {
		a.Violations = append(a.Violations, violationLine(lang, v))
	}
	return a
}

func ids(list []coverage.ID) []string {
	out := make([]string, 0, len(list))
	for _, id := range list {
		out = append(out, string(id))
	}
	return out
}
