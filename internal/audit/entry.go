package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The outcomes.
const (
	Done    = "done"
	Refused = "refused"
	Failed  = "failed"
)

// ErrSecret means an entry would have written a secret down.
var ErrSecret = errors.New("audit: an entry holds no password, token, secret or code")

// Doer is who, in which role, from where.
type Doer struct {
	Account string // id of the person, "" for a program
	Actor   string // user name, token, "cli:root"
	Role    string
	Grant   string // id of the grant it was done under
	Kind    string // session, device, token, wall, cli, system
	Session string // id of the session or token, never the secret
	Peer    string
	Request string
}

// Entry is one thing done, refused or failed. Area is an administrative code, "" for
// everywhere: an auditor reads what happened in his. Before and After are for what has
// no history and become JSON.
type Entry struct {
	Doer
	Action, Object, Area, Reason, Outcome string
	Before, After                         any
}

const (
	maxValue  = 48 << 10 // of before and after; the table's own bound is 64 KiB of the database's spelling
	maxReason = 2000
	maxObject = 300
)

// value makes before or after: secrets are refused, telephone numbers masked, what is
// too long replaced by its size and hash, so that a large change is neither stopped
// nor silently cut.
func value(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("audit: before or after is no JSON: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // 2^53 and above must stay what they were
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("audit: before or after is no JSON: %w", err)
	}
	if tree == nil {
		return nil, nil
	}
	if tree, err = clean(tree); err != nil {
		return nil, err
	}
	if body, err = json.Marshal(tree); err != nil {
		return nil, fmt.Errorf("audit: before or after is no JSON: %w", err)
	}
	if len(body) > maxValue {
		sum := sha256.Sum256(body)
		return json.Marshal(map[string]any{"too_long": len(body), "sha256": hex.EncodeToString(sum[:])})
	}
	return json.RawMessage(body), nil
}

// clean walks a decoded value. PostgreSQL stores no U+0000 in JSON.
func clean(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, w := range v {
			if secret(k) {
				return nil, fmt.Errorf("%w: %q", ErrSecret, k)
			}
			if s, ok := w.(string); ok && personal(k) {
				w = Mask(s)
			}
			w, err := clean(w)
			if err != nil {
				return nil, err
			}
			out[strings.ReplaceAll(k, "\x00", "")] = w
		}
		return out, nil
	case []any:
		for i := range v {
			w, err := clean(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = w
		}
	case string:
		return strings.ReplaceAll(v, "\x00", ""), nil
	}
	return v, nil
}

func secret(key string) bool {
	switch strings.ToLower(key) {
	case "password", "passwd", "token", "secret", "code_hash", "cookie", "totp_secret", "recovery_code", "recovery_codes":
		return true
	}
	return false
}

func personal(key string) bool {
	switch strings.ToLower(key) {
	case "phone", "deputy_phone", "mobile", "tel", "telephone", "id_card", "id_number":
		return true
	}
	return false
}

// Mask keeps the first three and the last four characters of a number and as much
// less as the text is shorter: 138****5678.
func Mask(s string) string {
	r := []rune(s)
	switch n := len(r); {
	case n == 0:
		return ""
	case n >= 11:
		return string(r[:3]) + "****" + string(r[n-4:])
	case n >= 7:
		return string(r[:2]) + "****" + string(r[n-2:])
	}
	return "****"
}

// clip keeps a text the table takes: valid UTF-8, no U+0000, at most n characters.
func clip(s string, n int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}

// Clip is a reason as long as an entry takes.
func Clip(reason string) string { return clip(reason, maxReason) }
