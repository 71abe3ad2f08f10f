package report

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"golang.org/x/text/encoding/simplifiedchinese"

	"onemap/internal/gdal"
)

// The bounds of a Shapefile's table.
const (
	maxName = 10  // bytes of a field's name
	maxText = 254 // bytes of a text
)

// missing stands for a character an encoding lacks, as printers have always done.
const missing = '〓'

// foreign writes through ogr2ogr. Our fields go under short safe names; OGR's SQL gives
// them their types and the names they shall have.
func (x *exporter) foreign(ctx context.Context) error {
	if x.tools == nil {
		return gdal.ErrMissing
	}
	geometry, err := x.geometry()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(x.dir, "export-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	shp := x.o.Format == Shapefile
	if shp {
		if x.o.Encoding == GB18030 {
			x.o.Encoding = GBK
		}
		if x.o.Encoding != UTF8 && x.o.Encoding != GBK {
			return fmt.Errorf("%w: the encoding %.20q", ErrInput, x.o.Encoding)
		}
	}
	widths := make([]int, len(x.cols))
	decimals := make([]int, len(x.cols))
	src := filepath.Join(work, "in.geojson")
	file, err := os.OpenFile(src, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = save(file, func(w io.Writer) error {
		if _, err := io.WriteString(w, `{"type":"FeatureCollection","features":[`); err != nil {
			return err
		}
		if len(x.f.Items) == 0 { // the fields want to be known all the same
			x.f.Items = []Feature{{}}
			defer func() { x.f.Items = nil }()
		}
		return x.features(w, func(_ column, i int) string { return "f" + strconv.Itoa(i) }, "]}", func(i int, it *Feature, v any) any {
			c := x.cols[i]
			switch t := v.(type) {
			case nil:
				return nil
			case float64:
				if _, after, ok := strings.Cut(strconv.FormatFloat(t, 'f', -1, 64), "."); ok {
					decimals[i] = max(decimals[i], len(after))
				}
				if c.Kind == Integer || c.Kind == Number || c.Kind == Percent {
					return v
				}
			case int64:
				if c.Kind == Integer || c.Kind == Number {
					return v
				}
			}
			s := legal(show(v, c.Kind))
			if shp {
				s = x.fit(it, c, s)
			}
			widths[i] = max(widths[i], len(s)) // OGR counts bytes of UTF-8, whatever the file's encoding
			return s
		})
	})
	if err != nil {
		return err
	}
	names := x.names()
	var sql []string
	for i, c := range x.cols {
		as := " AS " + gdal.Quote(names[i])
		in := "f" + strconv.Itoa(i)
		switch {
		case c.Kind == Integer:
			sql = append(sql, "CAST("+in+" AS bigint)"+as)
		case c.Kind == Number || c.Kind == Percent:
			kind := "float"
			if shp {
				d := min(decimals[i], 15)
				kind = fmt.Sprintf("numeric(%d,%d)", min(24, 10+d), d)
			}
			sql = append(sql, "CAST("+in+" AS "+kind+")"+as)
		case c.Kind == Date:
			sql = append(sql, "CAST("+in+" AS date)"+as)
		default:
			sql = append(sql, "CAST("+in+" AS character("+strconv.Itoa(max(1, widths[i]))+"))"+as)
		}
	}
	w := gdal.Writing{Layer: x.base, EPSG: system, Geometry: geometry, At: x.f.Made.At, SQL: "SELECT " + strings.Join(sql, ", ") + " FROM " + gdal.Quote("in")}
	if len(x.f.Items) == 0 {
		w.SQL += " WHERE FID < -1"
	}
	if len(sql) == 0 {
		w.SQL = ""
	}
	switch x.o.Format {
	case GeoPackage:
		w.Format = gdal.GeoPackage
		return x.move(ctx, src, filepath.Join(work, "out.gpkg"), w, x.base+".gpkg", "application/geopackage+sqlite3")
	case KML:
		w.Format, w.EPSG = gdal.KML, 4326 // the format knows no other
		if i := namedBy(x.cols); i >= 0 {
			w.SQL = strings.Replace(w.SQL, "SELECT ", "SELECT f"+strconv.Itoa(i)+" AS Name, ", 1)
		}
		return x.move(ctx, src, filepath.Join(work, "out.kml"), w, x.base+".kml", "application/vnd.google-earth.kml+xml")
	}
	return x.shapefile(ctx, work, src, w)
}

// namedBy is the field a place is called by.
func namedBy(cols []column) int {
	for i, c := range cols {
		if c.Field.Name == "name" {
			return i
		}
	}
	return -1
}

func (x *exporter) move(ctx context.Context, src, dst string, w gdal.Writing, name, media string) error {
	if _, err := x.tools.Write(ctx, src, dst, w); err != nil {
		return err
	}
	path := filepath.Join(x.dir, name)
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s exists already", name)
	}
	x.out.Path, x.out.Name, x.out.MediaType = path, name, media
	return os.Rename(dst, path)
}

// shapefile writes the parts and packs them.
func (x *exporter) shapefile(ctx context.Context, work, src string, w gdal.Writing) error {
	w.Format, w.Encoding = gdal.Shapefile, "UTF-8"
	page := "UTF-8"
	if x.o.Encoding == GBK {
		w.Encoding, page = "CP936", "GBK"
	}
	w.Layer = "out"
	if _, err := x.tools.Write(ctx, src, filepath.Join(work, "out.shp"), w); err != nil {
		return err
	}
	// Old programs read the language byte, new ones this file.
	if err := os.WriteFile(filepath.Join(work, "out.cpg"), []byte(page), 0o600); err != nil {
		return err
	}
	var files []packed
	for _, ext := range []string{".shp", ".shx", ".dbf", ".prj", ".cpg"} {
		path := filepath.Join(work, "out"+ext)
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("ogr2ogr wrote no %s: %w", ext, err)
		}
		files = append(files, packed{x.base + ext, path})
	}
	if len(x.out.Lost) > 0 {
		note := filepath.Join(work, "note.txt")
		if err := os.WriteFile(note, []byte(x.note()), 0o600); err != nil {
			return err
		}
		files = append(files, packed{x.base + "_说明.txt", note})
	}
	if x.o.parts { // for a package: the parts as they are
		for i := range files {
			path := filepath.Join(x.dir, filepath.Base(files[i].name))
			if err := os.Rename(files[i].path, path); err != nil {
				return err
			}
			files[i].path = path
		}
		x.out.parts = files
		return nil
	}
	file, err := x.create(x.base+".zip", "application/zip")
	if err != nil {
		return err
	}
	return save(file, func(out io.Writer) error { return zipFiles(out, x.f.Made.At, files) })
}

