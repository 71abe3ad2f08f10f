package response_test

import (
	"testing"
	"time"

	"onemap/incidents/response"
	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

func draft() response.Draft {
	return response.Draft{Title: "防汛应急响应", Kind: "flood", Area: countyA, Level: 4, Condition: "24 小时降雨 100 毫米", Lead: "县防汛抗旱指挥部"}
}

// TestALife: drafted, started, adjusted, ended; each act with signature and number stays.
func TestALife(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	id := h.newID()
	r, made, err := h.s.Put(t.Context(), officer, id, nil, draft())
	if err != nil || !made || r.State != response.Drafted {
		t.Fatalf("%+v %v %v", r, made, err)
	}
	if again, made, err := h.s.Put(t.Context(), officer, id, nil, draft()); err != nil || made || again.Version != r.Version {
		t.Errorf("said twice: %v %v %d", made, err, again.Version)
	}
	page, err := h.s.Responses(t.Context(), officer.Identity, response.Query{})
	if err != nil || page.Profile.Name != response.Peace || page.Profile.RefreshS != 60 {
		t.Errorf("a draft makes no war: %+v %v", page.Profile, err)
	}
	for want, o := range map[string]response.Order{
		"signed_by length":   {Act: response.Start},
		"act unknown":        {Act: "stop", SignedBy: "张"},
		"not_started":        {Act: response.Adjust, Level: 3, SignedBy: "张"},
		"level out_of_range": {Act: response.Start, Level: 9, SignedBy: "张"},
		"at out_of_range":    {Act: response.Start, SignedBy: "张", At: h.now().Add(time.Hour)},
	} {
		if _, err := h.s.Step(t.Context(), officer, id, r.Version, o); refused(err) != want {
			t.Errorf("%+v: %v, want %s", o, err, want)
		}
	}
	if _, err := h.s.Step(t.Context(), officer, id, r.Version+1, response.Order{Act: response.Start, SignedBy: "张县长"}); refused(err) != "stale" {
		t.Errorf("of another version: %v", err)
	}
	if r, err = h.s.Step(t.Context(), officer, id, r.Version, response.Order{Act: response.Start, SignedBy: "张县长", DocumentNumber: "平汛〔2026〕1 号"}); err != nil || r.State != response.Active || r.FeedPosition == "" {
		t.Fatalf("%+v %v", r, err)
	}
	page, err = h.s.Responses(t.Context(), officer.Identity, response.Query{})
	if err != nil || page.Profile.Name != response.War || page.Profile.Level != 4 || page.Profile.ReportEvery != 720 || len(page.Profile.Layers) < 8 {
		t.Errorf("%+v %v", page.Profile, err)
	}
	if r, err = h.s.Step(t.Context(), officer, id, r.Version, response.Order{Act: response.Adjust, Level: 2, SignedBy: "李书记", DocumentNumber: "平汛〔2026〕2 号", Note: "水位超警"}); err != nil || r.Level != 2 || r.AdjustedAt == nil {
		t.Fatalf("%+v %v", r, err)
	}
	if _, _, err := h.s.Put(t.Context(), officer, id, &r.Version, draft()); refused(err) != "already_started" {
		t.Errorf("an order is edited: %v", err)
	}
	if r, err = h.s.Step(t.Context(), officer, id, r.Version, response.Order{Act: response.End, SignedBy: "张县长"}); err != nil || r.State != response.Ended {
		t.Fatalf("%+v %v", r, err)
	}
	if len(r.History) != 3 || r.History[1].Act != response.Adjust || *r.History[1].FromLevel != 4 || r.History[1].Level != 2 || r.History[1].SignedBy != "李书记" || r.History[1].DocumentNumber != "平汛〔2026〕2 号" || r.History[0].By != officer.Name {
		t.Errorf("%+v", r.History)
	}
	if _, err := h.s.Step(t.Context(), officer, id, r.Version, response.Order{Act: response.Adjust, Level: 1, SignedBy: "张"}); refused(err) != "already_ended" {
		t.Errorf("after its end: %v", err)
	}
	if n := h.count(`select count(*) from audit.entry where object = $1`, "response/"+id); n != 4 {
		t.Errorf("%d audit rows", n)
	}
	// The database holds it too.
	owner := pgtest.Connect(t, h.dsn.Admin)
	for _, sql := range []string{`update response set level = 1`, `update response set state = 'active', ended_at = null`, `update response set title = 'x'`} {
		if _, err := owner.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s went through", sql)
		}
	}
}

