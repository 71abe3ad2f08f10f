package api

import (
	"context"
	"sync"
	"time"

	"onemap/internal/audit"
	"onemap/internal/auth"
)

// maxRefusals is how many refusals of one asker are written down per minute. The
// first ones tell the story; the rest would let him fill the disk.
const (
	maxRefusals = 20
	maxRefusers = 10_000
)

// refusals counts what was refused in the present minute.
type refusals struct {
	mu     sync.Mutex
	minute int64
	by     map[string]int
	total  int
}

// count says whether this refusal is written down, and whether it is the last of its
// asker in this minute.
func (r *refusals) count(who string, now time.Time) (write, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := now.Unix() / 60; m != r.minute || r.by == nil {
		r.minute, r.by, r.total = m, map[string]int{}, 0
	}
	if r.by[who] == 0 && len(r.by) >= maxRefusers || r.total >= maxRefusers {
		return false, false
	}
	r.by[who]++
	if n := r.by[who]; n <= maxRefusals {
		r.total++
		return true, n == maxRefusals
	}
	return false, false
}

// refused records an attempt that was denied: who, from where, at which route. The
// answer does not depend on whether it could be written.
func (s *Server) refused(ctx context.Context, req *Request, p *Error) {
	if req.route == nil {
		return
	}
	by := s.by(req)
	who := by.Account + " " + req.Who.ID
	if who == " " {
		who = req.client.String()
	}
	write, last := s.denied.count(who, time.Now())
	if !write {
		return
	}
	reason := string(p.Code)
	if last {
		reason += "; 本分钟内不再记录 · no more of this minute are recorded"
	}
	entry := audit.Entry{
		Doer: by.Doer(auth.Grant{}), Action: "access.refuse", Area: home(req.Who), Object: clip(req.Method+" "+req.Path, 200), Outcome: audit.Refused, Reason: reason,
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := s.opts.Audit.Note(ctx, req.Who.Reading(), entry); err != nil {
		s.opts.Logger.Warn("api: a refusal could not be recorded", "request", req.ID, "err", err)
	}
}

// home is the area an asker's refusals are filed under, so that the auditor of his
// township sees what his people run into: the person's office, or where a program's
// token holds. Callers without a name belong nowhere, which only everywhere's auditor
// reads.
func home(who *auth.Identity) string {
	switch {
	case who.Unit != "":
		return who.Unit
	case len(who.Grants) == 1:
		return who.Grants[0].Area
	}
	return ""
}

// maskPhone keeps what tells two numbers apart to who knows them.
func maskPhone(phone string) string { return audit.Mask(phone) }
