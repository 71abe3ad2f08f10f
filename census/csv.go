package census

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// maxLine bounds one line of a table.
const maxLine = 4 << 20

// openCSV reads separated text: the encoding and the separator are found out.
func openCSV(s source) (*table, error) {
	t := &table{file: s.name, expect: -1, close: func() {}}
	enc, err := csvEncoding(s)
	if err != nil {
		return nil, err
	}
	t.encoding, t.how = enc.name, enc.how
	if enc.how == "guess" {
		t.remark(0, RuleEncoding, fmt.Sprintf("编码按内容判断为 %s (encoding guessed from the text):%s", enc.name, enc.why))
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer f.Close()
	comma, err := sniffComma(enc.reader(f))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	top, lines, err := csvTop(newCSV(enc.reader(f), comma))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
	}
	h := findHeader(top, s.wanted)
	if h < 0 {
		return nil, fmt.Errorf("%w: %s: 找不到表头 (no header row found)", ErrFile, s.name)
	}
	if len(top[h]) > maxColumns {
		return nil, fmt.Errorf("%w: %s: %d 列 (columns), at most %d", ErrFile, s.name, len(top[h]), maxColumns)
	}
	t.fields = columnNames(top[h])
	titleRemarks(t, top[:h], lines)
	t.records = func(yield func(record, error) bool) {
		f, err := os.Open(s.path)
		if err != nil {
			yield(record{}, fmt.Errorf("%w: %w", ErrFile, err))
			return
		}
		defer f.Close()
		r := newCSV(enc.reader(f), comma)
		for i := 0; ; i++ {
			cells, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			var bad *csv.ParseError
			if errors.As(err, &bad) && bad.Line-bad.StartLine < 100 {
				if i > h && !yield(record{row: int64(bad.StartLine), rule: RuleSyntax, message: "引号不配对 (quotes do not match)"}, nil) {
					return
				}
				continue
			}
			if err != nil {
				yield(record{}, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err))
				return
			}
			if i <= h {
				continue
			}
			line, _ := r.FieldPos(0)
			if rec, ok := tableRow(int64(line), t.fields, cells); ok && !yield(rec, nil) {
				return
			}
		}
	}
	return t, nil
}

func newCSV(r io.Reader, comma rune) *csv.Reader {
	c := csv.NewReader(&lineLimit{r: r})
	c.Comma = comma
	c.FieldsPerRecord = -1
	return c
}

// lineLimit ends with an error where a line grows beyond all measure: the csv
// package would collect it whole.
type lineLimit struct {
	r io.Reader
	n int
}

func (l *lineLimit) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		l.n = n - i - 1
	} else {
		l.n += n
	}
	if l.n > maxLine {
		return 0, fmt.Errorf("一行超过 %d MB (line too long)", maxLine>>20)
	}
	return n, err
}

func csvTop(r *csv.Reader) (rows [][]string, lines []int64, err error) {
	for len(rows) < headerSearch {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var bad *csv.ParseError
		if err != nil && !errors.As(err, &bad) {
			return nil, nil, err
		}
		line := len(rows) + 1
		if err == nil {
			line, _ = r.FieldPos(0)
		}
		rows, lines = append(rows, cells), append(lines, int64(line))
	}
	if len(rows) == 0 {
		return nil, nil, errEmptyFile
	}
	return rows, lines, nil
}

// sniffComma takes the separator that occurs most in the first lines.
func sniffComma(r io.Reader) (rune, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(32 << 10)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return 0, err
	}
	best, most := ',', 0
	for _, c := range []rune{',', '\t', ';', '|'} {
		if n := strings.Count(string(head), string(c)); n > most {
			best, most = c, n
		}
	}
	return best, nil
}

type textEncoding struct {
	name string
	how  string // bom, utf8, guess, given
	enc  encoding.Encoding
	why  string // what a guess rests on
}

func (e textEncoding) reader(r io.Reader) io.Reader {
	if e.enc == nil {
		br := bufio.NewReader(r)
		if b, err := br.Peek(3); err == nil && bytes.Equal(b, []byte("\xef\xbb\xbf")) {
			_, _ = br.Discard(3)
		}
		return br
	}
	return e.enc.NewDecoder().Reader(r)
}

