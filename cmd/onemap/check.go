package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
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
// "check audit" goes along the chain of the audit instead.
func checkCommand(ctx context.Context, env environment, args []string) error {
	if len(args) > 0 && args[0] == "audit" {
		return checkAudit(ctx, env, args[1:])
	}
	f := newFlags(env, "check")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q (audit?)", rest[0])
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

// checkAudit makes every hash of the audit anew and names the first broken link. It
// prints the head of the chain: noted outside the house and given back as --head, it
// proves that nothing up to it was taken away.
func checkAudit(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "check audit")
	head := f.String("head", "", "以前记下的封印 NO:HASH · a seal noted earlier, which must still be there")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("多余的参数 · unexpected argument %q", rest[0])
	}
	noted, err := audit.ParseHead(*head)
	if err != nil {
		return usagef("--head: NO:HASH, %q", *head)
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

	var result audit.Result
	err = d.Bulk.Hold(ctx, func(conn *pgx.Conn) error {
		result, err = audit.Verify(ctx, conn, noted...)
		return err
	})
	if err != nil {
		return err
	}
	if result.Broken != nil {
		fmt.Fprintf(env.stdout, "✗ %s\n", result.Broken.Text())
		return fmt.Errorf("审计链断裂 · the audit is broken: %s", result.Broken.Text())
	}
	fmt.Fprintf(env.stdout, "✓ 审计完好 · the audit holds: 记录 entries %d, 封印 seals %d, 待封 unsealed %d\n", result.Entries, result.Seals, result.Unsealed)
	if result.Head.No > 0 {
		fmt.Fprintf(env.stdout, "  封印头(请另处留存) · head, keep it elsewhere: %s\n", result.Head)
	}
	return nil
}
