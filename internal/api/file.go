package api

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// fileBody is a file that is sent as it lies on the disk. It is closed when the answer
// has gone, whatever became of it.
type fileBody struct {
	r    io.ReaderAt
	c    io.Closer
	size int64
}

func (f *fileBody) close() {
	if f != nil && f.c != nil {
		_ = f.c.Close() // it was only read
	}
}

// Patience with who reads a file: it may take long, but not stand still.
const (
	fileIdle = time.Minute
	fileTime = time.Hour
)

// writeFile sends the file, or the one part of it that a Range asks for: a download that
// broke off goes on where it was, if the file is still the same (If-Range).
func writeFile(ctx *fasthttp.RequestCtx, req *Request, resp *Response) {
	out, f := &ctx.Response, resp.file
	out.Header.Set("Accept-Ranges", "bytes")
	out.Header.SetContentType(resp.Type)
	from, n, status := int64(0), f.size, fasthttp.StatusOK
	if req.ranged != "" && (req.ifRange == "" || req.ifRange == resp.ETag) {
		var ok, fits bool
		if from, n, ok, fits = parseRange(req.ranged, f.size); !ok {
			from, n = 0, f.size
		} else if status = fasthttp.StatusPartialContent; !fits {
			f.close()
			out.Header.Set("Content-Range", "bytes */"+strconv.FormatInt(f.size, 10))
			out.SetStatusCode(fasthttp.StatusRequestedRangeNotSatisfiable)
			return
		}
	}
	if status == fasthttp.StatusPartialContent {
		out.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, f.size))
	}
	out.SetStatusCode(status)
	now := time.Now()
	out.SetBodyStream(&fileReader{SectionReader: io.NewSectionReader(f.r, from, n), file: f, conn: ctx.Conn(), ends: now.Add(fileTime)}, int(n))
}

// fileReader is the part on its way. Every part that is read shows that the one before
// went out, so the connection gets new patience.
type fileReader struct {
	*io.SectionReader

	file *fileBody
	conn net.Conn
	ends time.Time
}

// Read implements io.Reader.
func (r *fileReader) Read(b []byte) (int, error) {
	until := time.Now().Add(fileIdle)
	if until.After(r.ends) {
		until = r.ends
	}
	_ = r.conn.SetWriteDeadline(until) // closed: the write says so
	return r.SectionReader.Read(b)
}

// WriteTo hides that of the section, which would read the whole under one deadline.
func (r *fileReader) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, 64<<10))
}

// Close implements io.Closer.
func (r *fileReader) Close() error {
	r.file.close()
	return nil
}

// parseRange reads "bytes=from-to" of one range. What cannot be read, and several ranges
// at once, are as if nothing had been asked for (RFC 9110 §14.2); fits is false for a
// range beyond the end.
func parseRange(s string, size int64) (from, n int64, ok, fits bool) {
	spec, found := strings.CutPrefix(s, "bytes=")
	a, b, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !found || !dash {
		return 0, 0, false, false
	}
	number := func(s string) (int64, bool) {
		for _, c := range []byte(s) {
			if c < '0' || c > '9' {
				return 0, false
			}
		}
		v, err := strconv.ParseInt(s, 10, 64)
		return v, err == nil
	}
	if a == "" { // the last b bytes
		last, good := number(b)
		if !good {
			return 0, 0, false, false
		}
		last = min(last, size)
		return size - last, last, true, last > 0
	}
	from, good := number(a)
	if !good {
		return 0, 0, false, false
	}
	to := size - 1
	if b != "" {
		if to, good = number(b); !good || to < from {
			return 0, 0, false, false
		}
		to = min(to, size-1)
	}
	if from >= size {
		return 0, 0, true, false
	}
	return from, to - from + 1, true, true
}
