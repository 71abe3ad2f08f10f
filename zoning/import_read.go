package zoning

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/gdal"
	"onemap/internal/geo"
)

// What an upload may hold. A feature beyond is listed, a file beyond is refused.
const (
	importFeatures  = 20_000
	importVertices  = 4_000_000 // of all shapes
	importRecord    = 64 << 20  // bytes of one feature as text
	importCrossings = 2_000     // more are not mended (measured: structure repair overruns its time)
	importUnpacked  = 2 << 30
)

// rawFeature is a feature as text.
type rawFeature struct {
	Geometry   json.RawMessage `json:"geometry"`
	Properties json.RawMessage `json:"properties"`
}

// importSource is an opened file.
type importSource struct {
	format, encoding, by string
	crs                  string
	layer                string
	layers               []string
	convert              geo.CRS // of the numbers: GCJ02, BD09, else as they are
	projected            bool    // the numbers may be metres: they are looked at first
	features             func(ctx context.Context, each func(rawFeature, error) bool) error
	close                func()
}

// badFile is a refusal that says what about the file is wrong.
func badFile(code, zh, en string) error {
	return &auth.Invalid{Items: []auth.Fault{{Path: "file", Code: code, ZH: zh, EN: en}}}
}

// encodings are those a Shapefile of an office is written in.
func encodings() []string {
	return []string{"AUTO", "UTF-8", "UTF8", "GBK", "GB2312", "GB18030", "CP936", "BIG5", "CP950", "ISO-8859-1", "LATIN1", "CP1252", "ASCII"}
}

// openImport finds out what a file is. near is the longitude the data should be about.
func openImport(ctx context.Context, f ImportFile, near float64) (*importSource, error) {
	declared, srid, err := geo.ParseCRS(f.CRS)
	if err != nil {
		return nil, &auth.Invalid{Items: []auth.Fault{{Path: "crs", Code: "unknown", ZH: "没有这种坐标系", EN: "there is no such coordinate system"}}}
	}
	if f.Encoding != "" && !slices.Contains(encodings(), strings.ToUpper(f.Encoding)) {
		return nil, &auth.Invalid{Items: []auth.Fault{{Path: "encoding", Code: "unknown", ZH: "没有这种字符编码；可用:" + strings.Join(encodings(), "、"), EN: "there is no such encoding, but: " + strings.Join(encodings(), ", ")}}}
	}
	info, err := os.Stat(f.Path)
	if err != nil {
		return nil, fmt.Errorf("zoning: import: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, badFile("empty", "文件是空的", "the file is empty")
	}
	path, closer := f.Path, func() {}
	archive, err := gdal.IsArchive(path)
	if err != nil {
		return nil, fmt.Errorf("zoning: import: %w", err)
	}
	var names []string
	if archive {
		dir, err := os.MkdirTemp("", "onemap-plan-import-")
		if err != nil {
			return nil, fmt.Errorf("zoning: import: %w", err)
		}
		closer = func() { _ = os.RemoveAll(dir) }
		if path, names, err = unpacked(ctx, path, dir, f.Layer); err != nil {
			closer()
			return nil, err
		}
	}
	var src *importSource
	if looksLikeJSON(path) {
		if f.Layer != "" && !(archive && stem(path) == f.Layer) {
			closer()
			return nil, &auth.Invalid{Items: []auth.Fault{{Path: "layer", Code: "no_layers", ZH: "GeoJSON 没有图层之分，请去掉 layer", EN: "GeoJSON has no layers: leave layer out"}}}
		}
		src, err = openJSON(path, declared)
	} else {
		src, err = openForeign(ctx, path, f, declared, srid, near)
	}
	if err != nil {
		closer()
		return nil, err
	}
	if len(names) > 1 {
		src.layers = names
		src.layer = stem(path)
	}
	inner := src.close
	src.close = func() {
		if inner != nil {
			inner()
		}
		closer()
	}
	return src, nil
}

func stem(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }

// unpacked is the one thing to read in an archive, or the one asked for, and the names
// of all.
func unpacked(ctx context.Context, archive, dir, want string) (string, []string, error) {
	files, err := gdal.Unpack(ctx, archive, dir, gdal.ArchiveLimits{Entries: 300, Bytes: importUnpacked})
	if err != nil {
		if errors.Is(err, gdal.ErrArchive) {
			return "", nil, badFile("archive", "压缩包无法接受：过大、条目过多、嵌套或含有不安全的名称", "the archive is refused: too large, too many entries, nested, or with unsafe names")
		}
		return "", nil, fmt.Errorf("zoning: import: %w", err)
	}
	var paths, names []string
	for _, s := range gdal.Sources(files) {
		paths = append(paths, s.Path)
	}
	for _, f := range files {
		switch strings.ToLower(filepath.Ext(f)) {
		case ".geojson", ".json":
			paths = append(paths, f)
		}
	}
	for _, p := range paths {
		names = append(names, stem(p))
		if want != "" && stem(p) == want {
			return p, nil, nil
		}
	}
	switch {
	case len(paths) == 0:
		return "", nil, badFile("no_layer", "压缩包中没有可读的图层(Shapefile 须含 .shp、.shx、.dbf)", "nothing readable in the archive (a Shapefile needs .shp, .shx and .dbf)")
	case len(paths) > 1 && want != "":
		return "", nil, badFile("no_such_layer", "压缩包中没有图层 "+clipText(want, 60)+",只有:"+strings.Join(names, "、"), "there is no layer "+clipText(want, 60)+" in the archive, but: "+strings.Join(names, ", "))
	case len(paths) > 1:
		return "", nil, badFile("several_layers", "压缩包中有多个图层，请用 layer 指定其一:"+strings.Join(names, "、"), "several layers, name one with layer: "+strings.Join(names, ", "))
	}
	return paths[0], names, nil
}

func looksLikeJSON(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := io.ReadFull(f, head)
	text := bytes.TrimLeft(bytes.TrimPrefix(head[:n], []byte("\xef\xbb\xbf")), " \t\r\n\x1e")
	return len(text) > 0 && text[0] == '{'
}

// openJSON reads GeoJSON: a collection, or features one after the other.
func openJSON(path string, declared geo.CRS) (*importSource, error) {
	src := &importSource{format: "geojson", encoding: "UTF-8", crs: string(geo.CGCS2000), convert: declared}
	switch declared {
	case geo.GCJ02, geo.BD09:
		src.crs = string(declared)
	case geo.AutoCRS, geo.CGCS2000:
	default:
		return nil, &auth.Invalid{Items: []auth.Fault{{Path: "crs", Code: "unknown", ZH: "GeoJSON 须为经纬度(CGCS2000、WGS84、GCJ-02 或 BD-09)", EN: "GeoJSON is in degrees: CGCS2000, WGS84, GCJ-02 or BD-09"}}}
	}
	src.features = func(ctx context.Context, each func(rawFeature, error) bool) error {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("zoning: import: %w", err)
		}
		defer f.Close()
		return readJSON(ctx, f, each)
	}
	return src, nil
}

