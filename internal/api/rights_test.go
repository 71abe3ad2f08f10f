package api_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"onemap/census/dangers"
	"onemap/internal/api"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/zoning"
)

// TestRightsDocument writes docs/rights.md from what the program goes by: the table
// of roles, the route table, the actions two people decide. ONEMAP_UPDATE=1 rewrites
// the file; without it a file that is out of date fails.
func TestRightsDocument(t *testing.T) {
	e := start(t)
	got := rights(e.server.Routes())
	path := filepath.Join("..", "..", "docs", "rights.md")
	if os.Getenv("ONEMAP_UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != got {
		t.Error("docs/rights.md is out of date: ONEMAP_UPDATE=1 go test -run TestRightsDocument ./internal/api")
	}
}

// permissionWords names every permission; one without a name fails.
func permissionWords() []struct {
	p      auth.Permission
	zh, en string
} {
	return []struct {
		p      auth.Permission
		zh, en string
	}{
		{auth.ManageAccounts, "管理人员账户、会话、第二因素", "people, their sessions and second factors"},
		{auth.ManageGrants, "授予与收回权限", "who may do what, where"},
		{auth.ManageTokens, "查看、撤销全部令牌，签发只读与大屏的查看令牌", "see and revoke all tokens, make those that only look"},
		{auth.MakeTokens, "在自己的授权之内签发、撤销自己的令牌", "make tokens inside a grant of one's own"},
		{auth.EnrolDevices, "为手机登记设备", "sign a field phone in"},
		{auth.ManageSystem, "图层名称、系统设置、运行指标", "titles of layers, settings, metrics"},
		{auth.ManageSecurity, "登录规则、审计外送、补签时限", "rules of signing in, syslog, hours to countersign"},
		{auth.ClassifyLayers, "图层可见性", "visibility of layers"},
		{auth.ReadAudit, "查阅与导出审计", "read and export the audit"},
		{auth.EditRules, "编制规则集新版本", "new versions of rule sets"},
		{auth.VerifyRules, "对照标准核实规则集", "confirm a rule set against its standard"},
		{auth.Reveal, "查看被遮盖的电话(须写理由)", "masked numbers, with a reason"},
		{auth.SendOrders, "叫应、立即转移", "call-outs and 立即转移"},
		{auth.Countersign, "补签", "countersign what one person sent"},
		{auth.WriteFeatures, "在本区域内填报与修改", "report and change in the area"},
		{auth.EditPlans, "编制区划方案：绘制、计算、答复意见、报审", "draw zoning plans, compute them, answer opinions, submit"},
		{auth.ReportDangers, "上报隐患、立行立改", "report hidden dangers, fix them on the spot"},
		{auth.HandleDangers, "核实、定级、下达、复查、销号隐患；制度措施", "verify, grade, order, review and close hidden dangers; measures"},
		{auth.RectifyDangers, "整改指派给本单位的隐患(只见这些)", "put right what is assigned to one's unit, and see nothing else"},
		{auth.ApproveDangers, "审批重大隐患的治理方案、挂牌与摘牌、延期", "approve plans of serious dangers, their listing and deadlines"},
		{auth.ApproveWays, "批准或撤下他人绘制的转移路线", "approve or take down ways out that another drew"},
		{auth.WorkDesk, "处理外业的冲突与待核实", "decide conflicts and quarantine of the field"},
		{auth.CommandPost, "指挥：应急响应、预案任务、调度、标绘", "command: responses, tasks of contingency plans, dispatches, sketches"},
		{auth.SignPapers, "签发响应与快报、专报", "sign responses and reports"},
		{auth.IngestObservations, "报送监测数据(令牌须有 ingest 用途)", "send observations in (a token must have the scope ingest)"},
		{auth.ReviewPlans, "审查、退回、审定、发布他人编制的区划方案", "review, return, approve and publish plans another drew"},
	}
}

