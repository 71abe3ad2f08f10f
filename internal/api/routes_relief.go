package api

import "onemap/internal/auth"

// reliefRoutes are what command has and sends: shelters, teams, goods, roads.
func (s *Server) reliefRoutes() []*Route {
	var t fieldTable
	desk := func(r *Route) *Route { return t.may(r, auth.WorkDesk) }
	const h, d, b = "/api/shelters/{id}", "/api/dispatches", "/api/road-blocks"
	return []*Route{
		t.route("GET", "/api/shelters/status", "shelters_status", s.getShelterStatus, AccessSignedIn, "bbox", "area", "state", "limit", "exercise"),
		t.route("GET", h, "shelter", s.getShelter, AccessSignedIn),
		desk(t.json(0, t.route("PATCH", h, "shelter_change", s.patchShelter, ""))),
		t.route("GET", h+"/reservations", "shelter_reservations", s.getReservations, AccessSignedIn, "open", "exercise"),
		desk(t.json(0, t.route("POST", h+"/reservations", "shelter_reserve", s.postReservation, ""))),
		desk(t.route("DELETE", h+"/reservations/{reservation}", "shelter_release", s.deleteReservation, "")),
		t.route("GET", h+"/checkins", "shelter_checkins", s.getCheckIns, AccessSignedIn, "limit", "cursor", "exercise"),
		// Whoever is on the spot registers who came: the grid worker of the place, too.
		t.may(t.json(0, t.route("POST", h+"/checkins", "shelter_checkin", s.postCheckIn, "")), auth.WorkDesk, auth.WriteFeatures),

		t.route("GET", "/api/teams/status", "teams_status", s.getTeams, AccessSignedIn, "area", "state", "kind"),
		t.may(t.json(0, t.route("POST", "/api/teams/{id}/position", "team_position", s.postTeamPosition, "")), auth.WriteFeatures, auth.IngestObservations),
		t.route("GET", "/api/teams/{id}/track", "team_track", s.getTeamTrack, AccessSignedIn, "since"),

		t.route("GET", d, "dispatches", s.getDispatches, AccessSignedIn, "incident", "team", "warehouse", "area", "active", "exercise"),
		t.may(t.json(0, t.route("PUT", d+"/{id}", "dispatch", s.putDispatch, "")), auth.CommandPost),
		t.may(t.json(0, t.route("POST", d+"/{id}/transitions", "dispatch_transition", s.postDispatchStep, "")), auth.CommandPost, auth.WriteFeatures),

		t.route("GET", "/api/stock", "stock", s.getStock, AccessSignedIn, "warehouse", "area"),
		t.route("GET", "/api/stock/moves", "stock_moves", s.getStockMoves, AccessSignedIn, "warehouse", "limit", "cursor"),
		desk(t.json(0, t.route("POST", "/api/stock/moves", "stock_move", s.postStockMove, ""))),

		// What is in a package is revealed: see mayPack, which asks for two permissions at once.
		t.may(t.route("GET", "/api/fallback-packages", "fallback_packages", s.getPackages, ""), auth.Reveal, auth.ManageSystem),
		t.may(t.json(0, t.route("POST", "/api/fallback-packages", "fallback_package_make", s.postPackage, "")), auth.Reveal),
		t.may(t.json(0, t.route("PUT", "/api/fallback-packages/passphrase", "fallback_passphrase", s.putPassphrase, "")), auth.ManageSystem),

		t.route("GET", b, "road_blocks", s.getBlocks, AccessSignedIn, "area", "active"),
		desk(t.json(0, t.route("PUT", b+"/{id}", "road_block_put", s.changeBlock(true), ""))),
		desk(t.json(0, t.route("PATCH", b+"/{id}", "road_block_change", s.changeBlock(false), ""))),
	}
}
