package sensing_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/incidents/sensing"
	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := sensing.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Fatal(err)
	}
}

// TestSumsAreExactAndPartialOnesSaySo: tenths add up, windows end at the last word, hours
// nothing was heard of are not rain of zero.
func TestSumsAreExactAndPartialOnesSaySo(t *testing.T) {
	h := open(t)
	by := h.as(auth.DataEngineer, countyA)
	end := h.now().Truncate(10 * time.Minute)
	var list []sensing.Observation
	for i := range 24*6 + 3 { // ten-minute rain of 0.1 mm, for more than a day
		list = append(list, of("R1", end.Add(-time.Duration(i)*10*time.Minute), 0.1))
	}
	if out := h.send(by, list...); out.Accepted != len(list) {
		t.Fatalf("%+v", out)
	}
	st := h.station(by, rainA, time.Time{})
	for hours, want := range map[int]string{1: "0.6", 3: "1.8", 6: "3.6", 12: "7.2", 24: "14.4"} {
		if w := st.Sums[hours]; val(w.MM) != want || w.Partial {
			t.Errorf("%d h: %s partial %v, want %s", hours, val(w.MM), w.Partial, want)
		}
	}
	if val(st.Value) != "1.8" || st.State != sensing.Normal || st.Trend != "steady" {
		t.Errorf("the value is the three hours of its measure: %s %s %s", val(st.Value), st.State, st.Trend)
	}
	// A gauge heard for two hours only.
	for i := range 12 {
		h.send(by, of("R2", end.Add(-time.Duration(i)*10*time.Minute), 1.1))
	}
	st = h.station(by, rainA2, time.Time{})
	if w := st.Sums[1]; val(w.MM) != "6.6" || w.Partial {
		t.Errorf("one hour: %s %v", val(w.MM), w.Partial)
	}
	if w := st.Sums[24]; val(w.MM) != "13.2" || !w.Partial {
		t.Errorf("24 hours of two: %s %v", val(w.MM), w.Partial)
	}
	// What the gauge itself says of hours goes before what was added up.
	v := 30.5
	h.send(by, sensing.Observation{Station: "R2", Measure: "rain_24h", Value: &v, At: end})
	if w := h.station(by, rainA2, time.Time{}).Sums[24]; val(w.MM) != "30.5" || w.Partial {
		t.Errorf("its own: %s %v", val(w.MM), w.Partial)
	}
}

