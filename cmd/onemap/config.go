package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// flags is a command's flag set whose values may also come from ONEMAP_* and from
// onemap.yaml, in this order: flag, environment, file, default.
type flags struct {
	*flag.FlagSet
	env  environment
	file string

	Data        string
	DatabaseURL string
	AdminURL    string
	LogLevel    string
}

// newFlags makes the set with the flags every command takes.
func newFlags(env environment, name string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet("onemap "+name, flag.ContinueOnError), env: env}
	f.SetOutput(env.stderr)
	f.StringVar(&f.Data, "data", defaultData(env), "数据目录 · data directory of the private cluster")
	f.StringVar(&f.DatabaseURL, "database-url", "", "已有 PostgreSQL 的连接串(应用角色) · use this database as the application role instead of the private cluster")
	f.StringVar(&f.AdminURL, "admin-url", "", "同一数据库的属主连接串,用于升级 · owner of the same database, for migrations")
	f.StringVar(&f.LogLevel, "log-level", "info", "日志级别 debug|info|warn|error · log level")
	f.StringVar(&f.file, "config", "onemap.yaml", "配置文件 · configuration file")
	return f
}

// parse reads the command line, then fills what it did not name from the
// environment and the file. It returns the positional arguments.
func (f *flags) parse(args []string) ([]string, error) {
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{err}
	}
	given := map[string]bool{}
	f.Visit(func(fl *flag.Flag) { given[fl.Name] = true })
	if v := f.env.getenv("ONEMAP_CONFIG"); v != "" && !given["config"] {
		f.file, given["config"] = v, true
	}
	file, err := readConfig(f.file, given["config"])
	if err != nil {
		return nil, usageError{err}
	}
	f.VisitAll(func(fl *flag.Flag) {
		if given[fl.Name] || err != nil {
			return
		}
		value, ok := f.env.getenv("ONEMAP_"+strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))), true
		if value == "" {
			value, ok = file[fl.Name]
		}
		if ok && value != "" {
			if serr := f.Set(fl.Name, value); serr != nil {
				err = usagef("--%s: %w", fl.Name, serr)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if f.AdminURL != "" && f.DatabaseURL == "" {
		return nil, usagef("--admin-url 需要同时给出 --database-url · goes with --database-url")
	}
	return f.Args(), nil
}

func readConfig(path string, required bool) (map[string]string, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && !required {
			return nil, nil
		}
		return nil, fmt.Errorf("配置文件 · configuration file: %w", err)
	}
	var values map[string]string
	if err := yaml.Unmarshal(body, &values); err != nil {
		return nil, fmt.Errorf("配置文件 · configuration file %s: %w", path, err)
	}
	return values, nil
}

func (f *flags) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.LogLevel)); err != nil {
		return nil, usagef("--log-level: %w", err)
	}
	return slog.New(slog.NewTextHandler(f.env.stderr, &slog.HandlerOptions{Level: level})), nil
}

// defaultData is /var/lib/onemap for root, else under the user's data home.
func defaultData(env environment) string {
	if os.Geteuid() == 0 {
		return "/var/lib/onemap"
	}
	if dir := env.getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "onemap")
	}
	return filepath.Join(env.getenv("HOME"), ".local", "share", "onemap")
}
