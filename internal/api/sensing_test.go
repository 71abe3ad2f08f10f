package api_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"onemap/internal/auth"
)

// feedStation is a line of the snapshot as its source publishes it.
type feedStation struct {
	StationName, StationID string
	ObsTime                struct{ DateTime string }
	GeoInfo                struct {
		Coordinates []struct{ StationLatitude, StationLongitude float64 }
	}
	RainfallElement map[string]struct{ Precipitation float64 }
}

// TestARealSnapshot posts what 1,112 real gauges said as a typhoon came near, and asks for
// the picture of that evening.
func TestARealSnapshot(t *testing.T) {
	raw, err := os.ReadFile("../../../shared/data/feeds/rain_stations_fungwong_20251111.json")
	if err != nil {
		t.Skip("the snapshot is not here: ", err)
	}
	var snapshot struct {
		Records struct{ Station []feedStation }
	}
	if err := json.Unmarshal(raw, &snapshot); err != nil {
		t.Fatal(err)
	}
	e := start(t)
	measures := map[string]string{"Past10Min": "rain", "Past1hr": "rain_1h", "Past3hr": "rain_3h", "Past6hr": "rain_6h", "Past12hr": "rain_12h", "Past24hr": "rain_24h"}
	type observation struct {
		Station string  `json:"station"`
		Measure string  `json:"measure"`
		Value   float64 `json:"value"`
		At      string  `json:"at"`
	}
	var list []observation
	wet, missing := map[string]float64{}, 0
	for _, st := range snapshot.Records.Station {
		at := st.GeoInfo.Coordinates[0]
		e.exec(`insert into sensors (code, name, kind, measure, unit, admin_code, geom) values ($1, $2, 'rain', '1小时雨量', 'mm', '990100', st_setsrid(st_makepoint($3, $4), 4490))`, st.StationID, st.StationName, at.StationLongitude, at.StationLatitude)
		for name, m := range measures {
			v, ok := st.RainfallElement[name]
			if !ok {
				continue
			}
			if v.Precipitation < 0 {
				missing++
			}
			list = append(list, observation{st.StationID, m, v.Precipitation, st.ObsTime.DateTime})
		}
		wet[st.StationID] = st.RainfallElement["Past24hr"].Precipitation
	}
	_, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "雨量网关", Role: auth.DataEngineer, Area: "990100", Scopes: []string{"ingest"}})
	if err != nil {
		t.Fatal(err)
	}
	_, reader, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "看", Role: auth.DutyOfficer, Area: "990100", Scopes: []string{"read"}})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the tokens", func() bool {
		return e.get("/api/stations?area=990100", "Authorization", "Bearer "+reader).StatusCode == 200 && e.post("/api/observations", `{}`, "Authorization", "Bearer "+secret).StatusCode == 422
	})
	send := func(list []observation) (out struct {
		Accepted, Duplicate int
		Rejected            []struct{ Code string }
	}) {
		t.Helper()
		body, err := json.Marshal(map[string]any{"source": "中央氣象署 O-A0002-001", "observations": list})
		if err != nil {
			t.Fatal(err)
		}
		r := e.post("/api/observations", string(body), "Authorization", "Bearer "+secret)
		if r.StatusCode != 200 {
			t.Fatalf("%d %.300s", r.StatusCode, r.body)
		}
		if err := json.Unmarshal(r.body, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	accepted, rejected := 0, 0
	for from := 0; from < len(list); from += 3000 {
		out := send(list[from:min(from+3000, len(list))])
		accepted, rejected = accepted+out.Accepted, rejected+len(out.Rejected)
	}
	if accepted+rejected != len(list) || rejected != missing || accepted < 6000 {
		t.Fatalf("%d taken, %d refused of %d, %d missing", accepted, rejected, len(list), missing)
	}
	if out := send(list[:100]); out.Accepted != 0 || out.Duplicate+len(out.Rejected) != 100 {
		t.Errorf("again: %+v", out)
	}
	var picture struct {
		Stations []struct {
			Code  string
			State string
			Sums  map[string]*float64
			Over  *struct{ Level int }
		}
		Counts map[string]int
	}
	r := e.get("/api/stations?kind=rain&at=2025-11-11T18:55:00%2B08:00", "Authorization", "Bearer "+reader)
	if err := json.Unmarshal(r.body, &picture); err != nil || r.StatusCode != 200 {
		t.Fatalf("%d %v %.300s", r.StatusCode, err, r.body)
	}
	if len(picture.Stations) != len(snapshot.Records.Station) {
		t.Fatalf("%d stations", len(picture.Stations))
	}
	over, heaviest := 0, 0.0
	for _, st := range picture.Stations {
		want := wet[st.Code]
		if got := st.Sums["h24"]; (want >= 0) != (got != nil) || got != nil && *got != want {
			t.Fatalf("%s: %v of %v", st.Code, got, want)
		}
		heaviest = max(heaviest, want)
		if st.Over != nil {
			over++
		}
	}
	if heaviest < 500 || over == 0 {
		t.Errorf("the heaviest day is %v mm, %d past a signal", heaviest, over)
	}
	t.Logf("%d observations, %d stations, %v, heaviest %v mm in a day, %d past a signal", accepted, len(picture.Stations), picture.Counts, heaviest, over)
	// A quarter of an hour later none of them is heard any more: no data, and no zero.
	r = e.get("/api/stations?kind=rain&at=2025-11-11T19:30:00%2B08:00", "Authorization", "Bearer "+reader)
	if err := json.Unmarshal(r.body, &picture); err != nil || picture.Counts["no_data"] != len(picture.Stations) || strings.Contains(string(r.body), `"value":0`) {
		t.Errorf("%v %v", err, picture.Counts)
	}
}

// TestAlarmsOnStreams: an alarm reaches a desk by the stream, ten thousand of the same are
// one line and few messages, acknowledging is told.
func TestAlarmsOnStreams(t *testing.T) {
	e := start(t)
	_, secret, err := e.auth.CreateToken(t.Context(), cli(), auth.NewToken{Name: "网关", Role: auth.DataEngineer, Area: "990100", Scopes: []string{"ingest"}})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for range 10_000 {
		list = append(list, `{"kind":"device","key":"gas-1","title":"气体浓度超限","level":2,"area":"990100","position":[119.2,34.2]}`)
	}
	body := `{"alarms":[` + strings.Join(list, ",") + `]}`
	waitFor(t, "the token", func() bool { return e.post("/api/alarms", `{}`, "Authorization", "Bearer "+secret).StatusCode == 422 })
	if r := e.post("/api/alarms", body, "Authorization", "Bearer "+secret); r.StatusCode != 200 || !strings.Contains(string(r.body), `"accepted":10000`) || !strings.Contains(string(r.body), `"alarms":1`) {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	var n int
	if err := e.conn.QueryRow(t.Context(), `select count(*) from change_log where layer = 'alarms'`).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows in the feed, %v", n, err)
	}
	var page struct {
		Alarms []struct {
			ID    string
			Count int
			Rings bool
		}
		Suppressed int `json:"suppressed_total"`
	}
	r := e.get("/api/alarms")
	if err := json.Unmarshal(r.body, &page); err != nil || r.StatusCode != 200 || len(page.Alarms) != 1 || page.Alarms[0].Count != 10_000 || !page.Alarms[0].Rings || page.Suppressed != 9_999 {
		t.Fatalf("%d %.500s", r.StatusCode, r.body)
	}
	id := page.Alarms[0].ID
	if r := e.post("/api/alarms/"+id+"/ack", `{"note":"看到"}`); r.StatusCode != 200 || r.Header.Get("Onemap-Seq") == "" || !strings.Contains(string(r.body), `"state":"acknowledged"`) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := e.post("/api/alarms/"+id+"/close", `{"note":"已处置"}`); r.StatusCode != 428 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if r := e.post("/api/alarms/"+id+"/close", `{"note":"已处置"}`, "If-Match", r.Header.Get("ETag")); r.StatusCode != 412 && r.StatusCode != 428 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	for _, bad := range []string{`{"alarms":[]}`, `{"alarms":[{"kind":"device","key":"a","title":"b","level":2,"area":"990100","at":"yesterday"}]}`, `{"alarms":[{"kind":"device","key":"a","title":"b","level":2,"area":"990100","position":[1]}]}`, `{"x":1}`} {
		if r := e.post("/api/alarms", bad, "Authorization", "Bearer "+secret); r.StatusCode < 400 || r.StatusCode >= 500 {
			t.Errorf("%s: %d %s", bad, r.StatusCode, r.body)
		}
	}
}
