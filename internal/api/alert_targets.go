package api

import (
	"context"
	"strings"
	"time"

	"onemap/incidents/alerts"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/restricted"
)

type alertPerson struct {
	Contact string  `json:"contact"`
	Name    *string `json:"name"`
	Unit    *string `json:"unit"`
	Post    *string `json:"post"`
	Role    string  `json:"role"`
	Phone   *string `json:"phone_masked"`
	Deputy  *string `json:"deputy"`
}

type alertVillage struct {
	Code        string         `json:"code"`
	Name        string         `json:"name"`
	Town        *string        `json:"town"`
	Share       float64        `json:"share"`
	Whole       bool           `json:"whole"`
	Added       bool           `json:"added"`
	Population  *int           `json:"population"`
	Households  *int           `json:"households"`
	Listed      *alerts.Listed `json:"listed"`
	Grids       []alerts.Grid  `json:"grids"`
	Responsible []alertPerson  `json:"responsible"`
	State       string         `json:"state"`
	Channel     *string        `json:"channel"`
	At          *time.Time     `json:"at"`
	By          *string        `json:"by"`
	Position    []float64      `json:"position"`
}

type alertRemoved struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

type alertKPI struct {
	Targets             int      `json:"targets"`
	Reached             int      `json:"reached"`
	Acknowledged        int      `json:"acknowledged"`
	Coverage            float64  `json:"coverage"`
	Persons             int      `json:"persons"`
	PersonsAcknowledged int      `json:"persons_acknowledged"`
	MinutesTo90         *float64 `json:"minutes_to_90"`
	Goal                float64  `json:"goal"`
}

// maxContacts bounds how many people are read for one warning.
const maxContacts = 6000

// responsible are the people who answer for villages of an area, numbers masked.
func (s *Server) responsible(ctx context.Context, req *Request, area string) ([]restricted.Entry, error) {
	var out []restricted.Entry
	for f := (restricted.Filter{Area: area, Limit: 500, Doer: s.by(req).Doer(auth.Grant{})}); len(out) < maxContacts; {
		list, err := s.opts.Contacts.List(ctx, req.Who.Reading(), f)
		if err != nil {
			return nil, err
		}
		for _, c := range list {
			if c.Kind == "responsibility" && (c.Layer == "" || c.Layer == "admin" || c.Layer == "grids") && len(c.Area) >= 11 {
				out = append(out, c)
			}
		}
		if len(list) < f.Limit {
			return out, nil
		}
		f.After = list[len(list)-1].ID
	}
	return out, nil
}

// getAlertTargets answers who is in the area of a warning and who has heard.
func (s *Server) getAlertTargets(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	t, err := s.opts.Alerts.Targets(ctx, req.Who, strings.ToLower(id), req.Query.Value("message"))
	if err != nil {
		return nil, err
	}
	var people []restricted.Entry
	if req.Query.Value("contacts") != "false" && len(t.Villages) > 0 {
		if people, err = s.responsible(ctx, req, codeOf(t.Alert.Scope)); err != nil {
			return nil, err
		}
	}
	villages := make([]alertVillage, 0, len(t.Villages))
	unreached := []string{}
	added, removed := []alertRemoved{}, []alertRemoved{}
	totals := map[string]int{"villages": len(t.Villages), "whole": 0, "grids": 0, "population": 0, "households": 0}
	var listed *alerts.Listed
	for _, v := range t.Villages {
		line := alertVillage{Code: v.Code, Name: v.Name, Town: optional(v.Town), Share: v.Share, Whole: v.Whole, Added: v.Added, Population: v.Population, Households: v.Households, Listed: v.Listed,
			Grids: filled(v.Grids), Responsible: []alertPerson{}, State: v.State, Channel: optional(v.Channel), At: v.At, By: optional(v.By), Position: positionOrNil(v.Position)}
		for _, p := range people {
			if strings.HasPrefix(p.Area, v.Code) {
				line.Responsible = append(line.Responsible, alertPerson{p.ID, optional(p.Person), optional(p.Unit), optional(p.Post), p.Role, optional(p.Fields["phone"]), optional(p.Deputy)})
			}
		}
		villages = append(villages, line)
		if v.State == "waiting" || v.State == alerts.Unreached {
			unreached = append(unreached, v.Code)
		}
		if v.Added {
			added = append(added, alertRemoved{v.Code, v.Name})
		}
		if v.Whole {
			totals["whole"]++
		}
		totals["grids"] += len(v.Grids)
		totals["population"] += or0(v.Population)
		totals["households"] += or0(v.Households)
		if v.Listed != nil {
			if listed == nil {
				listed = &alerts.Listed{}
			}
			listed.Households += v.Listed.Households
			listed.Persons += v.Listed.Persons
			listed.Weak += v.Listed.Weak
			listed.MustMove += v.Listed.MustMove
		}
	}
	for _, v := range t.Removed {
		removed = append(removed, alertRemoved{v.Code, v.Name})
	}
	var message *alertMessageAnswer
	if t.Message.ID != "" {
		m := alertMessage(t.Message)
		message = &m
	}
	k := t.KPI
	return private(map[string]any{
		"alert": t.Alert.ID, "state": t.Alert.State, "message": message, "villages": villages, "totals": totals, "listed": listed, "added": added, "removed": removed, "unreached": unreached,
		"kpi":       alertKPI{k.Targets, k.Reached, k.Acknowledged, k.Coverage, k.Persons, k.PersonsAcknowledged, k.MinutesTo90, k.Goal},
		"method":    text("按村(社区)统计人口、户数乘以落入面积比例估算；名册户数按房屋位置计。影响分析按人口格网分摊，口径不同，两数不相等也不相加", "People and households by the village's figures times the share of its area inside: an estimate; listed households by their buildings. The impact spreads cells of population instead: another method, so the two differ and are never added").In(req.Lang),
		"statement": notPublic().In(req.Lang),
	})
}

