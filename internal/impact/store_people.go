package impact

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/geo"
)

// The bases of a number of people.
const (
	Resident   = "resident"   // 常住
	Registered = "registered" // 户籍
)

// cells are the figures of one smallest unit, 口径 and data set.
type cells struct {
	lo, hi          int64
	word, set       string
	year, n, blank  int
	sum, whole, all float64
	night, day      *float64
	households      *float64
	children, old   *float64
	aged            *float64
	male, female    *float64
	sexed           *float64
	x, y            float64
}

// split is a part of a unit's people that lies in a village.
type split struct {
	code, word, set string
	lo              int64
	sum             float64
}

type peopleWork struct {
	k      *question
	seen   bool
	cells  []cells
	splits []split
	units  []Unit
	// covered is, by rank, how much of the area lies in units the asker may count.
	covered map[int]float64
}

// cover adds a unit to what is covered, if all of it is the asker's to count.
func (w *peopleWork) cover(u Unit, part float64) {
	visibility := db.Internal
	if l := w.k.layer("population"); l != nil {
		visibility = l.Visibility
	}
	if w.k.who.Reach.Of(visibility).Contains(geo.Scope{Lo: u.lo, Hi: u.hi}) {
		w.covered[u.Rank] += part
	}
}

// share is how much of the area is covered: by the rank that covers most of it.
func (w *peopleWork) share() float64 {
	most := 0.0
	for _, part := range w.covered {
		most = max(most, part)
	}
	return min(1, most)
}

// peopleParts ask for units and people.
func (k *question) peopleParts(p *parts) *peopleWork {
	w := &peopleWork{k: k, covered: map[int]float64{}}
	k.a.AdminSeen = p.add("units", "admin", k.q.Times, func(st *features.Statement, f map[string]string) { f["g"] = k.area(st) }, func(rows pgx.Rows) error {
		var u Unit
		var part *float64
		if err := rows.Scan(&u.Code, &u.Title, &u.Rank, &u.lo, &u.hi, &u.Whole, &u.Share, &part); err != nil {
			return err
		}
		if part != nil {
			w.cover(u, *part)
		}
		w.units = append(w.units, u)
		return nil
	})
	w.seen = p.add("people", "population", k.q.Times, func(st *features.Statement, f map[string]string) { f["g"] = k.area(st) }, func(rows pgx.Rows) error {
		var c cells
		if err := rows.Scan(&c.lo, &c.hi, &c.word, &c.set, &c.year, &c.n, &c.blank, &c.sum, &c.whole, &c.all, &c.night, &c.day, &c.households,
			&c.children, &c.old, &c.aged, &c.male, &c.female, &c.sexed, &c.x, &c.y); err != nil {
			return err
		}
		w.cells = append(w.cells, c)
		k.met([]string{c.set})
		k.peopleSets[c.set] = true
		return nil
	})
	admin := k.layer("admin")
	if w.seen && admin != nil {
		p.add("people_split", "population", k.q.Times, func(st *features.Statement, f map[string]string) {
			f["g"] = k.area(st)
			var err error
			if f["units"], f["units_where"], err = st.Rows(admin, k.who.Reach, k.q.Times); err != nil && p.err == nil {
				p.err = err
			}
		}, func(rows pgx.Rows) error {
			var s split
			if err := rows.Scan(&s.code, &s.word, &s.set, &s.lo, &s.sum); err != nil {
				return err
			}
			w.splits = append(w.splits, s)
			return nil
		})
	}
	return w
}

// basis says what kind of number a 口径 is.
func (k *question) basis(word string) string {
	for _, r := range k.rules.Registered {
		if strings.Contains(word, r) {
			return Registered
		}
	}
	return Resident
}

// villageWidth is the widest scope that is a village's: eleven digits.
const villageWidth = 10_000

