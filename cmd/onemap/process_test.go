package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The tests here run the real program as a process of its own: the test binary
// becomes onemap when this variable is set.
const becomeOnemap = "ONEMAP_TEST_BECOME"

func TestMain(m *testing.M) {
	if os.Getenv(becomeOnemap) != "" {
		_ = os.Unsetenv(becomeOnemap)
		main()
		return
	}
	os.Exit(m.Run())
}

// dataDir is a directory the cluster's own user can reach, which t.TempDir is not
// when the tests run as root.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "onemap-process-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func onemap(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), becomeOnemap+"=1")
	return cmd
}

// runOnemap runs a command to its end.
func runOnemap(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := onemap(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		_ = cmd.Process.Kill()
		t.Fatalf("onemap %v did not end\n%s", args, errs.String())
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// output is what a process wrote so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// server is a running onemap.
type server struct {
	cmd  *exec.Cmd
	url  string
	log  *output
	done chan struct{}
}

func startServer(t *testing.T, data string, args ...string) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	s := &server{url: "http://" + addr, log: &output{}, done: make(chan struct{})}
	s.cmd = onemap(t, append([]string{"serve", "--data", data, "--listen", addr}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.cmd.Wait(); close(s.done) }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.done:
		case <-time.After(30 * time.Second):
			_ = s.cmd.Process.Kill()
			<-s.done
		}
	})
	s.waitReady(t, time.Minute)
	return s
}

func (s *server) waitReady(t *testing.T, patience time.Duration) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		select {
		case <-s.done:
			t.Fatalf("the server ended\n%s", s.log)
		default:
		}
		if s.status("/readyz") == http.StatusOK {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the server did not become ready\n%s", s.log)
}

// status is the status of a GET, 0 when nothing answered.
func (s *server) status(path string) int {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(s.url + path)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// ask is a GET with a token.
func (s *server) ask(path, token string) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return http.DefaultClient.Do(req)
}

// token makes a token that reads everything and waits until the server knows it.
func (s *server) token(t *testing.T, data, name string) string {
	t.Helper()
	code, out, stderr := runOnemap(t, "token", "create", "--data", data, "--role", "viewer", "--scope", "read", "--area", "all", "--name", name)
	if code != exitDone {
		t.Fatalf("token create: exit %d\n%s%s", code, out, stderr)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	token := strings.TrimSpace(lines[len(lines)-1])
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		// Before the server has heard that set-up is over, this machine is answered whatever
		// its token: not yet as its owner, and counted by its address.
		resp, err := s.ask("/api/me", token)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusOK && bytes.Contains(body, []byte(`"setup_required":false`)) {
			return token
		}
	}
	t.Fatalf("the server does not know the token\n%s", s.log)
	return ""
}

