package api

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errClientGone is the cause of a context whose client closed the connection.
var errClientGone = errors.New("api: the client left")

// requestContext is the context of one request. fasthttp's own ends only with the
// server, so an abandoned tile would go on computing (fasthttp#468). This one ends
// when the client leaves too: the first call of Done starts a watch on the socket.
// A request that never waits (a cached tile) never pays for it.
type requestContext struct {
	base context.Context // of the server
	conn net.Conn

	mu       sync.Mutex
	ctx      context.Context // set by the first Done
	cancel   context.CancelCauseFunc
	finished bool
	watch    *watch
}

func (c *requestContext) Deadline() (time.Time, bool) { return c.base.Deadline() }
func (c *requestContext) Value(key any) any           { return c.base.Value(key) }

func (c *requestContext) Done() <-chan struct{} { return c.started().Done() }

func (c *requestContext) Err() error {
	c.mu.Lock()
	inner, finished := c.ctx, c.finished
	c.mu.Unlock()
	switch {
	case inner != nil:
		return inner.Err()
	case finished:
		return context.Canceled
	}
	return c.base.Err()
}

func (c *requestContext) started() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		c.ctx, c.cancel = context.WithCancelCause(c.base)
		if c.finished {
			c.cancel(context.Canceled)
		} else {
			c.watch = watchConn(c.conn, func() { c.cancel(errClientGone) })
		}
	}
	return c.ctx
}

// finish ends the context. It returns when the watch let go of the socket, so that
// fasthttp may read the next request.
func (c *requestContext) finish() {
	c.mu.Lock()
	c.finished = true
	w, cancel := c.watch, c.cancel
	c.mu.Unlock()
	if w != nil {
		w.stop()
	}
	if cancel != nil {
		cancel(context.Canceled)
	}
}

// gone reports whether the client was seen leaving.
func (c *requestContext) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ctx != nil && errors.Is(context.Cause(c.ctx), errClientGone)
}

// watch waits for the peer to close a connection nobody reads at the moment.
type watch struct {
	conn net.Conn
	done chan struct{}
}

// watchConn calls gone once if the peer closes. It answers nil where the
// connection has no socket (tests in memory): then nobody watches.
func watchConn(conn net.Conn, gone func()) *watch {
	raw := rawConn(conn)
	if raw == nil {
		return nil
	}
	// The deadline fasthttp set for reading the request would end the watch.
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil
	}
	w := &watch{conn: conn, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		left := false
		err := raw.Read(func(fd uintptr) bool {
			left = peerLeft(int(fd))
			return left
		})
		// A deadline is stop's way of waking us; any other error is a dead socket.
		if left || (err != nil && !isTimeout(err)) {
			gone()
		}
	}()
	return w
}

func (w *watch) stop() {
	// Errors mean the socket is closed already; then the goroutine ends by itself.
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
	<-w.done
	_ = w.conn.SetReadDeadline(time.Time{})
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// peerLeft looks at a socket without taking bytes from it. Bytes may wait (a
// pipelined request, the farewell record of TLS), so the hang-up is asked for by
// poll too: recv alone would see the bytes and not the end behind them.
func peerLeft(fd int) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	switch {
	case err == nil && n == 0:
		return true
	case err == nil:
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, err := unix.Poll(p, 0)
		return err == nil && p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return false
	}
	return true
}

// rawConn finds the socket below TLS and our own wrapper.
func rawConn(conn net.Conn) syscall.RawConn {
	for range 4 {
		switch c := conn.(type) {
		case syscall.Conn:
			raw, err := c.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		case interface{ UnsafeConn() net.Conn }:
			conn = c.UnsafeConn()
		default:
			return nil
		}
	}
	return nil
}
