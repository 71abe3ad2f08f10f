package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/blobs"
	"onemap/internal/db"
)

// picture is a JPEG that tells itself apart by its grey, and its hash.
func picture(grey uint8, side int, text string) (body []byte, name string) {
	img := image.NewGray(image.Rect(0, 0, side, side))
	for i := range img.Pix {
		img.Pix[i] = color.Gray{Y: grey}.Y + uint8(i%side)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	// What is behind the end of the image is part of the file, and no part of a small one.
	body = append(b.Bytes(), text...)
	sum := sha256.Sum256(body)
	return body, hex.EncodeToString(sum[:])
}

// photo puts a photo into the house as a person would send it.
func (e *env) photo(by auth.By, body []byte, name string) {
	e.t.Helper()
	f, err := e.opts.Blobs.Incoming()
	if err == nil {
		_, err = f.Write(body)
		_ = f.Close()
		defer os.Remove(f.Name())
	}
	if err == nil {
		_, err = e.opts.Blobs.Put(e.t.Context(), by.Identity, blobs.Piece{SHA256: name, Length: int64(len(body)), Path: f.Name(), Size: int64(len(body))})
	}
	if err != nil {
		e.t.Fatalf("photo: %v", err)
	}
}

// refer makes a record refer to a photo.
func (e *env) refer(by auth.By, name, layer, id string) {
	e.t.Helper()
	err := e.db.Intake.Tx(e.t.Context(), by.Writing(by.Grants[0]), func(tx pgx.Tx) error {
		return e.opts.Blobs.Refer(e.t.Context(), tx, by, []string{name}, layer, id, "test", by.Grants[0].Scope())
	})
	if err != nil {
		e.t.Fatalf("refer: %v", err)
	}
}

const noPhoto = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// photos puts one photo of a hazard into each county, brought by officers nobody asks as
// but the widest.
func (w *world) photos() {
	for i, c := range []struct {
		by   who
		item string
		name *string
	}{{w.wide, w.ownItem, &w.ownPhoto}, {w.foreign, w.otherItem, &w.otherPhoto}} {
		tag := "QZPHOTO" + string(rune('1'+i)) + "x"
		body, name := picture(uint8(40+i), 24, tag)
		by := w.identity(strings.TrimPrefix(c.by.headers[1], "onemap="))
		w.photo(by, body, name)
		w.refer(by, name, "hazards", c.item)
		*c.name = name
		county := []string{ownArea, otherArea}[i]
		w.add(tag, "a photo of "+county, func(a who) bool { return a.sees(db.Internal, county) })
	}
}

// blobLines are the rows of the matrix for photos and packs.
func (w *world) blobLines() map[string]line {
	seen := func(a who, t target) []int {
		if t == own && a.sees(db.Internal, ownArea) || t == other && a.sees(db.Internal, otherArea) {
			return []int{200}
		}
		return []int{404}
	}
	// An area is there for who holds a grant over it; a county has too many tiles.
	pack := func(a who, t target) []int {
		if _, ok := a.role.Info(); ok && (t == own && (a.area == "" || a.area == ownArea) || t == other && a.area == "") && (a.sees(db.Internal, ownArea) || a.role == auth.Unit) {
			if a.role == auth.Unit {
				return []int{404} // it does not see the outline of the county
			}
			return []int{422}
		}
		return []int{404}
	}
	packs := func(suffix string) line {
		return line{calls: paths("/api/packs/"+ownArea+suffix, "/api/packs/"+otherArea+suffix, "/api/packs/"+noArea+suffix), want: pack, alike: true}
	}
	writes := func(a who) bool { i, ok := a.role.Info(); return ok && (i.Writes || a.role == auth.Unit) }
	names := func(name string) call { return call{"/api/blobs/missing", `{"sha256":["` + name + `"]}`} }
	return map[string]line{
		"blob": {calls: paths("/api/blobs/"+w.ownPhoto, "/api/blobs/"+w.otherPhoto, "/api/blobs/"+noPhoto), want: seen, alike: true},
		"blob_put": {calls: paths("/api/blobs/"+w.ownPhoto, "/api/blobs/"+w.otherPhoto, "/api/blobs/"+noPhoto), want: func(a who, _ target) []int {
			if writes(a) {
				return []int{422} // without a length
			}
			return []int{403}
		}, alike: true},
		"blobs_missing": {calls: [3]call{names(w.ownPhoto), names(w.otherPhoto), names(noPhoto)}, want: func(a who, _ target) []int {
			if writes(a) {
				return []int{200}
			}
			return []int{403}
		}},
		"packs": {calls: always("/api/packs")}, "pack": packs(""), "pack_tiles": packs("/tiles.pmtiles"),
	}
}
