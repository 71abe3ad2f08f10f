package features

import (
	"onemap/internal/db"
	"onemap/internal/registry"
)

// Statement collects the parameters of a question other packages put together from
// layers: the joint questions of internal/impact. What a row must be to be seen, shown
// and valid, and how it was at another time, is said here alone.
type Statement struct{ s statement }

// Arg adds a parameter and gives its placeholder with the cast.
func (st *Statement) Arg(v any, cast string) string { return st.s.arg(v, cast) }

// Args are the parameters so far.
func (st *Statement) Args() []any { return st.s.args }

// Rows gives a layer of ours as a relation named t, and the condition its rows must meet
// for this asker at this time. Columns are those of the catalogue's fields, and id, fid,
// geom, scope and dataset.
func (st *Statement) Rows(l *registry.Layer, reach db.Reach, at Times) (from, where string, err error) {
	t, err := st.s.describe(l, []registry.Field{}, at)
	if err != nil {
		return "", "", err
	}
	t.place = true
	return t.source + " t", conjunction(st.s.base(t, reach, at)), nil
}

// Fill replaces {name} in a named query with fragments made here or fixed in the code.
func Fill(sql string, parts map[string]string) string { return fill(sql, parts) }
