package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// modelOffice are two desks, a township's and the county's: they decide, send tasks and
// notices, and take reports, while phones send.
type modelOffice struct {
	w       *modelWorld
	rng     *rand.Rand
	cookies map[string]string
	decided map[string]string // case: outcome it was told
	sent    map[string]int    // titles of tasks and notices that were acknowledged
	made    int
}

func newModelOffice(w *modelWorld, seed uint64, n int) *modelOffice {
	return &modelOffice{w: w, rng: rand.New(rand.NewPCG(seed, uint64(n)+1000)), cookies: map[string]string{}, decided: map[string]string{}, sent: map[string]int{}}
}

func (o *modelOffice) ask(user, method, path string, body any, headers ...string) modelAnswer {
	for range 3 {
		if o.cookies[user] == "" {
			a := o.w.ask(context.Background(), "", "desk", "POST", "/api/session", asJSON(map[string]any{"username": user, "password": modelPassword}))
			for _, c := range (&http.Response{Header: a.header}).Cookies() {
				if c.Name == "onemap" {
					o.cookies[user] = c.Value
				}
			}
		}
		var raw []byte
		if body != nil {
			raw = asJSON(body)
		}
		a := o.w.ask(context.Background(), o.cookies[user], "desk", method, path, raw, headers...)
		if a.status != 401 {
			return a
		}
		o.cookies[user] = ""
	}
	return modelAnswer{}
}

type modelCase struct {
	ID       string
	Code     string
	Op       string
	Fields   map[string]any
	Geometry map[string]any
}

func (o *modelOffice) cases(user, sort, state string) (out []modelCase, ok bool) {
	cursor := ""
	for {
		a := o.ask(user, "GET", "/api/desk/"+sort+"?state="+state+"&limit=100"+cursor, nil)
		if a.status != 200 {
			return nil, false
		}
		var page struct {
			Items []modelCase
			Next  *string
		}
		o.w.must(json.Unmarshal(a.body, &page))
		out = append(out, page.Items...)
		if page.Next == nil {
			return out, true
		}
		cursor = "&cursor=" + *page.Next
	}
}

func (o *modelOffice) step() {
	user := []string{"zhiban", "xian"}[o.rng.IntN(2)]
	o.made++
	switch dice := o.rng.IntN(100); {
	case dice < 35:
		o.conflict(user)
	case dice < 65:
		o.quarantine(user)
	case dice < 80:
		title := fmt.Sprint("任务", o.made)
		grid := modelGrid(o.rng.IntN(5))
		if user == "zhiban" {
			grid = modelGrid(0)
		}
		if a := o.ask(user, "POST", "/api/tasks", map[string]any{"title": title, "kind": "visit", "grid": grid}); a.status == 201 {
			o.sent["tasks "+title] = 1
		} else {
			o.w.count1("task " + strconv.Itoa(a.status))
		}
	case dice < 90:
		title := fmt.Sprint("通知", o.made)
		if a := o.ask(user, "POST", "/api/notices", map[string]any{"kind": "notice", "title": title, "body": "雨", "areas": []string{"990100101"}}); a.status == 201 {
			o.sent["notices "+title] = 1
		} else {
			o.w.count1("notice " + strconv.Itoa(a.status))
		}
	case dice < 96:
		for _, id := range o.w.lines(`select id::text from incident_reports where taken_at is null and ended_at is null order by id limit 3`) {
			a := o.ask(user, "POST", "/api/incident-reports/"+id+"/transitions", map[string]any{"to": []string{"seen", "taken", "dismissed"}[o.rng.IntN(3)], "note": "看到"})
			o.w.count1("report step " + strconv.Itoa(a.status))
		}
	default:
		for _, id := range o.w.lines(`select id::text from dangers where state = 'reported' order by id limit 2`) {
			tag := o.ask(user, "GET", "/api/dangers/"+id, nil).header.Get("ETag")
			a := o.ask(user, "POST", "/api/dangers/"+id+"/transitions", map[string]any{"to": "verified"}, "If-Match", tag)
			o.w.count1("danger step " + strconv.Itoa(a.status))
		}
	}
}

func (o *modelOffice) word() any {
	return []any{"mine", "theirs"}[o.rng.IntN(2)]
}

func (o *modelOffice) conflict(user string) {
	list, ok := o.cases(user, "conflicts", "open")
	if !ok || len(list) == 0 {
		return
	}
	c := list[o.rng.IntN(len(list))]
	choice := map[string]any{"note": "定"}
	fields := map[string]any{}
	for name := range c.Fields {
		fields[name] = o.word()
		if name != "deleted" && name != "threatened_persons" && o.rng.IntN(4) == 0 {
			fields[name] = val(fmt.Sprint("合", o.made))
		}
	}
	choice["fields"] = fields
	if c.Geometry != nil {
		choice["geometry"] = o.word()
	}
	a := o.ask(user, "POST", "/api/desk/conflicts/"+c.ID+"/resolve", choice)
	o.w.count1("resolve " + strconv.Itoa(a.status))
	if a.status == 200 {
		o.decided[c.ID] = "resolved"
	}
}

func (o *modelOffice) quarantine(user string) {
	list, ok := o.cases(user, "quarantine", "open")
	if !ok || len(list) == 0 {
		return
	}
	c := list[o.rng.IntN(len(list))]
	if o.rng.IntN(3) == 0 {
		a := o.ask(user, "POST", "/api/desk/quarantine/"+c.ID+"/return", map[string]any{"note": "请重报"})
		o.w.count1("return " + strconv.Itoa(a.status))
		if a.status == 200 {
			o.decided[c.ID] = "returned"
		}
		return
	}
	choice := map[string]any{"note": "收"}
	if c.Geometry != nil && o.rng.IntN(2) == 0 {
		choice["geometry"] = map[string]any{"value": map[string]any{"type": "Point", "coordinates": []float64{110.03, 30.03}}}
	}
	if level, ok := c.Fields["level"].(map[string]any); ok && level["mine"] == "most" {
		choice["fields"] = map[string]any{"level": val(2)}
	}
	a := o.ask(user, "POST", "/api/desk/quarantine/"+c.ID+"/accept", choice)
	o.w.count1("accept " + strconv.Itoa(a.status))
	if a.status == 200 {
		o.decided[c.ID] = "accepted"
	}
	if a.status == 0 {
		time.Sleep(5 * time.Millisecond)
	}
}
