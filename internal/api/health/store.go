package health

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/migrations"
	"onemap/tiles"
)

//go:embed queries/*.sql
var files embed.FS

// Checker asks the database, at most once per second however often it is asked.
type Checker struct {
	pool    *db.Pool
	queries db.Queries
	head    int

	mu   sync.Mutex // held while asking, so that a crowd asks once
	last Report
	at   time.Time
}

// Report is what was found. A nil error is good.
type Report struct {
	Database   error
	Migrations error
	Plan       error
	Role       error // the server's role stands above row security
	Version    int   // of the schema
	// Fix is what a DBA must run, "" when nothing.
	Fix string
}

// Open prepares the checks over the query pool.
func Open(d *db.DB) (*Checker, error) {
	q, err := db.LoadQueries(files, "queries")
	if err != nil {
		return nil, err
	}
	all, err := migrations.All()
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	return &Checker{pool: d.Query, queries: q, head: len(all)}, nil
}

// Check looks at everything.
func (c *Checker) Check(ctx context.Context) Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) < time.Second {
		return c.last
	}
	c.last, c.at = c.look(ctx), time.Now()
	return c.last
}

func (c *Checker) look(ctx context.Context) Report {
	var r Report
	r.Database = c.pool.Hold(ctx, func(conn *pgx.Conn) error {
		if err := conn.QueryRow(ctx, c.queries.Get("head")).Scan(&r.Version); err != nil {
			return fmt.Errorf("health: schema version: %w", err)
		}
		if r.Version != c.head {
			r.Migrations = fmt.Errorf("health: the database is at migration %d, this program at %d", r.Version, c.head)
			return nil
		}
		var above bool
		if err := conn.QueryRow(ctx, c.queries.Get("above_rights")).Scan(&above); err != nil {
			return fmt.Errorf("health: role: %w", err)
		}
		if above {
			r.Role = errors.New("health: the server's role is superuser, bypasses row security or owns the layer tables: --database-url must name the application role")
		}
		var reset *string
		if err := conn.QueryRow(ctx, c.queries.Get("row_security_off")).Scan(&reset); err != nil {
			return fmt.Errorf("health: row security: %w", err)
		}
		if reset != nil {
			r.Role = fmt.Errorf("health: the server's role has row_security off, new connections are refused every row: run %q", *reset)
			r.Fix = *reset
		}
		return nil
	})
	if r.Database != nil || r.Migrations != nil || r.Fix != "" {
		return r // no plan is made where every question is refused
	}
	// Two reaches: the whole, and a township, for which the planner knows other ways.
	for _, areas := range []geo.Scopes{{geo.Everywhere()}, {{Lo: 1_990_100_001_000_000, Hi: 1_990_100_001_999_999}}} {
		r.Plan, r.Database = c.plan(ctx, db.NewReach(db.Areas{Internal: areas}))
		if r.Database != nil {
			return r
		}
		if r.Plan != nil {
			r.Fix = migrations.LeakproofStatement
			return r
		}
	}
	return r
}

// plan asks how a tile would be found under a reach, with the claims set as for the
// tile itself and in the same round trip.
func (c *Checker) plan(ctx context.Context, reach db.Reach) (plan, broken error) {
	sql, args, err := tiles.Probe(reach)
	if err != nil {
		return nil, err
	}
	broken = c.pool.Hold(ctx, func(conn *pgx.Conn) error {
		var b pgx.Batch
		// A small table is read whole for good reason; the question is what a large one
		// would be.
		b.Queue(c.queries.Get("no_seqscan"))
		db.Claims{Actor: "health", Role: reach.Class(), Reach: reach}.Queue(&b)
		b.Queue(c.queries.Get("explain")+" "+sql, args...)
		res := conn.SendBatch(ctx, &b)
		defer res.Close()
		for range 2 {
			if _, err := res.Exec(); err != nil {
				return fmt.Errorf("health: plan: %w", err)
			}
		}
		var how json.RawMessage
		if err := res.QueryRow().Scan(&how); err != nil {
			return fmt.Errorf("health: plan: %w", err)
		}
		plan = usesIndex(how)
		return nil
	})
	return plan, broken
}

// usesIndex looks for the index condition anywhere in the plan. A filter with the
// same operator would not do.
func usesIndex(plan []byte) error {
	if strings.Contains(string(plan), `"Index Cond": "(geom && `) {
		return nil
	}
	return fmt.Errorf("health: tiles are not found by the spatial index under row security; a superuser must run %q: %s", migrations.LeakproofStatement, plan)
}
