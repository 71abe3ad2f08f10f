package main

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/census"
	"onemap/internal/demo"
	"onemap/internal/demo/demostore"
)

const defaultSeed = 1

// demoCommand loads the demo county, or takes it out.
func demoCommand(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "demo")
	seed := f.Int64("seed", defaultSeed, "随机种子,同一种子生成同一个县 · equal seeds give equal counties")
	remove := f.Bool("remove", false, "移除全部演示数据 · take all demo data out")
	if rest, err := f.parse(args); err != nil {
		return err
	} else if len(rest) > 0 {
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
	if *remove {
		return removeDemo(ctx, env, d, log)
	}
	return loadDemo(ctx, env, d, *seed, log)
}

// loadDemoOnce loads the county into a database that holds nothing yet, and goes
// on where an earlier start was broken off.
func loadDemoOnce(ctx context.Context, env environment, d *database, log *slog.Logger) error {
	store, err := demostore.Open(d.DB)
	if err != nil {
		return err
	}
	st, err := store.State(ctx)
	switch {
	case err != nil:
		return err
	case st.Made.Complete, st.OtherData:
		return nil
	case st.Dataset != "" && !st.Made.Now.IsZero():
		return loadDemo(ctx, env, d, st.Made.Seed, log)
	}
	return loadDemo(ctx, env, d, defaultSeed, log)
}

// demoAge is how old the county's present may be before it is told anew: by then
// its warnings have run out and its incidents are of yesterday.
const demoAge = 8 * time.Hour

// renewDemoIfOld renews a county whose present has passed.
func renewDemoIfOld(ctx context.Context, d *database, log *slog.Logger) {
	store, err := demostore.Open(d.DB)
	if err != nil {
		log.Error("demo", "err", err)
		return
	}
	if st, err := store.State(ctx); err == nil && st.Made.Complete && time.Since(st.Made.Now) > demoAge {
		renewDemo(ctx, d, log)
	}
}

// renewDemo brings the county's warnings, incidents and readings to the present
// hour, so that the map is alive on any day. It runs beside the server.
func renewDemo(ctx context.Context, d *database, log *slog.Logger) (*demo.County, string) {
	store, err := demostore.Open(d.DB)
	if err != nil {
		log.Error("demo", "err", err)
		return nil, ""
	}
	st, err := store.State(ctx)
	if err != nil {
		log.Error("demo", "err", err)
		return nil, ""
	}
	if !st.Made.Complete {
		return nil, ""
	}
	now := st.Made.Now
	old := time.Since(now) > demoAge
	if old {
		now = time.Now()
	}
	county := demo.Generate(demo.Options{Seed: st.Made.Seed, Now: now})
	if !old {
		return county, st.Dataset
	}
	if err := store.Renew(ctx, st.Dataset, county); err != nil {
		log.Error("demo: renew", "err", err)
		return nil, ""
	}
	log.Info("示例县的预警与事件已更新到当前时刻 · demo county renewed")
	return county, st.Dataset
}

// loadDemo makes the county and brings it in through the importer, like any other
// data. Doing it again with the same seed changes nothing.
func loadDemo(ctx context.Context, env environment, d *database, seed int64, log *slog.Logger) error {
	store, err := demostore.Open(d.DB)
	if err != nil {
		return err
	}
	st, err := store.State(ctx)
	if err != nil {
		return err
	}
	if st.Made.Complete && st.Made.Seed == seed {
		fmt.Fprintf(env.stdout, "示例县已在库中(种子 %d)· the demo county is there already\n", seed)
		return nil
	}
	if st.Dataset != "" {
		if err := removeDemo(ctx, env, d, log); err != nil {
			return err
		}
	}
	start := time.Now()
	fmt.Fprintf(env.stdout, "正在生成示例县(虚构)… · making the fictional demo county\n")
	county := demo.Generate(demo.Options{Seed: seed, Now: start})
	made := time.Since(start)
	if err := store.Begin(ctx, county); err != nil {
		return err
	}
	im, err := census.NewImporter(d.Bulk, census.Options{Logger: log})
	if err != nil {
		return err
	}
	report, err := im.Load(ctx, census.Dataset{
		Name: demostore.DatasetName, Title: "示例县(演示数据)", SourceDept: "演示数据生成器", SourceDate: county.Options.Now, Classification: "internal", Demo: true,
	}, demoFeatures(county), census.LoadOptions{Mode: census.Upsert, Actor: "onemap demo", Source: fmt.Sprintf("demo seed %d", seed), Progress: demoProgress(env, county.Len())})
	if err != nil {
		return err
	}
	// The generator promises valid rows; one that is refused is a fault of ours.
	if n := report.Counts.Rejected + report.Counts.Quarantined; n > 0 {
		for _, i := range report.Issues {
			log.Error("demo row refused", "key", i.Key, "rule", i.Rule, "message", i.Message)
		}
		return fmt.Errorf("demo: %d rows were refused", n)
	}
	if err := store.Finish(ctx, county); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "示例县已入库:%d 条,生成 %.1f s,入库 %.1f s · loaded\n", report.Counts.Accepted, made.Seconds(), (time.Since(start) - made).Seconds())
	return nil
}

// demoFeatures hands the county's records to the importer.
func demoFeatures(c *demo.County) iter.Seq2[census.Feature, error] {
	return func(yield func(census.Feature, error) bool) {
		for f := range c.Features() {
			if !yield(census.Feature{Layer: f.Layer, Key: f.Key, Code: f.Code, Geometry: f.Geometry, Fields: f.Fields}, nil) {
				return
			}
		}
	}
}

// demoProgress shows one moving line on a terminal and a few lines elsewhere.
func demoProgress(env environment, total int) func(census.Progress) {
	var last time.Time
	return func(p census.Progress) {
		wait := 5 * time.Second
		if env.terminal {
			wait = 200 * time.Millisecond
		}
		if time.Since(last) < wait {
			return
		}
		last = time.Now()
		word := map[string]string{"read": "检查 · checking", "accept": "入库 · loading"}[p.Stage]
		if env.terminal {
			fmt.Fprintf(env.stderr, "\r\033[K  %s %s %d / %d", word, p.Layer, p.Rows, total)
			return
		}
		fmt.Fprintf(env.stderr, "  %s %s %d\n", word, p.Layer, p.Rows)
	}
}

// removeDemo takes out all the demo made, history included where the owner's
// connection is known.
func removeDemo(ctx context.Context, env environment, d *database, log *slog.Logger) error {
	store, err := demostore.Open(d.DB)
	if err != nil {
		return err
	}
	st, err := store.State(ctx)
	if err != nil {
		return err
	}
	if st.Dataset == "" {
		fmt.Fprintln(env.stdout, "库中没有示例县 · there is no demo county")
		return nil
	}
	start := time.Now()
	im, err := census.NewImporter(d.Bulk, census.Options{Logger: log})
	if err != nil {
		return err
	}
	if err := store.Forget(ctx); err != nil {
		return err
	}
	rows, err := im.Remove(ctx, demostore.DatasetName, "onemap demo")
	if err != nil {
		return err
	}
	var n int64
	for _, r := range rows {
		n += r
	}
	if d.adminDSN == "" {
		log.Warn("历史记录仍在:清除需要 --admin-url · history stays; removing it needs --admin-url")
	} else if err := withConn(ctx, d.adminDSN, func(conn *pgx.Conn) error {
		_, err := store.PurgeHistory(ctx, conn, st.Dataset)
		return err
	}); err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "已移除示例县:%d 条,%.1f s · removed\n", n, time.Since(start).Seconds())
	return nil
}
