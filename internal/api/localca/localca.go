package localca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Lifetimes. Browsers refuse server certificates valid for more than 398 days, and
// iOS ones from private authorities for more than 825.
const (
	rootLife    = 10 * 365 * 24 * time.Hour
	serverLife  = 90 * 24 * time.Hour
	renewBefore = 30 * 24 * time.Hour
	backdate    = time.Hour // clocks of phones are often a little behind
)

// Options say for whom the certificate is.
type Options struct {
	Dir    string   // made if absent, 0700
	Hosts  []string // names and addresses; localhost, 127.0.0.1 and ::1 are always added
	Now    func() time.Time
	Logger *slog.Logger
}

// Authority is the root and the present server certificate.
type Authority struct {
	opts    Options
	root    *x509.Certificate
	rootPEM []byte
	key     *ecdsa.PrivateKey
	current atomic.Pointer[tls.Certificate]
}

// Open reads the authority of a directory or makes one, and sees to it that the
// server certificate is valid for the hosts.
func Open(opts Options) (*Authority, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	hosts := append([]string{"localhost", "127.0.0.1", "::1"}, opts.Hosts...)
	slices.Sort(hosts)
	opts.Hosts = slices.Compact(hosts)
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("localca: %w", err)
	}
	a := &Authority{opts: opts}
	if err := a.loadRoot(); err != nil {
		return nil, err
	}
	if err := a.renew(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Authority) path(name string) string { return filepath.Join(a.opts.Dir, name) }

// loadRoot reads the root or makes it. A root that is there but cannot be read is an
// error: a silent new one would make every phone distrust the server.
func (a *Authority) loadRoot() error {
	cert, key, raw, err := a.read("ca")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a.makeRoot()
	case err != nil:
		return err
	case a.opts.Now().After(cert.NotAfter.Add(-serverLife)):
		a.opts.Logger.Warn("localca: the root certificate ends soon; a new one is made and must be installed on all devices", "not_after", cert.NotAfter)
		return a.makeRoot()
	case !cert.IsCA:
		return fmt.Errorf("localca: %s is not a certificate authority", a.path("ca.crt"))
	}
	a.root, a.key, a.rootPEM = cert, key, raw
	return nil
}

func (a *Authority) makeRoot() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("localca: %w", err)
	}
	now := a.opts.Now()
	names, nets := constraints(a.opts.Hosts)
	tmpl := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "onemap local CA " + now.Format("20060102"), Organization: []string{"onemap"}},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(rootLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: names, PermittedIPRanges: nets,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("localca: root: %w", err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("localca: root: %w", err)
	}
	a.key, a.rootPEM = key, encode("CERTIFICATE", der)
	return a.write("ca", a.rootPEM, key)
}

// constraints limit what the root may vouch for.
func constraints(hosts []string) (names []string, nets []*net.IPNet) {
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			if v4 := ip.To4(); v4 != nil {
				nets = append(nets, &net.IPNet{IP: v4, Mask: net.CIDRMask(32, 32)})
			} else {
				nets = append(nets, &net.IPNet{IP: ip, Mask: net.CIDRMask(128, 128)})
			}
			continue
		}
		names = append(names, h)
	}
	return names, nets
}

// renew makes a new server certificate where the present one ends soon, is signed by
// another root, or does not name all hosts.
func (a *Authority) renew() error {
	cert, key, raw, err := a.read("server")
	if err == nil && a.good(cert) {
		a.set(raw, key)
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.opts.Logger.Warn("localca: the server certificate cannot be read; a new one is made", "err", err)
	}
	if err := a.coverHosts(); err != nil {
		return err
	}
	key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("localca: %w", err)
	}
	now := a.opts.Now()
	tmpl := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "onemap"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(serverLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range a.opts.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.root, &key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("localca: server certificate: %w", err)
	}
	raw = encode("CERTIFICATE", der)
	if err := a.write("server", raw, key); err != nil {
		return err
	}
	a.set(raw, key)
	return nil
}

