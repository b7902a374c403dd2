package jsonscan

import (
	"encoding/json"
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
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return appendEscaped(dst, text)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, text...)
	return append(dst, '"')
}

func appendEscaped(dst []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // A string can always be marshalled.
		return append(dst, '"', '"')
	}
	return append(dst, quoted...)
}
