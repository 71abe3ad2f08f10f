// Package restricted reads people's data: telephones of those who answer for something
// or are on duty, the identity columns of imported files, households. Schema restricted
// belongs to the importer and the demo as writers and to this package as the one reader.
//
// It imports internal/{audit, db}. It must not import internal/auth or internal/api.
//
// Invariants: what leaves here is masked by the database, except through [Store.Reveal];
// that one commits the entry of the audit, with the reason, before it reads the value;
// no value in clear is kept or logged here.
package restricted
