package gdal

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// ErrArchive means an archive breaks the rules of [Unpack].
var ErrArchive = errors.New("gdal: archive refused")

// ArchiveLimits bound what is unpacked. Zero values take the defaults.
type ArchiveLimits struct {
	Entries int   // default 1,000
	Bytes   int64 // unpacked, counted as it comes out; default 4 GiB
	Ratio   int64 // unpacked to packed, per entry and in all; default 100
}

// Unpack writes the files of a zip archive (or KMZ) into dir, which must exist and
// be empty, and returns their paths. Nothing is written outside dir; names that
// are not local, links and special files, archives inside the archive, and any
// limit that is passed end it with [ErrArchive].
func Unpack(ctx context.Context, archive, dir string, lim ArchiveLimits) ([]string, error) {
	if lim.Entries <= 0 {
		lim.Entries = 1_000
	}
	if lim.Bytes <= 0 {
		lim.Bytes = 4 << 30
	}
	if lim.Ratio <= 0 {
		lim.Ratio = 100
	}
	f, err := os.Open(archive)
	if err != nil {
		return nil, fmt.Errorf("gdal: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("gdal: %w", err)
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	if len(z.File) > lim.Entries {
		return nil, fmt.Errorf("%w: %d entries, at most %d", ErrArchive, len(z.File), lim.Entries)
	}
	// A root keeps every name inside dir, whatever the checks below overlook.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("gdal: %w", err)
	}
	defer root.Close()
	var out []string
	// The whole archive's size bounds the sum, so overlapping entries gain nothing.
	left := min(lim.Bytes, lim.Ratio*max(info.Size(), 1<<10))
	for _, e := range z.File {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("gdal: %w", err)
		}
		name, err := entryName(e)
		if err != nil {
			return nil, err
		}
		if e.FileInfo().IsDir() {
			continue
		}
		n, err := unpackEntry(root, name, e, left, lim.Ratio)
		if err != nil {
			return nil, err
		}
		left -= n
		out = append(out, filepath.Join(dir, name))
	}
	return out, nil
}

// entryName gives the checked local name of an entry. Archives made by Chinese
// Windows name their files in GBK.
func entryName(e *zip.File) (string, error) {
	name := e.Name
	if e.NonUTF8 && !utf8.ValidString(name) {
		if s, err := simplifiedchinese.GB18030.NewDecoder().String(name); err == nil {
			name = s
		}
	}
	bad := func(why string) (string, error) { return "", fmt.Errorf("%w: %.100q: %s", ErrArchive, name, why) }
	local := strings.TrimSuffix(filepath.FromSlash(name), "/")
	switch {
	case name == "" || !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\\:\n\r"):
		return bad("not a portable name")
	case !filepath.IsLocal(local):
		return bad("leads out of the archive")
	case len(name) > 512 || strings.Count(name, "/") > 8:
		return bad("too long or too deep")
	case strings.HasPrefix(name, "vsi") || strings.Contains(name, "/vsi"):
		return bad("not a portable name")
	}
	if mode := e.Mode(); !mode.IsDir() && !mode.IsRegular() {
		return bad("a link or special file")
	}
	switch strings.ToLower(filepath.Ext(local)) {
	case ".zip", ".kmz", ".7z", ".rar", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst", ".jar":
		return bad("an archive inside the archive")
	}
	return filepath.Clean(local), nil
}

func unpackEntry(root *os.Root, name string, e *zip.File, left, ratio int64) (int64, error) {
	in, err := e.Open()
	if err != nil {
		return 0, fmt.Errorf("%w: %.100q: %w", ErrArchive, name, err)
	}
	defer in.Close()
	if parent := filepath.Dir(name); parent != "." {
		if err := root.MkdirAll(parent, 0o700); err != nil {
			return 0, fmt.Errorf("gdal: %w", err)
		}
	}
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return 0, fmt.Errorf("%w: %.100q twice", ErrArchive, name)
	}
	if err != nil {
		return 0, fmt.Errorf("gdal: %w", err)
	}
	// Small entries may pack well; from a megabyte on, the ratio tells a bomb.
	most := min(left, max(1<<20, ratio*int64(min(e.CompressedSize64, 1<<40))))
	head := &magic{}
	n, err := io.Copy(out, io.TeeReader(io.LimitReader(in, most+1), head))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	switch {
	case errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF):
		return n, fmt.Errorf("%w: %.100q: %w", ErrArchive, name, err)
	case err != nil:
		return n, fmt.Errorf("gdal: unpack %.100q: %w", name, err)
	case n > most:
		return n, fmt.Errorf("%w: %.100q unpacks to more than %d bytes", ErrArchive, name, most)
	case head.archive():
		return n, fmt.Errorf("%w: %.100q: an archive inside the archive", ErrArchive, name)
	}
	return n, nil
}

// magic keeps the first bytes of an entry: an archive under another name is one
// all the same.
type magic struct {
	b [8]byte
	n int
}

func (m *magic) Write(p []byte) (int, error) {
	m.n += copy(m.b[m.n:], p)
	return len(p), nil
}

func (m *magic) archive() bool {
	s := string(m.b[:m.n])
	for _, sign := range []string{"PK\x03\x04", "PK\x05\x06", "\x1f\x8b", "7z\xbc\xaf\x27\x1c", "Rar!", "BZh", "\xfd7zXZ", "\x28\xb5\x2f\xfd"} {
		if strings.HasPrefix(s, sign) {
			return true
		}
	}
	return false
}

// IsArchive reports whether the file is a zip archive by its first bytes.
func IsArchive(path string) (bool, error) {
	head, err := readHead(path, 4)
	if err != nil {
		return false, err
	}
	return string(head) == "PK\x03\x04" || string(head) == "PK\x05\x06", nil
}

// Sources lists what can be read among unpacked files: every format's main file,
// and .gdb folders.
func Sources(files []string) []Source {
	var out []Source
	seen := map[string]bool{}
	for _, f := range files {
		if dir := filepath.Dir(f); strings.EqualFold(filepath.Ext(dir), ".gdb") {
			f = dir
		} else {
			switch strings.ToLower(filepath.Ext(f)) {
			case ".shp", ".gpkg", ".kml", ".mdb", ".accdb", ".dxf":
			default:
				continue
			}
		}
		if seen[f] {
			continue
		}
		seen[f] = true
		if s, err := Detect(f); err == nil {
			out = append(out, s)
		}
	}
	return out
}
