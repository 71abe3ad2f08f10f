package fallback

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/audit"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/internal/report"
)

// Order is a package to be made, and under whose rights. Claims write inside the area the
// grant reads, as a reveal asks for.
type Order struct {
	Claims    db.Claims
	Doer      audit.Doer
	Area      string // "" is everywhere
	Reason    string
	By        string // printed in it
	Automatic bool
}

// Make writes a package. The look at every number is in the audit before it is read; a
// failure is in the list too.
func (s *Service) Make(ctx context.Context, o Order, step func(done, total int, what string)) (Package, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	p := Package{ID: newID(s.now()), Area: o.Area, Actor: o.By, Reason: o.Reason, Automatic: o.Automatic, AsOf: s.now(), Counts: map[string]int{}}
	err := s.make(ctx, o, &p, step)
	if err != nil {
		p.Failed, p.File = clip(err.Error()), ""
	}
	if noted := s.record(context.WithoutCancel(ctx), p); noted != nil {
		s.log.Error("fallback: a package was not noted", "err", noted)
		if err == nil {
			err = noted
		}
	}
	return p, wrap("make", err)
}

func (s *Service) make(ctx context.Context, o Order, p *Package, step func(done, total int, what string)) error {
	k, err := s.Ready()
	if err != nil {
		return err
	}
	if k.Iterations < iterations {
		return ErrNoPassphrase
	}
	o.Doer.Actor = strings.TrimSpace(o.Doer.Actor)
	content, err := s.gather(ctx, o, p)
	if err != nil {
		return err
	}
	list, err := content.Files(ctx, step)
	if err != nil {
		return err
	}
	rules := s.Rules()
	name := fileName(o.Area, p.AsOf.UTC())
	sum, size := sha256.New(), counter(0)
	err = atomically(filepath.Join(s.dir, name), 0o640, func(w io.Writer) error {
		return Seal(io.MultiWriter(w, sum, &size), k, Face{Title: content.Title, Area: o.Area, AsOf: p.AsOf, Zone: content.Zone, Warn: rules.Warn}, list)
	})
	if err != nil {
		return err
	}
	p.File, p.Bytes, p.SHA256 = name, int64(size), hex.EncodeToString(sum.Sum(nil))
	p.Counts["files"], p.Counts["maps"] = len(list), len(content.Townships)
	if err := s.prune(o.Area, rules.Keep); err != nil {
		s.log.Warn("fallback: old packages stay", "err", err)
	}
	return nil
}

type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// newID is a UUID of version 7 (RFC 9562 §5.7).
func newID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never fails
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(b[:6], ms[2:])
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (s *Service) record(ctx context.Context, p Package) error {
	counts, err := json.Marshal(p.Counts)
	if err != nil {
		return err
	}
	return s.db.Bulk.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.queries.Get("record"), p.ID, p.Area, p.File, p.Bytes, p.SHA256, counts, p.Automatic, p.Actor, p.Reason, p.AsOf, p.Failed)
		return err
	})
}

// begin says whether tonight's package is this node's to make.
func (s *Service) begin(ctx context.Context, due time.Time) (mine bool, err error) {
	err = s.db.Bulk.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, s.queries.Get("begun"), "", due).Scan(&mine)
	})
	return mine, err
}

// Packages are those of the areas (nil: all), the newest first.
func (s *Service) Packages(ctx context.Context, areas []string, limit int) ([]Package, error) {
	var out []Package
	err := s.db.Query.Tx(ctx, db.System("onemap"), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.queries.Get("packages"), areas, min(max(limit, 1), 200))
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Package, err error) {
			var counts []byte
			err = row.Scan(&p.ID, &p.Area, &p.File, &p.Bytes, &p.SHA256, &counts, &p.Automatic, &p.Actor, &p.Reason, &p.AsOf, &p.MadeAt, &p.Failed)
			if err == nil {
				err = json.Unmarshal(counts, &p.Counts)
			}
			return p, err
		})
		return err
	})
	return out, wrap("list", err)
}

