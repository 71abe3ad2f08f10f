package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"onemap/incidents/cap"
	"onemap/internal/audit"
	"onemap/internal/auth"
	"onemap/internal/geo"
	"onemap/internal/records"
)

// Take takes a message in. An Alert makes an alert, an Update puts another in its place,
// a Cancel ends it: the alert it is about is answered. The same message again is answered
// as the first time.
func (s *Service) Take(ctx context.Context, by auth.By, in In) (a Alert, made bool, err error) {
	if !by.May(s.brings(by), s.now()) {
		return a, false, auth.ErrForbidden
	}
	sum := digest(in)
	in.repair()
	found := append(in.Found, cap.Check(in.Message)...)
	if !cap.Fatal(found) {
		found = append(found, sound(in.Message)...)
	}
	if cap.Fatal(found) {
		return a, false, s.refusal(ctx, by, in, found)
	}
	switch in.Message.MsgType {
	case cap.Ack, cap.Failed:
		return a, false, fault("msgType", "not_taken", "回执类报文(Ack、Error)请用 /api/alerts/{id}/receipts 登记", "Ack and Error are entered as receipts of the alert")
	}
	if in.Message.Status == cap.Draft {
		return a, false, fault("status", "draft", "草稿(Draft)不接收", "a draft is not taken")
	}
	in.Found = found
	for try := 0; ; try++ {
		var at taken
		if at, err = s.take(ctx, by, in, sum); err == nil {
			err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
				a, err = s.one(ctx, tx, at.id)
				return err
			})
			a.FeedPosition = at.position
			return a, at.made, wrap("taken", err)
		}
		// The same message twice at once: the second looks again and finds the first.
		pg, ok := errors.AsType[*pgconn.PgError](err)
		switch {
		case ok && pg.Code == "23505" && try < 3:
			continue
		case ok && pg.Code == "23505":
			return a, false, clash("identifier_taken", "该标识已被另一条预警使用", "another alert has this identifier")
		case ok && pg.Code == "42501":
			return a, false, auth.ErrForbidden
		}
		return a, false, wrap("take", err)
	}
}

// brings is the permission a warning is brought in under: a duty desk's, or that of a
// program which delivers (a token with the scope ingest).
func (s *Service) brings(by auth.By) auth.Permission {
	if by.May(auth.WorkDesk, s.now()) {
		return auth.WorkDesk
	}
	return auth.IngestObservations
}

// refusal says what is wrong and which repair we offer, with the evidence.
func (s *Service) refusal(ctx context.Context, by auth.By, in In, found []cap.Finding) error {
	r := &Refused{Findings: found, Close: !in.Close && onlyFatal(found, cap.CodeOpenRing)}
	if !in.Swap && onlyFatal(found, cap.CodeOffEarth) {
		err := s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
			r.Swap, err = s.evidence(ctx, tx, in.Message)
			return err
		})
		if err != nil {
			return wrap("evidence", err)
		}
	}
	return r
}

// evidence looks where the area would lie both ways; nil where the other way is no better.
func (s *Service) evidence(ctx context.Context, tx pgx.Tx, m *cap.Message) (*Swap, error) {
	e := swapOf(m)
	if e == nil {
		return nil, nil
	}
	var code, title string
	if e.GivenOnEarth {
		if err := tx.QueryRow(ctx, s.queries.Get("touched"), geo.Shape{Geometry: shape(m)}).Scan(&e.Units, &code, &title); err != nil {
			return nil, err
		}
	}
	if e.Units > 0 {
		return nil, nil
	}
	if err := tx.QueryRow(ctx, s.queries.Get("touched"), geo.Shape{Geometry: e.GeometryIfSwaped}).Scan(&e.SwappedUnits, &e.Area, &e.AreaTitle); err != nil {
		return nil, err
	}
	if e.SwappedUnits == 0 && e.GivenOnEarth {
		return nil, nil
	}
	return e, nil
}

