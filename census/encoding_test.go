package census

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// One bad byte spoils its own row, not the encoding of the file.
func TestOneBadByteInUTF8(t *testing.T) {
	h := newHouse(t)
	r := h.file(t, write(t, "a.csv", "编码,名称,经度,纬度,地址\nS1,第一小学,119.25,34.15,城关镇\nS2,第二\xff小学,119.26,34.16,城关镇\nS3,第三小学,119.27,34.17,城关镇\n"), FileOptions{Layer: "shelters"})
	wantCounts(t, r, Counts{Read: 3, Accepted: 2, Quarantined: 1, Inserted: 2})
	hasRule(t, r, Quarantined, RuleBadText, 1)
	for _, i := range r.Issues {
		if i.Rule == RuleBadText && i.Row != 3 {
			t.Errorf("row %d", i.Row)
		}
	}
	if r.Encoding != "UTF-8" || len(r.Notes) != 1 || !strings.Contains(strings.Join(r.Notes[0].Remarks, ""), "坏字节 1 个") {
		t.Errorf("%s %+v", r.Encoding, r.Notes)
	}
	if s := one[string](t, h, `select string_agg(name, ' ' order by code) from shelters`); s != "第一小学 第三小学" {
		t.Error(s)
	}
	// A damaged header and title are no reason to fail.
	r = h.file(t, write(t, "b.csv", "避难场所一览表\xfe\n编码,名称,经度,纬度,备\xff注\nT1,第四小学,119.25,34.15,好\n"), FileOptions{Layer: "shelters"})
	wantCounts(t, r, Counts{Read: 1, Accepted: 1, Inserted: 1})
}

func TestDetectTextByEvidence(t *testing.T) {
	const simplified = "编号,隐患点名称,威胁人口\n1,大湾村滑坡,30\n2,石桥沟泥石流,12\n"
	const traditional = "編號,名稱,地址\n1,避難收容處所,臺北市中正區仁愛路二段\n"
	gbk, _ := simplifiedchinese.GBK.NewEncoder().String(simplified)
	big5, _ := traditionalchinese.Big5.NewEncoder().String(traditional)
	short, _ := simplifiedchinese.GBK.NewEncoder().String("name,x\n县,1\n")
	for _, c := range []struct{ text, want string }{
		{simplified, "UTF-8 utf8"}, {traditional, "UTF-8 utf8"}, {"a,b\n1,2\n", "UTF-8 utf8"},
		{simplified + "\xff", "UTF-8 guess"}, {simplified + "截\xe6\x88", "UTF-8 guess"}, {strings.Repeat(simplified, 30_000) + "\xb1\xe0", "UTF-8 guess"},
		{"Ort,Straße\xfc,Österreich,Höhe,Fläche,größe\n", "UTF-8 guess"},
		{gbk, "GB18030 guess"}, {short, "GB18030 guess"}, {strings.Repeat(gbk, 50_000), "GB18030 guess"}, {gbk + "\xff", "GB18030 guess"},
		{big5, "Big5 guess"}, {strings.Repeat(big5, 50_000), "Big5 guess"},
	} {
		e, err := detectText(strings.NewReader(c.text))
		if got := fmt.Sprint(e.name, " ", e.how); err != nil || got != c.want || (e.how == "guess") != (e.why != "") {
			t.Errorf("%.30q: %s %v, want %s (%s)", c.text, got, err, c.want, e.why)
		}
	}
}
