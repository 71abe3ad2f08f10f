// Package papers owns what leaves the command centre on paper: 快报, 专报 and the 交接班
// brief. A paper is drafted, reviewed and signed; one that cannot wait is reported first
// and signed after (先报后签, 补签). Signing freezes its figures, each with how it was
// counted, as of when and whence; what changed since is said beside it and never in it.
//
// It writes papers, and reads the log of a period. Figures and facts come to it as values.
// It imports internal/{audit, auth, db, geo, records, registry}. It must not import another
// domain, internal/report or internal/api.
//
// Invariants: who worded or reported a paper does not sign it; what was reported or signed
// never changes (the database holds both); a figure says whether it was reported or is an
// estimate; what is of an exercise says so on every page and is in no count.
package papers
