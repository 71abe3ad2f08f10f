package api

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
)

// speaksFor reads what a trusted proxy says about the request it passes on. Without
// --trusted-proxy, or from any other peer, nothing of it is believed: such headers
// only ever take rights away (see [Request.thisMachine]).
//
// The address is the right-most one in X-Forwarded-For that is no trusted proxy:
// everything left of it was written by somebody we do not know.
func (r *Request) speaksFor(trusted []netip.Prefix, raw []byte) {
	r.client = r.peer
	if !contains(trusted, r.peer) {
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
		if !contains(trusted, r.client) {
			break
		}
	}
	// The last value is our proxy's own; a proxy that appends keeps the client's
	// guess to the left of it.
	if n := len(proto); n > 0 {
		r.TLS = strings.EqualFold(proto[n-1], "https")
	}
	if n := len(host); n > 0 && plainHost(host[n-1]) {
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

// plainHost accepts what a host with a port is made of: it goes into links.
func plainHost(h string) bool {
	return h != "" && len(h) <= 255 && strings.Trim(h, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") == ""
}

// thisMachine says whether the asker sits at this machine: the peer is loopback, it
// names this machine (a page of another site whose name was rebound to 127.0.0.1
// does not), and nobody speaks for somebody else. A trusted proxy on this machine is
// not this machine either.
func (r *Request) thisMachine() bool {
	return r.local && !r.forwarded && !r.proxied && localHost(r.Host)
}
