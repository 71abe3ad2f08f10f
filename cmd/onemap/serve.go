package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
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
	trustedProxy string
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
	if f.trustedProxy != "" {
		if _, _, err := net.ParseCIDR(f.trustedProxy); err != nil {
			return usagef("--trusted-proxy: %w", err)
		}
	}
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return usagef("--listen: %w", err)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if !loopback && f.tls == "" && f.tlsCert == "" && f.trustedProxy == "" {
		return usagef(`在 %s 上不加密地监听会把数据暴露在网络上。请选择其一 · listening on %s without encryption exposes the data; choose one:
  --tls local                       本地证书机构,手机安装一次 CA 即可 · a local authority, phones install its CA once
  --tls-cert 文件 --tls-key 文件     单位自己的证书 · your own certificate
  --trusted-proxy 网段               前面有终止 TLS 的反向代理 · a proxy in front ends TLS
  --listen 127.0.0.1:8080           只供本机 · this machine only`, f.listen, f.listen)
	}
	return nil
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
