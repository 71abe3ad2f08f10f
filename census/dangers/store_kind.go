package dangers

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
	"onemap/internal/sync"
)

// Kind is the kind "dangers" of the sync engine: what a phone reports of hidden dangers and
// is sent of them.
type Kind struct{ s *Service }

var (
	_ sync.Kind = Kind{}
	_ sync.Down = Kind{}
)

// Kind gives the kind of the engine.
func (s *Service) Kind() Kind { return Kind{s} }

// Dictionary says what the phone's form of a danger consists of.
func (Kind) Dictionary() sync.Dictionary {
	w := func(zh, en string) sync.Words { return sync.Words{Zh: zh, En: en} }
	d := sync.Dictionary{
		Kind: "dangers", Title: w("隐患", "Hidden danger"), Geometry: []string{"Point", "LineString", "Polygon"}, Deletable: true, Near: 30,
		Fields: []sync.Field{
			{Name: "kind", Title: w("类别", "Kind"), Type: "code", Codes: "danger_kind", Required: true},
			{Name: "name", Title: w("名称", "Name"), Type: "text", MaxLength: 200},
			{Name: "description", Title: w("情况", "What is wrong"), Type: "text", MaxLength: 4000, Templates: []sync.Words{
				w("疏散通道、消防车通道被占用", "Escape route or fire lane blocked"), w("屋后边坡出现裂缝", "Cracks in the slope behind a house"), w("堤脚渗水", "Seepage at the foot of a dike"),
				w("电线老化、私拉乱接", "Old or makeshift wiring"), w("液化气瓶超期未检", "Gas cylinder past its inspection"), w("临水临崖缺少护栏", "No guard rail at water or a cliff"),
			}},
			{Name: "fixed_on_spot", Title: w("已当场整改", "Fixed on the spot"), Type: "boolean"},
			{Name: "interim_measure", Title: w("临时管控措施", "Interim measure"), Type: "text", MaxLength: 2000, Templates: []sync.Words{
				w("设警示标志，专人巡查", "Warning signs, patrolled"), w("拉警戒线，暂停使用", "Cordoned off, not used"), w("人员暂时撤离", "People moved out for now"),
			}},
			{Name: "source", Title: w("来源", "Source"), Type: "code", Codes: "danger_source"},
			{Name: "found_at", Title: w("发现时间", "Found at"), Type: "datetime"},
			{Name: "subject", Title: w("所在对象", "Found at which object"), Type: "id"},
			{Name: "level", Title: w("级别", "Level"), Type: "code", Codes: "danger_2", ReadOnly: true},
			{Name: "responsible_unit", Title: w("责任单位", "Responsible unit"), Type: "text", ReadOnly: true},
			{Name: "number", Title: w("编号", "Number"), Type: "text", ReadOnly: true},
			{Name: "due_at", Title: w("整改期限", "Due at"), Type: "datetime", ReadOnly: true},
		},
	}
	for _, st := range LifeSteps() {
		for _, from := range st.From {
			t := sync.Transition{From: string(from), To: string(st.To), Title: w(st.Title.ZH, st.Title.EN)}
			if st.Note {
				t.Needs = append(t.Needs, "note")
			}
			if st.Evidence {
				t.Needs = append(t.Needs, "evidence")
			}
			if st.Action == "grade" || st.Action == "regrade" {
				t.Needs = append(t.Needs, "level", "responsible_unit", "interim_measure")
			}
			d.Transitions = append(d.Transitions, t)
		}
	}
	return d
}

// asRecord is a danger as the engine knows records.
func asRecord(d Danger) sync.Record {
	r := sync.Record{ID: d.ID, Version: d.Version, State: string(d.State), Geometry: d.Geometry, Scope: d.Scope, By: d.UpdatedBy, At: d.UpdatedAt, Fields: map[string]json.RawMessage{}}
	put := func(name string, v any) {
		b, err := json.Marshal(v)
		if err == nil {
			r.Fields[name] = b
		}
	}
	for name, v := range map[string]string{"kind": d.Kind, "name": d.Name, "description": d.Description, "interim_measure": d.InterimMeasure, "source": d.Source, "subject": d.Subject, "responsible_unit": d.ResponsibleUnit, "number": d.Number} {
		if v != "" {
			put(name, v)
		}
	}
	put("fixed_on_spot", d.FixedOnSpot)
	if d.Level > 0 {
		put("level", string(rune('0'+d.Level)))
	}
	for name, t := range map[string]*time.Time{"found_at": d.FoundAt, "due_at": d.DueAt} {
		if t != nil {
			put(name, t.UTC().Format(time.RFC3339))
		}
	}
	return r
}

