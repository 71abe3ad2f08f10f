package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"onemap/internal/auth"
	"onemap/internal/feed"
	"onemap/internal/registry"
)

const userVerbs = "add NAME --role R --area CODE | passwd NAME | disable NAME | enable NAME | reset-second-factor NAME | list"

// userCommand makes and keeps people from the server's own machine: the way in before
// there is an administrator, and when the last one lost his telephone.
func userCommand(ctx context.Context, env environment, args []string) error {
	if len(args) == 0 {
		return usagef("%s", userVerbs)
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "add":
		return userAdd(ctx, env, rest)
	case "passwd":
		return userPasswd(ctx, env, rest)
	case "disable":
		return userState(ctx, env, rest, verb, auth.Disabled)
	case "enable":
		return userState(ctx, env, rest, verb, auth.Active)
	case "reset-second-factor":
		return userResetSecondFactor(ctx, env, rest)
	case "list":
		return userList(ctx, env, rest)
	default:
		return usagef("%q? %s", verb, userVerbs)
	}
}

// people is the service of accounts, opened beside a running server or alone.
type people struct {
	*auth.Service

	db  *database
	log *slog.Logger
	by  auth.By
}

func openPeople(ctx context.Context, f *flags) (*people, error) {
	log, err := f.logger()
	if err != nil {
		return nil, err
	}
	d, err := openOffline(ctx, f, log)
	if err != nil {
		return nil, err
	}
	p := &people{db: d, log: log, by: auth.By{CLI: true, Agent: operator(f.env), Request: fmt.Sprintf("cli-%d-%d", os.Getpid(), time.Now().Unix())}}
	reg, err := registry.Open(ctx, d.Query)
	if err == nil {
		p.Service, err = auth.Open(ctx, auth.Options{DB: d.DB, Catalogue: reg, Logger: log})
	}
	if err != nil {
		d.close(log)
		return nil, err
	}
	return p, nil
}

// operator is who sits at the command line, as far as the machine knows.
func operator(env environment) string {
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if v := env.getenv(name); v != "" {
			return v
		}
	}
	return fmt.Sprintf("uid%d", os.Geteuid())
}

// close tells running servers to look at once; they would find out by themselves.
func (p *people) close(ctx context.Context) {
	if err := feed.Notify(ctx, p.db.Bulk); err != nil {
		p.log.Debug("notify", "err", err)
	}
	p.db.close(p.log)
}

// onePerson runs a command that takes one user name. check looks at the flags before
// anything is opened.
func onePerson(ctx context.Context, f *flags, args []string, check func() error, fn func(p *people, username string) error) error {
	words, err := f.parseMixed(args)
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usagef("应给出一个用户名 · name one user")
	}
	if check != nil {
		if err := check(); err != nil {
			return err
		}
	}
	p, err := openPeople(ctx, f)
	if err != nil {
		return err
	}
	defer p.close(ctx)
	return inWords(fn(p, words[0]))
}

// inWords makes what the service refuses readable at a terminal.
func inWords(err error) error {
	if bad := new(auth.Invalid); errors.As(err, &bad) {
		var b strings.Builder
		for _, f := range bad.Items {
			fmt.Fprintf(&b, "\n  %s: %s · %s", strings.TrimPrefix(f.Path, "/"), f.ZH, f.EN)
		}
		return usagef("参数有误 · invalid%s", b.String())
	}
	if c := new(auth.Conflict); errors.As(err, &c) {
		return fmt.Errorf("%s · %s", c.ZH, c.EN)
	}
	if errors.Is(err, auth.ErrNotFound) {
		return errors.New("没有这个用户或令牌 · no such user or token")
	}
	return err
}

func areaFlag(f *flags) *string {
	return f.String("area", "", "区域:行政区划代码,all 为全域 · administrative code, or all")
}

func publicURL(f *flags) *string {
	return f.String("public-url", "http://127.0.0.1:8080", "链接中的服务地址 · address of the server in links")
}

func everywhere(area string) string {
	if area == "all" || area == "全域" {
		return ""
	}
	return area
}

