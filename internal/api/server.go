package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// Server is the HTTP surface of one process.
type Server struct {
	opts    Options
	router  *router
	fast    *fasthttp.Server
	metrics *metrics
	hub     *hub
	slots   chan struct{} // requests at once
	uploads chan struct{} // files coming in at once
	pieces  chan struct{} // pieces of photos coming in at once
	sheets  chan struct{} // sheets and files being made
	prefix  string        // of request ids
	next    atomic.Uint64
	styles  styleCache
	sourced sourceCache
	areas   areaCache
	screens pace // of walls that ask about an area

	accepting sync.Mutex // of uploads: each becomes one plan

	denied refusals
	trust  trust
	needed map[string]bool // paths of the site the set-up page needs

	base     context.Context // of all requests
	stop     context.CancelFunc
	draining atomic.Bool

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// New builds the server. Nothing listens until [Server.Serve].
func New(opts Options) (*Server, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{
		opts:  opts,
		slots: make(chan struct{}, opts.Concurrency),

		uploads: make(chan struct{}, uploadsAtOnce),
		pieces:  make(chan struct{}, piecesAtOnce),
		sheets:  make(chan struct{}, maxSheets),
		prefix:  strconv.FormatUint(rand.Uint64()>>20, 36) + "-",
		conns:   map[*conn]struct{}{},
		trust:   opts.trust(),
		needed:  neededForSetup(opts.Site),
	}
	s.base, s.stop = context.WithCancel(context.Background())
	s.metrics = newMetrics(s)
	s.hub = newHub(s)
	if s.router, err = newRouter(s.routes()); err != nil {
		return nil, err
	}
	s.fast = &fasthttp.Server{
		Handler:      s.handle,
		ErrorHandler: s.parseFailed,
		Logger:       quietLogger{opts.Logger},
		// A browser may hold many idle connections; this bounds sockets, slots bounds work.
		Concurrency:           16 * 1024,
		ReadBufferSize:        readBuffer, // also the limit of a request's head: more is 431
		ReadTimeout:           opts.ReadTimeout,
		IdleTimeout:           opts.IdleTimeout,
		WriteTimeout:          opts.WriteTimeout,
		MaxRequestBodySize:    limitJSON,
		HeaderReceived:        s.headerReceived,
		CloseOnShutdown:       true,
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		SecureErrorLogMessage: true,
		// A file goes to the disk as it comes; every other body is read, within the limit
		// of its route, before anything is decided (takeBody).
		StreamRequestBody: true,
		// Nothing here takes forms; parsing them beforehand has no limit of its own.
		DisablePreParseMultipartForm: true,
	}
	return s, nil
}

// readBuffer is what of a connection may have been read beyond what was asked for.
const readBuffer = 16 << 10

// bodyLimit is how much a request may bring. Nobody in particular will be refused where
// more than a little is taken, and need not send it for that.
func (s *Server) bodyLimit(r *Request, somebody bool) int {
	rt, _, _ := s.router.find(r.Method, r.Path, r.segments)
	if rt == nil || !somebody && rt.limit() > limitJSON {
		return limitJSON
	}
	return rt.limit()
}

// headerReceived sets the patience for one request before its body is read. fasthttp
// calls it outside of our handler: a panic here would end the process.
func (s *Server) headerReceived(h *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
	defer func() {
		if v := recover(); v != nil {
			s.opts.Logger.Error("api: panic", "in", "header", "err", fmt.Sprint(v))
			c = fasthttp.RequestConfig{}
		}
	}()
	method := string(h.Method())
	if !Unsafe(method) {
		return c
	}
	target, _, _ := strings.Cut(string(h.RequestURI()), "?")
	r := &Request{Method: method}
	limit := limitJSON
	if len(target) <= maxTarget && r.decodePath(target) == nil {
		limit = s.bodyLimit(r, len(h.Peek(fasthttp.HeaderCookie)) > 0 || len(h.Peek(fasthttp.HeaderAuthorization)) > 0)
	}
	if h.ContentLength() > limit {
		// Nothing of it is waited for: takeBody finds what was announced in the header as
		// it was sent, refuses it, and the connection ends.
		h.SetContentLength(0)
		return c
	}
	if limit <= limitJSON {
		return c
	}
	c.ReadTimeout = max(s.opts.ReadTimeout, time.Minute) // an office's line is slow
	return c
}

// Routes is the route table, for the command line and for tests.
func (s *Server) Routes() []*Route { return s.router.routes }

// Serve accepts connections until Shutdown. Several listeners may be served at once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ended, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Go(func() { s.guarded("streams", func() { s.hub.run(ended) }) })
	var l net.Listener = &listener{Listener: ln, server: s}
	if s.opts.TLS != nil {
		l = tls.NewListener(l, s.opts.TLS)
	}
	if err := s.fast.Serve(l); err != nil && !s.draining.Load() {
		return fmt.Errorf("api: serve %s: %w", ln.Addr(), err)
	}
	return nil
}

