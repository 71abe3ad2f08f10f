package field_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/census/field"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/sync"
)

func (h *house) task(by auth.By, n field.NewTask) field.Task {
	h.t.Helper()
	if n.Title == "" {
		n.Title, n.Kind = "看看水位", "visit"
	}
	t, err := h.s.Send(h.t.Context(), by, n)
	if err != nil {
		h.t.Fatal(err)
	}
	return t
}

// TestSending: within one's own area, to people and grids of it.
func TestSending(t *testing.T) {
	h := open(t)
	worker, foreign := h.as("worker", auth.GridWorker, gridA), h.as("foreign", auth.GridWorker, gridB)
	county, town, commander := h.as("county", auth.DutyOfficer, countyA), h.as("town", auth.DutyOfficer, "990100102"), h.as("commander", auth.Commander, countyA)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for _, c := range []struct {
		name string
		by   auth.By
		n    field.NewTask
		want string
	}{
		{"to a person", county, field.NewTask{Title: "a", Kind: "visit", Assignee: worker.Account, DueAt: &soon}, ""},
		{"to a grid", county, field.NewTask{Title: "a", Kind: "visit", Grid: gridA}, ""},
		{"by the commander", commander, field.NewTask{Title: "a", Kind: "visit", Grid: gridA}, ""},
		{"to check a shelter", county, field.NewTask{Title: "a", Kind: "check_shelter", Grid: gridA, ObjectKind: "shelters", Object: shelterA}, ""},
		{"to check a foreign shelter", county, field.NewTask{Title: "a", Kind: "check_shelter", Grid: gridA, ObjectKind: "shelters", Object: shelterB}, "object unknown"},
		{"to a foreign grid", county, field.NewTask{Title: "a", Kind: "visit", Grid: gridB}, "grid unknown"},
		{"to a foreigner", county, field.NewTask{Title: "a", Kind: "visit", Assignee: foreign.Account}, "assignee unknown"},
		{"from another township", town, field.NewTask{Title: "a", Kind: "visit", Assignee: worker.Account}, "assignee unknown"},
		{"to nobody", county, field.NewTask{Title: "a", Kind: "visit"}, "assignee required"},
		{"to no id", county, field.NewTask{Title: "a", Kind: "visit", Assignee: "x"}, "assignee unknown"},
		{"without a title", county, field.NewTask{Kind: "visit", Grid: gridA}, "title required"},
		{"of no kind", county, field.NewTask{Title: "a", Kind: "war", Grid: gridA}, "kind unknown"},
		{"due yesterday", county, field.NewTask{Title: "a", Kind: "visit", Grid: gridA, DueAt: &past}, "due_at out_of_range"},
		{"to a place elsewhere", county, field.NewTask{Title: "a", Kind: "visit", Grid: gridA, At: &orb.Point{50, 10}}, "at outside_area"},
		{"by a worker", worker, field.NewTask{Title: "a", Kind: "visit", Grid: gridA}, "forbidden"},
		{"by a planner", h.as("planner", auth.Planner, countyA), field.NewTask{Title: "a", Kind: "visit", Grid: gridA}, "forbidden"},
	} {
		task, err := h.s.Send(t.Context(), c.by, c.n)
		got := ""
		bad := new(auth.Invalid)
		switch {
		case errors.As(err, &bad):
			got = bad.Items[0].Path + " " + bad.Items[0].Code
		case errors.Is(err, auth.ErrForbidden):
			got = "forbidden"
		case err != nil:
			got = err.Error()
		case task.State != field.Sent || task.Version != 1 || task.FeedPosition == "":
			got = "not sent"
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	people, err := h.s.Assignees(t.Context(), county.Identity, "", "")
	var names []string
	for _, p := range people {
		names = append(names, p.Username)
	}
	if err != nil || !slices.Contains(names, "worker") || slices.Contains(names, "foreign") || slices.Contains(names, "planner") {
		t.Errorf("may be sent: %v, %v", names, err)
	}
	if _, err := h.s.Assignees(t.Context(), worker.Identity, "", ""); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a worker asks for people: %v", err)
	}
}

// TestOneAccepts: of the workers of a grid the first has it, on his phone or at a desk.
func TestOneAccepts(t *testing.T) {
	h := open(t)
	officer := h.as("officer", auth.DutyOfficer, countyA)
	task := h.task(officer, field.NewTask{Grid: gridA})
	const n = 20
	who, errs := make([]auth.By, n), make([]error, n)
	for i := range who {
		who[i] = h.as("worker"+string(rune('a'+i)), auth.GridWorker, gridA)
	}
	var wg gosync.WaitGroup
	start := make(chan struct{})
	for i := range who {
		wg.Go(func() {
			<-start
			if i%2 == 0 {
				_, errs[i] = h.op(who[i], "tasks", field.Accepted, sync.Write{ID: task.ID})
			} else {
				_, errs[i] = h.s.StepTask(context.Background(), who[i], task.ID, 1, field.TaskStep{To: field.Accepted})
			}
		})
	}
	close(start)
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("%s has it beside %s", who[i].Name, who[winner].Name)
		case i%2 == 0 && !slices.Contains([]string{"rejected already_accepted", "rejected reassigned"}, verdict(err)),
			i%2 == 1 && clash(err) != "already_accepted" && !errors.Is(err, auth.ErrNotFound):
			t.Errorf("%s: %v", who[i].Name, err)
		}
	}
	got, err := h.s.Task(t.Context(), officer.Identity, task.ID)
	if err != nil || winner < 0 || got.AssigneeName != who[winner].Name || got.State != field.Accepted || got.Version != 2 {
		t.Fatalf("%+v %v, winner %d", got, err, winner)
	}
	// The others' phones forget it, his keeps it.
	for i, by := range who[:3] {
		list, err := h.kinds["tasks"].(sync.Down).Changed(t.Context(), by, []string{task.ID})
		former, err2 := h.kinds["tasks"].(sync.Former).Former(t.Context(), by, []string{task.ID})
		if err := errors.Join(err, err2); err != nil || (len(list) == 1) != (i == winner) || len(former) != 1 {
			t.Errorf("%s: %d records, former %v, %v", by.Name, len(list), former, err)
		}
	}
}

