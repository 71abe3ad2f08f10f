package tiles

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The filter language is a part of CQL2 text: comparisons of a property with a
// literal, [NOT] IN, [NOT] BETWEEN, [NOT] LIKE, IS [NOT] NULL, joined by AND, OR,
// NOT and brackets. There are no functions, no arithmetic and no comparison of two
// properties: text from outside becomes a tree, the tree's names are looked up in
// the catalogue, its values become bind parameters.
const (
	maxFilterTokens = 600
	maxFilterDepth  = 24
	maxFilterNodes  = 150
	maxInList       = 200
	maxLikeRunes    = 100
	maxLikeWild     = 4 // each % may cost a pass over the text
)

type node interface{ write(*strings.Builder) }

type (
	logical struct { // AND, OR
		op   string
		args []node
	}
	negation struct{ arg node }
	compare  struct {
		prop, op string
		value    literal
	}
	inList struct {
		prop   string
		values []literal
	}
	between struct {
		prop   string
		lo, hi literal
	}
	like struct {
		prop    string
		pattern string
	}
	isNull struct{ prop string }
)

type literalKind byte

const (
	numberLit literalKind = iota
	textLit
	boolLit
	dateLit
	timeLit
)

// literal keeps the text the canonical form prints.
type literal struct {
	kind literalKind
	text string
}

type filter struct{ root node }

// String is the canonical text: two filters that read alike have one cache key.
func (f *filter) String() string {
	var b strings.Builder
	f.root.write(&b)
	return b.String()
}

func (n *logical) write(b *strings.Builder) {
	for i, a := range n.args {
		if i > 0 {
			b.WriteString(" " + n.op + " ")
		}
		if _, nested := a.(*logical); nested {
			b.WriteByte('(')
			a.write(b)
			b.WriteByte(')')
		} else {
			a.write(b)
		}
	}
}

func (n *negation) write(b *strings.Builder) {
	b.WriteString("NOT (")
	n.arg.write(b)
	b.WriteByte(')')
}

func (n *compare) write(b *strings.Builder) {
	writeName(b, n.prop)
	b.WriteString(" " + n.op + " ")
	n.value.write(b)
}

func (n *inList) write(b *strings.Builder) {
	writeName(b, n.prop)
	b.WriteString(" IN (")
	for i, v := range n.values {
		if i > 0 {
			b.WriteByte(',')
		}
		v.write(b)
	}
	b.WriteByte(')')
}

func (n *between) write(b *strings.Builder) {
	writeName(b, n.prop)
	b.WriteString(" BETWEEN ")
	n.lo.write(b)
	b.WriteString(" AND ")
	n.hi.write(b)
}

func (n *like) write(b *strings.Builder) {
	writeName(b, n.prop)
	b.WriteString(" LIKE ")
	literal{textLit, n.pattern}.write(b)
}

func (n *isNull) write(b *strings.Builder) {
	writeName(b, n.prop)
	b.WriteString(" IS NULL")
}

func (l literal) write(b *strings.Builder) {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	switch l.kind {
	case textLit:
		b.WriteString(quote(l.text))
	case dateLit:
		b.WriteString("DATE(" + quote(l.text) + ")")
	case timeLit:
		b.WriteString("TIMESTAMP(" + quote(l.text) + ")")
	default:
		b.WriteString(l.text)
	}
}

func writeName(b *strings.Builder, s string) {
	b.WriteString(`"` + strings.ReplaceAll(s, `"`, `""`) + `"`)
}

func badFilter(format string, args ...any) error {
	return refuse(ErrParameter, "bad_filter", "filter", format, args...)
}

type token struct {
	kind byte // 'w' word, 'q' quoted name, 's' string, 'n' number, 'o' operator or bracket, 0 end
	text string
	at   int
}

// parseFilter reads a filter. Its cost is linear in the text, whatever the text.
func parseFilter(s string) (*filter, error) { return parseWithin(s, 1) }

// parseCanonical reads what [filter.String] wrote: it quotes and brackets more than
// people do, so the limits on text are wider.
func parseCanonical(s string) (*filter, error) { return parseWithin(s, 4) }

