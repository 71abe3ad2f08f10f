package dangers

import (
	"crypto/rand"
	"embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/registry"
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
	Blobs     sync.Blobs // nil: pictures are named, and nobody remembers whose they are
	Logger    *slog.Logger
	Now       func() time.Time
}

// Service keeps the dangers. Questions go through the query pool, steps through the
// intake pool.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	blobs     sync.Blobs
	log       *slog.Logger
	now       func() time.Time
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil || o.Catalogue == nil {
		return nil, errors.New("dangers: a database and a catalogue are needed")
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, blobs: o.Blobs, log: o.Logger, now: o.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// person says whether somebody acts who can be told from others.
func person(who *auth.Identity) bool { return who.SignedIn() && who.Account != "" }

// isUnit says whether the asker holds a grant of a responsible unit.
func (s *Service) isUnit(who *auth.Identity) bool {
	return person(who) && who.May(auth.RectifyDangers, s.now())
}

// claims are those of a change. A unit has no area: it reaches the one row it was given.
func (s *Service) claims(by auth.By, g auth.Grant, place geo.Scope) db.Claims {
	c := by.Writing(g)
	if g.Role == auth.Unit {
		c.Reach = db.NewReach(db.Areas{Public: geo.Scopes{geo.Everywhere()}, Internal: geo.Scopes{place}, Class: "unit"})
		c.Write = geo.Scopes{place}
	}
	return c
}

// wrap names the operation in an error and keeps what callers branch on.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("dangers: %s: %w", what, err)
}

// Rules are the deadlines in force.
type Rules struct {
	Version  int
	Verified bool
	Standard string
	Days     map[int]int // by level
	Remind   int         // days before a deadline
	Second   string      // none, serious, all
	MaxDays  int         // of one extension
	Times    int         // extensions of one danger
}

// Rules reads the rule set danger_deadlines.
func (s *Service) Rules() (Rules, error) {
	rs, ok := s.catalogue.Now().Rules["danger_deadlines"]
	if !ok {
		return Rules{}, errors.New("dangers: there is no rule set danger_deadlines")
	}
	var b struct {
		Levels map[string]struct {
			Days int `json:"days"`
		} `json:"levels"`
		Remind    int    `json:"remind_days"`
		Second    string `json:"second_review"`
		Extension struct {
			MaxDays int `json:"max_days"`
			Times   int `json:"times"`
		} `json:"extension"`
	}
	if err := json.Unmarshal(rs.Body, &b); err != nil {
		return Rules{}, fmt.Errorf("dangers: rule set danger_deadlines: %w", err)
	}
	out := Rules{Version: rs.Version, Verified: rs.Verified, Standard: rs.Standard, Days: map[int]int{}, Remind: b.Remind, Second: b.Second, MaxDays: b.Extension.MaxDays, Times: b.Extension.Times}
	for level, l := range b.Levels {
		n, err := strconv.Atoi(level)
		if err != nil || l.Days < 1 || l.Days > 3650 {
			return Rules{}, fmt.Errorf("dangers: rule set danger_deadlines: level %.10q, %d days", level, l.Days)
		}
		out.Days[n] = l.Days
	}
	return out, nil
}

// second says whether two persons review a danger of this level.
func (r Rules) second(level int) bool {
	return r.Second == "all" || r.Second == "serious" && level == Serious
}

// deadline is the last second of the n-th day from a moment, at the office.
func (s *Service) deadline(from time.Time, days int) time.Time {
	zone := s.catalogue.Now().Location()
	y, m, d := from.In(zone).Date()
	return time.Date(y, m, d+days+1, 0, 0, 0, 0, zone).Add(-time.Second)
}

// newID is a UUID of version 7 at the service's clock, for records the server begins.
func (s *Service) newID() string {
	var u [16]byte
	_, _ = rand.Read(u[:]) // never fails (crypto/rand)
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(s.now().UnixMilli()))
	copy(u[:6], ms[2:])
	u[6], u[8] = 0x70|u[6]&0x0f, 0x80|u[8]&0x3f
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// codeOf is the code a scope stands for, "" where it is none.
func codeOf(s geo.Scope) string {
	const unit = 1_000_000_000_000_000
	if s.IsNull() {
		return ""
	}
	family, n, width := s.Lo/unit, s.Lo%unit, s.Hi-s.Lo+1
	digits := 15
	for w := width; w > 1 && w%10 == 0; w /= 10 {
		digits--
	}
	if digits < 2 {
		return ""
	}
	code := fmt.Sprintf("%0*d", digits, n/width)
	if back, err := geo.ParseScope(code); err != nil || back != s || int64(geo.Family(code)) != family {
		return ""
	}
	return code
}

// faults collects what is wrong with an input.
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

func (f *faults) code(s *Service, path, list, code string) {
	if l, ok := s.catalogue.Now().CodeLists[list]; ok {
		if _, ok := l.Item(code); ok {
			return
		}
	}
	f.add(path, "unknown_code", "不在代码表中", "it is not in the code list")
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}
