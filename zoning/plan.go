package zoning

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// PlanQuery says which plans. Zero fields ask nothing.
type PlanQuery struct {
	Series string
	State  State
	Hazard string
	Kind   string
	Area   string // administrative code: plans that touch it
	Text   string // part of the title or the document number
	Limit  int    // default 100, at most 1000
	Cursor string
}

// PlanPage is some plans, newest first.
type PlanPage struct {
	Plans []Plan
	Next  string
}

// PlanPatch names what changes; nil leaves as it is.
type PlanPatch struct{ Title, Note, Responsible, Ladder, Unit *string }

// ZoneSet is the zones of a version, whole or in a box.
type ZoneSet struct {
	Plan     Plan
	Zones    []Zone
	Area     coverage.Shape
	Position string // of the feed: what is shown contains everything up to it
}

var uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// usualLadder is the ladder of a kind where the plan names none; the catalogue says the
// same of the layer.
func usualLadder(kind string) string {
	if kind == Prevention {
		return "prevention_3"
	}
	return "risk_5"
}

// faults collects what is wrong with an input.
type faults []auth.Fault

func (f *faults) add(path, code, zh, en string) {
	*f = append(*f, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
}

// text trims and bounds what somebody wrote.
func (f *faults) text(path, s string, least, most int) string {
	s = strings.TrimSpace(s)
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		f.add(path, "not_text", "含有无效字符", "it is not text")
	case n == 0 && least > 0:
		f.add(path, "required", "请填写", "it is needed")
	case n < least || n > most:
		f.add(path, "length", "过短或过长", "too short or too long")
	}
	return s
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}

// Plans lists the plans the asker may see.
func (s *Service) Plans(ctx context.Context, who *auth.Identity, q PlanQuery) (PlanPage, error) {
	f, limit, err := s.planFilter(q)
	if err != nil {
		return PlanPage{}, err
	}
	var page PlanPage
	err = s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("plans"), s.planArgs(s.asking(who, f)), func(rows pgx.Rows) error {
		page.Plans, err = pgx.CollectRows(rows, scanPlan)
		return err
	})
	if err != nil {
		return PlanPage{}, wrap("plans", err)
	}
	if len(page.Plans) > limit {
		page.Plans = page.Plans[:limit]
		last := page.Plans[limit-1]
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(last.CreatedAt.UTC().Format(time.RFC3339Nano) + " " + last.ID))
	}
	return page, nil
}

func (s *Service) planFilter(q PlanQuery) (planFilter, int, error) {
	var bad faults
	limit := 100
	if q.Limit > 0 {
		limit = min(q.Limit, 1000)
	}
	f := planFilter{state: string(q.State), hazard: q.Hazard, kind: q.Kind, limit: limit + 1}
	if q.Series != "" {
		if !uuidText.MatchString(q.Series) {
			bad.add("series", "unknown", "不是系列标识", "not the id of a series")
		}
		f.series = &q.Series
	}
	if q.Area != "" {
		scope, err := geo.ParseScope(q.Area)
		if err != nil {
			bad.add("area", "unknown", "不是行政区划代码", "not an administrative code")
		}
		f.area = &scope
	}
	if q.Text = bad.text("q", q.Text, 0, 200); q.Text != "" {
		f.text = "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(q.Text) + "%"
	}
	for path, v := range map[string]string{"hazard": q.Hazard, "kind": q.Kind, "state": string(q.State)} {
		bad.text(path, v, 0, 100)
	}
	if q.Cursor != "" {
		raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
		at, id, ok := strings.Cut(string(raw), " ")
		t, terr := time.Parse(time.RFC3339Nano, at)
		if err != nil || !ok || terr != nil || !uuidText.MatchString(id) {
			bad.add("cursor", "bad_cursor", "翻页标记无效", "not a cursor of ours")
		}
		f.after, f.afterID = &t, &id
	}
	return f, limit, bad.err()
}

// Plan is one version. [auth.ErrNotFound] where there is none, or none he may see.
func (s *Service) Plan(ctx context.Context, who *auth.Identity, id string) (Plan, error) {
	if !uuidText.MatchString(id) {
		return Plan{}, auth.ErrNotFound
	}
	var p Plan
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("plans"), s.planArgs(s.asking(who, planFilter{id: &id, limit: 1})), func(rows pgx.Rows) error {
		var err error
		p, err = pgx.CollectExactlyOneRow(rows, scanPlan)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Plan{}, auth.ErrNotFound
	}
	return p, wrap("plan", err)
}

// visible says whether the asker may know of the plan; it says what the query plans does.
func (s *Service) visible(who *auth.Identity, p Plan) bool {
	if who == nil || !who.Reach.Of(s.visibility()).Overlaps(p.Scope) {
		return false
	}
	switch p.State {
	case Published, Superseded:
		return true
	case Withdrawn:
		if p.EffectiveFrom != nil {
			return true
		}
	case Consultation, ExpertReview, Submitted, InReview, Approved:
		if person(who) && who.Reach.Of("internal").Overlaps(p.Scope) {
			return true
		}
	}
	if !person(who) {
		return false
	}
	_, draws := who.Grant(auth.EditPlans, p.Scope, s.now())
	_, reviews := who.Grant(auth.ReviewPlans, p.Scope, s.now())
	return draws || reviews
}

// permitted is the grant under which somebody does something to a plan. Whoever may not
// see it gets [auth.ErrNotFound], whoever may not do it [auth.ErrForbidden].
func (s *Service) permitted(by auth.By, need auth.Permission, p Plan) (auth.Grant, error) {
	if by.Identity == nil || !s.visible(by.Identity, p) {
		return auth.Grant{}, auth.ErrNotFound
	}
	if !person(by.Identity) {
		return auth.Grant{}, auth.ErrForbidden
	}
	g, ok := by.Grant(need, p.Scope, s.now())
	if !ok {
		return auth.Grant{}, auth.ErrForbidden
	}
	return g, nil
}

