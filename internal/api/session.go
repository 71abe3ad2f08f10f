package api

import (
	"context"
	"slices"
	"time"

	"onemap/internal/auth"
)

// by is who does something, from where, for the services and their audit.
func (s *Server) by(req *Request) auth.By {
	return auth.By{Identity: req.Who, Peer: req.client, Agent: clip(req.agent, 200), Request: req.ID}
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

type roleHeld struct {
	Role      string     `json:"role"`
	Title     string     `json:"title"`
	Area      string     `json:"area"`
	AreaTitle *string    `json:"area_title"`
	To        *time.Time `json:"to"`
}

type secondFactor struct {
	Enabled  bool `json:"enabled"`
	Required bool `json:"required"`
}

type ownSession struct {
	ID      string    `json:"id"`
	Expires time.Time `json:"expires_at"`
}

type passwordRules struct {
	MinLength int `json:"min_length"`
	Classes   int `json:"classes"`
}

type securityAnswer struct {
	Password passwordRules `json:"password"`
}

type meAnswer struct {
	Kind            string            `json:"kind"`
	SignedIn        bool              `json:"signed_in"`
	SetupRequired   bool              `json:"setup_required"`
	Demo            bool              `json:"demo"`
	ID              *string           `json:"id"`
	Username        *string           `json:"username"`
	Name            *string           `json:"name"`
	Unit            *string           `json:"unit"`
	UnitTitle       *string           `json:"unit_title"`
	Roles           []roleHeld        `json:"roles"`
	Permissions     []auth.Permission `json:"permissions"`
	Scopes          []string          `json:"scopes,omitempty"`
	SecondFactor    secondFactor      `json:"second_factor"`
	PasswordExpires *time.Time        `json:"password_expires_at"`
	Limited         string            `json:"limited"`
	Session         *ownSession       `json:"session"`
	PublicLayers    int               `json:"public_layers"`
	Security        securityAnswer    `json:"security"`
}

// permissions is every permission of the table of rights, in its order.
func permissions() []auth.Permission {
	var out []auth.Permission
	for _, r := range auth.Roles() {
		for _, p := range r.May {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

func (s *Server) me(ctx context.Context, req *Request) (*Response, error) {
	id := req.Who
	rules := s.opts.Auth.Security()
	a := meAnswer{
		Kind: string(id.Kind), SignedIn: id.SignedIn(), SetupRequired: !s.opts.Auth.Done(), Demo: id.Kind == auth.Demo,
		ID: optional(id.Account), Username: optional(id.Username), Name: optional(id.Name), Unit: optional(id.Unit),
		Roles: []roleHeld{}, Permissions: []auth.Permission{}, Limited: id.Limited, Scopes: id.Scopes,
		Security: securityAnswer{passwordRules{rules.Password.MinLength, rules.Password.Classes}},
	}
	titles := s.areaTitles(ctx, req)
	a.UnitTitle = titles.of(id.Unit)
	for _, g := range id.Grants {
		if !g.Valid(req.Received) {
			continue
		}
		info, _ := g.Role.Info()
		a.Roles = append(a.Roles, roleHeld{string(g.Role), info.Title.In(req.Lang), g.Area, titles.of(g.Area), timeOrNil(g.To)})
	}
	for _, p := range permissions() {
		if id.May(p, req.Received) {
			a.Permissions = append(a.Permissions, p)
		}
	}
	if id.Account != "" {
		me := s.opts.Auth.Me(id)
		a.SecondFactor = secondFactor{me.SecondFactor, me.SecondFactorRequired}
		a.PasswordExpires = timeOrNil(me.PasswordExpires)
		if id.ID != "" {
			a.Session = &ownSession{id.ID, me.SessionExpires}
		}
	}
	for _, l := range s.opts.Catalogue.Now().Layers {
		if l.Visibility == "public" {
			a.PublicLayers++
		}
	}
	resp, err := private(a)
	if err == nil {
		resp.Set("Content-Language", string(req.Lang))
	}
	return resp, err
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *Server) getMe(ctx context.Context, req *Request) (*Response, error) {
	resp, err := s.me(ctx, req)
	if err == nil && req.spent && req.cookies != "" {
		resp.Set("Set-Cookie", setCookie(req, "", time.Time{}))
	}
	return resp, err
}

// opened answers a session that begins with what /api/me says of it.
func (s *Server) opened(ctx context.Context, req *Request, o auth.Opened) (*Response, error) {
	s.become(req, o.Identity)
	resp, err := s.me(ctx, req)
	if err == nil {
		resp.Set("Set-Cookie", setCookie(req, o.Cookie, o.Expires))
	}
	return resp, err
}

func (s *Server) getSetup(context.Context, *Request) (*Response, error) {
	return private(map[string]bool{"required": !s.opts.Auth.Done()})
}

type personBody struct {
	Username string `json:"username"`
	Name     string `json:"name"`
	Password string `json:"password"`
}

type invitedBody struct {
	Username string `json:"username"`
	Name     string `json:"name"`
}

type setupBody struct {
	Token         string      `json:"token"`
	Admin         personBody  `json:"admin"`
	SecurityAdmin invitedBody `json:"security_admin"`
	Auditor       invitedBody `json:"auditor"`
}

type activationAnswer struct {
	Username string    `json:"username,omitempty"`
	Name     string    `json:"name,omitempty"`
	Role     string    `json:"role,omitempty"`
	Link     string    `json:"link"`
	Expires  time.Time `json:"expires_at"`
}

func (s *Server) activation(req *Request, a auth.Activation) activationAnswer {
	return activationAnswer{a.Username, a.Name, string(a.Role), s.self(req) + "/activate#" + a.Token, a.Expires}
}

func (s *Server) activations(req *Request, list []auth.Activation) []activationAnswer {
	out := make([]activationAnswer, 0, len(list))
	for _, a := range list {
		out = append(out, s.activation(req, a))
	}
	return out
}

func (s *Server) postSetup(ctx context.Context, req *Request) (*Response, error) {
	var b setupBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	res, err := s.opts.Auth.Setup(ctx, s.by(req), auth.SetupRequest{
		Token: b.Token, Admin: auth.SetupPerson{Username: b.Admin.Username, Name: b.Admin.Name, Password: b.Admin.Password},
		SecurityAdmin: auth.SetupPerson{Username: b.SecurityAdmin.Username, Name: b.SecurityAdmin.Name},
		Auditor:       auth.SetupPerson{Username: b.Auditor.Username, Name: b.Auditor.Name},
	})
	if err != nil {
		return nil, err
	}
	resp, err := created(map[string]any{"activations": s.activations(req, res.Activations)})
	if err == nil {
		resp.Set("Set-Cookie", setCookie(req, res.Opened.Cookie, res.Opened.Expires))
	}
	return resp, err
}

type deviceBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type signInBody struct {
	Username   *string     `json:"username"`
	Password   *string     `json:"password"`
	Code       *string     `json:"code"`
	Recovery   *string     `json:"recovery_code"`
	Activation *string     `json:"activation"`
	Enrolment  *string     `json:"enrolment"`
	Device     *deviceBody `json:"device"`
	Token      *string     `json:"token"`
}

// postSession opens a session: by password, by activation link, by enrolment of a
// device, or by the token of a wall.
func (s *Server) postSession(ctx context.Context, req *Request) (*Response, error) {
	var b signInBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	// What a request brought along (a planted cookie, somebody else's token) has no
	// part in who he becomes.
	s.become(req, s.opts.Auth.Anonymous())
	by := s.by(req)
	given := func(p *string) bool { return p != nil }
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	var o auth.Opened
	var err error
	none := !given(b.Username) && !given(b.Code) && !given(b.Recovery)
	switch {
	case given(b.Username) && given(b.Password) && !given(b.Activation) && !given(b.Enrolment) && !given(b.Token) && b.Device == nil:
		o, err = s.opts.Auth.SignIn(ctx, by, auth.SignInRequest{Username: *b.Username, Password: *b.Password, Code: text(b.Code), Recovery: text(b.Recovery)})
	case given(b.Activation) && given(b.Password) && none && !given(b.Enrolment) && !given(b.Token) && b.Device == nil:
		o, err = s.opts.Auth.Activate(ctx, by, *b.Activation, *b.Password)
	case given(b.Enrolment) && b.Device != nil && none && !given(b.Password) && !given(b.Activation) && !given(b.Token):
		o, err = s.opts.Auth.Enrol(ctx, by, *b.Enrolment, b.Device.ID, b.Device.Name)
	case given(b.Token) && none && !given(b.Password) && !given(b.Activation) && !given(b.Enrolment) && b.Device == nil:
		o, err = s.opts.Auth.OpenWall(ctx, by, *b.Token)
	default:
		return nil, invalidBody("应为 username 与 password、activation 与 password、enrolment 与 device、token 之一",
			"it is one of username and password, activation and password, enrolment and device, token")
	}
	if err != nil {
		return nil, err
	}
	return s.opened(ctx, req, o)
}

func (s *Server) deleteSession(ctx context.Context, req *Request) (*Response, error) {
	if err := s.opts.Auth.SignOut(ctx, s.by(req)); err != nil {
		return nil, err
	}
	resp := noContent()
	resp.Set("Set-Cookie", setCookie(req, "", time.Time{}))
	resp.Set("Clear-Site-Data", `"cache"`)
	return resp, nil
}

type sessionAnswer struct {
	ID         string      `json:"id"`
	Account    *string     `json:"account"`
	Kind       string      `json:"kind"`
	Current    bool        `json:"current"`
	CreatedAt  time.Time   `json:"created_at"`
	LastSeenAt *time.Time  `json:"last_seen_at"`
	ExpiresAt  time.Time   `json:"expires_at"`
	Peer       *string     `json:"peer"`
	Agent      *string     `json:"agent"`
	Device     *deviceBody `json:"device"`
}

func (s *Server) getSessions(ctx context.Context, req *Request) (*Response, error) {
	account, given := req.Query.Get("account")
	if given && !uuidText(account) {
		return nil, problem(CodeNotFound)
	}
	list, err := s.opts.Auth.Sessions(ctx, s.by(req), account)
	if err != nil {
		return nil, err
	}
	out := make([]sessionAnswer, 0, len(list))
	for _, i := range list {
		a := sessionAnswer{
			ID: i.ID, Account: optional(i.Account), Kind: string(i.Kind), Current: i.Current, CreatedAt: i.Created,
			LastSeenAt: timeOrNil(i.LastSeen), ExpiresAt: i.Expires, Peer: optional(i.Peer), Agent: optional(i.Agent),
		}
		if i.Device != "" {
			a.Device = &deviceBody{i.Device, i.DeviceName}
		}
		out = append(out, a)
	}
	return private(map[string]any{"sessions": out})
}

// id reads the first placeholder, which is a UUID. What is none is as absent as what is not
// there.
func (r *Request) id() (string, *Error) {
	if v := r.Param(0); uuidText(v) {
		return v, nil
	}
	return "", problem(CodeNotFound)
}

func (s *Server) deleteSessionByID(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if err := s.opts.Auth.EndSession(ctx, s.by(req), id); err != nil {
		return nil, err
	}
	return noContent(), nil
}

type passwordBody struct {
	Current string `json:"current"`
	New     string `json:"new"`
}

func (s *Server) postPassword(ctx context.Context, req *Request) (*Response, error) {
	var b passwordBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if err := s.opts.Auth.ChangePassword(ctx, s.by(req), b.Current, b.New); err != nil {
		return nil, err
	}
	return noContent(), nil
}

func (s *Server) postSecondFactor(ctx context.Context, req *Request) (*Response, error) {
	secret, uri, err := s.opts.Auth.BeginSecondFactor(ctx, s.by(req))
	if err != nil {
		return nil, err
	}
	svg, err := qrSVG(uri)
	if err != nil {
		return nil, err
	}
	return private(map[string]string{"secret": secret, "uri": uri, "qr_svg": svg})
}

type codeBody struct {
	Code string `json:"code"`
}

func (s *Server) putSecondFactor(ctx context.Context, req *Request) (*Response, error) {
	var b codeBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	codes, err := s.opts.Auth.ConfirmSecondFactor(ctx, s.by(req), b.Code)
	if err != nil {
		return nil, err
	}
	return private(map[string][]string{"recovery_codes": codes})
}

type dropFactorBody struct {
	Password string `json:"password"`
	Code     string `json:"code"`
}

func (s *Server) deleteSecondFactor(ctx context.Context, req *Request) (*Response, error) {
	var b dropFactorBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if err := s.opts.Auth.DropSecondFactor(ctx, s.by(req), b.Password, b.Code); err != nil {
		return nil, err
	}
	return noContent(), nil
}
