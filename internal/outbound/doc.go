// Package outbound reads the setting that names where warnings may be passed on to. It is
// pure, and imports nothing of ours: the catalogue checks with it what an administrator
// writes, the alerts send by it.
//
// Invariants: an address that is not in the setting is not sent to; a destination's id is
// a name in small letters, safe as the name of a file.
package outbound
