package zoning

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

const (
	importFaults     = 200    // listed
	previewVertices  = 60_000 // of all shapes together
	previewTolerance = 1.0 / 1500
	previewSample    = 400 // points that tell whether the file is shifted
)

// readImport reads, judges, keeps and describes a file.
func (s *Service) readImport(ctx context.Context, by auth.By, f ImportFile) (ImportPreview, error) {
	if !person(by.Identity) || !by.May(auth.EditPlans, s.now()) {
		return ImportPreview{}, auth.ErrForbidden
	}
	home, err := s.importHome(ctx, by)
	if err != nil {
		return ImportPreview{}, wrap("read import", err)
	}
	src, err := openImport(ctx, f, home.Center()[0])
	if err != nil {
		return ImportPreview{}, err
	}
	defer src.close()
	out := ImportPreview{
		ID: s.newID(), Name: clipText(storable(filepath.Base(f.Name)), 200), Format: src.format, Encoding: src.encoding, EncodingBy: src.by,
		CRS: src.crs, Layer: src.layer, Layers: src.layers,
	}
	if out.Name == "" || out.Name == "." {
		out.Name = "upload"
	}
	t := importTally{fields: map[string]*fieldTally{}}
	var rows []importRow
	shapes := map[int]coverage.Shape{}
	vertices, swapped := 0, 0
	err = src.features(ctx, func(raw rawFeature, bad error) bool {
		row, shape := src.take(len(rows)+1, raw, bad)
		rows = append(rows, row)
		t.add(row.Props, row.AreaM2)
		if row.Fault != nil {
			if len(out.Faults) < importFaults {
				out.Faults = append(out.Faults, *row.Fault)
			} else {
				out.MoreFaults++
			}
		}
		if shape != nil {
			out.Usable++
			vertices += shape.Vertices()
			lo, hi := coverage.Bound(shape)
			b := orb.Bound{Min: lo.LonLat(), Max: hi.LonLat()}
			if out.Bounds == nil {
				out.Bounds = &b
			} else {
				u := out.Bounds.Union(b)
				out.Bounds = &u
			}
			if home != (orb.Bound{}) && !home.Intersects(b) {
				out.Outside++
				if geo.LooksSwapped(b.Center(), home) {
					swapped++
				}
			}
			shapes[row.Row] = shape
		}
		return len(rows) <= importFeatures && vertices <= importVertices
	})
	if len(rows) > importFeatures || vertices > importVertices {
		return ImportPreview{}, badFile("too_large", fmt.Sprintf("要素或节点过多(最多 %d 个面、%d 个节点)", importFeatures, importVertices),
			fmt.Sprintf("too many features or vertices (at most %d and %d)", importFeatures, importVertices))
	}
	if err != nil && !errors.Is(err, errEnough) {
		return ImportPreview{}, err
	}
	out.Features = len(rows)
	switch {
	case out.Features == 0:
		return ImportPreview{}, badFile("no_features", "文件中没有要素", "there are no features in the file")
	case out.Usable == 0:
		fault := out.Faults[0]
		return ImportPreview{}, badFile("no_areas", "文件中没有可用的面:"+fault.ZH, "no usable area in the file: "+fault.EN)
	}
	out.Fields = t.list()
	if f.LevelField != "" && !slices.ContainsFunc(out.Fields, func(x ImportField) bool { return x.Name == f.LevelField }) {
		return ImportPreview{}, &auth.Invalid{Items: []auth.Fault{{Path: "level_field", Code: "unknown", ZH: "文件中没有这个字段", EN: "the file has no such field"}}}
	}
	out.Suggestion = suggest(out.Fields, rows, s.catalogue.Now(), f.LevelField)
	out.notice(src, swapped)
	if swapped == 0 {
		if err := s.suspectShift(ctx, by, &out, rows, shapes); err != nil {
			return ImportPreview{}, wrap("read import", err)
		}
	}
	out.preview(rows, shapes)
	sum, err := digest(f.Path)
	if err != nil {
		return ImportPreview{}, wrap("read import", err)
	}
	out.ExpiresAt, err = s.keepImport(ctx, by, &out, sum, rows)
	return out, wrap("read import", err)
}

