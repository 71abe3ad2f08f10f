package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"rsc.io/qr"

	"onemap/census/dangers"
	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/registry"
	"onemap/internal/report"
	"onemap/internal/restricted"
)

// maxLedger is how many lines a ledger prints.
const maxLedger = 10_000

// taken writes down that somebody took a paper or a file away.
func (s *Server) taken(ctx context.Context, req *Request, action, object, area string, after map[string]any) error {
	return s.opts.Audit.Note(ctx, req.Who.Reading(), audit.Entry{Doer: s.by(req).Doer(auth.Grant{}), Action: action, Object: object, Area: area, Outcome: audit.Done, After: after})
}

// ledger sends a table as a workbook.
func (s *Server) ledger(ctx context.Context, req *Request, t report.Table, action, area string) (*Response, error) {
	var out bytes.Buffer
	if err := report.XLSX(&out, t); err != nil {
		return nil, fmt.Errorf("%s: %w", action, err)
	}
	if err := s.taken(ctx, req, action, "ledgers", area, map[string]any{"rows": len(t.Rows), "bytes": out.Len()}); err != nil {
		return nil, err
	}
	return offered(string(BodyXLSX), t.Title+"_"+t.At.Format("20060102")+".xlsx", out.Bytes()), nil
}

// ledgerHead is what stands over both ledgers: of what, as of when, counted how.
func (s *Server) ledgerHead(ctx context.Context, req *Request, what string, more bool) [][2]string {
	snap := s.opts.Catalogue.Now()
	head := [][2]string{{"填报单位", snap.Home().Title}, {"截至", req.Received.In(snap.Location()).Format("2006-01-02 15:04")}, {"口径", what}}
	if a := req.Query.Value("area"); a != "" {
		title := a
		if t := s.areaTitles(ctx, req).of(a); t != nil {
			title = *t + " " + a
		}
		head = append(head, [2]string{"区域", title})
	}
	var mark string
	if snap.Setting("watermark", &mark) && mark != "" {
		head = append(head, [2]string{"水印", mark})
	}
	if more {
		head = append(head, [2]string{"注意", fmt.Sprintf("只列出前 %d 条", maxLedger)})
	}
	return head
}

func inZone(t *time.Time, zone *time.Location) any {
	if t == nil {
		return nil
	}
	return t.In(zone)
}

func yes(b bool) string {
	if b {
		return "是"
	}
	return ""
}

