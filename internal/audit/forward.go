package audit

import (
	"context"
	"errors"
	"time"
)

// errElsewhere: another node sends.
var errElsewhere = errors.New("audit: another node sends")

// forward follows the seals to the syslog receiver, if one is set, until ctx ends. It
// reads what is committed, on a connection of its own, and nobody waits for it.
func (l *Log) forward(ctx context.Context) {
	for ctx.Err() == nil {
		err := l.forwarding(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errElsewhere):
			l.update(func(s *State) { s.Syslog.Sending = false })
		case err != nil:
			if l.State().Syslog.Error == "" {
				l.log.Error("audit: syslog", "err", err)
			}
			l.update(func(s *State) {
				s.Syslog.Sending, s.Syslog.Error, s.Syslog.ErrorAt = false, err.Error(), time.Now()
			})
		}
		select {
		case <-ctx.Done():
		case <-time.After(l.opts.Retry):
		}
	}
}

// forwarding sends until something changes or breaks.
func (l *Log) forwarding(ctx context.Context) error {
	raw, err := l.setting(ctx)
	if err != nil {
		return err
	}
	target, err := ParseTarget(raw)
	if err != nil {
		l.update(func(s *State) { s.Syslog.On, s.Syslog.Target = true, "" })
		return err
	}
	if target.Address == "" {
		l.update(func(s *State) { s.Syslog = SyslogState{} })
		return nil
	}
	l.update(func(s *State) { s.Syslog.On, s.Syslog.Target = true, target.String() })
	src, err := l.openSource(ctx)
	if err != nil {
		return err
	}
	defer src.close(ctx)
	if err := l.report(ctx, src); err != nil {
		return err
	}
	out, err := dial(ctx, target)
	if err != nil {
		return err
	}
	defer out.close()
	return l.pump(ctx, src, out, target)
}

// batchSize bounds what is sent again after a line broke.
const batchSize = 200

func (l *Log) pump(ctx context.Context, src *source, out *line, target Target) error {
	for {
		raw, err := src.setting(ctx)
		if err != nil {
			return err
		}
		if now, err := ParseTarget(raw); err != nil || now != target {
			return err
		}
		batch, err := src.next(ctx, batchSize)
		if err != nil {
			return err
		}
		for _, m := range batch {
			if err := out.send(m.format(target.Facility, l.opts.Host)); err != nil {
				return err
			}
		}
		if len(batch) > 0 {
			if err := out.drained(ctx); err != nil {
				return err
			}
			if err := src.moved(ctx, batch[len(batch)-1], target); err != nil {
				return err
			}
		}
		if err := l.report(ctx, src); err != nil {
			return err
		}
		l.update(func(s *State) { s.Syslog.Sending, s.Syslog.Error, s.Syslog.ErrorAt = true, "", time.Time{} })
		if len(batch) == batchSize {
			continue
		}
		if out.gone.Load() && out.counts {
			return errGone
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(l.opts.Interval):
		}
	}
}

// report shows how far behind the receiver is.
func (l *Log) report(ctx context.Context, src *source) error {
	waiting, oldest, err := src.lag(ctx)
	if err != nil {
		return err
	}
	l.update(func(s *State) {
		s.Syslog.Waiting, s.Syslog.Oldest, s.Syslog.Confirmed = waiting, oldest, src.at.no
	})
	return nil
}
