package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/fallback"
	"onemap/internal/geo"
)

// Fallback is 兜底包: what is left when nothing else works.
type Fallback interface {
	Make(ctx context.Context, o fallback.Order, step func(done, total int, what string)) (fallback.Package, error)
	Packages(ctx context.Context, areas []string, limit int) ([]fallback.Package, error)
	Ready() (fallback.Key, error)
	Rules() fallback.Rules
	SetPassphrase(passphrase string) (fallback.Key, error)
}

type packageAnswer struct {
	ID        string         `json:"id"`
	Area      *string        `json:"area"`
	AreaTitle *string        `json:"area_title"`
	File      *string        `json:"file"`
	Bytes     int64          `json:"bytes"`
	SHA256    *string        `json:"sha256"`
	Counts    map[string]int `json:"counts"`
	Automatic bool           `json:"automatic"`
	By        string         `json:"by"`
	Reason    string         `json:"reason"`
	AsOf      time.Time      `json:"as_of"`
	AgeS      int            `json:"age_s"`
	Failed    *string        `json:"failed"`
}

type packagesAnswer struct {
	Packages   []packageAnswer `json:"packages"`
	Ready      bool            `json:"ready"`
	Missing    *string         `json:"missing"` // passphrase, place: what keeps the next from being written
	SetAt      *time.Time      `json:"passphrase_set_at"`
	NightlyAt  string          `json:"nightly_at"`
	Keep       int             `json:"keep"`
	LastGoodAt *time.Time      `json:"last_good_at"`
	Stale      bool            `json:"stale"` // the last good one is older than the rule, or there is none
}

// mayPack is the grant under which somebody makes a package: it reveals and commands, both
// over the same area.
func mayPack(req *Request, area string) (auth.Grant, bool) {
	scope := geo.Everywhere()
	if area != "" {
		s, err := geo.ParseScope(area)
		if err != nil {
			return auth.Grant{}, false
		}
		scope = s
	}
	for _, g := range req.Who.Grants {
		if g.Valid(req.Received) && g.Role.May(auth.Reveal) && g.Role.May(auth.CommandPost) && g.Scope().Contains(scope) {
			return g, true
		}
	}
	return auth.Grant{}, false
}

// getPackages lists those whose area the asker commands, or all of them for who manages the
// system: names, sizes and ages, nothing of what is in them.
func (s *Server) getPackages(ctx context.Context, req *Request) (*Response, error) {
	var areas []string
	if !oversees(req) {
		areas = []string{}
		for _, g := range req.Who.Grants {
			if _, ok := mayPack(req, g.Area); ok {
				areas = append(areas, g.Area)
			}
		}
		if len(areas) == 0 {
			return nil, problem(CodeForbidden)
		}
		if slices.Contains(areas, "") {
			areas = nil
		}
	}
	list, err := s.opts.Fallback.Packages(ctx, areas, 50)
	if err != nil {
		return nil, err
	}
	rules := s.opts.Fallback.Rules()
	titles := s.areaTitles(ctx, req)
	out := packagesAnswer{Packages: []packageAnswer{}, NightlyAt: time.Date(2000, 1, 1, rules.Hour, rules.Minute, 0, 0, time.UTC).Format("15:04"), Keep: rules.Keep, Stale: true}
	for _, p := range list {
		a := packageAnswer{ID: p.ID, Area: optional(p.Area), AreaTitle: titles.of(p.Area), File: optional(p.File), Bytes: p.Bytes, SHA256: optional(p.SHA256), Counts: p.Counts, Automatic: p.Automatic, By: p.Actor, Reason: p.Reason,
			AsOf: p.AsOf, AgeS: max(int(req.Received.Sub(p.AsOf).Seconds()), 0)}
		if p.Failed != "" {
			a.Failed = optional(text("未能写入，请查看服务器日志", "it could not be written: see the server's log").In(req.Lang))
		} else if out.LastGoodAt == nil {
			at := p.AsOf
			out.LastGoodAt, out.Stale = &at, req.Received.Sub(at) > rules.Warn
		}
		out.Packages = append(out.Packages, a)
	}
	k, err := s.opts.Fallback.Ready()
	switch {
	case errors.Is(err, fallback.ErrNoPlace):
		out.Missing = optional("place")
	case err != nil:
		out.Missing = optional("passphrase")
	default:
		out.Ready, out.SetAt = true, &k.SetAt
	}
	return private(out)
}