// TestAnExerciseIsNoWar: it stands apart, in lists and in the profile.
func TestAnExerciseIsNoWar(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	d := draft()
	d.Exercise = true
	id := h.newID()
	r, _, err := h.s.Put(t.Context(), officer, id, nil, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.Step(t.Context(), officer, id, r.Version, response.Order{Act: response.Start, SignedBy: "张"}); err != nil {
		t.Fatal(err)
	}
	for exercise, want := range map[string]int{"": 0, "true": 1, "all": 1} {
		p, err := h.s.Responses(t.Context(), officer.Identity, response.Query{Exercise: exercise})
		if err != nil || len(p.Responses) != want || p.Profile.Name != response.Peace || !p.Profile.Exercise {
			t.Errorf("%q: %d of %d, %+v, %v", exercise, len(p.Responses), want, p.Profile, err)
		}
	}
}

// TestWhoMay: the neighbour neither reads nor orders; who only looks reads.
func TestWhoMay(t *testing.T) {
	h := open(t)
	officer, neighbour, viewer := h.as("officer", auth.DutyOfficer, countyA), h.as("neighbour", auth.DutyOfficer, countyB), h.as("viewer", auth.Viewer, countyA)
	id := h.newID()
	r, _, err := h.s.Put(t.Context(), officer, id, nil, draft())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.Response(t.Context(), viewer.Identity, id); err != nil {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := h.s.Response(t.Context(), neighbour.Identity, id); refused(err) != "not found" {
		t.Errorf("the neighbour: %v", err)
	}
	for who, want := range map[*auth.By]string{&viewer: "forbidden", &neighbour: "not found"} {
		if _, err := h.s.Step(t.Context(), *who, id, r.Version, response.Order{Act: response.Start, SignedBy: "张"}); refused(err) != want {
			t.Errorf("%s starts it: %v", who.Name, err)
		}
	}
	if _, _, err := h.s.Put(t.Context(), neighbour, h.newID(), nil, draft()); refused(err) != "forbidden" {
		t.Errorf("the neighbour drafts: %v", err)
	}
	if _, _, err := h.s.Put(t.Context(), neighbour, id, nil, func() response.Draft { d := draft(); d.Area = countyB; return d }()); refused(err) != "id_taken" {
		t.Errorf("under another's id: %v", err)
	}
}

// TestTheChair: one sits at the desk; who sits down relieves; nobody gives up another's.
func TestTheChair(t *testing.T) {
	h := open(t)
	a, b, viewer := h.as("a", auth.DutyOfficer, countyA), h.as("b", auth.DutyOfficer, countyA), h.as("viewer", auth.Viewer, countyA)
	if err := h.s.SetRoster(t.Context(), a, countyA, h.now().Add(-time.Hour), h.now().Add(24*time.Hour), []response.Shift{
		{Role: "leader", Unit: "县应急局", Person: "张带班", Starts: h.now().Add(-time.Minute), Ends: h.now().Add(time.Hour)},
		{Role: "officer", Unit: "县应急局", Person: "李值班", Starts: h.now().Add(time.Hour), Ends: h.now().Add(2 * time.Hour)},
	}); err != nil {
		t.Fatal(err)
	}
	seat := func() string {
		t.Helper()
		d, err := h.s.Duty(t.Context(), viewer.Identity, response.DutyQuery{})
		if err != nil || len(d.Leaders) != 1 || d.Leaders[0].Person != "张带班" || len(d.Officers) != 0 {
			t.Fatalf("%+v %v", d, err)
		}
		if d.AtDesk == nil {
			return ""
		}
		return d.AtDesk.Name
	}
	if s := seat(); s != "" {
		t.Errorf("%q sits there", s)
	}
	for range 2 {
		if err := h.s.Sit(t.Context(), a, ""); err != nil || seat() != a.Name {
			t.Fatalf("%v", err)
		}
	}
	if err := h.s.Leave(t.Context(), b, ""); refused(err) != "not_yours" {
		t.Errorf("b gives a's chair up: %v", err)
	}
	h.clock.Add(int64(time.Second))
	if err := h.s.Sit(t.Context(), b, ""); err != nil || seat() != b.Name {
		t.Fatalf("%v", err)
	}
	if err := h.s.Sit(t.Context(), viewer, ""); refused(err) != "forbidden" {
		t.Errorf("a viewer sits: %v", err)
	}
	if err := h.s.Leave(t.Context(), b, ""); err != nil || seat() != "" {
		t.Errorf("%v", err)
	}
	d, err := h.s.Duty(t.Context(), viewer.Identity, response.DutyQuery{From: h.now().Add(-time.Hour), To: h.now().Add(3 * time.Hour)})
	if err != nil || len(d.Shifts) != 2 || len(d.Sittings) != 2 || d.Sittings[1].RelievedBy != b.Name {
		t.Errorf("%+v %v", d, err)
	}
}
