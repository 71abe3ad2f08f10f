package incidents_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/incidents"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/internal/sync"
)

// Two counties, with a township and a grid each.
const (
	countyA, townA, gridA = "990100", "990100101", "990100101001001"
	countyB, townB, gridB = "990200", "990200101", "990200101001001"
	countyC               = "990300"
)

type house struct {
	t     *testing.T
	dsn   pgtest.DSNs
	db    *db.DB
	s     *incidents.Service
	kind  *incidents.Kind
	clock atomic.Int64 // added to now, ns
	n     int
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dsn: pgtest.Database(t)}
	admin := pgtest.Connect(t, h.dsn.Admin)
	for _, sql := range []string{
		`select set_config('app.public', '{(,)}', false), set_config('app.read', '{(,)}', false), set_config('app.sensitive', '{(,)}', false), set_config('app.write', '{(,)}', false), set_config('app.demo', 'off', false)`,
		`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.code, v.rank, st_setsrid(st_makeenvelope(v.x, 34, v.x + v.w, 34 + v.w), 4490)
		 from (values ('990100', 3, 119.0, 0.5), ('990100101', 4, 119.0, 0.2), ('990200', 3, 120.0, 0.5), ('990200101', 4, 120.0, 0.2), ('990300', 3, 121.0, 0.5)) v(code, rank, x, w)`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
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
	if h.s, err = incidents.Open(incidents.Options{DB: h.db, Catalogue: reg, Now: func() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }}); err != nil {
		t.Fatal(err)
	}
	h.kind = h.s.Kind()
	return h
}

// as is somebody with one grant.
func (h *house) as(name string, role auth.Role, area string) auth.By {
	h.t.Helper()
	h.n++
	account := fmt.Sprintf("01900000-0000-7000-8000-%012d", h.n)
	g := auth.Grant{ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", h.n), Account: account, Role: role, Area: area, From: time.Now().Add(-time.Hour)}
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
func (h *house) send(by auth.By, w sync.Write) (sync.Record, error) {
	h.t.Helper()
	if w.ID == "" {
		w.ID = h.newID()
	}
	if w.Grant.ID == "" && len(by.Grants) > 0 {
		w.Grant = by.Grants[0]
	}
	if w.Captured.Received.IsZero() {
		w.Captured.Received = time.Now()
	}
	if w.Captured.Effective.IsZero() {
		w.Captured.Effective = w.Captured.Received
	}
	var out sync.Record
	err := h.db.Intake.Tx(context.Background(), by.Writing(w.Grant), func(tx pgx.Tx) error {
		_, err := h.kind.Load(h.t.Context(), tx, by, w.ID)
		switch {
		case errors.Is(err, sync.ErrAbsent):
			out, err = h.kind.Insert(h.t.Context(), tx, by, w)
		case err == nil:
			out, err = h.kind.Update(h.t.Context(), tx, by, w)
		}
		return err
	})
	return out, err
}

// urgent sends 险情 from a place.
func (h *house) urgent(by auth.By, at orb.Geometry) string {
	h.t.Helper()
	r, err := h.send(by, sync.Write{Fields: fields(h.t, map[string]any{"kind": "landslide", "urgency": "urgent"}), Geometry: at})
	if err != nil {
		h.t.Fatal(err)
	}
	return r.ID
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
