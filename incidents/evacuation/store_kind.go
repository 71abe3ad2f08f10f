package evacuation

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
	"onemap/internal/sync"
)

// Kind is evacuation_entries as phones send them: what a grid worker counts on the spot.
type Kind struct{ *Service }

// Kind gives the service to the sync engine.
func (s *Service) Kind() *Kind { return &Kind{s} }

// Callouts on their way down to the phones of the areas they are for.
type down struct{ *Service }

// Down gives the call-outs to the sync engine.
func (s *Service) Down() sync.Down { return &down{s} }

func title(zh, en string) sync.Words { return sync.Words{Zh: zh, En: en} }

// Dictionary makes the form.
func (k *Kind) Dictionary() sync.Dictionary {
	least, most := -1e6, 1e6
	count := func(name, zh, en string) sync.Field {
		return sync.Field{Name: name, Title: title(zh, en), Type: "integer", Min: &least, Max: &most, Unit: "人"}
	}
	cut := func(name, zh, en string) sync.Field {
		return sync.Field{Name: name, Title: title(zh, en), Type: "boolean"}
	}
	return sync.Dictionary{
		Kind: "evacuation_entries", Title: title("转移进度", "Evacuation"), Geometry: []string{},
		Fields: []sync.Field{
			{Name: "callout", Title: title("叫应", "Call-out"), Type: "id", Required: true},
			{Name: "village", Title: title("村（社区）", "Village"), Type: "text", Required: true, MaxLength: 15},
			{Name: "mode", Title: title("口径", "Mode"), Type: "code", Codes: "evacuation_mode"},
			count("to_move", "应转", "To move"), count("moved", "已转", "Moved"), count("refused", "拒转", "Refused"), count("returned", "擅自返回", "Went back"), count("missing", "失去联系", "Not found"),
			{Name: "shelter", Title: title("安置点", "Shelter"), Type: "id"},
			{Name: "shelter_name", Title: title("其他去处", "Other place"), Type: "text", MaxLength: 200},
			count("persons", "安置人数", "People there"),
			cut("road_cut", "断路", "Road cut"), cut("power_cut", "断电", "Power cut"), cut("network_cut", "断网", "Network cut"),
			{Name: "note", Title: title("备注", "Note"), Type: "text", MaxLength: 2000},
		},
	}
}

func (s *Service) codes(list, code string) bool {
	l, ok := s.catalogue.Now().CodeLists[list]
	if !ok {
		return false
	}
	_, ok = l.Item(code)
	return ok
}

// Load gives an entry that is there already.
func (k *Kind) Load(ctx context.Context, tx pgx.Tx, _ auth.By, id string) (sync.Record, error) {
	return records.Locked(ctx, tx, k.queries.Get("entry_lock"), k.queries.Get("entry_record"), id)
}

// phoneEntry is what the fields of an operation say.
type phoneEntry struct {
	Callout     string `json:"callout"`
	Village     string `json:"village"`
	Mode        string `json:"mode"`
	ToMove      *int   `json:"to_move"`
	Moved       *int   `json:"moved"`
	Refused     *int   `json:"refused"`
	Returned    *int   `json:"returned"`
	Missing     *int   `json:"missing"`
	Shelter     string `json:"shelter"`
	ShelterName string `json:"shelter_name"`
	Persons     *int   `json:"persons"`
	Road        *bool  `json:"road_cut"`
	Power       *bool  `json:"power_cut"`
	Network     *bool  `json:"network_cut"`
	Note        string `json:"note"`
}

// Insert stores what a phone counted. It is written under the sender's grant that touches
// the village: a worker reports of his grid, and of no other village.
func (k *Kind) Insert(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	if err := records.Check(k.Dictionary(), k.codes, w.Fields); err != nil {
		return sync.Record{}, err
	}
	if err := records.Complete(k.Dictionary(), w.Fields); err != nil {
		return sync.Record{}, err
	}
	body, err := json.Marshal(w.Fields)
	if err != nil {
		return sync.Record{}, err
	}
	var f phoneEntry
	if err := json.Unmarshal(body, &f); err != nil {
		return sync.Record{}, records.Reject("bad_fields", "/fields", "内容无效", "the fields are not valid")
	}
	received, at := w.Captured.Received, w.Captured.Effective
	if received.IsZero() {
		received = k.now()
	}
	if at.IsZero() {
		at = received
	}
	e := Entry{ID: w.ID, Callout: f.Callout, Village: f.Village, Mode: f.Mode, Numbers: Numbers{f.ToMove, f.Moved, f.Refused, f.Returned, f.Missing},
		Shelter: f.Shelter, ShelterName: f.ShelterName, Persons: f.Persons, Road: f.Road, Power: f.Power, Network: f.Network, Note: f.Note, At: at, ReceivedAt: received, Channel: "app",
		Account: by.Account, Actor: by.Actor(), Name: by.Name}
	if bad := e.fault(received); bad != nil {
		return sync.Record{}, records.Quarantine(bad.Code, "/fields/"+bad.Path, bad.ZH, bad.EN)
	}
	village, err := geo.ParseScope(f.Village)
	if err != nil {
		return sync.Record{}, records.Quarantine("not_a_code", "/fields/village", "不是村（社区）编码", "it is not the code of a village")
	}
	scope, ok := k.under(by, w.Grant, village)
	if !ok {
		return sync.Record{}, records.Outside()
	}
	if scope.grant.ID != w.Grant.ID {
		if err := db.Reclaim(ctx, tx, by.Writing(scope.grant)); err != nil {
			return sync.Record{}, err
		}
	}
	var name string
	err = tx.QueryRow(ctx, k.queries.Get("village"), f.Callout, f.Village).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return sync.Record{}, records.Quarantine("no_such_callout", "/fields/callout", "此村不在这次叫应中", "the village is not in this call-out")
	}
	if err != nil {
		return sync.Record{}, err
	}
	if known, err := k.shelter(ctx, tx, f.Shelter); err != nil || !known {
		if err == nil {
			err = records.Quarantine("no_such_shelter", "/fields/shelter", "没有这个避难场所", "there is no such shelter")
		}
		return sync.Record{}, err
	}
	var position geo.Shape
	if p := w.Captured.Position; p != nil && geo.Check(*p) == nil {
		position.Geometry = *p
	}
	n, err := records.Attempt(ctx, tx, k.queries.Get("insert_entry"), e.args(position, scope.area, clip(w.Captured.Device, 200))...)
	if err == nil && n == 0 {
		err = records.Reject("id_taken", "/id", "编号已被使用", "the id is in use")
	}
	if err != nil {
		return sync.Record{}, err
	}
	return records.One(ctx, tx, k.queries.Get("entry_record"), w.ID)
}

