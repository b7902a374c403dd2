package jsonscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote appends the text of a JSON string, given with its quotes and already checked, to dst. It returns false when the string holds half of a
// surrogate pair, which stands for no character; U+FFFD is put there.
func Unquote(dst, quoted []byte) ([]byte, bool) {
	raw, whole := quoted[1:len(quoted)-1], true
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		if raw[i+1] != 'u' {
			dst = append(dst, unescaped(raw[i+1]))
			i += 2
			continue
		}
		char, size, ok := unicodeEscape(raw[i:])
		whole = whole && ok
		dst = utf8.AppendRune(dst, char)
		i += size
	}
	return dst, whole
}

// unicodeEscape reads \uXXXX, or two of them where they are a surrogate pair; false for half a pair.
func unicodeEscape(raw []byte) (char rune, size int, ok bool) {
	char, _ = hex4(raw, 2)
	if !utf16.IsSurrogate(char) {
		return char, 6, true
	}
	if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		low, _ := hex4(raw, 8)
		if pair := utf16.DecodeRune(char, low); pair != utf8.RuneError {
			return pair, 12, true
		}
	}
	return utf8.RuneError, 6, false
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// AppendQuoted appends text as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendQuoted(dst []byte, text string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); {
		if c := text[i]; c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		char, size := utf8.DecodeRuneInString(text[i:])
		if size > 1 {
			i += size
			continue
		}
		dst = appendEscape(append(dst, text[from:i]...), char)
		i++
		from = i
	}
	return append(append(dst, text[from:]...), '"')
}

// appendEscape appends what stands in a string for a control character, a quote, a backslash, or a byte that is no UTF-8.
func appendEscape(dst []byte, char rune) []byte {
	switch char {
	case '"', '\\':
		return append(dst, '\\', byte(char))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case utf8.RuneError:
		return utf8.AppendRune(dst, char)
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', digits[char>>4&0xf], digits[char&0xf])
}
