package sensing_test

import (
	"fmt"
	"testing"
	"time"

	"onemap/incidents/sensing"
	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// gaugesOf puts n more rain gauges into the first county.
func (h *house) gaugesOf(n int) {
	h.exec(`insert into sensors (code, name, kind, measure, unit, admin_code, geom) select 'B' || i, 'B' || i, 'rain', '1小时雨量', 'mm', '990100101001', st_setsrid(st_makepoint(119.05, 34.05), 4490) from generate_series(1, $1::int) i`, n)
}

// BenchmarkObserve is one delivery of 1,000 gauges.
func BenchmarkObserve(b *testing.B) {
	h := openAt(b, pgtest.Database(b))
	h.gaugesOf(1000)
	by := h.as(auth.DataEngineer, countyA)
	at := h.now().Add(-48 * time.Hour)
	n := 0
	for b.Loop() {
		at = at.Add(time.Minute)
		list := make([]sensing.Observation, 1000)
		for i := range list {
			list[i] = of(fmt.Sprintf("B%d", i+1), at, 0.1)
		}
		out, err := h.s.Observe(b.Context(), by, "bench", list)
		if err != nil || out.Accepted != 1000 {
			b.Fatal(out, err)
		}
		n += out.Accepted
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "obs/s")
}

// BenchmarkStations is the picture of 1,000 gauges with a day of five-minute rain, as it mostly is: their sums are kept.
func BenchmarkStations(b *testing.B) {
	h := openAt(b, pgtest.Database(b))
	h.gaugesOf(1000)
	h.exec(`insert into observations (station, at, measure, value, source, scope) select s.id, t, 'rain', 0.1, 'bench', s.scope from sensors s, generate_series(now() - interval '23 hours', now(), interval '5 minutes') t where s.code like 'B%'`)
	h.exec(`analyze observations`)
	h.count()
	by := h.as(auth.DutyOfficer, countyA)
	for b.Loop() {
		p, err := h.s.Stations(b.Context(), by.Identity, sensing.Query{Kinds: []string{"rain"}})
		if err != nil || len(p.Stations) < 1000 {
			b.Fatal(len(p.Stations), err)
		}
	}
}

// BenchmarkStationsThen is the same of an hour ago: nothing is kept of it.
func BenchmarkStationsThen(b *testing.B) {
	h := openAt(b, pgtest.Database(b))
	h.gaugesOf(1000)
	h.exec(`insert into observations (station, at, measure, value, source, scope) select s.id, t, 'rain', 0.1, 'bench', s.scope from sensors s, generate_series(now() - interval '23 hours', now(), interval '5 minutes') t where s.code like 'B%'`)
	h.exec(`analyze observations`)
	by := h.as(auth.DutyOfficer, countyA)
	for b.Loop() {
		p, err := h.s.Stations(b.Context(), by.Identity, sensing.Query{Kinds: []string{"rain"}, At: h.now().Add(-time.Hour)})
		if err != nil || len(p.Stations) < 1000 {
			b.Fatal(len(p.Stations), err)
		}
	}
}
