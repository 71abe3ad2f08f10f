package blobs_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/blobs"
)

// exif puts an orientation and a position into a JPEG, as a camera does.
func exif(b []byte, orientation byte) []byte {
	tiff := []byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00")
	tiff = append(tiff, orientation, 0, 0, 0, 0, 0, 0, 0)
	seg := append([]byte("Exif\x00\x00"), tiff...)
	seg = append(seg, "GPSPOSITION"...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, byte((len(seg)+2)>>8), byte(len(seg)+2))
	return append(append(out, seg...), b[2:]...)
}

// The small picture stands upright and knows nothing of where it was taken; the original
// keeps all of it.
func TestSmallPictures(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	// 400 x 200: the left half is red.
	img := image.NewRGBA(image.Rect(0, 0, 400, 200))
	for i := range 400 * 200 {
		c := color.RGBA{0, 0, 255, 255}
		if i%400 < 200 {
			c = color.RGBA{255, 0, 0, 255}
		}
		img.SetRGBA(i%400, i/400, c)
	}
	var b bytes.Buffer
	h.must(jpeg.Encode(&b, img, nil))
	// Where the red half is: of orientation 6 the camera stood on its side, and the picture
	// has to be turned clockwise.
	for o, want := range map[byte]string{1: "left", 2: "right", 3: "right", 4: "left", 5: "top", 6: "top", 7: "bottom", 8: "bottom"} {
		all := exif(b.Bytes(), o)
		_, err := h.send(who, all)
		h.must(err)
		p, err := h.s.Photo(t.Context(), who, name(all), 320)
		h.must(err)
		body, err := io.ReadAll(p.File)
		p.File.Close()
		h.must(err)
		if p.Type != "image/jpeg" || bytes.Contains(body, []byte("GPSPOSITION")) || bytes.Contains(body, []byte("Exif")) {
			t.Errorf("orientation %d: the small picture tells what the camera wrote", o)
		}
		small, err := jpeg.Decode(bytes.NewReader(body))
		h.must(err)
		w, ht := small.Bounds().Dx(), small.Bounds().Dy()
		if o < 5 && (w != 320 || ht != 160) || o >= 5 && (w != 160 || ht != 320) {
			t.Errorf("orientation %d: %d x %d", o, w, ht)
		}
		at := map[string]image.Point{"left": {10, ht / 2}, "right": {w - 10, ht / 2}, "top": {w / 2, 10}, "bottom": {w / 2, ht - 10}}
		for side, pt := range at {
			r, _, blue, _ := small.At(pt.X, pt.Y).RGBA()
			if side == want && (r < 0xc000 || blue > 0x4000) {
				t.Errorf("orientation %d: %s is not red", o, side)
			}
		}
		orig, err := h.s.Photo(t.Context(), who, name(all), 0)
		h.must(err)
		kept, err := io.ReadAll(orig.File)
		orig.File.Close()
		h.must(err)
		if !bytes.Equal(kept, all) {
			t.Errorf("orientation %d: the original was changed", o)
		}
	}
	_, err := h.s.Photo(t.Context(), who, name(b.Bytes()), 320)
	h.want(err, blobs.ErrAbsent)
	last := exif(b.Bytes(), 1)
	_, err = h.s.Photo(t.Context(), who, name(last), 77)
	h.want(err, blobs.ErrAbsent)

	b.Reset()
	h.must(png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 10, 20)))) // transparent
	_, err = h.send(who, b.Bytes())
	h.must(err)
	p, err := h.s.Photo(t.Context(), who, name(b.Bytes()), 1280)
	h.must(err)
	small, err := jpeg.Decode(p.File)
	p.File.Close()
	h.must(err)
	if r, _, _, _ := small.At(5, 5).RGBA(); small.Bounds().Dx() != 10 || r < 0xf000 {
		t.Error("a small transparent image is not itself on white")
	}
}

// A photo that was cut off on the phone is kept as it is: its hash is right. It has no
// small picture. So has one whose pixels would take too much memory.
func TestWithoutASmallPicture(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	cut := photo(14, 200)
	cut = cut[:len(cut)/2]
	progressive := jpegHeader(6000, 6000)
	progressive[9] = 0xc2
	for what, all := range map[string][]byte{"cut off": cut, "large in memory": progressive, "only a header": jpegHeader(100, 100), "WebP": webpHeader(10, 10, 10)} {
		_, err := h.send(who, all)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		p, err := h.s.Photo(t.Context(), who, name(all), 0)
		h.must(err)
		p.File.Close()
		for range 2 {
			_, err = h.s.Photo(t.Context(), who, name(all), 320)
			if !errors.Is(err, blobs.ErrPicture) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}