// getDangerLedger is the 问题隐患清单, as offices keep it.
func (s *Server) getDangerLedger(ctx context.Context, req *Request) (*Response, error) {
	q, err := s.dangerQuery(req)
	if err != nil {
		return nil, err
	}
	q.Limit = maxLedger
	page, err := s.opts.Dangers.Dangers(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	measures, _, err := s.opts.Dangers.Pairs(ctx, req.Who)
	if err != nil {
		return nil, err
	}
	snap := s.opts.Catalogue.Now()
	zone, areas, zh := snap.Location(), s.areaTitles(ctx, req), registry.Chinese
	t := report.Table{
		Name: "问题隐患清单", Title: "问题隐患清单", By: takenBy(req), At: req.Received.In(zone),
		Head: s.ledgerHead(ctx, req, "逾期由整改期限与当前时间推算；已在期限内报完成、等待复查的不算逾期", page.Next != ""),
		Columns: []report.Column{
			{Title: "序号", Kind: report.Integer}, {Title: "编号"}, {Title: "隐患名称", Width: 24}, {Title: "类别"}, {Title: "级别"}, {Title: "所在区域"}, {Title: "经度", Kind: report.Number, Decimals: 6}, {Title: "纬度", Kind: report.Number, Decimals: 6},
			{Title: "情况描述", Width: 36}, {Title: "来源"}, {Title: "发现时间", Kind: report.Moment}, {Title: "状态"}, {Title: "责任单位", Width: 18}, {Title: "临时管控措施", Width: 24}, {Title: "整改期限", Kind: report.Date},
			{Title: "是否逾期"}, {Title: "挂牌督办"}, {Title: "整改人"}, {Title: "报完成时间", Kind: report.Moment}, {Title: "复查人"}, {Title: "销号时间", Kind: report.Moment}, {Title: "对应制度措施", Width: 24},
		},
	}
	open, overdue, closed := 0, 0, 0
	for i, d := range page.Dangers {
		var lon, lat any
		if d.Geometry != nil {
			c, _ := planar.CentroidArea(d.Geometry)
			lon, lat = c[0], c[1]
		}
		area := d.Area()
		if title := areas.of(area); title != nil {
			area = *title
		}
		switch {
		case d.State == dangers.Closed:
			closed++
		case d.State != dangers.Rejected && d.State != dangers.Draft:
			open++
		}
		if d.Overdue {
			overdue++
		}
		t.Rows = append(t.Rows, []any{
			i + 1, d.Number, d.Name, codeTitle(snap, "danger_kind", d.Kind, zh), levelName(snap, "danger_2", d.Level, zh), area, lon, lat, d.Description, codeTitle(snap, "danger_source", d.Source, zh),
			inZone(d.FoundAt, zone), codeTitle(snap, "danger_state", string(d.State), zh), d.ResponsibleUnit, d.InterimMeasure, inZone(d.DueAt, zone), yes(d.Overdue), yes(d.Listed), d.Rectifier, inZone(d.RectifiedAt, zone), d.Reviewer, inZone(d.ClosedAt, zone),
			strings.Join(measures[d.ID], "、"),
		})
	}
	t.Foot = []string{fmt.Sprintf("共 %d 条：未销号 %d(其中逾期 %d)，已销号 %d", len(page.Dangers), open, overdue, closed)}
	return s.ledger(ctx, req, t, "danger.export", q.Area)
}

// getMeasureLedger is the 制度措施清单.
func (s *Server) getMeasureLedger(ctx context.Context, req *Request) (*Response, error) {
	q, err := s.measureQuery(req)
	if err != nil {
		return nil, err
	}
	q.Limit = maxLedger
	page, err := s.opts.Dangers.Measures(ctx, req.Who, q)
	if err != nil {
		return nil, err
	}
	_, linked, err := s.opts.Dangers.Pairs(ctx, req.Who)
	if err != nil {
		return nil, err
	}
	snap := s.opts.Catalogue.Now()
	zone, areas, zh := snap.Location(), s.areaTitles(ctx, req), registry.Chinese
	t := report.Table{
		Name: "制度措施清单", Title: "制度措施清单", By: takenBy(req), At: req.Received.In(zone),
		Head: s.ledgerHead(ctx, req, "与问题隐患清单多对多对应；隐患编号只列可见的", page.Next != ""),
		Columns: []report.Column{
			{Title: "序号", Kind: report.Integer}, {Title: "编号"}, {Title: "制度措施", Width: 30}, {Title: "类别"}, {Title: "内容", Width: 44}, {Title: "依据", Width: 24}, {Title: "责任单位", Width: 18}, {Title: "责任人"}, {Title: "区域"}, {Title: "状态"},
			{Title: "完成期限", Kind: report.Date}, {Title: "完成日期", Kind: report.Date}, {Title: "对应隐患数", Kind: report.Integer}, {Title: "对应隐患编号", Width: 30}, {Title: "备注", Width: 20},
		},
	}
	states := map[string]int{}
	for i, m := range page.Measures {
		area := m.Area
		if title := areas.of(area); title != nil {
			area = *title
		}
		states[m.State]++
		var due, done any
		if m.DueOn != nil {
			due = *m.DueOn
		}
		if m.DoneOn != nil {
			done = *m.DoneOn
		}
		numbers := linked[m.ID]
		for k, n := range numbers {
			if n == "" {
				numbers[k] = "(未编号)"
			}
		}
		t.Rows = append(t.Rows, []any{i + 1, m.Number, m.Title, codeTitle(snap, "measure_kind", m.Kind, zh), m.Content, m.Basis, m.Unit, m.Person, area, codeTitle(snap, "measure_state", m.State, zh), due, done, len(numbers), strings.Join(numbers, "、"), m.Note})
	}
	t.Foot = []string{fmt.Sprintf("共 %d 条：拟定 %d，执行中 %d，已完成 %d，已废止 %d", len(page.Measures), states["planned"], states["in_force"], states["done"], states["abolished"])}
	return s.ledger(ctx, req, t, "measure.export", q.Area)
}

func (s *Server) getHazardCard(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, hidden(req)
	}
	c, err := s.opts.Dangers.HazardCard(ctx, req.Who, strings.ToLower(id))
	if errors.Is(err, auth.ErrNotFound) {
		return nil, hidden(req)
	}
	if err != nil {
		return nil, err
	}
	return s.card(ctx, req, c)
}

func (s *Server) getDangerCard(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, hidden(req)
	}
	c, err := s.opts.Dangers.DangerCard(ctx, req.Who, strings.ToLower(id))
	if errors.Is(err, auth.ErrNotFound) {
		return nil, hidden(req)
	}
	if err != nil {
		return nil, err
	}
	return s.card(ctx, req, c)
}

