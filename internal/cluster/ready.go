package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// fullPatience is how long a start waits for a server that is up but cannot
// serve a connection because the disk is full.
const fullPatience = 5 * time.Second

// waitReady waits until our own child serves connections. Recovery after a
// crash may take long; only the end of the child or of ctx cuts it short.
func (c *Cluster) waitReady(ctx context.Context, ch *child, logStart int64) error {
	start := time.Now()
	nextWord := start.Add(5 * time.Second)
	var lastErr error
	for {
		if c.claimsReady(ch) {
			err := c.verify(ctx)
			if err == nil {
				return nil
			}
			if _, ours := errors.AsType[*Error](err); ours {
				return err
			}
			lastErr = err
			if saysDiskFull(err.Error()) && time.Since(start) > fullPatience {
				return c.diskFull(err)
			}
		}
		select {
		case <-ch.exited:
			return c.startFailure(ch.err, logStart)
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), lastErr)
		case <-time.After(15 * time.Millisecond):
		}
		if time.Now().After(nextWord) {
			c.log.Info("cluster: waiting for PostgreSQL (recovery after a crash takes its time)",
				"waited", time.Since(start).Round(time.Second), "log", c.logTail(logStart, 1))
			nextWord = time.Now().Add(5 * time.Second)
		}
	}
}

// claimsReady reads postmaster.pid: line 1 is the pid, line 8 the state.
func (c *Cluster) claimsReady(ch *child) bool {
	text, err := os.ReadFile(filepath.Join(c.pgDir, "postmaster.pid"))
	if err != nil {
		return false
	}
	pid, ok := parsePID(string(text))
	lines := strings.Split(string(text), "\n")
	return ok && pid == ch.pid && len(lines) >= 8 && strings.TrimSpace(lines[7]) == "ready"
}

func (c *Cluster) startFailure(exit error, logStart int64) *Error {
	tail := c.logTail(logStart, 15)
	e := fail(CodeStart, "PostgreSQL 未能启动。PostgreSQL did not start", exit)
	if saysDiskFull(tail) {
		e = c.diskFull(exit)
	}
	e.Log = tail
	return e
}

func (c *Cluster) connect(ctx context.Context, database, role string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return pgx.Connect(ctx, c.DSN(database, role))
}

// verify asks the server who it is and how it keeps its promises.
func (c *Cluster) verify(ctx context.Context) error {
	conn, err := c.connect(ctx, "postgres", Superuser)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	want, err := systemIdentifier(c.pgDir)
	if err != nil {
		return fmt.Errorf("cluster: read pg_control: %w", err)
	}
	var id int64
	if err := conn.QueryRow(ctx, queryIdentifier).Scan(&id); err != nil {
		return fmt.Errorf("cluster: ask for the system identifier: %w", err)
	}
	if uint64(id) != want {
		return fail(CodeStart, "套接字上应答的是另一个数据库。Another database answers on our socket: "+c.socketDir, nil)
	}
	expect := durable()
	expect["data_checksums"] = "on"
	for name, value := range expect {
		if v, ok := c.opts.Settings[name]; ok {
			value = v
		}
		var got string
		if err := conn.QueryRow(ctx, querySetting, name).Scan(&got); err != nil {
			return fmt.Errorf("cluster: ask for %s: %w", name, err)
		}
		if got != value {
			return fail(CodeUnsafe, fmt.Sprintf(
				"PostgreSQL 的 %s 是 %s，应为 %s，已确认的数据可能丢失，拒绝启动。PostgreSQL runs with %s = %s instead of %s: acknowledged data could be lost, refusing to start.",
				name, got, value, name, got, value), nil)
		}
	}
	return nil
}

// systemIdentifier is the first field of global/pg_control, in the byte order
// of the machine that wrote it; PostgreSQL itself refuses another order.
func systemIdentifier(pgDir string) (uint64, error) {
	f, err := os.Open(filepath.Join(pgDir, "global", "pg_control"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var id uint64
	err = binary.Read(f, binary.NativeEndian, &id)
	return id, err
}

const (
	queryIdentifier = `SELECT system_identifier FROM pg_control_system()`
	querySetting    = `SELECT current_setting($1)`
	queryRole       = `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`
	queryDatabase   = `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`
)

// furnish creates the roles and the database, once.
func (c *Cluster) furnish(ctx context.Context) error {
	conn, err := c.connect(ctx, "postgres", Superuser)
	if err != nil {
		return fmt.Errorf("cluster: connect as %s: %w", Superuser, err)
	}
	defer conn.Close(ctx)
	steps := []struct{ query, name, statement string }{
		{queryRole, OwnerRole, "CREATE ROLE " + OwnerRole + " LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"},
		{queryRole, AppRole, "CREATE ROLE " + AppRole + " LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"},
		{queryDatabase, Database, "CREATE DATABASE " + Database + " OWNER " + OwnerRole +
			" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"},
	}
	for _, s := range steps {
		var exists bool
		if err := conn.QueryRow(ctx, s.query, s.name).Scan(&exists); err != nil {
			return fmt.Errorf("cluster: look for %s: %w", s.name, err)
		}
		if exists {
			continue
		}
		if _, err := conn.Exec(ctx, s.statement); err != nil {
			if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "53100" {
				return c.diskFull(err)
			}
			return fmt.Errorf("cluster: create %s: %w", s.name, err)
		}
	}
	return nil
}
