package auth

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"onemap/internal/audit"
)

// People by the sheet. A workbook is text from outside: its size is bounded before and
// after unpacking, its formulas are not computed (what a cell shows is taken as text),
// and each row that cannot be taken is named with its number.

const (
	maxSheetBytes   = 5 << 20
	maxSheetUnzip   = 64 << 20
	maxSheetPeople  = 5000
	maxSheetColumns = 64
	headerWithin    = 20
)

// column is one of the sheet's, under the names offices give it.
type column struct {
	names []string // the first in Chinese and the first in English are the template's
	en    string
	hint  string
	into  func(*NewAccount) *string
}

func peopleColumns() []column {
	return []column{
		{[]string{"用户名", "账号", "登录名", "帐号"}, "username", "小写字母开头，3 至 32 位小写字母、数字、点、横线、下划线", func(n *NewAccount) *string { return &n.Username }},
		{[]string{"姓名", "名字"}, "name", "必填", func(n *NewAccount) *string { return &n.Name }},
		{[]string{"单位代码", "行政区划代码", "区划代码", "单位"}, "unit", "单位所在行政区划代码:2、4、6、9、12 位", func(n *NewAccount) *string { return &n.Unit }},
		{[]string{"部门", "科室"}, "department", "", func(n *NewAccount) *string { return &n.Department }},
		{[]string{"职务", "岗位"}, "position", "", func(n *NewAccount) *string { return &n.Position }},
		{[]string{"电话", "手机", "联系电话", "手机号"}, "phone", "", func(n *NewAccount) *string { return &n.Phone }},
	}
}

func headerOf(cell string) int {
	plain := strings.ToLower(strings.TrimRight(strings.TrimSpace(strings.TrimPrefix(cell, "\ufeff")), "*:\uff1a "))
	return slices.IndexFunc(peopleColumns(), func(c column) bool { return plain == c.en || slices.Contains(c.names, plain) })
}

func whole(zh, en string) error { return invalid("", "bad_sheet", zh, en) }

// ReadPeople reads a workbook of people: the first sheet with a header row. The rows
// that can be read, the rows that cannot and why, or an [*Invalid] for the file.
func ReadPeople(xlsx []byte) ([]NewPerson, []RowIssue, error) {
	if len(xlsx) > maxSheetBytes {
		return nil, nil, whole("文件大于 5 MB", "the file is larger than 5 MB")
	}
	f, err := excelize.OpenReader(bytes.NewReader(xlsx), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxSheetUnzip, UnzipXMLSizeLimit: maxSheetUnzip / 4})
	if err != nil {
		return nil, nil, whole("不是可读的 XLSX 文件", "not a readable XLSX file")
	}
	defer f.Close()
	for _, sheet := range f.GetSheetList() {
		people, issues, found, err := readSheet(f, sheet)
		if err != nil || found {
			return people, issues, err
		}
	}
	return nil, nil, whole("找不到表头：至少要有“用户名”和“姓名”两列", "no header row with username and name")
}

func readSheet(f *excelize.File, sheet string) (people []NewPerson, issues []RowIssue, found bool, err error) {
	rows, err := f.Rows(sheet)
	if err != nil {
		return nil, nil, false, whole("工作表无法读取", "a sheet cannot be read")
	}
	defer rows.Close()
	var order []int // column of the sheet -> column of people, -1 for others
	seen := map[string]int{}
	for line := 1; rows.Next(); line++ {
		cells, err := rows.Columns()
		if err != nil || len(cells) > maxSheetColumns {
			return nil, nil, false, whole(fmt.Sprintf("第 %d 行无法读取或超过 %d 列", line, maxSheetColumns), fmt.Sprintf("row %d cannot be read or has more than %d columns", line, maxSheetColumns))
		}
		if order == nil {
			if order = findOrder(cells); order == nil && line >= headerWithin {
				return nil, nil, false, nil
			}
			continue
		}
		n, filled := rowOf(order, cells)
		if !filled {
			continue
		}
		if len(people)+len(issues) >= maxSheetPeople {
			return nil, nil, false, whole(fmt.Sprintf("超过 %d 人", maxSheetPeople), fmt.Sprintf("more than %d people", maxSheetPeople))
		}
		var bad Invalid
		n.check(&bad, "")
		if first, twice := seen[n.Username]; twice && n.Username != "" {
			bad.add("/username", "duplicate", fmt.Sprintf("用户名与第 %d 行重复", first), fmt.Sprintf("the user name stands in row %d already", first))
		} else {
			seen[n.Username] = line
		}
		if len(bad.Items) > 0 {
			issues = append(issues, issueOf(line, n, bad.Items))
			continue
		}
		people = append(people, NewPerson{NewAccount: n, Row: line})
	}
	if err := rows.Error(); err != nil {
		return nil, nil, false, whole("工作表无法读取", "a sheet cannot be read")
	}
	return people, issues, order != nil, nil
}

