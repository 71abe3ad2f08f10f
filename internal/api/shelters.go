package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/records"
	"onemap/shelters"
)

// Shelters are the places people go to: open, full or closed, promised and taken.
type Shelters interface {
	Status(ctx context.Context, who *auth.Identity, q shelters.Query) ([]shelters.Shelter, string, error)
	Shelter(ctx context.Context, who *auth.Identity, id string) (shelters.Shelter, error)
	Change(ctx context.Context, by auth.By, id string, version int64, p shelters.Patch) (shelters.Shelter, error)
	Reservations(ctx context.Context, who *auth.Identity, shelter string, open bool, exercise *bool) ([]shelters.Reservation, error)
	Reserve(ctx context.Context, by auth.By, n shelters.NewReservation) (shelters.Reservation, shelters.Shelter, bool, error)
	Release(ctx context.Context, by auth.By, shelter, id string) (shelters.Shelter, error)
	Check(ctx context.Context, by auth.By, c shelters.CheckIn) (shelters.Checked, error)
	CheckIns(ctx context.Context, who *auth.Identity, shelter string, limit int, exercise *bool) ([]shelters.Entry, error)
	Rules() shelters.Rules
}

type shelterAnswer struct {
	ID          string     `json:"id"`
	ETag        int64      `json:"etag"`
	Name        string     `json:"name"`
	State       string     `json:"state"`
	StateTitle  string     `json:"state_title"`
	Class       *string    `json:"class"`
	Address     *string    `json:"address"`
	Area        *string    `json:"area"`
	AreaTitle   *string    `json:"area_title"`
	Capacity    *int       `json:"capacity"`
	Occupancy   *int       `json:"occupancy"`
	Reserved    int        `json:"reserved"`
	Free        *int       `json:"free"` // null: nobody knows how many it holds
	ConfirmedAt *time.Time `json:"confirmed_at"`
	AgeS        *int       `json:"age_s"`
	Stale       bool       `json:"stale"` // "open" or "full" nobody confirmed for longer than the rule
	Position    []float64  `json:"position"`
	UpdatedAt   time.Time  `json:"updated_at"`
	UpdatedBy   string     `json:"updated_by"`
	May         bool       `json:"may"` // the asker may change it
	// Drill is what exercises come to there; only where they are asked for, and in no other figure.
	Drill *shelterDrill `json:"exercise,omitempty"`
}

type shelterDrill struct {
	Occupancy int  `json:"occupancy"`
	Reserved  int  `json:"reserved"`
	Free      *int `json:"free"`
}

func (s *Server) shelterLine(req *Request, h shelters.Shelter, areas *areaTitles) shelterAnswer {
	code := h.Area
	if code == "" {
		code = codeOf(h.Scope)
	}
	a := shelterAnswer{
		ID: h.ID, ETag: h.Version, Name: h.Name, State: h.State, StateTitle: codeTitle(s.opts.Catalogue.Now(), "shelter_state", h.State, req.Lang), Class: optional(h.Class), Address: optional(h.Address),
		Area: optional(code), Capacity: h.Capacity, Occupancy: h.Occupancy, Reserved: h.Reserved, Free: h.Free(), ConfirmedAt: h.ConfirmedAt, Stale: h.Stale,
		Position: positionOrNil(h.At), UpdatedAt: h.RecordedAt, UpdatedBy: h.RecordedBy,
	}
	if h.ConfirmedAt != nil {
		n := max(int(req.Received.Sub(*h.ConfirmedAt).Seconds()), 0)
		a.AgeS = &n
	}
	// Shelters may be public; the names of the units around them are not, by that.
	if req.Reach.Of(db.Internal).Overlaps(h.Scope) {
		a.AreaTitle = areas.of(code)
	}
	if h.Drill != nil {
		a.Drill = &shelterDrill{h.Drill.Occupancy, h.Drill.Reserved, h.Drill.Free}
	}
	_, a.May = req.Who.Grant(auth.WorkDesk, h.Scope, req.Received)
	return a
}

func (s *Server) shelterResponse(ctx context.Context, req *Request, h shelters.Shelter) (*Response, error) {
	resp, err := versioned(s.shelterLine(req, h, s.areaTitles(ctx, req)), h.Version)
	if err == nil && h.FeedPosition != "" {
		resp.Set("Onemap-Seq", h.FeedPosition)
	}
	return resp, err
}

