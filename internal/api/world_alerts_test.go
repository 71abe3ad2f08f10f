package api_test

import (
	"onemap/internal/auth"
	"onemap/internal/db"
)

// A warning in both counties with its message, a target, a receipt and a way out.
const (
	ownAlert, otherAlert = "01a1ffb1-d369-7ca3-86f4-000000000d01", "01a1ffb1-d369-7ca3-86f4-000000000d02"
	ownMessage, otherMsg = "01a1ffb1-d369-7ca3-86f4-000000000d11", "01a1ffb1-d369-7ca3-86f4-000000000d12"
)

func (w *world) alerts() {
	w.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	for i, c := range []struct{ area, village, alert, message, tag string }{{ownArea, "990100101001", ownAlert, ownMessage, "1x"}, {otherArea, "990200101001", otherAlert, otherMsg, "2x"}} {
		w.exec(`insert into alerts (id, chain, identifier, sender, sent_at, source, state, status, msg_type, event, headline, description, level, effective, received_at, admin_code, geom)
			values ($1, $1, $2, 'QZSENDER', now(), 'default', 'active', 'Actual', 'Alert', '暴雨', $3, $4, 1, now(), now(), $5, st_makeenvelope($6::float8, 34.1, $6::float8 + 0.1, 34.2, 4490))`,
			c.alert, "QZIDENTIFIER"+c.tag, "QZALERT"+c.tag, "QZALERTTEXT"+c.tag, c.area, 119.2+float64(i))
		w.exec(`insert into alert_messages (id, alert, chain, identifier, sender, msg_type, sent_at, digest, message, scope, name) values ($1, $2, $2, $3::text, 'QZSENDER', 'Alert', now(), 'x',
			jsonb_build_object('identifier', $3::text, 'sender', 'QZSENDER', 'sent', '2026-07-05T14:30:00+08:00', 'msg_type', 'Alert', 'infos', jsonb_build_array(jsonb_build_object('event', '暴雨', 'headline', $4::text))), code_scope($5), '值班员')`,
			c.message, c.alert, "QZIDENTIFIER"+c.tag, "QZALERT"+c.tag, c.area)
		w.exec(`insert into alert_targets (alert, code, name, share, whole, population, listed, listed_persons, weak, must_move) values ($1, $2, $3, 1, true, 100, 771001, 771001, 771001, 771001)`, c.alert, c.village, "QZTARGETVILLAGE"+c.tag)
		w.exec(`insert into alert_removed (alert, code, name) values ($1, $2, $3)`, c.alert, c.village, "QZREMOVED"+c.tag)
		w.exec(`insert into alert_receipts (id, alert, message, target, channel, outcome, at, name) values (uuid_v7(), $1, $2, $3, 'phone', 'reached', now(), $4)`, c.alert, c.message, c.village, "QZRECEIPT"+c.tag)
		w.exec(`insert into alert_outbound (alert, message, kind, destination, title, scope, name) values ($1, $2, 'drop', 'city', $3, code_scope($4), '值班员')`, c.alert, c.message, "QZOUTBOUND"+c.tag, c.area)
		county := c.area
		for _, m := range []string{"QZALERT", "QZALERTTEXT", "QZIDENTIFIER", "QZTARGETVILLAGE", "QZREMOVED", "QZRECEIPT", "QZOUTBOUND"} {
			w.add(m+c.tag, "a warning of "+county, func(a who) bool { return a.sees(db.Internal, county) })
		}
	}
	// How many of the restricted list live there is for offices.
	w.add("771001", "counts of the restricted list", func(a who) bool { return a.sees(db.Sensitive, ownArea) || a.sees(db.Sensitive, otherArea) })
}

// alertLines are the rows of the matrix for warnings.
func (w *world) alertLines() map[string]line {
	const p = "/api/alerts/"
	seen := func(code int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own && a.sees(db.Internal, ownArea) || t == other && a.sees(db.Internal, otherArea) {
				return []int{code}
			}
			return []int{404}
		}
	}
	each := func(suffix string) [3]call {
		return paths(p+ownAlert+suffix, p+otherAlert+suffix, p+noID+suffix)
	}
	with := func(c [3]call, body string) [3]call {
		for i := range c {
			c[i].body = body
		}
		return c
	}
	take := func(identifier, x, source string) call {
		return call{"/api/alerts", `{"identifier":"` + identifier + `","sender":"matrix","source":"` + source + `","sent_at":"2026-07-05T14:30:00+08:00","event":"暴雨","headline":"矩阵","level":2,
			"geometry":{"type":"Polygon","coordinates":[[[` + x + `.1,34.1],[` + x + `.2,34.1],[` + x + `.2,34.2],[` + x + `.1,34.1]]]}}`}
	}
	receipt := `{"op_id":"01a1ffb1-d369-7ca3-86f4-000000000d31","target":"990100101001","channel":"phone","outcome":"acknowledged"}`
	return map[string]line{
		"alerts": {calls: paths("/api/alerts?area="+ownArea, "/api/alerts?area="+otherArea, "/api/alerts?area="+noArea)},
		"alert_take": {calls: [3]call{take("m-own", "119", ""), take("m-other", "120", ""), take("m-no", "100", "nowhere")}, alike: true, want: func(a who, t target) []int {
			// Nobody brings the absent one in: once it were there, it would be everybody's.
			if t == own || t == other && a.area == "" {
				return []int{200, 201}
			}
			return []int{422}
		}},
		"alert":          {calls: each(""), want: seen(200), alike: true},
		"alert_xml":      {calls: each(".xml"), want: seen(200), alike: true},
		"alert_targets":  {calls: each("/targets"), want: seen(200), alike: true},
		"alert_outbound": {calls: each("/outbound"), want: seen(200), alike: true},
		"alert_receipt": {calls: with(each("/receipts"), receipt), alike: true, want: func(a who, t target) []int {
			if t == own && a.may(auth.WorkDesk) {
				return []int{200}
			}
			if t == other && a.area == "" {
				return []int{422} // the village is not in that one
			}
			return []int{404}
		}},
		"alert_forward": {calls: with(each("/forward"), `{"channels":["nowhere"]}`), want: reaching(422), alike: true},
	}
}
