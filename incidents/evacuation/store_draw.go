package evacuation

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// The roles of a target, in the order they are called.
const (
	VillageHead     = "village_head"
	GridWorker      = "grid_worker"
	HouseholdKeeper = "household_keeper"
)

type village struct {
	unit
	place                       int
	level, threatened, elderly  *int
	households                  int
	toMove                      *int
	source                      string
	head, patrol                *responsible
	grids                       []grid
	homes                       []home
	peopleOfHomes, elderlyHomes int
}

type grid struct {
	id, code, worker, name string
	hit                    bool
	person                 *responsible
}

type home struct {
	id, code         string
	persons, elderly int
}

type responsible struct{ name, post, deputy, deputyPost, contact string }

type list struct {
	villages []*village
	targets  []Target
	left     int // households that did not fit
}

// draw makes the call list: village heads first, then grid workers, then the keepers of the
// households that have to move; in each the worst village first, by the level of its hazard
// points, who they threaten, and how many of them are old or disabled.
func (s *Service) draw(ctx context.Context, tx pgx.Tx, at place, now time.Time) (list, error) {
	var l list
	by := map[string]*village{}
	for _, u := range at.units {
		v := &village{unit: u}
		l.villages, by[u.code] = append(l.villages, v), v
	}
	if err := s.threats(ctx, tx, at, by); err != nil {
		return l, err
	}
	if err := s.answerable(ctx, tx, at, by, now); err != nil {
		return l, err
	}
	for _, v := range l.villages {
		v.count()
	}
	slices.SortStableFunc(l.villages, worse)
	for i, v := range l.villages {
		v.place = i
	}
	rules := s.rules()
	next := 0
	add := func(v *village, role string, t Target) {
		t.ID = newID(now)
		t.Village, t.VillageName, t.Phase, t.Role, t.Place, t.Level, t.Root, t.OpenedAt = v.code, v.name, "call", role, next, v.level, t.ID, now
		t.DueAt = now.Add(rules.due(role, at.level))
		next++
		l.targets = append(l.targets, t)
	}
	for _, v := range l.villages {
		add(v, VillageHead, v.first())
	}
	for _, v := range l.villages {
		for _, t := range v.workers() {
			add(v, GridWorker, t)
		}
	}
	room := rules.HouseholdsMax
	for _, v := range l.villages {
		for _, h := range v.homes {
			if room == 0 {
				l.left++
				continue
			}
			room--
			add(v, HouseholdKeeper, v.keeper(h))
		}
	}
	return l, s.numbered(ctx, tx, l.targets)
}

func worse(a, b *village) int {
	num := func(p *int, absent int) int {
		if p == nil {
			return absent
		}
		return *p
	}
	return cmp.Or(cmp.Compare(num(a.level, 9), num(b.level, 9)), cmp.Compare(num(b.threatened, -1), num(a.threatened, -1)), cmp.Compare(num(b.elderly, -1), num(a.elderly, -1)), cmp.Compare(a.code, b.code))
}

// threats reads what threatens the villages and who has to move.
func (s *Service) threats(ctx context.Context, tx pgx.Tx, at place, by map[string]*village) error {
	type danger struct {
		code              string
		level, threatened *int
	}
	list, err := all(ctx, tx, func(row pgx.CollectableRow) (d danger, err error) {
		err = row.Scan(&d.code, &d.level, &d.threatened)
		return d, err
	}, s.queries.Get("dangers"), at.codes, at.shape)
	if err != nil {
		return err
	}
	for _, d := range list {
		by[d.code].level, by[d.code].threatened = d.level, d.threatened
	}
	type of[T any] struct {
		code string
		v    T
	}
	grids, err := all(ctx, tx, func(row pgx.CollectableRow) (g of[grid], err error) {
		err = row.Scan(&g.code, &g.v.id, &g.v.code, &g.v.worker, &g.v.name, &g.v.hit)
		return g, err
	}, s.queries.Get("grids"), at.codes, at.shape)
	if err != nil {
		return err
	}
	spared := map[string]bool{} // grids of these villages outside the area
	for _, g := range grids {
		if g.v.hit {
			by[g.code].grids = append(by[g.code].grids, g.v)
		} else {
			spared[g.v.code] = true
		}
	}
	homes, err := all(ctx, tx, func(row pgx.CollectableRow) (h of[home], err error) {
		err = row.Scan(&h.code, &h.v.id, &h.v.code, &h.v.persons, &h.v.elderly)
		return h, err
	}, s.queries.Get("households"), at.codes)
	if err != nil {
		return err
	}
	for _, h := range homes {
		if v := by[h.code]; !spared[h.v.code] {
			v.homes = append(v.homes, h.v)
			v.peopleOfHomes, v.elderlyHomes = v.peopleOfHomes+h.v.persons, v.elderlyHomes+h.v.elderly
		}
	}
	return nil
}

