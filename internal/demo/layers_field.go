package demo

import (
	"fmt"
	"time"

	"github.com/paulmach/orb"
)

// FieldWork is what came from the field and what was sent there: the rows of tables that
// are no layers.
type FieldWork struct {
	Reports    []FieldReport
	Tasks      []FieldTask
	Notices    []FieldNotice
	Routes     []FieldRoute
	Patrols    []FieldPatrol
	Checks     []FieldCheck
	Households []FieldHousehold
	Callouts   []FieldCallout
}

// FieldReport is a report of 险情 or 灾情. State is received, seen, taken or closed.
type FieldReport struct {
	ID, Kind, Urgency, State, Grid, Description, Name string
	Trapped, Affected, Houses                         int
	At                                                orb.Point
	Received                                          time.Time
	Officer                                           string // who saw and took it
}

// FieldTask is a task sent to a grid; Worker is who accepted it.
type FieldTask struct {
	ID, Title, Kind, ObjectKind, Object, Grid, Place, State, Note, Result, Reason, Worker, Officer string
	At                                                                                             orb.Point
	Sent, Due                                                                                      time.Time
}

// FieldNotice is a warning or a notice to some areas.
type FieldNotice struct {
	ID, Kind, Title, Body, Hazard, Officer string
	Level                                  int
	Areas                                  []string
	Issued, Expires                        time.Time
}

// FieldRoute is an approved way out.
type FieldRoute struct {
	ID, Title, Area, Shelter, ShelterName, Assembly, Note string
	Persons                                               int
	Approved                                              time.Time
	Line                                                  orb.LineString
}

// FieldPatrol is a 巡查打卡 or a 零报告.
type FieldPatrol struct {
	ID, Kind, Result, Grid, Name string
	At                           orb.Point
	Made                         time.Time
}

// FieldCheck is a check of a shelter. Problem is empty where there is none.
type FieldCheck struct {
	ID, Shelter, Code, Name, Problem string
	Made                             time.Time
}

// FieldHousehold is a household a worker answers for. Its telephone is one nobody can
// have.
type FieldHousehold struct {
	Key, Grid, Head, Phone, Address, Move string
	Persons, Elderly, Children, Disabled  int
}

// fieldWork tells of a rainy day: reports coming in, tasks under way, grids that were
// patrolled and grids that were not.
func (g *world) fieldWork() {
	r := newRNG(g.seed, "field")
	born := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	id := func() string { born = born.Add(time.Second); return r.uuidV7(born) }
	w := &g.c.Field
	officers := []string{person(r), person(r), person(r)}
	g.fieldReports(r, id, officers, w)
	g.fieldTasks(r, id, officers, w)
	day := time.Duration(24) * time.Hour
	storm := g.stormTowns()
	w.Notices = []FieldNotice{
		{ID: id(), Kind: "warning", Title: "暴雨橙色预警", Body: "未来 3 小时内降雨量将达 50 毫米以上。请各网格立即巡查隐患点、切坡建房和涉水路段,转移危险区人员,情况随时报告。", Hazard: "rainstorm", Officer: officers[0], Level: 2, Areas: storm, Issued: g.ago(90 * time.Minute), Expires: g.now.Add(10 * time.Hour)},
		{ID: id(), Kind: "warning", Title: "地质灾害气象风险黄色预警", Body: "山区乡镇发生滑坡、泥石流的可能性较大,请加密巡查,夜间安排专人值守。", Hazard: "landslide", Officer: officers[1], Level: 3, Areas: storm, Issued: g.ago(80 * time.Minute), Expires: g.now.Add(day)},
		{ID: id(), Kind: "notice", Title: "避难场所钥匙核对", Body: "请在本周内到场核对避难场所钥匙保管人和联系电话,结果在检查表中填写。", Officer: officers[2], Areas: []string{countyCode}, Issued: g.ago(3 * day), Expires: g.now.Add(4 * day)},
	}
	g.fieldRoutes(r, id, w)
	for back := range 4 {
		g.fieldPatrols(back, w)
	}
	for _, s := range g.shelters {
		if !r.chance(0.3) {
			continue
		}
		c := FieldCheck{ID: id(), Shelter: s.id, Code: s.unit.code, Name: g.worker(r, s.unit), Made: g.ago(hours(r.between(3, 400)))}
		if r.chance(0.2) {
			c.Problem = pick(r, []string{"大门上锁,现场无人有钥匙", "停水,水表处渗漏", "标志牌被树枝遮挡", "通道堆放杂物"})
		}
		w.Checks = append(w.Checks, c)
	}
	g.fieldHouseholds(r, w)
	g.fieldCallouts(id, officers, w)
}

