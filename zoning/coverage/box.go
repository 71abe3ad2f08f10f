package coverage

// Box is a rectangle of the grid, its edges included.
type Box struct{ Min, Max Point }

func boxOf(pts ...Point) Box {
	b := Box{pts[0], pts[0]}
	for _, p := range pts[1:] {
		b = b.with(p)
	}
	return b
}

func (b Box) with(p Point) Box {
	return Box{Point{min(b.Min.X, p.X), min(b.Min.Y, p.Y)}, Point{max(b.Max.X, p.X), max(b.Max.Y, p.Y)}}
}

func (b Box) union(o Box) Box { return b.with(o.Min).with(o.Max) }

func (b Box) grown(d int64) Box {
	return Box{Point{b.Min.X - d, b.Min.Y - d}, Point{b.Max.X + d, b.Max.Y + d}}
}

func (b Box) meets(o Box) bool {
	return b.Min.X <= o.Max.X && o.Min.X <= b.Max.X && b.Min.Y <= o.Max.Y && o.Min.Y <= b.Max.Y
}

func (b Box) holds(o Box) bool {
	return b.Min.X <= o.Min.X && o.Max.X <= b.Max.X && b.Min.Y <= o.Min.Y && o.Max.Y <= b.Max.Y
}

// Bound is the envelope; both corners are zero for the empty shape.
func Bound(s Shape) (lo, hi Point) {
	b, _ := s.box()
	return b.Min, b.Max
}

func (s Shape) box() (Box, bool) {
	var b Box
	any := false
	for _, poly := range s {
		if len(poly) == 0 {
			continue
		}
		for _, p := range poly[0] {
			if !any {
				b, any = Box{p, p}, true
			}
			b = b.with(p)
		}
	}
	return b, any
}

func ringBox(r []Point) Box { return boxOf(r...) }

// NeedMore means the coverage is only partly loaded (Coverage.Loaded) and an operation
// reaches beyond: load every zone that touches Box and ask again.
type NeedMore struct{ Box Box }

func (e *NeedMore) Error() string { return "coverage: more zones are needed" }

func (e *Error) Error() string {
	if len(e.Violations) == 0 {
		return "coverage: impossible"
	}
	return "coverage: " + string(e.Violations[0].Code)
}

// fail is an *Error of one violation.
func fail(code Code, at Point, zones ...ID) error {
	return &Error{Violations: []Violation{{Code: code, Zones: zones, At: at}}}
}
