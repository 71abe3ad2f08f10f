// Package migrations holds the schema as embedded, forward-only SQL and applies it.
//
// Every file is one transaction. A session advisory lock makes one of several
// starting nodes migrate while the others wait; a content hash makes a changed
// file an error instead of a silently different database. The package imports
// nothing of ours. Callers pass a connection that may create extensions and roles
// (the private cluster's superuser, or --admin-url); the server's own role never
// migrates.
package migrations

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed *.sql
var files embed.FS

// lockKey is the advisory lock of "somebody is migrating this database".
const lockKey = 0x6F6E656D6170 // "onemap"

var (
	// ErrChanged means an applied migration differs from the one in this binary.
	ErrChanged = errors.New("migrations: an applied migration was changed")
	// ErrNewer means the database was migrated by a newer binary.
	ErrNewer = errors.New("migrations: the database is newer than this program")
	// ErrBehind means migrations are missing; see [Check].
	ErrBehind = errors.New("migrations: the database is behind this program")
)

// Migration is one embedded file.
type Migration struct {
	Version int
	Name    string
	SQL     string
	SHA256  string
}

var fileName = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)

// All returns the embedded migrations in order, numbered 1..n without a gap.
func All() ([]Migration, error) { return load(files) }

func load(fsys fs.FS) ([]Migration, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("migrations: read embedded files: %w", err)
	}
	var all []Migration
	for _, e := range entries {
		m := fileName.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		body, err := fs.ReadFile(fsys, e.Name())
		if err != nil {
			return nil, fmt.Errorf("migrations: read %s: %w", e.Name(), err)
		}
		version, _ := strconv.Atoi(m[1])
		sum := sha256.Sum256(body)
		all = append(all, Migration{Version: version, Name: m[2], SQL: string(body), SHA256: hex.EncodeToString(sum[:])})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Version < all[j].Version })
	for i, m := range all {
		if m.Version != i+1 {
			return nil, fmt.Errorf("migrations: file %04d_%s stands at place %d; numbers must run without a gap", m.Version, m.Name, i+1)
		}
	}
	return all, nil
}

// Fingerprint is one hash over all embedded migrations. Tests name their template
// database after it.
func Fingerprint() (string, error) {
	all, err := All()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, m := range all {
		fmt.Fprintf(h, "%d %s\n", m.Version, m.SHA256)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// Apply brings the database to this program's schema.
func Apply(ctx context.Context, conn *pgx.Conn) error {
	all, err := All()
	if err != nil {
		return err
	}
	return apply(ctx, conn, all)
}

// Check reports whether the database has exactly this program's schema, without
// changing anything: nil, [ErrBehind], [ErrNewer] or [ErrChanged].
func Check(ctx context.Context, conn *pgx.Conn) error {
	all, err := All()
	if err != nil {
		return err
	}
	var exists bool
	if err := conn.QueryRow(ctx, `select to_regclass('public.schema_migration') is not null`).Scan(&exists); err != nil {
		return fmt.Errorf("migrations: look for schema_migration: %w", err)
	}
	if !exists {
		return fmt.Errorf("%w: it is empty", ErrBehind)
	}
	applied, err := appliedHashes(ctx, conn)
	if err != nil {
		return err
	}
	if err := compare(all, applied); err != nil {
		return err
	}
	if len(applied) < len(all) {
		return fmt.Errorf("%w: it is at %04d, the program at %04d", ErrBehind, len(applied), len(all))
	}
	return nil
}

func apply(ctx context.Context, conn *pgx.Conn, all []Migration) (err error) {
	if _, err := conn.Exec(ctx, `select pg_advisory_lock($1)`, int64(lockKey)); err != nil {
		return fmt.Errorf("migrations: wait for the lock: %w", err)
	}
	defer func() {
		// A cancelled context must not leave the lock on a pooled connection.
		unlockCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, uerr := conn.Exec(unlockCtx, `select pg_advisory_unlock($1)`, int64(lockKey)); uerr != nil && err == nil {
			err = fmt.Errorf("migrations: release the lock: %w", uerr)
		}
	}()
	if _, err := conn.Exec(ctx, `create table if not exists public.schema_migration (
		version integer primary key, name text not null, sha256 text not null,
		applied_at timestamptz not null default now())`); err != nil {
		return fmt.Errorf("migrations: make schema_migration: %w", err)
	}
	applied, err := appliedHashes(ctx, conn)
	if err != nil {
		return err
	}
	if err := compare(all, applied); err != nil {
		return err
	}
	for _, m := range all[len(applied):] {
		if err := applyOne(ctx, conn, m); err != nil {
			return err
		}
	}
	return nil
}

func appliedHashes(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `select sha256 from public.schema_migration order by version`)
	if err != nil {
		return nil, fmt.Errorf("migrations: read schema_migration: %w", err)
	}
	hashes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("migrations: read schema_migration: %w", err)
	}
	return hashes, nil
}

func compare(all []Migration, applied []string) error {
	if len(applied) > len(all) {
		return fmt.Errorf("%w: it is at %04d, the program at %04d; start the newer program", ErrNewer, len(applied), len(all))
	}
	for i, sum := range applied {
		if all[i].SHA256 != sum {
			return fmt.Errorf("%w: %04d_%s", ErrChanged, all[i].Version, all[i].Name)
		}
	}
	return nil
}

func applyOne(ctx context.Context, conn *pgx.Conn, m Migration) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Waiting for a lock behind a long reader would block every later query.
		if _, err := tx.Exec(ctx, `set local lock_timeout = '5s'`); err != nil {
			return err
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, m.SQL).ReadAll(); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into public.schema_migration (version, name, sha256) values ($1, $2, $3)`, m.Version, m.Name, m.SHA256)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrations: %04d_%s%s: %w", m.Version, m.Name, place(m.SQL, err), err)
	}
	return nil
}

// place names the line of the file an error points at.
func place(sql string, err error) string {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Position <= 0 || int(pg.Position) > len(sql) {
		return ""
	}
	runes := []rune(sql)
	at := min(int(pg.Position)-1, len(runes))
	return fmt.Sprintf(" line %d", 1+strings.Count(string(runes[:at]), "\n"))
}
