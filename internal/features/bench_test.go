package features_test

import (
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/features"
	"onemap/internal/pgtest"
	"onemap/internal/registry"
)

// fill puts 150,000 named rows into the layers, most of them buildings.
func seedMany(b *testing.B, dsn pgtest.DSNs) {
	b.Helper()
	conn := pgtest.Connect(b, dsn.Admin)
	for _, sql := range []string{
		`set app.bulk = 'on'`,
		`create temp table w as select (array['清河','王家山','石桥','柳林','东湖','南坪','北岭','西沟'])[1 + i % 8] as a, (array['人民','中心','第一','实验','农业','水利','安置','商贸'])[1 + i / 8 % 8] as b, i as k from generate_series(0, 63) i`,
		`insert into buildings (code, name, use, geom) select 'FW' || lpad(i::text, 9, '0'), w.a || w.b || i || '号楼', 'residential', st_setsrid(st_makepoint(119 + (i::bigint * 7919 % 100000) / 100000.0, 34 + (i::bigint * 104729 % 100000) / 100000.0), 4490)
		 from generate_series(1, 120000) i join w on w.k = i % 64`,
		`insert into facilities (code, name, kind, geom) select 'SS' || i, w.a || w.b || (array['医院','小学','中学','卫生院','市场'])[1 + i % 5] || i, 'school', st_setsrid(st_makepoint(119 + (i::bigint * 7919 % 100000) / 100000.0, 34 + (i::bigint * 104729 % 100000) / 100000.0), 4490)
		 from generate_series(1, 25000) i join w on w.k = i % 64`,
		`insert into hazards (code, name, hazard, level, geom) select 'DZ' || i, w.a || '滑坡' || i, 'landslide', 1 + i % 4, st_setsrid(st_makepoint(119 + (i::bigint * 7919 % 100000) / 100000.0, 34 + (i::bigint * 104729 % 100000) / 100000.0), 4490)
		 from generate_series(1, 4999) i join w on w.k = i % 64`,
		`insert into admin (code, admin_code, name, rank, geom) values ('990100', '990100', '示例县', 3, st_setsrid(st_makeenvelope(119, 34, 120, 35), 4490))`,
		`analyze`,
	} {
		if _, err := conn.Exec(b.Context(), sql); err != nil {
			b.Fatalf("%s: %v", sql, err)
		}
	}
}

// BenchmarkSearch asks what people type over 150,000 names.
func BenchmarkSearch(b *testing.B) {
	dsn := pgtest.Database(b)
	seedMany(b, dsn)
	store, snap := open(b, dsn)
	for _, q := range []string{"医院", "清河", "清河人民", "人民医院", "滑坡49", "DZ49", "FW000001234", "示例县", "zzzz", "楼", "1号楼"} {
		b.Run(q, func(b *testing.B) {
			for b.Loop() {
				if _, err := store.Search(b.Context(), everybody(), features.SearchQuery{Text: q, Layers: snap.Layers, Limit: 20, Times: features.At(time.Now())}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkIdentify asks every layer at once.
func BenchmarkIdentify(b *testing.B) {
	dsn := pgtest.Database(b)
	seedMany(b, dsn)
	store, snap := open(b, dsn)
	for b.Loop() {
		if _, err := store.Identify(b.Context(), everybody(), features.IdentifyQuery{Layers: snap.Layers, Point: orb.Point{119.5, 34.5}, RadiusM: 100, Limit: 60, Times: features.At(time.Now())}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkItems reads a page of 100 in a box.
func BenchmarkItems(b *testing.B) {
	dsn := pgtest.Database(b)
	seedMany(b, dsn)
	store, snap := open(b, dsn)
	l := layer(b, snap, "buildings")
	box := []orb.Bound{{Min: orb.Point{119.4, 34.4}, Max: orb.Point{119.5, 34.5}}}
	for b.Loop() {
		if _, err := store.Items(b.Context(), everybody(), features.ItemsQuery{Layer: l, Boxes: box, Limit: 100, Times: features.At(time.Now())}); err != nil {
			b.Fatal(err)
		}
	}
}

func layer(tb testing.TB, snap *registry.Snapshot, id string) *registry.Layer {
	tb.Helper()
	l, ok := snap.Layer(strings.TrimSpace(id))
	if !ok {
		tb.Fatalf("no layer %s", id)
	}
	return l
}
