package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/db"
	"onemap/internal/features"
	"onemap/internal/feed"
	"onemap/internal/geo"
	"onemap/internal/registry"
)

// topicTiles tells which tiles are dirty; every other topic is a layer of ours.
const topicTiles = "tiles"

// maxReplay is how many changes are replayed. Whoever missed more is quicker
// drawing everything anew.
const maxReplay = 20_000

// getLive opens a stream of server-sent events. The connection is taken over after
// this handler returned; what it needs is copied into the closure.
func (s *Server) getLive(_ context.Context, req *Request) (*Response, error) {
	if s.draining.Load() {
		return nil, problem(CodeUnavailable)
	}
	// The rhythm of changes is data too: where no layer is public, nobody in particular
	// hears it.
	if _, err := someLayers(req, s.opts.Catalogue.Now()); err != nil {
		return nil, err
	}
	topics, told, err := s.readTopics(req)
	if err != nil {
		return nil, err
	}
	// A reconnecting browser knows better than the address it first used.
	from, resumed := req.LastEventID, req.LastEventID != ""
	if !resumed {
		from, resumed = req.Query.Get("since")
	}
	var since feed.Position
	reset := false
	if resumed {
		if since, err = feed.ParsePosition(from); err != nil {
			if req.LastEventID == "" {
				return nil, invalid("since", "不是位置", "it is not a position")
			}
			reset = true // what this server never sent as an id
		}
	}
	st := newStream(s.hub, topics, told, s.asker(req), req.Who)
	st.since, st.resumed, st.reset = since, resumed && !reset, reset
	st.known = since
	holder := holderOf(req)
	if req.Method == "GET" {
		if err := s.hub.reserve(holder); err != nil {
			return nil, err
		}
	}
	resp := &Response{Type: "text/event-stream; charset=utf-8", Cache: noStore}
	resp.stream = func(c net.Conn) {
		defer s.hub.release(holder)
		st.serve(c)
	}
	return resp, nil
}

// readTopics are tiles, layers of ours, and records the asker is told of, with the areas
// whose records those are, or the person.
func (s *Server) readTopics(req *Request) ([]string, map[string]ear, error) {
	v, given := req.Query.Get("topics")
	if !given {
		return nil, nil, problem(CodeMissingParameter, "topics")
	}
	snap := s.opts.Catalogue.Now()
	topics := strings.Split(v, ",")
	if len(topics) > 64 {
		return nil, nil, invalid("topics", "主题过多", "too many topics")
	}
	told := map[string]ear{}
	for i, t := range topics {
		if t == "reports" { // 险情灾情 from the field by the name programs were told; its events carry the table's
			t = "incident_reports"
			topics[i] = t
		}
		if t == topicTiles {
			continue
		}
		if r, ok := s.recordTopics()[t]; ok {
			if e, ok := r.hears(req.Who, req.Received); ok {
				told[t] = e
				continue
			}
		}
		if l, ok := snap.Layer(t); !ok || !l.Own || !l.SeenBy(req.Reach) {
			return nil, nil, invalid("topics", "没有主题 "+t, "there is no topic "+t)
		}
	}
	slices.Sort(topics)
	return slices.Compact(topics), told, nil
}

// streamHead is written by hand: fasthttp would announce a length.
const streamHead = "HTTP/1.1 200 OK\r\n" +
	"Content-Type: text/event-stream; charset=utf-8\r\n" +
	"Cache-Control: no-store\r\n" +
	"X-Accel-Buffering: no\r\n" +
	"X-Content-Type-Options: nosniff\r\n" +
	"Referrer-Policy: no-referrer\r\n" +
	"Cross-Origin-Resource-Policy: same-origin\r\n" +
	"Content-Security-Policy: " + apiPolicy + "\r\n" +
	"Connection: close\r\n\r\n" +
	"retry: 2000\n\n"

