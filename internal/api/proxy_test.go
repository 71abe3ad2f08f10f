package api

import (
	"net/netip"
	"testing"

	"onemap/internal/auth"
)

// TestForwardedHeaders: only a trusted peer is believed, and only as far as it knows.
func TestForwardedHeaders(t *testing.T) {
	office := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("127.0.0.1/32")}
	for _, c := range []struct {
		name, peer, head string
		trusted          []netip.Prefix
		client, host     string
		tls, proxied     bool
	}{
		{"nobody is trusted", "10.1.0.5", "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.b\r\n", nil, "10.1.0.5", "localhost", false, false},
		{"a stranger says it is somebody", "8.8.8.8", "X-Forwarded-For: 10.1.0.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.b\r\n", office, "8.8.8.8", "localhost", false, false},
		{"the proxy speaks", "10.1.0.5", "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: map.example:8443\r\n", office, "9.9.9.9", "map.example:8443", true, true},
		{"the client's guess stands to the left", "10.1.0.5", "X-Forwarded-For: 127.0.0.1, 1.2.3.4, 9.9.9.9\r\n", office, "9.9.9.9", "localhost", false, true},
		{"a chain of our own proxies", "10.1.0.5", "X-Forwarded-For: 1.2.3.4, 9.9.9.9, 10.1.3.3\r\n", office, "9.9.9.9", "localhost", false, true},
		{"two header lines are one list", "10.1.0.5", "X-Forwarded-For: 1.2.3.4\r\nx-forwarded-for: 9.9.9.9\r\n", office, "9.9.9.9", "localhost", false, true},
		{"the client claims to be the proxy", "10.1.0.5", "X-Forwarded-For: 10.1.0.7\r\n", office, "10.1.0.7", "localhost", false, true},
		{"what is no address ends the list", "10.1.0.5", "X-Forwarded-For: 1.2.3.4, unknown, 10.1.3.3\r\n", office, "10.1.3.3", "localhost", false, true},
		{"the last protocol is the proxy's", "10.1.0.5", "X-Forwarded-Proto: https, http\r\n", office, "10.1.0.5", "localhost", false, true},
		{"a host that is none", "10.1.0.5", "X-Forwarded-Host: a/b?<x>\r\n", office, "10.1.0.5", "localhost", false, true},
		{"mapped IPv6", "10.1.0.5", "X-Forwarded-For: ::ffff:9.9.9.9\r\n", office, "9.9.9.9", "localhost", false, true},
		{"a proxy of this machine that says nothing", "127.0.0.1", "", office, "127.0.0.1", "localhost", false, true},
	} {
		r := &Request{peer: netip.MustParseAddr(c.peer), local: c.peer == "127.0.0.1", Host: "localhost"}
		r.scan([]byte(c.head))
		r.speaksFor(trust{proxies: c.trusted}, []byte(c.head))
		if r.client.String() != c.client || r.Host != c.host || r.TLS != c.tls || r.proxied != c.proxied {
			t.Errorf("%s: client %s host %s tls %v proxied %v", c.name, r.client, r.Host, r.TLS, r.proxied)
		}
		if r.thisMachine() {
			t.Errorf("%s: taken for this machine", c.name)
		}
	}
	plain := &Request{peer: netip.MustParseAddr("127.0.0.1"), local: true, Host: "localhost:8080"}
	plain.speaksFor(trust{}, nil)
	if !plain.thisMachine() {
		t.Error("this machine is not known")
	}
}

// TestForwardedHost: with --public-url only its own host is believed, without only what
// is a host.
func TestForwardedHost(t *testing.T) {
	peer := netip.MustParseAddr("10.1.0.5")
	proxies := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	for _, c := range []struct{ public, forwarded, want string }{
		{"", "map.example", "map.example"},
		{"", "map.example:8443", "map.example:8443"},
		{"", "10.2.3.4:80", "10.2.3.4:80"},
		{"", "[2001:db8::1]:8443", "[2001:db8::1]:8443"},
		{"", "[2001:db8::1]", "[2001:db8::1]"},
		{"", "xn--fiqs8s.example", "xn--fiqs8s.example"},
		{"", "a..b", "inner"},
		{"", ".example", "inner"},
		{"", "map.example.", "inner"},
		{"", "-map.example", "inner"},
		{"", "map.example:", "inner"},
		{"", "map.example:0", "inner"},
		{"", "map.example:99999", "inner"},
		{"", "map.example:80:80", "inner"},
		{"", "[::1", "inner"},
		{"", "::1", "inner"},
		{"", "[map]", "inner"},
		{"", "]]::[[", "inner"},
		{"", "1.2.3", "inner"},
		{"", "1.2.3.256", "inner"},
		{"", "user@map.example", "inner"},
		{"https://map.example", "map.example", "map.example"},
		{"https://map.example", "MAP.example", "MAP.example"},
		{"https://map.example", "evil.example", "inner"},
		{"https://map.example", "map.example.evil.example", "inner"},
		{"https://map.example:8443", "map.example", "inner"},
	} {
		r := &Request{peer: peer, Host: "inner"}
		o := Options{TrustedProxy: proxies, PublicURL: c.public}
		r.speaksFor(o.trust(), []byte("X-Forwarded-Host: "+c.forwarded+"\r\n"))
		if r.Host != c.want {
			t.Errorf("%s behind %q: host %s, want %s", c.forwarded, c.public, r.Host, c.want)
		}
	}
}

