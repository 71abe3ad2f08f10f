package report

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"

	"onemap/internal/gdal"
)

// Format is the format of an export.
type Format string

// The formats of an export.
const (
	GeoJSON    Format = "geojson"
	GeoPackage Format = "gpkg"
	Shapefile  Format = "shp"
	KML        Format = "kml"
	CSVFile    Format = "csv"
	XLSXFile   Format = "xlsx"
)

// Encoding is how text is written where a format leaves the choice.
type Encoding string

// The encodings. A table takes UTF8 and GB18030, a Shapefile UTF8 and GBK.
const (
	UTF8    Encoding = "utf-8"
	GBK     Encoding = "gbk"
	GB18030 Encoding = "gb18030"
)

// Field is one attribute of exported features.
type Field struct {
	Name  string // key, as in the API: level
	Title string // for people: 等级
	Unit  string
	Kind  Kind // Text, Integer, Number, Date
}

// Feature is one exported feature; Values stand in the order of the fields.
type Feature struct {
	ID     string
	Shape  orb.Geometry // degrees on CGCS2000, exact
	Values []any        // nil, string, bool, integers, floats, time.Time, pointers to them
}

// Features are what an export writes.
type Features struct {
	Name   string // of the layer and the file, without ending
	Title  string
	Head   [][2]string // 截至, 口径, 来源, 坐标系: into tables and metadata
	Fields []Field
	Items  []Feature
	Made   Made
}

// ExportOptions say how features are written.
type ExportOptions struct {
	Format   Format
	Encoding Encoding // default UTF8
	// Fields renames, orders and selects fields; empty takes all, by their keys in
	// geodata and by their titles in tables.
	Fields []TemplateField

	parts bool // a Shapefile's files as they are, not packed
}

// Lost is a text that could not be written as it is.
type Lost struct {
	Feature string // its ID
	Field   string
	Text    string // as it was
	Chars   string // the characters replaced by 〓; "" where the text was cut
}

// File is a file made.
type File struct {
	Path      string
	Name      string // to offer it by
	MediaType string
	Lost      []Lost

	parts []packed
}

// system is the coordinate system of what is exported: CGCS2000.
const system = 4490

// Export writes features into dir, which must exist, and answers the file. GDAL may be
// nil for the formats written here (GeoJSON, CSV, XLSX).
func Export(ctx context.Context, tools *gdal.Runner, dir string, f Features, o ExportOptions) (File, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return File{}, fmt.Errorf("report: export: %w", err)
	}
	base := fileName(f.Name)
	if base == "" {
		base = "export"
	}
	x := &exporter{tools: tools, dir: dir, base: base, f: &f, o: o}
	if x.o.Encoding == "" {
		x.o.Encoding = UTF8
	}
	if err := x.choose(); err != nil {
		return File{}, err
	}
	switch o.Format {
	case GeoJSON:
		err = x.geojson()
	case CSVFile, XLSXFile:
		err = x.sheet()
	case GeoPackage, Shapefile, KML:
		err = x.foreign(ctx)
	default:
		return File{}, fmt.Errorf("%w: the format %.20q", ErrInput, o.Format)
	}
	if err != nil {
		return File{}, fmt.Errorf("report: export: %w", err)
	}
	return x.out, nil
}

type exporter struct {
	tools *gdal.Runner
	dir   string
	base  string
	f     *Features
	o     ExportOptions
	cols  []column
	out   File
}

// column is a field on its way out.
type column struct {
	Field
	name string // in the file
	at   int    // in Values
}

// choose finds the fields asked for.
func (x *exporter) choose() error {
	if len(x.o.Fields) == 0 {
		for i, f := range x.f.Fields {
			name := f.Name
			if x.o.Format == CSVFile || x.o.Format == XLSXFile {
				name = f.heading()
			}
			x.cols = append(x.cols, column{f, name, i})
		}
		return nil
	}
	for _, t := range x.o.Fields {
		i := slices.IndexFunc(x.f.Fields, func(f Field) bool { return f.Name == t.Source })
		if i < 0 {
			return fmt.Errorf("%w: the template asks for the field %.60q, which there is not", ErrInput, t.Source)
		}
		name := t.Name
		if name == "" {
			name = t.Source
		}
		x.cols = append(x.cols, column{x.f.Fields[i], name, i})
	}
	return nil
}

func (f Field) heading() string {
	t := f.Title
	if t == "" {
		t = f.Name
	}
	return Column{Title: t, Unit: f.Unit}.heading()
}

func (c column) of(it *Feature) any {
	if c.at >= len(it.Values) {
		return nil
	}
	return plain(it.Values[c.at])
}

// create makes a new file in the folder; it never writes over one.
func (x *exporter) create(name, media string) (*os.File, error) {
	path := filepath.Join(x.dir, name)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	x.out.Path, x.out.Name, x.out.MediaType = path, name, media
	return file, nil
}

