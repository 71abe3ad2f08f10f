package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// account is who the postmaster runs as, and who may connect.
type account struct {
	uid, gid int
	groups   []uint32
	name     string
	// process is the name of the user this process runs as; it differs from
	// name only when this process is root.
	process string
	// switchUser is true when the child must change its user.
	switchUser bool
}

func ownerOf(info os.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// findAccount decides under which account PostgreSQL runs. PostgreSQL refuses
// to run as root, so root hands it to the owner of the existing data, or to
// the postgres account that Debian's package creates.
func findAccount(o Options, pgDir string) (account, error) {
	euid := os.Geteuid()
	self, err := user.LookupId(strconv.Itoa(euid))
	if err != nil {
		return account{}, fail(CodeUser, fmt.Sprintf(
			"当前用户编号 %d 在 /etc/passwd 中没有名字，PostgreSQL 不能运行。User id %d has no name in /etc/passwd; PostgreSQL cannot run as it.",
			euid, euid), err)
	}
	dataOwner := -1
	if info, err := os.Stat(pgDir); err == nil {
		dataOwner = ownerOf(info)
	}
	if euid != 0 {
		if dataOwner >= 0 && dataOwner != euid {
			return account{}, fail(CodeOwner, fmt.Sprintf(
				"数据库目录属于用户 %s，当前用户是 %s；请用该用户或 root 运行。The database directory %s belongs to %s and this is %s: run as that user or as root.",
				userName(dataOwner), self.Username, pgDir, userName(dataOwner), self.Username), nil)
		}
		gid, err := strconv.Atoi(self.Gid)
		if err != nil {
			return account{}, fmt.Errorf("cluster: group of %s: %w", self.Username, err)
		}
		return account{uid: euid, gid: gid, name: self.Username, process: self.Username}, nil
	}
	var u *user.User
	switch {
	case o.User != "":
		u, err = user.Lookup(o.User)
	case dataOwner > 0:
		u, err = user.LookupId(strconv.Itoa(dataOwner))
	default:
		u, err = user.Lookup("postgres")
	}
	if err != nil || u.Uid == "0" {
		return account{}, fail(CodeUser,
			"以 root 运行时需要系统用户 postgres（由 postgresql-15 软件包建立）。As root the system user postgres is needed (package postgresql-15 creates it).", err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return account{}, fmt.Errorf("cluster: ids of %s: %w", u.Username, err)
	}
	a := account{uid: uid, gid: gid, name: u.Username, process: self.Username, switchUser: true}
	if ids, err := u.GroupIds(); err == nil {
		for _, id := range ids {
			if n, err := strconv.ParseUint(id, 10, 32); err == nil {
				a.groups = append(a.groups, uint32(n))
			}
		}
	}
	return a, nil
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// attributes are the SysProcAttr of every program run as the account.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if a.switchUser {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid), Groups: a.groups}
	}
	return attr
}

// own gives a file or directory to the account.
func (a account) own(path string) error {
	if !a.switchUser {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// checkTraversal asks the kernel, by running a program of PostgreSQL's as the
// account with dir as its working directory; modes alone would misjudge ACLs.
// They are only used to name the folder that is in the way.
func (a account) checkTraversal(postgres, dir string) error {
	if !a.switchUser {
		return nil
	}
	cmd := exec.Command(postgres, "-V")
	cmd.Dir = dir
	cmd.Env = childEnv()
	cmd.SysProcAttr = a.attributes()
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if !errors.Is(err, os.ErrPermission) {
		return fail(CodeStart, "PostgreSQL 程序无法运行。The PostgreSQL program cannot be run: "+postgres, err)
	}
	for _, path := range []string{dir, postgres} {
		if blocking := a.blockingFolder(path); blocking != "" {
			return fail(CodePath, fmt.Sprintf(
				"用户 %s 无法穿过文件夹 %s；请换一个数据目录，或执行 chmod o+x %s。User %s cannot pass through the folder %s: choose another data directory or run chmod o+x on it.",
				a.name, blocking, blocking, a.name, blocking), nil)
		}
	}
	return fail(CodePath, fmt.Sprintf("用户 %s 无法进入 %s。User %s cannot enter %s.", a.name, dir, a.name, dir), err)
}

// blockingFolder names the first folder above path that the account may not
// search, judged by its mode bits.
func (a account) blockingFolder(path string) string {
	var chain []string
	for p := filepath.Dir(path); ; p = filepath.Dir(p) {
		chain = append(chain, p)
		if p == filepath.Dir(p) {
			break
		}
	}
	for _, folder := range slices.Backward(chain) {
		info, err := os.Stat(folder)
		if err != nil {
			continue
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			continue
		}
		bit := uint32(0o001)
		if int(st.Uid) == a.uid {
			bit = 0o100
		} else if int(st.Gid) == a.gid || slices.Contains(a.groups, st.Gid) {
			bit = 0o010
		}
		if st.Mode&bit == 0 {
			return folder
		}
	}
	return ""
}

// childEnv is the whole environment of PostgreSQL's programs: none of the
// caller's PG* variables, and messages in English because we read them.
func childEnv() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
}
