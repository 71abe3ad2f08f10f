package demostore

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/demo"
	"onemap/internal/geo"
)

//go:embed queries/*.sql
var files embed.FS

// DatasetName is the one data set all demo records belong to.
const DatasetName = "demo"

const actor = "onemap demo"

// Store writes and removes the demo county.
type Store struct {
	pool    *db.Pool
	queries db.Queries
	columns map[string][]string // by layer, for single changes
}

// Open prepares the store over the bulk pool.
func Open(d *db.DB) (*Store, error) {
	q, err := db.LoadQueries(files, "queries")
	if err != nil {
		return nil, err
	}
	return &Store{pool: d.Bulk, queries: q}, nil
}

// Made says what the county in the database was made from.
type Made struct {
	Seed     int64     `json:"seed"`
	Now      time.Time `json:"now"`
	Complete bool      `json:"complete"`
}

// State is what there is.
type State struct {
	Dataset   string // its id; empty where there is no demo county
	Made      Made
	OtherData bool // somebody else's data is there too
}

// State looks for the county.
func (s *Store) State(ctx context.Context) (State, error) {
	var st State
	err := s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		var made []byte
		err := tx.QueryRow(ctx, s.queries.Get("find")).Scan(&st.Dataset, &made)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if made != nil {
			if err := json.Unmarshal(made, &st.Made); err != nil {
				return err
			}
		}
		return tx.QueryRow(ctx, s.queries.Get("other_data")).Scan(&st.OtherData)
	})
	if err != nil {
		return st, fmt.Errorf("demostore: state: %w", err)
	}
	return st, nil
}

// Begin makes the data set and what the features refer to.
func (s *Store) Begin(ctx context.Context, c *demo.County) error {
	err := s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		var id string
		var ours bool
		if err := tx.QueryRow(ctx, s.queries.Get("dataset"), c.Options.Now).Scan(&id, &ours); err != nil {
			return err
		}
		if !ours {
			return errors.New("a data set named demo exists and is not the demo county")
		}
		for _, p := range c.Plans {
			if _, err := tx.Exec(ctx, s.queries.Get("plan"), p.ID, p.Series, p.Hazard, p.Kind, p.Title, p.AdminCode, p.Method, p.DocumentNo, p.EffectiveFrom, id,
				max(p.Version, 1), optional(p.Parent), p.Responsible, until(p.EffectiveTo), geo.Shape{Geometry: p.Area}); err != nil {
				return err
			}
		}
		return s.mark(ctx, tx, Made{Seed: c.Options.Seed, Now: c.Options.Now})
	})
	if err != nil {
		return fmt.Errorf("demostore: begin: %w", err)
	}
	return nil
}

// optional and until make what is not there null.
func optional(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

func until(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *Store) mark(ctx context.Context, tx pgx.Tx, m Made) error {
	_, err := tx.Exec(ctx, s.queries.Get("setting"), "demo", m)
	return err
}

// Renew brings the records that grow old to the hour of the given county, in
// small transactions, and notes that hour.
func (s *Store) Renew(ctx context.Context, dataset string, c *demo.County) error {
	var batch []demo.Feature
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := s.Put(ctx, dataset, batch)
		batch = batch[:0]
		return err
	}
	for f := range c.Timed() {
		if batch = append(batch, f); len(batch) == 200 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if err := s.field(ctx, dataset, c); err != nil {
		return err
	}
	if err := s.command(ctx, dataset, c); err != nil {
		return err
	}
	return s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		return s.mark(ctx, tx, Made{Seed: c.Options.Seed, Now: c.Options.Now, Complete: true})
	})
}

