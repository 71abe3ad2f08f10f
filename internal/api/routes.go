package api

import "onemap/internal/auth"

// routes is the table everything reads: the router, the metrics, the documents'
// test, the probes.
func (s *Server) routes() []*Route {
	get := func(pattern, name, document string, h HandlerFunc, query ...string) *Route {
		return &Route{Method: "GET", Pattern: pattern, Name: name, Document: document, Handler: h, Query: query, Access: AccessPublic}
	}
	openQuery := func(r *Route) *Route { r.OpenQuery = true; return r }
	exempt := func(r *Route) *Route { r.Exempt = true; return r }
	open := func(r *Route) *Route { r.Access = AccessOpen; return r }
	anywhere := func(r *Route) *Route { r.Anywhere = true; return r }
	asked := func(r *Route) *Route { r.Identified = true; return r }

	routes := []*Route{
		open(anywhere(exempt(get("/healthz", "health", "api", s.getHealthz)))),
		open(anywhere(exempt(asked(get("/readyz", "ready", "api", s.getReadyz))))),
		{Method: "GET", Pattern: "/metrics", Name: "metrics", Document: "api", Handler: s.getMetrics, Exempt: true, Access: AccessMachine, Needs: []auth.Permission{auth.ManageSystem}},

		openQuery(get("/tiles/{layers}/{z}/{x}/{y}.mvt", "tile", "api", s.getTile)),
		get("/tiles/{layers}.json", "tilejson", "api", s.getTileJSON),
		get("/tiles/style.json", "style", "api", s.getStyle, "theme", "lang"),
		get("/basemap/{z}/{x}/{y}.mvt", "basemap", "api", s.getBasemap),

		get("/api/layers", "layers", "api", s.getLayers),
		get("/api/identify", "identify", "api", s.getIdentify, "lon", "lat", "radius_m", "layers", "datetime", "as_of"),
		get("/api/search", "search", "api", s.getSearch, "q", "limit", "layers"),
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
		get("/ogc/collections/{collectionId}/items/{featureId}", "ogc_item", "ogc", s.getItem, "datetime", "as_of", "plan"),

		{Method: "GET", Pattern: "/", Name: "site", Handler: s.getSite, OpenQuery: true, Exempt: true, Known: s.siteHas, Access: AccessOpen},
	}
	routes = append(routes, s.peopleRoutes()...)
	routes = append(routes, s.planRoutes()...)
	routes = append(routes, s.fieldRoutes()...)
	routes = append(routes, s.dangerRoutes()...)
	routes = append(routes, s.workRoutes()...)
	routes = append(routes, telling(s.incidentRoutes())...)
	routes = append(routes, telling(s.responseRoutes())...)
	routes = append(routes, telling(s.alertRoutes())...)
	routes = append(routes, telling(s.evacuationRoutes())...)
	routes = append(routes, s.blobRoutes()...)
	routes = append(routes, telling(s.reliefRoutes())...)
	routes = append(routes, s.impactRoutes()...)
	routes = append(routes, telling(s.sensingRoutes())...)
	if s.opts.Authority != nil {
		routes = append(routes,
			// Before set-up too: a phone trusts the server before it types a password.
			open(anywhere(get("/ca", "ca_page", "", s.getCAPage))),
			open(anywhere(get("/ca/onemap-ca.crt", "ca_certificate", "", s.getCACertificate))),
		)
	}
	return routes
}

