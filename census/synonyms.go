package census

import (
	"fmt"
	"slices"
	"strings"
)

// synonym lists what forms call a column when they use neither its name nor its
// title. The table is closed: a wrong match is worse than none, since what matches
// nothing is kept in attrs and reported.
type synonym struct {
	columns []string // the first the layer has
	words   []string
	endings []string // 隐患名称 ends with 名称
}

func synonyms() []synonym {
	return []synonym{
		{[]string{"name"}, []string{"名稱", "场所名", "点位名"}, []string{"名称", "名稱"}},
		{[]string{"code"}, []string{"编号", "編號", "编码", "編碼", "代码", "代碼", "统一编号", "野外编号"}, []string{"编号", "編號", "编码", "編碼"}},
		{[]string{"scale"}, []string{"规模等级", "規模", "企业规模"}, nil},
		{[]string{"hazard"}, []string{"灾种", "災種", "灾害类型", "災害類型", "灾害种类", "地质灾害类型", "隐患类型", "隐患点类型", "灾害类别", "致灾因子"}, nil},
		{[]string{"level", "grade", "danger_grade", "class"}, []string{"等级", "级别", "等級", "級別"}, []string{"等级", "级别", "等級", "級別"}},
		{[]string{"kind"}, []string{"类型", "类别", "種類", "种类", "類型", "類別"}, []string{"类型", "类别", "類型", "類別", "种类"}},
		{[]string{"capacity"}, []string{"容纳人数", "可容纳人数", "可容纳", "容量", "容納人數", "可容納人數", "收容人數", "可收容人數", "避难人数", "可避难人数"}, nil},
		{[]string{"address", "place"}, []string{"地址", "位置", "详细地址", "地理位置", "所在位置", "具体位置", "所在地", "地点", "地點"}, []string{"地址"}},
		{[]string{"state"}, []string{"状态", "狀態"}, []string{"状态"}},
		{[]string{"threatened_persons"}, []string{"威胁人数", "受威胁人数", "受威胁人口", "威胁人口数"}, nil},
		{[]string{"threatened_households"}, []string{"受威胁户数", "威胁户"}, nil},
		{[]string{"threatened_property_wan"}, []string{"受威胁财产", "威胁资产"}, nil},
		{[]string{"effective_m2"}, []string{"有效面积", "有效避难面积", "避难面积", "可用面积"}, nil},
		{[]string{"gross_m2", "area_m2"}, []string{"占地面积", "总面积", "面积", "場所面積"}, nil},
		{[]string{"deaths"}, []string{"死亡人数", "死亡人口"}, nil},
		{[]string{"missing"}, []string{"失踪人数", "失踪人口", "失联人数"}, nil},
		{[]string{"injured"}, []string{"受伤人数", "受伤人口"}, nil},
		{[]string{"population"}, []string{"总人口", "人口数", "人口總數"}, nil},
		{[]string{"households"}, []string{"总户数", "戶數"}, nil},
		{[]string{"operator", "unit"}, []string{"管理单位", "管理单位名称", "权属单位", "運營單位", "管理單位"}, nil},
		{[]string{"responsible_unit"}, []string{"整改责任单位", "责任单位名称"}, nil},
		{[]string{"description"}, []string{"描述", "隐患描述", "问题描述", "隐患情况", "情况说明", "隐患内容"}, nil},
		{[]string{"found_at"}, []string{"发现时间", "发现日期", "排查时间", "排查日期", "上报时间"}, nil},
		{[]string{"due_at"}, []string{"整改时限", "整改期限"}, nil},
	}
}

// foreignNames begin the names and codes of something else than the row.
func foreignNames() []string {
	return []string{"乡", "镇", "街道", "村", "社区", "县", "区", "市", "省", "行政", "所属", "管理", "责任", "主管", "上级", "备案", "路线", "证", "邮", "鄉", "縣", "村里"}
}

// headerBase is a column's name without what stands in brackets, and that.
func headerBase(field string) (base, unit string) {
	f := strings.ToLower(strings.Join(strings.Fields(field), ""))
	i := strings.IndexAny(f, "(（[")
	if i <= 0 {
		return f, ""
	}
	return f[:i], strings.Trim(f[i:], "()（）[] :：")
}

