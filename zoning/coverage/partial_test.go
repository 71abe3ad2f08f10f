package coverage

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// part is the zones that touch a box, and those an operation names.
func part(c *Coverage, box Box, op Op) *Coverage {
	out := &Coverage{Zones: map[ID]Shape{}, Area: c.Area, Exhaustive: c.Exhaustive, Loaded: &box}
	for id, s := range c.Zones {
		b, _ := s.box()
		if b.meets(box) || id == op.Zone || id == op.Target || slices.Contains(op.Zones, id) {
			out.Zones[id] = s
		}
	}
	return out
}

// An operation on a part that was loaded as it asked for does what it does on the whole.
func TestPartiallyLoaded(t *testing.T) {
	asked, done := 0, 0
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 11))
		c := grid(rng, 5, 4)
		c.Exhaustive = seed != 3
		for i := range 250 {
			op := randomOp(rng, c)
			op.New = []ID{"p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"}
			if op.Kind == Add {
				op.Zone = "p0"
			}
			whole := clone(c)
			want, wantErr := whole.Apply(op, nil, idMaker("q"))
			box := Box{op.at(), op.at()}
			if op.Kind == RemoveVertex || op.Kind == FillHole || op.Kind == AssignGap {
				box = Box{op.At, op.At}
			}
			var got Change
			var err error
			var some *Coverage
			for range 6 {
				some = part(c, box, op)
				got, err = some.Apply(op, nil, idMaker("q"))
				more, ok := errors.AsType[*NeedMore](err)
				if !ok {
					break
				}
				asked++
				box = box.union(more.Box)
			}
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("seed %d step %d %s: %v on a part, %v on the whole", seed, i, op.Kind, err, wantErr)
			}
			if err != nil {
				continue
			}
			done++
			if len(got.After) != len(want.After) || len(got.Before) != len(want.Before) || !got.AreaAfter.Equal(want.AreaAfter) {
				t.Fatalf("seed %d step %d %s: %d zones changed on a part, %d on the whole", seed, i, op.Kind, len(got.After), len(want.After))
			}
			for id, s := range want.After {
				if !got.After[id].Equal(s) {
					t.Fatalf("seed %d step %d %s: %s differs", seed, i, op.Kind, id)
				}
			}
			// Go on from there, now and then, under other names.
			if rng.IntN(3) == 0 && len(whole.Zones) > 8 && len(whole.Zones) < 60 {
				next := map[ID]Shape{}
				for id, s := range whole.Zones {
					if id[0] == 'p' || id[0] == 'q' {
						id = ID("z" + string(rune('a'+seed)) + string(id) + string(rune('a'+i%26)) + string(rune('a'+i/26)))
					}
					next[id] = s
				}
				c.Zones, c.Area = next, whole.Area
			}
		}
	}
	t.Logf("%d done, more was asked for %d times", done, asked)
	if asked < 50 || done < 200 {
		t.Error("too little was tried")
	}
}
