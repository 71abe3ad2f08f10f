package census

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// staged is a row ready for COPY.
type staged struct {
	layer      string
	ord        int64
	file       string
	row        int64
	id         [16]byte
	key        string
	digest     []byte
	fields     []byte // JSON
	attrs      []byte
	restricted []byte // nil where there is nothing
	scope      geo.Scope
	original   orb.Geometry
	srid       int
	repair     bool
	geom       orb.Geometry
}

// stager gives rows their key, digest and place in the queue. One goroutine.
type stager struct {
	cat       *catalogue
	scopes    *scopeIndex
	ords      map[string]int64
	seen      map[string][8]byte         // layer and key -> digest
	contents  map[string]int64           // layer and content -> how often
	places    map[string]placeSeen       // by layer
	columns   map[string]map[string]bool // layer -> fields that occur
	projected map[string]bool            // layers with rows PostGIS must transform
}

func newStager(cat *catalogue, scopes *scopeIndex) *stager {
	return &stager{cat: cat, scopes: scopes, ords: map[string]int64{}, seen: map[string][8]byte{}, contents: map[string]int64{},
		places: map[string]placeSeen{}, columns: map[string]map[string]bool{}, projected: map[string]bool{}}
}

// stage makes a row of a feature that passed all tests, or the issue that stops it.
func (s *stager) stage(f *Feature) (*staged, *Issue) {
	layer, err := s.cat.layer(f.Layer)
	stop := func(kind Kind, rule, path, message string) *Issue {
		return &Issue{File: f.File, Row: f.Row, Key: f.Key, Rule: rule, Kind: kind, Path: path, Message: message, Original: f.source()}
	}
	if err != nil {
		return nil, stop(Rejected, RuleConstraint, "layer", err.Error())
	}
	out := &staged{layer: f.Layer, file: f.File, row: f.Row, geom: f.Geometry, original: f.original, srid: f.srid, repair: f.repair}
	fields := make(map[string]any, len(f.Fields)+1)
	attrs := make(map[string]any, len(f.Attrs))
	for k, v := range f.Attrs {
		if v != nil {
			attrs[k] = clean(v)
		}
	}
	for name, v := range f.Fields {
		if name == "id" {
			continue
		}
		if name == "attrs" {
			if m, ok := v.(map[string]any); ok {
				for k, v := range m {
					attrs[k] = clean(v)
				}
			}
			continue
		}
		col, ok := layer.columns[name]
		if !ok {
			attrs[name] = clean(v)
			continue
		}
		value, bad := s.cat.coerce(col, v, time.UTC)
		if bad != nil {
			if bad.fatal {
				return nil, stop(Quarantined, bad.rule, name, bad.message)
			}
			f.remarks = append(f.remarks, Issue{File: f.File, Row: f.Row, Key: f.Key, Rule: bad.rule, Kind: Warning, Path: name, Message: bad.message})
			if bad.lost {
				attrs[name] = clean(v)
				continue
			}
		}
		if value != nil {
			fields[name] = clean(value)
		}
	}
	if f.Code != "" {
		if out.scope, err = geo.ParseScope(f.Code); err != nil {
			return nil, stop(Quarantined, RuleAdminCode, "admin_code", fmt.Sprintf("不是行政区划代码 (not an administrative code): %s", clip(f.Code, 40)))
		}
		fields["admin_code"] = f.Code
	}
	if out.fields, err = json.Marshal(fields); err != nil {
		return nil, stop(Rejected, RuleSyntax, "", "字段值不可存储 (a value cannot be stored)")
	}
	if out.attrs, err = json.Marshal(attrs); err != nil {
		return nil, stop(Rejected, RuleSyntax, "", "字段值不可存储 (a value cannot be stored)")
	}
	if len(f.Restricted) > 0 {
		if out.restricted, err = json.Marshal(f.Restricted); err != nil {
			return nil, stop(Rejected, RuleSyntax, "", "字段值不可存储 (a value cannot be stored)")
		}
	}
	out.digest = digest(out, f)
	if i := s.key(f, out, stop); i != nil {
		return nil, i
	}
	if out.id, err = featureID(f); err != nil {
		return nil, stop(Rejected, RuleSyntax, "id", err.Error())
	}
	places := s.places[f.Layer]
	if places == nil {
		places = placeSeen{}
		s.places[f.Layer] = places
	}
	if row := places.double(f); row != 0 {
		f.remarks = append(f.remarks, Issue{File: f.File, Row: f.Row, Key: out.key, Rule: RuleNearDuplicate, Kind: Warning,
			Message: fmt.Sprintf("与第 %d 行同名且相距不足 1 m (same name within a metre)", row)})
	}
	for i := range f.remarks {
		f.remarks[i].Key = out.key
	}
	seen := s.columns[f.Layer]
	if seen == nil {
		seen = map[string]bool{}
		s.columns[f.Layer] = seen
	}
	for name := range fields {
		seen[name] = true
	}
	if f.srid != 0 {
		s.projected[f.Layer] = true
	} else if f.Code == "" && !f.repair && f.Layer != "admin" {
		out.scope = s.scopes.scope(f.Geometry)
	}
	s.ords[f.Layer]++
	out.ord = s.ords[f.Layer]
	return out, nil
}