// Finish writes who answers for what, and opens the map on the county unless
// other data is there.
func (s *Store) Finish(ctx context.Context, c *demo.County) error {
	st, err := s.State(ctx)
	if err != nil {
		return err
	}
	steps := []func(context.Context, pgx.Tx, string, *demo.County) error{s.aliases, s.responsibilities, s.duties, s.zones, s.dangers, s.incidents}
	for _, step := range steps {
		if err := s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error { return step(ctx, tx, st.Dataset, c) }); err != nil {
			return fmt.Errorf("demostore: finish: %w", err)
		}
	}
	if err := s.field(ctx, st.Dataset, c); err != nil {
		return err
	}
	if err := s.command(ctx, st.Dataset, c); err != nil {
		return err
	}
	err = s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		if err := s.mark(ctx, tx, Made{Seed: c.Options.Seed, Now: c.Options.Now, Complete: true}); err != nil || st.OtherData {
			return err
		}
		home := map[string]any{
			"code": "990100", "title": "示例县",
			"center": [2]float64{c.Bound.Center()[0], c.Bound.Center()[1]}, "bbox": [4]float64{c.Bound.Min[0], c.Bound.Min[1], c.Bound.Max[0], c.Bound.Max[1]},
		}
		if _, err := tx.Exec(ctx, s.queries.Get("setting"), "home", home); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, s.queries.Get("setting"), "watermark", []byte(`"演示数据"`))
		return err
	})
	if err != nil {
		return fmt.Errorf("demostore: settings: %w", err)
	}
	return nil
}

// zones counts what the zones of the plans hold as the program counts it for everybody,
// so that the same place has the same figures on every page and sheet.
func (s *Store) zones(ctx context.Context, tx pgx.Tx, dataset string, _ *demo.County) error {
	_, err := tx.Exec(ctx, s.queries.Get("zone_figures"), dataset)
	return err
}

// dangers writes how the hidden dangers came to their states, and the measures against
// them; the numbers go on after those given out.
func (s *Store) dangers(ctx context.Context, tx pgx.Tx, id string, c *demo.County) error {
	var b pgx.Batch
	for _, a := range c.DangerActions {
		b.Queue(s.queries.Get("danger_action"), a.Danger, a.Action, orNull(a.From), a.To, a.Note, a.Name, a.Role, a.At)
	}
	for _, m := range c.Measures {
		b.Queue(s.queries.Get("measure"), m.ID, id, m.Key, m.Number, m.Title, m.Kind, m.Content, m.Basis, m.Unit, m.Person, m.State, until(m.Due), until(m.Done), m.AdminCode)
		b.Queue(s.queries.Get("danger_measure"), m.ID, m.Dangers)
		b.Queue(s.queries.Get("number"), "measure", c.Options.Now.Year(), len(c.Measures))
	}
	for year, n := range c.DangerNumbers {
		b.Queue(s.queries.Get("number"), "danger", year, n)
	}
	return tx.SendBatch(ctx, &b).Close()
}

