// Package resources owns what command sends: the teams' positions and states, dispatches
// of teams and goods with their acknowledgement, the stock of the stores, and the blocks
// of roads with their clock.
//
// It writes teams (position, state), road_blocks, and the records team_positions,
// dispatches, stock and stock_moves. It imports internal/{audit, auth, db, geo, records,
// registry}. It must not import another domain or internal/api; that an incident exists it
// asks by reading.
//
// Invariants: a team is in one place, so it has one open dispatch at most; a position that
// arrives late moves nobody; stock changes by moves alone, each counted once, and is never
// below zero; what was reopened names when, and a trunk road whose eight hours are over
// stays late.
package resources
