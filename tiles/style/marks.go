package style

// areaSlots put filled layers above or below each other by what they mean.
func areaSlot(l Layer) int {
	switch l.Theme {
	case "zoning", "exposure", "admin", "relief":
		return slotFill
	}
	return slotArea
}

func dashOf(l Layer) []any {
	switch l.ID {
	case "incident_sketches":
		return []any{3, 2}
	case "safety_contours":
		return []any{4, 2}
	case "shelter_service_areas":
		return []any{2, 2}
	case "lifelines":
		return []any{6, 2, 1, 2}
	}
	return nil
}

// quiet layers are ranges around something: a faint fill, a clear edge.
func quiet(l Layer) bool {
	return l.ID == "shelter_service_areas" || l.ID == "safety_contours" || l.ID == "incident_sketches"
}

func all(filters ...any) any {
	out := []any{"all"}
	for _, f := range filters {
		if f != nil {
			out = append(out, f)
		}
	}
	switch len(out) {
	case 1:
		return nil
	case 2:
		return out[1]
	}
	return out
}

func withFilter(body object, filter any) object {
	if filter != nil {
		body["filter"] = filter
	}
	return body
}

// hovered reads what the web map says about one feature.
func hovered(yes, no any) any {
	return []any{"case", []any{"boolean", []any{"feature-state", "hover"}, false}, yes, no}
}

// area is a translucent fill, a texture that tells levels apart without colour, and a
// full-colour line inside the edge, so that neighbours keep their own outline.
func (b *builder) area(l Layer, rank int, color, filter any, from int) {
	slot := areaSlot(l)
	opacity := b.areaOpacity(l)
	b.add(slot, rank, l, "fill", withFilter(object{
		"type": "fill", "minzoom": from,
		"paint": object{"fill-color": color, "fill-opacity": b.nearer(l, hovered([]any{"+", 0.12, opacity}, opacity)), "fill-antialias": false},
	}, filter))
	if b.hasTexture(l) {
		suffix := ""
		if b.pal.dark {
			suffix = "-dark"
		}
		texture := b.byLevel(l, func(s Step) any {
			if s.Texture == "" || s.Texture == "plain" {
				return ""
			}
			return "tx-" + s.Texture + suffix
		}, "")
		b.add(slot, rank, l, "texture", withFilter(object{
			"type": "fill", "minzoom": from, "paint": object{"fill-pattern": texture, "fill-opacity": 0.55},
		}, all(filter, []any{"!=", texture, ""})))
	}
	outline := object{
		"line-color": color, "line-width": zoomed(8, 0.8, 12, 1.6, 16, 2.2),
		"line-offset": zoomed(8, 0.4, 12, 0.8, 16, 1.1), "line-opacity": hovered(1, 0.95),
	}
	if l.Theme == "hazards" {
		// Hundreds of them lie over each other: from afar the edges would be all one sees.
		outline["line-width"] = zoomed(9, 0.2, 11, 0.5, 13, 1.3, 16, 2)
		outline["line-opacity"] = hovered(1, b.byLevel(l, func(s Step) any { return []float64{0.9, 0.7, 0.5, 0.4}[min(s.Level, 4)-1] }, 0.7))
	}
	if dash := dashOf(l); dash != nil {
		outline["line-dasharray"] = dash
		outline["line-offset"] = 0
	}
	if l.Theme == "hazards" {
		from = max(from, 11)
	}
	b.add(slot, rank, l, "outline", withFilter(object{
		"type": "line", "minzoom": from, "layout": object{"line-join": "round"}, "paint": outline,
	}, filter))
}

// areaOpacity: zones tile the land and carry the map's message; ranges around something
// are faint; hazard areas pile up, so the mild ones step back and the worst stay.
func (b *builder) areaOpacity(l Layer) any {
	switch {
	case quiet(l):
		return 0.10
	case l.Theme == "events":
		return b.pal.fill * 0.62
	case l.Theme == "hazards":
		return b.byLevel(l, func(s Step) any { return []float64{0.26, 0.18, 0.10, 0.06}[min(s.Level, 4)-1] }, 0.2)
	}
	return b.pal.fill
}

// nearer thins what covers whole towns as one comes closer: inside a warning the tint
// says nothing any more, and everything else must stay readable.
func (b *builder) nearer(l Layer, opacity any) any {
	if l.Theme != "events" || quiet(l) {
		return opacity
	}
	return zoomed(10, opacity, 14, []any{"*", 0.35, opacity})
}

