// Package roadgraph is the road network in the process: a graph made of the layer
// roads, kept up by the change feed, over which ways and times are found without asking
// the database.
//
// It owns noding (what meets where), costs per profile (on foot, by vehicle), the search
// and overlays: what is closed by a block or lies in an area to avoid. A [Graph] never
// changes once built; a [View] narrows it for one question. What somebody may not see
// closes nothing and carries nobody: a view leaves out the roads outside his reach.
//
// It must not import another domain or HTTP. The search is tested against pgRouting, on
// the sample network of its documentation and on random ones.
package roadgraph