func rights(routes []*api.Route) string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	roles := auth.Roles()
	head := func(first string) {
		w("| %s |", first)
		for _, r := range roles {
			w(" %s |", r.Title.ZH)
		}
		w("\n|---|%s\n", strings.Repeat(":-:|", len(roles)))
	}
	mark := func(ok bool) string {
		if ok {
			return "●"
		}
		return ""
	}

	w("# 权限总表 · Rights\n\n")
	w("本文件由程序生成(`ONEMAP_UPDATE=1 go test -run TestRightsDocument ./internal/api`)，与代码不一致时测试失败。\n")
	w("Generated from the roles, the route table and the actions two people decide; a test fails when it is out of date.\n\n")
	w("权限 = 人 × 角色 × 区域 × 有效期。阅读取一个人各项授权的并集；每次写入只用其中一项，并记入审计。系统管理员、安全管理员、审计员(三员)一人只任其一。\n")
	w("A grant is person × role × area × validity. Reading uses the union of a person's grants, a change uses one of them, which the audit names. Nobody holds two of the last three roles.\n")
	w("三员之一可以另有业务角色(小单位人手有限)，须两人决定的事项比的是人而不是角色。令牌的权限不多于签发人：授权结束或本人停用，所签发的令牌随之失效(命令行和安全管理员签发的除外)。\n")
	w("One of the three may hold a business role beside it (small offices): what two people decide compares persons, not roles. A token never has more than its maker and ends with his grant or his account, except those of the command line and the security administrator's.\n\n")

	w("## 角色 · Roles\n\n| 角色 | role | 阅读 reads | 写 writes | 说明 notes |\n|---|---|---|:-:|---|\n")
	reads := map[string]string{db.Public: "公开 public", db.Internal: "内部 internal", db.Sensitive: "敏感 sensitive"}
	for _, r := range roles {
		var notes []string
		if r.Township {
			notes = append(notes, "阅读扩至所在乡镇 reads the township")
		}
		if r.Office {
			notes = append(notes, "可设置为必须使用第二因素 a second factor where the setting says so")
		}
		if r.Role.Separated() {
			notes = append(notes, "三员 one of three")
		}
		w("| %s | %s `%s` | %s | %s | %s |\n", r.Title.ZH, r.Title.EN, r.Role, reads[r.Reads], mark(r.Writes), strings.Join(notes, ";"))
	}

	w("\n## 角色 × 权限 · Role × permission\n\n")
	head("权限 permission")
	for _, p := range permissionWords() {
		w("| %s %s `%s` |", p.zh, p.en, p.p)
		for _, r := range roles {
			w(" %s |", mark(r.Role.May(p.p)))
		}
		w("\n")
	}

	w("\n## 角色 × 接口 · Role × route\n\n")
	w("● 可以调用;○ 按所见范围作答(图层不可见即等同不存在)；空白 = 403。匿名：设置完成后只见公开图层，其余 401。\n")
	w("● may call; ○ answers with what the asker may see; blank is 403. Anonymous callers see public layers, else 401.\n\n")
	w("| 接口 route | 匿名 anonymous | 令牌 token |")
	for _, r := range roles {
		w(" %s |", r.Title.ZH)
	}
	w("\n|---|:-:|:-:|%s\n", strings.Repeat(":-:|", len(roles)))
	for _, rt := range routes {
		anonymous, token := "", ""
		cell := func(auth.Role) string { return "●" }
		switch rt.Access {
		case api.AccessOpen:
			anonymous, token = "●", "●"
		case api.AccessSetup:
			anonymous = "设置链接 link"
			cell = func(auth.Role) string { return "" }
		case api.AccessPublic:
			anonymous, token = "○", "○ read"
			cell = func(auth.Role) string { return "○" }
		case api.AccessSignedIn:
			token = "● read"
		case api.AccessPerson, api.AccessSelf, api.AccessSession:
		case api.AccessMay, api.AccessMachine:
			if rt.Access == api.AccessMachine {
				anonymous = "本机 this machine"
			}
			cell = func(r auth.Role) string {
				return mark(slices.ContainsFunc(rt.Needs, r.May))
			}
		}
		w("| `%s %s` | %s | %s |", rt.Method, rt.Pattern, anonymous, token)
		for _, r := range roles {
			w(" %s |", cell(r.Role))
		}
		w("\n")
	}

	w("\n## 角色 × 须两人决定的事项 · Role × what two people decide\n\n")
	w("提 = 可提出；定 = 可由另一人决定(同意、退回、补签)。提出人可撤回自己的，不能决定自己的。应急事项立即发出，之后由另一人补签。\n")
	w("提 proposes, 定 decides as another person (approves, refuses, countersigns). Whoever proposed may withdraw it and cannot decide it. Emergency orders go at once and are countersigned afterwards. Actions of later parts are in the table and cannot be proposed before.\n\n")
	head("事项 action")
	for _, a := range decision.Actions() {
		emergency := ""
		if a.Emergency {
			emergency = " ⚡"
		}
		w("| %s %s `%s`%s |", a.Title.ZH, a.Title.EN, a.Name, emergency)
		for _, r := range roles {
			cell := ""
			if r.Role.May(a.Propose) {
				cell += "提"
			}
			if slices.ContainsFunc(a.Decide, r.Role.May) {
				cell += "定"
			}
			w(" %s |", cell)
		}
		w("\n")
	}
	w("\n## 角色 × 区划方案的步骤 · Role × step of a zoning plan\n\n")
	w("● 可以执行(在本人授权的区域内)；异 = 须为编制、报审人以外的另一人；由 = 须写明理由。已发布的版本不可修改，由下一版替代。\n")
	w("● may take the step, in the area of the grant; 异 another person than whoever drew or submitted the version; 由 the reason must be given. A published version never changes; the next one supersedes it.\n\n")
	w("| 步骤 step | 由 from | 到 to | 条件 |")
	for _, r := range roles {
		w(" %s |", r.Title.ZH)
	}
	w("\n|---|---|---|:-:|%s\n", strings.Repeat(":-:|", len(roles)))
	for _, st := range zoning.LifeSteps() {
		var from []string
		for _, f := range st.From {
			from = append(from, "`"+string(f)+"`")
		}
		when := ""
		if st.Other {
			when += "异"
		}
		if st.Note {
			when += "由"
		}
		w("| %s %s `%s` | %s | `%s` | %s |", st.Title.ZH, st.Title.EN, st.Action, strings.Join(from, " "), st.To, when)
		for _, r := range roles {
			w(" %s |", mark(r.Role.May(st.Need)))
		}
		w("\n")
	}
	w("\n## 角色 × 隐患的步骤 · Role × step of a hidden danger\n\n")
	w("● 可以执行(在本人授权的区域内；责任单位只对指派给它的)；异 = 须为整改人(审批时：定级人、方案提交人)以外的另一人；由 = 须写明理由；证 = 须有照片。已销号、不属实的不可修改，重新立项为新记录。\n")
	w("● may take the step, in the area of the grant (a unit: where it is assigned); 异 another person than whoever put it right (of an approval: graded it or made its plan); 由 the reason must be given; 证 with a picture. What is closed or rejected never changes; it is reopened as a new record.\n\n")
	w("| 步骤 step | 由 from | 到 to | 条件 |")
	for _, r := range roles {
		w(" %s |", r.Title.ZH)
	}
	w("\n|---|---|---|:-:|%s\n", strings.Repeat(":-:|", len(roles)))
	for _, st := range dangers.LifeSteps() {
		var from []string
		for _, f := range st.From {
			from = append(from, "`"+string(f)+"`")
		}
		when := ""
		for _, c := range []struct {
			on   bool
			word string
		}{{st.Other, "异"}, {st.Note, "由"}, {st.Evidence, "证"}} {
			if c.on {
				when += c.word
			}
		}
		w("| %s %s `%s` | %s | `%s` | %s |", st.Title.ZH, st.Title.EN, st.Action, strings.Join(from, " "), st.To, when)
		for _, r := range roles {
			w(" %s |", mark(slices.ContainsFunc(st.Needs, r.Role.May)))
		}
		w("\n")
	}
	w("\n规则集：编制人(`edit_rules`)与核实人(`verify_rules`)须为两人。 Rule sets: who makes a version and who confirms it are two people.\n")
	return b.String()
}

// TestEveryPermissionIsNamed: the document leaves none out, and none is carried by
// nobody.
func TestEveryPermissionIsNamed(t *testing.T) {
	named := map[auth.Permission]bool{}
	for _, p := range permissionWords() {
		named[p.p] = true
		held := slices.ContainsFunc(auth.Roles(), func(r auth.RoleInfo) bool { return r.Role.May(p.p) })
		if !held {
			t.Errorf("nobody may %s", p.p)
		}
	}
	for _, r := range auth.Roles() {
		for _, p := range r.May {
			if !named[p] {
				t.Errorf("%s has no words", p)
			}
		}
	}
}
