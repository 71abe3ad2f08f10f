package shelters_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
	"onemap/shelters"
)

func TestQueriesPrepare(t *testing.T) {
	q, err := shelters.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

// TestNeverAboveCapacity: fifty desks at once promise seven places each of a shelter with
// a hundred, of which four people leave and nine come meanwhile. What is promised and who
// is there never pass what it holds.
func TestNeverAboveCapacity(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	var made, refused atomic.Int64
	var wg sync.WaitGroup
	begin := make(chan struct{})
	for i := range 50 {
		wg.Go(func() {
			<-begin
			_, _, created, err := h.s.Reserve(context.Background(), by, shelters.NewReservation{ID: newID(1000 + i), Shelter: shelterA, Party: "某村", N: 7})
			full := new(shelters.NoRoom)
			switch {
			case err == nil && created:
				made.Add(1)
			case errors.As(err, &full):
				if full.Free >= 7 {
					t.Errorf("refused with %d free", full.Free)
				}
				refused.Add(1)
			default:
				t.Errorf("reservation %d: %v", i, err)
			}
		})
	}
	close(begin)
	wg.Wait()
	if made.Load() != 14 || refused.Load() != 36 {
		t.Errorf("%d made, %d refused, want 14 and 36", made.Load(), refused.Load())
	}
	got := h.get(by, shelterA)
	if got.Reserved != 98 || *got.Free() != 2 {
		t.Errorf("reserved %d, free %d", got.Reserved, *got.Free())
	}
	var sum int
	if err := h.conn.QueryRow(t.Context(), `select sum(n) from shelter_reservations where state = 'held'`).Scan(&sum); err != nil || sum != 98 {
		t.Errorf("the rows say %d, %v", sum, err)
	}
	// The database refuses it to whoever goes round the service.
	if _, err := h.conn.Exec(t.Context(), `update shelters set reserved = 101 where id = $1`, shelterA); err == nil {
		t.Error("the floor let a promise above capacity")
	}
}

func TestReserveAgainReleaseAndExpire(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	n := shelters.NewReservation{ID: newID(1), Shelter: shelterA, Party: "东村", N: 60, Until: time.Now().Add(time.Hour)}
	if _, _, created, err := h.s.Reserve(t.Context(), by, n); err != nil || !created {
		t.Fatal(created, err)
	}
	if r, s, created, err := h.s.Reserve(t.Context(), by, n); err != nil || created || r.N != 60 || s.Reserved != 60 {
		t.Errorf("again: %v %v %+v", created, err, r)
	}
	n.N = 61
	if _, _, _, err := h.s.Reserve(t.Context(), by, n); clash(err) != "id_taken" {
		t.Errorf("the id with another number: %v", err)
	}
	full := new(shelters.NoRoom)
	if _, _, _, err := h.s.Reserve(t.Context(), by, shelters.NewReservation{ID: newID(2), Shelter: shelterA, Party: "西村", N: 41}); !errors.As(err, &full) || full.Free != 40 {
		t.Errorf("41 of 40: %v", err)
	}
	if _, _, _, err := h.s.Reserve(t.Context(), by, shelters.NewReservation{ID: newID(2), Shelter: unknownSize, Party: "西村", N: 1}); clash(err) != "capacity_unknown" {
		t.Errorf("of an unknown size: %v", err)
	}
	if s, err := h.s.Release(t.Context(), by, shelterA, newID(1)); err != nil || s.Reserved != 0 {
		t.Errorf("released: %+v %v", s, err)
	}
	if s, err := h.s.Release(t.Context(), by, shelterA, newID(1)); err != nil || s.Reserved != 0 {
		t.Errorf("released twice: %+v %v", s, err)
	}
	if _, _, _, err := h.s.Reserve(t.Context(), by, shelters.NewReservation{ID: newID(3), Shelter: shelterA, Party: "西村", N: 100, Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	h.clock.Store(int64(2 * time.Hour))
	if n, err := h.s.Sweep(t.Context()); err != nil || n != 1 {
		t.Errorf("swept %d, %v", n, err)
	}
	if s := h.get(by, shelterA); s.Reserved != 0 || *s.Free() != 100 {
		t.Errorf("after it ran out: %+v", s)
	}
}

func TestCheckInOnceAndStates(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	if _, _, _, err := h.s.Reserve(t.Context(), by, shelters.NewReservation{ID: newID(1), Shelter: shelterA, Party: "东村", N: 30}); err != nil {
		t.Fatal(err)
	}
	in := shelters.CheckIn{OpID: newID(10), Shelter: shelterA, In: 20, Reservation: newID(1)}
	for i := range 3 {
		c, err := h.s.Check(t.Context(), by, in)
		if err != nil || c.After != 20 || c.Duplicate != (i > 0) {
			t.Fatalf("%d: %+v %v", i, c, err)
		}
	}
	if s := h.get(by, shelterA); *s.Occupancy != 20 || s.Reserved != 10 || *s.Free() != 70 || s.ConfirmedAt == nil {
		t.Errorf("20 of 30 arrived: %+v", s)
	}
	if _, err := h.s.Check(t.Context(), by, shelters.CheckIn{OpID: newID(11), Shelter: shelterA, Out: 21}); clash(err) != "more_left_than_there" {
		t.Errorf("21 of 20 leave: %v", err)
	}
	c, err := h.s.Check(t.Context(), by, shelters.CheckIn{OpID: newID(12), Shelter: shelterA, In: 90})
	if err != nil || !c.Over || c.Shelter.State != shelters.Full || *c.Shelter.Free() != 0 {
		t.Errorf("110 in 100: %+v %v", c, err)
	}
	if c, err = h.s.Check(t.Context(), by, shelters.CheckIn{OpID: newID(13), Shelter: shelterA, Out: 40}); err != nil || c.Shelter.State != shelters.Opened || *c.Shelter.Free() != 20 {
		t.Errorf("70 in 100, 10 promised: %+v %v", c, err)
	}
	list, err := h.s.CheckIns(t.Context(), by.Identity, shelterA, 10, nil)
	if err != nil || len(list) != 3 || list[0].After != 70 {
		t.Errorf("the log: %+v %v", list, err)
	}
	if tag, err := h.conn.Exec(t.Context(), `update shelter_checkins set in_n = 5`); err == nil && tag.RowsAffected() > 0 {
		t.Error("what was written down was changed")
	}
}

// TestConcurrentCheckInsAddUp: the same twenty check-ins, sent twice each at once.
func TestConcurrentCheckInsAddUp(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if _, err := h.s.Check(context.Background(), by, shelters.CheckIn{OpID: newID(i / 2), Shelter: shelterA, In: 3}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s := h.get(by, shelterA); *s.Occupancy != 60 {
		t.Errorf("%d there, want 60", *s.Occupancy)
	}
}

func TestStaleAndConfirm(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	s := h.get(by, shelterA)
	if !s.Stale {
		t.Error("an open nobody ever confirmed is believed")
	}
	s, err := h.s.Change(t.Context(), by, shelterA, s.Version, shelters.Patch{StillCurrent: true})
	if err != nil || s.Stale || s.State != shelters.Opened {
		t.Fatalf("confirmed: %+v %v", s, err)
	}
	if _, err := h.s.Change(t.Context(), by, shelterA, s.Version-1, shelters.Patch{StillCurrent: true}); !errors.Is(err, auth.ErrStaleVersion) {
		t.Errorf("an old version: %v", err)
	}
	h.clock.Store(int64(121 * time.Minute))
	if s = h.get(by, shelterA); !s.Stale {
		t.Error("after 121 minutes it is believed")
	}
	closed := shelters.Closed
	if s, err = h.s.Change(t.Context(), by, shelterA, s.Version, shelters.Patch{State: &closed}); err != nil || s.Stale || *s.Free() != 0 {
		t.Errorf("closed: %+v %v", s, err)
	}
	if _, _, _, err := h.s.Reserve(t.Context(), by, shelters.NewReservation{ID: newID(1), Shelter: shelterA, Party: "东村", N: 1}); clash(err) != "shelter_not_open" {
		t.Errorf("a place in a closed one: %v", err)
	}
}

// TestWhoMay: nobody outside, nobody without the permission; a grid worker on the spot
// registers who came to his grid's shelter and changes nothing else.
func TestWhoMay(t *testing.T) {
	h := open(t)
	foreign, worker, viewer := h.as("duty-b", auth.DutyOfficer, countyB), h.as("worker", auth.GridWorker, gridA), h.as("viewer", auth.Viewer, countyA)
	open := shelters.Opened
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"foreign desk changes": {second(h.s.Change(t.Context(), foreign, shelterA, 1, shelters.Patch{State: &open})), auth.ErrNotFound},
		"worker changes":       {second(h.s.Change(t.Context(), worker, shelterA, 1, shelters.Patch{State: &open})), auth.ErrForbidden},
		"viewer checks in":     {second(h.s.Check(t.Context(), viewer, shelters.CheckIn{OpID: newID(1), Shelter: shelterA, In: 1})), auth.ErrForbidden},
		"worker checks in":     {second(h.s.Check(t.Context(), worker, shelters.CheckIn{OpID: newID(2), Shelter: shelterA, In: 1})), nil},
		"foreign checks in":    {second(h.s.Check(t.Context(), foreign, shelters.CheckIn{OpID: newID(3), Shelter: shelterA, In: 1})), auth.ErrNotFound},
		"foreign reads":        {second(h.s.Reservations(t.Context(), foreign.Identity, shelterA, false, nil)), auth.ErrNotFound},
		"absent":               {second(h.s.Change(t.Context(), worker, newID(99), 1, shelters.Patch{State: &open})), auth.ErrNotFound},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestAnExerciseLeavesNoTrace: what is booked, checked in and opened in an exercise is of the
// exercise alone: the shelter, its version and its lists are as they were.
func TestAnExerciseLeavesNoTrace(t *testing.T) {
	h := open(t)
	by := h.as("duty", auth.DutyOfficer, countyA)
	if _, _, _, err := h.s.Reserve(t.Context(), by, shelters.NewReservation{ID: newID(1), Shelter: shelterA, Party: "东村", N: 30}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.Check(t.Context(), by, shelters.CheckIn{OpID: newID(2), Shelter: shelterA, In: 10}); err != nil {
		t.Fatal(err)
	}
	before := h.get(by, shelterA)

	n := shelters.NewReservation{ID: newID(10), Shelter: shelterA, Party: "演练村", N: 80, Exercise: true}
	r, s, created, err := h.s.Reserve(t.Context(), by, n)
	if err != nil || !created || !r.Exercise || s.Drill.Reserved != 80 || *s.Drill.Free != 20 || s.Reserved != 30 {
		t.Fatalf("80 of 100 in an exercise: %+v %+v %v", r, s, err)
	}
	if _, _, created, err := h.s.Reserve(t.Context(), by, n); err != nil || created {
		t.Errorf("said twice: %v %v", created, err)
	}
	n.Exercise = false
	if _, _, _, err := h.s.Reserve(t.Context(), by, n); clash(err) != "id_taken" {
		t.Errorf("the id of an exercise for something real: %v", err)
	}
	full := new(shelters.NoRoom)
	if _, _, _, err := h.s.Reserve(t.Context(), by, shelters.NewReservation{ID: newID(11), Shelter: shelterA, Party: "演练村", N: 21, Exercise: true}); !errors.As(err, &full) || full.Free != 20 {
		t.Errorf("21 of 20 in an exercise: %v", err)
	}
	if _, err := h.s.Check(t.Context(), by, shelters.CheckIn{OpID: newID(12), Shelter: shelterA, In: 5, Reservation: newID(10)}); err == nil {
		t.Error("somebody real came on the reservation of an exercise")
	}
	c, err := h.s.Check(t.Context(), by, shelters.CheckIn{OpID: newID(13), Shelter: shelterA, In: 50, Reservation: newID(10), Exercise: true})
	if err != nil || c.After != 50 || c.Shelter.Drill.Occupancy != 50 || c.Shelter.Drill.Reserved != 30 || *c.Shelter.Drill.Free != 20 {
		t.Errorf("50 of 80 arrived in an exercise: %+v %v", c, err)
	}
	if c, err = h.s.Check(t.Context(), by, shelters.CheckIn{OpID: newID(14), Shelter: shelterA, In: 60, Exercise: true}); err != nil || !c.Over || c.After != 110 {
		t.Errorf("110 in 100 in an exercise: %+v %v", c, err)
	}
	if _, err = h.s.Check(t.Context(), by, shelters.CheckIn{OpID: newID(15), Shelter: shelterA, Out: 111, Exercise: true}); clash(err) != "more_left_than_there" {
		t.Errorf("111 of 110 leave: %v", err)
	}
	closed := shelters.Closed
	if _, err := h.s.Change(t.Context(), by, shelterA, before.Version, shelters.Patch{State: &closed, Exercise: true}); clash(err) != "exercise_changes_nothing" {
		t.Errorf("a state in an exercise: %v", err)
	}
	after := h.get(by, shelterA)
	if after.Version != before.Version || after.State != before.State || *after.Occupancy != 10 || after.Reserved != 30 || *after.Free() != 60 || !after.ConfirmedAt.Equal(*before.ConfirmedAt) {
		t.Errorf("after the exercise: %+v, before it %+v", after, before)
	}
	no, yes := false, true
	if list, err := h.s.Reservations(t.Context(), by.Identity, shelterA, true, &no); err != nil || len(list) != 1 || list[0].ID != newID(1) {
		t.Errorf("real reservations: %+v %v", list, err)
	}
	if list, err := h.s.CheckIns(t.Context(), by.Identity, shelterA, 10, &no); err != nil || len(list) != 1 {
		t.Errorf("real check-ins: %+v %v", list, err)
	}
	if list, err := h.s.CheckIns(t.Context(), by.Identity, shelterA, 10, &yes); err != nil || len(list) != 2 || !list[0].Exercise {
		t.Errorf("those of the exercise: %+v %v", list, err)
	}
	if s, err := h.s.Release(t.Context(), by, shelterA, newID(10)); err != nil || s.Reserved != 30 || s.Drill.Reserved != 0 {
		t.Errorf("released: %+v %v", s, err)
	}
	// The next day's exercise begins with an empty shelter.
	h.clock.Store(int64(13 * time.Hour))
	if list, _, err := h.s.Status(t.Context(), by.Identity, shelters.Query{IDs: []string{shelterA}, Drill: true}); err != nil || list[0].Drill.Occupancy != 0 {
		t.Errorf("half a day later: %+v %v", list, err)
	}
}