// serve owns the connection until the stream ends. One goroutine parks here per
// stream; the writing is the hub's.
func (st *stream) serve(c net.Conn) {
	top, bottom := takeOver(c)
	st.attach(top, bottom)
	st.push([]byte(streamHead))
	hub := st.hub
	if !hub.join(st) {
		st.finish()
		return
	}
	defer hub.leave(st)
	defer st.finish()
	life, cancel := context.WithTimeout(hub.server.base, hub.server.opts.StreamLife)
	defer cancel()
	if err := st.catchUp(life); err != nil {
		hub.server.opts.Logger.Debug("api: a live stream could not be resumed", "err", err)
		return
	}
	if bottom != nil && bottom.raw != nil {
		// Parked in the network poller: wakes when the client leaves, when the life is
		// over, or when end moves the deadline.
		if st.armed(time.Now().Add(hub.server.opts.StreamLife)) {
			_ = bottom.raw.Read(func(fd uintptr) bool { return peerLeft(int(fd)) })
		}
		return
	}
	select {
	case <-st.ended:
	case <-life.Done():
	}
}

// takeOver finds the connection to write to (TLS, if any) and the one below that
// can write without waiting.
func takeOver(c net.Conn) (top net.Conn, bottom *conn) {
	top = c
	if h, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		top = h.UnsafeConn()
	}
	for cur := top; ; {
		if b, ok := cur.(*conn); ok {
			return top, b
		}
		n, ok := cur.(interface{ NetConn() net.Conn })
		if !ok {
			return top, nil
		}
		cur = n.NetConn()
	}
}

// catchUp replays what happened between the client's position and the moment the
// stream joined; what happens since waits in held.
func (st *stream) catchUp(ctx context.Context) error {
	if st.reset {
		st.startOver()
	}
	if st.resumed {
		err := st.replay(ctx)
		if errors.Is(err, feed.ErrReset) {
			st.startOver()
			err = nil
		}
		if err != nil {
			return err
		}
	}
	st.push(st.hub.lagFrame(st.joined))
	st.unhold()
	return nil
}

func (st *stream) replay(ctx context.Context) error {
	source := st.hub.server.opts.Feed
	if source.State().Position.Less(st.since) {
		// Another node may be ahead of this one; a position of another feed never comes.
		wait, cancel := context.WithTimeout(ctx, st.hub.server.opts.Patience)
		err := source.WaitFor(wait, st.since)
		cancel()
		if err != nil {
			return feed.ErrReset
		}
	}
	// The feed counts a batch as delivered after its handlers, us among them, returned.
	for source.State().Position.Less(st.joined) && ctx.Err() == nil {
		pause(ctx, time.Millisecond)
	}
	const chunk = 1000
	at, total := st.since, 0
	for at.Less(st.joined) {
		changes, err := source.Since(ctx, at, chunk)
		if err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		more := len(changes) == chunk
		// What came after the stream joined reaches it live.
		if i := slices.IndexFunc(changes, func(c feed.Change) bool { return st.joined.Less(c.Position) }); i >= 0 {
			changes, more = changes[:i], false
		}
		if len(changes) == 0 {
			return nil
		}
		if total += len(changes); total > maxReplay {
			return feed.ErrReset
		}
		before := at
		at = changes[len(changes)-1].Position
		frame, err := st.hub.encode(ctx, st.group(), changes, before, at)
		if err != nil {
			return err
		}
		if !st.waitRoom(ctx, len(frame)) {
			return errSlow
		}
		st.push(frame)
		if !more {
			return nil
		}
	}
	return nil
}

var errSlow = errors.New("api: the stream's reader is too slow")