// drafter is the grant under which the asker draws on the plan: [Service.permitted], and
// where the state does not allow it a [StateError] not_editable.
func (s *Service) drafter(by auth.By, p Plan) (auth.Grant, error) {
	g, err := s.permitted(by, auth.EditPlans, p)
	if err == nil && !p.Editable() {
		err = notEditable(p.State)
	}
	return g, err
}

// known is a plan somebody is about to change: read under what he reads.
func (s *Service) known(ctx context.Context, by auth.By, id string) (Plan, error) {
	if by.Identity == nil {
		return Plan{}, auth.ErrForbidden
	}
	return s.Plan(ctx, by.Identity, id)
}

// Update changes what a draft is called.
func (s *Service) Update(ctx context.Context, by auth.By, id string, version int64, patch PlanPatch) (Plan, error) {
	seen, err := s.known(ctx, by, id)
	if err != nil {
		return Plan{}, err
	}
	g, err := s.drafter(by, seen)
	if err != nil {
		return Plan{}, err
	}
	var out Plan
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		before, err := s.plan(ctx, tx, id, true)
		if err != nil {
			return err
		}
		if before.Version != version {
			return auth.ErrStaleVersion
		}
		if !before.Editable() {
			return notEditable(before.State)
		}
		after := before
		set(&after.Title, patch.Title)
		set(&after.Note, patch.Note)
		set(&after.Responsible, patch.Responsible)
		set(&after.Ladder, patch.Ladder)
		set(&after.Unit, patch.Unit)
		if err := s.checkWords(&after); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("plan_update"), id, after.Title, after.Note, after.Responsible, after.Ladder, after.Unit); err != nil {
			return err
		}
		if out, err = s.plan(ctx, tx, id, false); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, "plan.update", out, "", before.words(), out.words())
	})
	return out, wrap("update plan", refusal(seen, err))
}

func set[T any](into *T, v *T) {
	if v != nil {
		*into = *v
	}
}

// words is what the audit shows of a plan.
func (p *Plan) words() map[string]any {
	return map[string]any{"title": p.Title, "note": p.Note, "responsible": p.Responsible, "ladder": p.Ladder, "unit": p.Unit, "state": p.State, "version_no": p.VersionNo}
}

// checkWords looks at what a person may choose.
func (s *Service) checkWords(p *Plan) error {
	var f faults
	p.Title = f.text("title", p.Title, 2, 100)
	p.Note = f.text("note", p.Note, 0, 2000)
	p.Responsible = f.text("responsible", p.Responsible, 0, 100)
	if p.Ladder == "" {
		p.Ladder = usualLadder(p.Kind)
	}
	if l, ok := s.catalogue.Now().CodeLists[p.Ladder]; !ok || !l.Ladder {
		f.add("ladder", "unknown", "没有这种等级方案", "there is no such ladder of levels")
	}
	if p.Unit == "" {
		p.Unit = UnitFree
	}
	if !slices.Contains([]string{UnitFree, UnitVillage, UnitTownship, UnitKm, UnitSeconds}, p.Unit) {
		f.add("unit", "unknown", "没有这种区划单元", "there is no such unit")
	}
	return f.err()
}

// Remove throws a draft away that was never submitted.
func (s *Service) Remove(ctx context.Context, by auth.By, id string, version int64) error {
	seen, err := s.known(ctx, by, id)
	if err != nil {
		return err
	}
	g, err := s.drafter(by, seen)
	if err != nil {
		return err
	}
	err = s.db.Bulk.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		p, err := s.plan(ctx, tx, id, true)
		switch {
		case err != nil:
			return err
		case p.Version != version:
			return auth.ErrStaleVersion
		case p.State != Draft || p.SubmittedAt != nil:
			return &StateError{State: p.State, Code: "cannot_follow", ZH: "已报审过的版本只能撤回,不能删除", EN: "a version that was submitted is withdrawn, not deleted"}
		}
		for _, q := range []string{"plan_zones_remove", "plan_remove"} {
			if _, err := tx.Exec(ctx, s.queries.Get(q), id); err != nil {
				return err
			}
		}
		return s.record(ctx, tx, by, g, "plan.delete", p, "", p.words(), nil)
	})
	return wrap("remove plan", refusal(seen, err))
}

// Zones are the zones of a version, those that touch the box where one is given.
func (s *Service) Zones(ctx context.Context, who *auth.Identity, id string, box *orb.Bound) (ZoneSet, error) {
	var out ZoneSet
	var err error
	if out.Plan, err = s.Plan(ctx, who, id); err != nil {
		return ZoneSet{}, err
	}
	err = s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("plan_horizon")).Scan(&out.Position); err != nil {
			return err
		}
		if out.Zones, err = s.zones(ctx, tx, id, box, nil); err != nil {
			return err
		}
		out.Area, err = s.area(ctx, tx, id)
		return err
	})
	return out, wrap("zones", err)
}

// Zone is one zone of a version.
func (s *Service) Zone(ctx context.Context, who *auth.Identity, id, zone string) (Zone, error) {
	if !uuidText.MatchString(zone) {
		return Zone{}, auth.ErrNotFound
	}
	if _, err := s.Plan(ctx, who, id); err != nil {
		return Zone{}, err
	}
	var out Zone
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("plan_zones"), zoneArgs(id, nil, []string{zone}), func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectExactlyOneRow(rows, scanZone(id))
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Zone{}, auth.ErrNotFound
	}
	return out, wrap("zone", err)
}
