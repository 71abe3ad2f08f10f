package api

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"onemap/internal/auth"
	"onemap/internal/features"
	"onemap/internal/feed"
	"onemap/tiles"
)

const (
	// streamWriters write to all streams; sockets never make them wait.
	streamWriters = 4
	// coalesce is the least time between two deliveries: a burst of commits becomes
	// one event per layer. It is part of the time from commit to map.
	coalesce = 25 * time.Millisecond
)

// hub delivers the feed to the streams. Streams of one scope and the same topics
// share their bytes: a thousand watchers cost one encoding.
type hub struct {
	server  *Server
	ready   chan *stream
	wake    chan struct{}
	running atomic.Bool

	mu       sync.Mutex
	streams  map[*stream]struct{}
	reserved int
	held     map[holder]int // of reserved
	closed   bool
	feedID   string
	position feed.Position // everything up to here was delivered
	pending  []feed.Change
	upTo     feed.Position
	restart  bool // the feed is another one: positions mean nothing any more
	still    func(*auth.Identity) bool

	demo demoArea
}

func newHub(s *Server) *hub {
	st := s.opts.Feed.State()
	h := &hub{
		server: s, ready: make(chan *stream, s.opts.Streams+1), wake: make(chan struct{}, 1),
		streams: map[*stream]struct{}{}, held: map[holder]int{}, feedID: st.FeedID, position: st.Position, upTo: st.Position,
	}
	if s.opts.Auth != nil {
		h.still = s.opts.Auth.Recheck
		s.opts.Auth.OnChange(h.recheck)
	}
	return h
}

// Deliver takes a batch of the feed. Register it last: when a client hears of a
// change, the caches no longer hold what was before.
func (s *Server) Deliver(_ context.Context, b feed.Batch) {
	h := s.hub
	id := s.opts.Feed.State().FeedID
	h.mu.Lock()
	if id != h.feedID {
		h.feedID, h.restart, h.pending = id, true, nil
	}
	h.pending = append(h.pending, b.Changes...)
	h.upTo = b.Position
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// RightsChanged looks at every open stream with still, which says whether an identity
// has the rights it had. The hub does so by itself when [auth.Service] reloads and every
// two seconds, so that neither a stalled feed nor a grant that ends by the clock leaves
// a stream open; whoever knows of another reason calls this.
func (s *Server) RightsChanged(still func(*auth.Identity) bool) {
	s.hub.mu.Lock()
	s.hub.still = still
	s.hub.mu.Unlock()
	s.hub.recheck()
}

// recheckEvery is well under the five seconds in which a change of rights must be
// everywhere.
const recheckEvery = 2 * time.Second

func (h *hub) recheck() {
	h.mu.Lock()
	still := h.still
	var list []*stream
	if still != nil {
		list = h.list()
	}
	h.mu.Unlock()
	// Streams of one identity are looked at once: a hall of screens is one.
	asked := map[*auth.Identity]bool{}
	for _, st := range list {
		same, known := asked[st.who]
		if !known {
			same = still(st.who)
			asked[st.who] = same
		}
		if !same {
			st.revoke()
		}
	}
}

func (h *hub) watchRights(ctx context.Context) {
	t := time.NewTicker(recheckEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			h.server.guarded("rights of streams", h.recheck)
		}
	}
}

// run delivers until ctx ends. The first Serve runs it for all listeners.
func (h *hub) run(ctx context.Context) {
	if !h.running.CompareAndSwap(false, true) {
		return
	}
	defer h.running.Store(false)
	var wg sync.WaitGroup
	defer wg.Wait()
	for range streamWriters {
		wg.Go(func() { h.server.guarded("stream writer", func() { h.write(ctx) }) })
	}
	wg.Go(func() { h.watchRights(ctx) })
	beat := time.NewTicker(h.server.opts.Heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
			whole := false
			h.server.guarded("live delivery", func() { h.deliver(ctx); whole = true })
			if !whole {
				h.endAll() // nobody may go on with a hole in the stream
			}
			pause(ctx, coalesce)
		case <-beat.C:
			h.beat()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (h *hub) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case st := <-h.ready:
			h.server.guarded("stream", st.pump)
		}
	}
}

// deliver gives what came to everybody who may see it.
func (h *hub) deliver(ctx context.Context) {
	h.mu.Lock()
	changes, upTo, restart := h.pending, h.upTo, h.restart
	h.pending, h.restart = nil, false
	before := h.position
	// Whoever joins from now on gets these by replay, so the set is taken here.
	h.position = upTo
	members := make(map[groupKey][]*stream)
	groups := make(map[groupKey]groupOf)
	for st := range h.streams {
		g := st.group()
		groups[g.key] = g
		members[g.key] = append(members[g.key], st)
	}
	h.mu.Unlock()
	if len(changes) == 0 && !restart {
		return
	}
	for key, list := range members {
		if restart {
			for _, st := range list {
				st.live(frameReset(upTo))
			}
			continue
		}
		ask, cancel := context.WithTimeout(ctx, 3*time.Second)
		frame, err := h.encode(ask, groups[key], changes, before, upTo)
		cancel()
		if err != nil {
			// Better no stream than one with a hole: they come back and replay.
			h.server.opts.Logger.Warn("api: live events could not be made", "err", err)
			for _, st := range list {
				st.end()
			}
			continue
		}
		if len(frame) == 0 {
			continue
		}
		for _, st := range list {
			if known := st.knownUpTo(); !known.Less(changes[0].Position) {
				// It resumed from a position ahead of what was delivered here.
				rest := changes[len(changes):]
				if i := slices.IndexFunc(changes, func(c feed.Change) bool { return known.Less(c.Position) }); i >= 0 {
					rest = changes[i:]
				}
				own, err := h.encode(ctx, groups[key], rest, known, upTo)
				if err != nil {
					st.end()
				} else if len(own) > 0 {
					st.live(own)
				}
				continue
			}
			st.live(frame)
		}
	}
}

