package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/features"
	"onemap/internal/registry"
	"onemap/tiles"
)

const (
	crs84       = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
	typeOpenAPI = "application/vnd.oai.openapi+json;version=3.0"

	defaultLimit = 100
	maxLimit     = 10_000
)

// conformance is what holds today, and nothing else. OAS30 asks for a document of
// the interface, which /ogc/api is.
func conformance() []string {
	return []string{
		"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
		"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
		"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
	}
}

type link struct {
	Href  string `json:"href"`
	Rel   string `json:"rel"`
	Type  string `json:"type,omitempty"`
	Title string `json:"title,omitempty"`
}

func (s *Server) getLanding(_ context.Context, req *Request) (*Response, error) {
	base := s.self(req) + "/ogc"
	return answer(typeJSON, map[string]any{
		"title":       text("一张图", "onemap").In(req.Lang),
		"description": text("自然灾害综合风险一张图的要素服务", "Features of the natural hazard one-map").In(req.Lang),
		"links": []link{
			{base, "self", "application/json", ""},
			{base + "/api", "service-desc", typeOpenAPI, "OpenAPI 3.0"},
			{base + "/conformance", "conformance", "application/json", ""},
			{base + "/collections", "data", "application/json", ""},
		},
	})
}

func (s *Server) getConformance(context.Context, *Request) (*Response, error) {
	return answer(typeJSON, map[string]any{"conformsTo": conformance()})
}

type spatialExtent struct {
	BBox [][]float64 `json:"bbox"`
	CRS  string      `json:"crs"`
}

type temporalExtent struct {
	Interval [][]*string `json:"interval"`
	TRS      string      `json:"trs"`
}

type extent struct {
	Spatial  *spatialExtent  `json:"spatial,omitempty"`
	Temporal *temporalExtent `json:"temporal,omitempty"`
}

type collectionAnswer struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	ItemType    string   `json:"itemType"`
	CRS         []string `json:"crs"`
	Extent      *extent  `json:"extent,omitempty"`
	Links       []link   `json:"links"`
}

func (s *Server) collection(req *Request, l *registry.Layer, info tiles.LayerInfo) collectionAnswer {
	base := s.self(req) + "/ogc/collections/" + l.ID
	c := collectionAnswer{
		ID: l.ID, Title: l.Title.In(req.Lang), ItemType: "feature", CRS: []string{crs84},
		Links: []link{
			{base, "self", "application/json", ""},
			{base + "/items", "items", typeGeoJSON, l.Title.In(req.Lang)},
		},
	}
	if d := sourceDate(info); d != "" {
		c.Description = fmt.Sprintf(text("截至 %s", "As of %s").In(req.Lang), d)
	}
	e := extent{}
	if info.Bounds != nil {
		e.Spatial = &spatialExtent{BBox: [][]float64{bounds(info.Bounds)}, CRS: crs84}
	}
	if l.TimeKind != registry.Timeless {
		e.Temporal = &temporalExtent{Interval: [][]*string{{nil, nil}}, TRS: "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"}
	}
	if e.Spatial != nil || e.Temporal != nil {
		c.Extent = &e
	}
	return c
}

func (s *Server) getCollections(ctx context.Context, req *Request) (*Response, error) {
	infos, err := s.layerInfos(ctx, req)
	if err != nil {
		return nil, err
	}
	list := []collectionAnswer{}
	layers, err := someLayers(req, s.opts.Catalogue.Now())
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		list = append(list, s.collection(req, l, infos[l.ID]))
	}
	return answer(typeJSON, map[string]any{
		"links":       []link{{s.self(req) + "/ogc/collections", "self", "application/json", ""}},
		"collections": list,
	})
}

func (s *Server) getCollection(ctx context.Context, req *Request) (*Response, error) {
	l, err := s.layer(req, s.opts.Catalogue.Now(), req.Param(0))
	if err != nil {
		return nil, err
	}
	infos, err := s.layerInfos(ctx, req)
	if err != nil {
		return nil, err
	}
	return answer(typeJSON, s.collection(req, l, infos[l.ID]))
}

// geoFeature is a GeoJSON feature with the number its tiles carry beside the id.
type geoFeature struct {
	Type       string          `json:"type"`
	ID         any             `json:"id,omitempty"`
	FID        *int64          `json:"fid,omitempty"`
	Geometry   json.RawMessage `json:"geometry"`
	Properties json.RawMessage `json:"properties"`
	Links      []link          `json:"links,omitempty"`
}

