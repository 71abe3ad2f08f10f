package api

import (
	"context"
	"strings"
)

// getSite answers a file of the built web map from memory: no directory, no
// listing, no compressing at request time.
func (s *Server) getSite(_ context.Context, req *Request) (*Response, error) {
	asset, ok := s.opts.Site.Lookup(req.Path)
	if !ok {
		return nil, problem(CodeNotFound)
	}
	rep := asset.Pick(req.AcceptEncoding)
	resp := &Response{Type: asset.ContentType, Body: rep.Body, Encoding: rep.Encoding, ETag: rep.ETag, Cache: asset.CacheControl, Policy: asset.Policy}
	if asset.Varies() && rep.Encoding == "" {
		resp.Set("Vary", "Accept-Encoding")
	}
	return resp, nil
}

func (s *Server) siteHas(path string) bool {
	if strings.HasPrefix(path, "/api/") {
		return false
	}
	_, ok := s.opts.Site.Lookup(path)
	return ok
}