type tilesEvent struct {
	Position string      `json:"position"`
	Layer    string      `json:"layer"`
	Boxes    []tiles.Box `json:"boxes"`
	MaxZoom  int         `json:"max_zoom"`
}

type changeEvent struct {
	Position   string          `json:"position"`
	Op         string          `json:"op"`
	ID         string          `json:"id,omitempty"`
	FID        int64           `json:"fid,omitempty"`
	Rows       int             `json:"rows,omitempty"`
	Properties json.RawMessage `json:"properties"`
	Geometry   json.RawMessage `json:"geometry"`
}

type lagEvent struct {
	Position string `json:"position"`
	LagMs    int64  `json:"lag_ms"`
	Feed     string `json:"feed"`
}

type positionEvent struct {
	Position string `json:"position"`
}

// encode makes the bytes of one delivery, whose changes lie after before and up to
// upTo. Every event carries a position from which a client that got it and nothing
// more can resume: dirty tiles come first, with the position before the delivery,
// then the rows in order, each with its own; the last event carries the position of
// the whole. A client cut off in between may see a dirty box twice, which does no
// harm, and misses nothing.
func (h *hub) encode(ctx context.Context, g groupOf, changes []feed.Change, before, upTo feed.Position) ([]byte, error) {
	told := heard(changes, g.told)
	if !slices.Contains(g.topics, topicTiles) {
		// Nobody is asked about rows the stream is not to tell of.
		changes = slices.DeleteFunc(slices.Clone(changes), func(c feed.Change) bool { return !slices.Contains(g.topics, c.Layer) })
	}
	changes, err := h.published(ctx, g.asker, visible(changes, h.server.opts.Catalogue.Now(), g.asker.Reach))
	if err != nil {
		return nil, err
	}
	if g.asker.Reach.Demo() {
		if changes, err = h.demo.inside(ctx, h.server.opts.Features, g.asker, changes); err != nil {
			return nil, err
		}
	}
	records, err := h.records(ctx, g, told)
	if err != nil {
		return nil, err
	}
	changes = inOrder(changes, told)
	if len(changes) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	snap := h.server.opts.Catalogue.Now()
	follows := slices.ContainsFunc(changes, func(c feed.Change) bool { return slices.Contains(g.topics, c.Layer) })
	if slices.Contains(g.topics, topicTiles) {
		if slices.ContainsFunc(changes, func(c feed.Change) bool { return c.Layer == feed.CatalogueChanged }) {
			event(&out, "catalogue", "", positionEvent{before.String()})
		}
		var dirty []tilesEvent
		for _, d := range tiles.DirtyBoxes(changes) {
			l, ok := snap.Layer(d.Layer)
			if !ok {
				continue
			}
			for boxes := range slices.Chunk(d.Boxes, tiles.MaxDirtyBoxes) {
				dirty = append(dirty, tilesEvent{before.String(), d.Layer, boxes, l.MaxZoom})
			}
		}
		for i, e := range dirty {
			id := ""
			if i == len(dirty)-1 && !follows {
				e.Position, id = upTo.String(), upTo.String()
			}
			event(&out, "tiles", id, e)
		}
	}
	rows, err := h.rows(ctx, g, changes)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if !slices.Contains(g.topics, c.Layer) {
			continue
		}
		e := changeEvent{Position: c.Position.String(), Op: opName(c.Op), Properties: json.RawMessage("null"), Geometry: json.RawMessage("null")}
		if c.Op == feed.Bulk {
			e.Rows = c.Rows
		} else {
			e.ID, e.FID = uuidString(c.ID), c.FID
			f, present := rows[c.Layer][c.FID]
			if _, record := g.told[c.Layer]; record {
				f, present = records[c.Layer][e.ID]
			}
			switch {
			case c.Op == feed.Delete:
			case present:
				e.Properties, e.Geometry = raw(f.Properties, "{}"), raw(f.Geometry, "null")
			case c.Op == feed.Insert || g.asker.Reach.Demo() || g.told[c.Layer].actor != "":
				// It never was on this client's map, nor will it be by this change: gone
				// again, a draft, not a demo row, or somebody else's own.
				continue
			default:
				// Gone again, or not to be seen: for this client it does not exist.
				e.Op = opName(feed.Delete)
			}
		}
		event(&out, c.Layer, c.Position.String(), e)
	}
	if out.Len() == 0 {
		return nil, nil
	}
	// An event without data only sets the id (HTML §9.2.6).
	fmt.Fprintf(&out, "id: %s\n\n", upTo)
	return out.Bytes(), nil
}

