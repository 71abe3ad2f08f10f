package incidents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/auth"
	"onemap/internal/records"
)

func scanEntry(row pgx.CollectableRow) (Entry, error) {
	var e Entry
	var figures []byte
	err := row.Scan(&e.ID, &e.Incident, &e.Seq, &e.Kind, &e.Channel, &e.ToLevel, &e.Content, &figures, &e.SentAt, &e.RecordedAt, &e.Corrects, &e.Late, &e.SHA256, &e.Actor, &e.Name)
	if err != nil {
		return e, err
	}
	e.Figures, err = readFigures(figures)
	return e, err
}

func (s *Service) entries(ctx context.Context, tx pgx.Tx, incident, id string) ([]Entry, error) {
	rows, err := tx.Query(ctx, s.queries.Get("entries"), orNil(incident), orNil(id))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanEntry)
}

// Entries are the reports of an incident, as they were sent.
func (s *Service) Entries(ctx context.Context, who *auth.Identity, id string) ([]Entry, error) {
	var out []Entry
	err := s.db.Query.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if _, err := s.one(ctx, tx, id); err != nil {
			return err
		}
		var err error
		out, err = s.entries(ctx, tx, id, "")
		return err
	})
	return out, wrap("reports", err)
}

// Send writes down a report upwards. Sent again under its id it answers what is there; its
// figures become those of the incident.
func (s *Service) Send(ctx context.Context, by auth.By, id string, n NewEntry) (e Entry, i Incident, created bool, err error) {
	var f faults
	n.ID, n.Corrects = strings.ToLower(n.ID), strings.ToLower(n.Corrects)
	if n.ID != "" && !records.IsID(n.ID) {
		f.add("id", "bad_id", "应为 UUID", "it is a UUID")
	}
	if n.Corrects != "" && !records.IsID(n.Corrects) {
		f.add("corrects", "bad_id", "应为 UUID", "it is a UUID")
	}
	if err := f.err(); err != nil {
		return e, i, false, err
	}
	i, err = s.changing(ctx, by, id, nil, auth.WorkDesk, func(tx pgx.Tx, g auth.Grant, i Incident) (Incident, error) {
		if err := s.checkEntry(&n, i); err != nil {
			return i, err
		}
		h := sha256.Sum256([]byte(n.Content))
		sum := hex.EncodeToString(h[:])
		list, err := s.entries(ctx, tx, id, "")
		if err != nil {
			return i, err
		}
		if at := slices.IndexFunc(list, func(o Entry) bool { return o.ID == n.ID }); at >= 0 {
			if e = list[at]; e.SHA256 != sum || e.Kind != n.Kind {
				return i, finalEntry()
			}
			return i, nil // said twice
		}
		if err := frozen(i); err != nil {
			return i, err
		}
		if err := follows(list, n); err != nil {
			return i, err
		}
		before := i
		var figures map[string]float64
		if n.Figures != nil {
			figures = n.Figures.maps()
		}
		if figures == nil {
			figures = map[string]float64{}
		}
		late := s.lateWith(i, n)
		var seq int
		if err := tx.QueryRow(ctx, s.queries.Get("entry_next"), id).Scan(&seq); err != nil {
			return i, err
		}
		if _, err := tx.Exec(ctx, s.queries.Get("entry_add"), n.ID, id, seq, n.Kind, n.Channel, n.ToLevel, n.Content, figures, n.SentAt, orNil(n.Corrects), late, sum, account(by), nameOf(by)); err != nil {
			return i, err
		}
		created = true
		if n.Figures != nil && !n.Figures.Empty() {
			next := i.Figures.over(*n.Figures)
			if !maps.Equal(next.maps(), i.Figures.maps()) {
				i.Figures, i.FiguresAt = next, n.SentAt
				if err := s.propose(&i); err != nil {
					return i, err
				}
				if err := s.write(ctx, tx, i, nil); err != nil {
					return i, err
				}
			}
		}
		fields := map[string]any{"seq": seq, "kind": n.Kind, "channel": n.Channel, "to_level": n.ToLevel, "late": late}
		if len(figures) > 0 {
			fields["figures"] = figures
		}
		if n.Corrects != "" {
			fields["corrects"] = n.Corrects
		}
		if err := s.happen(ctx, tx, by, id, "report", *n.SentAt, head(n.Content, 500), fields, n.ID); err != nil {
			return i, err
		}
		if i.LevelProposed != before.LevelProposed && i.LevelProposed > 0 {
			if err := s.happen(ctx, tx, by, id, "level_proposed", s.now(), "", map[string]any{"level": i.LevelProposed, "reason": i.LevelReason}, ""); err != nil {
				return i, err
			}
		}
		out, err := s.finish(ctx, tx, by, g, "report", &before, id, "")
		if err != nil {
			return out, err
		}
		own, err := s.entries(ctx, tx, id, n.ID)
		if err == nil && len(own) == 1 {
			e = own[0]
		}
		return out, err
	})
	if pg := new(pgconn.PgError); errors.As(err, &pg) && pg.Code == "23505" {
		err = conflict("id_taken", "编号已用于另一条记录", "the id was used for another record")
	}
	return e, i, created, wrap("report", err)
}

