package incidents_test

import (
	"math"
	"testing"

	"github.com/paulmach/orb"

	"onemap/incidents"
)

// The bounds are inclusive, any criterion suffices, the worst counts (国务院令第493号).
func TestProposeTakesTheWorstCriterion(t *testing.T) {
	r, err := incidents.ParseLevelRule("x", []byte(`{"combine":"worst","lower_bound":"inclusive","criteria":{"deaths":[30,10,3,0],"injured":[100,50,10,0],"loss_wan":[10000,5000,1000,0],"deaths+missing":[30,10,3,0]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		deaths, missing, injured int
		loss                     float64
		want                     int
	}{{30, 0, 0, 0, 1}, {29, 0, 0, 0, 2}, {10, 0, 0, 0, 2}, {9, 0, 0, 0, 3}, {9, 1, 0, 0, 2}, {3, 0, 0, 0, 3}, {2, 0, 0, 0, 4}, {0, 0, 100, 0, 1}, {0, 0, 0, 10000, 1}, {0, 0, 0, 9999.99, 2}, {0, 0, 0, 0, 4}} {
		got, reason := r.Propose(incidents.Figures{Deaths: &c.deaths, Missing: &c.missing, Injured: &c.injured, LossWan: &c.loss})
		if got != c.want || len(reason) != 4 || reason[0].Level != got {
			t.Errorf("%+v: %d %v", c, got, reason)
		}
	}
	if got, _ := r.Propose(incidents.Figures{}); got != 0 {
		t.Errorf("nothing known: %d", got)
	}
}

// 《国家地震应急预案》(2012) 3.1: by deaths with the missing, and, in a fairly dense area, by
// magnitude as the first judgement; "以上" inclusive, "以下" not; the worse of the two counts.
func TestAnEarthquakeIsGradedByDeathsAndByMagnitude(t *testing.T) {
	r, err := incidents.ParseLevelRule("x", []byte(`{"kinds":["earthquake"],"combine":"worst","lower_bound":"inclusive","criteria":{"deaths+missing":[300,50,10,0],"magnitude":[7,6,5,4]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		magnitude float64
		deaths    int // -1: nobody counted yet
		want      int
		by        string
	}{
		{8.0, -1, 1, "magnitude"}, {7.0, -1, 1, "magnitude"}, {6.9, -1, 2, "magnitude"}, {6.0, -1, 2, "magnitude"}, {5.9, -1, 3, "magnitude"}, {5.0, -1, 3, "magnitude"},
		{4.9, -1, 4, "magnitude"}, {4.0, -1, 4, "magnitude"}, {3.9, -1, 0, ""}, {0, -1, 0, ""},
		{7.1, 0, 1, "magnitude"}, {5.5, 50, 2, "deaths+missing"}, {3.9, 12, 3, "deaths+missing"}, {4.2, 300, 1, "deaths+missing"}, {6.5, 49, 2, "magnitude"}, {3.0, 0, 4, "deaths+missing"},
	} {
		f := incidents.Figures{Magnitude: &c.magnitude}
		if c.deaths >= 0 {
			f.Deaths = &c.deaths
		}
		got, reason := r.Propose(f)
		if got != c.want || (got > 0) != (len(reason) > 0) || got > 0 && reason[0].Criterion != c.by {
			t.Errorf("M%.1f, %d dead: level %d for %v, it is %d by %s", c.magnitude, c.deaths, got, reason, c.want, c.by)
		}
	}
}

// A rule set somebody wrote is read or refused, never believed half.
func FuzzRules(f *testing.F) {
	f.Add([]byte(`{"combine":"worst","lower_bound":"inclusive","criteria":{"deaths":[30,10,3,0]}}`))
	f.Add([]byte(`{"clocks":[{"name":"a_b","start":"known_at","minutes":5,"from_level":"county","to_level":"city","done":{"mark":true}}]}`))
	f.Add([]byte(`{"clocks":[{"name":"a_b","start":"known_at","minutes":5,"days":1}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if r, err := incidents.ParseLevelRule("x", body); err == nil {
			n := 5
			if l, reason := r.Propose(incidents.Figures{Deaths: &n}); l < 0 || l > 4 || (l == 0) != (len(reason) == 0) {
				t.Errorf("level %d, %v", l, reason)
			}
		}
		if r, err := incidents.ParseClockRules(body); err == nil {
			for _, c := range r.Clocks {
				if c.Name == "" || (c.Minutes > 0) == (c.Days > 0) {
					t.Errorf("%+v", c)
				}
			}
		}
	})
}

// Turned round twice, a shape is itself.
func FuzzSwapped(f *testing.F) {
	f.Add(119.1, 34.1, 119.2, 34.2)
	f.Fuzz(func(t *testing.T, a, b, c, d float64) {
		for _, g := range []orb.Geometry{
			orb.Point{a, b}, orb.LineString{{a, b}, {c, d}}, orb.Polygon{{{a, b}, {c, b}, {c, d}, {a, b}}}, orb.MultiPoint{{a, b}},
			orb.MultiPolygon{{{{a, b}, {c, b}, {c, d}, {a, b}}}}, orb.MultiLineString{{{a, b}, {c, d}}}, orb.Collection{orb.Point{a, b}},
		} {
			once := incidents.Swapped(g)
			if !math.IsNaN(a+b+c+d) && !orb.Equal(incidents.Swapped(once), g) {
				t.Errorf("%v -> %v", g, once)
			}
		}
	})
}
