package sync

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// The bounds of one delivery.
const (
	MaxOps   = 1000
	MaxBytes = 2 << 20
	maxDepth = 32 // of JSON inside one operation
	maxBlobs = 50
	maxNote  = 2000
)

// MalformedError is a body that cannot be read as operations at all. Everything else is
// an operation's own fault and harms no other.
type MalformedError struct{ Words Words }

func (e *MalformedError) Error() string { return "sync: " + e.Words.En }

func malformed(zh, en string) error { return &MalformedError{Words{zh, en}} }

// Batch is one delivery: the device and what it sent, each as it came.
type Batch struct {
	Device string
	Ops    []json.RawMessage
}

// Decode reads a body: strict about the frame, and no word about what is inside.
func Decode(body []byte) (Batch, error) {
	var b Batch
	switch {
	case len(body) > MaxBytes:
		return b, malformed("请求体超过 2 MB", "the body is larger than 2 MB")
	case !utf8.Valid(body):
		return b, malformed("不是有效的 UTF-8", "it is not valid UTF-8")
	case !json.Valid(body):
		return b, malformed("不是有效的 JSON", "it is not valid JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return b, malformed("应为对象 {device, ops}", "it is an object {device, ops}")
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return b, malformed("不是有效的 JSON", "it is not valid JSON")
		}
		if seen[name] {
			return b, malformed("成员 "+clip(name, 40)+" 重复", "member "+clip(name, 40)+" appears twice")
		}
		seen[name] = true
		switch name {
		case "device":
			if err := dec.Decode(&b.Device); err != nil || !goodDevice(b.Device) {
				return b, malformed("device 应为 1 至 200 字的文本", "device is a text of 1 to 200 characters")
			}
		case "ops":
			if err := readOps(dec, &b); err != nil {
				return b, err
			}
		default:
			return b, malformed("没有成员 "+clip(name, 40), "there is no member "+clip(name, 40))
		}
	}
	if !seen["device"] || !seen["ops"] {
		return b, malformed("缺少 device 或 ops", "device or ops is missing")
	}
	return b, nil
}

func readOps(dec *json.Decoder, b *Batch) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return malformed("ops 应为数组", "ops is an array")
	}
	for dec.More() {
		if len(b.Ops) == MaxOps {
			return malformed("一次至多 1000 条", "at most 1,000 operations at once")
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return malformed("不是有效的 JSON", "it is not valid JSON")
		}
		b.Ops = append(b.Ops, raw)
	}
	_, err := dec.Token()
	if err != nil {
		return malformed("不是有效的 JSON", "it is not valid JSON")
	}
	return nil
}

