package blobs

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// The types of images taken. HEIC is none of them: no browser but one shows it, and the
// phone's own page has turned it into JPEG before it is sent.
const (
	typeJPEG = "image/jpeg"
	typePNG  = "image/png"
	typeWebP = "image/webp"
)

// header is what the first bytes of an image say about it.
type header struct {
	mime          string
	width, height int
	// decoded estimates the bytes the pixels take in memory while they are decoded.
	decoded int64
	// orientation is that of EXIF, 1 to 8.
	orientation int
}

var (
	// errForeign: these are not the bytes of an image of ours.
	errForeign = errors.New("blobs: not an image")
	// errShort: the bytes so far are those of an image, but its size is not among them.
	errShort = errors.New("blobs: the header of the image is not complete")
)

// costs notes what decoding takes, without going round where the numbers are absurd.
func (h *header) costs(pixels, per int64) {
	if pixels > math.MaxInt64/per {
		h.decoded = math.MaxInt64
		return
	}
	h.decoded = max(h.decoded, pixels*per)
}

// pixels is how many the image has.
func (h header) pixels() int64 { return int64(h.width) * int64(h.height) }

// readHeader reads type, size and orientation without decoding anything. n bytes of r
// are there.
func readHeader(r io.ReaderAt, n int64) (header, error) {
	var magic [12]byte
	got, err := r.ReadAt(magic[:min(12, max(n, 0))], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return header{}, err
	}
	m := magic[:got]
	is := func(at int, want string) bool { return len(m) >= at+len(want) && string(m[at:at+len(want)]) == want }
	switch {
	case is(0, "\xff\xd8\xff"):
		return readJPEG(r, n)
	case is(0, "\x89PNG\r\n\x1a\n"):
		return readPNG(r, n)
	case is(0, "RIFF") && is(8, "WEBP"):
		return readWebP(r, n)
	case len(m) < 12:
		return header{}, errShort
	}
	return header{}, errForeign
}

// at reads exactly len(b) bytes at off, or says that the image is short.
func at(r io.ReaderAt, n, off int64, b []byte) error {
	if off < 0 || off+int64(len(b)) > n {
		return errShort
	}
	if _, err := r.ReadAt(b, off); err != nil {
		return err
	}
	return nil
}

// maxSegments bounds the walk over the parts of an image.
const maxSegments = 4096

// readJPEG walks the segments up to the first scan. The largest frame counts.
func readJPEG(r io.ReaderAt, n int64) (header, error) {
	h := header{mime: typeJPEG, orientation: 1}
	off := int64(2)
	var b [10]byte
	for range maxSegments {
		if err := at(r, n, off, b[:2]); err != nil {
			return h, err
		}
		if b[0] != 0xff {
			return h, errForeign
		}
		marker := b[1]
		switch {
		case marker == 0xff: // fill
			off++
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd8: // without length
			off += 2
			continue
		}
		if err := at(r, n, off, b[:4]); err != nil {
			return h, err
		}
		length := int64(binary.BigEndian.Uint16(b[2:4]))
		if length < 2 {
			return h, errForeign
		}
		switch {
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc: // a frame
			if length < 8 {
				return h, errForeign
			}
			if err := at(r, n, off, b[:10]); err != nil {
				return h, err
			}
			frame := header{width: int(binary.BigEndian.Uint16(b[7:9])), height: int(binary.BigEndian.Uint16(b[5:7]))}
			if frame.width == 0 || frame.height == 0 {
				return h, errForeign // a height that comes later is written by no camera
			}
			if frame.pixels() > h.pixels() {
				h.width, h.height = frame.width, frame.height
			}
			per := int64(4) // colours, at their finest
			if marker != 0xc0 && marker != 0xc1 {
				per = 16 // progressive: the coefficients of every block are kept
			}
			h.costs(h.pixels(), per)
		case marker == 0xe1 && h.orientation == 1:
			h.orientation = exifAt(r, n, off+4, min(length-2, 64<<10))
		case marker == 0xda || marker == 0xd9: // the scan, or the end
			if h.width == 0 {
				return h, errForeign
			}
			return h, nil
		}
		off += 2 + length
	}
	return h, errForeign
}

