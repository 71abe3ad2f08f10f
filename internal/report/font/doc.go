// Package font reads TrueType outlines, cuts a font down to the glyphs that are used,
// and holds the font every sheet is set in.
//
// It owns the little of the format that paper needs: cmap, hmtx, loca, glyf. Hinting is
// left out; paper and a 300 dpi picture do without. It imports nothing of ours.
//
// The embedded font is WenQuanYi Micro Hei (Apache License 2.0, see LICENSE.wqy.txt)
// reduced by scripts/font.sh to the characters of GBK, Latin, Greek, Cyrillic, signs,
// arrows and enclosed numbers.
//
// Invariants: no input makes Parse, Outline or Subset panic or loop; a subset draws the
// very outlines of its source; equal input gives equal bytes.
package font