func or0(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

type receiptBody struct {
	OpID    string     `json:"op_id"`
	Target  string     `json:"target"`
	Targets []string   `json:"targets"`
	Channel string     `json:"channel"`
	Outcome string     `json:"outcome"`
	At      *time.Time `json:"at"`
	Note    string     `json:"note"`
}

func (s *Server) postAlertReceipt(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b receiptBody
	if bad := readJSON(req, &b); bad != nil {
		return nil, bad
	}
	r := alerts.Receipt{OpID: strings.ToLower(b.OpID), Targets: b.Targets, Channel: b.Channel, Outcome: b.Outcome, Note: b.Note}
	if b.Target != "" {
		r.Targets = append(r.Targets, b.Target)
	}
	if b.At != nil {
		r.At = *b.At
	}
	if err := s.opts.Alerts.Receive(ctx, s.by(req), strings.ToLower(id), r); err != nil {
		return nil, err
	}
	a, err := s.opts.Alerts.Alert(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return s.alertResponse(ctx, req, a)
}

type outboundAnswer struct {
	ID          string     `json:"id"`
	Kind        string     `json:"kind"`
	Destination string     `json:"destination"`
	Title       string     `json:"title"`
	Identifier  string     `json:"identifier"`
	MsgType     string     `json:"msg_type"`
	State       string     `json:"state"`
	Follows     bool       `json:"follows"`
	Attempts    int        `json:"attempts"`
	LastError   *string    `json:"last_error"`
	CreatedAt   time.Time  `json:"created_at"`
	SentAt      *time.Time `json:"sent_at"`
	NextAt      *time.Time `json:"next_at"`
	By          string     `json:"by"`
}

type destinationAnswer struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	Title string `json:"title"`
}

func (s *Server) outboundResponse(req *Request, list []alerts.Outbound) (*Response, error) {
	out := make([]outboundAnswer, 0, len(list))
	for _, o := range list {
		out = append(out, outboundAnswer{o.ID, o.Kind, o.Destination, o.Title, o.Identifier, o.MsgType, o.State, o.Follows, o.Attempts, optional(o.LastError), o.CreatedAt, o.SentAt, o.NextAt, o.Name})
	}
	to := []destinationAnswer{}
	for _, d := range alerts.DestinationsOf(s.opts.Catalogue.Now()) {
		to = append(to, destinationAnswer{d.ID, d.Kind, d.Title})
	}
	return private(map[string]any{"outbound": out, "destinations": to, "public_release": false, "statement": notPublic().In(req.Lang)})
}

func (s *Server) getAlertOutbound(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	list, err := s.opts.Alerts.Outbound(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	return s.outboundResponse(req, list)
}

type forwardBody struct {
	Channels []string `json:"channels"`
}

// postAlertForward passes a warning on (转发): accepted once it stands in the outbox.
func (s *Server) postAlertForward(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b forwardBody
	if bad := readJSON(req, &b); bad != nil {
		return nil, bad
	}
	list, err := s.opts.Alerts.Forward(ctx, s.by(req), strings.ToLower(id), b.Channels)
	if err != nil {
		return nil, err
	}
	resp, err := s.outboundResponse(req, list)
	if err == nil {
		resp.Status = 202
	}
	return resp, err
}

// receiptNews is a receipt as the streams tell it.
type receiptNews struct {
	Alert   string    `json:"alert"`
	Target  string    `json:"target"`
	Channel string    `json:"channel"`
	Outcome string    `json:"outcome"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
}

// hearsReceipts: whoever reads the layer of warnings there.
func (s *Server) hearsReceipts(who *auth.Identity, _ time.Time) geo.Scopes {
	if !who.SignedIn() {
		return nil
	}
	return who.Reach.Of(db.Internal)
}
