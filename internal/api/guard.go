package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/tiles"
)

// admitted says whether a request may be answered before accounts exist: it comes
// from this machine, it names this machine (a page of another site whose name was
// rebound to 127.0.0.1 does not), and no proxy speaks for somebody else.
func (s *Server) admitted(req *Request) bool {
	return req.local && !req.forwarded && localHost(req.Host)
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
func (s *Server) translate(err error) *Error {
	var own *Error
	var state interface{ SQLState() string }
	var netErr *net.OpError
	var refused *tiles.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, db.ErrBusy):
		return wrap(CodeOverloaded, err)
	case errors.Is(err, db.ErrUnavailable):
		return wrap(CodeUnavailable, err)
	case errors.Is(err, feed.ErrReset):
		return wrap(CodeNotCaughtUp, err)
	case errors.Is(err, tiles.ErrUnknownLayer):
		return wrap(CodeNotFound, err)
	case errors.As(err, &refused):
		return refusedTile(refused)
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
	p := wrap(CodeInvalidParameter, e, e.Param, e.Detail)
	switch e.Code {
	case "unknown_parameter":
		p = wrap(CodeUnknownParameter, e, e.Param)
	case "repeated_parameter":
		p = wrap(CodeRepeatedParameter, e, e.Param)
	}
	p.Items = []Item{{Path: e.Param, Code: e.Code, Message: e.Detail}}
	return p
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
	case state == "22021" || state == "22P05":
		return wrap(CodeBadQuery, err)
	case state == "53100":
		return wrap(CodeDiskFull, err)
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P"), strings.HasPrefix(state, "53"), state == "25006":
		return wrap(CodeUnavailable, err)
	}
	return wrap(CodeInternal, err)
}
