package jobs

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// exec does one statement as the program.
func (r *Runner) exec(ctx context.Context, name string, args ...any) (int64, error) {
	return r.execAs(ctx, "jobs", name, args...)
}

// execAs does it in somebody's name.
func (r *Runner) execAs(ctx context.Context, actor, name string, args ...any) (n int64, err error) {
	err = r.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, r.queries.Get(name), args...)
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("jobs: %s: %w", name, err)
	}
	return n, nil
}

// beat says that this node lives. It answers which of its jobs are still open, and
// whether somebody asked to cancel them.
func (r *Runner) beat(ctx context.Context) (map[string]bool, error) {
	open := map[string]bool{}
	err := r.pool.Tx(ctx, db.System("jobs"), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, r.queries.Get("beat"), r.node)
		if err != nil {
			return err
		}
		var id string
		var ask bool
		_, err = pgx.ForEachRow(rows, []any{&id, &ask}, func() error {
			open[id] = ask
			return nil
		})
		return err
	})
	return open, err
}

func (r *Runner) read(ctx context.Context, c db.Claims, name string, args ...any) ([]Job, error) {
	var out []Job
	err := r.pool.Ask(ctx, c, r.queries.Get(name), args, func(rows pgx.Rows) error {
		for rows.Next() {
			j, err := r.scan(rows)
			if err != nil {
				return err
			}
			out = append(out, j)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %s: %w", name, err)
	}
	return out, nil
}

func (r *Runner) scan(rows pgx.Rows) (Job, error) {
	var j Job
	var done, total int64
	var result, fault []byte
	var started, finished *time.Time
	var dead bool
	err := rows.Scan(&j.ID, &j.Kind, &j.Title.ZH, &j.Title.EN, &j.Object, &j.State, &done, &total, &j.What, &result, &fault, &j.By, &j.Name, &j.CreatedAt, &started, &finished, &dead)
	if err != nil {
		return Job{}, err
	}
	j.Done, j.Total, j.Result = int(done), int(total), result
	if total > 0 {
		j.Progress = min(1, float64(done)/float64(total))
	}
	if j.State == Done {
		j.Progress = 1
	}
	if started != nil {
		j.StartedAt = *started
	}
	if finished != nil {
		j.FinishedAt = *finished
	}
	if fault != nil {
		j.Error = new(Error)
		if err := json.Unmarshal(fault, j.Error); err != nil {
			return Job{}, err
		}
	}
	if dead { // nobody has written so yet
		j.State, j.Error = Failed, r.words(errInterrupted)
	}
	return j, nil
}
