package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

// key is the SHA-256 of a secret: what is stored and looked up. The secret itself is
// seen by its owner only.
type key [sha256.Size]byte

const (
	secretBytes = 32 // cookies, links, codes: 256 bit
	secretChars = 43
	tokenBytes  = 20 // API tokens: 160 bit
	tokenPrefix = "om_"
	tokenChars  = len(tokenPrefix) + 32
)

// lower-case base32 is read over a telephone and survives every shell.
var base32Text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret makes a cookie, link or code and its key.
func newSecret() (string, key) {
	var raw [secretBytes]byte
	_, _ = rand.Read(raw[:]) // never fails: the runtime ends the process instead
	return base64.RawURLEncoding.EncodeToString(raw[:]), sha256.Sum256(raw[:])
}

// parseSecret reads what newSecret wrote, and nothing else: a text has one spelling.
func parseSecret(text string) (key, bool) {
	if len(text) != secretChars {
		return key{}, false
	}
	var raw [secretBytes]byte
	var in [secretChars]byte
	copy(in[:], text)
	if n, err := base64.RawURLEncoding.Strict().Decode(raw[:], in[:]); err != nil || n != secretBytes {
		return key{}, false
	}
	return sha256.Sum256(raw[:]), true
}

func newToken() (string, key) {
	var raw [tokenBytes]byte
	_, _ = rand.Read(raw[:])
	return tokenPrefix + base32Text.EncodeToString(raw[:]), sha256.Sum256(raw[:])
}

func parseToken(text string) (key, bool) {
	if len(text) != tokenChars || !strings.HasPrefix(text, tokenPrefix) {
		return key{}, false
	}
	var raw [tokenBytes]byte
	var in [tokenChars - len(tokenPrefix)]byte
	copy(in[:], text[len(tokenPrefix):])
	if n, err := base32Text.Decode(raw[:], in[:]); err != nil || n != tokenBytes {
		return key{}, false
	}
	return sha256.Sum256(raw[:]), true
}

const (
	recoveryCodes = 10
	recoveryBytes = 10 // 80 bit: a stolen table of hashes is not searched
)

// newRecovery makes a set of recovery codes, in groups of four as they are copied by
// hand, and their keys.
func newRecovery(account string) ([]string, [][]byte) {
	codes, keys := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		var raw [recoveryBytes]byte
		_, _ = rand.Read(raw[:])
		t := base32Text.EncodeToString(raw[:])
		codes[i] = t[:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:]
		k := recoveryKey(account, codes[i])
		keys[i] = k[:]
	}
	return codes, keys
}

// recoveryKey forgives what hands add: spaces, dashes, capitals.
func recoveryKey(account, code string) key {
	plain := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToLower(code))
	return sha256.Sum256([]byte("recovery " + account + " " + plain))
}

// throttleKey hides what it is about.
func throttleKey(kind, value string) key { return sha256.Sum256([]byte(kind + "\x00" + value)) }

// newID is a UUIDv7 (RFC 9562).
func newID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// isID says whether a text from outside can be an id; anything else is absent.
func isID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
