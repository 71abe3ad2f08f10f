package sync_test

import (
	"strings"
	"testing"

	"onemap/internal/auth"
	"onemap/internal/blobs"
	"onemap/internal/registry"
	"onemap/internal/sync"
)

// The photos of what a person has to decide on are known, whatever became of the record.
func TestPhotosOfACase(t *testing.T) {
	f := newField(t)
	reg, err := registry.Open(t.Context(), f.db.Query)
	if err != nil {
		t.Fatal(err)
	}
	photos, err := blobs.Open(blobs.Options{DB: f.db, Dir: t.TempDir(), Catalogue: reg})
	if err != nil {
		t.Fatal(err)
	}
	if f.s, err = sync.New(sync.Options{DB: f.db, Feed: f.feed, Catalogue: reg, Kinds: []sync.Kind{f.kind}, Blobs: photos}); err != nil {
		t.Fatal(err)
	}
	a := f.person(1, auth.GridWorker, gridA)
	mark := f.mark("甲")
	f.want(f.one(a, mark), sync.Applied, "")
	edit := func(more m) m {
		return with(with(f.mark(""), m{"id": mark["id"], "base_version": 1, "fields": m{}, "geometry": nil}), more)
	}
	f.want(f.one(a, edit(m{"op": "delete"})), sync.Applied, "")
	for n, op := range []m{
		edit(m{"fields": m{"measure": m{"base": nil, "value": "晚了"}}}), // of what was deleted
		with(f.mark("外"), m{"geometry": at(113, 33)}),
	} {
		sha := strings.Repeat("ab", 31) + "0" + string(rune('0'+n))
		op["blobs"] = []string{sha}
		r := f.one(a, op)
		if r.Status != sync.Conflict && r.Status != sync.Quarantined {
			t.Errorf("verdict %+v", r)
		}
		if got := f.count(`select count(*) from blob_ref where op_id = $1 and encode(sha256, 'hex') = $2`, op["op_id"], sha); got != 1 {
			t.Errorf("the photo of a %s is referred to %d times", r.Status, got)
		}
	}
}
