package incidents

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"onemap/internal/registry"
)

// Entry is 首报, 续报, 核报 or 终报: what was sent upwards, never changed. A correction is
// another one that names it.
type Entry struct {
	ID, Incident, Kind, Channel, ToLevel, Content string
	Seq                                           int
	Figures                                       Figures
	SentAt, RecordedAt                            time.Time
	Corrects                                      string
	Late                                          bool
	SHA256                                        string // of the content as it was sent
	Actor, Name                                   string
}

// Backdated says whether it was written down long after it is said to have been sent.
func (e Entry) Backdated() bool { return e.RecordedAt.Sub(e.SentAt) > 10*time.Minute }

// NewEntry is what is sent.
type NewEntry struct {
	ID, Kind, Channel, ToLevel, Content string
	Figures                             *Figures
	SentAt                              *time.Time
	Corrects                            string
}

// EntryKinds are the kinds in their order.
func EntryKinds() []string { return []string{"first", "follow_up", "verified", "final"} }

// FirstText is the first report as text to copy: what is known, and nothing that is not.
// It names no telephone.
func FirstText(i Incident, snap *registry.Snapshot, area, unit string, now time.Time) string {
	zone := snap.Location()
	at := func(t *time.Time) string {
		if t == nil {
			return "不详"
		}
		return t.In(zone).Format("2006年1月2日15时04分")
	}
	word := func(list, code string) string {
		if l, ok := snap.CodeLists[list]; ok {
			if it, ok := l.Item(code); ok {
				return it.Title.ZH
			}
		}
		return code
	}
	var b strings.Builder
	if i.Exercise {
		b.WriteString("【演练】")
	}
	fmt.Fprintf(&b, "【首报】%s\n", i.Title)
	fmt.Fprintf(&b, "编号：%s\n", i.Number)
	where := i.Place
	if area != "" && !strings.Contains(where, area) {
		where = strings.TrimSpace(area + " " + where)
	}
	fmt.Fprintf(&b, "%s，%s发生%s。", at(i.OccurredAt), orWord(where, "地点待核"), word("incident_kind", i.Kind))
	if i.Description != "" {
		b.WriteString(strings.TrimRight(i.Description, "。") + "。")
	}
	b.WriteString("\n")
	names := map[string][2]string{"deaths": {"死亡", "人"}, "missing": {"失踪", "人"}, "injured": {"受伤", "人"}, "affected": {"受灾", "人"}, "evacuated": {"转移安置", "人"}, "loss_wan": {"直接经济损失", "万元"}, "magnitude": {"震级", "级"}}
	var parts []string
	for _, n := range figureNames() {
		if v, ok := i.Figures.value(n); ok {
			parts = append(parts, names[n][0]+strconv.FormatFloat(v, 'f', -1, 64)+names[n][1])
		}
	}
	if len(parts) == 0 {
		parts = []string{"人员伤亡和损失情况正在核实"}
		if i.PersonsReported != nil {
			parts = append([]string{fmt.Sprintf("报告人称涉及%d人", *i.PersonsReported)}, parts...)
		}
	}
	fmt.Fprintf(&b, "截至%s：%s。\n", at(orTime(i.FiguresAt, &now)), strings.Join(parts, "，"))
	switch i.Level {
	case 0:
		b.WriteString("事件级别正在研判。\n")
	default:
		fmt.Fprintf(&b, "初判级别：%s。\n", [...]string{"特别重大(Ⅰ级)", "重大(Ⅱ级)", "较大(Ⅲ级)", "一般(Ⅳ级)"}[i.Level-1])
	}
	fmt.Fprintf(&b, "接报时间：%s；目前状态：%s。后续情况续报。\n", at(i.KnownAt), word("incident_state", i.State))
	if unit != "" {
		b.WriteString(unit + "\n")
	}
	b.WriteString(at(&now) + "\n")
	return b.String()
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func orTime(t, otherwise *time.Time) *time.Time {
	if t == nil {
		return otherwise
	}
	return t
}

// checkEntry looks at a report as such.
func (s *Service) checkEntry(n *NewEntry, i Incident) error {
	var f faults
	if n.ID == "" {
		n.ID = s.newID()
	}
	if !slices.Contains(EntryKinds(), n.Kind) {
		f.add("kind", "unknown_code", "应为 first、follow_up、verified 或 final", "it is first, follow_up, verified or final")
	}
	if n.Channel != "phone" && n.Channel != "written" {
		f.add("channel", "unknown_code", "应为 phone 或 written", "it is phone or written")
	}
	if n.ToLevel == "" {
		n.ToLevel = "city"
	}
	if !slices.Contains(ranks(), n.ToLevel) {
		f.add("to_level", "unknown_code", "应为 township、county、city、province 或 state", "it is township, county, city, province or state")
	}
	n.Content = f.text("content", n.Content, 2, 8000)
	if n.Figures != nil {
		n.Figures.check(&f, i.Kind)
	}
	n.SentAt = s.moment(&f, "sent_at", n.SentAt)
	if n.SentAt == nil {
		now := s.now().UTC().Truncate(time.Microsecond)
		n.SentAt = &now
	}
	if i.OccurredAt != nil && n.SentAt.Before(*i.OccurredAt) {
		f.add("sent_at", "before_incident", "早于事件发生时间", "it is before the incident happened")
	}
	return f.err()
}
