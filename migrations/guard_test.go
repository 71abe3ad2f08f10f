package migrations_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pgtest"
)

// TestEveryTableIsGuarded: what the program may read is behind row-level security, or named
// here with what it holds.
func TestEveryTableIsGuarded(t *testing.T) {
	open := []string{
		"admin_alias",              // names of areas
		"change_log", "feed_state", // told by area in internal/feed and internal/api
		"code_item", "code_list", "rule_set", "setting", "theme", "schema_migration", // of the whole site
		"dataset", "import", "import_key", "import_original", "plan_import", "plan_import_row", // read for administrators
		"layer", "layer_base", "layer_field", // what a layer is, told by visibility
		"number_counter",   // the last numbers given
		"observation_poll", // sources that are asked, read for administrators
	}
	slices.Sort(open)
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	rows, err := conn.Query(t.Context(), `select c.relname from pg_class c
		where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
		  and (has_table_privilege('onemap_app', c.oid, 'select') or has_any_column_privilege('onemap_app', c.oid, 'select'))
		  and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e') order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(bare, open) {
		t.Errorf("read without row-level security: %q, want %q", bare, open)
	}
}
