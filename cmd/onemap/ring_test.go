package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"onemap/incidents/sensing"
)

// What rings is one line for an event in an area, however many gauges say it, with the
// worst of them named; a gauge without data rings for nothing but its silence.
func TestGaugesRingTogether(t *testing.T) {
	now := time.Now()
	at := now.Add(-time.Minute)
	v := func(f float64) *float64 { return &f }
	n := func(i int) *int { return &i }
	station := func(name, kind, town string, level int, by float64, villages ...sensing.Village) *sensing.Station {
		st := &sensing.Station{ID: name, Name: name, Kind: kind, Town: town, TownName: "甲镇", Unit: "mm", At: &at, Value: v(60), State: sensing.Warning, Villages: villages}
		if level > 0 {
			st.Over = &sensing.Over{What: "red", Level: level, By: by}
		}
		return st
	}
	village := func(code, state string, persons int) sensing.Village {
		return sensing.Village{Code: code, Name: "村" + code[10:], Measure: "h3", Value: v(60), Persons: n(persons), State: state}
	}
	fresh := []*sensing.Station{
		station("R1", "rain", "990100101", 3, 5, village("990100101001", sensing.Prepare, 100)),
		station("R2", "rain", "990100101", 1, 12, village("990100101001", sensing.Evacuate, 100), village("990100101002", sensing.Prepare, 30)),
		station("Z1", "river_level", "990100101", 2, 0.4),
		station("R3", "rain", "990100102", 0, 0),
	}
	gone := station("R9", "rain", "990100102", 1, 1)
	gone.State, gone.Value = sensing.NoData, nil
	list := gaugeConditions(append(fresh, gone), []*sensing.Station{gone, {ID: "R8", Kind: "rain", Town: "990100101", At: &at, State: sensing.NoData}}, now)
	var got []string
	for _, c := range list {
		got = append(got, strings.Join([]string{c.Key, c.Title, c.RefID, string(rune('0' + c.Level))}, "|"))
		if c.At.IsZero() || c.Area == "" {
			t.Errorf("%+v", c)
		}
	}
	slices.Sort(got)
	want := []string{
		"silent:rain:990100|2 个雨量站失联|R9|4",
		"threshold:rain:990100101|甲镇 2 站雨量超限|R2|1",
		"threshold:water:990100101|甲镇 1 站水位超限|Z1|2",
		"village:990100101|甲镇 1 村达到立即转移阈值，1 村达到准备转移阈值|R2|1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Reports of a burst come when they should: all of them within the time, half of them in
// its middle fifth.
func TestMomentsOfABurst(t *testing.T) {
	middle, last := 0, -1.0
	for i := range 1300 {
		m := moment(i, 1300)
		if m < last || m < 0 || m > 1 {
			t.Fatalf("%d comes at %v", i, m)
		}
		last = m
		if m >= 0.4 && m <= 0.6 {
			middle++
		}
	}
	if middle != 650 {
		t.Errorf("%d of 1300 in the middle", middle)
	}
}