// grant is the one a message is taken under: the smallest that contains where it lies,
// else the widest whose area it touches. admin is the code the row gets, "" to follow
// from its place.
func (s *Service) grant(ctx context.Context, tx pgx.Tx, by auth.By, g geo.Shape) (best auth.Grant, admin string, err error) {
	var place geo.Scope
	if g.Geometry != nil {
		if err := tx.QueryRow(ctx, s.queries.Get("place"), g).Scan(&place); err != nil {
			return best, "", err
		}
		if exact, ok := by.Grant(s.brings(by), place, s.now()); ok {
			return exact, "", nil
		}
	}
	found := false
	for _, one := range by.Grants {
		if !one.Valid(s.now()) || !one.Role.May(s.brings(by)) {
			continue
		}
		touches := g.Geometry == nil || one.Area == ""
		if !touches {
			if err := tx.QueryRow(ctx, s.queries.Get("touches"), g, one.Area).Scan(&touches); err != nil {
				return best, "", err
			}
		}
		if s, b := one.Scope(), best.Scope(); touches && (!found || s.Hi-s.Lo > b.Hi-b.Lo) {
			best, found = one, true
		}
	}
	if !found {
		return best, "", fault("area", "outside_area", "预警区域不在您负责的范围内", "the area of the warning lies outside yours")
	}
	return best, best.Area, nil
}

// earlier is an alert a message names, or another of its chain.
type earlier struct {
	id, chain, state, identifier, sender string
	sent, expires                        *time.Time
	scope                                geo.Scope
}

func (s *Service) named(ctx context.Context, tx pgx.Tx, ids []string) ([]earlier, error) {
	rows, err := tx.Query(ctx, s.queries.Get("named"), ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (earlier, error) {
		var e earlier
		var state, identifier, sender *string
		err := row.Scan(&e.id, &e.chain, &state, &e.sent, &e.expires, &identifier, &sender, &e.scope)
		for to, from := range map[*string]*string{&e.state: state, &e.identifier: identifier, &e.sender: sender} {
			if from != nil {
				*to = *from
			}
		}
		return e, err
	})
}

// taken is what became of a message: which alert it is about, whether that is new, and
// where in the change feed; "" where it had come before.
type taken struct {
	id, position string
	made         bool
}

func (s *Service) take(ctx context.Context, by auth.By, in In, sum string) (out taken, err error) {
	m := in.Message
	var place geo.Shape
	var under auth.Grant
	var admin string
	var pairs []cap.Pair
	// Where it lies decides under which grant it is written.
	done := false
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) error {
		var before, kind string
		err := tx.QueryRow(ctx, s.queries.Get("known_message"), m.Identifier, m.Sender).Scan(&out.id, &before, &kind)
		if err == nil {
			done = true
			if before != sum {
				return clash("identifier_taken", "同一标识已收到过内容不同的报文", "another message with this identifier came before")
			}
			return nil
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if m.MsgType == cap.Cancel {
			return nil
		}
		if place, pairs, err = s.place(ctx, tx, &in); err != nil {
			return err
		}
		under, admin, err = s.grant(ctx, tx, by, place)
		return err
	})
	if err != nil || done {
		return out, err
	}
	if m.MsgType == cap.Cancel {
		return s.cancel(ctx, by, in, sum)
	}
	return s.insert(ctx, by, under, in, sum, place, admin, pairs)
}

