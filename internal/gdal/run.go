package gdal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrMissing means GDAL's tools are not installed.
var ErrMissing = errors.New("gdal: ogr2ogr is not installed (Debian: apt-get install gdal-bin)")

// ErrLimit means the child was stopped by one of its limits.
var ErrLimit = errors.New("gdal: limit reached")

// Options bound the child. Zero values take the defaults.
type Options struct {
	Timeout     time.Duration // wall clock, default 10 min
	MemoryBytes int64         // address space, default 3 GiB
	OutputBytes int64         // converted text, default 8 GiB
	TempDir     string        // where private working directories are made
}

// Runner runs the tools.
type Runner struct {
	opts             Options
	ogr2ogr, ogrinfo string
}

// New finds the tools. It answers [ErrMissing] where they are not installed.
func New(opts Options) (*Runner, error) {
	if opts.Timeout <= 0 {
		opts.Timeout = 10 * time.Minute
	}
	if opts.MemoryBytes <= 0 {
		opts.MemoryBytes = 3 << 30
	}
	if opts.OutputBytes <= 0 {
		opts.OutputBytes = 8 << 30
	}
	r := &Runner{opts: opts}
	var err error
	if r.ogr2ogr, err = exec.LookPath("ogr2ogr"); err != nil {
		return nil, ErrMissing
	}
	if r.ogrinfo, err = exec.LookPath("ogrinfo"); err != nil {
		return nil, ErrMissing
	}
	return r, nil
}

// Layer describes one layer of a source.
type Layer struct {
	Name     string
	Geometry string // as GDAL names it; None for a plain table
	Count    int64  // -1 where not known beforehand
	SRS      string // name of the coordinate system, "" where the file has none
	EPSG     int    // 0 where not given
	Fields   []string
	Messages []string // warnings of the tool
}

// Layers lists what a source holds.
func (r *Runner) Layers(ctx context.Context, src Source, encoding string) ([]Layer, error) {
	var out bytes.Buffer
	args := append([]string{r.ogrinfo, "-ro", "-so", "-al"}, openOptions(src, encoding)...)
	args = append(args, src.Path)
	messages, err := r.run(ctx, args, &limitWriter{w: &out, left: 16 << 20})
	if err != nil {
		return nil, err
	}
	layers := parseInfo(out.String())
	if len(layers) == 0 {
		return nil, fmt.Errorf("%w: no layer", ErrFormat)
	}
	layers[0].Messages = messages
	return layers, nil
}

func openOptions(src Source, encoding string) []string {
	if src.Format == Shapefile && encoding != "" {
		return []string{"-oo", "ENCODING=" + encoding}
	}
	return nil
}

// Conversion says what to read and how.
type Conversion struct {
	Layer    string // "" for the only one
	Encoding string // for Shapefiles, from DetectEncoding or the user
	// SourceEPSG overrides the system the file names; 0 trusts the file.
	SourceEPSG int
	// Raw leaves the numbers as they are (GCJ-02, BD-09, or no system known).
	Raw bool
}

// Convert streams a layer as newline-delimited GeoJSON features, in CRS84 lon/lat
// where the source's system is known and Raw is not asked. The reader's error is
// the child's: io.EOF only comes after a clean exit. Close stops the child.
func (r *Runner) Convert(ctx context.Context, src Source, c Conversion) (io.ReadCloser, error) {
	if strings.ContainsAny(c.Layer, "\x00\n\r") || strings.HasPrefix(c.Layer, "-") {
		return nil, fmt.Errorf("gdal: bad layer name %q", c.Layer)
	}
	args := []string{r.ogr2ogr, "-f", "GeoJSONSeq", "-lco", "RS=NO", "-lco", "COORDINATE_PRECISION=9",
		"-dim", "XY", "-nlt", "CONVERT_TO_LINEAR", "-mapFieldType", "Binary=String"}
	args = append(args, openOptions(src, c.Encoding)...)
	switch {
	case c.Raw:
		// The driver would reproject to WGS 84; declaring it as such keeps the numbers.
		args = append(args, "-a_srs", "EPSG:4326")
	case c.SourceEPSG != 0:
		args = append(args, "-s_srs", "EPSG:"+strconv.Itoa(c.SourceEPSG), "-t_srs", "OGC:CRS84")
	default:
		args = append(args, "-t_srs", "OGC:CRS84")
	}
	args = append(args, "/vsistdout/", src.Path)
	if c.Layer != "" {
		args = append(args, c.Layer)
	}
	pr, pw := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, err := r.run(ctx, args, &limitWriter{w: pw, left: r.opts.OutputBytes})
		pw.CloseWithError(err) // nil becomes io.EOF
	}()
	return &stream{PipeReader: pr, stop: func() { cancel(); <-done }}, nil
}

