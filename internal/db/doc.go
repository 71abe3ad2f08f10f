// Package db owns the connections to PostgreSQL: three pools with their limits,
// transactions that carry the asker's claims, and SQL kept in named files.
//
// Pools never share connections, so that tile load cannot starve the intake of
// reports: Intake (sign-in, reports, incidents), Query (tiles and questions, read
// only), Bulk (import, export, administration). All connect as the app role, which
// owns nothing. A query with a cancelled context is cancelled politely
// (CancelRequest), so an abandoned tile costs no reconnect.
//
// The package knows no table. It imports internal/geo for the geometry codec only.
package db
