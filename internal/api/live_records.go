package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"onemap/census/field"
	"onemap/incidents"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/feed"
	"onemap/internal/geo"
)

// recordTopic is a table that is no layer and is told of on streams under its own name,
// by the rules of layers: a record is heard of where its scopes touch the areas, and one
// that leaves them is gone. A layer asks its visibility whose those are; a record asks
// what somebody does.
type recordTopic struct {
	areas func(who *auth.Identity, now time.Time) geo.Scopes
	// read gives those of the records that lie in the areas as they are now.
	read func(ctx context.Context, areas geo.Scopes, ids []string, line func(id string, v any, geometry json.RawMessage) error) error
}

// recordTopics are what comes from the field and what goes there. 险情 and tasks are the
// duty desk's; a notice is everybody's whom it is for.
func (s *Server) recordTopics() map[string]recordTopic {
	titles := func(ctx context.Context) *areaTitles {
		return &areaTitles{s: s, ctx: ctx, snap: s.opts.Catalogue.Now(), now: time.Now()}
	}
	type line = func(id string, v any, geometry json.RawMessage) error
	return map[string]recordTopic{
		"incident_reports": {incidents.Desk, func(ctx context.Context, areas geo.Scopes, ids []string, out line) error {
			list, err := s.opts.Reports.ByIDs(ctx, areas, ids)
			for id, r := range list {
				if err := out(id, reportLine(r, titles(ctx)), geometryJSON(r.Geometry)); err != nil {
					return err
				}
			}
			return err
		}},
		"tasks": {field.Desk, func(ctx context.Context, areas geo.Scopes, ids []string, out line) error {
			list, err := s.opts.Work.TasksIn(ctx, areas, ids)
			for id, t := range list {
				if err := out(id, taskLine(t, titles(ctx)), geometryJSON(t.Geometry)); err != nil {
					return err
				}
			}
			return err
		}},
		"notices": {func(who *auth.Identity, _ time.Time) geo.Scopes {
			if !who.SignedIn() || who.Account == "" {
				return nil
			}
			return who.Reach.Of(db.Internal)
		}, func(ctx context.Context, areas geo.Scopes, ids []string, out line) error {
			list, err := s.opts.Work.NoticesIn(ctx, areas, ids)
			for id, n := range list {
				if err := out(id, noticeLine(n, false, titles(ctx)), json.RawMessage("null")); err != nil {
					return err
				}
			}
			return err
		}},
	}
}

// toldKey is equal exactly where the same records are told of.
func toldKey(told map[string]geo.Scopes) string {
	var b strings.Builder
	for _, topic := range slices.Sorted(maps.Keys(told)) {
		b.WriteString(topic + told[topic].String() + " ")
	}
	return b.String()
}

// heard keeps the changes of records somebody is told of. A record that left his areas
// reaches him as a deletion.
func heard(changes []feed.Change, told map[string]geo.Scopes) []feed.Change {
	var out []feed.Change
	for _, c := range changes {
		areas, ok := told[c.Layer]
		if !ok || c.Op == feed.Bulk {
			continue
		}
		before, after := overlaps(c.OldScope, areas), overlaps(c.NewScope, areas)
		switch {
		case !before && !after:
			continue
		case before && !after:
			c.Op, c.NewBBox, c.NewScope = feed.Delete, nil, nil
		case after && !before && c.Op == feed.Update:
			c.Op, c.OldBBox, c.OldScope = feed.Insert, nil, nil
		}
		out = append(out, c)
	}
	return out
}

// inOrder joins two runs of changes in the order of the feed.
func inOrder(a, b []feed.Change) []feed.Change {
	if len(b) == 0 {
		return a
	}
	out := slices.Concat(a, b)
	slices.SortStableFunc(out, func(x, y feed.Change) int {
		switch {
		case x.Position.Less(y.Position):
			return -1
		case y.Position.Less(x.Position):
			return 1
		}
		return 0
	})
	return out
}

// records reads the present state of the changed records, one question per topic.
func (h *hub) records(ctx context.Context, g groupOf, changes []feed.Change) (map[string]map[string]features.Feature, error) {
	ids := map[string][]string{}
	for _, c := range changes {
		if c.Op != feed.Delete {
			ids[c.Layer] = append(ids[c.Layer], uuidString(c.ID))
		}
	}
	topics := h.server.recordTopics()
	out := map[string]map[string]features.Feature{}
	for _, topic := range sortedKeys(ids) {
		slices.Sort(ids[topic])
		found := map[string]features.Feature{}
		err := topics[topic].read(ctx, g.told[topic], slices.Compact(ids[topic]), func(id string, v any, geometry json.RawMessage) error {
			body, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("api: record of %s: %w", topic, err)
			}
			found[id] = features.Feature{Properties: body, Geometry: geometry}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out[topic] = found
	}
	return out, nil
}
