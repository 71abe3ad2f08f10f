package report

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"
	orbgeo "github.com/paulmach/orb/geo"

	"onemap/internal/demo"
)

var when = time.Date(2026, 6, 1, 8, 30, 0, 0, time.FixedZone("CST", 8*3600))

func mustColour(t testing.TB, screen, print string) Colour {
	t.Helper()
	c, err := ParseColour(screen, print)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// riskLevels are the composite ladder as the catalogue keeps it.
func riskLevels(t testing.TB) []Level {
	return []Level{
		{Level: 1, Name: "高", Mark: "高", Colour: mustColour(t, "#4A2378", "cmyk(0,100,100,25)"), Texture: Cross},
		{Level: 2, Name: "中高", Mark: "中高", Colour: mustColour(t, "#7A4FA8", "cmyk(15,100,85,0)"), Texture: Diagonal},
		{Level: 3, Name: "中", Mark: "中", Colour: mustColour(t, "#A585CB", "cmyk(5,50,60,0)"), Texture: Dots},
		{Level: 4, Name: "中低", Mark: "中低", Colour: mustColour(t, "#CDBBE2", "cmyk(5,35,40,0)"), Texture: Plain},
		{Level: 5, Name: "低", Mark: "低", Colour: mustColour(t, "#E9E1F2", "cmyk(0,15,15,0)"), Texture: Plain},
	}
}

func multi(g orb.Geometry) orb.MultiPolygon {
	switch g := g.(type) {
	case orb.Polygon:
		return orb.MultiPolygon{g}
	case orb.MultiPolygon:
		return g
	}
	return nil
}

func multiLine(g orb.Geometry) orb.MultiLineString {
	switch g := g.(type) {
	case orb.LineString:
		return orb.MultiLineString{g}
	case orb.MultiLineString:
		return g
	}
	return nil
}

// county is the invented county, made once.
var county = sync.OnceValue(func() *demo.County { return demo.Generate(demo.Options{Seed: 1, Now: when}) })

// countySheet is a plan over the invented county: its villages, graded.
func countySheet(t testing.TB, layer int) Sheet {
	t.Helper()
	c := county()
	s := Sheet{
		Title: "云栖县山洪灾害风险区划图", Subtitle: "2026 年版 · 以乡镇为单元", Size: A3, LevelTitle: "风险等级",
		Levels: riskLevels(t), Version: "第 2 版（现行）", AsOf: "2026-06-01 08:00",
		Basis:  "以村级行政区为评估单元，按第一次全国自然灾害综合风险普查技术规范，危险性、暴露度与脆弱性加权综合，自然断点法分为五级",
		Source: "县应急管理局、县水务局、县自然资源局；人口为 2025 年户籍年报", Office: "云栖县应急管理局", DocumentNo: "云应急〔2026〕12 号",
		Mark: "内部资料", MadeAt: when, Watermark: "县应急管理局 张明远 2026-06-01 08:30",
		Approvals: []Approval{
			{Role: "编制", Name: "张明远", Date: when.AddDate(0, 0, -20)}, {Role: "审核", Name: "李文静", Date: when.AddDate(0, 0, -9)},
			{Role: "审定", Name: "王建国", Date: when.AddDate(0, 0, -2)}, {Role: "批准", Name: ""},
		},
	}
	people := map[int]int64{}
	for f := range c.Features() {
		name, _ := f.Fields["name"].(string)
		switch f.Layer {
		case "admin":
			rank, _ := f.Fields["rank"].(int)
			switch rank {
			case 3:
				s.Area = multi(f.Geometry)
			case 4, 5:
				class := map[int]string{4: LineTownship, 5: LineVillage}[rank]
				var l orb.MultiLineString
				for _, p := range multi(f.Geometry) {
					for _, r := range p {
						l = append(l, orb.LineString(r))
					}
				}
				if layer == 6 {
					s.Lines = append(s.Lines, Line{class, "", l})
				}
			}
			if rank == layer {
				n := len(s.Zones)
				lv := 1 + (n*7+n/3)%5
				z := Zone{ID: f.Key, Name: name, Code: f.Code, Level: lv, Shape: multi(f.Geometry)}
				s.Zones = append(s.Zones, z)
				s.Levels[lv-1].Count++
				for _, p := range z.Shape {
					s.Levels[lv-1].AreaM2 += orbgeo.Area(p)
				}
				people[lv] += int64(1200 + n*37%900)
			}
		case "rivers":
			if m := multi(f.Geometry); m != nil {
				s.Water = append(s.Water, Water{name, m})
			} else if m := multiLine(f.Geometry); m != nil {
				s.Lines = append(s.Lines, Line{LineRiver, name, m})
			}
		case "roads":
			class := LineRoad
			if k, _ := f.Fields["class"].(string); k == "national" || k == "expressway" || k == "provincial" {
				class = LineHighway
			} else if k != "county" {
				continue
			}
			s.Lines = append(s.Lines, Line{class, name, multiLine(f.Geometry)})
		}
	}
	total := Level{}
	all := int64(0)
	for i := range s.Levels {
		lv := &s.Levels[i]
		n := people[lv.Level]
		lv.People = &n
		all += n
		total.Count += lv.Count
		total.AreaM2 += lv.AreaM2
	}
	for i := range s.Levels {
		s.Levels[i].Share = s.Levels[i].AreaM2 / total.AreaM2
	}
	total.Share, total.People = 1, &all
	s.Total = &total
	s.Neighbours = ringOf(c.Bound)
	return s
}

// ringOf invents neighbours around a county: the quarters of a frame. The county covers
// their middle.
func ringOf(b orb.Bound) []Neighbour {
	w, h := b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]
	box := func(x0, y0, x1, y1 float64) orb.MultiPolygon {
		x := func(v float64) float64 { return b.Min[0] + v*w }
		y := func(v float64) float64 { return b.Min[1] + v*h }
		return orb.MultiPolygon{{{{x(x0), y(y0)}, {x(x1), y(y0)}, {x(x1), y(y1)}, {x(x0), y(y1)}, {x(x0), y(y0)}}}}
	}
	return []Neighbour{
		{"临川区", box(-0.8, 0.45, 0.4, 1.8)}, {"青石县", box(0.4, 0.45, 1.9, 1.8)}, {"南屏县", box(-0.8, -0.8, 0.55, 0.45)}, {"望江市", box(0.55, -0.8, 1.9, 0.45)},
	}
}

