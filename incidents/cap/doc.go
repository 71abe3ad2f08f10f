// Package cap reads, checks and writes messages of the Common Alerting Protocol (OASIS
// CAP 1.2) and the 31-character identifiers of GB/T 35965.1.
//
// It is pure: no clock, no network, no database. It imports orb and x/text and nothing of
// ours.
//
// Invariants: a message with a DOCTYPE, an entity of its own or more than its share of
// bytes, elements or depth is refused before anything is made of it, and nothing it names
// is ever fetched; [Decode] never panics; what [Encode] writes follows the schema; a
// position is lat,lon on the wire and lon/lat everywhere else.
package cap
