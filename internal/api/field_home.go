package api

import (
	"context"
	"encoding/json"
	"time"

	"onemap/census/field"
	"onemap/internal/auth"
	"onemap/internal/restricted"
)

// Work is the grid worker's day and the office's side of it.
type Work interface {
	Tasks
	Notices
	Home(ctx context.Context, by auth.By) (field.Home, error)
	Households(ctx context.Context, by auth.By, reason string) ([]restricted.Household, error)
	SetHouseholds(ctx context.Context, by auth.By, area, reason string, list []restricted.Household) (int, error)
	Routes(ctx context.Context, who *auth.Identity, area, state string) ([]field.Route, error)
	Propose(ctx context.Context, by auth.By, n field.NewRoute) (field.Route, error)
	Way(ctx context.Context, who *auth.Identity, id string) (field.Route, error)
	StepRoute(ctx context.Context, by auth.By, id string, version int64, to, note string) (field.Route, error)
	Patrols(ctx context.Context, who *auth.Identity, q field.PatrolQuery) (string, []field.PatrolUnit, error)
}

type homeUnit struct {
	Code     string          `json:"code"`
	Name     string          `json:"name"`
	BBox     []float64       `json:"bbox"`
	Geometry json.RawMessage `json:"geometry,omitempty"`
}

func homeUnitOf(u *field.Unit, shape bool) *homeUnit {
	if u == nil || u.Bound == nil {
		return nil
	}
	out := &homeUnit{Code: u.Code, Name: u.Name, BBox: bounds(u.Bound)}
	if shape {
		out.Geometry = geometryJSON(u.Geometry)
	}
	return out
}

type phoneAnswer struct {
	Name  string `json:"name"`
	Phone string `json:"phone"`
}

// getHome is what a phone shows when it wakes.
func (s *Server) getHome(ctx context.Context, req *Request) (*Response, error) {
	h, err := s.opts.Work.Home(ctx, s.by(req))
	if err != nil {
		return nil, err
	}
	phones := make([]phoneAnswer, 0, len(h.DutyPhones))
	for _, p := range h.DutyPhones {
		phones = append(phones, phoneAnswer(p))
	}
	return private(map[string]any{
		"me":   map[string]any{"name": req.Who.Name, "username": req.Who.Username, "role": string(h.Role)},
		"grid": homeUnitOf(h.Grid, true), "township": homeUnitOf(h.Township, false), "duty_phones": phones,
		"rules": map[string]any{
			"urgent_wait_s": h.Rules.UrgentWait, "outbox_warn_h": h.Rules.OutboxWarnH, "photos_max": h.Rules.PhotosMax, "accuracy_warn_m": h.Rules.AccuracyWarnM,
			"take_after_s": h.Rules.TakeAfter, "desk_county_after_h": h.Rules.DeskCountyAfterH,
		},
		"server_time": h.Now,
	})
}

type householdAnswer struct {
	ID       string `json:"id"`
	Area     string `json:"area"`
	Head     string `json:"head"`
	Address  string `json:"address"`
	Persons  int    `json:"persons"`
	Elderly  int    `json:"elderly"`
	Children int    `json:"children"`
	Disabled int    `json:"disabled"`
	Phone    string `json:"phone"`
	Move     string `json:"move"`
}

// postHouseholds opens the asker's own 包户 list. It is in no list, cache or feed; who
// opened it and why is recorded before it is read.
func (s *Server) postHouseholds(ctx context.Context, req *Request) (*Response, error) {
	var b reasonBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	homes, err := s.opts.Work.Households(ctx, s.by(req), b.Reason)
	if err != nil {
		return nil, err
	}
	out := make([]householdAnswer, 0, len(homes))
	for _, h := range homes {
		out = append(out, householdAnswer(h))
	}
	return private(map[string]any{"households": out})
}

type patrolDay struct {
	Date        string `json:"date"`
	Grids       int    `json:"grids"`    // there are
	Reported    int    `json:"reported"` // of them, with a patrol or a zero report
	Patrols     int    `json:"patrols"`
	ZeroReports int    `json:"zero_reports"`
	Problems    int    `json:"problems"`
}

type patrolUnit struct {
	Code string      `json:"code"`
	Name string      `json:"name"`
	Days []patrolDay `json:"days"`
}

// getPatrols counts 巡查打卡 and 零报告 per unit and day.
func (s *Server) getPatrols(ctx context.Context, req *Request) (*Response, error) {
	if by, given := req.Query.Get("by"); given && by != "unit" {
		return nil, invalid("by", "应为 unit", "it is unit")
	}
	today := req.Received.In(s.opts.Catalogue.Now().Location())
	q := field.PatrolQuery{Area: req.Query.Value("area"), From: today, To: today}
	for name, at := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		v, given := req.Query.Get(name)
		if !given {
			continue
		}
		d, err := time.Parse(time.DateOnly, v)
		if err != nil || d.Year() < 2000 || d.Year() > 2200 {
			return nil, invalid(name, "应为日期 (年-月-日)", "it is a date (year-month-day)")
		}
		*at = d
	}
	q.From, q.To = dateOnly(q.From), dateOnly(q.To)
	area, units, err := s.opts.Work.Patrols(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	out := make([]patrolUnit, 0, len(units))
	for _, u := range units {
		line := patrolUnit{Code: u.Code, Name: u.Name, Days: make([]patrolDay, 0, len(u.Days))}
		for _, d := range u.Days {
			line.Days = append(line.Days, patrolDay{d.Day.Format(time.DateOnly), d.Grids, d.Reported, d.Patrols, d.ZeroReports, d.Found})
		}
		out = append(out, line)
	}
	return private(map[string]any{"area": optional(area), "from": q.From.Format(time.DateOnly), "to": q.To.Format(time.DateOnly), "units": out})
}

// dateOnly is the day of a moment in its own zone.
func dateOnly(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}
