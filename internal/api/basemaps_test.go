package api_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"onemap/internal/auth"
)

// A base map of the intranet comes through the server: to people, with its approval
// number, without its key; what it does not answer is told and logged, never an error of
// ours.
func TestBasemapsOfTheIntranet(t *testing.T) {
	e := start(t)
	var img bytes.Buffer
	if err := png.Encode(&img, image.NewGray(image.Rect(0, 0, 256, 256))); err != nil {
		t.Fatal(err)
	}
	asked := 0
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Query().Get("tk") != "k-3141" || r.URL.Query().Get("TILEROW") == "7" {
			http.Error(w, "k-3141 is not allowed", http.StatusForbidden)
			return
		}
		_, _ = w.Write(img.Bytes())
	}))
	defer upstream.Close()
	e.exec(`insert into setting (key, value) values ('basemaps', jsonb_build_array(jsonb_build_object('id', 'img', 'title', '影像', 'title_en', 'Imagery', 'grid', 'w',
		'min_zoom', 1, 'max_zoom', 18, 'approval', 'GS(2024)0650号', 'url', $1::text)))`, upstream.URL+"/img_w/wmts?tk=k-3141&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}")
	person := e.activate(e.person(auth.NewAccount{Username: "guihua9", Name: "规划", Unit: "990100"}, auth.Planner, "990100"))
	mine := []string{"Cookie", "onemap=" + person}
	waitFor(t, "the setting", func() bool { return strings.Contains(string(e.get("/api/basemaps", mine...).body), "img") })
	if b := string(e.get("/api/basemaps", append(mine, "Accept-Language", "en")...).body); strings.Contains(b, "k-3141") || strings.Contains(b, "http") || !strings.Contains(b, "Imagery") || !strings.Contains(b, "GS(2024)0650号") {
		t.Errorf("the list: %s", b)
	}
	r := e.get("/wmts/img/5/26/12", mine...)
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "image/png" || !bytes.Equal(r.body, img.Bytes()) || !strings.HasPrefix(r.Header.Get("Cache-Control"), "private") {
		t.Errorf("a tile: %d %v", r.StatusCode, r.Header)
	}
	if again := e.get("/wmts/img/5/26/12", append(mine, "If-None-Match", r.Header.Get("ETag"))...); again.StatusCode != 304 || asked != 1 {
		t.Errorf("again: %d, asked %d times", again.StatusCode, asked)
	}
	silent := e.get("/wmts/img/5/26/7", mine...)
	e.wantProblem(silent, 503, "basemap_silent")
	if strings.Contains(string(silent.body), "k-3141") {
		t.Errorf("the key is told: %s", silent.body)
	}
	for _, bad := range []string{"/wmts/img/05/26/12", "/wmts/img/5/26/+12", "/wmts/img/5/99/12", "/wmts/img/0/0/0", "/wmts/other/5/26/12", "/wmts/img/5/26/x"} {
		e.wantProblem(e.get(bad, mine...), 404, "not_found")
	}
}
