package report

import (
	"io"
	"testing"
)

// BenchmarkLargePDF is a plan of 2,000 zones and 120,000 vertices on A0.
func BenchmarkLargePDF(b *testing.B) {
	s := largeSheet(b, 50, 40, 29)
	b.ReportAllocs()
	for b.Loop() {
		d, err := PDF(b.Context(), io.Discard, s)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(d.Labels), "labels")
	}
}

// BenchmarkLargePNG is the same plan as an A3 picture for print.
func BenchmarkLargePNG(b *testing.B) {
	s := largeSheet(b, 50, 40, 29)
	s.Size = A3
	b.ReportAllocs()
	for b.Loop() {
		if _, err := PNG(b.Context(), io.Discard, s, 300); err != nil {
			b.Fatal(err)
		}
	}
}