// worker is who walks a grid.
func (g *world) worker(r rng, u *unit) string {
	if n := g.officers[u]; n != "" {
		return n
	}
	return person(r)
}

// stormTowns are the townships under the storm.
func (g *world) stormTowns() []string {
	c := g.stormCentre()
	var out []string
	for _, t := range g.a.towns {
		if t.seat.dist(c) < 14000 {
			out = append(out, t.code)
		}
	}
	if len(out) == 0 {
		out = []string{countyCode}
	}
	return out
}

func (g *world) fieldReports(r rng, id func() string, officers []string, w *FieldWork) {
	type story struct {
		kind, urgency, text       string
		trapped, affected, houses int
		min                       float64 // minutes ago
		state                     string
	}
	stories := []story{
		{"landslide", "urgent", "屋后山体下滑,已有土石压到院墙,人已撤出,雨还在下", 0, 6, 2, 4, "received"},
		{"trapped", "urgent", "河水漫过便桥,对岸 3 人过不来,其中一位老人", 3, 3, 0, 26, "taken"},
		{"road_cut", "urgent", "通村公路塌了半幅,车辆无法通行", 0, 120, 0, 55, "taken"},
		{"flood", "urgent", "村口低洼处进水,水深过膝,正在转移", 0, 38, 9, 130, "closed"},
		{"flood", "damage", "菜地和两户杂物间进水,主屋未受损", 0, 11, 3, 170, "seen"},
		{"building_collapse", "damage", "无人居住的土坯房一面墙倒塌", 0, 0, 2, 240, "closed"},
		{"debris_flow", "damage", "沟口冲出少量泥石,淤在公路边沟", 0, 0, 0, 300, "closed"},
		{"other", "damage", "大风刮倒树木,压断入户电线,已联系供电所", 0, 24, 0, 420, "closed"},
	}
	for i, s := range stories {
		h := g.hazards[(i*17+3)%len(g.hazards)]
		w.Reports = append(w.Reports, FieldReport{
			ID: id(), Kind: s.kind, Urgency: s.urgency, State: s.state, Grid: h.unit.code, Description: s.text, Name: g.worker(r, h.unit), Trapped: s.trapped, Affected: s.affected, Houses: s.houses,
			At: lonLat(h.p.add(pt{r.between(-60, 60), r.between(-60, 60)})), Received: g.now.Add(-time.Duration(s.min * float64(time.Minute))), Officer: pick(r, officers),
		})
	}
}

func (g *world) fieldTasks(r rng, id func() string, officers []string, w *FieldWork) {
	states := []string{"sent", "sent", "accepted", "accepted", "done", "done", "done", "handed_back"}
	for i := range 32 {
		t := FieldTask{ID: id(), State: states[i%len(states)], Officer: pick(r, officers), Sent: g.ago(hours(r.between(1, 60)))}
		t.Due = t.Sent.Add(hours(r.between(6, 72)))
		var u *unit
		if i%3 == 0 {
			h := g.hazards[(i*7+1)%len(g.hazards)]
			u, t.At = h.unit, lonLat(h.p)
			t.Kind, t.Title, t.ObjectKind, t.Object, t.Place = "visit", "雨中巡查:"+h.name, "hazards", h.id, h.name
			t.Note, t.Result = "看裂缝有无发展,周边住户是否已转移", "裂缝无变化,警示带完好,住户已在亲友家"
		} else {
			s := g.shelters[(i*11+2)%len(g.shelters)]
			u, t.At = s.unit, lonLat(s.p)
			t.Kind, t.Title, t.ObjectKind, t.Object, t.Place = "check_shelter", "检查避难场所:"+s.name, "shelters", s.id, s.name
			t.Note, t.Result = "开门、通电、通水,核对钥匙保管人", "门已开,水电正常,钥匙在村委会"
		}
		t.Grid, t.Worker = u.code, g.worker(r, u)
		if t.State == "handed_back" {
			t.Reason = "道路中断,现在过不去"
		}
		if t.State != "done" {
			t.Result = ""
		}
		w.Tasks = append(w.Tasks, t)
	}
}

