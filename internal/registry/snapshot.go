package registry

import (
	"encoding/json"
	"slices"
	"time"

	"onemap/internal/db"
)

// Lang is a language of the user interface: [Chinese] first, [English] second.
type Lang string

// The two languages.
const (
	Chinese Lang = "zh-CN"
	English Lang = "en"
)

// Title is a name in both languages.
type Title struct{ ZH, EN string }

// In returns the title in a language; anything but English is Chinese.
func (t Title) In(l Lang) string {
	if l == English {
		return t.EN
	}
	return t.ZH
}

// Geometry kinds a layer promises.
const (
	Point   = "point"
	Line    = "line"
	Polygon = "polygon"
	Mixed   = "mixed"
)

// TimeKind says what datetime= means for a layer.
type TimeKind string

const (
	// Timeless layers ignore datetime.
	Timeless TimeKind = ""
	// Interval layers show the rows valid at the asked instant, now by default.
	Interval TimeKind = "interval"
	// Instant layers (incidents) are filtered by their time only when asked.
	Instant TimeKind = "instant"
)

// FieldType is the type of a published field.
type FieldType string

// Field types; a code field's values are items of its code list.
const (
	Text     FieldType = "text"
	Integer  FieldType = "integer"
	Number   FieldType = "number"
	Boolean  FieldType = "boolean"
	Date     FieldType = "date"
	DateTime FieldType = "datetime"
	Code     FieldType = "code"
	UUID     FieldType = "uuid"
	JSON     FieldType = "json"
)

// Field is one typed field of a layer. Name is the column's name everywhere.
type Field struct {
	Name     string
	Type     FieldType
	Title    Title
	Unit     string // as the office writes it, "" when none
	UnitEN   string // for English readers, "" when Unit serves them too
	CodeList string
	Tile     bool // in vector tiles
	Filter   bool // usable in filters
	Form     bool // in capture forms
	Export   bool
	MinZoom  int // left out of tiles below this zoom
}

// UnitIn is the unit in a language.
func (f Field) UnitIn(l Lang) string {
	if l == English && f.UnitEN != "" {
		return f.UnitEN
	}
	return f.Unit
}

// Layer is one entry of the catalogue. Schema, Table and the column names come
// from the database and are the only identifiers that ever reach SQL text, always
// through pgx.Identifier.Sanitize.
type Layer struct {
	ID             string
	Title          Title
	Theme          string
	Geometry       string
	Own            bool // one of our tables: has fid, scope, history, feed
	Schema         string
	Table          string
	IDColumn       string // "" when the table has no stable id
	FIDColumn      string
	GeomColumn     string
	SRID           int
	ScopeColumn    string
	LabelField     string
	LevelField     string
	KindField      string
	Ladder         string
	LadderBy       *LadderBy
	TimeKind       TimeKind
	TimeFrom       string
	TimeTo         string
	ShownField     string
	ShapesTable    string // shapes generalised per zoom: id, z, geom; "" when there are none
	OrderBy        string
	Symbol         string
	MinZoom        int
	MaxZoom        int
	Visibility     string
	DefaultVisible bool
	Fields         []Field
}

// LadderBy picks the ladder by another field's value.
type LadderBy struct {
	Field string            `json:"field"`
	Map   map[string]string `json:"map"`
}

// Field returns the field of that name.
func (l *Layer) Field(name string) (Field, bool) {
	i := slices.IndexFunc(l.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return l.Fields[i], true
}

// SeenBy says whether the layer exists for an asker. What it does not is absent
// everywhere: in lists, tiles, counts and errors. Tables that are not ours hold no
// demo rows.
func (l *Layer) SeenBy(r db.Reach) bool { return r.Sees(l.Visibility) && (l.Own || !r.Demo()) }

// TileFields are the fields a tile of zoom z carries.
func (l *Layer) TileFields(z int) []Field {
	out := make([]Field, 0, len(l.Fields))
	for _, f := range l.Fields {
		if f.Tile && z >= f.MinZoom {
			out = append(out, f)
		}
	}
	return out
}

// Theme groups layers in the order people think.
type Theme struct {
	ID    string
	Title Title
}

// CodeList is a list of codes; a ladder when Ladder is set, whose items then carry
// levels, 1 the worst.
type CodeList struct {
	ID       string
	Ladder   bool
	Title    Title
	Standard string
	Verified bool
	Items    []CodeItem
}

// CodeItem is one code.
type CodeItem struct {
	Code       string
	Title      Title
	Parent     string
	Level      int // 0 outside ladders
	Mark       Title
	Color      string
	ColorDark  string
	Texture    string
	PrintColor string
}

// Item returns the item with that code.
func (c *CodeList) Item(code string) (CodeItem, bool) {
	i := slices.IndexFunc(c.Items, func(it CodeItem) bool { return it.Code == code })
	if i < 0 {
		return CodeItem{}, false
	}
	return c.Items[i], true
}

// RuleSet is the newest version of a rule in force today.
type RuleSet struct {
	Rule     string
	Version  int
	Title    Title
	Standard string
	Body     json.RawMessage
	Verified bool
}

// Alias is another name or code of an administrative unit.
type Alias struct{ AdminCode, Alias, Kind string }

// Snapshot is everything at one moment. It is never changed after loading.
type Snapshot struct {
	LoadedAt  time.Time
	Themes    []Theme
	Layers    []*Layer // in panel order: theme, then sort
	CodeLists map[string]*CodeList
	Rules     map[string]RuleSet
	Settings  map[string]json.RawMessage
	Aliases   []Alias

	byID map[string]*Layer
}

// Layer finds a layer by id.
func (s *Snapshot) Layer(id string) (*Layer, bool) {
	l, ok := s.byID[id]
	return l, ok
}

// Setting decodes a setting into v and reports whether it exists and fits.
func (s *Snapshot) Setting(key string, v any) bool {
	raw, ok := s.Settings[key]
	return ok && json.Unmarshal(raw, v) == nil
}

// Home is the area the map opens on.
type Home struct {
	Code  string `json:"code"`
	Title string `json:"title"`
}

// Home returns the setting "home"; zero when nothing was chosen yet.
func (s *Snapshot) Home() Home {
	var h Home
	s.Setting("home", &h)
	return h
}

// Location is the time zone that decides dates, day deadlines and monthly figures.
func (s *Snapshot) Location() *time.Location {
	var name string
	if s.Setting("timezone", &name) {
		if loc, err := time.LoadLocation(name); err == nil {
			return loc
		}
	}
	return time.FixedZone("Asia/Shanghai", 8*3600)
}
