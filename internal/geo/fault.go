package geo

import (
	"fmt"
	"strings"

	"github.com/paulmach/orb"
)

// The stable codes of faults. Rule lists, problem documents and quarantine rows
// carry them as they are.
const (
	CodeSyntax        = "syntax"
	CodeNumber        = "bad_number"
	CodeDepth         = "too_deep"
	CodeVertices      = "too_many_vertices"
	CodeParts         = "too_many_parts"
	CodeBytes         = "too_large"
	CodeNull          = "null_geometry"
	CodeType          = "unknown_type"
	CodeCRS           = "unknown_crs"
	CodeNoCoordinates = "missing_coordinates"
	CodeBadShape      = "bad_coordinates"
	CodeEmpty         = "empty_coordinates"
	CodeDimension     = "wrong_dimension"
	CodeEnvelope      = "out_of_range"
	CodeOpenRing      = "ring_not_closed"
	CodeShortRing     = "ring_too_short"
	CodeShortLine     = "line_too_short"
	CodeNested        = "nested_collection"
	CodeSelfCross     = "self_intersection"
	CodeHoleOutside   = "hole_outside_shell"
	CodeNestedHoles   = "nested_holes"
	CodeNestedShells  = "nested_shells"
	CodeDuplicateRing = "duplicate_rings"
	CodeTooComplex    = "too_complex"
)

// Fault says what is wrong with a geometry and where.
type Fault struct {
	Code   string    // stable, snake_case
	Path   string    // into the text or the shape: coordinates[0][3]
	Detail string    // English, one phrase
	Offset int64     // byte offset in the text, -1 where there is none
	At     orb.Point // the place on earth, if HasAt
	HasAt  bool
}

// Error makes a Fault an error.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString("geo: ")
	b.WriteString(f.Code)
	if f.Path != "" {
		b.WriteString(" at ")
		b.WriteString(f.Path)
	}
	if f.HasAt {
		fmt.Fprintf(&b, " (%.7f, %.7f)", f.At[0], f.At[1])
	}
	if f.Detail != "" {
		b.WriteString(": ")
		b.WriteString(f.Detail)
	}
	return b.String()
}

func faultAt(code, path string, at orb.Point, detail string) *Fault {
	return &Fault{Code: code, Path: path, Detail: detail, Offset: -1, At: at, HasAt: true}
}
