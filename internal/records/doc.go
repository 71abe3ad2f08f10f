// Package records is what the kinds of field work have in common: reading a row as a
// record of the sync engine, checking fields against a dictionary, and writing so that
// what the database refuses becomes a word against one operation and not the end of its
// transaction.
//
// It owns no table. It imports internal/{db, geo, sync}. It must not import a domain or
// internal/api.
package records
