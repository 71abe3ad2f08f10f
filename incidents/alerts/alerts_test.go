package alerts_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"onemap/incidents/alerts"
	"onemap/incidents/cap"
	"onemap/internal/auth"
	"onemap/internal/outbound"
	"onemap/internal/pgtest"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := alerts.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

func codes(list []alerts.Village) string {
	var out []string
	for _, v := range list {
		mark := ""
		if v.Added {
			mark = "+"
		}
		out = append(out, v.Name+mark)
	}
	return strings.Join(out, " ")
}

// TestAChain: an Alert, an Update that moves, a Cancel; one live event all along.
func TestAChain(t *testing.T) {
	h := open(t)
	duty := h.as("duty", auth.DutyOfficer, countyA)
	first := h.taken(duty, message(cap.Alert, 30, 0, 0.2))
	if first.State != alerts.Active || *first.Level != 1 || first.EventCode != "11B03" || first.Hazard != "rainstorm" || first.Chain != first.ID || len(first.Notes) != 0 || first.Targets != 1 {
		t.Errorf("%+v", first)
	}
	got := h.targets(duty, first.ID)
	if v := got.Villages; codes(v) != "东村" || !v[0].Whole || *v[0].Population != 1000 || v[0].Listed == nil || v[0].Listed.MustMove != 1 || v[0].Listed.Weak != 2 || len(v[0].Grids) != 2 || v[0].Grids[0].Worker != "网格员甲" {
		t.Errorf("targets %+v", v)
	}
	viewer := h.as("viewer", auth.Viewer, countyA)
	if v := h.targets(viewer, first.ID).Villages; v[0].Listed != nil {
		t.Errorf("a viewer sees the restricted counts: %+v", v[0].Listed)
	}

	second := h.taken(duty, message(cap.Update, 40, 0.1, 0.3, 30))
	if second.Chain != first.Chain || second.State != alerts.Active {
		t.Errorf("%+v", second)
	}
	got = h.targets(duty, second.ID)
	if codes(got.Villages) != "东村 西村+" || codes(got.Removed) != "" || got.Villages[0].Share < 0.49 || got.Villages[0].Share > 0.51 || *got.Villages[0].Population != 500 {
		t.Errorf("update: %s, removed %s, %+v", codes(got.Villages), codes(got.Removed), got.Villages)
	}
	third := h.taken(duty, message(cap.Update, 50, 0.25, 0.3, 40, 30))
	if got = h.targets(duty, third.ID); codes(got.Villages) != "西村" || codes(got.Removed) != "东村" {
		t.Errorf("second update: %s, removed %s", codes(got.Villages), codes(got.Removed))
	}
	// One that was overtaken on its way is kept and shows nothing.
	late := h.taken(duty, message(cap.Update, 45, 0, 0.4, 40))
	if late.State != alerts.Updated || late.Notes[0].Code != "overtaken" {
		t.Errorf("overtaken: %+v", late)
	}
	page, err := h.s.Alerts(t.Context(), duty.Identity, alerts.Query{State: alerts.Active})
	if err != nil || len(page.Alerts) != 1 || page.Alerts[0].ID != third.ID || page.Active != 1 || page.ByLevel[1] != 1 {
		t.Errorf("live: %+v %v", page, err)
	}

	over, made, err := h.take(duty, message(cap.Cancel, 55, 0, 0, 50))
	if err != nil || made || over.ID != third.ID || over.State != alerts.Cancelled {
		t.Errorf("cancel: %+v made %v, %v", over, made, err)
	}
	if _, _, err := h.take(duty, message(cap.Cancel, 56, 0, 0, 50)); !conflict(err, "already_over") {
		t.Errorf("cancelled twice: %v", err)
	}
	list, err := h.s.Messages(t.Context(), duty.Identity, third.Chain)
	if err != nil || len(list) != 5 || list[4].MsgType != cap.Cancel || list[4].Alert != third.ID {
		t.Errorf("messages: %+v %v", list, err)
	}
	if page, err = h.s.Alerts(t.Context(), duty.Identity, alerts.Query{Chain: third.Chain}); err != nil || len(page.Alerts) != 4 || page.Active != 0 {
		t.Errorf("a Cancel made an alert: %d of the chain, %d live, %v", len(page.Alerts), page.Active, err)
	}
	// The same people are asked again whether they heard that it is over.
	if got = h.targets(duty, third.ID); got.Message.MsgType != cap.Cancel || codes(got.Villages) != "西村" || got.Villages[0].State != "waiting" {
		t.Errorf("after the cancel: %+v", got)
	}
	// An Update of what is over is a new warning, said so.
	again := h.taken(duty, message(cap.Update, 58, 0, 0.2, 55))
	if again.Chain != again.ID || again.Notes[0].Code != "chain_over" {
		t.Errorf("%+v", again)
	}
}

