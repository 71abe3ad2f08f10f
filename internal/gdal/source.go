package gdal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Format is one of the formats read through GDAL.
type Format string

// The formats, named as users know them.
const (
	Shapefile  Format = "shapefile"
	GeoPackage Format = "geopackage"
	KML        Format = "kml"
	FileGDB    Format = "filegdb"
	Access     Format = "mdb"
	DXF        Format = "dxf"
)

// ErrFormat means the content is none of the formats, or not the one its name
// promises.
var ErrFormat = errors.New("gdal: unknown or damaged format")

// Source is a checked local file (or .gdb directory).
type Source struct {
	Path   string // absolute
	Format Format
}

// Detect looks at a file's first bytes and tells its format. It refuses names
// GDAL would take for something else than a local file, and links.
func Detect(path string) (Source, error) {
	if strings.ContainsAny(path, "\x00\n\r") || strings.HasPrefix(path, "/vsi") || strings.Contains(path, "://") || strings.Contains(path, "/vsi") {
		return Source{}, fmt.Errorf("%w: %q is not a local file name", ErrFormat, path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return Source{}, fmt.Errorf("gdal: %w", err)
	}
	info, err := os.Lstat(abs)
	if err != nil {
		return Source{}, fmt.Errorf("gdal: %w", err)
	}
	switch {
	case info.IsDir():
		if tables, err := filepath.Glob(filepath.Join(escapeGlob(abs), "a0000000*.gdbtable")); err != nil || len(tables) == 0 {
			return Source{}, fmt.Errorf("%w: the folder is no file geodatabase", ErrFormat)
		}
		return Source{abs, FileGDB}, regularFiles(abs)
	case !info.Mode().IsRegular():
		return Source{}, fmt.Errorf("%w: %s is not a regular file", ErrFormat, filepath.Base(abs))
	}
	head, err := readHead(abs, 4096)
	if err != nil {
		return Source{}, err
	}
	f, err := sniff(head)
	if err != nil {
		return Source{}, fmt.Errorf("%w: %s", err, filepath.Base(abs))
	}
	if f == Shapefile {
		base := strings.TrimSuffix(abs, filepath.Ext(abs))
		for _, ext := range []string{".shx", ".dbf"} {
			if sidecar(base, ext) == "" {
				return Source{}, fmt.Errorf("%w: %s lies without its %s", ErrFormat, filepath.Base(abs), ext)
			}
		}
	}
	return Source{abs, f}, nil
}

func sniff(head []byte) (Format, error) {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte{0, 0, 0x27, 0x0a}):
		return Shapefile, nil
	case bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		// Offset 68 holds the application id: GPKG, or GP10 and GP11 in old files.
		if len(head) >= 72 && bytes.HasPrefix(head[68:], []byte("GP")) {
			return GeoPackage, nil
		}
		return "", fmt.Errorf("%w: a SQLite file that is no GeoPackage", ErrFormat)
	case len(head) > 20 && (bytes.HasPrefix(head[4:], []byte("Standard Jet DB")) || bytes.HasPrefix(head[4:], []byte("Standard ACE DB"))):
		return Access, nil
	case bytes.HasPrefix(text, []byte("<?xml")) || bytes.HasPrefix(text, []byte("<kml")):
		if bytes.Contains(text, []byte("<!DOCTYPE")) || bytes.Contains(text, []byte("<!ENTITY")) {
			return "", fmt.Errorf("%w: XML with a document type is refused", ErrFormat)
		}
		if bytes.Contains(text, []byte("<kml")) {
			return KML, nil
		}
		return "", fmt.Errorf("%w: XML that is no KML", ErrFormat)
	case isDXF(text):
		return DXF, nil
	}
	return "", ErrFormat
}

// isDXF recognises the pairs of group code and value every DXF text begins with.
func isDXF(text []byte) bool {
	lines := bytes.SplitN(text, []byte("\n"), 5)
	if len(lines) < 4 {
		return false
	}
	code, value := string(bytes.TrimSpace(lines[0])), string(bytes.TrimSpace(lines[1]))
	return (code == "0" && value == "SECTION") || (code == "999" && string(bytes.TrimSpace(lines[2])) == "0")
}

func readHead(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("gdal: %w", err)
	}
	defer f.Close()
	head := make([]byte, n)
	got, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("gdal: %w", err)
	}
	return head[:got], nil
}

// sidecar finds base+ext in any case of letters.
func sidecar(base, ext string) string {
	matches, err := filepath.Glob(escapeGlob(base) + ".*")
	if err != nil {
		return ""
	}
	for _, m := range matches {
		if strings.EqualFold(m[len(base):], ext) {
			if info, err := os.Lstat(m); err == nil && info.Mode().IsRegular() {
				return m
			}
		}
	}
	return ""
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// regularFiles refuses a folder that holds links or deeper folders.
func regularFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("gdal: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			return fmt.Errorf("%w: %s is not a regular file", ErrFormat, e.Name())
		}
	}
	return nil
}
