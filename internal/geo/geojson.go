package geo

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/paulmach/orb"
)

// Limits bound what ParseGeoJSON accepts.
type Limits struct {
	Vertices  int  // positions in all
	Bytes     int  // of text
	Depth     int  // of collections inside collections
	Parts     int  // members of collections and multi-geometries, and rings, in all
	Projected bool // the numbers are metres of another system: no ±180/±90 check
}

// EditLimits are those of interactive writes and queries.
func EditLimits() Limits {
	return Limits{Vertices: 10_000, Bytes: 2 << 20, Depth: 3, Parts: 2_000}
}

// ImportLimits are those of imported areas.
func ImportLimits() Limits {
	return Limits{Vertices: 200_000, Bytes: 32 << 20, Depth: 3, Parts: 50_000}
}

// maxJSONDepth bounds arrays and objects inside foreign members.
const maxJSONDepth = 64

// ParseGeoJSON reads one GeoJSON geometry. Z and M are dropped; "bbox" and
// foreign members are checked for syntax and ignored; a "crs" member is accepted
// where it names lon/lat. The error is always a *[Fault]. It never reads more
// coordinates than the limit allows, so its time is bounded by len(data).
func ParseGeoJSON(data []byte, lim Limits) (orb.Geometry, error) {
	p := &parser{data: data, lim: lim}
	if lim.Bytes > 0 && len(data) > lim.Bytes {
		return nil, p.fault(CodeBytes, "", fmt.Sprintf("%d bytes, at most %d", len(data), lim.Bytes))
	}
	p.space()
	g, f := p.geometry("", 0)
	if f != nil {
		return nil, f
	}
	p.space()
	if p.pos != len(p.data) {
		return nil, p.fault(CodeSyntax, "", "text after the geometry")
	}
	return g, nil
}

type parser struct {
	data     []byte
	pos      int
	lim      Limits
	vertices int
	parts    int
}

