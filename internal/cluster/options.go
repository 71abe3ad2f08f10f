package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Names inside the cluster. The application connects as AppRole, migrations
// as Superuser (extensions) and OwnerRole (tables).
const (
	Superuser = "postgres"
	OwnerRole = "onemap_owner"
	AppRole   = "onemap_app"
	Database  = "onemap"
)

const (
	socketName      = ".s.PGSQL.5432"
	maxSocketPath   = 100 // sun_path holds 108 bytes; tools append lock suffixes
	defaultGrace    = 30 * time.Second
	quitGrace       = 10 * time.Second
	oldestSupported = 15
)

// Options say where the cluster lives and how it runs. Only DataDir is needed.
type Options struct {
	// DataDir is the product's data directory. The cluster lives in
	// DataDir/pg, its log in DataDir/log, the lock is DataDir/server.lock.
	DataDir string
	// RuntimeDir is where the socket goes. Empty: /run/onemap-<hash> as root,
	// else XDGRuntimeDir/onemap-<hash>, else a directory of ours under the
	// system's temporary directory.
	RuntimeDir string
	// XDGRuntimeDir is the value of $XDG_RUNTIME_DIR, read by cmd.
	XDGRuntimeDir string
	// BinDir holds initdb and postgres. Empty: search for them.
	BinDir string
	// User is the account PostgreSQL runs under when this process is root.
	// Empty: the owner of existing data, else "postgres".
	User string
	// Settings are further postgresql.conf settings; they win over ours.
	Settings map[string]string
	// Extensions must be installable. Empty: the ones the schema needs.
	Extensions []string
	Logger     *slog.Logger
	// StopGrace is how long a fast shutdown may take before an immediate one
	// follows. Default 30 s.
	StopGrace time.Duration
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.StopGrace <= 0 {
		o.StopGrace = defaultGrace
	}
	if len(o.Extensions) == 0 {
		o.Extensions = []string{"postgis", "pgrouting", "pg_trgm", "btree_gist"}
	}
	return o
}

// prepareDataDir makes the data directory and returns its real path. As root
// it is 0711: the account PostgreSQL runs under must pass through it.
func prepareDataDir(dir string, root bool) (string, error) {
	if dir == "" {
		return "", fail(CodePath, "没有给出数据目录。No data directory was given.", nil)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fail(CodePath, "数据目录无法解析。The data directory cannot be resolved: "+dir, err)
	}
	mode := os.FileMode(0o700)
	if root {
		mode = 0o711
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return "", fail(CodePath, "无法建立数据目录。The data directory cannot be created: "+abs, err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", fail(CodePath, "无法读取数据目录。The data directory cannot be read: "+abs, err)
	}
	// Only a directory of our own is tightened; one that an administrator
	// prepared for somebody else keeps its mode and is judged by the
	// traversal check.
	if ownerOf(info) == os.Geteuid() && info.Mode().Perm() != mode {
		if err := os.Chmod(abs, mode); err != nil {
			return "", fail(CodePath, "无法设置数据目录的权限。The mode of the data directory cannot be set: "+abs, err)
		}
	}
	return filepath.EvalSymlinks(abs)
}

// socketDir picks the directory of the socket. The name is derived from the
// data directory, so that offline commands and a second start find it again.
func socketDir(o Options, dataDir string, root bool) (string, error) {
	sum := sha256.Sum256([]byte(dataDir))
	name := "onemap-" + hex.EncodeToString(sum[:5])
	var dirs []string
	switch {
	case o.RuntimeDir != "":
		abs, err := filepath.Abs(o.RuntimeDir)
		if err != nil {
			return "", fail(CodeSocket, "套接字目录无法解析。The socket directory cannot be resolved: "+o.RuntimeDir, err)
		}
		dirs = []string{abs}
	case root:
		dirs = []string{filepath.Join("/run", name)}
	case o.XDGRuntimeDir != "":
		dirs = []string{filepath.Join(o.XDGRuntimeDir, name)}
	}
	if o.RuntimeDir == "" {
		dirs = append(dirs, filepath.Join(os.TempDir(), fmt.Sprintf("%s-%d", name, os.Geteuid())))
	}
	for _, dir := range dirs {
		if len(filepath.Join(dir, socketName)) >= maxSocketPath || strings.ContainsAny(dir, "\",\n'\\") {
			continue
		}
		if o.RuntimeDir != "" {
			return dir, nil
		}
		if parent, err := os.Stat(filepath.Dir(dir)); err == nil && parent.IsDir() {
			return dir, nil
		}
	}
	return "", fail(CodeSocket, fmt.Sprintf(
		"套接字路径须少于 %d 字节且不含引号和逗号：%s。The socket path must be under %d bytes without quotes or commas.",
		maxSocketPath, dirs[0], maxSocketPath), nil)
}
