package cluster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// durable are the settings without which an acknowledged row can be lost.
// They go on the command line, where ALTER SYSTEM cannot reach them, and are
// read back from the running server.
func durable() map[string]string {
	return map[string]string{
		"fsync":              "on",
		"full_page_writes":   "on",
		"synchronous_commit": "on",
	}
}

// settings is postgresql.conf as we want it. extra wins.
func settings(uid int, memory uint64, extra map[string]string) map[string]string {
	s := map[string]string{
		"max_connections": "60",
		"shared_buffers":  kilobytes(clamp(memory/8, 64<<20, 2<<30)),
		// An estimate for the planner, not an allocation.
		"effective_cache_size": kilobytes(clamp(memory/2, 256<<20, 64<<30)),
		"work_mem":             "16MB",
		"maintenance_work_mem": kilobytes(clamp(memory/16, 64<<20, 512<<20)),
		"wal_level":            "replica",
		// Bounds crash recovery to some 15 s on two slow cores.
		"max_wal_size":       "512MB",
		"checkpoint_timeout": "5min",
		"wal_compression":    "on",
		"random_page_cost":   "1.1",
		// Compiling costs more than our short queries take.
		"jit":                         "off",
		"timezone":                    "UTC",
		"log_timezone":                "UTC",
		"lc_messages":                 "C",
		"log_line_prefix":             "%m [%p] %q%u@%d ",
		"log_lock_waits":              "on",
		"log_min_messages":            "warning",
		"log_autovacuum_min_duration": "-1",
		// People's data must not reach the log: no statements, no parameters,
		// no "Failing row contains (...)".
		"log_min_error_statement": "panic",
		"log_error_verbosity":     "terse",
		"logging_collector":       "off", // stderr goes straight to our rotated file
	}
	// When the last session of an ordinary user ends, systemd-logind removes
	// his shared memory (RemoveIPC), also that of a server left running, which
	// then refuses every new connection. Files in the data directory stay.
	if uid >= firstPersonUID {
		s["dynamic_shared_memory_type"] = "mmap"
	}
	maps.Copy(s, extra)
	return s
}

// firstPersonUID is where Debian starts numbering people; system accounts,
// which logind leaves alone, are below.
const firstPersonUID = 1000

func clamp(v, low, high uint64) uint64 { return max(low, min(v, high)) }

func kilobytes(bytes uint64) string { return strconv.FormatUint(bytes>>10, 10) + "kB" }

// memoryLimit is the machine's memory, or the container's share of it.
func memoryLimit() uint64 {
	total := uint64(1 << 30)
	if f, err := os.Open("/proc/meminfo"); err == nil {
		defer f.Close()
		scan := bufio.NewScanner(f)
		for scan.Scan() {
			fields := strings.Fields(scan.Text())
			if len(fields) >= 2 && fields[0] == "MemTotal:" {
				if kb, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
					total = kb << 10
				}
				break
			}
		}
	}
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 {
			total = min(total, limit)
		}
	}
	return total
}

// writeConfig writes the three configuration files. They are ours and are
// written at every start; an administrator's own settings go into local.conf
// beside them or through ALTER SYSTEM.
func (c *Cluster) writeConfig() error {
	var conf bytes.Buffer
	conf.WriteString("# Written by onemap at every start. Put your own settings into local.conf.\n")
	s := settings(c.account.uid, memoryLimit(), c.opts.Settings)
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&conf, "%s = '%s'\n", name, strings.ReplaceAll(s[name], "'", "''"))
	}
	conf.WriteString("include_if_exists 'local.conf'\n")

	// Only a missing file is written here: what is in it is not ours.
	local := filepath.Join(c.pgDir, "local.conf")
	if _, err := os.Lstat(local); errors.Is(err, os.ErrNotExist) {
		if err := c.replaceFile(local, []byte("# Your own PostgreSQL settings; they win over postgresql.conf.\n")); err != nil {
			return err
		}
	}

	hba := "# Written by onemap at every start: the kernel says who connects, no passwords.\n" +
		"local all         " + Superuser + "," + OwnerRole + "," + AppRole + " peer map=onemap\n" +
		"local replication " + Superuser + " peer map=onemap\n"

	var ident bytes.Buffer
	ident.WriteString("# Written by onemap at every start.\n")
	names := []string{c.account.process, c.account.name, "root"}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		for _, role := range []string{Superuser, OwnerRole, AppRole} {
			fmt.Fprintf(&ident, "onemap %s %s\n", strconv.Quote(name), role)
		}
	}
	for name, text := range map[string][]byte{
		"postgresql.conf": conf.Bytes(), "pg_hba.conf": []byte(hba), "pg_ident.conf": ident.Bytes(),
	} {
		if err := c.replaceFile(filepath.Join(c.pgDir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile writes a file of the cluster's account if its text changed, so
// that a start on a full disk does not fail on files that are already right.
func (c *Cluster) replaceFile(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
		return nil
	}
	tmp := path + ".onemap"
	err := os.WriteFile(tmp, text, 0o600)
	if err == nil {
		err = c.account.own(tmp)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(c.ioError("无法写配置文件。A configuration file cannot be written: "+path, err), removeQuietly(tmp))
	}
	return nil
}

func removeQuietly(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// arguments is the postmaster's command line: what must hold whatever the
// configuration files say.
func (c *Cluster) arguments() []string {
	fixed := durable()
	for name := range fixed {
		if v, ok := c.opts.Settings[name]; ok {
			fixed[name] = v
		}
	}
	fixed["listen_addresses"] = ""
	fixed["port"] = "5432" // names the socket file, no TCP
	fixed["unix_socket_directories"] = `"` + c.socketDir + `"`
	fixed["unix_socket_permissions"] = "0700"
	args := []string{"-D", c.pgDir}
	for _, name := range slices.Sorted(maps.Keys(fixed)) {
		args = append(args, "-c", name+"="+fixed[name])
	}
	return args
}
