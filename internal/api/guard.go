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
		return "应为区划方案编号,且图层应有区划方案"
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
	case state == "22021" || state == "22P05":
		return wrap(CodeBadQuery, err)
	case state == "53100":
		return wrap(CodeDiskFull, err)
	case strings.HasPrefix(state, "08"), strings.HasPrefix(state, "57P"), strings.HasPrefix(state, "53"), state == "25006":
		return wrap(CodeUnavailable, err)
	}
	return wrap(CodeInternal, err)
}
