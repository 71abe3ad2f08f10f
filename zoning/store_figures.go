package zoning

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/registry"
)

// reads is the areas whose rows of a layer the asker reads, as a multirange; empty where
// the layer is not his to see.
func (s *Service) reads(who *auth.Identity, layer string) string {
	l, ok := s.catalogue.Now().Layer(layer)
	if !ok || !l.SeenBy(who.Reach) {
		return "{}"
	}
	return who.Reach.Of(l.Visibility).String()
}

const nothing = "{}"

// countZone asks everything in one round trip.
func (s *Service) countZone(ctx context.Context, who *auth.Identity, f *Figures, zone string) error {
	id := f.Plan.ID
	var b pgx.Batch
	who.Reading().Queue(&b)
	b.Queue(s.queries.Get("plan_zones"), zoneArgs(id, nil, []string{zone})...).Query(func(rows pgx.Rows) (err error) {
		f.Zone, err = pgx.CollectExactlyOneRow(rows, scanZone(id))
		return err
	})
	b.Queue(s.queries.Get("figure_share"), id, zone).QueryRow(func(row pgx.Row) error {
		return row.Scan(&f.AreaM2, &f.Share, &f.Bounds.Min[0], &f.Bounds.Min[1], &f.Bounds.Max[0], &f.Bounds.Max[1])
	})
	if reads := s.reads(who, "population"); reads != nothing {
		f.People = &PeopleFigure{Basis: Basis{Definition: populationBasis()}}
		pf := f.People
		b.Queue(s.queries.Get("figure_people"), id, zone, reads).QueryRow(func(row pgx.Row) error {
			return row.Scan(&pf.People, &pf.Households, &pf.Cells, &pf.UnknownCells, &pf.UnknownM2, &pf.CoveredM2, &pf.Basis.AsOf, &pf.Basis.Sources)
		})
	}
	args := []any{id, zone}
	catalogue := s.catalogue.Now()
	for _, l := range figureLayers() {
		reads := s.reads(who, l.layer)
		args = append(args, reads)
		if reads == nothing {
			continue
		}
		layer, _ := catalogue.Layer(l.layer)
		g := FigureGroup{Key: l.layer, Layer: l.layer, Title: layer.Title, SumTitle: l.sum, List: []FigureItem{}, Basis: Basis{Definition: l.definition}}
		if l.levels {
			g.ByLevel, g.Ladder = []LevelCount{}, layer.Ladder
		}
		f.Groups = append(f.Groups, g)
	}
	b.Queue(s.queries.Get("figure_groups"), append(args, FigureItems)...).Query(f.scanGroups)
	b.Queue(s.queries.Get("figure_hands"), id, zone).Query(func(rows pgx.Rows) (err error) {
		f.DrawnBy, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Actor, err error) {
			return a, row.Scan(&a.By, &a.Name, &a.At)
		})
		return err
	})
	b.Queue(s.queries.Get("reviews"), id, zone).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scanReview)
		if len(list) == 1 {
			f.Verdict, f.ReviewedBy = list[0].Verdict, &Actor{By: list[0].By, Name: list[0].Name, At: list[0].At}
		}
		return err
	})
	return s.db.Query.Hold(ctx, func(conn *pgx.Conn) error { return conn.SendBatch(ctx, &b).Close() })
}

func populationBasis() registry.Title {
	return registry.Title{ZH: "人口图层按面积权重分摊；无数据的单元不计入", EN: "the population layer by share of area; rows without a number are not counted"}
}

func (f *Figures) scanGroups(rows pgx.Rows) error {
	defer rows.Close()
	for rows.Next() {
		var key string
		var g FigureGroup
		var levels, list []byte
		if err := rows.Scan(&key, &g.Total, &g.Sum, &levels, &list, &g.Basis.AsOf, &g.Basis.Sources); err != nil {
			return err
		}
		i := slices.IndexFunc(f.Groups, func(g FigureGroup) bool { return g.Key == key })
		if i < 0 {
			continue
		}
		to := &f.Groups[i]
		to.Total, to.Basis.AsOf, to.Basis.Sources = g.Total, g.Basis.AsOf, g.Basis.Sources
		if to.SumTitle != (registry.Title{}) {
			to.Sum = g.Sum
		}
		if to.ByLevel != nil {
			if err := json.Unmarshal(levels, &to.ByLevel); err != nil {
				return err
			}
		}
		if err := json.Unmarshal(list, &to.List); err != nil {
			return err
		}
		for k := range to.List {
			to.List[k].Layer = to.Layer
		}
	}
	return rows.Err()
}