// TestALifeOfATask walks the steps, from the phone and from the desk.
func TestALifeOfATask(t *testing.T) {
	h := open(t)
	officer, worker, other := h.as("officer", auth.DutyOfficer, countyA), h.as("worker", auth.GridWorker, gridA), h.as("other", auth.GridWorker, gridA)
	away := h.as("away", auth.GridWorker, gridB)
	task := h.task(officer, field.NewTask{Assignee: worker.Account})
	phone := func(by auth.By, to, note string, result string) string {
		w := sync.Write{ID: task.ID, Note: note, Captured: sync.Capture{Evidence: []string{strings.Repeat("ab", 32)}}}
		if result != "" {
			w.Fields = fields(t, map[string]any{"result": result})
		}
		_, err := h.op(by, "tasks", to, w)
		return verdict(err)
	}
	for _, c := range []struct{ name, got, want string }{
		{"done before it was accepted", phone(worker, field.Done, "", "好了"), "quarantined out_of_order"},
		{"accepted by another", phone(other, field.Accepted, "", ""), "rejected reassigned"},
		{"by one who cannot see it", phone(away, field.Accepted, "", ""), "rejected tasks_are_sent"},
		{"withdrawn by himself", phone(worker, field.Withdrawn, "", ""), "rejected no_transition"},
		{"accepted", phone(worker, field.Accepted, "", ""), ""},
		{"accepted again", phone(worker, field.Accepted, "", ""), ""},
		{"done without a word", phone(worker, field.Done, "", ""), "rejected required"},
		{"handed back without a word", phone(worker, field.HandedBack, "", ""), "rejected required"},
		{"handed back", phone(worker, field.HandedBack, "路断了", ""), ""},
		{"accepted after that", phone(worker, field.Accepted, "", ""), "rejected cannot_follow"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	got, err := h.s.Task(t.Context(), officer.Identity, task.ID)
	if err != nil || got.State != field.HandedBack || got.Reason != "路断了" {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := h.s.Patch(t.Context(), officer, task.ID, 1, field.TaskPatch{Assignee: &other.Account}); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("reassigned as it was: %v", err)
	}
	if _, err := h.s.Patch(t.Context(), worker, task.ID, got.Version, field.TaskPatch{Assignee: &other.Account}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("reassigned by the worker: %v", err)
	}
	if got, err = h.s.Patch(t.Context(), officer, task.ID, got.Version, field.TaskPatch{Assignee: &other.Account}); err != nil || got.State != field.Sent || got.AssigneeName != other.Name || got.Reason != "" {
		t.Fatalf("%+v %v", got, err)
	}
	if v := phone(worker, field.Accepted, "", ""); v != "rejected already_accepted" && v != "rejected reassigned" {
		t.Errorf("the first one still accepts: %q", v)
	}
	if list, err := h.kinds["tasks"].(sync.Down).Changed(t.Context(), worker, []string{task.ID}); err != nil || len(list) != 0 {
		t.Errorf("it stays on the first one's phone: %+v %v", list, err)
	}
	for who, want := range map[string]int{"worker": 1, "away": 0} {
		by := worker
		if who == "away" {
			by = away
		}
		if former, err := h.kinds["tasks"].(sync.Former).Former(t.Context(), by, []string{task.ID}); err != nil || len(former) != want {
			t.Errorf("%s could see it: %v %v", who, former, err)
		}
	}
	if v := phone(other, field.Accepted, "", "") + phone(other, field.Done, "", "水位正常"); v != "" {
		t.Errorf("the second one: %q", v)
	}
	if got, err = h.s.Task(t.Context(), officer.Identity, task.ID); err != nil || got.State != field.Done || got.Result != "水位正常" || len(got.Photos) != 1 || got.DoneAt == nil {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := h.s.StepTask(t.Context(), officer, task.ID, got.Version, field.TaskStep{To: field.Withdrawn}); clash(err) != "cannot_follow" {
		t.Errorf("withdrawn when done: %v", err)
	}
	// Sent to a grid and moved to another, it leaves the first grid's phones.
	grid := h.task(officer, field.NewTask{Grid: gridA})
	beside := h.as("beside", auth.GridWorker, gridA2)
	to := gridA2
	if grid, err = h.s.Patch(t.Context(), officer, grid.ID, grid.Version, field.TaskPatch{Grid: &to}); err != nil {
		t.Fatal(err)
	}
	for by, want := range map[*auth.By]int{&worker: 0, &beside: 1} {
		list, err := h.kinds["tasks"].(sync.Down).All(t.Context(), *by, geo.Everywhere(), "", 100)
		former, err2 := h.kinds["tasks"].(sync.Former).Former(t.Context(), *by, []string{grid.ID})
		n := 0
		for _, r := range list {
			if r.ID == grid.ID {
				n++
			}
		}
		if err := errors.Join(err, err2); err != nil || n != want || len(former) != 1 {
			t.Errorf("%s has it %d times, want %d; former %v, %v", by.Username, n, want, former, err)
		}
	}
	if grid, err = h.s.StepTask(t.Context(), officer, grid.ID, grid.Version, field.TaskStep{To: field.Withdrawn, Note: "不用了"}); err != nil || grid.State != field.Withdrawn {
		t.Errorf("%+v %v", grid, err)
	}
}

// TestWhoseTasks: a desk sees its area's, a worker his own.
func TestWhoseTasks(t *testing.T) {
	h := open(t)
	officer, worker := h.as("officer", auth.DutyOfficer, countyA), h.as("worker", auth.GridWorker, gridA)
	hour := time.Now().Add(time.Hour)
	own, grid := h.task(officer, field.NewTask{Assignee: worker.Account, DueAt: &hour}).ID, h.task(officer, field.NewTask{Grid: gridA}).ID
	beside := h.task(officer, field.NewTask{Grid: gridA2}).ID
	foreign := h.task(h.as("foreign", auth.DutyOfficer, countyB), field.NewTask{Grid: gridB}).ID
	tag := map[string]string{own: "own", grid: "grid", beside: "beside", foreign: "foreign"}
	for _, c := range []struct {
		by   auth.By
		q    field.TaskQuery
		want string
	}{
		{officer, field.TaskQuery{}, "beside grid own"}, {worker, field.TaskQuery{}, "grid own"}, {worker, field.TaskQuery{Mine: true}, "grid own"}, {officer, field.TaskQuery{Mine: true}, ""},
		{h.as("a", auth.DutyOfficer, "990100102"), field.TaskQuery{}, ""}, {h.as("b", auth.DutyOfficer, countyB), field.TaskQuery{}, "foreign"}, {h.as("c", auth.GridWorker, gridA2), field.TaskQuery{}, "beside"},
		{h.as("d", auth.Viewer, countyA), field.TaskQuery{}, ""}, {h.as("e", auth.DutyOfficer, ""), field.TaskQuery{}, "beside foreign grid own"},
		{officer, field.TaskQuery{Area: gridA2}, "beside"}, {officer, field.TaskQuery{State: field.Done}, ""}, {officer, field.TaskQuery{Overdue: true}, ""},
	} {
		page, err := h.s.Tasks(t.Context(), c.by.Identity, c.q)
		var got []string
		for _, x := range page.Tasks {
			got = append(got, tag[x.ID])
			if one, err := h.s.Task(t.Context(), c.by.Identity, x.ID); err != nil || one.Mine != x.Mine {
				t.Errorf("%s: %v", c.by.Username, err)
			}
		}
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s %+v: %v, want %q; %v", c.by.Username, c.q, got, c.want, err)
		}
		for id, name := range tag {
			_, err := h.s.Task(t.Context(), c.by.Identity, id)
			if readable, err2 := h.s.Readable(t.Context(), c.by.Identity, id); err2 != nil || readable != (err == nil) {
				t.Errorf("%s may read the photos of %s: %v, %v", c.by.Username, name, readable, err2)
			}
			if err != nil && !errors.Is(err, auth.ErrNotFound) {
				t.Errorf("%s asks for %s: %v", c.by.Username, name, err)
			}
		}
	}
	h.clock.Store(int64(2 * time.Hour))
	if page, err := h.s.Tasks(t.Context(), officer.Identity, field.TaskQuery{Overdue: true}); err != nil || len(page.Tasks) != 1 || page.Tasks[0].ID != own {
		t.Errorf("overdue two hours later: %+v %v", page.Tasks, err)
	}
}
