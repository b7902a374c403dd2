package dialect

import (
	"strconv"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What providers put around the text of a prompt, in tokens. Roles and separators of messages are shorter than the JSON that they are made of, which is counted
// with the text. Beyond that templates begin with some lines of their own, at most about a hundred tokens in those that are public; and for tools and schemas
// they explain how to answer, which Anthropic's documentation puts at up to 735 tokens for a tool of its own and 530 for the rest.
const (
	templateTokens = 256
	toolTokens     = 2048
)

// MostTokens is the most tokens that a text, or JSON text with texts in it, can have: tokenizers make no more than one token of a byte. Some bring the text into
// a normal form before, in which a few characters are longer; those count as what they become.
func MostTokens(text []byte) int64 {
	most := int64(len(text))
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			_, size := utf8.DecodeRune(text[i:])
			most += longer(text[i:i+size], size)
			i += size
		case c == '\\' && i+6 <= len(text) && text[i+1] == 'u':
			most += escapedLonger(text[i+2 : i+6])
			i += 6
		default:
			i++
		}
	}
	return most
}

// longer is by how many bytes a character, written in size bytes, is longer in its normal form.
func longer(char []byte, size int) int64 {
	return int64(max(len(norm.NFKC.Properties(char).Decomposition())-size, 0))
}

// escapedLonger is longer for the four digits of an escape. Characters outside of the basic plane have two escapes, which are longer than what they become.
func escapedLonger(digits []byte) int64 {
	code, err := strconv.ParseUint(string(digits), 16, 16)
	if err != nil || code < utf8.RuneSelf {
		return 0
	}
	return longer(utf8.AppendRune(nil, rune(code)), len(`\u0000`))
}
