package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/paulmach/orb"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/geo"
)

// ErrReset means a position cannot be continued from: rows after it are gone, or
// it belongs to another feed. The client starts over from the present state.
var ErrReset = errors.New("feed: position cannot be resumed")

// Layers that are no layers: a change of them means reload.
const (
	CatalogueChanged = "$catalogue"
	RegistryChanged  = "$registry"
)

// Op is what happened to a row.
type Op byte

// The operations. A bulk row stands for many rows of one statement.
const (
	Insert Op = 'I'
	Update Op = 'U'
	Delete Op = 'D'
	Bulk   Op = 'B'
)

// Change is one row of the feed. Boxes are EPSG:4490 degrees and nil where the
// row had no place; scopes are nil where there was no row.
type Change struct {
	Position Position
	At       time.Time
	Layer    string
	FID      int64
	ID       [16]byte
	Op       Op
	Rows     int
	OldBBox  *orb.Bound
	NewBBox  *orb.Bound
	OldScope geo.Scopes
	NewScope geo.Scopes
	Actor    string
}

// Batch is a run of changes in feed order. Position is that of the last one.
type Batch struct {
	Changes  []Change
	Position Position
	Horizon  uint64
}

// State is how far this process has followed.
type State struct {
	FeedID     string
	Position   Position // last delivered
	Horizon    uint64   // every xid below is delivered
	Connected  bool
	ReadAt     time.Time     // last successful read
	Lag        time.Duration // from the writer's clock to delivery, of the last change
	HorizonAge time.Duration // age of the oldest write transaction anywhere
	HolderPID  int           // its backend, 0 when none or not visible
}

// Options tune the reader. Zero values take the defaults.
type Options struct {
	Poll   time.Duration // default 250 ms
	Batch  int           // rows per read, default 2,000
	Logger *slog.Logger
}

// Reader follows the feed on connections of its own.
type Reader struct {
	db       *db.DB
	store    *store
	opts     Options
	handlers []handler
	wake     chan struct{}

	mu      sync.Mutex
	state   State
	changed chan struct{} // closed and replaced whenever state moves
}

type handler struct {
	name string
	fn   func(context.Context, Batch)
}

// Open finds the present end of the feed. Deliveries start after it.
func Open(ctx context.Context, d *db.DB, opts Options) (*Reader, error) {
	if opts.Poll <= 0 {
		opts.Poll = 250 * time.Millisecond
	}
	if opts.Batch <= 0 {
		opts.Batch = 2000
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	st, err := newStore()
	if err != nil {
		return nil, err
	}
	r := &Reader{db: d, store: st, opts: opts, wake: make(chan struct{}, 1), changed: make(chan struct{})}
	conn, err := d.Connect(ctx, "feed open")
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := st.maintain(ctx, conn); err != nil {
		return nil, err
	}
	if r.state, err = st.start(ctx, conn); err != nil {
		return nil, err
	}
	return r, nil
}

// OnBatch registers a handler. Call before [Reader.Run].
func (r *Reader) OnBatch(name string, fn func(context.Context, Batch)) {
	r.handlers = append(r.handlers, handler{name, fn})
}

// Wake makes the reader look at once. Call after a local commit.
func (r *Reader) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// State returns how far the reader is.
func (r *Reader) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Reached reports whether everything up to p has been delivered here.
func (r *Reader) Reached(p Position) bool { return r.State().reached(p) }

func (s State) reached(p Position) bool { return p.IsZero() || s.Horizon > p.Xid }

// WaitFor returns when p has been delivered, or with the context's error. A
// position of the future, as of another feed, waits until the context ends.
func (r *Reader) WaitFor(ctx context.Context, p Position) error {
	for {
		r.mu.Lock()
		done, changed := r.state.reached(p), r.changed
		r.mu.Unlock()
		if done {
			return nil
		}
		r.Wake()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (r *Reader) update(fn func(*State)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn(&r.state)
	close(r.changed)
	r.changed = make(chan struct{})
}

// Since replays at most limit changes after p, up to what has been delivered here,
// so that a caller who follows the handlers too sees each change once. A result of
// limit changes may have more behind it. [ErrReset] when p cannot be resumed.
func (r *Reader) Since(ctx context.Context, p Position, limit int) ([]Change, error) {
	s := r.State()
	if s.Position.Less(p) && !s.reached(p) {
		return nil, ErrReset
	}
	return r.store.replay(ctx, r.db.Query, p, s.Position, limit)
}

// End is a position at or behind everything that has committed: whoever asks after his own
// commit may send it back and finds what he wrote.
func (r *Reader) End(ctx context.Context) (Position, error) {
	var next uint64
	err := r.db.Query.Hold(ctx, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, r.store.q.Get("end")).Scan(&next)
	})
	if err != nil {
		return Position{}, fmt.Errorf("feed: where it ends: %w", err)
	}
	return Position{Xid: next - 1}, nil
}

// Run follows the feed until ctx ends; it reconnects for ever.
func (r *Reader) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { r.listen(ctx) })
	wg.Go(func() { r.watchHorizon(ctx) })
	for {
		err := r.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.update(func(s *State) { s.Connected = false })
		r.opts.Logger.Warn("feed: connection lost", "err", err)
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
	}
}

