// Package draw holds a drawing as a display list and writes it as a PDF or as pixels.
//
// It owns the list, the two back ends and nothing of what is drawn. Lengths are
// millimetres of paper, from the top left corner, y downwards. It imports package font.
//
// Invariants: both back ends draw every operation of the list; ink given as CMYK stays
// DeviceCMYK with the same numbers in the PDF; text in a PDF is text, in the embedded
// subset, once per label; equal lists give equal bytes.
package draw
