package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
)

// TestUserAndTokenCommands goes through the life of a person and of a token.
func TestUserAndTokenCommands(t *testing.T) {
	d := pgtest.Database(t)
	both := []string{"--database-url", d.App, "--admin-url", d.Admin}
	with := func(args ...string) []string { return append(args, both...) }
	for _, c := range []struct {
		args []string
		code int
		want []string // in what it prints
	}{
		{[]string{"user"}, exitUsage, []string{"add NAME"}},
		{[]string{"user", "promote"}, exitUsage, []string{"promote"}},
		{[]string{"user", "add"}, exitUsage, []string{"name one user"}},
		{[]string{"user", "add", "li", "--role", "king", "--area", "990100"}, exitUsage, []string{"king", "duty_officer"}},
		{[]string{"user", "add", "li.si", "--role", "viewer"}, exitUsage, []string{"--area"}},
		{[]string{"token"}, exitUsage, []string{"create"}},
		{[]string{"token", "create"}, exitUsage, []string{"--role"}},
		{[]string{"token", "create", "--role", "viewer", "--expires", "soon"}, exitUsage, []string{"soon"}},
		{with("user", "list"), exitDone, []string{"USER"}},
		{with("user", "add", "13800138000", "--role", "viewer", "--area", "990100"), exitUsage, []string{"username"}},
		{with("user", "add", "li.si", "--role", "viewer", "--area", "99x"), exitUsage, []string{"area"}},
		{with("user", "add", "Li.Si", "--role", "viewer", "--area", "990100", "--name", "李四", "--public-url", "https://map.example/"), exitDone, []string{"li.si(李四)", "查看人员", "https://map.example/activate#"}},
		{with("user", "add", "li.si", "--role", "viewer", "--area", "990100"), exitFailed, []string{"taken"}},
		{with("user", "add", "boss", "--role", "admin"), exitDone, []string{"/activate#"}},
		{with("user", "passwd", "li.si"), exitDone, []string{"/activate#"}},
		{with("user", "passwd", "nobody"), exitFailed, []string{"no such user"}},
		{with("user", "list"), exitDone, []string{"li.si", "李四", "viewer@990100", "invited", "admin@全域"}},
		{with("user", "reset-second-factor", "li.si"), exitFailed, []string{"no second factor"}},
		{with("user", "disable", "li.si"), exitDone, []string{"停用"}},
		{with("user", "passwd", "li.si"), exitFailed, []string{"disabled"}},
		{with("user", "enable", "li.si"), exitDone, []string{"invited"}},
		{with("token", "create", "--role", "admin"), exitUsage, []string{"role"}},
		{with("token", "create", "--role", "viewer", "--scope", "wall"), exitUsage, []string{"network"}},
		{with("token", "list"), exitDone, []string{"ROLE"}},
		{with("token", "revoke", "x"), exitFailed, []string{"no such"}},
	} {
		var out bytes.Buffer
		env := environment{stdout: &out, stderr: &out, getenv: func(string) string { return "" }}
		code := run(context.Background(), env, c.args)
		if code != c.code {
			t.Errorf("%q ends with %d, want %d\n%s", c.args, code, c.code, out.String())
		}
		for _, w := range c.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%q does not say %q:\n%s", c.args, w, out.String())
			}
		}
	}
	var out, errs bytes.Buffer
	env := environment{stdout: &out, stderr: &errs, getenv: func(name string) string {
		return map[string]string{"USER": "operator"}[name]
	}}
	if code := run(context.Background(), env, with("token", "create", "--role", "viewer", "--area", "990100", "--scope", "read,report", "--expires", "12h", "--name", "机器")); code != exitDone {
		t.Fatal(errs.String())
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	text := lines[len(lines)-1]
	pool, err := db.Open(t.Context(), db.Options{DSN: d.App})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s, err := auth.Open(t.Context(), auth.Options{DB: pool})
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.Identify(t.Context(), auth.Credential{Bearer: text})
	if err != nil || id.Name != "机器" || time.Until(id.Until) > 12*time.Hour || !s.Done() {
		t.Errorf("the token is %+v, %v; set-up over %v", id, err, s.Done())
	}
	out.Reset()
	if code := run(context.Background(), env, with("token", "revoke", id.ID)); code != exitDone {
		t.Error(out.String(), errs.String())
	}
	var n int
	if err := pgtest.Connect(t, d.Admin).QueryRow(t.Context(), `select count(*) from audit.entry where actor = 'cli:operator' and kind = 'cli' and action in ('token.create', 'token.revoke')`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d audit rows of the operator, %v", n, err)
	}
}

// TestUserPasswordFromStdin runs the program itself.
func TestUserPasswordFromStdin(t *testing.T) {
	d := pgtest.Database(t)
	for _, c := range []struct {
		password string
		code     int
	}{{"weak\n", exitUsage}, {"Correct-Horse-7\r\n", exitDone}} {
		cmd := onemap(t, "user", "add", "boss", "--role", "admin", "--password-stdin", "--database-url", d.App)
		cmd.Stdin = strings.NewReader(c.password)
		body, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Fatalf("%q ends with %d, want %d\n%s", c.password, got, c.code, body)
		}
		if strings.Contains(string(body), strings.TrimSpace(c.password)) && c.code == exitDone {
			t.Error("the password is printed")
		}
	}
	pool, err := db.Open(t.Context(), db.Options{DSN: d.App})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s, err := auth.Open(t.Context(), auth.Options{DB: pool})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.SignIn(t.Context(), auth.By{Identity: s.Anonymous()}, auth.SignInRequest{Username: "boss", Password: "Correct-Horse-7"}); err != nil {
		t.Error(err)
	}
}

// TestUserAddJoinsARunningServer: the operator's way out of the set-up, beside the
// server.
func TestUserAddJoinsARunningServer(t *testing.T) {
	data := dataDir(t)
	s := startServer(t, data)
	me := func() (out struct {
		SetupRequired bool `json:"setup_required"`
	}) {
		resp, err := http.Get(s.url + "/api/me")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if !me().SetupRequired {
		t.Fatal("a new server needs no set-up")
	}
	code, out, errs := runOnemap(t, "user", "add", "boss", "--role", "admin", "--data", data)
	if code != exitDone || !strings.Contains(out, "/activate#") {
		t.Fatalf("ends with %d\n%s%s", code, out, errs)
	}
	deadline := time.Now().Add(20 * time.Second)
	for me().SetupRequired && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if me().SetupRequired {
		t.Errorf("the server goes on asking for a set-up\n%s", s.log)
	}
}
