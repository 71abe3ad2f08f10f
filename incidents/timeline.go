package incidents

import "time"

// Event is a line of the timeline.
type Event struct {
	ID, Incident, Kind string
	At, RecordedAt     time.Time
	Detail             string
	Fields             map[string]any
	Ref                string
	Actor, Name, Role  string
}

// EventTable is the name of the timeline in the change feed.
const EventTable = "incident_events"
