package api

// routes is the table everything reads: the router, the metrics, the documents'
// test, the probes.
func (s *Server) routes() []*Route {
	get := func(pattern, name, document string, h HandlerFunc, query ...string) *Route {
		return &Route{Method: "GET", Pattern: pattern, Name: name, Document: document, Handler: h, Query: query}
	}
	openQuery := func(r *Route) *Route { r.OpenQuery = true; return r }
	exempt := func(r *Route) *Route { r.Exempt = true; return r }
	anywhere := func(r *Route) *Route { r.Anywhere, r.Exempt = true, true; return r }

	routes := []*Route{
		anywhere(get("/healthz", "health", "api", s.getHealthz)),
		exempt(get("/readyz", "ready", "api", s.getReadyz)),
		exempt(get("/metrics", "metrics", "api", s.getMetrics)),

		openQuery(get("/tiles/{layers}/{z}/{x}/{y}.mvt", "tile", "api", s.getTile)),
		get("/tiles/{layers}.json", "tilejson", "api", s.getTileJSON),
		get("/tiles/style.json", "style", "api", s.getStyle, "theme", "lang"),
		get("/basemap/{z}/{x}/{y}.mvt", "basemap", "api", s.getBasemap),

		get("/api/layers", "layers", "api", s.getLayers),
		get("/api/identify", "identify", "api", s.getIdentify, "lon", "lat", "radius_m", "layers", "datetime", "as_of"),
		get("/api/search", "search", "api", s.getSearch, "q", "limit", "layers"),
		get("/api/jobs/{id}", "job", "api", s.getJob),
		get("/api/about", "about", "api", s.getAbout),
		get("/api/code-lists", "code_lists", "api", s.getCodeLists),
		get("/api/openapi.json", "openapi", "api", s.getOpenAPI),
		exempt(get("/api/live", "live", "api", s.getLive, "topics", "since")),

		get("/ogc", "ogc_landing", "ogc", s.getLanding),
		get("/ogc/conformance", "ogc_conformance", "ogc", s.getConformance),
		get("/ogc/api", "ogc_api", "ogc", s.getOGCAPI),
		get("/ogc/collections", "ogc_collections", "ogc", s.getCollections),
		get("/ogc/collections/{collectionId}", "ogc_collection", "ogc", s.getCollection),
		openQuery(get("/ogc/collections/{collectionId}/items", "ogc_items", "ogc", s.getItems)),
		get("/ogc/collections/{collectionId}/items/{featureId}", "ogc_item", "ogc", s.getItem, "datetime", "as_of"),

		{Method: "GET", Pattern: "/", Name: "site", Handler: s.getSite, OpenQuery: true, Exempt: true, Known: s.siteHas},
	}
	if s.opts.Authority != nil {
		routes = append(routes,
			get("/ca", "ca_page", "", s.getCAPage),
			get("/ca/onemap-ca.crt", "ca_certificate", "", s.getCACertificate),
		)
	}
	return routes
}
