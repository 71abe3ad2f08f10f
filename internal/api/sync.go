package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/internal/sync"
)

// syncProblem gives the errors of the engine and the desks a problem a client may see.
func syncProblem(lang registry.Lang, err error) *Error {
	var body *sync.MalformedError
	var bad *sync.InvalidError
	conflicts := func(code Code, zh, en string) *Error {
		e := wrap(CodeConflict, err, text(zh, en))
		e.As = code
		return e
	}
	switch {
	case errors.As(err, &body):
		return wrap(CodeInvalidBody, err, text(body.Words.Zh, body.Words.En))
	case errors.As(err, &bad):
		e := wrap(CodeInvalid, err)
		for _, p := range bad.Problems {
			e.Items = append(e.Items, Item{Path: p.Path, Code: p.Code, Message: text(p.Words.Zh, p.Words.En).In(lang)})
		}
		return e
	case errors.Is(err, sync.ErrAbsent):
		return wrap(CodeNotFound, err)
	case errors.Is(err, sync.ErrMoved):
		return wrap(CodeStale, err)
	case errors.Is(err, sync.ErrPosition):
		return wrap(CodeInvalidParameter, err, "since", text("不是此处给出的位置", "it is no position this answered with"))
	case errors.Is(err, sync.ErrDecided):
		return conflicts("already_decided", "已经有人处理过。", "Somebody decided it already.")
	case errors.Is(err, sync.ErrTownshipFirst):
		return conflicts("township_first", "先由乡镇处理，时限过后才由县里处理。", "The township's desk is first; the county's comes when its hours are over.")
	}
	return nil
}

type syncProblemAnswer struct {
	Code   string     `json:"code"`
	Title  string     `json:"title"`
	Detail string     `json:"detail"`
	Path   string     `json:"path,omitempty"`
	Words  sync.Words `json:"words"`
}

type syncResult struct {
	OpID    string      `json:"op_id"`
	Index   int         `json:"index"`
	Status  sync.Status `json:"status"`
	Kind    string      `json:"kind,omitempty"`
	ID      string      `json:"id,omitempty"`
	Version int64       `json:"version,omitempty"`
	// Verdict is how an operation stands that was delivered before.
	Verdict  sync.Status                `json:"verdict,omitempty"`
	SeenBy   string                     `json:"seen_by,omitempty"`
	Conflict map[string]sync.Difference `json:"conflict,omitempty"`
	Geometry *sync.Shapes               `json:"geometry,omitempty"`
	Problem  *syncProblemAnswer         `json:"problem,omitempty"`
}

func syncResultOf(r sync.Result, lang registry.Lang) syncResult {
	out := syncResult{OpID: r.OpID, Index: r.Index, Status: r.Status, Kind: r.Kind, ID: r.ID, Version: r.Version, Verdict: r.Was, Conflict: r.Conflict, Geometry: r.Shapes}
	if p := r.Problem; p != nil {
		words := text(p.Words.Zh, p.Words.En).In(lang)
		out.Problem = &syncProblemAnswer{Code: p.Code, Title: words, Detail: words, Path: p.Path, Words: p.Words}
	}
	return out
}

// postSync takes what a device sent. Whatever is wrong with one operation is its verdict;
// the status of the answer speaks of the delivery as a whole.
func (s *Server) postSync(ctx context.Context, req *Request) (*Response, error) {
	batch, err := sync.Decode(req.body)
	if err != nil {
		return nil, err
	}
	results, err := s.opts.Sync.Send(ctx, s.by(req), batch)
	if err != nil {
		return nil, err
	}
	out := make([]syncResult, len(results))
	var last feed.Position
	for i, r := range results {
		out[i] = syncResultOf(r, req.Lang)
		if p, err := feed.ParsePosition(r.Position); err == nil && last.Less(p) {
			last = p
		}
	}
	if last.IsZero() {
		last = s.opts.Feed.State().Position
	}
	resp, err := private(map[string]any{"results": out, "position": last.String()})
	if err == nil {
		resp.Set("Onemap-Seq", last.String())
	}
	return resp, err
}

type changeAnswer struct {
	Kind      string                     `json:"kind"`
	ID        string                     `json:"id"`
	Op        string                     `json:"op"`
	Version   int64                      `json:"version,omitempty"`
	State     string                     `json:"state,omitempty"`
	Fields    map[string]json.RawMessage `json:"fields,omitempty"`
	Geometry  *geojson.Geometry          `json:"geometry,omitempty"`
	UpdatedAt *time.Time                 `json:"updated_at,omitempty"`
	By        string                     `json:"by,omitempty"`
}

type receiptAnswer struct {
	OpID   string      `json:"op_id"`
	ID     string      `json:"id,omitempty"`
	Kind   string      `json:"kind"`
	Status sync.Status `json:"status"`
	SeenBy string      `json:"seen_by,omitempty"`
	SeenAt *time.Time  `json:"seen_at,omitempty"`
	Reason *sync.Words `json:"reason,omitempty"`
}

func receiptLine(r sync.Receipt) receiptAnswer {
	a := receiptAnswer{OpID: r.OpID, ID: r.ID, Kind: r.Kind, Status: r.Status, SeenBy: r.SeenBy, SeenAt: timeOrNone(r.SeenAt)}
	if r.Reason != (sync.Words{}) {
		a.Reason = &r.Reason
	}
	return a
}

