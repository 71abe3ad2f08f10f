package api

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"onemap/zoning"
	"onemap/zoning/coverage"
)

// BenchmarkZones writes the largest plan there is: 2,000 zones of 120,000 vertices.
func BenchmarkZones(b *testing.B) {
	set := largePlan()
	b.ReportAllocs()
	for b.Loop() {
		resp, err := zonesResponse(set)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(resp.Body)))
	}
}

func BenchmarkZonesGzip(b *testing.B) {
	resp, err := zonesResponse(largePlan())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		z := gzipped(resp.Body)
		b.ReportMetric(float64(len(z)), "gzip_bytes")
	}
}

func largePlan() zoning.ZoneSet {
	r := rand.New(rand.NewPCG(3, 4))
	set := zoning.ZoneSet{Plan: zoning.Plan{ID: zoneA, VersionNo: 1, Version: 7}, Position: "1.1"}
	for i := range 2000 {
		ring := make(coverage.Ring, 60)
		for j := range ring {
			ring[j] = coverage.Point{X: 11900000000 + r.Int64N(60000000), Y: 3400000000 + r.Int64N(40000000)}
		}
		set.Zones = append(set.Zones, zoning.Zone{Zone: zoneB, Version: int64(i), FID: int64(i), Name: fmt.Sprint("单元", i), Level: 1 + i%5, Shape: coverage.Shape{{ring}}})
	}
	return set
}
