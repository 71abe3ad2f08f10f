package papers

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Material is what a draft is made of: facts and figures as others know them.
type Material struct {
	Zone     *time.Location
	Now      time.Time
	Area     string // its title
	Incident *IncidentFacts
	Response *ResponseFacts
	Tasks    []TaskLine
	Brief    *Brief
	Figures  []Figure
	Exercise bool
}

// IncidentFacts are what is known of an incident.
type IncidentFacts struct {
	Title, Number, Kind, Level, Place, Description, Source string
	OccurredAt, KnownAt                                    *time.Time
}

// ResponseFacts are what was ordered.
type ResponseFacts struct {
	Orders                                                         []OrderFact
	Title, Level, State, SignedBy, DocumentNumber, Lead, Condition string
	StartedAt                                                      *time.Time
}

// OrderFact is 启动, 调整 or 终止 as it was ordered.
type OrderFact struct {
	Act, Level, SignedBy, DocumentNumber string
	At                                   time.Time
}

// TaskLine is a task as a paper tells of it.
type TaskLine struct {
	Action, Unit, State string
	Late                bool
}

// Brief is the log of a period, and what is open at its end.
type Brief struct {
	From, To time.Time
	Log      []Entry
	Open     []Matter
	Counts   Counts
}

// Entry is a line of the log.
type Entry struct {
	At                      time.Time
	Kind, Title, Detail, By string
	RefKind, Ref            string
}

// Matter is something the next shift has to see to.
type Matter struct {
	Title, Detail string
	Due           *time.Time
}

// Counts are what a brief counts.
type Counts struct {
	IncidentsNew, IncidentsOpen, Responses, TasksOpen, TasksLate, Reports, ReportsUntaken, Unsigned, OrdersUnsigned int
}

// Figures are the counts with how they were counted.
func (c Counts) Figures(from, to, now time.Time, zone *time.Location) []Figure {
	period := from.In(zone).Format("1月2日15:04") + " 至 " + to.In(zone).Format("1月2日15:04")
	one := func(key, title string, n int, unit, method string) Figure {
		v := float64(n)
		return Figure{Key: key, Title: title, Value: &v, Unit: unit, Method: method, AsOf: now.UTC().Truncate(time.Second), Source: "本系统值班记录", Kind: KindReported}
	}
	return []Figure{
		one("incidents_new", "新接事件", c.IncidentsNew, "起", period+" 接报的事件，不含演练、已合并的计一起"),
		one("incidents_open", "未办结事件", c.IncidentsOpen, "起", "此刻未结束的事件，不含演练"),
		one("responses_active", "正在响应", c.Responses, "个", "此刻已启动未终止的应急响应"),
		one("tasks_open", "未完成任务", c.TasksOpen, "项", "预案条款生成、尚未完成的任务，不含随响应终止关闭的"),
		one("tasks_late", "超时任务", c.TasksLate, "项", "未完成且已过时限的任务"),
		one("reports_received", "险情灾情报告", c.Reports, "件", period+" 收到的险情、灾情报告"),
		one("reports_untaken", "未接手险情", c.ReportsUntaken, "件", "此刻无人接手的险情"),
		one("papers_unsigned", "待补签文书", c.Unsigned, "件", "先报后签、尚未补签的文书"),
		one("orders_unsigned", "待补签叫应令", c.OrdersUnsigned, "件", "先发令、尚未补签的叫应令和立即转移令"),
	}
}

func (m Material) when(t *time.Time) string {
	if t == nil {
		return "时间不详"
	}
	return t.In(m.Zone).Format("2006年1月2日15时04分")
}

// Compose drafts a title and the text of a paper. What nobody knows is left for a person
// to write and never made up.
func Compose(kind string, m Material) (title string, blocks []Block) {
	if m.Zone == nil {
		m.Zone = time.UTC
	}
	switch kind {
	case Handover:
		title, blocks = m.handover()
	default:
		title, blocks = m.report(kind)
	}
	if m.Exercise {
		title = "【演练】" + title
	}
	return title, blocks
}

func (m Material) report(kind string) (string, []Block) {
	var out []Block
	name := m.Area
	add := func(key, title, text string) { out = append(out, Block{Key: key, Title: title, Text: text}) }
	if i := m.Incident; i != nil {
		name = i.Title
		var t strings.Builder
		fmt.Fprintf(&t, "%s，%s发生%s。", m.when(i.OccurredAt), orElse(i.Place, m.Area), orElse(i.Kind, "突发事件"))
		if i.Level != "" {
			fmt.Fprintf(&t, "事件级别：%s。", i.Level)
		}
		if i.KnownAt != nil {
			fmt.Fprintf(&t, "%s接报%s。", m.when(i.KnownAt), from(i.Source))
		}
		if i.Description != "" {
			t.WriteString(strings.TrimRight(i.Description, "。") + "。")
		}
		add("facts", "一、基本情况", t.String())
	} else {
		add("facts", "一、基本情况", "")
	}
	if len(m.Figures) > 0 {
		var t strings.Builder
		for i, f := range m.Figures {
			if i > 0 {
				t.WriteString("，")
			}
			fmt.Fprintf(&t, "%s {%s}", f.Title, f.Key)
		}
		t.WriteString("。")
		add("figures", "二、灾情数据", t.String())
	} else {
		add("figures", "二、灾情数据", "")
	}
	var done strings.Builder
	if r := m.Response; r != nil {
		for _, o := range r.Orders {
			at := m.when(&o.At)
			switch o.Act {
			case "start":
				fmt.Fprintf(&done, "%s启动%s（%s级）", at, r.Title, o.Level)
				if r.Lead != "" {
					done.WriteString("，由" + r.Lead + "牵头")
				}
			case "adjust":
				fmt.Fprintf(&done, "%s调整为%s级", at, o.Level)
			default:
				fmt.Fprintf(&done, "%s终止响应", at)
			}
			for _, s := range []string{o.DocumentNumber, prefixed("签发人", o.SignedBy)} {
				if s != "" {
					done.WriteString("，" + s)
				}
			}
			done.WriteString("。")
		}
		name = orElse(name, r.Title)
	}
	for _, t := range alike(m.Tasks, "done") {
		done.WriteString("\n" + t.units() + "：" + t.action + "，已完成。")
	}
	add("response", "三、处置情况", strings.TrimSpace(done.String()))
	var next strings.Builder
	for _, t := range alike(m.Tasks, "waiting", "acknowledged") {
		late := ""
		switch {
		case t.late > 0 && len(t.unit) > 1:
			late = fmt.Sprintf("（%d 个已超时）", t.late)
		case t.late > 0:
			late = "（已超时）"
		}
		next.WriteString(t.units() + "：" + t.action + late + "。\n")
	}
	add("next", "四、下一步工作", strings.TrimSpace(next.String()))
	word := "快报"
	if kind == Special {
		word = "专报"
	}
	return "关于" + name + "的" + word, out
}

