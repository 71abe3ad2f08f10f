package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Cluster is the private PostgreSQL of one data directory.
type Cluster struct {
	opts      Options
	log       *slog.Logger
	dataDir   string
	pgDir     string
	logPath   string
	socketDir string
	account   account
	bin       binaries
	lock      *lockFile
	guests    *os.File // shared lock of a command that joined
	joined    bool
	waitGuest bool // an offline owner waits for those who joined it

	stopCtx  context.Context // ends when Stop is called
	stopNow  context.CancelFunc
	hurry    chan struct{} // closed when Stop's patience is over
	hurryOne sync.Once
	done     chan struct{} // closed when the cluster is down for good

	mu       sync.Mutex
	started  bool
	pid      int   // of the postmaster, 0 while it is down
	down     error // why it is down; nil while it runs
	restarts int
	stopErr  error
}

// New checks the options and prepares the data directory; it starts nothing.
func New(o Options) (*Cluster, error) {
	o = o.withDefaults()
	root := os.Geteuid() == 0
	dataDir, err := prepareDataDir(o.DataDir, root)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		opts: o, log: o.Logger, dataDir: dataDir,
		pgDir:   filepath.Join(dataDir, "pg"),
		logPath: filepath.Join(dataDir, "log", "postgres.log"),
		hurry:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	if c.socketDir, err = socketDir(o, dataDir, root); err != nil {
		return nil, err
	}
	c.stopCtx, c.stopNow = context.WithCancel(context.Background())
	return c, nil
}

// Start brings the cluster up and returns when it serves connections, with
// roles and database in place. From then on a postmaster that dies is started
// again. Start may be called once.
func (c *Cluster) Start(ctx context.Context) error {
	c.mu.Lock()
	again := c.started
	c.mu.Unlock()
	if again {
		return errors.New("cluster: started twice")
	}
	lock, err := acquire(c.dataDir, c.socketDir)
	if errors.Is(err, errHeld) {
		return errLocked(c.dataDir)
	}
	if err != nil {
		return err
	}
	c.lock = lock
	c.mu.Lock()
	c.started = true
	c.mu.Unlock()
	ch, err := c.bringUp(ctx)
	if err != nil {
		c.setDown(err)
		c.lock.release()
		close(c.done)
		return err
	}
	go c.supervise(ch)
	return nil
}

