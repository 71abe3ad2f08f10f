package incidents

import (
	"context"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
)

// Update changes what an incident says.
func (s *Service) Update(ctx context.Context, by auth.By, id string, version int64, p IncidentPatch) (Incident, error) {
	out, err := s.changing(ctx, by, id, &version, auth.WorkDesk, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if err := frozen(i); err != nil {
			return i, err
		}
		before := i
		changed, err := s.patch(&i, p)
		if err != nil {
			return i, err
		}
		if p.Reporter != nil {
			if _, err := tx.Exec(ctx, s.queries.Get("intake_reporter"), id, i.Reporter); err != nil {
				return i, err
			}
		}
		if p.Phone != nil && i.PhoneMasked != "" {
			if _, err := tx.Exec(ctx, s.queries.Get("caller_put"), id, i.PhoneMasked); err != nil {
				return i, err
			}
		}
		moves := p.Geometry != nil && (i.Geometry == nil || !orb.Equal(p.Geometry, i.Geometry))
		if moves {
			if g, err = s.move(ctx, tx, by, g, i, p.Geometry, "", p.FixSwap); err != nil {
				return i, err
			}
		}
		graded := p.Level != nil && *p.Level != i.Level
		if len(changed) == 0 && !graded && moves {
			return s.finish(ctx, tx, by, g, "place", &before, id, "")
		}
		if len(changed) == 0 && !graded && (p.Phone != nil && i.PhoneMasked != "" || i.Reporter != before.Reporter) {
			// Who called is no property of the incident: written down, and no version.
			return s.finish(ctx, tx, by, g, "caller", &before, id, "")
		}
		if len(changed) == 0 && !graded {
			return before, nil // nothing changes, and no version
		}
		if err := s.propose(&i); err != nil {
			return i, err
		}
		if graded {
			if err := s.grade(ctx, tx, by, &i, *p.Level, ""); err != nil {
				return i, err
			}
		} else if err := s.write(ctx, tx, i, nil); err != nil {
			return i, err
		}
		if len(changed) == 0 {
			return s.finish(ctx, tx, by, g, "level", &before, id, "")
		}
		kind := "edited"
		if _, ok := changed["figures"]; ok {
			kind = "figures"
		}
		if err := s.happen(ctx, tx, by, id, kind, s.now(), "", changed, ""); err != nil {
			return i, err
		}
		if i.LevelProposed != before.LevelProposed && i.LevelProposed > 0 {
			if err := s.happen(ctx, tx, by, id, "level_proposed", s.now(), "", map[string]any{"level": i.LevelProposed, "reason": i.LevelReason}, ""); err != nil {
				return i, err
			}
		}
		return s.finish(ctx, tx, by, g, "update", &before, id, "")
	})
	return out, wrap("update", err)
}

// patch puts a patch on an incident and says what it changed. A number given is left in
// PhoneMasked for the writer.
func (s *Service) patch(i *Incident, p IncidentPatch) (map[string]any, error) {
	var f faults
	changed := map[string]any{}
	text := func(into *string, v *string, path string, least, most int, told bool) {
		if v == nil {
			return
		}
		t := f.text(path, *v, least, most)
		if t != *into {
			*into = t
			if told {
				changed[path] = t
			}
		}
	}
	text(&i.Title, p.Title, "title", 1, 200, true)
	text(&i.Place, p.Place, "place", 0, 500, true)
	text(&i.Description, p.Description, "description", 0, 4000, true)
	text(&i.Source, p.Source, "source", 0, 100, true)
	text(&i.Reporter, p.Reporter, "reporter", 0, 100, false)
	if p.Kind != nil && *p.Kind != i.Kind {
		s.code(&f, "kind", "incident_kind", *p.Kind)
		i.Kind, changed["kind"] = *p.Kind, *p.Kind
		if p.Class == nil {
			i.Class = classOf(i.Kind)
		}
	}
	if p.Class != nil && *p.Class != i.Class {
		s.code(&f, "class", "incident_class", *p.Class)
		i.Class, changed["class"] = *p.Class, *p.Class
	}
	if p.TypeCode != nil && *p.TypeCode != i.TypeCode {
		if *p.TypeCode != "" && !typeCode.MatchString(*p.TypeCode) {
			f.add("type_code", "bad_value", "应为 GB/T 35561 代码，如 11B03", "it is a code of GB/T 35561 such as 11B03")
		}
		i.TypeCode, changed["type_code"] = *p.TypeCode, *p.TypeCode
	}
	if p.Phone != nil {
		i.PhoneMasked = strings.TrimSpace(*p.Phone)
		if i.PhoneMasked != "" && !phoneText.MatchString(i.PhoneMasked) {
			f.add("reporter_phone", "bad_value", "应为电话号码", "it is a telephone number")
		}
	}
	if p.PersonsReported != nil {
		if *p.PersonsReported < 0 || *p.PersonsReported > maxPersons {
			f.add("persons_reported", "out_of_range", "须为不小于 0 的合理数字", "a number that can be, 0 or more")
		}
		if i.PersonsReported == nil || *i.PersonsReported != *p.PersonsReported {
			i.PersonsReported, changed["persons_reported"] = p.PersonsReported, *p.PersonsReported
		}
	}
	for path, t := range map[string]struct {
		into **time.Time
		v    *time.Time
	}{"occurred_at": {&i.OccurredAt, p.OccurredAt}, "known_at": {&i.KnownAt, p.KnownAt}} {
		at := s.moment(&f, path, t.v)
		if at != nil && (*t.into == nil || !at.Equal(**t.into)) {
			*t.into, changed[path] = at, at.Format(time.RFC3339)
		}
	}
	if i.OccurredAt != nil && i.KnownAt != nil && i.OccurredAt.After(*i.KnownAt) && (p.OccurredAt != nil || p.KnownAt != nil) {
		f.add("occurred_at", "after_known", "发生时间晚于接报时间", "it happened after it was known")
	}
	if p.Level != nil {
		f.level(*p.Level)
	}
	if p.Figures != nil {
		p.Figures.check(&f, i.Kind)
		next := i.Figures.over(*p.Figures)
		if p.Whole {
			next = *p.Figures
		}
		if !maps.Equal(next.maps(), i.Figures.maps()) {
			now := s.now().UTC()
			i.Figures, i.FiguresAt, changed["figures"] = next, &now, next.maps()
		}
	}
	return changed, f.err()
}
