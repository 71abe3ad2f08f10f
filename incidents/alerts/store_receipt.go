package alerts

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// Receipt says that targets were reached, or were not, by the latest message of an alert.
type Receipt struct {
	OpID             string // said twice it counts once
	Targets          []string
	Channel, Outcome string
	At               time.Time // zero: now
	Note             string
}

// ReceiptTable is the name of receipts in the change feed.
const ReceiptTable = "alert_receipts"

// Told is a receipt as the streams tell it.
type Told struct {
	ID, Alert, Target, Channel, Outcome, Name string
	At                                        time.Time
}

const maxTargets = 2000

func (r *Receipt) check(now time.Time) error {
	r.Note = strings.TrimSpace(r.Note)
	switch {
	case !records.IsID(r.OpID):
		return fault("op_id", "not_an_id", "应为 UUID(重复提交时不变)", "it is a UUID, the same when repeated")
	case len(r.Targets) == 0 || len(r.Targets) > maxTargets:
		return fault("targets", "count", "请给出 1–2000 个村(社区)代码", "it is 1 to 2000 codes")
	case !slices.Contains(Channels(), r.Channel):
		return fault("channel", "unknown", "没有此送达方式", "there is no such channel")
	case r.Outcome != Reached && r.Outcome != Acknowledged && r.Outcome != Unreached:
		return fault("outcome", "unknown", "应为 reached、acknowledged 或 failed", "it is reached, acknowledged or failed")
	case utf8.RuneCountInString(r.Note) > 2000 || strings.ContainsRune(r.Note, 0):
		return fault("note", "length", "不超过 2000 字", "at most 2000 characters")
	case r.At.After(now.Add(10 * time.Minute)):
		return fault("at", "future", "送达时间在将来，请核对时钟", "it is in the future: check the clock")
	}
	if r.At.IsZero() {
		r.At = now
	}
	return nil
}

// Receive enters receipts. All of them or none.
func (s *Service) Receive(ctx context.Context, by auth.By, id string, r Receipt) error {
	if !by.May(auth.WorkDesk, s.now()) {
		return auth.ErrForbidden
	}
	a, err := s.Alert(ctx, by.Identity, id)
	if err != nil {
		return err
	}
	if err := r.check(s.now()); err != nil {
		return err
	}
	if a.SentAt != nil && r.At.Before(a.SentAt.Add(-10*time.Minute)) {
		return fault("at", "before_sent", "送达时间早于预警发布时间", "it is before the alert was sent")
	}
	g, ok := deskOver(by.Identity, r.Targets, s.now())
	if !ok {
		return auth.ErrForbidden
	}
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("latest_message"), id, "")
		if err != nil {
			return err
		}
		m, err := pgx.CollectExactlyOneRow(rows, scanMessage)
		if errors.Is(err, pgx.ErrNoRows) {
			return clash("no_message", "该预警不是以报文接收的，不能登记送达", "this alert did not come as a message: it has no receipts")
		}
		if err != nil {
			return err
		}
		fresh := 0
		for _, target := range r.Targets {
			var is bool
			if err := tx.QueryRow(ctx, s.queries.Get("is_target"), id, target).Scan(&is); err != nil {
				return err
			}
			if !is {
				return fault("targets", "not_a_target", target+" 不在该预警的范围内", target+" is not in the area of this alert")
			}
			rid := receiptID(r.OpID, target)
			tag, err := tx.Exec(ctx, s.queries.Get("receipt"), rid, id, m.ID, target, r.Channel, r.Outcome, r.At, null(r.Note), account(by), by.Name)
			if err != nil {
				return err
			}
			if tag.RowsAffected() > 0 {
				fresh++
				continue
			}
			var same bool
			if err := tx.QueryRow(ctx, s.queries.Get("same_receipt"), rid, id, target, r.Channel, r.Outcome).Scan(&same); err != nil {
				return err
			}
			if !same {
				return clash("op_id_taken", "该 op_id 已用于另一次登记", "this op_id was used for something else")
			}
		}
		if fresh == 0 {
			return nil
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "alert.receipt", Object: "alerts/" + id, Area: g.Area, Outcome: audit.Done,
			After: map[string]any{"targets": fresh, "channel": r.Channel, "outcome": r.Outcome}})
	})
	return wrap("receive", err)
}

// deskOver is the smallest grant with a desk over all the targets.
func deskOver(who *auth.Identity, targets []string, now time.Time) (best auth.Grant, found bool) {
	for _, g := range who.Grants {
		if !g.Valid(now) || !g.Role.May(auth.WorkDesk) {
			continue
		}
		all := true
		for _, t := range targets {
			s, err := geo.ParseScope(t)
			all = all && err == nil && g.Scope().Contains(s)
		}
		if s, b := g.Scope(), best.Scope(); all && (!found || s.Hi-s.Lo < b.Hi-b.Lo) {
			best, found = g, true
		}
	}
	return best, found
}

// ReceiptsIn are those of the receipts that lie in the areas, for the streams.
func (s *Service) ReceiptsIn(ctx context.Context, areas geo.Scopes, ids []string) (map[string]Told, error) {
	out := map[string]Told{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas})}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("receipts_by_ids"), []any{areas.String(), ids}, func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Told, err error) {
			err = row.Scan(&t.ID, &t.Alert, &t.Target, &t.Channel, &t.Outcome, &t.At, &t.Name)
			return t, err
		})
		for _, t := range list {
			out[t.ID] = t
		}
		return err
	})
	return out, wrap("stream", err)
}