// place is where the message holds: its polygons and circles, else its codes. Numbers
// that lie nowhere near us and would the other way round are not taken unasked.
func (s *Service) place(ctx context.Context, tx pgx.Tx, in *In) (geo.Shape, []cap.Pair, error) {
	var out geo.Shape
	codes, pairs := codesOf(in.Message)
	if g := shape(in.Message); g != nil {
		if !in.Swap && !in.Keep {
			e, err := s.evidence(ctx, tx, in.Message)
			if err != nil {
				return out, nil, err
			}
			if e != nil {
				return out, nil, &Refused{Swap: e, Findings: append(in.Found, cap.Finding{Code: "swapped_lat_lon", Path: "alert/info/area", Fatal: true,
					ZH: "区域不在本地任何行政区划内，对调经纬度后则在：疑为经纬度写反。确认无误请加 ?fix=swap(对调)或 ?fix=none(照原样)",
					EN: "the area touches none of our units, with latitude and longitude exchanged it does: repeat with ?fix=swap to exchange them or ?fix=none to take it as it is"})}
			}
		}
		err := tx.QueryRow(ctx, s.queries.Get("union"), geo.Shape{Geometry: g}).Scan(&out)
		return out, pairs, err
	}
	var known []string
	if err := tx.QueryRow(ctx, s.queries.Get("coded"), codes).Scan(&out, &known); err != nil {
		return out, nil, err
	}
	if out.Geometry == nil {
		in.Found = append(in.Found, cap.Finding{Code: "no_place", Path: "alert/info/area", ZH: "报文没有可用的区域(无多边形、圆或已知行政代码)，请在图上补画", EN: "the message has no area we know: no polygon, no circle, no code of ours"})
	}
	return out, pairs, nil
}

// cancel ends the chain a message names. Nothing appears anew.
func (s *Service) cancel(ctx context.Context, by auth.By, in In, sum string) (out taken, err error) {
	m := in.Message
	ids := identifiers(m.References)
	var list []earlier
	err = s.db.Intake.Tx(ctx, by.Reading(), func(tx pgx.Tx) (err error) {
		list, err = s.named(ctx, tx, ids)
		return err
	})
	if err != nil {
		return out, err
	}
	if len(list) == 0 {
		return out, &Refused{Findings: append(in.Found, cap.Finding{Code: "unknown_reference", Path: "alert/references", Fatal: true,
			ZH: "要解除的预警不在本系统，未作任何改动。请先导入原预警，或核对引用标识", EN: "the alert to be cancelled is not known here, and nothing was changed: take the alert in first, or check the reference"})}
	}
	head := list[0]
	for _, e := range list {
		if e.state == Active {
			head = e
			break
		}
	}
	g, ok := by.Grant(s.brings(by), head.scope, s.now())
	if !ok {
		return out, auth.ErrForbidden
	}
	out.id = head.id
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.queries.Get("lock"), idsOf(list)); err != nil {
			return err
		}
		now, err := s.named(ctx, tx, ids)
		if err != nil {
			return err
		}
		over := true
		for _, e := range now {
			if e.state == Active || e.state == Expired {
				out.id, over = e.id, false
				if err := s.end(ctx, tx, e, Cancelled, m.Sent); err != nil {
					return err
				}
			}
		}
		if over {
			return clash("already_over", "该预警已经解除", "this alert is cancelled already")
		}
		if err := s.message(ctx, tx, by, out.id, head.chain, in, sum); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.position); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "alert.cancel", Object: "alerts/" + out.id, Area: g.Area, Outcome: audit.Done, After: map[string]any{"identifier": m.Identifier, "state": Cancelled}})
	})
	if err == nil {
		s.nudge()
	}
	return out, err
}

func (s *Service) end(ctx context.Context, tx pgx.Tx, e earlier, state string, at time.Time) error {
	tag, err := tx.Exec(ctx, s.queries.Get("end"), e.id, state, at, e.chain)
	if err == nil && tag.RowsAffected() == 0 {
		err = auth.ErrForbidden
	}
	return err
}

