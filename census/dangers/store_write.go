package dangers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

var hashText = regexp.MustCompile(`^[0-9a-f]{64}$`)

// maxEvidence is how many pictures go with one step.
const maxEvidence = 20

func (f *faults) evidence(path string, list []string) {
	if len(list) > maxEvidence {
		f.add(path, "too_many", "一次至多 20 张", "20 pictures at most")
	}
	for _, h := range list {
		if !hashText.MatchString(h) {
			f.add(path, "bad_hash", "应为照片的 SHA-256(64 位十六进制)", "it is the SHA-256 of a picture, 64 hexadecimal digits")
			return
		}
	}
}

// check looks at a report as such, and fills what the office would.
func (s *Service) check(n *NewDanger) error {
	var f faults
	if !records.IsID(n.ID) {
		f.add("id", "bad_id", "应为 UUID", "it is a UUID")
	}
	f.code(s, "kind", "danger_kind", n.Kind)
	if n.Source == "" {
		n.Source = "grid"
	}
	f.code(s, "source", "danger_source", n.Source)
	n.Name = f.text("name", n.Name, 0, 200)
	n.Description = f.text("description", n.Description, 0, 4000)
	n.InterimMeasure = f.text("interim_measure", n.InterimMeasure, 0, 2000)
	f.evidence("evidence", n.Evidence)
	if n.Subject != "" && !records.IsID(n.Subject) {
		f.add("subject", "bad_id", "应为对象编号", "it is the id of an object")
	}
	if n.Geometry == nil && n.Area == "" {
		f.add("geometry", "required", "请标出位置或给出行政区划代码", "a place is needed, or an administrative code")
	}
	if n.Area != "" {
		if _, err := geo.ParseScope(n.Area); err != nil {
			f.add("area", "unknown", "不是行政区划代码", "not an administrative code")
		}
	}
	now := s.now()
	if n.FoundAt.IsZero() {
		n.FoundAt = now
	}
	if n.FoundAt.Year() < 2000 || n.FoundAt.After(now.Add(24*time.Hour)) {
		f.add("found_at", "out_of_range", "发现时间不可信", "the time it was found cannot be")
	}
	if n.Name == "" && len(f) == 0 {
		it, _ := s.catalogue.Now().CodeLists["danger_kind"].Item(n.Kind)
		n.Name = it.Title.ZH
	}
	return f.err()
}

// print is what a report was made from, so that the same one sent again is known.
func (n NewDanger) print() string {
	b, err := json.Marshal(n)
	if err != nil {
		return ""
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// place is the unit a place belongs to.
func (s *Service) place(ctx context.Context, tx pgx.Tx, area string, g orb.Geometry) (code string, scope geo.Scope, err error) {
	err = tx.QueryRow(ctx, s.queries.Get("danger_place"), orNil(area), geo.Shape{Geometry: g}).Scan(&code, &scope)
	return code, scope, err
}

// Create makes a report. Sent again as it was, it answers what became of it (created
// false); another content under the same id, or a foreign one, is a conflict.
func (s *Service) Create(ctx context.Context, by auth.By, n NewDanger) (d Danger, created bool, err error) {
	if !person(by.Identity) {
		return d, false, auth.ErrForbidden
	}
	if !by.May(auth.ReportDangers, s.now()) {
		return d, false, auth.ErrForbidden
	}
	sent := n.print()
	if err := s.check(&n); err != nil {
		return d, false, err
	}
	known := func() (Danger, error) {
		d, err := s.Danger(ctx, by.Identity, n.ID)
		if err != nil || d.ReportedAccount != by.Account {
			return Danger{}, &auth.Conflict{Code: "id_taken", ZH: "编号已被使用", EN: "the id is in use"}
		}
		was := ""
		err = s.db.Query.Ask(ctx, by.Reading(), s.queries.Get("action_created"), []any{n.ID}, func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&was}, func() error { return nil })
			return err
		})
		if err == nil && was != sent {
			err = &auth.Conflict{Code: "id_taken", ZH: "编号已用于另一条记录", EN: "the id was used for another record"}
		}
		return d, err
	}
	if _, err := s.Danger(ctx, by.Identity, n.ID); err == nil {
		d, err := known()
		return d, false, err
	}
	var scope geo.Scope
	err = s.db.Query.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
		n.Area, scope, err = s.place(ctx, tx, n.Area, n.Geometry)
		return err
	})
	if err != nil {
		return d, false, wrap("place", err)
	}
	g, ok := by.Grant(auth.ReportDangers, scope, s.now())
	if !ok {
		return d, false, auth.ErrForbidden
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) (err error) {
		d, err = s.create(ctx, tx, by, g, n, "", map[string]any{"body": sent}, time.Time{}, "")
		return err
	})
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "23505" {
		d, err := known()
		return d, false, err
	}
	return d, err == nil, wrap("create", refusal(Reported, err))
}

