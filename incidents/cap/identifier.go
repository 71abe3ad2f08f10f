package cap

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrIdentifier means a text is no identifier of GB/T 35965.1.
var ErrIdentifier = errors.New("cap: not an identifier of GB/T 35965.1 (ZZZZZZDDDUUUXX_YYYYMMDDhhmmss_N)")

// Identifier is the national identifier of a warning: who issued it (administrative code,
// sector of GB/T 4657, unit, extension), when by Beijing time, and a digit to tell those
// of one second apart.
type Identifier struct {
	Admin, Sector, Unit, Ext string // 6, 3, 3 and 2 digits
	At                       time.Time
	N                        int
}

const (
	identifierLen = 31
	identifierAt  = "20060102150405"
)

// beijing is the zone the standard fixes, whatever the clock of the house.
func beijing() *time.Location { return time.FixedZone("CST", 8*3600) }

// provinces are the first two digits of GB/T 2260; 99 is no province and stands for
// examples and exercises.
func province(code string) bool {
	n, err := strconv.Atoi(code)
	if err != nil {
		return false
	}
	switch n / 10 {
	case 1, 6:
		return n%10 >= 1 && n%10 <= 5
	case 2:
		return n%10 >= 1 && n%10 <= 3
	case 3:
		return n%10 >= 1 && n%10 <= 7
	case 4:
		return n%10 >= 1 && n%10 <= 6
	case 5:
		return n%10 <= 4
	}
	return n == 0 || n == 71 || n == 81 || n == 82 || n == 99 // 00: the nation
}

// ParseIdentifier reads one and checks its length, its digits, the province and that its
// date is one.
func ParseIdentifier(s string) (Identifier, error) {
	fail := func(why string) (Identifier, error) { return Identifier{}, fmt.Errorf("%w: %s", ErrIdentifier, why) }
	if len(s) != identifierLen {
		return fail(fmt.Sprintf("%d characters, not %d", len(s), identifierLen))
	}
	for i := range identifierLen {
		c := s[i]
		if under := i == 14 || i == 29; under != (c == '_') || !under && (c < '0' || c > '9') {
			return fail(fmt.Sprintf("character %d is %q", i+1, c))
		}
	}
	if !province(s[:2]) {
		return fail("there is no province " + s[:2])
	}
	at, err := time.ParseInLocation(identifierAt, s[15:29], beijing())
	if err != nil || at.Format(identifierAt) != s[15:29] || at.Year() < 1900 {
		return fail(s[15:29] + " is no time")
	}
	return Identifier{Admin: s[:6], Sector: s[6:9], Unit: s[9:12], Ext: s[12:14], At: at, N: int(s[30] - '0')}, nil
}

// String is the identifier as it is written; it is "" where it cannot be one.
func (i Identifier) String() string {
	s := i.Admin + i.Sector + i.Unit + i.Ext + "_" + i.At.In(beijing()).Format(identifierAt) + "_" + strconv.Itoa(i.N)
	if len(i.Admin) != 6 || len(i.Sector) != 3 || len(i.Unit) != 3 || len(i.Ext) != 2 {
		return ""
	}
	if _, err := ParseIdentifier(s); err != nil {
		return ""
	}
	return s
}

// MakeIdentifier makes one. issuer are the eight digits after the administrative code.
func MakeIdentifier(admin, issuer string, at time.Time, n int) (string, error) {
	if len(issuer) != 8 {
		return "", fmt.Errorf("%w: an issuer has eight digits", ErrIdentifier)
	}
	for len(admin) < 6 {
		admin += "0"
	}
	s := Identifier{Admin: admin[:6], Sector: issuer[:3], Unit: issuer[3:6], Ext: issuer[6:], At: at, N: n}.String()
	if s == "" {
		return "", fmt.Errorf("%w: made of %s, %s and %d", ErrIdentifier, admin, issuer, n)
	}
	return s, nil
}