// findOrder reads a header row; nil if this is none.
func findOrder(cells []string) []int {
	order, has := make([]int, len(cells)), map[int]bool{}
	for i, c := range cells {
		order[i] = headerOf(c)
		if has[order[i]] && order[i] >= 0 {
			order[i] = -1 // a second column of one name: the first counts
		}
		has[order[i]] = true
	}
	if !has[0] || !has[1] {
		return nil
	}
	return order
}

func rowOf(order []int, cells []string) (n NewAccount, filled bool) {
	columns := peopleColumns()
	for i, c := range cells {
		if strings.TrimSpace(c) != "" {
			filled = true
		}
		if i < len(order) && order[i] >= 0 {
			*columns[order[i]].into(&n) = c
		}
	}
	return n.clean(), filled
}

func issueOf(line int, n NewAccount, faults []Fault) RowIssue {
	var zh, en []string
	for _, f := range faults {
		zh, en = append(zh, f.ZH), append(en, strings.TrimPrefix(f.Path, "/")+": "+f.EN)
	}
	short := func(s string) string { r := []rune(s); return string(r[:min(len(r), 60)]) }
	return RowIssue{Row: line, Username: short(n.Username), Name: short(n.Name), MessageZH: strings.Join(zh, ";"), Message: strings.Join(en, "; ")}
}

// PeopleTemplate is an empty workbook with the columns ReadPeople knows, as text, so
// that no program makes a number of a code.
func PeopleTemplate() ([]byte, error) {
	f := excelize.NewFile()
	defer f.Close()
	const sheet, notes = "人员", "说明"
	if err := f.SetSheetName("Sheet1", sheet); err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	if _, err := f.NewSheet(notes); err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	text, err := f.NewStyle(&excelize.Style{NumFmt: 49})
	if err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	head, err := f.NewStyle(&excelize.Style{NumFmt: 49, Font: &excelize.Font{Bold: true}})
	if err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	if err := f.SetColStyle(sheet, "A:F", text); err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	if err := f.SetColWidth(sheet, "A", "F", 20); err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	var names []any
	lines := [][]any{{"列", "Column", "填写说明"}}
	for i, c := range peopleColumns() {
		name := c.names[0]
		if i < 2 {
			name += "*"
		}
		names = append(names, name)
		lines = append(lines, []any{c.names[0], c.en, c.hint})
	}
	lines = append(lines, []any{}, []any{"一行一人。权限另由安全管理员授予；口令由本人用激活链接设定，表中不填口令。"},
		[]any{"One person per row. Rights are granted separately; everybody chooses his password by his link."})
	if err := f.SetSheetRow(sheet, "A1", &names); err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	if err := f.SetRowStyle(sheet, 1, 1, head); err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	for i, l := range lines {
		if err := f.SetSheetRow(notes, fmt.Sprintf("A%d", i+1), &l); err != nil {
			return nil, fmt.Errorf("auth: template: %w", err)
		}
	}
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		return nil, fmt.Errorf("auth: template: %w", err)
	}
	return out.Bytes(), nil
}

