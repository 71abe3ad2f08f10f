package zoning

import (
	"context"
	"encoding/json"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/auth"
	"onemap/zoning/coverage"
)

// ImportFile is an uploaded file with an existing zoning.
type ImportFile struct {
	Name     string // as the person calls it
	Path     string // where it lies
	Encoding string // of a Shapefile's text; "" or auto: found out
	CRS      string // "" or auto: what the file says
	Layer    string // inside the file; "" for the only one

	LevelField string // the field of levels, where a person knows better; "": guessed
}

// ImportValue is a value of a field, with what the eye needs to judge it.
type ImportValue struct {
	Value string  `json:"value"`
	Count int     `json:"count"`
	Share float64 `json:"share"` // of the area
}

// ImportField is a field of the file. Values are listed where they are few.
type ImportField struct {
	Name    string        `json:"name"`
	Type    string        `json:"type"` // text, number, boolean, mixed
	Values  []ImportValue `json:"values,omitempty"`
	Samples []string      `json:"samples,omitempty"`
}

// The directions of a file's levels.
const (
	OneIsWorst = "1_is_worst"
	OneIsLeast = "1_is_least"
	Named      = "named"
)

// ImportSuggestion is a guess at the mapping. Nothing of it is used unless accepted.
type ImportSuggestion struct {
	LevelField, NameField, CodeField  string
	Countermeasure, Responsible       string
	Ladder                            string
	Levels                            map[string]int
	Direction                         string // "" where there is no level
	DirectionReason, DirectionReasonE string // why; "" where numbers alone do not tell
}

// ImportFault is a row that was mended or cannot be used.
type ImportFault struct {
	Row                int
	Code               string // null_geometry, not_an_area, not_on_earth, too_large, too_many_crossings, degenerate, bad_json, mended
	ZH, EN             string
	At                 *orb.Point
	AreaBefore, AreaM2 float64 // of a mended one, as read (signed sum of its rings) and as mended
}

// Notice is something to be looked at.
type Notice struct{ Code, ZH, EN string }

// ImportShape is a feature of the preview, generalised.
type ImportShape struct {
	Row      int
	Value    string // of the suggested level field
	Name     string
	Level    int // as suggested; 0: none
	Geometry orb.MultiPolygon
	AreaM2   float64
}

// ImportPreview is what was read, before anything is made of it.
type ImportPreview struct {
	ID         string
	Name       string
	Format     string
	Encoding   string
	EncodingBy string // cpg, ldid, utf8, guess, given
	CRS        string
	Layer      string
	Layers     []string
	Features   int // read, faulty ones included
	Usable     int
	Fields     []ImportField
	Suggestion ImportSuggestion
	Bounds     *orb.Bound
	Outside    int // shapes beyond all known administrative units
	Faults     []ImportFault
	MoreFaults int
	Notices    []Notice
	Preview    []ImportShape
	ExpiresAt  time.Time
}

// ImportMapping says what the file means, and what plan it becomes.
type ImportMapping struct {
	// Parent is the version that what is imported follows, as [Service.NewVersion] has it:
	// what is left out below is as it was there. "": it begins a series.
	Parent                    string
	Title, Hazard, Kind, Area string
	Exhaustive                *bool  // nil: as the parent; where there is none, not
	Ladder                    string // "": the usual one of the kind
	Responsible, Note         string

	LevelField, NameField, CodeField                   string
	CountermeasureField, ResponsibleField, ReasonField string
	Levels                                             map[string]int // by value of the level field; 0: not graded
	DirectionConfirmed                                 bool           // somebody looked: these levels run the right way
}

// ZoneChange is what healing did to a zone. Of what it lost CutM2 lay outside the area.
// One that lost everything is Removed: there is no such zone in the plan.
type ZoneChange struct {
	Zone, Name              string
	GainedM2, LostM2, CutM2 float64
	Removed                 bool
}

// ImportReport is what became of an import.
type ImportReport struct {
	Plan       Plan
	Read       int // features of the file
	Zones      int
	Healed     []coverage.Healed
	Changed    []ZoneChange
	Violations []coverage.Violation // what was too large to be closed by itself; zones by their ids
	Faults     []ImportFault        // rows mended or left out
	Notices    []Notice
	Joins      Joins
}

// ReadImport reads a file and keeps what it read for a day, for the person who brought
// it; nothing is made of it yet.
func (s *Service) ReadImport(ctx context.Context, by auth.By, f ImportFile) (ImportPreview, error) {
	return s.readImport(ctx, by, f)
}

// rowOf is a row of an import as it is kept.
type importRow struct {
	Row      int
	Props    json.RawMessage
	Shape    []byte // WKB on the grid; nil: not usable
	Original []byte // WKB as read, where it is not what Shape says
	Fault    *ImportFault
	AreaM2   float64
}
