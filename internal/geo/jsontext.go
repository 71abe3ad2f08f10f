package geo

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Here is the JSON text under GeoJSON: numbers, strings, and skipping what is not
// asked for, without building anything.

// number reads a number as JSON defines it: no NaN, no Infinity, no +1, no
// hexadecimal; what overflows a float64 is refused rather than made infinite.
func (p *parser) number(path string) (float64, *Fault) {
	start := p.pos
	if f := p.skipNumber(path); f != nil {
		return 0, f
	}
	x, err := strconv.ParseFloat(string(p.data[start:p.pos]), 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		p.pos = start
		return 0, p.fault(CodeNumber, path, "not a finite number")
	}
	return x, nil
}

func (p *parser) skipNumber(path string) *Fault {
	start := p.pos
	digits := func() int {
		n := 0
		for p.peek() >= '0' && p.peek() <= '9' {
			p.pos++
			n++
		}
		return n
	}
	bad := func() *Fault {
		p.pos = start
		return p.fault(CodeNumber, path, "not a number")
	}
	if p.peek() == '-' {
		p.pos++
	}
	zero := p.peek() == '0'
	if n := digits(); n == 0 || (zero && n > 1) {
		return bad()
	}
	if p.peek() == '.' {
		p.pos++
		if digits() == 0 {
			return bad()
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if digits() == 0 {
			return bad()
		}
	}
	if p.pos-start > 400 {
		return bad()
	}
	return nil
}

// str reads a string member.
func (p *parser) str(path string) (string, *Fault) {
	start := p.pos
	if f := p.skipString(path); f != nil {
		return "", f
	}
	raw := p.data[start:p.pos]
	plain := raw[1 : len(raw)-1]
	for _, c := range plain {
		if c == '\\' {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				p.pos = start
				return "", p.fault(CodeSyntax, path, "bad string")
			}
			return s, nil
		}
	}
	return string(plain), nil
}

func (p *parser) skipString(path string) *Fault {
	if p.peek() != '"' {
		return p.fault(CodeSyntax, path, "expected a string")
	}
	start := p.pos
	p.pos++
	ascii := true
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			if !ascii && !utf8.Valid(p.data[start:p.pos]) {
				p.pos = start
				return p.fault(CodeSyntax, path, "not UTF-8")
			}
			return nil
		case c == '\\':
			p.pos += 2
		case c < 0x20:
			return p.fault(CodeSyntax, path, "control character in a string")
		default:
			ascii = ascii && c < 0x80
			p.pos++
		}
	}
	p.pos = start
	return p.fault(CodeSyntax, path, "string without end")
}

// skip passes over any value, checking its syntax. It does not recurse: an
// explicit stack of brackets holds the nesting, and its height is limited.
func (p *parser) skip(path string, _ int) *Fault {
	var stack [maxJSONDepth]byte
	depth := 0
	for {
		p.space()
		switch c := p.peek(); {
		case c == '[' || c == '{':
			if depth == maxJSONDepth {
				return p.fault(CodeDepth, path, fmt.Sprintf("nested deeper than %d", maxJSONDepth))
			}
			p.pos++
			stack[depth] = c + 2 // ']' and '}' follow two after their openers
			depth++
			p.space()
			if p.peek() == stack[depth-1] {
				p.pos++
				depth--
				break
			}
			if c == '{' {
				if f := p.key(path); f != nil {
					return f
				}
			}
			continue
		case c == '"':
			if f := p.skipString(path); f != nil {
				return f
			}
		case c == 't':
			if f := p.word(path, "true"); f != nil {
				return f
			}
		case c == 'f':
			if f := p.word(path, "false"); f != nil {
				return f
			}
		case c == 'n':
			if f := p.word(path, "null"); f != nil {
				return f
			}
		default:
			if f := p.skipNumber(path); f != nil {
				return f
			}
		}
		// A value is complete: close what ends here, then expect the next one.
		for {
			if depth == 0 {
				return nil
			}
			p.space()
			c := p.peek()
			if c == stack[depth-1] {
				p.pos++
				depth--
				continue
			}
			if c != ',' {
				return p.fault(CodeSyntax, path, "expected ',' or a closing bracket")
			}
			p.pos++
			if stack[depth-1] == '}' {
				p.space()
				if f := p.key(path); f != nil {
					return f
				}
			}
			break
		}
	}
}

func (p *parser) key(path string) *Fault {
	if f := p.skipString(path); f != nil {
		return f
	}
	p.space()
	if p.peek() != ':' {
		return p.fault(CodeSyntax, path, "expected ':'")
	}
	p.pos++
	return nil
}

func (p *parser) word(path, w string) *Fault {
	if len(p.data)-p.pos < len(w) || string(p.data[p.pos:p.pos+len(w)]) != w {
		return p.fault(CodeNumber, path, "not a JSON value")
	}
	p.pos += len(w)
	return nil
}
