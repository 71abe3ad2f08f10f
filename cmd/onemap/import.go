package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"onemap/census"
	"onemap/internal/gdal"
	"onemap/internal/geo"
)

// importFlags are what onemap import takes.
type importFlags struct {
	*flags
	root, layer, sublayer, crs, encoding, issues, revert string
	accept                                               bool
}

// importCommand brings a file or a package of files in, or takes a run back.
func importCommand(ctx context.Context, env environment, args []string) error {
	f := &importFlags{flags: newFlags(env, "import")}
	f.StringVar(&f.root, "root", "", "清单中文件所在目录 · folder of a manifest's files")
	f.StringVar(&f.layer, "layer", "", "目标图层(单个文件),或只导入该图层(清单) · target layer, or only this layer of a manifest")
	f.StringVar(&f.sublayer, "source-layer", "", "文件内的图层或工作表 · layer or sheet inside the file")
	f.StringVar(&f.crs, "crs", "auto", "坐标系 auto|EPSG:n|GCJ02|BD09 · coordinate system")
	f.StringVar(&f.encoding, "encoding", "auto", "文字编码 auto|UTF-8|GBK|GB18030|Big5 · text encoding")
	f.BoolVar(&f.accept, "accept", false, "确认差异:覆盖或删除已现场核实的记录 · accept the differences to records verified in the field")
	f.StringVar(&f.issues, "issues", "", "问题清单写入此 XLSX 文件 · write everything remarked to this workbook")
	f.StringVar(&f.revert, "revert", "", "撤回某次导入 · take the run with this id back")
	words, err := f.parseMixed(args)
	if err != nil {
		return err
	}
	if (len(words) == 1) == (f.revert != "") || len(words) > 1 {
		return usagef("应给出一个文件或清单,或 --revert ID · name one FILE or MANIFEST.yaml, or --revert ID")
	}
	if f.revert == "" { // what the arguments alone tell is said before a database is started
		if !census.IsManifest(words[0]) && f.layer == "" {
			return usagef("单个文件须用 --layer 指定图层,如 --layer hazards · a single file needs --layer, such as --layer hazards")
		}
		if _, err := os.Stat(words[0]); err != nil {
			return fmt.Errorf("打不开文件 · cannot open the file: %w", err)
		}
		if _, _, err := geo.ParseCRS(f.crs); err != nil {
			return usageError{err}
		}
	}
	log, err := f.logger()
	if err != nil {
		return err
	}
	d, err := openOffline(ctx, f.flags, log)
	if err != nil {
		return err
	}
	defer d.close(log)
	im, err := newImporter(d, log)
	if err != nil {
		return err
	}
	if f.revert != "" {
		return revertImport(ctx, env, im, f.revert)
	}
	return runImport(ctx, env, im, f, words[0])
}

func newImporter(d *database, log *slog.Logger) (*census.Importer, error) {
	runner, err := gdal.New(gdal.Options{})
	if errors.Is(err, gdal.ErrMissing) {
		log.Debug("gdal", "err", err) // said again where a file needs it
	} else if err != nil {
		return nil, err
	}
	return census.NewImporter(d.Bulk, census.Options{GDAL: runner, Logger: log})
}

func runImport(ctx context.Context, env environment, im *census.Importer, f *importFlags, path string) error {
	opt := census.FileOptions{Layer: f.layer, Sublayer: f.sublayer, CRS: f.crs, Encoding: f.encoding, Root: f.root, Accept: f.accept, Actor: "command line"}
	bar := newProgressLine(env)
	opt.Progress = bar.show
	var reports []census.Report
	var failure error
	if census.IsManifest(path) {
		reports, failure = im.ImportManifest(ctx, path, opt)
	} else {
		var r census.Report
		r, failure = im.ImportFile(ctx, path, opt)
		reports = []census.Report{r}
	}
	bar.clear()
	held := int64(0)
	var ids []string
	for _, r := range reports {
		if r.Import == ([16]byte{}) { // never began
			continue
		}
		printReport(env.stdout, r)
		held += r.Counts.Rejected + r.Counts.Quarantined
		ids = append(ids, r.ID())
	}
	if len(ids) > 1 {
		printTotal(env.stdout, reports)
	}
	if f.issues != "" && len(ids) > 0 {
		if err := im.WriteIssues(ctx, f.issues, ids); err != nil {
			return errors.Join(failure, err)
		}
		fmt.Fprintf(env.stdout, "问题清单 · issues: %s\n", f.issues)
	}
	if failure != nil {
		return failure
	}
	if demo, err := im.DemoDatasets(ctx); err == nil && len(demo) > 0 {
		fmt.Fprintln(env.stdout, "库中仍有示例县数据,可用 onemap demo --remove 移除 · the demo county is still here; onemap demo --remove takes it out")
	}
	if held > 0 {
		return errRejected
	}
	return nil
}

