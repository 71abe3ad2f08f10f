package api

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener hands out connections the server can list, close, and switch to
// writing without waiting. TLS, where there is any, lies above.
type listener struct {
	net.Listener
	server *Server
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc, server: l.server}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	l.server.mu.Lock()
	l.server.conns[c] = struct{}{}
	l.server.mu.Unlock()
	return c, nil
}

// conn is one connection. In streaming mode Write fills a buffer and Flush sends
// what the socket takes at once, so that one goroutine can serve many streams and a
// slow reader holds up nobody. With TLS the buffer holds the encrypted bytes.
type conn struct {
	net.Conn
	server *Server
	raw    syscall.RawConn // nil without a socket (tests in memory)
	used   atomic.Bool     // something was read

	mu        sync.Mutex
	streaming bool
	out       []byte
}

// NetConn lets the watch find the socket.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.used.Load() {
		c.used.Store(true)
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if !c.streaming {
		c.mu.Unlock()
		return c.Conn.Write(p)
	}
	defer c.mu.Unlock()
	c.out = append(c.out, p...)
	return len(p), nil
}

func (c *conn) Close() error {
	c.server.mu.Lock()
	delete(c.server.conns, c)
	c.server.mu.Unlock()
	return c.Conn.Close()
}

func (c *conn) startStreaming() {
	c.mu.Lock()
	c.streaming = true
	c.mu.Unlock()
}

// flush sends buffered bytes without waiting and answers how many are left.
func (c *conn) flush() (left int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 {
		return 0, nil
	}
	if c.raw == nil {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			return len(c.out), err
		}
		_, err := c.Conn.Write(c.out)
		c.out = c.out[:0]
		return 0, err
	}
	err = c.raw.Write(func(fd uintptr) bool {
		left, err = c.send(int(fd))
		return true
	})
	return len(c.out), err
}

// send writes until the socket is full. mu is held.
func (c *conn) send(fd int) (int, error) {
	for len(c.out) > 0 {
		n, err := unix.Write(fd, c.out)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return len(c.out), nil
		case err != nil:
			return len(c.out), err
		}
		rest := copy(c.out, c.out[n:])
		c.out = c.out[:rest]
	}
	if cap(c.out) > 64<<10 {
		c.out = nil
	}
	return 0, nil
}

// drain waits, until the deadline, for the socket to take everything.
func (c *conn) drain(patience time.Duration) error {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raw == nil || len(c.out) == 0 {
		return nil
	}
	var sendErr error
	err := c.raw.Write(func(fd uintptr) bool {
		var left int
		left, sendErr = c.send(int(fd))
		return left == 0 || sendErr != nil
	})
	if sendErr != nil {
		return sendErr
	}
	return err
}
