package incidents

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// Transition takes an incident to its next state.
func (s *Service) Transition(ctx context.Context, by auth.By, id string, version int64, step Step) (Incident, error) {
	var f faults
	least := 0
	if step.To == Closed || step.To == Archived {
		least = 2
	}
	step.Note = f.text("note", step.Note, 0, 2000)
	if !slices.Contains([]string{Verified, Responding, Closed, Archived}, step.To) {
		f.add("to", "unknown", "没有此状态", "there is no such state")
	}
	if err := f.err(); err != nil {
		return Incident{}, err
	}
	out, err := s.changing(ctx, by, id, &version, auth.WorkDesk, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if err := frozen(i); err != nil {
			return i, err
		}
		if !slices.Contains(steps(i.State), step.To) {
			return i, conflict("cannot_follow", fmt.Sprintf("%s 之后不能是 %s", i.State, step.To), step.To+" cannot follow "+i.State)
		}
		reopens := i.State == Closed && step.To == Responding
		if n := len([]rune(step.Note)); n < least && i.State == Received || reopens && n < 2 {
			return i, &auth.Invalid{Items: []auth.Fault{{Path: "note", Code: "required", ZH: "请写明原因(2–2000 字)", EN: "say why, in 2 to 2000 characters"}}}
		}
		before, now := i, s.now().UTC().Truncate(time.Microsecond)
		if step.To == Archived {
			for _, c := range i.Clocks {
				if c.Mark && c.DoneAt == nil {
					return i, conflict("clock_open", "“"+c.TitleZH+"”尚未完成，完成后才能归档", c.TitleEN+" is not done yet; it comes before the archive")
				}
			}
		}
		i.State = step.To
		switch step.To {
		case Verified:
			i.VerifiedAt = &now
		case Responding:
			if i.RespondingAt == nil {
				i.RespondingAt = &now
			}
			i.ClosedAt = nil
		case Closed:
			i.ClosedAt = &now
		case Archived:
			i.ArchivedAt = &now
		}
		if err := s.write(ctx, tx, i, nil); err != nil {
			return i, err
		}
		if err := s.happen(ctx, tx, by, id, "state", now, step.Note, map[string]any{"from": before.State, "to": step.To}, ""); err != nil {
			return i, err
		}
		return s.finish(ctx, tx, by, g, step.To, &before, id, step.Note)
	})
	return out, wrap("transition", err)
}

// ConfirmLevel is a person's word on the level. Another level than the figures give needs
// a reason.
func (s *Service) ConfirmLevel(ctx context.Context, by auth.By, id string, version int64, level int, reason string) (Incident, error) {
	var f faults
	reason = f.text("reason", reason, 0, 2000)
	f.level(level)
	if err := f.err(); err != nil {
		return Incident{}, err
	}
	out, err := s.changing(ctx, by, id, &version, auth.WorkDesk, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if err := frozen(i); err != nil {
			return i, err
		}
		if level != i.LevelProposed && len([]rune(reason)) < 2 {
			return i, &auth.Invalid{Items: []auth.Fault{{Path: "reason", Code: "required", ZH: "与建议级别不同(或无建议)，请写明依据", EN: "it is not the level proposed, or none is: say why"}}}
		}
		before := i
		if err := s.grade(ctx, tx, by, &i, level, reason); err != nil {
			return i, err
		}
		return s.finish(ctx, tx, by, g, "level", &before, id, reason)
	})
	return out, wrap("level", err)
}

// grade writes down what level somebody says it is.
func (s *Service) grade(ctx context.Context, tx pgx.Tx, by auth.By, i *Incident, level int, reason string) error {
	from, now := i.Level, s.now().UTC().Truncate(time.Microsecond)
	i.Level, i.LevelBy, i.LevelAt, i.LevelNote = level, nameOf(by), &now, reason
	if err := s.write(ctx, tx, *i, account(by)); err != nil {
		return err
	}
	return s.happen(ctx, tx, by, i.ID, "level", now, reason, map[string]any{"from": from, "to": level, "proposed": i.LevelProposed, "reason": i.LevelReason}, "")
}

// gradeNew writes down the level a call came with, if it came with one.
func (s *Service) gradeNew(ctx context.Context, tx pgx.Tx, by auth.By, n NewIncident) error {
	if n.Level == 0 {
		return nil
	}
	i, err := s.one(ctx, tx, n.ID)
	if err != nil {
		return err
	}
	return s.grade(ctx, tx, by, &i, n.Level, "")
}

// Place puts an incident on the map, afterwards or anew.
func (s *Service) Place(ctx context.Context, by auth.By, id string, g orb.Geometry, words string, fix bool) (Incident, error) {
	var f faults
	words = f.text("place", words, 0, 500)
	if g == nil {
		f.add("geometry", "required", "请给出位置", "a place is needed")
	}
	if err := f.err(); err != nil {
		return Incident{}, err
	}
	out, err := s.changing(ctx, by, id, nil, auth.WorkDesk, func(tx pgx.Tx, gr auth.Grant, i Incident) (Incident, error) {
		if err := frozen(i); err != nil {
			return i, err
		}
		before := i
		gr, err := s.move(ctx, tx, by, gr, i, g, words, fix)
		if err != nil {
			return i, err
		}
		return s.finish(ctx, tx, by, gr, "place", &before, id, "")
	})
	return out, wrap("place", err)
}

