package api

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents/sensing"
	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Sensing are the gauges: what they send, what they say.
type Sensing interface {
	Observe(ctx context.Context, by auth.By, source string, list []sensing.Observation) (sensing.Outcome, error)
	Stations(ctx context.Context, who *auth.Identity, q sensing.Query) (sensing.Picture, error)
	Station(ctx context.Context, who *auth.Identity, id string, at time.Time) (*sensing.Station, error)
	Series(ctx context.Context, who *auth.Identity, id, measure string, from, to time.Time, step time.Duration) (sensing.Series, error)
	Thresholds(ctx context.Context, who *auth.Identity, id string) (sensing.Thresholds, error)
	SetThresholds(ctx context.Context, by auth.By, id string, version int64, next sensing.Thresholds) (sensing.Thresholds, error)
	Sources(ctx context.Context, who *auth.Identity) ([]sensing.SourceState, error)
	Rules() sensing.Rules
}

// limitObservations leaves room for 5,000 of them.
const limitObservations = 2 << 20

type observationBody struct {
	Station string   `json:"station"`
	Measure string   `json:"measure"`
	Value   *float64 `json:"value"`
	At      string   `json:"at"`
	Quality string   `json:"quality"`
}

type observationsBody struct {
	Source       string            `json:"source"`
	Observations []observationBody `json:"observations"`
}

