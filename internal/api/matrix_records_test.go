package api_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"onemap/internal/sync"
)

// TestMatrixOfRecords replays every topic of records to everybody from before the rows:
// what is of the other county reaches nobody who may not know of it, not in the least as an
// empty change. Each topic tells somebody of each county, so that silence proves something.
func TestMatrixOfRecords(t *testing.T) {
	w := build(t)
	// What is one person's own has no row of two counties: its tests are beside it.
	personal := map[string]bool{sync.ReceiptTable: true}
	told := map[string]bool{}
	streams := 0
	for _, a := range append([]who{w.foreign, w.wide}, w.askers...) {
		if !a.reads() || a.limited {
			continue
		}
		var topics []string
		for _, topic := range w.server.RecordTopics() {
			if r := w.as(a, "HEAD", "/api/live?topics="+topic, ""); r.StatusCode == 200 {
				topics = append(topics, topic)
			}
		}
		if len(topics) == 0 {
			continue
		}
		streams++
		s := w.listen(w.unlimited(), "http://localhost", strings.Join(topics, ","), w.from, a.headers...)
		waitFor(t, "the replay for "+a.name, func() bool { return s.count("lag") > 0 })
		s.close()
		got := s.text()
		for _, m := range w.marks {
			if strings.Contains(got, m.text) && !m.seen(a) {
				t.Errorf("the stream of %s shows %s (%s)", a.name, m.text, m.what)
			}
		}
		for _, topic := range topics {
			for _, e := range s.of(topic) {
				for tag, county := range map[string]string{"1x": ownArea, "2x": otherArea} {
					switch {
					case topic != sync.CaseTable:
						told[topic+" "+tag] = told[topic+" "+tag] || strings.Contains(e.Data, tag)
					case strings.Contains(e.Data, `"area":"`+county): // which has no words of its own
						if told[topic+" "+tag] = true; !a.desks(county) {
							t.Errorf("%s is told of a case of %s: %s", a.name, county, e.Data)
						}
					}
				}
			}
		}
	}
	for _, topic := range w.server.RecordTopics() {
		for _, tag := range []string{"1x", "2x"} {
			if !personal[topic] && !told[topic+" "+tag] {
				t.Errorf("nobody was told of %s of county %s: nothing is proven", topic, tag)
			}
		}
	}
	t.Logf("%d streams of %d topics", streams, len(w.server.RecordTopics()))
}

// TestMatrixOfTheCommandRoom asks for the layers of the command room in every way the map
// can be asked, now and as it was.
func TestMatrixOfTheCommandRoom(t *testing.T) {
	w := build(t)
	now := url.QueryEscape(time.Now().UTC().Format(time.RFC3339Nano))
	layers := []string{"incidents", "incident_sketches", "alerts", "teams", "warehouses", "road_blocks", "sensors"}
	var questions []string
	for _, l := range layers {
		for _, q := range []string{"?limit=1000", "?limit=1000&as_of=" + now, "?bbox=120,34,121,35"} {
			questions = append(questions, "/ogc/collections/"+l+"/items"+q)
		}
		for _, tile := range []string{"8/213/102", "12/3416/1634"} {
			questions = append(questions, "/tiles/"+l+"/"+tile+".mvt", "/tiles/"+l+"/"+tile+".mvt?as_of="+now)
		}
	}
	questions = append(questions, "/api/identify?lon=120.25&lat=34.17&radius_m=5000", "/api/identify?lon=120.25&lat=34.17&radius_m=5000&as_of="+now, "/api/search?limit=100&q=QZ")
	shown := map[string]bool{}
	for _, a := range append([]who{w.foreign, w.wide}, w.askers...) {
		for _, q := range questions {
			r := w.as(a, "GET", q, "")
			if r.StatusCode >= 500 {
				t.Errorf("%s as %s: %d %.200s", q, a.name, r.StatusCode, r.body)
			}
			for _, leak := range w.leaks(a, r) {
				t.Errorf("%s as %s shows %s", q, a.name, leak)
			}
			if strings.Contains(string(r.body), "2x") {
				shown[q] = true
			}
		}
	}
	for _, l := range layers {
		if q := "/ogc/collections/" + l + "/items?limit=1000&as_of=" + now; !shown[q] {
			t.Errorf("%s shows nobody the other county: nothing is proven", q)
		}
	}
}
