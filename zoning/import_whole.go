package zoning

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// wholeShapefile refuses a Shapefile that came without its other parts, or of which one was
// cut short on its way here: each of its files says how long it is. GDAL would read what is left of it, and nobody would
// miss the rest. A file that is no .shp is left to others.
func wholeShapefile(shp string) error {
	if head, _, err := headOf(shp, 4); err != nil || len(head) < 4 || binary.BigEndian.Uint32(head) != 9994 {
		return err
	}
	parts, err := os.ReadDir(filepath.Dir(shp))
	if err != nil {
		return fmt.Errorf("zoning: import: %w", err)
	}
	found := map[string]bool{}
	for _, e := range parts {
		if !e.Type().IsRegular() || !strings.EqualFold(stem(e.Name()), stem(shp)) {
			continue
		}
		ext := strings.ToLower(filepath.Ext(e.Name()))
		if e.Name() == filepath.Base(shp) {
			ext = ".shp" // an upload has a name of our own
		}
		found[ext] = true
		head, size, err := headOf(filepath.Join(filepath.Dir(shp), e.Name()), 100)
		if err != nil {
			return err
		}
		var says int64
		switch ext {
		case ".shp", ".shx": // the length is in words of two bytes
			if says = 100; len(head) == 100 {
				says = 2 * int64(binary.BigEndian.Uint32(head[24:]))
			}
		case ".dbf": // a header, and rows of one length
			if says = 32; len(head) >= 32 {
				says = int64(binary.LittleEndian.Uint16(head[8:])) + int64(binary.LittleEndian.Uint32(head[4:]))*int64(binary.LittleEndian.Uint16(head[10:]))
			}
		default:
			continue
		}
		if size < says {
			return badFile("truncated", fmt.Sprintf("Shapefile 不完整:%s 应有 %d 字节，只有 %d 字节，请重新复制或上传", ext, says, size),
				fmt.Sprintf("the Shapefile is cut short: its %s should have %d bytes and has %d; copy or upload it again", ext, says, size))
		}
	}
	if !found[".shx"] || !found[".dbf"] {
		return badFile("parts_missing", "Shapefile 须连同 .shx、.dbf 一起打包成 zip 上传", "a Shapefile is uploaded as a zip with its .shx and .dbf")
	}
	return nil
}

// headOf is the first bytes of a file, as far as there are some, and its size.
func headOf(path string, n int) ([]byte, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("zoning: import: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("zoning: import: %w", err)
	}
	head := make([]byte, n)
	got, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, fmt.Errorf("zoning: import: %w", err)
	}
	return head[:got], info.Size(), nil
}