// TestSilenceIsNoZero: after fifteen minutes there is no value, in the answer and on the
// layer, and a word brings it back.
func TestSilenceIsNoZero(t *testing.T) {
	h := open(t)
	by := h.as(auth.DutyOfficer, countyA)
	h.send(by, of(riverA, h.now(), 12.34))
	if n, err := h.s.Flush(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := one[string](h, `select value || ' ' || state from sensors where id = $1`, riverA); got != "12.34 normal" {
		t.Errorf("layer: %s", got)
	}
	h.clock.Store(int64(14 * time.Minute))
	if st := h.station(by, riverA, time.Time{}); st.State != sensing.Normal || val(st.Value) != "12.34" {
		t.Errorf("after 14 minutes: %s %s", st.State, val(st.Value))
	}
	if n, err := h.s.FallSilent(t.Context()); n != 0 || err != nil {
		t.Error(n, err)
	}
	h.clock.Store(int64(16 * time.Minute))
	st := h.station(by, riverA, time.Time{})
	if st.State != sensing.NoData || st.Value != nil || val(st.Last) != "12.34" {
		t.Errorf("after 16 minutes: %s %s", st.State, val(st.Value))
	}
	if n, err := h.s.FallSilent(t.Context()); n != 1 || err != nil {
		t.Error(n, err)
	}
	if got := one[string](h, `select coalesce(value::text, 'null') || ' ' || state from sensors where id = $1`, riverA); got != "null no_data" {
		t.Errorf("layer: %s", got)
	}
	h.send(by, of(riverA, h.now(), 12.4))
	if _, err := h.s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := one[string](h, `select value || ' ' || state from sensors where id = $1`, riverA); got != "12.4 normal" {
		t.Errorf("back: %s", got)
	}
	// It was so at the time, whatever came later.
	if st := h.station(by, riverA, h.now().Add(-15*time.Minute)); val(st.Value) != "12.34" {
		t.Errorf("as it was: %s", val(st.Value))
	}
}

// TestBadObservations: each is told by its place and reason, the others are taken.
func TestBadObservations(t *testing.T) {
	h := open(t)
	by := h.as(auth.DataEngineer, countyA)
	now := h.now()
	h.exec(`insert into sensors (code, name, kind, admin_code) values ('TWIN', 'a', 'rain', '990100'), ('TWIN', 'b', 'rain', '990100')`)
	list := []sensing.Observation{
		of("R1", now.Add(-time.Minute), 1), of("R1", now.Add(11*time.Minute), 1), of("R1", now.Add(9*time.Minute), 2), of("R1", now.AddDate(-4, 0, 0), 1), {Station: "R1", At: now},
		of("R1", now.Add(-2*time.Minute), -99), of("NONE", now, 1), of(rainB, now, 1), of("R1", now.Add(-time.Minute), 1), of("R1", now.Add(-time.Minute), 3), of("TWIN", now, 1),
		{Station: "R1", Measure: "Rain!", Value: new(float64), At: now}, of("R1", time.Time{}, 1), of("Z1", now, math.Inf(1)), of("", now, 1),
	}
	out, err := h.s.Observe(t.Context(), by, "test", list)
	if err != nil || out.Accepted != 2 || out.Duplicate != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	got := map[int]string{}
	for _, r := range out.Rejected {
		got[r.Index] = r.Code
	}
	want := map[int]string{1: "future", 3: "too_old", 4: "no_value", 5: "implausible", 6: "unknown_station", 7: "unknown_station", 9: "differs", 10: "ambiguous", 11: "bad_measure", 12: "no_time", 13: "implausible", 14: "unknown_station"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	// The same again, and one that says otherwise.
	out, err = h.s.Observe(t.Context(), by, "test", []sensing.Observation{of("R1", now.Add(-time.Minute), 1), of("R1", now.Add(9*time.Minute), 7), of("R1", now.Add(-3*time.Minute), 5)})
	if err != nil || out.Accepted != 1 || out.Duplicate != 1 || len(out.Rejected) != 1 || out.Rejected[0] != (sensing.Refusal{Index: 1, Code: "differs"}) {
		t.Errorf("%+v %v", out, err)
	}
	if v := one[float64](h, `select value from observations where station = $1 and at = $2`, rainA, now.Add(9*time.Minute).Truncate(time.Microsecond)); v != 2 {
		t.Errorf("written over: %v", v)
	}
	for _, who := range []auth.By{h.as(auth.Viewer, countyA), h.as(auth.GridWorker, countyA), {Identity: &auth.Identity{Kind: auth.Anonymous}}} {
		if _, err := h.s.Observe(t.Context(), who, "x", list); !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%v", err)
		}
	}
	// A token is heard with the scope ingest only.
	for scope, want := range map[string]bool{"read": false, "report": false, "ingest": true} {
		who := h.as(auth.DataEngineer, countyA)
		who.Kind, who.Account, who.Scopes = auth.Token, "", []string{scope}
		if _, err := h.s.Observe(t.Context(), who, "x", list[:1]); (err == nil) != want {
			t.Errorf("%s: %v", scope, err)
		}
	}
}

// TestLateAndOldFindTheirMonth: what comes late moves nothing back, and a month without a
// partition gets one.
func TestLateAndOldFindTheirMonth(t *testing.T) {
	h := open(t)
	by := h.as(auth.DataEngineer, countyA)
	h.send(by, of("Z1", h.now(), 10))
	h.send(by, of("Z1", h.now().AddDate(0, -7, 0), 3), of("Z1", h.now().Add(-time.Hour), 9.5))
	if got := one[float64](h, `select value from station_now where station = $1`, riverA); got != 10 {
		t.Errorf("newest: %v", got)
	}
	if st := h.station(by, riverA, time.Time{}); st.Trend != "rising" {
		t.Errorf("trend %q", st.Trend)
	}
	part := "observations_" + h.now().AddDate(0, -7, 0).UTC().Format("200601")
	if n := one[int](h, `select count(*) from `+part); n != 1 {
		t.Errorf("%s: %d", part, n)
	}
	// Partitions are behind the floor as the whole is: the app reads none of them by itself.
	if ok := one[bool](h, `select bool_or(has_table_privilege('onemap_app', i.inhrelid, 'select')) from pg_inherits i where i.inhparent = 'observations'::regclass`); ok {
		t.Error("a partition is open")
	}
	if n := one[int](h, `select count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'observations'::regclass and not (c.relrowsecurity and c.relforcerowsecurity)`); n != 0 {
		t.Errorf("%d partitions without row security", n)
	}
}

// TestVillagesToMove: thresholds of the table, else of the rule; the most threatened come
// first; another county sees nothing.
func TestVillagesToMove(t *testing.T) {
	h := open(t)
	by := h.as(auth.DataEngineer, countyA)
	f := func(v float64) *float64 { return &v }
	now := h.now()
	h.send(by, of("R2", now, 55), of("R1", now, 12), of("Z1", now, 21.5))
	set := sensing.Thresholds{Warning: f(20), Guarantee: f(22), Source: "县水利局", Villages: []sensing.Village{{Code: villageA, Measure: "level", Prepare: f(21), Evacuate: f(22)}, {Code: villageA2, Measure: "level", Prepare: f(30)}}}
	if _, err := h.s.SetThresholds(t.Context(), by, riverA, 1, set); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("stale: %v", err)
	}
	out, err := h.s.SetThresholds(t.Context(), by, riverA, 0, set)
	if err != nil || out.Version != 1 {
		t.Fatal(out, err)
	}
	p, err := h.s.Stations(t.Context(), by.Identity, sensing.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, st := range p.Stations {
		order = append(order, fmt.Sprintf("%s:%d:%s", st.Code, st.Threatened, st.State))
	}
	// R2: 55 mm in an hour, past the rule's 50: 1,200 people; also a signal (55 in 3 h is orange).
	if got := strings.Join(order, " "); got != "R2:1200:warning Z1:812:warning R1:0:normal" {
		t.Error(got)
	}
	if st := p.Stations[1]; st.Over == nil || st.Over.What != "warning" || st.Over.Level != 3 || math.Abs(st.Over.By-1.5) > 1e-9 {
		t.Errorf("%+v", st.Over)
	}
	if st := p.Stations[0]; st.Over == nil || st.Over.Level != 2 {
		t.Errorf("%+v", st.Over)
	}
	if len(p.Villages) != 2 || p.Villages[0].Code != villageA2 || p.Villages[0].State != sensing.Evacuate || p.Villages[1].State != sensing.Prepare || p.Villages[1].Name != "甲村" {
		t.Errorf("%+v", p.Villages)
	}
	if p, err := h.s.Stations(t.Context(), h.as(auth.DutyOfficer, countyB).Identity, sensing.Query{}); err != nil || len(p.Stations) != 1 || p.Stations[0].ID != rainB {
		t.Errorf("%+v %v", p, err)
	}
	if _, err := h.s.SetThresholds(t.Context(), h.as(auth.DutyOfficer, countyA), riverA, 1, set); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("%v", err)
	}
	if _, err := h.s.SetThresholds(t.Context(), h.as(auth.DataEngineer, countyB), riverA, 1, set); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("%v", err)
	}
	for _, bad := range []sensing.Thresholds{
		{Warning: f(5), Guarantee: f(4)}, {Villages: []sensing.Village{{Code: "990100", Measure: "level", Prepare: f(1)}}}, {Villages: []sensing.Village{{Code: villageA, Measure: "h3", Prepare: f(1)}}},
		{Villages: []sensing.Village{{Code: villageA, Measure: "level"}}}, {Villages: []sensing.Village{{Code: villageA, Measure: "level", Prepare: f(3), Evacuate: f(2)}}}, {Warning: f(math.NaN())},
	} {
		if _, err := h.s.SetThresholds(t.Context(), by, riverA, 1, bad); !errors.As(err, new(*auth.Invalid)) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if n := one[int](h, `select count(*) from audit.entry where action = 'station.thresholds'`); n != 1 {
		t.Errorf("%d in the audit", n)
	}
}

