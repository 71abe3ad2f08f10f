package poll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestTheSettingIsRead(t *testing.T) {
	good := `{"allow":["gauges.example.gov.cn","10.1.0.0/16"],"sources":[{"name":"hydro","url":"http://10.1.2.3/a.csv","format":"csv","every_s":60,"station":"id","at":"t","values":{"level":"z"}}]}`
	if s, err := Parse([]byte(good)); err != nil || len(s.Sources) != 1 {
		t.Fatal(s, err)
	}
	for what, change := range map[string][2]string{
		"host not allowed": {"10.1.2.3", "10.2.2.3"}, "password": {"http://", "http://u:p@"}, "scheme": {"http://", "file://"}, "too often": {`:60,`, `:5,`}, "format": {`"csv"`, `"xml"`},
		"unknown": {`"every_s"`, `"every"`}, "measure": {`"level":`, `"Level!":`}, "no values": {`{"level":"z"}`, `{}`}, "allow": {`"10.1.0.0/16"`, `"10.1.0.0/16","BAD HOST"`}, "name": {`"hydro"`, `"Hydro 1"`},
	} {
		if _, err := Parse([]byte(strings.Replace(good, change[0], change[1], 1))); !errors.As(err, new(*Fault)) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCSVAndTimes(t *testing.T) {
	s := Source{Format: CSV, Station: "站号", At: "时间", Layout: "2006-01-02 15:04", Comma: ";", Values: map[string]string{"level": "水位", "flow": "流量"}, Missing: []string{"-999", "—"}}
	got, err := s.read([]byte("\xef\xbb\xbf时间;站号;水位;流量\n2025-11-11 18:50;Z1;12.50;-999.0\n2025-11-11 18:50;Z2;—;3\nx;Z3;1;1\n2025-11-11 18:55;Z4\n"))
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if v := got[0]; v.Station != "Z1" || v.Measure != "level" || *v.Value != 12.5 || v.At.UTC().Format(time.RFC3339) != "2025-11-11T10:50:00Z" {
		t.Errorf("%+v", v)
	}
	for _, bad := range []string{"", "a;b\n1;2\n", "时间;站号;水位;流量\n\"", "\xff\xfe"} {
		if _, err := s.read([]byte(bad)); !errors.Is(err, ErrSource) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	j := Source{Format: JSON, Rows: "d.0.rows", Station: "s", At: "t", Layout: "unix", Values: map[string]string{"": "v.1"}}
	if got, err := j.read([]byte(`{"d":[{"rows":[{"s":"A","t":1762858200,"v":[1,2.5]},{"s":"B","t":1762858200,"v":null}]}]}`)); err != nil || len(got) != 1 || *got[0].Value != 2.5 {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{`{`, `{"d":{}}`, `{"d":[{"rows":[{"x":1}]}]}`} {
		if _, err := j.read([]byte(bad)); !errors.Is(err, ErrSource) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestNobodyElseIsAsked: not a host off the list, not by a redirect, not this machine by
// another name; large and slow answers end; the key is in no error.
func TestNobodyElseIsAsked(t *testing.T) {
	inner := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inner++ }))
	defer other.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/here":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/ok":
			fmt.Fprint(w, `[]`)
		case "/large":
			for range 9 {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		case "/gone":
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer srv.Close()
	s := Setting{Allow: []string{"127.0.0.1", "localhost"}}
	for path, ok := range map[string]bool{"/ok": true, "/here": true, "/away": false, "/large": false, "/gone": false} {
		_, err := s.get(t.Context(), Source{URL: srv.URL + path + "?key=SECRET"})
		if (err == nil) != ok || err != nil && (!errors.Is(err, ErrSource) || strings.Contains(err.Error(), "SECRET")) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if inner > 0 {
		t.Error("another host was asked")
	}
	if _, err := (Setting{Allow: []string{"localhost"}}).get(t.Context(), Source{URL: strings.Replace(srv.URL, "127.0.0.1", "localhost", 1) + "/ok"}); err == nil {
		t.Error("this machine under a name, its address not on the list")
	}
	if _, err := (Setting{}).get(t.Context(), Source{URL: srv.URL + "/ok"}); err == nil {
		t.Error("nothing is allowed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.get(ctx, Source{URL: srv.URL + "/ok"}); err == nil {
		t.Error("it goes on after the end")
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`[{"s":"A","t":"2025-11-11T18:50:00+08:00","v":1}]`), true)
	f.Add([]byte("s,t,v\nA,2025-11-11T18:50:00+08:00,1\n"), false)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		s := Source{Format: CSV, Station: "s", At: "t", Values: map[string]string{"rain": "v"}}
		if asJSON {
			s.Format = JSON
		}
		list, err := s.read(body)
		for _, v := range list {
			if v.Station == "" || v.At.IsZero() && v.Value == nil {
				t.Fatalf("%+v", v)
			}
		}
		if err != nil && !errors.Is(err, ErrSource) {
			t.Fatal(err)
		}
	})
}
