package report

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func flash() Paper {
	return Paper{
		Office: "平川县应急管理局", Title: "关于青山镇滑坡的快报", Number: "KB-990100-2026-001", Exercise: true, Mark: "先报待签",
		Head:   [][2]string{{"主送", "市应急管理局 <值班室> & 其他"}},
		Blocks: []PaperBlock{{"一、基本情况", "2026年7月1日3时10分，青山镇二组发生滑坡。死亡 1 人。\n第二段。"}, {"二、处置情况", strings.Repeat("已转移群众，封闭道路，救援力量正在途中。", 120)}},
		Figures: []PaperFigure{
			{"死亡", "1 人", "上报", "07-01 03:40", "乡镇上报，县核定", "青山镇"}, {"影响范围内人口", "约 1200 人", "估算", "07-01 03:41", "常住人口按建筑分摊", "一张图"},
		},
		Signatures: [][2]string{{"起草", "李值班 2026-07-01 03:45"}, {"签发", "张县长"}}, Notes: []string{"估算不是上报数。"},
		At: time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC), By: "李值班",
	}
}

// said are the words a paper has to carry, whatever it is written as.
func said() []string {
	return []string{"平川县应急管理局", "关于青山镇滑坡的快报", "KB-990100-2026-001", "演练 演练 演练", "先报待签", "市应急管理局 <值班室> & 其他", "一、基本情况", "第二段。", "约 1200 人", "常住人口按建筑分摊", "估算", "张县长", "估算不是上报数。"}
}

// TestPaperPDF: as many pages as the text needs, the mark on each, and the words in it.
func TestPaperPDF(t *testing.T) {
	var out, again bytes.Buffer
	if err := errors.Join(PaperPDF(t.Context(), &out, flash()), PaperPDF(t.Context(), &again, flash())); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("equal input, other bytes")
	}
	p := parsePDF(t, out.Bytes())
	pages := 0
	for _, o := range p.objects {
		if strings.Contains(o, "/Type /Page ") {
			pages++
		}
	}
	if pages < 2 {
		t.Errorf("%d pages", pages)
	}
	if m := regexp.MustCompile(`/Kids \[([^\]]*)\] /Count (\d+)`).FindStringSubmatch(out.String()); m == nil || strings.Count(m[1], " 0 R") != pages {
		t.Errorf("the tree of pages: %v", m)
	}
	if dir := os.Getenv("ONEMAP_LOOK"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "paper.pdf"), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// No line of the text runs over the page's edge, and none is left out.
	f := &leaf{p: flash()}
	f.page()
	f.compose()
	var all strings.Builder
	for _, l := range f.pages {
		var b strings.Builder
		if err := l.Dump(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), exerciseMark) {
			t.Error("a page of an exercise that does not say so")
		}
		if len(l.Missing()) > 0 {
			t.Errorf("letters the face lacks: %q", l.Missing())
		}
		all.WriteString(b.String())
	}
	if n := strings.Count(strings.Join(regexp.MustCompile(`\s+`).Split(all.String(), -1), ""), "封闭道路"); n < 100 {
		t.Errorf("%d of 120 sentences", n)
	}
}

// TestPaperDOCX opens the package as a reader does: parts by their types and relations,
// each one XML, and the words in the document.
func TestPaperDOCX(t *testing.T) {
	var out bytes.Buffer
	if err := PaperDOCX(&out, flash()); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("ONEMAP_LOOK"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "paper.docx"), out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if parts[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		dec := xml.NewDecoder(bytes.NewReader(parts[f.Name]))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s is no XML: %v", f.Name, err)
			}
		}
	}
	if z.File[0].Name != "[Content_Types].xml" {
		t.Errorf("begins with %s", z.File[0].Name)
	}
	// Every relation leads somewhere, every part has a type.
	var types struct {
		Override []struct {
			PartName    string `xml:"PartName,attr"`
			ContentType string `xml:"ContentType,attr"`
		}
	}
	if err := xml.Unmarshal(parts["[Content_Types].xml"], &types); err != nil || len(types.Override) != 4 {
		t.Fatalf("%+v %v", types, err)
	}
	for _, o := range types.Override {
		if parts[strings.TrimPrefix(o.PartName, "/")] == nil {
			t.Errorf("%s is not there", o.PartName)
		}
	}
	for name, base := range map[string]string{"_rels/.rels": "", "word/_rels/document.xml.rels": "word/"} {
		var rels struct {
			Relationship []struct {
				Target string `xml:"Target,attr"`
			}
		}
		if err := xml.Unmarshal(parts[name], &rels); err != nil || len(rels.Relationship) != 2 {
			t.Fatalf("%s: %+v %v", name, rels, err)
		}
		for _, r := range rels.Relationship {
			if parts[base+r.Target] == nil {
				t.Errorf("%s leads to %s", name, r.Target)
			}
		}
	}
	var doc struct {
		Body struct {
			P []struct {
				T []string `xml:"r>t"`
			} `xml:"p"`
			Tbl []struct {
				Tr []struct {
					Tc []struct {
						T []string `xml:"p>r>t"`
					} `xml:"tc"`
				} `xml:"tr"`
			} `xml:"tbl"`
			SectPr []struct{} `xml:"sectPr"`
		} `xml:"body"`
	}
	if err := xml.Unmarshal(parts["word/document.xml"], &doc); err != nil || len(doc.Body.SectPr) != 1 {
		t.Fatalf("%+v %v", doc, err)
	}
	var words []string
	for _, p := range doc.Body.P {
		words = append(words, p.T...)
	}
	if len(doc.Body.Tbl) != 1 || len(doc.Body.Tbl[0].Tr) != 3 || len(doc.Body.Tbl[0].Tr[1].Tc) != 6 {
		t.Fatalf("%+v", doc.Body.Tbl)
	}
	for _, tr := range doc.Body.Tbl[0].Tr {
		for _, tc := range tr.Tc {
			words = append(words, tc.T...)
		}
	}
	text := strings.Join(words, "\n")
	for _, w := range said() {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in the document", w)
		}
	}
}

// TestPaperText: the same words to copy.
func TestPaperText(t *testing.T) {
	text := PaperText(flash())
	for _, w := range said() {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in the text", w)
		}
	}
	if !strings.Contains(text, "死亡 1 人（上报；截至 07-01 03:40；乡镇上报，县核定；来源 青山镇）") {
		t.Error(text)
	}
}
