package demo

import (
	"math"
	"sort"
)

// settlement is a place where people live: 0 the county town, 1 a township's
// seat, 2 a village's main place, 3 a hamlet.
type settlement struct {
	rank    int
	p       pt
	village int
	people  int // wanted; what the buildings hold in the end decides
	name    string
	radius  float64
}

// chooseSites puts the people of every village into places.
func chooseSites(seed int64, t *terrain, w *water, a *admin, people int) []*settlement {
	r := newRNG(seed, "sites")
	cells := make([][]int32, len(a.villages))
	for i, v := range a.village {
		if v >= 0 {
			cells[v] = append(cells[v], int32(i))
		}
	}
	townSeat := map[pt]bool{}
	for _, u := range a.towns {
		townSeat[u.seat] = true
	}
	var out []*settlement
	urban := 0.0
	rural := make([]float64, len(a.villages))
	var sum float64
	for i, v := range a.villages {
		d := v.seat.dist(a.seat)
		switch {
		case d < 1650:
			v.urban = "111"
			// The town is built as one; its communities share the people.
			urban++
		case townSeat[v.seat]:
			v.urban = "121"
		case d < 4200:
			v.urban = "112"
		default:
			v.urban = "220"
		}
		km2 := float64(len(cells[i])) * fine * fine / 1e6
		base := 330 + 880*(1-smoothstep(0.03, 0.55, v.wild))
		rural[i] = r.near(base, 0.16) * math.Pow(clamp(km2, 2, 16)/7, 0.35)
		if v.urban == "111" {
			rural[i] = 0
		} else if v.urban == "112" {
			rural[i] *= 1.35
		}
		sum += rural[i]
	}
	cityPeople := 64000.0
	townPeople := 0.0
	towns := make([]float64, len(a.towns))
	for k, u := range a.towns {
		if k > 0 {
			towns[k] = clamp(2300+130*float64(len(u.children))-1500*u.wild, 1400, 6200) * r.between(0.85, 1.2)
			townPeople += towns[k]
		}
	}
	scale := (float64(people) - cityPeople - townPeople) / sum

	add := func(s *settlement) { out = append(out, s) }
	add(&settlement{rank: 0, p: a.seat, village: 0, people: int(cityPeople), radius: 1900})
	var placed []*settlement
	placed = append(placed, out[0])
	for i, v := range a.villages {
		if v.urban == "111" {
			continue
		}
		n := rural[i] * scale
		rank := 2
		if townSeat[v.seat] {
			rank = 1
			n += towns[v.town]
		}
		main := n * r.between(0.3, 0.5)
		if rank == 1 {
			main = n * 0.82
		}
		s := &settlement{rank: rank, p: v.seat, village: i, people: int(main)}
		s.radius = 60 + 9.5*math.Sqrt(main)
		add(s)
		placed = append(placed, s)
		rest := n - main
		k := int(math.Round(rest / r.between(70, 130)))
		k = min(max(k, 2), 9)
		share := make([]float64, k)
		var total float64
		for j := range share {
			share[j] = r.between(0.4, 1.5)
			total += share[j]
		}
		// Best of many darts for each hamlet.
		for j := range share {
			best, at := math.Inf(-1), pt{}
			for range 60 {
				c := int(cells[i][r.IntN(len(cells[i]))])
				p := t.z.centre(c).add(pt{r.between(-20, 20), r.between(-20, 20)})
				if sc := siteScore(t, w, p) + r.between(0, 0.5); sc > best {
					near := math.Inf(1)
					for _, o := range placed[max(0, len(placed)-90):] {
						near = math.Min(near, o.p.dist(p)-o.radius)
					}
					near = math.Min(near, p.dist(a.seat)-1900)
					if near < 330 {
						continue
					}
					// Close to the main place is better than at the end of the world.
					sc -= p.dist(v.seat) / 5200
					if sc > best {
						best, at = sc, p
					}
				}
			}
			if math.IsInf(best, -1) {
				continue
			}
			h := &settlement{rank: 3, p: at, village: i, people: int(rest * share[j] / total)}
			h.radius = 40 + 8*math.Sqrt(float64(h.people))
			add(h)
			placed = append(placed, h)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].rank < out[j].rank })
	return out
}

// siteScore likes level ground near a stream but out of its reach.
func siteScore(t *terrain, w *water, p pt) float64 {
	if w.pool.near(p) > 0 {
		return -100
	}
	s := t.slope.at(p)
	d := w.dist.near(p)
	wd := width(w.size.near(p) * 1e6)
	score := -9 * s
	if d < wd/2+60 {
		score -= 5
	} else if d < 900 {
		score += 0.5 * (1 - d/900)
	}
	if s > 0.28 {
		score -= 4
	}
	return score
}
