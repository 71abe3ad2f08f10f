// Package catalogue owns what administrators change in the catalogue: versions of
// rule sets and their confirmation against the standard, how a layer is titled and who
// may see it, and the settings. The registry reads the same tables for everybody else.
//
// It imports internal/{auth, audit, db, decision}. It must not import a domain or internal/api.
//
// Invariants: a version of a rule set is never edited; who confirms one is another
// person than who made it; neither is a layer's protection lowered nor the audit sent
// elsewhere by one person.
package catalogue
