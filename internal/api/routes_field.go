package api

import (
	"onemap/internal/auth"
	"onemap/internal/sync"
)

// fieldTable has the helpers the tables of the field's routes are made with.
type fieldTable struct{}

func (fieldTable) route(method, pattern, name string, h HandlerFunc, access Access, query ...string) *Route {
	return &Route{Method: method, Pattern: pattern, Name: name, Document: "api", Handler: h, Access: access, Query: query}
}

// json gives a route a body; limit 0 is the usual one.
func (fieldTable) json(limit int, r *Route) *Route { r.Body, r.BodyLimit = BodyJSON, limit; return r }

// may asks for one of the permissions.
func (fieldTable) may(r *Route, p ...auth.Permission) *Route {
	r.Access, r.Needs = AccessMay, p
	return r
}

// telling has every write among the routes say where the change feed stands after it.
func telling(list []*Route) []*Route {
	for _, r := range list {
		r.Tells = r.Method != "GET"
	}
	return list
}

// fieldRoutes are what devices in the field send and are sent, and the desks where people
// decide what the engine cannot.
func (s *Server) fieldRoutes() []*Route {
	var t fieldTable
	const c, q = "/api/desk/conflicts", "/api/desk/quarantine"
	desk := func(r *Route) *Route { return t.may(r, auth.WorkDesk) }
	return []*Route{
		// Any person: whose grant ended while he was out is heard all the same, and what he may
		// is each operation's own question.
		t.json(sync.MaxBytes, t.route("POST", "/api/sync", "sync", s.postSync, AccessPerson)),
		t.route("GET", "/api/sync/changes", "sync_changes", s.getSyncChanges, AccessPerson, "since", "area", "limit"),
		t.route("GET", "/api/kinds", "kinds", s.getKinds, AccessSignedIn),
		t.route("GET", "/api/kinds/{kind}", "kind", s.getKind, AccessSignedIn),
		desk(t.route("GET", c, "desk_conflicts", s.desk(true), "", "state", "area", "limit", "cursor")),
		desk(t.route("GET", c+"/{id}", "desk_conflict", s.deskCase(true), "")),
		desk(t.json(limitDesk, t.route("POST", c+"/{id}/resolve", "desk_resolve", s.postResolve, ""))),
		desk(t.route("GET", q, "desk_quarantine", s.desk(false), "", "state", "area", "limit", "cursor")),
		desk(t.route("GET", q+"/{id}", "desk_quarantined", s.deskCase(false), "")),
		desk(t.json(limitDesk, t.route("POST", q+"/{id}/accept", "desk_accept", s.postAccept, ""))),
		desk(t.json(limitDesk, t.route("POST", q+"/{id}/return", "desk_return", s.postReturn, ""))),
	}
}

// limitDesk leaves room for the shape a desk draws.
const limitDesk = 1 << 20

// workRoutes are the grid worker's day: tasks, notices, 险情, his lists.
func (s *Server) workRoutes() []*Route {
	var t fieldTable
	desk := func(r *Route) *Route { return t.may(r, auth.WorkDesk) }
	const reports, tasks, notices = "/api/incident-reports", "/api/tasks", "/api/notices"
	return []*Route{
		t.route("GET", "/api/field/home", "field_home", s.getHome, AccessPerson),
		t.json(0, t.route("POST", "/api/households/open", "households_open", s.postHouseholds, AccessPerson)),
		desk(t.json(limitHouseholds, t.route("PUT", "/api/households/{area}", "households_put", s.putHouseholds, ""))),
		t.route("GET", "/api/evacuation-routes", "evacuation_routes", s.getRoutes, AccessSignedIn, "area", "state"),
		desk(t.json(limitDesk, t.route("POST", "/api/evacuation-routes", "evacuation_route_propose", s.postRoute, ""))),
		t.may(t.json(0, t.route("POST", "/api/evacuation-routes/{id}/transitions", "evacuation_route_transition", s.postRouteStep, "")), auth.WorkDesk, auth.ApproveWays),
		desk(t.route("GET", "/api/patrols/summary", "patrols_summary", s.getPatrols, "", "area", "from", "to", "by")),

		desk(t.route("GET", reports, "reports", s.getReports, "", "state", "urgency", "area", "since", "alarm", "limit", "cursor")),
		desk(t.route("GET", reports+"/{id}", "report", s.getReport, "")),
		desk(t.json(0, t.route("POST", reports+"/{id}/transitions", "report_transition", s.postReportStep, ""))),

		t.route("GET", tasks, "tasks", s.getTasks, AccessPerson, "state", "kind", "object", "area", "mine", "overdue", "limit", "cursor"),
		desk(t.json(0, t.route("POST", tasks, "task_send", s.postTask, ""))),
		desk(t.route("GET", tasks+"/assignees", "task_assignees", s.getAssignees, "", "area", "q")),
		t.route("GET", tasks+"/{id}", "task", s.getTask, AccessPerson),
		desk(t.json(0, t.route("PATCH", tasks+"/{id}", "task_update", s.patchTask, ""))),
		t.json(0, t.route("POST", tasks+"/{id}/transitions", "task_transition", s.postTaskStep, AccessPerson)),

		t.route("GET", notices, "notices", s.getNotices, AccessPerson, "state", "active", "limit", "cursor"),
		desk(t.json(0, t.route("POST", notices, "notice_issue", s.postNotice, ""))),
		t.route("GET", notices+"/{id}", "notice", s.getNotice, AccessPerson),
		desk(t.json(0, t.route("POST", notices+"/{id}/transitions", "notice_transition", s.postNoticeStep, ""))),
	}
}

// blobRoutes are photos and the packs a phone takes with it.
func (s *Server) blobRoutes() []*Route {
	var t fieldTable
	const p = "/api/blobs/{sha256}"
	put := t.route("PUT", p, "blob_put", s.putBlob, AccessPerson)
	put.Body = BodyPiece
	return []*Route{
		t.route("GET", p, "blob", s.getBlob, AccessSignedIn, "size"), // HEAD says where an upload goes on
		put,
		t.json(limitNames, t.route("POST", "/api/blobs/missing", "blobs_missing", s.postBlobsMissing, AccessPerson)),
		t.route("GET", "/api/packs", "packs", s.getPacks, AccessSignedIn),
		t.route("GET", "/api/packs/{area}", "pack", s.getPack, AccessSignedIn),
		t.route("GET", "/api/packs/{area}/tiles.pmtiles", "pack_tiles", s.getPackTiles, AccessSignedIn),
	}
}
