package sync

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/feed"
	"onemap/internal/geo"
)

// ErrPosition is a position no answer of ours gave.
var ErrPosition = errors.New("sync: not a position")

// The size of a page of changes.
const (
	DefaultPage = 500
	MaxPage     = 1000
	receiptDays = 35
)

// ChangesQuery asks what changed since a position, or for everything without one. No
// area is the asker's own: his grids and the townships around them.
type ChangesQuery struct {
	Since string
	Areas geo.Scopes
	Limit int
}

// Change is a record as it is now, or, with Gone, one to forget.
type Change struct {
	Kind   string
	Gone   bool
	Record Record
}

// Receipt is what became of an operation of the asker's own.
type Receipt struct {
	OpID, ID, Kind string
	Status         Status
	SeenBy         string
	SeenAt         time.Time
	Reason         Words
}

// Changes is a page. With More the next one is asked for from Position at once; with
// Reset what the device has is forgotten and asked for from the beginning.
type Changes struct {
	Position    string
	More, Reset bool
	Changes     []Change
	Receipts    []Receipt
}

// mark is where a device stands: a position of the feed, and, while it still downloads
// for the first time, where in the records it is. The fingerprint says for which areas
// and rights: when those change, what it has is not what it should have.
type mark struct {
	at    feed.Position
	print string
	kind  string // "" outside the first download
	area  int
	after string
}

func (m mark) String() string {
	s := m.at.String() + "@" + m.print
	if m.kind != "" {
		s += "~" + m.kind + "~" + strconv.Itoa(m.area) + "~" + m.after
	}
	return s
}

func parseMark(s string) (m mark, err error) {
	if len(s) > 200 {
		return m, ErrPosition
	}
	s, page, paging := strings.Cut(s, "~")
	at, print, _ := strings.Cut(s, "@")
	if m.at, err = feed.ParsePosition(at); err != nil {
		return m, ErrPosition
	}
	m.print = print
	if !paging {
		return m, nil
	}
	parts := strings.Split(page, "~")
	if len(parts) != 3 || parts[0] == "" {
		return m, ErrPosition
	}
	m.kind, m.after = parts[0], parts[2]
	if m.area, err = strconv.Atoi(parts[1]); err != nil || m.area < 0 {
		return m, ErrPosition
	}
	if _, ok := ParseID(m.after); m.after != "" && !ok {
		return m, ErrPosition
	}
	return m, nil
}

// Changes gives what a device does not have yet, within the asker's rights: records, and
// receipts for what he sent. A row that left his areas reaches him as one to forget.
func (s *Service) Changes(ctx context.Context, who auth.By, q ChangesQuery) (Changes, error) {
	if !who.SignedIn() || who.Account == "" {
		return Changes{}, auth.ErrForbidden
	}
	if q.Limit <= 0 || q.Limit > MaxPage {
		q.Limit = DefaultPage
	}
	areas := q.Areas.Normal()
	if len(areas) == 0 {
		areas = s.home(who)
	}
	print := fingerprint(who.Reach, areas, s.own(who))
	if q.Since == "" {
		return s.everything(ctx, who, areas, mark{at: s.opts.Feed.State().Position, print: print}, q.Limit)
	}
	m, err := parseMark(q.Since)
	switch {
	case err != nil:
		return Changes{}, err
	case m.print != "" && m.print != print:
		return Changes{Reset: true, More: true}, nil
	}
	m.print = print
	if m.kind != "" {
		return s.everything(ctx, who, areas, m, q.Limit)
	}
	out, err := s.since(ctx, who, areas, m, q.Limit)
	if errors.Is(err, feed.ErrReset) {
		return Changes{Reset: true, More: true}, nil
	}
	return out, err
}

// home are the areas a person works in: the townships of his grids.
func (s *Service) home(who auth.By) geo.Scopes {
	var out geo.Scopes
	now := s.opts.Now()
	for _, g := range who.Grants {
		if g.Valid(now) && g.Role.May(auth.WriteFeatures) {
			out = append(out, g.ReadScope())
		}
	}
	if len(out) == 0 {
		return who.Reach.Of(db.Internal).Normal()
	}
	return out.Normal()
}

