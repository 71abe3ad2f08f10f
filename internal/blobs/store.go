package blobs

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

type store struct {
	db      *db.DB
	queries db.Queries
}

func openStore(d *db.DB) (*store, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	return &store{db: d, queries: q}, nil
}

// null makes an account that is none nil.
func null(account string) *string {
	if account == "" {
		return nil
	}
	return &account
}

// row is a file that is whole.
type row struct {
	size  int64
	mime  string
	owned bool
}

// one reads the one row a question has, in one round trip.
func (s *store) one(ctx context.Context, c db.Claims, name string, args []any, into ...any) (found bool, err error) {
	err = s.db.Intake.Ask(ctx, c, s.queries.Get(name), args, func(rows pgx.Rows) error {
		if found = rows.Next(); !found {
			return rows.Err()
		}
		return rows.Scan(into...)
	})
	if err != nil {
		return false, fmt.Errorf("blobs: %s: %w", name, err)
	}
	return found, nil
}

func (s *store) blob(ctx context.Context, sha []byte, account string) (row, bool, error) {
	var r row
	found, err := s.one(ctx, db.System("blobs"), "blob", []any{sha, null(account)}, &r.size, &r.mime, &r.owned)
	return r, found, err
}

// owned gives the sizes of those the person sent whole, by their binary hash.
func (s *store) owned(ctx context.Context, account string, shas [][]byte) (map[string]int64, error) {
	out := map[string]int64{}
	err := s.db.Intake.Ask(ctx, db.System("blobs"), s.queries.Get("owned"), []any{account, shas}, func(rows pgx.Rows) error {
		var sha []byte
		var size int64
		_, err := pgx.ForEachRow(rows, []any{&sha, &size}, func() error { out[string(sha)] = size; return nil })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("blobs: owned: %w", err)
	}
	return out, nil
}

// loose counts what the person sent and no record refers to, up to limit.
func (s *store) loose(ctx context.Context, account string, limit int) (n int, err error) {
	_, err = s.one(ctx, db.System("blobs"), "loose", []any{account, limit}, &n)
	return n, err
}

// awaited says whether a record refers to the file by an operation of the person's.
func (s *store) awaited(ctx context.Context, sha []byte, account string) (yes bool, err error) {
	_, err = s.one(ctx, db.System("blobs"), "awaited", []any{sha, account}, &yes)
	return yes, err
}

func (s *store) keep(ctx context.Context, sha []byte, size int64, h header, who *auth.Identity) error {
	err := s.db.Intake.Tx(ctx, db.System("blobs"), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("keep"), sha, size, h.mime, h.width, h.height); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, s.queries.Get("own"), sha, who.Account, who.Device)
		return err
	})
	if err != nil {
		return fmt.Errorf("blobs: keep: %w", err)
	}
	return nil
}

// ref is a record that refers to a file, and where it was when it did.
type ref struct {
	kind, object string
	scopes       []geo.Scope
}

func (s *store) refs(ctx context.Context, sha []byte) (out []ref, err error) {
	err = s.db.Intake.Ask(ctx, db.System("blobs"), s.queries.Get("refs"), []any{sha}, func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r ref, err error) {
			err = row.Scan(&r.kind, &r.object, &r.scopes)
			return r, err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("blobs: references: %w", err)
	}
	return out, nil
}

// rowScope is where the record is now, as far as these claims see it.
func (s *store) rowScope(ctx context.Context, claims db.Claims, table, id string) (geo.Scope, bool, error) {
	var scope *geo.Scope
	if _, err := s.one(ctx, claims, "row", []any{table, id}, &scope); err != nil || scope == nil || scope.IsNull() {
		return geo.Scope{}, false, err
	}
	return *scope, true, nil
}

// Refer remembers, in the transaction of an operation and under its sender's claims, that
// a record refers to photos, whether they are here or not. Said twice it is said once.
func (s *Service) Refer(ctx context.Context, tx pgx.Tx, by auth.By, sha256 []string, kind, id, opID string, scope geo.Scope) error {
	if len(sha256) == 0 {
		return nil
	}
	names := make([][]byte, len(sha256))
	for i, name := range sha256 {
		b, err := ParseName(name)
		if err != nil {
			return err
		}
		names[i] = b
	}
	account := ""
	if by.Identity != nil {
		account = by.Account
	}
	if _, err := tx.Exec(ctx, s.store.queries.Get("refer"), names, kind, id, opID, scope, null(account)); err != nil {
		return fmt.Errorf("blobs: refer: %w", err)
	}
	return nil
}
