package auth

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"onemap/internal/audit"
	"onemap/internal/geo"
)

// TokenScopes are what a token may be for.
var TokenScopes = []string{"read", "report", "ingest", "wall"}

func (n *NewToken) check(f *Invalid, now time.Time) netip.Prefix {
	n.Name = NewAccount{Name: n.Name}.clean().Name
	if n.Name == "" || len([]rune(n.Name)) > 100 {
		f.add("/name", "bad_name", "令牌须有名称，至多 100 字", "a name is needed, 100 characters at most")
	}
	if info, ok := n.Role.Info(); !ok || info.Role.Separated() {
		f.add("/role", "bad_role", "令牌不能有三员角色", "no such role, or one of the 三员")
	}
	n.Area = strings.TrimSpace(n.Area)
	if n.Area != "" {
		if _, err := geo.ParseScope(n.Area); err != nil {
			f.add("/area", "bad_area", "区域须为行政区划代码，空为全域", "an administrative code, or empty for everywhere")
		}
	}
	slices.Sort(n.Scopes)
	n.Scopes = slices.Compact(n.Scopes)
	wall := slices.Contains(n.Scopes, "wall")
	if len(n.Scopes) == 0 || slices.ContainsFunc(n.Scopes, func(s string) bool { return !slices.Contains(TokenScopes, s) }) {
		f.add("/scopes", "bad_scope", "用途只有 read、report、ingest、wall", "read, report, ingest or wall")
	}
	if wall && len(n.Scopes) > 1 {
		f.add("/scopes", "bad_scope", "大屏令牌不能有别的用途", "a wall token is for nothing else")
	}
	var network netip.Prefix
	if n.Network != "" {
		var err error
		if network, err = parseNetwork(n.Network); err != nil {
			f.add("/network", "bad_network", "网段须如 10.1.2.0/24", "an address range such as 10.1.2.0/24")
		}
	}
	if wall && n.Network == "" {
		f.add("/network", "network_required", "大屏令牌须限定网段", "a wall token is bound to an address range")
	} else if least := map[bool]int{true: 8, false: 32}[network.Addr().Is4()]; network.IsValid() && network.Bits() < least {
		f.add("/network", "network_too_wide", "网段过大", "the address range is too wide")
	}
	if n.Expires.IsZero() {
		n.Expires = now.Add(tokenLife)
	}
	if !n.Expires.After(now) || n.Expires.After(now.Add(tokenMaxLife)) {
		f.add("/expires_at", "bad_period", "有效期须在将来，至多 400 天", "must expire in the future, within 400 days")
	}
	return network
}

func parseNetwork(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = a.Unmap().WithZone("")
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p.Addr().Is4In6() {
		return netip.Prefix{}, orElse(err, ErrNotFound)
	}
	return p.Masked(), nil
}

// Tokens lists those of the areas the asker manages tokens in, and his own.
func (s *Service) Tokens(ctx context.Context, by By) ([]TokenInfo, error) {
	areas, err := s.bounds(by, ManageTokens)
	if err != nil {
		if by.Identity == nil || !by.SignedIn() || by.Account == "" {
			return nil, err
		}
		areas = geo.Scopes{}
	}
	var out []TokenInfo
	err = s.read(ctx, by, func(w *work) error {
		out = nil
		return w.all(func(r scanner) error {
			var t TokenInfo
			var revoked, used *time.Time
			if err := r.Scan(&t.ID, &t.Name, &t.Role, &t.Area, &t.Scopes, &t.Network, &t.Created, &t.CreatedBy, &t.Expires, &revoked, &used); err != nil {
				return err
			}
			if revoked != nil {
				t.Revoked = *revoked
			}
			if used != nil {
				t.LastUsed = *used
			}
			out = append(out, t)
			return nil
		}, "tokens", areas, by.account())
	})
	return out, err
}

// makes says whether a token of a role over an area lies inside a grant, at t: of the
// grant's own role, or one that only looks at what the grant reads.
func (g Grant) makes(role Role, area geo.Scope, t time.Time) bool {
	return g.Valid(t) && g.Role.May(MakeTokens) && (role == g.Role || role == Viewer) && g.Scope().Contains(area)
}

