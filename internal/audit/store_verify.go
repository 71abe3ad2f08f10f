package audit

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Verify reads every entry and every seal in one snapshot, makes all hashes anew and
// stops at the first that does not hold. An error means it could not look; what it
// found is in the result. Heads noted earlier must still be in the chain.
func Verify(ctx context.Context, conn *pgx.Conn, noted ...Head) (Result, error) {
	q, err := Queries()
	if err != nil {
		return Result{}, err
	}
	c := &checker{noted: noted}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, q.Get("claims"), true); err != nil {
			return err
		}
		c.result.Broken, err = c.walk(ctx, tx, q.Get)
		return err
	})
	if err != nil {
		return Result{}, fmt.Errorf("audit: verify: %w", err)
	}
	return c.result, nil
}

func (c *checker) walk(ctx context.Context, tx pgx.Tx, q func(string) string) (*Break, error) {
	var headNo, forwarded int64
	var headHash string
	if err := tx.QueryRow(ctx, q("verify_head")).Scan(&headNo, &headHash, &forwarded, &c.last.no, &c.last.hash); err != nil {
		return nil, err
	}
	for {
		seals, err := readSeals(ctx, tx, q("verify_seals"), c.last.no)
		if err != nil {
			return nil, err
		}
		if len(seals) == 0 {
			break
		}
		broken, err := c.batch(ctx, tx, q("verify_entries"), seals)
		if broken != nil || err != nil {
			return broken, err
		}
	}
	if c.last.no < headNo || c.last.no < forwarded {
		return &Break{Seal: c.last.no + 1, Why: SealsCutOff}, nil
	}
	if c.last.no != headNo || c.last.hash != headHash {
		return &Break{Seal: headNo, Why: SealChanged}, nil
	}
	for _, h := range c.noted {
		if h.No > c.last.no {
			return &Break{Seal: c.last.no + 1, Why: SealsCutOff}, nil
		}
	}
	lo, hi, broken := c.gaps()
	if broken != nil {
		return broken, nil
	}
	return c.unsealed(ctx, tx, q("verify_unsealed"), lo, hi)
}

const sealsPerRead = 500

func readSeals(ctx context.Context, tx pgx.Tx, sql string, after int64) ([]sealRow, error) {
	rows, err := tx.Query(ctx, sql, after, sealsPerRead)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s sealRow, err error) {
		var seqs pgtype.Multirange[pgtype.Range[int64]]
		err = row.Scan(&s.no, &s.at, &s.micros, &s.prev, &seqs, &s.count, &s.digest, &s.upto, &s.xid, &s.settled, &s.hash)
		for _, r := range seqs {
			s.seqs = append(s.seqs, span{r.Lower, r.Upper})
		}
		return s, err
	})
}

// batch checks some seals with one pass over their entries.
func (c *checker) batch(ctx context.Context, tx pgx.Tx, sql string, seals []sealRow) (*Break, error) {
	// Links first: a seal whose numbers were changed must not send us anywhere.
	last := c.last
	for _, s := range seals {
		if b := c.link(s); b != nil {
			// Entries of the sound seals before it come first.
			if s.no == seals[0].no || b.Seal <= seals[0].no {
				return b, nil
			}
			seals = seals[:b.Seal-seals[0].no]
			c.last = last
			if first, err := c.read(ctx, tx, sql, seals); first != nil || err != nil {
				return first, err
			}
			return b, nil
		}
		c.last = s
	}
	c.last = last
	return c.read(ctx, tx, sql, seals)
}

func (c *checker) read(ctx context.Context, tx pgx.Tx, sql string, seals []sealRow) (*Break, error) {
	rows, err := tx.Query(ctx, sql, seals[0].no-1, seals[len(seals)-1].no)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	next := 0
	var held []sealed
	flush := func(upTo int64) *Break {
		for next < len(seals) && seals[next].no < upTo {
			if b := c.contents(seals[next], held); b != nil {
				return b
			}
			held, next = held[:0], next+1
		}
		return nil
	}
	for rows.Next() {
		var no int64
		var e sealed
		if err := rows.Scan(&no, &e.seq, &e.hash, &e.fields); err != nil {
			return nil, err
		}
		if b := flush(no); b != nil {
			return b, nil
		}
		held = append(held, e)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return flush(seals[len(seals)-1].no + 1), nil
}

// unsealed looks at the entries no seal names: new ones are welcome.
func (c *checker) unsealed(ctx context.Context, tx pgx.Tx, sql string, lo, hi []int64) (*Break, error) {
	rows, err := tx.Query(ctx, sql, lo, hi)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e sealed
		if err := rows.Scan(&e.seq, &e.hash, &e.fields); err != nil {
			return nil, err
		}
		if e.seq <= c.last.settled {
			return &Break{Seal: c.last.no, Seq: e.seq, Why: EntryInserted}, nil
		}
		if entryHash(e.fields) != e.hash {
			return &Break{Seal: c.last.no, Seq: e.seq, Why: EntryChanged}, nil
		}
		c.result.Unsealed++
	}
	return nil, rows.Err()
}
