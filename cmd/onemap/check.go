package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/feed"
	"onemap/internal/registry"
)

// finding is one line of the check: what was looked at, how it is, what to do.
type finding struct {
	ok   bool
	what string
	help string
}

// checkCommand looks at everything a server needs and prints a line for each.
// It changes nothing beyond what opening the private cluster does.
func checkCommand(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "check")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
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

	var findings []finding
	err = d.Bulk.Hold(ctx, func(conn *pgx.Conn) error {
		findings, err = examine(ctx, conn)
		return err
	})
	if err != nil {
		return err
	}
	reg, err := registry.Open(ctx, d.Query)
	if err != nil {
		return err
	}
	findings = append(findings, finding{true, fmt.Sprintf("图层目录 · layer catalogue: %d 个图层", len(reg.Now().Layers)), ""})
	reader, err := feed.Open(ctx, d.DB, feed.Options{Logger: log})
	if err != nil {
		return err
	}
	findings = append(findings, finding{true, "变更流 · change feed: " + reader.State().Position.String(), ""})

	bad := 0
	for _, fd := range findings {
		mark := "✓"
		if !fd.ok {
			mark, bad = "✗", bad+1
		}
		fmt.Fprintf(env.stdout, "%s %s\n", mark, fd.what)
		if !fd.ok && fd.help != "" {
			fmt.Fprintf(env.stdout, "  → %s\n", fd.help)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d 项有问题 · %d problems", bad, bad)
	}
	return nil
}
