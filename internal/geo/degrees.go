package geo

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"golang.org/x/text/width"
)

// ErrDegrees is returned for text that is not an angle.
var ErrDegrees = errors.New("geo: not degrees")

// Axis tells which ordinate a text names itself.
type Axis int

// The axes a text can name.
const (
	AnyAxis Axis = iota
	Longitude
	Latitude
)

// maxDegreeText bounds what ParseDegrees looks at.
const maxDegreeText = 200

// ParseDegrees reads an angle as people write it: 119.25, 119°15′30.5″,
// 119度15分30秒, 119 15 30.5, 119-15-30, E119.25, 东经119°15', W 10, -119°15'.
// Full-width forms are read like narrow ones. The axis is the one the text names
// by letter or word; degrees above 180 (90 for a latitude), minutes and seconds of
// 60 or more are refused.
func ParseDegrees(s string) (float64, Axis, error) {
	if len(s) > maxDegreeText || !utf8.ValidString(s) {
		return 0, AnyAxis, fmt.Errorf("%w: too long or not UTF-8", ErrDegrees)
	}
	toks, err := degreeTokens(s)
	if err != nil {
		return 0, AnyAxis, err
	}
	a, err := takeAngle(s, toks)
	return a.value, a.axis, err
}

// ParseLonLat reads a pair: "119.25, 34.15", "东经119°15′30″ 北纬34°9′",
// "N34°09' E119°15'". Without named axes the order is longitude, latitude,
// unless the first number can only be a latitude's partner (|first| <= 90 and
// |second| > 90): then they are taken as swapped.
func ParseLonLat(s string) (orb.Point, error) {
	if len(s) > maxDegreeText || !utf8.ValidString(s) {
		return orb.Point{}, fmt.Errorf("%w: too long or not UTF-8", ErrDegrees)
	}
	toks, err := degreeTokens(s)
	if err != nil {
		return orb.Point{}, err
	}
	var fail error
	for _, cut := range pairCuts(toks) {
		a, errA := takeAngle(s, toks[:cut.end])
		b, errB := takeAngle(s, toks[cut.start:])
		if errA != nil || errB != nil {
			if fail == nil {
				fail = errors.Join(errA, errB)
			}
			continue
		}
		switch {
		case a.axis == Latitude || b.axis == Longitude:
			if a.axis == b.axis {
				return orb.Point{}, fmt.Errorf("%w: %q names one axis twice", ErrDegrees, s)
			}
			a, b = b, a
		case a.axis == Longitude && b.axis == Longitude, a.axis == AnyAxis && b.axis == AnyAxis && math.Abs(a.value) <= 90 && math.Abs(b.value) > 90:
			a, b = b, a
		}
		p := orb.Point{a.value, b.value}
		if !inEnvelope(p) {
			return orb.Point{}, fmt.Errorf("%w: %q is outside ±180/±90", ErrDegrees, s)
		}
		return p, nil
	}
	if fail == nil {
		fail = fmt.Errorf("%w: %q is not a pair", ErrDegrees, s)
	}
	return orb.Point{}, fail
}

type tokenKind int

const (
	tokNumber tokenKind = iota
	tokDegree
	tokMinute
	tokSecond
	tokAxis
	tokMinus
	tokBreak // comma, semicolon, slash, line break: between two angles
	tokDash  // joins 119-15-30
)

type token struct {
	kind   tokenKind
	value  float64
	frac   bool // the number has a decimal point
	axis   Axis
	neg    bool
	spaced bool // white space stood before it
}

type cutAt struct{ end, start int }

// pairCuts proposes places where the first angle ends, best first.
func pairCuts(toks []token) []cutAt {
	var out []cutAt
	for i, t := range toks {
		if t.kind == tokBreak {
			out = append(out, cutAt{i, i + 1})
		}
	}
	for i, t := range toks {
		// A named axis starts the second angle, or ends the first.
		if t.kind == tokAxis && i > 0 && i < len(toks)-1 {
			out = append(out, cutAt{i, i}, cutAt{i + 1, i + 1})
		}
	}
	for i, t := range toks { // a new degree sign: the number before it starts anew
		if t.kind == tokDegree && i > 1 {
			out = append(out, cutAt{i - 1, i - 1})
		}
	}
	if n := len(toks); n%2 == 0 && n > 0 {
		out = append(out, cutAt{n / 2, n / 2})
	}
	return out
}

func degreeTokens(s string) ([]token, error) {
	s = width.Narrow.String(s) // full-width digits, letters and signs
	var out []token
	spaced := false
	add := func(t token) {
		t.spaced = spaced
		spaced = false
		out = append(out, t)
	}
	for i := 0; i < len(s); {
		rest := s[i:]
		if n := numberLen(rest); n > 0 {
			v, err := strconv.ParseFloat(rest[:n], 64)
			if err != nil {
				return nil, fmt.Errorf("%w: %q", ErrDegrees, s)
			}
			add(token{kind: tokNumber, value: v, frac: strings.Contains(rest[:n], ".")})
			i += n
			continue
		}
		matched := false
		for _, w := range degreeWords() {
			if strings.HasPrefix(rest, w.text) {
				add(w.token)
				i += len(w.text)
				matched = true
				break
			}
		}
		if matched {
			continue
		}
		r, n := utf8.DecodeRuneInString(rest)
		switch r {
		case ' ', '\t', '\u00a0', '\u3000':
			spaced = true
		case '\n', '\r', ',', ';', '/', '，', '；', '、', '､', '|':
			add(token{kind: tokBreak})
		case ':', '(', ')', '[', ']':
			spaced = true
		case '+':
		default:
			return nil, fmt.Errorf("%w: %q", ErrDegrees, s)
		}
		i += n
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrDegrees)
	}
	return out, nil
}

