package api

import (
	"context"
	"strings"
	"time"

	"onemap/incidents/evacuation"
	"onemap/internal/auth"
	"onemap/internal/geo"
)

type shelteredAnswer struct {
	ID      *string `json:"id"`
	Name    string  `json:"name"`
	Persons int     `json:"persons"`
}

type contactLostAnswer struct {
	LastAt     *time.Time `json:"last_at"`
	Lost       bool       `json:"lost"`
	RoadCut    bool       `json:"road_cut"`
	PowerCut   bool       `json:"power_cut"`
	NetworkCut bool       `json:"network_cut"`
}

type reachedAnswer struct {
	Targets  int `json:"targets"`
	Reached  int `json:"reached"`
	Repeated int `json:"repeated"`
	Silent   int `json:"silent"`
	Refused  int `json:"refused"`
	Waiting  int `json:"waiting"`
	Late     int `json:"late"`
}

func reachedLine(r evacuation.Reached) reachedAnswer {
	return reachedAnswer{r.Targets, r.Reached, r.Repeated, r.Silent(), r.Refused, r.Waiting, r.Late}
}

type boardVillage struct {
	Callout    string  `json:"callout"`
	Code       string  `json:"code"`
	Name       string  `json:"name"`
	Level      *int    `json:"level"`
	Whole      bool    `json:"whole"`
	Households int     `json:"households"`
	ToMove     *int    `json:"to_move"`
	Source     *string `json:"to_move_source"`
	Moved      int     `json:"moved"`
	NotMoved   *int    `json:"not_moved"`
	Refused    int     `json:"refused"`
	Returned   int     `json:"returned"`
	Unknown    int     `json:"unknown"`
	// Over says that more were moved than the register has.
	Over     bool              `json:"over"`
	Percent  *int              `json:"percent"`
	Shelters []shelteredAnswer `json:"shelters"`
	Contact  contactLostAnswer `json:"contact"`
	Calls    reachedAnswer     `json:"calls"`
	Complete bool              `json:"complete"`
	AddedAt  *time.Time        `json:"added_at"`
	LeftAt   *time.Time        `json:"left_at"`
}

func boardLine(v evacuation.Village) boardVillage {
	a := boardVillage{
		Callout: v.Callout, Code: v.Code, Name: v.Name, Level: v.Level, Whole: v.Whole, Households: v.Households, ToMove: v.ToMove, Source: optional(v.Source), Moved: v.Moved, NotMoved: v.NotMoved,
		Refused: v.Refused, Returned: v.Returned, Unknown: v.Missing, Over: v.Over, Percent: v.Percent, Shelters: make([]shelteredAnswer, 0, len(v.Shelters)),
		Contact: contactLostAnswer{v.Contact.LastAt, v.Contact.Lost, v.Contact.Road, v.Contact.Power, v.Contact.Network}, Calls: reachedLine(v.Calls), Complete: v.Complete, AddedAt: v.AddedAt, LeftAt: v.LeftAt,
	}
	for _, p := range v.Shelters {
		a.Shelters = append(a.Shelters, shelteredAnswer{optional(p.ID), p.Name, p.Persons})
	}
	return a
}

// boardFigures is what a screen on the wall is told of a village.
type boardFigures struct {
	Callout  string            `json:"callout"`
	Code     string            `json:"code"`
	Name     string            `json:"name"`
	Level    *int              `json:"level"`
	Whole    bool              `json:"whole"`
	ToMove   *int              `json:"to_move"`
	Moved    int               `json:"moved"`
	NotMoved *int              `json:"not_moved"`
	Refused  int               `json:"refused"`
	Returned int               `json:"returned"`
	Unknown  int               `json:"unknown"`
	Over     bool              `json:"over"`
	Percent  *int              `json:"percent"`
	Contact  contactLostAnswer `json:"contact"`
	Calls    reachedAnswer     `json:"calls"`
	Complete bool              `json:"complete"`
	AddedAt  *time.Time        `json:"added_at"`
	LeftAt   *time.Time        `json:"left_at"`
}

// boardLines are villages as the asker's screen may show them.
func boardLines(req *Request, list []evacuation.Village) any {
	if req.Who.Kind == auth.Wall {
		out := make([]boardFigures, 0, len(list))
		for _, v := range list {
			a := boardLine(v)
			out = append(out, boardFigures{a.Callout, a.Code, a.Name, a.Level, a.Whole, a.ToMove, a.Moved, a.NotMoved, a.Refused, a.Returned, a.Unknown, a.Over, a.Percent, a.Contact, a.Calls, a.Complete, a.AddedAt, a.LeftAt})
		}
		return out
	}
	out := make([]boardVillage, 0, len(list))
	for _, v := range list {
		out = append(out, boardLine(v))
	}
	return out
}

type boardTotals struct {
	Villages  int           `json:"villages"`
	Complete  int           `json:"complete"`
	Lost      int           `json:"lost"`
	NoFigure  int           `json:"no_figure"` // villages where nobody knows who is to move
	ToMove    int           `json:"to_move"`
	Moved     int           `json:"moved"`
	NotMoved  int           `json:"not_moved"`
	Refused   int           `json:"refused"`
	Returned  int           `json:"returned"`
	Unknown   int           `json:"unknown"`
	Sheltered int           `json:"sheltered"`
	Calls     reachedAnswer `json:"calls"`
	Percent   *int          `json:"percent"`
}

