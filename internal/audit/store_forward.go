package audit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
)

// place is how far sending has come: everything of seals before no, and of seal no the
// entries up to seq; the seal itself is the last, with the greatest number there is.
type place struct{ no, seq int64 }

const sealItself = math.MaxInt64

// source reads what is to be sent. Its connection holds the lock of the sender, so the
// lock ends with it.
type source struct {
	conn    *pgx.Conn
	queries db.Queries
	at      place // confirmed
	sent    place // read; equal to at after moved
}

func (l *Log) setting(ctx context.Context) (raw []byte, err error) {
	err = l.db.Query.Hold(ctx, func(conn *pgx.Conn) error {
		raw, err = readSetting(ctx, conn, l.queries)
		return err
	})
	return raw, err
}

func readSetting(ctx context.Context, conn *pgx.Conn, q db.Queries) (raw []byte, err error) {
	err = conn.QueryRow(ctx, q.Get("setting"), "syslog").Scan(&raw)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audit: setting: %w", err)
	}
	return raw, nil
}

// openSource takes the place of the sender and begins a batch before what was confirmed
// last: what the receiver's machine took, its program may have lost with the line.
func (l *Log) openSource(ctx context.Context) (_ *source, err error) {
	s := &source{queries: l.queries}
	if s.conn, err = l.db.Connect(ctx, "audit syslog"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close(ctx)
		}
	}()
	var mine bool
	if err := s.conn.QueryRow(ctx, l.queries.Get("forward_lock")).Scan(&mine); err != nil {
		return nil, fmt.Errorf("audit: lock of the sender: %w", err)
	}
	if !mine {
		return nil, errElsewhere
	}
	if _, err := s.conn.Exec(ctx, l.queries.Get("claims"), false); err != nil {
		return nil, fmt.Errorf("audit: claims: %w", err)
	}
	if err := s.conn.QueryRow(ctx, l.queries.Get("forward_start")).Scan(&s.at.no, &s.at.seq, &s.sent.no, &s.sent.seq); err != nil {
		return nil, fmt.Errorf("audit: where sending stood: %w", err)
	}
	return s, nil
}

func (s *source) close(ctx context.Context) {
	_ = s.conn.Close(context.WithoutCancel(ctx))
}

func (s *source) setting(ctx context.Context) ([]byte, error) {
	return readSetting(ctx, s.conn, s.queries)
}

// next reads what follows, in the order of seals, each after its entries.
func (s *source) next(ctx context.Context, limit int) ([]message, error) {
	rows, err := s.conn.Query(ctx, s.queries.Get("forward_next"), s.sent.no, s.sent.seq, limit)
	if err != nil {
		return nil, fmt.Errorf("audit: read for syslog: %w", err)
	}
	batch, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (message, error) {
		var m message
		var actor, name, account, role, grant, kind, session, peer, request, object, area, reason, first, last, hash string
		var count int64
		if err := row.Scan(&m.no, &m.seq, &m.at, &m.id, &m.outcome, &actor, &name, &account, &role, &grant, &kind, &session, &peer, &request,
			&object, &area, &reason, &first, &last, &hash, &count); err != nil {
			return m, err
		}
		if m.seq == sealItself {
			m.params = [][2]string{{"seal", strconv.FormatInt(m.no, 10)}, {"entries", strconv.FormatInt(count, 10)}, {"hash", hash}}
			m.text = fmt.Sprintf("审计封印 audit seal %d", m.no)
			return m, nil
		}
		m.params = [][2]string{
			{"seq", strconv.FormatInt(m.seq, 10)}, {"seal", strconv.FormatInt(m.no, 10)}, {"actor", actor}, {"name", name}, {"account", account}, {"role", role},
			{"grant", grant}, {"kind", kind}, {"session", session}, {"peer", peer}, {"request", request}, {"action", m.id}, {"object", object}, {"area", area},
			{"outcome", m.outcome}, {"from", first}, {"to", last}, {"hash", hash},
		}
		who := actor
		if name != "" {
			who = name + " (" + actor + ")"
		}
		m.text = who + " " + m.id + " " + object + " " + m.outcome
		if reason != "" {
			m.text += ": " + reason
		}
		return m, nil
	})
	if err != nil {
		return nil, fmt.Errorf("audit: read for syslog: %w", err)
	}
	if n := len(batch); n > 0 {
		s.sent = place{batch[n-1].no, batch[n-1].seq}
	}
	return batch, nil
}

// moved writes down how far the receiver's machine took everything. While an overlap is
// being sent again the place does not go back.
func (s *source) moved(ctx context.Context, last message, t Target) error {
	if last.no < s.at.no || last.no == s.at.no && last.seq <= s.at.seq {
		return nil
	}
	if _, err := s.conn.Exec(ctx, s.queries.Get("forward_moved"), last.no, last.seq, s.at.no, s.at.seq, t.String()); err != nil {
		return fmt.Errorf("audit: write down where sending stands: %w", err)
	}
	s.at = place{last.no, last.seq}
	return nil
}

func (s *source) lag(ctx context.Context) (waiting int64, oldest time.Time, err error) {
	var at *time.Time
	if err := s.conn.QueryRow(ctx, s.queries.Get("forward_lag"), s.at.no, s.at.seq).Scan(&waiting, &at); err != nil {
		return 0, time.Time{}, fmt.Errorf("audit: lag: %w", err)
	}
	if at != nil {
		oldest = *at
	}
	return waiting, oldest, nil
}
