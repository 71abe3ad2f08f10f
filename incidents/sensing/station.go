package sensing

import (
	"cmp"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// The states of a station.
const (
	Normal  = "normal"
	Warning = "warning"
	NoData  = "no_data"
)

// The states of a village.
const (
	Prepare  = "prepare"  // 准备转移
	Evacuate = "evacuate" // 立即转移
	Quiet    = "normal"
	Unknown  = "unknown" // the station is silent
)

// Hours are the windows rain is summed over.
var Hours = [...]int{1, 3, 6, 12, 24}

// Window is the rain of some hours up to the last observation.
type Window struct {
	MM      *float64 // nil: nothing was heard in it
	Partial bool     // hours of it are not covered
}

// Levels are what a station is compared with.
type Levels struct {
	Warning, Guarantee, FloodLimit *float64 // 警戒 保证 汛限
	Colors                         [4]*float64
	Source                         string
	Version                        int64 // 0: nobody set them
}

// Over says which level is passed: the most severe of them.
type Over struct {
	What  string // red orange yellow blue signal_1..4 warning guarantee flood_limit
	Level int    // 1 red … 4 blue
	By    float64
}

// Village is a threshold of a village, and where it stands.
type Village struct {
	Code     string   `json:"code"`
	Measure  string   `json:"measure"` // h1..h24 or level
	Prepare  *float64 `json:"prepare"`
	Evacuate *float64 `json:"evacuate"`
	Persons  *int     `json:"persons"`

	Name  string   `json:"-"`
	State string   `json:"-"`
	Value *float64 `json:"-"` // what was compared
}

// Station is a station and what it says at a time.
type Station struct {
	ID, Code, Name, Kind, Unit, Measure, Object, Operator string
	FreshS                                                int
	Point                                                 *orb.Point
	Scope                                                 geo.Scope
	Exercise                                              bool
	At                                                    *time.Time // of the last observation
	Value                                                 *float64   // nil where it is silent
	Last                                                  *float64   // what was said last
	Sums                                                  map[int]Window
	Before                                                *float64 // an hour earlier
	Class                                                 string   // of the rain: "", moderate, heavy, storm, severe, extreme
	Levels                                                Levels
	State                                                 string
	Silent                                                time.Duration
	Over                                                  *Over
	Trend                                                 string // rising falling steady, "" unknown
	Villages                                              []Village
	Threatened                                            int    // people in villages past a threshold
	Dependent                                             int    // people in all villages that depend on it
	HomeVillage                                           home   // the village it stands in
	Town, TownName                                        string // township, or county, it stands in

	rain rainRow
}

type home struct {
	Code, Name string
	Persons    *int
}

// unit is an administrative unit around stations.
type unit struct {
	code, name string
	persons    *int
	rank       int
	scope      geo.Scope
}

// settle names the villages of stations, and finds in which village and township each
// stands.
func settle(list []*Station, units []unit) {
	byCode := map[string]unit{}
	for _, u := range units {
		byCode[u.code] = u
	}
	for _, st := range list {
		rank := 0
		for _, u := range units {
			switch {
			case !u.scope.Contains(st.Scope):
			case u.rank == 5:
				st.HomeVillage = home{u.code, u.name, u.persons}
			case u.rank > rank:
				rank, st.Town, st.TownName = u.rank, u.code, u.name
			}
		}
		for i := range st.Villages {
			v := &st.Villages[i]
			u := byCode[v.Code]
			v.Name = u.name
			if v.Persons == nil {
				v.Persons = u.persons
			}
		}
	}
}

// rainRow are the sums as the database made them: of increments, as the gauge itself says,
// and in which hours it spoke.
type rainRow struct {
	sum, own [len(Hours)]*float64
	heard    int64 // a bit for each of the last 24 hours in which it spoke
	words    int64 // how often it did
	before   *float64
}

// Water says whether a kind is rain or water, for which fifteen minutes of silence are
// too long; other instruments may have a time of their own.
func Water(kind string) bool {
	return slices.Contains([]string{"rain", "river_level", "reservoir_level", "sewer_level", "waterlogging"}, kind)
}

// Main is the measure a kind of station is about.
func Main(kind string) string {
	switch kind {
	case "rain":
		return "rain"
	case "river_level", "reservoir_level", "sewer_level", "waterlogging":
		return "level"
	}
	return "value"
}

// window is over how many hours the value of a rain gauge is, by the name of its measure
// (3小时雨量); an hour where that says nothing.
func window(measure string) int {
	digits := strings.TrimLeft(measure, " ")
	n := 0
	for n < len(digits) && digits[n] >= '0' && digits[n] <= '9' {
		n++
	}
	h, err := strconv.Atoi(digits[:n])
	rest := strings.TrimSpace(digits[n:])
	if err != nil || !slices.Contains(Hours[:], h) || !strings.HasPrefix(rest, "小时") && !strings.HasPrefix(rest, "h") {
		return 1
	}
	return h
}

// covers says whether a gauge spoke in every one of the last hours. One that speaks about
// once an hour may be a little late: two hours in a row without a word are a gap.
func (r *rainRow) covers(hours int) bool {
	hourly := r.words <= 2*int64(bits.OnesCount64(uint64(r.heard)))
	before := true
	for i := range hours {
		spoke := r.heard>>i&1 == 1
		if !spoke && (!hourly || !before || i == 0) {
			return false
		}
		before = spoke
	}
	return true
}

// judge fills in what follows from what was measured, at a time.
func (st *Station) judge(r Rules, at time.Time) {
	limit := time.Duration(r.SilentS) * time.Second
	if fresh := time.Duration(st.FreshS) * time.Second; !Water(st.Kind) && fresh > limit {
		limit = fresh
	}
	st.State, st.Sums = NoData, map[int]Window{}
	if st.At != nil {
		st.Silent = max(0, at.Sub(*st.At))
	}
	heard := st.At != nil && st.Last != nil && st.Silent <= limit
	if st.Kind == "rain" {
		st.sums(heard)
	}
	if heard {
		st.State = Normal
		st.Value = st.Last
		if st.Kind == "rain" && st.rain != (rainRow{}) {
			st.Value = st.Sums[window(st.Measure)].MM
		}
		st.compare(r)
		st.class(r)
		st.trend()
	}
	st.villages(r, heard)
}

func (st *Station) sums(heard bool) {
	for i, h := range Hours {
		w := Window{}
		switch {
		case !heard:
		case st.rain.own[i] != nil:
			w.MM = st.rain.own[i]
		case st.rain.sum[i] != nil:
			w.MM = st.rain.sum[i]
			w.Partial = !st.rain.covers(h)
		}
		st.Sums[h] = w
	}
}

// compare finds the most severe level that is reached; "以上" includes it.
func (st *Station) compare(r Rules) {
	worst := func(what string, level int, limit float64, v float64) {
		if v >= limit && (st.Over == nil || level < st.Over.Level || level == st.Over.Level && v-limit < st.Over.By) {
			st.Over = &Over{What: what, Level: level, By: v - limit}
		}
	}
	if st.Value == nil {
		return
	}
	v := *st.Value
	for i, name := range []string{"blue", "yellow", "orange", "red"} {
		if c := st.Levels.Colors[i]; c != nil {
			worst(name, 4-i, *c, v)
		}
	}
	if st.Kind == "rain" {
		for _, g := range r.Signals {
			if w, ok := st.Sums[g.Hours]; ok && w.MM != nil && g.Level >= 1 && g.Level <= 4 {
				worst("signal_"+strconv.Itoa(g.Level), g.Level, g.MM, *w.MM)
			}
		}
	} else {
		for _, l := range []struct {
			what  string
			level int
			at    *float64
		}{{"flood_limit", 4, st.Levels.FloodLimit}, {"warning", 3, st.Levels.Warning}, {"guarantee", 1, st.Levels.Guarantee}} {
			if l.at != nil {
				worst(l.what, l.level, *l.at, v)
			}
		}
	}
	if st.Over != nil {
		st.State = Warning
	}
}

// class is the class of the rain, the higher of the two tables.
func (st *Station) class(r Rules) {
	best := 0
	for _, t := range []struct {
		hours  int
		bounds []float64
	}{{24, r.Classes.H24}, {12, r.Classes.H12}} {
		mm := st.Sums[t.hours].MM
		if mm == nil {
			continue
		}
		n := 0
		for n < len(t.bounds) && *mm >= t.bounds[n] {
			n++
		}
		best = max(best, n)
	}
	st.Class = []string{"", "moderate", "heavy", "storm", "severe", "extreme"}[min(best, 5)]
}

func (st *Station) trend() {
	now := st.Last
	if st.Kind == "rain" {
		now, st.Before = st.Sums[1].MM, st.rain.before
	}
	if now == nil || st.Before == nil {
		return
	}
	const still = 0.005
	switch d := *now - *st.Before; {
	case d > still:
		st.Trend = "rising"
	case d < -still:
		st.Trend = "falling"
	default:
		st.Trend = "steady"
	}
}

// villages compares each village; one named more than once stands where its worst
// threshold does. A rain gauge without a table answers for the village it stands in.
func (st *Station) villages(r Rules, heard bool) {
	list := st.Villages
	if len(list) == 0 && st.Kind == "rain" && st.HomeVillage.Code != "" {
		for _, d := range r.Village {
			list = append(list, Village{Code: st.HomeVillage.Code, Name: st.HomeVillage.Name, Persons: st.HomeVillage.Persons, Measure: d.Measure, Prepare: d.Prepare, Evacuate: d.Evacuate})
		}
	}
	worst := map[string]Village{}
	var order []string
	for _, v := range list {
		v.State = Unknown
		if heard {
			v.Value = st.measured(v.Measure)
		}
		if v.Value != nil {
			v.State = Quiet
			if v.Prepare != nil && *v.Value >= *v.Prepare {
				v.State = Prepare
			}
			if v.Evacuate != nil && *v.Value >= *v.Evacuate {
				v.State = Evacuate
			}
		}
		old, seen := worst[v.Code]
		if !seen {
			order = append(order, v.Code)
		}
		if !seen || Severity(v.State) > Severity(old.State) {
			worst[v.Code] = v
		}
	}
	st.Villages = nil
	for _, code := range order {
		v := worst[code]
		st.Villages = append(st.Villages, v)
		n := 0
		if v.Persons != nil {
			n = *v.Persons
		}
		st.Dependent += n
		if Severity(v.State) >= Severity(Prepare) {
			st.Threatened += n
		}
	}
	slices.SortStableFunc(st.Villages, func(a, b Village) int { return cmp.Compare(Severity(b.State), Severity(a.State)) })
}

// Severity orders the states of villages.
func Severity(state string) int {
	switch state {
	case Evacuate:
		return 3
	case Prepare:
		return 2
	case Unknown:
		return 1
	}
	return 0
}

// measured is the value a threshold of a village is compared with.
func (st *Station) measured(measure string) *float64 {
	if rest, ok := strings.CutPrefix(measure, "h"); ok && st.Kind == "rain" {
		if h, err := strconv.Atoi(rest); err == nil {
			return st.Sums[h].MM
		}
		return nil
	}
	if measure == "level" && st.Kind != "rain" {
		return st.Last
	}
	return nil
}

// byThreat puts the most threatened people first.
func byThreat(a, b *Station) int {
	level := func(s *Station) int {
		if s.Over == nil {
			return 9
		}
		return s.Over.Level
	}
	village := func(s *Station) int {
		if len(s.Villages) == 0 {
			return 0
		}
		return Severity(s.Villages[0].State)
	}
	return cmp.Or(cmp.Compare(b.Threatened, a.Threatened), cmp.Compare(village(b), village(a)), cmp.Compare(level(a), level(b)),
		cmp.Compare(b.Dependent, a.Dependent), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
}
