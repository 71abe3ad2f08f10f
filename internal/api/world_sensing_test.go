package api_test

import (
	"onemap/internal/auth"
	"onemap/internal/db"
)

// A gauge, an alarm and a quiet rule in both counties.
const (
	ownGauge, otherGauge = "01a1ffb1-d369-7ca3-86f4-000000000d01", "01a1ffb1-d369-7ca3-86f4-000000000d02"
	ownAlarm, otherAlarm = "01a1ffb1-d369-7ca3-86f4-000000000d11", "01a1ffb1-d369-7ca3-86f4-000000000d12"
	ownQuiet, otherQuiet = "01a1ffb1-d369-7ca3-86f4-000000000d21", "01a1ffb1-d369-7ca3-86f4-000000000d22"
)

// rings says, from the table of rights, whether somebody is told of a county's alarms.
func (a who) rings(county string) bool {
	return (a.may(auth.WorkDesk) || a.may(auth.CommandPost)) && (a.area == "" || a.area == county)
}

func (w *world) gauges() {
	w.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	for i, c := range []struct{ area, gauge, alarm, quiet, tag string }{{ownArea, ownGauge, ownAlarm, ownQuiet, "1x"}, {otherArea, otherGauge, otherAlarm, otherQuiet, "2x"}} {
		x := 119.25 + float64(i)
		w.exec(`insert into sensors (id, code, name, kind, unit, admin_code, geom) values ($1, $2, $3, 'rain', 'mm', $4, st_setsrid(st_makepoint($5, 34.19), 4490))`, c.gauge, "QZCODE"+c.tag, "QZGAUGE"+c.tag, c.area, x)
		w.exec(`insert into observations (station, at, measure, value, source, scope) values ($1, now() - interval '1 minute', 'rain', 1.5, 'test', code_scope($2))`, c.gauge, c.area)
		w.exec(`insert into station_threshold (station, villages, source, scope) values ($1, '[]', $2, code_scope($3))`, c.gauge, "QZLEVELS"+c.tag, c.area)
		w.exec(`insert into alarms (id, kind, key, area, title, level, first_at, last_at, scope) values ($1, 'device', $2, $3, $4, 2, now(), now(), code_scope($3))`, c.alarm, "device:"+c.tag, c.area, "QZALARM"+c.tag)
		w.exec(`insert into alarm_count (alarm, scope, last_at) values ($1, code_scope($2), now())`, c.alarm, c.area)
		w.exec(`insert into alarm_quiet (id, scope, area, kind, least, until, reason, by_name) values ($1, code_scope($2), $2, 'silent', 3, now() + interval '1 hour', $3, '值班员')`, c.quiet, c.area, "QZQUIET"+c.tag)
		county := c.area
		for _, m := range []string{"QZGAUGE", "QZCODE", "QZLEVELS"} {
			w.add(m+c.tag, "a gauge of "+county, func(a who) bool { return a.sees(db.Internal, county) })
		}
		for _, m := range []string{"QZALARM", "QZQUIET"} {
			w.add(m+c.tag, "an alarm of "+county, func(a who) bool { return a.rings(county) })
		}
	}
}

// sensingLines are the rows of the matrix for gauges and alarms.
func (w *world) sensingLines() map[string]line {
	with := func(c [3]call, body string) [3]call {
		for i := range c {
			c[i].body = body
		}
		return c
	}
	bodies := func(path string, body func(area string) string) [3]call {
		return [3]call{{path, body(ownArea)}, {path, body(otherArea)}, {path, body(noArea)}}
	}
	seen := func(a who, t target) []int {
		if t == own && a.sees(db.Internal, ownArea) || t == other && a.sees(db.Internal, otherArea) {
			return []int{200}
		}
		return []int{404}
	}
	inside := func(does int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own || a.area == "" {
				return []int{does}
			}
			return []int{403}
		}
	}
	const st, al = "/api/stations/", "/api/alarms/"
	gauge := func(suffix string) [3]call {
		return paths(st+ownGauge+suffix, st+otherGauge+suffix, st+noID+suffix)
	}
	alarm := func(suffix string) [3]call {
		return paths(al+ownAlarm+suffix, al+otherAlarm+suffix, al+noID+suffix)
	}
	observation := func(station string) call {
		return call{"/api/observations", `{"source":"矩阵","observations":[{"station":"` + station + `","value":0.5,"at":"2026-07-01T00:00:00Z"}]}`}
	}
	return map[string]line{
		// Another county's gauge is answered as one that does not exist.
		"observations":           {calls: [3]call{observation(ownGauge), observation(otherGauge), observation(noID)}},
		"observation_sources":    {calls: always("/api/observation-sources")},
		"stations":               {calls: paths("/api/stations?area="+ownArea, "/api/stations?area="+otherArea, "/api/stations?area="+noArea)},
		"station":                {calls: gauge(""), want: seen, alike: true},
		"station_series":         {calls: gauge("/series"), want: seen, alike: true},
		"station_thresholds":     {calls: gauge("/thresholds"), want: seen, alike: true},
		"station_thresholds_put": {calls: with(gauge("/thresholds"), `{"levels":{},"villages":[],"source":""}`), want: oneOf(428), alike: true},

		"alarms": {calls: paths("/api/alarms?area="+ownArea, "/api/alarms?state=all&exercise=all&area="+otherArea, "/api/alarms?area="+noArea), want: func(a who, _ target) []int {
			if a.rings(ownArea) {
				return []int{200}
			}
			return []int{403}
		}},
		"alarms_raise": {calls: bodies("/api/alarms", func(area string) string {
			return `{"alarms":[{"kind":"device","key":"matrix","title":"矩阵","level":4,"area":"` + area + `"}]}`
		}), want: inside(200), alike: true},
		"alarm_ack":    {calls: with(alarm("/ack"), `{"note":"矩阵"}`), want: reaching(200, 409), alike: true},
		"alarm_assign": {calls: with(alarm("/assign"), `{"account":"`+noID+`"}`), want: reaching(422), alike: true},
		"alarm_close":  {calls: with(alarm("/close"), `{"note":"矩阵"}`), want: oneOf(428), alike: true},
		"alarm_quiet": {calls: bodies("/api/alarms/quiet", func(area string) string {
			return `{"kind":"silent","area":"` + area + `","minutes":1,"reason":"矩阵测试"}`
		}), want: inside(201), alike: true},
		"alarm_quiet_end": {calls: paths(al+"quiet/"+ownQuiet, al+"quiet/"+otherQuiet, al+"quiet/"+noID), want: reaching(204, 404), alike: true},
	}
}
