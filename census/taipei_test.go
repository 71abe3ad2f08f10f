package census

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const taipeiManifest = "testdata/taipei.yaml"

// taipei gives the real city's manifest and where its data lies, outside the
// repository.
func taipei(t testing.TB) (*Manifest, string) {
	t.Helper()
	text, err := os.ReadFile(taipeiManifest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	root := m.ResolveRoot(taipeiManifest, "")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the real city's data is not here (%s); this test needs it", root)
	}
	return m, root
}

// Every file of the package is mapped by exactly one entry.
func TestTaipeiManifestMapsEveryFile(t *testing.T) {
	m, root := taipei(t)
	mapped := map[string]int{}
	for i := range m.Files {
		files, err := m.Files[i].files(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			mapped[f]++
		}
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if mapped[path] != 1 {
			t.Errorf("%s is mapped %d times", path, mapped[path])
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTaipei(t *testing.T) {
	_, _ = taipei(t)
	h := newHouse(t)
	ctx := context.Background()
	reports, err := h.ImportManifest(ctx, taipeiManifest, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Report{}
	for _, r := range reports {
		t.Logf("%-28s %6.2fs %+v", r.Dataset, r.Elapsed.Seconds(), r.Counts)
		byName[strings.TrimPrefix(r.Dataset, "taipei/")] = r
		if !r.Counts.Balanced() || r.Counts.Rejected != 0 {
			t.Errorf("%s: %+v", r.Dataset, r.Counts)
		}
		for name, c := range r.Files {
			if !c.Balanced() {
				t.Errorf("%s: %+v", name, *c)
			}
		}
	}
	for name, want := range map[string]struct{ read, quarantined, unplaced int64 }{
		"admin_district": {12, 0, 0}, "admin_village": {456, 0, 0}, "population": {11490, 0, 0}, "roads": {4672, 0, 0}, "vulnerable": {456, 0, 0},
		"flood": {5414, 0, 0}, "liquefaction": {136, 0, 0}, "debris_flow": {45, 0, 0}, "old_slope_settlement": {32, 0, 0}, "medical": {3657, 0, 0},
		"fire_brigade": {46, 0, 0}, "police": {113, 0, 0}, "condemned_building": {117, 0, 0}, "tagged_building": {47, 0, 0}, "narrow_alley": {269, 0, 0}, "fire_venue": {435, 0, 0},
		"levee": {35, 0, 0}, "floodgate_pump": {74, 0, 1}, "sewer_level": {135, 0, 1}, "service_requests": {2817, 0, 0}, "factories": {1896, 0, 1896},
		"shelters": {272, 2, 0}, "shelters_designated": {260, 0, 0}, "airraid_shelters": {5914, 8, 0},
	} {
		if c := byName[name].Counts; c.Read != want.read || c.Quarantined != want.quarantined || c.Unplaced != want.unplaced {
			t.Errorf("%s: %+v, want %+v", name, c, want)
		}
	}
	// What is known to be wrong with the data is found.
	hasRule(t, byName["admin_village"], Warning, RuleRepaired, 3)
	hasRule(t, byName["flood"], Warning, RuleRepaired, 65)
	hasRule(t, byName["population"], Warning, RuleMissing, 630)
	hasRule(t, byName["airraid_shelters"], Quarantined, RuleOutside, 8)
	hasRule(t, byName["shelters"], Quarantined, RuleOutside, 2)
	hasRule(t, byName["sewer_level"], Warning, RuleNullGeometry, 1)
	for sql, want := range map[string]string{
		`select sum(population)::text from population`: "2689272",
		// One of the 367 lies outside the city and waits in quarantine.
		`select (count(*) + (select count(*) from import_issue where kind = 'quarantined' and original->>'description' = '1111206例行性測試'))::text
		 from incidents where exercise and description = '1111206例行性測試'`: "367",
		`select count(*)::text from incidents where exercise and description !~ '測試'`: "0",
		`select count(*)::text from incidents where kind = 'hotline'`:                 "2817",
		`select (sum(capacity) + (select sum((original->>'capacity')::int) from import_issue where kind = 'quarantined' and file = 'airraid_shelters.geojson'))::text
		 from shelters where class = 'air_raid'`: "13208271",
		// One address names no district of the city.
		`select count(*)::text from enterprises where geom is null and scope <@ code_scope('63000')`:                                               "1895",
		`select count(*)::text from enterprises where state = 'production'`:                                                                        "523",
		`select string_agg(n::text, '/' order by level) from (select level, count(*) n from hazard_areas where subtype = '土壤液化' group by level) x`: "38/45/53",
		`select count(*)::text from vulnerable where total is null or admin_code is null`:                                                          "0",
		`select count(*)::text from admin where rank = 5 and parent_code not in (select code from admin where rank = 3)`:                           "0",
		`select value->>'code' from setting where key = 'home'`:                                                                                    "63000",
		`select count(*)::text from import_original where reason = 'repaired'`:                                                                     "76",
		`select count(*)::text from roads where attrs ? 'length_m'`:                                                                                "4672",
		`select count(*)::text from sensors where value_at is null`:                                                                                "0",
	} {
		if got := one[string](t, h, sql); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
	feed := one[int64](t, h, `select count(*) from change_log`)
	again, err := h.ImportManifest(ctx, taipeiManifest, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range again {
		c := r.Counts
		if c.Inserted != 0 || c.Updated != 0 || c.Deleted != 0 || c.Unchanged != c.Accepted || c.Read != byName[strings.TrimPrefix(r.Dataset, "taipei/")].Counts.Read {
			t.Errorf("imported again, %s changed: %+v", r.Dataset, c)
		}
	}
	if after := one[int64](t, h, `select count(*) from change_log`); after != feed {
		t.Errorf("the second import left %d rows in the feed", after-feed)
	}
}