// attempt does the work of one operation under a savepoint: what the package or the
// database refuses is a word against the operation, and its transaction goes on.
func (k Kind) attempt(ctx context.Context, tx pgx.Tx, state State, fn func(pgx.Tx) (Danger, error)) (sync.Record, error) {
	inner, err := tx.Begin(ctx)
	if err != nil {
		return sync.Record{}, err
	}
	d, err := fn(inner)
	if err == nil {
		return asRecord(d), inner.Commit(ctx)
	}
	if undo := inner.Rollback(ctx); undo != nil {
		return sync.Record{}, errors.Join(err, undo)
	}
	return sync.Record{}, refused(state, err)
}

// refused gives an error of the package the engine's verdict.
func refused(state State, err error) error {
	err = refusal(state, err)
	var own *sync.Refusal
	var st *StateError
	var bad *auth.Invalid
	var conflict *auth.Conflict
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &st):
		if st.Code == "cannot_follow" && !st.State.final() {
			return records.Quarantine(st.Code, "/to", st.ZH, st.EN)
		}
		return records.Reject(st.Code, "", st.ZH, st.EN)
	case errors.As(err, &bad) && len(bad.Items) > 0:
		f := bad.Items[0]
		return records.Quarantine(f.Code, "/fields/"+f.Path, f.ZH, f.EN)
	case errors.As(err, &conflict):
		return records.Reject(conflict.Code, "/id", conflict.ZH, conflict.EN)
	case errors.Is(err, auth.ErrForbidden):
		return records.Quarantine("not_allowed", "", "您的权限不允许此操作", "your rights do not allow this")
	case errors.Is(err, auth.ErrNotFound):
		return sync.ErrAbsent
	case errors.As(err, &pg):
		switch {
		case pg.Code == "23505":
			return records.Reject("id_taken", "/id", "编号已被使用", "the id is in use")
		case strings.HasPrefix(pg.Code, "22"), strings.HasPrefix(pg.Code, "23"):
			return records.Quarantine("not_storable", "", "内容不能入库", "the content cannot be stored")
		}
	}
	return err
}

func (k Kind) codes(list, code string) bool {
	l, ok := k.s.catalogue.Now().CodeLists[list]
	if ok {
		_, ok = l.Item(code)
	}
	return ok
}

// fields checks what was sent against the dictionary. What only the office writes is
// refused.
func (k Kind) fields(sent map[string]json.RawMessage) error {
	d := k.Dictionary()
	if err := records.Check(d, k.codes, sent); err != nil {
		return err
	}
	for _, f := range d.Fields {
		if _, given := sent[f.Name]; given && f.ReadOnly {
			return records.Quarantine("read_only", "/fields/"+f.Name, "此项由县里填写", "the office writes this")
		}
	}
	return nil
}