// suspectShift tells already here when the shapes fill an administrative unit only after
// undoing a shift of map services.
func (s *Service) suspectShift(ctx context.Context, by auth.By, p *ImportPreview, rows []importRow, shapes map[int]coverage.Shape) error {
	n := 0
	for _, shape := range shapes {
		for _, part := range shape {
			n += len(part[0])
		}
	}
	every, i := max(1, n/previewSample), 0
	var is, back []orb.Point
	for _, r := range rows {
		for _, part := range shapes[r.Row] {
			for _, q := range part[0] {
				if i++; i%every == 0 {
					at := q.LonLat()
					is, back = append(is, at), append(back, geo.GCJToWGS(at))
				}
			}
		}
	}
	unit, err := s.shiftedUnit(ctx, by, *p.Bounds, is, back)
	if err == nil && unit != "" {
		p.Notices = append(p.Notices, Notice{"gcj02_suspected", "图形像是 GCJ-02 坐标(纠偏后与" + unit + "的辖区边界吻合)，请核对后以 crs=GCJ02 重新上传",
			"the shapes look like GCJ-02 (unshifted they fit the border of " + unit + "): look, and upload again with crs=GCJ02"})
	}
	return err
}

// digest is the SHA-256 of a file.
func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// notice tells what should be looked at before going on.
func (p *ImportPreview) notice(src *importSource, swapped int) {
	add := func(code, zh, en string) { p.Notices = append(p.Notices, Notice{code, zh, en}) }
	if src.projected && src.crs == "" {
		add("crs_unknown", "文件未注明坐标系，按经纬度读取", "the file names no coordinate system: read as longitude and latitude")
	} else if src.projected {
		add("crs_guessed", "文件未注明坐标系，按数值推断为 "+src.crs, "the file names no coordinate system: its numbers look like "+src.crs)
	}
	if src.by == "guess" {
		add("encoding_guessed", "属性编码为推断("+src.encoding+")，请核对文字", "the encoding is a guess ("+src.encoding+"): look at the text")
	}
	if swapped > 0 {
		add("swapped", "经纬度可能颠倒", "longitude and latitude may be exchanged")
	} else if p.Outside > 0 {
		add("outside", fmt.Sprintf("%d 个面在所有已知行政区划之外", p.Outside), fmt.Sprintf("%d shapes lie beyond all known administrative units", p.Outside))
	}
	if p.Suggestion.LevelField == "" {
		add("no_level", "没有看出等级字段", "no field looks like levels")
	} else if p.Suggestion.Direction == "" {
		add("levels_unknown", "字段 "+p.Suggestion.LevelField+" 的值不像等级，请逐个对应", "the values of "+p.Suggestion.LevelField+" do not look like levels: map each of them")
	} else if p.Suggestion.Direction != Named && p.Suggestion.DirectionReason == "" {
		add("direction_unknown", "等级是数字，文件没有说明 1 是最高还是最低，请看图确认", "levels are numbers, and the file does not say whether 1 is the worst: look at the map")
	}
}

// preview draws the shapes with fewer points.
func (p *ImportPreview) preview(rows []importRow, shapes map[int]coverage.Shape) {
	size := math.Max(p.Bounds.Max[0]-p.Bounds.Min[0], p.Bounds.Max[1]-p.Bounds.Min[1])
	for tol := size * previewTolerance; ; tol *= 2 {
		p.Preview = p.Preview[:0]
		n := 0
		for _, r := range rows {
			shape, ok := shapes[r.Row]
			if !ok {
				continue
			}
			thin := shape.Thin(tol)
			n += thin.Vertices()
			var m map[string]any
			_ = json.Unmarshal(r.Props, &m) // rows are made with an object
			v := valueText(m[p.Suggestion.LevelField])
			p.Preview = append(p.Preview, ImportShape{Row: r.Row, Value: v, Name: clipText(valueText(m[p.Suggestion.NameField]), 80), Level: p.Suggestion.Levels[v], Geometry: thin.Geometry(), AreaM2: r.AreaM2})
		}
		if n <= previewVertices || tol > size/20 {
			return
		}
	}
}
