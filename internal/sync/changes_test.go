package sync_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/sync"
)

// phone is what a device has of the server's records, kept by what it is sent.
type phone struct {
	f        *field
	who      auth.By
	at       string
	records  map[string]sync.Record
	receipts map[string]sync.Receipt
	pages    int
	resets   int
}

func (f *field) phone(who auth.By) *phone {
	return &phone{f: f, who: who, records: map[string]sync.Record{}, receipts: map[string]sync.Receipt{}}
}

// sync asks until there is nothing more, a page at a time.
func (p *phone) sync(limit int) {
	p.f.t.Helper()
	for {
		c, err := p.f.s.Changes(context.Background(), p.who, sync.ChangesQuery{Since: p.at, Limit: limit})
		if err != nil {
			p.f.t.Fatal(err)
		}
		p.pages++
		if c.Reset {
			p.resets++
			clear(p.records)
		}
		for _, x := range c.Changes {
			if x.Gone {
				delete(p.records, x.Record.ID)
				continue
			}
			p.records[x.Record.ID] = x.Record
		}
		for _, r := range c.Receipts {
			p.receipts[r.OpID] = r
		}
		p.at = c.Position
		if !c.More {
			return
		}
	}
}

// settle waits until the feed has delivered what is committed.
func (f *field) settle() {
	f.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	want := f.count(`select coalesce(max(seq), 0) from change_log`)
	for f.feed.State().Position.Seq < int64(want) {
		if time.Now().After(deadline) {
			f.t.Fatal("the feed does not come on")
		}
		f.feed.Wake()
		time.Sleep(10 * time.Millisecond)
	}
}