// getShelterStatus are the shelters as the command centre asks for them; the sums leave out
// what is stale, so that no bed is counted on which nobody looked at.
func (s *Server) getShelterStatus(ctx context.Context, req *Request) (*Response, error) {
	q := shelters.Query{Area: req.Query.Value("area"), State: req.Query.Value("state"), Limit: 500}
	if q.State != "" && !slices.Contains(shelters.States(), q.State) {
		return nil, invalid("state", "没有此状态", "there is no such state")
	}
	if _, given := req.Query.Get("limit"); given {
		n, err := wholeNumber(req.Query, "limit", 1, 2000)
		if err != nil {
			return nil, err
		}
		q.Limit = n
	}
	var err error
	if q.BBox, err = oneBox(req, false); err != nil {
		return nil, err
	}
	if q.Drill, err = said(req.Query, "exercise"); err != nil {
		return nil, err
	}
	list, position, err := s.opts.Shelters.Status(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]shelterAnswer, 0, len(list))
	totals := struct {
		Open      int `json:"open"`
		Stale     int `json:"stale"`
		Free      int `json:"free"`
		FreeStale int `json:"free_stale"` // in open ones nobody confirmed in time
		Occupancy int `json:"occupancy"`
		Reserved  int `json:"reserved"`
	}{}
	for _, h := range list {
		a := s.shelterLine(req, h, areas)
		out = append(out, a)
		if h.State == shelters.Opened {
			totals.Open++
			if a.Free != nil && !h.Stale {
				totals.Free += *a.Free
			} else if a.Free != nil {
				totals.FreeStale += *a.Free
			}
		}
		if h.Stale {
			totals.Stale++
		}
		totals.Reserved += h.Reserved
		if h.Occupancy != nil {
			totals.Occupancy += *h.Occupancy
		}
	}
	r := s.opts.Shelters.Rules()
	return private(map[string]any{"shelters": out, "totals": totals, "position": position,
		"rules": map[string]int{"open_stale_s": int(r.OpenStale.Seconds()), "full_stale_s": int(r.FullStale.Seconds())}})
}

