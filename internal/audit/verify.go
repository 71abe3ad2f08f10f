package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Result is what a verification found. Broken is the first broken link, nil if all hold.
type Result struct {
	Entries  int64 // sealed entries read and found as they were
	Unsealed int64 // newer ones, read and found as they were
	Seals    int64
	Head     Head
	Broken   *Break
}

// Head is the newest seal. Kept outside the house it proves later that nothing before
// it was taken away.
type Head struct {
	No      int64
	At      time.Time
	Hash    string
	Entries int64 // in this seal
}

// String is how a head is noted: NO:HASH.
func (h Head) String() string { return strconv.FormatInt(h.No, 10) + ":" + h.Hash }

// ParseHead reads noted heads, separated by commas; none is none.
func ParseHead(text string) ([]Head, error) {
	var heads []Head
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		no, sum, _ := strings.Cut(part, ":")
		n, err := strconv.ParseInt(no, 10, 64)
		raw, herr := hex.DecodeString(sum)
		if err != nil || herr != nil || n < 1 || len(raw) != sha256.Size {
			return nil, fmt.Errorf("audit: %q is no head", part)
		}
		heads = append(heads, Head{No: n, Hash: hex.EncodeToString(raw)})
	}
	return heads, nil
}

// Break is a broken link. Seq is 0 where no single entry can be named.
type Break struct {
	Seal, Seq int64
	Why       Why
}

// Why says what is wrong with a link.
type Why string

// The ways a link breaks.
const (
	EntryChanged  Why = "entry_changed"  // the entry does not give its hash
	EntryDeleted  Why = "entry_deleted"  // the seal names an entry that is not there
	EntryInserted Why = "entry_inserted" // an entry no seal names, below what is settled
	EntryReplaced Why = "entry_replaced" // entry and hash agree, but the seal was made over another
	SealChanged   Why = "seal_changed"
	SealMissing   Why = "seal_missing" // numbers do not follow each other
	SealUnchained Why = "seal_unchained"
	SealsCutOff   Why = "seals_cut_off"  // seals are gone at the end
	SealDisputed  Why = "seal_disputed"  // two seals claim one entry
	SealNotNoted  Why = "seal_not_noted" // not the one that was noted outside
)

// Text is the finding in words, zh first.
func (b Break) Text() string {
	words := map[Why]string{
		EntryChanged:  "记录被改动 · the entry was changed",
		EntryDeleted:  "记录被删除 · the entry was deleted",
		EntryInserted: "记录系事后插入 · the entry was inserted afterwards",
		EntryReplaced: "本封印内有记录被替换 · an entry of this seal was replaced",
		SealChanged:   "封印被改动 · the seal was changed",
		SealMissing:   "封印缺失 · a seal is missing",
		SealUnchained: "封印与前一封印不相连 · the seal does not join the one before",
		SealsCutOff:   "末尾封印被删除 · seals were cut off at the end",
		SealNotNoted:  "与留存的封印不符 · not the seal that was noted",
		SealDisputed:  "同一记录见于两个封印 · two seals claim one entry",
	}
	if b.Seq > 0 {
		return fmt.Sprintf("封印 seal %d · 记录 entry %d: %s", b.Seal, b.Seq, words[b.Why])
	}
	return fmt.Sprintf("封印 seal %d: %s", b.Seal, words[b.Why])
}

// span is a run of numbers, hi not included.
type span struct{ lo, hi int64 }

// sealRow is a seal as it stands in the table.
type sealRow struct {
	no, count, upto, settled int64
	at                       time.Time
	micros                   int64
	prev, digest, hash, xid  string
	seqs                     []span
}

// fingerprint hashes fields as the database does: each with its length, so that no two
// rows give one text. It is built here and not asked for there: who can change rows can
// change functions.
func fingerprint(head string, fields []*string) string {
	h := sha256.New()
	_, _ = h.Write([]byte(head))
	for _, f := range fields {
		writeField(h, f)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func writeField(h hash.Hash, f *string) {
	if f == nil {
		_, _ = h.Write([]byte("-;"))
		return
	}
	_, _ = h.Write([]byte(strconv.Itoa(len(*f)) + ":" + *f + ";"))
}

func entryHash(fields []*string) string { return fingerprint("onemap-audit-1;", fields) }

func (s sealRow) expected() string {
	var b strings.Builder
	for i, r := range s.seqs {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "[%d,%d)", r.lo, r.hi)
	}
	texts := []string{
		strconv.FormatInt(s.no, 10), strconv.FormatInt(s.micros, 10), s.prev, "{" + b.String() + "}", strconv.FormatInt(s.count, 10),
		s.digest, strconv.FormatInt(s.upto, 10), s.xid, strconv.FormatInt(s.settled, 10),
	}
	fields := make([]*string, len(texts))
	for i := range texts {
		fields[i] = &texts[i]
	}
	return fingerprint("onemap-seal-1;", fields)
}

// each walks the numbers of a seal.
func (s sealRow) each(yield func(int64) bool) {
	for _, r := range s.seqs {
		for n := r.lo; n < r.hi; n++ {
			if !yield(n) {
				return
			}
		}
	}
}

// checker goes along the chain.
type checker struct {
	result Result
	last   sealRow // the one before
	noted  []Head
	spans  []span
}

// link checks a seal by itself and against the one before.
func (c *checker) link(s sealRow) *Break {
	switch {
	case s.no != c.last.no+1:
		return &Break{Seal: c.last.no + 1, Why: SealMissing}
	case s.hash != s.expected():
		return &Break{Seal: s.no, Why: SealChanged}
	case s.prev != c.last.hash:
		return &Break{Seal: s.no, Why: SealUnchained}
	}
	for _, h := range c.noted {
		if h.No == s.no && h.Hash != s.hash {
			return &Break{Seal: s.no, Why: SealNotNoted}
		}
	}
	return nil
}

// sealed is one entry as read under its seal.
type sealed struct {
	seq    int64
	hash   string
	fields []*string
}

// contents compares a seal with its entries, which come in the order of their numbers.
func (c *checker) contents(s sealRow, entries []sealed) *Break {
	digest := sha256.New()
	i := 0
	for n := range s.each {
		if i >= len(entries) || entries[i].seq != n {
			return &Break{Seal: s.no, Seq: n, Why: EntryDeleted}
		}
		e := entries[i]
		if entryHash(e.fields) != e.hash {
			return &Break{Seal: s.no, Seq: n, Why: EntryChanged}
		}
		raw, err := hex.DecodeString(e.hash)
		if err != nil {
			return &Break{Seal: s.no, Seq: n, Why: EntryChanged}
		}
		_, _ = digest.Write(raw)
		i++
	}
	if int64(i) != s.count || hex.EncodeToString(digest.Sum(nil)) != s.digest {
		return &Break{Seal: s.no, Why: EntryReplaced}
	}
	c.last = s
	c.spans = append(c.spans, s.seqs...)
	c.result.Seals++
	c.result.Entries += s.count
	c.result.Head = Head{No: s.no, At: s.at, Hash: s.hash, Entries: s.count}
	return nil
}

// gaps are the numbers no seal names, from 1 to the end.
func (c *checker) gaps() (lo, hi []int64, disputed *Break) {
	slices.SortFunc(c.spans, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	next := int64(1)
	for _, s := range c.spans {
		if s.lo < next {
			return nil, nil, &Break{Seal: c.last.no, Seq: s.lo, Why: SealDisputed}
		}
		if s.lo > next {
			lo, hi = append(lo, next), append(hi, s.lo)
		}
		next = s.hi
	}
	return append(lo, next), append(hi, 1<<62), nil
}
