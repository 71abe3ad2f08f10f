package catalogue

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
)

func open(t *testing.T) (*Store, pgtest.DSNs) {
	t.Helper()
	dsn := pgtest.Database(t)
	d, err := db.Open(t.Context(), db.Options{DSN: dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	s, err := Open(d)
	if err != nil {
		t.Fatal(err)
	}
	return s, dsn
}

// as is somebody in a role over an area.
func as(n int, role auth.Role, area string) auth.By {
	id := "0192f0c1-0000-7000-8000-00000000000" + string(rune('0'+n))
	grants := []auth.Grant{{ID: "0192f0c1-0000-7000-8000-0000000000a" + string(rune('0'+n)), Account: id, Role: role, Area: area}}
	return auth.By{Request: "test", Identity: &auth.Identity{
		Kind: auth.Session, Account: id, Username: "person" + string(rune('0'+n)), Name: "某某", ID: "0192f0c1-0000-7000-8000-0000000000b1",
		Grants: grants, Reach: auth.ReachOf(grants, time.Now(), 0),
	}}
}

func TestQueriesFitTheSchema(t *testing.T) {
	s, dsn := open(t)
	if err := s.queries.Prepare(t.Context(), pgtest.Connect(t, dsn.App)); err != nil {
		t.Error(err)
	}
}

func next(rule string) NewVersion {
	return NewVersion{Rule: rule, Standard: "GB 51143-2015 表 3.1.7", Reason: "按新版标准修改", Body: json.RawMessage(`{"m2_per_person": {"emergency_1d": 0.5}}`)}
}

func TestARuleSetIsMadeByOneAndVerifiedByAnother(t *testing.T) {
	s, dsn := open(t)
	ctx := t.Context()
	maker, checker := as(1, auth.DataEngineer, ""), as(2, auth.Approver, "")
	// The same person in both roles.
	both := as(1, auth.Approver, "")
	r, err := s.AddVersion(ctx, maker, next("shelter_area_per_person"))
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != 2 || r.Verified || r.CreatedBy != "person1" || r.Responsible == "" || r.TitleZH != "避难场所人均有效避难面积" {
		t.Errorf("%+v", r)
	}
	if _, err := s.Verify(ctx, both, r.Rule, 2, "已与标准原文核对"); !errors.Is(err, ErrFourEyes) {
		t.Errorf("the maker verifies: %v", err)
	}
	if _, err := s.Verify(ctx, as(3, auth.Viewer, ""), r.Rule, 2, "已与标准原文核对"); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a viewer verifies: %v", err)
	}
	// A rule holds everywhere; a right over one county is not enough.
	if _, err := s.Verify(ctx, as(4, auth.Approver, "990100"), r.Rule, 2, "已与标准原文核对"); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("an approver of one county verifies: %v", err)
	}
	if _, err := s.AddVersion(ctx, as(4, auth.DataEngineer, "990100"), next(r.Rule)); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("an engineer of one county makes a version: %v", err)
	}
	var fault *auth.Invalid
	if _, err := s.Verify(ctx, checker, r.Rule, 2, " "); !errors.As(err, &fault) {
		t.Errorf("without a note: %v", err)
	}
	v, err := s.Verify(ctx, checker, r.Rule, 2, "已与标准原文核对")
	if err != nil || !v.Verified || v.VerifiedBy != "person2" || v.VerifiedAt == nil {
		t.Fatalf("%+v %v", v, err)
	}
	if _, err := s.Verify(ctx, checker, r.Rule, 2, "已与标准原文核对"); !errors.Is(err, ErrVerified) {
		t.Errorf("twice: %v", err)
	}
	if _, err := s.Verify(ctx, checker, r.Rule, 9, "已与标准原文核对"); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("no such version: %v", err)
	}
	if _, err := s.AddVersion(ctx, maker, next("no_such_rule")); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("no such rule: %v", err)
	}
	all, err := s.RuleSets(ctx, maker.Reading())
	if err != nil || len(all) < 7 {
		t.Fatalf("%d rule sets, %v", len(all), err)
	}

	// Not even the owner edits a version or takes one away.
	admin := pgtest.Connect(t, dsn.Admin)
	for _, sql := range []string{
		`update rule_set set body = '{}' where rule = 'shelter_area_per_person' and version = 2`,
		`update rule_set set verified = false where rule = 'shelter_area_per_person' and version = 2`,
		`delete from rule_set where rule = 'shelter_area_per_person'`,
	} {
		if _, err := admin.Exec(ctx, sql); err == nil || !strings.Contains(err.Error(), "55000") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	var actions string
	if err := admin.QueryRow(ctx, `select string_agg(action || ' ' || actor, ', ' order by seq) from audit.entry where object = 'rule_set/shelter_area_per_person/2'`).Scan(&actions); err != nil || actions != "rule_set.add person1, rule_set.verify person2" {
		t.Errorf("audit: %q %v", actions, err)
	}
}

