package census

import (
	"context"
	"slices"
	"strings"
	"testing"
)

// The forms offices keep name their columns in their own way. What is understood is
// said, and what is not, too.
func TestColumnsByTheirUsualNames(t *testing.T) {
	h := newHouse(t)
	r := h.file(t, write(t, "a.csv", "隐患编号,隐患名称,灾害类型,险情等级,受威胁人数,威胁财产（元）,中心点经度,中心点纬度,乡镇名称,联系电话,备注\n"+
		"Y1,大湾村滑坡,滑坡,没有的等级,1.2万,500000,119.25,34.15,城关镇,13800138000,好\n"), FileOptions{Layer: "hazards"})
	wantCounts(t, r, Counts{Read: 1, Accepted: 1, Inserted: 1})
	if s := one[string](t, h, `select concat_ws(' ', source_key, code, name, hazard, level, threatened_persons, threatened_property_wan, attrs->>'险情等级', attrs->>'乡镇名称', st_astext(geom)) from hazards`); s != "Y1 Y1 大湾村滑坡 landslide 12000 50 没有的等级 城关镇 POINT(119.25 34.15)" {
		t.Error(s)
	}
	hasRule(t, r, Warning, RuleCode, 1)
	if len(r.Notes) != 1 || !slices.Contains(r.Notes[0].Mapped, "隐患名称 → name") || !slices.Equal(r.Notes[0].Unmapped, []string{"乡镇名称", "备注"}) {
		t.Errorf("%+v", r.Notes)
	}
	r = h.file(t, write(t, "b.csv", "场所编码,单位名称,容纳人数,占地面积(亩),有效面积,详细地址,经度,纬度\nS1,第一小学,300,3,2亩,城关镇一号,119.25,34.15\n"), FileOptions{Layer: "shelters"})
	wantCounts(t, r, Counts{Read: 1, Accepted: 1, Inserted: 1})
	if s := one[string](t, h, `select concat_ws(' ', code, name, capacity, gross_m2::int, effective_m2::int, address) from shelters`); s != "S1 第一小学 300 2000 1333 城关镇一号" {
		t.Error(s)
	}
}

// A ledger of incidents confirms no level: a person does, and until then nobody's wall shows
// one. The same file again changes nothing.
func TestALevelFromAFileIsAProposal(t *testing.T) {
	h := newHouse(t)
	path := write(t, "a.csv", "编号,名称,类型,等级,死亡人数,失踪人数,经度,纬度\nL1,石桥塘村滑坡,landslide,2,1,3,119.25,34.15\n")
	r := h.file(t, path, FileOptions{Layer: "incidents"})
	wantCounts(t, r, Counts{Read: 1, Accepted: 1, Inserted: 1})
	hasRule(t, r, Warning, RuleProposed, 1)
	if s := one[string](t, h, `select concat_ws(' ', code, kind, state, coalesce(level::text, '-'), level_proposed, deaths, missing) from incidents`); s != "L1 landslide received - 2 1 3" {
		t.Error(s)
	}
	wantCounts(t, h.file(t, path, FileOptions{Layer: "incidents"}), Counts{Read: 1, Accepted: 1, Unchanged: 1})
}

// Almost any text is a table. One in which nothing is recognised is no data.
func TestNothingRecognised(t *testing.T) {
	h := newHouse(t)
	for name, text := range map[string]string{
		"passwd.txt": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nlp:x:7:7:lp,a,b:/var/spool/lpd:/usr/sbin/nologin\n",
		"other.csv":  "甲,乙,丙\n一,二,三\n四,五,六\n",
	} {
		_, err := h.ImportFile(context.Background(), write(t, name, text), FileOptions{Layer: "hazards"})
		if err == nil || !strings.Contains(err.Error(), "清单") {
			t.Errorf("%s: %v", name, err)
		} else if name == "other.csv" && (!strings.Contains(err.Error(), "甲, 乙, 丙") || !strings.Contains(err.Error(), "威胁人口 threatened_persons")) {
			t.Error(err)
		}
	}
	if n := one[int64](t, h, `select (select count(*) from hazards) + (select count(*) from import)`); n != 0 {
		t.Errorf("%d rows", n)
	}
}
