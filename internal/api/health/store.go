package health

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/migrations"
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
	Version    int // of the schema
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
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			if err := tx.QueryRow(ctx, c.queries.Get("head")).Scan(&r.Version); err != nil {
				return fmt.Errorf("health: schema version: %w", err)
			}
			if r.Version != c.head {
				r.Migrations = fmt.Errorf("health: the database is at migration %d, this program at %d", r.Version, c.head)
			}
			if _, err := tx.Exec(ctx, c.queries.Get("no_seqscan")); err != nil {
				return fmt.Errorf("health: plan: %w", err)
			}
			var plan json.RawMessage
			if err := tx.QueryRow(ctx, c.queries.Get("plan")).Scan(&plan); err != nil {
				return fmt.Errorf("health: plan: %w", err)
			}
			r.Plan = usesIndex(plan)
			return nil
		})
	})
	return r
}

// usesIndex looks for the index condition anywhere in the plan. A filter with the
// same operator would not do.
func usesIndex(plan []byte) error {
	if strings.Contains(string(plan), `"Index Cond": "(geom && `) {
		return nil
	}
	return fmt.Errorf("health: the spatial index is not used: %s", plan)
}
