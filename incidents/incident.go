package incidents

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// The states of an incident beside those it shares with reports (Received, Closed).
const (
	Verified   = "verified"   // 核实
	Responding = "responding" // 响应中
	Archived   = "archived"   // 归档
	Merged     = "merged"     // 已合并: it is another one
)

// LifeStates are the states of an incident, in order.
func LifeStates() []string { return []string{Received, Verified, Responding, Closed, Archived, Merged} }

// openStates are those somebody still works on.
func openStates() []string { return []string{Received, Verified, Responding} }

// steps are the states that may follow one.
func steps(from string) []string {
	return map[string][]string{
		Received: {Verified, Responding, Closed}, Verified: {Responding, Closed}, Responding: {Closed}, Closed: {Responding, Archived},
	}[from]
}

// Incident is 突发事件 as the command room sees it.
type Incident struct {
	ID                                          string
	FID, Version                                int64
	Number, Title, Kind, TypeCode, Class, State string
	Level, LevelProposed                        int // 0: not confirmed, not proposed
	LevelReason                                 []Reason
	LevelBy, LevelNote                          string
	LevelAt                                     *time.Time
	Exercise                                    bool
	OccurredAt, KnownAt, ClosedAt               *time.Time
	VerifiedAt, RespondingAt, ArchivedAt        *time.Time
	Place, Description, Source                  string
	Reporter, Contact, PhoneMasked              string // for those who read sensitive layers there
	PersonsReported                             *int
	Figures                                     Figures
	FiguresAt                                   *time.Time
	Scope                                       geo.Scope
	Geometry                                    orb.Geometry
	MergedInto, MergedState, SourceReport       string
	Entries, Sketches, Absorbed                 int
	Clocks                                      []Clock
	UpdatedAt                                   time.Time
	UpdatedBy                                   string
	Demo                                        bool
	FeedPosition                                string
	facts                                       facts
}

// Open says whether somebody still works on it.
func (i Incident) Open() bool { return slices.Contains(openStates(), i.State) }

// Late says whether any of its clocks is late.
func (i Incident) Late() bool {
	return slices.ContainsFunc(i.Clocks, func(c Clock) bool { return c.Late })
}

// effective is the level clocks go by.
func (i Incident) effective() int {
	if i.Level > 0 {
		return i.Level
	}
	return i.LevelProposed
}

// NewIncident is what a call, a click or a program says. Only the kind and one of place,
// geometry and area are needed.
type NewIncident struct {
	ID, Title, Kind, Class, TypeCode string
	Exercise                         bool
	OccurredAt, KnownAt              *time.Time
	Place, Description, Source       string
	Reporter, Phone                  string
	PersonsReported                  *int
	Figures                          Figures
	Area                             string
	Geometry                         orb.Geometry
	SourceReport                     string
	Level                            int  `json:",omitempty"` // confirmed by the person who sends it; 0: by nobody
	FixSwap                          bool `json:"-"`
}

