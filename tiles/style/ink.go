package style

import (
	"math"
	"strconv"
)

// inkOn answers black or white, whichever reads better on a colour (WCAG 2.2 contrast).
func inkOn(color string) string {
	if len(color) != 7 || color[0] != '#' {
		return "#FFFFFF"
	}
	channel := func(at int) float64 {
		n, err := strconv.ParseUint(color[at:at+2], 16, 8)
		if err != nil {
			return 0
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	luminance := 0.2126*channel(1) + 0.7152*channel(3) + 0.0722*channel(5)
	if 1.05/(luminance+0.05) >= (luminance+0.05)/0.05*0.62 {
		return "#FFFFFF"
	}
	return "#14181D"
}