type stream struct {
	*io.PipeReader
	stop func()
	once sync.Once
}

// Close stops the child and waits for its end.
func (s *stream) Close() error {
	err := s.PipeReader.Close()
	s.once.Do(s.stop)
	return err
}

type limitWriter struct {
	w    io.Writer
	left int64
}

func (l *limitWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, fmt.Errorf("%w: output", ErrLimit)
	}
	l.left -= int64(len(p))
	return l.w.Write(p)
}

// run starts the tool under limits and waits. A small shell sets the limits
// before it becomes the tool, so there is no moment without them.
func (r *Runner) run(ctx context.Context, args []string, stdout io.Writer) ([]string, error) {
	dir, err := os.MkdirTemp(r.opts.TempDir, "onemap-gdal-")
	if err != nil {
		return nil, fmt.Errorf("gdal: %w", err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.Timeout, fmt.Errorf("%w: %v", ErrLimit, r.opts.Timeout))
	defer cancel()

	const limits = `ulimit -c 0 && ulimit -v "$1" && ulimit -t "$2" && ulimit -f "$3" && ulimit -n 256 && shift 3 && exec "$@"`
	argv := append([]string{"-c", limits, "gdal",
		strconv.FormatInt(r.opts.MemoryBytes/1024, 10),
		strconv.FormatInt(int64(r.opts.Timeout/time.Second)+1, 10),
		strconv.FormatInt(1<<20, 10), // 512-byte blocks: 512 MiB of scratch files
	}, args...)
	cmd := exec.CommandContext(ctx, "/bin/sh", argv...)
	cmd.Dir = dir
	cmd.Env = environment(dir)
	cmd.Stdout = stdout
	var stderr tail
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second

	// Pdeathsig follows the thread that forked, not the process.
	runtime.LockOSThread()
	err = cmd.Run()
	runtime.UnlockOSThread()

	messages := stderr.lines()
	switch {
	case ctx.Err() != nil:
		return messages, fmt.Errorf("gdal: stopped: %w", context.Cause(ctx))
	case errors.Is(err, ErrLimit), errors.Is(err, io.ErrClosedPipe):
		return messages, err
	case err != nil:
		return messages, fmt.Errorf("gdal: %s failed: %w%s", toolName(args[0]), err, firstError(messages))
	}
	// ogr2ogr ends with 0 after some errors it only prints.
	if e := firstError(messages); e != "" {
		return messages, fmt.Errorf("gdal: %s%s", toolName(args[0]), e)
	}
	return messages, nil
}

func toolName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func firstError(messages []string) string {
	for _, m := range messages {
		if strings.HasPrefix(m, "ERROR") || strings.HasPrefix(m, "FAILURE") {
			return ": " + m
		}
	}
	return ""
}

// environment is everything the child knows of ours.
func environment(dir string) []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "CPL_TMPDIR=" + dir, "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
		"GDAL_PAM_ENABLED=NO", "GDAL_HTTP_TIMEOUT=1", "GDAL_HTTP_MAX_RETRY=0", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS=none",
		"http_proxy=http://127.0.0.1:9", "https_proxy=http://127.0.0.1:9", "PROJ_NETWORK=OFF",
		"GDAL_CACHEMAX=128", "GDAL_NUM_THREADS=1", "OGR_SQLITE_LOAD_EXTENSIONS=", "CPL_DEBUG=OFF",
		"SHAPE_RESTORE_SHX=NO", "OGR_GEOJSON_MAX_OBJ_SIZE=0", "GML_SKIP_RESOLVE_ELEMS=ALL", "LIBKML_RESOLVE_STYLE=NO",
		// Drivers that open other files, databases or the network.
		"OGR_SKIP=OGR_VRT,VRT,WFS,OAPIF,CSW,HTTP,PostgreSQL,PGDUMP,MySQL,MSSQLSpatial,OCI,Elasticsearch,Carto,AmigoCloud,PLSCENES,NGW,EEDA,GMLAS,GPSBabel,MongoDBv3,HANA,SOSI,Interlis 1,Interlis 2",
		"GDAL_SKIP=OGR_VRT VRT WFS OAPIF CSW HTTP PostgreSQL MySQL MSSQLSpatial OCI Elasticsearch Carto AmigoCloud PLSCENES NGW EEDA GMLAS GPSBabel",
	}
}

