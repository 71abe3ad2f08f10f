package census

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ErrManifest means a manifest says something that cannot be.
var ErrManifest = errors.New("census: manifest")

// Manifest says how a package of files becomes data sets.
type Manifest struct {
	Dataset        string  `yaml:"dataset"` // prefix of the data sets' names
	Title          string  `yaml:"title"`
	SourceDept     string  `yaml:"source_dept"`
	SourceDate     string  `yaml:"source_date"`
	Classification string  `yaml:"classification"`
	Root           string  `yaml:"root"` // of the paths, relative to the manifest
	Timezone       string  `yaml:"timezone"`
	Area           string  `yaml:"area"` // administrative code the data lies in
	Home           *Home   `yaml:"home"`
	Files          []Entry `yaml:"files"`
}

// Home makes the area the one the map opens on.
type Home struct {
	Code  string `yaml:"code"`
	Title string `yaml:"title"`
}

// Entry is one data set: files of one form for one layer.
type Entry struct {
	Name       string              `yaml:"name"`
	Path       string              `yaml:"path"` // may hold * in the file name
	Layer      string              `yaml:"layer"`
	Sublayer   string              `yaml:"source_layer"` // layer or sheet inside the file
	Title      string              `yaml:"title"`
	SourceDate string              `yaml:"source_date"`
	Mode       Mode                `yaml:"mode"`
	Key        KeyFields           `yaml:"key"`
	CRS        string              `yaml:"crs"`
	Encoding   string              `yaml:"encoding"`
	Geometry   GeometryRule        `yaml:"geometry"`
	Fields     map[string]FieldMap `yaml:"fields"`
	Constants  map[string]any      `yaml:"constants"`
	Required   []string            `yaml:"required"` // fields a row must have, else quarantine
	Expected   []string            `yaml:"expected"` // fields whose absence is remarked
	Restricted []string            `yaml:"restricted"`
	Exercise   *Match              `yaml:"exercise"`
	Admin      *AdminRule          `yaml:"admin"`
	Area       *string             `yaml:"area"` // overrides the manifest's; "" switches the test off

	loose bool // nobody wrote this entry: synonyms count too
}

// KeyFields are the source fields that name a row, or `content`.
type KeyFields []string

// UnmarshalYAML accepts one name or a list.
func (k *KeyFields) UnmarshalYAML(n *yaml.Node) error { return oneOrMany(n, (*[]string)(k)) }

// Content reports whether rows are named by what they say.
func (k KeyFields) Content() bool { return len(k) == 0 || (len(k) == 1 && k[0] == "content") }

// FieldMap says where a field comes from. The short form is the source's name.
type FieldMap struct {
	From   []string          `yaml:"from"`
	Join   string            `yaml:"join"`   // between several sources, default a space
	Codes  map[string]string `yaml:"codes"`  // source text -> value
	Else   *string           `yaml:"else"`   // value where codes has none
	Split  string            `yaml:"split"`  // the source is a list; codes apply to its parts
	Match  string            `yaml:"match"`  // regular expression; its first group is the value
	Offset float64           `yaml:"offset"` // added to a number
	Scale  float64           `yaml:"scale"`  // factor of a number
	re     *regexp.Regexp
}

// UnmarshalYAML accepts a bare name.
func (f *FieldMap) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		f.From = []string{n.Value}
		return nil
	}
	type plain struct { // without this method
		From   yaml.Node         `yaml:"from"`
		Join   string            `yaml:"join"`
		Codes  map[string]string `yaml:"codes"`
		Else   *string           `yaml:"else"`
		Split  string            `yaml:"split"`
		Match  string            `yaml:"match"`
		Offset float64           `yaml:"offset"`
		Scale  float64           `yaml:"scale"`
	}
	var p plain
	if err := strict(n, &p); err != nil {
		return err
	}
	*f = FieldMap{Join: p.Join, Codes: p.Codes, Else: p.Else, Split: p.Split, Match: p.Match, Offset: p.Offset, Scale: p.Scale}
	return oneOrMany(&p.From, &f.From)
}

