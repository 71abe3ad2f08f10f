package main

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"testing"

	"onemap/internal/db"
	"onemap/internal/pgtest"
)

// TestBenchServer: what is measured is the whole server, asked by somebody signed in.
func TestBenchServer(t *testing.T) {
	d, err := db.Open(t.Context(), db.Options{DSN: pgtest.Database(t).App})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	h := &hitsRun{env: environment{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}, log: slog.New(slog.DiscardHandler), scratch: t.TempDir()}
	server, err := h.server(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := listen(func(ln net.Listener) error { return server.Serve(t.Context(), ln) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	body, _, err := fetch(t.Context(), url+"/api/notices", h.cookie)
	if err != nil || !bytes.Contains(body, []byte(`"notices"`)) {
		t.Errorf("%v %.200s", err, body)
	}
	if _, _, err := fetch(t.Context(), url+"/api/notices", "nobody"); err == nil {
		t.Error("it answers nobody too")
	}
}