// tail keeps the beginning of what the tool says on its error stream.
type tail struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := 64<<10 - t.b.Len(); room > 0 {
		t.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for l := range strings.SplitSeq(strings.ToValidUTF8(t.b.String(), ""), "\n") {
		if l = strings.TrimSpace(l); l != "" && len(out) < 50 {
			out = append(out, l)
		}
	}
	return out
}

// parseInfo reads the summary ogrinfo prints; its JSON form needs a newer GDAL.
func parseInfo(text string) []Layer {
	field := regexp.MustCompile(`^(.+): (String|Integer|Integer64|Real|Date|DateTime|Time|Binary|StringList|IntegerList|Integer64List|RealList)\b.*\(\d+\.\d+\)`)
	id := regexp.MustCompile(`ID\["EPSG",(\d+)\]\]?$`)
	var out []Layer
	inSRS, srs := false, []string(nil)
	endSRS := func() {
		if !inSRS || len(out) == 0 {
			return
		}
		inSRS = false
		l := &out[len(out)-1]
		if len(srs) == 0 || strings.HasPrefix(srs[0], "(unknown)") {
			return
		}
		if _, rest, ok := strings.Cut(srs[0], `["`); ok {
			l.SRS, _, _ = strings.Cut(rest, `"`)
		}
		if m := id.FindStringSubmatch(strings.TrimSpace(srs[len(srs)-1])); m != nil {
			l.EPSG, _ = strconv.Atoi(m[1])
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "Layer name: "):
			endSRS()
			out = append(out, Layer{Name: strings.TrimPrefix(line, "Layer name: "), Count: -1})
			continue
		case len(out) == 0:
			continue
		case strings.HasPrefix(line, "Layer SRS WKT:"):
			inSRS, srs = true, nil
			continue
		case strings.HasPrefix(line, "Data axis to CRS axis mapping"):
			endSRS()
			continue
		}
		l := &out[len(out)-1]
		if inSRS {
			if len(srs) > 0 && !strings.HasPrefix(line, " ") && strings.HasPrefix(srs[0], "(unknown)") {
				endSRS()
			} else {
				srs = append(srs, line)
				continue
			}
		}
		switch {
		case strings.HasPrefix(line, "Geometry: "):
			l.Geometry = strings.TrimPrefix(line, "Geometry: ")
		case strings.HasPrefix(line, "Feature Count: "):
			if n, err := strconv.ParseInt(strings.TrimPrefix(line, "Feature Count: "), 10, 64); err == nil {
				l.Count = n
			}
		default:
			if m := field.FindStringSubmatch(line); m != nil {
				l.Fields = append(l.Fields, m[1])
			}
		}
	}
	endSRS()
	return out
}
