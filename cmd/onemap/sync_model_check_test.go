package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// loggedOp is an operation as the log has it, with what the desk made of it.
type loggedOp struct {
	ID, Kind, Object, Device, Op, Status, First string
	Body                                        struct {
		Fields map[string]struct {
			Base  json.RawMessage
			Value any
		}
		Geometry    json.RawMessage
		SrcCRS      string `json:"src_crs"`
		BaseVersion int64  `json:"base_version"`
	}
	Answer struct {
		Conflict map[string]any
		Geometry any
	}
	SettledAt time.Time
	Sort      string // of its case, "" without
	Outcome   string
	Choices   map[string]json.RawMessage
	DecidedAt time.Time
}

func (w *modelWorld) log() map[string]loggedOp {
	out := map[string]loggedOp{}
	for _, line := range w.lines(`select jsonb_build_object('ID', o.op_id, 'Kind', o.kind, 'Object', coalesce(o.object::text, ''), 'Device', o.device, 'Op', o.op, 'Status', o.status, 'First', o.first, 'Body', o.body::jsonb,
		'Answer', o.answer::jsonb, 'SettledAt', o.settled_at, 'Sort', coalesce(c.sort, ''), 'Outcome', coalesce(c.outcome, ''), 'Choices', coalesce(c.choices::jsonb, '{}'), 'DecidedAt', coalesce(c.decided_at, 'epoch'))::text
		from sync_op o left join sync_case c using (op_id)`) {
		var l loggedOp
		w.must(json.Unmarshal([]byte(line), &l))
		out[l.ID] = l
	}
	return out
}

// check is what must hold at the end.
func (w *modelWorld) check() {
	log := w.log()
	w.checkOperations(log)
	w.checkCases()
	w.checkReplay(log)
	w.checkTokens(log)
	w.checkPhotos(log)
	w.checkReplicas()
	w.checkOffice()
	w.checkMix()
}

// checkOperations: every operation is in the log once, as its sender was told.
func (w *modelWorld) checkOperations(log map[string]loggedOp) {
	t := w.t
	for id, o := range w.ops {
		l, ok := log[id]
		if !ok {
			t.Errorf("operation %s of %s, kind %s, is not in the log", id, o.device, o.kind)
			continue
		}
		if l.Device != o.device || l.Kind != o.kind || l.Object != o.object {
			t.Errorf("operation %s is in the log as %+v", id, l)
		}
	}
	if len(log) != len(w.ops) {
		t.Errorf("%d operations in the log, the phones made %d", len(log), len(w.ops))
	}
	for _, p := range w.phones {
		for id, word := range p.told {
			if l := log[id]; l.Status != word {
				t.Errorf("%s believes %s is %s; it is %s (first %s, case %s %s)", p.device, id, word, l.Status, l.First, l.Sort, l.Outcome)
			}
		}
	}
	// What a device edits of what it made itself finds it, in whatever order they arrive.
	for _, line := range w.lines(`select o.op_id || ' ' || o.kind || ' #' || o.device_seq || ' after #' || m.device_seq from sync_op o join sync_op m on m.object = o.object and m.device = o.device and m.account = o.account
		and m.device_seq < o.device_seq and m.status = 'applied' and m.op = 'put' and m.body::jsonb->'base_version' is null
		where o.answer->'problem'->>'code' = 'record_absent' and not exists (select from sync_op d where d.object = o.object and (d.op = 'delete' and d.status in ('applied', 'merged') or d.status = 'conflict'))
		and exists (select from hazards h where h.id = o.object) and not exists (select from auth.role_grant g where g.account = o.account and g.revoked_at is not null)`) {
		t.Errorf("out of order: %s", line)
	}
	// What a device made after something else was done after it; only 险情 overtakes.
	if n := w.count(`select count(distinct b.op_id) from sync_op b join sync_op a using (account, device) where a.device_seq < b.device_seq and a.settled_at > b.settled_at
		and b.kind <> 'incident_reports' and b.answer->'problem'->>'code' is null`); n != 0 {
		t.Errorf("%d operations overtook an earlier one of their device", n)
	}
	if n := w.count(`select count(*) from sync_op where status = 'waiting'`); n != 0 {
		t.Errorf("%d operations wait for what came long ago", n)
	}
	for _, line := range w.lines(`select device || ': ' || count(*) || ' of ' || max(device_seq) || ', at ' || (select d.applied from sync_device d where (d.account, d.device) = (o.account, o.device))
		from sync_op o where device_seq is not null group by account, device having count(distinct device_seq) <> max(device_seq) or (select d.applied from sync_device d where (d.account, d.device) = (o.account, o.device)) <> max(device_seq)`) {
		t.Errorf("the numbering of %s", line)
	}
	if n := w.count(`select count(*) from sync_op where answer->'problem'->>'code' in ('internal_error', 'cannot_be_stored', 'too_costly')`); n != 0 {
		t.Errorf("%d operations ended in an error of ours", n)
	}
}