func (s *Server) getShelter(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	h, err := s.opts.Shelters.Shelter(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return s.shelterResponse(ctx, req, h)
}

type shelterPatchBody struct {
	State        *string `json:"state"`
	Occupancy    *int    `json:"occupancy"`
	StillCurrent bool    `json:"still_current"`
	Note         string  `json:"note"`
	Exercise     bool    `json:"exercise"` // refused, with what to do instead
}

func (s *Server) patchShelter(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b shelterPatchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	// What is not his to see is absent, whatever version he names.
	if _, err := s.opts.Shelters.Shelter(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	version, err := ifMatch(req)
	if err != nil {
		return nil, err
	}
	h, failed := s.opts.Shelters.Change(ctx, s.by(req), strings.ToLower(id), version, shelters.Patch{State: b.State, Occupancy: b.Occupancy, StillCurrent: b.StillCurrent, Note: b.Note, Exercise: b.Exercise})
	if failed != nil {
		return nil, failed
	}
	return s.shelterResponse(ctx, req, h)
}

type reservationAnswer struct {
	ID        string     `json:"id"`
	Shelter   string     `json:"shelter"`
	Group     string     `json:"group"`
	N         int        `json:"n"`
	Arrived   int        `json:"arrived"`
	State     string     `json:"state"`
	Until     time.Time  `json:"until"`
	CreatedAt time.Time  `json:"created_at"`
	By        string     `json:"by"`
	EndedAt   *time.Time `json:"ended_at"`
	EndedBy   *string    `json:"ended_by"`
	Exercise  bool       `json:"exercise"`
}

func reservationLine(r shelters.Reservation) reservationAnswer {
	return reservationAnswer{r.ID, r.Shelter, r.Party, r.N, r.Arrived, r.State, r.Until, r.CreatedAt, r.By, r.EndedAt, optional(r.EndedBy), r.Exercise}
}

// ofExercises is which of two lists is asked for: what is real unless he says so, nil for all.
func ofExercises(req *Request) (*bool, error) {
	no := false
	switch req.Query.Value("exercise") {
	case "", "false":
		return &no, nil
	case "true":
		yes := true
		return &yes, nil
	case "all":
		return nil, nil //nolint:nilnil // both are asked for
	}
	return nil, invalid("exercise", "应为 true、false 或 all", "it is true, false or all")
}

func (s *Server) getReservations(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	open, err := said(req.Query, "open")
	if err != nil {
		return nil, err
	}
	exercise, err := ofExercises(req)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Shelters.Reservations(ctx, req.Who, strings.ToLower(id), open, exercise)
	if err != nil {
		return nil, err
	}
	out := make([]reservationAnswer, 0, len(list))
	for _, r := range list {
		out = append(out, reservationLine(r))
	}
	return private(map[string]any{"reservations": out})
}

type reserveBody struct {
	ID    string     `json:"id"`
	N     int        `json:"n"`
	Group string     `json:"group"`
	Until *time.Time `json:"until"`
	// Exercise leaves the real places as they are.
	Exercise bool `json:"exercise"`
}

// postReservation promises places: 409 shelter_full says how many are free.
func (s *Server) postReservation(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b reserveBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := shelters.NewReservation{ID: strings.ToLower(or(b.ID, records.NewID(req.Received))), Shelter: strings.ToLower(id), Party: b.Group, N: b.N, Exercise: b.Exercise}
	if b.Until != nil {
		n.Until = *b.Until
	}
	r, h, created, err := s.opts.Shelters.Reserve(ctx, s.by(req), n)
	if full, ok := errors.AsType[*shelters.NoRoom](err); ok {
		e := wrap(CodeConflict, err, text("该场所空位不足，请减少人数或选择其他场所", "the shelter has not so many places: ask for fewer or choose another"))
		e.As, e.Theirs = "shelter_full", json.RawMessage(jsonText(map[string]int{"free": full.Free}))
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	resp, err := private(map[string]any{"reservation": reservationLine(r), "shelter": s.shelterLine(req, h, s.areaTitles(ctx, req))})
	if err == nil && created {
		resp.Status = 201
		resp.Set("Onemap-Seq", h.FeedPosition)
	}
	return resp, err
}

// jsonText is a value of ours as JSON; what cannot be written is null.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}

func (s *Server) deleteReservation(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	h, err := s.opts.Shelters.Release(ctx, s.by(req), strings.ToLower(id), strings.ToLower(req.Param(1)))
	if err != nil {
		return nil, err
	}
	return s.shelterResponse(ctx, req, h)
}

type checkInBody struct {
	OpID        string     `json:"op_id"`
	In          int        `json:"in"`
	Out         int        `json:"out"`
	Group       string     `json:"group"`
	Reservation string     `json:"reservation"`
	At          *time.Time `json:"at"`
	Exercise    bool       `json:"exercise"` // as of a reservation
}

func (s *Server) postCheckIn(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b checkInBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	c := shelters.CheckIn{OpID: b.OpID, Shelter: strings.ToLower(id), Party: b.Group, Reservation: b.Reservation, In: b.In, Out: b.Out, Exercise: b.Exercise}
	if b.At != nil {
		c.At = *b.At
	}
	done, err := s.opts.Shelters.Check(ctx, s.by(req), c)
	if err != nil {
		return nil, err
	}
	resp, err := private(map[string]any{"op_id": done.OpID, "occupancy": done.After, "duplicate": done.Duplicate, "over_capacity": done.Over, "not_open": done.NotOpen,
		"shelter": s.shelterLine(req, done.Shelter, s.areaTitles(ctx, req))})
	if err == nil && !done.Duplicate {
		resp.Status = 201
		resp.Set("Onemap-Seq", done.Shelter.FeedPosition)
	}
	return resp, err
}

type checkInAnswer struct {
	OpID        string    `json:"op_id"`
	In          int       `json:"in"`
	Out         int       `json:"out"`
	Occupancy   int       `json:"occupancy"`
	Group       *string   `json:"group"`
	Reservation *string   `json:"reservation"`
	At          time.Time `json:"at"`
	RecordedAt  time.Time `json:"recorded_at"`
	By          string    `json:"by"`
	Exercise    bool      `json:"exercise"`
}

func (s *Server) getCheckIns(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	limit, _, err := paging(req)
	if err != nil {
		return nil, err
	}
	exercise, err := ofExercises(req)
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Shelters.CheckIns(ctx, req.Who, strings.ToLower(id), limit, exercise)
	if err != nil {
		return nil, err
	}
	out := make([]checkInAnswer, 0, len(list))
	for _, e := range list {
		out = append(out, checkInAnswer{e.OpID, e.In, e.Out, e.After, optional(e.Party), optional(e.Reservation), e.At, e.RecordedAt, e.By, e.Exercise})
	}
	return private(map[string]any{"checkins": out})
}
