package static

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/andybalholm/brotli"
)

func mustLoad(t *testing.T) *Site {
	t.Helper()
	site, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func TestSiteHoldsThePageAndAllItNames(t *testing.T) {
	site := mustLoad(t)
	page, ok := site.Lookup("/")
	if !ok {
		t.Fatal("no page at /")
	}
	if page.Policy != Policy || page.CacheControl != revalidate || page.ContentType != "text/html; charset=utf-8" {
		t.Errorf("page headers: %q %q %q", page.Policy, page.CacheControl, page.ContentType)
	}
	// Every address in the page is ours and is there.
	found := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(string(page.Body), -1)
	if len(found) < 4 {
		t.Fatalf("the page names only %d files", len(found))
	}
	for _, m := range found {
		if _, ok := site.Lookup(m[1]); !ok {
			t.Errorf("the page names %s, which is not in dist", m[1])
		}
	}
	for _, path := range []string{"/sprite.json", "/sprite.png", "/sprite@2x.json", "/sprite@2x.png", "/boot.js", "/old.html"} {
		if _, ok := site.Lookup(path); !ok {
			t.Errorf("%s is missing", path)
		}
	}
}

// Loads is what the server gives out before set-up: every file the page names or those
// name, and no other page.
func TestLoadsIsAllAPageNeeds(t *testing.T) {
	site := mustLoad(t)
	loads := site.Loads("/setup")
	page, _ := site.Lookup("/setup")
	want := []string{"/setup", "/boot.js", "/old.html", "/old.css"}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(string(page.Body), -1) {
		want = append(want, m[1])
	}
	for _, path := range want {
		if !slices.Contains(loads, path) {
			t.Errorf("%s is missing", path)
		}
	}
	for _, path := range loads {
		if _, ok := site.Lookup(path); !ok {
			t.Errorf("%s is not in dist", path)
		}
		if path != "/setup" && !strings.Contains(path, ".") || strings.HasPrefix(path, "/sprite") {
			t.Errorf("%s is not of the page", path)
		}
	}
	// What a script loads later counts, however deep; what nobody names does not.
	tree := fstest.MapFS{
		"index.html": {Data: []byte("<p>")}, "desk.html": {Data: []byte(`<script src="/assets/a-1.js">`)},
		"assets/a-1.js": {Data: []byte(`import("./b-2.js")`)}, "assets/b-2.js": {Data: []byte(`css("/assets/c-3.css")`)}, "assets/c-3.css": {Data: []byte(`url(d-4.png)`)},
		"assets/d-4.png": {Data: []byte("e-5.js")}, "assets/e-5.js": {Data: []byte("a-1.js")},
	}
	small, err := load(tree)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(small.Loads("/setup"), " "); got != "/assets/a-1.js /assets/b-2.js /assets/c-3.css /assets/d-4.png /setup" {
		t.Errorf("loads %s", got)
	}
	if got := small.Loads("/nothing"); got != nil {
		t.Errorf("nothing loads %v", got)
	}
}

// Signing in and administration are one document at several addresses, and it never
// loads the map before somebody asks for it.
func TestDoorsAreOneSmallDocument(t *testing.T) {
	site := mustLoad(t)
	var first *Asset
	for _, path := range Doors() {
		page, ok := site.Lookup(path)
		if !ok {
			t.Fatalf("no page at %s", path)
		}
		if page.Path != path || page.Policy != Policy || page.CacheControl != revalidate || page.ContentType != "text/html; charset=utf-8" {
			t.Errorf("%s: headers %q %q %q %q", path, page.Path, page.Policy, page.CacheControl, page.ContentType)
		}
		if first == nil {
			first = page
		}
		if a, b := page.Pick(""), first.Pick(""); a.ETag != b.ETag || !bytes.Equal(a.Body, b.Body) {
			t.Errorf("%s is another document than %s", path, first.Path)
		}
	}
	found := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(string(first.Body), -1)
	if len(found) < 4 {
		t.Fatalf("the document names only %d files", len(found))
	}
	for _, m := range found {
		if _, ok := site.Lookup(m[1]); !ok {
			t.Errorf("the document names %s, which is not in dist", m[1])
		}
		if strings.Contains(m[1], "maplibre") {
			t.Errorf("the document loads the map: %s", m[1])
		}
	}
	for _, path := range []string{"/desk.html", "/desk", "/signin/", "/admin/people", "/Signin"} {
		if _, ok := site.Lookup(path); ok {
			t.Errorf("%q is served", path)
		}
	}
}

func TestPageObeysItsOwnPolicy(t *testing.T) {
	for _, path := range mustLoad(t).Paths() {
		asset, _ := mustLoad(t).Lookup(path)
		if !strings.HasPrefix(asset.ContentType, "text/html") {
			continue
		}
		body := string(asset.Body)
		if regexp.MustCompile(`<script(?:\s[^>]*)?>[^<\s]`).MatchString(body) {
			t.Errorf("%s has an inline script", path)
		}
		if regexp.MustCompile(`\sstyle="|<style|\son[a-z]+="`).MatchString(body) {
			t.Errorf("%s has inline style or handlers", path)
		}
		if regexp.MustCompile(`(?:src|href)="(?:https?:)?//`).MatchString(body) {
			t.Errorf("%s names another host", path)
		}
	}
}

func TestOnlyHashedNamesAreImmutable(t *testing.T) {
	hashed := regexp.MustCompile(`^/assets/.+-[A-Za-z0-9_-]{8}\.[a-z0-9]+$`)
	site := mustLoad(t)
	for _, path := range site.Paths() {
		asset, _ := site.Lookup(path)
		if got := asset.CacheControl == immutable; got != hashed.MatchString(path) {
			t.Errorf("%s: immutable is %v", path, got)
		}
		if asset.ContentType == "application/octet-stream" {
			t.Errorf("%s has no content type", path)
		}
		// A worker without connect-src fetches no tile.
		if strings.HasSuffix(path, ".js") && !strings.Contains(asset.Policy, "connect-src 'self'") {
			t.Errorf("%s: policy %q", path, asset.Policy)
		}
	}
}

func TestPickAnswersEveryEncodingOfTheSameBytes(t *testing.T) {
	tree := fstest.MapFS{
		"index.html":           {Data: []byte("<!doctype html>")},
		"assets/a-12345678.js": {Data: bytes.Repeat([]byte("const a = 1;\n"), 200)},
		"sprite.png":           {Data: bytes.Repeat([]byte{1}, 4000)},
	}
	site, err := load(tree)
	if err != nil {
		t.Fatal(err)
	}
	script, _ := site.Lookup("/assets/a-12345678.js")
	tests := []struct{ accept, want string }{
		{"", ""},
		{"identity", ""},
		{"gzip, deflate, br", "br"},
		{"gzip, deflate", "gzip"},
		{"br;q=0, gzip;q=0.5", "gzip"},
		{"BR ; q=1", "br"},
		{"gzip;q=0", ""},
		{"brotli", ""},
	}
	tags := map[string]string{}
	for _, tt := range tests {
		rep := script.Pick(tt.accept)
		if rep.Encoding != tt.want {
			t.Errorf("Accept-Encoding %q: %q, want %q", tt.accept, rep.Encoding, tt.want)
		}
		if other, seen := tags[rep.ETag]; seen && other != rep.Encoding {
			t.Errorf("one entity tag for %q and %q", other, rep.Encoding)
		}
		tags[rep.ETag] = rep.Encoding
		if !bytes.Equal(decode(t, rep), script.Body) {
			t.Errorf("Accept-Encoding %q: other bytes", tt.accept)
		}
	}
	picture, _ := site.Lookup("/sprite.png")
	if rep := picture.Pick("br, gzip"); rep.Encoding != "" || picture.Varies() {
		t.Errorf("a picture is compressed again: %q", rep.Encoding)
	}
}

func decode(t *testing.T, rep Representation) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(rep.Body)
	switch rep.Encoding {
	case "br":
		r = brotli.NewReader(r)
	case "gzip":
		gz, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = gz
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestThereIsNoListingAndNoArchiveForDownload(t *testing.T) {
	site := mustLoad(t)
	for _, path := range []string{"", "/assets", "/assets/", "/index.html", "/" + Basemap, "/../static.go", "/web/package.json"} {
		if _, ok := site.Lookup(path); ok {
			t.Errorf("%q is served", path)
		}
	}
	if _, err := fs.Stat(Files(), Basemap); err != nil {
		t.Errorf("the base map is not embedded: %v", err)
	}
}

func TestLoadRefusesATreeWithoutPage(t *testing.T) {
	if _, err := load(fstest.MapFS{"x.css": {Data: []byte("a")}}); err == nil {
		t.Error("a site without index.html was accepted")
	}
}