// checkCases: what is kept for a person is at a desk that a person can see.
func (w *modelWorld) checkCases() {
	t := w.t
	for _, line := range w.lines(`select o.op_id || ' ' || o.status || ' ' || coalesce(c.state, 'no case') from sync_op o left join sync_case c using (op_id)
		where (o.status in ('quarantined', 'conflict')) <> coalesce(c.state = 'open', false) or o.status in ('quarantined', 'returned') and c.sort is distinct from 'quarantine' or o.status = 'conflict' and c.sort is distinct from 'conflict'`) {
		t.Errorf("at the desk: %s", line)
	}
	seen := map[string]bool{}
	for _, user := range []string{"zhiban", "xian"} {
		for _, sort := range []string{"conflicts", "quarantine"} {
			list, ok := w.office.cases(user, sort, "open")
			if !ok {
				t.Errorf("the desk of %s does not answer", user)
			}
			for _, c := range list {
				seen[c.ID] = true
			}
		}
	}
	for _, line := range w.lines(`select id || ' ' || code || ' ' || scope || ' due ' || due_at from sync_case where state = 'open'`) {
		if !seen[line[:36]] {
			t.Errorf("no desk sees the case %s", line)
		}
	}
	for id, outcome := range w.office.decided {
		if n := w.count(`select count(*) from sync_case where id = $1 and state = 'done' and outcome = $2`, id, outcome); n != 1 {
			t.Errorf("case %s was %s, and is not", id, outcome)
		}
	}
}

// modelEvent is what a record went through: values set, or gone.
type modelEvent struct {
	at   time.Time
	what string
	set  map[string]any
	geom orb.Geometry
	gone bool
	anew bool // on a record that is not there it makes one
	log  *loggedOp
	desk bool
}

// events is what an operation did, by the log: when it was settled, and when a person
// decided. Nothing of the engine's merging is used.
func (w *modelWorld) events(l loggedOp) (out []modelEvent) {
	shape := func(raw json.RawMessage) orb.Geometry {
		var pair struct{ Value json.RawMessage }
		if len(raw) == 0 || string(raw) == "null" {
			return nil
		}
		if json.Unmarshal(raw, &pair) == nil && pair.Value != nil {
			raw = pair.Value
		}
		g, err := geo.ParseGeoJSON(raw, geo.EditLimits())
		if err != nil {
			return nil
		}
		return g
	}
	mine := func() orb.Geometry {
		g := shape(l.Body.Geometry)
		if g == nil {
			return nil
		}
		crs, _, err := geo.ParseCRS(l.Body.SrcCRS)
		w.must(err)
		g, _ = geo.ToCGCS2000(g, crs)
		return g
	}
	if l.Sort != "quarantine" && l.Status != "rejected" && l.Status != "waiting" {
		e := modelEvent{at: l.SettledAt, what: l.Op + " " + l.ID, set: map[string]any{}, anew: true, log: &l}
		_, deleted := l.Answer.Conflict["deleted"]
		switch {
		case deleted:
		case l.Op == "delete":
			e.gone = true
			out = append(out, e)
		default:
			for name, f := range l.Body.Fields {
				if _, conflict := l.Answer.Conflict[name]; !conflict {
					e.set[name] = f.Value
				}
			}
			if l.Answer.Geometry == nil {
				e.geom = mine()
			}
			out = append(out, e)
		}
	}
	if l.Outcome != "resolved" && l.Outcome != "accepted" {
		return out
	}
	e := modelEvent{at: l.DecidedAt, what: l.Outcome + " " + l.ID, set: map[string]any{}, log: &l, desk: true}
	word := func(name string) string { var s string; _ = json.Unmarshal(l.Choices[name], &s); return s }
	third := func(name string) (any, bool) {
		var v struct{ Value any }
		err := json.Unmarshal(l.Choices[name], &v)
		return v.Value, err == nil && l.Choices[name] != nil
	}
	whole := func() {
		e.anew = true
		for name, f := range l.Body.Fields {
			e.set[name] = f.Value
		}
		e.geom = mine()
	}
	switch {
	case l.Outcome == "accepted" && l.Op == "delete", l.Choices["deleted"] != nil && word("deleted") == "mine" && l.Op == "delete":
		e.gone = true
	case l.Choices["deleted"] != nil && word("deleted") == "theirs":
		return out
	case l.Choices["deleted"] != nil:
		whole()
	case l.Outcome == "accepted":
		whole()
		for name := range l.Choices {
			if v, ok := third(name); ok && name != "geometry" {
				e.set[name] = v
			} else if word(name) == "theirs" {
				delete(e.set, name)
			}
		}
	default:
		for name := range l.Choices {
			if v, ok := third(name); ok && name != "geometry" {
				e.set[name] = v
			} else if word(name) == "mine" && name != "geometry" {
				e.set[name] = l.Body.Fields[name].Value
			}
		}
	}
	switch {
	case l.Choices["geometry"] == nil:
	case word("geometry") == "mine":
		e.geom = mine()
	case word("geometry") == "theirs":
		e.geom = nil
	default:
		e.geom = shape(l.Choices["geometry"])
	}
	return append(out, e)
}