// message keeps what came, and sends it wherever the chain had gone.
func (s *Service) message(ctx context.Context, tx pgx.Tx, by auth.By, alert, chain string, in In, sum string) error {
	m := in.Message
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var original *string
	if len(in.Original) > 0 {
		text := string(in.Original)
		if utf8.ValidString(text) && !strings.ContainsRune(text, 0) {
			original = &text
		}
	}
	var id string
	if err := tx.QueryRow(ctx, s.queries.Get("message"), alert, m.Identifier, m.Sender, m.MsgType, m.Sent, s.now(), sum, original, body, m.Status != cap.Actual, account(by), by.Name).Scan(&id); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, s.queries.Get("follow"), alert, id, chain, account(by), by.Name, s.now())
	return err
}

func account(by auth.By) *string {
	if by.Identity == nil || by.Account == "" {
		return nil
	}
	return &by.Account
}

func identifiers(refs []cap.Reference) []string {
	out := make([]string, 0, len(refs))
	for _, r := range refs {
		out = append(out, r.Identifier)
	}
	return out
}

func idsOf(list []earlier) []string {
	out := make([]string, 0, len(list))
	for _, e := range list {
		out = append(out, e.id)
	}
	return out
}

// standing is a place in a chain: which, in what state, and which was in force before.
type standing struct {
	chain, state string
	ended        *time.Time
	before       *string
}

func (in *In) note(code, path, zh, en string) {
	in.Found = append(in.Found, cap.Finding{Code: code, Path: path, ZH: zh, EN: en})
}

// heads finds the chain an Update names and those of it that are not replaced yet. What
// names nothing we know, or what is over, begins a chain of its own: people have to hear.
func (s *Service) heads(ctx context.Context, tx pgx.Tx, in *In, own string) (chain string, heads []earlier, err error) {
	refs := identifiers(in.Message.References)
	list, err := s.named(ctx, tx, refs)
	if err != nil {
		return "", nil, err
	}
	if _, err := tx.Exec(ctx, s.queries.Get("lock"), idsOf(list)); err != nil {
		return "", nil, err
	}
	if list, err = s.named(ctx, tx, refs); err != nil {
		return "", nil, err
	}
	over := false
	for _, e := range list {
		over = over || e.state == Cancelled
		if e.state == Active || e.state == Expired || e.state == "" {
			heads = append(heads, e)
		}
	}
	switch {
	case len(list) == 0:
		in.note("unknown_reference", "alert/references", "引用的原预警不在本系统，按新预警处理", "the alert it refers to is not known here: taken as a new one")
		return own, nil, nil
	case len(heads) == 0 && over:
		in.note("chain_over", "alert/references", "引用的预警已解除，按新预警处理", "the alert it refers to is cancelled: taken as a new one")
		return own, nil, nil
	case len(heads) == 0:
		return list[0].chain, nil, nil
	}
	return heads[len(heads)-1].chain, heads, nil
}

// succeed puts a message into its chain: what was in force before is replaced by it.
func (s *Service) succeed(ctx context.Context, tx pgx.Tx, in *In, own string, now time.Time) (at standing, err error) {
	m := in.Message
	at = standing{chain: own, state: Active}
	var heads []earlier
	if m.MsgType == cap.Update {
		if at.chain, heads, err = s.heads(ctx, tx, in, own); err != nil {
			return at, err
		}
	}
	// One that was overtaken on its way is kept and shows nothing.
	for _, h := range heads {
		if h.sent != nil && h.sent.After(m.Sent) {
			at.state, at.ended = Updated, h.sent
			in.note("overtaken", "alert/sent", "已有更晚的更新，本报文仅存档", "a later one came before it: kept, not shown")
			return at, nil
		}
	}
	for i, h := range heads {
		if err := s.end(ctx, tx, h, Updated, m.Sent); err != nil {
			return at, err
		}
		if i == 0 {
			at.before = &heads[0].id
		}
	}
	if expires := m.Main().Expires; !expires.IsZero() && expires.Before(now) {
		at.state = Expired
		in.note("expired", "alert/info/expires", "收到时已过有效期", "it was over when it came")
	}
	return at, nil
}

