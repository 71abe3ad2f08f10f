package auth

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"onemap/internal/geo"
)

// table is what is held in memory of accounts, grants and tokens: one snapshot of the
// database with the identities that follow from it. It is never changed once shared.
type table struct {
	version    version
	security   Security
	people     map[string]*person
	tokens     map[key]*token
	tokensByID map[string]*token
	public     *Identity
	demo       *Identity
}

func newTable() *table {
	return &table{people: map[string]*person{}, tokens: map[key]*token{}, tokensByID: map[string]*token{}}
}

// settle makes what follows from the rows.
func (t *table) settle(sec Security) {
	t.security = sec
	epoch := uint64(t.version.epoch)
	t.public = &Identity{Kind: Anonymous, Reach: PublicReach(epoch)}
	t.demo = &Identity{Kind: Demo, Reach: DemoReach(epoch)}
}

// inherit takes over when tokens were last used and not yet written.
func (t *table) inherit(old *table) {
	for id, k := range t.tokensByID {
		if o, ok := old.tokensByID[id]; ok {
			k.used.Store(o.used.Load())
			k.flushed.Store(o.flushed.Load())
		}
	}
}

// under is the same rows under other settings.
func (t *table) under(sec Security) *table {
	out := &table{version: t.version, people: t.people, tokens: t.tokens, tokensByID: t.tokensByID}
	out.settle(sec)
	return out
}

// person is an account that is not disabled.
type person struct {
	id, username, name, unit, state string

	password bool      // has one
	changed  time.Time // of the password
	factor   bool      // second factor enrolled
	grants   []Grant   // valid or future
}

// token is a token that is neither revoked nor was expired at loading.
type token struct {
	id, name, area   string
	maker            string // account by whose grants it lives; "" for one that stands by itself
	role             Role
	scopes           []string
	network          netip.Prefix
	created, expires time.Time
	made             atomic.Pointer[made]
	used, flushed    atomic.Int64
}

// session is a session in memory. What is not atomic never changes.
type session struct {
	key      key
	id       string
	account  string
	token    string
	kind     Kind
	device   string
	verified bool
	created  time.Time
	expires  time.Time
	rights   int64        // version of the rights it was read at; an older table may not know its account
	seen     atomic.Int64 // unix nanoseconds
	flushed  atomic.Int64
	made     atomic.Pointer[made]
}

// made is an identity and the table it follows from.
type made struct {
	table *table
	who   *Identity
	err   error
}

// idle says whether the session has slept too long. Field phones and walls may.
func (s *session) idle(now time.Time, sec Security) bool {
	return s.kind == Session && now.UnixNano()-s.seen.Load() > int64(sec.idle())
}

// identity is who a session is under a table at a moment.
func (t *table) identity(s *session, now time.Time) (*Identity, error) {
	if !now.Before(s.expires) {
		return nil, ErrCredential
	}
	if s.kind == Wall {
		return t.wall(s, now)
	}
	p, ok := t.people[s.account]
	if !ok || p.state != Active {
		return nil, ErrCredential
	}
	id := &Identity{Kind: s.kind, Account: p.id, Username: p.username, Name: p.name, Unit: p.unit, ID: s.id, Device: s.device, Verified: s.verified}
	id.Grants = p.grants
	if s.kind == Device {
		id.Grants = fieldGrants(p.grants)
	}
	id.Until = s.expires
	id.Until = earliest(id.Until, boundary(id.Grants, now))
	if s.kind == Session {
		id.Limited = t.limited(p, s.verified, now)
		if e := t.security.passwordExpires(p.changed); p.password && now.Before(e) {
			id.Until = earliest(id.Until, e)
		}
	}
	id.Reach = ReachOf(id.Grants, now, uint64(t.version.epoch))
	if id.Limited != "" {
		id.Reach = t.public.Reach
	}
	return id, nil
}

// fieldGrants are those a phone carries that somebody else signed in: not the offices.
// Whoever shows the code could keep the phone, and would be a second person to himself.
func fieldGrants(all []Grant) []Grant {
	var out []Grant
	for _, g := range all {
		if info, ok := g.Role.Info(); ok && !info.Office {
			out = append(out, g)
		}
	}
	return out
}

// limited says what a session must complete before it may do anything else.
func (t *table) limited(p *person, verified bool, now time.Time) string {
	switch {
	case p.factor && !verified:
		return "second_factor"
	case !p.factor && t.mustEnrol(p, now):
		return "enrol_second_factor"
	case p.password && expired(t.security.passwordExpires(p.changed), now):
		return "password_expired"
	}
	return ""
}

func expired(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }

