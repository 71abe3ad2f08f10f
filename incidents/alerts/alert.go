package alerts

import (
	"time"

	"github.com/paulmach/orb"

	"onemap/incidents/cap"
	"onemap/internal/geo"
)

// The states of an alert.
const (
	Active    = "active"
	Updated   = "updated" // another one took its place
	Cancelled = "cancelled"
	Expired   = "expired"
)

// States are all of them.
func States() []string { return []string{Active, Updated, Cancelled, Expired} }

// The outcomes of a receipt.
const (
	Reached      = "reached"
	Acknowledged = "acknowledged"
	Unreached    = "failed"
)

// Channels are the ways somebody is reached.
func Channels() []string {
	return []string{"phone", "app", "sms", "radio", "loudspeaker", "screen", "in_person", "platform"}
}

// Note is what was odd about a message and did not keep it out.
type Note struct {
	Code string `json:"code"`
	Path string `json:"path"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
}

// Alert is one warning of a chain.
type Alert struct {
	ID, Identifier, Event, EventCode, Hazard  string
	FID                                       int64
	Level                                     *int // nil: nobody said
	Status, MsgType, Sender                   string
	SenderName                                string // whom people know it by; the sender is an address
	SentAt, Effective, Expires, Received, End *time.Time
	Headline, Description, Instruction        string
	State, Chain, Source, AreaDesc            string
	Urgency, Certainty                        string
	Refs                                      []string
	Geocodes                                  []cap.Pair
	Geometry                                  orb.Geometry // nil: nobody knows where
	Exercise                                  bool
	Scope                                     geo.Scope
	Notes                                     []Note
	Version                                   int64
	Targets, Reached, Acknowledged            int // by the latest message
	FeedPosition                              string
}

// Message is one message of a chain as it came.
type Message struct {
	ID, Alert, Identifier, Sender, MsgType string
	SentAt, ReceivedAt                     time.Time
	Name                                   string // who took it in
}

// Query says which alerts.
type Query struct {
	State, Area string
	Level       int
	Exercise    string // "" or "false": none, "true": only, "all"
	Chain       string
	Limit       int
	Cursor      string
}

// Page is a page of alerts, the latest first, and how many are live.
type Page struct {
	Alerts   []Alert
	Next     string
	Active   int
	ByLevel  map[int]int
	Position string
}

// Village is a unit in the area with what is known of reaching it.
type Village struct {
	Code, Name, Town         string
	Share                    float64
	Whole, Added             bool
	Population, Households   *int
	Listed                   *Listed // nil: not for the asker
	Grids                    []Grid
	State                    string // waiting, reached, acknowledged, failed
	Channel, By              string
	At, AckedAt, FirstReach  *time.Time
	Position                 *orb.Point // a place inside
	scope                    geo.Scope
	listed, persons, weak, m *int
}

// Listed is what the restricted list of households counts; no names.
type Listed struct {
	Households int `json:"households"`
	Persons    int `json:"persons"`
	Weak       int `json:"weak"`
	MustMove   int `json:"must_move"`
}

// Grid is a grid in the area.
type Grid struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	Worker string `json:"worker"`
}

// KPI is how far the latest message has got.
type KPI struct {
	Targets, Reached, Acknowledged int
	Coverage                       float64 // acknowledged of all
	Persons, PersonsAcknowledged   int
	MinutesTo90                    *float64 // from when it came in; nil: not yet
	Goal                           float64
}

// Targets are who is in the area of an alert.
type Targets struct {
	Alert    Alert
	Message  Message // the one the states speak of
	Villages []Village
	Removed  []Village // in the area of the message before
	KPI      KPI
}

// Outbound is one message on its way to one address.
type Outbound struct {
	ID, Kind, Destination, Title, State, LastError string
	Identifier, MsgType                            string
	Follows                                        bool
	Attempts                                       int
	CreatedAt                                      time.Time
	SentAt, NextAt                                 *time.Time
	Name                                           string
}

// Swap is the evidence that latitude and longitude were exchanged.
type Swap struct {
	Given, Swapped   orb.Bound
	GivenOnEarth     bool
	Units            int    // of ours the area touches as given
	SwappedUnits     int    // and the other way round
	Area, AreaTitle  string // one of them
	GeometryIfSwaped orb.Geometry
}

// Refused is a message that was not taken, with what to do about it.
type Refused struct {
	Findings []cap.Finding
	Swap     *Swap // ?fix=swap takes it
	Close    bool  // ?fix=close takes it
}

func (r *Refused) Error() string { return (&cap.Refused{Findings: r.Findings}).Error() }
