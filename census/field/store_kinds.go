package field

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
	"onemap/internal/sync"
)

// load reads one record of a table, locked where the asker may write it.
func (s *Service) load(ctx context.Context, tx pgx.Tx, table, id string) (sync.Record, error) {
	return records.Locked(ctx, tx, s.queries.Get(table+"_lock"), s.queries.Get(table+"_get"), id)
}

// checked are the fields of a write as JSON for the database, after the dictionary.
func (s *Service) checked(d sync.Dictionary, w sync.Write) ([]byte, error) {
	for name := range w.Fields {
		if slices.ContainsFunc(d.Fields, func(f sync.Field) bool { return f.Name == name && f.ReadOnly }) {
			return nil, records.Reject("read_only", "/fields/"+name, "此项由办公室填写", "the office fills this in")
		}
	}
	if err := records.Check(d, s.codes, w.Fields); err != nil {
		return nil, err
	}
	if w.Fields == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(w.Fields)
}

// when is the time of an operation, brought into the bounds of what can be true.
func (s *Service) when(w sync.Write) (at, received time.Time) {
	received = w.Captured.Received
	if received.IsZero() {
		received = s.now()
	}
	if at = w.Captured.Effective; at.IsZero() {
		at = received
	}
	return at, received
}

// position is where the phone was.
func position(w sync.Write) geo.Shape {
	if w.Captured.Position == nil || geo.Check(*w.Captured.Position) != nil {
		return geo.Shape{}
	}
	return geo.Shape{Geometry: *w.Captured.Position}
}

// signer is who writes: account, actor, name.
func signer(by auth.By) (account *string, actor, name string) {
	if by.Identity == nil {
		return nil, by.Actor(), ""
	}
	return null(by.Account), by.Actor(), by.Name
}

// inside finds the scope of a shape and refuses it outside the area of the grant.
func (s *Service) inside(ctx context.Context, tx pgx.Tx, w sync.Write, g orb.Geometry) error {
	if geo.Check(g) != nil {
		return records.Quarantine("bad_geometry", "/geometry", "图形无效", "the geometry is not valid")
	}
	var scope geo.Scope
	if err := tx.QueryRow(ctx, s.queries.Get("scope_at"), geo.Shape{Geometry: g}).Scan(&scope); err != nil {
		return err
	}
	if !w.Grant.Scope().Contains(scope) {
		return records.Outside()
	}
	return nil
}

func one(n int64, err error) error {
	if err == nil && n == 0 {
		return records.Outside()
	}
	return err
}

// still is a kind without states.
func noStep() (sync.Record, error) {
	return sync.Record{}, records.Reject("no_transition", "/to", "此类记录没有状态", "this kind has no states")
}

func kept(zh, en string) error { return records.Reject("not_deletable", "/op", zh, en) }

// hazardKind is the layer of hazard points, as far as people mark them.
type hazardKind struct{ *Service }

func (k *hazardKind) Dictionary() sync.Dictionary { return hazardDictionary() }

func (k *hazardKind) Load(ctx context.Context, tx pgx.Tx, _ auth.By, id string) (sync.Record, error) {
	return k.load(ctx, tx, "hazards", id)
}

func (k *hazardKind) Insert(ctx context.Context, tx pgx.Tx, _ auth.By, w sync.Write) (sync.Record, error) {
	body, err := k.checked(k.Dictionary(), w)
	if err != nil {
		return sync.Record{}, err
	}
	if err := records.Complete(k.Dictionary(), w.Fields); err != nil {
		return sync.Record{}, err
	}
	if w.Geometry == nil {
		return sync.Record{}, records.Quarantine("no_place", "/geometry", "没有位置", "it has no place")
	}
	if err := k.inside(ctx, tx, w, w.Geometry); err != nil {
		return sync.Record{}, err
	}
	at, _ := k.when(w)
	if _, err := records.Attempt(ctx, tx, k.queries.Get("hazards_insert"), w.ID, body, geo.Shape{Geometry: w.Geometry}, at, k.catalogue.Now().Location().String()); err != nil {
		return sync.Record{}, err
	}
	return records.One(ctx, tx, k.queries.Get("hazards_get"), w.ID)
}