// GeometryRule says where a row's place is. The zero value takes the file's shapes.
type GeometryRule struct {
	None bool   // only an address: listed as 未定位
	Lon  string `yaml:"lon"`
	Lat  string `yaml:"lat"`
	Pair string `yaml:"pair"` // one column with both
}

// UnmarshalYAML accepts the word none.
func (g *GeometryRule) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		if n.Value != "none" {
			return fmt.Errorf("%w: line %d: geometry is none, or lon and lat, or pair", ErrManifest, n.Line)
		}
		g.None = true
		return nil
	}
	type plain struct {
		Lon  string `yaml:"lon"`
		Lat  string `yaml:"lat"`
		Pair string `yaml:"pair"`
	}
	var p plain
	if err := strict(n, &p); err != nil {
		return err
	}
	g.Lon, g.Lat, g.Pair = p.Lon, p.Lat, p.Pair
	if (g.Lon == "") != (g.Lat == "") || (g.Lon == "") == (g.Pair == "") {
		return fmt.Errorf("%w: line %d: geometry wants lon and lat, or pair", ErrManifest, n.Line)
	}
	return nil
}

// Match tests a source field.
type Match struct {
	Field   string `yaml:"field"`
	Pattern string `yaml:"match"`
	re      *regexp.Regexp
}

// AdminRule finds a row's administrative unit by its names or code.
type AdminRule struct {
	Code  string   `yaml:"code"`  // source field with the code
	Names []string `yaml:"names"` // source fields with the names, larger unit first
	// Whole: the unit contains the row whole, so it becomes the row's scope. Without,
	// the names are only compared with the place.
	Whole bool `yaml:"whole"`
}

func oneOrMany(n *yaml.Node, into *[]string) error {
	switch n.Kind {
	case 0:
		return nil
	case yaml.ScalarNode:
		*into = []string{n.Value}
		return nil
	}
	return n.Decode(into)
}

// strict decodes a mapping and refuses unknown keys, which Node.Decode does not.
func strict(n *yaml.Node, into any) error {
	raw, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(strings.NewReader(string(raw)))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	return nil
}

// maxManifest bounds a manifest's text; anchors cannot multiply it beyond what
// yaml.v3 itself allows.
const maxManifest = 1 << 20

// ParseManifest reads and checks a manifest.
func ParseManifest(text []byte) (*Manifest, error) {
	if len(text) > maxManifest {
		return nil, fmt.Errorf("%w: over %d bytes", ErrManifest, maxManifest)
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	var m Manifest
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if m.Dataset == "" || len(m.Files) == 0 {
		return nil, fmt.Errorf("%w: dataset and files are needed", ErrManifest)
	}
	if _, err := m.location(); err != nil {
		return nil, err
	}
	if err := checkClassification(m.Classification); err != nil {
		return nil, err
	}
	if _, err := parseDay(m.SourceDate); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for i := range m.Files {
		e := &m.Files[i]
		if e.Name == "" {
			e.Name = strings.TrimSuffix(filepath.Base(e.Path), filepath.Ext(e.Path))
		}
		if names[e.Name] {
			return nil, fmt.Errorf("%w: two entries are named %q", ErrManifest, e.Name)
		}
		names[e.Name] = true
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrManifest, e.Name, err)
		}
	}
	return &m, nil
}

