package auth

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/registry"
)

const (
	pollEvery  = 1500 * time.Millisecond
	staleAfter = 5 * time.Second
	// A poll that hangs is given up early enough for two more tries before the rights
	// are stale.
	pollPatience = 1500 * time.Millisecond
	flushEvery   = 15 * time.Second
	seenEvery    = time.Minute
	tidyEvery    = 6 * time.Hour
	lookups      = 4 // unknown cookies looked up at once: a flood of them must not take the pool
)

// ChangedLayer is the layer of the feed's rows that say rights changed.
const ChangedLayer = "$auth"

// Catalogue gives the settings.
type Catalogue interface{ Now() *registry.Snapshot }

// Options say what the service stands on. Now is the clock by which sessions, grants
// and failures run; nil is the time of day.
type Options struct {
	DB        *db.DB
	Catalogue Catalogue
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service answers who asks, and changes who may. It is safe for concurrent use.
type Service struct {
	store     *store
	catalogue Catalogue
	log       *slog.Logger
	clock     func() time.Time
	hasher    *hasher

	table    atomic.Pointer[table]
	sessions *sessions
	readAt   atomic.Int64 // since started, when the rights were last known to be read
	started  time.Time
	looking  singleflight.Group
	lookSlot chan struct{}

	syncing sync.Mutex // one sync at a time, so that the table only goes forward
	ended   int64      // version of sessions whose endings were carried out; under syncing

	mu       sync.Mutex
	onChange []func()
}

// Open loads the table. [Service.Run] keeps it true; without it the rights are stale
// after five seconds.
func Open(ctx context.Context, o Options) (*Service, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	st, err := newStore(o.DB)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store: st, catalogue: o.Catalogue, log: o.Logger, clock: o.Now, hasher: newHasher(costNow),
		sessions: newSessions(), started: time.Now(), lookSlot: make(chan struct{}, lookups),
	}
	if err := st.hold(ctx, func(c *conn) error { return s.sync(ctx, c) }); err != nil {
		return nil, err
	}
	return s, nil
}

// Run polls the version of the rights on a connection of its own until ctx ends: a
// feed that stands still must keep no revoked right alive. It also writes when sessions
// were last seen, and tidies.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.housekeep(ctx) })
	for ctx.Err() == nil {
		if err := s.poll(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("auth: rights could not be read", "err", err)
		}
		sleep(ctx, 200*time.Millisecond)
	}
	return ctx.Err()
}

func (s *Service) poll(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, pollPatience)
	c, err := s.store.connect(patient)
	cancel()
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	for {
		patient, cancel := context.WithTimeout(ctx, pollPatience)
		err := s.sync(patient, c)
		cancel()
		if err != nil {
			return err
		}
		if !sleep(ctx, pollEvery) {
			return nil
		}
	}
}

// sync reads the version and what changed with it.
func (s *Service) sync(ctx context.Context, c *conn) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	began := time.Since(s.started)
	v, err := c.version(ctx)
	if err != nil {
		return err
	}
	changed := false
	now, sec := s.table.Load(), securityOf(s.snapshot())
	switch {
	case now == nil || now.version.rights != v.rights || now.version.epoch != v.epoch || now.version.done != v.done:
		t, err := c.table(ctx, s.clock())
		if err != nil {
			return err
		}
		t.settle(sec)
		if now != nil {
			t.inherit(now)
		}
		s.table.Store(t)
		changed = true
	case now.security != sec:
		s.table.Store(now.under(sec))
		changed = true
	}
	if v.sessions != s.ended {
		if err := s.carryOut(ctx, c, v.sessions); err != nil {
			return err
		}
		s.ended = v.sessions
		changed = true
	}
	s.readAt.Store(int64(began))
	if changed {
		s.mu.Lock()
		fns := s.onChange
		s.mu.Unlock()
		for _, fn := range fns {
			fn()
		}
	}
	return nil
}

// carryOut forgets the sessions that ended or changed.
func (s *Service) carryOut(ctx context.Context, c *conn, to int64) error {
	held := s.sessions.advance(to)
	if len(held) == 0 {
		return nil
	}
	return c.movedSessions(ctx, held, func(k key, ended, verified bool) {
		if one, _ := s.sessions.find(k); one != nil && (ended || verified != one.verified) {
			s.sessions.drop(one)
		}
	})
}

// refresh makes a change of this node's own known here before its caller is answered.
func (s *Service) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.store.hold(ctx, func(c *conn) error { return s.sync(ctx, c) }); err != nil {
		s.log.Warn("auth: rights are read again by the next poll", "err", err)
	}
}

// Changed is the feed's handler "auth": it comes before the poll, and the poll comes
// whatever the feed does.
func (s *Service) Changed(ctx context.Context, b feed.Batch) {
	for _, c := range b.Changes {
		if c.Layer == ChangedLayer || c.Layer == feed.CatalogueChanged || c.Layer == feed.RegistryChanged {
			s.refresh(ctx)
			return
		}
	}
}

