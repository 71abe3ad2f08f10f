package api

import (
	"context"
	"strings"
	"time"

	"onemap/census/field"
	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Notices are warnings and notices sent to grids.
type Notices interface {
	Notices(ctx context.Context, who *auth.Identity, q field.NoticeQuery) (field.NoticePage, error)
	NoticesIn(ctx context.Context, in geo.Scopes, ids []string) (map[string]field.Notice, error)
	Notice(ctx context.Context, who *auth.Identity, id string) (field.Notice, []field.Reader, error)
	Issue(ctx context.Context, by auth.By, n field.NewNotice) (field.Notice, error)
	Withdraw(ctx context.Context, by auth.By, id string, version int64, reason string) (field.Notice, error)
}

type noticeAnswer struct {
	ID             string     `json:"id"`
	ETag           int64      `json:"etag"`
	Kind           string     `json:"kind"`
	Title          string     `json:"title"`
	Body           string     `json:"body"`
	Level          *int       `json:"level"`
	Hazard         *string    `json:"hazard"`
	Areas          []planArea `json:"areas"`
	State          string     `json:"state"`
	InForce        bool       `json:"in_force"`
	IssuedAt       time.Time  `json:"issued_at"`
	ExpiresAt      *time.Time `json:"expires_at"`
	WithdrawnAt    *time.Time `json:"withdrawn_at"`
	WithdrawnBy    *string    `json:"withdrawn_by"`
	Reason         *string    `json:"reason"`
	By             whoAnswer  `json:"by"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"` // by the asker
	// Expected and Acknowledged count grid workers of the asker's areas; null without a desk.
	Expected     *int `json:"expected"`
	Acknowledged *int `json:"acknowledged"`
}

func noticeLine(n field.Notice, counted bool, areas *areaTitles) noticeAnswer {
	a := noticeAnswer{
		ID: n.ID, ETag: n.Version, Kind: n.Kind, Title: n.Title, Body: n.Body, Level: positive(n.Level), Hazard: optional(n.Hazard), Areas: make([]planArea, 0, len(n.Areas)), State: n.State, InForce: n.InForce(areas.now),
		IssuedAt: n.IssuedAt, ExpiresAt: n.ExpiresAt, WithdrawnAt: n.WithdrawnAt, WithdrawnBy: optional(n.WithdrawnBy), Reason: optional(n.Reason), By: whoAnswer{optional(n.Account), n.IssuedBy}, AcknowledgedAt: n.AcknowledgedAt,
	}
	for _, code := range n.Areas {
		a.Areas = append(a.Areas, planArea{code, areas.of(code)})
	}
	if counted {
		a.Expected, a.Acknowledged = &n.Expected, &n.Acknowledged
	}
	return a
}

func (s *Server) getNotices(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	q := field.NoticeQuery{State: req.Query.Value("state"), Limit: min(limit, 500), Cursor: cursor}
	if q.State != "" && q.State != "issued" && q.State != "withdrawn" {
		return nil, invalid("state", "应为 issued 或 withdrawn", "it is issued or withdrawn")
	}
	if q.Active, err = said(req.Query, "active"); err != nil {
		return nil, err
	}
	page, err := s.opts.Work.Notices(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]noticeAnswer, 0, len(page.Notices))
	for _, n := range page.Notices {
		out = append(out, noticeLine(n, page.Counted, areas))
	}
	return private(map[string]any{"notices": out, "next": optional(page.Next), "position": page.Position})
}

type readerAnswer struct {
	Account    string     `json:"account"`
	Name       string     `json:"name"`
	Area       *string    `json:"area"`
	AreaTitle  *string    `json:"area_title"`
	Expected   bool       `json:"expected"`
	ReadAt     *time.Time `json:"read_at"`
	ReceivedAt *time.Time `json:"received_at"`
}

type noticeDetail struct {
	noticeAnswer

	// Read have acknowledged, Missing not; both empty without a desk.
	Read    []readerAnswer `json:"read"`
	Missing []readerAnswer `json:"missing"`
}

func (s *Server) getNotice(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	n, readers, err := s.opts.Work.Notice(ctx, req.Who, strings.ToLower(id))
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := noticeDetail{noticeAnswer: noticeLine(n, len(field.Desk(req.Who, req.Received)) > 0, areas), Read: []readerAnswer{}, Missing: []readerAnswer{}}
	for _, r := range readers {
		a := readerAnswer{r.Account, r.Name, optional(r.Area), areas.of(r.Area), r.Expected, r.ReadAt, r.ReceivedAt}
		if r.ReadAt == nil {
			out.Missing = append(out.Missing, a)
		} else {
			out.Read = append(out.Read, a)
		}
	}
	return versioned(out, n.Version)
}

func (s *Server) noticeResponse(ctx context.Context, req *Request, n field.Notice) (*Response, error) {
	resp, err := versioned(noticeLine(n, true, s.areaTitles(ctx, req)), n.Version)
	if err == nil {
		resp.Set("Onemap-Seq", n.FeedPosition)
	}
	return resp, err
}

type newNoticeBody struct {
	Kind      string     `json:"kind"`
	Title     string     `json:"title"`
	Body      string     `json:"body"`
	Level     int        `json:"level"`
	Hazard    string     `json:"hazard"`
	Areas     []string   `json:"areas"`
	ExpiresAt *time.Time `json:"expires_at"`
}

func (s *Server) postNotice(ctx context.Context, req *Request) (*Response, error) {
	var b newNoticeBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n, err := s.opts.Work.Issue(ctx, s.by(req), field.NewNotice{Kind: b.Kind, Title: b.Title, Body: b.Body, Level: b.Level, Hazard: b.Hazard, Areas: b.Areas, ExpiresAt: b.ExpiresAt})
	if err != nil {
		return nil, err
	}
	resp, err := s.noticeResponse(ctx, req, n)
	if err == nil {
		resp.Status = 201
		resp.Set("Location", "/api/notices/"+n.ID)
	}
	return resp, err
}

// postNoticeStep withdraws a notice: what was issued is not edited.
func (s *Server) postNoticeStep(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if _, _, err := s.opts.Work.Notice(ctx, req.Who, strings.ToLower(id)); err != nil {
		return nil, err
	}
	var b stepBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	if b.To != "withdrawn" {
		return nil, fault(req, "to", "unknown", "没有此状态", "there is no such state")
	}
	n, err := s.opts.Work.Withdraw(ctx, s.by(req), strings.ToLower(id), version, b.Note)
	if err != nil {
		return nil, err
	}
	return s.noticeResponse(ctx, req, n)
}
