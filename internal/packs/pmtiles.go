package packs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/paulmach/orb"
)

// PMTiles version 3: https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
const (
	headerBytes = 127
	rootBytes   = 16384 - headerBytes // a reader's first request holds header and root
	gzipped     = 2
	vectorTiles = 1
)

// entry is a run of tiles of one content, or with run 0 a leaf directory.
type entry struct {
	id     uint64
	offset uint64
	length uint32
	run    uint32
}

// tileID is the place of a tile on the Hilbert curve through all zooms.
func tileID(z, x, y int) uint64 {
	id := (uint64(1)<<(2*z) - 1) / 3
	for bit := z - 1; bit >= 0; bit-- {
		s := 1 << bit
		rx, ry := (x>>bit)&1, (y>>bit)&1
		id += uint64((3*rx)^ry) << (2 * bit)
		if ry == 0 {
			if rx == 1 {
				x, y = s-1-x, s-1-y
			}
			x, y = y, x
		}
	}
	return id
}

// writer collects tiles in the order of their ids into a file of their own; finish puts
// the archive together.
type writer struct {
	data     *os.File
	size     uint64
	entries  []entry
	contents map[[32]byte]entry
	last     uint64
	tiles    uint64
}

func newWriter(data *os.File) *writer {
	return &writer{data: data, contents: map[[32]byte]entry{}}
}

// add takes a tile; bodies are gzip already. Equal ones are kept once.
func (w *writer) add(id uint64, body []byte) error {
	if w.tiles > 0 && id <= w.last {
		return fmt.Errorf("packs: tile %d after %d", id, w.last)
	}
	if len(body) == 0 || len(body) > math.MaxUint32 {
		return fmt.Errorf("packs: a tile of %d bytes", len(body))
	}
	w.last = id
	w.tiles++
	sum := sha256.Sum256(body)
	if e, ok := w.contents[sum]; ok {
		if n := len(w.entries) - 1; w.entries[n].offset == e.offset && w.entries[n].id+uint64(w.entries[n].run) == id {
			w.entries[n].run++
			return nil
		}
		w.entries = append(w.entries, entry{id: id, offset: e.offset, length: e.length, run: 1})
		return nil
	}
	if _, err := w.data.Write(body); err != nil {
		return err
	}
	e := entry{id: id, offset: w.size, length: uint32(len(body)), run: 1}
	w.size += uint64(len(body))
	w.contents[sum] = e
	w.entries = append(w.entries, e)
	return nil
}

// finish writes header, root, metadata, leaves and tiles to out and gives the size and the
// hash of the whole.
func (w *writer) finish(out io.Writer, metadata []byte, minZoom, maxZoom int, b orb.Bound) (int64, string, error) {
	root, leaves, err := directories(w.entries)
	if err != nil {
		return 0, "", err
	}
	meta, err := zipped(metadata)
	if err != nil {
		return 0, "", err
	}
	e7 := func(v float64) uint32 { return uint32(int32(math.Round(v * 1e7))) }
	h := make([]byte, 0, headerBytes)
	h = append(h, "PMTiles\x03"...)
	at := uint64(headerBytes)
	for _, n := range []int{len(root), len(meta), len(leaves)} {
		h = binary.LittleEndian.AppendUint64(h, at)
		h = binary.LittleEndian.AppendUint64(h, uint64(n))
		at += uint64(n)
	}
	for _, v := range []uint64{at, w.size, w.tiles, uint64(len(w.entries)), uint64(len(w.contents))} {
		h = binary.LittleEndian.AppendUint64(h, v)
	}
	h = append(h, 1, gzipped, gzipped, vectorTiles, byte(minZoom), byte(maxZoom))
	for _, v := range []float64{b.Min[0], b.Min[1], b.Max[0], b.Max[1]} {
		h = binary.LittleEndian.AppendUint32(h, e7(v))
	}
	h = append(h, byte((minZoom+maxZoom)/2))
	for _, v := range []float64{(b.Min[0] + b.Max[0]) / 2, (b.Min[1] + b.Max[1]) / 2} {
		h = binary.LittleEndian.AppendUint32(h, e7(v))
	}
	sum := sha256.New()
	both := io.MultiWriter(out, sum)
	for _, part := range [][]byte{h, root, meta, leaves} {
		if _, err := both.Write(part); err != nil {
			return 0, "", err
		}
	}
	if _, err := w.data.Seek(0, io.SeekStart); err != nil {
		return 0, "", err
	}
	n, err := io.Copy(both, io.LimitReader(w.data, int64(w.size)))
	if err != nil {
		return 0, "", err
	}
	if uint64(n) != w.size {
		return 0, "", io.ErrUnexpectedEOF
	}
	return int64(at) + n, hex.EncodeToString(sum.Sum(nil)), nil
}

// directories packs the entries into a root that fits the first request, with leaves
// below it where they are many.
func directories(entries []entry) (root, leaves []byte, err error) {
	if root, err = directory(entries); err != nil || len(root) <= rootBytes {
		return root, nil, err
	}
	for size := 4096; size <= 1<<24; size *= 2 {
		var top []entry
		leaves = nil
		for i := 0; i < len(entries); i += size {
			part := entries[i:min(i+size, len(entries))]
			d, err := directory(part)
			if err != nil {
				return nil, nil, err
			}
			top = append(top, entry{id: part[0].id, offset: uint64(len(leaves)), length: uint32(len(d))})
			leaves = append(leaves, d...)
		}
		if root, err = directory(top); err != nil || len(root) <= rootBytes {
			return root, leaves, err
		}
	}
	return nil, nil, errors.New("packs: the directory does not fit")
}

// directory is the spec's form: numbers, column by column, packed.
func directory(entries []entry) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(entries)))
	last := uint64(0)
	for _, e := range entries {
		b = binary.AppendUvarint(b, e.id-last)
		last = e.id
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(e.run))
	}
	for _, e := range entries {
		b = binary.AppendUvarint(b, uint64(e.length))
	}
	for i, e := range entries {
		if i > 0 && e.offset == entries[i-1].offset+uint64(entries[i-1].length) {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, e.offset+1)
	}
	return zipped(b)
}

func zipped(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
