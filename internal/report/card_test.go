package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"
)

func testCard(t *testing.T, size Size) Card {
	t.Helper()
	code, err := qr.Encode("https://map.example/?sel=hazards:019c0000-0000-7000-8000-000000000001#map=16/34.15000/119.25000", qr.M)
	if err != nil {
		t.Fatal(err)
	}
	return Card{
		Size: size, Title: "地质灾害点岗位处置卡", Name: "柳林镇青石沟村后山滑坡", Number: "990100ZH00012", Kind: "滑坡", Level: "较大", Place: "119.250000, 34.150000",
		Lines:  [][2]string{{"地点", "示例县柳林镇青石沟村"}, {"威胁", "12 户 43 人"}, {"监测责任人", "王有田"}},
		People: [][2]string{{"行政责任人", "柳林镇 副镇长 张明远 138****0001"}, {"巡查责任人", "青石沟村 网格员 王有田 139****0002"}},
		Todo:   []string{"看裂缝、看渗水、看树歪：有变化立即上报并敲锣", "向滑坡两侧撤离，不顺坡跑", "清点人数，人不到齐不收队", "解除前任何人不得返回"},
		Signal: "连续急促敲锣或口哨", Emergency: "火警 119 · 报警 110 · 急救 120", Shelter: "柳林镇中心小学，直线 640 米，可容 300 人",
		Code: Matrix{code.Size, code.Black}, Office: "示例县", By: "张值班", Watermark: "演示数据", Note: "处置用语为一般做法，尚未经本地核实", At: time.Date(2026, 3, 2, 12, 30, 0, 0, time.UTC),
	}
}

// TestCard reads the text of the PDF back: everything a card was given is on it.
func TestCard(t *testing.T) {
	for size, wide := range map[Size]string{A6: "297.6", A5: "419.5"} {
		c := testCard(t, size)
		var out bytes.Buffer
		if err := CardPDF(t.Context(), &out, c); err != nil {
			t.Fatal(err)
		}
		p := parsePDF(t, out.Bytes())
		text := strings.Join(p.text(t), "")
		flat := strings.ReplaceAll(text, " ", "")
		want := []string{c.Title, c.Name, c.Number, c.Kind, c.Level, c.Place, c.Signal, c.Emergency, c.Shelter, c.By, c.Watermark, c.Note, "2026-03-02 12:30"}
		for _, l := range append(append([][2]string{}, c.Lines...), c.People...) {
			want = append(want, l[0], l[1])
		}
		want = append(want, c.Todo...)
		for _, w := range want {
			if !strings.Contains(flat, strings.ReplaceAll(w, " ", "")) {
				t.Errorf("%s: %q is not on the card:\n%s", size, w, text)
			}
		}
		if !bytes.Contains(out.Bytes(), []byte(wide)) {
			t.Errorf("%s: the page is not %s points wide", size, wide)
		}
		l, err := composeCard(c)
		if err != nil {
			t.Fatal(err)
		}
		if missing := l.Missing(); len(missing) > 0 {
			t.Errorf("%s: the font lacks %q", size, string(missing))
		}
		var again bytes.Buffer
		if err := CardPDF(t.Context(), &again, c); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
			t.Errorf("%s: the same card gives other bytes, %v", size, err)
		}
	}
	if _, err := composeCard(Card{Size: A0}); err == nil {
		t.Error("a card of A0")
	}
}

// TestCrowdedCard: what does not fit is said to be missing, and what saves lives stays.
func TestCrowdedCard(t *testing.T) {
	c := testCard(t, A6)
	for range 20 {
		c.Todo = append(c.Todo, "把警戒线向外再退五十米，并通知下一个路口的人不要放行任何车辆")
	}
	c.Lines = append(c.Lines, [2]string{"情况", strings.Repeat("裂缝继续扩大", 40)})
	var out bytes.Buffer
	if err := CardPDF(t.Context(), &out, c); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(strings.Join(parsePDF(t, out.Bytes()).text(t), ""), " ", "")
	for _, w := range []string{c.Signal, "柳林镇中心小学", "火警119", "另有", "见系统"} {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not on a crowded card: %s", w, text)
		}
	}
}
