package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"onemap/census/dangers"
	"onemap/census/field"
	"onemap/census/resources"
	"onemap/incidents"
	"onemap/incidents/alarms"
	"onemap/incidents/alerts"
	"onemap/incidents/contingency"
	"onemap/incidents/evacuation"
	"onemap/incidents/papers"
	"onemap/incidents/response"
	"onemap/incidents/sensing"
	"onemap/internal/api"
	"onemap/internal/api/health"
	"onemap/internal/api/localca"
	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/blobs"
	"onemap/internal/catalogue"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/internal/fallback"
	"onemap/internal/features"
	"onemap/internal/feed"
	"onemap/internal/gdal"
	"onemap/internal/impact"
	"onemap/internal/jobs"
	"onemap/internal/packs"
	"onemap/internal/poll"
	"onemap/internal/registry"
	"onemap/internal/restricted"
	fieldsync "onemap/internal/sync"
	"onemap/internal/wmts"
	"onemap/shelters"
	"onemap/shelters/roadgraph"
	"onemap/static"
	"onemap/tiles"
	"onemap/tiles/basemap"
	"onemap/zoning"
)

// app is the whole server. newApp opens its parts in order; close closes them in
// the reverse: first no new requests, then the streams and requests under way,
// then the feed, then the pools, last the cluster.
type app struct {
	env      environment
	flags    *serveFlags
	log      *slog.Logger
	started  time.Time
	db       *database
	registry *registry.Registry
	reader   *feed.Reader
	auth     *auth.Service
	audit    *audit.Log
	engine   *tiles.Engine
	sensing  *sensing.Service
	alarms   *alarms.Service
	jobs     *jobs.Runner
	sync     *fieldsync.Service
	blobs    *blobs.Service
	packs    *packs.Service
	roads    *roadgraph.Service
	alerts   *alerts.Service
	callUp   *evacuation.Service
	shelters *shelters.Service
	fallback *fallback.Service
	server   *api.Server
	listener net.Listener
	url      string
	renewal  func(context.Context) error // of the local certificate, nil without --tls local

	background sync.WaitGroup
	stop       context.CancelFunc // of the background work
}

