package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"onemap/internal/auth"
	"onemap/internal/catalogue"
	"onemap/internal/decision"
	"onemap/internal/registry"
)

// peopleProblem gives an error of the services behind the people's routes its
// document, nil for any other error.
func peopleProblem(lang registry.Lang, err error) *Error {
	var throttled *auth.Throttled
	var bad *auth.Invalid
	var conflict *auth.Conflict
	switch {
	case errors.As(err, &throttled):
		e := wrap(CodeThrottled, err)
		e.RetryAfter = max(time.Second, time.Until(throttled.Until))
		return e
	case errors.As(err, &bad):
		e := wrap(CodeInvalid, err)
		for _, f := range bad.Items {
			e.Items = append(e.Items, Item{Path: f.Path, Code: f.Code, Message: text(f.ZH, f.EN).In(lang)})
		}
		return e
	case errors.As(err, &conflict):
		e := wrap(CodeConflict, err, text(conflict.ZH, conflict.EN))
		e.As = Code(conflict.Code)
		return e
	case errors.Is(err, catalogue.ErrFourEyes), errors.Is(err, decision.ErrFourEyes):
		return wrap(CodeFourEyes, err)
	case errors.Is(err, decision.ErrNotAvailable):
		return wrap(CodeNotAvailable, err)
	case errors.Is(err, catalogue.ErrVerified):
		e := wrap(CodeConflict, err, text("此版本已经核实。", "This version is verified already."))
		e.As = "already_verified"
		return e
	case errors.Is(err, auth.ErrSecondFactor):
		return wrap(CodeSecondFactorRequired, err)
	case errors.Is(err, auth.ErrSignIn):
		return wrap(CodeSignInFailed, err)
	case errors.Is(err, auth.ErrCredential):
		return wrap(CodeNotSignedIn, err)
	case errors.Is(err, auth.ErrBusy):
		return wrap(CodeOverloaded, err)
	case errors.Is(err, auth.ErrForbidden):
		return wrap(CodeForbidden, err)
	case errors.Is(err, auth.ErrNotFound):
		return wrap(CodeNotFound, err)
	case errors.Is(err, auth.ErrStaleVersion):
		return wrap(CodeStale, err)
	case errors.Is(err, auth.ErrSetupDone):
		return wrap(CodeSetupDone, err)
	case errors.Is(err, auth.ErrSetupLink):
		return wrap(CodeSetupLink, err)
	}
	return nil
}

// paging reads limit and cursor. The cursor's inside is the service's; it is only
// kept from being a novel.
func paging(req *Request) (limit int, cursor string, err error) {
	limit = defaultLimit
	if _, given := req.Query.Get("limit"); given {
		if limit, err = wholeNumber(req.Query, "limit", 1, maxLimit); err != nil {
			return 0, "", err
		}
	}
	cursor = req.Query.Value("cursor")
	if len(cursor) > 512 {
		return 0, "", invalid("cursor", "不是此查询的游标", "it is not a cursor of this query")
	}
	return limit, cursor, nil
}