// getEvacuation is the board: who has moved, village by village.
func (s *Server) getEvacuation(ctx context.Context, req *Request) (*Response, error) {
	f, err := calloutFilter(req)
	if err != nil {
		return nil, err
	}
	if f.ID = strings.ToLower(req.Query.Value("callout")); f.ID != "" && !uuidText(f.ID) {
		return nil, invalid("callout", "应为编号（UUID）", "it is an id (a UUID)")
	}
	if shape, given := req.Query.Get("geometry"); given {
		if f.Geometry, err = geo.ParseGeoJSON([]byte(shape), geo.EditLimits()); err != nil {
			return nil, invalid("geometry", "应为有效的 GeoJSON 几何，经度在前", "it is a GeoJSON geometry, longitude first")
		}
	}
	b, err := s.opts.Evacuation.Board(ctx, req.Who, f)
	if err != nil {
		return nil, err
	}
	villages := boardLines(req, b.Villages)
	t := b.Totals
	return private(map[string]any{
		"callouts": s.calloutLines(ctx, req, b.Callouts), "villages": villages, "complete": t.Done, "position": b.Position, "at": b.At.UTC(), "lost_after_s": b.Rules.LostAfter,
		"totals": boardTotals{t.Villages, t.Complete, t.Lost, t.Unknown, t.ToMove, t.Moved, t.NotMoved, t.Refused, t.Returned, t.Missing, t.Sheltered, reachedLine(t.Calls), t.Percent},
	})
}

type movedAnswer struct {
	ID          string    `json:"id"`
	Callout     string    `json:"callout"`
	Village     string    `json:"village"`
	Mode        string    `json:"mode"`
	ToMove      *int      `json:"to_move"`
	Moved       *int      `json:"moved"`
	Refused     *int      `json:"refused"`
	Returned    *int      `json:"returned"`
	Unknown     *int      `json:"unknown"`
	Shelter     *string   `json:"shelter"`
	ShelterName *string   `json:"shelter_name"`
	Persons     *int      `json:"persons"`
	Lost        lostBody  `json:"lost"`
	At          time.Time `json:"at"`
	ReceivedAt  time.Time `json:"received_at"`
	Channel     string    `json:"channel"`
	Note        *string   `json:"note"`
	By          whoAnswer `json:"by"`
}

func movedLine(e evacuation.Entry) movedAnswer {
	return movedAnswer{
		e.ID, e.Callout, e.Village, e.Mode, e.ToMove, e.Moved, e.Refused, e.Returned, e.Missing, optional(e.Shelter), optional(e.ShelterName), e.Persons,
		lostBody{e.Road, e.Power, e.Network}, e.At, e.ReceivedAt, e.Channel, optional(e.Note), whoAnswer{optional(e.Account), e.Name},
	}
}

func (s *Server) getEvacuationEntries(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	list, err := s.opts.Evacuation.Entries(ctx, req.Who, strings.ToLower(id), req.Query.Value("village"))
	if err != nil {
		return nil, err
	}
	out := make([]movedAnswer, 0, len(list))
	for _, e := range list {
		out = append(out, movedLine(e))
	}
	return private(map[string]any{"entries": out})
}

type lostBody struct {
	Road    *bool `json:"road"`
	Power   *bool `json:"power"`
	Network *bool `json:"network"`
}

type movedBody struct {
	OpID        string     `json:"op_id"`
	Mode        string     `json:"mode"`
	ToMove      *int       `json:"to_move"`
	Moved       *int       `json:"moved"`
	Refused     *int       `json:"refused"`
	Returned    *int       `json:"returned"`
	Unknown     *int       `json:"unknown"`
	Shelter     string     `json:"shelter"`
	ShelterName string     `json:"shelter_name"`
	Persons     *int       `json:"persons"`
	Lost        lostBody   `json:"lost"`
	At          *time.Time `json:"at"`
	Channel     string     `json:"channel"`
	Note        string     `json:"note"`
}

// postEvacuationEntry writes down what the desk hears of a village, and shows the village.
func (s *Server) postEvacuationEntry(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if _, err := s.opts.Evacuation.Callout(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	var b movedBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	v, e, err := s.opts.Evacuation.Report(ctx, s.by(req), evacuation.Entry{
		ID: strings.ToLower(b.OpID), Callout: strings.ToLower(id), Village: req.Param(1), Mode: b.Mode, Numbers: evacuation.Numbers{ToMove: b.ToMove, Moved: b.Moved, Refused: b.Refused, Returned: b.Returned, Missing: b.Unknown},
		Shelter: strings.ToLower(b.Shelter), ShelterName: b.ShelterName, Persons: b.Persons, Road: b.Lost.Road, Power: b.Lost.Power, Network: b.Lost.Network, At: timeOf(b.At), Channel: b.Channel, Note: b.Note,
	})
	if err != nil {
		return nil, err
	}
	return private(map[string]any{"entry": movedLine(e), "village": boardLine(v)})
}
