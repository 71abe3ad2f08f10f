package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// binaries is one PostgreSQL installation.
type binaries struct {
	dir     string
	major   int
	missing []string // extensions it does not have
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// findBinaries chooses the installation. Data that exists decides the major
// version; otherwise the newest one that has every extension wins, because a
// machine may well carry a newer PostgreSQL for which PostGIS is not installed.
func findBinaries(o Options, dataMajor int) (binaries, error) {
	var found []binaries
	for _, dir := range binDirs(o.BinDir) {
		b, err := inspect(dir, o.Extensions)
		if err == nil {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		where := "/usr/lib/postgresql/*/bin"
		if o.BinDir != "" {
			where = o.BinDir
		}
		return binaries{}, fail(CodeBinaries, fmt.Sprintf(
			"在 %s 没有找到 PostgreSQL（initdb 与 postgres）；请安装 postgresql-15-postgis-3 和 postgresql-15-pgrouting。No PostgreSQL (initdb and postgres) in %s: install postgresql-15-postgis-3 and postgresql-15-pgrouting.",
			where, where), nil)
	}
	if dataMajor > 0 {
		i := slices.IndexFunc(found, func(b binaries) bool { return b.major == dataMajor })
		if i < 0 {
			return binaries{}, fail(CodeVersion, fmt.Sprintf(
				"数据由 PostgreSQL %d 写成，本机只有 %s；请安装 postgresql-%d，或先备份再用 pg_upgrade 升级（不会自动升级）。The data was written by PostgreSQL %d and this machine has %s: install postgresql-%d, or back up and run pg_upgrade (it is never done by itself).",
				dataMajor, majors(found), dataMajor, dataMajor, majors(found), dataMajor), nil)
		}
		return withExtensions(found[i])
	}
	slices.SortStableFunc(found, func(a, b binaries) int {
		if d := len(a.missing) - len(b.missing); d != 0 {
			return d
		}
		return b.major - a.major
	})
	i := slices.IndexFunc(found, func(b binaries) bool { return b.major >= oldestSupported })
	if i < 0 {
		return binaries{}, fail(CodeVersion, fmt.Sprintf(
			"需要 PostgreSQL %d 或更新版本，本机只有 %s。PostgreSQL %d or newer is needed; this machine has %s.",
			oldestSupported, majors(found), oldestSupported, majors(found)), nil)
	}
	return withExtensions(found[i])
}

func withExtensions(b binaries) (binaries, error) {
	if len(b.missing) == 0 {
		return b, nil
	}
	list := strings.Join(b.missing, ", ")
	return binaries{}, fail(CodeExtensions, fmt.Sprintf(
		"PostgreSQL %d 缺少扩展 %s；请安装 postgresql-%d-postgis-3 和 postgresql-%d-pgrouting。PostgreSQL %d lacks the extensions %s: install postgresql-%d-postgis-3 and postgresql-%d-pgrouting.",
		b.major, list, b.major, b.major, b.major, list, b.major, b.major), nil)
}

func majors(found []binaries) string {
	var out []string
	for _, b := range found {
		if s := strconv.Itoa(b.major); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

// binDirs lists where initdb and postgres may be, best first. PATH comes last:
// what it names can be a wrapper or a stray link.
func binDirs(given string) []string {
	if given != "" {
		return []string{given}
	}
	var dirs []string
	add := func(dir string) {
		if resolved, err := filepath.EvalSymlinks(dir); err == nil && !slices.Contains(dirs, resolved) {
			dirs = append(dirs, resolved)
		}
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin"} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			continue
		}
		for _, m := range matches {
			add(m)
		}
	}
	if pgConfig, err := exec.LookPath("pg_config"); err == nil {
		if out, err := output(pgConfig, "--bindir"); err == nil {
			add(out)
		}
	}
	if postgres, err := exec.LookPath("postgres"); err == nil {
		if resolved, err := filepath.EvalSymlinks(postgres); err == nil {
			add(filepath.Dir(resolved))
		}
	}
	return dirs
}

func inspect(dir string, extensions []string) (binaries, error) {
	b := binaries{dir: dir}
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(b.path(name))
		if err != nil {
			return b, err
		}
		if info.Mode()&0o111 == 0 {
			return b, fmt.Errorf("cluster: %s is not executable", b.path(name))
		}
	}
	version, err := output(b.path("postgres"), "-V")
	if err != nil {
		return b, err
	}
	if b.major, err = parseMajor(version); err != nil {
		return b, err
	}
	share := shareDir(b)
	if share == "" {
		// Not knowing is no reason to refuse: CREATE EXTENSION will say.
		return b, nil
	}
	for _, ext := range extensions {
		if _, err := os.Stat(filepath.Join(share, "extension", ext+".control")); errors.Is(err, os.ErrNotExist) {
			b.missing = append(b.missing, ext)
		}
	}
	return b, nil
}

// shareDir is where the installation keeps its extension control files.
func shareDir(b binaries) string {
	var candidates []string
	if out, err := output(b.path("pg_config"), "--sharedir"); err == nil {
		candidates = append(candidates, out)
	}
	candidates = append(candidates,
		filepath.Join("/usr/share/postgresql", strconv.Itoa(b.major)),
		filepath.Join(b.dir, "../share/postgresql"),
		filepath.Join(b.dir, "../share"))
	for _, dir := range candidates {
		if info, err := os.Stat(filepath.Join(dir, "extension")); err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

// parseMajor reads "postgres (PostgreSQL) 15.18 (Debian ...)".
func parseMajor(version string) (int, error) {
	_, rest, ok := strings.Cut(version, "(PostgreSQL) ")
	if !ok {
		return 0, fmt.Errorf("cluster: not a PostgreSQL version: %q", version)
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.Atoi(rest[:end])
	if err != nil {
		return 0, fmt.Errorf("cluster: not a PostgreSQL version: %q", version)
	}
	return n, nil
}

// dataMajor reads PG_VERSION; 0 means that there is no cluster yet.
func dataMajor(pgDir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(pgDir, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fail(CodeOwner, "无法读取数据库目录。The database directory cannot be read: "+pgDir, err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fail(CodeVersion, "PG_VERSION 无法识别。PG_VERSION is not readable in "+pgDir, err)
	}
	return n, nil
}

func output(program string, args ...string) (string, error) {
	cmd := exec.Command(program, args...)
	cmd.Env = childEnv()
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}