// create puts a report into the ledger, and where it was fixed on the spot with pictures
// to show it, into review.
func (s *Service) create(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, n NewDanger, reopens string, fields map[string]any, captured time.Time, opID string) (Danger, error) {
	layer := ""
	if n.Subject != "" {
		err := tx.QueryRow(ctx, s.queries.Get("danger_subject"), n.Subject).Scan(&layer)
		if errors.Is(err, pgx.ErrNoRows) {
			return Danger{}, &auth.Invalid{Items: []auth.Fault{{Path: "subject", Code: "no_such_subject", ZH: "没有这个对象", EN: "there is no such object"}}}
		}
		if err != nil {
			return Danger{}, err
		}
	}
	var dataset, key *string
	if reopens != "" {
		// What continues a record of the demonstration goes with it.
		err := tx.QueryRow(ctx, s.queries.Get("danger_dataset"), reopens).Scan(&dataset)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return Danger{}, err
		}
		if dataset != nil {
			key = &n.ID
		}
	}
	state, action := Reported, "reported"
	if n.Draft {
		state, action = Draft, "created"
	}
	if reopens != "" {
		action = "reopened"
	}
	if _, err := tx.Exec(ctx, s.queries.Get("danger_insert"), n.ID, dataset, key, string(state), n.Kind, n.Name, n.Description, n.Source, n.InterimMeasure, n.FoundAt, n.FixedOnSpot,
		orNil(n.Subject), layer, n.Area, geo.Shape{Geometry: n.Geometry}, orNil(reopens), by.Account, ""); err != nil {
		return Danger{}, err
	}
	d, err := s.read(ctx, tx, by, n.ID)
	if err != nil {
		return Danger{}, err
	}
	if err := s.add(ctx, tx, by, &d, act{action: action, to: state, evidence: n.Evidence, fields: fields, captured: captured, opID: opID}); err != nil {
		return Danger{}, err
	}
	if n.FixedOnSpot && !n.Draft && len(n.Evidence) > 0 {
		st, _ := stepOf(Reported, Reviewing)
		return s.take(ctx, tx, by, g, st, d, Transition{To: Reviewing, Evidence: n.Evidence, CapturedAt: captured, OpID: opID})
	}
	return s.finish(ctx, tx, by, g, action, nil, n.ID, "")
}

// Update changes what a danger says, as far as its state and the asker's part in it let.
func (s *Service) Update(ctx context.Context, by auth.By, id string, version int64, p Patch) (Danger, error) {
	seen, err := s.Danger(ctx, by.Identity, id)
	if err != nil {
		return Danger{}, err
	}
	if seen.State.final() {
		return Danger{}, frozen(seen.State)
	}
	g, ok := s.editor(by.Identity, seen)
	if !ok {
		return Danger{}, auth.ErrForbidden
	}
	var out Danger
	err = s.db.Intake.Tx(ctx, s.claims(by, g, seen.Scope), func(tx pgx.Tx) error {
		d, err := s.locked(ctx, tx, by, id)
		if err != nil {
			return err
		}
		if d.Version != version {
			return auth.ErrStaleVersion
		}
		out, err = s.patch(ctx, tx, by, g, d, p)
		return err
	})
	return out, wrap("update", refusal(seen.State, err))
}

