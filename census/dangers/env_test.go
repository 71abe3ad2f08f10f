package dangers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

const (
	county  = "990100"
	village = "990100101001"
	grid    = "990100101001001"
)

// office is a county's office over a real database, with its people.
type office struct {
	t     testing.TB
	dsn   pgtest.DSNs
	db    *db.DB
	s     *Service
	admin *pgx.Conn // superuser: looks past row security
	clock time.Time
	n     int

	worker, duty, duty2, duty3, unit, otherUnit, approver, approver2, commander, viewer, foreign auth.By
}

// noon of a Monday at the office.
var start = time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC)

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{t: t, dsn: pgtest.Database(t), clock: start}
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	o.db, err = db.Open(context.Background(), db.Options{DSN: o.dsn.App})
	must(err)
	t.Cleanup(o.db.Close)
	reg, err := registry.Open(context.Background(), o.db.Bulk)
	must(err)
	o.s, err = Open(Options{DB: o.db, Catalogue: reg, Now: func() time.Time { return o.clock }})
	must(err)
	o.admin = pgtest.Connect(t, o.dsn.Admin)
	must(geo.Register(context.Background(), o.admin))
	o.exec(`insert into dataset (name, title) values ('ground', '底图')`)
	o.exec(`insert into admin (dataset, source_key, code, admin_code, name, rank, geom) select d.id, v.code, v.code, v.code, v.name, v.rank, st_setsrid(st_makeenvelope(v.x0, 34, v.x1, 34.4), 4490)
		from dataset d, (values ('990100', '示例县', 3, 119.0, 119.6), ('990100101', '甲镇', 4, 119.0, 119.3), ('990100102', '乙镇', 4, 119.3, 119.6), ('990100101001', '甲村', 5, 119.0, 119.2), ('990200', '邻县', 3, 120.0, 120.6)) v(code, name, rank, x0, x1)`)
	o.exec(`insert into grids (dataset, source_key, code, admin_code, name, geom) select d.id, 'g1', '` + grid + `', '` + grid + `', '甲村一格', st_setsrid(st_makeenvelope(119.0, 34, 119.1, 34.4), 4490) from dataset d`)
	o.worker = o.person("worker", auth.GridWorker, grid, "")
	o.duty, o.duty2, o.duty3 = o.person("duty", auth.DutyOfficer, county, "县应急局"), o.person("duty2", auth.DutyOfficer, county, "县应急局"), o.person("duty3", auth.DutyOfficer, county, "县应急局")
	o.unit, o.otherUnit = o.person("unit", auth.Unit, county, "县水利局"), o.person("unit2", auth.Unit, county, "县住建局")
	o.approver, o.approver2, o.commander = o.person("approver", auth.Approver, county, ""), o.person("approver2", auth.Approver, county, ""), o.person("commander", auth.Commander, county, "")
	o.viewer, o.foreign = o.person("viewer", auth.Viewer, county, ""), o.person("foreign", auth.DutyOfficer, "990200", "")
	return o
}

func (o *office) exec(sql string, args ...any) {
	o.t.Helper()
	if _, err := o.admin.Exec(context.Background(), sql, args...); err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
}

func one[T any](o *office, sql string, args ...any) T {
	o.t.Helper()
	var v T
	if err := o.admin.QueryRow(context.Background(), sql, args...).Scan(&v); err != nil {
		o.t.Fatalf("%s: %v", sql, err)
	}
	return v
}

func (o *office) person(name string, role auth.Role, area, department string) auth.By {
	o.t.Helper()
	id := one[string](o, `insert into auth.account (username, name, unit, department, state) values ($1, $2, '990100', nullif($3, ''), 'active') returning id::text`, "p."+name, "某"+name, department)
	grant := one[string](o, `insert into auth.role_grant (account, role, area, reason, valid_from) values ($1, $2, $3, '测试授权', '2020-01-01') returning id::text`, id, string(role), area)
	grants := []auth.Grant{{ID: grant, Account: id, Role: role, Area: area}}
	return auth.By{Request: "test", Identity: &auth.Identity{
		Kind: auth.Session, Account: id, Username: "p." + name, Name: "某" + name, ID: id, Grants: grants, Reach: auth.ReachOf(grants, start, 0),
	}}
}

