package papers

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
	"onemap/internal/records"
	"onemap/internal/registry"
)

//go:embed queries/*.sql
var files embed.FS

// Queries returns the package's statements for the schema test.
func Queries() (db.Queries, error) { return db.LoadQueries(files, "queries") }

// Options of a service.
type Options struct {
	DB        *db.DB
	Catalogue interface{ Now() *registry.Snapshot }
	Now       func() time.Time
}

// Service is papers and the log they tell of.
type Service struct {
	db        *db.DB
	queries   db.Queries
	catalogue interface{ Now() *registry.Snapshot }
	now       func() time.Time
}

// Open makes the service.
func Open(o Options) (*Service, error) {
	q, err := Queries()
	if err != nil {
		return nil, err
	}
	if o.DB == nil || o.Catalogue == nil {
		return nil, errors.New("papers: a database and a catalogue are needed")
	}
	s := &Service{db: o.DB, queries: q, catalogue: o.Catalogue, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("papers: %s: %w", what, err)
}

// signAfter is the rule: how long a paper that was reported first may wait for its
// signature.
func (s *Service) signAfter() time.Duration {
	rule, ok := s.catalogue.Now().Rules["response_profile"]
	var body struct {
		Hours float64 `json:"sign_after_h"`
	}
	if !ok || json.Unmarshal(rule.Body, &body) != nil || body.Hours <= 0 {
		return 24 * time.Hour
	}
	return time.Duration(body.Hours * float64(time.Hour))
}

func scan(row pgx.CollectableRow) (p Paper, err error) {
	var blocks, figures, estimates []byte
	err = row.Scan(&p.ID, &p.Kind, &p.Number, &p.Title, &p.Area, &p.Incident, &p.Response, &p.Addressee, &p.From, &p.To, &p.Exercise, &p.State, &blocks, &figures, &estimates, &p.FrozenAt, &p.SHA256,
		&p.ReviewedAt, &p.ReportedAt, &p.SignedAt, &p.ReviewedBy, &p.ReportedBy, &p.SignedBy, &p.ReportedAccount, &p.Consulted, &p.ConsultedOnDuty, &p.SignDue, &p.Late, &p.Note,
		&p.Account, &p.Actor, &p.Name, &p.Editors, &p.Version, &p.CreatedAt, &p.UpdatedAt, &p.UpdatedBy)
	if err == nil {
		err = errors.Join(json.Unmarshal(blocks, &p.Blocks), json.Unmarshal(figures, &p.Figures), json.Unmarshal(estimates, &p.Estimates))
	}
	return p, err
}

type filter struct {
	areas              geo.Scopes
	ids                []string
	kind, state        string
	incident, response string
	area               *geo.Scope
	exercise           *bool
	after              *time.Time
	afterID            string
	limit              int
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (f filter) args() []any {
	var area any
	if f.area != nil {
		area = *f.area
	}
	return []any{f.areas.String(), f.ids, f.kind, f.state, null(f.incident), null(f.response), area, f.exercise, f.after, null(f.afterID), f.limit}
}

// Papers are those of the areas the asker reads what is sensitive in.
func (s *Service) Papers(ctx context.Context, who *auth.Identity, q Query) (Page, error) {
	var out Page
	f := filter{areas: who.Reach.Of(db.Sensitive), kind: q.Kind, state: q.State, incident: q.Incident, response: q.Response, limit: 100}
	if len(f.areas) == 0 {
		return out, auth.ErrForbidden
	}
	if q.Limit > 0 {
		f.limit = min(q.Limit, 500)
	}
	var bad faults
	if q.Kind != "" && !slices.Contains(Kinds(), q.Kind) {
		bad.add("kind", "unknown", "没有此类别", "there is no such kind")
	}
	if q.State != "" && !slices.Contains([]string{Draft, Reviewed, Reported, Signed}, q.State) {
		bad.add("state", "unknown", "没有此状态", "there is no such state")
	}
	if q.Unsigned {
		f.state = Reported
	}
	for path, id := range map[string]string{"incident": q.Incident, "response": q.Response} {
		if id != "" && !records.IsID(id) {
			bad.add(path, "unknown", "没有此记录", "there is no such record")
		}
	}
	if q.Area != "" {
		a := bad.area("area", q.Area)
		f.area = &a
	}
	switch q.Exercise {
	case "", "false", "true":
		is := q.Exercise == "true"
		f.exercise = &is
	case "all":
	default:
		bad.add("exercise", "unknown", "应为 true、false 或 all", "it is true, false or all")
	}
	if q.Cursor != "" {
		micros, id, ok := strings.Cut(q.Cursor, ".")
		n, err := strconv.ParseInt(micros, 10, 64)
		if !ok || err != nil || !records.IsID(id) || n <= 0 || n >= 1<<53 {
			bad.add("cursor", "invalid", "不是此查询的游标", "it is not a cursor of this query")
		}
		at := time.UnixMicro(n)
		f.after, f.afterID = &at, id
	}
	if err := bad.err(); err != nil {
		return out, err
	}
	limit := f.limit
	f.limit++
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.queries.Get("horizon")).Scan(&out.Position); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, s.queries.Get("unsigned"), f.areas.String(), s.now()).Scan(&out.Unsigned, &out.Overdue); err != nil {
			return err
		}
		var err error
		out.Papers, err = s.list(ctx, tx, f)
		return err
	})
	if len(out.Papers) > limit {
		out.Papers = out.Papers[:limit]
		last := out.Papers[limit-1]
		out.Next = strconv.FormatInt(last.CreatedAt.UnixMicro(), 10) + "." + last.ID
	}
	return out, wrap("list", err)
}

