package tiles

import (
	"math"
	"slices"

	"github.com/paulmach/orb"

	"onemap/internal/feed"
	"onemap/internal/geo"
)

const (
	// dirtyZoom is the zoom whose tiles are the unit of the live stream's boxes.
	dirtyZoom = 14
	// MaxDirtyBoxes is how many boxes of one layer a message carries.
	MaxDirtyBoxes = 64
)

// Box is a block of zoom-14 tiles, both ends inside: [x0, y0, x1, y1].
type Box [4]uint32

// Dirty is what changed of one layer.
type Dirty struct {
	Layer string
	Boxes []Box
}

// DirtyBoxes tells which zoom-14 tiles changes may show in, layer by layer in
// alphabetical order, at most [MaxDirtyBoxes] boxes each: what is near each other
// is merged, so the boxes are a superset. A page intersects them with its view.
func DirtyBoxes(changes []feed.Change) []Dirty {
	by := map[string][]Box{}
	for _, c := range changes {
		if c.Layer == feed.CatalogueChanged || c.Layer == feed.RegistryChanged {
			continue
		}
		for _, b := range boxes(c) {
			by[c.Layer] = append(by[c.Layer], boxOf(b))
		}
	}
	out := make([]Dirty, 0, len(by))
	for layer, bs := range by {
		out = append(out, Dirty{layer, mergeBoxes(bs)})
	}
	slices.SortFunc(out, func(a, b Dirty) int {
		if a.Layer < b.Layer {
			return -1
		}
		return 1
	})
	return out
}

func boxOf(b orb.Bound) Box {
	r := geo.CoverBound(b, dirtyZoom, coverBuffer)
	return Box{r.MinX, r.MinY, r.MaxX, r.MaxY}
}

func (b Box) union(o Box) Box {
	return Box{min(b[0], o[0]), min(b[1], o[1]), max(b[2], o[2]), max(b[3], o[3])}
}

func (b Box) area() float64 { return float64(b[2]-b[0]+1) * float64(b[3]-b[1]+1) }

func (b Box) contains(o Box) bool {
	return b[0] <= o[0] && b[1] <= o[1] && b[2] >= o[2] && b[3] >= o[3]
}

// mergeBoxes drops what others contain, then joins neighbours until few are left.
// Beyond a few hundred boxes a first pass sorts them into the cells of a coarse grid,
// so that the pairwise part stays small.
func mergeBoxes(in []Box) []Box {
	slices.SortFunc(in, func(a, b Box) int { return slices.Compare(a[:], b[:]) })
	in = slices.Compact(in)
	for shift := 0; len(in) > 256; shift++ {
		cells := map[[2]uint32]Box{}
		for _, b := range in {
			k := [2]uint32{b[0] >> shift, b[1] >> shift}
			if o, ok := cells[k]; ok {
				b = b.union(o)
			}
			cells[k] = b
		}
		in = in[:0]
		for _, b := range cells {
			in = append(in, b)
		}
	}
	var out []Box
	slices.SortFunc(in, func(a, b Box) int {
		if d := b.area() - a.area(); d != 0 {
			return int(math.Copysign(1, d))
		}
		return slices.Compare(a[:], b[:])
	})
	for _, b := range in {
		if !slices.ContainsFunc(out, func(o Box) bool { return o.contains(b) }) {
			out = append(out, b)
		}
	}
	for {
		// Joining is worth it when it adds nothing, and needed while too many.
		bi, bj, best := -1, -1, math.Inf(1)
		for i := range out {
			for j := i + 1; j < len(out); j++ {
				if d := out[i].union(out[j]).area() - out[i].area() - out[j].area(); d < best {
					bi, bj, best = i, j, d
				}
			}
		}
		if bi < 0 || len(out) <= MaxDirtyBoxes && best > 0 {
			break
		}
		u := out[bi].union(out[bj])
		out = slices.Delete(out, bj, bj+1)
		out[bi] = u
		out = slices.DeleteFunc(out, func(o Box) bool { return o != u && u.contains(o) })
	}
	slices.SortFunc(out, func(a, b Box) int { return slices.Compare(a[:], b[:]) })
	return out
}