func evidence(w sync.Write) []string {
	var out []string
	for _, h := range w.Captured.Evidence {
		if hashText.MatchString(h) && len(out) < maxEvidence && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// Load gives the danger as it is, held where the asker may write it.
func (k Kind) Load(ctx context.Context, tx pgx.Tx, by auth.By, id string) (sync.Record, error) {
	if !records.IsID(id) {
		return sync.Record{}, sync.ErrAbsent
	}
	d, err := k.s.locked(ctx, tx, by, id)
	if errors.Is(err, auth.ErrNotFound) {
		return sync.Record{}, sync.ErrAbsent
	}
	return asRecord(d), err
}

func truth(v json.RawMessage) bool { return strings.TrimSpace(string(v)) == "true" }

func moment(v json.RawMessage) time.Time {
	t, err := time.Parse(time.RFC3339, records.Text(v))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Insert makes a report.
func (k Kind) Insert(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	if err := k.fields(w.Fields); err != nil {
		return sync.Record{}, err
	}
	if err := records.Complete(k.Dictionary(), w.Fields); err != nil {
		return sync.Record{}, err
	}
	text := func(name string) string { return records.Text(w.Fields[name]) }
	return k.attempt(ctx, tx, Reported, func(tx pgx.Tx) (Danger, error) {
		n := NewDanger{
			ID: w.ID, Kind: text("kind"), Name: text("name"), Description: text("description"), Source: text("source"), InterimMeasure: text("interim_measure"), Subject: text("subject"),
			FixedOnSpot: truth(w.Fields["fixed_on_spot"]), FoundAt: moment(w.Fields["found_at"]), Geometry: w.Geometry, Evidence: evidence(w),
		}
		if n.FoundAt.IsZero() {
			n.FoundAt = w.Captured.Effective
		}
		if n.Geometry == nil && w.Captured.Position != nil {
			n.Geometry = *w.Captured.Position
		}
		if n.Geometry == nil {
			n.Area = w.Grant.Area // where he stands for; the desk moves it
		}
		if err := k.s.check(&n); err != nil {
			return Danger{}, err
		}
		var scope geo.Scope
		var err error
		if n.Area, scope, err = k.s.place(ctx, tx, n.Area, n.Geometry); err != nil {
			return Danger{}, err
		}
		if !w.Grant.Role.May(auth.ReportDangers) || !person(by.Identity) {
			return Danger{}, auth.ErrForbidden
		}
		if !w.Grant.Scope().Contains(scope) {
			return Danger{}, records.Outside()
		}
		return k.s.create(ctx, tx, by, w.Grant, n, "", map[string]any{"op": w.OpID}, w.Captured.Effective, w.OpID)
	})
}

// Update changes a report of one's own that nobody has taken up, or, for the office, one
// that is not graded.
func (k Kind) Update(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	if err := k.fields(w.Fields); err != nil {
		return sync.Record{}, err
	}
	d, err := k.s.locked(ctx, tx, by, w.ID)
	if err != nil {
		return sync.Record{}, refused("", err)
	}
	return k.attempt(ctx, tx, d.State, func(tx pgx.Tx) (Danger, error) {
		if d.State.final() {
			return Danger{}, frozen(d.State)
		}
		handles := w.Grant.Role.May(auth.HandleDangers) && w.Grant.Scope().Contains(d.Scope)
		own := w.Grant.Role.May(auth.ReportDangers) && d.ReportedAccount == by.Account && (d.State == Draft || d.State == Reported)
		if !handles && !own {
			return Danger{}, records.Quarantine("taken_up", "", "县里已受理，由值班员决定是否采用", "it was taken up: the office decides")
		}
		var p Patch
		p.Geometry = w.Geometry
		for name, into := range map[string]**string{"name": &p.Name, "kind": &p.Kind, "description": &p.Description, "source": &p.Source, "subject": &p.Subject, "interim_measure": &p.InterimMeasure} {
			if v, given := w.Fields[name]; given {
				t := records.Text(v)
				*into = &t
			}
		}
		if v, given := w.Fields["fixed_on_spot"]; given {
			b := truth(v)
			p.FixedOnSpot = &b
		}
		if v, given := w.Fields["found_at"]; given && !records.Null(v) {
			t := moment(v)
			p.FoundAt = &t
		}
		return k.s.patch(ctx, tx, by, w.Grant, d, p)
	})
}

// Delete withdraws a report of one's own that nobody has taken up.
func (k Kind) Delete(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) error {
	d, err := k.s.locked(ctx, tx, by, w.ID)
	if err != nil {
		return refused("", err)
	}
	_, err = k.attempt(ctx, tx, d.State, func(tx pgx.Tx) (Danger, error) {
		if d.ReportedAccount != by.Account {
			return Danger{}, auth.ErrForbidden
		}
		return d, k.s.remove(ctx, tx, by, w.Grant, d)
	})
	return err
}

// Transition takes a step.
func (k Kind) Transition(ctx context.Context, tx pgx.Tx, by auth.By, to string, w sync.Write) (sync.Record, error) {
	d, err := k.s.locked(ctx, tx, by, w.ID)
	if err != nil {
		return sync.Record{}, refused("", err)
	}
	st, ok := stepOf(d.State, State(to))
	if !ok {
		switch {
		case d.State.final():
			return sync.Record{}, refused(d.State, frozen(d.State))
		case !slices.ContainsFunc(LifeSteps(), func(st Step) bool { return st.To == State(to) }):
			return sync.Record{}, records.Reject("no_such_state", "/to", "没有这个状态", "there is no such state")
		}
		return sync.Record{}, refused(d.State, cannotFollow(d.State))
	}
	return k.attempt(ctx, tx, d.State, func(tx pgx.Tx) (Danger, error) {
		if !slices.ContainsFunc(st.Needs, w.Grant.Role.May) || !w.Grant.Scope().Contains(d.Scope) {
			return Danger{}, auth.ErrForbidden
		}
		if _, err := k.s.permit(by.Identity, st, d); err != nil {
			return Danger{}, err
		}
		t := Transition{To: State(to), Note: w.Note, Evidence: evidence(w), CapturedAt: w.Captured.Effective, OpID: w.OpID}
		for name, v := range w.Fields {
			switch name {
			case "note":
				t.Note = records.Text(v)
			case "rectifier":
				t.Rectifier = records.Text(v)
			case "level":
				t.Level = map[string]int{"1": Serious, "2": Ordinary}[strings.Trim(string(v), `" `)]
			case "grade_basis":
				t.GradeBasis = records.Text(v)
			case "responsible_unit":
				t.ResponsibleUnit = records.Text(v)
			case "interim_measure":
				t.InterimMeasure = records.Text(v)
			case "due_at":
				if due := moment(v); !due.IsZero() {
					t.DueAt = &due
				}
			default:
				return Danger{}, records.Quarantine("unknown_field", "/fields/"+name, "没有这个字段", "there is no such field")
			}
		}
		return k.s.take(ctx, tx, by, w.Grant, st, d, t)
	})
}

// Changed gives those of the dangers that somebody sees now.
func (k Kind) Changed(ctx context.Context, who auth.By, ids []string) ([]sync.Record, error) {
	known := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !records.IsID(id) })
	if len(known) == 0 || who.Identity == nil {
		return nil, nil
	}
	var out []sync.Record
	err := k.s.db.Query.Ask(ctx, who.Reading(), k.s.queries.Get("dangers"), k.s.args(args{unit: k.s.isUnit(who.Identity), me: me(who.Identity), limit: len(known), ids: known}), func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanDanger)
		for _, d := range list {
			out = append(out, asRecord(d))
		}
		return err
	})
	return out, wrap("changed", err)
}