// Shutdown stops in the order that loses nothing: not ready any more, streams told
// to come back elsewhere, requests under way finished until ctx ends, the rest
// cancelled and closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.hub.close()
	// Browsers open connections in advance. fasthttp waits for them as if a request
	// were under way.
	s.closeConns(func(c *conn) bool { return !c.used.Load() })
	err := s.fast.ShutdownWithContext(ctx)
	s.stop()
	s.closeConns(func(*conn) bool { return true })
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("api: shutdown: %w", err)
	}
	return err
}

func (s *Server) closeConns(which func(*conn) bool) {
	s.mu.Lock()
	var list []*conn
	for c := range s.conns {
		if which(c) {
			list = append(list, c)
		}
	}
	s.mu.Unlock()
	for _, c := range list {
		_ = c.Close()
	}
}

// handle is fasthttp's handler: the outermost frame of every request. fasthttp does
// not recover panics; without this one a single bad shape would end the process.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	started := time.Now()
	req, bad := decode(ctx, s.trust)
	req.ID = s.prefix + strconv.FormatUint(s.next.Add(1), 36)
	rc := &requestContext{base: s.base, conn: ctx.Conn()}
	s.metrics.inFlight.Add(1)
	if bad == nil {
		bad = s.take(ctx, req)
	}
	resp := s.respond(rc, req, bad)
	req.drop()
	if req.unread || bad != nil {
		linger(ctx, req.announced)
	}
	rc.finish()
	s.metrics.inFlight.Add(-1)

	if err := s.put(ctx, req, resp); err != nil {
		s.fail(req, err, nil)
		resp = problem(CodeInternal).response(req.Lang, req.ID)
		_ = write(ctx, req, resp)
	}
	if req.unread || req.hasBody && (req.route == nil || req.route.Body == BodyNone) || resp.Status == fasthttp.StatusBadRequest {
		// What follows on a connection whose framing was in doubt is not trusted.
		ctx.SetConnectionClose()
	}
	if resp.stream != nil && ctx.Response.StatusCode() == fasthttp.StatusOK && req.Method == "GET" {
		stream := resp.stream
		ctx.HijackSetNoResponse(true)
		ctx.Hijack(func(c net.Conn) { s.guarded("stream", func() { stream(c) }) })
	}
	s.metrics.observe(req, ctx.Response.StatusCode(), time.Since(started))
}

func (s *Server) put(ctx *fasthttp.RequestCtx, req *Request, resp *Response) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic while writing: %v", v)
		}
	}()
	return write(ctx, req, resp)
}

// respond runs the request to a response, whatever happens inside.
func (s *Server) respond(ctx *requestContext, req *Request, bad *Error) (resp *Response) {
	defer func() {
		if v := recover(); v != nil {
			s.fail(req, fmt.Errorf("panic: %v", v), debug.Stack())
			resp = problem(CodeInternal).response(req.Lang, req.ID)
		}
	}()
	resp, err := s.dispatch(ctx, req, bad)
	if err == nil {
		s.seal(req, resp)
		return resp
	}
	if ctx.gone() {
		// Nobody reads this; the status is for the metrics.
		return problem(CodeClientGone).response(req.Lang, req.ID)
	}
	p := s.translate(req, err)
	switch {
	case p.Code == CodeInternal:
		s.fail(req, err, nil)
	case p.Code.words().status == fasthttp.StatusForbidden:
		s.refused(ctx, req, p)
	}
	return p.response(req.Lang, req.ID)
}

