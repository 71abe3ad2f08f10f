// Package sensing owns what gauges say: rain, rivers, reservoirs, and whatever else is
// measured at a station of the layer sensors. Observations come by HTTP or are asked for
// at the addresses of a setting; sums of 1, 3, 6, 12 and 24 hours, levels and the
// thresholds at which villages get ready or move are answered from them.
//
// It writes observations, station_now, station_rain, station_threshold and
// observation_poll, and of the layer sensors only value, value_at and state. It imports
// internal/{audit, auth, db, geo, poll, registry}. It must not import another domain,
// another part of incidents or internal/api.
//
// Invariants: what was acknowledged is committed; the same observation twice is one, and
// one that says otherwise is refused and told of, never written over; nothing of the
// future is taken; a station that is silent too long has no data, which is not zero; a
// sum whose hours are not covered is said to be partial; sums are made of decimals, so
// that tenths add up; a station outside the sender's area is as unknown to him as one
// that does not exist; sums that are kept are those the same asker would add up. Observations are no changes somebody made: they carry their source
// and are not in the audit; changed thresholds are.
package sensing
