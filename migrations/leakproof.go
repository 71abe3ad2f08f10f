package migrations

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// LeakproofStatement is what a DBA must run once, as superuser, and again after
// every update of the postgis extension: row-level security keeps an index from
// being used by an operator that could leak through errors, and PostGIS does not
// declare that && cannot. It compares bounding boxes and raises nothing.
const LeakproofStatement = `alter function geometry_overlaps(geometry, geometry) leakproof`

// MarkLeakproof declares && leakproof. pg_dump does not carry the mark, so it is
// set again at every start that has the right.
func MarkLeakproof(ctx context.Context, conn *pgx.Conn) error {
	var done bool
	if err := conn.QueryRow(ctx, `select proleakproof from pg_proc where oid = 'geometry_overlaps(geometry,geometry)'::regprocedure`).Scan(&done); err != nil {
		return fmt.Errorf("migrations: look up &&: %w", err)
	}
	if done {
		return nil
	}
	if _, err := conn.Exec(ctx, LeakproofStatement); err != nil {
		return fmt.Errorf("migrations: mark && leakproof (a superuser must run %q): %w", LeakproofStatement, err)
	}
	return nil
}
