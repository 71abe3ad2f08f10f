package report

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paulmach/orb"

	"onemap/internal/report/draw"
	"onemap/internal/report/font"
)

// square is a zone of whole grid cells.
func square(x0, y0, x1, y1 float64) orb.MultiPolygon {
	return orb.MultiPolygon{{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}, {x0, y0}}}}
}

// smallSheet has four zones of four levels, one with a hole another fills.
func smallSheet(t testing.TB) Sheet {
	t.Helper()
	people := int64(12345)
	levels := riskLevels(t)[:4]
	for i := range levels {
		levels[i].Count, levels[i].AreaM2, levels[i].Share, levels[i].People = 1, float64(i+1)*1.5e6, 0.25, &people
	}
	outer := square(109.00, 34.00, 109.05, 34.05)
	hole := orb.Ring{{109.02, 34.02}, {109.02, 34.03}, {109.03, 34.03}, {109.03, 34.02}, {109.02, 34.02}}
	outer[0] = append(outer[0], hole)
	return Sheet{
		Title: "示例县山洪灾害风险区划图", Size: A4, Levels: levels, LevelTitle: "风险等级", MadeAt: when,
		Area: square(109.00, 34.00, 109.10, 34.10),
		Zones: []Zone{
			{ID: "a", Name: "东沟", Level: 1, Shape: outer}, {ID: "b", Name: "岛", Level: 2, Shape: square(109.02, 34.02, 109.03, 34.03)},
			{ID: "c", Name: "西岭村", Level: 3, Shape: square(109.05, 34.00, 109.10, 34.05)}, {ID: "d", Name: "北坡", Level: 4, Shape: square(109.00, 34.05, 109.10, 34.10)},
		},
		AsOf: "2026-06-01", Source: "普查数据", Basis: "户籍人口", Mark: "内部资料", Version: "第 1 版",
		Approvals: []Approval{{"编制", "张明远", when}, {"批准", "", when.AddDate(-2026, 0, 0)}},
	}
}

// largeSheet is a plan of n by n zones whose borders wiggle, with so many vertices to a side.
func largeSheet(t testing.TB, cols, rows, bends int) Sheet {
	t.Helper()
	s := Sheet{Title: "大型区划图", Size: A0, Levels: riskLevels(t), MadeAt: when}
	const step = 0.012
	x, y := func(i int) float64 { return 108.7 + float64(i)*step }, func(j int) float64 { return 34 + float64(j)*step }
	// side is a wiggly line between two corners, the same from both ends.
	side := func(x0, y0, x1, y1 float64, seed int) []orb.Point {
		out := make([]orb.Point, bends)
		for k := range out {
			f := float64(k) / float64(bends)
			off := 0.0
			if k > 0 {
				off = step * 0.06 * (math.Sin(float64(seed)+f*19) + 0.5*math.Sin(float64(seed*3)+f*47)) * math.Sin(f*math.Pi)
			}
			out[k] = orb.Point{x0 + f*(x1-x0) - off*(y1-y0)/step, y0 + f*(y1-y0) + off*(x1-x0)/step}
		}
		return out
	}
	back := func(pts []orb.Point, end orb.Point) []orb.Point {
		out := []orb.Point{end}
		for i := len(pts) - 1; i > 0; i-- {
			out = append(out, pts[i])
		}
		return out
	}
	h := func(i, j int) []orb.Point { return side(x(i), y(j), x(i+1), y(j), i*131+j*17) }
	v := func(i, j int) []orb.Point { return side(x(i), y(j), x(i), y(j+1), i*37+j*211+5) }
	for j := range rows {
		for i := range cols {
			var r orb.Ring
			r = append(r, h(i, j)...)
			r = append(r, v(i+1, j)...)
			r = append(r, back(h(i, j+1), orb.Point{x(i + 1), y(j + 1)})...)
			r = append(r, back(v(i, j), orb.Point{x(i), y(j + 1)})...)
			r = append(r, r[0])
			n := len(s.Zones)
			s.Zones = append(s.Zones, Zone{ID: fmt.Sprint(n), Name: fmt.Sprintf("第%d号区划单元", n+1), Code: fmt.Sprintf("QH-%04d", n+1), Level: 1 + (n*7+n/5)%5, Shape: orb.MultiPolygon{{r}}})
		}
	}
	return s
}

