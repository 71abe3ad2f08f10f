package api

import (
	"context"
	"encoding/json"
	"time"

	"onemap/internal/registry"
	"onemap/zoning"
)

type basisAnswer struct {
	Definition string     `json:"definition"` // 口径
	AsOf       *time.Time `json:"as_of"`      // 截至
	Sources    []string   `json:"sources"`    // 来源
}

type peopleFigure struct {
	People       float64     `json:"people"` // not rounded
	Cells        int         `json:"cells"`
	UnknownCells int         `json:"unknown_cells"`
	UnknownM2    float64     `json:"unknown_m2"`
	CoveredM2    float64     `json:"covered_m2"`
	Basis        basisAnswer `json:"basis"`
}

type levelCount struct {
	Level *int   `json:"level"`
	Title string `json:"title"`
	Count int    `json:"count"`
}

type figureItem struct {
	ID    string    `json:"id"`
	FID   *int64    `json:"fid"`
	Layer string    `json:"layer"`
	Name  *string   `json:"name"`
	Level *int      `json:"level"`
	At    []float64 `json:"at"`
}

type figureGroup struct {
	Key      string       `json:"key"`
	Layer    string       `json:"layer"`
	Title    string       `json:"title"`
	Total    int          `json:"total"`
	Sum      *float64     `json:"sum"`
	SumTitle *string      `json:"sum_title"`
	ByLevel  []levelCount `json:"by_level"`
	Ladder   *string      `json:"ladder"`
	List     []figureItem `json:"list"` // at most 20, the worst first
	Basis    basisAnswer  `json:"basis"`
}

type ruleVersionAnswer struct {
	Rule    string `json:"rule"`
	Version int    `json:"version"`
	Title   string `json:"title"`
}

type planActor struct {
	By   string    `json:"by"`
	Name *string   `json:"name"`
	At   time.Time `json:"at"`
}

type figuresAnswer struct {
	Plan          string              `json:"plan"`
	Zone          string              `json:"zone"`
	Name          *string             `json:"name"`
	Level         *int                `json:"level"`
	LevelTitle    *string             `json:"level_title"`
	AreaM2        float64             `json:"area_m2"`
	Share         float64             `json:"share"`
	Bounds        []float64           `json:"bounds"`
	People        *peopleFigure       `json:"people"`
	Groups        []figureGroup       `json:"groups"`
	Indicators    json.RawMessage     `json:"indicators"`
	Index         *float64            `json:"index"`
	ComputedLevel *int                `json:"computed_level"`
	Method        json.RawMessage     `json:"method"`
	Rules         []ruleVersionAnswer `json:"rules"`
	DrawnBy       []planActor         `json:"drawn_by"`
	ReviewedBy    *planActor          `json:"reviewed_by"`
	ApprovedBy    *planActor          `json:"approved_by"`
	PublishedBy   *planActor          `json:"published_by"`
	At            time.Time           `json:"at"`
}

func basisLine(b zoning.Basis, lang registry.Lang) basisAnswer {
	return basisAnswer{b.Definition.In(lang), b.AsOf, append([]string{}, b.Sources...)}
}

func actorLine(a *zoning.Actor) *planActor {
	if a == nil {
		return nil
	}
	return &planActor{a.By, optional(a.Name), a.At}
}

// getZoneFigures says what a zone means: what lies in it, how its level came to be, who
// stands behind it.
func (s *Server) getZoneFigures(ctx context.Context, req *Request) (*Response, error) {
	p, err := s.seenPlan(ctx, req)
	if err != nil {
		return nil, err
	}
	zone, err := req.zoneID()
	if err != nil {
		return nil, err
	}
	f, err := s.opts.Zoning.Figures(ctx, req.Who, p.ID, zone)
	if err != nil {
		return nil, err
	}
	snap := s.opts.Catalogue.Now()
	a := figuresAnswer{
		Plan: p.ID, Zone: f.Zone.Zone, Name: optional(f.Zone.Name), Level: positive(f.Zone.Level), LevelTitle: optional(levelName(snap, p.Ladder, f.Zone.Level, req.Lang)),
		AreaM2: f.AreaM2, Share: f.Share, Bounds: bounds(&f.Bounds), Groups: []figureGroup{}, Indicators: jsonOrNull(f.Indicators), Index: f.Index,
		ComputedLevel: positive(f.Computed), Method: raw(f.Method, "{}"), Rules: []ruleVersionAnswer{}, DrawnBy: []planActor{},
		ReviewedBy: actorLine(f.ReviewedBy), ApprovedBy: actorLine(f.ApprovedBy), PublishedBy: actorLine(f.PublishedBy), At: f.At,
	}
	if n := f.People; n != nil {
		a.People = &peopleFigure{n.People, n.Cells, n.UnknownCells, n.UnknownM2, n.CoveredM2, basisLine(n.Basis, req.Lang)}
	}
	for _, g := range f.Groups {
		line := figureGroup{
			Key: g.Key, Layer: g.Layer, Title: g.Title.In(req.Lang), Total: g.Total, Sum: g.Sum, SumTitle: optional(g.SumTitle.In(req.Lang)), ByLevel: []levelCount{},
			Ladder: optional(g.Ladder), List: []figureItem{}, Basis: basisLine(g.Basis, req.Lang),
		}
		for _, l := range g.ByLevel {
			title := levelName(snap, g.Ladder, l.Level, req.Lang)
			if l.Level == 0 {
				title = text("未分级", "Not graded").In(req.Lang)
			}
			line.ByLevel = append(line.ByLevel, levelCount{positive(l.Level), title, l.Count})
		}
		for _, it := range g.List {
			line.List = append(line.List, figureItem{it.ID, positive(it.FID), it.Layer, optional(it.Name), positive(it.Level), []float64{it.At[0], it.At[1]}})
		}
		a.Groups = append(a.Groups, line)
	}
	for _, r := range f.Rules {
		a.Rules = append(a.Rules, ruleVersionAnswer{r.Rule, r.Version, r.Title.In(req.Lang)})
	}
	for _, d := range f.DrawnBy {
		a.DrawnBy = append(a.DrawnBy, *actorLine(&d))
	}
	return private(a)
}