func conflict(err error, code string) bool {
	c, ok := errors.AsType[*auth.Conflict](err)
	return ok && c.Code == code
}

func refused(err error, code string) (*alerts.Refused, bool) {
	r, ok := errors.AsType[*alerts.Refused](err)
	if !ok {
		return nil, false
	}
	for _, f := range r.Findings {
		if f.Fatal && f.Code == code {
			return r, true
		}
	}
	return r, false
}

func TestBadMessagesChangeNothing(t *testing.T) {
	h := open(t)
	duty := h.as("duty", auth.DutyOfficer, countyA)
	good := message(cap.Alert, 30, 0, 0.2)
	if _, _, err := h.take(duty, message(cap.Cancel, 40, 0, 0, 30)); !is(refused(err, "unknown_reference")) {
		t.Errorf("cancel of an unknown alert: %v", err)
	}
	if _, _, err := h.take(duty, strings.Replace(good, "<alert", `<!DOCTYPE a SYSTEM "http://127.0.0.1:1/"><alert`, 1)); !is(refused(err, "doctype")) {
		t.Errorf("doctype: %v", err)
	}
	if _, _, err := h.take(duty, strings.Replace(good, "20:30:00", "14:29:00", 1)); !is(refused(err, cap.CodeExpiredBefore)) {
		t.Errorf("expired before sent: %v", err)
	}
	open := strings.Replace(good, " 34,119</polygon>", "</polygon>", 1)
	if r, ok := refused(second(h.take(duty, open)), cap.CodeOpenRing); !ok || !r.Close {
		t.Errorf("open ring: %+v", r)
	}
	bow := strings.Replace(good, "34,119 34,119.2 34.2,119.2 34.2,119 34,119", "34,119 34.2,119.2 34,119.2 34.2,119 34,119", 1)
	if _, ok := refused(second(h.take(duty, bow)), "bad_polygon"); !ok {
		t.Error("a bow tie was taken")
	}
	swapped := strings.Replace(good, "34,119 34,119.2 34.2,119.2 34.2,119 34,119", "119,34 119.2,34 119.2,34.2 119,34.2 119,34", 1)
	r, ok := refused(second(h.take(duty, swapped)), cap.CodeOffEarth)
	if !ok || r.Swap == nil || r.Swap.Area != countyA || r.Swap.SwappedUnits != 4 || r.Swap.GivenOnEarth {
		t.Errorf("swapped beyond 90: %+v", r)
	}
	// West of 90 E both ways are on earth: only our own units tell.
	if page, err := h.s.Alerts(t.Context(), duty.Identity, alerts.Query{Exercise: "all"}); err != nil || len(page.Alerts) != 0 {
		t.Fatalf("what was refused left %d alerts, %v", len(page.Alerts), err)
	}
	in, err := alerts.Read([]byte(swapped))
	if err != nil {
		t.Fatal(err)
	}
	in.Swap = true
	a, _, err := h.s.Take(t.Context(), duty, in)
	if err != nil || a.Targets != 1 || a.Notes[0].Code != "swapped" {
		t.Errorf("exchanged: %+v %v", a, err)
	}
	in, _ = alerts.Read([]byte(strings.Replace(open, "143000_0", "143001_0", 1)))
	in.Close = true
	if a, _, err := h.s.Take(t.Context(), duty, in); err != nil || a.Targets != 1 {
		t.Errorf("closed: %+v %v", a, err)
	}
}

