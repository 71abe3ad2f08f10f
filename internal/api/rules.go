package api

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"onemap/internal/catalogue"
	"onemap/internal/registry"
)

type ruleSetAnswer struct {
	Rule        string          `json:"rule"`
	Version     int             `json:"version"`
	Current     bool            `json:"current"` // the newest version of its rule
	Title       string          `json:"title"`
	Standard    *string         `json:"standard"`
	Verified    bool            `json:"verified"`
	VerifiedBy  *string         `json:"verified_by"`
	VerifiedAt  *time.Time      `json:"verified_at"`
	Responsible *string         `json:"responsible"`
	ValidFrom   string          `json:"valid_from"`
	CreatedBy   string          `json:"created_by"`
	CreatedAt   time.Time       `json:"created_at"`
	Reason      *string         `json:"reason"`
	Note        *string         `json:"note"`
	Body        json.RawMessage `json:"body"`
}

func ruleSetLine(r catalogue.RuleSet, current bool, lang registry.Lang) ruleSetAnswer {
	return ruleSetAnswer{
		Rule: r.Rule, Version: r.Version, Current: current, Title: text(r.TitleZH, r.TitleEN).In(lang), Standard: optional(r.Standard),
		Verified: r.Verified, VerifiedBy: optional(r.VerifiedBy), VerifiedAt: r.VerifiedAt, Responsible: optional(r.Responsible),
		ValidFrom: r.ValidFrom.Format(time.DateOnly), CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, Reason: optional(r.Reason), Note: optional(r.Note), Body: jsonOrNull(r.Body),
	}
}

type unverifiedList struct {
	List     string  `json:"list"`
	Title    string  `json:"title"`
	Standard *string `json:"standard"`
	Verified bool    `json:"verified"`
}

func (s *Server) getRuleSets(ctx context.Context, req *Request) (*Response, error) {
	list, err := s.opts.Editor.RuleSets(ctx, req.Who.Reading())
	if err != nil {
		return nil, err
	}
	out := make([]ruleSetAnswer, 0, len(list))
	open, last := 0, ""
	for _, r := range list {
		current := r.Rule != last
		last = r.Rule
		if current && !r.Verified {
			open++
		}
		out = append(out, ruleSetLine(r, current, req.Lang))
	}
	lists := []unverifiedList{}
	snap := s.opts.Catalogue.Now()
	for _, id := range sortedKeys(snap.CodeLists) {
		if c := snap.CodeLists[id]; !c.Verified {
			lists = append(lists, unverifiedList{id, c.Title.In(req.Lang), optional(c.Standard), false})
		}
	}
	return private(map[string]any{"rule_sets": out, "unverified": open, "code_lists": lists})
}

type ruleVersionBody struct {
	Standard    string          `json:"standard"`
	Title       string          `json:"title"`
	TitleEN     string          `json:"title_en"`
	Responsible string          `json:"responsible"`
	Body        json.RawMessage `json:"body"`
	ValidFrom   string          `json:"valid_from"`
	Reason      string          `json:"reason"`
}

func (s *Server) postRuleVersion(ctx context.Context, req *Request) (*Response, error) {
	var b ruleVersionBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	n := catalogue.NewVersion{
		Rule: req.Param(0), TitleZH: b.Title, TitleEN: b.TitleEN, Standard: b.Standard, Responsible: b.Responsible, Reason: b.Reason, Body: b.Body,
	}
	if b.ValidFrom != "" {
		day, err := time.Parse(time.DateOnly, b.ValidFrom)
		if err != nil {
			return nil, fault(req, "valid_from", "bad_date", "应为日期 (年-月-日)", "it is a date (year-month-day)")
		}
		n.ValidFrom = day
	}
	r, err := s.opts.Editor.AddVersion(ctx, s.by(req), n)
	if err != nil {
		return nil, err
	}
	return created(ruleSetLine(r, true, req.Lang))
}

// fault is 422 with one finding.
func fault(req *Request, path, code, zh, en string) *Error {
	e := problem(CodeInvalid)
	e.Items = []Item{{Path: path, Code: code, Message: text(zh, en).In(req.Lang)}}
	return e
}

type noteBody struct {
	Note string `json:"note"`
}

func (s *Server) postRuleVerify(ctx context.Context, req *Request) (*Response, error) {
	version, err := strconv.Atoi(req.Param(1))
	if err != nil || version < 1 || version > 1<<30 || strconv.Itoa(version) != req.Param(1) {
		return nil, problem(CodeNotFound)
	}
	var b noteBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	r, err := s.opts.Editor.Verify(ctx, s.by(req), req.Param(0), version, b.Note)
	if err != nil {
		return nil, err
	}
	return private(ruleSetLine(r, true, req.Lang))
}

type catalogueLine struct {
	ID             string `json:"id"`
	Title          string `json:"title"`
	TitleEN        string `json:"title_en"`
	Theme          string `json:"theme"`
	Visibility     string `json:"visibility"`
	DefaultVisible bool   `json:"default_visible"`
	Own            bool   `json:"own"`
	Version        int64  `json:"version"`
}

// getCatalogue lists all layers for who titles and classifies them: also those whose
// rows he may not see.
func (s *Server) getCatalogue(ctx context.Context, req *Request) (*Response, error) {
	rows, err := s.opts.Editor.Layers(ctx, req.Who.Reading())
	if err != nil {
		return nil, err
	}
	out := make([]catalogueLine, 0, len(rows))
	for _, l := range rows {
		out = append(out, layerRow(l))
	}
	return private(map[string]any{"layers": out})
}

func layerRow(l catalogue.LayerRow) catalogueLine {
	return catalogueLine{l.Layer, l.TitleZH, l.TitleEN, l.Theme, l.Visibility, l.DefaultVisible, l.Own, l.Version}
}

func (s *Server) getLayer(ctx context.Context, req *Request) (*Response, error) {
	l, err := s.opts.Editor.Layer(ctx, req.Who.Reading(), req.Param(0))
	if err != nil {
		return nil, err
	}
	return versioned(layerRow(l), l.Version)
}

type layerPatchBody struct {
	Title          *string `json:"title"`
	TitleEN        *string `json:"title_en"`
	DefaultVisible *bool   `json:"default_visible"`
	Visibility     *string `json:"visibility"`
	Reason         string  `json:"reason"`
}
