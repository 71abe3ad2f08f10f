package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

//go:embed all:dist
var dist embed.FS

// Policy is the Content-Security-Policy every HTML document is sent with. The map
// runs without evaluation, inline script, inline style, blob workers or any other
// host; only the picture of the screen needs blob: and data: images.
const Policy = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; " +
	"img-src 'self' data: blob:; style-src 'self'; font-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ScriptPolicy goes with every script. A dedicated worker lives under the policy of its
// own file, not of the page (HTML §10.2.4), so without connect-src it could fetch no tile.
const ScriptPolicy = "default-src 'none'; script-src 'self'; connect-src 'self'"

// Basemap is the archive of land and water tiles; tiles/basemap reads it, and it is
// never served as a file.
const Basemap = "basemap.pmtiles"

const (
	immutable  = "public, max-age=31536000, immutable"
	revalidate = "no-cache"
)

// An Asset is one file of the site. Its exported fields and Body are read-only.
type Asset struct {
	Path         string // "/assets/app-1a2b3c.js"; "/" is the page itself
	ContentType  string
	CacheControl string
	Policy       string // Content-Security-Policy of documents and scripts, else empty
	Body         []byte

	tag      string
	compress bool
	br, gz   encoded
}

type encoded struct {
	once sync.Once
	body []byte
}

// A Representation is an Asset as one client accepts it.
type Representation struct {
	Body     []byte
	Encoding string // "br", "gzip" or "" as it is
	ETag     string // strong, quoted
}

// A Site is the manifest of everything that is served. It is safe for concurrent use.
type Site struct {
	assets map[string]*Asset
	paths  []string
}

// Files answers the embedded tree itself, rooted at dist.
func Files() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("static: embedded dist is missing: " + err.Error()) // a build error, not a state
	}
	return sub
}

// Load reads the embedded files into a manifest.
func Load() (*Site, error) {
	return load(Files())
}

func load(tree fs.FS) (*Site, error) {
	site := &Site{assets: map[string]*Asset{}}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || name == Basemap {
			return nil
		}
		body, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		asset := &Asset{
			Path:         "/" + name,
			ContentType:  contentType(name),
			CacheControl: revalidate,
			Body:         body,
			tag:          hex.EncodeToString(sum[:12]),
		}
		if strings.HasPrefix(name, "assets/") {
			asset.CacheControl = immutable
		}
		switch path.Ext(name) {
		case ".html":
			asset.Policy = Policy
		case ".js":
			asset.Policy = ScriptPolicy
		}
		// Small files gain nothing; pictures are compressed already.
		asset.compress = len(body) > 512 && !strings.HasPrefix(asset.ContentType, "image/png")
		for _, at := range places(name) {
			placed := asset
			if at != asset.Path {
				copied := &Asset{ContentType: asset.ContentType, CacheControl: asset.CacheControl, Policy: asset.Policy, Body: asset.Body, tag: asset.tag, compress: asset.compress}
				copied.Path, placed = at, copied
			}
			site.assets[at] = placed
			site.paths = append(site.paths, at)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("static: read dist: %w", err)
	}
	if site.assets["/"] == nil {
		return nil, fmt.Errorf("static: dist has no index.html; run npm run build in static/web")
	}
	slices.Sort(site.paths)
	return site, nil
}

// Doors are the paths of the second document: signing in, and administration. One file
// serves them all; which it is, the page reads from its own address.
func Doors() []string {
	return []string{"/signin", "/setup", "/activate", "/enrol", "/account", "/admin"}
}

// places are the paths a file answers at: documents under the names people see, all
// else under its own.
func places(name string) []string {
	switch name {
	case "index.html":
		return []string{"/"}
	case "plan.html":
		return []string{"/plan"}
	case "field.html":
		return []string{"/field"}
	case "duty.html":
		return []string{"/duty"}
	case "command.html":
		return []string{"/command"}
	case "desk.html":
		return Doors()
	}
	return []string{"/" + name}
}

// Lookup answers the asset at an exact request path. There is no directory listing
// and no catch-all: an unknown path is the caller's 404.
func (s *Site) Lookup(requestPath string) (*Asset, bool) {
	asset, ok := s.assets[requestPath]
	return asset, ok
}

// Loads answers a document's path and those of every file it may load: what it names,
// and what those name in turn. Other documents at addresses without a suffix are where
// a person goes, not what a page loads. The slice is sorted; unknown paths load nothing.
func (s *Site) Loads(document string) []string {
	asset, ok := s.assets[document]
	if !ok {
		return nil
	}
	found := map[string]bool{document: true}
	for queue := []*Asset{asset}; len(queue) > 0; queue = queue[1:] {
		if !readable(queue[0].Path, queue[0].ContentType) {
			continue
		}
		for _, at := range s.paths {
			// Built files name each other by file name, in whatever folder.
			if path.Ext(at) != "" && !found[at] && bytes.Contains(queue[0].Body, []byte(path.Base(at))) {
				found[at] = true
				queue = append(queue, s.assets[at])
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// readable says whether a file can name others.
func readable(at, contentType string) bool {
	return strings.HasPrefix(contentType, "text/") && path.Ext(at) != ".txt"
}

// Paths lists every request path, sorted. The slice is the caller's.
func (s *Site) Paths() []string { return slices.Clone(s.paths) }

// Pick answers the smallest form the Accept-Encoding header allows. Compression
// happens once per asset and encoding, at the first request that wants it.
func (a *Asset) Pick(acceptEncoding string) Representation {
	if a.compress {
		br, gz := accepts(acceptEncoding)
		switch {
		case br:
			a.br.once.Do(func() { a.br.body = brotliBytes(a.Body) })
			return Representation{Body: a.br.body, Encoding: "br", ETag: `"` + a.tag + `-br"`}
		case gz:
			a.gz.once.Do(func() { a.gz.body = gzipBytes(a.Body) })
			return Representation{Body: a.gz.body, Encoding: "gzip", ETag: `"` + a.tag + `-gz"`}
		}
	}
	return Representation{Body: a.Body, ETag: `"` + a.tag + `"`}
}

// Varies says whether the answer depends on Accept-Encoding, so whether caches need
// to be told by Vary.
func (a *Asset) Varies() bool { return a.compress }

// accepts reads Accept-Encoding; an encoding with q=0 is refused (RFC 9110 §12.5.3).
func accepts(header string) (br, gz bool) {
	for part := range strings.SplitSeq(header, ",") {
		name, parameter, _ := strings.Cut(part, ";")
		if q, found := strings.CutPrefix(strings.TrimSpace(parameter), "q="); found {
			if weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64); err == nil && weight == 0 {
				continue
			}
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "br":
			br = true
		case "gzip", "x-gzip":
			gz = true
		}
	}
	return br, gz
}

func brotliBytes(body []byte) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, 9)
	finish(w, body)
	return out.Bytes()
}

func gzipBytes(body []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		panic("static: " + err.Error()) // the level is a constant
	}
	finish(w, body)
	return out.Bytes()
}

// finish writes everything. A compressor over a memory buffer cannot fail; were it to,
// a half body labelled as compressed must not be served.
func finish(w io.WriteCloser, body []byte) {
	if _, err := w.Write(body); err != nil {
		panic("static: compress: " + err.Error())
	}
	if err := w.Close(); err != nil {
		panic("static: compress: " + err.Error())
	}
}

// contentType is a closed table: the operating system's MIME files differ between
// machines, and a wrong type with nosniff is a blank page.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".webmanifest":
		return "application/json; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".woff2":
		return "font/woff2"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
