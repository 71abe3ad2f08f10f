// Package impact answers what is inside an area and where its people can go: people,
// buildings, facilities, enterprises and hazard sources, roads and lifelines, shelters
// inside (unusable) and outside with free places, teams and stores near, who answers for
// it, what else happened. One engine for the screen, the paper and the API.
//
// Every figure is an estimate (估算) and never fills a reported one. A question is one
// snapshot of the database: all its statements run in one repeatable-read transaction,
// under the asker's claims, each with the explicit predicate of its layer besides. A layer
// the asker does not see is absent from the answer. Totals come from unrounded sums; parts
// are apportioned by the largest remainder, so that they add up exactly.
//
// It reads every layer and writes nothing; it must not know HTTP. No more questions run at
// once than its gate lets in, so that a hundred of them keep nobody's report waiting.
package impact
