package sync

import (
	"encoding/json"
	"time"

	"github.com/paulmach/orb"

	"onemap/internal/geo"
)

// Difference is one field that two changed: what both began from, what the sender made
// of it, and what it is.
type Difference struct {
	Base     json.RawMessage `json:"base"`
	Mine     json.RawMessage `json:"mine"`
	Theirs   json.RawMessage `json:"theirs"`
	TheirsBy string          `json:"theirs_by,omitempty"`
	TheirsAt *time.Time      `json:"theirs_at,omitempty"`
}

// merged is what becomes of an operation on a record that is there.
type merged struct {
	write    map[string]json.RawMessage // what changes
	shape    orb.Geometry               // nil: stays
	conflict map[string]Difference
	shapes   bool // the shape is in conflict
}

func (m merged) changes() bool   { return len(m.write) > 0 || m.shape != nil }
func (m merged) conflicts() bool { return len(m.conflict) > 0 || m.shapes }

// merge compares an operation with the record, field by field. What both made the same is
// no conflict; what only the sender changed is written; what both changed stays as it is
// and goes to a person. Which one is newer by some clock decides nothing.
func merge(d Dictionary, rec Record, o *Op) merged {
	m := merged{write: map[string]json.RawMessage{}, conflict: map[string]Difference{}}
	current := o.BaseVersion > 0 && o.BaseVersion == rec.Version
	// A transition says what it adds; without a base it was not looking at the field.
	adds := o.Do == Transit && o.BaseVersion == 0
	at := rec.At
	for name, e := range o.Fields {
		f, _ := d.field(name)
		now := rec.Fields[name]
		switch {
		case f.equal(e.Value, now):
		case e.HasBase && f.equal(e.Base, now), !e.HasBase && (current || adds):
			m.write[name] = e.Value
		default:
			m.conflict[name] = Difference{Base: orNull(e.Base), Mine: orNull(e.Value), Theirs: orNull(now), TheirsBy: rec.By, TheirsAt: &at}
		}
	}
	if o.Shape == nil {
		return m
	}
	switch {
	case sameShape(o.Shape, rec.Geometry):
	case o.HasBase && sameBase(o, rec.Geometry), !o.HasBase && (current || adds):
		m.shape = o.Shape
	default:
		m.shapes = true
	}
	return m
}

// hold keeps back what would be written: it goes to a person.
func (m *merged) hold(rec Record, o *Op) {
	at := rec.At
	for name, v := range m.write {
		m.conflict[name] = Difference{Base: orNull(o.Fields[name].Base), Mine: orNull(v), Theirs: orNull(rec.Fields[name]), TheirsBy: rec.By, TheirsAt: &at}
	}
	clear(m.write)
	m.shapes = m.shapes || m.shape != nil
	m.shape = nil
}

// sameBase says whether the shape he began from is the one that stands. The server gave
// it to him in our system, whatever datum his phone is set to; a phone that turned it
// into its own sends that.
func sameBase(o *Op, now orb.Geometry) bool {
	return sameShape(o.ShapeOf, now) || o.ShapeOf != nil && now != nil && sameShape(shiftBack(o), now)
}

func orNull(v json.RawMessage) json.RawMessage {
	if len(v) == 0 {
		return json.RawMessage("null")
	}
	return v
}

func shiftBack(o *Op) orb.Geometry {
	g, _ := geo.ToCGCS2000(o.ShapeOf, o.Datum)
	return g
}
