package zoning

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"onemap/internal/auth"
	"onemap/internal/registry"
	"onemap/zoning/calc"
)

// The rule sets that computing works by.
const (
	ruleIndicators = "zoning_indicators"
	rulePrevention = "prevention_matrix"
	ruleClasses    = "zoning_classes"
)

// The measures: what can be said of a unit by the features in it.
const (
	measureCount    = "count"               // features
	measureDensity  = "density"             // features per km²
	measureWeighted = "weighted_density"    // Σ weight(level) per km²
	measureShare    = "count_share"         // % of the features that meet the conditions
	measureSum      = "sum"                 // Σ field; shapes are shared out by area
	measurePerArea  = "sum_density"         // Σ field per km²
	measureMean     = "mean"                // of a field, by area for shapes
	measureRatio    = "ratio"               // Σ field / Σ other field, times factor
	measurePerHead  = "per_capita"          // Σ field per person, times factor
	measureArea     = "area_share"          // % of the unit that shapes cover, overlaps once
	measureLevels   = "weighted_area_share" // % by level: Σ weight(level)·share, the worst level where they overlap
	measureLength   = "length"              // km
	measureLines    = "length_density"      // km per km²
)

// condition keeps features by a field's values.
type condition struct {
	Field string   `json:"field"`
	In    []string `json:"in,omitempty"`
	NotIn []string `json:"not_in,omitempty"`
}

// indicator is one thing to measure, resolved.
type indicator struct {
	ID        string             `json:"id"`
	Layer     string             `json:"layer"`
	Measure   string             `json:"measure"`
	Field     string             `json:"field"`
	Of        string             `json:"of"`
	Group     string             `json:"group"`
	Direction calc.Direction     `json:"direction"`
	TitleZH   string             `json:"title_zh"`
	TitleEN   string             `json:"title_en"`
	UnitZH    string             `json:"unit_zh"`
	UnitEN    string             `json:"unit_en"`
	Where     []condition        `json:"where"`
	Weights   map[string]float64 `json:"weights"`
	Factor    float64            `json:"factor"`

	layer *registry.Layer
}

func (d *indicator) factor() float64 {
	if d.Factor == 0 {
		return 1
	}
	return d.Factor
}

// readyIndicators are the indicators of the rule set whose layers the asker sees and whose fields
// those layers have.
func readyIndicators(snap *registry.Snapshot, who *auth.Identity) (list []indicator, ref RuleRef, err error) {
	rule, ok := snap.Rules[ruleIndicators]
	if !ok {
		return nil, RuleRef{}, nil
	}
	var body struct {
		Indicators []indicator `json:"indicators"`
	}
	if err := json.Unmarshal(rule.Body, &body); err != nil {
		return nil, RuleRef{}, fmt.Errorf("zoning: rule set %s: %w", ruleIndicators, err)
	}
	for _, d := range body.Indicators {
		l, ok := measurable(snap, who, d.Layer)
		if !ok || !d.fits(l) {
			continue
		}
		d.layer = l
		list = append(list, d)
	}
	return list, RuleRef{rule.Rule, rule.Version, rule.Verified}, nil
}

// measurable is a layer whose features can be measured: ours, in degrees, and seen.
func measurable(snap *registry.Snapshot, who *auth.Identity, id string) (*registry.Layer, bool) {
	l, ok := snap.Layer(id)
	if !ok || !l.Own || l.SRID != 4490 || !l.SeenBy(who.Reach) || l.ID == "zones" {
		return nil, false
	}
	return l, true
}

// fits says whether the layer has what the indicator names.
func (d *indicator) fits(l *registry.Layer) bool {
	has := func(name string) bool { _, ok := l.Field(name); return ok }
	number := func(name string) bool {
		f, ok := l.Field(name)
		return ok && (f.Type == registry.Integer || f.Type == registry.Number)
	}
	for _, c := range d.Where {
		if !has(c.Field) {
			return false
		}
	}
	areal, linear := l.Geometry == registry.Polygon || l.Geometry == registry.Mixed, l.Geometry == registry.Line || l.Geometry == registry.Mixed
	switch d.Measure {
	case measureCount, measureDensity:
		return true
	case measureShare:
		return len(d.Where) > 0
	case measureWeighted:
		return l.LevelField != ""
	case measureLevels:
		return l.LevelField != "" && areal
	case measureArea:
		return areal
	case measureLength, measureLines:
		return linear
	case measureSum, measurePerArea, measureMean, measurePerHead:
		return number(d.Field)
	case measureRatio:
		return number(d.Field) && number(d.Of)
	}
	return false
}

