package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"
)

// Response is what a handler answers.
type Response struct {
	Status   int    // default 200
	Type     string // Content-Type
	Body     []byte // read only: caches share it
	Encoding string // Content-Encoding of Body; a client that cannot read it gets it undone
	ETag     string // with the quotes
	Cache    string // Cache-Control
	Policy   string // Content-Security-Policy, where the default is not right
	headers  [][2]string

	// lean leaves out the headers that speak to documents only: a tile is none, and
	// thousands of them are sent.
	lean bool
	// compress lets the writer gzip a Body that is not encoded yet.
	compress bool
	// stream takes the connection over after the handler returned; see live.go.
	stream func(net.Conn)
	// file is sent instead of Body, in the part that is asked for; see file.go.
	file *fileBody
}

// Set adds a header field.
func (r *Response) Set(name, value string) { r.headers = append(r.headers, [2]string{name, value}) }

func (r *Response) has(name string) bool {
	return slices.ContainsFunc(r.headers, func(kv [2]string) bool { return kv[0] == name })
}

const (
	typeJSON    = "application/json; charset=utf-8"
	typeGeoJSON = "application/geo+json"
	noStore     = "no-store"
	revalidate  = "private, no-cache"
	// privateNoStore is for what belongs to one person.
	privateNoStore = "private, no-store"
)

// answer encodes a value as a response that is revalidated by its content.
func answer(contentType string, v any) (*Response, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return document200(contentType, body), nil
}

func document200(contentType string, body []byte) *Response {
	h := fnv.New64a()
	h.Write(body)
	// Weak: the bytes differ by Content-Encoding, the meaning does not.
	return &Response{Type: contentType, Body: body, ETag: fmt.Sprintf(`W/"%x"`, h.Sum64()), Cache: revalidate, compress: true}
}

// minCompress is the size below which gzip gains nothing.
const minCompress = 860

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }} //nolint:gochecknoglobals // a pool is shared by nature

func gzipped(body []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(body) / 3)
	w := gzipWriters.Get().(*gzip.Writer) //nolint:forcetypeassert // only ours go in
	defer gzipWriters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(body); err != nil {
		return nil
	}
	if err := w.Close(); err != nil {
		return nil
	}
	return out.Bytes()
}

func gunzipped(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return out, nil
}

// apiPolicy is sent with everything but the site's own documents: nothing an API
// answers may run or load anything.
const apiPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// permissionsPolicy leaves pages of ours the position of the device and its camera
// (an enrolment's QR code), and nothing else.
const permissionsPolicy = "geolocation=(self), camera=(self), clipboard-write=(self), fullscreen=(self), accelerometer=(), display-capture=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), serial=(), usb=()"

// seal marks an answer that depends on who asked: no cache may hand it to another.
func (s *Server) seal(req *Request, resp *Response) {
	rt := req.route
	if rt == nil || rt.Access == AccessOpen && !rt.Identified {
		return
	}
	if resp.Cache == "" {
		resp.Cache = privateNoStore
	}
	if !strings.HasPrefix(resp.Cache, "public") {
		resp.Set("Vary", "Cookie, Authorization")
	}
}

// write puts a response into fasthttp's context. It decides the encoding and turns
// a matching If-None-Match into 304 before the body is touched.
func write(ctx *fasthttp.RequestCtx, req *Request, resp *Response) error {
	out := &ctx.Response
	h := &out.Header
	status := resp.Status
	if status == 0 {
		status = fasthttp.StatusOK
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if req.TLS {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if !resp.lean {
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", permissionsPolicy)
		policy := resp.Policy
		if policy == "" {
			policy = apiPolicy
		}
		h.Set("Content-Security-Policy", policy)
	}
	if resp.Cache != "" {
		h.Set(fasthttp.HeaderCacheControl, resp.Cache)
	}
	for _, kv := range resp.headers {
		h.Add(kv[0], kv[1])
	}
	if resp.ETag != "" {
		h.Set(fasthttp.HeaderETag, resp.ETag)
	}
	body, encoding := resp.Body, resp.Encoding
	if encoding != "" || resp.compress {
		h.Add(fasthttp.HeaderVary, "Accept-Encoding")
	}
	if status == fasthttp.StatusOK && matchesETag(req.IfNoneMatch, resp.ETag) {
		out.SetStatusCode(fasthttp.StatusNotModified)
		resp.file.close()
		return nil
	}
	if resp.file != nil {
		writeFile(ctx, req, resp)
		return nil
	}
	switch {
	case encoding == "gzip" && !acceptsGzip(req.AcceptEncoding):
		plain, err := gunzipped(body)
		if err != nil {
			return err
		}
		body, encoding = plain, ""
	case encoding == "" && resp.compress && len(body) >= minCompress && acceptsGzip(req.AcceptEncoding):
		if z := gzipped(body); z != nil {
			body, encoding = z, "gzip"
		}
	}
	out.SetStatusCode(status)
	if resp.Type != "" && len(body) > 0 {
		h.SetContentType(resp.Type)
	}
	if encoding != "" {
		h.Set(fasthttp.HeaderContentEncoding, encoding)
	}
	// Raw: fasthttp keeps the slice until the bytes are on the wire and never
	// writes to it, so a cached body is not copied.
	out.SetBodyRaw(body)
	return nil
}
