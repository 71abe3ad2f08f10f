package sensing

import (
	"context"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/poll"
)

const (
	batch      = 400 // stations of one write to the layer: its feed rows stay single ones
	flushEvery = 2 * time.Second
	flushGap   = 250 * time.Millisecond // gathers deliveries that come together
	rainBatch  = 100                    // gauges whose sums are made in one transaction: a delivery may wait for it
	rainTurns  = 10                     // of them before the layer has its turn
)

// Run adds up the rain, brings what was observed to the layer, marks who fell silent, makes the partitions
// of the coming months and asks the sources. It may run on several nodes: each piece of
// work is done by one of them.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	var silent, months, sources time.Time
	for {
		now := time.Now()
		if now.Sub(months) > 6*time.Hour && s.ahead(ctx) {
			months = now
		}
		for range rainTurns {
			if s.rain(ctx) < rainBatch || ctx.Err() != nil {
				break
			}
		}
		for s.flush(ctx) == batch && ctx.Err() == nil {
		}
		if now.Sub(silent) > 15*time.Second {
			silent = now
			s.fall(ctx)
		}
		if s.poll != nil && now.Sub(sources) > 5*time.Second {
			sources = now
			s.ask(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.poke:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(flushGap):
			}
		}
	}
}

// complain logs what failed, unless the program ends.
func (s *Service) complain(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.Error("sensing: "+what, "err", err)
	}
}

// ahead makes the partitions of this month and the next two.
func (s *Service) ahead(ctx context.Context) bool {
	for i := range 3 {
		if err := s.month(ctx, s.now().AddDate(0, i, 0)); err != nil {
			s.complain(ctx, "partition", err)
			return false
		}
	}
	return true
}

// rain makes the sums of one batch of gauges and tells how many it was.
func (s *Service) rain(ctx context.Context) int {
	n, err := s.CountRain(ctx)
	s.complain(ctx, "rain", err)
	return n
}

// flush writes one batch to the layer and tells how many stations it was.
func (s *Service) flush(ctx context.Context) int {
	n, err := s.Flush(ctx)
	s.complain(ctx, "layer", err)
	return n
}

func (s *Service) fall(ctx context.Context) {
	_, err := s.FallSilent(ctx)
	s.complain(ctx, "silent", err)
}

// ask asks every source that is due and not being asked by another node.
func (s *Service) ask(ctx context.Context) {
	for _, src := range s.poll.Sources() {
		claimed, err := s.claim(ctx, src.Name, src.Every())
		if err != nil {
			s.complain(ctx, "source", err)
			return
		}
		if claimed {
			s.askOne(ctx, src)
		}
	}
}

// askOne fetches a source and takes what it says. What it brings is bounded by its area.
func (s *Service) askOne(ctx context.Context, src poll.Source) {
	var out Outcome
	list, err := s.poll.Fetch(ctx, src)
	if err == nil {
		claims := db.System("poll:" + src.Name)
		if src.Area != "" {
			var area geo.Scope
			if area, err = geo.ParseScope(src.Area); err == nil {
				claims.Write = geo.Scopes{area}
			}
		}
		for len(list) > 0 && err == nil {
			n := min(len(list), MaxObservations)
			given := make([]Observation, n)
			for i, v := range list[:n] {
				given[i] = Observation{Station: v.Station, Measure: v.Measure, Value: v.Value, At: v.At, Quality: v.Quality}
			}
			var one Outcome
			one, err = s.observe(ctx, claims, src.Name, given)
			out.Accepted += one.Accepted
			out.Duplicate += one.Duplicate
			out.Rejected = append(out.Rejected, one.Rejected...)
			list = list[n:]
		}
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.log.Warn("sensing: source", "source", src.Name, "err", err)
	}
	s.complain(ctx, "source", s.polled(ctx, src.Name, out, err))
}

// SourceState is a source that is asked, and how it goes. Its address stays here.
type SourceState struct {
	Name, Title              string
	EveryS                   int
	AskedAt, HeardAt, NextAt *time.Time
	Accepted, Rejected       int64
	Error                    string
}

// Sources are those of the setting.
func (s *Service) Sources(ctx context.Context, who *auth.Identity) ([]SourceState, error) {
	if s.poll == nil {
		return nil, nil
	}
	list, err := s.sources(ctx, who, s.poll.Sources())
	return list, wrap("sources", err)
}