// own are the areas somebody answers for: what is sent to a grid is for who has it, also
// where two grids of one township read the same.
func (s *Service) own(who auth.By) geo.Scopes {
	out := geo.Scopes{}
	now := s.opts.Now()
	for _, g := range who.Grants {
		if g.Valid(now) && g.Role.May(auth.WriteFeatures) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}

func fingerprint(r db.Reach, areas, own geo.Scopes) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(own.String()))
	_, _ = h.Write([]byte(areas.String()))
	_, _ = h.Write([]byte(r.Of(db.Internal).String()))
	_, _ = h.Write([]byte(r.Of(db.Sensitive).String()))
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Service) downNames() []string {
	names := make([]string, 0, len(s.downs))
	for name := range s.downs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// everything is the first download, page by page, at the position it began.
func (s *Service) everything(ctx context.Context, who auth.By, areas geo.Scopes, m mark, limit int) (Changes, error) {
	out := Changes{}
	names := s.downNames()
	first := m.kind == ""
	if first {
		var err error
		if out.Receipts, err = s.receipts(ctx, who, "receipts_since", s.opts.Now().Add(-receiptDays*24*time.Hour)); err != nil {
			return out, err
		}
	}
	for _, name := range names {
		if name < m.kind {
			continue
		}
		if name != m.kind {
			m.kind, m.area, m.after = name, 0, ""
		}
		in := areas
		if _, personal := s.downs[name].(Former); personal {
			in = geo.Scopes{{}} // his own are his wherever they lie, also where he has no area any more
		}
		for ; m.area < len(in); m.area, m.after = m.area+1, "" {
			for {
				want := limit - len(out.Changes)
				if want == 0 {
					out.Position, out.More = m.String(), true
					return out, nil
				}
				list, err := s.downs[name].All(ctx, who, in[m.area], m.after, want)
				if err != nil {
					return out, fmt.Errorf("sync: download %s: %w", name, err)
				}
				for _, r := range list {
					out.Changes = append(out.Changes, Change{Kind: name, Record: r})
					m.after = r.ID
				}
				if len(list) < want {
					break
				}
			}
		}
	}
	m.kind = ""
	out.Position = m.String()
	return out, nil
}

// touched is what the feed says of one record. That it was made within the page does not
// mean that he never had it: a first download reads later than the position it began at.
type touched struct {
	had bool // it was in his areas, and his to see
}

func (s *Service) since(ctx context.Context, who auth.By, areas geo.Scopes, m mark, limit int) (Changes, error) {
	if _, err := s.opts.Feed.Since(ctx, m.at, 1); err != nil {
		return Changes{}, err
	}
	end := s.opts.Feed.State().Position
	if !m.at.Less(end) {
		return Changes{Position: m.String()}, nil
	}
	names := s.downNames()
	seen := map[string]map[string]*touched{}
	order := map[string][]string{}
	var told []string
	echoes := s.echoes()
	own := map[string][]string{}
	rows, last := 0, m.at
	bulk := false
	err := s.opts.DB.Query.Ask(ctx, who.Reading(), s.queries.Get("changed"), []any{m.at.Xid, m.at.Seq, end.Xid, end.Seq, names, areas, who.Actor(), limit, slices.Sorted(maps.Keys(echoes)), s.personal()}, func(r pgx.Rows) error {
		for r.Next() {
			var layer, id, op string
			var before, after geo.Scopes
			if err := r.Scan(&last.Xid, &last.Seq, &layer, &id, &op, &before, &after); err != nil {
				return err
			}
			rows++
			if layer == "sync_receipt" {
				told = append(told, id)
				continue
			}
			if _, echo := echoes[layer]; echo {
				own[layer] = append(own[layer], id)
				continue
			}
			his := s.reachOf(who, layer)
			had, has := meets(before, areas, his), meets(after, areas, his)
			if op == string(feed.Bulk) {
				bulk = bulk || had || has
				continue
			}
			if seen[layer] == nil {
				seen[layer] = map[string]*touched{}
			}
			t := seen[layer][id]
			if t == nil {
				t = &touched{}
				seen[layer][id] = t
				order[layer] = append(order[layer], id)
			}
			t.had = t.had || had
		}
		return nil
	})
	if err != nil {
		return Changes{}, fmt.Errorf("sync: changes: %w", err)
	}
	if bulk {
		// An import touched more than can be named.
		return Changes{Reset: true, More: true}, nil
	}
	for _, table := range slices.Sorted(maps.Keys(own)) {
		name := echoes[table]
		ids, err := s.downs[name].(Echo).Echoed(ctx, who, own[table])
		if err != nil {
			return Changes{}, fmt.Errorf("sync: echoed %s: %w", name, err)
		}
		for _, id := range ids {
			if seen[name] == nil {
				seen[name] = map[string]*touched{}
			}
			if seen[name][id] == nil {
				seen[name][id] = &touched{}
				order[name] = append(order[name], id)
			}
		}
	}
	out := Changes{}
	m.at = end
	if rows == limit {
		m.at, out.More = last, true
	}
	out.Position = m.String()
	for _, name := range names {
		list, err := s.changed(ctx, who, areas, name, order[name], seen[name])
		if err != nil {
			return out, err
		}
		out.Changes = append(out.Changes, list...)
	}
	if len(told) > 0 {
		if out.Receipts, err = s.receipts(ctx, who, "receipts", told); err != nil {
			return out, err
		}
	}
	return out, nil
}

// personal are the kinds of which somebody is sent his own, wherever they lie.
func (s *Service) personal() []string {
	out := []string{}
	for name, d := range s.downs {
		if _, ok := d.(Former); ok {
			out = append(out, name)
		}
	}
	return out
}

// echoes are the tables whose rows of one's own send another kind's record anew.
func (s *Service) echoes() map[string]string {
	out := map[string]string{}
	for name, d := range s.downs {
		if e, ok := d.(Echo); ok {
			out[e.Echoes()] = name
		}
	}
	return out
}

// reachOf is where the asker may read rows of a kind: as of the layer, where it is one.
func (s *Service) reachOf(who auth.By, kind string) geo.Scopes {
	if l, ok := s.opts.Catalogue.Now().Layer(kind); ok {
		return who.Reach.Of(l.Visibility)
	}
	return who.Reach.Of(db.Internal)
}

// meets says whether a row with these scopes was in one of the areas and in the reach.
func meets(row, areas, reach geo.Scopes) bool {
	return slices.ContainsFunc(row, func(s geo.Scope) bool { return areas.Overlaps(s) && reach.Overlaps(s) })
}

func (s *Service) changed(ctx context.Context, who auth.By, areas geo.Scopes, name string, ids []string, seen map[string]*touched) ([]Change, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := s.downs[name].Changed(ctx, who, ids)
	if err != nil {
		return nil, fmt.Errorf("sync: changed %s: %w", name, err)
	}
	former, personal := s.downs[name].(Former)
	var out []Change
	for _, r := range list {
		t := seen[r.ID]
		if t == nil || !personal && !r.Scope.IsNull() && !areas.Overlaps(r.Scope) {
			continue // of another area: to forget, if he had it
		}
		out = append(out, Change{Kind: name, Record: r})
		delete(seen, r.ID)
	}
	var gone []string
	for _, id := range ids {
		if t := seen[id]; t != nil && (t.had || personal) {
			gone = append(gone, id)
		}
	}
	if personal && len(gone) > 0 {
		if gone, err = former.Former(ctx, who, gone); err != nil {
			return nil, fmt.Errorf("sync: former %s: %w", name, err)
		}
	}
	for _, id := range gone {
		out = append(out, Change{Kind: name, Gone: true, Record: Record{ID: id}})
	}
	return out, nil
}

func (s *Service) receipts(ctx context.Context, who auth.By, query string, arg any) ([]Receipt, error) {
	return s.receiptsUnder(ctx, who.Reading(), query, who.Actor(), arg)
}

func (s *Service) receiptsUnder(ctx context.Context, claims db.Claims, query, actor string, arg any) (out []Receipt, err error) {
	err = s.opts.DB.Query.Ask(ctx, claims, s.queries.Get(query), []any{actor, arg}, func(rows pgx.Rows) error {
		for rows.Next() {
			var r Receipt
			var at *time.Time
			if err := rows.Scan(&r.OpID, &r.ID, &r.Kind, &r.Status, &r.SeenBy, &at, &r.Reason.Zh, &r.Reason.En); err != nil {
				return err
			}
			if at != nil {
				r.SeenAt = *at
			}
			out = append(out, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sync: receipts: %w", err)
	}
	return out, nil
}
