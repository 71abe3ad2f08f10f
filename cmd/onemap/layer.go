package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"

	"onemap/internal/db"
	"onemap/internal/registry"
	"onemap/tiles"
)

// layerCommand lists the layers, publishes any PostGIS table as one, or takes a
// published one back.
func layerCommand(ctx context.Context, env environment, args []string) error {
	if len(args) == 0 {
		return usagef("list | publish SCHEMA.TABLE | unpublish LAYER")
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "list":
		return layerList(ctx, env, rest)
	case "publish":
		return layerPublish(ctx, env, rest)
	case "unpublish":
		return layerUnpublish(ctx, env, rest)
	default:
		return usagef("%q? list | publish SCHEMA.TABLE | unpublish LAYER", verb)
	}
}

func layerList(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "layer list")
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
	reg, err := registry.Open(ctx, d.Query)
	if err != nil {
		return err
	}
	engine, err := tiles.New(tiles.Options{DB: d.DB, Registry: reg, Logger: log})
	if err != nil {
		return err
	}
	infos, err := engine.Layers(ctx, db.Everything())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "图层 LAYER\t名称 TITLE\t专题 THEME\t几何 GEOMETRY\t数量 COUNT\t表 TABLE\t变更 FEED")
	for _, i := range infos {
		count := strconv.FormatInt(i.Count, 10)
		if i.Err != nil {
			count = "?"
		}
		feed := "即时 live"
		if !i.HasFeed {
			feed = "定时 timed"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s.%s\t%s\n", i.Layer.ID, i.Layer.Title.ZH, i.Layer.Theme, i.Layer.Geometry, count, i.Layer.Schema, i.Layer.Table, feed)
	}
	return w.Flush()
}

func layerPublish(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "layer publish")
	var o tiles.PublishOptions
	f.StringVar(&o.ID, "id", "", "图层标识(默认取表名) · layer id, made of the table's name by default")
	f.StringVar(&o.Title, "title", "", "中文名称(默认取表注释) · title, the table's comment by default")
	f.StringVar(&o.TitleEN, "title-en", "", "英文名称 · English title")
	f.StringVar(&o.Theme, "theme", "exposure", "专题 · theme")
	f.StringVar(&o.GeomColumn, "geometry", "", "几何列(有多个时) · geometry column, when there are several")
	f.StringVar(&o.LabelField, "label", "", "标注列 · column for labels")
	f.StringVar(&o.LevelField, "level", "", "等级列,1 最重 · column of levels, 1 is the worst")
	f.StringVar(&o.KindField, "kind", "", "类型列 · column of kinds")
	f.StringVar(&o.Ladder, "ladder", "", "等级表 · ladder of the levels, e.g. risk_5")
	f.StringVar(&o.OrderBy, "order-by", "", "瓦片放不下时保留此列最大者 · keep the largest of this column when a tile must leave something out")
	f.StringVar(&o.Symbol, "symbol", "", "符号 · symbol")
	f.IntVar(&o.MinZoom, "min-zoom", 5, "最小级别 · smallest zoom")
	f.IntVar(&o.MaxZoom, "max-zoom", 16, "最大级别 · largest zoom")
	f.StringVar(&o.Visibility, "visibility", "internal", "public|internal|sensitive")
	tables, err := f.parseMixed(args)
	if err != nil {
		return err
	}
	if len(tables) != 1 {
		return usagef("应给出一个 SCHEMA.TABLE · name one SCHEMA.TABLE")
	}
	return asOwner(ctx, f, func(conn *pgx.Conn) error {
		p, err := tiles.Publish(ctx, conn, tables[0], o)
		if err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "已发布 · published: %s\n  %s, EPSG:%d, %d 行 rows, %d 字段 fields\n  /tiles/%s/{z}/{x}/{y}.mvt\n", p.Layer, p.Geometry, p.SRID, p.Rows, len(p.Fields), p.Layer)
		if p.Feed {
			fmt.Fprintln(env.stdout, "  变更即时通知 · changes are reported at once")
		}
		for _, n := range p.Notes {
			fmt.Fprintln(env.stdout, "  !", n)
		}
		return nil
	})
}

func layerUnpublish(ctx context.Context, env environment, args []string) error {
	f := newFlags(env, "layer unpublish")
	layers, err := f.parseMixed(args)
	if err != nil {
		return err
	}
	if len(layers) != 1 {
		return usagef("应给出一个图层标识 · name one layer")
	}
	return asOwner(ctx, f, func(conn *pgx.Conn) error {
		if err := tiles.Unpublish(ctx, conn, layers[0]); err != nil {
			return err
		}
		fmt.Fprintf(env.stdout, "已撤销发布,表未改动 · unpublished, the table itself stays: %s\n", layers[0])
		return nil
	})
}

// asOwner runs fn as the owner of the database: publishing grants rights and adds
// triggers, which the server's own role may not.
func asOwner(ctx context.Context, f *flags, fn func(*pgx.Conn) error) error {
	log, err := f.logger()
	if err != nil {
		return err
	}
	d, err := openOffline(ctx, f, log)
	if err != nil {
		return err
	}
	defer d.close(log)
	if d.adminDSN == "" {
		return usagef("需要属主连接 --admin-url · --admin-url is needed")
	}
	return withConn(ctx, d.adminDSN, func(conn *pgx.Conn) error {
		err := fn(conn)
		if err == nil || errors.Is(err, tiles.ErrPublish) || errors.Is(err, tiles.ErrUnknownLayer) {
			return err
		}
		return fmt.Errorf("layer: %w", err)
	})
}

// parseMixed takes flags before and after the arguments, as people write them.
func (f *flags) parseMixed(args []string) ([]string, error) {
	var words []string
	for {
		rest, err := f.parse(args)
		if err != nil {
			return nil, err
		}
		if len(rest) == 0 {
			return words, nil
		}
		words, args = append(words, rest[0]), rest[1:]
	}
}