// openForeign reads what GDAL knows.
func openForeign(ctx context.Context, path string, f ImportFile, declared geo.CRS, srid int, near float64) (*importSource, error) {
	run, err := gdal.New(gdal.Options{Timeout: 3 * time.Minute, OutputBytes: importUnpacked})
	if errors.Is(err, gdal.ErrMissing) {
		return nil, badFile("gdal_missing", "服务器未安装 GDAL,只能读取 GeoJSON", "GDAL is not installed on the server: only GeoJSON can be read")
	}
	if err != nil {
		return nil, fmt.Errorf("zoning: import: %w", err)
	}
	if err := wholeShapefile(path); err != nil {
		return nil, err
	}
	kind, err := gdal.Detect(path)
	if err != nil {
		return nil, badFile("format", "无法识别的文件格式(支持 Shapefile、GeoPackage、KML、GeoJSON)", "the format is not known (Shapefile, GeoPackage, KML, GeoJSON are)")
	}
	src := &importSource{format: string(kind.Format), encoding: "UTF-8"}
	encoding := ""
	if kind.Format == gdal.Shapefile {
		found, err := gdal.DetectEncoding(path)
		if err != nil {
			return nil, badFile("damaged", "属性表(.dbf)损坏或缺失", "the table (.dbf) is damaged or missing")
		}
		encoding, src.by = found.Name, found.By
		if f.Encoding != "" && !strings.EqualFold(f.Encoding, "auto") {
			encoding, src.by = strings.ToUpper(f.Encoding), "given"
		}
		src.encoding = encoding
	}
	layers, err := run.Layers(ctx, kind, encoding)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, badFile("damaged", "文件无法读取，可能已损坏", "the file cannot be read: it may be damaged")
	}
	layer, found := layers[0], false
	var names []string
	for _, l := range layers {
		if l.Geometry == "None" {
			continue
		}
		names = append(names, l.Name)
		if l.Name == f.Layer || !found && f.Layer == "" {
			layer, found = l, true
		}
	}
	switch {
	case !found && kind.Format == gdal.Shapefile && len(names) == 1 && strings.EqualFold(f.Layer, stem(path)):
		layer = layers[0]
	case !found && f.Layer != "" && len(names) > 0:
		return nil, badFile("no_such_layer", "文件中没有图层 "+clipText(f.Layer, 60)+",只有:"+strings.Join(names, "、"), "there is no layer "+clipText(f.Layer, 60)+", but: "+strings.Join(names, ", "))
	case !found || len(names) > 1 && f.Layer == "":
		return nil, badFile("several_layers", "文件中有多个图层，请用 layer 指定其一:"+strings.Join(names, "、"), "several layers, name one with layer: "+strings.Join(names, ", "))
	}
	src.layer, src.layers, src.crs = layer.Name, names, layer.SRS
	conv := gdal.Conversion{Layer: layer.Name, Encoding: encoding}
	switch {
	case declared == geo.GCJ02 || declared == geo.BD09:
		conv.Raw, src.convert, src.crs = true, declared, string(declared)
	case declared == geo.CGCS2000 && layer.SRS == "":
		conv.Raw, src.crs = true, string(declared)
	case declared != geo.AutoCRS:
		conv.SourceEPSG, src.crs = srid, string(declared)
	case layer.SRS == "":
		conv.Raw, src.projected = true, true
	}
	stream := func(ctx context.Context, conv gdal.Conversion, each func(rawFeature, error) bool) error {
		r, err := run.Convert(ctx, kind, conv)
		if err != nil {
			return fmt.Errorf("zoning: import: %w", err)
		}
		defer r.Close()
		return readJSON(ctx, r, each)
	}
	src.features = func(ctx context.Context, each func(rawFeature, error) bool) error { return stream(ctx, conv, each) }
	if src.projected {
		if err := src.guessMetres(ctx, &conv, near); err != nil {
			return nil, err
		}
	}
	return src, nil
}

