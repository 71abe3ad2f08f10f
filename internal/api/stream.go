package api

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"onemap/internal/auth"
	"onemap/internal/features"
	"onemap/internal/feed"
)

// stream is one client of /api/live. Frames wait in a bounded queue; whoever is too
// slow is let go and resumes from the last event it received, so nothing is lost.
type stream struct {
	hub    *hub
	topics []string
	told   map[string]ear // of the topics that are records: whose areas' he is told of
	asker  features.Asker
	who    *auth.Identity // whose rights it was opened under

	since          feed.Position
	resumed, reset bool
	joined         feed.Position // everything after it arrives live

	top    net.Conn
	bottom *conn
	ended  chan struct{}
	room   chan struct{} // signalled when the queue was taken

	mu        sync.Mutex
	known     feed.Position // live changes up to here are the client's already
	frames    [][]byte
	bytes     int
	held      [][]byte // live frames while the past is replayed
	holding   bool
	scheduled bool // in the writers' hands
	revoked   bool // nothing more is queued: the rights it was made under are gone
	over      bool
}

func newStream(h *hub, topics []string, told map[string]ear, asker features.Asker, who *auth.Identity) *stream {
	return &stream{hub: h, topics: topics, told: told, asker: asker, who: who, holding: true, ended: make(chan struct{}), room: make(chan struct{}, 1)}
}

// group names everybody who gets the same bytes.
func (st *stream) group() groupOf {
	return groupOf{key: groupKey{strings.Join(st.topics, ","), st.asker.Reach.Key(), toldKey(st.told)}, topics: st.topics, told: st.told, asker: st.asker}
}

type groupKey struct{ topics, reach, told string }

type groupOf struct {
	key    groupKey
	topics []string
	told   map[string]ear
	asker  features.Asker
}

func (st *stream) attach(top net.Conn, bottom *conn) {
	st.top, st.bottom = top, bottom
	if bottom != nil {
		bottom.startStreaming()
	}
}

// startOver tells the client that its position means nothing here.
func (st *stream) startOver() {
	st.mu.Lock()
	st.known = feed.Position{}
	st.mu.Unlock()
	st.push(frameReset(st.joined))
}

func (st *stream) knownUpTo() feed.Position {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.known
}

// push queues a frame. The slice is shared with other streams.
func (st *stream) push(frame []byte) {
	st.mu.Lock()
	ok := st.enqueue(frame)
	st.mu.Unlock()
	if !ok {
		st.end()
	}
}

// live queues a frame of the present, behind the replay if one is under way.
func (st *stream) live(frame []byte) {
	st.mu.Lock()
	ok := true
	if st.holding && !st.revoked {
		st.held = append(st.held, frame)
		if st.bytes += len(frame); st.bytes > st.hub.server.opts.StreamBytes {
			ok = false
			st.hub.server.metrics.dropped.Add(1)
		}
	} else {
		ok = st.enqueue(frame)
	}
	st.mu.Unlock()
	if !ok {
		st.end()
	}
}

// enqueue is called with mu held. It answers false when the stream has to go.
func (st *stream) enqueue(frame []byte) bool {
	if st.over || st.revoked {
		return true
	}
	// A single frame may be larger than the bound: it has to go out somehow.
	if st.bytes > 0 && st.bytes+len(frame) > st.hub.server.opts.StreamBytes {
		st.hub.server.metrics.dropped.Add(1)
		return false
	}
	st.bytes += len(frame)
	st.frames = append(st.frames, frame)
	st.hub.server.metrics.frames.Add(1)
	if !st.scheduled {
		st.scheduled = true
		st.hub.ready <- st // holds as many as there may be streams
	}
	return true
}

// revoke tells the client that its rights are others now and lets it go; it comes
// back under what it has then. What still waited was made under the old ones.
func (st *stream) revoke() {
	st.mu.Lock()
	if st.over || st.revoked {
		st.mu.Unlock()
		return
	}
	for _, f := range st.frames {
		st.bytes -= len(f)
	}
	st.frames = nil
	for _, f := range st.held {
		st.bytes -= len(f)
	}
	st.held, st.holding = nil, false
	ok := st.enqueue([]byte("event: rights\ndata: {}\n\n"))
	st.revoked = true
	st.mu.Unlock()
	if !ok {
		st.end()
		return
	}
	go st.hub.server.guarded("stream without rights", st.finish)
}

// unhold lets live frames through from now on.
func (st *stream) unhold() {
	st.mu.Lock()
	st.holding = false
	ok := true
	held := st.held
	st.held = nil
	for _, f := range held {
		st.bytes -= len(f)
	}
	for _, f := range held {
		ok = ok && st.enqueue(f)
	}
	st.mu.Unlock()
	if !ok {
		st.end()
	}
}

// waitRoom waits until n more bytes fit. Only a replay may wait; live frames drop.
func (st *stream) waitRoom(ctx context.Context, n int) bool {
	patience := time.NewTimer(streamPatience)
	defer patience.Stop()
	for {
		st.mu.Lock()
		fits := st.bytes == 0 || st.bytes+n <= st.hub.server.opts.StreamBytes
		over := st.over
		st.mu.Unlock()
		if fits || over {
			return fits && !over
		}
		select {
		case <-st.room:
		case <-patience.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// streamPatience is how long a full socket may stay full.
const streamPatience = 15 * time.Second

// pump writes what waits. Exactly one goroutine pumps a stream at a time: whoever
// holds scheduled.
func (st *stream) pump() {
	for {
		st.mu.Lock()
		frames := st.frames
		st.frames = nil
		taken := 0
		for _, f := range frames {
			taken += len(f)
		}
		st.bytes -= taken
		if len(frames) == 0 || st.over {
			st.scheduled = false
			st.mu.Unlock()
			return
		}
		st.mu.Unlock()
		select {
		case st.room <- struct{}{}:
		default:
		}
		left, err := st.write(frames)
		if err != nil {
			st.end()
			continue
		}
		if left > 0 {
			// Only a stream whose socket is full costs a goroutine of its own.
			st.mu.Lock()
			st.bytes += left
			st.mu.Unlock()
			go st.hub.server.guarded("slow stream", func() { st.drain(left) })
			return
		}
	}
}

func (st *stream) write(frames [][]byte) (left int, err error) {
	if st.bottom == nil {
		if err := st.top.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			return 0, err
		}
	}
	for _, f := range frames {
		if _, err := st.top.Write(f); err != nil {
			return 0, err
		}
	}
	if st.bottom == nil {
		return 0, nil
	}
	return st.bottom.flush()
}

func (st *stream) drain(left int) {
	err := st.bottom.drain(streamPatience)
	st.mu.Lock()
	st.bytes -= left
	st.mu.Unlock()
	if err != nil {
		st.end()
	}
	st.pump()
}

// armed sets the deadline the parked reader sleeps until; false when it is over.
func (st *stream) armed(t time.Time) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over {
		return false
	}
	return st.bottom.Conn.SetReadDeadline(t) == nil
}

// end wakes everybody who waits for the stream. It may be called often.
func (st *stream) end() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.over {
		return
	}
	st.over = true
	st.frames, st.held, st.bytes = nil, nil, 0
	close(st.ended)
	if st.bottom != nil {
		_ = st.bottom.Conn.SetDeadline(time.Unix(1, 0))
	}
}

// idle says whether everything queued was written.
func (st *stream) idle() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return !st.scheduled || st.over
}

// finish ends the stream after giving what is queued a last chance.
func (st *stream) finish() {
	for range 20 {
		if st.idle() {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	st.end()
}