// checkReplay: the log, played again from the beginning by rules of its own, gives the
// tables as they are. What was applied and has no effect, or has it twice, shows here.
func (w *modelWorld) checkReplay(log map[string]loggedOp) {
	for kind, names := range map[string][]string{
		"hazards": {"name", "hazard", "level", "measure", "address", "description", "threatened_persons"}, "dangers": {"kind", "description"}, "patrols": {"kind", "result", "note"},
		"incident_reports": {"kind", "urgency", "description", "grid"}, "shelter_checks": {"shelter", "result", "note"}, "tasks": {"result"}, "notice_acks": {"notice"},
	} {
		history := map[string][]modelEvent{}
		for _, l := range log {
			if l.Kind == kind || l.Kind == "acks" && kind == "notice_acks" {
				history[l.Object] = append(history[l.Object], w.events(l)...)
			}
		}
		truth := map[string]map[string]any{}
		for _, line := range w.lines(`select to_jsonb(x)::text from ` + pgx.Identifier{kind}.Sanitize() + ` x`) {
			row := decodeJSON([]byte(line))
			truth[row["id"].(string)] = row
		}
		for id, events := range history {
			slices.SortFunc(events, func(a, b modelEvent) int { return a.at.Compare(b.at) })
			var now map[string]any
			var geom orb.Geometry
			var told []string
			version := int64(0)
			if kind == "tasks" {
				now = map[string]any{} // made by the office
			}
			for _, e := range events {
				told = append(told, fmt.Sprintf("%s %s %v gone=%v, of version %d", e.at.Format("05.000000"), e.what, e.set, e.gone, version))
				if !e.desk && now != nil {
					w.checkMerge(e, now, version, kind, id, told)
				}
				if e.gone {
					now = nil
					continue
				}
				if now == nil && e.anew && len(e.set) > 0 {
					now, geom, version = map[string]any{}, nil, 0
				}
				if now != nil {
					changed := e.geom != nil && (geom == nil || !near(geom, e.geom))
					for name, v := range e.set {
						changed = changed || asText(now[name]) != asText(v)
					}
					if changed {
						version++
					}
					maps.Copy(now, e.set)
					if e.geom != nil {
						geom = e.geom
					}
				}
			}
			row, there := truth[id]
			delete(truth, id)
			if there != (now != nil) {
				w.t.Errorf("%s %s: there %v, by the log %v\n%s", kind, id, there, now != nil, strings.Join(told, "\n"))
				continue
			}
			if !there {
				continue
			}
			for _, name := range names {
				if got, want := asText(row[name]), asText(now[name]); got != want {
					w.t.Errorf("%s %s: %s is %s, by the log %s\n%s", kind, id, name, got, want, strings.Join(told, "\n"))
				}
			}
			if kind == "hazards" && asText(row["version"]) != asText(version) {
				w.t.Errorf("hazards %s has version %v, by the log %d\n%s", id, row["version"], version, strings.Join(told, "\n"))
			}
			if kind == "hazards" && geom != nil {
				raw, _ := json.Marshal(row["geom"])
				got, err := geo.ParseGeoJSON(raw, geo.EditLimits())
				if err != nil || !near(got, geom) {
					w.t.Errorf("hazards %s lies at %s, by the log at %v (%v)\n%s", id, raw, geom, err, strings.Join(told, "\n"))
				}
			}
		}
		if kind == "tasks" {
			continue
		}
		for id, row := range truth {
			w.t.Errorf("%s %s was made by nobody: %v", kind, id, row)
		}
	}
}

