package field

import (
	"crypto/rand"
	"embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/registry"
	"onemap/internal/restricted"
	"onemap/internal/sync"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Options of a service.
type Options struct {
	DB        *db.DB
	Catalogue interface{ Now() *registry.Snapshot }
	Contacts  *restricted.Store
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service is the grid worker's day and the office's side of it.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	contacts  *restricted.Store
	log       *slog.Logger
	now       func() time.Time
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, contacts: o.Contacts, log: o.Logger, now: o.Now}
	if o.DB == nil || o.Catalogue == nil || o.Contacts == nil {
		return nil, errors.New("field: a database, a catalogue and the contacts are needed")
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// Kinds are what devices write.
func (s *Service) Kinds() []sync.Kind {
	return []sync.Kind{&hazardKind{s}, &checkKind{s}, &patrolKind{s}, &taskKind{s}, &ackKind{s}}
}

// Downs are what devices are sent and do not write.
func (s *Service) Downs() []sync.Down { return []sync.Down{&noticeKind{s}} }

// Rules are the rules of field work a phone goes by.
type Rules struct {
	UrgentWait, OutboxWarnH, PhotosMax, AccuracyWarnM, TakeAfter, DeskCountyAfterH int
}

func (s *Service) rules() Rules {
	body := struct {
		UrgentWait    int `json:"urgent_wait_s"`
		TakeAfter     int `json:"take_after_s"`
		OutboxWarn    int `json:"outbox_warn_h"`
		PhotosMax     int `json:"photos_max"`
		AccuracyWarn  int `json:"accuracy_warn_m"`
		DeskAfter     int `json:"desk_county_after_h"`
		PatrolsPerDay int `json:"patrols_per_day"`
	}{60, 120, 24, 9, 30, 4, 1}
	if rule, ok := s.catalogue.Now().Rules["field_work"]; ok {
		_ = json.Unmarshal(rule.Body, &body) // a body that does not fit leaves the defaults
	}
	return Rules{body.UrgentWait, body.OutboxWarn, body.PhotosMax, body.AccuracyWarn, body.TakeAfter, body.DeskAfter}
}

// codes looks codes up in the catalogue.
func (s *Service) codes(list, code string) bool {
	l, ok := s.catalogue.Now().CodeLists[list]
	if !ok {
		return false
	}
	_, ok = l.Item(code)
	return ok
}

// person says whether somebody acts who can be told from others.
func person(who *auth.Identity) bool { return who.SignedIn() && who.Account != "" }

// Desk are the areas somebody has a duty desk for.
func Desk(who *auth.Identity, now time.Time) geo.Scopes { return areas(who, auth.WorkDesk, now) }

// areas are those of the grants with a permission.
func areas(who *auth.Identity, p auth.Permission, now time.Time) geo.Scopes {
	out := geo.Scopes{}
	if !person(who) {
		return out
	}
	for _, g := range who.Grants {
		if g.Valid(now) && g.Role.May(p) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}

// own are the areas somebody works in as a grid worker: what is sent to them is his.
func own(who *auth.Identity, now time.Time) geo.Scopes {
	out := geo.Scopes{}
	if !person(who) {
		return out
	}
	for _, g := range who.Grants {
		if g.Valid(now) && g.Role == auth.GridWorker {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}

// under is the smallest grant with a permission that contains all the scopes.
func under(who *auth.Identity, p auth.Permission, now time.Time, scopes ...geo.Scope) (best auth.Grant, found bool) {
	if !person(who) {
		return best, false
	}
next:
	for _, g := range who.Grants {
		s := g.Scope()
		if !g.Valid(now) || !g.Role.May(p) {
			continue
		}
		for _, x := range scopes {
			if !s.Contains(x) {
				continue next
			}
		}
		if b := best.Scope(); !found || s.Hi-s.Lo < b.Hi-b.Lo {
			best, found = g, true
		}
	}
	return best, found
}

// faults collects what is wrong with a request.
type faults []auth.Fault

func (f *faults) add(path, code, zh, en string) {
	*f = append(*f, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
}

// text trims and bounds what somebody wrote.
func (f *faults) text(path, s string, least, most int) string {
	s = strings.TrimSpace(s)
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		f.add(path, "not_text", "含有无效字符", "it is not text")
	case n == 0 && least > 0:
		f.add(path, "required", "请填写", "it is needed")
	case n < least || n > most:
		f.add(path, "length", "过短或过长", "too short or too long")
	}
	return s
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}

// newID is a UUID of version 7 (RFC 9562 §5.7).
func (s *Service) newID() string {
	var b [16]byte
	_, _ = rand.Read(b[6:]) // never fails
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(s.now().UnixMilli()))
	copy(b[:6], ms[2:])
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("field: %s: %w", what, err)
}
