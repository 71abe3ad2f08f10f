package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"onemap/internal/geo"
)

// ErrBusy means no connection became free in time. The caller answers 503 with
// Retry-After instead of queueing: in an emergency load peaks exactly then.
var ErrBusy = errors.New("db: all connections are busy")

// ErrUnavailable means the database went away or is not back yet; asking again in
// a moment is right.
var ErrUnavailable = errors.New("db: the database is not available")

// Options say where the database is and how much of it each pool may use. Zero
// values take the defaults.
type Options struct {
	DSN         string // app role
	IntakeConns int32  // default 6
	QueryConns  int32  // default 8
	BulkConns   int32  // default 4

	QueryTimeout  time.Duration // statement_timeout of Query, default 5 s
	IntakeTimeout time.Duration // default 5 s
	BulkTimeout   time.Duration // default 10 min; write transactions stay under 1 s by their own chunking
	AcquireWait   time.Duration // bounded wait for a connection, default 2 s
}

func (o Options) withDefaults() Options {
	o.IntakeConns = orDefault(o.IntakeConns, 6)
	o.QueryConns = orDefault(o.QueryConns, 8)
	o.BulkConns = orDefault(o.BulkConns, 4)
	o.QueryTimeout = orDefault(o.QueryTimeout, 5*time.Second)
	o.IntakeTimeout = orDefault(o.IntakeTimeout, 5*time.Second)
	o.BulkTimeout = orDefault(o.BulkTimeout, 10*time.Minute)
	o.AcquireWait = orDefault(o.AcquireWait, 2*time.Second)
	return o
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// DB is the three pools.
type DB struct {
	Intake *Pool
	Query  *Pool
	Bulk   *Pool
	opts   Options
}

// Pool is a bounded set of connections with a bounded wait.
type Pool struct {
	*pgxpool.Pool
	wait time.Duration
}

// Open makes the pools. It does not wait for the server; use [DB.Ping].
func Open(ctx context.Context, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	d := &DB{opts: opts}
	for _, p := range []struct {
		into     **Pool
		name     string
		conns    int32
		timeout  time.Duration
		readOnly bool
	}{
		{&d.Intake, "intake", opts.IntakeConns, opts.IntakeTimeout, false},
		{&d.Query, "query", opts.QueryConns, opts.QueryTimeout, true},
		{&d.Bulk, "bulk", opts.BulkConns, opts.BulkTimeout, false},
	} {
		cfg, err := pgxpool.ParseConfig(opts.DSN)
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("db: connection string: %w", err)
		}
		configure(cfg.ConnConfig, p.name, p.timeout, p.readOnly)
		cfg.ConnConfig.BuildContextWatcherHandler = cancelPolitely
		cfg.MaxConns = p.conns
		cfg.MaxConnLifetime = 30 * time.Minute
		cfg.MaxConnLifetimeJitter = 5 * time.Minute
		cfg.MaxConnIdleTime = 5 * time.Minute
		cfg.HealthCheckPeriod = 5 * time.Second
		cfg.AfterConnect = geo.Register
		pool, err := pgxpool.NewWithConfig(ctx, cfg)
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("db: pool %s: %w", p.name, err)
		}
		*p.into = &Pool{Pool: pool, wait: opts.AcquireWait}
	}
	return d, nil
}

// cancelPolitely asks the server to stop and keeps the connection. The default
// breaks it, so that every abandoned tile would cost a reconnect.
func cancelPolitely(c *pgconn.PgConn) ctxwatch.Handler {
	return &pgconn.CancelRequestContextWatcherHandler{Conn: c, CancelRequestDelay: 0, DeadlineDelay: 5 * time.Second}
}

// configure sets what every connection of ours has in common.
func configure(cfg *pgx.ConnConfig, name string, timeout time.Duration, readOnly bool) {
	rp := cfg.RuntimeParams
	rp["application_name"] = "onemap " + name
	rp["statement_timeout"] = strconv.FormatInt(timeout.Milliseconds(), 10)
	rp["lock_timeout"] = "2000"
	rp["idle_in_transaction_session_timeout"] = "15000"
	rp["timezone"] = "UTC"
	// Parallel workers help one tile and starve the others; a generic plan for an
	// area predicate reads the whole table (reliability: x170).
	rp["max_parallel_workers_per_gather"] = "0"
	rp["plan_cache_mode"] = "force_custom_plan"
	rp["jit"] = "off"
	if readOnly {
		rp["default_transaction_read_only"] = "on"
	}
}

// Connect opens one connection outside the pools: the feed reader's own, so that
// no pool can starve it. A cancelled context breaks it at once, because one that
// waits for notifications has no query a cancel request could end.
func (d *DB) Connect(ctx context.Context, name string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(d.opts.DSN)
	if err != nil {
		return nil, fmt.Errorf("db: connection string: %w", err)
	}
	configure(cfg, name, 30*time.Second, false)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("db: connect %s: %w", name, err)
	}
	if err := geo.Register(ctx, conn); err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("db: register geometry: %w", err)
	}
	return conn, nil
}

// Ping asks each pool for a connection.
func (d *DB) Ping(ctx context.Context) error {
	for _, p := range []*Pool{d.Intake, d.Query, d.Bulk} {
		if err := p.Ping(ctx); err != nil {
			return fmt.Errorf("db: ping: %w", err)
		}
	}
	return nil
}

// Close ends all connections and waits for those in use.
func (d *DB) Close() {
	for _, p := range []*Pool{d.Intake, d.Query, d.Bulk} {
		if p != nil {
			p.Pool.Close()
		}
	}
}

// Hold takes a connection, waiting at most the pool's bound, and gives it to fn.
// [ErrBusy] when none came free, [ErrUnavailable] when the server is gone or the
// connection broke under fn; the caller's own cancellation is passed through.
func (p *Pool) Hold(ctx context.Context, fn func(*pgx.Conn) error) error {
	waitCtx, cancel := context.WithTimeout(ctx, p.wait)
	conn, err := p.Acquire(waitCtx)
	cancel()
	if err != nil {
		if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
			return ErrBusy
		}
		if ctx.Err() != nil {
			return fmt.Errorf("db: acquire: %w", err)
		}
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer conn.Release()
	err = fn(conn.Conn())
	if err != nil && mustDrop(err) {
		// A demoted server answers 25006 on a healthy connection for ever.
		_ = conn.Conn().Close(context.WithoutCancel(ctx))
	}
	if err != nil && ctx.Err() == nil && conn.Conn().IsClosed() {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

func mustDrop(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		return false
	}
	return pg.Code == "25006" || pg.Code[:2] == "08" || pg.Code == "57P01" || pg.Code == "57P02" || pg.Code == "57P03"
}
