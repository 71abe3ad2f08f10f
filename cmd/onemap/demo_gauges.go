package main

import (
	"context"
	"log/slog"
	"time"

	"onemap/internal/demo/demostore"
)

// speakDemo lets the demo county's gauges go on speaking: a gauge that stops has no data
// after a quarter of an hour, in the demonstration too.
func speakDemo(ctx context.Context, d *database, log *slog.Logger) {
	store, err := demostore.Open(d.DB)
	if err != nil {
		log.Error("demo", "err", err)
		return
	}
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if st, err := store.State(ctx); err == nil && st.Made.Complete {
			now := time.Now()
			if err := store.Gauges(ctx, st.Dataset, now.Add(-24*time.Hour), now); err != nil && ctx.Err() == nil {
				log.Error("demo: gauges", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
