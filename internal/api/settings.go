package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"onemap/internal/catalogue"
	"onemap/internal/registry"
)

type settingAnswer struct {
	Key       string          `json:"key"`
	Title     string          `json:"title"`
	Needs     string          `json:"needs"`
	Value     json.RawMessage `json:"value"`
	Set       bool            `json:"set"`
	UpdatedAt *time.Time      `json:"updated_at"`
	UpdatedBy *string         `json:"updated_by"`
	Version   int64           `json:"version"`
}

func settingLine(v catalogue.Setting, lang registry.Lang) settingAnswer {
	a := settingAnswer{Key: v.Key, Title: v.Title.In(lang), Needs: string(v.Needs), Value: jsonOrNull(v.Value), Set: v.Set, UpdatedBy: optional(v.UpdatedBy), Version: v.Version}
	if v.Set {
		a.UpdatedAt = &v.UpdatedAt
	}
	return a
}

func (s *Server) getSettings(ctx context.Context, req *Request) (*Response, error) {
	list, err := s.opts.Editor.Settings(ctx, req.Who.Reading())
	if err != nil {
		return nil, err
	}
	out := make([]settingAnswer, 0, len(list))
	for _, v := range list {
		out = append(out, settingLine(v, req.Lang))
	}
	return private(map[string]any{"settings": out})
}

type settingBody struct {
	Value  json.RawMessage `json:"value"`
	Reason string          `json:"reason"`
}

// patchSetting changes a value at once, or proposes it to a second person: where the
// audit is sent is not one person's.
func (s *Server) patchSetting(ctx context.Context, req *Request) (*Response, error) {
	version, bad := ifMatch(req)
	if bad != nil {
		return nil, bad
	}
	var b settingBody
	if bad := readJSON(req, &b); bad != nil {
		return nil, bad
	}
	key := req.Param(0)
	err := s.opts.Editor.SetSetting(ctx, s.by(req), key, version, b.Value, b.Reason)
	if errors.Is(err, catalogue.ErrNeedsDecision) {
		return s.propose(ctx, req, s.opts.Editor.Proposal(key, version, b.Value, b.Reason))
	}
	if err != nil {
		return nil, err
	}
	list, err := s.opts.Editor.Settings(ctx, req.Who.Reading())
	if err != nil {
		return nil, err
	}
	for _, v := range list {
		if v.Key == key {
			return versioned(settingLine(v, req.Lang), v.Version)
		}
	}
	return nil, problem(CodeNotFound)
}
