package field

import "onemap/internal/sync"

func words(zh, en string) sync.Words { return sync.Words{Zh: zh, En: en} }

func text(name, zh, en string, most int) sync.Field {
	return sync.Field{Name: name, Title: words(zh, en), Type: "text", MaxLength: most}
}

func code(name, zh, en, list string) sync.Field {
	return sync.Field{Name: name, Title: words(zh, en), Type: "code", Codes: list}
}

func count(name, zh, en, unit string) sync.Field {
	zero, most := 0.0, 1e7
	return sync.Field{Name: name, Title: words(zh, en), Type: "integer", Unit: unit, Min: &zero, Max: &most}
}

func yes(name, zh, en string) sync.Field {
	return sync.Field{Name: name, Title: words(zh, en), Type: "boolean"}
}

func at(name, zh, en string) sync.Field {
	return sync.Field{Name: name, Title: words(zh, en), Type: "datetime"}
}

func required(f sync.Field) sync.Field { f.Required = true; return f }
func shown(f sync.Field) sync.Field    { f.ReadOnly = true; return f }

func hazardDictionary() sync.Dictionary {
	one, four := 1.0, 4.0
	level := sync.Field{Name: "level", Title: words("危险等级", "Level"), Type: "integer", Codes: "hazard_4", Min: &one, Max: &four}
	description := text("description", "描述", "Description", 4000)
	description.Templates = []sync.Words{
		words("坡体出现裂缝，宽约 cm,长约 m", "Cracks in the slope, some cm wide and m long"), words("坡脚渗水，有小块掉落", "Water seeps at the foot, small pieces fall"),
		words("房后边坡高约 m,未支护", "The slope behind the house is some m high, unsupported"),
	}
	return sync.Dictionary{
		Kind: "hazards", Title: words("致灾点", "Hazard point"), Geometry: []string{"Point", "LineString", "Polygon"}, Near: 30, Deletable: true,
		Fields: []sync.Field{
			required(text("name", "名称", "Name", 200)), required(code("hazard", "灾种", "Hazard", "hazard")), level, code("scale", "规模", "Scale", "hazard_scale"),
			count("threatened_persons", "威胁人口", "Threatened persons", "人"), count("threatened_households", "威胁户数", "Threatened households", "户"),
			text("measure", "防治措施", "Measure", 1000), text("address", "位置", "Location", 500), description,
		},
	}
}

func checkDictionary() sync.Dictionary {
	shelter := sync.Field{Name: "shelter", Title: words("避难场所", "Shelter"), Type: "id", Required: true}
	return sync.Dictionary{
		Kind: "shelter_checks", Title: words("避难场所检查", "Shelter check"), Geometry: []string{},
		Fields: []sync.Field{
			shelter, at("checked_at", "检查时间", "Checked at"), required(code("result", "结果", "Result", "check_result")),
			yes("sign", "标志牌完好", "Signs in place"), yes("water", "有水", "Water"), yes("power", "有电", "Power"), yes("access", "通道畅通、门能打开", "Access is free"),
			text("note", "备注", "Note", 2000), text("problem", "问题", "Problem", 2000),
		},
	}
}

func patrolDictionary() sync.Dictionary {
	return sync.Dictionary{
		Kind: "patrols", Title: words("巡查", "Patrol"), Geometry: []string{"Point", "LineString"},
		Fields: []sync.Field{
			required(code("kind", "类型", "Kind", "patrol_kind")), code("result", "结果", "Result", "patrol_result"), text("grid", "网格", "Grid", 32),
			at("started_at", "开始", "Started at"), at("ended_at", "结束", "Ended at"), text("note", "备注", "Note", 2000),
		},
	}
}

func taskDictionary() sync.Dictionary {
	return sync.Dictionary{
		Kind: "tasks", Title: words("任务", "Task"), Geometry: []string{},
		Fields: []sync.Field{
			shown(text("title", "任务", "Task", 200)), shown(code("kind", "类型", "Kind", "task_kind")), shown(text("object_kind", "对象类型", "Kind of object", 63)),
			shown(sync.Field{Name: "object", Title: words("对象", "Object"), Type: "id"}), shown(at("due_at", "期限", "Due")), shown(text("note", "说明", "Note", 2000)),
			text("result", "完成情况", "Result", 4000), shown(text("reason", "退回原因", "Reason", 2000)), shown(text("place", "地点", "Place", 500)), shown(text("grid", "网格", "Grid", 32)),
			shown(text("assignee_name", "承办人", "Who does it", 100)), shown(text("sent_by", "派发人", "Sent by", 100)),
		},
		Transitions: []sync.Transition{
			{From: "sent", To: "accepted", Title: words("接受", "Accept")}, {From: "accepted", To: "done", Title: words("完成", "Done"), Needs: []string{"result"}},
			{From: "sent", To: "handed_back", Title: words("退回", "Hand back"), Needs: []string{"note"}},
			{From: "accepted", To: "handed_back", Title: words("退回", "Hand back"), Needs: []string{"note"}},
		},
	}
}

func ackDictionary() sync.Dictionary {
	return sync.Dictionary{
		Kind: "acks", Title: words("签收", "Acknowledgement"), Geometry: []string{},
		Fields: []sync.Field{{Name: "notice", Title: words("通知", "Notice"), Type: "id", Required: true}, at("read_at", "阅读时间", "Read at")},
	}
}

func noticeDictionary() sync.Dictionary {
	return sync.Dictionary{
		Kind: "notices", Title: words("预警与通知", "Notice"), Geometry: []string{},
		Fields: []sync.Field{
			shown(code("kind", "类型", "Kind", "notice_kind")), shown(text("title", "标题", "Title", 200)), shown(text("body", "内容", "Text", 4000)),
			shown(sync.Field{Name: "level", Title: words("级别", "Level"), Type: "integer", Codes: "warning_4"}), shown(code("hazard", "灾种", "Hazard", "hazard")),
			shown(at("issued_at", "发布时间", "Issued at")), shown(at("expires_at", "有效至", "Expires at")), shown(at("withdrawn_at", "撤回时间", "Withdrawn at")),
			shown(text("issued_by", "发布人", "Issued by", 100)), shown(at("acknowledged_at", "签收时间", "Acknowledged at")),
		},
	}
}