// assign finds a column for each source field: first by name and title, then by the
// synonyms, then by how the name ends. A column is given once.
func (l *layerInfo) assign(fields []string, loose bool) map[string]string {
	out := map[string]string{}
	taken := map[string]bool{}
	pass := func(find func(field string) (string, bool)) {
		for _, f := range fields {
			if _, done := out[f]; done {
				continue
			}
			if col, ok := find(f); ok && !taken[col] {
				out[f], taken[col] = col, true
			}
		}
	}
	pass(l.match)
	if !loose {
		return out
	}
	first := func(s synonym) (string, bool) {
		for _, c := range s.columns {
			if col, ok := l.columns[c]; ok && col.zh != "单位" { // a unit of measure is no managing unit
				return c, true
			}
		}
		return "", false
	}
	table := synonyms()
	pass(func(field string) (string, bool) {
		base, _ := headerBase(field)
		for _, s := range table {
			if slices.Contains(s.words, base) {
				if c, ok := first(s); ok {
					return c, true
				}
			}
		}
		return "", false
	})
	pass(func(field string) (string, bool) {
		base, _ := headerBase(field)
		if slices.ContainsFunc(foreignNames(), func(p string) bool { return strings.HasPrefix(base, p) }) {
			return "", false
		}
		for _, s := range table {
			if slices.ContainsFunc(s.endings, func(e string) bool { return strings.HasSuffix(base, e) }) {
				if c, ok := first(s); ok {
					return c, true
				}
			}
		}
		return "", false
	})
	return out
}

// headerUnit is the unit a column's name gives where it is not the field's own:
// figures under 占地面积(亩) are no square metres.
func headerUnit(field string, col column) string {
	_, unit := headerBase(field)
	if unit == "" || col.unit == "" {
		return ""
	}
	if n, err := parseNumber("1"+unit, col.unit); err != nil || n.value == 1 {
		return ""
	}
	return unit
}

// coordinateColumns finds the columns with a row's place.
func coordinateColumns(fields []string) GeometryRule {
	var g GeometryRule
	put := func(into *string, field string) {
		if *into == "" {
			*into = field
		}
	}
	for _, f := range fields {
		base, _ := headerBase(f)
		switch base {
		case "lon", "lng", "long", "longitude", "经度", "經度", "东经", "東經", "x", "坐标x", "x坐标", "lon84", "lng84", "wgs84_lon":
			put(&g.Lon, f)
		case "lat", "latitude", "纬度", "緯度", "北纬", "北緯", "y", "坐标y", "y坐标", "lat84", "wgs84_lat":
			put(&g.Lat, f)
		case "坐标", "座標", "经纬度", "經緯度", "位置坐标", "地理坐标", "coordinates", "lonlat":
			put(&g.Pair, f)
		}
	}
	for _, f := range fields { // 中心点经度
		base, _ := headerBase(f)
		switch {
		case strings.HasSuffix(base, "经度") || strings.HasSuffix(base, "經度"):
			put(&g.Lon, f)
		case strings.HasSuffix(base, "纬度") && !strings.HasSuffix(base, "经纬度"), strings.HasSuffix(base, "緯度") && !strings.HasSuffix(base, "經緯度"):
			put(&g.Lat, f)
		}
	}
	switch {
	case g.Lon != "" && g.Lat != "":
		return GeometryRule{Lon: g.Lon, Lat: g.Lat}
	case g.Pair != "":
		return GeometryRule{Pair: g.Pair}
	}
	return GeometryRule{None: true}
}

// recognised refuses a table in which nothing says what a row is, or where: almost
// any text can be read as a table, and would become features without a content.
func (l *layerInfo) recognised(t *table, e *Entry) error {
	if t.shapes || !e.Geometry.None || len(e.Key) > 0 {
		return nil
	}
	for _, col := range l.assign(t.fields, true) {
		if col == "name" || col == "code" || col == "admin_code" {
			return nil
		}
	}
	var fields []string
	for _, name := range l.order {
		if col := l.columns[name]; name != "id" && col.zh != "" {
			fields = append(fields, col.zh+" "+name)
		}
	}
	return fmt.Errorf("%w: %s: 没有认出名称、编码或坐标列,未导入 (no column is recognised as name, code or coordinates; nothing was imported)\n  文件的列 columns of the file: %s\n  图层 %s 的字段 its fields: %s\n  请改列名,或写一份清单说明哪列对哪个字段,见 docs/guide/import.md (rename the columns, or write a manifest that maps them)",
		ErrFile, t.file, clip(strings.Join(t.fields, ", "), 600), l.id, strings.Join(fields, ", "))
}

// notes says which columns were understood.
func (m *mapper) notes(t *table) FileNotes {
	n := FileNotes{File: t.file}
	for _, i := range t.remarks {
		if i.Row == 0 {
			n.Remarks = append(n.Remarks, i.Message)
		}
	}
	if len(m.entry.Fields) > 0 { // the manifest said it
		return n
	}
	g := m.entry.Geometry
	for _, f := range t.fields {
		col, ok := m.auto[f]
		switch {
		case f == g.Lon || f == g.Lat || f == g.Pair:
			n.Mapped = append(n.Mapped, f+" → 坐标 coordinates")
		case ok && m.units[f] != "":
			n.Mapped = append(n.Mapped, fmt.Sprintf("%s → %s (%s → %s)", f, col, m.units[f], m.layer.columns[col].unit))
		case ok:
			n.Mapped = append(n.Mapped, f+" → "+col)
		case m.personal(f, ""):
			n.Mapped = append(n.Mapped, f+" → 受限库 restricted")
		default:
			n.Unmapped = append(n.Unmapped, f)
		}
	}
	return n
}
