package api

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/impact"
	"onemap/internal/registry"
)

type bothWords struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

type impactItem struct {
	Layer      string          `json:"layer"`
	FID        *int64          `json:"fid"`
	ID         string          `json:"id"`
	Title      string          `json:"title"`
	Kind       *string         `json:"kind"`
	KindTitle  *string         `json:"kind_title"`
	Level      *int            `json:"level"`
	LevelTitle *string         `json:"level_title"`
	Position   []float64       `json:"position"`
	DistanceM  *float64        `json:"distance_m"`
	More       json.RawMessage `json:"properties"`
}

type impactReach struct {
	impactItem
	By        string   `json:"by"` // road, straight
	Minutes   *float64 `json:"minutes"`
	Slow      *float64 `json:"minutes_slow,omitempty"`
	FromMidM  *float64 `json:"from_middle_m,omitempty"`
	Capacity  *int     `json:"capacity,omitempty"`
	Occupancy *int     `json:"occupancy,omitempty"`
	Reserved  *int     `json:"reserved,omitempty"`
	Free      *int     `json:"free"`
	State     *string  `json:"state,omitempty"`
}

type impactMethod struct {
	Method string  `json:"method"`
	Basis  string  `json:"basis"`
	Count  int     `json:"count"`
	Exact  float64 `json:"exact"`
}

type impactPeople struct {
	Total    int            `json:"total"`
	Exact    float64        `json:"exact"`
	ByGroup  map[string]int `json:"by_group"`
	Method   string         `json:"method"`
	Basis    string         `json:"basis"`
	ByMethod []impactMethod `json:"by_method"`
	Units    int            `json:"units"`
	Unknown  int            `json:"units_unknown"`
	Words    []string       `json:"words"`
}

type impactUnit struct {
	Code       *string `json:"code"`
	Name       string  `json:"name"`
	Rank       *int    `json:"rank"`
	Population int     `json:"population"`
	Share      float64 `json:"share"`
	Whole      bool    `json:"whole"`
}

type impactBuildings struct {
	Total        int            `json:"total"`
	ByUse        map[string]int `json:"by_use"`
	Persons      int            `json:"persons"`
	PersonsKnown int            `json:"persons_known"`
	FloorM2      float64        `json:"floor_m2"`
	Dangerous    int            `json:"dangerous"`
}

type impactKinds struct {
	Total  int            `json:"total"`
	Amount float64        `json:"amount"`
	By     map[string]int `json:"by"`
	Items  []impactItem   `json:"items"`
}

type impactRing struct {
	RadiusM    float64         `json:"radius_m"`
	AreaM2     float64         `json:"area_m2"`
	Population int             `json:"population"`
	Geometry   json.RawMessage `json:"geometry"`
}

type impactLine struct {
	Kind      string  `json:"kind"`
	KindTitle *string `json:"kind_title"`
	LengthM   float64 `json:"length_m"`
	Lines     int     `json:"lines"`
	Points    int     `json:"points"`
}

type impactBlock struct {
	impactItem
	State      string     `json:"state"`
	Inside     bool       `json:"inside"`
	BlockedAt  *time.Time `json:"blocked_at"`
	ExpectedAt *time.Time `json:"expected_at"`
}

type impactPerson struct {
	Role        string  `json:"role"`
	Layer       *string `json:"layer"`
	Feature     *string `json:"feature"`
	Area        *string `json:"area"`
	Unit        *string `json:"unit"`
	Post        *string `json:"post"`
	Name        *string `json:"name"`
	Deputy      *string `json:"deputy"`
	Contact     *string `json:"contact"`
	Phone       *string `json:"phone_masked"`
	DeputyPhone *string `json:"deputy_phone_masked"`
}

type impactSource struct {
	Title string  `json:"title"`
	Dept  *string `json:"dept"`
	Date  *string `json:"date"`
}

type impactTarget struct {
	Kind       string          `json:"kind"`
	ID         *string         `json:"id"`
	FID        *int64          `json:"fid"`
	Title      *string         `json:"title"`
	What       *string         `json:"what"`
	WhatTitle  *string         `json:"what_title"`
	Level      *int            `json:"level"`
	Exercise   bool            `json:"exercise"`
	HappenedAt *time.Time      `json:"happened_at"`
	Basis      string          `json:"basis"`
	BufferM    float64         `json:"buffer_m"`
	Geometry   json.RawMessage `json:"geometry"`
}

