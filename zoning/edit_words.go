package zoning

import (
	"encoding/json"
	"fmt"

	"github.com/paulmach/orb"

	"onemap/zoning/coverage"
)

// title names a step as the office would.
func (s *Service) title(p editPlan, steps []Step) (zh, en string) {
	zh, en = s.titleOf(p, steps[0])
	if len(steps) == 1 {
		return zh, en
	}
	for _, st := range steps[1:] {
		if z, _ := s.titleOf(p, st); z != zh {
			return fmt.Sprintf("%s 等 %d 步", zh, len(steps)), fmt.Sprintf("%s and %d more", en, len(steps)-1)
		}
	}
	return fmt.Sprintf("%s(%d 处)", zh, len(steps)), fmt.Sprintf("%s (%d times)", en, len(steps))
}

func (s *Service) titleOf(p editPlan, st Step) (zh, en string) {
	n := len(st.Op.Zones)
	if st.Relevel {
		level, levelEN := s.levelWords(p, *st.Set.Level)
		if n == 1 {
			return "改等级为 " + level, "Level to " + levelEN
		}
		return fmt.Sprintf("改 %d 个单元的等级为 %s", n, level), fmt.Sprintf("Level of %d zones to %s", n, levelEN)
	}
	if st.SetAttributes {
		if n == 1 {
			return "修改属性", "Change attributes"
		}
		return fmt.Sprintf("修改 %d 个单元的属性", n), fmt.Sprintf("Change attributes of %d zones", n)
	}
	switch st.Op.Kind {
	case coverage.Add:
		return "新增单元", "Add a zone"
	case coverage.AddPart:
		return "增加一块", "Add a part"
	case coverage.Reshape:
		return "调整边界", "Reshape"
	case coverage.Split:
		return "切割单元", "Split"
	case coverage.Merge:
		return fmt.Sprintf("合并 %d 个单元", n), fmt.Sprintf("Merge %d zones", n)
	case coverage.Explode:
		return "分开各块", "Separate the parts"
	case coverage.CutHole:
		return "挖洞", "Cut a hole"
	case coverage.FillHole:
		return "补洞", "Fill a hole"
	case coverage.MoveVertex:
		return "移动节点", "Move a vertex"
	case coverage.MoveEdge:
		return "移动边", "Move an edge"
	case coverage.InsertVertex:
		return "插入节点", "Insert a vertex"
	case coverage.RemoveVertex:
		return "删除节点", "Remove a vertex"
	case coverage.Delete:
		return "删除单元", "Delete a zone"
	case coverage.AssignGap:
		return "补缝隙", "Fill a gap"
	}
	return "编辑", "Edit"
}

// again names the taking back of an edit: of an edit itself, and of its taking back.
func again(zh, en string, links int) (string, string) {
	if links%2 == 0 {
		return "撤销:" + zh, "Undo: " + en
	}
	return "重做:" + zh, "Redo: " + en
}

// levelWords is what a level of the plan's ladder is called.
func (s *Service) levelWords(p editPlan, level int) (zh, en string) {
	if level == 0 {
		return "未定级", "not graded"
	}
	if l, ok := s.catalogue.Now().CodeLists[s.ladder(p)]; ok {
		for _, it := range l.Items {
			if it.Level == level {
				return it.Title.ZH, it.Title.EN
			}
		}
	}
	return fmt.Sprint(level), fmt.Sprint(level)
}

// ladder is the code list of the plan's levels.
func (s *Service) ladder(p editPlan) string {
	if p.Ladder != "" {
		return p.Ladder
	}
	return usualLadder(p.Kind)
}

// levels is how many the ladder has.
func (s *Service) levels(p editPlan) int {
	most := 0
	if l, ok := s.catalogue.Now().CodeLists[s.ladder(p)]; ok {
		for _, it := range l.Items {
			most = max(most, it.Level)
		}
	}
	return most
}

// wireOp is an operation in the words of the HTTP contract: what is kept of an edit, and
// what a repeated one is compared with.
type wireOp struct {
	Op       string             `json:"op"`
	Zone     string             `json:"zone,omitempty"`
	Zones    []coverage.ID      `json:"zones,omitempty"`
	New      []coverage.ID      `json:"new,omitempty"`
	To       any                `json:"to,omitempty"`
	Geometry *wireShape         `json:"geometry,omitempty"`
	Line     []orb.Point        `json:"line,omitempty"`
	Mode     string             `json:"mode,omitempty"`
	At       *orb.Point         `json:"at,omitempty"`
	From     *orb.Point         `json:"from,omitempty"`
	Edge     []orb.Point        `json:"edge,omitempty"`
	Level    *int               `json:"level,omitempty"`
	Name     *string            `json:"name,omitempty"`
	Reason   *string            `json:"reason,omitempty"`
	Set      map[string]*string `json:"set,omitempty"`
	Edit     string             `json:"edit,omitempty"`

	Confirmed []coverage.ID `json:"confirm_removed,omitempty"`
}

type wireShape struct {
	Type        string           `json:"type"`
	Coordinates orb.MultiPolygon `json:"coordinates"`
}

// wire writes steps down.
func wire(steps []Step) (string, error) {
	out := make([]wireOp, len(steps))
	for i := range steps {
		out[i] = wireOf(&steps[i])
	}
	b, err := json.Marshal(out)
	return string(b), err
}

func wireOf(st *Step) wireOp {
	op := &st.Op
	lonLat := func(ps ...coverage.Point) []orb.Point {
		out := make([]orb.Point, len(ps))
		for i, p := range ps {
			out[i] = p.LonLat()
		}
		return out
	}
	at := func(p coverage.Point) *orb.Point { q := p.LonLat(); return &q }
	w := wireOp{Op: string(op.Kind), Zone: string(op.Zone), Zones: op.Zones, New: op.New, Edit: st.Restore, Confirmed: op.Confirmed}
	if len(op.Shape) > 0 {
		w.Geometry = &wireShape{"MultiPolygon", op.Shape.Geometry()}
	}
	if len(op.Line) > 0 {
		w.Line = lonLat(op.Line...)
	}
	switch {
	case st.Restore != "":
		w.Op = "restore"
	case st.Relevel:
		w.Op, w.Level, w.Reason = "relevel", st.Set.Level, st.Set.Reason
	case st.SetAttributes:
		w.Op = "set_attributes"
		w.Set = map[string]*string{}
		for k, v := range map[string]*string{"code": st.Set.Code, "name": st.Set.Name, "reason": st.Set.Reason,
			"countermeasure": st.Set.Countermeasure, "responsible": st.Set.Responsible} {
			if v != nil {
				w.Set[k] = v
			}
		}
	}
	switch op.Kind {
	case coverage.Add, coverage.AddPart:
		w.Mode = "clip"
		if op.Carve {
			w.Mode = "carve"
		}
		w.Level, w.Name = st.Set.Level, st.Set.Name
	case coverage.MoveVertex:
		w.From, w.To = at(op.From), at(op.To)
	case coverage.MoveEdge:
		w.Edge, w.To = lonLat(op.Edge[:]...), lonLat(op.EdgeTo[:]...)
	case coverage.InsertVertex:
		w.Edge, w.At = lonLat(op.Edge[:]...), at(op.At)
	case coverage.RemoveVertex, coverage.FillHole, coverage.AssignGap:
		w.At = at(op.At)
	case coverage.Delete:
		if op.Target != "" {
			w.To = string(op.Target)
		}
	}
	return w
}