// TestForwardingHeaders: whatever says that somebody else asks makes it not this
// machine; what browsers and curl send does not.
func TestForwardingHeaders(t *testing.T) {
	asks := func(head string) bool {
		r := &Request{peer: netip.MustParseAddr("127.0.0.1"), local: true, Host: "localhost"}
		r.scan([]byte("Host: localhost\r\n" + head))
		r.speaksFor(trust{}, nil)
		return r.thisMachine()
	}
	for _, name := range []string{
		"Forwarded", "X-Forwarded", "X-Forwarded-For", "X-Forwarded-By", "Forwarded-For", "Forwarded-For-Ip", "X_FORWARDED_FOR", "Http-X-Forwarded-For", "X-Original-Forwarded-For",
		"X-Envoy-External-Address", "x-envoy-internal", "Wl-Proxy-Client-Ip", "WL-Proxy-SSL", "Proxy-Client-IP", "Proxy-Connection",
		"CF-Connecting-IP", "Cf-Ray", "X-Client-Ip", "X-ClientIP", "X-Cluster-Client-Ip", "X-Original-URL", "X-Original-Host", "X-Real-Ip", "X-Real-Port",
		"Via", "True-Client-Ip", "Fastly-Client-Ip", "Fly-Client-Ip", "Akamai-Origin-Hop", "Ali-Cdn-Real-Ip", "Cdn-Src-Ip", "Client-Ip", "Remote-Addr", "X-Remote-Ip",
		"X-Azure-ClientIP", "X-Appengine-User-Ip", "X-Amzn-Trace-Id", "X-Host", "X-Proxy-User-Ip", "X-ProxyUser-Ip", "Cloudfront-Viewer-Address", "Front-End-Https",
	} {
		if asks(name + ": x\r\n") {
			t.Errorf("%s is taken for this machine's own", name)
		}
	}
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection", "Content-Length", "Content-Type", "Cookie", "Dnt",
		"If-Match", "If-None-Match", "Last-Event-Id", "Onemap-After", "Onemap-Device", "Origin", "Pragma", "Priority", "Range", "Referer", "Sec-Ch-Ua",
		"Sec-Fetch-Site", "Sec-Gpc", "Te", "Transfer-Encoding", "Upgrade-Insecure-Requests", "User-Agent", "X-Prometheus-Scrape-Timeout-Seconds", "X-Requested-With",
	} {
		if !asks(name + ": x\r\n") {
			t.Errorf("%s is taken for a proxy's", name)
		}
	}
}

// TestWhomAStreamCountsFor: people by account, programs and screens by themselves,
// the rest by address.
func TestWhomAStreamCountsFor(t *testing.T) {
	of := func(id auth.Identity, ip string) holder {
		return holderOf(&Request{Who: &id, client: netip.MustParseAddr(ip)})
	}
	none := auth.Identity{Kind: auth.Anonymous}
	for _, c := range []struct {
		a, b holder
		same bool
	}{
		{of(auth.Identity{Kind: auth.Session, Account: "a", ID: "1"}, "1.1.1.1"), of(auth.Identity{Kind: auth.Device, Account: "a", ID: "2"}, "2.2.2.2"), true},
		{of(auth.Identity{Kind: auth.Session, Account: "a"}, "1.1.1.1"), of(auth.Identity{Kind: auth.Session, Account: "b"}, "1.1.1.1"), false},
		{of(auth.Identity{Kind: auth.Token, ID: "1"}, "1.1.1.1"), of(auth.Identity{Kind: auth.Token, ID: "2"}, "1.1.1.1"), false},
		{of(auth.Identity{Kind: auth.Wall, ID: "1"}, "1.1.1.1"), of(auth.Identity{Kind: auth.Wall, ID: "1"}, "2.2.2.2"), true},
		{of(none, "1.1.1.1"), of(none, "1.1.1.2"), false},
		{of(none, "2001:db8:1:1::5"), of(none, "2001:db8:1:1:ffff::9"), true},
		{of(none, "2001:db8:1:1::5"), of(none, "2001:db8:1:2::5"), false},
	} {
		if (c.a == c.b) != c.same {
			t.Errorf("%v and %v: the same %v, want %v", c.a, c.b, c.a == c.b, c.same)
		}
	}
}

// TestTheSessionCookie: planted, doubled, of the other name.
func TestTheSessionCookie(t *testing.T) {
	for _, c := range []struct {
		cookies, value string
		tls, twice     bool
	}{
		{"onemap=a", "a", false, false},
		{"onemap=a", "", true, false},
		{"__Host-onemap=b; onemap=a", "b", true, false},
		{"x=1;  onemap=a ; y=2", "a", false, false},
		{"onemap=a; onemap=b", "", false, true},
		{"__Host-onemap=a; __Host-onemap=b", "", true, true},
		{"onemap", "", false, false},
		{"Onemap=a", "", false, false},
		{"", "", true, false},
	} {
		r := &Request{cookies: c.cookies, TLS: c.tls}
		if v, twice := r.cookie(); v != c.value || twice != c.twice {
			t.Errorf("%q (TLS %v): %q %v", c.cookies, c.tls, v, twice)
		}
	}
}
