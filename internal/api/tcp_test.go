package api_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"onemap/internal/api"
)

// tcpEnv serves the same server on a real socket too.
type tcpEnv struct {
	*env
	addr string
	url  string
	http *http.Client
}

func shortReads(o *api.Options) { o.ReadTimeout = 500 * time.Millisecond }

func startTCP(t *testing.T, change ...func(*api.Options)) *tcpEnv {
	t.Helper()
	e := start(t, change...)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = e.server.Serve(context.Background(), ln) }()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	scheme := "http"
	if e.opts.TLS != nil {
		scheme = "https"
	}
	return &tcpEnv{env: e, addr: ln.Addr().String(), url: scheme + "://" + ln.Addr().String(), http: &http.Client{Transport: &http.Transport{}}}
}
