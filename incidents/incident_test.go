package incidents_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents"
	"onemap/internal/auth"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// enrolled is somebody the database knows too: a level is confirmed by a person.
func (h *house) enrolled(name string, role auth.Role, area string) auth.By {
	h.t.Helper()
	by := h.as(name, role, area)
	admin := pgtest.Connect(h.t, h.dsn.Admin)
	if _, err := admin.Exec(h.t.Context(), `insert into auth.account (id, username, name) values ($1, $2, $3) on conflict do nothing`, by.Account, name, by.Name); err != nil {
		h.t.Fatal(err)
	}
	return by
}

func (h *house) receive(by auth.By, n incidents.NewIncident) incidents.Incident {
	h.t.Helper()
	if n.ID == "" {
		n.ID = h.newID()
	}
	i, made, err := h.s.Receive(h.t.Context(), by, n)
	if err != nil || !made {
		h.t.Fatalf("receive: %v, made %v", err, made)
	}
	return i
}

func ago(d time.Duration) *time.Time {
	t := time.Now().Add(-d)
	return &t
}

func clockOf(t *testing.T, i incidents.Incident, name string) incidents.Clock {
	t.Helper()
	for _, c := range i.Clocks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no clock %s in %+v", name, i.Clocks)
	return incidents.Clock{}
}

// A call in thirty seconds: what, where in words, who, how many. No map.
func TestReceiveWithoutTheMap(t *testing.T) {
	h := open(t)
	admin := pgtest.Connect(t, h.dsn.Admin)
	for _, sql := range []string{
		`select set_config('app.public', '{(,)}', false), set_config('app.read', '{(,)}', false), set_config('app.sensitive', '{(,)}', false), set_config('app.write', '{(,)}', false), set_config('app.demo', 'off', false)`,
		`update admin set name = '东山镇' where code = '990100101'`,
		`insert into admin_alias (admin_code, alias, kind) values ('990100101', '老街公社', 'former_name')`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	n := incidents.NewIncident{ID: h.newID(), Kind: "landslide", Place: "东山镇后山公路边", Reporter: "张三", Phone: "13812345678", PersonsReported: new(3)}
	i := h.receive(officer, n)
	if i.Geometry != nil || i.State != incidents.Received || !strings.HasPrefix(i.Number, "SJ-990100-") || i.Level != 0 {
		t.Fatalf("%+v", i)
	}
	if i.PhoneMasked != "138****5678" || i.Reporter != "张三" || i.Contact == "" {
		t.Errorf("the caller: %q %q %q", i.Reporter, i.PhoneMasked, i.Contact)
	}
	if i.Scope.Lo != 1990100101000000 {
		t.Errorf("the place names the township: %v", i.Scope)
	}
	if by := h.receive(officer, incidents.NewIncident{Kind: "fire", Place: "老街公社粮站"}); by.Scope != i.Scope {
		t.Errorf("by an old name: %v", by.Scope)
	}
	if by := h.receive(officer, incidents.NewIncident{Kind: "fire", Place: "不知哪里"}); by.Scope.Lo != 1990100000000000 || by.Scope.Hi-by.Scope.Lo != 999_999_999 {
		t.Errorf("an unknown place is the desk's own area: %v", by.Scope)
	}
	// Said twice it is the same; another content under the id is a clash.
	again, made, err := h.s.Receive(t.Context(), officer, n)
	if err != nil || made || again.Number != i.Number {
		t.Errorf("again: %v %v %s", err, made, again.Number)
	}
	n.Place = "西山"
	if _, _, err := h.s.Receive(t.Context(), officer, n); clash(err) != "id_taken" {
		t.Errorf("another content: %v", err)
	}
	if _, _, err := h.s.Receive(t.Context(), officer, incidents.NewIncident{ID: h.newID(), Kind: "landslide"}); err == nil {
		t.Error("nowhere at all is no incident")
	}
	// The other county sees nothing of it, and a grid worker receives none.
	if _, err := h.s.Incident(t.Context(), h.as("other", auth.DutyOfficer, countyB).Identity, i.ID); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("the other county: %v", err)
	}
	if _, _, err := h.s.Receive(t.Context(), h.as("grid", auth.GridWorker, townA), incidents.NewIncident{ID: h.newID(), Kind: "fire", Place: "x"}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a grid worker: %v", err)
	}
	worker := h.as("grid2", auth.GridWorker, townA)
	seen, err := h.s.Incident(t.Context(), worker.Identity, i.ID)
	if err != nil || seen.Reporter != "" || seen.PhoneMasked != "" {
		t.Errorf("the caller is the desk's to know: %v %q %q", err, seen.Reporter, seen.PhoneMasked)
	}
	// Who called is put right: shown at once, in the audit, and the number not in it.
	name, phone := "李四", "13987654321"
	put, err := h.s.Update(t.Context(), officer, i.ID, i.Version, incidents.IncidentPatch{Reporter: &name, Phone: &phone})
	if err != nil || put.Reporter != name || put.PhoneMasked != "139****4321" || put.Version != i.Version {
		t.Errorf("the caller put right: %v %q %q, version %d", err, put.Reporter, put.PhoneMasked, put.Version)
	}
	var written, told int
	if err := admin.QueryRow(t.Context(), `select count(*), count(*) filter (where to_jsonb(e)::text like '%13987654321%') from audit.entry e where action = 'incident.caller' and object = 'incidents/' || $1`, i.ID).Scan(&written, &told); err != nil || written != 1 || told != 0 {
		t.Errorf("%d entries of the audit, %d with the number; %v", written, told, err)
	}
	// Placed afterwards.
	placed, err := h.s.Place(t.Context(), officer, i.ID, orb.Point{119.1, 34.1}, "", false)
	if err != nil || placed.Geometry == nil || placed.Version <= i.Version {
		t.Fatalf("placed: %v %+v", err, placed.Geometry)
	}
	if _, err := h.s.Place(t.Context(), officer, i.ID, orb.Point{120.1, 34.1}, "", false); err == nil {
		t.Error("into the other county")
	}
	list, err := h.s.Timeline(t.Context(), officer.Identity, i.ID)
	if err != nil || len(list) != 2 || list[0].Kind != "received" || list[1].Kind != "placed" {
		t.Errorf("timeline: %v %+v", err, list)
	}
}