// key names the row: by the source's key, or by its content and a count, so that
// exact doubles stay, and are flagged.
func (s *stager) key(f *Feature, out *staged, stop func(Kind, string, string, string) *Issue) *Issue {
	var short [8]byte
	copy(short[:], out.digest)
	if f.Key == "" {
		content := f.Layer + "\x00" + string(out.digest)
		n := s.contents[content] + 1
		s.contents[content] = n
		out.key = hex.EncodeToString(out.digest[:16])
		if n > 1 {
			out.key = fmt.Sprintf("%s-%d", out.key, n)
			f.remarks = append(f.remarks, Issue{File: f.File, Row: f.Row, Rule: RuleDuplicateRow, Kind: Warning,
				Message: fmt.Sprintf("内容完全相同的第 %d 行,保留 (exact duplicate, kept)", n)})
		}
		return nil
	}
	out.key = clean(f.Key).(string)
	k := f.Layer + "\x00" + out.key
	if before, ok := s.seen[k]; ok {
		if before == short {
			return stop(Rejected, RuleDuplicateRow, "", "重复行 (the same row again)")
		}
		return stop(Quarantined, RuleDuplicateKey, "", fmt.Sprintf("主键重复而内容不同 (same key, other content): %s", clip(out.key, 60)))
	}
	s.seen[k] = short
	return nil
}

// columnsOf lists the fields of a layer that occurred, in order.
func (s *stager) columnsOf(layer string) []string {
	var out []string
	for name := range s.columns[layer] {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// digest is the fingerprint of everything that will be stored.
func digest(r *staged, f *Feature) []byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(r.layer), r.fields, r.attrs, r.restricted} {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(part)))
		h.Write(n[:])
		h.Write(part)
	}
	g := f.Geometry
	if f.original != nil {
		g = f.original
	}
	var buf [16]byte
	if g != nil {
		h.Write([]byte(g.GeoJSONType()))
		geo.Map(g, func(p orb.Point) orb.Point {
			binary.LittleEndian.PutUint64(buf[:], math.Float64bits(p[0]))
			binary.LittleEndian.PutUint64(buf[8:], math.Float64bits(p[1]))
			h.Write(buf[:])
			return p
		})
		h.Write(structure(nil, g)) // the same positions, cut into other parts, are another shape
	}
	return h.Sum(nil)
}

// structure writes the lengths of a shape's parts.
func structure(dst []byte, g orb.Geometry) []byte {
	add := func(n int) { dst = binary.LittleEndian.AppendUint32(dst, uint32(n)) }
	switch g := g.(type) {
	case orb.MultiLineString:
		for _, l := range g {
			add(len(l))
		}
	case orb.Polygon:
		for _, r := range g {
			add(len(r))
		}
	case orb.MultiPolygon:
		for _, p := range g {
			add(len(p))
			dst = structure(dst, p)
		}
	case orb.Collection:
		for _, m := range g {
			dst = append(dst, m.GeoJSONType()...)
			dst = structure(dst, m)
		}
	}
	return dst
}

// clean takes the one character PostgreSQL cannot store out of texts.
func clean(v any) any {
	switch v := v.(type) {
	case string:
		v = strings.ToValidUTF8(v, "\ufffd")
		if strings.IndexByte(v, 0) >= 0 {
			v = strings.ReplaceAll(v, "\x00", "")
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[clean(k).(string)] = clean(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clean(e)
		}
		return out
	}
	return v
}

// featureID takes the id a feature brings, or makes one.
func featureID(f *Feature) ([16]byte, error) {
	switch v := f.Fields["id"].(type) {
	case nil:
		return newID(time.Now()), nil
	case [16]byte:
		return v, nil
	case string:
		var out [16]byte
		if !isUUID(v) {
			return out, fmt.Errorf("id 不是 UUID (no UUID): %s", clip(v, 40))
		}
		_, err := hex.Decode(out[:], []byte(strings.ReplaceAll(v, "-", "")))
		return out, err
	default:
		return [16]byte{}, fmt.Errorf("id 不是 UUID (no UUID): %T", v)
	}
}

// newID is a version 7 UUID (RFC 9562): time first, so that indexes grow at one end.
func newID(at time.Time) [16]byte {
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], uint64(at.UnixMilli())<<16)
	_, _ = rand.Read(u[6:]) // never fails since Go 1.24
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	return u
}
