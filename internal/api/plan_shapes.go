package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/paulmach/orb"

	"onemap/internal/registry"
	"onemap/zoning"
	"onemap/zoning/coverage"
)

// appendDegrees writes a grid coordinate as the shortest decimal that reads back as the
// same float64: at most eight decimals, which for numbers below 1000 are always enough.
func appendDegrees(b []byte, k int64) []byte {
	if k < 0 {
		b, k = append(b, '-'), -k
	}
	const scale = int64(coverage.Scale)
	b = strconv.AppendInt(b, k/scale, 10)
	frac := k % scale
	if frac == 0 {
		return b
	}
	b = append(b, '.')
	for unit := scale / 10; frac > 0; unit /= 10 {
		b = append(b, byte('0'+frac/unit))
		frac %= unit
	}
	return b
}

func appendPoint(b []byte, p coverage.Point) []byte {
	b = appendDegrees(append(b, '['), p.X)
	return append(appendDegrees(append(b, ','), p.Y), ']')
}

func appendPoints(b []byte, line []coverage.Point, closed bool) []byte {
	b = append(b, '[')
	for i, p := range line {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendPoint(b, p)
	}
	if closed && len(line) > 0 {
		b = appendPoint(append(b, ','), line[0])
	}
	return append(b, ']')
}

// appendShape writes a shape as a MultiPolygon, null where it is empty.
func appendShape(b []byte, s coverage.Shape) []byte {
	if len(s) == 0 {
		return append(b, "null"...)
	}
	b = append(b, `{"type":"MultiPolygon","coordinates":[`...)
	for i, p := range s {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for j, ring := range p {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendPoints(b, ring, true)
		}
		b = append(b, ']')
	}
	return append(b, "]}"...)
}

func shapeJSON(s coverage.Shape) json.RawMessage { return appendShape(nil, s) }

func lineJSON(line []coverage.Point) json.RawMessage {
	b := append([]byte(nil), `{"type":"LineString","coordinates":`...)
	return append(appendPoints(b, line, false), '}')
}

func pointJSON(p coverage.Point) json.RawMessage {
	b := append([]byte(nil), `{"type":"Point","coordinates":`...)
	return append(appendPoint(b, p), '}')
}

// position is a bare [lon, lat], null where there is none.
func positionOrNil(p *orb.Point) []float64 {
	if p == nil {
		return nil
	}
	return []float64{p[0], p[1]}
}

// zoneProperties are what a zone says beside its shape.
type zoneProperties struct {
	Zone           string          `json:"zone"`
	Version        int64           `json:"version"`
	FID            int64           `json:"fid"`
	Code           *string         `json:"code"`
	Name           *string         `json:"name"`
	Level          *int            `json:"level"`
	Reason         *string         `json:"reason"`
	Countermeasure *string         `json:"countermeasure"`
	Responsible    *string         `json:"responsible"`
	Population     *int            `json:"population"`
	AreaKm2        *float64        `json:"area_km2"`
	Attrs          json.RawMessage `json:"attrs"`
}

// appendZone writes a zone as a GeoJSON feature.
func appendZone(b []byte, z zoning.Zone) ([]byte, error) {
	props, err := json.Marshal(zoneProperties{
		Zone: z.Zone, Version: z.Version, FID: z.FID, Code: optional(z.Code), Name: optional(z.Name), Level: positive(z.Level), Reason: optional(z.Reason),
		Countermeasure: optional(z.Countermeasure), Responsible: optional(z.Responsible), Population: z.Population, AreaKm2: z.AreaKm2, Attrs: raw(z.Attrs, "{}"),
	})
	if err != nil {
		return nil, fmt.Errorf("encode zone %s: %w", z.Zone, err)
	}
	b = append(b, `{"type":"Feature","id":`...)
	b = strconv.AppendQuote(b, z.Zone) // a UUID: nothing to escape
	b = append(b, `,"geometry":`...)
	b = appendShape(b, z.Shape)
	b = append(b, `,"properties":`...)
	return append(append(b, props...), '}'), nil
}

