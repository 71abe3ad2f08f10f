package db

import (
	"strings"

	"onemap/internal/geo"
)

// maxRanges is how many ranges of a reach are written out one by one; beyond, one
// multirange is compared.
const maxRanges = 8

// Rows says how a table's rows are told apart by reach. Names are quoted columns.
type Rows struct {
	Visibility string
	Scope      string // "" where the table has none: its rows are everybody's who sees the layer
	Dataset    string // "" for foreign tables: nothing of them is of a demo data set
	// Place says that the question names a small place, so that the index of shapes
	// is the right one whatever the reach is.
	Place bool
}

// Conditions are the explicit predicates of a question under a reach: the plan, where
// row security is the floor. They say the same as the policies do. arg takes a
// parameter and gives its placeholder with the cast.
//
// How the scope is compared decides the index. The planner knows how many rows a
// range meets, by its statistics of scopes, so few ranges are written as such: a
// township's reader gets the scope index where nothing better is asked, and who reads
// the whole county does not. Of a multirange it believes one row in a hundred whoever
// asks (measured: 60 times the time), so that one is hidden from the indexes.
func (r Reach) Conditions(t Rows, arg func(v any, cast string) string) []string {
	scope := r.Of(t.Visibility)
	if len(scope) == 0 || r.Demo() && t.Dataset == "" {
		return []string{"false"}
	}
	var w []string
	switch {
	case t.Scope == "":
	case scope.Contains(geo.Everywhere()):
		w = append(w, arg(scope, "int8multirange")+" @> every_scope()") // once, not per row
	case t.Place || len(scope) > maxRanges:
		w = append(w, "coalesce("+t.Scope+" && "+arg(scope, "int8multirange")+", false)")
	default:
		any := make([]string, len(scope))
		for i, s := range scope {
			any[i] = t.Scope + " && " + arg(s, "int8range")
		}
		w = append(w, "("+strings.Join(any, " or ")+")")
	}
	if r.Demo() {
		w = append(w, t.Dataset+" = any (array(select d.id from dataset d where d.demo))")
	}
	return w
}
