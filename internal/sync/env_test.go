package sync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/internal/sync"
)

// field is a county with a grid on it, people, and the engine over a real kind.
type field struct {
	t     testing.TB
	dsn   pgtest.DSNs
	db    *db.DB
	feed  *feed.Reader
	s     *sync.Service
	kind  *hazardKind
	admin *pgx.Conn
	now   time.Time // zero: the clock
	seq   int
}

// The grids: each a square of 0.1 degrees.
const (
	county  = "990100"
	town    = "990100101"
	gridA   = "990100101001001"
	gridB   = "990100101001002"
	gridFar = "990200101001001" // of another county
)

type testLog struct{ t testing.TB }

func (l *testLog) Write(p []byte) (int, error) { l.t.Log(string(p)); return len(p), nil }

func newField(t testing.TB) *field {
	t.Helper()
	f := &field{t: t, dsn: pgtest.Database(t)}
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f.db, err = db.Open(context.Background(), db.Options{DSN: f.dsn.App})
	must(err)
	t.Cleanup(f.db.Close)
	reg, err := registry.Open(context.Background(), f.db.Query)
	must(err)
	f.feed, err = feed.Open(context.Background(), f.db, feed.Options{Poll: 20 * time.Millisecond})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = f.feed.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	f.admin = pgtest.Connect(t, f.dsn.Admin)
	must(geo.Register(context.Background(), f.admin))
	f.kind = &hazardKind{db: f.db}
	f.s, err = sync.New(sync.Options{DB: f.db, Feed: f.feed, Catalogue: reg, Kinds: []sync.Kind{f.kind}, Logger: slog.New(slog.NewTextHandler(&testLog{t}, nil)), Now: func() time.Time {
		if f.now.IsZero() {
			return time.Now()
		}
		return f.now
	}})
	must(err)
	unit := func(code string, rank int, w, s, e, n float64) {
		f.exec(`select set_config('app.actor','system',false), set_config('app.role','system',false), set_config('app.public','{[1000000000000000,3000000000000000)}',false),
			set_config('app.read','{[1000000000000000,3000000000000000)}',false), set_config('app.sensitive','{[1000000000000000,3000000000000000)}',false),
			set_config('app.write','{[1000000000000000,3000000000000000)}',false), set_config('app.demo','off',false)`)
		if rank > 5 {
			f.exec(`insert into grids (name, code, admin_code, geom) values ($1, $1, $1, st_multi(st_makeenvelope($2, $3, $4, $5, 4490)))`, code, w, s, e, n)
			return
		}
		f.exec(`insert into admin (name, code, admin_code, rank, geom) values ($1, $1, $1, $2, st_multi(st_makeenvelope($3, $4, $5, $6, 4490)))`, code, rank, w, s, e, n)
	}
	unit(county, 3, 110, 30, 111, 31)
	unit(town, 4, 110, 30, 110.5, 31)
	unit(gridA, 6, 110.0, 30.0, 110.1, 30.1)
	unit(gridB, 6, 110.1, 30.0, 110.2, 30.1)
	unit("990200", 3, 112, 30, 113, 31)
	unit(gridFar, 6, 112.0, 30.0, 112.1, 30.1)
	return f
}

func (f *field) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.admin.Exec(context.Background(), sql, args...); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

