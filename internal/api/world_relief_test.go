package api_test

import (
	"onemap/internal/auth"
	"onemap/internal/db"
)

// What command has and sends, one of each in both counties.
const (
	ownTeam, otherTeam         = "01a1ffb1-d369-7ca3-86f4-000000000f01", "01a1ffb1-d369-7ca3-86f4-000000000f02"
	ownStore, otherStore       = "01a1ffb1-d369-7ca3-86f4-000000000f11", "01a1ffb1-d369-7ca3-86f4-000000000f12"
	ownDispatch, otherDispatch = "01a1ffb1-d369-7ca3-86f4-000000000f21", "01a1ffb1-d369-7ca3-86f4-000000000f22"
	ownPromise, otherPromise   = "01a1ffb1-d369-7ca3-86f4-000000000f31", "01a1ffb1-d369-7ca3-86f4-000000000f32"
	ownBlock, otherBlock       = "01a1ffb1-d369-7ca3-86f4-000000000f41", "01a1ffb1-d369-7ca3-86f4-000000000f42"
)

// relief puts teams, stores, dispatches, promises of places and road blocks into both
// counties.
func (w *world) relief() {
	w.exec(`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`)
	for i, c := range []struct{ area, tag, team, store, dispatch, promise, block string }{
		{ownArea, "1x", ownTeam, ownStore, ownDispatch, ownPromise, ownBlock}, {otherArea, "2x", otherTeam, otherStore, otherDispatch, otherPromise, otherBlock},
	} {
		x := 119.25 + float64(i)
		w.exec(`insert into teams (id, name, admin_code, state, geom) values ($1, $2, $3, 'standby', st_setsrid(st_makepoint($4, 34.16), 4490))`, c.team, "QZTEAM"+c.tag, c.area, x)
		w.exec(`insert into warehouses (id, name, admin_code, geom) values ($1, $2, $3, st_setsrid(st_makepoint($4, 34.17), 4490))`, c.store, "QZSTORE"+c.tag, c.area, x)
		w.exec(`insert into stock (warehouse, item, unit, qty, scope) values ($1, $2, '顶', 5, code_scope($3))`, c.store, "QZSTOCK"+c.tag, c.area)
		w.exec(`insert into stock_moves (id, warehouse, item, unit, qty, after, reason, scope) values (uuid_v7(), $1, '帐篷', '顶', 5, 5, $2, code_scope($3))`, c.store, "QZMOVE"+c.tag, c.area)
		w.exec(`insert into dispatches (id, warehouse, source, task, place, due_at, scope, name) values ($1, $2, '储备库', $3, '某处', now() + interval '1 hour', code_scope($4), '值班员')`, c.dispatch, c.store, "QZDISPATCH"+c.tag, c.area)
		w.exec(`insert into shelter_reservations (id, shelter, n, party, until, scope) select $1, id, 1, $2, now() + interval '1 hour', scope from shelters where id = $3`, c.promise, "QZPROMISE"+c.tag, w.shelter(i))
		w.exec(`insert into shelter_checkins (id, shelter, in_n, party, at, after, scope) select uuid_v7(), id, 1, $1, now(), 1, scope from shelters where id = $2`, "QZCAME"+c.tag, w.shelter(i))
		w.exec(`insert into road_blocks (id, name, admin_code, state, blocked_at, geom) values ($1, $2, $3, 'blocked', now(), st_setsrid(st_makepoint($4, 34.18), 4490))`, c.block, "QZBLOCK"+c.tag, c.area, x)
		county := c.area
		for _, m := range []string{"QZTEAM", "QZSTORE", "QZSTOCK", "QZMOVE", "QZDISPATCH", "QZPROMISE", "QZCAME", "QZBLOCK"} {
			w.add(m+c.tag, "relief of "+county, func(a who) bool {
				return a.sees(db.Internal, county) || a.may(auth.ReadAudit) && (a.area == "" || a.area == county)
			})
		}
	}
}

// shelter is the first shelter of the own county (0) or the other one (1).
func (w *world) shelter(i int) string {
	w.t.Helper()
	id := ""
	w.must(w.conn.QueryRow(w.t.Context(), `select id::text from shelters where code = $1`, []string{"QZPUBLIC1x1", "QZPUBLIC2x1"}[i]).Scan(&id))
	return id
}

