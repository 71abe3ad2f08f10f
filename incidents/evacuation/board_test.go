package evacuation

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func randomEntries(r *rand.Rand, n int) []Entry {
	some := func(total bool) *int {
		if r.IntN(3) == 0 {
			return nil
		}
		if total {
			return new(r.IntN(60))
		}
		return new(r.IntN(40) - 8)
	}
	start := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	out := make([]Entry, n)
	for i := range out {
		mode := Add
		if r.IntN(4) == 0 {
			mode = Total
		}
		is := mode == Total
		out[i] = Entry{ID: fmt.Sprintf("%04d", i), Mode: mode, At: start.Add(time.Duration(r.IntN(30)) * time.Minute), Numbers: Numbers{Moved: some(is), Refused: some(is), Returned: some(is), Missing: some(is)}}
		if r.IntN(5) == 0 {
			out[i].ToMove = some(is)
		}
		if r.IntN(2) == 0 {
			out[i].Shelter, out[i].ShelterName = fmt.Sprint(r.IntN(3)), "校"
		}
		if r.IntN(6) == 0 {
			out[i].Network = new(r.IntN(2) == 0)
		}
	}
	return out
}

// TestTheBoardAddsUp: under random entries, in any order, some of them sent again and
// again, the parts of a village add up to who is to move; nothing is negative; a village is
// not complete, and no percentage is 100, while somebody on its list is silent.
func TestTheBoardAddsUp(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 4))
	now := time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)
	complete, over := 0, 0
	for round := range 4000 {
		entries := randomEntries(r, r.IntN(12))
		var base *int
		if r.IntN(5) > 0 {
			base = new(r.IntN(120))
		}
		calls := Reached{Targets: r.IntN(4)}
		if calls.Targets > 0 {
			calls.Reached = r.IntN(calls.Targets + 1)
		}
		if round%9 == 0 { // everybody was reached and everybody moved
			entries, base, calls.Reached = []Entry{{ID: "x", Mode: Add, At: now.Add(-time.Minute), Numbers: Numbers{Moved: new(7)}}}, new(7), calls.Targets
		}
		made := func(list []Entry) Village {
			v := Village{Calls: calls}
			fold(&v, base, list)
			v.close(now.Add(-time.Hour), now, 30*time.Minute, false)
			return v
		}
		want := made(entries)
		mixed := append(append([]Entry{}, entries...), entries...) // each at least twice
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if got := made(mixed); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: another order gives another board\n%+v\n%+v", round, got, want)
		}
		for _, n := range []int{want.Moved, want.Refused, want.Returned, want.Missing} {
			if n < 0 {
				t.Fatalf("round %d: negative %+v", round, want)
			}
		}
		if want.ToMove != nil {
			if *want.NotMoved < 0 || want.Moved+*want.NotMoved+want.Refused+want.Returned+want.Missing != *want.ToMove {
				t.Fatalf("round %d: the parts do not add up: %+v", round, want)
			}
			if want.Over {
				over++
			}
		} else if want.NotMoved != nil || want.Percent != nil || want.Complete {
			t.Fatalf("round %d: what nobody knows was taken for a number: %+v", round, want)
		}
		if want.Complete && (want.Calls.Silent() > 0 || *want.NotMoved > 0) || want.Percent != nil && *want.Percent >= 100 && !want.Complete {
			t.Fatalf("round %d: complete while somebody is silent: %+v", round, want)
		}
		if want.Complete {
			complete++
		}
		other := made(randomEntries(r, 3))
		sum := Sum([]Village{want, other})
		if sum.Done && (!want.Complete || !other.Complete) || sum.Percent != nil && *sum.Percent >= 100 && !sum.Done || sum.Moved != want.Moved+other.Moved {
			t.Fatalf("round %d: totals %+v of %+v %+v", round, sum, want, other)
		}
		if sum.ToMove != sum.NotMoved+sum.Moved+sum.Refused+sum.Returned+sum.Missing && sum.Unknown == 0 {
			t.Fatalf("round %d: the totals do not add up: %+v", round, sum)
		}
	}
	if complete == 0 || over == 0 {
		t.Errorf("the test never saw a complete village (%d) or one over the register (%d)", complete, over)
	}
}

