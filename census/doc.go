// Package census brings data sets in: it reads files, tests every row, and moves
// the good ones into the layer tables.
//
// It owns the layer tables' bulk writing, import, import_issue, import_key,
// import_change, import_original, staging.import_row and restricted.attribute. It
// must not import the other domain packages or any HTTP code.
//
// The way of a row:
//
//	reader -> mapping -> quality tests -> staging (COPY) -> layer table (chunks)
//
// Invariants:
//   - read = accepted + rejected + quarantined, per file. Rejected means unreadable or
//     not data (a total row); quarantined means readable, but a person must decide.
//     Each carries the row's number, a rule and words; good rows never wait for bad.
//   - A file whose text breaks off changes nothing: it is read whole before the first
//     row moves.
//   - Importing the same file again changes nothing, whatever was edited since; a row
//     confirmed in the field is not overwritten or deleted unless the difference was
//     accepted.
//   - No write transaction lasts over a second or moves over 5,000 rows; each leaves
//     one bulk row per layer in the feed. A run that was killed is simply run again.
//   - Nothing a source said is dropped: fields no column takes go to attrs; identity
//     and telephone numbers go to the restricted schema only, never to attrs, reports
//     or logs.
package census
