package catalogue

import (
	"bytes"
	"context"
	"embed"
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

//go:embed queries/*.sql
var files embed.FS

var (
	// ErrFourEyes means the same person made what he would confirm.
	ErrFourEyes = errors.New("catalogue: another person has to do this")
	// ErrVerified means the version was confirmed before.
	ErrVerified = errors.New("catalogue: the version is verified already")
	// ErrNeedsDecision means the change lowers a layer's protection or turns the audit
	// elsewhere, which one person proposes and another approves.
	ErrNeedsDecision = errors.New("catalogue: this needs a second person")
)

// Store changes the catalogue through the pool of administration.
type Store struct {
	pool    *db.Pool
	queries db.Queries
	now     func() time.Time
}

// Open prepares the store.
func Open(d *db.DB) (*Store, error) {
	q, err := db.LoadQueries(files, "queries")
	if err != nil {
		return nil, err
	}
	return &Store{pool: d.Bulk, queries: q, now: time.Now}, nil
}

// RuleSet is one version of a rule set.
type RuleSet struct {
	Rule        string
	Version     int
	TitleZH     string
	TitleEN     string
	Standard    string // number and clause
	Verified    bool
	VerifiedBy  string
	VerifiedAt  *time.Time
	Responsible string // department or role that must verify
	ValidFrom   time.Time
	CreatedAt   time.Time
	CreatedBy   string
	Reason      string
	Note        string // what it was verified against
	Body        json.RawMessage
}

// NewVersion is the next version of a rule set. Empty titles and Responsible are
// taken over from the version before; a zero ValidFrom is today.
type NewVersion struct {
	Rule             string
	TitleZH, TitleEN string
	Standard         string
	Responsible      string
	ValidFrom        time.Time
	Reason           string
	Body             json.RawMessage
}

// LayerRow is what administrators see of a layer.
type LayerRow struct {
	Layer            string
	TitleZH, TitleEN string
	Theme            string
	Own              bool
	Visibility       string
	DefaultVisible   bool
	Version          int64
}

// LayerPatch names what changes; nil leaves as it is.
type LayerPatch struct {
	TitleZH, TitleEN *string
	DefaultVisible   *bool
	Visibility       *string
	Reason           string
}

// RuleSets lists all versions, the newest of each rule first.
func (s *Store) RuleSets(ctx context.Context, c db.Claims) ([]RuleSet, error) {
	var out []RuleSet
	err := s.pool.Ask(ctx, c, s.queries.Get("rule_sets"), nil, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanRuleSet)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("catalogue: rule sets: %w", err)
	}
	return out, nil
}

func scanRuleSet(row pgx.CollectableRow) (RuleSet, error) {
	var r RuleSet
	err := row.Scan(&r.Rule, &r.Version, &r.TitleZH, &r.TitleEN, &r.Standard, &r.Verified, &r.VerifiedBy, &r.VerifiedAt,
		&r.Responsible, &r.ValidFrom, &r.CreatedAt, &r.CreatedBy, &r.Reason, &r.Note, &r.Body)
	return r, err
}

const maxBody = 64 << 10

// AddVersion makes the next version of a rule set there is. It needs
// [auth.EditRules]; the version waits unverified.
func (s *Store) AddVersion(ctx context.Context, by auth.By, n NewVersion) (RuleSet, error) {
	// A rule holds for everybody: whoever keeps the data of one township cannot change it.
	grant, ok := by.Grant(auth.EditRules, geo.Everywhere(), s.now())
	if !ok {
		return RuleSet{}, auth.ErrForbidden
	}
	if err := n.check(); err != nil {
		return RuleSet{}, err
	}
	var out RuleSet
	err := s.pool.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error {
		// Two people making the next version at once get two numbers, not a failure.
		if _, err := tx.Exec(ctx, s.queries.Get("rule_lock"), n.Rule); err != nil {
			return err
		}
		var version int
		err := tx.QueryRow(ctx, s.queries.Get("rule_add"), n.Rule, null(n.TitleZH), null(n.TitleEN), null(n.Standard), null(n.Responsible), n.Body,
			nullTime(n.ValidFrom), by.Actor(), null(by.Account), n.Reason).Scan(&version)
		if errors.Is(err, pgx.ErrNoRows) {
			return auth.ErrNotFound
		}
		if err != nil {
			return err
		}
		if out, err = s.ruleSet(ctx, tx, n.Rule, version); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{
			Doer: by.Doer(grant), Action: "rule_set.add", Object: fmt.Sprintf("rule_set/%s/%d", n.Rule, version), Outcome: "done", Reason: n.Reason,
			After: map[string]any{"standard": n.Standard, "body": n.Body},
		})
	})
	if err != nil {
		return RuleSet{}, fmt.Errorf("catalogue: add version of %s: %w", n.Rule, err)
	}
	return out, nil
}

