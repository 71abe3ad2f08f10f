package sync

import "testing"

// FuzzMark: a position a phone gives back is read as it was written, or refused; what is
// read is written as something that reads the same.
func FuzzMark(f *testing.F) {
	for _, s := range []string{"", "1.2", "1.2@00ff", "12.34@0fba435b8afac4ad~hazards~0~", "1.2@a~hazards~3~0192f0c1-0000-7000-8000-000000000001", "1.2@a~hazards~-1~", "1.2@~~~", "99999999999999999999.1", "1.2@a~x~0~y~z", "1.2~hazards~0~../x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseMark(s)
		if err != nil {
			return
		}
		if m.area < 0 || len(s) > 200 {
			t.Fatalf("%q is %+v", s, m)
		}
		again, err := parseMark(m.String())
		if err != nil || again.at != m.at || again.kind != m.kind || again.area != m.area || again.print != m.print {
			t.Fatalf("%q is %+v, written as %q: %+v, %v", s, m, m.String(), again, err)
		}
	})
}
