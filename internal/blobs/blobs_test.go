package blobs_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/blobs"
	"onemap/internal/db"
	"onemap/internal/pgtest"
)

func TestQueriesFitTheSchema(t *testing.T) {
	q, err := blobs.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Writer(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

// A phone whose line breaks goes on where the last byte arrived; the process may have
// been another one meanwhile.
func TestResume(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	all := photo(1, 300)
	sha := name(all)
	st, err := h.put(who, sha, all, 0, 1000)
	h.must(err)
	if st.Complete || st.Offset != 1000 {
		t.Fatalf("after the first piece: %+v", st)
	}
	again, err := blobs.Open(blobs.Options{DB: h.db, Dir: h.dir, Catalogue: h.reg, MinFree: 1})
	h.must(err)
	h.s = again
	st, err = h.s.State(t.Context(), who, sha)
	h.must(err)
	if st.Complete || st.Offset != 1000 {
		t.Fatalf("after the restart: %+v", st)
	}
	missing, err := h.s.Missing(t.Context(), who, []string{sha, name(nil), sha})
	h.must(err)
	if len(missing) != 2 || missing[0].Offset != 1000 || missing[1].Offset != 0 {
		t.Fatalf("missing: %+v", missing)
	}
	for _, off := range []int{0, 999, 1001} {
		_, err = h.put(who, sha, all, off, len(all))
		var wrong *blobs.OffsetError
		if !errors.As(err, &wrong) || wrong.Offset != 1000 {
			t.Errorf("from %d: %v, want the right offset", off, err)
		}
	}
	st, err = h.put(who, sha, all, 1000, len(all))
	h.must(err)
	if !st.Complete {
		t.Fatalf("at the end: %+v", st)
	}
	st, err = h.put(who, sha, all, 0, 10) // the answer was lost
	h.must(err)
	if !st.Complete || st.Offset != int64(len(all)) {
		t.Errorf("repeated: %+v", st)
	}
	missing, err = h.s.Missing(t.Context(), who, []string{sha})
	h.must(err)
	if len(missing) != 0 || len(h.left("partial")) != 0 || len(h.left("incoming")) != 0 {
		t.Errorf("missing %v, left %v %v", missing, h.left("partial"), h.left("incoming"))
	}
	p, err := h.s.Photo(t.Context(), who, sha, 0)
	h.must(err)
	defer p.File.Close()
	got, err := io.ReadAll(p.File)
	h.must(err)
	if !bytes.Equal(got, all) || p.Type != "image/jpeg" || p.Size != int64(len(all)) {
		t.Errorf("%d bytes of %s come back", len(got), p.Type)
	}
}

// A process that ended after the last byte and before the answer: the next request finds
// the file whole and ends it, without a byte more.
func TestEndedBeforeTheAnswer(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	all := photo(20, 100)
	sha := name(all)
	_, err := h.put(who, sha, all, 0, 10)
	h.must(err)
	h.must(os.WriteFile(h.left("partial")[0], all, 0o600))
	st, err := h.s.State(t.Context(), who, sha)
	h.must(err)
	if st.Complete || st.Offset != int64(len(all)) {
		t.Fatalf("%+v", st)
	}
	st, err = h.put(who, sha, all, len(all), len(all))
	h.must(err)
	if !st.Complete || len(h.left("partial")) != 0 {
		t.Errorf("%+v, left %v", st, h.left("partial"))
	}
	// The same again by another, while the file is in its place: his own, not a second name
	// of the first one's.
	_, err = h.send(person(2, auth.GridWorker, village), all)
	h.must(err)
	if left := h.left(""); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	// Lost from the disk, it may be sent again.
	h.must(os.Remove(h.left("")[0]))
	missing, err := h.s.Missing(t.Context(), who, []string{sha})
	h.must(err)
	if len(missing) != 1 {
		t.Errorf("missing %v", missing)
	}
	if st, err = h.send(who, all); err != nil || !st.Complete {
		t.Errorf("%+v, %v", st, err)
	}
}

// header makes a PNG that says it has this size, and a JPEG that does.
func pngHeader(w, ht uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, ht)
	b = append(b, 8, 2, 0, 0, 0)
	return append(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:])), make([]byte, 64)...)
}

func jpegHeader(w, ht uint16) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 17, 8}
	b = binary.BigEndian.AppendUint16(b, ht)
	b = binary.BigEndian.AppendUint16(b, w)
	return append(b, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 0xff, 0xda, 0, 2, 1, 2, 3)
}

