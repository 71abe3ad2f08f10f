package cluster

import (
	"errors"
	"strings"
)

// Code names a kind of failure a caller can act on or translate.
type Code string

// The failures that have their own words. CodeStart is the rest: the server
// ended and its log says why.
const (
	CodeBinaries   Code = "postgres-missing"    // no usable initdb and postgres
	CodeExtensions Code = "extensions-missing"  // PostGIS, pgRouting, ... not installed
	CodeVersion    Code = "version-mismatch"    // data written by another major version
	CodeDiskFull   Code = "disk-full"           // no space for the cluster
	CodePath       Code = "path-untraversable"  // the cluster's user cannot reach the data
	CodeLocked     Code = "already-running"     // another process owns the data directory
	CodeUser       Code = "user-missing"        // no account to run PostgreSQL under
	CodeOwner      Code = "wrong-owner"         // the data belongs to somebody else
	CodeSocket     Code = "socket-path"         // the socket directory cannot be used
	CodeUnsafe     Code = "durability-off"      // a durability setting is not in force
	CodeBusy       Code = "leftover-processes"  // an old server does not end
	CodeInit       Code = "initdb-failed"       // the cluster could not be created
	CodeStart      Code = "start-failed"        // the server did not come up
	CodeStop       Code = "stop-failed"         // the server did not go down
	CodeUnreached  Code = "running-unreachable" // a running server's socket is not ours to use
)

// Error is what this package returns for every failure with a known cause.
// Message is written for the person at the terminal: Chinese first, English
// after it.
type Error struct {
	Code    Code
	Message string
	// PID is the process that holds the data directory (CodeLocked, CodeBusy).
	PID int
	// Log holds the last lines of PostgreSQL's log, where they explain anything.
	Log string
	Err error
}

// Error joins message, cause and log tail.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("cluster: ")
	b.WriteString(e.Message)
	if e.Err != nil {
		b.WriteString(" (")
		b.WriteString(e.Err.Error())
		b.WriteString(")")
	}
	if e.Log != "" {
		b.WriteString("\n")
		b.WriteString(strings.TrimRight(e.Log, "\n"))
	}
	return b.String()
}

// Unwrap gives the cause to errors.Is and errors.As.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf reports the Code of err, or "" when err is not from this package.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

func fail(code Code, message string, err error) *Error {
	return &Error{Code: code, Message: message, Err: err}
}

// saysDiskFull knows how PostgreSQL and the kernel say it.
func saysDiskFull(text string) bool {
	return strings.Contains(text, "No space left on device") ||
		strings.Contains(text, "Disk quota exceeded") ||
		strings.Contains(text, "(SQLSTATE 53100)")
}