// ImportPeople makes the accounts of a sheet in one transaction, with a link for each.
// Rows whose name is taken or whose unit the doer does not manage are named and left
// out. A dry run writes nothing and makes no links. Rights come with grants, never with
// a sheet.
func (s *Service) ImportPeople(ctx context.Context, by By, rows []NewPerson, dryRun bool) (ImportResult, error) {
	if _, err := s.bounds(by, ManageAccounts); err != nil {
		return ImportResult{}, err
	}
	if len(rows) > maxSheetPeople {
		return ImportResult{}, whole(fmt.Sprintf("超过 %d 人", maxSheetPeople), fmt.Sprintf("more than %d people", maxSheetPeople))
	}
	rows = slices.Clone(rows)
	for i := range rows {
		rows[i].NewAccount = rows[i].clean()
	}
	// One order for all: two imports at once wait for each other and not crosswise.
	slices.SortStableFunc(rows, func(a, b NewPerson) int { return strings.Compare(a.Username, b.Username) })
	var out ImportResult
	run := func(w *work) error {
		out = ImportResult{}
		names := make([]string, len(rows))
		for i, r := range rows {
			names[i] = r.Username
		}
		taken := map[string]bool{}
		if err := w.all(func(r scanner) error {
			var n string
			err := r.Scan(&n)
			taken[n] = true
			return err
		}, "taken_usernames", names); err != nil {
			return err
		}
		var good []NewPerson
		for _, r := range rows {
			var f Invalid
			r.check(&f, "")
			if taken[r.Username] {
				f.add("/username", "username_taken", "用户名已被使用或在表中重复", "the user name is taken, or twice in the sheet")
			}
			if _, err := s.allowed(by, ManageAccounts, unitScope(r.Unit)); err != nil {
				f.add("/unit", "outside_area", "单位不在你的管理区域内", "the unit lies outside your area")
			}
			if len(f.Items) > 0 {
				out.Rejected = append(out.Rejected, issueOf(r.Row, r.NewAccount, f.Items))
				continue
			}
			taken[r.Username] = true
			good = append(good, r)
		}
		slices.SortFunc(out.Rejected, func(a, b RowIssue) int { return a.Row - b.Row })
		out.Accepted = len(good)
		if dryRun || len(good) == 0 {
			return nil
		}
		return s.addPeople(w, good, &out)
	}
	if dryRun {
		return out, s.read(ctx, by, run)
	}
	err := s.write(ctx, s.store.db.Bulk, by, Grant{}, run)
	if err != nil {
		return ImportResult{}, err
	}
	return out, nil
}

// addPeople writes all accounts by one statement each table.
func (s *Service) addPeople(w *work, good []NewPerson, out *ImportResult) error {
	n := len(good)
	columns := make([][]string, 7) // id and the six of a person
	hashes, tokens := make([][]byte, n), make([]string, n)
	var usernames []string
	for i, r := range good {
		for c, v := range []string{newID(w.now), r.Username, r.Name, r.Unit, r.Department, r.Position, r.Phone} {
			columns[c] = append(columns[c], v)
		}
		text, k := newSecret()
		hashes[i], tokens[i] = k[:], text
		usernames = append(usernames, r.Username)
	}
	if _, err := w.do("new_accounts", columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6]); err != nil {
		return err
	}
	until := w.now.Add(time.Duration(s.Security().ActivationHours) * time.Hour)
	if _, err := w.do("new_activations", hashes, columns[0], w.now, until, w.by.account()); err != nil {
		return err
	}
	for i, r := range good {
		out.Activations = append(out.Activations, Activation{Account: columns[0][i], Username: r.Username, Name: r.Name, Token: tokens[i], Expires: until})
	}
	// One row for the sheet: it names everybody. The area is the doer's.
	g, area := Grant{}, ""
	if !w.by.CLI {
		g, _ = w.by.Grant(ManageAccounts, unitScope(good[0].Unit), w.now)
		area = g.Area
	}
	return w.record(audit.Entry{Doer: w.by.Doer(g), Action: "account.import", Object: fmt.Sprintf("%d accounts", n), Area: area, After: map[string]any{"usernames": usernames}})
}