func TestSwappedWhereBothAreOnEarth(t *testing.T) {
	h := open(t)
	h.exec(`insert into admin (code, admin_code, name, rank, geom) values ('650100', '650100', '西县', 3, st_makeenvelope(86, 43, 88, 44, 4490))`)
	duty := h.as("duty", auth.DutyOfficer, "")
	text := strings.Replace(message(cap.Alert, 30, 0, 0.2), "34,119 34,119.2 34.2,119.2 34.2,119 34,119", "87,43.1 87.2,43.1 87.2,43.3 87,43.3 87,43.1", 1)
	r, ok := refused(second(h.take(duty, text)), "swapped_lat_lon")
	if !ok || r.Swap == nil || !r.Swap.GivenOnEarth || r.Swap.Area != "650100" || r.Swap.Units != 0 {
		t.Errorf("%+v", r)
	}
	in, _ := alerts.Read([]byte(text))
	in.Keep = true
	if _, _, err := h.s.Take(t.Context(), duty, in); err != nil {
		t.Errorf("kept as it is: %v", err)
	}
}

func is(_ *alerts.Refused, ok bool) bool             { return ok }
func second(_ alerts.Alert, _ bool, err error) error { return err }
func text(b []byte, err error) (string, error)       { return string(b), err }

func TestTheSameMessageIsTheSameAlert(t *testing.T) {
	h := open(t)
	duty := h.as("duty", auth.DutyOfficer, countyA)
	body := message(cap.Alert, 30, 0, 0.2)
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]int{}
	for range 4 {
		wg.Go(func() {
			a, made, err := h.take(duty, body)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if made {
				ids["made"]++
			}
			ids[a.ID]++
		})
	}
	wg.Wait()
	if len(ids) != 2 || ids["made"] != 1 {
		t.Errorf("%v", ids)
	}
	if _, _, err := h.take(duty, strings.Replace(body, "Extreme", "Minor", 1)); !conflict(err, "identifier_taken") {
		t.Errorf("another message with the identifier: %v", err)
	}
}

// TestWhoTakesAndWhoSees: a warning over two counties is each one's own part.
func TestWhoTakesAndWhoSees(t *testing.T) {
	h := open(t)
	dutyA, dutyB := h.as("a", auth.DutyOfficer, countyA), h.as("b", auth.DutyOfficer, countyB)
	a := h.taken(dutyA, message(cap.Alert, 30, 0.1, 0.6))
	if got := h.targets(dutyA, a.ID); codes(got.Villages) != "东村 西村" {
		t.Errorf("of the county: %s", codes(got.Villages))
	}
	if _, err := h.s.Alert(t.Context(), dutyB.Identity, a.ID); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("the other county sees it: %v", err)
	}
	if _, _, err := h.take(dutyB, message(cap.Alert, 31, 0, 0.1)); err == nil {
		t.Error("a warning outside his area was taken")
	}
	if _, _, err := h.take(h.as("v", auth.Viewer, countyA), message(cap.Alert, 32, 0, 0.1)); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := h.s.Outbound(t.Context(), dutyB.Identity, a.ID); !errors.Is(err, auth.ErrNotFound) {
		t.Errorf("outbound of the other county: %v", err)
	}
}

