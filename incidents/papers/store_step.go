package papers

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// Step reviews, signs, returns or reports a paper first. What leaves the house is frozen
// with the figures as they are now.
func (s *Service) Step(ctx context.Context, by auth.By, id string, version int64, step Step) (Paper, error) {
	p, err := s.Paper(ctx, by.Identity, id)
	if err != nil {
		return p, err
	}
	var bad faults
	permissions, least := []auth.Permission{auth.SignPapers, auth.CommandPost}, 0
	switch step.To {
	case Reviewed:
	case Returned:
		least = 2
	case Reported:
		permissions = []auth.Permission{auth.CommandPost}
		step.Consulted = bad.text("consulted", step.Consulted, 1, 100)
		least = 2
	case Signed:
		permissions = []auth.Permission{auth.SignPapers}
	default:
		bad.add("to", "unknown", "应为审核、签发、退回或先报", "it is reviewed, signed, returned or reported")
	}
	step.Note = bad.text("note", step.Note, least, 2000)
	if err := bad.err(); err != nil {
		return p, err
	}
	g, err := s.grant(by, p, permissions...)
	if err != nil {
		return p, err
	}
	now := s.now().UTC().Truncate(time.Microsecond)
	return s.change(ctx, by, g, id, version, "paper."+action(p, step.To), step.Note, func(tx pgx.Tx, before Paper) error {
		if err := follows(before, step.To, by); err != nil {
			return err
		}
		switch step.To {
		case Reviewed:
			return s.exec(ctx, tx, "review", id, version, now, by.Name, by.Account, step.Note)
		case Returned:
			return s.exec(ctx, tx, "return", id, version, step.Note)
		case Signed:
			if before.State == Reported {
				return s.exec(ctx, tx, "sign_after", id, version, now, by.Name, by.Account, by.Actor(), step.Note)
			}
		}
		number, figures, hash, err := s.freeze(ctx, tx, before, step, now)
		if err != nil {
			return err
		}
		if step.To == Reported {
			onDuty := slices.Contains(step.OnDuty, step.Consulted)
			return s.exec(ctx, tx, "report", id, version, now, by.Name, by.Account, step.Consulted, onDuty, now.Add(s.signAfter()), number, figures, hash, step.Note)
		}
		return s.exec(ctx, tx, "sign", id, version, now, by.Name, by.Account, by.Actor(), number, figures, hash, step.Note)
	})
}

// action is what the audit calls a step.
func action(p Paper, to string) string {
	if to == Signed && p.State == Reported {
		return "sign_after" // 补签
	}
	return map[string]string{Reviewed: "review", Returned: "return", Reported: "report_first", Signed: "sign"}[to]
}

// follows refuses a step that cannot follow, and the second pair of eyes that is the first.
func follows(p Paper, to string, by auth.By) error {
	worded := slices.Contains(p.Editors, by.Actor())
	switch {
	case p.State == Signed, p.Frozen() && to != Signed:
		return frozen()
	case to == Reviewed && p.State != Draft:
		return clash("already_reviewed", "已审核", "it was reviewed")
	case to == Reviewed && worded:
		return clash("four_eyes", "起草人不能审核自己的文书", "who worded it does not review it")
	case to == Signed && p.State == Draft:
		return clash("not_reviewed", "请先审核；紧急时可先报后签", "it is reviewed first; what cannot wait is reported first and signed after")
	case to == Signed && (worded || p.ReportedAccount != "" && p.ReportedAccount == by.Account):
		return clash("four_eyes", "起草人、报出人不能签发", "who worded or reported it does not sign it")
	}
	return nil
}

// freeze gives a paper its number and the bytes of its figures, with the hash of all of it.
func (s *Service) freeze(ctx context.Context, tx pgx.Tx, p Paper, step Step, now time.Time) (number string, figures []byte, hash string, err error) {
	if gone := missing(p.Blocks, step.Figures); len(gone) > 0 {
		var bad faults
		bad.add("blocks", "unknown_figure", "文中引用了没有的数据项："+strings.Join(gone, "、"), "the text names figures there are none of: "+strings.Join(gone, ", "))
		return "", nil, "", bad.err()
	}
	year := now.In(s.catalogue.Now().Location()).Year()
	if err := tx.QueryRow(ctx, s.queries.Get("number"), p.ID, year).Scan(&number); err != nil {
		return "", nil, "", err
	}
	p.Number = number
	if step.Figures == nil {
		step.Figures = []Figure{}
	}
	if figures, err = json.Marshal(step.Figures); err != nil {
		return "", nil, "", err
	}
	hash, err = sum(p, step.Figures, now)
	return number, figures, hash, err
}

// Brief is the log of a period with what is open, as far as the asker reads it.
func (s *Service) Brief(ctx context.Context, who *auth.Identity, area string, from, to time.Time, exercise bool) (Brief, error) {
	out := Brief{From: from, To: to}
	var bad faults
	var within any
	if area != "" {
		within = bad.area(area)
	}
	if !to.After(from) || to.Sub(from) > 31*24*time.Hour {
		bad.add("to", "out_of_range", "起止时间相反或超过 31 天", "the times are the wrong way round, or more than 31 days apart")
	}
	if err := bad.err(); err != nil {
		return out, err
	}
	areas := sensitive(who).String()
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("log"), areas, from, to, within, exercise)
		if err != nil {
			return err
		}
		if out.Log, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Entry, err error) {
			err = row.Scan(&e.At, &e.Kind, &e.Title, &e.Detail, &e.By, &e.RefKind, &e.Ref)
			return e, err
		}); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, s.queries.Get("open"), areas, s.now(), exercise, within); err != nil {
			return err
		}
		if out.Open, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Matter, err error) {
			err = row.Scan(&m.Title, &m.Detail, &m.Due)
			return m, err
		}); err != nil {
			return err
		}
		c := &out.Counts
		return tx.QueryRow(ctx, s.queries.Get("counts"), areas, from, to, within, exercise, s.now()).
			Scan(&c.IncidentsNew, &c.IncidentsOpen, &c.Responses, &c.TasksOpen, &c.TasksLate, &c.Reports, &c.ReportsUntaken, &c.Unsigned, &c.OrdersUnsigned)
	})
	return out, wrap("brief", err)
}

// sensitive are the areas somebody reads what is sensitive in: the log of a desk is theirs.
func sensitive(who *auth.Identity) geo.Scopes { return who.Reach.Of(db.Sensitive) }

// Moment is a minute in which a layer of the picture changed, and by how many rows.
type Moment struct {
	At    time.Time
	Layer string
	Rows  int
}

// Moments are the minutes of a period in which one of the layers changed where the asker
// reads it; reach gives for each layer the areas he does.
func (s *Service) Moments(ctx context.Context, who *auth.Identity, reach map[string]geo.Scopes, area string, from, to time.Time, exercise bool) ([]Moment, error) {
	var bad faults
	var within any
	if area != "" {
		within = bad.area(area)
	}
	if !to.After(from) || to.Sub(from) > 31*24*time.Hour {
		bad.add("to", "out_of_range", "起止时间相反或超过 31 天", "the times are the wrong way round, or more than 31 days apart")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	var layers, areas []string
	for layer, scopes := range reach {
		layers, areas = append(layers, layer), append(areas, scopes.String())
	}
	var out []Moment
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("moments"), from, to, layers, areas, within, exercise)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Moment, err error) {
			err = row.Scan(&m.At, &m.Layer, &m.Rows)
			return m, err
		})
		return err
	})
	return out, wrap("moments", err)
}
