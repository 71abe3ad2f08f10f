package zoning

import (
	"context"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/registry"
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

func set[T any](into *T, v *T) {
	if v != nil {
		*into = *v
	}
}

// words is what the audit shows of a plan.
func (p *Plan) words() map[string]any {
	return map[string]any{"title": p.Title, "note": p.Note, "responsible": p.Responsible, "ladder": p.Ladder, "unit": p.Unit, "state": p.State, "version_no": p.VersionNo}
}

// schemes is the code list of the ladders plans are graded by.
const schemes = "zone_scheme"

// checkLadder says whether a plan of its kind may be graded by its ladder: those that are
// offered for zoning, 防治区划 by its own and 风险区划 by the others.
func (s *Service) checkLadder(p *Plan, f *faults) {
	snap := s.catalogue.Now()
	l, ok := snap.CodeLists[p.Ladder]
	if !ok || !l.Ladder {
		f.add("ladder", "unknown", "没有这种等级方案", "there is no such ladder of levels")
		return
	}
	offered := true
	if list, ok := snap.CodeLists[schemes]; ok {
		_, offered = list.Item(p.Ladder)
	}
	if !offered || (p.Ladder == usualLadder(Prevention)) != (p.Kind == Prevention) {
		f.add("ladder", "not_of_this_kind", "这种等级方案不用于此类区划", "plans of this kind are not graded by this ladder")
	}
}

// onLadder says whether a ladder has a level; 0 is none.
func (s *Service) onLadder(ladder string, level int) bool {
	l, ok := s.catalogue.Now().CodeLists[ladder]
	return ok && slices.ContainsFunc(l.Items, func(it registry.CodeItem) bool { return it.Level == level })
}

// checkWords looks at what a person may choose.
func (s *Service) checkWords(p *Plan) error {
	var f faults
	p.Title = f.text("title", p.Title, 2, 100)
	if strings.ContainsFunc(p.Title, unicode.IsControl) {
		f.add("title", "not_text", "不能含有换行等控制字符", "it has a line break or another control character")
	}
	p.Note = f.text("note", p.Note, 0, 2000)
	p.Responsible = f.text("responsible", p.Responsible, 0, 100)
	if p.Ladder == "" {
		p.Ladder = usualLadder(p.Kind)
	}
	s.checkLadder(p, &f)
	if p.Unit == "" {
		p.Unit = UnitFree
	}
	if !slices.Contains([]string{UnitFree, UnitVillage, UnitTownship, UnitKm, UnitSeconds}, p.Unit) {
		f.add("unit", "unknown", "没有这种区划单元", "there is no such unit")
	}
	return f.err()
}
