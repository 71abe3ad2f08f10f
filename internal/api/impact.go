package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/features"
	"onemap/internal/geo"
	"onemap/internal/impact"
	"onemap/shelters/roadgraph"
)

// Impact answers what is inside an area.
type Impact interface {
	Ask(ctx context.Context, who features.Asker, q impact.Question) (*impact.Answer, error)
	Shapes(ctx context.Context, who features.Asker, layer, id string) ([]orb.Geometry, error)
}

// Ways is the road graph.
type Ways interface {
	Graph() (*roadgraph.Graph, roadgraph.Speeds, error)
}

// impactProblem gives refusals of the questions about areas and ways their documents.
func impactProblem(err error) *Error {
	refuse := func(code, path, zh, en string) *Error {
		e := wrap(CodeInvalid, err)
		e.As = Code(code)
		e.Items = []Item{{Path: path, Code: code, Message: zh + " · " + en}}
		return e
	}
	switch {
	case errors.Is(err, impact.ErrFull), errors.Is(err, roadgraph.ErrLoading):
		e := wrap(CodeOverloaded, err)
		e.RetryAfter = 2 * time.Second
		return e
	case errors.Is(err, impact.ErrNotFound):
		return wrap(CodeNotFound, err)
	case errors.Is(err, impact.ErrNoPlace):
		return refuse("no_place", "", "还没有位置,请先在地图上标出", "it has no place yet; put it on the map first")
	case errors.Is(err, impact.ErrNoArea):
		return refuse("no_area", "geometry", "点和线需要 buffer_m 或 ring", "a point or a line needs buffer_m or ring")
	case errors.Is(err, impact.ErrTooLarge):
		return refuse("area_too_large", "geometry", "范围超过 6 万平方千米,请分区估算", "the area is larger than 60,000 km²; ask for parts of it")
	}
	return nil
}

type impactBody struct {
	Geometry json.RawMessage `json:"geometry"`
	Incident string          `json:"incident"`
	Alert    string          `json:"alert"`
	BufferM  *float64        `json:"buffer_m"`
	Ring     []float64       `json:"ring"`
	SrcCRS   string          `json:"src_crs"`
	Datetime string          `json:"datetime"`
	AsOf     string          `json:"as_of"`
	Title    string          `json:"title"` // of a paper
	Map      string          `json:"map"`   // of a paper: A4, A3 or none
}

// limitImpact leaves room for a shape of 10,000 corners.
const limitImpact = 1 << 20

// question reads a body. What is wrong with a shape is told with its place.
func (b *impactBody) question(req *Request) (impact.Question, error) {
	var q impact.Question
	given := 0
	for _, has := range []bool{len(b.Geometry) > 0 && string(b.Geometry) != "null", b.Incident != "", b.Alert != ""} {
		if has {
			given++
		}
	}
	if given != 1 {
		return q, fault(req, "", "one_of", "geometry、incident、alert 给且只给一个", "give exactly one of geometry, incident, alert")
	}
	for path, id := range map[string]string{"incident": b.Incident, "alert": b.Alert} {
		if id != "" && !uuidText(id) {
			return q, fault(req, path, "bad_id", "应为 UUID", "it is a UUID")
		}
	}
	q.Incident, q.Alert = strings.ToLower(b.Incident), strings.ToLower(b.Alert)
	if b.BufferM != nil {
		if *b.BufferM < 0 || *b.BufferM > impact.MaxBufferM {
			return q, fault(req, "buffer_m", "out_of_range", "应为 0 到 50000 米", "it is 0 to 50,000 m")
		}
		q.BufferM = *b.BufferM
	}
	if len(b.Ring) > impact.MaxRings {
		return q, fault(req, "ring", "too_many", "至多 6 圈", "there are at most 6 rings")
	}
	for i, r := range b.Ring {
		if r < 1 || r > impact.MaxBufferM || i > 0 && r <= b.Ring[i-1] {
			return q, fault(req, "ring["+strconv.Itoa(i)+"]", "out_of_range", "应为由小到大的半径,1 到 50000 米", "radii rise, 1 to 50,000 m")
		}
	}
	if len(b.Ring) > 0 && q.BufferM > 0 {
		return q, fault(req, "ring", "one_of", "buffer_m 与 ring 只能给一个", "give buffer_m or ring, not both")
	}
	q.Rings = b.Ring
	var err error
	if given == 1 && b.Incident == "" && b.Alert == "" {
		if q.Shape, err = areaOf(req, b.Geometry, b.SrcCRS); err != nil {
			return q, err
		}
	}
	q.Times, err = b.times(req)
	return q, err
}

