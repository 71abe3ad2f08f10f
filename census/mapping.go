package census

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// mapper turns records of one entry into features.
type mapper struct {
	entry *Entry
	layer *layerInfo
	cat   *catalogue
	admin *adminIndex
	loc   *time.Location
	crs   geo.CRS
	area  *orb.Bound // of the area the data lies in, to tell swapped ordinates

	auto  map[string]string // source field -> column, where the entry maps nothing
	units map[string]string // source field -> unit its name gives, where it is not the column's
}

func newMapper(e *Entry, t *table, layer *layerInfo, cat *catalogue, admin *adminIndex, loc *time.Location) (*mapper, error) {
	m := &mapper{entry: e, layer: layer, cat: cat, admin: admin, loc: loc, units: map[string]string{}}
	crs, _, err := geo.ParseCRS(e.CRS)
	if err != nil {
		return nil, err
	}
	m.crs = crs
	for name := range e.Fields {
		if _, ok := layer.columns[name]; !ok {
			return nil, fmt.Errorf("%w: %s: layer %s has no field %q", ErrManifest, e.Name, layer.id, name)
		}
	}
	for name := range e.Constants {
		if _, ok := layer.columns[name]; !ok {
			return nil, fmt.Errorf("%w: %s: layer %s has no field %q", ErrManifest, e.Name, layer.id, name)
		}
	}
	for _, f := range slices.Concat(e.Required, e.Expected) {
		if _, ok := layer.columns[f]; !ok {
			return nil, fmt.Errorf("%w: %s: layer %s has no field %q", ErrManifest, e.Name, layer.id, f)
		}
	}
	if len(e.Fields) == 0 {
		m.auto = layer.assign(t.fields, e.loose)
		for f, name := range m.auto {
			if f == e.Geometry.Lon || f == e.Geometry.Lat || f == e.Geometry.Pair {
				delete(m.auto, f)
			} else if unit := headerUnit(f, layer.columns[name]); unit != "" {
				m.units[f] = unit
			}
		}
	}
	return m, nil
}

