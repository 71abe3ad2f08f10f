package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"onemap/internal/audit"
	"onemap/internal/pgtest"
)

// receiver is a syslog server: it counts octets as RFC 5425 has it and keeps what it
// was sent.
type receiver struct {
	t    *testing.T
	cfg  *tls.Config // nil: TCP
	addr string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
	messages []string
	deaf     bool // accepts and reads nothing
	slam     int  // closes the line after so many messages, once
}

func (r *receiver) open() {
	r.t.Helper()
	addr := r.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.addr, r.listener = l.Addr().String(), l
	r.mu.Unlock()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r.cfg != nil {
				conn = tls.Server(conn, r.cfg)
			}
			r.mu.Lock()
			r.conns = append(r.conns, conn)
			r.mu.Unlock()
			go r.serve(conn)
		}
	}()
}

func (r *receiver) serve(conn net.Conn) {
	defer conn.Close()
	r.mu.Lock()
	deaf := r.deaf
	r.mu.Unlock()
	if deaf {
		<-r.t.Context().Done() // the kernel takes what comes, nobody reads it
		return
	}
	in := bufio.NewReader(conn)
	for n := 1; ; n++ {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		size, err := strconv.Atoi(strings.TrimSuffix(length, " "))
		if err != nil || size < 1 || size > 2048 {
			r.t.Errorf("a message of length %q", length)
			return
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		r.mu.Lock()
		slam := r.slam > 0 && n >= r.slam
		if slam {
			r.slam = 0 // this one is lost: read, and not kept
		} else {
			r.messages = append(r.messages, string(body))
		}
		r.mu.Unlock()
		if slam {
			return
		}
	}
}

// shut ends listener and lines, as a machine does that goes down.
func (r *receiver) shut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != nil {
		r.listener.Close()
	}
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

var (
	seqParam  = regexp.MustCompile(` seq="(\d+)"`)
	sealParam = regexp.MustCompile(`audit\.seal \[onemap@32473 seal="(\d+)"`)
)

// kept are the numbers of the entries and of the seals that arrived, in the order of
// their first arrival.
func (r *receiver) kept() (entries, seals []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, m := range r.messages {
		if seen[m] {
			continue
		}
		seen[m] = true
		if s := sealParam.FindStringSubmatch(m); s != nil {
			n, _ := strconv.Atoi(s[1])
			seals = append(seals, n)
		} else if s := seqParam.FindStringSubmatch(m); s != nil {
			n, _ := strconv.Atoi(s[1])
			entries = append(entries, n)
		}
	}
	return entries, seals
}

// authority makes a certificate for 127.0.0.1 and the PEM of who signed it.
func authority(t *testing.T) (*tls.Config, string) {
	t.Helper()
	make := func(tmpl, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	keys := [2]*ecdsa.PrivateKey{}
	for i := range keys {
		var err error
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "log ca"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "log"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	caDER := make(ca, ca, keys[0], keys[0])
	leafDER := make(leaf, ca, keys[1], keys[0])
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leafDER}, PrivateKey: keys[1]}}, MinVersion: tls.VersionTLS12},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}))
}

func (h *house) set(t *testing.T, value any) {
	t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgtest.Connect(t, h.Admin).Exec(t.Context(), `insert into setting (key, value) values ('syslog', $1) on conflict (key) do update set value = excluded.value`, string(body)); err != nil {
		t.Fatal(err)
	}
}

// run starts the log's background work and returns the way to stop it.
func (h *house) run(t *testing.T) func() {
	t.Helper()
	var err error
	if h.log, err = audit.Open(audit.Options{DB: h.db, Host: "map.example", Interval: 20 * time.Millisecond, Retry: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.log.Run(ctx) }()
	stop := sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// until waits for something that must come; the time-out only ends a test that hangs.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func (h *house) some(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		h.record(t, audit.Entry{Doer: doer(), Action: "auth.sign_in", Object: fmt.Sprintf("accounts/%d", i), Reason: `"值班" ]` + "\n<13>1 - forged"})
	}
}

func arrived(r *receiver, n int) func() bool {
	return func() bool {
		entries, seals := r.kept()
		return len(entries) >= n && len(seals) > 0
	}
}

