package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/internal/db"
	"onemap/internal/geo"
)

// What a desk is asked about.
const (
	Conflicts  = "conflict"
	Quarantine = "quarantine"
)

// The errors of a desk.
var (
	// ErrDecided: somebody decided it already. 409.
	ErrDecided = errors.New("sync: decided already")
	// ErrTownshipFirst: it is the township's until its hours are over. 409.
	ErrTownshipFirst = errors.New("sync: the township's desk is first")
	// ErrMoved: the record is not what the desk looked at. 412.
	ErrMoved = errors.New("sync: the record changed meanwhile")
)

// InvalidError is a decision that cannot be carried out as it is. 422.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string { return "sync: " + e.Problems[0].Code }

func invalid(code, path string, w Words) error {
	return &InvalidError{[]Problem{{Code: code, Words: w, Path: path}}}
}

// DeskQuery asks for cases, the oldest first, decided ones the newest first.
type DeskQuery struct {
	Sort   string
	Done   bool
	Area   geo.Scopes // nil: all of his
	Limit  int
	After  time.Time // of the last of the page before, with AfterID
	AfterI string
}

// Case is an operation a person has to decide on.
type Case struct {
	ID, OpID, Sort  string
	Scope           geo.Scope
	Kind, Object    string
	Title           string
	Code            string
	Reason          Words
	Path            string // into the operation
	Account         string
	Who, Name       string
	Device          string
	Captured        *time.Time
	Received        time.Time
	Marks           []string
	Accuracy        float64
	Position        *orb.Point
	Datum           geo.CRS
	County          bool // the township's hours are over
	Created, Due    time.Time
	Fields          map[string]Difference
	Shapes          *Shapes
	Photos          []string
	Do, To, Note    string
	Body            json.RawMessage // as it came
	Status          Status          // of the operation now
	Version         int64           // of the record, of a single case; 0: it is not there
	Done            bool
	Outcome         string
	Choices         json.RawMessage
	DecisionNote    string
	DecidedAt       *time.Time
	DecidedBy       string
	DecidedName     string
	op              *Op
	conflictDeleted bool
}

// township is how wide a scope within a township is at most.
func township(s geo.Scope) bool { return s.Hi-s.Lo < 10_000_000 }

// desks are the areas somebody decides in, and those of them that are a township's.
func (s *Service) desks(who auth.By) (all, first geo.Scopes, err error) {
	all, first = geo.Scopes{}, geo.Scopes{}
	if !who.SignedIn() || who.Account == "" {
		return nil, nil, auth.ErrForbidden
	}
	now := s.opts.Now()
	for _, g := range who.Grants {
		if !g.Valid(now) || !g.Role.May(auth.WorkDesk) {
			continue
		}
		all = append(all, g.Scope())
		if township(g.Scope()) {
			first = append(first, g.Scope())
		}
	}
	if len(all) == 0 {
		return nil, nil, auth.ErrForbidden
	}
	return all.Normal(), first.Normal(), nil
}