// impactAnswer is what POST /api/impact says. A section of a layer the asker does not
// see is null.
type impactAnswer struct {
	Estimate   bool            `json:"estimate"`
	Target     impactTarget    `json:"target"`
	AreaM2     float64         `json:"area_m2"`
	Population *impactPeople   `json:"population"`
	Range      *map[string]int `json:"range"`
	// CoveredShare is how much of the area lies in units the asker may count: of the rest
	// nothing is known here.
	CoveredShare float64                      `json:"covered_share"`
	Statement    bothWords                    `json:"statement"`
	Rings        []impactRing                 `json:"rings"`
	Admin        []impactUnit                 `json:"admin"`
	Buildings    *impactBuildings             `json:"buildings"`
	Facilities   *map[string]int              `json:"facilities"`
	Items        map[string]any               `json:"items"` // facilities, by weight
	KeyPlaces    *impactKinds                 `json:"key_places"`
	Enterprise   *impactKinds                 `json:"enterprises"`
	Sources      *[]impactItem                `json:"hazard_sources"`
	SourcesBy    *map[string]int              `json:"hazard_sources_by_level"`
	Hazards      *impactKinds                 `json:"hazards"`
	Waterworks   *impactKinds                 `json:"waterworks"`
	RoadsM       *map[string]float64          `json:"roads_m"`
	Lifelines    *[]impactLine                `json:"lifelines"`
	Shelters     *impactShelters              `json:"shelters"`
	Teams        *[]impactReach               `json:"teams"`
	Warehouses   *[]impactReach               `json:"warehouses"`
	Blocks       *[]impactBlock               `json:"road_blocks"`
	Neighbours   *[]impactItem                `json:"neighbours"`
	Vulnerable   *map[string]int              `json:"vulnerable"`
	Persons      *[]impactPerson              `json:"responsible"`
	Rounding     bothWords                    `json:"rounding"`
	Rules        []impactRule                 `json:"rules"`
	Network      map[string]any               `json:"network"`
	Snapshot     map[string]any               `json:"snapshot"`
	Text         string                       `json:"text"`
	Position     string                       `json:"position"`
	Titles       map[string]map[string]string `json:"titles"` // of the codes above, in the asker's language
}

type impactRule struct {
	Rule     string `json:"rule"`
	Version  int    `json:"version"`
	Verified bool   `json:"verified"`
}

type impactShelters struct {
	Inside         []impactItem  `json:"inside"`
	InsideTotal    int           `json:"inside_total"`
	InsideCapacity int           `json:"inside_capacity"`
	InsideFree     int           `json:"inside_free"`
	Outside        []impactReach `json:"outside_nearest"`
}

// impactCodes are the lists the codes of each section come from.
func impactCodes() map[string]string {
	return map[string]string{
		"facilities": "facility_kind", "key_places": "key_place_kind", "hazards": "hazard", "waterworks": "waterworks_kind", "roads": "road_class", "lifelines": "lifeline_kind",
		"shelters": "shelter_class", "teams": "team_kind", "warehouses": "warehouse_grade", "incidents": "incident_kind", "road_blocks": "block_cause", "buildings": "building_use", "hazard_sources": "source_4",
	}
}

// impactWriter turns an answer into its document.
type impactWriter struct {
	snap *registry.Snapshot
	lang registry.Lang
}

func (w impactWriter) title(section, code string) string {
	if section == "enterprises" {
		if code == "hazchem" {
			return text("涉危化品", "Hazardous chemicals").In(w.lang)
		}
		return text("其他企业", "Other").In(w.lang)
	}
	if code == "" {
		return text("未分类", "Not classified").In(w.lang)
	}
	if t := codeTitle(w.snap, impactCodes()[section], code, w.lang); t != "" {
		return t
	}
	return code
}

func (w impactWriter) item(it impact.Item) impactItem {
	out := impactItem{Layer: it.Layer, FID: positive(it.FID), ID: it.ID, Title: it.Title, Kind: optional(it.Kind), Level: positive(it.Level), More: it.More}
	if len(out.More) == 0 {
		out.More = json.RawMessage("null")
	}
	if it.Kind != "" {
		out.KindTitle = optional(w.title(it.Layer, it.Kind))
	}
	if l, ok := w.snap.Layer(it.Layer); ok && it.Level > 0 && l.Ladder != "" {
		out.LevelTitle = optional(codeTitle(w.snap, l.Ladder, fmt.Sprint(it.Level), w.lang))
	}
	if out.Title == "" {
		out.Title = or(w.title(it.Layer, it.Kind), it.Layer)
	}
	if it.At != nil {
		out.Position = []float64{round6(it.At[0]), round6(it.At[1])}
	}
	if it.DistanceM > 0 {
		out.DistanceM = &it.DistanceM
	}
	return out
}