func TestBadVersionsAreRefusedWithEveryFault(t *testing.T) {
	s, _ := open(t)
	for _, c := range []struct {
		name   string
		change func(*NewVersion)
		paths  string
	}{
		{"no reason", func(n *NewVersion) { n.Reason = "  " }, "reason"},
		{"an array", func(n *NewVersion) { n.Body = json.RawMessage(`[1]`) }, "body"},
		{"no JSON", func(n *NewVersion) { n.Body = json.RawMessage(`{`) }, "body"},
		{"too large", func(n *NewVersion) { n.Body = json.RawMessage(`{"a":"` + strings.Repeat("x", maxBody) + `"}`) }, "body"},
		{"two faults", func(n *NewVersion) { n.Reason = ""; n.Standard = strings.Repeat("标", 201) }, "reason standard"},
	} {
		n := next("gb18218_level")
		c.change(&n)
		_, err := s.AddVersion(t.Context(), as(1, auth.DataEngineer, ""), n)
		var fault *auth.Invalid
		if !errors.As(err, &fault) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var paths []string
		for _, f := range fault.Items {
			paths = append(paths, f.Path)
		}
		if got := strings.Join(paths, " "); got != c.paths {
			t.Errorf("%s: faults at %q, want %q", c.name, got, c.paths)
		}
	}
}

func TestTwoMakersAtOnceGetTwoVersions(t *testing.T) {
	s, _ := open(t)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if _, err := s.AddVersion(t.Context(), as(1+i, auth.DataEngineer, ""), next("gb18218_alpha")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	all, err := s.RuleSets(t.Context(), as(1, auth.DataEngineer, "").Reading())
	if err != nil {
		t.Fatal(err)
	}
	versions := 0
	for _, r := range all {
		if r.Rule == "gb18218_alpha" {
			versions++
		}
	}
	if versions != 7 {
		t.Errorf("%d versions, want 7", versions)
	}
}

func TestALayersProtectionIsRaisedAtOnceAndNeverLoweredByOne(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	str := func(s string) *string { return &s }
	system, security := as(1, auth.Admin, ""), as(2, auth.SecurityAdmin, "")
	before, err := s.Layer(ctx, system.Reading(), "shelters")
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.UpdateLayer(ctx, system, "shelters", before.Version, LayerPatch{TitleZH: str(" 避难场所(全县) ")})
	if err != nil || l.TitleZH != "避难场所(全县)" || l.Version <= before.Version {
		t.Fatalf("%+v %v", l, err)
	}
	for name, c := range map[string]struct {
		by      auth.By
		version int64
		patch   LayerPatch
		want    error
	}{
		"stale":                          {system, before.Version, LayerPatch{TitleZH: str("甲")}, auth.ErrStaleVersion},
		"the admin classifies":           {system, l.Version, LayerPatch{Visibility: str("sensitive"), Reason: "含个人信息"}, auth.ErrForbidden},
		"security renames":               {security, l.Version, LayerPatch{TitleZH: str("甲")}, auth.ErrForbidden},
		"security of one county":         {as(3, auth.SecurityAdmin, "990100"), l.Version, LayerPatch{Visibility: str("sensitive"), Reason: "含个人信息"}, auth.ErrForbidden},
		"lowering by one":                {security, l.Version, LayerPatch{Visibility: str("public"), Reason: "向社会公开"}, ErrNeedsDecision},
		"both faces with one permission": {security, l.Version, LayerPatch{Visibility: str("sensitive"), TitleZH: str("甲"), Reason: "含个人信息"}, auth.ErrForbidden},
	} {
		if _, err := s.UpdateLayer(ctx, c.by, "shelters", c.version, c.patch); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := s.UpdateLayer(ctx, system, "no_such_layer", 1, LayerPatch{TitleZH: str("甲")}); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("no such layer: %v", err)
	}
	up, err := s.UpdateLayer(ctx, security, "shelters", l.Version, LayerPatch{Visibility: str("sensitive"), Reason: "含个人信息"})
	if err != nil || up.Visibility != "sensitive" {
		t.Fatalf("%+v %v", up, err)
	}
	var fault *auth.Invalid
	if _, err := s.UpdateLayer(ctx, security, "shelters", up.Version, LayerPatch{Visibility: str("secret"), Reason: "无此级别"}); !errors.As(err, &fault) {
		t.Errorf("no such visibility: %v", err)
	}
}
