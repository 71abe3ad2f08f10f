package demo

import (
	"fmt"
	"maps"
	"math"
	"sort"
	"time"

	"github.com/paulmach/orb"
)

// PlayLength is how long one night of the exercise lasts; the next begins where
// it ends, with everything closed and put back.
const PlayLength = 2 * time.Hour

// Event is one change of the exercise. Op is always "put": a record is written
// or replaced under its key. What has come to an end is closed, not deleted.
type Event struct {
	At      time.Duration
	Op      string
	Feature Feature
}

// Offset in a field stands for a moment of the exercise; Resolve makes it a time.
type Offset time.Duration

// Resolve gives the record as it is written when the night began at start.
func (e Event) Resolve(start time.Time) Feature {
	f := e.Feature
	f.Fields = maps.Clone(f.Fields)
	for k, v := range f.Fields {
		if o, ok := v.(Offset); ok {
			f.Fields[k] = start.Add(time.Duration(o)).UTC().Truncate(time.Second)
		}
	}
	return f
}

// Play is a rainy night: the gauges rise, warnings are issued and stepped up,
// water stands in the streets, a slope fails, roads close, people move to
// shelters, teams go out; towards the end the rain stops and all is closed. Every
// record is marked as an exercise.
func Play(c *County) []Event {
	p := &player{g: c.w, r: newRNG(c.Options.Seed, "play"), ids: newRNG(c.Options.Seed, "play ids"), base: map[string]Feature{}}
	for _, f := range c.features {
		switch f.Layer {
		case "sensors", "shelters", "teams":
			p.base[f.Fields["id"].(string)] = f
		}
	}
	p.storm = p.g.stormCentre()
	p.gauges()
	p.warnings()
	p.happen()
	p.shelter()
	p.restore()
	sort.SliceStable(p.out, func(i, j int) bool { return p.out[i].At < p.out[j].At })
	return p.out
}

type player struct {
	g     *world
	r     rng
	ids   rng
	storm pt
	out   []Event
	base  map[string]Feature
	used  []string // ids of census records the night changes
	n     int
}

func minutes(m float64) time.Duration {
	return time.Duration(m * float64(time.Minute)).Truncate(time.Second)
}

func (p *player) put(at time.Duration, f Feature) {
	f.Fields["exercise"] = true
	p.out = append(p.out, Event{At: at, Op: "put", Feature: f})
}

// fresh starts a record of the exercise's own.
func (p *player) fresh(layer, name, code string, geom orb.Geometry, fields map[string]any) Feature {
	p.n++
	fields["id"] = p.ids.uuidV7(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(p.n) * time.Millisecond))
	fields["name"], fields["admin_code"] = "演练:"+name, code
	fields["code"] = fmt.Sprintf("YL-%s-%03d", layer, p.n)
	return Feature{Layer: layer, Key: fmt.Sprintf("play-%s-%03d", layer, p.n), Code: code, Geometry: geom, Fields: fields}
}

// with is a copy of a record with some fields changed.
func with(f Feature, fields map[string]any) Feature {
	f.Fields = maps.Clone(f.Fields)
	maps.Copy(f.Fields, fields)
	return f
}

// touch is a changed copy of a census record, which restore puts back later.
func (p *player) touch(id string, fields map[string]any) Feature {
	p.used = append(p.used, id)
	return with(p.base[id], fields)
}

func (p *player) near(layer string, keep func(Feature) bool, from pt, n int) []Feature {
	var list []Feature
	for _, f := range p.g.c.features {
		if f.Layer == layer && keep(f) {
			list = append(list, f)
		}
	}
	d := func(f Feature) float64 { return local(f.Geometry.Bound().Center()).dist(from) }
	sort.SliceStable(list, func(i, j int) bool { return d(list[i]) < d(list[j]) })
	return list[:min(n, len(list))]
}

