package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"time"
)

// serveFlags are what only the server takes.
type serveFlags struct {
	*flags
	listen       string
	tlsCert      string
	tlsKey       string
	tls          string
	publicURL    string
	fallbackDir  string
	trustedProxy string
	proxies      []netip.Prefix // trustedProxy, read by check
	withDemo     bool
	play         bool
	open         bool
}

func newServeFlags(env environment) *serveFlags {
	f := &serveFlags{flags: newFlags(env, "serve")}
	f.StringVar(&f.listen, "listen", "127.0.0.1:8080", "监听地址 · address to listen on")
	f.StringVar(&f.tlsCert, "tls-cert", "", "证书文件 (PEM) · certificate file")
	f.StringVar(&f.tlsKey, "tls-key", "", "私钥文件 (PEM) · key file")
	f.StringVar(&f.tls, "tls", "", `"local": 在数据目录建立本地证书机构并签发证书 · make a certificate authority and certificate in the data directory`)
	f.StringVar(&f.fallbackDir, "fallback-dir", "", "兜底包的第二存放位置 · second place, where fallback packages are written")
	f.StringVar(&f.publicURL, "public-url", "", "对外地址 · address others reach this server by")
	f.StringVar(&f.trustedProxy, "trusted-proxy", "", "反向代理所在网段 · network of the reverse proxy in front")
	f.BoolVar(&f.withDemo, "with-demo", false, "库为空时生成示例县 · load the demo county into an empty database")
	f.BoolVar(&f.play, "play", false, "实时播放示例县的演练 · play the demo county's exercise in real time")
	f.BoolVar(&f.open, "open", false, "有桌面时打开浏览器 · open a browser where there is a desktop")
	return f
}

// check refuses combinations that would expose the data, and names the choices.
func (f *serveFlags) check() error {
	if (f.tlsCert == "") != (f.tlsKey == "") {
		return usagef("--tls-cert 与 --tls-key 要一起给出 · go together")
	}
	if f.tls != "" && f.tls != "local" {
		return usagef("--tls 只认 local · knows only local")
	}
	if f.tls != "" && f.tlsCert != "" {
		return usagef("--tls local 与 --tls-cert 只能选一个 · choose one of --tls local and --tls-cert")
	}
	for part := range strings.SplitSeq(f.trustedProxy, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return usagef("--trusted-proxy: %w", err)
		}
		f.proxies = append(f.proxies, p.Masked())
	}
	if _, _, err := net.SplitHostPort(f.listen); err != nil {
		return usagef("--listen: %w", err)
	}
	if !f.loopback() && f.tls == "" && f.tlsCert == "" && f.trustedProxy == "" {
		return usagef(`在 %s 上不加密地监听会把数据暴露在网络上。请选择其一 · listening on %s without encryption exposes the data; choose one:
  --tls local                       本地证书机构,手机安装一次 CA 即可 · a local authority, phones install its CA once
  --tls-cert 文件 --tls-key 文件     单位自己的证书 · your own certificate
  --trusted-proxy 网段               前面有终止 TLS 的反向代理 · a proxy in front ends TLS
  --listen 127.0.0.1:8080           只供本机 · this machine only`, f.listen, f.listen)
	}
	return nil
}

// loopback says whether only this machine can reach the listener.
func (f *serveFlags) loopback() bool {
	host, _, err := net.SplitHostPort(f.listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func serveCommand(ctx context.Context, env environment, args []string) error {
	f := newServeFlags(env)
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	if err := f.check(); err != nil {
		return err
	}
	log, err := f.logger()
	if err != nil {
		return err
	}
	a, err := newApp(ctx, f, log)
	if err != nil {
		if ctx.Err() != nil {
			err = nil // stopped while starting: that is what Ctrl-C asked for
		}
		return err
	}
	err = a.run(ctx)
	if cerr := a.close(); err == nil {
		err = cerr
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// warnOpen says who else can reach the server.
func warnOpen(env environment, listen string) {
	fmt.Fprintf(env.stdout, "  注意:网络上的其他机器可以访问本服务器 · note: other machines on the network can reach this server (%s)\n\n", listen)
}

// setup is what offerSetup needs of the accounts.
type setup interface {
	Done() bool
	SetupLink(ctx context.Context) (token string, expires time.Time, err error)
}

// offerSetup prints the link that makes the first administrators, and a new one when
// it expires, until set-up is over. It is printed for the person at the terminal and
// never logged.
func offerSetup(ctx context.Context, env environment, s setup, base string, zone *time.Location, log *slog.Logger) {
	base = strings.TrimRight(base, "/")
	for !s.Done() && ctx.Err() == nil {
		token, expires, err := s.SetupLink(ctx)
		if err != nil {
			if ctx.Err() == nil && !s.Done() {
				log.Error("设置链接 · set-up link", "err", err)
				waitSetup(ctx, s, time.Now().Add(10*time.Second))
			}
			continue
		}
		fmt.Fprintf(env.stdout, "  尚无管理员。请在 %s 前打开设置链接 · no administrator yet; open the set-up link before %s:\n\n    %s/setup#%s\n\n  在此之前,本机可只读浏览示例县 · until then this machine may look at the demo county, read only\n\n",
			expires.In(zone).Format("15:04"), expires.In(zone).Format("15:04"), base, token)
		waitSetup(ctx, s, expires)
	}
}

// waitSetup returns when set-up is over, at the latest at until.
func waitSetup(ctx context.Context, s setup, until time.Time) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !s.Done() && time.Now().Before(until) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// announce tells a person where the map is, once it really answers.
func announce(env environment, url string, started time.Time, open bool, log *slog.Logger) {
	fmt.Fprintf(env.stdout, "\n  一张图已就绪 · the map is ready (%.1f s)\n\n    %s\n\n  Ctrl-C 停止 · stops\n\n", time.Since(started).Seconds(), url)
	if !open || (env.getenv("DISPLAY") == "" && env.getenv("WAYLAND_DISPLAY") == "") {
		return
	}
	if path, err := exec.LookPath("xdg-open"); err == nil {
		if err := exec.Command(path, url).Start(); err != nil {
			log.Debug("xdg-open", "err", err)
		}
	}
}
