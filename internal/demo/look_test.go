package demo

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"github.com/paulmach/orb"
)

func toLocal(l []orb.Point) []pt {
	out := make([]pt, len(l))
	for i, p := range l {
		out[i] = local(p)
	}
	return out
}

func rings(g orb.Geometry) [][][]pt {
	switch v := g.(type) {
	case orb.Polygon:
		var o [][]pt
		for _, r := range v {
			o = append(o, toLocal(r[:len(r)-1]))
		}
		return [][][]pt{o}
	case orb.MultiPolygon:
		var o [][][]pt
		for _, p := range v {
			o = append(o, rings(p)...)
		}
		return o
	}
	return nil
}

var drawDir = flag.String("draw", "", "directory to draw pictures of the county into")

// TestDraw draws maps of the county for people to look at; it decides nothing.
func TestDraw(t *testing.T) {
	if *drawDir == "" {
		t.Skip("pictures are drawn with -draw DIR only")
	}
	s := time.Now()
	c := Generate(Options{Seed: 1, Now: testNow})
	t.Log("generated", time.Since(s))
	count := map[string]int{}
	pts := map[string]int{}
	for f := range c.Features() {
		count[f.Layer]++
		for _, p := range rings(f.Geometry) {
			for _, r := range p {
				pts[f.Layer] += len(r)
			}
		}
	}
	for k, v := range count {
		t.Log(k, v, pts[k])
	}
	g := c.w
	t.Log("people", g.a.county.people, "households", g.a.county.households, "km2", g.a.county.km2, "villages", len(g.a.villages), "grids", len(g.a.grids), "seat", g.a.seat, "resp", len(c.Responsibilities))
	for _, u := range g.a.towns {
		t.Logf("%s %s %s %d villages %d people %.0f km2", u.code, u.name, u.pinyin, len(u.children), u.people, u.km2)
	}
	draw := func(o pt, wm, hm float64, px int, name string, only map[string]bool) {
		cv := newCanvas(o, wm, hm, px)
		cv.poly(polygon{{o, o.add(pt{wm, 0}), o.add(pt{wm, hm}), o.add(pt{0, hm})}}, rgb(0xf7f5ef, 255))
		px1 := cv.scale / 2 // px per metre
		lw := func(m, least float64) float64 { return max(m*px1, least) }
		pass := func(fn func(f Feature)) {
			for f := range c.Features() {
				fn(f)
			}
		}
		sees := func(f Feature) bool {
			b := f.Geometry.Bound()
			lo, hi := local(b.Min), local(b.Max)
			return hi.x > o.x && hi.y > o.y && lo.x < o.x+wm && lo.y < o.y+hm
		}
		if only["relief"] {
			cv.ground(hill(g.t))
		}
		pass(func(f Feature) {
			if f.Layer == "rivers" && sees(f) {
				if l, ok := f.Geometry.(orb.LineString); ok {
					cv.line(toLocal(l), lw(6, 0.6), rgb(0x9cc4e8, 255))
				}
				for _, p := range rings(f.Geometry) {
					cv.poly(p, rgb(0x9cc4e8, 255))
				}
			}
			if f.Layer == "zones" && only["zones"] && f.Fields["kind"] == "risk" && sees(f) {
				for _, p := range rings(f.Geometry) {
					cv.poly(p, rgb([]uint32{0, 0x4A2378, 0x7A4FA8, 0xA585CB, 0xCDBBE2, 0xE9E1F2}[f.Fields["level"].(int)], 200))
				}
			}
			if f.Layer == "hazard_areas" && only["hazard"] && sees(f) {
				col := map[string]uint32{"flood": 0x2266cc, "landslide": 0xaa6622, "debris_flow": 0x774400, "forest_fire": 0xcc4422, "waterlogging": 0x22aacc, "subsidence": 0x555555, "earthquake": 0x888800, "rainstorm": 0x6644aa, "collapse": 0x884422}[f.Fields["hazard"].(string)]
				if f.Fields["hazard"] == "rainstorm" || (only[f.Fields["hazard"].(string)] == false && only["pickhaz"]) {
					return
				}
				for _, p := range rings(f.Geometry) {
					cv.poly(p, rgb(col, uint8(130-22*f.Fields["level"].(int))))
				}
			}
		})
		pass(func(f Feature) {
			if f.Layer == "admin" && sees(f) {
				k := f.Fields["rank"].(int)
				if k == 5 && only["novillage"] {
					return
				}
				for _, p := range rings(f.Geometry) {
					for _, r := range p {
						cv.line(append(append([]pt(nil), r...), r[0]), []float64{0, 0, 0, 2.2, 1.4, .6}[k], rgb([]uint32{0, 0, 0, 0x664488, 0x8866aa, 0xbbaacc}[k], 255))
					}
				}
			}
			if f.Layer == "grids" && only["grids"] && sees(f) {
				for _, p := range rings(f.Geometry) {
					for _, r := range p {
						cv.line(append(append([]pt(nil), r...), r[0]), .5, rgb(0xcc8888, 255))
					}
				}
			}
		})
		for cl := len(roadClass) - 1; cl > 0; cl-- {
			pass(func(f Feature) {
				if f.Layer != "roads" || f.Fields["class"] != roadClass[cl].slug || !sees(f) {
					return
				}
				if px1 < 0.05 && cl > classVillage {
					return
				}
				l := toLocal(f.Geometry.(orb.LineString))
				w := lw(roadClass[cl].width, []float64{0, 2.6, 2, 1.6, 1.1, .8, .5, .8, .6, .5, .4}[cl])
				cv.line(l, w+1, rgb(0xaaa59a, 255))
				cv.line(l, w, rgb([]uint32{0, 0xe8a860, 0xe8b0a0, 0xf0d8a8, 0xfffdf5, 0xffffff, 0xffffff, 0xffffff, 0xffffff, 0xffffff, 0xffffff}[cl], 255))
			})
		}
		pass(func(f Feature) {
			if !sees(f) {
				return
			}
			switch f.Layer {
			case "buildings":
				if px1 > 0.02 {
					for _, p := range rings(f.Geometry) {
						cv.poly(p, rgb(0x9a9088, 255))
					}
				}
			case "enterprises":
				for _, p := range rings(f.Geometry) {
					cv.poly(p, rgb(0xcc66cc, 60))
				}
			case "shelters":
				if only["points"] {
					for _, p := range rings(f.Geometry) {
						cv.poly(p, rgb(0x22aa55, 110))
					}
				}
			case "safety_contours", "shelter_service_areas", "incident_sketches", "alerts":
				if only[f.Layer] {
					for _, p := range rings(f.Geometry) {
						cv.line(append(append([]pt(nil), p[0]...), p[0][0]), 1.2, rgb(map[string]uint32{"safety_contours": 0xcc0088, "shelter_service_areas": 0x22aa55, "alerts": 0xdd2200}[f.Layer], 255))
					}
				}
			case "lifelines":
				if l, ok := f.Geometry.(orb.LineString); ok && only["points"] {
					cv.line(toLocal(l), 1.2, rgb(map[string]uint32{"power": 0xdd8800, "gas": 0xbb00bb, "water": 0x0066ff}[f.Fields["kind"].(string)], 220))
				}
			case "waterworks":
				if l, ok := f.Geometry.(orb.LineString); ok {
					cv.line(toLocal(l), 1.6, rgb(0x224488, 255))
				}
			case "road_blocks":
				if only["points"] {
					cv.line(toLocal(f.Geometry.(orb.LineString)), 5, rgb(0xdd0000, 255))
				}
			}
			if p, ok := f.Geometry.(orb.Point); ok && only["points"] {
				col, okc := map[string]uint32{"hazards": 0x883300, "dangers": 0x7733aa, "incidents": 0xdd2222, "teams": 0x2255dd, "sensors": 0x00aaaa}[f.Layer]
				if okc {
					cv.dot(local(p), 2.2, rgb(0xffffff, 255))
					cv.dot(local(p), 1.7, rgb(col, 255))
				}
			}
		})
		if err := cv.save(filepath.Join(*drawDir, name)); err != nil {
			t.Fatal(err)
		}
	}
	all := func(k ...string) map[string]bool {
		m := map[string]bool{}
		for _, x := range k {
			m[x] = true
		}
		return m
	}
	draw(pt{3000, 2000}, 66000, 55000, 1300, "c_county.png", all("novillage"))
	draw(pt{3000, 2000}, 66000, 55000, 1300, "c_hazard.png", all("hazard", "novillage"))
	draw(pt{3000, 2000}, 66000, 55000, 1300, "c_points.png", all("points", "novillage", "alerts"))
	draw(pt{3000, 2000}, 66000, 55000, 1300, "c_zones.png", all("zones"))
	draw(g.a.seat.sub(pt{2400, 2000}), 4800, 3900, 1300, "c_city.png", all())
	draw(g.a.seat.sub(pt{2400, 2000}), 4800, 3900, 1200, "c_flood.png", all("hazard", "novillage"))
	draw(g.park.at.sub(pt{2200, 1600}), 4400, 3600, 1200, "c_park.png", all("safety_contours"))
	wild := g.a.towns[0]
	for _, u := range g.a.towns {
		if u.wild > wild.wild {
			wild = u
		}
	}
	draw(wild.seat.sub(pt{4000, 3200}), 8000, 6500, 1300, "c_valley.png", all("hazard", "points", "relief"))
	draw(g.a.towns[3].seat.sub(pt{1100, 900}), 2200, 1800, 1200, "c_town.png", all("grids", "shelter_service_areas"))
}
