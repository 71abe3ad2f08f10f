package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What a caller branches on.
var (
	// ErrCredential: the cookie, token or device is not, or no longer, known. 401.
	ErrCredential = errors.New("auth: not signed in")
	// ErrStale: the rights could not be read for five seconds, so there are none. 503.
	ErrStale = errors.New("auth: rights could not be read")
	// ErrBusy: more people sign in than passwords can be hashed, or others change the
	// same rows. 503.
	ErrBusy = errors.New("auth: too much at once")
	// ErrSignIn is the one answer to every failed sign-in. 401.
	ErrSignIn = errors.New("auth: sign-in failed")
	// ErrSecondFactor: the password was right, and a code is needed. 401.
	ErrSecondFactor = errors.New("auth: second factor required")
	// ErrForbidden: signed in, and may not. 403.
	ErrForbidden = errors.New("auth: forbidden")
	// ErrNotFound: absent, or nothing the asker may know of. 404.
	ErrNotFound = errors.New("auth: not found")
	// ErrStaleVersion: somebody else changed it first. 412.
	ErrStaleVersion = errors.New("auth: stale version")
	// ErrSetupDone: accounts exist already. 409.
	ErrSetupDone = errors.New("auth: set-up is over")
	// ErrSetupLink: the set-up link is unknown, used or expired. 403.
	ErrSetupLink = errors.New("auth: set-up link does not hold")
	// ErrLink: the activation link or enrolment code is unknown, used or expired. 401.
	ErrLink = fmt.Errorf("%w: the link or code does not hold", ErrSignIn)
)

// Throttled is the answer to too many failures; the right password works after Until.
type Throttled struct{ Until time.Time }

func (t *Throttled) Error() string {
	return "auth: throttled until " + t.Until.UTC().Format(time.RFC3339)
}

// Fault is one thing wrong with what was sent.
type Fault struct{ Path, Code, ZH, EN string }

// Invalid is well-formed input that does not hold. 422.
type Invalid struct{ Items []Fault }

func (i *Invalid) Error() string {
	words := make([]string, 0, len(i.Items))
	for _, f := range i.Items {
		words = append(words, f.Path+": "+f.EN)
	}
	return "auth: invalid: " + strings.Join(words, "; ")
}

func (i *Invalid) add(path, code, zh, en string) {
	i.Items = append(i.Items, Fault{Path: path, Code: code, ZH: zh, EN: en})
}

func (i *Invalid) err() error {
	if len(i.Items) == 0 {
		return nil
	}
	return i
}

func invalid(path, code, zh, en string) error {
	return &Invalid{Items: []Fault{{Path: path, Code: code, ZH: zh, EN: en}}}
}

// Conflict is a state that forbids what was asked. 409.
type Conflict struct{ Code, ZH, EN string }

func (c *Conflict) Error() string { return "auth: conflict: " + c.EN }

func conflict(code, zh, en string) error { return &Conflict{Code: code, ZH: zh, EN: en} }
