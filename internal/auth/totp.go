package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238 as every authenticator app reads it; HMAC-SHA-1 is not broken
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Time-based one-time codes, RFC 6238 with the parameters every app knows: SHA-1, six
// digits, thirty seconds. They are few enough lines to own: the usual library cannot be
// downloaded here and does not tell the step, without which a code is taken twice.

const (
	totpStep   = 30 // seconds
	totpBytes  = 20
	totpSkew   = 1 // steps before and after: a telephone's clock
	totpDigits = 6
)

func newTOTP() []byte {
	b := make([]byte, totpBytes)
	_, _ = rand.Read(b)
	return b
}

// totpText is the secret as it is typed into an app, and as an app scans it.
func totpText(secret []byte, username string) (text, uri string) {
	text = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	label := url.PathEscape("一张图 onemap:" + username)
	return text, "otpauth://totp/" + label + "?secret=" + text + "&issuer=" + url.QueryEscape("一张图 onemap") + "&algorithm=SHA1&digits=6&period=30"
}

func totpCode(secret []byte, step int64) string {
	var counter [8]byte
	binary.BigEndian.PutUint64(counter[:], uint64(step))
	mac := hmac.New(sha1.New, secret)
	mac.Write(counter[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	n := binary.BigEndian.Uint32(sum[at:at+4]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// checkTOTP gives the step a code belongs to, if it belongs to one after last.
func checkTOTP(secret []byte, code string, now time.Time, last int64) (int64, bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	if len(secret) == 0 || len(code) != totpDigits {
		return 0, false
	}
	found, ok := int64(0), false
	present := now.Unix() / totpStep
	for step := present - totpSkew; step <= present+totpSkew; step++ {
		if subtle.ConstantTimeCompare([]byte(totpCode(secret, step)), []byte(code)) == 1 && step > last {
			found, ok = step, true
		}
	}
	return found, ok
}