type grantAnswer struct {
	ID        string     `json:"id"`
	Account   string     `json:"account"`
	Username  string     `json:"username"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	RoleTitle string     `json:"role_title"`
	Area      string     `json:"area"`
	AreaTitle *string    `json:"area_title"`
	Bounds    []float64  `json:"bounds"`
	From      time.Time  `json:"from"`
	To        *time.Time `json:"to"`
	State     string     `json:"state"`
	GrantedBy string     `json:"granted_by"`
	GrantedAt time.Time  `json:"granted_at"`
	Reason    string     `json:"reason"`
	RevokedBy *string    `json:"revoked_by"`
	RevokedAt *time.Time `json:"revoked_at"`
}

func grantLine(g auth.GrantInfo, areas *areaTitles, lang registry.Lang) grantAnswer {
	info, _ := g.Role.Info()
	return grantAnswer{
		ID: g.ID, Account: g.Account, Username: g.Username, Name: g.Name, Role: string(g.Role), RoleTitle: info.Title.In(lang),
		Area: g.Area, AreaTitle: areas.of(g.Area), Bounds: areas.bounds(g.Area), From: g.From, To: timeOrNil(g.To), State: g.State,
		GrantedBy: g.GrantedBy, GrantedAt: g.GrantedAt, Reason: g.Reason, RevokedBy: optional(g.RevokedBy), RevokedAt: timeOrNil(g.RevokedAt),
	}
}

type userAnswer struct {
	ID           string        `json:"id"`
	Username     string        `json:"username"`
	Name         string        `json:"name"`
	Unit         *string       `json:"unit"`
	UnitTitle    *string       `json:"unit_title"`
	Department   *string       `json:"department"`
	Position     *string       `json:"position"`
	Phone        *string       `json:"phone"`
	State        string        `json:"state"`
	SecondFactor bool          `json:"second_factor"`
	LastSignInAt *time.Time    `json:"last_sign_in_at"`
	Version      int64         `json:"version"`
	Grants       []grantAnswer `json:"grants"`
}

func userLine(a auth.AccountInfo, areas *areaTitles, lang registry.Lang) userAnswer {
	u := userAnswer{
		ID: a.ID, Username: a.Username, Name: a.Name, Unit: optional(a.Unit), UnitTitle: areas.of(a.Unit), Department: optional(a.Department),
		Position: optional(a.Position), Phone: optional(maskPhone(a.Phone)), State: a.State, SecondFactor: a.SecondFactor,
		LastSignInAt: timeOrNil(a.LastSignIn), Version: a.Version, Grants: []grantAnswer{},
	}
	for _, g := range a.Grants {
		u.Grants = append(u.Grants, grantLine(g, areas, lang))
	}
	return u
}

func (s *Server) getUsers(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	page, err := s.opts.Auth.Accounts(ctx, s.by(req), auth.AccountQuery{Q: req.Query.Value("q"), State: req.Query.Value("state"), Limit: limit, Cursor: cursor})
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]userAnswer, 0, len(page.Accounts))
	for _, a := range page.Accounts {
		out = append(out, userLine(a, areas, req.Lang))
	}
	return private(map[string]any{"users": out, "next": optional(page.Next)})
}

func (s *Server) getUser(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	a, err := s.opts.Auth.Account(ctx, s.by(req), id)
	if err != nil {
		return nil, err
	}
	return versioned(userLine(a, s.areaTitles(ctx, req), req.Lang), a.Version)
}

type newUserBody struct {
	Username   string `json:"username"`
	Name       string `json:"name"`
	Unit       string `json:"unit"`
	Department string `json:"department"`
	Position   string `json:"position"`
	Phone      string `json:"phone"`
}

func (s *Server) postUser(ctx context.Context, req *Request) (*Response, error) {
	var b newUserBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	a, link, err := s.opts.Auth.CreateAccount(ctx, s.by(req), auth.NewAccount{
		Username: b.Username, Name: b.Name, Unit: b.Unit, Department: b.Department, Position: b.Position, Phone: b.Phone,
	})
	if err != nil {
		return nil, err
	}
	resp, err := created(map[string]any{"user": userLine(a, s.areaTitles(ctx, req), req.Lang), "activation": s.activation(req, link)})
	if err == nil {
		resp.ETag = versionTag(a.Version)
		resp.Set("Location", "/api/users/"+a.ID)
	}
	return resp, err
}

type userPatchBody struct {
	Name       *string `json:"name"`
	Unit       *string `json:"unit"`
	Department *string `json:"department"`
	Position   *string `json:"position"`
	Phone      *string `json:"phone"`
	State      *string `json:"state"`
}

func (s *Server) patchUser(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b userPatchBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	version, bad := ifMatch(req)
	if bad != nil {
		// Whom one may not know of cannot be told apart by what else is missing.
		if _, err := s.opts.Auth.Account(ctx, s.by(req), id); err != nil {
			return nil, err
		}
		return nil, bad
	}
	a, err := s.opts.Auth.UpdateAccount(ctx, s.by(req), id, version, auth.AccountPatch(b))
	if err != nil {
		return nil, err
	}
	return versioned(userLine(a, s.areaTitles(ctx, req), req.Lang), a.Version)
}

func (s *Server) postUserActivation(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	link, err := s.opts.Auth.NewActivation(ctx, s.by(req), id)
	if err != nil {
		return nil, err
	}
	return created(s.activation(req, link))
}

func (s *Server) deleteUserSecondFactor(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if err := s.opts.Auth.ResetSecondFactor(ctx, s.by(req), id); err != nil {
		return nil, err
	}
	return noContent(), nil
}

type importLine struct {
	Row      int    `json:"row"`
	Username string `json:"username"`
	Name     string `json:"name"`
	Message  string `json:"message"`
}

func importLines(list []auth.RowIssue, lang registry.Lang) []importLine {
	out := make([]importLine, 0, len(list))
	for _, i := range list {
		out = append(out, importLine{i.Row, i.Username, i.Name, text(i.MessageZH, i.Message).In(lang)})
	}
	return out
}

func (s *Server) postUsersImport(ctx context.Context, req *Request) (*Response, error) {
	dry, given := req.Query.Get("dry_run")
	if given && dry != "true" && dry != "false" {
		return nil, invalid("dry_run", "应为 true 或 false", "it is true or false")
	}
	rows, issues, err := auth.ReadPeople(req.body)
	if err != nil {
		return nil, err
	}
	res, err := s.opts.Auth.ImportPeople(ctx, s.by(req), rows, dry == "true")
	if err != nil {
		return nil, err
	}
	rejected := map[int]bool{}
	for _, i := range append(slices.Clip(issues), res.Rejected...) {
		if i.Row > 0 {
			rejected[i.Row] = true
		}
	}
	return private(map[string]any{
		"read": len(rows) + distinctRows(issues), "accepted": res.Accepted, "rejected": len(rejected),
		"rows": append(importLines(issues, req.Lang), importLines(res.Rejected, req.Lang)...), "activations": s.activations(req, res.Activations),
	})
}

func distinctRows(list []auth.RowIssue) int {
	seen := map[int]bool{}
	for _, i := range list {
		if i.Row > 0 {
			seen[i.Row] = true
		}
	}
	return len(seen)
}

func (s *Server) getUsersTemplate(context.Context, *Request) (*Response, error) {
	body, err := auth.PeopleTemplate()
	if err != nil {
		return nil, err
	}
	return download(string(BodyXLSX), "people.xlsx", body), nil
}

// download answers a file that is saved, not shown.
func download(kind, name string, body []byte) *Response {
	resp := &Response{Type: kind, Body: body, Cache: privateNoStore}
	resp.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	return resp
}

func (s *Server) getGrants(ctx context.Context, req *Request) (*Response, error) {
	limit, cursor, err := paging(req)
	if err != nil {
		return nil, err
	}
	account := req.Query.Value("account")
	if account != "" && !uuidText(account) {
		return private(map[string]any{"grants": []grantAnswer{}, "next": nil})
	}
	page, err := s.opts.Auth.Grants(ctx, s.by(req), auth.GrantQuery{
		Account: account, Role: auth.Role(req.Query.Value("role")), State: req.Query.Value("state"), Limit: limit, Cursor: cursor,
	})
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]grantAnswer, 0, len(page.Grants))
	for _, g := range page.Grants {
		out = append(out, grantLine(g, areas, req.Lang))
	}
	return private(map[string]any{"grants": out, "next": optional(page.Next)})
}

type newGrantBody struct {
	Account string     `json:"account"`
	Role    string     `json:"role"`
	Area    string     `json:"area"`
	From    *time.Time `json:"from"`
	To      *time.Time `json:"to"`
	Reason  string     `json:"reason"`
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func (s *Server) postGrant(ctx context.Context, req *Request) (*Response, error) {
	var b newGrantBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	g, err := s.opts.Auth.GrantRole(ctx, s.by(req), auth.NewGrant{
		Account: b.Account, Role: auth.Role(b.Role), Area: b.Area, From: timeOf(b.From), To: timeOf(b.To), Reason: b.Reason,
	})
	if err != nil {
		return nil, err
	}
	return created(grantLine(g, s.areaTitles(ctx, req), req.Lang))
}

type reasonBody struct {
	Reason string `json:"reason"`
}

func (s *Server) deleteGrant(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	var b reasonBody
	if len(req.body) > 0 {
		if err := readJSON(req, &b); err != nil {
			return nil, err
		}
	}
	if err := s.opts.Auth.RevokeGrant(ctx, s.by(req), id, b.Reason); err != nil {
		return nil, err
	}
	return noContent(), nil
}

type roleAnswer struct {
	Role        string            `json:"role"`
	Title       string            `json:"title"`
	Reads       string            `json:"reads"`
	Township    bool              `json:"township"`
	Writes      bool              `json:"writes"`
	Office      bool              `json:"office"`
	Separated   bool              `json:"separated"`
	Permissions []auth.Permission `json:"permissions"`
}

func (s *Server) getRoles(_ context.Context, req *Request) (*Response, error) {
	out := []roleAnswer{}
	for _, r := range auth.Roles() {
		a := roleAnswer{string(r.Role), r.Title.In(req.Lang), r.Reads, r.Township, r.Writes, r.Office, r.Role.Separated(), r.May}
		if a.Permissions == nil {
			a.Permissions = []auth.Permission{}
		}
		out = append(out, a)
	}
	return private(map[string]any{"roles": out})
}

type tokenAnswer struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	RoleTitle string     `json:"role_title"`
	Area      string     `json:"area"`
	AreaTitle *string    `json:"area_title"`
	Scopes    []string   `json:"scopes"`
	Network   *string    `json:"network"`
	ExpiresAt time.Time  `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used_at"`
	RevokedAt *time.Time `json:"revoked_at"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	Token     string     `json:"token,omitempty"` // once
}

func tokenLine(t auth.TokenInfo, areas *areaTitles, lang registry.Lang) tokenAnswer {
	info, _ := t.Role.Info()
	return tokenAnswer{
		ID: t.ID, Name: t.Name, Role: string(t.Role), RoleTitle: info.Title.In(lang), Area: t.Area, AreaTitle: areas.of(t.Area), Scopes: t.Scopes,
		Network: optional(t.Network), ExpiresAt: t.Expires, LastUsed: timeOrNil(t.LastUsed), RevokedAt: timeOrNil(t.Revoked), CreatedBy: t.CreatedBy, CreatedAt: t.Created,
	}
}

func (s *Server) getTokens(ctx context.Context, req *Request) (*Response, error) {
	list, err := s.opts.Auth.Tokens(ctx, s.by(req))
	if err != nil {
		return nil, err
	}
	areas := s.areaTitles(ctx, req)
	out := make([]tokenAnswer, 0, len(list))
	for _, t := range list {
		out = append(out, tokenLine(t, areas, req.Lang))
	}
	return private(map[string]any{"tokens": out})
}

type newTokenBody struct {
	Name    string     `json:"name"`
	Role    string     `json:"role"`
	Scopes  []string   `json:"scopes"`
	Area    string     `json:"area"`
	Expires *time.Time `json:"expires_at"`
	Network string     `json:"network"`
}

func (s *Server) postToken(ctx context.Context, req *Request) (*Response, error) {
	var b newTokenBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	info, secret, err := s.opts.Auth.CreateToken(ctx, s.by(req), auth.NewToken{
		Name: b.Name, Role: auth.Role(b.Role), Area: b.Area, Scopes: b.Scopes, Network: b.Network, Expires: timeOf(b.Expires),
	})
	if err != nil {
		return nil, err
	}
	a := tokenLine(info, s.areaTitles(ctx, req), req.Lang)
	a.Token = secret
	return created(a)
}

func (s *Server) deleteToken(ctx context.Context, req *Request) (*Response, error) {
	id, bad := req.id()
	if bad != nil {
		return nil, bad
	}
	if err := s.opts.Auth.RevokeToken(ctx, s.by(req), id); err != nil {
		return nil, err
	}
	return noContent(), nil
}

type enrolmentBody struct {
	Account string `json:"account"`
}

func (s *Server) postEnrolment(ctx context.Context, req *Request) (*Response, error) {
	var b enrolmentBody
	if err := readJSON(req, &b); err != nil {
		return nil, err
	}
	if !uuidText(b.Account) {
		return nil, problem(CodeNotFound)
	}
	code, expires, err := s.opts.Auth.CreateEnrolment(ctx, s.by(req), b.Account)
	if err != nil {
		return nil, err
	}
	link := s.self(req) + "/enrol#" + code
	svg, err := qrSVG(link)
	if err != nil {
		return nil, err
	}
	return created(map[string]any{"code": code, "link": link, "qr_svg": svg, "expires_at": expires})
}

// jsonOrNull keeps stored JSON as it is.
func jsonOrNull(b []byte) json.RawMessage { return raw(b, "null") }
