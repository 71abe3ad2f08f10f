package api

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"onemap/internal/sync"
)

type deskWho struct {
	Username string `json:"username"`
	Name     string `json:"name"`
	Account  string `json:"account"`
}

type deskDecision struct {
	Outcome string          `json:"outcome"`
	By      string          `json:"by"`
	Name    string          `json:"name"`
	At      *time.Time      `json:"at"`
	Note    *string         `json:"note"`
	Choices json.RawMessage `json:"choices"`
}

type caseAnswer struct {
	ID         string                     `json:"id"`
	OpID       string                     `json:"op_id"`
	Kind       string                     `json:"kind"`
	Object     string                     `json:"object"`
	Title      string                     `json:"title"`
	Op         string                     `json:"op"`
	To         *string                    `json:"to"`
	OpNote     *string                    `json:"op_note"`
	Who        deskWho                    `json:"who"`
	Device     string                     `json:"device"`
	CapturedAt *time.Time                 `json:"captured_at"`
	ReceivedAt time.Time                  `json:"received_at"`
	Marks      []string                   `json:"marks"`
	AccuracyM  *float64                   `json:"accuracy_m"`
	Position   []float64                  `json:"position"`
	SrcCRS     string                     `json:"src_crs"`
	Area       *string                    `json:"area"`
	AreaTitle  *string                    `json:"area_title"`
	Level      string                     `json:"level"`
	DueAt      time.Time                  `json:"due_at"`
	CreatedAt  time.Time                  `json:"created_at"`
	Code       string                     `json:"code"`
	Reason     sync.Words                 `json:"reason"`
	Path       *string                    `json:"path"`
	Fields     map[string]sync.Difference `json:"fields"`
	Geometry   *sync.Shapes               `json:"geometry"`
	Photos     []string                   `json:"photos"`
	Status     sync.Status                `json:"status"`
	// Version is of the record as it is now, of a single case.
	Version  *int64        `json:"version"`
	State    string        `json:"state"`
	Decision *deskDecision `json:"decision"`
	// Raw is the operation as it came.
	Raw json.RawMessage `json:"raw,omitempty"`
}

func caseLine(c sync.Case, areas *areaTitles, whole bool) caseAnswer {
	out := caseAnswer{
		ID: c.ID, OpID: c.OpID, Kind: c.Kind, Object: c.Object, Title: c.Title, Op: c.Do, To: optional(c.To), OpNote: optional(c.Note),
		Who: deskWho{c.Who, c.Name, c.Account}, Device: c.Device, CapturedAt: c.Captured, ReceivedAt: c.Received, Marks: c.Marks,
		Position: positionOrNil(c.Position), SrcCRS: crsWord(string(c.Datum)), Level: "township", DueAt: c.Due, CreatedAt: c.Created, Code: c.Code, Reason: c.Reason, Path: optional(c.Path),
		Fields: c.Fields, Geometry: c.Shapes, Photos: c.Photos, Status: c.Status, State: "open",
		Area: optional(codeOf(c.Scope)), AreaTitle: areas.of(codeOf(c.Scope)),
	}
	if c.Accuracy > 0 {
		out.AccuracyM = &c.Accuracy
	}
	if c.County {
		out.Level = "county"
	}
	if out.Photos == nil {
		out.Photos = []string{}
	}
	if c.Version > 0 {
		out.Version = &c.Version
	}
	if c.Done {
		out.State = "done"
		out.Decision = &deskDecision{Outcome: c.Outcome, By: c.DecidedBy, Name: c.DecidedName, At: c.DecidedAt, Note: optional(c.DecisionNote), Choices: c.Choices}
	}
	if whole {
		out.Raw = c.Body
	}
	return out
}

// crsWord is what people call a datum.
func crsWord(crs string) string {
	if crs == "EPSG:4490" {
		return "CGCS2000"
	}
	return crs
}

// deskSort is which desk the path names.
func deskSort(conflicts bool) string {
	if conflicts {
		return sync.Conflicts
	}
	return sync.Quarantine
}

