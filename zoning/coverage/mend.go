package coverage

import "errors"

// Mended makes simple polygons of a shape that is not: rings are cut where they cross or
// touch, and inside is what a shell winds around an odd number of times and the holes of
// its polygon do not. Spikes
// and repeated points go. The work grows with the crossings, so callers count those
// first. A shape without any inside is an error.
func (s Shape) Mended() (Shape, error) {
	var src []source
	for i, poly := range s {
		for j, r := range poly {
			label, n := int32(2*i), int32(1)
			if j > 0 {
				label, n = label+1, -1
			}
			for k, p := range r {
				if q := r[(k+1)%len(r)]; p != q {
					src = append(src, source{link: link{p, q}, label: label, n: n})
				}
			}
		}
	}
	if len(src) == 0 {
		return nil, errors.New("coverage: a shape without area")
	}
	m, err := tile(src, nil)
	if err != nil {
		return nil, err
	}
	out, err := m.dissolve(func(val int32) bool {
		for _, u := range m.values[val] {
			if u.label%2 == 0 && u.n%2 != 0 && m.count(val, u.label+1)%2 == 0 {
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, errors.New("coverage: a shape without area")
	}
	return out, nil
}