// gather reads everything a package holds, in one snapshot but for the numbers, whose
// reveal is committed first.
func (s *Service) gather(ctx context.Context, o Order, p *Package) (Content, error) {
	snap := s.catalogue.Now()
	c := Content{Area: o.Area, Reason: o.Reason, By: o.By, AsOf: p.AsOf, Zone: snap.Location()}
	people, err := s.contacts.RevealAll(ctx, o.Claims, o.Doer, o.Area, o.Reason)
	if err != nil {
		return c, err
	}
	var area any
	if o.Area != "" {
		scope, err := geo.ParseScope(o.Area)
		if err != nil {
			return c, err
		}
		area = scope
	}
	g := &gatherer{s: s, ctx: ctx, area: area, snap: snap, units: map[string]string{}}
	err = s.db.Bulk.Tx(ctx, o.Claims, func(tx pgx.Tx) error {
		g.tx = tx
		if err := tx.QueryRow(ctx, s.queries.Get("area"), o.Area).Scan(&c.AreaTitle); err != nil {
			return err
		}
		if c.AreaTitle == "" {
			c.AreaTitle = "全域"
		}
		c.Title = "兜底包 " + c.AreaTitle
		c.Notes = []string{"含联系方式等敏感信息，只供应急时使用，用后收回。", "避难场所的开放状态与空位以电话核实为准。"}
		if err := g.rows("units", []any{area}, func(v []any) { g.units[str(v[0])] = str(v[1]) }); err != nil {
			return err
		}
		for _, contact := range people.Contacts {
			if contact.Kind == "attribute" || contact.Kind == "household" {
				continue
			}
			c.Contacts.Rows = append(c.Contacts.Rows, Row{contact.Area, []any{g.unit(contact.Area), duty(contact.Kind, contact.Role), contact.Unit, contact.Post, contact.Person, contact.Fields["phone"], contact.Deputy, contact.Fields["deputy_phone"]}})
		}
		for _, h := range people.Households {
			c.Moves.Rows = append(c.Moves.Rows, Row{h.Area, []any{g.unit(h.Area), h.Head, h.Address, h.Persons, h.Elderly, h.Children, h.Disabled, h.Phone, h.Move}})
		}
		c.Contacts.Name, c.Contacts.Columns = "通讯录", columns("辖区", "职责", "单位", "职务", "姓名", "电话", "代理人", "代理人电话")
		c.Moves.Name, c.Moves.Columns = "转移清单", columns("辖区", "户主", "住址", "人数", "老人", "儿童", "残疾", "电话", "转移要求")
		if err := g.lists(&c); err != nil {
			return err
		}
		return g.townships(&c)
	})
	for name, section := range map[string]Section{"contacts": c.Contacts, "households": c.Moves, "ways": c.Ways, "hazards": c.Hazards, "shelters": c.Shelters, "stores": c.Stores, "teams": c.Teams} {
		p.Counts[name] = len(section.Rows)
	}
	return c, err
}

func columns(titles ...string) []report.Column {
	out := make([]report.Column, len(titles))
	for i, t := range titles {
		out[i] = report.Column{Title: t}
	}
	return out
}