func (s *server) postmaster(t *testing.T, data string) int {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(data, "pg", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(body), &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// TestServerLife starts, is refused a twin, answers, loses its postmaster, heals,
// and stops with many streams open.
func TestServerLife(t *testing.T) {
	data := dataDir(t)
	s := startServer(t, data)

	t.Run("a second server on the same data is refused and harms nothing", func(t *testing.T) {
		code, _, stderr := runOnemap(t, "serve", "--data", data, "--listen", "127.0.0.1:0")
		if code != exitFailed || !strings.Contains(stderr, fmt.Sprint(s.cmd.Process.Pid)) {
			t.Errorf("exit %d, message without the pid of the first:\n%s", code, stderr)
		}
		if got := s.status("/readyz"); got != http.StatusOK {
			t.Errorf("the first server answers %d", got)
		}
	})

	t.Run("offline commands join the running server", func(t *testing.T) {
		if code, out, stderr := runOnemap(t, "check", "--data", data); code != exitDone || strings.Contains(out, "✗") {
			t.Errorf("exit %d\n%s%s", code, out, stderr)
		}
		if code, out, stderr := runOnemap(t, "layer", "list", "--data", data); code != exitDone || !strings.Contains(out, "hazard_areas") {
			t.Errorf("exit %d\n%s%s", code, out, stderr)
		}
	})

	t.Run("a killed postmaster comes back and the process stays", func(t *testing.T) {
		before := s.postmaster(t, data)
		if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		statuses := map[int]int{}
		deadline := time.Now().Add(30 * time.Second)
		for healed := 0; healed < 5; {
			if time.Now().After(deadline) {
				t.Fatalf("not healed; answers %v\n%s", statuses, s.log)
			}
			got := s.status("/api/layers")
			statuses[got]++
			if got == http.StatusOK && s.postmasterChanged(data, before) {
				healed++
			}
			time.Sleep(20 * time.Millisecond)
		}
		for status := range statuses {
			if status != http.StatusOK && status != http.StatusServiceUnavailable {
				t.Errorf("answers while the database was gone: %v, want 200 and 503 only", statuses)
			}
		}
		s.waitReady(t, 20*time.Second)
		t.Logf("answers from the kill until healed: %v", statuses)
	})

	t.Run("SIGTERM with 50 streams open ends cleanly", func(t *testing.T) {
		// One asker may hold 32 at once, so two programs hold them.
		tokens := []string{s.token(t, data, "甲"), s.token(t, data, "乙")}
		var opened, wg sync.WaitGroup
		for i := range 50 {
			opened.Add(1)
			wg.Go(func() {
				resp, err := s.ask("/api/live?topics=tiles", tokens[i%2])
				if err != nil {
					t.Error(err)
					opened.Done()
					return
				}
				defer resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Errorf("a stream answers %d", resp.StatusCode)
				}
				_, err = bufio.NewReader(resp.Body).ReadString('\n')
				if err != nil {
					t.Error(err)
				}
				opened.Done()
				_, _ = io.Copy(io.Discard, resp.Body)
			})
		}
		opened.Wait()
		asked := time.Now()
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.done:
		case <-time.After(15 * time.Second):
			t.Fatalf("still running 15 s after SIGTERM\n%s", s.log)
		}
		wg.Wait()
		if code := s.cmd.ProcessState.ExitCode(); code != exitDone {
			t.Errorf("exit %d\n%s", code, s.log)
		}
		t.Logf("ended %v after SIGTERM", time.Since(asked).Round(time.Millisecond))
		if _, err := os.Stat(filepath.Join(data, "pg", "postmaster.pid")); !os.IsNotExist(err) {
			t.Error("the cluster was not shut down")
		}
	})
}

func (s *server) postmasterChanged(data string, before int) bool {
	body, err := os.ReadFile(filepath.Join(data, "pg", "postmaster.pid"))
	if err != nil {
		return false
	}
	var pid int
	_, err = fmt.Sscan(string(body), &pid)
	return err == nil && pid != before
}

// TestKilledServerLeavesNothingBehind: kill -9 of the server takes PostgreSQL with
// it, and the next start finds everything that was committed.
func TestKilledServerLeavesNothingBehind(t *testing.T) {
	data := dataDir(t)
	s := startServer(t, data)
	pid := s.postmaster(t, data)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.done
	deadline := time.Now().Add(15 * time.Second)
	for syscall.Kill(pid, 0) == nil {
		if time.Now().After(deadline) {
			t.Fatalf("postmaster %d outlived its server", pid)
		}
		time.Sleep(20 * time.Millisecond)
	}
	again := startServer(t, data)
	if got := again.status("/api/layers"); got != http.StatusOK {
		t.Errorf("after the kill: %d", got)
	}
}

