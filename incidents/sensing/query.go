package sensing

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// Query says which stations. The zero value is all of the asker's, now.
type Query struct {
	Kinds []string
	BBox  *orb.Bound
	IDs   []string
	Area  *geo.Scope
	At    time.Time // zero: now
	ByID  bool      // as they come, not by threat
	Limit int       // default and most 5,000
}

func (q Query) limit() int {
	if q.Limit <= 0 || q.Limit > 5000 {
		return 5000
	}
	return q.Limit
}

// Picture is what the stations say, and where people have to move.
type Picture struct {
	At       time.Time
	Stations []*Station
	Villages []Move
	SilentS  int
}

// Move is a village past a threshold, with the stations that say so.
type Move struct {
	Village
	Stations []string // ids
}

// Stations answers with those whose people are threatened first.
func (s *Service) Stations(ctx context.Context, who *auth.Identity, q Query) (Picture, error) {
	out := Picture{At: q.At, SilentS: s.Rules().SilentS}
	if out.At.IsZero() {
		out.At = s.now()
	}
	var err error
	if out.Stations, err = s.read(ctx, s.db.Query, who.Reading(), q, out.At); err != nil {
		return out, wrap("stations", err)
	}
	if !q.ByID {
		slices.SortFunc(out.Stations, byThreat)
	}
	out.Villages = moves(out.Stations)
	return out, nil
}

// moves are the villages of all stations that are past a threshold, each once.
func moves(list []*Station) []Move {
	at := map[string]int{}
	var out []Move
	for _, st := range list {
		for _, v := range st.Villages {
			if Severity(v.State) < Severity(Prepare) {
				continue
			}
			i, seen := at[v.Code]
			if !seen {
				at[v.Code] = len(out)
				out = append(out, Move{Village: v, Stations: []string{st.ID}})
				continue
			}
			m := &out[i]
			m.Stations = append(m.Stations, st.ID)
			if Severity(v.State) > Severity(m.State) {
				m.Village = v
			}
		}
	}
	persons := func(m Move) int {
		if m.Persons == nil {
			return 0
		}
		return *m.Persons
	}
	slices.SortStableFunc(out, func(a, b Move) int {
		if d := Severity(b.State) - Severity(a.State); d != 0 {
			return d
		}
		return persons(b) - persons(a)
	})
	return out
}

// Station is one of them, at a time.
func (s *Service) Station(ctx context.Context, who *auth.Identity, id string, at time.Time) (*Station, error) {
	if !uuidForm.MatchString(id) {
		return nil, auth.ErrNotFound
	}
	p, err := s.Stations(ctx, who, Query{IDs: []string{id}, At: at, ByID: true, Limit: 1})
	if err == nil && len(p.Stations) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return p.Stations[0], nil
}

// Point is a step of a series; Value is nil where nothing was heard.
type Point struct {
	At          time.Time
	Value       *float64
	Least, Most *float64
}

// Series is what a station said over a time.
type Series struct {
	Station *Station
	Measure string
	Step    time.Duration // 0: as observed
	Points  []Point
}

// MaxPoints is how many a series has at most.
const MaxPoints = 3000

// Series reads a station's past. Rain is summed over each step, everything else is what
// was said last in it.
func (s *Service) Series(ctx context.Context, who *auth.Identity, id, measure string, from, to time.Time, step time.Duration) (Series, error) {
	out := Series{Step: step}
	var err error
	if out.Station, err = s.Station(ctx, who, id, to); err != nil {
		return out, err
	}
	out.Measure = measure
	if out.Measure == "" {
		out.Measure = Main(out.Station.Kind)
	}
	if !measureForm.MatchString(out.Measure) {
		return out, &auth.Invalid{Items: []auth.Fault{{Path: "measure", Code: "unknown", ZH: "没有此监测量", EN: "there is no such measure"}}}
	}
	if !to.After(from) || step > 0 && to.Sub(from)/step > MaxPoints || to.Sub(from) > 400*24*time.Hour {
		return out, &auth.Invalid{Items: []auth.Fault{{Path: "from", Code: "out_of_range", ZH: "时段须在 400 天以内、3000 个点以内，且起早于止", EN: "at most 400 days and 3000 steps, and from comes before to"}}}
	}
	out.Points, err = s.points(ctx, who.Reading(), id, out.Measure, from, to, step)
	return out, wrap("series", err)
}