// Latitude first is refused with what it should be, and turned round only when asked.
func TestSwappedPlaceIsProposedAndFixedOnlyWhenAsked(t *testing.T) {
	h := open(t)
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	for _, at := range []orb.Geometry{orb.Point{34.1, 119.1}, orb.Polygon{{{34.1, 119.1}, {34.12, 119.1}, {34.12, 119.12}, {34.1, 119.1}}}} {
		n := incidents.NewIncident{ID: h.newID(), Kind: "flood", Geometry: at}
		_, _, err := h.s.Receive(t.Context(), officer, n)
		var swapped *incidents.SwappedError
		if !errors.As(err, &swapped) || !orb.Equal(swapped.Fixed, incidents.Swapped(at)) {
			t.Fatalf("%v: %v", at, err)
		}
		n.FixSwap = true
		i := h.receive(officer, n)
		if !orb.Equal(i.Geometry, incidents.Swapped(at)) {
			t.Errorf("fixed: %v", i.Geometry)
		}
	}
	if _, _, err := h.s.Receive(t.Context(), officer, incidents.NewIncident{ID: h.newID(), Kind: "flood", Geometry: orb.Point{500, 500}}); err == nil {
		t.Error("nowhere on earth, either way round")
	}
	if _, _, err := h.s.Receive(t.Context(), officer, incidents.NewIncident{ID: h.newID(), Kind: "flood", Geometry: orb.Point{120.1, 34.1}}); err == nil {
		t.Error("outside the area, and not swapped")
	}
}

// Any criterion, the worst counts, proposed only; a person confirms.
func TestLevelIsProposedByRuleAndConfirmedByAPerson(t *testing.T) {
	h := open(t)
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	loss := 1200.0
	i := h.receive(officer, incidents.NewIncident{Kind: "fire", Place: "x", Figures: incidents.Figures{Deaths: new(1), Injured: new(60), LossWan: &loss}})
	if i.Level != 0 || i.LevelProposed != 2 || i.LevelReason[0].Criterion != "injured" || i.LevelReason[0].Level != 2 {
		t.Fatalf("%d %+v", i.LevelProposed, i.LevelReason)
	}
	if _, err := h.s.ConfirmLevel(t.Context(), officer, i.ID, i.Version, 3, ""); err == nil {
		t.Error("another level than proposed needs a reason")
	}
	got, err := h.s.ConfirmLevel(t.Context(), officer, i.ID, i.Version, 2, "")
	if err != nil || got.Level != 2 || got.LevelBy == "" || got.LevelAt == nil {
		t.Fatalf("%v %+v", err, got.Level)
	}
	if _, err := h.s.ConfirmLevel(t.Context(), officer, i.ID, i.Version, 1, "又有伤亡"); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("stale: %v", err)
	}
	if _, err := h.s.ConfirmLevel(t.Context(), h.as("nobody", auth.DutyOfficer, countyA), i.ID, got.Version, 1, "不在册的人"); err == nil {
		t.Error("the database asks who it is")
	}
	quake := h.receive(officer, incidents.NewIncident{Kind: "landslide", Place: "x", Figures: incidents.Figures{Evacuated: new(500)}})
	if quake.LevelProposed != 2 {
		t.Errorf("geology by persons to move: %d", quake.LevelProposed)
	}
	if none := h.receive(officer, incidents.NewIncident{Kind: "fire", Place: "x"}); none.LevelProposed != 0 {
		t.Errorf("nothing known is no level: %d", none.LevelProposed)
	}
}

