package sensing

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/poll"
)

// Flush brings up to one batch of stations to the layer, and tells how many it was. Only
// one node does it at a time.
func (s *Service) Flush(ctx context.Context) (int, error) {
	n := 0
	err := s.db.Bulk.Tx(ctx, db.System("sensing"), func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, s.queries.Get("flush_lock")).Scan(&mine); err != nil || !mine {
			return err
		}
		rows, err := tx.Query(ctx, s.queries.Get("flush_due"), batch)
		if err != nil {
			return err
		}
		due := map[string]time.Time{}
		var ids []string
		var id string
		var at time.Time
		if _, err := pgx.ForEachRow(rows, []any{&id, &at}, func() error { ids, due[id] = append(ids, id), at; return nil }); err != nil || len(ids) == 0 {
			return err
		}
		n = len(ids)
		// As of a moment after all of them: judged together, each by its own age.
		now := s.now()
		for _, at := range due {
			if at.After(now) {
				now = at
			}
		}
		if rows, err = tx.Query(ctx, s.queries.Get("stations"), now, nil, nil, ids, nil, len(ids)); err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, scanStation)
		if err != nil {
			return err
		}
		rules := s.Rules()
		var changed, states []string
		var values []*float64
		var times []time.Time
		for _, st := range list {
			st.judge(rules, now)
			if st.At == nil {
				continue
			}
			changed, states, values, times = append(changed, st.ID), append(states, st.State), append(values, st.Value), append(times, *st.At)
		}
		if _, err := tx.Exec(ctx, s.queries.Get("flush_write"), changed, values, times, states); err != nil {
			return err
		}
		ats := make([]time.Time, len(ids))
		for i, id := range ids {
			ats[i] = due[id]
		}
		_, err = tx.Exec(ctx, s.queries.Get("flush_done"), ids, ats)
		return err
	})
	return n, wrap("flush", err)
}

// CountRain adds up the day of up to one batch of gauges that said something since, and
// tells how many it was. What it has not come to yet is added up by whoever asks.
func (s *Service) CountRain(ctx context.Context) (int, error) {
	n := 0
	err := s.db.Bulk.Tx(ctx, db.System("sensing"), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("rain_due"), rainBatch)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(ids) == 0 {
			return err
		}
		n = len(ids)
		_, err = tx.Exec(ctx, s.queries.Get("rain_count"), ids, s.now())
		return err
	})
	return n, wrap("rain", err)
}

// FallSilent takes the value off stations that said nothing for too long.
func (s *Service) FallSilent(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.Bulk.Tx(ctx, db.System("sensing"), func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, s.queries.Get("flush_lock")).Scan(&mine); err != nil || !mine {
			return err
		}
		tag, err := tx.Exec(ctx, s.queries.Get("fall_silent"), s.now(), s.Rules().SilentS, batch)
		n = tag.RowsAffected()
		return err
	})
	return n, wrap("silent", err)
}

// claim says whether this node asks a source now; the next time is set with it.
func (s *Service) claim(ctx context.Context, source string, every time.Duration) (bool, error) {
	err := s.db.Bulk.Tx(ctx, db.System("sensing"), func(tx pgx.Tx) error {
		var name string
		return tx.QueryRow(ctx, s.queries.Get("poll_claim"), source, s.now(), every.Seconds()).Scan(&name)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, wrap("claim", err)
}

// polled notes how asking went.
func (s *Service) polled(ctx context.Context, source string, out Outcome, failed error) error {
	var fault *string
	if failed != nil {
		r := []rune(failed.Error())
		text := string(r[:min(len(r), 300)])
		fault = &text
	}
	return s.db.Bulk.Tx(ctx, db.System("sensing"), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.queries.Get("poll_done"), source, s.now(), out.Accepted, len(out.Rejected), fault)
		return err
	})
}

func (s *Service) sources(ctx context.Context, who *auth.Identity, list []poll.Source) ([]SourceState, error) {
	out := make([]SourceState, len(list))
	names, at := make([]string, len(list)), map[string]int{}
	for i, src := range list {
		out[i] = SourceState{Name: src.Name, Title: src.Title, EveryS: int(src.Every().Seconds())}
		names[i], at[src.Name] = src.Name, i
	}
	err := s.db.Query.Ask(ctx, who.Reading(), s.queries.Get("polls"), []any{names}, func(rows pgx.Rows) error {
		var st SourceState
		_, err := pgx.ForEachRow(rows, []any{&st.Name, &st.NextAt, &st.AskedAt, &st.HeardAt, &st.Accepted, &st.Rejected, &st.Error}, func() error {
			o := &out[at[st.Name]]
			st.Title, st.EveryS = o.Title, o.EveryS
			*o = st
			return nil
		})
		return err
	})
	return out, err
}