// OnChange registers what is called after rights or sessions changed. It must not
// block, nor call methods of the service that change something.
func (s *Service) OnChange(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onChange = append(slices.Clip(s.onChange), fn)
}

// Epoch rises with every change of a layer's visibility.
func (s *Service) Epoch() uint64 { return uint64(s.table.Load().version.epoch) }

// Done says whether set-up is over. Once true it stays.
func (s *Service) Done() bool { return s.table.Load().version.done }

// Security are the rules of signing in.
func (s *Service) Security() Security { return s.table.Load().security }

// Anonymous is who shows nothing, once accounts exist.
func (s *Service) Anonymous() *Identity { return s.table.Load().public }

// DemoIdentity is who asks from this machine before they do.
func (s *Service) DemoIdentity() *Identity { return s.table.Load().demo }

// fresh is the table, if it is known to be true.
func (s *Service) fresh() (*table, error) {
	if time.Since(s.started)-time.Duration(s.readAt.Load()) > staleAfter {
		return nil, ErrStale
	}
	return s.table.Load(), nil
}

// Identify says who asks. For a known cookie or token it costs no round trip.
func (s *Service) Identify(ctx context.Context, c Credential) (*Identity, error) {
	t, err := s.fresh()
	if err != nil {
		return nil, err
	}
	switch {
	case c.Bearer != "":
		return s.identifyToken(ctx, t, c)
	case c.Cookie != "":
		return s.identifySession(ctx, t, c)
	}
	return t.public, nil
}

func (s *Service) identifySession(ctx context.Context, t *table, c Credential) (*Identity, error) {
	k, ok := parseSecret(c.Cookie)
	if !ok {
		return nil, ErrCredential
	}
	one, unknown := s.sessions.find(k)
	if unknown {
		return nil, ErrCredential
	}
	now := s.clock()
	if one != nil && one.idle(now, t.security) {
		// Another node may have seen it since.
		s.sessions.drop(one)
		one = nil
	}
	if one == nil {
		var err error
		if one, err = s.lookUp(ctx, k); err != nil {
			return nil, err
		}
		if t, err = s.fresh(); err != nil { // it may have waited
			return nil, err
		}
	}
	if one.rights > t.version.rights {
		if err := s.catchUp(ctx); err != nil {
			return nil, err
		}
		t = s.table.Load()
	}
	if one.idle(now, t.security) {
		return nil, ErrCredential
	}
	id, err := t.of(one, now)
	if err != nil {
		return nil, err
	}
	if c.Device != "" && one.kind == Device && c.Device != one.device {
		return nil, ErrCredential
	}
	if id.Kind == Wall && !id.Network.Contains(c.Peer.Unmap()) {
		return nil, ErrCredential
	}
	if at := now.UnixNano(); at-one.seen.Load() > int64(time.Second) {
		one.seen.Store(at)
	}
	return id, nil
}

// of is the identity of a session, made once per table and moment.
func (t *table) of(one *session, now time.Time) (*Identity, error) {
	m := one.made.Load()
	if m == nil || m.table != t || m.err != nil || !now.Before(m.who.Until) {
		m = &made{table: t}
		m.who, m.err = t.identity(one, now)
		one.made.Store(m)
	}
	return m.who, m.err
}

