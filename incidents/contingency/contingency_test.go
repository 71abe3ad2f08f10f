package contingency_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"onemap/incidents/contingency"
	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

func flood() contingency.Plan {
	return contingency.Plan{Title: "县防汛抗旱应急预案", Kind: "special", Hazard: "flood", Area: countyA, Unit: "县人民政府", Lead: "县防指", Clauses: []contingency.Clause{
		{Level: 4, Action: "加强值守", Unit: "县水利局", Minutes: new(30), Text: "24 小时值守"},
		{Level: 3, Action: "巡查水库", Unit: "县水利局", Minutes: new(60)},
		{Level: 2, Action: "转移危险区群众", Unit: "乡镇人民政府", Minutes: new(120)},
		{Action: "报告信息", Unit: "县应急局", Minutes: new(15)},
		{Level: 1, Hazard: "landslide", Action: "封闭道路", Unit: "县交通局"},
	}}
}

// TestMatching: by hazard, by level (what Ⅳ asks for, Ⅱ asks for too) and by area.
func TestMatching(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	put := func(p contingency.Plan) {
		t.Helper()
		if _, _, err := h.s.Put(t.Context(), officer, h.newID(), nil, p); err != nil {
			t.Fatal(err)
		}
	}
	put(flood())
	put(contingency.Plan{Title: "青山镇防汛预案", Kind: "grassroots", Hazard: "flood", Area: townA, Unit: "青山镇", Clauses: []contingency.Clause{{Level: 4, Action: "敲锣叫应", Unit: "各村", Minutes: new(10)}}})
	put(contingency.Plan{Title: "总体预案", Kind: "overall", Area: countyA, Unit: "县人民政府", Clauses: []contingency.Clause{{Level: 2, Action: "成立指挥部", Unit: "县政府办", Minutes: new(45)}}})
	put(contingency.Plan{Title: "地震预案", Kind: "special", Hazard: "earthquake", Area: countyA, Unit: "县人民政府", Clauses: []contingency.Clause{{Action: "搜救", Unit: "消防"}}})
	for _, c := range []struct {
		is   contingency.Case
		want []string
	}{
		{contingency.Case{Hazard: "flood", Level: 4, Area: countyA}, []string{"敲锣叫应", "报告信息", "加强值守"}},
		{contingency.Case{Kind: "flood", Level: 2, Area: countyA}, []string{"敲锣叫应", "报告信息", "加强值守", "成立指挥部", "巡查水库", "转移危险区群众"}},
		{contingency.Case{Hazard: "flood", Level: 4, Area: "990100102"}, []string{"报告信息", "加强值守"}},
		{contingency.Case{Hazard: "landslide", Level: 1, Area: countyA}, []string{"成立指挥部", "封闭道路"}},
		{contingency.Case{Hazard: "earthquake", Level: 4, Area: townA}, []string{"搜救"}},
		{contingency.Case{Hazard: "flood", Level: 1, Area: countyB}, nil},
	} {
		got, err := h.s.Matching(t.Context(), officer.Identity, c.is)
		names := ""
		for _, m := range got {
			names += m.Action + " "
		}
		want := ""
		for _, w := range c.want {
			want += w + " "
		}
		if err != nil || names != want {
			t.Errorf("%+v: %q, want %q; %v", c.is, names, want, err)
		}
	}
	if _, err := h.s.Matching(t.Context(), officer.Identity, contingency.Case{Hazard: "nothing", Level: 5, Area: "x"}); refused(err) != "hazard unknown" {
		t.Errorf("%v", err)
	}
	neighbour := h.as("neighbour", auth.DutyOfficer, countyB)
	if got, err := h.s.Matching(t.Context(), neighbour.Identity, contingency.Case{Hazard: "flood", Level: 1, Area: countyA}); err != nil || len(got) != 0 {
		t.Errorf("the neighbour: %d %v", len(got), err)
	}
}

