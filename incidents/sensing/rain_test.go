package sensing_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/incidents/sensing"
	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// count makes the sums of every gauge that is due.
func (h *house) count() int {
	h.t.Helper()
	for all := 0; ; {
		n, err := h.s.CountRain(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		if n == 0 {
			return all
		}
		all += n
	}
}

// fallen adds up what a gauge said, in tenths, without any SQL.
func fallen(said map[time.Time]int, now time.Time) map[int]string {
	var last time.Time
	for at := range said {
		if !at.After(now) && at.After(last) {
			last = at
		}
	}
	out := map[int]string{}
	for _, hours := range sensing.Hours {
		sum, any := 0, false
		for at, v := range said {
			if age := last.Sub(at); age >= 0 && age < time.Duration(hours)*time.Hour {
				sum, any = sum+v, true
			}
		}
		out[hours] = "nil"
		if any {
			out[hours] = fmt.Sprint(float64(sum) / 10)
		}
	}
	return out
}

// TestKeptSumsAreWhatWasSaid: words come in order, late, twice and otherwise, and the sums
// are kept at any moment between; every answer is what adding up gives.
func TestKeptSumsAreWhatWasSaid(t *testing.T) {
	h := open(t)
	engineer, officer := h.as(auth.DataEngineer, countyA), h.as(auth.DutyOfficer, countyA)
	rng := rand.New(rand.NewPCG(3, 7))
	start := h.now().Truncate(time.Minute)
	said := map[string]map[time.Time]int{rainA: {}, rainA2: {}}
	kept := 0
	at := start
	for step := range 160 {
		at = at.Add(time.Duration(5+rng.IntN(20)) * time.Minute)
		h.clock.Store(int64(time.Until(at.Add(time.Second)))) // now, and a little later
		for id, words := range said {
			when := at
			if rng.IntN(3) == 0 { // late
				when = at.Add(-time.Duration(rng.IntN(1800)) * time.Minute)
			}
			v := rng.IntN(40)
			if old, there := words[when]; there && old != v {
				out, err := h.s.Observe(t.Context(), engineer, "test", []sensing.Observation{of(id, when, float64(v)/10)})
				if err != nil || len(out.Rejected) != 1 {
					t.Fatalf("%+v %v", out, err)
				}
				continue
			}
			h.send(engineer, of(id, when, float64(v)/10))
			words[when] = v
		}
		if rng.IntN(2) == 0 {
			h.count()
		}
		p, err := h.s.Stations(t.Context(), officer.Identity, sensing.Query{IDs: []string{rainA, rainA2}})
		if err != nil || len(p.Stations) != 2 {
			t.Fatal(p, err)
		}
		for _, st := range p.Stations {
			want := fallen(said[st.ID], h.now())
			for _, hours := range sensing.Hours {
				if st.State == sensing.NoData {
					continue // only late words came
				}
				if got := val(st.Sums[hours].MM); got != want[hours] {
					t.Fatalf("step %d, %s: %s mm in %d hours, %s fell", step, st.Code, got, hours, want[hours])
				}
			}
			kept += one[int](h, `select count(*)::int from station_rain where station = $1 and even and counted = changes`, st.ID)
		}
	}
	if kept < 50 {
		t.Errorf("%d answers from what was kept", kept)
	}
	// The past is answered too, past what is kept, and the same with nothing kept.
	h.count()
	for range 20 {
		then := start.Add(time.Duration(rng.IntN(int(at.Sub(start)))))
		with := h.station(officer, rainA, then)
		h.exec(`update station_rain set counted = null`)
		without := h.station(officer, rainA, then)
		h.count()
		if a, b := fmt.Sprintf("%v %s %v", with.Sums, with.Trend, with.Class), fmt.Sprintf("%v %s %v", without.Sums, without.Trend, without.Class); len(with.Sums) != len(without.Sums) || !sameSums(with, without) {
			t.Errorf("%s and %s", a, b)
		}
	}
}

func sameSums(a, b *sensing.Station) bool {
	return a.Trend == b.Trend && a.Class == b.Class && a.State == b.State && maps.EqualFunc(a.Sums, b.Sums, func(x, y sensing.Window) bool {
		return x.Partial == y.Partial && val(x.MM) == val(y.MM)
	})
}

// TestKeptSumsBesideDeliveries: the sums are made while words come in; none is left out,
// whichever was first.
func TestKeptSumsBesideDeliveries(t *testing.T) {
	h := open(t)
	engineer, officer := h.as(auth.DataEngineer, countyA), h.as(auth.DutyOfficer, countyA)
	end := h.now().Add(-time.Minute).Truncate(time.Second)
	var senders, counter sync.WaitGroup
	done := make(chan struct{})
	counter.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if _, err := h.s.CountRain(t.Context()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 4 {
		senders.Go(func() {
			for n := range 60 {
				age := time.Duration(n*4+i) * time.Minute
				out, err := h.s.Observe(t.Context(), engineer, "test", []sensing.Observation{of(rainA, end.Add(-age), 0.1), of(rainA2, end.Add(-age), 0.2)})
				if err != nil || out.Accepted != 2 {
					t.Errorf("%+v %v", out, err)
				}
			}
		})
	}
	senders.Wait()
	close(done)
	counter.Wait()
	for _, when := range []string{"as it is", "counted to the end"} {
		for id, want := range map[string]string{rainA: "24", rainA2: "48"} {
			if got := val(h.station(officer, id, time.Time{}).Sums[6].MM); got != want {
				t.Errorf("%s: %s mm, %s fell", when, got, want)
			}
		}
		h.count()
	}
	if n := one[int](h, `select count(*)::int from station_rain where counted is distinct from changes or not even`); n != 0 {
		t.Errorf("%d are never made", n)
	}
}

// TestKeptSumsShowNothingHidden: a gauge was moved to another county; neither county sees
// what it said in the other, and what is taken away is in no sum.
func TestKeptSumsShowNothingHidden(t *testing.T) {
	h := open(t)
	engineer, a, b := h.as(auth.DataEngineer, ""), h.as(auth.DutyOfficer, countyA), h.as(auth.DutyOfficer, countyB)
	now := h.now()
	h.send(engineer, of(rainA, now.Add(-3*time.Hour), 7))
	h.count()
	h.exec(`update sensors set admin_code = $2, geom = st_setsrid(st_makepoint(120.05, 34.05), 4490) where id = $1`, rainA, countyB)
	h.send(engineer, of(rainA, now.Add(-time.Minute), 2))
	for range 2 {
		if got := val(h.station(b, rainA, time.Time{}).Sums[24].MM); got != "2" {
			t.Errorf("county B reads %s mm of which 2 are its own", got)
		}
		if _, err := h.s.Station(t.Context(), a.Identity, rainA, time.Time{}); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("county A still sees it: %v", err)
		}
		h.count()
	}
	if n := one[int](h, `select count(*)::int from station_rain where station = $1 and even`, rainA); n != 0 {
		t.Error("words of two counties are one sum")
	}
	h.exec(`delete from observations where station = $1 and value = 7`, rainA)
	for range 2 {
		if got := val(h.station(engineer, rainA, time.Time{}).Sums[24].MM); got != "2" {
			t.Errorf("%s mm where 7 were taken away", got)
		}
		h.count()
	}
	h.exec(`update observations set value = 3 where station = $1`, rainA)
	if got := val(h.station(engineer, rainA, time.Time{}).Sums[24].MM); got != "3" {
		t.Errorf("%s mm where it was put right", got)
	}
	if n := one[int](h, `select count(*)::int from station_rain where even`); n != 1 {
		t.Errorf("%d", n)
	}
}

// node is what is read of a plan.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Plans    []node  `json:"Plans"`
}

