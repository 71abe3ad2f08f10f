package api

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"time"

	"onemap/internal/registry"
)

//go:embed ca.html
var caPage string

// getCAPage tells how to make a device trust this server.
func (s *Server) getCAPage(_ context.Context, req *Request) (*Response, error) {
	t, err := template.New("ca").Parse(caPage)
	if err != nil {
		return nil, fmt.Errorf("ca page: %w", err)
	}
	var out bytes.Buffer
	a := s.opts.Authority
	err = t.Execute(&out, map[string]any{
		"Chinese": req.Lang == registry.Chinese, "Lang": string(req.Lang), "Fingerprint": a.Fingerprint(),
		"NotAfter": a.NotAfter().Format(time.DateOnly), "Home": s.self(req),
	})
	if err != nil {
		return nil, fmt.Errorf("ca page: %w", err)
	}
	resp := document200("text/html; charset=utf-8", out.Bytes())
	resp.Policy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	resp.Set("Vary", "Accept-Language")
	return resp, nil
}

// getCACertificate answers the authority's certificate, which is public.
func (s *Server) getCACertificate(context.Context, *Request) (*Response, error) {
	resp := document200("application/x-x509-ca-cert", s.opts.Authority.CertificatePEM())
	resp.Set("Content-Disposition", `attachment; filename="onemap-ca.crt"`)
	return resp, nil
}