// bringUp does everything a first start needs.
func (c *Cluster) bringUp(ctx context.Context) (*child, error) {
	// Stop may be called while we wait for a long recovery.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.stopCtx, func() { cancel(errStopped) })()

	var err error
	if c.account, err = findAccount(c.opts, c.pgDir); err != nil {
		return nil, err
	}
	major, err := dataMajor(c.pgDir)
	if err != nil {
		return nil, err
	}
	if c.bin, err = findBinaries(c.opts, major); err != nil {
		return nil, err
	}
	if err := c.prepareDisk(); err != nil {
		return nil, err
	}
	if err := c.initialise(ctx); err != nil {
		return nil, err
	}
	if err := c.account.checkTraversal(c.bin.path("postgres"), c.pgDir); err != nil {
		return nil, err
	}
	ch, err := c.launch(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.furnish(ctx); err != nil {
		return nil, errors.Join(err, ch.shutdown(c.opts.StopGrace, c.hurry))
	}
	return ch, nil
}

var errStopped = errors.New("cluster: stopped")

// launch climbs the ladder, starts a postmaster and waits for it. On failure
// nothing of it is left running.
func (c *Cluster) launch(ctx context.Context) (*child, error) {
	if err := c.climb(ctx); err != nil {
		return nil, err
	}
	if err := c.writeConfig(); err != nil {
		return nil, err
	}
	if err := c.prepareSocketDir(); err != nil {
		return nil, err
	}
	logFile, err := c.openLog()
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	logStart := c.logSize()

	cmd := exec.Command(c.bin.path("postgres"), c.arguments()...)
	cmd.Dir = c.pgDir
	cmd.Env = childEnv()
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = c.account.attributes()
	// SIGINT is a fast shutdown: clean, checkpointed, pid file removed.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	begun := time.Now()
	ch, err := spawn(cmd)
	if err != nil {
		return nil, fail(CodeStart, "PostgreSQL 程序无法运行。The PostgreSQL program cannot be run", err)
	}
	if err := c.waitReady(ctx, ch, logStart); err != nil {
		if ch.alive() {
			err = errors.Join(err, ch.shutdown(c.opts.StopGrace, c.hurry))
		}
		return nil, err
	}
	c.mu.Lock()
	c.pid, c.down = ch.pid, nil
	c.mu.Unlock()
	c.log.Info("cluster: PostgreSQL is ready", "pid", ch.pid, "version", c.bin.major,
		"socket", c.socketDir, "took", time.Since(begun).Round(time.Millisecond))
	return ch, nil
}

// prepareSocketDir makes the socket's directory, 0700 and owned by the
// cluster's account. Under a shared temporary directory somebody else may
// have been there first: a link or a foreign owner is refused.
func (c *Cluster) prepareSocketDir() error {
	if err := os.MkdirAll(c.socketDir, 0o700); err != nil {
		return fail(CodeSocket, "无法建立套接字目录。The socket directory cannot be created: "+c.socketDir, err)
	}
	info, err := os.Lstat(c.socketDir)
	if err != nil {
		return fail(CodeSocket, "无法读取套接字目录。The socket directory cannot be read: "+c.socketDir, err)
	}
	owner := ownerOf(info)
	if !info.IsDir() || (owner != os.Geteuid() && owner != c.account.uid) {
		return fail(CodeSocket, fmt.Sprintf(
			"套接字目录 %s 属于 %s，不能使用。The socket directory %s belongs to %s and cannot be used.",
			c.socketDir, userName(owner), c.socketDir, userName(owner)), nil)
	}
	if err := os.Chmod(c.socketDir, 0o700); err != nil {
		return fail(CodeSocket, "无法设置套接字目录的权限。The mode of the socket directory cannot be set: "+c.socketDir, err)
	}
	if err := c.account.own(c.socketDir); err != nil {
		return fail(CodeSocket, "无法移交套接字目录。The socket directory cannot be handed over: "+c.socketDir, err)
	}
	return nil
}

// supervise keeps a postmaster running until Stop. It owns the child.
func (c *Cluster) supervise(ch *child) {
	defer close(c.done)
	defer c.cleanUp()
	house := time.NewTicker(20 * time.Second)
	defer house.Stop()
	low := false
	for {
		select {
		case <-c.stopCtx.Done():
			c.awaitGuests()
			err := ch.shutdown(c.opts.StopGrace, c.hurry)
			c.mu.Lock()
			c.stopErr = err
			c.mu.Unlock()
			return
		case <-house.C:
			low = c.housekeeping(low)
			continue
		case <-ch.exited:
		}
		err := &Error{Code: CodeStart, Message: "PostgreSQL 意外结束，正在重新启动。PostgreSQL ended unexpectedly and is being restarted",
			Err: ch.err, Log: c.logTail(0, 5)}
		c.setDown(err)
		c.log.Error("cluster: PostgreSQL ended unexpectedly, restarting", "status", fmt.Sprint(ch.err))
		if ch = c.relaunch(); ch == nil {
			return
		}
	}
}

// relaunch tries until it works or Stop is called; the pauses grow to 10 s, so
// that a full disk that is freed is noticed soon.
func (c *Cluster) relaunch() *child {
	pause := 100 * time.Millisecond
	for {
		ch, err := c.launch(c.stopCtx)
		if err == nil {
			c.mu.Lock()
			c.restarts++
			c.mu.Unlock()
			return ch
		}
		if c.stopCtx.Err() != nil {
			return nil
		}
		c.setDown(err)
		c.log.Error("cluster: restart failed, trying again", "in", pause, "err", err)
		select {
		case <-c.stopCtx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, 10*time.Second)
	}
}

func (c *Cluster) housekeeping(low bool) bool {
	if err := c.rotateLog(logBytes); err != nil {
		c.log.Warn("cluster: rotate the log", "err", err)
	}
	d, err := c.Disk()
	if err != nil {
		return low
	}
	if d.Low != low {
		if d.Low {
			c.log.Warn("cluster: little disk space left", "free", d.Free, "total", d.Total, "dir", c.dataDir)
		} else {
			c.log.Info("cluster: disk space is sufficient again", "free", d.Free)
		}
	}
	return d.Low
}

func (c *Cluster) cleanUp() {
	c.mu.Lock()
	c.pid = 0
	if c.down == nil {
		c.down = errStopped
	}
	c.mu.Unlock()
	_ = os.Remove(c.socketDir) // refused while anything is in it
	if c.guests != nil {
		_ = c.guests.Close()
	}
	c.lock.release()
}

func (c *Cluster) setDown(err error) {
	c.mu.Lock()
	c.pid, c.down = 0, err
	c.mu.Unlock()
}

// Stop takes the cluster down: a fast shutdown, and after the grace, or when
// ctx ends, an immediate one, from which the next start recovers. It may be
// called at any time and more than once. A joined cluster is only left.
func (c *Cluster) Stop(ctx context.Context) error {
	c.mu.Lock()
	started := c.started
	c.mu.Unlock()
	if c.joined {
		c.leave()
		return nil
	}
	c.stopNow()
	if !started {
		return nil
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.hurryOne.Do(func() { close(c.hurry) })
		<-c.done // at most quitGrace from here
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopErr
}

// Done is closed when the cluster is down for good: after Stop, or when Start
// failed. A postmaster that dies is restarted and does not close it; see Err.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Err is nil while PostgreSQL serves and says why when it does not.
func (c *Cluster) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

// PID is the postmaster's process number, 0 while it is down or not ours.
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Restarts counts how often a dead postmaster was replaced.
func (c *Cluster) Restarts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.restarts
}

// SocketDir is the directory of the server's socket.
func (c *Cluster) SocketDir() string { return c.socketDir }

// DataDir is the resolved data directory.
func (c *Cluster) DataDir() string { return c.dataDir }

// DSN names a database of the cluster for a role, as keyword/value pairs that
// leave nothing to PG* environment variables.
func (c *Cluster) DSN(database, role string) string { return dsn(c.socketDir, database, role) }

func dsn(socketDir, database, role string) string {
	q := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
	return "host=" + q(socketDir) + " port=5432 user=" + q(role) + " dbname=" + q(database) +
		" sslmode=disable target_session_attrs=any"
}
