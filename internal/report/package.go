package report

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
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

// kinds are the files a template may ask for.
var kinds = map[string]string{
	"shp": ".shp", "gpkg": ".gpkg", "geojson": ".geojson", "kml": ".kml", "csv": ".csv", "xlsx": ".xlsx", "table": ".xlsx", "pdf": ".pdf", "png": ".png", "contents": ".xlsx",
}

// ReadTemplate reads and checks a template.
func ReadTemplate(body []byte) (Template, error) {
	var t Template
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return Template{}, fmt.Errorf("%w: template: %w", ErrInput, err)
	}
	return t, t.check()
}

func (t *Template) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: template: "+format, append([]any{ErrInput}, args...)...)
	}
	if strings.TrimSpace(t.Name) == "" {
		return bad("it has no name")
	}
	if len(t.Files) == 0 || len(t.Files) > 200 {
		return bad("it has %d files; 1 to 200", len(t.Files))
	}
	for _, f := range t.Files {
		ext, ok := kinds[f.Kind]
		switch {
		case !ok:
			return bad("%.60q: no kind of file is %.20q", f.Path, f.Kind)
		case !filepath.IsLocal(f.Path) || strings.ContainsAny(f.Path, "\\:*?\"<>|\x00\n\r") || strings.Contains(f.Path, "/vsi") || strings.HasPrefix(f.Path, "vsi") || len(f.Path) > 240:
			return bad("%.60q is no path inside a package", f.Path)
		case !strings.HasSuffix(strings.ToLower(f.Path), ext):
			return bad("%.60q must end in %s", f.Path, ext)
		case f.Kind == "table" && f.Table == "":
			return bad("%.60q names no table", f.Path)
		}
		switch f.Encoding {
		case "", UTF8, GBK, GB18030:
		default:
			return bad("%.60q: no encoding is %.20q", f.Path, f.Encoding)
		}
		if _, ok := paper[f.Size]; f.Size != "" && !ok {
			return bad("%.60q: no paper is called %.20q", f.Path, f.Size)
		}
		for _, field := range f.Fields {
			if field.Source == "" {
				return bad("%.60q: the field %.40q has no source", f.Path, field.Name)
			}
		}
	}
	return nil
}

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

// fill puts the words into a name. A word is one part of a path, whatever it holds.
func (in *PackageInput) fill(s string) (string, error) {
	var unknown string
	out := placeholder.ReplaceAllStringFunc(s, func(m string) string {
		v, ok := in.Words[m[1:len(m)-1]]
		if !ok && unknown == "" {
			unknown = m
		}
		return fileName(v)
	})
	if unknown != "" {
		return "", fmt.Errorf("%w: template: nothing is called %s", ErrInput, unknown)
	}
	return out, nil
}

// Package writes a delivery package into dir, which must exist: a zip with the files of
// the template and a list of them with sizes and SHA-256.
func Package(ctx context.Context, tools *gdal.Runner, dir string, t Template, in PackageInput) (File, error) {
	out, err := makePackage(ctx, tools, dir, t, &in)
	if err != nil {
		return File{}, fmt.Errorf("report: package: %w", err)
	}
	return out, nil
}