// times are datetime and as_of as everywhere, in a body.
func (b *impactBody) times(req *Request) (features.Times, error) {
	var t features.Times
	if b.AsOf != "" {
		at, ok := instant(b.AsOf)
		if !ok {
			return t, fault(req, "as_of", "bad_time", "应为带时区的 RFC 3339 时间", "it is one instant as RFC 3339 with offset")
		}
		t = features.At(at)
		t.AsOf = &at
	}
	if b.Datetime != "" {
		at, ok := instant(b.Datetime)
		if !ok {
			return t, fault(req, "datetime", "bad_time", "应为带时区的 RFC 3339 时间", "it is one instant as RFC 3339 with offset")
		}
		asOf := t.AsOf
		t = features.At(at)
		t.AsOf, t.Asked = asOf, true
	}
	if t.From == nil {
		t = features.At(req.Received)
	}
	return t, nil
}

// areaOf reads a shape of a question. The parts of a MultiPolygon may overlap: they are
// one area before anything is counted; each by itself must be whole.
func areaOf(req *Request, shape json.RawMessage, datum string) (orb.Geometry, error) {
	crs, _, err := geo.ParseCRS(or(datum, "CGCS2000"))
	if err != nil || crs == geo.AutoCRS {
		return nil, fault(req, "src_crs", "bad_value", "应为 WGS84、CGCS2000、GCJ02 或 BD09", "it is WGS84, CGCS2000, GCJ02 or BD09")
	}
	bad := func(err error) error {
		f, ok := errors.AsType[*geo.Fault](err)
		if !ok {
			return fault(req, "geometry", "bad_geometry", "不是有效的 GeoJSON 几何", "it is not a GeoJSON geometry")
		}
		e := fault(req, "geometry", f.Code, "几何有误："+faultWords(f), "the geometry is wrong: "+f.Detail)
		if f.HasAt {
			e.Items[0].Geometry = geometryJSON(f.At)
		}
		return e
	}
	g, err := geo.ParseGeoJSON(shape, geo.EditLimits())
	if err != nil {
		return nil, bad(err)
	}
	members := orb.Collection{g}
	switch g := g.(type) {
	case orb.Collection:
		members = g
	case orb.MultiPolygon:
		members = members[:0]
		for _, p := range g {
			members = append(members, p)
		}
	}
	out := make(orb.Collection, 0, len(members))
	for _, m := range members {
		if f := geo.Check(m); f != nil {
			return nil, bad(f)
		}
		c, ok := geo.ToCGCS2000(m, crs)
		if !ok {
			return nil, fault(req, "src_crs", "bad_value", "应为 WGS84、CGCS2000、GCJ02 或 BD09", "it is WGS84, CGCS2000, GCJ02 or BD09")
		}
		out = append(out, c)
	}
	return out, nil
}

// faultWords says in Chinese what is wrong with a shape.
func faultWords(f *geo.Fault) string {
	words := map[string]string{
		geo.CodeSelfCross: "边线自相交", geo.CodeOpenRing: "首尾没有闭合", geo.CodeShortRing: "多边形至少要三个不同的点", geo.CodeShortLine: "线至少要两个点",
		geo.CodeEnvelope: "坐标超出经纬度范围，请核对经度在前、纬度在后", geo.CodeVertices: "顶点过多，至多 10000 个", geo.CodeParts: "部分过多", geo.CodeBytes: "内容过大", geo.CodeNull: "没有几何",
		geo.CodeType: "不认识的几何类型", geo.CodeCRS: "坐标系应为经纬度", geo.CodeNoCoordinates: "缺少坐标", geo.CodeEmpty: "坐标为空", geo.CodeHoleOutside: "内环在外环之外", geo.CodeNestedHoles: "内环相套",
		geo.CodeDuplicateRing: "重复的环", geo.CodeTooComplex: "形状过于复杂",
	}
	if w, ok := words[f.Code]; ok {
		return w
	}
	return f.Detail
}

