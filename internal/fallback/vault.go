package fallback

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"
)

// iterations of PBKDF2-SHA256, as OWASP's sheet on storing passwords asks for.
const iterations = 600_000

// minPassphrase is how many characters a passphrase has at least: the file leaves the
// house, and whoever has it may try as often as he likes.
const minPassphrase = 12

var (
	// ErrNoPassphrase means the administrator has not set one: nothing can be written.
	ErrNoPassphrase = errors.New("fallback: no passphrase is set")
	// ErrWeak means the passphrase is too short.
	ErrWeak = errors.New("fallback: the passphrase is too short")
)

// Key is what the packages are encrypted with: made of a passphrase that is forgotten.
type Key struct {
	Salt       []byte    `json:"salt"`
	Iterations int       `json:"iterations"`
	Key        []byte    `json:"key"`
	SetAt      time.Time `json:"set_at"`
}

// NewKey makes a key of a passphrase.
func NewKey(passphrase string, now time.Time) (Key, error) {
	if utf8.RuneCountInString(passphrase) < minPassphrase || !utf8.ValidString(passphrase) {
		return Key{}, ErrWeak
	}
	k := Key{Salt: make([]byte, 16), Iterations: iterations, SetAt: now.UTC()}
	_, _ = rand.Read(k.Salt) // never fails
	var err error
	k.Key, err = pbkdf2.Key(sha256.New, passphrase, k.Salt, k.Iterations, 32)
	return k, err
}

// readKey reads the key file.
func readKey(path string) (Key, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Key{}, ErrNoPassphrase
	}
	if err != nil {
		return Key{}, err
	}
	var k Key
	if err := json.Unmarshal(b, &k); err != nil || len(k.Key) != 32 || len(k.Salt) < 16 || k.Iterations < iterations {
		return Key{}, errors.New("the key file is damaged: set the passphrase again")
	}
	return k, nil
}

// write stores the key where only the server reads it.
func (k Key) write(path string) error {
	b, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return atomically(path, 0o600, func(w io.Writer) error { _, err := w.Write(b); return err })
}

// atomically writes a file whole or not at all: the old one stands until the new one is
// on the disk.
func atomically(path string, mode os.FileMode, fn func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".onemap-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = os.Remove(f.Name()) // what is half written is no use
		}
	}()
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = fn(f); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // the file is there; a folder that cannot be opened cannot be synced
	}
	defer d.Close()
	_ = d.Sync() // network shares know no such thing
	return nil
}

// File is one file inside a package.
type File struct {
	Name string
	Type string
	Body []byte
}

// bundle joins the files: the length of a list, the list, the bodies one after another.
func bundle(files []File) ([]byte, error) {
	type entry struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int    `json:"size"`
	}
	list := make([]entry, len(files))
	total := 0
	for i, f := range files {
		list[i] = entry{f.Name, f.Type, len(f.Body)}
		total += len(f.Body)
	}
	head, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 4, 4+len(head)+total)
	binary.BigEndian.PutUint32(out, uint32(len(head)))
	out = append(out, head...)
	for _, f := range files {
		out = append(out, f.Body...)
	}
	return out, nil
}

// Face is what stands on a package before it is opened: no secret.
type Face struct {
	Title string
	Area  string
	AsOf  time.Time // of what is in it
	Zone  *time.Location
	Warn  time.Duration // older than this it says so loudly
}

//go:embed page.html
var pageText string

// Seal writes one HTML file that holds the files encrypted, and opens itself.
func Seal(w io.Writer, k Key, face Face, files []File) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("fallback: page: %w", err)
	}
	plain, err := bundle(files)
	if err != nil {
		return fmt.Errorf("fallback: bundle: %w", err)
	}
	block, err := aes.NewCipher(k.Key)
	if err != nil {
		return fmt.Errorf("fallback: key: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return fmt.Errorf("fallback: key: %w", err)
	}
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	if face.Zone == nil {
		face.Zone = time.UTC
	}
	asOf := face.AsOf.UTC().Format(time.RFC3339)
	// The age is part of what is sealed: a face that was changed does not open.
	sealed := gcm.Seal(nil, nonce, plain, []byte(asOf))
	b64 := base64.StdEncoding.EncodeToString
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{
		"Title": face.Title, "Area": face.Area, "Shown": face.AsOf.In(face.Zone).Format("2006-01-02 15:04"),
		"AsOf": asOf, "WarnMS": face.Warn.Milliseconds(), "Salt": b64(k.Salt), "Nonce": b64(nonce), "Iterations": k.Iterations,
	})
	if err != nil {
		return fmt.Errorf("fallback: page: %w", err)
	}
	// The template escapes; the body of megabytes goes round it, being base64.
	before, after, found := bytes.Cut(out.Bytes(), []byte("PAYLOAD-HERE"))
	if !found {
		return errors.New("fallback: the page has no place for its content")
	}
	if _, err := w.Write(before); err != nil {
		return err
	}
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := enc.Write(sealed); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err = w.Write(after)
	return err
}