// card prints the 岗位处置卡: what whoever stands there needs, and a code that opens the
// place on the map.
func (s *Server) card(ctx context.Context, req *Request, c dangers.Card) (*Response, error) {
	size := report.Size(or(req.Query.Value("size"), string(report.A6)))
	if size != report.A6 && size != report.A5 {
		return nil, invalid("size", "应为 A6 或 A5", "it is A6 or A5")
	}
	snap := s.opts.Catalogue.Now()
	zh := registry.Chinese
	out := report.Card{
		Size: size, Name: c.Name, Number: c.Number, Lines: nil, Todo: c.Todo, Signal: c.Signal, Emergency: c.Phones, By: takenBy(req), At: req.Received.In(snap.Location()), Office: snap.Home().Title,
	}
	link := s.self(req) + "/?sel=" + c.Layer + ":" + c.ID
	if c.At != nil {
		p, _ := planar.CentroidArea(c.At)
		link += fmt.Sprintf("#map=16/%.5f/%.5f", p[1], p[0])
		out.Place = coordinates(p)
	}
	code, err := qr.Encode(link, qr.M)
	if err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	out.Code = report.Matrix{Size: code.Size, Black: code.Black}
	out.Link = link
	add := func(title, v string) {
		if v != "" {
			out.Lines = append(out.Lines, [2]string{title, v})
		}
	}
	if c.Layer == "hazards" {
		out.Title, out.Kind, out.Level = "地质灾害点岗位处置卡", codeTitle(snap, "hazard", c.Kind, zh), levelName(snap, "hazard_4", c.Level, zh)
		if c.Kind != "landslide" && c.Kind != "collapse" && c.Kind != "debris_flow" && c.Kind != "subsidence" {
			out.Title = "灾害隐患点岗位处置卡"
		}
		add("地点", c.Address)
		if c.Persons > 0 || c.Households > 0 {
			add("威胁", fmt.Sprintf("%d 户 %d 人", c.Households, c.Persons))
		}
		add("防治措施", c.Measure)
		add("监测责任人", c.Monitor)
	} else {
		out.Title, out.Kind, out.Level = "隐患岗位处置卡", codeTitle(snap, "danger_kind", c.Kind, zh), levelName(snap, "danger_2", c.Level, zh)
		add("情况", c.Danger.Description)
		add("临时管控", c.Measure)
		add("责任单位", c.Danger.ResponsibleUnit)
		if c.Danger.DueAt != nil {
			add("整改期限", c.Danger.DueAt.In(snap.Location()).Format("2006-01-02"))
		}
		if c.Danger.Listed {
			out.Level += " · 挂牌督办"
		}
	}
	out.People = s.cardPeople(ctx, req, c)
	if sh := c.Shelter; sh != nil {
		out.Shelter = sh.Name
		if sh.DistanceM >= 0 {
			out.Shelter += fmt.Sprintf(",直线 %.0f 米", sh.DistanceM)
		}
		if sh.Capacity > 0 {
			out.Shelter += fmt.Sprintf(",可容 %d 人", sh.Capacity)
		}
	}
	var mark string
	if snap.Setting("watermark", &mark) {
		out.Watermark = mark
	}
	if !c.RuleVerified {
		out.Note = "处置用语为一般做法，尚未经本地核实"
	}
	var b bytes.Buffer
	if err := report.CardPDF(ctx, &b, out); err != nil {
		return nil, fmt.Errorf("card: %w", err)
	}
	area := ""
	if c.Danger != nil {
		area = c.Danger.Area()
	}
	if err := s.taken(ctx, req, "card.print", c.Layer+"/"+c.ID, area, map[string]any{"size": string(size), "bytes": b.Len()}); err != nil {
		return nil, err
	}
	return offered("application/pdf", "岗位处置卡_"+or(c.Number, or(c.Name, c.ID))+".pdf", b.Bytes()), nil
}

func coordinates(p orb.Point) string { return fmt.Sprintf("%.6f, %.6f", p[0], p[1]) }

// cardPeople are who answers for the object, with masked numbers: the whole ones are
// revealed on a screen, with a reason.
func (s *Server) cardPeople(ctx context.Context, req *Request, c dangers.Card) [][2]string {
	phones := map[string]string{}
	list, err := s.opts.Contacts.List(ctx, req.Who.Reading(), restricted.Filter{Layer: c.Layer, Feature: c.ID, Limit: 20, Doer: s.by(req).Doer(auth.Grant{})})
	if err != nil {
		s.opts.Logger.WarnContext(ctx, "api: contacts of a card", "request", req.ID, "err", err)
	}
	for _, e := range list {
		phones[e.Unit+e.Post+e.Person] = e.Fields["phone"]
	}
	var out [][2]string
	for _, p := range c.People {
		title := map[string]string{"administrative": "行政责任人", "technical": "技术责任人", "patrol": "巡查责任人"}[p.Kind]
		out = append(out, [2]string{title, strings.TrimSpace(strings.Join([]string{p.Unit, p.Post, p.Person, phones[p.Unit+p.Post+p.Person]}, " "))})
	}
	return out
}
