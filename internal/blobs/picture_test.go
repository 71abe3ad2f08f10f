package blobs

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"
)

// FuzzPicture: of whatever passes for an image the small picture is made, of the size that
// was asked for, or it is refused; the store's own part of it never breaks.
func FuzzPicture(f *testing.F) {
	img := image.NewRGBA(image.Rect(0, 0, 9, 4))
	img.Set(3, 2, color.White)
	var j, p bytes.Buffer
	if jpeg.Encode(&j, img, nil) != nil || png.Encode(&p, img) != nil {
		f.Fatal("encode")
	}
	f.Add(j.Bytes())
	f.Add(p.Bytes())
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(bytes.NewReader(b), int64(len(b)))
		if err != nil || h.decoded > 8<<20 {
			return
		}
		var img image.Image
		func() {
			defer func() { _ = recover() }() // the decoders are strangers; draw has the same net
			img, err = decode(bytes.NewReader(b), h.mime)
		}()
		if err != nil || img == nil {
			return
		}
		small := upright(shrink(img, 16), h.orientation)
		if w, ht := small.Rect.Dx(), small.Rect.Dy(); w < 1 || ht < 1 || w > 16 || ht > 16 {
			t.Fatalf("%d x %d of %v", w, ht, img.Bounds())
		}
	})
}