func (s *Service) list(ctx context.Context, tx pgx.Tx, f filter) ([]Paper, error) {
	rows, err := tx.Query(ctx, s.queries.Get("papers"), f.args()...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// ByIDs are those of the papers that lie in the areas, for the streams.
func (s *Service) ByIDs(ctx context.Context, areas geo.Scopes, ids []string) (map[string]Paper, error) {
	out := map[string]Paper{}
	claims := db.Claims{Actor: "onemap", Role: "stream", Reach: db.NewReach(db.Areas{Internal: areas, Sensitive: areas})}
	err := s.db.Query.Ask(ctx, claims, s.queries.Get("papers"), filter{areas: areas, ids: ids, limit: len(ids)}.args(), func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, scan)
		for _, p := range list {
			out[p.ID] = p
		}
		return err
	})
	return out, wrap("stream", err)
}

// Paper is one of them.
func (s *Service) Paper(ctx context.Context, who *auth.Identity, id string) (Paper, error) {
	if !records.IsID(id) {
		return Paper{}, auth.ErrNotFound
	}
	var p Paper
	err := s.db.Intake.Tx(ctx, who.Reading(), func(tx pgx.Tx) (err error) {
		p, err = s.one(ctx, tx, who, id)
		return err
	})
	return p, wrap("read", err)
}

func (s *Service) one(ctx context.Context, tx pgx.Tx, who *auth.Identity, id string) (Paper, error) {
	list, err := s.list(ctx, tx, filter{areas: who.Reach.Of(db.Sensitive), ids: []string{id}, limit: 1})
	if err == nil && len(list) == 0 {
		err = auth.ErrNotFound
	}
	if err != nil {
		return Paper{}, err
	}
	return list[0], nil
}

func own(who *auth.Identity) bool { return who != nil && who.SignedIn() && who.Account != "" }

// Create drafts a paper; under an id of its maker's the same sent twice is one.
func (s *Service) Create(ctx context.Context, by auth.By, id string, n New) (Paper, error) {
	var bad faults
	if !slices.Contains(Kinds(), n.Kind) {
		bad.add("kind", "unknown", "没有此类别", "there is no such kind")
	}
	n.Title, n.Addressee = bad.text("title", n.Title, 1, 200), bad.text("addressee", n.Addressee, 0, 200)
	n.Blocks = bad.blocks(n.Blocks)
	scope := bad.area("area", n.Area)
	if n.From != nil && n.To != nil && (!n.To.After(*n.From) || n.To.Sub(*n.From) > 31*24*time.Hour) {
		bad.add("to", "out_of_range", "起止时间相反或超过 31 天", "the times are the wrong way round, or more than 31 days apart")
	}
	if id != "" && !records.IsID(id) {
		bad.add("id", "not_an_id", "应为 UUID", "it is a UUID")
	}
	if err := bad.err(); err != nil {
		return Paper{}, err
	}
	g, ok := by.Grant(auth.CommandPost, scope, s.now())
	if !ok || !own(by.Identity) {
		return Paper{}, auth.ErrForbidden
	}
	blocks, err := json.Marshal(n.Blocks)
	if err != nil {
		return Paper{}, wrap("create", err)
	}
	var out Paper
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, s.queries.Get("insert"), null(id), n.Kind, n.Title, n.Area, null(n.Incident), null(n.Response), n.Addressee, n.From, n.To, n.Exercise, blocks, by.Account, by.Name).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			if out, err = s.one(ctx, tx, by.Identity, id); errors.Is(err, auth.ErrNotFound) || err == nil && (out.Account != by.Account || out.Kind != n.Kind) {
				return clash("id_taken", "此编号已被使用，请换一个", "this id is in use: take another")
			}
			return err // said twice
		}
		if err != nil {
			return err
		}
		if out, err = s.one(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, "paper.draft", "", Paper{}, &out)
	})
	return out, wrap("create", err)
}

