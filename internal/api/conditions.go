package api

import (
	"strconv"
	"strings"
)

// versionTag is the validator of a versioned resource. It is strong: If-Match
// compares strongly (RFC 9110 §13.1.1).
func versionTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// versioned answers a resource that can be changed with If-Match.
func versioned(v any, version int64) (*Response, error) {
	resp, err := private(v)
	if err == nil {
		resp.ETag = versionTag(version)
	}
	return resp, err
}

// ifMatch is the version a change was made from: 428 without one, 412 for what no
// version of ours looks like.
func ifMatch(req *Request) (int64, *Error) {
	if req.ifMatch == "" {
		return 0, problem(CodePreconditionRequired)
	}
	tag, ok := strings.CutPrefix(strings.TrimSpace(req.ifMatch), `"`)
	if ok {
		tag, ok = strings.CutSuffix(tag, `"`)
	}
	n, err := strconv.ParseInt(tag, 10, 64)
	if !ok || err != nil || versionTag(n) != strings.TrimSpace(req.ifMatch) {
		return 0, problem(CodeStale)
	}
	return n, nil
}

// private answers what belongs to somebody: never stored, not even by a browser.
func private(v any) (*Response, error) {
	resp, err := answer(typeJSON, v)
	if err != nil {
		return nil, err
	}
	resp.Cache, resp.ETag, resp.compress = privateNoStore, "", false
	return resp, nil
}

// created is private with 201.
func created(v any) (*Response, error) {
	resp, err := private(v)
	if err == nil {
		resp.Status = 201
	}
	return resp, err
}

func noContent() *Response { return &Response{Status: 204, Cache: privateNoStore} }