// save writes a file through a buffer; what is half written does not stay.
func save(file *os.File, fn func(io.Writer) error) error {
	buf := bufio.NewWriterSize(file, 1<<16)
	err := fn(buf)
	if err == nil {
		err = buf.Flush()
	}
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

func (x *exporter) sheet() error {
	t := Table{Name: x.f.Title, Title: x.f.Title, Head: x.f.Head, By: x.f.Made.By, At: x.f.Made.At}
	for _, c := range x.cols {
		t.Columns = append(t.Columns, Column{Title: c.name, Kind: c.Kind})
	}
	shapes := x.o.Format == CSVFile
	if shapes {
		t.Columns = append(t.Columns, Column{Title: "WKT"})
	}
	for i := range x.f.Items {
		it := &x.f.Items[i]
		row := make([]any, 0, len(t.Columns))
		for _, c := range x.cols {
			row = append(row, c.of(it))
		}
		if shapes && it.Shape != nil {
			row = append(row, wkt.MarshalString(it.Shape))
		}
		t.Rows = append(t.Rows, row)
	}
	if shapes {
		file, err := x.create(x.base+".csv", "text/csv")
		if err != nil {
			return err
		}
		return save(file, func(w io.Writer) error { return CSV(w, t, x.o.Encoding) })
	}
	file, err := x.create(x.base+".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
	if err != nil {
		return err
	}
	return save(file, func(w io.Writer) error { return XLSX(w, t) })
}

func (x *exporter) geojson() error {
	file, err := x.create(x.base+".geojson", "application/geo+json")
	if err != nil {
		return err
	}
	return save(file, func(w io.Writer) error {
		about := map[string]string{"title": x.f.Title, "crs": "CGCS2000 (EPSG:4490), 经度在前"}
		for _, h := range x.f.Head {
			about[h[0]] = h[1]
		}
		if !x.f.Made.At.IsZero() {
			about["made"] = x.f.Made.At.Format(time.RFC3339)
		}
		if x.f.Made.By != "" {
			about["by"] = x.f.Made.By
		}
		head, err := json.Marshal(about)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "{\"type\":\"FeatureCollection\",\"metadata\":%s,\"features\":[", head); err != nil {
			return err
		}
		return x.features(w, func(c column, _ int) string { return c.name }, "]}\n", func(_ int, _ *Feature, v any) any { return v })
	})
}

// features writes the features as GeoJSON text. Positions have all their digits.
func (x *exporter) features(w io.Writer, name func(column, int) string, end string, value func(int, *Feature, any) any) error {
	var b []byte
	for i := range x.f.Items {
		it := &x.f.Items[i]
		b = b[:0]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, "\n{\"type\":\"Feature\",\"id\":"...)
		b = appendJSON(b, it.ID)
		b = append(b, ",\"properties\":{"...)
		for k, c := range x.cols {
			if k > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, name(c, k))
			b = append(b, ':')
			v := value(k, it, c.of(it))
			if t, ok := v.(time.Time); ok {
				if c.Kind == Date {
					v = t.Format("2006-01-02")
				} else {
					v = t.Format(time.RFC3339)
				}
			}
			b = appendJSON(b, v)
		}
		b = append(b, "},\"geometry\":"...)
		var err error
		if b, err = appendGeometry(b, it.Shape); err != nil {
			return err
		}
		b = append(b, '}')
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, end)
	return err
}

func appendJSON(b []byte, v any) []byte {
	if s, ok := v.(string); ok {
		v = legal(s)
	}
	if f, ok := v.(float64); ok {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	text, err := json.Marshal(v)
	if err != nil { // of plain values only a float that is none, and those are nil
		return append(b, "null"...)
	}
	return append(b, text...)
}

func appendGeometry(b []byte, g orb.Geometry) ([]byte, error) {
	line := func(b []byte, pts []orb.Point) []byte {
		b = append(b, '[')
		for i, p := range pts {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendPoint(b, p)
		}
		return append(b, ']')
	}
	polygon := func(b []byte, p orb.Polygon) []byte {
		b = append(b, '[')
		for i, r := range p {
			if i > 0 {
				b = append(b, ',')
			}
			b = line(b, r)
		}
		return append(b, ']')
	}
	switch g := g.(type) {
	case nil:
		return append(b, "null"...), nil
	case orb.Point:
		return append(appendPoint(append(b, `{"type":"Point","coordinates":`...), g), '}'), nil
	case orb.LineString:
		return append(line(append(b, `{"type":"LineString","coordinates":`...), g), '}'), nil
	case orb.Polygon:
		return append(polygon(append(b, `{"type":"Polygon","coordinates":`...), g), '}'), nil
	case orb.MultiPoint:
		return append(line(append(b, `{"type":"MultiPoint","coordinates":`...), g), '}'), nil
	case orb.MultiLineString:
		b = append(b, `{"type":"MultiLineString","coordinates":[`...)
		for i, l := range g {
			if i > 0 {
				b = append(b, ',')
			}
			b = line(b, l)
		}
		return append(b, "]}"...), nil
	case orb.MultiPolygon:
		b = append(b, `{"type":"MultiPolygon","coordinates":[`...)
		for i, p := range g {
			if i > 0 {
				b = append(b, ',')
			}
			b = polygon(b, p)
		}
		return append(b, "]}"...), nil
	}
	return b, fmt.Errorf("%w: a geometry of type %T", ErrInput, g)
}

func appendPoint(b []byte, p orb.Point) []byte {
	b = append(b, '[')
	b = strconv.AppendFloat(b, p[0], 'f', -1, 64)
	b = append(b, ',')
	b = strconv.AppendFloat(b, p[1], 'f', -1, 64)
	return append(b, ']')
}

// fileName is a name every system takes as one file's.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, legal(s))
	return strings.Trim(clipRunes(s, 80), ". ")
}

// zipFiles packs files of a folder, in the order given.
func zipFiles(w io.Writer, at time.Time, files []packed) error {
	z := zip.NewWriter(w)
	for _, f := range files {
		out, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: at.UTC()})
		if err != nil {
			return err
		}
		in, err := os.Open(f.path)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		if cerr := in.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	return z.Close()
}

// packed is a file and its name in an archive.
type packed struct{ name, path string }