func makePackage(ctx context.Context, tools *gdal.Runner, dir string, t Template, in *PackageInput) (out File, err error) {
	if err := t.check(); err != nil {
		return out, err
	}
	name, err := in.fill(t.Name)
	if err != nil {
		return out, err
	}
	if name = fileName(name); name == "" {
		name = "package"
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return out, err
	}
	work, err := os.MkdirTemp(dir, "package-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(work)

	p := &packer{tools: tools, in: in, work: work, seen: map[string]bool{}}
	var lists []TemplateFile
	for _, f := range t.Files {
		if f.Kind == "contents" {
			lists = append(lists, f)
			continue
		}
		if err := p.add(ctx, f); err != nil {
			return out, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	if err := p.contents(lists); err != nil {
		return out, err
	}
	out = File{Path: filepath.Join(dir, name+".zip"), Name: name + ".zip", MediaType: "application/zip", Lost: p.lost}
	file, err := os.OpenFile(out.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return File{}, err
	}
	return out, save(file, func(w io.Writer) error { return zipFiles(w, in.Made.At, p.files) })
}

// packer collects the files of a package.
type packer struct {
	tools *gdal.Runner
	in    *PackageInput
	work  string
	seen  map[string]bool
	files []packed
	left  []string // paths left out
	lost  []Lost
}

func (p *packer) take(name, path string) error {
	key := strings.ToLower(name)
	if p.seen[key] {
		return fmt.Errorf("%w: template: %.100q comes twice", ErrInput, name)
	}
	p.seen[key] = true
	p.files = append(p.files, packed{name, path})
	return nil
}

// room is a folder for one file's making, so that equal names do not meet.
func (p *packer) room() (string, error) {
	return os.MkdirTemp(p.work, "file-")
}

func (p *packer) add(ctx context.Context, f TemplateFile) error {
	name, err := p.in.fill(f.Path)
	if err != nil {
		return err
	}
	room, err := p.room()
	if err != nil {
		return err
	}
	switch f.Kind {
	case "pdf", "png":
		return p.sheet(ctx, f, name, room)
	case "table":
		t, ok := p.in.Tables[f.Table]
		if !ok {
			p.left = append(p.left, name)
			return nil
		}
		return p.write(name, room, func(w io.Writer) error { return XLSX(w, t) })
	}
	features := p.in.Features
	features.Name = strings.TrimSuffix(path.Base(name), path.Ext(name))
	if features.Made.At.IsZero() {
		features.Made = p.in.Made
	}
	file, err := Export(ctx, p.tools, room, features, ExportOptions{Format: Format(f.Kind), Encoding: f.Encoding, Fields: f.Fields, parts: f.Kind == "shp"})
	if err != nil {
		return err
	}
	p.lost = append(p.lost, file.Lost...)
	if f.Kind != "shp" {
		return p.take(name, file.Path)
	}
	for _, part := range file.parts {
		if err := p.take(path.Join(path.Dir(name), path.Base(part.name)), part.path); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) sheet(ctx context.Context, f TemplateFile, name, room string) error {
	if p.in.Sheet == nil {
		p.left = append(p.left, name)
		return nil
	}
	s := *p.in.Sheet
	if f.Size != "" {
		s.Size = f.Size
	}
	return p.write(name, room, func(w io.Writer) error {
		if f.Kind == "pdf" {
			_, err := PDF(ctx, w, s)
			return err
		}
		if s.Size != A4 && s.Size != A3 {
			s.Size = A3
		}
		_, err := PNG(ctx, w, s, 200)
		return err
	})
}

func (p *packer) write(name, room string, fn func(io.Writer) error) error {
	file, err := os.OpenFile(filepath.Join(room, "file"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := save(file, fn); err != nil {
		return err
	}
	return p.take(name, file.Name())
}

// contents writes the lists of all other files; a package always has one.
func (p *packer) contents(lists []TemplateFile) error {
	if len(lists) == 0 {
		lists = []TemplateFile{{Path: "文件清单.xlsx", Kind: "contents"}}
	}
	t := Table{Name: "文件清单", Title: "成果汇交文件清单", By: p.in.Made.By, At: p.in.Made.At, Columns: []Column{
		{Title: "序号", Kind: Integer}, {Title: "文件"}, {Title: "大小", Unit: "字节", Kind: Integer}, {Title: "SHA-256"}, {Title: "说明"},
	}}
	for _, f := range p.files {
		size, sum, err := hash(f.path)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, []any{len(t.Rows) + 1, f.name, size, sum, ""})
	}
	for _, name := range p.left {
		t.Rows = append(t.Rows, []any{len(t.Rows) + 1, name, nil, nil, "未提供"})
	}
	for _, l := range p.lost {
		what := "文字被截断"
		if l.Chars != "" {
			what = "编码中没有的字以 〓 代替：" + l.Chars
		}
		t.Foot = append(t.Foot, fmt.Sprintf("%s · %s · %s", l.Text, l.Field, what))
		if len(t.Foot) == 200 {
			break
		}
	}
	for _, f := range lists {
		name, err := p.in.fill(f.Path)
		if err != nil {
			return err
		}
		room, err := p.room()
		if err != nil {
			return err
		}
		if err := p.write(name, room, func(w io.Writer) error { return XLSX(w, t) }); err != nil {
			return err
		}
	}
	return nil
}

func hash(name string) (int64, string, error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}
