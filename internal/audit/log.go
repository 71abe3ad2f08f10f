package audit

import (
	"onemap/internal/db"
	"onemap/internal/geo"
)

// Log is the reader's and keeper's side of the audit.
type Log struct {
	db      *db.DB
	queries db.Queries
}

// Reading are the claims of somebody who reads the audit of an area. They are made of
// the grant that lets him, not of everything he may read as somebody else.
func Reading(actor string, areas geo.Scopes) db.Claims {
	return db.Claims{Actor: actor, Role: "auditor", Reach: db.NewReach(db.Areas{Internal: areas, Class: "auditor"})}
}
