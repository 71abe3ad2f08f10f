package zoning

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/jobs"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// The environment of the second process: its database, and what it works on.
const (
	killedDSN  = "ONEMAP_KILLED_DSN"
	killedKind = "ONEMAP_KILLED_KIND"
	killedOn   = "ONEMAP_KILLED_ON"
)

func killedSpec() ComputeSpec {
	return ComputeSpec{Unit: UnitVillage, Indicators: []IndicatorSpec{one("population_density", "")}, Classify: jenks()}
}

// toBeKilled is what the second process does: a server's node that starts one job.
func toBeKilled(ctx context.Context) error {
	d, err := db.Open(ctx, db.Options{DSN: os.Getenv(killedDSN)})
	if err != nil {
		return err
	}
	reg, err := registry.Open(ctx, d.Bulk)
	if err != nil {
		return err
	}
	s, err := Open(Options{DB: d, Catalogue: reg})
	if err != nil {
		return err
	}
	r, err := jobs.Open(jobs.Options{DB: d})
	if err != nil {
		return err
	}
	by, on := somebody(1, auth.Planner, county), os.Getenv(killedOn)
	work := func(ctx context.Context, step func(int, int, string)) (any, error) {
		if os.Getenv(killedKind) == "compute" {
			return s.Compute(ctx, by, on, killedSpec(), step)
		}
		return s.Import(ctx, by, on, ImportMapping{Title: "既有区划", Hazard: "flood", Kind: Risk, Area: county, Exhaustive: new(true)}, step)
	}
	if _, err := r.Start(ctx, by, "plan."+os.Getenv(killedKind), "任务", "Job", "", work); err != nil {
		return err
	}
	return r.Run(ctx)
}

// TestAKilledJobHarmsNothing: a process that is killed (kill -9) when a computation or an
// import has written its zones, before it has written all, leaves nothing of them; the job
// is failed, interrupted, and can be started again.
func TestAKilledJobHarmsNothing(t *testing.T) {
	if os.Getenv(killedDSN) != "" {
		if err := toBeKilled(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	dsn := pgtest.Database(t)
	d := &district{table: newTableOn(t, dsn, db.Options{DSN: dsn.App})}
	d.unit(county, 3, "测试县", box(0, 0, 6*side, side))
	for v := range 6 {
		x := float64(v * side)
		d.unit(fmt.Sprintf("%s001%03d", county, v+1), 5, fmt.Sprintf("村%d", v+1), box(x, 0, x+side, side))
		d.people(6, v, 100*(v+1)*(v+1), 1)
	}
	draft := d.draft(Risk, "", true)
	read, err := d.s.ReadImport(t.Context(), d.by, ImportFile{Name: "existing.geojson", Path: writeJSON(t, existing())})
	if err != nil {
		t.Fatal(explain(err))
	}
	everything := func() (text string) {
		d.scan(&text, `select (select count(*) || ' plans ' || string_agg(p::text, ';') from plan p) || (select count(*) || ' zones' from zones) || (select count(*) || ' steps' from plan_edit)
			|| (select count(*) || ' events' from plan_event) || (select count(*) || ' uploads' from plan_import)`)
		return text + d.state(draft)
	}
	for done, c := range []struct{ kind, on, last string }{
		{"compute", draft, "plan_edit"}, // the table it writes after the zones
		{"import", read.ID, "plan_event"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			before := everything()
			gate := pgtest.Connect(t, dsn.Admin)
			tx, err := gate.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(t.Context(), `lock table `+c.last+` in exclusive mode`); err != nil {
				t.Fatal(err)
			}
			killed := exec.Command(os.Args[0], "-test.run=^"+t.Name()[:len("TestAKilledJobHarmsNothing")]+"$")
			killed.Env = append(os.Environ(), killedDSN+"="+dsn.App, killedKind+"="+c.kind, killedOn+"="+c.on)
			var said bytes.Buffer
			killed.Stdout, killed.Stderr = &said, &said
			if err := killed.Start(); err != nil {
				t.Fatal(err)
			}
			gone := make(chan struct{})
			go func() {
				_ = killed.Wait() // killed: no answer of interest
				close(gone)
			}()
			for waits := false; !waits; {
				select {
				case <-gone:
					t.Fatalf("it ended by itself: %s", said.String())
				case <-time.After(20 * time.Millisecond):
				}
				var failed int
				d.scan(&waits, `select exists (select from pg_locks where not granted and relation = $1::regclass)`, c.last)
				if d.scan(&failed, `select count(*) from job where state = 'failed'`); failed > done {
					var why string
					d.scan(&why, `select error::text from job where state = 'failed' order by created_at desc limit 1`)
					_ = killed.Process.Kill()
					t.Fatalf("the job failed: %s", why)
				}
			}
			if err := killed.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-gone
			if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.until(t, `select not exists (select from pg_stat_activity where datname = current_database() and usename = 'onemap_app' and state <> 'idle' and pid <> pg_backend_pid() and xact_start is not null)`)
			if after := everything(); after != before {
				t.Errorf("killed, it left\n%.600s\nwhere there was\n%.600s", after, before)
			}
			// A minute later, on whichever node.
			d.exec(`update job set heartbeat = now() - interval '2 minutes' where state in ('queued', 'running')`)
			r, err := jobs.Open(jobs.Options{DB: d.s.db})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			over := make(chan error, 1)
			go func() { over <- r.Run(ctx) }()
			d.until(t, `select not exists (select from job where state in ('queued', 'running'))`)
			stop()
			if err := <-over; err != nil {
				t.Error(err)
			}
			var id string
			d.scan(&id, `select id::text from job where kind = $1`, "plan."+c.kind)
			if j, err := r.Get(t.Context(), d.by.Identity, id); err != nil || j.State != jobs.Failed || j.Error == nil || j.Error.Code != "interrupted" {
				t.Errorf("the job is %+v (%v)", j, err)
			}
			// And again, by a process that lives.
			if c.kind == "compute" {
				if r := d.mustCompute(draft, killedSpec()); r.Zones != 6 {
					t.Errorf("%+v", r)
				}
				d.whole(draft)
			} else if _, err := d.s.Import(t.Context(), d.by, read.ID, mapping(read), nil); err != nil {
				t.Error(explain(err))
			}
		})
	}
}

// until waits for a statement to become true; the test's own deadline is the limit.
func (w *table) until(t *testing.T, sql string) {
	t.Helper()
	for {
		var is bool
		if err := w.admin.QueryRow(t.Context(), sql).Scan(&is); err != nil {
			t.Fatal(err)
		}
		if is {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
