package census

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

const taipeiManifest = "testdata/taipei.yaml"

// taipeiRoot is where the real city's data lies, outside the repository.
func taipeiRoot(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(taipeiManifest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	root := m.ResolveRoot(taipeiManifest, "")
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the real city's data is not here (%s); this test needs it", root)
	}
	return root
}

func TestTaipei(t *testing.T) {
	root := taipeiRoot(t)
	h := newHouse(t)
	reports, err := h.ImportManifest(context.Background(), taipeiManifest, FileOptions{})
	for _, r := range reports {
		t.Logf("%-28s %6.2fs %+v", r.Dataset, r.Elapsed.Seconds(), r.Counts)
		for _, rc := range r.RuleCounts() {
			t.Logf("    %-12s %-22s %d", rc.Kind, rc.Rule, rc.Count)
		}
		for k, i := range r.Issues {
			if k < 4 || i.Kind != Warning {
				t.Logf("      %s %d %s %s %s %s", i.File, i.Row, i.Kind, i.Rule, i.Path, i.Message)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = root
	_ = filepath.Join
}