// askImpact is the one way to an answer: for the screen, for paper, for other programs.
func (s *Server) askImpact(ctx context.Context, req *Request, b *impactBody) (*impact.Answer, string, error) {
	q, err := b.question(req)
	if err != nil {
		return nil, "", err
	}
	q.Phones = req.Who.Kind == auth.Session || req.Who.Kind == auth.Device
	position := s.position()
	a, err := s.opts.Impact.Ask(ctx, s.asker(req), q)
	if err != nil {
		if p := impactProblem(err); p != nil {
			return nil, "", p
		}
		return nil, "", err
	}
	return a, position, nil
}

func (s *Server) postImpact(ctx context.Context, req *Request) (*Response, error) {
	var b impactBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	began := time.Now()
	a, position, err := s.askImpact(ctx, req, &b)
	if err != nil {
		return nil, err
	}
	out := s.impactLine(a, req)
	out.Position = position
	resp, err := private(out)
	if err != nil {
		return nil, err
	}
	resp.compress = true
	resp.Set("Onemap-Seq", position)
	resp.Set("Server-Timing", fmt.Sprintf("impact;dur=%.1f", float64(time.Since(began).Microseconds())/1000))
	return resp, nil
}

// getRoute finds a way between two places. A road that is blocked carries nobody, nor one
// through an area to avoid: hazard_areas (the worst two levels), alert:<id>,
// incident:<id>, or a polygon of lon,lat pairs.
func (s *Server) getRoute(ctx context.Context, req *Request) (*Response, error) {
	from, err := place2(req, "from")
	if err != nil {
		return nil, err
	}
	to, err := place2(req, "to")
	if err != nil {
		return nil, err
	}
	profile := roadgraph.Walk
	switch v, given := req.Query.Get("profile"); {
	case !given || v == "walk":
	case v == "drive":
		profile = roadgraph.Drive
	default:
		return nil, invalid("profile", "应为 walk 或 drive", "it is walk or drive")
	}
	snap := s.opts.Catalogue.Now()
	roads, err := s.layer(req, snap, "roads")
	if err != nil {
		return nil, err
	}
	g, speeds, err := s.opts.Ways.Graph()
	if err != nil {
		return nil, impactProblem(err)
	}
	view := g.For(req.Reach.Of(roads.Visibility), req.Reach.Demo())
	position := s.position()
	avoided := []string{}
	if l, ok := snap.Layer("road_blocks"); ok && l.SeenBy(req.Reach) {
		blocks, err := s.opts.Impact.Shapes(ctx, s.asker(req), "road_blocks", "")
		if err != nil {
			return nil, err
		}
		view = view.WithBlocks(blocks...)
		if view.ClosedEdges() > 0 {
			avoided = append(avoided, "road_blocks")
		}
	}
	areas, names, err := s.avoid(ctx, req)
	if err != nil {
		return nil, err
	}
	open := view
	view = view.Avoiding(areas...)
	avoided = append(avoided, names...)
	// Whoever stands inside an area to avoid goes to the nearest road outside it.
	a, okA := view.Nearest(from, profile, speeds.SnapM)
	b, okB := view.Nearest(to, profile, speeds.SnapM)
	if !okA || !okB {
		_, okA = open.Nearest(from, profile, speeds.SnapM)
		_, okB = open.Nearest(to, profile, speeds.SnapM)
		if !okA || !okB {
			return nil, noWay("附近 "+strconv.Itoa(int(speeds.SnapM))+" 米内没有道路", "there is no road within "+strconv.Itoa(int(speeds.SnapM))+" m")
		}
		return nil, noWay("起点或终点附近的道路都在避让范围内", "every road near one of the places lies in what is to be avoided")
	}
	w, ok := view.Route(a, b, profile)
	if !ok {
		return nil, noWay("两地之间没有可通行的道路", "no open road joins the two places")
	}
	slow := w.Seconds
	if profile == roadgraph.Walk && speeds.WalkSlowMPS > 0 {
		slow = w.Seconds * speeds.WalkMPS / speeds.WalkSlowMPS
	}
	mode := "walk"
	if profile == roadgraph.Drive {
		mode = "drive"
	}
	resp, err := private(map[string]any{
		"profile": mode, "distance_m": math.Round(w.DistanceM), "duration_s": math.Round(w.Seconds), "duration_slow_s": math.Round(slow), "geometry": geometryJSON(w.Line),
		"snapped_m": []float64{math.Round(a.DistanceM*10) / 10, math.Round(b.DistanceM*10) / 10}, "avoided": avoided, "estimate": true, "position": position,
	})
	if err == nil {
		resp.Set("Onemap-Seq", position)
	}
	return resp, err
}

