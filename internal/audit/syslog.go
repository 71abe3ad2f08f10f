package audit

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Target is where the audit is sent, the setting "syslog": {"address": "host:6514",
// "ca": "-----BEGIN CERTIFICATE-----…", "facility": 13}. An address without a scheme is
// TLS; who wants it in clear writes tcp:// or udp://. tls may say the same again, and
// must not say the contrary. ca is the PEM of the authority the receiver's certificate
// must come from, empty for the system's. facility is a number of RFC 5424, 13 (log
// audit) where it is not given.
type Target struct {
	Network  string // tcp, tls, udp
	Address  string
	CA       string
	Facility int
}

// ErrTarget means a setting "syslog" that names no receiver.
var ErrTarget = errors.New(`audit: setting "syslog"`)

const defaultFacility = 13

// ParseTarget reads the setting; nothing, null and an empty address are no target.
func ParseTarget(raw []byte) (Target, error) {
	s := struct {
		Address  string `json:"address"`
		TLS      *bool  `json:"tls"`
		CA       string `json:"ca"`
		Facility *int   `json:"facility"`
	}{}
	if len(raw) == 0 || string(raw) == "null" {
		return Target{}, nil
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return Target{}, fmt.Errorf("%w is no object of its kind", ErrTarget)
	}
	if s.Address == "" {
		return Target{}, nil
	}
	t := Target{Network: "tls", Address: s.Address, CA: s.CA, Facility: defaultFacility}
	if network, rest, ok := strings.Cut(s.Address, "://"); ok {
		t.Network, t.Address = network, rest
	}
	if t.Network != "tcp" && t.Network != "tls" && t.Network != "udp" {
		return Target{}, fmt.Errorf("%w: the address begins with tcp://, tls:// or udp://", ErrTarget)
	}
	if s.TLS != nil && *s.TLS != (t.Network == "tls") {
		return Target{}, fmt.Errorf("%w: tls says otherwise than the address; in clear is tcp:// or udp://", ErrTarget)
	}
	host, port, err := net.SplitHostPort(t.Address)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
		return Target{}, fmt.Errorf("%w: the address is host:port", ErrTarget)
	}
	if s.Facility != nil {
		t.Facility = *s.Facility
	}
	if t.Facility < 0 || t.Facility > 23 {
		return Target{}, fmt.Errorf("%w: facility is 0 to 23", ErrTarget)
	}
	if t.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.CA)) {
		return Target{}, fmt.Errorf("%w: ca is no PEM certificate", ErrTarget)
	}
	return t, nil
}

func (t Target) String() string { return t.Network + "://" + t.Address }

// Messages ------------------------------------------------------------------------------

// message is one thing to send. Seals come after their entries.
type message struct {
	no, seq int64
	at      time.Time
	id      string // MSGID
	outcome string
	params  [][2]string
	text    string
}

const (
	// maxMessage is what every receiver must take (RFC 5425 §4.3.1).
	maxMessage = 2048
	maxParam   = 200
	// structure names our parameters. 32473 is the number RFC 5612 keeps for examples:
	// the program has none of its own.
	structure = "onemap@32473"
	bom       = "\xEF\xBB\xBF"
)

func severity(outcome string) int {
	switch outcome {
	case Refused:
		return 4 // warning
	case Failed:
		return 3 // error
	}
	return 5 // notice
}

// Format writes a message as RFC 5424 has it.
func (m message) format(facility int, host string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "<%d>1 %s %s onemap %d %s [%s", facility*8+severity(m.outcome), m.at.UTC().Format("2006-01-02T15:04:05.000000Z"),
		visible(host, 255), os.Getpid(), visible(m.id, 32), structure)
	for _, p := range m.params {
		if p[1] != "" {
			b.WriteString(" " + p[0] + `="` + paramValue(p[1]) + `"`)
		}
	}
	b.WriteString("] " + bom)
	text := plain(m.text)
	if room := maxMessage - b.Len(); len(text) > room {
		text = cutBytes(text, room-len("…")) + "…"
	}
	b.WriteString(text)
	return []byte(b.String())
}

// visible keeps PRINTUSASCII; "-" is nil.
func visible(s string, most int) string {
	out := make([]byte, 0, most)
	for i := 0; i < len(s) && len(out) < most; i++ {
		if s[i] > ' ' && s[i] < 0x7f {
			out = append(out, s[i])
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return string(out)
}

// paramValue escapes what would end the value (RFC 5424 §6.3.3).
func paramValue(s string) string {
	s = plain(s)
	if len(s) > maxParam {
		s = cutBytes(s, maxParam-len("…")) + "…"
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(s)
}

// plain is valid UTF-8 without control characters: receivers that split at line breaks
// must not be told a second message.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

func cutBytes(s string, n int) string {
	if n = max(n, 0); n >= len(s) {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// The line --------------------------------------------------------------------------------

// line is an open connection to the receiver.
type line struct {
	conn   net.Conn
	raw    syscall.RawConn // nil for udp
	counts bool            // each message is preceded by its length (RFC 6587, RFC 5425)
	gone   atomic.Bool     // the receiver closed its end
}

const (
	dialWait  = 10 * time.Second
	writeWait = 10 * time.Second
	drainWait = 10 * time.Second
)

func dial(ctx context.Context, t Target) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWait)
	defer cancel()
	var d net.Dialer
	if t.Network == "udp" {
		conn, err := d.DialContext(ctx, "udp", t.Address)
		if err != nil {
			return nil, err
		}
		return &line{conn: conn}, nil
	}
	conn, err := d.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, err
	}
	l := &line{conn: conn, counts: true}
	if tcp, ok := conn.(*net.TCPConn); ok {
		if l.raw, err = tcp.SyscallConn(); err != nil {
			conn.Close()
			return nil, err
		}
	}
	if t.Network == "tls" {
		host, _, _ := net.SplitHostPort(t.Address)
		cfg := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
		if t.CA != "" {
			cfg.RootCAs = x509.NewCertPool()
			cfg.RootCAs.AppendCertsFromPEM([]byte(t.CA))
		}
		secure := tls.Client(conn, cfg)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		l.conn = secure
	}
	go l.watch()
	return l, nil
}

// watch reads only to learn that the receiver closed: a write into a connection the
// other side has closed succeeds once, and that message would be lost.
func (l *line) watch() {
	var b [256]byte
	for {
		if _, err := l.conn.Read(b[:]); err != nil {
			l.gone.Store(true)
			return
		}
	}
}

var errGone = errors.New("the receiver closed the connection")

func (l *line) send(message []byte) error {
	if l.gone.Load() {
		return errGone
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	if l.counts {
		message = append(strconv.AppendInt(nil, int64(len(message)), 10), append([]byte(" "), message...)...)
	}
	_, err := l.conn.Write(message)
	return err
}

// drained waits until the receiver's machine has acknowledged every byte.
func (l *line) drained(ctx context.Context) error {
	if l.raw == nil {
		return nil
	}
	deadline := time.Now().Add(drainWait)
	for {
		left, err := l.unacknowledged()
		if err != nil {
			return err
		}
		if l.gone.Load() {
			return errGone
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d bytes are not acknowledged after %s", left, drainWait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (l *line) unacknowledged() (n int, err error) {
	if cerr := l.raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); cerr != nil {
		return 0, cerr
	}
	return n, err
}

func (l *line) close() { l.conn.Close() }