func TestChangesReachAPhone(t *testing.T) {
	f := newField(t)
	a, b, far := f.person(1, auth.GridWorker, gridA), f.person(2, auth.GridWorker, gridB), f.person(3, auth.GridWorker, gridFar)
	var ids []string
	for range 25 {
		op := f.mark("甲")
		f.want(f.one(a, op), sync.Applied, "")
		ids = append(ids, op["id"].(string))
	}
	f.want(f.one(far, with(f.mark("远"), m{"geometry": at(112.05, 30.05)})), sync.Applied, "")
	f.settle()
	pa, pb, pf := f.phone(a), f.phone(b), f.phone(far)
	for _, p := range []*phone{pa, pb, pf} {
		p.sync(7)
	}
	if len(pa.records) != 25 || len(pb.records) != 25 || len(pf.records) != 1 || pa.pages != 4 {
		t.Errorf("phones have %d, %d, %d records after %d pages", len(pa.records), len(pb.records), len(pf.records), pa.pages)
	}
	// Nothing new costs nothing.
	before := pa.at
	c, err := f.s.Changes(t.Context(), a, sync.ChangesQuery{Since: pa.at})
	if err != nil || len(c.Changes) != 0 || c.More || c.Position != before {
		t.Errorf("nothing new: %+v, %v", c, err)
	}
	// An edit comes once, as it is at last; a deletion and a row that moves out are to forget,
	// and so is what was made and taken away within the page.
	edit := func(id string, version int, fields m, more m) m {
		return with(with(f.mark(""), m{"id": id, "base_version": version, "fields": fields, "geometry": nil}), more)
	}
	f.want(f.one(a, edit(ids[0], 1, m{"measure": m{"value": "拉网"}}, m{})), sync.Applied, "")
	f.want(f.one(a, edit(ids[0], 2, m{"address": m{"value": "村口"}}, m{})), sync.Applied, "")
	f.want(f.one(a, edit(ids[1], 1, m{}, m{"op": "delete"})), sync.Applied, "")
	gone := f.mark("一闪而过")
	f.want(f.one(a, gone), sync.Applied, "")
	f.want(f.one(a, edit(gone["id"].(string), 1, m{}, m{"op": "delete"})), sync.Applied, "")
	f.exec(`update hazards set admin_code = $2, geom = st_setsrid(st_makepoint(112.05, 30.05), 4490) where id = $1`, ids[2], gridFar)
	f.settle()
	c, err = f.s.Changes(t.Context(), b, sync.ChangesQuery{Since: pb.at})
	if err != nil || len(c.Changes) != 4 {
		t.Errorf("%d changes, %v: %+v", len(c.Changes), err, c.Changes)
	}
	for _, p := range []*phone{pa, pb, pf} {
		p.sync(3)
	}
	if len(pa.records) != 23 || len(pb.records) != 23 || len(pf.records) != 2 || pa.resets+pb.resets+pf.resets != 0 {
		t.Errorf("phones have %d, %d, %d records", len(pa.records), len(pb.records), len(pf.records))
	}
	if r := pb.records[ids[0]]; r.Version != 3 || string(r.Fields["address"]) != `"村口"` {
		t.Errorf("edited record %+v", r)
	}
	// The stranger's area is empty whatever he asks for.
	area, _ := geo.ParseScopes(town)
	c, err = f.s.Changes(t.Context(), far, sync.ChangesQuery{Areas: area})
	if err != nil || len(c.Changes) != 0 {
		t.Errorf("a foreign area: %d records, %v", len(c.Changes), err)
	}
	// An import touched more than can be named: begin again.
	f.exec(`begin`)
	f.exec(`set local app.bulk = 'on'`)
	f.exec(`update hazards set measure = '批量' where admin_code = $1`, gridA)
	f.exec(`commit`)
	f.settle()
	pb.sync(100)
	if pb.resets != 1 || len(pb.records) != 23 || string(pb.records[ids[5]].Fields["measure"]) != `"批量"` {
		t.Errorf("after a bulk change: %d resets, %d records", pb.resets, len(pb.records))
	}
	// Other rights are another download.
	moved := f.person(2, auth.GridWorker, gridFar)
	moved.Identity.Grants[0].Area = gridFar
	pb.who = moved
	pb.sync(100)
	if pb.resets != 2 || len(pb.records) != 2 {
		t.Errorf("after the grid was changed: %d resets, %d records", pb.resets, len(pb.records))
	}
	// Another grid of the same township reads the same, but what is sent to a grid is not.
	pa.sync(100)
	other := f.person(1, auth.GridWorker, gridA)
	other.Identity.Grants[0].Area = gridB
	resets := pa.resets
	pa.who = other
	pa.sync(100)
	if pa.resets != resets+1 || len(pa.records) != 23 {
		t.Errorf("after the grid was changed within the township: %d resets, %d records", pa.resets-resets, len(pa.records))
	}
	for _, bad := range []string{"x", "1.2~", "1.2@a~hazards~x~", "1.2~hazards~0~../x", "01.2"} {
		if _, err := f.s.Changes(t.Context(), a, sync.ChangesQuery{Since: bad}); !errors.Is(err, sync.ErrPosition) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	c, err = f.s.Changes(t.Context(), a, sync.ChangesQuery{Since: "99999999.5"})
	if err != nil || !c.Reset {
		t.Errorf("a position of the future: %+v, %v", c, err)
	}
}

// A first download reads later than the position it began at: what it was sent of a record
// that came in between is taken back when that record goes again.
func TestWhatAFirstDownloadSawEarlyIsTakenBack(t *testing.T) {
	f := newField(t)
	a, b := f.person(1, auth.GridWorker, gridA), f.person(2, auth.GridWorker, gridB)
	for range 3 {
		f.want(f.one(a, f.mark("甲")), sync.Applied, "")
	}
	f.settle()
	p := f.phone(b)
	first, err := f.s.Changes(t.Context(), b, sync.ChangesQuery{Limit: 1})
	if err != nil || !first.More || len(first.Changes) != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	const last = "ffffffff-ffff-7fff-bfff-ffffffffffff" // it comes at the end of the download
	brief := with(f.mark("一闪而过"), m{"id": last})
	f.want(f.one(a, brief), sync.Applied, "")
	f.settle()
	p.at = first.Position
	for p.records[last].ID == "" {
		c, err := f.s.Changes(t.Context(), b, sync.ChangesQuery{Since: p.at, Limit: 1})
		if err != nil || len(c.Changes) == 0 {
			t.Fatalf("the download does not have it: %+v, %v", c, err)
		}
		for _, x := range c.Changes {
			p.records[x.Record.ID] = x.Record
		}
		p.at = c.Position
	}
	f.want(f.one(a, with(f.mark(""), m{"id": last, "op": "delete", "base_version": 1, "fields": m{}, "geometry": nil})), sync.Applied, "")
	f.settle()
	p.sync(100) // the rest of the download
	p.sync(100) // and what changed since it began
	if _, kept := p.records[last]; kept {
		t.Error("the phone keeps what is gone")
	}
}