func (k *hazardKind) Update(ctx context.Context, tx pgx.Tx, _ auth.By, w sync.Write) (sync.Record, error) {
	body, err := k.checked(k.Dictionary(), w)
	if err != nil {
		return sync.Record{}, err
	}
	if w.Geometry != nil {
		if err := k.inside(ctx, tx, w, w.Geometry); err != nil {
			return sync.Record{}, err
		}
	}
	at, _ := k.when(w)
	if err := one(records.Attempt(ctx, tx, k.queries.Get("hazards_update"), w.ID, body, geo.Shape{Geometry: w.Geometry}, at)); err != nil {
		return sync.Record{}, err
	}
	return records.One(ctx, tx, k.queries.Get("hazards_get"), w.ID)
}

// Delete removes what people marked. What came with a census stays in its register.
func (k *hazardKind) Delete(ctx context.Context, tx pgx.Tx, _ auth.By, w sync.Write) error {
	var imported bool
	err := tx.QueryRow(ctx, k.queries.Get("hazards_imported"), w.ID).Scan(&imported)
	if errors.Is(err, pgx.ErrNoRows) {
		return sync.ErrAbsent
	}
	if err != nil {
		return err
	}
	if imported {
		return kept("普查登记的点不能删除，请报办公室", "a registered point is not deleted; tell the office")
	}
	return one(records.Attempt(ctx, tx, k.queries.Get("hazards_delete"), w.ID))
}

func (k *hazardKind) Transition(context.Context, pgx.Tx, auth.By, string, sync.Write) (sync.Record, error) {
	return noStep()
}

func (k *hazardKind) Changed(ctx context.Context, who auth.By, ids []string) ([]sync.Record, error) {
	return k.list(ctx, who, ids, nil, "", len(ids))
}

func (k *hazardKind) All(ctx context.Context, who auth.By, area geo.Scope, after string, limit int) ([]sync.Record, error) {
	return k.list(ctx, who, nil, &area, after, limit)
}

func (k *hazardKind) list(ctx context.Context, who auth.By, ids []string, area *geo.Scope, after string, limit int) ([]sync.Record, error) {
	l, ok := k.catalogue.Now().Layer("hazards")
	if !ok {
		return nil, nil
	}
	reads := who.Reach.Of(l.Visibility)
	var within any
	if area != nil && !area.IsNull() {
		within = *area
	}
	return k.down(ctx, who, "hazards_list", reads.String(), ids, within, null(after), limit)
}

// down asks for records under the rights of who asks.
func (s *Service) down(ctx context.Context, who auth.By, query string, args ...any) ([]sync.Record, error) {
	if !person(who.Identity) {
		return nil, nil
	}
	var out []sync.Record
	err := s.db.Intake.Ask(ctx, who.Reading(), s.queries.Get(query), args, func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, records.Scan)
		return err
	})
	return out, wrap(query, err)
}

// checkKind are the checks of shelters.
type checkKind struct{ *Service }

func (k *checkKind) Dictionary() sync.Dictionary { return checkDictionary() }

func (k *checkKind) Load(ctx context.Context, tx pgx.Tx, _ auth.By, id string) (sync.Record, error) {
	return k.load(ctx, tx, "shelter_checks", id)
}

func (k *checkKind) Insert(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	body, err := k.checked(k.Dictionary(), w)
	if err != nil {
		return sync.Record{}, err
	}
	if err := records.Complete(k.Dictionary(), w.Fields); err != nil {
		return sync.Record{}, err
	}
	if records.Text(w.Fields["result"]) == "problem" && records.Text(w.Fields["problem"]) == "" {
		return sync.Record{}, records.Quarantine("required", "/fields/problem", "请写明问题", "say what the problem is")
	}
	var scope geo.Scope
	rows, err := tx.Query(ctx, k.queries.Get("shelter"), records.Text(w.Fields["shelter"]))
	if err != nil {
		return sync.Record{}, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[geo.Scope])
	switch {
	case err != nil:
		return sync.Record{}, err
	case len(found) == 0:
		return sync.Record{}, records.Quarantine("no_such_shelter", "/fields/shelter", "没有这个避难场所", "there is no such shelter")
	}
	if scope = found[0]; !w.Grant.Scope().Contains(scope) {
		return sync.Record{}, records.Outside()
	}
	at, received := k.when(w)
	account, actor, name := signer(by)
	if _, err := records.Attempt(ctx, tx, k.queries.Get("shelter_checks_insert"), w.ID, body, position(w), scope, at, received, w.Captured.Device, account, actor, name); err != nil {
		return sync.Record{}, err
	}
	return records.One(ctx, tx, k.queries.Get("shelter_checks_get"), w.ID)
}