// rows reads the present state of the changed rows, one question per layer.
func (h *hub) rows(ctx context.Context, g groupOf, changes []feed.Change) (map[string]map[int64]features.Feature, error) {
	ids := map[string][][16]byte{}
	for _, c := range changes {
		if (c.Op == feed.Insert || c.Op == feed.Update) && slices.Contains(g.topics, c.Layer) {
			ids[c.Layer] = append(ids[c.Layer], c.ID)
		}
	}
	out := map[string]map[int64]features.Feature{}
	snap := h.server.opts.Catalogue.Now()
	for _, layer := range sortedKeys(ids) {
		l, ok := snap.Layer(layer)
		if !ok {
			continue
		}
		found, err := h.server.opts.Features.ByIDs(ctx, g.asker, l, ids[layer])
		if err != nil {
			return nil, err
		}
		out[layer] = found
	}
	return out, nil
}

func opName(op feed.Op) string {
	switch op {
	case feed.Insert:
		return "insert"
	case feed.Update:
		return "update"
	case feed.Delete:
		return "delete"
	default:
		return "bulk"
	}
}

func uuidString(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// event writes one server-sent event. JSON has no line breaks, so one data line do.
func event(out *bytes.Buffer, name, id string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic("api: event: " + err.Error()) // our own types over JSON of the database
	}
	out.WriteString("event: ")
	out.WriteString(name)
	if id != "" {
		out.WriteString("\nid: ")
		out.WriteString(id)
	}
	out.WriteString("\ndata: ")
	out.Write(body)
	out.WriteString("\n\n")
}

func frameReset(p feed.Position) []byte {
	var out bytes.Buffer
	event(&out, "reset", p.String(), positionEvent{p.String()})
	return out.Bytes()
}

// lagFrame is the heartbeat. Its id lets a quiet stream resume from now instead of
// from its last event long ago.
func (h *hub) lagFrame(p feed.Position) []byte {
	st := h.server.opts.Feed.State()
	lag := st.Lag
	if !st.Connected && !st.ReadAt.IsZero() {
		lag = max(lag, time.Since(st.ReadAt))
	}
	var out bytes.Buffer
	event(&out, "lag", p.String(), lagEvent{p.String(), lag.Milliseconds(), st.FeedID})
	return out.Bytes()
}

func (h *hub) beat() {
	h.mu.Lock()
	list := h.list()
	p := h.position
	h.mu.Unlock()
	frame := h.lagFrame(p)
	for _, st := range list {
		st.live(frame)
	}
}

// endAll lets every stream go; they come back and replay.
func (h *hub) endAll() {
	h.mu.Lock()
	list := h.list()
	h.mu.Unlock()
	for _, st := range list {
		st.end()
	}
}

// list is called with mu held.
func (h *hub) list() []*stream {
	out := make([]*stream, 0, len(h.streams))
	for st := range h.streams {
		out = append(out, st)
	}
	return out
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

// holder is who a stream is counted against: a person, a program, a screen, or the
// address of whoever does not say who he is.
type holder struct {
	who  string
	from netip.Prefix
}

func holderOf(req *Request) holder {
	switch id := req.Who; {
	case id.Account != "":
		return holder{who: id.Account}
	case id.ID != "":
		return holder{who: string(id.Kind) + ":" + id.ID}
	}
	// A household has a whole /64 of IPv6 addresses.
	bits := req.client.BitLen()
	if req.client.Is6() {
		bits = 64
	}
	from, err := req.client.Prefix(bits)
	if err != nil {
		from = netip.Prefix{} // a Unix socket: this machine
	}
	return holder{from: from}
}

// reserve counts a stream before it is promised, so that the ready channel always
// has room for it. Nobody can take all the places there are.
func (h *hub) reserve(by holder) error {
	most := h.server.opts.StreamsEach
	if by.who == "" {
		most = h.server.opts.StreamsAddress
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed || h.reserved >= h.server.opts.Streams:
		return problem(CodeOverloaded)
	case h.held[by] >= most:
		e := problem(CodeThrottled)
		e.RetryAfter = 10 * time.Second
		return e
	}
	h.reserved++
	h.held[by]++
	return nil
}

func (h *hub) release(by holder) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reserved--
	if h.held[by]--; h.held[by] <= 0 {
		delete(h.held, by)
	}
}

// join makes a stream part of every later delivery and fixes where the replay ends.
func (h *hub) join(st *stream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	st.joined = h.position
	h.streams[st] = struct{}{}
	return true
}

func (h *hub) leave(st *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, st)
}

// close tells everybody to come back and ends all streams.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	list := h.list()
	h.mu.Unlock()
	for _, st := range list {
		st.push([]byte("retry: 1000\n\n"))
	}
	for range 20 {
		if !slices.ContainsFunc(list, func(st *stream) bool { return !st.idle() }) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	for _, st := range list {
		st.end()
	}
}
