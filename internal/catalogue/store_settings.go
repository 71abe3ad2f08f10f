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
// told it. Faults are an [auth.Invalid]; an unknown key is [auth.ErrNotFound].
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
	if err := k.check(value); err != nil {
		return err
	}
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n > 500 || (n < 4 && !by.CLI) {
		return fault("reason", "length", "请写明原因(4 至 500 字)", "say why, in 4 to 500 characters")
	}
	claims := by.Writing(grant)
	if by.CLI {
		claims = db.System("onemap")
	}
	err := s.pool.Tx(ctx, claims, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("setting_lock"), key); err != nil {
			return err
		}
		var before json.RawMessage
		var at time.Time
		found := int64(0)
		switch err := tx.QueryRow(ctx, s.queries.Get("setting"), key).Scan(&before, &at); {
		case err == nil:
			found = at.UnixMicro()
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		if found != version && !by.CLI {
			return auth.ErrStaleVersion
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