func TestSyslogOverTLSDropsNothing(t *testing.T) {
	h := open(t)
	cfg, ca := authority(t)
	r := &receiver{t: t, cfg: cfg}
	r.open()
	t.Cleanup(r.shut)
	h.set(t, map[string]any{"address": r.addr, "tls": true, "ca": ca, "facility": 10})
	h.some(t, 30)
	stop := h.run(t)
	until(t, "the first entries", arrived(r, 30))
	r.mu.Lock()
	first := r.messages[0]
	r.mu.Unlock()
	if !regexp.MustCompile(`^<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z map\.example onemap \d+ auth\.sign_in \[onemap@32473 seq="1" seal="1" actor="wang" role="duty_officer" .* hash="[0-9a-f]{64}"\] \x{FEFF}wang auth\.sign_in accounts/0 done: "值班" ] <13>1 - forged$`).MatchString(first) {
		t.Errorf("message %q", first)
	}

	// The receiver goes away; writers do not notice, the lag is shown.
	r.shut()
	h.some(t, 25)
	until(t, "the lag to show", func() bool {
		s := h.log.State().Syslog
		return s.On && s.Error != "" && s.Waiting >= 25 && !s.Sending && !s.Oldest.IsZero()
	})
	r.open()
	until(t, "what came meanwhile", arrived(r, 55))
	until(t, "no lag", func() bool { s := h.log.State().Syslog; return s.Sending && s.Waiting == 0 && s.Error == "" })

	// It dies having read a message it never kept.
	r.mu.Lock()
	r.slam = 8
	for _, c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	h.some(t, 20)
	until(t, "also what was in its hands", arrived(r, 75))

	// This node stops and another goes on where it was.
	stop()
	h.some(t, 5)
	h.run(t)
	until(t, "the rest", arrived(r, 80))
	entries, seals := r.kept()
	for i, n := range entries {
		if n != i+1 && len(entries) == 80 {
			t.Logf("arrival %d is entry %d (sent again after a break)", i, n)
		}
	}
	if len(entries) != 80 {
		t.Errorf("%d entries arrived, want 80", len(entries))
	}
	if r := h.verify(t); r.Broken != nil || len(seals) == 0 {
		t.Errorf("%v, seals %v", r.Broken, seals)
	}
}

func TestOnlyATrustedReceiverGetsTheAudit(t *testing.T) {
	h := open(t)
	cfg, _ := authority(t)
	_, otherCA := authority(t)
	r := &receiver{t: t, cfg: cfg}
	r.open()
	t.Cleanup(r.shut)
	h.set(t, map[string]any{"address": "tls://" + r.addr, "ca": otherCA})
	h.some(t, 3)
	h.run(t)
	until(t, "the refusal to show", func() bool { return strings.Contains(h.log.State().Syslog.Error, "certificate") })
	if entries, _ := r.kept(); len(entries) != 0 {
		t.Error("a receiver nobody vouches for got entries")
	}
	h.set(t, map[string]any{"address": "nowhere"})
	until(t, "a bad setting to show", func() bool { return strings.Contains(h.log.State().Syslog.Error, "host:port") })
	h.set(t, map[string]any{"address": ""})
	until(t, "off", func() bool { return !h.log.State().Syslog.On })
	until(t, "sealing goes on", func() bool { return h.verify(t).Entries == 3 })
}

// TestOneOfTwoNodesSends over plain TCP, and each entry arrives in order.
func TestOneOfTwoNodesSends(t *testing.T) {
	h := open(t)
	r := &receiver{t: t}
	r.open()
	t.Cleanup(r.shut)
	h.set(t, map[string]any{"address": "tcp://" + r.addr})
	second := &house{DSNs: h.DSNs, db: h.db}
	first := h.run(t)
	second.run(t)
	h.some(t, 450) // more than a batch
	until(t, "all", arrived(r, 450))
	until(t, "one sender", func() bool { return h.log.State().Syslog.Sending != second.log.State().Syslog.Sending })
	first()
	h.some(t, 10)
	until(t, "the other goes on", arrived(r, 460))
}

