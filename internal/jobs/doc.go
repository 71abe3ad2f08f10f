// Package jobs runs work that outlasts a request: computing a plan, importing one. A job
// is a row, so that its owner sees it from any node and after a restart; the work itself is
// a function of this process.
//
// What must stay true:
//   - at most two run at once on a node, and nobody's many jobs keep another's one waiting;
//   - a job is seen by who started it and by who manages the system, by nobody else;
//   - a job whose process died is failed, "interrupted", within a minute, whichever node
//     notices; none stays running for ever;
//   - a panic fails the job and nothing else;
//   - what a job did is its own transaction's: a job that failed or was cancelled has left
//     what its function left.
//
// It owns the table job. It imports internal/auth and internal/db.
package jobs