// gauges rise and fall with the rain.
func (p *player) gauges() {
	write := func(f Feature, curve func(m float64) float64) {
		th, _ := f.Fields["threshold_blue"].(float64)
		for m := 1 + p.r.between(0, 4); m < 112; m += p.r.between(5, 7) {
			v := r2(curve(m))
			state := "normal"
			if v >= th {
				state = "warning"
			}
			p.put(minutes(m), p.touch(f.Fields["id"].(string), map[string]any{"value": v, "value_at": Offset(minutes(m)), "state": state}))
		}
	}
	kind := func(k string) func(Feature) bool { return func(f Feature) bool { return f.Fields["kind"] == k } }
	bell := func(m, top, wide float64) float64 { return math.Exp(-math.Pow((m-top)/wide, 2)) }
	for i, f := range p.near("sensors", kind("rain"), p.storm, 9) {
		peak := 118 - 7*float64(i)
		write(f, func(m float64) float64 { return 4 + peak*bell(m, 52, 34) })
	}
	for i, f := range p.near("sensors", kind("river_level"), p.g.a.seat, 4) {
		low := f.Fields["threshold_blue"].(float64) - 1.5
		write(f, func(m float64) float64 { return low + (3.6-0.4*float64(i))*bell(m, 74, 36) })
	}
	for _, f := range p.near("sensors", kind("waterlogging"), p.g.a.seat, 4) {
		write(f, func(m float64) float64 { return 0.02 + 0.5*bell(m, 58, 24) })
	}
	for _, f := range p.near("sensors", kind("displacement"), p.storm, 2) {
		write(f, func(m float64) float64 { return 9 + 62/(1+math.Exp(-(m-50)/6)) })
	}
}

// warnings step up from yellow to red and are lifted.
func (p *player) warnings() {
	area := p.g.stormArea(p.storm.lerp(p.g.a.seat, 0.25), 12500, 9000, 0.6)
	levels := []string{"", "红色", "橙色", "黄色"}
	var f Feature
	for i, s := range []struct {
		at    float64
		level int
		text  string
	}{{3, 3, "预计未来6小时降雨量将达50毫米以上。"}, {22, 2, "过去3小时降雨量已达50毫米以上,降雨仍将持续。"}, {41, 1, "过去3小时降雨量已达100毫米以上,降雨仍将持续。"}} {
		fields := map[string]any{
			"event": "暴雨", "event_code": "11B03", "hazard": "rainstorm", "level": s.level, "status": "Exercise", "msg_type": "Update", "sender": "示例县气象台",
			"sent_at": Offset(minutes(s.at)), "effective": Offset(minutes(s.at)), "expires": Offset(minutes(118)), "state": "active",
			"headline": "示例县气象台发布暴雨" + levels[s.level] + "预警信号(演练)", "description": s.text, "instruction": "按预案组织转移避险。",
		}
		if i == 0 {
			fields["msg_type"] = "Alert"
			f = p.fresh("alerts", "暴雨预警", countyCode, toPolygon(area, lonLat), fields)
			f.Fields["identifier"] = countyCode + "41600000_EXERCISE_1"
		} else {
			f = with(f, fields)
		}
		p.put(minutes(s.at), f)
	}
	p.put(minutes(104), with(f, map[string]any{"msg_type": "Cancel", "state": "cancelled", "expires": Offset(minutes(104)), "headline": "示例县气象台解除暴雨红色预警信号(演练)"}))
}

