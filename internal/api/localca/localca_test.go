package localca_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"onemap/internal/api/localca"
)

func open(t *testing.T, o localca.Options) *localca.Authority {
	t.Helper()
	a, err := localca.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// leaf shakes hands as a device that installed the root.
func leaf(t *testing.T, a *localca.Authority, name string, at time.Time) (*x509.Certificate, error) {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.CertificatePEM()) {
		t.Fatal("the root is no PEM certificate")
	}
	c1, c2 := net.Pipe()
	defer c1.Close()
	defer c2.Close()
	go func() { _ = tls.Server(c2, a.TLSConfig()).Handshake() }()
	client := tls.Client(c1, &tls.Config{RootCAs: pool, ServerName: name, Time: func() time.Time { return at }, MinVersion: tls.VersionTLS12})
	if err := client.Handshake(); err != nil {
		return nil, err
	}
	return client.ConnectionState().PeerCertificates[0], nil
}

func TestDevicesThatInstalledTheRootTrustTheServer(t *testing.T) {
	a := open(t, localca.Options{Dir: t.TempDir(), Hosts: []string{"onemap.county.example", "10.1.2.3"}})
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "onemap.county.example", "10.1.2.3"} {
		if _, err := leaf(t, a, name, time.Now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := leaf(t, a, "bank.example", time.Now()); err == nil {
		t.Error("the certificate serves a name that is not ours")
	}
}

func TestTheRootStaysAndTheServerCertificateIsRenewed(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	clock := func() time.Time { return now }
	a := open(t, localca.Options{Dir: dir, Now: clock})
	first, err := leaf(t, a, "localhost", now)
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, localca.Options{Dir: dir, Now: clock})
	same, err := leaf(t, again, "localhost", now)
	if err != nil || same.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Errorf("a restart made a new certificate (%v)", err)
	}
	now = now.Add(70 * 24 * time.Hour)
	later := open(t, localca.Options{Dir: dir, Now: clock})
	renewed, err := leaf(t, later, "localhost", now)
	if err != nil {
		t.Fatal(err)
	}
	if renewed.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("20 days before its end the certificate was not renewed")
	}
	if later.Fingerprint() != a.Fingerprint() {
		t.Error("the root changed; every device would have to install it again")
	}
}

func TestKeysAreForTheOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	open(t, localca.Options{Dir: dir})
	for _, name := range []string{"ca.key", "server.key"} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", name, st.Mode())
		}
	}
}

func TestADamagedRootIsAnErrorAndNotANewRoot(t *testing.T) {
	dir := t.TempDir()
	open(t, localca.Options{Dir: dir})
	if err := os.WriteFile(filepath.Join(dir, "ca.key"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := localca.Open(localca.Options{Dir: dir}); err == nil {
		t.Error("a damaged root was replaced without a word")
	}
}

func TestTheRootVouchesForItsOwnNamesOnly(t *testing.T) {
	a := open(t, localca.Options{Dir: t.TempDir()})
	block, err := x509.ParseCertificate(pemBytes(t, a.CertificatePEM()))
	if err != nil {
		t.Fatal(err)
	}
	if !block.PermittedDNSDomainsCritical || len(block.PermittedDNSDomains) == 0 || !block.MaxPathLenZero {
		t.Errorf("the root is not constrained: %v", block.PermittedDNSDomains)
	}
}

func pemBytes(t *testing.T, raw []byte) []byte {
	t.Helper()
	b, _ := pem.Decode(raw)
	if b == nil {
		t.Fatal("no PEM block")
	}
	return b.Bytes
}
