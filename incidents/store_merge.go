package incidents

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// Merge says that an incident is another one. It is kept with its number and its reports,
// linked, and out of every count; nothing of it is written over.
func (s *Service) Merge(ctx context.Context, by auth.By, id, into, reason string) (Incident, error) {
	var f faults
	reason = f.text("reason", reason, 2, 2000)
	if !records.IsID(into) || into == id {
		f.add("into", "unknown", "没有这个事件", "there is no such incident")
	}
	if err := f.err(); err != nil {
		return Incident{}, err
	}
	out, err := s.changing(ctx, by, id, nil, auth.WorkDesk, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if i.MergedInto == into {
			return i, nil // said twice
		}
		if err := frozen(i); err != nil {
			return i, err
		}
		target, err := s.one(ctx, tx, into)
		if errors.Is(err, auth.ErrNotFound) {
			return i, &auth.Invalid{Items: []auth.Fault{{Path: "into", Code: "unknown", ZH: "没有这个事件", EN: "there is no such incident"}}}
		}
		if err != nil {
			return i, err
		}
		switch {
		case target.State == Merged || target.State == Archived:
			return i, conflict("cannot_follow", "目标事件已合并或已归档", "the other one is merged or archived itself")
		case target.Exercise != i.Exercise:
			return i, conflict("exercise", "演练与实战不能合并", "an exercise and what happened are not merged")
		case i.Absorbed > 0:
			return i, conflict("has_merged", "已有事件并入本事件，请先撤销那些合并", "others are merged into this one: undo those first")
		case !g.Scope().Contains(target.Scope):
			return i, auth.ErrForbidden
		}
		before := i
		i.MergedInto, i.MergedState, i.State = into, i.State, Merged
		if err := s.write(ctx, tx, i, nil); err != nil {
			return i, err
		}
		if err := s.happen(ctx, tx, by, id, "merged", s.now(), reason, map[string]any{"into": into, "number": target.Number}, "incidents/"+into); err != nil {
			return i, err
		}
		if err := s.happen(ctx, tx, by, into, "absorbed", s.now(), reason, map[string]any{"from": id, "number": i.Number, "place": i.Place, "figures": i.Figures.maps()}, "incidents/"+id); err != nil {
			return i, err
		}
		return s.finish(ctx, tx, by, g, "merge", &before, id, reason)
	})
	return out, wrap("merge", err)
}

// Unmerge undoes a merge: the incident goes on in the state it was in.
func (s *Service) Unmerge(ctx context.Context, by auth.By, id, reason string) (Incident, error) {
	var f faults
	reason = f.text("reason", reason, 0, 2000)
	if err := f.err(); err != nil {
		return Incident{}, err
	}
	out, err := s.changing(ctx, by, id, nil, auth.WorkDesk, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if i.State != Merged {
			return i, conflict("not_merged", "此事件没有合并", "it is not merged")
		}
		before, from := i, i.MergedInto
		i.State, i.MergedInto, i.MergedState = i.MergedState, "", ""
		if err := s.write(ctx, tx, i, nil); err != nil {
			return i, err
		}
		if err := s.happen(ctx, tx, by, id, "unmerged", s.now(), reason, map[string]any{"from": from}, "incidents/"+from); err != nil {
			return i, err
		}
		if err := s.happen(ctx, tx, by, from, "released", s.now(), reason, map[string]any{"id": id, "number": i.Number}, "incidents/"+id); err != nil && !errors.Is(err, auth.ErrNotFound) {
			return i, err
		}
		return s.finish(ctx, tx, by, g, "unmerge", &before, id, reason)
	})
	return out, wrap("unmerge", err)
}