// move puts an incident where a shape lies, under the grant that holds both places.
func (s *Service) move(ctx context.Context, tx pgx.Tx, by auth.By, gr auth.Grant, i Incident, g orb.Geometry, words string, fix bool) (auth.Grant, error) {
	shape, scope, err := s.settle(ctx, tx, s.receives(by), g, fix)
	if err != nil {
		return gr, err
	}
	if !gr.Scope().Contains(scope) {
		// Another of his desks may hold the new place; both have to, and the wider one does.
		wider, ok := by.Grant(auth.WorkDesk, scope, s.now())
		if !ok || !wider.Scope().Contains(i.Scope) {
			return gr, &auth.Invalid{Items: []auth.Fault{{Path: "geometry", Code: "outside_area", ZH: "位置在您的值守区域之外，请核对坐标(经度在前)", EN: "the place lies outside the area of your desk; check the coordinates, longitude first"}}}
		}
		gr = wider
	}
	if _, err := tx.Exec(ctx, s.queries.Get("incident_place"), i.ID, geo.Shape{Geometry: shape}, words); err != nil {
		return gr, err
	}
	kind := "placed"
	if i.Geometry != nil {
		kind = "moved"
	}
	p := firstPoint(shape)
	return gr, s.happen(ctx, tx, by, i.ID, kind, s.now(), words, map[string]any{"lon": p[0], "lat": p[1], "swapped": fix && shape != nil && !orb.Equal(shape, g)}, "")
}

// ClockMark ends a clock that ends when somebody says so, or chooses when it began.
type ClockMark struct {
	StartsAt, DoneAt *time.Time
	Note             string
}

// MarkClock ends a clock, or moves its start. What has ended stays as it was.
func (s *Service) MarkClock(ctx context.Context, by auth.By, id, name string, m ClockMark) (Incident, error) {
	var f faults
	m.Note = f.text("note", m.Note, 0, 2000)
	m.StartsAt, m.DoneAt = s.moment(&f, "starts_at", m.StartsAt), s.moment(&f, "done_at", m.DoneAt)
	if (m.StartsAt == nil) == (m.DoneAt == nil) {
		f.add("done_at", "required", "给出 starts_at 或 done_at 之一", "one of starts_at and done_at")
	}
	if m.StartsAt != nil && len([]rune(m.Note)) < 2 {
		f.add("note", "required", "改起算时间请写明依据", "say why it begins then")
	}
	if err := f.err(); err != nil {
		return Incident{}, err
	}
	out, err := s.changing(ctx, by, id, nil, auth.WorkDesk, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if i.State == Archived || i.State == Merged {
			return i, frozen(i)
		}
		n := slices.IndexFunc(i.Clocks, func(c Clock) bool { return c.Name == name })
		if n < 0 {
			return i, auth.ErrNotFound
		}
		c := i.Clocks[n]
		snap := s.catalogue.Now()
		rules, err := clockRulesOf(snap)
		if err != nil {
			return i, err
		}
		r := slices.IndexFunc(rules.Clocks, func(c ClockRule) bool { return c.Name == name })
		switch {
		case c.DoneAt != nil || r < 0:
			return i, conflict("clock_ended", "此时限已经完成，留痕不改", "this clock has ended; what is written down stays")
		case m.DoneAt != nil && !c.Mark:
			return i, conflict("clock_by_report", "此时限由报送记录完成", "this clock ends with a report")
		case m.DoneAt != nil && m.DoneAt.Before(c.StartsAt):
			return i, &auth.Invalid{Items: []auth.Fault{{Path: "done_at", Code: "before_start", ZH: "早于起算时间", EN: "it is before the clock began"}}}
		}
		fields := map[string]any{"clock": name, "title_zh": c.TitleZH, "title_en": c.TitleEN}
		kind := "clock_started"
		if m.StartsAt != nil {
			fields["was"], fields["starts_at"] = c.StartsAt, *m.StartsAt
			c.StartsAt, c.DueAt, c.Chosen = *m.StartsAt, rules.Clocks[r].due(*m.StartsAt, snap.Location()), true
		} else {
			kind = "clock_done"
			late := m.DoneAt.After(c.DueAt)
			c.DoneAt, c.Late = m.DoneAt, late
			fields["done_at"], fields["late"] = *m.DoneAt, late
		}
		var late *bool
		if c.DoneAt != nil {
			late = &c.Late
		}
		if _, err := tx.Exec(ctx, s.queries.Get("clock_put"), id, name, c.StartsAt, later(c.DueAt, c.StartsAt), c.DoneAt, late, c.Chosen, rules.Version, m.Note, account(by), nameOf(by)); err != nil {
			return i, err
		}
		if err := s.happen(ctx, tx, by, id, kind, s.now(), m.Note, fields, ""); err != nil {
			return i, err
		}
		return s.finish(ctx, tx, by, g, kind, &i, id, m.Note)
	})
	return out, wrap("clock", err)
}
