package census

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/paulmach/orb"

	"onemap/internal/gdal"
	"onemap/internal/geo"
)

// ErrFile means a file cannot be read as what it is or claims to be.
var ErrFile = errors.New("census: file")

// errEmptyFile is what people see of a file without content.
var errEmptyFile = errors.New("文件是空的 · the file is empty")

// record is one row as it was read.
type record struct {
	row      int64
	values   map[string]any
	geometry orb.Geometry
	fault    *geo.Fault // there is a shape, and it is not readable
	rule     string     // set: the record is no data, and message says why
	message  string
	kind     Kind // of the rule; empty: rejected
}

// table is an opened file.
type table struct {
	file     string // base name, for people
	fields   []string
	shapes   bool // rows carry geometry
	encoding string
	how      string // how the encoding was found
	crs      string
	srid     int     // of the shapes' numbers; 0 for lon/lat
	remarks  []Issue // on the file, not on a row of data
	expect   int64   // rows the file promises, -1 where it does not
	records  iter.Seq2[record, error]
	close    func()
}

func (t *table) remark(row int64, rule, message string) {
	t.remarks = append(t.remarks, Issue{File: t.file, Row: row, Rule: rule, Kind: Warning, Message: message})
}

// source says what to open and what is known about it.
type source struct {
	path     string
	name     string // base name for people; default from path
	encoding string // "" or auto: find out
	crs      string
	sublayer string
	wanted   []string // source fields the mapping names
	noShapes bool
	limits   geo.Limits
}

// opener opens files of every format.
type opener struct {
	gdal *gdal.Runner // nil: not installed
	temp string
}

// open looks at the content first: names lie.
func (o *opener) open(ctx context.Context, s source) (*table, error) {
	if s.name == "" {
		s.name = filepath.Base(s.path)
	}
	if s.limits.Vertices == 0 {
		s.limits = geo.ImportLimits()
	}
	declared, srid, err := geo.ParseCRS(s.crs)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if info.Mode().IsRegular() && info.Size() == 0 {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, errEmptyFile)
	}
	var t *table
	switch ext := strings.ToLower(filepath.Ext(s.path)); {
	case info.IsDir():
		t, err = o.foreign(ctx, s, declared, srid)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrFile, s.name)
	case ext == ".geojson" || ext == ".json" || ext == ".ndjson" || ext == ".geojsonl" || ext == ".geojsons" || ext == ".jsonl":
		t, err = openGeoJSON(s)
	case ext == ".csv" || ext == ".tsv" || ext == ".txt":
		t, err = openCSV(s)
	case ext == ".xlsx" || ext == ".xlsm":
		t, err = openXLSX(s)
	default:
		t, err = o.foreign(ctx, s, declared, srid)
	}
	if err != nil {
		return nil, err
	}
	if declared != geo.AutoCRS { // what the manifest or the user says is stronger than the file
		t.crs = string(declared)
		if t.shapes && t.srid >= 0 && declared != geo.GCJ02 && declared != geo.BD09 && srid != geo.SRID {
			t.srid = srid
		}
	}
	if t.srid < 0 { // already lon/lat, converted on the way
		t.srid = 0
	}
	return t, nil
}

// openGeoJSON reads a FeatureCollection, a Feature, a geometry, or features one
// after the other (newline-delimited, or with record separators).
func openGeoJSON(s source) (*table, error) {
	t := &table{file: s.name, shapes: true, encoding: "UTF-8", expect: -1, close: func() {}}
	var err error
	if given, _, _ := geo.ParseCRS(s.crs); given == geo.AutoCRS { // else the file is not asked
		if err := t.readCRS(s); err != nil {
			return nil, err
		}
	}
	limits := s.limits
	limits.Projected = t.srid != 0 || isProjected(s.crs)
	if t.fields, err = firstFields(s.path, limits); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
	}
	t.records = func(yield func(record, error) bool) {
		f, err := os.Open(s.path)
		if err != nil {
			yield(record{}, fmt.Errorf("%w: %w", ErrFile, err))
			return
		}
		defer f.Close()
		n := int64(0)
		err = newScanner(f).features(func(raw []byte, tooLarge bool) bool {
			n++
			if tooLarge {
				return yield(record{row: n, rule: RuleTooLarge, message: fmt.Sprintf("记录超过 %d MB (record too large)", maxRecord>>20)}, nil)
			}
			return yield(featureRecord(n, raw, limits), nil)
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(record{row: n}, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err))
		}
	}
	return t, nil
}

// readCRS takes the system a GeoJSON file names itself.
func (t *table) readCRS(s source) error {
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer f.Close()
	if found, err := mentions(f, `"crs"`); err != nil || !found {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	name, err := newScanner(f).findCRS()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
	}
	if name == "" {
		return nil
	}
	declared, srid, err := geo.ParseCRS(name)
	if err != nil {
		return unknownCRS(s.name, name)
	}
	t.crs = string(declared)
	if srid != geo.SRID {
		t.srid = srid
	}
	return nil
}