type degreeWord struct {
	text  string
	token token
}

// degreeWords lists the signs and words, longer ones before their beginnings.
func degreeWords() []degreeWord {
	axis := func(a Axis, neg bool) token { return token{kind: tokAxis, axis: a, neg: neg} }
	deg, mnt, sec := token{kind: tokDegree}, token{kind: tokMinute}, token{kind: tokSecond}
	return []degreeWord{
		{"东经", axis(Longitude, false)}, {"東經", axis(Longitude, false)}, {"西经", axis(Longitude, true)}, {"西經", axis(Longitude, true)},
		{"北纬", axis(Latitude, false)}, {"北緯", axis(Latitude, false)}, {"南纬", axis(Latitude, true)}, {"南緯", axis(Latitude, true)},
		{"经度", axis(Longitude, false)}, {"經度", axis(Longitude, false)}, {"纬度", axis(Latitude, false)}, {"緯度", axis(Latitude, false)},
		{"E", axis(Longitude, false)}, {"e", axis(Longitude, false)}, {"W", axis(Longitude, true)}, {"w", axis(Longitude, true)},
		{"N", axis(Latitude, false)}, {"n", axis(Latitude, false)}, {"S", axis(Latitude, true)}, {"s", axis(Latitude, true)},
		{"''", sec}, {"’’", sec}, {"′′", sec}, {"\"", sec}, {"″", sec}, {"”", sec}, {"“", sec}, {"〃", sec}, {"秒", sec},
		{"'", mnt}, {"′", mnt}, {"’", mnt}, {"‘", mnt}, {"`", mnt}, {"´", mnt}, {"分", mnt},
		{"°", deg}, {"º", deg}, {"˚", deg}, {"゜", deg}, {"ﾟ", deg}, {"度", deg}, {"℃", deg}, {"d", deg},
		{"-", token{kind: tokDash}}, {"—", token{kind: tokDash}}, {"–", token{kind: tokDash}}, {"−", token{kind: tokMinus}},
	}
}

// numberLen is the length of the digits and one decimal point at the start of s.
func numberLen(s string) int {
	n, digits, dot := 0, 0, false
	for ; n < len(s) && n < 40; n++ {
		switch {
		case s[n] >= '0' && s[n] <= '9':
			digits++
		case s[n] == '.' && !dot && digits > 0:
			dot = true
		default:
			if digits == 0 {
				return 0
			}
			return n
		}
	}
	if digits == 0 {
		return 0
	}
	return n
}

type angle struct {
	value float64
	axis  Axis
}

// takeAngle reads all tokens as one angle: degrees, minutes, seconds in order,
// each with or without its sign, the axis before or after.
func takeAngle(s string, toks []token) (angle, error) {
	bad := func(why string) (angle, error) { return angle{}, fmt.Errorf("%w: %q: %s", ErrDegrees, s, why) }
	var a angle
	neg, part, parts := false, 0, [3]float64{}
	seen, lastFrac := 0, false
	for i, t := range toks {
		switch t.kind {
		case tokAxis:
			if a.axis != AnyAxis || (i > 0 && i < len(toks)-1 && seen > 0) {
				return bad("the axis stands in the wrong place")
			}
			a.axis = t.axis
			neg = neg != t.neg
		case tokMinus:
			if seen > 0 {
				return bad("a minus sign in the middle")
			}
			neg = !neg
		case tokDash:
			if seen == 0 {
				neg = !neg
			} else if i == len(toks)-1 {
				return bad("ends in a dash")
			}
		case tokNumber:
			if seen == 3 || lastFrac {
				return bad("too many numbers")
			}
			// The sign that follows says which part this is.
			next := part
			if i+1 < len(toks) {
				switch toks[i+1].kind {
				case tokDegree:
					next = 0
				case tokMinute:
					next = 1
				case tokSecond:
					next = 2
				}
			}
			if next < part {
				return bad("degrees, minutes and seconds in the wrong order")
			}
			if seen == 0 && next != 0 {
				return bad("no degrees")
			}
			if next > 2 {
				return bad("too many numbers")
			}
			parts[next], part, lastFrac = t.value, next+1, t.frac
			seen++
		case tokDegree, tokMinute, tokSecond:
			if i == 0 || toks[i-1].kind != tokNumber {
				return bad("a sign without its number")
			}
		case tokBreak:
			return bad("more than one value")
		}
	}
	if seen == 0 {
		return bad("no number")
	}
	if parts[1] >= 60 || parts[2] >= 60 {
		return bad("minutes and seconds end at 60")
	}
	a.value = parts[0] + parts[1]/60 + parts[2]/3600
	limit := 180.0
	if a.axis == Latitude {
		limit = 90
	}
	if !(a.value <= limit) {
		return bad("beyond the globe")
	}
	if neg {
		a.value = -a.value
	}
	return a, nil
}
