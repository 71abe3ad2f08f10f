package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// errPHC means stored text that is no password hash of ours.
var errPHC = errors.New("auth: not a PHC string")

// params are the cost of argon2id. They stand in every stored hash, so they may rise:
// a hash made with less is made anew at the next sign-in.
type params struct {
	time, memory uint32 // memory in KiB
	threads      uint8
}

// The cost of today: 19 MiB, two passes (OWASP's second choice, 22 ms on the machine
// it was measured on). With two at a time, a hundred sign-ins need 38 MiB, not 1.9 GiB.
var costNow = params{time: 2, memory: 19456, threads: 1}

const (
	saltBytes   = 16
	hashBytes   = 32
	maxPassword = 256 // bytes
	atOnce      = 2
	hashWait    = 10 * time.Second
)

// hasher hashes at most two passwords at a time.
type hasher struct {
	cost  params
	slots chan struct{}
	dummy phc
}

func newHasher(cost params) *hasher {
	h := &hasher{cost: cost, slots: make(chan struct{}, atOnce)}
	h.dummy = phc{params: cost, salt: make([]byte, saltBytes), sum: make([]byte, hashBytes)}
	_, _ = rand.Read(h.dummy.sum)
	return h
}

func (h *hasher) hold(ctx context.Context, fn func()) error {
	t := time.NewTimer(hashWait)
	defer t.Stop()
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return ErrBusy
	}
	defer func() { <-h.slots }()
	fn()
	return nil
}

// hash makes the stored form of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	p := phc{params: h.cost, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(p.salt)
	err := h.hold(ctx, func() { p.sum = p.of(password, hashBytes) })
	return p.String(), err
}

// verify compares a password with its stored form. An empty form costs the same as a
// full one and fits nothing: an unknown name must not be told by the time it takes.
func (h *hasher) verify(ctx context.Context, stored, password string) (fits, again bool, err error) {
	p, known := h.dummy, false
	if stored != "" {
		if p, err = parsePHC(stored); err != nil {
			return false, false, err
		}
		known = true
	}
	if len(password) > maxPassword {
		password, known = password[:maxPassword], false
	}
	err = h.hold(ctx, func() { fits = subtle.ConstantTimeCompare(p.of(password, len(p.sum)), p.sum) == 1 })
	less := p.memory < h.cost.memory || p.time < h.cost.time || p.threads < h.cost.threads
	return fits && known && err == nil, less, err
}

// phc is a password hash with all that is needed to repeat it.
type phc struct {
	params

	salt, sum []byte
}

func (p phc) of(password string, n int) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(n))
}

// String is the PHC string: $argon2id$v=19$m=..,t=..,p=..$salt$hash.
func (p phc) String() string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads, b.EncodeToString(p.salt), b.EncodeToString(p.sum))
}

// parsePHC reads what String writes. The bounds keep a damaged row from asking for
// gigabytes.
func parsePHC(text string) (phc, error) {
	f := strings.Split(text, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" || f[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errPHC
	}
	var p phc
	cost := strings.Split(f[3], ",")
	if len(cost) != 3 {
		return phc{}, errPHC
	}
	for i, c := range []struct {
		name     string
		min, max uint64
		into     func(uint64)
	}{
		{"m=", 8, 256 << 10, func(n uint64) { p.memory = uint32(n) }},
		{"t=", 1, 16, func(n uint64) { p.time = uint32(n) }},
		{"p=", 1, 8, func(n uint64) { p.threads = uint8(n) }},
	} {
		v, ok := strings.CutPrefix(cost[i], c.name)
		n, err := strconv.ParseUint(v, 10, 32)
		if !ok || err != nil || n < c.min || n > c.max || strconv.FormatUint(n, 10) != v {
			return phc{}, errPHC
		}
		c.into(n)
	}
	b := base64.RawStdEncoding.Strict()
	var err, err2 error
	p.salt, err = b.DecodeString(f[4])
	p.sum, err2 = b.DecodeString(f[5])
	if err != nil || err2 != nil || len(p.salt) < 8 || len(p.salt) > 64 || len(p.sum) < 16 || len(p.sum) > 64 || strings.ContainsAny(text, "\r\n") {
		return phc{}, errPHC
	}
	return p, nil
}

// weak says what is wrong with a password somebody wants, besides having been used.
func (s Security) weak(password, username string) error {
	var f Invalid
	if n := utf8.RuneCountInString(password); n < s.Password.MinLength {
		f.add("/password", "too_short", fmt.Sprintf("口令至少 %d 位", s.Password.MinLength), fmt.Sprintf("at least %d characters", s.Password.MinLength))
	}
	if len(password) > maxPassword || !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl) {
		f.add("/password", "too_long", "口令过长或含控制字符", "too long, or with control characters")
	}
	var lower, upper, digit, other int
	distinct := map[rune]bool{}
	for _, r := range password {
		distinct[r] = true
		switch {
		case unicode.IsLower(r):
			lower = 1
		case unicode.IsUpper(r):
			upper = 1
		case unicode.IsDigit(r):
			digit = 1
		default:
			other = 1
		}
	}
	if lower+upper+digit+other < s.Password.Classes || len(distinct) < 5 {
		f.add("/password", "too_simple", fmt.Sprintf("口令须含大写、小写、数字、符号中至少 %d 类，且不同字符不少于 5 个", s.Password.Classes),
			fmt.Sprintf("at least %d of capitals, small letters, digits and other characters, and five different ones", s.Password.Classes))
	}
	if username != "" && strings.Contains(strings.ToLower(password), username) {
		f.add("/password", "contains_username", "口令不得含用户名", "must not contain the user name")
	}
	return f.err()
}