func TestColoursAreCountedPerSource(t *testing.T) {
	h := open(t)
	duty := h.as("duty", auth.DutyOfficer, countyA)
	at := 0
	level := func(source, code, severity, headline string) int {
		t.Helper()
		at++
		body := message(cap.Alert, at, 0, 0.1)
		body = strings.Replace(body, "<severity>Extreme", "<severity>"+severity, 1)
		body = strings.Replace(body, "甲县气象台发布暴雨红色预警信号", headline, 1)
		if code != "" {
			body = strings.Replace(body, "<expires>", "<eventCode><valueName>x</valueName><value>"+code+"</value></eventCode><expires>", 1)
		}
		in, err := alerts.Read([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		in.Source = source
		a, _, err := h.s.Take(t.Context(), duty, in)
		if err != nil {
			t.Fatal(err)
		}
		if a.Level == nil {
			return 0
		}
		return *a.Level
	}
	for _, c := range []struct {
		source, code, severity, headline string
		want                             int
	}{
		{"", "", "Moderate", "大雨", 3}, {"", "", "Moderate", "暴雨橙色预警", 2}, {"cma", "p0002003", "Unknown", "暴雨", 3}, {"caiyun", "0203", "Unknown", "暴雨", 2},
		{"cma", "p0002001", "Unknown", "暴雨", 1}, {"caiyun", "0201", "Unknown", "暴雨", 4}, {"", "", "Unknown", "暴雨", 0},
	} {
		if got := level(c.source, c.code, c.severity, c.headline); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestReceiptsAndCoverage(t *testing.T) {
	h := open(t)
	duty := h.as("duty", auth.DutyOfficer, countyA)
	a := h.taken(duty, message(cap.Alert, 30, 0, 0.4))
	give := func(op, outcome string, after time.Duration, targets ...string) error {
		return h.s.Receive(t.Context(), duty, a.ID, alerts.Receipt{OpID: "01900000-0000-7000-8000-0000000000" + op, Targets: targets, Channel: "phone", Outcome: outcome, At: h.now.Add(after)})
	}
	const east, west = "990100101001", "990100101002"
	for i, err := range []error{give("01", alerts.Unreached, 0, east), give("02", alerts.Acknowledged, 3*time.Minute, east), give("02", alerts.Acknowledged, 3*time.Minute, east), give("03", alerts.Reached, time.Minute, west)} {
		if err != nil {
			t.Errorf("receipt %d: %v", i, err)
		}
	}
	got := h.targets(duty, a.ID)
	if k := got.KPI; k.Targets != 2 || k.Reached != 2 || k.Acknowledged != 1 || k.Coverage != 0.5 || k.MinutesTo90 != nil || k.PersonsAcknowledged != 1000 {
		t.Errorf("%+v", k)
	}
	if err := give("04", alerts.Acknowledged, 9*time.Minute, west); err != nil {
		t.Fatal(err)
	}
	if k := h.targets(duty, a.ID).KPI; k.Coverage != 1 || k.MinutesTo90 == nil || *k.MinutesTo90 != 9 {
		t.Errorf("%+v", k)
	}
	for code, err := range map[string]error{"not_a_target": give("05", alerts.Reached, 0, "990100101"), "future": give("06", alerts.Reached, time.Hour, east), "unknown": give("07", "shouted", 0, east)} {
		bad, ok := errors.AsType[*auth.Invalid](err)
		if !ok || bad.Items[0].Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
	if err := give("02", alerts.Reached, 0, east); !conflict(err, "op_id_taken") {
		t.Errorf("an op_id for something else: %v", err)
	}
}

// TestOutbound: nothing goes where the setting does not name; what fails is tried again; a
// receiver can tell that it is ours; a Cancel goes where its chain had gone.
func TestOutbound(t *testing.T) {
	var mu sync.Mutex
	var got []string
	fail := 1
	var problem string
	var h *house
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if fail > 0 {
			fail--
			w.WriteHeader(503)
			return
		}
		key, err := os.ReadFile(filepath.Join(h.dir, "keys", "city.key"))
		if err != nil {
			problem = err.Error()
		}
		at, sig, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Onemap-Signature"), "t="), ",v1=")
		if raw := unhex(string(key)); alerts.Signature(raw, at, body) != sig || sig == "" {
			problem = "the signature does not hold"
		}
		m, notes, err := cap.Decode(body)
		if err != nil || len(notes) > 0 {
			problem = "not CAP"
			return
		}
		got = append(got, m.MsgType)
	}))
	defer srv.Close()
	h = open(t, outbound.SettingKey, `{"webhooks":[{"id":"city","title":"市平台","url":"`+srv.URL+`/in?token=QZTOKEN"}],"drops":[{"id":"radio","title":"应急广播"}]}`)
	duty := h.as("duty", auth.DutyOfficer, countyA)
	a := h.taken(duty, message(cap.Alert, 30, 0, 0.2))
	if _, err := h.s.Forward(t.Context(), duty, a.ID, []string{"nowhere"}); err == nil {
		t.Error("it goes where nobody allowed")
	}
	if _, err := h.s.Forward(t.Context(), h.as("v", auth.Viewer, countyA), a.ID, []string{"city"}); !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("a viewer forwards: %v", err)
	}
	list, err := h.s.Forward(t.Context(), duty, a.ID, []string{"city", "radio"})
	if err != nil || len(list) != 2 || list[0].State != "waiting" {
		t.Fatalf("%+v %v", list, err)
	}
	if list, err = h.s.Forward(t.Context(), duty, a.ID, []string{"city"}); err != nil || len(list) != 2 {
		t.Errorf("twice: %+v %v", list, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.s.Run(ctx) }()
	defer func() { stop(); <-done }()
	wait := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited for %s: %+v", what, list)
			}
		}
	}
	state := func() (waiting, sent int) {
		if list, err = h.s.Outbound(t.Context(), duty.Identity, a.ID); err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			switch o.State {
			case "waiting":
				waiting++
			case "sent":
				sent++
			}
		}
		return waiting, sent
	}
	wait("the first attempt", func() bool {
		_, sent := state()
		return sent == 1 && list[0].LastError+list[1].LastError != ""
	})
	for _, o := range list {
		if o.State == "waiting" && (!strings.Contains(o.LastError, "503") || strings.Contains(o.LastError, "QZTOKEN")) {
			t.Errorf("what is said of the failure: %q", o.LastError)
		}
	}
	h.exec(`update alert_outbound set next_at = '2026-01-01'`) // the wait is over
	wait("the second", func() bool { w, s := state(); return w == 0 && s == 2 })
	if over, _, err := h.take(duty, message(cap.Cancel, 40, 0, 0, 30)); err != nil || over.State != alerts.Cancelled {
		t.Fatal(err)
	}
	wait("the cancel", func() bool { w, s := state(); return w == 0 && s == 4 })
	mu.Lock()
	defer mu.Unlock()
	if strings.Join(got, " ") != "Alert Cancel" || problem != "" {
		t.Errorf("received %v, %s", got, problem)
	}
	files, err := filepath.Glob(filepath.Join(h.dir, "drops", "radio", "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("dropped %v %v", files, err)
	}
	body, err := text(os.ReadFile(files[0]))
	if err != nil || !strings.Contains(body, "<msgType>Alert</msgType>") || filepath.Base(files[0]) != "99010041600000_20260705143000_0.xml" {
		t.Errorf("%s: %s %v", files[0], body, err)
	}
}

