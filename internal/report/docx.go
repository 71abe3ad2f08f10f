package report

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// PaperDOCX writes a paper as a WordprocessingML document (ECMA-376): the smallest
// package that word processors open, with no macro, no link and nothing from outside.
func PaperDOCX(w io.Writer, p Paper) error {
	z := zip.NewWriter(w)
	for _, part := range []struct{ name, body string }{
		{"[Content_Types].xml", docxTypes},
		{"_rels/.rels", docxRels},
		{"docProps/core.xml", docxCore(p)},
		{"word/_rels/document.xml.rels", docxDocumentRels},
		{"word/styles.xml", docxStyles},
		{"word/footer1.xml", docxFooter(p)},
		{"word/document.xml", docxDocument(p)},
	} {
		f, err := z.CreateHeader(&zip.FileHeader{Name: part.name, Method: zip.Deflate, Modified: p.At.UTC().Truncate(2 * time.Second)})
		if err != nil {
			return fmt.Errorf("report: docx: %w", err)
		}
		if _, err := io.WriteString(f, part.body); err != nil {
			return fmt.Errorf("report: docx: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("report: docx: %w", err)
	}
	return nil
}

const (
	xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	wordNS  = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`

	docxTypes = xmlHead + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>` +
		`<Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/>` +
		`<Override PartName="/word/footer1.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.footer+xml"/>` +
		`<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>`
	docxRels = xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>` +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>`
	docxDocumentRels = xmlHead + `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/>` +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/footer" Target="footer1.xml"/></Relationships>`
	// Sizes are half points, distances twentieths of a point: text of 三号 is 32 by GB/T 9704;
	// a brief is set in 28 with lines of 28 points.
	docxStyles = xmlHead + `<w:styles ` + wordNS + `><w:docDefaults><w:rPrDefault><w:rPr><w:rFonts w:ascii="Times New Roman" w:hAnsi="Times New Roman" w:eastAsia="仿宋" w:cs="Times New Roman"/><w:sz w:val="28"/><w:szCs w:val="28"/><w:lang w:val="en-US" w:eastAsia="zh-CN"/></w:rPr></w:rPrDefault>` +
		`<w:pPrDefault><w:pPr><w:spacing w:line="500" w:lineRule="exact"/></w:pPr></w:pPrDefault></w:docDefaults>` +
		`<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>` +
		`<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/><w:pPr><w:keepNext/><w:spacing w:before="120"/><w:outlineLvl w:val="0"/></w:pPr><w:rPr><w:rFonts w:eastAsia="黑体"/></w:rPr></w:style></w:styles>`
)

// docxText escapes a text for XML.
func docxText(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(legal(s))); err != nil {
		return "" // a buffer does not fail
	}
	return b.String()
}

func docxCore(p Paper) string {
	at := p.At.UTC().Format(time.RFC3339)
	return xmlHead + `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
		`<dc:title>` + docxText(p.Title) + `</dc:title><dc:creator>` + docxText(p.Office) + `</dc:creator><dc:identifier>` + docxText(p.Number) + `</dc:identifier>` +
		`<dcterms:created xsi:type="dcterms:W3CDTF">` + at + `</dcterms:created></cp:coreProperties>`
}

func docxFooter(p Paper) string {
	return xmlHead + `<w:ftr ` + wordNS + `>` + docxPar(p.foot(), `<w:spacing w:line="240" w:lineRule="auto"/>`, `<w:sz w:val="16"/>`) + `</w:ftr>`
}

// docxPar is a paragraph; a line break inside it stays one.
func docxPar(text, properties, run string) string {
	if properties != "" {
		properties = `<w:pPr>` + properties + `</w:pPr>`
	}
	if run != "" {
		run = `<w:rPr>` + run + `</w:rPr>`
	}
	return `<w:p>` + properties + `<w:r>` + run + `<w:t xml:space="preserve">` + docxText(text) + `</w:t></w:r></w:p>`
}

func docxDocument(p Paper) string {
	const (
		centred = `<w:jc w:val="center"/>`
		red     = `<w:b/><w:color w:val="B01010"/>`
		indent  = `<w:ind w:firstLineChars="200" w:firstLine="560"/>`
	)
	var b strings.Builder
	b.WriteString(xmlHead + `<w:document ` + wordNS + `><w:body>`)
	for _, m := range p.marks() {
		b.WriteString(docxPar(m, "", red))
	}
	if p.Office != "" {
		b.WriteString(docxPar(p.Office, `<w:spacing w:line="600" w:lineRule="exact"/>`+centred, `<w:rFonts w:eastAsia="宋体"/>`+red+`<w:sz w:val="40"/>`))
	}
	if p.Number != "" {
		b.WriteString(docxPar(p.Number, `<w:pBdr><w:bottom w:val="single" w:sz="12" w:space="4" w:color="B01010"/></w:pBdr>`+centred, ""))
	}
	b.WriteString(docxPar(p.Title, `<w:spacing w:before="240" w:after="120" w:line="600" w:lineRule="exact"/>`+centred, `<w:rFonts w:eastAsia="宋体"/><w:b/><w:sz w:val="36"/>`))
	for _, l := range p.Head {
		b.WriteString(docxPar(l[0]+"："+l[1], "", ""))
	}
	for _, k := range p.Blocks {
		if k.Heading != "" {
			b.WriteString(docxPar(k.Heading, `<w:pStyle w:val="Heading1"/>`, ""))
		}
		for part := range strings.SplitSeq(k.Text, "\n") {
			if strings.TrimSpace(part) != "" {
				b.WriteString(docxPar(strings.TrimSpace(part), indent, ""))
			}
		}
	}
	docxFigures(&b, p)
	for _, l := range p.Signatures {
		b.WriteString(docxPar(l[0]+"："+l[1], "", ""))
	}
	for _, n := range p.Notes {
		b.WriteString(docxPar(n, `<w:spacing w:line="300" w:lineRule="exact"/>`, `<w:color w:val="444444"/><w:sz w:val="18"/>`))
	}
	// A4 with the margins of GB/T 9704: 37, 28, 35, 26 mm.
	b.WriteString(`<w:sectPr><w:footerReference w:type="default" r:id="rId2"/><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="2098" w:right="1474" w:bottom="1984" w:left="1588" w:header="851" w:footer="992" w:gutter="0"/></w:sectPr></w:body></w:document>`)
	return b.String()
}

// docxFigures is the table of figures.
func docxFigures(b *strings.Builder, p Paper) {
	if len(p.Figures) == 0 {
		return
	}
	b.WriteString(docxPar("附：数据与口径", `<w:pStyle w:val="Heading1"/>`, ""))
	var border strings.Builder
	for _, side := range []string{"top", "left", "bottom", "right", "insideH", "insideV"} {
		border.WriteString(`<w:` + side + ` w:val="single" w:sz="4" w:space="0" w:color="666666"/>`)
	}
	widths := []int{1500, 1300, 900, 1300, 2300, 1500}
	b.WriteString(`<w:tbl><w:tblPr><w:tblW w:w="8800" w:type="dxa"/><w:tblBorders>` + border.String() + `</w:tblBorders><w:tblLayout w:type="fixed"/></w:tblPr><w:tblGrid>`)
	for _, n := range widths {
		fmt.Fprintf(b, `<w:gridCol w:w="%d"/>`, n)
	}
	b.WriteString(`</w:tblGrid>`)
	row := func(cells []string, head bool) {
		b.WriteString(`<w:tr>`)
		if head {
			b.WriteString(`<w:trPr><w:tblHeader/></w:trPr>`)
		}
		for i, c := range cells {
			run := `<w:sz w:val="18"/>`
			if head || i == 1 {
				run = `<w:b/>` + run
			}
			fmt.Fprintf(b, `<w:tc><w:tcPr><w:tcW w:w="%d" w:type="dxa"/></w:tcPr>`, widths[i])
			b.WriteString(docxPar(c, `<w:spacing w:line="280" w:lineRule="exact"/>`, run) + `</w:tc>`)
		}
		b.WriteString(`</w:tr>`)
	}
	row(figureHead(), true)
	for _, f := range p.Figures {
		row(f.row(), false)
	}
	b.WriteString(`</w:tbl>` + docxPar("", "", ""))
}