// visible keeps the changes a reach may know of. A row that left its areas reaches
// it as a deletion.
func visible(changes []feed.Change, snap *registry.Snapshot, reach db.Reach) []feed.Change {
	out := make([]feed.Change, 0, len(changes))
	for _, c := range changes {
		if c.Layer == feed.CatalogueChanged || c.Layer == feed.RegistryChanged {
			out = append(out, c)
			continue
		}
		// Rows of $auth, $decision and the like are of no layer.
		l, known := snap.Layer(c.Layer)
		if !known || !l.SeenBy(reach) {
			continue
		}
		scope := reach.Of(l.Visibility)
		if vague(c, l, scope) {
			c = somewhere(c)
		}
		before, after := overlaps(c.OldScope, scope), overlaps(c.NewScope, scope)
		switch {
		case before && !after && c.Op == feed.Update:
			c.Op, c.NewBBox, c.NewScope = feed.Delete, nil, nil
		case after && !before && c.Op == feed.Update:
			c.Op, c.OldBBox, c.OldScope = feed.Insert, nil, nil
		case !before && !after:
			// A bulk row of a table without scopes carries none: it is of everybody who
			// sees the layer.
			if c.OldScope != nil || c.NewScope != nil {
				continue
			}
		}
		out = append(out, c)
	}
	return out
}

// vague says whether a feed row speaks of more than the asker may know: a bulk row joins
// the number and the extent of rows of several areas, and a published table of
// somebody else's tells no row's area at all.
func vague(c feed.Change, l *registry.Layer, asker geo.Scopes) bool {
	switch {
	case l.ScopeColumn == "" || asker.Contains(geo.Everywhere()):
		return false
	case !l.Own:
		return true
	case c.Op != feed.Bulk:
		return false
	}
	outside := func(s geo.Scope) bool { return !asker.Contains(s) }
	return len(c.OldScope)+len(c.NewScope) == 0 || slices.ContainsFunc(c.OldScope, outside) || slices.ContainsFunc(c.NewScope, outside)
}

// somewhere leaves of a change that the layer changed: no rows, no place. Pages
// intersect the whole world with their view.
func somewhere(c feed.Change) feed.Change {
	c.Op, c.Rows, c.FID, c.ID = feed.Bulk, 0, 0, [16]byte{}
	c.OldBBox, c.NewBBox = nil, &orb.Bound{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}}
	return c
}

// published keeps the changes of rows that are shown, or were before the change, and
// drops those of drafts: whoever may not see a draft is not told that somebody works
// on it, nor where. Of many rows at once it is not known which are drafts.
func (h *hub) published(ctx context.Context, who features.Asker, changes []feed.Change) ([]feed.Change, error) {
	snap := h.server.opts.Catalogue.Now()
	hides := func(c feed.Change) (*registry.Layer, bool) {
		l, ok := snap.Layer(c.Layer)
		if !ok || !l.Own || l.ShownField == "" {
			return l, false
		}
		// Drafts of plans are drawn by several; any other draft is its author's alone.
		_, plans := l.Field("plan")
		return l, !plans || who.Reach.Class() != planning
	}
	after, before := map[string][][16]byte{}, map[string][]int64{}
	asked := map[string]*registry.Layer{}
	for _, c := range changes {
		l, ok := hides(c)
		if !ok || c.Op == feed.Bulk {
			continue
		}
		asked[c.Layer] = l
		after[c.Layer] = append(after[c.Layer], c.ID)
		before[c.Layer] = append(before[c.Layer], c.Position.Seq)
	}
	now, was := map[string]map[int64]features.Feature{}, map[string]map[int64]bool{}
	for _, layer := range sortedKeys(after) {
		var err error
		if now[layer], err = h.server.opts.Features.ByIDs(ctx, who, asked[layer], after[layer]); err != nil {
			return nil, err
		}
		if was[layer], err = h.server.opts.Features.WereShown(ctx, who, asked[layer], after[layer], before[layer]); err != nil {
			return nil, err
		}
	}
	out := make([]feed.Change, 0, len(changes))
	for _, c := range changes {
		if _, ok := hides(c); ok {
			_, present := now[c.Layer][c.FID]
			switch {
			case c.Op == feed.Bulk:
				c = somewhere(c)
			case !was[c.Layer][c.Position.Seq] && (c.Op == feed.Delete || !present):
				continue
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// planning is the class of reaches whose askers may see drafts of plans (see [auth.ReachOf]).
const planning = "planning"

func overlaps(row, asker geo.Scopes) bool {
	return slices.ContainsFunc(row, asker.Overlaps)
}