// The rule set that ships grades an earthquake before anybody is counted; what is reported
// later is kept beside the magnitude, and nothing but an earthquake has one.
func TestAnEarthquakeHasAMagnitude(t *testing.T) {
	h := open(t)
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	five := 5.2
	i := h.receive(officer, incidents.NewIncident{Kind: "earthquake", Place: "x", Figures: incidents.Figures{Magnitude: &five}})
	if i.LevelProposed != 3 || i.LevelReason[0] != (incidents.Reason{Criterion: "magnitude", Value: 5.2, Level: 3}) || i.FiguresAt == nil {
		t.Fatalf("level %d for %+v", i.LevelProposed, i.LevelReason)
	}
	snap, err := registry.Open(t.Context(), h.db.Query)
	if err != nil {
		t.Fatal(err)
	}
	if text := incidents.FirstText(i, snap.Now(), "", "", time.Now()); !strings.Contains(text, "震级5.2级") {
		t.Errorf("the first report tells it:\n%s", text)
	}
	six := 6.1
	_, i, _, err = h.s.Send(t.Context(), officer, i.ID, incidents.NewEntry{Kind: "first", Channel: "phone", ToLevel: "province", Content: "地震台网修订震级", Figures: &incidents.Figures{Magnitude: &six, Deaths: new(3)}})
	if err != nil || i.LevelProposed != 2 || *i.Figures.Magnitude != 6.1 || *i.Figures.Deaths != 3 {
		t.Fatalf("the magnitude was corrected: %v, level %d, %+v", err, i.LevelProposed, i.Figures)
	}
	if i, err = h.s.Incident(t.Context(), officer.Identity, i.ID); err != nil || *i.Figures.Magnitude != 6.1 {
		t.Errorf("it is kept: %v %+v", err, i.Figures)
	}
	eleven := 11.0
	for name, n := range map[string]incidents.NewIncident{
		"a fire":   {ID: h.newID(), Kind: "fire", Place: "x", Figures: incidents.Figures{Magnitude: &five}},
		"too much": {ID: h.newID(), Kind: "earthquake", Place: "x", Figures: incidents.Figures{Magnitude: &eleven}},
	} {
		if _, _, err := h.s.Receive(t.Context(), officer, n); !strings.Contains(fmt.Sprint(err), "magnitude") {
			t.Errorf("%s is refused: %v", name, err)
		}
	}
}