// fieldRoutes leads from hamlets under a slope to the nearest open shelter, along roads.
func (g *world) fieldRoutes(r rng, id func() string, w *FieldWork) {
	for _, h := range g.hazards {
		if h.persons < 30 || len(w.Routes) >= 36 || h.state == "removed" {
			continue
		}
		from := h.p.add(h.down.mul(80)) // the houses lie below
		var to *shelter
		for _, s := range g.shelters {
			if d := s.p.dist(from); s.state != "disabled" && d > 250 && d < 4000 && (to == nil || d < to.p.dist(from)) {
				to = s
			}
		}
		if to == nil {
			continue
		}
		way := g.roadWay(from, to.p)
		if len(way) < 2 {
			continue
		}
		line := make(orb.LineString, 0, len(way))
		for _, p := range way {
			if q := lonLat(p); len(line) == 0 || line[len(line)-1] != q {
				line = append(line, q)
			}
		}
		if len(line) < 2 {
			continue
		}
		w.Routes = append(w.Routes, FieldRoute{
			ID: id(), Title: h.name + " → " + to.name, Area: h.unit.code, Shelter: to.id, ShelterName: to.name, Assembly: h.unit.parent.name + "村口", Persons: h.persons,
			Note: pick(r, []string{"夜间由网格员带队,老人小孩乘车", "不走河边小路", "雨大时提前一小时走"}), Approved: g.ago(hours(24 * r.between(30, 200))), Line: line,
		})
	}
}

// fieldPatrols are those of one day, the same whenever they are told.
func (g *world) fieldPatrols(back int, w *FieldWork) {
	zone := time.FixedZone("", 8*3600)
	now := g.now.In(zone)
	morning := time.Date(now.Year(), now.Month(), now.Day(), 7, 0, 0, 0, zone).AddDate(0, 0, -back)
	r := newRNG(g.seed, "patrols "+morning.Format(time.DateOnly))
	for _, u := range g.a.grids {
		keen := 0.55 + 0.4*float64(len(u.parent.code+u.parent.name)%3)/2
		if !r.chance(keen) {
			continue
		}
		p := FieldPatrol{ID: r.uuidV7(morning), Kind: "zero_report", Result: "normal", Grid: u.code, Name: g.worker(r, u), At: lonLat(u.seat), Made: morning.Add(time.Duration(r.intBetween(0, 13*60)) * time.Minute)}
		if r.chance(0.45) {
			p.Kind = "patrol"
			if r.chance(0.06) {
				p.Result = "problem"
			}
		}
		if p.Made.After(g.now) {
			continue // it is still early
		}
		w.Patrols = append(w.Patrols, p)
	}
}

// fieldHouseholds are those under a slope, who must move when it rains.
func (g *world) fieldHouseholds(r rng, w *FieldWork) {
	for i, h := range g.hazards {
		if i%4 != 0 || h.persons == 0 {
			continue
		}
		for n := range min(6, 1+h.persons/8) {
			f := FieldHousehold{
				Key: fmt.Sprintf("household-%03d-%d", i, n+1), Grid: h.unit.code, Head: person(r), Phone: fmt.Sprintf("000-9901-%04d", r.intBetween(0, 9999)),
				Address: fmt.Sprintf("%s%d 号", g.address(h.unit), r.intBetween(1, 80)), Persons: r.intBetween(1, 6), Move: "一有预警就走,去最近的避难场所",
			}
			f.Elderly = min(f.Persons, r.intBetween(0, 2))
			f.Children = min(f.Persons-f.Elderly, r.intBetween(0, 2))
			if r.chance(0.12) {
				f.Disabled, f.Move = 1, "行动不便,由网格员和邻居抬送"
			}
			w.Households = append(w.Households, f)
		}
	}
}
