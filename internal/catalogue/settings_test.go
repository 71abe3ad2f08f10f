package catalogue

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/decision"
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
		"a syslog by one":                   {security, "syslog", `{"address": "tls://log.example:6514"}`, ErrNeedsDecision},
		"no syslog by one":                  {security, "syslog", `null`, ErrNeedsDecision},
		"a syslog in clear by the way":      {security, "syslog", `{"address": "log.example:514", "tls": false}`, errFault},
		"a syslog with a secret":            {security, "syslog", `{"address": "log.example:6514", "token": "x"}`, errFault},
		"two syslogs":                       {security, "syslog", `{"address": "log.example:6514"} {}`, errFault},
		"a long syslog":                     {security, "syslog", `{"address": "log.example:6514", "ca": "` + strings.Repeat("x", 10<<10) + `"}`, errFault},
		"a syslog by the system admin":      {system, "syslog", `null`, auth.ErrForbidden},
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
	if err := pgtest.Connect(t, dsn.Admin).QueryRow(ctx, `select count(*) from audit.entry where action = 'setting.update' and outcome = 'done'`).Scan(&n); err != nil || n != 5 {
		t.Errorf("%d audit rows, want 5 (%v)", n, err)
	}
}

// TestTheAuditIsSentElsewhereByTwo: what one proposes another decides, among them the
// auditor, and what somebody changed meanwhile is not overwritten.
func TestTheAuditIsSentElsewhereByTwo(t *testing.T) {
	s, dsn := open(t)
	ctx := t.Context()
	d, err := db.Open(ctx, db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	ledger, err := decision.Open(decision.Options{DB: d, Effects: s.Effects()})
	if err != nil {
		t.Fatal(err)
	}
	security, auditor, admin := as(2, auth.SecurityAdmin, ""), as(4, auth.Auditor, ""), as(1, auth.Admin, "")
	propose := func(address string) decision.Decision {
		t.Helper()
		value := json.RawMessage(`{"address": "` + address + `"}`)
		version := versionOf(t, s, "syslog")
		if err := s.SetSetting(ctx, security, "syslog", version, value, "改到新的接收机"); !errors.Is(err, ErrNeedsDecision) {
			t.Fatalf("by one: %v", err)
		}
		p, err := ledger.Propose(ctx, security, s.Proposal("syslog", version, value, "改到新的接收机"))
		if err != nil || p.State != decision.Proposed || p.Action != decision.Syslog {
			t.Fatalf("%+v %v", p, err)
		}
		return p
	}
	decide := func(by auth.By, p decision.Decision) error {
		_, err := ledger.Transition(ctx, by, p.ID, p.Version, decision.Approved, "")
		return err
	}
	p := propose("log.example:6514")
	for name, c := range map[string]struct {
		by   auth.By
		want error
	}{
		"the proposer": {security, decision.ErrFourEyes}, "the system administrator": {admin, auth.ErrForbidden}, "a commander": {as(5, auth.Commander, ""), auth.ErrForbidden},
		"the auditor of one county": {as(6, auth.Auditor, "990100"), auth.ErrForbidden}, "the security administrator of one county": {as(7, auth.SecurityAdmin, "990100"), auth.ErrForbidden},
	} {
		if err := decide(c.by, p); !errors.Is(err, c.want) {
			t.Errorf("%s decides: %v, want %v", name, err, c.want)
		}
	}
	if v := value(t, s, "syslog"); v.Set {
		t.Fatalf("it holds before it was decided: %+v", v)
	}
	second := propose("other.example:6514")
	if err := decide(auditor, p); err != nil {
		t.Fatal(err)
	}
	if v := value(t, s, "syslog"); !strings.Contains(string(v.Value), "log.example:6514") || v.UpdatedBy != "person2" {
		t.Errorf("decided: %+v", v)
	}
	var changed *auth.Conflict
	if err := decide(auditor, second); !errors.As(err, &changed) || changed.Code != "setting_changed" {
		t.Errorf("the value proposed for another: %v", err)
	}
	var n int
	if err := pgtest.Connect(t, dsn.Admin).QueryRow(ctx, `select count(*) from audit.entry where action = 'decision.approved' and actor = 'person4'
		and after ->> 'object' = 'settings/syslog' and after -> 'effect' ->> 'after' like '%log.example:6514%'`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d entries of the approval, want 1 (%v)", n, err)
	}
	if err := decide(as(8, auth.SecurityAdmin, ""), propose("tcp://third.example:514")); err != nil {
		t.Errorf("by another who manages security: %v", err)
	}
	// Whoever has the machine sets at once.
	if err := s.SetSetting(ctx, auth.By{CLI: true}, "syslog", 0, json.RawMessage(`null`), ""); err != nil {
		t.Errorf("the command line: %v", err)
	}
	if v := value(t, s, "syslog"); string(v.Value) != "null" || !v.Set {
		t.Errorf("after the command line: %+v", v)
	}
}

var errFault = errors.New("a fault")
