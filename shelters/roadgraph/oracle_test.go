package roadgraph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/pgtest"
	"onemap/shelters/roadgraph"
)

// sample is the network of pgRouting 3.4's documentation ("Sample Data"), made as it is
// there.
const sample = `
create table edges (id bigserial primary key, source bigint, target bigint, cost float8, reverse_cost float8, geom geometry);
insert into edges (cost, reverse_cost, geom) values
 ( 1,  1, st_makeline(st_point(2, 0), st_point(2, 1))), (-1,  1, st_makeline(st_point(2, 1), st_point(3, 1))),
 (-1,  1, st_makeline(st_point(3, 1), st_point(4, 1))), ( 1,  1, st_makeline(st_point(2, 1), st_point(2, 2))),
 ( 1, -1, st_makeline(st_point(3, 1), st_point(3, 2))), ( 1,  1, st_makeline(st_point(0, 2), st_point(1, 2))),
 ( 1,  1, st_makeline(st_point(1, 2), st_point(2, 2))), ( 1,  1, st_makeline(st_point(2, 2), st_point(3, 2))),
 ( 1,  1, st_makeline(st_point(3, 2), st_point(4, 2))), ( 1,  1, st_makeline(st_point(2, 2), st_point(2, 3))),
 ( 1, -1, st_makeline(st_point(3, 2), st_point(3, 3))), ( 1, -1, st_makeline(st_point(2, 3), st_point(3, 3))),
 ( 1, -1, st_makeline(st_point(3, 3), st_point(4, 3))), ( 1,  1, st_makeline(st_point(2, 3), st_point(2, 4))),
 ( 1,  1, st_makeline(st_point(4, 2), st_point(4, 3))), ( 1,  1, st_makeline(st_point(4, 1), st_point(4, 2))),
 ( 1,  1, st_makeline(st_point(0.5, 3.5), st_point(1.999999999999, 3.5))), ( 1,  1, st_makeline(st_point(3.5, 2.3), st_point(3.5, 4)));
create table vertices as select * from pgr_extractvertices('select id, geom from edges order by id');
update edges set source = v.id from vertices v where st_startpoint(edges.geom) = v.geom;
update edges set target = v.id from vertices v where st_endpoint(edges.geom) = v.geom;`

// network reads what is in the table edges.
func network(t *testing.T, conn *pgx.Conn) *roadgraph.Graph {
	t.Helper()
	rows, err := conn.Query(t.Context(), `select id, source, target, cost, reverse_cost from edges order by id`)
	if err != nil {
		t.Fatal(err)
	}
	edges, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e roadgraph.Edge, err error) {
		var there, back float64
		err = row.Scan(&e.ID, &e.From, &e.To, &there, &back)
		e.Cost[roadgraph.Walk] = [2]float64{there, back}
		e.Cost[roadgraph.Drive] = [2]float64{max(there, back), max(there, back)} // directed => false
		return e, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return roadgraph.Build(edges)
}

func exec(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%.60s: %v", sql, err)
	}
}