func userAdd(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "user add")
	role := f.String("role", "", "角色 · role: "+roleNames())
	area := areaFlag(f)
	base := publicURL(f)
	var n auth.NewAccount
	f.StringVar(&n.Name, "name", "", "姓名(默认同用户名) · full name, the user name by default")
	f.StringVar(&n.Unit, "unit", "", "单位代码(默认同区域) · code of the office, the area by default")
	f.StringVar(&n.Department, "department", "", "部门 · department")
	f.StringVar(&n.Position, "position", "", "职务 · position")
	stdin := f.Bool("password-stdin", false, "从标准输入读口令并直接设定 · read a password and set it, instead of a link")
	check := func() error {
		if _, ok := auth.Role(*role).Info(); !ok {
			return usagef("--role %q? %s", *role, roleNames())
		}
		if *area == "" && !auth.Role(*role).Separated() {
			return usagef("--area 必填(全域写 all) · --area is needed, all for everywhere")
		}
		return nil
	}
	return onePerson(ctx, f, args, check, func(p *people, username string) error {
		r := auth.Role(*role)
		if n.Username = username; n.Name == "" {
			n.Name = username
		}
		if n.Unit == "" {
			n.Unit = everywhere(*area)
		}
		var password string
		if *stdin {
			var err error
			if password, err = readPassword(); err != nil {
				return err
			}
			if err := p.CheckPassword(password, username); err != nil { // before the account is there
				return err
			}
		}
		info, link, err := p.AddUser(ctx, p.by, n, auth.NewGrant{Role: r, Area: everywhere(*area), Reason: "命令行 onemap user add"})
		if err != nil {
			return err
		}
		title, _ := r.Info()
		fmt.Fprintf(env.stdout, "已添加 · added: %s(%s) %s %s\n", info.Username, info.Name, title.Title.ZH, areaText(everywhere(*area)))
		if *stdin {
			return setPassword(ctx, env, p, info.ID, password)
		}
		printLink(env, *base, link)
		return nil
	})
}

func userPasswd(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "user passwd")
	base := publicURL(f)
	stdin := f.Bool("password-stdin", false, "从标准输入读口令并直接设定 · read a password and set it, instead of a link")
	return onePerson(ctx, f, args, nil, func(p *people, username string) error {
		id, err := p.AccountID(ctx, p.by, username)
		if err != nil {
			return err
		}
		if *stdin {
			password, err := readPassword()
			if err != nil {
				return err
			}
			return setPassword(ctx, env, p, id, password)
		}
		link, err := p.NewActivation(ctx, p.by, id)
		if err != nil {
			return err
		}
		printLink(env, *base, link)
		return nil
	})
}

func setPassword(ctx context.Context, env environment, p *people, id, password string) error {
	if err := p.SetPassword(ctx, p.by, id, password); err != nil {
		return err
	}
	fmt.Fprintln(env.stdout, "口令已设定 · password set")
	return nil
}

// readPassword reads one line: never an argument, which every user of the machine sees.
func readPassword() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("口令 · password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func printLink(env environment, base string, a auth.Activation) {
	fmt.Fprintf(env.stdout, "激活链接(一次有效,至 %s)· activation link, once, until then:\n%s/activate#%s\n",
		a.Expires.UTC().Format(time.RFC3339), strings.TrimRight(base, "/"), a.Token)
}

func userState(ctx context.Context, env environment, args []string, verb, state string) error {
	f := newFlags(env, "user "+verb)
	return onePerson(ctx, f, args, nil, func(p *people, username string) error {
		id, err := p.AccountID(ctx, p.by, username)
		if err != nil {
			return err
		}
		info, err := p.Account(ctx, p.by, id)
		if err != nil {
			return err
		}
		if info, err = p.UpdateAccount(ctx, p.by, id, info.Version, auth.AccountPatch{State: &state}); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "%s: %s\n", info.Username, stateText(info.State))
		return nil
	})
}

func userResetSecondFactor(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "user reset-second-factor")
	return onePerson(ctx, f, args, nil, func(p *people, username string) error {
		id, err := p.AccountID(ctx, p.by, username)
		if err != nil {
			return err
		}
		if err := p.ResetSecondFactor(ctx, p.by, id); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "第二因素已清除,所有会话已结束 · second factor removed, sessions ended: %s\n", username)
		return nil
	})
}

func userList(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "user list")
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
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "用户名 USER\t姓名 NAME\t状态 STATE\t授权 GRANTS\t最近登录 LAST SIGN-IN")
	for q := (auth.AccountQuery{Limit: 1000}); ; {
		page, err := p.Accounts(ctx, p.by, q)
		if err != nil {
			return err
		}
		for _, a := range page.Accounts {
			var grants []string
			for _, g := range a.Grants {
				grants = append(grants, string(g.Role)+"@"+areaText(g.Area))
			}
			last := "-"
			if !a.LastSignIn.IsZero() {
				last = a.LastSignIn.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", a.Username, a.Name, stateText(a.State), strings.Join(grants, " "), last)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return w.Flush()
		}
	}
}

func areaText(area string) string {
	if area == "" {
		return "全域 all"
	}
	return area
}

func stateText(state string) string {
	return map[string]string{auth.Invited: "待激活 invited", auth.Active: "正常 active", auth.Disabled: "停用 disabled"}[state]
}

func roleNames() string {
	var out []string
	for _, r := range auth.Roles() {
		out = append(out, string(r.Role))
	}
	return strings.Join(out, "|")
}
