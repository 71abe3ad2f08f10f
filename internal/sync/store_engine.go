package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/db"
)

// Patience with what is missing and with clocks.
const (
	gapWait   = 5 * 24 * time.Hour
	clockMost = 24 * time.Hour
)

// Result is the verdict on one operation.
type Result struct {
	Index    int
	OpID     string // as it was sent, or the id the log gave it
	Kind, ID string
	Status   Status
	// Was is how an operation stands that was delivered again.
	Was      Status
	Version  int64
	Conflict map[string]Difference
	Shapes   *Shapes // of a conflict about the place
	Problem  *Problem
	Position string // "" where nothing was written
}

// Problem is what is wrong with an operation, in words its sender understands.
type Problem struct {
	Code  string `json:"code"`
	Words Words  `json:"words"`
	Path  string `json:"path,omitempty"`
}

// Shapes are the places of a conflict, GeoJSON.
type Shapes struct {
	Base   json.RawMessage `json:"base,omitempty"`
	Mine   json.RawMessage `json:"mine,omitempty"`
	Theirs json.RawMessage `json:"theirs,omitempty"`
}

// Retry is no verdict: the operation was not received, and the device sends it again.
const Retry Status = "retry"

// Send takes a delivery: one verdict per operation, in the order they were sent. An
// error means that nothing at all was received.
func (s *Service) Send(ctx context.Context, by auth.By, b Batch) ([]Result, error) {
	if !by.SignedIn() || by.Account == "" {
		return nil, auth.ErrForbidden
	}
	received := s.opts.Now().UTC()
	ops := make([]*Op, len(b.Ops))
	for i, raw := range b.Ops {
		ops[i] = Parse(by.Account, i, raw)
	}
	out := make([]Result, len(ops))
	for i, o := range ops {
		out[i] = s.result(o, Retry)
	}
	left, err := s.repeated(ctx, by, ops, out)
	if err != nil {
		return nil, err
	}
	// 险情 first, then as the device made them.
	slices.SortStableFunc(left, func(x, y *Op) int {
		if u, v := s.urgent(x), s.urgent(y); u != v {
			if u {
				return -1
			}
			return 1
		}
		if x.Seq > 0 && y.Seq > 0 && x.Seq != y.Seq {
			return int(max(-1, min(1, x.Seq-y.Seq)))
		}
		return x.Index - y.Index
	})
	d := delivery{Service: s, by: by, device: b.Device, received: received, lowest: lowest(left)}
	done := len(ops) - len(left)
	var first error
	for _, o := range left {
		res, err := d.take(ctx, o)
		if err != nil {
			first = err
			if ctx.Err() != nil || errors.Is(err, db.ErrUnavailable) || errors.Is(err, db.ErrBusy) {
				break
			}
			s.opts.Logger.Warn("sync: operation not received", "op", o.ID, "err", err)
			if o.Seq > 0 && !s.urgent(o) {
				break // what follows must not overtake it
			}
			continue
		}
		out[o.Index] = res
		done++
	}
	if done == 0 && first != nil {
		return nil, first
	}
	d.report(ctx, out)
	if w, ok := s.opts.Feed.(interface{ Wake() }); ok && len(left) > 0 {
		w.Wake()
	}
	return out, nil
}

func lowest(ops []*Op) int64 {
	least := int64(0)
	for _, o := range ops {
		if o.Seq > 0 && (least == 0 || o.Seq < least) {
			least = o.Seq
		}
	}
	return least
}

func (s *Service) result(o *Op, st Status) Result {
	id := o.Given
	if id == "" {
		id = o.ID
	}
	return Result{Index: o.Index, OpID: id, Kind: o.Kind, ID: o.Object, Status: st}
}