// happen lets the night's incidents unfold.
func (p *player) happen() {
	g := p.g
	kinds := map[string]incidentSeed{}
	for _, k := range g.incidentKinds(p.r) {
		kinds[k.kind] = k
	}
	slopes := p.near("hazards", func(f Feature) bool { return f.Fields["hazard"] == "landslide" || f.Fields["hazard"] == "collapse" }, p.storm, 6)
	tale := []struct {
		at   float64
		kind string
		text string
	}{
		{9, "hotline", "市民反映路面开始积水"}, {18, "waterlogging", "下穿通道积水30厘米,已设置围挡"}, {24, "tree", "行道树倒伏,压断通信线"}, {27, "power", "10千伏线路跳闸,约300户停电"},
		{33, "waterlogging", "小区地下车库进水"}, {38, "flood", "河水漫过便桥,三户被围"}, {44, "landslide", "坡体裂缝贯通,下方住户立即转移"}, {47, "traffic", "雨天追尾,一人轻伤"},
		{51, "landslide", "土方下滑约800立方米,掩埋村道"}, {55, "road_damage", "路基掏空,半幅塌陷"}, {58, "trapped", "两人被困河心,水域分队前往"}, {63, "debris_flow", "沟口涌出泥石,淤塞涵洞"},
		{69, "house_collapse", "土木房后墙倒塌,人员已提前撤离"}, {76, "telecom", "基站退服,覆盖两个村"},
	}
	slope := 0
	for _, s := range tale {
		k := kinds[s.kind]
		at, u, place := k.at()
		for range 40 {
			if k.class != "natural" || at.dist(p.storm) < 14000 || s.kind == "waterlogging" {
				break
			}
			at, u, place = k.at()
		}
		if s.kind == "landslide" && slope < len(slopes) {
			at = local(slopes[slope].Geometry.(orb.Point))
			slope++
			if u = g.grid(at); u != nil {
				place = u.parent.name
			}
		}
		if u == nil {
			continue
		}
		level := 4
		if s.kind == "debris_flow" || s.at == 51 {
			level = 3
		}
		f := p.fresh("incidents", g.shortPlace(u, place)+k.zh, u.code, lonLat(at), map[string]any{
			"kind": k.kind, "class": k.class, "level": level, "level_proposed": level, "state": "received", "occurred_at": Offset(minutes(s.at)),
			"known_at": Offset(minutes(s.at + 1)), "place": g.address(u) + place, "description": s.text, "source": "演练脚本", "affected": 0, "evacuated": 0, "deaths": 0, "missing": 0, "injured": 0,
			"emergency_dept": "县应急管理局",
		})
		if k.code != "" {
			f.Fields["type_code"] = k.code
		}
		people := p.r.intBetween(k.affected[0], max(k.affected[1], 1))
		p.put(minutes(s.at), f)
		p.put(minutes(s.at+3), with(f, map[string]any{"state": "verified", "affected": people}))
		p.put(minutes(s.at+7), with(f, map[string]any{"state": "responding", "affected": people}))
		end := math.Min(s.at+p.r.between(24, 46), 113)
		closed := map[string]any{"state": "closed", "affected": people, "closed_at": Offset(minutes(end))}
		switch s.kind {
		case "landslide", "debris_flow", "flood":
			n, _ := g.peopleNear(at, 220)
			closed["evacuated"] = n
			p.put(minutes(s.at+15), with(f, map[string]any{"state": "responding", "affected": people, "evacuated": n / 2}))
			p.mark(s.at, end, f, at)
		}
		switch s.kind {
		case "landslide", "road_damage", "debris_flow":
			p.block(s.at+2, end, at)
		}
		p.dispatch(s.at+6, end, s.kind, at)
		p.put(minutes(end), with(f, closed))
	}
}

// mark draws the cordon and takes it away when the incident ends.
func (p *player) mark(at, end float64, inc Feature, where pt) {
	down := p.g.t.downhill(where)
	ring := blobRing(newRNG(p.g.seed, "play marks").noise(), where.add(down.mul(60)), 190, 0.2, down, 1.3, 36)
	f := p.fresh("incident_sketches", "警戒区", p.g.code(ring[0]...), toPolygon(ring, lonLat), map[string]any{
		"incident": inc.Fields["id"], "kind": "cordon", "note": "演练", "valid_from": Offset(minutes(at + 5)),
	})
	p.put(minutes(at+5), f)
	p.put(minutes(end), with(f, map[string]any{"valid_to": Offset(minutes(end))}))
}

