package evacuation_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/incidents/evacuation"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/internal/sync"
)

const (
	county, town, other  = "990100", "990100101", "990200"
	villageA, villageB   = "990100101001", "990100101002"
	gridA, gridB         = "990100101001001", "990100101002001"
	alert                = "01900000-0000-7000-8000-0000000000a1"
	hazardA, householdA  = "01900000-0000-7000-8000-0000000000b1", "01900000-0000-7000-8000-0000000000c1"
	shelter              = "01900000-0000-7000-8000-0000000000d1"
	contactHead, gridRow = "01900000-0000-7000-8000-0000000000e1", "01900000-0000-7000-8000-0000000000f1"
)

type house struct {
	t      *testing.T
	dsn    pgtest.DSNs
	db     *db.DB
	s      *evacuation.Service
	ledger *decision.Ledger
	clock  atomic.Int64
	n      int
}

// open makes a county with a township of two villages with a grid each. Village A has a
// hazard point of level 1, a household that has to move, a head with a deputy and a grid
// worker; village B has a hazard point of level 2 and nobody who answers for it.
func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dsn: pgtest.Database(t)}
	for _, sql := range []string{
		`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.name, v.rank, st_setsrid(st_makeenvelope(v.x, 34, v.x + v.w, 34 + v.w), 4490)
		 from (values ('990100', '示例县', 3, 119.0, 0.5), ('990100101', '甲镇', 4, 119.0, 0.2), ('990100101001', '东村', 5, 119.0, 0.1), ('990100101002', '西村', 5, 119.1, 0.1), ('990200', '外县', 3, 120.0, 0.5), ('990200101001', '远村', 5, 120.0, 0.1)) v(code, name, rank, x, w)`,
		`insert into grids (id, code, admin_code, name, worker, geom) select v.id::uuid, v.code, v.village, '第一网格', v.worker, st_setsrid(st_makeenvelope(v.x, 34, v.x + 0.1, 34.1), 4490)
		 from (values ('` + gridRow + `', '990100101001001', '990100101001', '周网格', 119.0), ('01900000-0000-7000-8000-0000000000f2', '990100101002001', '990100101002', '吴网格', 119.1)) v(id, code, village, worker, x)`,
		`insert into hazards (id, name, admin_code, level, threatened_persons, geom) values ('` + hazardA + `', '滑坡', '990100101001', 1, 20, st_setsrid(st_makepoint(119.05, 34.05), 4490)), (uuid_v7(), '崩塌', '990100101002', 2, 9, st_setsrid(st_makepoint(119.15, 34.05), 4490))`,
		`insert into shelters (id, name, admin_code, capacity, geom) values ('` + shelter + `', '中心小学', '990100101001', 100, st_setsrid(st_makepoint(119.05, 34.06), 4490))`,
		`insert into responsibility (id, kind, admin_code, scope, unit, post, person, deputy_post, deputy) values ('01900000-0000-7000-8000-000000000001', 'administrative', '990100101001', code_scope('990100101001'), '东村', '村主任', '王一', '副主任', '王副')`,
		`insert into responsibility (id, kind, layer, feature, scope, unit, post, person) values ('01900000-0000-7000-8000-000000000002', 'patrol', 'grids', '` + gridRow + `', code_scope('990100101001001'), '东村', '网格员', '周网格')`,
		`insert into duty_roster (id, admin_code, scope, role, unit, post, person, starts_at, ends_at) values ('01900000-0000-7000-8000-000000000003', '990100101', code_scope('990100101'), 'officer', '甲镇政府', '值班室', '镇值班', now() - interval '1 day', now() + interval '1 day')`,
		`insert into restricted.contact (id, responsibility, phone, deputy_phone) values ('` + contactHead + `', '01900000-0000-7000-8000-000000000001', '13812345678', '13987654321'), (uuid_v7(), '01900000-0000-7000-8000-000000000002', '13700001111', null)`,
		`insert into restricted.contact (duty, phone) values ('01900000-0000-7000-8000-000000000003', '0518-86543210')`,
		`insert into restricted.household (id, admin_code, scope, head, phone, persons, elderly, must_move) values ('` + householdA + `', '990100101001001', code_scope('990100101001001'), '李老四', '13611112222', 4, 2, true)`,
		`insert into alerts (id, name, headline, level, state, status, admin_code, geom) values ('` + alert + `', '暴雨', '暴雨红色预警', 1, 'active', 'Actual', '990100', st_setsrid(st_makeenvelope(119.01, 34.01, 119.19, 34.09), 4490))`,
	} {
		h.exec(sql)
	}
	var err error
	if h.db, err = db.Open(t.Context(), db.Options{DSN: h.dsn.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	reg, err := registry.Open(t.Context(), h.db.Query)
	if err != nil {
		t.Fatal(err)
	}
	h.s, err = evacuation.Open(evacuation.Options{DB: h.db, Catalogue: reg, Now: h.now, Order: func(ctx context.Context, by auth.By, o decision.Order) (decision.Decision, error) {
		return h.ledger.Emergency(ctx, by, o)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if h.ledger, err = decision.Open(decision.Options{DB: h.db, Effects: h.s.Effects()}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }

// exec runs a statement as the owner with every claim.
func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	conn := pgtest.Connect(h.t, h.dsn.Admin)
	for _, s := range []string{`select set_config('app.public', '{(,)}', false), set_config('app.read', '{(,)}', false), set_config('app.sensitive', '{(,)}', false), set_config('app.write', '{(,)}', false), set_config('app.demo', 'off', false), set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`} {
		if _, err := conn.Exec(context.Background(), s); err != nil {
			h.t.Fatal(err)
		}
	}
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

func (h *house) count(sql string) (n int) {
	h.t.Helper()
	if err := pgtest.Connect(h.t, h.dsn.Admin).QueryRow(context.Background(), sql).Scan(&n); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// as is somebody with one grant.
func (h *house) as(name string, role auth.Role, area string) auth.By {
	h.t.Helper()
	h.n++
	account := fmt.Sprintf("01900000-0000-7000-8000-%012d", 900+h.n)
	g := auth.Grant{ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", h.n), Account: account, Role: role, Area: area, From: time.Now().Add(-time.Hour)}
	id := &auth.Identity{Kind: auth.Session, Account: account, Username: name, Name: name + "姓名", ID: "s", Grants: []auth.Grant{g}}
	id.Reach = auth.ReachOf(id.Grants, time.Now(), 1)
	return auth.By{Identity: id, Request: "test"}
}

func (h *house) id() string {
	h.n++
	return fmt.Sprintf("01900000-0000-7000-a000-%012d", h.n)
}

// call opens a call-out for the alert by a commander, who needs nobody's second name.
func (h *house) callout(by auth.By) evacuation.Callout {
	h.t.Helper()
	c, made, err := h.s.Open(h.t.Context(), by, evacuation.New{ID: h.id(), Alert: alert, Reason: "暴雨红色预警"})
	if err != nil || !made {
		h.t.Fatal(made, err)
	}
	return c
}

func (h *house) targets(by auth.By, callout string, f evacuation.TargetFilter) []evacuation.Target {
	h.t.Helper()
	list, err := h.s.Targets(h.t.Context(), by.Identity, callout, f)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

func (h *house) ring(by auth.By, target, outcome string) evacuation.Rung {
	h.t.Helper()
	r, err := h.s.Ring(h.t.Context(), by, evacuation.Made{OpID: h.id(), Target: target, Outcome: outcome})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *house) board(by auth.By, callout string) evacuation.Board {
	h.t.Helper()
	b, err := h.s.Board(h.t.Context(), by.Identity, evacuation.Filter{ID: callout})
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// phone sends an entry as the sync engine does.
func (h *house) phone(by auth.By, id string, fields map[string]any) error {
	h.t.Helper()
	w := sync.Write{ID: id, Grant: by.Grants[0], Fields: map[string]json.RawMessage{}}
	for k, v := range fields {
		b, err := json.Marshal(v)
		if err != nil {
			h.t.Fatal(err)
		}
		w.Fields[k] = b
	}
	w.Captured.Received, w.Captured.Effective = h.now(), h.now()
	k := h.s.Kind()
	return h.db.Intake.Tx(context.Background(), by.Writing(w.Grant), func(tx pgx.Tx) error {
		_, err := k.Load(h.t.Context(), tx, by, w.ID)
		if errors.Is(err, sync.ErrAbsent) {
			_, err = k.Insert(h.t.Context(), tx, by, w)
		}
		return err
	})
}

func clash(err error) string {
	if c := new(auth.Conflict); errors.As(err, &c) {
		return c.Code
	}
	return ""
}

func invalidAt(err error) string {
	if i := new(auth.Invalid); errors.As(err, &i) {
		return i.Items[0].Path
	}
	return ""
}

func refusal(err error) string {
	if r := new(sync.Refusal); errors.As(err, &r) {
		return r.Code
	}
	return ""
}