// patch writes a patch on a locked danger.
func (s *Service) patch(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, d Danger, p Patch) (Danger, error) {
	before := d
	if d.State.final() {
		return d, frozen(d.State)
	}
	if err := s.patchWords(ctx, tx, &d, p); err != nil {
		return d, err
	}
	if err := s.patchGrade(&d, p); err != nil {
		return d, err
	}
	if same(before, d) {
		return before, nil // nothing changes, and no version
	}
	if err := s.write(ctx, tx, &d); err != nil {
		return d, err
	}
	if err := s.add(ctx, tx, by, &d, act{action: "edited", from: d.State, to: d.State, fields: changed(before, d)}); err != nil {
		return d, err
	}
	return s.finish(ctx, tx, by, g, "edit", &before, d.ID, "")
}

// patchWords changes what was found, while it is not graded yet.
func (s *Service) patchWords(ctx context.Context, tx pgx.Tx, d *Danger, p Patch) error {
	if p.Name == nil && p.Kind == nil && p.Description == nil && p.Source == nil && p.Subject == nil && p.FoundAt == nil && p.FixedOnSpot == nil && p.Geometry == nil {
		return nil
	}
	if d.State != Draft && d.State != Reported && d.State != Verified {
		return &StateError{State: d.State, Code: "already_graded", ZH: "已定级，查明的内容不能再改", EN: "it is graded: what was found stays"}
	}
	var f faults
	text := func(into *string, v *string, path string, most int) {
		if v != nil {
			*into = f.text(path, *v, 0, most)
		}
	}
	text(&d.Name, p.Name, "name", 200)
	text(&d.Description, p.Description, "description", 4000)
	if p.Kind != nil {
		f.code(s, "kind", "danger_kind", *p.Kind)
		d.Kind = *p.Kind
	}
	if p.Source != nil {
		f.code(s, "source", "danger_source", *p.Source)
		d.Source = *p.Source
	}
	if p.FoundAt != nil {
		if p.FoundAt.Year() < 2000 || p.FoundAt.After(s.now().Add(24*time.Hour)) {
			f.add("found_at", "out_of_range", "发现时间不可信", "the time it was found cannot be")
		}
		d.FoundAt = p.FoundAt
	}
	if p.FixedOnSpot != nil {
		d.FixedOnSpot = *p.FixedOnSpot
	}
	if p.Geometry != nil {
		d.Geometry = p.Geometry
	}
	if p.Subject != nil {
		d.Subject, d.SubjectLayer = *p.Subject, ""
		if d.Subject != "" && records.IsID(d.Subject) {
			if err := tx.QueryRow(ctx, s.queries.Get("danger_subject"), d.Subject).Scan(&d.SubjectLayer); err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
		}
		if d.Subject != "" && d.SubjectLayer == "" {
			f.add("subject", "no_such_subject", "没有这个对象", "there is no such object")
		}
	}
	return f.err()
}

