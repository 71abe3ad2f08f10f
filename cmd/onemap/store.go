package main

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/migrations"
)

//go:embed queries/*.sql
var queryFiles embed.FS

// examine asks the database about itself.
func examine(ctx context.Context, conn *pgx.Conn) ([]finding, error) {
	q, err := db.LoadQueries(queryFiles, "queries")
	if err != nil {
		return nil, err
	}
	var out []finding
	add := func(ok bool, help, format string, args ...any) {
		out = append(out, finding{ok, fmt.Sprintf(format, args...), help})
	}

	var server, postgis, geos string
	if err := conn.QueryRow(ctx, q.Get("versions")).Scan(&server, &postgis, &geos); err != nil {
		return nil, fmt.Errorf("check: versions: %w", err)
	}
	add(true, "", "PostgreSQL %s · PostGIS %s · GEOS %s", server, postgis, geos)

	if err := migrations.Check(ctx, conn); err != nil {
		add(false, "onemap migrate", "%v", err)
	} else {
		add(true, "", "数据库结构 · schema")
	}

	leakproof, err := migrations.Leakproof(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	add(leakproof, "由 DBA 以超级用户执行 · a DBA must run as superuser: "+migrations.LeakproofStatement, "索引在行级安全下可用(leakproof 标记)· indexes serve under row security (leakproof marks)")

	rows, err := conn.Query(ctx, q.Get("durability"))
	if err != nil {
		return nil, fmt.Errorf("check: durability: %w", err)
	}
	var name, setting string
	if _, err := pgx.ForEachRow(rows, []any{&name, &setting}, func() error {
		add(setting == "on", "postgresql.conf: "+name+" = on", "%s = %s", name, setting)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("check: durability: %w", err)
	}

	rows, err = conn.Query(ctx, q.Get("missing_indexes"))
	if err != nil {
		return nil, fmt.Errorf("check: indexes: %w", err)
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("check: indexes: %w", err)
	}
	add(len(missing) == 0, "create index … using gist", "空间索引 · spatial indexes %v", missing)
	return out, nil
}
