package blobs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/blobs"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

const (
	township = "990100001"
	village  = "990100001001"
	other    = "990100002"
	record   = "01900000-0000-7000-8000-0000000000f1"
	opID     = "01900000-0000-7000-8000-0000000000e1"
)

// house is a store of photos over a real database, and people who use it.
type house struct {
	t   *testing.T
	dir string
	db  *db.DB
	s   *blobs.Service
	reg *registry.Registry
	w   *pgx.Conn
	now time.Time
}

func open(t *testing.T, change ...func(*blobs.Options)) *house {
	t.Helper()
	dsn := pgtest.Database(t)
	h := &house{t: t, dir: t.TempDir(), now: time.Now()}
	var err error
	if h.db, err = db.Open(t.Context(), db.Options{DSN: dsn.App}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.db.Close)
	if h.reg, err = registry.Open(t.Context(), h.db.Query); err != nil {
		t.Fatal(err)
	}
	h.w = pgtest.Writer(t, dsn.App)
	o := blobs.Options{DB: h.db, Dir: h.dir, Catalogue: h.reg, MinFree: 1, Now: func() time.Time { return h.now }}
	for _, c := range change {
		c(&o)
	}
	if h.s, err = blobs.Open(o); err != nil {
		t.Fatal(err)
	}
	return h
}

// person is somebody with one grant. n tells people apart.
func person(n int, role auth.Role, area string) *auth.Identity {
	g := auth.Grant{ID: fmt.Sprintf("01900000-0000-7000-8000-0000000001%02d", n), Role: role, Area: area, From: time.Now().Add(-time.Hour)}
	return &auth.Identity{
		Kind: auth.Device, Account: fmt.Sprintf("01900000-0000-7000-8000-0000000002%02d", n), Username: fmt.Sprint("person", n), Device: "phone",
		Grants: []auth.Grant{g}, Reach: auth.ReachOf([]auth.Grant{g}, time.Now(), 1),
	}
}

func name(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// photo is a JPEG nobody else has, of about so many pixels a side.
func photo(seed uint64, side int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	img := image.NewRGBA(image.Rect(0, 0, side, side*3/4))
	for i := range img.Pix {
		img.Pix[i] = byte(r.UintN(256))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// put sends the bytes from off to end.
func (h *house) put(who *auth.Identity, sha string, all []byte, off, end int) (blobs.State, error) {
	h.t.Helper()
	f, err := h.s.Incoming()
	if err != nil {
		return blobs.State{}, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(all[off:end])
	if cerr := f.Close(); err != nil || cerr != nil {
		h.t.Fatal(err, cerr)
	}
	return h.s.Put(h.t.Context(), who, blobs.Piece{SHA256: sha, Offset: int64(off), Length: int64(len(all)), Path: f.Name(), Size: int64(end - off)})
}

// send sends a file whole, in pieces as a phone does.
func (h *house) send(who *auth.Identity, all []byte) (blobs.State, error) {
	h.t.Helper()
	var st blobs.State
	for off := 0; off < len(all); off += blobs.MaxPiece {
		var err error
		if st, err = h.put(who, name(all), all, off, min(len(all), off+blobs.MaxPiece)); err != nil {
			return st, err
		}
	}
	return st, nil
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) want(err, target error) {
	h.t.Helper()
	if !errors.Is(err, target) {
		h.t.Errorf("error %v, want %v", err, target)
	}
}

// left are the files below the directory, without those that wait for more.
func (h *house) left(sub string) []string {
	var out []string
	err := filepath.WalkDir(filepath.Join(h.dir, sub), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			out = append(out, path)
		}
		return err
	})
	h.must(err)
	return out
}

func (h *house) refer(who *auth.Identity, kind, id string, scope geo.Scope, names ...string) {
	h.t.Helper()
	h.must(h.db.Intake.Tx(h.t.Context(), who.Writing(who.Grants[0]), func(tx pgx.Tx) error {
		return h.s.Refer(h.t.Context(), tx, auth.By{Identity: who}, names, kind, id, opID, scope)
	}))
}

func scope(code string) geo.Scope {
	s, err := geo.ParseScope(code)
	if err != nil {
		panic(err)
	}
	return s
}

// sweep runs the service until no more than so many half-finished files are left, or for
// twenty seconds.
func (h *house) sweep(partial int) {
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.s.Run(ctx) }()
	for deadline := time.Now().Add(20 * time.Second); len(h.left("partial")) > partial && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	cancel()
	<-done
}
