package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The command as an operator uses it: a file with bad rows ends with code 3 and a
// workbook of them, doing it again changes nothing, and the run can be taken back.
func TestImportCommand(t *testing.T) {
	data := dataDir(t)
	dir := t.TempDir()
	csv := filepath.Join(dir, "a.csv")
	if err := os.WriteFile(csv, []byte("避难场所一览表\n编码,名称,经度,纬度,可容纳人数\nS1,第一小学,119.25,34.15,300\nS2,第二小学,九十九,34.16,300\n合计,,,,600\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	issues := filepath.Join(dir, "issues.xlsx")
	code, out, errs := runOnemap(t, "import", csv, "--data", data, "--layer", "shelters", "--issues", issues)
	if code != exitRejected || !strings.Contains(out, "coordinate_unreadable") || !strings.Contains(out, "total_row") {
		t.Fatalf("code %d\n%s\n%s", code, out, errs)
	}
	if _, err := os.Stat(issues); err != nil {
		t.Error(err)
	}
	for _, words := range []string{"可容纳人数 → capacity", "编码 → code"} {
		if !strings.Contains(out, words) {
			t.Errorf("no %q in\n%s", words, out)
		}
	}
	id := regexp.MustCompile(`--revert ([0-9a-f-]{36})`).FindStringSubmatch(out)
	if id == nil {
		t.Fatalf("no import id in\n%s", out)
	}
	if code, out, _ = runOnemap(t, "import", "--data", data, "--layer", "shelters", csv); code != exitRejected || !strings.Contains(out, "inserted 0 · 更新 updated 0 · 未变 unchanged 1") {
		t.Errorf("again: code %d\n%s", code, out)
	}
	if code, out, errs = runOnemap(t, "import", "--data", data, "--revert", id[1]); code != exitDone || !strings.Contains(out, "removed 1") {
		t.Errorf("revert: code %d\n%s\n%s", code, out, errs)
	}
	for _, args := range [][]string{{"import"}, {"import", "a", "b"}, {"import", "a.csv", "--revert", "x"}, {"import", "--nonsense"}} {
		if code, _, _ := runOnemap(t, args...); code != exitUsage {
			t.Errorf("%v: code %d", args, code)
		}
	}
	for _, args := range [][]string{{"import", filepath.Join(dir, "absent.csv"), "--layer", "shelters"}, {"import", "--revert", "x"}} {
		if code, _, errs := runOnemap(t, append(args, "--data", data)...); code != exitFailed || errs == "" {
			t.Errorf("%v: code %d\n%s", args, code, errs)
		}
	}
}

// What the arguments alone tell is told before a database comes to life.
func TestImportChecksItsArgumentsFirst(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	file := filepath.Join(dir, "f.geojson")
	if err := os.WriteFile(file, []byte(`{"type":"FeatureCollection","features":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitUsage, []string{"import", file}},
		{exitUsage, []string{"import", file, "--layer", "hazards", "--crs", "EPSG:banana"}},
		{exitFailed, []string{"import", filepath.Join(dir, "absent.csv"), "--layer", "hazards"}},
		{exitFailed, []string{"import", filepath.Join(dir, "absent.yaml")}},
	} {
		code, _, errs := runOnemap(t, append(c.args, "--data", data)...)
		if code != c.code || errs == "" {
			t.Errorf("%v: code %d\n%s", c.args, code, errs)
		}
		if _, err := os.Stat(data); !os.IsNotExist(err) {
			t.Fatalf("%v: a database was made: %v", c.args, err)
		}
	}
}

// A text in which nothing is recognised is refused with the fields it could fill.
func TestImportRefusesWhatItDoesNotUnderstand(t *testing.T) {
	data := dataDir(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for path, want := range map[string]string{
		file("other.csv", "甲,乙,丙\n一,二,三\n"): "甲, 乙, 丙",
		file("empty.csv", ""):               "文件是空的 · the file is empty",
	} {
		if code, _, errs := runOnemap(t, "import", path, "--layer", "hazards", "--data", data); code != exitFailed || !strings.Contains(errs, want) {
			t.Errorf("%s: code %d\n%s", path, code, errs)
		}
	}
	code, out, _ := runOnemap(t, "import", file("part.csv", "隐患名称,经度,纬度,甲\n大湾村滑坡,119.25,34.15,一\n"), "--layer", "hazards", "--data", data)
	if code != exitDone || !strings.Contains(out, "隐患名称 → name") || !strings.Contains(out, "未对应的列 · not mapped: 甲 (原样保存在 attrs") {
		t.Errorf("code %d\n%s", code, out)
	}
}
