package api

// impactRoutes are the questions about an area and about ways, on the screen and on paper.
func (s *Server) impactRoutes() []*Route {
	var t fieldTable
	ask := func(pattern, name string, h HandlerFunc) *Route {
		return t.json(limitImpact, t.route("POST", pattern, name, h, AccessSignedIn))
	}
	return []*Route{
		ask("/api/impact", "impact", s.postImpact),
		t.route("GET", "/api/alerts/{id}/impact", "alert_impact", s.impactOf("alert"), AccessSignedIn),
		t.route("GET", "/api/incidents/{id}/impact", "incident_impact", s.impactOf("incident"), AccessSignedIn),
		{Method: "GET", Pattern: "/api/route", Name: "route", Document: "api", Handler: s.getRoute, Access: AccessPublic, Query: []string{"from", "to", "profile", "avoid"}},
		ask("/api/reports/impact.pdf", "impact_pdf", s.postImpactPDF),
		ask("/api/reports/impact.docx", "impact_docx", s.postImpactDOCX),
		ask("/api/reports/impact.txt", "impact_txt", s.postImpactText),
	}
}
