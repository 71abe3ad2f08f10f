package field_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/census/field"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/internal/restricted"
	"onemap/internal/sync"
)

// Two counties, with a township and a grid each.
const (
	countyA, townA, gridA = "990100", "990100101", "990100101001001"
	countyB, townB, gridB = "990200", "990200101", "990200101001001"
	gridA2                = "990100101001002"
	shelterA, shelterB    = "01900000-0000-7000-b000-000000000001", "01900000-0000-7000-b000-000000000002"
)

type house struct {
	t     *testing.T
	dsn   pgtest.DSNs
	db    *db.DB
	s     *field.Service
	kinds map[string]sync.Kind
	admin *pgx.Conn
	clock atomic.Int64 // added to now, ns
	n     int
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dsn: pgtest.Database(t), kinds: map[string]sync.Kind{}}
	h.admin = pgtest.Connect(t, h.dsn.Admin)
	for _, sql := range []string{
		`select set_config('app.public', '{(,)}', false), set_config('app.read', '{(,)}', false), set_config('app.sensitive', '{(,)}', false), set_config('app.write', '{(,)}', false), set_config('app.demo', 'off', false)`,
		`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.code, v.rank, st_setsrid(st_makeenvelope(v.x, 34, v.x + v.w, 34 + v.w), 4490)
		 from (values ('990100', 3, 119.0, 0.5), ('990100101', 4, 119.0, 0.2), ('990200', 3, 120.0, 0.5), ('990200101', 4, 120.0, 0.2), ('990300', 3, 121.0, 0.5)) v(code, rank, x, w)`,
		`insert into grids (code, admin_code, name, geom) select v.code, v.code, v.name, st_setsrid(st_makeenvelope(v.x, 34, v.x + 0.05, 34.2), 4490)
		 from (values ('990100101001001', '一网格', 119.0), ('990100101001002', '二网格', 119.05), ('990200101001001', '外网格', 120.0)) v(code, name, x)`,
		`insert into shelters (id, name, admin_code, geom) values ('01900000-0000-7000-b000-000000000001', '学校', '990100101001001', st_setsrid(st_makepoint(119.01, 34.1), 4490)),
		 ('01900000-0000-7000-b000-000000000002', '外学校', '990200101001001', st_setsrid(st_makepoint(120.01, 34.1), 4490))`,
	} {
		if _, err := h.admin.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
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
	contacts, err := restricted.Open(h.db)
	if err != nil {
		t.Fatal(err)
	}
	if h.s, err = field.Open(field.Options{DB: h.db, Catalogue: reg, Contacts: contacts, Now: func() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }}); err != nil {
		t.Fatal(err)
	}
	for _, k := range h.s.Kinds() {
		h.kinds[k.Dictionary().Kind] = k
	}
	return h
}

// as is somebody with one grant.
func (h *house) as(name string, role auth.Role, area string) auth.By {
	h.t.Helper()
	h.n++
	account := fmt.Sprintf("01900000-0000-7000-8000-%012d", h.n)
	g := auth.Grant{ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", h.n), Account: account, Role: role, Area: area, From: time.Now().Add(-time.Hour)}
	sql := `insert into auth.account (id, username, name, state) values ($1, $2, $3, 'active')`
	if _, err := h.admin.Exec(h.t.Context(), sql, account, (name + "xxx")[:max(len(name), 3)], name+"姓名"); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.admin.Exec(h.t.Context(), `insert into auth.role_grant (id, account, role, area, valid_from, reason) values ($1, $2, $3, $4, $5, '测试')`, g.ID, account, string(role), area, g.From); err != nil {
		h.t.Fatal(err)
	}
	id := &auth.Identity{Kind: auth.Session, Account: account, Username: name, Name: name + "姓名", ID: "s", Grants: []auth.Grant{g}}
	id.Reach = auth.ReachOf(id.Grants, time.Now(), 1)
	return auth.By{Identity: id, Request: "test"}
}

func (h *house) newID() string {
	h.n++
	return fmt.Sprintf("01900000-0000-7000-a000-%012d", h.n)
}

func fields(t *testing.T, v map[string]any) map[string]json.RawMessage {
	t.Helper()
	out := map[string]json.RawMessage{}
	for k, x := range v {
		b, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		out[k] = b
	}
	return out
}

// send writes as the engine does: one transaction under the claims of the sender.
func (h *house) send(by auth.By, kind string, w sync.Write) (sync.Record, error) {
	h.t.Helper()
	return h.op(by, kind, "", w)
}

// op is send, or with to a step.
func (h *house) op(by auth.By, kind, to string, w sync.Write) (sync.Record, error) {
	h.t.Helper()
	if w.ID == "" {
		w.ID = h.newID()
	}
	w.Grant = by.Grants[0]
	if w.Captured.Received.IsZero() {
		w.Captured.Received = time.Now()
	}
	if w.Captured.Effective.IsZero() {
		w.Captured.Effective = w.Captured.Received
	}
	k := h.kinds[kind]
	var out sync.Record
	err := h.db.Intake.Tx(context.Background(), by.Writing(w.Grant), func(tx pgx.Tx) error {
		_, err := k.Load(context.Background(), tx, by, w.ID)
		switch {
		case errors.Is(err, sync.ErrAbsent):
			out, err = k.Insert(context.Background(), tx, by, w)
		case err == nil && to != "":
			out, err = k.Transition(context.Background(), tx, by, to, w)
		case err == nil:
			out, err = k.Update(context.Background(), tx, by, w)
		}
		return err
	})
	return out, err
}

// remove deletes as the engine does.
func (h *house) remove(by auth.By, kind, id string) error {
	return h.db.Intake.Tx(context.Background(), by.Writing(by.Grants[0]), func(tx pgx.Tx) error {
		return h.kinds[kind].Delete(context.Background(), tx, by, sync.Write{ID: id, Grant: by.Grants[0]})
	})
}

// verdict is the code of a refusal, "" for none.
func verdict(err error) string {
	if r := new(sync.Refusal); errors.As(err, &r) {
		return string(r.Verdict) + " " + r.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func clash(err error) string {
	if c := new(auth.Conflict); errors.As(err, &c) {
		return c.Code
	}
	return ""
}
