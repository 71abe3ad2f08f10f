package field

import (
	"time"

	"onemap/internal/geo"
)

// Notice is a warning or a notice sent to the grids of some areas.
type Notice struct {
	ID, Kind, Title, Body  string
	Level                  int // of warning_4; 0: none
	Hazard                 string
	Areas                  []string
	State                  string
	IssuedAt               time.Time
	ExpiresAt, WithdrawnAt *time.Time
	WithdrawnBy, Reason    string
	Account, IssuedBy      string
	Scopes                 geo.Scopes
	Version                int64
	AcknowledgedAt         *time.Time // by the asker
	Expected, Acknowledged int        // grid workers in the asker's own areas
	FeedPosition           string
}

// InForce says whether it still holds.
func (n Notice) InForce(now time.Time) bool {
	return n.State == "issued" && (n.ExpiresAt == nil || n.ExpiresAt.After(now))
}

// NoticeQuery says which.
type NoticeQuery struct {
	State  string
	Active bool
	Limit  int
	Cursor string
}

// NoticePage is a page of notices, the newest first. Counted says whether the asker has a
// desk, so that readers are counted for him.
type NoticePage struct {
	Notices  []Notice
	Counted  bool
	Next     string
	Position string
}

// NewNotice is a notice to be issued.
type NewNotice struct {
	Kind, Title, Body, Hazard string
	Level                     int
	Areas                     []string
	ExpiresAt                 *time.Time
}

// Reader is one who was to read a notice, or did.
type Reader struct {
	Account, Name, Area string
	Expected            bool // a grid worker of its areas
	ReadAt, ReceivedAt  *time.Time
}
