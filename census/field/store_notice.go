package field

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
)

func scanNotice(row pgx.CollectableRow) (Notice, error) {
	var n Notice
	err := row.Scan(&n.ID, &n.Kind, &n.Title, &n.Body, &n.Level, &n.Hazard, &n.Areas, &n.State, &n.IssuedAt, &n.ExpiresAt, &n.WithdrawnAt, &n.WithdrawnBy, &n.Reason,
		&n.Account, &n.IssuedBy, &n.Scopes, &n.Version, &n.AcknowledgedAt, &n.Expected, &n.Acknowledged)
	return n, err
}

func (s *Service) noticeArgs(who *auth.Identity, ids []string, q NoticeQuery, limit int) []any {
	return []any{s.hears(who).String(), Desk(who, s.now()).String(), ids, q.State, q.Active, who.Actor(), s.now(), null(q.Cursor), limit}
}

// hears are the areas whose notices somebody is told of: what he reads.
func (s *Service) hears(who *auth.Identity) geo.Scopes {
	if !person(who) {
		return geo.Scopes{}
	}
	return who.Reach.Of(db.Internal)
}

// Notices are those for the areas the asker reads, the newest first.
func (s *Service) Notices(ctx context.Context, who *auth.Identity, q NoticeQuery) (NoticePage, error) {
	var out NoticePage
	if !person(who) {
		return out, auth.ErrForbidden
	}
	if q.Cursor != "" && !records.IsID(q.Cursor) {
		return out, &auth.Invalid{Items: []auth.Fault{{Path: "cursor", Code: "invalid", ZH: "不是此查询的游标", EN: "it is not a cursor of this query"}}}
	}
	out.Counted = len(Desk(who, s.now())) > 0
	limit := 100
	if q.Limit > 0 {
		limit = min(q.Limit, 500)
	}
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("notices"), s.noticeArgs(who, nil, q, limit+1)...)
		if err != nil {
			return err
		}
		out.Notices, err = pgx.CollectRows(rows, scanNotice)
		return err
	})
	if len(out.Notices) > limit {
		out.Notices = out.Notices[:limit]
		out.Next = out.Notices[limit-1].ID
	}
	return out, wrap("notices", err)
}

// NoticesIn are those of the notices for the areas, for the streams: nobody is counted.
func (s *Service) NoticesIn(ctx context.Context, in geo.Scopes, ids []string) (map[string]Notice, error) {
	out := map[string]Notice{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: in})}
	args := []any{in.String(), "{}", ids, "", false, "", s.now(), nil, len(ids)}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("notices"), args, func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanNotice)
		for _, n := range list {
			out[n.ID] = n
		}
		return err
	})
	return out, wrap("notices", err)
}

func (s *Service) notice(ctx context.Context, tx pgx.Tx, who *auth.Identity, id string) (Notice, error) {
	rows, err := tx.Query(ctx, s.queries.Get("notices"), s.noticeArgs(who, []string{id}, NoticeQuery{}, 1)...)
	if err != nil {
		return Notice{}, err
	}
	n, err := pgx.CollectExactlyOneRow(rows, scanNotice)
	if errors.Is(err, pgx.ErrNoRows) {
		return Notice{}, auth.ErrNotFound
	}
	return n, err
}

// Notice is one of them, with who was to read it for whoever has a desk.
func (s *Service) Notice(ctx context.Context, who *auth.Identity, id string) (Notice, []Reader, error) {
	if !person(who) || !records.IsID(id) {
		return Notice{}, nil, auth.ErrNotFound
	}
	var n Notice
	var readers []Reader
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		if n, err = s.notice(ctx, tx, who, id); err != nil {
			return err
		}
		in := Desk(who, s.now())
		if len(in) == 0 {
			return nil
		}
		rows, err := tx.Query(ctx, s.queries.Get("notice_readers"), id, in.String(), s.now())
		if err != nil {
			return err
		}
		readers, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Reader, err error) {
			err = row.Scan(&r.Account, &r.Name, &r.Area, &r.Expected, &r.ReadAt, &r.ReceivedAt)
			return r, err
		})
		return err
	})
	return n, readers, wrap("notice", err)
}

