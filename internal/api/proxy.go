package api

import (
	"bytes"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// speaksFor reads what a trusted proxy says about the request it passes on. Without
// --trusted-proxy, or from any other peer, nothing of it is believed: such headers
// only ever take rights away (see [Request.thisMachine]).
//
// The address is the right-most one in X-Forwarded-For that is no trusted proxy:
// everything left of it was written by somebody we do not know.
func (r *Request) speaksFor(t trust, raw []byte) {
	r.client = r.peer
	if !contains(t.proxies, r.peer) {
		return
	}
	r.proxied = true
	var hops []string
	var proto, host []string
	for len(raw) > 0 {
		line, rest, _ := bytes.Cut(raw, []byte{'\n'})
		raw = rest
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		switch strings.ToLower(string(name)) {
		case "x-forwarded-for":
			hops = append(hops, list(value)...)
		case "x-forwarded-proto":
			proto = append(proto, list(value)...)
		case "x-forwarded-host":
			host = append(host, list(value)...)
		}
	}
	for _, hop := range slices.Backward(hops) {
		ip, err := netip.ParseAddr(hop)
		if err != nil {
			break // what follows to the left was not written by our proxy
		}
		r.client = ip.Unmap().WithZone("")
		if !contains(t.proxies, r.client) {
			break
		}
	}
	// The last value is our proxy's own; a proxy that appends keeps the client's
	// guess to the left of it.
	if n := len(proto); n > 0 {
		r.TLS = strings.EqualFold(proto[n-1], "https")
	}
	if n := len(host); n > 0 && t.names(host[n-1]) {
		r.Host = host[n-1]
	}
}

func contains(list []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func list(value []byte) []string {
	var out []string
	for v := range strings.SplitSeq(string(value), ",") {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// trust is whom and what of proxies to believe.
type trust struct {
	proxies []netip.Prefix
	host    string // of --public-url; "" where none is set
}

func (o Options) trust() trust {
	t := trust{proxies: o.TrustedProxy}
	if u, err := url.Parse(o.PublicURL); err == nil {
		t.host = u.Host
	}
	return t
}

// names says whether a forwarded host may stand for ours. A proxy that passes on what
// the client wrote would otherwise put any address into activation links.
func (t trust) names(h string) bool {
	if t.host != "" {
		return strings.EqualFold(h, t.host)
	}
	return validHost(h)
}

// validHost accepts a name, an IPv4 or a bracketed IPv6 address, with or without a
// port (RFC 1123 §2.1, RFC 3986 §3.2.2): it goes into links.
func validHost(h string) bool {
	name := h
	if i := strings.LastIndexByte(h, ':'); i >= 0 && !strings.HasSuffix(h, "]") {
		port, err := strconv.ParseUint(h[i+1:], 10, 16)
		if err != nil || port == 0 || h[i+1] == '0' {
			return false
		}
		name = h[:i]
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return ok && err == nil && ip.Is6() && ip.Zone() == ""
	}
	if name == "" || len(name) > 253 {
		return false
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return false
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		ip, err := netip.ParseAddr(name)
		return err == nil && ip.Is4()
	}
	return true
}

// forwarders are how the names begin of headers by which proxies, gateways and
// content networks speak for somebody else; besides, whatever has "forwarded" in it.
// Each only takes rights away.
var forwarderNames = [...]string{ //nolint:gochecknoglobals // a table, read once per header line
	"via", "x-real-", "x-client", "x-cluster-", "x-original-", "x-remote-", "x-proxy", "x-envoy-", "x-host", "x-azure-", "x-appengine-",
	"x-arr-", "x-amzn-", "x-amz-cf-", "x-sucuri-", "x-varnish", "x-nginx-", "x-coming-from", "x-true-",
	"cf-", "cdn-", "client-ip", "cloudfront-", "true-client-", "proxy-", "wl-proxy", "remote-", "fastly-", "fly-", "akamai-", "ali-cdn-",
	"incap-", "front-end-https", "sec-gateway-",
}

// isForwarding recognises a header by which a proxy speaks for somebody else. Some
// gateways write underscores.
func isForwarding(name []byte) bool {
	var buf [64]byte
	n := buf[:0]
	for _, c := range name {
		switch {
		case 'A' <= c && c <= 'Z':
			c |= 0x20
		case c == '_':
			c = '-'
		}
		n = append(n, c)
	}
	if bytes.Contains(n, []byte("forwarded")) {
		return true
	}
	for i := range forwarderNames {
		if p := forwarderNames[i]; len(n) >= len(p) && n[0] == p[0] && string(n[:len(p)]) == p {
			return true
		}
	}
	return false
}

// thisMachine says whether the asker sits at this machine: the peer is loopback, it
// names this machine (a page of another site whose name was rebound to 127.0.0.1
// does not), and nobody speaks for somebody else. A trusted proxy on this machine is
// not this machine either.
func (r *Request) thisMachine() bool {
	return r.local && !r.forwarded && !r.proxied && localHost(r.Host)
}