// TestTasks: clauses become tasks once, with their minutes; who answers and who is late
// stays written.
func TestTasks(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	p, _, err := h.s.Put(t.Context(), officer, h.newID(), nil, flood())
	if err != nil {
		t.Fatal(err)
	}
	response := h.newID()
	admin := pgtest.Connect(t, h.dsn.Admin)
	if _, err := admin.Exec(t.Context(), `insert into response (id, title, kind, level, area) values ($1, 'x', 'flood', 4, $2)`, response, countyA); err != nil {
		t.Fatal(err)
	}
	order := contingency.Order{Response: response, Area: countyA, At: h.now(), Case: contingency.Case{Hazard: "flood", Level: 4}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 4 { // at once, and no clause twice
		wg.Go(func() {
			n, err := h.s.Send(t.Context(), officer, order)
			mu.Lock()
			defer mu.Unlock()
			if total += n; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if total != 2 {
		t.Errorf("%d tasks", total)
	}
	order.Case.Level = 2
	if n, err := h.s.Send(t.Context(), officer, order); err != nil || n != 2 {
		t.Errorf("a worse level brings %d, %v", n, err)
	}
	tasks, _, err := h.s.Tasks(t.Context(), officer.Identity, contingency.TaskQuery{Response: response})
	if err != nil || len(tasks) != 4 || tasks[0].Action != "报告信息" || tasks[0].DueAt.Sub(tasks[0].SentAt) != 15*time.Minute {
		t.Fatalf("%+v %v", tasks, err)
	}
	first := tasks[0]
	for i := range 2 {
		a, err := h.s.Step(t.Context(), officer, first.ID, nil, contingency.Step{To: contingency.Acknowledged, By: fmt.Sprint("李", i)})
		if err != nil || a.AcknowledgedBy != "李0" || a.State != contingency.Acknowledged {
			t.Fatalf("%+v %v", a, err)
		}
	}
	h.clock.Add(int64(20 * time.Minute))
	if late, _, err := h.s.Tasks(t.Context(), officer.Identity, contingency.TaskQuery{Late: true}); err != nil || len(late) != 1 || !late[0].Late(h.now()) {
		t.Errorf("%+v %v", late, err)
	}
	done, err := h.s.Step(t.Context(), officer, first.ID, nil, contingency.Step{To: contingency.Done})
	if err != nil || !done.Late(h.now()) || done.DoneBy != officer.Name || done.AcknowledgedBy != "李0" {
		t.Errorf("late stays late: %+v %v", done, err)
	}
	if _, err := h.s.Step(t.Context(), officer, first.ID, nil, contingency.Step{To: contingency.Refused, Note: "不行"}); refused(err) != "cannot_follow" {
		t.Errorf("%v", err)
	}
	if _, err := h.s.Step(t.Context(), officer, tasks[1].ID, nil, contingency.Step{To: contingency.Refused}); refused(err) != "note length" {
		t.Errorf("refused without why: %v", err)
	}
	stale := int64(99)
	if _, err := h.s.Step(t.Context(), officer, tasks[1].ID, &stale, contingency.Step{To: contingency.Refused, Note: "道路中断"}); refused(err) != "stale" {
		t.Errorf("%v", err)
	}
	viewer, neighbour := h.as("viewer", auth.Viewer, countyA), h.as("neighbour", auth.DutyOfficer, countyB)
	if _, err := h.s.Step(t.Context(), viewer, tasks[1].ID, nil, contingency.Step{To: contingency.Done}); refused(err) != "forbidden" {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := h.s.Step(t.Context(), neighbour, tasks[1].ID, nil, contingency.Step{To: contingency.Done}); refused(err) != "not found" {
		t.Errorf("the neighbour: %v", err)
	}
	// A clause that became a task keeps its wording; a new one is a new clause.
	p.Clauses[0].Minutes = new(20)
	again, _, err := h.s.Put(t.Context(), officer, p.ID, &p.Version, p)
	if err != nil || len(again.Clauses) != 5 || again.Clauses[0].ID == p.Clauses[0].ID || again.Clauses[1].ID != p.Clauses[1].ID {
		t.Errorf("%+v %v", again.Clauses, err)
	}
	if n := h.count(`select count(*) from response_tasks t join contingency_clauses c on c.id = t.clause where c.retired_at is not null and t.minutes = 30`); n != 1 {
		t.Errorf("%d tasks of the old wording", n)
	}
	if _, err := admin.Exec(t.Context(), `update contingency_clauses set text = 'x' where retired_at is null`); err == nil {
		t.Error("a clause was reworded in place")
	}
}

// TestACountysPlans: nine special, 43 of departments, 151 of the base (domain row 31), of
// which the right ones answer.
func TestACountysPlans(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	hazards := []string{"flood", "landslide", "earthquake", "forest_fire", "hazchem", "typhoon", "snow", "drought", "debris_flow"}
	due := h.now().AddDate(0, 0, -1)
	for _, k := range []struct {
		kind     string
		n        int
		clauses  int
		overdue  int
		township bool
	}{{"special", 9, 24, 1, false}, {"department", 43, 12, 2, false}, {"grassroots", 151, 6, 3, true}} {
		for i := range k.n {
			p := contingency.Plan{Title: fmt.Sprintf("%s 预案 %d", k.kind, i), Kind: k.kind, Hazard: hazards[i%len(hazards)], Area: countyA, Unit: "单位"}
			if k.township {
				p.Area = fmt.Sprintf("990100%03d", 101+i%20)
			}
			if i < k.overdue {
				p.ReviewDue = &due
			}
			for c := range k.clauses {
				p.Clauses = append(p.Clauses, contingency.Clause{Level: 1 + c%4, Action: fmt.Sprintf("动作 %d", c), Unit: "单位", Minutes: new(10 + c)})
			}
			if _, _, err := h.s.Put(t.Context(), officer, h.newID(), nil, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := h.count(`select count(*) from contingency_clauses`); n != 9*24+43*12+151*6 {
		t.Fatalf("%d clauses", n)
	}
	for kind, want := range map[string]int{"special": 9, "department": 43, "grassroots": 151, "": 203} {
		list, err := h.s.Plans(t.Context(), officer.Identity, contingency.Query{Kind: kind, Limit: 1000})
		if err != nil || len(list) != want {
			t.Errorf("%s: %d of %d, %v", kind, len(list), want, err)
		}
	}
	if late, err := h.s.Plans(t.Context(), officer.Identity, contingency.Query{Overdue: true}); err != nil || len(late) != 6 || !late[0].Overdue(h.now()) {
		t.Errorf("%d are due for review, %v", len(late), err)
	}
	// One flood plan of nine, 5 of 43, 17 of 151; level 4 matches a quarter of their clauses.
	got, err := h.s.Matching(t.Context(), officer.Identity, contingency.Case{Hazard: "flood", Level: 4, Area: countyA})
	if err != nil || len(got) != 1*6+5*3+17*1 {
		t.Errorf("%d clauses, %v", len(got), err)
	}
	// In one township: the county's and its own.
	got, err = h.s.Matching(t.Context(), officer.Identity, contingency.Case{Hazard: "flood", Level: 1, Area: townA})
	own := map[string]bool{}
	for _, m := range got {
		if m.PlanKind == "grassroots" {
			own[m.Area] = true
		}
	}
	if err != nil || len(own) != 1 || !own[townA] {
		t.Errorf("%v, %v", own, err)
	}
	start := time.Now()
	for range 20 {
		if _, err := h.s.Matching(t.Context(), officer.Identity, contingency.Case{Hazard: "flood", Level: 1, Area: countyA}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("matching among 203 plans and 1638 clauses: %v each", time.Since(start)/20)
}