// printReport says what became of every file, and which rules spoke.
func printReport(out io.Writer, r census.Report) {
	c := r.Counts
	fmt.Fprintf(out, "%s → %s  (%s, %s, %.1f s)\n", r.Dataset, strings.Join(r.Layers, ","), orDash(r.Encoding), orDash(r.CRS), r.Elapsed.Seconds())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "文件 file\t读入 read\t接收 accepted\t拒收 rejected\t待核实 quarantined\t未定位 unplaced\t")
	for _, name := range r.FileNames() {
		if n := r.Files[name]; n.Read > 0 {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", name, n.Read, n.Accepted, n.Rejected, n.Quarantined, n.Unplaced)
		}
	}
	_ = w.Flush()
	fmt.Fprintf(out, "  新增 inserted %d · 更新 updated %d · 未变 unchanged %d · 删除 deleted %d\n", c.Inserted, c.Updated, c.Unchanged, c.Deleted)
	for _, n := range r.Notes {
		printNotes(out, n)
	}
	for _, rc := range r.RuleCounts() {
		fmt.Fprintf(out, "  %-11s %-22s %d\n", rc.Kind, rc.Rule, rc.Count)
	}
	shown := 0
	for _, i := range r.Issues {
		if i.Kind == census.Warning {
			continue
		}
		if shown++; shown > 20 {
			fmt.Fprintln(out, "    … 其余见 --issues · the rest with --issues")
			break
		}
		fmt.Fprintf(out, "    %s 第 %d 行 row: %s: %s\n", i.File, i.Row, i.Rule, i.Message)
	}
	fmt.Fprintf(out, "  撤回 · to take it back: onemap import --revert %s\n", r.ID())
}

// printNotes says how a file was understood.
func printNotes(out io.Writer, n census.FileNotes) {
	for _, m := range n.Remarks {
		fmt.Fprintf(out, "  %s: %s\n", n.File, m)
	}
	if len(n.Mapped) > 0 {
		fmt.Fprintf(out, "  %s: 对应的列 · mapped: %s\n", n.File, strings.Join(n.Mapped, ", "))
	}
	if len(n.Unmapped) > 0 {
		fmt.Fprintf(out, "  %s: 未对应的列 · not mapped: %s (原样保存在 attrs · kept in attrs)\n", n.File, strings.Join(n.Unmapped, ", "))
	}
}

func printTotal(out io.Writer, reports []census.Report) {
	var sum census.Counts
	took := time.Duration(0)
	for _, r := range reports {
		sum.Add(r.Counts)
		took += r.Elapsed
	}
	fmt.Fprintf(out, "合计 · in all: 读入 read %d = 接收 accepted %d + 拒收 rejected %d + 待核实 quarantined %d · %.1f s\n",
		sum.Read, sum.Accepted, sum.Rejected, sum.Quarantined, took.Seconds())
}

func revertImport(ctx context.Context, env environment, im *census.Importer, id string) error {
	out, err := im.Revert(ctx, id, "command line")
	if err != nil {
		return err
	}
	fmt.Fprintf(env.stdout, "%s: 删除新增 removed %d · 恢复更新 restored %d · 找回删除 returned %d\n", out.Dataset, out.Removed, out.Restored, out.Returned)
	if len(out.Kept) == 0 {
		return nil
	}
	fmt.Fprintf(env.stdout, "以下 %d 条此后已被修改,保持原样 · changed since, left as they are:\n", len(out.Kept))
	slices.SortFunc(out.Kept, func(a, b census.Kept) int { return strings.Compare(a.Layer+a.Key, b.Layer+b.Key) })
	for _, k := range out.Kept {
		fmt.Fprintf(env.stdout, "  %s  %s  %s\n", k.Layer, k.Key, k.Name)
	}
	return nil
}

func orDash(s string) string {
	if s == "" {
		return "—"
	}
	return s
}

// progressLine shows progress: one line that is overwritten on a terminal, a plain
// line per file elsewhere.
type progressLine struct {
	env   environment
	last  time.Time
	file  string
	shown bool
}

func newProgressLine(env environment) *progressLine { return &progressLine{env: env} }

func (p *progressLine) show(file string, s census.Progress) {
	if !p.env.terminal {
		if file != p.file {
			p.file = file
			fmt.Fprintf(p.env.stderr, "导入 · importing %s\n", file)
		}
		return
	}
	if time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last, p.shown = time.Now(), true
	stage := map[string]string{"read": "读取 reading", "accept": "入库 storing", "delete": "清理 removing"}[s.Stage]
	fmt.Fprintf(p.env.stderr, "\r\x1b[K%s  %s  %d", file, stage, s.Rows)
}

func (p *progressLine) clear() {
	if p.shown {
		fmt.Fprint(p.env.stderr, "\r\x1b[K")
	}
}
