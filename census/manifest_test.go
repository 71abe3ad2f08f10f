package census

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseManifestRefuses(t *testing.T) {
	ok := "dataset: d\nfiles:\n- {path: a.csv, layer: shelters}\n"
	if _, err := ParseManifest([]byte(ok)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{
		"", "dataset: d\n", "files: []\n", "- 1\n", "dataset: [\n", ok + "surprise: 1\n",
		"dataset: d\nfiles:\n- {path: a.csv}\n", "dataset: d\nfiles:\n- {path: a.csv, layer: x, mode: merge}\n",
		"dataset: d\nfiles:\n- {path: a.csv, layer: x, geometry: maybe}\n", "dataset: d\nfiles:\n- {path: a.csv, layer: x, geometry: {lon: a}}\n",
		"dataset: d\nfiles:\n- {path: a.csv, layer: x, fields: {name: {match: '('}}}\n",
		"dataset: d\nfiles:\n- {path: a.csv, layer: x, fields: {name: {frm: a}}}\n",
		"dataset: d\nfiles:\n- {path: a.csv, layer: x}\n- {path: a.csv, layer: x}\n",
		"dataset: d\ntimezone: Mars/North\nfiles:\n- {path: a.csv, layer: x}\n",
		"dataset: d\nclassification: 秘密\nfiles:\n- {path: a.csv, layer: x}\n",
		"dataset: d\nsource_date: yesterday\nfiles:\n- {path: a.csv, layer: x}\n",
	} {
		if m, err := ParseManifest([]byte(c)); !errors.Is(err, ErrManifest) {
			t.Errorf("%q: %+v %v", c, m, err)
		}
	}
}

func TestManifestPaths(t *testing.T) {
	root := t.TempDir()
	for _, n := range []string{"b.csv", "a.csv", "a.txt"} {
		if err := os.WriteFile(filepath.Join(root, n), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := Entry{Name: "e", Path: "*.csv"}
	if got, err := e.files(root); err != nil || len(got) != 2 || filepath.Base(got[0]) != "a.csv" {
		t.Errorf("%v %v", got, err)
	}
	for _, p := range []string{"../x.csv", "/etc/passwd", "a/../../x", "*.nothing"} {
		e.Path = p
		if got, err := e.files(root); err == nil {
			t.Errorf("%s: %v", p, got)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add("dataset: d\nfiles:\n- {path: a.csv, layer: shelters, key: content, geometry: none}\n")
	f.Add("dataset: d\nfiles:\n- path: a\n  layer: b\n  fields: {a: {from: [x, y], codes: {a: b}, match: '(.)'}}\n")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Count(s, "*") > 20 {
			return
		}
		if m, err := ParseManifest([]byte(s)); err == nil && (m.Dataset == "" || len(m.Files) == 0) {
			t.Fatal("empty manifest accepted")
		}
	})
}

// The manifest the guide shows must work as it stands.
func TestGuideManifest(t *testing.T) {
	guide, err := os.ReadFile("../docs/guide/import.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(guide), "```yaml\n")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatal("the guide shows no manifest")
	}
	m, err := ParseManifest([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	cat, err := h.store.catalogue(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Files {
		e := &m.Files[i]
		layer, err := cat.layer(e.Layer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newMapper(e, &table{}, layer, cat, nil, nil); err != nil {
			t.Error(err)
		}
	}
}
