package census

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

func TestEmptyFiles(t *testing.T) {
	h := newHouse(t)
	book := filepath.Join(t.TempDir(), "sheet.xlsx")
	if err := excelize.NewFile().SaveAs(book); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{book, write(t, "a.xlsx", ""), write(t, "a.csv", ""), write(t, "b.csv", "\n\n"), write(t, "a.geojson", ""), write(t, "b.geojson", " \n"), write(t, "a.shp", ""), write(t, "a.zip", "")} {
		if _, err := h.ImportFile(context.Background(), path, FileOptions{Layer: "hazards"}); err == nil || !strings.Contains(err.Error(), "文件是空的 · the file is empty") {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
}

// A manifest from somebody else reads nothing outside its folder, links included.
func TestManifestLinksStayInside(t *testing.T) {
	root, outside := t.TempDir(), write(t, "secret.csv", "名称,经度,纬度\n甲,119,34\n")
	within := filepath.Join(root, "a.csv")
	if err := os.WriteFile(within, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"out.csv": outside, "dir": filepath.Dir(outside), "in.csv": "a.csv"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	linked := filepath.Join(t.TempDir(), "root") // the root itself may be a link
	if err := os.Symlink(root, linked); err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{"a.csv": true, "in.csv": true, "absent.csv": true, "a*.csv": true, "out.csv": false, "*.csv": false, "dir/secret.csv": false, "dir/*.csv": false, "../x.csv": false} {
		for _, r := range []string{root, linked} {
			if files, err := (&Entry{Name: "e", Path: path}).files(r); (err == nil) != ok {
				t.Errorf("%s: %v %v", path, files, err)
			}
		}
	}
}