// mustEnrol says whether a role the person holds requires a second factor.
func (t *table) mustEnrol(p *person, now time.Time) bool {
	if !t.security.SecondFactorRequired {
		return false
	}
	for _, g := range p.grants {
		if info, ok := g.Role.Info(); ok && info.Office && g.Valid(now) {
			return true
		}
	}
	return false
}

func (t *table) wall(s *session, now time.Time) (*Identity, error) {
	k, ok := t.tokensByID[s.token]
	if !ok || !now.Before(k.expires) {
		return nil, ErrCredential
	}
	id, err := t.holder(k, now)
	if err != nil {
		return nil, err
	}
	id.Kind, id.ID, id.Until = Wall, s.id, earliest(s.expires, id.Until)
	return id, nil
}

// holder is who shows a token. One that a person made from a grant of his is nobody's
// while he holds none that contains it, or is not active.
func (t *table) holder(k *token, now time.Time) (*Identity, error) {
	until := k.expires
	if k.maker != "" {
		p, ok := t.people[k.maker]
		area := Grant{Area: k.area}.Scope()
		if !ok || p.state != Active || !slices.ContainsFunc(p.grants, func(g Grant) bool { return g.makes(k.role, area, now) }) {
			return nil, ErrCredential
		}
		until = earliest(until, boundary(p.grants, now))
	}
	id := &Identity{Kind: Token, Name: k.name, ID: k.id, Scopes: k.scopes, Network: k.network, Until: until}
	if len(k.scopes) == 1 && k.scopes[0] == "wall" {
		id.Kind = Wall
	}
	id.Grants = []Grant{{ID: k.id, Role: k.role, Area: k.area, From: k.created, To: k.expires}}
	id.Reach = ReachOf(id.Grants, now, uint64(t.version.epoch))
	return id, nil
}

// boundary is the next moment a grant begins or ends.
func boundary(grants []Grant, now time.Time) time.Time {
	var at time.Time
	for _, g := range grants {
		if g.From.After(now) {
			at = earliest(at, g.From)
		} else if g.To.After(now) {
			at = earliest(at, g.To)
		}
	}
	return at
}

// earliest ignores zero.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// areas is the union of the areas over which the asker holds any of the permissions.
func (i *Identity) areas(now time.Time, ps ...Permission) geo.Scopes {
	out := geo.Scopes{}
	if !i.SignedIn() || i.Kind == Token || i.Kind == Wall {
		return out
	}
	for _, g := range i.Grants {
		for _, p := range ps {
			if g.Valid(now) && g.Role.May(p) {
				out = append(out, g.Scope())
			}
		}
	}
	return out.Normal()
}

const (
	maxSessions = 50_000 // in memory; one more puts some other one out, which costs it a look-up
	maxUnknown  = 4096   // keys remembered as unknown
	unknownFor  = 5 * time.Second
)

// sessions are those used on this node. Its lock is never held over a query.
type sessions struct {
	mu      sync.RWMutex
	byKey   map[key]*session
	byID    map[string]*session
	unknown map[key]time.Time
	upTo    int64 // version of sessions whose endings are all known here
}

func newSessions() *sessions {
	return &sessions{byKey: map[key]*session{}, byID: map[string]*session{}, unknown: map[key]time.Time{}}
}

// find gives a session, or says that the key is known to be unknown.
func (c *sessions) find(k key) (s *session, unknown bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if s, ok := c.byKey[k]; ok {
		return s, false
	}
	until, ok := c.unknown[k]
	return nil, ok && time.Now().Before(until)
}

func (c *sessions) findID(id string) *session {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byID[id]
}

// put keeps a session read at a version. False: something ended since, read again.
func (c *sessions) put(s *session, at int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at < c.upTo {
		return false
	}
	for k, old := range c.byKey {
		if len(c.byKey) < maxSessions {
			break
		}
		delete(c.byKey, k)
		delete(c.byID, old.id)
	}
	c.byKey[s.key], c.byID[s.id] = s, s
	delete(c.unknown, s.key)
	return true
}

func (c *sessions) putUnknown(k key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unknown) >= maxUnknown {
		clear(c.unknown)
	}
	c.unknown[k] = time.Now().Add(unknownFor)
}

func (c *sessions) drop(s *session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[s.key] == s {
		delete(c.byKey, s.key)
		delete(c.byID, s.id)
	}
}

// advance says from when on nothing older may be put, and gives what is held.
func (c *sessions) advance(to int64) [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upTo = max(c.upTo, to)
	keys := make([][]byte, 0, len(c.byKey))
	for k := range c.byKey {
		keys = append(keys, append([]byte(nil), k[:]...))
	}
	return keys
}

// all gives what is held.
func (c *sessions) all() []*session {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]*session, 0, len(c.byKey))
	for _, s := range c.byKey {
		out = append(out, s)
	}
	return out
}