// incidents writes how the incidents came to their states and what was sent upwards of
// them; the numbers go on after those given out.
func (s *Store) incidents(ctx context.Context, tx pgx.Tx, id string, _ *demo.County) error {
	for _, name := range []string{"incident_events", "incident_first", "incident_clocks", "incident_written", "incident_follow", "incident_numbers"} {
		if _, err := tx.Exec(ctx, s.queries.Get(name), id); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (s *Store) aliases(ctx context.Context, tx pgx.Tx, _ string, c *demo.County) error {
	var b pgx.Batch
	for _, a := range c.Aliases {
		b.Queue(s.queries.Get("alias"), a.AdminCode, a.Alias, a.Kind)
	}
	return tx.SendBatch(ctx, &b).Close()
}

func (s *Store) responsibilities(ctx context.Context, tx pgx.Tx, id string, c *demo.County) error {
	var b pgx.Batch
	var keys, phones, deputies []string
	for _, r := range c.Responsibilities {
		b.Queue(s.queries.Get("responsibility"), id, r.Key, r.Kind, orNull(r.Layer), orNull(r.Feature), r.AdminCode, r.Unit, r.Post, r.Person, r.DeputyPost, r.Deputy)
		keys, phones, deputies = append(keys, r.Key), append(phones, r.Phone), append(deputies, r.DeputyPhone)
	}
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, s.queries.Get("responsibility_contact"), id, keys, phones, deputies)
	return err
}

func (s *Store) duties(ctx context.Context, tx pgx.Tx, id string, c *demo.County) error {
	var b pgx.Batch
	var keys, phones []string
	for _, d := range c.Duties {
		b.Queue(s.queries.Get("duty"), id, d.Key, d.AdminCode, d.Role, d.Unit, d.Post, d.Person, d.Starts, d.Ends)
		keys, phones = append(keys, d.Key), append(phones, d.Phone)
	}
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, s.queries.Get("duty_contact"), id, keys, phones)
	return err
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Put writes single records, new or known, in one transaction: each leaves its own
// row in the feed, so that every open map sees it move. A record somebody else
// changed since is left as it is.
func (s *Store) Put(ctx context.Context, dataset string, features []demo.Feature) error {
	if s.columns == nil {
		if err := s.loadColumns(ctx); err != nil {
			return err
		}
	}
	err := s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		for _, f := range features {
			sql, err := s.putSQL(f)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, sql, dataset, f.Key, geo.Shape{Geometry: f.Geometry}, f.Fields); err != nil {
				return fmt.Errorf("%s %s: %w", f.Layer, f.Key, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("demostore: put: %w", err)
	}
	return nil
}

func (s *Store) loadColumns(ctx context.Context) error {
	columns := map[string][]string{}
	err := s.pool.Ask(ctx, db.System(actor), s.queries.Get("layers"), nil, func(rows pgx.Rows) error {
		var layer, column string
		_, err := pgx.ForEachRow(rows, []any{&layer, &column}, func() error {
			columns[layer] = append(columns[layer], column)
			return nil
		})
		return err
	})
	if err != nil {
		return fmt.Errorf("demostore: catalogue: %w", err)
	}
	s.columns = columns
	return nil
}

// putSQL names only tables and columns the catalogue has.
func (s *Store) putSQL(f demo.Feature) (string, error) {
	known := s.columns[f.Layer]
	if known == nil {
		return "", fmt.Errorf("no layer %q", f.Layer)
	}
	var into, from, set []string
	for name := range f.Fields {
		if !slices.Contains(known, name) {
			return "", fmt.Errorf("layer %s has no column %q", f.Layer, name)
		}
	}
	for _, name := range known {
		if _, ok := f.Fields[name]; !ok {
			continue
		}
		q := pgx.Identifier{name}.Sanitize()
		into, from = append(into, q), append(from, "r."+q)
		if name != "id" {
			set = append(set, q+" = excluded."+q)
		}
	}
	return fmt.Sprintf(s.queries.Get("put"), pgx.Identifier{f.Layer}.Sanitize(), strings.Join(into, ", "), strings.Join(from, ", "), strings.Join(set, ", ")), nil
}

// Forget puts back what Begin and Finish wrote outside the data set: other names
// and settings. The data set itself goes with the importer's Remove, afterwards.
func (s *Store) Forget(ctx context.Context) error {
	st, err := s.State(ctx)
	if err != nil || st.Dataset == "" {
		return err
	}
	if err := s.forgetField(ctx, st.Dataset); err != nil {
		return err
	}
	if err := s.forgetCommand(ctx, st.Dataset); err != nil {
		return err
	}
	err = s.pool.Tx(ctx, db.System(actor), func(tx pgx.Tx) error {
		for _, name := range []string{"remove_sketches", "remove_incidents", "remove_measure", "remove_alias", "reset_home", "reset_watermark", "remove_setting"} {
			if _, err := tx.Exec(ctx, s.queries.Get(name)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("demostore: forget: %w", err)
	}
	return nil
}

// PurgeHistory forgets the removed rows also in history. Only the owner may: the
// server's own role can add to history but never take from it.
func (s *Store) PurgeHistory(ctx context.Context, owner *pgx.Conn, dataset string) (int64, error) {
	if s.columns == nil {
		if err := s.loadColumns(ctx); err != nil {
			return 0, err
		}
	}
	var total int64
	for layer := range s.columns {
		sql := fmt.Sprintf(s.queries.Get("remove_history"), pgx.Identifier{layer + "_history"}.Sanitize())
		for {
			n, err := purgeChunk(ctx, owner, sql, dataset)
			if err != nil {
				return total, fmt.Errorf("demostore: history of %s: %w", layer, err)
			}
			total += n
			if n == 0 {
				break
			}
		}
	}
	return total, nil
}

// purgeChunk deletes under the claims of the program: row security holds for the
// owner too, unless it is a superuser.
func purgeChunk(ctx context.Context, owner *pgx.Conn, sql, dataset string) (int64, error) {
	var b pgx.Batch
	db.System(actor).Queue(&b)
	b.Queue(sql, dataset)
	res := owner.SendBatch(ctx, &b)
	defer res.Close()
	if _, err := res.Exec(); err != nil {
		return 0, err
	}
	tag, err := res.Exec()
	return tag.RowsAffected(), err
}