// All gives the dangers of an area, by id; what was closed or rejected long ago stays here.
func (k Kind) All(ctx context.Context, who auth.By, area geo.Scope, after string, limit int) ([]sync.Record, error) {
	if after == "" {
		after = "00000000-0000-0000-0000-000000000000"
	}
	if !records.IsID(after) || who.Identity == nil {
		return nil, auth.ErrNotFound
	}
	var within any
	if !area.IsNull() {
		within = area
	}
	var ids []string
	err := k.s.db.Query.Ask(ctx, who.Reading(), k.s.queries.Get("danger_after"), []any{k.s.isUnit(who.Identity), within, after, limit}, func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil || len(ids) == 0 {
		return nil, wrap("all", err)
	}
	out, err := k.Changed(ctx, who, ids)
	slices.SortFunc(out, func(a, b sync.Record) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

// Former gives those somebody could see once: nobody is told that another's draft changed
// or is gone.
func (k Kind) Former(ctx context.Context, who auth.By, ids []string) ([]string, error) {
	known := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !records.IsID(id) })
	if len(known) == 0 || who.Identity == nil {
		return nil, nil
	}
	var out []string
	err := k.s.db.Query.Ask(ctx, who.Reading(), k.s.queries.Get("danger_former"), []any{known}, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return out, wrap("former", err)
}

var _ sync.Former = Kind{}
