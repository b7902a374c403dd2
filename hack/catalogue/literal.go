package main

import (
	"errors"
	"fmt"
	"strings"
)

// call is a call of a constructor in a Python literal, such as ModelPrice(input_mtok=Decimal('3')).
type call struct {
	name  string
	args  []any
	named map[string]any
}

// maxDepth bounds how deep literals are nested.
const maxDepth = 32

// errLiteral is a text that is not a literal.
var errLiteral = errors.New("not a literal")

// literals reads the literals of Python that data files are written in: strings, numbers, lists, dictionaries, constants, and calls of constructors. It
// runs nothing.
type literals struct {
	text string
	at   int
}

// parse reads one literal: a string as string, a number, name or constant as word, a list as []any, a dictionary as map[string]any, a call as call.
func (l *literals) parse(depth int) (any, error) {
	if depth > maxDepth {
		return nil, l.fail("it is nested too deep")
	}
	l.blanks()
	switch c := l.peek(); {
	case c == '\'' || c == '"':
		return l.strings()
	case c == '[':
		l.at++
		return l.list(depth, ']')
	case c == '(':
		l.at++
		return l.list(depth, ')')
	case c == '{':
		l.at++
		return l.dictionary(depth)
	case isWord(c) || c == '-':
		return l.wordOrCall(depth)
	default:
		return nil, l.fail("an unknown sign")
	}
}

// word is a number, a constant or the name of something.
type word string

func (l *literals) peek() byte {
	if l.at >= len(l.text) {
		return 0
	}
	return l.text[l.at]
}

func (l *literals) blanks() {
	for l.at < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.at]) >= 0 {
		l.at++
	}
}

// take passes over one sign, if it is next.
func (l *literals) take(sign byte) bool {
	l.blanks()
	if l.peek() != sign {
		return false
	}
	l.at++
	return true
}

func (l *literals) fail(problem string) error {
	return fmt.Errorf("at byte %d: %s: %w", l.at, problem, errLiteral)
}

// strings reads one string, or several that stand side by side.
func (l *literals) strings() (string, error) {
	var joined strings.Builder
	for {
		quote := l.peek()
		if quote != '\'' && quote != '"' {
			return joined.String(), nil
		}
		l.at++
		for {
			c := l.peek()
			l.at++
			if c == quote {
				break
			}
			switch c {
			case 0, '\n':
				return "", l.fail("a string does not end")
			case '\\':
				if l.peek() == 0 {
					return "", l.fail("a string does not end")
				}
				joined.WriteByte(unescaped(l.peek()))
				l.at++
			default:
				joined.WriteByte(c)
			}
		}
		l.blanks()
	}
}

// unescaped is the sign that stands for another after a backslash. Escapes by number are not needed: they stand in texts for people only.
func unescaped(c byte) byte {
	if c == 'n' {
		return '\n'
	}
	return c
}

func (l *literals) list(depth int, end byte) ([]any, error) {
	var items []any
	for {
		if l.take(end) {
			return items, nil
		}
		item, err := l.parse(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if !l.take(',') && l.peek() != end {
			return nil, l.fail("a list does not go on")
		}
	}
}

func (l *literals) dictionary(depth int) (map[string]any, error) {
	items := map[string]any{}
	for {
		if l.take('}') {
			return items, nil
		}
		key, err := l.parse(depth + 1)
		if err != nil {
			return nil, err
		}
		name, isText := key.(string)
		if !isText || !l.take(':') {
			return nil, l.fail("a dictionary has no key")
		}
		if items[name], err = l.parse(depth + 1); err != nil {
			return nil, err
		}
		if !l.take(',') && l.peek() != '}' {
			return nil, l.fail("a dictionary does not go on")
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (l *literals) name() string {
	start := l.at
	if l.peek() == '-' {
		l.at++
	}
	for isWord(l.peek()) {
		l.at++
	}
	return l.text[start:l.at]
}

func (l *literals) wordOrCall(depth int) (any, error) {
	name := l.name()
	if !l.take('(') {
		return word(name), nil
	}
	made := call{name: name, named: map[string]any{}}
	for {
		if l.take(')') {
			return made, nil
		}
		l.blanks()
		start := l.at
		argument := l.name()
		if argument != "" && l.take('=') {
			value, err := l.parse(depth + 1)
			if err != nil {
				return nil, err
			}
			made.named[argument] = value
		} else {
			l.at = start
			value, err := l.parse(depth + 1)
			if err != nil {
				return nil, err
			}
			made.args = append(made.args, value)
		}
		if !l.take(',') && l.peek() != ')' {
			return nil, l.fail("a call does not go on")
		}
	}
}
