package auth

import (
	"net/netip"
	"slices"
	"time"

	"onemap/internal/db"
	"onemap/internal/geo"
)

// Kind is how somebody showed who he is.
type Kind string

// The kinds.
const (
	Anonymous Kind = "anonymous"
	Demo      Kind = "demo"    // this machine, before accounts exist
	Session   Kind = "session" // a browser
	Device    Kind = "device"  // a field phone
	Token     Kind = "token"   // a program
	Wall      Kind = "wall"    // a screen on the wall
)

// Grant is a person (or a token) in a role, over an area, for a time.
type Grant struct {
	ID      string
	Account string // "" for a token's own
	Role    Role
	Area    string // administrative code; "" is everywhere
	From    time.Time
	To      time.Time // zero: until revoked
}

// Scope is the area as codes.
func (g Grant) Scope() geo.Scope {
	if g.Area == "" {
		return geo.Everywhere()
	}
	s, err := geo.ParseScope(g.Area)
	if err != nil {
		return geo.Scope{} // the database refuses such a code; nothing is readable by it
	}
	return s
}

// ReadScope is the area the grant reads: a grid worker reads his township.
func (g Grant) ReadScope() geo.Scope {
	info, ok := g.Role.Info()
	if !ok || !info.Township {
		return g.Scope()
	}
	wide := g
	switch {
	case len(g.Area) == 15 || len(g.Area) == 12:
		wide.Area = g.Area[:9]
	case len(g.Area) == 11:
		wide.Area = g.Area[:8]
	}
	return wide.Scope()
}

// Valid says whether the grant holds at t.
func (g Grant) Valid(t time.Time) bool {
	return !t.Before(g.From) && (g.To.IsZero() || t.Before(g.To))
}

// Identity is who asks. It is made by [Service.Identify], shared between requests and
// never changed; the zero value is nobody.
type Identity struct {
	Kind     Kind
	Account  string // id of the person, "" for anonymous callers and tokens
	Username string
	Name     string
	Unit     string // administrative code of the person's office
	ID       string // of the session or token
	Device   string
	Scopes   []string // of a token: read, report, ingest, wall
	Network  netip.Prefix
	Grants   []Grant // all of them; use [Identity.Grant] for one that holds now
	Verified bool    // by a second factor
	// Limited is a session that may only complete itself: enrol the second factor its
	// role requires, or change an expired password.
	Limited string // "", "second_factor", "enrol_second_factor", "password_expired"
	Reach   db.Reach
	Until   time.Time // when the identity must be made anew: expiry, or a grant begins or ends
}

// SignedIn says whether this is somebody.
func (i *Identity) SignedIn() bool {
	return i != nil && i.Kind != Anonymous && i.Kind != Demo && i.Kind != "" && i.Limited == ""
}

// Actor is what triggers and the audit record as the doer.
func (i *Identity) Actor() string {
	switch {
	case i == nil || i.Kind == "":
		return string(Anonymous)
	case i.Username != "":
		return i.Username
	case i.Kind == Token || i.Kind == Wall:
		return string(i.Kind) + ":" + i.Name
	}
	return string(i.Kind)
}

// May says whether any grant that holds at t carries the permission. A token acts
// only through what its scopes name; none of them manages anything.
func (i *Identity) May(p Permission, t time.Time) bool {
	_, ok := i.Grant(p, geo.Scope{}, t)
	return ok
}

// Grant is the one grant under which an action is done: it holds at t, carries the
// permission and contains the area (any area if it is the zero scope). The smallest
// that fits is taken, and it is recorded with the action.
func (i *Identity) Grant(p Permission, area geo.Scope, t time.Time) (Grant, bool) {
	if !i.SignedIn() || i.Kind == Wall {
		return Grant{}, false
	}
	if i.Kind == Token && !slices.Contains(i.Scopes, scopeFor(p)) {
		return Grant{}, false
	}
	best, found := Grant{}, false
	for _, g := range i.Grants {
		if !g.Valid(t) || !g.Role.May(p) || (!area.IsNull() && !g.Scope().Contains(area)) {
			continue
		}
		if s, b := g.Scope(), best.Scope(); !found || s.Hi-s.Lo < b.Hi-b.Lo {
			best, found = g, true
		}
	}
	return best, found
}

// scopeFor is the token scope an action needs; "" is one no token has.
func scopeFor(p Permission) string {
	switch p {
	case WriteFeatures:
		return "report"
	case IngestObservations:
		return "ingest"
	}
	return "-"
}

// Reading are the claims of a question.
func (i *Identity) Reading() db.Claims {
	return db.Claims{Actor: i.Actor(), Role: i.Reach.Class(), Reach: i.Reach}
}

// Writing are the claims of a change under one grant. A role that writes no rows has
// no area to write in; what it does change is guarded by the permission.
func (i *Identity) Writing(g Grant) db.Claims {
	c := db.Claims{Actor: i.Actor(), Role: string(g.Role), Reach: i.Reach}
	if info, ok := g.Role.Info(); ok && info.Writes {
		c.Write = geo.Scopes{g.Scope()}
	}
	return c
}

// ReachOf is the union of what the grants that hold at t let read.
func ReachOf(grants []Grant, t time.Time, epoch uint64) db.Reach {
	a := db.Areas{Public: geo.Scopes{geo.Everywhere()}, Class: "signed_in", Epoch: epoch}
	for _, g := range grants {
		info, ok := g.Role.Info()
		if !ok || !g.Valid(t) {
			continue
		}
		s := g.ReadScope()
		switch info.Reads {
		case db.Sensitive:
			a.Sensitive = append(a.Sensitive, s)
			a.Internal = append(a.Internal, s)
		case db.Internal:
			a.Internal = append(a.Internal, s)
		}
		if g.Role == Planner || g.Role == Approver {
			a.Class = "planning" // drafts, by plan=
		}
	}
	return db.NewReach(a)
}

// PublicReach is what anonymous callers see once accounts exist.
func PublicReach(epoch uint64) db.Reach {
	return db.NewReach(db.Areas{Public: geo.Scopes{geo.Everywhere()}, Class: "public", Epoch: epoch})
}

// DemoReach is what this machine sees before accounts exist: demo rows of any layer.
func DemoReach(epoch uint64) db.Reach {
	all := geo.Scopes{geo.Everywhere()}
	return db.NewReach(db.Areas{Public: all, Internal: all, Sensitive: all, Demo: true, Class: "demo", Epoch: epoch})
}