func (n *NewVersion) check() error {
	var faults []auth.Fault
	add := func(path, code, zh, en string) {
		faults = append(faults, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
	}
	n.Reason, n.Standard = strings.TrimSpace(n.Reason), strings.TrimSpace(n.Standard)
	if utf8.RuneCountInString(n.Reason) < 4 || utf8.RuneCountInString(n.Reason) > 500 {
		add("reason", "length", "请写明修改原因(4 至 500 字)", "say why, in 4 to 500 characters")
	}
	if utf8.RuneCountInString(n.Standard) > 200 {
		add("standard", "length", "标准号不超过 200 字", "at most 200 characters")
	}
	if utf8.RuneCountInString(n.TitleZH) > 100 || utf8.RuneCountInString(n.TitleEN) > 100 {
		add("title", "length", "名称不超过 100 字", "at most 100 characters")
	}
	body := bytes.TrimSpace(n.Body)
	if len(body) == 0 || body[0] != '{' || !json.Valid(body) {
		add("body", "not_an_object", "内容应为 JSON 对象", "it is a JSON object")
	} else if len(body) > maxBody {
		add("body", "too_large", "内容不超过 64 KB", "at most 64 KB")
	}
	if len(faults) > 0 {
		return &auth.Invalid{Items: faults}
	}
	return nil
}

func (s *Store) ruleSet(ctx context.Context, tx pgx.Tx, rule string, version int) (RuleSet, error) {
	rows, err := tx.Query(ctx, s.queries.Get("rule_set"), rule, version)
	if err != nil {
		return RuleSet{}, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRuleSet)
	if errors.Is(err, pgx.ErrNoRows) {
		return RuleSet{}, auth.ErrNotFound
	}
	return r, err
}

// Verify confirms a version against its standard. It needs [auth.VerifyRules] and
// another person than the one who made the version: [ErrFourEyes].
func (s *Store) Verify(ctx context.Context, by auth.By, rule string, version int, note string) (RuleSet, error) {
	grant, ok := by.Grant(auth.VerifyRules, geo.Everywhere(), s.now())
	if !ok || by.Account == "" {
		return RuleSet{}, auth.ErrForbidden
	}
	note = strings.TrimSpace(note)
	if n := utf8.RuneCountInString(note); n < 4 || n > 500 {
		return RuleSet{}, &auth.Invalid{Items: []auth.Fault{{Path: "note", Code: "length", ZH: "请写明对照的标准版本与条款(4 至 500 字)", EN: "say which edition and clause it was compared with, in 4 to 500 characters"}}}
	}
	var out RuleSet
	err := s.pool.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error {
		var verified bool
		var maker *string
		err := tx.QueryRow(ctx, s.queries.Get("rule_maker"), rule, version).Scan(&verified, &maker)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return auth.ErrNotFound
		case err != nil:
			return err
		case verified:
			return ErrVerified
		case maker != nil && *maker == by.Account:
			return ErrFourEyes
		}
		if _, err := tx.Exec(ctx, s.queries.Get("rule_verify"), rule, version, by.Actor(), by.Account, note); err != nil {
			return err
		}
		if out, err = s.ruleSet(ctx, tx, rule, version); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{
			Doer: by.Doer(grant), Action: "rule_set.verify", Object: fmt.Sprintf("rule_set/%s/%d", rule, version), Outcome: "done", Reason: note,
			Before: map[string]any{"verified": false}, After: map[string]any{"verified": true},
		})
	})
	if err != nil {
		return RuleSet{}, fmt.Errorf("catalogue: verify %s/%d: %w", rule, version, err)
	}
	return out, nil
}

// Layer reads one layer as administrators see it.
func (s *Store) Layer(ctx context.Context, c db.Claims, id string) (LayerRow, error) {
	var out LayerRow
	err := s.pool.Ask(ctx, c, s.queries.Get("layer"), []any{id}, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectExactlyOneRow(rows, scanLayer)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return LayerRow{}, auth.ErrNotFound
	}
	if err != nil {
		return LayerRow{}, fmt.Errorf("catalogue: layer %s: %w", id, err)
	}
	return out, nil
}

// Layers reads all layers as administrators see them, by id.
func (s *Store) Layers(ctx context.Context, c db.Claims) ([]LayerRow, error) {
	var out []LayerRow
	err := s.pool.Ask(ctx, c, s.queries.Get("layers"), nil, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scanLayer)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("catalogue: layers: %w", err)
	}
	return out, nil
}

