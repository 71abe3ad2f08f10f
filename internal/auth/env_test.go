package auth_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// house is a database, and as many nodes over it as a test wants.
type house struct {
	t     testing.TB
	dsn   pgtest.DSNs
	db    *db.DB
	reg   *registry.Registry
	clock *clock
	node  *auth.Service
}

// clock is real time plus what a test has let pass; or, frozen, only that.
type clock struct {
	mu   sync.Mutex
	base time.Time
	add  time.Duration
}

// freeze makes a test independent of how fast the machine is.
func (c *clock) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = time.Now()
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.base.IsZero() {
		return c.base.Add(c.add)
	}
	return time.Now().Add(c.add)
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add += d
}

const (
	county   = "990100"
	town     = "990100101"
	other    = "990200"
	password = "Correct-Horse-7"
)

var (
	office   = netip.MustParseAddr("10.1.2.3")
	stranger = netip.MustParseAddr("203.0.113.9")
	cli      = auth.By{CLI: true, Agent: "test"}
)

func open(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, dsn: pgtest.Database(t), clock: &clock{}}
	var err error
	if h.db, err = db.Open(context.Background(), db.Options{DSN: h.dsn.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	if h.reg, err = registry.Open(context.Background(), h.db.Bulk); err != nil {
		t.Fatal(err)
	}
	h.node = h.another()
	return h
}

// another starts one more node, with its polls.
func (h *house) another() *auth.Service {
	h.t.Helper()
	s, err := auth.Open(context.Background(), auth.Options{DB: h.db, Catalogue: h.reg, Now: h.clock.now})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	h.t.Cleanup(func() { cancel(); <-done })
	return s
}

func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	conn, err := pgx.Connect(context.Background(), h.dsn.Admin)
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql, args...); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
}

func (h *house) count(sql string, args ...any) (n int) {
	h.t.Helper()
	if err := pgtest.Connect(h.t, h.dsn.Admin).QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		h.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// setting changes the rules of signing in on every node.
func (h *house) setting(body string) {
	h.t.Helper()
	h.exec(`insert into setting (key, value) values ('security', $1) on conflict (key) do update set value = excluded.value`, body)
	if err := h.reg.Reload(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	h.settle(h.node)
}

// settle waits for a node's next look.
func (h *house) settle(s *auth.Service) {
	h.t.Helper()
	// An unknown token makes a node look at once.
	_, err := s.Identify(context.Background(), auth.Credential{Bearer: unknownToken()})
	if !errors.Is(err, auth.ErrCredential) {
		h.t.Fatal(err)
	}
}

var tokenSerial struct {
	sync.Mutex
	n uint32
}

func unknownToken() string {
	tokenSerial.Lock()
	defer tokenSerial.Unlock()
	tokenSerial.n++
	var raw [20]byte
	binary.BigEndian.PutUint32(raw[:], tokenSerial.n)
	return "om_" + base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding).EncodeToString(raw[:])
}

// person makes an active person with a password and a grant, and gives his id.
func (h *house) person(username string, role auth.Role, area, unit string) string {
	h.t.Helper()
	info, link, err := h.node.AddUser(context.Background(), cli, auth.NewAccount{Username: username, Name: "人 " + username, Unit: unit}, auth.NewGrant{Role: role, Area: area})
	if err != nil {
		h.t.Fatalf("%s: %v", username, err)
	}
	if _, err := h.node.Activate(context.Background(), h.by(nil), link.Token, password); err != nil {
		h.t.Fatalf("%s: %v", username, err)
	}
	return info.ID
}

// by is somebody at a desk of the office.
func (h *house) by(id *auth.Identity) auth.By {
	if id == nil {
		id = h.node.Anonymous()
	}
	return auth.By{Identity: id, Peer: office, Agent: "test browser", Request: "r1"}
}

// in signs a person in.
func (h *house) in(username string) (auth.Opened, auth.By) {
	h.t.Helper()
	o, err := h.node.SignIn(context.Background(), h.by(nil), auth.SignInRequest{Username: username, Password: password})
	if err != nil {
		h.t.Fatalf("%s: %v", username, err)
	}
	return o, h.by(o.Identity)
}

// who asks a node who holds a cookie.
func who(s *auth.Service, cookie string) (*auth.Identity, error) {
	return s.Identify(context.Background(), auth.Credential{Cookie: cookie, Peer: office})
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func wantConflict(t testing.TB, what string, err error, code string) {
	t.Helper()
	if c := new(auth.Conflict); !errors.As(err, &c) || c.Code != code {
		t.Errorf("%s: %v, want conflict %s", what, err, code)
	}
}

func wantInvalid(t testing.TB, what string, err error, code string) {
	t.Helper()
	i := new(auth.Invalid)
	if !errors.As(err, &i) {
		t.Errorf("%s: %v, want invalid %s", what, err, code)
		return
	}
	for _, f := range i.Items {
		if f.Code == code && f.ZH != "" && f.EN != "" {
			return
		}
	}
	t.Errorf("%s: %v, want invalid %s", what, err, code)
}

func wantThrottled(t testing.TB, what string, err error) time.Time {
	t.Helper()
	th := new(auth.Throttled)
	if !errors.As(err, &th) {
		t.Errorf("%s: %v, want throttled", what, err)
		return time.Time{}
	}
	return th.Until
}

// code is RFC 6238 written a second time, from the text a person scans.
func code(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	var c [8]byte
	binary.BigEndian.PutUint64(c[:], uint64(at.Unix()/30))
	m := hmac.New(sha1.New, raw)
	m.Write(c[:])
	sum := m.Sum(nil)
	o := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[o:o+4])&0x7fffffff)%1000000)
}
