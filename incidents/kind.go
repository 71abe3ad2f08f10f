package incidents

import (
	"encoding/json"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
	"onemap/internal/sync"
)

// Kind is incident_reports as devices send it and are sent their own back.
type Kind struct{ *Service }

// Kind gives the service to the sync engine.
func (s *Service) Kind() *Kind { return &Kind{s} }

// Dictionary makes the form.
func (k *Kind) Dictionary() sync.Dictionary {
	zero, most := 0.0, 1e7
	words := func(zh, en string) sync.Words { return sync.Words{Zh: zh, En: en} }
	count := func(name, zh, en string) sync.Field {
		return sync.Field{Name: name, Title: words(zh, en), Type: "integer", Min: &zero, Max: &most}
	}
	wan := count("loss_wan", "直接经济损失", "Direct loss")
	wan.Type, wan.Unit = "number", "万元"
	by := func(name, zh, en, kind string) sync.Field {
		return sync.Field{Name: name, Title: words(zh, en), Type: kind, ReadOnly: true}
	}
	return sync.Dictionary{
		Kind: "incident_reports", Title: words("险情灾情", "Incident report"), Geometry: []string{"Point", "LineString", "Polygon"},
		Fields: []sync.Field{
			{Name: "kind", Title: words("类型", "Kind"), Type: "code", Codes: "report_kind", Required: true, MaxLength: 64},
			{Name: "urgency", Title: words("性质", "Urgency"), Type: "code", Codes: "report_urgency", Required: true},
			{Name: "grid", Title: words("网格", "Grid"), Type: "text", MaxLength: 32},
			{Name: "place", Title: words("地点", "Place"), Type: "text", MaxLength: 500},
			{Name: "description", Title: words("情况", "What happened"), Type: "text", MaxLength: 4000, Templates: []sync.Words{
				words("道路被埋，车辆无法通行", "The road is buried, no vehicle passes"), words("房屋进水，水还在涨", "Houses are flooded, the water still rises"),
				words("房屋开裂，人员已撤出", "Walls crack, people have left"), words("有人被困，需要救援", "People are trapped, rescue needed"),
			}},
			count("trapped", "被困人数", "Trapped"), count("deaths", "死亡人数", "Deaths"), count("missing", "失踪人数", "Missing"), count("injured", "受伤人数", "Injured"),
			count("affected", "受灾人数", "Affected"), count("houses", "受损房屋(间)", "Damaged rooms"), wan,
			by("seen_by", "谁已看到", "Seen by", "text"), by("seen_at", "看到时间", "Seen at", "datetime"),
			by("taken_by", "谁已接手", "Taken by", "text"), by("taken_at", "接手时间", "Taken at", "datetime"),
			by("ended_by", "谁已办结", "Ended by", "text"), by("ended_at", "办结时间", "Ended at", "datetime"),
		},
	}
}

// Urgent says whether fields are of 险情: never quarantined for place or clock.
func (k *Kind) Urgent(fields map[string]json.RawMessage) bool {
	return records.Text(fields["urgency"]) == Urgent
}

// codes looks codes up in the catalogue.
func (s *Service) codes(list, code string) bool {
	l, ok := s.catalogue.Now().CodeLists[list]
	if !ok {
		return false
	}
	_, ok = l.Item(code)
	return ok
}

// strict takes fields as the dictionary has them.
func (k *Kind) strict(fields map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	d := k.Dictionary()
	for name := range fields {
		if slices.ContainsFunc(d.Fields, func(f sync.Field) bool { return f.Name == name && f.ReadOnly }) {
			return nil, records.Reject("read_only", "/fields/"+name, "此项由值班室填写", "the duty desk fills this in")
		}
	}
	return fields, records.Check(d, k.codes, fields)
}

// lenient takes of 险情 what can be taken: a text too long is cut, a kind nobody knows is
// another, what is nothing is left out. It says whether something was odd.
func (k *Kind) lenient(fields map[string]json.RawMessage) (out map[string]json.RawMessage, odd bool) {
	out = map[string]json.RawMessage{}
	for _, f := range k.Dictionary().Fields {
		v, given := fields[f.Name]
		if !given || f.ReadOnly {
			continue
		}
		if !records.Sound(f, k.codes, v) {
			odd = true
			text := records.Text(v)
			switch {
			case f.Name == "kind":
				v = json.RawMessage(`"other"`)
			case f.Type == "text" && text != "":
				v = cut(text, f.MaxLength)
			default:
				continue
			}
		}
		out[f.Name] = v
	}
	for name := range fields {
		if _, taken := out[name]; !taken {
			odd = true
		}
	}
	out["urgency"] = json.RawMessage(`"urgent"`)
	if records.Null(out["kind"]) {
		out["kind"] = json.RawMessage(`"other"`)
		odd = true
	}
	return out, odd
}

func cut(text string, most int) json.RawMessage {
	clean := make([]rune, 0, most)
	for _, r := range text {
		if r == 0 || r == utf8.RuneError {
			continue
		}
		if len(clean) == most {
			break
		}
		clean = append(clean, r)
	}
	b, err := json.Marshal(string(clean))
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}

// sound is the geometry if the database can hold it, else nil.
func sound(g orb.Geometry) orb.Geometry {
	if g == nil || geo.Check(g) != nil {
		return nil
	}
	return g
}

// homeOf is the area a sender belongs to: that of the grant he sends under, and where
// that is everywhere his office; null where neither says.
func homeOf(by auth.By, g auth.Grant) geo.Scope {
	if g.ID != "" && g.Area != "" {
		return g.Scope()
	}
	if by.Identity != nil && by.Unit != "" {
		if s, err := geo.ParseScope(by.Unit); err == nil {
			return s
		}
	}
	return geo.Scope{}
}

// accuracy is a number the database holds, or nothing.
func accuracy(m float64) *float64 {
	if math.IsNaN(m) || math.IsInf(m, 0) || m <= 0 {
		return nil
	}
	return &m
}