// TestWhatLayUnreadIsSentAgain: the receiver's machine took the entries, its program died
// before it read them.
func TestWhatLayUnreadIsSentAgain(t *testing.T) {
	h := open(t)
	r := &receiver{t: t, deaf: true}
	r.open()
	t.Cleanup(r.shut)
	h.set(t, map[string]any{"address": "tcp://" + r.addr})
	h.some(t, 5)
	h.run(t)
	until(t, "the kernel to take all", func() bool { s := h.log.State().Syslog; return s.Sending && s.Waiting == 0 && s.Confirmed > 0 })
	r.shut()
	r.mu.Lock()
	r.deaf = false
	r.mu.Unlock()
	r.open()
	until(t, "what lay unread", arrived(r, 5))
}

func TestSyslogOverUDP(t *testing.T) {
	h := open(t)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	h.set(t, map[string]any{"address": "udp://" + conn.LocalAddr().String()})
	h.some(t, 1)
	h.run(t)
	buf := make([]byte, 4096)
	n, _, err := conn.ReadFrom(buf)
	if err != nil || !bytes.HasPrefix(buf[:n], []byte("<109>1 ")) {
		t.Errorf("%q %v", buf[:n], err)
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"address": "log:514"}`, "tls://log:514"}, {`{"address": "tcp://log:514"}`, "tcp://log:514"}, {`{"address": "tcp://log:514", "tls": false}`, "tcp://log:514"},
		{`{"address": "log:6514", "tls": true}`, "tls://log:6514"}, {`{"address": "udp://[::1]:514"}`, "udp://[::1]:514"},
		{`{}`, "://"}, {``, "://"}, {`null`, "://"}, {`{"address": ""}`, "://"},
		{`{"address": "log:514", "tls": false}`, ""}, {`{"address": "tcp://log:514", "tls": true}`, ""}, {`{"address": "udp://log:514", "tls": true}`, ""},
		{`{"address": "log"}`, ""}, {`{"address": "log:0"}`, ""}, {`{"address": ":514"}`, ""}, {`{"address": "http://log:514"}`, ""}, {`"log:514"`, ""}, {`{"address": 5}`, ""},
		{`{"address": "log:514", "facility": 24}`, ""}, {`{"address": "log:514", "ca": "/etc/ssl/ca.pem"}`, ""},
	} {
		got, err := audit.ParseTarget([]byte(c.in))
		if (err != nil) != (c.want == "") || err == nil && got.String() != c.want {
			t.Errorf("%s: %v %v", c.in, got, err)
		}
	}
}

func FuzzSyslogMessage(f *testing.F) {
	f.Add("wang", `a"b\c]d`, "理由\n<1>1 x", "map.example")
	f.Add("", "\x00\xff\u2028", strings.Repeat("长", 5000), "主机")
	f.Add(strings.Repeat(`\`, 300), strings.Repeat(`]`, 300), "", strings.Repeat("h", 300))
	f.Fuzz(func(t *testing.T, actor, object, text, host string) {
		m := audit.FormatForTest(actor, object, text, host)
		if !utf8.Valid(m) || len(m) > 2048 || bytes.ContainsAny(m, "\r\n\x00") {
			t.Errorf("%d bytes: %q", len(m), m)
		}
		if why := notRFC5424(string(m)); why != "" {
			t.Errorf("%s: %q", why, m)
		}
	})
}

// notRFC5424 reads a message as a strict receiver does.
func notRFC5424(m string) string {
	parts := strings.SplitN(m, " ", 7)
	if len(parts) != 7 || !strings.HasPrefix(parts[0], "<") || !strings.HasSuffix(parts[0], ">1") {
		return "header"
	}
	for i, most := range map[int]int{2: 255, 3: 48, 4: 128, 5: 32} {
		if len(parts[i]) < 1 || len(parts[i]) > most || strings.IndexFunc(parts[i], func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
			return "part " + strconv.Itoa(i)
		}
	}
	rest, ok := strings.CutPrefix(parts[6], "[onemap@32473")
	if !ok {
		return "structured data"
	}
	for strings.HasPrefix(rest, " ") {
		_, value, ok := strings.Cut(rest, `="`)
		end := 0
		for ok && end < len(value) && value[end] != '"' {
			if value[end] == ']' {
				return "a bracket is not escaped"
			}
			if value[end] == '\\' {
				end++
			}
			end++
		}
		if !ok || end >= len(value) {
			return "a value does not end"
		}
		rest = value[end+1:]
	}
	if !strings.HasPrefix(rest, "] \xEF\xBB\xBF") {
		return "the end of the structured data, or the mark"
	}
	return ""
}
