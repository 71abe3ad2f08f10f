package auth

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"onemap/internal/registry"
)

// RFC 6238, appendix B, SHA-1, the last six of its eight digits.
func TestTOTPVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := totpCode(secret, at/totpStep); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
		if step, ok := checkTOTP(secret, " "+want[:3]+" "+want[3:], time.Unix(at, 0), 0); !ok || step != at/totpStep {
			t.Errorf("at %d: step %d, %v", at, step, ok)
		}
		if _, ok := checkTOTP(secret, want, time.Unix(at, 0), at/totpStep); ok {
			t.Errorf("at %d: a code is taken twice", at)
		}
	}
	if _, ok := checkTOTP(nil, "000000", time.Unix(59, 0), 0); ok {
		t.Error("a code of no secret")
	}
}

func TestPHC(t *testing.T) {
	h := newHasher(params{time: 1, memory: 64, threads: 1})
	stored, err := h.hash(t.Context(), "口令 Pass-1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePHC(stored)
	if err != nil || p.String() != stored {
		t.Fatalf("%q reads as %q, %v", stored, p, err)
	}
	for _, c := range []struct {
		password string
		fits     bool
	}{{"口令 Pass-1", true}, {"口令 pass-1", false}, {"", false}, {strings.Repeat("x", 5000), false}} {
		if fits, again, err := h.verify(t.Context(), stored, c.password); err != nil || fits != c.fits || again {
			t.Errorf("%.20q: %v, %v, %v", c.password, fits, again, err)
		}
		if fits, _, err := h.verify(t.Context(), "", c.password); fits || err != nil {
			t.Errorf("%.20q fits nothing stored: %v", c.password, err)
		}
	}
	long := strings.Repeat("y", maxPassword)
	if stored, err = h.hash(t.Context(), long); err != nil {
		t.Fatal(err)
	}
	if fits, _, _ := h.verify(t.Context(), stored, long+"z"); fits {
		t.Error("a longer password fits the stored beginning of it")
	}
	// A hash of another day's parameters verifies by its own.
	if _, again, err := newHasher(params{time: 2, memory: 64, threads: 1}).verify(t.Context(), stored, long); err != nil || !again {
		t.Errorf("less than today's cost: again %v, %v", again, err)
	}
	for _, bad := range []string{
		"", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$argon2id$v=16$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
		"$argon2id$v=19$m=64,t=1,p=1$$", "$argon2id$v=19$m=064,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA", "$argon2id$v=19$t=1,m=64,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
	} {
		if _, err := parsePHC(bad); err == nil {
			t.Errorf("%q is taken for a hash", bad)
		}
	}
}

func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA")
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ=$aGFzaGhhc2hoYXNoaGFzaA==")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err == nil && p.String() != s {
			t.Errorf("%q reads as %q", s, p)
		}
		if err == nil && p.memory > 256<<10 {
			t.Errorf("%q asks for %d KiB", s, p.memory)
		}
	})
}

func FuzzCredentialText(f *testing.F) {
	c, _ := newSecret()
	k, _ := newToken()
	for _, s := range []string{c, k, "", "om_", c[:42], k + "\n", strings.ToUpper(k), "00000000-0000-7000-8000-000000000000"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, isCookie := parseSecret(s)
		_, isToken := parseToken(s)
		if isCookie && (isToken || len(s) != secretChars || strings.ContainsAny(s, " \r\n+/=")) {
			t.Errorf("%q is taken for a cookie", s)
		}
		if isToken && (len(s) != tokenChars || strings.ToLower(s) != s || strings.ContainsAny(s, " \r\n=")) {
			t.Errorf("%q is taken for a token", s)
		}
		if isID(s) && len(s) != 36 {
			t.Errorf("%q is taken for an id", s)
		}
	})
}

func TestSecretsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		c, ck := newSecret()
		k, kk := newToken()
		if got, ok := parseSecret(c); !ok || got != ck {
			t.Fatalf("%q is not read back", c)
		}
		if got, ok := parseToken(k); !ok || got != kk {
			t.Fatalf("%q is not read back", k)
		}
		if seen[c] || seen[k] {
			t.Fatal("a secret came twice")
		}
		seen[c], seen[k] = true, true
		if id := newID(time.Now()); !isID(id) || id[14] != '7' {
			t.Fatalf("%q is no UUIDv7", id)
		}
	}
}