func asGeoFeature(f features.Feature) geoFeature {
	g := geoFeature{Type: "Feature", FID: positive(f.FID), Geometry: raw(f.Geometry, "null"), Properties: raw(f.Properties, "{}")}
	if f.ID != "" {
		g.ID = f.ID
	}
	return g
}

func (s *Server) getItems(ctx context.Context, req *Request) (*Response, error) {
	l, err := s.layer(req, s.opts.Catalogue.Now(), req.Param(0))
	if err != nil {
		return nil, err
	}
	q := features.ItemsQuery{Layer: l, Limit: defaultLimit}
	if q.Times, err = readTimes(req); err != nil {
		return nil, err
	}
	if q.Times.AsOf != nil && !l.Own {
		return nil, invalid("as_of", "此图层没有历史", "this layer keeps no history")
	}
	if _, given := req.Query.Get("limit"); given {
		if q.Limit, err = wholeNumber(req.Query, "limit", 1, math.MaxInt32); err != nil {
			return nil, err
		}
		q.Limit = min(q.Limit, maxLimit) // asking for more is no error (OGC 17-069r4, 7.15.2)
	}
	if q.Boxes, err = readBox(req.Query); err != nil {
		return nil, err
	}
	if q.Of, err = s.version(ctx, req, l); err != nil {
		return nil, err
	}
	for _, p := range req.Query {
		switch p.Name {
		case "limit", "bbox", "bbox-crs", "datetime", "as_of", "cursor":
			continue
		}
		if q.Of.Plan != "" && p.Name == "plan" {
			continue
		}
		f, ok := l.Field(p.Name)
		if !ok || !f.Filter {
			return nil, problem(CodeUnknownParameter, p.Name)
		}
		c, err := condition(f, p.Value)
		if err != nil {
			return nil, err
		}
		q.Equal = append(q.Equal, c)
	}
	asked := fingerprint(l.ID, req.Query)
	if v, given := req.Query.Get("cursor"); given {
		c, ok := readCursor(v)
		if !ok || c.asked != asked {
			return nil, invalid("cursor", "不是此查询的游标", "it is not a cursor of this query")
		}
		q.After = c.key
		if !q.Times.Asked && q.Times.AsOf == nil {
			// Every page shows the moment the first one was asked.
			q.Times.From, q.Times.To = &c.now, &c.now
		}
	}
	position := s.position()
	page, err := s.opts.Features.Items(ctx, s.asker(req), q)
	if err != nil {
		return nil, err
	}
	return s.itemsPage(req, l, q, page, position, asked)
}

func (s *Server) itemsPage(req *Request, l *registry.Layer, q features.ItemsQuery, page features.Page, position string, asked uint64) (*Response, error) {
	base := s.self(req) + "/ogc/collections/" + l.ID
	links := []link{
		{base + "/items" + encodeQuery(req.Query, ""), "self", typeGeoJSON, ""},
		{base, "collection", "application/json", l.Title.In(req.Lang)},
	}
	if page.More {
		now := req.Received
		if q.Times.From != nil && !q.Times.Asked {
			now = *q.Times.From
		}
		next := cursor{asked: asked, now: now, key: page.Features[len(page.Features)-1].Key}.String()
		links = append(links, link{base + "/items" + encodeQuery(req.Query, next), "next", typeGeoJSON, ""})
	}
	var out bytes.Buffer
	out.WriteString(`{"type":"FeatureCollection"`)
	if page.Matched >= 0 {
		fmt.Fprintf(&out, `,"numberMatched":%d`, page.Matched)
	}
	fmt.Fprintf(&out, `,"numberReturned":%d,"features":[`, len(page.Features))
	for i, f := range page.Features {
		if i > 0 {
			out.WriteByte(',')
		}
		b, err := json.Marshal(asGeoFeature(f))
		if err != nil {
			return nil, fmt.Errorf("encode item %s/%s: %w", l.ID, f.Key, err)
		}
		out.Write(b)
	}
	out.WriteString(`],"links":`)
	b, err := json.Marshal(links)
	if err != nil {
		return nil, fmt.Errorf("encode links: %w", err)
	}
	out.Write(b)
	h := fnv.New64a()
	h.Write(out.Bytes())
	fmt.Fprintf(&out, `,"timeStamp":%q}`, req.Received.UTC().Format(time.RFC3339))
	resp := &Response{Type: typeGeoJSON, Body: out.Bytes(), Cache: revalidate, ETag: fmt.Sprintf(`W/"%x"`, h.Sum64()), compress: true}
	resp.Set("Content-Crs", "<"+crs84+">")
	resp.Set("Onemap-Seq", position)
	return resp, nil
}

