package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/pgtest"
)

// fieldwork is a county with two townships, a grid in each, a worker and a duty desk.
type fieldwork struct {
	*env
	worker, desk []string
	n            int
}

func startField(t *testing.T) *fieldwork {
	t.Helper()
	f := &fieldwork{env: start(t)}
	admin := pgtest.Connect(t, f.dsn.Admin)
	for _, sql := range []string{
		`select set_config('app.actor','system',false), set_config('app.role','system',false), set_config('app.public',s,false), set_config('app.read',s,false), set_config('app.sensitive',s,false), set_config('app.write',s,false), set_config('app.demo','off',false)
			from (values ('{[1000000000000000,3000000000000000)}')) v(s)`,
		`insert into admin (name, code, admin_code, rank, geom) values ('示例县', '990100', '990100', 3, st_multi(st_makeenvelope(110, 30, 111, 31, 4490))),
			('清河镇', '990100101', '990100101', 4, st_multi(st_makeenvelope(110, 30, 110.1, 30.1, 4490))), ('王家山乡', '990100102', '990100102', 4, st_multi(st_makeenvelope(110.1, 30, 110.2, 30.1, 4490)))`,
		`insert into grids (name, code, admin_code, geom) values ('清河一网格', '990100101001001', '990100101001001', st_multi(st_makeenvelope(110, 30, 110.1, 30.1, 4490))),
			('王家山一网格', '990100102001001', '990100102001001', st_multi(st_makeenvelope(110.1, 30, 110.2, 30.1, 4490)))`,
	} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	f.settle()
	f.worker = session(f.activate(f.person(auth.NewAccount{Username: "wangge", Name: "网格员甲", Unit: "990100"}, auth.GridWorker, "990100101001001")))
	f.desk = session(f.activate(f.person(auth.NewAccount{Username: "zhiban", Name: "值班员甲", Unit: "990100"}, auth.DutyOfficer, "990100")))
	return f
}

// id is a fresh UUIDv7.
func (f *fieldwork) id() string {
	f.n++
	return fmt.Sprintf("0192f0d0-0000-7000-8000-%012x", f.n)
}

type members = map[string]any

// verdictOf is one verdict of an answer.
type verdictOf struct {
	OpID    string `json:"op_id"`
	Status  string
	Verdict string
	ID      string
	Version int64
	Problem *struct {
		Code  string
		Words struct{ Zh, En string }
	}
}

func (v verdictOf) code() string {
	if v.Problem == nil {
		return ""
	}
	return v.Problem.Code
}

// sync delivers operations; each is members or text as it is.
func (f *fieldwork) sync(who []string, device string, ops ...any) []verdictOf {
	f.t.Helper()
	all := make([]string, len(ops))
	for i, op := range ops {
		if text, ok := op.(string); ok {
			all[i] = text
			continue
		}
		raw, err := json.Marshal(op)
		if err != nil {
			f.t.Fatal(err)
		}
		all[i] = string(raw)
	}
	r := f.post("/api/sync", `{"device":"`+device+`","ops":[`+strings.Join(all, ",")+`]}`, who...)
	var a struct{ Results []verdictOf }
	if r.StatusCode != 200 || json.Unmarshal(r.body, &a) != nil || len(a.Results) != len(ops) {
		f.t.Fatalf("sync: %d %.600s", r.StatusCode, r.body)
	}
	return a.Results
}

// red is 险情 in the worker's grid.
func (f *fieldwork) red() members {
	return members{"op_id": f.id(), "kind": "incident_reports", "id": f.id(), "captured_at": time.Now().Format(time.RFC3339), "src_crs": "WGS84", "accuracy_m": 9,
		"fields": members{"kind": members{"value": "landslide"}, "urgency": members{"value": "urgent"}}, "geometry": point(110.05, 30.05)}
}

func point(lon, lat float64) members {
	return members{"type": "Point", "coordinates": []float64{lon, lat}}
}

// report is one at the desk.
type deskReport struct {
	ID, Kind, Urgency, Description string
	Alarm                          bool
	Photos, Doubts                 []string
	Geometry                       json.RawMessage
}

// rings says whether the desk's list of alarms has a report, and gives it.
func (f *fieldwork) rings(id any) (deskReport, bool) {
	f.t.Helper()
	var page struct{ Reports []deskReport }
	f.json("/api/incident-reports?limit=500", &page, f.desk...)
	for _, r := range page.Reports {
		if r.ID == id {
			return r, r.Alarm
		}
	}
	return deskReport{}, false
}