// coverHosts makes a new root where the old one may not vouch for a host that came
// later. Devices must then install it again, so it is said loudly.
func (a *Authority) coverHosts() error {
	for _, h := range a.opts.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			if slices.ContainsFunc(a.root.PermittedIPRanges, func(n *net.IPNet) bool { return n.Contains(ip) }) {
				continue
			}
		} else if slices.Contains(a.root.PermittedDNSDomains, h) {
			continue
		}
		a.opts.Logger.Warn("localca: the root certificate does not cover a host; a new one is made and must be installed on all devices", "host", h)
		return a.makeRoot()
	}
	return nil
}

func (a *Authority) good(c *x509.Certificate) bool {
	if a.opts.Now().Before(c.NotBefore) || a.opts.Now().Add(renewBefore).After(c.NotAfter) || c.CheckSignatureFrom(a.root) != nil {
		return false
	}
	for _, h := range a.opts.Hosts {
		if c.VerifyHostname(bracket(h)) != nil {
			return false
		}
	}
	return true
}

func bracket(h string) string {
	if strings.Contains(h, ":") {
		return "[" + h + "]"
	}
	return h
}

func (a *Authority) set(certPEM []byte, key *ecdsa.PrivateKey) {
	block, _ := pem.Decode(certPEM)
	a.current.Store(&tls.Certificate{Certificate: [][]byte{block.Bytes, a.root.Raw}, PrivateKey: key})
}

// Run renews in time until ctx ends.
func (a *Authority) Run(ctx context.Context) error {
	tick := time.NewTicker(12 * time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := a.renew(); err != nil {
				a.opts.Logger.Error("localca: renewal failed; the old certificate stays", "err", err)
			}
		}
	}
}

// TLSConfig is the configuration of a server; renewals need no restart.
func (a *Authority) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.current.Load(), nil
		},
	}
}

// CertificatePEM is the root, for devices to install.
func (a *Authority) CertificatePEM() []byte { return slices.Clone(a.rootPEM) }

// NotAfter is when the root ends.
func (a *Authority) NotAfter() time.Time { return a.root.NotAfter }

// Fingerprint is what people compare before they trust: SHA-256 in pairs.
func (a *Authority) Fingerprint() string {
	sum := sha256.Sum256(a.root.Raw)
	h := strings.ToUpper(hex.EncodeToString(sum[:]))
	pairs := make([]string, 0, len(sum))
	for i := 0; i < len(h); i += 2 {
		pairs = append(pairs, h[i:i+2])
	}
	return strings.Join(pairs, ":")
}

func (a *Authority) read(name string) (*x509.Certificate, *ecdsa.PrivateKey, []byte, error) {
	certPEM, err := os.ReadFile(a.path(name + ".crt"))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("localca: %w", err)
	}
	keyPEM, err := os.ReadFile(a.path(name + ".key"))
	if err != nil {
		return nil, nil, nil, fmt.Errorf("localca: %w", err)
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, nil, nil, fmt.Errorf("localca: %s.crt or %s.key holds no PEM block", name, name)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("localca: %s.crt: %w", name, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("localca: %s.key: %w", name, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, nil, fmt.Errorf("localca: %s.key does not belong to %s.crt", name, name)
	}
	return cert, key, certPEM, nil
}

// write stores the key first: a certificate without its key would be an error at the
// next start, a key without certificate is written over.
func (a *Authority) write(name string, certPEM []byte, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("localca: %w", err)
	}
	if err := replace(a.path(name+".key"), encode("PRIVATE KEY", der), 0o600); err != nil {
		return err
	}
	return replace(a.path(name+".crt"), certPEM, 0o644)
}

// replace writes beside and renames, so that a crash leaves the old file or the new.
func replace(path string, body []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("localca: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(body)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("localca: write %s: %w", filepath.Base(path), err)
	}
	return nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic("localca: no randomness: " + err.Error()) // crypto/rand does not fail on Linux
	}
	return n
}
