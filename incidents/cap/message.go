package cap

import (
	"strings"
	"time"

	"github.com/paulmach/orb"
)

// Namespace is that of CAP 1.2; messages of 1.1 are read as well.
const (
	Namespace   = "urn:oasis:names:tc:emergency:cap:1.2"
	namespace11 = "urn:oasis:names:tc:emergency:cap:1.1"
)

// The kinds of messages.
const (
	Alert  = "Alert"
	Update = "Update"
	Cancel = "Cancel"
	Ack    = "Ack"
	Failed = "Error"
)

// What a message is for.
const (
	Actual   = "Actual"
	Exercise = "Exercise"
	Draft    = "Draft"
)

// Message is one CAP message.
type Message struct {
	Identifier  string      `json:"identifier"`
	Sender      string      `json:"sender"`
	Sent        time.Time   `json:"sent"`
	Status      string      `json:"status"`
	MsgType     string      `json:"msg_type"`
	Source      string      `json:"source,omitempty"`
	Scope       string      `json:"scope"`
	Restriction string      `json:"restriction,omitempty"`
	Addresses   string      `json:"addresses,omitempty"`
	Codes       []string    `json:"codes,omitempty"`
	Note        string      `json:"note,omitempty"`
	References  []Reference `json:"references,omitempty"`
	Incidents   string      `json:"incidents,omitempty"`
	Infos       []Info      `json:"infos,omitempty"`
}

// Reference names an earlier message.
type Reference struct {
	Sender     string    `json:"sender"`
	Identifier string    `json:"identifier"`
	Sent       time.Time `json:"sent"`
}

// Info is what is said, in one language.
type Info struct {
	Language      string     `json:"language,omitempty"`
	Categories    []string   `json:"categories"`
	Event         string     `json:"event"`
	ResponseTypes []string   `json:"response_types,omitempty"`
	Urgency       string     `json:"urgency"`
	Severity      string     `json:"severity"`
	Certainty     string     `json:"certainty"`
	Audience      string     `json:"audience,omitempty"`
	EventCodes    []Pair     `json:"event_codes,omitempty"`
	Effective     time.Time  `json:"effective,omitzero"`
	Onset         time.Time  `json:"onset,omitzero"`
	Expires       time.Time  `json:"expires,omitzero"`
	SenderName    string     `json:"sender_name,omitempty"`
	Headline      string     `json:"headline,omitempty"`
	Description   string     `json:"description,omitempty"`
	Instruction   string     `json:"instruction,omitempty"`
	Web           string     `json:"web,omitempty"`
	Contact       string     `json:"contact,omitempty"`
	Parameters    []Pair     `json:"parameters,omitempty"`
	Resources     []Resource `json:"resources,omitempty"`
	Areas         []Area     `json:"areas,omitempty"`
}

// Pair is a valueName with its value.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Resource is a file a message speaks of. It is named and never fetched.
type Resource struct {
	Desc     string `json:"desc"`
	MimeType string `json:"mime_type"`
	Size     string `json:"size,omitempty"`
	URI      string `json:"uri,omitempty"`
	DerefURI string `json:"deref_uri,omitempty"`
	Digest   string `json:"digest,omitempty"`
}

// Area is who is warned.
type Area struct {
	Desc     string     `json:"desc"`
	Polygons []orb.Ring `json:"polygons,omitempty"` // lon/lat, as they were given: closed or not
	Circles  []Circle   `json:"circles,omitempty"`
	Geocodes []Pair     `json:"geocodes,omitempty"`
	Altitude string     `json:"altitude,omitempty"`
	Ceiling  string     `json:"ceiling,omitempty"`
}

// Circle is a centre, lon/lat, and a radius.
type Circle struct {
	Center   orb.Point `json:"center"`
	RadiusKM float64   `json:"radius_km"`
}

// Main is the info people here read: the first in Chinese, else the first.
func (m *Message) Main() *Info {
	for i := range m.Infos {
		if strings.HasPrefix(strings.ToLower(m.Infos[i].Language), "zh") {
			return &m.Infos[i]
		}
	}
	if len(m.Infos) == 0 {
		return nil
	}
	return &m.Infos[0]
}

// Areas are those of the main info and of all others in its language: the standard takes
// them together.
func (m *Message) Areas() []*Area {
	main := m.Main()
	if main == nil {
		return nil
	}
	var out []*Area
	for i := range m.Infos {
		if m.Infos[i].Language != main.Language {
			continue
		}
		for j := range m.Infos[i].Areas {
			out = append(out, &m.Infos[i].Areas[j])
		}
	}
	return out
}

// Swapped is the message with the numbers of every position the other way round.
func (m *Message) Swapped() *Message {
	return m.mapped(func(p orb.Point) orb.Point { return orb.Point{p[1], p[0]} })
}

// Closed is the message with every ring that is open closed.
func (m *Message) Closed() *Message {
	out := m.mapped(func(p orb.Point) orb.Point { return p })
	for i := range out.Infos {
		for j := range out.Infos[i].Areas {
			a := &out.Infos[i].Areas[j]
			for k, r := range a.Polygons {
				if len(r) > 2 && r[0] != r[len(r)-1] {
					a.Polygons[k] = append(r, r[0])
				}
			}
		}
	}
	return out
}

func (m *Message) mapped(f func(orb.Point) orb.Point) *Message {
	out := *m
	out.Infos = make([]Info, len(m.Infos))
	for i, info := range m.Infos {
		areas := make([]Area, len(info.Areas))
		for j, a := range info.Areas {
			polygons := make([]orb.Ring, len(a.Polygons))
			for k, r := range a.Polygons {
				polygons[k] = make(orb.Ring, len(r))
				for n, p := range r {
					polygons[k][n] = f(p)
				}
			}
			circles := make([]Circle, len(a.Circles))
			for k, c := range a.Circles {
				circles[k] = Circle{f(c.Center), c.RadiusKM}
			}
			a.Polygons, a.Circles = polygons, circles
			areas[j] = a
		}
		info.Areas = areas
		out.Infos[i] = info
	}
	return &out
}