func round6(v float64) float64 { return math.Round(v*1e6) / 1e6 }

func (w impactWriter) items(list []impact.Item) []impactItem {
	out := make([]impactItem, 0, len(list))
	for _, it := range list {
		out = append(out, w.item(it))
	}
	return out
}

func byCode(list []impact.Kind) map[string]int {
	out := make(map[string]int, len(list))
	for _, k := range list {
		out[or(k.Code, "unknown")] += k.Count
	}
	return out
}

func (w impactWriter) kinds(k *impact.Kinds) *impactKinds {
	if k == nil {
		return nil
	}
	return &impactKinds{Total: k.Total, Amount: k.Amount, By: byCode(k.By), Items: w.items(k.Items)}
}

func (w impactWriter) reach(list []impact.Reach) []impactReach {
	out := make([]impactReach, 0, len(list))
	for _, r := range list {
		x := impactReach{impactItem: w.item(r.Item), By: r.By, Capacity: r.Capacity, Occupancy: r.Occupancy, Free: r.Free, State: optional(r.State)}
		minutes := r.Minutes
		x.Minutes = &minutes
		if r.Layer == "shelters" {
			x.Reserved = &r.Reserved
			if r.By == "road" {
				m := r.NetworkM
				x.DistanceM, x.Slow = &m, &r.Slow
			}
			if r.FromMidM > 0 {
				x.FromMidM = &r.FromMidM
			}
		}
		out = append(out, x)
	}
	return out
}

func (s *Server) impactLine(a *impact.Answer, req *Request) impactAnswer {
	w := impactWriter{s.opts.Catalogue.Now(), req.Lang}
	t := a.Target
	out := impactAnswer{
		Estimate: true, AreaM2: math.Round(t.AreaM2), Rings: []impactRing{}, Admin: []impactUnit{}, Items: map[string]any{}, Rules: []impactRule{}, Titles: map[string]map[string]string{},
		Target: impactTarget{
			Kind: t.Kind, ID: optional(t.ID), FID: positive(t.FID), Title: optional(t.Title), What: optional(t.What), Level: positive(t.Level), Exercise: t.Exercise, HappenedAt: t.Happened,
			Basis: t.Basis, BufferM: t.BufferM, Geometry: geometryJSON(rounded(t.Shape)),
		},
		Rounding: bothWords{"合计由未取整的和四舍五入；分项按最大余数法凑整，余数相同者依编码由小到大", "Totals are rounded from unrounded sums; parts by the largest remainder, equal remainders in the order of codes"},
		Network:  map[string]any{"used": a.Network.Used, "edges": a.Network.Edges, "closed": a.Network.Closed},
		Snapshot: map[string]any{"at": a.At, "as_of": a.AsOf, "sources": impactSources(a)},
	}
	if t.What != "" {
		list := "incident_kind"
		if t.Kind == "alert" {
			list = "hazard"
		}
		out.Target.WhatTitle = optional(codeTitle(w.snap, list, t.What, req.Lang))
	}
	for _, r := range t.Rings {
		out.Rings = append(out.Rings, impactRing{r.RadiusM, math.Round(r.AreaM2), r.People, geometryJSON(rounded(r.Shape))})
	}
	if p := a.People; p != nil {
		x := &impactPeople{Total: p.Total, Exact: p.Exact, Method: p.Method, Basis: p.Basis, Units: p.Units, Unknown: p.Unknown, Words: filled(p.Words), ByGroup: map[string]int{}, ByMethod: []impactMethod{}}
		for _, g := range p.Groups {
			x.ByGroup[g.Name] = g.Count
		}
		for _, m := range p.ByMethod {
			x.ByMethod = append(x.ByMethod, impactMethod(m))
		}
		out.Population = x
		out.Range = &map[string]int{"low": p.Low, "high": p.High}
	}
	for _, u := range a.Admin {
		x := impactUnit{Code: optional(u.Code), Name: u.Title, Rank: positive(u.Rank), Population: u.People, Share: math.Round(u.Share*1e6) / 1e6, Whole: u.Whole}
		if u.Code == "" {
			x.Name = text("未能落到村(社区)的部分", "Not in any of these").In(req.Lang)
		}
		out.Admin = append(out.Admin, x)
	}
	if b := a.Buildings; b != nil {
		out.Buildings = &impactBuildings{b.Count, byCode(b.ByUse), int(math.Round(b.Persons)), b.Known, math.Round(b.FloorM2), b.Danger}
	}
	if a.Facilities != nil {
		by := byCode(a.Facilities.By)
		out.Facilities = &by
		out.Items["facilities"] = w.items(a.Facilities.Items)
	}
	out.KeyPlaces, out.Enterprise, out.Hazards, out.Waterworks = w.kinds(a.KeyPlaces), w.kinds(a.Enterprise), w.kinds(a.Hazards), w.kinds(a.Waterworks)
	if a.Sources != nil {
		list, by := w.items(a.Sources.Items), byCode(a.Sources.By)
		out.Sources, out.SourcesBy = &list, &by
	}
	w.networks(a, &out)
	if a.NeighSeen {
		list := w.items(a.Neighbours)
		out.Neighbours = &list
	}
	if a.VulnSeen {
		out.Vulnerable = &a.Vulnerable
	}
	if a.PersonSeen {
		list := make([]impactPerson, 0, len(a.Persons))
		for _, p := range a.Persons {
			list = append(list, impactPerson{p.Role, optional(p.Layer), optional(p.Feature), optional(p.Area), optional(p.Unit), optional(p.Post), optional(p.Name), optional(p.Deputy), optional(p.Contact), optional(p.Phone), optional(p.DeputyPhone)})
		}
		out.Persons = &list
	}
	for _, r := range a.Rules {
		out.Rules = append(out.Rules, impactRule(r))
	}
	w.titles(a, out.Titles)
	out.CoveredShare = math.Round(a.Covered*1e4) / 1e4
	out.Statement = bothWords{impactStatement(a, registry.Chinese), impactStatement(a, registry.English)}
	out.Text = s.impactText(a, req)
	return out
}

