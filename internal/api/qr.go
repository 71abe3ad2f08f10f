package api

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// qrSVG draws a text as a QR code of one path, black on white with the quiet zone of
// four modules the standard asks for (ISO/IEC 18004, 5.3.8).
func qrSVG(content string) (string, error) {
	code, err := qr.Encode(content, qr.M)
	if err != nil {
		return "", fmt.Errorf("qr code: %w", err)
	}
	const quiet = 4
	side := code.Size + 2*quiet
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="`, side, side, side, side)
	for y := range code.Size {
		for x := 0; x < code.Size; {
			if !code.Black(x, y) {
				x++
				continue
			}
			start := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			fmt.Fprintf(&out, "M%d %dh%dv1H%dz", start+quiet, y+quiet, x-start, start+quiet)
		}
	}
	out.WriteString(`"/></svg>`)
	return out.String(), nil
}
