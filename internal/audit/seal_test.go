package audit_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"onemap/internal/audit"
	"onemap/internal/db"
	"onemap/internal/pgtest"
)

func (h *house) seal(t testing.TB) int64 {
	t.Helper()
	if h.log == nil {
		var err error
		if h.log, err = audit.Open(audit.Options{DB: h.db}); err != nil {
			t.Fatal(err)
		}
	}
	n, err := h.log.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (h *house) verify(t testing.TB) audit.Result {
	t.Helper()
	r, err := audit.Verify(t.Context(), pgtest.Connect(t, h.App))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tamper does as superuser what the triggers forbid.
func (h *house) tamper(t testing.TB, statements ...string) {
	t.Helper()
	conn := pgtest.Connect(t, h.Admin)
	statements = append([]string{`alter table audit.entry disable trigger all`, `alter table audit.seal disable trigger all`, `alter table audit.head disable trigger all`}, statements...)
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func (h *house) fill(t testing.TB, seals, each int) {
	t.Helper()
	for s := range seals {
		for i := range each {
			h.record(t, audit.Entry{Doer: doer(), Action: "a.b", Object: fmt.Sprintf("o/%d/%d", s, i), Reason: "因为", Before: map[string]any{"a": 1.50, "b": nil}, After: []any{"甲", true}})
		}
		if n := h.seal(t); n != int64(each) {
			t.Fatalf("seal %d took %d", s+1, n)
		}
	}
}

func TestSoundSealsVerify(t *testing.T) {
	h := open(t)
	if r := h.verify(t); r.Broken != nil || r.Seals != 0 {
		t.Errorf("an empty audit: %+v", r)
	}
	h.fill(t, 3, 4)
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b"})
	r := h.verify(t)
	if r.Broken != nil || r.Seals != 3 || r.Entries != 12 || r.Unsealed != 1 || r.Head.No != 3 || r.Head.Entries != 4 {
		t.Errorf("%+v %v", r, r.Broken)
	}
	if h.seal(t) != 1 || h.seal(t) != 0 {
		t.Error("the last entry is sealed once")
	}
}

func TestTamperingIsNamed(t *testing.T) {
	h := open(t)
	h.fill(t, 3, 4)
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b"})
	h.tamper(t, `create table kept_entry as table audit.entry`, `create table kept_seal as table audit.seal`)
	for _, c := range []struct {
		name string
		sql  []string
		want audit.Break
	}{
		{"a field", []string{`update audit.entry set reason = '别的' where seq = 6`}, audit.Break{Seal: 2, Seq: 6, Why: audit.EntryChanged}},
		{"a number in before", []string{`update audit.entry set before = '{"a": 1.50, "b": null}' where seq = 2`}, audit.Break{Seal: 1, Seq: 2, Why: audit.EntryChanged}},
		{"the area an auditor reads by", []string{`update audit.entry set scope = code_scope('99') where seq = 2`}, audit.Break{Seal: 1, Seq: 2, Why: audit.EntryChanged}},
		{"a field and its hash", []string{`update audit.entry set reason = '别的' where seq = 6`, `update audit.entry e set hash = audit.entry_hash(e) where seq = 6`}, audit.Break{Seal: 2, Why: audit.EntryReplaced}},
		{"an unsealed entry", []string{`update audit.entry set reason = '别的' where seq = 13`}, audit.Break{Seal: 3, Seq: 13, Why: audit.EntryChanged}},
		{"an entry deleted", []string{`delete from audit.entry where seq = 7`}, audit.Break{Seal: 2, Seq: 7, Why: audit.EntryDeleted}},
		{"the first deleted", []string{`delete from audit.entry where seq = 1`}, audit.Break{Seal: 1, Seq: 1, Why: audit.EntryDeleted}},
		{"two swapped", []string{`update audit.entry set seq = -5 where seq = 5`, `update audit.entry set seq = 5 where seq = 6`, `update audit.entry set seq = 6 where seq = -5`}, audit.Break{Seal: 2, Seq: 5, Why: audit.EntryChanged}},
		{"two swapped with hashes", []string{`update audit.entry set seq = -5 where seq = 5`, `update audit.entry set seq = 5 where seq = 6`, `update audit.entry set seq = 6 where seq = -5`, `update audit.entry e set hash = audit.entry_hash(e) where seq in (5, 6)`}, audit.Break{Seal: 2, Why: audit.EntryReplaced}},
		{"a seal deleted", []string{`delete from audit.seal where no = 2`}, audit.Break{Seal: 2, Why: audit.SealMissing}},
		{"the first seal deleted", []string{`delete from audit.seal where no = 1`}, audit.Break{Seal: 1, Why: audit.SealMissing}},
		{"the last seal deleted", []string{`delete from audit.seal where no = 3`}, audit.Break{Seal: 3, Why: audit.SealsCutOff}},
		{"the last seal and its entries", []string{`delete from audit.seal where no = 3`, `delete from audit.entry where seq > 8`}, audit.Break{Seal: 3, Why: audit.SealsCutOff}},
		{"seals swapped", []string{`update audit.seal set no = 1000 where no = 2`, `update audit.seal set no = 2 where no = 3`, `update audit.seal set no = 3 where no = 1000`}, audit.Break{Seal: 2, Why: audit.SealChanged}},
		{"a seal changed", []string{`update audit.seal set at = at - interval '1 day' where no = 2`}, audit.Break{Seal: 2, Why: audit.SealChanged}},
		{"a seal made anew", []string{`update audit.seal set at = at - interval '1 day' where no = 2`, `update audit.seal s set hash = audit.seal_hash(s) where no = 2`}, audit.Break{Seal: 3, Why: audit.SealUnchained}},
		{"an entry and its seal made anew", []string{`delete from audit.entry where seq = 7`,
			`update audit.seal s set count = 3, seqs = '{[5,7),[8,9)}', digest = (select sha256(string_agg(hash, ''::bytea order by seq)) from audit.entry where seq in (5,6,8)) where no = 2`,
			`update audit.seal s set hash = audit.seal_hash(s) where no = 2`}, audit.Break{Seal: 3, Why: audit.SealUnchained}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.tamper(t, c.sql...)
			if r := h.verify(t); r.Broken == nil || *r.Broken != c.want {
				t.Errorf("found %v, want %v", r.Broken, c.want)
			} else if r.Broken.Text() == "" {
				t.Error("no words for it")
			}
			h.tamper(t, `delete from audit.entry`, `insert into audit.entry select * from kept_entry`, `delete from audit.seal`, `insert into audit.seal select * from kept_seal`)
			if r := h.verify(t); r.Broken != nil {
				t.Errorf("put back: %v", r.Broken)
			}
		})
	}
}

// TestAnEntryPutIntoAGap: a number lost to a failed transaction stays empty for ever.
func TestAnEntryPutIntoAGap(t *testing.T) {
	h := open(t)
	h.fill(t, 1, 2)
	_ = h.db.Intake.Tx(t.Context(), db.System("x"), func(tx pgx.Tx) error {
		if err := audit.Record(t.Context(), tx, audit.Entry{Doer: doer(), Action: "a.b"}); err != nil {
			t.Error(err)
		}
		return fmt.Errorf("taken back")
	})
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b"})
	h.seal(t)
	h.record(t, audit.Entry{Doer: doer(), Action: "a.b"})
	h.seal(t)
	if r := h.verify(t); r.Broken != nil {
		t.Fatalf("a number lost to a failed transaction: %v", r.Broken)
	}
	gap := one[int64](t, h.Admin, `select min(n) from generate_series(1, (select max(seq) from audit.entry)) n where not exists (select from audit.entry where seq = n)`)
	h.tamper(t, fmt.Sprintf(`insert into audit.entry select (jsonb_populate_record(e, '{"seq": %d}')).* from audit.entry e where seq = 2`, gap),
		fmt.Sprintf(`update audit.entry e set hash = audit.entry_hash(e) where seq = %d`, gap))
	r := h.verify(t)
	if r.Broken == nil || r.Broken.Why != audit.EntryInserted || r.Broken.Seq != gap {
		t.Errorf("an entry put into the gap %d: %v", gap, r.Broken)
	}
}

// TestALateCommitIsSealedLater holds a transaction open over two seals: its number is
// lower than sealed ones, and it must be neither lost nor taken for an insertion.
func TestALateCommitIsSealedLater(t *testing.T) {
	h := open(t)
	h.fill(t, 1, 2)
	late := pgtest.Connect(t, h.App)
	tx, err := late.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := audit.Record(t.Context(), tx, audit.Entry{Doer: doer(), Action: "late.one"}); err != nil {
		t.Fatal(err)
	}
	h.fill(t, 3, 2)
	if r := h.verify(t); r.Broken != nil || r.Entries != 8 {
		t.Errorf("while it is open: %+v %v", r, r.Broken)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := h.verify(t); r.Broken != nil || r.Unsealed != 1 {
		t.Errorf("committed, not sealed: %+v %v", r, r.Broken)
	}
	if n := h.seal(t); n != 1 {
		t.Errorf("%d sealed, want the late one", n)
	}
	h.fill(t, 2, 1)
	if r := h.verify(t); r.Broken != nil || r.Entries != 11 || r.Unsealed != 0 {
		t.Errorf("sealed: %+v %v", r, r.Broken)
	}
}

// TestSealersAndWritersTogether: many writers, some failing, several sealers.
func TestSealersAndWritersTogether(t *testing.T) {
	h := open(t)
	h.seal(t)
	const writers, each = 6, 40
	var wg, sealing sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		sealing.Go(func() {
			for {
				if _, err := h.log.Seal(t.Context()); err != nil {
					t.Error(err)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for w := range writers {
		conn := pgtest.Connect(t, h.App)
		wg.Go(func() {
			for i := range each {
				tx, err := conn.Begin(t.Context())
				if err == nil {
					err = audit.Record(t.Context(), tx, audit.Entry{Doer: doer(), Action: "a.b", Object: fmt.Sprintf("%d/%d", w, i)})
				}
				if err != nil {
					t.Error(err)
					return
				}
				if i%5 == 4 {
					err = tx.Rollback(t.Context())
				} else {
					err = tx.Commit(t.Context())
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	sealing.Wait()
	h.seal(t)
	if r := h.verify(t); r.Broken != nil || r.Entries != writers*each*4/5 || r.Unsealed != 0 {
		t.Errorf("%+v %v", r, r.Broken)
	}
}

func TestOldEntriesLeaveByTheOwnerOnly(t *testing.T) {
	h := open(t)
	h.fill(t, 3, 2)
	if _, err := pgtest.Connect(t, h.App).Exec(t.Context(), `select audit.retire(now() - interval '1 year')`); state(err) != "42501" {
		t.Errorf("the app role: %v, want 42501", err)
	}
	owner := pgtest.Connect(t, h.Admin)
	if _, err := owner.Exec(t.Context(), `select audit.retire(now() - interval '182 days')`); state(err) != "22023" {
		t.Errorf("under 183 days: %v, want 22023", err)
	}
	h.tamper(t, `update audit.seal set at = at - interval '400 days' where no <= 2`, `update audit.seal s set hash = audit.seal_hash(s) where no = 1`,
		`update audit.seal s set prev = (select hash from audit.seal where no = 1) where no = 2`, `update audit.seal s set hash = audit.seal_hash(s) where no = 2`,
		`update audit.seal s set prev = (select hash from audit.seal where no = 2) where no = 3`, `update audit.seal s set hash = audit.seal_hash(s) where no = 3`,
		`update audit.head set hash = (select hash from audit.seal where no = 3)`)
	if r := h.verify(t); r.Broken != nil {
		t.Fatalf("the aged chain: %v", r.Broken)
	}
	if n := one[int64](t, h.Admin, `select audit.retire(now() - interval '1 year')`); n != 4 {
		t.Errorf("%d retired, want 4", n)
	}
	if r := h.verify(t); r.Broken != nil || r.Entries != 2 || r.Unsealed != 1 {
		t.Errorf("afterwards: %+v %v", r, r.Broken)
	}
	if _, err := owner.Exec(t.Context(), `delete from audit.entry`); state(err) != "55000" {
		t.Errorf("the triggers after retiring: %v, want 55000", err)
	}
}

// TestANotedHeadProvesMore: whoever makes the whole chain anew is shown by a head that
// was kept elsewhere.
func TestANotedHeadProvesMore(t *testing.T) {
	h := open(t)
	h.fill(t, 2, 2)
	noted, err := audit.ParseHead(h.verify(t).Head.String())
	if err != nil || len(noted) != 1 {
		t.Fatalf("%v %v", noted, err)
	}
	h.tamper(t, `delete from audit.entry where seq = 4`,
		`update audit.seal s set count = 1, seqs = '{[3,4)}', digest = (select sha256(hash) from audit.entry where seq = 3) where no = 2`,
		`update audit.seal s set hash = audit.seal_hash(s) where no = 2`, `update audit.head set hash = (select hash from audit.seal where no = 2)`)
	if r := h.verify(t); r.Broken != nil {
		t.Errorf("a chain made anew by somebody who knows how holds by itself, but: %v", r.Broken)
	}
	r, err := audit.Verify(t.Context(), pgtest.Connect(t, h.App), noted...)
	if err != nil || r.Broken == nil || *r.Broken != (audit.Break{Seal: 2, Why: audit.SealNotNoted}) {
		t.Errorf("against the noted head: %v %v", r.Broken, err)
	}
	for _, bad := range []string{"x", "1:", "0:" + noted[0].Hash, "1:abcd", noted[0].Hash} {
		if _, err := audit.ParseHead(bad); err == nil {
			t.Errorf("%q is a head", bad)
		}
	}
}