// note tells whoever opens the archive what the encoding could not hold.
func (x *exporter) note() string {
	var b strings.Builder
	b.WriteString("\ufeff以下文字超出编码或字段长度的限制，〓 代表无法表示的字。完整内容请用 UTF-8 或 GeoPackage 导出。\r\n")
	b.WriteString("These texts exceed the encoding or the field; 〓 stands for what could not be written.\r\n\r\n")
	for i, l := range x.out.Lost {
		if i == 1000 {
			fmt.Fprintf(&b, "… %d\r\n", len(x.out.Lost))
			break
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\r\n", l.Feature, l.Field, l.Chars, l.Text)
	}
	return b.String()
}

// size is how many bytes a character takes in the file.
func (x *exporter) size(r rune) int {
	if x.o.Encoding == GBK && x.o.Format == Shapefile {
		if r < 0x80 {
			return 1
		}
		return 2
	}
	return utf8.RuneLen(r)
}

// inGBK reports whether GBK has a character, as Windows code page 936 knows it.
func inGBK(r rune) bool {
	if r < 0x80 {
		return true
	}
	b, err := simplifiedchinese.GBK.NewEncoder().String(string(r))
	return err == nil && len(b) == 2
}

// fit makes a text fit the table and notes what it cost.
func (x *exporter) fit(it *Feature, c column, s string) string {
	var chars []rune
	if x.o.Encoding == GBK {
		out := strings.Map(func(r rune) rune {
			if inGBK(r) {
				return r
			}
			chars = append(chars, r)
			return missing
		}, s)
		if len(chars) > 0 {
			x.out.Lost = append(x.out.Lost, Lost{it.ID, c.name, s, string(chars)})
			s = out
		}
	}
	n := 0
	for i, r := range s {
		if n += x.size(r); n > maxText {
			x.out.Lost = append(x.out.Lost, Lost{Feature: it.ID, Field: c.name, Text: s})
			return s[:i]
		}
	}
	return s
}

// names makes the field names fit the format, every one different.
func (x *exporter) names() []string {
	out := make([]string, len(x.cols))
	taken := map[string]bool{}
	if x.o.Format == GeoPackage { // the table's own columns
		taken["fid"], taken["geom"] = true, true
	}
	if x.o.Format == KML {
		taken["name"], taken["description"] = true, true
	}
	for i, c := range x.cols {
		name := strings.Map(func(r rune) rune {
			switch {
			case x.o.Encoding == GBK && x.o.Format == Shapefile && !inGBK(r):
				return '_'
			case r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return r
			}
			return '_'
		}, legal(c.name))
		if name == "" {
			name = "F" + strconv.Itoa(i+1)
		}
		limit := 60
		if x.o.Format == Shapefile {
			limit = maxName
		}
		base := name
		name = x.cut(base, limit)
		for n := 1; taken[strings.ToLower(name)]; n++ {
			end := "_" + strconv.Itoa(n)
			name = x.cut(base, limit-len(end)) + end
		}
		taken[strings.ToLower(name)] = true
		out[i] = name
	}
	return out
}

// cut keeps whole characters within a number of bytes.
func (x *exporter) cut(s string, limit int) string {
	n := 0
	for i, r := range s {
		if n += x.size(r); n > limit {
			return s[:i]
		}
	}
	return s
}

// geometry is the one kind of shape of all features.
func (x *exporter) geometry() (string, error) {
	kinds := map[string]bool{}
	for i := range x.f.Items {
		switch x.f.Items[i].Shape.(type) {
		case nil:
		case orb.Polygon, orb.MultiPolygon:
			kinds["MULTIPOLYGON"] = true
		case orb.LineString, orb.MultiLineString:
			kinds["MULTILINESTRING"] = true
		case orb.Point:
			kinds["POINT"] = true
		case orb.MultiPoint:
			kinds["MULTIPOINT"] = true
		default:
			return "", fmt.Errorf("%w: a geometry of type %T", ErrInput, x.f.Items[i].Shape)
		}
	}
	all := make([]string, 0, len(kinds))
	for k := range kinds {
		all = append(all, k)
	}
	sort.Strings(all)
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		return "MULTIPOLYGON", nil // an empty plan
	case x.o.Format == Shapefile:
		return "", fmt.Errorf("%w: a Shapefile holds one kind of shape, here are %s", ErrInput, strings.Join(all, ", "))
	}
	return "GEOMETRY", nil
}
