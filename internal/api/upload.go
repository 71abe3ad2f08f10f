package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"onemap/internal/blobs"
)

// Bounds of an upload: how large, how many at once, how slow.
const (
	limitUpload   = 256 << 20
	uploadsAtOnce = 4
	uploadIdle    = 20 * time.Second // without a byte
	uploadTime    = 15 * time.Minute // in all
)

// uploadTypes are what a file may be sent as.
func uploadTypes() []string {
	return []string{"application/zip", "application/x-zip-compressed", "application/geo+json", "application/geopackage+sqlite3", "application/octet-stream"}
}

// take reads what the request brings.
func (s *Server) take(ctx *fasthttp.RequestCtx, req *Request) (bad *Error) {
	defer func() {
		if v := recover(); v != nil {
			req.unread = true
			s.fail(req, fmt.Errorf("panic while reading: %v", v), debug.Stack())
			bad = problem(CodeInternal)
		}
	}()
	if bad = s.takeBody(ctx, req); bad == nil {
		bad = s.takeFile(ctx, req)
	}
	return bad
}

// drop removes the file of an upload once the request is answered.
func (r *Request) drop() {
	if r.upload != "" {
		_ = os.Remove(r.upload) // whoever keeps it has moved or copied it
	}
}

// takeBody reads the body of a changing request before anything is decided about it:
// what is left unread would be taken for the next request of the connection. A file is
// left for takeFile, which first asks who sends it.
func (s *Server) takeBody(ctx *fasthttp.RequestCtx, req *Request) *Error {
	stream := ctx.RequestBodyStream()
	if stream == nil || !Unsafe(req.Method) {
		return nil
	}
	rt, _, _ := s.router.find(req.Method, req.Path, req.segments)
	if rt != nil && (rt.Body == BodyUpload || rt.Body == BodyPiece) {
		req.unread = true
		return nil
	}
	body, bad := readUpTo(stream, req.announced, s.bodyLimit(req, len(req.cookies) > 0 || req.authorization != ""))
	req.body, req.unread = body, bad != nil
	req.hasBody = req.hasBody || len(body) > 0
	return bad
}

