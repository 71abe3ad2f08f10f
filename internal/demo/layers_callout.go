package demo

import (
	"slices"
	"time"
)

// FieldCallout is a 叫应 that is under way. Who is called, and who of them answered, is told
// from what the county has: those who answer for the villages, grids and households.
type FieldCallout struct {
	ID, Kind, Title, Reason, Consulted, Officer string
	Villages                                    []string
	Started                                     time.Time
}

// fieldCallouts calls out the villages under the storm whose hazard points threaten most.
func (g *world) fieldCallouts(id func() string, officers []string, w *FieldWork) {
	threatened, worst := map[string]int{}, map[string]int{}
	storm := g.stormTowns()
	for _, h := range g.hazards {
		v := h.unit.parent
		if h.persons == 0 || !slices.Contains(storm, v.parent.code) {
			continue
		}
		threatened[v.code] += h.persons
		if l := worst[v.code]; l == 0 || h.level < l {
			worst[v.code] = h.level
		}
	}
	codes := make([]string, 0, len(threatened))
	for code := range threatened {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(a, b string) int {
		if d := worst[a] - worst[b]; d != 0 {
			return d
		}
		if d := threatened[b] - threatened[a]; d != 0 {
			return d
		}
		if a < b {
			return -1
		}
		return 1
	})
	const most = 8
	if len(codes) == 0 {
		return
	}
	w.Callouts = []FieldCallout{{
		ID: id(), Kind: "call_out", Title: "暴雨橙色预警叫应", Reason: "未来 3 小时强降雨，地质灾害隐患点受威胁群众需提前转移", Officer: officers[0],
		Villages: codes[:min(most, len(codes))], Started: g.ago(50 * time.Minute),
	}}
}
