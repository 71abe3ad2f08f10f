package auth

import (
	"slices"

	"onemap/internal/db"
	"onemap/internal/registry"
)

// Role is what a grant lets a person be.
type Role string

// The roles. The last three are the 三员 of 等保三级 (GB/T 22239-2019, 8.1.5): nobody
// holds two of them, and none of them carries a right over domain data. One of them may
// hold a business role beside it, as small offices need: 三员分立 is between the three,
// and four eyes compares persons, not roles.
const (
	Viewer        Role = "viewer"
	GridWorker    Role = "grid_worker"
	Unit          Role = "unit"
	DutyOfficer   Role = "duty_officer"
	Planner       Role = "planner"
	Approver      Role = "approver"
	Commander     Role = "commander"
	DataEngineer  Role = "data_engineer"
	Admin         Role = "admin"
	SecurityAdmin Role = "security_admin"
	Auditor       Role = "auditor"
)

// Permission is what a route or an action asks for. Reading the map needs none: it
// follows from the reach.
type Permission string

// The permissions.
const (
	ManageAccounts Permission = "manage_accounts" // people, their sessions, second factors
	ManageGrants   Permission = "manage_grants"   // who may do what, where
	ManageTokens   Permission = "manage_tokens"   // see and revoke all, make those that only look
	MakeTokens     Permission = "make_tokens"     // of one's own role, inside one's own area
	EnrolDevices   Permission = "enrol_devices"   // sign a field phone in by QR code
	ManageSystem   Permission = "manage_system"   // layers' titles, settings of the map, metrics
	ManageSecurity Permission = "manage_security" // rules of signing in, syslog, how long the audit is kept
	ClassifyLayers Permission = "classify_layers" // visibility of layers
	ReadAudit      Permission = "read_audit"
	EditRules      Permission = "edit_rules"   // new versions of rule sets
	VerifyRules    Permission = "verify_rules" // confirm one against its standard
	Reveal         Permission = "reveal"       // masked fields, with a reason
	SendOrders     Permission = "send_orders"  // call-outs and 立即转移 to our own people
	Countersign    Permission = "countersign"  // what was sent without a second person
	WriteFeatures  Permission = "write_features"
	EditPlans      Permission = "edit_plans"      // draw and submit zoning plans
	ReviewPlans    Permission = "review_plans"    // review, approve and publish what another drew
	ReportDangers  Permission = "report_dangers"  // hidden dangers: report, fix on the spot
	HandleDangers  Permission = "handle_dangers"  // verify, grade, order, review and close them; measures
	RectifyDangers Permission = "rectify_dangers" // put right what is assigned to one's unit
	ApproveDangers Permission = "approve_dangers" // plans of serious ones, 挂牌 and 摘牌, their deadlines
	WorkDesk       Permission = "work_desk"       // what comes from the field: 险情, conflicts, quarantine; tasks and notices; ways out are drawn there
	ApproveWays    Permission = "approve_ways"    // 转移路线 another drew

	CommandPost        Permission = "command_post"        // 指挥: responses, tasks of the 预案, dispatches, sketches
	SignPapers         Permission = "sign_papers"         // 签发: levels of responses, 快报, 专报
	IngestObservations Permission = "ingest_observations" // what gauges and positions send in
)

// RoleInfo is a line of the rights table (docs/rights.md is made from it).
type RoleInfo struct {
	Role  Role
	Title registry.Title
	// Reads is the highest visibility of a layer the role reads in its area.
	Reads string
	// Township widens reading to the township the area lies in; writing stays.
	Township bool
	Writes   bool // rows in its area
	Office   bool // a second factor is required where the setting says so
	May      []Permission
}

// Roles is the table of what each role may do.
func Roles() []RoleInfo {
	title := func(zh, en string) registry.Title { return registry.Title{ZH: zh, EN: en} }
	return []RoleInfo{
		{Viewer, title("查看人员", "Viewer"), db.Internal, false, false, false, nil},
		{GridWorker, title("网格员", "Grid worker"), db.Internal, true, true, false, []Permission{WriteFeatures, Reveal, ReportDangers}},
		{Unit, title("责任单位", "Responsible unit"), db.Public, false, false, false, []Permission{RectifyDangers}},
		{DutyOfficer, title("值班员", "Duty officer"), db.Sensitive, false, true, true, []Permission{WriteFeatures, Reveal, SendOrders, EnrolDevices, MakeTokens, WorkDesk, ReportDangers, HandleDangers, CommandPost, IngestObservations}},
		{Planner, title("规划人员", "Planner"), db.Sensitive, false, true, true, []Permission{WriteFeatures, EditPlans, MakeTokens}},
		// Publishing writes the rows it shows, so an approver writes in his area; no route lets
		// him write others.
		{Approver, title("审批人", "Approver"), db.Sensitive, false, true, true, []Permission{VerifyRules, Countersign, ReviewPlans, ApproveDangers, ApproveWays, SignPapers}},
		{Commander, title("指挥员", "Commander"), db.Sensitive, false, true, true, []Permission{WriteFeatures, Reveal, SendOrders, Countersign, MakeTokens, WorkDesk, ReportDangers, ApproveDangers, ApproveWays, CommandPost, SignPapers}},
		{DataEngineer, title("数据工程师", "Data engineer"), db.Sensitive, false, true, true, []Permission{WriteFeatures, EditRules, MakeTokens, IngestObservations}},
		{Admin, title("系统管理员", "System administrator"), db.Internal, false, false, true, []Permission{ManageAccounts, EnrolDevices, ManageSystem}},
		{SecurityAdmin, title("安全管理员", "Security administrator"), db.Internal, false, false, true, []Permission{ManageGrants, ManageTokens, ManageSecurity, ClassifyLayers}},
		{Auditor, title("审计员", "Auditor"), db.Internal, false, false, true, []Permission{ReadAudit}},
	}
}

// Info is the table's line of a role.
func (r Role) Info() (RoleInfo, bool) {
	all := Roles()
	i := slices.IndexFunc(all, func(i RoleInfo) bool { return i.Role == r })
	if i < 0 {
		return RoleInfo{}, false
	}
	return all[i], true
}

// May says whether the role carries a permission.
func (r Role) May(p Permission) bool {
	i, ok := r.Info()
	return ok && slices.Contains(i.May, p)
}

// Separated says whether the role is one of the 三员, of which a person holds one.
func (r Role) Separated() bool { return r == Admin || r == SecurityAdmin || r == Auditor }