// print is what an incident was made from, so that the same one sent again is known.
func (n NewIncident) print() string {
	b, err := json.Marshal(n)
	if err != nil {
		return ""
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// IncidentPatch changes what an incident says.
type IncidentPatch struct {
	Title, Kind, Class, TypeCode, Place, Description, Source, Reporter, Phone *string
	OccurredAt, KnownAt                                                       *time.Time
	PersonsReported                                                           *int
	Figures                                                                   *Figures
	Level                                                                     *int         // confirmed by the person who changes it
	Geometry                                                                  orb.Geometry // where it is, from now on
	FixSwap                                                                   bool
	// Whole says that this is all there is to say: what is not given is not known.
	Whole bool
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

// level is one of 特别重大 to 一般.
func (f *faults) level(n int) {
	if n < 1 || n > 4 {
		f.add("level", "out_of_range", "级别为 1(特别重大)至 4(一般)", "levels are 1, the worst, to 4")
	}
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}

// typeCode is a code of GB/T 35561: two digits, a letter, two digits.
var typeCode = regexp.MustCompile(`^[1-9][0-9][A-Z][0-9]{2}$`)

// phoneText is what a telephone number may look like.
var phoneText = regexp.MustCompile(`^[0-9+][0-9 \-]{2,29}$`)

func (s *Service) code(f *faults, path, list, code string) {
	if !s.codes(list, code) {
		f.add(path, "unknown_code", "不在代码表中", "it is not in the code list")
	}
}

// classOf is the class a kind usually is of.
func classOf(kind string) string {
	switch kind {
	case "flood", "waterlogging", "landslide", "collapse", "debris_flow", "forest_fire", "tree", "earthquake", "house_collapse":
		return "natural"
	case "health":
		return "health"
	case "hotline":
		return "security"
	}
	return "accident"
}

const clockAhead = 10 * time.Minute // how far a time may lie in the future: clocks differ

func (s *Service) moment(f *faults, path string, t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC().Truncate(time.Microsecond)
	if u.Year() < 2000 || u.After(s.now().Add(clockAhead)) {
		f.add(path, "out_of_range", "时间不可信：早于 2000 年或在将来", "the time cannot be: before 2000, or in the future")
	}
	return &u
}

// check looks at what came in, and fills what the desk would.
func (s *Service) check(n *NewIncident) error {
	var f faults
	if !records.IsID(n.ID) {
		f.add("id", "bad_id", "应为 UUID", "it is a UUID")
	}
	s.code(&f, "kind", "incident_kind", n.Kind)
	if n.Class == "" {
		n.Class = classOf(n.Kind)
	}
	s.code(&f, "class", "incident_class", n.Class)
	if n.TypeCode != "" && !typeCode.MatchString(n.TypeCode) {
		f.add("type_code", "bad_value", "应为 GB/T 35561 代码，如 11B03", "it is a code of GB/T 35561 such as 11B03")
	}
	if n.Source == "" {
		n.Source = "phone"
	}
	n.Source = f.text("source", n.Source, 0, 100)
	n.Title = f.text("title", n.Title, 0, 200)
	n.Place = f.text("place", n.Place, 0, 500)
	n.Description = f.text("description", n.Description, 0, 4000)
	n.Reporter = f.text("reporter", n.Reporter, 0, 100)
	n.Phone = strings.TrimSpace(n.Phone)
	if n.Phone != "" && !phoneText.MatchString(n.Phone) {
		f.add("reporter_phone", "bad_value", "应为电话号码", "it is a telephone number")
	}
	if n.PersonsReported != nil && (*n.PersonsReported < 0 || *n.PersonsReported > maxPersons) {
		f.add("persons_reported", "out_of_range", "须为不小于 0 的合理数字", "a number that can be, 0 or more")
	}
	n.Figures.check(&f, n.Kind)
	if n.Level != 0 {
		f.level(n.Level)
	}
	if n.Area != "" {
		if _, err := geo.ParseScope(n.Area); err != nil {
			f.add("area", "unknown", "不是行政区划代码", "not an administrative code")
		}
	}
	if n.Geometry == nil && n.Place == "" && n.Area == "" {
		f.add("place", "required", "请写明地点，或在地图上点选", "say where: a place in words, or a point on the map")
	}
	n.OccurredAt, n.KnownAt = s.moment(&f, "occurred_at", n.OccurredAt), s.moment(&f, "known_at", n.KnownAt)
	if n.KnownAt == nil {
		now := s.now().UTC().Truncate(time.Microsecond)
		n.KnownAt = &now
	}
	if n.OccurredAt == nil {
		n.OccurredAt = n.KnownAt
	}
	if n.OccurredAt.After(*n.KnownAt) {
		f.add("occurred_at", "after_known", "发生时间晚于接报时间", "it happened after it was known")
	}
	return f.err()
}

// titleOf is what an incident is called where nobody said: the place and the kind.
func (s *Service) titleOf(kind, place string) string {
	word := kind
	if l, ok := s.catalogue.Now().CodeLists["incident_kind"]; ok {
		if it, ok := l.Item(kind); ok {
			word = it.Title.ZH
		}
	}
	r := []rune(place)
	if len(r) > 40 {
		r = r[:40]
	}
	return string(r) + word
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

// IncidentQuery says which incidents. Zero fields ask nothing.
type IncidentQuery struct {
	States     []string
	Kind, Area string
	Level      int
	Text       string
	Exercise   *bool // nil: both
	Open       bool
	Since      time.Time
	Limit      int // default 100, at most 500
	Cursor     string
}

// Counts are of everything the asker may see that is not put away.
type Counts struct {
	Open, Late int
	ByLevel    map[int]int // of the confirmed
	Unleveled  int
}

// IncidentPage is a page of incidents, the newest first.
type IncidentPage struct {
	Incidents []Incident
	Next      string
	Position  string
	Counts    Counts
}

// Following are the states that may follow one.
func Following(state string) []string { return steps(state) }