// onPaper answers the frame a sheet is drawn in.
func onPaper(t testing.TB, s Sheet) *frame {
	t.Helper()
	pp := paper[s.Size]
	w, h := pp.long, pp.short
	if s.Portrait {
		w, h = h, w
	}
	y := &layout{s: &s, u: pp.u, l: draw.New(w, h, font.Sheet())}
	y.plan()
	ext, err := s.extentOf()
	if err != nil {
		t.Fatal(err)
	}
	f, err := fitFrame(y.window, ext, s.Scale)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var update = flag.Bool("update", false, "write the golden lists anew")

// TestGolden compares the display list, not the bytes.
func TestGolden(t *testing.T) {
	empty := smallSheet(t)
	empty.Zones, empty.Portrait, empty.Lang = nil, true, "en"
	print := smallSheet(t)
	print.Print, print.Draft, print.Watermark, print.MapNumber = true, "征求意见稿", "张明远 2026-06-01", "陕S(2026)001号"
	print.Changes, print.Against = []Change{{ChangeGained, square(109.01, 34.06, 109.02, 34.07)}}, "第 1 版"
	print.Neighbours = []Neighbour{{"邻县", square(109.10, 33.9, 109.3, 34.2)}}
	print.Lines = []Line{{LineRiver, "青沅河", orb.MultiLineString{{{109.0, 34.01}, {109.05, 34.012}, {109.1, 34.0}}}}}
	print.Places = []Place{{PlaceTownship, "柳林镇", orb.Point{109.08, 34.02}}}
	for name, s := range map[string]Sheet{"small": smallSheet(t), "empty": empty, "print": print} {
		t.Run(name, func(t *testing.T) {
			l, _, err := compose(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := l.Dump(&b); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".list")
			if *update {
				if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, old := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
			for i := range max(len(got), len(old)) {
				switch {
				case i >= len(got) || i >= len(old):
					t.Fatalf("%d lines, want %d (go test -update writes them anew)", len(got), len(old))
				case got[i] != old[i]:
					t.Fatalf("line %d is\n%s\nwant\n%s\n(go test -update writes them anew)", i+1, got[i], old[i])
				}
			}
		})
	}
}

// TestSharedBorders: simplified to paper, every border is still drawn by both its
// neighbours and goes the other way in each; what one alone draws is the area's edge.
func TestSharedBorders(t *testing.T) {
	for name, s := range map[string]Sheet{"county": countySheet(t, 5), "large": largeSheet(t, 12, 9, 20), "hole": smallSheet(t)} {
		f := onPaper(t, s)
		b := newBorders(f.at, 1.2) // far more than on paper
		b.know(s.Area)
		for _, z := range s.Zones {
			b.know(z.Shape)
		}
		edges := map[[2]draw.Pt]int{}
		vertices, kept := 0, 0
		add := func(p draw.Path, way int) {
			for _, l := range p {
				kept += len(l.Pts)
				for i, q := range l.Pts {
					r := l.Pts[(i+1)%len(l.Pts)]
					if way < 0 {
						q, r = r, q
					}
					edges[[2]draw.Pt{q, r}]++
				}
			}
		}
		add(b.build(-1, s.Area), -1)
		for i, z := range s.Zones {
			for _, p := range z.Shape {
				for _, r := range p {
					vertices += len(r)
				}
			}
			add(b.build(i, z.Shape), 1)
		}
		if name == "county" { // one line for both sides, the county's edge among them
			for _, a := range b.order {
				if len(a.users) != 2 {
					t.Fatalf("%s: a border has %d sides", name, len(a.users))
				}
			}
		}
		single := 0
		for e, n := range edges {
			if n != 1 {
				t.Fatalf("%s: an edge is drawn %d times in one direction", name, n)
			}
			if edges[[2]draw.Pt{e[1], e[0]}] != 1 {
				single++
			}
		}
		if len(s.Area) > 0 && single > 0 && name != "hole" { // the small sheet's area has no nodes where its zones meet
			t.Errorf("%s: %d edges have no other side", name, single)
		}
		if name == "large" && kept*10 > vertices*6 {
			t.Errorf("%s: %d of %d vertices kept", name, kept, vertices)
		}
	}
}

// TestLabels: every label lies within its shape and touches no other.
func TestLabels(t *testing.T) {
	s := countySheet(t, 5)
	f := onPaper(t, s)
	b := newBorders(f.at, hair)
	for _, z := range s.Zones {
		b.know(z.Shape)
	}
	l := draw.New(420, 297, font.Sheet())
	tk := newTaken()
	var boxes []draw.Rect
	for i, z := range s.Zones {
		p := b.build(i, z.Shape)
		lb, ok := tk.place(p, f.rect, [][]string{{z.Name}, {z.Code}}, []float64{3, 2.2}, l.Width)
		if !ok {
			continue
		}
		boxes = append(boxes, lb.box)
		for x := range 9 {
			for y := range 5 {
				q := draw.Pt{X: lb.box.X + lb.box.W*float64(x)/8, Y: lb.box.Y + lb.box.H*float64(y)/4}
				xs := crossings(p, q.Y)
				n := 0
				for _, v := range xs {
					if v < q.X {
						n++
					}
				}
				if n%2 == 0 {
					t.Fatalf("the label of %s leaves its shape", z.Name)
				}
			}
		}
	}
	if len(boxes) < 150 {
		t.Errorf("only %d labels", len(boxes))
	}
	for i, a := range boxes {
		for _, c := range boxes[:i] {
			if a.Overlaps(c) {
				t.Fatal("two labels touch")
			}
		}
	}
}

// TestScaleIsTrue measures a line on paper and on the ground.
func TestScaleIsTrue(t *testing.T) {
	for _, scale := range []int{0, 10_000, 50_000, 1_000_000} {
		s := smallSheet(t)
		s.Scale = scale
		f := onPaper(t, s)
		if scale != 0 && f.scale != scale {
			t.Errorf("asked for 1:%d, got 1:%d", scale, f.scale)
		}
		for _, pair := range [][2]orb.Point{{{109, 34}, {109.1, 34}}, {{109, 34}, {109, 34.1}}, {{109, 34}, {109.1, 34.1}}} {
			a, c := f.at(pair[0]), f.at(pair[1])
			got, want := math.Hypot(a.X-c.X, a.Y-c.Y)/1000*float64(f.scale), geodesic(pair[0], pair[1])
			if math.Abs(got/want-1) > 4e-4 { // the projection's own: 1.00034 at a zone's edge
				t.Errorf("1:%d: %v m on paper, %v m on the ground", f.scale, got, want)
			}
		}
		mid := orb.Point{109.05, 34.05}
		if b := f.back(f.at(mid)); math.Abs(b[0]-mid[0]) > 1e-10 || math.Abs(b[1]-mid[1]) > 1e-10 {
			t.Errorf("%v comes back as %v", mid, b)
		}
	}
	for need, want := range map[float64]int{48_211: 50_000, 50_000: 50_000, 50_001: 60_000, 999: 1000, 81_000: 100_000} {
		if got := roundScale(need); got != want {
			t.Errorf("1:%v becomes 1:%d, want 1:%d", need, got, want)
		}
	}
}

// geodesic is a short distance on the ellipsoid, by its radii in the middle.
func geodesic(a, b orb.Point) float64 {
	const axis, e2 = 6378137.0, 2/298.257222101 - 1/(298.257222101*298.257222101)
	lat := (a[1] + b[1]) / 2 * math.Pi / 180
	w := 1 - e2*math.Sin(lat)*math.Sin(lat)
	m, n := axis*(1-e2)/math.Pow(w, 1.5), axis/math.Sqrt(w)
	return math.Hypot((b[1]-a[1])*math.Pi/180*m, (b[0]-a[0])*math.Pi/180*n*math.Cos(lat))
}

func TestSheetRefuses(t *testing.T) {
	for name, change := range map[string]func(*Sheet){
		"no place": func(s *Sheet) { s.Area, s.Zones = nil, nil }, "paper": func(s *Sheet) { s.Size = "B5" },
		"not a number": func(s *Sheet) { s.Zones[0].Shape[0][0][2][0] = math.NaN() }, "the whole earth": func(s *Sheet) { s.Extent = orb.Bound{Min: orb.Point{-180, -80}, Max: orb.Point{180, 80}} },
		"scale": func(s *Sheet) { s.Scale = -5 }, "the pole": func(s *Sheet) { s.Places = []Place{{"", "x", orb.Point{0, 90}}} },
	} {
		s := smallSheet(t)
		change(&s)
		if _, err := PDF(t.Context(), io.Discard, s); !errors.Is(err, ErrInput) && !errors.Is(err, ErrNoExtent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := smallSheet(t)
	s.Size = A2
	if _, err := PNG(t.Context(), io.Discard, s, 100); !errors.Is(err, ErrInput) {
		t.Errorf("an A2 picture: %v", err)
	}
	s.Size = A4
	if _, err := PNG(t.Context(), io.Discard, s, 1200); !errors.Is(err, ErrInput) {
		t.Errorf("1200 dpi: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := PDF(ctx, io.Discard, s); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestBoundariesOnce: what two units share is drawn once, by the higher of them.
func TestBoundariesOnce(t *testing.T) {
	s := smallSheet(t)
	ring := func(x0, y0, x1, y1 float64) orb.MultiLineString {
		return orb.MultiLineString{orb.LineString(square(x0, y0, x1, y1)[0][0])}
	}
	s.Area = square(109, 34, 109.1, 34.1)
	s.Lines = []Line{{LineVillage, "", ring(109.02, 34.02, 109.04, 34.04)}, {LineVillage, "", ring(109.04, 34.02, 109.06, 34.04)}, {LineTownship, "", ring(109.02, 34.02, 109.04, 34.04)}, {LineRiver, "", ring(109, 34, 109.1, 34.1)}, {LineCounty, "", ring(109, 34, 109.1, 34.1)}}
	m := &mapView{s: &s}
	got := m.once([]int{3, 0, 1, 2, 4})
	count := map[int]int{}
	for i, l := range got {
		for _, part := range l {
			count[i] += len(part) - 1
		}
	}
	if count[0] != 0 || count[1] != 3 || count[2] != 4 || count[3] != 4 || count[4] != 0 {
		t.Errorf("pieces drawn by line: %v", count)
	}
}
