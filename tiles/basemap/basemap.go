package basemap

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"

	"onemap/static"
)

// ErrArchive says that the bytes are not an archive this package reads.
var ErrArchive = errors.New("basemap: not a readable PMTiles archive")

// The parts of the PMTiles v3 header this package needs (specification §3).
const (
	headerSize      = 127
	maxEntries      = 1 << 20
	maxDirectory    = 16 << 20
	compressionGzip = 2
	typeMVT         = 1
)

// An Archive is the base map. It is safe for concurrent use.
type Archive struct {
	data    []byte // tile section
	entries []entry
	maxZoom int
	etag    string
}

// An entry maps run consecutive tile numbers to the same bytes.
type entry struct {
	id     uint64
	run    uint64
	offset uint64
	length uint64
}

// Open reads the embedded archive.
func Open() (*Archive, error) {
	raw, err := fs.ReadFile(static.Files(), static.Basemap)
	if err != nil {
		return nil, fmt.Errorf("basemap: %w", err)
	}
	return Parse(raw)
}

// Parse reads an archive of gzipped vector tiles with one root directory and no
// leaves, which is what our build writes.
func Parse(raw []byte) (*Archive, error) {
	if len(raw) < headerSize || string(raw[:7]) != "PMTiles" || raw[7] != 3 {
		return nil, ErrArchive
	}
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(raw[at:]) }
	if raw[97] != compressionGzip || raw[98] != compressionGzip || raw[99] != typeMVT {
		return nil, fmt.Errorf("%w: want gzipped MVT", ErrArchive)
	}
	if u64(48) != 0 {
		return nil, fmt.Errorf("%w: leaf directories are not supported", ErrArchive)
	}
	root, ok := section(raw, u64(8), u64(16))
	if !ok {
		return nil, fmt.Errorf("%w: root directory outside the file", ErrArchive)
	}
	tiles, ok := section(raw, u64(56), u64(64))
	if !ok {
		return nil, fmt.Errorf("%w: tiles outside the file", ErrArchive)
	}
	entries, err := directory(root)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.offset > uint64(len(tiles)) || e.length > uint64(len(tiles))-e.offset {
			return nil, fmt.Errorf("%w: entry outside the file", ErrArchive)
		}
	}
	sum := sha256.Sum256(raw)
	return &Archive{data: tiles, entries: entries, maxZoom: int(raw[101]), etag: hex.EncodeToString(sum[:12])}, nil
}

func section(raw []byte, offset, length uint64) ([]byte, bool) {
	if offset > uint64(len(raw)) || length > uint64(len(raw))-offset {
		return nil, false
	}
	return raw[offset : offset+length], true
}

// directory decodes four columns of varints: id deltas, runs, lengths, offsets.
func directory(packed []byte) ([]entry, error) {
	gz, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	plain, err := io.ReadAll(io.LimitReader(gz, maxDirectory))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	r := bytes.NewReader(plain)
	var failed error
	next := func() uint64 {
		v, err := binary.ReadUvarint(r)
		if err != nil && failed == nil {
			failed = fmt.Errorf("%w: directory: %w", ErrArchive, err)
		}
		return v
	}
	n := next()
	// Four varints per entry, one byte each at least: a larger count is a lie.
	if failed != nil || n > maxEntries || n*4 > uint64(len(plain)) {
		return nil, fmt.Errorf("%w: %d directory entries", ErrArchive, n)
	}
	entries := make([]entry, n)
	var id uint64
	for i := range entries {
		id += next()
		entries[i].id = id
	}
	for i := range entries {
		entries[i].run = next()
	}
	for i := range entries {
		entries[i].length = next()
	}
	for i := range entries {
		if v := next(); v == 0 && i > 0 {
			entries[i].offset = entries[i-1].offset + entries[i-1].length
		} else if v > 0 {
			entries[i].offset = v - 1
		}
	}
	return entries, failed
}

// MaxZoom is the deepest zoom of the archive; clients overzoom above it.
func (a *Archive) MaxZoom() int { return a.maxZoom }

// ETag is strong and quoted; the archive changes only with the binary, so one tag
// serves all tiles.
func (a *Archive) ETag() string { return `"` + a.etag + `"` }

// Tile answers one tile, compressed with gzip. It is false where the archive has
// nothing: open sea, or a zoom and place it does not cover.
func (a *Archive) Tile(z, x, y int) ([]byte, bool) {
	if z < 0 || z > a.maxZoom || x < 0 || y < 0 || x >= 1<<z || y >= 1<<z {
		return nil, false
	}
	id := tileID(uint(z), uint64(x), uint64(y))
	i := sort.Search(len(a.entries), func(i int) bool { return a.entries[i].id > id }) - 1
	if i < 0 {
		return nil, false
	}
	e := a.entries[i]
	if id-e.id >= e.run {
		return nil, false
	}
	return a.data[e.offset : e.offset+e.length], true
}

// tileID numbers tiles along a Hilbert curve, zoom after zoom (PMTiles v3 §4).
func tileID(z uint, x, y uint64) uint64 {
	var id uint64
	for k := range z {
		id += 1 << (2 * k)
	}
	if z == 0 {
		return id
	}
	for s := uint64(1) << (z - 1); s > 0; s >>= 1 {
		var rx, ry uint64
		if x&s > 0 {
			rx = 1
		}
		if y&s > 0 {
			ry = 1
		}
		id += s * s * ((3 * rx) ^ ry)
		if ry == 0 {
			if rx == 1 {
				x = s - 1 - (x & (s - 1))
				y = s - 1 - (y & (s - 1))
			}
			x, y = y, x
		}
	}
	return id
}