// duty is what somebody answers for, in words.
func duty(kind, role string) string {
	if kind == "duty" {
		if role == "leader" {
			return "带班领导"
		}
		return "值班"
	}
	switch role {
	case "administrative":
		return "行政责任人"
	case "technical":
		return "技术责任人"
	case "patrol":
		return "巡查责任人"
	}
	return role
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

// gatherer reads the lists of one package.
type gatherer struct {
	s     *Service
	ctx   context.Context //nolint:containedctx // lives as long as one package is made
	tx    pgx.Tx
	area  any
	snap  *registry.Snapshot
	units map[string]string
}

func (g *gatherer) rows(query string, args []any, each func([]any)) error {
	rows, err := g.tx.Query(g.ctx, g.s.queries.Get(query), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	for rows.Next() {
		v, err := rows.Values()
		if err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
		each(v)
	}
	return rows.Err()
}

// unit is the name of a unit, with those around it it is known by.
func (g *gatherer) unit(code string) string {
	var parts []string
	for _, n := range []int{9, 12, 15} {
		if len(code) >= n && g.units[code[:n]] != "" {
			parts = append(parts, g.units[code[:n]])
		}
	}
	if len(parts) == 0 && g.units[code] != "" {
		parts = append(parts, g.units[code])
	}
	if len(parts) == 0 {
		return code
	}
	return strings.Join(parts, " ")
}

func (g *gatherer) title(list, code string) string {
	if l, ok := g.snap.CodeLists[list]; ok {
		if it, ok := l.Item(code); ok {
			return it.Title.ZH
		}
	}
	return code
}

// lists fills the lists that hold nobody's number. A column named !list is a code.
func (g *gatherer) lists(c *Content) error {
	for _, l := range []struct {
		query   string
		to      *Section
		name    string
		columns []string
		codes   map[int]string
	}{
		{"hazards", &c.Hazards, "隐患点", []string{"辖区", "编号", "名称", "灾种", "等级", "状态", "威胁户数", "威胁人数", "监测人", "位置", "避难场所", "措施", "经度", "纬度"}, map[int]string{3: "hazard", 5: "hazard_state"}},
		{"shelters", &c.Shelters, "避难场所", []string{"辖区", "名称", "类别", "状态", "可容纳", "在住", "已预留", "核实时间", "地址", "管理单位", "经度", "纬度"}, map[int]string{2: "shelter_class", 3: "shelter_state"}},
		{"stores", &c.Stores, "物资储备", []string{"辖区", "名称", "级别", "地址", "管理单位", "物资"}, map[int]string{2: "warehouse_grade"}},
		{"teams", &c.Teams, "队伍", []string{"辖区", "名称", "类型", "人数", "专长", "装备", "单位", "驻地", "状态"}, map[int]string{2: "team_kind", 8: "team_state"}},
		{"ways", &c.Ways, "转移路线", []string{"辖区", "路线", "集合点", "避难场所", "人数", "说明", "长度（米）", "批准"}, nil},
	} {
		l.to.Name, l.to.Columns = l.name, columns(l.columns...)
		err := g.rows(l.query, []any{g.area}, func(v []any) {
			code := str(v[0])
			cells := append([]any{}, v...)
			cells[0] = g.unit(code)
			for i, list := range l.codes {
				cells[i] = g.title(list, str(v[i]))
			}
			for i, cell := range cells {
				if t, ok := cell.(time.Time); ok {
					cells[i] = t.In(c.Zone)
				}
			}
			l.to.Rows = append(l.to.Rows, Row{code, cells})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// townships draws the map of each township.
func (g *gatherer) townships(c *Content) error {
	type town struct {
		code, name string
		area       orb.MultiPolygon
	}
	var towns []town
	rows, err := g.tx.Query(g.ctx, g.s.queries.Get("townships"), g.area)
	if err != nil {
		return err
	}
	towns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t town, err error) {
		var shape geo.Shape
		err = row.Scan(&t.code, &t.name, &shape)
		t.area = polygons(shape.Geometry)
		return t, err
	})
	if err != nil {
		return err
	}
	for _, t := range towns {
		if len(t.area) == 0 {
			continue // not placed: it has no map
		}
		b := t.area.Bound()
		// A mark is a sixtieth of the sheet, whatever its scale.
		radius := math.Max((b.Max[1]-b.Min[1])*111_000, (b.Max[0]-b.Min[0])*111_000*math.Cos(b.Center()[1]*math.Pi/180)) / 120
		sh, err := g.sheet(*c, t.name, t.area, radius)
		if err != nil {
			return fmt.Errorf("map of %s: %w", t.name, err)
		}
		c.Townships = append(c.Townships, Township{t.code, t.name, sh})
	}
	return nil
}

func (g *gatherer) sheet(c Content, name string, area orb.MultiPolygon, radius float64) (report.Sheet, error) {
	var none report.Sheet
	shape := geo.Shape{Geometry: area}
	rows, err := g.tx.Query(g.ctx, g.s.queries.Get("marks"), g.area, shape, radius)
	if err != nil {
		return none, err
	}
	n := 0
	marks, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (z report.Zone, err error) {
		var at geo.Shape
		n++
		err = row.Scan(&z.Level, &z.Name, &at)
		z.ID, z.Shape = fmt.Sprint(n), polygons(at.Geometry)
		return z, err
	})
	if err != nil {
		return none, err
	}
	box := geo.Shape{Geometry: area.Bound().ToPolygon()}
	if rows, err = g.tx.Query(g.ctx, g.s.queries.Get("lines"), box); err != nil {
		return none, err
	}
	lines, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l report.Line, err error) {
		var at geo.Shape
		err = row.Scan(&l.Class, &l.Name, &at)
		l.Line, _ = at.Geometry.(orb.MultiLineString)
		return l, err
	})
	if err != nil {
		return none, err
	}
	if rows, err = g.tx.Query(g.ctx, g.s.queries.Get("places"), shape); err != nil {
		return none, err
	}
	places, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p report.Place, err error) {
		var at geo.Shape
		err = row.Scan(&p.Class, &p.Name, &at)
		p.At, _ = at.Geometry.(orb.Point)
		return p, err
	})
	return sheet(c, name, area, marks, lines, places), err
}

// polygons are the areas of a shape.
func polygons(g orb.Geometry) orb.MultiPolygon {
	switch g := g.(type) {
	case orb.Polygon:
		return orb.MultiPolygon{g}
	case orb.MultiPolygon:
		return g
	case orb.Collection:
		var out orb.MultiPolygon
		for _, part := range g {
			out = append(out, polygons(part)...)
		}
		return out
	}
	return nil
}