// costs asks pgRouting what lies within a limit.
func costs(t *testing.T, conn *pgx.Conn, source int64, limit float64, directed bool) map[int64]float64 {
	t.Helper()
	rows, err := conn.Query(t.Context(), `select node, agg_cost from pgr_drivingdistance('select id, source, target, cost, reverse_cost from edges', $1::bigint, $2::float8, $3::bool)`, source, limit, directed)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]float64{}
	var node int64
	var cost float64
	if _, err := pgx.ForEachRow(rows, []any{&node, &cost}, func() error { out[node] = cost; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

func ours(g *roadgraph.Graph, source int64, limit float64, p roadgraph.Profile, toward bool) map[int64]float64 {
	n, ok := g.Node(source)
	if !ok {
		return map[int64]float64{}
	}
	r := g.All().Within(roadgraph.Search{Profile: p, Sources: []roadgraph.Source{{Node: n}}, Limit: limit, Toward: toward})
	out := map[int64]float64{}
	for i := range int32(g.Nodes()) {
		if c, ok := r.Cost(i); ok {
			out[g.ID(i)] = c
		}
	}
	return out
}

func equal(t *testing.T, what string, got, want map[int64]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d nodes, pgRouting %d\n%v\n%v", what, len(got), len(want), got, want)
		return
	}
	for n, c := range want {
		if g, ok := got[n]; !ok || math.Abs(g-c) > 1e-9 {
			t.Errorf("%s: node %d costs %v, pgRouting %v", what, n, g, c)
		}
	}
}

// TestThePgRoutingSample compares with what the documentation prints, and with the real
// extension over every pair of the sample.
func TestThePgRoutingSample(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	exec(t, conn, sample)
	g := network(t, conn)
	if g.Nodes() != 17 || g.Edges() != 18 {
		t.Fatalf("%d nodes and %d edges", g.Nodes(), g.Edges())
	}
	// pgr_drivingDistance, 11, 3.0, directed and not: the tables of its page.
	equal(t, "documented, directed", ours(g, 11, 3, roadgraph.Walk, false),
		map[int64]float64{11: 0, 7: 1, 12: 1, 16: 1, 3: 2, 6: 2, 8: 2, 15: 2, 17: 2, 1: 3, 5: 3, 9: 3, 10: 3})
	equal(t, "documented, undirected", ours(g, 11, 3, roadgraph.Drive, false),
		map[int64]float64{11: 0, 7: 1, 10: 1, 12: 1, 16: 1, 3: 2, 6: 2, 8: 2, 15: 2, 17: 2, 1: 3, 5: 3, 9: 3})
	// pgr_dijkstra, 6 to 10: the first table of its page.
	from, _ := g.Node(6)
	to, _ := g.Node(10)
	r := g.All().Within(roadgraph.Search{Sources: []roadgraph.Source{{Node: from}}, Until: []int32{to}})
	var way []int64
	for _, s := range r.Path(to) {
		way = append(way, g.Edge(s.Edge).ID)
	}
	if c, _ := r.Cost(to); c != 5 || !slices.Equal(way, []int64{4, 8, 9, 16, 3}) {
		t.Errorf("6 to 10 costs %v along %v; documented 5 along 4 8 9 16 3", c, way)
	}
	for n := range int64(17) {
		for _, limit := range []float64{1, 3, 100} {
			equal(t, fmt.Sprint("directed from ", n+1), ours(g, n+1, limit, roadgraph.Walk, false), costs(t, conn, n+1, limit, true))
			equal(t, fmt.Sprint("undirected from ", n+1), ours(g, n+1, limit, roadgraph.Drive, false), costs(t, conn, n+1, limit, false))
		}
	}
	pairs(t, conn, g, "sample", 17)
}

// pairs compares the cost between all nodes with pgr_dijkstracost, both ways of asking:
// from a source, and toward a target.
func pairs(t *testing.T, conn *pgx.Conn, g *roadgraph.Graph, what string, n int64) {
	t.Helper()
	rows, err := conn.Query(t.Context(), `select start_vid, end_vid, agg_cost from pgr_dijkstracost('select id, source, target, cost, reverse_cost from edges',
		array(select generate_series(1, $1::bigint)), array(select generate_series(1, $1::bigint)), true)`, n)
	if err != nil {
		t.Fatal(err)
	}
	from, to := map[int64]map[int64]float64{}, map[int64]map[int64]float64{}
	var a, b int64
	var c float64
	if _, err := pgx.ForEachRow(rows, []any{&a, &b, &c}, func() error {
		for _, m := range []struct {
			in   map[int64]map[int64]float64
			x, y int64
		}{{from, a, b}, {to, b, a}} {
			if m.in[m.x] == nil {
				m.in[m.x] = map[int64]float64{m.x: 0}
			}
			m.in[m.x][m.y] = c
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for node, want := range from {
		equal(t, fmt.Sprint(what, " from ", node), ours(g, node, 0, roadgraph.Walk, false), want)
	}
	for node, want := range to {
		equal(t, fmt.Sprint(what, " toward ", node), ours(g, node, 0, roadgraph.Walk, true), want)
	}
}

// TestRandomNetworks: one-way streets, parallel edges, loops, pieces apart.
func TestRandomNetworks(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t).Admin)
	rng := rand.New(rand.NewPCG(6, 2026))
	for round := range 12 {
		n := 10 + rng.Int64N(60)
		var values []string
		for range n * 2 {
			cost := func() float64 {
				if rng.IntN(4) == 0 {
					return -1
				}
				return float64(rng.IntN(40)) / 4 // ties, and steps that cost nothing
			}
			values = append(values, fmt.Sprintf("(%d, %d, %v, %v)", 1+rng.Int64N(n), 1+rng.Int64N(n), cost(), cost()))
		}
		exec(t, conn, `drop table if exists edges; create table edges (id bigserial primary key, source bigint, target bigint, cost float8, reverse_cost float8);
			insert into edges (source, target, cost, reverse_cost) values `+strings.Join(values, ","))
		pairs(t, conn, network(t, conn), fmt.Sprint("round ", round), n)
	}
}
