package api

import (
	"context"
	_ "embed"
	"strings"
)

//go:embed openapi.json
var openAPIDocument string

//go:embed ogc.json
var ogcDocument string

// getOpenAPI answers the description of /api, /tiles and the operation paths.
func (s *Server) getOpenAPI(_ context.Context, req *Request) (*Response, error) {
	return document200(typeOpenAPI, s.described(openAPIDocument, req)), nil
}

// getOGCAPI answers the description of /ogc, which its landing page links to.
func (s *Server) getOGCAPI(_ context.Context, req *Request) (*Response, error) {
	return document200(typeOpenAPI, s.described(ogcDocument, req)), nil
}

// described fills in what only the running server knows.
func (s *Server) described(doc string, req *Request) []byte {
	return []byte(strings.NewReplacer(`"x-version"`, `"`+s.opts.Version+`"`, `"x-server"`, `"`+s.self(req)+`"`).Replace(doc))
}