// lookUp finds a session this node has not seen, at most a few at a time.
func (s *Service) lookUp(ctx context.Context, k key) (*session, error) {
	found := s.looking.DoChan(string(k[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		select {
		case s.lookSlot <- struct{}{}:
			defer func() { <-s.lookSlot }()
		case <-ctx.Done():
			return nil, ErrBusy
		}
		for range 5 {
			var one *session
			var at int64
			if err := s.store.hold(ctx, func(c *conn) (err error) {
				one, at, err = c.findSession(ctx, k)
				return err
			}); err != nil {
				return nil, err
			}
			if one == nil {
				s.sessions.putUnknown(k)
				return nil, ErrCredential
			}
			if s.sessions.put(one, at) {
				return one, nil
			}
		}
		return nil, ErrStale
	})
	select {
	case r := <-found:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*session), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Service) identifyToken(ctx context.Context, t *table, c Credential) (*Identity, error) {
	k, ok := parseToken(c.Bearer)
	if !ok {
		return nil, ErrCredential
	}
	one, ok := t.tokens[k]
	if !ok {
		// It may be younger than the table. Ask once, then remember that it is unknown.
		if _, unknown := s.sessions.find(k); unknown {
			return nil, ErrCredential
		}
		if err := s.catchUp(ctx); err != nil {
			return nil, err
		}
		t = s.table.Load()
		if one, ok = t.tokens[k]; !ok {
			s.sessions.putUnknown(k)
			return nil, ErrCredential
		}
	}
	now := s.clock()
	if !now.Before(one.expires) {
		return nil, ErrCredential
	}
	m := one.made.Load()
	if m == nil || m.table != t || !now.Before(m.who.Until) {
		who, err := t.holder(one, now)
		if err != nil {
			return nil, err
		}
		m = &made{table: t, who: who}
		one.made.Store(m)
	}
	if m.who.Network.IsValid() && !m.who.Network.Contains(c.Peer.Unmap()) {
		return nil, ErrCredential
	}
	if at := now.UnixNano(); at-one.used.Load() > int64(time.Second) {
		one.used.Store(at)
	}
	return m.who, nil
}

// catchUp reads the version now, once for all who wait.
func (s *Service) catchUp(ctx context.Context) error {
	done := s.looking.DoChan("version", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		return nil, s.store.hold(ctx, func(c *conn) error { return s.sync(ctx, c) })
	})
	select {
	case r := <-done:
		return r.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Recheck says whether an identity is still what it was: not ended, not idle, the same
// rights. Streams ask after [Service.OnChange] and every few seconds; asking does not
// count as being there.
func (s *Service) Recheck(id *Identity) bool {
	if id == nil {
		return false
	}
	t, now := s.table.Load(), s.clock()
	switch id.Kind {
	case Anonymous:
		return id.Reach.Key() == t.public.Reach.Key()
	case Demo:
		return !t.version.done && id.Reach.Key() == t.demo.Reach.Key()
	}
	if _, err := s.fresh(); err != nil || !now.Before(id.Until) {
		return false
	}
	var again *Identity
	if one := s.sessions.findID(id.ID); one != nil {
		var err error
		if again, err = t.of(one, now); err != nil || one.idle(now, t.security) {
			return false
		}
	} else if k, ok := t.tokensByID[id.ID]; ok {
		var err error
		if again, err = t.holder(k, now); err != nil {
			return false
		}
	}
	return again != nil && (again == id || again.same(id, now))
}

// same says whether two identities of one session may the same.
func (i *Identity) same(o *Identity, now time.Time) bool {
	if i.Kind != o.Kind || i.Account != o.Account || i.Limited != o.Limited || i.Verified != o.Verified || i.Reach.Key() != o.Reach.Key() {
		return false
	}
	held := func(who *Identity) map[string]bool {
		out := map[string]bool{}
		for _, g := range who.Grants {
			if g.Valid(now) {
				out[g.ID] = true
			}
		}
		return out
	}
	a, b := held(i), held(o)
	for g := range a {
		if !b[g] {
			return false
		}
	}
	return len(a) == len(b)
}

// Me is what a signed-in person may know of his own sign-in.
func (s *Service) Me(id *Identity) Me {
	t, now := s.table.Load(), s.clock()
	var m Me
	if id == nil {
		return m
	}
	m.SessionExpires = id.Until
	if one := s.sessions.findID(id.ID); one != nil {
		m.SessionExpires = one.expires
	}
	if p, ok := t.people[id.Account]; ok {
		m.SecondFactor, m.SecondFactorRequired = p.factor, t.mustEnrol(p, now)
		if p.password {
			m.PasswordExpires = t.security.passwordExpires(p.changed)
		}
	}
	return m
}

// housekeep writes when sessions were last seen, at most once a minute each, and
// forgets what is over.
func (s *Service) housekeep(ctx context.Context) {
	var tidied time.Time
	for sleep(ctx, flushEvery) {
		if err := s.flush(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("auth: last seen", "err", err)
		}
		if time.Since(tidied) > tidyEvery {
			tidied = time.Now()
			if err := s.store.hold(ctx, func(c *conn) error { return c.tidy(ctx) }); err != nil && ctx.Err() == nil {
				s.log.Warn("auth: tidy", "err", err)
			}
		}
	}
	// The last look before the node stops.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.flush(ctx); err != nil && !errors.Is(err, db.ErrUnavailable) {
		s.log.Warn("auth: last seen", "err", err)
	}
}

func (s *Service) flush(ctx context.Context) error {
	var hashes [][]byte
	var seen, used []time.Time
	var tokens []string
	var then []func()
	now := s.clock()
	for _, one := range s.sessions.all() {
		at := one.seen.Load()
		if at-one.flushed.Load() > int64(seenEvery) {
			hashes, seen = append(hashes, append([]byte(nil), one.key[:]...)), append(seen, time.Unix(0, at))
			then = append(then, func() { one.flushed.Store(at) })
		}
		if !now.Before(one.expires) {
			s.sessions.drop(one)
		}
	}
	for id, one := range s.table.Load().tokensByID {
		if at := one.used.Load(); at-one.flushed.Load() > int64(seenEvery) {
			tokens, used = append(tokens, id), append(used, time.Unix(0, at))
			then = append(then, func() { one.flushed.Store(at) })
		}
	}
	if len(then) == 0 {
		return nil
	}
	if err := s.store.hold(ctx, func(c *conn) error { return c.flush(ctx, hashes, seen, tokens, used) }); err != nil {
		return err
	}
	for _, fn := range then {
		fn()
	}
	return nil
}

func (s *Service) snapshot() *registry.Snapshot {
	if s.catalogue == nil {
		return nil
	}
	return s.catalogue.Now()
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