func parseWithin(s string, room int) (*filter, error) {
	if len(s) > room*maxParameter || !utf8.ValidString(s) {
		return nil, badFilter("the filter is too long or not UTF-8")
	}
	toks, err := lex(s, room*maxFilterTokens)
	if err != nil {
		return nil, err
	}
	p := &parser{toks: toks, depth: room * maxFilterDepth}
	root, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != 0 {
		return nil, badFilter("unexpected %q at %d", clip(t.text), t.at)
	}
	return &filter{root}, nil
}

func lex(s string, limit int) ([]token, error) {
	var out []token
	for i := 0; i < len(s); {
		c := s[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '\'' || c == '"':
			text, n, ok := quoted(s[i:], c)
			if !ok {
				return nil, badFilter("the quote at %d is never closed", i)
			}
			i += n
			kind := byte('s')
			if c == '"' {
				kind = 'q'
			}
			out = append(out, token{kind, text, start})
		case c >= '0' && c <= '9' || c == '.' || c == '-' || c == '+':
			for i++; i < len(s) && (isDigit(s[i]) || s[i] == '.' || s[i] == 'e' || s[i] == 'E' || (s[i] == '-' || s[i] == '+') && (s[i-1] == 'e' || s[i-1] == 'E')); i++ {
			}
			out = append(out, token{'n', s[start:i], start})
		case isWordByte(c):
			for i < len(s) && (isWordByte(s[i]) || isDigit(s[i])) {
				i++
			}
			out = append(out, token{'w', s[start:i], start})
		case c == '<' || c == '>' || c == '=':
			i++
			if i < len(s) && (c == '<' && (s[i] == '=' || s[i] == '>') || c == '>' && s[i] == '=') {
				i++
			}
			out = append(out, token{'o', s[start:i], start})
		case c == '(' || c == ')' || c == ',':
			i++
			out = append(out, token{'o', s[start:i], start})
		default:
			return nil, badFilter("unexpected character at %d", i)
		}
		if len(out) > limit {
			return nil, badFilter("the filter has more than %d words", limit)
		}
	}
	return append(out, token{0, "end", len(s)}), nil
}

func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isWordByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }

// quoted reads from an opening quote; a doubled quote stands for itself.
func quoted(s string, q byte) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != q {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == q {
			b.WriteByte(q)
			i++
			continue
		}
		return b.String(), i + 1, true
	}
	return "", 0, false
}

type parser struct {
	toks  []token
	pos   int
	nodes int
	depth int // limit
}

func (p *parser) peek() token { return p.toks[p.pos] }

func (p *parser) next() token {
	t := p.toks[p.pos]
	if t.kind != 0 {
		p.pos++
	}
	return t
}

func (t token) is(word string) bool { return t.kind == 'w' && strings.EqualFold(t.text, word) }

func (p *parser) accept(word string) bool {
	if p.peek().is(word) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) symbol(s string) error {
	if t := p.next(); t.kind != 'o' || t.text != s {
		return badFilter("%q expected at %d", s, t.at)
	}
	return nil
}

func (p *parser) or(depth int) (node, error)  { return p.chain("OR", depth, p.and) }
func (p *parser) and(depth int) (node, error) { return p.chain("AND", depth, p.not) }

func (p *parser) chain(op string, depth int, part func(int) (node, error)) (node, error) {
	first, err := part(depth)
	if err != nil || !p.peek().is(op) {
		return first, err
	}
	n := &logical{op: op, args: []node{first}}
	for p.accept(op) {
		a, err := part(depth)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, a)
	}
	return n, nil
}

func (p *parser) not(depth int) (node, error) {
	if depth > p.depth {
		return nil, badFilter("the filter is nested deeper than %d", p.depth)
	}
	if p.accept("NOT") {
		a, err := p.not(depth + 1)
		if err != nil {
			return nil, err
		}
		return &negation{a}, nil
	}
	if t := p.peek(); t.kind == 'o' && t.text == "(" {
		p.pos++
		n, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return n, p.symbol(")")
	}
	if p.nodes++; p.nodes > maxFilterNodes {
		return nil, badFilter("the filter has more than %d conditions", maxFilterNodes)
	}
	return p.predicate()
}