// finish makes the figures of what was read.
func (w *peopleWork) finish(ctx context.Context) error {
	k := w.k
	smallest := 0
	for _, u := range w.units {
		smallest = max(smallest, u.Rank)
	}
	var buildings float64
	if k.a.Buildings != nil {
		buildings = k.a.Buildings.Persons
	}
	k.a.Covered = w.share()
	if !w.seen || len(w.cells) == 0 {
		// Without a layer of people there is what lives in the buildings, or nothing.
		if k.a.Buildings != nil && k.a.Buildings.Known > 0 {
			n := int(math.Round(buildings))
			k.a.People = &People{Total: n, Exact: buildings, Method: "building", Basis: Resident, Low: n, High: n, Groups: []Group{{"unknown", n}}, ByMethod: []Method{{"building", Resident, n, buildings}}}
		} else if w.seen && k.a.Covered > 0 { // nobody is known to live there, which says nothing of where we see nothing
			k.a.People = &People{Method: "areal", Basis: Resident, ByMethod: []Method{}, Groups: []Group{}}
		}
		k.a.Admin = w.admin(smallest, nil, "", 0)
		return nil
	}
	w.newest()
	sums := map[string]*cells{}
	for _, c := range w.cells {
		b := k.basis(c.word)
		if sums[b] == nil {
			sums[b] = &cells{}
		}
		sums[b].add(c)
	}
	basis := Resident
	if sums[Resident] == nil {
		basis = Registered
	}
	main := sums[basis]
	p := &People{Total: int(math.Round(main.sum)), Exact: main.sum, Method: "areal", Basis: basis, Units: main.n, Unknown: main.blank}
	p.Groups = groups(p.Total, main)
	for _, b := range []string{Resident, Registered} {
		if s := sums[b]; s != nil {
			p.ByMethod = append(p.ByMethod, Method{"areal", b, int(math.Round(s.sum)), s.sum})
		}
	}
	for _, m := range []struct {
		name string
		v    *float64
	}{{"night", main.night}, {"day", main.day}, {"households", main.households}} {
		if m.v != nil {
			p.ByMethod = append(p.ByMethod, Method{"areal", m.name, int(math.Round(*m.v)), *m.v})
		}
	}
	low, high := main.whole, main.all
	if k.a.Buildings != nil && k.a.Buildings.Known > 0 {
		p.ByMethod = append(p.ByMethod, Method{"building", Resident, int(math.Round(buildings)), buildings})
		if 2*k.a.Buildings.Known >= k.a.Buildings.Count {
			low, high = min(low, buildings), max(high, buildings)
		}
	}
	p.Low, p.High = int(math.Floor(min(low, main.sum)+1e-9)), int(math.Ceil(max(high, main.sum)-1e-9))
	if main.sum > 0 {
		p.Centre = &orb.Point{main.x / main.sum, main.y / main.sum}
	}
	words := map[string]bool{}
	for _, c := range w.cells {
		if k.basis(c.word) == basis && c.word != "" && !words[c.word] {
			words[c.word] = true
			p.Words = append(p.Words, c.word)
		}
	}
	slices.Sort(p.Words)
	k.a.People = p
	k.a.Admin = w.admin(smallest, main, basis, p.Total)
	return w.rings(ctx, basis, p.Total)
}

// newest drops from a village what an older year says of the same 口径: two counts of the
// same people are not two peoples.
func (w *peopleWork) newest() {
	type place struct {
		lo, hi int64
		basis  string
	}
	best := map[place]int{}
	for i, c := range w.cells {
		if c.hi-c.lo >= villageWidth {
			continue
		}
		at := place{c.lo, c.hi, w.k.basis(c.word)}
		j, ok := best[at]
		if !ok || w.cells[j].set != c.set && cmp.Or(cmp.Compare(c.year, w.cells[j].year), cmp.Compare(c.set, w.cells[j].set)) > 0 {
			best[at] = i
		}
	}
	kept := w.cells[:0:0]
	for _, c := range w.cells {
		if c.hi-c.lo < villageWidth {
			if j := best[place{c.lo, c.hi, w.k.basis(c.word)}]; w.cells[j].set != c.set {
				continue
			}
		}
		kept = append(kept, c)
	}
	w.cells = kept
}

