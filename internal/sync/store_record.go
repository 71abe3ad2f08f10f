package sync

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"onemap/internal/auth"
	"onemap/internal/geo"
)

// record writes the verdict into the log, in the transaction of what it tells of.
func (t *attempt) record(ctx context.Context, out outcome) (r Result, ready string, err error) {
	if t.scope.IsNull() {
		t.scope = geo.Everywhere()
	}
	if t.late {
		t.mark("gap")
	} else if t.o.Seq > 0 && t.o.Seq <= t.applied && !t.waited {
		t.mark("late")
	}
	r = t.result(t.o, out.status)
	r.Version, r.Conflict, r.Shapes, r.Problem = out.version, out.conflict, out.shapes, out.problem
	answer, err := json.Marshal(verdict{Conflict: out.conflict, Shapes: out.shapes, Problem: out.problem})
	if err != nil {
		return r, "", fmt.Errorf("sync: answer: %w", err)
	}
	var b pgx.Batch
	marks := t.marks
	if marks == nil {
		marks = []string{}
	}
	o := t.o
	if t.waited {
		b.Queue(t.queries.Get("settle_op"), o.ID, string(out.status), json.RawMessage(answer), marks, t.scope, null(t.grant.ID), nullInt(out.version))
	} else {
		var until, captured *time.Time
		if out.status == Waiting {
			u := t.received.Add(gapWait)
			until = &u
		}
		if !o.Captured.IsZero() {
			captured = &o.Captured
		}
		b.Queue(t.queries.Get("add_op"), o.ID, o.Hash[:], t.by.Account, t.by.Name, t.device, nullInt(o.Seq), o.Kind, null(o.Object), o.Do, string(o.Raw),
			string(out.status), json.RawMessage(answer), marks, t.scope, null(t.grant.ID), nullInt(out.version), captured, t.received, until)
	}
	if out.status == Conflict || out.status == Quarantined {
		t.queueCase(&b, out)
	}
	if out.status == Conflict || out.status == Quarantined {
		t.photosOfCase(ctx)
	}
	if t.waited {
		// He was told that it waits; now he is told what became of it.
		zh, en := (*string)(nil), (*string)(nil)
		if out.problem != nil {
			zh, en = &out.problem.Words.Zh, &out.problem.Words.En
		}
		b.Queue(t.queries.Get("tell"), o.ID, string(out.status), nil, nil, zh, en)
	}
	if o.Seq > 0 && out.status != Waiting {
		b.Queue(t.queries.Get("advance"), t.by.Account, t.device, o.Seq).QueryRow(func(row pgx.Row) error { return row.Scan(&t.applied, &ready) })
	} else if o.Seq > 0 {
		b.Queue(t.queries.Get("advance"), t.by.Account, t.device, int64(0)).QueryRow(func(row pgx.Row) error {
			var none string
			return row.Scan(&t.applied, &none)
		})
	}
	b.Queue(t.queries.Get("position")).QueryRow(func(row pgx.Row) error { return row.Scan(&r.Position) })
	if err := t.tx.SendBatch(ctx, &b).Close(); err != nil {
		return r, "", fmt.Errorf("sync: write down: %w", err)
	}
	return r, ready, nil
}

// photosOfCase lets the desk see the photos of what no record shows, or of what is gone. Whatever is wrong
// with them, the operation is kept.
func (t *attempt) photosOfCase(ctx context.Context) {
	if t.opts.Blobs == nil || len(t.o.Blobs) == 0 || t.o.Object == "" || t.kinds[t.o.Kind] == nil {
		return
	}
	err := pgx.BeginFunc(ctx, t.tx, func(tx pgx.Tx) error {
		return t.opts.Blobs.Refer(ctx, tx, t.by, t.o.Blobs, t.o.Kind, t.o.Object, t.o.ID, t.scope)
	})
	if err != nil {
		t.opts.Logger.Warn("sync: photos of a quarantined operation", "op", t.o.ID, "err", err)
	}
}

func (t *attempt) queueCase(b *pgx.Batch, out outcome) {
	sort := "quarantine"
	if out.status == Conflict {
		sort = "conflict"
	}
	reason := out.problem
	if reason == nil {
		reason = &Problem{Code: out.code, Words: conflictWords(out.code)}
	}
	words := map[string]string{"zh": reason.Words.Zh, "en": reason.Words.En, "path": reason.Path}
	if t.name != "" {
		words["title"] = t.name
	}
	fields := out.conflict
	if fields == nil {
		fields = map[string]Difference{}
	}
	b.Queue(t.queries.Get("add_case"), t.o.ID, sort, t.scope, reason.Code, words, fields, out.shapes, deskRoles(), t.received.Add(t.countyAfter()))
}

func conflictWords(code string) Words {
	switch code {
	case "edited_what_was_deleted":
		return Words{"别人已删除，他还在修改", "Somebody deleted it while he was editing."}
	case "deleted_what_was_edited":
		return Words{"他要删除，别人已修改", "He deleted what somebody edited meanwhile."}
	}
	return Words{"别人也改过", "Somebody else changed it too."}
}

// countyAfter is how long a case is the township's alone.
func (s *Service) countyAfter() time.Duration {
	var body struct {
		Hours *float64 `json:"desk_county_after_h"`
	}
	if rule, ok := s.opts.Catalogue.Now().Rules["field_work"]; ok && json.Unmarshal(rule.Body, &body) == nil && body.Hours != nil && *body.Hours >= 0 && *body.Hours <= 24*30 {
		return time.Duration(*body.Hours * float64(time.Hour))
	}
	return 4 * time.Hour
}

func deskRoles() []string {
	var out []string
	for _, r := range auth.Roles() {
		if r.Role.May(auth.WorkDesk) {
			out = append(out, string(r.Role))
		}
	}
	return out
}

func geoJSON(g orb.Geometry) json.RawMessage {
	if g == nil {
		return nil
	}
	raw, err := geojson.NewGeometry(g).MarshalJSON()
	if err != nil {
		return nil
	}
	return raw
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func nullInt(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// Told is news for the senders of what made a record: who has seen it, and in which words.
type Told struct {
	Kind, ID string
	SeenBy   string
	SeenAt   time.Time
	Reason   Words
}

// Tell puts a receipt on its way to the phones, in the transaction of what it tells of.
func (s *Service) Tell(ctx context.Context, tx pgx.Tx, n Told) error { return Tell(ctx, tx, n) }

// Tell is for the domains, which have no engine: it goes to the senders of all operations
// that made the record, whoever acts.
func Tell(ctx context.Context, tx pgx.Tx, n Told) error {
	var at *time.Time
	if !n.SeenAt.IsZero() {
		at = &n.SeenAt
	}
	q, err := Queries()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, q.Get("tell_object"), n.Kind, n.ID, null(n.SeenBy), at, null(n.Reason.Zh), null(n.Reason.En)); err != nil {
		return fmt.Errorf("sync: tell: %w", err)
	}
	return nil
}
