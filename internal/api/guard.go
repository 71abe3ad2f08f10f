package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/registry"
	"onemap/static"
	"onemap/tiles"
)

// The session cookie. Over TLS its name binds it to this host, this path and a secure
// connection (RFC 6265bis §4.1.3.2), so no neighbouring host can plant one. Browsers
// of the Chromium 90 line refuse that name on http://127.0.0.1, where it protects
// nothing; there it goes without the prefix.
const (
	cookieTLS   = "__Host-onemap"
	cookiePlain = "onemap"
)

func cookieName(req *Request) string {
	if req.TLS {
		return cookieTLS
	}
	return cookiePlain
}

// setCookie makes the header of a session that was opened, or is no more.
func setCookie(req *Request, value string, expires time.Time) string {
	c := cookieName(req) + "=" + value + "; Path=/; HttpOnly; Secure; SameSite=Lax"
	if value == "" {
		return c + "; Max-Age=0"
	}
	return c + "; Expires=" + expires.UTC().Format(http.TimeFormat)
}

// cookie finds the session among the cookies. Given twice it is nobody's: one of the
// two was planted.
func (r *Request) cookie() (value string, twice bool) {
	name := cookieName(r)
	for part := range strings.SplitSeq(r.cookies, ";") {
		n, v, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || n != name {
			continue
		}
		if value != "" {
			return "", true
		}
		value = v
	}
	return value, false
}

// bearer reads Authorization. Any other scheme is a credential we do not know, which
// is not the same as none.
func (r *Request) bearer() (token string, given bool) {
	if r.authorization == "" {
		return "", false
	}
	scheme, rest, _ := strings.Cut(r.authorization, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return "", true
	}
	return strings.TrimSpace(rest), true
}

// admit finds out who asks and whether he may call the route. It is the one door:
// no handler runs without it.
func (s *Server) admit(ctx context.Context, req *Request, rt *Route) error {
	if !s.opts.Auth.Done() {
		return s.admitBeforeSetup(req, rt)
	}
	if rt != nil && rt.Access == AccessOpen && !Unsafe(rt.Method) && !rt.Identified {
		s.become(req, s.opts.Auth.Anonymous())
		return nil
	}
	if rt != nil && Unsafe(rt.Method) {
		if _, token := req.bearer(); (!token || rt.Access == AccessOpen || rt.Access == AccessSetup) && !s.sameSite(req) {
			return problem(CodeCrossSite)
		}
	}
	if err := s.identify(ctx, req, rt); err != nil {
		return err
	}
	if rt == nil {
		return nil
	}
	if err := s.allowed(req, rt); err != nil {
		return err
	}
	return nil
}

// admitBeforeSetup: this machine sees the demonstration, everybody reaches set-up
// and health, nobody anything else.
func (s *Server) admitBeforeSetup(req *Request, rt *Route) error {
	s.become(req, s.opts.Auth.Anonymous())
	if rt != nil && Unsafe(rt.Method) && !s.sameSite(req) {
		return problem(CodeCrossSite)
	}
	switch {
	case req.thisMachine():
		s.become(req, s.opts.Auth.DemoIdentity())
		if rt == nil {
			return nil
		}
		if err := s.allowed(req, rt); err != nil {
			return err
		}
		return nil
	case rt != nil && (rt.Anywhere || rt.Access == AccessSetup || rt.Known != nil && s.needed[req.Path]):
		return nil
	}
	return problem(CodeSetupRequired)
}

// neededForSetup are the page that asks for the set-up link and every file it loads.
func neededForSetup(site *static.Site) map[string]bool {
	out := map[string]bool{}
	for _, path := range site.Loads("/setup") {
		out[path] = true
	}
	return out
}

// become makes the request somebody's.
func (s *Server) become(req *Request, id *auth.Identity) {
	if id == nil {
		id = &auth.Identity{Kind: auth.Anonymous}
	}
	req.Who, req.Reach, req.Actor = id, id.Reach, id.Actor()
}

