package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/internal/geo"
)

// Settings lists what may be set and what holds.
func (s *Store) Settings(ctx context.Context, c db.Claims) ([]Setting, error) {
	type row struct {
		value json.RawMessage
		at    time.Time
		by    string
	}
	found := map[string]row{}
	err := s.pool.Ask(ctx, c, s.queries.Get("settings"), nil, func(rows pgx.Rows) error {
		for rows.Next() {
			var key string
			var r row
			if err := rows.Scan(&key, &r.value, &r.at, &r.by); err != nil {
				return err
			}
			found[key] = r
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("catalogue: settings: %w", err)
	}
	out := make([]Setting, 0, len(found))
	for _, k := range knobs() {
		v := Setting{Key: k.key, Title: k.title, Needs: k.needs}
		if r, ok := found[k.key]; ok {
			v.Value, v.Set, v.UpdatedAt, v.UpdatedBy, v.Version = r.value, true, r.at, r.by, r.at.UnixMicro()
		} else if v.Value, err = json.Marshal(k.standard()); err != nil {
			return nil, fmt.Errorf("catalogue: setting %s: %w", k.key, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// SetSetting changes one if it is still the version the administrator saw; the
// command line changes what there is. It holds on every node as soon as the feed has
// told it. Faults are an [auth.Invalid]; an unknown key is [auth.ErrNotFound]. Where it
// takes two people the answer is [ErrNeedsDecision] and nothing has changed: the caller
// proposes [Store.Proposal]. Whoever has the machine sets at once.
func (s *Store) SetSetting(ctx context.Context, by auth.By, key string, version int64, value json.RawMessage, reason string) error {
	var k knob
	for _, have := range knobs() {
		if have.key == key {
			k = have
		}
	}
	if k.key == "" {
		return auth.ErrNotFound
	}
	// A setting holds for everybody: whoever administers one county cannot change it.
	grant, ok := by.Grant(k.needs, geo.Everywhere(), s.now())
	if !ok && !by.CLI {
		return auth.ErrForbidden
	}
	if len(value) > maxBody {
		return fault("value", "too_large", "内容不超过 64 KB", "at most 64 KB")
	}
	if k.second != "" && len(value) > maxProposed {
		return fault("value", "too_large", "内容不超过 9 KB", "at most 9 KB")
	}
	if err := k.check(value); err != nil {
		return err
	}
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n > 500 || (n < 4 && !by.CLI) {
		return fault("reason", "length", "请写明原因(4 至 500 字)", "say why, in 4 to 500 characters")
	}
	claims := db.System("onemap")
	if !by.CLI {
		claims = by.Writing(grant)
	}
	err := s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		before, found, err := s.setting(ctx, tx, key)
		if err != nil {
			return err
		}
		if found != version && !by.CLI {
			return auth.ErrStaleVersion
		}
		if k.second != "" && !by.CLI {
			return ErrNeedsDecision
		}
		if _, err := tx.Exec(ctx, s.queries.Get("setting_put"), key, value, by.Doer(grant).Actor); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{
			Doer: by.Doer(grant), Action: "setting.update", Object: "setting/" + key, Outcome: "done", Reason: reason,
			// As text: the audit refuses members called password, and here that is the rules for one.
			Before: map[string]any{"value": string(before)}, After: map[string]any{"value": string(value)},
		})
	})
	if err != nil {
		return fmt.Errorf("catalogue: set %s: %w", key, err)
	}
	return nil
}

// setting reads one to change it; version 0 is one nobody set.
func (s *Store) setting(ctx context.Context, tx pgx.Tx, key string) (value json.RawMessage, version int64, err error) {
	if _, err := tx.Exec(ctx, s.queries.Get("setting_lock"), key); err != nil {
		return nil, 0, err
	}
	var at time.Time
	switch err := tx.QueryRow(ctx, s.queries.Get("setting"), key).Scan(&value, &at); {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	}
	return value, at.UnixMicro(), nil
}

const settingsPath = "settings/"

// proposed is what a decision about a setting keeps: the value, and the version it
// takes the place of.
type proposed struct {
	Value   json.RawMessage `json:"value"`
	Version int64           `json:"version"`
}

// Proposal is the change of a setting another person must decide, for the ledger.
func (s *Store) Proposal(key string, version int64, value json.RawMessage, reason string) decision.Proposal {
	p := decision.Proposal{Object: settingsPath + key, Reason: reason, Detail: proposed{Value: value, Version: version}}
	for _, k := range knobs() {
		if k.key == key {
			p.Action = k.second
		}
	}
	return p
}

// Effects are what decisions about settings do once another person has taken them.
func (s *Store) Effects() map[string]decision.Effect {
	out := map[string]decision.Effect{}
	for _, k := range knobs() {
		if k.second != "" {
			out[k.second] = s.effect(k)
		}
	}
	return out
}

func (s *Store) effect(k knob) decision.Effect {
	read := func(ctx context.Context, tx pgx.Tx, d decision.Decision) (p proposed, before json.RawMessage, err error) {
		if d.Object != settingsPath+k.key {
			return p, nil, auth.ErrNotFound
		}
		if err := json.Unmarshal(d.Detail, &p); err != nil {
			return p, nil, fault("detail", "not_of_its_kind", "不是设置的提议", "it proposes no setting")
		}
		if d.Area != "" {
			return p, nil, fault("area", "not_everywhere", "设置不分区域", "a setting has no area")
		}
		if err := k.check(p.Value); err != nil {
			return p, nil, err
		}
		before, found, err := s.setting(ctx, tx, k.key)
		if err == nil && found != p.Version {
			err = &auth.Conflict{Code: "setting_changed", ZH: "提出之后该设置已被改动，请重新提出", EN: "the setting was changed after this was proposed"}
		}
		return p, before, err
	}
	return decision.Effect{
		Check: func(ctx context.Context, tx pgx.Tx, d decision.Decision) error {
			_, _, err := read(ctx, tx, d)
			return err
		},
		Apply: func(ctx context.Context, tx pgx.Tx, d decision.Decision) (any, any, error) {
			p, before, err := read(ctx, tx, d)
			if err != nil {
				return nil, nil, err
			}
			if _, err := tx.Exec(ctx, s.queries.Get("setting_put"), k.key, p.Value, d.MadeName); err != nil {
				return nil, nil, err
			}
			return string(before), string(p.Value), nil
		},
	}
}
