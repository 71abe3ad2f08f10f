package geo

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// ErrCode is returned for text that is not an administrative code.
var ErrCode = errors.New("geo: not an administrative code")

const (
	familyUnit  = 1_000_000_000_000_000 // 10^15
	codeDigits  = 15
	familyMain  = 1 // 2/4/6/9/12 digits and grid 15
	familyOther = 2 // 5/8/11 digits
)

// ScopeOf gives the range of integers an administrative code stands for, both
// ends inside: family x 10^15 + code padded on the right to 15 digits with zeros
// (lo) and nines (hi). The family follows from the length.
func ScopeOf(code string) (lo, hi int64, err error) {
	s, err := ParseScope(code)
	return s.Lo, s.Hi, err
}

// Family tells the code family by length: 1 for 2/4/6/9/12/15 digits, 2 for
// 5/8/11, 0 for anything else.
func Family(code string) int {
	switch len(code) {
	case 2, 4, 6, 9, 12, 15:
		return familyMain
	case 5, 8, 11:
		return familyOther
	}
	return 0
}

// Scope is a range of padded codes, both ends inside. The zero value is the
// empty scope, stored as NULL.
type Scope struct{ Lo, Hi int64 }

// ParseScope is [ScopeOf] as a value.
func ParseScope(code string) (Scope, error) {
	family := int64(Family(code))
	if family == 0 {
		return Scope{}, fmt.Errorf("%w: %q has %d characters", ErrCode, code, len(code))
	}
	var n int64
	for _, c := range []byte(code) {
		if c < '0' || c > '9' {
			return Scope{}, fmt.Errorf("%w: %q", ErrCode, code)
		}
		n = n*10 + int64(c-'0')
	}
	width := int64(1)
	for range codeDigits - len(code) {
		width *= 10
	}
	lo := family*familyUnit + n*width
	return Scope{Lo: lo, Hi: lo + width - 1}, nil
}

// Everywhere is the scope that contains every code of both families.
func Everywhere() Scope { return Scope{Lo: familyMain * familyUnit, Hi: 3*familyUnit - 1} }

// IsNull makes the zero scope NULL in the database.
func (s Scope) IsNull() bool { return s.Lo == 0 && s.Hi == 0 }

// Contains reports whether o lies wholly inside s (o <@ s).
func (s Scope) Contains(o Scope) bool { return !o.IsNull() && s.Lo <= o.Lo && o.Hi <= s.Hi }

// Overlaps reports whether the two share a code (s && o).
func (s Scope) Overlaps(o Scope) bool {
	return !s.IsNull() && !o.IsNull() && s.Lo <= o.Hi && o.Lo <= s.Hi
}

// String is the text form of int8range.
func (s Scope) String() string {
	if s.IsNull() {
		return "empty"
	}
	return fmt.Sprintf("[%d,%d]", s.Lo, s.Hi)
}

// BoundTypes implements pgtype.RangeValuer.
func (s Scope) BoundTypes() (lower, upper pgtype.BoundType) {
	return pgtype.Inclusive, pgtype.Exclusive
}

// Bounds implements pgtype.RangeValuer.
func (s Scope) Bounds() (lower, upper any) { return s.Lo, s.Hi + 1 }

// ScanNull implements pgtype.RangeScanner.
func (s *Scope) ScanNull() error { *s = Scope{}; return nil }

// ScanBounds implements pgtype.RangeScanner.
func (s *Scope) ScanBounds() (lower, upper any) { return &s.Lo, &s.Hi }

// SetBoundTypes implements pgtype.RangeScanner. It runs after the bounds were
// scanned and turns the half-open form PostgreSQL sends into the closed one.
func (s *Scope) SetBoundTypes(lower, upper pgtype.BoundType) error {
	if lower == pgtype.Empty || upper == pgtype.Empty {
		*s = Scope{}
		return nil
	}
	if lower == pgtype.Unbounded || upper == pgtype.Unbounded {
		return errors.New("geo: a scope is never unbounded")
	}
	if lower == pgtype.Exclusive {
		s.Lo++
	}
	if upper == pgtype.Exclusive {
		s.Hi--
	}
	return nil
}

var (
	_ pgtype.RangeValuer  = Scope{}
	_ pgtype.RangeScanner = (*Scope)(nil)
)

// Scopes is a set of codes: int8multirange.
type Scopes []Scope

// ParseScopes makes a set from codes.
func ParseScopes(codes ...string) (Scopes, error) {
	out := make(Scopes, 0, len(codes))
	for _, c := range codes {
		s, err := ParseScope(c)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out.Normal(), nil
}

// Normal sorts the set and joins what touches.
func (ss Scopes) Normal() Scopes {
	in := slices.DeleteFunc(slices.Clone(ss), Scope.IsNull)
	slices.SortFunc(in, func(a, b Scope) int {
		switch {
		case a.Lo < b.Lo:
			return -1
		case a.Lo > b.Lo:
			return 1
		}
		return 0
	})
	out := in[:0]
	for _, s := range in {
		if n := len(out); n > 0 && s.Lo <= out[n-1].Hi+1 {
			out[n-1].Hi = max(out[n-1].Hi, s.Hi)
			continue
		}
		out = append(out, s)
	}
	return out
}

// Overlaps reports whether any member shares a code with s (readable).
func (ss Scopes) Overlaps(s Scope) bool {
	return slices.ContainsFunc(ss, s.Overlaps)
}

// Contains reports whether s lies wholly inside the set (writable).
func (ss Scopes) Contains(s Scope) bool {
	return slices.ContainsFunc(ss.Normal(), func(m Scope) bool { return m.Contains(s) })
}

// String is the text form of int8multirange, as the claims app.read and
// app.write want it.
func (ss Scopes) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range ss.Normal() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s.String())
	}
	b.WriteByte('}')
	return b.String()
}

// IsNull implements pgtype.MultirangeGetter; an empty set is not NULL.
func (ss Scopes) IsNull() bool { return ss == nil }

// Len implements pgtype.MultirangeGetter.
func (ss Scopes) Len() int { return len(ss) }

// Index implements pgtype.MultirangeGetter.
func (ss Scopes) Index(i int) any { return ss[i] }

// IndexType implements pgtype.MultirangeGetter.
func (ss Scopes) IndexType() any { return Scope{} }

// ScanNull implements pgtype.MultirangeSetter.
func (ss *Scopes) ScanNull() error { *ss = nil; return nil }

// SetLen implements pgtype.MultirangeSetter.
func (ss *Scopes) SetLen(n int) error { *ss = make(Scopes, n); return nil }

// ScanIndex implements pgtype.MultirangeSetter.
func (ss Scopes) ScanIndex(i int) any { return &ss[i] }

// ScanIndexType implements pgtype.MultirangeSetter.
func (ss Scopes) ScanIndexType() any { return new(Scope) }

var (
	_ pgtype.MultirangeGetter = Scopes{}
	_ pgtype.MultirangeSetter = (*Scopes)(nil)
)