func scanLayer(row pgx.CollectableRow) (LayerRow, error) {
	var l LayerRow
	err := row.Scan(&l.Layer, &l.TitleZH, &l.TitleEN, &l.Theme, &l.Own, &l.Visibility, &l.DefaultVisible, &l.Version)
	return l, err
}

// UpdateLayer changes a layer if it is still the version the administrator saw.
// Titles and what is shown at first need [auth.ManageSystem], the visibility
// [auth.ClassifyLayers]. Raising the protection happens at once; lowering it answers
// [ErrNeedsDecision] and changes nothing.
func (s *Store) UpdateLayer(ctx context.Context, by auth.By, id string, version int64, p LayerPatch) (LayerRow, error) {
	need := auth.ManageSystem
	if p.Visibility != nil {
		need = auth.ClassifyLayers
	}
	grant, ok := by.Grant(need, geo.Everywhere(), s.now())
	if !ok || (p.Visibility != nil && (p.TitleZH != nil || p.TitleEN != nil || p.DefaultVisible != nil) && !by.May(auth.ManageSystem, s.now())) {
		return LayerRow{}, auth.ErrForbidden
	}
	if err := p.check(); err != nil {
		return LayerRow{}, err
	}
	var out LayerRow
	err := s.pool.Tx(ctx, by.Writing(grant), func(tx pgx.Tx) error {
		before, err := s.layer(ctx, tx, "layer_for_update", id)
		if err != nil {
			return err
		}
		if before.Version != version {
			return auth.ErrStaleVersion
		}
		if p.Visibility != nil && db.Protection(*p.Visibility) < db.Protection(before.Visibility) {
			return ErrNeedsDecision
		}
		after := before
		set(&after.TitleZH, p.TitleZH)
		set(&after.TitleEN, p.TitleEN)
		set(&after.DefaultVisible, p.DefaultVisible)
		if after != before {
			if _, err := tx.Exec(ctx, s.queries.Get("layer_update"), id, after.TitleZH, after.TitleEN, after.DefaultVisible); err != nil {
				return err
			}
		}
		if p.Visibility != nil && *p.Visibility != before.Visibility {
			if _, err := tx.Exec(ctx, s.queries.Get("layer_visibility"), id, *p.Visibility); err != nil {
				return err
			}
		}
		if out, err = s.layer(ctx, tx, "layer", id); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{
			Doer: by.Doer(grant), Action: "layer.update", Object: "layer/" + id, Outcome: "done", Reason: p.Reason, Before: before.record(), After: out.record(),
		})
	})
	if err != nil {
		return LayerRow{}, fmt.Errorf("catalogue: update layer %s: %w", id, err)
	}
	return out, nil
}

func (s *Store) layer(ctx context.Context, tx pgx.Tx, query, id string) (LayerRow, error) {
	rows, err := tx.Query(ctx, s.queries.Get(query), id)
	if err != nil {
		return LayerRow{}, err
	}
	l, err := pgx.CollectExactlyOneRow(rows, scanLayer)
	if errors.Is(err, pgx.ErrNoRows) {
		return LayerRow{}, auth.ErrNotFound
	}
	return l, err
}

func (l LayerRow) record() map[string]any {
	return map[string]any{"title_zh": l.TitleZH, "title_en": l.TitleEN, "visibility": l.Visibility, "default_visible": l.DefaultVisible}
}

func (p *LayerPatch) check() error {
	var faults []auth.Fault
	add := func(path, code, zh, en string) {
		faults = append(faults, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
	}
	title := func(path string, t *string) {
		if t == nil {
			return
		}
		*t = strings.TrimSpace(*t)
		if n := utf8.RuneCountInString(*t); n < 1 || n > 60 {
			add(path, "length", "名称为 1 至 60 字", "a title has 1 to 60 characters")
		}
	}
	title("title", p.TitleZH)
	title("title_en", p.TitleEN)
	if p.Visibility != nil && db.Protection(*p.Visibility) == 0 {
		add("visibility", "unknown", "可见性为 public、internal 或 sensitive", "it is public, internal or sensitive")
	}
	p.Reason = strings.TrimSpace(p.Reason)
	if n := utf8.RuneCountInString(p.Reason); n > 500 || (p.Visibility != nil && n < 4) {
		add("reason", "length", "请写明原因(4 至 500 字)", "say why, in 4 to 500 characters")
	}
	if len(faults) > 0 {
		return &auth.Invalid{Items: faults}
	}
	return nil
}

func set[T any](into *T, v *T) {
	if v != nil {
		*into = *v
	}
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