func zoneFeatures(zones []zoning.Zone) (json.RawMessage, error) {
	b := []byte{'['}
	var err error
	for i, z := range zones {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendZone(b, z); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// violationWords say what is wrong at a place.
func violationWords(c coverage.Code) Text {
	switch c {
	case coverage.SelfIntersection:
		return text("边界自相交", "the border crosses itself")
	case coverage.Overlap:
		return text("与相邻区划单元重叠", "zones overlap here")
	case coverage.Gap:
		return text("区划单元之间有缝隙，此处没有归属", "there is a gap here that no zone covers")
	case coverage.Sliver:
		return text("细长碎片", "there is a sliver here")
	case coverage.OutsideArea:
		return text("超出方案范围", "it reaches outside the area of the plan")
	case coverage.TooManyVertices:
		return text("节点过多", "there are too many vertices")
	case coverage.OffGrid:
		return text("坐标不在方案的格网上", "a coordinate is not on the grid of the plan")
	case coverage.Degenerate:
		return text("形状退化：尖刺、不足三点或没有面积", "the shape is degenerate: a spike, fewer than three points, or no area")
	case coverage.NothingToDo:
		return text("此操作不改变任何东西", "this would change nothing")
	case coverage.NoSuchZone:
		return text("没有此区划单元", "there is no such zone")
	case coverage.NoSuchVertex:
		return text("此处没有节点", "there is no vertex here")
	case coverage.NotAdjacent:
		return text("区划单元不相邻", "the zones do not touch")
	case coverage.LockedBoundary:
		return text("方案范围的边界不能移动", "the boundary of the plan's area cannot be moved")
	}
	if w, ok := extraViolationWords(c); ok {
		return w
	}
	return text("不符合要求", "it is not allowed")
}

// violationGeometry is where: the area, else the line, else the point.
func violationGeometry(v coverage.Violation) json.RawMessage {
	switch {
	case len(v.Where) > 0:
		return shapeJSON(v.Where)
	case len(v.Line) > 1:
		return lineJSON(v.Line)
	}
	return pointJSON(v.At)
}

func violationItem(lang registry.Lang, path string, v coverage.Violation) Item {
	return Item{Path: path, Code: string(v.Code), Message: violationWords(v.Code).In(lang), Geometry: violationGeometry(v), Proposals: proposals(lang, v.Proposals)}
}

// maxViolations bounds an answer; the count says how many there are.
const maxViolations = 500

func violationProblem(lang registry.Lang, err error) *Error {
	var impossible *zoning.ViolationsError
	var cov *coverage.Error
	var list []coverage.Violation
	switch {
	case errors.As(err, &impossible):
		list = impossible.Violations
	case errors.As(err, &cov):
		list = cov.Violations
	default:
		return nil
	}
	e := wrap(CodeInvalid, err)
	for _, v := range list {
		if len(e.Items) == maxViolations {
			break
		}
		path := "geometry"
		if len(v.Zones) > 0 {
			path = "zones/" + string(v.Zones[0])
		}
		e.Items = append(e.Items, violationItem(lang, path, v))
	}
	return e
}

type violationAnswer struct {
	Code      string          `json:"code"`
	Message   string          `json:"message"`
	Zones     []string        `json:"zones"`
	Geometry  json.RawMessage `json:"geometry"`
	At        json.RawMessage `json:"at"` // [lon, lat]
	AreaM2    float64         `json:"area_m2"`
	WidthM    float64         `json:"width_m"`
	Proposals []Proposal      `json:"proposals"`
}

func violationLine(lang registry.Lang, v coverage.Violation) violationAnswer {
	a := violationAnswer{
		Code: string(v.Code), Message: violationWords(v.Code).In(lang), Zones: []string{}, Geometry: violationGeometry(v),
		At: appendPoint(nil, v.At), AreaM2: v.AreaM2, WidthM: v.WidthM, Proposals: proposals(lang, v.Proposals),
	}
	for _, z := range v.Zones {
		a.Zones = append(a.Zones, string(z))
	}
	if a.Proposals == nil {
		a.Proposals = []Proposal{}
	}
	return a
}

// Proposal is a repair the client may send as it is.
type Proposal struct {
	Title string            `json:"title"`
	Ops   []json.RawMessage `json:"ops"`
}

func proposals(lang registry.Lang, list [][]coverage.Op) []Proposal {
	var out []Proposal
	for _, ops := range list {
		if len(ops) == 0 {
			continue
		}
		p := Proposal{Title: proposalTitle(ops).In(lang), Ops: make([]json.RawMessage, 0, len(ops))}
		for _, o := range ops {
			p.Ops = append(p.Ops, opJSON(o))
		}
		out = append(out, p)
	}
	return out
}

// proposalTitle names a repair by its first operation.
func proposalTitle(ops []coverage.Op) Text {
	if len(ops[0].Confirmed) > 0 {
		return text("确认这些单元被取代", "Confirm that these zones go")
	}
	switch ops[0].Kind {
	case coverage.AssignGap:
		return text("并入相邻区划单元", "Give the gap to a neighbour")
	case coverage.Merge:
		return text("合并区划单元", "Merge the zones")
	case coverage.Add, coverage.AddPart:
		return text("补画区划单元", "Draw what is missing")
	case coverage.Reshape:
		return text("修正边界", "Mend the border")
	case coverage.Split:
		return text("切割", "Split")
	case coverage.CutHole:
		return text("挖洞", "Cut a hole")
	case coverage.FillHole:
		return text("补洞", "Fill the hole")
	case coverage.RemoveVertex:
		return text("删除节点", "Remove the vertex")
	case coverage.MoveVertex, coverage.MoveEdge:
		return text("移动节点", "Move the vertex")
	case coverage.InsertVertex:
		return text("插入节点", "Insert a vertex")
	case coverage.Delete:
		return text("删除区划单元", "Delete the zone")
	case coverage.Explode:
		return text("拆分多部件", "Take the parts apart")
	}
	return text("修复", "Mend")
}

// opJSON writes an operation as the contract has it; readSteps reads it back the same.
func opJSON(o coverage.Op) json.RawMessage {
	m := map[string]any{"op": o.Kind}
	at := func(p coverage.Point) json.RawMessage { return appendPoint(nil, p) }
	edge := func(e [2]coverage.Point) []json.RawMessage { return []json.RawMessage{at(e[0]), at(e[1])} }
	takes := opMembers()[string(o.Kind)]
	for _, name := range append(append([]string{}, takes[0]...), takes[1]...) {
		switch name {
		case "zone":
			if o.Zone != "" {
				m[name] = o.Zone
			}
		case "zones":
			m[name] = o.Zones
		case "new":
			if len(o.New) > 0 {
				m[name] = o.New
			}
		case "confirm_removed":
			if len(o.Confirmed) > 0 {
				m[name] = o.Confirmed
			}
		case "geometry":
			if len(o.Shape) > 0 {
				m[name] = shapeJSON(o.Shape)
			}
		case "line":
			if len(o.Line) > 0 {
				m[name] = json.RawMessage(appendPoints(nil, o.Line, false))
			}
		case "mode":
			m[name] = map[bool]string{true: "carve", false: "clip"}[o.Carve]
		case "at":
			m[name] = at(o.At)
		case "from":
			m[name] = at(o.From)
		case "edge":
			m[name] = edge(o.Edge)
		case "to":
			switch {
			case o.Kind == coverage.MoveEdge:
				m[name] = edge(o.EdgeTo)
			case o.Kind != coverage.Delete:
				m[name] = at(o.To)
			case o.Target != "":
				m[name] = o.Target
			}
		}
	}
	b, err := json.Marshal(m)
	if err != nil {
		return json.RawMessage("null") // strings and numbers only: it cannot fail
	}
	return b
}