// patchGrade changes the grade, the plan and the interim measure of a graded one.
func (s *Service) patchGrade(d *Danger, p Patch) error {
	var f faults
	if p.InterimMeasure != nil {
		d.InterimMeasure = f.text("interim_measure", *p.InterimMeasure, 0, 2000)
		if d.InterimMeasure == "" && d.State.open() && !d.FixedOnSpot {
			f.add("interim_measure", "required", "未当场整改的须有临时管控措施", "what is not fixed on the spot has an interim measure")
		}
	}
	grading := p.Level != nil || p.GradeBasis != nil || p.ResponsibleUnit != nil || p.DueAt != nil
	if (grading || p.Plan != nil) && d.State != Graded {
		return &StateError{State: d.State, Code: "not_graded", ZH: "只有已定级、未下达的可以改级别、责任单位、期限和方案", EN: "level, unit, deadline and plan change only while it is graded"}
	}
	if grading {
		t := Transition{GradeBasis: d.GradeBasis, ResponsibleUnit: d.ResponsibleUnit, InterimMeasure: d.InterimMeasure, Level: d.Level, DueAt: p.DueAt}
		if p.Level != nil {
			t.Level = *p.Level
		}
		if p.GradeBasis != nil {
			t.GradeBasis = *p.GradeBasis
		}
		if p.ResponsibleUnit != nil {
			t.ResponsibleUnit = *p.ResponsibleUnit
		}
		if t.DueAt == nil && t.Level == d.Level {
			t.DueAt = d.DueAt
		}
		if err := s.grade(d, t, &f); err != nil {
			return err
		}
	}
	if p.Plan != nil {
		d.Plan = f.plan(*p.Plan)
	}
	return f.err()
}

func (f *faults) plan(p Plan) Plan {
	return Plan{
		Responsibility: f.text("plan.responsibility", p.Responsibility, 0, 2000), Measures: f.text("plan.measures", p.Measures, 0, 4000),
		Funds: f.text("plan.funds", p.Funds, 0, 1000), Deadline: f.text("plan.deadline", p.Deadline, 0, 1000), Contingency: f.text("plan.contingency", p.Contingency, 0, 4000),
	}
}

// texts are the fields people write, by name.
func texts(d Danger) map[string]any {
	at := func(t *time.Time) any {
		if t == nil {
			return nil
		}
		return t.UTC().Format(time.RFC3339)
	}
	var shape any
	if d.Geometry != nil {
		b, err := geojson.NewGeometry(d.Geometry).MarshalJSON()
		if err == nil {
			shape = string(bytes.TrimSpace(b))
		}
	}
	return map[string]any{
		"name": d.Name, "kind": d.Kind, "description": d.Description, "source": d.Source, "subject": d.Subject, "found_at": at(d.FoundAt), "fixed_on_spot": d.FixedOnSpot, "geometry": shape,
		"interim_measure": d.InterimMeasure, "level": d.Level, "grade_basis": d.GradeBasis, "responsible_unit": d.ResponsibleUnit, "due_at": at(d.DueAt),
		"plan_responsibility": d.Plan.Responsibility, "plan_measures": d.Plan.Measures, "plan_funds": d.Plan.Funds, "plan_deadline": d.Plan.Deadline, "plan_contingency": d.Plan.Contingency,
	}
}

func same(a, b Danger) bool { return len(changed(a, b)) == 0 }

// changed names what became of which field.
func changed(before, after Danger) map[string]any {
	out := map[string]any{}
	a, b := texts(before), texts(after)
	for name, v := range b {
		if a[name] != v {
			out[name] = v
		}
	}
	return out
}

// Remove withdraws a report nobody has taken up yet.
func (s *Service) Remove(ctx context.Context, by auth.By, id string, version int64) error {
	seen, err := s.Danger(ctx, by.Identity, id)
	if err != nil {
		return err
	}
	g, ok := by.Grant(auth.ReportDangers, seen.Scope, s.now())
	if !ok || !person(by.Identity) || seen.ReportedAccount != by.Account {
		return auth.ErrForbidden
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		d, err := s.locked(ctx, tx, by, id)
		if err != nil {
			return err
		}
		if d.Version != version {
			return auth.ErrStaleVersion
		}
		return s.remove(ctx, tx, by, g, d)
	})
	return wrap("remove", refusal(seen.State, err))
}

func (s *Service) remove(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, d Danger) error {
	if d.State != Draft && d.State != Reported {
		return &StateError{State: d.State, Code: "taken_up", ZH: "已受理的不能撤回", EN: "it was taken up and is not withdrawn"}
	}
	if _, err := tx.Exec(ctx, s.queries.Get("danger_delete"), d.ID); err != nil {
		return err
	}
	return record(ctx, tx, by, g, "delete", &d)
}
