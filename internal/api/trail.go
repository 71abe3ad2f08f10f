package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

type auditEntry struct {
	Seq       int64           `json:"seq"`
	At        time.Time       `json:"at"`
	Actor     string          `json:"actor"`
	Name      *string         `json:"name"`
	Role      *string         `json:"role"`
	Grant     *string         `json:"grant"`
	Kind      string          `json:"kind"`
	Session   *string         `json:"session"`
	Peer      *string         `json:"peer"`
	Request   *string         `json:"request"`
	Action    string          `json:"action"`
	Object    *string         `json:"object"`
	Area      *string         `json:"area"`
	Outcome   string          `json:"outcome"`
	Reason    *string         `json:"reason"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Positions []string        `json:"positions"`
	Sealed    bool            `json:"sealed"`
}

type sealAnswer struct {
	No      int64     `json:"no"`
	At      time.Time `json:"at"`
	Hash    string    `json:"hash"`
	Entries int64     `json:"entries"`
}

// auditClaims are what the asker may read of the audit: the areas of the grants that
// let him, and nothing he may read as somebody else.
func auditClaims(req *Request) db.Claims {
	var areas geo.Scopes
	for _, g := range req.Who.Grants {
		if g.Valid(req.Received) && g.Role.May(auth.ReadAudit) {
			areas = append(areas, g.Scope())
		}
	}
	return audit.Reading(req.Actor, areas.Normal())
}

func auditQuery(req *Request) (audit.Query, error) {
	q := audit.Query{
		Actor: req.Query.Value("actor"), Action: req.Query.Value("action"), Object: req.Query.Value("object"),
		Outcome: req.Query.Value("outcome"), Text: req.Query.Value("q"),
	}
	for name, into := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		v, given := req.Query.Get(name)
		if !given {
			continue
		}
		at, ok := instant(v)
		if !ok {
			return q, invalid(name, "应为带时区的 RFC 3339 时间", "it is one instant as RFC 3339 with offset")
		}
		*into = at
	}
	if o := q.Outcome; o != "" && o != audit.Done && o != audit.Refused && o != audit.Failed {
		return q, invalid("outcome", "应为 done、refused 或 failed", "it is done, refused or failed")
	}
	return q, nil
}

func (s *Server) getAudit(ctx context.Context, req *Request) (*Response, error) {
	q, err := auditQuery(req)
	if err != nil {
		return nil, err
	}
	if q.Limit, q.Cursor, err = paging(req); err != nil {
		return nil, err
	}
	page, err := s.opts.Audit.Search(ctx, auditClaims(req), q)
	if errors.Is(err, audit.ErrCursor) {
		return nil, invalid("cursor", "不是此查询的游标", "it is not a cursor of this query")
	}
	if err != nil {
		return nil, err
	}
	out := make([]auditEntry, 0, len(page.Rows))
	for _, r := range page.Rows {
		e := auditEntry{
			Seq: r.Seq, At: r.At, Actor: r.Actor, Name: optional(r.Name), Role: optional(r.Role), Grant: optional(r.Grant), Kind: r.Kind,
			Session: optional(r.Session), Peer: optional(r.Peer), Request: optional(r.Request), Action: r.Action, Object: optional(r.Object),
			Area: optional(r.Area), Outcome: r.Outcome, Reason: optional(r.Reason), Before: jsonOrNull(r.Before), After: jsonOrNull(r.After), Sealed: r.Sealed,
		}
		if r.First != "" {
			e.Positions = []string{r.First, r.Last}
		}
		out = append(out, e)
	}
	var seal *sealAnswer
	if h := page.Head; h.No > 0 {
		seal = &sealAnswer{h.No, h.At, h.Hash, h.Entries}
	}
	return private(map[string]any{"entries": out, "next": optional(page.Next), "seal": seal})
}

func (s *Server) getAuditCSV(ctx context.Context, req *Request) (*Response, error) {
	return s.exportAudit(ctx, req, audit.CSV, "text/csv; charset=utf-8")
}

func (s *Server) getAuditXLSX(ctx context.Context, req *Request) (*Response, error) {
	return s.exportAudit(ctx, req, audit.XLSX, string(BodyXLSX))
}

// exportAudit writes the table an auditor takes away, and records that he did before
// it leaves the house.
func (s *Server) exportAudit(ctx context.Context, req *Request, format, kind string) (*Response, error) {
	q, err := auditQuery(req)
	if err != nil {
		return nil, err
	}
	by := req.Who.Username
	if req.Who.Name != "" {
		by = req.Who.Name + " (" + by + ")"
	}
	var asked []string
	for _, p := range req.Query {
		asked = append(asked, p.Name+"="+p.Value)
	}
	zone := s.opts.Catalogue.Now().Location()
	about := audit.Copy{By: by, At: req.Received, Zone: zone, Filter: strings.Join(asked, " ")}
	var out bytes.Buffer
	rows, cut, err := s.opts.Audit.Export(ctx, auditClaims(req), q, format, about, &out)
	if err != nil {
		return nil, err
	}
	err = s.note(ctx, req, auth.ReadAudit, audit.Entry{
		Action: "audit.export", Object: "audit." + format, Outcome: audit.Done, After: map[string]any{"rows": rows, "cut": cut, "filter": about.Filter},
	})
	if err != nil {
		return nil, err
	}
	return download(kind, "onemap-audit-"+req.Received.In(zone).Format("20060102-150405")+"."+format, out.Bytes()), nil
}

// note records what was read or taken away, in a transaction of its own: nothing
// leaves when it cannot be recorded.
func (s *Server) note(ctx context.Context, req *Request, under auth.Permission, e audit.Entry) error {
	grant, _ := req.Who.Grant(under, geo.Scope{}, req.Received)
	e.Doer = s.by(req).Doer(grant)
	return s.opts.Audit.Note(ctx, req.Who.Writing(grant), e)
}

type brokenAnswer struct {
	Seal int64  `json:"seal"`
	Seq  int64  `json:"seq"`
	Why  string `json:"why"`
}

type verifyAnswer struct {
	OK       bool          `json:"ok"`
	Entries  int64         `json:"entries"`
	Seals    int64         `json:"seals"`
	Unsealed int64         `json:"unsealed"`
	Broken   *brokenAnswer `json:"broken"`
}

func (s *Server) postAuditVerify(ctx context.Context, req *Request) (*Response, error) {
	r, err := s.opts.Audit.Verify(ctx)
	if err != nil {
		return nil, err
	}
	a := verifyAnswer{OK: r.Broken == nil, Entries: r.Entries, Seals: r.Seals, Unsealed: r.Unsealed}
	if r.Broken != nil {
		a.Broken = &brokenAnswer{r.Broken.Seal, r.Broken.Seq, string(r.Broken.Why)}
	}
	err = s.note(ctx, req, auth.ReadAudit, audit.Entry{Action: "audit.verify", Outcome: audit.Done, After: map[string]any{"ok": a.OK, "seals": a.Seals, "entries": a.Entries}})
	if err != nil {
		return nil, err
	}
	return private(a)
}
