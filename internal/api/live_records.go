package api

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"onemap/census/field"
	"onemap/census/resources"
	"onemap/incidents"
	"onemap/incidents/alarms"
	"onemap/incidents/alerts"
	"onemap/incidents/contingency"
	"onemap/incidents/evacuation"
	"onemap/incidents/papers"
	"onemap/incidents/response"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/internal/sync"
)

// recordTopic is a table that is no layer and is told of on streams under its own name,
// by the rules of layers: a record is heard of where its scopes touch the areas, and one
// that leaves them is gone. A layer asks its visibility whose those are; a record asks
// what somebody does; what is one person's own asks who he is.
type recordTopic struct {
	hears func(who *auth.Identity, now time.Time) (ear, bool)
	// read gives those of the records that are his as they are now.
	read func(ctx context.Context, e ear, ids []string, out putLine) error
}

// putLine takes one record as its GET shows it.
type putLine func(id string, v any, geometry json.RawMessage) error

// tell puts out the lines of what was read.
func tell[K, T any](list iter.Seq2[K, T], err error, out putLine, line func(K, T) (string, any, json.RawMessage)) error {
	if err != nil {
		return err
	}
	for k, v := range list {
		if err := out(line(k, v)); err != nil {
			return err
		}
	}
	return nil
}

// ear is whose records somebody is told of on a topic: those of areas, or a person's own.
type ear struct {
	areas geo.Scopes
	actor string
	// figures: that something changed, and where; a wall reads the figures again.
	figures bool
}

func inAreas(areas func(who *auth.Identity, now time.Time) geo.Scopes) func(*auth.Identity, time.Time) (ear, bool) {
	return func(who *auth.Identity, now time.Time) (ear, bool) {
		a := areas(who, now)
		return ear{areas: a}, len(a) > 0
	}
}

// callEars hear of call-outs: a desk the records, a wall that there is something new.
func callEars(who *auth.Identity, now time.Time) (ear, bool) {
	if a := evacuation.Desk(who, now); len(a) > 0 {
		return ear{areas: a}, true
	}
	a := evacuation.Screen(who)
	return ear{areas: a, figures: true}, len(a) > 0
}

// movedNews is what a wall hears of a call-out.
type movedNews struct {
	Callout string `json:"callout"`
	Village string `json:"village,omitempty"`
}

// internalAreas are those of whoever reads what is internal there: walls too.
func internalAreas(who *auth.Identity, _ time.Time) geo.Scopes {
	if !who.SignedIn() {
		return nil
	}
	return who.Reach.Of(db.Internal)
}

type caseNews struct {
	Sort    string    `json:"sort"`
	State   string    `json:"state"`
	Outcome *string   `json:"outcome"`
	Area    *string   `json:"area"`
	DueAt   time.Time `json:"due_at"`
}

