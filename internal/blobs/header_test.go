package blobs

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"testing"
)

func TestHeaderIsWhatTheDecoderSays(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 31, 17))
	var j, p bytes.Buffer
	if err := jpeg.Encode(&j, img, nil); err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(&p, img); err != nil {
		t.Fatal(err)
	}
	for want, b := range map[string][]byte{typeJPEG: j.Bytes(), typePNG: p.Bytes()} {
		h, err := readHeader(bytes.NewReader(b), int64(len(b)))
		if err != nil || h.mime != want || h.width != 31 || h.height != 17 || h.orientation != 1 {
			t.Errorf("%s: %+v, %v", want, h, err)
		}
	}
}

// FuzzHeader: whatever the bytes, no panic, no size that is none; and what the decoder
// reads as an image is of the size the header was said to have.
func FuzzHeader(f *testing.F) {
	img := image.NewRGBA(image.Rect(0, 0, 3, 2))
	var j, p bytes.Buffer
	if jpeg.Encode(&j, img, nil) != nil || png.Encode(&p, img) != nil {
		f.Fatal("encode")
	}
	f.Add(j.Bytes())
	f.Add(p.Bytes())
	f.Add([]byte("RIFF\x40\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00EXIF\x06\x00\x00\x00II*\x00\x08\x00"))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if h.width <= 0 || h.height <= 0 || h.orientation < 1 || h.orientation > 8 || h.mime == "" || h.decoded < 0 {
			t.Fatalf("%+v", h)
		}
		if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && h.mime != typeWebP && int64(c.Width)*int64(c.Height) > h.pixels() {
			t.Fatalf("%+v, the decoder says %d x %d", h, c.Width, c.Height)
		}
	})
}
