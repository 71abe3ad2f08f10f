package demo

import "testing"

func BenchmarkGenerate(b *testing.B) {
	for range b.N {
		Generate(Options{Seed: 1, Now: testNow})
	}
}
