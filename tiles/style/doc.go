// Package style turns the layer catalogue into the MapLibre style of the one map: one
// vector source per layer, drawn from the bottom up as base, area fills, lines,
// boundaries, labels, points. Everything comes from the catalogue (geometry, symbol,
// ladder, level, kind and label fields), so a published foreign table is drawn
// without a line of code; only what is the ground of every map (boundaries, roads,
// water, buildings) has drawings of its own.
//
// It owns no data and no I/O and imports nothing of ours.
//
// Invariants: colours of levels are the ladder's, never chosen here; a colour chosen
// here for a layer without a ladder is never one of the warning colours; every layer
// of the document that shows data carries metadata "onemap:layer", "onemap:part" and
// "onemap:slot", on which the web map relies to switch, filter, fade and reorder; the
// same input gives the same bytes. There is no "glyphs": clients draw text with fonts
// of their own.
package style
