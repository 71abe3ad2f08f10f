package zoning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/zoning/coverage"
)

// importRead is what is remembered of a file beside its rows.
type importRead struct {
	Format     string   `json:"format"`
	Encoding   string   `json:"encoding"`
	EncodingBy string   `json:"encoding_by,omitempty"`
	CRS        string   `json:"crs"`
	Layer      string   `json:"layer,omitempty"`
	SHA256     string   `json:"sha256"`
	Features   int      `json:"features"`
	Fields     []string `json:"fields"`
}

// shiftedUnit is the name of the finest administrative unit that the shapes fill when they
// are moved back from a shift of map services, while as they are they fill none as fine;
// "" for none.
func (s *Service) shiftedUnit(ctx context.Context, by auth.By, box orb.Bound, is, back []orb.Point) (string, error) {
	x, y := func(all []orb.Point) (out []float64) {
		for _, p := range all {
			out = append(out, p[0])
		}
		return out
	}, func(all []orb.Point) (out []float64) {
		for _, p := range all {
			out = append(out, p[1])
		}
		return out
	}
	var name string
	err := s.db.Bulk.Ask(ctx, by.Reading(), s.queries.Get("import_shifted"), []any{
		by.Reach.Of(s.visibilityOf("admin")).String(), box.Min[0], box.Min[1], box.Max[0], box.Max[1], x(is), y(is), x(back), y(back),
	}, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&name); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return name, err
}

// importHome is the envelope of all administrative units, or nothing.
func (s *Service) importHome(ctx context.Context, by auth.By) (orb.Bound, error) {
	var b orb.Bound
	err := s.db.Bulk.Ask(ctx, by.Reading(), s.queries.Get("import_home"), nil, func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&b.Min[0], &b.Min[1], &b.Max[0], &b.Max[1]); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	return b, err
}

// keepImport writes down what was read, and throws away what is older than a day.
func (s *Service) keepImport(ctx context.Context, by auth.By, p *ImportPreview, sum string, rows []importRow) (until time.Time, err error) {
	read := importRead{Format: p.Format, Encoding: p.Encoding, EncodingBy: p.EncodingBy, CRS: p.CRS, Layer: p.Layer, SHA256: sum, Features: p.Features}
	for _, f := range p.Fields {
		read.Fields = append(read.Fields, f.Name)
	}
	raw, err := json.Marshal(read)
	if err != nil {
		return until, err
	}
	err = s.db.Bulk.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("import_sweep")); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, s.queries.Get("import_add"), p.ID, by.Account, p.Name, raw, s.now()).Scan(&until); err != nil {
			return err
		}
		for part := range slices.Chunk(rows, 500) {
			var (
				nr              []int32
				props           []string
				shape, original [][]byte
				fault           []*string
				area            []float64
			)
			for _, r := range part {
				nr, props, shape, original, area = append(nr, int32(r.Row)), append(props, string(r.Props)), append(shape, r.Shape), append(original, r.Original), append(area, r.AreaM2)
				var text *string
				if r.Fault != nil {
					b, err := json.Marshal(r.Fault)
					if err != nil {
						return err
					}
					t := string(b)
					text = &t
				}
				fault = append(fault, text)
			}
			if _, err := tx.Exec(ctx, s.queries.Get("import_rows_add"), p.ID, nr, props, shape, original, fault, area); err != nil {
				return err
			}
		}
		return nil
	})
	return until, err
}

// keptImport is an import its person brought within the day.
func (s *Service) keptImport(ctx context.Context, by auth.By, id string) (name string, read importRead, rows []importRow, shapes []coverage.Shape, err error) {
	if !uuidText.MatchString(id) {
		return "", read, nil, nil, auth.ErrNotFound
	}
	err = s.db.Bulk.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("import_one"), id, by.Account, s.now()).Scan(&name, &read); err != nil {
			if errors.Is(err, pgx.ErrNoRows) {
				return auth.ErrNotFound
			}
			return err
		}
		found, err := tx.Query(ctx, s.queries.Get("import_rows"), id)
		if err != nil {
			return err
		}
		var r importRow
		_, err = pgx.ForEachRow(found, []any{&r.Row, &r.Props, &r.Shape, &r.Fault, &r.AreaM2}, func() error {
			var shape coverage.Shape
			if r.Shape != nil {
				g, err := wkb.Unmarshal(r.Shape)
				if err != nil {
					return err
				}
				if shape, err = coverage.FromGeometry(g); err != nil {
					return err
				}
			}
			rows, shapes = append(rows, r), append(shapes, shape)
			r = importRow{}
			return nil
		})
		return err
	})
	return name, read, rows, shapes, err
}

