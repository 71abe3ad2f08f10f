package blobs

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// Sizes are the small pictures there are: the longer side in pixels.
func Sizes() []int { return []int{320, 1280} }

const (
	// maxDecoded bounds the memory one small picture takes while it is made.
	maxDecoded  = 320 << 20
	jpegQuality = 82
)

// picture opens the small picture of a photo, and makes it first where there is none yet.
func (s *Service) picture(ctx context.Context, name string, size int) (*Photo, error) {
	if !slices.Contains(Sizes(), size) {
		return nil, ErrAbsent
	}
	path := s.final(name) + "." + strconv.Itoa(size) + ".jpg"
	if p, err := openPicture(path); err == nil || !errors.Is(err, os.ErrNotExist) {
		return p, err
	}
	// Of many who want it one makes it, and does not stop when he leaves.
	made := s.small.DoChan(path, func() (any, error) { return nil, s.draw(context.WithoutCancel(ctx), name, path, size) })
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-made:
		if r.Err != nil {
			return nil, r.Err
		}
	}
	return openPicture(path)
}

func openPicture(path string) (*Photo, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("blobs: %w", err)
	}
	return &Photo{File: f, Size: info.Size(), Type: typeJPEG}, nil
}

// draw makes a small picture beside the original: upright, without what the camera wrote
// into it. A photo that cannot be decoded (cut off, broken inside, too large in memory)
// has none.
func (s *Service) draw(ctx context.Context, name, path string, size int) (err error) {
	select {
	case s.drawing <- struct{}{}:
		defer func() { <-s.drawing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() {
		// The decoders are fed with strangers' bytes.
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", ErrPicture, v)
		}
	}()
	f, err := os.Open(s.final(name))
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	h, err := readHeader(f, info.Size())
	if err != nil || h.decoded > maxDecoded || h.pixels() > MaxPixels {
		return ErrPicture
	}
	img, err := decode(f, h.mime)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrPicture, err) //nolint:errorlint // the decoder's words are for the log
	}
	out := upright(shrink(img, size), h.orientation)
	if err := s.room(); err != nil {
		return err
	}
	return writePicture(filepath.Join(s.opts.Dir, incomingDir), path, out)
}

func decode(r io.Reader, mime string) (image.Image, error) {
	switch mime {
	case typeJPEG:
		return jpeg.Decode(r)
	case typePNG:
		return png.Decode(r)
	}
	return webp.Decode(r)
}

// shrink scales an image down so that its longer side is size, on white where it is
// transparent. Smaller ones keep their size.
func shrink(img image.Image, size int) *image.RGBA {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	if long := max(w, h); long > size {
		w, h = max(1, (w*size+long/2)/long), max(1, (h*size+long/2)/long)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.BiLinear.Scale(out, out.Bounds(), img, b, draw.Over, nil)
	return out
}

// upright turns and mirrors as EXIF orientation o asks for.
func upright(img *image.RGBA, o int) *image.RGBA {
	if o <= 1 || o > 8 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	ow, oh := w, h
	if o >= 5 {
		ow, oh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, ow, oh))
	for y := range oh {
		for x := range ow {
			var sx, sy int
			switch o {
			case 2:
				sx, sy = w-1-x, y
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sx, sy = x, h-1-y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			out.SetRGBA(x, y, img.RGBAAt(sx, sy))
		}
	}
	return out
}

// writePicture makes the file where the sweep looks, should the process end here.
func writePicture(dir, path string, img image.Image) error {
	f, err := os.CreateTemp(dir, "small-")
	if err != nil {
		return diskError(err)
	}
	err = jpeg.Encode(f, img, &jpeg.Options{Quality: jpegQuality})
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return diskError(err)
	}
	return nil
}