// count says who is to move: by the list of households where there is one, else by what
// the hazard points threaten; else nobody knows.
func (v *village) count() {
	v.households = len(v.homes)
	switch {
	case len(v.homes) > 0:
		n, old := v.peopleOfHomes, v.elderlyHomes
		v.toMove, v.elderly, v.source = &n, &old, "households"
	case v.threatened != nil:
		n := *v.threatened
		v.toMove, v.source = &n, "hazards"
	}
}

func (s *Service) answerable(ctx context.Context, tx pgx.Tx, at place, by map[string]*village, now time.Time) error {
	ids := []string{}
	grids := map[string]*grid{}
	for _, v := range by {
		for i := range v.grids {
			ids = append(ids, v.grids[i].id)
			grids[v.grids[i].id] = &v.grids[i]
		}
	}
	rows, err := tx.Query(ctx, s.queries.Get("people"), at.codes, ids, now)
	if err != nil {
		return err
	}
	var code, feature, kind string
	var r responsible
	_, err = pgx.ForEachRow(rows, []any{&code, &feature, &kind, &r.name, &r.post, &r.deputy, &r.deputyPost, &r.contact}, func() error {
		who := r
		switch {
		case feature != "":
			if g := grids[feature]; g != nil && g.person == nil {
				g.person = &who
			}
		case by[code] == nil:
		case kind == "administrative" && by[code].head == nil:
			by[code].head = &who
		case kind == "patrol" && by[code].patrol == nil:
			by[code].patrol = &who
		}
		return nil
	})
	return err
}

// first is who answers for the village. Where nobody is written down the line stays, so
// that the gap is seen, and goes to the township.
func (v *village) first() Target {
	if v.head == nil {
		return Target{Post: "未登记责任人"}
	}
	return Target{Name: v.head.name, Post: v.head.post, Contact: v.head.contact, Deputy: v.head.deputy, DeputyPost: v.head.deputyPost, DeputyContact: v.head.contact}
}

// workers are the grid workers; the head of the grids stands in for them.
func (v *village) workers() []Target {
	var out []Target
	for _, g := range v.grids {
		t := Target{Name: g.worker, Post: cmp.Or(g.name, "网格员"), Grid: g.code}
		switch {
		case g.person != nil:
			t.Name, t.Post, t.Contact = cmp.Or(g.person.name, t.Name), cmp.Or(g.person.post, t.Post), g.person.contact
			t.Deputy, t.DeputyPost, t.DeputyContact = g.person.deputy, g.person.deputyPost, g.person.contact
		case v.patrol != nil:
			// His number is not written down: the head of the grids passes it on.
			t.Contact = v.patrol.contact
			t.Post += " · 由" + v.patrol.post + v.patrol.name + "转接"
			t.Deputy, t.DeputyPost, t.DeputyContact = v.patrol.deputy, v.patrol.deputyPost, v.patrol.contact
		}
		if g.worker == "" && g.person == nil && v.patrol == nil {
			t.Post = "未登记网格员"
		}
		out = append(out, t)
	}
	if len(out) == 0 && v.patrol != nil {
		out = append(out, Target{Name: v.patrol.name, Post: v.patrol.post, Contact: v.patrol.contact, Deputy: v.patrol.deputy, DeputyPost: v.patrol.deputyPost, DeputyContact: v.patrol.contact})
	}
	return out
}

// keeper is the household on the list; who stands in for it is the worker of its grid.
func (v *village) keeper(h home) Target {
	persons, elderly := h.persons, h.elderly
	t := Target{Post: "包户", Contact: h.id, Household: h.id, Grid: h.code, Persons: &persons, Elderly: &elderly}
	for _, w := range v.workers() {
		if w.Grid == h.code || w.Grid == "" {
			t.Deputy, t.DeputyPost, t.DeputyContact = w.Name, w.Post, w.Contact
			t.Post = "包户 " + w.Name
			break
		}
	}
	return t
}

// numbered puts the masked numbers beside the names.
func (s *Service) numbered(ctx context.Context, tx pgx.Tx, targets []Target) error {
	ids := []string{}
	for _, t := range targets {
		for _, id := range []string{t.Contact, t.DeputyContact} {
			if id != "" {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	type number struct{ id, phone, deputy, head string }
	rows, err := all(ctx, tx, func(row pgx.CollectableRow) (n number, err error) {
		err = row.Scan(&n.id, &n.phone, &n.deputy, &n.head)
		return n, err
	}, s.queries.Get("numbers"), slices.Compact(ids))
	if err != nil {
		return err
	}
	by := map[string]number{}
	for _, n := range rows {
		by[n.id] = n
	}
	for i := range targets {
		t := &targets[i]
		n := by[t.Contact]
		t.Phone = n.phone
		if t.Household != "" && t.Name == "" {
			t.Name = n.head
		}
		if t.DeputyContact == t.Contact && t.Contact != "" {
			t.DeputyPhone = n.deputy
		} else {
			t.DeputyPhone = by[t.DeputyContact].phone
		}
	}
	return nil
}

// newID is a UUIDv7.
func newID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
