package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"onemap/internal/auth"
)

const tokenVerbs = "create --role R | list | revoke ID" //nolint:gosec // usage, no credential

// tokenCommand makes, lists and ends the tokens of programs and walls.
func tokenCommand(ctx context.Context, env environment, args []string) error {
	if len(args) == 0 {
		return usagef("%s", tokenVerbs)
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "create":
		return tokenCreate(ctx, env, rest)
	case "list":
		return tokenList(ctx, env, rest)
	case "revoke":
		return tokenRevoke(ctx, env, rest)
	default:
		return usagef("%q? %s", verb, tokenVerbs)
	}
}

// tokenCreate prints the token alone on the last line of its output, so that a script
// can take it; what else there is to say goes to the error output.
func tokenCreate(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "token create")
	role := f.String("role", "", "角色(不可为三员) · role, none of the 三员")
	scope := f.String("scope", "read", "用途,可用逗号并列 · purposes: "+strings.Join(auth.TokenScopes, "|"))
	area := areaFlag(f)
	expires := f.String("expires", "30d", "有效期,如 30d、12h · validity")
	name := f.String("name", "", "名称 · name")
	network := f.String("network", "", "限定网段(大屏必填) · address range, needed for a wall")
	if rest, err := f.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	if *role == "" {
		return usagef("--role 必填 · is needed: %s", roleNames())
	}
	life, err := parseLife(*expires)
	if err != nil {
		return err
	}
	p, err := openPeople(ctx, f)
	if err != nil {
		return err
	}
	defer p.close(ctx)
	n := auth.NewToken{Name: *name, Role: auth.Role(*role), Area: everywhere(*area), Network: *network, Expires: time.Now().Add(life)}
	for s := range strings.SplitSeq(*scope, ",") {
		n.Scopes = append(n.Scopes, strings.TrimSpace(s))
	}
	if n.Name == "" {
		n.Name = *role + " " + strings.Join(n.Scopes, "+")
	}
	info, text, err := p.CreateToken(ctx, p.by, n)
	if err != nil {
		return inWords(err)
	}
	fmt.Fprintf(env.stderr, "令牌 · token %s: %s %s %s,至 until %s。只显示这一次 · shown this once\n",
		info.ID, info.Role, areaText(info.Area), strings.Join(info.Scopes, ","), info.Expires.UTC().Format(time.RFC3339))
	fmt.Fprintln(env.stdout, text)
	return nil
}

// parseLife reads 30d, 12h, 90m.
func parseLife(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 400 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, nil
	}
	return 0, usagef("--expires %q? 如 such as 30d, 12h; 至多 at most 400d", s)
}

func tokenList(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "token list")
	if rest, err := f.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	p, err := openPeople(ctx, f)
	if err != nil {
		return err
	}
	defer p.close(ctx)
	tokens, err := p.Tokens(ctx, p.by)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "标识 ID\t名称 NAME\t角色 ROLE\t区域 AREA\t用途 SCOPES\t至 UNTIL\t状态 STATE")
	for _, t := range tokens {
		state := "有效 valid"
		switch {
		case !t.Revoked.IsZero():
			state = "已撤销 revoked"
		case time.Now().After(t.Expires):
			state = "已过期 expired"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, t.Role, areaText(t.Area), strings.Join(t.Scopes, ","), t.Expires.UTC().Format(time.RFC3339), state)
	}
	return w.Flush()
}

func tokenRevoke(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "token revoke")
	words, err := f.parseMixed(args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("应给出一个令牌标识 · name one token by its id")
	}
	p, err := openPeople(ctx, f)
	if err != nil {
		return err
	}
	defer p.close(ctx)
	if err := p.RevokeToken(ctx, p.by, words[0]); err != nil {
		return inWords(err)
	}
	fmt.Fprintf(env.stdout, "已撤销 · revoked: %s\n", words[0])
	return nil
}