// checkMerge holds the verdict on an operation against what stood then: what the sender
// began from, or made the same, is no conflict; everything else is one.
func (w *modelWorld) checkMerge(e modelEvent, now map[string]any, version int64, kind, id string, told []string) {
	if kind == "hazards" && e.gone && e.log.Body.BaseVersion != version {
		w.t.Errorf("hazards %s was deleted as of version %d in version %d\n%s", id, e.log.Body.BaseVersion, version, strings.Join(told, "\n"))
	}
	if e.log.Op != "put" || kind == "tasks" {
		return
	}
	for name, f := range e.log.Body.Fields {
		if f.Base == nil {
			continue
		}
		stands := asText(now[name])
		_, conflict := e.log.Answer.Conflict[name]
		if fits := stands == string(f.Base) || stands == asText(f.Value); fits == conflict {
			w.t.Errorf("%s %s: %s was %s, %s made %s of %s: conflict %v\n%s", kind, id, name, stands, e.log.ID, asText(f.Value), f.Base, conflict, strings.Join(told, "\n"))
		}
	}
}

func near(a, b orb.Geometry) bool {
	p, ok := a.(orb.Point)
	q, same := b.(orb.Point)
	if !ok || !same {
		return ok == same
	}
	return math.Abs(p[0]-q[0]) < 1e-6 && math.Abs(p[1]-q[1]) < 1e-6
}

func asText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// checkTokens: a value nobody else writes stands in the versions of its record from one
// moment on, once; or never, where it was not taken.
func (w *modelWorld) checkTokens(log map[string]loggedOp) {
	for kind, names := range map[string][]string{"hazards": {"name", "measure", "address", "description"}, "dangers": {"description"}} {
		times := map[string]int{}
		before := map[string]any{}
		last := ""
		for _, line := range w.lines(fmt.Sprintf(`select to_jsonb(x)::text from (select id, recorded_at, version, %s from %s union all select id, recorded_at, version, %s from %s) x order by id, recorded_at, version`,
			strings.Join(names, ","), kind+"_history", strings.Join(names, ","), kind)) {
			row := decodeJSON([]byte(line))
			if id := row["id"].(string); id != last {
				last = id
				clear(before)
			}
			for _, name := range names {
				if v, ok := row[name].(string); ok && before[name] != row[name] {
					times[v]++
				}
				before[name] = row[name]
			}
		}
		for id, o := range w.ops {
			if o.kind != kind || o.token == "" {
				continue
			}
			want := 0
			for _, e := range w.events(log[id]) {
				if e.set[o.field] == o.token {
					want++
				}
			}
			if times[o.token] != want {
				w.t.Errorf("%s %s: what %s wrote was written %d times, the log says %d (%s)", kind, o.object, id, times[o.token], want, log[id].Status)
			}
		}
	}
}

