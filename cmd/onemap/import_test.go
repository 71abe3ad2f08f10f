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
	for _, args := range [][]string{{"import", filepath.Join(dir, "absent.csv"), "--layer", "shelters"}, {"import", csv}, {"import", "--revert", "x"}} {
		if code, _, errs := runOnemap(t, append(args, "--data", data)...); code != exitFailed || errs == "" {
			t.Errorf("%v: code %d\n%s", args, code, errs)
		}
	}
}