// repeated answers at once, in one round trip, what is in the log already; the rest is
// left to take.
func (s *Service) repeated(ctx context.Context, by auth.By, ops []*Op, out []Result) (left []*Op, err error) {
	ids := make([]string, len(ops))
	for i, o := range ops {
		ids[i] = o.ID
	}
	type row struct {
		hash []byte
		k    known
	}
	found := map[string]row{}
	err = s.opts.DB.Intake.Ask(ctx, by.Reading(), s.queries.Get("known_all"), []any{ids, by.Account}, func(rows pgx.Rows) error {
		for rows.Next() {
			var id string
			var r row
			if err := rows.Scan(&id, &r.hash, &r.k.status, &r.k.answer, &r.k.version, &r.k.object, &r.k.kind); err != nil {
				return err
			}
			found[id] = r
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sync: known operations: %w", err)
	}
	for i, o := range ops {
		r, ok := found[o.ID]
		switch {
		case !ok:
			left = append(left, o)
		case string(r.hash) != string(o.Hash[:]):
			left = append(left, o)
		default:
			out[i] = s.again(o, r.k)
		}
	}
	return left, nil
}

// known is an operation in the log.
type known struct {
	status  Status
	answer  []byte
	version int64
	object  string
	kind    string
}

// verdict is what the log keeps of an answer beside the status.
type verdict struct {
	Conflict map[string]Difference `json:"conflict,omitempty"`
	Shapes   *Shapes               `json:"geometry,omitempty"`
	Problem  *Problem              `json:"problem,omitempty"`
}

// again is the answer to what was delivered before: what became of it.
func (s *Service) again(o *Op, k known) Result {
	r := s.result(o, Duplicate)
	var v verdict
	_ = json.Unmarshal(k.answer, &v)
	r.Was, r.Version, r.Kind, r.ID = k.status, k.version, k.kind, k.object
	if k.status != Applied && k.status != Merged {
		r.Conflict, r.Shapes, r.Problem = v.Conflict, v.Shapes, v.Problem
	}
	if k.status == Waiting {
		r.Status = Waiting
	}
	return r
}

// taken is the answer where the id names another operation, one's own or somebody's.
func (s *Service) taken(o *Op) Result {
	r := s.result(o, Rejected)
	r.Problem = &Problem{Code: "op_id_taken", Words: Words{"操作编号已用于别的内容", "The id of the operation is used for something else."}, Path: "/op_id"}
	return r
}

// delivery is a batch being taken.
type delivery struct {
	*Service

	by       auth.By
	device   string
	received time.Time
	lowest   int64
	late     bool // it is the sweep that applies what waited too long
}

// take brings one operation to its verdict, each in a transaction of its own, and then
// those that waited for it.
func (d delivery) take(ctx context.Context, o *Op) (Result, error) {
	r, ready, err := d.settle(ctx, o)
	for err == nil && ready != "" {
		ready, err = d.release(ctx, ready, false)
		if err != nil {
			d.opts.Logger.Warn("sync: an operation that waited stays waiting", "err", err)
			return r, nil
		}
	}
	return r, err
}

// settle tries an operation; what a kind or the database refuses is written down in a
// second transaction, so that nothing of the attempt stays.
func (d delivery) settle(ctx context.Context, o *Op) (Result, string, error) {
	var refused *Refusal
	for try := 0; ; try++ {
		t := &attempt{delivery: d, o: o, refused: refused}
		r, ready, err := t.run(ctx)
		if err == nil {
			return r, ready, nil
		}
		var ref *Refusal
		switch {
		case errors.As(err, &ref) && ref.Code == "op_id_taken":
			return d.stranger(ctx, o)
		case errors.As(err, &ref) && refused == nil:
			refused = ref
		case isTaken(err, "sync_op_pkey"):
			// The id is in the log, and not as ours; or ours, brought by another request now.
			if r, ok, err := d.mine(ctx, o); err != nil || ok {
				return r, "", err
			}
			return d.stranger(ctx, o)
		case transient(err) && try < 3:
		case refused == nil && d.meaning(ctx, err) != nil:
			refused = d.meaning(ctx, err)
			d.opts.Logger.Warn("sync: operation kept for a person", "op", o.ID, "kind", o.Kind, "code", refused.Code, "err", err)
		default:
			return Result{}, "", err
		}
	}
}

// stranger keeps an operation whose id names another one, under a name of its own: what
// it says is not lost, and the device's numbering goes on. The answer is the same however
// often it comes, and whoever's the id is.
func (d delivery) stranger(ctx context.Context, o *Op) (Result, string, error) {
	answer := d.taken(o)
	other := *o
	other.ID = nameOf(d.by.Account, o.Hash)
	t := &attempt{delivery: d, o: &other, refused: &Refusal{Verdict: Rejected, Code: answer.Problem.Code, Words: answer.Problem.Words, Path: answer.Problem.Path}}
	_, ready, err := t.run(ctx)
	if isTaken(err, "sync_op_pkey") {
		err = nil // another request kept it just now
	}
	return answer, ready, err
}

// mine looks an operation up after another request brought it.
func (d delivery) mine(ctx context.Context, o *Op) (r Result, ok bool, err error) {
	out := []Result{{}}
	one := *o
	one.Index = 0
	left, err := d.repeated(ctx, d.by, []*Op{&one}, out)
	if err != nil || len(left) > 0 {
		return Result{}, false, err
	}
	out[0].Index = o.Index
	return out[0], true, nil
}

func isTaken(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505" && pg.ConstraintName == constraint
}

// transient says whether the same transaction may simply be tried anew.
func transient(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// meaning turns what went wrong in a kind into a verdict; nil when it is nobody's fault
// and the operation was simply not received.
func (d delivery) meaning(ctx context.Context, err error) *Refusal {
	var pg *pgconn.PgError
	if errors.Is(err, db.ErrBusy) || errors.Is(err, db.ErrUnavailable) || ctx.Err() != nil {
		return nil //nolint:nilerr // no verdict is the answer
	}
	if !errors.As(err, &pg) {
		if errors.As(err, new(*attemptError)) {
			return &Refusal{Verdict: Quarantined, Code: "internal_error", Words: Words{"系统处理时出错，已保留", "Something went wrong here; it is kept."}}
		}
		return nil
	}
	switch {
	case pg.Code == "42501":
		return &Refusal{Verdict: Quarantined, Code: "outside_area", Words: outsideWords}
	case pg.Code == "23505":
		return &Refusal{Verdict: Rejected, Code: "id_taken", Words: Words{"记录编号已被使用", "The id of the record is used already."}, Path: "/id"}
	case pg.Code == "57014":
		return &Refusal{Verdict: Quarantined, Code: "too_costly", Words: Words{"处理耗时过长，已保留", "It took too long; it is kept."}}
	case pg.Code[:2] == "22", pg.Code[:2] == "23", pg.Code[:2] == "55" && pg.Code != "55P03", pg.Code[:2] == "OM", pg.Code == "P0001", pg.Code[:2] == "XX", pg.Code[:2] == "42", pg.Code[:2] == "54":
		return &Refusal{Verdict: Quarantined, Code: "cannot_be_stored", Words: Words{"内容无法入库，已保留", "It cannot be stored as it is; it is kept."}}
	}
	return nil
}

// attemptError is an error of a kind that is neither a refusal nor the database's.
type attemptError struct{ err error }

func (e *attemptError) Error() string { return e.err.Error() }
func (e *attemptError) Unwrap() error { return e.err }

// guard runs a kind's method; a panic is an error of that operation only.
func guard[T any](kind string, fn func() (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &attemptError{fmt.Errorf("sync: kind %s panicked: %v\n%s", kind, p, debug.Stack())}
		}
	}()
	out, err = fn()
	var pg *pgconn.PgError
	var ref *Refusal
	if err != nil && !errors.As(err, &pg) && !errors.As(err, &ref) && !errors.Is(err, ErrAbsent) {
		err = &attemptError{err}
	}
	return out, err
}

// report writes one row of the audit for the delivery; what each operation did is in the
// log of operations.
func (d delivery) report(ctx context.Context, out []Result) {
	counts, fresh := map[Status]int{}, 0
	last := ""
	for _, r := range out {
		counts[r.Status]++
		if r.Status != Duplicate && r.Status != Retry {
			fresh++
		}
		if r.Position != "" {
			last = r.Position
		}
	}
	if fresh == 0 {
		return
	}
	// It was done, whether or not its sender still listens.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	g := d.anyGrant()
	err := d.opts.DB.Intake.Tx(ctx, d.by.Writing(g), func(tx pgx.Tx) error {
		return audit.Record(ctx, tx, audit.Entry{Doer: d.by.Doer(g), Action: "sync.send", Object: "device/" + clip(d.device, 200), Area: g.Area,
			After: map[string]any{"operations": len(out), "verdicts": counts, "position": last}})
	})
	if err != nil {
		d.opts.Logger.Warn("sync: audit of a delivery", "err", err)
	}
}

// grants are those that let the person write now.
func (d delivery) grants() []auth.Grant {
	var out []auth.Grant
	for _, g := range d.by.Grants {
		if g.Valid(d.received) && g.Role.May(auth.WriteFeatures) {
			out = append(out, g)
		}
	}
	slices.SortStableFunc(out, func(a, b auth.Grant) int {
		x, y := a.Scope(), b.Scope()
		return int(max(-1, min(1, (x.Hi-x.Lo)-(y.Hi-y.Lo))))
	})
	return out
}

func (d delivery) anyGrant() auth.Grant {
	if all := d.grants(); len(all) > 0 {
		return all[0]
	}
	return auth.Grant{}
}

// writingRoles are the roles that report.
func writingRoles() []string {
	var out []string
	for _, r := range auth.Roles() {
		if r.Role.May(auth.WriteFeatures) {
			out = append(out, string(r.Role))
		}
	}
	return out
}

var outsideWords = Words{"不在您的责任区内，已保留待核实", "It is outside your area; it is kept for the office to look at."}
