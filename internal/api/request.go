package api

import (
	"bytes"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/registry"
)

const (
	maxTarget   = 12 << 10 // request target in bytes; longer is 414
	maxSegments = 24
	maxParams   = 64
	maxHeaders  = 96
)

// Request is what a handler may know of a request. Everything in it is owned: it
// stays valid after the handler returned.
type Request struct {
	ID       string // of this request, shown in problems and logs
	Method   string
	Path     string   // as sent, escapes undone
	segments []string // of Path
	params   []string // values of the route's placeholders, in order
	Query    Query
	Host     string
	TLS      bool
	Lang     registry.Lang
	Received time.Time

	// Who asks; never nil. Reach is what he may read.
	Who   *auth.Identity
	Reach db.Reach
	Actor string

	AcceptEncoding string
	Accept         string
	IfNoneMatch    string
	LastEventID    string
	After          string // Onemap-After
	Origin         string

	body            []byte // of a route that takes one; owned
	upload          string // path of the file a route for files was sent
	broken          *Error // why the piece of a photo ended before its end
	uploadOffset    string // Upload-Offset
	uploadLength    string // Upload-Length
	ranged          string // Range
	ifRange         string
	uploaded        int64 // its size
	contentType     string
	contentEncoding string
	ifMatch         string
	fetchSite       string // Sec-Fetch-Site
	authorization   string
	cookies         string
	device          string // Onemap-Device
	agent           string

	peer      netip.Addr
	client    netip.Addr // who asks: the peer, or whom a trusted proxy names
	local     bool       // the peer is this machine
	forwarded bool       // a proxy says it speaks for somebody
	proxied   bool       // the peer is a trusted proxy
	spent     bool       // it carried a credential that is not valid (any more)
	hasBody   bool
	unread    bool // the body was left on the connection, which must not be used again
	headers   int
	announced int // Content-Length as it was sent
	hosts     int
	folded    bool // a header goes on in a second line
	route     *Route
}

// Param is the value of the i-th placeholder of the route's pattern.
func (r *Request) Param(i int) string { return r.params[i] }

// Param is one query parameter.
type Param struct{ Name, Value string }

// Query is the query string in order, each name once.
type Query []Param

// Get returns a value and whether the parameter was given.
func (q Query) Get(name string) (string, bool) {
	for _, p := range q {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// Value returns the value or "".
func (q Query) Value(name string) string { v, _ := q.Get(name); return v }

// decode copies a fasthttp request into an owned one. The error is always a
// problem; the request is usable for answering it.
func decode(ctx *fasthttp.RequestCtx, t trust) (*Request, *Error) {
	h := &ctx.Request.Header
	r := &Request{
		Method:         string(h.Method()),
		Host:           string(h.Host()),
		TLS:            ctx.IsTLS(),
		Lang:           language(string(h.Peek(fasthttp.HeaderAcceptLanguage))),
		Received:       ctx.Time(),
		AcceptEncoding: string(h.Peek(fasthttp.HeaderAcceptEncoding)),
		Accept:         string(h.Peek(fasthttp.HeaderAccept)),
		IfNoneMatch:    string(h.Peek(fasthttp.HeaderIfNoneMatch)),
		LastEventID:    string(h.Peek("Last-Event-Id")),
		After:          string(h.Peek("Onemap-After")),
		Origin:         string(h.Peek(fasthttp.HeaderOrigin)),
		Actor:          "anonymous",
		Who:            &auth.Identity{Kind: auth.Anonymous},

		authorization: string(h.Peek(fasthttp.HeaderAuthorization)),
		cookies:       string(h.Peek(fasthttp.HeaderCookie)),
		device:        string(h.Peek("Onemap-Device")),
	}
	if r.Method == "GET" || r.Method == "HEAD" {
		r.ranged, r.ifRange = string(h.Peek(fasthttp.HeaderRange)), string(h.Peek(fasthttp.HeaderIfRange))
	}
	r.peer, r.local = peerOf(ctx.RemoteAddr())
	raw := h.RawHeaders()
	te, cl := r.scan(raw)
	r.speaksFor(t, raw)
	r.hasBody = te || r.announced > 0
	if Unsafe(r.Method) {
		r.uploadOffset = string(h.Peek("Upload-Offset"))
		r.uploadLength = string(h.Peek("Upload-Length"))
		r.contentType = string(h.ContentType())
		r.contentEncoding = string(h.Peek(fasthttp.HeaderContentEncoding))
		r.ifMatch = string(h.Peek(fasthttp.HeaderIfMatch))
		r.fetchSite = string(h.Peek("Sec-Fetch-Site"))
		r.agent = string(h.UserAgent())
	}

	target := string(h.RequestURI())
	if len(target) > maxTarget {
		return r, problem(CodeURITooLong)
	}
	if r.headers > maxHeaders {
		return r, problem(CodeHeadersTooLarge)
	}
	if te && cl {
		return r, problem(CodeMalformed, text("同时出现 Content-Length 和 Transfer-Encoding", "both Content-Length and Transfer-Encoding are present"))
	}
	if r.hosts > 1 {
		return r, problem(CodeMalformed, text("Host 出现多次", "Host appears more than once"))
	}
	if r.folded {
		// Two programs in a row may read it as one header or as two (RFC 9112 §5.2).
		return r, problem(CodeMalformed, text("头字段折行", "a header field is folded over lines"))
	}
	path, query, _ := strings.Cut(target, "?")
	if err := r.decodePath(path); err != nil {
		return r, err
	}
	if err := r.decodeQuery(query); err != nil {
		return r, err
	}
	return r, nil
}

// peerOf tells who is at the other end and whether it is this machine.
func peerOf(a net.Addr) (netip.Addr, bool) {
	switch a := a.(type) {
	case *net.TCPAddr:
		ip := a.AddrPort().Addr().Unmap()
		return ip, ip.IsLoopback()
	case *net.UnixAddr:
		return netip.Addr{}, true
	}
	return netip.Addr{}, false
}

// scan looks at the header lines as sent. fasthttp drops what it understood: the
// Transfer-Encoding that makes a Content-Length ambiguous is only seen here.
func (r *Request) scan(raw []byte) (te, cl bool) {
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte{'\n'})
		raw = rest
		if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			r.folded = true
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 {
			continue
		}
		r.headers++
		switch name := line[:colon]; {
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			te = true
		case bytes.EqualFold(name, []byte("content-length")):
			cl = true
			r.announced, _ = strconv.Atoi(string(bytes.TrimSpace(line[colon+1:]))) // fasthttp refused what is no number
		case bytes.EqualFold(name, []byte("host")):
			r.hosts++
		case r.local && isForwarding(name):
			r.forwarded = true
		}
	}
	return te, cl
}