func unhex(s string) []byte {
	var out []byte
	s = strings.TrimSpace(s)
	for i := 0; i+1 < len(s); i += 2 {
		hi, lo := strings.IndexByte("0123456789abcdef", s[i]), strings.IndexByte("0123456789abcdef", s[i+1])
		out = append(out, byte(hi<<4|lo))
	}
	return out
}

func TestAnExerciseIsInNoCount(t *testing.T) {
	h := open(t)
	duty := h.as("duty", auth.DutyOfficer, countyA)
	a := h.taken(duty, strings.Replace(message(cap.Alert, 30, 0, 0.2), "Actual", "Exercise", 1))
	page, err := h.s.Alerts(t.Context(), duty.Identity, alerts.Query{})
	if err != nil || !a.Exercise || len(page.Alerts) != 0 || page.Active != 0 {
		t.Errorf("%+v %+v %v", a, page, err)
	}
	if page, err = h.s.Alerts(t.Context(), duty.Identity, alerts.Query{Exercise: "true"}); err != nil || len(page.Alerts) != 1 {
		t.Errorf("%+v %v", page, err)
	}
}

func TestCodesStandForAnArea(t *testing.T) {
	h := open(t)
	duty := h.as("duty", auth.DutyOfficer, countyA)
	body := message(cap.Alert, 30, 0, 0.2)
	from, to := strings.Index(body, "<polygon>"), strings.Index(body, "</polygon>")+len("</polygon>")
	a := h.taken(duty, body[:from]+"<geocode><valueName>行政区划代码</valueName><value>990100101002</value></geocode>"+body[to:])
	if got := h.targets(duty, a.ID); codes(got.Villages) != "西村" || a.Geometry == nil {
		t.Errorf("%s %+v", codes(got.Villages), a)
	}
	b := h.taken(duty, strings.Replace(body[:from]+body[to:], "143000_0", "143001_0", 1))
	if b.Geometry != nil || b.Notes[0].Code != "no_place" {
		t.Errorf("without an area: %+v", b)
	}
	xml, err := text(h.s.CAP(t.Context(), duty.Identity, a.ID, ""))
	if err != nil || !strings.Contains(xml, "<value>990100101002</value>") {
		t.Errorf("%s %v", xml, err)
	}
}