// TestShow writes sheets to look at, where ONEMAP_SHEETS names a folder.
func TestShow(t *testing.T) {
	dir := os.Getenv("ONEMAP_SHEETS")
	if dir == "" {
		t.Skip("ONEMAP_SHEETS names no folder to write sheets into")
	}
	show := func(name string, s Sheet) {
		for _, ext := range []string{".png", ".pdf"} {
			if ext == ".png" && s.Size != A4 && s.Size != A3 {
				continue
			}
			f, err := os.Create(filepath.Join(dir, name+ext))
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			var d Drawn
			if ext == ".png" {
				d, err = PNG(t.Context(), f, s, 150)
			} else {
				d, err = PDF(t.Context(), f, s)
			}
			if err != nil {
				t.Fatal(err)
			}
			at, _ := f.Seek(0, 1)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s%s: %v, %d bytes, %+v", name, ext, time.Since(begin), at, d)
		}
	}
	s := countySheet(t, 4)
	show("a3-townships", s)
	s.Size, s.Print = A4, true
	show("a4-print", s)
	s.Portrait, s.Print, s.Draft = true, false, "征求意见稿"
	show("a4-portrait", s)
	v := countySheet(t, 5)
	v.Subtitle = "2026 年版 · 以村为单元"
	show("a3-villages", v)
	for i := range v.Zones {
		v.Zones[i].Name = "沿河低洼易涝重点防治区（第" + strconv.Itoa(i+1) + "片）" + v.Zones[i].Name
	}
	v.Title = "云栖县山洪、地质灾害与森林草原火灾综合风险区划及分区防治措施总图（征求意见后修改稿）"
	v.Basis += v.Basis
	v.Size = A4
	show("a4-long-names", v)
	g := largeSheet(t, 50, 40, 29)
	show("a0-large", g)
	en := countySheet(t, 4)
	en.Lang, en.Title, en.Subtitle, en.LevelTitle, en.Mark = "en", "Yunqi County: zones of flash flood prevention", "Second version, by township", "Prevention class", "Internal"
	en.Levels = []Level{en.Levels[0], en.Levels[1], en.Levels[2]}
	for i, c := range []string{"#0B5D5B", "#4C9A97", "#A9D5D2"} {
		en.Levels[i].Name = []string{"重点防治区", "次重点防治区", "General prevention area"}[i]
		en.Levels[i].Colour = mustColour(t, c, "")
	}
	for i := range en.Zones {
		en.Zones[i].Level = 1 + i%4%3
		if i == 5 {
			en.Zones[i].Level = 0
		}
	}
	en.Changes = []Change{{ChangeGained, en.Zones[2].Shape}, {ChangeLost, en.Zones[3].Shape}, {ChangeLevel, en.Zones[4].Shape}}
	en.Against = "v1"
	en.Places = []Place{{PlaceCounty, "云栖县", en.Zones[7].Shape[0][0][0]}, {PlaceTownship, "白马", orb.Point{111.9, 31.6}}, {PlaceVillage, "小村", orb.Point{112.0, 31.5}}}
	show("a3-changes-en", en)
	e := countySheet(t, 6)
	e.Neighbours = append(e.Neighbours, Neighbour{"省", square(110, 30, 114, 33)})
	e.Size = A4
	show("a4-empty", e)
}