// networks are roads, lifelines, shelters, teams, stores and blocks.
func (w impactWriter) networks(a *impact.Answer, out *impactAnswer) {
	if a.RoadsSeen {
		m := map[string]float64{}
		for _, l := range a.Roads {
			m[or(l.Class, "unknown")] += math.Round(l.Metres)
		}
		out.RoadsM = &m
	}
	if a.LinesSeen {
		list := []impactLine{}
		for _, l := range a.Lifelines {
			list = append(list, impactLine{or(l.Class, "unknown"), optional(w.title("lifelines", l.Class)), math.Round(l.Metres), l.Lines, l.Points})
		}
		out.Lifelines = &list
	}
	if s := a.Shelters; s != nil {
		out.Shelters = &impactShelters{w.items(s.Inside.Items), s.Inside.Total, int(s.Inside.Amount), s.InsideFree, w.reach(s.Outside)}
	}
	if a.Teams != nil {
		list := w.reach(a.Teams.Items)
		out.Teams = &list
	}
	if a.Warehouses != nil {
		list := w.reach(a.Warehouses.Items)
		out.Warehouses = &list
	}
	if a.BlocksSeen {
		list := []impactBlock{}
		for _, b := range a.Blocks {
			list = append(list, impactBlock{w.item(b.Item), b.State, b.Inside, b.BlockedAt, b.ExpectedAt})
		}
		out.Blocks = &list
	}
}

// titles are the words of the codes that occur.
func (w impactWriter) titles(a *impact.Answer, out map[string]map[string]string) {
	add := func(section, code string) {
		if out[section] == nil {
			out[section] = map[string]string{}
		}
		out[section][or(code, "unknown")] = w.title(section, code)
	}
	for section, k := range map[string]*impact.Kinds{"facilities": a.Facilities, "key_places": a.KeyPlaces, "enterprises": a.Enterprise, "hazards": a.Hazards, "waterworks": a.Waterworks, "hazard_sources": a.Sources} {
		if k != nil {
			for _, x := range k.By {
				add(section, x.Code)
			}
		}
	}
	if a.Buildings != nil {
		for _, x := range a.Buildings.ByUse {
			add("buildings", x.Code)
		}
	}
	for _, l := range a.Roads {
		add("roads", l.Class)
	}
}

func impactSources(a *impact.Answer) []impactSource {
	out := []impactSource{}
	for _, d := range a.Datasets {
		s := impactSource{Title: d.Title, Dept: optional(d.Dept)}
		if d.Date != nil {
			day := d.Date.Format(time.DateOnly)
			s.Date = &day
		}
		out = append(out, s)
	}
	return out
}

