package wmts

import (
	"image"
	"image/draw"
	"math"
)

const tileSize = 256

// rows says, for a tile of the w grid, which rows of tiles of the c grid it needs (of the
// same zoom: columns are the same, as both grids divide 360° by 2^z) and, for the middle
// of each of its pixel rows, where in that stack of tiles it lies, in pixels from the top.
func rows(z, y int) (first, last int, at [tileSize]float64) {
	perTile := 360 / math.Exp2(float64(z))
	for i := range at {
		// The latitude of the middle of the row: the inverse of the Mercator projection.
		v := (float64(y) + (float64(i)+0.5)/tileSize) / math.Exp2(float64(z))
		lat := math.Atan(math.Sinh(math.Pi*(1-2*v))) * 180 / math.Pi
		at[i] = (90 - lat) / perTile * tileSize
	}
	most := 1<<(z-1) - 1
	first = min(max(int(math.Floor((at[0]-0.5)/tileSize)), 0), most)
	last = min(max(int(math.Floor((at[tileSize-1]+0.5)/tileSize)), 0), most)
	for i := range at {
		at[i] -= float64(first) * tileSize
	}
	return first, last, at
}

// warp draws a tile of the w grid from a stack of tiles of the c grid, top first; a nil
// tile stays empty. Only rows are resampled, between the two nearest.
func warp(stack []image.Image, at [tileSize]float64) *image.NRGBA {
	flat := image.NewNRGBA(image.Rect(0, 0, tileSize, tileSize*len(stack)))
	for i, img := range stack {
		if img != nil {
			draw.Draw(flat, image.Rect(0, i*tileSize, tileSize, (i+1)*tileSize), img, img.Bounds().Min, draw.Src)
		}
	}
	out := image.NewNRGBA(image.Rect(0, 0, tileSize, tileSize))
	most := tileSize*len(stack) - 1
	for i, row := range at {
		top := math.Floor(row - 0.5)
		w := uint32((row - 0.5 - top) * 256)
		a, b := min(max(int(top), 0), most), min(max(int(top)+1, 0), most)
		up, down := flat.Pix[a*flat.Stride:], flat.Pix[b*flat.Stride:]
		to := out.Pix[i*out.Stride : (i+1)*out.Stride]
		for j := range to {
			to[j] = uint8((uint32(up[j])*(256-w) + uint32(down[j])*w) >> 8)
		}
	}
	return out
}