func unknownCRS(file, name string) error {
	return fmt.Errorf("%w: %s: 文件注明的坐标系 %.60q 无法识别,请用 --crs 指定 (the file names a coordinate system that is not known; name it with --crs)", ErrFile, file, name)
}

// firstFields lists the properties of the first features, in order.
func firstFields(path string, limits geo.Limits) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	seen := map[string]bool{}
	n := 0
	err = newScanner(f).features(func(raw []byte, tooLarge bool) bool {
		if n++; !tooLarge && len(raw) < 1<<20 {
			for name := range featureRecord(0, raw, limits).values {
				seen[name] = true
			}
		}
		return n < 50
	})
	if err != nil && n == 0 { // a later fault is met again, in its place
		return nil, err
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// isProjected reports whether a declared system is one of metres.
func isProjected(crs string) bool {
	_, srid, err := geo.ParseCRS(crs)
	return err == nil && srid != 0 && srid != geo.SRID
}

// featureRecord reads one feature strictly, but keeps what is readable of a bad
// one: the properties of a feature with a broken shape go to quarantine with it.
func featureRecord(row int64, raw []byte, limits geo.Limits) record {
	r := record{row: row}
	members, err := splitObject(raw)
	if err != nil {
		r.rule, r.message = RuleSyntax, "不是合法的 JSON 对象 (not a JSON object)"
		return r
	}
	var typ string
	_ = json.Unmarshal(members["type"], &typ) // an unreadable type is an unknown type
	geometry := members["geometry"]
	switch typ {
	case "Feature":
		d := json.NewDecoder(bytes.NewReader(members["properties"]))
		d.UseNumber()
		if members["properties"] != nil {
			if err := d.Decode(&r.values); err != nil {
				r.rule, r.message = RuleSyntax, "属性不是合法的 JSON (properties are not JSON)"
				return r
			}
		}
	case "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection":
		geometry = raw
	default:
		r.rule, r.message = RuleSyntax, fmt.Sprintf("不是要素 (type %.40q is no feature)", typ)
		return r
	}
	if r.values == nil {
		r.values = map[string]any{}
	}
	if id := members["id"]; id != nil {
		if _, taken := r.values["id"]; !taken {
			var v any
			d := json.NewDecoder(bytes.NewReader(id))
			d.UseNumber()
			if d.Decode(&v) == nil && v != nil {
				r.values["id"] = v
			}
		}
	}
	if geometry == nil {
		return r
	}
	g, err := geo.ParseGeoJSON(geometry, limits)
	if err != nil {
		var f *geo.Fault
		if errors.As(err, &f) && f.Code != geo.CodeNull {
			r.fault = f
		}
		return r
	}
	r.geometry = g
	return r
}

// foreign reads what GDAL knows, out of archives too.
func (o *opener) foreign(ctx context.Context, s source, declared geo.CRS, srid int) (*table, error) {
	if o.gdal == nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, gdal.ErrMissing)
	}
	path, cleanup := s.path, func() {}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		archive, err := gdal.IsArchive(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFile, err)
		}
		if archive {
			dir, err := os.MkdirTemp(o.temp, "onemap-unpack-")
			if err != nil {
				return nil, fmt.Errorf("census: %w", err)
			}
			cleanup = func() { _ = os.RemoveAll(dir) }
			files, err := gdal.Unpack(ctx, path, dir, gdal.ArchiveLimits{})
			if err != nil {
				cleanup()
				return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
			}
			if path, err = oneSource(files, s.sublayer); err != nil {
				cleanup()
				return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
			}
		}
	}
	t, err := o.foreignFile(ctx, s, path, declared, srid)
	if err != nil {
		cleanup()
		return nil, err
	}
	t.close = cleanup
	return t, nil
}

// oneSource picks what to read from an archive: the only source, or the one whose
// name was asked for. A GeoJSON inside is fine too.
func oneSource(files []string, want string) (string, error) {
	var paths []string
	for _, s := range gdal.Sources(files) {
		paths = append(paths, s.Path)
	}
	if len(paths) == 1 {
		return paths[0], nil
	}
	var names []string
	for _, p := range paths {
		name := strings.TrimSuffix(filepath.Base(p), filepath.Ext(p))
		if want != "" && name == want {
			return p, nil
		}
		names = append(names, name)
	}
	if len(paths) == 0 {
		return "", errors.New("压缩包中没有可读的图层 (nothing readable in the archive)")
	}
	return "", fmt.Errorf("压缩包中有多个图层,请指定其一 (several layers, name one): %s", strings.Join(names, ", "))
}