func (p *parser) fault(code, path, detail string) *Fault {
	return &Fault{Code: code, Path: path, Detail: detail, Offset: int64(p.pos)}
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) peek() byte {
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

// geometry reads an object. Members may come in any order, so the coordinates
// are first skipped (which checks syntax) and read once the type is known.
func (p *parser) geometry(path string, depth int) (orb.Geometry, *Fault) {
	if p.peek() == 'n' {
		start := p.pos
		if f := p.skip(path, 0); f != nil {
			return nil, f
		}
		p.pos = start
		return nil, p.fault(CodeNull, path, "the geometry is null")
	}
	if p.peek() != '{' {
		return nil, p.fault(CodeSyntax, path, "a geometry is an object")
	}
	start := p.pos
	p.pos++
	var typ string
	coords, geoms := -1, -1
	seen := map[string]bool{}
	for first := true; ; first = false {
		p.space()
		if p.peek() == '}' && first {
			p.pos++
			break
		}
		key, f := p.str(path)
		if f != nil {
			return nil, f
		}
		if seen[key] {
			return nil, p.fault(CodeSyntax, join(path, key), "member given twice")
		}
		if len(seen) >= 100 {
			return nil, p.fault(CodeSyntax, path, "too many members")
		}
		seen[key] = true
		p.space()
		if p.peek() != ':' {
			return nil, p.fault(CodeSyntax, join(path, key), "expected ':'")
		}
		p.pos++
		p.space()
		at := p.pos
		switch key {
		case "type":
			if p.peek() != '"' {
				return nil, p.fault(CodeType, join(path, key), "the type is not text")
			}
			if typ, f = p.str(join(path, key)); f != nil {
				return nil, f
			}
		default:
			if f := p.skip(join(path, key), 0); f != nil {
				return nil, f
			}
			switch key {
			case "coordinates":
				coords = at
			case "geometries":
				geoms = at
			case "crs":
				if name, ok := CRSMember(p.data[at:p.pos]); !ok {
					p.pos = at
					return nil, p.fault(CodeCRS, join(path, key), name)
				}
			}
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			continue
		case '}':
			p.pos++
		default:
			return nil, p.fault(CodeSyntax, path, "expected ',' or '}'")
		}
		break
	}
	end := p.pos
	g, f := p.typed(path, typ, start, coords, geoms, depth)
	p.pos = end
	if f != nil {
		return nil, f
	}
	return g, nil
}

func (p *parser) typed(path, typ string, start, coords, geoms, depth int) (orb.Geometry, *Fault) {
	at := join(path, "coordinates")
	p.pos = start
	switch typ {
	case "GeometryCollection":
		if geoms < 0 {
			return nil, p.fault(CodeNoCoordinates, join(path, "geometries"), "member missing")
		}
		p.pos = geoms
		return p.collection(join(path, "geometries"), depth)
	case "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon":
	case "":
		return nil, p.fault(CodeType, join(path, "type"), "member missing")
	default:
		return nil, p.fault(CodeType, join(path, "type"), fmt.Sprintf("%.40q is not a geometry", typ))
	}
	if coords < 0 {
		return nil, p.fault(CodeNoCoordinates, at, "member missing")
	}
	p.pos = coords
	if p.peek() != '[' {
		return nil, p.fault(CodeBadShape, at, "not an array")
	}
	switch typ {
	case "Point":
		pt, f := p.position(at)
		if f != nil {
			return nil, f
		}
		return pt, nil
	case "MultiPoint":
		l, f := p.list(at)
		if f != nil {
			return nil, f
		}
		return orb.MultiPoint(l), nil
	case "LineString":
		return orNil(p.line(at))
	case "Polygon":
		return orNil(p.polygon(at))
	case "MultiLineString":
		return orNil(array(p, at, p.line))
	default:
		out, f := array(p, at, p.polygon)
		if f != nil {
			return nil, f
		}
		return orb.MultiPolygon(out), nil
	}
}

// orNil keeps a typed nil out of the interface.
func orNil[G any](g G, f *Fault) (orb.Geometry, *Fault) {
	if f != nil {
		return nil, f
	}
	switch v := any(g).(type) {
	case []orb.LineString:
		return orb.MultiLineString(v), nil
	case orb.Geometry:
		return v, nil
	}
	return nil, &Fault{Code: CodeType, Offset: -1}
}

func (p *parser) collection(path string, depth int) (orb.Geometry, *Fault) {
	if depth >= p.lim.Depth {
		return nil, p.fault(CodeNested, path, fmt.Sprintf("collections nested deeper than %d", p.lim.Depth))
	}
	if p.peek() != '[' {
		return nil, p.fault(CodeBadShape, path, "not an array")
	}
	out, f := array(p, path, func(at string) (orb.Geometry, *Fault) { return p.geometry(at, depth+1) })
	if f != nil {
		return nil, f
	}
	return orb.Collection(out), nil
}

// array reads members with read until the closing bracket.
func array[T any](p *parser, path string, read func(string) (T, *Fault)) ([]T, *Fault) {
	if p.peek() != '[' {
		return nil, p.fault(CodeBadShape, path, "not an array")
	}
	p.pos++
	p.space()
	if p.peek() == ']' {
		return nil, p.fault(CodeEmpty, path, "empty")
	}
	var out []T
	for {
		if p.parts++; p.parts > p.lim.Parts {
			return nil, p.fault(CodeParts, path, fmt.Sprintf("more than %d parts", p.lim.Parts))
		}
		p.space()
		v, f := read(index(path, len(out)))
		if f != nil {
			return nil, f
		}
		out = append(out, v)
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			return out, nil
		default:
			return nil, p.fault(CodeSyntax, path, "expected ',' or ']'")
		}
	}
}

func (p *parser) line(path string) (orb.LineString, *Fault) {
	start := p.pos
	l, f := p.list(path)
	if f != nil {
		return nil, f
	}
	for _, q := range l[1:] {
		if q != l[0] {
			return l, nil
		}
	}
	p.pos = start
	return nil, p.place(p.fault(CodeShortLine, path, "a line needs two different positions"), l[0])
}

