package report

import (
	"context"
	"time"

	"onemap/internal/gdal"
)

// Made says who made a file and when.
type Made struct {
	By string
	At time.Time
}

// Template says what a delivery package (成果汇交包) contains. It is data: the body of
// the rule set delivery_package. Names may hold the placeholders of [PackageInput.Words]
// in braces. For example:
//
//	{
//	  "name": "{area_code}_{hazard}_{kind}_{date}",
//	  "files": [
//	    {"path": "01矢量数据/{area_code}{kind_title}.shp", "kind": "shp", "encoding": "gbk",
//	     "fields": [{"name": "XZQDM", "source": "area_code"}, {"name": "QHDM", "source": "code"},
//	                {"name": "QHMC", "source": "name"}, {"name": "DJ", "source": "level"},
//	                {"name": "DJMC", "source": "level_name"}, {"name": "MJ", "source": "area_km2"},
//	                {"name": "RK", "source": "population"}, {"name": "FZDC", "source": "countermeasure"}]},
//	    {"path": "02成果表/{title}.xlsx", "kind": "xlsx",
//	     "fields": [{"name": "区划单元", "source": "name"}, {"name": "等级", "source": "level_name"}]},
//	    {"path": "02成果表/意见采纳情况表.xlsx", "kind": "table", "table": "comments"},
//	    {"path": "03成果图/{title}.pdf", "kind": "pdf"},
//	    {"path": "文件清单.xlsx", "kind": "contents"}
//	  ]
//	}
//
// A field's source is the key of one of the exported fields. A table or a sheet the
// caller does not give is left out and said so in the list of contents.
type Template struct {
	Name  string         `json:"name"`  // of the zip, without ending
	Files []TemplateFile `json:"files"` // in this order
}

// TemplateFile is one file of a package.
type TemplateFile struct {
	Path     string          `json:"path"`               // in the zip, with / between folders
	Kind     string          `json:"kind"`               // shp, gpkg, geojson, kml, csv, xlsx, table, pdf, png, contents
	Encoding Encoding        `json:"encoding,omitempty"` // utf-8 (default), gbk, gb18030
	Fields   []TemplateField `json:"fields,omitempty"`   // empty: all
	Table    string          `json:"table,omitempty"`    // for table: the key of PackageInput.Tables
	Size     Size            `json:"size,omitempty"`     // for pdf and png: other than the sheet's own
}

// TemplateField is one field of a file: what it is called and which value it holds.
type TemplateField struct {
	Name   string `json:"name"`
	Source string `json:"source"`
}

// PackageInput is what a package is made of.
type PackageInput struct {
	Words    map[string]string // placeholders: area_code, area, hazard, hazard_title, kind, kind_title, title, version, date
	Features Features
	Sheet    *Sheet
	Tables   map[string]Table
	Made     Made
}

// ReadTemplate reads and checks a template.
func ReadTemplate(body []byte) (Template, error) { return Template{}, errNotYet }

// Package writes a delivery package into dir, which must exist: a zip with the files of
// the template and a list of them with sizes and SHA-256.
func Package(ctx context.Context, tools *gdal.Runner, dir string, t Template, in PackageInput) (File, error) {
	return File{}, errNotYet
}