func TestFiguresAreCountedAsPeopleReportThem(t *testing.T) {
	at := func(m int) time.Time { return time.Date(2026, 7, 1, 3, m, 0, 0, time.UTC) }
	var v Village
	fold(&v, new(40), []Entry{
		{ID: "3", Mode: Add, At: at(30), Numbers: Numbers{Moved: new(5), Returned: new(2)}, Shelter: "s", ShelterName: "中心小学"},
		{ID: "1", Mode: Add, At: at(5), Numbers: Numbers{Moved: new(99)}},
		{ID: "2", Mode: Total, At: at(10), Numbers: Numbers{Moved: new(30), Refused: new(1)}, Shelter: "s", Persons: new(20)},
	})
	// 30 in all at 3:10 and 5 more: 35 taken away, 2 of them back.
	if v.Moved != 33 || v.Returned != 2 || v.Refused != 1 || *v.NotMoved != 4 || v.Over || len(v.Shelters) != 1 || v.Shelters[0].Persons != 25 || v.Shelters[0].Name != "中心小学" {
		t.Errorf("%+v", v)
	}
	fold(&v, new(3), []Entry{{ID: "1", Mode: Add, At: at(1), Numbers: Numbers{Moved: new(8)}}})
	if !v.Over || *v.ToMove != 8 || *v.NotMoved != 0 {
		t.Errorf("more than the register has: %+v", v)
	}
}

func TestAVillageIsLostWhenNobodyHearsOfIt(t *testing.T) {
	start := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		entries []Entry
		now     time.Duration
		ended   bool
		want    bool
	}{
		"not yet":            {nil, 20 * time.Minute, false, false},
		"never heard of":     {nil, 40 * time.Minute, false, true},
		"heard of":           {[]Entry{{ID: "1", At: start.Add(20 * time.Minute), Numbers: Numbers{Moved: new(1)}}}, 40 * time.Minute, false, false},
		"cut off":            {[]Entry{{ID: "1", At: start.Add(20 * time.Minute), Network: new(true)}}, 25 * time.Minute, false, true},
		"the network is up":  {[]Entry{{ID: "2", At: start.Add(24 * time.Minute), Network: new(false)}, {ID: "1", At: start.Add(20 * time.Minute), Network: new(true)}}, 25 * time.Minute, false, false},
		"after it was ended": {nil, 40 * time.Minute, true, false},
	} {
		v := Village{Calls: Reached{Targets: 1}}
		fold(&v, new(5), c.entries)
		v.close(start, start.Add(c.now), 30*time.Minute, c.ended)
		if v.Contact.Lost != c.want {
			t.Errorf("%s: %+v", name, v.Contact)
		}
	}
}

// TestWhoAnsweredHasAnswered, whatever else was tried and in whatever order it came in.
func TestWhoAnsweredHasAnswered(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 7, 1, 3, 0, 0, 0, time.UTC)
	for range 500 {
		var calls []Call
		want := ""
		for i := range r.IntN(6) {
			c := Call{ID: fmt.Sprint(i), Outcome: Outcomes()[r.IntN(4)], At: start.Add(time.Duration(r.IntN(5)) * time.Minute)}
			calls = append(calls, c)
			if c.Outcome == Repeated || c.Outcome == Answered && want != Repeated {
				want = c.Outcome
			}
		}
		a, at := stands(calls)
		r.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
		b, again := stands(calls)
		if a != b || !reflect.DeepEqual(at, again) || want != "" && a != want || want == "" && reached(a) || (at != nil) != reached(a) {
			t.Fatalf("%q %q want %q: %+v", a, b, want, calls)
		}
	}
}

func TestTheSmallestUnitAroundVillages(t *testing.T) {
	for want, codes := range map[string][]string{
		"990100101001": {"990100101001"}, "990100101": {"990100101001", "990100101002"}, "990100": {"990100101001", "990100102001"}, "9901": {"990100101001", "990101101001"}, "": {"990100101001", "110100101001"},
		"10002": {"10002010001", "10002020001"},
	} {
		if got := common(codes); got != want {
			t.Errorf("%v: %q, want %q", codes, got, want)
		}
	}
}