func (s *Server) dispatch(ctx context.Context, req *Request, bad *Error) (*Response, error) {
	var rt *Route
	var allow string
	if bad == nil {
		rt, req.params, allow = s.router.find(req.Method, req.Path, req.segments)
	}
	req.route = rt
	if bad != nil {
		if !s.opts.Auth.Done() && !req.thisMachine() {
			return nil, problem(CodeSetupRequired)
		}
		return nil, bad
	}
	if err := s.admit(ctx, req, rt); err != nil {
		return nil, err
	}
	switch {
	case rt == nil && allow == "":
		return nil, problem(CodeNotFound)
	case rt == nil && req.Method == "OPTIONS":
		resp := &Response{Status: fasthttp.StatusNoContent, Cache: noStore}
		resp.Set("Allow", allow)
		return resp, nil
	case rt == nil:
		e := problem(CodeMethodNotAllowed, allow)
		e.Allow = allow
		return nil, e
	}
	if err := acceptBody(req, rt); err != nil {
		return nil, err
	}
	if !rt.OpenQuery {
		if err := allowOnly(req.Query, rt.Query...); err != nil {
			return nil, err
		}
	}
	if !rt.Exempt {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			s.metrics.shed.Add(1)
			return nil, problem(CodeOverloaded)
		}
	}
	if err := s.waitAfter(ctx, req); err != nil {
		return nil, err
	}
	resp, err := rt.Handler(ctx, req)
	if err == nil && rt.Tells && !resp.has("Onemap-Seq") {
		// What was written stands, whatever becomes of this question.
		if p, err := s.opts.Feed.End(ctx); err == nil {
			resp.Set("Onemap-Seq", p.String())
		} else {
			s.opts.Logger.WarnContext(ctx, "an answer does not say where the feed stands", "route", rt.Name, "err", err)
		}
	}
	return resp, err
}

// allowOnly refuses every parameter that is not named: a mistyped filter must not
// silently show everything.
func allowOnly(q Query, names ...string) error {
next:
	for _, p := range q {
		for _, n := range names {
			if p.Name == n {
				continue next
			}
		}
		return problem(CodeUnknownParameter, p.Name)
	}
	return nil
}

// fail logs what the client must not see.
func (s *Server) fail(req *Request, err error, stack []byte) {
	name := ""
	if req.route != nil {
		name = req.route.Name
	}
	attrs := []any{"request", req.ID, "method", req.Method, "route", name, "err", err}
	if stack != nil {
		attrs = append(attrs, "stack", string(stack))
	}
	s.opts.Logger.Error("api: request failed", attrs...)
}

// guarded runs a goroutine's body; a panic there must not end the process either.
func (s *Server) guarded(what string, fn func()) {
	defer func() {
		if v := recover(); v != nil {
			s.opts.Logger.Error("api: panic", "in", what, "err", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	fn()
}

// parseFailed answers what fasthttp could not read as a request.
func (s *Server) parseFailed(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	p := problem(CodeMalformed, text("无法解析", "it cannot be parsed"))
	switch {
	case errors.As(err, &small):
		p = problem(CodeHeadersTooLarge)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		p = problem(CodeTooLarge)
	case isTimeout(err):
		p = problem(CodeRequestTimeout)
	}
	// Nothing of the request is trusted: not its language, not its conditions.
	req := &Request{ID: s.prefix + strconv.FormatUint(s.next.Add(1), 36), Lang: language("")}
	resp := p.response(req.Lang, req.ID)
	_ = write(ctx, req, resp)
	s.metrics.observe(req, resp.Status, 0)
}

// quietLogger drops what fasthttp would print: its parse errors quote the request,
// tokens included.
type quietLogger struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (l quietLogger) Printf(string, ...any) { l.log.Debug("api: connection ended with an error") }