// decodePath splits and unescapes the path exactly as sent. Whatever two programs
// in a row could read differently is refused: empty and dotted segments, escaped
// separators, controls, broken UTF-8.
func (r *Request) decodePath(path string) *Error {
	if path == "" || path[0] != '/' {
		return problem(CodeBadPath)
	}
	r.Path = path
	if path == "/" {
		return nil
	}
	rest := path[1:]
	segments := make([]string, 0, 8)
	escaped := false
	for more := true; more; {
		var s string
		s, rest, more = strings.Cut(rest, "/")
		if strings.ContainsAny(s, `\#;`) || (s == "" && more) {
			return problem(CodeBadPath)
		}
		if strings.IndexByte(s, '%') >= 0 {
			u, ok := unescape(s, false)
			if !ok || strings.ContainsAny(u, "/\\") {
				return problem(CodeBadPath)
			}
			s, escaped = u, true
		}
		if s == "." || s == ".." || !cleanText(s) {
			return problem(CodeBadPath)
		}
		if len(segments) == maxSegments {
			return problem(CodeBadPath)
		}
		segments = append(segments, s)
	}
	r.segments = segments
	if escaped {
		r.Path = "/" + strings.Join(segments, "/")
	}
	return nil
}

func (r *Request) decodeQuery(raw string) *Error {
	if raw == "" {
		return nil
	}
	r.Query = make(Query, 0, 4)
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, ok1 := unescape(name, true)
		v, ok2 := unescape(value, true)
		if !ok1 || !ok2 || n == "" || !cleanText(n) || !cleanText(v) {
			return problem(CodeBadQuery)
		}
		if _, dup := r.Query.Get(n); dup {
			return problem(CodeRepeatedParameter, n)
		}
		if len(r.Query) == maxParams {
			return problem(CodeBadQuery)
		}
		r.Query = append(r.Query, Param{n, v})
	}
	return nil
}

// cleanText refuses what no name and no value of ours holds and PostgreSQL would
// answer with an error: NUL, control characters, broken UTF-8.
func cleanText(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

func unescape(s string, plus bool) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			if i+2 >= len(s) {
				return "", false
			}
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return "", false
			}
			out = append(out, hi<<4|lo)
			i += 2
		case c == '+' && plus:
			out = append(out, ' ')
		default:
			out = append(out, c)
		}
	}
	return string(out), true
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