func (f *field) count(sql string, args ...any) (n int) {
	f.t.Helper()
	if err := f.admin.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (f *field) text(sql string, args ...any) (s string) {
	f.t.Helper()
	if err := f.admin.QueryRow(context.Background(), sql, args...).Scan(&s); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	return s
}

// person is somebody in a role over an area, in the database too.
func (f *field) person(n int, role auth.Role, area string) auth.By {
	f.t.Helper()
	id := fmt.Sprintf("0192f0c1-0000-7000-8000-0000000000%02x", n)
	grant := fmt.Sprintf("0192f0c1-0000-7000-8000-0000000001%02x", n)
	f.exec(`insert into auth.account (id, username, name, state) values ($1, $2, $3, 'active') on conflict do nothing`, id, fmt.Sprintf("person%d", n), fmt.Sprintf("某%d", n))
	f.exec(`insert into auth.role_grant (id, account, role, area, reason, valid_from) values ($1, $2, $3, $4, '测试', now() - interval '100 days') on conflict do nothing`, grant, id, string(role), area)
	grants := []auth.Grant{{ID: grant, Account: id, Role: role, Area: area, From: time.Now().Add(-100 * 24 * time.Hour)}}
	return auth.By{Request: "test", Identity: &auth.Identity{
		Kind: auth.Device, Account: id, Username: fmt.Sprintf("person%d", n), Name: fmt.Sprintf("某%d", n), ID: "0192f0c1-0000-7000-8000-0000000000b1",
		Grants: grants, Reach: auth.ReachOf(grants, time.Now(), 0),
	}}
}

// id is a fresh id.
func (f *field) id() string {
	f.seq++
	return fmt.Sprintf("0192f0c2-0000-7000-8000-%012x", f.seq)
}

type m = map[string]any

// at is a point, GeoJSON.
func at(lon, lat float64) m { return m{"type": "Point", "coordinates": []float64{lon, lat}} }

// mark is a new record in grid A.
func (f *field) mark(name string) m {
	return m{"op_id": f.id(), "kind": "hazards", "id": f.id(), "fields": m{"name": m{"value": name}, "level": m{"value": 2}}, "geometry": at(110.05, 30.05),
		"captured_at": time.Now().Add(-time.Minute).Format(time.RFC3339), "src_crs": "WGS84", "accuracy_m": 8.5, "device_position": []float64{110.0501, 30.05}}
}

func with(op m, more m) m {
	out := m{}
	maps.Copy(out, op)
	for k, v := range more {
		if v == nil {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	return out
}

// send delivers operations of a device.
func (f *field) send(by auth.By, device string, ops ...any) []sync.Result {
	f.t.Helper()
	out, err := f.trySend(by, device, ops...)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

func (f *field) trySend(by auth.By, device string, ops ...any) ([]sync.Result, error) {
	f.t.Helper()
	body, err := json.Marshal(m{"device": device, "ops": ops})
	if err != nil {
		f.t.Fatal(err)
	}
	b, err := sync.Decode(body)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.s.Send(context.Background(), by, b)
}

func (f *field) one(by auth.By, op m) sync.Result {
	f.t.Helper()
	return f.send(by, "phone", op)[0]
}

func (f *field) want(r sync.Result, status sync.Status, code string) {
	f.t.Helper()
	got := ""
	if r.Problem != nil {
		got = r.Problem.Code
	}
	if r.Status != status || got != code {
		f.t.Errorf("verdict %s %q (%+v), want %s %q", r.Status, got, r.Problem, status, code)
	}
}

// hazardKind is a small kind over a real table, as a domain writes one.
type hazardKind struct {
	db     *db.DB
	fail   func(w sync.Write) error // before anything is written
	spoil  func(w sync.Write) error // after it was written
	urgent bool
}

func (k *hazardKind) Urgent(fields map[string]json.RawMessage) bool {
	return k.urgent && string(fields["name"]) == `"险情"`
}

func (k *hazardKind) Dictionary() sync.Dictionary {
	least, most := 1.0, 4.0
	return sync.Dictionary{
		Kind: "hazards", Title: sync.Words{Zh: "致灾点", En: "Hazard point"}, Geometry: []string{"Point", "LineString", "Polygon"}, Deletable: true, Near: 30,
		Fields: []sync.Field{
			{Name: "name", Title: sync.Words{Zh: "名称", En: "Name"}, Type: "text", MaxLength: 100, Required: true},
			{Name: "level", Title: sync.Words{Zh: "等级", En: "Level"}, Type: "integer", Min: &least, Max: &most},
			{Name: "threatened_persons", Title: sync.Words{Zh: "威胁人数", En: "Persons"}, Type: "integer"},
			{Name: "measure", Title: sync.Words{Zh: "措施", En: "Measure"}, Type: "text"},
			{Name: "address", Title: sync.Words{Zh: "地址", En: "Address"}, Type: "text"},
		},
		Transitions: []sync.Transition{{From: "", To: "removed"}},
	}
}

const hazardColumns = `id::text, version, coalesce(state,''), jsonb_strip_nulls(jsonb_build_object('name', name, 'level', level, 'threatened_persons', threatened_persons, 'measure', measure, 'address', address)), geom, scope, recorded_by, recorded_at`

func scanHazard(row pgx.Row) (sync.Record, error) {
	var r sync.Record
	var g geo.Shape
	err := row.Scan(&r.ID, &r.Version, &r.State, &r.Fields, &g, &r.Scope, &r.By, &r.At)
	r.Geometry = g.Geometry
	return r, err
}

func (k *hazardKind) Load(ctx context.Context, tx pgx.Tx, _ auth.By, id string) (sync.Record, error) {
	r, err := scanHazard(tx.QueryRow(ctx, `select `+hazardColumns+` from hazards where id = $1 for update`, id))
	if err == pgx.ErrNoRows { //nolint:errorlint // as the driver gives it
		// Row security shows for update only what may be written; what may be read is looked at too.
		r, err = scanHazard(tx.QueryRow(ctx, `select `+hazardColumns+` from hazards where id = $1`, id))
	}
	if err == pgx.ErrNoRows { //nolint:errorlint // as the driver gives it
		return r, sync.ErrAbsent
	}
	return r, err
}

func (k *hazardKind) write(ctx context.Context, tx pgx.Tx, w sync.Write, sql string) (sync.Record, error) {
	if k.fail != nil {
		if err := k.fail(w); err != nil {
			return sync.Record{}, err
		}
	}
	raw, _ := json.Marshal(w.Fields)
	var place any
	if !w.Place.IsNull() {
		place = w.Place
	}
	r, err := scanHazard(tx.QueryRow(ctx, sql, w.ID, json.RawMessage(raw), geo.Shape{Geometry: w.Geometry}, place))
	if err == nil && k.spoil != nil {
		err = k.spoil(w)
	}
	return r, err
}

func (k *hazardKind) Insert(ctx context.Context, tx pgx.Tx, _ auth.By, w sync.Write) (sync.Record, error) {
	return k.write(ctx, tx, w, `insert into hazards (id, name, level, threatened_persons, measure, address, geom, admin_code)
		select $1, f.name, f.level, f.threatened_persons, f.measure, f.address, $3, case when upper($4::int8range) - lower($4::int8range) = 1 then (lower($4::int8range) - 1000000000000000)::text end from jsonb_populate_record(null::hazards, $2::jsonb) f returning `+hazardColumns)
}

func (k *hazardKind) Update(ctx context.Context, tx pgx.Tx, _ auth.By, w sync.Write) (sync.Record, error) {
	return k.write(ctx, tx, w, `update hazards h set name = f.name, level = f.level, threatened_persons = f.threatened_persons, measure = f.measure, address = f.address, geom = coalesce($3, h.geom),
		admin_code = coalesce(case when upper($4::int8range) - lower($4::int8range) = 1 then (lower($4::int8range) - 1000000000000000)::text end, h.admin_code)
		from hazards o, lateral jsonb_populate_record(o, $2::jsonb) f where h.id = $1 and o.id = h.id returning `+
		`h.id::text, h.version, coalesce(h.state,''), jsonb_strip_nulls(jsonb_build_object('name', h.name, 'level', h.level, 'threatened_persons', h.threatened_persons, 'measure', h.measure, 'address', h.address)), h.geom, h.scope, h.recorded_by, h.recorded_at`)
}

func (k *hazardKind) Delete(ctx context.Context, tx pgx.Tx, _ auth.By, w sync.Write) error {
	_, err := tx.Exec(ctx, `delete from hazards where id = $1`, w.ID)
	return err
}

func (k *hazardKind) Transition(ctx context.Context, tx pgx.Tx, _ auth.By, to string, w sync.Write) (sync.Record, error) {
	return scanHazard(tx.QueryRow(ctx, `update hazards set state = $2 where id = $1 returning `+hazardColumns, w.ID, to))
}

func (k *hazardKind) Changed(ctx context.Context, who auth.By, ids []string) (out []sync.Record, err error) {
	return k.list(ctx, who, `select `+hazardColumns+` from hazards where id = any ($1::uuid[])`, ids)
}

func (k *hazardKind) All(ctx context.Context, who auth.By, area geo.Scope, after string, limit int) ([]sync.Record, error) {
	if after == "" {
		after = "00000000-0000-0000-0000-000000000000"
	}
	return k.list(ctx, who, `select `+hazardColumns+` from hazards where scope && $1::int8range and id > $2 order by id limit $3`, area, after, limit)
}

func (k *hazardKind) list(ctx context.Context, who auth.By, sql string, args ...any) (out []sync.Record, err error) {
	err = k.db.Query.Ask(ctx, who.Reading(), sql, args, func(rows pgx.Rows) error {
		for rows.Next() {
			r, err := scanHazard(rows)
			if err != nil {
				return err
			}
			out = append(out, r)
		}
		return nil
	})
	return out, err
}
