package auth

import (
	"net/netip"
	"time"

	"onemap/internal/audit"
)

// Credential is what a request carries to show who asks. A cookie or bearer text
// that is not one of ours is an error, not anonymity.
type Credential struct {
	Cookie string
	Bearer string
	Device string // header Onemap-Device
	Peer   netip.Addr
}

// None says whether the request carries nothing: the asker is anonymous.
func (c Credential) None() bool { return c.Cookie == "" && c.Bearer == "" }

// By is who does something, and from where. Every changing method takes it and
// writes the row of the audit in its own transaction. CLI is the operator at the
// command line, who may do everything; Agent is then his name on the machine.
type By struct {
	*Identity
	Peer    netip.Addr
	Agent   string // what the browser calls itself
	Request string // id of the request, for the audit
	CLI     bool
}

// actor is what the change feed and the audit call the doer.
func (b By) actor() string {
	if !b.CLI {
		return b.Actor()
	}
	if b.Agent == "" {
		return "cli"
	}
	return "cli:" + b.Agent
}

// account is the id of the person, nil for the command line.
func (b By) account() *string {
	if b.Identity == nil || b.Identity.Account == "" {
		return nil
	}
	return &b.Identity.Account
}

// Doer is the actor of an audit row under one grant; the zero grant is none.
func (b By) Doer(g Grant) audit.Doer {
	d := audit.Doer{Actor: b.actor(), Role: string(g.Role), Grant: g.ID, Request: b.Request}
	if b.Identity != nil {
		d.Account, d.Kind = b.Identity.Account, string(b.Kind)
		if b.Kind == Session || b.Kind == Device || b.Kind == Wall || b.Kind == Token {
			d.Session = b.ID
		}
	}
	if b.CLI {
		d.Kind = "cli"
	}
	if b.Peer.IsValid() {
		d.Peer = b.Peer.String()
	}
	return d
}

// Opened is a session that begins: the cookie is new every time, whatever the
// request carried.
type Opened struct {
	Cookie   string
	Expires  time.Time
	Identity *Identity
}

// Me is what a signed-in person may know of his own sign-in; it costs no round trip.
type Me struct {
	SecondFactor         bool // enrolled
	SecondFactorRequired bool
	PasswordExpires      time.Time // zero: never, or no password
	SessionExpires       time.Time
}

// SetupPerson is one of the three people of the set-up. Only the administrator
// chooses a password; the others get activation links.
type SetupPerson struct{ Username, Name, Password string }

// SetupRequest makes the 三员.
type SetupRequest struct {
	Token         string
	Admin         SetupPerson
	SecurityAdmin SetupPerson
	Auditor       SetupPerson
}

// SetupResult is the administrator signed in, and the links for the others.
type SetupResult struct {
	Opened      Opened
	Activations []Activation
}

// Activation is a link to choose a password with: `<base>/activate#<Token>`.
type Activation struct {
	Account  string
	Username string
	Name     string
	Role     Role // at set-up and from the command line
	Token    string
	Expires  time.Time
}

// SignInRequest is a password, with a code where the account has a second factor.
type SignInRequest struct{ Username, Password, Code, Recovery string }

// SessionInfo is a line of the list of sessions.
type SessionInfo struct {
	ID         string
	Account    string
	Kind       Kind
	Current    bool
	Created    time.Time
	LastSeen   time.Time
	Expires    time.Time
	Peer       string
	Agent      string
	Device     string
	DeviceName string
}

// The states of an account.
const (
	Invited  = "invited" // has a link and no password yet
	Active   = "active"
	Disabled = "disabled"
)

// AccountInfo is a person as the administrators see him.
type AccountInfo struct {
	ID           string
	Username     string
	Name         string
	Unit         string
	Department   string
	Position     string
	Phone        string
	State        string
	SecondFactor bool
	LastSignIn   time.Time
	Version      int64
	CreatedAt    time.Time
	CreatedBy    string
	Grants       []GrantInfo // valid or future
}

// NewAccount is a person to be.
type NewAccount struct{ Username, Name, Unit, Department, Position, Phone string }

// AccountPatch changes what is not nil. State is [Active] or [Disabled].
type AccountPatch struct{ Name, Unit, Department, Position, Phone, State *string }

// AccountQuery filters people; Cursor is the Next of the page before.
type AccountQuery struct {
	Q      string // part of the user name, the name or the department
	State  string
	Limit  int
	Cursor string
}

// AccountPage is one page of people, by user name.
type AccountPage struct {
	Accounts []AccountInfo
	Next     string
}

// The states of a grant.
const (
	GrantValid   = "valid"
	GrantFuture  = "future"
	GrantExpired = "expired"
	GrantRevoked = "revoked"
)

// GrantInfo is a grant as the security administrators see it.
type GrantInfo struct {
	Grant

	Username  string
	Name      string
	State     string
	GrantedBy string // user name, or onemap for the command line and the set-up
	GrantedAt time.Time
	Reason    string
	RevokedBy string
	RevokedAt time.Time
}

// GrantQuery filters grants; Cursor is the Next of the page before.
type GrantQuery struct {
	Account string
	Role    Role
	State   string
	Limit   int
	Cursor  string
}

// GrantPage is one page of grants, newest first.
type GrantPage struct {
	Grants []GrantInfo
	Next   string
}

// NewGrant gives a role over an area. A zero From is now, a zero To until revoked.
type NewGrant struct {
	Account  string
	Role     Role
	Area     string
	From, To time.Time
	Reason   string
}

// TokenInfo is a token without its secret.
type TokenInfo struct {
	ID        string
	Name      string
	Role      Role
	Area      string
	Scopes    []string
	Network   string
	Created   time.Time
	CreatedBy string
	Expires   time.Time
	Revoked   time.Time
	LastUsed  time.Time
}

// NewToken asks for a token. A zero Expires is thirty days from now.
type NewToken struct {
	Name    string
	Role    Role
	Area    string
	Scopes  []string
	Network string
	Expires time.Time
}

// NewPerson is a row of the people sheet that can be read.
type NewPerson struct {
	NewAccount

	Row int // of the sheet, as the user counts
}

// RowIssue is a row of the people sheet that cannot be taken, and why. Row 0 is the
// sheet as a whole.
type RowIssue struct {
	Row                int
	Username, Name     string
	MessageZH, Message string
}

// ImportResult is what became of a people sheet: the rows that can be taken are taken
// together, the others are named.
type ImportResult struct {
	Accepted    int
	Rejected    []RowIssue
	Activations []Activation
}
