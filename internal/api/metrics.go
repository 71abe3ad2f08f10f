package api

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"onemap/internal/db"
)

// metrics are the figures of one server; nothing is registered globally, so two
// servers in one test do not meet.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	inFlight atomic.Int64
	shed     atomic.Int64
	dropped  atomic.Int64 // streams ended because the client was too slow
	frames   atomic.Int64
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "onemap_http_requests_total", Help: "Requests answered, by route of the route table.",
		}, []string{"route", "method", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "onemap_http_request_seconds", Help: "Time to answer, without writing the response.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route"}),
	}
	gauge := func(name, help string, fn func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, fn)
	}
	counter := func(name, help string, v *atomic.Int64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(v.Load()) })
	}
	feed := s.opts.Feed
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.seconds,
		gauge("onemap_http_in_flight", "Requests being answered.", func() float64 { return float64(m.inFlight.Load()) }),
		counter("onemap_http_shed_total", "Requests refused because too many were under way.", &m.shed),
		gauge("onemap_live_streams", "Open live streams.", func() float64 { return float64(s.hub.count()) }),
		counter("onemap_live_dropped_total", "Live streams ended because the client was too slow.", &m.dropped),
		counter("onemap_live_frames_total", "Frames queued to live streams.", &m.frames),
		gauge("onemap_feed_connected", "Whether the feed reader has its connection.", func() float64 { return flag(feed.State().Connected) }),
		gauge("onemap_feed_lag_seconds", "From a writer's clock to delivery, of the last change.", func() float64 { return feed.State().Lag.Seconds() }),
		gauge("onemap_feed_horizon_age_seconds", "Age of the oldest write transaction, which holds the feed back.", func() float64 { return feed.State().HorizonAge.Seconds() }),
		gauge("onemap_feed_horizon_pid", "Backend that holds the feed back.", func() float64 { return float64(feed.State().HolderPID) }),
		gauge("onemap_feed_horizon_xid", "Every transaction below is delivered.", func() float64 { return float64(feed.State().Horizon) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "onemap_build_info", Help: "Version of the program.", ConstLabels: prometheus.Labels{"version": s.opts.Version}}, func() float64 { return 1 }),
		tileCollector{s},
	)
	if s.opts.DB != nil {
		for name, pool := range map[string]*db.Pool{"intake": s.opts.DB.Intake, "query": s.opts.DB.Query, "bulk": s.opts.DB.Bulk} {
			label := prometheus.Labels{"pool": name}
			m.registry.MustRegister(
				prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "onemap_db_connections", Help: "Open connections.", ConstLabels: label}, func() float64 { return float64(pool.Stat().TotalConns()) }),
				prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "onemap_db_acquired", Help: "Connections in use.", ConstLabels: label}, func() float64 { return float64(pool.Stat().AcquiredConns()) }),
				prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "onemap_db_waits_total", Help: "Acquisitions that had to wait.", ConstLabels: label}, func() float64 { return float64(pool.Stat().EmptyAcquireCount()) }),
				prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "onemap_db_connects_total", Help: "Connections opened.", ConstLabels: label}, func() float64 { return float64(pool.Stat().NewConnsCount()) }),
			)
		}
	}
	return m
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m *metrics) observe(req *Request, status int, took time.Duration) {
	route, method := "none", "other"
	if req.route != nil {
		route = req.route.Name
	}
	switch req.Method {
	case "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE":
		method = req.Method // a stranger's method must not become a label
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	if req.route != nil {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

func (s *Server) getMetrics(context.Context, *Request) (*Response, error) {
	families, err := s.metrics.registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	var out bytes.Buffer
	enc := expfmt.NewEncoder(&out, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return nil, fmt.Errorf("encode metrics: %w", err)
		}
	}
	return &Response{Type: "text/plain; version=0.0.4; charset=utf-8", Body: out.Bytes(), Cache: noStore, compress: true}, nil
}