// TestSeriesLeavesGaps: a step without a word is nil.
func TestSeriesLeavesGaps(t *testing.T) {
	h := open(t)
	by := h.as(auth.DataEngineer, countyA)
	end := h.now().Truncate(time.Hour)
	h.send(by, of("R1", end, 0.1), of("R1", end.Add(-10*time.Minute), 0.2), of("R1", end.Add(-2*time.Hour), 0))
	got, err := h.s.Series(t.Context(), by.Identity, rainA, "", end.Add(-3*time.Hour), end, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, p := range got.Points {
		text = append(text, val(p.Value))
	}
	if fmt.Sprint(text) != "[0 nil 0.3]" || !got.Points[2].At.Equal(end) {
		t.Errorf("%v %v", text, got.Points)
	}
	if raw, err := h.s.Series(t.Context(), by.Identity, rainA, "", end.Add(-3*time.Hour), end, 0); err != nil || len(raw.Points) != 3 {
		t.Errorf("%v %v", raw.Points, err)
	}
	if _, err := h.s.Series(t.Context(), h.as(auth.DutyOfficer, countyB).Identity, rainA, "", end.Add(-time.Hour), end, 0); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := h.s.Series(t.Context(), by.Identity, rainA, "", end.AddDate(0, 0, -30), end, time.Minute); !errors.As(err, new(*auth.Invalid)) {
		t.Errorf("%v", err)
	}
}

// TestTwoSendersAtOnce: whatever comes twice at the same moment is there once.
func TestTwoSendersAtOnce(t *testing.T) {
	h := open(t)
	by := h.as(auth.DataEngineer, countyA)
	var list, back []sensing.Observation
	for i := range 200 {
		list = append(list, of([]string{"R1", "R2", "Z1"}[i%3], h.now().Add(-time.Duration(i)*time.Minute).Truncate(time.Second), 1))
	}
	for i := range list {
		back = append(back, list[len(list)-1-i])
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := sensing.Outcome{}
	for i := range 6 {
		wg.Go(func() {
			out, err := h.s.Observe(t.Context(), by, "test", [][]sensing.Observation{list, back}[i%2])
			mu.Lock()
			defer mu.Unlock()
			if err != nil || len(out.Rejected) > 0 {
				t.Errorf("%+v %v", out, err)
			}
			total.Accepted += out.Accepted
			total.Duplicate += out.Duplicate
		})
	}
	wg.Wait()
	if total.Accepted != 200 || total.Duplicate != 1000 {
		t.Errorf("%+v", total)
	}
}

// TestSourcesAreAsked: the setting says whom; one node asks; what fails is told.
func TestSourcesAreAsked(t *testing.T) {
	h := open(t)
	by := h.as(auth.DutyOfficer, countyA)
	asked := 0
	at := h.now().Add(-time.Minute).UTC().Format(time.RFC3339)
	src := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprintf(w, `{"records":{"Station":[{"StationId":"R1","ObsTime":{"DateTime":%q},"Rain":{"h1":3.5}},{"StationId":"R2","ObsTime":{"DateTime":%q},"Rain":{"h1":-99.0}},{"StationId":"R9","ObsTime":{"DateTime":%q},"Rain":{"h1":1}}]}}`, at, at, at)
	}))
	defer src.Close()
	h.exec(`insert into setting (key, value) values ('observation_sources', $1::jsonb)`, fmt.Sprintf(`{"allow":["127.0.0.1"],"sources":[{"name":"cwa","url":"%s/rain.json?key=SECRET","format":"json","every_s":60,"area":"990100","rows":"records.Station","station":"StationId","at":"ObsTime.DateTime","values":{"rain_1h":"Rain.h1"},"missing":["-99"]}]}`, src.URL))
	if err := h.reg.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.s.Ask(t.Context())
	h.s.Ask(t.Context())
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if st := h.station(by, rainA, time.Time{}); val(st.Sums[1].MM) != "3.5" {
		t.Errorf("%s", val(st.Sums[1].MM))
	}
	if n := one[int](h, `select count(*) from observations`); n != 1 {
		t.Errorf("%d rows: outside its area and missing are none", n)
	}
	src.Close()
	h.clock.Store(int64(2 * time.Minute))
	h.s.Ask(t.Context())
	list, err := h.s.Sources(t.Context(), by.Identity)
	if err != nil || len(list) != 1 || list[0].Accepted != 1 || list[0].Rejected != 1 || list[0].Error == "" || strings.Contains(list[0].Error, "SECRET") {
		t.Errorf("%+v %v", list, err)
	}
}