func (b *builder) hasTexture(l Layer) bool {
	if !l.has(l.LevelField) {
		return false
	}
	names := []string{l.Ladder}
	if l.LadderBy != nil {
		for _, key := range sortedKeys(l.LadderBy.Map) {
			names = append(names, l.LadderBy.Map[key])
		}
	}
	for _, name := range names {
		for _, s := range b.in.Ladders[name].Steps {
			if s.Texture != "" && s.Texture != "plain" {
				return true
			}
		}
	}
	return false
}

// areaLabel is drawn by our own page at places it finds itself (part "area-label"):
// MapLibre would repeat the label in every tile an area touches.
func (b *builder) areaLabel(l Layer, rank int, filter any) {
	if !l.has(l.LabelField) {
		return
	}
	b.add(slotLabel, rank, l, "area-label", withFilter(object{
		"type": "symbol", "minzoom": max(12, l.MinZoom),
		"layout": object{
			"text-field": []any{"get", l.LabelField}, "text-font": fonts, "text-size": 12,
			"text-padding": 4, "text-max-width": 9, "symbol-sort-key": b.sortKey(l),
		},
		"paint": object{"text-color": b.pal.text, "text-halo-color": b.pal.halo, "text-halo-width": 1.5},
	}, filter))
}

func (b *builder) line(l Layer, rank int, color, filter any) {
	b.add(slotLine, rank, l, "line-casing", withFilter(object{
		"type": "line", "layout": object{"line-join": "round", "line-cap": "butt"},
		"paint": object{"line-color": b.pal.halo, "line-opacity": 0.7, "line-width": zoomed(8, 2, 12, 3.6, 16, 6)},
	}, filter))
	paint := object{"line-color": color, "line-width": zoomed(8, 1, 12, 2, 16, 3.6), "line-opacity": hovered(1, 0.9)}
	if dash := dashOf(l); dash != nil {
		paint["line-dasharray"] = dash
	}
	b.add(slotLine, rank, l, "line", withFilter(object{
		"type": "line", "layout": object{"line-join": "round", "line-cap": "butt"}, "paint": paint,
	}, filter))
}

func (b *builder) lineLabel(l Layer, rank int, filter any) {
	if !l.has(l.LabelField) {
		return
	}
	b.add(slotLabel, rank, l, "line-label", withFilter(object{
		"type": "symbol", "minzoom": max(13, l.MinZoom),
		"layout": object{
			"symbol-placement": "line", "text-field": []any{"get", l.LabelField}, "text-font": fonts,
			"text-size": 11, "symbol-spacing": 320,
		},
		"paint": object{"text-color": b.pal.muted, "text-halo-color": b.pal.halo, "text-halo-width": 1.4},
	}, filter))
}

// sortKey keeps the worst when labels fight for room.
func (b *builder) sortKey(l Layer) any {
	if l.has(l.LevelField) {
		return []any{"to-number", []any{"get", l.LevelField}, 9}
	}
	return 9
}

// worstOnTop draws severe symbols last. A smaller level is worse, and a larger key is
// drawn later.
func (b *builder) worstOnTop(l Layer) any {
	if l.has(l.LevelField) {
		return []any{"-", 0, []any{"to-number", []any{"get", l.LevelField}, 9}}
	}
	return 0
}

// pointSize grows with zoom and with severity.
func (b *builder) pointSize(l Layer, scale float64) any {
	factor := func(base float64) any {
		if !l.has(l.LevelField) || (l.Ladder == "" && l.LadderBy == nil) {
			return base
		}
		return []any{"match", []any{"to-number", []any{"get", l.LevelField}, 9},
			1, base * 1.28, 2, base * 1.12, 3, base, base * 0.9}
	}
	return zoomed(8, factor(0.34*scale), 11, factor(0.52*scale), 13, factor(0.72*scale), 16, factor(0.92*scale))
}

// importance scales a layer among others: incidents first, background things last.
func importance(l Layer) float64 {
	switch l.Theme {
	case "events":
		return 1.12
	case "exposure":
		return 0.74
	}
	switch l.Symbol {
	case "dot":
		return 0.6
	case "sensor", "terminal", "waterworks":
		return 0.78
	case "diamond_double":
		return 1.06
	}
	return 0.94
}