// Issue sends a notice to the grids of areas that lie in one grant of the sender.
func (s *Service) Issue(ctx context.Context, by auth.By, n NewNotice) (Notice, error) {
	if len(Desk(by.Identity, s.now())) == 0 {
		return Notice{}, auth.ErrForbidden
	}
	var bad faults
	n.Title = bad.text("title", n.Title, 1, 200)
	n.Body = bad.text("body", n.Body, 1, 4000)
	if !s.codes("notice_kind", n.Kind) {
		bad.add("kind", "unknown", "应为 warning 或 notice", "it is warning or notice")
	}
	if n.Level < 0 || n.Level > 4 || n.Level == 0 && n.Kind == "warning" {
		bad.add("level", "out_of_range", "预警级别为 1–4", "the level of a warning is 1 to 4")
	}
	if n.Hazard != "" && !s.codes("hazard", n.Hazard) {
		bad.add("hazard", "unknown", "没有这个灾种", "there is no such hazard")
	}
	if n.ExpiresAt != nil && (!n.ExpiresAt.After(s.now()) || n.ExpiresAt.After(s.now().AddDate(0, 3, 0))) {
		bad.add("expires_at", "out_of_range", "应在今后三个月之内", "it lies in the three months to come")
	}
	if len(n.Areas) == 0 || len(n.Areas) > 200 {
		bad.add("areas", "required", "请指定 1–200 个区域", "name 1 to 200 areas")
	}
	scopes := make([]geo.Scope, 0, len(n.Areas))
	for i, code := range n.Areas {
		scope, err := geo.ParseScope(code)
		if err != nil {
			bad.add(fmt.Sprintf("areas[%d]", i), "not_a_code", "应为行政区划代码或网格编码", "it is an administrative code or the code of a grid")
		}
		scopes = append(scopes, scope)
	}
	if err := bad.err(); err != nil {
		return Notice{}, err
	}
	g, ok := under(by.Identity, auth.WorkDesk, s.now(), scopes...)
	if !ok {
		return Notice{}, auth.ErrForbidden
	}
	var out Notice
	err := s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		id := s.newID()
		if _, err := tx.Exec(ctx, s.queries.Get("notice_insert"), id, n.Kind, n.Title, n.Body, n.Level, n.Hazard, n.Areas, s.now(), n.ExpiresAt, by.Account, by.Actor(), by.Name); err != nil {
			return err
		}
		var err error
		if out, err = s.notice(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		return s.recordNotice(ctx, tx, by, g, "notice.issue", &out, "")
	})
	return out, wrap("issue", err)
}

func (s *Service) recordNotice(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action string, n *Notice, reason string) error {
	err := audit.Record(ctx, tx, audit.Entry{
		Doer: by.Doer(g), Action: action, Object: "notices/" + n.ID, Area: g.Area, Outcome: audit.Done, Reason: audit.Clip(reason),
		After: map[string]any{"state": n.State, "kind": n.Kind, "title": n.Title, "areas": n.Areas, "version": n.Version},
	})
	if err != nil {
		return err
	}
	return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&n.FeedPosition)
}

// Withdraw takes a notice back, as it was at version.
func (s *Service) Withdraw(ctx context.Context, by auth.By, id string, version int64, reason string) (Notice, error) {
	n, _, err := s.Notice(ctx, by.Identity, id)
	if err != nil {
		return n, err
	}
	g, ok := under(by.Identity, auth.WorkDesk, s.now(), n.Scopes...)
	if !ok {
		return n, auth.ErrForbidden
	}
	var bad faults
	reason = bad.text("note", reason, 2, 2000)
	if err := bad.err(); err != nil {
		return n, err
	}
	var out Notice
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.queries.Get("notice_withdraw"), id, version, s.now(), by.Name, reason)
		if err != nil {
			return err
		}
		if out, err = s.notice(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		switch {
		case tag.RowsAffected() == 0 && out.State == "withdrawn":
			return taskClash("already_withdrawn", "通知已撤回", "the notice was withdrawn")
		case tag.RowsAffected() == 0:
			return auth.ErrStaleVersion
		}
		return s.recordNotice(ctx, tx, by, g, "notice.withdraw", &out, reason)
	})
	return out, wrap("withdraw", err)
}
