package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"onemap/internal/api"
)

// documents are the two OpenAPI documents as served, checked and resolved.
type documents struct {
	byName map[string]*openapi3.T // "api", "ogc"
}

var (
	described     sync.Map // *env -> *documents
	decoders      sync.Once
	placeholderRe = regexp.MustCompile(`\{[^}]+\}`)
)

func (e *env) documents() *documents {
	e.t.Helper()
	if d, ok := described.Load(e); ok {
		return d.(*documents)
	}
	decoders.Do(func() {
		asJSON := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
			var v any
			err := json.NewDecoder(body).Decode(&v)
			return v, err
		}
		asText := func(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
			b, err := io.ReadAll(body)
			return string(b), err
		}
		for _, ct := range []string{"application/geo+json", "application/problem+json", "application/vnd.oai.openapi+json"} {
			openapi3filter.RegisterBodyDecoder(ct, asJSON)
		}
		for _, ct := range []string{"application/vnd.mapbox-vector-tile", "text/event-stream", "text/csv", "application/cap+xml"} {
			openapi3filter.RegisterBodyDecoder(ct, asText)
		}
	})
	d := &documents{byName: map[string]*openapi3.T{}}
	described.Store(e, d) // before the requests below, which are validated too once it is full
	for name, path := range map[string]string{"api": "/api/openapi.json", "ogc": "/ogc/api"} {
		req, _ := http.NewRequestWithContext(context.Background(), "GET", "http://localhost"+path, nil)
		resp, err := e.client.Do(req)
		if err != nil {
			e.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			e.t.Fatal(err)
		}
		doc, err := openapi3.NewLoader().LoadFromData(body)
		if err != nil {
			e.t.Fatalf("%s: %v", path, err)
		}
		if err := doc.Validate(context.Background()); err != nil {
			e.t.Fatalf("%s: %v", path, err)
		}
		d.byName[name] = doc
	}
	return d
}

// validate compares a response with the document that describes its route.
func (e *env) validate(req *http.Request, resp *http.Response, body []byte) {
	e.t.Helper()
	docs := e.documents()
	path := req.URL.Path
	var name, pattern string
	for _, r := range e.server.Routes() {
		if r.Document == "" || r.Method != req.Method {
			continue
		}
		re := "^" + regexp.QuoteMeta(r.Pattern) + "$"
		re = strings.NewReplacer(`\{`, "{", `\}`, "}").Replace(re)
		re = placeholderRe.ReplaceAllString(re, "[^/]+")
		if regexp.MustCompile(re).MatchString(path) && (pattern == "" || strings.Count(r.Pattern, "{") < strings.Count(pattern, "{")) {
			name, pattern = r.Document, r.Pattern
		}
	}
	if pattern == "" {
		return
	}
	doc := docs.byName[name]
	if doc == nil {
		return
	}
	item := doc.Paths.Value(pattern)
	if item == nil || item.GetOperation(req.Method) == nil {
		e.t.Errorf("%s %s is not in the document %s", req.Method, pattern, name)
		return
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			e.t.Errorf("%s: %v", path, err)
			return
		}
		if body, err = io.ReadAll(z); err != nil {
			e.t.Errorf("%s: %v", path, err)
			return
		}
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: req, Route: &routers.Route{Spec: doc, Path: pattern, PathItem: item, Method: req.Method, Operation: item.GetOperation(req.Method)},
		},
		Status: resp.StatusCode, Header: resp.Header, Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	in.SetBodyBytes(body)
	if resp.StatusCode == http.StatusNotModified || resp.StatusCode == http.StatusNoContent {
		in.Options.ExcludeResponseBody = true
	}
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		e.t.Errorf("%s %s does not follow its document: %v", req.Method, req.URL, err)
	}
}

// TestRoutesAndDocumentsAgree walks the table and the documents against each other.
func TestRoutesAndDocumentsAgree(t *testing.T) {
	e := start(t)
	docs := e.documents()
	inTable := map[string]bool{}
	ids := map[string]bool{}
	for _, r := range e.server.Routes() {
		if r.Document == "" {
			continue
		}
		inTable[r.Document+" "+r.Method+" "+r.Pattern] = true
		item := docs.byName[r.Document].Paths.Value(r.Pattern)
		if item == nil || item.GetOperation(r.Method) == nil {
			t.Errorf("%s %s is served but not in the document %s", r.Method, r.Pattern, r.Document)
			continue
		}
		op := item.GetOperation(r.Method)
		if said, _ := op.Extensions["x-access"].(string); said != string(r.Access) {
			t.Errorf("%s %s: the document says access %q, the table %q", r.Method, r.Pattern, said, r.Access)
		}
		var needs []string
		for _, p := range r.Needs {
			needs = append(needs, string(p))
		}
		if said := fmt.Sprint(op.Extensions["x-needs"]); said != fmt.Sprint(needs) && (len(needs) > 0 || op.Extensions["x-needs"] != nil) {
			t.Errorf("%s %s: the document says it needs %s, the table %v", r.Method, r.Pattern, said, needs)
		}
		if (op.RequestBody != nil) != (r.Body != api.BodyNone) {
			t.Errorf("%s %s: the document and the table disagree about a body", r.Method, r.Pattern)
		}
		if op.OperationID != r.Name {
			t.Errorf("%s has operationId %q, the table says %q", r.Pattern, op.OperationID, r.Name)
		}
		if ids[op.OperationID] {
			t.Errorf("operationId %s is used twice", op.OperationID)
		}
		ids[op.OperationID] = true
		var described []string
		for _, p := range op.Parameters {
			if p.Value.In == "query" {
				described = append(described, p.Value.Name)
			}
		}
		if !r.OpenQuery {
			allowed := slices.Clone(r.Query)
			slices.Sort(allowed)
			slices.Sort(described)
			if !slices.Equal(allowed, described) {
				t.Errorf("%s allows %v, its document says %v", r.Pattern, allowed, described)
			}
		}
		var placeholders []string
		for _, m := range placeholderRe.FindAllString(r.Pattern, -1) {
			placeholders = append(placeholders, strings.Trim(m, "{}"))
		}
		for _, name := range placeholders {
			if op.Parameters.GetByInAndName("path", name) == nil {
				t.Errorf("%s: {%s} is not described", r.Pattern, name)
			}
		}
	}
	for name, doc := range docs.byName {
		for path, item := range doc.Paths.Map() {
			for method := range item.Operations() {
				if !inTable[name+" "+method+" "+path] {
					t.Errorf("%s %s is in the document %s but not served", method, path, name)
				}
			}
		}
	}
}