// point is a white silhouette with a dark halo, the coloured inside, a pictogram from
// z13, and a label that gives way to every symbol.
func (b *builder) point(l Layer, rank int, shape string, color, filter any) {
	slot := slotPoint
	if l.Theme == "events" {
		slot = slotIncident
	}
	scale := importance(l)
	size := func() any { return b.pointSize(l, scale) }
	key := b.worstOnTop(l)
	b.add(slot, rank, l, "base", withFilter(object{
		"type": "symbol",
		"layout": object{
			"icon-image": "s-" + shape, "icon-size": size(), "icon-allow-overlap": true, "icon-padding": 0, "symbol-sort-key": key,
		},
		"paint": object{
			"icon-color":      hovered(b.pal.accent, b.byState(l, b.pal.rim, b.pal.rim, b.pal.past)),
			"icon-halo-color": b.byState(l, b.pal.shadow, b.pal.ring, b.pal.shadow),
			"icon-halo-width": b.byState(l, 0.9, 2, 0.9), "icon-halo-blur": b.byState(l, 0.6, 0, 0.6),
			"icon-opacity": b.byState(l, 1, 1, faded),
		},
	}, filter))
	b.add(slot, rank, l, "symbol", withFilter(object{
		"type": "symbol",
		"layout": object{
			"icon-image": "f-" + shape, "icon-size": size(), "icon-allow-overlap": true, "icon-ignore-placement": true, "symbol-sort-key": key,
		},
		"paint": object{"icon-color": color, "icon-opacity": b.byState(l, 1, 1, faded)},
	}, filter))
	glyph := []any{"image", "g-layer-" + l.ID}
	var image any = glyph
	if l.has(l.KindField) {
		image = []any{"coalesce", []any{"image", []any{"concat", "g-", []any{"to-string", []any{"get", l.KindField}}}}, glyph}
	}
	b.add(slot, rank, l, "glyph", withFilter(object{
		"type": "symbol", "minzoom": max(13, l.MinZoom),
		"layout": object{
			"icon-image": image, "icon-allow-overlap": true, "icon-ignore-placement": true, "symbol-sort-key": key,
			"icon-size": zoomed(13, 0.42*scale, 16, 0.56*scale), "icon-offset": glyphOffset(shape),
		},
		"paint": object{
			"icon-color":   b.byLevel(l, func(s Step) any { return inkOn(b.stepColor(s)) }, inkOn(b.defaultColor(l))),
			"icon-opacity": b.byState(l, 1, 1, faded),
		},
	}, filter))
	if l.has(l.LabelField) {
		b.add(slotLabel, rank, l, "point-label", withFilter(object{
			"type": "symbol", "minzoom": max(14, l.MinZoom),
			"layout": object{
				"text-field": []any{"get", l.LabelField}, "text-font": fonts, "text-size": 12, "text-max-width": 9,
				"text-variable-anchor": []any{"top", "right", "left", "bottom"}, "text-radial-offset": 1.75, "text-justify": "auto",
				"text-padding": 3, "symbol-sort-key": b.sortKey(l),
			},
			"paint": object{
				"text-color": b.pal.text, "text-halo-color": b.pal.halo, "text-halo-width": 1.6,
			},
		}, filter))
	}
}

// faded is how much of a settled thing is left to see.
const faded = 0.55

// activeStates are those somebody is at work in: the symbol wears a ring. In
// settledStates nothing is expected any more: the symbol fades.
var (
	activeStates  = []string{"responding", "open", "full", "dispatched", "on_site", "warning"}
	settledStates = []string{"closed", "archived", "removed", "rejected", "cancelled", "expired", "updated", "disabled", "no_data", "offline", "reopened"}
)

// byState picks by the field "state". A shelter that is closed waits to be opened; it
// is not settled.
func (b *builder) byState(l Layer, usual, active, settled any) any {
	if !l.has("state") || len(l.TileFields) == 0 {
		return usual
	}
	gone := settledStates
	if l.ID == "shelters" {
		gone = settledStates[1:]
	}
	return []any{"match", []any{"to-string", []any{"get", "state"}}, activeStates, active, gone, settled, usual}
}

// glyphOffset moves the pictogram to the optical middle of its silhouette.
func glyphOffset(shape string) []any {
	switch shape {
	case "triangle":
		return []any{0, 5}
	case "house":
		return []any{0, 2.5}
	case "pentagon":
		return []any{0, 1}
	case "drop":
		return []any{0, 3}
	}
	return []any{0, 0}
}
