package coverage

// ID names a zone: a UUID as text.
type ID string

// Coverage is the zones an edit may touch, or all of a plan.
type Coverage struct {
	Zones map[ID]Shape
	// Area is what the zones cover together, with every node of theirs on it. Empty: the
	// plan has no boundary.
	Area Shape
	// Exhaustive plans leave no gap in the area.
	Exhaustive bool
	// Loaded is the part of a plan that is here: every zone that touches it, whole. Nil:
	// all of the plan.
	Loaded *Box
}

// Noder cuts lines at each other and at themselves: the answer has no crossing, no
// T-junction and no duplicate left, on the grid. PostGIS: ST_Union(lines, gridSize).
type Noder interface {
	Node(lines [][]Point) ([][]Point, error)
}

// Kind is what an edit does. The words are those of the HTTP contract.
type Kind string

// The kinds that change geometry.
const (
	Add          Kind = "add"           // a new zone of Shape; Carve: taken from the zones below, else clipped at them
	AddPart      Kind = "add_part"      // Shape becomes a further part of Zone
	Reshape      Kind = "reshape"       // Zone becomes Shape, or follows Line between where it meets the border
	Split        Kind = "split"         // Zone is cut along Line; the largest piece keeps the id
	Merge        Kind = "merge"         // Zones become the first of them
	Explode      Kind = "explode"       // the parts of Zone become zones
	CutHole      Kind = "cut_hole"      // Shape is cut out of Zone; it becomes New, or a gap where gaps may be
	FillHole     Kind = "fill_hole"     // the hole of Zone around At is filled, with what lies in it
	MoveVertex   Kind = "move_vertex"   // From moves to To, in every zone that has it
	MoveEdge     Kind = "move_edge"     // both ends of Edge move by the same step (to EdgeTo)
	InsertVertex Kind = "insert_vertex" // At becomes a node of Edge, in every zone that has it
	RemoveVertex Kind = "remove_vertex" // At is taken out of every ring that has it
	Delete       Kind = "delete"        // Zone goes; To takes its area, else it is a gap
	AssignGap    Kind = "assign_gap"    // the gap around At becomes part of Zone
)

// Op is one operation on a coverage. Only the members its kind names are read.
type Op struct {
	Kind   Kind
	Zone   ID
	Zones  []ID
	New    []ID // ids for what the operation makes, in the order of size; more are asked of NewID
	Shape  Shape
	Line   []Point
	Carve  bool
	At     Point
	From   Point
	To     Point
	Edge   [2]Point
	EdgeTo [2]Point
	Target ID // of Delete
	// Confirmed are zones that may go whole when Shape is taken from them. The coverage
	// does not ask; who answers for a plan does.
	Confirmed []ID
}

// Change is what operations did: the shapes before and after, by zone; a zone that is
// absent on one side was made or removed. Area is set on both sides where nodes were
// added to the boundary.
type Change struct {
	Before, After         map[ID]Shape
	AreaBefore, AreaAfter Shape
	// Heirs says from which zone a new one took most of its area: it inherits level and
	// attributes.
	Heirs map[ID]ID
}

// Code is what is wrong at a place. The words are those of the HTTP contract.
type Code string

// The codes.
const (
	SelfIntersection Code = "self_intersection"
	Overlap          Code = "overlap"
	Gap              Code = "gap"
	Sliver           Code = "sliver"
	OutsideArea      Code = "outside_area"
	TooManyVertices  Code = "too_many_vertices"
	OffGrid          Code = "off_grid"
	Degenerate       Code = "degenerate"    // fewer than three points, a spike, a ring without area
	NothingToDo      Code = "nothing_to_do" // a split line that does not cross, a move to the same place
	NoSuchZone       Code = "no_such_zone"
	NoSuchVertex     Code = "no_such_vertex"
	NotAdjacent      Code = "not_adjacent"
	LockedBoundary   Code = "locked_boundary" // a node of the area's boundary does not move
)

// Violation is one fault, at a place that can be drawn.
type Violation struct {
	Code   Code
	Zones  []ID
	Where  Shape   // of an area (overlap, gap, sliver)
	Line   []Point // of a line (edges that do not match)
	At     Point   // always a point to fly to
	AreaM2 float64
	// WidthM is the mean width, 2·area/perimeter: what tells a sliver from a gap.
	WidthM float64
	// Proposals are operations that would mend it, the best first.
	Proposals [][]Op
	// Kept names the zone that healing left a larger overlap to, because it has no other
	// ground.
	Kept ID
	// More, of the last one listed, is how many further faults of its kind there are.
	More int
}

// Error is the violations that made an operation impossible.
type Error struct{ Violations []Violation }