func (p *parser) predicate() (node, error) {
	t := p.next()
	if t.kind != 'w' && t.kind != 'q' || t.text == "" || len(t.text) > 63 || t.kind == 'w' && reserved(t.text) {
		return nil, badFilter("a property name is expected at %d", t.at)
	}
	prop := t.text
	switch {
	case p.accept("IS"):
		neg := p.accept("NOT")
		if !p.accept("NULL") {
			return nil, badFilter("NULL expected at %d", p.peek().at)
		}
		return negate(neg, &isNull{prop}), nil
	case p.peek().kind == 'o' && strings.ContainsAny(p.peek().text, "<>="):
		op := p.next().text
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		return &compare{prop, op, v}, nil
	}
	neg := p.accept("NOT")
	switch {
	case p.accept("IN"):
		n := &inList{prop: prop}
		if err := p.symbol("("); err != nil {
			return nil, err
		}
		for {
			v, err := p.literal()
			if err != nil {
				return nil, err
			}
			if n.values = append(n.values, v); len(n.values) > maxInList {
				return nil, badFilter("more than %d values in a list", maxInList)
			}
			if v.kind != n.values[0].kind {
				return nil, badFilter("the values of a list must be of one kind")
			}
			if t := p.next(); t.kind == 'o' && t.text == ")" {
				return negate(neg, n), nil
			} else if t.kind != 'o' || t.text != "," {
				return nil, badFilter("a comma or bracket is expected at %d", t.at)
			}
		}
	case p.accept("BETWEEN"):
		lo, err := p.literal()
		if err != nil {
			return nil, err
		}
		if !p.accept("AND") {
			return nil, badFilter("AND expected at %d", p.peek().at)
		}
		hi, err := p.literal()
		if err != nil {
			return nil, err
		}
		return negate(neg, &between{prop, lo, hi}), nil
	case p.accept("LIKE"):
		t := p.next()
		if t.kind != 's' {
			return nil, badFilter("LIKE wants text at %d", t.at)
		}
		if utf8.RuneCountInString(t.text) > maxLikeRunes || strings.Count(t.text, "%") > maxLikeWild {
			return nil, badFilter("a LIKE pattern has at most %d characters and %d signs %%", maxLikeRunes, maxLikeWild)
		}
		return negate(neg, &like{prop, t.text}), nil
	}
	return nil, badFilter("a comparison is expected at %d", p.peek().at)
}

func negate(neg bool, n node) node {
	if neg {
		return &negation{n}
	}
	return n
}

func reserved(w string) bool {
	switch strings.ToUpper(w) {
	case "AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "TRUE", "FALSE", "DATE", "TIMESTAMP":
		return true
	}
	return false
}

func (p *parser) literal() (literal, error) {
	t := p.next()
	switch {
	case t.kind == 's':
		return literal{textLit, t.text}, nil
	case t.kind == 'n':
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil || len(t.text) > 32 {
			return literal{}, badFilter("%q is no number", clip(t.text))
		}
		if i, err := strconv.ParseInt(strings.TrimPrefix(t.text, "+"), 10, 64); err == nil {
			return literal{numberLit, strconv.FormatInt(i, 10)}, nil
		}
		return literal{numberLit, strconv.FormatFloat(f, 'g', -1, 64)}, nil
	case t.is("TRUE"), t.is("FALSE"):
		return literal{boolLit, strings.ToUpper(t.text)}, nil
	case t.is("DATE"), t.is("TIMESTAMP"):
		if err := p.symbol("("); err != nil {
			return literal{}, err
		}
		v := p.next()
		l, err := timeLiteral(v.text, t.is("DATE"))
		if err != nil || v.kind != 's' {
			return literal{}, badFilter("%q is no %s", clip(v.text), strings.ToLower(t.text))
		}
		return l, p.symbol(")")
	}
	return literal{}, badFilter("a value is expected at %d", t.at)
}

func timeLiteral(s string, date bool) (literal, error) {
	if date {
		t, err := time.Parse(time.DateOnly, s)
		return literal{dateLit, t.Format(time.DateOnly)}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return literal{timeLit, t.UTC().Format(time.RFC3339Nano)}, err
}
