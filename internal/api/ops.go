package api

import (
	"context"
	"runtime"
	"time"

	"onemap/internal/auth"
	"onemap/internal/feed"
)

type healthAnswer struct {
	Status string `json:"status"`
}

// getHealthz says that the process answers. It asks nobody: a slow database must
// not make a supervisor kill a healthy server.
func (s *Server) getHealthz(context.Context, *Request) (*Response, error) {
	resp, err := answer(typeJSON, healthAnswer{"ok"})
	if err == nil {
		resp.Cache, resp.ETag = noStore, ""
	}
	return resp, err
}

type check struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Value any    `json:"value,omitempty"`
}

type readyAnswer struct {
	Status string `json:"status"`
	*readyDetails
}

// readyDetails are for this machine and for who manages the system.
type readyDetails struct {
	Checks       []check `json:"checks"`
	HorizonAgeMs int64   `json:"horizon_age_ms"`
	HorizonPID   int     `json:"horizon_pid"`
	FeedLagMs    int64   `json:"feed_lag_ms"`
	Position     string  `json:"position"`
}

// maxHorizonAge is the age of the oldest write transaction above which this node
// shows a picture too old to be called live.
const maxHorizonAge = 30 * time.Second

// getReadyz says whether a load balancer should send anybody here. Which check
// failed is told by name; why stands in the log.
func (s *Server) getReadyz(ctx context.Context, req *Request) (*Response, error) {
	r := s.opts.Health.Check(ctx)
	st := s.opts.Feed.State()
	ans := readyAnswer{readyDetails: &readyDetails{
		HorizonAgeMs: st.HorizonAge.Milliseconds(), HorizonPID: st.HolderPID,
		FeedLagMs: st.Lag.Milliseconds(), Position: st.Position.String(),
	}}
	add := func(name string, ok bool, value any) {
		ans.Checks = append(ans.Checks, check{Name: name, OK: ok, Value: value})
	}
	add("serving", !s.draining.Load(), nil)
	add("database", r.Database == nil, nil)
	add("migrations", r.Database == nil && r.Migrations == nil, r.Version)
	var index, rows any // what a DBA must run
	switch {
	case r.Fix == "":
	case r.Role != nil:
		rows = r.Fix
	default:
		index = r.Fix
	}
	add("spatial_index", r.Database == nil && r.Plan == nil, index)
	add("row_security", r.Database == nil && r.Role == nil, rows)
	add("feed", st.Connected, nil)
	add("feed_horizon", st.HorizonAge < maxHorizonAge, nil)
	ans.Status = "ready"
	status := 200
	for _, c := range ans.Checks {
		if !c.OK {
			ans.Status, status = "not_ready", 503
		}
	}
	for _, err := range []error{r.Database, r.Migrations, r.Plan, r.Role} {
		if err != nil {
			s.opts.Logger.Warn("api: not ready", "err", err)
		}
	}
	if !req.thisMachine() && !req.Who.May(auth.ManageSystem, req.Received) {
		ans.readyDetails = nil
	}
	resp, err := answer(typeJSON, ans)
	if err != nil {
		return nil, err
	}
	resp.Status, resp.Cache, resp.ETag = status, noStore, ""
	if status != 200 {
		resp.Set("Retry-After", "3")
	}
	return resp, nil
}

type ruleAnswer struct {
	Rule     string `json:"rule"`
	Version  int    `json:"version"`
	Title    string `json:"title"`
	Standard string `json:"standard,omitempty"`
	Verified bool   `json:"verified"`
}

type layerDate struct {
	Layer      string `json:"layer"`
	SourceDate string `json:"source_date"`
}

type aboutAnswer struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	*aboutDetails
}

// aboutDetails are figures, which callers without a name are not shown.
type aboutDetails struct {
	Go        string       `json:"go"`
	Schema    int          `json:"schema"`
	RuleSets  []ruleAnswer `json:"rule_sets"`
	DataDates []layerDate  `json:"data_dates"`
	FeedID    string       `json:"feed"`
	Position  string       `json:"position"`
	Approval  string       `json:"map_approval"`
	Timezone  string       `json:"timezone"`
}

func (s *Server) getAbout(ctx context.Context, req *Request) (*Response, error) {
	a := aboutAnswer{Name: "onemap", Version: s.opts.Version}
	if req.Who.Kind == auth.Anonymous {
		return answer(typeJSON, a)
	}
	snap := s.opts.Catalogue.Now()
	st := s.opts.Feed.State()
	a.aboutDetails = &aboutDetails{
		Go: runtime.Version(), RuleSets: []ruleAnswer{}, DataDates: []layerDate{},
		Schema: s.opts.Health.Check(ctx).Version, FeedID: st.FeedID, Position: st.Position.String(), Timezone: snap.Location().String(),
	}
	snap.Setting("map_approval", &a.Approval)
	for _, name := range sortedKeys(snap.Rules) {
		r := snap.Rules[name]
		a.RuleSets = append(a.RuleSets, ruleAnswer{r.Rule, r.Version, r.Title.In(req.Lang), r.Standard, r.Verified})
	}
	infos, err := s.layerInfos(ctx, req)
	if err != nil {
		return nil, err
	}
	for _, l := range visibleLayers(req, snap) {
		if d := sourceDate(infos[l.ID]); d != "" {
			a.DataDates = append(a.DataDates, layerDate{l.ID, d})
		}
	}
	return answer(typeJSON, a)
}

// waitAfter holds a read until this node shows at least the position the client
// wrote: its own change is never missing from its own screen.
func (s *Server) waitAfter(ctx context.Context, req *Request) error {
	if req.After == "" {
		return nil
	}
	p, err := feed.ParsePosition(req.After)
	if err != nil {
		return invalid("Onemap-After", "不是位置", "it is not a position")
	}
	wait, cancel := context.WithTimeout(ctx, s.opts.Patience)
	defer cancel()
	if err := s.opts.Feed.WaitFor(wait, p); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return wrap(CodeNotCaughtUp, err)
	}
	return nil
}

// position is what the answer shows at least; taken before the question is asked.
func (s *Server) position() string { return s.opts.Feed.State().Position.String() }