// TestNothingHoldsUrgentBack: whatever is odd about it, it is stored and rings, and so is
// what follows it.
func TestNothingHoldsUrgentBack(t *testing.T) {
	f := startField(t)
	f.sync(f.worker, "p0", f.red())
	value := func(name string, v any) func(members) {
		return func(op members) { op["fields"].(members)[name] = members{"value": v} }
	}
	set := func(name string, v any) func(members) { return func(op members) { op[name] = v } }
	for name, change := range map[string]func(members){
		"a number that is none":   value("trapped", "many"),
		"fewer than none":         value("deaths", -3),
		"a word that is a number": value("description", 7),
		"a novel":                 value("description", strings.Repeat("救命", 50_000)),
		"NUL":                     value("description", "a\x00b"),
		"a kind nobody knows":     value("kind", "ufo"),
		"a kind that is a number": value("kind", 3),
		"no kind":                 func(op members) { delete(op["fields"].(members), "kind") },
		"an unknown field":        value("colour", "red"),
		"what the desk fills in":  value("seen_by", "我"),
		"a bare field":            func(op members) { op["fields"].(members)["description"] = "水来了" },
		"in the sea":              set("geometry", point(0, 0)),
		"the neighbour's":         set("geometry", point(110.15, 30.05)),
		"beyond the earth":        set("geometry", point(540, 91)),
		"no geometry at all":      set("geometry", nil),
		"a null inside":           set("geometry", members{"value": nil}),
		"no shape":                set("geometry", members{"type": "Blob"}),
		"an empty one":            set("geometry", members{"type": "Point", "coordinates": []float64{}}),
		"a shape of another kind": set("geometry", members{"type": "MultiPoint", "coordinates": [][]float64{{110.05, 30.05}}}),
		"a bow tie":               set("geometry", members{"type": "Polygon", "coordinates": [][][]float64{{{110.01, 30.01}, {110.02, 30.02}, {110.02, 30.01}, {110.01, 30.02}, {110.01, 30.01}}}}),
		"1970":                    set("captured_at", "1970-01-01T00:00:00Z"),
		"2100":                    set("captured_at", "2100-01-01T00:00:00Z"),
		"no time":                 set("captured_at", "yesterday"),
		"a datum nobody knows":    set("src_crs", "EPSG:3857"),
		"an accuracy below zero":  set("accuracy_m", -5),
		"a phone nowhere":         set("device_position", "here"),
		"not a photo":             set("blobs", []string{"../../etc/passwd"}),
		"a number it cannot have": set("device_seq", -4),
		"a number far ahead":      set("device_seq", 40_000),
		"a version of nothing":    set("base_version", 7),
		"a base of nothing":       func(op members) { op["fields"].(members)["urgency"] = members{"base": "urgent", "value": "urgent"} },
		"a long note":             set("note", strings.Repeat("长", 3000)),
		"a member nobody knows":   set("role", "admin"),
		"nested without end":      set("extra", json.RawMessage(strings.Repeat("[", 60)+strings.Repeat("]", 60))),
	} {
		op := f.red()
		change(op)
		got := f.sync(f.worker, "p1", op)[0]
		if got.Status != "applied" || got.ID != op["id"] {
			t.Errorf("%s: %+v %s", name, got, got.code())
			continue
		}
		if _, rings := f.rings(op["id"]); !rings {
			t.Errorf("%s: it is stored and does not ring", name)
		}
		if again := f.sync(f.worker, "p1", op)[0]; again.Status != "duplicate" || again.Verdict != "applied" {
			t.Errorf("%s, again: %+v", name, again)
		}
	}
	// A member given twice is one.
	twice := f.red()
	raw, _ := json.Marshal(twice)
	if got := f.sync(f.worker, "p1", strings.Replace(string(raw), `"accuracy_m":9`, `"accuracy_m":9,"accuracy_m":12`, 1))[0]; got.Status != "applied" {
		t.Errorf("a member twice: %+v %s", got, got.code())
	}
	if _, rings := f.rings(twice["id"]); !rings {
		t.Error("a member twice: it does not ring")
	}

	// What follows says more, from wherever he has gone meanwhile, whether or not it says again
	// that it is urgent, and with his clock gone wrong.
	first := f.red()
	first["geometry"] = point(110.15, 30.05) // it happened across the border
	if got := f.sync(f.worker, "p1", first)[0]; got.Status != "applied" {
		t.Fatalf("%+v %s", got, got.code())
	}
	photo := strings.Repeat("ab", 32)
	more := func(fields members, change members) members {
		op := members{"op_id": f.id(), "kind": "incident_reports", "id": first["id"], "fields": fields, "captured_at": time.Now().Format(time.RFC3339), "src_crs": "WGS84"}
		maps.Copy(op, change)
		return op
	}
	base := func(v, now any) members { return members{"base": v, "value": now} }
	for _, c := range []struct {
		name string
		op   members
		want string
	}{
		{"words, said to be urgent", more(members{"urgency": base("urgent", "urgent"), "description": base(nil, "路断了")}, nil), "applied"},
		{"words alone", more(members{"description": base("路断了", "路断了，有人被困")}, nil), "applied"},
		{"a photo alone", more(members{}, members{"blobs": []string{photo}}), "applied"},
		{"a better place, outside", more(members{}, members{"geometry": members{"base": point(110.15, 30.05), "value": point(110.16, 30.05)}}), "applied"},
		{"a field that does not fit", more(members{"trapped": base(nil, "三个"), "injured": base(nil, 2)}, nil), "applied"},
		{"a clock of 1970", more(members{"affected": base(nil, 40)}, members{"captured_at": "1970-01-01T00:00:00Z"}), "applied"},
		{"no silence by a slip", more(members{"urgency": base("urgent", "damage")}, nil), "rejected"},
	} {
		if got := f.sync(f.worker, "p1", c.op)[0]; got.Status != c.want {
			t.Errorf("%s: %+v %s, want %s", c.name, got, got.code(), c.want)
		}
	}
	got, rings := f.rings(first["id"])
	if !rings || got.Description != "路断了，有人被困" || len(got.Photos) != 1 || got.Photos[0] != photo || !strings.Contains(string(got.Geometry), "110.16") {
		t.Errorf("what followed: rings %v, %+v", rings, got)
	}
	// A report of damage is judged like everything else, from the same place.
	damage := f.red()
	damage["fields"].(members)["urgency"], damage["geometry"] = members{"value": "damage"}, point(110.15, 30.05)
	if got := f.sync(f.worker, "p1", damage)[0]; got.Status != "quarantined" || got.code() != "outside_area" {
		t.Errorf("damage outside: %+v %s", got, got.code())
	}
	// It is 险情 after all: he does not wait for the desk to look at what he sent before.
	damage = more(members{"kind": members{"value": "landslide"}, "urgency": members{"value": "urgent"}}, members{"id": damage["id"]})
	if got := f.sync(f.worker, "p1", damage)[0]; got.Status != "applied" {
		t.Errorf("worse than it looked: %+v %s", got, got.code())
	}
	if _, rings := f.rings(damage["id"]); !rings {
		t.Error("worse than it looked: it does not ring")
	}

	// Another person's is not his to add to, and stays what it was.
	other := session(f.activate(f.person(auth.NewAccount{Username: "wangge2", Name: "网格员乙", Unit: "990100"}, auth.GridWorker, "990100102001001")))
	theirs := more(members{"urgency": base("urgent", "urgent"), "description": base(got.Description, "没事")}, nil)
	if v := f.sync(other, "p9", theirs)[0]; v.Status != "quarantined" || v.code() != "id_taken" {
		t.Errorf("another person's: %+v %s", v, v.code())
	}
	if now, _ := f.rings(first["id"]); now.Description != got.Description {
		t.Errorf("another person wrote %q", now.Description)
	}
	// Whose grid was given away this morning still is heard; who never reported is not.
	var account string
	if err := f.conn.QueryRow(t.Context(), `select id::text from auth.account where username = 'wangge2'`).Scan(&account); err != nil {
		t.Fatal(err)
	}
	grants, err := f.auth.Grants(t.Context(), cli(), auth.GrantQuery{Account: account})
	if err != nil || len(grants.Grants) != 1 {
		t.Fatal(grants, err)
	}
	if _, err := f.auth.GrantRole(t.Context(), cli(), auth.NewGrant{Account: account, Role: auth.Viewer, Area: "990100", Reason: "调整"}); err != nil {
		t.Fatal(err)
	}
	if err := f.auth.RevokeGrant(t.Context(), cli(), grants.Grants[0].ID, "调整"); err != nil {
		t.Fatal(err)
	}
	f.settle()
	late := f.red()
	late["captured_at"] = time.Now().Add(-time.Minute).Format(time.RFC3339)
	if v := f.sync(other, "p9", late)[0]; v.Status != "applied" {
		t.Errorf("without his grid: %+v %s", v, v.code())
	} else if _, rings := f.rings(late["id"]); !rings {
		t.Error("without his grid: it does not ring")
	}
}
