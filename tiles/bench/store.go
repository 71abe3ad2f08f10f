package bench

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/db"
	"onemap/migrations"
	"onemap/tiles"
)

//go:embed queries/*.sql
var files embed.FS

// tables of the data set that become layers, with the attributes both paths carry.
var tables = []struct{ name, label string }{ //nolint:gochecknoglobals // a constant
	{"zones", "code"}, {"hazards_major", "name"}, {"hazards", "name"}, {"roads_major", "name"}, {"roads", "name"}, {"buildings", ""},
}

// Server says how to reach the PostgreSQL to measure on.
type Server struct {
	// DSN names a database of the server as its superuser.
	DSN func(database string) string
	// AppDSN is the same as the application's role.
	AppDSN func(database string) string
}

// Prepare builds the database, or finds it ready, and gives its name.
func Prepare(ctx context.Context, s Server, set string, say func(string, ...any)) (string, error) {
	q, err := db.LoadQueries(files, "queries")
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(set, "dataset.sql"))
	if err != nil {
		return "", fmt.Errorf("bench: the data set is not there (name its folder with --set): %w", err)
	}
	sum := sha256.Sum256(append(script, q.Get("finish")...))
	mark := "onemap bench " + hex.EncodeToString(sum[:8])
	const name = "onemap_bench"

	var ready bool
	err = with(ctx, s.DSN(name), func(conn *pgx.Conn) error { return conn.QueryRow(ctx, q.Get("ready"), mark).Scan(&ready) })
	var pg *pgconn.PgError
	if err != nil && !(errors.As(err, &pg) && pg.Code == "3D000") {
		return "", fmt.Errorf("bench: %w", err)
	}
	if ready {
		// The data is what costs time; the schema may have moved on.
		err := with(ctx, s.DSN(name), func(conn *pgx.Conn) error { return migrations.Apply(ctx, conn) })
		if !errors.Is(err, migrations.ErrChanged) && !errors.Is(err, migrations.ErrNewer) {
			return name, err
		}
		say("built by another version: again")
	}
	if err := with(ctx, s.DSN("postgres"), func(conn *pgx.Conn) error {
		for _, sql := range []string{"drop database if exists " + name, "create database " + name + " template template0 encoding 'UTF8'"} {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return "", fmt.Errorf("bench: create database: %w", err)
	}
	return name, with(ctx, s.DSN(name), func(conn *pgx.Conn) error {
		say("schema")
		if err := migrations.Apply(ctx, conn); err != nil {
			return err
		}
		say("data set (two to three minutes)")
		for _, sql := range []string{q.Get("schema"), sqlOf(string(script)), q.Get("finish"), q.Get("analyze")} {
			// The simple protocol takes many statements at once, as psql would send.
			if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
				return fmt.Errorf("bench: load: %w", err)
			}
		}
		say("layers")
		for _, t := range tables {
			if _, err := tiles.Publish(ctx, conn, "bench."+t.name, tiles.PublishOptions{
				ID: "bench_" + t.name, GeomColumn: "geom", LabelField: t.label, MaxZoom: 16,
			}); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, "comment on database "+name+" is '"+mark+"'") // mark: our own words and hex digits
		return err
	})
}

// sqlOf leaves out what only psql understands.
func sqlOf(script string) string {
	lines := strings.Split(script, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, `\`) {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

func with(ctx context.Context, dsn string, fn func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return fn(conn)
}

// rival asks for tiles by ST_AsMVT over the stored Mercator coordinates.
type rival struct {
	pool *db.DB
	q    db.Queries
	pid  int
}

func newRival(ctx context.Context, dsn string) (*rival, error) {
	q, err := db.LoadQueries(files, "queries")
	if err != nil {
		return nil, err
	}
	d, err := openOne(ctx, dsn)
	if err != nil {
		return nil, err
	}
	r := &rival{pool: d, q: q}
	if r.pid, err = backend(ctx, d.Query, q); err != nil {
		d.Close()
		return nil, err
	}
	return r, nil
}

// openOne keeps one connection for queries, so that one backend's CPU is all.
func openOne(ctx context.Context, dsn string) (*db.DB, error) {
	return db.Open(ctx, db.Options{DSN: dsn, QueryConns: 1, IntakeConns: 1, BulkConns: 1, QueryTimeout: time.Minute})
}

func backend(ctx context.Context, pool *db.Pool, q db.Queries) (pid int, err error) {
	err = pool.Hold(ctx, func(conn *pgx.Conn) error { return conn.QueryRow(ctx, q.Get("pid")).Scan(&pid) })
	return pid, err
}

func (r *rival) tile(ctx context.Context, t tile, columns map[string][]string) (int, error) {
	names := layersAt(t.z)
	layers := make([]string, len(names))
	for i, name := range names {
		cols := make([]string, len(columns[name]))
		for j, c := range columns[name] {
			cols[j] = "r." + pgx.Identifier{c}.Sanitize()
		}
		layers[i] = strings.NewReplacer("{name}", "'bench_"+name+"'", "{columns}", strings.Join(append([]string{"r.id"}, cols...), ", "),
			"{table}", pgx.Identifier{"bench", name}.Sanitize()).Replace(r.q.Get("raw_layer"))
	}
	sql := "select " + strings.Join(layers, " || ")
	n := 0
	err := r.pool.Query.Hold(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, sql, t.z, t.x, t.y)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			n += len(rows.RawValues()[0])
		}
		return rows.Err()
	})
	return n, err
}
