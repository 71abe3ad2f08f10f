package sensing

import (
	"context"
	"math"
	"regexp"
	"strings"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// MaxObservations is how many one delivery may hold.
const MaxObservations = 5000

// keepFor is how far back observations are taken.
const keepFor = 3 * 366 * 24 * time.Hour

// Observation is one value of one station. Station is its id, or its code.
type Observation struct {
	Station string
	Measure string // "": what its kind is about
	Value   *float64
	At      time.Time
	Quality string
}

// Refusal is an observation that was not taken, and why.
type Refusal struct {
	Index int
	Code  string
}

// The reasons.
const (
	Future       = "future"          // of a time that is not yet
	TooOld       = "too_old"         // of years ago
	NoTime       = "no_time"         //
	NoValue      = "no_value"        // null, or what instruments say for "missing"
	Implausible  = "implausible"     // no instrument measures that
	BadMeasure   = "bad_measure"     //
	UnknownPlace = "unknown_station" // none of that name in the sender's area
	Ambiguous    = "ambiguous"       // several stations have this code
	Differs      = "differs"         // already there for this time, with another value
)

// Outcome is what became of a delivery.
type Outcome struct {
	Accepted, Duplicate int
	Rejected            []Refusal
}

// row is an observation on its way into the table.
type row struct {
	index   int
	station string
	measure string
	value   float64
	at      time.Time
	quality *string
	scope   geo.Scope
}

var (
	measureForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	uuidForm    = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// plausible bounds what is measured; most instruments say −99 or 9999 for "missing".
func plausible(measure string, v float64) bool {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return false
	case measure == "rain":
		return v >= 0 && v <= 500
	case strings.HasPrefix(measure, "rain_"):
		return v >= 0 && v <= 3000
	case measure == "level":
		return v > -500 && v < 9000 && v != -99 && v != -999
	}
	return math.Abs(v) < 1e9
}

// Areas are where somebody may send observations of.
func Areas(who *auth.Identity, now time.Time) geo.Scopes {
	var out geo.Scopes
	if who == nil {
		return nil
	}
	for _, g := range who.Grants {
		if _, ok := who.Grant(auth.IngestObservations, g.Scope(), now); ok && g.Role.May(auth.IngestObservations) && g.Valid(now) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}

// Observe takes a delivery. What is wrong with one observation does not hold up the
// others; what is accepted is committed when this returns, and sent again is counted as a
// duplicate.
func (s *Service) Observe(ctx context.Context, by auth.By, source string, list []Observation) (Outcome, error) {
	areas := Areas(by.Identity, s.now())
	if len(areas) == 0 {
		return Outcome{}, auth.ErrForbidden
	}
	source = strings.TrimSpace(source)
	if n := len([]rune(source)); n == 0 || n > 100 || strings.ContainsRune(source, 0) {
		return Outcome{}, &auth.Invalid{Items: []auth.Fault{{Path: "/source", Code: "length", ZH: "请写明来源(1–100 字)", EN: "say where it comes from, in 1 to 100 characters"}}}
	}
	if len(list) == 0 || len(list) > MaxObservations {
		return Outcome{}, &auth.Invalid{Items: []auth.Fault{{Path: "/observations", Code: "length", ZH: "一次 1–5000 条", EN: "1 to 5000 in one delivery"}}}
	}
	g, _ := by.Grant(auth.IngestObservations, geo.Scope{}, s.now())
	claims := by.Writing(g)
	claims.Write = areas
	return s.observe(ctx, claims, source, list)
}

func (s *Service) observe(ctx context.Context, claims db.Claims, source string, list []Observation) (Outcome, error) {
	var out Outcome
	now, rules := s.now(), s.Rules()
	stations, err := s.resolve(ctx, claims, list)
	if err != nil {
		return out, wrap("stations", err)
	}
	type key struct {
		station, measure string
		at               int64
	}
	seen := map[key]float64{}
	rows := make([]row, 0, len(list))
	refuse := func(i int, code string) { out.Rejected = append(out.Rejected, Refusal{i, code}) }
	for i, o := range list {
		found := stations[o.Station]
		switch {
		case len(found) == 0:
			refuse(i, UnknownPlace)
			continue
		case len(found) > 1:
			refuse(i, Ambiguous)
			continue
		case o.At.IsZero():
			refuse(i, NoTime)
			continue
		case o.At.After(now.Add(time.Duration(rules.FutureS) * time.Second)):
			refuse(i, Future)
			continue
		case o.At.Before(now.Add(-keepFor)):
			refuse(i, TooOld)
			continue
		case o.Value == nil:
			refuse(i, NoValue)
			continue
		}
		st := found[0]
		if o.Measure == "" {
			o.Measure = Main(st.kind)
		}
		if !measureForm.MatchString(o.Measure) {
			refuse(i, BadMeasure)
			continue
		}
		if !plausible(o.Measure, *o.Value) {
			refuse(i, Implausible)
			continue
		}
		at := o.At.UTC().Truncate(time.Microsecond)
		k := key{st.id, o.Measure, at.UnixMicro()}
		if v, twice := seen[k]; twice {
			if v == *o.Value {
				out.Duplicate++
			} else {
				refuse(i, Differs)
			}
			continue
		}
		seen[k] = *o.Value
		r := row{index: i, station: st.id, measure: o.Measure, value: *o.Value, at: at, scope: st.scope}
		if q := []rune(strings.ToValidUTF8(strings.ReplaceAll(o.Quality, "\x00", ""), "")); len(q) > 0 {
			text := string(q[:min(len(q), 32)])
			r.quality = &text
		}
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return out, nil
	}
	if err := s.months4(ctx, rows); err != nil {
		return out, wrap("months", err)
	}
	accepted, duplicate, differ, err := s.insert(ctx, claims, source, rows)
	if err != nil {
		return out, wrap("observe", err)
	}
	out.Accepted, out.Duplicate = accepted, out.Duplicate+duplicate
	for _, i := range differ {
		refuse(i, Differs)
	}
	select {
	case s.poke <- struct{}{}:
	default:
	}
	return out, nil
}
