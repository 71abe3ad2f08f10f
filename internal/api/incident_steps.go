package api

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents"
)

func (s *Server) postIncidentStep(ctx context.Context, req *Request) (*Response, error) {
	i, version, err := s.changingIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	var b stepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if i, err = s.opts.Incidents.Transition(ctx, s.by(req), i.ID, version, incidents.Step{To: b.To, Note: b.Note}); err != nil {
		return nil, err
	}
	return s.incidentResponse(ctx, req, i)
}

type levelBody struct {
	Level  int    `json:"level"`
	Reason string `json:"reason"`
}

func (s *Server) postIncidentLevel(ctx context.Context, req *Request) (*Response, error) {
	i, version, err := s.changingIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	var b levelBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if i, err = s.opts.Incidents.ConfirmLevel(ctx, s.by(req), i.ID, version, b.Level, b.Reason); err != nil {
		return nil, err
	}
	return s.incidentResponse(ctx, req, i)
}

type placeBody struct {
	Geometry json.RawMessage `json:"geometry"`
	SrcCRS   string          `json:"src_crs"`
	Place    string          `json:"place"`
}

func (s *Server) postIncidentPlace(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	fix, err := fixing(req)
	if err != nil {
		return nil, err
	}
	var b placeBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	shape, err := looseShape(req, b.Geometry, b.SrcCRS)
	if err != nil {
		return nil, err
	}
	if i, err = s.opts.Incidents.Place(ctx, s.by(req), i.ID, shape, b.Place, fix); err != nil {
		return nil, err
	}
	return s.incidentResponse(ctx, req, i)
}

type mergeBody struct {
	Into   string `json:"into"`
	Reason string `json:"reason"`
}

func (s *Server) postIncidentMerge(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	var b mergeBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if i, err = s.opts.Incidents.Merge(ctx, s.by(req), i.ID, strings.ToLower(b.Into), b.Reason); err != nil {
		return nil, err
	}
	return s.incidentResponse(ctx, req, i)
}

func (s *Server) postIncidentUnmerge(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	var b reasonBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if i, err = s.opts.Incidents.Unmerge(ctx, s.by(req), i.ID, b.Reason); err != nil {
		return nil, err
	}
	return s.incidentResponse(ctx, req, i)
}

type clockBody struct {
	StartsAt *time.Time `json:"starts_at"`
	DoneAt   *time.Time `json:"done_at"`
	Note     string     `json:"note"`
}

func (s *Server) postIncidentClock(ctx context.Context, req *Request) (*Response, error) {
	i, err := s.seenIncident(ctx, req)
	if err != nil {
		return nil, err
	}
	var b clockBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if i, err = s.opts.Incidents.MarkClock(ctx, s.by(req), i.ID, req.Param(1), incidents.ClockMark(b)); err != nil {
		return nil, err
	}
	return s.incidentResponse(ctx, req, i)
}

type fromReportBody struct {
	ID       string `json:"id"`
	Exercise bool   `json:"exercise"`
}

// postIncidentFromReport makes an incident of 险情 from the field, once.
func (s *Server) postIncidentFromReport(ctx context.Context, req *Request) (*Response, error) {
	report, bad := req.id()
	if bad != nil {
		return nil, hidden(req)
	}
	var b fromReportBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if b.ID != "" && !uuidText(b.ID) {
		return nil, fault(req, "id", "bad_id", "应为 UUID", "it is a UUID")
	}
	i, made, err := s.opts.Incidents.FromReport(ctx, s.by(req), strings.ToLower(report), strings.ToLower(b.ID), b.Exercise)
	if err != nil {
		return nil, err
	}
	return s.madeIncident(ctx, req, i, made)
}

type likeAnswer struct {
	incidentAnswer

	DistanceM    *float64 `json:"distance_m"`
	MinutesApart float64  `json:"minutes_apart"`
}

func (s *Server) getIncidentDuplicates(ctx context.Context, req *Request) (*Response, error) {
	q := incidents.DuplicateQuery{Kind: req.Query.Value("kind"), Place: strings.TrimSpace(req.Query.Value("place"))}
	if q.Kind == "" {
		return nil, problem(CodeMissingParameter, "kind")
	}
	lon, hasLon := req.Query.Get("lon")
	lat, hasLat := req.Query.Get("lat")
	if hasLon != hasLat {
		return nil, invalid("lat", "经纬度须成对给出", "lon and lat come together")
	}
	if hasLon {
		x, errX := strconv.ParseFloat(lon, 64)
		y, errY := strconv.ParseFloat(lat, 64)
		if errX != nil || errY != nil {
			return nil, invalid("lon", "应为十进制度", "they are decimal degrees")
		}
		q.Where = &orb.Point{x, y}
	}
	if v, given := req.Query.Get("at"); given {
		at, ok := instant(v)
		if !ok {
			return nil, invalid("at", "应为带时区的时间", "it is a time with its zone")
		}
		q.At = at
	}
	exercise, err := said(req.Query, "exercise")
	if err != nil {
		return nil, err
	}
	q.Exercise = exercise
	if v, given := req.Query.Get("except"); given {
		if !uuidText(v) {
			return nil, invalid("except", "应为编号", "it is an id")
		}
		q.Except = strings.ToLower(v)
	}
	list, err := s.opts.Incidents.Duplicates(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]likeAnswer, 0, len(list))
	for _, l := range list {
		out = append(out, likeAnswer{s.incidentLine(l.Incident, areas, req.Lang).shown(req), l.DistanceM, l.MinutesApart})
	}
	return private(map[string]any{"incidents": out})
}
