package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// scalar checks a string, number, true, false or null.
func scalar(data []byte, i int, open *nesting) (int, error) {
	switch c := data[i]; {
	case c == '"':
		end, err := str(data, i)
		open.text += end - i - 2
		return end, err
	case c == '-' || isDigit(data, i):
		return number(data, i)
	case c == 't':
		return literal(data, i, "true")
	case c == 'f':
		return literal(data, i, "false")
	case c == 'n':
		return literal(data, i, "null")
	}
	return i, &SyntaxError{Offset: i, Problem: "needs a value"}
}

func literal(data []byte, i int, word string) (int, error) {
	end := min(i+len(word), len(data))
	if string(data[i:end]) == word {
		return end, nil
	}
	return i, &SyntaxError{Offset: i, Problem: "needs a value"}
}

func isDigit(data []byte, i int) bool { return i < len(data) && data[i]-'0' <= 9 }

func digits(data []byte, i int) (int, error) {
	if !isDigit(data, i) {
		return i, &SyntaxError{Offset: i, Problem: "needs a digit"}
	}
	for isDigit(data, i) {
		i++
	}
	return i, nil
}

// number checks a number of any size.
func number(data []byte, i int) (int, error) {
	if data[i] == '-' {
		i++
	}
	var err error
	if i < len(data) && data[i] == '0' {
		i++
	} else if i, err = digits(data, i); err != nil {
		return i, err
	}
	if i < len(data) && data[i] == '.' {
		if i, err = digits(data, i+1); err != nil {
			return i, err
		}
	}
	return exponent(data, i)
}

// exponent checks the exponent of a number, if there is one.
func exponent(data []byte, i int) (int, error) {
	if i == len(data) || data[i]|0x20 != 'e' {
		return i, nil
	}
	i++
	if i < len(data) && (data[i] == '+' || data[i] == '-') {
		i++
	}
	return digits(data, i)
}

// str checks the string that starts at data[i], which is a double quote or the end of the text.
func str(data []byte, i int) (int, error) {
	i = plain(data, i+1)
	for i < len(data) {
		switch c := data[i]; {
		case c == '"':
			return i + 1, nil
		case c != '\\':
			return i, &SyntaxError{Offset: i, Problem: "has a control character in a string"}
		}
		end, ok := escape(data, i)
		if !ok {
			return i, &SyntaxError{Offset: i, Problem: "has an invalid escape in a string"}
		}
		i = plain(data, end)
	}
	return len(data), truncated(data)
}

// plain returns the offset of the first byte at or after i that is a quote, a backslash or a control character. It looks at eight bytes at a time: in
// each word below, the lowest byte whose top bit is set is the first such byte.
func plain(data []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(data); i += 8 {
		word := binary.LittleEndian.Uint64(data[i:])
		control := (word - ones*' ') &^ word
		quote := word ^ ones*'"'
		quote = (quote - ones) &^ quote
		slash := word ^ ones*'\\'
		slash = (slash - ones) &^ slash
		if found := (control | quote | slash) & tops; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(data) && data[i] >= ' ' && data[i] != '"' && data[i] != '\\' {
		i++
	}
	return min(i, len(data))
}

// escape checks the escape that starts with the backslash at data[i] and returns the offset behind it.
func escape(data []byte, i int) (int, bool) {
	if i+1 >= len(data) {
		return i, false
	}
	switch data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, true
	case 'u':
		_, ok := hex4(data, i+2)
		return i + 6, ok
	}
	return i, false
}

// hex4 reads four hexadecimal digits.
func hex4(data []byte, i int) (rune, bool) {
	if i+4 > len(data) {
		return 0, false
	}
	var value rune
	for _, c := range data[i : i+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		value = value<<4 | rune(c)
	}
	return value, true
}
