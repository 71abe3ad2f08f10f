package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"onemap/internal/demo"
	"onemap/internal/demo/demostore"
)

// playDemo writes the exercise's events as their moments come, night after night,
// until ctx ends. A failure is logged and the next event tried: an exercise must
// not end because the database was away for a minute.
func playDemo(ctx context.Context, d *database, log *slog.Logger) {
	store, err := demostore.Open(d.DB)
	if err != nil {
		log.Error("play", "err", err)
		return
	}
	county, dataset := renewDemo(ctx, d, log)
	if county == nil {
		log.Warn("没有示例县,演练未开始 · no demo county, nothing to play")
		return
	}
	events := demo.Play(county)
	// A night that was broken off left things as they stood: put them back first.
	tidy := restoring(events)
	if err := store.Put(ctx, dataset, tidy); err != nil {
		log.Error("play: restore", "err", err)
	}
	log.Info("演练开始,循环播放 · exercise begins, in a loop", "events", len(events), "length", demo.PlayLength)
	for ctx.Err() == nil {
		playNight(ctx, store, dataset, events, time.Now(), log)
	}
}

// restoring picks the last state of every census record the exercise changes.
func restoring(events []demo.Event) []demo.Feature {
	var out []demo.Feature
	for _, e := range events {
		if e.Feature.Fields["exercise"] == false {
			out = append(out, e.Feature)
		}
	}
	return out
}

// playNight plays one night. Events of one moment go in one transaction.
func playNight(ctx context.Context, store *demostore.Store, dataset string, events []demo.Event, start time.Time, log *slog.Logger) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	wait := func(until time.Time) bool {
		timer.Reset(time.Until(until))
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		}
	}
	for i := 0; i < len(events); {
		j := i
		var batch []demo.Feature
		for ; j < len(events) && events[j].At < events[i].At+time.Second && j-i < 50; j++ {
			batch = append(batch, events[j].Resolve(start))
		}
		if !wait(start.Add(events[i].At)) {
			return
		}
		if err := store.Put(ctx, dataset, batch); err != nil && !errors.Is(err, context.Canceled) {
			log.Error("play", "at", events[i].At, "err", err)
		}
		i = j
	}
	wait(start.Add(demo.PlayLength))
}
