package poll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"onemap/internal/registry"
)

// ErrSource means a source did not answer, or not with what its mapping says.
var ErrSource = errors.New("poll: the source did not answer as it should")

// Value is one observation as a source has it.
type Value struct {
	Station, Measure string
	Value            *float64
	At               time.Time
	Quality          string
}

const (
	maxBody = 8 << 20
	maxRows = 50_000
	timeout = 20 * time.Second
)

// Client asks sources.
type Client struct {
	catalogue interface{ Now() *registry.Snapshot }
	log       *slog.Logger
}

// New makes a client of the present setting.
func New(catalogue interface{ Now() *registry.Snapshot }, log *slog.Logger) *Client {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Client{catalogue: catalogue, log: log}
}

// Setting is the one that holds; a broken one asks nobody.
func (c *Client) setting() Setting {
	raw, ok := c.catalogue.Now().Settings[SettingKey]
	if !ok {
		return Setting{}
	}
	s, err := Parse(raw)
	if err != nil {
		c.log.Error("observation_sources setting", "err", err)
	}
	return s
}

// Sources are those of the setting.
func (c *Client) Sources() []Source { return c.setting().Sources }

// Fetch asks a source once.
func (c *Client) Fetch(ctx context.Context, src Source) ([]Value, error) {
	s := c.setting()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	body, err := s.get(ctx, src)
	if err != nil {
		return nil, err
	}
	return src.read(body)
}

// get fetches the body. The address is checked again where the connection is made: a name
// may resolve to anything by then.
func (s Setting) get(ctx context.Context, src Source) ([]byte, error) {
	first, err := url.Parse(src.URL)
	if err != nil || !s.allows(first.Hostname()) {
		return nil, fmt.Errorf("%w: the host is not among the allowed addresses", ErrSource)
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		a := at.Addr().Unmap()
		if a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() {
			if !s.listed(a) {
				return errors.New("an address of this machine or link")
			}
		}
		return nil
	}}
	client := &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 15 * time.Second, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) > 3 || req.URL.Host != first.Host || req.URL.Scheme != first.Scheme || req.URL.User != nil {
				return errors.New("it sends us to another host")
			}
			return nil
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, src.URL, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%w: address", ErrSource)
	}
	req.Header.Set("User-Agent", "onemap")
	resp, err := client.Do(req)
	if err != nil {
		// The address, with its key, is in the error of net/http: the cause alone goes on.
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err
		}
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP %d", ErrSource, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSource, err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: more than %d MiB", ErrSource, maxBody>>20)
	}
	return body, nil
}