func (s *Server) getItem(ctx context.Context, req *Request) (*Response, error) {
	l, err := s.layer(req, s.opts.Catalogue.Now(), req.Param(0))
	if err != nil {
		return nil, err
	}
	times, err := readTimes(req)
	if err != nil {
		return nil, err
	}
	if times.AsOf != nil && !l.Own {
		return nil, invalid("as_of", "此图层没有历史", "this layer keeps no history")
	}
	if !times.Asked {
		// By its id a feature is found whether or not it is valid today.
		times = features.Times{AsOf: times.AsOf}
	}
	position := s.position()
	version, err := s.version(ctx, req, l)
	if err != nil {
		return nil, err
	}
	f, found, err := s.opts.Features.ItemOf(ctx, s.asker(req), l, req.Param(1), times, version)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, problem(CodeNotFound)
	}
	base := s.self(req) + "/ogc/collections/" + l.ID
	g := asGeoFeature(f)
	g.Links = []link{
		{base + "/items/" + url.PathEscape(f.ID), "self", typeGeoJSON, ""},
		{base, "collection", "application/json", l.Title.In(req.Lang)},
	}
	resp, err := answer(typeGeoJSON, g)
	if err == nil {
		resp.Set("Content-Crs", "<"+crs84+">")
		resp.Set("Onemap-Seq", position)
	}
	return resp, err
}

// readBox reads bbox: four numbers, or six with heights, which are not used. West
// may be greater than east: then the box crosses the antimeridian and becomes two.
func readBox(q Query) ([]orb.Bound, error) {
	if v, given := q.Get("bbox-crs"); given && v != crs84 {
		return nil, invalid("bbox-crs", "只支持 "+crs84, "only "+crs84+" is offered")
	}
	v, given := q.Get("bbox")
	if !given {
		return nil, nil
	}
	bad := invalid("bbox", "应为 西,南,东,北 四个十进制度", "it is west,south,east,north in decimal degrees")
	parts := strings.Split(v, ",")
	var n [4]float64
	var at []int
	switch len(parts) {
	case 4:
		at = []int{0, 1, 2, 3}
	case 6:
		at = []int{0, 1, 3, 4}
	default:
		return nil, bad
	}
	for _, p := range parts {
		if _, ok := decimal(p); !ok {
			return nil, bad
		}
	}
	for i, k := range at {
		n[i], _ = decimal(parts[k])
	}
	if math.Abs(n[0]) > 180 || math.Abs(n[2]) > 180 || math.Abs(n[1]) > 90 || math.Abs(n[3]) > 90 || n[1] > n[3] {
		return nil, bad
	}
	if n[0] > n[2] {
		return []orb.Bound{
			{Min: orb.Point{n[0], n[1]}, Max: orb.Point{180, n[3]}},
			{Min: orb.Point{-180, n[1]}, Max: orb.Point{n[2], n[3]}},
		}, nil
	}
	return []orb.Bound{{Min: orb.Point{n[0], n[1]}, Max: orb.Point{n[2], n[3]}}}, nil
}

// condition reads a value as its field's type.
func condition(f registry.Field, v string) (features.Condition, error) {
	c := features.Condition{Field: f}
	bad := invalid(f.Name, "值与字段类型不符", "the value does not fit the field's type ("+string(f.Type)+")")
	switch f.Type {
	case registry.Integer:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return c, bad
		}
		c.Value = n
	case registry.Number:
		n, ok := decimal(v)
		if !ok {
			return c, bad
		}
		c.Value = n
	case registry.Boolean:
		if v != "true" && v != "false" {
			return c, bad
		}
		c.Value = v == "true"
	case registry.Date:
		t, err := time.Parse(time.DateOnly, v)
		if err != nil || t.Year() < 1 {
			return c, bad
		}
		c.Value = t
	case registry.DateTime:
		t, ok := instant(v)
		if !ok {
			return c, bad
		}
		c.Value = t
	case registry.UUID:
		if !uuidText(v) {
			return c, bad
		}
		c.Value = strings.ToLower(v)
	case registry.Text, registry.Code:
		c.Value = v
	default:
		return c, problem(CodeUnknownParameter, f.Name)
	}
	return c, nil
}

func uuidText(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if _, hex := unhex(s[i]); dash != (s[i] == '-') || !dash && !hex {
			return false
		}
	}
	return true
}
