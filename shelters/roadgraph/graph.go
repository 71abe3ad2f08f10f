package roadgraph

import (
	"math"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// Profile is how somebody moves.
type Profile int

// The profiles.
const (
	Walk Profile = iota
	Drive
	profiles
)

// Closed is the cost of a direction nobody may take; any negative one is.
const Closed = -1.0

// Edge joins two nodes. Costs are per profile and direction: along the line, and back.
type Edge struct {
	ID       int64 // of the road it is a part of
	From, To int64 // the caller's ids of nodes
	Cost     [profiles][2]float64
	Line     []orb.Point // may be empty: a graph without places
	LengthM  float64
	Scope    geo.Scope // whose road it is; the zero scope is everybody's
	Demo     bool
}

// Graph is a network. It is safe for any number of readers: nothing of it changes.
type Graph struct {
	edges []Edge
	from  []int32 // of each edge, as indices of nodes
	to    []int32
	ids   []int64         // of nodes
	nodes map[int64]int32 // by id
	at    []orb.Point     // of nodes; empty where edges have no lines
	// head and ends are the edges at each node: ends[head[n]:head[n+1]]. An end is the
	// edge doubled, plus one where the node is its To.
	head []int32
	ends []int32
	grid grid
}

// Build makes a graph. Edges keep their order: their indices are those of the slice.
func Build(edges []Edge) *Graph {
	g := &Graph{edges: edges, from: make([]int32, len(edges)), to: make([]int32, len(edges)), nodes: make(map[int64]int32, len(edges))}
	located := len(edges) > 0
	node := func(id int64) int32 {
		n, ok := g.nodes[id]
		if !ok {
			n = int32(len(g.ids))
			g.nodes[id] = n
			g.ids = append(g.ids, id)
		}
		return n
	}
	for i := range edges {
		g.from[i], g.to[i] = node(edges[i].From), node(edges[i].To)
		located = located && len(edges[i].Line) > 1
	}
	g.head = make([]int32, len(g.ids)+1)
	for i := range edges {
		g.head[g.from[i]+1]++
		g.head[g.to[i]+1]++
	}
	for n := range g.ids {
		g.head[n+1] += g.head[n]
	}
	next := append([]int32(nil), g.head...)
	g.ends = make([]int32, 2*len(edges))
	for i := range edges {
		e := int32(i)
		g.ends[next[g.from[i]]] = 2 * e
		next[g.from[i]]++
		g.ends[next[g.to[i]]] = 2*e + 1
		next[g.to[i]]++
	}
	if located {
		g.at = make([]orb.Point, len(g.ids))
		for i := range edges {
			g.at[g.from[i]], g.at[g.to[i]] = edges[i].Line[0], edges[i].Line[len(edges[i].Line)-1]
		}
		g.grid = newGrid(edges)
	}
	return g
}

// Nodes is how many nodes there are.
func (g *Graph) Nodes() int { return len(g.ids) }

// Edges is how many edges there are.
func (g *Graph) Edges() int { return len(g.edges) }

// Node is the index of the node with an id.
func (g *Graph) Node(id int64) (int32, bool) { n, ok := g.nodes[id]; return n, ok }

// ID is the caller's id of a node.
func (g *Graph) ID(node int32) int64 { return g.ids[node] }

// Edge is the edge at an index.
func (g *Graph) Edge(i int32) Edge { return g.edges[i] }

// metres are the lengths of a degree of longitude and of latitude at a latitude, on the
// ellipsoid.
func metres(lat float64) (lon, latM float64) {
	f := lat * math.Pi / 180
	return 111412.84*math.Cos(f) - 93.5*math.Cos(3*f) + 0.118*math.Cos(5*f), 111132.92 - 559.82*math.Cos(2*f) + 1.175*math.Cos(4*f)
}

// Distance is between two places some kilometres apart at most, in metres.
func Distance(a, b orb.Point) float64 {
	x, y := metres((a[1] + b[1]) / 2)
	return math.Hypot((a[0]-b[0])*x, (a[1]-b[1])*y)
}

func lengthOf(line []orb.Point) float64 {
	sum := 0.0
	for i := 1; i < len(line); i++ {
		sum += Distance(line[i-1], line[i])
	}
	return sum
}
