package census

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/paulmach/orb"
)

// Dataset is a source that is imported again and again under one name.
type Dataset struct {
	Name           string // unique
	Title          string
	SourceDept     string
	SourceDate     time.Time // 截至; zero where unknown
	Classification string    // public, internal (default) or sensitive
	Demo           bool
}

// Feature is one record on its way into a layer.
type Feature struct {
	Layer    string
	Key      string         // the source's key; empty: hash of the content
	Code     string         // smallest administrative unit that contains it; empty: from the shape
	Geometry orb.Geometry   // lon/lat; nil: known but not placed (未定位)
	Fields   map[string]any // columns by name ("id", "name" and "code" too); unknown ones go to attrs

	Attrs      map[string]any    // further source fields
	Restricted map[string]string // identity and telephone numbers

	File string // for reports
	Row  int64

	srid     int          // PostGIS must transform from here
	original orb.Geometry // as it came, where Geometry was converted
	repair   bool         // the shape is invalid and may be repaired
	stated   string       // administrative unit the source says it lies in
	remarks  []Issue
}

// Mode says what happens to rows a new package no longer has.
type Mode string

// The modes.
const (
	Upsert  Mode = "upsert"  // they stay
	Replace Mode = "replace" // they go, unless confirmed in the field
)

// LoadOptions govern one run.
type LoadOptions struct {
	Mode   Mode // default Upsert
	Accept bool // overwrite and delete rows confirmed in the field, too
	Actor  string

	Source       string // for the record: file names
	SourceSHA256 []byte
	RulesSHA256  []byte
	CRS          string
	Encoding     string

	Area     string // administrative code the data must lie in; empty: not tested
	Progress func(Progress)

	scopes *scopeIndex // nil: read it
	area   *region     // instead of Area
}

// Progress is called now and then from one goroutine.
type Progress struct {
	Stage string // read, accept
	Layer string
	Rows  int64
}

// Kind is what became of a row an issue is about.
type Kind string

// The kinds.
const (
	Rejected    Kind = "rejected"
	Quarantined Kind = "quarantined"
	Warning     Kind = "warning" // accepted, with a remark
)

// Issue is one remark on one row.
type Issue struct {
	File     string
	Row      int64
	Key      string
	Rule     string
	Kind     Kind
	Path     string
	Message  string
	At       *orb.Point
	Original map[string]any // not for warnings
}

// Counts are the figures of one file, or of a run.
type Counts struct {
	Read, Accepted, Rejected, Quarantined int64
	Inserted, Updated, Unchanged, Deleted int64
	Unplaced                              int64 // accepted without a place
}

// Add sums up.
func (c *Counts) Add(o Counts) {
	c.Read += o.Read
	c.Accepted += o.Accepted
	c.Rejected += o.Rejected
	c.Quarantined += o.Quarantined
	c.Inserted += o.Inserted
	c.Updated += o.Updated
	c.Unchanged += o.Unchanged
	c.Deleted += o.Deleted
	c.Unplaced += o.Unplaced
}

// Balanced reports whether every row read is accounted for.
func (c Counts) Balanced() bool { return c.Read == c.Accepted+c.Rejected+c.Quarantined }

// RuleCount says how often a rule spoke.
type RuleCount struct {
	Rule  string
	Kind  Kind
	Count int64
}

// maxReportIssues bounds the issues a Report carries; all are in the database.
const maxReportIssues = 200

// Report is the outcome of a run.
type Report struct {
	Import   [16]byte
	Dataset  string
	Source   string
	Encoding string
	CRS      string
	Counts   Counts
	Files    map[string]*Counts // by file name; inserted and deleted only in Counts
	Layers   []string
	Rules    map[RuleCount]int64 // Count is zero in the keys
	Issues   []Issue             // the first ones, warnings last
	Notes    []FileNotes         // what was understood of the files
	Elapsed  time.Duration
}

// FileNotes says how a file was read.
type FileNotes struct {
	File     string
	Remarks  []string // on the file as a whole: a guessed encoding, no named system
	Mapped   []string // 列 → 字段, where nobody named the fields
	Unmapped []string // columns no field takes; they are kept in attrs
}

func newReport() Report {
	return Report{Files: map[string]*Counts{}, Rules: map[RuleCount]int64{}}
}

func (r *Report) file(name string) *Counts {
	c := r.Files[name]
	if c == nil {
		c = &Counts{}
		r.Files[name] = c
	}
	return c
}

func (r *Report) note(i Issue) {
	r.Rules[RuleCount{Rule: i.Rule, Kind: i.Kind}]++
	if len(r.Issues) < maxReportIssues {
		r.Issues = append(r.Issues, i)
		return
	}
	if i.Kind == Warning {
		return
	}
	for k, old := range r.Issues { // a decision is worth more than a remark
		if old.Kind == Warning {
			r.Issues[k] = i
			return
		}
	}
}

// RuleCounts lists the rules, worst kind and most frequent first.
func (r *Report) RuleCounts() []RuleCount {
	order := map[Kind]int{Rejected: 0, Quarantined: 1, Warning: 2}
	out := make([]RuleCount, 0, len(r.Rules))
	for k, n := range r.Rules {
		k.Count = n
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b RuleCount) int {
		switch {
		case a.Kind != b.Kind:
			return order[a.Kind] - order[b.Kind]
		case a.Count != b.Count:
			return int(b.Count - a.Count)
		case a.Rule < b.Rule:
			return -1
		}
		return 1
	})
	return out
}

// FileNames lists the files in order.
func (r *Report) FileNames() []string { return slices.Sorted(maps.Keys(r.Files)) }

// ID is the text form of the run's id.
func (r *Report) ID() string { return uuidText(r.Import) }

func uuidText(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
