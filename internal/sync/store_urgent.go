package sync

import (
	"context"
	"encoding/json"
)

// urgent says whether an operation is 险情 by its own words.
func (s *Service) urgent(o *Op) bool {
	u, ok := s.kinds[o.Kind].(Urgent)
	if !ok || o.Do != Put {
		return false
	}
	values := make(map[string]json.RawMessage, len(o.Fields))
	for name, e := range o.Fields {
		values[name] = e.Value
	}
	return u.Urgent(values)
}

// adds says whether the operation adds to a record that is 险情.
func (t *attempt) adds(k Kind, rec Record) bool {
	u, ok := k.(Urgent)
	return ok && t.o.Do == Put && u.Urgent(rec.Fields)
}

// addsToUrgent is adds for what is about to be refused: a photo or a word that follows
// 险情 is needed where it is, wherever the sender has gone meanwhile. What he may not
// write the floor refuses all the same.
func (t *attempt) addsToUrgent(ctx context.Context) bool {
	k := t.kinds[t.o.Kind]
	if _, ok := k.(Urgent); !ok || t.red || t.o.Object == "" || t.o.Do != Put {
		return false
	}
	rec, err := guard(t.o.Kind, func() (Record, error) { return k.Load(ctx, t.tx, t.by, t.o.Object) })
	return err == nil && t.adds(k, rec)
}

// known is the operation without what no merge can compare: of 险情 the fields nobody
// knows, or that are the desk's, are left in the log.
func (t *attempt) known(d Dictionary) *Op {
	if !t.red {
		return t.o
	}
	o := *t.o
	o.Fields = make(map[string]Edit, len(t.o.Fields))
	for name, e := range t.o.Fields {
		if f, ok := d.field(name); ok && !f.ReadOnly {
			o.Fields[name] = e
		}
	}
	return &o
}
