package style

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func catalogue() Input {
	fields := []string{"name", "level", "kind", "state", "rank", "class", "population"}
	layer := func(id, theme, geometry, symbol string) Layer {
		return Layer{ID: id, Theme: theme, Geometry: geometry, Symbol: symbol, LabelField: "name", LevelField: "level", KindField: "kind",
			MinZoom: 5, MaxZoom: 16, DefaultVisible: true, TileFields: fields}
	}
	with := func(l Layer, ladder string) Layer { l.Ladder = ladder; return l }
	zones := layer("zones", "zoning", Polygon, "fill")
	zones.LadderBy = &LadderBy{Field: "kind", Map: map[string]string{"risk": "risk_2", "prevention": "prevention_2"}}
	foreign := Layer{ID: "wells", Theme: "exposure", Geometry: Point, Symbol: "circle", MinZoom: 8, MaxZoom: 16}
	return Input{
		Layers: []Layer{
			with(layer("incidents", "events", Mixed, "circle"), "warning_2"), with(layer("alerts", "events", Polygon, "fill"), "warning_2"),
			layer("incident_sketches", "events", Mixed, "sketch"), with(layer("hazard_areas", "hazards", Polygon, "fill"), "risk_2"), zones,
			layer("shelters", "relief", Mixed, "house"), layer("population", "exposure", Polygon, "density"), layer("buildings", "exposure", Mixed, "building"),
			layer("roads", "exposure", Line, "road"), layer("rivers", "exposure", Mixed, "water"), layer("lifelines", "exposure", Mixed, "lifeline"),
			layer("admin", "admin", Polygon, "boundary"), layer("grids", "admin", Polygon, "grid"), foreign,
		},
		Ladders: map[string]Ladder{
			"warning_2":    {Steps: []Step{{1, "红", "红", "#B3001B", "#ED3B5C", "cross"}, {2, "橙", "橙", "#F58518", "#F0A135", "plain"}}},
			"risk_2":       {Steps: []Step{{1, "高", "高", "#4A2378", "#D9BEFF", "cross"}, {2, "低", "低", "#E9E1F2", "#413A66", "dots"}}},
			"prevention_2": {Steps: []Step{{1, "重点", "重", "#0B5D5B", "#7FE0DA", "cross"}, {2, "一般", "般", "#A9D5D2", "#26635F", "plain"}}},
		},
	}
}

type document struct {
	Version int
	Sprite  string
	Glyphs  *string
	Sources map[string]struct {
		Tiles            []string
		Minzoom, Maxzoom int
	}
	Layers []struct {
		ID, Type, Source string
		SourceLayer      string `json:"source-layer"`
		Minzoom, Maxzoom float64
		Metadata         map[string]any
		Layout, Paint    map[string]any
		Filter           any
	}
	Metadata map[string]any
}

func build(t *testing.T, theme Theme) (document, []byte) {
	t.Helper()
	body, err := Build(catalogue(), Options{Theme: theme, Language: "zh-CN", BaseURL: "https://example.test"})
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	return doc, body
}

func TestEveryLayerIsDrawnFromItsOwnSource(t *testing.T) {
	for _, theme := range []Theme{Light, Dark} {
		doc, _ := build(t, theme)
		if doc.Version != 8 || doc.Glyphs != nil || doc.Sprite != "https://example.test/sprite" {
			t.Errorf("head: %d %v %q", doc.Version, doc.Glyphs, doc.Sprite)
		}
		ids := map[string]bool{}
		drawn := map[string]int{}
		last := -1.0
		for _, l := range doc.Layers {
			if ids[l.ID] {
				t.Errorf("id %s twice", l.ID)
			}
			ids[l.ID] = true
			slot, ok := l.Metadata["onemap:slot"].(float64)
			if !ok || slot < last {
				t.Errorf("%s: slot %v after %v", l.ID, slot, last)
			}
			last = slot
			if strings.HasPrefix(l.ID, "base/") {
				continue
			}
			if l.Metadata["onemap:layer"] != l.Source || l.SourceLayer != l.Source || l.Metadata["onemap:part"] == "" {
				t.Errorf("%s: source %q, source-layer %q, metadata %v", l.ID, l.Source, l.SourceLayer, l.Metadata)
			}
			if l.Minzoom < 5 {
				t.Errorf("%s is drawn from z%v, before its layer", l.ID, l.Minzoom)
			}
			drawn[l.Source]++
		}
		legend, _ := doc.Metadata["onemap:legend"].(map[string]any)
		for _, l := range catalogue().Layers {
			if drawn[l.ID] == 0 || legend[l.ID] == nil {
				t.Errorf("%s: drawn %d times, legend %v", l.ID, drawn[l.ID], legend[l.ID])
			}
			src := doc.Sources[l.ID]
			if len(src.Tiles) != 1 || src.Tiles[0] != "https://example.test/tiles/"+l.ID+"/{z}/{x}/{y}.mvt" || src.Maxzoom != l.MaxZoom {
				t.Errorf("%s: source %+v", l.ID, src)
			}
		}
	}
}

