package papers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// The kinds of papers.
const (
	Flash    = "flash"    // 快报
	Special  = "special"  // 专报
	Handover = "handover" // 交接班
)

// Kinds are all of them.
func Kinds() []string { return []string{Flash, Special, Handover} }

// The states of a paper. Returned is a step and no state: the paper is a draft again.
const (
	Draft    = "draft"
	Reviewed = "reviewed"
	Reported = "reported" // 先报, to be signed
	Signed   = "signed"
	Returned = "returned"
)

// The kinds of figures: what was reported, and what was computed.
const (
	KindReported = "reported"
	KindEstimate = "estimate"
)

// Block is a part of the text. A figure stands in it as its key in braces: {deaths}.
type Block struct {
	Key   string `json:"key"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Figure is a number with what makes it one: how it was counted, as of when, whence.
type Figure struct {
	Key    string    `json:"key"`
	Title  string    `json:"title"`
	Value  *float64  `json:"value"` // nil: nobody knows, which is not 0
	Unit   string    `json:"unit"`
	Method string    `json:"method"`
	AsOf   time.Time `json:"as_of"`
	Source string    `json:"source"`
	Kind   string    `json:"kind"`
	// Low and High are the range of an estimate.
	Low  *float64 `json:"low,omitempty"`
	High *float64 `json:"high,omitempty"`
}

// Shown is the figure as it is printed: a value with its unit, or that there is none.
func (f Figure) Shown() string {
	if f.Value == nil {
		return "无数据"
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	text := number(*f.Value)
	if f.Kind == KindEstimate {
		text = "约 " + text
	}
	text = strings.TrimSpace(text + " " + f.Unit)
	if f.Kind == KindEstimate && f.Low != nil && f.High != nil {
		text += "（估算范围 " + number(*f.Low) + "–" + number(*f.High) + "）"
	}
	return text
}

// Paper is one paper.
type Paper struct {
	ID, Kind, Number, Title, Area    string
	Incident, Response, Addressee    string
	From, To                         *time.Time
	Exercise                         bool
	State                            string
	Blocks                           []Block
	Figures                          []Figure // frozen; none before
	Estimates                        []Figure // computed, taken into the draft by somebody
	FrozenAt                         *time.Time
	SHA256                           string
	ReviewedAt, ReportedAt, SignedAt *time.Time
	ReviewedBy, ReportedBy, SignedBy string
	ReportedAccount                  string
	Consulted                        string
	ConsultedOnDuty                  *bool
	SignDue                          *time.Time
	Late                             bool
	Note                             string
	Account, Actor, Name             string // who drafted it
	Editors                          []string
	Version                          int64
	CreatedAt, UpdatedAt             time.Time
	UpdatedBy                        string
	FeedPosition                     string
}

// Frozen says whether its figures stand.
func (p Paper) Frozen() bool { return p.FrozenAt != nil }

// Overdue says whether a signature is missing after its time.
func (p Paper) Overdue(now time.Time) bool {
	return p.State == Reported && p.SignDue != nil && now.After(*p.SignDue)
}

// Change is a figure that is another now than when the paper left.
type Change struct {
	Key, Title, Unit string
	Then, Now        *float64
	AsOf             time.Time // of what is now
}

// ChangedSince compares what was frozen with what is now. What nobody can say now is no
// change.
func ChangedSince(then, now []Figure) []Change {
	var out []Change
	for _, f := range then {
		i := slices.IndexFunc(now, func(n Figure) bool { return n.Key == f.Key })
		if i < 0 || equal(f.Value, now[i].Value) {
			continue
		}
		out = append(out, Change{Key: f.Key, Title: f.Title, Unit: f.Unit, Then: f.Value, Now: now[i].Value, AsOf: now[i].AsOf})
	}
	return out
}

func equal(a, b *float64) bool {
	if a == nil || b == nil {
		return a == b
	}
	return math.Abs(*a-*b) < 1e-9
}

var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`) //nolint:gochecknoglobals // compiled once

// Filled puts the figures into a text.
func Filled(text string, figures []Figure) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		i := slices.IndexFunc(figures, func(f Figure) bool { return "{"+f.Key+"}" == m })
		if i < 0 {
			return m
		}
		return figures[i].Shown()
	})
}