// Thresholds are a station's levels and villages as somebody sets them.
type Thresholds struct {
	Warning, Guarantee, FloodLimit *float64
	Villages                       []Village
	Source                         string
	Version                        int64
}

// check refuses what cannot be meant.
func (t *Thresholds) check(kind string) error {
	var bad []auth.Fault
	add := func(path, code, zh, en string) { bad = append(bad, auth.Fault{Path: path, Code: code, ZH: zh, EN: en}) }
	for _, v := range []*float64{t.Warning, t.Guarantee, t.FloodLimit} {
		if v != nil && (math.IsNaN(*v) || math.Abs(*v) > 9000) {
			add("/levels", "out_of_range", "特征水位应在 ±9000 之内", "a level lies within ±9000")
			break
		}
	}
	if t.Warning != nil && t.Guarantee != nil && *t.Guarantee < *t.Warning {
		add("/levels/guarantee", "order", "保证水位不低于警戒水位", "the guarantee level is not below the warning level")
	}
	if len([]rune(t.Source)) > 200 || strings.ContainsRune(t.Source, 0) {
		add("/source", "length", "来源不超过 200 字", "at most 200 characters")
	}
	if len(t.Villages) > 200 {
		add("/villages", "length", "一站至多 200 个村阈值", "at most 200 thresholds")
	}
	for _, v := range t.Villages {
		if _, err := geo.ParseScope(v.Code); err != nil || len(v.Code) != 12 {
			add("/villages", "not_a_village", "村代码为 12 位："+clip(v.Code), "a village has a code of twelve digits: "+clip(v.Code))
		}
		if want := kind == "rain"; want != slices.Contains([]string{"h1", "h3", "h6", "h12", "h24"}, v.Measure) || !want && v.Measure != "level" {
			add("/villages", "bad_measure", "雨量站用 h1 h3 h6 h12 h24，其他站用 level", "a rain gauge has h1 h3 h6 h12 h24, any other level")
		}
		if v.Prepare == nil && v.Evacuate == nil || v.Prepare != nil && v.Evacuate != nil && *v.Evacuate < *v.Prepare {
			add("/villages", "order", "立即转移阈值不低于准备转移阈值，至少填一项", "evacuate is not below prepare, and one of them is given")
		}
		if v.Persons != nil && (*v.Persons < 0 || *v.Persons > 10_000_000) {
			add("/villages", "out_of_range", "人数不对", "the number of people cannot be right")
		}
		if len(bad) > 20 {
			break
		}
	}
	if len(bad) > 0 {
		return &auth.Invalid{Items: bad}
	}
	return nil
}

func clip(s string) string {
	if r := []rune(s); len(r) > 20 {
		return string(r[:20]) + "…"
	}
	return s
}

// text is the list of villages as it is kept.
func (t *Thresholds) text() ([]byte, error) {
	if t.Villages == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(t.Villages)
}

// Fresh are the stations heard of within the hour, as the program itself sees them: what
// alarms are made of. Silent are those that stopped, of the last week.
func (s *Service) Fresh(ctx context.Context) (fresh, silent []*Station, err error) {
	claims := db.System("sensing")
	for _, part := range []struct {
		sql string
		out *[]*Station
	}{{"fresh_ids", &fresh}, {"silent_ids", &silent}} {
		ids, err := s.ids(ctx, claims, part.sql)
		if err != nil {
			return nil, nil, wrap("fresh", err)
		}
		if len(ids) == 0 {
			continue
		}
		if *part.out, err = s.read(ctx, s.db.Bulk, claims, Query{IDs: ids}, s.now()); err != nil {
			return nil, nil, wrap("fresh", err)
		}
	}
	return fresh, silent, nil
}