// Patch words a draft anew. A reviewed one is a draft again.
func (s *Service) Patch(ctx context.Context, by auth.By, id string, version int64, c Patch) (Paper, error) {
	p, err := s.Paper(ctx, by.Identity, id)
	if err != nil {
		return p, err
	}
	g, err := s.grant(by, p, auth.CommandPost)
	if err != nil {
		return p, err
	}
	var bad faults
	title, addressee, blocks := p.Title, p.Addressee, p.Blocks
	if c.Title != nil {
		title = bad.text("title", *c.Title, 1, 200)
	}
	if c.Addressee != nil {
		addressee = bad.text("addressee", *c.Addressee, 0, 200)
	}
	if c.Blocks != nil {
		blocks = bad.blocks(*c.Blocks)
	}
	if err := bad.err(); err != nil {
		return p, err
	}
	text, err := json.Marshal(blocks)
	if err != nil {
		return p, wrap("patch", err)
	}
	return s.change(ctx, by, g, id, version, "paper.edit", "", func(tx pgx.Tx, before Paper) error {
		if before.Frozen() {
			return frozen()
		}
		return s.exec(ctx, tx, "patch", id, version, title, addressee, text)
	})
}

// Estimate takes figures that were computed into a draft, in the place of those taken
// before, with a block that names them where the text has none yet. They are printed as
// estimates wherever they stand. A reviewed paper is a draft again.
func (s *Service) Estimate(ctx context.Context, by auth.By, id string, version int64, figures []Figure) (Paper, error) {
	p, err := s.Paper(ctx, by.Identity, id)
	if err != nil {
		return p, err
	}
	g, err := s.grant(by, p, auth.CommandPost)
	if err != nil {
		return p, err
	}
	var bad faults
	figures = bad.estimated(figures)
	if p.Kind == Handover {
		bad.add("kind", "handover", "交接班不放估算数", "a handover takes no estimates")
	}
	if err := bad.err(); err != nil {
		return p, err
	}
	estimates, err := json.Marshal(figures)
	if err != nil {
		return p, wrap("estimate", err)
	}
	return s.change(ctx, by, g, id, version, "paper.estimate", "", func(tx pgx.Tx, before Paper) error {
		if before.Frozen() {
			return frozen()
		}
		text, err := json.Marshal(withEstimates(before.Blocks, figures))
		if err != nil {
			return err
		}
		return s.exec(ctx, tx, "estimate", id, version, text, estimates)
	})
}

func frozen() error {
	return clash("already_signed", "已报出或签发，不能再改；请另行起草续报", "it was reported or signed and does not change: draft another")
}

func (s *Service) grant(by auth.By, p Paper, permissions ...auth.Permission) (auth.Grant, error) {
	scope, err := geo.ParseScope(p.Area)
	if err != nil {
		return auth.Grant{}, wrap("area", err)
	}
	if own(by.Identity) {
		for _, permission := range permissions {
			if g, ok := by.Grant(permission, scope, s.now()); ok {
				return g, nil
			}
		}
	}
	return auth.Grant{}, auth.ErrForbidden
}

func (s *Service) exec(ctx context.Context, tx pgx.Tx, name string, args ...any) error {
	tag, err := tx.Exec(ctx, s.queries.Get(name), args...)
	if err == nil && tag.RowsAffected() == 0 {
		err = auth.ErrStaleVersion
	}
	return err
}

// change runs one change of a paper that is held, at a version.
func (s *Service) change(ctx context.Context, by auth.By, g auth.Grant, id string, version int64, action, reason string, do func(tx pgx.Tx, before Paper) error) (Paper, error) {
	var out Paper
	err := s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("lock"), id); err != nil {
			return err
		}
		before, err := s.one(ctx, tx, by.Identity, id)
		if err != nil {
			return err
		}
		if before.Version != version {
			return auth.ErrStaleVersion
		}
		if err := do(tx, before); err != nil {
			return err
		}
		if out, err = s.one(ctx, tx, by.Identity, id); err != nil {
			return err
		}
		return s.record(ctx, tx, by, g, action, reason, before, &out)
	})
	return out, wrap(action, err)
}

func (s *Service) record(ctx context.Context, tx pgx.Tx, by auth.By, g auth.Grant, action, reason string, before Paper, p *Paper) error {
	e := audit.Entry{Doer: by.Doer(g), Action: action, Object: "papers/" + p.ID, Area: p.Area, Outcome: audit.Done, Reason: audit.Clip(reason),
		After: map[string]any{"kind": p.Kind, "title": p.Title, "state": p.State, "number": p.Number, "sha256": p.SHA256, "consulted": p.Consulted, "consulted_on_duty": p.ConsultedOnDuty, "late": p.Late, "version": p.Version}}
	if before.ID != "" {
		e.Before = map[string]any{"state": before.State, "version": before.Version}
	}
	if err := audit.Record(ctx, tx, e); err != nil {
		return err
	}
	return tx.QueryRow(ctx, s.queries.Get("position")).Scan(&p.FeedPosition)
}

// Office are the areas somebody drafts or signs papers of.
func Office(who *auth.Identity, now time.Time) geo.Scopes {
	var out geo.Scopes
	if !own(who) {
		return nil
	}
	for _, g := range who.Grants {
		if g.Valid(now) && (g.Role.May(auth.CommandPost) || g.Role.May(auth.SignPapers)) {
			out = append(out, g.Scope())
		}
	}
	return out.Normal()
}