func noWay(zh, en string) *Error {
	e := problem(CodeNotFound)
	e.As = "no_way"
	e.Items = []Item{{Code: "no_way", Message: zh + " · " + en}}
	return e
}

// place2 reads lon,lat.
func place2(req *Request, name string) (orb.Point, error) {
	v, given := req.Query.Get(name)
	if !given {
		return orb.Point{}, problem(CodeMissingParameter, name)
	}
	p, ok := lonLat(v)
	if !ok {
		return orb.Point{}, invalid(name, "应为 经度,纬度", "it is lon,lat")
	}
	return p, nil
}

func lonLat(v string) (orb.Point, bool) {
	x, y, two := strings.Cut(v, ",")
	lon, okX := decimal(x)
	lat, okY := decimal(y)
	return orb.Point{lon, lat}, two && okX && okY && lon >= -180 && lon <= 180 && lat >= -90 && lat <= 90
}

// avoid reads the areas no way may lead through.
func (s *Server) avoid(ctx context.Context, req *Request) (areas []*geo.Area, names []string, err error) {
	v, given := req.Query.Get("avoid")
	if !given || v == "" {
		return nil, nil, nil
	}
	for part := range strings.SplitSeq(v, ";") {
		kind, id, _ := strings.Cut(part, ":")
		var shapes []orb.Geometry
		switch {
		case part == "hazard_areas":
			shapes, err = s.opts.Impact.Shapes(ctx, s.asker(req), "hazard_areas", "")
		case (kind == "alert" || kind == "incident") && uuidText(id):
			shapes, err = s.opts.Impact.Shapes(ctx, s.asker(req), kind+"s", strings.ToLower(id))
			if err == nil && len(shapes) == 0 {
				return nil, nil, hidden(req)
			}
		default:
			ring := orb.Ring{}
			for pair := range strings.FieldsSeq(part) {
				p, ok := lonLat(pair)
				if !ok || len(ring) > 500 {
					return nil, nil, invalid("avoid", "应为 hazard_areas、alert:<id>、incident:<id> 或 经度,纬度 的多边形,以分号隔开", "it is hazard_areas, alert:<id>, incident:<id> or a polygon of lon,lat pairs, joined by semicolons")
				}
				ring = append(ring, p)
			}
			if len(ring) > 0 && ring[0] != ring[len(ring)-1] {
				ring = append(ring, ring[0])
			}
			if len(ring) < 4 || geo.Check(orb.Polygon{ring}) != nil {
				return nil, nil, invalid("avoid", "多边形至少三个点且不自相交", "a polygon has three corners at least and does not cross itself")
			}
			shapes = []orb.Geometry{orb.Polygon{ring}}
			part = "polygon"
		}
		if err != nil {
			if errors.Is(err, impact.ErrNotFound) {
				return nil, nil, hidden(req)
			}
			return nil, nil, err
		}
		for _, g := range shapes {
			areas = append(areas, geo.NewArea(g))
		}
		names = append(names, part)
	}
	return areas, names, nil
}