type packageBody struct {
	Area   string `json:"area"`
	Reason string `json:"reason"`
}

// postPackage writes a package now. It shows every number of the area in clear to whoever
// has the passphrase, so it needs both permissions over that area, and a reason; that the
// numbers were taken is in the audit before they are read.
func (s *Server) postPackage(ctx context.Context, req *Request) (*Response, error) {
	var b packageBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if b.Area == "" { // his own
		for _, g := range req.Who.Grants {
			if _, ok := mayPack(req, g.Area); ok {
				b.Area = g.Area
				break
			}
		}
	}
	g, ok := mayPack(req, b.Area)
	if !ok {
		return nil, problem(CodeForbidden)
	}
	if n := len([]rune(b.Reason)); n < 4 || n > 500 {
		return nil, fault(req, "reason", "length", "请写明理由(4–500 字)", "say why, in 4 to 500 characters")
	}
	switch _, err := s.opts.Fallback.Ready(); {
	case errors.Is(err, fallback.ErrNoPlace):
		e := problem(CodeConflict, text("没有配置第二存放位置，请系统管理员用 --fallback-dir 指定", "no second place is configured: the administrator names one with --fallback-dir"))
		e.As = "no_place"
		return nil, e
	case errors.Is(err, fallback.ErrNoPassphrase):
		e := problem(CodeConflict, text("尚未设置兜底包口令，请系统管理员设置", "no passphrase is set: the administrator sets one"))
		e.As = "no_passphrase"
		return nil, e
	case err != nil:
		return nil, err
	}
	by := s.by(req)
	order := fallback.Order{Claims: revealing(req.Who, g), Doer: by.Doer(g), Area: b.Area, Reason: b.Reason, By: takenBy(req)}
	j, err := s.opts.Jobs.Start(ctx, by, "fallback.package", "兜底包", "Fallback package", "fallback_packages", func(ctx context.Context, step func(done, total int, what string)) (any, error) {
		p, err := s.opts.Fallback.Make(ctx, order, step)
		if err != nil {
			return nil, err
		}
		return map[string]any{"id": p.ID, "file": p.File, "bytes": p.Bytes, "sha256": p.SHA256, "counts": p.Counts}, nil
	})
	if err != nil {
		return nil, err
	}
	resp, err := private(jobLine(j, req))
	if err == nil {
		resp.Status = 202
		resp.Set("Location", "/api/jobs/"+j.ID)
	}
	return resp, err
}

type passphraseBody struct {
	Passphrase string `json:"passphrase"`
	Reason     string `json:"reason"`
}

// putPassphrase sets what opens the packages written from now on. It is not stored; that it
// was set is.
func (s *Server) putPassphrase(ctx context.Context, req *Request) (*Response, error) {
	var b passphraseBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	g, ok := req.Who.Grant(auth.ManageSystem, geo.Everywhere(), req.Received)
	if !ok {
		return nil, problem(CodeForbidden)
	}
	if n := len([]rune(b.Reason)); n < 4 || n > 500 {
		return nil, fault(req, "reason", "length", "请写明理由(4–500 字)", "say why, in 4 to 500 characters")
	}
	k, err := s.opts.Fallback.SetPassphrase(b.Passphrase)
	if err != nil {
		return nil, err
	}
	e := audit.Entry{Doer: s.by(req).Doer(g), Action: "fallback.set_key", Object: "fallback_packages", Outcome: audit.Done, Reason: audit.Clip(b.Reason)}
	if err := s.opts.Audit.Note(ctx, req.Who.Reading(), e); err != nil {
		return nil, err
	}
	return private(map[string]any{"iterations": k.Iterations, "set_at": k.SetAt})
}
