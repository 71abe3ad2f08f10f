// Command onemap is the one binary: server, importer, demo county and tools.
//
// One file holds one sub-command. Flags, environment and exit codes live here and
// nowhere else; app.go wires the parts and owns the order in which they close.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	_ "time/tzdata" // a minimal system has no zone files, and dates depend on the zone

	"onemap/internal/cluster"
)

// Exit codes of every command.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitRejected = 3 // done, with rejected rows
)

// errRejected ends a command that did its work and refused some rows.
var errRejected = errors.New("some rows were rejected")

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// environment is what the process gives a command; tests give their own.
type environment struct {
	stdout, stderr io.Writer
	getenv         func(string) string
	terminal       bool // stderr is a terminal: progress bars instead of lines
}

// command is one sub-command.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, env environment, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "启动服务 · run the server", serveCommand},
		{"import", "导入数据文件或清单 · bring in a file or a package", importCommand},
		{"layer", "图层:列出、发布、撤回 · list, publish, unpublish layers", layerCommand},
		{"bench", "性能测量:瓦片、命中、上报 · measure tiles, cached hits and intake", benchCommand},
		{"demo", "生成或移除示例县 · load or remove the fictional demo county", demoCommand},
		{"user", "账号:添加、口令、停用 · people: add, passwd, disable, list", userCommand},
		{"token", "令牌:创建、列出、撤销 · tokens: create, list, revoke", tokenCommand},
		{"setting", "设置:列出、修改 · list and change settings", settingCommand},
		{"migrate", "升级数据库结构 · bring the database to this program's schema", migrateCommand},
		{"check", "检查安装与数据库 · check installation and database", checkCommand},
		{"version", "版本 · print the version", versionCommand},
	}
}

func main() {
	// Never stopped: a second Ctrl-C must not kill the process while it closes.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	info, err := os.Stderr.Stat()
	env := environment{
		stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv,
		terminal: err == nil && info.Mode()&os.ModeCharDevice != 0,
	}
	os.Exit(run(ctx, env, os.Args[1:]))
}

func run(ctx context.Context, env environment, args []string) int {
	if len(args) == 0 {
		printUsage(env.stderr)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	if name == "help" || name == "-h" || name == "--help" {
		printUsage(env.stdout)
		return exitDone
	}
	for _, c := range commands() {
		if c.name == name {
			return exitCode(env, name, c.run(ctx, env, rest))
		}
	}
	fmt.Fprintf(env.stderr, "onemap: 没有子命令 %q · no such command\n\n", name)
	printUsage(env.stderr)
	return exitUsage
}

func exitCode(env environment, name string, err error) int {
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(env.stderr, "onemap %s: %v\n", name, err)
		return exitUsage
	case errors.Is(err, errRejected):
		return exitRejected
	}
	if ce, ok := errors.AsType[*cluster.Error](err); ok {
		fmt.Fprintf(env.stderr, "onemap %s: %s\n", name, strings.TrimPrefix(ce.Error(), "cluster: "))
	} else {
		fmt.Fprintf(env.stderr, "onemap %s: %v\n", name, err)
	}
	return exitFailed
}

func printUsage(w io.Writer) {
	fmt.Fprintln(w, "onemap 一张图 — 用法 · usage: onemap COMMAND [flags]")
	fmt.Fprintln(w)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprintln(w, "\n每个子命令可用 -h 查看参数 · every command explains itself with -h")
}
