package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"onemap/incidents"
	"onemap/incidents/alarms"
	"onemap/incidents/sensing"
	"onemap/internal/auth"
	"onemap/internal/db"
)

// alarmSources say what rings: the domains do not know each other, their values meet here.
func alarmSources(gauges *sensing.Service, events *incidents.Service) []alarms.Source {
	return []alarms.Source{
		{Kinds: []string{"threshold", "village", "silent"}, Standing: func(ctx context.Context) ([]alarms.Condition, error) {
			fresh, silent, err := gauges.Fresh(ctx)
			if err != nil {
				return nil, err
			}
			return gaugeConditions(fresh, silent, time.Now()), nil
		}},
		{Kinds: []string{"clock"}, Standing: func(ctx context.Context) ([]alarms.Condition, error) { return lateClocks(ctx, events) }},
	}
}

// gaugeConditions group what gauges say: one line for a township's rain, one for its
// water, one for each village to move, one for the gauges of a county that stopped.
func gaugeConditions(fresh, silent []*sensing.Station, now time.Time) []alarms.Condition {
	at := map[string]int{}
	var out []alarms.Condition
	count, towns := map[string]int{}, map[string]*town{}
	group := func(key string, first alarms.Condition) *alarms.Condition {
		i, seen := at[key]
		if !seen {
			i = len(out)
			at[key] = i
			first.Key = key
			out = append(out, first)
		}
		count[key]++
		return &out[i]
	}
	tell := func(st *sensing.Station) alarms.Condition {
		c := alarms.Condition{Area: st.Town, Level: 4, RefKind: "sensors", RefID: st.ID, Exercise: st.Exercise}
		if st.Point != nil {
			c.Geometry = *st.Point
		}
		return c
	}
	for _, st := range fresh {
		if st.At == nil || st.State == sensing.NoData {
			continue
		}
		if st.Over != nil {
			what, word := "water", "水位"
			switch {
			case st.Kind == "rain":
				what, word = "rain", "雨量"
			case !sensing.Water(st.Kind):
				what, word = st.Kind, "监测值"
			}
			key := "threshold:" + what + ":" + st.Town
			c := group(key, tell(st))
			c.Kind = "threshold"
			if c.At.Before(*st.At) {
				c.At = *st.At
			}
			if st.Over.Level < c.Level || c.Detail == "" {
				c.Level, c.RefID = st.Over.Level, st.ID
				c.Detail = fmt.Sprintf("%s %s %s，超 %s", st.Name, plain(st.Value), st.Unit, strconv.FormatFloat(st.Over.By, 'f', 2, 64))
				if st.Point != nil {
					c.Geometry = *st.Point
				}
			}
			c.Title = fmt.Sprintf("%s %d 站%s超限", st.TownName, count[key], word)
		}
		for _, v := range st.Villages {
			if sensing.Severity(v.State) < sensing.Severity(sensing.Prepare) {
				continue
			}
			level := 2
			if v.State == sensing.Evacuate {
				level = 1
			}
			c := group("village:"+st.Town, tell(st))
			if c.Kind == "" || level < c.Level {
				c.Kind, c.Level, c.RefID = "village", level, st.ID
			}
			if c.At.Before(*st.At) {
				c.At = *st.At
			}
			towns[c.Key] = moreVillages(towns[c.Key], st, v)
		}
	}
	for i := range out {
		if out[i].Kind == "village" {
			out[i].Title, out[i].Detail = towns[out[i].Key].words()
		}
	}
	for _, st := range silent {
		if st.At == nil || st.State != sensing.NoData {
			continue
		}
		county := st.Town
		if len(county) > 6 {
			county = county[:6]
		}
		key := "silent:" + st.Kind + ":" + county
		first := tell(st)
		first.Geometry = nil
		c := group(key, first)
		c.Kind, c.Level, c.Area = "silent", 4, county
		c.Title = fmt.Sprintf("%d 个%s失联", count[key], kindWord(st.Kind))
		if c.At.Before(*st.At) {
			c.At, c.RefID = *st.At, st.ID
		}
	}
	for i := range out {
		if out[i].At.After(now) {
			out[i].At = now
		}
	}
	return out
}

// town are the villages of a township that are past a threshold, each once.
type town struct {
	name    string
	state   map[string]string // by code
	persons int
	names   []string // of those that move at once, then the others
}

func moreVillages(t *town, st *sensing.Station, v sensing.Village) *town {
	if t == nil {
		t = &town{name: st.TownName, state: map[string]string{}}
	}
	if _, seen := t.state[v.Code]; !seen {
		if v.Persons != nil {
			t.persons += *v.Persons
		}
		t.names = append(t.names, v.Name)
	}
	if sensing.Severity(v.State) > sensing.Severity(t.state[v.Code]) {
		t.state[v.Code] = v.State
	}
	return t
}

func (t *town) words() (title, detail string) {
	now, soon := 0, 0
	for _, s := range t.state {
		if s == sensing.Evacuate {
			now++
		} else {
			soon++
		}
	}
	var parts []string
	if now > 0 {
		parts = append(parts, fmt.Sprintf("%d 村达到立即转移阈值", now))
	}
	if soon > 0 {
		parts = append(parts, fmt.Sprintf("%d 村达到准备转移阈值", soon))
	}
	names := t.names
	more := ""
	if len(names) > 6 {
		names, more = names[:6], "等"
	}
	return t.name + " " + strings.Join(parts, "，"), fmt.Sprintf("%s%s，涉及 %d 人", strings.Join(names, "、"), more, t.persons)
}

func plain(v *float64) string {
	if v == nil {
		return "—"
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func kindWord(kind string) string {
	switch kind {
	case "rain":
		return "雨量站"
	case "river_level":
		return "河道水位站"
	case "reservoir_level":
		return "水库水位站"
	}
	return "监测站"
}

// lateClocks are the deadlines that passed and are not met, of incidents that go on.
func lateClocks(ctx context.Context, events *incidents.Service) ([]alarms.Condition, error) {
	who := &auth.Identity{Kind: auth.Session, Username: "onemap", Reach: db.Everything()}
	now := time.Now()
	var out []alarms.Condition
	page, err := events.Incidents(ctx, who, incidents.IncidentQuery{Open: true, Limit: 500})
	if err != nil {
		return nil, err
	}
	for _, i := range page.Incidents {
		for _, c := range i.Clocks {
			if c.DoneAt != nil || !c.DueAt.Before(now) {
				continue
			}
			level := 2
			if i.Level == 1 {
				level = 1
			}
			title := []rune(i.Title + "：" + c.TitleZH + "已超时")
			out = append(out, alarms.Condition{Kind: "clock", Key: "clock:" + i.ID + ":" + c.Name, Scope: i.Scope, Title: string(title[:min(len(title), 200)]), Level: level, At: c.DueAt,
				Detail: "应于 " + c.DueAt.Format("01-02 15:04 MST"), RefKind: "incident", RefID: i.ID, Geometry: i.Geometry, Exercise: i.Exercise})
		}
	}
	return out, nil
}
