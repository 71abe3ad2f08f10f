package api

import "onemap/internal/auth"

// evacuationRoutes are 叫应 and 转移: who is called out, each call, who has moved.
func (s *Server) evacuationRoutes() []*Route {
	var t fieldTable
	const c, e = "/api/callouts", "/api/evacuation"
	desk := func(r *Route) *Route { return t.may(r, auth.WorkDesk) }
	order := func(r *Route) *Route { return t.may(r, auth.SendOrders) }
	return []*Route{
		// A screen on the wall is given figures and villages; who else may not, the service says.
		t.route("GET", c, "callouts", s.getCallouts, AccessSignedIn, "active", "alert", "incident", "exercise", "limit"),
		desk(t.route("GET", c+"/{id}", "callout", s.getCallout, "")),
		order(t.json(limitDesk, t.route("PUT", c+"/{id}", "callout_put", s.putCallout, ""))),
		order(t.json(0, t.route("POST", c+"/{id}/end", "callout_end", s.postCalloutEnd, ""))),
		desk(t.route("GET", c+"/{id}/changes", "callout_changes", s.getCalloutChanges, "")),
		order(t.json(0, t.route("POST", c+"/{id}/changes", "callout_change", s.postCalloutChange, ""))),
		desk(t.route("GET", c+"/{id}/targets", "callout_targets", s.getCallTargets, "", "state", "village", "phase", "open")),
		desk(t.json(0, t.route("POST", "/api/calls", "call_post", s.postCall, ""))),
		t.route("GET", e, "evacuation", s.getEvacuation, AccessSignedIn, "callout", "alert", "incident", "geometry", "exercise"),
		desk(t.route("GET", e+"/{id}/entries", "evacuation_entries", s.getEvacuationEntries, "", "village")),
		desk(t.json(0, t.route("POST", e+"/{id}/villages/{code}", "evacuation_entry", s.postEvacuationEntry, ""))),
	}
}