// guessMetres looks at the numbers of a file that names no coordinate system: degrees
// pass, metres of a Gauss-Krüger zone are read as such, and both are told.
func (src *importSource) guessMetres(ctx context.Context, conv *gdal.Conversion, near float64) error {
	var at orb.Point
	seen := false
	err := src.features(ctx, func(r rawFeature, err error) bool {
		if err != nil || len(r.Geometry) == 0 {
			return err == nil
		}
		lim := geo.ImportLimits()
		lim.Projected = true
		g, err := geo.ParseGeoJSON(r.Geometry, lim)
		if err != nil || g == nil {
			return true
		}
		at, seen = g.Bound().Center(), true
		return false
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if !seen || (at[0] >= -180 && at[0] <= 180 && at[1] >= -90 && at[1] <= 90) {
		return nil
	}
	gk, ok := geo.GuessGaussKruger(at[0], at[1], near)
	if !ok || gk.Swapped {
		return &auth.Invalid{Items: []auth.Fault{{Path: "crs", Code: "required", ZH: "文件未注明坐标系，坐标是米制的，请用 crs 指定(如 EPSG:4549)", EN: "the file names no coordinate system and is in metres: name it with crs (such as EPSG:4549)"}}}
	}
	conv.Raw, conv.SourceEPSG = false, gk.EPSG
	src.crs = fmt.Sprintf("EPSG:%d", gk.EPSG)
	return nil
}

var errEnough = errors.New("zoning: enough was read")

// readJSON gives the features of a text, one after the other. It never holds more than
// one.
func readJSON(ctx context.Context, r io.Reader, each func(rawFeature, error) bool) error {
	in := bufio.NewReaderSize(r, 1<<20)
	if head, _ := in.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3)
	}
	d := json.NewDecoder(&strict{r: in, left: importUnpacked})
	broken := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, gdal.ErrLimit) || errors.Is(err, errTooMuch) {
			return badFile("too_large", "文件内容过大", "the file holds too much")
		}
		return badFile("damaged", "文件内容不完整或不是有效的 GeoJSON", "the file is cut short, or no GeoJSON")
	}
	feature := func() (bool, error) {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return false, err
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
		var f rawFeature
		var bad error
		if len(raw) > importRecord {
			bad = errTooMuch
		} else if err := json.Unmarshal(raw, &f); err != nil {
			bad = err
		}
		return each(f, bad), nil
	}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err)
		}
		if tok != json.Delim('{') {
			return broken(errors.New("no object"))
		}
		one, isFeature, err := readObject(d, feature)
		if errors.Is(err, errEnough) {
			return err
		}
		if err != nil {
			return broken(err)
		}
		if isFeature && !each(one, nil) {
			return errEnough
		}
	}
}

// readObject reads one object: a collection has its features inside, a feature its
// geometry.
func readObject(d *json.Decoder, feature func() (bool, error)) (one rawFeature, isFeature bool, err error) {
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return one, false, err
		}
		switch key {
		case "features":
			if tok, err := d.Token(); err != nil || tok != json.Delim('[') {
				return one, false, cmp.Or(err, errNoList)
			}
			for d.More() {
				more, err := feature()
				if err != nil {
					return one, false, err
				}
				if !more {
					return one, false, errEnough
				}
			}
			if _, err := d.Token(); err != nil {
				return one, false, err
			}
		case "geometry":
			isFeature = true
			err = d.Decode(&one.Geometry)
		case "properties":
			err = d.Decode(&one.Properties)
		default:
			var skip json.RawMessage
			err = d.Decode(&skip)
		}
		if err != nil {
			return one, false, err
		}
	}
	_, err = d.Token()
	return one, isFeature, err
}

var errNoList = errors.New("zoning: features are no list")

var errTooMuch = errors.New("zoning: too much")

// strict drops bytes that cannot be in such text (record separators), and ends a text
// that is too long.
type strict struct {
	r    io.Reader
	left int64
}

func (s *strict) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, errTooMuch
	}
	for i, b := range p[:n] {
		if b == 0x1e {
			p[i] = ' '
		}
	}
	return n, err
}