func (s *Server) desk(conflicts bool) HandlerFunc {
	return func(ctx context.Context, req *Request) (*Response, error) {
		limit, from, err := paging(req)
		if err != nil {
			return nil, err
		}
		q := sync.DeskQuery{Sort: deskSort(conflicts), Limit: min(limit, 1000)}
		switch req.Query.Value("state") {
		case "", "open":
		case "done":
			q.Done = true
		default:
			return nil, invalid("state", "只有 open、done", "open or done")
		}
		if q.Area, err = areasOf(req); err != nil {
			return nil, err
		}
		asked := fingerprint("desk "+q.Sort, req.Query)
		if from != "" {
			c, ok := readCursor(from)
			at, id, _ := strings.Cut(c.key, " ")
			micros, err := strconv.ParseInt(at, 10, 64)
			if _, isID := sync.ParseID(id); !ok || c.asked != asked || err != nil || !isID {
				return nil, invalid("cursor", "不是此查询的游标", "it is not a cursor of this query")
			}
			q.After, q.AfterI = time.UnixMicro(micros).UTC(), id
		}
		list, more, err := s.opts.Sync.Desk(ctx, s.by(req), q)
		if err != nil {
			return nil, err
		}
		items, areas := make([]caseAnswer, 0, len(list)), s.areaTitles(ctx, req)
		for _, c := range list {
			items = append(items, caseLine(c, areas, false))
		}
		var next *string
		if more {
			last := list[len(list)-1]
			at := last.Created
			if q.Done && last.DecidedAt != nil {
				at = *last.DecidedAt
			}
			text := cursor{asked: asked, now: req.Received, key: strconv.FormatInt(at.UnixMicro(), 10) + " " + last.ID}.String()
			next = &text
		}
		return private(map[string]any{"items": items, "next": next})
	}
}

func (s *Server) deskCase(conflicts bool) HandlerFunc {
	return func(ctx context.Context, req *Request) (*Response, error) {
		c, err := s.opts.Sync.Case(ctx, s.by(req), deskSort(conflicts), req.Param(0))
		if err != nil {
			return nil, err
		}
		return private(caseLine(c, s.areaTitles(ctx, req), true))
	}
}

type decideBody struct {
	Fields   map[string]json.RawMessage `json:"fields"`
	Geometry json.RawMessage            `json:"geometry"`
	Note     string                     `json:"note"`
	// Version is of the record the desk looked at; without it nothing is compared.
	Version int64 `json:"version"`
}

func (s *Server) decision(req *Request) (d sync.Decision, err error) {
	var b decideBody
	if err := readJSON(req, &b); err != nil {
		return d, err
	}
	d = sync.Decision{Note: b.Note, Version: b.Version}
	if f, bad := choicesBody(req, b.Fields); bad != nil {
		return d, bad
	} else { //nolint:revive // the two belong together
		d.Fields = f
	}
	g, bad := shapeBody(req, b.Geometry)
	if bad != nil {
		return d, bad
	}
	d.Shape = g
	return d, nil
}

func (s *Server) postResolve(ctx context.Context, req *Request) (*Response, error) {
	d, err := s.decision(req)
	if err != nil {
		return nil, err
	}
	c, err := s.opts.Sync.Resolve(ctx, s.by(req), req.Param(0), d)
	if err != nil {
		return nil, err
	}
	return private(caseLine(c, s.areaTitles(ctx, req), true))
}

func (s *Server) postAccept(ctx context.Context, req *Request) (*Response, error) {
	d, err := s.decision(req)
	if err != nil {
		return nil, err
	}
	c, err := s.opts.Sync.Accept(ctx, s.by(req), req.Param(0), d)
	if err != nil {
		return nil, err
	}
	return private(caseLine(c, s.areaTitles(ctx, req), true))
}

func (s *Server) postReturn(ctx context.Context, req *Request) (*Response, error) {
	var b noteBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	c, err := s.opts.Sync.Return(ctx, s.by(req), req.Param(0), b.Note)
	if err != nil {
		return nil, err
	}
	return private(caseLine(c, s.areaTitles(ctx, req), true))
}