// Reports upwards never change, corrections are new ones; clocks end with them and keep how
// late they were.
func TestReportsAndClocks(t *testing.T) {
	h := open(t)
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	i := h.receive(officer, incidents.NewIncident{Kind: "fire", Place: "x", OccurredAt: ago(3 * time.Hour), Figures: incidents.Figures{Deaths: new(4)}})
	first := clockOf(t, i, "first_report")
	if !first.Late || first.DoneAt != nil || first.DueAt.Sub(first.StartsAt) != 2*time.Hour {
		t.Fatalf("two hours from when it happened: %+v", first)
	}
	if _, _, _, err := h.s.Send(t.Context(), officer, i.ID, incidents.NewEntry{Kind: "follow_up", Channel: "phone", Content: "续报内容"}); clash(err) != "no_first_report" {
		t.Errorf("the first comes first: %v", err)
	}
	n := incidents.NewEntry{ID: h.newID(), Kind: "first", Channel: "phone", ToLevel: "province", Content: "某地发生火灾，4人死亡", SentAt: ago(50 * time.Minute), Figures: &incidents.Figures{Deaths: new(11)}}
	e, i, made, err := h.s.Send(t.Context(), officer, i.ID, n)
	if err != nil || !made || !e.Late || !e.Backdated() || e.Seq != 1 {
		t.Fatalf("%v %v %+v", err, made, e)
	}
	if *i.Figures.Deaths != 11 || i.LevelProposed != 2 || i.Entries != 1 {
		t.Errorf("the figures follow the report: %+v %d", i.Figures.Deaths, i.LevelProposed)
	}
	i, err = h.s.Incident(t.Context(), officer.Identity, i.ID)
	if err != nil {
		t.Fatal(err)
	}
	if c := clockOf(t, i, "first_report"); c.DoneAt == nil || !c.Late {
		t.Errorf("late stays: %+v", c)
	}
	if c := clockOf(t, i, "written_report"); !c.Late || c.DoneAt != nil || c.DueAt.Sub(c.StartsAt) != 30*time.Minute {
		t.Errorf("written within thirty minutes of the call: %+v", c)
	}
	// What it took stays, also when the incident turns out to have happened later.
	later := time.Now().Add(-2 * time.Hour)
	i, err = h.s.Update(t.Context(), officer, i.ID, i.Version, incidents.IncidentPatch{OccurredAt: &later})
	if err != nil {
		t.Fatal(err)
	}
	if c := clockOf(t, i, "first_report"); !c.Late || !c.DueAt.Equal(first.DueAt.Truncate(time.Microsecond)) {
		t.Errorf("what was written down changed: %+v, was %+v", c, first)
	}
	if _, _, made, err := h.s.Send(t.Context(), officer, i.ID, n); err != nil || made {
		t.Errorf("said twice: %v %v", err, made)
	}
	n.Content = "改写"
	if _, _, _, err := h.s.Send(t.Context(), officer, i.ID, n); clash(err) != "report_final" {
		t.Errorf("edited after submission: %v", err)
	}
	if err := h.s.AmendRefused(t.Context(), officer, i.ID, n.ID); clash(err) != "report_final" {
		t.Errorf("amended: %v", err)
	}
	if _, _, _, err := h.s.Send(t.Context(), officer, i.ID, incidents.NewEntry{Kind: "first", Channel: "phone", ToLevel: "province", Content: "更正：3人死亡", Corrects: n.ID}); err != nil {
		t.Errorf("a correction: %v", err)
	}
	if _, _, _, err := h.s.Send(t.Context(), officer, i.ID, incidents.NewEntry{Kind: "first", Channel: "written", ToLevel: "city", Content: "书面报告"}); err != nil {
		t.Fatal(err)
	}
	i, _ = h.s.Incident(t.Context(), officer.Identity, i.ID)
	if c := clockOf(t, i, "written_report"); c.DoneAt == nil || !c.Late {
		t.Errorf("written, late: %+v", c)
	}
	admin := pgtest.Connect(t, h.dsn.App)
	if _, err := admin.Exec(t.Context(), `update incident_entry set content = 'x'`); err == nil {
		t.Error("the database lets a report be changed")
	}
	if _, err := admin.Exec(t.Context(), `delete from incident_event`); err == nil {
		t.Error("the database lets the timeline be cut")
	}
}