// Symbols above labels: MapLibre places from the top down, so no label covers a symbol.
func TestSymbolsTakeTheirRoomBeforeLabels(t *testing.T) {
	doc, _ := build(t, Light)
	lowestSymbol, highestLabel := len(doc.Layers), -1
	for i, l := range doc.Layers {
		if l.Layout["text-field"] != nil {
			highestLabel = max(highestLabel, i)
		}
		if l.Layout["icon-image"] != nil {
			lowestSymbol = min(lowestSymbol, i)
		}
	}
	if highestLabel > lowestSymbol {
		t.Errorf("label %s lies above symbol %s", doc.Layers[highestLabel].ID, doc.Layers[lowestSymbol].ID)
	}
}

func TestColoursOfLevelsAreTheLaddersAndNeverMixed(t *testing.T) {
	for theme, want := range map[Theme][]string{
		Light: {"#4A2378", "#0B5D5B", "#B3001B"}, Dark: {"#D9BEFF", "#7FE0DA", "#ED3B5C"},
	} {
		doc, _ := build(t, theme)
		for _, l := range doc.Layers {
			text, _ := json.Marshal(l.Paint)
			has := func(i int) bool { return bytes.Contains(text, []byte(want[i])) }
			switch l.ID {
			case "zones/fill":
				if !has(0) || !has(1) || has(2) {
					t.Errorf("%s %s: %s", theme, l.ID, text)
				}
			case "incidents/symbol", "alerts/fill":
				if has(0) || has(1) || !has(2) {
					t.Errorf("%s %s: %s", theme, l.ID, text)
				}
			}
		}
	}
}

func TestOwnColoursAreNoWarningColours(t *testing.T) {
	warning := []string{"#B3001B", "#F58518", "#FFE14D", "#1F6FD1", "#ED3B5C", "#F0A135", "#FFE066", "#2982F3"}
	for name, table := range map[string]map[string]pair{"layer": hues, "theme": themeHues} {
		for id, p := range table {
			for _, c := range warning {
				if strings.EqualFold(p.light, c) || strings.EqualFold(p.dark, c) {
					t.Errorf("%s %s wears the warning colour %s", name, id, c)
				}
			}
		}
	}
}

func TestSitesAreSymbolsFromAfarAndAreasNearBy(t *testing.T) {
	doc, _ := build(t, Light)
	for _, l := range doc.Layers {
		switch l.ID {
		case "shelters/base":
			if l.Filter == nil || l.Minzoom != 5 {
				t.Errorf("%s: filter %v from z%v", l.ID, l.Filter, l.Minzoom)
			}
			if text := fmt.Sprint(l.Filter); strings.Contains(text, "Point") {
				t.Errorf("sites drawn as areas have no symbol: %s", text)
			}
		case "shelters/fill", "shelters/outline":
			if l.Minzoom < siteZoom {
				t.Errorf("%s from z%v", l.ID, l.Minzoom)
			}
		}
	}
}

func TestAPublishedTableNeedsNothingButAGeometry(t *testing.T) {
	doc, _ := build(t, Light)
	var parts []string
	for _, l := range doc.Layers {
		if l.Source == "wells" {
			parts = append(parts, l.ID)
		}
	}
	if !slices.Equal(parts, []string{"wells/base", "wells/symbol", "wells/glyph"}) {
		t.Errorf("wells is drawn as %v", parts)
	}
}

func TestHiddenLayersStayHidden(t *testing.T) {
	in := catalogue()
	for i := range in.Layers {
		in.Layers[i].DefaultVisible = false
	}
	body, err := Build(in, Options{Theme: Light})
	if err != nil {
		t.Fatal(err)
	}
	var doc document
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	for _, l := range doc.Layers {
		if !strings.HasPrefix(l.ID, "base/") && l.Layout["visibility"] != "none" {
			t.Errorf("%s is visible", l.ID)
		}
	}
}

func TestSameInputSameBytes(t *testing.T) {
	_, first := build(t, Dark)
	for range 20 {
		if _, again := build(t, Dark); !bytes.Equal(first, again) {
			t.Fatal("two builds differ")
		}
	}
}

func TestBuildRefusesNonsense(t *testing.T) {
	if _, err := Build(catalogue(), Options{Theme: "sepia"}); err == nil {
		t.Error("an unknown theme was accepted")
	}
	if _, err := Build(Input{Layers: []Layer{{}}}, Options{Theme: Light}); err == nil {
		t.Error("a layer without id was accepted")
	}
}

func TestInkReadsOnEveryLevel(t *testing.T) {
	for color, want := range map[string]string{"#B3001B": "#FFFFFF", "#FFE14D": "#14181D", "#1F6FD1": "#FFFFFF", "#000000": "#FFFFFF", "#FFFFFF": "#14181D", "red": "#FFFFFF"} {
		if got := inkOn(color); got != want {
			t.Errorf("ink on %s is %s", color, got)
		}
	}
}