// makerOf is the grant a token comes from, and whether the token then stands by itself.
// Nobody makes a token that may more than he himself: who manages tokens makes such as
// only look, which stand; others come from a grant of the maker's own and live by it.
func (s *Service) makerOf(by By, n *NewToken, given bool) (g Grant, stands bool, err error) {
	if by.CLI {
		return Grant{}, true, nil
	}
	area := Grant{Area: n.Area}.Scope()
	looks := n.Role == Viewer && !slices.Contains(n.Scopes, "report") && !slices.Contains(n.Scopes, "ingest")
	if g, err := s.allowed(by, ManageTokens, area); err == nil && looks {
		return g, true, nil
	}
	now, found := s.clock(), false
	for _, one := range by.Grants {
		if one.makes(n.Role, area, now) && (!found || one.To.IsZero() || (!g.To.IsZero() && one.To.After(g.To))) {
			g, found = one, true
		}
	}
	if !found {
		return Grant{}, false, ErrForbidden
	}
	if !g.To.IsZero() && n.Expires.After(g.To) {
		if given {
			return Grant{}, false, invalid("/expires_at", "bad_period", "不能晚于你自己授权的到期时间", "after the end of the grant of yours it comes from")
		}
		n.Expires = g.To
	}
	return g, false, nil
}

// CreateToken makes a token and shows it this once. At the command line it ends the
// set-up.
func (s *Service) CreateToken(ctx context.Context, by By, n NewToken) (TokenInfo, string, error) {
	if !by.CLI && (by.Identity == nil || !by.SignedIn() || by.Kind != Session) {
		return TokenInfo{}, "", ErrForbidden
	}
	now := s.clock()
	n.Scopes = slices.Clone(n.Scopes)
	given := !n.Expires.IsZero()
	var f Invalid
	network := n.check(&f, now)
	if err := f.err(); err != nil {
		return TokenInfo{}, "", err
	}
	g, stands, err := s.makerOf(by, &n, given)
	if err != nil {
		return TokenInfo{}, "", err
	}
	text, k := newToken()
	info := TokenInfo{Name: n.Name, Role: n.Role, Area: n.Area, Scopes: n.Scopes, Expires: n.Expires, CreatedBy: by.actor()}
	var bound *netip.Prefix
	if network.IsValid() {
		info.Network, bound = network.String(), &network
	}
	err = s.write(ctx, s.store.db.Bulk, by, g, func(w *work) error {
		info.ID, info.Created = newID(w.now), w.now
		if by.CLI {
			if _, err := w.do("end_setup", w.now); err != nil {
				return err
			}
		}
		if _, err := w.do("new_token", info.ID, k[:], n.Name, string(n.Role), n.Area, n.Scopes, bound, w.now, by.account(), stands, n.Expires); err != nil {
			return err
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "token.create", Object: "token/" + info.ID, Area: n.Area,
			After: map[string]any{"name": n.Name, "role": n.Role, "area": n.Area, "scopes": n.Scopes, "network": info.Network, "expires_at": n.Expires}})
	})
	if err != nil {
		return TokenInfo{}, "", err
	}
	return info, text, nil
}

// RevokeToken ends a token, one's own or one of an area one manages tokens in.
func (s *Service) RevokeToken(ctx context.Context, by By, id string) error {
	if !isID(id) {
		return ErrNotFound
	}
	if !by.CLI && (by.Identity == nil || !by.SignedIn()) {
		return ErrForbidden
	}
	return s.write(ctx, s.store.db.Bulk, by, Grant{}, func(w *work) error {
		var name, area string
		var role Role
		var scope geo.Scope
		var maker *string
		var revoked *time.Time
		found, err := w.one([]any{&name, &role, &area, &scope, &maker, &revoked}, "find_token", id)
		if err != nil || !found {
			return orElse(err, ErrNotFound)
		}
		g, err := s.allowed(by, ManageTokens, scope)
		if err != nil {
			if maker == nil || by.Account == "" || *maker != by.Account {
				return ErrNotFound
			}
			g, _ = by.Grant(MakeTokens, scope, w.now) // none is needed to end one's own
		}
		if revoked != nil {
			return conflict("ended", "令牌已撤销", "the token was revoked already")
		}
		if n, err := w.do("revoke_token", id, w.now, by.account()); err != nil || n == 0 {
			return orElse(err, conflict("ended", "令牌已撤销", "the token was revoked already"))
		}
		return w.record(audit.Entry{Doer: by.Doer(g), Action: "token.revoke", Object: "token/" + id, Area: area, Before: map[string]any{"name": name, "role": role, "area": area}})
	})
}