func timeOrNone(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// areasOf reads a list of administrative codes.
func areasOf(req *Request) (geo.Scopes, error) {
	value, given := req.Query.Get("area")
	if !given {
		return nil, nil
	}
	codes := strings.Split(value, ",")
	areas, err := geo.ParseScopes(codes...)
	if err != nil || len(codes) > 20 {
		return nil, problem(CodeInvalidParameter, "area", text("应为行政区划或网格代码，以逗号分隔", "administrative or grid codes, separated by commas"))
	}
	return areas, nil
}

func (s *Server) getSyncChanges(ctx context.Context, req *Request) (*Response, error) {
	areas, err := areasOf(req)
	if err != nil {
		return nil, err
	}
	limit := sync.DefaultPage
	if _, given := req.Query.Get("limit"); given {
		if limit, err = wholeNumber(req.Query, "limit", 1, sync.MaxPage); err != nil {
			return nil, err
		}
	}
	page, err := s.opts.Sync.Changes(ctx, s.by(req), sync.ChangesQuery{Since: req.Query.Value("since"), Areas: areas, Limit: limit})
	if err != nil {
		return nil, err
	}
	changes := make([]changeAnswer, 0, len(page.Changes))
	for _, c := range page.Changes {
		changes = append(changes, changeLine(c))
	}
	receipts := make([]receiptAnswer, 0, len(page.Receipts))
	for _, r := range page.Receipts {
		receipts = append(receipts, receiptLine(r))
	}
	resp, err := private(map[string]any{"position": page.Position, "more": page.More, "reset": page.Reset, "changes": changes, "receipts": receipts})
	if err == nil {
		resp.compress = true
	}
	return resp, err
}

func changeLine(c sync.Change) changeAnswer {
	if c.Gone {
		return changeAnswer{Kind: c.Kind, ID: c.Record.ID, Op: sync.Delete}
	}
	r := c.Record
	out := changeAnswer{Kind: c.Kind, ID: r.ID, Op: sync.Put, Version: r.Version, State: r.State, UpdatedAt: timeOrNone(r.At), By: r.By, Fields: map[string]json.RawMessage{}}
	for name, v := range r.Fields {
		if len(v) > 0 && string(v) != "null" {
			out.Fields[name] = v
		}
	}
	if r.Geometry != nil {
		out.Geometry = geojson.NewGeometry(r.Geometry)
	}
	return out
}

type kindCode struct {
	Code  string     `json:"code"`
	Title sync.Words `json:"title"`
}

type kindAnswer struct {
	sync.Dictionary

	CodeLists map[string][]kindCode `json:"code_lists"`
}

func (s *Server) kindOf(d sync.Dictionary) kindAnswer {
	out := kindAnswer{Dictionary: d, CodeLists: map[string][]kindCode{}}
	lists := s.opts.Catalogue.Now().CodeLists
	for _, f := range d.Fields {
		list, ok := lists[f.Codes]
		if f.Codes == "" || !ok {
			continue
		}
		codes := make([]kindCode, 0, len(list.Items))
		for _, it := range list.Items {
			codes = append(codes, kindCode{it.Code, sync.Words{Zh: it.Title.ZH, En: it.Title.EN}})
		}
		out.CodeLists[f.Codes] = codes
	}
	return out
}

// getKinds is what every form of the phone is made of; it hardly changes and is asked for
// at every start, so it is revalidated.
func (s *Server) getKinds(_ context.Context, _ *Request) (*Response, error) {
	all := s.opts.Sync.Dictionaries()
	out := make([]kindAnswer, 0, len(all))
	for _, d := range all {
		out = append(out, s.kindOf(d))
	}
	return answer(typeJSON, map[string]any{"kinds": out})
}

func (s *Server) getKind(_ context.Context, req *Request) (*Response, error) {
	all := s.opts.Sync.Dictionaries()
	i := slices.IndexFunc(all, func(d sync.Dictionary) bool { return d.Kind == req.Param(0) })
	if i < 0 {
		return nil, problem(CodeNotFound)
	}
	return answer(typeJSON, s.kindOf(all[i]))
}

// shapeBody reads the place of a decision: mine, theirs, or {value: GeoJSON}.
func shapeBody(req *Request, raw json.RawMessage) (*sync.ShapeChoice, *Error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var word string
	if json.Unmarshal(raw, &word) == nil {
		switch word {
		case "mine":
			return &sync.ShapeChoice{Mine: true}, nil
		case "theirs":
			return &sync.ShapeChoice{Theirs: true}, nil
		}
	}
	var third struct {
		Type  string          `json:"type"`
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(raw, &third) == nil && third.Type != "" {
		third.Value = raw // a geometry as it is, as accepting takes it
	}
	var g orb.Geometry
	var err error
	if g, err = geo.ParseGeoJSON(third.Value, geo.EditLimits()); err != nil {
		e := fault(req, "/geometry", "bad_geometry", "应为 mine、theirs 或 {value: GeoJSON}", "mine, theirs or {value: GeoJSON}")
		if f, ok := errors.AsType[*geo.Fault](err); ok {
			e.Items[0].Code = f.Code
		}
		return nil, e
	}
	return &sync.ShapeChoice{Value: g}, nil
}

// choicesBody reads {name: "mine" | "theirs" | {"value": …}}.
func choicesBody(req *Request, fields map[string]json.RawMessage) (map[string]sync.Choice, *Error) {
	out := map[string]sync.Choice{}
	for name, raw := range fields {
		var word string
		var third struct {
			Value json.RawMessage `json:"value"`
		}
		switch {
		case json.Unmarshal(raw, &word) == nil && word == "mine":
			out[name] = sync.Choice{Mine: true}
		case json.Unmarshal(raw, &word) == nil && word == "theirs":
			out[name] = sync.Choice{Theirs: true}
		case json.Unmarshal(raw, &third) == nil && third.Value != nil:
			out[name] = sync.Choice{Value: third.Value}
		default:
			return nil, fault(req, "/fields/"+short(name), "bad_choice", "应为 mine、theirs 或 {value}", "mine, theirs or {value}")
		}
	}
	return out, nil
}
