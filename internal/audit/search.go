package audit

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// ErrCursor means a cursor that [Log.Search] did not give.
var ErrCursor = errors.New("audit: not a cursor")

// Query says which entries. Zero fields ask nothing. Action and Object also find what
// is below them: auth finds auth.sign_in, hazards finds hazards/1. Text is looked for
// anywhere in an entry.
type Query struct {
	From, To                             time.Time
	Actor, Action, Object, Outcome, Text string
	Limit                                int    // default 50, at most 200
	Cursor                               string // of the page before
}

// Row is an entry as it stands.
type Row struct {
	Entry
	Seq         int64
	At          time.Time
	Name        string // of the person, as it was then
	Before      json.RawMessage
	After       json.RawMessage
	First, Last string // positions of the transaction in the feed, "" if it wrote no feature
	Hash        string
	Sealed      bool
}

// Page is some rows, newest first. Next is "" at the end.
type Page struct {
	Rows []Row
	Next string
	Head Head
}

const (
	defaultLimit = 50
	maxLimit     = 200
)

func (q Query) limit() int {
	if q.Limit <= 0 {
		return defaultLimit
	}
	return min(q.Limit, maxLimit)
}

// before is the number the page begins below, nil for the first.
func (q Query) before() (*int64, error) {
	if q.Cursor == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(q.Cursor, 36, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 36) != q.Cursor {
		return nil, ErrCursor
	}
	return &n, nil
}

func formatCursor(seq int64) string { return strconv.FormatInt(seq, 36) }