func (p *parser) polygon(path string) (orb.Polygon, *Fault) {
	out, f := array(p, path, p.ring)
	if f != nil {
		return nil, f
	}
	return orb.Polygon(out), nil
}

func (p *parser) ring(path string) (orb.Ring, *Fault) {
	start := p.pos
	l, f := p.list(path)
	if f != nil {
		return nil, f
	}
	end := p.pos
	p.pos = start
	if l[0] != l[len(l)-1] {
		return nil, p.place(p.fault(CodeOpenRing, path, "the first and last position differ"), l[len(l)-1])
	}
	if len(l) < 4 || distinct(l, 3) < 3 {
		return nil, p.place(p.fault(CodeShortRing, path, "a ring needs three different positions and its closing one"), l[0])
	}
	p.pos = end
	return orb.Ring(l), nil
}

func (p *parser) place(f *Fault, at orb.Point) *Fault {
	f.At, f.HasAt = at, true
	return f
}

// distinct counts different positions, up to want.
func distinct(l []orb.Point, want int) int {
	var seen [4]orb.Point
	n := 0
next:
	for _, q := range l {
		for _, s := range seen[:n] {
			if s == q {
				continue next
			}
		}
		seen[n] = q
		if n++; n >= want || n == len(seen) {
			break
		}
	}
	return n
}

func (p *parser) list(path string) ([]orb.Point, *Fault) {
	if p.peek() != '[' {
		return nil, p.fault(CodeBadShape, path, "not an array of positions")
	}
	p.pos++
	p.space()
	if p.peek() == ']' {
		return nil, p.fault(CodeEmpty, path, "no positions")
	}
	var out []orb.Point
	for {
		p.space()
		q, f := p.position("")
		if f != nil {
			f.Path = index(path, len(out)) + f.Path
			return nil, f
		}
		out = append(out, q)
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			return out, nil
		default:
			return nil, p.fault(CodeSyntax, path, "expected ',' or ']'")
		}
	}
}

func (p *parser) position(path string) (orb.Point, *Fault) {
	start := p.pos
	if p.peek() != '[' {
		return orb.Point{}, p.fault(CodeBadShape, path, "not a position")
	}
	if p.vertices++; p.vertices > p.lim.Vertices {
		return orb.Point{}, p.fault(CodeVertices, path, fmt.Sprintf("more than %d positions", p.lim.Vertices))
	}
	p.pos++
	var v [4]float64
	n := 0
	for {
		p.space()
		c := p.peek()
		if n == 0 && c == ']' {
			return orb.Point{}, p.fault(CodeEmpty, path, "empty position")
		}
		if c == '[' || c == '{' || c == '"' || c == 't' || c == 'f' || c == 'n' {
			return orb.Point{}, p.fault(CodeBadShape, path, "a position holds numbers only")
		}
		if n == len(v) {
			return orb.Point{}, p.fault(CodeDimension, path, "more than four ordinates")
		}
		x, f := p.number(path)
		if f != nil {
			return orb.Point{}, f
		}
		v[n] = x
		n++
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			continue
		case ']':
			p.pos++
		default:
			return orb.Point{}, p.fault(CodeSyntax, path, "expected ',' or ']'")
		}
		break
	}
	q := orb.Point{v[0], v[1]}
	if n < 2 {
		p.pos = start
		return q, p.fault(CodeDimension, path, "fewer than two ordinates")
	}
	if !p.lim.Projected && !inEnvelope(q) {
		p.pos = start
		return q, p.place(p.fault(CodeEnvelope, path, "outside ±180/±90"), q)
	}
	return q, nil
}

func join(path, key string) string {
	if len(key) > 40 {
		key = key[:40]
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// CRSMember reads the old "crs" member of GeoJSON. It answers the name it found
// and whether that is a lon/lat system this program takes as it is.
func CRSMember(raw []byte) (name string, lonLat bool) {
	var v *struct {
		Properties struct {
			Name string `json:"name"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return "not readable", false
	}
	if v == nil {
		return "", true
	}
	c, _, err := ParseCRS(v.Properties.Name)
	return v.Properties.Name, err == nil && c == CGCS2000
}
