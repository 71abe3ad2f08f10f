package api

import (
	"testing"
)

// FuzzRange: what a download asks for lies inside the file, whatever it says.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0", "bytes=5-4", "bytes=9223372036854775807-9223372036854775807", "bytes=-9223372036854775808", "bytes=1-2,4-5", "lines=1-2", "bytes=", "bytes=-", "bytes=+1-2", "bytes= 1-2"} {
		f.Add(s, int64(10))
		f.Add(s, int64(0))
	}
	f.Fuzz(func(t *testing.T, s string, size int64) {
		if size < 0 {
			size = -(size + 1)
		}
		from, n, ok, fits := parseRange(s, size)
		if ok && fits && (from < 0 || n <= 0 || from >= size || n > size-from) {
			t.Fatalf("%q of %d bytes: %d from %d", s, size, n, from)
		}
		if !ok && fits {
			t.Fatalf("%q fits and cannot be read", s)
		}
	})
}

// FuzzUploadNumber: a number of bytes is none below zero.
func FuzzUploadNumber(f *testing.F) {
	for _, s := range []string{"", "0", "12", "-1", "+1", "1e3", "9223372036854775807", "9223372036854775808", "１", " 1", "0x10", "00000000000000000000000000000000001"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := uploadNumber(s); err == nil && n < 0 {
			t.Fatalf("%q is %d", s, n)
		}
	})
}