// Duplicates are open incidents that may be the same.
func (s *Service) Duplicates(ctx context.Context, who *auth.Identity, q DuplicateQuery) ([]Likeness, error) {
	rule, err := duplicateRuleOf(s.catalogue.Now())
	if err != nil {
		return nil, err
	}
	if q.At.IsZero() {
		q.At = s.now()
	}
	var at orb.Geometry
	if q.Where != nil {
		at = *q.Where
		if bad := geo.Check(at); bad != nil {
			return nil, &auth.Invalid{Items: []auth.Fault{{Path: "lon", Code: bad.Code, ZH: "坐标有误", EN: "the coordinates are wrong"}}}
		}
	}
	type near struct {
		ID      string
		M, Mins float64
	}
	var out []Likeness
	err = s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("incidents_near"), q.Kind, q.At, geo.Shape{Geometry: at}, rule.RadiusM, rule.Hours, q.Place, q.Exercise, orNil(q.Except))
		if err != nil {
			return err
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[near])
		if err != nil || len(found) == 0 {
			return err
		}
		ids := make([]string, 0, len(found))
		for _, n := range found {
			ids = append(ids, n.ID)
		}
		list, err := s.list(ctx, tx, incidentFilter{ids: ids, limit: len(ids)})
		if err != nil {
			return err
		}
		for _, n := range found {
			at := slices.IndexFunc(list, func(i Incident) bool { return i.ID == n.ID })
			if at < 0 {
				continue
			}
			l := Likeness{Incident: list[at], MinutesApart: n.Mins}
			if n.M >= 0 {
				l.DistanceM = &n.M
			}
			out = append(out, l)
		}
		return nil
	})
	return out, wrap("duplicates", err)
}

// kindOf is the kind of incident a report of the field is of.
func kindOf(reported string) string {
	switch reported {
	case "building_collapse":
		return "house_collapse"
	case "road_cut":
		return "road_damage"
	}
	return reported
}

// FromReport makes an incident of a report of the field, once: asked again it answers the
// one there is. Whoever does it has taken the report.
func (s *Service) FromReport(ctx context.Context, by auth.By, report, id string, exercise bool) (Incident, bool, error) {
	r, _, err := s.find(ctx, by, report)
	if err != nil {
		return Incident{}, false, wrap("from report", err)
	}
	existing := func() (Incident, bool, error) {
		var i Incident
		err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
			var known string
			err := tx.QueryRow(ctx, s.queries.Get("incident_of_report"), report).Scan(&known)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			i, err = s.one(ctx, tx, known)
			return err
		})
		return i, i.ID != "", err
	}
	if i, there, err := existing(); err != nil || there {
		return i, false, wrap("from report", err)
	}
	if r.State == Dismissed {
		return Incident{}, false, conflict("dismissed", "此报告已排除", "this report was dismissed")
	}
	if id == "" {
		id = s.newID()
	}
	kind := kindOf(r.Kind)
	if !s.codes("incident_kind", kind) {
		kind = "other"
	}
	occurred, known := r.CapturedAt, r.ReceivedAt
	if occurred.After(known) || known.Sub(occurred) > 30*24*time.Hour {
		occurred = known // the phone's clock is no witness
	}
	n := NewIncident{
		ID: id, Kind: kind, Exercise: exercise, OccurredAt: &occurred, KnownAt: &known, Place: r.Place, Description: r.Description, Source: "grid", Reporter: r.Name, SourceReport: report,
		PersonsReported: r.Trapped, Geometry: r.Geometry, Figures: Figures{Deaths: r.Deaths, Missing: r.Missing, Injured: r.Injured, Affected: r.Affected, LossWan: r.LossWan},
	}
	if n.Geometry == nil {
		if n.Area = codeOf(r.Scope); n.Area == "" {
			n.Area = codeOf(r.Home)
		}
	}
	i, created, err := s.Receive(ctx, by, n)
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.ConstraintName == "incidents_source_report" {
		i, _, err := existing() // two at once
		return i, false, wrap("from report", err)
	}
	if err != nil {
		return i, created, err
	}
	if r.TakenAt == nil && r.EndedAt == nil {
		// Whoever came first has taken it; that is no error here.
		if _, err := s.Step(ctx, by, report, nil, Step{To: Taken}); err != nil {
			if _, taken := errors.AsType[*auth.Conflict](err); !taken {
				return i, created, err
			}
		}
	}
	return i, created, nil
}
