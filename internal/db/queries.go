package db

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Queries are named SQL statements read from embedded files.
type Queries map[string]string

// LoadQueries reads every *.sql under dir. A file holds blocks that begin with a
// line "-- name: word"; lines before the first name are a comment. Two blocks of
// one name are an error.
func LoadQueries(fsys fs.FS, dir string) (Queries, error) {
	names, err := fs.Glob(fsys, dir+"/*.sql")
	if err != nil {
		return nil, fmt.Errorf("db: queries: %w", err)
	}
	q := Queries{}
	for _, file := range names {
		body, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, fmt.Errorf("db: queries: %w", err)
		}
		for i, block := range strings.Split("\n"+string(body), "\n-- name:") {
			if i == 0 {
				continue
			}
			name, sql, _ := strings.Cut(block, "\n")
			name = strings.TrimSpace(name)
			sql = strings.TrimSpace(sql)
			if name == "" || sql == "" {
				return nil, fmt.Errorf("db: queries: %s has an empty block", file)
			}
			if _, dup := q[name]; dup {
				return nil, fmt.Errorf("db: queries: %q is defined twice", name)
			}
			q[name] = sql
		}
	}
	return q, nil
}

// Get returns the statement. Asking for a name no file defines is a programming
// error that every start would meet, so it panics.
func (q Queries) Get(name string) string {
	sql, ok := q[name]
	if !ok {
		panic("db: no query named " + name)
	}
	return sql
}

// Prepare prepares every statement on conn and reports the first that the schema
// does not fit. Tests call it against a migrated database.
func (q Queries) Prepare(ctx context.Context, conn *pgx.Conn) error {
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if _, err := conn.Prepare(ctx, "check_"+name, q[name]); err != nil {
			return fmt.Errorf("db: query %s: %w", name, err)
		}
		if err := conn.Deallocate(ctx, "check_"+name); err != nil {
			return fmt.Errorf("db: query %s: %w", name, err)
		}
	}
	return nil
}
