// Package fallback writes 兜底包: what a county needs when its server, its network or its
// power is gone. One HTML file that any browser opens from a memory stick: contacts in
// clear, hazard points, whom to move and by which way, shelters, stores and teams, as pages
// to read, workbooks, and a printed A3 map of every township.
//
// The file is encrypted (AES-256-GCM; the key by PBKDF2-SHA256 from a passphrase the
// administrator sets) and decrypts itself in the browser with WebCrypto; nothing in it asks
// a network. The passphrase is kept nowhere: the key made of it is, in a file of the data
// folder only the server reads, so that the nightly package needs nobody.
//
// It reads many tables and writes fallback_package. It imports internal/{audit, auth, db,
// geo, registry, report, restricted}. It must not import a domain or internal/api.
//
// Invariants: every number in it was revealed with a reason, in the audit, before it was
// read; a file that stands in the second place is whole, and the one before stays until it
// does; the age is on its face, before it is opened and after.
package fallback
