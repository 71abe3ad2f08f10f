package feed

import (
	"errors"
	"strconv"
	"strings"
)

// ErrPosition means text that is no position.
var ErrPosition = errors.New("feed: not a position")

// Position is a place in the feed: the pair (xid, seq), equal on all nodes. To
// clients it is opaque text "<xid>.<seq>". The zero Position is before everything.
type Position struct {
	Xid uint64
	Seq int64
}

// String is the text clients see.
func (p Position) String() string {
	return strconv.FormatUint(p.Xid, 10) + "." + strconv.FormatInt(p.Seq, 10)
}

// IsZero reports whether the position is before everything.
func (p Position) IsZero() bool { return p == Position{} }

// Less orders positions as the feed delivers them.
func (p Position) Less(q Position) bool {
	if p.Xid != q.Xid {
		return p.Xid < q.Xid
	}
	return p.Seq < q.Seq
}

// ParsePosition reads what [Position.String] wrote. Signs, spaces and leading
// zeros are refused, so that a position has one text only.
func ParsePosition(s string) (Position, error) {
	x, q, ok := strings.Cut(s, ".")
	if !ok || !canonical(x) || !canonical(q) {
		return Position{}, ErrPosition
	}
	xid, err := strconv.ParseUint(x, 10, 64)
	if err != nil {
		return Position{}, ErrPosition
	}
	seq, err := strconv.ParseInt(q, 10, 64)
	if err != nil {
		return Position{}, ErrPosition
	}
	return Position{Xid: xid, Seq: seq}, nil
}

func canonical(s string) bool {
	if s == "" || (len(s) > 1 && s[0] == '0') {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