// exifAt reads the orientation of an APP1 segment; 1 when it says none.
func exifAt(r io.ReaderAt, n, off, length int64) int {
	b := make([]byte, max(min(length, n-off), 0))
	if at(r, n, off, b) != nil || len(b) < 6 || string(b[:6]) != "Exif\x00\x00" {
		return 1
	}
	return orientation(b[6:])
}

// orientation finds tag 0x0112 in the first directory of a TIFF structure.
func orientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	dir := int64(order.Uint32(b[4:8]))
	if dir < 8 || dir+2 > int64(len(b)) {
		return 1
	}
	count := int64(order.Uint16(b[dir : dir+2]))
	for i := range count {
		e := dir + 2 + 12*i
		if e+12 > int64(len(b)) {
			return 1
		}
		if order.Uint16(b[e:e+2]) != 0x0112 {
			continue
		}
		if v := int(order.Uint16(b[e+8 : e+10])); order.Uint16(b[e+2:e+4]) == 3 && v >= 1 && v <= 8 {
			return v
		}
		return 1
	}
	return 1
}

// readPNG reads the first chunk, which is always the size.
func readPNG(r io.ReaderAt, n int64) (header, error) {
	h := header{mime: typePNG, orientation: 1}
	var b [18]byte
	if err := at(r, n, 8, b[:]); err != nil {
		return h, err
	}
	if string(b[4:8]) != "IHDR" || binary.BigEndian.Uint32(b[:4]) != 13 {
		return h, errForeign
	}
	w, ht := binary.BigEndian.Uint32(b[8:12]), binary.BigEndian.Uint32(b[12:16])
	if w == 0 || ht == 0 || w > 1<<31-1 || ht > 1<<31-1 {
		return h, errForeign
	}
	h.width, h.height = int(w), int(ht)
	per := int64(4)
	if b[16] == 16 { // bits per channel
		per = 8
	}
	h.costs(h.pixels(), per)
	return h, nil
}

// readWebP walks the chunks. The canvas may say another size than the picture on it; the
// larger counts.
func readWebP(r io.ReaderAt, n int64) (header, error) {
	h := header{mime: typeWebP, orientation: 1}
	take := func(w, ht int, per int64) {
		if p := int64(w) * int64(ht); p > h.pixels() {
			h.width, h.height = w, ht
		}
		h.costs(int64(w)*int64(ht), per)
	}
	off := int64(12)
	var b [18]byte
	for range maxSegments {
		if off+8 > n && h.width > 0 {
			return h, nil
		}
		if err := at(r, n, off, b[:8]); err != nil {
			return h, err
		}
		kind, length := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:8]))
		switch kind {
		case "VP8X", "VP8 ", "VP8L":
			if length < 10 && kind != "VP8L" || length < 5 {
				return h, errForeign
			}
			k := int64(10)
			if kind == "VP8L" {
				k = 5
			}
			p := b[8 : 8+k]
			if err := at(r, n, off+8, p); err != nil {
				return h, err
			}
			switch {
			case kind == "VP8X":
				take(1+int(uint32(p[4])|uint32(p[5])<<8|uint32(p[6])<<16), 1+int(uint32(p[7])|uint32(p[8])<<8|uint32(p[9])<<16), 1)
			case kind == "VP8 " && p[3] == 0x9d && p[4] == 0x01 && p[5] == 0x2a:
				take(int(binary.LittleEndian.Uint16(p[6:8])&0x3fff), int(binary.LittleEndian.Uint16(p[8:10])&0x3fff), 4)
			case kind == "VP8L" && p[0] == 0x2f:
				bits := binary.LittleEndian.Uint32(p[1:5])
				take(int(bits&0x3fff)+1, int(bits>>14&0x3fff)+1, 8)
			default:
				return h, errForeign
			}
			if h.width == 0 || h.height == 0 {
				return h, errForeign
			}
		case "EXIF":
			e := make([]byte, max(min(length, n-off-8, 64<<10), 0))
			if at(r, n, off+8, e) == nil {
				if len(e) > 6 && string(e[:6]) == "Exif\x00\x00" {
					e = e[6:]
				}
				h.orientation = orientation(e)
			}
		}
		off += 8 + length + length%2
	}
	return h, errForeign
}