// insert makes an alert of an Alert or an Update.
func (s *Service) insert(ctx context.Context, by auth.By, g auth.Grant, in In, sum string, place geo.Shape, admin string, pairs []cap.Pair) (out taken, err error) {
	m, info := in.Message, in.Message.Main()
	rule := rulesOf(s.catalogue.Now())
	src, known := rule.of(in.Source, m.Sender)
	if !known {
		return out, fault("source", "unknown", "没有此预警来源(见规则集 alert_sources)", "there is no such source in the rule set alert_sources")
	}
	level, disagree := rule.level(src, info)
	code, hazard := rule.event(info)
	if level == 0 {
		in.note("no_level", "alert/info", "报文未说明颜色级别，请人工确认", "the message says no colour: somebody has to look")
	}
	if disagree {
		in.note("levels_disagree", "alert/info", "颜色、代码与严重程度说法不一，按来源规则取级", "colour, code and severity say different things: the rule of the source decides")
	}
	now := s.now()
	id := newID(now)
	out.id, out.made = id, true
	err = s.db.Intake.Tx(ctx, by.Writing(g), func(tx pgx.Tx) error {
		at, err := s.succeed(ctx, tx, &in, id, now)
		if err != nil {
			return err
		}
		effective := info.Effective
		if effective.IsZero() {
			effective = m.Sent
		}
		desc := ""
		for _, a := range m.Areas() {
			if desc != "" {
				desc += "；"
			}
			desc += a.Desc
		}
		if pairs == nil {
			pairs = []cap.Pair{}
		}
		geocodes, err := json.Marshal(pairs)
		if err != nil {
			return err
		}
		notes, err := json.Marshal(notesOf(in.Found))
		if err != nil {
			return err
		}
		headline := info.Headline
		if headline == "" {
			headline = info.Event
		}
		if _, err := tx.Exec(ctx, s.queries.Get("insert"), id, m.Identifier, info.Event, null(code), null(hazard), nullInt(level), m.Status, m.MsgType, m.Sender, m.Sent, effective, records.Stamp(info.Expires),
			headline, null(info.Description), null(info.Instruction), at.state, at.chain, identifiers(m.References), src.ID, null(desc), geocodes, info.Urgency, info.Certainty, now, at.ended, notes,
			m.Status != cap.Actual, clip(headline, 200), null(admin), place); err != nil {
			return err
		}
		if err := s.targets(ctx, tx, id, at.before); err != nil {
			return err
		}
		if err := s.message(ctx, tx, by, id, at.chain, in, sum); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, s.queries.Get("position")).Scan(&out.position); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Doer: by.Doer(g), Action: "alert.take", Object: "alerts/" + id, Area: g.Area, Outcome: audit.Done,
			After: map[string]any{"identifier": m.Identifier, "msg_type": m.MsgType, "sender": m.Sender, "level": level, "state": at.state, "chain": at.chain, "notes": len(notesOf(in.Found))}})
	})
	if err == nil {
		s.nudge()
	}
	return out, err
}

// targets writes down who is in the area, by the smallest units there are, and who was in
// the one before and is no longer.
func (s *Service) targets(ctx context.Context, tx pgx.Tx, id string, before *string) error {
	fill := func(id string, before *string) error {
		for _, rank := range []int{5, 4, 3} {
			tag, err := tx.Exec(ctx, s.queries.Get("targets"), id, rank, before)
			if err != nil || tag.RowsAffected() > 0 {
				return err
			}
		}
		return nil
	}
	if before != nil {
		var have bool
		if err := tx.QueryRow(ctx, s.queries.Get("has_targets"), *before).Scan(&have); err != nil {
			return err
		}
		if !have { // it was imported
			if err := fill(*before, nil); err != nil {
				return err
			}
		}
	}
	if err := fill(id, before); err != nil || before == nil {
		return err
	}
	_, err := tx.Exec(ctx, s.queries.Get("removed"), id, *before)
	return err
}

func null(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func nullInt(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