func (k *checkKind) Update(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	if _, given := w.Fields["shelter"]; given {
		return sync.Record{}, records.Reject("fixed", "/fields/shelter", "检查的场所不能改，请另做一次检查", "the shelter of a check does not change; make another check")
	}
	body, err := k.checked(k.Dictionary(), w)
	if err != nil {
		return sync.Record{}, err
	}
	if err := one(records.Attempt(ctx, tx, k.queries.Get("shelter_checks_update"), w.ID, body, geo.Shape{}, by.Actor())); err != nil {
		return sync.Record{}, err
	}
	return records.One(ctx, tx, k.queries.Get("shelter_checks_get"), w.ID)
}

func (k *checkKind) Delete(context.Context, pgx.Tx, auth.By, sync.Write) error {
	return kept("检查记录不能删除", "a check is not deleted")
}

func (k *checkKind) Transition(context.Context, pgx.Tx, auth.By, string, sync.Write) (sync.Record, error) {
	return noStep()
}

// patrolKind are 巡查打卡 and 零报告.
type patrolKind struct{ *Service }

func (k *patrolKind) Dictionary() sync.Dictionary { return patrolDictionary() }

func (k *patrolKind) Load(ctx context.Context, tx pgx.Tx, _ auth.By, id string) (sync.Record, error) {
	return k.load(ctx, tx, "patrols", id)
}

// Insert stores one tap. It belongs to the grid it names, else to where it was made,
// else to the area of the worker.
func (k *patrolKind) Insert(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	body, err := k.checked(k.Dictionary(), w)
	if err != nil {
		return sync.Record{}, err
	}
	if err := records.Complete(k.Dictionary(), w.Fields); err != nil {
		return sync.Record{}, err
	}
	shape := geo.Shape{Geometry: w.Geometry}
	if w.Geometry == nil {
		shape = position(w)
	} else if geo.Check(w.Geometry) != nil {
		return sync.Record{}, records.Quarantine("bad_geometry", "/geometry", "图形无效", "the geometry is not valid")
	}
	scope := w.Grant.Scope()
	if grid := records.Text(w.Fields["grid"]); grid != "" {
		if scope, err = geo.ParseScope(grid); err != nil {
			return sync.Record{}, records.Quarantine("not_a_code", "/fields/grid", "不是网格编码", "it is not the code of a grid")
		}
		if !w.Grant.Scope().Contains(scope) {
			return sync.Record{}, records.Outside()
		}
	} else if !shape.IsNull() {
		var at geo.Scope
		if err := tx.QueryRow(ctx, k.queries.Get("place"), shape).Scan(&at); err != nil {
			return sync.Record{}, err
		}
		if w.Grant.Scope().Contains(at) {
			scope = at
		}
	}
	at, received := k.when(w)
	account, actor, name := signer(by)
	if _, err := records.Attempt(ctx, tx, k.queries.Get("patrols_insert"), w.ID, body, shape, scope, at, received, w.Captured.Device, account, actor, name); err != nil {
		return sync.Record{}, err
	}
	return records.One(ctx, tx, k.queries.Get("patrols_get"), w.ID)
}

func (k *patrolKind) Update(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	for _, name := range []string{"kind", "grid"} {
		if _, given := w.Fields[name]; given {
			return sync.Record{}, records.Reject("fixed", "/fields/"+name, "巡查的类型和网格不能改", "the kind and grid of a patrol do not change")
		}
	}
	body, err := k.checked(k.Dictionary(), w)
	if err != nil {
		return sync.Record{}, err
	}
	if err := one(records.Attempt(ctx, tx, k.queries.Get("patrols_update"), w.ID, body, geo.Shape{Geometry: w.Geometry}, by.Actor())); err != nil {
		return sync.Record{}, err
	}
	return records.One(ctx, tx, k.queries.Get("patrols_get"), w.ID)
}

