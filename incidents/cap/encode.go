package cap

import (
	"bytes"
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"
)

// Encode writes a message as CAP 1.2. What no schema takes is left out.
func Encode(m *Message) []byte {
	w := &writer{}
	w.WriteString(xml.Header)
	w.WriteString(`<alert xmlns="` + Namespace + `">` + "\n")
	w.must(1, "identifier", m.Identifier)
	w.must(1, "sender", m.Sender)
	w.must(1, "sent", m.Sent.Format(wire))
	w.must(1, "status", known(statuses(), m.Status, Actual))
	w.must(1, "msgType", known(msgTypes(), m.MsgType, Alert))
	w.may(1, "source", m.Source)
	w.must(1, "scope", known(scopes(), m.Scope, "Public"))
	w.may(1, "restriction", m.Restriction)
	w.may(1, "addresses", m.Addresses)
	for _, c := range m.Codes {
		w.must(1, "code", c)
	}
	w.may(1, "note", m.Note)
	w.may(1, "references", References(m.References))
	w.may(1, "incidents", m.Incidents)
	for i := range m.Infos {
		w.info(&m.Infos[i])
	}
	w.WriteString("</alert>\n")
	return w.Bytes()
}

// References writes them as the standard does.
func References(list []Reference) string {
	out := make([]string, 0, len(list))
	for _, r := range list {
		out = append(out, r.Sender+","+r.Identifier+","+r.Sent.Format(wire))
	}
	return strings.Join(out, " ")
}

func known(list []string, v, instead string) string {
	if v, _ := oneOf(list, v); v != "" {
		return v
	}
	return instead
}

type writer struct{ bytes.Buffer }

func (w *writer) must(depth int, name, value string) {
	w.WriteString(strings.Repeat("  ", depth) + "<" + name + ">")
	_ = xml.EscapeText(w, []byte(value)) // a buffer takes everything
	w.WriteString("</" + name + ">\n")
}

func (w *writer) may(depth int, name, value string) {
	if value != "" {
		w.must(depth, name, value)
	}
}

func (w *writer) at(name string, t time.Time) {
	if !t.IsZero() {
		w.must(2, name, t.Format(wire))
	}
}

func (w *writer) pair(depth int, name string, list []Pair) {
	pad := strings.Repeat("  ", depth)
	for _, p := range list {
		w.WriteString(pad + "<" + name + ">\n")
		w.must(depth+1, "valueName", p.Name)
		w.must(depth+1, "value", p.Value)
		w.WriteString(pad + "</" + name + ">\n")
	}
}

// uri is kept where it is one.
func uri(s string) string {
	s = strings.TrimSpace(s)
	if u, err := url.Parse(s); err != nil || u.String() != s {
		return ""
	}
	return s
}

func (w *writer) info(i *Info) {
	w.WriteString("  <info>\n")
	if i.Language != "" && language(i.Language) {
		w.must(2, "language", i.Language)
	}
	if len(i.Categories) == 0 {
		w.must(2, "category", "Other")
	}
	for _, c := range i.Categories {
		w.must(2, "category", known(categories(), c, "Other"))
	}
	w.must(2, "event", i.Event)
	for _, c := range i.ResponseTypes {
		w.must(2, "responseType", known(responseTypes(), c, "None"))
	}
	w.must(2, "urgency", known(urgencies(), i.Urgency, "Unknown"))
	w.must(2, "severity", known(severities(), i.Severity, "Unknown"))
	w.must(2, "certainty", known(certainties(), i.Certainty, "Unknown"))
	w.may(2, "audience", i.Audience)
	w.pair(2, "eventCode", i.EventCodes)
	w.at("effective", i.Effective)
	w.at("onset", i.Onset)
	w.at("expires", i.Expires)
	w.may(2, "senderName", i.SenderName)
	w.may(2, "headline", i.Headline)
	w.may(2, "description", i.Description)
	w.may(2, "instruction", i.Instruction)
	w.may(2, "web", uri(i.Web))
	w.may(2, "contact", i.Contact)
	w.pair(2, "parameter", i.Parameters)
	for _, r := range i.Resources {
		w.WriteString("    <resource>\n")
		w.must(3, "resourceDesc", r.Desc)
		w.must(3, "mimeType", r.MimeType)
		if whole(r.Size) {
			w.must(3, "size", r.Size)
		}
		w.may(3, "uri", uri(r.URI))
		w.may(3, "derefUri", r.DerefURI)
		w.may(3, "digest", r.Digest)
		w.WriteString("    </resource>\n")
	}
	for _, a := range i.Areas {
		w.WriteString("    <area>\n")
		w.must(3, "areaDesc", a.Desc)
		for _, r := range a.Polygons {
			w.must(3, "polygon", positions(r))
		}
		for _, c := range a.Circles {
			w.must(3, "circle", latLon(c.Center)+" "+plain(c.RadiusKM))
		}
		w.pair(3, "geocode", a.Geocodes)
		if signed(a.Altitude) {
			w.must(3, "altitude", a.Altitude)
			if signed(a.Ceiling) {
				w.must(3, "ceiling", a.Ceiling)
			}
		}
		w.WriteString("    </area>\n")
	}
	w.WriteString("  </info>\n")
}

func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func latLon(p orb.Point) string { return plain(p[1]) + "," + plain(p[0]) }

func positions(r orb.Ring) string {
	out := make([]string, len(r))
	for i, p := range r {
		out[i] = latLon(p)
	}
	return strings.Join(out, " ")
}
