package blobs_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// tinyDisk is a file system of one megabyte.
func tinyDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		if os.Geteuid() != 0 {
			t.Skipf("a full disk is made by mounting one, which takes root: %v", err)
		}
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Log(err)
		}
	})
	return dir
}
