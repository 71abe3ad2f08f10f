package alerts_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"onemap/incidents/alerts"
	"onemap/incidents/cap"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// Two counties side by side, each with two villages side by side.
const countyA, countyB = "990100", "990200"

type house struct {
	t   *testing.T
	dsn pgtest.DSNs
	db  *db.DB
	reg *registry.Registry
	s   *alerts.Service
	dir string
	now time.Time
	n   int
}

func open(t *testing.T, settings ...string) *house {
	t.Helper()
	h := &house{t: t, dsn: pgtest.Database(t), dir: t.TempDir(), now: time.Date(2026, 7, 5, 7, 0, 0, 0, time.UTC)}
	h.exec(`insert into admin (code, admin_code, name, rank, parent_code, population, households, geom) select v.code, v.code, v.name, v.rank, v.parent, v.people, v.people / 3, st_makeenvelope(v.x, 34, v.x + v.w, 34.2, 4490)
		from (values ('990100', '甲县', 3, null, 3000, 119.0, 0.4), ('990100101', '甲镇', 4, '990100', 3000, 119.0, 0.4), ('990100101001', '东村', 5, '990100101', 1000, 119.0, 0.2), ('990100101002', '西村', 5, '990100101', 2000, 119.2, 0.2),
		             ('990200', '乙县', 3, null, 900, 119.4, 0.4), ('990200101001', '丙村', 5, '990200', 900, 119.4, 0.4)) v(code, name, rank, parent, people, x, w)`)
	h.exec(`insert into grids (code, admin_code, name, village_code, worker, geom) values ('990100101001001', '990100101001001', '东村一格', '990100101001', '网格员甲', st_makeenvelope(119, 34, 119.1, 34.2, 4490)),
		('990100101001002', '990100101001002', '东村二格', '990100101001', '网格员乙', st_makeenvelope(119.1, 34, 119.2, 34.2, 4490))`)
	h.exec(`insert into restricted.household (admin_code, scope, head, phone, persons, elderly, must_move) values ('990100101001', code_scope('990100101001'), '某户', '13700000000', 4, 2, true)`)
	h.exec(`insert into setting (key, value) values ('home', '{"code": "990100"}') on conflict (key) do update set value = excluded.value`)
	for i := 0; i+1 < len(settings); i += 2 {
		h.exec(`insert into setting (key, value) values ($1, $2)`, settings[i], settings[i+1])
	}
	var err error
	if h.db, err = db.Open(t.Context(), db.Options{DSN: h.dsn.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	if h.reg, err = registry.Open(t.Context(), h.db.Query); err != nil {
		t.Fatal(err)
	}
	if h.s, err = alerts.Open(alerts.Options{DB: h.db, Catalogue: h.reg, Dir: h.dir, Pause: 20 * time.Millisecond, Now: func() time.Time { return h.now }}); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	admin := pgtest.Connect(h.t, h.dsn.Admin)
	if _, err := admin.Exec(h.t.Context(), `select set_config('app.public', '{(,)}', false), set_config('app.read', '{(,)}', false), set_config('app.sensitive', '{(,)}', false), set_config('app.write', '{(,)}', false), set_config('app.demo', 'off', false), set_config('app.role', 'system', false)`); err != nil {
		h.t.Fatal(err)
	}
	if _, err := admin.Exec(h.t.Context(), sql, args...); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

func (h *house) as(name string, role auth.Role, area string) auth.By {
	h.t.Helper()
	h.n++
	account := fmt.Sprintf("01900000-0000-7000-8000-%012d", h.n)
	g := auth.Grant{ID: fmt.Sprintf("01900000-0000-7000-9000-%012d", h.n), Account: account, Role: role, Area: area, From: h.now.Add(-time.Hour)}
	id := &auth.Identity{Kind: auth.Session, Account: account, Username: name, Name: name + "姓名", ID: "s", Grants: []auth.Grant{g}}
	id.Reach = auth.ReachOf(id.Grants, h.now, 1)
	return auth.By{Identity: id, Request: "test"}
}

// message is CAP of a rainstorm over a box from 119+a to 119+b.
func message(kind string, n int, a, b float64, references ...int) string {
	at := func(n int) string { return fmt.Sprintf("2026-07-05T14:%02d:00+08:00", n) }
	id := func(n int) string { return fmt.Sprintf("99010041600000_20260705%02d%02d00_0", 14, n) }
	refs := ""
	for _, r := range references {
		refs += fmt.Sprintf("qxt.example,%s,%s ", id(r), at(r))
	}
	if refs != "" {
		refs = "<references>" + strings.TrimSpace(refs) + "</references>"
	}
	info := ""
	if kind != cap.Cancel {
		x0, x1 := 119+a, 119+b
		info = fmt.Sprintf(`<info><language>zh-CN</language><category>Met</category><event>暴雨</event><urgency>Immediate</urgency><severity>Extreme</severity><certainty>Observed</certainty>
			<expires>2026-07-05T20:30:00+08:00</expires><headline>甲县气象台发布暴雨红色预警信号</headline><area><areaDesc>西部</areaDesc><polygon>34,%[1]v 34,%[2]v 34.2,%[2]v 34.2,%[1]v 34,%[1]v</polygon></area></info>`, x0, x1)
	}
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>%s</identifier><sender>qxt.example</sender><sent>%s</sent><status>Actual</status><msgType>%s</msgType><scope>Public</scope>%s%s</alert>`,
		id(n), at(n), kind, refs, info)
}

func (h *house) take(by auth.By, text string) (alerts.Alert, bool, error) {
	h.t.Helper()
	in, err := alerts.Read([]byte(text))
	if err != nil {
		return alerts.Alert{}, false, err
	}
	return h.s.Take(context.Background(), by, in)
}

func (h *house) taken(by auth.By, text string) alerts.Alert {
	h.t.Helper()
	a, _, err := h.take(by, text)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

func (h *house) targets(by auth.By, id string) alerts.Targets {
	h.t.Helper()
	t, err := h.s.Targets(h.t.Context(), by.Identity, id, "")
	if err != nil {
		h.t.Fatal(err)
	}
	return t
}