// rounded keeps a shape to a centimetre or so: it is drawn, not stored.
func rounded(m orb.MultiPolygon) orb.Geometry {
	out := make(orb.MultiPolygon, len(m))
	for i, p := range m {
		out[i] = make(orb.Polygon, len(p))
		for j, r := range p {
			out[i][j] = make(orb.Ring, len(r))
			for k, q := range r {
				out[i][j][k] = orb.Point{math.Round(q[0]*1e7) / 1e7, math.Round(q[1]*1e7) / 1e7}
			}
		}
	}
	return out
}

// basisWords is what kind of people were counted, and how.
func basisWords(method, basis string, lang registry.Lang) string {
	b := map[string]Text{
		impact.Resident: text("常住人口", "resident population"), impact.Registered: text("户籍人口", "registered population"), "night": text("夜间人口", "night population"),
		"day": text("日间人口", "day population"), "households": text("户数", "households"),
	}[basis]
	m := map[string]Text{"areal": text("面积加权", "areal weighting"), "building": text("按房屋居住人数", "persons of buildings")}[method]
	return b.In(lang) + text("（", " (").In(lang) + m.In(lang) + text("）", ")").In(lang)
}

// impactStatement is the 口径 of the one number.
func impactStatement(a *impact.Answer, lang registry.Lang) string {
	t := func(zh, en string) string { return text(zh, en).In(lang) }
	p := a.People
	if p == nil {
		return t("估算。没有可用的人口数据。", "An estimate. There is no population data to use.") + coveredWords(a, lang) + roadsWords(a, lang)
	}
	var b strings.Builder
	b.WriteString(t("估算，不是上报数。", "An estimate, not a reported figure. "))
	b.WriteString(basisWords(p.Method, p.Basis, lang))
	if p.Method == "areal" {
		fmt.Fprintf(&b, t("：%d 个统计单元与范围相交，按相交面积占比分摊，假定单元内人口均匀分布", ": %d units meet the area and are shared out by the part inside, people taken as evenly spread within a unit"), p.Units)
	}
	if len(p.Words) > 0 {
		b.WriteString(t("；数据口径：", "; as the data says: ") + strings.Join(p.Words, t("、", ", ")))
	}
	if p.Unknown > 0 {
		fmt.Fprintf(&b, t("；%d 个单元人口不详，未计入", "; %d units have no number and are left out"), p.Unknown)
	}
	fmt.Fprintf(&b, t("。范围 %d–%d 人：下限只计整个在内的单元，上限计入所有相交单元，并含其他方法的结果", ". Range %d to %d: only units wholly inside, and all that are touched, other methods included"), p.Low, p.High)
	var sources []string
	for _, d := range a.Datasets {
		if !d.People {
			continue
		}
		name := d.Title
		if d.Date != nil {
			name += " " + d.Date.Format(time.DateOnly)
		}
		sources = append(sources, name)
	}
	if len(sources) > 0 {
		shown := sources[:min(6, len(sources))]
		b.WriteString(t("。来源：", ". Sources: ") + strings.Join(shown, t("、", ", ")))
		if len(sources) > len(shown) {
			fmt.Fprintf(&b, t("等 %d 项", " and others, %d in all"), len(sources))
		}
	}
	b.WriteString(t("。", "."))
	b.WriteString(coveredWords(a, lang))
	b.WriteString(roadsWords(a, lang))
	return b.String()
}

// coveredWords say what of the area is not counted because it is not the asker's to see.
func coveredWords(a *impact.Answer, lang registry.Lang) string {
	out := 100 * (1 - a.Covered)
	switch {
	case a.Covered == 0 && a.People != nil && a.People.Units > 0:
		return "" // people are known by cells, and no units are mapped
	case out >= 99.95:
		return text("范围全部在您可见的行政区划之外：人口、房屋和设施不详，不等于没有。", " The whole area lies outside the units you see: who and what is there is not known, which is not nobody.").In(lang)
	case out >= 0.05:
		return fmt.Sprintf(text("范围的 %.1f%% 在您可见的行政区划之外，那里的人口、房屋和设施没有计入。", " %.1f %% of the area lies outside the units you see: who and what is there is not counted.").In(lang), out)
	}
	return ""
}

// roadsWords: the road graph knows no past, so distances and times by road are today's
// whatever moment was asked for.
func roadsWords(a *impact.Answer, lang registry.Lang) string {
	if a.AsOf == nil {
		return ""
	}
	return text("路网按今天的道路与阻断计算，步行、行车距离和时间不是当时的。", " Ways use the roads and blocks of today: distances and times by road are not those of then.").In(lang)
}