// identify asks who stands behind the credential. One that is not valid is never
// taken for none, except where signing in is what is asked.
func (s *Server) identify(ctx context.Context, req *Request, rt *Route) error {
	s.become(req, s.opts.Auth.Anonymous())
	cred := auth.Credential{Device: req.device, Peer: req.client}
	token, given := req.bearer()
	session, twice := req.cookie()
	opening := rt != nil && (rt.Access == AccessOpen || rt.Access == AccessSetup)
	switch {
	case given && token == "", twice && !given:
		return refusedCredential(req, opening)
	case given:
		// Both at once: what a program says of itself counts, and must be right.
		cred.Bearer = token
	case session != "":
		cred.Cookie = session
	default:
		return nil
	}
	id, err := s.opts.Auth.Identify(ctx, cred)
	switch {
	case errors.Is(err, auth.ErrCredential):
		return refusedCredential(req, opening)
	case err != nil && opening && rt.Access == AccessOpen && !rt.Identified:
		return nil // signing in does not depend on who one was
	case err != nil:
		return err
	}
	if id.Kind == auth.Device && rt != nil && Unsafe(rt.Method) && req.device == "" {
		return refusedCredential(req, opening)
	}
	s.become(req, id)
	return nil
}

// refusedCredential tells the browser to forget a session that is no more.
func refusedCredential(req *Request, opening bool) error {
	req.spent = true
	if opening {
		return nil
	}
	e := problem(CodeNotSignedIn)
	if req.cookies != "" {
		e.Forget = setCookie(req, "", time.Time{})
	}
	return e
}

// sameSite says whether a changing request comes from a page of ours, or from no
// page at all. Cookies are sent with requests other sites' pages make; SameSite=Lax
// keeps most of them away, this the rest.
func (s *Server) sameSite(req *Request) bool {
	switch req.fetchSite {
	case "same-origin", "none":
		return true
	case "":
		return req.Origin != "" && req.Origin == s.self(req)
	}
	return false
}

// hidden is the answer to whoever asks for a layer that is absent or not his to see:
// the same body for both, and anonymous callers are told to sign in.
func hidden(req *Request) *Error {
	if req.Who.Kind == auth.Anonymous {
		return problem(CodeNotSignedIn)
	}
	return problem(CodeNotFound)
}

// layer finds a layer the asker may see. Absent and invisible take the same path.
func (s *Server) layer(req *Request, snap *registry.Snapshot, id string) (*registry.Layer, error) {
	l, ok := snap.Layer(id)
	if !ok || !l.SeenBy(req.Reach) {
		return nil, hidden(req)
	}
	return l, nil
}

// layers are the layers the asker may see.
func visibleLayers(req *Request, snap *registry.Snapshot) []*registry.Layer {
	out := make([]*registry.Layer, 0, len(snap.Layers))
	for _, l := range snap.Layers {
		if l.SeenBy(req.Reach) {
			out = append(out, l)
		}
	}
	return out
}

// someLayers is visibleLayers for a list: where no layer is public, whoever is not
// signed in is told to sign in instead of being shown an empty house.
func someLayers(req *Request, snap *registry.Snapshot) ([]*registry.Layer, error) {
	list := visibleLayers(req, snap)
	if len(list) == 0 && req.Who.Kind == auth.Anonymous {
		return nil, problem(CodeNotSignedIn)
	}
	return list, nil
}

func localHost(host string) bool {
	name := host
	if h, port, err := net.SplitHostPort(host); err == nil {
		if port == "" || strings.Trim(port, "0123456789") != "" {
			return false
		}
		name = h
		if strings.Contains(h, ":") != strings.HasPrefix(host, "[") {
			return false
		}
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		name = host[1 : len(host)-1]
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback())
}