func finalEntry() error {
	return conflict("report_final", "报送后不能修改：请另发一份，并用 corrects 注明更正哪一份", "a report that was sent does not change: send another one whose corrects names it")
}

// AmendRefused is the answer to whoever wants to change a report that was sent.
func (s *Service) AmendRefused(ctx context.Context, by auth.By, id, entry string) error {
	list, err := s.Entries(ctx, by.Identity, id)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(e Entry) bool { return e.ID == strings.ToLower(entry) }) {
		return auth.ErrNotFound
	}
	return finalEntry()
}

// follows refuses a report that cannot come now.
func follows(list []Entry, n NewEntry) error {
	has := func(kind string) bool {
		return slices.ContainsFunc(list, func(e Entry) bool { return e.Kind == kind && e.Corrects == "" })
	}
	switch {
	case n.Corrects != "":
		at := slices.IndexFunc(list, func(e Entry) bool { return e.ID == n.Corrects })
		if at < 0 {
			return &auth.Invalid{Items: []auth.Fault{{Path: "corrects", Code: "unknown", ZH: "没有要更正的那一份", EN: "there is no such report to correct"}}}
		}
		if list[at].Kind != n.Kind {
			return &auth.Invalid{Items: []auth.Fault{{Path: "kind", Code: "other_kind", ZH: "更正的类型须与原件相同", EN: "a correction is of the kind of what it corrects"}}}
		}
		return nil
	case n.Kind != "first" && !has("first"):
		return conflict("no_first_report", "请先报首报", "the first report comes first")
	case has("final"):
		return conflict("final_report_sent", "已报终报；更正请用 corrects 注明", "the final report is sent; a correction names what it corrects")
	case n.Kind == "first" && slices.ContainsFunc(list, func(e Entry) bool {
		return e.Kind == "first" && e.Channel == n.Channel && e.ToLevel == n.ToLevel && e.Corrects == ""
	}):
		return conflict("first_report_sent", "已以此方式报过首报；补充请发续报", "the first report was sent this way; what is new is a follow-up")
	}
	return nil
}

// lateWith says whether a report ends a clock that has run out.
func (s *Service) lateWith(i Incident, n NewEntry) bool {
	if n.Corrects != "" {
		return false
	}
	snap := s.catalogue.Now()
	rules, err := clockRulesOf(snap)
	if err != nil {
		return false
	}
	with := i.facts
	with.Sent = append(slices.Clone(with.Sent), sent{n.Kind, n.Channel, n.ToLevel, *n.SentAt})
	for _, c := range clocks(rules, with, snap.Location(), s.now()) {
		if c.DoneAt != nil && !c.kept && c.DoneAt.Equal(*n.SentAt) && c.Late {
			return true
		}
	}
	return false
}

// head is the beginning of a text.
func head(text string, most int) string {
	r := []rune(text)
	if len(r) <= most {
		return text
	}
	return string(r[:most]) + "…"
}
