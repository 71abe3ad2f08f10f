package resources_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/census/resources"
	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

func TestQueriesPrepare(t *testing.T) {
	q, err := resources.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

func TestPositionsMoveForward(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	now := time.Now()
	got, err := h.s.Move(t.Context(), by, teamA, resources.Position{At: orb.Point{119.15, 34.15}, Time: now, State: "dispatched"})
	if err != nil || *got.At != (orb.Point{119.15, 34.15}) || got.Stale || got.State != "dispatched" {
		t.Fatalf("%+v %v", got, err)
	}
	// Late, twice, and out of the county: the track has them, the team stays whose it is.
	for _, p := range []resources.Position{{At: orb.Point{119.11, 34.11}, Time: now.Add(-time.Minute)}, {At: orb.Point{119.11, 34.11}, Time: now.Add(-time.Minute)}} {
		if got, err = h.s.Move(t.Context(), by, teamA, p); err != nil || *got.At != (orb.Point{119.15, 34.15}) {
			t.Errorf("a late position: %+v %v", got, err)
		}
	}
	if got, err = h.s.Move(t.Context(), by, teamA, resources.Position{At: orb.Point{120.2, 34.1}, Time: now.Add(time.Second)}); err != nil || (*got.At)[0] != 120.2 || got.Area != countyA {
		t.Errorf("helping the neighbours: %+v %v", got, err)
	}
	track, err := h.s.Track(t.Context(), by, teamA, now.Add(-time.Hour), 10)
	if err != nil || len(track) != 3 {
		t.Errorf("the track: %v %v", track, err)
	}
	if _, err := h.s.Move(t.Context(), by, teamA, resources.Position{At: orb.Point{119, 34}, Time: now.Add(time.Hour)}); err == nil {
		t.Error("a position of the future")
	}
	if _, err := h.s.Move(t.Context(), by, teamA, resources.Position{At: orb.Point{34, 119}}); err == nil {
		t.Error("swapped coordinates")
	}
	h.clock.Store(int64(16 * time.Minute))
	list, _, err := h.s.Teams(t.Context(), by.Identity, resources.TeamQuery{IDs: []string{teamA}})
	if err != nil || !list[0].Stale || *list[0].AgeS < 900 {
		t.Errorf("after 16 minutes: %+v %v", list, err)
	}
}

// TestOneTeamOnePlace: two desks send the same team at once, and one of them learns it.
func TestOneTeamOnePlace(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	var made, busy atomic.Int64
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			_, created, err := h.s.Dispatch(context.Background(), by, resources.NewDispatch{ID: newID(100 + i), Team: teamA, Incident: incidentA, Task: "清障"})
			switch {
			case err == nil && created:
				made.Add(1)
			case clash(err) == "team_busy":
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || busy.Load() != 9 {
		t.Errorf("%d sent, %d refused", made.Load(), busy.Load())
	}
	list, _, err := h.s.Dispatches(t.Context(), by.Identity, resources.DispatchQuery{Incident: incidentA, Active: true})
	if err != nil || len(list) != 1 || list[0].Place != "东村" || list[0].Geometry == nil || list[0].Late {
		t.Fatalf("%+v %v", list, err)
	}
	h.clock.Store(int64(11 * time.Minute))
	if list, _, err = h.s.Dispatches(t.Context(), by.Identity, resources.DispatchQuery{}); err != nil || !list[0].Late {
		t.Errorf("nobody acknowledged for eleven minutes: %+v %v", list, err)
	}
	for _, to := range []string{resources.Acknowledged, resources.Acknowledged, resources.Departed, resources.Arrived, resources.Returned} {
		if d, err := h.s.Step(t.Context(), by, list[0].ID, to, ""); err != nil || d.State != to || d.AcknowledgedBy != "duty姓名" {
			t.Fatalf("%s: %+v %v", to, d, err)
		}
	}
	if _, err := h.s.Step(t.Context(), by, list[0].ID, resources.Cancelled, "不去了"); clash(err) != "cannot_follow" {
		t.Errorf("called off after it was over: %v", err)
	}
	teams, _, err := h.s.Teams(t.Context(), by.Identity, resources.TeamQuery{})
	if err != nil || len(teams) != 1 || teams[0].State != "standby" || teams[0].Dispatch != "" {
		t.Errorf("afterwards: %+v %v", teams, err)
	}
	for name, who := range map[string]auth.By{"foreign": h.as("duty-b", auth.DutyOfficer, countyB), "worker": h.as("worker", auth.GridWorker, gridA)} {
		if _, _, err := h.s.Dispatch(t.Context(), who, resources.NewDispatch{ID: newID(200), Team: teamA, Task: "清障", Place: "某处"}); err == nil {
			t.Errorf("%s sent the team", name)
		}
	}
}

// TestAnExerciseKeepsNobodyBack: what is played is of the exercise alone: the team stands by,
// nothing leaves the store, and who is sent in earnest goes.
func TestAnExerciseKeepsNobodyBack(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	if _, err := h.s.MoveStock(t.Context(), by, resources.Move{OpID: newID(1), Warehouse: storeA, Item: "帐篷", Unit: "顶", Qty: 50, Reason: "入库"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.MoveStock(t.Context(), by, resources.Move{OpID: newID(2), Warehouse: storeA, Item: "帐篷", Unit: "顶", Qty: -5, Reason: "演练", Exercise: true}); clash(err) != "exercise_changes_nothing" {
		t.Errorf("out of the store in an exercise: %v", err)
	}
	for _, n := range []resources.NewDispatch{
		{ID: newID(10), Team: teamA, Task: "演练清障", Place: "东村", Exercise: true},
		{ID: newID(11), Warehouse: storeA, Task: "演练送帐篷", Place: "东村", Items: []resources.Item{{Item: "帐篷", Unit: "顶", Qty: 20}}, Exercise: true},
	} {
		if d, created, err := h.s.Dispatch(t.Context(), by, n); err != nil || !created || !d.Exercise {
			t.Fatalf("%+v %v", d, err)
		}
		for _, to := range []string{resources.Acknowledged, resources.Departed, resources.Arrived} {
			if d, err := h.s.Step(t.Context(), by, n.ID, to, ""); err != nil || d.State != to {
				t.Fatalf("%s: %+v %v", to, d, err)
			}
		}
	}
	if _, _, err := h.s.Dispatch(t.Context(), by, resources.NewDispatch{ID: newID(12), Team: teamA, Task: "再演练", Place: "东村", Exercise: true}); clash(err) != "team_busy" {
		t.Errorf("played twice at once: %v", err)
	}
	team := func() resources.Team {
		t.Helper()
		list, _, err := h.s.Teams(t.Context(), by.Identity, resources.TeamQuery{})
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v %v", list, err)
		}
		return list[0]
	}
	if got := team(); got.State != "standby" || got.Dispatch != "" || got.Drill != newID(10) || got.DrillState != resources.Arrived || got.Version != 1 {
		t.Errorf("in the exercise: %+v", got)
	}
	stores, _, err := h.s.Stores(t.Context(), by.Identity, storeA, "")
	if err != nil || stores[0].Stock[0].Qty != 50 {
		t.Errorf("the store in the exercise: %+v %v", stores, err)
	}
	if lines, err := h.s.Ledger(t.Context(), by.Identity, storeA, 10); err != nil || len(lines) != 1 {
		t.Errorf("its ledger: %+v %v", lines, err)
	}
	if _, created, err := h.s.Dispatch(t.Context(), by, resources.NewDispatch{ID: newID(20), Team: teamA, Incident: incidentA, Task: "救援"}); err != nil || !created {
		t.Fatalf("sent in earnest while it plays: %v", err)
	}
	if got := team(); got.Dispatch != newID(20) || got.Drill != "" {
		t.Errorf("sent in earnest: %+v", got)
	}
	over, _, err := h.s.Dispatches(t.Context(), by.Identity, resources.DispatchQuery{Team: teamA, Exercise: "true"})
	if err != nil || len(over) != 1 || over[0].State != resources.Returned || over[0].Note == "" || over[0].EndedAt == nil {
		t.Errorf("what it played: %+v %v", over, err)
	}
	if _, _, err := h.s.Dispatch(t.Context(), by, resources.NewDispatch{ID: newID(21), Team: teamA, Task: "演练", Place: "东村", Exercise: true}); clash(err) != "team_busy" {
		t.Errorf("who is out does not play: %v", err)
	}
}

// TestStockNeverBelowZero: forty take three each of fifty at once, every one of them twice.
func TestStockNeverBelowZero(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	in := resources.Move{OpID: newID(1), Warehouse: storeA, Item: "帐篷", Unit: "顶", Qty: 50, Reason: "入库"}
	for i := range 2 {
		if m, err := h.s.MoveStock(t.Context(), by, in); err != nil || m.After != 50 || m.Duplicate != (i == 1) {
			t.Fatalf("%+v %v", m, err)
		}
	}
	var out, short atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			m, err := h.s.MoveStock(context.Background(), by, resources.Move{OpID: newID(100 + i/2), Warehouse: storeA, Item: "帐篷", Unit: "顶", Qty: -3, Reason: "发放"})
			lack := new(resources.Short)
			switch {
			case err == nil && !m.Duplicate:
				out.Add(1)
			case errors.As(err, &lack):
				short.Add(1)
			case err != nil:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	stores, _, err := h.s.Stores(t.Context(), by.Identity, storeA, "")
	if err != nil || len(stores) != 1 || len(stores[0].Stock) != 1 || stores[0].Stock[0].Qty != 2 || out.Load() != 16 {
		t.Errorf("%+v, %d out, %d short, %v", stores, out.Load(), short.Load(), err)
	}
	lines, err := h.s.Ledger(t.Context(), by.Identity, storeA, 100)
	sum := 0.0
	for _, l := range lines {
		sum += l.Qty
	}
	if err != nil || len(lines) != 17 || sum != 2 {
		t.Errorf("the ledger: %d lines, sum %v, %v", len(lines), sum, err)
	}
}

func TestGoodsGoOutWithTheDispatch(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	if _, err := h.s.MoveStock(t.Context(), by, resources.Move{OpID: newID(1), Warehouse: storeA, Item: "棉被", Unit: "床", Qty: 10, Reason: "入库"}); err != nil {
		t.Fatal(err)
	}
	n := resources.NewDispatch{ID: newID(2), Warehouse: storeA, Place: "一中", Task: "送棉被", Items: []resources.Item{{Item: "棉被", Unit: "床", Qty: 11}}}
	lack := new(resources.Short)
	if _, _, err := h.s.Dispatch(t.Context(), by, n); !errors.As(err, &lack) || lack.Has != 10 {
		t.Errorf("11 of 10: %v", err)
	}
	n.Items[0].Qty = 8
	if _, _, err := h.s.Dispatch(t.Context(), by, n); err != nil {
		t.Fatal(err)
	}
	has := func() float64 {
		s, _, err := h.s.Stores(t.Context(), by.Identity, storeA, "")
		if err != nil {
			t.Fatal(err)
		}
		return s[0].Stock[0].Qty
	}
	for _, c := range []struct {
		to   string
		left float64
	}{{resources.Acknowledged, 10}, {resources.Departed, 2}, {resources.Cancelled, 10}} {
		if _, err := h.s.Step(t.Context(), by, n.ID, c.to, "改由乡镇"); err != nil || has() != c.left {
			t.Errorf("%s: %v, %v left", c.to, err, has())
		}
	}
}

func TestRoadBlockClock(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	at := time.Now().Add(-9 * time.Hour)
	trunk, created, err := h.s.PutBlock(t.Context(), by, newID(1), nil, resources.PutBlock{Geometry: orb.Point{119.2, 34.3001}, BlockedAt: &at, Cause: new("landslide")})
	if err != nil || !created || !trunk.Trunk || !trunk.Late || !trunk.DueAt.Equal(trunk.BlockedAt.Add(8*time.Hour)) {
		t.Fatalf("%+v %v", trunk, err)
	}
	village, _, err := h.s.PutBlock(t.Context(), by, newID(2), nil, resources.PutBlock{Geometry: orb.Point{119.2, 34.4001}, BlockedAt: &at})
	if err != nil || village.Trunk || village.Late || village.DueAt != nil {
		t.Fatalf("%+v %v", village, err)
	}
	if again, created, err := h.s.PutBlock(t.Context(), by, newID(1), nil, resources.PutBlock{Geometry: orb.Point{119.2, 34.3001}, BlockedAt: &at, Cause: new("landslide")}); err != nil || created || again.Version != trunk.Version {
		t.Errorf("made again: %v %v", created, err)
	}
	in := at.Add(6 * time.Hour)
	b, err := h.s.ChangeBlock(t.Context(), by, newID(1), trunk.Version, resources.PutBlock{State: new("reopened"), ReopenedAt: &in})
	if err != nil || b.Late || b.State != "reopened" {
		t.Fatalf("open after six hours: %+v %v", b, err)
	}
	list, kpi, _, err := h.s.Blocks(t.Context(), by.Identity, resources.BlockQuery{Active: true})
	if err != nil || len(list) != 1 || kpi.Count != 1 || *kpi.MeanHours != 6 || kpi.Late != 0 || kpi.Target != 8 {
		t.Errorf("%d blocks, %+v, %v", len(list), kpi, err)
	}
	before := at.Add(-time.Hour)
	if _, err := h.s.ChangeBlock(t.Context(), by, newID(1), b.Version, resources.PutBlock{ReopenedAt: &before}); err == nil {
		t.Error("open before it was blocked")
	}
	if _, err := h.s.ChangeBlock(t.Context(), by, newID(1), trunk.Version, resources.PutBlock{State: new("blocked")}); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("an old version: %v", err)
	}
	if _, _, err := h.s.PutBlock(t.Context(), h.as("duty-b", auth.DutyOfficer, countyB), newID(3), nil, resources.PutBlock{Geometry: orb.Point{119.2, 34.3}}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a block in another county: %v", err)
	}
}
