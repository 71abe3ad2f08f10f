// Package poll asks other people's servers for observations: CSV or JSON over HTTP, from
// addresses that an administrator allowed, read by a mapping that stands with them in the
// setting "observation_sources".
//
// It owns that setting and the requests that go out. It knows no database and no HTTP
// server, and imports internal/{geo, registry} only.
//
// Invariants: nothing is asked but hosts on the list, and no redirect leads to another;
// a name that resolves to this machine or to a link's own addresses is not connected to
// unless the address itself is on the list; an answer is bounded in size and time; what
// cannot be read is an error, never a zero; addresses and keys are in no error and no log.
package poll