// TestSetupLinkOnTheTerminal: a new server prints its link once, for whoever started
// it; the link makes the first three people, and is in no log.
func TestSetupLinkOnTheTerminal(t *testing.T) {
	s := startServer(t, dataDir(t), "--log-level", "debug")
	link := regexp.MustCompile(`(http://\S+)/setup#(\S+)`)
	deadline := time.Now().Add(20 * time.Second)
	var found [][]string
	for found == nil && time.Now().Before(deadline) {
		found = link.FindAllStringSubmatch(s.log.String(), -1)
		time.Sleep(20 * time.Millisecond)
	}
	if len(found) != 1 || found[0][1] != s.url {
		t.Fatalf("links %v in\n%s", found, s.log)
	}
	token := found[0][2]
	body := `{"token":"` + token + `","admin":{"username":"guan","name":"管理","password":"Onemap-Test-2026"},"security_admin":{"username":"anquan","name":"安全"},"auditor":{"username":"shenji","name":"审计"}}`
	req, err := http.NewRequest(http.MethodPost, s.url+"/api/setup", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("set-up: %d %s", resp.StatusCode, answer)
	}
	if got := s.status("/tiles/hazards/3/6/3.mvt"); got != http.StatusUnauthorized {
		t.Errorf("after set-up anonymous callers get %d", got)
	}
	if n := strings.Count(s.log.String(), token); n != 1 {
		t.Errorf("the link's secret stands %d times in what the server wrote", n)
	}
	for _, secret := range []string{"Onemap-Test-2026", "onemap="} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("%q was written", secret)
		}
	}
}

func TestCommandLine(t *testing.T) {
	data := dataDir(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", nil, exitUsage, "usage"},
		{"help", []string{"help"}, exitDone, "usage"},
		{"unknown command", []string{"frobnicate"}, exitUsage, "frobnicate"},
		{"version", []string{"version"}, exitDone, "onemap"},
		{"help of a command", []string{"serve", "-h"}, exitDone, "listen"},
		{"unknown flag", []string{"serve", "--frob"}, exitUsage, "frob"},
		{"stray argument", []string{"serve", "--data", data, "extra"}, exitUsage, "extra"},
		{"open to the network without TLS", []string{"serve", "--data", data, "--listen", "0.0.0.0:0"}, exitUsage, "--tls local"},
		{"open to the network by default host", []string{"serve", "--data", data, "--listen", ":0"}, exitUsage, "--tls local"},
		{"half a certificate", []string{"serve", "--data", data, "--tls-cert", "x"}, exitUsage, "--tls-key"},
		{"admin without database", []string{"migrate", "--data", data, "--admin-url", "x"}, exitUsage, "--database-url"},
		{"broken level", []string{"check", "--data", data, "--log-level", "loud"}, exitUsage, "log-level"},
		{"missing configuration", []string{"check", "--data", data, "--config", "/nonexistent.yaml"}, exitUsage, "nonexistent"},
		{"a database that is not there", []string{"serve", "--database-url", "host=/nonexistent user=x dbname=x", "--listen", "127.0.0.1:0"}, exitFailed, "connect"},
	} {
		code, out, errs := runOnemap(t, c.args...)
		if code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%s: exit %d, want %d and %q in:\n%s%s", c.name, code, c.code, c.want, out, errs)
		}
	}
}

// TestConfigurationOrder: flag over environment over file over default.
func TestConfigurationOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "onemap.yaml")
	if err := os.WriteFile(file, []byte("data: /from/file\nlisten: 127.0.0.1:1\npublic-url: https://file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"ONEMAP_CONFIG": file, "ONEMAP_LISTEN": "127.0.0.1:2", "ONEMAP_DATA": "/from/env"}
	f := newServeFlags(environment{stdout: io.Discard, stderr: io.Discard, getenv: func(k string) string { return vars[k] }})
	if _, err := f.parse([]string{"--data", "/from/flag"}); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal([]string{f.Data, f.listen, f.publicURL, f.LogLevel})
	if string(got) != `["/from/flag","127.0.0.1:2","https://file","info"]` {
		t.Errorf("data, listen, public-url, log-level = %s", got)
	}
}

func TestMigrateIsRepeatable(t *testing.T) {
	data := dataDir(t)
	for range 2 {
		if code, _, errs := runOnemap(t, "migrate", "--data", data); code != exitDone {
			t.Fatalf("exit %d\n%s", code, errs)
		}
	}
}
