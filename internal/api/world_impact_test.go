package api_test

import (
	"strings"

	"onemap/internal/db"
)

// impactLines are the rows of the matrix for questions about an area and about ways.
func (w *world) impactLines() map[string]line {
	box := func(x string) string {
		return strings.ReplaceAll(`{"geometry":{"type":"Polygon","coordinates":[[[X.2,34.1],[X.3,34.1],[X.3,34.2],[X.2,34.2],[X.2,34.1]]]}}`, "X", x)
	}
	asked := func(path string) [3]call {
		return [3]call{{path, box("119")}, {path, box("120")}, {path, box("100")}}
	}
	way := func(x string) string { return "/api/route?from=" + x + ".25,34.15&to=" + x + ".26,34.15" }
	// Figures of what somebody sees, for a screen on the wall too; of anything else there is nothing to be told.
	figures := func(a who, t target) []int {
		if t == own && a.sees(db.Internal, ownArea) || t == other && a.sees(db.Internal, otherArea) {
			return []int{200}
		}
		return []int{404}
	}
	of := func(kind, mine, theirs string) line {
		return line{calls: paths("/api/"+kind+"/"+mine+"/impact", "/api/"+kind+"/"+theirs+"/impact", "/api/"+kind+"/"+noID+"/impact"), want: figures, alike: true}
	}
	return map[string]line{
		"alert_impact": of("alerts", ownAlert, otherAlert), "incident_impact": of("incidents", ownIncident, otherIncident),
		"impact": {calls: asked("/api/impact")}, "impact_pdf": {calls: asked("/api/reports/impact.pdf")},
		"impact_docx": {calls: asked("/api/reports/impact.docx")}, "impact_txt": {calls: asked("/api/reports/impact.txt")},
		"route": {calls: paths(way("119"), way("120"), way("100")), want: oneOf(200, 404, 401)},
	}
}
