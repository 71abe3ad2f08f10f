package demo

import "time"

// CommandWork is what the command centre has: contingency plans and the response that
// holds, with what was answered to its tasks.
type CommandWork struct {
	Plans    []CommandPlan
	Response CommandResponse
	Officer  string // at the desk
	Leader   string
}

// CommandPlan is a 预案 with its clauses.
type CommandPlan struct {
	ID, Title, Kind, Hazard, Area, Unit, Number, Lead string
	Issued, Review                                    time.Time
	Clauses                                           []CommandClause
}

// CommandClause is one duty of a plan; level 0 is every level, minutes 0 no time.
type CommandClause struct {
	Level, Minutes     int
	Action, Unit, Text string
}

// CommandResponse is the response that holds: started at Ⅳ, adjusted to Ⅲ.
type CommandResponse struct {
	ID, Paper, Plan, Title, Kind, Condition, Lead string
	Started, Adjusted                             time.Time
}

// command writes the plans of a county and the response to the storm.
func (g *world) command() {
	r := newRNG(g.seed, "command")
	born := time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)
	id := func() string { born = born.Add(time.Second); return r.uuidV7(born) }
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	w := &g.c.Command
	flood := []CommandClause{
		{4, 30, "加强值守，带班领导到岗", "县应急管理局", "启动后领导带班、专人 24 小时值守，落实信息报送。"},
		{4, 60, "巡查水库、塘坝、堤防险工险段", "县水利局", "巡查人员到岗到位，发现险情 15 分钟内报县防指。"},
		{4, 60, "巡查地质灾害隐患点和切坡建房", "县自然资源和规划局", "群测群防员逐点巡查，逐点回报。"},
		{3, 60, "预置抢险队伍和物资", "县应急管理局", "综合救援队前置到重点乡镇，编织袋、冲锋舟、照明装备出库。"},
		{3, 90, "管控涉水路段、下穿通道和漫水桥", "县公安局交警大队", "设卡并公布绕行路线。"},
		{3, 120, "转移危险区群众", "各乡镇人民政府", "按转移清单逐户叫应、逐户登记，优先转移老人、儿童、病残人员。"},
		{2, 120, "关闭景区、停工停课", "县文旅局、教体局、住建局", "涉山涉水景区关闭，在建工地停工，学校停课。"},
		{1, 60, "请求市级增援", "县人民政府", "报请市防指调派专业救援力量。"},
		{0, 30, "首次报送灾情险情", "县应急管理局", "较大以上突发事件两小时内书面上报，先电话后书面。"},
	}
	w.Plans = []CommandPlan{
		{ID: id(), Title: "示例县突发事件总体应急预案", Kind: "overall", Area: countyCode, Unit: "示例县人民政府", Number: "示政办〔2024〕1 号", Issued: day(2024, 3, 1), Review: day(2027, 3, 1), Clauses: []CommandClause{
			{2, 45, "成立现场指挥部", "县人民政府办公室", "明确总指挥、各工作组和会商时间。"}, {2, 60, "发布权威信息", "县委宣传部", "统一口径，首次发布不晚于五小时。"}, {0, 0, "归档总结", "县应急管理局", "响应终止后 30 日内完成评估。"},
		}},
		{ID: id(), Title: "示例县防汛抗旱应急预案", Kind: "special", Hazard: "flood", Area: countyCode, Unit: "示例县人民政府", Number: "示政办〔2025〕6 号", Lead: "县防汛抗旱指挥部", Issued: day(2025, 4, 10), Review: day(2028, 4, 10), Clauses: flood},
		{ID: id(), Title: "示例县突发地质灾害应急预案", Kind: "special", Hazard: "landslide", Area: countyCode, Unit: "示例县人民政府", Number: "示政办〔2023〕9 号", Lead: "县地质灾害应急指挥部", Issued: day(2023, 5, 20), Review: day(2026, 5, 20), Clauses: []CommandClause{
			{4, 30, "划定警戒区、设置警示标志", "县自然资源和规划局", ""}, {4, 60, "撤离受威胁群众", "属地乡镇人民政府", "按避险明白卡路线撤离，逐户清点。"}, {3, 120, "专家会商研判稳定性", "县自然资源和规划局", ""}, {3, 60, "抢通生命通道", "县交通运输局", ""},
		}},
		{ID: id(), Title: "示例县地震应急预案", Kind: "special", Hazard: "earthquake", Area: countyCode, Unit: "示例县人民政府", Number: "示政办〔2024〕7 号", Lead: "县抗震救灾指挥部", Issued: day(2024, 6, 1), Review: day(2027, 6, 1), Clauses: []CommandClause{
			{0, 15, "收集震感和人员被埋压情况", "各乡镇人民政府", ""}, {3, 30, "开放避难场所", "县应急管理局", ""}, {2, 30, "搜救被埋压人员", "县消防救援大队", ""},
		}},
		{ID: id(), Title: "示例县危险化学品事故应急预案", Kind: "special", Hazard: "hazchem", Area: countyCode, Unit: "示例县人民政府", Number: "示政办〔2024〕11 号", Lead: "县安全生产委员会", Issued: day(2024, 9, 1), Review: day(2027, 9, 1), Clauses: []CommandClause{
			{0, 15, "疏散下风向群众、设立警戒", "县公安局", ""}, {4, 30, "切断泄漏源、稀释洗消", "县消防救援大队", ""}, {4, 60, "监测大气和水体", "市生态环境局示例分局", ""},
		}},
		{ID: id(), Title: "示例县森林火灾应急预案", Kind: "special", Hazard: "forest_fire", Area: countyCode, Unit: "示例县人民政府", Number: "示政办〔2025〕2 号", Lead: "县森防指", Issued: day(2025, 1, 15), Review: day(2028, 1, 15), Clauses: []CommandClause{
			{4, 20, "扑救队伍出动", "县林业局", ""}, {3, 60, "转移林区群众", "属地乡镇人民政府", ""},
		}},
		{ID: id(), Title: "县卫生健康系统防汛救灾医疗卫生保障预案", Kind: "department", Hazard: "flood", Area: countyCode, Unit: "县卫生健康委员会", Issued: day(2024, 5, 6), Review: day(2026, 5, 6), Clauses: []CommandClause{
			{3, 60, "医疗队待命", "县人民医院", ""}, {3, 180, "安置点卫生防疫", "县疾控中心", ""},
		}},
	}
	for _, t := range g.a.towns {
		w.Plans = append(w.Plans, CommandPlan{ID: id(), Title: t.name + "防汛避险转移预案", Kind: "grassroots", Hazard: "flood", Area: t.code, Unit: t.name + "人民政府", Issued: day(2025, 4, 20), Review: day(2026, 4, 20), Clauses: []CommandClause{
			{4, 15, "叫应村级责任人和网格员", t.name + "值班室", "电话叫应，要求复述。"}, {3, 60, "组织危险区群众转移", t.name + "各村", "敲锣、入户、喇叭同时进行。"},
		}})
	}
	now := g.now
	for _, d := range g.c.Duties {
		if d.AdminCode != countyCode || now.Before(d.Starts) || !now.Before(d.Ends) {
			continue
		}
		if d.Role == "leader" && w.Leader == "" {
			w.Leader = d.Person
		}
		if d.Role == "officer" && w.Officer == "" {
			w.Officer = d.Person
		}
	}
	w.Response = CommandResponse{
		ID: id(), Paper: id(), Plan: w.Plans[1].ID, Title: "防汛应急响应", Kind: "flood", Condition: "发布暴雨橙色预警，预计未来 3 小时降雨量 50 毫米以上", Lead: "县防汛抗旱指挥部",
		Started: g.ago(80 * time.Minute), Adjusted: g.ago(45 * time.Minute),
	}
}