// countZones counts what is written down with the zones when their plan is submitted.
func (s *Service) countZones(ctx context.Context, tx pgx.Tx, by auth.By, p Plan) ([]zoneFigure, json.RawMessage, error) {
	rows, err := tx.Query(ctx, s.queries.Get("figure_zones"), p.ID, s.reads(by.Identity, "population"))
	if err != nil {
		return nil, nil, err
	}
	m := figureMethod{Population: populationBasis().ZH, Area: "CGCS2000 椭球面积", At: s.now()}
	var unknown int
	figures, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (zoneFigure, error) {
		var f zoneFigure
		var people *float64
		var n int
		err := row.Scan(&f.Zone, &people, &n, &f.AreaKm2)
		unknown += n
		f.people = people
		return f, err
	})
	if err != nil {
		return nil, nil, err
	}
	wholePeople(figures)
	m.Unknown = unknown
	body, err := json.Marshal(map[string]any{"figures": m})
	return figures, body, err
}

// wholePeople makes whole numbers of people by largest remainder, so that the zones add
// up to the people of the plan; of equal remainders the first zone takes one more.
func wholePeople(figures []zoneFigure) {
	var sum float64
	var whole int
	byRest := make([]int, 0, len(figures))
	for i := range figures {
		f := &figures[i]
		if f.people == nil {
			continue
		}
		n := int(math.Floor(*f.people))
		f.Population = &n
		sum, whole = sum+*f.people, whole+n
		byRest = append(byRest, i)
	}
	rest := func(i int) float64 { return *figures[i].people - float64(*figures[i].Population) }
	slices.SortStableFunc(byRest, func(a, b int) int { return cmp.Compare(rest(b), rest(a)) })
	for _, i := range byRest[:min(len(byRest), int(math.Round(sum))-whole)] {
		*figures[i].Population++
	}
}

// keepFigures writes them into the zones that do not say so yet, in one statement.
func (s *Service) keepFigures(ctx context.Context, tx pgx.Tx, plan string, figures []zoneFigure) error {
	zones, people, areas := make([]string, len(figures)), make([]*int, len(figures)), make([]float64, len(figures))
	for i, f := range figures {
		zones[i], people[i], areas[i] = f.Zone, f.Population, f.AreaKm2
	}
	_, err := tx.Exec(ctx, s.queries.Get("figure_keep"), plan, zones, people, areas)
	return err
}

// Figures counts what lies in a zone, under what the asker may read.
func (s *Service) Figures(ctx context.Context, who *auth.Identity, id, zone string) (Figures, error) {
	if !uuidText.MatchString(zone) {
		return Figures{}, auth.ErrNotFound
	}
	p, err := s.Plan(ctx, who, id)
	if err != nil {
		return Figures{}, err
	}
	f := Figures{Plan: p, At: s.now(), Method: p.Method, Rules: s.rulesOf(p.Method), Groups: []FigureGroup{}, DrawnBy: []Actor{}}
	if err := s.countZone(ctx, who, &f, zone); err != nil {
		if errors.Is(err, pgx.ErrNoRows) {
			return Figures{}, auth.ErrNotFound
		}
		return Figures{}, wrap("figures", err)
	}
	var attrs struct {
		Indicators json.RawMessage `json:"indicators"`
		Index      *float64        `json:"index"`
		Computed   int             `json:"computed_level"`
	}
	_ = json.Unmarshal(f.Zone.Attrs, &attrs) // attributes of an import may say anything
	f.Indicators, f.Index, f.Computed = attrs.Indicators, attrs.Index, attrs.Computed
	if p.ApprovedAt != nil {
		f.ApprovedBy = &Actor{By: p.ApprovedBy, At: *p.ApprovedAt}
	}
	if p.PublishedAt != nil {
		f.PublishedBy = &Actor{By: p.PublishedBy, At: *p.PublishedAt}
	}
	return f, nil
}
