package migrations

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// LeakproofStatement is what a DBA must run once, as superuser, and again after
// every update of the postgis extension or of PostgreSQL: row-level security keeps an
// index from being used by an operator that could leak through errors, and these
// declare no such promise. What each is for, and why it is honest, is in ADR 0009:
// && of shapes and of ranges compare boxes and bounds and raise nothing, the third
// lets the planner use its statistics of scopes, LIKE raises only for a pattern that
// ends in a lone backslash, which this program never sends.
const LeakproofStatement = `alter function geometry_overlaps(geometry, geometry) leakproof; ` +
	`alter function range_overlaps(anyrange, anyrange) leakproof; ` +
	`alter function int8range_subdiff(int8, int8) leakproof; ` +
	`alter function textlike(text, text) leakproof; ` +
	`alter function texticlike(text, text) leakproof`

// leakproofMarked asks whether all of them are.
const leakproofMarked = `select bool_and(proleakproof) from pg_proc where oid = any (array[
	'geometry_overlaps(geometry,geometry)'::regprocedure, 'range_overlaps(anyrange,anyrange)'::regprocedure, 'int8range_subdiff(int8,int8)'::regprocedure,
	'textlike(text,text)'::regprocedure, 'texticlike(text,text)'::regprocedure])`

// Leakproof says whether [LeakproofStatement] holds in this database.
func Leakproof(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var done bool
	if err := conn.QueryRow(ctx, leakproofMarked).Scan(&done); err != nil {
		return false, fmt.Errorf("migrations: look up leakproof marks: %w", err)
	}
	return done, nil
}

// MarkLeakproof runs [LeakproofStatement]. pg_dump does not carry the marks, so they
// are set again at every start that has the right.
func MarkLeakproof(ctx context.Context, conn *pgx.Conn) error {
	done, err := Leakproof(ctx, conn)
	if err != nil || done {
		return err
	}
	if _, err := conn.Exec(ctx, LeakproofStatement); err != nil {
		return fmt.Errorf("migrations: a superuser must run %q: %w", LeakproofStatement, err)
	}
	return nil
}