// checkPhotos: what a phone was told is whole is whole, on the disk and for its sender;
// and every operation that was kept is known to its photos.
func (w *modelWorld) checkPhotos(log map[string]loggedOp) {
	t := w.t
	for _, p := range w.phones {
		if len(p.photos) > 0 {
			t.Errorf("%s: %d photos were never taken", p.device, len(p.photos))
		}
		for _, sha := range slices.Sorted(maps.Keys(p.whole)) {
			if n := w.count(`select count(*) from blob join blob_owner o using (sha256) where encode(sha256, 'hex') = $1 and size = $2 and o.account = (select id from auth.account where username = $3)`, sha, len(w.photos[sha]), p.user); n != 1 {
				t.Errorf("photo %s of %s is %d times in the table", sha, p.device, n)
			}
			body, err := os.ReadFile(filepath.Join(w.data, "blobs", sha[:2], sha[2:]))
			if err != nil || hashOf(body) != sha {
				t.Errorf("photo %s: %d bytes on the disk, %v", sha, len(body), err)
			}
		}
	}
	refs := map[string]int{}
	for _, line := range w.lines(`select encode(sha256, 'hex') || ' ' || kind || ' ' || object || ' ' || op_id from blob_ref`) {
		refs[line]++
	}
	for id, o := range w.ops {
		for _, sha := range o.blobs {
			l := log[id]
			kept := l.Status != "rejected" && l.Status != "waiting"
			if got := refs[sha+" "+o.kind+" "+o.object+" "+id]; kept && got != 1 {
				t.Errorf("photo %s of %s (%s %s, %s) is referred to %d times", sha[:8], id, o.kind, l.Op, l.Status, got)
			}
		}
	}
	left, err := filepath.Glob(filepath.Join(w.data, "blobs", "partial", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%d half-finished files are left: %v", len(left), err)
	}
}

// checkReplicas: every phone has what a new one would be sent, and that is what the tables
// hold.
func (w *modelWorld) checkReplicas() {
	t := w.t
	for _, p := range w.phones {
		fresh := &modelPhone{w: w, user: p.user, device: p.device, cookie: p.cookie, enrolled: p.enrolled, told: map[string]string{}, records: map[string]modelRecord{}}
		if !fresh.fetch() {
			t.Errorf("no answer to %s", p.device)
			continue
		}
		for key, r := range fresh.records {
			mine, ok := p.records[key]
			if !ok || mine.Version != r.Version || mine.State != r.State || asText(mine.Fields) != asText(r.Fields) || !bytes.Equal(mine.Geometry, r.Geometry) {
				t.Errorf("%s: record %s is %s, on the server %s", p.device, key, asText(mine), asText(r))
			}
		}
		for key := range p.records {
			if _, ok := fresh.records[key]; !ok {
				t.Errorf("%s still has %s", p.device, key)
			}
		}
		grid := w.grants[p.user]
		if grid == "" {
			continue
		}
		for _, kind := range []string{"hazards", "dangers"} {
			rows := w.lines(`select id::text || ' ' || version from `+pgx.Identifier{kind}.Sanitize()+` where scope <@ code_scope($1)`, grid[:9])
			have := 0
			for _, r := range fresh.records {
				if r.Kind == kind {
					have++
				}
			}
			for _, row := range rows {
				id, version, _ := strings.Cut(row, " ")
				if r, ok := fresh.records[kind+"/"+id]; !ok || strconv.FormatInt(r.Version, 10) != version {
					t.Errorf("%s was not sent %s %s in version %s: %+v", p.device, kind, id, version, r)
				}
			}
			if have < len(rows) {
				t.Errorf("%s was sent %d of %d %s", p.device, have, len(rows), kind)
			}
		}
	}
}

// checkOffice: what the desks were told is done was done once.
func (w *modelWorld) checkOffice() {
	for what := range w.office.sent {
		table, title, _ := strings.Cut(what, " ")
		if n := w.count(`select count(*) from `+pgx.Identifier{table}.Sanitize()+` where title = $1`, title); n != 1 {
			w.t.Errorf("%s is there %d times", what, n)
		}
	}
}

// checkMix: a model in which nothing happened has shown nothing.
func (w *modelWorld) checkMix() {
	t := w.t
	kinds := map[string]bool{}
	w.sql(func(c *pgx.Conn) error {
		rows, err := c.Query(context.Background(), `select o.kind || ' ' || o.op || ' ' || o.status || ' ' || coalesce(o.answer->'problem'->>'code', ''), count(*) from sync_op o group by 1 order by 2 desc`)
		if err != nil {
			return err
		}
		var what string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&what, &n}, func() error {
			t.Logf("%6d %s", n, what)
			words := strings.Fields(what)
			kinds[words[0]], kinds[words[1]], kinds[words[2]] = true, true, true
			return nil
		})
		return err
	})
	for _, want := range []string{"hazards", "dangers", "incident_reports", "patrols", "put", "delete", "applied", "quarantined"} {
		if !kinds[want] {
			t.Errorf("the model tried no %s", want)
		}
	}
	if w.tally["duplicate"] == 0 || w.tally["photo 201"] == 0 {
		t.Errorf("the model tried too little: %v", w.tally)
	}
}