// recordTopics are what comes from the field and what goes there. 险情 and tasks are the
// duty desk's, and what waits for its decision; a notice is everybody's whom it is for; a
// receipt is its sender's.
func (s *Server) recordTopics() map[string]recordTopic {
	titles := func(ctx context.Context) *areaTitles {
		return &areaTitles{s: s, ctx: ctx, snap: s.opts.Catalogue.Now(), now: time.Now()}
	}
	none := json.RawMessage("null")
	return map[string]recordTopic{
		"incident_reports": {inAreas(incidents.Desk), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Reports.ByIDs(ctx, e.areas, ids)
			areas := titles(ctx)
			return tell(maps.All(list), err, out, func(id string, r incidents.Report) (string, any, json.RawMessage) {
				return id, reportLine(r, areas), geometryJSON(r.Geometry)
			})
		}},
		// The timeline is heard by whoever may read the layer of incidents there.
		incidents.EventTable: {inAreas(func(who *auth.Identity, _ time.Time) geo.Scopes {
			l, ok := s.opts.Catalogue.Now().Layer("incidents")
			if !ok || !who.SignedIn() {
				return nil
			}
			return who.Reach.Of(l.Visibility)
		}), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Incidents.EventsIn(ctx, e.areas, ids)
			return tell(maps.All(list), err, out, func(id string, ev incidents.Event) (string, any, json.RawMessage) {
				return id, s.incidentEventLine(ev, registry.Chinese), none
			})
		}},
		"alarms": {inAreas(alarms.Areas), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Alarms.ByIDs(ctx, e.areas, ids)
			areas := titles(ctx)
			return tell(slices.All(list), err, out, func(_ int, a alarms.Alarm) (string, any, json.RawMessage) {
				return a.ID, alarmLine(a, areas), geometryJSON(a.Geometry)
			})
		}},
		alerts.ReceiptTable: {inAreas(s.hearsReceipts), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Alerts.ReceiptsIn(ctx, e.areas, ids)
			return tell(maps.All(list), err, out, func(id string, r alerts.Told) (string, any, json.RawMessage) {
				return id, receiptNews{r.Alert, r.Target, r.Channel, r.Outcome, r.At, r.Name}, none
			})
		}},
		"response": {inAreas(internalAreas), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Responses.ByIDs(ctx, e.areas, ids)
			areas := titles(ctx)
			return tell(maps.All(list), err, out, func(id string, r response.Response) (string, any, json.RawMessage) {
				return id, s.responseLine(r, areas, registry.Chinese), none
			})
		}},
		"response_tasks": {inAreas(internalAreas), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Contingency.TasksIn(ctx, e.areas, ids)
			areas := titles(ctx)
			return tell(maps.All(list), err, out, func(id string, t contingency.Task) (string, any, json.RawMessage) {
				return id, s.responseTaskLine(t, areas, registry.Chinese), none
			})
		}},
		// Papers are told of to those who draft and sign them.
		"papers": {inAreas(papers.Office), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Papers.ByIDs(ctx, e.areas, ids)
			areas := titles(ctx)
			return tell(maps.All(list), err, out, func(id string, p papers.Paper) (string, any, json.RawMessage) {
				return id, s.paperLine(p, "", areas, registry.Chinese), none
			})
		}},
		"tasks": {inAreas(field.Desk), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Work.TasksIn(ctx, e.areas, ids)
			areas := titles(ctx)
			return tell(maps.All(list), err, out, func(id string, t field.Task) (string, any, json.RawMessage) {
				return id, taskLine(t, areas), geometryJSON(t.Geometry)
			})
		}},
		"notices": {inAreas(func(who *auth.Identity, _ time.Time) geo.Scopes {
			if !who.SignedIn() || who.Account == "" {
				return nil
			}
			return who.Reach.Of(db.Internal)
		}), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Work.NoticesIn(ctx, e.areas, ids)
			areas := titles(ctx)
			return tell(maps.All(list), err, out, func(id string, n field.Notice) (string, any, json.RawMessage) {
				return id, noticeLine(n, false, areas), none
			})
		}},
		"dispatches": {inAreas(dispatchEars), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Resources.DispatchesIn(ctx, e.areas, ids)
			return tell(maps.All(list), err, out, func(id string, d resources.Dispatch) (string, any, json.RawMessage) {
				return id, dispatchLine(d), geometryJSON(d.Geometry)
			})
		}},
		"callouts": {callEars, func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Evacuation.CalloutsIn(ctx, e.areas, ids)
			areas := titles(ctx)
			return tell(slices.All(list), err, out, func(_ int, c evacuation.Callout) (string, any, json.RawMessage) {
				if e.figures {
					return c.ID, movedNews{Callout: c.ID}, none
				}
				return c.ID, calloutLine(c, areas), geometryJSON(c.Geometry)
			})
		}},
		"call_targets": {callEars, func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Evacuation.TargetsIn(ctx, e.areas, ids)
			now := time.Now()
			return tell(slices.All(list), err, out, func(_ int, t evacuation.Target) (string, any, json.RawMessage) {
				if e.figures {
					return t.ID, movedNews{t.Callout, t.Village}, none
				}
				return t.ID, targetLine(t, now), none
			})
		}},
		"calls": {callEars, func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Evacuation.CallsIn(ctx, e.areas, ids)
			return tell(slices.All(list), err, out, func(_ int, c evacuation.Call) (string, any, json.RawMessage) {
				if e.figures {
					return c.ID, struct{}{}, none
				}
				return c.ID, callLine(c), none
			})
		}},
		"evacuation_entries": {callEars, func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Evacuation.EntriesIn(ctx, e.areas, ids)
			return tell(slices.All(list), err, out, func(_ int, x evacuation.Entry) (string, any, json.RawMessage) {
				if e.figures {
					return x.ID, movedNews{x.Callout, x.Village}, none
				}
				return x.ID, movedLine(x), none
			})
		}},
		sync.CaseTable: {inAreas(func(who *auth.Identity, _ time.Time) geo.Scopes { return s.opts.Sync.DeskAreas(who) }), func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Sync.CasesIn(ctx, e.areas, ids)
			return tell(slices.All(list), err, out, func(_ int, c sync.CaseNews) (string, any, json.RawMessage) {
				return c.ID, caseNews{c.Sort, c.State, optional(c.Outcome), optional(codeOf(c.Scope)), c.Due}, none
			})
		}},
		sync.ReceiptTable: {func(who *auth.Identity, _ time.Time) (ear, bool) {
			if !who.SignedIn() || who.Account == "" {
				return ear{}, false
			}
			return ear{actor: who.Actor()}, true
		}, func(ctx context.Context, e ear, ids []string, out putLine) error {
			list, err := s.opts.Sync.ReceiptsOf(ctx, e.actor, ids)
			return tell(slices.All(list), err, out, func(_ int, r sync.Receipt) (string, any, json.RawMessage) {
				return r.OpID, receiptLine(r), none
			})
		}},
	}
}

// toldKey is equal exactly where the same records are told of.
func toldKey(told map[string]ear) string {
	var b strings.Builder
	for _, topic := range slices.Sorted(maps.Keys(told)) {
		e := told[topic]
		fmt.Fprintf(&b, "%s%s %s %t\n", topic, e.areas, e.actor, e.figures)
	}
	return b.String()
}

// heard keeps the changes of records somebody is told of. A record that left his areas
// reaches him as a deletion.
func heard(changes []feed.Change, told map[string]ear) []feed.Change {
	var out []feed.Change
	for _, c := range changes {
		e, ok := told[c.Layer]
		if !ok || c.Op == feed.Bulk {
			continue
		}
		if e.actor != "" {
			out = append(out, c) // whose it is the record says
			continue
		}
		before, after := overlaps(c.OldScope, e.areas), overlaps(c.NewScope, e.areas)
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
