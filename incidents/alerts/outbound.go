package alerts

import (
	"errors"
	"time"

	"onemap/internal/outbound"
	"onemap/internal/registry"
)

// Destination is one place a warning may be passed on to.
type Destination struct {
	Kind  string // webhook, drop
	ID    string
	Title string
	URL   string // of a webhook
}

// DestinationsOf are the places the setting names now.
func DestinationsOf(snap *registry.Snapshot) []Destination {
	raw, ok := snap.Settings[outbound.SettingKey]
	if !ok {
		return nil
	}
	s, err := outbound.Parse(raw)
	if err != nil {
		return nil
	}
	out := make([]Destination, 0, len(s.Webhooks)+len(s.Drops))
	for _, w := range s.Webhooks {
		out = append(out, Destination{"webhook", w.ID, w.Title, w.URL})
	}
	for _, d := range s.Drops {
		out = append(out, Destination{"drop", d.ID, d.Title, ""})
	}
	return out
}

var errGone = errors.New("the destination is no longer in the setting")

const (
	firstWait = 5 * time.Second
	longest   = 10 * time.Minute
	giveUp    = 24 * time.Hour
)

// backoff is how long to wait after so many attempts.
func backoff(attempts int) time.Duration {
	d := firstWait
	for i := 1; i < attempts && d < longest; i++ {
		d *= 2
	}
	return min(d, longest)
}