// Desk lists what waits for a decision, or was decided, in the areas of the asker's desks.
func (s *Service) Desk(ctx context.Context, who auth.By, q DeskQuery) (out []Case, more bool, err error) {
	all, first, err := s.desks(who)
	if err != nil {
		return nil, false, err
	}
	if q.Limit <= 0 || q.Limit > 1000 {
		q.Limit = 100
	}
	state := "open"
	if q.Done {
		state = "done"
	}
	var after *time.Time
	if !q.After.IsZero() {
		after = &q.After
	}
	now := s.opts.Now()
	err = s.opts.DB.Query.Ask(ctx, who.Reading(), s.queries.Get("cases"), []any{q.Sort, state, all, first, now, q.Area, after, null(q.AfterI), q.Limit + 1}, func(rows pgx.Rows) error {
		for rows.Next() {
			c, err := s.scanCase(rows, now)
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("sync: desk: %w", err)
	}
	if len(out) > q.Limit {
		return out[:q.Limit], true, nil
	}
	return out, false, nil
}

func (s *Service) scanCase(row pgx.Row, now time.Time) (Case, error) {
	var c Case
	var reason, fields, shapes, choices []byte
	var body, state string
	err := row.Scan(&c.ID, &c.OpID, &c.Sort, &c.Scope, &c.Code, &reason, &fields, &shapes, &c.Created, &c.Due, &state, &c.Outcome, &choices, &c.DecisionNote,
		&c.DecidedAt, &c.DecidedBy, &c.DecidedName, &c.Kind, &c.Object, &c.Who, &c.Name, &c.Device, &c.Captured, &c.Received, &body, &c.Account, &c.Status, &c.Marks)
	if err != nil {
		return c, err
	}
	var words struct{ Zh, En, Path, Title string }
	_ = json.Unmarshal(reason, &words)
	c.Reason, c.Path = Words{words.Zh, words.En}, words.Path
	_ = json.Unmarshal(fields, &c.Fields)
	if len(shapes) > 0 {
		_ = json.Unmarshal(shapes, &c.Shapes)
	}
	c.Choices, c.Body = choices, json.RawMessage(body)
	c.Done, c.County = state == "done", !now.Before(c.Due)
	o := Parse(c.Account, 0, c.Body)
	c.op, c.Do, c.To, c.Note, c.Photos = o, o.Do, o.To, o.Note, o.Blobs
	c.Accuracy, c.Position, c.Datum = o.Accuracy, o.Position, o.Datum
	_, c.conflictDeleted = c.Fields[deletedKey]
	if c.Sort == Quarantine {
		c.Fields = map[string]Difference{}
		for name, e := range o.Fields {
			c.Fields[name] = Difference{Base: orNull(e.Base), Mine: orNull(e.Value), Theirs: json.RawMessage("null")}
		}
		if o.HasShape {
			c.Shapes = &Shapes{Base: geoJSON(o.ShapeOf), Mine: geoJSON(o.Shape)}
		}
	}
	c.Title = s.title(c, o, words.Title)
	return c, nil
}

// title is what a person calls the thing: the record as it stood, else what was sent, else
// what he who sent it had before his eyes.
func (s *Service) title(c Case, o *Op, record string) string {
	kind := c.Kind
	if k, ok := s.kinds[c.Kind]; ok {
		kind = k.Dictionary().Title.Zh
	}
	values, bases := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for name, e := range o.Fields {
		values[name], bases[name] = e.Value, e.Base
	}
	for _, text := range []string{record, called(values), called(bases)} {
		if text != "" {
			return kind + ":" + text
		}
	}
	return kind
}

// called is the name a record goes by, "" where none of its fields is one.
func called(fields map[string]json.RawMessage) string {
	for _, name := range []string{"name", "title", "place", "description"} {
		var text string
		if json.Unmarshal(fields[name], &text) == nil && strings.TrimSpace(text) != "" {
			return clip(strings.TrimSpace(text), 60)
		}
	}
	return ""
}

// Case gives one, with the record as it is now beside it.
func (s *Service) Case(ctx context.Context, who auth.By, sort, id string) (Case, error) {
	all, _, err := s.desks(who)
	if err != nil {
		return Case{}, err
	}
	c, err := s.find(ctx, who, sort, id, all)
	if err != nil || c.Done {
		return c, err
	}
	k, ok := s.kinds[c.Kind]
	if !ok || c.Object == "" {
		return c, nil
	}
	g, ok := who.Grant(auth.WorkDesk, c.Scope, s.opts.Now())
	if !ok {
		return c, nil
	}
	err = s.opts.DB.Intake.Tx(ctx, who.Writing(g), func(tx pgx.Tx) error {
		rec, err := k.Load(ctx, tx, who, c.Object)
		if errors.Is(err, ErrAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		name := rec.By
		if err := tx.QueryRow(ctx, s.queries.Get("wrote"), c.Object, rec.By).Scan(&name); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		c.beside(rec, name)
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("sync: case: %w", err)
	}
	return c, nil
}

// beside puts the record as it stands beside what was sent.
func (c *Case) beside(rec Record, by string) {
	c.Version = rec.Version
	at := rec.At
	for name, d := range c.Fields {
		if name == deletedKey {
			continue
		}
		d.Theirs, d.TheirsBy, d.TheirsAt = orNull(rec.Fields[name]), by, &at
		c.Fields[name] = d
	}
	if c.Shapes != nil {
		c.Shapes.Theirs = geoJSON(rec.Geometry)
	}
}

func (s *Service) find(ctx context.Context, who auth.By, sort, id string, all geo.Scopes) (c Case, err error) {
	if _, ok := ParseID(id); !ok {
		return c, ErrAbsent
	}
	found := false
	now := s.opts.Now()
	err = s.opts.DB.Query.Ask(ctx, who.Reading(), s.queries.Get("case"), []any{sort, id, all}, func(rows pgx.Rows) error {
		for rows.Next() {
			if c, err = s.scanCase(rows, now); err != nil {
				return err
			}
			found = true
		}
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("sync: case: %w", err)
	}
	if !found {
		return c, ErrAbsent
	}
	return c, nil
}

// claims of somebody at a desk.
func (s *Service) deskGrant(who auth.By, c Case) (auth.Grant, db.Claims, error) {
	g, ok := who.Grant(auth.WorkDesk, c.Scope, s.opts.Now())
	if !ok {
		return g, db.Claims{}, ErrAbsent
	}
	if !c.County {
		_, first, err := s.desks(who)
		if err != nil {
			return g, db.Claims{}, err
		}
		if !first.Contains(c.Scope) {
			return g, db.Claims{}, ErrTownshipFirst
		}
	}
	return g, who.Writing(g), nil
}