func newApp(ctx context.Context, f *serveFlags, log *slog.Logger) (_ *app, err error) {
	a := &app{env: f.env, flags: f, log: log, started: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	// Taken first: a port in use must not cost a migration.
	if a.listener, err = net.Listen("tcp", f.listen); err != nil {
		return nil, fmt.Errorf("监听 · listen: %w", err)
	}
	if a.db, err = openServing(ctx, f.flags, log); err != nil {
		return nil, err
	}
	if f.withDemo {
		if err := loadDemoOnce(ctx, f.env, a.db, log); err != nil {
			return nil, err
		}
	}
	if a.registry, err = registry.Open(ctx, a.db.Bulk); err != nil {
		return nil, err
	}
	if a.reader, err = feed.Open(ctx, a.db.DB, feed.Options{Logger: log}); err != nil {
		return nil, err
	}
	if a.auth, err = auth.Open(ctx, auth.Options{DB: a.db.DB, Catalogue: a.registry, Logger: log}); err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // syslog names the machine; it may have no name
	if a.audit, err = audit.Open(audit.Options{DB: a.db.DB, Logger: log, Host: host}); err != nil {
		return nil, err
	}
	if a.engine, err = tiles.New(tiles.Options{DB: a.db.DB, Registry: a.registry, Feed: a.reader, Logger: log}); err != nil {
		return nil, err
	}
	if err := a.openServer(); err != nil {
		return nil, err
	}
	// The order is the promise of the feed: a page hears of a change only after
	// the cache has forgotten the old tile, and the cache is filled only under the
	// rights of now.
	a.reader.OnBatch("registry", a.reloadRegistry)
	a.reader.OnBatch("auth", a.auth.Changed)
	a.reader.OnBatch("tiles", a.engine.Invalidate)
	a.reader.OnBatch("packs", a.packs.Changed)
	a.reader.OnBatch("roads", a.roads.Changed)
	a.reader.OnBatch("live", a.server.Deliver)
	return a, nil
}

func (a *app) openServer() error {
	questions, err := features.Open(a.db.DB)
	if err != nil {
		return err
	}
	checker, err := health.Open(a.db.DB)
	if err != nil {
		return err
	}
	site, err := static.Load()
	if err != nil {
		return err
	}
	land, err := basemap.Open()
	if err != nil {
		return err
	}
	editor, err := catalogue.Open(a.db.DB)
	if err != nil {
		return err
	}
	contacts, err := restricted.Open(a.db.DB)
	if err != nil {
		return err
	}
	var ledger *decision.Ledger
	callUp, err := evacuation.Open(evacuation.Options{DB: a.db.DB, Catalogue: a.registry, Logger: a.log, Order: func(ctx context.Context, by auth.By, o decision.Order) (decision.Decision, error) {
		return ledger.Emergency(ctx, by, o)
	}})
	if err != nil {
		return err
	}
	a.callUp = callUp
	effects := editor.Effects()
	maps.Copy(effects, callUp.Effects())
	if ledger, err = decision.Open(decision.Options{DB: a.db.DB, Effects: effects}); err != nil {
		return err
	}
	plans, err := zoning.Open(zoning.Options{DB: a.db.DB, Catalogue: a.registry, Logger: a.log})
	if err != nil {
		return err
	}
	if a.jobs, err = jobs.Open(jobs.Options{DB: a.db.DB, Logger: a.log, Explain: api.ExplainJob}); err != nil {
		return err
	}
	tools, err := gdal.New(gdal.Options{})
	if errors.Is(err, gdal.ErrMissing) {
		a.log.Warn("GDAL is not installed: Shapefile, GeoPackage and KML can be neither read nor written")
		tools, err = nil, nil
	}
	if err != nil {
		return err
	}
	work, err := field.Open(field.Options{DB: a.db.DB, Catalogue: a.registry, Contacts: contacts, Logger: a.log})
	if err != nil {
		return err
	}
	reports, err := incidents.Open(incidents.Options{DB: a.db.DB, Catalogue: a.registry, Logger: a.log})
	if err != nil {
		return err
	}
	var dangerLoop *dangers.Service
	kindsOfPhotos := photosOf(work, reports)
	kindsOfPhotos["dangers"] = blobs.Source{Table: "dangers", Visibility: db.Internal, Also: func(ctx context.Context, who *auth.Identity, id string) (bool, error) {
		return dangerLoop.Readable(ctx, who, id)
	}}
	if a.blobs, err = blobs.Open(blobs.Options{DB: a.db.DB, Dir: filepath.Join(a.flags.Data, "blobs"), Catalogue: a.registry, Kinds: kindsOfPhotos, Logger: a.log}); err != nil {
		return err
	}
	if a.packs, err = packs.New(packs.Options{DB: a.db.DB, Tiles: a.engine, Catalogue: a.registry, Dir: filepath.Join(a.flags.Data, "packs"), Logger: a.log}); err != nil {
		return err
	}
	if dangerLoop, err = dangers.Open(dangers.Options{DB: a.db.DB, Catalogue: a.registry, Blobs: a.blobs, Logger: a.log}); err != nil {
		return err
	}
	kinds := append(work.Kinds(), dangerLoop.Kind(), reports.Kind(), callUp.Kind())
	if a.sync, err = fieldsync.New(fieldsync.Options{DB: a.db.DB, Feed: a.reader, Catalogue: a.registry, Kinds: kinds, Downs: append(work.Downs(), callUp.Down()), Blobs: a.blobs, Logger: a.log}); err != nil {
		return err
	}
	relief, err := shelters.Open(shelters.Options{DB: a.db.DB, Catalogue: a.registry, Logger: a.log})
	if err != nil {
		return err
	}
	a.shelters = relief
	forces, err := resources.Open(resources.Options{DB: a.db.DB, Catalogue: a.registry, Logger: a.log})
	if err != nil {
		return err
	}
	if a.fallback, err = fallback.Open(fallback.Options{DB: a.db.DB, Catalogue: a.registry, Contacts: contacts, KeyFile: filepath.Join(a.flags.Data, "fallback.key"), Dir: a.flags.fallbackDir, Logger: a.log}); err != nil {
		return err
	}
	if a.alerts, err = alerts.Open(alerts.Options{DB: a.db.DB, Catalogue: a.registry, Dir: filepath.Join(a.flags.Data, "alerts"), Logger: a.log}); err != nil {
		return err
	}
	if a.sensing, err = sensing.Open(sensing.Options{DB: a.db.DB, Catalogue: a.registry, Poll: poll.New(a.registry, a.log), Logger: a.log}); err != nil {
		return err
	}
	if a.alarms, err = alarms.Open(alarms.Options{DB: a.db.DB, Catalogue: a.registry, Sources: alarmSources(a.sensing, reports), Logger: a.log}); err != nil {
		return err
	}
	orders, err := response.Open(response.Options{DB: a.db.DB, Catalogue: a.registry})
	if err != nil {
		return err
	}
	clauses, err := contingency.Open(contingency.Options{DB: a.db.DB, Catalogue: a.registry})
	if err != nil {
		return err
	}
	writing, err := papers.Open(papers.Options{DB: a.db.DB, Catalogue: a.registry})
	if err != nil {
		return err
	}
	if a.roads, err = roadgraph.Open(roadgraph.Options{DB: a.db.DB, Catalogue: a.registry, Logger: a.log}); err != nil {
		return err
	}
	inside, err := impact.Open(impact.Options{DB: a.db.DB, Catalogue: a.registry, Roads: a.roads, Logger: a.log})
	if err != nil {
		return err
	}
	opts := api.Options{
		Impact: inside, Ways: a.roads,
		Responses: orders, Contingency: clauses, Papers: writing,
		Sensing: a.sensing, Alarms: a.alarms,
		Alerts:     a.alerts,
		Evacuation: callUp,
		Shelters:   relief, Resources: forces, Fallback: a.fallback,
		Sync:    a.sync,
		Dangers: dangerLoop, Blobs: a.blobs, Packs: a.packs, Work: work, Reports: reports, Incidents: reports,
		GDAL:   tools,
		Zoning: plans, Jobs: a.jobs,
		DB: a.db.DB, Auth: a.auth, Audit: a.audit, Editor: editor, Contacts: contacts, Decisions: ledger, TrustedProxy: a.flags.proxies, Catalogue: a.registry, Feed: a.reader, Tiles: a.engine, Features: questions,
		Site: site, Basemap: land, Basemaps: wmts.New(wmts.Options{Catalogue: a.registry, Logger: a.log}), Health: checker,
		Version: versionText(), PublicURL: a.flags.publicURL, Logger: a.log,
	}
	if opts.TLS, opts.Authority, err = a.certificate(); err != nil {
		return err
	}
	if a.server, err = api.New(opts); err != nil {
		return err
	}
	a.url = a.flags.publicURL
	if a.url == "" {
		scheme := "http"
		if opts.TLS != nil {
			scheme = "https"
		}
		a.url = scheme + "://" + strings.Replace(a.listener.Addr().String(), "[::]", "127.0.0.1", 1) + "/"
	}
	return nil
}

// photosOf says who may read the photos of records whose readers are not those of a place.
func photosOf(work *field.Service, reports *incidents.Service) map[string]blobs.Source {
	return map[string]blobs.Source{"tasks": {Readable: work.Readable}, "incident_reports": {Readable: reports.Readable}}
}

// certificate gives the TLS configuration the flags ask for, nil for plain HTTP.
func (a *app) certificate() (*tls.Config, api.Authority, error) {
	switch {
	case a.flags.tls == "local":
		ca, err := localca.Open(localca.Options{Dir: filepath.Join(a.flags.Data, "tls"), Hosts: a.hosts(), Logger: a.log})
		if err != nil {
			return nil, nil, err
		}
		a.renewal = ca.Run
		return ca.TLSConfig(), ca, nil
	case a.flags.tlsCert != "":
		cert, err := tls.LoadX509KeyPair(a.flags.tlsCert, a.flags.tlsKey)
		if err != nil {
			return nil, nil, fmt.Errorf("证书 · certificate: %w", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil, nil
	}
	return nil, nil, nil
}

// hosts are the names the certificate is for: what the server listens on, what it
// is called from outside, and every address of the machine when it listens on all.
func (a *app) hosts() []string {
	var hosts []string
	if u, err := url.Parse(a.flags.publicURL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	host, _, _ := net.SplitHostPort(a.flags.listen)
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return append(hosts, host)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return hosts
	}
	for _, addr := range addrs {
		if n, ok := addr.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			hosts = append(hosts, n.IP.String())
		}
	}
	return hosts
}

// reloadRegistry runs before the caches look: they must see the new catalogue.
func (a *app) reloadRegistry(ctx context.Context, b feed.Batch) {
	if !slices.ContainsFunc(b.Changes, func(c feed.Change) bool {
		return c.Layer == feed.CatalogueChanged || c.Layer == feed.RegistryChanged
	}) {
		return
	}
	// Holding the feed up for a moment is better than serving by an old catalogue:
	// the caches behind this handler would keep what they must forget.
	for try := range 20 {
		err := a.registry.Reload(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		a.log.Error("registry reload", "err", err, "try", try+1)
		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// run serves until ctx ends or a part fails for good.
func (a *app) run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	a.background.Go(func() { _ = a.reader.Run(work) })
	a.background.Go(func() { _ = a.auth.Run(work) })
	a.background.Go(func() { _ = a.audit.Run(work) })
	a.background.Go(func() { _ = a.jobs.Run(work) })
	a.background.Go(func() { _ = a.blobs.Run(work) })
	a.background.Go(func() { _ = a.sync.Run(work) })
	a.background.Go(func() { _ = a.packs.Run(work) })
	a.background.Go(func() { _ = a.roads.Run(work) })
	a.background.Go(func() { _ = a.alerts.Run(work) })
	a.background.Go(func() { _ = a.callUp.Run(work) })
	a.background.Go(func() { _ = a.sensing.Run(work) })
	a.background.Go(func() { _ = a.alarms.Run(work) })
	a.background.Go(func() { _ = a.shelters.Run(work) })
	a.background.Go(func() { _ = a.fallback.Run(work) })
	if a.renewal != nil {
		a.background.Go(func() { _ = a.renewal(work) })
	}
	if a.flags.play || a.flags.withDemo {
		a.background.Go(func() { speakDemo(work, a.db, a.log) })
	}
	if a.flags.play {
		a.background.Go(func() { playDemo(work, a.db, a.log) })
	} else if a.flags.withDemo {
		a.background.Go(func() { renewDemoIfOld(work, a.db, a.log) })
	}
	failed := make(chan error, 1)
	go func() { failed <- a.server.Serve(work, a.listener) }()
	announce(a.env, a.url, a.started, a.flags.open, a.log)
	if !a.flags.loopback() {
		warnOpen(a.env, a.flags.listen)
	}
	a.background.Go(func() { offerSetup(work, a.env, a.auth, a.url, a.registry.Now().Location(), a.log) })

	var clusterDown <-chan struct{}
	if a.db.cluster != nil {
		clusterDown = a.db.cluster.Done()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	case <-clusterDown:
		return a.db.cluster.Err()
	}
}

func (a *app) close() error {
	var err error
	if a.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err = a.server.Shutdown(ctx)
		cancel()
	}
	if a.listener != nil {
		_ = a.listener.Close()
	}
	if a.stop != nil {
		a.stop()
	}
	a.background.Wait()
	if a.db != nil {
		a.db.close(a.log)
	}
	return err
}
