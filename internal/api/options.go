package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents/contingency"
	"onemap/incidents/papers"
	"onemap/incidents/response"
	"onemap/internal/api/health"
	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/blobs"
	"onemap/internal/catalogue"
	"onemap/internal/db"
	"onemap/internal/decision"
	"onemap/internal/features"
	"onemap/internal/feed"
	"onemap/internal/gdal"
	"onemap/internal/geo"
	"onemap/internal/packs"
	"onemap/internal/registry"
	"onemap/internal/restricted"
	"onemap/internal/sync"
	"onemap/static"
	"onemap/tiles"
)

// Catalogue gives the present snapshot of layers, lists and settings.
type Catalogue interface {
	Now() *registry.Snapshot
}

// Feed is the change feed as the streams and the consistency headers use it.
type Feed interface {
	State() feed.State
	WaitFor(ctx context.Context, p feed.Position) error
	Since(ctx context.Context, p feed.Position, limit int) ([]feed.Change, error)
	End(ctx context.Context) (feed.Position, error)
}

// Tiles renders tiles and knows the figures of the layers.
type Tiles interface {
	Tile(ctx context.Context, r tiles.Request) (*tiles.Tile, error)
	TileJSON(ctx context.Context, layers []string, base string, lang registry.Lang, reach db.Reach) (*tiles.TileJSON, error)
	Layers(ctx context.Context, reach db.Reach) ([]tiles.LayerInfo, error)
	Stats() tiles.Stats
}

// Questions answers what is asked of the layers.
type Questions interface {
	Items(ctx context.Context, who features.Asker, q features.ItemsQuery) (features.Page, error)
	ItemOf(ctx context.Context, who features.Asker, l *registry.Layer, id string, at features.Times, v features.Version) (features.Feature, bool, error)
	ByIDs(ctx context.Context, who features.Asker, l *registry.Layer, ids [][16]byte) (map[int64]features.Feature, error)
	WereShown(ctx context.Context, who features.Asker, l *registry.Layer, ids [][16]byte, seqs []int64) (map[int64]bool, error)
	Identify(ctx context.Context, who features.Asker, q features.IdentifyQuery) ([]features.Hit, error)
	Search(ctx context.Context, who features.Asker, q features.SearchQuery) ([]features.Found, error)
	Sources(ctx context.Context, who features.Asker, layers []*registry.Layer, at features.Times) (map[string]features.Source, error)
	Unit(ctx context.Context, who features.Asker, admin *registry.Layer, code string, at features.Times) (string, *orb.Bound, bool, error)
	DemoArea(ctx context.Context, who features.Asker) (geo.Scopes, error)
}

// Basemap is the land and water that travels in the binary.
type Basemap interface {
	Tile(z, x, y int) ([]byte, bool)
	ETag() string
	MaxZoom() int
}

// Health looks at what the server stands on.
type Health interface {
	Check(ctx context.Context) health.Report
}

// Authority is the local certificate authority of --tls local.
type Authority interface {
	CertificatePEM() []byte
	Fingerprint() string
	NotAfter() time.Time
}

