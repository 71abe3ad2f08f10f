// Package feed reads the outbox change_log and hands its rows to this process in
// order: the registry, the tile caches and the live streams follow it, and so do
// the other nodes.
//
// Writers add rows in their own transactions by trigger. A row may be delivered
// once no older transaction can still commit: its xid is below
// pg_snapshot_xmin(pg_current_snapshot()). Order and cursor are (xid, seq); seq
// alone would skip a row whose transaction numbered it early and committed late.
// The pair is the [Position].
//
// The reader wakes in process after a local commit ([Reader.Wake]), by NOTIFY that
// other processes send in a separate transaction after their commit ([Notify];
// inside the write transaction NOTIFY serialises all commits), and at the latest
// by its poll. Handlers run one after another in the order of registration and
// must not block: what they hold up, everybody waits for.
//
// Locks: Reader.mu guards state only and is never held while a handler or a query
// runs.
package feed