// zonesOf are the zones of a version.
func (s *Service) zonesOf(ctx context.Context, by auth.By, plan string) (out []Zone, err error) {
	err = s.db.Bulk.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
		out, err = s.zones(ctx, tx, plan, nil, nil)
		return err
	})
	return out, err
}

// OneAcceptance runs begin while nobody else, on whatever node, is in it with the same
// upload: of two people who accept it, or one who does so twice, the second finds what the
// first began.
func (s *Service) OneAcceptance(ctx context.Context, by auth.By, id string, begin func(context.Context) error) error {
	return s.db.Query.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("import_turn"), id); err != nil {
			return wrap("import", err)
		}
		return begin(ctx)
	})
}

// imported is a plan to be written.
type imported struct {
	importTarget

	id, name string // of the upload
	read     importRead
	start    beginning
	zones    []Zone
	mapping  ImportMapping
}

// noOpenVersion says whether a series may have a next version. The database holds the same;
// this says it before work is done.
func (s *Service) noOpenVersion(ctx context.Context, by auth.By, series string) error {
	open := false
	err := s.db.Query.Ask(ctx, by.Reading(), s.queries.Get("import_open"), []any{series}, func(rows pgx.Rows) error {
		open = rows.Next()
		return rows.Err()
	})
	if err == nil && open {
		err = openVersion()
	}
	return err
}

// addImportedPlan makes the version without its zones.
func (s *Service) addImportedPlan(ctx context.Context, tx pgx.Tx, by auth.By, in imported) (plan string, err error) {
	var area geo.Shape
	if in.n.Exhaustive {
		area.Geometry = in.start.area.Geometry()
	}
	if in.parent == nil {
		err = tx.QueryRow(ctx, s.queries.Get("plan_add"), nil, in.n.Hazard, in.n.Kind, in.n.Title, in.n.Area, in.scope, in.n.Exhaustive, in.n.Unit, null(in.n.Ladder), null(in.n.Responsible), null(in.n.Note),
			area, in.start.dataset, by.Account).Scan(&plan)
		return plan, err
	}
	if _, err := tx.Exec(ctx, s.queries.Get("series_turn"), in.parent.Series); err != nil {
		return "", err
	}
	err = tx.QueryRow(ctx, s.queries.Get("import_next"), in.parent.ID, in.n.Title, in.n.Exhaustive, in.n.Unit, null(in.n.Ladder), null(in.n.Responsible), null(in.n.Note), by.Account, area).Scan(&plan)
	return plan, err
}

// addImported makes the plan and removes what it was made of, in one transaction.
func (s *Service) addImported(ctx context.Context, by auth.By, in imported, report *ImportReport) error {
	return s.db.Bulk.Tx(ctx, by.Writing(in.grant), func(tx pgx.Tx) error {
		// Two may have accepted it at once: whoever removes it makes the plan.
		tag, err := tx.Exec(ctx, s.queries.Get("import_remove"), in.id, by.Account)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return &auth.Conflict{Code: "already_accepted", ZH: "该文件已确认导入", EN: "the file was accepted already"}
		}
		plan, err := s.addImportedPlan(ctx, tx, by, in)
		if err != nil {
			return err
		}
		p, err := s.plan(ctx, tx, plan, false)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(in.zones, 900) {
			if err := s.writeZones(ctx, tx, p, part, nil); err != nil {
				return err
			}
		}
		how, err := json.Marshal(map[string]any{"import": in.origin(by, s.now(), report)})
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("import_method"), plan, how); err != nil {
			return err
		}
		if err := s.event(ctx, tx, by, plan, "", Draft, fmt.Sprintf("由文件 %s 导入，%d 个面", in.name, report.Read)); err != nil {
			return err
		}
		if report.Plan, err = s.plan(ctx, tx, plan, false); err != nil {
			return err
		}
		return s.record(ctx, tx, by, in.grant, "plan.import", report.Plan, "", nil, map[string]any{
			"parent": report.Plan.Parent, "file": in.name, "format": in.read.Format, "crs": in.read.CRS, "encoding": in.read.Encoding, "read": report.Read, "zones": len(in.zones),
			"level_field": in.mapping.LevelField, "levels": in.mapping.Levels, "healed": len(report.Healed), "violations": len(report.Violations),
		})
	})
}
