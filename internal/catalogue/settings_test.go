package catalogue

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

func versionOf(t *testing.T, s *Store, key string) int64 {
	t.Helper()
	if key == "no_such_setting" {
		return 0
	}
	return value(t, s, key).Version
}

func value(t *testing.T, s *Store, key string) Setting {
	t.Helper()
	all, err := s.Settings(t.Context(), as(1, auth.Admin, "").Reading())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		if v.Key == key {
			return v
		}
	}
	t.Fatalf("no setting %s", key)
	return Setting{}
}

func TestASettingIsCheckedRecordedAndHolds(t *testing.T) {
	s, dsn := open(t)
	ctx := t.Context()
	system, security := as(1, auth.Admin, ""), as(2, auth.SecurityAdmin, "")
	if v := value(t, s, "countersign_hours"); v.Set || string(v.Value) != "24" {
		t.Errorf("before: %+v", v)
	}
	for name, c := range map[string]struct {
		by         auth.By
		key, value string
		want       error // nil: it holds; errFault: refused with faults
	}{
		"home":                              {system, "home", `{"code": "990100", "title": "示例县"}`, nil},
		"home of nowhere":                   {system, "home", `{"code": "99010", "extra": 1}`, errFault},
		"home with a word":                  {system, "home", `{"code": "abc"}`, errFault},
		"a zone":                            {system, "timezone", `"Asia/Urumqi"`, nil},
		"no zone":                           {system, "timezone", `"Asia/Nowhere"`, errFault},
		"a path as zone":                    {system, "timezone", `"../../etc/passwd"`, errFault},
		"a line break":                      {system, "watermark", `"甲\n乙"`, errFault},
		"a long text":                       {system, "map_approval", `"` + strings.Repeat("审", 61) + `"`, errFault},
		"approval":                          {system, "map_approval", `"GS(2026)0001号"`, nil},
		"null":                              {system, "watermark", `null`, errFault},
		"no JSON":                           {system, "watermark", `{`, errFault},
		"unknown":                           {system, "no_such_setting", `1`, auth.ErrNotFound},
		"the system admin sets passwords":   {system, "security", `{}`, auth.ErrForbidden},
		"the security admin sets the home":  {security, "home", `{"code": ""}`, auth.ErrForbidden},
		"the security admin of one county":  {as(3, auth.SecurityAdmin, "990100"), "countersign_hours", `12`, auth.ErrForbidden},
		"security":                          {security, "security", `{"second_factor_required": true, "password": {"min_length": 12}}`, nil},
		"a password of three":               {security, "security", `{"password": {"min_length": 3}}`, errFault},
		"an unknown member":                 {security, "security", `{"passwrod": {}}`, errFault},
		"the audit for a week":              {security, "audit_keep_days", `7`, errFault},
		"the audit for a year":              {security, "audit_keep_days", `365`, nil},
		"a syslog without port":             {security, "syslog", `{"address": "log.example"}`, errFault},
		"a syslog":                          {security, "syslog", `{"address": "tls://log.example:6514"}`, nil},
		"a countersignature after a second": {security, "countersign_hours", `0.5`, errFault},
	} {
		err := s.SetSetting(ctx, c.by, c.key, versionOf(t, s, c.key), json.RawMessage(c.value), "按年度方案调整")
		var invalid *auth.Invalid
		switch {
		case c.want == nil && err != nil:
			t.Errorf("%s: %v", name, err)
		case errors.Is(c.want, errFault) && !errors.As(err, &invalid):
			t.Errorf("%s: %v, want a fault", name, err)
		case c.want != nil && !errors.Is(c.want, errFault) && !errors.Is(err, c.want):
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if v := value(t, s, "audit_keep_days"); !v.Set || string(v.Value) != "365" || v.UpdatedBy != "person2" {
		t.Errorf("after: %+v", v)
	}
	// What somebody else changed meanwhile is not overwritten.
	if err := s.SetSetting(ctx, security, "audit_keep_days", 0, json.RawMessage(`400`), "按年度方案调整"); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("a stale version: %v", err)
	}
	var n int
	if err := pgtest.Connect(t, dsn.Admin).QueryRow(ctx, `select count(*) from audit.entry where action = 'setting.update' and outcome = 'done'`).Scan(&n); err != nil || n != 6 {
		t.Errorf("%d audit rows, want 6 (%v)", n, err)
	}
}

var errFault = errors.New("a fault")
