package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/cluster"
	"onemap/internal/db"
	"onemap/migrations"
)

// database is an open database and the way to let go of it.
type database struct {
	*db.DB
	cluster  *cluster.Cluster // nil with --database-url
	adminDSN string           // "" when only the application role is known
}

// openServing starts the private cluster, or uses --database-url, and brings the
// schema up to date. With --database-url alone nothing is migrated: the schema
// must already fit.
func openServing(ctx context.Context, f *flags, log *slog.Logger) (*database, error) {
	return open(ctx, f, log, func(o cluster.Options) (*cluster.Cluster, error) {
		c, err := cluster.New(o)
		if err != nil {
			return nil, err
		}
		return c, c.Start(ctx)
	})
}

// openOffline joins the cluster of a running server, or starts one for the time
// of the command.
func openOffline(ctx context.Context, f *flags, log *slog.Logger) (*database, error) {
	return open(ctx, f, log, func(o cluster.Options) (*cluster.Cluster, error) {
		c, _, err := cluster.Join(ctx, o)
		return c, err
	})
}

func open(ctx context.Context, f *flags, log *slog.Logger, start func(cluster.Options) (*cluster.Cluster, error)) (_ *database, err error) {
	d := &database{adminDSN: f.AdminURL}
	appDSN := f.DatabaseURL
	if appDSN == "" {
		c, err := start(cluster.Options{DataDir: f.Data, XDGRuntimeDir: f.env.getenv("XDG_RUNTIME_DIR"), Logger: log})
		if err != nil {
			return nil, err
		}
		d.cluster = c
		appDSN = c.DSN(cluster.Database, cluster.AppRole)
		d.adminDSN = c.DSN(cluster.Database, cluster.Superuser)
	}
	defer func() {
		if err != nil {
			d.close(log)
		}
	}()
	if err := d.prepareSchema(ctx, appDSN, log); err != nil {
		return nil, err
	}
	if d.DB, err = db.Open(ctx, db.Options{DSN: appDSN}); err != nil {
		return nil, err
	}
	return d, d.Ping(ctx)
}

func (d *database) prepareSchema(ctx context.Context, appDSN string, log *slog.Logger) error {
	if d.adminDSN == "" {
		return withConn(ctx, appDSN, func(conn *pgx.Conn) error {
			err := migrations.Check(ctx, conn)
			if errors.Is(err, migrations.ErrBehind) {
				return fmt.Errorf("%w; 请用 --admin-url 运行 onemap migrate · run onemap migrate with --admin-url", err)
			}
			return err
		})
	}
	return withConn(ctx, d.adminDSN, func(conn *pgx.Conn) error {
		if err := migrations.Apply(ctx, conn); err != nil {
			return err
		}
		if err := migrations.MarkLeakproof(ctx, conn); err != nil {
			// Not fatal: readiness checks the plan itself and says what is missing.
			log.Warn("leakproof", "err", err)
		}
		return nil
	})
}

func withConn(ctx context.Context, dsn string, fn func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("连接数据库 · connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return fn(conn)
}

// close lets go of pools first, then of the cluster; it runs also after the
// command's context has ended.
func (d *database) close(log *slog.Logger) {
	if d.DB != nil {
		d.DB.Close()
	}
	if d.cluster != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := d.cluster.Stop(ctx); err != nil {
			log.Error("cluster stop", "err", err)
		}
	}
}
