package draw

// Colour is a colour as the screen shows it and, with Process, as ink: CMYK holds
// cyan, magenta, yellow and black from 0 to 1.
type Colour struct {
	R, G, B uint8
	CMYK    [4]float64
	Process bool
}

// RGB shows ink on screen, without a profile.
func RGB(ink [4]float64) (r, g, b uint8) {
	f := func(c float64) uint8 { return uint8((1-min(1, c))*(1-min(1, ink[3]))*255 + 0.5) }
	return f(ink[0]), f(ink[1]), f(ink[2])
}

// White and Black are the paper and the ink.
var (
	White = Colour{R: 255, G: 255, B: 255}
	Black = Colour{}
)

// Grey is a shade, 0 black to 255 white.
func Grey(v uint8) Colour { return Colour{R: v, G: v, B: v} }
