package alerts

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// client goes where it is told and nowhere else: no proxy, no redirect followed, little
// patience.
func client() *http.Client {
	return &http.Client{
		Timeout: 15 * time.Second,
		Transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
			DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// parcel is a message on its way.
type parcel struct {
	id, identifier, message string
	body                    []byte
}

func (s *Service) deliver(ctx context.Context, d Destination, p parcel) error {
	if d.Kind == "drop" {
		return s.drop(d, p)
	}
	key, err := s.key(d.ID)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(p.body))
	if err != nil {
		return fmt.Errorf("alerts: request: %w", err)
	}
	at := strconv.FormatInt(s.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/cap+xml; charset=utf-8")
	req.Header.Set("User-Agent", "onemap")
	req.Header.Set("Onemap-Delivery", p.id)
	req.Header.Set("Onemap-Signature", "t="+at+",v1="+Signature(key, at, p.body))
	resp, err := s.client.Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address may carry a token of the receiver's
	}
	if err != nil {
		return fmt.Errorf("alerts: post: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // what it says is not for us
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("alerts: post: answered %d", resp.StatusCode)
	}
	return nil
}

// Signature is the HMAC-SHA256 of the time and the body, by which a receiver knows that a
// message is ours and of now.
func Signature(key []byte, at string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(at + "."))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// key is that of a webhook, made when it is first needed. The file is handed to whoever
// runs the receiver.
func (s *Service) key(id string) ([]byte, error) {
	if s.dir == "" {
		return nil, errors.New("alerts: there is no directory for keys")
	}
	dir := filepath.Join(s.dir, "keys")
	name := filepath.Join(dir, id+".key")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("alerts: key: %w", err)
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		var secret [32]byte
		_, _ = rand.Read(secret[:]) // never fails
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return s.key(id)
		}
		if err != nil {
			return nil, fmt.Errorf("alerts: key: %w", err)
		}
		_, err = f.WriteString(hex.EncodeToString(secret[:]) + "\n")
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return nil, fmt.Errorf("alerts: key: %w", err)
		}
		return secret[:], nil
	}
	if err != nil {
		return nil, fmt.Errorf("alerts: key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) < 32 {
		return nil, fmt.Errorf("alerts: the key file %s is not 64 hexadecimal digits", filepath.Base(name))
	}
	return key, nil
}

// drop writes a file another system reads: whole or not at all.
func (s *Service) drop(d Destination, p parcel) error {
	if s.dir == "" {
		return errors.New("alerts: there is no directory for files")
	}
	dir := filepath.Join(s.dir, "drops", d.ID)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("alerts: drop: %w", err)
	}
	name := fileName(p)
	f, err := os.CreateTemp(dir, ".part-*")
	if err != nil {
		return fmt.Errorf("alerts: drop: %w", err)
	}
	_, err = f.Write(p.body)
	if err = errors.Join(err, f.Chmod(0o640), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("alerts: drop: %w", err)
	}
	where, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("alerts: drop: %w", err)
	}
	defer func() { _ = where.Close() }()
	if err := where.Sync(); err != nil {
		return fmt.Errorf("alerts: drop: %w", err)
	}
	return nil
}

// fileName is the identifier where it can be a file's name; the same message has the same
// name, so that it is written once.
func fileName(p parcel) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, p.identifier)
	if clean != p.identifier || strings.HasPrefix(clean, ".") || len(clean) > 120 {
		clean = clip(strings.TrimLeft(clean, "."), 80) + "_" + p.message
	}
	return clean + ".xml"
}
