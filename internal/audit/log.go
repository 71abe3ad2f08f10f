package audit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"onemap/internal/db"
	"onemap/internal/geo"
)

// Log is the reader's and keeper's side of the audit.
type Log struct {
	db      *db.DB
	queries db.Queries
	log     *slog.Logger
	opts    Options

	mu    sync.Mutex
	state State // guarded by mu
}

// Options of a Log. Zero values take the defaults.
type Options struct {
	DB       *db.DB
	Logger   *slog.Logger
	Host     string        // name of this machine in syslog
	Interval time.Duration // between seals, default 3 s
	Retry    time.Duration // after syslog failed or another node sends, default 5 s
}

// State is what readiness and the auditor's page show.
type State struct {
	SealedAt  time.Time // when sealing last worked; zero: not yet
	SealError string
	Syslog    SyslogState
}

// SyslogState is how far forwarding is.
type SyslogState struct {
	On        bool
	Target    string
	Sending   bool      // by this node; another may be the one that does
	Waiting   int64     // entries and seals the receiver has not taken yet
	Oldest    time.Time // of those
	Error     string
	ErrorAt   time.Time
	Confirmed int64 // seal up to which the receiver's machine took everything
}

// Open makes the log.
func Open(o Options) (*Log, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Interval == 0 {
		o.Interval = 3 * time.Second
	}
	if o.Retry == 0 {
		o.Retry = 5 * time.Second
	}
	if o.Host == "" {
		o.Host = "-"
	}
	return &Log{db: o.DB, queries: q, log: o.Logger, opts: o}, nil
}

// Reading are the claims of somebody who reads the audit of an area. They are made of
// the grant that lets him, not of everything he may read as somebody else.
func Reading(actor string, areas geo.Scopes) db.Claims {
	return db.Claims{Actor: actor, Role: "auditor", Reach: db.NewReach(db.Areas{Internal: areas, Class: "auditor"})}
}

// State is how the background work stands.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *Log) update(fn func(*State)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fn(&l.state)
}

// Run seals and forwards until ctx ends. Several nodes may run it: one at a time seals,
// one at a time sends.
func (l *Log) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { l.forward(ctx) })
	l.keepSealing(ctx)
	work.Wait()
	return nil
}

func (l *Log) keepSealing(ctx context.Context) {
	tick := time.NewTicker(l.opts.Interval)
	defer tick.Stop()
	for {
		if _, err := l.Seal(ctx); err != nil && ctx.Err() == nil {
			if l.State().SealError == "" {
				l.log.Error("audit: sealing", "err", err)
			}
			l.update(func(s *State) { s.SealError = err.Error() })
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sealBatch bounds one seal: the transaction stays far under a second.
const sealBatch = 10000

// Seal seals everything there is and says how many entries it took; none when another
// node is at it.
func (l *Log) Seal(ctx context.Context) (int64, error) {
	var all int64
	for {
		n, err := l.sealOnce(ctx, sealBatch)
		if err != nil {
			return all, err
		}
		all += n
		if n < sealBatch {
			l.update(func(s *State) { s.SealedAt, s.SealError = time.Now(), "" })
			return all, nil
		}
	}
}