func (e *Entry) check() error {
	switch e.Mode {
	case "":
		e.Mode = Upsert
	case Upsert, Replace:
	default:
		return fmt.Errorf("mode %q is neither upsert nor replace", e.Mode)
	}
	if e.Layer == "" || e.Path == "" {
		return errors.New("path and layer are needed")
	}
	if _, err := parseDay(e.SourceDate); err != nil {
		return err
	}
	for name, f := range e.Fields {
		if len(f.From) == 0 {
			return fmt.Errorf("field %s comes from nowhere; constants have their own list", name)
		}
		if f.Match != "" {
			re, err := regexp.Compile(f.Match)
			if err != nil {
				return fmt.Errorf("field %s: %w", name, err)
			}
			f.re = re
			e.Fields[name] = f
		}
	}
	if e.Exercise != nil {
		re, err := regexp.Compile(e.Exercise.Pattern)
		if err != nil {
			return fmt.Errorf("exercise: %w", err)
		}
		if e.Exercise.Field == "" {
			return errors.New("exercise: field is needed")
		}
		e.Exercise.re = re
	}
	if a := e.Admin; a != nil && (a.Code == "") == (len(a.Names) == 0) {
		return errors.New("admin: code or names")
	}
	return nil
}

func (m *Manifest) location() (*time.Location, error) {
	name := m.Timezone
	if name == "" {
		name = "Asia/Shanghai"
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%w: timezone %q", ErrManifest, m.Timezone)
	}
	return loc, nil
}

// checkClassification refuses what the house may not hold.
func checkClassification(c string) error {
	switch c {
	case "", "public", "internal", "sensitive":
		return nil
	}
	return fmt.Errorf("%w: classification %q: 秘密及以上不得入库 (only public, internal, sensitive)", ErrManifest, c)
}

func parseDay(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, fmt.Errorf("%w: date %q", ErrManifest, s)
	}
	return t, nil
}

// dataset names the data set of an entry.
func (m *Manifest) dataset(e *Entry) Dataset {
	d := Dataset{Name: m.Dataset + "/" + e.Name, Title: e.Title, SourceDept: m.SourceDept, Classification: m.Classification}
	if d.Title == "" {
		d.Title = strings.TrimSpace(m.Title + " " + e.Name)
	}
	day := e.SourceDate
	if day == "" {
		day = m.SourceDate
	}
	d.SourceDate, _ = parseDay(day) // checked when the manifest was read
	return d
}

// area gives the code an entry's data must lie in.
func (m *Manifest) area(e *Entry) string {
	if e.Area != nil {
		return *e.Area
	}
	return m.Area
}

// digest names the mapping of an entry, for the record of the run.
func (e *Entry) digest() []byte {
	raw, err := yaml.Marshal(e)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// ResolveRoot gives the folder of a manifest's files: override, or the root it
// names, relative to the manifest's own folder.
func (m *Manifest) ResolveRoot(manifestPath, override string) string {
	if override != "" {
		return override
	}
	root := filepath.FromSlash(m.Root)
	if filepath.IsAbs(root) {
		return root
	}
	return filepath.Join(filepath.Dir(manifestPath), root)
}

// files lists the paths of an entry under root, sorted. A path that leads out of
// root is refused, by its own words or by a link on the way: a manifest may come
// from somebody else.
func (e *Entry) files(root string) ([]string, error) {
	rel := filepath.FromSlash(e.Path)
	if !filepath.IsLocal(rel) {
		return nil, e.outside(e.Path)
	}
	paths := []string{filepath.Join(root, rel)}
	if strings.ContainsAny(filepath.Base(rel), "*?[") {
		matches, err := fs.Glob(os.DirFS(root), filepath.ToSlash(rel))
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrManifest, e.Name, err)
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("%w: %s: no file matches %q", ErrManifest, e.Name, e.Path)
		}
		slices.Sort(matches)
		for i := range matches {
			matches[i] = filepath.Join(root, filepath.FromSlash(matches[i]))
		}
		paths = matches
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	for _, p := range paths {
		to, err := filepath.EvalSymlinks(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue // said when it is opened
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrManifest, e.Name, err)
		}
		if in, err := filepath.Rel(real, to); err != nil || !filepath.IsLocal(in) {
			return nil, e.outside(filepath.Base(p))
		}
	}
	return paths, nil
}

func (e *Entry) outside(path string) error {
	return fmt.Errorf("%w: %s: 路径 %q 通向数据目录之外 (the path leads out of the root)", ErrManifest, e.Name, path)
}