func (o *opener) foreignFile(ctx context.Context, s source, path string, declared geo.CRS, srid int) (*table, error) {
	src, err := gdal.Detect(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
	}
	t := &table{file: s.name, encoding: "UTF-8", expect: -1, srid: -1, close: func() {}}
	encoding := ""
	if src.Format == gdal.Shapefile {
		found, err := gdal.DetectEncoding(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
		}
		encoding, t.how = found.Name, found.By
		if s.encoding != "" && s.encoding != "auto" {
			encoding, t.how = strings.ToUpper(s.encoding), "given"
		}
		t.encoding = encoding
	}
	layers, err := o.gdal.Layers(ctx, src, encoding)
	if err != nil && src.Format == gdal.Access {
		return nil, fmt.Errorf("%w: %s: 读取 .mdb 需要 odbc-mdbtools (reading .mdb needs the package odbc-mdbtools): %w", ErrFile, s.name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err)
	}
	layer := layers[0]
	if len(layers) > 1 || s.sublayer != "" {
		var names []string
		found := false
		for _, l := range layers {
			names = append(names, l.Name)
			if l.Name == s.sublayer {
				layer, found = l, true
			}
		}
		if !found && (s.sublayer != "" && len(layers) > 1 || s.sublayer == "") {
			return nil, fmt.Errorf("%w: %s: 有多个图层,请指定其一 (several layers, name one): %s", ErrFile, s.name, strings.Join(names, ", "))
		}
	}
	t.shapes = layer.Geometry != "None"
	t.expect = layer.Count
	t.fields = layer.Fields
	conv := gdal.Conversion{Layer: layer.Name, Encoding: encoding}
	switch {
	case declared == geo.GCJ02 || declared == geo.BD09:
		conv.Raw = true // numbers as they are; the mapping converts them
	case declared == geo.CGCS2000 && layer.SRS == "":
		conv.Raw = true
	case declared != geo.AutoCRS:
		conv.SourceEPSG = srid
	case layer.SRS == "" && t.shapes:
		// Without a system the numbers decide: degrees pass, metres are refused below.
		conv.Raw = true
		t.remark(0, RuleCRSUnknown, "文件未注明坐标系,按经纬度读取 (no coordinate system named; read as lon/lat)")
	}
	t.crs = layer.SRS
	limits := s.limits
	t.records = func(yield func(record, error) bool) {
		stream, err := o.gdal.Convert(ctx, src, conv)
		if err != nil {
			yield(record{}, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err))
			return
		}
		defer stream.Close()
		n := int64(0)
		err = newScanner(toUTF8(stream)).features(func(raw []byte, tooLarge bool) bool {
			n++
			if tooLarge {
				return yield(record{row: n, rule: RuleTooLarge, message: "记录过大 (record too large)"}, nil)
			}
			return yield(featureRecord(n, raw, limits), nil)
		})
		switch {
		case errors.Is(err, errStopped):
		case err != nil:
			yield(record{row: n}, fmt.Errorf("%w: %s: %w", ErrFile, s.name, err))
		case t.expect >= 0 && n != t.expect:
			yield(record{row: n}, fmt.Errorf("%w: %s: 应有 %d 条,读到 %d 条 (the file promises another number of records)", ErrFile, s.name, t.expect, n))
		}
	}
	return t, nil
}

// toUTF8 drops bytes that are no UTF-8: field names of ten bytes end inside a
// character, and no data hangs on that half.
func toUTF8(r io.Reader) io.Reader { return &utf8Reader{r: r} }

type utf8Reader struct {
	r    io.Reader
	buf  [32 << 10]byte
	held []byte // clean text not yet handed out
	tail []byte // an incomplete sequence at the end of the last read
	err  error
}

func (u *utf8Reader) Read(p []byte) (int, error) {
	for len(u.held) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		n, err := u.r.Read(u.buf[:])
		u.err = err
		chunk := append(u.tail, u.buf[:n]...)
		cut := len(chunk)
		if err == nil {
			cut = completeUTF8(chunk)
		}
		u.tail = append([]byte(nil), chunk[cut:]...)
		u.held = bytes.ToValidUTF8(chunk[:cut], nil)
	}
	n := copy(p, u.held)
	u.held = u.held[n:]
	return n, nil
}

// completeUTF8 is the length of b without a sequence that may go on.
func completeUTF8(b []byte) int {
	for i := 1; i <= 3 && i <= len(b); i++ {
		c := b[len(b)-i]
		if c < 0x80 {
			break
		}
		if c >= 0xc0 {
			want := 2
			if c >= 0xf0 {
				want = 4
			} else if c >= 0xe0 {
				want = 3
			}
			if i < want {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}