func (c *cells) add(o cells) {
	c.n += o.n
	c.blank += o.blank
	c.sum += o.sum
	c.whole += o.whole
	c.all += o.all
	c.x += o.x
	c.y += o.y
	for _, f := range []struct {
		to   **float64
		from *float64
	}{{&c.night, o.night}, {&c.day, o.day}, {&c.households, o.households}, {&c.children, o.children}, {&c.old, o.old}, {&c.aged, o.aged}, {&c.male, o.male}, {&c.female, o.female}, {&c.sexed, o.sexed}} {
		if f.from != nil {
			v := *f.from
			if *f.to != nil {
				v += **f.to
			}
			*f.to = &v
		}
	}
}

// groups are the ages, where they are known; they add up to the total.
func groups(total int, c *cells) []Group {
	at := func(v *float64) float64 {
		if v == nil {
			return 0
		}
		return *v
	}
	children, old, aged := at(c.children), at(c.old), at(c.aged)
	exact := []float64{children, max(0, aged-children-old), old, max(0, c.sum-aged)}
	n := Apportion(total, exact)
	out := make([]Group, 0, 4)
	for i, name := range []string{"children", "adults", "elderly", "unknown"} {
		if name == "unknown" && n[i] == 0 || name != "unknown" && c.aged == nil {
			continue
		}
		out = append(out, Group{name, n[i]})
	}
	return out
}

// admin shares the total out among the smallest units, what lies in none of them among
// the units around.
func (w *peopleWork) admin(smallest int, main *cells, basis string, total int) []Unit {
	out := []Unit{}
	for _, u := range w.units {
		if u.Rank == smallest {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b Unit) int { return cmp.Compare(a.Code, b.Code) })
	if main == nil {
		return out
	}
	byCode := map[string]int{}
	for i, u := range out {
		byCode[u.Code] = i
	}
	outside := 0.0
	rest := map[int64]float64{} // of cells over several villages, by the lower end of their scope
	for _, c := range w.cells {
		if w.k.basis(c.word) != basis {
			continue
		}
		placed := false
		for i := range out {
			if out[i].lo <= c.lo && c.hi <= out[i].hi {
				out[i].exact += c.sum
				placed = true
				break
			}
		}
		if !placed {
			rest[c.lo] += c.sum
		}
	}
	for _, s := range w.splits {
		if i, ok := byCode[s.code]; ok && w.k.basis(s.word) == basis {
			out[i].exact += s.sum
			rest[s.lo] -= s.sum
		}
	}
	for _, v := range rest {
		outside += max(0, v)
	}
	parts := make([]float64, 0, len(out)+1)
	for _, u := range out {
		parts = append(parts, u.exact)
	}
	if outside > 0.005*max(1, main.sum) || outside >= 0.5 {
		out = append(out, Unit{Code: "", Rank: 0, exact: outside})
		parts = append(parts, outside)
	}
	for i, n := range Apportion(total, parts) {
		out[i].People = n
	}
	return out
}

// rings shares the total out among the bands.
func (w *peopleWork) rings(ctx context.Context, basis string, total int) error {
	k := w.k
	t := &k.a.Target
	if len(t.Rings) == 0 {
		return nil
	}
	bands, err := bandsWKB(t.Rings)
	if err != nil {
		return err
	}
	words := []string{}
	for _, c := range w.cells {
		if k.basis(c.word) == basis {
			words = append(words, c.word)
		}
	}
	exact := make([]float64, len(t.Rings))
	p := &parts{k: k}
	p.add("people_rings", "population", k.q.Times, func(st *features.Statement, f map[string]string) {
		f["bands"], f["methods"] = st.Arg(bands, "bytea[]"), st.Arg(words, "text[]")
	}, func(rows pgx.Rows) error {
		var n int
		var v float64
		if err := rows.Scan(&n, &v); err != nil {
			return err
		}
		exact[n-1] = v
		return nil
	})
	if err := k.round(ctx, p); err != nil {
		return err
	}
	for i, n := range Apportion(total, exact) {
		t.Rings[i].People = n
	}
	return nil
}
