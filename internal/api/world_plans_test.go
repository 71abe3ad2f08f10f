package api_test

import (
	"context"
	"strings"

	"onemap/internal/auth"
	"onemap/zoning"
)

// seesDrafts says, from the table of rights, who sees drafts of a county.
func (a who) seesDrafts(county string) bool {
	return (a.may(auth.EditPlans) || a.may(auth.ReviewPlans)) && (a.area == "" || a.area == county)
}

// plans puts a draft into each county, with a zone of its own name and work under way.
func (w *world) plans() {
	t := w.t
	_, link, err := w.auth.AddUser(t.Context(), cli(), auth.NewAccount{Username: "qzplanner2", Name: "QZPLANNER2x", Unit: otherArea}, auth.NewGrant{Role: auth.Planner, Area: otherArea, Reason: "乙县规划"})
	w.must(err)
	other := w.identity(w.activate(link))
	own := w.identity(strings.TrimPrefix(w.named("planner").headers[1], "onemap="))
	for tag, c := range map[string]struct {
		by              auth.By
		area            string
		plan, zone, job *string
	}{"1": {own, ownArea, &w.ownPlan, &w.ownZone, &w.ownJob}, "2": {other, otherArea, &w.otherPlan, &w.otherZone, &w.otherJob}} {
		p, err := w.opts.Zoning.Create(t.Context(), c.by, zoning.NewPlan{Hazard: "flood", Kind: zoning.Risk, Title: "QZPLAN" + tag + "x", Area: c.area, Exhaustive: true})
		w.must(err)
		set, err := w.opts.Zoning.Zones(t.Context(), c.by.Identity, p.ID, nil)
		w.must(err)
		name := "QZZONE" + tag + "x"
		_, err = w.opts.Zoning.PatchZone(t.Context(), c.by, p.ID, set.Zones[0].Zone, set.Zones[0].Version, zoning.ZonePut{Attributes: zoning.Attributes{Name: &name}})
		w.must(err)
		_, err = w.opts.Zoning.Comment(t.Context(), c.by, zoning.NewComment{Plan: p.ID, Body: "QZOPINION" + tag + "x"})
		w.must(err)
		job, err := w.jobs.Start(t.Context(), c.by, "test.wait", "等待 QZJOB"+tag+"x", "Wait QZJOB"+tag+"x", "plans/"+p.ID, func(context.Context, func(int, int, string)) (any, error) { return map[string]int{}, nil })
		w.must(err)
		*c.plan, *c.zone, *c.job = p.ID, set.Zones[0].Zone, job.ID
	}
	audited := func(a who) bool { return a.may(auth.ReadAudit) && a.area == "" }
	for _, text := range []string{"QZPLAN", "QZZONE", "QZOPINION"} {
		w.add(text+"1x", "a draft of the own county", func(a who) bool { return a.seesDrafts(ownArea) || a.may(auth.ReadAudit) })
		w.add(text+"2x", "a draft of the other county", func(a who) bool { return a.seesDrafts(otherArea) || audited(a) })
	}
	w.add("QZPLANNER2x", "the planner of the other county", func(a who) bool { return a.area == "" && a.signedIn() && a.person() })
	managed := func(a who) bool { return a.may(auth.ManageSystem) && a.area == "" }
	w.add("QZJOB1x", "work of another person", func(a who) bool { return a.name == "planner" || managed(a) })
	w.add("QZJOB2x", "work of the other county", managed)
}