// peopleRoutes are who may do what: signing in, people, grants, tokens.
func (s *Server) peopleRoutes() []*Route {
	route := func(method, pattern, name string, h HandlerFunc, access Access, query ...string) *Route {
		return &Route{Method: method, Pattern: pattern, Name: name, Document: "api", Handler: h, Access: access, Query: query}
	}
	json := func(r *Route) *Route { r.Body = BodyJSON; return r }
	may := func(r *Route, p ...auth.Permission) *Route { r.Access, r.Needs = AccessMay, p; return r }

	ruleBody := func(r *Route) *Route { r.BodyLimit = limitRules; return r }
	me := route("GET", "/api/me", "me", s.getMe, AccessOpen)
	me.Identified, me.Anywhere, me.Exempt = true, true, true
	required := route("GET", "/api/setup", "setup_state", s.getSetup, AccessOpen)
	required.Anywhere = true
	sheet := may(route("POST", "/api/users/import", "users_import", s.postUsersImport, "", "dry_run"), auth.ManageAccounts)
	sheet.Body = BodyXLSX
	return []*Route{
		me,
		required,
		json(route("POST", "/api/setup", "setup", s.postSetup, AccessSetup)),
		json(route("POST", "/api/session", "sign_in", s.postSession, AccessOpen)),
		route("DELETE", "/api/session", "sign_out", s.deleteSession, AccessSession),
		route("GET", "/api/sessions", "sessions", s.getSessions, AccessPerson, "account"),
		route("DELETE", "/api/sessions/{id}", "session_end", s.deleteSessionByID, AccessPerson),
		json(route("POST", "/api/me/password", "password", s.postPassword, AccessSelf)),
		route("POST", "/api/me/second-factor", "second_factor_begin", s.postSecondFactor, AccessSelf),
		json(route("PUT", "/api/me/second-factor", "second_factor_confirm", s.putSecondFactor, AccessSelf)),
		json(route("DELETE", "/api/me/second-factor", "second_factor_drop", s.deleteSecondFactor, AccessPerson)),

		may(route("GET", "/api/users", "users", s.getUsers, "", "q", "state", "limit", "cursor"), auth.ManageAccounts, auth.ManageGrants, auth.EnrolDevices),
		may(json(route("POST", "/api/users", "user_create", s.postUser, "")), auth.ManageAccounts),
		may(route("GET", "/api/users/template.xlsx", "users_template", s.getUsersTemplate, ""), auth.ManageAccounts),
		sheet,
		may(route("GET", "/api/users/{id}", "user", s.getUser, ""), auth.ManageAccounts, auth.ManageGrants, auth.EnrolDevices),
		may(json(route("PATCH", "/api/users/{id}", "user_update", s.patchUser, "")), auth.ManageAccounts),
		may(route("POST", "/api/users/{id}/activation", "user_activation", s.postUserActivation, ""), auth.ManageAccounts),
		may(route("DELETE", "/api/users/{id}/second-factor", "user_second_factor_reset", s.deleteUserSecondFactor, ""), auth.ManageAccounts),

		may(route("GET", "/api/grants", "grants", s.getGrants, "", "account", "role", "state", "limit", "cursor"), auth.ManageGrants, auth.ManageAccounts),
		may(json(route("POST", "/api/grants", "grant_create", s.postGrant, "")), auth.ManageGrants),
		may(json(route("DELETE", "/api/grants/{id}", "grant_revoke", s.deleteGrant, "")), auth.ManageGrants),
		route("GET", "/api/roles", "roles", s.getRoles, AccessSignedIn),

		may(route("GET", "/api/tokens", "tokens", s.getTokens, ""), auth.ManageTokens, auth.MakeTokens),
		may(json(route("POST", "/api/tokens", "token_create", s.postToken, "")), auth.ManageTokens, auth.MakeTokens),
		may(route("DELETE", "/api/tokens/{id}", "token_revoke", s.deleteToken, ""), auth.ManageTokens, auth.MakeTokens),
		may(json(route("POST", "/api/enrolments", "enrolment_create", s.postEnrolment, "")), auth.EnrolDevices),

		may(route("GET", "/api/audit", "audit", s.getAudit, "", "from", "to", "actor", "action", "object", "outcome", "q", "limit", "cursor"), auth.ReadAudit),
		may(route("GET", "/api/audit.csv", "audit_csv", s.getAuditCSV, "", "from", "to", "actor", "action", "object", "outcome", "q"), auth.ReadAudit),
		may(route("GET", "/api/audit.xlsx", "audit_xlsx", s.getAuditXLSX, "", "from", "to", "actor", "action", "object", "outcome", "q"), auth.ReadAudit),
		may(route("POST", "/api/audit/verify", "audit_verify", s.postAuditVerify, ""), auth.ReadAudit),

		route("GET", "/api/rule-sets", "rule_sets", s.getRuleSets, AccessSignedIn),
		ruleBody(may(json(route("POST", "/api/rule-sets/{rule}/versions", "rule_set_add", s.postRuleVersion, "")), auth.EditRules)),
		may(json(route("POST", "/api/rule-sets/{rule}/versions/{version}/verify", "rule_set_verify", s.postRuleVerify, "")), auth.VerifyRules),
		route("GET", "/api/decisions", "decisions", s.getDecisions, AccessPerson, "state", "action", "limit", "cursor"),
		may(json(route("POST", "/api/decisions", "decision_create", s.postDecision, "")), auth.SendOrders),
		json(route("POST", "/api/decisions/{id}/transitions", "decision_transition", s.postTransition, AccessPerson)),
		route("GET", "/api/contacts", "contacts", s.getContacts, AccessPerson, "area", "layer", "id", "limit", "cursor"),
		may(json(route("POST", "/api/contacts/{id}/reveal", "contact_reveal", s.postReveal, "")), auth.Reveal),
		may(route("GET", "/api/settings", "settings", s.getSettings, ""), auth.ManageSystem, auth.ManageSecurity),
		may(json(route("PATCH", "/api/settings/{key}", "setting_update", s.patchSetting, "")), auth.ManageSystem, auth.ManageSecurity),
		may(route("GET", "/api/catalogue", "catalogue", s.getCatalogue, ""), auth.ManageSystem, auth.ClassifyLayers),
		may(route("GET", "/api/layers/{id}", "layer", s.getLayer, ""), auth.ManageSystem, auth.ClassifyLayers),
		may(json(route("PATCH", "/api/layers/{id}", "layer_update", s.patchLayer, "")), auth.ManageSystem, auth.ClassifyLayers),
	}
}
