package api

import (
	"context"
	"strings"
	"sync"
	"time"

	"onemap/internal/auth"
)

// impactFigures is what a screen is told of the area of a warning or an incident: how
// many, and nobody's name, place or number.
type impactFigures struct {
	Estimate bool `json:"estimate"` // always
	Target   struct {
		Kind     string `json:"kind"`
		ID       string `json:"id"`
		Level    *int   `json:"level"`
		Exercise bool   `json:"exercise"`
		Basis    string `json:"basis"`
	} `json:"target"`
	AreaM2     float64         `json:"area_m2"`
	Population *int            `json:"population"`
	Range      *map[string]int `json:"range"`
	ByGroup    map[string]int  `json:"by_group"`
	Units      int             `json:"units"`
	Buildings  *int            `json:"buildings"`
	KeyPlaces  *int            `json:"key_places"`
	Hazards    *int            `json:"hazards"`
	Shelters   *sheltersNear   `json:"shelters"`
	Statement  bothWords       `json:"statement"`
	At         time.Time       `json:"at"`
	Position   string          `json:"position"`
}

type sheltersNear struct {
	Inside      int  `json:"inside"` // unusable
	Outside     int  `json:"outside"`
	OutsideFree *int `json:"outside_free"` // null: nobody knows of any of them
}

func figuresOf(a impactAnswer, at time.Time, id string) impactFigures {
	out := impactFigures{Estimate: true, AreaM2: a.AreaM2, Range: a.Range, ByGroup: map[string]int{}, Units: len(a.Admin), Statement: a.Statement, At: at.UTC(), Position: a.Position}
	t := &out.Target
	t.Kind, t.ID, t.Level, t.Exercise, t.Basis = a.Target.Kind, id, a.Target.Level, a.Target.Exercise, a.Target.Basis
	if p := a.Population; p != nil {
		out.Population, out.ByGroup = &p.Total, p.ByGroup
	}
	if a.Buildings != nil {
		out.Buildings = &a.Buildings.Total
	}
	if a.KeyPlaces != nil {
		out.KeyPlaces = &a.KeyPlaces.Total
	}
	if a.Hazards != nil {
		out.Hazards = &a.Hazards.Total
	}
	if s := a.Shelters; s != nil {
		n := sheltersNear{Inside: s.InsideTotal, Outside: len(s.Outside)}
		for _, o := range s.Outside {
			if o.Free != nil {
				sum := *o.Free
				if n.OutsideFree != nil {
					sum += *n.OutsideFree
				}
				n.OutsideFree = &sum
			}
		}
		out.Shelters = &n
	}
	return out
}

// screenPace is how often one screen on the wall may ask about one thing: it has a picture to
// show, not a search to make.
const screenPace = 3 * time.Second

// pace holds each of those who come to one question in a while.
type pace struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// wait answers how long one has to wait; zero lets it pass and counts.
func (p *pace) wait(who string, now time.Time, every time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := every - now.Sub(p.last[who]); left > 0 && left <= every {
		return left
	}
	if len(p.last) >= 1000 {
		for k, at := range p.last {
			if now.Sub(at) > every {
				delete(p.last, k)
			}
		}
	}
	if p.last == nil {
		p.last = map[string]time.Time{}
	}
	p.last[who] = now
	return 0
}

// impactOf is the question about something that has a number, in figures. A screen on the
// wall, which posts nothing, may ask it of what it sees.
func (s *Server) impactOf(kind string) HandlerFunc {
	return func(ctx context.Context, req *Request) (*Response, error) {
		id, p := req.id()
		if p != nil {
			return nil, p
		}
		id = strings.ToLower(id)
		if req.Who.Kind == auth.Wall {
			if left := s.screens.wait(req.Who.ID+" "+kind+" "+id, req.Received, screenPace); left > 0 {
				e := problem(CodeThrottled)
				e.RetryAfter = left
				return nil, e
			}
		}
		b := impactBody{Alert: id}
		if kind == "incident" {
			b = impactBody{Incident: id}
		}
		q, err := b.question(req)
		if err != nil {
			return nil, err
		}
		position := s.position()
		a, err := s.opts.Impact.Ask(ctx, s.asker(req), q)
		if err != nil {
			if p := impactProblem(err); p != nil {
				return nil, p
			}
			return nil, err
		}
		line := s.impactLine(a, req)
		line.Position = position
		resp, err := private(figuresOf(line, a.At, id))
		if err == nil {
			resp.Set("Onemap-Seq", position)
		}
		return resp, err
	}
}