// translate gives an error of the packages below the problem a client may see.
func (s *Server) translate(req *Request, err error) *Error {
	var own *Error
	var state interface{ SQLState() string }
	var netErr *net.OpError
	var refused *tiles.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, auth.ErrStale):
		return wrap(CodeRightsStale, err)
	case errors.Is(err, db.ErrBusy):
		return wrap(CodeOverloaded, err)
	case errors.Is(err, db.ErrUnavailable):
		return wrap(CodeUnavailable, err)
	case errors.Is(err, feed.ErrReset):
		return wrap(CodeNotCaughtUp, err)
	case errors.Is(err, tiles.ErrUnknownLayer):
		return hidden(req)
	case errors.As(err, &refused):
		return refusedTile(refused)
	}
	for _, words := range []func(registry.Lang, error) *Error{peopleProblem, zoningProblem, dangerProblem, incidentProblem, alertProblem, calcProblem, blobProblem, packProblem, syncProblem} {
		if p := words(req.Lang, err); p != nil {
			return p
		}
	}
	switch {
	case errors.As(err, &state):
		return sqlProblem(state.SQLState(), err)
	case errors.Is(err, context.DeadlineExceeded):
		return wrap(CodeQueryTimeout, err)
	case errors.Is(err, context.Canceled):
		return wrap(CodeUnavailable, err)
	case errors.As(err, &netErr), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return wrap(CodeUnavailable, err)
	}
	return asProblem(err)
}

// refusedTile keeps the stable codes: what the tile package calls by a finer name is
// told in errors[].
func refusedTile(e *tiles.Error) *Error {
	var p *Error
	switch e.Code {
	case "unknown_parameter":
		p = wrap(CodeUnknownParameter, e, e.Param)
	case "repeated_parameter":
		p = wrap(CodeRepeatedParameter, e, e.Param)
	default:
		p = wrap(CodeInvalidParameter, e, e.Param, text(tileWords(e.Code), e.Detail))
	}
	p.Items = []Item{{Path: e.Param, Code: e.Code, Message: e.Detail}}
	return p
}

// tileWords says the tile package's refusals in Chinese.
func tileWords(code string) string {
	switch code {
	case "bad_tile_number":
		return "应为不带符号和前导零的整数"
	case "tile_out_of_range":
		return "超出瓦片范围"
	case "layers_not_sorted":
		return "图层应按字母顺序排列且不重复"
	case "too_many_layers":
		return "一张瓦片的图层过多"
	case "bad_text":
		return "值为空、过长或不是有效的文本"
	case "bad_time":
		return "应为带时区的 RFC 3339 时间"
	case "bad_properties":
		return "应为以逗号分隔且不重复的字段名"
	case "unknown_property":
		return "图层没有此字段"
	case "bad_plan", "no_plans":
		return "应为区划方案编号，且图层应有区划方案"
	case "no_history":
		return "此图层没有历史"
	case "bad_filter", "bad_value":
		return "过滤条件有误"
	}
	return "无效"
}

func wrap(c Code, err error, args ...any) *Error {
	e := problem(c, args...)
	e.Err = err
	return e
}

// sqlProblem maps SQLSTATE. Classes 22 and 42 in a reading question are our fault,
// except the ones outside text can cause.
func sqlProblem(state string, err error) *Error {
	switch {
	case state == "57014":
		return wrap(CodeQueryTimeout, err)
	case state == "55P03", state == "40P01", state == "40001":
		// It waited too long for a row or table of somebody else's, or the two of them for
		// each other: nothing was done, and asking again is right.
		return wrap(CodeOverloaded, err)
	case state == "22021" || state == "22P05":
		return wrap(CodeBadQuery, err)
	case state == "OM001", state == "OM002":
		// The floor under the life cycle held what the service let pass.
		e := wrap(CodeConflict, err, text("方案的状态不允许此操作。", "The state of the plan does not allow this."))
		e.As = "not_editable"
		return e
	case state == "OM003", state == "OM013":
		return wrap(CodeFourEyes, err)
	case state == "OM011", state == "OM012":
		e := wrap(CodeConflict, err, text("隐患的状态不允许此操作。", "The state of the danger does not allow this."))
		e.As = "cannot_follow"
		return e
	case state == "OM014":
		return wrap(CodeForbidden, err)
	case state == "53100":
		return wrap(CodeDiskFull, err)
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P"), strings.HasPrefix(state, "53"), state == "25006":
		return wrap(CodeUnavailable, err)
	}
	return wrap(CodeInternal, err)
}