// reliefLines are the rows of the matrix for what command has and sends.
func (w *world) reliefLines() map[string]line {
	area := func(path string) [3]call { return paths(path+ownArea, path+otherArea, path+noArea) }
	bodies := func(c [3]call, own, other, absent string) [3]call {
		c[0].body, c[1].body, c[2].body = own, other, absent
		return c
	}
	with := func(c [3]call, body string) [3]call { return bodies(c, body, body, body) }
	// In the world shelters are public: everybody knows they are there, whoever works on them.
	h := func(suffix string) [3]call {
		return paths("/api/shelters/"+w.shelter(0)+suffix, "/api/shelters/"+w.shelter(1)+suffix, "/api/shelters/"+noID+suffix)
	}
	inside := func(codes ...int) func(who, target) []int {
		return func(a who, t target) []int {
			switch {
			case t == absent:
				return []int{404}
			case t == own || a.area == "":
				return codes
			}
			return []int{403}
		}
	}
	// seen is for what is read with an internal layer.
	seen := func(codes ...int) func(who, target) []int {
		return func(a who, t target) []int {
			if t == own && a.sees(db.Internal, ownArea) || t == other && a.sees(db.Internal, otherArea) {
				return codes
			}
			return []int{404}
		}
	}
	const teams, dispatches, blocks = "/api/teams/", "/api/dispatches/", "/api/road-blocks/"
	point := func(x, y string) string { return `{"geometry":{"type":"Point","coordinates":[` + x + `,` + y + `]}}` }
	send := func(team string) string { return `{"team":"` + team + `","task":"矩阵","to":"某处"}` }
	move := func(op, store string) string {
		return `{"op_id":"01a1ffb1-d369-7ca3-86f4-000000000e` + op + `","warehouse":"` + store + `","item":"矩阵","unit":"件","qty":2,"reason":"矩阵测试"}`
	}
	check := func(op string) string { return `{"op_id":"01a1ffb1-d369-7ca3-86f4-000000000e` + op + `","in":1}` }
	return map[string]line{
		"shelters_status":      {calls: area("/api/shelters/status?area=")},
		"shelter":              {calls: h(""), want: statuses(200, 200, 404)},
		"shelter_change":       {calls: with(h(""), `{"still_current":true}`), want: statuses(428, 428, 404)},
		"shelter_reservations": {calls: h("/reservations"), want: statuses(200, 200, 404)},
		"shelter_reserve":      {calls: with(h("/reservations"), `{"id":"01a1ffb1-d369-7ca3-86f4-000000000e01","n":1,"group":"矩阵"}`), want: inside(409)},
		"shelter_release": {calls: paths("/api/shelters/"+w.shelter(0)+"/reservations/"+ownPromise, "/api/shelters/"+w.shelter(1)+"/reservations/"+otherPromise, "/api/shelters/"+noID+"/reservations/"+noID),
			want: inside(200)},
		"shelter_checkins": {calls: h("/checkins"), want: statuses(200, 200, 404)},
		"shelter_checkin":  {calls: bodies(h("/checkins"), check("02"), check("03"), check("04")), want: inside(201, 200, 409)},

		"teams_status":  {calls: area("/api/teams/status?area=")},
		"team_position": {calls: with(paths(teams+ownTeam+"/position", teams+otherTeam+"/position", teams+noID+"/position"), `{"lon":119.3,"lat":34.2}`), want: reaching(200), alike: true},
		"team_track":    {calls: paths(teams+ownTeam+"/track", teams+otherTeam+"/track", teams+noID+"/track"), want: seen(200), alike: true},

		"dispatches": {calls: area("/api/dispatches?area=")},
		"dispatch": {calls: bodies(paths(dispatches+"01a1ffb1-d369-7ca3-86f4-000000000e21", dispatches+"01a1ffb1-d369-7ca3-86f4-000000000e22", dispatches+"01a1ffb1-d369-7ca3-86f4-000000000e23"), send(ownTeam), send(otherTeam), send(noID)),
			want: func(a who, t target) []int {
				if t == own || t == other && a.area == "" {
					return []int{201, 200}
				}
				return []int{422}
			}, alike: true},
		"dispatch_transition": {calls: with(paths(dispatches+ownDispatch+"/transitions", dispatches+otherDispatch+"/transitions", dispatches+noID+"/transitions"), `{"to":"acknowledged"}`), want: func(a who, t target) []int {
			if !a.person() {
				return []int{403} // somebody with a name answers for a team
			}
			return seen(200)(a, t)
		}, alike: true},

		"stock":       {calls: area("/api/stock?area=")},
		"stock_moves": {calls: paths("/api/stock/moves?warehouse="+ownStore, "/api/stock/moves?warehouse="+otherStore, "/api/stock/moves?warehouse="+noID), want: seen(200), alike: true},
		"stock_move":  {calls: bodies(always("/api/stock/moves"), move("31", ownStore), move("32", otherStore), move("33", noID)), want: reaching(201, 200), alike: true},

		"fallback_packages": {calls: always("/api/fallback-packages"), want: func(a who, _ target) []int {
			if a.may(auth.CommandPost) || a.may(auth.ManageSystem) && a.area == "" {
				return []int{200}
			}
			return []int{403}
		}},
		"fallback_package_make": {calls: bodies(always("/api/fallback-packages"), `{"area":"`+ownArea+`","reason":"矩阵测试"}`, `{"area":"`+otherArea+`","reason":"矩阵测试"}`, `{"area":"`+noArea+`","reason":"矩阵测试"}`), want: func(a who, t target) []int {
			if a.may(auth.CommandPost) && (t == own || a.area == "") {
				return []int{409} // nobody has set a passphrase
			}
			return []int{403}
		}, alike: true},
		"fallback_passphrase": {calls: with(always("/api/fallback-packages/passphrase"), `{"passphrase":"短","reason":"矩阵测试"}`), want: func(a who, _ target) []int {
			if a.area == "" {
				return []int{422}
			}
			return []int{403}
		}},

		"road_blocks": {calls: area("/api/road-blocks?area=")},
		"road_block_put": {calls: bodies(paths(blocks+"01a1ffb1-d369-7ca3-86f4-000000000e41", blocks+"01a1ffb1-d369-7ca3-86f4-000000000e42", blocks+"01a1ffb1-d369-7ca3-86f4-000000000e43"), point("119.25", "34.15"), point("120.25", "34.15"), point("10", "10")),
			want: func(a who, t target) []int {
				if t == own || a.area == "" {
					return []int{201, 200}
				}
				return []int{403}
			}, alike: true},
		"road_block_change": {calls: with(paths(blocks+ownBlock, blocks+otherBlock, blocks+noID), `{"road":"矩阵路"}`), want: reaching(428), alike: true},
	}
}
