// Package cluster owns the private PostgreSQL cluster that onemap runs when no
// --database-url is given: it finds the binaries, initialises the data
// directory, starts the postmaster as a child of this process, keeps it
// running, and takes it down again.
//
// # Invariants
//
//   - One process at a time owns a data directory: DataDir/server.lock is held
//     by flock for the life of the Cluster. The kernel releases it when the
//     process dies, so it can never be stale.
//   - The postmaster dies with its parent. Pdeathsig follows the thread that
//     forked, not the process, so the goroutine that starts the child locks its
//     OS thread and stays on it until the child is gone.
//   - Ready means that our own child answers: postmaster.pid names the child's
//     pid and the server reports the system identifier found in our data
//     directory. Without this a leftover postmaster can answer in its place.
//   - fsync, full_page_writes, synchronous_commit and data_checksums are read
//     back from the running server; a server that would lose acknowledged rows
//     is not declared ready.
//   - Nothing here ever sends SIGKILL to a postmaster, and postmaster.pid is
//     removed only while the lock is held and no process works in the data
//     directory.
//   - The server listens on a Unix socket in a 0700 directory and on nothing
//     else. Clients are told apart by the kernel (peer authentication).
//
// # Locks
//
// Cluster.mu guards the fields right under it and is never held across a
// system call that can block. The supervising goroutine alone owns the child.
//
// The package imports nothing of ours and reads no environment variables and
// no flags: cmd passes what it needs in Options.
package cluster