// Options carry everything the server needs. The zero value of a limit takes its
// default.
type Options struct {
	DB        *db.DB
	Catalogue Catalogue
	Feed      Feed
	Tiles     Tiles
	Features  Questions
	Site      *static.Site
	Basemap   Basemap
	Basemaps  Basemaps // of the intranet
	Health    Health

	Auth      *auth.Service     // who asks and what he may do
	Audit     *audit.Log        // searched and exported here; written by the services
	Contacts  *restricted.Store // masked, revealed with a reason
	Decisions *decision.Ledger  // four eyes, emergency orders
	Editor    *catalogue.Store  // rule sets and layers as administrators change them
	Zoning    Zoning            // plans
	Jobs      Jobs              // work that outlasts a request
	GDAL      *gdal.Runner      // other systems' formats; nil where it is not installed
	Sync      *sync.Service     // what devices send and are sent, the desks
	Dangers   Dangers           // hidden dangers and measures
	Blobs     *blobs.Service    // photos
	Packs     *packs.Service    // maps of an area for phones without network
	Work      Work              // tasks, notices, patrols, what a phone shows when it wakes
	Reports   Reports           // 险情 and 灾情 at the duty desk
	Sensing   Sensing           // gauges
	Alarms    Alarms            // what rings
	// Evacuation is 叫应 and 转移.
	Evacuation Evacuation
	Incidents  Incidents // 突发事件, their reports, clocks, sketches
	Shelters   Shelters  // open, full, closed; promised and taken
	Resources  Resources // teams, dispatches, stores, road blocks
	Fallback   Fallback  // 兜底包
	Impact     Impact    // who and what is inside an area
	Ways       Ways      // the road graph

	Responses   *response.Service    // 应急响应, the duty desk
	Contingency *contingency.Service // 预案 and the tasks they become
	Papers      *papers.Service      // 快报, 专报, handovers

	Alerts Alerts // warnings: taken in, told whom they concern, passed on

	// TrustedProxy are the peers whose X-Forwarded-For, -Proto and -Host are believed.
	TrustedProxy []netip.Prefix

	Version   string
	PublicURL string // of links in documents; the request's own host by default

	TLS       *tls.Config // nil: plain HTTP
	Authority Authority   // set by --tls local

	Logger *slog.Logger

	Concurrency int // requests at once before 503, default 256
	Streams     int // live streams at once, default 2,000
	StreamsEach int // of them of one person, token or screen, default 32
	// StreamsAddress is how many streams callers without a name have from one address
	// (IPv6: one /64), default 16.
	StreamsAddress int

	ReadTimeout  time.Duration // whole request, default 10 s
	IdleTimeout  time.Duration // between requests, default 60 s
	WriteTimeout time.Duration // whole response, default 2 min; streams have none
	Patience     time.Duration // bound of Onemap-After, default 3 s

	Heartbeat   time.Duration // between lag events, default 5 s
	StreamLife  time.Duration // a stream ends after this and resumes, default 1 h
	StreamBytes int           // queued for a slow stream before it is dropped, default 256 KiB
}

func (o Options) withDefaults() (Options, error) {
	if o.Catalogue == nil || o.Feed == nil || o.Tiles == nil || o.Features == nil || o.Site == nil || o.Basemap == nil || o.Health == nil ||
		o.Auth == nil || o.Audit == nil || o.Contacts == nil || o.Decisions == nil || o.Editor == nil || o.DB == nil || o.Zoning == nil || o.Jobs == nil || o.Basemaps == nil ||
		o.Sync == nil || o.Blobs == nil || o.Packs == nil || o.Dangers == nil || o.Work == nil || o.Reports == nil || o.Sensing == nil || o.Alarms == nil || o.Evacuation == nil || o.Incidents == nil || o.Shelters == nil || o.Resources == nil || o.Fallback == nil || o.Impact == nil || o.Ways == nil ||
		o.Responses == nil || o.Contingency == nil || o.Papers == nil {
		return o, errors.New("api: an option without default is missing")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	o.PublicURL = strings.TrimRight(o.PublicURL, "/")
	o.Concurrency = or(o.Concurrency, 256)
	o.Streams = or(o.Streams, 2000)
	o.StreamsEach = or(o.StreamsEach, 32)
	o.StreamsAddress = or(o.StreamsAddress, 16)
	o.ReadTimeout = or(o.ReadTimeout, 10*time.Second)
	o.IdleTimeout = or(o.IdleTimeout, 60*time.Second)
	o.WriteTimeout = or(o.WriteTimeout, 2*time.Minute)
	o.Patience = or(o.Patience, 3*time.Second)
	o.Heartbeat = or(o.Heartbeat, 5*time.Second)
	o.StreamLife = or(o.StreamLife, time.Hour)
	o.StreamBytes = or(o.StreamBytes, 256<<10)
	return o, nil
}

func or[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}
