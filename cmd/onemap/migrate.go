package main

import (
	"context"
	"fmt"
)

// migrateCommand brings the schema up to date; opening the database does it.
func migrateCommand(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "migrate")
	if rest, err := f.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	log, err := f.logger()
	if err != nil {
		return err
	}
	if f.DatabaseURL != "" && f.AdminURL == "" {
		return usagef("升级需要属主连接 --admin-url · migrating needs --admin-url")
	}
	d, err := openOffline(ctx, f, log)
	if err != nil {
		return err
	}
	defer d.close(log)
	fmt.Fprintln(env.stdout, "数据库结构已是最新 · the schema is up to date")
	return nil
}