// planLines are the rows of the matrix for the planner's table.
func (w *world) planLines() map[string]line {
	at := func(suffix, body string) [3]call {
		suffix = strings.ReplaceAll(suffix, "ZONE", w.ownZone)
		return [3]call{
			{"/api/plans/" + w.ownPlan + suffix, body}, {"/api/plans/" + w.otherPlan + strings.ReplaceAll(suffix, w.ownZone, w.otherZone), body}, {"/api/plans/" + noID + suffix, body},
		}
	}
	// seen is for routes everybody may call: a draft is there for who draws or reviews, and
	// absent for everybody else.
	seen := func(codes ...int) func(who, target) []int {
		return func(a who, t target) []int {
			switch {
			case t == own && a.seesDrafts(ownArea), t == other && a.seesDrafts(otherArea):
				return codes
			case a.kind == auth.Anonymous:
				return []int{401}
			}
			return []int{404}
		}
	}
	row := func(suffix, body string, codes ...int) line {
		return line{calls: at(suffix, body), want: seen(codes...), alike: true}
	}
	same := func(path, body string) [3]call { return [3]call{{path, body}, {path, body}, {path, body}} }
	sheet := func(path string) [3]call {
		return [3]call{{path, `{"plan":"` + w.ownPlan + `","size":"A4"}`}, {path, `{"plan":"` + w.otherPlan + `","size":"A4"}`}, {path, `{"plan":"` + noID + `","size":"A4"}`}}
	}
	area := func(code string) call {
		return call{"/api/plans", `{"hazard":"landslide","kind":"risk","title":"矩阵","area":"` + code + `","exhaustive":false}`}
	}
	return map[string]line{
		"plans": {calls: paths("/api/plans?q=QZPLAN1", "/api/plans?q=QZPLAN2", "/api/plans?q=nothing-like-it"), want: func(a who, _ target) []int {
			if a.kind == auth.Anonymous {
				return []int{401}
			}
			return []int{200}
		}},
		"plan_create": {calls: [3]call{area(ownArea), area(otherArea), area(noArea)}, want: func(_ who, t target) []int {
			if t == own {
				return []int{201, 409} // whoever comes second finds the series there
			}
			return []int{403}
		}, alike: true},
		"plan": row("", "", 200), "plan_update": row("", `{"title":"x"}`, 428), "plan_remove": row("", "", 428),
		"plan_version": row("/versions", `{"note":"x"}`, 409), "plan_transition": row("/transitions", `{"to":"submitted"}`, 428), "plan_events": row("/events", "", 200),
		"plan_zones": row("/zones", "", 200), "plan_zone": row("/zones/ZONE", "", 200), "plan_zone_put": row("/zones/ZONE", `{"name":"x","level":7}`, 409, 422),
		"plan_zone_update": row("/zones/ZONE", `{"name":"x"}`, 428), "plan_zone_remove": row("/zones/ZONE", "", 428), "plan_zone_figures": row("/zones/ZONE/figures", "", 200),
		"plan_edit": row("/edits", `{"edit_id":"`+noID+`","ops":[]}`, 422), "plan_edits": row("/edits", "", 200), "plan_validate": row("/validate", "", 200),
		"plan_snap": row("/snap?bbox=119.2,34.1,119.3,34.2", "", 200), "plan_comments": row("/comments", "", 200), "plan_comment": row("/comments", `{"body":""}`, 422),
		"plan_comment_answer": row("/comments/"+noID, `{"answer":"adopted"}`, 428), "plan_reviews": row("/reviews", "", 200), "plan_review_rest": row("/reviews", `{"accept_rest":true}`, 409),
		"plan_review": row("/zones/ZONE/review", `{"verdict":"accepted"}`, 409), "plan_diff": row("/diff", "", 404, 409, 422), "plan_joins": row("/joins", "", 200),
		"plan_comments_xlsx": row("/comments.xlsx", "", 200), "plan_export": row("/export?format=geojson", "", 200), "plan_compute": row("/compute", `{"unit":"village","indicators":[],"weights":{"method":"given"},"combine":"sum","classify":{"method":"jenks"}}`, 422),
		"map_pdf": {calls: sheet("/api/reports/map.pdf"), want: seen(200), alike: true}, "map_png": {calls: sheet("/api/reports/map.png"), want: seen(200), alike: true},

		"plan_import":        {calls: same("/api/plan-imports?name=x.zip", `{}`), want: oneOf(415)},
		"plan_import_accept": {calls: same("/api/plan-imports/"+noID+"/accept", `{"title":"x","hazard":"flood","kind":"risk","area":"`+ownArea+`"}`), want: oneOf(404), alike: true},

		"indicators": {calls: always("/api/indicators")}, "calc_entropy": {calls: same("/api/calc/entropy", `{"matrix":[[1,2],[3,4]]}`)},
		"calc_ahp": {calls: same("/api/calc/ahp", `{"matrix":[[1,2],[0.5,1]]}`)}, "calc_jenks": {calls: same("/api/calc/jenks", `{"values":[1,2,3,10],"k":2}`)},
		"calc_topsis": {calls: same("/api/calc/topsis", `{"matrix":[[1,2],[3,4]],"weights":[1,1]}`)},
		"jobs":        {calls: paths("/api/jobs", "/api/jobs?object=plans/"+w.otherPlan, "/api/jobs?kind=nothing")},
		"job": {calls: paths("/api/jobs/"+w.ownJob, "/api/jobs/"+w.otherJob, "/api/jobs/"+noID), want: func(a who, t target) []int {
			if t == own && a.name == "planner" || t != absent && a.may(auth.ManageSystem) && a.area == "" {
				return []int{200}
			}
			return []int{404}
		}, alike: true},
		"job_cancel": {calls: paths("/api/jobs/"+noID, "/api/jobs/"+w.otherJob, "/api/jobs/"+noID), want: oneOf(404), alike: true},
	}
}
