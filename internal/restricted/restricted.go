package restricted

import (
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/audit"
)

var (
	// ErrNotFound means there is no such entry, or none the caller may see: he cannot
	// tell which.
	ErrNotFound = errors.New("restricted: not found")
	// ErrReason means the reason is missing or says nothing.
	ErrReason = errors.New("restricted: a reason of at least four characters is needed")
	// ErrInvalid means an id or area that is none.
	ErrInvalid = errors.New("restricted: not an id, layer or area")
)

// Entry is somebody who can be reached, or an attribute put away, masked. Fields are
// phone and deputy_phone of a contact, value of an attribute (Role is its column), head
// and phone of a household.
type Entry struct {
	ID                 string
	Kind               string // responsibility, duty, attribute, household
	Area               string
	Layer, Feature     string
	Role               string
	Unit, Post, Person string
	DeputyPost, Deputy string
	From, To           time.Time
	Fields             map[string]string
}

// Filter says which. Attributes and households are found by their feature only.
type Filter struct {
	Area, Layer, Feature string
	Limit                int    // default 100, at most 500
	After                string // id of the last one seen
	// Doer is who looks: the look is an entry of the audit too, without a reason.
	Doer audit.Doer
}

var (
	uuidText = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`) //nolint:gochecknoglobals // compiled once
	codeText = regexp.MustCompile(`^[0-9]{2,15}$`)                               //nolint:gochecknoglobals // compiled once
	nameText = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)                      //nolint:gochecknoglobals // compiled once
)

func (f Filter) check() error {
	if f.Area != "" && !codeText.MatchString(f.Area) || f.Layer != "" && !nameText.MatchString(f.Layer) ||
		f.Feature != "" && (!uuidText.MatchString(f.Feature) || f.Layer == "") || f.After != "" && !uuidText.MatchString(f.After) {
		return ErrInvalid
	}
	return nil
}

// sayable is the reason as it will be kept, or an error where it says nothing.
func sayable(reason string) (string, error) {
	reason = strings.TrimSpace(strings.ReplaceAll(reason, "\x00", ""))
	if utf8.RuneCountInString(reason) < 4 || !utf8.ValidString(reason) {
		return "", ErrReason
	}
	return reason, nil
}