func (k *patrolKind) Delete(context.Context, pgx.Tx, auth.By, sync.Write) error {
	return kept("巡查记录不能删除", "a patrol is not deleted")
}

func (k *patrolKind) Transition(context.Context, pgx.Tx, auth.By, string, sync.Write) (sync.Record, error) {
	return noStep()
}

// ackKind are acknowledgements of notices.
type ackKind struct{ *Service }

func (k *ackKind) Dictionary() sync.Dictionary { return ackDictionary() }

func (k *ackKind) Load(ctx context.Context, tx pgx.Tx, _ auth.By, id string) (sync.Record, error) {
	return k.load(ctx, tx, "acks", id)
}

func (k *ackKind) Insert(ctx context.Context, tx pgx.Tx, by auth.By, w sync.Write) (sync.Record, error) {
	body, err := k.checked(k.Dictionary(), w)
	if err != nil {
		return sync.Record{}, err
	}
	if err := records.Complete(k.Dictionary(), w.Fields); err != nil {
		return sync.Record{}, err
	}
	at, received := k.when(w)
	account, actor, name := signer(by)
	n, err := records.Attempt(ctx, tx, k.queries.Get("acks_insert"), w.ID, body, position(w), w.Grant.Scope(), at, received, w.Captured.Device, account, actor, name)
	switch {
	case err != nil:
		return sync.Record{}, err
	case n == 0:
		return sync.Record{}, records.Quarantine("no_such_notice", "/fields/notice", "没有这个通知", "there is no such notice")
	}
	return records.One(ctx, tx, k.queries.Get("acks_get"), w.ID)
}

// Update changes nothing: what was read was read.
func (k *ackKind) Update(context.Context, pgx.Tx, auth.By, sync.Write) (sync.Record, error) {
	return sync.Record{}, records.Reject("fixed", "/fields", "签收不能修改", "an acknowledgement does not change")
}

func (k *ackKind) Delete(context.Context, pgx.Tx, auth.By, sync.Write) error {
	return kept("签收不能删除", "an acknowledgement is not deleted")
}

func (k *ackKind) Transition(context.Context, pgx.Tx, auth.By, string, sync.Write) (sync.Record, error) {
	return noStep()
}

// noticeKind are notices on their way to phones: those for the areas somebody works in.
type noticeKind struct{ *Service }

func (k *noticeKind) Dictionary() sync.Dictionary { return noticeDictionary() }

func (k *noticeKind) Changed(ctx context.Context, who auth.By, ids []string) ([]sync.Record, error) {
	return k.down(ctx, who, "notices_down", who.Actor(), own(who.Identity, k.now()).String(), ids, nil, len(ids))
}

func (k *noticeKind) All(ctx context.Context, who auth.By, _ geo.Scope, after string, limit int) ([]sync.Record, error) {
	return k.down(ctx, who, "notices_down", who.Actor(), own(who.Identity, k.now()).String(), nil, null(after), limit)
}

// Former gives those for the asker's areas, which never change.
func (k *noticeKind) Former(ctx context.Context, who auth.By, ids []string) ([]string, error) {
	return k.former(ctx, "notices_former", own(who.Identity, k.now()).String(), ids)
}

// Echoes: that somebody read a notice is told to his phones with the notice.
func (k *noticeKind) Echoes() string { return "notice_acks" }

// Echoed gives the notices he read.
func (k *noticeKind) Echoed(ctx context.Context, who auth.By, acks []string) ([]string, error) {
	return k.former(ctx, "notices_read", who.Actor(), acks)
}

var (
	_ sync.Down   = (*hazardKind)(nil)
	_ sync.Echo   = (*noticeKind)(nil)
	_ sync.Down   = (*noticeKind)(nil)
	_ sync.Former = (*noticeKind)(nil)
)
