package alerts

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/paulmach/orb"

	"onemap/incidents/cap"
	"onemap/internal/auth"
	"onemap/internal/geo"
)

// In is a message on its way in.
type In struct {
	Message  *cap.Message
	Original []byte        // as it came
	Found    []cap.Finding // while it was read
	Source   string        // of the rule set, "" to find out
	// Swap and Close are the repairs somebody asked for after he was told; Keep takes the
	// numbers as they are whatever we think.
	Swap, Close, Keep bool
}

// Read takes a message as XML. A message that cannot be read is a *[Refused].
func Read(data []byte) (In, error) {
	m, found, err := cap.Decode(data)
	if r, ok := errors.AsType[*cap.Refused](err); ok {
		return In{}, &Refused{Findings: r.Findings}
	}
	return In{Message: m, Original: data, Found: found}, err
}

func digest(in In) string {
	body := in.Original
	if in.Message != nil && len(body) == 0 {
		body = cap.Encode(in.Message)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// repair does what was asked for.
func (in *In) repair() {
	if in.Swap {
		in.Message = in.Message.Swapped()
		in.Found = append(in.Found, cap.Finding{Code: "swapped", Path: "alert/info/area", ZH: "接收时已对调经纬度", EN: "latitude and longitude were exchanged on reception"})
	}
	if in.Close {
		in.Message = in.Message.Closed()
		in.Found = append(in.Found, cap.Finding{Code: "closed", Path: "alert/info/area", ZH: "接收时已闭合多边形", EN: "open polygons were closed on reception"})
	}
}

// shape is the areas of a message as one geometry, nil without any.
func shape(m *cap.Message) orb.Geometry {
	list := m.Shapes()
	if len(list) == 0 {
		return nil
	}
	return orb.MultiPolygon(list)
}

// swapOf is what the message would be the other way round, nil where that is not on earth.
func swapOf(m *cap.Message) *Swap {
	given, other := shape(m), shape(m.Swapped())
	if given == nil || other == nil {
		return nil
	}
	if _, ok := geo.InEnvelope(other); !ok {
		return nil
	}
	_, ok := geo.InEnvelope(given)
	return &Swap{Given: given.Bound(), Swapped: other.Bound(), GivenOnEarth: ok, GeometryIfSwaped: other}
}

func onlyFatal(list []cap.Finding, code string) bool {
	found := false
	for _, f := range list {
		if f.Fatal && f.Code != code {
			return false
		}
		found = found || f.Code == code
	}
	return found
}

// sound holds each area to the rules of a geometry.
func sound(m *cap.Message) []cap.Finding {
	var out []cap.Finding
	for i, p := range m.Shapes() {
		wrong := geo.Check(p)
		if wrong == nil {
			continue
		}
		f := cap.Finding{Code: "bad_polygon", Path: fmt.Sprintf("alert/info/area/polygon[%d]", i), ZH: "多边形自相交或无效", EN: wrong.Detail, Fatal: true}
		if wrong.HasAt {
			f.ZH += fmt.Sprintf("(纬度 %.5f, 经度 %.5f 处)", wrong.At[1], wrong.At[0])
			f.EN += fmt.Sprintf(" (at lat %.5f, lon %.5f)", wrong.At[1], wrong.At[0])
		}
		out = append(out, f)
	}
	return out
}

// codesOf are the administrative codes a message names, without padding zeros.
func codesOf(m *cap.Message) (codes []string, pairs []cap.Pair) {
	for _, a := range m.Areas() {
		for _, p := range a.Geocodes {
			pairs = append(pairs, p)
			c := strings.TrimSpace(p.Value)
			for len(c) == 12 || len(c) == 9 || len(c) == 6 || len(c) == 4 {
				cut := map[int]int{12: 3, 9: 3, 6: 2, 4: 2}[len(c)]
				if c[len(c)-cut:] != strings.Repeat("0", cut) {
					break
				}
				c = c[:len(c)-cut]
			}
			if _, err := geo.ParseScope(c); err == nil {
				codes = append(codes, c)
			}
		}
	}
	return codes, pairs
}

func notesOf(list []cap.Finding) []Note {
	out := []Note{}
	for _, f := range list {
		if !f.Fatal && len(out) < 50 {
			out = append(out, Note{f.Code, f.Path, f.ZH, f.EN})
		}
	}
	return out
}

func fault(path, code, zh, en string) error {
	return &auth.Invalid{Items: []auth.Fault{{Path: path, Code: code, ZH: zh, EN: en}}}
}

func clash(code, zh, en string) error { return &auth.Conflict{Code: code, ZH: zh, EN: en} }

// FromAlert is the message of an alert that did not come as one: imported, demonstration.
// CAP has no holes; the outline is told.
func FromAlert(a Alert) *cap.Message {
	m := &cap.Message{Identifier: a.Identifier, Sender: strings.ReplaceAll(strings.TrimSpace(a.Sender), " ", ""), Status: cap.Actual, MsgType: cap.Alert, Scope: "Public"}
	if m.Identifier == "" {
		m.Identifier = a.ID
	}
	if m.Sender == "" {
		m.Sender = "unknown"
	}
	if a.Exercise {
		m.Status = cap.Exercise
	}
	if a.SentAt != nil {
		m.Sent = *a.SentAt
	}
	info := cap.Info{Language: "zh-CN", Categories: []string{"Other"}, Event: a.Event, Urgency: a.Urgency, Certainty: a.Certainty, SenderName: cmp.Or(a.SenderName, strings.TrimSpace(a.Sender)), Headline: a.Headline, Description: a.Description, Instruction: a.Instruction}
	if a.Level != nil {
		info.Severity = severity(*a.Level)
	}
	if a.EventCode != "" {
		info.EventCodes = []cap.Pair{{Name: "GB/T 35561", Value: a.EventCode}}
	}
	if a.Effective != nil {
		info.Effective = *a.Effective
	}
	if a.Expires != nil {
		info.Expires = *a.Expires
	}
	area := cap.Area{Desc: a.AreaDesc, Geocodes: a.Geocodes}
	switch g := a.Geometry.(type) {
	case orb.Polygon:
		area.Polygons = append(area.Polygons, g[0])
	case orb.MultiPolygon:
		for _, p := range g {
			area.Polygons = append(area.Polygons, p[0])
		}
	}
	info.Areas = []cap.Area{area}
	m.Infos = []cap.Info{info}
	return m
}