// duty is what units are to do alike: a paper has one line of it.
type duty struct {
	action string
	unit   []string
	late   int
}

func (d duty) units() string {
	if len(d.unit) > 3 {
		return fmt.Sprintf("%s等 %d 个单位", strings.Join(d.unit[:3], "、"), len(d.unit))
	}
	return strings.Join(d.unit, "、")
}

// alike puts the tasks of some states together by what is to be done, as they come.
func alike(tasks []TaskLine, states ...string) []duty {
	var out []duty
	for _, t := range tasks {
		if !slices.Contains(states, t.State) {
			continue
		}
		i := slices.IndexFunc(out, func(d duty) bool { return d.action == t.Action })
		if i < 0 {
			i, out = len(out), append(out, duty{action: t.Action})
		}
		if out[i].unit = append(out[i].unit, t.Unit); t.Late {
			out[i].late++
		}
	}
	return out
}

// withEstimates puts a block before what is left to do that names the figures the text does
// not name yet; who has worded them keeps his words.
func withEstimates(blocks []Block, figures []Figure) []Block {
	var t strings.Builder
	for _, f := range figures {
		if slices.ContainsFunc(blocks, func(b Block) bool { return b.Key != "estimates" && strings.Contains(b.Text, "{"+f.Key+"}") }) {
			continue
		}
		if t.Len() > 0 {
			t.WriteString("，")
		}
		fmt.Fprintf(&t, "%s {%s}", f.Title, f.Key)
	}
	out := slices.DeleteFunc(slices.Clone(blocks), func(b Block) bool { return b.Key == "estimates" })
	if t.Len() == 0 {
		return out
	}
	at := len(out)
	if i := slices.IndexFunc(out, func(b Block) bool { return b.Key == "figures" }); i >= 0 {
		at = i + 1
	}
	return slices.Insert(out, at, Block{Key: "estimates", Title: "影响估算（非上报数）", Text: "按" + figures[0].Source + "，" + t.String() + "。以上为估算数，不是上报数。"})
}

func (m Material) handover() (string, []Block) {
	b := m.Brief
	if b == nil {
		b = &Brief{From: m.Now, To: m.Now}
	}
	var counts, log, open strings.Builder
	for i, f := range m.Figures {
		if i > 0 {
			counts.WriteString("，")
		}
		fmt.Fprintf(&counts, "%s {%s}", f.Title, f.Key)
	}
	if counts.Len() > 0 {
		counts.WriteString("。")
	}
	for _, e := range b.Log {
		fmt.Fprintf(&log, "%s %s", e.At.In(m.Zone).Format("01-02 15:04"), e.Title)
		for _, s := range []string{e.Detail, e.By} {
			if s != "" {
				log.WriteString("；" + s)
			}
		}
		log.WriteString("\n")
	}
	for i, o := range b.Open {
		fmt.Fprintf(&open, "%d. %s", i+1, o.Title)
		if o.Detail != "" {
			open.WriteString("；" + o.Detail)
		}
		if o.Due != nil {
			open.WriteString("；" + o.Due.In(m.Zone).Format("01-02 15:04"))
		}
		open.WriteString("\n")
	}
	title := fmt.Sprintf("%s值班交接（%s 至 %s）", m.Area, b.From.In(m.Zone).Format("1月2日15:04"), b.To.In(m.Zone).Format("1月2日15:04"))
	return title, []Block{
		{Key: "counts", Title: "一、总体情况", Text: counts.String()},
		{Key: "open", Title: "二、交下一班办理", Text: orElse(strings.TrimSpace(cut(open.String())), "无。")},
		{Key: "log", Title: "三、值班记录", Text: orElse(strings.TrimSpace(cut(log.String())), "本班无记录。")},
		{Key: "note", Title: "四、交代事项", Text: ""},
	}
}

// cut keeps a text inside what a block holds, and says what it left out.
func cut(text string) string {
	const most = maxText - 200
	rs := []rune(text)
	if len(rs) <= most {
		return text
	}
	kept := string(rs[:most])
	if i := strings.LastIndexByte(kept, '\n'); i > 0 {
		kept = kept[:i]
	}
	return fmt.Sprintf("%s\n……（另有 %d 行，见系统）", kept, strings.Count(text[len(kept):], "\n")-1)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func prefixed(word, s string) string {
	if s == "" {
		return ""
	}
	return word + " " + s
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return "（来源：" + source + "）"
}
