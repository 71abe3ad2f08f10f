// Package audit owns the record of who did what: schema audit, which is only added to,
// the seals that show when somebody changed it anyway, its way out by syslog, and the
// tables an auditor takes away.
//
// [Record] writes an entry in the transaction of what it tells of: both are there or
// neither. [Log] seals entries in batches in the background, verifies the seals,
// searches, exports and forwards.
//
// It imports internal/{db, geo}. It must not import internal/auth, which imports it:
// a doer is a few texts here.
//
// Invariants: no entry is changed or deleted by the app role or by the owner without
// switching a trigger off; an entry holds no password, token, secret or code and no
// telephone number in clear; writers never wait for each other here, nor for the
// sealer, nor for syslog.
package audit
