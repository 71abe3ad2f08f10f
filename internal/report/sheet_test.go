package report

import (
	"testing"

	"github.com/paulmach/orb"
)

// square is a zone of whole grid cells.
func square(x0, y0, x1, y1 float64) orb.MultiPolygon {
	return orb.MultiPolygon{{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}, {x0, y0}}}}
}

// smallSheet has four zones of four levels, one with a hole another fills.
func smallSheet(t testing.TB) Sheet {
	t.Helper()
	people := int64(12345)
	levels := riskLevels(t)[:4]
	for i := range levels {
		levels[i].Count, levels[i].AreaM2, levels[i].Share, levels[i].People = 1, float64(i+1)*1.5e6, 0.25, &people
	}
	outer := square(109.00, 34.00, 109.05, 34.05)
	hole := orb.Ring{{109.02, 34.02}, {109.02, 34.03}, {109.03, 34.03}, {109.03, 34.02}, {109.02, 34.02}}
	outer[0] = append(outer[0], hole)
	return Sheet{
		Title: "示例县山洪灾害风险区划图", Size: A4, Levels: levels, LevelTitle: "风险等级", MadeAt: when,
		Area: square(109.00, 34.00, 109.10, 34.10),
		Zones: []Zone{
			{ID: "a", Name: "东沟", Level: 1, Shape: outer}, {ID: "b", Name: "岛", Level: 2, Shape: square(109.02, 34.02, 109.03, 34.03)},
			{ID: "c", Name: "西岭村", Level: 3, Shape: square(109.05, 34.00, 109.10, 34.05)}, {ID: "d", Name: "北坡", Level: 4, Shape: square(109.00, 34.05, 109.10, 34.10)},
		},
		AsOf: "2026-06-01", Source: "普查数据", Basis: "户籍人口", Mark: "内部资料", Version: "第 1 版",
		Approvals: []Approval{{"编制", "张明远", when}, {"批准", "", when.AddDate(-2026, 0, 0)}},
	}
}
