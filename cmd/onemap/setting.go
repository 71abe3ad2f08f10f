package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"onemap/internal/auth"
	"onemap/internal/catalogue"
	"onemap/internal/db"
)

const settingVerbs = "list | set KEY JSON"

// settingCommand shows and changes the settings of the installation. A running server
// follows at once.
func settingCommand(ctx context.Context, env environment, args []string) error {
	if len(args) == 0 {
		return usagef("%s", settingVerbs)
	}
	f := newFlags(env, "setting "+args[0])
	reason := f.String("reason", "", "原因,记入审计 · why, for the audit")
	rest, err := f.parse(args[1:])
	if err != nil {
		return err
	}
	switch verb := args[0]; {
	case verb == "list" && len(rest) == 0, verb == "set" && len(rest) == 2:
	default:
		return usagef("%s", settingVerbs)
	}
	log, err := f.logger()
	if err != nil {
		return err
	}
	d, err := openOffline(ctx, f, log)
	if err != nil {
		return err
	}
	defer d.close(log)
	store, err := catalogue.Open(d.DB)
	if err != nil {
		return err
	}
	if args[0] == "list" {
		return settingList(ctx, env, store)
	}
	err = store.SetSetting(ctx, auth.By{CLI: true}, rest[0], 0, json.RawMessage(rest[1]), *reason)
	if errors.Is(err, auth.ErrNotFound) {
		return usagef("没有设置 %q · no such setting; onemap setting list", rest[0])
	}
	if wrong, ok := errors.AsType[*auth.Invalid](err); ok {
		for _, item := range wrong.Items {
			fmt.Fprintf(env.stderr, "%s: %s · %s\n", item.Path, item.ZH, item.EN)
		}
	}
	return err
}

func settingList(ctx context.Context, env environment, store *catalogue.Store) error {
	all, err := store.Settings(ctx, db.System("onemap"))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.stdout, 0, 4, 2, ' ', 0)
	for _, s := range all {
		set := "默认 · default"
		if s.Set {
			set = s.UpdatedBy + " " + s.UpdatedAt.UTC().Format("2006-01-02 15:04Z")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Key, s.Title.ZH, s.Value, set)
	}
	return w.Flush()
}
