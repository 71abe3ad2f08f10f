package gdal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Writing says what to write and how.
type Writing struct {
	Format Format // Shapefile, GeoPackage or KML
	Layer  string // name of the layer written
	// SQL chooses, types and names the fields, in OGR SQL; the source's layer is called
	// as its file without ending. Who makes it quotes its names ([Quote]).
	SQL string
	// Geometry is a type as ogr2ogr's -nlt knows it: MULTIPOLYGON, LINESTRING, POINT.
	Geometry string
	EPSG     int // declared, nothing is reprojected
	// Encoding of a Shapefile's table: UTF-8 or CP936.
	Encoding string
	At       time.Time // when it was made: the file says so
}

// Quote writes an identifier for OGR SQL.
func Quote(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// Write turns a GeoJSON file of ours into dst, which must not exist, in a folder that
// does. The child has the limits of reading. Coordinates stay the numbers they are. It
// answers the tool's warnings.
func (r *Runner) Write(ctx context.Context, src, dst string, w Writing) ([]string, error) {
	for _, p := range []string{src, dst} {
		if !filepath.IsAbs(p) || strings.ContainsAny(p, "\x00\n\r") || strings.Contains(p, "/vsi") || strings.Contains(p, "://") {
			return nil, fmt.Errorf("gdal: %.100q is not a local file name", p)
		}
	}
	if info, err := os.Lstat(src); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("gdal: %s is not a regular file", filepath.Base(src))
	}
	if info, err := os.Lstat(filepath.Dir(dst)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("gdal: no folder for %s", filepath.Base(dst))
	}
	if _, err := os.Lstat(dst); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("gdal: %s exists already", filepath.Base(dst))
	}
	if strings.ContainsAny(w.Layer+w.Geometry, "\x00\n\r") || strings.HasPrefix(w.Layer, "-") {
		return nil, fmt.Errorf("gdal: bad layer name %q", w.Layer)
	}
	args := []string{r.ogr2ogr}
	day := w.At.UTC()
	switch w.Format {
	case Shapefile:
		encoding := w.Encoding
		if encoding == "CP936" {
			encoding = "LDID/77" // the language byte of GBK: what old programs look at
		}
		args = append(args, "-f", "ESRI Shapefile", "-lco", "ENCODING="+encoding, "-lco", "DBF_DATE_LAST_UPDATE="+day.Format("2006-01-02"))
	case GeoPackage:
		args = append(args, "-f", "GPKG", "--config", "OGR_CURRENT_DATE", day.Format("2006-01-02T15:04:05.000Z"), "-lco", "SPATIAL_INDEX=YES", "-lco", "GEOMETRY_NAME=geom")
	case KML:
		args = append(args, "-f", "LIBKML")
	default:
		return nil, fmt.Errorf("gdal: %q is not written", w.Format)
	}
	args = append(args, "-a_srs", "EPSG:"+strconv.Itoa(w.EPSG), "-nln", w.Layer, "-dim", "XY")
	if w.Geometry != "" {
		args = append(args, "-nlt", w.Geometry)
	}
	if w.SQL != "" {
		args = append(args, "-dialect", "OGRSQL", "-sql", w.SQL)
	}
	args = append(args, dst, src)
	messages, err := r.run(ctx, args, io.Discard)
	if err != nil {
		return messages, err
	}
	if _, err := os.Lstat(dst); err != nil {
		return messages, fmt.Errorf("gdal: ogr2ogr wrote nothing")
	}
	return messages, nil
}