// book makes a workbook of rows.
func book(t testing.TB, rows ...[]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	for i, r := range rows {
		for c, v := range r {
			cell, err := excelize.CoordinatesToCellName(c+1, i+1)
			if err != nil {
				t.Fatal(err)
			}
			if s, ok := v.(string); ok && strings.HasPrefix(s, "=") {
				err = f.SetCellFormula("Sheet1", cell, s[1:])
			} else {
				err = f.SetCellValue("Sheet1", cell, v)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadPeople(t *testing.T) {
	people, issues, err := ReadPeople(book(t,
		[]any{"2026 年人员名单"}, []any{},
		[]any{"序号", "姓名*", "用户名", "单位代码", "电话", "备注"},
		[]any{1, "张三", "Zhang.San", 990100101, "13800138000", "x"},
		[]any{2, "李四", "li4", "990100", "", ""},
		[]any{3, "王五", "wang wu", "990100", "", ""},
		[]any{4, "", "noname", "990100", "", ""},
		[]any{5, "赵六", "li4", "99010", "", ""},
		[]any{},
		[]any{6, `=HYPERLINK("http://evil","x")`, "formula", "9901x", "abc", ""},
		[]any{7, "+cmd|' /C calc'!A0", "plaintext", "", "", ""},
	))
	if err != nil {
		t.Fatal(err)
	}
	if len(people) != 3 || people[0].Username != "zhang.san" || people[0].Unit != "990100101" || people[0].Row != 4 || people[2].Name != "+cmd|' /C calc'!A0" {
		t.Errorf("people %+v", people)
	}
	want := map[int]string{6: "用户名以小写字母开头", 7: "姓名必填", 8: "与第 5 行重复", 10: "电话号码有误"}
	for _, i := range issues {
		if !strings.Contains(i.MessageZH, want[i.Row]) || want[i.Row] == "" || i.Message == "" {
			t.Errorf("row %d: %s · %s", i.Row, i.MessageZH, i.Message)
		}
		delete(want, i.Row)
	}
	if len(want) > 0 {
		t.Errorf("nothing said of rows %v", want)
	}
	if people, _, err := ReadPeople(book(t, []any{"username", "Name", "unit"}, []any{"abc", "A B", ""})); err != nil || len(people) != 1 {
		t.Errorf("English headers: %v, %v", people, err)
	}
	for name, file := range map[string][]byte{
		"nothing": nil, "text": []byte("用户名,姓名"), "no header": book(t, []any{"a", "b"}), "empty": book(t), "large": make([]byte, maxSheetBytes+1),
		"wide": book(t, make([]any, 0), append([]any{"用户名", "姓名"}, anys(100)...)),
	} {
		if _, _, err := ReadPeople(file); err == nil {
			t.Errorf("%s is taken for a sheet of people", name)
		}
	}
	template, err := PeopleTemplate()
	if err != nil {
		t.Fatal(err)
	}
	if people, issues, err := ReadPeople(template); err != nil || len(people)+len(issues) != 0 {
		t.Errorf("the template reads as %v, %v, %v", people, issues, err)
	}
}

func anys(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = "x"
	}
	return out
}

func FuzzReadPeople(f *testing.F) {
	template, err := PeopleTemplate()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(template)
	f.Add(book(f, []any{"用户名", "姓名"}, []any{"abc", "甲"}, []any{"abc", "乙"}))
	f.Add([]byte("PK\x03\x04"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		people, _, err := ReadPeople(b)
		for _, p := range people {
			var bad Invalid
			if p.check(&bad, ""); err != nil || len(bad.Items) > 0 {
				t.Errorf("%+v: %v, %v", p, bad.Items, err)
			}
		}
	})
}

// TestTheSettingCannotBreakTheHouse: whatever stands in it, the rules stay within what
// is safe.
func TestTheSettingCannotBreakTheHouse(t *testing.T) {
	if s := securityOf(nil); s != defaultSecurity() {
		t.Errorf("no setting: %+v", s)
	}
	for _, body := range []string{`7`, `"x"`, `{"password": 1}`, `{"password": {"min_length": "long"}}`} {
		if s := securityOf(&registry.Snapshot{Settings: map[string]json.RawMessage{SecurityKey: json.RawMessage(body)}}); s != defaultSecurity() {
			t.Errorf("%s: %+v", body, s)
		}
	}
	for _, n := range []string{"-1", "0", "1000000000"} {
		body := `{"password": {"min_length": N, "classes": N, "history": N}, "failures": {"delay_after": N, "lock_minutes": N}, "session": {"idle_hours": N, "absolute_hours": N}}`
		s := securityOf(&registry.Snapshot{Settings: map[string]json.RawMessage{SecurityKey: json.RawMessage(strings.ReplaceAll(body, "N", n))}})
		if s.Password.MinLength < 8 || s.Password.MinLength > 64 || s.Failures.LockMinutes < 1 || s.Failures.LockMinutes > 60 || s.Session.IdleHours < 1 || s.Failures.DelayAfter < 1 || s.ActivationHours != 72 {
			t.Errorf("%s: %+v", n, s)
		}
	}
}
