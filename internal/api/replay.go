package api

import (
	"context"
	"time"

	"onemap/internal/geo"
)

// pictureLayers are what the command room's map is made of: a step of the past is worth
// looking at where one of them changed.
func pictureLayers() []string {
	return []string{"incidents", "alerts", "shelters", "teams", "road_blocks", "hazard_areas", "warehouses"}
}

type momentAnswer struct {
	At      time.Time      `json:"at"`
	Changes map[string]int `json:"changes"`
}

// getReplay is a period as it went: the log, and the minutes in which the picture changed.
// What it looked like then is asked of each layer with as_of. Who is shown only fictional
// data is told of no changes.
func (s *Server) getReplay(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.period(ctx, req)
	if err != nil {
		return nil, err
	}
	snap := s.opts.Catalogue.Now()
	reach := map[string]geo.Scopes{}
	for _, id := range pictureLayers() {
		if l, ok := snap.Layer(id); ok && l.SeenBy(req.Reach) && !req.Reach.Demo() {
			reach[id] = req.Reach.Of(l.Visibility)
		}
	}
	position := s.position()
	brief, err := s.opts.Papers.Brief(ctx, req.Who, p.Area, *p.From, *p.To, p.Exercise)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Papers.Moments(ctx, req.Who, reach, p.Area, *p.From, *p.To, p.Exercise)
	if err != nil {
		return nil, err
	}
	log := make([]briefEntry, 0, len(brief.Log))
	for _, e := range brief.Log {
		log = append(log, briefEntry{e.At, e.Kind, e.Title, optional(e.Detail), optional(e.By), e.RefKind, e.Ref})
	}
	moments := []momentAnswer{}
	for _, m := range list {
		if n := len(moments); n == 0 || !moments[n-1].At.Equal(m.At) {
			moments = append(moments, momentAnswer{m.At.UTC(), map[string]int{}})
		}
		moments[len(moments)-1].Changes[m.Layer] += m.Rows
	}
	return private(map[string]any{"from": p.From.UTC(), "to": p.To.UTC(), "area": optional(p.Area), "exercise": p.Exercise, "log": log, "moments": moments, "position": position})
}
