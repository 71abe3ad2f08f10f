package papers_test

import (
	"strings"
	"testing"
	"time"

	"onemap/incidents/papers"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/pgtest"
)

func figures(deaths float64) []papers.Figure {
	return []papers.Figure{
		{Key: "deaths", Title: "死亡", Value: new(deaths), Unit: "人", Method: "乡镇上报，县核定", AsOf: time.Now().UTC().Truncate(time.Second), Source: "青山镇", Kind: papers.KindReported},
		{Key: "inside", Title: "影响范围内人口", Value: new(1200.0), Unit: "人", Method: "常住人口按建筑分摊", AsOf: time.Now().UTC().Truncate(time.Second), Source: "一张图", Kind: papers.KindEstimate},
		{Key: "missing", Title: "失联", Unit: "人", Kind: papers.KindReported},
	}
}

func (h *house) draft(by auth.By) papers.Paper {
	h.t.Helper()
	p, err := h.s.Create(h.t.Context(), by, h.newID(), papers.New{Kind: papers.Flash, Title: "关于青山镇滑坡的快报", Area: countyA, Addressee: "市应急局",
		Blocks: []papers.Block{{Key: "facts", Title: "一、基本情况", Text: "死亡 {deaths}，失联 {missing}，范围内 {inside}。"}}})
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// TestSigning: 起草, 审核, 签发 by others; what is signed is frozen, for the owner of the
// tables too, and what changed since is said.
func TestSigning(t *testing.T) {
	h := open(t)
	officer, second, approver := h.as("officer", auth.DutyOfficer, countyA), h.as("second", auth.DutyOfficer, countyA), h.as("approver", auth.Approver, countyA)
	p := h.draft(officer)
	step := func(by auth.By, p papers.Paper, s papers.Step) (papers.Paper, string) {
		t.Helper()
		out, err := h.s.Step(t.Context(), by, p.ID, p.Version, s)
		return out, refused(err)
	}
	if _, why := step(approver, p, papers.Step{To: papers.Signed, Figures: figures(1)}); why != "not_reviewed" {
		t.Errorf("signed before it was reviewed: %s", why)
	}
	if _, why := step(officer, p, papers.Step{To: papers.Reviewed}); why != "four_eyes" {
		t.Errorf("reviews his own: %s", why)
	}
	p, why := step(second, p, papers.Step{To: papers.Reviewed})
	if why != "" || p.State != papers.Reviewed || p.ReviewedBy != second.Name {
		t.Fatalf("%+v %s", p, why)
	}
	// A new wording is reviewed anew.
	text := []papers.Block{{Title: "一", Text: "死亡 {deaths}，{nobody_counts}。"}}
	p2, err := h.s.Patch(t.Context(), officer, p.ID, p.Version, papers.Patch{Blocks: &text})
	if err != nil || p2.State != papers.Draft || p2.ReviewedBy != "" {
		t.Fatalf("%+v %v", p2, err)
	}
	p, _ = step(second, p2, papers.Step{To: papers.Reviewed})
	if _, why := step(approver, p, papers.Step{To: papers.Signed, Figures: figures(1)}); why != "blocks unknown_figure" {
		t.Errorf("a figure nobody counts: %s", why)
	}
	if p, why = step(approver, p, papers.Step{To: papers.Returned, Note: "数据项有误"}); why != "" || p.State != papers.Draft || p.Note != "数据项有误" {
		t.Fatalf("%+v %s", p, why)
	}
	text[0].Text = "死亡 {deaths}，失联 {missing}，范围内 {inside}。"
	if p, err = h.s.Patch(t.Context(), officer, p.ID, p.Version, papers.Patch{Blocks: &text}); err != nil {
		t.Fatal(err)
	}
	p, _ = step(second, p, papers.Step{To: papers.Reviewed})
	if _, why := step(second, p, papers.Step{To: papers.Signed, Figures: figures(1)}); why != "forbidden" {
		t.Errorf("an officer signs: %s", why)
	}
	p, why = step(approver, p, papers.Step{To: papers.Signed, Figures: figures(1)})
	if why != "" || p.State != papers.Signed || !strings.HasPrefix(p.Number, "KB-990100-") || len(p.SHA256) != 64 || len(p.Figures) != 3 || p.SignedBy != approver.Name {
		t.Fatalf("%+v %s", p, why)
	}
	if s := papers.Filled(p.Blocks[0].Text, p.Figures); s != "死亡 1 人，失联 无数据，范围内 约 1200 人。" {
		t.Errorf("%q", s)
	}
	if c := papers.ChangedSince(p.Figures, figures(3)); len(c) != 1 || c[0].Key != "deaths" || *c[0].Then != 1 || *c[0].Now != 3 {
		t.Errorf("%+v", c)
	}
	if _, err := h.s.Patch(t.Context(), officer, p.ID, p.Version, papers.Patch{Blocks: &text}); refused(err) != "already_signed" {
		t.Errorf("worded after signing: %v", err)
	}
	owner := pgtest.Connect(t, h.dsn.Admin)
	for _, sql := range []string{`update papers set title = 'x'`, `update papers set figures = '[]'`, `update papers set signed_by = 'x'`, `update papers set state = 'draft'`, `delete from papers`} {
		if _, err := owner.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "OM011") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestReportedFirst: 先报后签: what was reported stays as it was, the signature follows from
// another, and its being late stays written.
func TestReportedFirst(t *testing.T) {
	h := open(t)
	officer, commander := h.as("officer", auth.DutyOfficer, countyA), h.as("commander", auth.Commander, countyA)
	p := h.draft(officer)
	if _, err := h.s.Step(t.Context(), officer, p.ID, p.Version, papers.Step{To: papers.Reported, Note: "电话已请示", Figures: figures(1)}); refused(err) != "consulted length" {
		t.Errorf("without asking anybody: %v", err)
	}
	p, err := h.s.Step(t.Context(), officer, p.ID, p.Version, papers.Step{To: papers.Reported, Note: "电话已请示", Consulted: "张带班", OnDuty: []string{"张带班"}, Figures: figures(1)})
	if err != nil || p.State != papers.Reported || p.ConsultedOnDuty == nil || !*p.ConsultedOnDuty || p.SignDue == nil || p.Number == "" {
		t.Fatalf("%+v %v", p, err)
	}
	owner := pgtest.Connect(t, h.dsn.Admin)
	for _, sql := range []string{`update papers set title = 'x'`, `update papers set figures = '[]'`, `update papers set sign_due_at = now() + interval '9 days'`, `update papers set state = 'draft'`, `delete from papers`} {
		if _, err := owner.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "OM011") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	page, err := h.s.Papers(t.Context(), commander.Identity, papers.Query{Unsigned: true})
	if err != nil || len(page.Papers) != 1 || page.Unsigned != 1 || page.Overdue != 0 {
		t.Errorf("%+v %v", page, err)
	}
	h.clock.Add(int64(25 * time.Hour))
	if page, err = h.s.Papers(t.Context(), commander.Identity, papers.Query{}); err != nil || page.Overdue != 1 || !page.Papers[0].Overdue(h.now()) {
		t.Errorf("%+v %v", page, err)
	}
	signed, err := h.s.Step(t.Context(), commander, p.ID, p.Version, papers.Step{To: papers.Signed, Figures: figures(9)})
	if err != nil || signed.State != papers.Signed || !signed.Late || *signed.Figures[0].Value != 1 || signed.SHA256 != p.SHA256 {
		t.Errorf("%+v %v", signed, err)
	}
	// A commander who drafts and reports does not sign.
	own := h.draft(commander)
	if own, err = h.s.Step(t.Context(), commander, own.ID, own.Version, papers.Step{To: papers.Reported, Note: "紧急", Consulted: "李", Figures: figures(1)}); err != nil || *own.ConsultedOnDuty {
		t.Fatalf("%+v %v", own, err)
	}
	if _, err := h.s.Step(t.Context(), commander, own.ID, own.Version, papers.Step{To: papers.Signed}); refused(err) != "four_eyes" {
		t.Errorf("signs his own: %v", err)
	}
	// Nor through the table.
	err = h.db.Intake.Tx(t.Context(), commander.Writing(commander.Grants[0]), execs(`update papers set state = 'signed', signed_at = now(), signed_by = 'x', signed_actor = current_setting('app.actor') where id = '`+own.ID+`'`))
	if err == nil || !strings.Contains(err.Error(), "OM013") {
		t.Errorf("past the service: %v", err)
	}
	err = h.db.Intake.Tx(t.Context(), officer.Writing(officer.Grants[0]), execs(`update papers set state = 'signed', signed_at = now(), signed_by = 'x', signed_actor = current_setting('app.actor') where id = '`+own.ID+`'`))
	if err == nil || !strings.Contains(err.Error(), "OM014") {
		t.Errorf("an officer past the service: %v", err)
	}
}

// TestWhoReads: papers are the office's; the neighbour and who only looks see none.
func TestWhoReads(t *testing.T) {
	h := open(t)
	officer, viewer, neighbour := h.as("officer", auth.DutyOfficer, countyA), h.as("viewer", auth.Viewer, countyA), h.as("neighbour", auth.Commander, countyB)
	p := h.draft(officer)
	if _, err := h.s.Papers(t.Context(), viewer.Identity, papers.Query{}); refused(err) != "forbidden" {
		t.Errorf("%v", err)
	}
	if page, err := h.s.Papers(t.Context(), neighbour.Identity, papers.Query{}); err != nil || len(page.Papers) != 0 {
		t.Errorf("%+v %v", page, err)
	}
	for _, who := range []auth.By{viewer, neighbour} {
		if _, err := h.s.Paper(t.Context(), who.Identity, p.ID); refused(err) != "not found" {
			t.Errorf("%s: %v", who.Name, err)
		}
		if _, err := h.s.Step(t.Context(), who, p.ID, p.Version, papers.Step{To: papers.Reviewed}); refused(err) != "not found" {
			t.Errorf("%s: %v", who.Name, err)
		}
	}
}

// TestBrief: the log of a period, what is open at its end, and counts without exercises.
func TestBrief(t *testing.T) {
	h := open(t)
	officer, neighbour := h.as("officer", auth.DutyOfficer, countyA), h.as("neighbour", auth.DutyOfficer, countyB)
	claims := db.System("test")
	for _, sql := range []string{
		`insert into incidents (id, name, kind, state, occurred_at, known_at, admin_code, exercise) values (uuid_v7(), '青山滑坡', 'landslide', 'responding', now() - interval '2 h', now() - interval '1 h', '990100101', false),
		  (uuid_v7(), '演练', 'flood', 'responding', now() - interval '1 h', now() - interval '1 h', '990100101', true), (uuid_v7(), '邻县', 'flood', 'responding', now() - interval '1 h', now() - interval '1 h', '990200', false)`,
		`insert into incident_reports (id, kind, urgency, place, scope, home, captured_at, received_at, name) values (uuid_v7(), 'landslide', 'urgent', '二组', code_scope('990100101'), code_scope('990100101'), now(), now() - interval '30 min', '网格员')`,
		`insert into response (id, title, kind, level, area, state, started_at, signed_by) values ('01900000-0000-7000-b000-000000000001', '防汛响应', 'flood', 3, '990100', 'active', now() - interval '50 min', '张县长')`,
		`insert into response_act (response, act, at, level, signed_by, document_number, name) values ('01900000-0000-7000-b000-000000000001', 'start', now() - interval '50 min', 3, '张县长', '平汛〔2026〕1 号', '值班员')`,
		`insert into response_tasks (response, action, unit, area, sent_at, due_at) values ('01900000-0000-7000-b000-000000000001', '巡查水库', '县水利局', '990100', now() - interval '50 min', now() - interval '20 min')`,
		`insert into duty_sitting (area, since, account, name) values ('990100', now() - interval '3 h', uuid_v7(), '李值班')`,
		`insert into callouts (id, kind, title, reason, consulted, started_at, scope, scopes, name) values ('01900000-0000-7000-b000-000000000002', 'call_out', '东片叫应', '强降雨', '张带班', now() - interval '40 min', code_scope('990100101'), int8multirange(code_scope('990100101')), '李值班'),
		  (uuid_v7(), 'call_out', '邻县叫应', '强降雨', '别人', now() - interval '40 min', code_scope('990200'), int8multirange(code_scope('990200')), '邻值班')`,
		`insert into evacuation_entries (id, callout, village, moved, at, channel, scope, name) values (uuid_v7(), '01900000-0000-7000-b000-000000000002', '990100101001', 12, now() - interval '10 min', 'desk', code_scope('990100101'), '孙乡镇')`,
		`update callouts set state = 'ended', ended_at = now() - interval '5 min', ended_by = '周值班', end_reason = 'done', end_note = '雨停' where title = '东片叫应'`,
	} {
		if err := h.db.Intake.Tx(t.Context(), claims, execs(sql)); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	from, to := h.now().Add(-8*time.Hour), h.now().Add(time.Minute)
	b, err := h.s.Brief(t.Context(), officer.Identity, countyA, from, to, false)
	if err != nil {
		t.Fatal(err)
	}
	c := b.Counts
	if c.IncidentsNew != 1 || c.IncidentsOpen != 1 || c.Responses != 1 || c.TasksOpen != 1 || c.TasksLate != 1 || c.Reports != 1 || c.ReportsUntaken != 1 {
		t.Errorf("%+v", c)
	}
	title, blocks := papers.Compose(papers.Handover, papers.Material{Now: h.now(), Area: "平川县", Brief: &b, Figures: c.Figures(from, to, h.now(), time.UTC)})
	text := title
	for _, k := range blocks {
		text += "\n" + k.Title + "\n" + papers.Filled(k.Text, c.Figures(from, to, h.now(), time.UTC))
	}
	for _, want := range []string{"平川县值班交接", "启动响应：防汛响应", "Ⅲ 级", "签发人 张县长", "接报事件：青山滑坡", "收到报告：二组", "坐上值班台；李值班", "险情未接手：二组", "巡查水库；县水利局，未确认，已超时", "超时任务 1 项", "发出叫应：东片叫应；请示 张带班，强降雨；李值班", "转移：东片叫应；1 个村上报 1 次", "结束叫应：东片叫应；请示 张带班，雨停；周值班"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "演练") || strings.Contains(text, "邻县") {
		t.Errorf("what is not of it:\n%s", text)
	}
	other, err := h.s.Brief(t.Context(), neighbour.Identity, countyA, from, to, false)
	if err != nil || len(other.Log) != 0 || other.Counts != (papers.Counts{}) {
		t.Errorf("the neighbour reads %+v, %v", other, err)
	}
}
