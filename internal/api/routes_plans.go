package api

import "onemap/internal/auth"

// planRoutes are the planner's table: plans, their zones, edits and life cycle, the
// arithmetic behind them, work that outlasts a request.
func (s *Server) planRoutes() []*Route {
	route := func(method, pattern, name string, h HandlerFunc, access Access, query ...string) *Route {
		return &Route{Method: method, Pattern: pattern, Name: name, Document: "api", Handler: h, Access: access, Query: query}
	}
	json := func(limit int, r *Route) *Route { r.Body, r.BodyLimit = BodyJSON, limit; return r }
	// draws is for who draws plans, reviews for who decides on what others drew.
	draws := func(r *Route) *Route { r.Access, r.Needs = AccessMay, []auth.Permission{auth.EditPlans}; return r }
	reviews := func(r *Route) *Route { r.Access, r.Needs = AccessMay, []auth.Permission{auth.ReviewPlans}; return r }
	either := func(r *Route) *Route {
		r.Access, r.Needs = AccessMay, []auth.Permission{auth.EditPlans, auth.ReviewPlans}
		return r
	}
	const p = "/api/plans/{id}"
	return []*Route{
		route("GET", "/api/plans", "plans", s.getPlans, AccessPublic, "series", "state", "hazard", "kind", "area", "q", "limit", "cursor"),
		draws(json(0, route("POST", "/api/plans", "plan_create", s.postPlan, ""))),
		route("GET", p, "plan", s.getPlan, AccessPublic),
		draws(json(0, route("PATCH", p, "plan_update", s.patchPlan, ""))),
		draws(route("DELETE", p, "plan_remove", s.deletePlan, "")),
		draws(json(0, route("POST", p+"/versions", "plan_version", s.postPlanVersion, ""))),
		either(json(0, route("POST", p+"/transitions", "plan_transition", s.postPlanTransition, ""))),
		route("GET", p+"/events", "plan_events", s.getPlanEvents, AccessSignedIn),

		route("GET", p+"/zones", "plan_zones", s.getPlanZones, AccessPublic, "bbox"),
		route("GET", p+"/zones/{zone}", "plan_zone", s.getPlanZone, AccessPublic),
		draws(json(limitEdits, route("PUT", p+"/zones/{zone}", "plan_zone_put", s.putPlanZone, ""))),
		draws(json(limitEdits, route("PATCH", p+"/zones/{zone}", "plan_zone_update", s.patchPlanZone, ""))),
		draws(route("DELETE", p+"/zones/{zone}", "plan_zone_remove", s.deletePlanZone, "")),
		route("GET", p+"/zones/{zone}/figures", "plan_zone_figures", s.getZoneFigures, AccessSignedIn),

		draws(json(limitEdits, route("POST", p+"/edits", "plan_edit", s.postPlanEdit, ""))),
		route("GET", p+"/edits", "plan_edits", s.getPlanEdits, AccessSignedIn, "since", "limit"),
		either(route("POST", p+"/validate", "plan_validate", s.postPlanValidate, "")),
		route("GET", p+"/snap", "plan_snap", s.getPlanSnap, AccessSignedIn, "bbox"),

		route("GET", p+"/comments", "plan_comments", s.getPlanComments, AccessSignedIn),
		json(0, route("POST", p+"/comments", "plan_comment", s.postPlanComment, AccessPerson)),
		draws(json(0, route("PATCH", p+"/comments/{comment}", "plan_comment_answer", s.patchPlanComment, ""))),
		route("GET", p+"/reviews", "plan_reviews", s.getPlanReviews, AccessSignedIn),
		reviews(json(0, route("POST", p+"/reviews", "plan_review_rest", s.postPlanReviews, ""))),
		reviews(json(0, route("PUT", p+"/zones/{zone}/review", "plan_review", s.putPlanReview, ""))),
		route("GET", p+"/diff", "plan_diff", s.getPlanDiff, AccessSignedIn, "against"),
		route("GET", p+"/joins", "plan_joins", s.getPlanJoins, AccessSignedIn),
		route("GET", p+"/comments.xlsx", "plan_comments_xlsx", s.getPlanCommentsXLSX, AccessSignedIn),
		route("GET", p+"/export", "plan_export", s.getPlanExport, AccessSignedIn, "format", "encoding"),
		json(0, route("POST", "/api/reports/map.pdf", "map_pdf", s.postMapPDF, AccessSignedIn)),
		json(0, route("POST", "/api/reports/map.png", "map_png", s.postMapPNG, AccessSignedIn)),

		draws(&Route{
			Method: "POST", Pattern: "/api/plan-imports", Name: "plan_import", Document: "api", Handler: s.postPlanImport, Body: BodyUpload,
			Query: []string{"name", "encoding", "crs", "layer", "level_field"},
		}),
		draws(json(0, route("POST", "/api/plan-imports/{id}/accept", "plan_import_accept", s.postPlanImportAccept, ""))),

		route("GET", "/api/indicators", "indicators", s.getIndicators, AccessSignedIn),
		draws(json(limitCompute, route("POST", p+"/compute", "plan_compute", s.postPlanCompute, ""))),
		json(limitCalc, route("POST", "/api/calc/entropy", "calc_entropy", s.postCalcEntropy, AccessSignedIn)),
		json(limitCalc, route("POST", "/api/calc/ahp", "calc_ahp", s.postCalcAHP, AccessSignedIn)),
		json(limitCalc, route("POST", "/api/calc/jenks", "calc_jenks", s.postCalcJenks, AccessSignedIn)),
		json(limitCalc, route("POST", "/api/calc/topsis", "calc_topsis", s.postCalcTopsis, AccessSignedIn)),

		// Behind the drawing: imagery of the intranet is for people, not for the public.
		route("GET", "/api/basemaps", "basemaps", s.getBasemaps, AccessSignedIn),
		route("GET", "/wmts/{source}/{z}/{x}/{y}", "wmts", s.getBasemapTile, AccessSignedIn),

		route("GET", "/api/jobs", "jobs", s.getJobs, AccessPerson, "state", "kind", "object", "all", "limit"),
		route("GET", "/api/jobs/{id}", "job", s.getJob, AccessPerson),
		route("DELETE", "/api/jobs/{id}", "job_cancel", s.deleteJob, AccessPerson),
	}
}