// block closes the nearest road and opens it again.
func (p *player) block(at, end float64, where pt) {
	g := p.g
	best, line, s := 1500.0, (*road)(nil), 0.0
	for _, rd := range g.roads {
		if rd.class > classVillage || rd.class == classExpressway {
			continue
		}
		l := polyLength(rd.line)
		for d := 40.0; d < l-110; d += 60 {
			if q, _ := along(rd.line, d); q.dist(where) < best {
				best, line, s = q.dist(where), rd, d
			}
		}
	}
	if line == nil {
		return
	}
	var l []pt
	for d := 0.0; d <= 75; d += 15 {
		q, _ := along(line.line, s+d)
		l = append(l, q)
	}
	f := p.fresh("road_blocks", line.name+"塌方", g.code(l...), toLine(l), map[string]any{
		"cause": "landslide", "road": line.name, "state": "blocked", "blocked_at": Offset(minutes(at)), "expected_at": Offset(minutes(end)), "detour": "经邻近乡道绕行",
	})
	p.put(minutes(at), f)
	p.put(minutes((at+end)/2), with(f, map[string]any{"state": "one_lane"}))
	p.put(minutes(end), with(f, map[string]any{"state": "reopened", "reopened_at": Offset(minutes(end))}))
}

// dispatch sends the nearest fitting team along the roads and back.
func (p *player) dispatch(at, end float64, kind string, where pt) {
	want := map[string][]string{
		"landslide": {"comprehensive", "grassroots"}, "debris_flow": {"earthquake", "grassroots"}, "flood": {"water"}, "trapped": {"water", "social"},
		"waterlogging": {"comprehensive"}, "road_damage": {"grassroots"}, "house_collapse": {"grassroots"},
	}[kind]
	taken := map[string]bool{}
	for _, id := range p.used {
		taken[id] = true
	}
	for _, w := range want {
		list := p.near("teams", func(f Feature) bool {
			return f.Fields["kind"] == w && !taken[f.Fields["id"].(string)]
		}, where, 1)
		if len(list) == 0 {
			continue
		}
		t := list[0]
		id := t.Fields["id"].(string)
		taken[id] = true
		home := local(t.Geometry.(orb.Point))
		way := p.g.roadWay(home, where)
		if way == nil {
			way = []pt{home, where}
		}
		long := polyLength(way)
		trip := math.Max(3, long/700) // about 42 km/h
		arrive := math.Min(at+trip, end-4)
		for m := at; m < arrive; m += math.Max(1, trip/8) {
			q, _ := along(way, long*(m-at)/trip)
			p.put(minutes(m), p.moved(id, "dispatched", q, m))
		}
		p.put(minutes(arrive), p.moved(id, "on_site", where, arrive))
		p.put(minutes(end+1), p.moved(id, "standby", home, end+1))
	}
}

func (p *player) moved(id, state string, at pt, m float64) Feature {
	f := p.touch(id, map[string]any{"state": state, "position_at": Offset(minutes(m))})
	f.Geometry = lonLat(at)
	return f
}

// shelter fills the shelters near the storm and empties them.
func (p *player) shelter() {
	list := p.near("shelters", func(f Feature) bool {
		return f.Fields["state"] == "standby" && f.Fields["space"] != "outdoor"
	}, p.storm, 7)
	for i, f := range list {
		id := f.Fields["id"].(string)
		room := f.Fields["capacity"].(int)
		full := int(float64(room) * p.r.between(0.2, 1.05))
		full = min(full, room)
		open := 40 + float64(i)*2.5
		for k := range 8 {
			m := open + 5*float64(k)
			n := full * min(k, 5) / 5
			state := "open"
			if n >= room {
				state = "full"
			}
			p.put(minutes(m), p.touch(id, map[string]any{"state": state, "occupancy": n, "confirmed_at": Offset(minutes(m))}))
		}
		p.put(minutes(108), p.touch(id, map[string]any{"state": "standby", "occupancy": 0, "confirmed_at": Offset(minutes(108))}))
	}
}

// restore puts the census records back as they were.
func (p *player) restore() {
	seen := map[string]bool{}
	var ids []string
	for _, id := range p.used {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	for i, id := range ids {
		p.out = append(p.out, Event{At: minutes(115 + 4*float64(i)/float64(len(ids))), Op: "put", Feature: with(p.base[id], map[string]any{"exercise": false})})
	}
}
