package fallback_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/fallback"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
	"onemap/internal/restricted"
)

const passphrase = "三更灯火五更鸡 2026"

type house struct {
	t   *testing.T
	s   *fallback.Service
	dsn pgtest.DSNs
	dir string
	now time.Time
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dsn: pgtest.Database(t), dir: t.TempDir(), now: time.Now()}
	conn := pgtest.Writer(t, h.dsn.App)
	for _, sql := range []string{
		`select set_config('app.role', 'system', false), set_config('app.actor', 'test', false)`,
		`insert into admin (code, admin_code, name, rank, geom) select v.code, v.code, v.name, v.rank, st_setsrid(st_makeenvelope(v.x, 34, v.x + v.w, 34 + v.w), 4490)
		 from (values ('990100', '甲县', 3, 119.0, 0.5), ('990100101', '东镇', 4, 119.0, 0.2), ('990100101001', '一村', 5, 119.05, 0.05), ('990200', '乙县', 3, 120.0, 0.5)) v(code, name, rank, x, w)`,
		`insert into shelters (name, admin_code, class, state, capacity, occupancy, confirmed_at, geom) values ('一中', '990100101001', 'long', 'open', 100, 3, now(), st_setsrid(st_makepoint(119.1, 34.1), 4490))`,
		`insert into hazards (name, admin_code, hazard, level, threatened_persons, geom) values ('后山滑坡<b>', '990100101001', 'landslide', 1, 40, st_setsrid(st_makepoint(119.06, 34.06), 4490))`,
		`insert into roads (name, class, admin_code, geom) values ('县道', 'county', '990100101', st_setsrid(st_makeline(st_makepoint(119.0, 34.1), st_makepoint(119.2, 34.12)), 4490))`,
		`insert into responsibility (id, kind, admin_code, scope, unit, post, person) values ('01900000-0000-7000-b000-0000000000c1', 'patrol', '990100101001', code_scope('990100101001'), '村委会', '村长', '张三'), ('01900000-0000-7000-b000-0000000000c2', 'patrol', '990200', code_scope('990200'), '乙县', '县长', '李四')`,
		`insert into restricted.contact (responsibility, phone) values ('01900000-0000-7000-b000-0000000000c1', '13712345678'), ('01900000-0000-7000-b000-0000000000c2', '13787654321')`,
		`insert into restricted.household (admin_code, scope, head, phone, address, must_move, move) values ('990100101001', code_scope('990100101001'), '王五', '13700001111', '村口', true, '先转移')`,
		`insert into evacuation_routes (title, area, shelter_name, approved_by, approved_at, state, geom) values ('一村到一中', '990100101001', '一中', '县指挥部', '2026-01-01', 'approved', st_setsrid(st_makeline(st_makepoint(119.06, 34.06), st_makepoint(119.1, 34.1)), 4490))`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	d, err := db.Open(t.Context(), db.Options{DSN: h.dsn.App})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	reg, err := registry.Open(t.Context(), d.Query)
	if err != nil {
		t.Fatal(err)
	}
	contacts, err := restricted.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	h.s, err = fallback.Open(fallback.Options{DB: d, Catalogue: reg, Contacts: contacts, KeyFile: filepath.Join(t.TempDir(), "fallback.key"), Dir: h.dir, Now: func() time.Time { return h.now }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// unseal opens a package as the browser does, with none of the package's own code.
func unseal(t *testing.T, page []byte, pass string) (map[string][]byte, error) {
	t.Helper()
	attr := func(name string) string {
		m := regexp.MustCompile(name + `="([^"]*)"`).FindSubmatch(page)
		if m == nil {
			t.Fatalf("the page has no %s", name)
		}
		return html.UnescapeString(string(m[1]))
	}
	raw := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	n, err := strconv.Atoi(attr("data-iterations"))
	if err != nil || n < 600_000 {
		t.Fatalf("%d iterations, %v", n, err)
	}
	key, err := pbkdf2.Key(sha256.New, pass, raw(attr("data-salt")), n, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?s)<script id="payload"[^>]*>([^<]*)</script>`).FindSubmatch(page)
	plain, err := gcm.Open(nil, raw(attr("data-nonce")), raw(string(body[1])), []byte(attr("data-as-of")))
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(plain)
	var list []struct {
		Name string `json:"name"`
		Size int    `json:"size"`
	}
	if err := json.Unmarshal(plain[4:4+size], &list); err != nil {
		t.Fatal(err)
	}
	out, at := map[string][]byte{}, int(4+size)
	for _, f := range list {
		out[f.Name] = plain[at : at+f.Size]
		at += f.Size
	}
	return out, nil
}

func (h *house) order(area string) fallback.Order {
	claims := db.System("test")
	if area != "" {
		g := auth.Grant{ID: "g", Role: auth.Commander, Area: area, From: time.Now().Add(-time.Hour)}
		id := &auth.Identity{Kind: auth.Session, Account: "a", Username: "chief", Grants: []auth.Grant{g}, Reach: auth.ReachOf([]auth.Grant{g}, time.Now(), 1)}
		claims = id.Writing(g)
	}
	return fallback.Order{Claims: claims, Doer: audit.Doer{Actor: "chief", Request: "test"}, Area: area, Reason: "台风前备份", By: "指挥员"}
}

func quiet(int, int, string) {}

func TestQueriesPrepare(t *testing.T) {
	q, err := fallback.Queries()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Prepare(t.Context(), pgtest.Connect(t, pgtest.Database(t).App)); err != nil {
		t.Error(err)
	}
}

func TestPackage(t *testing.T) {
	h := open(t)
	if _, err := h.s.Make(t.Context(), h.order("990100"), quiet); !errors.Is(err, fallback.ErrNoPassphrase) {
		t.Fatalf("without a passphrase: %v", err)
	}
	if _, err := h.s.SetPassphrase("short"); err == nil {
		t.Error("a short passphrase")
	}
	if _, err := h.s.SetPassphrase(passphrase); err != nil {
		t.Fatal(err)
	}
	p, err := h.s.Make(t.Context(), h.order("990100"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(h.dir, p.File))
	if err != nil || int64(len(page)) != p.Bytes {
		t.Fatalf("%d bytes of %d, %v", len(page), p.Bytes, err)
	}
	for _, secret := range []string{"13712345678", "张三", "王五", "后山滑坡", passphrase} {
		if bytes.Contains(page, []byte(secret)) {
			t.Errorf("%s stands in clear", secret)
		}
	}
	if _, err := unseal(t, page, "三更灯火五更鸡 2025"); err == nil {
		t.Error("another passphrase opens it")
	}
	if _, err := unseal(t, bytes.Replace(page, []byte(`data-as-of="2`), []byte(`data-as-of="3`), 1), passphrase); err == nil {
		t.Error("a changed age opens")
	}
	in, err := unseal(t, page, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	all := string(in["全部清单.html"])
	for _, want := range []string{"13712345678", "张三", "王五", "13700001111", "后山滑坡&lt;b&gt;", "一中", "一村到一中", "先转移"} {
		if !strings.Contains(all, want) {
			t.Errorf("without %s", want)
		}
	}
	if strings.Contains(all, "13787654321") {
		t.Error("a number of another county")
	}
	if !bytes.HasPrefix(in["A3图/东镇.pdf"], []byte("%PDF")) || !bytes.HasPrefix(in["表格/兜底清单.xlsx"], []byte("PK")) || !strings.Contains(string(in["乡镇/东镇.html"]), "张三") {
		t.Errorf("files: %d", len(in))
	}
	if p.Counts["contacts"] != 1 || p.Counts["households"] != 1 || p.Counts["maps"] != 1 {
		t.Errorf("%v", p.Counts)
	}
	// The look is in the audit, with the reason and the counts.
	var reason, after string
	if err := pgtest.Connect(t, h.dsn.Admin).QueryRow(t.Context(), `select reason, after::text from audit.entry where action = 'restricted.reveal'`).Scan(&reason, &after); err != nil || reason != "台风前备份" || !strings.Contains(after, `"contacts": 1`) {
		t.Errorf("the audit: %q %q %v", reason, after, err)
	}
	list, err := h.s.Packages(t.Context(), nil, 10)
	if err != nil || len(list) != 2 || list[0].File != p.File || list[1].Failed == "" {
		t.Errorf("%+v %v", list, err)
	}
}

func TestKeepsTheNewestAndMakesOneANight(t *testing.T) {
	h := open(t)
	if err := h.s.Nightly(t.Context()); err != nil {
		t.Errorf("without a passphrase the night passes: %v", err)
	}
	if _, err := h.s.SetPassphrase(passphrase); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := h.s.Nightly(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	files := func() []string {
		l, err := filepath.Glob(filepath.Join(h.dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if n := len(files()); n != 1 {
		t.Errorf("%d packages in one night", n)
	}
	for range 8 {
		h.now = h.now.Add(24 * time.Hour)
		if _, err := h.s.Make(t.Context(), h.order(""), quiet); err != nil {
			t.Fatal(err)
		}
	}
	if l := files(); len(l) != 7 || !strings.Contains(l[6], h.now.UTC().Format("20060102")) {
		t.Errorf("%d packages stay: %v", len(l), l)
	}
}

// TestNothingHalf: where the second place is gone nothing is left behind, and it is said.
func TestNothingHalf(t *testing.T) {
	h := open(t)
	if _, err := h.s.SetPassphrase(passphrase); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(h.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := h.s.Make(context.Background(), h.order(""), quiet); err == nil {
		t.Fatal("written into nothing")
	}
	list, err := h.s.Packages(t.Context(), nil, 10)
	if err != nil || len(list) != 1 || list[0].Failed == "" {
		t.Errorf("%+v %v", list, err)
	}
}