// Indicators are the measurable things the asker may use: those of the rule set
// zoning_indicators first, then every layer he sees with its fields.
func (s *Service) Indicators(ctx context.Context, who *auth.Identity) []IndicatorSource {
	snap := s.catalogue.Now()
	list, ref, err := readyIndicators(snap, who)
	if err != nil {
		s.log.WarnContext(ctx, "zoning: indicators", "error", err)
	}
	out := make([]IndicatorSource, 0, len(list)+len(snap.Layers))
	for i := range list {
		d := &list[i]
		out = append(out, IndicatorSource{Source: d.ID, Layer: d.Layer, Title: registry.Title{ZH: d.TitleZH, EN: d.TitleEN}, Ready: true, Geometry: d.layer.Geometry, Rule: ref,
			Measures: []IndicatorMeasure{d.offered()}})
	}
	for _, l := range snap.Layers {
		if _, ok := measurable(snap, who, l.ID); !ok {
			continue
		}
		src := IndicatorSource{Source: l.ID, Layer: l.ID, Title: l.Title, Geometry: l.Geometry}
		for _, d := range ofLayer(l) {
			src.Measures = append(src.Measures, d.offered())
		}
		out = append(out, src)
	}
	return out
}

func (d *indicator) offered() IndicatorMeasure {
	return IndicatorMeasure{Measure: d.Measure, Field: d.Field, Title: registry.Title{ZH: d.TitleZH, EN: d.TitleEN}, Unit: registry.Title{ZH: d.UnitZH, EN: d.UnitEN},
		Group: d.Group, Direction: cmp.Or(d.Direction, calc.Positive), Normalise: calc.MinMax}
}

// ofLayer is what any layer offers by what the catalogue says of it.
func ofLayer(l *registry.Layer) []indicator {
	group := GroupExposure
	switch {
	case l.ID == "vulnerable":
		group = GroupVulnerable
	case slices.Contains([]string{"hazards", "dangers", "enterprises", "events"}, l.Theme):
		group = GroupHazard
	case l.Theme == "relief":
		group = GroupCapability
	case l.ID == "rivers":
		group = GroupSensitivity
	}
	var out []indicator
	add := func(measure, field, zh, en, unitZH, unitEN string) {
		d := indicator{Layer: l.ID, Measure: measure, Field: field, Group: group, Direction: calc.Positive,
			TitleZH: zh, TitleEN: en, UnitZH: unitZH, UnitEN: unitEN, layer: l}
		if d.fits(l) {
			out = append(out, d)
		}
	}
	zh, en := l.Title.ZH, l.Title.EN
	add(measureCount, "", zh+"数量", en+": number", "个", "features")
	add(measureDensity, "", zh+"密度", en+": per km²", "个/km²", "/km²")
	add(measureWeighted, "", zh+"按等级加权密度", en+": by level, per km²", "/km²", "/km²")
	add(measureArea, "", zh+"面积占比", en+": share of area", "%", "%")
	add(measureLevels, "", zh+"按等级加权面积占比", en+": by level, share of area", "%", "%")
	add(measureLength, "", zh+"长度", en+": length", "km", "km")
	add(measureLines, "", zh+"线密度", en+": km per km²", "km/km²", "km/km²")
	for _, f := range l.Fields {
		if f.Name == l.LevelField || f.Name == "year" || f.Name == "rank" || f.Name == "built_year" {
			continue
		}
		unit, unitEN := f.Unit, f.UnitIn(registry.English)
		add(measureSum, f.Name, f.Title.ZH+"合计", f.Title.EN+": total", unit, unitEN)
		add(measurePerArea, f.Name, f.Title.ZH+"密度", f.Title.EN+": per km²", unit+"/km²", unitEN+"/km²")
		add(measureMean, f.Name, f.Title.ZH+"平均", f.Title.EN+": mean", unit, unitEN)
		add(measurePerHead, f.Name, "人均"+f.Title.ZH, f.Title.EN+": per person", unit+"/人", unitEN+"/person")
	}
	return out
}

// levelWeights are the weights of the levels of a layer: as the indicator has them, else
// falling evenly with the ladder.
func (d *indicator) levelWeights(snap *registry.Snapshot) map[string]float64 {
	if len(d.Weights) > 0 {
		return d.Weights
	}
	k := 4
	if c, ok := snap.CodeLists[d.layer.Ladder]; ok && len(c.Items) > 0 {
		k = len(c.Items)
	}
	out := map[string]float64{}
	for l := 1; l <= k; l++ {
		out[fmt.Sprint(l)] = calc.LevelScore(l, k)
	}
	return out
}