func readUpTo(r io.Reader, announced, limit int) ([]byte, *Error) {
	if announced > limit {
		return nil, problem(CodeTooLarge)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	switch {
	case err != nil:
		return nil, bodyProblem(err)
	case len(body) > limit:
		return nil, problem(CodeTooLarge)
	}
	return body, nil
}

func bodyProblem(err error) *Error {
	if isTimeout(err) || errors.Is(err, os.ErrDeadlineExceeded) {
		return problem(CodeRequestTimeout)
	}
	return problem(CodeMalformed, text("请求体不完整", "the body is not complete"))
}

// takeFile streams the body of an upload into a file of its own, once it is clear that
// the asker may send it. The file is gone when the request is answered.
func (s *Server) takeFile(ctx *fasthttp.RequestCtx, req *Request) *Error {
	rt, params, _ := s.router.find(req.Method, req.Path, req.segments)
	if rt == nil || rt.Body != BodyUpload && rt.Body != BodyPiece || !req.unread {
		return nil
	}
	req.route, req.params = rt, params
	asking, cancel := context.WithTimeout(s.base, 10*time.Second)
	err := s.admit(asking, req, rt)
	cancel()
	if err != nil {
		return nil // it is refused again, where refusals are answered
	}
	if acceptBody(req, rt) != nil || allowOnly(req.Query, rt.Query...) != nil {
		return nil
	}
	if req.announced > rt.limit() {
		return problem(CodeTooLarge)
	}
	if rt.Body == BodyPiece {
		return s.takePiece(ctx, req)
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		s.metrics.shed.Add(1)
		return problem(CodeOverloaded)
	}
	file, err := os.CreateTemp("", "onemap-upload-")
	if err != nil {
		return wrap(CodeInternal, err)
	}
	return s.takeInto(ctx, req, file, rt.limit())
}

func (s *Server) takeInto(ctx *fasthttp.RequestCtx, req *Request, file *os.File, limit int) *Error {
	req.upload = file.Name()
	n, bad := s.copyUpload(ctx, file, limit)
	if err := file.Close(); err != nil && bad == nil {
		bad = wrap(CodeInternal, err)
	}
	req.unread, req.uploaded = bad != nil, n
	return bad
}

// Bounds of pieces of photos: how many at once are on their way to the disk, and how
// long one waits for its turn. Many phones come into the net at the same moment.
const (
	piecesAtOnce = 32
	pieceWait    = 8 * time.Second
)

// takePiece streams a part of a photo to the disk of the photos. On a bad line a piece may
// never arrive whole: what came of it goes to the handler, which keeps it and then says
// why it ended.
func (s *Server) takePiece(ctx *fasthttp.RequestCtx, req *Request) *Error {
	turn := time.NewTimer(pieceWait)
	defer turn.Stop()
	select {
	case s.pieces <- struct{}{}:
		defer func() { <-s.pieces }()
	case <-turn.C:
		s.metrics.shed.Add(1)
		return problem(CodeOverloaded)
	case <-s.base.Done():
		return problem(CodeUnavailable)
	}
	file, err := s.opts.Blobs.Incoming()
	switch {
	case errors.Is(err, blobs.ErrFull):
		return wrap(CodeDiskFull, err)
	case err != nil:
		return wrap(CodeInternal, err)
	}
	bad := s.takeInto(ctx, req, file, blobs.MaxPiece)
	if bad != nil && req.uploaded > 0 && (bad.Code == CodeRequestTimeout || bad.Code == CodeMalformed) {
		req.broken = bad
		return nil
	}
	return bad
}

// linger takes the rest of a refused body that is not large before the connection is
// closed: who is still sending would find it cut and never read why. Whoever stops
// sending is left at once, and nobody is waited for longer than lingerTime.
func linger(ctx *fasthttp.RequestCtx, announced int) {
	if announced > lingerBytes {
		return
	}
	conn, ends := ctx.Conn(), time.Now().Add(lingerTime)
	rest, left := ctx.RequestBodyStream(), lingerBytes
	// Where headerReceived took the announcement away nobody counts the bytes but we.
	raw := announced > 0 && ctx.Request.Header.ContentLength() == 0
	if raw {
		rest, left = conn, announced
	}
	if rest == nil {
		return
	}
	for buf := make([]byte, 64<<10); left > 0; {
		idle := lingerIdle
		if raw && left <= readBuffer {
			idle = lingerTail // they may have come with the head
		}
		wait := time.Now().Add(idle)
		if wait.After(ends) {
			wait = ends
		}
		_ = conn.SetReadDeadline(wait) // closed: the read says so
		n, err := rest.Read(buf[:min(left, len(buf))])
		if left -= n; err != nil {
			return
		}
	}
}

const (
	lingerBytes = 64 << 20
	lingerIdle  = 2 * time.Second // without a byte
	lingerTail  = 100 * time.Millisecond
	lingerTime  = 15 * time.Second
)

func (s *Server) copyUpload(ctx *fasthttp.RequestCtx, file *os.File, limit int) (int64, *Error) {
	conn, stream := ctx.Conn(), ctx.RequestBodyStream()
	ends := time.Now().Add(uploadTime)
	buf := make([]byte, 256<<10)
	var n int64
	for {
		wait := time.Now().Add(uploadIdle)
		if wait.After(ends) {
			wait = ends
		}
		_ = conn.SetReadDeadline(wait) // an error means it is closed: the next read says so
		k, err := stream.Read(buf)
		if n += int64(k); n > int64(limit) {
			return n, problem(CodeTooLarge)
		}
		if _, werr := file.Write(buf[:k]); werr != nil {
			return n, wrap(CodeDiskFull, werr)
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = conn.SetReadDeadline(time.Time{})
			return n, nil
		case err != nil:
			return n, bodyProblem(err)
		case s.draining.Load():
			return n, problem(CodeUnavailable)
		}
	}
}

// pieceTypes are what a part of a photo may be sent as.
func pieceTypes() []string {
	return []string{"application/octet-stream", "image/jpeg", "image/png", "image/webp"}
}

// acceptUpload checks the type of a file. It says little: what the file is shows inside.
func acceptUpload(req *Request, types []string) *Error {
	kind, _, err := mime.ParseMediaType(req.contentType)
	if err != nil || req.contentEncoding != "" || !slices.Contains(types, kind) {
		return problem(CodeUnsupportedType, strings.Join(types, ", "))
	}
	return nil
}