func TestLifeClocksAndArchive(t *testing.T) {
	h := open(t)
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	i := h.receive(officer, incidents.NewIncident{Kind: "road_damage", Place: "省道", OccurredAt: ago(time.Hour)})
	must := func(got incidents.Incident, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		i = got
	}
	must(h.s.ConfirmLevel(t.Context(), officer, i.ID, i.Version, 2, "省道中断"))
	if _, err := h.s.Transition(t.Context(), officer, i.ID, i.Version, incidents.Step{To: incidents.Archived}); clash(err) != "cannot_follow" {
		t.Errorf("archived at once: %v", err)
	}
	must(h.s.Transition(t.Context(), officer, i.ID, i.Version, incidents.Step{To: incidents.Verified}))
	must(h.s.Transition(t.Context(), officer, i.ID, i.Version, incidents.Step{To: incidents.Responding}))
	if c := clockOf(t, i, "road_reopened"); c.Late || c.DueAt.Sub(c.StartsAt) != 8*time.Hour || !c.Mark {
		t.Errorf("%+v", c)
	}
	now := time.Now()
	must(h.s.MarkClock(t.Context(), officer, i.ID, "road_reopened", incidents.ClockMark{DoneAt: &now}))
	if _, err := h.s.MarkClock(t.Context(), officer, i.ID, "road_reopened", incidents.ClockMark{DoneAt: &now}); clash(err) != "clock_ended" {
		t.Errorf("twice: %v", err)
	}
	if _, err := h.s.MarkClock(t.Context(), officer, i.ID, "first_report", incidents.ClockMark{DoneAt: &now}); clash(err) != "clock_by_report" {
		t.Errorf("a report ends it: %v", err)
	}
	chosen := time.Now().Add(-30 * time.Minute)
	must(h.s.MarkClock(t.Context(), officer, i.ID, "first_report", incidents.ClockMark{StartsAt: &chosen, Note: "以核实时间起算"}))
	if c := clockOf(t, i, "first_report"); !c.Chosen || c.DueAt.Sub(chosen).Round(time.Second) != 2*time.Hour {
		t.Errorf("a chosen start: %+v", c)
	}
	must(h.s.Transition(t.Context(), officer, i.ID, i.Version, incidents.Step{To: incidents.Closed, Note: "处置完毕"}))
	if c := clockOf(t, i, "assessment"); c.DoneAt != nil || c.DueAt.Sub(*i.ClosedAt) < 30*24*time.Hour {
		t.Errorf("thirty days: %+v", c)
	}
	if _, err := h.s.Transition(t.Context(), officer, i.ID, i.Version, incidents.Step{To: incidents.Archived}); clash(err) != "clock_open" {
		t.Errorf("before the assessment: %v", err)
	}
	now = time.Now()
	must(h.s.MarkClock(t.Context(), officer, i.ID, "assessment", incidents.ClockMark{DoneAt: &now, Note: "评估报告已印发"}))
	must(h.s.Transition(t.Context(), officer, i.ID, i.Version, incidents.Step{To: incidents.Archived}))
	title := "改"
	if _, err := h.s.Update(t.Context(), officer, i.ID, i.Version, incidents.IncidentPatch{Title: &title}); clash(err) != "archived" {
		t.Errorf("archived: %v", err)
	}
	k, err := h.s.KPI(t.Context(), officer.Identity, time.Now().Add(-24*time.Hour), time.Now().Add(time.Hour), "")
	if err != nil || k.Total.Incidents != 1 || k.Total.Closed != 1 || len(k.Total.ResponseMinutes) != 1 {
		t.Errorf("kpi: %v %+v", err, k.Total)
	}
}

// The second call about one thing is merged: kept, linked, out of the counts, and it can be
// undone. A drill is in no count and merges with nothing real.
func TestMergeAndExercise(t *testing.T) {
	h := open(t)
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	a := h.receive(officer, incidents.NewIncident{Kind: "waterlogging", Geometry: orb.Point{119.1, 34.1}})
	b := h.receive(officer, incidents.NewIncident{Kind: "waterlogging", Geometry: orb.Point{119.1005, 34.1}})
	drill := h.receive(officer, incidents.NewIncident{Kind: "waterlogging", Geometry: orb.Point{119.1, 34.1}, Exercise: true})
	if !strings.HasPrefix(drill.Number, "YL-") {
		t.Errorf("number of a drill: %s", drill.Number)
	}
	near, err := h.s.Duplicates(t.Context(), officer.Identity, incidents.DuplicateQuery{Kind: "waterlogging", Where: &orb.Point{119.1002, 34.1}})
	if err != nil || len(near) != 2 || near[0].DistanceM == nil {
		t.Fatalf("duplicates: %v %d", err, len(near))
	}
	open := func() incidents.Counts {
		t.Helper()
		no := false
		p, err := h.s.Incidents(t.Context(), officer.Identity, incidents.IncidentQuery{Exercise: &no, Open: true})
		if err != nil || len(p.Incidents) != p.Counts.Open {
			t.Fatalf("%v: %d shown, %d counted", err, len(p.Incidents), p.Counts.Open)
		}
		return p.Counts
	}
	if n := open().Open; n != 2 {
		t.Errorf("open: %d", n)
	}
	// A wall shows drills among the rest, and counts none of them.
	if p, err := h.s.Incidents(t.Context(), officer.Identity, incidents.IncidentQuery{Open: true}); err != nil || len(p.Incidents) != 3 || p.Counts.Open != 2 {
		t.Errorf("with drills: %v, %d shown, %d counted", err, len(p.Incidents), p.Counts.Open)
	}
	if _, err := h.s.Merge(t.Context(), officer, b.ID, drill.ID, "同一处"); clash(err) != "exercise" {
		t.Errorf("with a drill: %v", err)
	}
	merged, err := h.s.Merge(t.Context(), officer, b.ID, a.ID, "同一处积水")
	if err != nil || merged.State != incidents.Merged || merged.MergedInto != a.ID || merged.Number != b.Number {
		t.Fatalf("%v %+v", err, merged.State)
	}
	if n := open().Open; n != 1 {
		t.Errorf("after the merge: %d", n)
	}
	if _, err := h.s.Merge(t.Context(), officer, a.ID, b.ID, "绕圈"); err == nil {
		t.Error("a circle")
	}
	if _, err := h.s.Note(t.Context(), officer, b.ID, nil, "还在涨"); clash(err) != "merged" {
		t.Errorf("a note on what is merged: %v", err)
	}
	into, err := h.s.Incident(t.Context(), officer.Identity, a.ID)
	if err != nil || into.Absorbed != 1 {
		t.Errorf("%v %d", err, into.Absorbed)
	}
	back, err := h.s.Unmerge(t.Context(), officer, b.ID, "不是同一处")
	if err != nil || back.State != incidents.Received || back.MergedInto != "" {
		t.Errorf("%v %+v", err, back.State)
	}
	if n := open().Open; n != 2 {
		t.Errorf("after it was undone: %d", n)
	}
}

