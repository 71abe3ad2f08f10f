// Package response owns 应急响应: the response as an object of its own, beside the level of
// an incident and the colour of a warning. It is drafted, started, adjusted and ended; each
// act says its level, who signed it and under which number, and is kept for ever. It owns
// the duty desk's chair as well: the roster, 带班领导, and who sits there now.
//
// It writes response, response_act, duty_sitting and duty_roster. What a response asks
// for (tasks) and what is reported (papers) are other packages'. It imports
// internal/{audit, auth, db, geo, records, registry}. It must not import another domain or
// internal/api.
//
// Invariants: an exercise never makes 战时; what was ordered is adjusted by another act and
// never edited (the database holds that too); one person at most sits at the desk of an
// area; a response is read by whoever reads what is internal in its area.
package response