// wanted lists the source fields the entry names, to find the header row.
func (e *Entry) wanted() []string {
	var out []string
	for _, f := range e.Fields {
		out = append(out, f.From...)
	}
	for _, f := range []string{e.Geometry.Lon, e.Geometry.Lat, e.Geometry.Pair} {
		if f != "" {
			out = append(out, f)
		}
	}
	if !e.Key.Content() {
		out = append(out, e.Key...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// feature maps one record. ok is false where the row cannot go on; the issue says
// why.
func (m *mapper) feature(t *table, r record) (Feature, *Issue) {
	f := Feature{Layer: m.layer.id, File: t.file, Row: r.row, Fields: map[string]any{}, Attrs: map[string]any{}, Restricted: map[string]string{}}
	stop := func(kind Kind, rule, path, message string) (Feature, *Issue) {
		return f, &Issue{File: f.File, Row: f.Row, Key: f.Key, Rule: rule, Kind: kind, Path: path, Message: message, Original: m.original(r)}
	}
	if r.rule != "" {
		kind := r.kind
		if kind == "" {
			kind = Rejected
		}
		return stop(kind, r.rule, "", r.message)
	}
	remark := func(rule, path, message string) {
		f.remarks = append(f.remarks, Issue{File: f.File, Row: f.Row, Rule: rule, Kind: Warning, Path: path, Message: message})
	}
	if !m.entry.Key.Content() {
		key, err := m.key(r)
		if err != nil {
			return stop(Quarantined, RuleNoKey, strings.Join(m.entry.Key, ","), err.Error())
		}
		if rule, message := damagedCode(key); rule != "" {
			return stop(Quarantined, rule, strings.Join(m.entry.Key, ","), message+": "+clip(key, 40))
		}
		f.Key = key
	}
	plain := map[string]bool{} // source fields a column holds unchanged
	set := func(name string, value any, from string, text string) *Issue {
		col := m.layer.columns[name]
		v, bad := m.cat.coerce(col, value, m.loc)
		if bad != nil {
			if bad.fatal {
				_, i := stop(Quarantined, bad.rule, from, bad.message)
				return i
			}
			remark(bad.rule, from, bad.message)
			if bad.lost {
				return nil
			}
		} else if from != "" && plainText(v) == text {
			plain[from] = true
		}
		if v != nil {
			f.Fields[name] = v
		}
		return nil
	}
	for _, name := range m.layer.order {
		if fm, ok := m.entry.Fields[name]; ok {
			value, from, text := fm.value(r.values)
			if i := set(name, value, from, text); i != nil {
				return f, i
			}
		}
	}
	for from, name := range m.auto {
		value, text := r.values[from], plainText(r.values[from])
		if unit := m.units[from]; unit != "" {
			if _, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64); err == nil {
				value = text + unit
			}
		}
		if i := set(name, value, from, text); i != nil {
			return f, i
		}
	}
	for name, v := range m.entry.Constants {
		if _, taken := f.Fields[name]; !taken {
			if i := set(name, v, "", ""); i != nil {
				return f, i
			}
		}
	}
	if x := m.entry.Exercise; x != nil && x.re.MatchString(plainText(r.values[x.Field])) {
		f.Fields["exercise"] = true
		remark(RuleExercise, x.Field, "按演练记录入库 (flagged as an exercise)")
	}
	// Where the layer tells what is proposed from what a person confirmed (the level of an
	// incident), a file confirms nothing: no wall may show what nobody at the desk has seen.
	for _, name := range m.layer.order {
		proposal := name + "_proposed"
		v, told := f.Fields[name]
		if _, ok := m.layer.columns[proposal]; !ok || !told {
			continue
		}
		if delete(f.Fields, name); f.Fields[proposal] == nil {
			f.Fields[proposal] = v
		}
		remark(RuleProposed, name, "作为建议入库，由值班员确认 (taken as proposed, a person confirms it): "+m.layer.columns[name].zh)
	}
	for _, name := range m.entry.Required {
		if f.Fields[name] == nil {
			return stop(Quarantined, RuleRequired, name, fmt.Sprintf("缺必填项 (mandatory): %s", m.layer.columns[name].zh))
		}
	}
	for _, name := range m.entry.Expected {
		if f.Fields[name] == nil {
			remark(RuleMissing, name, fmt.Sprintf("缺值 (not known): %s", m.layer.columns[name].zh))
		}
	}
	if i := m.place(t, &f, r, plain, remark, stop); i != nil {
		return f, i
	}
	if i := m.unit(&f, r, remark, stop); i != nil {
		return f, i
	}
	m.rest(&f, r, plain, remark)
	return f, nil
}

func (m *mapper) key(r record) (string, error) {
	parts := make([]string, 0, len(m.entry.Key))
	for _, k := range m.entry.Key {
		v, ok := r.values[k]
		text := plainText(v)
		if !ok || text == "" {
			return "", fmt.Errorf("主键字段为空 (key field is empty): %s", k)
		}
		if _, personal := maskPersonal(text); personal { // keys are no secret, so they must not hold one
			sum := sha256.Sum256([]byte("onemap key " + text))
			text = hex.EncodeToString(sum[:12])
		}
		parts = append(parts, text)
	}
	key := strings.Join(parts, "\x1f")
	if len(key) > 500 {
		return "", errors.New("主键过长 (key too long)")
	}
	return strings.ReplaceAll(key, "\x1f", "/"), nil
}

// value computes a field from its sources. from names the source where it is one
// and text is its text, to tell whether the column holds it unchanged.
func (fm FieldMap) value(values map[string]any) (value any, from, text string) {
	var parts []string
	for _, s := range fm.From {
		parts = append(parts, plainText(values[s]))
	}
	if len(fm.From) == 1 {
		from, text = fm.From[0], parts[0]
		value = values[from]
	} else {
		sep := fm.Join
		if sep == "" {
			sep = " "
		}
		if fm.Codes == nil { // empty parts vanish, except where codes look at the pattern
			parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
		}
		value = strings.Join(parts, sep)
	}
	if fm.re != nil {
		g := fm.re.FindStringSubmatch(plainText(value))
		switch {
		case g == nil:
			value = nil
		case len(g) > 1:
			value = g[1]
		default:
			value = g[0]
		}
	}
	if fm.Split != "" {
		var out []string
		for p := range strings.SplitSeq(plainText(value), fm.Split) {
			if p = fm.translate(strings.TrimSpace(p)); p != "" && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
		value = strings.Join(out, ",")
	} else if fm.Codes != nil {
		value = fm.translate(plainText(value))
	}
	if (fm.Offset != 0 || fm.Scale != 0) && value != nil {
		if n, err := parseNumber(plainText(value), ""); err == nil {
			scale := fm.Scale
			if scale == 0 {
				scale = 1
			}
			value = n.value*scale + fm.Offset
		}
	}
	return value, from, text
}

func (fm FieldMap) translate(s string) string {
	if v, ok := fm.Codes[s]; ok {
		return v
	}
	if fm.Else != nil {
		return *fm.Else
	}
	return s
}

type remarkFunc func(rule, path, message string)
type stopFunc func(kind Kind, rule, path, message string) (Feature, *Issue)

// place finds the row's shape.
func (m *mapper) place(t *table, f *Feature, r record, plain map[string]bool, remark remarkFunc, stop stopFunc) *Issue {
	g := m.entry.Geometry
	quarantine := func(rule, path, message string) *Issue {
		_, i := stop(Quarantined, rule, path, message)
		return i
	}
	switch {
	case g.None:
		remark(RuleUnplaced, "", "只有地址,未定位 (address only, not placed)")
		return nil
	case g.Pair != "":
		text := plainText(r.values[g.Pair])
		if isEmptyText(text) {
			remark(RuleNullGeometry, g.Pair, "坐标为空,未定位 (no coordinates)")
			return nil
		}
		p, err := geo.ParseLonLat(text)
		if err != nil {
			return quarantine(RuleCoordinate, g.Pair, fmt.Sprintf("坐标不可读 (unreadable): %s", clip(text, 60)))
		}
		remark(RuleDMS, g.Pair, fmt.Sprintf("%s 换算为 %.7f, %.7f (converted)", clip(text, 60), p[0], p[1]))
		f.Geometry = p
	case g.Lon != "":
		lon, lat := plainText(r.values[g.Lon]), plainText(r.values[g.Lat])
		if isEmptyText(lon) && isEmptyText(lat) {
			remark(RuleNullGeometry, g.Lon, "坐标为空,未定位 (no coordinates)")
			return nil
		}
		x, errX := strconv.ParseFloat(lon, 64)
		y, errY := strconv.ParseFloat(lat, 64)
		if errX == nil && errY == nil {
			plain[g.Lon], plain[g.Lat] = true, true
		} else {
			var ax, ay geo.Axis
			x, ax, errX = geo.ParseDegrees(lon)
			y, ay, errY = geo.ParseDegrees(lat)
			if errX != nil || errY != nil {
				return quarantine(RuleCoordinate, g.Lon+","+g.Lat, fmt.Sprintf("坐标不可读 (unreadable): %s, %s", clip(lon, 40), clip(lat, 40)))
			}
			if ax == geo.Latitude || ay == geo.Longitude {
				return quarantine(RuleSwapped, g.Lon+","+g.Lat, fmt.Sprintf("经纬度列写反 (columns swapped): %s, %s", clip(lon, 40), clip(lat, 40)))
			}
			remark(RuleDMS, g.Lon+","+g.Lat, fmt.Sprintf("%s, %s 换算为 %.7f, %.7f (converted)", clip(lon, 40), clip(lat, 40), x, y))
		}
		f.Geometry = orb.Point{x, y}
	case r.fault != nil && r.fault.Code == geo.CodeEnvelope && looksLatitudeFirst(r.fault.At):
		return quarantine(RuleSwapped, r.fault.Path, fmt.Sprintf("经纬度疑似写反 (latitude seems to come first): %g, %g", r.fault.At[0], r.fault.At[1]))
	case r.fault != nil:
		i := quarantine(r.fault.Code, r.fault.Path, faultWords(r.fault))
		if r.fault.HasAt {
			if _, ok := geo.InEnvelope(r.fault.At); ok {
				i.At = &r.fault.At
			}
		}
		return i
	case t.shapes && r.geometry == nil:
		remark(RuleNullGeometry, "", "空间位置为空,未定位 (null geometry)")
		return nil
	default:
		f.Geometry = r.geometry
	}
	return m.convert(t, f, quarantine)
}

// convert brings the numbers into EPSG:4490 where Go can, and leaves the rest to
// PostGIS.
func (m *mapper) convert(t *table, f *Feature, quarantine func(rule, path, message string) *Issue) *Issue {
	if f.Geometry == nil {
		return nil
	}
	declared, srid, _ := geo.ParseCRS(m.entry.CRS) // checked when the mapper was made
	if declared == geo.AutoCRS && t.srid != 0 {
		srid = t.srid
	}
	switch {
	case declared == geo.GCJ02 || declared == geo.BD09:
		f.original = f.Geometry
		f.Geometry, _ = geo.ToCGCS2000(f.Geometry, declared)
		f.Attrs["src_crs"] = string(declared)
		if p, ok := f.original.(orb.Point); ok {
			f.Attrs["src_coordinates"] = []float64{p[0], p[1]}
		}
	case srid != 0 && srid != geo.SRID && (t.srid != 0 || !t.shapes):
		f.srid = srid
		f.Attrs["src_crs"] = "EPSG:" + strconv.Itoa(srid)
		if p, ok := f.Geometry.(orb.Point); ok {
			f.Attrs["src_coordinates"] = []float64{p[0], p[1]}
		}
		return nil
	}
	if at, ok := geo.InEnvelope(f.Geometry); !ok {
		if looksLatitudeFirst(at) {
			return quarantine(RuleSwapped, "", fmt.Sprintf("经纬度疑似写反 (latitude seems to come first): %g, %g", at[0], at[1]))
		}
		lon, zone := 105.0, "" // the middle of the country tells whether, not where
		if m.area != nil {
			lon = m.area.Center()[0]
		}
		if gk, ok := geo.GuessGaussKruger(at[0], at[1], lon); ok {
			if gk.Prefixed || m.area != nil {
				zone = fmt.Sprintf(" EPSG:%d", gk.EPSG)
			}
			return quarantine(RuleProjected, "", fmt.Sprintf("像是高斯-克吕格坐标%s,请注明坐标系 (looks projected; name the system): %.2f, %.2f", zone, at[0], at[1]))
		}
		return quarantine(geo.CodeEnvelope, "", fmt.Sprintf("超出经纬度范围 (outside ±180/±90): %g, %g", at[0], at[1]))
	}
	return nil
}

// looksLatitudeFirst recognises a pair that can only be one when turned round.
func looksLatitudeFirst(p orb.Point) bool {
	return math.Abs(p[0]) <= 90 && math.Abs(p[1]) > 90 && math.Abs(p[1]) <= 180
}

// unit finds the administrative unit the row names.
func (m *mapper) unit(f *Feature, r record, remark remarkFunc, stop stopFunc) *Issue {
	if code, ok := f.Fields["admin_code"].(string); ok {
		f.Code = code
		delete(f.Fields, "admin_code")
	}
	if m.layer.id == "admin" && f.Code == "" {
		f.Code, _ = f.Fields["code"].(string)
	}
	a := m.entry.Admin
	if a == nil || m.admin == nil {
		return nil
	}
	code := ""
	if a.Code != "" {
		code = plainText(r.values[a.Code])
		if rule, message := damagedCode(code); rule != "" {
			_, i := stop(Quarantined, rule, a.Code, message+": "+clip(code, 40))
			return i
		}
		if _, known := m.admin.units[code]; code != "" && !known {
			remark(RuleAdminUnknown, a.Code, fmt.Sprintf("行政区划中没有此代码 (no such unit): %s", clip(code, 40)))
			code = ""
		}
	} else {
		var parts []string
		for _, n := range a.Names {
			parts = append(parts, plainText(r.values[n]))
		}
		said := strings.Join(parts, " ")
		if code = m.admin.find(strings.Join(parts, "")); code == "" && strings.TrimSpace(said) != "" {
			remark(RuleAdminUnknown, strings.Join(a.Names, ","), fmt.Sprintf("行政区划中没有此单位 (no such unit): %s", clip(said, 40)))
		}
	}
	if code == "" {
		return nil
	}
	f.stated = code
	if a.Whole || f.Geometry == nil {
		f.Code = code
	}
	return nil
}

// rest puts away what no column took: identity and telephone numbers to the
// restricted schema, everything else to attrs.
func (m *mapper) rest(f *Feature, r record, plain map[string]bool, remark remarkFunc) {
	for name, v := range r.values {
		if plain[name] {
			continue
		}
		text := plainText(v)
		if text == "" {
			continue
		}
		if m.personal(name, text) {
			f.Restricted[name] = text
			remark(RuleRestricted, name, "个人信息列,存入受限库 (put into the restricted schema)")
			continue
		}
		f.Attrs[name] = v
	}
	for name, v := range f.Fields { // a mapped column must not carry them either
		col := m.layer.columns[name]
		text, ok := v.(string)
		if !ok || col.udt != "text" || col.list != "" || name == "admin_code" || name == "uscc" {
			continue
		}
		if name == "code" && !isIDNumber(text) { // eleven digits may well be a station's number
			continue
		}
		if masked, found := maskPersonal(text); found {
			f.Restricted[name] = text
			f.Fields[name] = masked
			remark(RuleRestricted, name, "个人信息,存入受限库 (put into the restricted schema)")
		}
	}
}

// personal reports whether a source value must go to the restricted schema.
func (m *mapper) personal(name, text string) bool {
	if slices.Contains(m.entry.Restricted, name) || restrictedName.MatchString(name) {
		return true
	}
	_, found := maskPersonal(text)
	return found
}

// original is the row as it was read, without what must not be seen.
func (m *mapper) original(r record) map[string]any {
	out := make(map[string]any, len(r.values)+1)
	for k, v := range r.values {
		if !m.personal(k, plainText(v)) {
			out[k] = v
		}
	}
	return out
}

// faultWords says a geometry fault in the office's words.
func faultWords(f *geo.Fault) string {
	zh := map[string]string{
		geo.CodeSyntax: "几何文本不合法", geo.CodeNumber: "坐标不是有限数值", geo.CodeDepth: "嵌套过深", geo.CodeVertices: "节点过多", geo.CodeParts: "部件过多",
		geo.CodeBytes: "几何文本过大", geo.CodeType: "几何类型未知", geo.CodeCRS: "坐标系未知", geo.CodeNoCoordinates: "缺 coordinates", geo.CodeBadShape: "coordinates 结构不对",
		geo.CodeEmpty: "几何为空", geo.CodeDimension: "坐标维数不对", geo.CodeEnvelope: "超出经纬度范围", geo.CodeOpenRing: "环未闭合", geo.CodeShortRing: "环的点数不足",
		geo.CodeShortLine: "线的点数不足", geo.CodeNested: "几何集合嵌套过深", geo.CodeSelfCross: "自相交", geo.CodeHoleOutside: "内环在外环之外", geo.CodeNestedHoles: "内环套内环",
		geo.CodeNestedShells: "面套面", geo.CodeDuplicateRing: "环重复", geo.CodeTooComplex: "图形过于复杂",
	}
	s := zh[f.Code]
	if s == "" {
		s = f.Code
	}
	if f.HasAt {
		return fmt.Sprintf("%s (%s), %.7f, %.7f", s, f.Detail, f.At[0], f.At[1])
	}
	return fmt.Sprintf("%s (%s)", s, f.Detail)
}