func webpHeader(canvas, w, ht uint32) []byte {
	b := []byte("RIFF\x40\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00")
	c := canvas - 1
	b = append(b, byte(c), byte(c>>8), byte(c>>16), byte(c), byte(c>>8), byte(c>>16))
	b = append(b, "VP8 \x0a\x00\x00\x00\x10\x00\x00\x9d\x01\x2a"...)
	return append(b, byte(w), byte(w>>8), byte(ht), byte(ht>>8))
}

// What is no image of ours leaves nothing behind.
func TestRefused(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	good := photo(2, 40)
	for what, c := range map[string]struct {
		body []byte
		sha  string
		want error
	}{
		"wrong hash":                  {good, name([]byte("other")), blobs.ErrHash},
		"one bit flipped":             {append(bytes.Clone(good[:len(good)-9]), make([]byte, 9)...), name(good), blobs.ErrHash},
		"50,000 x 50,000 PNG":         {pngHeader(50_000, 50_000), "", blobs.ErrPixels},
		"50,000 x 50,000 JPEG":        {jpegHeader(50_000, 50_000), "", blobs.ErrPixels},
		"WebP, the canvas is large":   {webpHeader(16_000, 10, 10), "", blobs.ErrPixels},
		"WebP, the picture is larger": {webpHeader(10, 16_000, 16_000), "", blobs.ErrPixels},
		"PNG of 2^31 squared":         {pngHeader(1<<31-1, 1<<31-1), "", blobs.ErrPixels},
		"PNG of no size":              {pngHeader(0, 10), "", blobs.ErrImage},
		"HTML named .jpg":             {[]byte("<!DOCTYPE html><html><script>alert(1)</script></html>"), "", blobs.ErrImage},
		"SVG":                         {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>`), "", blobs.ErrImage},
		"GIF":                         {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00"), "", blobs.ErrImage},
		"PDF":                         {[]byte("%PDF-1.7 and so on and on"), "", blobs.ErrImage},
		"HEIC":                        {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), "", blobs.ErrImage},
		"one byte":                    {[]byte{0xff}, "", blobs.ErrImage},
		"only the magic of a JPEG":    {[]byte("\xff\xd8\xff\xe0<html><script>alert(1)</script>"), "", blobs.ErrImage},
		"a scan without a frame":      {[]byte("\xff\xd8\xff\xda\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00"), "", blobs.ErrImage},
	} {
		sha := c.sha
		if sha == "" {
			sha = name(c.body)
		}
		_, err := h.put(who, sha, c.body, 0, len(c.body))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if _, err := h.s.State(t.Context(), who, sha); !errors.Is(err, blobs.ErrAbsent) {
			t.Errorf("%s: %v afterwards", what, err)
		}
	}
	// The header is enough: nobody sends 15 MB to learn it.
	bomb := append(jpegHeader(50_000, 50_000), make([]byte, 5<<20)...)
	_, err := h.put(who, name(bomb), bomb, 0, 64)
	h.want(err, blobs.ErrPixels)
	large := make([]byte, 21<<20)
	_, err = h.put(who, name(large), large, 0, 100)
	h.want(err, blobs.ErrTooLarge)
	for _, p := range []blobs.Piece{
		{SHA256: name(good), Length: 10, Size: 11}, {SHA256: name(good), Length: 0}, {SHA256: name(good), Offset: -1, Length: 10},
		{SHA256: name(good), Offset: 1 << 62, Length: 1 << 62, Size: 1 << 62},
	} {
		if _, err := h.s.Put(t.Context(), who, p); !errors.Is(err, blobs.ErrLength) && !errors.Is(err, blobs.ErrTooLarge) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, n := range []string{"", "x", strings.ToUpper(name(good)), "../../../etc/passwd", strings.Repeat("g", 64), strings.Repeat("a", 65)} {
		_, err := h.s.Put(t.Context(), who, blobs.Piece{SHA256: n, Length: 10, Size: 1})
		h.want(err, blobs.ErrName)
		_, err = h.s.Photo(t.Context(), who, n, 0)
		h.want(err, blobs.ErrAbsent)
	}
	for i, role := range []auth.Role{auth.Viewer, auth.Auditor, auth.Admin} {
		_, err := h.send(person(30+i, role, village), good)
		h.want(err, blobs.ErrForbidden)
	}
	_, err = h.send(nil, good)
	h.want(err, blobs.ErrForbidden)
	if left := h.left(""); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Two phones of one person, and two people, send the same file at once.
func TestSameFileAtOnce(t *testing.T) {
	h := open(t)
	all := photo(3, 900)
	sha := name(all)
	people := []*auth.Identity{person(1, auth.GridWorker, village), person(2, auth.GridWorker, village)}
	var wg sync.WaitGroup
	for phone := range 6 {
		who := people[phone%2]
		wg.Go(func() {
			for range 500 {
				st, err := h.s.State(context.Background(), who, sha)
				if err != nil && !errors.Is(err, blobs.ErrAbsent) {
					t.Error(err)
					return
				}
				if st.Complete {
					return
				}
				off := int(st.Offset)
				_, err = h.put(who, sha, all, off, min(len(all), off+50_000))
				var wrong *blobs.OffsetError
				if err != nil && !errors.As(err, &wrong) {
					t.Errorf("phone %d: %v", phone, err)
					return
				}
			}
			t.Error("never complete")
		})
	}
	wg.Wait()
	for _, who := range people {
		p, err := h.s.Photo(t.Context(), who, sha, 0)
		h.must(err)
		got, err := io.ReadAll(p.File)
		p.File.Close()
		h.must(err)
		if name(got) != sha {
			t.Error("other bytes than were sent")
		}
	}
	if left := h.left("partial"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Knowing a hash opens nothing: another's photo, whole or half, is absent until a record
// the asker may read refers to it, and again when it does not any more.
func TestWhoMayRead(t *testing.T) {
	h := open(t)
	worker, colleague := person(1, auth.GridWorker, village), person(2, auth.GridWorker, township)
	foreign, officer := person(3, auth.GridWorker, other), person(4, auth.DutyOfficer, "990100")
	unit := person(5, auth.Unit, "990100")
	all, half := photo(4, 60), photo(5, 60)
	_, err := h.send(worker, all)
	h.must(err)
	_, err = h.put(worker, name(half), half, 0, 100)
	h.must(err)
	see := func(when string, want ...*auth.Identity) {
		t.Helper()
		for _, a := range []*auth.Identity{worker, colleague, foreign, officer, unit, {Kind: auth.Anonymous, Reach: auth.PublicReach(1)}, {Kind: auth.Demo, Reach: auth.DemoReach(1)}} {
			ok := false
			for _, w := range want {
				ok = ok || w == a
			}
			st, err := h.s.State(t.Context(), a, name(all))
			p, perr := h.s.Photo(t.Context(), a, name(all), 320)
			if ok && (err != nil || !st.Complete || perr != nil) || !ok && (!errors.Is(err, blobs.ErrAbsent) || !errors.Is(perr, blobs.ErrAbsent)) {
				t.Errorf("%s, %s: %+v %v %v", when, a.Username, st, err, perr)
			}
			if p != nil {
				p.File.Close()
			}
			if a != worker {
				_, err := h.s.State(t.Context(), a, name(half))
				h.want(err, blobs.ErrAbsent)
			}
		}
	}
	see("before any record", worker)
	// In quarantine: no record yet; who works the area it is in decides.
	h.refer(worker, "hazards", record, scope(village), name(all), name(all))
	see("the record is not there", worker, colleague, officer)
	_, err = h.w.Exec(t.Context(), `insert into hazards (id, name, hazard, level, admin_code, scope) values ($1, '滑坡', 'landslide', 1, '990100001001', code_scope('990100001001'))`, record)
	h.must(err)
	see("the record is there", worker, colleague, officer)
	_, err = h.w.Exec(t.Context(), `update hazards set admin_code = '990100002', scope = code_scope('990100002') where id = $1`, record)
	h.must(err)
	see("the record moved", worker, foreign, officer)
	_, err = h.w.Exec(t.Context(), `delete from hazards where id = $1`, record)
	h.must(err)
	see("the record is gone", worker, colleague, officer)
	// A second, foreign, record with the same photo opens it to its readers too.
	h.refer(foreign, "tasks", record, scope(other), name(all))
	see("another refers", worker, colleague, foreign, officer)
}

// A domain may decide itself, and a kind may be more closed than internal.
func TestKinds(t *testing.T) {
	yes := false
	h := open(t, func(o *blobs.Options) {
		o.Kinds = map[string]blobs.Source{
			"secret": {Table: "secret", Visibility: db.Sensitive},
			"own":    {Readable: func(_ context.Context, _ *auth.Identity, id string) (bool, error) { return yes && id == record, nil }},
		}
	})
	worker, colleague, officer := person(1, auth.GridWorker, village), person(2, auth.GridWorker, village), person(3, auth.DutyOfficer, township)
	a, b := photo(6, 20), photo(7, 20)
	for _, p := range [][]byte{a, b} {
		_, err := h.send(worker, p)
		h.must(err)
	}
	h.refer(worker, "secret", record, scope(village), name(a))
	h.refer(worker, "own", record, scope(village), name(b))
	_, err := h.s.State(t.Context(), colleague, name(a))
	h.want(err, blobs.ErrAbsent)
	_, err = h.s.State(t.Context(), officer, name(a))
	h.must(err)
	_, err = h.s.State(t.Context(), officer, name(b))
	h.want(err, blobs.ErrAbsent)
	yes = true
	_, err = h.s.State(t.Context(), officer, name(b))
	h.must(err)
}

// The server's role cannot change or remove what is whole, nor refer in another's name.
func TestFloor(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	all := photo(8, 20)
	_, err := h.send(who, all)
	h.must(err)
	h.refer(who, "hazards", record, scope(village), name(all))
	for _, sql := range []string{`delete from blob`, `delete from blob_owner`, `delete from blob_ref`, `update blob_ref set scope = null`} {
		err := h.db.Intake.Tx(t.Context(), db.System("test"), func(tx pgx.Tx) error { _, err := tx.Exec(t.Context(), sql); return err })
		if err == nil {
			t.Errorf("%s was done", sql)
		}
	}
	err = h.db.Intake.Tx(t.Context(), who.Writing(who.Grants[0]), func(tx pgx.Tx) error {
		_, err := tx.Exec(t.Context(), `insert into blob_ref (sha256, kind, object, op_id, actor) values ($1, 'hazards', 'x', 'y', 'somebody')`, make([]byte, 32))
		return err
	})
	if err == nil {
		t.Error("a reference in another's name was made")
	}
	err = h.db.Intake.Tx(t.Context(), who.Reading(), func(tx pgx.Tx) error {
		var n int
		if err := tx.QueryRow(t.Context(), `select count(*) from blob_ref`).Scan(&n); err != nil || n != 0 {
			t.Errorf("a reader sees %d references, %v", n, err)
		}
		return nil
	})
	h.must(err)
	// Said twice it is said once.
	h.refer(who, "hazards", record, scope(village), name(all))
	h.must(h.db.Intake.Tx(t.Context(), db.System("test"), func(tx pgx.Tx) error {
		var n int
		if err := tx.QueryRow(t.Context(), `select count(*) from blob_ref`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d references, %v", n, err)
		}
		return nil
	}))
}

// A full disk refuses, and leaves what was there as it was.
func TestDiskFull(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	all := photo(9, 200)
	_, err := h.put(who, name(all), all, 0, 500)
	h.must(err)
	full, err := blobs.Open(blobs.Options{DB: h.db, Dir: h.dir, Catalogue: h.reg, MinFree: 1 << 60})
	h.must(err)
	_, err = full.Incoming()
	h.want(err, blobs.ErrFull)
	piece := filepath.Join(t.TempDir(), "piece")
	h.must(os.WriteFile(piece, all[500:], 0o600))
	_, err = full.Put(t.Context(), who, blobs.Piece{SHA256: name(all), Offset: 500, Length: int64(len(all)), Path: piece, Size: int64(len(all) - 500)})
	h.want(err, blobs.ErrFull)
	st, err := h.s.State(t.Context(), who, name(all))
	h.must(err)
	if st.Offset != 500 || st.Complete {
		t.Errorf("after the refusal: %+v", st)
	}
	_, err = h.put(who, name(all), all, 500, len(all))
	h.must(err)
}

// The disk itself says no in the middle of a piece.
func TestDiskFullInTheMiddle(t *testing.T) {
	dir := tinyDisk(t)
	h := open(t, func(o *blobs.Options) { o.Dir = dir })
	h.dir = dir
	who := person(1, auth.GridWorker, village)
	all := photo(10, 1800)
	if len(all) < 1<<20 {
		t.Fatalf("the photo has %d bytes", len(all))
	}
	piece := filepath.Join(t.TempDir(), "piece")
	h.must(os.WriteFile(piece, all, 0o600))
	_, err := h.s.Put(t.Context(), who, blobs.Piece{SHA256: name(all), Length: int64(len(all)), Path: piece, Size: int64(len(all))})
	h.want(err, blobs.ErrFull)
	if left := h.left("partial"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// What nobody finishes is forgotten after fourteen days; what is whole never.
func TestSweep(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	all, half, fresh := photo(11, 40), photo(12, 40), photo(13, 40)
	_, err := h.send(who, all)
	h.must(err)
	for _, p := range [][]byte{half, fresh} {
		_, err = h.put(who, name(p), p, 0, 100)
		h.must(err)
	}
	piece, err := h.s.Incoming()
	h.must(err)
	piece.Close()
	long := time.Now().Add(-15 * 24 * time.Hour)
	for _, path := range append(h.left(""), piece.Name()) {
		if !strings.HasSuffix(path, name(fresh)) {
			h.must(os.Chtimes(path, long, long))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = h.s.Run(ctx) // looks once
	left := h.left("")
	if len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	for p, offset := range map[string]int64{name(all): int64(len(all)), name(fresh): 100} {
		st, err := h.s.State(t.Context(), who, p)
		if err != nil || st.Offset != offset {
			t.Errorf("%+v, %v; want %d", st, err, offset)
		}
	}
	_, err = h.s.State(t.Context(), who, name(half))
	h.want(err, blobs.ErrAbsent)
}

// A process that was killed between the file's name and the table, and whose sender never
// came again: that file goes with its half-finished name. One that somebody else was told
// of stays.
func TestSweepOfWhatNobodyWasTold(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	untold, told := photo(14, 40), photo(15, 40)
	for _, all := range [][]byte{untold, told} {
		_, err := h.put(who, name(all), all, 0, 10)
		h.must(err)
	}
	_, err := h.send(person(2, auth.GridWorker, village), told)
	h.must(err)
	long := time.Now().Add(-15 * 24 * time.Hour)
	for _, all := range [][]byte{untold, told} {
		// As the process leaves it when it is killed after the rename.
		half := filepath.Join(h.dir, "partial", who.Account, name(all))
		final := filepath.Join(h.dir, name(all)[:2], name(all)[2:])
		h.must(os.WriteFile(half, all, 0o600))
		h.must(os.MkdirAll(filepath.Dir(final), 0o700))
		_ = os.Remove(final)
		h.must(os.Link(half, final))
		h.must(os.Chtimes(half, long, long))
	}
	h.sweep(0)
	if left := h.left(""); len(left) != 1 || !strings.HasSuffix(left[0], name(told)[2:]) {
		t.Errorf("left: %v", left)
	}
	if st, err := h.s.State(t.Context(), person(2, auth.GridWorker, village), name(told)); err != nil || !st.Complete {
		t.Errorf("%+v, %v", st, err)
	}
}

// A process that was killed after the file was remembered and before its half-finished name
// was dropped: that name goes, today; what is truly half, and another's half, stay.
func TestSweepOfWhatIsWhole(t *testing.T) {
	h := open(t)
	who, other := person(1, auth.GridWorker, village), person(2, auth.GridWorker, village)
	all, half := photo(16, 40), photo(17, 40)
	for who, p := range map[*auth.Identity][]byte{other: all, who: half} {
		_, err := h.put(who, name(p), p, 0, 100)
		h.must(err)
	}
	_, err := h.send(who, all)
	h.must(err)
	h.must(os.Link(filepath.Join(h.dir, name(all)[:2], name(all)[2:]), filepath.Join(h.dir, "partial", who.Account, name(all))))
	h.sweep(2)
	if left := h.left(""); len(left) != 3 {
		t.Errorf("left: %v", left)
	}
	for _, c := range []struct {
		who    *auth.Identity
		all    []byte
		offset int
	}{{who, all, len(all)}, {who, half, 100}, {other, all, 100}} {
		if st, err := h.s.State(t.Context(), c.who, name(c.all)); err != nil || int(st.Offset) != c.offset {
			t.Errorf("%+v, %v; want %d", st, err, c.offset)
		}
	}
}

// A worker whose grant ended while he was out: the photos of what was taken of him come,
// others do not.
func TestPhotosOfWhoseGrantEnded(t *testing.T) {
	h := open(t)
	who := person(1, auth.GridWorker, village)
	awaited, loose := photo(16, 40), photo(17, 40)
	h.refer(who, "hazards", record, scope(village), name(awaited))
	who.Grants = nil
	if st, err := h.send(who, awaited); err != nil || !st.Complete {
		t.Errorf("%+v, %v", st, err)
	}
	_, err := h.send(who, loose)
	h.want(err, blobs.ErrForbidden)
	_, err = h.send(person(2, auth.Viewer, village), awaited)
	h.want(err, blobs.ErrForbidden)
}
