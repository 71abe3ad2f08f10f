package tiles

import (
	"strconv"
	"strings"

	"onemap/internal/registry"
)

// filter writes a tree as SQL for one layer. Columns come from the catalogue,
// values become parameters.
func (q *question) filter(l *registry.Layer, n node) (string, error) {
	switch n := n.(type) {
	case *logical:
		all := make([]string, len(n.args))
		for i, a := range n.args {
			s, err := q.filter(l, a)
			if err != nil {
				return "", err
			}
			all[i] = s
		}
		return "(" + strings.Join(all, " "+strings.ToLower(n.op)+" ") + ")", nil
	case *negation:
		s, err := q.filter(l, n.arg)
		return "not (" + s + ")", err
	case *isNull:
		c, err := column(l, n.prop)
		return c.sql + " is null", err
	case *compare:
		c, v, err := q.operand(l, n.prop, n.value)
		return c + " " + n.op + " " + v, err
	case *between:
		c, lo, err := q.operand(l, n.prop, n.lo)
		if err != nil {
			return "", err
		}
		_, hi, err := q.operand(l, n.prop, n.hi)
		return c + " between " + lo + " and " + hi, err
	case *inList:
		all := make([]string, len(n.values))
		c := ""
		for i, v := range n.values {
			var err error
			if c, all[i], err = q.operand(l, n.prop, v); err != nil {
				return "", err
			}
		}
		return c + " in (" + strings.Join(all, ", ") + ")", nil
	case *like:
		c, err := column(l, n.prop)
		if err != nil {
			return "", err
		}
		if c.Type != registry.Text && c.Type != registry.Code {
			return "", badFilter("LIKE needs a text property, %s is none", clip(n.prop))
		}
		return c.sql + "::text like " + q.arg(likePattern(n.pattern)) + "::text", nil
	}
	return "", badFilter("the filter cannot be read")
}

// likePattern keeps % and _ as wildcards and takes the backslash, PostgreSQL's
// escape, as an escape too; a pattern that ends in one would be an error there.
func likePattern(s string) string {
	if n := len(s) - len(strings.TrimRight(s, `\`)); n%2 == 1 {
		s += `\`
	}
	return s
}

type filterColumn struct {
	registry.Field
	sql string
}

func column(l *registry.Layer, name string) (filterColumn, error) {
	f, ok := l.Field(name)
	if !ok || !f.Filter || f.Type == registry.JSON {
		return filterColumn{}, refuse(ErrParameter, "unknown_property", "filter", "layer %s has no property %q to filter by", l.ID, clip(name))
	}
	return filterColumn{f, "t." + ident(f.Name)}, nil
}

// operand pairs a column with a parameter of its type.
func (q *question) operand(l *registry.Layer, name string, v literal) (col, param string, err error) {
	c, err := column(l, name)
	if err != nil {
		return "", "", err
	}
	mismatch := func() (string, string, error) {
		return "", "", badFilter("the value does not fit property %s (%s)", clip(name), c.Type)
	}
	switch c.Type {
	case registry.Integer, registry.Number:
		if v.kind != numberLit {
			return mismatch()
		}
		if i, err := strconv.ParseInt(v.text, 10, 64); err == nil && c.Type == registry.Integer {
			return c.sql, q.arg(i) + "::bigint", nil
		}
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil {
			return mismatch()
		}
		return c.sql, q.arg(f) + "::float8", nil
	case registry.Boolean:
		if v.kind != boolLit {
			return mismatch()
		}
		return c.sql, strings.ToLower(v.text), nil
	case registry.Date, registry.DateTime:
		if v.kind == textLit { // a plain string, as many clients write
			for _, date := range []bool{true, false} {
				if t, err := timeLiteral(v.text, date); err == nil {
					v = t
					break
				}
			}
		}
		if v.kind != dateLit && v.kind != timeLit {
			return mismatch()
		}
		if c.Type == registry.Date && v.kind == dateLit {
			return c.sql, q.arg(v.text) + "::text::date", nil
		}
		return c.sql, q.arg(v.text) + "::text::timestamptz", nil
	case registry.UUID:
		if v.kind != textLit || !isUUID(v.text) {
			return mismatch()
		}
		return c.sql, q.arg(v.text) + "::uuid", nil
	}
	// Text and codes. A code's column may hold small numbers: levels, ranks. Against
	// a number they are compared as numbers; words are then no match, not an error.
	if f, err := strconv.ParseFloat(v.text, 64); c.Type == registry.Code && v.kind == numberLit && err == nil {
		return "case when " + c.sql + "::text ~ '^[0-9]{1,9}$' then " + c.sql + "::text::float8 end", q.arg(f) + "::float8", nil
	}
	if v.kind != textLit && v.kind != numberLit {
		return mismatch()
	}
	return c.sql + "::text", q.arg(v.text) + "::text", nil
}