func goodDevice(s string) bool {
	return s != "" && utf8.RuneCountInString(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// The operations.
const (
	Put        = "put"
	Delete     = "delete"
	Transit    = "transition"
	deletedKey = "deleted" // what stands for the record's being there among conflicting fields
)

// Edit is a change of one field: what it was when he began, and what he made it.
type Edit struct {
	Base    json.RawMessage
	HasBase bool
	Value   json.RawMessage
}

// Op is an operation as far as it can be understood; Fault is the first thing that
// cannot. Whatever else it says is read all the same, so that the log knows it.
type Op struct {
	Index int
	Raw   []byte // compact
	Hash  [32]byte
	Given string // op_id as it was sent
	ID    string // op_id, or made of the hash where there is none

	Do          string
	Kind        string
	Object      string
	Seq         int64 // 0: none
	BaseVersion int64 // 0: none
	Fields      map[string]Edit
	To, Note    string
	Blobs       []string

	Captured time.Time // zero: not said
	Datum    geo.CRS
	Accuracy float64
	Position *orb.Point // EPSG:4490
	Shape    orb.Geometry
	RawShape orb.Geometry // as it was sent
	ShapeOf  orb.Geometry // its base
	HasShape bool
	HasBase  bool

	Fault *Refusal
}

func (o *Op) fail(verdict Status, code, path string, w Words) {
	if o.Fault == nil {
		o.Fault = &Refusal{Verdict: verdict, Code: code, Words: w, Path: path}
	}
}

// Parse reads one operation of a person. It never fails: what is wrong is its Fault.
func Parse(account string, index int, raw json.RawMessage) *Op {
	o := &Op{Index: index, Do: Put, Datum: geo.CGCS2000}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		compact.Reset()
		compact.Write(raw)
	}
	o.Raw = compact.Bytes()
	members, fault := open(o.Raw)
	o.Hash = hashOf(o.Raw, fault == nil)
	o.ID = nameOf(account, o.Hash)
	if fault != nil {
		o.Fault = fault
		if members == nil {
			return o
		}
	}
	o.read(members)
	return o
}

// open splits the operation into its members, and refuses what two programs could read
// differently.
func open(raw []byte) (map[string]json.RawMessage, *Refusal) {
	quarantine := func(code string, w Words) *Refusal { return &Refusal{Verdict: Quarantined, Code: code, Words: w} }
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if len(raw) == 0 || raw[0] != '{' {
		return nil, &Refusal{Verdict: Rejected, Code: "not_an_operation", Words: Words{"不是一条操作", "It is not an operation."}}
	}
	fault := walkJSON(dec, 0)
	var members map[string]json.RawMessage
	if fault != "" || json.Unmarshal(raw, &members) != nil {
		// The names inside may still be told.
		members = nil
		_ = json.Unmarshal(raw, &members)
		switch fault {
		case "twice":
			return members, quarantine("duplicate_member", Words{"同一成员出现两次", "A member appears twice."})
		case "deep":
			return members, quarantine("too_deep", Words{"嵌套过深", "It nests too deeply."})
		}
		return members, quarantine("not_understood", Words{"无法读懂", "It cannot be understood."})
	}
	return members, nil
}

// walkJSON looks for members given twice and nesting without end.
func walkJSON(dec *json.Decoder, depth int) string {
	t, err := dec.Token()
	if err != nil {
		return "syntax"
	}
	d, ok := t.(json.Delim)
	if !ok {
		return ""
	}
	if depth++; depth > maxDepth {
		return "deep"
	}
	seen := map[string]bool{}
	for dec.More() {
		if d == '{' {
			key, err := dec.Token()
			name, isText := key.(string)
			if err != nil || !isText {
				return "syntax"
			}
			if seen[name] {
				return "twice"
			}
			seen[name] = true
		}
		if f := walkJSON(dec, depth); f != "" {
			return f
		}
	}
	if _, err := dec.Token(); err != nil && !errors.Is(err, io.EOF) {
		return "syntax"
	}
	return ""
}

// hashOf is the fingerprint of an operation. The order of members says nothing, and a
// phone that writes it anew may change it; where that cannot be told, the bytes count.
func hashOf(raw []byte, readable bool) [32]byte {
	if readable {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		var v any
		if dec.Decode(&v) == nil {
			if canonical, err := json.Marshal(v); err == nil {
				return sha256.Sum256(canonical)
			}
		}
	}
	return sha256.Sum256(raw)
}

// nameOf gives an operation without a usable id one that its repetition has too.
func nameOf(account string, hash [32]byte) string {
	sum := sha256.Sum256(append([]byte("onemap sync "+account+" "), hash[:]...))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // version 8: made by a rule of ours
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ParseID reads a UUID in its one usual spelling; the nil one names nothing.
func ParseID(s string) (string, bool) {
	if len(s) != 36 {
		return "", false
	}
	s = strings.ToLower(s)
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return s, s != "00000000-0000-0000-0000-000000000000"
}

func (o *Op) read(m map[string]json.RawMessage) {
	text := func(name string) (string, bool) {
		raw, given := m[name]
		if !given || isNull(raw) {
			return "", false
		}
		var s string
		if json.Unmarshal(raw, &s) != nil || strings.ContainsRune(s, 0) {
			o.fail(Quarantined, "bad_member", "/"+name, Words{"成员 " + name + " 应为文本", "Member " + name + " is a text."})
			return "", false
		}
		return s, true
	}
	given, _ := text("op_id")
	if id, good := ParseID(given); good {
		o.Given, o.ID = given, id
	} else {
		o.Given = clip(given, 100)
		o.Fault = nil
		o.fail(Rejected, "bad_op_id", "/op_id", Words{"缺少有效的操作编号", "It has no valid id of its own."})
	}
	o.Seq = o.whole(m, "device_seq", 1)
	var named bool
	if o.Do, named = text("op"); !named {
		o.Do = Put
	}
	switch o.Do {
	case Put, Delete, Transit:
	default:
		o.fail(Quarantined, "unknown_op", "/op", Words{"不认识的操作", "There is no such operation."})
		o.Do = clip(o.Do, 20)
	}
	o.Kind, _ = text("kind")
	o.Kind = clip(o.Kind, 80)
	object, _ := text("id")
	if id, good := ParseID(object); good {
		o.Object = id
	} else {
		o.fail(Rejected, "bad_id", "/id", Words{"缺少有效的记录编号", "The record has no valid id."})
	}
	o.BaseVersion = o.whole(m, "base_version", 1)
	o.To, _ = text("to")
	if o.Note, _ = text("note"); utf8.RuneCountInString(o.Note) > maxNote {
		o.fail(Quarantined, "too_long", "/note", Words{"说明超过 2000 字", "The note is longer than 2,000 characters."})
	}
	o.readTime(text)
	o.readDatum(text)
	o.readFields(m["fields"])
	o.readShape(m["geometry"])
	o.readPosition(m)
	o.readBlobs(m["blobs"])
	known := []string{"op_id", "op", "kind", "id", "device_seq", "base_version", "fields", "geometry", "to", "note", "blobs", "captured_at", "src_crs", "accuracy_m", "device_position"}
	for name := range m {
		if !slices.Contains(known, name) {
			o.fail(Quarantined, "unknown_member", "/"+clip(name, 60), Words{"不认识成员 " + clip(name, 60), "There is no member " + clip(name, 60) + "."})
		}
	}
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func (o *Op) whole(m map[string]json.RawMessage, name string, least int64) int64 {
	raw, given := m[name]
	if !given || isNull(raw) {
		return 0
	}
	var n int64
	if json.Unmarshal(raw, &n) != nil || n < least {
		o.fail(Quarantined, "bad_member", "/"+name, Words{"成员 " + name + " 应为正整数", "Member " + name + " is a positive integer."})
		return 0
	}
	return n
}

func (o *Op) readTime(text func(string) (string, bool)) {
	s, given := text("captured_at")
	if !given {
		return
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		o.fail(Quarantined, "bad_time", "/captured_at", Words{"采集时间无法读懂", "The time of capture cannot be understood."})
		return
	}
	o.Captured = t.UTC()
}

func (o *Op) readDatum(text func(string) (string, bool)) {
	s, given := text("src_crs")
	if !given {
		return
	}
	crs, _, err := geo.ParseCRS(s)
	if err != nil || crs != geo.CGCS2000 && crs != geo.GCJ02 && crs != geo.BD09 {
		o.fail(Quarantined, "unknown_crs", "/src_crs", Words{"坐标系应为 WGS84、CGCS2000、GCJ02 或 BD09", "The datum is WGS84, CGCS2000, GCJ02 or BD09."})
		return
	}
	o.Datum = crs
}

func (o *Op) readFields(raw json.RawMessage) {
	o.Fields = map[string]Edit{}
	if isNull(raw) {
		return
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		o.fail(Quarantined, "bad_member", "/fields", Words{"fields 应为对象", "fields is an object."})
		return
	}
	for name, one := range all {
		var e map[string]json.RawMessage
		if json.Unmarshal(one, &e) != nil || e["value"] == nil || len(e) > 2 || len(e) == 2 && e["base"] == nil {
			o.fail(Quarantined, "bad_field", "/fields/"+clip(name, 60), Words{"字段应为 {base, value}", "A field is {base, value}."})
			continue
		}
		base, has := e["base"]
		o.Fields[name] = Edit{Base: base, HasBase: has, Value: e["value"]}
	}
}

// readShape reads a GeoJSON geometry, alone or with its base, and brings it from the
// device's datum to ours, once.
func (o *Op) readShape(raw json.RawMessage) {
	if isNull(raw) {
		return
	}
	o.HasShape = true
	var pair map[string]json.RawMessage
	value, base := raw, json.RawMessage(nil)
	if json.Unmarshal(raw, &pair) == nil && pair["type"] == nil && pair["value"] != nil {
		value, base = pair["value"], pair["base"]
		_, o.HasBase = pair["base"]
	}
	shape := func(raw json.RawMessage, path string) orb.Geometry {
		if isNull(raw) {
			return nil
		}
		g, err := geo.ParseGeoJSON(raw, geo.EditLimits())
		if err == nil {
			return g
		}
		code := "bad_geometry"
		if f, ok := errors.AsType[*geo.Fault](err); ok {
			code, path = f.Code, path+pointer(f.Path)
		}
		o.fail(Quarantined, code, path, Words{"图形有问题", "The shape is faulty: " + code + "."})
		return nil
	}
	if isNull(value) {
		o.fail(Quarantined, "null_geometry", "/geometry", Words{"图形为空", "There is no shape."})
		return
	}
	o.RawShape = shape(value, "/geometry")
	o.ShapeOf = shape(base, "/geometry/base")
	if o.RawShape == nil {
		return
	}
	o.Shape, _ = geo.ToCGCS2000(o.RawShape, o.Datum)
	if f := geo.Check(o.Shape); f != nil {
		o.fail(Quarantined, f.Code, "/geometry"+pointer(f.Path), Words{"图形无效", "The shape is not valid: " + f.Code + "."})
	}
}

// pointer turns a path of geo into a JSON pointer.
func pointer(path string) string {
	if path == "" {
		return ""
	}
	return "/" + strings.TrimPrefix(strings.NewReplacer("[", "/", "]", "", ".", "/").Replace(path), "/")
}

func (o *Op) readPosition(m map[string]json.RawMessage) {
	if raw := m["accuracy_m"]; !isNull(raw) {
		if json.Unmarshal(raw, &o.Accuracy) != nil || o.Accuracy < 0 || math.IsInf(o.Accuracy, 0) {
			o.Accuracy = 0
			o.fail(Quarantined, "bad_member", "/accuracy_m", Words{"精度应为非负的米数", "The accuracy is metres, not negative."})
		}
	}
	raw := m["device_position"]
	if isNull(raw) {
		return
	}
	var at orb.Point
	var pair []float64
	if json.Unmarshal(raw, &pair) == nil && (len(pair) == 2 || len(pair) == 3) {
		at = orb.Point{pair[0], pair[1]}
	} else if g, err := geo.ParseGeoJSON(raw, geo.EditLimits()); err == nil {
		at, _ = g.(orb.Point)
	}
	if _, ok := geo.InEnvelope(at); !ok || at == (orb.Point{}) {
		o.fail(Quarantined, "bad_position", "/device_position", Words{"手机位置无法读懂", "The position of the phone cannot be understood."})
		return
	}
	g, _ := geo.ToCGCS2000(at, o.Datum)
	at = g.(orb.Point)
	o.Position = &at
}

func (o *Op) readBlobs(raw json.RawMessage) {
	if isNull(raw) {
		return
	}
	var all []string
	bad := json.Unmarshal(raw, &all) != nil || len(all) > maxBlobs
	for _, sha := range all {
		if len(sha) != 64 || strings.Trim(sha, "0123456789abcdef") != "" {
			bad = true
		} else if !slices.Contains(o.Blobs, sha) {
			o.Blobs = append(o.Blobs, sha)
		}
	}
	if bad {
		o.fail(Quarantined, "bad_blobs", "/blobs", Words{"照片应为 SHA-256 的列表，至多 50 张", fmt.Sprintf("Photos are a list of SHA-256, %d at most.", maxBlobs)})
	}
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
