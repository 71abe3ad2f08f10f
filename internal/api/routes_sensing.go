package api

import (
	"onemap/incidents/alarms"
	"onemap/internal/auth"
)

// sensingRoutes are rain and water, and what rings.
func (s *Server) sensingRoutes() []*Route {
	var t fieldTable
	desk := func(r *Route) *Route { return t.may(r, auth.WorkDesk) }
	may := func(r *Route) *Route { return t.may(r, auth.IngestObservations) }
	const st, al = "/api/stations", "/api/alarms"
	return []*Route{
		may(t.json(limitObservations, t.route("POST", "/api/observations", "observations", s.postObservations, ""))),
		t.may(t.route("GET", "/api/observation-sources", "observation_sources", s.getObservationSources, ""), auth.WorkDesk, auth.ManageSystem, auth.IngestObservations),
		t.route("GET", st, "stations", s.getStations, AccessSignedIn, "kind", "state", "bbox", "area", "at", "sort"),
		t.route("GET", st+"/{id}", "station", s.getStation, AccessSignedIn, "at"),
		t.route("GET", st+"/{id}/series", "station_series", s.getSeries, AccessSignedIn, "from", "to", "step", "measure"),
		t.route("GET", st+"/{id}/thresholds", "station_thresholds", s.getThresholds, AccessSignedIn),
		t.may(t.json(limitDesk, t.route("PUT", st+"/{id}/thresholds", "station_thresholds_put", s.putThresholds, "")), auth.EditRules),

		// A screen on the wall of a desk's area reads alarms too.
		t.route("GET", al, "alarms", s.getAlarms, AccessSignedIn, "state", "kind", "area", "exercise", "limit", "cursor"),
		may(t.json(limitAlarms, t.route("POST", al, "alarms_raise", s.postAlarms, ""))),
		t.may(t.json(0, t.route("POST", al+"/{id}/ack", "alarm_ack", s.alarmStep(alarms.Acknowledged), "")), auth.WorkDesk, auth.CommandPost),
		t.may(t.json(0, t.route("POST", al+"/{id}/assign", "alarm_assign", s.alarmStep(alarms.Assigned), "")), auth.WorkDesk, auth.CommandPost),
		t.may(t.json(0, t.route("POST", al+"/{id}/close", "alarm_close", s.alarmStep(alarms.Closed), "")), auth.WorkDesk, auth.CommandPost),
		desk(t.json(0, t.route("POST", al+"/quiet", "alarm_quiet", s.postQuiet, ""))),
		desk(t.route("DELETE", al+"/quiet/{id}", "alarm_quiet_end", s.deleteQuiet, "")),
	}
}
