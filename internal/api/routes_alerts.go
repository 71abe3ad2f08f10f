package api

import "onemap/internal/auth"

// alertRoutes are warnings: taken in, whom they concern, passed on.
func (s *Server) alertRoutes() []*Route {
	var t fieldTable
	const a = "/api/alerts"
	take := t.may(t.route("POST", a, "alert_take", s.postAlert, "", "source", "fix"), auth.WorkDesk, auth.IngestObservations)
	take.Body, take.BodyLimit = BodyAlert, 1<<20
	return []*Route{
		t.route("GET", a, "alerts", s.getAlerts, AccessSignedIn, "state", "level", "area", "exercise", "chain", "limit", "cursor"),
		take,
		t.route("GET", a+"/{id}.xml", "alert_xml", s.getAlertXML, AccessSignedIn, "message"),
		t.route("GET", a+"/{id}", "alert", s.getAlert, AccessSignedIn),
		t.route("GET", a+"/{id}/targets", "alert_targets", s.getAlertTargets, AccessSignedIn, "message", "contacts"),
		t.may(t.json(limitDesk, t.route("POST", a+"/{id}/receipts", "alert_receipt", s.postAlertReceipt, "")), auth.WorkDesk),
		t.may(t.json(0, t.route("POST", a+"/{id}/forward", "alert_forward", s.postAlertForward, "")), auth.SendOrders),
		t.route("GET", a+"/{id}/outbound", "alert_outbound", s.getAlertOutbound, AccessSignedIn),
	}
}
