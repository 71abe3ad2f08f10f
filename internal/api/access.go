package api

import (
	"errors"
	"fmt"
	"slices"

	"onemap/internal/auth"
	"onemap/internal/blobs"
)

// Access says who may call a route. Every line of the route table names one: the
// zero value is refused by [New], so a route nobody thought about cannot exist.
type Access string

// The kinds of access.
const (
	// AccessOpen answers everybody: the site, health, signing in. Nothing behind it
	// shows data.
	AccessOpen Access = "open"
	// AccessPublic answers everybody with what he may see; anonymous callers see
	// layers marked public.
	AccessPublic Access = "public"
	// AccessSignedIn answers people, programs and walls.
	AccessSignedIn Access = "signed_in"
	// AccessPerson answers people only, in a browser or on an enrolled phone.
	AccessPerson Access = "person"
	// AccessSelf answers people, even where their session may only complete itself:
	// an expired password, a second factor that is still missing.
	AccessSelf Access = "self"
	// AccessSession answers whoever has a session to end: people and walls.
	AccessSession Access = "session"
	// AccessMay answers whoever holds one of the permissions in Needs.
	AccessMay Access = "may"
	// AccessMachine answers this machine, and whoever holds one of Needs.
	AccessMachine Access = "machine"
	// AccessSetup takes the set-up link, once.
	AccessSetup Access = "set_up"
)

// Accesses is every kind, for tests and documents.
func Accesses() []Access {
	return []Access{AccessOpen, AccessPublic, AccessSignedIn, AccessPerson, AccessSelf, AccessSession, AccessMay, AccessMachine, AccessSetup}
}

// BodyKind is what an unsafe method carries.
type BodyKind string

// The kinds of bodies.
const (
	BodyNone BodyKind = ""
	BodyJSON BodyKind = "application/json"
	BodyXLSX BodyKind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	// BodyUpload is a file, streamed to the disk.
	BodyUpload BodyKind = "file"
	// BodyPiece is a part of a photo, streamed to the disk. What of it arrived before the
	// line broke counts.
	BodyPiece BodyKind = "piece"
	// BodyAlert is a warning: CAP as XML, or JSON.
	BodyAlert BodyKind = "application/cap+xml"
)

const (
	limitJSON = 64 << 10
	limitXLSX = 5 << 20
	// limitRules leaves room for the 64 KB a rule set may have, and for what is around.
	limitRules = 96 << 10
)

// limit is how large the body may be; it is enforced before the body is read.
func (r *Route) limit() int {
	switch {
	case r.BodyLimit > 0:
		return r.BodyLimit
	case r.Body == BodyXLSX:
		return limitXLSX
	case r.Body == BodyUpload:
		return limitUpload
	case r.Body == BodyPiece:
		return blobs.MaxPiece
	}
	return limitJSON
}

// Unsafe says whether a method changes something.
func Unsafe(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS":
		return false
	}
	return true
}

// check refuses a line of the table that leaves open who may call it.
func (r *Route) check() error {
	name := r.Method + " " + r.Pattern
	if !slices.Contains(Accesses(), r.Access) {
		return fmt.Errorf("api: route %s does not say who may call it", name)
	}
	needs := r.Access == AccessMay || r.Access == AccessMachine
	if needs != (len(r.Needs) > 0) {
		return fmt.Errorf("api: route %s: access %s and the permissions %v do not fit", name, r.Access, r.Needs)
	}
	if r.Body != BodyNone && !Unsafe(r.Method) {
		return fmt.Errorf("api: route %s takes a body and changes nothing", name)
	}
	if Unsafe(r.Method) && (r.Access == AccessPublic || r.Access == AccessMachine) {
		return fmt.Errorf("api: route %s would let anonymous callers change something", name)
	}
	if r.Handler == nil || r.Name == "" {
		return errors.New("api: route " + name + " has no handler or no name")
	}
	return nil
}

// allowed decides whether the asker may call the route at all; what of the data he
// sees is decided behind. It reads nothing of the request but who asks.
func (s *Server) allowed(req *Request, rt *Route) *Error {
	id := req.Who
	reads := id.Kind != auth.Token || slices.Contains(id.Scopes, "read")
	signedIn := id.SignedIn()
	person := id.Account != "" && (id.Kind == auth.Session || id.Kind == auth.Device)
	needs := func() bool {
		return slices.ContainsFunc(rt.Needs, func(p auth.Permission) bool { return id.May(p, req.Received) })
	}
	var ok bool
	switch rt.Access {
	case AccessOpen, AccessSetup:
		return nil
	case AccessPublic:
		// What everybody sees is not kept from a token without the scope, but what
		// its role would add is.
		ok = !signedIn || reads
		if id.Limited != "" {
			ok = false
		}
	case AccessMachine:
		if req.thisMachine() {
			return nil
		}
		ok = signedIn && needs()
	case AccessSignedIn:
		ok = signedIn && reads && (id.Kind != auth.Wall || !Unsafe(rt.Method)) // a screen on the wall asks nothing of us
	case AccessPerson:
		ok = signedIn && person
	case AccessSelf:
		ok = person
	case AccessSession:
		ok = person || id.Kind == auth.Wall
	case AccessMay:
		ok = signedIn && needs()
	}
	switch {
	case ok:
		return nil
	case id.Limited != "":
		return problem(CodeSessionLimited, limitedText(id.Limited))
	case signedIn:
		return problem(CodeForbidden)
	}
	return problem(CodeNotSignedIn)
}

// limitedText says what a session must do before it may do anything else.
func limitedText(why string) Text {
	switch why {
	case "password_expired":
		return text("密码已过期，请先修改密码", "the password has expired; change it first")
	case "enrol_second_factor":
		return text("您的角色需要第二因素，请先绑定", "your role requires a second factor; enrol one first")
	}
	return text("请先完成第二因素验证", "finish the second factor first")
}