// estimated checks figures that are to stand as computed, and marks them so.
func (f *faults) estimated(list []Figure) []Figure {
	if len(list) == 0 || len(list) > 40 {
		f.add("figures", "count", "没有可放入的估算数", "there is no estimate to take in")
		return nil
	}
	out := slices.Clone(list)
	for i := range out {
		out[i].Kind = KindEstimate
		if !strings.HasPrefix(out[i].Key, "est_") || !placeholder.MatchString("{"+out[i].Key+"}") || out[i].Method == "" || out[i].AsOf.IsZero() {
			f.add("figures/"+strconv.Itoa(i), "incomplete", "估算数须有口径和截至时间", "an estimate says how and as of when")
		}
	}
	return out
}

// missing are the keys a text names that are no figures.
func missing(blocks []Block, figures []Figure) (out []string) {
	for _, b := range blocks {
		for _, m := range placeholder.FindAllStringSubmatch(b.Text, -1) {
			if !slices.ContainsFunc(figures, func(f Figure) bool { return f.Key == m[1] }) && !slices.Contains(out, m[1]) {
				out = append(out, m[1])
			}
		}
	}
	return out
}

// sum is the hash of what was frozen, printed on the paper.
func sum(p Paper, figures []Figure, at time.Time) (string, error) {
	b, err := json.Marshal(map[string]any{
		"id": p.ID, "kind": p.Kind, "number": p.Number, "title": p.Title, "area": p.Area, "addressee": p.Addressee, "incident": p.Incident, "response": p.Response,
		"from": p.From, "to": p.To, "exercise": p.Exercise, "blocks": p.Blocks, "figures": figures, "frozen_at": at.UTC().Truncate(time.Microsecond),
	})
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:]), nil
}

// New is a paper to be drafted.
type New struct {
	Kind, Title, Area, Incident, Response, Addressee string
	From, To                                         *time.Time
	Exercise                                         bool
	Blocks                                           []Block
}

// Patch changes a draft; nil leaves as it is.
type Patch struct {
	Title, Addressee *string
	Blocks           *[]Block
}

// Step is 审核, 签发, 退回 or 先报.
type Step struct {
	To, Note  string
	Consulted string   // 先报: the 带班领导 who was asked
	OnDuty    []string // who is on duty as 带班领导 now
	Figures   []Figure // what a step freezes
}

// Query says which papers.
type Query struct {
	Kind, State, Incident, Response, Area string
	Unsigned                              bool // 先报 and not signed
	Exercise                              string
	Limit                                 int // default 100, at most 500
	Cursor                                string
}

// Page is some papers, the newest first.
type Page struct {
	Papers            []Paper
	Next              string
	Unsigned, Overdue int
	Position          string
}

const (
	maxBlocks = 40
	maxText   = 20_000
)

// faults collects what is wrong with an input.
type faults []auth.Fault

func (f *faults) add(path, code, zh, en string) {
	*f = append(*f, auth.Fault{Path: path, Code: code, ZH: zh, EN: en})
}

func (f *faults) text(path, s string, least, most int) string {
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n < least || n > most || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		if least == 0 {
			f.add(path, "length", "过长或含有无效字符", "too long, or not text")
		} else {
			f.add(path, "length", "请填写，且不要过长", "it is needed, and not too long")
		}
	}
	return s
}

func (f *faults) blocks(list []Block) []Block {
	if len(list) > maxBlocks {
		f.add("blocks", "too_many", "至多 40 段", "at most 40 blocks")
		return nil
	}
	out := make([]Block, 0, len(list))
	for i, b := range list {
		at := "blocks/" + strconv.Itoa(i) + "/"
		b.Title, b.Text = f.text(at+"title", b.Title, 0, 200), f.text(at+"text", b.Text, 0, maxText)
		b.Key = f.text(at+"key", b.Key, 0, 64)
		out = append(out, b)
	}
	return out
}

func (f *faults) area(path, code string) geo.Scope {
	s, err := geo.ParseScope(code)
	if err != nil || code == "" {
		f.add(path, "not_a_code", "应为行政区划代码", "it is an administrative code")
	}
	return s
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &auth.Invalid{Items: f}
}

func clash(code, zh, en string) error { return &auth.Conflict{Code: code, ZH: zh, EN: en} }