func (n node) each(do func(node)) {
	do(n)
	for _, p := range n.Plans {
		p.each(do)
	}
}

// TestThePictureReadsNoDays: of a thousand gauges the last words are read and what is kept,
// by their keys; without what is kept it would be every word of a day.
func TestThePictureReadsNoDays(t *testing.T) {
	h := openAt(t, pgtest.Database(t))
	h.gaugesOf(1000)
	h.exec(`insert into observations (station, at, measure, value, source, scope) select s.id, t, 'rain', 0.1, 'bench', s.scope
		from generate_series(now() - interval '2 hours 55 minutes', now(), interval '5 minutes') t, sensors s where s.code like 'B%'`)
	queries, err := sensing.Queries()
	if err != nil {
		t.Fatal(err)
	}
	by := h.as(auth.DutyOfficer, countyA)
	read := func() (words float64, whole []string) {
		t.Helper()
		err := h.db.Query.Tx(t.Context(), by.Identity.Reading(), func(tx pgx.Tx) error {
			var text []byte
			var plans []struct{ Plan node }
			if err := tx.QueryRow(t.Context(), "explain (analyze, costs off, timing off, format json) "+queries.Get("stations"), time.Now(), []string{"rain"}, nil, nil, nil, 5000).Scan(&text); err != nil {
				return err
			}
			if err := json.Unmarshal(text, &plans); err != nil {
				return err
			}
			plans[0].Plan.each(func(n node) {
				said := strings.HasPrefix(n.Relation, "observations")
				if (said || n.Relation == "station_rain") && n.Type == "Seq Scan" && n.Loops > 1 {
					whole = append(whole, n.Relation)
				}
				if said {
					words += n.Rows * n.Loops
				}
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(whole)
		return words, slices.Compact(whole)
	}
	if words, _ := read(); words < 36_000 {
		t.Errorf("%.0f words read with nothing kept: this test sees nothing", words)
	}
	if n := h.count(); n != 1000 {
		t.Errorf("%d gauges counted", n)
	}
	for _, when := range []string{"before", "after"} {
		if words, whole := read(); words > 5000 || len(whole) > 0 {
			t.Errorf("%s the tables were analysed: %.0f words read, %v from end to end", when, words, whole)
		}
		h.exec(`analyze`)
	}
	p, err := h.s.Stations(t.Context(), by.Identity, sensing.Query{Kinds: []string{"rain"}})
	if err != nil || len(p.Stations) != 1002 {
		t.Fatalf("%d %v", len(p.Stations), err)
	}
	for _, st := range p.Stations {
		if strings.HasPrefix(st.Code, "B") && (val(st.Sums[3].MM) != "3.6" || val(st.Sums[1].MM) != "1.2") {
			t.Fatalf("%s: %s mm in an hour, %s in three", st.Code, val(st.Sums[1].MM), val(st.Sums[3].MM))
		}
	}
}
