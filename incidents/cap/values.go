package cap

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"
)

func statuses() []string { return []string{Actual, Exercise, "System", "Test", Draft} }
func msgTypes() []string { return []string{Alert, Update, Cancel, Ack, Failed} }
func scopes() []string   { return []string{"Public", "Restricted", "Private"} }
func categories() []string {
	return []string{"Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"}
}

func responseTypes() []string {
	return []string{"Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"}
}
func urgencies() []string { return []string{"Immediate", "Expected", "Future", "Past", "Unknown"} }
func severities() []string {
	return []string{"Extreme", "Severe", "Moderate", "Minor", "Unknown"}
}

func certainties() []string {
	return []string{"Observed", "Likely", "Possible", "Unlikely", "Unknown"}
}

// wire is how the schema writes a time.
const wire = "2006-01-02T15:04:05-07:00"

// instant reads a time. exact says whether it is written as the schema wants it.
func instant(s string) (t time.Time, exact, ok bool) {
	clean := strings.TrimSpace(s)
	t, err := time.Parse(time.RFC3339, clean)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, false, false
	}
	_, offset := t.Zone()
	exact = len(clean) == len(wire) && clean[19] != '.' && offset <= 14*3600 && offset >= -14*3600
	return t.Truncate(time.Second), exact, true
}

// number reads a plain decimal: no hexadecimal, no exponent, nothing infinite.
func number(s string) (float64, bool) {
	if s == "" || len(s) > 40 || strings.Trim(s, "+-.0123456789") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// position reads "lat,lon" as lon/lat.
func position(s string) (orb.Point, bool) {
	a, b, two := strings.Cut(s, ",")
	lat, ok1 := number(a)
	lon, ok2 := number(b)
	return orb.Point{lon, lat}, two && ok1 && ok2
}

func ring(s string) (orb.Ring, bool) {
	var r orb.Ring
	for pair := range strings.FieldsSeq(s) {
		p, ok := position(pair)
		if !ok {
			return nil, false
		}
		r = append(r, p)
	}
	return r, len(r) > 0
}

func circle(s string) (Circle, bool) {
	f := strings.Fields(s)
	if len(f) != 2 {
		return Circle{}, false
	}
	p, ok1 := position(f[0])
	r, ok2 := number(f[1])
	return Circle{p, r}, ok1 && ok2 && r >= 0
}

// references reads sender,identifier,sent in a row.
func references(s string) (out []Reference, ok bool) {
	ok = true
	for part := range strings.FieldsSeq(s) {
		f := strings.Split(part, ",")
		if len(f) != 3 || f[0] == "" || f[1] == "" {
			ok = false
			continue
		}
		at, _, good := instant(f[2])
		ok = ok && good
		out = append(out, Reference{Sender: f[0], Identifier: f[1], Sent: at})
	}
	return out, ok
}

// decimal and whole are the texts xs:decimal and xs:integer take.
func decimal(s string) bool {
	s = strings.TrimLeft(strings.TrimSpace(s), "+-")
	return s != "" && s != "." && strings.Trim(s, "0123456789.") == "" && strings.Count(s, ".") <= 1
}

func signed(s string) bool {
	t := strings.TrimSpace(s)
	return decimal(t) && len(t)-len(strings.TrimLeft(t, "+-")) <= 1
}

func whole(s string) bool { return signed(s) && !strings.Contains(s, ".") }

// language is a text xs:language takes.
func language(s string) bool {
	for i, part := range strings.Split(strings.TrimSpace(s), "-") {
		if len(part) < 1 || len(part) > 8 || strings.ContainsFunc(part, func(r rune) bool {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
			return !letter && (i == 0 || r < '0' || r > '9')
		}) {
			return false
		}
	}
	return true
}

// oneOf takes a value of a list. What only has spaces around it, or another case, is
// taken for what it is, and is not exact.
func oneOf(list []string, s string) (v string, exact bool) {
	if slices.Contains(list, s) {
		return s, true
	}
	clean := strings.TrimSpace(s)
	for _, v := range list {
		if strings.EqualFold(v, clean) {
			return v, false
		}
	}
	return "", false
}

const earthKM = 6371.0088

// Ring is a circle as a ring of 64 positions, closed; nil where it has no extent.
func (c Circle) Ring() orb.Ring {
	const n = 64
	if c.RadiusKM <= 0 || c.RadiusKM > 5000 {
		return nil
	}
	lat, lon, d := c.Center[1]*math.Pi/180, c.Center[0]*math.Pi/180, c.RadiusKM/earthKM
	out := make(orb.Ring, 0, n+1)
	for i := range n {
		b := -2 * math.Pi * float64(i) / n // counter-clockwise
		y := math.Asin(math.Sin(lat)*math.Cos(d) + math.Cos(lat)*math.Sin(d)*math.Cos(b))
		x := lon + math.Atan2(math.Sin(b)*math.Sin(d)*math.Cos(lat), math.Cos(d)-math.Sin(lat)*math.Sin(y))
		out = append(out, orb.Point{x * 180 / math.Pi, y * 180 / math.Pi})
	}
	return append(out, out[0])
}

// Shapes are the polygons and circles of all areas; what has no extent is left out.
func (m *Message) Shapes() []orb.Polygon {
	var out []orb.Polygon
	for _, a := range m.Areas() {
		for _, r := range a.Polygons {
			out = append(out, orb.Polygon{r})
		}
		for _, c := range a.Circles {
			if r := c.Ring(); r != nil {
				out = append(out, orb.Polygon{r})
			}
		}
	}
	return out
}