type refusalAnswer struct {
	Index  int    `json:"index"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// refusalWords say what to do about an observation that was not taken.
func refusalWords(code string) Text {
	switch code {
	case sensing.Future:
		return text("观测时间在将来，请校准站点时钟", "it is of the future: set the station's clock")
	case sensing.TooOld:
		return text("超过三年，不再接收", "older than three years")
	case sensing.NoTime:
		return text("时间应带时区，如 2026-07-05T14:30:00+08:00", "a time with its zone, as 2026-07-05T14:30:00+08:00")
	case sensing.NoValue:
		return text("没有数值；缺测请不要报送", "there is no value; leave out what was not measured")
	case sensing.Implausible:
		return text("数值不合理，或是仪器的缺测码", "no instrument measures that, or it is its code for missing")
	case sensing.BadMeasure:
		return text("监测量为小写字母、数字和下划线，如 rain、level", "a measure is small letters, digits and _, as rain, level")
	case sensing.UnknownPlace:
		return text("本令牌的区域内没有此站", "there is no such station in your area")
	case sensing.Ambiguous:
		return text("多个站点用此编码，请用站点 id", "several stations have this code: give the id")
	case sensing.Differs:
		return text("同站同时已有不同数值，未改写", "another value is there for this time; it was not written over")
	}
	return text("未接收", "not taken")
}

// postObservations takes a delivery. 200 whatever it holds: each that was not taken is
// told by its place.
func (s *Server) postObservations(ctx context.Context, req *Request) (*Response, error) {
	var b observationsBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	list := make([]sensing.Observation, len(b.Observations))
	for i, o := range b.Observations {
		at, _ := instant(o.At)
		list[i] = sensing.Observation{Station: o.Station, Measure: o.Measure, Value: o.Value, At: at, Quality: o.Quality}
	}
	out, err := s.opts.Sensing.Observe(ctx, s.by(req), b.Source, list)
	if err != nil {
		return nil, err
	}
	rejected := make([]refusalAnswer, len(out.Rejected))
	for i, r := range out.Rejected {
		rejected[i] = refusalAnswer{r.Index, r.Code, refusalWords(r.Code).In(req.Lang)}
	}
	slices.SortFunc(rejected, func(a, b refusalAnswer) int { return a.Index - b.Index })
	return private(map[string]any{"accepted": out.Accepted, "duplicate": out.Duplicate, "rejected": rejected})
}

type stationVillage struct {
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Measure  string   `json:"measure"`
	Value    *float64 `json:"value"`
	Prepare  *float64 `json:"prepare"`
	Evacuate *float64 `json:"evacuate"`
	Persons  *int     `json:"persons"`
	State    string   `json:"state"`
}

type moveAnswer struct {
	stationVillage
	Stations []string `json:"stations"`
}

type stationLevels struct {
	Warning    *float64 `json:"warning"`
	Guarantee  *float64 `json:"guarantee"`
	FloodLimit *float64 `json:"flood_limit"`
	Blue       *float64 `json:"blue"`
	Yellow     *float64 `json:"yellow"`
	Orange     *float64 `json:"orange"`
	Red        *float64 `json:"red"`
	Source     *string  `json:"source"`
	ETag       int64    `json:"etag"`
}

type overAnswer struct {
	What  string  `json:"what"`
	Level int     `json:"level"`
	By    float64 `json:"by"`
}

type stationAnswer struct {
	ID         string              `json:"id"`
	Code       *string             `json:"code"`
	Name       string              `json:"name"`
	Kind       string              `json:"kind"`
	Unit       *string             `json:"unit"`
	Measure    *string             `json:"measure"`
	Object     *string             `json:"object"`
	Operator   *string             `json:"operator"`
	Position   []float64           `json:"position"`
	Area       *string             `json:"area"`
	AreaTitle  *string             `json:"area_title"`
	Exercise   bool                `json:"exercise"`
	Value      *float64            `json:"value"`
	LastValue  *float64            `json:"last_value"`
	At         *time.Time          `json:"at"`
	State      string              `json:"state"`
	SilentS    *int                `json:"silent_s"`
	Sums       map[string]*float64 `json:"sums"`
	Partial    []string            `json:"partial"`
	Class      *string             `json:"class"`
	Levels     stationLevels       `json:"levels"`
	Over       *overAnswer         `json:"over"`
	Trend      *string             `json:"trend"`
	Threatened int                 `json:"threatened_persons"`
	Dependent  int                 `json:"dependent_persons"`
	Villages   []stationVillage    `json:"villages"`
}

// tidy takes the noise of binary fractions off a difference.
func tidy(v float64) float64 { return math.Round(v*1e6) / 1e6 }

func villageLine(v sensing.Village) stationVillage {
	return stationVillage{Code: v.Code, Name: v.Name, Measure: v.Measure, Value: v.Value, Prepare: v.Prepare, Evacuate: v.Evacuate, Persons: v.Persons, State: v.State}
}

func stationLine(st *sensing.Station, areas *areaTitles) stationAnswer {
	a := stationAnswer{
		ID: st.ID, Code: optional(st.Code), Name: st.Name, Kind: st.Kind, Unit: optional(st.Unit), Measure: optional(st.Measure), Object: optional(st.Object), Operator: optional(st.Operator),
		Position: positionOrNil(st.Point), Area: optional(codeOf(st.Scope)), AreaTitle: areas.of(codeOf(st.Scope)), Exercise: st.Exercise, Value: st.Value, LastValue: st.Last, At: st.At, State: st.State,
		Partial: []string{}, Class: optional(st.Class), Trend: optional(st.Trend), Threatened: st.Threatened, Dependent: st.Dependent, Villages: []stationVillage{},
		Levels: stationLevels{st.Levels.Warning, st.Levels.Guarantee, st.Levels.FloodLimit, st.Levels.Colors[0], st.Levels.Colors[1], st.Levels.Colors[2], st.Levels.Colors[3], optional(st.Levels.Source), st.Levels.Version},
	}
	if st.At != nil {
		n := int(st.Silent.Seconds())
		a.SilentS = &n
	}
	if st.Kind == "rain" {
		a.Sums = map[string]*float64{}
		for _, h := range sensing.Hours {
			w := st.Sums[h]
			a.Sums["h"+strconv.Itoa(h)] = w.MM
			if w.Partial {
				a.Partial = append(a.Partial, "h"+strconv.Itoa(h))
			}
		}
	}
	if st.Over != nil {
		a.Over = &overAnswer{st.Over.What, st.Over.Level, tidy(st.Over.By)}
	}
	for _, v := range st.Villages {
		a.Villages = append(a.Villages, villageLine(v))
	}
	return a
}

// stationQuery reads which stations are asked for.
func stationQuery(req *Request) (sensing.Query, error) {
	var q sensing.Query
	if k := req.Query.Value("kind"); k != "" {
		q.Kinds = strings.Split(k, ",")
		if len(q.Kinds) > 20 {
			return q, invalid("kind", "类型过多", "too many kinds")
		}
		if slices.Contains(q.Kinds, "water") { // the usual set of 雨水情
			q.Kinds = append(q.Kinds, "rain", "river_level", "reservoir_level", "sewer_level", "waterlogging")
		}
	}
	if v, given := req.Query.Get("bbox"); given {
		b, ok := bboxOf(v)
		if !ok {
			return q, invalid("bbox", "应为 西,南,东,北", "it is west,south,east,north")
		}
		q.BBox = &b
	}
	if v := req.Query.Value("area"); v != "" {
		area, err := geo.ParseScope(v)
		if err != nil {
			return q, invalid("area", "应为行政区划代码", "it is an administrative code")
		}
		q.Area = &area
	}
	at, err := pastInstant(req, "at", time.Time{})
	if err != nil {
		return q, err
	}
	q.At = at
	switch req.Query.Value("sort") {
	case "", "threatened":
	case "none":
		q.ByID = true
	default:
		return q, invalid("sort", "应为 threatened 或 none", "it is threatened or none")
	}
	return q, nil
}

// pastInstant reads a time that is given, not of the future; otherwise the default.
func pastInstant(req *Request, name string, otherwise time.Time) (time.Time, error) {
	v, given := req.Query.Get(name)
	if !given {
		return otherwise, nil
	}
	t, ok := instant(v)
	if !ok || t.After(req.Received.Add(24*time.Hour)) || t.Year() < 1990 {
		return t, invalid(name, "应为带时区的时间，且不在将来", "it is a time with its zone, not of the future")
	}
	return t, nil
}

// bboxOf reads west,south,east,north.
func bboxOf(v string) (orb.Bound, bool) {
	parts := strings.Split(v, ",")
	if len(parts) != 4 {
		return orb.Bound{}, false
	}
	var n [4]float64
	for i, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || math.IsNaN(v) {
			return orb.Bound{}, false
		}
		n[i] = v
	}
	b := orb.Bound{Min: orb.Point{n[0], n[1]}, Max: orb.Point{n[2], n[3]}}
	return b, n[0] <= n[2] && n[1] <= n[3] && n[0] >= -180 && n[2] <= 180 && n[1] >= -90 && n[3] <= 90
}

// getStations answers with the stations of the asker's areas, the most threatened people
// first, and the villages that have to get ready or move.
func (s *Server) getStations(ctx context.Context, req *Request) (*Response, error) {
	q, err := stationQuery(req)
	if err != nil {
		return nil, err
	}
	p, err := s.opts.Sensing.Stations(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	state := req.Query.Value("state")
	out := make([]stationAnswer, 0, len(p.Stations))
	states := map[string]int{sensing.Normal: 0, sensing.Warning: 0, sensing.NoData: 0}
	if _, known := states[state]; state != "" && !known {
		return nil, invalid("state", "应为 normal、warning 或 no_data", "it is normal, warning or no_data")
	}
	for _, st := range p.Stations {
		states[st.State]++
		if state == "" || st.State == state {
			out = append(out, stationLine(st, areas))
		}
	}
	villages := make([]moveAnswer, len(p.Villages))
	persons := map[string]int{sensing.Prepare: 0, sensing.Evacuate: 0}
	for i, v := range p.Villages {
		villages[i] = moveAnswer{villageLine(v.Village), v.Stations}
		if v.Persons != nil {
			persons[v.State] += *v.Persons
		}
	}
	rules := s.opts.Sensing.Rules()
	resp, err := private(map[string]any{"at": p.At.UTC(), "stations": out, "villages": villages, "counts": states, "persons": persons, "silent_after_s": p.SilentS,
		"signals": filled(rules.Signals), "classes": rules.Classes})
	if err == nil {
		resp.compress = true
	}
	return resp, err
}

func (s *Server) getStation(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	at, err := pastInstant(req, "at", req.Received)
	if err != nil {
		return nil, err
	}
	st, err := s.opts.Sensing.Station(ctx, req.Who, strings.ToLower(id), at)
	if err != nil {
		return nil, err
	}
	return private(stationLine(st, s.areaTitles(ctx, req)))
}

type pointAnswer struct {
	At    time.Time `json:"at"`
	Value *float64  `json:"value"`
	Min   *float64  `json:"min,omitempty"`
	Max   *float64  `json:"max,omitempty"`
}

// getSeries gives what a chart draws: steps nobody heard in have no value.
func (s *Server) getSeries(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	to, err := pastInstant(req, "to", req.Received)
	if err != nil {
		return nil, err
	}
	from, err := pastInstant(req, "from", to.Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	var step time.Duration
	switch v := req.Query.Value("step"); v {
	case "", "1h":
		step = time.Hour
	case "10m":
		step = 10 * time.Minute
	case "6h":
		step = 6 * time.Hour
	case "1d":
		step = 24 * time.Hour
	case "raw":
	default:
		return nil, invalid("step", "应为 raw、10m、1h、6h 或 1d", "it is raw, 10m, 1h, 6h or 1d")
	}
	out, err := s.opts.Sensing.Series(ctx, req.Who, strings.ToLower(id), req.Query.Value("measure"), from, to, step)
	if err != nil {
		return nil, err
	}
	points := make([]pointAnswer, len(out.Points))
	for i, p := range out.Points {
		points[i] = pointAnswer{p.At.UTC(), p.Value, p.Least, p.Most}
	}
	resp, err := private(map[string]any{"station": stationLine(out.Station, s.areaTitles(ctx, req)), "measure": out.Measure, "step_s": int(out.Step.Seconds()), "from": from, "to": to, "points": points})
	if err == nil {
		resp.compress = true
	}
	return resp, err
}

type thresholdVillage struct {
	Code     string   `json:"code"`
	Measure  string   `json:"measure"`
	Prepare  *float64 `json:"prepare"`
	Evacuate *float64 `json:"evacuate"`
	Persons  *int     `json:"persons"`
}

type thresholdsBody struct {
	Levels struct {
		Warning    *float64 `json:"warning"`
		Guarantee  *float64 `json:"guarantee"`
		FloodLimit *float64 `json:"flood_limit"`
	} `json:"levels"`
	Villages []thresholdVillage `json:"villages"`
	Source   string             `json:"source"`
}

func thresholdsLine(t sensing.Thresholds) (*Response, error) {
	villages := make([]thresholdVillage, len(t.Villages))
	for i, v := range t.Villages {
		villages[i] = thresholdVillage{v.Code, v.Measure, v.Prepare, v.Evacuate, v.Persons}
	}
	return versioned(map[string]any{"etag": t.Version, "levels": map[string]any{"warning": t.Warning, "guarantee": t.Guarantee, "flood_limit": t.FloodLimit}, "villages": villages, "source": optional(t.Source)}, t.Version)
}

func (s *Server) getThresholds(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	t, err := s.opts.Sensing.Thresholds(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return thresholdsLine(t)
}

// putThresholds replaces a station's levels and villages; a station without any has
// version 0.
func (s *Server) putThresholds(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	var b thresholdsBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	next := sensing.Thresholds{Warning: b.Levels.Warning, Guarantee: b.Levels.Guarantee, FloodLimit: b.Levels.FloodLimit, Source: strings.TrimSpace(b.Source)}
	for _, v := range b.Villages {
		next.Villages = append(next.Villages, sensing.Village{Code: v.Code, Measure: v.Measure, Prepare: v.Prepare, Evacuate: v.Evacuate, Persons: v.Persons})
	}
	t, err := s.opts.Sensing.SetThresholds(ctx, s.by(req), strings.ToLower(id), version, next)
	if err != nil {
		return nil, err
	}
	return thresholdsLine(t)
}

type sourceAnswer struct {
	Name     string     `json:"name"`
	Title    *string    `json:"title"`
	EveryS   int        `json:"every_s"`
	AskedAt  *time.Time `json:"asked_at"`
	HeardAt  *time.Time `json:"heard_at"`
	NextAt   *time.Time `json:"next_at"`
	Accepted int64      `json:"accepted"`
	Rejected int64      `json:"rejected"`
	Error    *string    `json:"error"`
}

// getObservationSources tells how asking goes; addresses and mappings stay in the setting.
func (s *Server) getObservationSources(ctx context.Context, req *Request) (*Response, error) {
	list, err := s.opts.Sensing.Sources(ctx, req.Who)
	if err != nil {
		return nil, err
	}
	out := make([]sourceAnswer, len(list))
	for i, l := range list {
		out[i] = sourceAnswer{l.Name, optional(l.Title), l.EveryS, l.AskedAt, l.HeardAt, l.NextAt, l.Accepted, l.Rejected, optional(l.Error)}
	}
	return private(map[string]any{"sources": out})
}