func (o *office) id() string {
	o.n++
	return fmt.Sprintf("019c0000-0000-7000-8000-%012x", o.n)
}

const picture = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// report is a danger in the worker's grid.
func (o *office) report() Danger {
	o.t.Helper()
	d, created, err := o.s.Create(context.Background(), o.worker, NewDanger{ID: o.id(), Kind: "flood", Description: "堤脚渗水", InterimMeasure: "专人巡查", Geometry: orb.Point{119.05, 34.2}})
	if err != nil || !created {
		o.t.Fatalf("report: %v, created %v", err, created)
	}
	return d
}

var plan = &Plan{Responsibility: "县水利局局长", Measures: "灌浆", Funds: "30 万元，县财政", Deadline: "4 月底前", Contingency: "险情扩大即转移下游 80 人"}

func (o *office) take(by auth.By, d Danger, t Transition) Danger {
	o.t.Helper()
	out, err := o.s.Transition(context.Background(), by, d.ID, d.Version, t)
	if err != nil {
		o.t.Fatalf("%s to %s by %s: %v", d.State, t.To, by.Username, err)
	}
	return out
}

// at is a danger brought to a state in the usual way.
func (o *office) at(state State, level int) Danger {
	o.t.Helper()
	if state == Draft {
		d, _, err := o.s.Create(context.Background(), o.worker, NewDanger{ID: o.id(), Draft: true, Kind: "flood", Geometry: orb.Point{119.05, 34.2}})
		if err != nil {
			o.t.Fatal(err)
		}
		return d
	}
	d := o.report()
	if state == Rejected {
		return o.take(o.duty, d, Transition{To: Rejected, Note: "查无此事"})
	}
	for _, st := range []State{Verified, Graded, PendingApproval, Rectifying, Reviewing, Closed} {
		if d.State == state {
			return d
		}
		if st == PendingApproval && level == Ordinary {
			continue
		}
		switch st {
		case Verified:
			d = o.take(o.duty, d, Transition{To: Verified})
		case Graded:
			d = o.take(o.duty, d, Transition{To: Graded, Level: level, ResponsibleUnit: "县水利局", GradeBasis: "危害较小"})
		case PendingApproval:
			u, err := o.s.Danger(context.Background(), o.unit.Identity, d.ID)
			if err != nil {
				o.t.Fatal(err)
			}
			d = o.take(o.unit, u, Transition{To: PendingApproval, Plan: plan})
		case Rectifying:
			if level == Serious {
				d = o.take(o.approver, d, Transition{To: Rectifying})
			} else {
				d = o.take(o.duty, d, Transition{To: Rectifying})
			}
		case Reviewing:
			d = o.take(o.unit, d, Transition{To: Reviewing, Note: "已灌浆"})
		case Closed:
			if d.Listed {
				var err error
				if d, err = o.s.List(context.Background(), o.approver, d.ID, d.Version, false, "已治理"); err != nil {
					o.t.Fatal(err)
				}
			}
			d = o.take(o.duty2, d, Transition{To: Closed})
		}
	}
	if d.State != state {
		o.t.Fatalf("brought to %s, wanted %s", d.State, state)
	}
	return d
}

// code is what an error says in one word.
func code(err error) string {
	var st *StateError
	var bad *auth.Invalid
	var c *auth.Conflict
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &st):
		return st.Code
	case errors.As(err, &bad):
		return "invalid " + bad.Items[0].Path + " " + bad.Items[0].Code
	case errors.As(err, &c):
		return c.Code
	case errors.Is(err, auth.ErrForbidden):
		return "forbidden"
	case errors.Is(err, auth.ErrNotFound):
		return "absent"
	case errors.Is(err, auth.ErrStaleVersion):
		return "stale"
	case errors.As(err, &pg):
		return pg.Code
	}
	return err.Error()
}
