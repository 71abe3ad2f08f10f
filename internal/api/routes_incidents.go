package api

import "onemap/internal/auth"

// limitIncident leaves room for the shape that is drawn.
const limitIncident = 1 << 20

// incidentRoutes are live incidents: reading follows the reach of the layers, receiving is
// the duty desk's (and a program's with the scope report), drawing the command post's.
func (s *Server) incidentRoutes() []*Route {
	var t fieldTable
	desk := func(r *Route) *Route { return t.may(r, auth.WorkDesk) }
	post := func(r *Route) *Route { return t.may(r, auth.CommandPost) }
	const p, one = "/api/incidents", "/api/incidents/{id}"
	return []*Route{
		t.route("GET", p, "incidents", s.getIncidents, AccessSignedIn, "state", "kind", "level", "area", "q", "exercise", "since", "open", "limit", "cursor"),
		t.route("GET", p+"/duplicates", "incident_duplicates", s.getIncidentDuplicates, AccessSignedIn, "kind", "lon", "lat", "at", "place", "exercise", "except"),
		desk(t.json(0, t.route("POST", p+"/from-report/{id}", "incident_from_report", s.postIncidentFromReport, ""))),
		t.route("GET", one, "incident", s.getIncident, AccessSignedIn),
		t.may(t.json(limitIncident, t.route("PUT", one, "incident_put", s.putIncident, "", "fix")), auth.WorkDesk, auth.WriteFeatures),
		desk(t.json(limitIncident, t.route("PATCH", one, "incident_update", s.patchIncident, "", "fix"))),
		desk(t.json(0, t.route("POST", one+"/transitions", "incident_transition", s.postIncidentStep, ""))),
		desk(t.json(0, t.route("POST", one+"/level", "incident_level", s.postIncidentLevel, ""))),
		desk(t.json(limitIncident, t.route("POST", one+"/place", "incident_place", s.postIncidentPlace, "", "fix"))),
		desk(t.json(0, t.route("POST", one+"/merge", "incident_merge", s.postIncidentMerge, ""))),
		desk(t.json(0, t.route("POST", one+"/unmerge", "incident_unmerge", s.postIncidentUnmerge, ""))),
		desk(t.json(0, t.route("POST", one+"/clocks/{name}", "incident_clock", s.postIncidentClock, ""))),
		t.route("GET", one+"/reports", "incident_reports", s.getIncidentReports, AccessSignedIn),
		desk(t.json(0, t.route("POST", one+"/reports", "incident_report", s.postIncidentReport, ""))),
		t.route("GET", one+"/reports/first.txt", "incident_first_text", s.getFirstText, AccessSignedIn),
		desk(t.json(0, t.route("PATCH", one+"/reports/{report}", "incident_report_amend", s.patchIncidentReport, ""))),
		t.route("GET", one+"/timeline", "incident_timeline", s.getIncidentTimeline, AccessSignedIn),
		desk(t.json(0, t.route("POST", one+"/timeline", "incident_note", s.postIncidentTimeline, ""))),
		t.route("GET", one+"/tasks", "incident_tasks", s.getIncidentTasks, AccessSignedIn),
		t.route("GET", one+"/sketches", "incident_sketches", s.getIncidentSketches, AccessSignedIn),
		post(t.json(limitIncident, t.route("POST", one+"/sketches", "incident_sketch_add", s.postIncidentSketch, "", "fix"))),
		post(t.json(limitIncident, t.route("PATCH", one+"/sketches/{sketch}", "incident_sketch_update", s.patchIncidentSketch, "", "fix"))),
		post(t.route("DELETE", one+"/sketches/{sketch}", "incident_sketch_remove", s.deleteIncidentSketch, "")),
		t.route("GET", "/api/kpi", "kpi", s.getKPI, AccessSignedIn, "from", "to", "area"),
	}
}
