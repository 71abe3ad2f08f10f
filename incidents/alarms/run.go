package alarms

import (
	"context"
	"time"

	"onemap/internal/db"
	"onemap/internal/geo"
)

const (
	lookEvery = 10 * time.Second // at what holds
	tickEvery = time.Second      // counts and steps up
)

// The works of [Service.Run], each done by one node at a time.
const (
	workLook = 1
	workFold = 2
)

// Run looks at what holds, brings counts to the screens and lets what nobody took go a
// step up. It may run on several nodes.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var looked time.Time
	for {
		if now := time.Now(); now.Sub(looked) >= lookEvery {
			looked = now
			s.complain(ctx, "look", s.Look(ctx))
		}
		s.complain(ctx, "fold", s.Fold(ctx))
		_, err := s.Escalate(ctx)
		s.complain(ctx, "escalate", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *Service) complain(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		s.log.Error("alarms: "+what, "err", err)
	}
}

// Look brings everything that holds now to its alarm, and marks what is over.
func (s *Service) Look(ctx context.Context) error {
	own := Source{Kinds: []string{"unattended", "alert"}, Standing: s.own}
	for _, src := range append([]Source{own}, s.sources...) {
		list, err := src.Standing(ctx)
		if err != nil {
			return wrap("look", err)
		}
		bundles := make([]bundle, 0, len(list))
		for _, c := range list {
			scope := geo.Everywhere()
			if !c.Scope.IsNull() {
				scope = c.Scope
			} else if c.Area != "" {
				if scope, err = geo.ParseScope(c.Area); err != nil {
					s.log.Error("alarms: area", "key", c.Key, "err", err)
					continue
				}
			}
			bundles = append(bundles, bundle{c: c, n: 1, scope: scope, claims: db.System("alarms")})
		}
		if err := s.tellAll(ctx, src.Kinds, bundles); err != nil {
			return wrap("look", err)
		}
	}
	return nil
}
