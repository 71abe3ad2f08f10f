package report

import (
	"context"
	"errors"

	"github.com/paulmach/orb"

	"onemap/internal/gdal"
)

var errNotYet = errors.New("report: not yet")

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
}

// Export writes features into dir, which must exist, and answers the file. GDAL may be
// nil for the formats written here (GeoJSON, CSV, XLSX).
func Export(ctx context.Context, tools *gdal.Runner, dir string, f Features, o ExportOptions) (File, error) {
	return File{}, errNotYet
}
