package api

import (
	"net/netip"
	"testing"
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
		r.speaksFor(c.trusted, []byte(c.head))
		if r.client.String() != c.client || r.Host != c.host || r.TLS != c.tls || r.proxied != c.proxied {
			t.Errorf("%s: client %s host %s tls %v proxied %v", c.name, r.client, r.Host, r.TLS, r.proxied)
		}
		if r.thisMachine() {
			t.Errorf("%s: taken for this machine", c.name)
		}
	}
	plain := &Request{peer: netip.MustParseAddr("127.0.0.1"), local: true, Host: "localhost:8080"}
	plain.speaksFor(nil, nil)
	if !plain.thisMachine() {
		t.Error("this machine is not known")
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
