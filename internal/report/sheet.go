package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/report/draw"
)

// Size is a size of paper.
type Size string

// The sizes of paper.
const (
	A4 Size = "A4"
	A3 Size = "A3"
	A2 Size = "A2"
	A1 Size = "A1"
	A0 Size = "A0"
)

// Colour is a colour on screen and, where a standard prescribes one, on paper.
type Colour = draw.Colour

// ParseColour reads a screen colour (#RRGGBB) and the prescribed print colour, as the
// ladders keep it: cmyk(0,100,100,25), in percent, or "".
func ParseColour(screen, print string) (Colour, error) {
	var c Colour
	if len(screen) == 7 && screen[0] == '#' {
		n, err := strconv.ParseUint(screen[1:], 16, 24)
		if err != nil {
			return c, fmt.Errorf("report: %.20q is no colour", screen)
		}
		c.R, c.G, c.B = uint8(n>>16), uint8(n>>8), uint8(n)
	} else if screen != "" || print == "" {
		return c, fmt.Errorf("report: %.20q is no colour", screen)
	}
	if print == "" {
		return c, nil
	}
	inner, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(print, " ", "")), "cmyk(")
	inner, end := strings.CutSuffix(inner, ")")
	parts := strings.Split(inner, ",")
	if !ok || !end || len(parts) != 4 {
		return c, fmt.Errorf("report: %.40q is no print colour", print)
	}
	for i, p := range parts {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || !(v >= 0 && v <= 100) {
			return c, fmt.Errorf("report: %.40q is no print colour", print)
		}
		c.CMYK[i] = v / 100
	}
	c.Process = true
	if screen == "" {
		c.R, c.G, c.B = draw.RGB(c.CMYK)
	}
	return c, nil
}

// Texture tells levels apart without colour.
type Texture string

// The textures, named as the ladders name them.
const (
	Plain    Texture = "plain"
	Cross    Texture = "cross"
	Diagonal Texture = "diagonal"
	Dots     Texture = "dots"
)

// Level is one step of the ladder and its line in the legend.
type Level struct {
	Level   int    // 1 is the most severe; 0 is "not graded"
	Name    string // 高, 重点防治区
	Mark    string // one or two characters, drawn in labels where the name is too long; may be ""
	Colour  Colour
	Texture Texture

	// Figures as the screen shows them; printed as they are.
	Count  int
	AreaM2 float64
	Share  float64 // of the area, 0..1
	People *int64  // nil where nobody counted: a dash
}

// Zone is one shape of the map, in degrees on CGCS2000.
type Zone struct {
	ID    string
	Name  string
	Code  string
	Level int
	Shape orb.MultiPolygon
}

// The ranks of lines.
const (
	LineCounty   = "county"
	LineTownship = "township"
	LineVillage  = "village"
	LineRiver    = "river"
	LineHighway  = "highway"
	LineRoad     = "road"
	LineRailway  = "railway"
)

// Line is one line of the base map.
type Line struct {
	Class string // Line...
	Name  string
	Line  orb.MultiLineString
}

// Water is one water body of the base map.
type Water struct {
	Name  string
	Shape orb.MultiPolygon
}

// The ranks of places.
const (
	PlaceCounty   = "county"
	PlaceTownship = "township"
	PlaceVillage  = "village"
)

// Place is a named point of the base map.
type Place struct {
	Class string // Place...
	Name  string
	At    orb.Point
}

// Neighbour is land around the area: grey, with its name.
type Neighbour struct {
	Name  string
	Shape orb.MultiPolygon
}

// The kinds of a change against another version.
const (
	ChangeGained = "gained"
	ChangeLost   = "lost"
	ChangeLevel  = "relevelled"
)

// Change is a piece of land that another version treats otherwise.
type Change struct {
	Kind  string // Change...
	Shape orb.MultiPolygon
}

// Approval is one line of the approval block. No name leaves room for a signature.
type Approval struct {
	Role string // 编制, 审核, 审定, 批准
	Name string
	Date time.Time // zero: left blank
}

// Sheet is a map sheet: everything on it, and nothing else is on it.
type Sheet struct {
	Title, Subtitle string
	Size            Size
	Portrait        bool
	Lang            string // zh (default) or en: the words of the sheet itself

	Area       orb.MultiPolygon // what the plan is about; may be empty
	Extent     orb.Bound        // degrees; empty: the area, or else the zones
	Scale      int              // 1:Scale; 0 chooses the largest round scale that fits
	Levels     []Level          // the ladder, most severe first
	LevelTitle string           // heading of the ladder: 风险等级, 防治分区
	Total      *Level           // last line of the legend; nil: none
	Zones      []Zone
	Neighbours []Neighbour
	Water      []Water
	Lines      []Line
	Places     []Place
	Changes    []Change
	Against    string // the version Changes compare with

	// Print takes the prescribed print colours where a level has them; else the
	// screen's.
	Print                    bool
	NoGrid, NoLabel, NoPaint bool // NoPaint: no texture

	AsOf       string // 截至
	Basis      string // 口径
	Source     string // 来源
	Office     string // 编制单位
	DocumentNo string // 批准文号
	Version    string // of the plan, as shown: 第 2 版
	MapNumber  string // 审图号; "" prints Mark in its place
	Mark       string // 内部资料; "" prints nothing
	Approvals  []Approval
	Draft      string // stamp: 征求意见稿; "" for a plan in force
	Watermark  string // who and when; "" none
	// MadeAt is when the sheet was made, in the zone it is to be shown in.
	MadeAt time.Time
}

// Drawn says how a sheet came out.
type Drawn struct {
	Scale      int
	Projection string // as printed
	Labels     int    // zones that bear a label
	Unlabelled int    // zones too small for one
	Missing    []rune // characters the font lacks, drawn as a box
	WidthMM    float64
	HeightMM   float64
}