func (r *Reader) follow(ctx context.Context) error {
	conn, err := r.db.Connect(ctx, "feed")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// A restore may have happened while the connection was gone.
	again, err := r.store.start(ctx, conn)
	if err != nil {
		return err
	}
	if now := r.State(); again.FeedID != now.FeedID {
		r.update(func(s *State) { *s = again })
		r.deliver(ctx, Batch{Changes: []Change{{Position: again.Position, At: time.Now(), Layer: CatalogueChanged, Op: Bulk}},
			Position: again.Position, Horizon: again.Horizon})
	}
	timer := time.NewTicker(r.opts.Poll)
	defer timer.Stop()
	for {
		more, err := r.step(ctx, func(p Position, n int) (uint64, []Change, error) { return r.store.read(ctx, conn, p, n) })
		if err != nil {
			return err
		}
		if more {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// step reads once, delivers, then moves the state: who waits for a position is
// let go only after the caches have forgotten the old picture.
func (r *Reader) step(ctx context.Context, read func(Position, int) (uint64, []Change, error)) (more bool, err error) {
	from := r.State().Position
	horizon, changes, err := read(from, r.opts.Batch)
	if err != nil {
		return false, err
	}
	more = len(changes) == r.opts.Batch
	b := Batch{Changes: changes, Position: from, Horizon: horizon}
	if n := len(changes); n > 0 {
		b.Position = changes[n-1].Position
		if more {
			// The rest of the last transaction may still be unread.
			b.Horizon = b.Position.Xid
		}
		r.deliver(ctx, b)
	}
	r.update(func(s *State) {
		s.Position, s.Horizon, s.Connected, s.ReadAt = b.Position, max(s.Horizon, b.Horizon), true, time.Now()
		if n := len(changes); n > 0 {
			s.Lag = max(0, time.Since(changes[n-1].At))
		}
	})
	return more, nil
}

func (r *Reader) deliver(ctx context.Context, b Batch) {
	for _, h := range r.handlers {
		h.fn(ctx, b)
	}
}

// listen turns NOTIFY of other processes into wake-ups. Losing it costs at most
// one poll interval, so its errors are not the reader's.
func (r *Reader) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.store.listen(ctx, r.db, r.Wake); err != nil && ctx.Err() == nil {
			r.opts.Logger.Debug("feed: listen", "err", err)
		}
		sleep(ctx, time.Second)
	}
}

// watchHorizon measures who holds the feed back, and keeps the partitions.
func (r *Reader) watchHorizon(ctx context.Context) {
	maintained := time.Now()
	for sleep(ctx, time.Second) {
		age, pid, err := r.store.holder(ctx, r.db.Query)
		if err == nil {
			r.update(func(s *State) { s.HorizonAge, s.HolderPID = age, pid })
		}
		if time.Since(maintained) > 6*time.Hour {
			if err := r.store.maintainPool(ctx, r.db.Bulk); err != nil {
				r.opts.Logger.Warn("feed: partitions", "err", err)
			}
			maintained = time.Now()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
