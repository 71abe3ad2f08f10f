package api_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// TestAHundredQuestionsKeepNoReportWaiting: while a hundred screens ask who is inside an
// area, and not one of the questions that run can go on, what comes in is taken and what
// stands there is read; no more than three of the hundred hold a connection. Who finds no
// place is told to come again, and when it is over the questions are answered.
func TestAHundredQuestionsKeepNoReportWaiting(t *testing.T) {
	e := impactHouse(t)
	officer := e.desk("duty.officer", "李值班", auth.DutyOfficer, ownArea)
	e.settle()
	lock := pgtest.Connect(t, e.dsn.Admin)
	if _, err := lock.Exec(t.Context(), `begin; lock table population in access exclusive mode`); err != nil {
		t.Fatal(err)
	}
	ask := func() (status int, again string, err error) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", "http://localhost/api/impact", strings.NewReader(eastern+`}`))
		if err != nil {
			return 0, "", err
		}
		for h := append(session(officer.cookie), "Content-Type", "application/json", "Sec-Fetch-Site", "same-origin"); len(h) > 0; h = h[2:] {
			req.Header.Set(h[0], h[1])
		}
		resp, err := e.client.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.Header.Get("Retry-After"), err
	}
	var asking sync.WaitGroup
	var mu sync.Mutex
	done, told := make(chan struct{}), map[string]int{}
	for range 100 {
		asking.Go(func() {
			for {
				status, again, err := ask()
				mu.Lock()
				told[fmt.Sprintf("%d %v %v", status, again != "", err)]++
				mu.Unlock()
				select {
				case <-done:
					return
				case <-time.After(200 * time.Millisecond):
				}
			}
		})
	}
	held := func() (n int) {
		t.Helper()
		if err := e.conn.QueryRow(t.Context(), `select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for until := time.Now().Add(time.Minute); held() == 0; {
		if time.Now().After(until) {
			t.Fatal("no question runs: this test sees nothing")
		}
		time.Sleep(10 * time.Millisecond)
	}
	most := 0
	for range 8 {
		if r := officer.ask("PUT", "/api/incidents/"+newID(), `{"kind":"fire","place":"甲镇粮站"}`); r.StatusCode != 201 {
			t.Errorf("a report meanwhile: %d %s", r.StatusCode, r.body)
		}
		if r := officer.ask("GET", "/api/incidents?open=true", ""); r.StatusCode != 200 {
			t.Errorf("the list meanwhile: %d %s", r.StatusCode, r.body)
		}
		most = max(most, held())
	}
	if most < 1 || most > 3 {
		t.Errorf("%d questions held a connection", most)
	}
	close(done)
	if _, err := lock.Exec(t.Context(), `rollback`); err != nil {
		t.Fatal(err)
	}
	asking.Wait()
	full := 0
	for what, n := range told {
		switch what {
		case "503 true <nil>":
			full += n
		case "200 false <nil>":
		default:
			t.Errorf("%d were told %s", n, what)
		}
	}
	if full < 80 {
		t.Errorf("%d were told to come again: %v", full, told)
	}
	if status, _, err := ask(); status != 200 {
		t.Errorf("afterwards %d %v", status, err)
	}
}
