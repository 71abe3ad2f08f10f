package cap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// What a message may cost.
const (
	MaxBytes    = 1 << 20
	maxDepth    = 16
	maxElements = 20_000
)

// node is an element, before anything is made of it.
type node struct {
	space, name string
	attributes  bool   // one that the schema does not know
	text        []byte // appended to: comments may cut it into very many pieces
	kids        []*node
}

const (
	schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"
	signature      = "http://www.w3.org/2000/09/xmldsig#"
)

func refuse(code, zh, en string) error {
	return &Refused{[]Finding{{Code: code, Path: "alert", ZH: zh, EN: en, Fatal: true, Schema: true}}}
}

// charset reads what Chinese systems still write. Everything else is UTF-8 or refused.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return in, nil
	case "gb2312", "gbk", "gb18030":
		return simplifiedchinese.GB18030.NewDecoder().Reader(in), nil
	}
	return nil, fmt.Errorf("cap: encoding %q is not read", label)
}

// tree reads the document without believing it: no DOCTYPE, no entities, bounds on size,
// depth and number. Nothing is opened that the document names.
func tree(data []byte) (*node, error) {
	if len(data) > MaxBytes {
		return nil, refuse("too_large", "报文超过 1 MB", "the message is larger than 1 MB")
	}
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	d.Strict, d.CharsetReader = true, charset
	var root *node
	var open []*node
	elements := 0
	bad := func() error { return refuse(CodeNotXML, "不是格式良好的 XML", "it is not well-formed XML") }
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			if root == nil || len(open) > 0 {
				return nil, bad()
			}
			return root, nil
		}
		if err != nil {
			if s, ok := errors.AsType[*xml.SyntaxError](err); ok && strings.Contains(s.Msg, "entity") {
				return nil, refuse("entity", "报文含有自定义实体，拒收", "the message has entities of its own: refused")
			}
			return nil, bad()
		}
		switch t := tok.(type) {
		case xml.Directive:
			return nil, refuse("doctype", "报文含有 DOCTYPE 声明，拒收", "the message has a DOCTYPE: refused")
		case xml.StartElement:
			if elements++; elements > maxElements || len(open) >= maxDepth {
				return nil, refuse("too_complex", "报文元素过多或嵌套过深", "it has too many elements or nests too deeply")
			}
			n := &node{space: t.Name.Space, name: t.Name.Local}
			for _, a := range t.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" && a.Name.Space != schemaInstance {
					n.attributes = true
				}
			}
			switch {
			case len(open) > 0:
				last := open[len(open)-1]
				last.kids = append(last.kids, n)
			case root != nil:
				return nil, bad()
			default:
				root = n
			}
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text = append(open[len(open)-1].text, t...)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, bad()
			}
		}
	}
}
