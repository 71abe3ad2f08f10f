package style

// A palette is the ground everything is drawn on. It recedes: no colour of it may be
// taken for data, and no warning colour appears in it.
type palette struct {
	land, water, line, text, halo, muted, rim, shadow string
	county, township, village                         string
	building, buildingLine                            string
	road, roadCasing, roadMinor                       string
	river                                             string
	accent, ring, past                                string
	fill                                              float64 // opacity of a risk fill
	dark                                              bool
}

var palettes = map[Theme]palette{
	Light: {
		land: "#F7F5EF", water: "#DFE9F2", line: "#C9CDD2", text: "#3B4148", halo: "#FFFFFF", muted: "#7B828A",
		rim: "#FFFFFF", shadow: "rgba(24,32,42,0.62)",
		county: "#6E747B", township: "#979DA4", village: "#C3C6C9",
		building: "#E9E5DB", buildingLine: "#D6D0C2",
		road: "#D9D4C6", roadCasing: "#C4BEAE", roadMinor: "#E2DED2",
		river: "#B4CDE0", accent: "#1F6FEB", ring: "#0E8F86", past: "#ECE9E2", fill: 0.34,
	},
	Dark: {
		land: "#15263A", water: "#0B1622", line: "#2C4A6B", text: "#C7D5E3", halo: "#0B1622", muted: "#8498AC",
		rim: "#FFFFFF", shadow: "rgba(0,0,0,0.85)",
		county: "#6F8CAB", township: "#4D6B8C", village: "#2F4A68",
		building: "#1D3249", buildingLine: "#29435F",
		road: "#34506F", roadCasing: "#1A2F47", roadMinor: "#243E5A",
		river: "#23517A", accent: "#5A9BFF", ring: "#2DD4C4", past: "#2C4058", fill: 0.40, dark: true,
	},
}

type pair struct{ light, dark string }

// hues are the colours of layers without a ladder, by layer, then by theme. They stay
// clear of red, orange, yellow and blue of the warnings.
var hues = map[string]pair{
	"hazards":               {"#8A5A2B", "#C08A52"},
	"hazard_areas":          {"#8C3F7E", "#C77DBA"},
	"dangers":               {"#7148A8", "#A98BE0"},
	"enterprises":           {"#3F5B7B", "#86A5C9"},
	"hazard_sources":        {"#2B3F63", "#7F9BD1"},
	"safety_contours":       {"#2B3F63", "#7F9BD1"},
	"zones":                 {"#7A6248", "#B89B78"},
	"shelters":              {"#2F7D5B", "#4FB68A"},
	"shelter_service_areas": {"#2F7D5B", "#4FB68A"},
	"teams":                 {"#2C6E73", "#5FB3B8"},
	"warehouses":            {"#5E6B4A", "#A3B487"},
	"sensors":               {"#4A6670", "#8FB0BB"},
	"warning_terminals":     {"#6A5F7A", "#A99CBD"},
	"incidents":             {"#5B6570", "#9FB0C2"},
	"alerts":                {"#5B6570", "#9FB0C2"},
	"incident_sketches":     {"#15803D", "#4ADE80"},
	"road_blocks":           {"#4A4F55", "#B4BEC9"},
	"facilities":            {"#6B6259", "#A89D91"},
	"key_places":            {"#5B5160", "#A596AD"},
	"waterworks":            {"#3C7A8C", "#6FB6CA"},
	"lifelines":             {"#7D6B8A", "#A58FB8"},
	"grids":                 {"#8A8F96", "#5E7C9B"},
	"population":            {"#6A5ACD", "#9C90E8"},
	"vulnerable":            {"#7A4B6B", "#C08FB0"},
}

var themeHues = map[string]pair{
	"events":      {"#5B6570", "#9FB0C2"},
	"dangers":     {"#7148A8", "#A98BE0"},
	"hazards":     {"#8A5A2B", "#C08A52"},
	"enterprises": {"#3F5B7B", "#86A5C9"},
	"zoning":      {"#7A6248", "#B89B78"},
	"relief":      {"#2F7D5B", "#4FB68A"},
	"exposure":    {"#6B6259", "#A89D91"},
	"admin":       {"#8A8F96", "#5E7C9B"},
}

// shapes name the silhouette of the sprite for every symbol of the catalogue that
// marks a place. Symbols outside (fill, line, density …) have no silhouette.
var shapes = map[string]string{
	"circle": "circle", "square": "square", "diamond": "diamond", "diamond_double": "diamond", "triangle": "triangle",
	"house": "house", "shield": "shield", "hexagon": "hexagon", "sensor": "hexagon", "octagon": "octagon", "block": "octagon",
	"pentagon": "pentagon", "terminal": "pentagon", "box": "box", "store": "box", "drop": "drop", "waterworks": "drop",
	"pin": "pin", "dot": "circle", "cross": "cross",
}

// shapeOf answers the silhouette of a layer and whether it has one. Point layers
// always do.
func shapeOf(l Layer) (string, bool) {
	if s, ok := shapes[l.Symbol]; ok {
		return s, true
	}
	return "circle", l.Geometry == Point
}

// symbolOnLines: a blocked road wants its sign; a levee does not want a row of them.
func symbolOnLines(l Layer) bool { return l.Symbol == "block" }

func (b *builder) pick(p pair) string {
	if b.pal.dark {
		return p.dark
	}
	return p.light
}

func (b *builder) defaultColor(l Layer) string {
	if p, ok := hues[l.ID]; ok {
		return b.pick(p)
	}
	if p, ok := themeHues[l.Theme]; ok {
		return b.pick(p)
	}
	return b.pick(pair{"#6B7280", "#9AA7B5"})
}

func (b *builder) stepColor(s Step) string {
	if b.pal.dark && s.ColorDark != "" {
		return s.ColorDark
	}
	return s.Color
}

// byLevel maps every level of the layer's ladder (or ladders) to a value.
func (b *builder) byLevel(l Layer, value func(Step) any, fallback any) any {
	if !l.has(l.LevelField) {
		return fallback
	}
	one := func(name string) any {
		ladder, ok := b.in.Ladders[name]
		if !ok || len(ladder.Steps) == 0 {
			return fallback
		}
		match := []any{"match", []any{"to-number", []any{"get", l.LevelField}, -1}}
		for _, s := range ladder.Steps {
			match = append(match, s.Level, value(s))
		}
		return append(match, fallback)
	}
	if l.LadderBy != nil && l.has(l.LadderBy.Field) {
		match := []any{"match", []any{"to-string", []any{"get", l.LadderBy.Field}}}
		for _, key := range sortedKeys(l.LadderBy.Map) {
			match = append(match, key, one(l.LadderBy.Map[key]))
		}
		if len(match) == 2 {
			return fallback
		}
		return append(match, one(l.Ladder))
	}
	return one(l.Ladder)
}

func (b *builder) levelColor(l Layer) any {
	return b.byLevel(l, func(s Step) any { return b.stepColor(s) }, b.defaultColor(l))
}