type reach struct {
	grant auth.Grant
	area  geo.Scope
}

// under is the grant an entry is written under and the area it is from: the worker's own
// grid in the village, or the village where his area is larger.
func (k *Kind) under(by auth.By, given auth.Grant, village geo.Scope) (reach, bool) {
	try := []auth.Grant{given}
	if by.Identity != nil {
		try = append(try, by.Grants...)
	}
	for _, g := range try {
		if g.ID == "" || !g.Valid(k.now()) || !counts(g) {
			continue
		}
		switch s := g.Scope(); {
		case village.Contains(s):
			return reach{g, s}, true
		case s.Contains(village):
			return reach{g, village}, true
		}
	}
	return reach{}, false
}

// Update changes nothing: what was reported was reported.
func (k *Kind) Update(context.Context, pgx.Tx, auth.By, sync.Write) (sync.Record, error) {
	return sync.Record{}, records.Reject("fixed", "/fields", "已报的数字不能修改，请另报一条更正", "what was reported does not change; report a correction")
}

// Delete is nobody's.
func (k *Kind) Delete(context.Context, pgx.Tx, auth.By, sync.Write) error {
	return records.Reject("not_deletable", "/op", "已报的数字不能删除，请另报一条更正", "what was reported is not deleted; report a correction")
}

// Transition is nobody's: an entry has no states.
func (k *Kind) Transition(context.Context, pgx.Tx, auth.By, string, sync.Write) (sync.Record, error) {
	return sync.Record{}, records.Reject("no_transition", "/to", "此类记录没有状态", "this kind has no states")
}

// Dictionary tells a phone what a call-out consists of; nothing of it is its to write.
func (d *down) Dictionary() sync.Dictionary {
	f := func(name, zh, en, kind string) sync.Field {
		return sync.Field{Name: name, Title: title(zh, en), Type: kind, ReadOnly: true}
	}
	return sync.Dictionary{Kind: "callouts", Title: title("叫应", "Call-out"), Geometry: []string{"Polygon", "MultiPolygon", "Point", "LineString"}, Fields: []sync.Field{
		f("kind", "类型", "Kind", "text"), f("title", "标题", "Title", "text"), f("level", "等级", "Level", "integer"), f("exercise", "演练", "Exercise", "boolean"),
		f("started_at", "开始时间", "Started", "datetime"), f("ended_at", "结束时间", "Ended", "datetime"), f("end_reason", "结束原因", "Why it ended", "text"), f("villages", "村（社区）", "Villages", "text"),
	}}
}

// counts says whether people are counted under a grant: by who walks the grid, and the desk.
func counts(g auth.Grant) bool { return g.Role == auth.GridWorker || g.Role.May(auth.WorkDesk) }

// working are the areas somebody works in.
func working(who *auth.Identity, now time.Time) geo.Scopes {
	var out geo.Scopes
	if !person(who) {
		return nil
	}
	for _, g := range who.Grants {
		if g.Valid(now) && counts(g) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}

// Changed gives those of the call-outs that are for the asker's areas.
func (d *down) Changed(ctx context.Context, who auth.By, ids []string) ([]sync.Record, error) {
	return d.list(ctx, who, ids, "", len(ids))
}

// All gives the call-outs of the asker's areas that are on, or were until lately.
func (d *down) All(ctx context.Context, who auth.By, _ geo.Scope, after string, limit int) ([]sync.Record, error) {
	return d.list(ctx, who, nil, after, limit)
}

func (d *down) list(ctx context.Context, who auth.By, ids []string, after string, limit int) ([]sync.Record, error) {
	areas := working(who.Identity, d.now())
	if len(areas) == 0 {
		return nil, nil
	}
	var out []sync.Record
	err := d.db.Intake.Ask(ctx, who.Reading(), d.queries.Get("callouts_down"), []any{areas.String(), ids, null(after), limit}, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, records.Scan)
		return err
	})
	return out, wrap("down", err)
}

// Former gives those for the asker's areas, which never change.
func (d *down) Former(ctx context.Context, who auth.By, ids []string) ([]string, error) {
	areas := working(who.Identity, d.now())
	if len(areas) == 0 {
		return nil, nil
	}
	var out []string
	err := d.db.Intake.Ask(ctx, db.System("onemap"), d.queries.Get("callouts_former"), []any{ids, areas.String()}, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return out, wrap("down", err)
}

var (
	_ sync.Kind   = (*Kind)(nil)
	_ sync.Down   = (*down)(nil)
	_ sync.Former = (*down)(nil)
)