func TestSketchesAreTheCommandPosts(t *testing.T) {
	h := open(t)
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	i := h.receive(officer, incidents.NewIncident{Kind: "hazchem", Geometry: orb.Point{119.1, 34.1}})
	ring := orb.Polygon{{{119.09, 34.09}, {119.11, 34.09}, {119.11, 34.11}, {119.09, 34.09}}}
	k, made, err := h.s.Draw(t.Context(), officer, i.ID, incidents.NewSketch{Kind: "cordon", Geometry: ring})
	if err != nil || !made || k.Name != "警戒区" || !k.Valid(time.Now().Add(time.Minute)) {
		t.Fatalf("%v %+v", err, k)
	}
	if _, _, err := h.s.Draw(t.Context(), officer, i.ID, incidents.NewSketch{Kind: "cordon", Geometry: orb.Point{119.1, 34.1}}); err == nil {
		t.Error("a cordon that is a point")
	}
	var swapped *incidents.SwappedError
	if _, _, err := h.s.Draw(t.Context(), officer, i.ID, incidents.NewSketch{Kind: "checkpoint", Geometry: orb.Point{34.1, 119.1}}); !errors.As(err, &swapped) {
		t.Errorf("latitude first: %v", err)
	}
	end := time.Now().Add(time.Hour)
	k2, err := h.s.Redraw(t.Context(), officer, i.ID, k.ID, k.Version, incidents.SketchPatch{ValidTo: &end})
	if err != nil || k2.ValidTo == nil || k2.Version == k.Version {
		t.Fatalf("%v %+v", err, k2)
	}
	if err := h.s.Erase(t.Context(), officer, i.ID, k.ID, k.Version); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("stale: %v", err)
	}
	if err := h.s.Erase(t.Context(), officer, i.ID, k.ID, k2.Version); err != nil {
		t.Error(err)
	}
	if err := h.s.Erase(t.Context(), officer, i.ID, k.ID, k2.Version); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("gone: %v", err)
	}
}

// 险情 of the field becomes an incident once, and is taken by whoever did it.
func TestAReportOfTheFieldBecomesAnIncident(t *testing.T) {
	h := open(t)
	report := h.urgent(h.as("li", auth.GridWorker, gridA), orb.Point{119.1, 34.1})
	officer := h.enrolled("duty", auth.DutyOfficer, countyA)
	i, made, err := h.s.FromReport(t.Context(), officer, report, "", false)
	if err != nil || !made || i.Kind != "landslide" || i.SourceReport != report || i.Geometry == nil {
		t.Fatalf("%v %v %+v", err, made, i)
	}
	again, made, err := h.s.FromReport(t.Context(), officer, report, "", false)
	if err != nil || made || again.ID != i.ID {
		t.Errorf("again: %v %v", err, made)
	}
	r, err := h.s.Open(t.Context(), officer, report)
	if err != nil || r.State != incidents.Taken || r.TakenAccount != officer.Account {
		t.Errorf("the report: %v %s", err, r.State)
	}
}
