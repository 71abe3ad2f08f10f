package gdal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Encoding is how the text of a Shapefile's table is written, and how we know.
type Encoding struct {
	Name string // as iconv knows it: UTF-8, CP936, GB18030, BIG5
	By   string // cpg, ldid, utf8, guess
}

// maxDBFFields is what the format allows in its 16-bit header.
const maxDBFFields = 2046

// DetectEncoding finds the encoding of a Shapefile's table: the .cpg file, the
// language byte, a strict UTF-8 test of all text, else GB18030. Field names are
// text too; they are cut at ten bytes, which may split their last character.
func DetectEncoding(shp string) (Encoding, error) {
	base := strings.TrimSuffix(shp, shp[strings.LastIndexByte(shp, '.')+1:])
	base = strings.TrimSuffix(base, ".")
	dbf := sidecar(base, ".dbf")
	if dbf == "" {
		return Encoding{}, fmt.Errorf("%w: no .dbf", ErrFormat)
	}
	f, err := os.Open(dbf)
	if err != nil {
		return Encoding{}, fmt.Errorf("gdal: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Encoding{}, fmt.Errorf("gdal: %w", err)
	}
	found, err := detectDBF(f, info.Size()) // first: a damaged table is refused whatever the .cpg says
	if err != nil {
		return Encoding{}, err
	}
	if cpg := sidecar(base, ".cpg"); cpg != "" {
		raw, err := readHead(cpg, 64)
		if err != nil {
			return Encoding{}, err
		}
		if name := codePage(string(raw)); name != "" {
			return Encoding{name, "cpg"}, nil
		}
	}
	return found, nil
}

// codePage names the encoding a .cpg or --encoding text means, or "".
func codePage(s string) string {
	s = strings.ToUpper(strings.TrimSpace(strings.Trim(strings.TrimPrefix(s, "\xef\xbb\xbf"), "\x00 \r\n")))
	switch strings.NewReplacer("-", "", "_", "", " ", "").Replace(s) {
	case "UTF8", "65001", "CP65001":
		return "UTF-8"
	case "936", "CP936", "GBK", "GB2312", "ANSI936", "MS936", "WINDOWS936":
		return "CP936"
	case "GB18030", "54936", "CP54936":
		return "GB18030"
	case "950", "CP950", "BIG5", "ANSI950", "MS950":
		return "BIG5"
	case "ISO88591", "88591", "1252", "CP1252", "ANSI1252":
		return "" // what tools write that never asked: no evidence at all
	}
	return ""
}

func detectDBF(r io.Reader, size int64) (Encoding, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	var h [32]byte
	if _, err := io.ReadFull(br, h[:]); err != nil {
		return Encoding{}, fmt.Errorf("%w: table header: %w", ErrFormat, err)
	}
	headerLen := int(binary.LittleEndian.Uint16(h[8:]))
	recordLen := int(binary.LittleEndian.Uint16(h[10:]))
	fields := (headerLen - 33) / 32
	if headerLen < 33 || recordLen < 1 || fields < 1 || fields > maxDBFFields {
		return Encoding{}, fmt.Errorf("%w: table header says %d bytes, record %d", ErrFormat, headerLen, recordLen)
	}
	count := int64(binary.LittleEndian.Uint32(h[4:]))
	// One byte less is common: the end mark is missing.
	if need := int64(headerLen) + count*int64(recordLen); need > size {
		return Encoding{}, fmt.Errorf("%w: the table promises %d records and ends early", ErrFormat, count)
	}
	switch h[29] { // language driver id
	case 0x4d, 0x7a:
		return Encoding{"CP936", "ldid"}, nil
	case 0x4f, 0x78:
		return Encoding{"BIG5", "ldid"}, nil
	}
	utf8Only := true
	type span struct{ from, to int }
	var text []span
	at := 1
	for range fields {
		var d [32]byte
		if _, err := io.ReadFull(br, d[:]); err != nil {
			return Encoding{}, fmt.Errorf("%w: table header: %w", ErrFormat, err)
		}
		if d[0] == '\r' {
			break
		}
		name := d[:11]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		utf8Only = utf8Only && utf8.Valid(trimSplitRune(name))
		n := int(d[16])
		if d[11] == 'C' {
			n |= int(d[17]) << 8 // long text fields use the decimals byte
			text = append(text, span{at, at + n})
		}
		at += n
	}
	if at > recordLen {
		return Encoding{}, fmt.Errorf("%w: fields are longer than the record", ErrFormat)
	}
	if rest := headerLen - 32 - fields*32; rest > 0 {
		if _, err := br.Discard(rest); err != nil && !errors.Is(err, io.EOF) {
			return Encoding{}, fmt.Errorf("gdal: %w", err)
		}
	}
	record := make([]byte, recordLen)
	for utf8Only {
		if _, err := io.ReadFull(br, record); err != nil {
			break // a short last record is for the reader to complain about
		}
		for _, s := range text {
			value := bytes.TrimRight(record[s.from:s.to], " \x00")
			if len(value) == s.to-s.from {
				value = trimSplitRune(value) // cut off at the field's width
			}
			if !utf8.Valid(value) {
				utf8Only = false
				break
			}
		}
	}
	if utf8Only {
		return Encoding{"UTF-8", "utf8"}, nil
	}
	return Encoding{"GB18030", "guess"}, nil
}

// trimSplitRune takes an incomplete UTF-8 sequence off the end.
func trimSplitRune(b []byte) []byte {
	for i := 1; i <= 3 && i <= len(b); i++ {
		c := b[len(b)-i]
		if c < 0x80 {
			break
		}
		if c >= 0xc0 { // the lead byte: complete if the sequence is as long as it says
			want := 2
			if c >= 0xf0 {
				want = 4
			} else if c >= 0xe0 {
				want = 3
			}
			if i < want {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