// encodingNamed knows the names people and manifests use.
func encodingNamed(name string) (textEncoding, bool) {
	switch strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name)) {
	case "utf8", "utf8bom":
		return textEncoding{name: "UTF-8", how: "given", enc: nil}, true
	case "gb18030":
		return textEncoding{name: "GB18030", how: "given", enc: simplifiedchinese.GB18030}, true
	case "gbk", "gb2312", "cp936", "936":
		return textEncoding{name: "GBK", how: "given", enc: simplifiedchinese.GB18030}, true
	case "big5", "cp950", "950":
		return textEncoding{name: "Big5", how: "given", enc: traditionalchinese.Big5}, true
	case "utf16", "utf16le":
		return textEncoding{name: "UTF-16LE", how: "given", enc: unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)}, true
	case "utf16be":
		return textEncoding{name: "UTF-16BE", how: "given", enc: unicode.UTF16(unicode.BigEndian, unicode.UseBOM)}, true
	}
	return textEncoding{}, false
}

func csvEncoding(s source) (textEncoding, error) {
	if s.encoding != "" && s.encoding != "auto" {
		e, ok := encodingNamed(s.encoding)
		if !ok {
			return e, fmt.Errorf("%w: 未知编码 (unknown encoding) %.40q", ErrFile, s.encoding)
		}
		return e, nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return textEncoding{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer f.Close()
	return detectText(f)
}

// detectText looks at a byte order mark, then counts what in the text is UTF-8 and
// what is not, and last tells GB18030 from Big5 by how common their characters
// would be. A text of UTF-8 with a few broken bytes is UTF-8: in another encoding
// nearly every character would break it, and to read all of it as that other one
// because of one byte would spoil every row.
func detectText(r io.Reader) (textEncoding, error) {
	br := bufio.NewReaderSize(r, 256<<10)
	head, err := br.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return textEncoding{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return textEncoding{name: "UTF-8", how: "bom"}, nil
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return textEncoding{name: "UTF-16LE", how: "bom", enc: unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)}, nil
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return textEncoding{name: "UTF-16BE", how: "bom", enc: unicode.UTF16(unicode.BigEndian, unicode.UseBOM)}, nil
	}
	var tail []byte
	var score bytesScore
	good, broken := 0, 0 // characters of several bytes, and bytes that belong to none
	count := func(b []byte) {
		if utf8.Valid(b) {
			good += (len(b) - utf8.RuneCount(b)) / 2 // three bytes a character, as Chinese is
			return
		}
		for len(b) > 0 {
			r, n := utf8.DecodeRune(b)
			switch {
			case r == utf8.RuneError && n == 1:
				broken++
			case n > 1:
				good++
			}
			b = b[n:]
		}
	}
	buf := make([]byte, 64<<10)
	for total := 0; ; {
		n, err := br.Read(buf)
		if n > 0 {
			chunk := append(tail, buf[:n]...)
			cut := completeUTF8(chunk)
			count(chunk[:cut])
			tail = append([]byte(nil), chunk[cut:]...)
			score.add(buf[:n])
			if total += n; broken > 0 && total > 4<<20 {
				break
			}
		}
		if errors.Is(err, io.EOF) {
			count(tail)
			break
		}
		if err != nil {
			return textEncoding{}, fmt.Errorf("%w: %w", ErrFile, err)
		}
	}
	switch {
	case broken == 0:
		return textEncoding{name: "UTF-8", how: "utf8"}, nil
	case good >= 4*broken:
		return textEncoding{name: "UTF-8", how: "guess", why: fmt.Sprintf("合 UTF-8 的字 %d 个,坏字节 %d 个,有坏字节的行待核实 (%d characters are UTF-8, %d bytes are not; their rows are set aside)", good, broken, good, broken)}, nil
	}
	why := fmt.Sprintf("不是 UTF-8;按 GB18030 有常用字 %d 个,按 Big5 有 %d 个 (not UTF-8; common characters as GB18030 %d, as Big5 %d)", score.gbk, score.big5, score.gbk, score.big5)
	if score.big5*4 > score.gbk*5 { // GB18030 unless Big5 is clearly better
		return textEncoding{name: "Big5", how: "guess", enc: traditionalchinese.Big5, why: why}, nil
	}
	return textEncoding{name: "GB18030", how: "guess", enc: simplifiedchinese.GB18030, why: why}, nil
}

// bytesScore counts pairs that are everyday characters in either encoding: the
// first level of GB 2312 (B0-D7, second byte from A1), and Big5's frequent block
// (A4-C6, second byte 40-7E or from A1).
type bytesScore struct {
	gbk, big5 int
	lead      byte
}

func (s *bytesScore) add(b []byte) {
	for _, c := range b {
		if s.lead == 0 {
			if c >= 0x81 {
				s.lead = c
			}
			continue
		}
		if s.lead >= 0xb0 && s.lead <= 0xd7 && c >= 0xa1 {
			s.gbk++
		}
		if s.lead >= 0xa4 && s.lead <= 0xc6 && (c >= 0x40 && c <= 0x7e || c >= 0xa1) {
			s.big5++
		}
		s.lead = 0
	}
}
